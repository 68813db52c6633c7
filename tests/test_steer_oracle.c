/* Steering against a slow account of the same rules, over plans, health and clients made by chance:
 * who answers, with which members, TTL and scope. WAYPOST_ORACLE_PLANS: how many plans. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "accounts.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLANS = 1000, HEALTHS = 3, ASKS = 24, INSIDE = 6 };

/* ---- members ---- */

struct members {
    uint16_t at[64];
    unsigned count;
};

static bool answers_type(const struct gslb_endpoint *e, uint16_t qtype)
{
    if (e->kind == GSLB_ADDRESSES)
        return (qtype == DNS_TYPE_A || qtype == DNS_TYPE_AAAA) && account_is_of_family(e, qtype);
    return e->kind == GSLB_CNAME;
}

static bool has_member(const struct members *m, unsigned member)
{
    for (unsigned k = 0; k < m->count; k++)
        if (m->at[k] == member)
            return true;
    return false;
}

static struct members could_answer(const struct account *a, const struct gslb_pool *p)
{
    struct members m = {.count = 0};
    for (unsigned i = 0; i < p->endpoint_count; i++)
        if (account_is_available(a, p, i) && answers_type(&p->endpoints[i], a->qtype))
            m.at[m.count++] = (uint16_t)i;
    return m;
}

/* In the order of distance, others behind. */
static void order_near(struct account *a, const struct gslb_pool *p, struct members *m)
{
    uint16_t room[GEO_SITES_MAX];
    struct geo_list l;
    struct members out = {.count = 0};
    bool kept = a->subnet;
    struct addr address = a->subnet
                              ? account_address(a, a->w->made.plan->maps[p->near].ignore_subnet)
                              : a->client->source;
    a->mapped[p->near] = a->mapped[p->near] || a->subnet;
    a->subnet = kept;
    geo_map_evaluate(&a->w->maps[p->near].config, &address, &l, room);
    for (unsigned k = 0; k < l.count; k++)
        if (has_member(m, l.sites[k]))
            out.at[out.count++] = l.sites[k];
    for (unsigned k = 0; k < m->count; k++)
        if (!has_member(&out, m->at[k]))
            out.at[out.count++] = m->at[k];
    *m = out;
}

/* The answer of members that a set of candidates, in order, comes to: a CNAME alone, or no CNAME.
 */
static void leave_names_out(const struct gslb_pool *p, struct members *m)
{
    unsigned n = 0;
    if (m->count && p->endpoints[m->at[0]].kind == GSLB_CNAME) {
        m->count = 1;
        return;
    }
    for (unsigned k = 0; k < m->count; k++)
        if (p->endpoints[m->at[k]].kind == GSLB_ADDRESSES)
            m->at[n++] = m->at[k];
    m->count = n;
}

static bool is_mixed(const struct gslb_pool *p)
{
    for (unsigned i = 1; i < p->endpoint_count; i++)
        if (p->endpoints[i].kind != p->endpoints[0].kind)
            return true;
    return false;
}

static const char *members_wrong(const struct gslb_pool *p, const struct members *could,
                                 bool in_order, bool many, bool all, const struct gslb_answer *g)
{
    unsigned want = p->answers ? p->answers : many ? could->count : 1;
    struct members m = *could;
    for (unsigned k = 0; k < g->count; k++) {
        if (!has_member(could, g->members[k]))
            return "a member that may not be given";
        for (unsigned j = 0; j < k; j++)
            if (g->members[j] == g->members[k])
                return "a member twice";
    }
    want = want < m.count ? want : m.count;
    bool any_number = !all &&
                      (p->policy == GSLB_WEIGHTED_EACH || p->policy == GSLB_WEIGHTED_GROUPS) &&
                      p->near == GSLB_NONE;
    bool alias = g->count == 1 && p->endpoints[g->members[0]].kind == GSLB_CNAME;
    if (g->count > want || !g->count || (g->count < want && !any_number && !alias && !is_mixed(p)))
        return "another number of members";
    if (!in_order || (is_mixed(p) && p->shuffle))
        return NULL;
    m.count = want;
    if (!p->shuffle) {
        leave_names_out(p, &m);
        bool same = m.count == g->count && !memcmp(m.at, g->members, m.count * sizeof *m.at);
        return same ? NULL : "other members, or in another order";
    }
    for (unsigned k = 0; k < g->count; k++)
        if (!has_member(&m, g->members[k]))
            return "a member that was not next in order";
    return NULL;
}

