/* A compiled map: looking up, and proving it. How it is made: map_compile.c. */
#include "geo/map.h"

#include "map_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void geo_map_free(struct geo_map *m)
{
    if (!m)
        return;
    if (m->table)
        prefixes_free(m->table);
    if (m->where)
        prefixes_free(m->where);
    free(m->lists);
    free(m->combos);
    arena_fini(&m->arena);
    free(m);
}

const struct geo_list *geo_map_find(const struct geo_map *m, const struct addr *a, unsigned *depth)
{
    unsigned shift, bits;
    struct addr known = prefixes_canonical(a, &shift);
    uint32_t list = prefixes_find(m->table, &known, &bits);
    if (shift && !bits) /* one list for all of IPv4: maybe for what lies around the carriers too */
        prefixes_find(m->table, a, &bits);
    else
        bits += shift;
    if (depth)
        *depth = bits;
    return &m->lists[list < m->list_count ? list : 0];
}

const struct geo_list *geo_map_find_net(const struct geo_map *m, const struct prefix *net,
                                        unsigned *depth)
{
    struct addr base = {.family = net->family};
    memcpy(base.ip, net->ip, sizeof base.ip);
    return geo_map_find(m, &base, depth);
}

static const struct map_combo *combo_of(const struct geo_map *m, const struct addr *known)
{
    static const struct map_combo nothing = {.rule = -1};
    uint32_t value = prefixes_find(m->where, known, NULL);
    return value != PREFIXES_NONE && value <= m->combo_count ? &m->combos[value - 1] : &nothing;
}

const struct geo_place *geo_map_place(const struct geo_map *m, const struct addr *a)
{
    unsigned shift;
    struct addr known = prefixes_canonical(a, &shift);
    return combo_of(m, &known)->place;
}

const char *geo_map_network(const struct geo_map *m, const struct addr *a)
{
    unsigned shift;
    struct addr known = prefixes_canonical(a, &shift);
    uint32_t net = combo_of(m, &known)->net;
    return net ? m->networks[net - 1] : NULL;
}

int geo_map_rule(const struct geo_map *m, const struct addr *a)
{
    unsigned shift;
    struct addr known = prefixes_canonical(a, &shift);
    map_base(&known, m->narrowest4, m->narrowest6);
    return combo_of(m, &known)->rule;
}

const char *geo_map_rule_text(const struct geo_map *m, int rule)
{
    return rule >= 0 && (uint32_t)rule < m->rule_count ? m->rules[rule] : "";
}

const struct geo_db *geo_map_db(const struct geo_map *m)
{
    return m->db;
}

struct geo_map_info geo_map_info(const struct geo_map *m)
{
    struct prefixes_usage table = prefixes_usage(m->table), where = prefixes_usage(m->where);
    unsigned fences = 0;
    for (uint32_t i = 0; i < m->list_count; i++)
        fences += m->lists[i].fence;
    return (struct geo_map_info){.lists = m->list_count - 1,
                                 .leaves4 = (unsigned)table.networks4,
                                 .leaves6 = (unsigned)table.networks6,
                                 .merged = m->merged,
                                 .fences = fences,
                                 .bytes = sizeof *m + table.bytes + where.bytes + m->arena.used +
                                          m->list_count * sizeof *m->lists +
                                          m->combo_count * sizeof *m->combos};
}

/* ---- proof ---- */

struct proof {
    const struct geo_map *m;
    const struct geo_map_config *c;
    struct addr *wrong;
    bool found;
};

static void fail(struct proof *p, const struct addr *a)
{
    if (!p->found)
        *p->wrong = *a;
    p->found = true;
}

/* Returns the depth of the table. */
static unsigned prove_address(struct proof *p, const struct addr *a)
{
    uint16_t sites[GEO_SITES_MAX];
    struct geo_list want;
    unsigned depth;
    const struct geo_list *got = geo_map_find(p->m, a, &depth);
    geo_map_evaluate(p->c, a, &want, sites);
    if (!map_list_equal(got, &want))
        fail(p, a);
    return depth;
}

static void ends_of(const struct prefix *net, struct addr *first, struct addr *last)
{
    *first = (struct addr){.family = net->family};
    memcpy(first->ip, net->ip, sizeof first->ip);
    *last = *first;
    for (unsigned bit = net->bits; bit < 128; bit++)
        last->ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static void prove_leaf(void *arg, const struct prefix *net, uint32_t value)
{
    struct proof *p = arg;
    struct addr first, last;
    if (p->found || value == MAP_FORM) /* their IPv4 addresses are leaves of their own */
        return;
    ends_of(net, &first, &last);
    unsigned bits = net->family == 4 ? net->bits - 96u : net->bits;
    if (prove_address(p, &first) != bits)
        fail(p, &first);
    if (prove_address(p, &last) != bits)
        fail(p, &last);
    if (!bits)
        return;
    unsigned beside_bits, at = net->bits - 1u;
    struct addr beside = first;
    beside.ip[at / 8] ^= (uint8_t)(0x80 >> at % 8);
    uint32_t other = prefixes_find(p->m->table, &beside, &beside_bits);
    if (other < p->m->list_count && value < p->m->list_count && beside_bits <= bits &&
        map_list_equal(&p->m->lists[other], &p->m->lists[value]))
        fail(p, &first);
}

/* To the first address behind the network that a's first `bits` bits are; false: there is none. */
static bool step(struct addr *a, unsigned bits)
{
    unsigned least = a->family == 4 ? 96 : 0;
    while (bits > least) {
        uint8_t bit = (uint8_t)(0x80 >> (bits - 1) % 8);
        a->ip[(bits - 1) / 8] ^= bit;
        if (a->ip[(bits - 1) / 8] & bit)
            return true;
        bits--;
    }
    return false;
}

/* Where what the inputs say may change: there, and where the next narrowest network begins. */
static void prove_change(struct proof *p, const struct addr *a)
{
    struct addr next = *a;
    prove_address(p, a);
    map_base(&next, p->c->narrowest4, p->c->narrowest6);
    unsigned bits = a->family == 4 ? 96u + p->c->narrowest4 : p->c->narrowest6;
    if (memcmp(next.ip, a->ip, sizeof next.ip) != 0 && step(&next, bits))
        prove_address(p, &next);
}

static void prove_input(void *arg, const struct prefix *net, uint32_t value)
{
    struct proof *p = arg;
    struct addr first, last;
    (void)value;
    if (p->found)
        return;
    ends_of(net, &first, &last);
    prove_change(p, &first);
    if (step(&first, net->bits))
        prove_change(p, &first);
}

int geo_map_prove(const struct geo_map *m, const struct geo_map_config *c, struct addr *wrong)
{
    struct proof p = {.m = m, .c = c, .wrong = wrong};
    prefixes_each(m->table, prove_leaf, &p);
    for (unsigned i = 0; i < c->network_count; i++)
        for (unsigned k = 0; k < c->networks[i].prefix_count; k++)
            prove_input(&p, &c->networks[i].prefixes[k], 0);
    if (c->db)
        prefixes_each(geo_db_prefixes(c->db), prove_input, &p);
    if (c->asn_db)
        prefixes_each(geo_db_prefixes(c->asn_db), prove_input, &p);
    return p.found ? ERR_MISMATCH : 0;
}
