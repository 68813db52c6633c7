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
#define BATCH_AHEAD   3  /* packets that the handler hears of before their turn */
#define CONTROL_SPACE 64
#define SOCKET_BUFFER (4 << 20)

struct net_batch {
    struct udp_later *later; /* NULL: replies to kept queries are sent at once */
    struct mmsghdr in[BATCH_SLOTS], out[BATCH_SLOTS];
    struct iovec in_iov[BATCH_SLOTS], out_iov[BATCH_SLOTS];
    struct sockaddr_storage from[BATCH_SLOTS];
    _Alignas(struct cmsghdr) uint8_t control[BATCH_SLOTS][CONTROL_SPACE];
    uint8_t packets[BATCH_SLOTS][NET_UDP_SLOT];
    uint8_t replies[BATCH_SLOTS][NET_UDP_SLOT];
};

struct net_udp {
    uv_poll_t poll;
    int fd;
    bool wildcard;
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
    return calloc(1, sizeof(struct net_batch));
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

static void batch_prepare(struct net_udp *u)
{
    struct net_batch *b = u->batch;
    for (unsigned i = 0; i < BATCH_SLOTS; i++) {
        b->in_iov[i] = (struct iovec){b->packets[i], NET_UDP_SLOT};
        b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
                                           .msg_namelen = sizeof b->from[i],
                                           .msg_iov = &b->in_iov[i],
                                           .msg_iovlen = 1,
                                           .msg_control = u->wildcard ? b->control[i] : NULL,
                                           .msg_controllen = u->wildcard ? CONTROL_SPACE : 0};
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

/* Answers slot i; true when reply slot n holds an answer. */
static bool batch_answer(struct net_udp *u, unsigned i, unsigned n)
{
    struct net_batch *b = u->batch;
    struct msghdr *m = &b->in[i].msg_hdr;
    struct udp_origin origin = {u, m};
    struct net_query q = {.packet = b->packets[i],
                          .len = b->in[i].msg_len,
                          .out = b->replies[n],
                          .out_cap = NET_UDP_SLOT,
                          .local = &u->addr,
                          .proto = NET_PROTO_UDP,
                          .listener_id = u->listener_id,
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
    b->out_iov[n] = (struct iovec){b->replies[n], q.out_len};
    b->out[n].msg_hdr = (struct msghdr){.msg_name = m->msg_name,
                                        .msg_namelen = m->msg_namelen,
                                        .msg_iov = &b->out_iov[n],
                                        .msg_iovlen = 1,
                                        .msg_control = u->wildcard ? m->msg_control : NULL,
                                        .msg_controllen = u->wildcard ? m->msg_controllen : 0};
    return true;
}

/* False when nothing waits any more. */
static bool batch_run(struct net_udp *u)
{
    batch_prepare(u);
    int got = recvmmsg(u->fd, u->batch->in, BATCH_SLOTS, MSG_DONTWAIT, NULL);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    stat_inc(u->stats, NET_UDP_BATCHES);
    stat_add(u->stats, NET_UDP_RECEIVED, (uint64_t)got);
    if (u->handler->batch_begin)
        u->handler->batch_begin(u->handler);
    unsigned n = 0;
    for (unsigned i = 0; i < (unsigned)got + BATCH_AHEAD; i++) {
        if (i < (unsigned)got && u->handler->ahead)
            u->handler->ahead(u->handler, u->batch->packets[i], u->batch->in[i].msg_len,
                              u->listener_id);
        if (i >= BATCH_AHEAD)
            n += batch_answer(u, i - BATCH_AHEAD, n);
    }
    if (u->handler->batch_end)
        u->handler->batch_end(u->handler);
    batch_send(u, n);
    return got == BATCH_SLOTS;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct net_udp *u = container_of(h, struct net_udp, poll);
    (void)events;
    if (status < 0)
        return;
    for (unsigned i = 0; i < BATCH_ROUNDS && batch_run(u); i++)
        ;
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
}

static void on_closed(uv_handle_t *h)
{
    struct net_udp *u = container_of((uv_poll_t *)(void *)h, struct net_udp, poll);
    close(u->fd);
    free(u);
}

void net_udp_close(struct net_udp *u)
{
    uv_close((uv_handle_t *)&u->poll, on_closed);
}
