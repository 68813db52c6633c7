/* What a pool gives: some of its members, as its policy picks, and their records. */
#include "records_priv.h"
#include "steer_priv.h"

#include "dns/name.h"

#include "base/cursor.h"
#include "base/hash.h"

#include <string.h>

/* Room for a policy's state of the largest pool. */
enum { DRY_STATE = 8 * (GSLB_MEMBERS_MAX + 1) };

/* ---- members ---- */

static bool policy_draws(const struct gslb_pool *p)
{
    switch (p->policy) {
    case GSLB_FAILOVER:
    case GSLB_ROUND_ROBIN:
    case GSLB_WEIGHTED_ROUND_ROBIN:
    case GSLB_HASH:
    case GSLB_CONSISTENT:
    case GSLB_STICKY:
    case GSLB_ALL:
        return p->shuffle;
    default:
        return true;
    }
}

static struct gslb_policy_state *state_of(const struct steering *s, const struct gslb_pool *p,
                                          enum family f)
{
    if (!s->plan->states || s->w->index >= s->plan->workers ||
        (p->policy != GSLB_ROUND_ROBIN && p->policy != GSLB_WEIGHTED_ROUND_ROBIN))
        return NULL;
    size_t at = s->plan->state_bytes * s->w->index + p->state_at +
                (f == IPV6 ? 0 : gslb_policy_state_size(p->endpoint_count));
    return (struct gslb_policy_state *)(void *)(s->plan->states + at);
}

/* Nobody gains by guessing who is drawn, so one random number does for many answers: each gets the
 * mixture of another place in the sequence that begins there. */
static uint64_t draw_random(struct gslb_worker *w)
{
    enum { DRAWS = 256 };
    if (!w->rng)
        return w->random;
    if (w->draws++ % DRAWS == 0)
        w->random = rng_u64(w->rng);
    w->random += 0xd1342543de82ef95;
    return hash_mix(w->random);
}

/* In the order of the map over the members; those that its limit cut off come last. */
static unsigned pick_near(struct steering *s, const struct gslb_pool *p, unsigned want)
{
    const struct gslb_map *m = &s->plan->maps[p->near];
    struct client kept = s->client;
    if (m->ignore_subnet)
        s->client = client_of(s->ask->client, true);
    const struct geo_list *l = steer_map_list(s, p->near);
    s->client = kept;
    unsigned n = 0;
    for (unsigned k = 0; k < l->count + p->endpoint_count && n < want; k++) {
        unsigned i = k < l->count ? l->sites[k] : k - l->count;
        if (i >= p->endpoint_count || !s->w->views[i].up || !s->w->views[i].permille ||
            !p->members[i].weight)
            continue;
        s->w->views[i].up = false;
        s->w->picks[n++] = (uint16_t)i;
    }
    /* Now exactly those are up. */
    for (unsigned i = 0; i < p->endpoint_count; i++)
        s->w->views[i].up = false;
    for (unsigned k = 0; k < n; k++)
        s->w->views[s->w->picks[k]].up = true;
    return n;
}

/* Does it give whoever is available, in order? One member is every policy's choice, and turns of
 * one need no counting. */
static bool gives_available(const struct gslb_pool *p)
{
    bool everybody = p->policy == GSLB_ALL && !p->answers && !p->shuffle;
    return (p->endpoint_count == 1 || everybody) && p->near == GSLB_NONE;
}

static unsigned pick_available(struct steering *s, const struct gslb_pool *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_member_state *state = &s->w->views[i];
        s->w->picks[n] = (uint16_t)i;
        n += state->up && state->permille && p->members[i].weight;
    }
    return n;
}

/* The choice among the members that are up in w->views. The log gets its odds. */
static unsigned pick(struct steering *s, int pool, enum family f, bool all)
{
    const struct gslb_pool *p = &s->plan->pools[pool];
    if (gives_available(p) && !s->ask->log)
        return pick_available(s, p);
    _Alignas(uint64_t) uint8_t copy[DRY_STATE];
    struct gslb_pick q = {.policy = all ? GSLB_ALL : p->policy,
                          .members = p->members,
                          .states = s->w->views,
                          .count = p->endpoint_count,
                          .want = p->answers,
                          .shuffle = p->shuffle,
                          .name = s->name->hash,
                          .now_s = s->ask->wall_s,
                          .epoch_s = p->epoch_s,
                          .band_us = p->band_us};
    unsigned n = 0, depth = 0;
    if (policy_draws(p))
        q.random = draw_random(s->w);
    bool near = p->near != GSLB_NONE && !all;
    if (near) {
        n = pick_near(s, p, p->answers ? p->answers : 1);
        q.policy = GSLB_ALL;
    } else if (gslb_policy_uses_client(q.policy) && p->endpoint_count > 1) {
        q.client = client_network(&s->client, p->network4, p->network6, &depth);
        steer_looked(s, depth);
    }
    if (!all && (q.state = state_of(s, p, f)) && s->ask->dry) {
        size_t size = gslb_policy_state_size(p->endpoint_count);
        q.state = size <= sizeof copy ? memcpy(copy, q.state, size) : NULL;
    }
    if (s->ask->log) {
        struct gslb_pick asked = q;
        if (s->ask->log->everybody && gslb_policy_uses_client(q.policy))
            asked.policy = GSLB_WEIGHTED;
        gslb_odds(&asked, s->ask->log->odds);
        s->ask->log->has_odds = true;
    }
    if (!near || p->shuffle)
        (void)gslb_pick(&q, s->w->picks, &n);
    SAY(s, .step = GSLB_STEP_PICK, .index = pool, .number = n, .depth = depth);
    return n;
}

