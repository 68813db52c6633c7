/* The TCP listener on a real loopback socket. A scripted handler answers by the first octet of a
 * message; the client is a plain socket in the same thread, so nothing runs beside the test. */
/* folders: base dns net */
#include "net/stream.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/list.h"
#include "loopback.h"
#include "net/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define KEPT_MAX 16
#define BIG_LEN  60000
#define LONG_MS  3600000

struct kept {
    struct net_ticket ticket;
    uint8_t packet[8];
    size_t len;
};

/* 'k' is kept, 'd' is dropped, 'b' gets a big answer, all else comes back as it was. */
struct fixture {
    struct handler handler;
    uv_loop_t loop;
    struct net_stream *stream;
    struct stat_block *stats;
    struct kept kept[KEPT_MAX];
    unsigned kept_count;
    unsigned queries, begins, ends;
    size_t last_len;
    struct addr last_client;
};

static enum handler_result script_answer(struct handler *h, struct net_query *q)
{
    struct fixture *f = container_of(h, struct fixture, handler);
    uint8_t what = q->len ? *q->packet : 0;
    f->queries++;
    f->last_len = q->len;
    f->last_client = q->client;
    assert_int_equal(q->proto, NET_PROTO_TCP);
    assert_int_equal(q->listener_id, 7);
    assert_int_equal(q->local->port, net_stream_port(f->stream));
    assert_int_equal(f->begins, f->ends + 1); /* always inside a batch */
    if (what == 'd')
        return HANDLER_DROP;
    if (what == 'k') {
        struct kept *k = &f->kept[f->kept_count++];
        assert_true(f->kept_count <= KEPT_MAX && q->len <= sizeof k->packet);
        memcpy(k->packet, q->packet, q->len);
        k->len = q->len;
        net_ticket_take(q, &k->ticket);
        return HANDLER_KEPT;
    }
    q->out_len = what == 'b' ? BIG_LEN : q->len;
    assert_true(q->out_cap >= q->out_len);
    if (what == 'b')
        memset(q->out, 'b', BIG_LEN);
    else
        memcpy(q->out, q->packet, q->len);
    return HANDLER_ANSWERED;
}

static void script_begin(struct handler *h)
{
    container_of(h, struct fixture, handler)->begins++;
}

static void script_end(struct handler *h)
{
    container_of(h, struct fixture, handler)->ends++;
}

static struct fixture *open_ip(const char *ip, const struct net_stream_limits *limits)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct net_stream_limits l;
    struct addr a;
    net_stream_limits_default(&l);
    l.first_ms = l.idle_ms = l.total_ms = LONG_MS;
    f->handler = (struct handler){script_answer, script_begin, script_end, NULL};
    f->stats = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(addr_parse(&a, ip, 0), 0);
    assert_int_equal(
        net_stream_open(&f->stream, &f->loop, &a, 7, &f->handler, limits ? limits : &l, f->stats),
        0);
    return f;
}

static struct fixture *fixture_open(const struct net_stream_limits *limits)
{
    return open_ip("127.0.0.1", limits);
}

/* The loop must end by itself: nothing may stay open. */
static void fixture_close(struct fixture *f)
{
    if (f->stream)
        net_stream_close(f->stream);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    stat_free(f->stats);
    free(f);
}

static int dial(struct fixture *f)
{
    return loopback_connect("127.0.0.1", SOCK_STREAM, net_stream_port(f->stream));
}

static uint64_t count(struct fixture *f, enum net_counter c)
{
    return stat_get(f->stats, c);
}

static size_t frame(uint8_t *out, const char *text)
{
    size_t len = strlen(text);
    put_u16(out, (uint16_t)len);
    memcpy(out + 2, text, len);
    return len + 2;
}

static void say(int fd, const char *text)
{
    uint8_t bytes[256];
    loopback_send(fd, bytes, frame(bytes, text));
}

static void expect(struct fixture *f, int fd, const char *label, const char *text)
{
    uint8_t got[256], want[256];
    size_t len = frame(want, text);
    if (!loopback_recv(&f->loop, fd, got, len) || memcmp(got, want, len) != 0)
        fail_msg("%s: no reply \"%s\"", label, text);
}

struct reached {
    struct fixture *f;
    unsigned queries, kept, connections, accepted;
};

static bool has_reached(void *arg)
{
    const struct reached *r = arg;
    return r->f->queries >= r->queries && r->f->kept_count >= r->kept &&
           net_stream_connections(r->f->stream) == r->connections &&
           count(r->f, NET_TCP_ACCEPTED) >= r->accepted;
}

