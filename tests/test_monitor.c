/* folders: gslb geo net authority dns base */
/* The monitor over a clock and probes of the test's own: who is asked when, what of it reaches the
 * table, the operator's word, doubt. */
#include "gslb/monitor.h"

#include "asker.h"
#include "base/err.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct bench {
    struct asker asker;
    struct made made;
    struct gslb_monitor *m;
    struct gslb_tally *tally;
    struct diag_list d;
};

static void checks_make(struct made *made, unsigned count)
{
    struct gslb_plan *p = made->plan;
    p->checks = ARENA_ARRAY(&p->arena, struct gslb_check, count);
    p->check_count = count;
    for (unsigned i = 0; i < count; i++) {
        gslb_check_default(&p->checks[i]);
        p->checks[i].name = arena_printf(&p->arena, "c%u", i);
        p->checks[i].type = GSLB_CHECK_TCP;
        p->checks[i].port = 80;
        p->checks[i].jitter_permille = 0;
        p->checks[i].rules.flap_penalty = 0;
    }
}

static void check_use(struct made *made, struct gslb_pool *pool, const char *checks)
{
    for (unsigned i = 0; i < pool->endpoint_count; i++) {
        uint16_t *list = ARENA_ARRAY(&made->plan->arena, uint16_t, strlen(checks));
        for (unsigned k = 0; checks[k]; k++)
            list[k] = (uint16_t)(checks[k] - '0');
        pool->endpoints[i].checks = list;
        pool->endpoints[i].check_count = (unsigned)strlen(checks);
    }
}

static void bench_monitor(struct bench *b)
{
    assert_int_equal(gslb_tally_new(&b->tally), 0);
    const struct gslb_monitor_place place = {.clock = &b->asker.clock,
                                             .asker = &b->asker.asker,
                                             .table = b->made.table,
                                             .seed = 7,
                                             .tallies = &b->tally,
                                             .tally_count = 1};
    diag_init(&b->d);
    assert_int_equal(gslb_monitor_new(&b->m, &place, &b->d), 0);
}

static void bench_plan(struct bench *b, struct made *made)
{
    part_ref(&made->plan->part);
    assert_int_equal(gslb_monitor_plan(b->m, made->plan), 0);
}

static void bench_begin(struct bench *b, const char *members)
{
    asker_init(&b->asker);
    made_init(&b->made, "a b", NULL);
    checks_make(&b->made, 3);
    check_use(&b->made, made_pool(&b->made, "p", "a", GSLB_ALL, members), "0");
}

static void bench_go(struct bench *b)
{
    made_finish(&b->made, NULL);
    bench_monitor(b);
    bench_plan(b, &b->made);
}

static void bench_end(struct bench *b)
{
    gslb_monitor_free(b->m);
    asker_fini(&b->asker);
    gslb_tally_free(b->tally);
    made_fini(&b->made);
    diag_fini(&b->d);
}

static struct gslb_view view(const struct bench *b, const char *member)
{
    char identity[128];
    snprintf(identity, sizeof identity, "member/%s", member);
    uint32_t slot = gslb_table_find(b->made.table, identity);
    assert_int_not_equal(slot, GSLB_NO_SLOT);
    return gslb_table_get(b->made.table, slot);
}

static const char *status_text(const struct bench *b, const char *key)
{
    static char out[64];
    json_t *o = gslb_monitor_status(b->m);
    snprintf(out, sizeof out, "%s", json_is_true(json_object_get(o, key)) ? "true" : "false");
    json_decref(o);
    return out;
}

static int order(struct bench *b, const char *what, enum gslb_force f, uint16_t permille,
                 int64_t for_ms)
{
    unsigned matched;
    return gslb_monitor_order(
        b->m,
        &(struct gslb_order){.what = what, .force = f, .permille = permille, .for_ms = for_ms},
        &matched);
}

/* ---- transitions ---- */

