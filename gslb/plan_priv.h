/* gslb/plan_priv.h: what finishing a plan goes through. */
#ifndef WAYPOST_GSLB_PLAN_PRIV_H
#define WAYPOST_GSLB_PLAN_PRIV_H

#include "gslb/plan.h"

/* ERR_INVALID, ERR_LIMIT: what is wrong, all of it, is said in d. ERR_NOMEM. */
int plan_check(const struct gslb_plan *p, struct diag_list *d);
/* Of a plan that is finished. ERR_NOMEM. */
int plan_warn(const struct gslb_plan *p, struct diag_list *d);
/* has and types of pools and names. ERR_LIMIT (said), ERR_NOMEM. */
int plan_types(struct gslb_plan *p, struct diag_list *d);
/* Permutes names so that owners keep the ids of `before` (may be NULL), and fills by_owner.
 * ERR_INVALID: an owner twice (said); ERR_NOMEM. */
int plan_ids(struct gslb_plan *p, const struct gslb_plan *before, struct diag_list *d);

#endif
