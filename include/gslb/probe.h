/* gslb/probe.h: ask one target once.
 * Everything runs on the caller's libuv loop without blocking it: sockets by uv_poll, HTTP by
 * libcurl's multi interface, DNS by c-ares, commands by fork. Targets are pinned by address:
 * nothing is ever looked up. Bodies, replies and output are bounded. Redirects are not followed.
 * A failure of the prober itself (no descriptor, no memory, no right to send ICMP, a command that
 * cannot be started) is GSLB_NO_VERDICT; so is a deadline that passed while the loop itself was
 * late by more than a quarter of it.
 * Threads: the loop's. Owner: a running probe is the prober's; its check is borrowed till done. */
#ifndef WAYPOST_GSLB_PROBE_H
#define WAYPOST_GSLB_PROBE_H

#include "base/clock.h"
#include "gslb/check.h"

#include <uv.h>

#define GSLB_EVIDENCE_MAX 160

struct gslb_probe_result {
    enum gslb_result result;
    /* Since the start; 0: not reached. */
    uint32_t connect_us, tls_us, first_us, total_us;
    bool has_load;
    uint32_t load;
    int code;                         /* HTTP status, DNS rcode, exit code; -1 none */
    char evidence[GSLB_EVIDENCE_MAX]; /* "connection refused", "status 503", printable ASCII */
};

struct gslb_prober;
struct gslb_probe;
struct gslb_prober_limits {
    unsigned running;  /* probes at once; more wait in line, first come first served: 1024 */
    unsigned commands; /* EXEC at once: 8 */
    uint64_t files;    /* soft limit of open files for commands: that of this process */
};

int gslb_prober_new(struct gslb_prober **p, uv_loop_t *loop, const struct clock *clock,
                    const struct gslb_prober_limits *limits); /* NULL or 0: as above */
/* Cancels what runs (their done is not called), then done_closed on the loop when every handle is
 * closed and the prober is freed. */
void gslb_prober_close(struct gslb_prober *p, void (*done_closed)(void *arg), void *arg);

typedef void gslb_probed(void *arg, const struct gslb_probe_result *r);
/* done is called once, never from inside this call. The time limit counts from when it really
 * starts. What is asked is check->address or else target, at gslb_check_port(check); target's port
 * is not looked at. ERR_UNSUPPORTED: a type that is not asked (none, push). ERR_NOMEM. ERR_CLOSED:
 * the prober is closing. */
int gslb_probe_start(struct gslb_prober *p, const struct gslb_check *check,
                     const struct addr *target, gslb_probed *done, void *arg,
                     struct gslb_probe **out);
/* done is not called any more. */
void gslb_probe_cancel(struct gslb_probe *probe);

#endif
