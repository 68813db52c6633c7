#include "gslb/steer.h"
#include "steer_priv.h"
#include "table_priv.h"

#include "base/hash.h"

enum { LAST_HEALTHY_S = 3600 };

void steer_say(struct gslb_log *log, const struct gslb_event *e)
{
    if (log->count == GSLB_LOG_MAX)
        log->lost++;
    else
        log->events[log->count++] = *e;
}

/* ---- one pool ---- */

/* What the health table says of a pool's members, into w->views. */
struct weighing {
    uint64_t healthy, all;                   /* configured weight */
    unsigned available, candidates, enabled; /* candidates: enabled, of the family asked */
    bool unsettled;
    uint32_t until_s;
};

/* One of which there is something to say. */
static void weigh_member(struct steering *s, const struct gslb_pool *p,
                         const struct gslb_endpoint *e, uint64_t word,
                         struct gslb_member_state *state, struct weighing *g)
{
    struct gslb_view v = table_view(word);
    *state =
        (struct gslb_member_state){.up = (v.up || p->ignore_health) && steer_member_known(s, e),
                                   .permille = p->ignore_health ? 1000 : v.permille,
                                   .has_load = v.has_load,
                                   .load = v.load,
                                   .rtt_us = v.rtt_us,
                                   .over = v.over};
    if (p->ignore_health)
        return;
    g->unsettled |= v.unsettled;
    if (!v.forced)
        return;
    uint32_t until_s = table_until(s->w->table, e->slot);
    if (until_s < g->until_s)
        g->until_s = until_s;
}

static void weigh(struct steering *s, const struct gslb_pool *p, enum family f, struct weighing *g)
{
    *g = (struct weighing){.until_s = UINT32_MAX};
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        struct gslb_member_state *state = &s->w->views[i];
        g->enabled += e->enabled;
        if (!e->enabled || !steer_member_has(s, e, f)) {
            *state = (struct gslb_member_state){0};
            continue;
        }
        uint64_t word = table_word(s->w->table, e->slot);
        if (table_steady(word) && e->kind != GSLB_HOST) /* by far the most */
            *state = (struct gslb_member_state){.up = true, .permille = 1000};
        else
            weigh_member(s, p, e, word, state, g);
        g->candidates++;
        g->all += e->weight;
        if (state->up && state->permille && e->weight) {
            g->healthy += e->weight;
            g->available++;
        }
    }
}

/* The policy's own arithmetic: a share of exactly the threshold is enough. */
static enum gslb_why verdict(const struct gslb_pool *p, const struct weighing *g)
{
    if (!g->candidates && g->enabled)
        return GSLB_WHY_FAMILY;
    if (!g->available)
        return GSLB_WHY_DOWN;
    return g->healthy * 1000 >= g->all * p->healthy_permille ? GSLB_WHY_OK : GSLB_WHY_ENOUGH;
}

/* some: it has members that may be given at all. */
static void try_remember(struct steering *s, int pool, bool some)
{
    if (s->first == GSLB_NONE && some)
        s->first = pool;
    if (!s->last_read) {
        s->last_read = true;
        s->last_slot = gslb_table_last(s->w->table, s->name->slot, &s->last_s);
    }
    if (s->last_slot == s->plan->pools[pool].slot)
        s->last_healthy = pool;
}

/* Usable? Its members are in w->views then. */
static bool try_pool(struct steering *s, const struct gslb_name *n, int pool)
{
    const struct gslb_pool *p = &s->plan->pools[pool];
    struct weighing g;
    weigh(s, p, n->family_fail_over ? family_of(s->ask->qtype) : ANY_FAMILY, &g);
    enum gslb_why why = verdict(p, &g);
    SAY(s, .step = GSLB_STEP_POOL, .why = why, .index = pool, .number = (int64_t)g.healthy * 1000,
        .other = (int64_t)g.all * 1000, .depth = g.available);
    s->unsettled |= g.unsettled;
    if (g.until_s < s->until_s)
        s->until_s = g.until_s;
    if (why == GSLB_WHY_OK)
        return true;
    s->family_only |= why == GSLB_WHY_FAMILY;
    try_remember(s, pool, g.all > 0);
    return false;
}

