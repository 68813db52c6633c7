#include "probe_priv.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const char *tcp_stage(struct gslb_probe *probe)
{
    const struct probe_tcp *t = &probe->as.tcp;
    return !t->connected                      ? "connecting"
           : t->sent < probe->check->send_len ? "sending"
           : t->seen                          ? "before the expected text came"
                                              : "waiting for an answer";
}

static void tcp_stop(struct gslb_probe *probe)
{
    probe_close_fd(probe, &probe->as.tcp.fd);
}

static void tcp_read(struct gslb_probe *probe)
{
    struct probe_tcp *t = &probe->as.tcp;
    char room[PROBE_REPLY_MAX];
    ssize_t n = recv(t->fd, room, PROBE_REPLY_MAX - t->seen, 0);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            probe_finish_errno(probe, errno, "waiting for an answer");
        return;
    }
    if (n > 0 && !t->seen)
        probe->result.first_us = probe_elapsed_us(probe);
    t->seen += (size_t)n;
    if (probe_match_feed(&t->expect, room, (size_t)n))
        probe_finish(probe, GSLB_PASS, "the expected text came");
    else if (!n)
        probe_finish(probe, GSLB_FAIL, "closed after %zu octets without the expected text",
                     t->seen);
    else if (t->seen == PROBE_REPLY_MAX)
        probe_finish(probe, GSLB_FAIL, "the first %d octets lack the expected text",
                     PROBE_REPLY_MAX);
}

static void tcp_write(struct gslb_probe *probe)
{
    struct probe_tcp *t = &probe->as.tcp;
    const struct gslb_check *c = probe->check;
    if (c->send && t->sent < c->send_len) {
        ssize_t n = send(t->fd, c->send + t->sent, c->send_len - t->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            probe_finish_errno(probe, errno, "sending");
            return;
        }
        t->sent += n > 0 ? (size_t)n : 0;
        if (t->sent < c->send_len)
            return;
    }
    if (!t->expect.len)
        probe_finish(probe, GSLB_PASS, "connected");
    else
        probe_watch(probe, t->fd, EPOLLIN);
}

static void tcp_ready(struct gslb_probe *probe, int fd, uint32_t events)
{
    struct probe_tcp *t = &probe->as.tcp;
    int err = 0;
    socklen_t len = sizeof err;
    (void)events;
    if (!t->connected) {
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) || err) {
            probe_finish_errno(probe, err ? err : errno, NULL);
            return;
        }
        t->connected = true;
        probe->result.connect_us = probe_elapsed_us(probe);
        tcp_write(probe);
    } else if (probe->check->send && t->sent < probe->check->send_len) {
        tcp_write(probe);
    } else {
        tcp_read(probe);
    }
}

static void tcp_start(struct gslb_probe *probe)
{
    struct probe_tcp *t = &probe->as.tcp;
    const struct gslb_check *c = probe->check;
    struct sockaddr_storage ss;
    *t = (struct probe_tcp){.fd = probe_socket(probe, SOCK_STREAM, 0)};
    if (c->expect)
        t->expect = (struct probe_match){.want = c->expect, .len = c->expect_len};
    if (t->fd < 0) {
        probe_finish_errno(probe, errno, "cannot ask");
        return;
    }
    socklen_t len = addr_to_sockaddr(&probe->target, &ss);
    int err = connect(t->fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS ? errno : 0;
    err = err ? err : probe_watch(probe, t->fd, EPOLLOUT);
    if (err)
        probe_finish_errno(probe, err, NULL);
}

const struct probe_type probe_type_tcp = {tcp_start, tcp_ready, tcp_stop, tcp_stage};