#define REACH(fx, ...) \
    assert_true(loopback_until(&(fx)->loop, has_reached, &(struct reached){.f = (fx), __VA_ARGS__}))

/* Every cut of two frames, and one octet at a time. */
static void frames_split_anywhere(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    uint8_t bytes[64];
    size_t len = frame(bytes, "first one");
    len += frame(bytes + len, "second");
    for (size_t cut = 1; cut < len; cut++) {
        char label[32];
        snprintf(label, sizeof label, "cut at %zu", cut);
        int fd = dial(f);
        uint64_t before = f->begins;
        REACH(f, .connections = 1);
        loopback_send(fd, bytes, cut);
        while (f->begins == before)
            uv_run(&f->loop, UV_RUN_ONCE);
        loopback_send(fd, bytes + cut, len - cut);
        expect(f, fd, label, "first one");
        expect(f, fd, label, "second");
        close(fd);
        REACH(f, .connections = 0);
    }
    int fd = dial(f);
    for (size_t i = 0; i < len; i++) {
        unsigned before = f->begins;
        loopback_send(fd, bytes + i, 1);
        while (f->begins == before)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    expect(f, fd, "octet by octet", "first one");
    expect(f, fd, "octet by octet", "second");
    close(fd);
    fixture_close(f);
}

/* RFC 7766 6.2.1.1: what came in one piece is answered in one piece. */
static void coalesced_answers(void **state)
{
    (void)state;
    enum { MESSAGES = 50 };
    struct fixture *f = fixture_open(NULL);
    uint8_t bytes[MESSAGES * 8], got[sizeof bytes];
    size_t len = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        char text[8];
        snprintf(text, sizeof text, "q%03u", i);
        len += frame(bytes + len, text);
    }
    int fd = dial(f);
    loopback_send(fd, bytes, len);
    REACH(f, .connections = 1, .queries = MESSAGES);
    assert_true(loopback_readable(&f->loop, fd));
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), len);
    assert_memory_equal(got, bytes, len);
    assert_int_equal(count(f, NET_TCP_WRITES), 1);
    assert_int_equal(count(f, NET_TCP_QUERIES), MESSAGES);
    assert_int_equal(f->begins, 1);
    close(fd);
    fixture_close(f);
}

static void replies_out_of_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    int fd = dial(f);
    say(fd, "k1");
    say(fd, "k2");
    say(fd, "now");
    say(fd, "drop me");
    say(fd, "k3");
    REACH(f, .connections = 1, .queries = 5, .kept = 3);
    expect(f, fd, "not held up", "now");
    net_reply(&f->kept[2].ticket, f->kept[2].packet, f->kept[2].len);
    net_forget(&f->kept[1].ticket);
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    expect(f, fd, "last asked", "k3");
    expect(f, fd, "first asked", "k1");
    say(fd, "again");
    expect(f, fd, "goes on", "again");
    close(fd);
    fixture_close(f);
}

/* The client ended its half: what it asked is still answered, then the connection goes. */
static void half_close(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    int fd = dial(f);
    say(fd, "k1");
    say(fd, "k2");
    say(fd, "now");
    shutdown(fd, SHUT_WR);
    REACH(f, .connections = 1, .kept = 2);
    expect(f, fd, "in place", "now");
    net_reply(&f->kept[1].ticket, f->kept[1].packet, f->kept[1].len);
    expect(f, fd, "owed", "k2");
    assert_int_equal(net_stream_connections(f->stream), 1);
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    expect(f, fd, "owed to the end", "k1");
    assert_true(loopback_ended(&f->loop, fd));
    assert_int_equal(net_stream_connections(f->stream), 0);
    close(fd);
    fd = dial(f); /* inside a frame: nothing to answer */
    loopback_send(fd, "\0\5ab", 4);
    shutdown(fd, SHUT_WR);
    assert_true(loopback_ended(&f->loop, fd));
    close(fd);
    fd = dial(f); /* the last thing owed is given up */
    say(fd, "k3");
    shutdown(fd, SHUT_WR);
    REACH(f, .connections = 1, .kept = 3);
    net_forget(&f->kept[2].ticket);
    assert_true(loopback_ended(&f->loop, fd));
    close(fd);
    fixture_close(f);
}