static bool list_has(const struct geo_list *l, int site)
{
    for (unsigned k = 0; k < l->count; k++)
        if (l->sites[k] == site)
            return true;
    return false;
}

/* A pool and what it falls back on; inside a fence (else NULL) only at the fence's sites. */
static int try_chain(struct steering *s, const struct gslb_name *n, int pool,
                     const struct geo_list *fence)
{
    for (unsigned steps = 0; steps <= s->plan->pool_count; steps++) {
        if (try_pool(s, n, pool))
            return pool;
        int next = s->plan->pools[pool].fallback;
        if (next == GSLB_NONE)
            break;
        bool inside = !fence || list_has(fence, s->plan->pools[next].site);
        SAY(s, .step = GSLB_STEP_FALLBACK, .why = inside ? GSLB_WHY_OK : GSLB_WHY_FENCE,
            .index = next);
        if (!inside)
            break;
        pool = next;
    }
    return GSLB_NONE;
}

/* ---- one name ---- */

/* What a list of sites came to: a pool, or one of these. */
enum { TRY_ON = GSLB_NONE, TRY_STOP = -2 };

static int pool_at(const struct steering *s, const struct gslb_name *n, unsigned site)
{
    return site < s->plan->site_count ? n->site_pool[site] : GSLB_NONE;
}

static uint64_t key_of(uint64_t network, uint64_t name)
{
    return hash_mix(hash_mix(network) + name);
}

/* The place in the list of the first site with a pool, when a second one has one: who leaves out
 * the first starts there; else none. */
static int skipped_site(const struct steering *s, const struct gslb_name *n,
                        const struct geo_list *l)
{
    int first = GSLB_NONE;
    for (unsigned k = 0; n->skip_first && k < l->count; k++) {
        if (pool_at(s, n, l->sites[k]) == GSLB_NONE)
            continue;
        if (first != GSLB_NONE)
            return first;
        first = (int)k;
    }
    return GSLB_NONE;
}

/* The place in the list of the site drawn among the weighted ones that are usable, or none: then
 * they are tried as they stand. What is not usable would change the draw when it comes back. */
static int draw_site(struct steering *s, const struct gslb_name *n, const struct geo_list *l,
                     int skipped)
{
    uint64_t ids[GEO_SITES_MAX];
    bool usable[GEO_SITES_MAX];
    unsigned with_pool = 0, count = l->weighted < GEO_SITES_MAX ? l->weighted : GEO_SITES_MAX;
    enum family f = n->family_fail_over ? family_of(s->ask->qtype) : ANY_FAMILY;
    for (unsigned k = 0; k < count; k++)
        with_pool += (int)k != skipped && pool_at(s, n, l->sites[k]) != GSLB_NONE;
    if (with_pool < 2)
        return GSLB_NONE;
    for (unsigned k = 0; k < count; k++) {
        int pool = pool_at(s, n, l->sites[k]);
        struct weighing g;
        usable[k] = false;
        ids[k] = l->sites[k] < s->plan->site_count ? s->plan->sites[l->sites[k]].id : 0;
        if (pool == GSLB_NONE || (int)k == skipped)
            continue;
        weigh(s, &s->plan->pools[pool], f, &g);
        enum gslb_why why = verdict(&s->plan->pools[pool], &g);
        usable[k] = why == GSLB_WHY_OK;
        if (!usable[k])
            SAY(s, .step = GSLB_STEP_SKIPPED, .index = l->sites[k], .why = why);
        s->unsettled |= !usable[k] && g.unsettled;
        if (!usable[k] && g.until_s < s->until_s)
            s->until_s = g.until_s;
    }
    const struct gslb_map *m = &s->plan->maps[n->map];
    unsigned depth;
    uint64_t network = client_network(&s->client, m->network4, m->network6, &depth);
    steer_looked(s, depth);
    unsigned drawn =
        gslb_rendezvous(ids, l->weights, usable, count, key_of(network, s->name->hash));
    if (drawn == count)
        return GSLB_NONE;
    SAY(s, .step = GSLB_STEP_DRAWN, .index = l->sites[drawn], .depth = depth);
    return (int)drawn;
}

