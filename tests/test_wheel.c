/* Timers: when they fire, in which order, and what a callback may do. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct bench;

struct timer {
    struct wheel_timer t;
    struct bench *bench;
    char name;
};

/* Names of what fired, and what timer 'a' does then. */
struct bench {
    struct wheel w;
    struct timer a, b, c;
    char log[64];
    size_t logged;
    void (*on_a)(struct bench *);
};

static void fire(struct wheel_timer *t)
{
    struct timer *me = container_of(t, struct timer, t);
    struct bench *b = me->bench;
    assert_false(wheel_is_armed(t));
    assert_true(b->logged + 1 < sizeof b->log);
    b->log[b->logged++] = me->name;
    b->log[b->logged] = 0;
    if (me->name == 'a' && b->on_a)
        b->on_a(b);
}

static void bench_init(struct bench *b, int64_t now_ms)
{
    struct timer *timers[] = {&b->a, &b->b, &b->c};
    memset(b, 0, sizeof *b);
    wheel_init(&b->w, now_ms);
    for (int i = 0; i < 3; i++) {
        *timers[i] = (struct timer){.bench = b, .name = (char)('a' + i)};
        wheel_timer_init(&timers[i]->t, fire);
        assert_false(wheel_is_armed(&timers[i]->t));
    }
}

/* a, b and c armed at these times (0: not), the wheel run in steps; what has fired by each. */
static void when(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int64_t start, due[3], run[3];
        const char *want[3];
    } rows[] = {
        {"in order of time", 1000, {1030, 1010, 1020}, {1009, 1020, 1030}, {"", "bc", "bca"}},
        {"at once, in order of arming",
         1000,
         {1010, 1010, 1010},
         {1009, 1010, 1011},
         {"", "abc", "abc"}},
        {"in the past: with the next run",
         1000,
         {5, 1000, 999},
         {1000, 1001, 1002},
         {"", "abc", "abc"}},
        {"a turn further in the same slot",
         0,
         {100, 100 + WHEEL_SLOTS, 100 + 2 * WHEEL_SLOTS},
         {100, 100 + WHEEL_SLOTS, 100 + 2 * WHEEL_SLOTS},
         {"a", "ab", "abc"}},
        {"just within a turn",
         0,
         {WHEEL_SLOTS - 1, WHEEL_SLOTS, WHEEL_SLOTS + 1},
         {WHEEL_SLOTS - 1, WHEEL_SLOTS, WHEEL_SLOTS + 1},
         {"a", "ab", "abc"}},
        {"a long sleep", 0, {100, 5000, 100000}, {99, 99999, 100000}, {"", "ab", "abc"}},
        {"time that goes back fires nothing",
         1000,
         {1010, 1020, 1030},
         {900, 1010, 1000},
         {"", "a", "a"}},
        {"large times",
         INT64_C(1) << 52,
         {(INT64_C(1) << 52) + 1, (INT64_C(1) << 52) + 2, 0},
         {INT64_C(1) << 52, (INT64_C(1) << 52) + 1, (INT64_C(1) << 52) + 2},
         {"", "a", "ab"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        bench_init(&b, rows[i].start);
        struct wheel_timer *timers[] = {&b.a.t, &b.b.t, &b.c.t};
        unsigned armed = 0, fired = 0;
        for (int k = 0; k < 3; k++)
            if (rows[i].due[k]) {
                wheel_arm(&b.w, timers[k], rows[i].due[k]);
                armed++;
            }
        for (int k = 0; k < 3; k++) {
            fired += wheel_run(&b.w, rows[i].run[k]);
            if (strcmp(b.log, rows[i].want[k]) != 0 || fired != b.logged ||
                b.w.armed != armed - fired)
                fail_msg("%s: \"%s\" at %lld, %u fired", rows[i].label, b.log,
                         (long long)rows[i].run[k], fired);
        }
    }
}

static void next(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int64_t due, now, want; /* the wheel stands at 1000 */
    } rows[] = {
        {"soon", 1010, 1000, 10},
        {"the driver is behind", 1010, 995, 15},
        {"due", 1010, 1010, 0},
        {"overdue", 1010, 2000, 0},
        {"in the past", 5, 1000, 1},
        {"a turn", 1000 + WHEEL_SLOTS, 1000, WHEEL_SLOTS},
        {"beyond a turn: a look in between", 1010 + WHEEL_SLOTS, 1000, WHEEL_SLOTS},
        {"far", 1000000, 1000, WHEEL_SLOTS},
        {"far, and the driver is late", 1000000, 1000 + 2 * WHEEL_SLOTS, 0},
    };
    struct bench b;
    bench_init(&b, 1000);
    assert_int_equal(wheel_next(&b.w, 1000), -1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_init(&b, 1000);
        wheel_arm(&b.w, &b.a.t, rows[i].due);
        int64_t got = wheel_next(&b.w, rows[i].now);
        if (got != rows[i].want)
            fail_msg("%s: %lld", rows[i].label, (long long)got);
    }
    bench_init(&b, 1000);
    wheel_arm(&b.w, &b.a.t, 1500);
    wheel_arm(&b.w, &b.b.t, 1200);
    assert_int_equal(wheel_next(&b.w, 1000), 200);
    wheel_disarm(&b.w, &b.b.t);
    assert_int_equal(wheel_next(&b.w, 1000), 500);
}

