/* daemon/reload.c: a new snapshot built aside, then published by one store. Building and freeing
 * zones takes long; both run aside at idle priority, one at a time, so that the control loop and
 * the workers are not held up. */
#include "base/err.h"
#include "base/log.h"
#include "base/runtime.h"
#include "server_priv.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTIFY_TEXT 64
#define SETTLE_MS   10

/* ---- idle priority ---- */

struct idle_work {
    struct server *server;
    void (*run)(struct server *s);
};

static void idle_main(void *arg)
{
    static const struct sched_param none = {0};
    struct idle_work *w = arg;
    sched_setscheduler(0, SCHED_IDLE, &none); /* this thread; without it the work is only dearer */
    w->run(w->server);
}

/* On a thread that ends with the work, while one of the pool waits for it: nobody may wait for what
 * gets the processor last. The pool's own threads hold a lock of the pool when they report, and a
 * loop of libuv spins until a uv_async_send that was interrupted is over. */
static void idle_run(struct server *s, void (*run)(struct server *s))
{
    struct idle_work w = {s, run};
    uv_thread_t thread;
    if (uv_thread_create(&thread, idle_main, &w))
        run(s);
    else
        uv_thread_join(&thread);
}

/* ---- what runs so ---- */

/* Each thread has a heap of its own in glibc: what one reload freed, the next would not take, and a
 * server that is reloaded often would grow for days. */
static void give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void build(struct server *s)
{
    struct background *b = &s->bg;
    struct config *c = NULL;
    if (b->rebuild)
        c = config_share(b->before->config);
    else
        b->err = config_load(&c, s->path, &b->diags) ? ERR_INVALID : 0;
    if (!b->err)
        b->err = snapshot_build(&b->after, c, b->before, &s->place, &b->diags, &b->zone_errors);
    if (!b->err)
        steering_compare(b->before->plan, b->after->plan, &b->diags);
    if (!b->err && b->after->plan)
        gslb_monitor_prepare(b->after->plan);
}

static void reclaim(struct server *s)
{
    unsigned before = s->shared.domain.pending;
    if (snap_reclaim(&s->shared.domain) < before)
        give_back();
}

static void run_reload(uv_work_t *work)
{
    idle_run(work->data, build);
}

static void run_reclaim(uv_work_t *work)
{
    idle_run(work->data, reclaim);
}

static void go_on(struct server *s)
{
    if (s->bg.again && !s->ending)
        server_reload(s, NULL, NULL);
    else if (s->bg.again_rebuild && !s->ending)
        server_rebuild(s);
}

static void after_reclaim(uv_work_t *work, int status)
{
    struct server *s = work->data;
    (void)status;
    s->bg.busy = false;
    go_on(s);
}

void server_reclaim(struct server *s)
{
    if (s->bg.busy || s->ending || !s->shared.domain.pending)
        return;
    s->bg.work.data = s;
    s->bg.busy = !uv_queue_work(&s->loop, &s->bg.work, run_reclaim, after_reclaim);
}

static bool same_listeners(const struct snapshot *a, const struct snapshot *b)
{
    bool same = a->listener_count == b->listener_count;
    for (unsigned i = 0; same && i < a->listener_count; i++)
        same = addr_equal(&a->listeners[i].addr, &b->listeners[i].addr) &&
               a->listeners[i].udp == b->listeners[i].udp &&
               a->listeners[i].tcp == b->listeners[i].tcp;
    return same;
}

/* The new root is seen by every batch that begins from now on. */
static void publish(struct server *s)
{
    struct background *b = &s->bg;
    atomic_exchange(&s->shared.root, b->after);
    while (snap_retire(&s->shared.domain, &b->before->part) == ERR_NOMEM)
        usleep(1000); /* nothing else can be given up: the old root must not be freed early */
    if (!b->rebuild)
        s->loaded_s = clock_wall_s(s->shared.clock);
    server_take(s, b->after->config);
    server_watch_files(s);
}

/* Not a map of keys, which have rows of their own, nor a key of an item, compared with its list. */
static bool is_compared(const struct config_option *o)
{
    return o->type != CONFIG_MAP && o->type != CONFIG_UNBUILT && !strchr(o->path, '[');
}

/* Threads, sockets and caches stay as they were made. */
static void check_same(struct background *b)
{
    const struct config *before = b->before->config, *after = b->after->config;
    for (const struct config_option *o = config_options; o->path; o++)
        if (config_option_at_start(o) && is_compared(o) && !config_same(before, after, o))
            config_complain(after, config_node(after, NULL, o->path), DIAG_ERROR,
                            "restart the server", &b->diags, "%s: cannot change at a reload",
                            o->path);
    if (!same_listeners(b->after, b->before))
        config_complain(after, config_node(after, NULL, "listen"), DIAG_ERROR, "restart the server",
                        &b->diags, "the addresses under listen: cannot change at a reload");
}

