/* Why this answer: the document, the page and the line, for one small plan in several states. */
/* folders: gslb authority geo dns base */
#include "gslb/explain.h"

#include "base/arena.h"
#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Three sites; the first has two members of weight 3 and 1. */
static void small_plan(struct made *m)
{
    made_init(m, "fra iad sin", NULL);
    int map = made_map(m, "10.0.0.0/8=fra,iad,sin 10.1.0.0/16=iad! 10.2.0.0/16=sin,fra *=iad,fra");
    struct gslb_pool *fra =
        made_pool(m, "www-fra", "fra", GSLB_WEIGHTED, "192.0.2.1*3 192.0.2.2|2001:db8::2");
    fra->healthy_permille = 500;
    made_pool(m, "www-iad", "iad", GSLB_FAILOVER, "192.0.2.3 -192.0.2.4 192.0.2.5*0");
    made_pool(m, "spare", "", GSLB_ALL, "192.0.2.9");
    struct gslb_name *n = made_name(m, "www.example.", map, "www-fra www-iad");
    n->fallback_pool = 2;
    made_finish(m, NULL);
}

static json_t *explain(struct made *m, const struct gslb_client *c)
{
    int name = gslb_plan_name(m->plan, (const uint8_t *)"\3www\7example");
    assert_true(name >= 0);
    json_t *o = gslb_explain(m->plan, &m->worker, (unsigned)name, DNS_TYPE_A, c, 1000, 1000);
    assert_non_null(o);
    return o;
}

/* "pool/member=STATE ...", a settled one each. */
static void health(struct made *m, const char *text)
{
    char *copy = arena_strdup(&m->plan->arena, text), *rest;
    for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(s, '=');
        *value++ = 0;
        made_health(m, s, value);
    }
}

/* ---- page ---- */

