/* net/handler.h: seam: who receives a query?
 * A listener (UDP, TCP, later TLS and DoH) hands each request to one handler per worker. The
 * handler answers in place now, drops it, or keeps a ticket and replies later. All transports
 * differ only below this header. Threads: answer() runs on the worker that owns the socket;
 * net_reply() must be called on that worker as well (hand over through the worker's queue). */
#ifndef WAYPOST_NET_HANDLER_H
#define WAYPOST_NET_HANDLER_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_proto { NET_PROTO_UDP, NET_PROTO_TCP };

struct net_listener; /* of the implementation */

struct net_packet {
    const uint8_t *at;
    size_t len;
};
#define HANDLER_AHEAD 8

/* One request. Fixed by the listener; the handler fills out and out_len. */
struct net_query {
    const uint8_t *packet; /* valid until answer() returns */
    size_t len;
    uint8_t *out;       /* room for an in-place answer */
    size_t out_cap;     /* at least 512; UDP: the listener's own bound (4096 slots), TCP: 65535 */
    size_t out_len;     /* set with HANDLER_ANSWERED */
    struct addr client; /* with port */
    const struct addr *local; /* the listener's address */
    enum net_proto proto;
    uint32_t listener_id; /* index given when the listener was made: role, ACL, zone set */
    unsigned ahead;       /* 1 + place among the packets last given to handler.ahead; 0: none */
    void *priv;           /* the transport's own, for net_ticket_take */
};

/* How to reply later: plain bytes, copied by value, no heap on the UDP path. */
struct net_ticket {
    void *socket;        /* struct net_udp or struct net_stream */
    uint64_t connection; /* TCP: serial of the connection, so that a reply to one gone is dropped */
    struct addr client;
    uint8_t control[40]; /* UDP wildcard: the local address to answer from (IPv6 needs all 40) */
    uint8_t proto;
    uint8_t control_len;
};

enum handler_result {
    HANDLER_ANSWERED, /* out_len octets of out are the reply */
    HANDLER_DROP,     /* no reply, ever */
    HANDLER_KEPT,     /* net_ticket_take was called; net_reply or net_forget will be */
};

struct handler {
    enum handler_result (*answer)(struct handler *, struct net_query *);
    void (*batch_begin)(
        struct handler *); /* before the first answer of a batch: read the snapshot; may be NULL */
    void (*batch_end)(struct handler *); /* after the last one of a batch; may be NULL */
    /* The next packets of a batch (at most HANDLER_AHEAD), before answer() gets the first of them,
     * so that what they need can be brought near together; may be NULL. They stay where they are.
     */
    void (*ahead)(struct handler *, const struct net_packet *packets, unsigned count,
                  uint32_t listener_id);
};

/* Inside answer(): what is needed to reply later. Copy the packet yourself: its room is used again.
 */
void net_ticket_take(const struct net_query *q, struct net_ticket *t);
/* Sends one reply; the bytes are copied or sent before it returns. A connection gone or full drops
 * it silently. */
void net_reply(const struct net_ticket *t, const uint8_t *packet, size_t len);
/* A kept query that gets no reply (drop). */
void net_forget(const struct net_ticket *t);

#endif
