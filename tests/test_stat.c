/* threads */
/* Counters: one writer, any reader. */
#include "base/stat.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT 100000

static const struct stat_row rows[] = {{"test_apples_total", "Apples."},
                                       {"test_pears_total", "Pears."},
                                       {"test_plums_total", "Plums."}};

static void counts(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        struct stat_block *b = stat_new(rows, n);
        assert_int_equal((uintptr_t)b % 64, 0);
        assert_ptr_equal(b->rows, rows);
        assert_int_equal(b->count, n);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(stat_get(b, i), 0);
        stat_inc(b, 0);
        stat_add(b, (unsigned)n - 1, 41);
        assert_int_equal(stat_get(b, (unsigned)n - 1), n == 1 ? 42 : 41);
        stat_add(b, 0, UINT64_MAX); /* wraps, as counters do */
        assert_int_equal(stat_get(b, 0), n == 1 ? 41 : 0);
        stat_free(b);
    }
    stat_free(NULL);
}

static void *writer(void *arg)
{
    struct stat_block *b = arg;
    for (unsigned i = 0; i < COUNT; i++)
        stat_inc(b, 1);
    stat_inc(b, 2);
    return NULL;
}

/* A reader sees numbers that only rise, and in the end all of them. */
static void read_while_written(void **state)
{
    (void)state;
    pthread_t thread;
    struct stat_block *b = stat_new(rows, 3);
    assert_int_equal(pthread_create(&thread, NULL, writer, b), 0);
    for (uint64_t last = 0, now; !stat_get(b, 2); last = now) {
        now = stat_get(b, 1);
        assert_true(now >= last && now <= COUNT);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(stat_get(b, 1), COUNT);
    stat_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts),
                                       cmocka_unit_test(read_while_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
