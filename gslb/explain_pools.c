/* The pools that were tried, member by member, and the steps in order. Odds and weights are the
 * log's; what a member is like is read from the table that was steered by. */
#include "explain_priv.h"

#include "dns/name.h"
#include "dns/type.h"

#include <stdio.h>

/* ---- members ---- */

static const char *member_address(const struct telling *t, const struct gslb_endpoint *e,
                                  char out[DNS_NAME_TEXT_MAX])
{
    if (e->kind != GSLB_ADDRESSES) {
        dns_name_print(e->host, out);
        return out;
    }
    unsigned family = t->ask->qtype == DNS_TYPE_AAAA;
    if (!e->address[family].family)
        family = !family;
    if (!e->address[family].family)
        return "";
    return addr_print(&e->address[family], out);
}

static bool lacks_family(const struct telling *t, const struct gslb_endpoint *e)
{
    if (e->kind != GSLB_ADDRESSES)
        return false;
    return (t->ask->qtype == DNS_TYPE_A && !e->address[0].family) ||
           (t->ask->qtype == DNS_TYPE_AAAA && !e->address[1].family);
}

/* Why it is not, or not fully, in the choice; "" when nothing speaks against it. */
static const char *member_why(const struct telling *t, const struct gslb_pool *p,
                              const struct gslb_endpoint *e, const struct gslb_view *v)
{
    if (!e->enabled)
        return "disabled";
    if (!e->weight)
        return "weight 0";
    if (lacks_family(t, e))
        return t->ask->qtype == DNS_TYPE_A ? "no IPv4 address" : "no IPv6 address";
    if (p->ignore_health)
        return "";
    if (!v->up || !v->permille)
        return v->forced ? "forced by an operator" : "down";
    if (v->over && p->policy == GSLB_CONSISTENT)
        return "over its bound: passes clients on";
    return "";
}

static const char *member_state(const struct gslb_pool *p, const struct gslb_endpoint *e,
                                const struct gslb_view *v)
{
    if (!e->enabled)
        return "disabled";
    if (p->ignore_health)
        return "up (health ignored)";
    if (!v->up || !v->permille)
        return "down";
    return v->known ? "up" : "unknown";
}

static bool is_given(const struct telling *t, int pool, unsigned member)
{
    for (unsigned i = 0; t->answer->pool == pool && i < t->answer->count; i++)
        if (t->answer->members[i] == member)
            return true;
    return false;
}

static json_t *member_json(struct telling *t, int pool, unsigned i)
{
    const struct gslb_pool *p = &t->plan->pools[pool];
    const struct gslb_endpoint *e = &p->endpoints[i];
    struct gslb_view v = gslb_table_get(t->w->table, e->slot);
    char text[DNS_NAME_TEXT_MAX];
    json_t *o = json_object();
    tell_text(t, o, "name", e->name);
    tell_text(t, o, "address", member_address(t, e, text));
    tell_text(t, o, "state", member_state(p, e, &v));
    tell_text(t, o, "why", member_why(t, p, e, &v));
    tell(t, o, "forced", json_boolean(v.forced));
    tell(t, o, "unsettled", json_boolean(v.unsettled && !p->ignore_health));
    tell(t, o, "weight", json_integer(e->weight));
    tell(t, o, "permille", json_integer(p->ignore_health ? 1000 : v.permille));
    tell(t, o, "rtt_us", v.rtt_us ? json_integer(v.rtt_us) : json_null());
    tell(t, o, "load", v.has_load ? json_integer(v.load) : json_null());
    bool odds = t->log->has_odds && t->answer->pool == pool;
    tell(t, o, "odds", odds ? json_real((double)t->log->odds[i] / 4294967296.0) : json_null());
    tell(t, o, "given", json_boolean(is_given(t, pool, i)));
    return o;
}

/* ---- pools ---- */

/* Of the weight that counts, as the serving code summed it. */
static double weight(int64_t permille_weighted)
{
    return (double)permille_weighted / 1000;
}

static json_t *pool_json(struct telling *t, const struct gslb_event *e)
{
    const struct gslb_pool *p = &t->plan->pools[e->index];
    json_t *o = json_object(), *members = json_array();
    for (unsigned i = 0; i < p->endpoint_count; i++)
        tell_item(t, members, member_json(t, e->index, i));
    tell_text(t, o, "name", p->name);
    tell(t, o, "site",
         p->site == GSLB_NONE ? json_null() : json_string(t->plan->sites[p->site].name));
    tell_text(t, o, "verdict", e->why == GSLB_WHY_OK ? "usable" : "not usable");
    tell_text(t, o, "why", explain_why_text(e->why));
    tell(t, o, "up", json_integer(e->depth));
    tell(t, o, "available", json_real(weight(e->number)));
    tell(t, o, "of", json_real(weight(e->other)));
    tell(t, o, "needed", json_real((double)p->healthy_permille / 1000));
    tell_text(t, o, "policy", p->near == GSLB_NONE ? gslb_policy_name(p->policy) : "nearest");
    tell(t, o, "answers", json_integer(p->answers));
    tell(t, o, "members", members);
    return o;
}

