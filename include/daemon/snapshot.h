/* daemon/snapshot.h: everything a query needs to know that an operator can change, in one immutable
 * root. Built aside from the configuration, checked, published by one pointer. Zones that did not
 * change are shared with the snapshot before. Threads: immutable once built. Owner: the server;
 * workers borrow it for one batch. */
#ifndef WAYPOST_DAEMON_SNAPSHOT_H
#define WAYPOST_DAEMON_SNAPSHOT_H

#include "authority/zonedb.h"
#include "base/diag.h"
#include "base/snap.h"
#include "config/config.h"
#include "daemon/steering.h"
#include "net/acl.h"

#define SNAPSHOT_LISTENERS_MAX 64

enum snapshot_role { ROLE_AUTHORITY = 1, ROLE_RESOLVER = 2 };

struct snapshot_listener {
    struct addr addr;
    char name[64]; /* "" when it has none */
    uint8_t roles; /* enum snapshot_role */
    bool udp, tcp;
    bool any_port;        /* configured as 0; addr has the one that was taken */
    struct net_acl allow; /* who may ask the resolver here */
};

struct snapshot {
    struct part part;
    struct config *config;
    struct zonedb *zones;
    struct gslb_plan *plan; /* what is steered; NULL without gslb */
    struct snapshot_listener listeners[SNAPSHOT_LISTENERS_MAX];
    unsigned listener_count;
    char identity[64]; /* NSID and id.server; "" is none */
    char version[64];  /* version.bind */
    bool chaos;        /* answer class CH */
    uint16_t udp_size; /* our own bound on UDP answers */
    bool minimal_auth;
    uint64_t generation; /* 1, 2, ... */
};

/* Takes the configuration (one holder's share of it). place: for what is steered; NULL when nobody
 * will serve it. before: the snapshot in force, whose zones are kept where a file cannot be loaded;
 * NULL at start, where such a zone is answered SERVFAIL. With the very configuration of `before` no
 * zone is read: only what `gslb` is read from, where it changed. 0 with *s (also when single zones
 * or databases failed: see zone_errors); ERR_INVALID when the configuration as a whole cannot
 * serve, everything said in diags; the configuration is freed then. */
int snapshot_build(struct snapshot **s, struct config *config, const struct snapshot *before,
                   const struct steering_place *place, struct diag_list *diags,
                   unsigned *zone_errors);

#endif
