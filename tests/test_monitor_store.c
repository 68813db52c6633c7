/* folders: gslb geo net authority dns base */
/* What a monitor keeps: states with their age, orders, last healthy names; files that are damaged,
 * a disk that is full. */
#include "gslb/monitor.h"

#include "asker.h"
#include "base/err.h"
#include "plans.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct asker asker;
    struct made made;
    struct gslb_monitor *m;
    char folder[64], state[96], orders[112], events[96];
    struct late *late; /* writes the states; NULL: the monitor does */
};

/* A helper that does nothing until it is told to. */
struct late {
    struct gslb_helper helper; /* first */
    void (*work)(void *), (*done)(void *);
    void *arg;
    unsigned begun;
    bool refuses;
};

static int late_run(struct gslb_helper *h, void (*work)(void *), void (*done)(void *), void *arg)
{
    struct late *l = (struct late *)(void *)h;
    if (l->refuses)
        return ERR_NOMEM;
    assert_null(l->arg);
    l->work = work;
    l->done = done;
    l->arg = arg;
    l->begun++;
    return 0;
}

static void late_finish(struct gslb_helper *h)
{
    struct late *l = (struct late *)(void *)h;
    void *arg = l->arg;
    if (!arg)
        return;
    l->work(arg);
    l->arg = NULL;
    l->done(arg);
}

static char *file_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    *len = fread(text, 1, 65535, f);
    fclose(f);
    return text;
}

