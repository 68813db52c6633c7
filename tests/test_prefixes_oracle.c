/* folders: geo base */
/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* Prefix tables against a linear scan of the networks they were made of; large ones; what happens
 * when memory is short. */
#include "geo/prefixes.h"

#include "base/err.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The allocators of the library: the n-th call fails. */
static struct {
    unsigned calls, fail_at; /* 0: never */
} heap;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_realloc(p, n);
}

__extension__ typedef unsigned __int128 key; /* IPv4 at the top */

enum { RANDOM_NETS = 300, RANDOM_TABLES = 240, POINTS = 2 + 4 * RANDOM_NETS };

struct oracle {
    bool v4;
    unsigned bits; /* of the family */
    size_t n;
    struct {
        key start;
        unsigned bits;
        uint32_t value;
    } nets[RANDOM_NETS];
};

/* All points at which the value can change, in order, and the value from there on. */
struct points {
    size_t n;
    struct point {
        key at;
        uint32_t value;
    } p[POINTS];
};

static key last_of(key start, unsigned bits)
{
    return bits < 128 ? start | ~(key)0 >> bits : start;
}

static key start_of(key any, unsigned bits)
{
    return bits ? any & ~(key)0 << (128 - bits) : 0;
}

static struct addr addr_of_key(bool v4, key k)
{
    uint8_t ip[16];
    for (unsigned i = 0; i < 16; i++)
        ip[i] = (uint8_t)(k >> (120 - 8 * i));
    struct addr a = addr_of_bytes(ip, v4 ? 4 : 16, 0);
    if (!v4)
        a.family = 6;
    return a;
}

static struct prefix prefix_of_net(bool v4, key start, unsigned bits)
{
    struct addr a = addr_of_key(v4, start);
    struct prefix p = {.bits = (uint8_t)(bits + (v4 ? 96 : 0)), .family = v4 ? 4 : 6};
    memcpy(p.ip, a.ip, 16);
    return p;
}

static key key_of_prefix(const struct prefix *p)
{
    key k = 0;
    for (unsigned i = p->family == 4 ? 12 : 0; i < 16; i++)
        k = k << 8 | p->ip[i];
    return p->family == 4 ? k << 96 : k;
}

static bool oracle_find(const struct oracle *o, key at, uint32_t *value)
{
    int best = -1;
    for (size_t i = 0; i < o->n; i++)
        if (start_of(at, o->nets[i].bits) == o->nets[i].start && (int)o->nets[i].bits > best) {
            best = (int)o->nets[i].bits;
            *value = o->nets[i].value;
        }
    return best >= 0;
}

static bool oracle_has(const struct oracle *o, key start, unsigned bits)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->nets[i].start == start && o->nets[i].bits == bits)
            return true;
    return false;
}

/* Up to max networks that nest and touch: each grows out of one before it. */
static void oracle_random(struct oracle *o, struct rng *r, bool v4, size_t max)
{
    o->v4 = v4;
    o->bits = v4 ? 32 : 128;
    for (size_t tries = 0; o->n < max && tries < 4 * max; tries++) {
        key start = (key)rng_u64(r) << 64 | rng_u64(r);
        unsigned bits = rng_below(r, o->bits + 1), how = rng_below(r, 10);
        if (o->n && how) {
            size_t i = rng_below(r, (uint32_t)o->n);
            unsigned other = o->nets[i].bits;
            if (how < 3 && other) { /* its sibling */
                bits = other;
                start = o->nets[i].start ^ (key)1 << (128 - bits);
            } else if (how < 5) { /* around it */
                bits = other - rng_below(r, (other < 9 ? other : 9) + 1);
                start = o->nets[i].start;
            } else if (how < 9) { /* inside it */
                bits = other + rng_below(r, 10);
                start = o->nets[i].start | (other < 128 ? start >> other : 0);
            } else { /* right behind it */
                bits = other;
                start = last_of(o->nets[i].start, bits) + 1;
            }
        }
        bits = bits > o->bits ? o->bits : bits;
        start = start_of(start, bits);
        if (oracle_has(o, start, bits))
            continue;
        o->nets[o->n].start = start;
        o->nets[o->n].bits = bits;
        o->nets[o->n++].value = rng_below(r, 4);
    }
}

static int net_compare(const void *a, const void *b, void *arg)
{
    const struct oracle *o = arg;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    if (o->nets[i].start != o->nets[k].start)
        return o->nets[i].start < o->nets[k].start ? -1 : 1;
    return (int)o->nets[i].bits - (int)o->nets[k].bits;
}

