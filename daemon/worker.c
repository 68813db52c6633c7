#include "daemon/worker.h"

#include "base/err.h"
#include "base/log.h"
#include "net/counters.h"
#include "net/udp.h"
#include "net/upstream.h"
#include "resolver/trace.h"

#include <stdlib.h>
#include <string.h>

#define RECENT_BYTES  (1u << 20)
#define FAILED_BYTES  (512u << 10)
#define DRAIN_TICK_MS 10

struct worker {
    struct worker_shared *shared;
    struct route route;
    struct snap_reader reader;
    struct gslb_worker steering;
    struct gslb_decider decider;
    struct gslb_tally *tally;
    struct rng rng;
    struct wheel wheel;
    struct stat_block *stats[WORKER_STATS];
    struct recorder *recorder;
    struct resolver_worker *resolver;
    struct upstream *upstream;
    struct net_batch *batch;
    struct net_udp *udp[SNAPSHOT_LISTENERS_MAX];
    struct net_stream *tcp[SNAPSHOT_LISTENERS_MAX];
    uv_loop_t loop;
    uv_prepare_t before_wait; /* last thing before the kernel */
    uv_check_t after_wait;    /* first thing after it */
    uv_timer_t timer;         /* drives the wheel */
    uv_async_t wake;          /* another worker's answer, or stop */
    uv_thread_t thread;
    uv_mutex_t asked_lock;
    struct list asked; /* worker_question, from other threads */
    bool asked_closed;
    bool loop_ready, started, reader_added, async_ready;
    bool due; /* the wheel is to be run */
    _Atomic bool stopping;
    int64_t drain_until_ms; /* 0: not draining */
};

/* ---- time ---- */

/* Ends the wait. The wheel runs behind it: when we were held up, what came meanwhile is read before
 * anything is said not to have come. */
static void on_timer(uv_timer_t *t)
{
    struct worker *w = t->data;
    w->due = true;
}

static void worker_close(struct worker *w);

static bool worker_drained(struct worker *w)
{
    return !w->route.pending || clock_mono_ms(w->shared->clock) >= w->drain_until_ms;
}

static void on_before_wait(uv_prepare_t *h)
{
    struct worker *w = h->data;
    if (w->upstream)
        upstream_flush(w->upstream); /* may answer somebody */
    net_batch_flush(w->batch);
    int64_t now = clock_mono_ms(w->shared->clock), next = wheel_next(&w->wheel, now);
    if (w->drain_until_ms && worker_drained(w)) {
        worker_close(w);
        snap_offline(&w->reader);
        return;
    }
    if (w->drain_until_ms && (next < 0 || next > DRAIN_TICK_MS))
        next = DRAIN_TICK_MS;
    if (w->due)
        next = 0;
    if (next >= 0) {
        uv_update_time(&w->loop); /* the timer counts from the loop's own idea of now */
        uv_timer_start(&w->timer, on_timer, (uint64_t)next, 0);
    } else {
        uv_timer_stop(&w->timer);
    }
    snap_offline(&w->reader);
}

static void on_after_wait(uv_check_t *h)
{
    struct worker *w = h->data;
    snap_online(&w->shared->domain, &w->reader);
    if (w->due) {
        w->due = false;
        uv_timer_stop(&w->timer);
        wheel_run(&w->wheel, clock_mono_ms(w->shared->clock));
    }
}

/* ---- wake-ups ---- */

static void wake_worker(void *arg)
{
    struct worker *w = arg;
    uv_async_send(&w->wake);
}

static void on_asked(void *arg, const struct resolver_result *res)
{
    struct worker_question *q = arg;
    if (q->result)
        q->result(q, res);
    else
        q->done(q, res ? trace_json(res, q->qname, q->qtype) : NULL);
}

/* The next question of other threads, or NULL. */
static struct worker_question *take_asked(struct worker *w)
{
    uv_mutex_lock(&w->asked_lock);
    struct list *first = list_first(&w->asked);
    if (first)
        list_remove(first);
    uv_mutex_unlock(&w->asked_lock);
    return first ? container_of(first, struct worker_question, link) : NULL;
}

static void answer_asked(struct worker *w)
{
    struct worker_question *q;
    while ((q = take_asked(w))) {
        struct resolver_ask ask = {.qname = q->qname,
                                   .qtype = q->qtype,
                                   .qclass = DNS_CLASS_IN,
                                   .flags = DNS_FLAG_RD,
                                   .dnssec_ok = q->dnssec_ok,
                                   .subnet = q->subnet,
                                   .trace = !q->result};
        struct request *req;
        if (!w->resolver || resolver_ask(w->resolver, &ask, on_asked, q, &req))
            on_asked(q, NULL);
    }
}

