/* What is supposed of a plan's members before it is steered dry. */
#include "gslb/simulate.h"

#include <string.h>

static bool is_meant(const struct gslb_plan *p, const struct gslb_pool *pool,
                     const struct gslb_endpoint *e, const char *what)
{
    size_t len = strlen(pool->name);
    if (!strcmp(what, pool->name))
        return true;
    if (!strncmp(what, pool->name, len) && what[len] == '/' && !strcmp(what + len + 1, e->name))
        return true;
    return pool->site != GSLB_NONE && !strcmp(what, p->sites[pool->site].name);
}

unsigned gslb_suppose_down(const struct gslb_plan *p, struct gslb_table *t, const char *what)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->pool_count; i++)
        for (unsigned k = 0; k < p->pools[i].endpoint_count; k++) {
            const struct gslb_endpoint *e = &p->pools[i].endpoints[k];
            if (!is_meant(p, &p->pools[i], e, what))
                continue;
            struct gslb_view v = gslb_table_get(t, e->slot);
            v.up = v.unsettled = false;
            v.known = true;
            v.permille = 0;
            gslb_table_put(t, e->slot, &v);
            count++;
        }
    return count;
}

void gslb_suppose_up(const struct gslb_plan *p, struct gslb_table *t)
{
    static const struct gslb_view up = {
        .up = true, .known = true, .was_up = true, .permille = 1000, .until_s = UINT32_MAX};
    for (unsigned i = 0; i < p->pool_count; i++)
        for (unsigned k = 0; k < p->pools[i].endpoint_count; k++)
            gslb_table_put(t, p->pools[i].endpoints[k].slot, &up);
    for (unsigned i = 0; i < p->name_count; i++)
        if (p->names[i].owner)
            gslb_table_put_last(t, p->names[i].slot, GSLB_NO_SLOT, 0);
}

bool gslb_suppose_weight(struct gslb_plan *p, const char *member, uint32_t weight)
{
    for (unsigned i = 0; weight <= GSLB_WEIGHT_MAX && i < p->pool_count; i++) {
        struct gslb_pool *pool = &p->pools[i];
        size_t len = strlen(pool->name);
        if (strncmp(member, pool->name, len) != 0 || member[len] != '/')
            continue;
        for (unsigned k = 0; k < pool->endpoint_count; k++)
            if (!strcmp(member + len + 1, pool->endpoints[k].name)) {
                pool->endpoints[k].weight = weight;
                pool->members[k].weight = pool->endpoints[k].enabled ? weight : 0;
                return true;
            }
    }
    return false;
}
