/* base/wheel.h: many cheap timers.
 * A hashed timer wheel of 1 ms slots driven by its owner: wheel_run() fires everything due at
 * `now`. Timers are embedded and reached by container_of; adding and removing is O(1), no heap.
 * Accuracy is the driver's. Threads: one owner. A callback may add or remove any timer, itself
 * included. */
#ifndef WAYPOST_BASE_WHEEL_H
#define WAYPOST_BASE_WHEEL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS 1024 /* 1 ms each; timers further away wait for their turn in the same slot */

struct wheel_timer {
    struct list link;
    int64_t
        due_ms; /* absolute, in the driver's monotonic milliseconds; meaningless while not armed */
    void (*fire)(struct wheel_timer *);
};

struct wheel {
    struct list slots[WHEEL_SLOTS];
    int64_t now_ms; /* everything due up to here has fired */
    unsigned armed;
};

void wheel_init(struct wheel *w, int64_t now_ms);
/* The callback is set once; the timer starts disarmed. */
void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *));
/* Arms or re-arms. A time in the past fires with the next wheel_run. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, int64_t due_ms);
void wheel_disarm(struct wheel *w, struct wheel_timer *t);
bool wheel_is_armed(const struct wheel_timer *t);
/* Fires all due timers in order of due time slot; returns how many. */
unsigned wheel_run(struct wheel *w, int64_t now_ms);
/* Milliseconds from now_ms until the next timer is due, 0 if overdue, -1 if none is armed. */
int64_t wheel_next(const struct wheel *w, int64_t now_ms);

#endif
