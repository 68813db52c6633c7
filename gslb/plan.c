#include "plan_priv.h"

#include "gslb/target.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void plan_free(struct part *part)
{
    struct gslb_plan *p = container_of(part, struct gslb_plan, part);
    for (unsigned i = 0; i < p->map_count; i++)
        if (p->maps[i].owner)
            part_unref(p->maps[i].owner);
    free(p->states);
    block_free(&p->room);
    arena_fini(&p->arena);
    free(p);
}

struct gslb_plan *gslb_plan_new(void)
{
    enum { CHUNK = 65536 };
    struct gslb_plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    part_init(&p->part, plan_free);
    arena_init(&p->arena, CHUNK, 0);
    return p;
}

struct part *gslb_plan_part(struct gslb_plan *p)
{
    return &p->part;
}

/* ---- finish ---- */

static int slot_take(struct gslb_table *t, uint32_t *slot, const char *kind, const char *of,
                     const char *name)
{
    char text[1536];
    int len = snprintf(text, sizeof text, "%s/%s%s%s", kind, of, name ? "/" : "", name ? name : "");
    return len < (int)sizeof text ? gslb_table_slot(t, text, slot) : ERR_LIMIT;
}

static int by_name(const void *a, const void *b)
{
    const struct gslb_named_id *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int index_pools(struct gslb_plan *p)
{
    if (!(p->by_pool = ARENA_ARRAY(&p->arena, struct gslb_named_id, p->pool_count)))
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->pool_count; i++)
        p->by_pool[i] = (struct gslb_named_id){p->pools[i].name, i};
    qsort(p->by_pool, p->pool_count, sizeof *p->by_pool, by_name);
    return 0;
}

static int by_address(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Of one family; room for an address per member. */
static bool addresses_repeat(const struct gslb_pool *p, int family, uint8_t (*room)[16])
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->endpoint_count; i++)
        if (p->endpoints[i].kind == GSLB_HOST)
            return true; /* its addresses may be another's at any time */
        else if (p->endpoints[i].kind == GSLB_ADDRESSES && p->endpoints[i].address[family].family)
            memcpy(room[n++], p->endpoints[i].address[family].ip, 16);
    qsort(room, n, sizeof *room, by_address);
    for (unsigned i = 1; i < n; i++)
        if (!memcmp(room[i - 1], room[i], 16))
            return true;
    return false;
}

static int finish_pool(struct gslb_plan *p, struct gslb_pool *pool, struct gslb_table *t)
{
    uint8_t room[GSLB_MEMBERS_MAX][16];
    int err = slot_take(t, &pool->slot, "pool", pool->name, NULL);
    pool->members = ARENA_ARRAY(&p->arena, struct gslb_member, pool->endpoint_count);
    if (!pool->members)
        return ERR_NOMEM;
    for (unsigned i = 0; i < pool->endpoint_count && !err; i++) {
        struct gslb_endpoint *e = &pool->endpoints[i];
        pool->members[i] = (struct gslb_member){.id = hash_bytes(e->name, strlen(e->name), 0),
                                                .weight = e->enabled ? e->weight : 0,
                                                .group = e->group};
        err = slot_take(t, &e->slot, "member", pool->name, e->name);
    }
    pool->repeats = addresses_repeat(pool, 0, room) || addresses_repeat(pool, 1, room);
    return err;
}

static bool same_pools(const struct gslb_name *a, const struct gslb_name *b)
{
    return a->pool_count == b->pool_count &&
           (!a->pool_count || !memcmp(a->pools, b->pools, a->pool_count * sizeof *a->pools));
}

