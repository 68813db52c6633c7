/* daemon/route.h: which engine answers this query?
 * net/handler.h implemented: parse, check role and access, our own zones, else the answer cache,
 * else the resolver. Authority and cache hits are answered in place: no heap, no lock. Only a miss
 * keeps a ticket. Threads: one struct route per worker. */
#ifndef WAYPOST_DAEMON_ROUTE_H
#define WAYPOST_DAEMON_ROUTE_H

#include "authority/respond.h"
#include "base/clock.h"
#include "daemon/snapshot.h"
#include "dns/msg_write.h"
#include "gslb/steer.h"
#include "net/handler.h"
#include "resolver/answers.h"
#include "resolver/recorder.h"
#include "resolver/resolver.h"

#define ROUTE_COUNTERS(X)                                                                       \
    X(QUERIES, "route_queries_total", "Requests received on all listeners.")                    \
    X(DROPPED, "route_dropped_total", "Requests that get no answer: too short, or responses.")  \
    X(FORMERR, "route_formerr_total", "Malformed requests.")                                    \
    X(NOTIMP, "route_notimp_total", "Requests with an opcode that is not served.")              \
    X(BADVERS, "route_badvers_total", "Requests with an EDNS version above 0.")                 \
    X(REFUSED, "route_refused_total", "Requests refused by role or access list.")               \
    X(AUTHORITY, "route_authority_total", "Answers from our own zones.")                        \
    X(CACHED, "route_cached_total", "Answers copied from the answer cache.")                    \
    X(RESOLVED, "route_resolved_total", "Questions handed to the resolver.")                    \
    X(REFRESHED, "route_refreshed_total", "Cached answers asked for again before they expire.") \
    X(OVERLOAD, "route_overload_total",                                                         \
      "Questions answered SERVFAIL because too much is in flight.")                             \
    X(SERVFAIL, "route_servfail_total", "SERVFAIL answers.")                                    \
    X(NXDOMAIN, "route_nxdomain_total", "NXDOMAIN answers.")                                    \
    X(TRUNCATED, "route_truncated_total", "Answers with TC set.")

enum route_counter {
#define ROUTE_ENUM(id, name, help) ROUTE_##id,
    ROUTE_COUNTERS(ROUTE_ENUM)
#undef ROUTE_ENUM
        ROUTE_COUNTER_COUNT
};
#define ROUTE_ROOM 65535
extern const struct stat_row route_stat_rows[ROUTE_COUNTER_COUNT];

/* A question that was read before its turn. */
struct route_ahead {
    enum dns_verdict verdict;
    struct dns_query query;
    struct authority_ahead own;
    bool is_hashed; /* not in our zones: the cache is next */
    uint64_t hash;  /* of its answer there */
};

struct route {
    struct handler handler;
    /* fixed at start */
    _Atomic(struct snapshot *) *root;
    struct answers *answers;          /* shared */
    struct resolver_worker *resolver; /* this worker's */
    struct dynamic *dynamic;          /* this worker's, NULL: no names are steered */
    struct gslb_decider *decider;     /* behind `dynamic`, told the plan and the time; or NULL */
    struct recorder *recorder;        /* this worker's */
    struct stat_block *stats;
    const struct clock *clock;
    const uint8_t *cookie_secret; /* 16 octets, shared by all workers */
    uint8_t *room;                /* ROUTE_ROOM octets: an answer from the resolver */
    bool ttl_follows_wall;
    /* changed per batch */
    const struct snapshot *snap; /* borrowed between batch_begin and batch_end */
    int64_t now_s;               /* of the cache's clock */
    /* changed per query */
    struct route_ahead ahead[HANDLER_AHEAD];
    unsigned pending; /* kept queries */
    struct dns_writer writer;
};

void route_init(struct route *r);

#endif
