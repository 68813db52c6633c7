/* net/acl.h: which clients are let in?
 * A short list of prefixes, first match wins, no match denies. Threads: immutable once built.
 * Owner: the caller. */
#ifndef WAYPOST_NET_ACL_H
#define WAYPOST_NET_ACL_H

#include "base/addr.h"

#include <stdbool.h>

struct net_acl_rule {
    struct prefix prefix;
    bool allow;
};

struct net_acl {
    struct net_acl_rule *rules; /* NULL when empty: nobody */
    unsigned count;
};

/* ERR_NOMEM. A zeroed struct is an empty list. */
int net_acl_add(struct net_acl *a, const struct prefix *p, bool allow);
/* Loopback when `listener` is a loopback address, else loopback and the private networks (RFC 1918,
 * ULA, link-local) directly connected through the interface that carries `listener`. ERR_NOMEM,
 * ERR_SYSTEM. */
int net_acl_add_connected(struct net_acl *a, const struct addr *listener);
bool net_acl_allows(const struct net_acl *a, const struct addr *client);
void net_acl_fini(struct net_acl *a);

#endif
