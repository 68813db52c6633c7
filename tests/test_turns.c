/* A loop's turns are measured without its waiting; the slow ones are counted. */
#include "daemon/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct job {
    uv_timer_t timer;
    unsigned work_ms; /* of each turn */
    unsigned left;
};

static void on_timer(uv_timer_t *h)
{
    struct job *j = h->data;
    uint64_t end = uv_hrtime() + j->work_ms * 1000000ull;
    while (uv_hrtime() < end)
        ;
    if (--j->left)
        uv_timer_start(h, on_timer, 30, 0); /* waiting is no work */
}

struct seen {
    uint64_t longest_us, slow;
};

static struct seen run(unsigned work_ms, unsigned turns)
{
    uv_loop_t loop;
    struct turns t = {0};
    struct job j = {.work_ms = work_ms, .left = turns};
    assert_int_equal(uv_loop_init(&loop), 0);
    turns_open(&t, &loop);
    uv_timer_init(&loop, &j.timer);
    j.timer.data = &j;
    uv_timer_start(&j.timer, on_timer, 100000, 0);
    uv_run(&loop, UV_RUN_NOWAIT); /* a turn is measured from the wait before it */
    uv_timer_start(&j.timer, on_timer, 1, 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* ends: its handle is not waited for */
    uv_close((uv_handle_t *)&j.timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT); /* the last turn ends here */
    uv_close((uv_handle_t *)&t.prepare, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return (struct seen){atomic_load(&t.longest_us), atomic_load(&t.slow)};
}

/* Another process may make a turn longer, none can make it shorter: of several tries one has to be
 * undisturbed. */
static void test_turns(void **state)
{
    static const struct {
        const char *label;
        unsigned work_ms, turns, slow;
    } rows[] = {
        {"nothing to do", 0, 3, 0},
        {"below the limit", 5, 3, 0},
        {"every turn too long", 25, 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct seen s = {0};
        for (unsigned tries = 0; tries < 12; tries++) {
            s = run(rows[i].work_ms, rows[i].turns);
            if (s.longest_us < rows[i].work_ms * 1000ull || s.slow < rows[i].slow ||
                !s.slow != (s.longest_us <= TURNS_SLOW_US) || s.slow == rows[i].slow)
                break;
        }
        if (s.longest_us < rows[i].work_ms * 1000ull || s.slow != rows[i].slow ||
            !s.slow != (s.longest_us <= TURNS_SLOW_US))
            fail_msg("%s: longest %llu us, %llu slow", rows[i].label,
                     (unsigned long long)s.longest_us, (unsigned long long)s.slow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
