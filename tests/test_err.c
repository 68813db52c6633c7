/* The table of errors: names, texts, and what becomes of errno. */
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    int err;
    const char *name, *text;
} rows[] = {
#define ROW(name, number, text) {name, #name, text},
    ERR_MAP(ROW)
#undef ROW
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].err >= 0 || strcmp(err_name(rows[i].err), rows[i].name) != 0 ||
            strcmp(err_text(rows[i].err), rows[i].text) != 0)
            fail_msg("%s: %d, %s, %s", rows[i].name, rows[i].err, err_name(rows[i].err),
                     err_text(rows[i].err));
        for (size_t k = 0; k < i; k++)
            if (rows[k].err == rows[i].err || strcmp(rows[k].text, rows[i].text) == 0)
                fail_msg("%s and %s are the same", rows[k].name, rows[i].name);
    }
}

static void outside_the_table(void **state)
{
    (void)state;
    static const int unknown[] = {-1000, -(int)(sizeof rows / sizeof *rows) - 1, INT_MIN + 1};
    static const int good[] = {0, 1, INT_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_string_equal(err_name(unknown[i]), "ERR_UNKNOWN");
        assert_string_equal(err_text(unknown[i]), "unknown error");
    }
    assert_string_equal(err_name(INT_MIN), "ERR_UNKNOWN");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_string_equal(err_name(good[i]), "ERR_NONE");
        assert_string_equal(err_text(good[i]), "ok");
    }
}

static void of_errno(void **state)
{
    (void)state;
    static const struct {
        int errnum, want;
    } at[] = {
        {0, ERR_NONE},
        {ENOMEM, ERR_NOMEM},
        {ENOENT, ERR_NOT_FOUND},
        {ENOTDIR, ERR_NOT_FOUND},
        {EEXIST, ERR_EXISTS},
        {EACCES, ERR_ACCESS},
        {EPERM, ERR_ACCESS},
        {EADDRINUSE, ERR_IN_USE},
        {ETIMEDOUT, ERR_TIMEOUT},
        {ECANCELED, ERR_CANCELLED},
        {ECONNREFUSED, ERR_REFUSED},
        {ENETUNREACH, ERR_UNREACHABLE},
        {EHOSTUNREACH, ERR_UNREACHABLE},
        {EADDRNOTAVAIL, ERR_UNREACHABLE},
        {EPIPE, ERR_CLOSED},
        {ECONNRESET, ERR_CLOSED},
        {EIO, ERR_IO},
        {ENOSPC, ERR_FULL},
        {EDQUOT, ERR_FULL},
        {EISDIR, ERR_NOT_FILE},
        {EMFILE, ERR_LIMIT},
        {ENFILE, ERR_LIMIT},
        {EAGAIN, ERR_BUSY},
        {EBUSY, ERR_BUSY},
        {EINVAL, ERR_INVALID},
        {EAFNOSUPPORT, ERR_UNSUPPORTED},
        {EOPNOTSUPP, ERR_UNSUPPORTED},
        {EDOM, ERR_SYSTEM},
        {123456, ERR_SYSTEM},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (err_of_errno(at[i].errnum) != at[i].want)
            fail_msg("%s: %s", strerror(at[i].errnum), err_name(err_of_errno(at[i].errnum)));
}

static void remedies(void **state)
{
    (void)state;
    static const int with[] = {ERR_NOT_FOUND, ERR_ACCESS, ERR_FULL, ERR_NOT_FILE};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (!err_remedy(with[i]))
            fail_msg("%s: no remedy", err_name(with[i]));
    assert_null(err_remedy(ERR_SYNTAX));
    assert_null(err_remedy(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(outside_the_table),
                                       cmocka_unit_test(of_errno), cmocka_unit_test(remedies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
