/* Weighted rendezvous in integers: every member draws an exponential time with its weight as the
 * rate from a hash of (key, id); the earliest wins. A member then wins with odds weight / sum, and
 * taking it out moves only its own clients, since no other time changes. */
#ifndef WAYPOST_GSLB_RENDEZVOUS_PRIV_H
#define WAYPOST_GSLB_RENDEZVOUS_PRIV_H

#include "gslb/policy.h"

/* -log2(hash / 2^64) in units of 2^-57, above 0; falls when the hash rises by 2^-51 of itself. */
uint64_t rendezvous_time(uint64_t hash);

struct rendezvous_rank {
    uint64_t time, weight, id;
    uint16_t index;
    bool late; /* behind all that are not */
};
/* The `want` earliest of those offered, earliest first. */
struct rendezvous {
    uint64_t key;
    unsigned want, count;
    struct rendezvous_rank ranks[GSLB_MEMBERS_MAX]; /* the first count; the rest is not touched */
};
void rendezvous_start(struct rendezvous *r, uint64_t key, unsigned want);
void rendezvous_offer(struct rendezvous *r, uint64_t id, uint64_t weight, bool late,
                      uint16_t index);

#endif
