/* dns/msg_write.h: meaning into the bytes of a message.
 * Sections are written in order; a set that does not fit is taken back whole (ERR_SPACE), so that
 * the caller can set TC or leave it out. Names are compressed through a small hash table with a
 * bounded number of targets, so that time is linear in the bytes written. The OPT record comes
 * last, in room reserved for it. Threads: one owner. Owner: the caller owns the buffer; no heap.
 * Source: RFC 1035 4.1.4, RFC 2181 9, RFC 6891. */
#ifndef WAYPOST_DNS_MSG_WRITE_H
#define WAYPOST_DNS_MSG_WRITE_H

#include "base/cursor.h"
#include "dns/edns.h"
#include "dns/rrset.h"
#include "dns/type.h"

#define DNS_COMPRESS_SLOTS 256 /* power of two; at most half are used: 128 targets */

struct dns_writer {
    struct wcur out;
    uint16_t counts[4];
    uint16_t reserved; /* octets kept free for OPT */
    uint16_t targets;  /* entries used in table */
    uint16_t question; /* octets of the question's name, which lies behind the header; 0: none */
    bool compress;
    bool entered; /* the question's name and what it ends in are in the table */
    struct dns_writer_slot {
        uint16_t check;  /* part of the suffix's hash */
        uint16_t offset; /* 0: empty */
    } table[DNS_COMPRESS_SLOTS];
    uint64_t used[DNS_COMPRESS_SLOTS /
                  64]; /* which slots hold something: only this is cleared by init */
};

/* cap: buffer size or what the client takes, whichever is less; at least 12. The header is room for
 * now. */
void dns_writer_init(struct dns_writer *w, uint8_t *buf, size_t cap);
/* Keeps n octets free at the end (edns_size); dns_writer_finish uses them. */
void dns_writer_reserve(struct dns_writer *w, size_t n);
int dns_writer_question(struct dns_writer *w, const uint8_t *qname, uint16_t qtype,
                        uint16_t qclass);
/* The whole set into the section, with `owner` and `ttl` instead of the set's own (a wildcard's
 * owner, a lowered TTL). first: index of the record to begin with (round-robin), 0 normally.
 * ERR_SPACE: nothing was written. */
int dns_writer_rrset(struct dns_writer *w, enum dns_section section, const struct dns_rrset *set,
                     const uint8_t *owner, uint32_t ttl, unsigned first);
/* Header and OPT (when e is not NULL and e->present). rcode: all 12 bits. Returns the message
 * length; never fails when the room was reserved. */
size_t dns_writer_finish(struct dns_writer *w, uint16_t id, uint16_t flags, uint16_t rcode,
                         const struct edns *e, unsigned pad_to);
/* A header with the query's question (when it has one) and rcode only: FORMERR, NOTIMP, REFUSED,
 * SERVFAIL, BADVERS. e: the OPT to answer with, or NULL. Keeps RD and CD of the query, sets QR and
 * `flags`. Returns the length. */
struct dns_query;
size_t dns_write_error(const struct dns_query *q, uint8_t *buf, size_t cap, uint16_t flags,
                       uint16_t rcode, const struct edns *e);

#endif
