/* net/upstream_priv.h: one upstream, two transports. */
#ifndef WAYPOST_UPSTREAM_PRIV_H
#define WAYPOST_UPSTREAM_PRIV_H

#include "base/list.h"
#include "net/counters.h"
#include "net/upstream.h"

struct uconn;
struct usock_batch;

struct upstream {
    struct transport transport;
    uv_loop_t *loop;
    struct rng *rng;
    const struct clock *clock;
    struct stat_block *stats;
    struct upstream_options options;
    struct usock *current[2];  /* by family: takes new questions */
    struct list failed;        /* attempts that the kernel did not take */
    uv_prepare_t before_wait;  /* what was asked in this turn leaves together */
    struct usock_batch *batch; /* receive slots */
    struct list conns;
    unsigned socks, conn_count;
    unsigned handles;               /* those not closed yet, and the owner */
    uint8_t frames[2 + UINT16_MAX]; /* what one read of a connection brings */
};

void upstream_release(struct upstream *u);
/* Right id and the very octets of the question, response bit set. */
bool upstream_matches(const struct transport_attempt *a, const uint8_t *packet, size_t len);
/* Unlinks it, then calls the owner. */
void upstream_finish(struct transport_attempt *a, enum transport_event event, const uint8_t *packet,
                     size_t len, int err);

struct usock_batch *usock_batch_new(void);
int usock_send(struct upstream *u, struct transport_attempt *a);
/* An attempt on it is over. */
void usock_done(struct usock *s);
/* Sends what waits, and tells of what could not be sent. */
void usock_flush(struct upstream *u);
void usock_retire(struct upstream *u, unsigned family);
int uconn_send(struct upstream *u, struct transport_attempt *a);
void uconn_done(struct uconn *c);
void uconn_close_all(struct upstream *u);

#endif