int worker_ask(struct worker *w, struct worker_question *q)
{
    if (!w->shared->resolver)
        return ERR_UNSUPPORTED;
    uv_mutex_lock(&w->asked_lock);
    bool closed = w->asked_closed;
    if (!closed) {
        list_push(&w->asked, &q->link);
        uv_async_send(&w->wake);
    }
    uv_mutex_unlock(&w->asked_lock);
    return closed ? ERR_CLOSED : 0;
}

static void on_wake(uv_async_t *h)
{
    struct worker *w = h->data;
    answer_asked(w);
    if (w->resolver)
        resolver_worker_drain(w->resolver);
    if (!atomic_load(&w->stopping) || w->drain_until_ms)
        return;
    for (unsigned i = 0; i < SNAPSHOT_LISTENERS_MAX; i++) {
        if (w->udp[i])
            net_udp_stop(w->udp[i]);
        if (w->tcp[i])
            net_stream_stop(w->tcp[i]);
    }
    w->drain_until_ms = clock_mono_ms(w->shared->clock) + w->shared->drain_ms + 1;
}

/* ---- making ---- */

static int make_listeners(struct worker *w, const struct snapshot *snap, unsigned *failed)
{
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        *failed = i;
        int err = l->udp ? net_udp_open(&w->udp[i], &w->loop, w->batch, &l->addr, i,
                                        &w->route.handler, w->stats[WORKER_NET])
                         : 0;
        if (!err && l->tcp)
            err = net_stream_open(&w->tcp[i], &w->loop, &l->addr, i, &w->route.handler,
                                  &w->shared->tcp, w->stats[WORKER_NET]);
        if (err)
            return err;
    }
    return 0;
}

static int make_engine(struct worker *w)
{
    struct upstream_options o;
    upstream_options_default(&o);
    memcpy(o.source, w->shared->engine->source, sizeof o.source);
    int err = rng_init(&w->rng);
    if (err || !w->shared->resolver)
        return err;
    err = upstream_new(&w->upstream, &w->loop, &w->rng, w->shared->clock, &o, w->stats[WORKER_NET]);
    return err ? err
               : resolver_worker_new(&w->resolver, w->shared->resolver,
                                     upstream_transport(w->upstream), &w->wheel, &w->rng,
                                     w->stats[WORKER_RESOLVER], wake_worker, w);
}

static int make_loop(struct worker *w)
{
    if (uv_loop_init(&w->loop))
        return ERR_SYSTEM;
    w->loop_ready = true;
    uv_prepare_init(&w->loop, &w->before_wait);
    uv_check_init(&w->loop, &w->after_wait);
    uv_timer_init(&w->loop, &w->timer);
    w->before_wait.data = w->after_wait.data = w->timer.data = w->wake.data = w;
    uv_prepare_start(&w->before_wait, on_before_wait);
    uv_check_start(&w->after_wait, on_after_wait);
    if (uv_async_init(&w->loop, &w->wake, on_wake))
        return ERR_SYSTEM;
    w->async_ready = true;
    return 0;
}

static int make_stats(struct worker *w)
{
    w->stats[WORKER_ROUTE] = stat_new(route_stat_rows, ROUTE_COUNTER_COUNT);
    w->stats[WORKER_NET] = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    w->stats[WORKER_RESOLVER] = stat_new(resolver_stat_rows, resolver_stat_count);
    for (unsigned i = 0; i < WORKER_STATS; i++)
        if (!w->stats[i])
            return ERR_NOMEM;
    return 0;
}

static int make_steering(struct worker *w, unsigned index)
{
    int err = gslb_tally_new(&w->tally);
    w->steering.index = index;
    w->steering.table = w->shared->table;
    w->steering.targets = w->shared->targets;
    w->steering.tally = w->tally;
    w->steering.rng = &w->rng;
    gslb_decider_init(&w->decider, &w->steering);
    w->route.decider = &w->decider;
    w->route.dynamic = &w->decider.dynamic;
    return err;
}

