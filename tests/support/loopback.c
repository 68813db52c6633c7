#include "loopback.h"

#include "base/clock.h"
#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define GIVE_UP_MS 20000

static int make_socket(const char *ip, int type, uint16_t port, struct sockaddr_storage *ss,
                       socklen_t *len)
{
    struct addr a;
    assert_int_equal(addr_parse(&a, ip, port), 0);
    *len = addr_to_sockaddr(&a, ss);
    int fd = socket(ss->ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

int loopback_bind(const char *ip, int type, uint16_t *port)
{
    struct sockaddr_storage ss;
    struct addr a;
    socklen_t len;
    assert_int_equal(addr_parse(&a, ip, *port), 0);
    if (!*port)
        *port = net_probe_port(&a);
    assert_int_not_equal(*port, 0);
    int on = 1, fd = make_socket(ip, type, *port, &ss, &len);
    /* As net_probe_port looked: a connection of the test before may wait at this port. */
    if (type == SOCK_STREAM)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 64), 0);
    return fd;
}

int loopback_connect(const char *ip, int type, uint16_t port)
{
    struct sockaddr_storage ss;
    socklen_t len;
    int fd = make_socket(ip, type, port, &ss, &len);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    return fd;
}

void loopback_send(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

void loopback_reset(int fd)
{
    struct linger l = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
    close(fd);
}

bool loopback_until(uv_loop_t *loop, bool (*ready)(void *), void *arg)
{
    int64_t end = clock_mono_ms(clock_system()) + GIVE_UP_MS;
    while (!ready(arg)) {
        if (clock_mono_ms(clock_system()) > end)
            return false;
        struct pollfd p = {.fd = uv_backend_fd(loop), .events = POLLIN};
        if (!uv_run(loop, UV_RUN_NOWAIT) || !ready(arg))
            poll(&p, 1,
                 1); /* the loop's own descriptors; its timers and ours are looked at after */
    }
    return true;
}

static bool is_readable(void *arg)
{
    struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

bool loopback_readable(uv_loop_t *loop, int fd)
{
    return loopback_until(loop, is_readable, &fd);
}

bool loopback_recv(uv_loop_t *loop, int fd, void *out, size_t len)
{
    for (size_t have = 0; have < len;) {
        if (!loopback_readable(loop, fd))
            return false;
        ssize_t n = recv(fd, (char *)out + have, len - have, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

bool loopback_ended(uv_loop_t *loop, int fd)
{
    char bytes[65536];
    while (loopback_readable(loop, fd)) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
    }
    return false;
}
