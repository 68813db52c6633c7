/* Questions to servers over real loopback sockets; the test is the server. Time stands still unless
 * a test moves it. */
/* folders: base dns net */
#include "net/upstream.h"

#include "base/cursor.h"
#include "base/list.h"
#include "loopback.h"
#include "net/counters.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define IP           "127.0.0.1"
#define QUESTION_LEN 25 /* header, 8 octets of name and the root, type and class */

struct fixture {
    struct clock clock;
    int64_t now_us;
    uv_loop_t loop;
    struct rng rng;
    struct stat_block *stats;
    struct upstream *up;
    struct transport *t;
    bool sending;
};

struct ask {
    struct transport_attempt a;
    struct fixture *f;
    uint8_t question[QUESTION_LEN];
    unsigned replies, mismatches, failures;
    int err;
    uint8_t reply[64];
    size_t reply_len;
};

static int64_t fixture_now(const struct clock *c)
{
    return container_of(c, struct fixture, clock)->now_us;
}

static struct fixture *fixture_open(const struct upstream_options *options)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct upstream_options o;
    upstream_options_default(&o);
    f->clock = (struct clock){fixture_now, fixture_now};
    f->now_us = 5000000;
    rng_init_fixed(&f->rng, 11);
    f->stats = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(
        upstream_new(&f->up, &f->loop, &f->rng, &f->clock, options ? options : &o, f->stats), 0);
    f->t = upstream_transport(f->up);
    return f;
}

static void fixture_close(struct fixture *f)
{
    upstream_close(f->up);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    stat_free(f->stats);
    free(f);
}

static uint64_t count(struct fixture *f, enum net_counter c)
{
    return stat_get(f->stats, c);
}

static void on_event(struct transport_attempt *a, enum transport_event event, const uint8_t *packet,
                     size_t len, int err)
{
    struct ask *k = container_of(a, struct ask, a);
    assert_false(k->f->sending);
    assert_int_equal(k->replies + k->failures, 0); /* nothing follows the end */
    k->replies += event == TRANSPORT_REPLY;
    k->mismatches += event == TRANSPORT_MISMATCH;
    k->failures += event == TRANSPORT_FAILED;
    assert_int_equal(a->open, event == TRANSPORT_MISMATCH);
    k->err = err;
    k->reply_len = len < sizeof k->reply ? len : sizeof k->reply;
    if (k->reply_len)
        memcpy(k->reply, packet, k->reply_len);
}

static int ask_at(struct fixture *f, struct ask *k, enum net_proto proto, const char *ip,
                  uint16_t port, uint16_t id)
{
    static const uint8_t rest[QUESTION_LEN - 2] = {1,   0,   0,   1,   0,   0,   0, 0, 0, 0, 7, 'E',
                                                   'x', 'A', 'm', 'P', 'l', 'E', 0, 0, 1, 0, 1};
    memset(k, 0, sizeof *k);
    k->f = f;
    put_u16(k->question, id);
    memcpy(k->question + 2, rest, sizeof rest);
    addr_parse(&k->a.server, ip, port);
    k->a.proto = proto;
    k->a.packet = k->question;
    k->a.len = QUESTION_LEN;
    k->a.done = on_event;
    f->sending = true;
    int err = f->t->send(f->t, &k->a);
    f->sending = false;
    assert_int_equal(k->a.open, err == 0);
    return err;
}

static int ask_port(struct fixture *f, struct ask *k, enum net_proto proto, uint16_t port,
                    uint16_t id)
{
    return ask_at(f, k, proto, IP, port, id);
}

static void ask(struct fixture *f, struct ask *k, enum net_proto proto, uint16_t port, uint16_t id)
{
    assert_int_equal(ask_port(f, k, proto, port, id), 0);
}

static bool is_over(void *arg)
{
    const struct ask *k = arg;
    return k->replies || k->failures;
}

struct counted {
    struct fixture *f;
    enum net_counter which;
    uint64_t value;
};

static bool has_counted(void *arg)
{
    const struct counted *c = arg;
    return count(c->f, c->which) >= c->value;
}

static void until_counted(struct fixture *f, enum net_counter which, uint64_t value)
{
    struct counted c = {f, which, value};
    assert_true(loopback_until(&f->loop, has_counted, &c));
}

