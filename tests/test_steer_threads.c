/* Workers steer while the control loop writes health, reads tallies and swaps plans. */
/* folders: gslb authority geo dns base */
/* threads */
#include "gslb/steer.h"

#include "base/rng.h"
#include "dns/type.h"
#include "plans.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { READERS = 3, SWAPS = 250, PUTS = 400, SITES = 2 };

struct shared {
    struct snap_domain domain;
    _Atomic(struct gslb_plan *) plan;
    atomic_bool stop;
};

struct reader {
    struct shared *shared;
    struct snap_reader snap;
    struct gslb_worker worker;
    struct rng rng;
    pthread_t thread;
    _Atomic uint64_t answers;
    const char *wrong; /* NULL: nothing */
};

/* m0 of either pool is never down, so somebody always answers. */
static const char *one_answer(struct reader *r, const struct gslb_plan *p, uint64_t k)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_ANY};
    struct gslb_client c = {.source = addr_of_bytes((const uint8_t[]){192, 0, 2, 1}, 4, 0),
                            .subnet = {.family = 1, .source = 24}};
    struct gslb_answer a;
    c.subnet.ip[0] = (uint8_t)(9 + k % 2);
    c.subnet.ip[1] = (uint8_t)(k / 2);
    const struct gslb_ask ask = {.plan = p,
                                 .name = (unsigned)(k % p->name_count),
                                 .qtype = types[k / 4 % 3],
                                 .client = &c,
                                 .mono_s = 1000 + (int64_t)(k >> 12),
                                 .wall_s = 1000};
    gslb_steer(&ask, &r->worker, &a);
    if (a.outcome != GSLB_SET || !a.count || a.pool < 0 || (unsigned)a.pool >= p->pool_count)
        return "no answer";
    for (unsigned i = 0; i < a.count; i++)
        if (a.members[i] >= p->pools[a.pool].endpoint_count)
            return "a member that is none";
    return a.ttl == 30 || a.ttl == 300 ? NULL : "another TTL";
}

static void *read_on(void *arg)
{
    struct reader *r = arg;
    snap_online(&r->shared->domain, &r->snap);
    for (uint64_t n = 0;
         !r->wrong && !atomic_load_explicit(&r->shared->stop, memory_order_relaxed);) {
        r->wrong = one_answer(r, atomic_load(&r->shared->plan), n++);
        atomic_store_explicit(&r->answers, n, memory_order_relaxed);
        snap_quiet(&r->shared->domain, &r->snap);
    }
    snap_offline(&r->snap);
    return NULL;
}

/* Over the table and the map of `base`. */
static struct gslb_plan *plan_make(const struct made *base, const struct gslb_plan *before,
                                   unsigned version)
{
    struct made m;
    made_init(&m, "a b", base);
    m.plan->maps[m.plan->map_count++] = base->plan->maps[0];
    /* The order changes, the identities do not. */
    const char *sites[SITES] = {version % 2 ? "a" : "b", version % 2 ? "b" : "a"};
    for (unsigned i = 0; i < SITES; i++) {
        struct gslb_pool *p =
            made_pool(&m, *sites[i] == 'a' ? "pa" : "pb", sites[i],
                      *sites[i] == 'a' ? GSLB_ROUND_ROBIN : GSLB_CONSISTENT,
                      "192.0.2.1|2001:db8::1 192.0.2.2|2001:db8::2*3 192.0.2.3|2001:db8::3*9");
        p->answers = 1 + version % 2;
    }
    made_pool(&m, "w", "", GSLB_WEIGHTED_ROUND_ROBIN,
              "192.0.2.7|2001:db8::7 192.0.2.8|2001:db8::8");
    made_name(&m, "www.example.", 0, "pa pb");
    made_name(&m, "w.example.", GSLB_NONE, "w");
    assert_int_equal(gslb_plan_finish(m.plan, before, m.table, READERS, &m.diags), 0);
    diag_fini(&m.diags);
    return m.plan;
}

static void views_put(const struct made *base, struct gslb_plan *p, unsigned k)
{
    for (unsigned i = 0; i < p->pool_count; i++)
        for (unsigned j = 0; j < p->pools[i].endpoint_count; j++) {
            const struct gslb_view v = {.up = !j || (k >> j & 1),
                                        .known = true,
                                        .unsettled = k % 7 == 0,
                                        .over = j && k % 3 == 0,
                                        .was_up = k & 1,
                                        .permille = (uint16_t)(j ? k % 1001 : 1000),
                                        .until_s = UINT32_MAX};
            gslb_table_put(base->table, p->pools[i].endpoints[j].slot, &v);
        }
    gslb_table_put_last(base->table, p->names[0].slot, p->pools[k % 2].slot, k);
}

static void plan_swap(struct shared *s, const struct made *base, unsigned version)
{
    struct gslb_plan *old = atomic_load(&s->plan), *new = plan_make(base, old, version);
    views_put(base, new, version);
    atomic_exchange(&s->plan, new);
    while (snap_retire(&s->domain, &old->part)) {
    }
    snap_reclaim(&s->domain);
}

static bool all_have_answered(struct reader *readers)
{
    for (unsigned i = 0; i < READERS; i++)
        if (!atomic_load_explicit(&readers[i].answers, memory_order_relaxed))
            return false;
    return true;
}

static void nothing_is_torn(void **state)
{
    struct made base;
    struct reader readers[READERS];
    struct shared s;
    (void)state;
    made_init(&base, "a b", NULL);
    made_map(&base, "10.0.0.0/9=b,a 10.128.0.0/9=a:2,b:5 *=a,b");
    snap_init(&s.domain);
    atomic_init(&s.stop, false);
    atomic_init(&s.plan, plan_make(&base, NULL, 0));
    views_put(&base, atomic_load(&s.plan), 1);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.shared = &s, .worker = {.index = i, .table = base.table}};
        rng_init_fixed(&readers[i].rng, i);
        readers[i].worker.rng = &readers[i].rng;
        assert_int_equal(gslb_tally_new(&readers[i].worker.tally), 0);
        assert_int_equal(snap_reader_add(&s.domain, &readers[i].snap), 0);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (unsigned k = 0; k < SWAPS || !all_have_answered(readers); k++) {
        struct gslb_plan *p = atomic_load(&s.plan);
        uint32_t until;
        for (unsigned n = 0; n < PUTS; n++)
            views_put(&base, p, n * SWAPS + k);
        for (unsigned i = 0; i < READERS; i++)
            for (unsigned j = 0; j < p->pools[0].endpoint_count; j++)
                gslb_tally_count(readers[i].worker.tally, p->pools[0].endpoints[j].slot, &until);
        plan_swap(&s, &base, k + 1);
    }
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        if (readers[i].wrong)
            fail_msg("worker %u, after %llu answers: %s", i, (unsigned long long)readers[i].answers,
                     readers[i].wrong);
        snap_reader_remove(&s.domain, &readers[i].snap);
        gslb_tally_free(readers[i].worker.tally);
    }
    snap_fini(&s.domain);
    part_unref(&atomic_load(&s.plan)->part);
    made_fini(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_torn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
