/* dns/edns.h: the OPT record and its options.
 * Parsing is strict where the RFCs say FORMERR, silent for unknown options, bounded to 32 options.
 * Threads: pure. Source: RFC 6891, 7873, 7871, 5001, 7828, 7830, 8914. */
#ifndef WAYPOST_DNS_EDNS_H
#define WAYPOST_DNS_EDNS_H

#include "base/addr.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stdint.h>

enum edns_option {
    EDNS_NSID = 3,
    EDNS_CLIENT_SUBNET = 8,
    EDNS_EXPIRE = 9,
    EDNS_COOKIE = 10,
    EDNS_KEEPALIVE = 11,
    EDNS_PADDING = 12,
    EDNS_EDE = 15,
    EDNS_EXPLAIN = 65100, /* ours, from the range for local use (RFC 6891 9): "why this answer?" */
};
#define EDNS_OPTIONS_MAX 32
#define EDNS_SIZE_MIN    512
#define EDNS_FLAG_DO     0x8000
#define EDNS_EDE_MAX     4
#define EDNS_COOKIE_MAX  40 /* client 8, server 8 to 32 */

struct edns_subnet {
    uint8_t family;   /* 1 or 2; 0: absent */
    uint8_t source;   /* prefix length in the query */
    uint8_t scope;    /* prefix length in the answer */
    uint8_t ip[16];   /* the family's own bytes first, zero beyond source */
    bool unspecified; /* an opt-out written with family 0, as dig +subnet=0 does: family is 1 */
};

struct edns_ede {
    uint16_t code;
    uint16_t text_len;
    const char *text; /* borrowed, not NUL-terminated when parsed from a message */
};

/* Facts of one OPT record. When parsed, pointers go into the message. */
struct edns {
    bool present;
    bool dnssec_ok;
    bool nsid;      /* asked (empty), or answered (nsid_data) */
    bool keepalive; /* present */
    bool padding;   /* present */
    bool explain;   /* asked; what is in it is not looked at */
    uint8_t version;
    uint8_t rcode_high; /* upper 8 bits of the extended rcode */
    uint16_t size;      /* payload size, at least 512 */
    uint8_t cookie_len; /* 0, 8, or 16..40 */
    uint8_t ede_count;
    uint16_t keepalive_100ms; /* answers only */
    uint16_t nsid_len;
    uint8_t cookie[EDNS_COOKIE_MAX];
    const uint8_t *nsid_data;
    struct edns_subnet subnet;
    struct edns_ede ede[EDNS_EDE_MAX];
};

/* class, ttl and RDATA of an OPT record. 0, or ERR_FORMAT (answer FORMERR). is_query: the stricter
 * rules for requests (subnet scope must be 0, bits beyond source zero, family known; cookie length
 * 8 or 16..40; NSID empty). */
int edns_parse(struct edns *e, uint16_t cls, uint32_t ttl, const uint8_t *rdata, size_t len,
               bool is_query);
/* The whole OPT record (root owner, type, class, ttl, options). Sticky error in w. rcode: all 12
 * bits. pad_to: when padding is set, pads the message to a multiple of it (RFC 8467), counting from
 * w->start; 0 is none. */
void edns_write(const struct edns *e, uint16_t rcode, unsigned pad_to, struct wcur *w);
/* The same with no option but the subnet (family 0: none), RCODE below 16; p has room. Returns the
 * octets written. */
size_t edns_write_bare(uint8_t *p, uint16_t size, bool dnssec_ok, const struct edns_subnet *subnet);
/* Octets that edns_write will need, without padding. */
size_t edns_size(const struct edns *e);

/* The same network of the same length, or both none; scopes may differ. */
bool edns_subnet_equal(const struct edns_subnet *a, const struct edns_subnet *b);

#endif
