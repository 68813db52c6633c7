/* gslb/monitor.h: keeps every member's health: schedule, machines, operator's word, memory.
 * For each distinct (check, address) there is one probe, whoever shares it, and one machine per set
 * of rules. After each result the members concerned are combined, the operator's word is applied
 * and the health table written. States, damping and the operator's word are kept in a file, with
 * their age, and an operator's word is acknowledged only when it is there for good.
 * A frozen monitor (self-doubt) counts no result until the doubt is over. Of what a pool may lose
 * in a minute (withdraw_permille; 0: any) one member at least may always go; a first verdict is no
 * loss.
 * Each check is made at each address of its member, or at its own; a host-name member only at a
 * check's own. A pushed verdict is one member's own. A probe's first round is at once, the second
 * anywhere in its interval, so that what began together spreads.
 * `over` is set from shares of at least 100 answers in 10 s: fewer overload nobody.
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

/* Slow work, one piece at a time, beside the monitor's thread: `work` runs in another one, then
 * `done` in the monitor's, between two of its calls. */
struct gslb_helper {
    /* An error: nothing was begun. */
    int (*run)(struct gslb_helper *h, void (*work)(void *), void (*done)(void *), void *arg);
    void (*finish)(struct gslb_helper *h); /* waits for what is under way, and calls its `done` */
};

struct gslb_monitor_place {
    const struct clock *clock;
    struct gslb_asker *asker;
    struct gslb_helper *helper; /* writes the states; NULL: a turn of the monitor does */
    struct gslb_table *table;
    const char *state;  /* file to keep states in, and (ending .orders, on the disk before it is
                           acknowledged) the operator's orders; NULL: none are kept */
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

/* Makes the memory that gslb_monitor_plan will want for this plan: with thousands of probes the
 * first touch of its pages is most of the work, and this may be done by any thread that has the
 * plan for itself. Without it, or when there is no memory, gslb_monitor_plan does it. */
void gslb_monitor_prepare(struct gslb_plan *plan);
/* From now on this plan, whose one reference is handed over (NULL: none). What did not change goes
 * on as it is; probes that nobody wants any more end; new ones begin at once, spread over their
 * interval after the first. ERR_NOMEM: as before. */
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
                         equal kind that with more letters besides globs, one without globs, then
                         the newest */
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
/* The operator says that it is mended (manual resume, flap damping); patterns as an order's.
 * ERR_NOT_FOUND. */
int gslb_monitor_resume(struct gslb_monitor *m, const char *member, unsigned *matched);

/* ---- telling ---- (NULL: out of memory; the caller frees) */

/* Times are milliseconds since 1970, shares permille, null: unknown or none.
 * {time, frozen, frozen_why ("share", "references"), ready, probes, prober (probes without a
 * verdict three times or more in a row), event_errors, saving (what is kept could be written),
 *  pools: [{name, site, policy, usable, members: [{name, address: [text], state ("up", "down",
 *   "unknown": of its checks), up (is given), unsettled, held_back (down, but the pool has lost
 *   enough in this minute), since, forced: {force, what, permille, since, until, note, by},
 * enabled, weight, permille, over, load, rtt_us, answers, share (of its pool's
 * answers since the start), expected, observed (permille, since weights and states are what they
 * are), counted (answers since then), band ([low, high]: 99 of 100 times chance keeps it there;
 * only for `weighted` with one answer), outside (that band), safe_after (no cache holds it after
 * that; null while it is given and not drained), checks: [{name, type, address, state, since,
 * result, last, evidence, timings: {connect_us, tls_us, first_us, total_us}, rtt_us, penalty,
 * suppressed, resume_wanted, prober}]}]}]} */
json_t *gslb_monitor_status(const struct gslb_monitor *m);
/* Newest last; those with a number above `after`, at most `max`. {number, time, member, check,
 * from, to, why ("probe", "push", "silence", "time", "resume", "order", "lifted", "expired",
 * "doubt", "withdraw"), evidence}. member null: of the monitor; check null: of the member. */
json_t *gslb_monitor_events(const struct gslb_monitor *m, uint64_t after, unsigned max);
/* [{what, force, permille, drain_ms, since, until, note, by, number}] */
json_t *gslb_monitor_orders(const struct gslb_monitor *m);
/* All slots of the plan in force with what they say: what simulate starts from. {version: 1, time,
 * members: [{identity, up, known, unsettled, forced, over, was_up, permille, load, rtt_us, until}],
 * names: [{identity, pool, last}]} */
json_t *gslb_monitor_export(const struct gslb_monitor *m);

#endif
