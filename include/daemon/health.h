/* daemon/health.h: the control loop's half of steering: probes and the monitor, kept going.
 * Threads: the control loop's. */
#ifndef WAYPOST_DAEMON_HEALTH_H
#define WAYPOST_DAEMON_HEALTH_H

#include "config/config.h"
#include "gslb/monitor.h"

#include <uv.h>

struct health;

struct health_place {
    uv_loop_t *loop;
    const struct clock *clock;
    struct gslb_table *table;
    struct gslb_tally *const *tallies; /* of the workers; kept */
    unsigned tally_count;
    uint64_t files;              /* that a check's command may have open (gslb_prober_limits) */
    const struct config *config; /* gslb.state, gslb.events: read once, borrowed for the call */
};

/* ERR_NOMEM; ERR_ACCESS, ERR_IO: a file cannot be kept; said in d. */
int health_open(struct health **h, const struct health_place *place, struct diag_list *d);
/* From now on this plan (NULL: none): its probes begin at once. */
int health_plan(struct health *h, struct gslb_plan *plan);
/* Says in d what this configuration would have opened instead of what is open. */
void health_check(const struct health *h, const struct config *c, struct diag_list *d);
/* The first round is over, or the plan's warm-up is, counted from health_plan. Runs the loop until
 * then (only before the server serves). */
void health_warm_up(struct health *h);
/* Every probe of the plan has had its first result. */
bool health_ready(const struct health *h);
struct gslb_monitor *health_monitor(struct health *h);
/* Saves, and returns when every handle is closed (runs the loop). NULL is nothing. */
void health_close(struct health *h);

#endif
