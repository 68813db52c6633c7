/* A proof that is cheap enough for every map that will serve. Between two addresses at which a leaf
 * of the table or a network of an input begins nothing changes, so all of those are looked at, and
 * no others; the rules are asked once for each combination of what the inputs say. It shares with
 * the compiler the rules and how tables are looked up, not how they are laid over one another. */
#include "map_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define MEMO_MIN 1024

/* What the table said where this was met first, which was right; lists are unique. */
struct memo_slot {
    uint32_t net, first, second, list; /* list: 1 + its index; 0: free */
};

struct verify {
    const struct geo_map *m;
    const struct geo_map_config *c;
    struct prefixes *nets;
    struct memo_slot *slots;
    size_t cap, used; /* cap: a power of two */
    uint64_t seed;
    size_t budget;
    struct geo_map_proof *proof;
    struct addr *wrong;
    int err; /* the first one: nothing more is looked at */
};

static void fail(struct verify *v, const struct addr *a)
{
    *v->wrong = *a;
    v->err = ERR_MISMATCH;
}

/* ---- what was evaluated before ---- */

static struct memo_slot *memo_slot(const struct verify *v, const struct memo_slot *key)
{
    uint64_t h =
        hash_mix(((uint64_t)key->first << 32 | key->second) ^ v->seed) ^ hash_mix(key->net);
    for (size_t i = (size_t)(h * 0x9e3779b97f4a7c15ULL >> 20);; i++) {
        struct memo_slot *s = &v->slots[i & (v->cap - 1)];
        if (!s->list || (s->net == key->net && s->first == key->first && s->second == key->second))
            return s;
    }
}

static bool memo_grow(struct verify *v)
{
    struct memo_slot *old = v->slots;
    size_t old_cap = v->cap, cap = old_cap ? 2 * old_cap : MEMO_MIN;
    struct memo_slot *slots = calloc(cap, sizeof *slots);
    if (!slots) {
        v->err = ERR_NOMEM;
        return false;
    }
    v->slots = slots;
    v->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].list)
            *memo_slot(v, &old[i]) = old[i];
    free(old);
    return true;
}

/* ---- one address ---- */

static uint32_t value_in(const struct geo_db *db, const struct addr *a)
{
    return db ? prefixes_find(geo_db_prefixes(db), a, NULL) : PREFIXES_NONE;
}

static const struct geo_place *place_of(const struct geo_db *db, uint32_t value)
{
    return value == PREFIXES_NONE ? NULL : geo_db_place(db, value - 1);
}

/* Values that have no say are left out, so that what is alike is met again. */
static struct memo_slot inputs_at(const struct verify *v, const struct addr *known)
{
    const struct geo_map_config *c = v->c;
    struct memo_slot key = {.net = prefixes_find(v->nets, known, NULL)};
    bool own = !map_place_needs_first(c, key.net);
    key.first = own ? PREFIXES_NONE : value_in(c->db, known);
    const struct geo_place *first =
        own ? c->networks[key.net - 1].place : place_of(c->db, key.first);
    if (c->asn_db && map_place_needs_second(first))
        key.second = value_in(c->asn_db, known);
    return key;
}

static bool is_right(struct verify *v, const struct memo_slot *key, const struct geo_list *got)
{
    uint16_t sites[GEO_SITES_MAX];
    struct geo_place mixed;
    struct geo_list want;
    map_rules_apply(v->c, key->net,
                    map_place(v->c, key->net, place_of(v->c->db, key->first),
                              place_of(v->c->asn_db, key->second), &mixed),
                    &want, sites);
    v->proof->evaluated++;
    return map_list_equal(got, &want);
}

/* Returns the depth of the table. */
static unsigned verify_address(struct verify *v, const struct addr *a)
{
    unsigned shift, depth;
    const struct geo_list *got = geo_map_find(v->m, a, &depth);
    struct addr known = prefixes_canonical(a, &shift);
    uint32_t list = 1 + (uint32_t)(got - v->m->lists);
    map_base(&known, v->c->narrowest4, v->c->narrowest6);
    struct memo_slot key = inputs_at(v, &known), *slot;
    v->proof->addresses++;
    if (v->used >= v->cap / 2 && !memo_grow(v))
        return depth;
    slot = memo_slot(v, &key);
    if (slot->list) {
        if (slot->list != list)
            fail(v, a);
        return depth;
    }
    if (v->used >= v->budget) {
        v->proof->left_out++;
        return depth;
    }
    if (!is_right(v, &key, got))
        fail(v, a);
    key.list = list;
    *slot = key;
    v->used++;
    return depth;
}

