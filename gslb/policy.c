#include "gslb/policy.h"
#include "rendezvous_priv.h"

#include "base/err.h"
#include "base/hash.h"

#include <assert.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* One pick under way. at[0 .. n) are the available members, first in order; a policy moves its
 * choice to the front. */
struct choice {
    const struct gslb_pick *p;
    uint16_t *at;
    unsigned n, want;
    uint64_t seed; /* counter whose mixture is the next random number */
};

struct gslb_policy_state {
    uint32_t next;     /* ROUND_ROBIN: the first index whose turn it may be */
    uint32_t members;  /* it was made for */
    int64_t current[]; /* WEIGHTED_ROUND_ROBIN: what each is owed, in parts of a turn */
};

size_t gslb_policy_state_size(unsigned members)
{
    return sizeof(struct gslb_policy_state) + members * sizeof(int64_t);
}

void gslb_policy_state_init(struct gslb_policy_state *s, unsigned members)
{
    memset(s, 0, gslb_policy_state_size(members));
    s->members = members;
}

static uint64_t weight_of(const struct gslb_pick *p, unsigned i)
{
    return (uint64_t)p->members[i].weight * p->states[i].permille;
}

static bool available(const struct gslb_pick *p, unsigned i)
{
    return p->states[i].up && weight_of(p, i) > 0;
}

static struct gslb_policy_state *state_of(const struct gslb_pick *p)
{
    return p->state && p->state->members == p->count ? p->state : NULL;
}

/* ---- numbers ---- */

/* hash_mix is a bijection, so the first number is as evenly spread as the caller's; an odd step of
 * the golden ratio leads through all others. */
static uint64_t next_random(struct choice *c)
{
    c->seed += 0x9e3779b97f4a7c15;
    return hash_mix(c->seed);
}

/* 0 .. bound-1, each from equally many of the 2^64 numbers: the upper half of number x bound; those
 * few numbers whose lower half would give some results one more are thrown away. */
static uint64_t below(struct choice *c, uint64_t bound)
{
    wide x = (wide)next_random(c) * bound;
    if ((uint64_t)x < bound)
        for (uint64_t excess = -bound % bound; (uint64_t)x < excess;)
            x = (wide)next_random(c) * bound;
    return (uint64_t)(x >> 64);
}

static void swap(struct choice *c, unsigned a, unsigned b)
{
    uint16_t kept = c->at[a];
    c->at[a] = c->at[b];
    c->at[b] = kept;
}

static uint64_t sum(const struct choice *c, unsigned from, unsigned to)
{
    uint64_t total = 0;
    for (unsigned k = from; k < to; k++)
        total += weight_of(c->p, c->at[k]);
    return total;
}

/* The place in from .. to-1 of a member drawn by weight. */
static unsigned draw(struct choice *c, unsigned from, unsigned to)
{
    if (to - from == 1)
        return from;
    uint64_t point = below(c, sum(c, from, to));
    for (;; from++) {
        uint64_t w = weight_of(c->p, c->at[from]);
        if (point < w)
            return from;
        point -= w;
    }
}

static void shuffle(struct choice *c)
{
    for (unsigned k = c->n; k > 1; k--)
        swap(c, k - 1, (unsigned)below(c, k));
}

/* ---- one function per policy: how many of the front are the answer ---- */

static unsigned pick_failover(struct choice *c)
{
    return c->want;
}

static unsigned pick_all(struct choice *c)
{
    if (c->p->shuffle && c->want < c->n)
        shuffle(c);
    return c->want;
}

static void reverse(struct choice *c, unsigned from, unsigned to)
{
    for (; from + 1 < to; from++)
        swap(c, from, --to);
}

static unsigned pick_round_robin(struct choice *c)
{
    struct gslb_policy_state *s = state_of(c->p);
    unsigned first = 0;
    while (s && first < c->n && c->at[first] < s->next)
        first++;
    if (first > 0 && first < c->n) {
        reverse(c, 0, first);
        reverse(c, first, c->n);
        reverse(c, 0, c->n);
    }
    if (s)
        s->next = c->at[0] + 1u;
    return c->want;
}

static int64_t owed(const struct choice *c, const struct gslb_policy_state *s, unsigned i)
{
    return s ? s->current[i] : (int64_t)weight_of(c->p, i);
}

/* Each turn every member is owed its weight; who is owed most gives the answer and pays the sum. So
 * the debts add up to 0 at all times, and after a period of the sum all are 0 again. Those that are
 * down keep theirs. A debt of many turns is left over only from much greater weights, and is cut:
 * else a member that was drained would make up for it at once. */
