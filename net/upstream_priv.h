/* net/upstream_priv.h: one upstream, two transports. */
#ifndef WAYPOST_UPSTREAM_PRIV_H
#define WAYPOST_UPSTREAM_PRIV_H

#include "base/list.h"
#include "net/counters.h"
#include "net/upstream.h"

struct upstream {
    struct transport transport;
    uv_loop_t *loop;
    struct rng *rng;
    const struct clock *clock;
    struct stat_block *stats;
    struct upstream_options options;
    struct usock *current[2]; /* by family: takes new questions */
    struct list conns;
    unsigned socks, conn_count;
    unsigned handles; /* sockets and connections not closed yet, and the owner */
    uint8_t packet[65536];
};

/* What an open attempt hangs on: attempt->priv[0]. */
struct upstream_entry {
    struct list link; /* in its socket's or connection's list */
    struct transport_attempt *attempt;
    struct usock *sock; /* UDP */
    struct uconn *conn; /* TCP */
};

void upstream_release(struct upstream *u);
/* Right id and the very octets of the question, response bit set. */
bool upstream_matches(const struct transport_attempt *a, const uint8_t *packet, size_t len);
struct upstream_entry *upstream_entry_new(struct transport_attempt *a, struct list *on);
/* Unlinks and frees the entry, then calls the owner. */
void upstream_finish(struct upstream_entry *e, enum transport_event event, const uint8_t *packet,
                     size_t len, int err);

int usock_send(struct upstream *u, struct transport_attempt *a);
void usock_done(struct usock *s);
void usock_retire(struct upstream *u, unsigned family);
int uconn_send(struct upstream *u, struct transport_attempt *a);
void uconn_done(struct uconn *c);
void uconn_close_all(struct upstream *u);

#endif
