/* threads */
#include "resolver/cache.h"

#include "dns/name.h"
#include "dns/type.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20, NOW = 1000 };

static const uint8_t *wire_name(uint8_t out[DNS_NAME_MAX], const char *text)
{
    assert_true(dns_name_parse(out, text, strlen(text), NULL) > 0);
    return out;
}

struct box {
    uint8_t owner[DNS_NAME_MAX], rdata[32768];
    struct cache_entry e;
};

/* A set whose records are the texts, separated by spaces. */
static struct cache_entry *entry_of(struct box *b, const char *owner, uint16_t type,
                                    const char *records, uint32_t ttl, uint8_t rank)
{
    b->e = (struct cache_entry){.ttl_stored = ttl, .rank = rank, .ede = 0xffff};
    b->e.set = (struct dns_rrset){
        .owner = wire_name(b->owner, owner), .rdata = b->rdata, .ttl = ttl, .type = type, .cls = 1};
    struct wcur w = wcur_of(b->rdata, sizeof b->rdata);
    while (*records) {
        size_t n = strcspn(records, " ");
        wcur_u16(&w, (uint16_t)n);
        wcur_bytes(&w, records, n);
        records += n + (records[n] == ' ');
        b->e.set.count++;
    }
    b->e.set.size = (uint32_t)wcur_len(&w);
    return &b->e;
}

static struct cache *cache_of(uint64_t bytes, unsigned shards)
{
    struct cache *c;
    assert_int_equal(cache_new(&c, bytes, shards, 99), 0);
    return c;
}

static int put(struct cache *c, const char *name, uint16_t type, uint8_t kind, int64_t now_s,
               const char *records, uint32_t ttl, uint8_t rank)
{
    uint8_t wire[DNS_NAME_MAX];
    struct box b;
    struct cache_key k = {wire_name(wire, name), type, kind, 0, NULL};
    return cache_put(c, &k, now_s, entry_of(&b, name, type, records, ttl, rank));
}

/* Remaining TTL, -1 for a miss. */
static int64_t left(struct cache *c, const char *name, uint16_t type, uint8_t kind, uint8_t plane,
                    int64_t now_s)
{
    uint8_t wire[DNS_NAME_MAX];
    struct cache_key k = {wire_name(wire, name), type, kind, plane, NULL};
    struct cache_entry e;
    struct arena a;
    arena_init(&a, 0, 0);
    bool hit = cache_get(c, &k, now_s, &a, &e);
    arena_fini(&a);
    return hit ? (int64_t)e.ttl_left : -1;
}

static void test_content(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 4);
    static const struct {
        const char *label, *name, *owner, *sig_owner;
    } rows[] = {
        {"owner is the key", "www.Example.", "www.example.", "www.example."},
        {"owner above (SOA)", "no.such.example.", "example.", "example."},
        {"owner is the root", "nosuchtld.", ".", "."},
        {"owner elsewhere", "a.example.", "other.test.", "third.test."},
        {"no signatures", "b.example.", "b.example.", NULL},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        uint8_t name[DNS_NAME_MAX], owner[DNS_NAME_MAX];
        struct box b, sigs;
        struct cache_entry *e =
            entry_of(&b, rows[n].owner, 16, "one two three", 300, CACHE_RANK_AA);
        if (rows[n].sig_owner) {
            e->sigs = entry_of(&sigs, rows[n].sig_owner, 46, "signature", 200, 0)->set;
            e->sigs.covers = 16;
        }
        memset(e->origin.ip, 7, 16);
        e->origin.port = 53;
        e->rcode = 2;
        e->ede = 22;
        struct cache_key k = {wire_name(name, rows[n].name), 16, CACHE_DATA, 3, NULL};
        assert_int_equal(cache_put(c, &k, NOW, e), 0);
        struct arena a;
        arena_init(&a, 0, 0);
        struct cache_entry got;
        if (!cache_get(c, &k, NOW + 100, &a, &got))
            fail_msg("%s: miss", rows[n].label);
        if (!dns_name_equal(got.set.owner, wire_name(owner, rows[n].owner)))
            fail_msg("%s: owner", rows[n].label);
        if (rows[n].sig_owner &&
            !dns_name_equal(got.sigs.owner, wire_name(owner, rows[n].sig_owner)))
            fail_msg("%s: owner of the signatures", rows[n].label);
        assert_int_equal(got.set.size, e->set.size);
        assert_memory_equal(got.set.rdata, e->set.rdata, e->set.size);
        assert_int_equal(got.sigs.size, e->sigs.size);
        if (got.sigs.count)
            assert_memory_equal(got.sigs.rdata, e->sigs.rdata, e->sigs.size);
        assert_int_equal(got.set.count, 3);
        assert_int_equal(got.sigs.count, rows[n].sig_owner != NULL);
        assert_int_equal(got.sigs.covers, rows[n].sig_owner ? 16 : 0);
        assert_int_equal(got.set.ttl, 300);
        assert_int_equal(got.ttl_left, 200);
        assert_int_equal(got.ttl_stored, 300);
        assert_int_equal(got.rank, CACHE_RANK_AA);
        assert_int_equal(got.rcode, 2);
        assert_int_equal(got.ede, 22);
        assert_int_equal(got.origin.port, 53);
        assert_memory_equal(got.origin.ip, e->origin.ip, 16);
        arena_fini(&a);
    }
    cache_free(c);
}

