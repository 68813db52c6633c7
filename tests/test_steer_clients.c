/* Shares over many answers, who moves when a member goes, and what holds of every answer. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "dns/type.h"
#include "plans.h"
#include "pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ANSWERS = 1000000, CLIENTS = 100000, TRIALS = 20000 };

static void count_answers(struct made *m, unsigned *counts)
{
    struct gslb_client c = made_client("192.0.2.1");
    uint64_t seed = 77;
    const struct gslb_ask ask = {.plan = m->plan, .qtype = DNS_TYPE_A, .client = &c};
    for (unsigned k = 0; k < ANSWERS; k++) {
        struct gslb_answer a;
        m->worker.random = fresh(&seed);
        gslb_steer(&ask, &m->worker, &a);
        assert_int_equal(a.count, 1);
        counts[a.members[0]]++;
    }
}

static void shares_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *label, *members, *down;
        double shares[3];
    } rows[] = {{"1:1", "192.0.2.1 192.0.2.2", NULL, {0.5, 0.5, 0}},
                {"3:1", "192.0.2.1*3 192.0.2.2", NULL, {0.75, 0.25, 0}},
                {"1:999", "192.0.2.1 192.0.2.2*999", NULL, {0.001, 0.999, 0}},
                {"3:1 of 3:1:5", "192.0.2.1*3 192.0.2.2 192.0.2.3*5", "p/m2", {0.75, 0.25, 0}}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made m;
        unsigned counts[3] = {0};
        made_init(&m, "a", NULL);
        made_pool(&m, "p", "", GSLB_WEIGHTED, rows[i].members);
        made_name(&m, "www.example.", GSLB_NONE, "p");
        made_finish(&m, NULL);
        if (rows[i].down)
            made_health(&m, rows[i].down, "d");
        count_answers(&m, counts);
        assert_int_equal(counts[2], 0);
        expect_chi(rows[i].label, counts, rows[i].shares, 2, ANSWERS);
        made_fini(&m);
    }
}

/* Which member each of many clients gets. */
static void choices(struct made *m, uint16_t *out)
{
    struct gslb_client c = made_client("10.0.0.1");
    const struct gslb_ask ask = {.plan = m->plan, .qtype = DNS_TYPE_A, .client = &c};
    for (unsigned k = 0; k < CLIENTS; k++) {
        struct gslb_answer a;
        c.source.ip[12] = (uint8_t)(10 + (k >> 16));
        c.source.ip[13] = (uint8_t)(k >> 8);
        c.source.ip[14] = (uint8_t)k;
        gslb_steer(&ask, &m->worker, &a);
        out[k] = a.members[0];
    }
}

static void only_its_own_clients_move(void **state)
{
    (void)state;
    uint16_t *before = calloc(CLIENTS, sizeof *before), *after = calloc(CLIENTS, sizeof *after);
    unsigned moved = 0;
    struct made m;
    made_init(&m, "a", NULL);
    made_pool(&m, "p", "", GSLB_CONSISTENT, "192.0.2.1*4 192.0.2.2*3 192.0.2.3*2 192.0.2.4*1");
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    choices(&m, before);
    made_health(&m, "p/m1", "d");
    choices(&m, after);
    for (unsigned k = 0; k < CLIENTS; k++) {
        moved += before[k] == 1;
        assert_true(before[k] == 1 ? after[k] != 1 : after[k] == before[k]);
    }
    assert_true(moved > CLIENTS * 0.29 && moved < CLIENTS * 0.31);
    free(before);
    free(after);
    made_fini(&m);
}

/* ---- random health and clients ---- */

static struct gslb_client random_client(uint64_t *seed)
{
    uint64_t r = fresh(seed);
    char text[96];
    snprintf(text, sizeof text, "198.51.100.1 10.%u.%u.0/24", (unsigned)(r >> 20) % 8,
             (unsigned)(r >> 30) % 256);
    return made_client(text);
}

