/* daemon/health.c: a timer that turns the monitor, the prober that asks for it, and a thread that
 * writes for it. */
#include "daemon/health.h"

#include "base/err.h"
#include "base/log.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_CAP 4096

/* A thread of its own for each piece of work: those of libuv's pool run at idle priority once they
 * have built a reload, and states would then be written late on a busy machine. */
struct helper {
    struct gslb_helper place; /* first */
    uv_thread_t thread;
    uv_async_t ended;
    bool busy;
    void (*work)(void *), (*done)(void *);
    void *arg;
};

struct health {
    struct gslb_asker asker; /* first */
    struct helper helper;
    uv_loop_t *loop;
    const struct clock *clock;
    struct gslb_prober *prober;
    struct gslb_monitor *monitor;
    uv_timer_t timer;
    uint32_t warm_up_ms;
    unsigned open; /* handles, and the prober */
    char state[PATH_CAP], events[PATH_CAP];
};

static int ask(struct gslb_asker *a, const struct gslb_check *check, const struct addr *target,
               gslb_probed *done, void *arg, void **handle)
{
    struct health *h = (struct health *)(void *)a;
    struct gslb_probe *probe;
    int err = gslb_probe_start(h->prober, check, target, done, arg, &probe);
    if (!err)
        *handle = probe;
    return err;
}

static void cancel(struct gslb_asker *a, void *handle)
{
    (void)a;
    gslb_probe_cancel(handle);
}

/* ---- work beside the loop ---- */

static void helper_main(void *arg)
{
    struct helper *p = arg;
    p->work(p->arg);
    uv_async_send(&p->ended);
}

static int helper_run(struct gslb_helper *place, void (*work)(void *), void (*done)(void *),
                      void *arg)
{
    struct helper *p = (struct helper *)(void *)place;
    if (p->busy)
        return ERR_BUSY;
    p->work = work;
    p->done = done;
    p->arg = arg;
    p->busy = !uv_thread_create(&p->thread, helper_main, p);
    return p->busy ? 0 : ERR_NOMEM;
}

static void helper_finish(struct gslb_helper *place)
{
    struct helper *p = (struct helper *)(void *)place;
    if (!p->busy)
        return;
    uv_thread_join(&p->thread);
    p->busy = false;
    p->done(p->arg);
}

static void on_helped(uv_async_t *a)
{
    struct health *h = a->data;
    helper_finish(&h->helper.place);
}

/* ---- the loop ---- */

/* A timer of 0 would run again in the same turn of the loop, and again, until nothing is due:
 * nothing else would have its turn meanwhile. */
static void on_timer(uv_timer_t *t)
{
    struct health *h = t->data;
    unsigned wait = gslb_monitor_turn(h->monitor);
    uv_timer_start(t, on_timer, wait ? wait : 1, 0);
}

/* A path of the configuration, from its folder; NULL: none. */
static const char *take_path(const struct config *c, const char *option, char *out)
{
    const char *path = config_text(c, NULL, option);
    return path ? config_path(c, path, out, PATH_CAP) : NULL;
}

int health_open(struct health **out, const struct health_place *place, struct diag_list *d)
{
    struct rng rng;
    struct health *h = calloc(1, sizeof *h);
    int err = h ? rng_init(&rng) : ERR_NOMEM;
    if (err) {
        free(h);
        return err;
    }
    h->asker = (struct gslb_asker){ask, cancel};
    h->helper.place = (struct gslb_helper){helper_run, helper_finish};
    h->loop = place->loop;
    h->clock = place->clock;
    struct gslb_monitor_place at = {.clock = place->clock,
                                    .asker = &h->asker,
                                    .helper = &h->helper.place,
                                    .table = place->table,
                                    .state = take_path(place->config, "gslb.state", h->state),
                                    .events = take_path(place->config, "gslb.events", h->events),
                                    .seed = rng_u64(&rng),
                                    .tallies = place->tallies,
                                    .tally_count = place->tally_count};
    rng_fini(&rng);
    err = gslb_prober_new(&h->prober, h->loop, h->clock,
                          &(struct gslb_prober_limits){.files = place->files});
    if (!err)
        h->open = 1;
    if (!err && !(err = uv_async_init(h->loop, &h->helper.ended, on_helped) ? ERR_SYSTEM : 0)) {
        h->helper.ended.data = h;
        h->open++;
    }
    err = err ? err : gslb_monitor_new(&h->monitor, &at, d);
    if (!err) {
        uv_timer_init(h->loop, &h->timer);
        h->timer.data = h;
        h->open++;
        *out = h;
        return 0;
    }
    health_close(h);
    return err;
}

int health_plan(struct health *h, struct gslb_plan *plan)
{
    if (plan)
        part_ref(gslb_plan_part(plan));
    int err = gslb_monitor_plan(h->monitor, plan);
    if (err && plan)
        part_unref(gslb_plan_part(plan));
    if (err)
        return err;
    h->warm_up_ms = plan ? plan->warm_up_ms : 0;
    on_timer(&h->timer);
    return 0;
}

void health_check(const struct health *h, const struct config *c, struct diag_list *d)
{
    const struct {
        const char *option, *opened;
    } files[] = {{"gslb.state", h->state}, {"gslb.events", h->events}};
    for (unsigned i = 0; i < 2; i++) {
        char path[PATH_CAP];
        const char *want = take_path(c, files[i].option, path);
        if (strcmp(want ? want : "", files[i].opened) != 0)
            config_complain(c, config_node(c, NULL, files[i].option), DIAG_ERROR,
                            "restart the server", d, "%s: cannot change at a reload",
                            files[i].option);
    }
}

bool health_ready(const struct health *h)
{
    return gslb_monitor_ready(h->monitor);
}

void health_warm_up(struct health *h)
{
    int64_t until = clock_mono_ms(h->clock) + h->warm_up_ms;
    while (!gslb_monitor_ready(h->monitor) && clock_mono_ms(h->clock) < until) {
        uv_update_time(h->loop);
        if (uv_timer_get_due_in(&h->timer) > 10) /* never sleep far beyond the warm-up */
            uv_timer_start(&h->timer, on_timer, 10, 0);
        uv_run(h->loop, UV_RUN_ONCE);
    }
    if (!gslb_monitor_ready(h->monitor))
        log_notice("gslb", "some checks have no result yet; until then they count as up");
}

struct gslb_monitor *health_monitor(struct health *h)
{
    return h->monitor;
}

static void on_prober_closed(void *arg)
{
    struct health *h = arg;
    h->open--;
}

static void on_handle_closed(uv_handle_t *t)
{
    struct health *h = t->data;
    h->open--;
}

void health_close(struct health *h)
{
    if (!h)
        return;
    if (h->monitor)
        gslb_monitor_free(h->monitor); /* cancels its probes, waits for the helper */
    if (h->prober)
        gslb_prober_close(h->prober, on_prober_closed, h);
    if (h->timer.data)
        uv_close((uv_handle_t *)&h->timer, on_handle_closed);
    if (h->helper.ended.data)
        uv_close((uv_handle_t *)&h->helper.ended, on_handle_closed);
    while (h->open)
        uv_run(h->loop, UV_RUN_ONCE);
    free(h);
}
