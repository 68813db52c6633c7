/* dns/cookie.h: server cookies that any of our servers can check.
 * version 1, reserved, timestamp, SipHash-2-4 over client cookie, those and the client's address.
 * Threads: pure. Source: RFC 7873, RFC 9018 4. */
#ifndef WAYPOST_DNS_COOKIE_H
#define WAYPOST_DNS_COOKIE_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define DNS_COOKIE_LEN 24 /* client 8 + server 16 */

/* The whole cookie for an answer; client_cookie is the client's 8 octets. */
void dns_cookie_make(uint8_t out[DNS_COOKIE_LEN], const uint8_t *client_cookie,
                     const uint8_t secret[16], const struct addr *client, uint32_t now_s);
/* A cookie of 24 octets as sent: right hash, not older than an hour, not more than five minutes
 * ahead (RFC 9018 4.3). */
bool dns_cookie_is_valid(const uint8_t *cookie, size_t len, const uint8_t secret[16],
                         const struct addr *client, uint32_t now_s);

#endif