static void until_over(struct fixture *f, struct ask *k, const char *label, int want)
{
    if (!loopback_until(&f->loop, is_over, k))
        fail_msg("%s: nothing came", label);
    if (k->err != want || k->replies != !want)
        fail_msg("%s: %s", label, err_name(k->err));
}

static void make_reply(const struct ask *k, uint8_t *out)
{
    memcpy(out, k->question, QUESTION_LEN);
    out[2] |= 0x80;
}

/* ---- UDP ---- */

struct udp_server {
    int fd;
    uint16_t port;
    struct sockaddr_storage from;
    socklen_t len;
};

static void server_take(struct udp_server *s, const struct ask *k)
{
    uint8_t got[512];
    uv_run(&k->f->loop, UV_RUN_NOWAIT); /* what was asked in a turn leaves at its end */
    s->len = sizeof s->from;
    assert_int_equal(recvfrom(s->fd, got, sizeof got, 0, (struct sockaddr *)&s->from, &s->len),
                     QUESTION_LEN);
    assert_memory_equal(got, k->question, QUESTION_LEN);
    struct addr a;
    assert_int_equal(addr_of_sockaddr(&a, (struct sockaddr *)&s->from), 0);
    assert_int_equal(a.port, k->a.local_port);
}

static void server_reply(const struct udp_server *s, int fd, const uint8_t *p, size_t len)
{
    assert_int_equal(sendto(fd, p, len, 0, (const struct sockaddr *)&s->from, s->len), len);
}

/* RFC 5452 9.1: what does not match every octet is no reply, and the true one still is. */
static void mismatch_then_reply(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        unsigned at;
        uint8_t flip;
        size_t len;
        bool stranger; /* from another port of the server */
    } rows[] = {
        {"id, high octet", 0, 0x01, QUESTION_LEN, false},
        {"id, low octet", 1, 0x80, QUESTION_LEN, false},
        {"a question, no response", 2, 0x80, QUESTION_LEN, false},
        {"no question counted", 5, 0x01, QUESTION_LEN, false},
        {"two questions counted", 5, 0x03, QUESTION_LEN, false},
        {"another name", 14, 0x01, QUESTION_LEN, false},
        {"another case", 14, 0x20, QUESTION_LEN, false},
        {"another type", 22, 0x10, QUESTION_LEN, false},
        {"another class", 24, 0x02, QUESTION_LEN, false},
        {"question cut", 0, 0, QUESTION_LEN - 1, false},
        {"header alone", 0, 0, 12, false},
        {"header cut", 0, 0, 11, false},
        {"one octet", 0, 0, 1, false},
        {"empty", 0, 0, 0, false},
        {"another source port", 0, 0, QUESTION_LEN, true},
    };
    struct fixture *f = fixture_open(NULL);
    struct udp_server s = {0};
    uint16_t other_port = 0;
    s.fd = loopback_bind(IP, SOCK_DGRAM, &s.port);
    int other = loopback_bind(IP, SOCK_DGRAM, &other_port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t reply[QUESTION_LEN];
        struct ask k;
        uint64_t mismatch = count(f, NET_UP_MISMATCH), stray = count(f, NET_UP_STRAY);
        ask(f, &k, NET_PROTO_UDP, s.port, (uint16_t)(4660 + i));
        server_take(&s, &k);
        make_reply(&k, reply);
        reply[rows[i].at] ^= rows[i].flip;
        server_reply(&s, rows[i].stranger ? other : s.fd, reply, rows[i].len);
        if (rows[i].stranger)
            until_counted(f, NET_UP_STRAY, stray + 1);
        else
            until_counted(f, NET_UP_MISMATCH, mismatch + 1);
        if (k.mismatches != !rows[i].stranger || k.replies || k.failures || !k.a.open)
            fail_msg("%s: not told apart", rows[i].label);
        if (!rows[i].stranger && k.reply_len != rows[i].len)
            fail_msg("%s: length", rows[i].label);
        make_reply(&k, reply);
        server_reply(&s, s.fd, reply, sizeof reply);
        until_over(f, &k, rows[i].label, 0);
        assert_memory_equal(k.reply, reply, sizeof reply);
    }
    assert_int_equal(count(f, NET_UP_REPLIES), sizeof rows / sizeof *rows);
    close(other);
    close(s.fd);
    fixture_close(f);
}

