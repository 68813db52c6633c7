/* dns/rrset.h: a set of records with one owner, type, class and TTL.
 * RDATA is held as the wire has it, uncompressed: count times (16-bit big-endian length, octets),
 * end to end, so that a set without embedded names is copied as it is. Threads: immutable once
 * made. Owner: whoever made the bytes. Source: RFC 2181 5. */
#ifndef WAYPOST_DNS_RRSET_H
#define WAYPOST_DNS_RRSET_H

#include "base/cursor.h"

#include <stdint.h>

struct dns_rrset {
    const uint8_t *owner; /* wire name */
    const uint8_t *rdata; /* see above */
    uint32_t size;        /* octets of rdata */
    uint32_t ttl;         /* seconds */
    uint16_t type, cls;
    uint16_t count;  /* records */
    uint16_t covers; /* RRSIG sets: the type covered, else 0 */
};

struct dns_rd {
    const uint8_t *at; /* RDATA octets */
    uint16_t len;
};

/* Walks the records: for (p = set->rdata; p < set->rdata + set->size; ) { struct dns_rd rd =
 * dns_rd_next(&p); ... } */
static inline struct dns_rd dns_rd_next(const uint8_t **p)
{
    struct dns_rd rd = {*p + 2, get_u16(*p)};
    *p = rd.at + rd.len;
    return rd;
}
#define DNS_RR_FOR(rd, set)                                                                      \
    for (const uint8_t *rd##_p = (set)->rdata, *rd##_e = rd##_p + (set)->size; rd##_p < rd##_e;) \
        for (struct dns_rd rd = dns_rd_next(&rd##_p), *rd##_once = &rd; rd##_once; rd##_once = NULL)

#endif