/* The policy picks of what is up. */
static const char *usable_wrong(struct account *a, const struct gslb_pool *p,
                                const struct gslb_answer *g)
{
    struct members could = could_answer(a, p);
    bool near = p->near != GSLB_NONE;
    bool many = !near && (p->policy == GSLB_ALL || p->policy == GSLB_WEIGHTED_EACH ||
                          p->policy == GSLB_WEIGHTED_GROUPS);
    bool in_order = near || p->policy == GSLB_FAILOVER || (p->policy == GSLB_ALL && !p->shuffle);
    if (!could.count)
        return g->outcome == GSLB_NODATA ? NULL : "records, though no member has any";
    if (near)
        order_near(a, p, &could);
    if (g->outcome != GSLB_SET)
        return "no records";
    return members_wrong(p, &could, in_order, many, false, g);
}

/* All that were up then (or all), at most `answers`. */
static const char *dead_wrong(struct account *a, const struct gslb_pool *p, bool as_then,
                              const struct gslb_answer *g)
{
    struct members could = {.count = 0};
    unsigned any = 0;
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        bool in = e->enabled && e->weight && e->kind != GSLB_HOST &&
                  (!as_then || account_view(a, e).was_up);
        any += in;
        if (in && answers_type(e, a->qtype))
            could.at[could.count++] = (uint16_t)i;
    }
    if (!any)
        return g->outcome == GSLB_FAILED ? NULL : "not said that nothing is known";
    if (!could.count)
        return g->outcome == GSLB_NODATA ? NULL : "records, though no member has any";
    if (g->outcome != GSLB_SET)
        return "no records";
    return members_wrong(p, &could, !p->shuffle, true, true, g);
}

/* ---- types ---- */

static bool pool_has_record(const struct gslb_pool *p, uint16_t type)
{
    for (unsigned k = 0; k < p->record_count; k++)
        if (p->records[k].type == type)
            return true;
    return false;
}

/* Whether some branch yields the type. */
static bool chain_yields(const struct gslb_plan *p, int pool, uint16_t type)
{
    for (; pool != GSLB_NONE; pool = p->pools[pool].fallback) {
        const struct gslb_pool *of = &p->pools[pool];
        if (pool_has_record(of, type))
            return true;
        for (unsigned i = 0; i < of->endpoint_count; i++) {
            const struct gslb_endpoint *e = &of->endpoints[i];
            if (!e->enabled)
                continue;
            if (e->kind == GSLB_CNAME ? type == DNS_TYPE_CNAME
                                      : (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) &&
                                            account_is_of_family(e, type))
                return true;
        }
    }
    return false;
}

static bool name_yields(const struct gslb_plan *p, const struct gslb_name *n, uint16_t type)
{
    for (;; n = &p->names[n->fallback_name]) {
        bool yes = chain_yields(p, n->fallback_pool, type);
        if (n->map != GSLB_NONE && n->outside == GSLB_OUTSIDE_POOL)
            yes = yes || chain_yields(p, n->outside_pool, type);
        for (unsigned k = 0; k < n->pool_count && !yes; k++)
            yes = chain_yields(p, (int)n->pools[k], type);
        if (yes || n->fallback_name == GSLB_NONE)
            return yes;
    }
}

/* ---- one answer ---- */

static const char *pool_wrong(struct account *a, int pool, bool dead, bool as_then,
                              const struct gslb_answer *g)
{
    const struct gslb_pool *p = &a->w->made.plan->pools[pool];
    struct gslb_answer as = *g;
    if (g->pool != pool || g->site != p->site)
        return "another pool or site";
    if (as.outcome == GSLB_STATIC && !name_yields(a->w->made.plan, a->asked, a->qtype))
        as.outcome = GSLB_NODATA; /* what no branch yields is the zone's */
    if (a->qtype != DNS_TYPE_A && a->qtype != DNS_TYPE_AAAA && pool_has_record(p, a->qtype))
        return g->outcome == GSLB_SET && g->set.type == a->qtype && !g->count ? NULL
                                                                              : "not its records";
    if (g->outcome == GSLB_SET &&
        g->set.type != (p->endpoints[g->members[0]].kind == GSLB_CNAME ? DNS_TYPE_CNAME : a->qtype))
        return "another type";
    return dead ? dead_wrong(a, p, as_then, &as) : usable_wrong(a, p, &as);
}

