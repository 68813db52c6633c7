/* daemon/turns.h: how long a loop's turns take, without its waiting: whatever runs in one is late
 * by as much. Threads: the loop's; the counters may be read by any. */
#ifndef WAYPOST_DAEMON_TURNS_H
#define WAYPOST_DAEMON_TURNS_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#define TURNS_SLOW_US 20000 /* no turn of the control loop may take longer */

struct turns {
    uv_prepare_t prepare;
    uint64_t at_ns, idle_ns; /* at the end of the turn before */
    _Atomic uint64_t longest_us, slow;
};

/* Zeroed before. The first turn, which is the start, does not count. Its handle keeps no loop
 * alive; the caller closes it with the loop's others. */
void turns_open(struct turns *t, uv_loop_t *loop);

#endif
