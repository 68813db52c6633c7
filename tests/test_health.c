/* Health: every transition as a row of a story, how long an outage stays unseen, several checks of
 * one member, the operator's word. */
#include "gslb/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define STEPS    16

/* ---- stories ---- */

struct step {
    int64_t at;
    char what; /* p pass, f fail, n no verdict, t tick, r resume */
    enum gslb_status status;
    const char *marks; /* u unsettled, s suppressed, w resume wanted */
    uint16_t permille;
};

#define X GSLB_UNKNOWN
#define U GSLB_UP
#define D GSLB_DOWN

static const struct story {
    const char *label;
    struct gslb_rules rules;
    struct step steps[STEPS];
} stories[] = {
    {"unknown: a first pass decides alone, and is no change",
     {.fail_after = 3, .pass_after = 2, .reset_after = 1, .hold_ms = 60000, .slow_start_ms = 60000},
     {{0, 't', X, "u", 1000}, {5, 'n', X, "u", 1000}, {10, 'p', U, "", 1000}}},
    {"unknown: a first failure decides alone, and holds nothing back",
     {.fail_after = 3, .pass_after = 2, .reset_after = 1, .hold_ms = 60000},
     {{0, 'f', D, "", 1000}, {1, 'p', D, "u", 1000}, {2, 'p', U, "u", 1000}}},
    {"unknown: nobody can resume it",
     {.fail_after = 3, .pass_after = 1, .manual_resume = true},
     {{0, 'r', X, "u", 1000}}},
    {"up: the third failure in a row",
     {.fail_after = 3, .pass_after = 2, .reset_after = 1},
     {{0, 'p', U, "", 1000},
      {10, 'f', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {30, 'f', D, "u", 1000},
      {10029, 't', D, "u", 1000},
      {10030, 't', D, "", 1000}}},
    {"up: one pass forgives two failures",
     {.fail_after = 3, .pass_after = 2, .reset_after = 1},
     {{0, 'p', U, "", 1000},
      {10, 'f', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {30, 'p', U, "", 1000},
      {40, 'f', U, "u", 1000},
      {50, 'f', U, "u", 1000},
      {60, 'f', D, "u", 1000}}},
    {"up: two passes forgive nothing where three are asked for",
     {.fail_after = 2, .pass_after = 2, .reset_after = 3},
     {{0, 'p', U, "", 1000},
      {10, 'f', U, "u", 1000},
      {20, 'p', U, "u", 1000},
      {30, 'p', U, "u", 1000},
      {40, 'f', D, "u", 1000}}},
    {"up: three passes forgive, and a failure restarts the run",
     {.fail_after = 3, .pass_after = 2, .reset_after = 3},
     {{0, 'p', U, "", 1000},
      {10, 'f', U, "u", 1000},
      {20, 'p', U, "u", 1000},
      {30, 'p', U, "u", 1000},
      {40, 'f', U, "u", 1000},
      {50, 'p', U, "u", 1000},
      {60, 'p', U, "u", 1000},
      {70, 'p', U, "", 1000}}},
    {"up: no verdict neither counts nor forgives",
     {.fail_after = 2, .pass_after = 2, .reset_after = 1},
     {{0, 'p', U, "", 1000},
      {10, 'f', U, "u", 1000},
      {20, 'n', U, "u", 1000},
      {30, 'n', U, "u", 1000},
      {40, 'f', D, "u", 1000}}},
    {"counts of 0 are 1",
     {0},
     {{0, 'p', U, "", 1000}, {10, 'f', D, "u", 1000}, {20, 'p', U, "u", 1000}}},
    {"down: the second pass in a row",
     {.fail_after = 1, .pass_after = 2, .reset_after = 1},
     {{0, 'f', D, "", 1000},
      {10, 'p', D, "u", 1000},
      {20, 'f', D, "", 1000},
      {30, 'p', D, "u", 1000},
      {40, 'n', D, "u", 1000},
      {50, 'p', U, "u", 1000},
      {10049, 't', U, "u", 1000},
      {10050, 't', U, "", 1000}}},
    {"hold: a change waits for its end, then time alone makes it",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .hold_ms = 20000},
     {{0, 'f', D, "", 1000},
      {10, 'p', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {20009, 't', U, "u", 1000},
      {20010, 't', D, "u", 1000},
      {20020, 'p', D, "u", 1000},
      {40009, 'p', D, "u", 1000},
      {40010, 'p', U, "u", 1000}}},
    {"hold: failures that a pass forgave within it are forgotten",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .hold_ms = 20000},
     {{0, 'f', D, "", 1000},
      {10, 'p', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {30, 'p', U, "u", 1000},
      {20010, 't', U, "", 1000}}},
    {"hold: the newest result counts before the end of the hold",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .hold_ms = 20000},
     {{0, 'f', D, "", 1000},
      {10, 'p', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {30000, 'p', U, "", 1000}}},
    {"hold: no verdict at its end is not a tick",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .hold_ms = 20000},
     {{0, 'f', D, "", 1000},
      {10, 'p', U, "u", 1000},
      {20, 'f', U, "u", 1000},
      {30000, 'n', U, "u", 1000},
      {30000, 't', D, "u", 1000}}},
    {"slow start: from a tenth to all, not while down",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .slow_start_ms = 9000},
     {{0, 'f', D, "", 1000},
      {1000, 'p', U, "u", 100},
      {1009, 't', U, "u", 100},
      {1010, 't', U, "u", 101},
      {5500, 't', U, "u", 550},
      {9999, 't', U, "u", 999},
      {10000, 't', U, "u", 1000},
      {10100, 'f', D, "u", 1000},
      {11000, 'p', U, "u", 100},
      {900000, 't', U, "", 1000}}},
    {"manual: passes make a wish, a failure takes it back",
     {.fail_after = 1, .pass_after = 2, .reset_after = 1, .manual_resume = true},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {20000, 'p', D, "u", 1000},
      {20010, 'p', D, "w", 1000},
      {20020, 'f', D, "", 1000},
      {20030, 'r', D, "", 1000},
      {20040, 'p', D, "u", 1000},
      {20050, 'r', D, "u", 1000},
      {20060, 'p', D, "w", 1000},
      {90000, 't', D, "w", 1000},
      {90010, 'r', U, "u", 1000},
      {90020, 'r', U, "u", 1000},
      {90030, 'f', D, "u", 1000},
      {90040, 'p', D, "u", 1000},
      {90050, 'p', D, "uw", 1000}}},
    {"manual: also after a first failure",
     {.fail_after = 1, .pass_after = 1, .reset_after = 1, .manual_resume = true},
     {{0, 'f', D, "", 1000}, {10, 'p', D, "w", 1000}, {20, 'r', U, "u", 1000}}},
    {"manual: the word is kept over a hold",
     {.fail_after = 1, .pass_after = 1, .hold_ms = 20000, .manual_resume = true},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {20, 'p', D, "uw", 1000},
      {30, 'r', D, "u", 1000},
      {20009, 't', D, "u", 1000},
      {20010, 't', U, "u", 1000}}},
    {"manual: a failure within the hold takes the word back",
     {.fail_after = 1, .pass_after = 1, .hold_ms = 20000, .manual_resume = true},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {20, 'p', D, "uw", 1000},
      {30, 'r', D, "u", 1000},
      {40, 'f', D, "u", 1000},
      {50, 'p', D, "uw", 1000},
      {90000, 't', D, "w", 1000}}},
    /* 1000, 2000, 3000: the third change takes it down for good; 3000 is 1500 after 100 s, and of
     * that 1000 after another 2/3 of 100 s. */
    {"flap: the second way down is suppressed until the penalty fell to reuse",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 1000,
      .flap_suppress = 3000,
      .flap_reuse = 1000,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {10, 'p', U, "u", 1000},
      {10, 'f', D, "us", 1000},
      {20, 'p', D, "us", 1000},
      {30, 'p', D, "us", 1000},
      {166676, 't', D, "us", 1000},
      {166677, 't', U, "u", 1000},
      {166677, 'f', D, "us", 1000}}},
    {"flap: a suppression may end before the passes suffice",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 2000,
      .flap_suppress = 2000,
      .flap_reuse = 1000,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "us", 1000},
      {100009, 't', D, "s", 1000},
      {100010, 't', D, "", 1000},
      {100020, 'p', U, "u", 1000}}},
    {"flap: a way up never suppresses",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 1000,
      .flap_suppress = 2000,
      .flap_reuse = 500,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {10, 'p', U, "u", 1000},
      {20000, 't', U, "", 1000},
      {20000, 'f', D, "us", 1000}}},
    {"flap: the operator ends a suppression, when it passes",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 2000,
      .flap_suppress = 2000,
      .flap_reuse = 1000,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "us", 1000},
      {20, 'r', D, "us", 1000},
      {30, 'p', D, "us", 1000},
      {40, 'r', U, "u", 1000}}},
    {"flap: after the operator's word there is as much left as after the wait",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 1000,
      .flap_suppress = 3000,
      .flap_reuse = 1000,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {10, 'p', U, "u", 1000},
      {10, 'f', D, "us", 1000},
      {20, 'p', D, "us", 1000},
      {100010, 'r', U, "u", 1000},
      {100010, 'f', D, "us", 1000}}},
    {"flap: the sum of penalties does not wrap",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 3000000000,
      .flap_suppress = UINT32_MAX,
      .flap_reuse = 1,
      .flap_half_life_ms = 100000},
     {{0, 'p', U, "", 1000},
      {10, 'f', D, "u", 1000},
      {10, 'p', U, "u", 1000},
      {10, 'f', D, "us", 1000}}},
    {"flap: a clock that stands still lets nothing decay",
     {.fail_after = 1,
      .pass_after = 1,
      .flap_penalty = 2000,
      .flap_suppress = 2000,
      .flap_reuse = 1999,
      .flap_half_life_ms = 1},
     {{7, 'p', U, "", 1000},
      {7, 'f', D, "us", 1000},
      {7, 'p', D, "us", 1000},
      {7, 't', D, "us", 1000},
      {8, 't', U, "u", 1000}}},
    {"clock: a jump of an age ends everything that waits",
     {.fail_after = 1,
      .pass_after = 1,
      .hold_ms = UINT32_MAX,
      .slow_start_ms = UINT32_MAX,
      .flap_penalty = UINT32_MAX,
      .flap_suppress = 1,
      .flap_half_life_ms = UINT32_MAX},
     {{INT64_MIN + 1, 'p', U, "", 1000},
      {INT64_MIN + 1, 'f', D, "us", 1000},
      {INT64_MIN + 2, 'p', D, "us", 1000},
      {INT64_MAX - 1, 't', U, "u", 100},
      {INT64_MAX, 't', U, "u", 100}}},
    {"flap: without a half-life there is no damping",
     {.fail_after = 1, .pass_after = 1, .flap_penalty = 1000, .flap_suppress = 1000},
     {{0, 'p', U, "", 1000}, {10, 'f', D, "u", 1000}, {20, 'p', U, "u", 1000}}},
};

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

