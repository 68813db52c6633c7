/* scrub_priv.h: what of a reply may be believed.
 * A server speaks for the zone it was asked as, and for nothing else (bailiwick). Sets outside, of
 * another class, or of a name in another plane are dropped, counted and recorded. */
#ifndef WAYPOST_RESOLVER_SCRUB_PRIV_H
#define WAYPOST_RESOLVER_SCRUB_PRIV_H

#include "iterate_priv.h"

/* The believable sets of a section, in the arena; returns how many (0 also when out of memory). */
unsigned scrub_sets(struct iter *it, uint8_t section, struct dns_rrset **sets);
/* Among sets: (owner, type), or the signatures over it; NULL when absent. type 0: none. */
const struct dns_rrset *scrub_find(const struct dns_rrset *sets, unsigned count,
                                   const uint8_t *owner, uint16_t type);
const struct dns_rrset *scrub_find_sigs(const struct dns_rrset *sets, unsigned count,
                                        const uint8_t *owner, uint16_t covers);

#endif
