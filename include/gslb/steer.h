/* gslb/steer.h: client, plan and health into an answer.
 *
 *   client -> map -> sites in order -> the pool of each -> usable? -> its policy -> members -> set
 *                                  \-> fallbacks -> all down: what the name says
 *
 * One function serves queries, explain, simulate and the tests; a log, when there is one, is told
 * each step and changes nothing.
 * Scope: the longest of what was looked at: each map's depth; the client network's length where a
 * policy or weighted sites hash it. A shortest map depth of 0 and no such policy: 0. A client
 * subnet of length 0, or a map that ignores it: the packet's source steers and the scope is 0.
 * TTL: the name's, or its shorter one while a member of a pool that was tried is unsettled or all
 * are down; never beyond the end of an operator's word on one of them, nor what is left of an
 * address that was fetched for a host name or an alias. An alias has the scope of what was fetched
 * for the client; host names add none.
 * A fence holds for a pool's fallbacks too: only those at a site of the client's list are tried.
 * Threads: any number; a gslb_worker is one thread's. No heap, no lock. */
#ifndef WAYPOST_GSLB_STEER_H
#define WAYPOST_GSLB_STEER_H

#include "base/rng.h"
#include "gslb/plan.h"
#include "gslb/target.h"

struct gslb_client {
    struct addr source;        /* of the packet */
    struct edns_subnet subnet; /* family 0: none */
};

/* "192.0.2.7": a packet from there; with `subnet`, or written as a network, a client subnet of that
 * network (without a length IPv4 /24, IPv6 /56). ERR_SYNTAX, ERR_RANGE as prefix_parse. */
int gslb_client_parse(struct gslb_client *c, const char *text, bool subnet);

struct gslb_worker {
    /* fixed at start */
    unsigned index;
    const struct gslb_table *table;
    struct gslb_tally *tally;     /* NULL: not counted */
    struct gslb_targets *targets; /* of the plan; NULL: no name that is not ours is known */
    struct rng *rng;              /* NULL: `random` below */
    /* changed per query */
    uint64_t random;
    unsigned draws; /* from rng's number */
    uint16_t picks[GSLB_MEMBERS_MAX];
    struct gslb_member_state views[GSLB_MEMBERS_MAX];
    uint8_t rdata[GSLB_MEMBERS_MAX * 18];
};

enum gslb_outcome { /* as authority/dynamic.h */
                    GSLB_STATIC = DYNAMIC_STATIC,
                    GSLB_SET = DYNAMIC_SET,
                    GSLB_NODATA = DYNAMIC_NODATA,
                    GSLB_REFUSED = DYNAMIC_REFUSED,
                    GSLB_FAILED = DYNAMIC_FAILED /* nothing is known yet of a name that is not ours:
                                                    the zone's own records, else SERVFAIL */
};

struct gslb_log;

struct gslb_ask {
    const struct gslb_plan *plan;
    unsigned name; /* index, with an owner */
    uint16_t qtype;
    const struct gslb_client *client;
    int64_t mono_s, wall_s;
    bool dry;             /* explain, simulate: no policy state moves, nothing is counted */
    struct gslb_log *log; /* NULL: none */
};
struct gslb_answer {
    enum gslb_outcome outcome;
    struct dns_rrset set; /* SET: rdata in the worker, or the plan's */
    uint32_t ttl;
    uint8_t scope;           /* in the subnet's family; 0 also when there is none */
    int pool, site;          /* that answered, or GSLB_NONE */
    unsigned count;          /* members given */
    const uint16_t *members; /* their indices in the pool */
    bool all_down;           /* `all_down` of the name decided */
};
void gslb_steer(const struct gslb_ask *ask, struct gslb_worker *w, struct gslb_answer *out);

/* ---- what it thought ---- */

enum gslb_step {
    GSLB_STEP_CLIENT,  /* a: the address that steers, number: 1 of the subnet, 0 of the packet */
    GSLB_STEP_MAP,     /* index: map; number: rule (-1 none); depth */
    GSLB_STEP_SITES,   /* list: of the map */
    GSLB_STEP_DRAWN,   /* index: site drawn by weight; depth: the network's length */
    GSLB_STEP_SKIPPED, /* index: site; why */
    GSLB_STEP_POOL,    /* index: pool; why: GSLB_WHY_OK or why not; number, other: 1000 x the weight
                          available (slow start in full) and 1000 x that of all; depth: members
                          available */
    GSLB_STEP_PICK,    /* index: pool; number: members given; depth: what its policy adds */
    GSLB_STEP_FALLBACK, /* index: pool or name; number: 1 a name */
    GSLB_STEP_ALL_DOWN, /* number: enum gslb_all_down that was done */
    GSLB_STEP_TTL,      /* number: seconds; why */
    GSLB_STEP_ANSWER
};
enum gslb_why {
    GSLB_WHY_OK,
    GSLB_WHY_NO_POOL, /* no pool of this name is at that site */
    GSLB_WHY_SKIP_FIRST,
    GSLB_WHY_DOWN,   /* nothing available */
    GSLB_WHY_ENOUGH, /* less than `enough` of the weight is */
    GSLB_WHY_FAMILY, /* no member of the family asked, and the name fails over for that */
    GSLB_WHY_FENCE,  /* the client never leaves its sites */
    GSLB_WHY_NORMAL, /* TTL */
    GSLB_WHY_UNSETTLED,
    GSLB_WHY_FORCED, /* an operator's word ends */
    GSLB_WHY_CLAMPED,
    GSLB_WHY_TARGET /* what is left of an address that was fetched */
};
struct gslb_event {
    enum gslb_step step;
    enum gslb_why why;
    int index;
    unsigned depth;
    int64_t number, other;
    struct addr a;
    const struct geo_list *list;
};
#define GSLB_LOG_MAX 512
struct gslb_log {
    struct gslb_event events[GSLB_LOG_MAX];
    unsigned count, lost;
    /* Of the pool that answered: odds of each member, as gslb_odds. */
    uint64_t odds[GSLB_MEMBERS_MAX];
    bool has_odds;
    bool everybody; /* set by the caller: where a policy hashes the client, odds are those over all
                       clients, by weight, not this client's 0 or 1 */
};

#define GSLB_WHY_MAX 512 /* with its NUL: what an EDE text may be */
/* The seam's other half: a struct dynamic whose decide steers with one worker. A query that is
 * decided again gets what it was given: who takes turns gives no turn away. */
struct gslb_decider {
    struct dynamic dynamic;       /* first */
    const struct gslb_plan *plan; /* set per batch, NULL: everything is static */
    struct gslb_worker *worker;
    int64_t mono_s, wall_s; /* set per batch */
    /* The last decision; rdata in the worker, or the plan's. */
    uint32_t id;
    uint16_t qtype;
    struct dynamic_answer last;
    /* For a client that may know and asks (EDNS_EXPLAIN). */
    struct gslb_log log;
    char why[GSLB_WHY_MAX];
};
void gslb_decider_init(struct gslb_decider *d, struct gslb_worker *w);

/* gslb/explain.h renders a log. */

#endif
