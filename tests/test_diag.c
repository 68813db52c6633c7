/* Diagnostics: as they print, copied, counted and bounded. */
#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct diag_list *d, int colour, unsigned *errors)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    *errors = diag_print(d, out, colour);
    fclose(out);
    return text;
}

static void one_entry(void **state)
{
    (void)state;
#define SOURCE(s) .source = s, .source_len = sizeof s - 1
    static const struct {
        const char *label;
        enum diag_level level;
        struct diag_at at;
        int colour;
        const char *want;
    } rows[] = {
        {"no place", DIAG_ERROR, {0}, 0, "error: bad 7\n"},
        {"a file", DIAG_WARNING, {.file = "f"}, 0, "f: warning: bad 7\n"},
        {"a line", DIAG_NOTE, {.file = "f", .line = 3}, 0, "f:3: note: bad 7\n"},
        {"a column", DIAG_ERROR, {.file = "f", .line = 3, .column = 9}, 0, "f:3:9: error: bad 7\n"},
        {"a column without a line", DIAG_ERROR, {.file = "f", .column = 9}, 0, "f: error: bad 7\n"},
        {"a caret",
         DIAG_ERROR,
         {.file = "f", .line = 31, .column = 3, SOURCE("a b c"), .width = 1},
         0,
         "f:31:3: error: bad 7\n   31 | a b c\n      |   ^\n"},
        {"a wide one",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 3, SOURCE("a bcd e"), .width = 3, .hint = "try x"},
         0,
         "f:1:3: error: bad 7\n    1 | a bcd e\n      |   ^~~ try x\n"},
        {"wider than the line",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 3, SOURCE("a bcd"), .width = 99},
         0,
         "f:1:3: error: bad 7\n    1 | a bcd\n      |   ^~~\n"},
        {"behind the last octet",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 4, SOURCE("abc")},
         0,
         "f:1:4: error: bad 7\n    1 | abc\n      |    ^\n"},
        {"beyond the line",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 5, SOURCE("abc")},
         0,
         "f:1:5: error: bad 7\n    1 | abc\n"},
        {"tabs stay tabs",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 3, SOURCE("\t\tx")},
         0,
         "f:1:3: error: bad 7\n    1 | \t\tx\n      | \t\t^\n"},
        {"only the first of several lines",
         DIAG_ERROR,
         {.file = "f", .line = 1, .column = 1, SOURCE("ab\r\ncd"), .width = 9},
         0,
         "f:1:1: error: bad 7\n    1 | ab\n      | ^~\n"},
        {"a hint without a column",
         DIAG_ERROR,
         {.file = "f", .line = 1, SOURCE("abc"), .hint = "try x"},
         0,
         "f:1: error: bad 7\n    1 | abc\n      | try x\n"},
        {"a hint without a source",
         DIAG_ERROR,
         {.file = "f", .hint = "try x"},
         0,
         "f: error: bad 7\n      | try x\n"},
        {"colour", DIAG_WARNING, {.file = "f"}, 1, "\033[33mf: warning: bad 7\033[0m\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list d;
        unsigned errors;
        diag_init(&d);
        diag_add(&d, rows[i].level, &rows[i].at, "bad %d", 7);
        char *text = printed(&d, rows[i].colour, &errors);
        if (strcmp(text, rows[i].want) != 0 || errors != (rows[i].level == DIAG_ERROR) ||
            d.warnings != (rows[i].level == DIAG_WARNING) || d.kept != 1)
            fail_msg("%s:\n%s", rows[i].label, text);
        free(text);
        diag_fini(&d);
        assert_null(d.first);
    }
}

/* The input may be gone, and need not end, when the list is printed. */
static void copies(void **state)
{
    (void)state;
    struct diag_list d;
    unsigned errors;
    diag_init(&d);
    char *file = strdup("file"), *hint = strdup("hint"), *source = malloc(3);
    memcpy(source, "abc", 3);
    const struct diag_at at = {
        .file = file, .line = 1, .column = 2, .source = source, .source_len = 3, .hint = hint};
    diag_add(&d, DIAG_ERROR, &at, "%s", file);
    diag_add(&d, DIAG_NOTE, NULL, "nowhere");
    free(file);
    free(hint);
    free(source);
    char *text = printed(&d, 0, &errors);
    assert_string_equal(text,
                        "file:1:2: error: file\n    1 | abc\n      |  ^ hint\nnote: nowhere\n");
    free(text);
    char cut[8];
    assert_int_equal(diag_format(d.first, cut, sizeof cut), strlen("file:1:2: error: file"));
    assert_string_equal(cut, "file:1:");
    diag_fini(&d);
}

/* Only the first DIAG_KEEP are kept; all are counted, and how many are missing is said, whatever
 * their level. */
static void bounded(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        unsigned notes, warnings, errors, hidden;
    } rows[] = {
        {"as many as there may be", 0, 0, DIAG_KEEP, 0},
        {"one more", 0, 0, DIAG_KEEP + 1, 1},
        {"errors behind notes", DIAG_KEEP - 1, 0, 10, 9},
        {"many of each", 500, 500, 500, 1500 - DIAG_KEEP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list d;
        unsigned errors;
        char want[64] = "";
        diag_init(&d);
        for (unsigned k = 0; k < rows[i].notes; k++)
            diag_add(&d, DIAG_NOTE, NULL, "n");
        for (unsigned k = 0; k < rows[i].warnings; k++)
            diag_add(&d, DIAG_WARNING, NULL, "w");
        for (unsigned k = 0; k < rows[i].errors; k++)
            diag_add(&d, DIAG_ERROR, NULL, "e");
        char *text = printed(&d, 0, &errors), *more = strchr(text, '(');
        if (rows[i].hidden)
            snprintf(want, sizeof want, "(%u more not shown)\n", rows[i].hidden);
        if (errors != rows[i].errors || d.warnings != rows[i].warnings || d.kept > DIAG_KEEP ||
            strcmp(more ? more : "", want) != 0)
            fail_msg("%s: %u errors, %u kept, \"%s\"", rows[i].label, errors, d.kept,
                     more ? more : "");
        free(text);
        diag_fini(&d);
    }
}

static void moved(void **state)
{
    (void)state;
    static const struct {
        const char *label, *to, *from, *want; /* a letter is an entry: e, w or n */
    } rows[] = {{"nothing to nothing", "", "", ""},
                {"to nothing", "", "ew", "ew"},
                {"nothing", "ew", "", "ew"},
                {"behind", "en", "we", "enwe"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list d[2];
        const char *lists[2] = {rows[i].to, rows[i].from};
        char got[16] = "";
        for (int k = 0; k < 2; k++) {
            diag_init(&d[k]);
            for (const char *p = lists[k]; *p; p++)
                diag_add(&d[k],
                         *p == 'e'   ? DIAG_ERROR
                         : *p == 'w' ? DIAG_WARNING
                                     : DIAG_NOTE,
                         NULL, "%c", *p);
        }
        diag_move(&d[0], &d[1]);
        for (const struct diag *e = d[0].first; e; e = e->next)
            strcat(got, e->text);
        if (strcmp(got, rows[i].want) != 0 || d[0].kept != strlen(rows[i].want) || d[1].first ||
            d[1].kept || d[1].errors)
            fail_msg("%s: %s", rows[i].label, got);
        diag_add(&d[0], DIAG_NOTE, NULL, "x"); /* the end is the end */
        assert_string_equal(d[0].last->text, "x");
        diag_fini(&d[0]);
        diag_fini(&d[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_entry), cmocka_unit_test(copies),
                                       cmocka_unit_test(bounded), cmocka_unit_test(moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
