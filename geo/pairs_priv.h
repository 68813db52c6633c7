/* geo/pairs_priv.h: numbers for the pairs of values that occur where two tables are laid over one
 * another. Threads: the owner's. */
#ifndef WAYPOST_GEO_PAIRS_PRIV_H
#define WAYPOST_GEO_PAIRS_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* Each distinct pair of values has a number, from 1 on. */
struct pairs {
    struct pairs_slot {
        uint32_t a, b, number; /* 0: free */
    } * slots;
    size_t cap; /* a power of two, or 0 */
    uint64_t seed;
    struct pairs_pair {
        uint32_t a, b;
    } * pairs;
    size_t pairs_cap;
    uint32_t count;
    int err; /* the first one; all numbers after it are 0 */
};

/* The same number for the same pair; 0 once memory or numbers ran out (see err). */
uint32_t pairs_number(struct pairs *p, uint32_t a, uint32_t b);
void pairs_fini(struct pairs *p);

#endif
