/* authority/plain.h: the answers that most queries get, written straight into the packet.
 * Plain is: class IN, a name that exists or has a wildcard that stands for it, is neither delegated
 * nor under a DNAME and owns (or is steered to) a set of the type asked whose RDATA holds no name;
 * or a name or type that does not exist, with the zone's SOA ready made. No DNSSEC records are due,
 * and the answer fits.
 * It says what authority_respond would have said (tests/test_plain.c compares them); all else is
 * left to that. No heap, no lock. Threads: any number of readers. */
#ifndef WAYPOST_AUTHORITY_PLAIN_H
#define WAYPOST_AUTHORITY_PLAIN_H

#include "authority/respond.h"

/* As authority_respond with the same ask, but without ask->edns when the answer's OPT has no more
 * to say than its payload size (edns_size), DO and the client's subnet. Returns the length of the
 * answer in buf and sets *rcode; 0 when it is not plain: ask->again is set then if a steered name
 * was decided already. */
size_t authority_plain(struct authority_ask *ask, uint16_t edns_size, uint8_t *buf,
                       uint16_t *rcode);

#endif
