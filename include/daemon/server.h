/* daemon/server.h: one running waypost.
 * server_start reads the configuration, probes and binds the addresses and starts the workers;
 * server_run is the control loop in the calling thread until server_stop or a signal. SIGHUP
 * reloads, SIGTERM and SIGINT end it. Threads: start, run and free in one thread; server_stop from
 * any. */
#ifndef WAYPOST_DAEMON_SERVER_H
#define WAYPOST_DAEMON_SERVER_H

#include "base/diag.h"
#include "config/config.h"

#include <stdio.h>

struct server;

/* Takes the configuration; `path` (may be NULL) is read again at a reload. On error nothing runs
 * and everything is said in diags: ERR_INVALID (configuration), ERR_IN_USE, ERR_ACCESS (addresses),
 * ERR_NOMEM, ERR_SYSTEM. */
int server_start(struct server **s, struct config *config, const char *path,
                 struct diag_list *diags);
/* Returns when the server has ended: 0. */
int server_run(struct server *s);
void server_stop(struct server *s);
void server_free(struct server *s);

/* New snapshot from the file; on any configuration error nothing changes (ERR_INVALID), single
 * zones keep their old version (*zone_errors). Control thread only. */
int server_reload(struct server *s, struct diag_list *diags, unsigned *zone_errors);
/* All counters, summed over the workers: "name value" lines. */
void server_print_stats(struct server *s, FILE *out);
/* One line per listener with its roles and port, then zones. */
void server_print_status(struct server *s, FILE *out);

#endif