/* What is as usual takes no room, and comes back as it was. */
static void test_origin(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint8_t ip[16];
        uint16_t port, ede;
        uint8_t rcode;
        unsigned octets; /* of the heap, at most */
    } rows[] = {
        {"unknown", {0}, 0, 0xffff, 0, 80},
        {"IPv4", {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, 53, 0xffff, 0, 80},
        {"IPv4, another port", {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, 5353, 0xffff, 0, 96},
        {"IPv6", {0x20, 1, 0xd, 0xb8, [15] = 1}, 53, 0xffff, 0, 96},
        {"a failure", {0}, 0, 22, 2, 80},
        {"extended error 0", {0}, 0, 0, 0, 80},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct cache *c = cache_of(MIB, 4);
        uint8_t name[DNS_NAME_MAX];
        struct box b;
        struct arena a;
        struct cache_entry *e = entry_of(&b, "a.example.", 1, "addr", 60, CACHE_RANK_AA), got;
        memcpy(e->origin.ip, rows[n].ip, 16);
        e->origin.port = rows[n].port;
        e->ede = rows[n].ede;
        e->rcode = rows[n].rcode;
        struct cache_key k = {wire_name(name, "a.example."), 1, CACHE_DATA, 0, NULL};
        uint64_t before = cache_usage(c).bytes;
        assert_int_equal(cache_put(c, &k, NOW, e), 0);
        uint64_t octets = cache_usage(c).bytes - before;
        arena_init(&a, 0, 0);
        assert_true(cache_get(c, &k, NOW, &a, &got));
        if (memcmp(got.origin.ip, rows[n].ip, 16) != 0 || got.origin.port != rows[n].port ||
            got.ede != rows[n].ede || got.rcode != rows[n].rcode || octets > rows[n].octets)
            fail_msg("%s: %llu octets", rows[n].label, (unsigned long long)octets);
        arena_fini(&a);
        cache_free(c);
    }
}

static bool same_set(const struct dns_rrset *a, const struct dns_rrset *b)
{
    return a->type == b->type && a->covers == b->covers && a->cls == b->cls && a->ttl == b->ttl &&
           a->count == b->count && a->size == b->size && !memcmp(a->rdata, b->rdata, a->size) &&
           dns_name_equal(a->owner, b->owner);
}

struct proof_walk {
    const struct dns_rrset *want;
    unsigned entries;
};

static void check_proof(void *arg, const struct cache_key *k, const struct cache_entry *e)
{
    struct proof_walk *w = arg;
    (void)k;
    for (unsigned i = 0; i < e->proof_count; i++)
        assert_true(same_set(&e->proof[i], &w->want[i]));
    w->entries++;
}

/* Room for so many sets of a proof. */
struct proof_box {
    struct box boxes[CACHE_PROOF_MAX + 1];
    struct dns_rrset sets[CACHE_PROOF_MAX + 1];
};

/* owners: separated by spaces. */
static unsigned proof_of(struct proof_box *p, const char *owners)
{
    unsigned n = 0;
    while (*owners && n <= CACHE_PROOF_MAX) {
        char owner[64], rdata[64];
        int len = (int)strcspn(owners, " ");
        snprintf(owner, sizeof owner, "%.*s", len, owners);
        snprintf(rdata, sizeof rdata, "set%u of%u %.*s", n, n, (int)(3 * n), "some more octets");
        uint16_t type = n & 1 ? DNS_TYPE_RRSIG : DNS_TYPE_NSEC;
        p->sets[n] = entry_of(&p->boxes[n], owner, type, rdata, 60 + n, 0)->set;
        p->sets[n].covers = n & 1 ? DNS_TYPE_NSEC : 0;
        n++;
        owners += len + (owners[len] == ' ');
    }
    return n;
}

static void test_proof(void **state)
{
    (void)state;
#define EIGHT "a. a. b. b. c. c. d. d. "
    static const struct {
        const char *label, *owners;
        unsigned count;
        int err;
    } rows[] = {
        {"none", "", 0, 0},
        {"the name itself", "no.such.example. no.such.example.", 2, 0},
        {"above it, and the root", "example. example. . .", 4, 0},
        {"beside it, one owner for two", "aa.example. aa.example. zz.example. zz.example.", 4, 0},
        {"an owner again, but not at once", "aa.example. zz.example. aa.example.", 3, 0},
        {"the most", EIGHT EIGHT, 16, 0},
        {"more than that", EIGHT EIGHT "e.", 17, ERR_LIMIT},
    };
    struct proof_box *p = calloc(1, sizeof *p);
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct cache *c = cache_of(MIB, 4);
        uint8_t name[DNS_NAME_MAX];
        struct box b, sigs;
        struct arena a;
        struct cache_entry *e = entry_of(&b, "example.", 6, "soa", 300, CACHE_RANK_AA), got;
        e->sigs = entry_of(&sigs, "example.", 46, "signature", 300, 0)->set;
        e->proof = p->sets;
        e->proof_count = proof_of(p, rows[n].owners);
        struct cache_key k = {wire_name(name, "no.such.example."), 0, CACHE_NXDOMAIN, 0, NULL};
        uint64_t before = cache_usage(c).bytes;
        int err = cache_put(c, &k, NOW, e);
        if (err != rows[n].err || e->proof_count != rows[n].count)
            fail_msg("%s: %s, %u sets", rows[n].label, err_name(err), e->proof_count);
        arena_init(&a, 0, 0);
        if (cache_get(c, &k, NOW, &a, &got) != !err)
            fail_msg("%s: found or not", rows[n].label);
        for (unsigned i = 0; !err && i < e->proof_count; i++)
            if (got.proof_count != e->proof_count || !same_set(&got.proof[i], &p->sets[i]))
                fail_msg("%s: set %u", rows[n].label, i);
        if (!err && (!same_set(&got.set, &e->set) || !same_set(&got.sigs, &e->sigs)))
            fail_msg("%s: the sets before it", rows[n].label);
        struct proof_walk w = {p->sets, 0};
        cache_walk(c, dns_name_root, NOW, check_proof, &w);
        assert_int_equal(w.entries, !err);
        arena_fini(&a);
        /* What is replaced is given back with all its octets. */
        e->proof_count = 0;
        assert_int_equal(cache_put(c, &k, NOW, e), 0);
        uint64_t bare = cache_usage(c).bytes - before;
        if (bare > 192)
            fail_msg("%s: %llu octets without a proof", rows[n].label, (unsigned long long)bare);
        assert_int_equal(cache_flush(c, name, 0, false), 1);
        assert_int_equal(cache_usage(c).bytes, before);
        cache_free(c);
    }
    free(p);
}

