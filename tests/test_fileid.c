/* Which file lies at a path: what makes another one of it, and what does not. */
/* folders: base */
#include "base/fileid.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *path, const char *mode, const char *text)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* A clock's tick may pass between two changes, or not: times are set. */
static void set_time(const char *path, long ns)
{
    const struct timespec at[2] = {{1, 0}, {1, ns}};
    assert_int_equal(utimensat(AT_FDCWD, path, at, 0), 0);
}

static void nothing(const char *path, const char *aside)
{
    (void)path;
    (void)aside;
}
static void read_only(const char *path, const char *aside)
{
    (void)aside;
    assert_int_equal(chmod(path, 0400), 0);
}
static void moved_and_back(const char *path, const char *aside)
{
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(rename(aside, path), 0);
}
static void longer(const char *path, const char *aside)
{
    (void)aside;
    put(path, "a", "more");
    set_time(path, 5);
}
static void touched(const char *path, const char *aside)
{
    (void)aside;
    set_time(path, 6);
}
static void another(const char *path, const char *aside)
{
    put(aside, "w", "text");
    set_time(aside, 5);
    assert_int_equal(rename(aside, path), 0);
}
static void gone(const char *path, const char *aside)
{
    (void)aside;
    assert_int_equal(unlink(path), 0);
}

static void what_is_another_file(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        void (*change)(const char *path, const char *aside);
        bool same, there;
    } rows[] = {{"nothing", nothing, true, true},
                {"its rights", read_only, true, true},
                {"moved and back", moved_and_back, true, true},
                {"longer", longer, false, true},
                {"a nanosecond later", touched, false, true},
                {"another of the same size and time", another, false, true},
                {"none", gone, false, false}};
    char folder[] = "/tmp/waypost_fileid_XXXXXX", path[64], aside[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(aside, sizeof aside, "%s/b", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unlink(path);
        put(path, "w", "text");
        set_time(path, 5);
        struct fileid before = fileid_of(path), none = {0};
        rows[i].change(path, aside);
        struct fileid after = fileid_of(path);
        if (fileid_equal(&before, &after) != rows[i].same)
            fail_msg("%s: %s", rows[i].label, rows[i].same ? "another one" : "the same");
        if (fileid_equal(&after, &none) == rows[i].there)
            fail_msg("%s: is it there?", rows[i].label);
    }
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_another_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
