/* daemon/steering_compare.c: what other tables do to clients. */
#include "base/err.h"
#include "geo/map.h"
#include "steering_priv.h"

#include <stdio.h>
#include <string.h>

/* The names of what a map of either plan orders: the sites, or the members of a pool. */
struct ordered {
    const struct gslb_site *sites;
    const struct gslb_endpoint *members;
    unsigned count;
};

static struct ordered ordered_of(const struct gslb_plan *p, unsigned map)
{
    for (unsigned i = 0; i < p->pool_count; i++)
        if (p->pools[i].near == (int)map)
            return (struct ordered){NULL, p->pools[i].endpoints, p->pools[i].endpoint_count};
    return (struct ordered){p->sites, NULL, p->site_count};
}

static const char *name_at(const struct ordered *o, unsigned i)
{
    return o->members ? o->members[i].name : o->sites[i].name;
}

static const struct gslb_map *map_named(const struct gslb_plan *p, const char *name)
{
    for (unsigned i = 0; i < p->map_count; i++)
        if (!strcmp(p->maps[i].name, name))
            return &p->maps[i];
    return NULL;
}

static void say(const char *name, const struct geo_map_change *c, struct diag_list *d)
{
    size_t n = c->networks4 + c->networks6;
    double share = 100.0 * (double)c->addresses4 / 4294967296.0;
    char text[32] = "no";
    if (share >= 0.01)
        snprintf(text, sizeof text, "%.2f %% of the", share);
    else if (c->addresses4)
        snprintf(text, sizeof text, "below 0.01 %% of the");
    if (n)
        diag_add(d, DIAG_NOTE, NULL, "map %s: %zu network%s change%s site (%s IPv4 addresses)",
                 name, n, n == 1 ? "" : "s", n == 1 ? "s" : "", text);
}

static void compare(const struct gslb_plan *before, const struct gslb_plan *after,
                    const struct gslb_map *was, const struct gslb_map *now, struct diag_list *d)
{
    struct ordered a = ordered_of(before, (unsigned)(was - before->maps)),
                   b = ordered_of(after, (unsigned)(now - after->maps));
    struct geo_map_change change;
    uint16_t site_now[GEO_SITES_MAX];
    for (unsigned i = 0; i < a.count && i < GEO_SITES_MAX; i++) {
        site_now[i] = UINT16_MAX;
        for (unsigned k = 0; k < b.count; k++)
            if (!strcmp(name_at(&a, i), name_at(&b, k)))
                site_now[i] = (uint16_t)k;
    }
    int err = geo_map_compare(was->geo, now->geo, site_now, &change);
    if (err)
        diag_add(d, DIAG_NOTE, NULL, "map %s: what changes for clients is not known: %s", now->name,
                 err_text(err));
    else
        say(now->name, &change, d);
}

void steering_compare(const struct gslb_plan *before, const struct gslb_plan *after,
                      struct diag_list *d)
{
    for (unsigned i = 0; before && after && i < after->map_count; i++) {
        const struct gslb_map *now = &after->maps[i], *was = map_named(before, now->name);
        if (was && was->geo && now->geo && was->geo != now->geo)
            compare(before, after, was, now, d);
    }
}
