/* resolver/linear_priv.h: linear hashing: a table that grows by one bucket at a time.
 * While the table doubles, bucket n splits off from bucket n - 2^k, one with each insert, so that
 * no insert pays for all, and the memory touched is as dense as the content. The room for the
 * largest table is reserved by its user. Threads: pure. */
#ifndef WAYPOST_RESOLVER_LINEAR_PRIV_H
#define WAYPOST_RESOLVER_LINEAR_PRIV_H

#include <stdbool.h>
#include <stdint.h>

/* count: buckets now, 2 or more. */
static inline uint32_t linear_index(uint32_t count, uint32_t hash)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(count - 1), n = hash & mask;
    return n < count ? n : n & mask >> 1;
}
/* The bit of the hash that decides who moves to bucket `count`, from bucket `count - bit`. */
static inline uint32_t linear_bit(uint32_t count)
{
    return 1u << (31 - __builtin_clz(count));
}
/* A doubling begins with `load` entries per bucket and is then completed. max: a power of two. */
static inline bool linear_is_due(uint32_t count, uint32_t max, uint64_t entries, unsigned load)
{
    return count & (count - 1) || (count < max && entries > (uint64_t)count * load);
}

#endif