static int try_sites(struct steering *s, const struct gslb_name *n, const struct geo_list *l)
{
    int skipped = skipped_site(s, n, l);
    int drawn = l->weighted ? draw_site(s, n, l, skipped) : GSLB_NONE;
    /* The drawn one first, then all in order without it. */
    for (unsigned k = drawn == GSLB_NONE; k <= l->count; k++) {
        if (k && (int)k - 1 == drawn)
            continue;
        int at = k ? (int)k - 1 : drawn, pool = pool_at(s, n, l->sites[at]);
        if (pool == GSLB_NONE || at == skipped) {
            SAY(s, .step = GSLB_STEP_SKIPPED, .index = l->sites[at],
                .why = pool == GSLB_NONE ? GSLB_WHY_NO_POOL : GSLB_WHY_SKIP_FIRST);
            continue;
        }
        int found = try_chain(s, n, pool, l->fence ? l : NULL);
        if (found != GSLB_NONE)
            return found;
    }
    return TRY_ON;
}

static void client_choose(struct steering *s, bool ignore_subnet)
{
    s->client = client_of(s->ask->client, ignore_subnet);
    SAY(s, .step = GSLB_STEP_CLIENT, .index = GSLB_NONE, .number = s->client.from_subnet,
        .a = addr_of_bytes(s->client.address.ip, 16, 0));
}

const struct geo_list *steer_map_list(struct steering *s, int map)
{
    const struct gslb_map *m = &s->plan->maps[map];
    unsigned depth;
    const struct geo_list *l = geo_map_find(m->geo, &s->client.address, &depth);
    steer_looked(s, depth);
    if (s->client.from_subnet) {
        unsigned widest = s->ask->client->subnet.family == 1 ? m->widest4 : m->widest6;
        s->widest = widest > s->widest ? widest : s->widest;
    }
    SAY(s, .step = GSLB_STEP_MAP, .index = map, .number = geo_map_rule(m->geo, &s->client.address),
        .depth = depth);
    SAY(s, .step = GSLB_STEP_SITES, .index = map, .list = l);
    return l;
}

/* A client whose list is empty. The asked name's word counts; another name's only as to what of it
 * such a client may get. */
static int try_outside(struct steering *s, const struct gslb_name *n)
{
    switch (n->outside) {
    case GSLB_OUTSIDE_POOL:
        if (n->outside_pool != GSLB_NONE) {
            int found = try_chain(s, n, n->outside_pool, NULL);
            return found == GSLB_NONE ? TRY_STOP : found;
        }
        break;
    case GSLB_OUTSIDE_FALLBACK:
        return TRY_ON;
    case GSLB_OUTSIDE_REFUSE:
        s->out->outcome = n == s->name ? GSLB_REFUSED : s->out->outcome;
        break;
    case GSLB_OUTSIDE_NODATA:
        s->out->outcome = n == s->name ? GSLB_NODATA : s->out->outcome;
        break;
    }
    return TRY_STOP;
}

static int try_map(struct steering *s, const struct gslb_name *n)
{
    client_choose(s, s->plan->maps[n->map].ignore_subnet);
    const struct geo_list *l = steer_map_list(s, n->map);
    if (!l->count)
        return try_outside(s, n);
    int found = try_sites(s, n, l);
    if (found != TRY_ON || !l->fence)
        return found;
    if (n->fallback_pool != GSLB_NONE || n->fallback_name != GSLB_NONE)
        SAY(s, .step = GSLB_STEP_FALLBACK, .why = GSLB_WHY_FENCE, .index = GSLB_NONE);
    return TRY_STOP;
}

static int try_pools(struct steering *s, const struct gslb_name *n)
{
    client_choose(s, false);
    for (unsigned k = 0; k < n->pool_count; k++) {
        int found = try_chain(s, n, (int)n->pools[k], NULL);
        if (found != GSLB_NONE)
            return found;
    }
    return TRY_ON;
}

