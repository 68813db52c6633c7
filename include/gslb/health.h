/* gslb/health.h: from results of probes to states, as a machine without a clock or a socket of its
 * own: time is given with each call, on one clock that may stand still or jump forward.
 * Detection: with a result every interval an outage is seen after at most fail_after x interval
 * (+ the timeout of the last probe), or when the hold ends, if that is later.
 * Threads: all of it is pure in its arguments. The control loop owns the machines; what workers
 * read are effects that it publishes as a whole. */
#ifndef WAYPOST_GSLB_HEALTH_H
#define WAYPOST_GSLB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum gslb_result {
    GSLB_PASS,
    GSLB_FAIL,
    GSLB_NO_VERDICT, /* the prober's own failure: never a word about the member */
};
enum gslb_status { GSLB_UNKNOWN, GSLB_UP, GSLB_DOWN };

struct gslb_rules {
    uint32_t fail_after;    /* unforgiven failures while up that bring it down: 3 */
    uint32_t pass_after;    /* passes in a row while down that bring it up: 2 */
    uint32_t reset_after;   /* passes in a row that forgive all failures while up: 1 */
    uint32_t hold_ms;       /* after a change no other for so long, whoever asks: 0 */
    uint32_t slow_start_ms; /* coming up, the weight rises from 1/10 to all: 0 */
    /* Each change adds flap_penalty, and the sum halves with each half-life. One that goes down
     * with flap_suppress or more stays down until at most flap_reuse is left. Off while any of
     * penalty, suppress, half-life is 0; pointless unless reuse < suppress. */
    uint32_t flap_penalty, flap_suppress, flap_reuse; /* 1000, 3000, 1000 */
    uint32_t flap_half_life_ms;                       /* 300,000 */
    bool manual_resume;                               /* down until an operator says so: no */
};
/* A count of 0 means 1 below. */
void gslb_rules_default(struct gslb_rules *r);

struct gslb_health { /* of one check at one member; plain data, may be copied and stored */
    enum gslb_status status;
    uint32_t fails;     /* while up: failures not yet forgiven; else 0 */
    uint32_t passes;    /* in a row since the last failure or change */
    int64_t since_ms;   /* has this status since then; INT64_MIN: was always unknown */
    int64_t changed_ms; /* between up and down, INT64_MIN: never. A first verdict is no change: no
                           hold, penalty or slow start comes of it */
    int64_t seen_ms;    /* last verdict; INT64_MIN: none */
    uint32_t penalty;   /* as it was at penalty_ms */
    int64_t penalty_ms;
    bool suppressed;    /* held down for flapping */
    bool resume_wanted; /* manual_resume: passes suffice, the operator's word is missing */
    bool resumed;       /* it was given, but a hold lasts; gone with a failure or change */
};
void gslb_health_init(struct gslb_health *h);
/* True when the status changed (at most once). A first verdict of an unknown one decides alone.
 * NO_VERDICT leaves everything as it is. The result counts first, then the time: a change that
 * waited for a hold to end does not happen against the newest result. */
bool gslb_health_take(struct gslb_health *h, const struct gslb_rules *r, enum gslb_result result,
                      int64_t now_ms);
/* Time alone may end a hold or a suppression. True when the status changed. */
bool gslb_health_tick(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* When time alone changes what the machine says (status, suppression, unsettled, a slow start by
 * another 1/20 of the weight): not before now, and after a tick later than now; INT64_MAX: never.
 */
int64_t gslb_health_next(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* The operator says that it is mended: ends a manual_resume or a suppression, not a hold. Nothing
 * happens unless it is down with enough passes: permission is not given in advance. True when the
 * status changed. */
bool gslb_health_resume(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* It is unknown, a run of contrary results has begun, or it changed less than hold (at least 10 s)
 * ago: answers get the short TTL. One that waits only for an operator is settled. */
bool gslb_health_unsettled(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* 100 .. 999 while slow start lasts, else 1000. */
uint16_t gslb_health_permille(const struct gslb_health *h, const struct gslb_rules *r,
                              int64_t now_ms);
/* What is left of it: exact at whole half-lives, a straight line between them, never rising. With
 * rules that do not change (reuse < suppress) always below flap_suppress + 2 x flap_penalty. */
uint32_t gslb_health_penalty(const struct gslb_health *h, const struct gslb_rules *r,
                             int64_t now_ms);

/* Several checks of one member. ALL: any down: down; else any unknown: unknown; else up.
 * ANY: any up: up; else any unknown: unknown; else down. K_OF: up when k are up, down when k cannot
 * be reached even if all unknown ones were up, else unknown; k is taken as 1 .. count.
 * Without checks nothing speaks against it: up. */
enum gslb_combine { GSLB_ALL_OF, GSLB_ANY_OF, GSLB_K_OF };
enum gslb_status gslb_combine(enum gslb_combine how, unsigned k, const enum gslb_status *checks,
                              unsigned count);

/* Operator's word over the machine's. */
enum gslb_force {
    GSLB_FORCE_NONE,
    GSLB_FORCE_UP,    /* with all of its weight */
    GSLB_FORCE_DOWN,  /* at once */
    GSLB_FORCE_DRAIN, /* its weight falls to nothing, then it is down */
    GSLB_FORCE_WEIGHT /* a part of the weight it would have */
};
struct gslb_forced {
    enum gslb_force force;
    uint16_t permille;          /* WEIGHT: 0 .. 1000 */
    int64_t since_ms, until_ms; /* no longer at until; INT64_MAX: until it is lifted */
    uint32_t drain_ms;          /* DRAIN: weight falls to 0 over so long; 0: at once */
};
struct gslb_effect {
    bool up;           /* unknown counts as up after the warm-up; never with permille 0 */
    uint16_t permille; /* 1 .. 1000 when up, else 0 */
    bool forced;       /* a force holds now */
    bool unsettled;    /* short TTL: also while weight drains, not where up or down is forced */
    int64_t until_ms;  /* the force ends then and no TTL may reach further; INT64_MAX: none */
};
/* f may be NULL; `warm`: the warm-up is over. */
struct gslb_effect gslb_health_effect(enum gslb_status status, uint16_t permille, bool unsettled,
                                      const struct gslb_forced *f, bool warm, int64_t now_ms);
/* When time alone changes the force: it ends, or has drained another 1/20. Later than now;
 * INT64_MAX: never. */
int64_t gslb_forced_next(const struct gslb_forced *f, int64_t now_ms);

#endif
