/* folders: gslb authority geo net dns base */
/* threads */
/* Names that are not ours: scopes beside an oracle, limits, and readers beside a control loop that
 * goes on replacing books. */
#include "bed.h"

#include "base/clock.h"
#include "base/err.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Random nested networks in 10.0.0.0/16: every /24 of it gets the set of its longest network, and
 * the scope is the shortest for which that is true of all. */
static void scopes_are_minimal(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (unsigned round = 0; round < 40; round++) {
        struct bed b;
        uint32_t index = bed_known(&b);
        unsigned bits[256] = {0}; /* of the longest network around each /24 */
        for (unsigned k = 0; k < round; k++) {
            seed = seed * 1103515245 + 12345;
            unsigned third = seed >> 16 & 255, scope = 17 + (seed >> 8) % 8;
            char net[64];
            snprintf(net, sizeof net, "10.0.%u.0/24", third);
            if (bits[third])
                continue; /* covered: it would not be asked */
            bed_learn(&b, index, net, scope);
            for (unsigned i = 0; i < 256; i++)
                if ((i ^ third) >> (24 - scope) == 0 && bits[i] < scope)
                    bits[i] = scope;
        }
        for (unsigned i = 0; i < 256; i++) {
            struct gslb_target_found f;
            char net[64];
            snprintf(net, sizeof net, "10.0.%u.0/24", i);
            struct edns_subnet s = bed_subnet_of(net);
            assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &f));
            unsigned scope = bits[i] ? bits[i] : 24; /* as wide as its network, or as the client */
            for (unsigned k = 0; bits[i] && k < 256; k++)
                while (bits[k] != bits[i] && (i ^ k) >> (24 - scope) == 0)
                    scope++;
            if (f.scope != scope)
                fail_msg("round %u, %s: scope %u, not %u", round, net, f.scope, scope);
        }
        bed_close(&b);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    char net[64], found[160];
    /* A set has at most so many addresses. */
    uint8_t rdata[100 * 6];
    for (unsigned i = 0; i < 100; i++) {
        put_u16(rdata + i * 6, 4);
        put_u32(rdata + i * 6 + 2, 0xc0000200 + i);
    }
    struct dns_rrset many = {.rdata = rdata, .size = sizeof rdata, .count = 100};
    struct gslb_fetched f = {.a = &many, .ttl = 86400, .scope = 24};
    bed_find(&b, index, "10.0.0.0/24", found, sizeof found);
    gslb_targets_turn(b.targets);
    bed_end(&b, 0, &f);
    struct gslb_target_found out;
    struct edns_subnet s = bed_subnet_of("10.0.0.0/24");
    assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &out));
    assert_int_equal(out.count[0], GSLB_TARGET_ADDRESSES);
    assert_int_equal(out.count[1], 0);
    /* The network that was not used longest goes: not the first, which is used all the time. */
    for (unsigned i = 1; i <= GSLB_TARGET_NETWORKS; i++) {
        b.now_us += 1000000;
        snprintf(net, sizeof net, "10.%u.%u.0/24", i >> 8, i & 255);
        bed_learn(&b, index, net, 24);
        s = bed_subnet_of("10.0.0.0/24");
        assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &out));
        assert_int_equal(out.count[0], GSLB_TARGET_ADDRESSES);
    }
    bed_gives(&b, index, "10.0.1.0/24", "192.0.2.1 5 24");
    bed_gives(&b, index, "10.0.2.0/24", "192.0.2.7 82306 24");
    json_t *status = gslb_targets_status(b.targets);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(status, 0), "sets")),
                     GSLB_TARGET_NETWORKS + 1);
    json_decref(status);
    bed_close(&b);
}

