/* daemon/watch.c: folders and files, looked at beside the loop. A look compares every file with
 * what is known of it; what differs must stay as it is for a while before it is told. */
#include "daemon/watch.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 50 /* events of one moment are one look */

struct watched {
    char *path;
    struct fileid known, seen, now; /* told of; at the last look; of the look that runs */
};

struct folder {
    uv_fs_event_t event;
    struct watch *watch;
    char *path;
    struct fileid armed, now; /* which folder the events are of */
};

/* One list of files; replaced as a whole, never while it is looked at. */
struct set {
    struct watched *files;
    struct folder **folders; /* each freed when its handle is closed */
    unsigned file_count, folder_count;
};

struct watch {
    uv_loop_t *loop;
    uv_timer_t look, poll;
    uv_work_t work;
    struct watch_times times;
    watch_changed *changed;
    void *arg;
    struct set set, next;
    uint64_t changed_ms; /* loop time of the last change seen */
    uint64_t since_ms;   /* of the first one that is not told yet */
    unsigned open;       /* handles that are not closed yet */
    bool waiting;        /* since_ms holds */
    bool looking, again, has_next, closing;
};

static void free_when_over(struct watch *w)
{
    if (w->closing && !w->open && !w->looking)
        free(w);
}

/* ---- sets ---- */

static void on_folder_closed(uv_handle_t *h)
{
    struct folder *f = h->data;
    struct watch *w = f->watch;
    free(f->path);
    free(f);
    w->open--;
    free_when_over(w);
}

