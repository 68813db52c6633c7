/* What a probe says of a server that behaves in every way a server can. Servers are processes on
 * the loopback interface; every wait has an end. */
/* folders: base dns net gslb */
#include "base/err.h"
#include "base/list.h"
#include "origin.h"
#include "prober.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE(s) "HTTP/1.1 200 OK\r\nX-Load: 417\r\nX-Role: primary, eu\r\nContent-Length: " s
#define OK_PAGE PAGE("5") "\r\n\r\nready"

/* ---- one row per behaviour and type ---- */

struct row {
    const char *label;
    enum gslb_check_type type;
    struct origin_script script;
    struct gslb_check set; /* what differs from the default */
    enum gslb_result result;
    int code;
    const char *evidence;
};

#define GOOD "good.example"
#define TCP  GSLB_CHECK_TCP
#define HTTP GSLB_CHECK_HTTP
#define TLS  GSLB_CHECK_HTTPS
#define DNS  GSLB_CHECK_DNS

static const struct gslb_range teapot[] = {{300, 300}, {418, 418}};
static const uint8_t www[] = "\3www\7example";

static const struct row rows[] = {
    {"tcp refused", TCP, {.does = ORIGIN_REFUSE}, {0}, GSLB_FAIL, -1, "connection refused"},
    {"tcp connected", TCP, {.does = ORIGIN_HANG}, {0}, GSLB_PASS, -1, "connected"},
    {"tcp greeting",
     TCP,
     {.does = ORIGIN_GREET, "220 heheloo"},
     {.expect = "helo", .expect_len = 4},
     GSLB_PASS,
     -1,
     "expected text came"},
    {"tcp answer",
     TCP,
     {.does = ORIGIN_REPLY, "PONG"},
     {.send = "PING", .send_len = 4, .expect = "PONG", .expect_len = 4},
     GSLB_PASS,
     -1,
     "expected text came"},
    {"tcp silence",
     TCP,
     {.does = ORIGIN_HANG},
     {.expect = "x", .expect_len = 1, .timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out waiting for an answer"},
    {"tcp reset",
     TCP,
     {.does = ORIGIN_RESET},
     {.expect = "x", .expect_len = 1},
     GSLB_FAIL,
     -1,
     "connection reset"},
    {"tcp wrong text and end",
     TCP,
     {.does = ORIGIN_ECHO},
     {.send = "a", .send_len = 1, .expect = "PONG", .expect_len = 4},
     GSLB_FAIL,
     -1,
     "without the expected text"},
    {"tcp endless",
     TCP,
     {.does = ORIGIN_HUGE, "a"},
     {.send = "a", .send_len = 1, .expect = "PONG", .expect_len = 4},
     GSLB_FAIL,
     -1,
     "first 4096 octets lack"},
    {"tcp drip",
     TCP,
     {.does = ORIGIN_DRIP, "a"},
     {.send = "a", .send_len = 1, .expect = "PONG", .expect_len = 4, .timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out before the expected text"},
    {"http refused", HTTP, {.does = ORIGIN_REFUSE}, {0}, GSLB_FAIL, -1, "connection refused"},
    {"http hangs",
     HTTP,
     {.does = ORIGIN_HANG},
     {.timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out waiting for an answer"},
    {"http reset", HTTP, {.does = ORIGIN_RESET}, {0}, GSLB_FAIL, -1, "connection reset"},
    {"http closes", HTTP, {.does = ORIGIN_CLOSE}, {0}, GSLB_FAIL, -1, "closed without an answer"},
    {"http drip",
     HTTP,
     {.does = ORIGIN_DRIP, PAGE("999") "\r\n\r\n"},
     {.timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out reading the answer"},
    {"http garbage",
     HTTP,
     {.does = ORIGIN_REPLY, "\1\2 garbage\r\n\r\n"},
     {0},
     GSLB_FAIL,
     -1,
     "not HTTP"},
    {"http 200", HTTP, {.does = ORIGIN_REPLY, OK_PAGE}, {0}, GSLB_PASS, 200, "status 200"},
    {"http 503",
     HTTP,
     {.does = ORIGIN_REPLY, "HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"},
     {0},
     GSLB_FAIL,
     503,
     "status 503"},
    {"http redirect is not followed",
     HTTP,
     {.does = ORIGIN_REPLY, "HTTP/1.1 302 go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"},
     {0},
     GSLB_FAIL,
     302,
     "status 302"},
    {"http status wanted",
     HTTP,
     {.does = ORIGIN_REPLY, "HTTP/1.1 418 t\r\nContent-Length: 0\r\n\r\n"},
     {.status = teapot, .status_count = 2},
     GSLB_PASS,
     418,
     "status 418"},
    {"http body",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.body = "eady"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http body lacks",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.body = "steady"},
     GSLB_FAIL,
     200,
     "the body lacks: steady"},
    {"http header",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.header = "x-role: primary"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http header lacks",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.header = "x-role: second"},
     GSLB_FAIL,
     200,
     "no header holds: x-role: second"},
    {"http load",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.load_header = "x-load"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http load in the body",
     HTTP,
     {.does = ORIGIN_REPLY, PAGE("30") "\r\n\r\n{\"a\": 1, \"load\":  417, \"b\": 2}"},
     {.load_body = "\"load\":"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http load at the end of the body",
     HTTP,
     {.does = ORIGIN_REPLY, PAGE("8") "\r\n\r\nload=417"},
     {.load_body = "load="},
     GSLB_PASS,
     200,
     "status 200"},
    {"http load in the body is none",
     HTTP,
     {.does = ORIGIN_REPLY, PAGE("9") "\r\n\r\nload=much"},
     {.load_body = "load="},
     GSLB_PASS,
     200,
     "the load is no number"},
    {"http load in the body, too long",
     HTTP,
     {.does = ORIGIN_REPLY, PAGE("16") "\r\n\r\nload=12345678901"},
     {.load_body = "load="},
     GSLB_PASS,
     200,
     "the load is no number"},
    {"http huge body",
     HTTP,
     {.does = ORIGIN_HUGE, "HTTP/1.1 200 OK\r\n\r\n"},
     {0},
     GSLB_PASS,
     200,
     "status 200"},
    {"http huge body lacks",
     HTTP,
     {.does = ORIGIN_HUGE, "HTTP/1.1 200 OK\r\n\r\n"},
     {.body = "yes"},
     GSLB_FAIL,
     200,
     "the body's first 64 KiB lacks: yes"},
    {"http host",
     HTTP,
     {.does = ORIGIN_ECHO},
     {.host = "shop.example", .body = "\r\nHost: shop.example:"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http path and method",
     HTTP,
     {.does = ORIGIN_ECHO},
     {.method = "OPTIONS", .path = "/a/../b?c=d", .body = "OPTIONS /a/../b?c=d HTTP/1.1"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http bad host",
     HTTP,
     {.does = ORIGIN_ECHO},
     {.host = "a/b"},
     GSLB_NO_VERDICT,
     -1,
     "cannot ask"},
    {"http bad path",
     HTTP,
     {.does = ORIGIN_ECHO},
     {.path = "/a\r\nX: y"},
     GSLB_NO_VERDICT,
     -1,
     "cannot ask"},
    {"http no HTTP/2 there",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.http2 = true},
     GSLB_FAIL,
     -1,
     ""},
    {"http foreign source",
     HTTP,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.source = {.ip = {[10] = 255, 255, 192, 0, 2, 1}, .family = 4}},
     GSLB_NO_VERDICT,
     -1,
     "not available"},
    {"https good",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, GOOD},
     {.host = GOOD},
     GSLB_PASS,
     200,
     "status 200"},
    {"https sni",
     TLS,
     {.does = ORIGIN_ECHO, NULL, GOOD},
     {.host = "shop.example", .sni = GOOD, .body = "\r\nHost: shop.example:"},
     GSLB_PASS,
     200,
     "status 200"},
    {"http2",
     HTTP,
     {.does = ORIGIN_HTTP2},
     {.http2 = true, .host = GOOD},
     GSLB_PASS,
     200,
     "status 200"},
    {"https http2",
     TLS,
     {.does = ORIGIN_HTTP2, .certificate = GOOD},
     {.http2 = true, .host = GOOD},
     GSLB_PASS,
     200,
     "status 200"},
    {"https http2, not asked for",
     TLS,
     {.does = ORIGIN_HTTP2, .certificate = GOOD},
     {.host = GOOD},
     GSLB_FAIL,
     -1,
     "TLS: "},
    {"https expired",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, GOOD, true},
     {.host = GOOD},
     GSLB_FAIL,
     -1,
     "expired"},
    {"https other name",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, "other.example"},
     {.host = GOOD},
     GSLB_FAIL,
     -1,
     "no alternative certificate subject name"},
    {"https of nobody we trust",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, GOOD},
     {.host = GOOD, .ca_file = "system"},
     GSLB_FAIL,
     -1,
     "certificate"},
    {"https expired, not verified",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, GOOD, true},
     {.host = GOOD, .sni = GOOD, .at = {.line = 1}},
     GSLB_PASS,
     200,
     "status 200"},
    {"https ca file missing",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE, GOOD},
     {.host = GOOD, .ca_file = "/nowhere/ca.pem"},
     GSLB_NO_VERDICT,
     -1,
     "cannot ask"},
    {"https to plain",
     TLS,
     {.does = ORIGIN_REPLY, OK_PAGE},
     {.host = GOOD},
     GSLB_FAIL,
     -1,
     "TLS: "},
    {"https handshake hangs",
     TLS,
     {.does = ORIGIN_HANG},
     {.timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out in the TLS handshake"},
    {"dns answer", DNS, {.does = ORIGIN_DNS}, {0}, GSLB_PASS, 0, "rcode NOERROR, 1 answer"},
    {"dns answer is", DNS, {.does = ORIGIN_DNS}, {.answer = "192.0.2.7"}, GSLB_PASS, 0, "NOERROR"},
    {"dns answer is not",
     DNS,
     {.does = ORIGIN_DNS},
     {.answer = "192.0.2.8"},
     GSLB_FAIL,
     0,
     "none of 1 answer records is 192.0.2.8"},
    {"dns nxdomain",
     DNS,
     {.does = ORIGIN_DNS_NXDOMAIN},
     {0},
     GSLB_FAIL,
     3,
     "rcode NXDOMAIN, not NOERROR"},
    {"dns any rcode", DNS, {.does = ORIGIN_DNS_NXDOMAIN}, {.rcode = -1}, GSLB_PASS, 3, "NXDOMAIN"},
    {"dns wrong id",
     DNS,
     {.does = ORIGIN_DNS_WRONG_ID},
     {.timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out"},
    {"dns silence",
     DNS,
     {.does = ORIGIN_DNS_SILENT},
     {.timeout_ms = SHORT_MS},
     GSLB_FAIL,
     -1,
     "timed out waiting"},
    {"dns refused", DNS, {.does = ORIGIN_REFUSE}, {0}, GSLB_FAIL, -1, "connection refused"},
    {"dns truncated",
     DNS,
     {.does = ORIGIN_DNS_TRUNCATED},
     {.answer = "192.0.2.7"},
     GSLB_PASS,
     0,
     "NOERROR"},
    {"dns over tcp",
     DNS,
     {.does = ORIGIN_DNS},
     {.tcp = true, .answer = "192.0.2.7"},
     GSLB_PASS,
     0,
     "NOERROR"},
    {"dns over tcp refused",
     DNS,
     {.does = ORIGIN_REFUSE},
     {.tcp = true},
     GSLB_FAIL,
     -1,
     "connection refused"},
    {"dns damaged", DNS, {.does = ORIGIN_DNS_GARBAGE}, {0}, GSLB_FAIL, -1, "damaged"},
};

static struct gslb_check check_of(const struct row *row, const struct origin *o)
{
    struct gslb_check c;
    gslb_check_default(&c);
    const struct gslb_check d = c, *s = &row->set;
    c = *s;
    c.type = row->type;
    c.port = o->port;
    c.timeout_ms = s->timeout_ms ? s->timeout_ms : LONG_MS;
    c.method = s->method ? s->method : d.method;
    c.path = s->path ? s->path : d.path;
    c.ca_file = s->ca_file ? s->ca_file : o->ca_file;
    c.ca_file = *c.ca_file && strcmp(c.ca_file, "system") != 0 ? c.ca_file : NULL;
    c.verify = !s->at.line; /* a row's way to say no */
    c.qname = www;
    c.qtype = d.qtype;
    return c;
}

static bool row_holds(const struct row *row, const struct gslb_probe_result *r)
{
    bool right =
        r->result == row->result && r->code == row->code && strstr(r->evidence, row->evidence) &&
        (!(row->set.load_header || row->set.load_body) ||
         (strstr(row->evidence, "no number") ? !r->has_load : r->has_load && r->load == 417)) &&
        (row->result != GSLB_PASS || row->type != TLS || (r->connect_us && r->tls_us));
    if (!right)
        print_error("%s: result %d, code %d, load %u, \"%s\"\n", row->label, r->result, r->code,
                    r->load, r->evidence);
    return right;
}

static void test_rows(void **state)
{
    struct fixture f;
    unsigned wrong = 0;
    (void)state;
    fixture_open(&f, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct origin o;
        struct asked a;
        origin_start(&o, &rows[i].script);
        struct gslb_check c = check_of(&rows[i], &o);
        fixture_ask(&f, &c, &a);
        origin_stop(&o);
        wrong += !row_holds(&rows[i], &a.r);
        fixture_judge(rows[i].label, &a.r, c.timeout_ms);
    }
    fixture_close(&f);
    assert_int_equal(wrong, 0);
}

/* ---- connections ---- */

static void test_reuse(void **state)
{
    static const struct row row = {"",  HTTP, {.does = ORIGIN_REPLY, OK_PAGE}, {0}, GSLB_PASS,
                                   200, ""};
    struct fixture f;
    struct origin o;
    struct asked a;
    (void)state;
    fixture_open(&f, NULL);
    origin_start(&o, &row.script);
    struct gslb_check c = check_of(&row, &o);
    for (unsigned i = 0; i < 3; i++)
        fixture_ask(&f, &c, &a);
    assert_int_equal(origin_connections(&o), 3);
    c.reuse = true;
    for (unsigned i = 0; i < 3; i++)
        fixture_ask(&f, &c, &a);
    assert_int_equal(a.r.result, GSLB_PASS);
    assert_int_equal(origin_connections(&o), 4);
    origin_stop(&o);
    fixture_close(&f);
}

static void copy_file(const char *from, const char *to)
{
    char room[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_non_null(in);
    assert_non_null(out);
    assert_true(fwrite(room, 1, fread(room, 1, sizeof room, in), out) > 0);
    fclose(in);
    fclose(out);
}

/* A file that changed is read again, and only what it holds now is trusted. */
static void test_trust_changes(void **state)
{
    static const struct row row = {
        .type = TLS, .script = {.does = ORIGIN_REPLY, OK_PAGE, GOOD}, .set = {.host = GOOD}};
    struct fixture f;
    struct origin one, two;
    struct asked a;
    (void)state;
    fixture_open(&f, NULL);
    origin_start(&one, &row.script);
    origin_start(&two, &row.script);
    struct gslb_check to_one = check_of(&row, &one), to_two = check_of(&row, &two);
    to_one.ca_file = two.ca_file;
    fixture_ask(&f, &to_one, &a);
    assert_int_equal(a.r.result, GSLB_FAIL);
    fixture_ask(&f, &to_two, &a);
    assert_int_equal(a.r.result, GSLB_PASS);
    copy_file(one.ca_file, two.ca_file);
    fixture_ask(&f, &to_one, &a);
    assert_int_equal(a.r.result, GSLB_PASS);
    fixture_ask(&f, &to_two, &a);
    assert_int_equal(a.r.result, GSLB_FAIL);
    origin_stop(&one);
    origin_stop(&two);
    fixture_close(&f);
}

static void test_unsupported(void **state)
{
    struct fixture f;
    struct addr to;
    struct gslb_check c;
    (void)state;
    fixture_open(&f, NULL);
    gslb_check_default(&c);
    assert_int_equal(addr_parse(&to, "127.0.0.1", 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        c.type = i ? GSLB_CHECK_PUSH : GSLB_CHECK_NONE;
        assert_int_equal(gslb_probe_start(f.prober, &c, &to, fixture_on_done, NULL, NULL),
                         ERR_UNSUPPORTED);
    }
    fixture_close(&f);
}

/* A closed port says that the address went all the way. */
static void test_ipv6(void **state)
{
    static const enum gslb_check_type types[] = {TCP, HTTP, TLS, DNS};
    static const struct row row = {.script = {.does = ORIGIN_REFUSE}};
    struct fixture f;
    struct origin o;
    struct asked a;
    (void)state;
    fixture_open(&f, NULL);
    origin_start(&o, &row.script);
    for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) {
        struct gslb_check c = check_of(&row, &o);
        c.type = types[i / 2];
        c.host = i % 2 ? GOOD : NULL;
        assert_int_equal(addr_parse(&c.address, "::1", 0), 0);
        fixture_ask(&f, &c, &a);
        if (a.r.result == GSLB_NO_VERDICT)
            print_message("no IPv6 here: %s\n", a.r.evidence);
        else if (a.r.result != GSLB_FAIL || !strstr(a.r.evidence, "connection refused"))
            fail_msg("%s: \"%s\"", gslb_check_type_name(c.type), a.r.evidence);
    }
    origin_stop(&o);
    fixture_close(&f);
}

/* ---- our own trouble ---- */

static void test_no_descriptors(void **state)
{
    static const enum gslb_check_type types[] = {TCP, HTTP, DNS, GSLB_CHECK_ICMP, GSLB_CHECK_EXEC};
    static const struct row row = {"",  HTTP, {.does = ORIGIN_REPLY, OK_PAGE}, {0}, GSLB_PASS,
                                   200, ""};
    const char *const argv[] = {"/bin/true", NULL};
    struct rlimit before, none;
    struct fixture f;
    struct origin o;
    struct asked a;
    (void)state;
    fixture_open(&f, NULL);
    origin_start(&o, &row.script);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct gslb_check c = check_of(&row, &o);
    fixture_ask(&f, &c, &a);
    none = before;
    none.rlim_cur = 3;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        c.type = types[i];
        c.argv = argv;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        fixture_ask(&f, &c, &a);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        bool said = strstr(a.r.evidence, "descriptor") ||
                    (c.type == GSLB_CHECK_ICMP && strstr(a.r.evidence, "not permitted"));
        if (a.r.result != GSLB_NO_VERDICT || !said)
            fail_msg("%s: result %d, \"%s\"", gslb_check_type_name(c.type), a.r.result,
                     a.r.evidence);
    }
    c.type = HTTP;
    fixture_ask(&f, &c, &a);
    assert_int_equal(a.r.result, GSLB_PASS);
    origin_stop(&o);
    fixture_close(&f);
}

static void test_late_loop(void **state)
{
    static const struct {
        const char *label;
        int64_t late_us;
        enum gslb_result result;
    } late[] = {
        {"in time", 0, GSLB_FAIL},
        {"late by less than a quarter", SHORT_MS * 200, GSLB_FAIL},
        {"late by more", SHORT_MS * 300, GSLB_NO_VERDICT},
    };
    static const struct row row = {"", HTTP, {.does = ORIGIN_HANG}, {.timeout_ms = SHORT_MS}, 0,
                                   0,  ""};
    struct origin o;
    (void)state;
    origin_start(&o, &row.script);
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct fixture f;
        struct asked a;
        fixture_open(&f, NULL);
        f.still = true;
        struct gslb_check c = check_of(&row, &o);
        fixture_start(&f, &c, &a, NULL);
        for (unsigned n = 0; n < 5; n++)
            uv_run(&f.loop, UV_RUN_ONCE);
        f.ahead_us = late[i].late_us;
        fixture_finish(&f, &a);
        if (a.r.result != late[i].result)
            fail_msg("%s: result %d, \"%s\"", late[i].label, a.r.result, a.r.evidence);
        fixture_close(&f);
    }
    origin_stop(&o);
}

/* ---- ends ---- */

static void test_cancel_and_close(void **state)
{
    static const struct row quick = {"", HTTP, {.does = ORIGIN_REPLY, OK_PAGE}, {0}, 0, 0, ""};
    static const struct row hung = {"", HTTP, {.does = ORIGIN_HANG}, {0}, 0, 0, ""};
    static const enum gslb_check_type types[] = {HTTP, TCP, DNS, TLS, GSLB_CHECK_EXEC};
    const char *const argv[] = {"/bin/cat", "/dev/zero", NULL};
    struct origin o, silent;
    (void)state;
    origin_start(&o, &quick.script);
    origin_start(&silent, &hung.script);
    for (size_t i = 0; i < 2 * sizeof types / sizeof *types; i++) {
        struct fixture f;
        struct asked first, others[4];
        struct gslb_probe *probe;
        fixture_open(&f, &(struct gslb_prober_limits){.running = i % 2 ? 2 : 16, .commands = 2});
        struct gslb_check a = check_of(&quick, &o), b = check_of(&hung, &silent);
        b.type = types[i / 2];
        b.expect = "x";
        b.expect_len = 1;
        b.argv = argv;
        for (unsigned n = 0; n < 4; n++)
            fixture_start(&f, &b, &others[n], n == 1 ? &probe : NULL);
        if (i % 2) { /* makes room for the other one */
            gslb_probe_cancel(probe);
            fixture_start(&f, &b, &others[1], &probe);
            gslb_probe_cancel(probe);
            fixture_close(&f);
        } else {
            fixture_start(&f, &a, &first, NULL);
            first.cancel = probe;
            first.close = &f;
            fixture_finish(&f, &first);
            fixture_close(&f);
            assert_int_equal(first.times, 1);
        }
        for (unsigned n = 0; n < 4; n++)
            assert_true(!others[n].times || b.type == DNS);
    }
    origin_stop(&o);
    origin_stop(&silent);
}

/* First come, first served, though only one runs. */
static void test_line(void **state)
{
    static const struct row row = {"",  HTTP, {.does = ORIGIN_REPLY, OK_PAGE}, {0}, GSLB_PASS,
                                   200, ""};
    struct fixture f;
    struct origin o;
    struct asked a[20];
    (void)state;
    fixture_open(&f, &(struct gslb_prober_limits){.running = 1, .commands = 1});
    origin_start(&o, &row.script);
    struct gslb_check c = check_of(&row, &o);
    for (unsigned i = 0; i < 20; i++)
        fixture_start(&f, &c, &a[i], NULL);
    for (unsigned i = 0; i < 20; i++) {
        fixture_finish(&f, &a[i]);
        assert_int_equal(a[i].r.result, GSLB_PASS);
        for (unsigned later = i + 1; later < 20; later++)
            assert_int_equal(a[later].times, 0);
    }
    origin_stop(&o);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_unsupported), cmocka_unit_test(test_trust_changes),
        cmocka_unit_test(test_ipv6),        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_late_loop),   cmocka_unit_test(test_cancel_and_close),
        cmocka_unit_test(test_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
