/* daemon/control.h: the HTTP API on a UNIX socket, on the control loop.
 *   GET  /v1/status  /v1/stats  /v1/servers
 *   GET  /v1/cache?name=N[&subtree=1]       POST /v1/cache/flush?name=N[&type=T][&subtree=1]
 *   GET  /v1/trace?name=N[&type=T]          walked now by a worker, with its caches
 *   GET  /v1/traces[?name=N][&n=COUNT]      what was recorded
 *   POST /v1/reload  /v1/stop
 * Answers are JSON; an error is {"error": TEXT}. Whoever may open the socket (mode 0600) may use
 * all of it. Threads: the control loop's; a worker hands its walk over by uv_async. */
#ifndef WAYPOST_DAEMON_CONTROL_H
#define WAYPOST_DAEMON_CONTROL_H

struct control;
struct server;

/* owner: user id that gets the socket, or -1. A socket left behind by a server that is gone is
 * replaced. ERR_IN_USE: another server answers there; ERR_RANGE: the path is too long; what the
 * system says. */
int control_open(struct control **c, struct server *s, const char *path, long owner);
/* The workers have ended. Closes all connections and removes the socket. */
void control_close(struct control *c);

#endif
