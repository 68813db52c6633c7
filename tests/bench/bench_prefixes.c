/* tests/bench/bench_prefixes.c: building prefix tables of 1 and 10 million networks, in order and
 * out of it, and nanoseconds per look-up of random addresses inside them. Not a test: prints and
 * exits 0. Arguments: numbers of networks instead of 1000000 10000000. */
#include "geo/prefixes.h"

#include "base/hash.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5000000, SAMPLES = 1 << 20, VALUES = 60000 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Bytes of heap, large blocks too. */
static double heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)(m.uordblks + m.hblkhd);
}

static uint64_t random_at(uint64_t n)
{
    return hash_mix(n * 0x9e3779b97f4a7c15ULL + 1);
}

static struct prefix prefix_of(bool v4, uint64_t high, unsigned bits)
{
    struct prefix p = {.bits = (uint8_t)(bits + (v4 ? 96 : 0)), .family = v4 ? 4 : 6};
    high &= ~0ULL << (64 - bits);
    for (unsigned i = 0; i < 8; i++)
        p.ip[v4 ? 12 + i % 4 : i] = (uint8_t)(high >> (v4 ? 56 - 8 * (i % 4) : 56 - 8 * i));
    if (v4)
        p.ip[10] = p.ip[11] = 0xff;
    return p;
}

/* The n-th network. In order: as a database has them, side by side, of /22 to /28 or /38 to /48,
 * with values in clusters. Out of order: anywhere. */
static struct prefix network(bool v4, bool sorted, size_t n, size_t count)
{
    uint64_t r = random_at(n);
    unsigned bits = (v4 ? 22 : 38) + (unsigned)(r % (v4 ? 7 : 11));
    if (!sorted)
        return prefix_of(v4, v4 ? random_at(n + count) : 1ULL << 61 | random_at(n + count) >> 3,
                         bits);
    uint64_t step = (v4 ? ~0ULL : 1ULL << 61) / count;
    while (~0ULL >> bits > step) /* no wider than its part */
        bits++;
    return prefix_of(v4, (v4 ? 0 : 1ULL << 61) + step * n + step / 2, bits);
}

static double finds(const struct prefixes *t, bool v4, unsigned *sum)
{
    struct addr *a = calloc(SAMPLES, sizeof *a);
    if (!a)
        exit(1);
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t r = v4 ? random_at(~(uint64_t)i) : 1ULL << 61 | random_at(~(uint64_t)i) >> 3;
        struct prefix p = prefix_of(v4, r, v4 ? 32 : 64);
        memcpy(a[i].ip, p.ip, sizeof a[i].ip);
        a[i].family = p.family;
    }
    double start = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned depth;
        *sum += prefixes_find(t, &a[i % SAMPLES], &depth) + depth;
    }
    double ns = (now_ns() - start) / ROUNDS;
    free(a);
    return ns;
}

static int run(bool v4, bool sorted, size_t count)
{
    struct prefixes_build *b;
    struct prefixes *t;
    unsigned sum = 0;
    double before = heap_bytes(), start = now_ns();
    if (prefixes_begin(&b))
        return 1;
    for (size_t n = 0; n < count; n++) {
        struct prefix p = network(v4, sorted, n, count);
        prefixes_put(b, &p, 1 + (uint32_t)(random_at(n / 3) % VALUES));
    }
    double put = now_ns(), building = heap_bytes() - before;
    if (prefixes_finish(b, NULL, 0, &t))
        return 1;
    double done = now_ns();
    struct prefixes_usage u = prefixes_usage(t);
    printf("IPv%d %9zu networks %-12s put %.2f s, finish %.2f s; %.1f bytes each while building, "
           "%.1f frozen (%zu maximal, %.1f bytes each); %.1f ns per look-up (%u)\n",
           v4 ? 4 : 6, count, sorted ? "in order:" : "random:", (put - start) / 1e9,
           (done - put) / 1e9, building / (double)count, (double)u.bytes / (double)count,
           u.networks4 + u.networks6 - 1, (double)u.bytes / (double)(u.networks4 + u.networks6 - 1),
           finds(t, v4, &sum), sum & 1);
    fflush(stdout);
    prefixes_free(t);
    return 0;
}

int main(int argc, char **argv)
{
    static char one[] = "1000000", ten[] = "10000000";
    char *usual[] = {one, ten}, **counts = argc > 1 ? argv + 1 : usual;
    for (int i = 0; i < (argc > 1 ? argc - 1 : 2); i++)
        for (unsigned k = 0; k < 4; k++)
            if (run(k < 2, k % 2 == 0, strtoul(counts[i], NULL, 10)))
                return 1;
    return 0;
}
