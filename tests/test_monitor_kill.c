/* folders: gslb geo net authority dns base */
/* A process that takes orders is killed at any moment: what it acknowledged is there afterwards. */
#include "gslb/monitor.h"

#include "asker.h"
#include "base/err.h"
#include "plans.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MEMBERS = 8, ROUNDS = 40 };

struct said {
    unsigned member;
    unsigned permille; /* 1000: lifted */
};

static struct gslb_monitor *monitor_begin(struct asker *a, struct made *made, const char *state)
{
    struct gslb_monitor *m;
    struct diag_list d;
    made_init(made, "a", NULL);
    made_pool(made, "p", "a", GSLB_ALL,
              "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8");
    made_finish(made, NULL);
    diag_init(&d);
    const struct gslb_monitor_place place = {
        .clock = &a->clock, .asker = &a->asker, .table = made->table, .state = state};
    assert_int_equal(gslb_monitor_new(&m, &place, &d), 0);
    assert_int_equal(d.errors + d.warnings, 0);
    diag_fini(&d);
    part_ref(&made->plan->part);
    assert_int_equal(gslb_monitor_plan(m, made->plan), 0);
    return m;
}

/* Says before each order what it is going to be, and after it that it holds. */
static void child(const char *state, int out, unsigned seed)
{
    struct asker a;
    struct made made;
    asker_init(&a);
    struct gslb_monitor *m = monitor_begin(&a, &made, state);
    for (unsigned i = seed;; i++) {
        char what[16];
        unsigned matched;
        struct said s = {.member = i * 7 % MEMBERS, .permille = i % 5 ? i % 1000 : 1000};
        snprintf(what, sizeof what, "p/m%u", s.member);
        const struct gslb_order o = {.what = what,
                                     .force =
                                         s.permille == 1000 ? GSLB_FORCE_NONE : GSLB_FORCE_WEIGHT,
                                     .permille = (uint16_t)s.permille};
        if (write(out, &s, sizeof s) != sizeof s)
            _exit(1);
        int err = gslb_monitor_order(m, &o, &matched);
        if (err && err != ERR_NOT_FOUND)
            _exit(2);
        if (write(out, &s, sizeof s) != sizeof s)
            _exit(1);
        asker_run(&a, m, 100); /* states are saved in between */
    }
}

static void kill_after(pid_t pid, unsigned us)
{
    struct timespec t = {.tv_nsec = (long)us * 1000};
    nanosleep(&t, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* What the child has said so far; open: the order that is not acknowledged. */
struct heard {
    unsigned permille[MEMBERS], acknowledged;
    struct said open;
};

/* One more word of it, false: there is none. */
static bool hear(int in, struct heard *h)
{
    struct said s;
    if (read(in, &s, sizeof s) != sizeof s)
        return false;
    if (h->open.member == MEMBERS) {
        h->open = s;
        return true;
    }
    h->permille[s.member] = s.permille;
    h->open.member = MEMBERS;
    h->acknowledged++;
    return true;
}

/* Every other child is killed once an order of its was acknowledged, the rest at any moment. */
static void test_kill(void **state)
{
    (void)state;
    char folder[] = "/tmp/waypost-kill-XXXXXX", path[64];
    struct heard h = {.acknowledged = 0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state", folder);
    for (unsigned i = 0; i < MEMBERS; i++)
        h.permille[i] = 1000;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            close(ends[0]);
            child(path, ends[1], round * 1013 + 1);
        }
        close(ends[1]);
        h.open.member = MEMBERS;
        unsigned had = h.acknowledged;
        while (round % 2 && h.acknowledged == had && hear(ends[0], &h))
            ;
        kill_after(pid, 15000 + round * 7919 % 40000);
        while (hear(ends[0], &h))
            ;
        close(ends[0]);
        struct asker a;
        struct made made;
        asker_init(&a);
        struct gslb_monitor *m = monitor_begin(&a, &made, path);
        for (unsigned i = 0; i < MEMBERS; i++) {
            struct gslb_view v = gslb_table_get(made.table, made.plan->pools[0].endpoints[i].slot);
            bool was_open = i == h.open.member && v.permille == h.open.permille;
            if (v.permille != h.permille[i] && !was_open)
                fail_msg("round %u: m%u has %u, acknowledged were %u", round, i, v.permille,
                         h.permille[i]);
            h.permille[i] = v.permille;
        }
        gslb_monitor_free(m);
        asker_fini(&a);
        made_fini(&made);
    }
    print_message("%u orders acknowledged\n", h.acknowledged);
    assert_true(h.acknowledged >= ROUNDS / 2);
    static const char *const names[] = {"state", "state.new", "state.orders", "state.orders.new"};
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