static const struct {
    const char *label, *health, *client, *page;
} pages[] = {
    {"all is up", "", "10.200.0.1",
     "www.example. A\n"
     "client     10.200.0.1 (source address; no client subnet)\n"
     "location   unknown   network n0\n"
     "map map    rule 1 \"network n0\" → fra, iad, sin   network 10.128.0.0/9\n"
     "pool www-fra (fra)   2 of 2 up: weight 4 of 4, needed 50.0 %   usable\n"
     "           ● m0  192.0.2.1  up       weight 3  odds 75 %  given\n"
     "           ● m1  192.0.2.2  up       weight 1  odds 25 %\n"
     "pick       weighted, 1 of 2\n"
     "answer     192.0.2.1   ttl 300 (normal)\n"
     "scope      /0   holds for 10.128.0.0/9   below: 10.64.0.0/10 → fra, iad, sin   above: "
     "11.0.0.0/8 → iad, fra, sin\n"
     "if fra fails: iad    if fra and iad fail: spare    if all fail: last-healthy-then-all\n"},
    {"one of two is down, and less than enough is left", "www-fra/m0=d", "192.0.2.53 10.200.0.0/24",
     "www.example. A\n"
     "client     10.200.0.0/24 (client subnet)\n"
     "location   unknown   network n0\n"
     "map map    rule 1 \"network n0\" → fra, iad, sin   network 10.128.0.0/9\n"
     "site fra   left: less than enough of the weight is available\n"
     "pool www-fra (fra)   1 of 2 up: weight 1 of 4, needed 50.0 %   not usable: less than enough "
     "of the weight is available\n"
     "           ✗ m0  192.0.2.1  down     weight 3\n"
     "           ● m1  192.0.2.2  up       weight 1\n"
     "pool www-iad (iad)   1 of 3 up: weight 1 of 1, needed 0.0 %   usable\n"
     "           ● m0  192.0.2.3  up       weight 1  odds 100 %  given\n"
     "           ✗ m1  192.0.2.4  disabled weight 1  odds 0 %\n"
     "           ● m2  192.0.2.5  up       weight 0  odds 0 %  (weight 0)\n"
     "pick       failover, 1 of 1\n"
     "answer     192.0.2.3   ttl 300 (normal)\n"
     "scope      /9   holds for 10.128.0.0/9   below: 10.64.0.0/10 → fra, iad, sin   above: "
     "11.0.0.0/8 → iad, fra, sin\n"
     "if iad fails: spare    if all fail: last-healthy-then-all\n"},
    {"a fence, and the operator took its member", "www-iad/m0=df2000", "10.1.2.3",
     "www.example. A\n"
     "client     10.1.2.3 (source address; no client subnet)\n"
     "location   unknown   network n1\n"
     "map map    rule 2 \"network n1\" → iad and no other   network 10.1.0.0/16\n"
     "site iad   left: no member is available\n"
     "pool www-iad (iad)   0 of 3 up: weight 0 of 1, needed 0.0 %   not usable: no member is "
     "available\n"
     "           ✗ m0  192.0.2.3  down     weight 1  odds 100 %  given  (forced by an operator)\n"
     "           ✗ m1  192.0.2.4  disabled weight 1  odds 0 %\n"
     "           ● m2  192.0.2.5  up       weight 0  odds 0 %  (weight 0)\n"
     "answer     192.0.2.3   (all is down; policy last-healthy-then-all gives: all)   ttl 30 "
     "(short: a member's health is not settled, or all is down)\n"
     "scope      /0   holds for 10.1.0.0/16   below: 10.0.0.0/16 → fra, iad, sin   above: "
     "10.2.0.0/16 → sin, fra, iad\n"},
    {"nothing is up", "www-fra/m0=d www-fra/m1=d www-iad/m0=d spare/m0=d", "10.200.0.1 0.0.0.0/0",
     "www.example. A\n"
     "client     10.200.0.1 (source address; the client subnet opts out)\n"
     "location   unknown   network n0\n"
     "map map    rule 1 \"network n0\" → fra, iad, sin   network 10.128.0.0/9\n"
     "site fra   left: no member is available\n"
     "site iad   left: no member is available\n"
     "site sin   left: no pool of this name is there\n"
     "pool www-fra (fra)   0 of 2 up: weight 0 of 4, needed 50.0 %   not usable: no member is "
     "available\n"
     "           ✗ m0  192.0.2.1  down     weight 3  odds 100 %  given\n"
     "           ✗ m1  192.0.2.2  down     weight 1  odds 100 %  given\n"
     "pool www-iad (iad)   0 of 3 up: weight 0 of 1, needed 0.0 %   not usable: no member is "
     "available\n"
     "           ✗ m0  192.0.2.3  down     weight 1\n"
     "           ✗ m1  192.0.2.4  disabled weight 1\n"
     "           ● m2  192.0.2.5  up       weight 0  (weight 0)\n"
     "pool spare   0 of 1 up: weight 0 of 1, needed 0.0 %   not usable: no member is available\n"
     "           ✗ m0  192.0.2.9  down     weight 1\n"
     "answer     192.0.2.1, 192.0.2.2   (all is down; policy last-healthy-then-all gives: all)   "
     "ttl 30 (short: a member's health is not settled, or all is down)\n"
     "scope      /0   holds for 10.128.0.0/9   below: 10.64.0.0/10 → fra, iad, sin   above: "
     "11.0.0.0/8 → iad, fra, sin\n"},
    {"the fallback answers, slowly", "www-fra/m0=d www-fra/m1=~d www-iad/m0=d spare/m0=p500?",
     "203.0.113.1",
     "www.example. A\n"
     "client     203.0.113.1 (source address; no client subnet)\n"
     "location   unknown\n"
     "map map    rule 4 \"any\" → iad, fra, sin   network 128.0.0.0/1\n"
     "site iad   left: no member is available\n"
     "site fra   left: no member is available\n"
     "site sin   left: no pool of this name is there\n"
     "pool www-iad (iad)   0 of 3 up: weight 0 of 1, needed 0.0 %   not usable: no member is "
     "available\n"
     "           ✗ m0  192.0.2.3  down     weight 1\n"
     "           ✗ m1  192.0.2.4  disabled weight 1\n"
     "           ● m2  192.0.2.5  up       weight 0  (weight 0)\n"
     "pool www-fra (fra)   0 of 2 up: weight 0 of 4, needed 50.0 %   not usable: no member is "
     "available\n"
     "           ✗ m0  192.0.2.1  down     weight 3\n"
     "           ✗ m1  192.0.2.2  down     weight 1  not settled\n"
     "pool spare   1 of 1 up: weight 1 of 1, needed 0.0 %   usable\n"
     "           ○ m0  192.0.2.9  unknown  weight 1 × 50.0 %  odds 100 %  given  not settled\n"
     "pick       all, 1 of 1\n"
     "answer     192.0.2.9   ttl 30 (short: a member's health is not settled, or all is down)\n"
     "scope      /0   holds for 128.0.0.0/1   below: 64.0.0.0/2 → iad, fra, sin\n"
     "if all fail: last-healthy-then-all\n"},
};

static char *page_of(struct made *m, const char *client)
{
    struct gslb_client c = made_client(client);
    char *text;
    size_t len;
    json_t *o = explain(m, &c);
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    gslb_explain_print(o, f, false);
    fclose(f);
    json_decref(o);
    return text;
}

