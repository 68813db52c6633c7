/* What a plan knows of itself once it is right: ids that last, and the types of every branch. */
#include "plan_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>

/* ---- ids ---- */

static int by_owner(const void *a, const void *b)
{
    const struct gslb_named_id *x = a, *y = b;
    return dns_name_cmp(x->name, y->name);
}

static int sort_owners(struct gslb_plan *p, struct diag_list *d)
{
    int err = 0;
    p->by_owner_count = 0;
    if (!(p->by_owner = ARENA_ARRAY(&p->arena, struct gslb_named_id, p->name_count)))
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->name_count; i++)
        if (p->names[i].owner)
            p->by_owner[p->by_owner_count++] = (struct gslb_named_id){p->names[i].owner, i};
    qsort(p->by_owner, p->by_owner_count, sizeof *p->by_owner, by_owner);
    for (unsigned k = 1; k < p->by_owner_count; k++) {
        const struct gslb_name *n = &p->names[p->by_owner[k].id];
        char text[DNS_NAME_TEXT_MAX];
        if (!dns_name_equal(p->by_owner[k - 1].name, n->owner))
            continue;
        dns_name_print(n->owner, text);
        diag_add(d, DIAG_ERROR, &n->at, "%s: steered twice", text);
        err = ERR_INVALID;
    }
    return err;
}

/* to[old id] = new id: what `before` knew keeps its place, the others fill the free ones. Returns
 * how many places there are. */
static unsigned place_names(const struct gslb_plan *p, const struct gslb_plan *before, int *to,
                            bool *taken)
{
    unsigned places = 0, free_place = 0;
    for (unsigned i = 0; i < p->name_count; i++) {
        to[i] = before && p->names[i].owner ? gslb_plan_name(before, p->names[i].owner) : GSLB_NONE;
        if (to[i] == GSLB_NONE)
            continue;
        taken[to[i]] = true;
        places = (unsigned)to[i] + 1 > places ? (unsigned)to[i] + 1 : places;
    }
    for (unsigned i = 0; i < p->name_count; i++) {
        if (to[i] != GSLB_NONE || !p->names[i].owner)
            continue;
        while (taken[free_place])
            free_place++;
        taken[free_place] = true;
        to[i] = (int)free_place;
        places = free_place + 1 > places ? free_place + 1 : places;
    }
    return places;
}

static int move_names(struct gslb_plan *p, const int *to, unsigned places)
{
    struct gslb_name *moved = ARENA_ARRAY(&p->arena, struct gslb_name, places);
    if (!moved)
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->name_count; i++) {
        if (to[i] == GSLB_NONE)
            continue;
        moved[to[i]] = p->names[i];
        if (p->names[i].fallback_name != GSLB_NONE)
            moved[to[i]].fallback_name = to[p->names[i].fallback_name];
    }
    for (unsigned k = 0; k < p->by_owner_count; k++)
        p->by_owner[k].id = (unsigned)to[p->by_owner[k].id];
    p->names = moved;
    p->name_count = places;
    return 0;
}

int plan_ids(struct gslb_plan *p, const struct gslb_plan *before, struct diag_list *d)
{
    int err = sort_owners(p, d);
    if (err)
        return err;
    unsigned most = p->name_count + (before ? before->name_count : 0);
    int *to = calloc(p->name_count + 1u, sizeof *to);
    bool *taken = calloc(most + 1u, sizeof *taken);
    err = to && taken ? move_names(p, to, place_names(p, before, to, taken)) : ERR_NOMEM;
    free(to);
    free(taken);
    return err;
}

/* ---- types ---- */

/* All types of a plan, each one bit of a set. */
struct types {
    uint16_t of[64];
    unsigned count;
};

static int type_bit(struct types *t, uint16_t type, uint64_t *set)
{
    unsigned k = 0;
    while (k < t->count && t->of[k] != type)
        k++;
    if (k == sizeof t->of / sizeof *t->of)
        return ERR_LIMIT;
    if (k == t->count)
        t->of[t->count++] = type;
    *set |= 1ULL << k;
    return 0;
}

static int types_of_pool(struct types *t, struct gslb_pool *p, uint64_t *set)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_CNAME};
    int err = 0;
    memset(p->has, 0, sizeof p->has);
    p->whole[0] = p->whole[1] = true;
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        bool addresses = e->kind == GSLB_ADDRESSES;
        for (unsigned f = 0; f < 2; f++)
            p->whole[f] &= e->enabled && addresses && e->address[f].family;
        if (!e->enabled)
            continue;
        p->has[GSLB_HAS_A] |= e->kind == GSLB_HOST || (addresses && e->address[0].family);
        p->has[GSLB_HAS_AAAA] |= e->kind == GSLB_HOST || (addresses && e->address[1].family);
        p->has[GSLB_HAS_CNAME] |= e->kind == GSLB_CNAME;
    }
    for (int k = 0; k < 3 && !err; k++)
        if (p->has[k])
            err = type_bit(t, types[k], set);
    for (unsigned k = 0; k < p->record_count && !err; k++)
        err = type_bit(t, p->records[k].type, set);
    return err;
}

