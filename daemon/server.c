#include "daemon/server.h"

#include "authority/zone.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/worker.h"
#include "net/udp.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SERVER_WORKERS_MAX 64
#define SERVER_TICK_MS     100 /* how soon a retired snapshot is looked at again */
#define ANSWERS_BYTES_MIN  (1u << 20)

struct server {
    struct worker_shared shared;
    struct engine engine;
    char *path;
    struct worker *workers[SERVER_WORKERS_MAX];
    unsigned worker_count;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_async_t stop;
    uv_timer_t tick;
    bool loop_ready;
};

static struct snapshot *server_snapshot(struct server *s)
{
    return atomic_load(&s->shared.root);
}

/* ---- reload ---- */

int server_reload(struct server *s, struct diag_list *diags, unsigned *zone_errors)
{
    struct config *c = NULL;
    struct snapshot *before = server_snapshot(s), *after = NULL;
    *zone_errors = 0;
    if (!s->path)
        return ERR_UNSUPPORTED;
    int err = config_load(&c, s->path, diags);
    if (err)
        return ERR_INVALID;
    err = snapshot_build(&after, c, before, diags, zone_errors);
    if (err)
        return err;
    bool same = after->listener_count == before->listener_count;
    for (unsigned i = 0; same && i < after->listener_count; i++)
        same = addr_equal(&after->listeners[i].addr, &before->listeners[i].addr);
    if (!same) {
        diag_add(diags, DIAG_ERROR,
                 &(struct diag_at){.file = s->path, .hint = "restart the server"},
                 "the addresses under listen: cannot change at a reload");
        part_unref(&after->part);
        return ERR_INVALID;
    }
    atomic_exchange(&s->shared.root, after);
    while (snap_retire(&s->shared.domain, &before->part) == ERR_NOMEM)
        usleep(1000); /* nothing else can be given up: the old root must not be freed early */
    return 0;
}

static void reload_and_say(struct server *s)
{
    struct diag_list diags;
    unsigned zone_errors;
    diag_init(&diags);
    int err = server_reload(s, &diags, &zone_errors);
    diag_print(&diags, stderr, 0);
    if (err)
        log_error("reload", "nothing was changed: %s", err_text(err));
    else
        log_notice("reload", "done, %u zones, %u kept in their old version",
                   zonedb_count(server_snapshot(s)->zones), zone_errors);
    diag_fini(&diags);
}

/* ---- the control loop ---- */

static void on_signal(uv_signal_t *h, int signum)
{
    struct server *s = h->data;
    if (signum == SIGHUP)
        reload_and_say(s);
    else
        uv_stop(&s->loop);
}

static void on_stop(uv_async_t *h)
{
    uv_stop(h->loop);
}

static void on_tick(uv_timer_t *h)
{
    struct server *s = h->data;
    snap_reclaim(&s->shared.domain);
}

static int server_loop(struct server *s)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    int err = uv_loop_init(&s->loop);
    if (err)
        return ERR_SYSTEM;
    s->loop_ready = true;
    for (unsigned i = 0; i < 3; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, signums[i]);
    }
    uv_async_init(&s->loop, &s->stop, on_stop);
    uv_timer_init(&s->loop, &s->tick);
    s->tick.data = s;
    uv_timer_start(&s->tick, on_tick, SERVER_TICK_MS, SERVER_TICK_MS);
    return 0;
}

int server_run(struct server *s)
{
    uv_run(&s->loop, UV_RUN_DEFAULT);
    log_notice("server", "ending");
    return 0;
}

void server_stop(struct server *s)
{
    uv_async_send(&s->stop);
}

/* ---- start ---- */

/* SO_REUSEPORT would let a second server steal queries: each address is tried without it first, so
 * that whoever holds it is found and named. */
static int probe_addresses(struct server *s, struct diag_list *diags)
{
    const struct snapshot *snap = server_snapshot(s);
    int first = 0;
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        for (unsigned p = NET_PROTO_UDP; p <= NET_PROTO_TCP; p++) {
            char text[ADDR_TEXT_MAX], holder[128] = "";
            int err = p == NET_PROTO_UDP
                          ? (l->udp ? net_probe_bind(&l->addr, p, holder, sizeof holder) : 0)
                          : (l->tcp ? net_probe_bind(&l->addr, p, holder, sizeof holder) : 0);
            if (!err)
                continue;
            addr_print_port(&l->addr, text);
            diag_add(
                diags, DIAG_ERROR,
                &(struct diag_at){
                    .hint = err == ERR_ACCESS ? "run as root, or: setcap cap_net_bind_service=+ep "
                                                "waypost, or use a port above 1023"
                            : err == ERR_IN_USE ? "stop it, or listen on another address or port"
                                                : "is this address on this machine?"},
                "cannot listen on %s (%s): %s%s%s", text, p == NET_PROTO_UDP ? "udp" : "tcp",
                err_text(err), *holder ? ", held by " : "", holder);
            first = first ? first : err;
        }
    }
    return first;
}

static bool any_resolver(const struct snapshot *snap)
{
    for (unsigned i = 0; i < snap->listener_count; i++)
        if (snap->listeners[i].roles & ROLE_RESOLVER)
            return true;
    return false;
}

