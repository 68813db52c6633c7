#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static _Atomic int log_level_now = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    if (!log_is_on(level))
        return;
    char line[LOG_LINE_MAX];
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %s %s: ", ts.tv_nsec / 1000000,
                          names[level], area);
    va_list ap;
    va_start(ap, fmt);
    int text = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    va_end(ap);
    if (text > 0)
        n += (size_t)text < sizeof line - n - 1 ? (size_t)text : sizeof line - n - 2;
    line[n++] = '\n';
    ssize_t sent;
    do
        sent = write(STDERR_FILENO, line, n);
    while (sent < 0 && errno == EINTR);
}

bool log_limit_pass(struct log_limit *l, uint32_t burst, uint32_t *held)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    if (atomic_exchange(&l->second, ts.tv_sec) != ts.tv_sec)
        atomic_store(&l->said, 0);
    if (atomic_fetch_add(&l->said, 1) >= burst) {
        atomic_fetch_add(&l->held, 1);
        return false;
    }
    *held = atomic_exchange(&l->held, 0);
    return true;
}