/* An ICMP error can be forged: it ends nothing, and disturbs nobody on the same socket. */
static void port_unreachable(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    struct udp_server s = {0};
    uint8_t reply[QUESTION_LEN];
    uint16_t closed = 0;
    struct ask dead, live;
    s.fd = loopback_bind(IP, SOCK_DGRAM, &s.port);
    close(loopback_bind(IP, SOCK_DGRAM, &closed));
    ask(f, &dead, NET_PROTO_UDP, closed, 1);
    ask(f, &live, NET_PROTO_UDP, s.port, 2);
    assert_int_equal(dead.a.local_port, live.a.local_port);
    server_take(&s, &live);
    make_reply(&live, reply);
    server_reply(&s, s.fd, reply, sizeof reply);
    until_over(f, &live, "beside it", 0);
    assert_true(dead.a.open);
    assert_int_equal(dead.failures + dead.replies + dead.mismatches, 0);
    f->t->cancel(f->t, &dead.a);
    assert_false(dead.a.open);
    f->t->cancel(f->t, &dead.a); /* harmless */
    close(s.fd);
    fixture_close(f);
}

/* Questions of one turn leave together; one that the kernel refuses (broadcast, which nobody
 * allowed) stops no other, and neither does one that its owner gave up before. */
static void sent_together(void **state)
{
    (void)state;
    enum { REFUSED = 3, GIVEN_UP = 7, COUNT = 24 };
    struct fixture *f = fixture_open(NULL);
    struct ask k[COUNT];
    struct udp_server s = {0};
    uint8_t got[512], reply[QUESTION_LEN];
    s.fd = loopback_bind(IP, SOCK_DGRAM, &s.port);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(ask_at(f, &k[i], NET_PROTO_UDP, i % 16 == REFUSED ? "255.255.255.255" : IP,
                                s.port, (uint16_t)i),
                         0);
    f->t->cancel(f->t, &k[16 + GIVEN_UP].a); /* those of the first sixteen have left */
    f->now_us += 20;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    for (unsigned i = 0; i < COUNT; i++) {
        bool refused = i % 16 == REFUSED;
        if (k[i].failures != refused || k[i].a.open != (!refused && i != 16 + GIVEN_UP))
            fail_msg("%u", i);
        if (!k[i].a.open)
            continue;
        assert_int_equal(k[i].a.sent_us, i < 16 ? 5000000 : 5000020);
        server_take(&s, &k[i]);
        make_reply(&k[i], reply);
        server_reply(&s, s.fd, reply, sizeof reply);
        until_over(f, &k[i], "sent", 0);
    }
    assert_int_equal(recv(s.fd, got, sizeof got, MSG_DONTWAIT), -1);
    assert_int_equal(count(f, NET_UP_UDP_SENT), COUNT - 3);
    close(s.fd);
    fixture_close(f);
}

static void late_reply_after_cancel(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    struct udp_server s = {0};
    uint8_t reply[QUESTION_LEN];
    struct ask gone, stays;
    s.fd = loopback_bind(IP, SOCK_DGRAM, &s.port);
    ask(f, &gone, NET_PROTO_UDP, s.port, 1);
    server_take(&s, &gone);
    f->t->cancel(f->t, &gone.a);
    make_reply(&gone, reply);
    server_reply(&s, s.fd, reply, sizeof reply);
    until_counted(f, NET_UP_STRAY, 1);
    assert_int_equal(gone.replies + gone.failures + gone.mismatches, 0);
    ask(f, &stays, NET_PROTO_UDP, s.port, 2);
    server_take(&s, &stays);
    make_reply(&stays, reply);
    server_reply(&s, s.fd, reply, sizeof reply);
    until_over(f, &stays, "after it", 0);
    close(s.fd);
    fixture_close(f);
}