static const char *all_down_wrong(struct account *a, const struct gslb_answer *g)
{
    static const int plain[] = {[GSLB_DOWN_FALLBACK] = GSLB_STATIC,
                                [GSLB_DOWN_NODATA] = GSLB_NODATA,
                                [GSLB_DOWN_REFUSE] = GSLB_REFUSED};
    const struct gslb_plan *p = a->w->made.plan;
    unsigned at = (unsigned)(a->asked - p->names);
    enum gslb_all_down what = a->asked->all_down;
    if (!g->all_down)
        return "not said that all is down";
    bool zones = !name_yields(p, a->asked, a->qtype) && g->outcome == GSLB_STATIC;
    if (what > GSLB_DOWN_ALL)
        return (int)g->outcome == plain[what] || (plain[what] == GSLB_NODATA && zones)
                   ? NULL
                   : "another end";
    for (unsigned i = 0; what == GSLB_DOWN_LAST_HEALTHY && i < p->pool_count; i++) {
        bool some = false;
        if (!a->tried[i] || p->pools[i].slot != a->w->last_pool[at] ||
            WORLD_NOW - (int64_t)a->w->last_s[at] > 3600)
            continue;
        for (unsigned k = 0; k < p->pools[i].endpoint_count; k++) {
            const struct gslb_endpoint *e = &p->pools[i].endpoints[k];
            some |= e->enabled && e->weight && e->kind != GSLB_HOST && account_view(a, e).was_up;
        }
        if (some)
            return pool_wrong(a, (int)i, true, true, g);
    }
    if (a->first != GSLB_NONE && g->pool == GSLB_NONE) /* no member of which an address is known */
        return dead_wrong(a, &p->pools[a->first], false, g);
    if (a->first != GSLB_NONE)
        return pool_wrong(a, a->first, true, false, g);
    return g->outcome == GSLB_NODATA || zones ? NULL : "records of no pool";
}

static const char *ttl_wrong(const struct account *a, bool unsettled, uint32_t until,
                             const struct gslb_answer *g)
{
    const struct gslb_name *n = a->asked;
    int64_t ttl = unsettled || g->all_down ? n->ttl_degraded : n->ttl;
    ttl = n->ttl_max && ttl > n->ttl_max ? n->ttl_max : ttl;
    ttl = n->ttl_min && ttl < n->ttl_min ? n->ttl_min : ttl;
    /* of the second that has begun nobody knows how much is left */
    if (until != UINT32_MAX && (int64_t)until - WORLD_NOW - 1 < ttl)
        ttl = until > WORLD_NOW + 1 ? until - WORLD_NOW - 1 : 0;
    return g->ttl == ttl ? NULL : "another TTL";
}

static const char *answer_wrong(struct account *a, const struct gslb_answer *g)
{
    const struct gslb_plan *p = a->w->made.plan;
    bool steered = name_yields(p, a->asked, a->qtype);
    if (!steered && !name_yields(p, a->asked, DNS_TYPE_CNAME))
        return g->outcome == GSLB_STATIC && !g->scope ? NULL : "steered, though of no branch";
    account_make(a);
    for (unsigned k = 0; k < a->option_count; k++)
        if (a->options[k].pool == g->pool && !g->all_down) {
            const char *why = pool_wrong(a, g->pool, false, false, g);
            return why ? why : ttl_wrong(a, a->options[k].unsettled, a->options[k].until, g);
        }
    if (a->option_count)
        return "a pool that may not answer";
    const char *why;
    if (a->final >= 0 || a->lacked_family) {
        int end = a->final >= 0 ? a->final : steered ? GSLB_NODATA : GSLB_STATIC;
        why = (int)g->outcome == end && !g->all_down ? NULL : "another end";
    } else {
        why = all_down_wrong(a, g);
    }
    return why ? why : ttl_wrong(a, a->unsettled, a->until, g);
}

/* ---- its scope ---- */

