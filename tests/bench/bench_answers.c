/* tests/bench/bench_answers.c: nanoseconds per answers_get hit over 100,000 names in random order,
 * alone and in batches that hash and prefetch first; then of a put in both tiers, by how full they
 * are. Processor time. Not a test: prints and exits 0. */
#include "resolver/answers.h"
#include "resolver/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 100000, ROUNDS = 4000000, BATCH = 16, BYTES = 64 << 20 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint8_t (*names)[32];

static struct dns_query query_at(unsigned n)
{
    return (struct dns_query){.id = 1,
                              .flags = 0x0100,
                              .qname = names[n],
                              .qname_len = (uint16_t)dns_name_len(names[n]),
                              .qtype = 1,
                              .qclass = 1};
}

static double run(struct answers *t, unsigned batch, unsigned *hits)
{
    uint8_t out[4096];
    unsigned x = 1, n[BATCH];
    uint64_t hash[BATCH];
    double start = now_ns();
    for (unsigned done = 0; done < ROUNDS; done += batch) {
        for (unsigned i = 0; i < batch; i++) {
            x = x * 1664525 + 1013904223;
            n[i] = (unsigned)((uint64_t)x * NAMES >> 32);
            struct answers_key k = {names[n[i]], 1, 0, 0};
            hash[i] = answers_hash(t, &k);
            answers_ahead(t, hash[i], 0);
        }
        for (unsigned i = 0; i < batch; i++)
            answers_ahead(t, hash[i], 1);
        for (unsigned i = 0; i < batch; i++) {
            struct answers_key k = {names[n[i]], 1, 0, 0};
            struct dns_query q = query_at(n[i]);
            *hits += answers_get(t, &k, hash[i], 10, &q, out, sizeof out, NULL) > 0;
        }
    }
    return (now_ns() - start) / ROUNDS;
}

/* A name and a response with one address. */
static size_t make(unsigned n, uint8_t name[DNS_NAME_MAX], uint8_t wire[512])
{
    static const uint8_t head[12] = {0, 0, 0x80, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
    char text[32];
    int len = snprintf(text, sizeof text, "host%u.example.net.", n);
    if (dns_name_parse(name, text, (size_t)len, NULL) < 0)
        exit(1);
    struct wcur w = wcur_of(wire, 512);
    wcur_bytes(&w, head, sizeof head);
    wcur_bytes(&w, name, dns_name_len(name));
    wcur_u32(&w, 1 << 16 | 1);
    wcur_u16(&w, 0xc00c);
    wcur_u32(&w, 1 << 16 | 1);
    wcur_u32(&w, 3600);
    wcur_u16(&w, 4);
    wcur_u32(&w, n);
    return wcur_len(&w);
}

static void put_answer(void *arg, unsigned n)
{
    uint8_t name[DNS_NAME_MAX], wire[512];
    size_t len = make(n, name, wire);
    struct answers_key k = {name, 1, 0, 0};
    if (answers_put(arg, &k, 0, 3600, wire, len, true))
        exit(1);
}

static void put_set(void *arg, unsigned n)
{
    uint8_t name[DNS_NAME_MAX], wire[512];
    size_t len = make(n, name, wire);
    struct cache_key k = {name, 1, CACHE_DATA, 0, NULL};
    struct cache_entry e = {.ttl_stored = 3600, .rank = CACHE_RANK_AA, .ede = 0xffff};
    e.set = (struct dns_rrset){.owner = name,
                               .rdata = wire + len - 6,
                               .size = 6,
                               .ttl = 3600,
                               .type = 1,
                               .cls = 1,
                               .count = 1};
    if (cache_put(arg, &k, 0, &e))
        exit(1);
}

/* What a put costs in a tier that is empty, half full, full, and full for long. */
static void run_puts(const char *tier, void (*put)(void *, unsigned), void *arg, unsigned room)
{
    const unsigned from[] = {0, room / 2, 2 * room, 6 * room};
    unsigned n = 0;
    printf("%s: ns per put", tier);
    for (int phase = 0; phase < 4; phase++) {
        while (n < from[phase])
            put(arg, n++);
        double start = now_ns();
        for (unsigned end = n + NAMES; n < end; n++)
            put(arg, n);
        printf(" %.0f", (now_ns() - start) / NAMES);
    }
    printf(" (empty, half full, full, full for long)\n");
}

int main(void)
{
    struct answers *t;
    struct cache *c;
    names = calloc(NAMES, sizeof *names);
    if (!names || answers_new(&t, BYTES, 7) || cache_new(&c, BYTES, 64, 7))
        return 1;
    for (unsigned n = 0; n < NAMES; n++) {
        uint8_t name[DNS_NAME_MAX], wire[512];
        make(n, name, wire);
        dns_name_copy(names[n], name);
        put_answer(t, n);
    }
    struct answers_usage u = answers_usage(t);
    printf("%llu entries in %llu bytes\n", (unsigned long long)u.entries,
           (unsigned long long)u.bytes);
    for (unsigned batch = 1; batch <= BATCH; batch *= 16) {
        unsigned hits = 0;
        double ns = run(t, batch, &hits);
        printf("batch %2u: %.1f ns per get, %.2f %% hits\n", batch, ns, hits * 100.0 / ROUNDS);
    }
    answers_free(t);
    if (answers_new(&t, BYTES, 7))
        return 1;
    run_puts("answers", put_answer, t, BYTES / 120);
    run_puts("record sets", put_set, c, BYTES / 120);
    answers_free(t);
    cache_free(c);
    free(names);
    return 0;
}
