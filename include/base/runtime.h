/* base/runtime.h: what this machine offers a program, and where a running one leaves what others on
 * it find it by.
 * $XDG_RUNTIME_DIR/waypost, for root /run/waypost, else /tmp/waypost-UID; used only when the folder
 * is the caller's own, because what lies under a guessable name could be anybody's.
 * Threads: any. */
#ifndef WAYPOST_BASE_RUNTIME_H
#define WAYPOST_BASE_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Path of `name` in the runtime folder, made (0700) when `make`. False: no such folder of ours, or
 * the path does not fit; out is then "". */
bool runtime_path(char *out, size_t cap, const char *name, bool make);

/* Whether this machine has IPv6 at all: whether ::1 can be bound. */
bool runtime_has_ipv6(void);

/* Raises the soft limit of open files to the hard one; how many this process may have open. What it
 * was goes into *before, unless that is NULL: for other programs, which are not made for so many.
 */
uint64_t runtime_open_files(uint64_t *before);

/* Tells the service manager, when there is one (sd_notify's protocol: one datagram to
 * $NOTIFY_SOCKET): "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=...". */
void runtime_notify(const char *state);

#endif
