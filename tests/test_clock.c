/* The system's clocks, and a clock of one's own behind the same functions. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static int64_t libc_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Between two readings of libc's clock lies ours: same clock, same unit. */
static void system_clock(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    for (int i = 0; i < 100; i++) {
        int64_t before = libc_us(CLOCK_MONOTONIC), us = clock_mono_us(c),
                after = libc_us(CLOCK_MONOTONIC);
        if (us < before || us > after)
            fail_msg("monotonic: %lld < %lld < %lld", (long long)before, (long long)us,
                     (long long)after);
        before = libc_us(CLOCK_MONOTONIC) / 1000;
        int64_t ms = clock_mono_ms(c);
        assert_true(before <= ms && ms <= libc_us(CLOCK_MONOTONIC) / 1000);
    }
    /* The wall may be set while we look; then another look is in order. */
    bool inside = false;
    for (int i = 0; i < 100 && !inside; i++) {
        int64_t before = libc_us(CLOCK_REALTIME), us = clock_wall_us(c), s = clock_wall_s(c),
                after = libc_us(CLOCK_REALTIME);
        inside = before <= us && us <= after && before / 1000000 <= s && s <= after / 1000000;
    }
    assert_true(inside);
}

static int64_t own_mono(const struct clock *c)
{
    (void)c;
    return 1999999;
}

static int64_t own_wall(const struct clock *c)
{
    (void)c;
    return 1700000000999999;
}

static void own_clock(void **state)
{
    (void)state;
    const struct clock c = {own_mono, own_wall};
    assert_int_equal(clock_mono_us(&c), 1999999);
    assert_int_equal(clock_mono_ms(&c), 1999); /* cut, not rounded */
    assert_int_equal(clock_wall_us(&c), 1700000000999999);
    assert_int_equal(clock_wall_s(&c), 1700000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(system_clock), cmocka_unit_test(own_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
