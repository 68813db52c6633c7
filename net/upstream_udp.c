/* net/upstream_udp.c: questions over UDP from a rotating pool of random ports. */
#include "base/cursor.h"
#include "base/err.h"
#include "upstream_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCK_QUESTIONS 16      /* one socket's share, so that a guessed port is worth little */
#define SOCK_LIFE_US   1000000 /* and not for long */
#define PORT_TRIES     16
#define PORT_LOW       1024
#define READ_SLOTS     (SOCK_QUESTIONS + 1) /* full: there is more than was asked for */
#define READ_ROUNDS    4                    /* batches of one socket before others get a turn */
#define SLOT           (65536 + 192)        /* not a power of two: slots share no cache set */

struct usock {
    uv_poll_t poll;
    struct upstream *up;
    int fd;
    unsigned family; /* 0 IPv4, 1 IPv6 */
    unsigned taken;
    uint16_t port;
    int64_t born_us;
    bool retired;
    struct list open;
};

/* Any datagram fits; what is never written to is no memory. */
struct usock_batch {
    struct mmsghdr in[READ_SLOTS];
    struct iovec iov[READ_SLOTS];
    struct sockaddr_storage from[READ_SLOTS];
    uint8_t packets[READ_SLOTS][SLOT];
};

struct usock_batch *usock_batch_new(void)
{
    struct usock_batch *b = malloc(sizeof *b);
    for (unsigned i = 0; b && i < READ_SLOTS; i++) {
        b->iov[i] = (struct iovec){b->packets[i], SLOT};
        b->in[i].msg_hdr =
            (struct msghdr){.msg_name = &b->from[i], .msg_iov = &b->iov[i], .msg_iovlen = 1};
    }
    return b;
}

static void on_sock_closed(uv_handle_t *h)
{
    struct usock *s = container_of((uv_poll_t *)(void *)h, struct usock, poll);
    struct upstream *u = s->up;
    close(s->fd);
    u->socks--;
    free(s);
    upstream_release(u);
}

/* A retired socket goes with its last attempt. */
void usock_done(struct usock *s)
{
    if (s->retired && list_is_empty(&s->open) && !uv_is_closing((uv_handle_t *)&s->poll))
        uv_close((uv_handle_t *)&s->poll, on_sock_closed);
}

/* ---- sending ---- */

/* Those to whom the kernel has objections are told later: the caller may be their owner. */
static void sock_failed(struct usock *s, struct transport_attempt *a, int err)
{
    a->err = err;
    a->on = NULL;
    list_remove(&a->link);
    list_push(&s->up->failed, &a->link);
}

/* Everything that waits, in one call as a rule. */
static void sock_send(struct usock *s)
{
    struct transport_attempt *all[SOCK_QUESTIONS];
    struct mmsghdr out[SOCK_QUESTIONS];
    struct iovec iov[SOCK_QUESTIONS];
    struct sockaddr_storage to[SOCK_QUESTIONS];
    unsigned n = 0, refused = 0;
    int64_t now = 0;
    LIST_FOR (l, &s->open) {
        struct transport_attempt *a = container_of(l, struct transport_attempt, link);
        if (!a->waits)
            continue;
        now = now ? now : clock_mono_us(s->up->clock);
        a->sent_us = now;
        a->waits = false;
        iov[n] = (struct iovec){(void *)(uintptr_t)a->packet, a->len};
        out[n].msg_hdr = (struct msghdr){.msg_name = &to[n],
                                         .msg_namelen = addr_to_sockaddr(&a->server, &to[n]),
                                         .msg_iov = &iov[n],
                                         .msg_iovlen = 1};
        all[n++] = a;
    }
    for (unsigned at = 0; at < n;) {
        int sent = sendmmsg(s->fd, out + at, n - at, 0);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED) {
            sock_failed(s, all[at++], err_of_errno(errno));
            refused++;
            continue;
        }
        at += sent > 0 ? (unsigned)sent : 1; /* those are losses like any other */
    }
    stat_add(s->up->stats, NET_UP_UDP_SENT, n - refused);
}

void usock_retire(struct upstream *u, unsigned family)
{
    struct usock *s = u->current[family];
    if (!s)
        return;
    sock_send(s);
    u->current[family] = NULL;
    s->retired = true;
    usock_done(s);
}

void usock_flush(struct upstream *u)
{
    for (;;) {
        for (unsigned family = 0; family < 2; family++)
            if (u->current[family])
                sock_send(u->current[family]);
        struct list *l = list_first(&u->failed);
        if (!l)
            return;
        struct transport_attempt *a = container_of(l, struct transport_attempt, link);
        upstream_finish(a, TRANSPORT_FAILED, NULL, 0, a->err);
    }
}

/* ---- receiving ---- */