static void marks_of(const struct gslb_health *h, const struct gslb_rules *r, int64_t at, char *out)
{
    if (gslb_health_unsettled(h, r, at))
        *out++ = 'u';
    if (h->suppressed)
        *out++ = 's';
    if (h->resume_wanted)
        *out++ = 'w';
    *out = 0;
}

static bool same_health(const struct gslb_health *a, const struct gslb_health *b)
{
    return a->status == b->status && a->fails == b->fails && a->passes == b->passes &&
           a->since_ms == b->since_ms && a->changed_ms == b->changed_ms &&
           a->seen_ms == b->seen_ms && a->penalty == b->penalty && a->penalty_ms == b->penalty_ms &&
           a->suppressed == b->suppressed && a->resume_wanted == b->resume_wanted &&
           a->resumed == b->resumed;
}

static void stories_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(stories); i++) {
        const struct story *s = &stories[i];
        struct gslb_health h;
        gslb_health_init(&h);
        for (size_t j = 0; j < STEPS && s->steps[j].what; j++) {
            const struct step *want = &s->steps[j];
            const struct gslb_health before = h;
            bool changed = apply(&h, &s->rules, want->what, want->at);
            char marks[4];
            marks_of(&h, &s->rules, want->at, marks);
            uint16_t permille = gslb_health_permille(&h, &s->rules, want->at);
            if (h.status != want->status || strcmp(marks, want->marks) != 0 ||
                permille != want->permille || changed != (h.status != before.status))
                fail_msg("%s: step %zu: status %d, \"%s\", %u permille, changed %d", s->label,
                         j + 1, h.status, marks, permille, changed);
            if (want->what == 'n' && !same_health(&before, &h))
                fail_msg("%s: step %zu: no verdict left a trace", s->label, j + 1);
            if ((want->what == 'p' || want->what == 'f') && h.seen_ms != want->at)
                fail_msg("%s: step %zu: not seen", s->label, j + 1);
            if (changed && h.since_ms != want->at)
                fail_msg("%s: step %zu: since another time", s->label, j + 1);
        }
    }
}