/* like: the name before, or NULL. */
static int finish_name(struct gslb_plan *p, struct gslb_name *n, const struct gslb_name *like,
                       struct gslb_table *t)
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_print(n->owner, text);
    n->hash = dns_name_hash(n->owner, 0);
    int err = slot_take(t, &n->slot, "name", text, NULL);
    if (err || n->map == GSLB_NONE)
        return err;
    if (like && like->site_pool && same_pools(n, like)) {
        n->site_pool = like->site_pool;
        return 0;
    }
    n->site_pool = arena_alloc(&p->arena, p->site_count * sizeof *n->site_pool);
    if (!n->site_pool)
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->site_count; i++)
        n->site_pool[i] = GSLB_NONE;
    for (unsigned k = 0; k < n->pool_count; k++)
        n->site_pool[p->pools[n->pools[k]].site] = (int32_t)n->pools[k];
    return 0;
}

static bool has_state(const struct gslb_pool *p)
{
    return p->policy == GSLB_ROUND_ROBIN || p->policy == GSLB_WEIGHTED_ROUND_ROBIN;
}

static int finish_states(struct gslb_plan *p, unsigned workers)
{
    enum { LINE = 64 };
    size_t at = 0;
    for (unsigned i = 0; i < p->pool_count; i++) {
        if (!has_state(&p->pools[i]))
            continue;
        p->pools[i].state_at = (uint32_t)at;
        at += 2 * gslb_policy_state_size(p->pools[i].endpoint_count);
    }
    if (at > UINT32_MAX)
        return ERR_LIMIT;
    p->workers = workers;
    p->state_bytes = (at + LINE - 1) / LINE * LINE;
    if (!p->state_bytes || !workers)
        return 0;
    if (!(p->states = aligned_alloc(LINE, p->state_bytes * workers)))
        return ERR_NOMEM;
    for (unsigned w = 0; w < workers; w++) {
        for (unsigned i = 0; i < p->pool_count; i++) {
            const struct gslb_pool *pool = &p->pools[i];
            uint8_t *state = p->states + w * p->state_bytes + pool->state_at;
            size_t size = gslb_policy_state_size(pool->endpoint_count);
            for (unsigned of = 0; has_state(pool) && of < 2; of++, state += size)
                gslb_policy_state_init((struct gslb_policy_state *)(void *)state,
                                       pool->endpoint_count);
        }
    }
    return 0;
}

static int target_take(struct gslb_plan *p, const uint8_t *name, bool subnets, uint32_t *target)
{
    *target = GSLB_NO_TARGET;
    if (!p->targets || !name)
        return 0;
    int err = gslb_targets_take(p->targets, name, subnets, target);
    if (!err)
        p->target_used[p->target_count++] = *target;
    return err;
}

/* Clients' networks are told of an alias alone: whoever asks for it is its client, while a host
 * name's addresses are a member's, the same for all. */
static int finish_targets(struct gslb_plan *p)
{
    unsigned most = p->name_count;
    int err = 0;
    for (unsigned i = 0; i < p->pool_count; i++)
        most += p->pools[i].endpoint_count;
    p->target_count = 0;
    if (!(p->target_used = ARENA_ARRAY(&p->arena, uint32_t, p->targets ? most : 0)))
        return ERR_NOMEM;
    for (unsigned i = 0; i < p->name_count && !err; i++)
        err = target_take(p, p->names[i].owner ? p->names[i].alias : NULL, true,
                          &p->names[i].alias_target);
    for (unsigned i = 0; i < p->pool_count && !err; i++)
        for (unsigned k = 0; k < p->pools[i].endpoint_count && !err; k++) {
            struct gslb_endpoint *e = &p->pools[i].endpoints[k];
            err = target_take(p, e->kind == GSLB_HOST ? e->host : NULL, false, &e->target);
        }
    return err;
}

