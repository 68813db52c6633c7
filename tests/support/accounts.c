#include "accounts.h"

#include "dns/type.h"

struct gslb_view account_view(const struct account *a, const struct gslb_endpoint *e)
{
    return gslb_table_get(a->w->made.table, e->slot);
}

bool account_is_of_family(const struct gslb_endpoint *e, uint16_t qtype)
{
    if (e->kind != GSLB_ADDRESSES)
        return true;
    return qtype == DNS_TYPE_A      ? e->address[0].family != 0
           : qtype == DNS_TYPE_AAAA ? e->address[1].family != 0
                                    : true;
}

bool account_is_available(const struct account *a, const struct gslb_pool *p, unsigned i)
{
    const struct gslb_endpoint *e = &p->endpoints[i];
    struct gslb_view v = account_view(a, e);
    return e->enabled && e->weight && e->kind != GSLB_HOST &&
           (p->ignore_health || (v.up && v.permille));
}

/* OK, FAMILY: nothing but the family is missing; DOWN for the rest. */
static enum gslb_why state_of_pool(const struct account *a, const struct gslb_name *n, int pool,
                                   bool *unsettled, uint32_t *until)
{
    const struct gslb_pool *p = &a->w->made.plan->pools[pool];
    uint64_t all = 0, healthy = 0;
    unsigned enabled = 0, fitting = 0;
    *unsettled = false;
    *until = UINT32_MAX;
    for (unsigned i = 0; i < p->endpoint_count; i++) {
        const struct gslb_endpoint *e = &p->endpoints[i];
        struct gslb_view v = account_view(a, e);
        enabled += e->enabled;
        if (!e->enabled || (n->family_fail_over && !account_is_of_family(e, a->qtype)))
            continue;
        fitting++;
        all += e->weight;
        healthy += account_is_available(a, p, i) ? e->weight : 0;
        if (!p->ignore_health) {
            *unsettled = *unsettled || v.unsettled;
            *until = v.forced && v.until_s < *until ? v.until_s : *until;
        }
    }
    if (enabled && !fitting)
        return GSLB_WHY_FAMILY;
    return healthy && healthy * 1000 >= all * p->healthy_permille ? GSLB_WHY_OK : GSLB_WHY_DOWN;
}

static void option_add(struct account *a, int pool, bool unsettled, uint32_t until)
{
    a->options[a->option_count++] =
        (struct option){pool, unsettled || a->unsettled, until < a->until ? until : a->until};
}

static bool is_in(const struct geo_list *l, int site)
{
    for (unsigned k = 0; k < l->count; k++)
        if (l->sites[k] == site)
            return true;
    return false;
}

/* Somebody there is enabled, whatever the health. */
static bool may_give(const struct account *a, const struct gslb_name *n, int pool)
{
    const struct gslb_pool *p = &a->w->made.plan->pools[pool];
    for (unsigned i = 0; i < p->endpoint_count; i++)
        if (p->endpoints[i].enabled && p->endpoints[i].weight &&
            (!n->family_fail_over || account_is_of_family(&p->endpoints[i], a->qtype)))
            return true;
    return false;
}

static bool chain(struct account *a, const struct gslb_name *n, int pool, const struct geo_list *in)
{
    while (pool != GSLB_NONE && (!in || is_in(in, a->w->made.plan->pools[pool].site))) {
        bool unsettled;
        uint32_t until;
        enum gslb_why why = state_of_pool(a, n, pool, &unsettled, &until);
        if (why == GSLB_WHY_OK) {
            option_add(a, pool, unsettled, until);
            return true;
        }
        a->first = a->first == GSLB_NONE && may_give(a, n, pool) ? pool : a->first;
        a->tried[pool] = true;
        a->lacked_family = a->lacked_family || why == GSLB_WHY_FAMILY;
        a->unsettled = a->unsettled || unsettled;
        a->until = until < a->until ? until : a->until;
        pool = a->w->made.plan->pools[pool].fallback;
        if (in && pool != GSLB_NONE && !is_in(in, a->w->made.plan->pools[pool].site))
            break;
    }
    return false;
}

