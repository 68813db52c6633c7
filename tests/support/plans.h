/* tests/support/plans.h: steering plans in a few lines of text. */
#ifndef WAYPOST_TESTS_PLANS_H
#define WAYPOST_TESTS_PLANS_H

#include "gslb/steer.h"

enum { MADE_SITES = 8, MADE_MAPS = 6, MADE_POOLS = 40, MADE_NAMES = 24 };

struct made {
    struct gslb_plan *plan;
    struct gslb_table *table;
    struct diag_list diags;
    struct geo_map *geo[MADE_MAPS];
    struct gslb_worker worker; /* 0, without a generator or tally */
    bool table_lent;
};

/* sites: "a b c". The table of `of`, or (NULL) its own. */
void made_init(struct made *m, const char *sites, const struct made *of);
void made_fini(struct made *m);
/* A map of the plan's sites: "10.0.0.0/8=a,b 10.1.0.0/16=b! *=c:3,d:1": the more specific network
 * wins, ! is a fence, numbers are weights, * is everybody else. */
int made_map(struct made *m, const char *rules);
/* A map of members, for a pool: sites are "0", "1" ... */
int made_near(struct made *m, unsigned members, const char *rules);
/* "192.0.2.1 192.0.2.2|2001:db8::2 192.0.2.3*5 -192.0.2.4 cname:x.example. host:y.example.": *
 * weight, - not enabled; members are called m0, m1 ... site "": none. */
struct gslb_pool *made_pool(struct made *m, const char *name, const char *site,
                            enum gslb_policy policy, const char *members);
/* TTL 300, degraded 30. */
struct gslb_name *made_name(struct made *m, const char *owner, int map, const char *pools);
/* Fails the test when it is refused. */
void made_finish(struct made *m, const struct gslb_plan *before);

/* "pool/m0" is now: u up, d down, ? unknown, ~ unsettled, w was up (with d), p500 of its weight, o
 * over its bound, l9 its load, f1012 forced until that second. */
void made_health(struct made *m, const char *member, const char *state);
/* "192.0.2.1 10.0.0.0/24": packet and subnet; the subnet may be left out. */
struct gslb_client made_client(const char *text);
/* One question at second `now`. */
struct gslb_answer made_ask(struct made *m, const char *owner, uint16_t type,
                            const struct gslb_client *c, int64_t now, struct gslb_log *log);
/* The records of an answer as text: "192.0.2.1 192.0.2.2". */
const char *made_text(const struct gslb_answer *a, char *out, size_t cap);

#endif
