/* dns/dnssec.h: what signed zones need to be computed.
 * The hash of NSEC3 owner names (RFC 5155 5) and its text form as a label; no heap. Threads: pure.
 */
#ifndef WAYPOST_DNS_DNSSEC_H
#define WAYPOST_DNS_DNSSEC_H

#include <stdbool.h>
#include <stdint.h>

#define DNSSEC_NSEC3_SHA1      1  /* the only hash algorithm there is */
#define DNSSEC_NSEC3_HASH_LEN  20 /* its octets, */
#define DNSSEC_NSEC3_LABEL_LEN 32 /* and as base32hex */

/* name: wire, any case. */
void dnssec_nsec3_hash(const uint8_t *name, uint16_t iterations, const uint8_t *salt,
                       uint8_t salt_len, uint8_t out[DNSSEC_NSEC3_HASH_LEN]);
/* The first label of an NSEC3 owner name, back into octets. False: it is none. */
bool dnssec_nsec3_label(const uint8_t *name, uint8_t out[DNSSEC_NSEC3_HASH_LEN]);

#endif
