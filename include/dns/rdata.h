/* dns/rdata.h: what is inside a record, by one descriptor row per type.
 * The row lists the fields (names compressible or not, numbers, strings, bitmaps, hex, base64 ...)
 * and drives the wire check, compression, text in, text out, canonical form and the name that
 * additional-section processing follows. Types without a row are opaque (RFC 3597). Threads: pure.
 */
#ifndef WAYPOST_DNS_RDATA_H
#define WAYPOST_DNS_RDATA_H

#include "base/cursor.h"
#include "dns/name.h"

#include <stdbool.h>

#define DNS_RDATA_MAX 65535

/* From a message: checks, expands compressed names (only where RFC 3597 4 lets them be), writes the
 * flat RDATA to out. `msg` stands at the RDATA and ends behind it. Returns the flat length or
 * ERR_FORMAT, ERR_TRUNC, ERR_SPACE. */
int dns_rdata_unpack(uint16_t type, struct rcur *msg, uint16_t rdlen, uint8_t *out, size_t cap);
/* Is flat RDATA well formed for its type? 0 or ERR_FORMAT. */
int dns_rdata_check(uint16_t type, const uint8_t *rd, size_t len);
/* Text fields of one record (already joined without comments and parentheses, RFC 1035 5.1) into
 * flat RDATA; RFC 3597
 * "\# n hex" for every type. origin completes relative names. Returns the length, or an error with
 * *bad set to the byte offset in text and *why to a constant sentence. */
int dns_rdata_parse(uint16_t type, const char *text, size_t len, const uint8_t *origin,
                    uint8_t *out, size_t cap, size_t *bad, const char **why);
/* Presentation form into out (NUL-terminated); returns the length or ERR_SPACE. 4 * len + 64 always
 * suffices... except for RFC 3597 and hex types, where 2 * len + 64 does. */
int dns_rdata_print(uint16_t type, const uint8_t *rd, size_t len, char *out, size_t cap);
/* Lower-cases embedded names in place where RFC 4034 6.2 (as amended by RFC 6840 5.1) says so. */
void dns_rdata_canonical(uint16_t type, uint8_t *rd, size_t len);
/* The name whose addresses belong into the additional section (NS MX SRV KX AFSDB SVCB HTTPS), or
 * NULL. */
const uint8_t *dns_rdata_target(uint16_t type, const uint8_t *rd, size_t len);
/* Offsets of names inside RDATA that a message writer may compress (RFC 1035 types only); returns
 * how many (0..2). */
unsigned dns_rdata_compressible(uint16_t type, const uint8_t *rd, size_t len, uint16_t offsets[2]);

#endif