/* The pool that answers, or GSLB_NONE. */
static int find_pool(struct steering *s)
{
    const struct gslb_name *n = s->name;
    for (unsigned steps = 0; steps < s->plan->name_count; steps++) {
        int found = n->map != GSLB_NONE ? try_map(s, n) : try_pools(s, n);
        if (found == TRY_ON && n->fallback_pool != GSLB_NONE) {
            SAY(s, .step = GSLB_STEP_FALLBACK, .index = n->fallback_pool);
            found = try_chain(s, n, n->fallback_pool, NULL);
        }
        if (found != TRY_ON)
            return found == TRY_STOP ? GSLB_NONE : found;
        if (n->fallback_name == GSLB_NONE)
            break;
        SAY(s, .step = GSLB_STEP_FALLBACK, .index = n->fallback_name, .number = 1);
        n = &s->plan->names[n->fallback_name];
    }
    return GSLB_NONE;
}

/* ---- nothing is usable ---- */

static bool views_then(struct steering *s, const struct gslb_pool *p, bool as_last_healthy)
{
    bool some = false;
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        bool up = e->enabled && steer_member_known(s, e) && e->weight;
        if (up && as_last_healthy)
            up = gslb_table_get(s->w->table, e->slot).was_up;
        s->w->views[i] = (struct gslb_member_state){.up = up, .permille = up ? 1000 : 0};
        some |= up;
    }
    return some;
}

static void all_down_give(struct steering *s, bool last_healthy)
{
    const struct gslb_plan *plan = s->plan;
    int pool = s->last_healthy;
    if (last_healthy && pool != GSLB_NONE && s->ask->mono_s - s->last_s <= LAST_HEALTHY_S &&
        views_then(s, &plan->pools[pool], true)) {
        SAY(s, .step = GSLB_STEP_ALL_DOWN, .index = pool, .number = GSLB_DOWN_LAST_HEALTHY);
        give_pool(s, pool, true);
        return;
    }
    pool = s->first;
    SAY(s, .step = GSLB_STEP_ALL_DOWN, .index = pool, .number = GSLB_DOWN_ALL);
    if (pool == GSLB_NONE) {
        s->out->outcome = GSLB_NODATA;
    } else if (views_then(s, &plan->pools[pool], false)) {
        give_pool(s, pool, true);
    } else {
        s->out->outcome = GSLB_FAILED; /* names of which no address is known */
    }
}

static void all_down(struct steering *s)
{
    enum gslb_all_down what = s->name->all_down;
    s->out->all_down = true;
    if (what == GSLB_DOWN_LAST_HEALTHY || what == GSLB_DOWN_ALL) {
        all_down_give(s, what == GSLB_DOWN_LAST_HEALTHY);
        return;
    }
    SAY(s, .step = GSLB_STEP_ALL_DOWN, .index = GSLB_NONE, .number = what);
    s->out->outcome = what == GSLB_DOWN_FALLBACK ? GSLB_STATIC
                      : what == GSLB_DOWN_REFUSE ? GSLB_REFUSED
                                                 : GSLB_NODATA;
}

/* ---- the answer ---- */

static void set_ttl(struct steering *s)
{
    const struct gslb_name *n = s->name;
    bool shorter = s->unsettled || s->out->all_down;
    enum gslb_why why = shorter ? GSLB_WHY_UNSETTLED : GSLB_WHY_NORMAL;
    uint32_t ttl = shorter ? n->ttl_degraded : n->ttl;
    if (n->alias && !ttl)
        ttl = s->fetched_ttl; /* its target's own */
    uint32_t before = ttl;
    if (n->ttl_max && ttl > n->ttl_max)
        ttl = n->ttl_max;
    if (n->ttl_min && ttl < n->ttl_min)
        ttl = n->ttl_min;
    if (ttl != before)
        why = GSLB_WHY_CLAMPED;
    /* Of the present second nobody knows how much is left. */
    if (s->until_s != UINT32_MAX && s->until_s < s->ask->mono_s + 1 + ttl) {
        int64_t left = s->until_s - s->ask->mono_s - 1;
        ttl = left > 0 ? (uint32_t)left : 0;
        why = GSLB_WHY_FORCED;
    }
    if (s->fetched_ttl < ttl) {
        ttl = s->fetched_ttl;
        why = GSLB_WHY_TARGET;
    }
    SAY(s, .step = GSLB_STEP_TTL, .index = GSLB_NONE, .number = ttl, .why = why);
    s->out->ttl = s->out->set.ttl = ttl;
}

