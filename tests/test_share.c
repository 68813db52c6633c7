/* folders: gslb geo net authority dns base */
/* A hot client network under `consistent`: what the monitor counts of answers bounds what a member
 * gets of them. */
#include "gslb/monitor.h"
#include "gslb/steer.h"

#include "asker.h"
#include "dns/type.h"
#include "plans.h"
#include "pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECONDS = 120, PER_SECOND = 400, MEMBERS = 4, SPAN = 10 };

struct bench {
    struct asker asker;
    struct made made;
    struct gslb_monitor *m;
    struct gslb_tally *tally;
    struct diag_list d;
};

static void start_with(struct bench *b, enum gslb_policy policy, uint32_t bound_permille)
{
    asker_init(&b->asker);
    made_init(&b->made, "a", NULL);
    made_pool(&b->made, "p", "", policy, "192.0.2.1 192.0.2.2 192.0.2.3*2 192.0.2.4*4")
        ->bound_permille = bound_permille;
    made_name(&b->made, "www.example.", GSLB_NONE, "p");
    made_finish(&b->made, NULL);
    assert_int_equal(gslb_tally_new(&b->tally), 0);
    b->made.worker.tally = b->tally;
    const struct gslb_monitor_place place = {.clock = &b->asker.clock,
                                             .asker = &b->asker.asker,
                                             .table = b->made.table,
                                             .seed = 7,
                                             .tallies = &b->tally,
                                             .tally_count = 1};
    diag_init(&b->d);
    assert_int_equal(gslb_monitor_new(&b->m, &place, &b->d), 0);
    part_ref(&b->made.plan->part);
    assert_int_equal(gslb_monitor_plan(b->m, b->made.plan), 0);
}

static void start(struct bench *b, uint32_t bound_permille)
{
    start_with(b, GSLB_CONSISTENT, bound_permille);
}

static void end(struct bench *b)
{
    gslb_monitor_free(b->m);
    asker_fini(&b->asker);
    gslb_tally_free(b->tally);
    made_fini(&b->made);
    diag_fini(&b->d);
}

/* Of so many in a hundred questions the network is the same, the others are anybody's. */
static void one_second(struct bench *b, unsigned hot_percent, uint64_t *seed, unsigned *counts)
{
    struct gslb_client c = {.source = addr_of_bytes((const uint8_t[]){10, 0, 0, 1}, 4, 0)};
    const struct gslb_ask ask = {.plan = b->made.plan,
                                 .qtype = DNS_TYPE_A,
                                 .client = &c,
                                 .mono_s = b->asker.mono_us / 1000000,
                                 .wall_s = b->asker.wall_us / 1000000};
    for (unsigned k = 0; k < PER_SECOND; k++) {
        struct gslb_answer a;
        uint64_t r = fresh(seed);
        bool hot = r % 100 < hot_percent;
        c.source.ip[12] = hot ? 10 : 11;
        c.source.ip[13] = hot ? 0 : (uint8_t)(r >> 32);
        c.source.ip[14] = hot ? 0 : (uint8_t)(r >> 40);
        gslb_steer(&ask, &b->made.worker, &a);
        assert_int_equal(a.count, 1);
        counts[a.members[0]]++;
    }
    asker_run(&b->asker, b->m, 1000);
}

/* No member's part of any window after the first is above its bound by more than what one second
 * brings, since that is how often it is counted. */
static void bound_holds(void **state)
{
    static const struct {
        const char *label;
        unsigned hot;
        uint32_t bound;
    } rows[] = {{"nobody is hot", 0, 1250},
                {"a third of all", 33, 1250},
                {"most of all", 80, 1250},
                {"all but all", 95, 1100},
                {"a wide bound", 60, 2000}};
    static const unsigned weights[MEMBERS] = {1, 1, 2, 4};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        unsigned counts[SECONDS + 1][MEMBERS] = {{0}};
        uint64_t seed = 99 + i;
        start(&b, rows[i].bound);
        for (unsigned s = 0; s < SECONDS; s++) {
            memcpy(counts[s + 1], counts[s], sizeof counts[s]);
            one_second(&b, rows[i].hot, &seed, counts[s + 1]);
        }
        for (unsigned k = 0; k < MEMBERS; k++) {
            double bound = rows[i].bound / 1000.0 * weights[k] / 8 * SPAN * PER_SECOND;
            for (unsigned s = 2 * SPAN; s <= SECONDS; s++)
                if (counts[s][k] - counts[s - SPAN][k] > bound + PER_SECOND)
                    fail_msg("%s: member %u, seconds %u to %u: %u answers, not %.0f", rows[i].label,
                             k, s - SPAN, s, counts[s][k] - counts[s - SPAN][k], bound);
        }
        end(&b);
    }
}

