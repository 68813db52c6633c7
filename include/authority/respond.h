/* authority/respond.h: a query into an authoritative answer, straight to the wire.
 * RFC 1034 4.3.2 over one zonedb: AA answers, referrals with glue, wildcards, CNAME/DNAME chains
 * across our own zones, NODATA and NXDOMAIN with SOA, DNSSEC records of signed zones when DO is
 * set. Steered names are decided by authority/dynamic.h, and the scope of the answer with them
 * (RFC 7871 7.2.1). No heap, no lock. Threads: any number of readers. */
#ifndef WAYPOST_AUTHORITY_RESPOND_H
#define WAYPOST_AUTHORITY_RESPOND_H

#include "authority/dynamic.h"
#include "authority/zonedb.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"

struct zone_node;

enum authority_result {
    AUTHORITY_NOT_OURS, /* no enclosing zone on this listener: nothing was written (route on, or
                           REFUSED) */
    AUTHORITY_DONE,     /* out holds the answer */
    AUTHORITY_LEAVES, /* out holds the answer as it is, but it ends in an alias out of our zones or
                         in a referral: a listener with both roles and RD=1 may have it completed
                         by the resolver */
};

/* What is known of a question before its turn. Other questions are answered between the steps 0 ..
 * AUTHORITY_STEPS-1, in which memory brings near what the answer will read. */
struct authority_ahead {
    const struct zone *zone; /* NULL: none, or `failed` */
    uint32_t hash;           /* of the name in it */
    bool known, failed;      /* not known: to be looked for when it is its turn */
    bool is_near;            /* `near` is the node that it will be, most likely; NULL: none */
    const struct zone_node *near;
};
enum { AUTHORITY_STEPS = 4 };

struct authority_ask {
    const struct zonedb *db;
    const struct dns_query *query; /* opcode QUERY, one question, class IN (others: NOT_OURS) */
    unsigned listener;
    const struct edns *edns;   /* what to put into the answer's OPT (size, DO copied, NSID, cookie,
                                  the query's   subnet, which gets its scope), NULL: no OPT */
    struct dynamic *dynamic;   /* this worker's, NULL: the zones' own records are all there is */
    const struct addr *client; /* source of the packet, for dynamic */
    size_t limit;              /* octets the client takes (UDP size or 65535) */
    const struct authority_ahead *ahead; /* of this very question and db; NULL: nothing is known */
    bool minimal;             /* leave out the zone's own servers where nobody asked for them */
    bool recursion_available; /* sets RA */
    bool completes;           /* what LEAVES will be completed by the resolver */
    bool again;               /* the same query, answered a second time: see dynamic.h */
};

struct authority_out {
    size_t len;
    uint16_t rcode;
    bool aa, tc;
    bool is_alias;    /* LEAVES: one alias at least was followed, to target */
    uint8_t scope;    /* of all that was decided for this client; 0: the same for all */
    bool is_referral; /* LEAVES: what comes last is a referral; else the target is not ours */
    uint8_t target[DNS_NAME_MAX]; /* lower case, when is_alias */
};

/* Step 0, and each of the others. */
void authority_look_ahead(struct authority_ahead *a, const struct zonedb *db, unsigned listener,
                          const struct dns_query *q, const struct dynamic *dynamic);
void authority_look_on(struct authority_ahead *a, const struct dns_query *q,
                       const struct dynamic *dynamic, unsigned step);

enum authority_result authority_respond(const struct authority_ask *ask, struct dns_writer *scratch,
                                        uint8_t *buf, struct authority_out *out);

#endif
