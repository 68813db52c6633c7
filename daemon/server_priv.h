/* daemon/server_priv.h: the server's parts, for server, reload, report and control. */
#ifndef WAYPOST_DAEMON_SERVER_PRIV_H
#define WAYPOST_DAEMON_SERVER_PRIV_H

#include "daemon/control.h"
#include "daemon/follow.h"
#include "daemon/health.h"
#include "daemon/server.h"
#include "daemon/turns.h"
#include "daemon/watch.h"
#include "daemon/worker.h"

#define SERVER_WORKERS_MAX 64

/* One piece of slow work at a time runs beside the control loop, at idle priority. */
struct background {
    uv_work_t work;
    bool busy;
    bool again; /* a reload was asked for meanwhile */
    bool again_rebuild;
    bool rebuild; /* a reload's: of the configuration in force, not of its file */
    /* a reload's */
    struct snapshot *before, *after;
    struct diag_list diags;
    unsigned zone_errors;
    int err;
    bool settling; /* built; the new plan's first probes are waited for */
    int64_t settle_until_ms;
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
    struct follow *follow;
    struct health *health;         /* NULL until something is steered */
    struct gslb_worker *explainer; /* for decisions that nobody is waiting for */
    struct gslb_tally *tallies[SERVER_WORKERS_MAX];
    uint64_t files_before; /* that might be open when we were started, 0: not known */
    int64_t started_ms;    /* monotonic clock */
    int64_t loaded_s;      /* wall clock */
    bool last_reload_failed;
    struct watch *watch;     /* of the plan's files */
    char *files_problem;     /* why what changed in them is not in force, or NULL */
    int64_t files_problem_s; /* wall clock */
    uv_loop_t loop;
    struct turns turns;
    uv_signal_t signals[3];
    uv_async_t stop;
    uv_timer_t tick, settle;
    bool loop_ready, ending;
    bool stopped; /* told to end, perhaps before it ran */
};

static inline struct snapshot *server_snapshot(struct server *s)
{
    return atomic_load(&s->shared.root);
}

/* What holds as soon as a configuration does, without being part of its snapshot. */
void server_take(struct server *s, const struct config *c);
/* Says in d when what was made at start has no resolver for this snapshot. */
void server_check_resolver(struct server *s, const struct snapshot *snap, struct diag_list *d);
/* Members of the plan are watched from now on (NULL: none); said in d. */
int server_watch(struct server *s, const struct snapshot *snap, struct diag_list *d);
/* Frees retired snapshots, beside the loop. */
void server_reclaim(struct server *s);

/* reload.c: a snapshot of the same configuration, for files that changed. */
int server_rebuild(struct server *s);
/* files.c: watches the files of the plan in force; after a reload anew. ERR_NOMEM. */
int server_watch_files(struct server *s);
/* What became of a rebuild (err 0: it is in force), from what was said. */
void server_files_read(struct server *s, int err, const struct diag_list *said);
/* Strings: what an operator should look at. */
json_t *server_report_attention(struct server *s);

/* report.c: what it is doing; NULL when out of memory. */
json_t *server_report_status(struct server *s);
json_t *server_report_servers(struct server *s);
/* Client networks that asked for steered names of late: [{network, count, subnet}]. */
json_t *server_report_seen(struct server *s);
json_t *server_report_cache(struct server *s, const uint8_t *below, bool subtree);
/* The newest n traces of a name (NULL: of all), newest first. */
json_t *server_report_traces(struct server *s, const uint8_t *qname, unsigned n);

#endif