static struct prefixes *oracle_table(const struct oracle *o, bool sorted,
                                     const struct prefixes *below)
{
    size_t order[RANDOM_NETS];
    struct prefixes_build *b;
    struct prefixes *t;
    for (size_t i = 0; i < o->n; i++)
        order[i] = i;
    if (sorted)
        qsort_r(order, o->n, sizeof *order, net_compare, (void *)(uintptr_t)o);
    assert_int_equal(prefixes_begin(&b), 0);
    for (size_t i = 0; i < o->n; i++) {
        size_t k = order[i];
        struct prefix p = prefix_of_net(o->v4, o->nets[k].start, o->nets[k].bits);
        assert_int_equal(prefixes_put(b, &p, o->nets[k].value), 0);
    }
    for (size_t i = 0; i < o->n; i++) { /* every one is known */
        struct prefix p = prefix_of_net(o->v4, o->nets[i].start, o->nets[i].bits);
        assert_int_equal(prefixes_put(b, &p, o->nets[i].value ^ 1), ERR_EXISTS);
    }
    assert_int_equal(prefixes_finish(b, below, 0, &t), 0);
    return t;
}

static int point_compare(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    return p->at < q->at ? -1 : p->at > q->at;
}

static void points_add(struct points *p, const struct oracle *o)
{
    for (size_t i = 0; i < o->n; i++) {
        p->p[p->n++].at = o->nets[i].start;
        p->p[p->n++].at = last_of(o->nets[i].start, o->nets[i].bits) + 1; /* 0 at the very end */
    }
}

enum laid { ALONE, OVERLAID, JOINED, MAPPED, LAID };

static const uint32_t mapped_to[4] = {1, 2, 1, 0};

/* What the table should say, by definition. */
static uint32_t truth(const struct oracle *o, const struct oracle *below, enum laid laid, key at)
{
    uint32_t value = PREFIXES_NONE, other = PREFIXES_NONE;
    bool known = oracle_find(o, at, &value);
    if (laid == OVERLAID && !known)
        oracle_find(below, at, &value);
    if (laid == JOINED) {
        oracle_find(below, at, &other);
        value = (value + 3 * other) % 5;
    }
    return laid == MAPPED ? mapped_to[value] : value;
}

static uint32_t map_values(void *arg, uint32_t value)
{
    ++*(unsigned *)arg;
    return mapped_to[value];
}

static uint32_t join_values(void *arg, uint32_t a, uint32_t b)
{
    ++*(unsigned *)arg;
    return (a + 3 * b) % 5;
}

/* Whether all addresses of a network have this value: its first, and all where it may change. */
static bool network_is(const struct points *p, key start, unsigned bits, uint32_t value)
{
    key last = last_of(start, bits);
    for (size_t i = 0; i < p->n; i++) {
        bool begins_in = p->p[i].at >= start && p->p[i].at <= last;
        bool reaches_in = p->p[i].at < start && (i + 1 == p->n || p->p[i + 1].at > start);
        if ((begins_in || reaches_in) && p->p[i].value != value)
            return false;
    }
    return true;
}

static void check_at(unsigned seed, const struct oracle *o, const struct points *p,
                     const struct prefixes *t, key at, uint32_t want)
{
    struct addr a = addr_of_key(o->v4, at);
    unsigned depth;
    uint32_t value = prefixes_find(t, &a, &depth);
    char text[ADDR_TEXT_MAX];
    if (value != want)
        fail_msg("table %u: %s is %u, not %u", seed, addr_print(&a, text), value, want);
    if (depth > o->bits || !network_is(p, start_of(at, depth), depth, value))
        fail_msg("table %u: %s: /%u is too wide", seed, addr_print(&a, text), depth);
    if (depth && network_is(p, start_of(at, depth - 1), depth - 1, value))
        fail_msg("table %u: %s: /%u is too narrow", seed, addr_print(&a, text), depth);
}

