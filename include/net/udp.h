/* net/udp.h: a UDP listener: our own socket, batched calls, answers in place.
 * recvmmsg into preallocated slots, one handler call per datagram, one sendmmsg for the batch; a
 * busy socket is taken out of epoll and drained batch after batch, timers and others have their
 * turn now and then. PKTINFO only on a wildcard address. Threads: a worker's own. Owner: the
 * worker; slots are shared by all its sockets. */
#ifndef WAYPOST_NET_UDP_H
#define WAYPOST_NET_UDP_H

#include "base/stat.h"
#include "net/handler.h"

#include <uv.h>

struct net_udp;
struct net_batch; /* receive and send slots of one worker */

#define NET_UDP_SLOT 4096 /* octets of one datagram, in and out */

struct net_batch *net_batch_new(void); /* NULL: out of memory */
void net_batch_free(struct net_batch *b);
/* From now on replies to kept queries wait for net_batch_flush, which the owner calls before the
 * loop waits and before it closes a socket. ERR_NOMEM. */
int net_batch_hold(struct net_batch *b);
void net_batch_flush(struct net_batch *b);

/* Binds with SO_REUSEPORT and begins to receive. addr->port 0 takes a free port, see net_udp_port.
 * stats: rows net_stat_rows. ERR_IN_USE, ERR_ACCESS, ERR_UNREACHABLE (not our address), ERR_NOMEM,
 * ERR_SYSTEM. */
int net_udp_open(struct net_udp **u, uv_loop_t *loop, struct net_batch *batch,
                 const struct addr *addr, uint32_t listener_id, struct handler *handler,
                 struct stat_block *stats);
uint16_t net_udp_port(const struct net_udp *u);
/* Stops receiving; kept queries may still be answered. */
void net_udp_stop(struct net_udp *u);
/* Asynchronous: memory goes when the loop has run its close callback. No net_reply afterwards. */
void net_udp_close(struct net_udp *u);

/* Could this address be bound by us alone? Without SO_REUSEPORT, so that a holder is found; its
 * process is named in `holder` ("nsd (pid 4711)", "" when it cannot be seen). 0, ERR_IN_USE,
 * ERR_ACCESS, ERR_UNREACHABLE, ERR_SYSTEM. */
int net_probe_bind(const struct addr *a, enum net_proto proto, char *holder, size_t cap);

/* A port that is free for both UDP and TCP on the address now, and that no client is given by the
 * kernel before it is bound (10000 to 31999). 0: none was found. */
uint16_t net_probe_port(const struct addr *a);

#endif
