/* alias_priv.h: following CNAME and DNAME. Every link counts, whether it came alone, with others in
 * one reply, or from the cache. Source: RFC 1034 3.6.2, RFC 6672. */
#ifndef WAYPOST_RESOLVER_ALIAS_PRIV_H
#define WAYPOST_RESOLVER_ALIAS_PRIV_H

#include "iterate_priv.h"

/* The name becomes `to`. False when the chain is too long or comes round again: *next then leads to
 * the end. */
bool alias_follow(struct iter *it, const uint8_t *to, uint16_t type, enum iter_next *next);
/* The CNAME that a DNAME means for the current name goes into the answer and is followed. False:
 * *next leads to the end, because it is too long (YXDOMAIN), the CNAME itself is what was asked
 * for, or as in alias_follow. */
bool alias_dname(struct iter *it, const struct dns_rrset *dname, enum iter_next *next);

#endif
