#include "net/stream.h"

#include "base/cursor.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"
#include "net/counters.h"
#include "net_priv.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_BACKLOG  256
#define STREAM_SWEEP_MS 250   /* precision of the timeouts */
#define FRAME_MAX       65537 /* length and the longest message */
#define GATHER_MAX      (4 * FRAME_MAX)
#define CLIENT_LISTS    1024
#define FRAME_SMALL     4096 /* a begun frame up to this is put in front of the next read */

struct net_stream {
    uv_tcp_t tcp;
    uv_timer_t sweep;
    uv_loop_t *loop;
    struct addr addr;
    uint32_t listener_id;
    struct handler *handler;
    struct stat_block *stats;
    struct net_stream_limits limits;
    struct list conns;        /* longest without traffic first */
    struct list born, silent; /* oldest first: all, and those that have asked nothing yet */
    struct list clients[CLIENT_LISTS]; /* the same by hash of the address, so that what one client
                                          has is counted without looking at all others */
    uint64_t seed;
    unsigned count;
    unsigned handles; /* open: listener, timer, one per connection object */
    bool closing;
    uint8_t read[FRAME_SMALL + FRAME_MAX]; /* a begun frame and what comes behind it */
    /* Answers of the running read, made in place, one behind the other. */
    struct conn *corked;
    size_t gathered;
    uint8_t gather[GATHER_MAX];
};

/* Lives until its handle is closed, nothing is owed and nothing is being written. */
struct conn {
    uv_tcp_t tcp;
    struct list link, born, silent; /* in the lists of the stream */
    struct list near, *mates;       /* in the client's list, and that list */
    struct net_stream *stream;
    struct addr client;
    uint64_t born_ms, active_ms;
    unsigned owed;    /* queries kept by the handler */
    unsigned writes;  /* uv_write under way */
    size_t queued;    /* octets in them */
    uint8_t *partial; /* a begun frame; kept for the next one unless it is large */
    size_t partial_len, partial_cap;
    bool eof, closing, closed;
};

struct write_job {
    uv_write_t req;
    struct conn *conn;
    size_t len;
    uint8_t bytes[];
};

void net_stream_limits_default(struct net_stream_limits *l)
{
    *l = (struct net_stream_limits){.connections = 1000,
                                    .per_client = 100,
                                    .first_ms = 5000,
                                    .idle_ms = 10000,
                                    .total_ms = 600000,
                                    .write_queue = 262144};
}

/* ---- the end of things ---- */

static void stream_release(struct net_stream *s)
{
    if (--s->handles == 0)
        free(s);
}

static void conn_release(struct conn *c)
{
    if (!c->closed || c->owed || c->writes)
        return;
    struct net_stream *s = c->stream;
    free(c->partial);
    free(c);
    stream_release(s);
}

static void on_conn_closed(uv_handle_t *h)
{
    struct conn *c = container_of((uv_tcp_t *)(void *)h, struct conn, tcp);
    c->closed = true;
    conn_release(c);
}

static void conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    list_remove(&c->link);
    list_remove(&c->born);
    list_remove(&c->silent);
    list_remove(&c->near);
    c->stream->count--;
    uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

/* Half-closed by the client: over when everything asked has been answered and written. */
static void conn_end_if_done(struct conn *c)
{
    if (c->eof && !c->owed && !c->writes && c->stream->corked != c)
        conn_close(c);
}

static void conn_touch(struct conn *c)
{
    if (c->closing)
        return;
    c->active_ms = uv_now(c->stream->loop);
    list_remove(&c->link);
    list_push(&c->stream->conns, &c->link);
    list_remove(&c->near);
    list_push(c->mates, &c->near);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status)
{
    struct write_job *job = container_of(req, struct write_job, req);
    struct conn *c = job->conn;
    c->writes--;
    c->queued -= job->len;
    free(job);
    if (status < 0)
        conn_close(c);
    else
        conn_touch(c);
    conn_end_if_done(c);
    conn_release(c);
}

/* What the kernel did not take waits in memory, up to the bound. */
static void conn_queue(struct conn *c, const uv_buf_t *bufs, unsigned count, size_t skip)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += bufs[i].len;
    len -= skip;
    bool stalled = c->queued + len > c->stream->limits.write_queue;
    struct write_job *job = stalled ? NULL : malloc(sizeof *job + len);
    if (!job) {
        stat_add(c->stream->stats, NET_TCP_STALLED, stalled);
        conn_close(c);
        return;
    }
    job->conn = c;
    job->len = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t from = skip < bufs[i].len ? skip : bufs[i].len;
        memcpy(job->bytes + job->len, bufs[i].base + from, bufs[i].len - from);
        job->len += bufs[i].len - from;
        skip -= from;
    }
    uv_buf_t buf = uv_buf_init((char *)job->bytes, (unsigned)job->len);
    if (uv_write(&job->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written)) {
        free(job);
        conn_close(c);
        return;
    }
    c->writes++;
    c->queued += len;
}

