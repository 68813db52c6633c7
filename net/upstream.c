#include "net/upstream.h"

#include "base/cursor.h"
#include "base/err.h"
#include "upstream_priv.h"

#include <stdlib.h>

#define HEADER_LEN 12

void upstream_options_default(struct upstream_options *o)
{
    *o = (struct upstream_options){
        .sockets = 1024, .connections = 256, .connect_ms = 2000, .idle_ms = 10000};
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

void upstream_finish(struct transport_attempt *a, enum transport_event event, const uint8_t *packet,
                     size_t len, int err)
{
    a->open = false;
    list_remove(&a->link);
    a->done(a, event, packet, len, err);
}

static int upstream_send(struct transport *t, struct transport_attempt *a)
{
    struct upstream *u = container_of(t, struct upstream, transport);
    a->reused = a->waits = false;
    a->local_port = 0;
    a->sent_us = clock_mono_us(u->clock);
    return a->proto == NET_PROTO_UDP ? usock_send(u, a) : uconn_send(u, a);
}

static void upstream_cancel(struct transport *t, struct transport_attempt *a)
{
    (void)t;
    if (!a->open)
        return;
    a->open = false;
    list_remove(&a->link);
    if (a->on && a->proto == NET_PROTO_UDP)
        usock_done(a->on);
    else if (a->on)
        uconn_done(a->on);
}

void upstream_flush(struct upstream *u)
{
    usock_flush(u);
}

static void on_before_wait(uv_prepare_t *h)
{
    usock_flush(container_of(h, struct upstream, before_wait));
}

int upstream_new(struct upstream **out, uv_loop_t *loop, struct rng *rng, const struct clock *clock,
                 const struct upstream_options *o, struct stat_block *stats)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u || !(u->batch = usock_batch_new())) {
        free(u);
        return ERR_NOMEM;
    }
    u->transport = (struct transport){upstream_send, upstream_cancel};
    u->loop = loop;
    u->rng = rng;
    u->clock = clock;
    u->stats = stats;
    u->options = *o;
    u->handles = 1;
    list_init(&u->conns);
    list_init(&u->failed);
    uv_prepare_init(loop, &u->before_wait);
    uv_prepare_start(&u->before_wait, on_before_wait);
    uv_unref((uv_handle_t *)&u->before_wait); /* nothing to stay for */
    *out = u;
    return 0;
}

struct transport *upstream_transport(struct upstream *u)
{
    return &u->transport;
}

void upstream_release(struct upstream *u)
{
    if (--u->handles)
        return;
    free(u->batch);
    free(u);
}

static void on_closed(uv_handle_t *h)
{
    upstream_release(container_of((uv_prepare_t *)(void *)h, struct upstream, before_wait));
}

void upstream_close(struct upstream *u)
{
    usock_retire(u, 0);
    usock_retire(u, 1);
    uconn_close_all(u);
    uv_close((uv_handle_t *)&u->before_wait, on_closed);
}