static void set_scope(struct steering *s)
{
    unsigned most = s->ask->client->subnet.family == 1 ? 32 : 128;
    unsigned scope = s->scope && s->scope < s->widest ? s->widest : s->scope;
    s->out->scope = (uint8_t)(scope < most ? scope : most);
}

static void count(const struct steering *s)
{
    struct gslb_tally *y = s->w->tally;
    if (!y || s->ask->dry)
        return;
    const struct gslb_pool *p = &s->plan->pools[s->out->pool == GSLB_NONE ? 0 : s->out->pool];
    for (unsigned k = 0; k < s->out->count; k++)
        gslb_tally_note(y, p->endpoints[s->out->members[k]].slot, (uint32_t)s->ask->mono_s,
                        s->out->ttl);
    if (!s->client.address.family)
        return;
    const struct addr a = addr_of_bytes(s->client.address.ip, 16, 0);
    gslb_tally_saw(y, a.ip, a.family, s->client.from_subnet);
}

static bool yields(const struct gslb_name *n, uint16_t type)
{
    for (unsigned k = 0; k < n->type_count; k++)
        if (n->types[k] == type || n->types[k] == DNS_TYPE_CNAME)
            return true;
    return type == DNS_TYPE_ANY;
}

/* The addresses of the name that this one stands for, as they were fetched for the client. */
static void follow_alias(struct steering *s)
{
    const struct edns_subnet *subnet = &s->ask->client->subnet;
    struct gslb_target_found found;
    client_choose(s, false);
    s->out->outcome = GSLB_FAILED;
    if (!steer_target(s, s->name->alias_target, s->client.from_subnet ? subnet : NULL, &found))
        return;
    bool six =
        s->ask->qtype == DNS_TYPE_AAAA || (s->ask->qtype == DNS_TYPE_ANY && !found.count[IPV4]);
    s->fetched_ttl = found.ttl;
    steer_looked(s, found.scope);
    s->out->outcome = found.count[six] ? GSLB_SET : GSLB_NODATA;
    if (found.count[six])
        s->out->set = (struct dns_rrset){.rdata = found.rdata[six],
                                         .size = found.size[six],
                                         .type = six ? DNS_TYPE_AAAA : DNS_TYPE_A,
                                         .cls = DNS_CLASS_IN,
                                         .count = found.count[six]};
}

static void decide(struct steering *s)
{
    s->out->outcome = GSLB_FAILED;
    int pool = find_pool(s);
    if (pool != GSLB_NONE)
        give_pool(s, pool, false);
    else if (s->out->outcome != GSLB_FAILED)
        return; /* outside */
    else if (s->family_only)
        s->out->outcome = GSLB_NODATA; /* a pool is there, without this family: nothing is down */
    else
        all_down(s);
    if (s->out->outcome != GSLB_NODATA)
        return;
    /* A branch without a CNAME, and no branch yields this type. */
    bool steered = s->ask->qtype == DNS_TYPE_ANY;
    for (unsigned k = 0; k < s->name->type_count; k++)
        steered |= s->name->types[k] == s->ask->qtype;
    if (!steered)
        s->out->outcome = GSLB_STATIC;
}

void gslb_steer(const struct gslb_ask *ask, struct gslb_worker *w, struct gslb_answer *out)
{
    const struct gslb_name *n = &ask->plan->names[ask->name];
    *out = (struct gslb_answer){.outcome = GSLB_STATIC, .pool = GSLB_NONE, .site = GSLB_NONE};
    if (ask->log)
        ask->log->count = ask->log->lost = ask->log->has_odds = 0;
    if (!yields(n, ask->qtype))
        return;
    struct steering s = {.ask = ask,
                         .w = w,
                         .plan = ask->plan,
                         .name = n,
                         .out = out,
                         .until_s = UINT32_MAX,
                         .fetched_ttl = UINT32_MAX,
                         .first = GSLB_NONE,
                         .last_healthy = GSLB_NONE,
                         .last_slot = GSLB_NO_SLOT};
    if (n->alias)
        follow_alias(&s);
    else
        decide(&s);
    set_ttl(&s);
    set_scope(&s);
    count(&s);
    SAY(&s, .step = GSLB_STEP_ANSWER, .index = out->pool, .number = out->outcome,
        .depth = out->scope);
}
