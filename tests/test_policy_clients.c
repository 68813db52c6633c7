/* folders: gslb */
/* Policies by client: shares over many clients, and which of them move when something changes. */
#include "../gslb/rendezvous_priv.h"
#include "pools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_time(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (unsigned k = 0; k < 1000000; k++) {
        /* All sizes; every other next to an edge of the table. */
        uint64_t hash = fresh(&seed) >> k % 64;
        if (k % 2)
            hash = ((hash | 1) << __builtin_clzll(hash | 1) >> 56 << 56 >> k % 64) - k % 5;
        uint64_t next = hash + (hash >> 50) + 1;
        uint64_t time = rendezvous_time(hash);
        long double exact = 64 - log2l(hash ? (long double)hash : 1);
        if (fabsl((long double)time / (1ULL << 57) - exact) > 0x1p-50L)
            fail_msg("time of %#llx is %.15Lf, not %.15Lf", (unsigned long long)hash,
                     (long double)time / (1ULL << 57), exact);
        if (!time || (hash && next > hash && rendezvous_time(next) >= time))
            fail_msg("time does not fall at %#llx", (unsigned long long)hash);
    }
    assert_true(rendezvous_time(UINT64_MAX) > 0);
    assert_true(rendezvous_time(0) == 64ULL << 57);
}

enum { CLIENTS = 100000 };

/* Shares of the policies that hash, and who moves when a member goes. */
static void test_moves(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum gslb_policy policy;
        const char *members;
        unsigned gone;
    } cases[] = {
        {"equals", GSLB_CONSISTENT, "1 1 1 1", 2},
        {"a small one", GSLB_CONSISTENT, "1 30 60", 0},
        {"the greatest", GSLB_CONSISTENT, "1 30 60", 2},
        {"a twentieth", GSLB_STICKY, "1 4 5 10", 0},
        {"half", GSLB_STICKY, "1 4 5 10", 3},
        {"by slow start", GSLB_CONSISTENT, "9p100 9 9p500", 1},
        {"hash of the least products", GSLB_HASH, "1p1 4p1 5p1 2p1", 1},
        {"hash", GSLB_HASH, "1 4 5 10", 1},
    };
    static uint16_t before[CLIENTS];
    for (size_t r = 0; r < sizeof cases / sizeof *cases; r++) {
        struct pool b;
        pool_make(&b, cases[r].policy, cases[r].members);
        double shares[MOST], sum = 0;
        for (unsigned i = 0; i < b.pick.count; i++)
            sum += shares[i] = (double)b.members[i].weight * b.states[i].permille;
        for (unsigned i = 0; i < b.pick.count; i++)
            shares[i] /= sum;
        unsigned counts[MOST] = {0}, moved = 0, wrong = 0;
        b.pick.name = 5;
        b.pick.epoch_s = 600;
        for (unsigned pass = 0; pass < 2; pass++) {
            b.states[cases[r].gone].up = !pass;
            for (unsigned k = 0; k < CLIENTS; k++) {
                uint16_t out[MOST];
                unsigned n;
                b.pick.client = k;
                gslb_pick(&b.pick, out, &n);
                if (pass) {
                    moved += out[0] != before[k];
                    wrong += out[0] != before[k] && before[k] != cases[r].gone;
                } else {
                    counts[before[k] = out[0]]++;
                }
            }
        }
        expect_chi(cases[r].label, counts, shares, b.pick.count, CLIENTS);
        if (cases[r].policy == GSLB_HASH) {
            assert_true(wrong > 0); /* the difference between the two */
            continue;
        }
        if (wrong || fabs(moved / (double)CLIENTS - shares[cases[r].gone]) > 0.01)
            fail_msg("%s: moved %.4f, not %.4f; of survivors %u", cases[r].label,
                     moved / (double)CLIENTS, shares[cases[r].gone], wrong);
    }
}

/* Who is second is by weight among the others, as if the first were gone. */
static void test_second(void **state)
{
    (void)state;
    static const enum gslb_policy policies[] = {GSLB_HASH, GSLB_CONSISTENT, GSLB_STICKY};
    static const double shares[] = {/* 01 02 10 12 20 21 of 1:2:3 */
                                    1 / 6. * 2 / 5, 1 / 6. * 3 / 5, 2 / 6. * 1 / 4,
                                    2 / 6. * 3 / 4, 3 / 6. * 1 / 3, 3 / 6. * 2 / 3};
    for (unsigned r = 0; r < 3; r++) {
        struct pool b;
        unsigned counts[6] = {0}, n;
        uint16_t out[MOST];
        pool_make(&b, policies[r], "1 2 3");
        b.pick.want = 2;
        for (b.pick.client = 0; b.pick.client < CLIENTS; b.pick.client++) {
            gslb_pick(&b.pick, out, &n);
            counts[out[0] * 2 + out[1] - (out[1] > out[0])]++;
        }
        expect_chi(gslb_policy_name(policies[r]), counts, shares, 6, CLIENTS);
    }
}

