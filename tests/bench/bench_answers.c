/* tests/bench/bench_answers.c: nanoseconds per answers_get hit over 100,000 names in random order,
 * alone and in batches that hash and prefetch first. Not a test: prints and exits 0. */
#include "resolver/answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 100000, ROUNDS = 4000000, BATCH = 16 };

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
        for (unsigned i = 0; i < batch; i++) {
            struct answers_key k = {names[n[i]], 1, 0, 0};
            struct dns_query q = query_at(n[i]);
            *hits += answers_get(t, &k, hash[i], 10, &q, out, sizeof out, NULL) > 0;
        }
    }
    return (now_ns() - start) / ROUNDS;
}

int main(void)
{
    struct answers *t;
    names = calloc(NAMES, sizeof *names);
    if (!names || answers_new(&t, 64 << 20, 7))
        return 1;
    for (unsigned n = 0; n < NAMES; n++) {
        char text[32];
        int len = snprintf(text, sizeof text, "host%u.example.net.", n);
        uint8_t name[DNS_NAME_MAX], wire[512];
        if (dns_name_parse(name, text, (size_t)len, NULL) < 0)
            return 1;
        dns_name_copy(names[n], name);
        struct wcur w = wcur_of(wire, sizeof wire);
        static const uint8_t head[12] = {0, 0, 0x80, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
        wcur_bytes(&w, head, sizeof head);
        wcur_bytes(&w, name, dns_name_len(name));
        wcur_u32(&w, 1 << 16 | 1);
        wcur_u16(&w, 0xc00c);
        wcur_u32(&w, 1 << 16 | 1);
        wcur_u32(&w, 3600);
        wcur_u16(&w, 4);
        wcur_u32(&w, n);
        struct answers_key k = {name, 1, 0, 0};
        if (answers_put(t, &k, 0, 3600, wire, wcur_len(&w), true))
            return 1;
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
    free(names);
    return 0;
}
