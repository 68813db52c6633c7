/* gslb/target.h: addresses of names that are not ours, for ALIAS and members given by host name.
 * A query never waits: it is answered from the last fetched set that covers the client. What is
 * kept per target is one immutable book (a set for everybody, and sets per network where the
 * other side's answers had a scope, RFC 7871), replaced as a whole when a fetch ends. A client that
 * no set of its own covers gets the set for everybody with a short TTL and starts a fetch for its
 * network. Sets are fetched again before they expire, and stay in use while fetching fails.
 * "Does not exist" is believed when the other side says it twice in a row; until then, and while
 * nothing is learnt, the last set stays. Networks are told by their first 24 (IPv4) or 56 bits.
 * Threads: find by workers, without lock or heap; all else by the control loop. A book that was
 * replaced is freed when every reader of the workers' snap_domain was quiet after that. */
#ifndef WAYPOST_GSLB_TARGET_H
#define WAYPOST_GSLB_TARGET_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/snap.h"
#include "dns/edns.h"
#include "dns/rrset.h"

#include <jansson.h>

#define GSLB_NO_TARGET        UINT32_MAX
#define GSLB_TARGET_ADDRESSES 64    /* per set and family */
#define GSLB_TARGET_NETWORKS  4096  /* sets per target; the one that was not used longest goes */
#define GSLB_TARGET_SHORT_S   5     /* TTL while a set of its own is being fetched */
#define GSLB_TARGET_STALE_S   86400 /* a set that cannot be fetched again is used for so long */

/* ---- seam: who looks names up ---- */

struct gslb_fetched {
    int err; /* 0; ERR_NOT_FOUND: the name or its addresses do not exist (authoritative);
                ERR_TIMEOUT, ERR_SYSTEM ...: nothing was learnt, or, when there is a set, of the
                other family; its last addresses stay */
    const struct dns_rrset *a, *aaaa; /* borrowed for the call; NULL: none */
    uint32_t ttl;
    uint8_t scope; /* of the answer, in the subnet's family; 0: for everybody */
};
typedef void gslb_fetch_done(void *arg, const struct gslb_fetched *f);
struct gslb_fetcher {
    /* Both families of one name, aliases followed. subnet may be NULL: nothing of any client is
     * told. done is called once on the control loop, never from inside; also after the targets are
     * gone, which then take no notice. An error: done is not called. */
    int (*fetch)(struct gslb_fetcher *f, const uint8_t *name, const struct edns_subnet *subnet,
                 gslb_fetch_done *done, void *arg);
    bool subnets; /* knows how to send one; else only the set for everybody is kept */
};

/* ---- the targets ---- */

struct gslb_targets;
/* domain: of the workers that call find. ERR_NOMEM. */
int gslb_targets_new(struct gslb_targets **t, struct gslb_fetcher *f, const struct clock *clock,
                     struct snap_domain *domain);
/* The workers have ended. */
void gslb_targets_free(struct gslb_targets *t);
/* The index of this name (wire), the same for the life of the process; new ones are taken. Any
 * thread but a worker. subnets: clients' networks may be told (an alias; not a host member).
 * ERR_LIMIT, ERR_NOMEM. */
int gslb_targets_take(struct gslb_targets *t, const uint8_t *name, bool subnets, uint32_t *index);
/* From now on only these are fetched and kept. */
void gslb_targets_keep(struct gslb_targets *t, const uint32_t *index, unsigned count);
/* Fetches what is due (new ones at once, others before they expire, and what workers asked for, at
 * most 4 outstanding per target). Returns milliseconds until it wants to be called again. */
unsigned gslb_targets_turn(struct gslb_targets *t);

struct gslb_target_found {
    const uint8_t *rdata[2]; /* A, AAAA: as struct dns_rrset, borrowed until the thread is quiet */
    uint16_t count[2], size[2];
    uint32_t ttl;  /* what is left, or the short one */
    uint8_t scope; /* in the subnet's family */
    bool stale;
};
/* False: nothing was ever fetched, or it does not exist. subnet NULL or of length 0: the set for
 * everybody, scope 0. now_s: of the monotonic clock. The control loop may ask too: what it is given
 * lives until its next turn. */
bool gslb_target_find(struct gslb_targets *t, uint32_t index, const struct edns_subnet *subnet,
                      uint32_t now_s, struct gslb_target_found *out);
/* [{name, fetched, expires, sets, addresses, failures, last}]: of the set for everybody, seconds
 * since it was fetched and until it expires (null: there is none), and failures in a row; sets and
 * addresses of all networks. NULL: out of memory. The control loop's. */
json_t *gslb_targets_status(const struct gslb_targets *t);

#endif