static void file_write(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static void plan_make(struct bench *b, const char *members)
{
    made_init(&b->made, "a", NULL);
    struct gslb_plan *p = b->made.plan;
    p->checks = ARENA_NEW(&p->arena, struct gslb_check);
    p->check_count = 1;
    gslb_check_default(p->checks);
    p->checks->name = "c 0%"; /* to be escaped */
    p->checks->type = GSLB_CHECK_TCP;
    p->checks->port = 80;
    p->checks->jitter_permille = 0;
    p->checks->rules.slow_start_ms = 100000;
    struct gslb_pool *pool = made_pool(&b->made, "p", "a", GSLB_ALL, members);
    static const uint16_t checks[] = {0};
    for (unsigned i = 0; i < pool->endpoint_count; i++) {
        pool->endpoints[i].checks = checks;
        pool->endpoints[i].check_count = 1;
    }
    made_name(&b->made, "www.example.", GSLB_NONE, "p");
    assert_int_equal(gslb_plan_finish(p, NULL, b->made.table, 1, &b->made.diags), 0);
}

/* As a process that begins: a table of its own. Returns warnings of reading. */
static unsigned monitor_begin(struct bench *b, const char *members)
{
    struct diag_list d;
    diag_init(&d);
    plan_make(b, members);
    const struct gslb_monitor_place place = {.clock = &b->asker.clock,
                                             .asker = &b->asker.asker,
                                             .helper = b->late ? &b->late->helper : NULL,
                                             .table = b->made.table,
                                             .state = b->state,
                                             .events = b->events};
    int err = gslb_monitor_new(&b->m, &place, &d);
    unsigned warnings = d.warnings;
    if (err)
        diag_print(&d, stderr, 0);
    diag_fini(&d);
    assert_int_equal(err, 0);
    part_ref(&b->made.plan->part);
    assert_int_equal(gslb_monitor_plan(b->m, b->made.plan), 0);
    return warnings;
}

static void monitor_end(struct bench *b)
{
    gslb_monitor_free(b->m);
    made_fini(&b->made);
}

static void bench_begin(struct bench *b)
{
    asker_init(&b->asker);
    strcpy(b->folder, "/tmp/waypost-monitor-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->state, sizeof b->state, "%s/state", b->folder);
    snprintf(b->orders, sizeof b->orders, "%s.orders", b->state);
    snprintf(b->events, sizeof b->events, "%s/events", b->folder);
}

static void bench_end(struct bench *b)
{
    static const char *const endings[] = {
        "state",  "state.orders", "state.bad", "state.orders.bad",
        "events", "events.1",     "state.new", "state.orders.new"};
    asker_fini(&b->asker);
    for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", b->folder, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(b->folder), 0);
}

/* The process is away, both clocks go on, or (a new boot) the monotonic one begins again. */
static void away(struct bench *b, int64_t ms, bool boot)
{
    b->asker.wall_us += ms * 1000;
    b->asker.mono_us = boot ? 3600000000 : b->asker.mono_us + ms * 1000;
}

static struct gslb_view view(const struct bench *b, const char *member)
{
    char identity[64];
    snprintf(identity, sizeof identity, "member/p/%s", member);
    return gslb_table_get(b->made.table, gslb_table_find(b->made.table, identity));
}

static int force(struct bench *b, const char *what, enum gslb_force f, int64_t for_ms)
{
    unsigned matched;
    return gslb_monitor_order(
        b->m, &(struct gslb_order){.what = what, .force = f, .for_ms = for_ms, .note = "a note"},
        &matched);
}

/* m0 fails, m1 came up a moment ago and is in slow start, m2 is well. */
static void story(struct bench *b)
{
    asker_say(&b->asker, "192.0.2.1", 'f');
    asker_say(&b->asker, "192.0.2.2", 'f');
    monitor_begin(b, "192.0.2.1 192.0.2.2 192.0.2.3");
    asker_run(&b->asker, b->m, 12000);
    asker_say(&b->asker, "192.0.2.2", 'p');
    asker_run(&b->asker, b->m, 20000);
    assert_true(view(b, "m1").up);
}

static void test_restore(void **state)
{
    (void)state;
    for (int boot = 0; boot < 2; boot++) {
        struct bench b = {0};
        bench_begin(&b);
        story(&b);
        uint16_t slow = view(&b, "m1").permille;
        assert_in_range(slow, 100, 400);
        assert_int_equal(force(&b, "p/m2", GSLB_FORCE_DOWN, 600000), 0);
        monitor_end(&b);
        away(&b, 20000, boot);
        asker_say(&b.asker, "*", 'h');
        asker_say(&b.asker, "192.0.2.1", 'h');
        asker_say(&b.asker, "192.0.2.2", 'h');
        assert_int_equal(monitor_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3"), 0);
        assert_true(view(&b, "m0").known && !view(&b, "m0").up);
        assert_true(view(&b, "m1").up);
        assert_in_range(view(&b, "m1").permille, slow + 150, slow + 250); /* as old as it is */
        assert_true(view(&b, "m2").forced && !view(&b, "m2").up);
        uint32_t left = view(&b, "m2").until_s - (uint32_t)(b.asker.mono_us / 1000000);
        assert_in_range(left, 578, 581);
        json_t *orders = gslb_monitor_orders(b.m);
        assert_string_equal(json_string_value(json_object_get(json_array_get(orders, 0), "note")),
                            "a note");
        json_decref(orders);
        asker_run(&b.asker, b.m, 581000);
        assert_true(view(&b, "m2").up);
        monitor_end(&b);
        bench_end(&b);
    }
}

static void test_last_healthy(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int64_t away_ms;
        bool there;
    } rows[] = {{"half an hour", 1800000, true}, {"two hours", 7200000, false}};
    for (unsigned i = 0; i < 2; i++) {
        struct bench b = {0};
        bench_begin(&b);
        story(&b);
        asker_say(&b.asker, "*", 'f');
        asker_say(&b.asker, "192.0.2.2", 'f');
        asker_run(&b.asker, b.m, 60000);
        assert_false(view(&b, "m2").up);
        bool was[2] = {view(&b, "m1").was_up, view(&b, "m2").was_up};
        assert_true(was[0] || was[1]);
        monitor_end(&b);
        away(&b, rows[i].away_ms, false);
        monitor_begin(&b, "192.0.2.1 192.0.2.2 192.0.2.3");
        asker_run(&b.asker, b.m, 1000);
        assert_true(view(&b, "m1").was_up == was[0] && view(&b, "m2").was_up == was[1]);
        uint32_t second, slot = gslb_table_find(b.made.table, "name/www.example.");
        assert_int_not_equal(slot, GSLB_NO_SLOT);
        if ((gslb_table_last(b.made.table, slot, &second) != GSLB_NO_SLOT) != rows[i].there)
            fail_msg("%s", rows[i].label);
        monitor_end(&b);
        bench_end(&b);
    }
}

/* A member that the plan does not have for a while. */
static void test_unknown_identity(void **state)
{
    (void)state;
    for (int days = 0; days < 2; days++) {
        struct bench b = {0};
        bench_begin(&b);
        story(&b);
        monitor_end(&b);
        asker_say(&b.asker, "192.0.2.1", 'h');
        monitor_begin(&b, "192.0.2.9");
        asker_run(&b.asker, b.m, 1000);
        monitor_end(&b);
        away(&b, 3600000 + days * INT64_C(86400000), false);
        monitor_begin(&b, "192.0.2.1");
        assert_int_equal(view(&b, "m0").known, !days);
        monitor_end(&b);
        bench_end(&b);
    }
}

/* ---- damage ---- */

static bool exists(const char *path, const char *ending)
{
    char full[160];
    snprintf(full, sizeof full, "%s%s", path, ending);
    bool there = !access(full, F_OK);
    unlink(full);
    return there;
}

static void damage_check(struct bench *b, const char *path, const char *text, size_t len,
                         const char *label, size_t at)
{
    struct diag_list d;
    struct gslb_monitor *m;
    diag_init(&d);
    file_write(path, text, len);
    const struct gslb_monitor_place place = {
        .clock = &b->asker.clock, .asker = &b->asker.asker, .state = b->state};
    assert_int_equal(gslb_monitor_new(&m, &place, &d), 0);
    gslb_monitor_free(m);
    unsigned warnings = d.warnings;
    diag_fini(&d);
    if (warnings != 1 || !exists(path, ".bad"))
        fail_msg("%s %s at %zu: %u warnings", path, label, at, warnings);
}

static void test_damaged(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct bench b = {0};
        size_t len;
        bench_begin(&b);
        story(&b);
        assert_int_equal(force(&b, "p/m2", GSLB_FORCE_DOWN, 0), 0);
        monitor_end(&b);
        const char *path = which ? b.orders : b.state;
        char *good = file_read(path, &len), *bad = malloc(len);
        for (size_t i = 0; i < len; i++)
            damage_check(&b, path, good, i, "cut", i);
        for (size_t i = 0; i < len; i++) {
            memcpy(bad, good, len);
            bad[i] = (char)(bad[i] ^ 1 << i % 8);
            damage_check(&b, path, bad, len, "bit", i);
        }
        free(good);
        free(bad);
        bench_end(&b);
    }
}

/* ---- no room, no right ---- */

static void test_full(void **state)
{
    (void)state;
    struct bench b = {0};
    size_t before, after;
    struct rlimit was, none;
    bench_begin(&b);
    story(&b);
    assert_int_equal(force(&b, "p/m2", GSLB_FORCE_DOWN, 0), 0);
    char *old = file_read(b.orders, &before);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    none = was;
    none.rlim_cur = 16;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int err = force(&b, "p/m0", GSLB_FORCE_UP, 0);
    int lift = force(&b, "p/m2", GSLB_FORCE_NONE, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_true(err == ERR_FULL || err == ERR_IO);
    assert_true(lift == ERR_FULL || lift == ERR_IO);
    assert_false(view(&b, "m0").forced);
    assert_true(view(&b, "m2").forced);
    char *now = file_read(b.orders, &after);
    assert_int_equal(before, after);
    assert_memory_equal(old, now, before);
    free(old);
    free(now);
    assert_int_equal(force(&b, "p/m0", GSLB_FORCE_UP, 0), 0);
    monitor_end(&b);
    bench_end(&b);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_begin(&b);
    plan_make(&b, "192.0.2.1");
    struct diag_list d;
    diag_init(&d);
    char path[160];
    snprintf(path, sizeof path, "%s/nowhere/state", b.folder);
    const struct gslb_monitor_place place = {
        .clock = &b.asker.clock, .asker = &b.asker.asker, .table = b.made.table, .state = path};
    assert_int_equal(gslb_monitor_new(&b.m, &place, &d), ERR_IO);
    assert_int_equal(d.errors, 1);
    diag_fini(&d);
    made_fini(&b.made);
    bench_end(&b);
}

/* The folder goes away under a monitor that runs: an error each time, and nothing changes. */
static void test_folder_gone(void **state)
{
    (void)state;
    struct bench b = {0};
    char moved[96];
    bench_begin(&b);
    story(&b);
    snprintf(moved, sizeof moved, "%s-moved", b.folder);
    assert_int_equal(rename(b.folder, moved), 0);
    assert_int_equal(force(&b, "p/m0", GSLB_FORCE_UP, 0), ERR_IO);
    assert_false(view(&b, "m0").forced);
    asker_run(&b.asker, b.m, 5000);
    assert_int_equal(rename(moved, b.folder), 0);
    assert_int_equal(force(&b, "p/m0", GSLB_FORCE_UP, 0), 0);
    monitor_end(&b);
    bench_end(&b);
}

/* ---- events ---- */

static void test_events_file(void **state)
{
    (void)state;
    struct bench b = {0};
    char moved[112];
    size_t len;
    bench_begin(&b);
    story(&b);
    snprintf(moved, sizeof moved, "%s.1", b.events);
    assert_int_equal(rename(b.events, moved), 0);
    asker_run(&b.asker, b.m, 1100);
    assert_int_equal(force(&b, "p/m2", GSLB_FORCE_DOWN, 0), 0);
    char *text = file_read(b.events, &len);
    json_t *o = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "to")), "down");
    assert_string_equal(json_string_value(json_object_get(o, "why")), "order");
    json_decref(o);
    free(text);
    monitor_end(&b);
    bench_end(&b);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* States are printed in slices and written by the helper, one file at a time; what changes
 * meanwhile is in the next one; at the end all is there. */