static void test_first_round(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    asker_say(&b.asker, "192.0.2.2", 'f');
    bench_go(&b);
    assert_false(gslb_monitor_ready(b.m));
    assert_true(view(&b, "p/m0").up && !view(&b, "p/m0").known);
    asker_run(&b.asker, b.m, 5);
    assert_true(gslb_monitor_ready(b.m));
    assert_true(view(&b, "p/m0").up && view(&b, "p/m0").known);
    assert_false(view(&b, "p/m1").up);
    assert_true(view(&b, "p/m0").was_up && !view(&b, "p/m1").was_up);
    assert_int_equal(view(&b, "p/m0").rtt_us, 1000);
    bench_end(&b);
}

static const struct detect {
    const char *label;
    uint32_t fail_after, every_ms, hold_ms;
    int64_t most_ms;
} detects[] = {
    {"three at 10 s", 3, 10000, 0, 30002},
    {"one at 1 s", 1, 1000, 0, 1002},
    {"five at 2 s", 5, 2000, 0, 10002},
    {"a hold that is longer", 2, 1000, 15000, 15002},
};

static void test_detection(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(detects); i++) {
        const struct detect *row = &detects[i];
        struct bench b;
        bench_begin(&b, "192.0.2.1 192.0.2.2");
        struct gslb_check *c = b.made.plan->checks;
        c->every_ms = row->every_ms;
        c->jitter_permille = 500; /* never makes it later */
        c->rules.fail_after = row->fail_after;
        c->rules.hold_ms = row->hold_ms;
        asker_say(&b.asker, "192.0.2.1", 'f');
        bench_go(&b);
        asker_run(&b.asker, b.m, 5);
        asker_say(&b.asker, "192.0.2.1", 'p');
        int64_t waited = 0;
        while (!view(&b, "p/m0").up && waited < 60000)
            asker_run(&b.asker, b.m, 1), waited++;
        asker_say(&b.asker, "192.0.2.1", 'f');
        for (waited = 0; view(&b, "p/m0").up && waited < 60000; waited++)
            asker_run(&b.asker, b.m, 1);
        if (waited > row->most_ms)
            fail_msg("%s: seen after %d ms", row->label, (int)waited);
        assert_false(view(&b, "p/m0").up);
        assert_true(view(&b, "p/m1").up);
        bench_end(&b);
    }
}

static void test_evidence(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    bench_go(&b);
    asker_run(&b.asker, b.m, 20000);
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 31000);
    json_t *list = gslb_monitor_events(b.m, 1, 10);
    assert_int_equal(json_array_size(list), 1);
    const json_t *e = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(e, "member")), "p/m0");
    assert_string_equal(json_string_value(json_object_get(e, "check")), "c0");
    assert_string_equal(json_string_value(json_object_get(e, "from")), "up");
    assert_string_equal(json_string_value(json_object_get(e, "to")), "down");
    assert_string_equal(json_string_value(json_object_get(e, "evidence")), "connection refused");
    json_decref(list);
    bench_end(&b);
}

static void test_no_verdict(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    asker_say(&b.asker, "192.0.2.1", 'n');
    asker_run(&b.asker, b.m, 100000);
    assert_true(view(&b, "p/m0").up);
    json_t *o = gslb_monitor_status(b.m);
    assert_int_equal(json_integer_value(json_object_get(o, "prober")), 1);
    json_decref(o);
    bench_end(&b);
}

static void test_not_doubled(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    asker_say(&b.asker, "192.0.2.1", 'h');
    bench_go(&b);
    asker_run(&b.asker, b.m, 100000);
    assert_int_equal(b.asker.started, 1);
    bench_end(&b);
    assert_int_equal(b.asker.cancelled, 1);
}

/* ---- sharing, families ---- */

static void test_shared(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    check_use(&b.made, made_pool(&b.made, "q", "b", GSLB_ALL, "192.0.2.1"), "1");
    b.made.plan->checks[1].rules.fail_after = 1;
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    assert_int_equal(b.asker.started, 1);
    asker_run(&b.asker, b.m, 15000);
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 10001);
    assert_true(view(&b, "p/m0").up); /* rules of its own */
    assert_false(view(&b, "q/m0").up);
    asker_run(&b.asker, b.m, 20001);
    assert_false(view(&b, "p/m0").up);
    bench_end(&b);
}

