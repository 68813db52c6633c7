/* proof_priv.h: NSEC and NSEC3 for those behind us who validate.
 * A negative answer's proof is all of what came with it; an answer that a wildcard made needs what
 * shows that nothing is closer. Nothing is validated here: who does finds out. Only signed sets are
 * kept, an unsigned one proves nothing. Source: RFC 4035 3.1.3 and 3.2.1, RFC 5155 7.2. */
#ifndef WAYPOST_RESOLVER_PROOF_PRIV_H
#define WAYPOST_RESOLVER_PROOF_PRIV_H

#include "iterate_priv.h"

/* Of the believable sets of an authority section: NSEC and NSEC3, each followed by its signatures.
 * An array in the arena, NULL when there are none. */
const struct dns_rrset *proof_of_nothing(struct iter *it, const struct dns_rrset *sets,
                                         unsigned count, unsigned *n);
/* Whether a wildcard made this set, as its signatures say. */
bool proof_is_needed(const struct dns_rrset *set, const struct dns_rrset *sigs);
/* Out of a proof_of_nothing: that nothing is closer to set than its wildcard. */
const struct dns_rrset *proof_of_wildcard(struct iter *it, const struct dns_rrset *set,
                                          const struct dns_rrset *sigs, const struct dns_rrset *all,
                                          unsigned count, unsigned *n);
/* Whether what proves that a name does not exist proves the same of `name` below it. */
bool proof_reaches(const struct cache_entry *e, const uint8_t *name);
/* Into the authority section, for at most ttl; what is there already is not repeated. */
void proof_give(struct iter *it, const struct dns_rrset *proof, unsigned n, uint32_t ttl);

#endif
