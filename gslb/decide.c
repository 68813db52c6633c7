/* The other half of authority/dynamic.h. */
#include "gslb/explain.h"

#include "base/cursor.h"
#include "base/list.h"
#include "dns/name.h"

static void decide(struct dynamic *dynamic, const struct dynamic_ask *ask,
                   struct dynamic_answer *out)
{
    struct gslb_decider *d = container_of(dynamic, struct gslb_decider, dynamic);
    const struct gslb_plan *p = d->plan;
    *out = (struct dynamic_answer){.verdict = DYNAMIC_STATIC};
    /* A zone kept in an older version may ask about a name that is gone. */
    if (!p || ask->id >= p->name_count || !p->names[ask->id].owner ||
        !dns_name_equal(p->names[ask->id].owner, ask->owner))
        return;
    if (ask->again && ask->id == d->id && ask->qtype == d->qtype) {
        *out = d->last;
        return;
    }
    struct gslb_client client = {.source = *ask->client};
    if (ask->subnet)
        client.subnet = *ask->subnet;
    struct gslb_ask steer = {.plan = p,
                             .name = ask->id,
                             .qtype = ask->qtype,
                             .client = &client,
                             .mono_s = d->mono_s,
                             .wall_s = d->wall_s,
                             .dry = ask->again};
    struct gslb_answer answer;
    bool explain = ask->explain && net_acl_allows(&p->explain, ask->client);
    if (explain)
        steer.log = &d->log;
    gslb_steer(&steer, d->worker, &answer);
    if (explain) {
        gslb_explain_line(p, &d->log, &answer, d->why, sizeof d->why);
        out->why = d->why;
    }
    out->verdict = (enum dynamic_verdict)answer.outcome;
    out->set = answer.set;
    out->ttl = answer.ttl;
    out->scope = answer.scope;
    d->id = ask->id;
    d->qtype = ask->qtype;
    d->last = *out;
}

/* Whose map is not known before the name is: a few are asked all. */
static void ahead(const struct dynamic *dynamic, const struct edns_subnet *subnet,
                  const uint32_t *id, unsigned step)
{
    enum { MAPS = 2, LINE = 64 };
    const struct gslb_plan *p = container_of(dynamic, const struct gslb_decider, dynamic)->plan;
    if (!p)
        return;
    if (id && *id < p->name_count) {
        const struct gslb_name *n = &p->names[*id];
        for (size_t at = 0; step == 2 && at < sizeof *n; at += LINE)
            __builtin_prefetch((const uint8_t *)n + at);
        if (step == 3) {
            __builtin_prefetch(n->owner);
            __builtin_prefetch(n->pools);
        }
    }
    if (!subnet->family || p->map_count > MAPS || step >= PREFIXES_STEPS)
        return;
    bool v4 = subnet->family == 1;
    uint64_t high = v4 ? (uint64_t)get_u32(subnet->ip) << 32 : get_u64(subnet->ip);
    for (unsigned i = 0; i < p->map_count; i++)
        geo_map_ahead(p->maps[i].geo, v4, high, step);
}

void gslb_decider_init(struct gslb_decider *d, struct gslb_worker *w)
{
    *d = (struct gslb_decider){.dynamic = {.decide = decide, .ahead = ahead}, .worker = w};
}