static const struct combination {
    const char *label, *four, *six;
    enum gslb_combine how;
    bool up;
} combinations[] = {
    {"both addresses pass", "p", "p", GSLB_ALL_OF, true},
    {"IPv4 fails", "f", "p", GSLB_ALL_OF, false},
    {"IPv6 fails, whatever of several checks is wanted", "p", "f", GSLB_ANY_OF, false},
};

static void test_families(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(combinations); i++) {
        const struct combination *row = &combinations[i];
        struct bench b;
        bench_begin(&b, "192.0.2.1|2001:db8::1");
        b.made.plan->pools[0].endpoints[0].combine = row->how;
        asker_say(&b.asker, "192.0.2.1", *row->four);
        asker_say(&b.asker, "2001:db8::1", *row->six);
        bench_go(&b);
        asker_run(&b.asker, b.m, 10);
        assert_int_equal(b.asker.started, 2);
        if (view(&b, "p/m0").up != row->up)
            fail_msg("%s", row->label);
        bench_end(&b);
    }
}

/* ---- the operator's word ---- */

static const struct precedence {
    const char *label;
    const char *orders; /* "what=permille", in order of time */
    unsigned permille;  /* of p/m0, with check c0 at site a */
} precedences[] = {
    {"one", "p/m0=500", 500},
    {"site beats check", "site:a=200 check:c0=300", 200},
    {"pool beats site", "p=400 site:a=200", 400},
    {"member beats pool", "p/m0=500 p=400", 500},
    {"a member's glob beats an exact pool", "*/m0=500 p=400", 500},
    {"the longer pattern", "p/m*=500 */m*=400", 500},
    {"exact beats a glob of as many letters", "p/m0=500 p/m0*=400", 500},
    {"the newest of equal ones", "p/m?=500 p/m*=400", 400},
    {"said again", "p/m0=500 p/m0=600", 600},
    {"another member's", "p/m1=500", 1000},
    {"a set of letters", "p/m[01]=300", 300},
    {"lifted: the lesser one holds", "p=400 p/m0=500 p/m0=none", 400},
};

static void test_precedence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(precedences); i++) {
        const struct precedence *row = &precedences[i];
        struct bench b;
        char text[128], *rest;
        bench_begin(&b, "192.0.2.1 192.0.2.2");
        bench_go(&b);
        asker_run(&b.asker, b.m, 10);
        snprintf(text, sizeof text, "%s", row->orders);
        for (char *s = strtok_r(text, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
            char *number = strchr(s, '=');
            *number++ = 0;
            bool lift = *number == 'n';
            int err = order(&b, s, lift ? GSLB_FORCE_NONE : GSLB_FORCE_WEIGHT,
                            (uint16_t)strtoul(number, NULL, 10), 0);
            if (err)
                fail_msg("%s: %s: %s", row->label, s, err_name(err));
        }
        if (view(&b, "p/m0").permille != row->permille)
            fail_msg("%s: %u", row->label, view(&b, "p/m0").permille);
        bench_end(&b);
    }
}

static void test_order_errors(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    bench_go(&b);
    assert_int_equal(order(&b, "nobody", GSLB_FORCE_DOWN, 0, 0), ERR_NOT_FOUND);
    assert_int_equal(order(&b, "p/m0", GSLB_FORCE_NONE, 0, 0), ERR_NOT_FOUND);
    assert_int_equal(order(&b, "p/m0", GSLB_FORCE_WEIGHT, 1001, 0), ERR_RANGE);
    assert_int_equal(order(&b, "p/m0", GSLB_FORCE_UP, 0, -1), ERR_RANGE);
    assert_int_equal(order(&b, "", GSLB_FORCE_UP, 0, 0), ERR_RANGE);
    bench_end(&b);
}

