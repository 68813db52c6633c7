/* Policies row by row, and the shares they give over many picks. */
#include "gslb/policy.h"

#include "base/err.h"
#include "pools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __has_feature
#define BUILT_WITH(feature) __has_feature(feature)
#else
#define BUILT_WITH(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__) || \
    BUILT_WITH(address_sanitizer) || BUILT_WITH(thread_sanitizer)
#define SLOW 1
#else
#define SLOW 0
#endif

enum { PICKS = 1000000 };

struct row {
    const char *label;
    enum gslb_policy policy;
    const char *members;
    unsigned want;
    uint32_t healthy, band;
    enum gslb_verdict verdict;
    const char *given;
};

#define YES GSLB_USABLE
#define NO  GSLB_UNUSABLE
static const struct row rows[] = {
    {"first", GSLB_FAILOVER, "1 1 1", 0, 0, 0, YES, "0"},
    {"first is down", GSLB_FAILOVER, "1d 1 1", 0, 0, 0, YES, "1"},
    {"first is drained", GSLB_FAILOVER, "1p0 1 1", 0, 0, 0, YES, "1"},
    {"first has no weight", GSLB_FAILOVER, "0 1 1", 0, 0, 0, YES, "1"},
    {"two in order", GSLB_FAILOVER, "1 1d 1 1", 2, 0, 0, YES, "0 2"},
    {"more wanted than there are", GSLB_FAILOVER, "1 1d 1", 9, 0, 0, YES, "0 2"},
    {"one member", GSLB_FAILOVER, "5", 0, 0, 0, YES, "0"},
    {"no member", GSLB_FAILOVER, "", 0, 0, 0, NO, ""},
    {"all down", GSLB_FAILOVER, "1d 1d", 0, 0, 0, NO, ""},
    {"no weight at all", GSLB_WEIGHTED, "0 0", 0, 0, 0, NO, ""},
    {"no weight at all, any share will do", GSLB_ALL, "0 0", 0, 1, 0, NO, ""},
    {"each of none", GSLB_WEIGHTED_EACH, "1d 2d", 0, 0, 0, NO, ""},
    {"groups of none", GSLB_WEIGHTED_GROUPS, "1d", 0, 0, 0, NO, ""},
    {"turn of none", GSLB_ROUND_ROBIN, "1d 1d", 0, 0, 0, NO, ""},
    {"smooth turn of none", GSLB_WEIGHTED_ROUND_ROBIN, "1d 1d", 0, 0, 0, NO, ""},
    {"least load of none", GSLB_LEAST_LOAD, "1dl1", 0, 0, 0, NO, ""},
    {"fastest of none", GSLB_FASTEST, "1dr1", 0, 0, 0, NO, ""},
    {"hash of none", GSLB_HASH, "1d", 0, 0, 0, NO, ""},
    {"consistent of none", GSLB_CONSISTENT, "1d", 0, 0, 0, NO, ""},
    {"sticky of none", GSLB_STICKY, "1d", 0, 0, 0, NO, ""},
    {"7 of 100 at 7 %", GSLB_ALL, "7 93d", 0, 70, 0, YES, "0"},
    {"7 of 100 at 7.1 %", GSLB_ALL, "7 93d", 0, 71, 0, NO, "0"},
    {"6 of 100 at 7 %", GSLB_ALL, "6 94d", 0, 70, 0, NO, "0"},
    {"all must be up and are", GSLB_ALL, "1 1 1", 0, 1000, 0, YES, "0 1 2"},
    {"all must be up, one is not", GSLB_ALL, "1 1d 1", 0, 1000, 0, NO, "0 2"},
    {"slow start counts in full", GSLB_ALL, "1p100 1p1", 0, 1000, 0, YES, "0 1"},
    {"a drained one does not", GSLB_ALL, "1 1p0", 0, 501, 0, NO, "0"},
    {"one without weight needs no health", GSLB_ALL, "1 0d", 0, 1000, 0, YES, "0"},
    {"all, cut", GSLB_ALL, "1 1 1", 2, 0, 0, YES, "0 1"},
    {"turns begin in front", GSLB_ROUND_ROBIN, "1d 1 1", 0, 0, 0, YES, "1"},
    {"smooth turns begin with the heaviest", GSLB_WEIGHTED_ROUND_ROBIN, "1 3 2", 3, 0, 0, YES,
     "1 2 0"},
    {"weighted, one is up", GSLB_WEIGHTED, "1d 1p1 9d", 0, 0, 0, YES, "1"},
    {"each: the greatest always", GSLB_WEIGHTED_EACH, "7 7 7", 0, 0, 0, YES, "0 1 2"},
    {"groups: one group of equals", GSLB_WEIGHTED_GROUPS, "7g2 7g2 7g1d", 0, 0, 0, YES, "0 1"},
    {"least load", GSLB_LEAST_LOAD, "1l30 1l10 1l20", 3, 0, 0, YES, "1 2 0"},
    {"load 0 is known", GSLB_LEAST_LOAD, "1l30 1l0 1l20", 0, 0, 0, YES, "1"},
    {"least load is down", GSLB_LEAST_LOAD, "1l30 1l10d 1l20", 0, 0, 0, YES, "2"},
    {"unknown is the mean, not the least", GSLB_LEAST_LOAD, "1 1l10 1l30", 3, 0, 0, YES, "1 0 2"},
    {"stale load is not in the mean", GSLB_LEAST_LOAD, "1u900 1l10 1l30", 3, 0, 0, YES, "1 0 2"},
    {"the mean leaves out who is down", GSLB_LEAST_LOAD, "1 1l10d 1l30 1l50", 3, 0, 0, YES,
     "2 0 3"},
    {"greatest loads", GSLB_LEAST_LOAD, "1l1000000 1l999999", 2, 0, 0, YES, "1 0"},
    {"fastest", GSLB_FASTEST, "1r300 1r100 1r200", 3, 0, 0, YES, "1 2 0"},
    {"unknown is behind all", GSLB_FASTEST, "1 1r100 1r4000000000", 3, 0, 0, YES, "1 2 0"},
    {"fastest is down", GSLB_FASTEST, "1r300 1r100d 1r200", 0, 0, 99, YES, "2"},
    {"down in front of the others", GSLB_FASTEST, "1dr1 1r300 1r100", 2, 0, 0, YES, "2 1"},
    {"down in front of others' loads", GSLB_LEAST_LOAD, "1dl1 1l300 1l100", 2, 0, 0, YES, "2 1"},
    {"just outside the band", GSLB_FASTEST, "1r151 1r100", 2, 0, 50, YES, "1 0"},
    {"consistent, one", GSLB_CONSISTENT, "4", 0, 0, 0, YES, "0"},
    {"consistent, one over", GSLB_CONSISTENT, "4o", 0, 0, 0, YES, "0"},
    {"consistent, another over", GSLB_CONSISTENT, "4o 1", 0, 0, 0, YES, "1"},
    {"over is last, but given", GSLB_CONSISTENT, "900o 1", 5, 0, 0, YES, "1 0"},
    {"sticky knows no bound", GSLB_STICKY, "1048576o 1", 0, 0, 0, YES, "0"},
    {"hash, one", GSLB_HASH, "1d 3", 0, 0, 0, YES, "1"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct row *row = &rows[r];
        struct pool b;
        pool_make(&b, row->policy, row->members);
        b.pick.want = row->want;
        b.pick.healthy_permille = row->healthy;
        b.pick.band_us = row->band;
        uint16_t out[MOST];
        unsigned n = 99;
        enum gslb_verdict v = gslb_pick(&b.pick, out, &n);
        char given[64] = "";
        for (unsigned k = 0, len = 0; k < n && n <= MOST; k++)
            len +=
                (unsigned)snprintf(given + len, sizeof given - len, "%s%u", k ? " " : "", out[k]);
        if (v != row->verdict || n > MOST || strcmp(given, row->given))
            fail_msg("%s: \"%s\" (%u), not \"%s\" (%u)", row->label, given, v, row->given,
                     row->verdict);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const enum gslb_policy by_client[] = {GSLB_HASH, GSLB_CONSISTENT, GSLB_STICKY};
    for (int p = 0; p < GSLB_POLICIES; p++) {
        assert_int_equal(gslb_policy_parse(gslb_policy_name(p)), p);
        bool uses = false;
        for (size_t k = 0; k < sizeof by_client / sizeof *by_client; k++)
            uses |= p == (int)by_client[k];
        /* Neither more nor less than what the answer shows. */
        bool differs = false;
        struct pool b;
        pool_make(&b, p, "1l5r5 1l5r5 1l5r5");
        uint16_t out[MOST], first[MOST];
        unsigned n;
        gslb_pick(&b.pick, first, &n);
        for (b.pick.client = 1; b.pick.client < 40; b.pick.client++) {
            gslb_pick(&b.pick, out, &n);
            differs |= out[0] != first[0];
        }
        bool by_name = false;
        b.pick.client = 0;
        for (b.pick.name = 1; b.pick.name < 40; b.pick.name++) {
            gslb_pick(&b.pick, out, &n);
            by_name |= out[0] != first[0];
        }
        if (gslb_policy_uses_client(p) != uses || differs != uses || by_name != uses)
            fail_msg("%s: uses the client %d, changes with it %d, with the name %d",
                     gslb_policy_name(p), gslb_policy_uses_client(p), differs, by_name);
    }
    assert_string_equal(gslb_policy_name(GSLB_WEIGHTED_ROUND_ROBIN), "weighted-round-robin");
    assert_int_equal(gslb_policy_parse("fail-over"), ERR_SYNTAX);
    assert_int_equal(gslb_policy_parse(""), ERR_SYNTAX);
}

static const struct odds_row {
    const char *label;
    enum gslb_policy policy;
    const char *members;
    unsigned want;
    bool shuffle, first; /* only the first place counts */
    uint32_t band;
    double odds[MOST];
} odds_rows[] = {
    {"1:1", GSLB_WEIGHTED, "1 1", 0, 0, 0, 0, {1 / 2., 1 / 2.}},
    {"3:1", GSLB_WEIGHTED, "3 1", 0, 0, 0, 0, {3 / 4., 1 / 4.}},
    {"1:999", GSLB_WEIGHTED, "1 999", 0, 0, 0, 0, {1 / 1000., 999 / 1000.}},
    {"after a failure", GSLB_WEIGHTED, "3 4d 1", 0, 0, 0, 0, {3 / 4., 0, 1 / 4.}},
    {"1:999 after a failure", GSLB_WEIGHTED, "1 50d 999", 0, 0, 0, 0, {1 / 1000., 0, 999 / 1000.}},
    {"no weight, no answer", GSLB_WEIGHTED, "0 1 2", 0, 0, 0, 0, {0, 1 / 3., 2 / 3.}},
    {"slow start of a weight of 1", GSLB_WEIGHTED, "1p1 1", 0, 0, 0, 0, {1 / 1001., 1000 / 1001.}},
    {"forced above all", GSLB_WEIGHTED, "1p3000 1", 0, 0, 0, 0, {3 / 4., 1 / 4.}},
    {"first of two", GSLB_WEIGHTED, "3 1 4", 2, 0, 1, 0, {3 / 8., 1 / 8., 4 / 8.}},
    {"each", GSLB_WEIGHTED_EACH, "1 2 4", 0, 0, 0, 0, {1 / 4., 2 / 4., 1}},
    {"each of the least products", GSLB_WEIGHTED_EACH, "1p1 2p1 4p1", 0, 0, 0, 0, {.25, .5, 1}},
    {"the least products", GSLB_WEIGHTED, "1p1 2p1 1p1", 0, 0, 0, 0, {.25, .5, .25}},
    {"each, shuffled", GSLB_WEIGHTED_EACH, "1 2 4", 0, 1, 0, 0, {1 / 4., 2 / 4., 1}},
    {"each, one is down", GSLB_WEIGHTED_EACH, "1 2 4d", 0, 0, 0, 0, {1 / 2., 1, 0}},
    {"each, slow start", GSLB_WEIGHTED_EACH, "4p250 4", 0, 0, 0, 0, {1 / 4., 1}},
    {"groups", GSLB_WEIGHTED_GROUPS, "1g1 2g1 3g2 6g2", 0, 0, 0, 0, {1 / 8., 1 / 4., 3 / 8., .75}},
    {"groups, one is down",
     GSLB_WEIGHTED_GROUPS,
     "1g1 2g1 3g2 6g2d",
     0,
     0,
     0,
     0,
     {1 / 4., 1 / 2., 1 / 2., 0}},
    {"no loads known", GSLB_LEAST_LOAD, "3 1", 0, 0, 0, 0, {3 / 4., 1 / 4.}},
    {"equal loads", GSLB_LEAST_LOAD, "3l5 1l5 9l6", 0, 0, 0, 0, {3 / 4., 1 / 4., 0}},
    {"unknown equals the mean", GSLB_LEAST_LOAD, "3 1l5", 0, 0, 0, 0, {3 / 4., 1 / 4.}},
    {"in the band", GSLB_FASTEST, "3r150 1r100 9r151 9", 0, 0, 0, 50, {3 / 4., 1 / 4., 0, 0}},
    {"first in the band", GSLB_FASTEST, "3r150 1r100 9r151", 3, 0, 1, 50, {3 / 4., 1 / 4., 0}},
    {"no round trip known", GSLB_FASTEST, "3 1", 0, 0, 0, 50, {3 / 4., 1 / 4.}},
    {"failover", GSLB_FAILOVER, "1d 3 1", 0, 0, 0, 0, {0, 1, 0}},
    {"failover of two", GSLB_FAILOVER, "1d 3 1", 2, 1, 0, 0, {0, 1, 1}},
    {"all", GSLB_ALL, "1d 3 1", 0, 1, 0, 0, {0, 1, 1}},
    {"two of all at random", GSLB_ALL, "9 3 1", 2, 1, 0, 0, {2 / 3., 2 / 3., 2 / 3.}},
};

static void test_odds(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    for (size_t r = 0; r < sizeof odds_rows / sizeof *odds_rows; r++) {
        const struct odds_row *row = &odds_rows[r];
        struct pool b;
        pool_make(&b, row->policy, row->members);
        b.pick.want = row->want;
        b.pick.shuffle = row->shuffle;
        b.pick.band_us = row->band;
        uint64_t odds[MOST];
        gslb_odds(&b.pick, odds);
        unsigned counts[MOST] = {0};
        for (unsigned k = 0; k < PICKS; k++) {
            uint16_t out[MOST];
            unsigned n;
            b.pick.random = fresh(&seed);
            gslb_pick(&b.pick, out, &n);
            for (unsigned i = 0; i < (row->first ? 1 : n); i++)
                counts[out[i]]++;
        }
        double total = 0;
        for (unsigned i = 0; i < b.pick.count; i++) {
            total += row->odds[i];
            if (fabs((double)odds[i] - row->odds[i] * 4294967296.0) > 1)
                fail_msg("%s: odds of %u are %.9f, not %.9f", row->label, i,
                         (double)odds[i] / 4294967296.0, row->odds[i]);
            expect_share(row->label, i, counts[i], PICKS, row->odds[i]);
        }
        if (fabs(total - 1) < 1e-9)
            expect_chi(row->label, counts, row->odds, b.pick.count, PICKS);
    }
}

/* 10^8 picks take seconds when optimised; 10^7 elsewhere, where fewer than 24 are the bound. */
static void test_tiny_weight(void **state)
{
    (void)state;
    const unsigned picks = SLOW ? 10000000 : 100000000;
    uint64_t seed = 4101842887655102017;
    struct pool b;
    pool_make(&b, GSLB_WEIGHTED, "1 1048576");
    unsigned hits = 0;
    for (unsigned k = 0; k < picks; k++) {
        uint16_t out[MOST];
        unsigned n;
        b.pick.random = fresh(&seed);
        gslb_pick(&b.pick, out, &n);
        hits += out[0] == 0;
    }
    print_message("1:2^20: %u of %u, expected %.1f\n", hits, picks, picks / 1048577.0);
    if (!hits)
        fail_msg("never in %u", picks);
    expect_share("1:2^20", 0, hits, picks, 1 / 1048577.0);
}

/* All weights and factors at their greatest: nothing overflows, shares stay even. */
static void test_greatest(void **state)
{
    (void)state;
    static struct gslb_member members[GSLB_MEMBERS_MAX];
    static struct gslb_member_state states[GSLB_MEMBERS_MAX];
    static unsigned counts[GSLB_MEMBERS_MAX];
    static double shares[GSLB_MEMBERS_MAX];
    uint64_t seed = 7, odds[GSLB_MEMBERS_MAX];
    uint16_t out[GSLB_MEMBERS_MAX];
    unsigned n;
    for (unsigned i = 0; i < GSLB_MEMBERS_MAX; i++) {
        members[i] = (struct gslb_member){.id = i, .weight = GSLB_WEIGHT_MAX};
        states[i] = (struct gslb_member_state){.up = true, .permille = UINT16_MAX};
        shares[i] = 1.0 / GSLB_MEMBERS_MAX;
    }
    for (int policy = 0; policy < GSLB_POLICIES; policy++) {
        struct gslb_pick p = {.policy = policy,
                              .members = members,
                              .states = states,
                              .count = GSLB_MEMBERS_MAX,
                              .healthy_permille = 1000};
        uint64_t total = 0;
        gslb_odds(&p, odds);
        for (unsigned i = 0; i < p.count; i++)
            total += odds[i];
        p.want = p.count;
        assert_int_equal(gslb_pick(&p, out, &n), GSLB_USABLE);
        if (n != p.count || total % (1ULL << 32))
            fail_msg("%s: %u given, odds of %.3f", gslb_policy_name(policy), n,
                     (double)total / 4294967296.0);
    }
    enum { LOOPS = 40000 };
    for (unsigned k = 0; k < LOOPS; k++) {
        struct gslb_pick p = {.policy = k % 2 ? GSLB_WEIGHTED : GSLB_CONSISTENT,
                              .members = members,
                              .states = states,
                              .count = GSLB_MEMBERS_MAX,
                              .client = k,
                              .random = fresh(&seed)};
        gslb_pick(&p, out, &n);
        counts[out[0]]++;
    }
    expect_chi("1024 equals", counts, shares, GSLB_MEMBERS_MAX, LOOPS);
}

/* Ordered pairs: who is second is drawn by weight among the others; a shuffle is even. */
static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum gslb_policy policy;
        const char *members;
        unsigned want;
        bool shuffle;
        double shares[6]; /* 01 02 10 12 20 21 */
    } cases[] = {
        {"second by weight",
         GSLB_WEIGHTED,
         "1 2 3",
         2,
         false,
         {1 / 6. * 2 / 5, 1 / 6. * 3 / 5, 2 / 6. * 1 / 4, 2 / 6. * 3 / 4, 3 / 6. * 1 / 3,
          3 / 6. * 2 / 3}},
        {"all are given by weight",
         GSLB_WEIGHTED,
         "1 2 3",
         3,
         false,
         {1 / 6. * 2 / 5, 1 / 6. * 3 / 5, 2 / 6. * 1 / 4, 2 / 6. * 3 / 4, 3 / 6. * 1 / 3,
          3 / 6. * 2 / 3}},
        {"all in order", GSLB_ALL, "1 2 3", 0, false, {1}},
        {"all shuffled",
         GSLB_ALL,
         "1 2 3",
         0,
         true,
         {1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6.}},
        {"two of all",
         GSLB_ALL,
         "1 2 3",
         2,
         true,
         {1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6.}},
        {"all of weights shuffled",
         GSLB_WEIGHTED,
         "1 2 3",
         3,
         true,
         {1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6., 1 / 6.}},
        {"two of each, cut at random",
         GSLB_WEIGHTED_EACH,
         "2 2 2",
         2,
         false,
         {1 / 3., 1 / 3., 0, 1 / 3.}},
        {"equals of the least load",
         GSLB_LEAST_LOAD,
         "1l5 1l5 1l4",
         2,
         false,
         {0, 0, 0, 0, 1 / 2., 1 / 2.}},
    };
    uint64_t seed = 1442695040888963407;
    for (size_t r = 0; r < sizeof cases / sizeof *cases; r++) {
        struct pool b;
        pool_make(&b, cases[r].policy, cases[r].members);
        b.pick.want = cases[r].want;
        b.pick.shuffle = cases[r].shuffle;
        unsigned counts[6] = {0};
        enum { LOOPS = 300000 };
        for (unsigned k = 0; k < LOOPS; k++) {
            uint16_t out[MOST];
            unsigned n;
            b.pick.random = fresh(&seed);
            gslb_pick(&b.pick, out, &n);
            if (n != (cases[r].want ? cases[r].want : 3) || out[0] == out[1])
                fail_msg("%s: %u members, %u %u", cases[r].label, n, out[0], out[1]);
            counts[out[0] * 2 + out[1] - (out[1] > out[0])]++;
        }
        expect_chi(cases[r].label, counts, cases[r].shares, 6, LOOPS);
    }
}

