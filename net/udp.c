#include "net/udp.h"

#include "base/cursor.h"
#include "base/err.h"
#include "net/counters.h"
#include "net_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_SLOTS   64
#define BATCH_ROUNDS  32 /* batches of one socket before timers and TCP get a turn */
#define LUCK_EVEN     8  /* of looks that find something against those that do not */
#define LUCK_MAX      15
#define LUCK_RETRY    64 /* looks left out before one is tried anyway */
#define CONTROL_SPACE 64
#define SOCKET_BUFFER (4 << 20)
#define CACHE_LINE    64

struct net_batch {
    struct udp_later *later; /* NULL: replies to kept queries are sent at once */
    struct mmsghdr in[BATCH_SLOTS], out[BATCH_SLOTS];
    struct iovec in_iov[BATCH_SLOTS], out_iov[BATCH_SLOTS];
    struct sockaddr_storage from[BATCH_SLOTS];
    unsigned used; /* receive headers that the kernel has written to */
    bool control_wanted;
    _Alignas(struct cmsghdr) uint8_t control[BATCH_SLOTS][CONTROL_SPACE];
    /* A page apart the first lines of all slots would share one set of the cache. */
    uint8_t packets[BATCH_SLOTS][NET_UDP_SLOT + CACHE_LINE];
    uint8_t replies[BATCH_SLOTS * NET_UDP_SLOT]; /* one behind the other */
};

struct net_udp {
    uv_poll_t poll; /* waits for the first packet */
    uv_idle_t more; /* takes the rest while they keep coming */
    int fd;
    bool wildcard, busy;
    uint8_t luck, unasked; /* does a second look find more? */
    uint8_t open;          /* handles not closed yet */
    uint32_t listener_id;
    struct addr addr;
    struct handler *handler;
    struct stat_block *stats;
    struct net_batch *batch;
};

/* Where a request came from, for net_ticket_take. */
struct udp_origin {
    struct net_udp *socket;
    const struct msghdr *header;
};

struct net_batch *net_batch_new(void)
{
    struct net_batch *b = calloc(1, sizeof *b);
    for (unsigned i = 0; b && i < BATCH_SLOTS; i++) {
        b->in_iov[i] = (struct iovec){b->packets[i], NET_UDP_SLOT};
        b->in[i].msg_hdr =
            (struct msghdr){.msg_name = &b->from[i], .msg_iov = &b->in_iov[i], .msg_iovlen = 1};
        b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_iov[i], .msg_iovlen = 1};
    }
    if (b)
        b->used = BATCH_SLOTS;
    return b;
}

void net_batch_free(struct net_batch *b)
{
    if (b)
        free(b->later);
    free(b);
}

int net_batch_hold(struct net_batch *b)
{
    b->later = udp_later_new();
    return b->later ? 0 : ERR_NOMEM;
}

void net_batch_flush(struct net_batch *b)
{
    if (b->later)
        udp_later_flush(b->later);
}

/* ---- one batch ---- */

/* Room for sender and control data, which the kernel cut to what came last time. */
static void batch_prepare(struct net_udp *u)
{
    struct net_batch *b = u->batch;
    if (b->control_wanted != u->wildcard) {
        b->control_wanted = u->wildcard;
        b->used = BATCH_SLOTS;
    }
    for (unsigned i = 0; i < b->used; i++) {
        struct msghdr *m = &b->in[i].msg_hdr;
        m->msg_namelen = sizeof b->from[i];
        m->msg_control = u->wildcard ? b->control[i] : NULL;
        m->msg_controllen = u->wildcard ? CONTROL_SPACE : 0;
    }
}