static bool lists_differ(struct account *a, const struct addr *x, const struct addr *y)
{
    for (unsigned m = 0; m < a->w->made.plan->map_count; m++) {
        uint16_t room[2][GEO_SITES_MAX];
        struct geo_list l[2];
        if (!a->mapped[m])
            continue;
        geo_map_evaluate(&a->w->maps[m].config, x, &l[0], room[0]);
        geo_map_evaluate(&a->w->maps[m].config, y, &l[1], room[1]);
        if (l[0].count != l[1].count || l[0].weighted != l[1].weighted ||
            l[0].fence != l[1].fence ||
            memcmp(l[0].sites, l[1].sites, l[0].count * sizeof *l[0].sites) != 0 ||
            (l[0].weighted &&
             memcmp(l[0].weights, l[1].weights, l[0].weighted * sizeof *l[0].weights) != 0))
            return true;
    }
    return false;
}

static bool shares(const struct addr *a, const struct addr *net, unsigned bits)
{
    for (unsigned bit = 0; bit < bits; bit++)
        if ((a->ip[bit / 8] ^ net->ip[bit / 8]) & 0x80 >> bit % 8)
            return false;
    return a->family == net->family;
}

static bool carried_differs(struct account *a, const struct addr *client, const struct addr *net,
                            unsigned bits, const struct addr *four)
{
    static const uint8_t heads[][12] = {
        {0},          {[10] = 0xff, 0xff}, {[8] = 0xff, 0xff}, {0x00, 0x64, 0xff, 0x9b},
        {0x20, 0x01}, {0x20, 0x02}};
    for (unsigned form = 0; form < 6; form++) {
        struct addr x = {.family = 6};
        memcpy(x.ip, heads[form], 12);
        memcpy(form == 5 ? x.ip + 2 : x.ip + 12, four->ip + 12, 4);
        for (unsigned k = 12; form == 4 && k < 16; k++)
            x.ip[k] ^= 0xff;
        if (shares(&x, net, bits) && lists_differ(a, client, &x))
            return true;
    }
    return false;
}

