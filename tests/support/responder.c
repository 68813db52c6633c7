#include "responder.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "dns/type.h"
#include "loopback.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER 12

/* The query's first label is this word. */
static bool says(const uint8_t *query, const char *word)
{
    return query[HEADER] == strlen(word) && !memcmp(query + HEADER + 1, word, strlen(word));
}

/* One A record, unless it shall be empty; returns the answer's length. Without EDNS. */
static size_t answer(uint8_t *out, const uint8_t *query)
{
    static const uint8_t record[] = {0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    size_t len = HEADER;
    while (query[len])
        len += 1u + query[len];
    len += 5;
    memcpy(out, query, len);
    unsigned flags = DNS_FLAG_QR | (says(query, "trunc") ? DNS_FLAG_TC : 0);
    unsigned rcode = says(query, "nx")         ? DNS_RCODE_NXDOMAIN
                     : says(query, "servfail") ? DNS_RCODE_SERVFAIL
                     : says(query, "bare")     ? DNS_RCODE_FORMERR
                                               : DNS_RCODE_NOERROR;
    bool empty = rcode || flags & DNS_FLAG_TC || says(query, "empty");
    put_u16(out + 2, (uint16_t)(flags | rcode));
    put_u32(out + 4, empty ? 1u << 16 : 1u << 16 | 1);
    put_u32(out + 8, 0);
    if (says(query, "bare")) {
        put_u16(out + 4, 0);
        return HEADER;
    }
    if (says(query, "wrongid"))
        put_u16(out, (uint16_t)(get_u16(out) ^ 0x5555));
    if (says(query, "wrongname"))
        out[HEADER + 1] ^= 0x20;
    if (!empty)
        memcpy(out + len, record, sizeof record);
    return empty ? len : len + sizeof record;
}

/* ---- UDP ---- */

static void send_packet(const struct responder *r, const struct responder_packet *p)
{
    sendto(r->udp, p->bytes, p->len, MSG_NOSIGNAL, (const struct sockaddr *)&p->to, sizeof p->to);
}

static void hold(struct responder *r, const struct responder_packet *p)
{
    r->held[r->held_count++] = *p;
    if (r->held_count > r->most_held)
        r->most_held = r->held_count;
}

static void pause_once(const struct responder *r)
{
    struct pollfd stop = {.fd = r->stop, .events = POLLIN};
    if (r->pause_ms && r->seen == r->pause_at)
        poll(&stop, 1, (int)r->pause_ms);
}

static void take_datagram(struct responder *r)
{
    uint8_t query[1024];
    struct responder_packet p = {.len = 0};
    socklen_t to_len = sizeof p.to;
    ssize_t n =
        recvfrom(r->udp, query, sizeof query, MSG_DONTWAIT, (struct sockaddr *)&p.to, &to_len);
    if (n < HEADER + 5)
        return;
    r->seen++;
    pause_once(r);
    p.len = answer(p.bytes, query);
    if (says(query, "late") && r->late_count < RESPONDER_LATE) {
        p.due_us = clock_mono_us(clock_system()) + r->late_ms * 1000;
        r->late[r->late_count++] = p;
    } else if (r->hold && r->held_count < RESPONDER_HELD) {
        hold(r, &p);
    } else if (!says(query, "drop")) {
        send_packet(r, &p);
        if (says(query, "twice"))
            send_packet(r, &p);
    }
}

/* Once nothing waits to be read, so that all that came are counted. */
static void release(struct responder *r)
{
    struct pollfd more = {.fd = r->udp, .events = POLLIN};
    if (!r->hold || r->held_count < r->hold || poll(&more, 1, 10) > 0)
        return;
    for (unsigned i = 0; i < r->held_count; i++)
        send_packet(r, &r->held[i]);
    r->held_count = 0;
}

static void send_late(struct responder *r)
{
    while (r->late_sent < r->late_count &&
           r->late[r->late_sent].due_us <= clock_mono_us(clock_system()))
        send_packet(r, &r->late[r->late_sent++]);
}

/* ---- TCP ---- */

static void end_stream(struct responder_stream *s)
{
    close(s->fd);
    s->fd = -1;
    s->len = 0;
}

static void take_connection(struct responder *r)
{
    int fd = accept(r->tcp, NULL, NULL);
    for (unsigned i = 0; fd >= 0 && i < RESPONDER_CONNECTIONS; i++)
        if (r->streams[i].fd < 0) {
            r->streams[i].fd = fd;
            r->connections++;
            return;
        }
    if (fd >= 0)
        close(fd);
}

/* False: the connection was closed. */
static bool take_message(struct responder *r, struct responder_stream *s, const uint8_t *query)
{
    uint8_t out[1024];
    r->seen++;
    if (says(query, "close")) {
        end_stream(s);
        return false;
    }
    size_t len = answer(out + 2, query) + 2;
    put_u16(out, (uint16_t)(len - 2));
    for (unsigned i = says(query, "drop") ? 2 : says(query, "twice") ? 0 : 1; i < 2; i++) {
        send(s->fd, out, 5, MSG_NOSIGNAL);
        send(s->fd, out + 5, len - 5, MSG_NOSIGNAL);
    }
    return true;
}

static void take_stream(struct responder *r, struct responder_stream *s)
{
    ssize_t n = recv(s->fd, s->in + s->len, sizeof s->in - s->len, MSG_DONTWAIT);
    if (n <= 0) {
        end_stream(s);
        return;
    }
    s->len += (size_t)n;
    size_t at = 0;
    while (s->len - at >= 2 && s->len - at - 2 >= get_u16(s->in + at)) {
        if (!take_message(r, s, s->in + at + 2))
            return;
        at += 2u + get_u16(s->in + at);
    }
    memmove(s->in, s->in + at, s->len - at);
    s->len -= at;
}

/* ---- the thread ---- */

static void *serve(void *arg)
{
    struct responder *r = arg;
    for (;;) {
        struct pollfd fds[3 + RESPONDER_CONNECTIONS] = {{.fd = r->stop, .events = POLLIN},
                                                        {.fd = r->udp, .events = POLLIN},
                                                        {.fd = r->tcp, .events = POLLIN}};
        for (unsigned i = 0; i < RESPONDER_CONNECTIONS; i++)
            fds[3 + i] = (struct pollfd){.fd = r->streams[i].fd, .events = POLLIN};
        poll(fds, 3 + RESPONDER_CONNECTIONS, 5);
        if (fds[0].revents)
            return NULL;
        if (fds[1].revents)
            take_datagram(r);
        release(r);
        send_late(r);
        for (unsigned i = 0; i < RESPONDER_CONNECTIONS; i++)
            if (fds[3 + i].revents)
                take_stream(r, &r->streams[i]);
        if (fds[2].revents)
            take_connection(r);
    }
}

void responder_start(struct responder *r)
{
    uint16_t port = 0;
    int size = 4 << 20; /* a pause on a busy machine is longer than asked for */
    r->udp = loopback_bind("127.0.0.1", SOCK_DGRAM, &port);
    if (setsockopt(r->udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
        setsockopt(r->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    r->tcp = loopback_bind("127.0.0.1", SOCK_STREAM, &port);
    r->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(r->stop >= 0);
    assert_int_equal(addr_parse(&r->addr, "127.0.0.1", port), 0);
    for (unsigned i = 0; i < RESPONDER_CONNECTIONS; i++)
        r->streams[i].fd = -1;
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

void responder_end(struct responder *r)
{
    assert_int_equal(eventfd_write(r->stop, 1), 0);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    for (unsigned i = 0; i < RESPONDER_CONNECTIONS; i++)
        if (r->streams[i].fd >= 0)
            close(r->streams[i].fd);
    close(r->udp);
    close(r->tcp);
    close(r->stop);
}