/* Mostly the kernel takes all of it at once: no copy, no heap. */
static void conn_send(struct conn *c, const uv_buf_t *bufs, unsigned count)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += bufs[i].len;
    if (c->closing || !len)
        return;
    stat_inc(c->stream->stats, NET_TCP_WRITES);
    int n = c->writes ? UV_EAGAIN : uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
    if (n < 0 && n != UV_EAGAIN)
        conn_close(c);
    else if (n < 0 || (size_t)n < len)
        conn_queue(c, bufs, count, n < 0 ? 0 : (size_t)n);
}

/* The answers gathered so far leave in one write. */
static void conn_flush(struct conn *c)
{
    struct net_stream *s = c->stream;
    uv_buf_t buf = uv_buf_init((char *)s->gather, (unsigned)s->gathered);
    s->gathered = 0;
    conn_send(c, &buf, 1);
}

/* Room for one more answer behind those gathered. */
static uint8_t *gather_room(struct conn *c)
{
    struct net_stream *s = c->stream;
    if (GATHER_MAX - s->gathered < FRAME_MAX)
        conn_flush(c);
    return s->gather + s->gathered + 2;
}

static void gather_keep(struct net_stream *s, size_t len)
{
    put_u16(s->gather + s->gathered, (uint16_t)len);
    s->gathered += 2 + len;
}

static void conn_put(struct conn *c, const uint8_t *packet, size_t len)
{
    if (c->closing || len > FRAME_MAX - 2)
        return;
    if (c->stream->corked == c) {
        memcpy(gather_room(c), packet, len);
        gather_keep(c->stream, len);
        return;
    }
    uint8_t head[2];
    put_u16(head, (uint16_t)len);
    uv_buf_t bufs[2] = {uv_buf_init((char *)head, 2),
                        uv_buf_init((char *)(uintptr_t)packet, (unsigned)len)};
    conn_send(c, bufs, 2);
}

void net_stream_ticket(const struct net_query *q, struct net_ticket *t)
{
    struct conn *c = q->priv;
    t->socket = c;
    c->owed++;
}

void net_stream_reply(const struct net_ticket *t, const uint8_t *packet, size_t len)
{
    struct conn *c = t->socket;
    c->owed--;
    if (packet && !c->closing)
        conn_put(c, packet, len);
    conn_touch(c);
    conn_end_if_done(c);
    conn_release(c);
}

/* ---- reading ---- */

static void conn_query(struct conn *c, const uint8_t *packet, size_t len)
{
    struct net_stream *s = c->stream;
    struct net_query q = {.packet = packet,
                          .len = len,
                          .out = gather_room(c),
                          .out_cap = 65535,
                          .client = c->client,
                          .local = &s->addr,
                          .proto = NET_PROTO_TCP,
                          .listener_id = s->listener_id,
                          .priv = c};
    list_remove(&c->silent);
    stat_inc(s->stats, NET_TCP_QUERIES);
    if (s->handler->answer(s->handler, &q) != HANDLER_ANSWERED)
        return;
    uint8_t *room = s->gather + s->gathered + 2;
    if (room != q.out) /* an older question of this connection was answered meanwhile */
        memmove(room, q.out, q.out_len);
    gather_keep(s, q.out_len);
}

static bool is_large(const uint8_t *frame, size_t len)
{
    return len >= 2 && 2u + get_u16(frame) > FRAME_SMALL;
}

/* Keeps a begun frame. False: no memory. */
static bool conn_keep(struct conn *c, const uint8_t *p, size_t len)
{
    size_t cap = len >= 2 ? 2u + get_u16(p) : 2;
    if (cap > c->partial_cap) {
        uint8_t *partial = realloc(c->partial, cap);
        if (!partial)
            return false;
        c->partial = partial;
        c->partial_cap = cap;
    }
    memcpy(c->partial, p, len);
    c->partial_len = len;
    return true;
}

/* A large frame that was read in pieces is complete: its memory is not kept. */
static void conn_large(struct conn *c)
{
    uint8_t *frame = c->partial;
    size_t whole = 2u + get_u16(frame);
    if (c->partial_len < whole)
        return;
    c->partial = NULL;
    c->partial_len = c->partial_cap = 0;
    conn_query(c, frame + 2, whole - 2);
    free(frame);
}

