/* daemon/worker.h: one thread that answers.
 * Its own loop, sockets, TCP connections, in-flight resolutions, timers, randomness and counters;
 * shares the snapshot, the caches and the resolver's server state. Threads: made, started and freed
 * by the control thread. */
#ifndef WAYPOST_DAEMON_WORKER_H
#define WAYPOST_DAEMON_WORKER_H

#include "daemon/engine.h"
#include "daemon/route.h"

#include <stdatomic.h>
#include <uv.h>

struct worker_shared {
    _Atomic(struct snapshot *) root;
    struct snap_domain domain;
    struct resolver *resolver; /* NULL when no listener resolves */
    struct answers *answers;
    const struct engine *engine;
    const struct clock *clock;
    uint8_t cookie_secret[16];
    int64_t drain_ms;
};

enum worker_stats { WORKER_ROUTE, WORKER_NET, WORKER_RESOLVER, WORKER_STATS };

struct worker;
/* Binds every listener of the snapshot for this worker; ERR_IN_USE, ERR_ACCESS ... with *failed its
 * index. */
int worker_new(struct worker **w, struct worker_shared *shared, unsigned *failed);
int worker_start(struct worker *w);
/* Stops listening, lets queries in flight finish within drain_ms, then the thread ends. Any thread.
 */
void worker_stop(struct worker *w);
/* Joins a started worker and frees everything. */
void worker_free(struct worker *w);
const struct stat_block *worker_stats(const struct worker *w, enum worker_stats which);
struct recorder *worker_recorder(struct worker *w);

#endif