static void test_helper(void **state)
{
    (void)state;
    struct late late = {.helper = {late_run, late_finish}};
    struct bench b = {.late = &late};
    bench_begin(&b);
    monitor_begin(&b, "192.0.2.1 192.0.2.2");
    unsigned slices = 0;
    b.asker.mono_us += 1000000;
    b.asker.wall_us += 1000000;
    while (gslb_monitor_turn(b.m) == 0 && slices < 100)
        slices++;
    assert_in_range(slices, 2, 99);
    assert_int_equal(late.begun, 1);
    assert_false(is_there(b.state));
    asker_run(&b.asker, b.m, 5000); /* results: there is more to save, and it waits */
    assert_int_equal(late.begun, 1);
    late_finish(&late.helper);
    assert_true(is_there(b.state));
    unlink(b.state);
    asker_run(&b.asker, b.m, 3000);
    assert_int_equal(late.begun, 2);
    late_finish(&late.helper);
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 60000);
    late.refuses = true; /* then a turn writes it */
    late_finish(&late.helper);
    unlink(b.state);
    asker_say(&b.asker, "192.0.2.1", 'p');
    asker_run(&b.asker, b.m, 60000);
    assert_true(is_there(b.state));
    late.refuses = false;
    asker_say(&b.asker, "192.0.2.1", 'f');
    asker_run(&b.asker, b.m, 60000);
    assert_non_null(late.arg); /* under way at the end */
    monitor_end(&b);
    assert_null(late.arg);
    b.late = NULL;
    assert_int_equal(monitor_begin(&b, "192.0.2.1 192.0.2.2"), 0);
    json_t *o = gslb_monitor_status(b.m);
    const json_t *members =
        json_object_get(json_array_get(json_object_get(o, "pools"), 0), "members");
    const json_t *check = json_array_get(json_object_get(json_array_get(members, 0), "checks"), 0);
    assert_string_equal(json_string_value(json_object_get(check, "state")), "down");
    json_decref(o);
    monitor_end(&b);
    bench_end(&b);
}

