/* net/upstream_tcp.c: questions over TCP, one connection per server, reused and pipelined. */
#include "base/cursor.h"
#include "base/err.h"
#include "upstream_priv.h"

#include <stdlib.h>

struct uconn {
    uv_tcp_t tcp;
    uv_timer_t timer; /* connect, then idle */
    uv_connect_t connect;
    struct upstream *up;
    struct list link;
    struct addr server;
    struct list open; /* attempts, oldest first */
    bool connected, used, closing;
    unsigned handles; /* tcp, timer */
    unsigned writes;
    uint8_t *rest; /* of a frame whose end has not come, or NULL: */
    size_t have, room;
};

struct uwrite {
    uv_write_t req;
    struct uconn *conn;
    size_t len;
    uint8_t bytes[];
};

static void conn_free(struct uconn *c)
{
    struct upstream *u = c->up;
    if (c->handles || c->writes)
        return;
    free(c->rest);
    free(c);
    upstream_release(u);
}

static void on_tcp_closed(uv_handle_t *h)
{
    struct uconn *c = container_of((uv_tcp_t *)(void *)h, struct uconn, tcp);
    c->handles--;
    conn_free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct uconn *c = container_of((uv_timer_t *)(void *)h, struct uconn, timer);
    c->handles--;
    conn_free(c);
}

static void conn_close(struct uconn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    c->up->conn_count--;
    list_remove(&c->link);
    uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* Every attempt on it fails with err. The connection is no longer found by new ones. */
static void conn_fail(struct uconn *c, int err)
{
    conn_close(c);
    for (struct list *it; (it = list_first(&c->open));)
        upstream_finish(container_of(it, struct transport_attempt, link), TRANSPORT_FAILED, NULL, 0,
                        err);
}

static void on_timer(uv_timer_t *t)
{
    struct uconn *c = container_of(t, struct uconn, timer);
    if (!c->connected)
        conn_fail(c, ERR_TIMEOUT);
    else if (list_is_empty(&c->open))
        conn_close(c);
}

void uconn_done(struct uconn *c)
{
    if (!c->closing && list_is_empty(&c->open) && c->connected)
        uv_timer_start(&c->timer, on_timer, c->up->options.idle_ms, 0);
}

static void on_written(uv_write_t *req, int status)
{
    struct uwrite *w = container_of(req, struct uwrite, req);
    struct uconn *c = w->conn;
    c->writes--;
    free(w);
    if (status < 0 && !c->closing)
        conn_fail(c, ERR_CLOSED);
    conn_free(c);
}

static int conn_write(struct uconn *c, const struct transport_attempt *a)
{
    struct uwrite *w = malloc(sizeof *w + 2u + a->len);
    if (!w)
        return ERR_NOMEM;
    w->conn = c;
    w->len = 2u + a->len;
    put_u16(w->bytes, a->len);
    memcpy(w->bytes + 2, a->packet, a->len);
    uv_buf_t buf = uv_buf_init((char *)w->bytes, (unsigned)w->len);
    if (uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written)) {
        free(w);
        return ERR_CLOSED;
    }
    c->writes++;
    return 0;
}

static void conn_message(struct uconn *c, const uint8_t *packet, size_t len)
{
    LIST_FOR (it, &c->open) {
        struct transport_attempt *a = container_of(it, struct transport_attempt, link);
        if (len < 12 || !upstream_matches(a, packet, len))
            continue;
        stat_inc(c->up->stats, NET_UP_REPLIES);
        c->used = true;
        upstream_finish(a, TRANSPORT_REPLY, packet, len, 0);
        return;
    }
    stat_inc(c->up->stats, NET_UP_STRAY); /* late, for an attempt that is over */
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct uconn *c = container_of((uv_tcp_t *)(void *)h, struct uconn, tcp);
    (void)suggested;
    if (c->rest)
        *buf = uv_buf_init((char *)c->rest + c->have, (unsigned)(c->room - c->have));
    else
        *buf = uv_buf_init((char *)c->up->frames, sizeof c->up->frames);
}