/* Some client of the network that an answer is said to hold for. */
static struct gslb_client inside(const struct gslb_client *c, unsigned scope, uint64_t *seed)
{
    struct gslb_client other = *c;
    uint64_t r = fresh(seed);
    other.subnet.source = 32;
    for (unsigned bit = scope; bit < 32; bit++)
        other.subnet.ip[bit / 8] = (uint8_t)((other.subnet.ip[bit / 8] & ~(0x80 >> bit % 8)) |
                                             ((r >> bit & 1) ? 0x80 >> bit % 8 : 0));
    return other;
}

/* The list and the pools in order, by themselves. */
static int expected(const struct made *m, const struct gslb_client *c, const bool *up)
{
    struct addr a = addr_of_bytes(c->subnet.ip, 4, 0);
    const struct geo_list *l = geo_map_find(m->geo[0], &a, NULL);
    for (unsigned k = 0; k < l->count; k++)
        if (l->sites[k] < 3 && (up[2 * l->sites[k]] || up[2 * l->sites[k] + 1]))
            return l->sites[k];
    return l->fence || !up[6] ? GSLB_NONE : 3;
}

static void every_answer_keeps_its_word(void **state)
{
    (void)state;
    static const char *const members[] = {"pa/m0", "pa/m1", "pb/m0", "pb/m1",
                                          "pc/m0", "pc/m1", "pd/m0"};
    struct made m;
    uint64_t seed = 4711;
    bool up[7];
    made_init(&m, "a b c", NULL);
    int map = made_map(&m, "10.0.0.0/15=a,b! 10.1.128.0/17=c,a 10.2.0.0/16=b,a,c 10.3.7.0/24=c! "
                           "10.4.0.0/14=a,b,c *=b,c,a");
    made_pool(&m, "pa", "a", GSLB_FAILOVER, "192.0.2.1|2001:db8::1 192.0.2.2|2001:db8::2");
    made_pool(&m, "pb", "b", GSLB_CONSISTENT, "192.0.2.3|2001:db8::3 192.0.2.4|2001:db8::4");
    made_pool(&m, "pc", "c", GSLB_HASH, "192.0.2.5|2001:db8::5 192.0.2.6|2001:db8::6");
    made_pool(&m, "pd", "", GSLB_ALL, "192.0.2.7|2001:db8::7");
    made_name(&m, "www.example.", map, "pa pb pc")->fallback_pool = 3;
    made_finish(&m, NULL);
    for (unsigned trial = 0; trial < TRIALS; trial++) {
        uint64_t r = fresh(&seed);
        for (unsigned i = 0; i < 7 && trial % 16 == 0; i++)
            made_health(&m, members[i], (up[i] = r >> (2 * i) & 3) ? "u" : "dw");
        struct gslb_client c = random_client(&seed);
        struct gslb_answer a = made_ask(&m, "www.example.", DNS_TYPE_A, &c, 1, NULL);
        int want = expected(&m, &c, up), pool = a.pool;
        uint16_t given = a.members[0];
        assert_int_equal(a.outcome, GSLB_SET);
        assert_int_equal(a.all_down, want == GSLB_NONE);
        if (want != GSLB_NONE) {
            assert_int_equal(pool, want);
            assert_true(up[2 * pool + given]);
        }
        assert_int_equal(a.ttl, a.all_down ? 30 : 300);
        struct gslb_client other = inside(&c, a.scope, &seed);
        a = made_ask(&m, "www.example.", DNS_TYPE_A, &other, 1, NULL);
        assert_true(a.pool == pool && a.members[0] == given);
        a = made_ask(&m, "www.example.", DNS_TYPE_AAAA, &c, 1, NULL);
        assert_true(a.pool == pool && a.members[0] == given);
    }
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares_are_kept),
                                       cmocka_unit_test(only_its_own_clients_move),
                                       cmocka_unit_test(every_answer_keeps_its_word)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
