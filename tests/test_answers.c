/* threads */
#include "resolver/answers.h"

#include "base/clock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20 };

static const uint8_t *wire_name(uint8_t out[DNS_NAME_MAX], const char *text)
{
    assert_true(dns_name_parse(out, text, strlen(text), NULL) > 0);
    return out;
}

/* A response with `records` TXT records of `size` octets, each filled from `mark`. */
static size_t response(uint8_t *out, const uint8_t *qname, uint16_t qtype, unsigned records,
                       uint32_t ttl, size_t size, uint8_t mark, bool opt)
{
    struct wcur w = wcur_of(out, 65535);
    wcur_u16(&w, 0x1111);
    wcur_u16(&w, 0x8080 | 0x0020); /* QR RA AD */
    wcur_u16(&w, 1);
    wcur_u16(&w, (uint16_t)records);
    wcur_u16(&w, 0);
    wcur_u16(&w, opt);
    wcur_bytes(&w, qname, dns_name_len(qname));
    wcur_u16(&w, qtype);
    wcur_u16(&w, 1);
    for (unsigned n = 0; n < records; n++) {
        wcur_u16(&w, 0xc00c);
        wcur_u16(&w, qtype);
        wcur_u16(&w, 1);
        wcur_u32(&w, ttl + n);
        wcur_u16(&w, (uint16_t)size);
        for (size_t i = 0; i < size; i++)
            wcur_u8(&w, mark);
    }
    if (opt) {
        wcur_u8(&w, 0);
        wcur_u16(&w, DNS_TYPE_OPT);
        wcur_u16(&w, 1232);
        wcur_u32(&w, 0x8000);
        wcur_u16(&w, 0);
    }
    assert_int_equal(wcur_err(&w), 0);
    return wcur_len(&w);
}

static struct dns_query query_of(const uint8_t *qname, uint16_t qtype, uint16_t id, uint16_t flags)
{
    return (struct dns_query){.id = id,
                              .flags = flags,
                              .has_question = true,
                              .qname = qname,
                              .qname_len = (uint16_t)dns_name_len(qname),
                              .qtype = qtype,
                              .qclass = 1};
}

static size_t ask(struct answers *t, const struct answers_key *k, int64_t now_s, uint8_t *out,
                  size_t cap)
{
    struct dns_query q = query_of(k->qname, k->qtype, 7, 0x0100);
    bool refresh;
    return answers_get(t, k, answers_hash(t, k), now_s, &q, out, cap, &refresh);
}

static struct answers *table(uint64_t bytes)
{
    struct answers *t;
    assert_int_equal(answers_new(&t, bytes, 42), 0);
    return t;
}

static void test_patch(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], asked[DNS_NAME_MAX], in[65535], out[4096];
    wire_name(name, "www.example.");
    wire_name(asked, "wWw.eXample.");
    size_t len = response(in, name, 16, 3, 100, 20, 'x', true);
    struct answers_key k = {name, 16, ANSWERS_EDNS, 0};
    assert_int_equal(answers_put(t, &k, 1000, 3600, in, len, true), 0);
    k.qname = asked;
    static const struct {
        const char *label;
        uint16_t flags, want;
        bool dnssec_ok;
    } rows[] = {
        {"RD as asked", 0x0100, 0x8180, false},   {"neither RD nor CD", 0, 0x8080, false},
        {"CD as asked", 0x0010, 0x8090, false},   {"AD when asked by AD", 0x0020, 0x80a0, false},
        {"AD when asked by DO", 0, 0x80a0, true},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct dns_query q = query_of(asked, 16, 0xbeef, rows[n].flags);
        q.edns.dnssec_ok = rows[n].dnssec_ok;
        size_t got = answers_get(t, &k, answers_hash(t, &k), 1030, &q, out, sizeof out, NULL);
        if (got != len || get_u16(out) != 0xbeef || get_u16(out + 2) != rows[n].want)
            fail_msg("%s: length %zu flags %04x", rows[n].label, got, get_u16(out + 2));
        assert_memory_equal(out + 12, asked, dns_name_len(asked));
        size_t at = 12 + dns_name_len(asked) + 4 + 6;
        for (unsigned r = 0; r < 3; r++, at += 12 + 20)
            assert_int_equal(get_u32(out + at), 100 + r - 30);
        assert_int_equal(get_u32(out + len - 6), 0x8000); /* OPT's TTL field is flags */
    }
    answers_free(t);
}