/* Else it would be of no use: the same without a bound. */
static void nothing_else_bounds(void **state)
{
    struct bench b;
    unsigned counts[MEMBERS] = {0}, most = 0;
    uint64_t seed = 99;
    (void)state;
    start(&b, 0);
    for (unsigned s = 0; s < SECONDS; s++)
        one_second(&b, 80, &seed, counts);
    for (unsigned k = 0; k < MEMBERS; k++)
        most = counts[k] > most ? counts[k] : most;
    assert_true(most > SECONDS * PER_SECOND * 0.8);
    end(&b);
}

/* What status says of member k: observed and expected (permille, rounded), answers counted, and
 * whether that is more than chance; -1: no word of it. */
static void told(const struct bench *b, unsigned k, int out[4])
{
    static const char *const keys[] = {"observed", "expected", "counted", "outside"};
    json_t *status = gslb_monitor_status(b->m);
    const json_t *m = json_array_get(
        json_object_get(json_array_get(json_object_get(status, "pools"), 0), "members"), k);
    for (unsigned i = 0; i < 4; i++) {
        const json_t *v = json_object_get(m, keys[i]);
        out[i] = json_is_number(v)    ? (int)(json_number_value(v) + 0.5)
                 : json_is_boolean(v) ? json_is_true(v)
                                      : -1;
    }
    json_decref(status);
}

/* Given as counted, at a time when the weights have not changed. */
static void shares_are_told(void **state)
{
    static const struct {
        const char *label;
        unsigned given[MEMBERS];
        int want[MEMBERS][4];
    } rows[] = {
        {"nothing yet",
         {0},
         {{-1, 125, 0, -1}, {-1, 125, 0, -1}, {-1, 250, 0, -1}, {-1, 500, 0, -1}}},
        {"as the weights are",
         {125, 125, 250, 500},
         {{125, 125, 1000, 0}, {125, 125, 1000, 0}, {250, 250, 1000, 0}, {500, 500, 1000, 0}}},
        {"within what chance gives",
         {105, 145, 250, 500},
         {{105, 125, 1000, 0}, {145, 125, 1000, 0}, {250, 250, 1000, 0}, {500, 500, 1000, 0}}},
        {"more than chance",
         {95, 155, 250, 500},
         {{95, 125, 1000, 1}, {155, 125, 1000, 1}, {250, 250, 1000, 0}, {500, 500, 1000, 0}}},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        start_with(&b, GSLB_WEIGHTED, 0);
        gslb_tally_note(b.tally, b.made.plan->pools[0].endpoints[0].slot, 1, 30);
        asker_run(&b.asker, b.m, 2000); /* what was given before the first look does not count */
        for (unsigned k = 0; k < MEMBERS; k++)
            for (unsigned n = 0; n < rows[i].given[k]; n++)
                gslb_tally_note(b.tally, b.made.plan->pools[0].endpoints[k].slot, 1, 30);
        asker_run(&b.asker, b.m, 2000);
        for (unsigned k = 0; k < MEMBERS; k++) {
            int got[4];
            told(&b, k, got);
            if (memcmp(got, rows[i].want[k], sizeof got) != 0)
                fail_msg("%s, member %u: %d %d %d %d", rows[i].label, k, got[0], got[1], got[2],
                         got[3]);
        }
        end(&b);
    }
}

/* Another weight begins another count. */
static void shares_begin_again(void **state)
{
    struct bench b;
    unsigned matched;
    int got[4];
    (void)state;
    start_with(&b, GSLB_WEIGHTED, 0);
    asker_run(&b.asker, b.m, 2000);
    for (unsigned n = 0; n < 100; n++)
        gslb_tally_note(b.tally, b.made.plan->pools[0].endpoints[3].slot, 1, 30);
    const struct gslb_order all = {.what = "p", .force = GSLB_FORCE_WEIGHT, .permille = 500};
    assert_int_equal(gslb_monitor_order(b.m, &all, &matched), 0);
    assert_int_equal(matched, MEMBERS);
    asker_run(&b.asker, b.m, 2000);
    told(&b, 3, got);
    assert_int_equal(got[1], 500);
    assert_int_equal(got[2], 0);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_holds), cmocka_unit_test(nothing_else_bounds),
        cmocka_unit_test(shares_are_told), cmocka_unit_test(shares_begin_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
