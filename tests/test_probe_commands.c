/* What a probe says of commands, which may hang, leave children behind or write without end, and of
 * an echo. */
/* folders: base dns net gslb */
#include "prober.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *label, *script;
    uint32_t timeout_ms;
    enum gslb_result result;
    int code;
    const char *evidence;
} commands[] = {
    {"passes", "echo \"asked $1\"", LONG_MS, GSLB_PASS, 0, "exit code 0: asked 127.0.0.1"},
    {"says 3", "echo oh >&2; exit 3", LONG_MS, GSLB_FAIL, 3, "exit code 3: oh"},
    {"hangs", "exec cat /dev/zero >/dev/null", SHORT_MS, GSLB_FAIL, -1, "timed out waiting"},
    {"hangs in a child", "cat /dev/zero >/dev/null; :", SHORT_MS, GSLB_FAIL, -1, "timed out"},
    {"leaves a child", "cat /dev/zero >/dev/null & exit 0", LONG_MS, GSLB_PASS, 0, "exit code 0"},
    {"writes much", "head -c 300000 /dev/zero; exit 0", LONG_MS, GSLB_PASS, 0, "exit code 0: ...."},
    {"killed", "kill -9 $$", LONG_MS, GSLB_FAIL, -1, "ended by signal 9"},
    {"bare surroundings", "test \"$HOME$SECRET\" = '' && test \"$(pwd)\" = /", LONG_MS, GSLB_PASS,
     0, "exit code 0"},
};

static unsigned descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Those that a command left behind come to us, and have been killed. */
static bool all_children_end(void)
{
    for (unsigned tries = 0; tries < 500; tries++) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0)
            return errno == ECHILD;
        if (!pid)
            poll(NULL, 0, 10);
    }
    return false;
}

static void test_commands(void **state)
{
    struct fixture f;
    struct asked a;
    (void)state;
    setenv("SECRET", "x", 1);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    fixture_open(&f, NULL);
    unsigned before = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *const argv[] = {"/bin/sh", "-c", commands[i].script, "sh", NULL};
        struct gslb_check c = {
            .type = GSLB_CHECK_EXEC, .argv = argv, .timeout_ms = commands[i].timeout_ms};
        fixture_ask(&f, &c, &a);
        if (a.r.result != commands[i].result || a.r.code != commands[i].code ||
            !strstr(a.r.evidence, commands[i].evidence))
            fail_msg("%s: result %d, code %d, \"%s\"", commands[i].label, a.r.result, a.r.code,
                     a.r.evidence);
        fixture_judge(commands[i].label, &a.r, c.timeout_ms);
        before = before ? before : descriptors();
    }
    const char *const missing[] = {"/nowhere/check", NULL};
    struct gslb_check c = {.type = GSLB_CHECK_EXEC, .argv = missing, .timeout_ms = LONG_MS};
    fixture_ask(&f, &c, &a);
    assert_int_equal(a.r.result, GSLB_NO_VERDICT);
    assert_non_null(strstr(a.r.evidence, "cannot start /nowhere/check"));
    assert_int_equal(descriptors(), before);
    fixture_close(&f);
    assert_true(all_children_end());
}

/* Each says how many of them run when it does. */
static void test_commands_limited(void **state)
{
    char dir[] = "/tmp/waypost-probe-XXXXXX", script[256];
    struct fixture f;
    struct asked a[6];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(script, sizeof script, "cd %s && : >$$ && set -- * && rm $$ && exit $#", dir);
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", NULL};
    struct gslb_check c = {.type = GSLB_CHECK_EXEC, .argv = argv, .timeout_ms = LONG_MS};
    fixture_open(&f, &(struct gslb_prober_limits){.running = 8, .commands = 1});
    for (unsigned i = 0; i < 6; i++)
        fixture_start(&f, &c, &a[i], NULL);
    for (unsigned i = 0; i < 6; i++) {
        fixture_finish(&f, &a[i]);
        assert_int_equal(a[i].r.code, 1);
    }
    fixture_close(&f);
    rmdir(dir);
}

/* A command asks at once: the limit is there before it begins. */
static void test_commands_files(void **state)
{
    static const struct {
        const char *label;
        uint64_t ours, given;
        const char *evidence;
    } rows[] = {
        {"not told", 300, 0, "exit code 0: 300"},
        {"fewer than ours", 300, 200, "exit code 0: 200"},
        {"more than ours", 300, 400, "exit code 0: 400"},
        {"more than may be", 300, UINT64_MAX, "exit code 0: max"},
    };
    const char *const argv[] = {
        "/bin/sh", "-c", "n=$(ulimit -Sn); [ $n = $(ulimit -Hn) ] && n=max; echo $n", "sh", NULL};
    struct gslb_check c = {.type = GSLB_CHECK_EXEC, .argv = argv, .timeout_ms = LONG_MS};
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rlimit ours = {rows[i].ours, before.rlim_max};
        struct fixture f;
        struct asked a;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &ours), 0);
        fixture_open(&f, &(struct gslb_prober_limits){.files = rows[i].given});
        fixture_ask(&f, &c, &a);
        if (strcmp(a.r.evidence, rows[i].evidence) != 0)
            fail_msg("%s: \"%s\"", rows[i].label, a.r.evidence);
        fixture_close(&f);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
        assert_int_equal(ours.rlim_cur, rows[i].ours);
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

static void test_icmp(void **state)
{
    struct gslb_check c = {.type = GSLB_CHECK_ICMP, .timeout_ms = LONG_MS};
    struct fixture f;
    struct asked a;
    (void)state;
    fixture_open(&f, NULL);
    fixture_ask(&f, &c, &a);
    fixture_close(&f);
    if (a.r.result == GSLB_NO_VERDICT) {
        assert_non_null(strstr(a.r.evidence, "CAP_NET_RAW"));
        print_message("echo requests are not permitted here: skipped\n");
        skip();
    }
    assert_int_equal(a.r.result, GSLB_PASS);
    assert_true(a.r.first_us > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_commands_limited),
        cmocka_unit_test(test_commands_files),
        cmocka_unit_test(test_icmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
