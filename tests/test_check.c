/* Which checks ask the same: what makes a packet or a verdict different keeps two probes apart. */
/* folders: base dns gslb */
#include "gslb/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct gslb_range ok[] = {{200, 204}}, other[] = {{200, 205}};
static const char *const one[] = {"/bin/true", NULL}, *const two[] = {"/bin/true", "-x", NULL};

static void set_name(struct gslb_check *c)
{
    c->name = "another";
}
static void set_every(struct gslb_check *c)
{
    c->every_ms = 7;
    c->jitter_permille = 3;
}
static void set_rules(struct gslb_check *c)
{
    c->rules.fail_after = 9;
}
static void set_place(struct gslb_check *c)
{
    c->at.line = 12;
}
static void set_default_port(struct gslb_check *c)
{
    c->port = 443;
}
static void set_port(struct gslb_check *c)
{
    c->port = 8443;
}
static void set_timeout(struct gslb_check *c)
{
    c->timeout_ms = 1;
}
static void set_address(struct gslb_check *c)
{
    (void)addr_parse(&c->address, "192.0.2.1", 0);
}
static void set_source(struct gslb_check *c)
{
    (void)addr_parse(&c->source, "192.0.2.1", 0);
}
static void set_reuse(struct gslb_check *c)
{
    c->reuse = true;
}
static void set_path(struct gslb_check *c)
{
    c->path = "/x";
}
static void set_method(struct gslb_check *c)
{
    c->method = "HEAD";
}
static void set_host(struct gslb_check *c)
{
    c->host = "h.example";
}
static void set_sni(struct gslb_check *c)
{
    c->sni = "s.example";
}
static void set_verify(struct gslb_check *c)
{
    c->verify = false;
}
static void set_ca(struct gslb_check *c)
{
    c->ca_file = "/ca";
}
static void set_http2(struct gslb_check *c)
{
    c->http2 = true;
}
static void set_body(struct gslb_check *c)
{
    c->body = "ok";
}
static void set_header(struct gslb_check *c)
{
    c->header = "A: b";
}
static void set_load_body(struct gslb_check *c)
{
    c->load_body = "load=";
}
static void set_load(struct gslb_check *c)
{
    c->load_header = "Load";
}
static void set_status(struct gslb_check *c)
{
    c->status = ok;
    c->status_count = 1;
}
static void set_status2(struct gslb_check *c)
{
    c->status = other;
    c->status_count = 1;
}
static void set_send(struct gslb_check *c)
{
    c->send = "a\0b";
    c->send_len = 3;
}
static void set_send2(struct gslb_check *c)
{
    c->send = "a\0c";
    c->send_len = 3;
}
static void set_expect(struct gslb_check *c)
{
    c->expect = "";
}
static void set_root(struct gslb_check *c)
{
    c->qname = (const uint8_t *)"";
}
static void set_qname(struct gslb_check *c)
{
    c->qname = (const uint8_t *)"\1a";
}
static void set_qname_up(struct gslb_check *c)
{
    c->qname = (const uint8_t *)"\1A";
}
static void set_qtype(struct gslb_check *c)
{
    c->qtype = 28;
}
static void set_rcode(struct gslb_check *c)
{
    c->rcode = -1;
}
static void set_answer(struct gslb_check *c)
{
    c->answer = "192.0.2.7";
}
static void set_tcp(struct gslb_check *c)
{
    c->tcp = true;
}
static void set_argv(struct gslb_check *c)
{
    c->argv = one;
}
static void set_argv2(struct gslb_check *c)
{
    c->argv = two;
}
static void set_nothing(struct gslb_check *c)
{
    (void)c;
}

