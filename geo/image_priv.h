/* geo/image_priv.h: a copy of a file that nobody can change any more, with a path to open it by.
 * A database that is mapped while somebody overwrites or truncates it kills the process (SIGBUS) or
 * shows it what no check has seen. So the bytes go into a sealed memfd; where there is none, or no
 * /proc to open it by, into a temporary file of our own that loses its name (in $TMPDIR, else
 * /tmp). Threads: the owner's.
 */
#ifndef WAYPOST_GEO_IMAGE_H
#define WAYPOST_GEO_IMAGE_H

#include <stdint.h>
#include <stdio.h>

struct diag_list;

struct image {
    const uint8_t *bytes;
    size_t len;
    int fd;
    char path[256]; /* opens the same bytes again, until image_hide */
    int is_file;    /* path is a temporary file */
};

/* ERR_LIMIT: larger than max_bytes; ERR_BUSY: it changed meanwhile; ERR_NOT_FILE; ERR_INVALID: it
 * is empty; what the file system says. All said in d. */
int image_copy(struct image *im, const char *path, uint64_t max_bytes, struct diag_list *d);
/* The same from memory; name is for d. */
int image_of(struct image *im, const char *name, const void *bytes, size_t len,
             struct diag_list *d);
/* The path has been used: a temporary file loses its name. */
void image_hide(struct image *im);
void image_close(struct image *im);

#endif
