#include "daemon/server.h"

#include "base/err.h"
#include "base/log.h"
#include "base/runtime.h"
#include "net/udp.h"
#include "server_priv.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SERVER_TICK_MS    100 /* how soon a retired snapshot is looked at again */
#define ANSWERS_BYTES_MIN (1u << 20)
#define FILES_OF_WORKER   1400 /* mostly the resolver's sockets (net/upstream.h) */

/* ---- the control loop ---- */

static void on_signal(uv_signal_t *h, int signum)
{
    struct server *s = h->data;
    if (signum == SIGHUP) {
        server_reload(s, NULL, NULL);
        return;
    }
    s->stopped = true;
    uv_stop(&s->loop);
}

static void on_stop(uv_async_t *h)
{
    struct server *s = h->data;
    s->stopped = true;
    uv_stop(h->loop);
}

static void on_tick(uv_timer_t *h)
{
    struct server *s = h->data;
    server_reclaim(s);
}

static int server_loop(struct server *s)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    int err = uv_loop_init(&s->loop);
    if (err)
        return ERR_SYSTEM;
    s->loop_ready = true;
    turns_open(&s->turns, &s->loop);
    for (unsigned i = 0; i < 3; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, signums[i]);
    }
    uv_async_init(&s->loop, &s->stop, on_stop);
    s->stop.data = s;
    uv_timer_init(&s->loop, &s->settle);
    s->settle.data = s;
    uv_timer_init(&s->loop, &s->tick);
    s->tick.data = s;
    uv_timer_start(&s->tick, on_tick, SERVER_TICK_MS, SERVER_TICK_MS);
    return 0;
}

int server_run(struct server *s)
{
    runtime_notify("READY=1");
    if (!s->stopped)
        uv_run(&s->loop, UV_RUN_DEFAULT);
    runtime_notify("STOPPING=1");
    log_notice("server", "ending");
    return 0;
}

void server_stop(struct server *s)
{
    uv_async_send(&s->stop);
}

/* ---- start ---- */

static void say_not_bound(const struct addr *addr, const char *protos, int err, const char *holder,
                          struct diag_list *diags)
{
    char text[ADDR_TEXT_MAX];
    const char *hint = err == ERR_ACCESS   ? "run as root, or: setcap cap_net_bind_service=+ep "
                                             "waypost, or use a port above 1023"
                       : err == ERR_IN_USE ? "stop it, or listen on another address or port"
                                           : "is this address on this machine?";
    diag_add(diags, DIAG_ERROR, &(struct diag_at){.hint = hint}, "cannot listen on %s (%s): %s%s%s",
             addr_print_port(addr, text), protos, err_text(err), *holder ? ", held by " : "",
             holder);
}

/* SO_REUSEPORT would let a second server steal queries: each address is tried without it first, so
 * that whoever holds it is found and named. */
