/* folders: resolver dns base */
/* The two tiers of the cache under attack: names that are asked all the time beside random ones
 * that nobody asks twice. What counts is who had to be asked upstream. */
#include "resolver/answers.h"
#include "resolver/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MIB = 1 << 20,
    STEADY_PER_SECOND = 2000,
    FLOOD_PER_SECOND = 10000,
    WARM_SECONDS = 8, /* to find out who is asked again */
    SECONDS = 16,
    NAMES_MAX = 4000,
};

struct world {
    struct answers *answers;
    struct cache *cache;
    struct arena arena;
    unsigned random;
    uint64_t flooded, first_tier;
    unsigned asked, missed; /* steady names, when not for the first time */
    bool known[NAMES_MAX];
};

static const uint8_t soa[] = "\0\34\2ns\0\2hm\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
static const uint8_t address[] = {0, 4, 192, 0, 2, 1};

static struct answers_key key_of(const uint8_t *name)
{
    return (struct answers_key){name, DNS_TYPE_A, ANSWERS_EDNS, 0};
}

/* What the resolver would have put there, smaller than life: a record, or none and the SOA. */
static void put_answer(struct world *w, const uint8_t *name, bool exists, bool again, int64_t now_s)
{
    uint8_t wire[512];
    const uint8_t *rd = exists ? address : soa;
    size_t rd_len = exists ? sizeof address : sizeof soa - 1;
    struct wcur c = wcur_of(wire, sizeof wire);
    wcur_u16(&c, 0);
    wcur_u16(&c, exists ? 0x8180 : 0x8183);
    wcur_u16(&c, 1);
    wcur_u16(&c, exists);
    wcur_u16(&c, !exists);
    wcur_u16(&c, 0);
    wcur_bytes(&c, name, dns_name_len(name));
    wcur_u32(&c, DNS_TYPE_A << 16 | DNS_CLASS_IN);
    wcur_u16(&c, exists ? 0xc00c : 0xc00c + 1u + name[0]);
    wcur_u32(&c, (exists ? DNS_TYPE_A : DNS_TYPE_SOA) << 16 | DNS_CLASS_IN);
    wcur_u32(&c, 3600);
    wcur_bytes(&c, rd, rd_len);
    struct answers_key k = key_of(name);
    assert_int_equal(wcur_err(&c), 0);
    assert_int_equal(answers_put(w->answers, &k, now_s, 3600, wire, wcur_len(&c), again), 0);
}

static void put_set(struct world *w, const struct cache_key *k, bool exists, int64_t now_s)
{
    struct cache_entry e = {.ttl_stored = 3600, .rank = CACHE_RANK_AA, .ede = 0xffff};
    e.set = (struct dns_rrset){.owner = exists ? k->name : k->name + 1 + k->name[0],
                               .rdata = exists ? address : soa,
                               .size = exists ? sizeof address : sizeof soa - 1,
                               .ttl = 3600,
                               .type = exists ? DNS_TYPE_A : DNS_TYPE_SOA,
                               .cls = DNS_CLASS_IN,
                               .count = 1};
    assert_int_equal(cache_put(w->cache, k, now_s, &e), 0);
}

/* A client's question. Whether it was answered without anybody's help. */
static bool ask(struct world *w, const char *text, bool exists, int64_t now_s)
{
    uint8_t name[DNS_NAME_MAX], out[4096];
    assert_true(dns_name_parse(name, text, strlen(text), NULL) > 0);
    struct answers_key k = key_of(name);
    struct dns_query q = {.qname = name,
                          .qname_len = (uint16_t)dns_name_len(name),
                          .qtype = DNS_TYPE_A,
                          .qclass = DNS_CLASS_IN};
    bool refresh = false;
    if (answers_get(w->answers, &k, answers_hash(w->answers, &k), now_s, &q, out, sizeof out,
                    &refresh)) {
        w->first_tier++;
        return true;
    }
    struct cache_key set = {name, exists ? DNS_TYPE_A : 0, exists ? CACHE_DATA : CACHE_NXDOMAIN, 0,
                            NULL};
    struct cache_entry e;
    bool hit = cache_get(w->cache, &set, now_s, &w->arena, &e);
    arena_reset(&w->arena);
    if (!hit)
        put_set(w, &set, exists, now_s);
    put_answer(w, name, exists, hit, now_s);
    return hit;
}

static unsigned draw(struct world *w, unsigned below)
{
    w->random = w->random * 1664525 + 1013904223;
    return (unsigned)((uint64_t)w->random * below >> 32);
}

static void run_second(struct world *w, unsigned names, bool exist, bool twice, int64_t now_s)
{
    char text[64];
    for (unsigned n = 0; n < STEADY_PER_SECOND; n++) {
        unsigned name = draw(w, names);
        snprintf(text, sizeof text, "www.steady%u.example.", name);
        bool hit = ask(w, text, true, now_s);
        w->asked += w->known[name];
        w->missed += w->known[name] && !hit;
        w->known[name] = true;
        for (unsigned f = 0; f < FLOOD_PER_SECOND / STEADY_PER_SECOND; f++) {
            snprintf(text, sizeof text, "x%llu.flood.example.", (unsigned long long)w->flooded++);
            assert_false(ask(w, text, exist, now_s));
            if (twice)
                ask(w, text, exist, now_s);
        }
    }
}

static void test_steady_set(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint64_t tier_bytes;
        unsigned names; /* asked all the time; each tier has room for some 6,000 per MiB */
        bool exist;     /* the random names do */
        bool twice;     /* they are asked by clients that do not wait long enough */
    } rows[] = {
        {"a small set", MIB, 500, false, false},
        {"a quarter of the room", MIB, 1500, false, false},
        {"random names that exist", MIB, 1500, true, false},
        {"several shards", 4 * MIB, 4000, false, false},
        {"random names, each twice", MIB, 1000, false, true},
        {"names that exist, each twice", MIB, 1000, true, true},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {

        struct world w = {.random = 1};

        assert_int_equal(answers_new(&w.answers, rows[n].tier_bytes, 42), 0);
        assert_int_equal(cache_new(&w.cache, rows[n].tier_bytes, 64, 43), 0);
        arena_init(&w.arena, 0, 0);
        for (int64_t s = 0; s < SECONDS; s++) {
            if (s == WARM_SECONDS)
                w.asked = w.missed = 0;
            run_second(&w, rows[n].names, rows[n].exist, rows[n].twice, s);
            struct answers_usage a = answers_usage(w.answers);
            struct cache_usage c = cache_usage(w.cache);
            assert_true(a.bytes <= a.limit && c.bytes <= c.limit);
        }
        print_message("%s: %u of %u missed, %llu from tier one\n", rows[n].label, w.missed, w.asked,
                      (unsigned long long)w.first_tier);
        assert_true(cache_usage(w.cache).evictions > 0);
        if (w.missed * 100ull > w.asked * 5ull)
            fail_msg("%s: %u of %u", rows[n].label, w.missed, w.asked);
        arena_fini(&w.arena);
        answers_free(w.answers);
        cache_free(w.cache);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
