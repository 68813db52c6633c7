/* dns/dnssec.h: what signed zones need to be computed.
 * The hash of NSEC3 owner names (RFC 5155 5) and its text form as a label. A hasher keeps the
 * algorithm and its state, so that a hash costs no allocation. Threads: a hasher belongs to one. */
#ifndef WAYPOST_DNS_DNSSEC_H
#define WAYPOST_DNS_DNSSEC_H

#include <stdbool.h>
#include <stdint.h>

#define DNSSEC_NSEC3_SHA1      1  /* the only hash algorithm there is */
#define DNSSEC_NSEC3_HASH_LEN  20 /* its octets, */
#define DNSSEC_NSEC3_LABEL_LEN 32 /* and as base32hex */

struct dnssec_hasher;

/* NULL: out of memory, or SHA-1 is not to be had. */
struct dnssec_hasher *dnssec_hasher_new(void);
void dnssec_hasher_free(struct dnssec_hasher *h);
/* name: wire, any case. False: the hash failed. */
bool dnssec_nsec3_hash(struct dnssec_hasher *h, const uint8_t *name, uint16_t iterations,
                       const uint8_t *salt, uint8_t salt_len, uint8_t out[DNSSEC_NSEC3_HASH_LEN]);
/* The first label of an NSEC3 owner name, back into octets. False: it is none. */
bool dnssec_nsec3_label(const uint8_t *name, uint8_t out[DNSSEC_NSEC3_HASH_LEN]);

#endif