static int probe_addresses(struct server *s, struct diag_list *diags)
{
    const struct snapshot *snap = server_snapshot(s);
    int first = 0;
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        char by_udp[128] = "", by_tcp[128] = "";
        int udp = l->udp ? net_probe_bind(&l->addr, NET_PROTO_UDP, by_udp, sizeof by_udp) : 0,
            tcp = l->tcp ? net_probe_bind(&l->addr, NET_PROTO_TCP, by_tcp, sizeof by_tcp) : 0;
        bool same = udp && udp == tcp && !strcmp(by_udp, by_tcp);
        if (udp)
            say_not_bound(&l->addr, same ? "udp, tcp" : "udp", udp, by_udp, diags);
        if (tcp && !same)
            say_not_bound(&l->addr, "tcp", tcp, by_tcp, diags);
        first = first ? first : udp ? udp : tcp;
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

/* Our own resolver looks names up also where no listener resolves for others. */
static bool needs_resolver(const struct server *s, const struct snapshot *snap)
{
    return snap->plan && snap->plan->target_count && follow_is_self(s->follow);
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
    if (!any_resolver(server_snapshot(s)) && !needs_resolver(s, server_snapshot(s)))
        return answers_new(&s->shared.answers, ANSWERS_BYTES_MIN, seed);
    err = answers_new(&s->shared.answers, s->engine.answers_bytes, seed);
    if (!err)
        answers_refresh_below(s->shared.answers, s->engine.options.refresh_percent);
    return err ? err
               : resolver_new(&s->shared.resolver, &s->engine.options, s->shared.clock, diags);
}

/* Fixed at start: a plan has states for so many. */
static unsigned count_workers(const struct config *c)
{
    long want = (long)config_int(c, NULL, "server.workers"), cores = sysconf(_SC_NPROCESSORS_ONLN);
    want = want ? want : cores > 0 ? cores : 1;
    return want < SERVER_WORKERS_MAX ? (unsigned)want : SERVER_WORKERS_MAX;
}

static void take_tcp_limits(struct net_stream_limits *l, const struct config *c)
{
    net_stream_limits_default(l);
    l->connections = (unsigned)config_int(c, NULL, "server.tcp.connections");
    l->per_client = (unsigned)config_int(c, NULL, "server.tcp.per-client");
    l->first_ms = (unsigned)config_int(c, NULL, "server.tcp.first-timeout");
    l->idle_ms = (unsigned)config_int(c, NULL, "server.tcp.idle-timeout");
}

/* Without a file for it a connection is closed as soon as it comes, and a resolver cannot ask. The
 * default is nobody's wish: it goes by what there is. */
static void check_open_files(struct server *s, const struct snapshot *snap, struct diag_list *diags)
{
    const struct config_node *asked = config_node(snap->config, NULL, "server.tcp.connections");
    unsigned tcp = 0;
    for (unsigned i = 0; i < snap->listener_count; i++)
        tcp += snap->listeners[i].tcp;
    uint64_t want =
        s->place.workers * ((uint64_t)s->shared.tcp.connections * tcp + FILES_OF_WORKER);
    uint64_t allowed = runtime_open_files(&s->files_before);
    if (asked && want > allowed)
        config_complain(snap->config, asked, DIAG_WARNING,
                        "raise LimitNOFILE in the unit, or write fewer connections", diags,
                        "server.tcp.connections: %u at each of %u workers, for %u listeners, can "
                        "need %llu open files; only %llu are allowed",
                        s->shared.tcp.connections, s->place.workers, tcp, (unsigned long long)want,
                        (unsigned long long)allowed);
}

static int bind_workers(struct server *s, struct diag_list *diags)
{
    const struct snapshot *snap = server_snapshot(s);
    for (unsigned i = 0; i < s->place.workers; i++) {
        unsigned failed = 0;
        int err = worker_new(&s->workers[s->worker_count], &s->shared, i, &failed);
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
    return 0;
}

static int start_workers(struct server *s)
{
    int err = 0;
    for (unsigned i = 0; i < s->worker_count && !err; i++)
        err = worker_start(s->workers[i]);
    return err;
}

/* ---- rights ---- */

/* server.user: looked up before anything is bound, so that a wrong name is an error of the
 * configuration. */
static int find_user(const struct config *c, struct passwd *pw, char *buf, size_t cap,
                     struct diag_list *diags)
{
    const char *name = config_text(c, NULL, "server.user");
    struct passwd *found = NULL;
    pw->pw_name = NULL;
    if (!name)
        return 0;
    int err = getpwnam_r(name, pw, buf, cap, &found);
    if (found)
        return 0;
    config_complain(c, config_node(c, NULL, "server.user"), DIAG_ERROR, NULL, diags,
                    "there is no user \"%s\"%s%s", name, err ? ": " : "", err ? strerror(err) : "");
    return ERR_INVALID;
}

/* After the addresses are bound and before anything is received. */
static int become_user(const struct passwd *pw, struct diag_list *diags)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!pw->pw_name || (getuid() == pw->pw_uid && geteuid() == pw->pw_uid))
        return 0;
    if (!initgroups(pw->pw_name, pw->pw_gid) && !setgid(pw->pw_gid) && !setuid(pw->pw_uid) &&
        setuid(0) < 0)
        return 0;
    diag_add(diags, DIAG_ERROR, &(struct diag_at){.hint = "only root can change to another user"},
             "cannot become the user \"%s\": %s", pw->pw_name, strerror(errno));
    return ERR_ACCESS;
}