static void pages_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct made m;
        small_plan(&m);
        health(&m, pages[i].health);
        char *text = page_of(&m, pages[i].client);
        if (strcmp(text, pages[i].page) != 0) {
            fputs(text, stderr); /* longer than cmocka's messages */
            fail_msg("%s", pages[i].label);
        }
        free(text);
        made_fini(&m);
    }
}

/* ---- document ---- */

static void document_is_right(void **state)
{
    (void)state;
    struct made m;
    const char *a, *b, *why, *site, *down;
    double odds;
    int given, number;
    small_plan(&m);
    health(&m, "www-fra/m0=d");
    struct gslb_client c = made_client("192.0.2.53 10.200.0.0/24");
    json_t *o = explain(&m, &c);
    assert_int_equal(json_unpack(o, "{s:{s:s, s:s}, s:[{s:s}]}", "client", "from", &a, "address",
                                 &b, "steps", "step", &why),
                     0);
    assert_string_equal(a, "subnet");
    assert_string_equal(b, "10.200.0.0");
    assert_string_equal(why, "client");
    assert_int_equal(json_unpack(o, "{s:[{s:s, s:[{s:s, s:n}]}, {s:[{s:f, s:b}]}]}", "pools", "why",
                                 &a, "members", "state", &b, "odds", "members", "odds", &odds,
                                 "given", &given),
                     0);
    assert_string_equal(a, "less than enough of the weight is available");
    assert_string_equal(b, "down");
    assert_true(given && odds >= 1 && odds <= 1);
    assert_int_equal(json_unpack(o, "{s:{s:i, s:{s:s}}, s:[{s:s}, {s:s}]}", "answer", "scope",
                                 &number, "above", "network", &a, "then", "site", &site, "all_down",
                                 &down),
                     -1); /* the first has no site: it is the spare pool */
    assert_int_equal(json_unpack(o, "{s:{s:i, s:{s:s}}, s:[{s:s}, {s:s}]}", "answer", "scope",
                                 &number, "above", "network", &a, "then", "pool", &site, "all_down",
                                 &down),
                     0);
    assert_int_equal(number, 9);
    assert_string_equal(a, "11.0.0.0/8");
    assert_string_equal(site, "spare");
    assert_string_equal(down, "last-healthy-then-all");
    json_decref(o);
    made_fini(&m);
}

static void wildcards_stand_for_names(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "fra", NULL);
    made_pool(&m, "p", "", GSLB_ALL, "192.0.2.1");
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_name(&m, "*.cdn.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    int www = gslb_plan_name(m.plan, (const uint8_t *)"\3www\7example"),
        wild = gslb_plan_name(m.plan, (const uint8_t *)"\1*\3cdn\7example");
    assert_int_equal(gslb_explain_name(m.plan, (const uint8_t *)"\3WWW\7example"), www);
    assert_int_equal(gslb_explain_name(m.plan, (const uint8_t *)"\1a\3cdn\7example"), wild);
    assert_int_equal(gslb_explain_name(m.plan, (const uint8_t *)"\1b\1a\3cdn\7example"), wild);
    assert_int_equal(gslb_explain_name(m.plan, (const uint8_t *)"\3cdn\7example"), GSLB_NONE);
    assert_int_equal(gslb_explain_name(m.plan, (const uint8_t *)"\7example"), GSLB_NONE);
    made_fini(&m);
}

/* Asking moves nothing: turns of a round robin stay where they were. */
static void state_stays(void **state)
{
    (void)state;
    struct made m;
    char first[64], second[64];
    made_init(&m, "fra", NULL);
    made_pool(&m, "p", "", GSLB_ROUND_ROBIN, "192.0.2.1 192.0.2.2");
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    struct gslb_client c = made_client("192.0.2.53");
    struct gslb_answer a = made_ask(&m, "www.example.", DNS_TYPE_A, &c, 1000, NULL);
    made_text(&a, first, sizeof first);
    json_decref(explain(&m, &c));
    assert_true(gslb_table_get(m.table, m.plan->pools[0].endpoints[0].slot).up);
    a = made_ask(&m, "www.example.", DNS_TYPE_A, &c, 1000, NULL);
    made_text(&a, second, sizeof second);
    assert_string_equal(first, "192.0.2.1");
    assert_string_equal(second, "192.0.2.2");
    made_fini(&m);
}