static void defaults_are_those_of_the_header(void **state)
{
    (void)state;
    struct gslb_rules r;
    memset(&r, 0xff, sizeof r);
    gslb_rules_default(&r);
    assert_int_equal(r.fail_after, 3);
    assert_int_equal(r.pass_after, 2);
    assert_int_equal(r.reset_after, 1);
    assert_int_equal(r.hold_ms, 0);
    assert_int_equal(r.slow_start_ms, 0);
    assert_int_equal(r.flap_penalty, 1000);
    assert_int_equal(r.flap_suppress, 3000);
    assert_int_equal(r.flap_reuse, 1000);
    assert_int_equal(r.flap_half_life_ms, 300000);
    assert_false(r.manual_resume);
}

/* A reload may bring other rules at any time; what waits is judged by the new ones. */
static void new_rules_apply_at_the_next_tick(void **state)
{
    (void)state;
    struct gslb_rules strict = {.fail_after = 1,
                                .pass_after = 1,
                                .hold_ms = 60000,
                                .flap_penalty = 5000,
                                .flap_suppress = 3000,
                                .flap_reuse = 1000,
                                .flap_half_life_ms = 300000,
                                .manual_resume = true};
    struct gslb_health h;
    gslb_health_init(&h);
    apply(&h, &strict, 'p', 0);
    apply(&h, &strict, 'f', 10);
    apply(&h, &strict, 'p', 20);
    assert_true(h.suppressed && h.resume_wanted && h.status == GSLB_DOWN);

    struct gslb_rules r = strict;
    r.flap_reuse = 5000;
    assert_int_equal(gslb_health_next(&h, &r, 30), 30);
    r.flap_penalty = 0;
    assert_int_equal(gslb_health_next(&h, &r, 30), 30);
    assert_false(gslb_health_tick(&h, &r, 30));
    assert_false(h.suppressed);
    r.hold_ms = 0;
    assert_false(gslb_health_tick(&h, &r, 30));
    assert_true(h.resume_wanted);
    r.manual_resume = false;
    assert_true(gslb_health_tick(&h, &r, 30));
    assert_int_equal(h.status, GSLB_UP);
    assert_int_equal(h.penalty, 0);
}