static void test_expiry(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1");
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    assert_int_equal(order(&b, "p", GSLB_FORCE_WEIGHT, 300, 0), 0);
    assert_int_equal(order(&b, "p/m0", GSLB_FORCE_DOWN, 0, 60000), 0);
    assert_false(view(&b, "p/m0").up);
    assert_int_equal(view(&b, "p/m0").until_s, b.asker.mono_us / 1000000 + 60);
    asker_run(&b.asker, b.m, 59999);
    assert_false(view(&b, "p/m0").up);
    asker_run(&b.asker, b.m, 2);
    assert_true(view(&b, "p/m0").up);
    assert_int_equal(view(&b, "p/m0").permille, 300);
    json_t *orders = gslb_monitor_orders(b.m);
    assert_int_equal(json_array_size(orders), 1);
    json_decref(orders);
    bench_end(&b);
}

static void test_drain(void **state)
{
    (void)state;
    struct bench b;
    unsigned matched;
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    const struct gslb_order drain = {.what = "p/m0", .force = GSLB_FORCE_DRAIN, .drain_ms = 10000};
    assert_int_equal(gslb_monitor_order(b.m, &drain, &matched), 0);
    assert_int_equal(matched, 1);
    asker_run(&b.asker, b.m, 5000);
    assert_in_range(view(&b, "p/m0").permille, 450, 550);
    uint32_t now_s = (uint32_t)(b.asker.mono_us / 1000000);
    gslb_tally_note(b.tally, view(&b, "p/m0").up ? b.made.plan->pools[0].endpoints[0].slot : 0,
                    now_s, 300);
    asker_run(&b.asker, b.m, 5000);
    assert_false(view(&b, "p/m0").up);
    json_t *o = gslb_monitor_status(b.m);
    const json_t *pool = json_array_get(json_object_get(o, "pools"), 0);
    const json_t *mb = json_array_get(json_object_get(pool, "members"), 0);
    int64_t safe = json_integer_value(json_object_get(mb, "safe_after"));
    int64_t expected = b.asker.wall_us / 1000 + 295000;
    assert_in_range(safe, expected - 1000, expected + 1000);
    json_decref(o);
    bench_end(&b);
}

/* ---- pools and names ---- */

static void test_last_healthy(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3");
    check_use(&b.made, made_pool(&b.made, "q", "b", GSLB_ALL, "192.0.2.4"), "0");
    made_name(&b.made, "www.example.", GSLB_NONE, "p q");
    asker_say(&b.asker, "192.0.2.3", 'f');
    bench_go(&b);
    asker_run(&b.asker, b.m, 1000);
    uint32_t second, slot = gslb_table_find(b.made.table, "name/www.example.");
    assert_int_equal(gslb_table_last(b.made.table, slot, &second), b.made.plan->pools[0].slot);
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_say(&b.asker, "192.0.2.2", 'f');
    asker_run(&b.asker, b.m, 41000);
    /* All are down: who was up last does not change any more. */
    assert_false(view(&b, "p/m0").up || view(&b, "p/m1").up);
    assert_true(view(&b, "p/m0").was_up != view(&b, "p/m1").was_up);
    assert_false(view(&b, "p/m2").was_up);
    assert_int_equal(gslb_table_last(b.made.table, slot, &second), b.made.plan->pools[1].slot);
    asker_say(&b.asker, "192.0.2.4", 'f');
    asker_run(&b.asker, b.m, 41000);
    assert_false(view(&b, "q/m0").up);
    assert_true(view(&b, "q/m0").was_up);
    assert_int_equal(gslb_table_last(b.made.table, slot, &second), b.made.plan->pools[1].slot);
    uint32_t gone = second;
    asker_run(&b.asker, b.m, 100000);
    gslb_table_last(b.made.table, slot, &second);
    assert_int_equal(second, gone);
    bench_end(&b);
}