/* ---- records ---- */

static void put_set(struct steering *s, uint16_t type, unsigned count, size_t size)
{
    s->out->outcome = GSLB_SET;
    s->out->set = (struct dns_rrset){.rdata = s->w->rdata,
                                     .size = (uint32_t)size,
                                     .type = type,
                                     .cls = DNS_CLASS_IN,
                                     .count = (uint16_t)count};
}

/* The addresses of a member that is a name; false: there is none of this family (any more). */
static bool put_host(struct steering *s, struct records *r, const struct gslb_endpoint *e,
                     enum family f)
{
    struct gslb_target_found found;
    if (!steer_target(s, e->target, NULL, &found) || !found.count[f])
        return false;
    records_put_found(r, &found, GSLB_HOST_ADDRESSES);
    s->fetched_ttl = found.ttl < s->fetched_ttl ? found.ttl : s->fetched_ttl;
    return true;
}

static void put_cname(struct steering *s, const uint8_t *target)
{
    size_t len = dns_name_len(target);
    put_u16(s->w->rdata, (uint16_t)len);
    memcpy(s->w->rdata + 2, target, len);
    s->out->count = 1;
    put_set(s, DNS_TYPE_CNAME, 1, len + 2);
}

/* The members picked, as one set; a CNAME that comes first stands alone, later ones are left out.
 */
static void put_members(struct steering *s, const struct gslb_pool *p, unsigned n, enum family f)
{
    const struct gslb_endpoint *first = &p->endpoints[s->w->picks[0]];
    s->out->members = s->w->picks;
    if (first->kind == GSLB_CNAME) {
        put_cname(s, first->host);
        return;
    }
    size_t len = f == IPV4 ? 4 : 16;
    struct records r = {.start = s->w->rdata,
                        .at = s->w->rdata,
                        .end = s->w->rdata + sizeof s->w->rdata,
                        .len = len,
                        .unique = p->repeats};
    unsigned given = 0;
    for (unsigned k = 0; k < n; k++) {
        const struct gslb_endpoint *e = &p->endpoints[s->w->picks[k]];
        if (e->kind == GSLB_CNAME || (e->kind == GSLB_HOST && !put_host(s, &r, e, f)))
            continue;
        if (e->kind == GSLB_ADDRESSES)
            records_put(&r, e->address[f].ip + 16 - len);
        s->w->picks[given++] = s->w->picks[k];
    }
    s->out->count = given;
    if (r.count)
        put_set(s, f == IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA, r.count, (size_t)(r.at - r.start));
}

/* Leaves up only what can answer: the family (or CNAME). Whether anything is available then: if
 * not, no client's network is looked at, as none would get anything. */
static bool restrict_to(struct steering *s, const struct gslb_pool *p, enum family f)
{
    bool some = false;
    if (f != ANY_FAMILY && p->whole[f])
        return true; /* whoever is available can answer, and somebody is */
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        struct gslb_member_state *state = &s->w->views[i];
        state->up &=
            e->enabled && (f == ANY_FAMILY ? e->kind == GSLB_CNAME : steer_member_has(s, e, f));
        some |= state->up && state->permille && e->weight;
    }
    return some;
}

static bool give_members(struct steering *s, int pool, enum family f, bool all)
{
    const struct gslb_pool *p = &s->plan->pools[pool];
    if (!restrict_to(s, p, f))
        return false;
    unsigned n = pick(s, pool, f, all);
    if (n)
        put_members(s, p, n, f);
    return n > 0;
}

static bool give_records(struct steering *s, const struct gslb_pool *p, uint16_t qtype)
{
    for (unsigned k = 0; k < p->record_count; k++) {
        if (p->records[k].type != qtype && qtype != DNS_TYPE_ANY)
            continue;
        s->out->outcome = GSLB_SET;
        s->out->set = p->records[k];
        s->out->set.owner = NULL;
        return true;
    }
    return false;
}

/* ANY: the first type that the pool yields (RFC 8482). Looking for one leaves fewer members up, so
 * which types there are is asked of the pool, not tried. */
static uint16_t type_for_any(const struct gslb_pool *p)
{
    return p->has[GSLB_HAS_A]       ? DNS_TYPE_A
           : p->has[GSLB_HAS_AAAA]  ? DNS_TYPE_AAAA
           : p->has[GSLB_HAS_CNAME] ? DNS_TYPE_CNAME
                                    : DNS_TYPE_ANY;
}

void give_pool(struct steering *s, int pool, bool all)
{
    const struct gslb_pool *p = &s->plan->pools[pool];
    uint16_t type = s->ask->qtype == DNS_TYPE_ANY ? type_for_any(p) : s->ask->qtype;
    enum family f = family_of(type);
    s->out->pool = pool;
    s->out->site = p->site;
    s->out->outcome = GSLB_NODATA;
    if (f == ANY_FAMILY && give_records(s, p, type))
        return;
    if (f != ANY_FAMILY || p->has[GSLB_HAS_CNAME])
        give_members(s, pool, f, all);
}