static int make_engine(struct server *s, struct diag_list *diags)
{
    struct rng rng;
    uint64_t seed;
    int err = rng_init(&rng);
    if (err)
        return err;
    rng_bytes(&rng, s->shared.cookie_secret, sizeof s->shared.cookie_secret);
    seed = rng_u64(&rng);
    rng_fini(&rng);
    if (!any_resolver(server_snapshot(s)))
        return answers_new(&s->shared.answers, ANSWERS_BYTES_MIN, seed);
    err = answers_new(&s->shared.answers, s->engine.answers_bytes, seed);
    return err ? err
               : resolver_new(&s->shared.resolver, &s->engine.options, s->shared.clock, diags);
}

static int make_workers(struct server *s, struct diag_list *diags)
{
    const struct snapshot *snap = server_snapshot(s);
    long want = (long)config_int(snap->config, NULL, "server.workers");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    want = want ? want : cores > 0 ? cores : 1;
    for (long i = 0; i < want && i < SERVER_WORKERS_MAX; i++) {
        unsigned failed = 0;
        int err = worker_new(&s->workers[s->worker_count], &s->shared, &failed);
        if (err) {
            char text[ADDR_TEXT_MAX];
            diag_add(diags, DIAG_ERROR, NULL, "cannot listen on %s: %s",
                     failed < snap->listener_count
                         ? addr_print_port(&snap->listeners[failed].addr, text)
                         : "-",
                     err_text(err));
            return err;
        }
        s->worker_count++;
    }
    for (unsigned i = 0; i < s->worker_count; i++) {
        int err = worker_start(s->workers[i]);
        if (err)
            return err;
    }
    return 0;
}

static void set_log_level(const struct config *c)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    const char *want = config_text(c, NULL, "server.log");
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
        if (!strcmp(names[i], want))
            log_set_level((enum log_level)i);
}

int server_start(struct server **out, struct config *config, const char *path,
                 struct diag_list *diags)
{
    struct server *s = calloc(1, sizeof *s);
    struct snapshot *snap = NULL;
    unsigned zone_errors = 0;
    if (!s) {
        config_free(config);
        return ERR_NOMEM;
    }
    s->path = path ? strdup(path) : NULL;
    s->shared.clock = clock_system();
    s->shared.engine = &s->engine;
    set_log_level(config);
    s->shared.drain_ms = config_int(config, NULL, "server.drain");
    snap_init(&s->shared.domain);
    int err = engine_init(&s->engine, config, diags);
    if (err)
        config_free(config);
    else
        err = snapshot_build(&snap, config, NULL, diags, &zone_errors);
    if (!err) {
        atomic_store(&s->shared.root, snap);
        err = probe_addresses(s, diags);
    }
    err = err ? err : make_engine(s, diags);
    err = err ? err : server_loop(s);
    err = err ? err : make_workers(s, diags);
    if (err) {
        server_free(s);
        return err;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    *out = s;
    return 0;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void server_free(struct server *s)
{
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_stop(s->workers[i]);
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_free(s->workers[i]);
    if (s->loop_ready) {
        uv_walk(&s->loop, close_handle, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
    }
    if (s->shared.resolver)
        resolver_free(s->shared.resolver);
    if (s->shared.answers)
        answers_free(s->shared.answers);
    struct snapshot *snap = server_snapshot(s);
    if (snap)
        part_unref(&snap->part);
    snap_fini(&s->shared.domain);
    engine_free(&s->engine);
    free(s->path);
    free(s);
}

/* ---- what it is doing ---- */

void server_print_stats(struct server *s, FILE *out)
{
    for (unsigned which = 0; which < WORKER_STATS; which++) {
        const struct stat_block *first =
            s->worker_count ? worker_stats(s->workers[0], which) : NULL;
        for (size_t row = 0; first && row < first->count; row++) {
            uint64_t sum = 0;
            for (unsigned i = 0; i < s->worker_count; i++)
                sum += stat_get(worker_stats(s->workers[i], which), (unsigned)row);
            fprintf(out, "waypost_%s %llu\n", first->rows[row].name, (unsigned long long)sum);
        }
    }
}

void server_print_status(struct server *s, FILE *out)
{
    const struct snapshot *snap = server_snapshot(s);
    unsigned loaded = 0;
    uint64_t records = 0;
    for (unsigned i = 0; i < zonedb_count(snap->zones); i++) {
        const uint8_t *origin;
        zonedb_listeners on;
        const struct zone *z = zonedb_at(snap->zones, i, &origin, &on);
        loaded += z != NULL;
        records += z ? zone_size(z).records : 0;
    }
    fprintf(out, "zones       %u loaded of %u, %llu records\n", loaded, zonedb_count(snap->zones),
            (unsigned long long)records);
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        char text[ADDR_TEXT_MAX];
        fprintf(out, "listening   %s%s%s %s%s%s\n", addr_print_port(&l->addr, text),
                l->udp ? " udp" : "", l->tcp ? " tcp" : "",
                l->roles & ROLE_AUTHORITY ? "authority" : "",
                l->roles == (ROLE_AUTHORITY | ROLE_RESOLVER) ? "+" : "",
                l->roles & ROLE_RESOLVER ? "resolver" : "");
    }
}