static void test_key(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], other[DNS_NAME_MAX], in[65535], out[4096];
    wire_name(name, "www.example.");
    wire_name(other, "wwx.example.");
    size_t len = response(in, name, 1, 1, 100, 4, 1, false);
    struct answers_key stored = {name, 1, ANSWERS_DO, 2};
    assert_int_equal(answers_put(t, &stored, 1000, 60, in, len, true), 0);
    const struct {
        const char *label;
        struct answers_key k;
        int64_t now_s;
        size_t cap;
        bool hit;
    } rows[] = {
        {"the same", stored, 1000, 4096, true},
        {"last second", stored, 1059, 4096, true},
        {"lifetime over", stored, 1060, 4096, false},
        {"clock went back by no more than the lifetime", stored, 940, 4096, true},
        {"clock went back by more", stored, 939, 4096, false},
        {"exact room", stored, 1000, len, true},
        {"no room", stored, 1000, len - 1, false},
        {"other name", {other, 1, ANSWERS_DO, 2}, 1000, 4096, false},
        {"other type", {name, 28, ANSWERS_DO, 2}, 1000, 4096, false},
        {"other bits", {name, 1, ANSWERS_DO | ANSWERS_CD, 2}, 1000, 4096, false},
        {"other view", {name, 1, ANSWERS_DO, 1}, 1000, 4096, false},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        size_t got = ask(t, &rows[n].k, rows[n].now_s, out, rows[n].cap);
        if (got != (rows[n].hit ? len : 0))
            fail_msg("%s: %zu", rows[n].label, got);
    }
    struct dns_query q = query_of(name, 1, 1, 0);
    q.qclass = 3;
    assert_int_equal(answers_get(t, &stored, answers_hash(t, &stored), 1000, &q, out, 4096, NULL),
                     0);
    answers_free(t);
}

/* One of those who hit it again in the last tenth of its life is told. */
static void test_refresh(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    wire_name(name, "www.example.");
    size_t len = response(in, name, 1, 1, 1000, 4, 1, false);
    struct answers_key k = {name, 1, 0, 0};
    static const struct {
        const char *label;
        int64_t now_s;
        bool put, told;
    } rows[] = {
        {"first hit", 1000, true, false},
        {"early", 1089, false, false},
        {"exactly a tenth left", 1090, false, false},
        {"late", 1091, false, true},
        {"somebody was told", 1092, false, false},
        {"fresh again", 1093, true, false},
        {"late again", 1184, false, true},
    };
    answers_refresh_below(t, 10);
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct dns_query q = query_of(name, 1, 7, 0x0100);
        bool told = false;
        if (rows[n].put)
            assert_int_equal(answers_put(t, &k, rows[n].now_s, 100, in, len, true), 0);
        size_t got =
            answers_get(t, &k, answers_hash(t, &k), rows[n].now_s, &q, out, sizeof out, &told);
        if (got != len || told != rows[n].told)
            fail_msg("%s: length %zu, told %d", rows[n].label, got, told);
    }
    answers_free(t);
}

