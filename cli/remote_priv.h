/* cli/remote_priv.h: the running server, through its control socket (daemon/control.h). */
#ifndef WAYPOST_CLI_REMOTE_H
#define WAYPOST_CLI_REMOTE_H

#include <jansson.h>
#include <stddef.h>

/* Asks "METHOD path?query" and parses the answer. socket: a path, or NULL for the server in the
 * runtime folder, else the running lab (which is said). NULL: said on stderr, *exit_code is set;
 * else *status is HTTP's and the caller frees with json_decref. */
json_t *remote_call(const char *socket, const char *method, const char *path, long *status,
                    int *exit_code);
/* A value for a query string into out: everything but letters, digits, '-', '.', '_' escaped. */
void remote_escape(const char *text, char *out, size_t cap);

#endif