/* The network beside the scope's holds somebody who gets another list. */
static bool is_minimal(struct account *a, unsigned scope)
{
    const struct edns_subnet *e = &a->client->subnet;
    struct addr client = {.family = 6}, net;
    unsigned shift = 0, bits = scope;
    if (e->family == 1) {
        client = addr_of_bytes(e->ip, 4, 0);
        bits += 96;
    } else {
        memcpy(client.ip, e->ip, 16);
        struct addr known = prefixes_canonical(&client, &shift);
        if (shift && scope > shift) { /* else it is about what lies around IPv4's */
            client = known;
            bits = 96 + scope - shift;
        }
    }
    net = client;
    net.ip[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
    for (unsigned bit = bits; bit < 128; bit++)
        net.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    if (lists_differ(a, &client, &net))
        return true;
    for (unsigned i = 0; i < a->w->point_count; i++) {
        const struct addr *p = &a->w->points[i];
        if (p->family == net.family
                ? shares(p, &net, bits) && lists_differ(a, &client, p)
                : net.family == 6 && p->family == 4 && carried_differs(a, &client, &net, bits, p))
            return true;
    }
    struct addr zero = addr_of_bytes((const uint8_t *)"\0\0\0", 4, 0);
    return net.family == 6 && carried_differs(a, &client, &net, bits, &zero);
}

/* Nothing but their lists may have set the maps' part of the scope. */
static bool maps_are_plain(const struct account *a)
{
    const struct gslb_plan *p = a->w->made.plan;
    for (unsigned m = 0; m < p->map_count; m++)
        if (a->mapped[m] && (p->maps[m].widest4 || p->maps[m].widest6 ||
                             a->w->maps[m].config.narrowest4 || a->w->maps[m].config.narrowest6))
            return false;
    return true;
}

/* How many bits of the client's network were hashed: for IPv4 subnets; 128 for others, if any. */
static unsigned hashed(const struct account *a, const struct gslb_answer *g)
{
    const struct gslb_pool *p = g->pool >= 0 ? &a->w->made.plan->pools[g->pool] : NULL;
    bool policy = p && g->count && !g->all_down && a->subnet && p->near == GSLB_NONE &&
                  p->endpoint_count > 1 && gslb_policy_uses_client(p->policy);
    if (a->client->subnet.family == 2 && (policy || a->drawn))
        return 128;
    unsigned drawn = a->drawn ? 24 : 0, network = policy ? p->network4 : 0;
    return drawn > network ? drawn : network;
}

/* Somebody for whom a cache may use an answer of this scope. */
static struct gslb_client neighbour(struct world *w, const struct gslb_client *c, unsigned scope)
{
    struct gslb_client out = *c;
    unsigned most = c->subnet.family == 1 ? 32 : 128;
    const struct addr *p = w->point_count ? &w->points[world_below(w, w->point_count)] : NULL;
    const uint8_t *ip =
        p && p->family == (most == 32 ? 4 : 6) ? p->ip + (most == 32 ? 12 : 0) : NULL;
    out.subnet.source = (uint8_t)most;
    for (unsigned bit = scope; bit < most; bit++) {
        uint8_t at = (uint8_t)(0x80 >> bit % 8);
        bool one = ip && !world_once(w, 20) ? ip[bit / 8] & at : world_once(w, 2);
        out.subnet.ip[bit / 8] = (uint8_t)((out.subnet.ip[bit / 8] & ~at) | (one ? at : 0));
    }
    return out;
}

struct kept {
    struct gslb_answer answer;
    uint16_t members[GSLB_MEMBERS_MAX];
    uint8_t rdata[4096];
};

static struct gslb_answer ask_so(struct world *w, unsigned name, uint16_t qtype,
                                 const struct gslb_client *c, struct gslb_log *log, bool dry)
{
    struct gslb_answer out;
    const struct gslb_ask ask = {.plan = w->made.plan,
                                 .name = name,
                                 .qtype = qtype,
                                 .client = c,
                                 .mono_s = WORLD_NOW,
                                 .wall_s = WORLD_NOW,
                                 .dry = dry,
                                 .log = log};
    gslb_steer(&ask, &w->made.worker, &out);
    return out;
}

static struct gslb_answer ask(struct world *w, unsigned name, uint16_t qtype,
                              const struct gslb_client *c, struct gslb_log *log)
{
    return ask_so(w, name, qtype, c, log, true);
}

static void keep(struct kept *k, const struct gslb_answer *g)
{
    k->answer = *g;
    if (g->count)
        memcpy(k->members, g->members, g->count * sizeof *g->members);
    k->answer.members = k->members;
    if (g->outcome == GSLB_SET) {
        assert_true(g->set.size <= sizeof k->rdata);
        memcpy(k->rdata, g->set.rdata, g->set.size);
        k->answer.set.rdata = k->rdata;
    }
}

static bool is_same(const struct gslb_answer *a, const struct gslb_answer *b)
{
    return a->outcome == b->outcome && a->pool == b->pool && a->site == b->site &&
           a->ttl == b->ttl && a->count == b->count && a->all_down == b->all_down &&
           (!a->count || !memcmp(a->members, b->members, a->count * sizeof *a->members)) &&
           (a->outcome != GSLB_SET || (a->set.size == b->set.size && a->set.type == b->set.type &&
                                       !memcmp(a->set.rdata, b->set.rdata, a->set.size)));
}

static const char *scope_wrong(struct account *a, unsigned name, const struct kept *k)
{
    const struct gslb_client *c = a->client;
    const struct gslb_answer *g = &k->answer;
    unsigned most = c->subnet.family == 1 ? 32 : 128, scope = g->scope;
    if (!c->subnet.family || !c->subnet.source)
        return scope ? "a scope without a subnet" : NULL;
    if (scope > most)
        return "a scope longer than an address";
    for (unsigned i = 0; i < INSIDE; i++) {
        struct gslb_client other = neighbour(a->w, c, scope);
        struct gslb_answer b = ask(a->w, name, a->qtype, &other, NULL);
        if (!is_same(g, &b))
            return "another answer inside the scope";
    }
    if (c->subnet.family == 1 && scope < hashed(a, g))
        return "a scope shorter than the network that was hashed";
    if (scope > hashed(a, g) && maps_are_plain(a) && !is_minimal(a, scope))
        return "the network beside the scope's gets the same";
    return NULL;
}

/* ---- the rounds ---- */

static bool family_matters(const struct gslb_plan *p, const struct gslb_name *n)
{
    for (;; n = &p->names[n->fallback_name]) {
        if (n->family_fail_over)
            return true;
        if (n->fallback_name == GSLB_NONE)
            return false;
    }
}

/* All types of one client stay at one site. */
static const char *site_wrong(struct world *w, unsigned name, const struct gslb_client *c,
                              const struct gslb_answer *g)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT, DNS_TYPE_HTTPS,
                                     DNS_TYPE_ANY};
    const struct gslb_plan *p = w->made.plan;
    if (family_matters(p, &p->names[name]) || g->outcome == GSLB_STATIC)
        return NULL;
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        struct gslb_answer b = ask(w, name, types[i], c, NULL);
        if (b.outcome != GSLB_STATIC && (b.pool != g->pool || b.site != g->site))
            return "another type at another site";
    }
    return NULL;
}