/* More wishes than there is room for: what does not fit is dropped and comes again. */
static void wishes_overflow(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            struct gslb_target_found f;
            char net[64];
            snprintf(net, sizeof net, "10.%u.%u.0/24", i >> 8, i & 255);
            struct edns_subnet s = bed_subnet_of(net);
            assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &f));
        }
        gslb_targets_turn(b.targets);
        assert_int_equal(b.flight_count, 4);
    }
    unsigned asked = 0; /* of those that waited */
    for (; b.flight_count; asked++)
        bed_say(&b, b.flights[0].net, "192.0.2.7", 60, 24);
    assert_in_range(asked, 60, 70);
    /* One client that asks all the time leaves room for others. */
    b.now_us += 1000000;
    for (unsigned i = 0; i < 5000; i++)
        bed_gives(&b, index, "11.0.0.0/24", "192.0.2.1 5 24");
    bed_learn(&b, index, "10.19.135.0/24", 24);
    bed_gives(&b, index, "10.19.135.0/24", "192.0.2.7 86400 24");
    bed_close(&b);
}

/* Networks that wait for their time after a failure do not keep others out. */
static void failures_make_room(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    struct gslb_fetched f = bed_failed(ERR_TIMEOUT);
    for (unsigned i = 0; i < 100; i++) {
        char net[64], found[160];
        snprintf(net, sizeof net, "10.0.%u.0/24", i);
        bed_find(&b, index, net, found, sizeof found);
        gslb_targets_turn(b.targets);
        assert_int_equal(b.flight_count, 1);
        bed_end(&b, 0, &f);
    }
    bed_close(&b);
}

static void not_all_at_once(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index[280];
    bed_open(&b);
    for (unsigned i = 0; i < 280; i++) {
        char name[64];
        snprintf(name, sizeof name, "n%u.example.net", i);
        index[i] = bed_take(&b, name, false);
    }
    gslb_targets_keep(b.targets, index, 280);
    assert_int_equal(gslb_targets_turn(b.targets), 100);
    assert_int_equal(b.flight_count, 256);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 256);
    for (unsigned i = 0; i < 256; i++)
        bed_say(&b, "-", "192.0.2.1", 60, 0);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 23);
    bed_close(&b);
}

static void names_keep_their_index(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    uint32_t index[300];
    for (unsigned i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "n%u.example.net", i);
        index[i] = bed_take(&b, name, false);
        assert_int_equal(index[i], i);
    }
    assert_int_equal(bed_take(&b, "N7.Example.NET", true), index[7]);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 0); /* none is kept yet */

    gslb_targets_keep(b.targets, index, 2);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 2);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    bed_gives(&b, index[0], "-", "192.0.2.1 60 0");
    bed_gives(&b, index[1], "-", "192.0.2.1 60 0");
    bed_gives(&b, index[2], "-", "nothing");
    bed_gives(&b, GSLB_NO_TARGET, "-", "nothing");

    gslb_targets_keep(b.targets, index + 1, 1); /* one goes, one stays */
    bed_gives(&b, index[0], "-", "nothing");
    bed_gives(&b, index[1], "-", "192.0.2.1 60 0");
    b.now_us += 54000000;
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 1);

    gslb_targets_keep(b.targets, index, 1); /* the one that is in flight goes */
    bed_say(&b, "-", "192.0.2.3", 60, 0);
    bed_gives(&b, index[1], "-", "nothing");
    gslb_targets_turn(b.targets);
    bed_say(&b, "-", "192.0.2.2", 60, 0);
    bed_gives(&b, index[0], "-", "192.0.2.2 60 0");

    json_t *status = gslb_targets_status(b.targets);
    assert_int_equal(json_array_size(status), 1);
    const char *name;
    int fetched, expires, sets, addresses, failures;
    const char *last;
    assert_int_equal(json_unpack(json_array_get(status, 0), "{s:s,s:i,s:i,s:i,s:i,s:i,s:s}", "name",
                                 &name, "fetched", &fetched, "expires", &expires, "sets", &sets,
                                 "addresses", &addresses, "failures", &failures, "last", &last),
                     0);
    assert_string_equal(name, "n0.example.net.");
    assert_string_equal(last, "ok");
    assert_int_equal(fetched, 0);
    assert_int_equal(expires, 60);
    assert_int_equal(sets, 1);
    assert_int_equal(addresses, 1);
    assert_int_equal(failures, 0);
    json_decref(status);
    bed_close(&b);
}