/* A connection has memory of its own only while a frame is under way. */
static int keep_rest(struct uconn *c, const uint8_t *at, size_t len)
{
    uint8_t *old = c->rest, *copy = NULL;
    c->have = len;
    if (len && at == old)
        return 0;
    if (len) {
        c->room = len < 2 ? sizeof c->up->frames : 2u + get_u16(at);
        copy = malloc(c->room);
        if (copy)
            memcpy(copy, at, len);
    }
    c->rest = copy;
    free(old);
    return len && !copy ? ERR_NOMEM : 0;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct uconn *c = container_of((uv_tcp_t *)(void *)h, struct uconn, tcp);
    (void)buf;
    if (n < 0) {
        conn_fail(c, ERR_CLOSED);
        return;
    }
    const uint8_t *at = c->rest ? c->rest : c->up->frames;
    size_t len = c->have + (size_t)n;
    while (len >= 2 && len >= 2u + get_u16(at) && !c->closing) {
        size_t size = get_u16(at);
        conn_message(c, at + 2, size);
        at += 2 + size;
        len -= 2 + size;
    }
    if (c->closing)
        return;
    if (keep_rest(c, at, len))
        conn_fail(c, ERR_NOMEM);
    else
        uconn_done(c);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct uconn *c = container_of(req, struct uconn, connect);
    if (c->closing)
        return;
    if (status < 0) {
        conn_fail(c, err_of_errno(-status));
        return;
    }
    c->connected = true;
    uv_timer_stop(&c->timer);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    uconn_done(c);
}

static struct uconn *conn_find(struct upstream *u, const struct addr *server)
{
    LIST_FOR (it, &u->conns) {
        struct uconn *c = container_of(it, struct uconn, link);
        if (addr_equal(&c->server, server))
            return c;
    }
    return NULL;
}

/* The connection that was without a question for longest makes room; false when all have one. */
static bool make_room(struct upstream *u)
{
    for (struct list *l = u->conns.prev; l != &u->conns; l = l->prev) {
        struct uconn *c = container_of(l, struct uconn, link);
        if (c->connected && list_is_empty(&c->open)) {
            conn_close(c);
            return true;
        }
    }
    return false;
}

static int conn_open(struct upstream *u, const struct addr *server, struct uconn **out)
{
    struct sockaddr_storage ss;
    const struct addr *source = &u->options.source[server->family == 6];
    if (u->conn_count >= u->options.connections && !make_room(u))
        return ERR_LIMIT;
    struct uconn *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    c->up = u;
    c->server = *server;
    list_init(&c->open);
    list_push_front(&u->conns, &c->link);
    uv_tcp_init(u->loop, &c->tcp);
    uv_timer_init(u->loop, &c->timer);
    c->handles = 2;
    u->handles++;
    u->conn_count++;
    int bad = 0;
    if (source->family) {
        addr_to_sockaddr(source, &ss);
        bad = uv_tcp_bind(&c->tcp, (struct sockaddr *)&ss, 0);
    }
    addr_to_sockaddr(server, &ss);
    bad = bad ? bad : uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&ss, on_connected);
    if (bad) {
        conn_close(c);
        return err_of_errno(-bad);
    }
    uv_timer_start(&c->timer, on_timer, u->options.connect_ms, 0);
    stat_inc(u->stats, NET_UP_TCP_CONNECTS);
    *out = c;
    return 0;
}

int uconn_send(struct upstream *u, struct transport_attempt *a)
{
    struct uconn *c = conn_find(u, &a->server);
    int err = c ? 0 : conn_open(u, &a->server, &c);
    if (err || !c)
        return err;
    err = conn_write(c, a); /* libuv holds it back until connected */
    if (err)
        return err;
    list_push(&c->open, &a->link);
    a->on = c;
    a->open = true;
    a->reused = c->used;
    list_remove(&c->link); /* the one used last comes first */
    list_push_front(&u->conns, &c->link);
    if (c->connected)
        uv_timer_stop(&c->timer);
    stat_inc(u->stats, NET_UP_TCP_SENT);
    if (c->used)
        stat_inc(u->stats, NET_UP_TCP_REUSED);
    return 0;
}

void uconn_close_all(struct upstream *u)
{
    LIST_FOR (it, &u->conns)
        conn_close(container_of(it, struct uconn, link));
}
