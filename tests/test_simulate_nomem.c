/* folders: gslb authority geo dns base */
/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* A simulation is made, or memory is short and nothing is left behind; so is a copy of a table. */
#include "gslb/simulate.h"

#include "base/err.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The allocators of the library: the n-th call fails. */
static struct {
    unsigned calls, fail_at; /* 0: never */
} heap;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_realloc(p, n);
}

static void plan_make(struct made *m)
{
    made_init(m, "fra iad", NULL);
    int map = made_map(m, "10.0.0.0/8=fra:3,iad:1 10.1.0.0/16=iad,fra *=fra");
    made_pool(m, "www-fra", "fra", GSLB_WEIGHTED, "192.0.2.1*3 192.0.2.2");
    made_pool(m, "www-iad", "iad", GSLB_CONSISTENT, "192.0.2.3 192.0.2.4");
    made_name(m, "www.example.", map, "www-fra www-iad");
    made_name(m, "all.example.", GSLB_NONE, "www-fra www-iad");
    made_finish(m, NULL);
}

static void simulation_without_memory(void **state)
{
    (void)state;
    struct made m;
    struct gslb_table *after;
    struct gslb_simulation *s;
    plan_make(&m);
    assert_int_equal(gslb_table_dup(m.table, &after), 0);
    assert_int_equal(gslb_suppose_down(m.plan, after, "fra"), 2);
    const struct gslb_simulate ask = {.before = {m.plan, m.table}, .after = {m.plan, after}};
    unsigned failed = 0;
    for (unsigned n = 1;; n++) {
        heap.calls = 0;
        heap.fail_at = n;
        int err = gslb_simulate(&ask, &s);
        heap.fail_at = 0;
        if (!err)
            break;
        assert_int_equal(err, ERR_NOMEM);
        failed++;
        assert_true(failed < 10000);
    }
    assert_true(failed > 10);
    assert_int_equal(gslb_simulation_count(s), 2);
    gslb_simulation_free(s);
    gslb_table_free(after);
    made_fini(&m);
}

static void copy_without_memory(void **state)
{
    (void)state;
    struct made m;
    struct gslb_table *copy;
    plan_make(&m);
    int err = ERR_NOMEM;
    for (unsigned n = 1; err; n++) {
        heap.calls = 0;
        heap.fail_at = n;
        err = gslb_table_dup(m.table, &copy);
        heap.fail_at = 0;
        assert_true(!err || err == ERR_NOMEM);
        assert_true(n < 10000);
    }
    assert_int_equal(gslb_table_count(copy), gslb_table_count(m.table));
    for (uint32_t i = 0; i < gslb_table_count(copy); i++)
        assert_string_equal(gslb_table_identity(copy, i), gslb_table_identity(m.table, i));
    gslb_table_free(copy);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(simulation_without_memory),
                                       cmocka_unit_test(copy_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