static void counts_do_not_wrap(void **state)
{
    (void)state;
    const struct gslb_rules r = {.fail_after = 2, .pass_after = 2, .hold_ms = 1000};
    struct gslb_health h = {.status = GSLB_UP, .fails = UINT32_MAX};
    assert_false(apply(&h, &r, 'f', 999));
    assert_int_equal(h.fails, UINT32_MAX);
    assert_true(apply(&h, &r, 't', 1000));
    h.passes = UINT32_MAX;
    assert_false(apply(&h, &r, 'p', 1999));
    assert_int_equal(h.passes, UINT32_MAX);
    assert_true(apply(&h, &r, 't', 2000));
}

/* ---- how long an outage stays unseen ---- */

static const struct {
    const char *label;
    struct gslb_rules rules;
    uint32_t interval_ms;
    uint32_t bound_ms;
} detections[] = {
    {"3 x 10 s", {.fail_after = 3, .pass_after = 2, .reset_after = 1}, 10000, 30000},
    {"1 x 10 s", {.fail_after = 1, .pass_after = 2, .reset_after = 1}, 10000, 10000},
    {"10 x 1 s, ten to forgive", {.fail_after = 10, .reset_after = 10}, 1000, 10000},
    {"2 x 5 s within a hold", {.fail_after = 2, .hold_ms = 60000}, 5000, 60000},
    {"damping delays no way down",
     {.fail_after = 3, .flap_penalty = 9000, .flap_suppress = 1, .flap_half_life_ms = 9},
     2000,
     6000},
};