static unsigned pick_weighted_round_robin(struct choice *c)
{
    enum { TURNS = 16 };
    struct gslb_policy_state *s = state_of(c->p);
    int64_t turn = (int64_t)sum(c, 0, c->n), limit = turn * TURNS;
    for (unsigned k = 0; s && k < c->n; k++) {
        int64_t *now = &s->current[c->at[k]];
        *now = *now > limit ? limit : *now < -limit ? -limit : *now;
        *now += (int64_t)weight_of(c->p, c->at[k]);
    }
    for (unsigned k = 0; k < c->want; k++) {
        unsigned most = k;
        for (unsigned j = k + 1; j < c->n; j++) {
            int64_t more = owed(c, s, c->at[j]) - owed(c, s, c->at[most]);
            if (more > 0 || (more == 0 && c->at[j] < c->at[most]))
                most = j;
        }
        swap(c, k, most);
    }
    if (s)
        s->current[c->at[0]] -= turn;
    return c->want;
}

static unsigned pick_weighted(struct choice *c)
{
    for (unsigned k = 0; k < c->want; k++)
        swap(c, k, draw(c, k, c->n));
    return c->want;
}

static uint64_t greatest(const struct choice *c)
{
    uint64_t max = 0;
    for (unsigned k = 0; k < c->n; k++)
        if (weight_of(c->p, c->at[k]) > max)
            max = weight_of(c->p, c->at[k]);
    return max;
}

static unsigned pick_weighted_each(struct choice *c)
{
    uint64_t max = greatest(c);
    unsigned in = 0, taken = 0;
    for (unsigned k = 0; k < c->n; k++) {
        uint64_t w = weight_of(c->p, c->at[k]);
        if (w == max || below(c, max) < w)
            c->at[in++] = c->at[k];
    }
    if (in <= c->want)
        return in;
    /* Too many: a random choice of them, still in order. */
    for (unsigned k = 0; k < in && taken < c->want; k++)
        if (below(c, in - k) < c->want - taken)
            c->at[taken++] = c->at[k];
    return taken;
}

/* Who draws a member by weight has drawn its group by the group's sum. */
static unsigned pick_weighted_groups(struct choice *c)
{
    unsigned group = c->p->members[c->at[draw(c, 0, c->n)]].group, in = 0;
    for (unsigned k = 0; k < c->n; k++)
        if (c->p->members[c->at[k]].group == group)
            c->at[in++] = c->at[k];
    c->n = in;
    return pick_weighted_each(c);
}

/* The members at `from` and after whose key is least come to from .. result-1. */
static unsigned front_least(struct choice *c, const uint32_t *keys, unsigned from)
{
    uint32_t least = UINT32_MAX;
    for (unsigned k = from; k < c->n; k++)
        if (keys[c->at[k]] < least)
            least = keys[c->at[k]];
    unsigned to = from;
    for (unsigned k = from; k < c->n; k++)
        if (keys[c->at[k]] == least)
            swap(c, to++, k);
    return to;
}

/* By rising key; equals are drawn by weight. */
static unsigned pick_least(struct choice *c, const uint32_t *keys)
{
    for (unsigned k = 0, to = 0; k < c->want; k++) {
        if (k == to)
            to = front_least(c, keys, k);
        swap(c, k, draw(c, k, to));
    }
    return c->want;
}

static void keys_load(const struct choice *c, uint32_t *keys)
{
    uint64_t total = 0, known = 0;
    for (unsigned k = 0; k < c->n; k++) {
        const struct gslb_member_state *s = &c->p->states[c->at[k]];
        total += s->has_load ? s->load : 0;
        known += s->has_load;
    }
    uint32_t mean = known ? (uint32_t)(total / known) : 0;
    for (unsigned k = 0; k < c->n; k++) {
        const struct gslb_member_state *s = &c->p->states[c->at[k]];
        keys[c->at[k]] = s->has_load ? s->load : mean;
    }
}

static void keys_rtt(const struct choice *c, uint32_t *keys)
{
    uint32_t best = UINT32_MAX;
    for (unsigned k = 0; k < c->n; k++) {
        uint32_t rtt = c->p->states[c->at[k]].rtt_us;
        keys[c->at[k]] = rtt ? rtt : UINT32_MAX;
        if (keys[c->at[k]] < best)
            best = keys[c->at[k]];
    }
    for (unsigned k = 0; k < c->n; k++) {
        uint32_t *key = &keys[c->at[k]];
        if (*key != UINT32_MAX && *key - best <= c->p->band_us)
            *key = 0;
    }
}

static unsigned pick_least_load(struct choice *c)
{
    uint32_t keys[GSLB_MEMBERS_MAX];
    keys_load(c, keys);
    return pick_least(c, keys);
}