static void test_over(void **state)
{
    (void)state;
    struct bench b;
    asker_init(&b.asker);
    made_init(&b.made, "a", NULL);
    checks_make(&b.made, 1);
    struct gslb_pool *pool =
        made_pool(&b.made, "p", "a", GSLB_CONSISTENT, "192.0.2.1*3 192.0.2.2*1");
    pool->bound_permille = 1250;
    bench_go(&b);
    const uint32_t slot[2] = {pool->endpoints[0].slot, pool->endpoints[1].slot};
    /* 75 of 100 is m0's share, 93 its bound; 25 m1's, 31 its bound. */
    for (int s = 0; s < 12; s++) {
        for (int i = 0; i < 100; i++)
            gslb_tally_note(b.tally, slot[i < 32], 5000, 60);
        asker_run(&b.asker, b.m, 1000);
    }
    assert_true(view(&b, "p/m1").over);
    assert_false(view(&b, "p/m0").over);
    for (int s = 0; s < 12; s++) {
        for (int i = 0; i < 100; i++)
            gslb_tally_note(b.tally, slot[i < 30], 5000, 60);
        asker_run(&b.asker, b.m, 1000);
    }
    assert_false(view(&b, "p/m1").over);
    bench_end(&b);
}

/* ---- doubt ---- */

static void test_doubt(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    b.made.plan->doubt =
        (struct gslb_doubt){.share_permille = 750, .targets_min = 4, .window_ms = 20000};
    bench_go(&b);
    asker_run(&b.asker, b.m, 15000);
    asker_say(&b.asker, "*", 'f');
    asker_run(&b.asker, b.m, 200000);
    assert_string_equal(status_text(&b, "frozen"), "true");
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "p/m%d", i);
        assert_true(view(&b, name).up);
    }
    asker_say(&b.asker, "*", 'p');
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 41000);
    assert_string_equal(status_text(&b, "frozen"), "false");
    assert_false(view(&b, "p/m0").up); /* what is really down is seen then */
    assert_true(view(&b, "p/m1").up);
    bench_end(&b);
}

/* Each member has a port that is closed for good beside one that is open: nothing turns. */
static void test_no_doubt(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    check_use(&b.made, &b.made.plan->pools[0], "01");
    b.made.plan->checks[1].port = 81;
    b.made.plan->doubt =
        (struct gslb_doubt){.share_permille = 500, .targets_min = 4, .window_ms = 20000};
    b.asker.closed_port = 81;
    bench_go(&b);
    for (int i = 0; i < 20; i++) {
        asker_run(&b.asker, b.m, 2500);
        assert_string_equal(status_text(&b, "frozen"), "false");
    }
    assert_false(view(&b, "p/m0").up);
    bench_end(&b);
}

static void test_references(void **state)
{
    (void)state;
    struct bench b;
    static const uint16_t checks[] = {2};
    struct addr at[1];
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    assert_int_equal(addr_parse(&at[0], "198.51.100.1", 0), 0);
    b.made.plan->doubt =
        (struct gslb_doubt){.references = checks, .reference_count = 1, .reference_address = at};
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    asker_say(&b.asker, "198.51.100.1", 'f');
    asker_run(&b.asker, b.m, 12000);
    assert_string_equal(status_text(&b, "frozen"), "true");
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 60000);
    assert_true(view(&b, "p/m0").up);
    asker_say(&b.asker, "198.51.100.1", 'p');
    asker_run(&b.asker, b.m, 50000);
    assert_string_equal(status_text(&b, "frozen"), "false");
    assert_false(view(&b, "p/m0").up);
    bench_end(&b);
}

static void test_withdraw(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    b.made.plan->doubt = (struct gslb_doubt){.withdraw_permille = 500};
    bench_go(&b);
    asker_run(&b.asker, b.m, 15000);
    asker_say(&b.asker, "*", 'f');
    asker_run(&b.asker, b.m, 45000);
    unsigned up = 0;
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "p/m%d", i);
        up += view(&b, name).up;
    }
    assert_int_equal(up, 2);
    /* The operator's word is not counted. */
    assert_int_equal(order(&b, "p", GSLB_FORCE_DOWN, 0, 0), 0);
    assert_false(view(&b, "p/m0").up || view(&b, "p/m1").up || view(&b, "p/m2").up ||
                 view(&b, "p/m3").up);
    assert_int_equal(order(&b, "p", GSLB_FORCE_NONE, 0, 0), 0);
    asker_run(&b.asker, b.m, 62000);
    assert_false(view(&b, "p/m0").up || view(&b, "p/m1").up || view(&b, "p/m2").up ||
                 view(&b, "p/m3").up);
    bench_end(&b);
}