/* The member breaks at any moment between two probes, after it just came up. */
static void an_outage_is_seen_in_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(detections); i++) {
        const struct gslb_rules *r = &detections[i].rules;
        uint32_t interval = detections[i].interval_ms, worst = 0;
        for (uint32_t broken = 1; broken <= interval; broken += interval / 50) {
            struct gslb_health h;
            gslb_health_init(&h);
            apply(&h, r, 'f', 0);
            while (h.status != GSLB_UP)
                apply(&h, r, 'p', 0);
            int64_t seen = INT64_MAX;
            for (int64_t t = interval; seen == INT64_MAX; t += interval)
                seen = apply(&h, r, t < broken ? 'p' : 'f', t) ? t : INT64_MAX;
            if ((uint64_t)(seen - broken) > worst)
                worst = (uint32_t)(seen - broken);
        }
        /* Not later, and the bound is no idle one: it is reached but for the first moment. */
        if (worst > detections[i].bound_ms || worst + 1 < detections[i].bound_ms)
            fail_msg("%s: %u ms of %u", detections[i].label, worst, detections[i].bound_ms);
    }
}

/* ---- penalty ---- */

static const struct {
    const char *label;
    uint32_t penalty, half_ms;
    int64_t at;
    uint32_t want;
} decays[] = {
    {"at once", 3000, 1000, 0, 3000},
    {"a quarter of the line", 3000, 1000, 250, 2625},
    {"a half-life", 3000, 1000, 1000, 1500},
    {"two", 3000, 1000, 2000, 750},
    {"between two and three", 3000, 1000, 2500, 563},
    {"eleven", 3000, 1000, 11000, 1},
    {"twelve", 3000, 1000, 12000, 0},
    {"the greatest, just before its half", UINT32_MAX, UINT32_MAX, UINT32_MAX - 1, 2147483648},
    {"the greatest, after 31", UINT32_MAX, 1, 31, 1},
    {"the greatest, after 32", UINT32_MAX, 1, 32, 0},
    {"an age", UINT32_MAX, 1, INT64_MAX, 0},
};

static void a_penalty_halves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decays); i++) {
        struct gslb_rules r = {
            .flap_penalty = 1, .flap_suppress = 1, .flap_half_life_ms = decays[i].half_ms};
        struct gslb_health h = {.penalty = decays[i].penalty, .penalty_ms = 0};
        uint32_t got = gslb_health_penalty(&h, &r, decays[i].at);
        if (got != decays[i].want)
            fail_msg("%s: %u, not %u", decays[i].label, got, decays[i].want);
    }
}

/* ---- several checks ---- */

static enum gslb_status as_the_header_says(enum gslb_combine how, unsigned k, unsigned up,
                                           unsigned down, unsigned unknown)
{
    if (how == GSLB_ALL_OF)
        return down ? GSLB_DOWN : unknown ? GSLB_UNKNOWN : GSLB_UP;
    unsigned all = up + down + unknown;
    if (!all)
        return GSLB_UP;
    if (how == GSLB_ANY_OF)
        return up ? GSLB_UP : unknown ? GSLB_UNKNOWN : GSLB_DOWN;
    k = k < 1 ? 1 : k > all ? all : k;
    return up >= k ? GSLB_UP : up + unknown >= k ? GSLB_UNKNOWN : GSLB_DOWN;
}