static void test_put(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535];
    wire_name(name, "www.example.");
    struct answers_key k = {name, 16, 0, 0};
    static const struct {
        const char *label;
        unsigned records;
        uint32_t ttl;
        size_t size;
        uint32_t life;
        int cut, extra, err;
        uint16_t flags, qtype;
    } rows[] = {
        {"plain", 1, 60, 10, 60, 0, 0, 0, 0x8080, 16},
        {"no records", 0, 60, 10, 60, 0, 0, 0, 0x8082, 16},
        {"many records", 300, 60, 1, 60, 0, 0, 0, 0x8080, 16},
        {"longest", 1, 60, 4096 - 41, 60, 0, 0, 0, 0x8080, 16},
        {"too long", 1, 60, 4096 - 40, 60, 0, 0, ERR_LIMIT, 0x8080, 16},
        {"TC", 1, 60, 10, 60, 0, 0, ERR_LIMIT, 0x8280, 16},
        {"lifetime 0", 1, 60, 10, 0, 0, 0, ERR_LIMIT, 0x8080, 16},
        {"TTL 0", 1, 0, 10, 60, 0, 0, ERR_LIMIT, 0x8080, 16},
        {"TTL with the top bit", 1, 0x80000000, 10, 60, 0, 0, ERR_LIMIT, 0x8080, 16},
        {"cut inside the last record", 2, 60, 10, 60, 1, 0, ERR_TRUNC, 0x8080, 16},
        {"octets behind the end", 1, 60, 10, 60, 0, 1, ERR_FORMAT, 0x8080, 16},
        {"another question", 1, 60, 10, 60, 0, 0, ERR_MISMATCH, 0x8080, 15},
        {"only a header", 0, 60, 10, 60, 17, 0, ERR_MISMATCH, 0x8080, 16},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        size_t len = response(in, name, 16, rows[n].records, rows[n].ttl, rows[n].size, 1, false);
        put_u16(in + 2, rows[n].flags);
        put_u16(in + 12 + dns_name_len(name), rows[n].qtype);
        in[len] = 0;
        len = len - (size_t)rows[n].cut + (size_t)rows[n].extra;
        int err = answers_put(t, &k, 0, rows[n].life, in, len, true);
        if (err != rows[n].err)
            fail_msg("%s: %s", rows[n].label, err_name(err));
    }
    /* Every length of a truncated response is refused; the copy is exact, so ASan sees an overrun.
     */
    size_t len = response(in, name, 16, 2, 60, 10, 1, true);
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, in, n);
        assert_int_not_equal(answers_put(t, &k, 0, 60, copy, n, true), 0);
        free(copy);
    }
    struct answers *none;
    assert_int_equal(answers_new(&none, 1000, 1), ERR_RANGE);
    assert_null(none);
    answers_free(t);
}

static void test_replace(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    struct answers_key k = {wire_name(name, "a.example."), 16, 0, 0};
    for (unsigned n = 0; n < 500; n++) {
        size_t len = response(in, name, 16, 1, 60, 1 + n * 7, (uint8_t)n, false);
        assert_int_equal(answers_put(t, &k, 0, 60, in, len, true), 0);
        assert_int_equal(ask(t, &k, 0, out, sizeof out), len);
        assert_int_equal(out[len - 1], (uint8_t)n);
        assert_int_equal(answers_usage(t).entries, 1);
    }
    answers_free(t);
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
        {"one type", "www.Example.", 1, false, 1}, {"all types", "www.example.", 0, false, 2},
        {"nothing there", "nope.", 0, true, 0},    {"below", "example.", 0, true, 4},
        {"type below", "example.", 28, true, 1},   {"not a suffix of labels", "ample.", 0, true, 0},
        {"everything", ".", 0, true, 5},
    };
    static const struct {
        const char *name;
        uint16_t type;
    } in_table[] = {{"www.example.", 1},
                    {"www.example.", 28},
                    {"example.", 1},
                    {"a.b.example.", 1},
                    {"example.org.", 1}};
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct answers *t = table(4 * MIB);
        for (size_t n = 0; n < 5; n++) {
            struct answers_key k = {wire_name(name, in_table[n].name), in_table[n].type, 0, 0};
            size_t len = response(in, name, k.qtype, 1, 60, 4, 1, false);
            assert_int_equal(answers_put(t, &k, 0, 60, in, len, true), 0);
        }
        wire_name(name, rows[r].name);
        unsigned removed = answers_flush(t, name, rows[r].type, rows[r].subtree);
        if (removed != rows[r].removed)
            fail_msg("%s: %u", rows[r].label, removed);
        assert_int_equal(answers_usage(t).entries, 5 - removed);
        struct answers_key k = {wire_name(name, "www.example."), 1, 0, 0};
        bool hit = ask(t, &k, 0, out, sizeof out) > 0;
        assert_int_equal(hit, removed == 0 || !strcmp(rows[r].label, "type below"));
        answers_free(t);
    }
}