static void check_table(unsigned seed, struct rng *r, const struct oracle *o,
                        const struct oracle *below, enum laid laid, const struct prefixes *t)
{
    static struct points p;
    key mask = start_of(~(key)0, o->bits), one = (key)1 << (128 - o->bits);
    p.n = 0;
    p.p[p.n++].at = 0;
    points_add(&p, o);
    if (laid == OVERLAID || laid == JOINED)
        points_add(&p, below);
    qsort(p.p, p.n, sizeof *p.p, point_compare);
    size_t n = 0;
    for (size_t i = 0; i < p.n; i++)
        if (!i || p.p[i].at != p.p[n - 1].at)
            p.p[n++].at = p.p[i].at;
    p.n = n;
    for (size_t i = 0; i < p.n; i++)
        p.p[i].value = truth(o, below, laid, p.p[i].at);
    for (size_t i = 0; i < p.n; i++) {
        check_at(seed, o, &p, t, p.p[i].at, p.p[i].value);
        /* The address before: what the run before it has. */
        size_t before = i ? i - 1 : p.n - 1;
        check_at(seed, o, &p, t, (p.p[i].at - one) & mask, p.p[before].value);
    }
    for (unsigned i = 0; i < 40; i++) {
        key at = ((key)rng_u64(r) << 64 | rng_u64(r)) & mask;
        if (i % 2) /* near a network: the same but for some low bits */
            at = (p.p[rng_below(r, (uint32_t)p.n)].at ^ at >> rng_below(r, o->bits)) & mask;
        check_at(seed, o, &p, t, at, truth(o, below, laid, at));
    }
}

struct cover {
    const struct prefixes *t;
    key next[2]; /* where the next network must begin; 0 again at the end of the space */
    size_t n[2];
    bool ended[2];
    uint8_t family;
};

static void cover_one(void *arg, const struct prefix *p, uint32_t value)
{
    struct cover *c = arg;
    bool v4 = p->family == 4;
    unsigned bits = p->bits - (v4 ? 96u : 0u), depth;
    key start = key_of_prefix(p), last = last_of(start, bits);
    if (p->family < c->family)
        c->family = p->family == 4 ? 99 : c->family; /* IPv4 comes first */
    else
        c->family = p->family;
    assert_int_equal(c->family, p->family);
    assert_true(start == c->next[v4] && !c->ended[v4]);
    for (unsigned i = 0; i < 2; i++) {
        struct addr a = addr_of_key(v4, i ? start_of(last, v4 ? 32 : 128) : start);
        assert_int_equal(prefixes_find(c->t, &a, &depth), value);
        assert_int_equal(depth, bits);
    }
    c->next[v4] = last + 1;
    c->ended[v4] = last + 1 == 0;
    c->n[v4]++;
}

static void check_cover(const struct prefixes *t)
{
    struct cover c = {.t = t, .family = 4};
    prefixes_each(t, cover_one, &c);
    assert_true(c.ended[0] && c.ended[1]);
    struct prefixes_usage u = prefixes_usage(t);
    assert_int_equal(u.networks4, c.n[1]);
    assert_int_equal(u.networks6, c.n[0]);
}

static void random_tables(void **state)
{
    (void)state;
    static struct oracle o, below;
    for (unsigned seed = 0; seed < RANDOM_TABLES; seed++) {
        struct rng r;
        rng_init_fixed(&r, seed);
        enum laid laid = (enum laid)(seed % LAID);
        bool v4 = seed / LAID % 2, sorted = seed / LAID / 2 % 2;
        size_t size = 1 + rng_below(&r, seed % 3 ? 60 : RANDOM_NETS);
        o.n = 0;
        oracle_random(&o, &r, v4, size);
        struct prefixes *t = NULL, *under = NULL, *made = NULL;
        unsigned calls = 0;
        if (laid == OVERLAID || laid == JOINED) {
            below.n = seed % 3 == 1 ? o.n / 3 : 0; /* some in common */
            memcpy(below.nets, o.nets, sizeof o.nets);
            oracle_random(&below, &r, v4, below.n + 1 + rng_below(&r, 100));
            under = oracle_table(&below, sorted, NULL);
        }
        t = oracle_table(&o, sorted, laid == OVERLAID ? under : NULL);
        if (laid == JOINED)
            assert_int_equal(prefixes_join(t, under, join_values, &calls, &made), 0);
        if (laid == MAPPED)
            assert_int_equal(prefixes_map(t, map_values, &calls, &made), 0);
        if (made) {
            assert_true(calls > 0);
            prefixes_free(t);
            t = made;
        }
        check_table(seed, &r, &o, &below, laid, t);
        check_cover(t);
        prefixes_free(under);
        prefixes_free(t);
    }
}