struct turns {
    struct gslb_policy_state *state;
    struct pool b;
};

static void turns_start(struct turns *t, enum gslb_policy policy, const char *members)
{
    pool_make(&t->b, policy, members);
    t->state = malloc(gslb_policy_state_size(t->b.pick.count));
    assert_non_null(t->state);
    gslb_policy_state_init(t->state, t->b.pick.count);
    t->b.pick.state = t->state;
}

static unsigned turn(struct turns *t)
{
    uint16_t out[MOST];
    unsigned n;
    gslb_pick(&t->b.pick, out, &n);
    return n ? out[0] : MOST;
}

static void test_smooth(void **state)
{
    (void)state;
    static const struct {
        const char *label, *members;
        unsigned period, counts[MOST];
    } cases[] = {
        {"equal", "1 1 1", 3, {1, 1, 1}},
        {"5:1:1", "5 1 1", 7, {5, 1, 1}},
        {"3:2:0:7", "3 2 0 7", 12, {3, 2, 0, 7}},
        {"one", "9", 9, {9}},
        {"one is down", "5 9d 2", 7, {5, 0, 2}},
        {"in slow start", "10p100 10 1", 12, {1, 10, 1}},
        {"the least products", "5p1 1p1 1p1", 7, {5, 1, 1}},
        {"1:999", "1 999", 1000, {1, 999}},
        {"1:2^18", "1 262144", 262145, {1, 262144}},
    };
    for (size_t r = 0; r < sizeof cases / sizeof *cases; r++) {
        struct turns t;
        turns_start(&t, GSLB_WEIGHTED_ROUND_ROBIN, cases[r].members);
        for (unsigned pass = 0; pass < 5; pass++) {
            unsigned counts[MOST + 1] = {0};
            for (unsigned k = 0; k < cases[r].period; k++)
                counts[turn(&t)]++;
            if (memcmp(counts, cases[r].counts, sizeof cases[r].counts))
                fail_msg("%s: period %u: %u %u %u %u", cases[r].label, pass, counts[0], counts[1],
                         counts[2], counts[3]);
        }
        free(t.state);
    }
}