static void try_one(struct world *w, struct kept *k, struct gslb_log *log)
{
    static const uint16_t types[] = {DNS_TYPE_A,   DNS_TYPE_A,     DNS_TYPE_A,  DNS_TYPE_AAAA,
                                     DNS_TYPE_TXT, DNS_TYPE_HTTPS, DNS_TYPE_MX, DNS_TYPE_CNAME};
    struct gslb_client c = world_client(w);
    unsigned name = world_below(w, w->made.plan->name_count);
    struct account a = {.w = w,
                        .client = &c,
                        .qtype = types[world_below(w, sizeof types / sizeof *types)],
                        .asked = &w->made.plan->names[name]};
    w->made.worker.random = (uint64_t)world_below(w, 1U << 31) << 32 | world_below(w, 1U << 31);
    struct gslb_answer g = ask(w, name, a.qtype, &c, NULL);
    keep(k, &g);
    const char *why = answer_wrong(&a, &k->answer);
    why = why ? why : scope_wrong(&a, name, k);
    why = why ? why : site_wrong(w, name, &c, &k->answer);
    if (!why && world_once(w, 8)) {
        struct gslb_answer b = ask(w, name, a.qtype, &c, log);
        why = is_same(&k->answer, &b) ? NULL : "the log changes it";
    }
    if (!why && world_once(w, 2)) { /* turns move now, and not before */
        struct gslb_answer b = ask_so(w, name, a.qtype, &c, NULL, false);
        why = is_same(&k->answer, &b) ? NULL : "what was foretold did not come";
    }
    if (!why)
        return;
    char text[ADDR_TEXT_MAX];
    struct addr net = {.family = 6};
    memcpy(net.ip, c.subnet.ip, 16);
    if (c.subnet.family == 1)
        net = addr_of_bytes(c.subnet.ip, 4, 0);
    world_print(w);
    fail_msg("seed %llu: name %u, type %u, subnet %u: %s/%u: %s (outcome %d, pool %d, %u members, "
             "ttl %u, scope %u%s)",
             (unsigned long long)w->seed, name, a.qtype, c.subnet.family, addr_print(&net, text),
             c.subnet.source, why, (int)k->answer.outcome, k->answer.pool, k->answer.count,
             k->answer.ttl, k->answer.scope, k->answer.all_down ? ", all down" : "");
}

static void answers_are_right(void **state)
{
    enum { PER_DB = 50 };
    (void)state;
    const char *more = getenv("WAYPOST_ORACLE_PLANS"), *from = getenv("WAYPOST_ORACLE_SEED");
    unsigned long plans = more ? strtoul(more, NULL, 10) : PLANS;
    unsigned long first = from ? strtoul(from, NULL, 10) : 1;
    struct world *w = malloc(sizeof *w);
    struct kept *k = malloc(sizeof *k);
    struct gslb_log *log = malloc(sizeof *log);
    struct geo_db *db = NULL;
    assert_true(w && k && log);
    for (unsigned long seed = first; seed < first + plans; seed++) {
        if (!db || seed % PER_DB == 0) {
            geo_db_free(db);
            db = world_db(20 + seed / PER_DB % 40, seed / PER_DB + 1);
        }
        world_make(w, seed, db);
        for (unsigned h = 0; h < HEALTHS; h++) {
            world_health(w);
            for (unsigned i = 0; i < ASKS; i++)
                try_one(w, k, log);
        }
        world_free(w);
    }
    geo_db_free(db);
    free(log);
    free(k);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
