/* Each name, part by part: what it gives before and after, as shares of members; their difference
 * counts with the part's size. */
#include "simulate_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 512 }; /* clients asked until each weighted site was drawn once */

/* What is given but is no member: keys above all slots. */
enum {
    KEY_OUTCOME = GSLB_SLOTS_MAX,     /* + enum gslb_outcome */
    KEY_ALIAS = GSLB_SLOTS_MAX + 100, /* addresses of a name that is not ours */
    KEY_ABSENT
};

struct given {
    uint32_t key; /* slot of a member, of a pool that gives records of its own, or as above */
    int pool, member;
    double share;
};
struct dist {
    struct given *at;
    unsigned count, cap;
};

struct work {
    const struct gslb_simulate *s;
    struct gslb_simulation *out;
    struct space *spaces;
    struct gslb_worker worker[2];
    struct gslb_log log;
    struct dist dist[2];
    /* of the name under way */
    int name[2]; /* in each plan */
    uint16_t qtype;
    struct gslb_name_shift *shift;
    uint32_t *keys; /* of shift->members */
    unsigned cap;   /* of shift->members, sites and keys */
    int err;
};

static const struct gslb_side *side_of(const struct work *w, unsigned side)
{
    return side ? &w->s->after : &w->s->before;
}

/* ---- what one client gets ---- */

static void give(struct work *w, struct dist *d, uint32_t key, int pool, int member, double share)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->at[i].key == key) {
            d->at[i].share += share;
            return;
        }
    if (d->count == d->cap) {
        unsigned cap = d->cap ? 2 * d->cap : 64;
        struct given *at = realloc(d->at, cap * sizeof *at);
        if (!at) {
            w->err = ERR_NOMEM;
            return;
        }
        d->at = at;
        d->cap = cap;
    }
    d->at[d->count++] = (struct given){key, pool, member, share};
}

/* An answer's members by their odds, which the log has whatever the client's own draw was. */
static void give_answer(struct work *w, unsigned side, const struct gslb_answer *a, double share)
{
    struct dist *d = &w->dist[side];
    if (a->outcome != GSLB_SET || a->pool == GSLB_NONE) {
        give(w, d, a->outcome == GSLB_SET ? KEY_ALIAS : KEY_OUTCOME + (uint32_t)a->outcome,
             GSLB_NONE, GSLB_NONE, share);
        return;
    }
    const struct gslb_pool *p = &side_of(w, side)->plan->pools[a->pool];
    double sum = 0;
    for (unsigned i = 0; w->log.has_odds && i < p->endpoint_count; i++)
        sum += (double)w->log.odds[i];
    if (sum <= 0) {
        give(w, d, p->slot, a->pool, GSLB_NONE, share);
        return;
    }
    for (unsigned i = 0; i < p->endpoint_count; i++)
        if (w->log.odds[i])
            give(w, d, p->endpoints[i].slot, a->pool, (int)i, share * (double)w->log.odds[i] / sum);
}

static void steer(struct work *w, unsigned side, const struct addr *from, struct gslb_answer *a)
{
    const struct gslb_client client = {.source = *from};
    const struct gslb_ask ask = {.plan = side_of(w, side)->plan,
                                 .name = (unsigned)w->name[side],
                                 .qtype = w->qtype,
                                 .client = &client,
                                 .wall_s = w->s->wall_s,
                                 .dry = true,
                                 .log = &w->log};
    w->log.everybody = true;
    gslb_steer(&ask, &w->worker[side], a);
}

/* Place in the list of the weighted site that was drawn, or GSLB_NONE. */
static int drawn_place(const struct gslb_log *log, const struct geo_list **list)
{
    *list = NULL;
    for (unsigned i = 0; i < log->count; i++) {
        const struct gslb_event *e = &log->events[i];
        if (e->step == GSLB_STEP_SITES)
            *list = e->list;
        if (e->step == GSLB_STEP_DRAWN && *list)
            for (unsigned k = 0; k < (*list)->weighted; k++)
                if ((*list)->sites[k] == e->index)
                    return (int)k;
    }
    return GSLB_NONE;
}

/* Weighted sites are drawn by the client's hash: clients are asked until each usable one came once,
 * and they share by the list's weights. */
static void give_part(struct work *w, unsigned side, const struct geo_part *part)
{
    bool seen[GEO_SITES_MAX] = {false};
    const struct geo_list *list;
    struct gslb_answer a;
    double weight = 0;
    unsigned found = 0;
    w->dist[side].count = 0;
    if (w->name[side] == GSLB_NONE) {
        give(w, &w->dist[side], KEY_ABSENT, GSLB_NONE, GSLB_NONE, 1);
        return;
    }
    for (unsigned i = 0; i < DRAWS; i++) {
        struct addr from = space_client(part, i);
        steer(w, side, &from, &a);
        int k = drawn_place(&w->log, &list);
        if (k == GSLB_NONE) {
            give_answer(w, side, &a, 1);
            return;
        }
        if (seen[k])
            continue;
        seen[k] = true;
        weight += list->weights[k];
        give_answer(w, side, &a, list->weights[k]);
        if (++found == list->weighted)
            break;
    }
    for (unsigned i = 0; i < w->dist[side].count; i++)
        w->dist[side].at[i].share /= weight;
}

