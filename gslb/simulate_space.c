#include "simulate_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* ---- which maps ---- */

struct reach {
    const struct gslb_plan *plan;
    const struct geo_map **maps;
    unsigned *count;
    bool *seen; /* pools */
    int err;
};

static void reach_map(struct reach *r, int map)
{
    if (map == GSLB_NONE)
        return;
    const struct geo_map *geo = r->plan->maps[map].geo;
    for (unsigned i = 0; i < *r->count; i++)
        if (r->maps[i] == geo)
            return;
    if (*r->count == SPACE_MAPS)
        r->err = ERR_LIMIT;
    else
        r->maps[(*r->count)++] = geo;
}

static void reach_pools(struct reach *r, int pool)
{
    for (; pool != GSLB_NONE && !r->seen[pool]; pool = r->plan->pools[pool].fallback) {
        r->seen[pool] = true;
        reach_map(r, r->plan->pools[pool].near);
    }
}

static int reach_name(const struct gslb_plan *p, int name, const struct geo_map **maps,
                      unsigned *count)
{
    struct reach r = {p, maps, count, NULL, 0};
    if (!p || name == GSLB_NONE)
        return 0;
    r.seen = calloc(p->pool_count + 1u, sizeof *r.seen);
    if (!r.seen)
        return ERR_NOMEM;
    for (unsigned steps = 0; name != GSLB_NONE && steps < p->name_count; steps++) {
        const struct gslb_name *n = &p->names[name];
        reach_map(&r, n->map);
        for (unsigned i = 0; i < n->pool_count; i++)
            reach_pools(&r, (int)n->pools[i]);
        reach_pools(&r, n->fallback_pool);
        if (n->outside == GSLB_OUTSIDE_POOL)
            reach_pools(&r, n->outside_pool);
        name = n->fallback_name;
    }
    free(r.seen);
    return r.err;
}

/* ---- how large the parts are ---- */

static void weigh_parts(struct space *x)
{
    for (unsigned i = 0; i < geo_parts_count(x->parts); i++) {
        const struct geo_part *p = geo_parts_at(x->parts, i);
        x->covered = x->covered || !p->known;
        if (!p->known)
            continue;
        x->weight[i][GSLB_SPACE_IPV4] = p->addresses[GEO_PART_IPV4];
        x->weight[i][GSLB_SPACE_IPV6] = p->addresses[GEO_PART_IPV6];
        x->size[GSLB_SPACE_IPV4] += p->addresses[GEO_PART_IPV4];
        x->size[GSLB_SPACE_IPV6] += p->addresses[GEO_PART_IPV6];
    }
}

static void weigh_seen(struct space *x, const struct gslb_simulate *s)
{
    for (unsigned i = 0; i < s->seen_count; i++) {
        double count = (double)s->seen[i].count;
        x->weight[geo_parts_find(x->parts, &s->seen[i].address)][GSLB_SPACE_SEEN] += count;
        x->size[GSLB_SPACE_SEEN] += count;
    }
}

static int space_fill(struct space *x, const struct gslb_simulate *s)
{
    int err = geo_parts_new(&x->parts, x->maps, x->map_count);
    if (err)
        return err;
    x->weight = calloc(geo_parts_count(x->parts), sizeof *x->weight);
    if (!x->weight)
        return ERR_NOMEM;
    weigh_parts(x);
    weigh_seen(x, s);
    return 0;
}

static bool is_of(const struct space *x, const struct geo_map *const *maps, unsigned count)
{
    bool same = x->map_count == count;
    for (unsigned i = 0; same && i < count; i++)
        same = x->maps[i] == maps[i];
    return same;
}

int space_of(const struct gslb_simulate *s, const int name[2], struct space **spaces,
             const struct space **out)
{
    const struct geo_map *maps[SPACE_MAPS];
    unsigned count = 0;
    int err = reach_name(s->before.plan, name[0], maps, &count);
    err = err ? err : reach_name(s->after.plan, name[1], maps, &count);
    if (err)
        return err;
    for (struct space *x = *spaces; x; x = x->next)
        if (is_of(x, maps, count)) {
            *out = x;
            return 0;
        }
    struct space *x = calloc(1, sizeof *x);
    if (!x)
        return ERR_NOMEM;
    for (unsigned i = 0; i < count; i++)
        x->maps[i] = maps[i];
    x->map_count = count;
    x->next = *spaces;
    *spaces = x;
    *out = x;
    return space_fill(x, s);
}

void space_free(struct space *spaces)
{
    while (spaces) {
        struct space *next = spaces->next;
        geo_parts_free(spaces->parts);
        free(spaces->weight);
        free(spaces);
        spaces = next;
    }
}

/* ---- clients ---- */

struct addr space_client(const struct geo_part *p, unsigned i)
{
    unsigned family = p->samples[GEO_PART_IPV4] ? GEO_PART_IPV4 : GEO_PART_IPV6;
    unsigned count = p->samples[family] ? p->samples[family] : 1;
    const struct prefix *net = &p->sample[family][i % count];
    struct addr a = {.family = net->family};
    unsigned end = net->family == 4 ? 96 + 24 : 56;
    /* An odd factor leads through all numbers of so many bits, the upper ones too. */
    uint32_t number = i / count * 0x9e3779b1u;
    memcpy(a.ip, net->ip, sizeof a.ip);
    for (unsigned bit = end; bit > net->bits; bit--, number >>= 1)
        if (number & 1)
            a.ip[(bit - 1) / 8] |= (uint8_t)(0x80 >> (bit - 1) % 8);
    return a;
}
