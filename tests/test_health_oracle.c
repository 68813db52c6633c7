/* Health against a naive second machine, and what must hold under any rules and any clock. */
/* folders: gslb base */
#include "gslb/health.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool apply(struct gslb_health *h, const struct gslb_rules *r, char what, int64_t at)
{
    switch (what) {
    case 'p':
        return gslb_health_take(h, r, GSLB_PASS, at);
    case 'f':
        return gslb_health_take(h, r, GSLB_FAIL, at);
    case 'n':
        return gslb_health_take(h, r, GSLB_NO_VERDICT, at);
    case 'r':
        return gslb_health_resume(h, r, at);
    default:
        return gslb_health_tick(h, r, at);
    }
}

static void a_penalty_never_rises(void **state)
{
    (void)state;
    struct rng rng;
    rng_init_fixed(&rng, 61);
    for (int i = 0; i < 300; i++) {
        struct gslb_rules r = {.flap_penalty = 1, .flap_suppress = 1};
        r.flap_half_life_ms = 1 + rng_below(&rng, 50);
        struct gslb_health h = {.penalty = rng_u32(&rng) >> rng_below(&rng, 32)};
        uint32_t last = h.penalty;
        for (int64_t t = 0; t <= 33 * (int64_t)r.flap_half_life_ms; t++) {
            uint32_t now = gslb_health_penalty(&h, &r, t);
            if (now > last || (t % r.flap_half_life_ms == 0 && t / r.flap_half_life_ms < 32 &&
                               now != h.penalty >> (t / r.flap_half_life_ms)))
                fail_msg("%u, half-life %u: %u at %d after %u", h.penalty, r.flap_half_life_ms, now,
                         (int)t, last);
            last = now;
        }
        assert_int_equal(last, 0);
    }
}

/* ---- against a naive second machine ---- */

#define HISTORY 600

/* Keeps every result since the last change and asks the rules' own words anew each time. */
struct naive {
    enum gslb_status status;
    bool passed[HISTORY];
    unsigned count;
    int64_t changed;
    bool ever;
};

static unsigned passes_at_the_end(const struct naive *n, unsigned end)
{
    unsigned run = 0;
    while (run < end && n->passed[end - 1 - run])
        run++;
    return run;
}

static bool naive_wants(const struct naive *n, const struct gslb_rules *r)
{
    if (n->status == GSLB_DOWN)
        return passes_at_the_end(n, n->count) >= r->pass_after;
    unsigned fails = 0;
    for (unsigned i = 0; i < n->count; i++) {
        if (!n->passed[i])
            fails++;
        if (passes_at_the_end(n, i + 1) >= r->reset_after)
            fails = 0;
    }
    return fails >= r->fail_after;
}

static void naive_step(struct naive *n, const struct gslb_rules *r, char what, int64_t at)
{
    if (what == 'n')
        return;
    if (n->status == GSLB_UNKNOWN) {
        if (what == 'p' || what == 'f')
            n->status = what == 'p' ? GSLB_UP : GSLB_DOWN;
        return;
    }
    if (what == 'p' || what == 'f')
        n->passed[n->count++] = what == 'p';
    if (naive_wants(n, r) && (!n->ever || at - n->changed >= r->hold_ms)) {
        n->status = n->status == GSLB_UP ? GSLB_DOWN : GSLB_UP;
        n->count = 0;
        n->ever = true;
        n->changed = at;
    }
}

static void a_naive_machine_agrees(void **state)
{
    (void)state;
    struct rng rng;
    rng_init_fixed(&rng, 62);
    unsigned changes = 0;
    for (int round = 0; round < 400; round++) {
        struct gslb_rules r = {.fail_after = 1 + rng_below(&rng, 4),
                               .pass_after = 1 + rng_below(&rng, 4),
                               .reset_after = 1 + rng_below(&rng, 4),
                               .hold_ms = rng_below(&rng, 2) ? rng_below(&rng, 100) : 0};
        uint32_t odds = 1 + rng_below(&rng, 9);
        struct naive n = {.status = GSLB_UNKNOWN};
        struct gslb_health h;
        gslb_health_init(&h);
        int64_t now = rng_below(&rng, 1000);
        for (int i = 0; i < HISTORY; i++) {
            now += rng_below(&rng, 20);
            uint32_t roll = rng_below(&rng, 10);
            char what = roll == 0 ? 'n' : roll == 1 ? 't' : rng_below(&rng, 10) < odds ? 'p' : 'f';
            changes += apply(&h, &r, what, now);
            naive_step(&n, &r, what, now);
            if (h.status != n.status)
                fail_msg("round %d, step %d (%c): %d, naive %d", round, i, what, h.status,
                         n.status);
        }
    }
    assert_true(changes > 10000);
}

/* ---- what holds under any rules and any clock ---- */

struct said {
    enum gslb_status status;
    bool suppressed, unsettled;
    unsigned permille;
};

static struct said say(const struct gslb_health *h, const struct gslb_rules *r, int64_t at)
{
    return (struct said){.status = h->status,
                         .suppressed = h->suppressed,
                         .unsettled = gslb_health_unsettled(h, r, at),
                         .permille = gslb_health_permille(h, r, at) / 50};
}

static bool same(struct said a, struct said b)
{
    return a.status == b.status && a.suppressed == b.suppressed && a.unsettled == b.unsettled &&
           a.permille == b.permille;
}

