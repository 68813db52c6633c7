/* dns/msg_parse.h: bytes of a message into meaning.
 * dns_query_parse is the hot path: one question, header, OPT, nothing copied. dns_msg_parse takes a
 * whole response apart into records with expanded names in an arena. Threads: pure. Owner: struct
 * dns_query borrows the packet; struct dns_msg borrows packet and arena. Source: RFC 1035 4, RFC
 * 9619 (QDCOUNT), RFC 6891, RFC 7873 5.4. */
#ifndef WAYPOST_DNS_MSG_PARSE_H
#define WAYPOST_DNS_MSG_PARSE_H

#include "base/arena.h"
#include "dns/edns.h"
#include "dns/name.h"
#include "dns/rrset.h"
#include "dns/type.h"

#define DNS_HEADER_LEN 12

struct dns_query {
    const uint8_t *packet;
    size_t len;
    uint16_t id, flags; /* as received */
    uint8_t opcode;
    bool has_question;
    const uint8_t *qname; /* wire, in the packet, case as asked */
    uint16_t qname_len;   /* octets */
    uint16_t qtype, qclass;
    uint16_t question_end; /* offset behind the question */
    struct edns edns;
};

/* What the listener does with a packet. */
enum dns_verdict {
    DNS_VERDICT_OK, /* a QUERY with one question, or without one but with a cookie (RFC 7873 5.4) */
    DNS_VERDICT_DROP, /* shorter than a header, or a response: no answer at all */
    DNS_VERDICT_FORMERR,
    DNS_VERDICT_NOTIMP, /* opcode is not QUERY (decided before QDCOUNT is judged); NOTIFY and UPDATE
                           too, for now */
    DNS_VERDICT_BADVERS, /* EDNS version above 0; edns is filled */
};
/* Fills as much of q as could be read (q->edns too, so that errors are answered with OPT when there
 * was one). */
enum dns_verdict dns_query_parse(struct dns_query *q, const uint8_t *packet, size_t len);

struct dns_rr {
    const uint8_t *owner; /* wire, expanded */
    const uint8_t *rdata; /* flat */
    uint32_t ttl;         /* above 2^31-1 read as 0 (RFC 2181 8) */
    uint16_t type, cls, rdlen;
    uint8_t section; /* enum dns_section */
};

struct dns_msg {
    uint16_t id, flags;
    uint16_t rcode; /* with the upper bits from OPT */
    uint8_t opcode;
    uint16_t qdcount;     /* 0 or 1; more is ERR_FORMAT */
    const uint8_t *qname; /* expanded; NULL when qdcount is 0 */
    uint16_t qtype, qclass;
    uint16_t counts[4]; /* records kept by section (question unused; OPT not counted) */
    struct dns_rr *rrs; /* in message order, OPT and TSIG left out */
    unsigned rr_count;
    struct edns edns;
    size_t size; /* octets of the packet */
};

/* 0, or ERR_TRUNC, ERR_FORMAT, ERR_POINTER, ERR_NAME_LONG, ERR_NOMEM, ERR_LIMIT (more than max_rrs
 * records). A message with TC set may end early: what was read so far is kept and 0 returned. */
int dns_msg_parse(struct dns_msg *m, const uint8_t *packet, size_t len, struct arena *a,
                  unsigned max_rrs);
/* Groups records of one section into sets (same owner, type, class; RRSIG also by type covered; TTL
 * the lowest; exact duplicates dropped). Sets lie in the arena. Returns their count or ERR_NOMEM.
 */
int dns_msg_rrsets(const struct dns_msg *m, uint8_t section, struct arena *a,
                   struct dns_rrset **sets);

#endif