/* An arena with room for the octets and not for the sets: a miss. */
static void test_proof_no_room(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 4);
    struct proof_box *p = calloc(1, sizeof *p);
    struct box b;
    uint8_t name[DNS_NAME_MAX];
    struct cache_entry *e = entry_of(&b, "a.", 6, "soa", 300, CACHE_RANK_AA), got;
    struct cache_key k = {wire_name(name, "a."), 0, CACHE_NXDOMAIN, 0, NULL};
    e->proof = p->sets;
    e->proof_count = proof_of(p, "b. b. c. c.");
    assert_int_equal(cache_put(c, &k, NOW, e), 0);
    unsigned misses = 0;
    for (size_t room = 64; room <= 1024; room += 32) {
        struct arena a;
        arena_init(&a, room, room);
        if (cache_get(c, &k, NOW, &a, &got))
            assert_true(got.proof_count == 4 && same_set(&got.proof[3], &p->sets[3]));
        else
            misses++;
        arena_fini(&a);
    }
    assert_true(misses > 4);
    free(p);
    cache_free(c);
}

static void test_key_and_expiry(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 4);
    assert_int_equal(put(c, "a.example.", 1, CACHE_DATA, NOW, "x", 60, CACHE_RANK_AA), 0);
    assert_int_equal(put(c, "n.example.", 9, CACHE_NXDOMAIN, NOW, "x", 60, CACHE_RANK_AA), 0);
    static const struct {
        const char *label, *name;
        uint16_t type;
        uint8_t kind, plane;
        int64_t now_s, left;
    } rows[] = {
        {"stored", "a.example.", 1, CACHE_DATA, 0, NOW, 60},
        {"any case", "A.eXAMPLE.", 1, CACHE_DATA, 0, NOW + 1, 59},
        {"last second", "a.example.", 1, CACHE_DATA, 0, NOW + 59, 1},
        {"expired", "a.example.", 1, CACHE_DATA, 0, NOW + 60, -1},
        {"clock went back by no more than the TTL", "a.example.", 1, CACHE_DATA, 0, NOW - 60, 60},
        {"clock went back by more", "a.example.", 1, CACHE_DATA, 0, NOW - 61, -1},
        {"other plane", "a.example.", 1, CACHE_DATA, 1, NOW, -1},
        {"other kind", "a.example.", 1, CACHE_GLUE, 0, NOW, -1},
        {"other type", "a.example.", 2, CACHE_DATA, 0, NOW, -1},
        {"other name", "b.example.", 1, CACHE_DATA, 0, NOW, -1},
        {"NXDOMAIN has no type", "n.example.", 0, CACHE_NXDOMAIN, 0, NOW, 60},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        int64_t got =
            left(c, rows[n].name, rows[n].type, rows[n].kind, rows[n].plane, rows[n].now_s);
        if (got != rows[n].left)
            fail_msg("%s: %d", rows[n].label, (int)got);
    }
    cache_free(c);
}