/* Trees large enough for their table of shortcuts: one network in each of 2^slots parts. */
static void large_trees(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        bool v4;
        unsigned slots, bits; /* parts; length of the network in each */
    } rows[] = {{"IPv4", true, 14, 22},
                {"IPv4, large", true, 18, 26},
                {"IPv6", false, 14, 48},
                {"IPv6, hosts", false, 12, 128},
                {"IPv6, across the halves", false, 13, 68}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct prefixes_build *b;
        struct prefixes *t;
        struct rng r;
        unsigned bits = rows[i].bits;
        assert_int_equal(prefixes_begin(&b), 0);
        rng_init_fixed(&r, i);
        for (unsigned n = 0; n < 1u << rows[i].slots; n++) {
            key start = (key)n << (128 - rows[i].slots) | (key)rng_below(&r, 256) << (128 - bits);
            struct prefix p = prefix_of_net(rows[i].v4, start, bits);
            assert_int_equal(prefixes_put(b, &p, 1 + rng_below(&r, 3)), 0);
        }
        assert_int_equal(prefixes_finish(b, NULL, 0, &t), 0);
        rng_init_fixed(&r, i);
        for (unsigned n = 0; n < 1u << rows[i].slots; n++) {
            unsigned inside = rng_below(&r, 256), value = 1 + rng_below(&r, 3), depth;
            key part = (key)n << (128 - rows[i].slots);
            unsigned other = n & 1 ? inside ^ 1u << n % 8 : inside;
            struct addr a = addr_of_key(rows[i].v4, part | (key)other << (128 - bits));
            unsigned want = inside == other ? bits : bits - n % 8;
            uint32_t v = prefixes_find(t, &a, &depth);
            if (v != (inside == other ? value : PREFIXES_NONE) || depth != want)
                fail_msg("%s: part %u is %u /%u", rows[i].label, n, v, depth);
        }
        check_cover(t);
        prefixes_free(t);
    }
}

/* A build of so many scattered networks, out of order. */
static int scattered(size_t n, size_t max_bytes, struct prefixes **t)
{
    struct prefixes_build *b;
    int err = prefixes_begin(&b);
    if (err)
        return err;
    struct rng r;
    rng_init_fixed(&r, 5);
    for (size_t i = 0; i < n; i++) {
        key at = (key)rng_u64(&r) << 64;
        struct prefix p4 = prefix_of_net(true, start_of(at, 24), 24);
        struct prefix p6 = prefix_of_net(false, start_of(at, 48), 48);
        if ((err = prefixes_put(b, &p4, 1)) || (err = prefixes_put(b, &p6, 2))) {
            prefixes_abandon(b);
            return err;
        }
    }
    return prefixes_finish(b, NULL, max_bytes, t);
}

static void limits(void **state)
{
    (void)state;
    struct prefixes *t = NULL;
    assert_int_equal(scattered(5000, 0, &t), 0);
    size_t full = prefixes_usage(t).bytes;
    prefixes_free(t);
    unsigned fits = 0, not = 0;
    for (size_t max = 1; max < 2 * full; max += full / 16) {
        t = NULL;
        int err = scattered(5000, max, &t);
        if (err) {
            assert_int_equal(err, ERR_LIMIT);
            assert_null(t);
            assert_true(max < full);
            not ++;
        } else {
            assert_true(prefixes_usage(t).bytes <= max);
            check_cover(t);
            prefixes_free(t);
            fits++;
        }
    }
    assert_true(fits > 0 && not > 0);
}

/* Each allocation fails once: an error and no leak, or (the shortcuts, a shrinking) no difference.
 */
static void out_of_memory(void **state)
{
    (void)state;
    struct prefixes *base = NULL;
    unsigned errors = 0, n = 0;
    assert_int_equal(scattered(3000, 0, &base), 0);
    for (bool failed = true; failed; n++) {
        struct prefixes *t = NULL, *m = NULL, *j = NULL;
        unsigned calls = 0;
        heap.calls = 0;
        heap.fail_at = n + 1;
        int err = scattered(3000, 0, &t);
        err = err ? err : prefixes_map(t, map_values, &calls, &m);
        err = err ? err : prefixes_join(t, base, join_values, &calls, &j);
        failed = heap.calls >= heap.fail_at;
        heap.fail_at = 0;
        if (err) {
            assert_int_equal(err, ERR_NOMEM);
            errors++;
        } else {
            assert_int_equal(prefixes_usage(t).networks4, prefixes_usage(base).networks4);
            check_cover(m);
            check_cover(j);
        }
        prefixes_free(t);
        prefixes_free(m);
        prefixes_free(j);
    }
    assert_true(errors > 20);
    prefixes_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables),
        cmocka_unit_test(large_trees),
        cmocka_unit_test(limits),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