static unsigned pick_fastest(struct choice *c)
{
    uint32_t keys[GSLB_MEMBERS_MAX];
    keys_rtt(c, keys);
    return pick_least(c, keys);
}

static uint64_t client_key(const struct gslb_pick *p)
{
    return hash_mix(hash_mix(p->client) + p->name);
}

static bool id_before(const struct gslb_pick *p, unsigned a, unsigned b)
{
    uint64_t x = p->members[a].id, y = p->members[b].id;
    return x != y ? x < y : a < b;
}

/* The place of the member that owns `point` when the weights lie one after the other in order of
 * ids: a quickselect by weight, so that the order in the configuration does not matter. */
static unsigned owner_of(struct choice *c, unsigned lo, unsigned hi, uint64_t point)
{
    while (hi - lo > 1) {
        unsigned split = lo;
        uint64_t left = 0;
        swap(c, lo + (hi - lo) / 2, hi - 1);
        unsigned pivot = c->at[hi - 1];
        for (unsigned k = lo; k < hi - 1; k++) {
            if (id_before(c->p, c->at[k], pivot)) {
                left += weight_of(c->p, c->at[k]);
                swap(c, split++, k);
            }
        }
        swap(c, split, hi - 1);
        if (point < left) {
            hi = split;
        } else if (point - left < weight_of(c->p, pivot)) {
            return split;
        } else {
            point -= left + weight_of(c->p, pivot);
            lo = split + 1;
        }
    }
    return lo;
}

static unsigned pick_hash(struct choice *c)
{
    uint64_t key = client_key(c->p);
    for (unsigned k = 0; k < c->want; k++, key = hash_mix(key + 1)) {
        uint64_t point = (uint64_t)((wide)key * sum(c, k, c->n) >> 64);
        swap(c, k, owner_of(c, k, c->n, point));
    }
    return c->want;
}

static unsigned pick_rendezvous(struct choice *c, uint64_t key, bool bounded)
{
    struct rendezvous r;
    rendezvous_start(&r, key, c->want);
    for (unsigned k = 0; k < c->n; k++) {
        unsigned i = c->at[k];
        rendezvous_offer(&r, c->p->members[i].id, weight_of(c->p, i),
                         bounded && c->p->states[i].over, (uint16_t)i);
    }
    for (unsigned k = 0; k < r.count; k++)
        c->at[k] = r.ranks[k].index;
    return r.count;
}

static unsigned pick_consistent(struct choice *c)
{
    return pick_rendezvous(c, client_key(c->p), true);
}

/* Each client's epochs begin at a second of its own, so that they do not all move at once. */
static unsigned pick_sticky(struct choice *c)
{
    uint64_t key = client_key(c->p), epoch = 0;
    if (c->p->epoch_s) {
        uint64_t now = c->p->now_s > 0 ? (uint64_t)c->p->now_s : 0;
        epoch = (now + hash_mix(key ^ 0x65706f6368) % c->p->epoch_s) / c->p->epoch_s;
    }
    return pick_rendezvous(c, hash_mix(key + epoch), false);
}

/* ---- odds ---- */

static const uint64_t one = 1ULL << 32;

static uint64_t ratio(wide part, wide whole)
{
    return whole ? (uint64_t)(part * one / whole) : 0;
}

/* Of what the policy gives this client. */
static void odds_given(struct choice *c, uint64_t *odds);

static void odds_all(struct choice *c, uint64_t *odds)
{
    if (!c->p->shuffle || c->want == c->n) {
        odds_given(c, odds);
        return;
    }
    for (unsigned k = 0; k < c->n; k++)
        odds[c->at[k]] = ratio(c->want, c->n);
}

static void odds_round_robin(struct choice *c, uint64_t *odds)
{
    for (unsigned k = 0; k < c->n; k++)
        odds[c->at[k]] = ratio(c->want, c->n);
}

static void odds_share(struct choice *c, uint64_t *odds)
{
    uint64_t total = sum(c, 0, c->n);
    for (unsigned k = 0; k < c->n; k++)
        odds[c->at[k]] = ratio(weight_of(c->p, c->at[k]), total);
}

static void odds_each(struct choice *c, uint64_t *odds)
{
    uint64_t max = greatest(c);
    for (unsigned k = 0; k < c->n; k++)
        odds[c->at[k]] = ratio(weight_of(c->p, c->at[k]), max);
}