json_t *explain_pools(struct telling *t)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < t->log->count; i++)
        if (t->log->events[i].step == GSLB_STEP_POOL)
            tell_item(t, list, pool_json(t, &t->log->events[i]));
    return list;
}

/* ---- steps ---- */

static void tell_pool(struct telling *t, json_t *o, const char *key, int pool)
{
    tell(t, o, key, pool == GSLB_NONE ? json_null() : json_string(t->plan->pools[pool].name));
}

static void tell_name(struct telling *t, json_t *o, const char *key, int name)
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_print(t->plan->names[name].owner, text);
    tell_text(t, o, key, text);
}

static void step_client(struct telling *t, json_t *o, const struct gslb_event *e)
{
    char text[ADDR_TEXT_MAX];
    tell_text(t, o, "address", addr_print(&e->a, text));
    tell_text(t, o, "from", e->number ? "subnet" : "source");
}

static void step_map(struct telling *t, json_t *o, const struct gslb_event *e)
{
    const struct gslb_map *m = &t->plan->maps[e->index];
    tell_text(t, o, "map", m->name);
    tell(t, o, "rule", e->number < 0 ? json_null() : json_integer(e->number + 1));
    tell_text(t, o, "rule_text", geo_map_rule_text(m->geo, (int)e->number));
    tell(t, o, "bits", json_integer(e->depth));
}

static void step_answer(struct telling *t, json_t *o, const struct gslb_event *e)
{
    tell_pool(t, o, "pool", e->index);
    tell_text(t, o, "outcome", explain_outcome_name((enum gslb_outcome)e->number));
    tell(t, o, "scope", json_integer(e->depth));
}

/* pool: that was tried last. */
static void step_rest(struct telling *t, json_t *o, const struct gslb_event *e, int pool)
{
    switch (e->step) {
    case GSLB_STEP_CLIENT:
        step_client(t, o, e);
        return;
    case GSLB_STEP_MAP:
        step_map(t, o, e);
        return;
    case GSLB_STEP_SITES:
        tell(t, o, "sites", explain_list(t, e->list, e->index, pool));
        return;
    case GSLB_STEP_DRAWN:
        tell(t, o, "bits", json_integer(e->depth)); /* and the site: */
        tell_text(t, o, "site", t->plan->sites[e->index].name);
        return;
    case GSLB_STEP_SKIPPED:
        tell_text(t, o, "site", t->plan->sites[e->index].name);
        return;
    case GSLB_STEP_POOL:
        tell_pool(t, o, "pool", e->index);
        tell(t, o, "available", json_real(weight(e->number)));
        tell(t, o, "of", json_real(weight(e->other)));
        return;
    case GSLB_STEP_PICK:
        tell_pool(t, o, "pool", e->index);
        tell(t, o, "given", json_integer(e->number));
        tell(t, o, "bits", json_integer(e->depth));
        return;
    case GSLB_STEP_FALLBACK:
        if (e->number)
            tell_name(t, o, "to_name", e->index);
        else
            tell_pool(t, o, "to_pool", e->index);
        return;
    case GSLB_STEP_ALL_DOWN:
        tell_text(t, o, "policy", explain_all_down_name((enum gslb_all_down)e->number));
        tell_pool(t, o, "pool", e->index);
        return;
    case GSLB_STEP_TTL:
        tell(t, o, "ttl", json_integer(e->number));
        return;
    case GSLB_STEP_ANSWER:
        step_answer(t, o, e);
        return;
    }
}

json_t *explain_steps(struct telling *t)
{
    static const char *const names[] = {
        [GSLB_STEP_CLIENT] = "client",     [GSLB_STEP_MAP] = "map",
        [GSLB_STEP_SITES] = "sites",       [GSLB_STEP_DRAWN] = "drawn",
        [GSLB_STEP_SKIPPED] = "skipped",   [GSLB_STEP_POOL] = "pool",
        [GSLB_STEP_PICK] = "pick",         [GSLB_STEP_FALLBACK] = "fallback",
        [GSLB_STEP_ALL_DOWN] = "all-down", [GSLB_STEP_TTL] = "ttl",
        [GSLB_STEP_ANSWER] = "answer"};
    json_t *list = json_array();
    int pool = GSLB_NONE;
    for (unsigned i = 0; i < t->log->count; i++) {
        const struct gslb_event *e = &t->log->events[i];
        json_t *o = json_object();
        pool = e->step == GSLB_STEP_POOL ? e->index : pool;
        tell_text(t, o, "step", names[e->step]);
        step_rest(t, o, e, pool);
        if (e->why != GSLB_WHY_OK)
            tell_text(t, o, "why", explain_why_text(e->why));
        tell_item(t, list, o);
    }
    if (t->log->lost)
        tell_item(t, list, json_pack("{s:s, s:i}", "step", "lost", "steps", (int)t->log->lost));
    return list;
}
