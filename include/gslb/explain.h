/* gslb/explain.h: why this answer? The log of the serving code (gslb/steer.h), in words.
 * Threads: any but a worker's hot path (heap). Owner: the caller frees what is returned. */
#ifndef WAYPOST_GSLB_EXPLAIN_H
#define WAYPOST_GSLB_EXPLAIN_H

#include "gslb/steer.h"

#include <jansson.h>
#include <stdio.h>

/* {version, name, type, client: {address, from: "subnet"|"source"|"source (opt-out)"|
 *  "source (ignored)", length, network, place: {...}, database: {type, built}},
 *  map: {name, rule, rule_text, network, sites: [{site, pool, verdict, why}], weights, drawn,
 * fence}, steps: [{step, ...}], pools: [{name, site, verdict, why, up, available, of, needed,
 * policy, answers, members: [{name, address, state, why, forced, unsettled, weight, permille,
 * rtt_us, load, odds, given}]}], answer: {outcome, all_down: {policy, done}, records, ttl, ttl_why,
 * scope, network, below: {network, sites}, above: {network, sites}}, then: [{if: [pools], if_sites,
 * pool, site, outcome, all_down}]} client.network: the operator's, by name. `below` and `above`:
 * the networks next to the one the scope speaks of (without a client subnet: next to the one that
 * was looked at), with what they get. Rules count from 1. What is not known is null. Policy states
 * do not move, w's table is not written; beside serving workers w->index is none of theirs
 * (UINT_MAX), as each one's states are its own. NULL: out of memory. */
json_t *gslb_explain(const struct gslb_plan *p, struct gslb_worker *w, unsigned name,
                     uint16_t qtype, const struct gslb_client *client, int64_t mono_s,
                     int64_t wall_s);
/* The steered name that a query for qname (wire) asks, GSLB_NONE: none. Wildcards stand for what is
 * below them; what a zone may have in between is not looked at. */
int gslb_explain_name(const struct gslb_plan *p, const uint8_t *qname);
/* For people, as in the manual. */
void gslb_explain_print(const json_t *explained, FILE *out, bool colour);
/* One line, for an EDE text: "map world rule 3 -> fra; pool www-fra 2/2; ttl 30; scope 16".
 * Returns its length. No heap. */
size_t gslb_explain_line(const struct gslb_plan *p, const struct gslb_log *log,
                         const struct gslb_answer *a, char *out, size_t cap);

#endif