void server_take(struct server *s, const struct config *c)
{
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    const char *want = config_text(c, NULL, "server.log");
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
        if (!strcmp(names[i], want))
            log_set_level((enum log_level)i);
    s->shared.drain_ms = config_int(c, NULL, "server.drain");
}

/* Where the control socket goes; "" for none. */
static void control_path(const struct config *c, const char *name, char *out, size_t cap)
{
    const char *want = config_text(c, NULL, "server.control");
    *out = 0;
    if (!strcmp(want, "none") || (!strcmp(want, "auto") && !name))
        return;
    if (!strcmp(want, "auto"))
        runtime_path(out, cap, name, true);
    else
        config_path(c, want, out, cap);
}

static int make_control(struct server *s, const struct config *c, const char *name,
                        const struct passwd *pw, struct diag_list *diags)
{
    char path[4096];
    bool must = strcmp(config_text(c, NULL, "server.control"), "auto") != 0;
    control_path(c, name, path, sizeof path);
    if (!*path)
        return 0;
    int err = control_open(&s->control, s, path, pw->pw_name ? (long)pw->pw_uid : -1);
    if (err)
        diag_add(diags, must ? DIAG_ERROR : DIAG_WARNING,
                 &(struct diag_at){.hint = err == ERR_FULL ? err_remedy(err)
                                                           : "server.control: PATH or none"},
                 "no control socket at %s: %s", path,
                 err == ERR_RANGE ? "a socket's path has at most 107 octets" : err_text(err));
    return must ? err : 0;
}

/* ---- health, and names that are not ours ---- */

static int ask_worker(void *arg, struct worker_question *q)
{
    struct server *s = arg;
    if (s->ending || !s->worker_count)
        return ERR_CLOSED;
    return worker_ask(s->workers[s->next_worker++ % s->worker_count], q);
}

/* Members given by name have other addresses: those are watched. */
static void on_addresses(void *arg)
{
    struct server *s = arg;
    if (s->health && !s->bg.settling && !s->ending)
        health_plan(s->health, server_snapshot(s)->plan);
}

static int make_follow(struct server *s, const struct config *c, struct diag_list *d)
{
    int err = follow_open(&s->follow,
                          &(struct follow_place){.loop = &s->loop,
                                                 .clock = s->shared.clock,
                                                 .domain = &s->shared.domain,
                                                 .config = c,
                                                 .ask = ask_worker,
                                                 .changed = on_addresses,
                                                 .arg = s},
                          d);
    if (!err)
        s->shared.targets = follow_targets(s->follow);
    return err;
}

void server_check_resolver(struct server *s, const struct snapshot *snap, struct diag_list *d)
{
    const char *who = any_resolver(snap) ? "listen" : needs_resolver(s, snap) ? "gslb" : NULL;
    if (who && !s->shared.resolver)
        config_complain(snap->config, config_node(snap->config, NULL, who), DIAG_ERROR,
                        "restart the server", d, "%s: needs our own resolver, %s", who,
                        "which was not needed before");
}

int server_watch(struct server *s, const struct snapshot *snap, struct diag_list *d)
{
    int err = 0;
    if (!snap->plan && !s->health)
        return 0;
    if (!s->explainer) {
        s->explainer = calloc(1, sizeof *s->explainer);
        if (!s->explainer)
            return ERR_NOMEM;
        s->explainer->table = s->shared.table;
        s->explainer->targets = s->shared.targets;
        s->explainer->index = UINT_MAX; /* no policy state is its own */
    }
    if (!s->health) {
        for (unsigned i = 0; i < s->worker_count; i++)
            s->tallies[i] = worker_tally(s->workers[i]);
        err = health_open(&s->health,
                          &(struct health_place){.loop = &s->loop,
                                                 .clock = s->shared.clock,
                                                 .table = s->shared.table,
                                                 .tallies = s->tallies,
                                                 .tally_count = s->worker_count,
                                                 .files = s->files_before,
                                                 .config = snap->config},
                          d);
    }
    err = err ? err : health_plan(s->health, snap->plan);
    if (!err)
        follow_plan(s->follow, snap->plan);
    return err;
}

