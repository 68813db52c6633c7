/* daemon/follow.h: names that are not ours, followed on the control loop: ALIAS and members given
 * by host name. gslb.resolve-hosts-with says who looks them up: our own resolver, or servers.
 * Threads: the control loop's; workers read the targets (gslb/target.h). */
#ifndef WAYPOST_DAEMON_FOLLOW_H
#define WAYPOST_DAEMON_FOLLOW_H

#include "config/config.h"
#include "daemon/fetch.h"
#include "gslb/plan.h"

struct follow;

struct follow_place {
    uv_loop_t *loop;
    const struct clock *clock;
    struct snap_domain *domain;  /* of the workers */
    const struct config *config; /* read once, borrowed for the call */
    fetch_ask *ask;              /* our own resolver */
    void (*changed)(void *arg);  /* addresses of some name are others */
    void *arg;                   /* of both */
};

/* ERR_INVALID (said), ERR_NOMEM, ERR_SYSTEM. */
int follow_open(struct follow **f, const struct follow_place *place, struct diag_list *d);
struct gslb_targets *follow_targets(struct follow *f);
/* Looked up by our own resolver, which then has to be there. */
bool follow_is_self(const struct follow *f);
/* From now on what this plan names (NULL: nothing). */
void follow_plan(struct follow *f, const struct gslb_plan *plan);
/* The workers have ended. Runs the loop until every handle is closed. NULL is nothing. */
void follow_close(struct follow *f);

#endif
