/* folders: gslb authority geo dns base */
/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* wrap: aligned_alloc */
/* wrap: mmap */
/* A plan is finished, or memory is short, nothing is left behind and the next one is. */
#include "gslb/plan.h"

#include "base/err.h"
#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* The allocators of the library: the n-th call fails. */
static struct {
    unsigned calls, fail_at; /* 0: never */
} heap;

#define WRAP(name, params, args, failed)                                     \
    void *__real_##name params;                                              \
    void *__wrap_##name params;                                              \
    void *__wrap_##name params                                               \
    {                                                                        \
        return ++heap.calls == heap.fail_at ? (failed) : __real_##name args; \
    }
WRAP(malloc, (size_t n), (n), NULL)
WRAP(calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(realloc, (void *p, size_t n), (p, n), NULL)
WRAP(aligned_alloc, (size_t at, size_t n), (at, n), NULL)
WRAP(mmap, (void *at, size_t n, int prot, int flags, int fd, off_t off),
     (at, n, prot, flags, fd, off), MAP_FAILED)

static void heap_fails(unsigned at)
{
    heap.calls = 0;
    heap.fail_at = at;
}

/* Of the table of `of`, when there is one. 300 names make its tables grow. */
static void make(struct made *m, const struct made *of)
{
    enum { MEMBERS = 300 };
    char members[MEMBERS * 16], *end = members;
    made_init(m, "a b", of);
    int map = made_map(m, "10.0.0.0/8=a,b! *=b:3,a:1");
    for (unsigned i = 0; i < MEMBERS; i++)
        end += sprintf(end, "%s10.1.%u.%u", i ? " " : "", i >> 8, i & 255);
    made_pool(m, "pa", "a", GSLB_ROUND_ROBIN, members)->fallback = 1;
    made_pool(m, "pb", "b", GSLB_WEIGHTED_ROUND_ROBIN, "192.0.2.2|2001:db8::2 cname:x.example.");
    made_pool(m, "alone", "", GSLB_ALL, "192.0.2.3");
    made_name(m, "www.example.", map, "pa pb")->fallback_name = 1;
    made_name(m, "list.example.", GSLB_NONE, "pb pa");
}

static void finish_again(const struct made *of, const struct gslb_plan *before)
{
    struct made m;
    make(&m, of);
    made_finish(&m, before);
    assert_int_equal(m.plan->names[gslb_plan_name(m.plan, m.plan->names[0].owner)].slot,
                     gslb_table_find(m.table, "name/www.example."));
    made_fini(&m);
}

static void plans_are_finished_or_not(void **state)
{
    static const struct {
        const char *label;
        bool before; /* there was a plan, and its table */
        unsigned failures;
    } rows[] = {{"the first plan", false, 12}, {"one after another", true, 8}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made old;
        unsigned failed = 0;
        bool reached = true;
        make(&old, NULL);
        if (rows[i].before)
            made_finish(&old, NULL);
        const struct gslb_plan *before = rows[i].before ? old.plan : NULL;
        for (unsigned at = 1; reached; at++) {
            struct made m;
            make(&m, rows[i].before ? &old : NULL);
            heap_fails(at);
            int err = gslb_plan_finish(m.plan, before, m.table, 2, &m.diags);
            reached = heap.calls >= at;
            heap_fails(0);
            if (err && err != ERR_NOMEM)
                fail_msg("%s, allocation %u: %s", rows[i].label, at, err_name(err));
            if (err)
                finish_again(&m, before);
            failed += err != 0;
            made_fini(&m);
        }
        if (failed < rows[i].failures)
            fail_msg("%s: %u allocations failed it", rows[i].label, failed);
        made_fini(&old);
    }
}

static void dynamic_names_are_listed_or_not(void **state)
{
    static const uint8_t origin[] = "\7example", below[] = "\3sub\7example";
    const uint8_t *origins[] = {origin, below};
    struct made m;
    unsigned failed = 0;
    (void)state;
    make(&m, NULL);
    made_finish(&m, NULL);
    for (unsigned at = 1;; at++) {
        struct dynamic_name *names;
        struct arena a;
        arena_init(&a, 16, 0);
        heap_fails(at);
        int n = gslb_plan_dynamic(m.plan, origin, origins, 2, &a, &names);
        bool reached = heap.calls >= at;
        heap_fails(0);
        arena_fini(&a);
        assert_int_equal(n, reached ? ERR_NOMEM : 2);
        failed += reached;
        if (!reached)
            break;
    }
    assert_int_equal(failed, 2);
    made_fini(&m);
}

static void tables_and_tallies_are_made_or_not(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (unsigned at = 1, reached = 1; reached; at++) {
        struct gslb_table *t = NULL;
        struct gslb_tally *y = NULL;
        heap_fails(at);
        int err = gslb_table_new(&t);
        err = err ? err : gslb_tally_new(&y);
        reached = heap.calls >= at;
        heap_fails(0);
        assert_int_equal(err, reached ? ERR_NOMEM : 0);
        failed += err != 0;
        if (y)
            gslb_tally_free(y);
        if (t)
            gslb_table_free(t);
    }
    assert_true(failed >= 4);
    for (unsigned at = 1, reached = 1; reached; at++) {
        heap_fails(at);
        struct gslb_plan *p = gslb_plan_new();
        reached = heap.calls >= at;
        heap_fails(0);
        assert_int_equal(!p, reached);
        if (p)
            part_unref(&p->part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_are_finished_or_not),
                                       cmocka_unit_test(dynamic_names_are_listed_or_not),
                                       cmocka_unit_test(tables_and_tallies_are_made_or_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