static void conn_frames(struct conn *c, const uint8_t *p, size_t len)
{
    c->partial_len = 0;
    while (len >= 2 && len >= 2u + get_u16(p) && !c->closing) {
        size_t whole = 2u + get_u16(p);
        conn_query(c, p + 2, whole - 2);
        p += whole;
        len -= whole;
    }
    if (len && !c->closing && !conn_keep(c, p, len))
        conn_close(c);
}

/* A small begun frame goes in front of what will be read, a large one is read to its end where it
 * is. */
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = container_of((uv_tcp_t *)(void *)h, struct conn, tcp);
    uint8_t *read = c->stream->read;
    (void)suggested;
    if (is_large(c->partial, c->partial_len)) {
        *buf = uv_buf_init((char *)c->partial + c->partial_len,
                           (unsigned)(2u + get_u16(c->partial) - c->partial_len));
        return;
    }
    if (c->partial_len)
        memcpy(read, c->partial, c->partial_len);
    *buf = uv_buf_init((char *)read + c->partial_len,
                       (unsigned)(sizeof c->stream->read - c->partial_len));
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = container_of((uv_tcp_t *)(void *)h, struct conn, tcp);
    struct net_stream *s = c->stream;
    struct handler *handler = s->handler;
    (void)buf;
    if (n == 0)
        return;
    if (n < 0) {
        uv_read_stop(h);
        c->eof = true;
        if (n != UV_EOF)
            conn_close(c);
        conn_end_if_done(c);
        return;
    }
    conn_touch(c);
    s->corked = c;
    if (handler->batch_begin)
        handler->batch_begin(handler);
    c->partial_len += (size_t)n;
    if (is_large(c->partial, c->partial_len - (size_t)n))
        conn_large(c);
    else
        conn_frames(c, s->read, c->partial_len);
    if (handler->batch_end)
        handler->batch_end(handler);
    conn_flush(c);
    s->corked = NULL;
    conn_end_if_done(c);
}

/* ---- connections ---- */

static bool is_busy(const struct conn *c)
{
    return c->owed || c->writes;
}

/* The idlest: longest without traffic; who waits for an answer is not idle while others are. */
static struct conn *idler(struct conn *before, struct conn *c)
{
    return !before || (is_busy(before) && !is_busy(c)) ? c : before;
}

static struct conn *idlest_of_all(struct net_stream *s)
{
    struct conn *idlest = NULL;
    LIST_FOR (it, &s->conns) {
        idlest = idler(idlest, container_of(it, struct conn, link));
        if (!is_busy(idlest))
            break;
    }
    return idlest;
}

/* How many the new connection's client has beside it. */
static unsigned from_client(const struct conn *fresh, struct conn **idlest)
{
    unsigned n = 0;
    *idlest = NULL;
    LIST_FOR (it, fresh->mates) {
        struct conn *c = container_of(it, struct conn, near);
        if (!addr_same_ip(&c->client, &fresh->client))
            continue;
        *idlest = idler(*idlest, c);
        n++;
    }
    return n;
}

static void make_room(struct net_stream *s, const struct conn *fresh)
{
    struct conn *idlest;
    if (from_client(fresh, &idlest) < s->limits.per_client) {
        if (s->count <= s->limits.connections) /* the new one is counted already */
            return;
        idlest = idlest_of_all(s);
    }
    if (idlest) {
        stat_inc(s->stats, NET_TCP_LIMIT);
        conn_close(idlest);
    }
}

static void conn_expire(struct conn *c)
{
    stat_inc(c->stream->stats, NET_TCP_TIMEOUT);
    conn_close(c);
}

/* Each limit has a list in the order of time: what is looked at is what is late, and one more. Of
 * those without traffic some are not idle: they are owed an answer, which stops the idle timer, or
 * have asked nothing yet. */
static void on_sweep(uv_timer_t *t)
{
    struct net_stream *s = container_of(t, struct net_stream, sweep);
    uint64_t now = uv_now(s->loop);
    LIST_FOR (it, &s->born) {
        struct conn *c = container_of(it, struct conn, born);
        if (now - c->born_ms <= s->limits.total_ms)
            break;
        conn_expire(c);
    }
    LIST_FOR (it, &s->silent) {
        struct conn *c = container_of(it, struct conn, silent);
        if (now - c->born_ms <= s->limits.first_ms)
            break;
        conn_expire(c);
    }
    LIST_FOR (it, &s->conns) {
        struct conn *c = container_of(it, struct conn, link);
        if (now - c->active_ms <= s->limits.idle_ms)
            break;
        if (!c->owed && list_is_empty(&c->silent))
            conn_expire(c);
    }
    if (!s->count)
        uv_timer_stop(t);
}

