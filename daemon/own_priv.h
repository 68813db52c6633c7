/* own_priv.h: what our own zones said of a question that leaves them, and the resolver's part of it
 * as one message. Threads: any. */
#ifndef WAYPOST_OWN_PRIV_H
#define WAYPOST_OWN_PRIV_H

#include "resolver/resolver.h"

/* own: the authoritative part as a message; its aliases come first, and AA is said of the first
 * owner (RFC 1035 4.1.1). The rcode is the last name's (RFC 6604 2.1). As resolver_write; 0: out of
 * memory. */
size_t own_write(const uint8_t *own, size_t own_len, const struct resolver_result *res,
                 const struct dns_query *q, const struct edns *e, size_t limit,
                 struct dns_writer *scratch, uint8_t *buf);

#endif
