/* Files that become other ones, in real folders: what is told, and how often. Each row is a script
 * that a timer plays while the loop runs. */
/* folders: base daemon */
#include "daemon/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    QUIET_MS = 40,
    STEP_MS = 12,
    FIRST_MS = 50,   /* the folders are watched by then, or else looked at once more */
    AFTER_MS = 120,  /* nothing else is told */
    LIMIT_MS = 8000, /* of one row */
    NEVER_MS = 1000000
};

struct scene {
    uv_loop_t loop;
    uv_timer_t step, end;
    struct watch *watch;
    char folder[32], path[64], other[64];
    const struct row *row;
    unsigned steps, told;
    uint64_t began, changed, told_at; /* loop time; of the last step that changed something */
    long told_size;                   /* of the file, when it was told last */
    uint64_t stepped;                 /* loop time of the last step */
    bool over, late, held_up;
};

struct row {
    const char *label;
    bool (*step)(struct scene *s, unsigned n); /* false: this was the last */
    unsigned poll_ms, want;
};

/* ---- what a script does ---- */

static void put(const char *path, const char *mode, const char *text)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void put_over(const struct scene *s, const char *text)
{
    char fresh[80];
    snprintf(fresh, sizeof fresh, "%s/fresh", s->folder);
    put(fresh, "w", text);
    assert_int_equal(rename(fresh, s->path), 0);
}

static bool nothing(struct scene *s, unsigned n)
{
    (void)s;
    return n < 5;
}

static bool renamed_over(struct scene *s, unsigned n)
{
    (void)n;
    put_over(s, "another");
    return false;
}

static bool in_pieces(struct scene *s, unsigned n)
{
    put(s->path, n ? "a" : "w", "piece ");
    s->changed = uv_now(&s->loop);
    return n < 9;
}

static bool deleted(struct scene *s, unsigned n)
{
    (void)n;
    assert_int_equal(unlink(s->path), 0);
    return false;
}

static bool deleted_and_back(struct scene *s, unsigned n)
{
    if (!n)
        assert_int_equal(unlink(s->path), 0);
    else
        put(s->path, "w", "back");
    return !n;
}

static bool back_when_told(struct scene *s, unsigned n)
{
    if (!n)
        assert_int_equal(unlink(s->path), 0);
    if (!s->told)
        return true;
    put(s->path, "w", "back");
    return false;
}

static bool away_and_back(struct scene *s, unsigned n)
{
    char aside[80];
    snprintf(aside, sizeof aside, "%s/aside", s->folder);
    assert_int_equal(n ? rename(aside, s->path) : rename(s->path, aside), 0);
    return !n;
}

static bool a_neighbour(struct scene *s, unsigned n)
{
    put(s->other, "a", "more");
    return n < 5;
}

static bool never_quiet(struct scene *s, unsigned n)
{
    (void)n;
    put(s->path, "a", "more"); /* once more after it was told */
    return !s->told;
}

/* The folder becomes another one, and then a file in that one. */
static bool folder_replaced(struct scene *s, unsigned n)
{
    char away[80], old[96];
    snprintf(away, sizeof away, "%s.old", s->folder);
    snprintf(old, sizeof old, "%s/a", away);
    if (!n) {
        assert_int_equal(rename(s->folder, away), 0);
        assert_int_equal(mkdir(s->folder, 0700), 0);
        put(s->path, "w", "in another folder");
        unlink(old);
        assert_int_equal(rmdir(away), 0);
    }
    if (!s->told)
        return true;
    put_over(s, "renamed there");
    return false;
}

/* Looking now and then must see it: the folder of the link has no event. */
static bool behind_a_link(struct scene *s, unsigned n)
{
    char to[64] = "/tmp/waypost_link_XXXXXX";
    if (n) {
        ssize_t len = readlink(s->path, to, sizeof to - 1);
        assert_true(len > 0);
        to[len] = 0;
        if (s->told && !s->told_size)
            put(to, "w", "changed");
        if (s->told < 2)
            return true;
        unlink(to);
        return false;
    }
    int fd = mkstemp(to);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(s->path), 0);
    assert_int_equal(symlink(to, s->path), 0);
    return true;
}

static void give(struct scene *s, const char *path)
{
    struct watch_file file = {path, fileid_of(path)};
    assert_int_equal(watch_files(s->watch, &file, 1), 0);
}

/* Also while a look runs. */
static bool other_files(struct scene *s, unsigned n)
{
    put(s->other, "w", "one");
    give(s, s->path);
    give(s, s->other);
    give(s, s->other);
    if (n < 3)
        return true;
    put_over(s, "nobody asks");
    put(s->other, "w", "another");
    return false;
}

static bool known_as_another(struct scene *s, unsigned n)
{
    struct watch_file file = {s->path, {1, 2, 3, 4}};
    (void)n;
    assert_int_equal(watch_files(s->watch, &file, 1), 0);
    return false;
}

