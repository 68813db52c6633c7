/* resolver/resolver.h: ask the rest of the world.
 * One struct resolver is shared by all workers (cache, server state, options); each worker has a
 * resolver_worker (transport, timers, randomness, questions in flight). A client's question becomes
 * a request: cache, then the walk of RFC 1034 5.3.3 as a step table; equal questions share one
 * walk, those of other workers too (resolver/coalesce.h). Threads: struct resolver is shared
 * (sharded locks on misses only); a resolver_worker belongs to one thread. Source: RFC 1034 5.3.3,
 * 2181, 2308, 5452, 8020, 9156, 9520; limits from docs and RFC 9520. */
#ifndef WAYPOST_RESOLVER_RESOLVER_H
#define WAYPOST_RESOLVER_RESOLVER_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/stat.h"
#include "base/wheel.h"
#include "dns/edns.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"
#include "net/transport.h"

struct resolver;
struct resolver_worker;
struct request;

/* Work pools, charged to the client's query; they never refill within it. */
struct resolver_limits {
    uint16_t total;    /* upstream queries in all: 120 */
    uint16_t walk;     /* along the delegation path: 40 */
    uint16_t ns_addr;  /* for addresses of name servers: 32 */
    uint16_t ns_names; /* NS names resolved: 16, and ns_names_step per step: 4 */
    uint16_t ns_names_step;
    uint16_t aliases; /* CNAME and DNAME links: 11 */
    uint16_t ns_set; /* NS records looked at in one referral: 20, of which ns_sample are used: 13 */
    uint16_t ns_sample;
    uint32_t bytes;    /* received: 131072 */
    uint32_t query_ms; /* wall time of the whole query: 6000 */
    uint32_t steps;    /* of the step table: 4000, far above what the others allow */
    /* Questions in flight at a worker: 4000. When there are more, the oldest fails, so that those
     * whose servers never answer do not shut out the rest; but none is younger than
     * RESOLVER_TURN_MS then, by when a server never heard of had its time. */
    uint32_t in_flight;
};
#define RESOLVER_TURN_MS 400

struct resolver_forward { /* a forward zone: everything at or below it goes to these servers, RD set
                           */
    const uint8_t *zone;  /* wire, borrowed for the resolver's life */
    const struct addr *servers;
    unsigned server_count;
};

enum resolver_local_action { LOCAL_DATA, LOCAL_NXDOMAIN, LOCAL_NODATA, LOCAL_REFUSE };
struct resolver_local {
    const uint8_t *name;               /* wire, borrowed */
    uint16_t type;                     /* LOCAL_DATA: record type */
    enum resolver_local_action action; /* others: the name and everything below */
    uint32_t ttl;
    const uint8_t *rdata; /* flat */
    uint16_t rdlen;
};

struct resolver_options {
    struct resolver_limits limits;
    uint64_t cache_bytes; /* both tiers together */
    uint32_t ttl_min_s, ttl_max_s, ttl_negative_max_s;
    bool full_responses; /* with what the cache knows beside the answer */
    bool qname_minimisation, case_randomisation, cookies, priming, harden_glue, special_zones;
    bool use_ipv4, use_ipv6;
    bool ask_loopback,
        ask_private; /* addresses of the lab and of split networks are asked only when allowed */
    bool ttl_follows_wall; /* cache expiry by the wall clock (fakeable) instead of the monotonic one
                            */
    unsigned refresh_percent; /* of a TTL left: soon; 10 */
    uint16_t upstream_port;   /* 53 */
    uint16_t edns_size;       /* 1232 */
    const char *hints_text;   /* root hints as master file text; NULL: built in */
    const struct resolver_forward *forward;
    unsigned forward_count;
    const struct resolver_local *local;
    unsigned local_count;
};
void resolver_options_default(struct resolver_options *o);

/* ERR_NOMEM, ERR_SYNTAX (hints; said in diags). Copies what it needs of the options. */
struct diag_list;
int resolver_new(struct resolver **r, const struct resolver_options *o, const struct clock *clock,
                 struct diag_list *d);
