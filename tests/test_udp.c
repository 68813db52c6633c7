/* The UDP listener on real loopback sockets: batches, replies later, the address that was asked. A
 * scripted handler answers by the first octet of a datagram. */
/* folders: base dns net */
#include "net/udp.h"

#include "base/cursor.h"
#include "base/list.h"
#include "loopback.h"
#include "net/counters.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define KEPT_MAX 256

struct kept {
    struct net_ticket ticket;
    uint8_t packet[8];
    size_t len;
};

/* 'k' is kept, 'd' is dropped, all else comes back as it was. */
struct fixture {
    struct handler handler;
    uv_loop_t loop;
    struct net_batch *batch;
    struct net_udp *udp;
    struct stat_block *stats;
    struct kept kept[KEPT_MAX];
    unsigned kept_count, queries, begins, ends;
    size_t last_len;
    struct addr last_client;
};

static enum handler_result script_answer(struct handler *h, struct net_query *q)
{
    struct fixture *f = container_of(h, struct fixture, handler);
    f->queries++;
    f->last_len = q->len;
    f->last_client = q->client;
    assert_int_equal(q->proto, NET_PROTO_UDP);
    assert_int_equal(q->listener_id, 3);
    assert_true(q->out_cap >= 512);
    assert_int_equal(f->begins, f->ends + 1);
    if (q->len && *q->packet == 'd')
        return HANDLER_DROP;
    if (q->len && *q->packet == 'k') {
        struct kept *k = &f->kept[f->kept_count++];
        assert_true(f->kept_count <= KEPT_MAX && q->len <= sizeof k->packet);
        memcpy(k->packet, q->packet, q->len);
        k->len = q->len;
        net_ticket_take(q, &k->ticket);
        return HANDLER_KEPT;
    }
    memcpy(q->out, q->packet, q->len);
    q->out_len = q->len;
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

static struct fixture *fixture_open(const char *ip)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct addr a;
    f->handler = (struct handler){script_answer, script_begin, script_end, NULL};
    f->stats = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    f->batch = net_batch_new();
    assert_non_null(f->batch);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(addr_parse(&a, ip, 0), 0);
    assert_int_equal(net_udp_open(&f->udp, &f->loop, f->batch, &a, 3, &f->handler, f->stats), 0);
    assert_int_not_equal(net_udp_port(f->udp), 0);
    return f;
}

static void fixture_close(struct fixture *f)
{
    net_udp_close(f->udp);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    net_batch_free(f->batch);
    stat_free(f->stats);
    free(f);
}

static uint64_t count(struct fixture *f, enum net_counter c)
{
    return stat_get(f->stats, c);
}

struct received {
    struct fixture *f;
    uint64_t datagrams;
};

static bool has_received(void *arg)
{
    const struct received *r = arg;
    return count(r->f, NET_UDP_RECEIVED) >= r->datagrams;
}

#define RECEIVE(fx, n)                                    \
    assert_true(loopback_until(&(fx)->loop, has_received, \
                               &(struct received){.f = (fx), .datagrams = (n)}))

/* More than a batch at once: all are answered, in few calls, each with its own octets. */
static void batches(void **state)
{
    (void)state;
    enum { DATAGRAMS = 150 };
    struct fixture *f = fixture_open("127.0.0.1");
    int fd = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
    bool seen[DATAGRAMS] = {false};
    unsigned answered = 0;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        uint8_t bytes[3] = {i % 3 == 1 ? 'd' : 'x', (uint8_t)(i >> 8), (uint8_t)i};
        loopback_send(fd, bytes, sizeof bytes);
    }
    RECEIVE(f, DATAGRAMS);
    assert_int_equal(f->queries, DATAGRAMS);
    assert_int_equal(count(f, NET_UDP_BATCHES), 3); /* 64, 64, 22 */
    assert_int_equal(f->begins, 3);
    assert_int_equal(count(f, NET_UDP_SENT), 100);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t got[16];
        assert_true(loopback_readable(&f->loop, fd));
        assert_int_equal(recv(fd, got, sizeof got, 0), 3);
        unsigned n = get_u16(got + 1);
        assert_true(*got == 'x' && n < DATAGRAMS && n % 3 != 1 && !seen[n]);
        seen[n] = true;
        answered++;
    }
    assert_int_equal(answered, 100);
    close(fd);
    fixture_close(f);
}