static void test_rank(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint8_t first, second;
        int64_t later_s;
        int err;
        int64_t left;
    } rows[] = {
        {"higher replaces", CACHE_RANK_ADDITIONAL, CACHE_RANK_AA, 10, 0, 100},
        {"equal replaces", CACHE_RANK_ANSWER, CACHE_RANK_ANSWER, 10, 0, 100},
        {"lower does not", CACHE_RANK_AA, CACHE_RANK_ADDITIONAL, 10, ERR_EXISTS, 90},
        {"lower does, when the first expired", CACHE_RANK_AA, CACHE_RANK_GLUE, 100, 0, 100},
        {"lower does not, a little earlier", CACHE_RANK_AA, CACHE_RANK_GLUE, -10, ERR_EXISTS, 100},
        {"lower does, when the clock went far back", CACHE_RANK_AA, CACHE_RANK_GLUE, -200, 0, 100},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct cache *c = cache_of(MIB, 1);
        int64_t later = NOW + rows[n].later_s;
        assert_int_equal(put(c, "a.", 1, CACHE_DATA, NOW, "x", 100, rows[n].first), 0);
        int err = put(c, "a.", 1, CACHE_DATA, later, "y", 100, rows[n].second);
        int64_t got = left(c, "a.", 1, CACHE_DATA, 0, later);
        if (err != rows[n].err || got != rows[n].left)
            fail_msg("%s: %s, %d left", rows[n].label, err_name(err), (int)got);
        assert_int_equal(cache_usage(c).entries, 1);
        cache_free(c);
    }
}

static void test_ghost_domain(void **state)
{
    (void)state;
    static const struct {
        const char *label, *again;
        uint8_t kind;
        int64_t later_s;
        uint32_t ttl;
        int64_t left;
    } rows[] = {
        {"same set keeps its expiry", "ns1 ns2", CACHE_DELEGATION, 90, 100, 10},
        {"in another order and case", "NS2 ns1", CACHE_DELEGATION, 90, 100, 10},
        {"a longer TTL does not help", "ns1 ns2", CACHE_DELEGATION, 90, 9999, 10},
        {"a shorter TTL is taken", "ns1 ns2", CACHE_DELEGATION, 90, 5, 5},
        {"another set replaces", "ns1 ns3", CACHE_DELEGATION, 90, 100, 100},
        {"the expired one is replaced", "ns1 ns2", CACHE_DELEGATION, 100, 100, 100},
        {"data is renewed", "ns1 ns2", CACHE_DATA, 90, 100, 100},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct cache *c = cache_of(MIB, 1);
        int64_t later = NOW + rows[n].later_s;
        uint8_t rank = CACHE_RANK_REFERRAL;
        assert_int_equal(put(c, "a.", 2, rows[n].kind, NOW, "ns1 ns2", 100, rank), 0);
        assert_int_equal(put(c, "a.", 2, rows[n].kind, later, rows[n].again, rows[n].ttl, rank), 0);
        int64_t got = left(c, "a.", 2, rows[n].kind, 0, later);
        if (got != rows[n].left)
            fail_msg("%s: %d left", rows[n].label, (int)got);
        cache_free(c);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 4);
    static const struct {
        const char *label;
        unsigned count, size;
        bool proof; /* the half of it, and all the rest in the set */
        int err;
    } rows[] = {
        {"256 records", 256, 10, false, 0},
        {"257 records", 257, 10, false, ERR_LIMIT},
        {"16 KiB", 2, 8190, false, 0},
        {"more than 16 KiB", 2, 8191, false, ERR_LIMIT},
        {"256 records to prove it", 256, 10, true, 0},
        {"257 records to prove it", 257, 10, true, ERR_LIMIT},
        {"16 KiB with the proof", 1, 8190, true, 0},
        {"more than 16 KiB with the proof", 1, 8191, true, ERR_LIMIT},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        uint8_t name[DNS_NAME_MAX];
        struct box b;
        struct cache_entry *e = entry_of(&b, "a.", 16, "", 60, CACHE_RANK_AA);
        struct wcur w = wcur_of(b.rdata, sizeof b.rdata);
        for (unsigned i = 0; i < rows[n].count; i++) {
            wcur_u16(&w, (uint16_t)rows[n].size);
            memset(wcur_room(&w, rows[n].size), (int)i, rows[n].size);
        }
        e->set.size = (uint32_t)wcur_len(&w);
        e->set.count = (uint16_t)rows[n].count;
        struct dns_rrset proof = e->set;
        if (rows[n].proof) {
            e->proof = &proof;
            e->proof_count = 1;
            if (rows[n].count > 1)
                e->set.count = 0;
        }
        struct cache_key k = {wire_name(name, "a."), 16, CACHE_DATA, 0, NULL};
        int err = cache_put(c, &k, NOW, e);
        if (err != rows[n].err)
            fail_msg("%s: %s", rows[n].label, err_name(err));
    }
    struct cache *none;
    assert_int_equal(cache_new(&none, 1000, 4, 1), ERR_RANGE);
    /* A caller's arena that is full is a miss, not a half-filled entry. */
    struct arena a;
    arena_init(&a, 64, 64);
    uint8_t name[DNS_NAME_MAX];
    struct cache_key k = {wire_name(name, "a."), 16, CACHE_DATA, 0, NULL};
    struct cache_entry e;
    assert_false(cache_get(c, &k, NOW, &a, &e));
    arena_fini(&a);
    cache_free(c);
}