/* A socket takes 16 questions or lives one second, whichever is first. */
static void sockets_rotate(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    struct ask k[20];
    uint16_t port = 0;
    int fd = loopback_bind(IP, SOCK_DGRAM, &port);
    for (unsigned i = 0; i < 17; i++)
        ask(f, &k[i], NET_PROTO_UDP, port, (uint16_t)i);
    for (unsigned i = 1; i < 16; i++)
        assert_int_equal(k[i].a.local_port, k[0].a.local_port);
    assert_int_not_equal(k[16].a.local_port, k[0].a.local_port);
    f->now_us += 1000000;
    ask(f, &k[17], NET_PROTO_UDP, port, 17);
    assert_int_equal(k[17].a.local_port, k[16].a.local_port); /* just one second */
    f->now_us++;
    ask(f, &k[18], NET_PROTO_UDP, port, 18);
    assert_int_not_equal(k[18].a.local_port, k[16].a.local_port);
    assert_int_equal(count(f, NET_UP_UDP_SOCKETS), 3);
    for (unsigned i = 0; i < 19; i++)
        f->t->cancel(f->t, &k[i].a);
    close(fd);
    fixture_close(f);
}

static void socket_limit(void **state)
{
    (void)state;
    struct upstream_options o;
    upstream_options_default(&o);
    o.sockets = 2;
    struct fixture *f = fixture_open(&o);
    struct ask k[3];
    uint16_t port = 0;
    int fd = loopback_bind(IP, SOCK_DGRAM, &port);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ask_port(f, &k[i], NET_PROTO_UDP, port, (uint16_t)i),
                         i < 2 ? 0 : ERR_LIMIT);
        f->now_us += 2000000;
    }
    f->t->cancel(f->t, &k[0].a); /* its socket goes with it */
    for (unsigned i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    ask(f, &k[2], NET_PROTO_UDP, port, 9);
    f->t->cancel(f->t, &k[1].a);
    f->t->cancel(f->t, &k[2].a);
    close(fd);
    fixture_close(f);
}

