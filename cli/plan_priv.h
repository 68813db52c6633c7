/* cli/plan_priv.h: what is steered, read by a command in its own process.
 * The configuration is a file that is named, or that of the running server; health is that of the
 * running server, or every member is taken to be up. The server opens nothing for us. */
#ifndef WAYPOST_CLI_PLAN_H
#define WAYPOST_CLI_PLAN_H

#include "daemon/steering.h"
#include "gslb/simulate.h"

#include <jansson.h>

struct own_plan {
    struct config *config;
    struct gslb_plan *plan;
    struct gslb_table *table; /* every member is up */
};

/* 0, or an exit code: all is said on stderr. file: NULL: that of the server at `socket` (NULL: the
 * one that runs here). table: to take over, with its slots; NULL: a new one. */
int own_plan_load(struct own_plan *o, const char *file, const char *socket,
                  struct gslb_table *table, const struct steering_database *databases,
                  unsigned database_count);
void own_plan_free(struct own_plan *o);
/* Of /v1/gslb/export (gslb_monitor_export and `seen`): what is said of members and names into t;
 * what was seen, the caller's to free. */
void own_plan_health(struct gslb_table *t, const json_t *exported);
struct gslb_seen_count *own_plan_seen(const json_t *exported, unsigned *count);

#endif
