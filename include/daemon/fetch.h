/* daemon/fetch.h: who looks up names that are not ours (the seam of gslb/target.h).
 * Either configured servers, asked by c-ares, or our own resolver, asked through a worker; both can
 * be told a client's network (RFC 7871). libc's resolver is never asked.
 * Threads: the control loop's. Owner: fetch_close gives all memory back. */
#ifndef WAYPOST_DAEMON_FETCH_H
#define WAYPOST_DAEMON_FETCH_H

#include "base/addr.h"
#include "daemon/worker.h"
#include "gslb/target.h"

#include <uv.h>

struct fetch_timing {
    unsigned timeout_ms; /* of the first attempt at each server; then doubled: 1000 */
    unsigned tries;      /* of all servers: 2 */
};
/* Servers that resolve (RD is set), in order. timing NULL: as above. ERR_NOMEM, ERR_SYSTEM,
 * ERR_INVALID: no server. */
int fetch_servers_new(struct gslb_fetcher **f, uv_loop_t *loop, const struct addr *servers,
                      unsigned count, const struct fetch_timing *timing);

/* Hands the question to a worker (worker_ask). An error: its result is not called. */
typedef int fetch_ask(void *arg, struct worker_question *q);
/* Our own resolver. ERR_NOMEM, ERR_SYSTEM. */
int fetch_self_new(struct gslb_fetcher **f, uv_loop_t *loop, fetch_ask *ask, void *arg);

/* What is outstanding ends with ERR_CANCELLED (our own resolver's when its workers answer, at the
 * latest when they have ended); then closed is called on the loop, and f is gone. */
void fetch_close(struct gslb_fetcher *f, void (*closed)(void *arg), void *arg);

#endif
