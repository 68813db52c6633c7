#include "base/histogram.h"

#include <assert.h>
#include <string.h>

#define SUB (1u << HISTOGRAM_SUB_BITS)

void histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB)
        return (unsigned)value;
    if (value >> HISTOGRAM_BITS)
        return HISTOGRAM_BUCKETS - 1;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return ((shift + 1) << HISTOGRAM_SUB_BITS) + ((unsigned)(value >> shift) & (SUB - 1));
}

static uint64_t middle_of(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(SUB + (bucket & (SUB - 1))) << shift;
    return low + (((uint64_t)1 << shift) >> 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (!h->count || value < h->least)
        h->least = value;
    if (value > h->most)
        h->most = value;
    h->count++;
    h->sum += value;
    h->buckets[bucket_of(value)]++;
}

uint64_t histogram_at(const struct histogram *h, unsigned share)
{
    assert(share <= 100000);
    uint64_t want = (h->count * share + 99999) / 100000, seen = 0;
    if (want <= 1)
        return h->least;
    if (want == h->count)
        return h->most;
    unsigned i = 0;
    while ((seen += h->buckets[i]) < want)
        i++;
    uint64_t value = middle_of(i);
    return value < h->least ? h->least : value > h->most ? h->most : value;
}

uint64_t histogram_mean(const struct histogram *h)
{
    return h->count ? h->sum / h->count : 0;
}
