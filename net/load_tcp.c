/* net/load_tcp.c: a client is a connection with queries in flight one behind the other (RFC
 * 7766 6.2.1.1). One that ends takes its queries with it and is opened again. */
#include "load_priv.h"

#include "base/cursor.h"
#include "base/err.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_IN  (2 * (2 + 65535)) /* the rest of one message and a whole one */
#define STREAM_OUT (LOAD_BATCH * (2 + LOAD_QUERY_MAX))
#define AGAIN_NS   100000000 /* before a refused connection is tried again */

struct load_stream {
    bool connecting, blocked; /* blocked: the kernel takes no more for now */
    uint32_t in_len, out_at, out_len;
    uint8_t in[STREAM_IN], out[STREAM_OUT];
};

static int tcp_connect(struct load *l, struct load_client *c)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&l->o->server, &ss);
    int on = 1, err = load_socket(l, c, SOCK_STREAM, EPOLLIN | EPOLLOUT);
    if (err)
        return err;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->stream->connecting = c->stream->blocked = true;
    c->stream->in_len = c->stream->out_at = c->stream->out_len = 0;
    if (!connect(c->fd, (struct sockaddr *)&ss, len) || errno == EINPROGRESS)
        return 0;
    return err_of_errno(errno);
}

static int tcp_open(struct load *l, struct load_client *c)
{
    c->stream = malloc(sizeof *c->stream); /* not touched before it is used */
    return c->stream ? tcp_connect(l, c) : ERR_NOMEM;
}

/* The connection is gone. */
static void tcp_end(struct load *l, struct load_client *c, bool refused)
{
    if (refused)
        load_refused(l);
    else if (c->slots.waiting)
        l->r->counts.closed++;
    load_lose_all(l, c);
    load_set_up(l, c, false);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->stream->connecting = false;
    c->again_ns = l->now_ns + (refused ? AGAIN_NS : 0);
}

static void tcp_flush(struct load *l, struct load_client *c)
{
    struct load_stream *s = c->stream;
    while (s->out_at < s->out_len) {
        ssize_t n = send(c->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            tcp_end(l, c, false);
            return;
        }
        if (n < 0)
            break;
        s->out_at += (uint32_t)n;
    }
    if (s->out_at == s->out_len)
        s->out_at = s->out_len = 0;
    bool blocked = s->out_len > 0;
    if (blocked != s->blocked)
        load_events(l, c, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    s->blocked = blocked;
}

static unsigned tcp_send(struct load *l, struct load_client *c, unsigned most)
{
    struct load_stream *s = c->stream;
    unsigned n = 0;
    while (!s->blocked && n < most && STREAM_OUT - s->out_len >= 2 + LOAD_QUERY_MAX) {
        size_t len = load_next(l, c, s->out + s->out_len + 2);
        if (!len)
            break;
        put_u16(s->out + s->out_len, (uint16_t)len);
        s->out_len += (uint32_t)len + 2;
        n++;
    }
    if (n)
        tcp_flush(l, c);
    return n;
}

static void take_frames(struct load *l, struct load_client *c)
{
    struct load_stream *s = c->stream;
    uint32_t at = 0;
    while (s->in_len - at >= 2) {
        uint32_t len = get_u16(s->in + at);
        if (s->in_len - at - 2 < len)
            break;
        load_take(l, c, s->in + at + 2, len, len);
        at += 2 + len;
    }
    s->in_len -= at;
    if (at && s->in_len)
        memmove(s->in, s->in + at, s->in_len);
}

static void tcp_ready(struct load *l, struct load_client *c, uint32_t events)
{
    struct load_stream *s = c->stream;
    int err = 0;
    socklen_t err_len = sizeof err;
    if (c->fd < 0)
        return;
    if (s->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
        if (err) {
            tcp_end(l, c, true);
            return;
        }
        s->connecting = false;
        load_set_up(l, c, true);
    }
    if (s->blocked && (events & EPOLLOUT))
        tcp_flush(l, c);
    if (c->fd >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
        ssize_t n = recv(c->fd, s->in + s->in_len, STREAM_IN - s->in_len, MSG_DONTWAIT);
        if (!n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            tcp_end(l, c, false);
            return;
        }
        s->in_len += n > 0 ? (uint32_t)n : 0;
        l->now_ns = load_clock_ns();
        take_frames(l, c);
    }
    load_fill(l, c);
}

static void tcp_tick(struct load *l, struct load_client *c)
{
    if (c->fd < 0 && l->phase < LOAD_DRAIN && l->now_ns >= c->again_ns && tcp_connect(l, c))
        tcp_end(l, c, true);
    load_fill(l, c);
}

static void tcp_close(struct load *l, struct load_client *c)
{
    (void)l;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->stream);
    c->stream = NULL;
}

const struct load_link load_link_tcp = {tcp_open, tcp_send, tcp_ready, tcp_tick, tcp_close};