/* A fetcher that cannot, and one that tells no networks. */
static void what_the_fetcher_cannot(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    uint32_t index = bed_take(&b, "cdn.example.net", true);
    gslb_targets_keep(b.targets, &index, 1);
    b.refuse = ERR_LIMIT;
    gslb_targets_turn(b.targets);
    b.refuse = 0;
    assert_in_range(gslb_targets_turn(b.targets), 1, 100);
    assert_int_equal(b.flight_count, 0); /* 5 s later */
    b.now_us += 5000000;
    gslb_targets_turn(b.targets);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    b.fetcher.subnets = false;
    bed_gives(&b, index, "10.1.2.0/24", "192.0.2.1 60 0");
    assert_int_equal(gslb_targets_turn(b.targets), 54000);
    assert_int_equal(b.flight_count, 0);
    bed_close(&b);
}

/* The targets go first; what flies comes home to nobody. */
static void freed_in_flight(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    bed_gives(&b, index, "10.1.2.0/24", "192.0.2.1 5 24");
    gslb_targets_turn(b.targets);
    gslb_targets_free(b.targets);
    b.targets = NULL;
    bed_say(&b, "10.1.2.0/24", "192.0.2.7", 60, 24);
    bed_close(&b);
}

/* ---- threads ---- */

#define READERS 3

struct reader {
    struct bed *bed;
    struct snap_reader snap;
    pthread_t thread;
    uint32_t index;
    _Atomic bool *stop;
    uint64_t found, torn;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    unsigned i = (unsigned)r->index;
    while (!atomic_load(r->stop)) {
        snap_online(&r->bed->domain, &r->snap);
        for (unsigned k = 0; k < 64; k++) {
            struct gslb_target_found f;
            struct edns_subnet s = {.family = 1, .source = 24, .ip = {10, 0, (uint8_t)i++}};
            if (!gslb_target_find(r->bed->targets, r->index, k % 8 ? &s : NULL, 1000, &f))
                continue;
            r->found++;
            /* Both addresses of a set are of one fetch. */
            if (f.count[0] != 2 || f.size[0] != 12 ||
                memcmp(f.rdata[0] + 2, f.rdata[0] + 8, 4) != 0)
                r->torn++;
        }
        snap_offline(&r->snap);
    }
    return NULL;
}

static void readers_and_new_books(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    b.now_us = 1000000000;
    _Atomic bool stop = false;
    uint32_t index = bed_take(&b, "cdn.example.net", true);
    gslb_targets_keep(b.targets, &index, 1);
    struct reader readers[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.bed = &b, .index = index, .stop = &stop};
        assert_int_equal(snap_reader_add(&b.domain, &readers[i].snap), 0);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    unsigned heard = 0;
    int64_t end = clock_mono_ms(clock_system()) + 60000;
    for (unsigned turn = 0; heard < 600 && clock_mono_ms(clock_system()) < end; turn++) {
        gslb_targets_turn(b.targets);
        if (!b.flight_count)
            sched_yield();
        for (; b.flight_count; heard++) {
            char text[64];
            snprintf(text, sizeof text, "192.0.%u.%u,192.0.%u.%u", heard >> 8, heard & 255,
                     heard >> 8, heard & 255);
            bed_say(&b, b.flights[0].net, text, 1, heard % 5 ? 24 : 20);
        }
        if (turn % 64 == 63) { /* everything is dropped and comes again */
            gslb_targets_keep(b.targets, NULL, 0);
            bed_take(&b, turn % 128 == 63 ? "other.example.net" : "third.example.net", false);
            gslb_targets_keep(b.targets, &index, 1);
        }
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        snap_reader_remove(&b.domain, &readers[i].snap);
        assert_int_equal(readers[i].torn, 0);
    }
    assert_int_equal(heard >= 600, 1);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_minimal),      cmocka_unit_test(limits_hold),
        cmocka_unit_test(wishes_overflow),         cmocka_unit_test(failures_make_room),
        cmocka_unit_test(not_all_at_once),         cmocka_unit_test(names_keep_their_index),
        cmocka_unit_test(what_the_fetcher_cannot), cmocka_unit_test(freed_in_flight),
        cmocka_unit_test(readers_and_new_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