/* One datagram: the attempt it answers, else a mismatch for those that asked this address here. */
static void sock_datagram(struct usock *s, const struct addr *from, const uint8_t *packet,
                          size_t len)
{
    struct upstream *u = s->up;
    struct transport_attempt *hit[SOCK_QUESTIONS];
    unsigned n = 0;
    LIST_FOR (l, &s->open) {
        struct transport_attempt *a = container_of(l, struct transport_attempt, link);
        if (a->waits || !addr_equal(&a->server, from))
            continue;
        if (len >= 12 && upstream_matches(a, packet, len)) {
            stat_inc(u->stats, NET_UP_REPLIES);
            upstream_finish(a, TRANSPORT_REPLY, packet, len, 0);
            return;
        }
        hit[n++] = a;
    }
    stat_inc(u->stats, n ? NET_UP_MISMATCH : NET_UP_STRAY);
    /* A callback may end any attempt: look again before each call. */
    for (unsigned i = 0; i < n; i++) {
        bool still = false;
        LIST_FOR (l, &s->open)
            still = still || container_of(l, struct transport_attempt, link) == hit[i];
        if (still)
            hit[i]->done(hit[i], TRANSPORT_MISMATCH, packet, len, 0);
    }
}

/* False when nothing waits any more. */
static bool sock_receive(struct usock *s)
{
    struct usock_batch *b = s->up->batch;
    for (unsigned i = 0; i < READ_SLOTS; i++)
        b->in[i].msg_hdr.msg_namelen = sizeof b->from[i];
    int got = recvmmsg(s->fd, b->in, READ_SLOTS, MSG_DONTWAIT, NULL);
    if (got <= 0)
        return got < 0 && (errno == EINTR || errno == ECONNREFUSED);
    for (unsigned i = 0; i < (unsigned)got; i++) {
        struct addr from;
        if (addr_of_sockaddr(&from, (struct sockaddr *)&b->from[i]))
            continue;
        from.scope = 0;
        sock_datagram(s, &from, b->packets[i], b->in[i].msg_len);
    }
    return got == READ_SLOTS;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct usock *s = container_of(h, struct usock, poll);
    (void)status;
    (void)events;
    /* A callback may retire and close this socket; its memory stays until the close callback. */
    for (unsigned i = 0; i < READ_ROUNDS && !uv_is_closing((uv_handle_t *)h) && sock_receive(s);
         i++)
        continue;
    usock_done(s);
}

/* ---- sockets ---- */

static int bind_random(struct usock *s, const struct addr *source)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        struct sockaddr_storage ss;
        struct addr a = *source;
        if (!a.family)
            a = (struct addr){.family = s->family ? 6 : 4};
        if (a.family == 4 && !source->family)
            memset(a.ip + 10, 0xff, 2);
        a.port = s->port = (uint16_t)(PORT_LOW + rng_below(s->up->rng, 65536 - PORT_LOW));
        socklen_t len = addr_to_sockaddr(&a, &ss);
        if (!bind(s->fd, (struct sockaddr *)&ss, len))
            return 0;
        if (errno != EADDRINUSE && errno != EACCES)
            return err_of_errno(errno);
    }
    return ERR_LIMIT;
}

static int sock_open(struct upstream *u, unsigned family, struct usock **out)
{
    if (u->socks >= u->options.sockets)
        return ERR_LIMIT;
    struct usock *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    list_init(&s->open);
    s->up = u;
    s->family = family;
    s->born_us = clock_mono_us(u->clock);
    s->fd = socket(family ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = s->fd < 0 ? err_of_errno(errno) : bind_random(s, &u->options.source[family]);
#ifdef IP_PMTUDISC_OMIT
    int omit = IP_PMTUDISC_OMIT;
    if (!err && !family)
        setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof omit);
#endif
    if (!err && uv_poll_init(u->loop, &s->poll, s->fd))
        err = ERR_SYSTEM;
    if (err) {
        if (s->fd >= 0)
            close(s->fd);
        free(s);
        return err;
    }
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    u->socks++;
    u->handles++;
    stat_inc(u->stats, NET_UP_UDP_SOCKETS);
    *out = s;
    return 0;
}

int usock_send(struct upstream *u, struct transport_attempt *a)
{
    unsigned family = a->server.family == 6;
    struct usock *s = u->current[family];
    if (s && (s->taken == SOCK_QUESTIONS || a->sent_us - s->born_us > SOCK_LIFE_US))
        usock_retire(u, family);
    if (!u->current[family]) {
        int err = sock_open(u, family, &u->current[family]);
        if (err)
            return err;
    }
    s = u->current[family];
    list_push(&s->open, &a->link);
    a->on = s;
    a->open = a->waits = true;
    a->local_port = s->port;
    if (++s->taken == SOCK_QUESTIONS)
        sock_send(s);
    return 0;
}