static void client_that_never_reads(void **state)
{
    (void)state;
    struct net_stream_limits l;
    net_stream_limits_default(&l);
    l.write_queue = 100000;
    struct fixture *f = fixture_open(&l);
    int fd = dial(f), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (unsigned i = 0; i < 1000 && !count(f, NET_TCP_STALLED); i++) {
        uint8_t bytes[8];
        ssize_t n = send(fd, bytes, frame(bytes, "big"), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            break;
        unsigned before = f->queries;
        while (f->queries == before)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(count(f, NET_TCP_STALLED), 1);
    REACH(f, .connections = 0);
    /* A client that reads gets as much as it wants. */
    int good = dial(f);
    for (unsigned i = 0; i < 20; i++) {
        static uint8_t answer[BIG_LEN + 2];
        say(good, "big");
        assert_true(loopback_recv(&f->loop, good, answer, sizeof answer));
        assert_int_equal(get_u16(answer), BIG_LEN);
    }
    assert_int_equal(count(f, NET_TCP_STALLED), 1);
    close(good);
    close(fd);
    fixture_close(f);
}

static void timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct net_stream_limits l;
        const char *text; /* octets sent, as a frame when it is whole */
        bool whole;
    } rows[] = {
        {"first: nothing said", {10, 10, 1, LONG_MS, LONG_MS, 65536}, "", false},
        {"first: half a frame", {10, 10, 1, LONG_MS, LONG_MS, 65536}, "\x01", false},
        {"idle after an answer", {10, 10, LONG_MS, 1, LONG_MS, 65536}, "hello", true},
        {"idle after a drop", {10, 10, LONG_MS, 1, LONG_MS, 65536}, "drop", true},
        {"total, an answer owed", {10, 10, LONG_MS, LONG_MS, 1, 65536}, "keep", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open(&rows[i].l);
        int fd = dial(f);
        if (rows[i].whole)
            say(fd, rows[i].text);
        else
            loopback_send(fd, rows[i].text, strlen(rows[i].text));
        if (!loopback_ended(&f->loop, fd) || count(f, NET_TCP_TIMEOUT) != 1 ||
            net_stream_connections(f->stream) || f->queries != rows[i].whole)
            fail_msg("%s: not closed by its timeout", rows[i].label);
        close(fd);
        for (unsigned k = 0; k < f->kept_count; k++) /* a reply to one gone does no harm */
            net_reply(&f->kept[k].ticket, f->kept[k].packet, f->kept[k].len);
        fixture_close(f);
    }
}

/* One that asks again and again. */
struct busy {
    int fd;
    int64_t at_ms, gap_ms; /* the longest: the test itself may stand still */
};

static bool asks(struct fixture *f, struct busy *b)
{
    uint8_t bytes[8];
    size_t len = frame(bytes, "more");
    bool answered = send(b->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len &&
                    loopback_recv(&f->loop, b->fd, bytes, len);
    int64_t now = clock_mono_ms(clock_system()), gap = now - b->at_ms;
    b->gap_ms = gap > b->gap_ms ? gap : b->gap_ms;
    b->at_ms = now;
    return answered;
}

/* Of two connections the older asks all the time, while the other says nothing more. */
static void traffic_and_time(void **state)
{
    (void)state;
    enum { TIME = 300 };
    static const struct {
        const char *label;
        struct net_stream_limits l;
        size_t said; /* octets of a frame, by the other */
        bool stays;  /* the one that asks */
    } rows[] = {
        {"first", {10, 10, TIME, LONG_MS, LONG_MS, 65536}, 0, true},
        {"idle", {10, 10, LONG_MS, TIME, LONG_MS, 65536}, 3, true},
        {"total", {10, 10, LONG_MS, LONG_MS, TIME, 65536}, 3, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open(&rows[i].l);
        struct busy busy = {.at_ms = clock_mono_ms(clock_system())};
        busy.fd = dial(f);
        int other = dial(f);
        loopback_send(other, "\0\1x", rows[i].said);
        for (unsigned n = 0; n < 100000 && asks(f, &busy) && !count(f, NET_TCP_TIMEOUT); n++)
            ;
        bool ended = count(f, NET_TCP_TIMEOUT) && loopback_ended(&f->loop, other);
        bool stays = asks(f, &busy);
        if (!ended || (stays != rows[i].stays && busy.gap_ms < TIME) ||
            count(f, NET_TCP_TIMEOUT) != 2u - stays)
            fail_msg("%s: the wrong one was closed", rows[i].label);
        close(busy.fd);
        close(other);
        fixture_close(f);
    }
}

static bool nothing_is_due(void *loop)
{
    return uv_backend_timeout(loop) == -1;
}

/* Without connections the listener sleeps until the next one comes. */
static void asleep_without_connections(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    for (unsigned round = 1; round < 3; round++) {
        assert_true(loopback_until(&f->loop, nothing_is_due, &f->loop));
        int fd = dial(f);
        REACH(f, .connections = 1, .accepted = round);
        assert_false(nothing_is_due(&f->loop));
        close(fd);
        REACH(f, .connections = 0);
    }
    fixture_close(f);
}

/* The same short idle time for three connections: the one that is owed an answer stays (RFC 7766
 * 6.2.3), and so does the one that has not asked yet; neither keeps the third, which is younger. */
static void idle_stops_while_owed(void **state)
{
    (void)state;
    struct net_stream_limits l;
    net_stream_limits_default(&l);
    l.idle_ms = 1;
    l.first_ms = LONG_MS;
    struct fixture *f = fixture_open(&l);
    int silent = dial(f), owed = dial(f);
    say(owed, "k1");
    REACH(f, .connections = 2, .kept = 1);
    for (unsigned round = 0; round < 2; round++) { /* each takes at least one sweep */
        int idle = dial(f);
        say(idle, "x");
        expect(f, idle, "idle one", "x");
        assert_true(loopback_ended(&f->loop, idle));
        close(idle);
        assert_int_equal(net_stream_connections(f->stream), 2);
    }
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    expect(f, owed, "owed one", "k1");
    assert_true(loopback_ended(&f->loop, owed)); /* and now it counts again */
    say(silent, "at last");
    expect(f, silent, "the silent one", "at last");
    assert_true(loopback_ended(&f->loop, silent));
    assert_int_equal(count(f, NET_TCP_TIMEOUT), 4);
    close(silent);
    close(owed);
    fixture_close(f);
}

/* Four connections of one client; the second is spoken on last but one, the first last. */
static void limits_close_the_idlest(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        unsigned connections, per_client;
        unsigned stay; /* bits of those still open after the fourth */
    } rows[] = {
        {"room enough", 4, 4, 15},
        {"three in all", 3, 100, 11},
        {"three per client", 100, 3, 11},
        {"both", 3, 3, 11},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_stream_limits l;
        net_stream_limits_default(&l);
        l.connections = rows[i].connections;
        l.per_client = rows[i].per_client;
        struct fixture *f = fixture_open(&l);
        int fd[4];
        for (unsigned k = 0; k < 3; k++) {
            fd[k] = dial(f);
            REACH(f, .connections = k + 1, .accepted = k + 1);
        }
        say(fd[1], "one");
        expect(f, fd[1], rows[i].label, "one");
        say(fd[0], "zero");
        expect(f, fd[0], rows[i].label, "zero");
        fd[3] = dial(f);
        unsigned left = rows[i].stay == 15 ? 4 : 3;
        REACH(f, .connections = left, .accepted = 4);
        for (unsigned k = 0; k < 4; k++) {
            if (rows[i].stay & 1u << k) {
                say(fd[k], "still");
                expect(f, fd[k], rows[i].label, "still");
            } else if (!loopback_ended(&f->loop, fd[k])) {
                fail_msg("%s: connection %u is open", rows[i].label, k);
            }
            close(fd[k]);
        }
        if (count(f, NET_TCP_LIMIT) != (rows[i].stay != 15))
            fail_msg("%s: counter", rows[i].label);
        fixture_close(f);
    }
}

/* The connection that waits for an answer was spoken on first, and stays. */
static void owed_is_not_idle(void **state)
{
    (void)state;
    struct net_stream_limits l;
    net_stream_limits_default(&l);
    l.per_client = 2;
    struct fixture *f = fixture_open(&l);
    int owed = dial(f);
    say(owed, "k1");
    REACH(f, .connections = 1, .kept = 1);
    int idle = dial(f);
    say(idle, "x");
    expect(f, idle, "idle one", "x");
    int newest = dial(f);
    assert_true(loopback_ended(&f->loop, idle));
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    expect(f, owed, "owed one", "k1");
    close(owed);
    close(idle);
    close(newest);
    fixture_close(f);
}

/* One address at its limit takes nothing from another. */
static void limit_is_per_address(void **state)
{
    (void)state;
    struct net_stream_limits l;
    net_stream_limits_default(&l);
    l.per_client = 1;
    struct fixture *f = open_ip("0.0.0.0", &l);
    uint16_t port = net_stream_port(f->stream);
    int other = loopback_connect("127.0.0.2", SOCK_STREAM, port);
    /* Linux answers a connection to 127.0.0.2 from 127.0.0.1, so that one needs a bound source. */
    close(other);
    REACH(f, .connections = 0, .accepted = 1);
    struct addr a;
    struct sockaddr_storage ss;
    addr_parse(&a, "127.0.0.9", 0);
    socklen_t len = addr_to_sockaddr(&a, &ss);
    other = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&ss, len), 0);
    addr_parse(&a, "127.0.0.1", port);
    len = addr_to_sockaddr(&a, &ss);
    assert_int_equal(connect(other, (struct sockaddr *)&ss, len), 0);
    REACH(f, .connections = 1, .accepted = 2);
    int first = dial(f);
    REACH(f, .connections = 2, .accepted = 3);
    int second = dial(f);
    REACH(f, .connections = 2, .accepted = 4);
    assert_true(loopback_ended(&f->loop, first));
    say(other, "other");
    expect(f, other, "another address", "other");
    assert_int_equal(addr_bytes(&f->last_client, &(size_t){0})[3], 9);
    say(second, "second");
    expect(f, second, "the newest", "second");
    close(first);
    close(second);
    close(other);
    fixture_close(f);
}

