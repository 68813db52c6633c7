#include "base/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void folder_is_our_own(void **state)
{
    char dir[] = "/tmp/waypost-test-XXXXXX", path[1200], want[1200], foreign[1200];
    (void)state;
    assert_non_null(mkdtemp(dir));
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_false(runtime_path(path, sizeof path, "control", false)); /* not made yet */
    assert_string_equal(path, "");
    assert_true(runtime_path(path, sizeof path, "control", true));
    snprintf(want, sizeof want, "%s/waypost/control", dir);
    assert_string_equal(path, want);
    assert_false(runtime_path(path, 10, "control", false)); /* does not fit */
    snprintf(foreign, sizeof foreign, "%s/waypost", dir);
    assert_int_equal(rmdir(foreign), 0);
    assert_int_equal(symlink("/tmp", foreign), 0); /* somebody's link is not a folder of ours */
    assert_false(runtime_path(path, sizeof path, "control", true));
    unlink(foreign);
    rmdir(dir);
}

static void raises_the_limit_of_open_files(void **state)
{
    struct rlimit before, low, after;
    uint64_t was = 0;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){before.rlim_max / 2, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(runtime_open_files(&was), before.rlim_max);
    assert_int_equal(was, low.rlim_cur);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_max);
    setrlimit(RLIMIT_NOFILE, &before);
}

static void notifies(void **state)
{
    char dir[] = "/tmp/waypost-test-XXXXXX", got[64] = "";
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s/n", dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    setenv("NOTIFY_SOCKET", sa.sun_path, 1);
    runtime_notify("READY=1");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    runtime_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    runtime_notify("READY=1");
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), -1);
    close(fd);
    unlink(sa.sun_path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folder_is_our_own),
                                       cmocka_unit_test(raises_the_limit_of_open_files),
                                       cmocka_unit_test(notifies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
