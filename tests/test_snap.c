/* threads */
/* Snapshots: what is retired lives until every reader was quiet, and then goes exactly once. */
#include "base/snap.h"

#include "base/err.h"
#include "base/list.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct root {
    struct part part;
    uint64_t version, twice; /* twice is 2 * version while the root lives */
    _Atomic unsigned *freed;
};

static void root_free(struct part *p)
{
    struct root *r = container_of(p, struct root, part);
    atomic_fetch_add(r->freed, 1);
    r->version = r->twice = 1; /* a late reader sees it, also where memory is not checked */
    free(r);
}

static struct root *root_new(uint64_t version, _Atomic unsigned *freed)
{
    struct root *r = malloc(sizeof *r);
    assert_non_null(r);
    part_init(&r->part, root_free);
    r->version = version;
    r->twice = 2 * version;
    r->freed = freed;
    return r;
}

/* A story per row, a step per letter: r and R retire one; x, y: reader X or Y is quiet; X, Y: goes
 * online; 1, 2: goes offline; ! : reclaim. Then how many are gone. */
static void who_waits_for_whom(void **state)
{
    (void)state;
    static const struct {
        const char *label, *steps;
        unsigned freed;
    } rows[] = {
        {"nobody reads", "r!", 1},
        {"both are offline", "12rr!", 2},
        {"a reader from before", "Xr!", 0},
        {"is quiet", "Xrx!", 1},
        {"was quiet before it was retired", "Xxr!", 0},
        {"goes offline", "Xr1!", 1},
        {"comes online afterwards", "rX!", 1},
        {"one of two is quiet", "XYrx!", 0},
        {"both are", "XYrxy!", 1},
        {"between two", "XrxR!", 1},
        {"after two", "XrRx!", 2},
        {"quiet again and again", "Xrx!Rx!rx!", 3},
        {"one sleeps, one works", "XY2rx!R!", 1},
        {"nothing is retired", "Xx!", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct snap_domain d;
        struct snap_reader x, y;
        _Atomic unsigned freed = 0;
        unsigned retired = 0, waiting = 0;
        snap_init(&d);
        assert_int_equal(snap_reader_add(&d, &x), 0);
        assert_int_equal(snap_reader_add(&d, &y), 0);
        for (const char *p = rows[i].steps; *p; p++)
            switch (*p) {
            case 'r':
            case 'R':
                assert_int_equal(snap_retire(&d, &root_new(++retired, &freed)->part), 0);
                break;
            case 'x':
            case 'y':
                snap_quiet(&d, *p == 'x' ? &x : &y);
                break;
            case 'X':
            case 'Y':
                snap_online(&d, *p == 'X' ? &x : &y);
                break;
            case '1':
            case '2':
                snap_offline(*p == '1' ? &x : &y);
                break;
            default:
                waiting = snap_reclaim(&d);
            }
        if (freed != rows[i].freed || waiting != retired - freed || d.pending != waiting)
            fail_msg("%s: %u freed, %u waiting", rows[i].label, freed, waiting);
        snap_reader_remove(&d, &x);
        snap_reader_remove(&d, &y);
        assert_int_equal(snap_reclaim(&d), 0); /* who is gone is not waited for */
        assert_int_equal(freed, retired);
        snap_fini(&d);
    }
}

static void fini_frees_the_rest(void **state)
{
    (void)state;
    struct snap_domain d;
    _Atomic unsigned freed = 0;
    snap_init(&d);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(snap_retire(&d, &root_new(i, &freed)->part), 0);
    assert_int_equal(freed, 0);
    snap_fini(&d);
    assert_int_equal(freed, 3);
    assert_int_equal(d.pending, 0);
}

/* What a suspended query holds outlives the snapshot. */
static void references(void **state)
{
    (void)state;
    struct snap_domain d;
    _Atomic unsigned freed = 0;
    snap_init(&d);
    struct root *r = root_new(21, &freed);
    part_ref(&r->part);
    assert_int_equal(snap_retire(&d, &r->part), 0);
    assert_int_equal(snap_reclaim(&d), 0);
    assert_int_equal(freed, 0);
    assert_int_equal(r->twice, 42);
    part_unref(&r->part);
    assert_int_equal(freed, 1);
    snap_fini(&d);
}

static void readers_are_bounded(void **state)
{
    (void)state;
    static struct snap_domain d;
    static struct snap_reader readers[SNAP_READERS_MAX + 1];
    snap_init(&d);
    for (unsigned i = 0; i < SNAP_READERS_MAX; i++)
        assert_int_equal(snap_reader_add(&d, &readers[i]), 0);
    assert_int_equal(snap_reader_add(&d, &readers[SNAP_READERS_MAX]), ERR_LIMIT);
    snap_reader_remove(&d, &readers[SNAP_READERS_MAX]); /* was never in: nothing happens */
    snap_reader_remove(&d, &readers[7]);
    assert_int_equal(snap_reader_add(&d, &readers[SNAP_READERS_MAX]), 0);
    snap_fini(&d);
}

#define READERS  3
#define VERSIONS 2000
#define ROUNDS   2000 /* of each reader, at least */

struct shared {
    struct snap_domain domain;
    _Atomic(struct root *) root;
    _Atomic bool stop;
    _Atomic uint64_t rounds[READERS];
    _Atomic unsigned torn; /* roots seen that had been freed, or went back */
};

struct reader {
    struct shared *s;
    unsigned number;
};

/* Batches as a worker has them: awake for some looks with a quiet moment after each, then blocked;
 * now and then a root is kept past the quiet moment by a reference. */
static void *read_on(void *arg)
{
    struct reader *me = arg;
    struct shared *s = me->s;
    struct snap_reader r;
    struct root *kept = NULL;
    uint64_t last = 0;
    if (snap_reader_add(&s->domain, &r))
        return NULL;
    for (uint64_t n = 0; !atomic_load(&s->stop); n++) {
        snap_online(&s->domain, &r);
        for (unsigned k = 0; k < 8; k++) {
            const struct root *root = atomic_load(&s->root);
            if (root->twice != 2 * root->version || root->version < last)
                atomic_fetch_add(&s->torn, 1);
            last = root->version;
            if (kept && kept->twice != 2 * kept->version)
                atomic_fetch_add(&s->torn, 1);
            snap_quiet(&s->domain, &r);
        }
        if (kept)
            part_unref(&kept->part);
        kept = NULL;
        if (n % 3 == me->number) {
            kept = atomic_load(&s->root);
            part_ref(&kept->part);
        }
        snap_offline(&r);
        atomic_fetch_add(&s->rounds[me->number], 1);
    }
    if (kept)
        part_unref(&kept->part);
    snap_reader_remove(&s->domain, &r);
    return NULL;
}

static bool all_have_read(struct shared *s)
{
    for (unsigned i = 0; i < READERS; i++)
        if (atomic_load(&s->rounds[i]) < ROUNDS)
            return false;
    return true;
}

static void readers_and_a_publisher(void **state)
{
    (void)state;
    static struct shared s;
    _Atomic unsigned freed = 0;
    unsigned made = 1;
    pthread_t threads[READERS];
    struct reader readers[READERS];
    snap_init(&s.domain);
    atomic_store(&s.root, root_new(1, &freed));
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){&s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    while (made < VERSIONS || !all_have_read(&s)) {
        struct root *next = root_new(made + 1, &freed);
        struct root *old = atomic_exchange(&s.root, next);
        made++;
        assert_int_equal(snap_retire(&s.domain, &old->part), 0);
        snap_reclaim(&s.domain);
        if (made >= VERSIONS)
            sched_yield();
    }
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.torn, 0);
    assert_int_equal(snap_reclaim(&s.domain), 0);
    assert_int_equal(freed, made - 1); /* all but the newest */
    part_unref(&atomic_load(&s.root)->part);
    assert_int_equal(freed, made);
    snap_fini(&s.domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_whom),
        cmocka_unit_test(fini_frees_the_rest),
        cmocka_unit_test(references),
        cmocka_unit_test(readers_are_bounded),
        cmocka_unit_test(readers_and_a_publisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