/* RFC 5452 9.2: over the whole range. The stream of numbers is fixed, so the outcome is too. */
static void ports_are_spread(void **state)
{
    (void)state;
    enum { SOCKETS = 400 };
    struct fixture *f = fixture_open(NULL);
    unsigned eighths[8] = {0}, same = 0;
    uint16_t port = 0, ports[SOCKETS];
    int fd = loopback_bind(IP, SOCK_DGRAM, &port);
    for (unsigned i = 0; i < SOCKETS; i++) {
        struct ask k;
        ask(f, &k, NET_PROTO_UDP, port, (uint16_t)i);
        ports[i] = k.a.local_port;
        assert_true(ports[i] >= 1024);
        eighths[ports[i] / 8192]++;
        for (unsigned j = 0; j < i; j++)
            same += ports[j] == ports[i];
        f->t->cancel(f->t, &k.a);
        f->now_us += 1000001;
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    for (unsigned i = 0; i < 8; i++)
        if (eighths[i] < 25 || eighths[i] > 80)
            fail_msg("%u of %u ports in part %u of 8", eighths[i], SOCKETS, i);
    assert_true(same < 10); /* 1.2 are expected */
    assert_int_equal(count(f, NET_UP_UDP_SOCKETS), SOCKETS);
    close(fd);
    fixture_close(f);
}

/* ---- TCP ---- */

static int server_accept(struct fixture *f, int listener)
{
    assert_true(loopback_readable(&f->loop, listener));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static void server_read(struct fixture *f, int fd, const struct ask *k)
{
    uint8_t got[2 + QUESTION_LEN];
    assert_true(loopback_recv(&f->loop, fd, got, sizeof got));
    assert_int_equal(get_u16(got), QUESTION_LEN);
    assert_memory_equal(got + 2, k->question, QUESTION_LEN);
}

static size_t framed(const struct ask *k, uint8_t *out)
{
    put_u16(out, QUESTION_LEN);
    make_reply(k, out + 2);
    return 2 + QUESTION_LEN;
}

static void tcp_failures(void **state)
{
    (void)state;
    struct upstream_options o;
    upstream_options_default(&o);
    o.connect_ms = 1;
    static const struct {
        const char *label;
        enum { CLOSED_PORT, FULL_BACKLOG, CLOSE_AT_ONCE, CLOSE_IN_FRAME, RESET_IN_LENGTH } how;
        int want;
    } rows[] = {
        {"connect refused", CLOSED_PORT, ERR_REFUSED},
        {"connect times out", FULL_BACKLOG, ERR_TIMEOUT},
        {"closed after accept", CLOSE_AT_ONCE, ERR_CLOSED},
        {"frame cut by the end", CLOSE_IN_FRAME, ERR_CLOSED},
        {"reset inside the length", RESET_IN_LENGTH, ERR_CLOSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open(rows[i].how == FULL_BACKLOG ? &o : NULL);
        struct ask k, second;
        uint16_t port = 0;
        int fill[4] = {-1, -1, -1, -1}, listener = loopback_bind(IP, SOCK_STREAM, &port);
        if (rows[i].how == CLOSED_PORT)
            close(listener);
        if (rows[i].how == FULL_BACKLOG) {
            struct addr a;
            struct sockaddr_storage ss;
            addr_parse(&a, IP, port);
            socklen_t len = addr_to_sockaddr(&a, &ss);
            listen(listener, 0); /* takes one, then SYNs go unanswered */
            for (unsigned n = 0; n < 4; n++) {
                fill[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
                (void)connect(fill[n], (struct sockaddr *)&ss, len);
            }
        }
        ask(f, &k, NET_PROTO_TCP, port, 1);
        ask(f, &second, NET_PROTO_TCP, port, 2); /* shares its fate */
        if (rows[i].how >= CLOSE_AT_ONCE) {
            uint8_t bytes[64];
            int fd = server_accept(f, listener);
            if (rows[i].how != CLOSE_AT_ONCE) {
                server_read(f, fd, &k);
                server_read(f, fd, &second);
                framed(&k, bytes);
                loopback_send(fd, bytes, rows[i].how == CLOSE_IN_FRAME ? QUESTION_LEN : 1);
            }
            if (rows[i].how == RESET_IN_LENGTH)
                loopback_reset(fd);
            else
                close(fd);
        }
        until_over(f, &k, rows[i].label, rows[i].want);
        until_over(f, &second, rows[i].label, rows[i].want);
        assert_false(k.a.reused);
        if (rows[i].how != CLOSED_PORT)
            close(listener);
        for (unsigned n = 0; n < 4 && fill[n] >= 0; n++)
            close(fill[n]);
        fixture_close(f);
    }
}

/* RFC 7766 6.2.1: one connection for many questions; when the server ended it meanwhile, the owner
 * is told that it was a used one. */
static void tcp_reuse(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    struct ask k[3];
    uint8_t bytes[64];
    uint16_t port = 0;
    int listener = loopback_bind(IP, SOCK_STREAM, &port), fd = -1;
    for (unsigned i = 0; i < 2; i++) {
        ask(f, &k[i], NET_PROTO_TCP, port, (uint16_t)(i + 1));
        if (!i)
            fd = server_accept(f, listener);
        server_read(f, fd, &k[i]);
        loopback_send(fd, bytes, framed(&k[i], bytes));
        until_over(f, &k[i], "served", 0);
        assert_int_equal(k[i].a.reused, i == 1);
    }
    assert_int_equal(count(f, NET_UP_TCP_CONNECTS), 1);
    assert_int_equal(count(f, NET_UP_TCP_REUSED), 1);
    close(fd); /* not seen yet: the loop does not turn here */
    ask(f, &k[2], NET_PROTO_TCP, port, 3);
    until_over(f, &k[2], "ended meanwhile", ERR_CLOSED);
    assert_true(k[2].a.reused);
    ask(f, &k[2], NET_PROTO_TCP, port, 4); /* the retry opens a new one */
    fd = server_accept(f, listener);
    server_read(f, fd, &k[2]);
    loopback_send(fd, bytes, framed(&k[2], bytes));
    until_over(f, &k[2], "retried", 0);
    assert_false(k[2].a.reused);
    assert_int_equal(count(f, NET_UP_TCP_CONNECTS), 2);
    close(fd);
    close(listener);
    fixture_close(f);
}

static void tcp_idle_closes(void **state)
{
    (void)state;
    struct upstream_options o;
    upstream_options_default(&o);
    o.idle_ms = 1;
    struct fixture *f = fixture_open(&o);
    struct ask k;
    uint8_t bytes[64];
    uint16_t port = 0;
    int listener = loopback_bind(IP, SOCK_STREAM, &port);
    ask(f, &k, NET_PROTO_TCP, port, 1);
    int fd = server_accept(f, listener);
    server_read(f, fd, &k);
    loopback_send(fd, bytes, framed(&k, bytes));
    until_over(f, &k, "served", 0);
    assert_true(loopback_ended(&f->loop, fd));
    close(fd);
    close(listener);
    fixture_close(f);
}

/* Three questions in flight, answered in another order, in pieces, among strangers' replies; one is
 * cancelled and its reply comes late. */
static void tcp_pipelined(void **state)
{
    (void)state;
    static const unsigned order[] = {2, 0, 3, 1};
    for (size_t piece = 1; piece <= 256; piece = piece < 8 ? piece + 1 : piece * 2) {
        struct fixture *f = fixture_open(NULL);
        struct ask k[4];
        uint8_t bytes[512];
        size_t len = 0;
        uint16_t port = 0;
        int listener = loopback_bind(IP, SOCK_STREAM, &port);
        for (unsigned i = 0; i < 4; i++)
            ask(f, &k[i], NET_PROTO_TCP, port, (uint16_t)(i + 1));
        int fd = server_accept(f, listener);
        for (unsigned i = 0; i < 4; i++)
            server_read(f, fd, &k[i]);
        f->t->cancel(f->t, &k[3].a);
        for (unsigned i = 0; i < 4; i++) {
            size_t one = framed(&k[order[i]], bytes + len);
            memcpy(bytes + len + one, bytes + len, one);
            bytes[len + one + 2 + 14] ^= 0x20; /* twice, the second time in another case */
            len += 2 * one;
            put_u16(bytes + len, (uint16_t)i); /* and a message too short for a header */
            memset(bytes + len + 2, 0, i);
            len += 2 + i;
        }
        for (size_t at = 0; at < len; at += piece) {
            loopback_send(fd, bytes + at, len - at < piece ? len - at : piece);
            uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        for (unsigned i = 0; i < 3; i++) {
            uint8_t want[QUESTION_LEN];
            until_over(f, &k[i], "pipelined", 0);
            make_reply(&k[i], want);
            assert_memory_equal(k[i].reply, want, sizeof want);
        }
        until_counted(f, NET_UP_STRAY, 9); /* four in the wrong case, four short, one late */
        assert_int_equal(count(f, NET_UP_REPLIES), 3);
        assert_int_equal(k[3].replies + k[3].failures + k[3].mismatches, 0);
        close(fd);
        close(listener);
        fixture_close(f);
    }
}

static void tcp_limit(void **state)
{
    (void)state;
    struct upstream_options o;
    upstream_options_default(&o);
    o.connections = 1;
    struct fixture *f = fixture_open(&o);
    struct ask k[2];
    uint8_t bytes[64];
    uint16_t port[2] = {0, 0};
    int one = loopback_bind(IP, SOCK_STREAM, &port[0]),
        two = loopback_bind(IP, SOCK_STREAM, &port[1]);
    ask(f, &k[0], NET_PROTO_TCP, port[0], 1);
    assert_int_equal(ask_port(f, &k[1], NET_PROTO_TCP, port[1], 2), ERR_LIMIT);
    ask(f, &k[1], NET_PROTO_TCP, port[0], 3); /* shares the open one */
    f->t->cancel(f->t, &k[1].a);
    int fd = server_accept(f, one);
    server_read(f, fd, &k[0]);
    loopback_send(fd, bytes, framed(&k[0], bytes));
    until_over(f, &k[0], "served", 0);
    ask(f, &k[1], NET_PROTO_TCP, port[1], 4); /* one without a question makes room */
    int fd2 = server_accept(f, two);
    server_read(f, fd2, &k[1]);
    loopback_send(fd2, bytes, framed(&k[1], bytes));
    until_over(f, &k[1], "in the place of the idle one", 0);
    assert_true(loopback_ended(&f->loop, fd));
    close(fd);
    close(fd2);
    close(one);
    close(two);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mismatch_then_reply), cmocka_unit_test(port_unreachable),
        cmocka_unit_test(sent_together),       cmocka_unit_test(late_reply_after_cancel),
        cmocka_unit_test(sockets_rotate),      cmocka_unit_test(socket_limit),
        cmocka_unit_test(ports_are_spread),    cmocka_unit_test(tcp_failures),
        cmocka_unit_test(tcp_reuse),           cmocka_unit_test(tcp_idle_closes),
        cmocka_unit_test(tcp_pipelined),       cmocka_unit_test(tcp_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