static int pool_of_site(const struct account *a, const struct gslb_name *n, int site)
{
    for (unsigned k = 0; k < n->pool_count; k++)
        if (a->w->made.plan->pools[n->pools[k]].site == site)
            return (int)n->pools[k];
    return GSLB_NONE;
}

/* Any of the weighted sites that is usable may be drawn, when two or more have a pool. */
static bool draw(struct account *a, const struct gslb_name *n, const struct geo_list *l,
                 const int *pools)
{
    unsigned have = 0, usable = 0;
    for (unsigned k = 0; k < l->weighted && k < l->count; k++)
        have += pools[k] != GSLB_NONE;
    if (have < 2)
        return false;
    a->drawn = a->drawn || a->subnet;
    for (int pass = 0; pass < 2; pass++) /* what is out of the draw first: it shortens TTLs */
        for (unsigned k = 0; k < l->weighted && k < l->count; k++) {
            bool unsettled;
            uint32_t until;
            if (pools[k] == GSLB_NONE)
                continue;
            bool ok = state_of_pool(a, n, pools[k], &unsettled, &until) == GSLB_WHY_OK;
            if (!pass && !ok) {
                a->unsettled = a->unsettled || unsettled;
                a->until = until < a->until ? until : a->until;
            } else if (pass && ok && l->weights[k]) {
                option_add(a, pools[k], unsettled, until);
                usable++;
            }
        }
    return usable > 0;
}

struct addr account_address(struct account *a, bool ignore_subnet)
{
    const struct edns_subnet *e = &a->client->subnet;
    a->subnet = e->family && e->source && !ignore_subnet;
    if (!a->subnet)
        return a->client->source;
    return addr_of_bytes(e->ip, e->family == 1 ? 4 : 16, 0);
}

enum step { FOUND, GO_ON, STOP };
static enum step outsider(struct account *a, const struct gslb_name *n)
{
    switch (n->outside) {
    case GSLB_OUTSIDE_POOL:
        return chain(a, n, n->outside_pool, NULL) ? FOUND : STOP;
    case GSLB_OUTSIDE_FALLBACK:
        return GO_ON;
    case GSLB_OUTSIDE_REFUSE:
        a->final = n == a->asked ? GSLB_REFUSED : -1;
        return STOP;
    case GSLB_OUTSIDE_NODATA:
        break;
    }
    a->final = n == a->asked ? GSLB_NODATA : -1;
    return STOP;
}

static enum step by_map(struct account *a, const struct gslb_name *n)
{
    uint16_t room[GEO_SITES_MAX];
    int pools[GEO_SITES_MAX];
    struct geo_list l;
    unsigned have = 0;
    struct addr address = account_address(a, a->w->made.plan->maps[n->map].ignore_subnet);
    a->mapped[n->map] = a->mapped[n->map] || a->subnet;
    geo_map_evaluate(&a->w->maps[n->map].config, &address, &l, room);
    if (!l.count)
        return outsider(a, n);
    for (unsigned k = 0; k < l.count; k++)
        have += (pools[k] = pool_of_site(a, n, l.sites[k])) != GSLB_NONE;
    for (unsigned k = 0; n->skip_first && have > 1; k++)
        if (pools[k] != GSLB_NONE) {
            pools[k] = GSLB_NONE;
            break;
        }
    if (draw(a, n, &l, pools))
        return FOUND;
    for (unsigned k = 0; k < l.count; k++)
        if (pools[k] != GSLB_NONE && chain(a, n, pools[k], l.fence ? &l : NULL))
            return FOUND;
    return l.fence ? STOP : GO_ON;
}

static enum step by_order(struct account *a, const struct gslb_name *n)
{
    account_address(a, false);
    for (unsigned k = 0; k < n->pool_count; k++)
        if (chain(a, n, (int)n->pools[k], NULL))
            return FOUND;
    return GO_ON;
}

void account_make(struct account *a)
{
    const struct gslb_name *n = a->asked;
    a->first = GSLB_NONE;
    a->until = UINT32_MAX;
    a->final = -1;
    for (;;) {
        enum step step = n->map == GSLB_NONE ? by_order(a, n) : by_map(a, n);
        if (step != GO_ON || chain(a, n, n->fallback_pool, NULL) || n->fallback_name == GSLB_NONE)
            return;
        n = &a->w->made.plan->names[n->fallback_name];
    }
}
