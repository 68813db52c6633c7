/* One line to another process and one back, over a real UNIX socket in a folder of the test's own.
 * In between, callers that say nothing, too much, or go away. */
/* folders: base */
/* threads */
#include "lab/line.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64], path[96];
    struct line *line;
};

/* Gives the line back; "bad ..." is not found. */
static int echo(void *arg, char *text, char *said, size_t cap)
{
    unsigned *count = arg;
    ++*count;
    snprintf(said, cap, "<%s>", text);
    return strncmp(text, "bad", 3) != 0 ? 0 : ERR_NOT_FOUND;
}

static void make_folder(struct fixture *f)
{
    strcpy(f->folder, "/tmp/waypost-line-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/socket", f->folder);
}

static int caller(const struct fixture *f)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    strcpy(sa.sun_path, f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void test_ask(void **state)
{
    (void)state;
    struct fixture f;
    struct stat st;
    struct line *second = NULL;
    char said[LINE_MAX_LEN], longer[LINE_MAX_LEN + 1];
    unsigned count = 0;
    make_folder(&f);
    assert_int_equal(line_ask(f.path, "early", said, sizeof said), ERR_NOT_FOUND);
    assert_int_equal(line_start(&f.line, f.path, echo, &count), 0);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(line_ask(f.path, "good words", said, sizeof said), 0);
    assert_string_equal(said, "<good words>");
    assert_int_equal(line_ask(f.path, "bad words", said, sizeof said), ERR_NOT_FOUND);
    assert_string_equal(said, "<bad words>");
    assert_int_equal(line_ask(f.path, "", said, sizeof said), 0);
    assert_string_equal(said, "<>");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(line_ask(f.path, longer, said, sizeof said), ERR_SPACE);
    assert_int_equal(line_start(&second, f.path, echo, &count), ERR_IN_USE);
    assert_int_equal(line_ask(f.path, "still", said, sizeof said), 0);
    assert_int_equal(count, 4);
    line_stop(f.line);
    assert_int_equal(stat(f.path, &st), -1);
    rmdir(f.folder);
}

/* Whoever ends without a line, or sends more than one holds, is no word. */
static void test_bad_callers(void **state)
{
    (void)state;
    struct fixture f;
    char said[LINE_MAX_LEN], flood[2 * LINE_MAX_LEN];
    unsigned count = 0;
    make_folder(&f);
    assert_int_equal(line_start(&f.line, f.path, echo, &count), 0);
    close(caller(&f));
    int fd = caller(&f);
    memset(flood, 'x', sizeof flood);
    assert_int_equal(send(fd, flood, sizeof flood, MSG_NOSIGNAL), sizeof flood);
    close(fd);
    fd = caller(&f);
    assert_int_equal(send(fd, "half", 4, MSG_NOSIGNAL), 4);
    close(fd);
    assert_int_equal(line_ask(f.path, "after them", said, sizeof said), 0);
    assert_string_equal(said, "<after them>");
    assert_int_equal(count, 1);
    line_stop(f.line);
    rmdir(f.folder);
}

/* A file that a killed process left is no listener. */
static void test_left_behind(void **state)
{
    (void)state;
    struct fixture f;
    char said[LINE_MAX_LEN];
    unsigned count = 0;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    make_folder(&f);
    strcpy(sa.sun_path, f.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
    assert_int_not_equal(line_ask(f.path, "anybody", said, sizeof said), 0);
    assert_int_equal(line_start(&f.line, f.path, echo, &count), 0);
    assert_int_equal(line_ask(f.path, "anybody", said, sizeof said), 0);
    line_stop(f.line);
    rmdir(f.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_bad_callers),
        cmocka_unit_test(test_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