/* ---- pushed ---- */

static void test_push(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    struct gslb_check *c = b.made.plan->checks;
    c->type = GSLB_CHECK_PUSH;
    c->timeout_ms = 5000;
    c->rules.fail_after = c->rules.pass_after = 1;
    bench_go(&b);
    assert_true(gslb_monitor_ready(b.m));
    assert_int_equal(gslb_monitor_push(b.m, "p/m0", NULL, GSLB_PASS, "fine"), 0);
    assert_int_equal(gslb_monitor_push(b.m, "p/m9", NULL, GSLB_PASS, "fine"), ERR_NOT_FOUND);
    assert_int_equal(gslb_monitor_push(b.m, "p/m0", "c7", GSLB_PASS, "fine"), ERR_NOT_FOUND);
    assert_true(view(&b, "p/m0").known);
    assert_false(view(&b, "p/m1").known); /* each member's own */
    asker_run(&b.asker, b.m, 4000);
    assert_int_equal(gslb_monitor_push(b.m, "p/m0", "c0", GSLB_PASS, NULL), 0);
    asker_run(&b.asker, b.m, 4000);
    assert_true(view(&b, "p/m0").up);
    assert_false(view(&b, "p/m1").up);
    asker_run(&b.asker, b.m, 1100);
    assert_false(view(&b, "p/m0").up);
    assert_int_equal(b.asker.started, 0);
    bench_end(&b);
}

static void test_load(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    bench_go(&b);
    asker_result(&b.asker, "192.0.2.2")->has_load = true;
    asker_result(&b.asker, "192.0.2.2")->load = 42;
    asker_run(&b.asker, b.m, 10);
    assert_int_equal(gslb_monitor_load(b.m, "p/m0", 7), 0);
    assert_int_equal(gslb_monitor_load(b.m, "p/m0", 1000001), ERR_RANGE);
    assert_true(view(&b, "p/m0").has_load && view(&b, "p/m0").load == 7);
    assert_true(view(&b, "p/m1").has_load && view(&b, "p/m1").load == 42);
    asker_result(&b.asker, "192.0.2.2")->has_load = false;
    asker_run(&b.asker, b.m, 25000);
    assert_true(view(&b, "p/m1").has_load);
    asker_run(&b.asker, b.m, 16000);
    assert_false(view(&b, "p/m1").has_load);
    assert_true(view(&b, "p/m0").has_load);
    asker_run(&b.asker, b.m, 21000);
    assert_false(view(&b, "p/m0").has_load);
    bench_end(&b);
}

static void test_resume(void **state)
{
    (void)state;
    struct bench b;
    unsigned matched;
    bench_begin(&b, "192.0.2.1");
    b.made.plan->checks[0].rules.manual_resume = true;
    asker_say(&b.asker, "192.0.2.1", 'f');
    bench_go(&b);
    asker_run(&b.asker, b.m, 10);
    asker_say(&b.asker, "192.0.2.1", 'p');
    asker_run(&b.asker, b.m, 60000);
    assert_false(view(&b, "p/m0").up);
    assert_int_equal(gslb_monitor_resume(b.m, "nobody", &matched), ERR_NOT_FOUND);
    assert_int_equal(gslb_monitor_resume(b.m, "p/*", &matched), 0);
    assert_int_equal(matched, 1);
    assert_true(view(&b, "p/m0").up);
    bench_end(&b);
}

/* ---- reload ---- */