/* Single items: the same rules without a pool. */
static void test_items(void **state)
{
    (void)state;
    static const uint64_t ids[] = {1, 2, 3, 4};
    static const uint32_t weights[] = {70, 30, 0, 900};
    bool usable[] = {true, true, true, false};
    static const double shares[] = {0.07, 0.03, 0, 0.9}, left[] = {0.7, 0.3, 0, 0};
    unsigned all[4] = {0}, some[4] = {0};
    for (unsigned k = 0; k < CLIENTS; k++) {
        unsigned a = gslb_rendezvous(ids, weights, NULL, 4, k);
        unsigned s = gslb_rendezvous(ids, weights, usable, 4, k);
        all[a]++;
        some[s]++;
        if (a != s && a != 3)
            fail_msg("key %u moved from %u to %u", k, a, s);
    }
    expect_chi("all usable", all, shares, 4, CLIENTS);
    expect_chi("one not", some, left, 4, CLIENTS);
    memset(usable, 0, sizeof usable);
    usable[2] = true;
    assert_int_equal(gslb_rendezvous(ids, weights, usable, 4, 1), 4);
    assert_int_equal(gslb_rendezvous(ids, weights, NULL, 0, 1), 0);
}

/* Over its bound: only clients of that member move, each to its own next. */
static void test_bound(void **state)
{
    (void)state;
    struct pool b;
    pool_make(&b, GSLB_CONSISTENT, "3 2 1 4");
    for (b.pick.client = 0; b.pick.client < 20000; b.pick.client++) {
        uint16_t order[MOST], out[MOST];
        unsigned n, given;
        b.pick.want = 0;
        for (unsigned i = 0; i < 4; i++)
            b.states[i].over = false;
        b.pick.want = 4;
        gslb_pick(&b.pick, order, &n);
        assert_int_equal(n, 4);
        b.pick.want = 0;
        for (unsigned k = 0; k < 4; k++) { /* the first k + 1 are over */
            gslb_pick(&b.pick, out, &given);
            if (given != 1 || out[0] != order[k])
                fail_msg("client %u: %u over, %u given, not %u", (unsigned)b.pick.client, k, out[0],
                         order[k]);
            b.states[order[k]].over = true;
        }
        gslb_pick(&b.pick, out, &given);
        assert_int_equal(out[0], order[0]); /* all over: the winner */
    }
}

/* Ids decide, not places: the same pool written down in another order. */
static void test_order(void **state)
{
    (void)state;
    static const enum gslb_policy policies[] = {GSLB_HASH, GSLB_CONSISTENT, GSLB_STICKY};
    for (unsigned r = 0; r < 3; r++) {
        struct pool a, b;
        pool_make(&a, policies[r], "3 2 1d 4 9 7p500");
        b = a;
        b.pick.members = b.members;
        b.pick.states = b.states;
        for (unsigned i = 0; i < 6; i++) {
            b.members[i] = a.members[(i * 5 + 2) % 6];
            b.states[i] = a.states[(i * 5 + 2) % 6];
        }
        a.pick.want = b.pick.want = 4;
        for (unsigned k = 0; k < 5000; k++) {
            uint16_t x[MOST], y[MOST];
            unsigned n, m;
            a.pick.client = b.pick.client = k;
            gslb_pick(&a.pick, x, &n);
            gslb_pick(&b.pick, y, &m);
            for (unsigned i = 0; i < 4; i++)
                if (n != 4 || m != 4 || a.members[x[i]].id != b.members[y[i]].id)
                    fail_msg("%s: client %u, place %u", gslb_policy_name(policies[r]), k, i);
        }
    }
}

static uint64_t sticky_at(struct pool *b, uint64_t client, int64_t now)
{
    uint16_t out[MOST];
    unsigned n;
    b->pick.client = client;
    b->pick.now_s = now;
    gslb_pick(&b->pick, out, &n);
    return out[0];
}

/* Within 3 epochs a client sees at most 4 of them, each its whole length; the seconds at which
 * clients change are spread evenly. */
static void test_sticky(void **state)
{
    (void)state;
    enum { EPOCH = 60, MANY = 2000 };
    struct pool b;
    pool_make(&b, GSLB_STICKY, "1 1 1 1 1 1 1 1");
    b.pick.epoch_s = EPOCH;
    unsigned at[EPOCH] = {0}, changes = 0;
    double even[EPOCH];
    for (unsigned client = 0; client < MANY; client++) {
        int phase = -1;
        uint64_t last = sticky_at(&b, client, 1000000);
        for (int t = 1; t < 3 * EPOCH; t++) {
            uint64_t now = sticky_at(&b, client, 1000000 + t);
            if (now == last)
                continue;
            if (phase >= 0 && phase != t % EPOCH)
                fail_msg("client %u changes at %d and %d of its epoch", client, phase, t % EPOCH);
            if (phase < 0) {
                at[phase = t % EPOCH]++;
                changes++;
            }
            last = now;
        }
    }
    for (unsigned k = 0; k < EPOCH; k++)
        even[k] = 1.0 / EPOCH;
    assert_true(changes > MANY * 9 / 10);
    expect_chi("seconds of change", at, even, EPOCH, changes);
    b.pick.epoch_s = 0;
    for (unsigned client = 0; client < 100; client++)
        assert_int_equal(sticky_at(&b, client, 0), sticky_at(&b, client, INT64_MAX));
    b.pick.epoch_s = UINT32_MAX;
    assert_int_equal(sticky_at(&b, 1, INT64_MIN), sticky_at(&b, 1, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),   cmocka_unit_test(test_moves), cmocka_unit_test(test_second),
        cmocka_unit_test(test_items),  cmocka_unit_test(test_bound), cmocka_unit_test(test_order),
        cmocka_unit_test(test_sticky),
    };
    return cmocka_run_group_tests_name("policy_clients", tests, NULL, NULL);
}
