/* daemon/server_priv.h: the server's parts, for server, reload, report and control. */
#ifndef WAYPOST_DAEMON_SERVER_PRIV_H
#define WAYPOST_DAEMON_SERVER_PRIV_H

#include "daemon/control.h"
#include "daemon/server.h"
#include "daemon/worker.h"

#define SERVER_WORKERS_MAX 64

/* One piece of slow work at a time runs beside the control loop, at idle priority. */
struct background {
    uv_work_t work;
    bool busy;
    bool again; /* a reload was asked for meanwhile */
    /* a reload's */
    struct snapshot *before, *after;
    struct diag_list diags;
    unsigned zone_errors;
    int err;
    struct reload_waiter *waiters, *next_waiters; /* for this one, for the next one */
};

struct reload_waiter {
    struct reload_waiter *next;
    server_reloaded *done;
    void *arg;
};

struct server {
    struct worker_shared shared;
    struct engine engine;
    struct steering_place place;
    char *path; /* of the configuration, or NULL */
    struct worker *workers[SERVER_WORKERS_MAX];
    unsigned worker_count;
    unsigned next_worker; /* who answers the control socket's next question */
    struct control *control;
    struct background bg;
    int64_t started_ms; /* monotonic clock */
    int64_t loaded_s;   /* wall clock */
    bool last_reload_failed;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_async_t stop;
    uv_timer_t tick;
    bool loop_ready, ending;
};

static inline struct snapshot *server_snapshot(struct server *s)
{
    return atomic_load(&s->shared.root);
}

/* Frees retired snapshots, beside the loop. */
void server_reclaim(struct server *s);

/* report.c: what it is doing; NULL when out of memory. */
json_t *server_report_status(struct server *s);
json_t *server_report_servers(struct server *s);
json_t *server_report_cache(struct server *s, const uint8_t *below, bool subtree);
/* The newest n traces of a name (NULL: of all), newest first. */
json_t *server_report_traces(struct server *s, const uint8_t *qname, unsigned n);

#endif