static void batch_send(struct net_udp *u, unsigned count)
{
    unsigned sent = 0;
    while (sent < count) {
        int n = sendmmsg(u->fd, u->batch->out + sent, count - sent, 0);
        if (n > 0) {
            sent += (unsigned)n;
            stat_add(u->stats, NET_UDP_SENT, (uint64_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else {
            stat_inc(u->stats, NET_UDP_SEND_FAILED); /* this one is lost, the next may go */
            sent++;
        }
    }
}

/* The reply leaves from the address that was asked, by the way that the routing table names: the
 * interface the question came in by need not lead back. Link-local addresses mean nothing without
 * it. */
static void forget_interface(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        void *info = CMSG_DATA(c);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            ((struct in_pktinfo *)info)->ipi_ifindex = 0;
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                 !IN6_IS_ADDR_LINKLOCAL(&((struct in6_pktinfo *)info)->ipi6_addr))
            ((struct in6_pktinfo *)info)->ipi6_ifindex = 0;
    }
}

static void batch_ahead(struct net_udp *u, unsigned first, unsigned left)
{
    struct net_packet next[HANDLER_AHEAD];
    unsigned count = left < HANDLER_AHEAD ? left : HANDLER_AHEAD;
    if (!u->handler->ahead)
        return;
    for (unsigned i = 0; i < count; i++)
        next[i] =
            (struct net_packet){u->batch->packets[first + i], u->batch->in[first + i].msg_len};
    u->handler->ahead(u->handler, next, count, u->listener_id);
}

/* Answers slot i; true when reply n lies at `to`. */
static bool batch_answer(struct net_udp *u, unsigned i, unsigned ahead, unsigned n, uint8_t *to)
{
    struct net_batch *b = u->batch;
    struct msghdr *m = &b->in[i].msg_hdr, *out = &b->out[n].msg_hdr;
    struct udp_origin origin = {u, m};
    struct net_query q = {.packet = b->packets[i],
                          .len = b->in[i].msg_len,
                          .out = to,
                          .out_cap = NET_UDP_SLOT,
                          .local = &u->addr,
                          .proto = NET_PROTO_UDP,
                          .listener_id = u->listener_id,
                          .ahead = ahead,
                          .priv = &origin};
    if (m->msg_flags & MSG_TRUNC) {
        stat_inc(u->stats, NET_UDP_OVERSIZE);
        return false;
    }
    if (addr_of_sockaddr(&q.client, m->msg_name) || !q.client.port)
        return false; /* nothing can be answered to port 0 */
    if (u->wildcard)
        forget_interface(m);
    if (u->handler->answer(u->handler, &q) != HANDLER_ANSWERED)
        return false;
    b->out_iov[n] = (struct iovec){to, q.out_len};
    out->msg_name = m->msg_name;
    out->msg_namelen = m->msg_namelen;
    out->msg_control = m->msg_controllen ? m->msg_control : NULL;
    out->msg_controllen = m->msg_controllen;
    return true;
}

/* How many came; BATCH_SLOTS: more may wait. */
static unsigned batch_run(struct net_udp *u)
{
    struct net_batch *b = u->batch;
    batch_prepare(u);
    int got = recvmmsg(u->fd, b->in, BATCH_SLOTS, MSG_DONTWAIT, NULL);
    b->used = got > 0 ? (unsigned)got : 0;
    if (got <= 0)
        return got < 0 && errno == EINTR ? BATCH_SLOTS : 0;
    stat_inc(u->stats, NET_UDP_BATCHES);
    stat_add(u->stats, NET_UDP_RECEIVED, (uint64_t)got);
    if (u->handler->batch_begin)
        u->handler->batch_begin(u->handler);
    unsigned n = 0;
    uint8_t *to = b->replies;
    for (unsigned i = 0; i < (unsigned)got; i++) {
        unsigned place = i % HANDLER_AHEAD;
        if (!place)
            batch_ahead(u, i, (unsigned)got - i);
        if (batch_answer(u, i, u->handler->ahead ? place + 1 : 0, n, to))
            to += (b->out_iov[n++].iov_len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    }
    if (u->handler->batch_end)
        u->handler->batch_end(u->handler);
    batch_send(u, n);
    return (unsigned)got;
}

static void on_more(uv_idle_t *h);
static void on_readable(uv_poll_t *h, int status, int events);

/* As long as epoll watches a socket, the kernel calls it for each packet that comes and for each
 * that has left. A busy socket is taken out, and put back when nothing waits. */
static void socket_busy(struct net_udp *u, bool busy)
{
    if (busy == u->busy)
        return;
    u->busy = busy;
    if (busy) {
        uv_poll_stop(&u->poll);
        uv_idle_start(&u->more, on_more);
    } else {
        uv_idle_stop(&u->more);
        uv_poll_start(&u->poll, UV_READABLE, on_readable);
    }
}

/* Is it worth looking again at once, though the last batch was not full? A look costs less than the
 * way over epoll, so yes while it finds something more often than not; when it did not, now and
 * then once. */
static bool may_follow(struct net_udp *u)
{
    if (u->luck >= LUCK_EVEN)
        return true;
    if (++u->unasked < LUCK_RETRY)
        return false;
    u->unasked = 0;
    u->luck = LUCK_EVEN;
    return true;
}

static void drain(struct net_udp *u)
{
    unsigned got = batch_run(u);
    for (unsigned i = 1; i < BATCH_ROUNDS; i++) {
        if (got == BATCH_SLOTS) {
            socket_busy(u, true);
            got = batch_run(u);
        } else if (got && may_follow(u)) {
            got = batch_run(u);
            if (!got)
                u->luck--;
            else if (u->luck < LUCK_MAX)
                u->luck++;
        } else {
            socket_busy(u, false);
            return;
        }
    }
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    (void)events;
    if (status >= 0)
        drain(container_of(h, struct net_udp, poll));
}

static void on_more(uv_idle_t *h)
{
    drain(container_of(h, struct net_udp, more));
}

/* ---- replies later ---- */

void net_udp_ticket(const struct net_query *q, struct net_ticket *t)
{
    const struct udp_origin *origin = q->priv;
    const struct msghdr *m = origin->header;
    t->socket = origin->socket;
    t->control_len = 0;
    if (m->msg_control && m->msg_controllen && m->msg_controllen <= sizeof t->control) {
        memcpy(t->control, m->msg_control, m->msg_controllen);
        t->control_len = (uint8_t)m->msg_controllen;
    }
}

void net_udp_reply(const struct net_ticket *t, const uint8_t *packet, size_t len)
{
    struct net_udp *u = t->socket;
    if (u->batch->later) {
        udp_later_put(u->batch->later, u->fd, u->stats, t, packet, len);
        return;
    }
    struct sockaddr_storage to;
    _Alignas(struct cmsghdr) uint8_t control[sizeof t->control];
    struct iovec iov = {(void *)(uintptr_t)packet, len};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = addr_to_sockaddr(&t->client, &to),
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
    if (t->control_len) {
        memcpy(control, t->control, t->control_len);
        m.msg_control = control;
        m.msg_controllen = t->control_len;
    }
    stat_inc(u->stats, sendmsg(u->fd, &m, 0) < 0 ? NET_UDP_SEND_FAILED : NET_UDP_SENT);
}

/* ---- sockets ---- */

int net_socket_bind(const struct addr *a, int type, bool share, int *fd_out)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(a, &ss);
    int on = 1, fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_of_errno(errno);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (type == SOCK_STREAM) /* old connections in TIME_WAIT are no reason to refuse */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
        int err = err_of_errno(errno);
        close(fd);
        return err;
    }
    *fd_out = fd;
    return 0;
}

