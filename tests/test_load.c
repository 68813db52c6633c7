/* Load against a scripted name server: every query and every answer is counted as what it was, and
 * a stall of either side shows in the latencies of an open loop. */
/* threads */
/* alone */
#include "net/load.h"

#include "base/err.h"
#include "dns/type.h"
#include "loopback.h"
#include "responder.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000ll

static struct load_report report; /* its histograms are large for a stack */

static struct load_queries *questions(const char *text)
{
    static const struct load_shape shape = {.fresh_label = false};
    struct load_queries *q = load_queries_new(&shape);
    struct diag_list diags;
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(q);
    assert_non_null(in);
    diag_init(&diags);
    assert_int_equal(load_queries_read(q, in, "test", &diags), 0);
    diag_fini(&diags);
    fclose(in);
    return q;
}

static struct load_options options(const struct responder *r)
{
    return (struct load_options){.server = r->addr,
                                 .clients = 1,
                                 .time_ns = 5000 * MS,
                                 .interval_ns = 100 * MS,
                                 .timeout_ns = 500 * MS,
                                 .stop_fd = -1};
}

static int run(const struct load_options *o, const char *text)
{
    struct load_queries *q = questions(text);
    int err = load_run(o, q, &report);
    load_report_fini(&report);
    load_queries_free(q);
    return err;
}

/* What must hold of every report. */
static void adds_up(void)
{
    const struct load_counts *n = &report.counts;
    uint64_t rcodes = 0;
    for (unsigned i = 0; i < 16; i++)
        rcodes += n->rcodes[i];
    assert_int_equal(n->sent, n->answered + n->lost);
    assert_int_equal(rcodes, n->answered);
    assert_int_equal(report.latency.count, n->answered);
    assert_true(report.elapsed_ns >= report.sending_ns && report.sending_ns > 0);
    assert_true(report.cpu_ns > 0);
    assert_int_equal(n->dropped, 0);
    assert_int_equal(n->unsent, 0);
}

/* ---- counting ---- */

#define TEN                                                                            \
    "ok.test A\nnx.test A\nservfail.test A\ntrunc.test A\nempty.test A\ndrop.test A\n" \
    "twice.test A\nbare.test A\nwrongid.test A\nwrongname.test A\nlate.test A\nok.test TXT\n"
#define EACH 30 /* queries of each of the twelve */

static void counts_are_as_scripted(void **state)
{
    (void)state;
    for (unsigned clients = 1; clients <= 3; clients += 2) {
        struct responder r = {.late_ms = 650};
        responder_start(&r);
        struct load_options o = options(&r);
        const struct load_counts *n = &report.counts;
        o.clients = clients;
        o.rate = 500;
        o.count = 12 * EACH;
        assert_int_equal(run(&o, TEN), 0);
        responder_end(&r);
        adds_up();
        assert_int_equal(r.seen, 12 * EACH);
        assert_int_equal(n->sent, 12 * EACH);
        assert_int_equal(n->lost, 3 * EACH + RESPONDER_LATE); /* drop, wrongid, wrongname */
        assert_int_equal(n->late, RESPONDER_LATE);
        assert_int_equal(n->duplicate, EACH);
        assert_int_equal(n->unmatched, 2 * EACH);
        assert_int_equal(n->truncated, EACH);
        assert_int_equal(n->bare, EACH);
        assert_int_equal(n->empty, 2 * EACH); /* trunc, empty */
        assert_int_equal(n->rcodes[DNS_RCODE_NXDOMAIN], EACH);
        assert_int_equal(n->rcodes[DNS_RCODE_SERVFAIL], EACH);
        assert_int_equal(n->rcodes[DNS_RCODE_FORMERR], EACH);
        assert_int_equal(n->rcodes[DNS_RCODE_NOERROR], 6 * EACH - RESPONDER_LATE);
    }
}