/* Kept queries of several clients, answered in another order: each reply finds its own client. */
static void reply_later(void **state)
{
    (void)state;
    struct fixture *f = fixture_open("127.0.0.1");
    int fd[3];
    for (unsigned i = 0; i < 3; i++) {
        uint8_t bytes[2] = {'k', (uint8_t)('0' + i)};
        fd[i] = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
        loopback_send(fd[i], bytes, 2);
    }
    RECEIVE(f, 3);
    assert_int_equal(f->kept_count, 3);
    assert_int_equal(count(f, NET_UDP_SENT), 0);
    net_forget(&f->kept[1].ticket);
    for (int i = 2; i >= 0; i -= 2)
        net_reply(&f->kept[i].ticket, f->kept[i].packet, f->kept[i].len);
    assert_int_equal(count(f, NET_UDP_SENT), 2);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t got[8], want[2] = {'k', (uint8_t)('0' + i)};
        if (i != 1) {
            assert_true(loopback_readable(&f->loop, fd[i]));
            assert_int_equal(recv(fd[i], got, sizeof got, 0), 2);
            assert_memory_equal(got, want, 2);
        }
        assert_int_equal(recv(fd[i], got, sizeof got, MSG_DONTWAIT), -1);
        close(fd[i]);
    }
    fixture_close(f);
}

/* More replies held back than there are places: each leaves once, in order, with the octets that it
 * had when it was given, and one that cannot leave stops none. */
static void replies_held(void **state)
{
    (void)state;
    enum { REPLIES = 150, BAD = 70 };
    struct fixture *f = fixture_open("127.0.0.1");
    int fd = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
    assert_int_equal(net_batch_hold(f->batch), 0);
    loopback_send(fd, "k", 1);
    RECEIVE(f, 1);
    for (unsigned i = 0; i < REPLIES; i++) {
        uint8_t bytes[40000] = {(uint8_t)i};
        struct net_ticket t = f->kept[0].ticket;
        if (i == BAD)
            addr_parse(&t.client, "255.255.255.255", 9);
        net_reply(&t, bytes, i < 2 ? sizeof bytes : 3);
    }
    assert_true(count(f, NET_UDP_SENT) < REPLIES - 1);
    net_batch_flush(f->batch);
    assert_int_equal(count(f, NET_UDP_SENT), REPLIES - 1);
    assert_int_equal(count(f, NET_UDP_SEND_FAILED), 1);
    for (unsigned i = 0; i < REPLIES; i++) {
        uint8_t got[40000];
        if (i == BAD)
            continue;
        assert_true(loopback_readable(&f->loop, fd));
        assert_int_equal(recv(fd, got, sizeof got, 0), i < 2 ? 40000 : 3);
        assert_int_equal(*got, i);
    }
    close(fd);
    fixture_close(f);
}

/* Whether a cmsg of the ticket names this address as the one that was asked, and no interface: the
 * routing table chooses it. */
static bool ticket_names(struct net_ticket *t, const struct addr *asked)
{
    _Alignas(struct cmsghdr) uint8_t control[sizeof t->control];
    struct msghdr m = {.msg_control = control, .msg_controllen = t->control_len};
    size_t len;
    const uint8_t *ip = addr_bytes(asked, &len);
    memcpy(control, t->control, sizeof control);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (len == 4 && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            return !memcmp(&info.ipi_spec_dst, ip, 4) && !info.ipi_ifindex;
        }
        if (len == 16 && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            return !memcmp(&info.ipi6_addr, ip, 16) && !info.ipi6_ifindex;
        }
    }
    return false;
}

/* RFC 2181 4.1: on a wildcard socket a reply leaves from the address that was asked, at once and
 * later. */
static void source_address_kept(void **state)
{
    (void)state;
    static const struct {
        const char *label, *listen, *ask;
    } rows[] = {
        {"one IPv4 address", "127.0.0.5", "127.0.0.5"},
        {"any IPv4, the usual", "0.0.0.0", "127.0.0.1"},
        {"any IPv4, another", "0.0.0.0", "127.44.5.6"},
        {"one IPv6 address", "::1", "::1"},
        {"any IPv6", "::", "::1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture *f = fixture_open(rows[i].listen);
        struct sockaddr_storage to;
        struct addr asked, from, any;
        addr_parse(&asked, rows[i].ask, net_udp_port(f->udp));
        addr_parse(&any, rows[i].listen, 0);
        socklen_t len = addr_to_sockaddr(&asked, &to);
        int fd = socket(to.ss_family, SOCK_DGRAM, 0); /* not connected: it sees any source */
        for (unsigned later = 0; later < 2; later++) {
            uint8_t got[8];
            struct sockaddr_storage ss;
            socklen_t sslen = sizeof ss;
            assert_int_equal(sendto(fd, later ? "k" : "x", 1, 0, (struct sockaddr *)&to, len), 1);
            RECEIVE(f, later + 1);
            if (later) {
                if (addr_is_any(&any) && !ticket_names(&f->kept[0].ticket, &asked))
                    fail_msg("%s: the ticket lost the address", rows[i].label);
                net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
            }
            assert_true(loopback_readable(&f->loop, fd));
            assert_int_equal(recvfrom(fd, got, sizeof got, 0, (struct sockaddr *)&ss, &sslen), 1);
            assert_int_equal(addr_of_sockaddr(&from, (struct sockaddr *)&ss), 0);
            if (!addr_equal(&from, &asked))
                fail_msg("%s, %s: from another address", rows[i].label,
                         later ? "later" : "at once");
        }
        close(fd);
        fixture_close(f);
    }
}

static void datagram_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t len;
        bool seen;
    } rows[] = {
        {"empty", 0, true},
        {"one octet", 1, true},
        {"a whole slot", NET_UDP_SLOT, true},
        {"longer than a slot", NET_UDP_SLOT + 1, false},
        {"as long as can be", 65507, false},
    };
    static uint8_t bytes[65507], got[65536];
    struct fixture *f = fixture_open("127.0.0.1");
    int fd = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
    memset(bytes, 'x', sizeof bytes);
    unsigned queries = 0, oversize = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loopback_send(fd, bytes, rows[i].len);
        RECEIVE(f, i + 1);
        queries += rows[i].seen;
        oversize += !rows[i].seen;
        if (f->queries != queries || count(f, NET_UDP_OVERSIZE) != oversize ||
            (rows[i].seen && f->last_len != rows[i].len))
            fail_msg("%s: wrong length seen", rows[i].label);
        if (rows[i].seen && (!loopback_readable(&f->loop, fd) ||
                             recv(fd, got, sizeof got, 0) != (ssize_t)rows[i].len))
            fail_msg("%s: no reply", rows[i].label);
        assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), -1);
    }
    close(fd);
    fixture_close(f);
}