/* ---- rows ---- */

static const char *site_text(const struct work *w, unsigned side, const struct given *g)
{
    const struct gslb_plan *p = side_of(w, side)->plan;
    if (g->pool != GSLB_NONE)
        return p->pools[g->pool].site == GSLB_NONE ? p->pools[g->pool].name
                                                   : p->sites[p->pools[g->pool].site].name;
    switch (g->key) {
    case KEY_OUTCOME + GSLB_STATIC:
        return "(the zone's own records)";
    case KEY_OUTCOME + GSLB_NODATA:
        return "(nodata)";
    case KEY_OUTCOME + GSLB_REFUSED:
        return "(refused)";
    case KEY_ALIAS:
        return "(alias)";
    case KEY_ABSENT:
        return "(not steered)";
    default:
        return "(failed)";
    }
}

static const char *member_text(struct work *w, unsigned side, const struct given *g)
{
    const struct gslb_plan *p = side_of(w, side)->plan;
    struct arena *arena = &w->out->arena;
    if (g->pool == GSLB_NONE)
        return site_text(w, side, g);
    const struct gslb_pool *pool = &p->pools[g->pool];
    return g->member == GSLB_NONE
               ? arena_printf(arena, "%s (records)", pool->name)
               : arena_printf(arena, "%s/%s", pool->name, pool->endpoints[g->member].name);
}

/* Room for one more row of each kind. */
static bool rows_grow(struct work *w)
{
    struct gslb_name_shift *n = w->shift;
    if (n->member_count < w->cap && n->site_count < w->cap)
        return true;
    unsigned cap = w->cap ? 2 * w->cap : 16;
    struct gslb_share *members = ARENA_ARRAY(&w->out->arena, struct gslb_share, cap),
                      *sites = ARENA_ARRAY(&w->out->arena, struct gslb_share, cap);
    uint32_t *keys = ARENA_ARRAY(&w->out->arena, uint32_t, cap);
    if (!members || !sites || !keys) {
        w->err = ERR_NOMEM;
        return false;
    }
    if (w->cap) {
        memcpy(members, n->members, n->member_count * sizeof *members);
        memcpy(sites, n->sites, n->site_count * sizeof *sites);
        memcpy(keys, w->keys, n->member_count * sizeof *keys);
    }
    n->members = members;
    n->sites = sites;
    w->keys = keys;
    w->cap = cap;
    return true;
}

static struct gslb_share *site_row(struct work *w, unsigned side, const struct given *g)
{
    struct gslb_name_shift *n = w->shift;
    const char *what = site_text(w, side, g);
    for (unsigned i = 0; i < n->site_count; i++)
        if (!strcmp(n->sites[i].what, what))
            return &n->sites[i];
    n->sites[n->site_count].what = arena_strdup(&w->out->arena, what);
    w->err = n->sites[n->site_count].what ? w->err : ERR_NOMEM;
    return &n->sites[n->site_count++];
}

static struct gslb_share *member_row(struct work *w, unsigned side, const struct given *g)
{
    struct gslb_name_shift *n = w->shift;
    for (unsigned i = 0; i < n->member_count; i++)
        if (w->keys[i] == g->key)
            return &n->members[i];
    w->keys[n->member_count] = g->key;
    n->members[n->member_count].what = member_text(w, side, g);
    w->err = n->members[n->member_count].what ? w->err : ERR_NOMEM;
    return &n->members[n->member_count++];
}

static void add_rows(struct work *w, unsigned side, const double part[GSLB_SPACES])
{
    for (unsigned i = 0; i < w->dist[side].count && !w->err; i++) {
        const struct given *g = &w->dist[side].at[i];
        if (!rows_grow(w))
            return;
        struct gslb_share *rows[] = {site_row(w, side, g), member_row(w, side, g)};
        for (unsigned r = 0; r < 2; r++)
            for (unsigned k = 0; k < GSLB_SPACES; k++)
                *(side ? &rows[r]->after[k] : &rows[r]->before[k]) += part[k] * g->share;
    }
}

/* ---- one name ---- */

static double share_of(const struct dist *d, uint32_t key)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->at[i].key == key)
            return d->at[i].share;
    return 0;
}

/* How much of the clients of this part get something else: what is missing after. */
static double moved(const struct work *w)
{
    double sum = 0;
    for (unsigned i = 0; i < w->dist[0].count; i++) {
        double less = w->dist[0].at[i].share - share_of(&w->dist[1], w->dist[0].at[i].key);
        sum += less > 1e-9 ? less : 0; /* odds are rounded to parts of 2^32 */
    }
    return sum;
}

