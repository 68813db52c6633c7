/* base/histogram.h: how often which value, in buckets that grow with it.
 * Each power of two is cut into 128 equal buckets and a value is read back as the middle of its
 * bucket, so that it is within 0.4 % of what was added, whatever its size; below 128 it is exact,
 * as are least, most, count and sum. The unit is the caller's. Values of 2^44 and more share the
 * last bucket. Threads: one owner. Owner: the caller's storage, 39 KB. */
#ifndef WAYPOST_BASE_HISTOGRAM_H
#define WAYPOST_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BITS     44
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count, sum;
    uint64_t least, most; /* 0 while nothing was added */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
/* The least value that is not exceeded by this share of all, in 1/100000 (99900: 99.9 %), at most
 * 100000; 0 while nothing was added. */
uint64_t histogram_at(const struct histogram *h, unsigned share);
/* The mean, rounded down; 0 while nothing was added. */
uint64_t histogram_mean(const struct histogram *h);

#endif
