#include "lab/client.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "dns/msg_write.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_TIMEOUT_MS 8000

static int wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    do
        n = poll(&p, 1, CLIENT_TIMEOUT_MS);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_of_errno(errno) : n == 0 ? ERR_TIMEOUT : 0;
}

static int read_all(int fd, uint8_t *p, size_t len)
{
    while (len) {
        int err = wait_for(fd, POLLIN);
        ssize_t n = err ? 0 : recv(fd, p, len, 0);
        if (err || n < 0)
            return err ? err : err_of_errno(errno);
        if (!n)
            return ERR_CLOSED;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int exchange(const struct addr *server, bool tcp, const uint8_t *q, size_t len,
                    uint8_t *reply, size_t *reply_len)
{
    struct sockaddr_storage ss;
    socklen_t sslen = addr_to_sockaddr(server, &ss);
    int fd = socket(ss.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    int err = fd < 0 || connect(fd, (struct sockaddr *)&ss, sslen) < 0 ? err_of_errno(errno) : 0;
    uint8_t head[2];
    put_u16(head, (uint16_t)len);
    if (!err && ((tcp && send(fd, head, 2, MSG_NOSIGNAL) != 2) ||
                 send(fd, q, len, MSG_NOSIGNAL) != (ssize_t)len))
        err = err_of_errno(errno);
    if (!err && tcp) {
        err = read_all(fd, head, 2);
        *reply_len = get_u16(head);
        err = err ? err : read_all(fd, reply, *reply_len);
    } else if (!err) {
        err = wait_for(fd, POLLIN);
        ssize_t n = err ? 0 : recv(fd, reply, 65535, 0);
        err = err ? err : n < 0 ? err_of_errno(errno) : 0;
        *reply_len = n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

int lab_ask(const struct addr *server, const char *name, const char *type, bool recurse,
            struct arena *a, struct lab_reply *reply)
{
    uint8_t qname[DNS_NAME_MAX], q[512];
    struct dns_writer w;
    struct rng rng;
    int qtype = dns_type_parse(type, strlen(type)),
        n = dns_name_parse(qname, name, strlen(name), NULL);
    uint8_t *bytes = arena_alloc(a, 65535);
    size_t len = 0;
    if (n < 0 || qtype < 0 || !bytes)
        return n < 0 ? n : qtype < 0 ? ERR_SYNTAX : ERR_NOMEM;
    int err = rng_init(&rng);
    if (err)
        return err;
    struct edns e = {.present = true, .size = 1232};
    dns_writer_init(&w, q, sizeof q);
    dns_writer_question(&w, qname, (uint16_t)qtype, DNS_CLASS_IN);
    size_t qlen = dns_writer_finish(&w, rng_u16(&rng), recurse ? DNS_FLAG_RD : 0, 0, &e, 0);
    rng_fini(&rng);
    int64_t start = clock_mono_us(clock_system());
    reply->tcp = false;
    err = exchange(server, false, q, qlen, bytes, &len);
    if (!err && len > 2 && bytes[2] & 2) {
        reply->tcp = true;
        err = exchange(server, true, q, qlen, bytes, &len);
    }
    reply->took_us = clock_mono_us(clock_system()) - start;
    err = err ? err : dns_msg_parse(&reply->msg, bytes, len, a, 4096);
    return err ? err : reply->msg.id == get_u16(q) ? 0 : ERR_MISMATCH;
}
