#include "lab/client.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "dns/msg_write.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_TIMEOUT_MS 8000

static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_of_errno(errno) : n == 0 ? ERR_TIMEOUT : 0;
}

static int read_all(int fd, uint8_t *p, size_t len, int timeout_ms)
{
    while (len) {
        int err = wait_for(fd, POLLIN, timeout_ms);
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

/* A connected socket, from `source` when it has a family. */
static int open_socket(const struct addr *server, const struct addr *source, bool tcp, int *fd)
{
    struct sockaddr_storage to, from;
    socklen_t to_len = addr_to_sockaddr(server, &to), from_len = 0;
    *fd = socket(to.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return err_of_errno(errno);
    if (source && source->family)
        from_len = addr_to_sockaddr(source, &from);
    if ((from_len && bind(*fd, (struct sockaddr *)&from, from_len) < 0) ||
        connect(*fd, (struct sockaddr *)&to, to_len) < 0)
        return err_of_errno(errno);
    return 0;
}

static int exchange(const struct addr *server, const struct addr *source, bool tcp, int timeout_ms,
                    const uint8_t *q, size_t len, uint8_t *reply, size_t *reply_len)
{
    int fd, err = open_socket(server, source, tcp, &fd);
    uint8_t head[2];
    put_u16(head, (uint16_t)len);
    if (!err && ((tcp && send(fd, head, 2, MSG_NOSIGNAL) != 2) ||
                 send(fd, q, len, MSG_NOSIGNAL) != (ssize_t)len))
        err = err_of_errno(errno);
    if (!err && tcp) {
        err = read_all(fd, head, 2, timeout_ms);
        *reply_len = get_u16(head);
        err = err ? err : read_all(fd, reply, *reply_len, timeout_ms);
    } else if (!err) {
        err = wait_for(fd, POLLIN, timeout_ms);
        ssize_t n = err ? 0 : recv(fd, reply, 65535, 0);
        err = err ? err : n < 0 ? err_of_errno(errno) : 0;
        *reply_len = n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

/* Octets of the question in q, or an error. */
static int make_question(const char *name, const char *type, uint16_t flags,
                         const struct edns_subnet *subnet, uint8_t *q, size_t cap)
{
    uint8_t qname[DNS_NAME_MAX];
    struct dns_writer w;
    struct rng rng;
    struct edns e = {.present = true, .size = 1232};
    if (subnet)
        e.subnet = *subnet;
    int qtype = dns_type_parse(type, strlen(type)),
        n = dns_name_parse(qname, name, strlen(name), NULL);
    if (n < 0 || qtype < 0)
        return n < 0 ? n : ERR_SYNTAX;
    int err = rng_init(&rng);
    if (err < 0)
        return err;
    dns_writer_init(&w, q, cap);
    dns_writer_question(&w, qname, (uint16_t)qtype, DNS_CLASS_IN);
    n = (int)dns_writer_finish(&w, rng_u16(&rng), flags, 0, &e, 0);
    rng_fini(&rng);
    return n;
}

static int ask(const struct addr *server, const struct addr *source, const uint8_t *q, int qlen,
               bool tcp, bool fall_back, int timeout_ms, struct arena *a, struct lab_reply *reply)
{
    uint8_t *bytes = arena_alloc(a, 65535);
    size_t len = 0;
    if (qlen < 0 || !bytes)
        return qlen < 0 ? qlen : ERR_NOMEM;
    int64_t start = clock_mono_us(clock_system());
    reply->tcp = tcp;
    int err = exchange(server, source, tcp, timeout_ms, q, (size_t)qlen, bytes, &len);
    if (!err && fall_back && len > 2 && bytes[2] & 2) {
        reply->tcp = true;
        err = exchange(server, source, true, timeout_ms, q, (size_t)qlen, bytes, &len);
    }
    reply->took_us = clock_mono_us(clock_system()) - start;
    err = err ? err : dns_msg_parse(&reply->msg, bytes, len, a, 4096);
    return err ? err : reply->msg.id == get_u16(q) ? 0 : ERR_MISMATCH;
}

int lab_ask(const struct addr *server, const char *name, const char *type, bool recurse,
            struct arena *a, struct lab_reply *reply)
{
    uint8_t q[512];
    int len = make_question(name, type, recurse ? DNS_FLAG_RD : 0, NULL, q, sizeof q);
    return ask(server, NULL, q, len, false, true, CLIENT_TIMEOUT_MS, a, reply);
}

int lab_ask_over(const struct addr *server, const char *name, const char *type, bool tcp,
                 int timeout_ms, struct arena *a, struct lab_reply *reply)
{
    uint8_t q[512];
    int len = make_question(name, type, 0, NULL, q, sizeof q);
    return ask(server, NULL, q, len, tcp, false, timeout_ms, a, reply);
}

int lab_client_parse(struct lab_client *c, const char *text)
{
    struct prefix p;
    int err = prefix_parse(&p, text);
    memset(c, 0, sizeof *c);
    if (err)
        return err;
    if (!strchr(text, '/'))
        return addr_parse(&c->source, text, 0);
    unsigned skip = p.family == 4 ? 96 : 0;
    c->subnet.family = p.family == 4 ? 1 : 2;
    c->subnet.source = (uint8_t)(p.bits - skip);
    memcpy(c->subnet.ip, p.ip + skip / 8, 16 - skip / 8);
    return 0;
}

int lab_ask_as(const struct addr *server, const struct lab_client *client, const char *name,
               const char *type, struct arena *a, struct lab_reply *reply)
{
    uint8_t q[512];
    int len = make_question(name, type, 0, &client->subnet, q, sizeof q);
    return ask(server, &client->source, q, len, false, true, CLIENT_TIMEOUT_MS, a, reply);
}