int gslb_plan_finish(struct gslb_plan *p, const struct gslb_plan *before, struct gslb_table *t,
                     unsigned workers, struct diag_list *d)
{
    int err = plan_check(p, d);
    if (!err)
        err = plan_ids(p, before, d);
    if (!err)
        err = index_pools(p);
    for (unsigned i = 0; i < p->site_count; i++)
        p->sites[i].id = hash_bytes(p->sites[i].name, strlen(p->sites[i].name), 0);
    for (unsigned i = 0; i < p->pool_count && !err; i++)
        err = finish_pool(p, &p->pools[i], t);
    const struct gslb_name *like = NULL;
    for (unsigned i = 0; i < p->name_count && !err; i++) {
        if (!p->names[i].owner)
            continue;
        err = finish_name(p, &p->names[i], like, t);
        like = &p->names[i];
    }
    if (!err)
        err = finish_targets(p);
    if (!err)
        err = plan_types(p, d);
    if (!err)
        err = finish_states(p, workers);
    return err ? err : plan_warn(p, d);
}

/* ---- looking up ---- */

/* The first place in by_owner that is not before this name. */
static unsigned owner_place(const struct gslb_plan *p, const uint8_t *owner)
{
    unsigned low = 0, high = p->by_owner_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (dns_name_cmp(p->by_owner[middle].name, owner) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int gslb_plan_name(const struct gslb_plan *p, const uint8_t *owner)
{
    unsigned at = owner_place(p, owner);
    if (at == p->by_owner_count || !dns_name_equal(p->by_owner[at].name, owner))
        return GSLB_NONE;
    return (int)p->by_owner[at].id;
}

/* While a plan is being filled there is no index. */
static int pool_search(const struct gslb_plan *p, const char *name)
{
    for (unsigned i = 0; i < p->pool_count; i++)
        if (!strcmp(p->pools[i].name, name))
            return (int)i;
    return GSLB_NONE;
}

int gslb_plan_pool(const struct gslb_plan *p, const char *name)
{
    if (!p->by_pool)
        return pool_search(p, name);
    const struct gslb_named_id wanted = {name, 0};
    const struct gslb_named_id *found =
        bsearch(&wanted, p->by_pool, p->pool_count, sizeof wanted, by_name);
    return found ? (int)found->id : GSLB_NONE;
}

int gslb_plan_site(const struct gslb_plan *p, const char *name)
{
    for (unsigned i = 0; i < p->site_count; i++)
        if (!strcmp(p->sites[i].name, name))
            return (int)i;
    return GSLB_NONE;
}

/* ---- for zones ---- */

/* Where the names at or below `top` end: they lie together in canonical order. */
static unsigned owners_end(const struct gslb_plan *p, const uint8_t *top, unsigned from)
{
    unsigned low = from, high = p->by_owner_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (dns_name_is_sub(p->by_owner[middle].name, top))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void dynamic_put(const struct gslb_plan *p, unsigned id, struct dynamic_name *out)
{
    const struct gslb_name *n = &p->names[id];
    *out = (struct dynamic_name){.owner = n->owner,
                                 .id = id,
                                 .types = n->types,
                                 .type_count = n->type_count,
                                 .file = n->at.file,
                                 .line = n->at.line};
    for (unsigned k = 0; k < n->type_count; k++)
        out->alias |= n->types[k] == DNS_TYPE_CNAME;
}

int gslb_plan_dynamic(const struct gslb_plan *p, const uint8_t *origin,
                      const uint8_t *const *origins, unsigned origin_count, struct arena *a,
                      struct dynamic_name **out)
{
    unsigned from = owner_place(p, origin), to = owners_end(p, origin, from), n = 0;
    *out = ARENA_ARRAY(a, struct dynamic_name, to - from);
    bool *others = ARENA_ARRAY(a, bool, to - from);
    if (!*out || !others)
        return ERR_NOMEM;
    for (unsigned i = 0; i < origin_count && from < to; i++) {
        if (!dns_name_is_sub(origins[i], origin) || dns_name_equal(origins[i], origin))
            continue;
        unsigned first = owner_place(p, origins[i]), end = owners_end(p, origins[i], first);
        memset(others + (first - from), true, end - first);
    }
    for (unsigned k = from; k < to; k++)
        if (!others[k - from])
            dynamic_put(p, p->by_owner[k].id, &(*out)[n++]);
    return (int)n;
}