/* After a tick, nothing happens before `next`, and there something does. */
static void check_next(const struct gslb_health *h, const struct gslb_rules *r, int64_t now,
                       struct rng *rng, int round)
{
    struct gslb_health ticked = *h;
    int64_t soonest = gslb_health_next(&ticked, r, now);
    if (soonest < now)
        fail_msg("round %d: next is in the past", round);
    gslb_health_tick(&ticked, r, now);
    struct said here = say(&ticked, r, now);
    if (soonest > now && !same(here, say(h, r, now)))
        fail_msg("round %d: next is later than what a tick does now", round);
    int64_t next = gslb_health_next(&ticked, r, now);
    if (next <= now && now != INT64_MAX)
        fail_msg("round %d: next stands still", round);

    uint64_t between = (uint64_t)next - (uint64_t)now;
    if (between > 1) {
        struct gslb_health early = ticked;
        int64_t t = next - 1 - (int64_t)(rng_u64(rng) % (between - 1) >> rng_below(rng, 32));
        gslb_health_tick(&early, r, t);
        if (!same(say(&early, r, t), here))
            fail_msg("round %d: something happened before next", round);
    }
    if (next == INT64_MAX)
        return;
    struct gslb_health then = ticked;
    gslb_health_tick(&then, r, next);
    if (same(say(&then, r, next), here) && gslb_health_next(&then, r, next) == next)
        fail_msg("round %d: nothing happened at next", round);
}

static uint32_t some(struct rng *rng, uint32_t bound)
{
    return rng_below(rng, 3) ? rng_below(rng, bound) : 0;
}

static struct gslb_rules any_rules(struct rng *rng)
{
    struct gslb_rules r = {.fail_after = rng_below(rng, 4),
                           .pass_after = rng_below(rng, 4),
                           .reset_after = rng_below(rng, 4),
                           .hold_ms = some(rng, 30000),
                           .slow_start_ms = some(rng, 40000),
                           .flap_penalty = some(rng, 2000),
                           .flap_suppress = some(rng, 5000),
                           .flap_half_life_ms = some(rng, 20000),
                           .manual_resume = rng_below(rng, 4) == 0};
    if (r.flap_suppress)
        r.flap_reuse = rng_below(rng, rng_below(rng, 10) ? r.flap_suppress : 10000);
    if (rng_below(rng, 20) == 0) {
        r.hold_ms = rng_u32(rng);
        r.slow_start_ms = rng_u32(rng);
        r.flap_half_life_ms = rng_u32(rng);
    }
    return r;
}

static int64_t pass_time(struct rng *rng, int64_t now)
{
    static const uint32_t widths[] = {1, 10, 3000, 20000, 1000000};
    uint64_t by = rng_below(rng, widths[rng_below(rng, COUNT(widths))]);
    if (rng_below(rng, 400) == 0)
        by = rng_u64(rng) >> (1 + rng_below(rng, 40));
    uint64_t room = (uint64_t)INT64_MAX - (uint64_t)now;
    return by < room ? (int64_t)((uint64_t)now + by) : INT64_MAX;
}

static void check_step(const struct gslb_health *was, const struct gslb_health *h,
                       const struct gslb_rules *r, char what, int64_t now, int round)
{
    uint64_t age = (uint64_t)now - (uint64_t)was->changed_ms;
    bool changed = h->status != was->status;
    if (changed && was->changed_ms != INT64_MIN && age < r->hold_ms)
        fail_msg("round %d: changed within a hold", round);
    if (h->suppressed && h->status != GSLB_DOWN)
        fail_msg("round %d: up while suppressed", round);
    if (was->suppressed && h->status == GSLB_UP && what != 'r' &&
        gslb_health_penalty(was, r, now) > r->flap_reuse)
        fail_msg("round %d: up before the penalty fell", round);
    if (changed && was->status == GSLB_DOWN && r->manual_resume && what != 'r' && !was->resumed)
        fail_msg("round %d: up without the operator", round);
    if (changed && h->status == GSLB_UP && what == 'f')
        fail_msg("round %d: a failure brought it up", round);
    uint32_t top = r->flap_suppress > r->flap_reuse ? r->flap_suppress : r->flap_reuse + 1;
    uint32_t bound = r->flap_penalty ? top + 2 * r->flap_penalty - 1 : 0;
    if (h->penalty > bound)
        fail_msg("round %d: penalty %u of %u", round, h->penalty, bound);
    if ((h->resumed || h->resume_wanted) && h->status != GSLB_DOWN)
        fail_msg("round %d: a word about one that is not down", round);
    uint16_t permille = gslb_health_permille(h, r, now);
    if (permille < 100 || permille > 1000 || (permille < 1000 && h->status != GSLB_UP))
        fail_msg("round %d: %u permille", round, permille);
}

static void any_sequence_keeps_the_promises(void **state)
{
    (void)state;
    static const int64_t starts[] = {INT64_MIN + 1, -5000, 0, 1000000000000, INT64_MAX - 100000};
    struct rng rng;
    rng_init_fixed(&rng, 63);
    unsigned changes = 0, suppressed = 0, resumed = 0;
    for (int round = 0; round < 2000; round++) {
        struct gslb_rules r = any_rules(&rng);
        struct gslb_health h;
        gslb_health_init(&h);
        int64_t now = starts[rng_below(&rng, COUNT(starts))];
        for (int i = 0; i < 200; i++) {
            now = pass_time(&rng, now);
            char what = "ppppfffftnr"[rng_below(&rng, 11)];
            struct gslb_health was = h;
            bool changed = apply(&h, &r, what, now);
            assert_int_equal(changed, h.status != was.status);
            check_step(&was, &h, &r, what, now, round);
            check_next(&h, &r, now, &rng, round);
            changes += changed;
            suppressed += h.suppressed && !was.suppressed;
            resumed += changed && what == 'r';
        }
    }
    assert_true(changes > 10000 && suppressed > 1000 && resumed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_penalty_never_rises),
        cmocka_unit_test(a_naive_machine_agrees),
        cmocka_unit_test(any_sequence_keeps_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