static void every_combination(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned count = 0, all = 1; count <= 5; count++, all *= 3) {
        for (unsigned word = 0; word < all; word++) {
            enum gslb_status checks[5];
            unsigned n[3] = {0};
            for (unsigned i = 0, rest = word; i < count; i++, rest /= 3)
                n[checks[i] = (enum gslb_status)(rest % 3)]++;
            for (unsigned how = GSLB_ALL_OF; how <= GSLB_K_OF; how++)
                for (unsigned k = 0; k <= 7; k++, seen++) {
                    enum gslb_status got = gslb_combine(how, k, checks, count);
                    enum gslb_status want =
                        as_the_header_says(how, k, n[GSLB_UP], n[GSLB_DOWN], n[GSLB_UNKNOWN]);
                    if (got != want)
                        fail_msg("how %u, k %u: %u up, %u down, %u unknown: %d, not %d", how, k,
                                 n[GSLB_UP], n[GSLB_DOWN], n[GSLB_UNKNOWN], got, want);
                }
        }
    }
    assert_int_equal(seen, (1 + 3 + 9 + 27 + 81 + 243) * 3 * 8);
}

/* ---- the operator's word ---- */

#define EVER INT64_MAX
#define NONE                     \
    {                            \
        .force = GSLB_FORCE_NONE \
    }
#define FORCE(what, until)                \
    {                                     \
        GSLB_FORCE_##what, 0, 0, until, 0 \
    }
#define WEIGHT(permille)                        \
    {                                           \
        GSLB_FORCE_WEIGHT, permille, 0, EVER, 0 \
    }
#define DRAIN(since, len, until)               \
    {                                          \
        GSLB_FORCE_DRAIN, 0, since, until, len \
    }

static const struct {
    const char *label;
    enum gslb_status status;
    uint16_t permille;
    const char *given; /* u unsettled, c not yet warm */
    struct gslb_forced f;
    int64_t now;
    const char *marks; /* u unsettled, f forced */
    uint16_t want;     /* permille; 0: not up */
    int64_t until, next;
} effects[] = {
    {"up", U, 1000, "", NONE, 5, "", 1000, EVER, EVER},
    {"up, slowly", U, 130, "u", NONE, 5, "u", 130, EVER, EVER},
    {"up with no weight is not up", U, 0, "", NONE, 5, "", 0, EVER, EVER},
    {"more than all is all", U, 1001, "", NONE, 5, "", 1000, EVER, EVER},
    {"down", D, 1000, "u", NONE, 5, "u", 0, EVER, EVER},
    {"unknown after the warm-up", X, 1000, "u", NONE, 5, "u", 1000, EVER, EVER},
    {"unknown before its end", X, 1000, "uc", NONE, 5, "u", 0, EVER, EVER},
    {"up before its end", U, 1000, "c", NONE, 5, "", 1000, EVER, EVER},
    {"forced up", D, 1000, "u", FORCE(UP, EVER), 5, "f", 1000, EVER, EVER},
    {"forced up, no slow start", U, 130, "uc", FORCE(UP, 9), 5, "f", 1000, 9, 9},
    {"forced down", U, 1000, "u", FORCE(DOWN, EVER), 5, "f", 0, EVER, EVER},
    {"last moment", U, 1000, "", FORCE(DOWN, 9), 8, "f", 0, 9, 9},
    {"expired", U, 1000, "", FORCE(DOWN, 9), 9, "", 1000, EVER, EVER},
    {"until it is lifted, at the end of time", U, 1000, "", FORCE(DOWN, EVER), INT64_MAX, "f", 0,
     EVER, EVER},
    {"weight", U, 1000, "", WEIGHT(250), 5, "f", 250, EVER, EVER},
    {"weight of a slow start", U, 500, "u", WEIGHT(250), 5, "uf", 125, EVER, EVER},
    {"weight rounds up", U, 101, "u", WEIGHT(1), 5, "uf", 1, EVER, EVER},
    {"weight is at most all", U, 1000, "", WEIGHT(9999), 5, "f", 1000, EVER, EVER},
    {"weight brings nobody up", D, 1000, "", WEIGHT(250), 5, "f", 0, EVER, EVER},
    {"weight 0 is down", U, 1000, "", WEIGHT(0), 5, "f", 0, EVER, EVER},
    {"drain begins", U, 1000, "", DRAIN(100, 40, EVER), 100, "uf", 1000, EVER, 102},
    {"drain, half", U, 1000, "", DRAIN(100, 40, EVER), 120, "uf", 500, EVER, 122},
    {"drain, between two steps", U, 1000, "", DRAIN(100, 40, EVER), 121, "uf", 475, EVER, 122},
    {"drain of a slow start", U, 200, "u", DRAIN(100, 40, EVER), 120, "uf", 100, EVER, 122},
    {"drain, last moment", U, 1000, "", DRAIN(100, 40, EVER), 139, "uf", 25, EVER, 140},
    {"drain, last moment of little", U, 1, "", DRAIN(100, 40, EVER), 139, "uf", 1, EVER, 140},
    {"drained", U, 1000, "u", DRAIN(100, 40, EVER), 140, "f", 0, EVER, EVER},
    {"drain at once", U, 1000, "", DRAIN(100, 0, 900), 100, "f", 0, 900, 900},
    {"drain brings nobody up", D, 1000, "", DRAIN(100, 40, EVER), 110, "uf", 0, EVER, 112},
    {"drain from a time ahead of the clock", U, 1000, "", DRAIN(100, 40, EVER), 90, "uf", 1000,
     EVER, 102},
    {"drain expires within its ramp", U, 1000, "", DRAIN(100, 40, 121), 120, "uf", 500, 121, 121},
    {"the longest drain", U, 1000, "", DRAIN(INT64_MAX - 5, UINT32_MAX, EVER), INT64_MAX - 1, "uf",
     1000, EVER, EVER},
    {"drain since ever", U, 1000, "", DRAIN(INT64_MIN, UINT32_MAX, EVER), INT64_MIN + 1, "f", 0,
     EVER, EVER},
};