static bool was_not_there(struct scene *s, unsigned n)
{
    struct watch_file file = {s->other, {0}};
    if (!n)
        assert_int_equal(watch_files(s->watch, &file, 1), 0);
    else
        put(s->other, "w", "now");
    return n < 1;
}

static bool no_folder_yet(struct scene *s, unsigned n)
{
    char folder[48], path[64];
    snprintf(folder, sizeof folder, "%s/later", s->folder);
    snprintf(path, sizeof path, "%s/a", folder);
    struct watch_file file = {path, {0}};
    if (!n)
        assert_int_equal(watch_files(s->watch, &file, 1), 0);
    if (n < 5)
        return true;
    assert_int_equal(mkdir(folder, 0700), 0);
    put(path, "w", "now");
    return false;
}

static const struct row rows[] = {
    {"nothing happens", nothing, STEP_MS, 0},
    {"renamed over", renamed_over, NEVER_MS, 1},
    {"renamed over, seen without events", renamed_over, STEP_MS, 1},
    {"overwritten in pieces", in_pieces, NEVER_MS, 1},
    {"deleted", deleted, NEVER_MS, 1},
    {"deleted, and back within the quiet time", deleted_and_back, NEVER_MS, 1},
    {"deleted, and back once that was told", back_when_told, NEVER_MS, 2},
    {"away and back, the same one", away_and_back, NEVER_MS, 0},
    {"another file of the folder", a_neighbour, STEP_MS, 0},
    {"never quiet, until that was told", never_quiet, NEVER_MS, 2},
    {"the folder is replaced", folder_replaced, NEVER_MS, 2},
    {"behind a link: the link, what it leads to, and that goes", behind_a_link, STEP_MS, 3},
    {"other files are given", other_files, NEVER_MS, 1},
    {"it is another one from the start", known_as_another, NEVER_MS, 1},
    {"one that was not there", was_not_there, NEVER_MS, 1},
    {"in a folder that was not there", no_folder_yet, STEP_MS, 1},
};

/* ---- one row ---- */

static void on_changed(void *arg)
{
    struct scene *s = arg;
    struct stat st;
    s->told++;
    s->told_at = uv_now(&s->loop);
    s->told_size = stat(s->path, &st) ? -1 : (long)st.st_size;
}

static void on_end(uv_timer_t *h)
{
    struct scene *s = h->data;
    bool enough = s->over && s->told >= s->row->want;
    if (!enough && uv_now(&s->loop) - s->began < LIMIT_MS)
        return;
    s->late = !enough;
    if (enough && uv_timer_get_repeat(h) != AFTER_MS) {
        uv_timer_start(h, on_end, AFTER_MS, AFTER_MS); /* once more: is anything else told? */
        return;
    }
    watch_close(s->watch);
    uv_close((uv_handle_t *)&s->step, NULL);
    uv_close((uv_handle_t *)h, NULL);
}

static void on_step(uv_timer_t *h)
{
    struct scene *s = h->data;
    s->held_up = s->held_up || (s->steps && uv_now(&s->loop) - s->stepped >= QUIET_MS / 2);
    s->stepped = uv_now(&s->loop);
    s->over = !s->row->step(s, s->steps++);
    if (s->over)
        uv_timer_stop(h);
}

static void play(struct scene *s, const struct row *row)
{
    const struct watch_times times = {QUIET_MS, row->poll_ms};
    *s = (struct scene){.folder = "/tmp/waypost_watch_XXXXXX", .row = row};
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/a", s->folder);
    snprintf(s->other, sizeof s->other, "%s/b", s->folder);
    put(s->path, "w", "first");
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(watch_new(&s->watch, &s->loop, &times, on_changed, s), 0);
    give(s, s->path);
    uv_timer_init(&s->loop, &s->step);
    uv_timer_init(&s->loop, &s->end);
    s->step.data = s->end.data = s;
    s->began = uv_now(&s->loop);
    uv_timer_start(&s->step, on_step, FIRST_MS, STEP_MS);
    uv_timer_start(&s->end, on_end, STEP_MS, STEP_MS);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void clear(const struct scene *s)
{
    static const char *const names[] = {"a", "b", "later/a"};
    char path[80];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", s->folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/later", s->folder);
    rmdir(path);
    assert_int_equal(rmdir(s->folder), 0);
}

/* Between two steps that were far apart there was quiet, and that may have been told: then the row
 * is played again. */
static void what_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        bool right = false, early = true;
        for (unsigned n = 0; n < 20 && (!right || early); n++) {
            play(&s, &rows[i]);
            clear(&s);
            right = !s.late && s.told == rows[i].want;
            early = s.changed && (s.told_at < s.changed + QUIET_MS || s.told_size != 60);
            if (!s.held_up)
                break;
        }
        if (!right)
            fail_msg("%s: told %u times, expected %u", rows[i].label, s.told, rows[i].want);
        if (early)
            fail_msg("%s: told %d ms after the last change, at %ld octets", rows[i].label,
                     (int)(s.told_at - s.changed), s.told_size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