uint16_t net_socket_port(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct addr a;
    return getsockname(fd, (struct sockaddr *)&ss, &len) ||
                   addr_of_sockaddr(&a, (struct sockaddr *)&ss)
               ? 0
               : a.port;
}

static void socket_options(struct net_udp *u)
{
    int on = 1, size = SOCKET_BUFFER;
    setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
#ifdef IP_PMTUDISC_OMIT
    int omit = IP_PMTUDISC_OMIT; /* forged path MTU must not make us fragment (RFC 9715) */
    if (u->addr.family == 4)
        setsockopt(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof omit);
#endif
    if (u->wildcard && u->addr.family == 4)
        setsockopt(u->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    else if (u->wildcard)
        setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

int net_udp_open(struct net_udp **out, uv_loop_t *loop, struct net_batch *batch,
                 const struct addr *addr, uint32_t listener_id, struct handler *handler,
                 struct stat_block *stats)
{
    struct net_udp *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NOMEM;
    u->batch = batch;
    u->addr = *addr;
    u->wildcard = addr_is_any(addr);
    u->listener_id = listener_id;
    u->handler = handler;
    u->stats = stats;
    int err = net_socket_bind(addr, SOCK_DGRAM, true, &u->fd);
    if (err) {
        free(u);
        return err;
    }
    socket_options(u);
    u->addr.port = net_socket_port(u->fd);
    if (uv_poll_init(loop, &u->poll, u->fd)) {
        close(u->fd);
        free(u);
        return ERR_SYSTEM;
    }
    uv_idle_init(loop, &u->more);
    u->open = 2;
    uv_poll_start(&u->poll, UV_READABLE, on_readable);
    *out = u;
    return 0;
}

uint16_t net_udp_port(const struct net_udp *u)
{
    return u->addr.port;
}

void net_udp_stop(struct net_udp *u)
{
    uv_poll_stop(&u->poll);
    uv_idle_stop(&u->more);
}

static void handle_closed(struct net_udp *u)
{
    if (--u->open)
        return;
    close(u->fd);
    free(u);
}

static void on_poll_closed(uv_handle_t *h)
{
    handle_closed(container_of((uv_poll_t *)(void *)h, struct net_udp, poll));
}

static void on_more_closed(uv_handle_t *h)
{
    handle_closed(container_of((uv_idle_t *)(void *)h, struct net_udp, more));
}

void net_udp_close(struct net_udp *u)
{
    uv_close((uv_handle_t *)&u->poll, on_poll_closed);
    uv_close((uv_handle_t *)&u->more, on_more_closed);
}