/* Sleeping as long as wheel_next says finds every timer on time. */
static void driven(void **state)
{
    (void)state;
    for (int64_t due = 1; due < 5000; due += 37) {
        struct bench b;
        int64_t now = 0;
        bench_init(&b, 0);
        wheel_arm(&b.w, &b.a.t, due);
        for (int64_t ms; (ms = wheel_next(&b.w, now)) >= 0;) {
            assert_true(ms > 0); /* no spinning */
            now += ms;
            wheel_run(&b.w, now);
        }
        if (now != due)
            fail_msg("due %lld, fired %lld", (long long)due, (long long)now);
    }
}

static void arming_again(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b, 0);
    wheel_arm(&b.w, &b.a.t, 10);
    wheel_arm(&b.w, &b.a.t, 20); /* moves it */
    assert_int_equal(b.w.armed, 1);
    assert_int_equal(wheel_run(&b.w, 19), 0);
    assert_true(wheel_is_armed(&b.a.t));
    assert_int_equal(wheel_run(&b.w, 20), 1);
    wheel_arm(&b.w, &b.a.t, 30);
    wheel_disarm(&b.w, &b.a.t);
    wheel_disarm(&b.w, &b.a.t); /* twice does no harm */
    assert_int_equal(b.w.armed, 0);
    assert_int_equal(wheel_run(&b.w, 5000), 0);
    assert_string_equal(b.log, "a");
}

static void disarm_b(struct bench *b)
{
    wheel_disarm(&b->w, &b->b.t);
}
static void arm_self(struct bench *b)
{
    if (b->logged < 5)
        wheel_arm(&b->w, &b->a.t, b->w.now_ms + 10);
}
static void arm_self_in_the_past(struct bench *b)
{
    if (b->logged < 5)
        wheel_arm(&b->w, &b->a.t, 0);
}
static void arm_c_now(struct bench *b)
{
    wheel_arm(&b->w, &b->c.t, b->w.now_ms);
}
static void move_b(struct bench *b)
{
    wheel_arm(&b->w, &b->b.t, b->w.now_ms + WHEEL_SLOTS);
}

static void inside_a_callback(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        void (*on_a)(struct bench *);
        int64_t run[2];
        const char *want[2];
    } rows[] = {
        {"another that is due is disarmed", disarm_b, {10, 5000}, {"a", "a"}},
        {"itself again", arm_self, {40, 100}, {"abaaa", "abaaa"}},
        {"itself in the past: later, not for ever",
         arm_self_in_the_past,
         {10, 100},
         {"ab", "abaaa"}},
        {"another, for now: with the next run", arm_c_now, {10, 11}, {"ab", "abc"}},
        {"another that is due, moved by a turn", move_b, {11, 10 + WHEEL_SLOTS}, {"a", "ab"}},
        {"during a long sleep", arm_c_now, {9000, 9001}, {"ab", "abc"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        bench_init(&b, 0);
        b.on_a = rows[i].on_a;
        wheel_arm(&b.w, &b.a.t, 10);
        wheel_arm(&b.w, &b.b.t, 10);
        for (int k = 0; k < 2; k++) {
            wheel_run(&b.w, rows[i].run[k]);
            if (strcmp(b.log, rows[i].want[k]) != 0)
                fail_msg("%s: \"%s\" at %lld", rows[i].label, b.log, (long long)rows[i].run[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when),
        cmocka_unit_test(next),
        cmocka_unit_test(driven),
        cmocka_unit_test(arming_again),
        cmocka_unit_test(inside_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
