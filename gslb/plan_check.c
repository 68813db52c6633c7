/* What is refused in a plan, and what is only warned about. */
#include "plan_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>

static int wrong(struct diag_list *d, const struct diag_at *at, const char *what, const char *whose)
{
    diag_add(d, DIAG_ERROR, at, "%s: %s", whose, what);
    return ERR_INVALID;
}

static const char *owner_text(const struct gslb_name *n, char text[DNS_NAME_TEXT_MAX])
{
    dns_name_print(n->owner, text);
    return text;
}

/* ---- pools ---- */

static bool member_has_position(const struct gslb_plan *p, const struct gslb_pool *pool,
                                const struct gslb_endpoint *e)
{
    return e->has_position || (pool->site != GSLB_NONE && p->sites[pool->site].has_position);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_members(const struct gslb_pool *pool, struct diag_list *d)
{
    const char *names[GSLB_MEMBERS_MAX];
    int err = 0;
    for (unsigned i = 0; i < pool->endpoint_count; i++)
        names[i] = pool->endpoints[i].name;
    /* cppcheck-suppress uninitvar; pools without members were refused before */
    qsort(names, pool->endpoint_count, sizeof *names, by_text);
    for (unsigned i = 1; i < pool->endpoint_count; i++)
        if (!strcmp(names[i - 1], names[i]))
            err = wrong(d, &pool->at, "two members have the same name", pool->name);
    return err;
}

static int check_pool(const struct gslb_plan *p, const struct gslb_pool *pool, struct diag_list *d)
{
    if (!pool->endpoint_count)
        return wrong(d, &pool->at, "a pool without members", pool->name);
    if (pool->endpoint_count > GSLB_MEMBERS_MAX) {
        diag_add(d, DIAG_ERROR, &pool->at, "%s: more than %d members", pool->name,
                 GSLB_MEMBERS_MAX);
        return ERR_LIMIT;
    }
    int err = check_members(pool, d);
    bool positions = false;
    for (unsigned i = 0; i < pool->endpoint_count; i++)
        positions |= member_has_position(p, pool, &pool->endpoints[i]);
    if (pool->near != GSLB_NONE && !positions)
        err = wrong(d, &pool->at, "nearest, but no member has a position", pool->name);
    for (unsigned k = 0; k < pool->record_count; k++) {
        uint16_t type = pool->records[k].type;
        if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_CNAME)
            err = wrong(d, &pool->at, "addresses and CNAMEs are members, not records", pool->name);
    }
    return err;
}

/* ---- loops ---- */

/* What falls back on what, one edge each: a walk from each item marks what it passes with its own
 * number and stops at what has one; if that is its own, it has gone round. */
struct fallbacks {
    const struct gslb_plan *p;
    int (*next)(const struct gslb_plan *p, unsigned i);
    void (*say)(const struct gslb_plan *p, unsigned i, struct diag_list *d);
};

static int check_loops(const struct fallbacks *f, unsigned count, struct diag_list *d)
{
    uint32_t *passed = calloc(count ? count : 1, sizeof *passed);
    int err = 0;
    if (!passed)
        return ERR_NOMEM;
    for (unsigned start = 0; start < count; start++) {
        int at = (int)start;
        while (at != GSLB_NONE && !passed[at]) {
            passed[at] = start + 1;
            at = f->next(f->p, (unsigned)at);
        }
        if (at != GSLB_NONE && passed[at] == start + 1) {
            /* An item met earlier on this very walk; one that an earlier walk met was judged. */
            f->say(f->p, (unsigned)at, d);
            err = ERR_INVALID;
        }
    }
    free(passed);
    return err;
}

static int pool_next(const struct gslb_plan *p, unsigned i)
{
    return p->pools[i].fallback;
}

static void pool_loop(const struct gslb_plan *p, unsigned i, struct diag_list *d)
{
    const struct gslb_pool *pool = &p->pools[i];
    diag_add(d, DIAG_ERROR, &pool->at, "%s: its fallbacks lead back to it, by way of %s",
             pool->name, p->pools[pool->fallback].name);
}

static int name_next(const struct gslb_plan *p, unsigned i)
{
    return p->names[i].owner ? p->names[i].fallback_name : GSLB_NONE;
}

static void name_loop(const struct gslb_plan *p, unsigned i, struct diag_list *d)
{
    char text[DNS_NAME_TEXT_MAX], next[DNS_NAME_TEXT_MAX];
    const struct gslb_name *n = &p->names[i];
    diag_add(d, DIAG_ERROR, &n->at, "%s: its fallbacks lead back to it, by way of %s",
             owner_text(n, text), owner_text(&p->names[n->fallback_name], next));
}

/* ---- names ---- */