static void message_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 12, 511, 4096, 4097, 65533, 65534, 65535};
    static uint8_t bytes[65537], got[65537];
    struct fixture *f = fixture_open(NULL);
    int fd = dial(f);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t whole = sizes[i] + 2, sent = 0;
        memset(bytes, 'x', sizeof bytes);
        put_u16(bytes, (uint16_t)sizes[i]);
        while (sent < whole) {
            ssize_t n = send(fd, bytes + sent, whole - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
            uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        if (!loopback_recv(&f->loop, fd, got, whole) || memcmp(got, bytes, whole) != 0 ||
            f->last_len != sizes[i])
            fail_msg("message of %zu octets", sizes[i]);
    }
    close(fd);
    fixture_close(f);
}

static void reset_by_client(void **state)
{
    (void)state;
    static const struct {
        const char *label, *frame; /* whole, before the reset */
        const char *rest;          /* octets of a frame begun */
    } rows[] = {
        {"before a word", NULL, ""},
        {"inside the length", NULL, "\x01"},
        {"inside a message", NULL, "\x01\x01zz"},
        {"an answer owed", "keep", ""},
        {"an answer owed and a frame begun", "keep", "\x01\x01zz"},
        {"a big answer unread", "big", ""},
    };
    struct fixture *f = fixture_open(NULL);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = dial(f);
        unsigned queries = f->queries, begins = f->begins;
        if (rows[i].frame)
            say(fd, rows[i].frame);
        loopback_send(fd, rows[i].rest, strlen(rows[i].rest));
        REACH(f, .connections = 1, .queries = queries + (rows[i].frame != NULL));
        while (*rows[i].rest && f->begins == begins)
            uv_run(&f->loop, UV_RUN_ONCE);
        loopback_reset(fd);
        if (!loopback_until(&f->loop, has_reached, &(struct reached){.f = f}))
            fail_msg("%s: still open", rows[i].label);
    }
    assert_int_equal(f->kept_count, 2);
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    net_forget(&f->kept[1].ticket);
    int fd = dial(f);
    say(fd, "alive");
    expect(f, fd, "after all that", "alive");
    close(fd);
    fixture_close(f);
}