/* What is steered is answered after the first round of probes, or the warm-up. */
static int warm_up(struct server *s, struct diag_list *diags)
{
    int err = server_watch(s, server_snapshot(s), diags);
    if (!err && s->health)
        health_warm_up(s->health);
    return err;
}

/* Everything after the snapshot: addresses, engine, loop, workers, rights. */
static int start_serving(struct server *s, const struct config *config, const char *control,
                         struct diag_list *diags)
{
    struct passwd pw;
    char names[4096];
    int err = find_user(config, &pw, names, sizeof names, diags);
    check_open_files(s, server_snapshot(s), diags);
    err = err ? err : probe_addresses(s, diags);
    err = err ? err : make_engine(s, diags);
    err = err ? err : bind_workers(s, diags);
    err = err ? err : make_control(s, config, control, &pw, diags);
    err = err ? err : become_user(&pw, diags);
    err = err ? err : warm_up(s, diags);
    err = err ? err : server_watch_files(s);
    return err ? err : start_workers(s);
}

int server_start(struct server **out, struct config *config, const struct server_place *place,
                 struct diag_list *diags)
{
    struct server *s = calloc(1, sizeof *s);
    struct snapshot *snap = NULL;
    unsigned zone_errors = 0;
    if (!s) {
        config_free(config);
        return ERR_NOMEM;
    }
    s->path = place->config ? strdup(place->config) : NULL;
    s->shared.clock = clock_system();
    s->shared.engine = &s->engine;
    s->started_ms = clock_mono_ms(s->shared.clock);
    s->loaded_s = clock_wall_s(s->shared.clock);
    signal(SIGPIPE, SIG_IGN); /* a client may be gone while we write */
    server_take(s, config);
    take_tcp_limits(&s->shared.tcp, config);
    snap_init(&s->shared.domain);
    int err = engine_init(&s->engine, config, diags);
    err = err ? err : gslb_table_new(&s->shared.table);
    err = err ? err : server_loop(s);
    err = err ? err : make_follow(s, config, diags);
    s->place = (struct steering_place){
        .table = s->shared.table, .targets = s->shared.targets, .workers = count_workers(config)};
    if (err)
        config_free(config);
    else
        err = snapshot_build(&snap, config, NULL, &s->place, diags, &zone_errors);
    if (!err) {
        atomic_store(&s->shared.root, snap);
        err = start_serving(s, config, place->control, diags);
    }
    if (err) {
        server_free(s);
        return err;
    }
    *out = s;
    return 0;
}

/* Ours alone: who else has handles on this loop closes them, perhaps when a thread of theirs ends.
 */
static void close_handle(uv_handle_t *h, void *arg)
{
    struct server *s = arg;
    if ((h->data == s || h->data == &s->turns) && !uv_is_closing(h))
        uv_close(h, NULL);
}

static void drop_waiters(struct reload_waiter *w)
{
    while (w) {
        struct reload_waiter *next = w->next;
        free(w);
        w = next;
    }
}

void server_free(struct server *s)
{
    s->ending = true;
    if (s->loop_ready)
        uv_timer_stop(&s->settle); /* new members need not be waited for any more */
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_stop(s->workers[i]);
    struct health *health = s->health;
    s->health = NULL; /* closing runs the loop: whoever asks meanwhile finds none */
    health_close(health);
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_free(s->workers[i]);
    follow_close(s->follow);
    s->follow = NULL;
    if (s->control)
        control_close(s->control);
    drop_waiters(s->bg.waiters);
    drop_waiters(s->bg.next_waiters);
    s->bg.waiters = s->bg.next_waiters = NULL;
    if (s->watch)
        watch_close(s->watch);
    s->watch = NULL;
    if (s->loop_ready) {
        uv_walk(&s->loop, close_handle, s);
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
    if (s->bg.settling) {
        part_unref(&s->bg.after->part);
        diag_fini(&s->bg.diags);
    }
    free(s->explainer);
    snap_fini(&s->shared.domain);
    engine_free(&s->engine);
    gslb_table_free(s->shared.table);
    free(s->files_problem);
    free(s->path);
    free(s);
}
