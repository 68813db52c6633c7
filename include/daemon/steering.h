/* daemon/steering.h: what is written under `gslb`, read into a plan.
 * Names become indices, files become tables: each database is read once per reload, and a map whose
 * rules and databases did not change is shared with the plan before. What is wrong is said with its
 * place, all of it at once.
 * A database that cannot be read: at start a warning, and its maps know the operator's networks
 * only; at a reload the tables read before stay, and that is said and counted; one that was not
 * there before is an error. Threads: one at a time. */
#ifndef WAYPOST_DAEMON_STEERING_H
#define WAYPOST_DAEMON_STEERING_H

#include "config/config.h"
#include "gslb/plan.h"

struct steering_place {
    struct gslb_table *table; /* NULL: one of its own, for a check of the file alone */
    unsigned workers;         /* at least as many as will ever serve the plan */
};

/* *plan with one reference, NULL without `gslb`. before: the plan in force, or NULL. *kept grows by
 * the databases whose old tables stay. ERR_INVALID, said in d; ERR_NOMEM, ERR_LIMIT. */
int steering_build(struct gslb_plan **plan, const struct config *c, const struct gslb_plan *before,
                   const struct steering_place *place, struct diag_list *d, unsigned *kept);
/* Another database for a map than its configuration names. */
struct steering_database {
    const char *map, *file;
};
/* As steering_build, for what is only supposed. ERR_NOT_FOUND: there is no such map. */
int steering_build_with(struct gslb_plan **plan, const struct config *c,
                        const struct steering_place *place,
                        const struct steering_database *databases, unsigned database_count,
                        struct diag_list *d);

/* What a change of tables does to clients: a note in d for each map of both plans (either may be
 * NULL) whose clients' first site is not what it was, with how many networks and addresses. */
void steering_compare(const struct gslb_plan *before, const struct gslb_plan *after,
                      struct diag_list *d);

#endif
