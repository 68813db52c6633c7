/* gslb/simulate.h: what would change, and for whom?
 * Two plans with their tables are steered for every part of the address space in which all maps of
 * a name give one list each (geo/parts.h), not for every address. Where a policy or weighted sites
 * tell clients apart by a hash, a part is shared out by the weights: a client that moves from one
 * member to another of the same share is not seen.
 * A client that is given several members is taken to use each alike.
 * Threads: any but a worker's (heap). Owner: the caller frees what is returned. */
#ifndef WAYPOST_GSLB_SIMULATE_H
#define WAYPOST_GSLB_SIMULATE_H

#include "gslb/steer.h"

#include <jansson.h>
#include <stdio.h>

enum { /* what shares are of */
       GSLB_SPACE_IPV4,
       GSLB_SPACE_IPV6,
       GSLB_SPACE_SEEN, /* client networks given by the caller */
       GSLB_SPACES
};

/* Of a plan that nobody serves from: both must be the caller's own. The table of the other side is
 * a copy (gslb_table_dup) made before its plan took slots, so that what both have is one slot. */
struct gslb_side {
    const struct gslb_plan *plan; /* NULL: nothing is steered */
    const struct gslb_table *table;
};

/* Shares of 1 of each space, before and after. */
struct gslb_share {
    const char *what; /* site, or pool without one; "pool/member"; "(nodata)" and the like */
    double before[GSLB_SPACES], after[GSLB_SPACES];
};
struct gslb_name_shift {
    const char *name;
    uint16_t qtype;              /* A, else the first that it yields */
    double changed[GSLB_SPACES]; /* share of clients that get something else */
    struct gslb_share *sites, *members;
    unsigned site_count, member_count;
    double size[GSLB_SPACES]; /* addresses, networks: 1 is this much; 0: no shares */
    bool covered;             /* only networks that a database or the operator speaks of */
};
struct gslb_simulation;

struct gslb_seen_count {
    struct addr address; /* of the network */
    uint64_t count;
};
struct gslb_simulate {
    struct gslb_side before, after;
    const struct gslb_seen_count *seen;
    unsigned seen_count;
    const uint8_t *name; /* only this one (wire, lower case); NULL: all */
    int64_t wall_s;
};
/* ERR_NOMEM, ERR_LIMIT; ERR_NOT_FOUND: neither plan has this name. */
int gslb_simulate(const struct gslb_simulate *s, struct gslb_simulation **out);
void gslb_simulation_free(struct gslb_simulation *s);
unsigned gslb_simulation_count(const struct gslb_simulation *s);
const struct gslb_name_shift *gslb_simulation_at(const struct gslb_simulation *s, unsigned index);
/* {version, names: [{name, type, covered, size: {ipv4, ipv6, seen}, changed: {...},
 *  sites: [{what, before: {...}, after: {...}}], members: [...]}]}; NULL: out of memory. */
json_t *gslb_simulation_json(const struct gslb_simulation *s);
/* A table per name that changes; the others are counted. all: those that do not change too. */
void gslb_simulation_print(const struct gslb_simulation *s, FILE *out, bool all);

/* ---- what is supposed ---- */

/* Members of a site, a pool or one "pool/member" are down in t. Returns how many. */
unsigned gslb_suppose_down(const struct gslb_plan *p, struct gslb_table *t, const char *what);
/* All that the plan has is up, known and settled, with all of its weight. */
void gslb_suppose_up(const struct gslb_plan *p, struct gslb_table *t);
/* "pool/member": another weight, as if it were configured. False: there is none, or no such weight.
 * p is not served from by anybody. */
bool gslb_suppose_weight(struct gslb_plan *p, const char *member, uint32_t weight);

#endif