int worker_new(struct worker **out, struct worker_shared *shared, unsigned index, unsigned *failed)
{
    struct worker *w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63);
    *failed = SNAPSHOT_LISTENERS_MAX;
    if (!w)
        return ERR_NOMEM;
    memset(w, 0, sizeof *w);
    w->shared = shared;
    list_init(&w->asked);
    if (uv_mutex_init(&w->asked_lock)) {
        free(w);
        return ERR_NOMEM;
    }
    wheel_init(&w->wheel, clock_mono_ms(shared->clock));
    w->batch = net_batch_new();
    int err = w->batch ? make_stats(w) : ERR_NOMEM;
    err = err ? err : net_batch_hold(w->batch);
    err = err ? err : snap_reader_add(&shared->domain, &w->reader);
    w->reader_added = !err;
    err = err ? err : make_loop(w);
    err = err ? err : make_engine(w);
    err = err ? err : make_steering(w, index);
    err = err || !shared->resolver ? err : recorder_new(&w->recorder, RECENT_BYTES, FAILED_BYTES);
    w->route.root = &shared->root;
    w->route.answers = shared->answers;
    w->route.resolver = w->resolver;
    w->route.room = shared->resolver ? malloc(ROUTE_ROOM) : NULL;
    err = err || !shared->resolver || w->route.room ? err : ERR_NOMEM;
    w->route.recorder = w->recorder;
    w->route.stats = w->stats[WORKER_ROUTE];
    w->route.clock = shared->clock;
    w->route.cookie_secret = shared->cookie_secret;
    w->route.ttl_follows_wall = shared->engine->options.ttl_follows_wall;
    route_init(&w->route);
    err = err ? err : make_listeners(w, atomic_load(&shared->root), failed);
    if (err) {
        worker_free(w);
        return err;
    }
    *out = w;
    return 0;
}

/* ---- running ---- */

static void worker_thread(void *arg)
{
    struct worker *w = arg;
    snap_online(&w->shared->domain, &w->reader);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    snap_offline(&w->reader);
}

int worker_start(struct worker *w)
{
    if (uv_thread_create(&w->thread, worker_thread, w))
        return ERR_SYSTEM;
    w->started = true;
    return 0;
}

void worker_stop(struct worker *w)
{
    atomic_store(&w->stopping, true);
    if (w->started)
        uv_async_send(&w->wake);
}

/* Closes every handle, so that the loop ends. On the worker's thread, or before it was started. */
static void worker_close(struct worker *w)
{
    if (uv_is_closing((uv_handle_t *)&w->before_wait))
        return;
    if (w->resolver)
        resolver_worker_free(w->resolver); /* what is in flight ends now */
    w->resolver = NULL;
    uv_mutex_lock(&w->asked_lock);
    w->asked_closed = true;
    uv_mutex_unlock(&w->asked_lock);
    answer_asked(w);
    net_batch_flush(w->batch);
    for (unsigned i = 0; i < SNAPSHOT_LISTENERS_MAX; i++) {
        if (w->udp[i])
            net_udp_close(w->udp[i]);
        if (w->tcp[i])
            net_stream_close(w->tcp[i]);
    }
    if (w->upstream)
        upstream_close(w->upstream);
    uv_close((uv_handle_t *)&w->before_wait, NULL);
    uv_close((uv_handle_t *)&w->after_wait, NULL);
    uv_close((uv_handle_t *)&w->timer, NULL);
    if (w->async_ready)
        uv_close((uv_handle_t *)&w->wake, NULL);
}

void worker_free(struct worker *w)
{
    if (w->started) {
        uv_thread_join(&w->thread);
    } else if (w->loop_ready) {
        worker_close(w);
        uv_run(&w->loop, UV_RUN_DEFAULT);
    }
    if (w->loop_ready && uv_loop_close(&w->loop))
        log_error("worker", "a handle was left open");
    if (w->reader_added)
        snap_reader_remove(&w->shared->domain, &w->reader);
    rng_fini(&w->rng);
    if (w->recorder)
        recorder_free(w->recorder);
    for (unsigned i = 0; i < WORKER_STATS; i++)
        stat_free(w->stats[i]);
    net_batch_free(w->batch);
    free(w->route.room);
    gslb_tally_free(w->tally);
    uv_mutex_destroy(&w->asked_lock);
    free(w);
}

const struct stat_block *worker_stats(const struct worker *w, enum worker_stats which)
{
    return w->stats[which];
}

struct recorder *worker_recorder(struct worker *w)
{
    return w->recorder;
}

struct gslb_tally *worker_tally(struct worker *w)
{
    return w->tally;
}
