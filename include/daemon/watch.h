/* daemon/watch.h: tells when one of some files became another one.
 * The folders are watched, since files are renamed over; and every file is looked at now and then,
 * for file systems without events, for links into other folders and for folders that are replaced.
 * Looking is done beside the loop: a file system that does not answer holds nothing up. A change is
 * told once no file has changed for a while (one that is overwritten in place changes many times),
 * but at the latest after WATCH_PATIENCE such whiles.
 * Threads: the loop's. Owner: the caller; the loop must run on after watch_close until the handles
 * and the last look have ended, which is what frees it. */
#ifndef WAYPOST_DAEMON_WATCH_H
#define WAYPOST_DAEMON_WATCH_H

#include "base/fileid.h"

#include <uv.h>

#define WATCH_PATIENCE 30

struct watch;

struct watch_file {
    const char *path;
    struct fileid id; /* as it is known to who watches: any other is a change */
};
struct watch_times {
    unsigned quiet_ms, poll_ms;
};

/* Some file changed, came or went: at most once for each state that lasts. Files are to be given
 * anew by watch_files, unless nothing became of it. */
typedef void watch_changed(void *arg);

/* ERR_NOMEM. */
int watch_new(struct watch **w, uv_loop_t *loop, const struct watch_times *times,
              watch_changed *changed, void *arg);
/* Replaces the files; copied. ERR_NOMEM: those before stay. */
int watch_files(struct watch *w, const struct watch_file *files, unsigned count);
void watch_close(struct watch *w);

#endif