static void the_operator_has_the_last_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(effects); i++) {
        const struct gslb_forced *f = &effects[i].f;
        bool given_unsettled = strchr(effects[i].given, 'u'), warm = !strchr(effects[i].given, 'c');
        bool unsettled = strchr(effects[i].marks, 'u'), forced = strchr(effects[i].marks, 'f');
        for (unsigned absent = 0; absent < (f->force == GSLB_FORCE_NONE ? 2 : 1); absent++) {
            struct gslb_effect e =
                gslb_health_effect(effects[i].status, effects[i].permille, given_unsettled,
                                   absent ? NULL : f, warm, effects[i].now);
            int64_t next = gslb_forced_next(absent ? NULL : f, effects[i].now);
            if (e.permille != effects[i].want || e.up != (effects[i].want > 0) ||
                e.unsettled != unsettled || e.forced != forced || e.until_ms != effects[i].until ||
                next != effects[i].next)
                fail_msg("%s: up %d, %u permille, unsettled %d, forced %d, until %lld, next %lld",
                         effects[i].label, e.up, e.permille, e.unsettled, e.forced,
                         (long long)e.until_ms, (long long)next);
        }
    }
}

/* Followed from step to step a drain only falls, never by much more than a step, and ends. */
static void a_drain_falls_in_steps(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 7, 20, 21, 999, 60000, UINT32_MAX};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct gslb_forced f = {.force = GSLB_FORCE_DRAIN,
                                .since_ms = -3,
                                .until_ms = INT64_MAX,
                                .drain_ms = lengths[i]};
        int64_t now = -3;
        uint16_t last = 1000;
        unsigned steps = 0;
        for (int64_t next; (next = gslb_forced_next(&f, now)) != INT64_MAX; now = next, steps++) {
            struct gslb_effect e = gslb_health_effect(GSLB_UP, 1000, false, &f, true, next);
            if (next <= now || e.permille >= last || (lengths[i] >= 999 && last - e.permille > 52))
                fail_msg("%u ms: from %u to %u permille", lengths[i], last, e.permille);
            last = e.permille;
        }
        if (last != 0 || now != (int64_t)lengths[i] - 3 || steps > 20)
            fail_msg("%u ms: ends with %u permille after %u steps", lengths[i], last, steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories_are_told),
        cmocka_unit_test(defaults_are_those_of_the_header),
        cmocka_unit_test(new_rules_apply_at_the_next_tick),
        cmocka_unit_test(counts_do_not_wrap),
        cmocka_unit_test(an_outage_is_seen_in_time),
        cmocka_unit_test(a_penalty_halves),
        cmocka_unit_test(every_combination),
        cmocka_unit_test(the_operator_has_the_last_word),
        cmocka_unit_test(a_drain_falls_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