static void tcp_counts_are_as_scripted(void **state)
{
    struct responder r = {.late_ms = 0};
    const struct load_counts *n = &report.counts;
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.proto = NET_PROTO_TCP;
    o.clients = 3;
    o.window = 24;
    o.count = 300;
    o.timeout_ns = 250 * MS;
    assert_int_equal(run(&o, "ok.test A\nnx.test A\nservfail.test A\ndrop.test A\ntwice.test A\n"),
                     0);
    responder_end(&r);
    adds_up();
    assert_int_equal(r.connections, 3);
    assert_int_equal(r.seen, 300);
    assert_int_equal(n->lost, 60);
    assert_int_equal(n->duplicate, 60);
    assert_int_equal(n->rcodes[DNS_RCODE_NXDOMAIN], 60);
    assert_int_equal(n->rcodes[DNS_RCODE_SERVFAIL], 60);
    assert_int_equal(n->closed, 0);
}

static void a_closed_connection_is_opened_again(void **state)
{
    struct responder r = {.late_ms = 0};
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.proto = NET_PROTO_TCP;
    o.window = 1;
    o.count = 30;
    assert_int_equal(run(&o, "ok.test A\nclose.test A\nok.test A\n"), 0);
    responder_end(&r);
    adds_up();
    assert_int_equal(report.counts.lost, 10);
    assert_int_equal(report.counts.closed, 10);
    assert_true(r.connections == 10 || r.connections == 11); /* the last may be left closed */
}

/* ---- loops ---- */

/* The server answers only when as many wait as the window has: fewer would time out, more be seen.
 */