static const struct {
    const char *label;
    enum gslb_check_type type;
    void (*a)(struct gslb_check *), (*b)(struct gslb_check *);
    bool same;
} rows[] = {
    {"nothing", GSLB_CHECK_HTTPS, set_nothing, set_nothing, true},
    {"name", GSLB_CHECK_HTTPS, set_name, set_nothing, true},
    {"interval", GSLB_CHECK_HTTPS, set_every, set_nothing, true},
    {"rules", GSLB_CHECK_HTTPS, set_rules, set_nothing, true},
    {"place", GSLB_CHECK_HTTPS, set_place, set_nothing, true},
    {"port said", GSLB_CHECK_HTTPS, set_default_port, set_nothing, true},
    {"port", GSLB_CHECK_HTTPS, set_port, set_nothing, false},
    {"timeout", GSLB_CHECK_HTTPS, set_timeout, set_nothing, false},
    {"address", GSLB_CHECK_ICMP, set_address, set_nothing, false},
    {"source", GSLB_CHECK_ICMP, set_source, set_nothing, false},
    {"reuse", GSLB_CHECK_HTTP, set_reuse, set_nothing, false},
    {"path", GSLB_CHECK_HTTP, set_path, set_nothing, false},
    {"method", GSLB_CHECK_HTTP, set_method, set_nothing, false},
    {"host", GSLB_CHECK_HTTP, set_host, set_nothing, false},
    {"sni of http is nothing", GSLB_CHECK_HTTP, set_sni, set_nothing, true},
    {"sni", GSLB_CHECK_HTTPS, set_sni, set_nothing, false},
    {"verify", GSLB_CHECK_HTTPS, set_verify, set_nothing, false},
    {"ca", GSLB_CHECK_HTTPS, set_ca, set_nothing, false},
    {"http2", GSLB_CHECK_HTTPS, set_http2, set_nothing, false},
    {"body", GSLB_CHECK_HTTP, set_body, set_nothing, false},
    {"header", GSLB_CHECK_HTTP, set_header, set_nothing, false},
    {"load", GSLB_CHECK_HTTP, set_load, set_nothing, false},
    {"load in the body", GSLB_CHECK_HTTP, set_load_body, set_nothing, false},
    {"status", GSLB_CHECK_HTTP, set_status, set_nothing, false},
    {"status range", GSLB_CHECK_HTTP, set_status, set_status2, false},
    {"status same", GSLB_CHECK_HTTP, set_status, set_status, true},
    {"send", GSLB_CHECK_TCP, set_send, set_nothing, false},
    {"send behind a zero", GSLB_CHECK_TCP, set_send, set_send2, false},
    {"expect nothing", GSLB_CHECK_TCP, set_expect, set_nothing, false},
    {"root said", GSLB_CHECK_DNS, set_root, set_nothing, true},
    {"qname", GSLB_CHECK_DNS, set_qname, set_nothing, false},
    {"qname in capitals", GSLB_CHECK_DNS, set_qname, set_qname_up, true},
    {"qtype", GSLB_CHECK_DNS, set_qtype, set_nothing, false},
    {"rcode", GSLB_CHECK_DNS, set_rcode, set_nothing, false},
    {"answer", GSLB_CHECK_DNS, set_answer, set_nothing, false},
    {"tcp", GSLB_CHECK_DNS, set_tcp, set_nothing, false},
    {"argv", GSLB_CHECK_EXEC, set_argv, set_argv2, false},
    {"argv same", GSLB_CHECK_EXEC, set_argv, set_argv, true},
    {"push", GSLB_CHECK_PUSH, set_nothing, set_nothing, false},
    {"none", GSLB_CHECK_NONE, set_port, set_nothing, true},
};

static void test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gslb_check a, b;
        gslb_check_default(&a);
        gslb_check_default(&b);
        a.type = b.type = rows[i].type;
        rows[i].a(&a);
        rows[i].b(&b);
        if (gslb_check_same(&a, &b) != rows[i].same || gslb_check_same(&b, &a) != rows[i].same)
            fail_msg("%s: should be %s", rows[i].label, rows[i].same ? "same" : "different");
        if (!gslb_check_same(&a, &a))
            fail_msg("%s: not the same as itself", rows[i].label);
    }
}

static void test_default(void **state)
{
    struct gslb_check c;
    (void)state;
    gslb_check_default(&c);
    assert_string_equal(c.method, "GET");
    assert_string_equal(c.path, "/");
    assert_true(c.verify);
    assert_int_equal(c.every_ms, 10000);
    assert_int_equal(c.timeout_ms, 2000);
    assert_int_equal(c.rules.fail_after, 3);
    c.type = GSLB_CHECK_HTTPS;
    assert_int_equal(gslb_check_port(&c), 443);
    assert_string_equal(gslb_check_type_name(GSLB_CHECK_HTTPS), "https");
    assert_string_equal(gslb_check_type_name(GSLB_CHECK_TYPES), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_default)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
