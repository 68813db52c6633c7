/* threads */
/* Log lines as they reach stderr, levels, length, and repetitions held back. */
#include "base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* stderr as a file while a test runs; what was written is read back. */
struct capture {
    FILE *file;
    int saved;
};

static void capture_start(struct capture *c)
{
    c->file = tmpfile();
    assert_non_null(c->file);
    c->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(c->file), STDERR_FILENO), STDERR_FILENO);
}

static size_t capture_end(struct capture *c, char *out, size_t cap)
{
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    rewind(c->file);
    size_t n = fread(out, 1, cap - 1, c->file);
    out[n] = 0;
    fclose(c->file);
    return n;
}

static void line(void **state)
{
    (void)state;
    static const struct {
        enum log_level level;
        const char *name;
    } rows[] = {{LOG_LEVEL_ERROR, "error"},
                {LOG_LEVEL_WARNING, "warning"},
                {LOG_LEVEL_NOTICE, "notice"},
                {LOG_LEVEL_INFO, "info"},
                {LOG_LEVEL_DEBUG, "debug"}};
    log_set_level(LOG_LEVEL_DEBUG);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct capture c;
        char text[256], tail[64];
        int year, month, day, hour, minute, second, ms, at = 0;
        capture_start(&c);
        log_line(rows[i].level, "area", "%s %d", "text", 7);
        capture_end(&c, text, sizeof text);
        snprintf(tail, sizeof tail, " %s area: text 7\n", rows[i].name);
        if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour, &minute,
                   &second, &ms, &at) != 7 ||
            strcmp(text + at, tail) != 0)
            fail_msg("%s: %s", rows[i].name, text);
    }
    log_set_level(LOG_LEVEL_INFO);
}

static void levels(void **state)
{
    (void)state;
    for (int set = LOG_LEVEL_ERROR; set <= LOG_LEVEL_DEBUG; set++) {
        struct capture c;
        char text[1024];
        unsigned lines = 0;
        log_set_level((enum log_level)set);
        capture_start(&c);
        log_error("a", "x");
        log_warning("a", "x");
        log_notice("a", "x");
        log_info("a", "x");
        log_debug("a", "x");
        capture_end(&c, text, sizeof text);
        for (const char *p = text; (p = strchr(p, '\n')); p++)
            lines++;
        assert_int_equal(lines, set + 1);
        for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
            assert_int_equal(log_is_on((enum log_level)level), level <= set);
    }
    log_set_level(LOG_LEVEL_INFO);
}

/* Too long a text is cut; the line still ends, and is still one. */
static void long_lines(void **state)
{
    (void)state;
    static char text[3000], out[4000];
    memset(text, 'x', sizeof text - 1);
    for (size_t n = 900; n < sizeof text; n += n < 1100 ? 1 : 700) {
        struct capture c;
        capture_start(&c);
        log_error("area", "%.*s", (int)n, text);
        size_t len = capture_end(&c, out, sizeof out);
        if (len < 900 || len > 1024 || out[len - 1] != '\n' || strchr(out, '\n') != out + len - 1 ||
            strlen(out) != len)
            fail_msg("%zu characters: %zu written", n, len);
    }
}

static int64_t second_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* However many seconds pass meanwhile: at most `burst` in each, and none is lost count of. */
static void held_back(void **state)
{
    (void)state;
    static const uint32_t bursts[] = {0, 1, 5, 5000};
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
        struct log_limit l = {0};
        uint32_t said = 0, held, sum = 0;
        int64_t start = second_now();
        for (unsigned k = 0; k < 1000; k++)
            if (log_limit_pass(&l, bursts[i], &held)) {
                said++;
                sum += held;
            }
        int64_t windows = second_now() - start + 1;
        sum += atomic_load(&l.held);
        if (said + sum != 1000 || said > bursts[i] * windows || (bursts[i] && !said) ||
            (bursts[i] == 5000 && sum))
            fail_msg("burst %u: %u said, %u held back", bursts[i], said, sum);
        if (!bursts[i])
            continue;
        atomic_store(&l.second, 0); /* as if a second had passed: what was held back is told once */
        uint32_t waiting = atomic_load(&l.held);
        assert_true(log_limit_pass(&l, bursts[i], &held));
        assert_int_equal(held, waiting);
        assert_int_equal(atomic_load(&l.held), 0);
    }
}

#define THREADS 4
#define EACH    50

static void *talk(void *arg)
{
    for (unsigned i = 0; i < EACH; i++)
        log_error((const char *)arg, "line %u of many, long enough to be torn", i);
    return NULL;
}

/* Lines of several threads do not mix. */
static void whole_lines(void **state)
{
    (void)state;
    static char areas[THREADS][4] = {"t0", "t1", "t2", "t3"};
    static char text[THREADS * EACH * 128];
    pthread_t threads[THREADS];
    unsigned seen[THREADS] = {0};
    struct capture c;
    capture_start(&c);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, talk, areas[i]);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end(&c, text, sizeof text);
    char *save = NULL;
    for (char *p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
        unsigned thread, number;
        int end = 0;
        const char *tail = strchr(p, ' ');
        if (!tail ||
            sscanf(tail, " error t%u: line %u of many, long enough to be torn%n", &thread, &number,
                   &end) != 2 ||
            tail[end] || thread >= THREADS || number != seen[thread]++)
            fail_msg("torn: %s", p);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(seen[i], EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line),      cmocka_unit_test(levels),      cmocka_unit_test(long_lines),
        cmocka_unit_test(held_back), cmocka_unit_test(whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
