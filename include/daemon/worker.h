/* daemon/worker.h: one thread that answers.
 * Its own loop, sockets, TCP connections, in-flight resolutions, timers, randomness and counters;
 * shares the snapshot, the caches and the resolver's server state. Threads: made, started and freed
 * by the control thread. */
#ifndef WAYPOST_DAEMON_WORKER_H
#define WAYPOST_DAEMON_WORKER_H

#include "base/list.h"
#include "daemon/engine.h"
#include "daemon/route.h"
#include "net/stream.h"

#include <stdatomic.h>
#include <uv.h>

struct worker_shared {
    _Atomic(struct snapshot *) root;
    struct snap_domain domain;
    struct resolver *resolver; /* NULL when no listener resolves */
    struct answers *answers;
    const struct engine *engine;
    struct gslb_table *table;     /* what is known of members' health */
    struct gslb_targets *targets; /* and of names that are not ours */
    const struct clock *clock;
    uint8_t cookie_secret[16];
    int64_t drain_ms;
    struct net_stream_limits tcp; /* of each listener */
};

enum worker_stats { WORKER_ROUTE, WORKER_NET, WORKER_RESOLVER, WORKER_STATS };

struct worker;
/* index: 0, 1, ... Binds every listener of the snapshot for this worker; ERR_IN_USE, ERR_ACCESS ...
 * with *failed its index. */
int worker_new(struct worker **w, struct worker_shared *shared, unsigned index, unsigned *failed);
int worker_start(struct worker *w);
/* Stops listening, lets queries in flight finish within drain_ms, then the thread ends. Any thread.
 */
void worker_stop(struct worker *w);
/* Joins a started worker and frees everything. */
void worker_free(struct worker *w);
const struct stat_block *worker_stats(const struct worker *w, enum worker_stats which);
struct recorder *worker_recorder(struct worker *w);
/* What it gave of steered names. */
struct gslb_tally *worker_tally(struct worker *w);

/* A question from the control loop, answered by a worker's own engine with its caches and server
 * state. Owner: the asker, until done. */
struct worker_question {
    struct list link; /* the worker's */
    struct worker *worker;
    uint8_t qname[255]; /* wire */
    uint16_t qtype;
    bool dnssec_ok;
    struct edns_subnet subnet; /* a client's network to be told (resolver_ask); family 0: none */
    /* Called once, on the worker's thread. json: the walk (resolver/trace.h), malloc'ed, the
     * callee's; NULL: it could not be asked. */
    void (*done)(struct worker_question *q, char *json);
    /* Instead of done, when it is set: the result itself, borrowed for the call; NULL as above. */
    void (*result)(struct worker_question *q, const struct resolver_result *res);
};
/* Any thread. ERR_UNSUPPORTED: no listener resolves; ERR_CLOSED: the worker is ending. */
int worker_ask(struct worker *w, struct worker_question *q);

#endif
