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
#define READ_MAX       64 /* datagrams of one socket before others get a turn */

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

void usock_retire(struct upstream *u, unsigned family)
{
    struct usock *s = u->current[family];
    if (!s)
        return;
    u->current[family] = NULL;
    s->retired = true;
    usock_done(s);
}

/* One datagram: the attempt it answers, else a mismatch for those that asked this address here. */
static void sock_datagram(struct usock *s, const struct addr *from, const uint8_t *packet,
                          size_t len)
{
    struct upstream *u = s->up;
    struct upstream_entry *match = NULL;
    unsigned asked = 0;
    LIST_FOR (it, &s->open) {
        struct upstream_entry *e = container_of(it, struct upstream_entry, link);
        if (!addr_equal(&e->attempt->server, from))
            continue;
        asked++;
        if (!match && len >= 12 && upstream_matches(e->attempt, packet, len))
            match = e;
    }
    if (match) {
        stat_inc(u->stats, NET_UP_REPLIES);
        upstream_finish(match, TRANSPORT_REPLY, packet, len, 0);
        return;
    }
    stat_inc(u->stats, asked ? NET_UP_MISMATCH : NET_UP_STRAY);
    /* A callback may end any attempt: gather first, and look again before each call. */
    struct transport_attempt *hit[SOCK_QUESTIONS];
    unsigned n = 0;
    LIST_FOR (it, &s->open) {
        struct upstream_entry *e = container_of(it, struct upstream_entry, link);
        if (addr_equal(&e->attempt->server, from) && n < SOCK_QUESTIONS)
            hit[n++] = e->attempt;
    }
    for (unsigned i = 0; i < n; i++) {
        bool still = false;
        LIST_FOR (it, &s->open)
            still = still || container_of(it, struct upstream_entry, link)->attempt == hit[i];
        if (still)
            hit[i]->done(hit[i], TRANSPORT_MISMATCH, packet, len, 0);
    }
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct usock *s = container_of(h, struct usock, poll);
    (void)status;
    (void)events;
    /* A callback may retire and close this socket; its memory stays until the close callback. */
    for (unsigned i = 0; i < READ_MAX && !uv_is_closing((uv_handle_t *)h); i++) {
        struct sockaddr_storage ss;
        socklen_t sslen = sizeof ss;
        struct addr from;
        ssize_t n =
            recvfrom(s->fd, s->up->packet, sizeof s->up->packet, 0, (struct sockaddr *)&ss, &sslen);
        if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
            break;
        if (n >= 0 && !addr_of_sockaddr(&from, (struct sockaddr *)&ss)) {
            from.scope = 0;
            sock_datagram(s, &from, s->up->packet, (size_t)n);
        }
    }
    usock_done(s);
}

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
    if (s && (s->taken >= SOCK_QUESTIONS || a->sent_us - s->born_us > SOCK_LIFE_US))
        usock_retire(u, family);
    if (!u->current[family]) {
        int err = sock_open(u, family, &u->current[family]);
        if (err)
            return err;
    }
    s = u->current[family];
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&a->server, &ss);
    ssize_t n;
    do
        n = sendto(s->fd, a->packet, a->len, 0, (struct sockaddr *)&ss, len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != ENOBUFS &&
        errno != ECONNREFUSED) /* those are losses like any other */
        return err_of_errno(errno);
    struct upstream_entry *e = upstream_entry_new(a, &s->open);
    if (!e)
        return ERR_NOMEM;
    e->sock = s;
    s->taken++;
    a->local_port = s->port;
    stat_inc(u->stats, NET_UP_UDP_SENT);
    return 0;
}