static void test_cut(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 4);
    uint8_t rank = CACHE_RANK_REFERRAL;
    put(c, "example.", 2, CACHE_DELEGATION, NOW, "ns", 100, rank);
    put(c, "sub.example.", 2, CACHE_DELEGATION, NOW, "ns", 50, rank);
    put(c, "x.sub.example.", 2, CACHE_DATA, NOW, "ns", 100, rank);
    static const struct {
        const char *label, *name, *cut;
        uint8_t plane;
        int64_t now_s;
    } rows[] = {
        {"deepest", "a.b.sub.example.", "sub.example.", 0, NOW},
        {"at the cut", "SUB.example.", "sub.example.", 0, NOW},
        {"beside it", "a.example.", "example.", 0, NOW},
        {"the child's own NS is no cut", "x.sub.example.", "sub.example.", 0, NOW},
        {"expired: the one above", "a.b.sub.example.", "example.", 0, NOW + 50},
        {"none", "a.test.", NULL, 0, NOW},
        {"other plane", "a.example.", NULL, 1, NOW},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        uint8_t name[DNS_NAME_MAX];
        struct arena a;
        arena_init(&a, 0, 0);
        struct cache_entry e;
        bool found =
            cache_cut(c, wire_name(name, rows[n].name), rows[n].plane, rows[n].now_s, &a, &e);
        if (found != (rows[n].cut != NULL) ||
            (found && !dns_name_equal(e.set.owner, wire_name(name, rows[n].cut))))
            fail_msg("%s", rows[n].label);
        arena_fini(&a);
    }
    cache_free(c);
}

static void count_entry(void *arg, const struct cache_key *k, const struct cache_entry *e)
{
    assert_true(dns_name_len(k->name) > 0 && e->ttl_left > 0);
    ++*(unsigned *)arg;
}

static void test_flush(void **state)
{
    (void)state;
    static const struct {
        const char *label, *name;
        uint16_t type;
        bool subtree;
        unsigned removed;
    } rows[] = {
        {"one type", "WWW.example.", 1, false, 1}, {"all types and kinds", "www.example.", 0, 0, 3},
        {"below", "example.", 0, true, 5},         {"type below", "example.", 28, true, 1},
        {"no such name", "nope.", 0, true, 0},     {"not on a label's edge", "ample.", 0, true, 0},
        {"everything", ".", 0, true, 6},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct cache *c = cache_of(MIB, 4);
        put(c, "www.example.", 1, CACHE_DATA, NOW, "x", 60, 0);
        put(c, "www.example.", 28, CACHE_NODATA, NOW, "x", 60, 0);
        put(c, "www.example.", 16, CACHE_FAILURE, NOW, "", 60, 0);
        put(c, "example.", 2, CACHE_DELEGATION, NOW, "x", 60, 0);
        put(c, "a.b.example.", 1, CACHE_GLUE, NOW, "x", 60, 0);
        put(c, "example.org.", 1, CACHE_DATA, NOW, "x", 60, 0);
        put(c, "old.example.org.", 1, CACHE_DATA, NOW - 100, "x", 60, 0);
        uint8_t name[DNS_NAME_MAX];
        unsigned walked = 0;
        cache_walk(c, dns_name_root, NOW, count_entry, &walked);
        assert_int_equal(walked, 6);
        if (!strcmp(rows[n].label, "everything"))
            assert_int_equal(cache_flush(c, wire_name(name, "old.example.org."), 0, false), 1);
        unsigned removed =
            cache_flush(c, wire_name(name, rows[n].name), rows[n].type, rows[n].subtree);
        if (removed != rows[n].removed)
            fail_msg("%s: %u", rows[n].label, removed);
        walked = 0;
        cache_walk(c, dns_name_root, NOW, count_entry, &walked);
        assert_int_equal(walked, 6 - removed);
        cache_free(c);
    }
}