static void the_window_is_kept(void **state)
{
    static const struct {
        unsigned window, clients;
    } rows[] = {{1, 1}, {10, 1}, {10, 4}, {40, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct responder r = {.hold = rows[i].window};
        responder_start(&r);
        struct load_options o = options(&r);
        o.window = rows[i].window;
        o.clients = rows[i].clients;
        o.count = rows[i].window * 8ul;
        assert_int_equal(run(&o, "ok.test A\n"), 0);
        responder_end(&r);
        adds_up();
        assert_int_equal(report.counts.lost, 0);
        assert_int_equal(report.counts.sent, rows[i].window * 8ul);
        assert_int_equal(r.most_held, rows[i].window);
    }
}

/* 1000 a second, in either spacing; nothing is waited for. */
static void the_rate_is_kept(void **state)
{
    (void)state;
    for (unsigned poisson = 0; poisson < 2; poisson++) {
        struct responder r = {.late_ms = 0};
        responder_start(&r);
        struct load_options o = options(&r);
        o.rate = 1000;
        o.poisson = poisson;
        o.clients = 4;
        o.time_ns = 500 * MS;
        o.timeout_ns = 100 * MS;
        assert_int_equal(run(&o, "drop.test A\n"), 0);
        responder_end(&r);
        adds_up();
        /* a Poisson count of 500 is within 6 sigma; an even one is short only when the machine is
         */
        assert_in_range(report.counts.sent + report.behind, poisson ? 365 : 498,
                        poisson ? 635 : 501);
        assert_int_equal(report.counts.lost, report.counts.sent);
        assert_int_equal(report.intervals, 5);
    }
}

static void what_is_warm_is_not_counted(void **state)
{
    struct responder r = {.late_ms = 0};
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.rate = 1000;
    o.warm_ns = 200 * MS;
    o.count = 100;
    assert_int_equal(run(&o, "ok.test A\n"), 0);
    responder_end(&r);
    adds_up();
    assert_int_equal(report.counts.sent, 100);
    assert_true(r.seen > 200);
}

/* ---- stalls ---- */

/* Of 600 queries in 600 ms 200 wait for up to 200 ms. */
static void shows_a_stall(void)
{
    adds_up();
    assert_int_equal(report.counts.lost, 0);
    assert_true(histogram_at(&report.latency, 99000) > (uint64_t)(150 * MS));
    assert_true(report.latency.most > (uint64_t)(190 * MS));
    assert_true(histogram_at(&report.latency, 50000) < histogram_at(&report.latency, 99000) / 2);
}

static void the_servers_stall_shows(void **state)
{
    struct responder r = {.pause_at = 150, .pause_ms = 200};
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.rate = 1000;
    o.time_ns = 600 * MS;
    assert_int_equal(run(&o, "ok.test A\n"), 0);
    responder_end(&r);
    shows_a_stall();
}

struct stall {
    int nobody, ms; /* how long, after the second interval */
    unsigned told;  /* intervals */
};

static void stall(void *arg, enum load_moment moment, const struct load_report *r)
{
    struct stall *s = arg;
    struct pollfd p = {.fd = s->nobody, .events = POLLIN};
    s->told += moment == LOAD_INTERVAL;
    if (moment == LOAD_INTERVAL && r->intervals == 2)
        poll(&p, 1, s->ms);
}

/* A generator that measures from when it got round to sending would hide its own. */
static void our_own_stall_shows(void **state)
{
    struct responder r = {.late_ms = 0};
    struct stall s = {.nobody = eventfd(0, EFD_CLOEXEC), .ms = 200};
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.rate = 1000;
    o.time_ns = 600 * MS;
    o.watch = stall;
    o.arg = &s;
    assert_int_equal(run(&o, "ok.test A\n"), 0);
    responder_end(&r);
    close(s.nobody);
    shows_a_stall();
    assert_true(report.lag.most > (uint64_t)(190 * MS));
    assert_int_equal(report.lag.count, report.counts.sent);
}

/* Of three intervals; when we are held up in the last one no fourth is told of. */
static void no_interval_is_told_beyond_the_end(void **state)
{
    struct responder r = {.late_ms = 0};
    struct stall s = {.nobody = eventfd(0, EFD_CLOEXEC), .ms = 300};
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.rate = 100;
    o.time_ns = 300 * MS;
    o.watch = stall;
    o.arg = &s;
    assert_int_equal(run(&o, "ok.test A\n"), 0);
    responder_end(&r);
    close(s.nobody);
    assert_int_equal(s.told, 3);
}

/* ---- ends ---- */

static void stop_at_once(void *arg, enum load_moment moment, const struct load_report *r)
{
    (void)r;
    if (moment == LOAD_INTERVAL)
        assert_int_equal(eventfd_write(*(int *)arg, 1), 0);
}

static void a_stop_ends_it(void **state)
{
    struct responder r = {.late_ms = 0};
    int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)state;
    responder_start(&r);
    struct load_options o = options(&r);
    o.window = 10;
    o.time_ns = 3600 * 1000 * MS;
    o.stop_fd = stop;
    o.watch = stop_at_once;
    o.arg = &stop;
    assert_int_equal(run(&o, "ok.test A\n"), 0);
    responder_end(&r);
    close(stop);
    adds_up();
    assert_true(report.stopped);
    assert_int_equal(report.counts.lost, 0);
    assert_true(report.intervals >= 1);
}

/* A port that nobody listens on is not waited for. */
static void nobody_listens(void **state)
{
    (void)state;
    for (unsigned tcp = 0; tcp < 2; tcp++) {
        struct responder r = {.late_ms = 0};
        responder_start(&r);
        responder_end(&r);
        struct load_options o = options(&r);
        o.proto = tcp ? NET_PROTO_TCP : NET_PROTO_UDP;
        o.window = 10;
        o.time_ns = 60 * 1000 * MS;
        assert_int_equal(run(&o, "ok.test A\n"), ERR_REFUSED);
        assert_int_equal(report.counts.answered, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_as_scripted),
        cmocka_unit_test(tcp_counts_are_as_scripted),
        cmocka_unit_test(a_closed_connection_is_opened_again),
        cmocka_unit_test(the_window_is_kept),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(what_is_warm_is_not_counted),
        cmocka_unit_test(the_servers_stall_shows),
        cmocka_unit_test(our_own_stall_shows),
        cmocka_unit_test(no_interval_is_told_beyond_the_end),
        cmocka_unit_test(a_stop_ends_it),
        cmocka_unit_test(nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