/* 5:1:1 is spread, not in a row; NULL, a foreign state and explain do not move it. */
static void test_smooth_order(void **state)
{
    (void)state;
    static const unsigned order[] = {0, 0, 1, 0, 2, 0, 0};
    struct turns t;
    turns_start(&t, GSLB_WEIGHTED_ROUND_ROBIN, "5 1 1");
    for (unsigned k = 0; k < 14; k++) {
        uint64_t odds[MOST];
        gslb_odds(&t.b.pick, odds);
        assert_int_equal(odds[0], (5ULL << 32) / 7);
        t.b.pick.state = NULL;
        assert_int_equal(turn(&t), 0);
        t.b.pick.state = t.state;
        t.b.pick.count = 2;
        assert_int_equal(turn(&t), 0);
        t.b.pick.count = 3;
        if (turn(&t) != order[k % 7])
            fail_msg("turn %u", k);
    }
    free(t.state);
}

/* Members that come and go: who is up is exact over a period again, and nobody bursts. */
static void test_smooth_changes(void **state)
{
    (void)state;
    struct turns t;
    uint64_t seed = 3;
    turns_start(&t, GSLB_WEIGHTED_ROUND_ROBIN, "5 3 1 4");
    for (unsigned round = 0; round < 2000; round++) {
        unsigned gone = (unsigned)(fresh(&seed) >> 62), total = 0, counts[MOST + 1] = {0};
        for (unsigned k = (unsigned)(fresh(&seed) >> 60); k > 0; k--)
            turn(&t);
        t.b.states[gone].up = !t.b.states[gone].up;
        for (unsigned i = 0; i < 4; i++)
            total += t.b.states[i].up ? t.b.members[i].weight : 0;
        for (unsigned k = 0; k < total; k++)
            counts[turn(&t)]++;
        for (unsigned i = 0; i < 4 && total; i++) {
            int off = (int)counts[i] - (t.b.states[i].up ? (int)t.b.members[i].weight : 0);
            if (abs(off) > 2 || (off && !t.b.states[i].up))
                fail_msg("round %u: member %u %u times of %u", round, i, counts[i], total);
        }
    }
    /* From a weight 2^20 times as great nothing is left that lasts. */
    for (unsigned i = 0; i < 4; i++)
        t.b.states[i].up = i < 2;
    t.b.members[0].weight = t.b.members[1].weight = GSLB_WEIGHT_MAX;
    turn(&t);
    t.b.members[0].weight = t.b.members[1].weight = 1;
    unsigned counts[MOST + 1] = {0};
    for (unsigned k = 0; k < 200; k++)
        counts[turn(&t)]++;
    assert_in_range(counts[0], 60, 140);
    memset(counts, 0, sizeof counts);
    for (unsigned k = 0; k < 100; k++)
        counts[turn(&t)]++;
    assert_int_equal(counts[0], 50);
    free(t.state);
}

