/* What machines and the operator say, into the table that workers read. */
#include "monitor_priv.h"

/* Per check all of its addresses, then the member's own rule over its checks. */
static enum gslb_status member_combine(const struct member *mb, enum gslb_status *scratch)
{
    const struct gslb_endpoint *e = mb->endpoint;
    unsigned checks = 0;
    for (unsigned i = 0; i < mb->seat_count;) {
        enum gslb_status all = GSLB_UP;
        unsigned check_at = mb->seats[i].check_at;
        for (; i < mb->seat_count && mb->seats[i].check_at == check_at; i++) {
            enum gslb_status both[2] = {all, mb->seats[i].machine->health.status};
            all = gslb_combine(GSLB_ALL_OF, 0, both, 2);
        }
        scratch[checks++] = all;
    }
    return gslb_combine(e->combine, e->k, scratch, checks);
}

/* Too much going down at once is more likely to be ours than theirs. A first verdict is no
 * withdrawal, and what was let down is not taken back. */
static void member_decide(struct gslb_monitor *m, struct member *mb, enum gslb_status status)
{
    if (status != GSLB_DOWN || mb->status != GSLB_UP) {
        mb->held_back = false;
        mb->status = status;
        return;
    }
    if (doubt_withdraw(m, mb)) {
        mb->held_back = false;
        mb->status = GSLB_DOWN;
        mb->withdrawn_ms = monitor_now(m);
    } else if (!mb->held_back) {
        mb->held_back = true;
        event_of(m, mb, NULL, "up", "up", "withdraw",
                 "down, but as much of the pool as may went down in this minute");
    }
}

static struct gslb_effect member_effect(const struct member *mb, int64_t now)
{
    uint16_t permille = 1000;
    bool unsettled = mb->held_back;
    for (unsigned i = 0; i < mb->seat_count; i++) {
        const struct machine *k = mb->seats[i].machine;
        uint16_t slow = gslb_health_permille(&k->health, k->rules, now);
        permille = slow < permille ? slow : permille;
        unsettled = unsettled || gslb_health_unsettled(&k->health, k->rules, now);
    }
    return gslb_health_effect(mb->status, permille, unsettled, mb->order ? &mb->forced : NULL, true,
                              now);
}

static uint32_t until_seconds(int64_t until_ms)
{
    if (until_ms < 0)
        return 0;
    return until_ms / 1000 < UINT32_MAX ? (uint32_t)(until_ms / 1000) : UINT32_MAX;
}

/* Of its first check that knows one: checks of other kinds take other times. */
static uint32_t member_rtt(const struct member *mb)
{
    for (unsigned i = 0; i < mb->seat_count; i++)
        if (mb->seats[i].machine->probe->srtt_us)
            return mb->seats[i].machine->probe->srtt_us;
    return 0;
}

static void pool_mark(struct gslb_monitor *m, struct pool *pool)
{
    if (list_is_empty(&pool->dirty))
        list_push(&m->dirty, &pool->dirty);
}

void member_show(struct member *mb)
{
    struct gslb_monitor *m = mb->pool->monitor;
    int64_t now = monitor_now(m);
    struct gslb_view was = mb->view, *v = &mb->view;
    member_decide(m, mb, member_combine(mb, m->scene->scratch));
    struct gslb_effect e = member_effect(mb, now);
    bool said = e.forced && mb->forced.force != GSLB_FORCE_WEIGHT;
    v->up = e.up;
    v->permille = e.permille;
    v->known = said || mb->status != GSLB_UNKNOWN;
    v->unsettled = e.unsettled;
    v->forced = e.forced;
    v->until_s = e.until_ms == INT64_MAX ? UINT32_MAX : until_seconds(e.until_ms);
    v->rtt_us = member_rtt(mb);
    if (v->has_load && now >= mb->load_until_ms) {
        v->has_load = false;
        v->load = 0;
    }
    if (was.up != v->up || was.known != v->known || was.permille != v->permille)
        pool_mark(m, mb->pool);
    gslb_table_put(m->place.table, mb->endpoint->slot, v);
    int64_t next = mb->order ? gslb_forced_next(&mb->forced, now) : INT64_MAX;
    if (next == INT64_MAX)
        wheel_disarm(&m->wheel, &mb->timer);
    else
        wheel_arm(&m->wheel, &mb->timer, next > now ? next : now + 1);
}

void member_fire(struct wheel_timer *t)
{
    member_show(container_of(t, struct member, timer));
}