/* ---- all that matter ---- */

static void verify_leaf(void *arg, const struct prefix *net, uint32_t value)
{
    struct verify *v = arg;
    if (v->err || value == MAP_FORM) /* their IPv4 addresses are leaves of their own */
        return;
    struct addr first = {.family = net->family};
    memcpy(first.ip, net->ip, sizeof first.ip);
    unsigned bits = net->family == 4 ? net->bits - 96u : net->bits;
    if (verify_address(v, &first) != bits && !v->err)
        fail(v, &first);
    if (!bits || v->err)
        return;
    unsigned beside_bits, at = net->bits - 1u;
    struct addr beside = first;
    beside.ip[at / 8] ^= (uint8_t)(0x80 >> at % 8);
    uint32_t other = prefixes_find(v->m->table, &beside, &beside_bits);
    if (other < v->m->list_count && value < v->m->list_count && beside_bits <= bits &&
        map_list_equal(&v->m->lists[other], &v->m->lists[value]))
        fail(v, &first); /* a wider network would have done */
}

/* Then it was looked at already. */
static bool begins_leaf(const struct verify *v, const struct addr *a)
{
    unsigned depth, bits;
    if (prefixes_find(v->m->table, a, &depth) == MAP_FORM)
        return false;
    bits = a->family == 4 ? 96 + depth : depth;
    if (bits % 8 && a->ip[bits / 8] & 0xff >> bits % 8)
        return false;
    for (unsigned i = (bits + 7) / 8; i < sizeof a->ip; i++)
        if (a->ip[i])
            return false;
    return true;
}

static void verify_input(void *arg, const struct prefix *net, uint32_t value)
{
    struct verify *v = arg;
    (void)value;
    if (v->err)
        return;
    struct addr a = {.family = net->family};
    memcpy(a.ip, net->ip, sizeof a.ip);
    if (!begins_leaf(v, &a))
        verify_address(v, &a);
    struct addr next = a; /* and where the next narrowest network begins */
    map_base(&next, v->c->narrowest4, v->c->narrowest6);
    if (!v->err && memcmp(next.ip, a.ip, sizeof a.ip) != 0 &&
        map_step(&next, a.family == 4 ? 96u + v->c->narrowest4 : v->c->narrowest6))
        verify_address(v, &next);
}

static int take_networks(struct verify *v)
{
    struct prefixes_build *b;
    int err = prefixes_begin(&b);
    if (err)
        return err;
    for (unsigned i = 0; i < v->c->network_count && !err; i++)
        for (unsigned k = 0; k < v->c->networks[i].prefix_count && !err; k++)
            err = prefixes_put(b, &v->c->networks[i].prefixes[k], i + 1);
    if (err) {
        prefixes_abandon(b);
        return err;
    }
    return prefixes_finish(b, NULL, 0, &v->nets);
}

static void verify_all(struct verify *v)
{
    const struct geo_map_config *c = v->c;
    prefixes_each(v->m->table, verify_leaf, v);
    prefixes_each(v->nets, verify_input, v);
    if (c->db)
        prefixes_each(geo_db_prefixes(c->db), verify_input, v);
    if (c->asn_db)
        prefixes_each(geo_db_prefixes(c->asn_db), verify_input, v);
}

int geo_map_verify(const struct geo_map *m, const struct geo_map_config *c, size_t budget,
                   struct geo_map_proof *proof, struct addr *wrong)
{
    struct verify v = {.m = m, .c = c, .budget = budget, .proof = proof, .wrong = wrong};
    struct rng rng;
    *proof = (struct geo_map_proof){0};
    int err = rng_init(&rng);
    if (err)
        return err;
    v.seed = rng_u64(&rng);
    rng_fini(&rng);
    err = take_networks(&v);
    if (!err) {
        verify_all(&v);
        prefixes_free(v.nets);
    }
    free(v.slots);
    return err ? err : v.err;
}