/* One-time names pass through while a steady set stays; TTLs of the steady set run out now and
 * then; the bytes never pass the limit. */
static void test_flood(void **state)
{
    (void)state;
    struct cache *c = cache_of(2 * MIB, 4);
    unsigned hits = 0, asked = 0, flood = 0;
    char name[64];
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned n = 0; n < 1000; n++) {
            snprintf(name, sizeof name, "steady%u.example.", n);
            bool hit = left(c, name, 1, CACHE_DATA, 0, NOW + round) >= 0;
            if (round >= 3) {
                asked++;
                hits += hit;
            }
            if (!hit)
                assert_int_equal(put(c, name, 1, CACHE_DATA, NOW + round, "addr", 3600, 0), 0);
            for (unsigned f = 0; f < 8; f++) {
                snprintf(name, sizeof name, "flood%u.example.", flood++);
                assert_int_equal(put(c, name, 1, CACHE_DATA, NOW + round, "addr", 3600, 0), 0);
            }
        }
        struct cache_usage u = cache_usage(c);
        assert_true(u.bytes <= u.limit);
    }
    struct cache_usage u = cache_usage(c);
    assert_true(u.evictions > 100000);
    if (hits * 100ull < asked * 95ull)
        fail_msg("%u of %u", hits, asked);
    assert_true(cache_flush(c, dns_name_root, 0, true) > 0);
    u = cache_usage(c);
    assert_int_equal(u.entries, 0);
    assert_true(u.bytes < u.limit / 5); /* what is left is tables */
    cache_free(c);
}

/* What was asked again during probation is in the main queue; what was not is gone. */
static void test_probation(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB, 1);
    char name[64];
    put(c, "asked.", 1, CACHE_DATA, NOW, "addr", 3600, 0);
    put(c, "once.", 1, CACHE_DATA, NOW, "addr", 3600, 0);
    assert_int_equal(left(c, "asked.", 1, CACHE_DATA, 0, NOW), 3600);
    for (unsigned n = 0; n < 50000; n++) {
        snprintf(name, sizeof name, "flood%u.example.", n);
        put(c, name, 1, CACHE_DATA, NOW, "addr", 3600, 0);
    }
    assert_int_equal(left(c, "asked.", 1, CACHE_DATA, 0, NOW), 3600);
    assert_int_equal(left(c, "once.", 1, CACHE_DATA, 0, NOW), -1);
    cache_free(c);
}

struct race {
    struct cache *c;
    unsigned seed;
    unsigned torn, hits;
};

/* Every record of a name's set repeats one octet; the count and the length follow from it. */
static void *race_run(void *arg)
{
    struct race *r = arg;
    struct arena a;
    arena_init(&a, 0, 0);
    unsigned x = r->seed;
    for (unsigned step = 0; step < 30000; step++) {
        x = x * 1664525 + 1013904223;
        uint8_t name[DNS_NAME_MAX] = {6, 'n', 0, 0, 0, 0, 0, 0};
        for (unsigned i = 0, n = (x >> 8) % 3000; i < 5; i++, n /= 10)
            name[2 + i] = (uint8_t)('0' + n % 10);
        struct cache_key k = {name, 16, CACHE_DATA, 0, NULL};
        struct cache_entry e;
        if (cache_get(r->c, &k, NOW, &a, &e)) {
            r->hits++;
            uint8_t mark = e.set.rdata[2];
            bool good = e.set.count == 1 && e.set.size == 3u + mark;
            for (unsigned i = 2; good && i < e.set.size; i++)
                good = e.set.rdata[i] == mark;
            for (unsigned i = 0; good && i < e.proof_count; i++)
                good = e.proof[i].size == e.set.size &&
                       !memcmp(e.proof[i].rdata, e.set.rdata, e.set.size);
            r->torn += !good || e.proof_count != mark % 4;
        }
        uint8_t mark = (uint8_t)(x >> 24), rdata[2 + 256];
        put_u16(rdata, (uint16_t)(mark + 1));
        memset(rdata + 2, mark, mark + 1u);
        e = (struct cache_entry){.ttl_stored = 60};
        e.set = (struct dns_rrset){.owner = name, .rdata = rdata, .size = 3u + mark, .count = 1};
        struct dns_rrset proof[4] = {e.set, e.set, e.set, e.set};
        e.proof = proof;
        e.proof_count = mark % 4;
        r->torn += cache_put(r->c, &k, NOW, &e) != 0;
        if (step % 4096 == 0)
            cache_flush(r->c, name, 0, true);
        arena_reset(&a);
    }
    arena_fini(&a);
    return NULL;
}

