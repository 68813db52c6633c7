/* daemon/server.h: one running waypost.
 * server_start reads the configuration, probes and binds the addresses and starts the workers;
 * server_run is the control loop in the calling thread until server_stop or a signal. SIGHUP
 * reloads, SIGTERM and SIGINT end it. A reload builds the new snapshot on a background thread and
 * publishes it on the control loop. Threads: start, run and free in one thread; server_stop from
 * any. */
#ifndef WAYPOST_DAEMON_SERVER_H
#define WAYPOST_DAEMON_SERVER_H

#include "base/diag.h"
#include "config/config.h"

#include <jansson.h>
#include <stdio.h>

struct server;

struct server_place {
    const char *config;  /* file that a reload reads again, or NULL */
    const char *control; /* name of the control socket in the runtime folder for server.control:
                            auto; NULL: none */
};

/* Takes the configuration. On error nothing runs and everything is said in diags: ERR_INVALID
 * (configuration), ERR_IN_USE, ERR_ACCESS (addresses), ERR_NOMEM, ERR_SYSTEM. */
int server_start(struct server **s, struct config *config, const struct server_place *place,
                 struct diag_list *diags);
/* Returns when the server has ended: 0. */
int server_run(struct server *s);
void server_stop(struct server *s);
void server_free(struct server *s);

/* A new snapshot from the file; on any configuration error nothing changes (ERR_INVALID), single
 * zones keep their old version (zone_errors). done is called on the control loop, once; NULL: only
 * the log tells. Control thread only. */
struct server_reload {
    int err;
    unsigned zones, zone_errors;
    const struct diag_list *diags;
};
typedef void server_reloaded(void *arg, const struct server_reload *r);
int server_reload(struct server *s, server_reloaded *done, void *arg);

/* One line per listener with its roles and port, then zones: what is said at start. */
void server_print_status(struct server *s, FILE *out);

/* All counters, summed over the workers: {"waypost_NAME": number}. Any thread; NULL: out of memory.
 */
json_t *server_report_stats(struct server *s);

#endif