static void conn_begin(struct net_stream *s, struct conn *c)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) ||
        addr_of_sockaddr(&c->client, (struct sockaddr *)&ss)) {
        conn_close(c);
        return;
    }
    c->mates = &s->clients[hash_bytes(c->client.ip, sizeof c->client.ip, s->seed) % CLIENT_LISTS];
    make_room(s, c); /* it is in no list yet, and so not its own idlest */
    list_push(&s->conns, &c->link);
    list_push(&s->born, &c->born);
    list_push(&s->silent, &c->silent);
    list_push(c->mates, &c->near);
    if (!uv_is_active((uv_handle_t *)&s->sweep))
        uv_timer_start(&s->sweep, on_sweep, STREAM_SWEEP_MS, STREAM_SWEEP_MS);
    uv_tcp_nodelay(&c->tcp, 1);
    stat_inc(s->stats, NET_TCP_ACCEPTED);
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read))
        conn_close(c);
}

static void on_connection(uv_stream_t *h, int status)
{
    struct net_stream *s = container_of((uv_tcp_t *)(void *)h, struct net_stream, tcp);
    struct conn *c = status < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    c->stream = s;
    c->born_ms = c->active_ms = uv_now(s->loop);
    if (uv_tcp_init(s->loop, &c->tcp)) {
        free(c);
        return;
    }
    s->handles++;
    s->count++;
    list_init(&c->link);
    list_init(&c->born);
    list_init(&c->silent);
    list_init(&c->near);
    if (uv_accept(h, (uv_stream_t *)&c->tcp))
        conn_close(c);
    else
        conn_begin(s, c);
}

/* ---- the listener ---- */

static void on_tcp_closed(uv_handle_t *h)
{
    stream_release(container_of((uv_tcp_t *)(void *)h, struct net_stream, tcp));
}

static void on_sweep_closed(uv_handle_t *h)
{
    stream_release(container_of((uv_timer_t *)(void *)h, struct net_stream, sweep));
}

int net_stream_open(struct net_stream **out, uv_loop_t *loop, const struct addr *addr,
                    uint32_t listener_id, struct handler *handler,
                    const struct net_stream_limits *limits, struct stat_block *stats)
{
    struct rng rng;
    int fd, err = net_socket_bind(addr, SOCK_STREAM, true, &fd);
    if (err)
        return err;
    struct net_stream *s = calloc(1, sizeof *s);
    err = s ? rng_init(&rng) : ERR_NOMEM;
    if (err) {
        close(fd);
        free(s);
        return err;
    }
    s->seed = rng_u64(&rng);
    rng_fini(&rng);
    list_init(&s->conns);
    list_init(&s->born);
    list_init(&s->silent);
    for (unsigned i = 0; i < CLIENT_LISTS; i++)
        list_init(&s->clients[i]);
    s->loop = loop;
    s->addr = *addr;
    s->addr.port = net_socket_port(fd);
    s->listener_id = listener_id;
    s->handler = handler;
    s->stats = stats;
    s->limits = *limits;
    uv_tcp_init(loop, &s->tcp);
    uv_timer_init(loop, &s->sweep);
    s->handles = 2;
    if (uv_tcp_open(&s->tcp, fd)) {
        close(fd);
        net_stream_close(s);
        return ERR_SYSTEM;
    }
    if (uv_listen((uv_stream_t *)&s->tcp, STREAM_BACKLOG, on_connection)) {
        net_stream_close(s);
        return ERR_IN_USE;
    }
    *out = s;
    return 0;
}

uint16_t net_stream_port(const struct net_stream *s)
{
    return s->addr.port;
}

unsigned net_stream_connections(const struct net_stream *s)
{
    return s->count;
}

void net_stream_stop(struct net_stream *s)
{
    if (!uv_is_closing((uv_handle_t *)&s->tcp))
        uv_close((uv_handle_t *)&s->tcp, on_tcp_closed);
}

void net_stream_close(struct net_stream *s)
{
    if (s->closing)
        return;
    s->closing = true;
    net_stream_stop(s);
    uv_close((uv_handle_t *)&s->sweep, on_sweep_closed);
    LIST_FOR (it, &s->conns)
        conn_close(container_of(it, struct conn, link));
}
