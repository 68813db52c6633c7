/* gslb/monitor.h: keeps every member's health: schedule, machines, operator's word, memory.
 * For each distinct (check, address) there is one probe, whoever shares it, and one machine per set
 * of rules. After each result the members concerned are combined, the operator's word is applied
 * and the health table written. States, damping and the operator's word are kept in a file, with
 * their age, and an operator's word is acknowledged only when it is there for good.
 * A frozen monitor (self-doubt) counts no result until the doubt is over.
 * Threads: the control loop's. Sources of time and probes are given, so that tests own both. */
#ifndef WAYPOST_GSLB_MONITOR_H
#define WAYPOST_GSLB_MONITOR_H

#include "gslb/plan.h"
#include "gslb/probe.h"

#include <jansson.h>

struct gslb_monitor;

/* The seam to probe.h: a test brings its own. As gslb_probe_start and _cancel. */
struct gslb_asker {
    int (*start)(struct gslb_asker *a, const struct gslb_check *check, const struct addr *target,
                 gslb_probed *done, void *arg, void **handle);
    void (*cancel)(struct gslb_asker *a, void *handle);
};

struct gslb_monitor_place {
    const struct clock *clock;
    struct gslb_asker *asker;
    struct gslb_table *table;
    const char *state;  /* file to keep states in, NULL: none are kept */
    const char *events; /* file that events are appended to as JSON lines, NULL: none */
    uint64_t seed;      /* of the jitter */
    struct gslb_tally *const *tallies; /* of the workers: bounded load, drain, shares */
    unsigned tally_count;
};

/* Reads the state file, when there is one; one that is damaged is set aside (".bad") and said in d,
 * never an error. ERR_NOMEM; ERR_ACCESS, ERR_IO: it cannot be written (said). */
int gslb_monitor_new(struct gslb_monitor **m, const struct gslb_monitor_place *place,
                     struct diag_list *d);
void gslb_monitor_free(struct gslb_monitor *m); /* cancels probes, saves */

/* From now on this plan (one reference is taken; NULL: none). What did not change goes on as it
 * is; probes that nobody wants any more end; new ones begin at once, spread over their interval
 * after the first. ERR_NOMEM: as before. */
int gslb_monitor_plan(struct gslb_monitor *m, struct gslb_plan *plan);
/* All that is due now: probes to start, holds that end, forces that expire, windows, saving.
 * Returns in how many milliseconds it wants to be called again (at most 1000). */
unsigned gslb_monitor_turn(struct gslb_monitor *m);
/* Every probe of the plan has had its first result. */
bool gslb_monitor_ready(const struct gslb_monitor *m);

/* ---- the operator's word ---- */

struct gslb_order {
    const char *what; /* glob over "pool/member", "pool", "site:NAME", "check:NAME" ("pool" means
                         all its members). Where several apply: check < site < pool < member; of
                         equal kind the longer pattern without globs, then the newest */
    enum gslb_force force; /* NONE: lifts what was said of exactly this pattern */
    uint16_t permille;
    uint32_t drain_ms;
    int64_t for_ms;        /* 0: until it is lifted */
    const char *note, *by; /* may be NULL */
};
/* 0 when it holds and is on the disk; *matched: members that it concerns now. ERR_NOT_FOUND:
 * matches nothing (nothing changes); ERR_FULL, ERR_IO, ERR_ACCESS: not kept, nothing changes;
 * ERR_RANGE; ERR_LIMIT: 10,000 orders. */
int gslb_monitor_order(struct gslb_monitor *m, const struct gslb_order *o, unsigned *matched);
/* The result of a PUSH check at a member ("pool/member"); check NULL: its only one. ERR_NOT_FOUND.
 */
int gslb_monitor_push(struct gslb_monitor *m, const char *member, const char *check,
                      enum gslb_result result, const char *evidence);
int gslb_monitor_load(struct gslb_monitor *m, const char *member, uint32_t load);
/* The operator says that it is mended (manual resume, flap damping). */
int gslb_monitor_resume(struct gslb_monitor *m, const char *member, unsigned *matched);

/* ---- telling ---- (NULL: out of memory; the caller frees) */

/* {frozen, pools: [{name, site, usable, members: [{name, address, state, since, forced, weight,
 * permille, answers, share, safe_after, checks: [{name, state, last, evidence, timings}]}]}]} */
json_t *gslb_monitor_status(const struct gslb_monitor *m);
/* Newest last; those with a number above `after`, at most `max`. {number, time, member, check,
 * from, to, why, evidence} */
json_t *gslb_monitor_events(const struct gslb_monitor *m, uint64_t after, unsigned max);
json_t *gslb_monitor_orders(const struct gslb_monitor *m);
/* All slots of the plan in force with what they say: what simulate starts from. */
json_t *gslb_monitor_export(const struct gslb_monitor *m);

#endif
