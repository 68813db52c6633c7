#include "net/upstream.h"

#include "base/cursor.h"
#include "base/err.h"
#include "upstream_priv.h"

#include <stdlib.h>

#define HEADER_LEN 12

void upstream_options_default(struct upstream_options *o)
{
    *o = (struct upstream_options){
        .sockets = 512, .connections = 256, .connect_ms = 2000, .idle_ms = 10000};
}

/* Octets of header and question; 0 when there is none. Names in questions we sent are plain. */
static size_t question_end(const uint8_t *p, size_t len)
{
    size_t at = HEADER_LEN;
    if (len < HEADER_LEN + 5 || get_u16(p + 4) != 1)
        return 0;
    while (at < len && p[at]) {
        if (p[at] & 0xc0)
            return 0;
        at += 1u + p[at];
    }
    return at + 5 <= len ? at + 5 : 0;
}

bool upstream_matches(const struct transport_attempt *a, const uint8_t *packet, size_t len)
{
    size_t end = question_end(a->packet, a->len);
    return end && len >= end && packet[2] & 0x80 && get_u16(packet) == get_u16(a->packet) &&
           get_u16(packet + 4) == 1 &&
           !memcmp(packet + HEADER_LEN, a->packet + HEADER_LEN, end - HEADER_LEN);
}

struct upstream_entry *upstream_entry_new(struct transport_attempt *a, struct list *on)
{
    struct upstream_entry *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->attempt = a;
    list_push(on, &e->link);
    a->priv[0] = e;
    a->open = true;
    return e;
}

static void upstream_forget(struct upstream_entry *e)
{
    e->attempt->open = false;
    e->attempt->priv[0] = NULL;
    list_remove(&e->link);
    free(e);
}

void upstream_finish(struct upstream_entry *e, enum transport_event event, const uint8_t *packet,
                     size_t len, int err)
{
    struct transport_attempt *a = e->attempt;
    upstream_forget(e);
    a->done(a, event, packet, len, err);
}

static int upstream_send(struct transport *t, struct transport_attempt *a)
{
    struct upstream *u = container_of(t, struct upstream, transport);
    a->reused = false;
    a->local_port = 0;
    a->sent_us = clock_mono_us(u->clock);
    return a->proto == NET_PROTO_UDP ? usock_send(u, a) : uconn_send(u, a);
}

static void upstream_cancel(struct transport *t, struct transport_attempt *a)
{
    struct upstream_entry *e = a->priv[0];
    (void)t;
    if (!a->open || !e)
        return;
    struct usock *sock = e->sock;
    struct uconn *conn = e->conn;
    upstream_forget(e);
    if (sock)
        usock_done(sock);
    if (conn)
        uconn_done(conn);
}

int upstream_new(struct upstream **out, uv_loop_t *loop, struct rng *rng, const struct clock *clock,
                 const struct upstream_options *o, struct stat_block *stats)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NOMEM;
    u->transport = (struct transport){upstream_send, upstream_cancel};
    u->loop = loop;
    u->rng = rng;
    u->clock = clock;
    u->stats = stats;
    u->options = *o;
    u->handles = 1;
    list_init(&u->conns);
    *out = u;
    return 0;
}

struct transport *upstream_transport(struct upstream *u)
{
    return &u->transport;
}

void upstream_release(struct upstream *u)
{
    if (--u->handles == 0)
        free(u);
}

void upstream_close(struct upstream *u)
{
    usock_retire(u, 0);
    usock_retire(u, 1);
    uconn_close_all(u);
    upstream_release(u);
}
