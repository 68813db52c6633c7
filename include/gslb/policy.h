/* gslb/policy.h: which members of a pool go into this answer?
 * One table of policies, each pure in (members, their health, client key, time, random number,
 * policy state): the serving code, explain, simulate and the tests call the same function. No heap,
 * no lock, no floating point. Threads: any; a policy state belongs to one worker. */
#ifndef WAYPOST_GSLB_POLICY_H
#define WAYPOST_GSLB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GSLB_MEMBERS_MAX 1024
#define GSLB_WEIGHT_MAX  (1u << 20)

enum gslb_policy {
    GSLB_FAILOVER,             /* the first usable ones, in order */
    GSLB_ROUND_ROBIN,          /* state: where it stands */
    GSLB_WEIGHTED_ROUND_ROBIN, /* smooth: exact over a period of the weights' sum */
    GSLB_WEIGHTED,             /* random; one by weight */
    GSLB_WEIGHTED_EACH,        /* each in independently with odds weight / greatest weight */
    GSLB_WEIGHTED_GROUPS,      /* a group by its sum, then each of its members as WEIGHTED_EACH */
    GSLB_LEAST_LOAD,           /* unknown load counts as the mean of the known */
    GSLB_FASTEST,              /* by round trip; within `band` of the best they share */
    GSLB_HASH,                 /* client key modulo the weights' sum */
    GSLB_CONSISTENT,           /* weighted rendezvous; over its bound a member passes clients on */
    GSLB_STICKY,               /* weighted rendezvous of key and epoch */
    GSLB_ALL,
    GSLB_POLICIES
};
const char *gslb_policy_name(enum gslb_policy p); /* as in a configuration: "failover" */
int gslb_policy_parse(const char *text);          /* ERR_SYNTAX */

struct gslb_member {
    uint64_t id;     /* stable over reloads: hash of what it is, not of where it stands */
    uint32_t weight; /* 0 .. GSLB_WEIGHT_MAX, as configured */
    uint16_t group;  /* WEIGHTED_GROUPS */
};
/* As the health table of the moment says it. */
struct gslb_member_state {
    bool up;
    uint16_t permille; /* of its weight: slow start, drain, forced weight; 1000 */
    bool has_load;
    uint32_t load;   /* 0 .. 1,000,000 */
    uint32_t rtt_us; /* 0 unknown */
    bool over;       /* CONSISTENT: above its bound in the last window */
};

struct gslb_pick {
    enum gslb_policy policy;
    const struct gslb_member *members;
    const struct gslb_member_state *states;
    unsigned count;
    unsigned want;             /* at most so many; 0: the policy's own number (1; ALL, EACH: all) */
    bool shuffle;              /* else in the policy's order */
    uint32_t healthy_permille; /* of all weight must be up, else the pool is not usable */
    uint64_t client;           /* hash of the client's network */
    uint64_t name;             /* hash of the owner name without the type: A, AAAA, HTTPS agree */
    int64_t now_s;
    uint32_t epoch_s; /* STICKY: lifetime */
    uint32_t band_us; /* FASTEST */
    uint64_t random;  /* fresh bits: expanded inside when more are needed */
    struct gslb_policy_state
        *state; /* ROUND_ROBIN, WEIGHTED_ROUND_ROBIN; NULL: as if at its start */
};
/* Shape: one word and one per member, in memory of the caller's (gslb_policy_state_size). */
struct gslb_policy_state;
size_t gslb_policy_state_size(unsigned members);
void gslb_policy_state_init(struct gslb_policy_state *s, unsigned members);

enum gslb_verdict { GSLB_USABLE, GSLB_UNUSABLE /* too little is up: try the next pool */ };

/* Indices into out (room for `count`), best first; *n how many. With UNUSABLE out holds what the
 * policy would give of the members that are up, if any. */
enum gslb_verdict gslb_pick(const struct gslb_pick *p, uint16_t *out, unsigned *n);
/* The odds of each member to be in the answer (first place for policies that give one), in parts of
 * 2^32: exact where the policy is random, else 0 or 2^32 for this very client. For explain. */
void gslb_odds(const struct gslb_pick *p, uint64_t *odds);
/* Does the choice depend on the client's network (its ECS scope then counts)? */
bool gslb_policy_uses_client(enum gslb_policy p);

/* Weighted rendezvous of single items, as sites of a map use it: index of the winner among those
 * with `usable` set (NULL: all); count when none has weight. */
unsigned gslb_rendezvous(const uint64_t *ids, const uint32_t *weights, const bool *usable,
                         unsigned count, uint64_t key);

#endif
