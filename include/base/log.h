/* base/log.h: lines for the operator, on stderr.
 * One line per event: time, level, area, text. log_limited() holds back repetitions, because
 * packets choose when they come. The level is process-wide (the one counted exception to "no hidden
 * state", see ARCHITECTURE.md). Threads: any; a line is one write(2). Never called per query on the
 * hot path. */
#ifndef WAYPOST_BASE_LOG_H
#define WAYPOST_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
void log_line(enum log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* At most `burst` lines per second at one place; what was held back is counted and said with the
 * next line. */
struct log_limit {
    _Atomic int64_t second; /* monotonic second of the running window */
    _Atomic uint32_t said;  /* lines in it */
    _Atomic uint32_t held;  /* lines held back since the last one said */
};
/* True when the line may be said now; *held is then the number held back before it. */
bool log_limit_pass(struct log_limit *l, uint32_t burst, uint32_t *held);

#define log_error(area, ...)   log_line(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warning(area, ...) log_line(LOG_LEVEL_WARNING, area, __VA_ARGS__)
#define log_notice(area, ...)  log_line(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...)    log_line(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)   log_line(LOG_LEVEL_DEBUG, area, __VA_ARGS__)

#endif