/* Stopped: nothing new, the old go on. Closed with answers owed: the tickets stay good. */
static void stop_and_close(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(NULL);
    uint16_t port = net_stream_port(f->stream);
    int fd = dial(f);
    say(fd, "k1");
    say(fd, "k2");
    REACH(f, .connections = 1, .kept = 2);
    net_stream_stop(f->stream);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    struct addr a;
    struct sockaddr_storage ss;
    addr_parse(&a, "127.0.0.1", port);
    socklen_t len = addr_to_sockaddr(&a, &ss);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_not_equal(connect(late, (struct sockaddr *)&ss, len), 0);
    close(late);
    say(fd, "more");
    expect(f, fd, "after stop", "more");
    net_stream_close(f->stream);
    f->stream = NULL;
    for (unsigned i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    net_forget(&f->kept[1].ticket);
    close(fd);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_split_anywhere),   cmocka_unit_test(coalesced_answers),
        cmocka_unit_test(replies_out_of_order),    cmocka_unit_test(half_close),
        cmocka_unit_test(client_that_never_reads), cmocka_unit_test(timeouts),
        cmocka_unit_test(traffic_and_time),        cmocka_unit_test(asleep_without_connections),
        cmocka_unit_test(idle_stops_while_owed),   cmocka_unit_test(limits_close_the_idlest),
        cmocka_unit_test(owed_is_not_idle),        cmocka_unit_test(limit_is_per_address),
        cmocka_unit_test(message_sizes),           cmocka_unit_test(reset_by_client),
        cmocka_unit_test(stop_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
