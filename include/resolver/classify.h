/* resolver/classify.h: what does this reply mean to the one who walks?
 * Threads: pure. Source: RFC 1034 5.3.3 step 4, RFC 2308 2, RFC 6672. */
#ifndef WAYPOST_RESOLVER_CLASSIFY_H
#define WAYPOST_RESOLVER_CLASSIFY_H

#include "dns/msg_parse.h"

struct classify {
    const struct dns_msg *msg;
    const uint8_t *zone;  /* the zone the server was asked as */
    const uint8_t *qname; /* as asked */
    uint16_t qtype;
    bool forwarded; /* from a resolver: neither AA nor referrals are expected */
    bool udp;
};

/* A CLASS_ of resolver/stats_priv.h; class_name() prints it. */
int classify_reply(const struct classify *c);
/* The first record of the section with this owner and type (0: any but RRSIG), or NULL. */
const struct dns_rr *classify_find(const struct dns_msg *m, uint8_t section, const uint8_t *owner,
                                   uint16_t type);

#endif