/* A plan that comes between two slices: what was printed of the one before is dropped. */
static void test_helper_plan(void **state)
{
    (void)state;
    struct late late = {.helper = {late_run, late_finish}};
    struct bench b = {0};
    bench_begin(&b);
    monitor_begin(&b, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8");
    asker_run(&b.asker, b.m, 20000);
    monitor_end(&b);
    b.late = &late;
    monitor_begin(&b, "10.0.0.1"); /* the others are kept, and printed first */
    asker_run(&b.asker, b.m, 900);
    b.asker.mono_us += 100000;
    b.asker.wall_us += 100000;
    assert_int_equal(gslb_monitor_turn(b.m), 0);
    assert_int_equal(gslb_monitor_turn(b.m), 0); /* two slices */
    part_ref(&b.made.plan->part);
    assert_int_equal(gslb_monitor_plan(b.m, b.made.plan), 0);
    while (gslb_monitor_turn(b.m) == 0)
        ;
    late_finish(&late.helper);
    size_t len;
    char *text = file_read(b.state, &len);
    unsigned lines = 0;
    for (const char *at = text; (at = strstr(at, "\ns p/m")); at++)
        lines++;
    free(text);
    assert_int_equal(lines, 8);
    monitor_end(&b);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_last_healthy),
        cmocka_unit_test(test_unknown_identity),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_folder_gone),
        cmocka_unit_test(test_events_file),
        cmocka_unit_test(test_helper),
        cmocka_unit_test(test_helper_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