static int types_of_name(struct types *t, const struct gslb_name *n, const uint64_t *pools,
                         uint64_t *set)
{
    if (n->alias) {
        int err = type_bit(t, DNS_TYPE_A, set);
        return err ? err : type_bit(t, DNS_TYPE_AAAA, set);
    }
    for (unsigned k = 0; k < n->pool_count; k++)
        *set |= pools[n->pools[k]];
    if (n->fallback_pool != GSLB_NONE)
        *set |= pools[n->fallback_pool];
    if (n->map != GSLB_NONE && n->outside == GSLB_OUTSIDE_POOL && n->outside_pool != GSLB_NONE)
        *set |= pools[n->outside_pool];
    return 0;
}

/* Adds to each set those of all that it falls back on: each chain is followed to what is done, and
 * its sets then added on the way back. */
static int sets_spread(uint64_t *sets, const int *next, unsigned count)
{
    uint32_t *trail = calloc(count + 1u, sizeof *trail);
    bool *done = calloc(count + 1u, sizeof *done);
    for (unsigned i = 0; trail && done && i < count; i++) {
        unsigned n = 0;
        int at = (int)i;
        for (; at != GSLB_NONE && !done[at]; at = next[at])
            trail[n++] = (uint32_t)at;
        uint64_t set = at != GSLB_NONE ? sets[at] : 0;
        while (n-- > 0) {
            sets[trail[n]] = set |= sets[trail[n]];
            done[trail[n]] = true;
        }
    }
    int err = trail && done ? 0 : ERR_NOMEM;
    free(trail);
    free(done);
    return err;
}

static int by_number(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* like: the name before, or NULL. */
static int put_types(const struct types *t, struct arena *a, struct gslb_name *n, uint64_t set,
                     const struct gslb_name *like, uint64_t like_set)
{
    unsigned k = 0;
    if (like && set == like_set) {
        n->types = like->types;
        n->type_count = like->type_count;
        return 0;
    }
    n->type_count = (unsigned)__builtin_popcountll(set);
    if (!(n->types = ARENA_ARRAY(a, uint16_t, n->type_count)))
        return ERR_NOMEM;
    for (; set; set &= set - 1)
        n->types[k++] = t->of[__builtin_ctzll(set)];
    qsort(n->types, n->type_count, sizeof *n->types, by_number);
    return 0;
}

/* pools, names: room for a set each; next: for either. */
static int types_of_all(struct gslb_plan *p, uint64_t *pools, uint64_t *names, int *next)
{
    struct types t = {.count = 0};
    int err = 0;
    for (unsigned i = 0; i < p->pool_count && !err; i++) {
        next[i] = p->pools[i].fallback;
        err = types_of_pool(&t, &p->pools[i], &pools[i]);
    }
    if (!err)
        err = sets_spread(pools, next, p->pool_count);
    for (unsigned i = 0; i < p->name_count && !err; i++) {
        next[i] = p->names[i].owner ? p->names[i].fallback_name : GSLB_NONE;
        if (p->names[i].owner)
            err = types_of_name(&t, &p->names[i], pools, &names[i]);
    }
    if (!err)
        err = sets_spread(names, next, p->name_count);
    for (unsigned i = 0, like = 0; i < p->name_count && !err; i++) {
        if (!p->names[i].owner)
            continue;
        err = put_types(&t, &p->arena, &p->names[i], names[i],
                        p->names[like].types ? &p->names[like] : NULL, names[like]);
        like = i;
    }
    return err;
}

int plan_types(struct gslb_plan *p, struct diag_list *d)
{
    unsigned most = p->pool_count > p->name_count ? p->pool_count : p->name_count;
    uint64_t *pools = calloc(p->pool_count + 1u, sizeof *pools);
    uint64_t *names = calloc(p->name_count + 1u, sizeof *names);
    int *next = calloc(most + 1u, sizeof *next);
    int err = pools && names && next ? types_of_all(p, pools, names, next) : ERR_NOMEM;
    if (err == ERR_LIMIT)
        diag_add(d, DIAG_ERROR, NULL, "the pools have records of more than 64 types");
    free(pools);
    free(names);
    free(next);
    return err;
}