static void set_fini(struct set *s)
{
    for (unsigned i = 0; i < s->file_count; i++)
        free(s->files[i].path);
    for (unsigned i = 0; i < s->folder_count; i++)
        uv_close((uv_handle_t *)&s->folders[i]->event, on_folder_closed);
    free(s->files);
    free(s->folders);
    *s = (struct set){0};
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int add_folder(struct watch *w, struct set *s, const char *file)
{
    char *path = folder_of(file);
    for (unsigned i = 0; path && i < s->folder_count; i++) {
        if (!strcmp(s->folders[i]->path, path)) {
            free(path);
            return 0;
        }
    }
    struct folder *f = path ? calloc(1, sizeof *f) : NULL;
    if (!f || uv_fs_event_init(w->loop, &f->event)) {
        free(f);
        free(path);
        return ERR_NOMEM;
    }
    f->watch = w;
    f->path = path;
    f->event.data = f;
    w->open++;
    s->folders[s->folder_count++] = f;
    return 0;
}

static int set_fill(struct watch *w, struct set *s, const struct watch_file *files, unsigned count)
{
    *s = (struct set){.files = calloc(count + 1, sizeof *s->files),
                      .folders = calloc(count + 1, sizeof(struct folder *))};
    int err = s->files && s->folders ? 0 : ERR_NOMEM;
    for (unsigned i = 0; !err && i < count; i++) {
        struct watched *f = &s->files[s->file_count++];
        *f = (struct watched){
            .path = strdup(files[i].path), .known = files[i].id, .seen = files[i].id};
        err = f->path ? add_folder(w, s, f->path) : ERR_NOMEM;
    }
    if (err)
        set_fini(s);
    return err;
}

/* ---- folders ---- */

static void look_after(struct watch *w, uint64_t ms);

/* Which of its files it was is not asked: a link on the way may be what changed. */
static void on_event(uv_fs_event_t *h, const char *name, int events, int status)
{
    const struct folder *f = h->data;
    (void)name;
    (void)events;
    (void)status;
    look_after(f->watch, SETTLE_MS);
}

/* A folder that was replaced is another one, whose events must be asked for anew. Where that cannot
 * be had (no such folder, no more watches), looking now and then is left. */
static bool arm_folders(struct watch *w)
{
    bool armed = false;
    for (unsigned i = 0; i < w->set.folder_count; i++) {
        struct folder *f = w->set.folders[i];
        if (f->armed.inode == f->now.inode && f->armed.device == f->now.device)
            continue;
        uv_fs_event_stop(&f->event);
        f->armed = (struct fileid){0};
        if (f->now.inode && !uv_fs_event_start(&f->event, on_event, f->path, 0)) {
            f->armed = f->now;
            armed = true;
        }
    }
    return armed;
}

/* ---- looking ---- */

static void run_look(uv_work_t *work)
{
    struct watch *w = work->data;
    for (unsigned i = 0; i < w->set.folder_count; i++)
        w->set.folders[i]->now = fileid_of(w->set.folders[i]->path);
    for (unsigned i = 0; i < w->set.file_count; i++)
        w->set.files[i].now = fileid_of(w->set.files[i].path);
}

/* Whether some file is another one than is known. */
static bool compare(struct watch *w)
{
    bool differs = false;
    for (unsigned i = 0; i < w->set.file_count; i++) {
        struct watched *f = &w->set.files[i];
        if (!fileid_equal(&f->now, &f->seen))
            w->changed_ms = uv_now(w->loop);
        f->seen = f->now;
        differs = differs || !fileid_equal(&f->seen, &f->known);
    }
    if (differs && !w->waiting)
        w->since_ms = uv_now(w->loop);
    w->waiting = differs;
    return differs;
}

static void tell_when_quiet(struct watch *w)
{
    uint64_t now = uv_now(w->loop), quiet = now - w->changed_ms;
    if (quiet < w->times.quiet_ms &&
        now - w->since_ms < (uint64_t)WATCH_PATIENCE * w->times.quiet_ms) {
        look_after(w, w->times.quiet_ms - quiet);
        return;
    }
    for (unsigned i = 0; i < w->set.file_count; i++)
        w->set.files[i].known = w->set.files[i].seen;
    w->waiting = false;
    w->changed(w->arg);
}

static void start_look(struct watch *w);

static void after_look(uv_work_t *work, int status)
{
    struct watch *w = work->data;
    (void)status;
    w->looking = false;
    if (w->closing) {
        set_fini(&w->set);
        free_when_over(w);
        return;
    }
    if (w->has_next) {
        set_fini(&w->set);
        w->set = w->next;
        w->has_next = w->waiting = false;
        w->again = true;
    } else if (arm_folders(w)) {
        w->again = true; /* what changed before the events began */
    } else if (compare(w)) {
        tell_when_quiet(w);
    }
    if (w->again)
        start_look(w);
}

static void start_look(struct watch *w)
{
    w->again = w->looking;
    if (w->looking)
        return;
    w->work.data = w;
    w->looking = !uv_queue_work(w->loop, &w->work, run_look, after_look);
}

static void on_look(uv_timer_t *h)
{
    start_look(h->data);
}

static void look_after(struct watch *w, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&w->look) || uv_timer_get_due_in(&w->look) > ms)
        uv_timer_start(&w->look, on_look, ms, 0);
}

/* ---- all of it ---- */

int watch_new(struct watch **out, uv_loop_t *loop, const struct watch_times *times,
              watch_changed *changed, void *arg)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->loop = loop;
    w->times = *times;
    w->changed = changed;
    w->arg = arg;
    uv_timer_init(loop, &w->look);
    uv_timer_init(loop, &w->poll);
    w->look.data = w->poll.data = w;
    w->open = 2;
    uv_timer_start(&w->poll, on_look, times->poll_ms, times->poll_ms);
    *out = w;
    return 0;
}

int watch_files(struct watch *w, const struct watch_file *files, unsigned count)
{
    struct set set;
    int err = set_fill(w, &set, files, count);
    if (err)
        return err;
    if (w->has_next)
        set_fini(&w->next);
    if (w->looking) {
        w->next = set;
        w->has_next = true;
        return 0;
    }
    set_fini(&w->set);
    w->set = set;
    w->has_next = w->waiting = false;
    start_look(w);
    return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct watch *w = h->data;
    w->open--;
    free_when_over(w);
}

void watch_close(struct watch *w)
{
    w->closing = true;
    if (w->has_next)
        set_fini(&w->next);
    if (!w->looking) /* else when the look has ended */
        set_fini(&w->set);
    uv_close((uv_handle_t *)&w->look, on_timer_closed);
    uv_close((uv_handle_t *)&w->poll, on_timer_closed);
}