static void test_round_robin(void **state)
{
    (void)state;
    struct turns t;
    turns_start(&t, GSLB_ROUND_ROBIN, "1 9 1 1");
    static const struct {
        int toggled;
        unsigned given;
    } steps[] = {{-1, 0}, {-1, 1}, {-1, 2}, {-1, 3}, {-1, 0}, {1, 2}, {-1, 3}, {-1, 0},
                 {-1, 2}, {3, 0},  {1, 1},  {3, 2},  {-1, 3}, {0, 1}, {-1, 2}};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        if (steps[k].toggled >= 0)
            t.b.states[steps[k].toggled].up = !t.b.states[steps[k].toggled].up;
        unsigned given = turn(&t);
        if (given != steps[k].given)
            fail_msg("step %zu: %u, not %u", k, given, steps[k].given);
    }
    uint16_t out[MOST];
    unsigned n;
    uint64_t odds[MOST];
    t.b.pick.want = 9; /* 0 is down, it stands at 3 */
    gslb_odds(&t.b.pick, odds);
    gslb_pick(&t.b.pick, out, &n);
    assert_int_equal(n, 3);
    assert_int_equal(out[0] * 100 + out[1] * 10 + out[2], 312);
    assert_true(odds[0] == 0 && odds[1] == 1ULL << 32);
    free(t.state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_odds),           cmocka_unit_test(test_tiny_weight),
        cmocka_unit_test(test_greatest),       cmocka_unit_test(test_places),
        cmocka_unit_test(test_smooth),         cmocka_unit_test(test_smooth_order),
        cmocka_unit_test(test_smooth_changes), cmocka_unit_test(test_round_robin),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
