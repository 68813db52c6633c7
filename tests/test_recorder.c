/* threads */
#include "resolver/recorder.h"

#include "base/err.h"
#include "dns/name.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Puts number n: the trace's octets are n and its length follows from n. */
static void put(struct recorder *r, unsigned n, uint16_t rcode, uint32_t took_us)
{
    uint8_t name[DNS_NAME_MAX], trace[256];
    const char *text = n % 2 ? "odd.example." : "even.example.";
    assert_true(dns_name_parse(name, text, strlen(text), NULL) > 0);
    memset(trace, (int)n, sizeof trace);
    recorder_put(r, n, name, (uint16_t)n, rcode, took_us, trace, n % 200);
}

struct seen {
    unsigned count, failed, bad;
    int64_t first, last;
};

static void see(void *arg, const struct recorder_entry *e)
{
    struct seen *s = arg;
    bool good = e->trace_len == (size_t)e->wall_s % 200 && e->qtype == (uint16_t)e->wall_s &&
                dns_name_len(e->qname) == (e->wall_s % 2 ? 13 : 14);
    for (size_t n = 0; n < e->trace_len; n++)
        good = good && e->trace[n] == (uint8_t)e->wall_s;
    if (s->count && e->wall_s >= s->last)
        good = false; /* newest first */
    if (!s->count++)
        s->first = e->wall_s;
    s->last = e->wall_s;
    s->failed += e->failed;
    s->bad += !good;
}

static void test_find(void **state)
{
    (void)state;
    struct recorder *r;
    assert_int_equal(recorder_new(&r, 8192, 4096), 0);
    struct seen none = {0};
    assert_int_equal(recorder_find(r, NULL, 10, see, &none), 0);
    for (unsigned n = 1; n <= 5000; n++) /* every 500th fails, every 700th is slow */
        put(r, n, n % 500 ? 0 : 2, n % 700 ? 500000 : 500001);
    static const struct {
        const char *label, *name;
        unsigned n, count, failed;
        int64_t first, last;
    } rows[] = {
        {"newest", NULL, 3, 3, 1, 5000, 4998},
        {"by name", "ODD.example.", 2, 2, 0, 4999, 4997},
        {"unknown name", "none.example.", 100, 0, 0, 0, 0},
        {"nothing wanted", NULL, 0, 0, 0, 0, 0},
        {"failures outlive the others", "even.example.", 10000, 0, 16, 5000, 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct seen s = {0};
        uint8_t name[DNS_NAME_MAX];
        if (rows[i].name)
            dns_name_parse(name, rows[i].name, strlen(rows[i].name), NULL);
        unsigned found = recorder_find(r, rows[i].name ? name : NULL, rows[i].n, see, &s);
        bool count_good = rows[i].n == 10000 ? found > 30 && found < 200 : found == rows[i].count;
        if (!count_good || s.count != found || s.bad || s.failed != rows[i].failed ||
            s.first != rows[i].first || s.last != rows[i].last)
            fail_msg("%s: %u found, %u bad, %u failed, %d to %d", rows[i].label, found, s.bad,
                     s.failed, (int)s.first, (int)s.last);
    }
    recorder_free(r);
}

static void see_dropped(void *arg, const struct recorder_entry *e)
{
    *(bool *)arg = e->dropped && e->trace_len == 0;
}

static void test_limits(void **state)
{
    (void)state;
    struct recorder *r;
    assert_int_equal(recorder_new(&r, 4095, 4096), ERR_RANGE);
    assert_int_equal(recorder_new(&r, 4096, 4095), ERR_RANGE);
    assert_null(r);
    static const struct {
        const char *label;
        size_t len;
        bool dropped;
    } rows[] = {{"a quarter fits", 1024, false}, {"more does not", 1025, true}};
    static const uint8_t trace[2048];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(recorder_new(&r, 4096, 4096), 0);
        bool dropped = false;
        for (int n = 0; n < 50; n++)
            recorder_put(r, 1, dns_name_root, 1, 0, 1, trace, rows[i].len);
        assert_int_equal(recorder_find(r, NULL, 1, see_dropped, &dropped), 1);
        if (dropped != rows[i].dropped)
            fail_msg("%s", rows[i].label);
        recorder_free(r);
    }
}

static void *write_many(void *arg)
{
    for (unsigned n = 1; n <= 4000; n++)
        put(arg, n, n % 7 ? 0 : 2, 1);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct recorder *r;
    pthread_t writer;
    assert_int_equal(recorder_new(&r, 16384, 4096), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_many, r), 0);
    struct seen s;
    do {
        s = (struct seen){0};
        recorder_find(r, NULL, 20, see, &s);
        assert_int_equal(s.bad, 0);
        sched_yield(); /* the lock is not fair */
    } while (s.first != 4000);
    pthread_join(writer, NULL);
    recorder_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
