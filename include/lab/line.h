/* lab/line.h: one line in, one line out, over a UNIX socket of this user: how another process tells
 * a running lab something.
 * Threads: start and stop in one thread; take is called on a thread of the listener's own, one line
 * at a time. ask blocks, any thread. */
#ifndef WAYPOST_LAB_LINE_H
#define WAYPOST_LAB_LINE_H

#include <stddef.h>

struct line;

#define LINE_MAX_LEN 512 /* with its end */

/* The line without its end; what is written to `said` goes back. Returns 0 or an enum err, which
 * the other side gets. */
typedef int line_taken(void *arg, char *text, char *said, size_t cap);

/* A socket file at path (0600); one that nobody listens to any more is replaced. ERR_IN_USE:
 * somebody does; ERR_SPACE: the path is too long; ERR_NOMEM and what sockets say. */
int line_start(struct line **l, const char *path, line_taken *take, void *arg);
/* Also removes the file; NULL is nothing. */
void line_stop(struct line *l);

/* What the other side returned, its words in said; ERR_CLOSED, ERR_TIMEOUT, ERR_SPACE and what
 * sockets say (ERR_NOT_FOUND: no file): said is then "". */
int line_ask(const char *path, const char *text, char *said, size_t cap);

#endif
