/* base/clock.h: seam: what time is it?
 * Tests bring a clock of their own; the program uses clock_system(), which reads libc's clocks, so
 * that it can be run under a faked wall clock. Monotonic time drives timers and round trips; wall
 * time drives signatures, dates and, when asked for, cache TTLs. Threads: the system clock is
 * stateless; a test clock belongs to its test. */
#ifndef WAYPOST_BASE_CLOCK_H
#define WAYPOST_BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*mono_us)(const struct clock *); /* CLOCK_MONOTONIC, microseconds */
    int64_t (*wall_us)(const struct clock *); /* CLOCK_REALTIME, microseconds since 1970 */
};

const struct clock *clock_system(void);

static inline int64_t clock_mono_us(const struct clock *c)
{
    return c->mono_us(c);
}
static inline int64_t clock_mono_ms(const struct clock *c)
{
    return c->mono_us(c) / 1000;
}
static inline int64_t clock_wall_us(const struct clock *c)
{
    return c->wall_us(c);
}
static inline int64_t clock_wall_s(const struct clock *c)
{
    return c->wall_us(c) / 1000000;
}

#endif
