/* gslb/policy.h: which members of a pool go into this answer?
 * One table of policies, each pure in (members, their health, client key, time, random number,
 * policy state): the serving code, explain, simulate and the tests call the same function. No heap,
 * no lock, no floating point. Threads: any; a policy state belongs to one worker.
 * A member is available when it is up and weight and permille are above 0; no policy gives another
 * one. Its weight in every policy is the product weight x permille, which is never divided: a small
 * weight in slow start does not become 0. */
#ifndef WAYPOST_GSLB_POLICY_H
#define WAYPOST_GSLB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GSLB_MEMBERS_MAX 1024
#define GSLB_WEIGHT_MAX  (1u << 20)

enum gslb_policy {
    GSLB_FAILOVER,             /* the first available ones, in order */
    GSLB_ROUND_ROBIN,          /* the next in order; state: where it stands */
    GSLB_WEIGHTED_ROUND_ROBIN, /* smooth: exact over a period of the weights' sum */
    GSLB_WEIGHTED,             /* random; one by weight, a further one by weight of what is left */
    GSLB_WEIGHTED_EACH,        /* each in independently with odds weight / greatest weight */
    GSLB_WEIGHTED_GROUPS,      /* a group by its sum, then each of its members as WEIGHTED_EACH */
    GSLB_LEAST_LOAD,           /* unknown load counts as the mean of the known; equals by weight */
    GSLB_FASTEST,              /* by round trip; within `band` of the best they share by weight */
    GSLB_HASH,                 /* hash of (client, name) onto the weights in order of ids */
    GSLB_CONSISTENT,           /* weighted rendezvous; over its bound a member passes clients on */
    GSLB_STICKY,               /* weighted rendezvous of (client, name, epoch) */
    GSLB_ALL,                  /* all available ones, in order */
    GSLB_POLICIES
};
const char *gslb_policy_name(enum gslb_policy p); /* as in a configuration: "failover" */
int gslb_policy_parse(const char *text);          /* ERR_SYNTAX */

struct gslb_member {
    uint64_t id;     /* stable over reloads: hash of what it is, not of where it stands; unique */
    uint32_t weight; /* 0 .. GSLB_WEIGHT_MAX, as configured */
    uint16_t group;  /* WEIGHTED_GROUPS */
};
/* As the health table of the moment says it. */
struct gslb_member_state {
    bool up;
    uint16_t permille; /* of its weight: slow start, drain, forced weight; 1000 is all of it */
    bool has_load;
    uint32_t load;   /* 0 .. 1,000,000 */
    uint32_t rtt_us; /* 0: unknown, behind all known */
    bool over;       /* CONSISTENT: above its bound in the last window */
};

struct gslb_pick {
    enum gslb_policy policy;
    const struct gslb_member *members;
    const struct gslb_member_state *states;
    unsigned count; /* 0 .. GSLB_MEMBERS_MAX */
    unsigned want;  /* at most so many; 0: the policy's own number (1; ALL, EACH, GROUPS: all) */
    bool shuffle;   /* the answer's order is random; ALL: so is then what is cut by want */
    uint32_t healthy_permille; /* of all configured weight must be available (a member in slow start
                                  counts in full), else the pool is not usable; 0: any member */
    uint64_t client;           /* hash of the client's network */
    uint64_t name;             /* hash of the owner name without the type: A, AAAA, HTTPS agree */
    int64_t now_s;             /* STICKY; before 0 counts as 0 */
    uint32_t epoch_s;          /* STICKY: lifetime, which ends at another second for each client;
                                  0: it never ends */
    uint32_t band_us;          /* FASTEST */
    uint64_t random;           /* fresh bits: expanded inside when more are needed */
    /* ROUND_ROBIN, WEIGHTED_ROUND_ROBIN. NULL, or made for another count: as if at its start. */
    struct gslb_policy_state *state;
};
/* Shape: one word and one per member, in memory of the caller's (gslb_policy_state_size), aligned
 * for uint64_t. Members that go down and come back keep their turn. */
struct gslb_policy_state;
size_t gslb_policy_state_size(unsigned members);
void gslb_policy_state_init(struct gslb_policy_state *s, unsigned members);

enum gslb_verdict { GSLB_USABLE, GSLB_UNUSABLE /* too little is up: try the next pool */ };

/* Indices into out (room for `count`), best first; *n how many. With UNUSABLE out holds what the
 * policy would give of the members that are available, if any. */
enum gslb_verdict gslb_pick(const struct gslb_pick *p, uint16_t *out, unsigned *n);
/* For explain: odds[count] of each member, in parts of 2^32 rounded down; never touches the state.
 * WEIGHTED: of the first place. EACH, GROUPS: to be in, before want cuts. LEAST_LOAD, FASTEST: of
 * the first place, by weight among the equally good. ROUND_ROBIN: to be in, over a period;
 * WEIGHTED_ROUND_ROBIN: of the first place, over a period. The others: 0 or 2^32 for this very
 * client (ALL with a random cut: want / available). */
void gslb_odds(const struct gslb_pick *p, uint64_t *odds);
/* Does the choice depend on the client's network (its ECS scope then counts)? */
bool gslb_policy_uses_client(enum gslb_policy p);

/* Weighted rendezvous of single items, as sites of a map use it: index of the winner among those
 * with `usable` set (NULL: all); count when none has weight. At most GSLB_MEMBERS_MAX items. */
unsigned gslb_rendezvous(const uint64_t *ids, const uint32_t *weights, const bool *usable,
                         unsigned count, uint64_t key);

#endif