/* The record cache (half of cache_bytes; the answers of tier one are the daemon's) and what was
 * learned about servers, for `cache show`, flushes and status. Borrowed. */
struct cache;
struct servers;
struct cache *resolver_cache(struct resolver *r);
struct servers *resolver_servers(struct resolver *r);
/* After all workers are gone. */
void resolver_free(struct resolver *r);

/* transport, wheel, rng, stats are the worker's and outlive it. stats: rows resolver_stat_rows. The
 * driver runs the wheel. cross-thread waking (another worker's answer): `wake` is called from any
 * thread, under a lock, and must do no more than make the worker call resolver_worker_drain soon;
 * NULL in single-threaded use: such a worker never waits for another. */
int resolver_worker_new(struct resolver_worker **w, struct resolver *r, struct transport *t,
                        struct wheel *wheel, struct rng *rng, struct stat_block *stats,
                        void (*wake)(void *arg), void *wake_arg);
void resolver_worker_drain(struct resolver_worker *w);
/* Cancels everything in flight (their callbacks fire with SERVFAIL). */
void resolver_worker_free(struct resolver_worker *w);

extern const struct stat_row resolver_stat_rows[];
extern const size_t resolver_stat_count;

/* One client question. */
struct resolver_ask {
    const uint8_t *qname; /* wire, copied */
    uint16_t qtype, qclass;
    uint16_t flags; /* RD, CD as asked */
    bool dnssec_ok;
    bool trace;   /* keep the recorder's events for resolver_result.trace */
    bool refresh; /* what expires soon (refresh_percent) is asked for again */
    /* A referral out of a zone of our own, as a message (copied): the walk begins there, and what
     * lies below the cut is kept apart from what the world says of it, by view (a listener's
     * number). NULL: none. */
    const uint8_t *referral;
    size_t referral_len;
    uint8_t view; /* below RESOLVER_VIEWS */
    /* A client's network, told to the servers of the zones that hold the answer (RFC 7871) when
     * addresses are asked for; scope is not looked at, family 0: none. The answer is never from,
     * and never for, those who ask without one, unless it is for everybody. Not with a referral. At
     * most four networks of a name and type are asked for at once (resolver/coalesce.h); more are
     * SERVFAIL. */
    struct edns_subnet subnet;
};
#define RESOLVER_VIEWS 64

struct resolver_result {
    uint16_t rcode;
    const struct dns_rrset *answer; /* in chain order; TTLs left now */
    unsigned answer_count;
    const struct dns_rrset *authority; /* SOA of negative answers; proofs: NSEC, NSEC3 */
    unsigned authority_count;
    const struct dns_rrset *additional; /* addresses of what the answer names (full responses) */
    unsigned additional_count;
    struct edns_ede ede[EDNS_EDE_MAX];
    unsigned ede_count;
    uint8_t scope; /* bits of the subnet, in its family, that the answer is for; 0: for everybody */
    bool from_cache;
    int64_t took_us;
    const uint8_t *trace; /* recorder's events (resolver/trace.h), or NULL */
    size_t trace_len;
};
/* Called exactly once; what it borrows is gone when it returns. */
typedef void resolver_done(void *arg, const struct resolver_result *res);
/* May call done before it returns when cache or local data answer (res->from_cache); then *req is
 * NULL. Otherwise *req can be cancelled. 0; ERR_NOMEM, ERR_LIMIT (too many in flight, none of them
 * old enough to give way; half as many for a refresh, for which none gives way) or ERR_INVALID (the
 * referral says nothing of the name): done is not called. */
int resolver_ask(struct resolver_worker *w, const struct resolver_ask *ask, resolver_done *done,
                 void *arg, struct request **req);
/* done is not called any more. */
void resolver_cancel(struct resolver_worker *w, struct request *req);

/* Writes a result as a response to q. RA set, AA clear. limit: octets the client takes; TC when it
 * does not fit. Signatures only when q asked with DO. Returns the length. */
size_t resolver_write(const struct resolver_result *res, const struct dns_query *q,
                      const struct edns *e, size_t limit, struct dns_writer *scratch, uint8_t *buf);

#endif