static void odds_groups(struct choice *c, uint64_t *odds)
{
    const struct gslb_pick *p = c->p;
    uint64_t total = sum(c, 0, c->n);
    for (unsigned k = 0; k < c->n; k++) {
        unsigned i = c->at[k];
        uint64_t mine = 0, max = 0;
        for (unsigned j = 0; j < c->n; j++) {
            if (p->members[c->at[j]].group != p->members[i].group)
                continue;
            uint64_t w = weight_of(p, c->at[j]);
            mine += w;
            max = w > max ? w : max;
        }
        odds[i] = ratio((wide)weight_of(p, i) * mine, (wide)total * max);
    }
}

static void odds_least(struct choice *c, const uint32_t *keys, uint64_t *odds)
{
    c->n = front_least(c, keys, 0);
    odds_share(c, odds);
}

static void odds_least_load(struct choice *c, uint64_t *odds)
{
    uint32_t keys[GSLB_MEMBERS_MAX];
    keys_load(c, keys);
    odds_least(c, keys, odds);
}

static void odds_fastest(struct choice *c, uint64_t *odds)
{
    uint32_t keys[GSLB_MEMBERS_MAX];
    keys_rtt(c, keys);
    odds_least(c, keys, odds);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    unsigned (*pick)(struct choice *);
    void (*odds)(struct choice *, uint64_t *odds);
    bool uses_client;
    bool many; /* its own number is all it has */
} policies[GSLB_POLICIES] = {
    [GSLB_FAILOVER] = {"failover", pick_failover, odds_given, false, false},
    [GSLB_ROUND_ROBIN] = {"round-robin", pick_round_robin, odds_round_robin, false, false},
    [GSLB_WEIGHTED_ROUND_ROBIN] = {"weighted-round-robin", pick_weighted_round_robin, odds_share,
                                   false, false},
    [GSLB_WEIGHTED] = {"weighted", pick_weighted, odds_share, false, false},
    [GSLB_WEIGHTED_EACH] = {"weighted-each", pick_weighted_each, odds_each, false, true},
    [GSLB_WEIGHTED_GROUPS] = {"weighted-groups", pick_weighted_groups, odds_groups, false, true},
    [GSLB_LEAST_LOAD] = {"least-load", pick_least_load, odds_least_load, false, false},
    [GSLB_FASTEST] = {"fastest", pick_fastest, odds_fastest, false, false},
    [GSLB_HASH] = {"hash", pick_hash, odds_given, true, false},
    [GSLB_CONSISTENT] = {"consistent", pick_consistent, odds_given, true, false},
    [GSLB_STICKY] = {"sticky", pick_sticky, odds_given, true, false},
    [GSLB_ALL] = {"all", pick_all, odds_all, false, true},
};

const char *gslb_policy_name(enum gslb_policy p)
{
    return policies[p].name;
}

int gslb_policy_parse(const char *text)
{
    for (int p = 0; p < GSLB_POLICIES; p++)
        if (!strcmp(text, policies[p].name))
            return p;
    return ERR_SYNTAX;
}

bool gslb_policy_uses_client(enum gslb_policy p)
{
    return policies[p].uses_client;
}

/* Thresholds compare products: a share of exactly the threshold is enough, without rounding. */
static enum gslb_verdict begin(struct choice *c, const struct gslb_pick *p, uint16_t *out)
{
    assert(p->count <= GSLB_MEMBERS_MAX);
    uint64_t all = 0, healthy = 0;
    *c = (struct choice){.p = p, .at = out, .seed = p->random};
    for (unsigned i = 0; i < p->count; i++) {
        all += p->members[i].weight;
        if (available(p, i)) {
            healthy += p->members[i].weight;
            out[c->n++] = (uint16_t)i;
        }
    }
    c->want = p->want ? p->want : policies[p->policy].many ? c->n : 1;
    if (c->want > c->n)
        c->want = c->n;
    return c->n > 0 && healthy * 1000 >= all * p->healthy_permille ? GSLB_USABLE : GSLB_UNUSABLE;
}

static void odds_given(struct choice *c, uint64_t *odds)
{
    unsigned n = policies[c->p->policy].pick(c);
    for (unsigned k = 0; k < n; k++)
        odds[c->at[k]] = one;
}

enum gslb_verdict gslb_pick(const struct gslb_pick *p, uint16_t *out, unsigned *n)
{
    struct choice c;
    enum gslb_verdict verdict = begin(&c, p, out);
    c.n = c.n ? policies[p->policy].pick(&c) : 0;
    if (p->shuffle)
        shuffle(&c);
    *n = c.n;
    return verdict;
}

void gslb_odds(const struct gslb_pick *p, uint64_t *odds)
{
    struct choice c;
    uint16_t at[GSLB_MEMBERS_MAX];
    memset(odds, 0, p->count * sizeof *odds);
    begin(&c, p, at);
    if (c.n)
        policies[p->policy].odds(&c, odds);
}