static void test_race(void **state)
{
    (void)state;
    struct race r[4];
    pthread_t th[4];
    struct cache *c = cache_of(MIB / 2, 4);
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct race){.c = c, .seed = i};
        assert_int_equal(pthread_create(&th[i], NULL, race_run, &r[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(th[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(r[i].torn, 0);
        assert_true(r[i].hits > 1000);
    }
    struct cache_usage u = cache_usage(c);
    assert_true(u.bytes <= u.limit);
    cache_free(c);
}

/* ---- entries of a network ---- */

static struct edns_subnet net_of(const char *text, uint8_t scope)
{
    struct prefix p;
    assert_int_equal(prefix_parse(&p, text), 0);
    bool v4 = p.family == 4;
    struct edns_subnet s = {
        .family = v4 ? 1 : 2, .source = (uint8_t)(p.bits - (v4 ? 96 : 0)), .scope = scope};
    memcpy(s.ip, p.ip + (v4 ? 12 : 0), v4 ? 4 : 16);
    return s;
}

static void put_net(struct cache *c, const char *name, const char *net, uint8_t scope,
                    const char *record, uint32_t ttl)
{
    uint8_t wire[DNS_NAME_MAX];
    struct box b, sigs;
    struct edns_subnet s = net_of(net, scope);
    struct cache_key k = {wire_name(wire, name), 1, CACHE_DATA, 0, &s};
    struct cache_entry *e = entry_of(&b, name, 1, record, ttl, CACHE_RANK_AA);
    e->sigs = entry_of(&sigs, "signer.test.", 46, "signature", ttl, 0)->set;
    e->told = true;
    assert_int_equal(cache_put(c, &k, NOW, e), 0);
}

/* "record scope", or "-". */
static const char *get_net(struct cache *c, const char *name, const char *net, int64_t now_s,
                           char out[64])
{
    uint8_t wire[DNS_NAME_MAX], other[DNS_NAME_MAX];
    struct edns_subnet s = {0};
    if (net)
        s = net_of(net, 0);
    struct cache_key k = {wire_name(wire, name), 1, CACHE_DATA, 0, net ? &s : NULL};
    struct cache_entry e;
    struct arena a;
    arena_init(&a, 0, 0);
    snprintf(out, 64, "-");
    if (cache_get(c, &k, now_s, &a, &e)) {
        struct dns_rd rd = dns_rd_next(&(const uint8_t *){e.set.rdata});
        snprintf(out, 64, "%.*s %u", (int)rd.len, (const char *)rd.at, e.scope);
        assert_true(dns_name_equal(e.set.owner, wire));
        assert_int_equal(e.told, net != NULL);
        if (net)
            assert_true(dns_name_equal(e.sigs.owner, wire_name(other, "signer.test.")));
    }
    arena_fini(&a);
    return out;
}

static void see_net(void *arg, const struct cache_key *k, const struct cache_entry *e)
{
    unsigned *seen = arg;
    struct edns_subnet longest = net_of("10.1.2.128/25", 25);
    seen[0]++;
    if (!k->subnet)
        return;
    seen[1]++;
    assert_int_equal(k->subnet->scope, e->scope);
    seen[2] += edns_subnet_equal(k->subnet, &longest);
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *label, *name, *net;
        int64_t after_s;
        const char *gives;
    } rows[] = {
        {"everybody", "www.test.", NULL, 0, "all 0"},
        {"the network", "www.test.", "10.1.0.0/16", 0, "sixteen 16"},
        {"inside it", "www.test.", "10.1.9.0/24", 0, "sixteen 16"},
        {"in any case", "WWW.tEST.", "10.1.9.0/24", 0, "sixteen 16"},
        {"the longest", "www.test.", "10.1.3.0/24", 0, "twentythree 23"},
        {"longer than what is told", "www.test.", "10.1.2.0/24", 0, "twentythree 23"},
        {"the odd bit", "www.test.", "10.1.2.128/25", 0, "twentyfive 25"},
        {"an address", "www.test.", "10.1.2.129", 0, "twentyfive 25"},
        {"beside the odd bit", "www.test.", "10.1.2.127", 0, "twentythree 23"},
        {"shorter than all", "www.test.", "10.0.0.0/8", 0, "-"},
        {"outside", "www.test.", "10.2.0.0/16", 0, "-"},
        {"the other family", "www.test.", "a01::/16", 0, "-"},
        {"of it", "www.test.", "2001:db8:1:200::/56", 0, "six 48"},
        {"all of an address", "www.test.", "2001:db8::1", 0, "host 128"},
        {"beside it", "www.test.", "2001:db8::2", 0, "-"},
        {"nothing but networks", "net.test.", NULL, 0, "-"},
        {"another name's", "net.test.", "10.1.0.0/16", 0, "-"},
        {"as long as another name's", "net.test.", "10.7.0.0/16", 0, "its-own 16"},
        {"its own", "net.test.", "128.0.0.0/1", 0, "one 1"},
        {"the longest has run out", "www.test.", "10.1.2.129", 70, "twentythree 23"},
        {"replaced", "www.test.", "10.7.0.0/16", 0, "new 16"},
    };
    struct cache *c = cache_of(MIB, 1);
    put(c, "www.test.", 1, CACHE_DATA, NOW, "all", 300, CACHE_RANK_AA);
    put_net(c, "www.test.", "10.1.0.0/16", 16, "sixteen", 300);
    put_net(c, "www.test.", "10.1.2.0/24", 23, "twentythree", 300);
    put_net(c, "www.test.", "10.1.2.128/25", 25, "twentyfive", 60);
    put_net(c, "www.test.", "2001:db8:1::/56", 48, "six", 300);
    put_net(c, "www.test.", "2001:db8::1", 128, "host", 300);
    put_net(c, "net.test.", "128.0.0.0/1", 1, "one", 300);
    put_net(c, "net.test.", "10.7.0.0/16", 16, "its-own", 300);
    put_net(c, "www.test.", "10.7.1.0/24", 16, "old", 300);
    put_net(c, "www.test.", "10.7.2.0/24", 16, "new", 300);
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        char got[64];
        get_net(c, rows[n].name, rows[n].net, NOW + rows[n].after_s, got);
        if (strcmp(got, rows[n].gives) != 0)
            fail_msg("%s: %s", rows[n].label, got);
    }
    unsigned seen[3] = {0};
    uint8_t name[DNS_NAME_MAX];
    char got[64];
    cache_walk(c, dns_name_root, NOW, see_net, seen);
    assert_int_equal(seen[0], 9);
    assert_int_equal(seen[1], 8);
    assert_int_equal(seen[2], 1);
    assert_int_equal(cache_flush(c, wire_name(name, "www.test."), 1, false), 7);
    assert_string_equal(get_net(c, "www.test.", "10.1.2.129", NOW, got), "-");
    assert_string_equal(get_net(c, "net.test.", "10.7.0.0/16", NOW, got), "its-own 16");
    assert_string_equal(get_net(c, "net.test.", "129.0.0.0/24", NOW, got), "one 1");
    cache_free(c);
}

/* As many networks as there are: they are bounded as all else, and what everybody gets stays. */
static void test_many_networks(void **state)
{
    (void)state;
    struct cache *c = cache_of(MIB / 4, 2);
    char got[64], net[32];
    put(c, "www.test.", 1, CACHE_DATA, NOW, "all", 300, CACHE_RANK_AA);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(net, sizeof net, "10.%u.%u.0/24", i >> 8, i & 255);
        put_net(c, "www.test.", net, 24, "x", 300);
        if (i % 100)
            continue;
        assert_string_equal(get_net(c, "www.test.", net, NOW, got), "x 24");
        assert_string_equal(get_net(c, "www.test.", NULL, NOW, got), "all 0");
    }
    struct cache_usage u = cache_usage(c);
    assert_true(u.bytes <= u.limit && u.evictions > 10000);
    uint8_t name[DNS_NAME_MAX];
    assert_int_equal(cache_flush(c, wire_name(name, "www.test."), 0, false), u.entries);
    assert_string_equal(get_net(c, "www.test.", "10.78.31.0/24", NOW, got), "-");
    cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_key_and_expiry),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_ghost_domain),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_proof_no_room),
        cmocka_unit_test(test_probation),
        cmocka_unit_test(test_race),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_many_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