static void reload(bool prepared)
{
    struct bench b;
    struct made next;
    bench_begin(&b, "192.0.2.1 192.0.2.2");
    asker_say(&b.asker, "192.0.2.1", 'f');
    bench_go(&b);
    asker_run(&b.asker, b.m, 10005);
    assert_int_equal(order(&b, "p/m1", GSLB_FORCE_WEIGHT, 300, 0), 0);
    unsigned started = b.asker.started;
    asker_say(&b.asker, "192.0.2.2", 'h');
    asker_run(&b.asker, b.m, 10000);
    assert_true(b.asker.started > started);
    started = b.asker.started;

    made_init(&next, "a b", &b.made);
    checks_make(&next, 3);
    next.plan->checks[0].rules.fail_after = 7; /* rules change, the question stays */
    check_use(&next, made_pool(&next, "p", "a", GSLB_ALL, "192.0.2.1 192.0.2.2 192.0.2.3"), "0");
    assert_int_equal(gslb_plan_finish(next.plan, b.made.plan, next.table, 1, &next.diags), 0);
    if (prepared)
        gslb_monitor_prepare(next.plan);
    assert_int_equal(next.plan->room.at != NULL, prepared);
    bench_plan(&b, &next);
    assert_null(next.plan->room.at); /* it is the monitor's */
    assert_int_equal(b.asker.cancelled, 0);
    assert_false(view(&b, "p/m0").up);
    assert_int_equal(view(&b, "p/m1").permille, 300);
    assert_false(gslb_monitor_ready(b.m)); /* the new one */
    asker_run(&b.asker, b.m, 3);
    assert_true(gslb_monitor_ready(b.m));
    assert_int_equal(b.asker.started, started + 1);

    assert_int_equal(gslb_monitor_plan(b.m, NULL), 0);
    assert_int_equal(b.asker.cancelled, 1);
    asker_run(&b.asker, b.m, 60000);
    made_fini(&next);
    bench_end(&b);
}

static void test_reload(void **state)
{
    (void)state;
    reload(false);
    reload(true);
}

/* ---- many ---- */

static void test_many(void **state)
{
    (void)state;
    struct bench b;
    enum { POOLS = 20, EACH = 1000 };
    asker_init(&b.asker);
    b.asker.takes_ms = 20;
    made_init(&b.made, "a", NULL);
    checks_make(&b.made, 1);
    b.made.plan->checks[0].jitter_permille = 100;
    for (unsigned i = 0; i < POOLS; i++) {
        char *text = arena_alloc(&b.made.plan->arena, EACH * 16), *at = text;
        for (unsigned k = 0; k < EACH; k++)
            at += sprintf(at, "%s10.%u.%u.%u", k ? " " : "", i, k / 250, k % 250);
        check_use(
            &b.made,
            made_pool(&b.made, arena_printf(&b.made.plan->arena, "p%u", i), "a", GSLB_ALL, text),
            "0");
    }
    bench_go(&b);
    asker_run(&b.asker, b.m, 2000);
    assert_true(gslb_monitor_ready(b.m));
    b.asker.started = 0;
    int64_t longest = asker_run(&b.asker, b.m, 5000);
    print_message("longest turn %d us, %u probes\n", (int)longest, b.asker.started);
    assert_in_range(b.asker.started, 8000, 14000);
    asker_say(&b.asker, "*", 'f');
    longest = asker_run(&b.asker, b.m, 40000);
    print_message("longest turn %d us while all go down\n", (int)longest);
    assert_false(view(&b, "p7/m99").up);
    int64_t from = clock_mono_us(clock_system());
    bench_plan(&b, &b.made);
    print_message("same plan again: %d us\n", (int)(clock_mono_us(clock_system()) - from));
    assert_false(view(&b, "p7/m99").up);
    gslb_monitor_prepare(b.made.plan);
    from = clock_mono_us(clock_system());
    bench_plan(&b, &b.made);
    print_message("prepared: %d us\n", (int)(clock_mono_us(clock_system()) - from));
    assert_false(view(&b, "p7/m99").up);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_round),  cmocka_unit_test(test_detection),
        cmocka_unit_test(test_evidence),     cmocka_unit_test(test_no_verdict),
        cmocka_unit_test(test_not_doubled),  cmocka_unit_test(test_shared),
        cmocka_unit_test(test_families),     cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_order_errors), cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_drain),        cmocka_unit_test(test_last_healthy),
        cmocka_unit_test(test_over),         cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_no_doubt),     cmocka_unit_test(test_references),
        cmocka_unit_test(test_withdraw),     cmocka_unit_test(test_push),
        cmocka_unit_test(test_load),         cmocka_unit_test(test_resume),
        cmocka_unit_test(test_reload),       cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