static size_t numbered(uint8_t *name, uint8_t *in, const char *what, unsigned n, size_t size)
{
    char text[64];
    snprintf(text, sizeof text, "%s%u.example.", what, n);
    wire_name(name, text);
    return response(in, name, 16, 1, 3600, size, (uint8_t)n, false);
}

/* A steady set that fits stays while one-time names pass through; the bytes never pass the limit.
 */
static void test_flood(void **state)
{
    (void)state;
    struct answers *t = table(4 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    unsigned hits = 0, asked = 0, flood = 0;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned n = 0; n < 1000; n++) {
            size_t len = numbered(name, in, "steady", n, 20);
            struct answers_key k = {name, 16, 0, 0};
            size_t got = ask(t, &k, 0, out, sizeof out);
            if (round > 0) {
                asked++;
                hits += got == len;
            }
            if (!got)
                assert_int_equal(answers_put(t, &k, 0, 3600, in, len, true), 0);
            for (int f = 0; f < 5; f++) {
                len = numbered(name, in, "flood", flood++, 20);
                assert_int_equal(answers_put(t, &k, 0, 3600, in, len, true), 0);
            }
        }
        struct answers_usage u = answers_usage(t);
        assert_true(u.bytes <= u.limit);
    }
    assert_true(answers_usage(t).evictions > 0);
    if (hits * 100ull < asked * 95ull)
        fail_msg("%u of %u", hits, asked);
    answers_free(t);
}

/* Memory follows the sizes in use: large answers still get in after small ones filled every page.
 */
static void test_sizes_move(void **state)
{
    (void)state;
    struct answers *t = table(2 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    static const size_t sizes[] = {10, 3000, 300, 1000, 10};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        unsigned kept = 0, count = (unsigned)(MIB / 2 / (sizes[s] + 150));
        for (unsigned round = 0; round < 20; round++)
            for (unsigned n = 0; n < count; n++) {
                size_t len = numbered(name, in, "s", n + (unsigned)s * 100000, sizes[s]);
                struct answers_key k = {name, 16, 0, 0};
                if (ask(t, &k, 0, out, sizeof out)) {
                    assert_int_equal(out[len - 1], (uint8_t)(n + (unsigned)s * 100000));
                    kept += round == 19;
                } else {
                    assert_int_equal(answers_put(t, &k, 0, 3600, in, len, true), 0);
                }
            }
        if (kept < count / 2)
            fail_msg("size %zu: %u of %u kept", sizes[s], kept, count);
    }
    answers_free(t);
}

/* The table is as long as its content needs, and what was put before it grew is found after. */
static void test_growth(void **state)
{
    (void)state;
    enum { NAMES = 40000 };
    struct answers *t = table(32 * MIB);
    uint8_t name[DNS_NAME_MAX], in[65535], out[4096];
    uint64_t empty = answers_usage(t).bytes;
    assert_true(empty < 256 * 1024);
    unsigned found = 0;
    for (unsigned n = 0; n < NAMES; n++) {
        size_t len = numbered(name, in, "n", n, 4);
        struct answers_key k = {name, 16, 0, 0};
        assert_int_equal(answers_put(t, &k, 0, 3600, in, len, true), 0);
    }
    struct answers_usage u = answers_usage(t);
    for (unsigned n = 0; n < NAMES; n++) {
        size_t len = numbered(name, in, "n", n, 4);
        struct answers_key k = {name, 16, 0, 0};
        found += ask(t, &k, 0, out, sizeof out) == len;
    }
    assert_int_equal(u.entries, found);
    if (found < NAMES / 100 * 98) /* the others had no way in their bucket */
        fail_msg("%u of %u", found, (unsigned)NAMES);
    assert_true(u.bytes - empty < NAMES * 130ull); /* of 41 + 32 octets, and a part of a page */
    answers_free(t);
}

struct race {
    struct answers *t;
    unsigned names;
    _Atomic bool stop;
    _Atomic unsigned hits, torn;
};

struct racer {
    struct race *race;
    unsigned seed;
};

/* Name n always has answers whose octets are all alike and whose length follows from them. */
static size_t race_size(unsigned n, uint8_t mark)
{
    return 10 + (n % 5) * 150 + (mark & 3) * 40;
}

