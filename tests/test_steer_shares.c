/* Shares of answers, counted by a client of a real server: by weight, by weighted sites over client
 * networks, and in turn. Who moves when a member goes: test_steer_clients. */
/* alone */
/* folders: base dns net geo authority gslb resolver config daemon lab */
#include "base/cursor.h"
#include "dns/msg_write.h"
#include "dns/name.h"
#include "dns/type.h"
#include "live.h"
#include "pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { ANSWERS = 200000, NETWORKS = 20000, TURNS = 900, WINDOW = 64 };

struct shares {
    struct live live;
    int fd;
};

static int start(void **state)
{
    static struct shares s;
    struct live *l = &s.live;
    uint16_t port = live_port();
    live_init(l);
    live_file(l, "zone", "@ 60 SOA ns host 1 1 1 1 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n");
    live_file(l, "conf.yaml",
              "server: { workers: 1, control: none, log: error }\n"
              "listen: [{ address: 127.0.0.1, port: %u, role: authority }]\n"
              "zones: [{ name: s.test, file: zone }]\n"
              "gslb:\n"
              "  sites: { fra: {}, iad: {} }\n"
              "  maps: { m: { otherwise: { fra: 70, iad: 30 } } }\n"
              "  pools:\n"
              "    w: { choose: weighted, members: { a: { address: 192.0.2.1, weight: 3 }, "
              "b: 192.0.2.2 } }\n"
              "    t: { choose: weighted-round-robin, members: { "
              "a: { address: 192.0.2.1, weight: 5 }, b: { address: 192.0.2.2, weight: 3 }, "
              "c: 192.0.2.3 } }\n"
              "    fra: { site: fra, records: ['HTTPS 1 .'], "
              "members: { a: [192.0.2.1, \"2001:db8::1\"] } }\n"
              "    iad: { site: iad, records: ['HTTPS 2 .'], "
              "members: { a: [192.0.2.2, \"2001:db8::2\"] } }\n"
              "  names:\n"
              "    w.s.test: { pools: [w] }\n"
              "    t.s.test: { pools: [t] }\n"
              "    m.s.test: { map: m, pools: [fra, iad] }\n",
              port);
    live_start(l);
    s.fd = live_connect(port, SOCK_DGRAM);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    *state = &s;
    return 0;
}

static int stop(void **state)
{
    struct shares *s = *state;
    close(s->fd);
    live_stop(&s->live);
    return 0;
}

/* ---- asking ---- */

struct question {
    const char *name; /* "w", below s.test */
    uint16_t type;
    bool subnets; /* the i-th question is of the i-th /24 of 10/8 and 11/8 */
};

static size_t write_query(uint8_t out[128], const struct question *q, unsigned i)
{
    uint8_t name[DNS_NAME_MAX];
    char text[64];
    struct dns_writer w;
    struct edns e = {.present = true, .size = 1232};
    snprintf(text, sizeof text, "%s.s.test.", q->name);
    dns_name_parse(name, text, strlen(text), NULL);
    if (q->subnets)
        e.subnet =
            (struct edns_subnet){.family = 1,
                                 .source = 24,
                                 .ip = {(uint8_t)(10 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i}};
    dns_writer_init(&w, out, 128);
    dns_writer_question(&w, name, q->type, DNS_CLASS_IN);
    return dns_writer_finish(&w, (uint16_t)i, 0, 0, &e, 0);
}

/* Which member or site the first record names: 0 for 192.0.2.1, 2001:db8::1, HTTPS 1. */
static uint8_t read_answer(const uint8_t *p, size_t len, const struct question *q)
{
    size_t rdata = 12 + strlen(q->name) + 9 + 4 + 12; /* header, question, the record's head */
    size_t last = q->type == DNS_TYPE_A ? 3 : q->type == DNS_TYPE_AAAA ? 15 : 1;
    assert_true(len > rdata + last);
    assert_int_equal(p[3] & 15, 0);
    assert_int_equal(get_u16(p + 6), 1);
    return (uint8_t)(p[rdata + last] - 1);
}

/* One after another in windows; given[i]: of the i-th question. One worker takes them in order. */
static void ask_all(const struct shares *s, const struct question *q, unsigned count,
                    uint8_t *given)
{
    uint8_t packet[512];
    memset(given, 255, count);
    for (unsigned done = 0; done < count; done += WINDOW) {
        unsigned n = count - done < WINDOW ? count - done : WINDOW;
        for (unsigned k = 0; k < n; k++) {
            size_t len = write_query(packet, q, done + k);
            assert_int_equal(send(s->fd, packet, len, 0), (ssize_t)len);
        }
        for (unsigned k = 0; k < n; k++) {
            ssize_t len = recv(s->fd, packet, sizeof packet, 0);
            assert_true(len > 12);
            unsigned at = done + (uint16_t)(get_u16(packet) - done);
            assert_true(at < done + n && given[at] == 255);
            given[at] = read_answer(packet, (size_t)len, q);
            assert_true(given[at] < 3);
        }
    }
}

/* ---- the tests ---- */

static void weights_are_kept(void **state)
{
    static const double shares[] = {0.75, 0.25};
    uint8_t *given = malloc(ANSWERS);
    unsigned counts[3] = {0};
    assert_non_null(given);
    ask_all(*state, &(struct question){"w", DNS_TYPE_A, false}, ANSWERS, given);
    for (unsigned i = 0; i < ANSWERS; i++)
        counts[given[i]]++;
    print_message("3:1 of %d: %u and %u\n", ANSWERS, counts[0], counts[1]);
    assert_int_equal(counts[2], 0);
    expect_chi("3:1", counts, shares, 2, ANSWERS);
    free(given);
}

static void types_stay_at_one_site(void **state)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_HTTPS};
    uint8_t *given[3];
    unsigned fra = 0;
    for (unsigned t = 0; t < 3; t++) {
        assert_non_null(given[t] = malloc(NETWORKS));
        ask_all(*state, &(struct question){"m", types[t], true}, NETWORKS, given[t]);
    }
    for (unsigned i = 0; i < NETWORKS; i++) {
        fra += given[0][i] == 0;
        if (given[1][i] != given[0][i] || given[2][i] != given[0][i])
            fail_msg("network %u: A of site %u, AAAA of %u, HTTPS of %u", i, given[0][i],
                     given[1][i], given[2][i]);
    }
    print_message("70:30 of %d networks: %u at fra\n", NETWORKS, fra);
    expect_share("fra", 0, fra, NETWORKS, 0.7);
    for (unsigned t = 0; t < 3; t++)
        free(given[t]);
}

static void turns_are_exact(void **state)
{
    uint8_t given[TURNS];
    ask_all(*state, &(struct question){"t", DNS_TYPE_A, false}, TURNS, given);
    for (unsigned period = 0; period < TURNS / 9; period++) {
        unsigned counts[3] = {0};
        for (unsigned i = 0; i < 9; i++)
            counts[given[period * 9 + i]]++;
        if (counts[0] != 5 || counts[1] != 3 || counts[2] != 1)
            fail_msg("period %u: %u %u %u", period, counts[0], counts[1], counts[2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_are_kept),
                                       cmocka_unit_test(types_stay_at_one_site),
                                       cmocka_unit_test(turns_are_exact)};
    return cmocka_run_group_tests(tests, start, stop);
}
