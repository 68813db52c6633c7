/* Table after table is laid over what is there: a part's number stands for the pair (its number so
 * far, the list of the next map). */
#include "geo/parts.h"

#include "map_priv.h"
#include "pairs_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

enum { UNKNOWN = 1, KNOWN };

struct geo_parts {
    struct prefixes *table; /* NULL: one part */
    struct geo_part *parts;
    uint32_t count;
};

/* What is remembered of a part's number while maps are laid over one another. */
struct trait {
    bool known;
    bool carried; /* IPv6 addresses that carry IPv4 ones */
};

struct work {
    const struct geo_map *map; /* that is laid over now */
    bool everything;           /* no map knows of any network */
    struct pairs pairs;
    struct prefixes *table;
    struct trait *traits; /* [number - 1] */
    uint32_t count;
};

/* ---- which addresses are known ---- */

static uint32_t known_of(void *arg, uint32_t combo)
{
    const struct work *w = arg;
    if (w->everything)
        return KNOWN;
    if (combo == PREFIXES_NONE)
        return UNKNOWN;
    const struct map_combo *c = &w->map->combos[combo - 1];
    return c->place || c->net ? KNOWN : UNKNOWN;
}

static uint32_t known_too(void *arg, uint32_t known, uint32_t combo)
{
    return known == KNOWN ? KNOWN : known_of(arg, combo);
}

static bool speaks_of_networks(const struct geo_map *m)
{
    for (uint32_t i = 0; i < m->combo_count; i++)
        if (m->combos[i].place || m->combos[i].net)
            return true;
    return false;
}

static int find_known(struct work *w, const struct geo_map *const *maps, unsigned count)
{
    w->everything = true;
    for (unsigned i = 0; i < count; i++)
        w->everything = w->everything && !speaks_of_networks(maps[i]);
    w->map = maps[0];
    int err = prefixes_map(maps[0]->where, known_of, w, &w->table);
    for (unsigned i = 1; i < count && !err; i++) {
        struct prefixes *next;
        w->map = maps[i];
        err = prefixes_join(w->table, maps[i]->where, known_too, w, &next);
        if (err)
            return err;
        prefixes_free(w->table);
        w->table = next;
    }
    w->traits = calloc(KNOWN, sizeof *w->traits);
    if (!w->traits)
        return err ? err : ERR_NOMEM;
    w->traits[KNOWN - 1].known = true;
    w->count = KNOWN;
    return err;
}

/* ---- one number for each combination of lists ---- */

static uint32_t number_of(void *arg, uint32_t so_far, uint32_t list)
{
    struct work *w = arg;
    return pairs_number(&w->pairs, so_far, list);
}

static int lay_over(struct work *w, const struct geo_map *m)
{
    struct prefixes *next;
    w->pairs = (struct pairs){0};
    int err = prefixes_join(w->table, m->table, number_of, w, &next);
    if (!err) {
        prefixes_free(w->table);
        w->table = next;
    }
    err = w->pairs.err ? w->pairs.err : err;
    struct trait *traits = err ? NULL : calloc(w->pairs.count, sizeof *traits);
    err = err || traits ? err : ERR_NOMEM;
    for (uint32_t i = 0; i < w->pairs.count && !err; i++) {
        traits[i] = w->traits[w->pairs.pairs[i].a - 1];
        traits[i].carried = traits[i].carried || w->pairs.pairs[i].b == MAP_FORM;
    }
    if (!err) {
        free(w->traits);
        w->traits = traits;
        w->count = w->pairs.count;
    }
    pairs_fini(&w->pairs);
    return err;
}

/* ---- how large they are ---- */

static void keep_sample(struct geo_part *p, unsigned family, const struct prefix *net)
{
    struct prefix *s = p->sample[family];
    unsigned at = p->samples[family];
    if (at == GEO_PART_SAMPLES && s[at - 1].bits <= net->bits)
        return;
    if (at < GEO_PART_SAMPLES)
        p->samples[family]++;
    else
        at--;
    for (; at > 0 && s[at - 1].bits > net->bits; at--)
        s[at] = s[at - 1];
    s[at] = *net;
}

struct measure {
    struct geo_parts *to;
    const struct trait *traits;
};

static void measure_network(void *arg, const struct prefix *net, uint32_t number)
{
    struct measure *m = arg;
    struct geo_part *p = &m->to->parts[number - 1];
    unsigned family = net->family == 4 ? GEO_PART_IPV4 : GEO_PART_IPV6;
    double addresses = 1;
    if (family == GEO_PART_IPV6 && m->traits[number - 1].carried)
        return;
    for (unsigned bits = net->bits; bits < 128; bits++)
        addresses *= 2;
    p->addresses[family] += addresses;
    keep_sample(p, family, net);
}

static int measure(struct geo_parts *p, struct work *w)
{
    struct measure m = {p, w->traits};
    p->parts = calloc(w->count, sizeof *p->parts);
    if (!p->parts)
        return ERR_NOMEM;
    p->count = w->count;
    for (uint32_t i = 0; i < w->count; i++)
        p->parts[i].known = w->traits[i].known;
    prefixes_each(w->table, measure_network, &m);
    p->table = w->table;
    w->table = NULL;
    return 0;
}

/* ---- all of it ---- */

static int one_part(struct geo_parts *p)
{
    p->parts = calloc(1, sizeof *p->parts);
    if (!p->parts)
        return ERR_NOMEM;
    p->count = 1;
    p->parts[0] =
        (struct geo_part){.addresses = {4294967296.0, 340282366920938463463374607431768211456.0},
                          .sample = {{{.ip = {[10] = 0xff, [11] = 0xff}, .bits = 96, .family = 4}},
                                     {{.ip = {0x20}, .bits = 3, .family = 6}}},
                          .samples = {1, 1},
                          .known = true};
    return 0;
}

int geo_parts_new(struct geo_parts **p, const struct geo_map *const *maps, unsigned count)
{
    struct geo_parts *to = calloc(1, sizeof *to);
    struct work w = {0};
    if (!to)
        return ERR_NOMEM;
    int err = count ? find_known(&w, maps, count) : one_part(to);
    for (unsigned i = 0; i < count && !err; i++)
        err = lay_over(&w, maps[i]);
    if (count && !err)
        err = measure(to, &w);
    if (w.table)
        prefixes_free(w.table);
    free(w.traits);
    if (err)
        geo_parts_free(to);
    else
        *p = to;
    return err;
}

void geo_parts_free(struct geo_parts *p)
{
    if (!p)
        return;
    if (p->table)
        prefixes_free(p->table);
    free(p->parts);
    free(p);
}

unsigned geo_parts_count(const struct geo_parts *p)
{
    return p->count;
}

const struct geo_part *geo_parts_at(const struct geo_parts *p, unsigned index)
{
    return &p->parts[index];
}

unsigned geo_parts_find(const struct geo_parts *p, const struct addr *a)
{
    unsigned shift;
    if (!p->table)
        return 0;
    struct addr known = prefixes_canonical(a, &shift);
    uint32_t number = prefixes_find(p->table, &known, NULL);
    return number && number <= p->count ? number - 1 : 0;
}
