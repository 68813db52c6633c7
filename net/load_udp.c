/* net/load_udp.c: a client is a connected socket with a port of its own; queries leave and answers
 * come in batches. Of an answer no more is copied than is looked at. */
#include "load_priv.h"

#include "base/err.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 << 20)
#define SEND_WAIT_MS  1  /* for room, */
#define SEND_TRIES    50 /* so often for a batch */
#define READ_ROUNDS   8  /* batches of one socket before the others' turn */

struct load_batch {
    struct mmsghdr out[LOAD_BATCH], in[LOAD_BATCH];
    struct iovec out_iov[LOAD_BATCH], in_iov[LOAD_BATCH];
    uint8_t queries[LOAD_BATCH][LOAD_QUERY_MAX];
    uint8_t answers[LOAD_BATCH][LOAD_QUERY_MAX];
};

static struct load_batch *batch_new(void)
{
    struct load_batch *b = calloc(1, sizeof *b);
    for (unsigned i = 0; b && i < LOAD_BATCH; i++) {
        b->out_iov[i].iov_base = b->queries[i];
        b->out[i].msg_hdr = (struct msghdr){.msg_iov = &b->out_iov[i], .msg_iovlen = 1};
        b->in_iov[i] = (struct iovec){b->answers[i], LOAD_QUERY_MAX};
        b->in[i].msg_hdr = (struct msghdr){.msg_iov = &b->in_iov[i], .msg_iovlen = 1};
    }
    return b;
}

static int udp_open(struct load *l, struct load_client *c)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&l->o->server, &ss);
    int size = SOCKET_BUFFER;
    if (!l->batch && !(l->batch = batch_new()))
        return ERR_NOMEM;
    int err = load_socket(l, c, SOCK_DGRAM, EPOLLIN);
    if (err)
        return err;
    if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (connect(c->fd, (struct sockaddr *)&ss, len))
        return err_of_errno(errno);
    load_set_up(l, c, true);
    return 0;
}

/* What cannot leave is lost, and times out as such: so a broken path is not asked faster. */
static void send_batch(struct load *l, struct load_client *c, unsigned count)
{
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    for (unsigned sent = 0, tries = 0; sent < count;) {
        int n = sendmmsg(c->fd, l->batch->out + sent, count - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (unsigned)n;
        } else if ((errno == EAGAIN || errno == ENOBUFS) && tries < SEND_TRIES) {
            tries++;
            poll(&p, 1, SEND_WAIT_MS);
        } else if (errno == ECONNREFUSED) {
            load_refused(l); /* told of an earlier one; this one was not tried yet */
        } else if (errno != EINTR) {
            l->r->counts.unsent++;
            sent++;
        }
    }
}

static unsigned udp_send(struct load *l, struct load_client *c, unsigned most)
{
    struct load_batch *b = l->batch;
    unsigned n = 0;
    for (; n < most && n < LOAD_BATCH; n++) {
        b->out_iov[n].iov_len = load_next(l, c, b->queries[n]);
        if (!b->out_iov[n].iov_len)
            break;
    }
    if (n)
        send_batch(l, c, n);
    return n;
}

static void udp_ready(struct load *l, struct load_client *c, uint32_t events)
{
    struct load_batch *b = l->batch;
    (void)events;
    for (unsigned round = 0; round < READ_ROUNDS; round++) {
        /* MSG_TRUNC: the true length, also of what was not copied */
        int n = recvmmsg(c->fd, b->in, LOAD_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
        if (n < 0 && errno == ECONNREFUSED)
            load_refused(l);
        if (n <= 0)
            break;
        l->now_ns = load_clock_ns();
        for (int i = 0; i < n; i++) {
            size_t len = b->in[i].msg_len;
            load_take(l, c, b->answers[i], len < LOAD_QUERY_MAX ? len : LOAD_QUERY_MAX, len);
        }
        load_fill(l, c);
        if (n < LOAD_BATCH)
            break;
    }
}

static void udp_tick(struct load *l, struct load_client *c)
{
    load_fill(l, c);
}

static void udp_close(struct load *l, struct load_client *c)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t len = sizeof info;
    if (c->fd >= 0) {
        if (!getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, info, &len) && len == sizeof info)
            l->r->counts.dropped += info[SK_MEMINFO_DROPS];
        close(c->fd);
    }
    c->fd = -1;
}

const struct load_link load_link_udp = {udp_open, udp_send, udp_ready, udp_tick, udp_close};