static void simulate_parts(struct work *w, const struct space *x)
{
    memcpy(w->shift->size, x->size, sizeof x->size);
    w->shift->covered = x->covered;
    for (unsigned i = 0; i < geo_parts_count(x->parts) && !w->err; i++) {
        double part[GSLB_SPACES], sum = 0;
        for (unsigned k = 0; k < GSLB_SPACES; k++) {
            part[k] = x->size[k] > 0 ? x->weight[i][k] / x->size[k] : 0;
            sum += part[k];
        }
        if (sum <= 0)
            continue;
        give_part(w, 0, geo_parts_at(x->parts, i));
        give_part(w, 1, geo_parts_at(x->parts, i));
        add_rows(w, 0, part);
        add_rows(w, 1, part);
        double m = moved(w);
        for (unsigned k = 0; k < GSLB_SPACES; k++)
            w->shift->changed[k] += part[k] * m;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct gslb_share *)a)->what, ((const struct gslb_share *)b)->what);
}

static uint16_t type_of(const struct gslb_name *a, const struct gslb_name *b)
{
    const struct gslb_name *names[] = {a, b};
    uint16_t type = 0;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; names[i] && k < names[i]->type_count; k++) {
            uint16_t t = names[i]->types[k];
            type =
                t == DNS_TYPE_A || !type || (t == DNS_TYPE_AAAA && type != DNS_TYPE_A) ? t : type;
        }
    return type ? type : DNS_TYPE_A;
}

static struct gslb_name_shift *shift_new(struct gslb_simulation *out)
{
    if (out->count == out->cap) {
        unsigned cap = out->cap ? 2 * out->cap : 16;
        struct gslb_name_shift *names = realloc(out->names, cap * sizeof *names);
        if (!names)
            return NULL;
        out->names = names;
        out->cap = cap;
    }
    out->names[out->count] = (struct gslb_name_shift){0};
    return &out->names[out->count++];
}

static int simulate_name(struct work *w, const uint8_t *owner)
{
    char text[DNS_NAME_TEXT_MAX];
    const struct gslb_name *n[2];
    const struct space *x;
    for (unsigned i = 0; i < 2; i++) {
        const struct gslb_plan *p = side_of(w, i)->plan;
        w->name[i] = p ? gslb_plan_name(p, owner) : GSLB_NONE;
        n[i] = w->name[i] == GSLB_NONE ? NULL : &p->names[w->name[i]];
    }
    if (!n[0] && !n[1])
        return ERR_NOT_FOUND;
    w->cap = 0;
    w->shift = shift_new(w->out);
    if (!w->shift)
        return ERR_NOMEM;
    dns_name_print(owner, text);
    w->shift->name = arena_strdup(&w->out->arena, text);
    w->shift->qtype = w->qtype = type_of(n[0], n[1]);
    if (!w->shift->name)
        return ERR_NOMEM;
    int err = space_of(w->s, w->name, &w->spaces, &x);
    if (!err)
        simulate_parts(w, x);
    err = err ? err : w->err;
    if (!err && w->cap) {
        qsort(w->shift->sites, w->shift->site_count, sizeof *w->shift->sites, by_text);
        qsort(w->shift->members, w->shift->member_count, sizeof *w->shift->members, by_text);
    }
    return err;
}

/* ---- all of them ---- */

static int simulate_names(struct work *w)
{
    const struct gslb_plan *plans[] = {w->s->before.plan, w->s->after.plan};
    int err = 0;
    if (w->s->name)
        return simulate_name(w, w->s->name);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; plans[i] && k < plans[i]->name_count && !err; k++) {
            const uint8_t *owner = plans[i]->names[k].owner;
            bool done = i && plans[0] && owner && gslb_plan_name(plans[0], owner) != GSLB_NONE;
            if (owner && !done)
                err = simulate_name(w, owner);
        }
    return err;
}

int gslb_simulate(const struct gslb_simulate *s, struct gslb_simulation **out)
{
    struct work *w = calloc(1, sizeof *w);
    struct gslb_simulation *to = calloc(1, sizeof *to);
    int err = w && to ? 0 : ERR_NOMEM;
    if (!err) {
        arena_init(&to->arena, 0, 0);
        w->s = s;
        w->out = to;
        w->worker[0].table = s->before.table;
        w->worker[1].table = s->after.table;
        err = simulate_names(w);
        space_free(w->spaces);
        free(w->dist[0].at);
        free(w->dist[1].at);
    }
    free(w);
    if (err)
        gslb_simulation_free(to);
    else
        *out = to;
    return err;
}

void gslb_simulation_free(struct gslb_simulation *s)
{
    if (!s)
        return;
    arena_fini(&s->arena);
    free(s->names);
    free(s);
}

unsigned gslb_simulation_count(const struct gslb_simulation *s)
{
    return s->count;
}

const struct gslb_name_shift *gslb_simulation_at(const struct gslb_simulation *s, unsigned index)
{
    return &s->names[index];
}
