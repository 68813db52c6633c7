/* gslb/explain_priv.h: what the parts of an explanation share. */
#ifndef WAYPOST_GSLB_EXPLAIN_PRIV_H
#define WAYPOST_GSLB_EXPLAIN_PRIV_H

#include "gslb/explain.h"

struct telling {
    const struct gslb_ask *ask;
    const struct gslb_plan *plan;
    struct gslb_worker *w;
    const struct gslb_log *log;
    const struct gslb_answer *answer;
    bool failed; /* no memory */
};

/* Takes the value; no memory is noted. */
void tell(struct telling *t, json_t *object, const char *key, json_t *value);
void tell_text(struct telling *t, json_t *object, const char *key, const char *text);
void tell_item(struct telling *t, json_t *array, json_t *value);

const char *explain_all_down_name(enum gslb_all_down what); /* as in a configuration */
const char *explain_outcome_name(enum gslb_outcome o);
const char *explain_why_text(enum gslb_why why); /* "" for OK */

/* The network of so many bits (of the family's own) around an address. */
struct prefix explain_network(const struct addr *a, unsigned depth);
/* What its map or, for a pool that prefers the nearest member, its members are called. pool: that
 * was tried last, or GSLB_NONE. */
json_t *explain_list(struct telling *t, const struct geo_list *l, int map, int pool);

/* Explain's parts: each an array or object, owned by the caller. */
json_t *explain_pools(struct telling *t);
json_t *explain_steps(struct telling *t);
json_t *explain_then(struct telling *t);

#endif
