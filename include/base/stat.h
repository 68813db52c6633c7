/* base/stat.h: counters.
 * A folder lists its counters once, as rows (name, help), in an X-macro table; a thread owns one
 * block of values per table and is its only writer, so that counting is a plain add; readers sum
 * the blocks. Names follow waypost_<part>_<thing>[_<unit>]_total without the prefix. Threads: one
 * writer per block, any reader. */
#ifndef WAYPOST_BASE_STAT_H
#define WAYPOST_BASE_STAT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct stat_row {
    const char *name; /* "net_udp_queries_total" */
    const char *help; /* one sentence */
};

struct stat_block {
    const struct stat_row *rows; /* borrowed, constant */
    size_t count;
    _Atomic uint64_t v[]; /* one per row */
};

/* A zeroed block on its own cache lines; NULL when out of memory. Free with stat_free. */
struct stat_block *stat_new(const struct stat_row *rows, size_t count);
void stat_free(struct stat_block *b);

static inline void stat_add(struct stat_block *b, unsigned row, uint64_t n)
{
    atomic_store_explicit(&b->v[row], atomic_load_explicit(&b->v[row], memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline void stat_inc(struct stat_block *b, unsigned row)
{
    stat_add(b, row, 1);
}
static inline uint64_t stat_get(const struct stat_block *b, unsigned row)
{
    return atomic_load_explicit(&b->v[row], memory_order_relaxed);
}

#endif