/* What can only be held against what runs: what it was made of, and whether members can be watched.
 */
static void check_running(struct server *s)
{
    struct background *b = &s->bg;
    unsigned errors = b->diags.errors;
    check_same(b);
    server_check_resolver(s, b->after, &b->diags);
    if (s->health && b->after->plan)
        health_check(s->health, b->after->config, &b->diags);
    if (b->diags.errors > errors)
        b->err = ERR_INVALID;
    else if (!s->ending)
        b->err = server_watch(s, b->after, &b->diags);
    if (b->err)
        part_unref(&b->after->part);
}

static void tell(struct reload_waiter *waiters, const struct server_reload *r)
{
    while (waiters) {
        struct reload_waiter *w = waiters;
        waiters = w->next;
        w->done(w->arg, r);
        free(w);
    }
}

/* Databases that could not be read are told of as long as that lasts (files.c). */
static unsigned kept_databases(const struct background *b)
{
    unsigned n = 0;
    if (!b->err && b->before->plan && b->after->plan)
        for (const struct gslb_file *f = b->after->plan->files; f; f = f->next)
            n += f->problem != NULL;
    return n;
}

static void say_reloaded(struct server *s)
{
    const struct background *b = &s->bg;
    unsigned zones = zonedb_count(server_snapshot(s)->zones);
    s->last_reload_failed = b->err || b->zone_errors > kept_databases(b);
    if (b->err)
        log_error("reload", "nothing was changed: %s", err_text(b->err));
    else
        log_notice("reload", "done, %u zones; %u zones and databases kept in their old version",
                   zones, b->zone_errors);
    runtime_notify("READY=1");
    tell(b->waiters, &(struct server_reload){b->err, zones, b->zone_errors, &b->diags});
}

static void finish_reload(struct server *s)
{
    struct background *b = &s->bg;
    if (!b->err)
        publish(s);
    diag_print(&b->diags, stderr, 0);
    if (!b->rebuild)
        say_reloaded(s);
    if (b->rebuild || !b->err)
        server_files_read(s, b->err, &b->diags);
    b->waiters = NULL;
    diag_fini(&b->diags);
    b->busy = false;
    go_on(s);
}

static void on_settle(uv_timer_t *t)
{
    struct server *s = t->data;
    if (!health_ready(s->health) && clock_mono_ms(s->shared.clock) < s->bg.settle_until_ms)
        return;
    uv_timer_stop(t);
    s->bg.settling = false;
    finish_reload(s);
}

/* New members are not given before their first probe, or the warm-up; the old plan answers. */
static void after_reload(uv_work_t *work, int status)
{
    struct server *s = work->data;
    struct background *b = &s->bg;
    (void)status;
    if (!b->err)
        check_running(s);
    b->settling = !b->err && !s->ending && s->health && b->after->plan && !health_ready(s->health);
    if (!b->settling) {
        finish_reload(s);
        return;
    }
    b->settle_until_ms = clock_mono_ms(s->shared.clock) + b->after->plan->warm_up_ms;
    uv_timer_start(&s->settle, on_settle, SETTLE_MS, SETTLE_MS);
}

static int add_waiter(struct reload_waiter **list, server_reloaded *done, void *arg)
{
    struct reload_waiter *w = done ? malloc(sizeof *w) : NULL;
    if (!done)
        return 0;
    if (!w)
        return ERR_NOMEM;
    *w = (struct reload_waiter){*list, done, arg};
    *list = w;
    return 0;
}

static void notify_reloading(void)
{
    char text[NOTIFY_TEXT];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_mono_us(clock_system()));
    runtime_notify(text);
}

static int begin(struct server *s, bool rebuild)
{
    struct background *b = &s->bg;
    b->rebuild = rebuild;
    b->before = server_snapshot(s);
    b->after = NULL;
    b->err = 0;
    b->zone_errors = 0;
    diag_init(&b->diags);
    b->work.data = s;
    b->busy = !uv_queue_work(&s->loop, &b->work, run_reload, after_reload);
    return b->busy ? 0 : ERR_SYSTEM;
}

int server_reload(struct server *s, server_reloaded *done, void *arg)
{
    struct background *b = &s->bg;
    if (!s->path)
        return ERR_UNSUPPORTED;
    int err = add_waiter(&b->next_waiters, done, arg);
    if (err)
        return err;
    b->again = b->busy;
    if (b->busy)
        return 0; /* after what runs now: the file may have changed since it was read */
    b->waiters = b->next_waiters;
    b->next_waiters = NULL;
    notify_reloading();
    return begin(s, false);
}

int server_rebuild(struct server *s)
{
    s->bg.again_rebuild = s->bg.busy;
    return s->bg.busy ? 0 : begin(s, true);
}