/* A datagram that cannot be sent is counted and holds up none after it. */
static void answer_that_cannot_leave(void **state)
{
    (void)state;
    struct fixture *f = fixture_open("127.0.0.1");
    int fd = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
    uint16_t own = 0;
    int gone = loopback_bind("127.0.0.1", SOCK_DGRAM, &own);
    loopback_send(fd, "k", 1);
    RECEIVE(f, 1);
    struct net_ticket t = f->kept[0].ticket;
    addr_parse(&t.client, "255.255.255.255", 9); /* broadcast is not allowed on this socket */
    net_reply(&t, (const uint8_t *)"x", 1);
    assert_int_equal(count(f, NET_UDP_SEND_FAILED), 1);
    struct addr a;
    struct sockaddr_storage ss;
    addr_parse(&a, "127.0.0.1", net_udp_port(f->udp));
    socklen_t len = addr_to_sockaddr(&a, &ss);
    assert_int_equal(sendto(gone, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
    close(gone); /* its answer meets a closed port */
    loopback_send(fd, "y", 1);
    RECEIVE(f, 3);
    char got[4];
    assert_true(loopback_readable(&f->loop, fd));
    assert_int_equal(recv(fd, got, sizeof got, 0), 1);
    assert_int_equal(*got, 'y');
    close(fd);
    fixture_close(f);
}

/* Stopped: what was kept is still answered, what comes is not read. */
static void stop_with_kept(void **state)
{
    (void)state;
    struct fixture *f = fixture_open("127.0.0.1");
    int fd = loopback_connect("127.0.0.1", SOCK_DGRAM, net_udp_port(f->udp));
    loopback_send(fd, "k1", 2);
    RECEIVE(f, 1);
    net_udp_stop(f->udp);
    loopback_send(fd, "late", 4);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->queries, 1);
    net_reply(&f->kept[0].ticket, f->kept[0].packet, f->kept[0].len);
    char got[8];
    assert_true(loopback_readable(&f->loop, fd));
    assert_int_equal(recv(fd, got, sizeof got, 0), 2);
    assert_memory_equal(got, "k1", 2);
    close(fd);
    fixture_close(f);
}

static void open_errors(void **state)
{
    (void)state;
    static const struct {
        const char *label, *ip;
        int want;
    } rows[] = {
        {"not our address", "192.0.2.1", ERR_UNREACHABLE},
        {"held without sharing", "127.0.0.1", ERR_IN_USE},
    };
    uint16_t port = 0;
    int holder = loopback_bind("127.0.0.1", SOCK_DGRAM, &port);
    struct net_batch *b = net_batch_new();
    struct stat_block *stats = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    struct handler h = {script_answer, NULL, NULL, NULL};
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_udp *u = NULL;
        struct addr a;
        addr_parse(&a, rows[i].ip, port);
        int err = net_udp_open(&u, &loop, b, &a, 0, &h, stats);
        if (err != rows[i].want)
            fail_msg("%s: %s", rows[i].label, err_name(err));
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    net_batch_free(b);
    stat_free(stats);
    close(holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches),        cmocka_unit_test(reply_later),
        cmocka_unit_test(replies_held),   cmocka_unit_test(source_address_kept),
        cmocka_unit_test(datagram_sizes), cmocka_unit_test(answer_that_cannot_leave),
        cmocka_unit_test(stop_with_kept), cmocka_unit_test(open_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