/* taken[site]: 1 + the last name that has a pool there. */
static int check_name(const struct gslb_plan *p, unsigned name, uint32_t *taken,
                      struct diag_list *d)
{
    const struct gslb_name *n = &p->names[name];
    char text[DNS_NAME_TEXT_MAX];
    int err = 0;
    for (unsigned k = 0; n->map != GSLB_NONE && k < n->pool_count; k++) {
        const struct gslb_pool *pool = &p->pools[n->pools[k]];
        if (pool->site == GSLB_NONE) {
            diag_add(d, DIAG_ERROR, &n->at, "%s: pool %s has no site, but a map chooses by site",
                     owner_text(n, text), pool->name);
            err = ERR_INVALID;
        } else if (taken[pool->site] == name + 1) {
            diag_add(d, DIAG_ERROR, &n->at, "%s: pool %s is the second at site %s",
                     owner_text(n, text), pool->name, p->sites[pool->site].name);
            err = ERR_INVALID;
        } else {
            taken[pool->site] = name + 1;
        }
    }
    return err;
}

int plan_check(const struct gslb_plan *p, struct diag_list *d)
{
    int err = 0, next;
    for (unsigned i = 0; i < p->pool_count; i++)
        if ((next = check_pool(p, &p->pools[i], d)))
            err = next;
    uint32_t *taken = calloc(p->site_count + 1u, sizeof *taken);
    if (!taken)
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->name_count; i++)
        if (p->names[i].owner && (next = check_name(p, i, taken, d)))
            err = next;
    free(taken);
    const struct fallbacks pools = {p, pool_next, pool_loop}, names = {p, name_next, name_loop};
    if ((next = check_loops(&pools, p->pool_count, d)))
        err = next;
    if ((next = check_loops(&names, p->name_count, d)))
        err = next;
    return err;
}

/* ---- warnings ---- */

static void warn_sites(const struct gslb_plan *p, const struct gslb_name *n, struct diag_list *d)
{
    char text[DNS_NAME_TEXT_MAX];
    unsigned without = 0, first = 0;
    for (unsigned i = p->site_count; i-- > 0;) {
        if (n->site_pool[i] == GSLB_NONE) {
            without++;
            first = i;
        }
    }
    if (without == 1)
        diag_add(d, DIAG_WARNING, &n->at, "%s: no pool is at site %s", owner_text(n, text),
                 p->sites[first].name);
    else if (without)
        diag_add(d, DIAG_WARNING, &n->at, "%s: no pool is at site %s and %u more",
                 owner_text(n, text), p->sites[first].name, without - 1);
}

static void warn_name(const struct gslb_plan *p, const struct gslb_name *n, const bool *fenced,
                      struct diag_list *d)
{
    char text[DNS_NAME_TEXT_MAX];
    if (n->map != GSLB_NONE) {
        warn_sites(p, n, d);
        if (fenced[n->map] && n->outside == GSLB_OUTSIDE_NODATA)
            diag_add(d, DIAG_WARNING, &n->at,
                     "%s: who is outside the fence of map %s gets no data, which caches may give "
                     "to others too",
                     owner_text(n, text), p->maps[n->map].name);
    }
    if (n->ttl_max && (n->ttl > n->ttl_max || n->ttl_degraded > n->ttl_max))
        diag_add(d, DIAG_WARNING, &n->at, "%s: TTL %u is served as %u, the most that is allowed",
                 owner_text(n, text), n->ttl > n->ttl_max ? n->ttl : n->ttl_degraded, n->ttl_max);
}

static void use_chain(const struct gslb_plan *p, int pool, bool *used)
{
    for (; pool != GSLB_NONE && !used[pool]; pool = p->pools[pool].fallback)
        used[pool] = true;
}

int plan_warn(const struct gslb_plan *p, struct diag_list *d)
{
    bool *used = calloc(p->pool_count + 1u, sizeof *used);
    bool *fenced = calloc(p->map_count + 1u, sizeof *fenced);
    if (used && fenced) {
        for (unsigned i = 0; i < p->map_count; i++)
            fenced[i] = geo_map_info(p->maps[i].geo).fences > 0;
        for (unsigned i = 0; i < p->name_count; i++) {
            const struct gslb_name *n = &p->names[i];
            if (!n->owner)
                continue;
            warn_name(p, n, fenced, d);
            for (unsigned k = 0; k < n->pool_count; k++)
                use_chain(p, (int)n->pools[k], used);
            use_chain(p, n->fallback_pool, used);
            if (n->map != GSLB_NONE && n->outside == GSLB_OUTSIDE_POOL)
                use_chain(p, n->outside_pool, used);
        }
        for (unsigned i = 0; i < p->pool_count; i++)
            if (!used[i])
                diag_add(d, DIAG_WARNING, &p->pools[i].at, "%s: no name uses this pool",
                         p->pools[i].name);
    }
    int err = used && fenced ? 0 : ERR_NOMEM;
    free(used);
    free(fenced);
    return err;
}