/* A weighted site that is not drawn because it is not usable says why. */
static void weighted_sites_say_why(void **state)
{
    (void)state;
    struct made m;
    const char *drawn, *first, *second, *why;
    int weight;
    made_init(&m, "fra iad", NULL);
    int map = made_map(&m, "*=fra:1,iad:1000000");
    made_pool(&m, "www-fra", "fra", GSLB_ALL, "192.0.2.1");
    made_pool(&m, "www-iad", "iad", GSLB_ALL, "192.0.2.2");
    made_name(&m, "www.example.", map, "www-fra www-iad");
    made_finish(&m, NULL);
    health(&m, "www-fra/m0=u www-iad/m0=d");
    struct gslb_client c = made_client("192.0.2.53");
    json_t *o = explain(&m, &c);
    assert_int_equal(json_unpack(o, "{s:{s:s, s:[i], s:[{s:s}, {s:s, s:s}]}}", "map", "drawn",
                                 &drawn, "weights", &weight, "sites", "verdict", &first, "verdict",
                                 &second, "why", &why),
                     0);
    assert_string_equal(drawn, "fra");
    assert_int_equal(weight, 1);
    assert_string_equal(first, "taken");
    assert_string_equal(second, "rejected");
    assert_string_equal(why, "no member is available");
    json_decref(o);
    made_fini(&m);
}

/* ---- line ---- */

static const struct {
    const char *label, *health, *client;
    size_t cap;
    const char *line;
} lines[] = {
    {"all is up", "", "192.0.2.53 10.200.0.0/24", 200,
     "client subnet; map map rule 1 -> fra,iad,sin; pool www-fra 2/2; ttl 300; scope 9"},
    {"cut", "", "192.0.2.53 10.200.0.0/24", 20, "client subnet; map "},
    {"fails over", "www-fra/m0=d", "10.200.0.1", 200,
     "client source; map map rule 1 -> fra,iad,sin; pool www-fra 1/2 not usable; pool www-iad 1/3; "
     "ttl 300; scope 0"},
    {"all down", "www-fra/m0=d www-fra/m1=d www-iad/m0=d spare/m0=d", "10.200.0.1", 400,
     "client source; map map rule 1 -> fra,iad,sin; pool www-fra 0/2 not usable; pool www-iad 0/3 "
     "not usable; fallback; pool spare 0/1 not usable; all down; ttl 30; scope 0"},
};

static void lines_are_right(void **state)
{
    (void)state;
    static struct gslb_log log;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct made m;
        char text[400];
        small_plan(&m);
        health(&m, lines[i].health);
        struct gslb_client c = made_client(lines[i].client);
        struct gslb_answer a = made_ask(&m, "www.example.", DNS_TYPE_A, &c, 1000, &log);
        size_t len = gslb_explain_line(m.plan, &log, &a, text, lines[i].cap);
        if (strcmp(text, lines[i].line) != 0 || len != strlen(text))
            fail_msg("%s: %s", lines[i].label, text);
        made_fini(&m);
    }
}

/* ---- in the answer ---- */

static const struct {
    const char *label, *client;
    bool asks, told;
} askers[] = {
    {"asks, and may know", "127.0.0.1 10.200.0.0/24", true, true},
    {"asks, and may not", "192.0.2.53 10.200.0.0/24", true, false},
    {"may know, and does not ask", "127.0.0.1 10.200.0.0/24", false, false},
};

static void who_may_know_is_told(void **state)
{
    (void)state;
    static struct gslb_decider d;
    struct made m;
    struct net_acl_rule rule = {.allow = true};
    small_plan(&m);
    assert_int_equal(prefix_parse(&rule.prefix, "127.0.0.0/8"), 0);
    m.plan->explain = (struct net_acl){&rule, 1};
    gslb_decider_init(&d, &m.worker);
    d.plan = m.plan;
    for (size_t i = 0; i < sizeof askers / sizeof *askers; i++) {
        struct gslb_client c = made_client(askers[i].client);
        struct dynamic_answer a;
        const uint8_t *owner = (const uint8_t *)"\3www\7example";
        const struct dynamic_ask ask = {.id = (uint32_t)gslb_plan_name(m.plan, owner),
                                        .owner = owner,
                                        .qname = owner,
                                        .qtype = DNS_TYPE_A,
                                        .client = &c.source,
                                        .subnet = &c.subnet,
                                        .explain = askers[i].asks};
        d.dynamic.decide(&d.dynamic, &ask, &a);
        assert_int_equal(a.verdict, DYNAMIC_SET);
        const char *want = askers[i].told ? "client subnet; map map rule 1 -> fra,iad,sin; "
                                            "pool www-fra 2/2; ttl 300; scope 9"
                                          : "";
        if (strcmp(a.why ? a.why : "", want) != 0)
            fail_msg("%s: %s", askers[i].label, a.why ? a.why : "nothing is told");
    }
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_right),           cmocka_unit_test(document_is_right),
        cmocka_unit_test(wildcards_stand_for_names), cmocka_unit_test(state_stays),
        cmocka_unit_test(lines_are_right),           cmocka_unit_test(weighted_sites_say_why),
        cmocka_unit_test(who_may_know_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
