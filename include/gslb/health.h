/* gslb/health.h: from results of probes to states, as a machine without a clock or a socket of its
 * own: time is given with each call. Threads: the control loop's; what workers read is a copy
 * (gslb_health_view) that is published as a whole. */
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
    uint32_t fail_after, pass_after; /* results: 3, 2 */
    uint32_t reset_after;            /* passes in a row that forgive earlier failures while up: 1 */
    uint32_t hold_ms;                /* after a change no other for so long: 0 */
    uint32_t slow_start_ms;          /* weight rises from 1/10 to all: 0 */
    uint32_t flap_penalty, flap_suppress, flap_reuse; /* 1000 per change, 3000, 1000; 0: off */
    uint32_t flap_half_life_ms;                       /* 300,000 */
    bool manual_resume;                               /* down until an operator says so */
};
void gslb_rules_default(struct gslb_rules *r);

struct gslb_health { /* of one check at one member; plain data, may be copied and stored */
    enum gslb_status status;
    uint32_t fails, passes; /* runs, as the rules count them */
    int64_t changed_ms;     /* INT64_MIN: never */
    int64_t seen_ms;        /* last verdict */
    uint32_t penalty;       /* at penalty_ms */
    int64_t penalty_ms;
    bool suppressed;    /* held down for flapping */
    bool resume_wanted; /* manual_resume: would be up */
};
void gslb_health_init(struct gslb_health *h);
/* True when the status changed. A first verdict of an unknown one decides alone. */
bool gslb_health_take(struct gslb_health *h, const struct gslb_rules *r, enum gslb_result result,
                      int64_t now_ms);
/* Time alone may end a hold, a suppression, a slow start. True when the status changed. */
bool gslb_health_tick(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* When tick has something to do; INT64_MAX: nothing is pending. */
int64_t gslb_health_next(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
void gslb_health_resume(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* A run of contrary results has begun, or it changed less than hold (at least 10 s) ago: answers
 * get the short TTL. */
bool gslb_health_unsettled(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms);
/* 100 .. 1000 while slow start lasts, else 1000. */
uint16_t gslb_health_permille(const struct gslb_health *h, const struct gslb_rules *r,
                              int64_t now_ms);

/* Several checks of one member. */
enum gslb_combine { GSLB_ALL_OF, GSLB_ANY_OF, GSLB_K_OF };
enum gslb_status gslb_combine(enum gslb_combine how, unsigned k, const enum gslb_status *checks,
                              unsigned count);

/* Operator's word over the machine's. */
enum gslb_force {
    GSLB_FORCE_NONE,
    GSLB_FORCE_UP,
    GSLB_FORCE_DOWN,
    GSLB_FORCE_DRAIN,
    GSLB_FORCE_WEIGHT
};
struct gslb_forced {
    enum gslb_force force;
    uint16_t permille;          /* WEIGHT */
    int64_t since_ms, until_ms; /* INT64_MAX: until it is lifted */
    uint32_t drain_ms;          /* DRAIN: weight falls to 0 over so long */
};
struct gslb_effect {
    bool up; /* unknown counts as up after the warm-up */
    uint16_t permille;
    bool forced, unsettled;
};
struct gslb_effect gslb_health_effect(enum gslb_status status, uint16_t permille, bool unsettled,
                                      const struct gslb_forced *f, bool warm, int64_t now_ms);

#endif
