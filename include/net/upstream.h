/* net/upstream.h: net/transport.h on real sockets.
 * UDP: a rotating pool of sockets on random ports of the full range; a socket takes no new question
 * after 16 or one second and stays open until its last attempt has ended. Questions of one turn of
 * the loop leave together, when a socket has its 16 or the turn ends. ICMP errors are ignored.
 * TCP: one connection per server, reused and pipelined. Threads: a worker's own. Owner: the worker;
 * close is asynchronous. Source: RFC 5452, RFC 7766, RFC 9715. */
#ifndef WAYPOST_NET_UPSTREAM_H
#define WAYPOST_NET_UPSTREAM_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/stat.h"
#include "net/transport.h"

#include <uv.h>

struct upstream;

struct upstream_options {
    struct addr source[2]; /* IPv4, IPv6 to send from; family 0: any */
    unsigned sockets;      /* UDP sockets at once: 1024 */
    unsigned connections;  /* TCP connections at once: 256 */
    unsigned connect_ms;   /* 2000 */
    unsigned idle_ms;      /* 10000 */
};
void upstream_options_default(struct upstream_options *o);

/* rng, clock and stats (rows net_stat_rows) are borrowed. ERR_NOMEM. */
int upstream_new(struct upstream **u, uv_loop_t *loop, struct rng *rng, const struct clock *clock,
                 const struct upstream_options *o, struct stat_block *stats);
struct transport *upstream_transport(struct upstream *u);
/* Sends what waits, which happens anyhow before the loop waits: for an owner who has to have heard
 * of failures by then. */
void upstream_flush(struct upstream *u);
/* All attempts must be over. Memory goes when the loop has run the close callbacks. */
void upstream_close(struct upstream *u);

#endif
