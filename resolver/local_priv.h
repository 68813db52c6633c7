/* local_priv.h: names that are answered here: special-use names and the operator's own.
 * Threads: immutable once made. Source: RFC 6761, 6303, 7686, 7793, 9476. */
#ifndef WAYPOST_RESOLVER_LOCAL_PRIV_H
#define WAYPOST_RESOLVER_LOCAL_PRIV_H

#include "base/arena.h"
#include "resolver/resolver.h"

struct local;
struct local_answer {
    uint16_t rcode;
    const char *action;   /* for the trace */
    struct dns_rrset set; /* LOCAL_DATA with a record of the type (or a CNAME): count > 0 */
    struct dns_rrset soa; /* negative: count 1 */
};

/* Copies what it needs into the arena. NULL: out of memory. */
struct local *local_new(const struct resolver_options *o, struct arena *a);
/* False: not a name of ours. Sets lie in the arena. */
bool local_find(const struct local *l, const uint8_t *name, uint16_t type, struct arena *a,
                struct local_answer *out);

#endif
