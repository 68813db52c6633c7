/* fetch_priv.h: one look-up, both families, as both kinds of fetchers fill it.
 * The control loop's, but for a half, which another thread may fill before it hands it over. */
#ifndef WAYPOST_FETCH_PRIV_H
#define WAYPOST_FETCH_PRIV_H

#include "base/list.h"
#include "daemon/fetch.h"

#define FETCH_RRS_MAX 256

struct fetch_half {
    int err;      /* 0; ERR_NOT_FOUND: no such records; else nothing was learnt */
    bool no_name; /* ERR_NOT_FOUND: of any type */
    uint8_t scope;
    uint16_t count;
    uint32_t ttl;
    uint8_t rdata[GSLB_TARGET_ADDRESSES * 18];
};
struct fetch_lookup {
    struct list link; /* ended, or free for the fetcher's use */
    gslb_fetch_done *done;
    void *arg;
    uint8_t qname[255];
    unsigned open; /* halves that are still asked */
    struct fetch_half half[2];
};
/* What a reply says of one family: aliases are followed through `answer`. referral: it names other
 * servers and has no SOA, so it denies nothing. */
struct fetch_reply {
    uint16_t rcode;
    const struct dns_rrset *answer;
    unsigned answer_count;
    bool referral;
};
void fetch_half_read(struct fetch_half *h, const uint8_t *qname, uint16_t qtype,
                     const struct fetch_reply *r);
/* Both halves are filled: tells who asked, and frees. */
void fetch_lookup_end(struct fetch_lookup *l);

/* What both kinds have in front. */
struct fetch {
    struct gslb_fetcher fetcher; /* first */
    void (*close)(struct fetch *f);
    void (*closed)(void *arg);
    void *closed_arg;
    bool closing;
};

#endif