static void *race_read(void *arg)
{
    struct racer *me = arg;
    struct race *r = me->race;
    uint8_t name[DNS_NAME_MAX], out[4096];
    unsigned x = me->seed;
    while (!atomic_load(&r->stop)) {
        x = x * 1664525 + 1013904223;
        unsigned n = (x >> 8) % r->names;
        char text[64];
        snprintf(text, sizeof text, "race%u.example.", n);
        if (dns_name_parse(name, text, strlen(text), NULL) < 0)
            return NULL;
        struct answers_key k = {name, 16, 0, 0};
        size_t got = ask(r->t, &k, 10, out, sizeof out);
        if (!got)
            continue;
        size_t at = 12 + dns_name_len(name) + 4;
        uint8_t mark = out[got - 1];
        size_t size = race_size(n, mark);
        bool good = got == at + 12 + size && !memcmp(out + 12, name, dns_name_len(name)) &&
                    get_u32(out + at + 6) == 3590 && get_u16(out + at + 10) == size;
        for (size_t i = at + 12; good && i < got; i++)
            good = out[i] == mark;
        atomic_fetch_add(good ? &r->hits : &r->torn, 1);
    }
    return NULL;
}

static void *race_write(void *arg)
{
    struct racer *me = arg;
    struct race *r = me->race;
    uint8_t name[DNS_NAME_MAX], in[4096];
    unsigned x = me->seed;
    for (unsigned step = 0; step < 60000; step++) {
        x = x * 1664525 + 1013904223;
        unsigned n = (x >> 8) % r->names;
        uint8_t mark = (uint8_t)(x >> 24);
        char text[64];
        snprintf(text, sizeof text, "race%u.example.", n);
        if (dns_name_parse(name, text, strlen(text), NULL) < 0)
            return NULL;
        struct answers_key k = {name, 16, 0, 0};
        struct wcur w = wcur_of(in, sizeof in);
        static const uint8_t head[12] = {0, 0, 0x80, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
        wcur_bytes(&w, head, sizeof head);
        wcur_bytes(&w, name, dns_name_len(name));
        wcur_u32(&w, 16 << 16 | 1);
        wcur_u16(&w, 0xc00c);
        wcur_u32(&w, 16 << 16 | 1);
        wcur_u32(&w, 3600);
        size_t size = race_size(n, mark);
        wcur_u16(&w, (uint16_t)size);
        memset(wcur_room(&w, size), mark, size);
        if (answers_put(r->t, &k, 0, 3600, in, wcur_len(&w), true))
            atomic_fetch_add(&r->torn, 1);
        if (step % 8192 == 0)
            answers_flush(r->t, name, 0, false);
    }
    return NULL;
}

static void test_race(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint64_t bytes;
        unsigned names;
    } rows[] = {
        {"few names, one shard", 1 * MIB, 8},
        {"evictions and page moves", 1 * MIB, 6000},
        {"several shards", 16 * MIB, 2000},
        {"the table grows", 16 * MIB, 30000},
    };
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        struct race r = {.t = table(rows[n].bytes), .names = rows[n].names};
        struct racer me[4] = {{&r, 1}, {&r, 2}, {&r, 3}, {&r, 4}};
        pthread_t th[4];
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&th[i], NULL, i < 2 ? race_read : race_write, &me[i]),
                             0);
        pthread_join(th[2], NULL);
        pthread_join(th[3], NULL);
        int64_t end = clock_mono_ms(clock_system()) + 60000; /* they may have had no processor */
        while (atomic_load(&r.hits) < 1000 && clock_mono_ms(clock_system()) < end)
            sched_yield();
        atomic_store(&r.stop, true);
        pthread_join(th[0], NULL);
        pthread_join(th[1], NULL);
        if (r.torn || r.hits < 1000)
            fail_msg("%s: %u torn, %u hits", rows[n].label, r.torn, r.hits);
        answers_free(r.t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patch),   cmocka_unit_test(test_key),
        cmocka_unit_test(test_put),     cmocka_unit_test(test_replace),
        cmocka_unit_test(test_refresh), cmocka_unit_test(test_flush),
        cmocka_unit_test(test_flood),   cmocka_unit_test(test_sizes_move),
        cmocka_unit_test(test_growth),  cmocka_unit_test(test_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
