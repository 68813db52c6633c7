/* authority/dynamic.h: seam: an answer decided now.
 * Some owner names of a zone are steered: which records they give is decided per query, above this
 * folder (gslb). They are put into the zone's tree when it is loaded, so that empty non-terminals,
 * wildcards and denial are right, and override there only the types they may yield; the zone's own
 * records of those types are what DYNAMIC_STATIC answers with.
 * A query may ask more than once: an alias of the zone leads to a steered name, or the answer
 * turned out too long and is written again (`again`). The widest scope then holds for all of it,
 * also one of DYNAMIC_STATIC; errors go out with scope 0. Threads: decide is called by workers, on
 * the query path: no heap, no lock, no waiting. */
#ifndef WAYPOST_AUTHORITY_DYNAMIC_H
#define WAYPOST_AUTHORITY_DYNAMIC_H

#include "base/addr.h"
#include "dns/edns.h"
#include "dns/rrset.h"

#include <stdbool.h>

/* A name to put into a zone's tree. */
struct dynamic_name {
    const uint8_t *owner; /* wire, lower case, at or below the origin; may be a wildcard */
    uint32_t id;          /* what decide is asked about */
    bool alias;           /* some branch yields a CNAME: no other data may lie there */
    /* The types that some branch yields (A, AAAA, TXT ...), rising; ALIAS targets count as A, AAAA.
     */
    const uint16_t *types;
    unsigned type_count;
    const char *file; /* where it is declared, for errors */
    unsigned line;
};

enum dynamic_verdict {
    DYNAMIC_STATIC,  /* this type is not steered, or the zone's own records are the answer */
    DYNAMIC_SET,     /* `set`: of the type asked, or a CNAME */
    DYNAMIC_NODATA,  /* the name exists, this branch has nothing of this type */
    DYNAMIC_REFUSED, /* RCODE REFUSED, no records */
    DYNAMIC_FAILED   /* nothing is known yet: the zone's own records, else SERVFAIL */
};

struct dynamic_ask {
    uint32_t id;
    const uint8_t *owner; /* of the node: the declared name; an id may be another name's by now */
    const uint8_t *qname; /* as asked */
    uint16_t qtype;       /* ANY: one type is chosen (RFC 8482) */
    const struct addr *client;        /* source of the packet */
    const struct edns_subnet *subnet; /* of the query; family 0: none */
    bool again;   /* this query was decided before: it takes no second turn and counts once */
    bool explain; /* the query asks why (EDNS_EXPLAIN) */
};
struct dynamic_answer {
    enum dynamic_verdict verdict;
    struct dns_rrset
        set;         /* owner is not set; rdata borrowed until the next decide of this worker */
    uint32_t ttl;    /* SET: of all records; NODATA: bound of the negative TTL */
    uint8_t scope;   /* RFC 7871, in the family of `subnet`; 0: the client did not matter */
    const char *why; /* EDE text for a client that may know, or NULL; as long-lived as rdata */
};

/* One per worker. ahead: decide may soon be asked with this subnet (family 0: none), and once it is
 * known (else NULL) about this id; steps 0 .. 3, with other work between them, to bring near what
 * it will read. Changes nothing; may be NULL. */
struct dynamic {
    void (*decide)(struct dynamic *d, const struct dynamic_ask *ask, struct dynamic_answer *out);
    void (*ahead)(const struct dynamic *d, const struct edns_subnet *subnet, const uint32_t *id,
                  unsigned step);
};

#endif
