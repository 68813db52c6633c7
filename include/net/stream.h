/* net/stream.h: a TCP listener: the same queries with two octets of length in front.
 * Frames may be split or coalesced in any way; queries are answered as they come and may finish out
 * of order; all answers of one read leave in one write. A connection that is half closed is served
 * to the end. Idle and first-octet timeouts, a bound on what waits to be written, limits per client
 * and in all that close the idlest connection first. Threads: a worker's own. Source: RFC
 * 1035 4.2.2, RFC 7766, RFC 7828. */
#ifndef WAYPOST_NET_STREAM_H
#define WAYPOST_NET_STREAM_H

#include "base/stat.h"
#include "net/handler.h"

#include <uv.h>

struct net_stream;

struct net_stream_limits {
    unsigned connections; /* in all: 1000 */
    unsigned per_client;  /* from one address: 100 */
    unsigned first_ms;    /* until the first complete query: 5000 */
    unsigned idle_ms;     /* without traffic, nothing owed: 10000 */
    unsigned total_ms;    /* life of a connection: 600000 */
    unsigned write_queue; /* octets waiting for a client that does not read: 262144 */
};
void net_stream_limits_default(struct net_stream_limits *l);

/* Binds with SO_REUSEPORT and listens. Errors as net_udp_open. */
int net_stream_open(struct net_stream **s, uv_loop_t *loop, const struct addr *addr,
                    uint32_t listener_id, struct handler *handler,
                    const struct net_stream_limits *limits, struct stat_block *stats);
uint16_t net_stream_port(const struct net_stream *s);
unsigned net_stream_connections(const struct net_stream *s);
/* Takes no new connections; those open go on. */
void net_stream_stop(struct net_stream *s);
/* Asynchronous: closes all connections; the memory goes with the last close callback and the last
 * kept query (net_reply and net_forget stay allowed). */
void net_stream_close(struct net_stream *s);

#endif
