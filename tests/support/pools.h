/* tests/support/pools.h: pools of members in one line of text, and what chance may do to counts. */
#ifndef WAYPOST_TESTS_POOLS_H
#define WAYPOST_TESTS_POOLS_H

#include "gslb/policy.h"

enum { MOST = 8 };

struct pool {
    struct gslb_member members[MOST];
    struct gslb_member_state states[MOST];
    struct gslb_pick pick;
};

/* "3 1d 5p500l20r30g2o": weight, then d down, p permille, l load, u load that is stale, r round
 * trip, g group, o over. pick points into *b; ids are made of places. Fails the test on other
 * letters. */
void pool_make(struct pool *b, enum gslb_policy policy, const char *text);

/* A repeatable stream (xorshift64*); *state is not 0. */
uint64_t fresh(uint64_t *state);

/* Both fail the test, naming the label, beyond 4.5 standard deviations (7 in a million). Seeds are
 * fixed, so no run differs from another. */
void expect_chi(const char *label, const unsigned *counts, const double *shares, unsigned cells,
                double picks);
void expect_share(const char *label, unsigned member, double count, double picks, double p);

#endif