/* ---- pools ---- */

static void pool_fill(struct gslb_monitor *m, const struct pool *pool, bool known_only)
{
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++) {
        const struct member *mb = &pool->members[i];
        bool all = pool->plan->ignore_health;
        m->pick_members[i] = (struct gslb_member){
            .id = i, .weight = mb->endpoint->enabled ? mb->endpoint->weight : 0};
        m->pick_states[i] = (struct gslb_member_state){
            .up = all || (mb->view.up && (mb->view.known || !known_only)),
            .permille = all ? 1000 : mb->view.permille,
        };
    }
}

/* The same words as for a query decide whether the pool is usable. */
static bool pool_ask(struct gslb_monitor *m, const struct pool *pool, bool known_only, unsigned *n)
{
    pool_fill(m, pool, known_only);
    const struct gslb_pick pick = {
        .policy = GSLB_ALL,
        .members = m->pick_members,
        .states = m->pick_states,
        .count = pool->plan->endpoint_count,
        .healthy_permille = pool->plan->healthy_permille,
    };
    return gslb_pick(&pick, m->picked, n) == GSLB_USABLE;
}

/* Who is up is remembered while enough are, and stands still while not. Unknown ones, which are
 * given in good faith, prove nothing. */
static void pool_settle(struct gslb_monitor *m, struct pool *pool)
{
    unsigned n;
    bool was = pool->confirmed;
    pool->usable = pool_ask(m, pool, false, &n);
    pool->confirmed = pool_ask(m, pool, true, &n);
    if (pool->confirmed != was)
        m->names_dirty = true;
    if (!pool->confirmed)
        return;
    for (unsigned i = 0, at = 0; i < pool->plan->endpoint_count; i++) {
        struct member *mb = &pool->members[i];
        bool up = at < n && m->picked[at] == i;
        at += up;
        if (mb->view.was_up == up)
            continue;
        mb->view.was_up = up;
        m->memory.dirty = true;
        gslb_table_put(m->place.table, mb->endpoint->slot, &mb->view);
    }
}

void pools_settle(struct gslb_monitor *m)
{
    LIST_FOR (it, &m->dirty) {
        list_remove(it);
        pool_settle(m, container_of(it, struct pool, dirty));
    }
}

/* ---- names ---- */

/* A pool, or the one that stands in for it. */
static int chain_usable(const struct scene *s, int pool)
{
    for (unsigned hops = 0; pool != GSLB_NONE && hops <= s->plan->pool_count; hops++) {
        if (s->pools[pool].confirmed)
            return pool;
        pool = s->plan->pools[pool].fallback;
    }
    return GSLB_NONE;
}

static int name_winner(const struct scene *s, const struct gslb_name *name)
{
    for (unsigned i = 0; i < name->pool_count; i++) {
        int pool = chain_usable(s, name->pools[i]);
        if (pool != GSLB_NONE)
            return pool;
    }
    return chain_usable(s, name->fallback_pool);
}

static void name_put(struct gslb_monitor *m, unsigned i, int pool)
{
    const struct scene *s = m->scene;
    gslb_table_put_last(m->place.table, s->plan->names[i].slot, s->plan->pools[pool].slot,
                        until_seconds(monitor_now(m)));
}

/* With the last one gone, that was its last moment. */
static void name_settle(struct gslb_monitor *m, unsigned i)
{
    struct scene *s = m->scene;
    if (!s->plan->names[i].owner)
        return;
    int was = s->winner[i], now = name_winner(s, &s->plan->names[i]);
    if (now != GSLB_NONE || was != GSLB_NONE)
        name_put(m, i, now != GSLB_NONE ? now : was);
    if (now != was)
        m->memory.dirty = true;
    s->winner[i] = now;
}

void names_settle(struct gslb_monitor *m)
{
    m->names_dirty = false;
    for (unsigned i = 0; i < m->scene->plan->name_count; i++)
        name_settle(m, i);
}

/* The time of the last usable moment moves on: some names each second, so that a lot of them make
 * no long turn. */
void names_refresh(struct gslb_monitor *m)
{
    unsigned count = m->scene->plan->name_count;
    for (unsigned i = 0; i < 2000 && i < count; i++) {
        unsigned at = m->refreshed++ % count;
        if (m->scene->winner[at] != GSLB_NONE)
            name_put(m, at, m->scene->winner[at]);
    }
}
