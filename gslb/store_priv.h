/* store_priv.h: a small file that is there as a whole or not at all.
 * A line with kind, version, length and checksum, then the body. A new version is written beside
 * the old one and takes its name, so that whoever reads sees one of the two, whenever the writer
 * was killed. That was chosen over a journal: there is one state to read, no replay, no compaction,
 * and a full disk leaves what was there. Threads: any; one writer per path. */
#ifndef WAYPOST_GSLB_STORE_PRIV_H
#define WAYPOST_GSLB_STORE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

/* sync: on the disk when this returns. Errors as err_of_errno (ERR_FULL, ERR_ACCESS, ERR_IO),
 * ERR_NOMEM. *placed (may be NULL): the new version has the name, though it may not be on the disk:
 * after an error it is not known which of the two a power cut leaves. */
int store_write(const char *path, const char *kind, const char *body, size_t len, bool sync,
                bool *placed);
/* The body (caller frees) with a NUL behind it. ERR_NOT_FOUND: no such file; ERR_FORMAT: damaged;
 * ERR_NOMEM; others as err_of_errno. */
int store_read(const char *path, const char *kind, char **body, size_t *len);
/* Could a file be written there? Errors as store_write. */
int store_try(const char *path);
/* Damaged ones get the name PATH.bad. */
int store_set_aside(const char *path);

#endif
