#include "base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t system_mono_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_MONOTONIC);
}

static int64_t system_wall_us(const struct clock *c)
{
    (void)c;
    return read_us(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {system_mono_us, system_wall_us};
    return &system_clock;
}
