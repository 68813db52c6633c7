#include "monitor_priv.h"

#include <math.h>
#include <string.h>

#define CHANCE_99 2.576 /* standard deviations that hold 99 of 100 */

static void set(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value ? value : json_null());
}

static void set_text(json_t *o, const char *key, const char *text)
{
    set(o, key, text && *text ? json_string(text) : NULL);
}

static void set_time(const struct gslb_monitor *m, json_t *o, const char *key, int64_t mono_ms)
{
    bool none = mono_ms == INT64_MIN || mono_ms == INT64_MAX;
    set(o, key, none ? NULL : json_integer(monitor_wall_ms(m, mono_ms)));
}

static const char *result_name(const struct probe *p)
{
    static const char *const names[] = {
        [GSLB_PASS] = "pass", [GSLB_FAIL] = "fail", [GSLB_NO_VERDICT] = "no verdict"};
    return p->last_ms == INT64_MIN ? NULL : names[p->last.result];
}

static json_t *check_json(const struct gslb_monitor *m, const struct seat *seat)
{
    const struct machine *k = seat->machine;
    const struct probe *p = k->probe;
    char address[ADDR_TEXT_MAX] = "";
    if (p->address.family)
        addr_print(&p->address, address);
    json_t *o = json_object();
    set_text(o, "name", seat->check->name);
    set_text(o, "type", gslb_check_type_name(seat->check->type));
    set_text(o, "address", address);
    set_text(o, "state", monitor_status_name(k->health.status));
    set_time(m, o, "since", k->health.since_ms);
    set_text(o, "result", result_name(p));
    set_time(m, o, "last", p->last_ms);
    set_text(o, "evidence", p->last.evidence);
    set(o, "timings",
        json_pack("{s:I, s:I, s:I, s:I}", "connect_us", (json_int_t)p->last.connect_us, "tls_us",
                  (json_int_t)p->last.tls_us, "first_us", (json_int_t)p->last.first_us, "total_us",
                  (json_int_t)p->last.total_us));
    set(o, "rtt_us", p->srtt_us ? json_integer(p->srtt_us) : NULL);
    set(o, "penalty", json_integer(gslb_health_penalty(&k->health, k->rules, monitor_now(m))));
    set(o, "suppressed", json_boolean(k->health.suppressed));
    set(o, "resume_wanted", json_boolean(k->health.resume_wanted));
    set(o, "prober", p->mute >= 3 ? json_integer(p->mute) : NULL);
    return o;
}

static json_t *forced_json(const struct gslb_monitor *m, const struct member *mb)
{
    if (!mb->order || mb->forced.until_ms <= monitor_now(m))
        return json_null();
    json_t *o = json_object();
    set_text(o, "force", order_force_name(mb->forced.force));
    set_text(o, "what", mb->order->what);
    set(o, "permille", json_integer(mb->forced.permille));
    set_time(m, o, "since", mb->forced.since_ms);
    set_time(m, o, "until", mb->forced.until_ms);
    set_text(o, "note", mb->order->note);
    set_text(o, "by", mb->order->by);
    return o;
}

/* When no cache can hold its address any more; none while it is given without an end in sight. */
static json_t *safe_json(const struct gslb_monitor *m, const struct member *mb, uint32_t until_s)
{
    bool drains = mb->order && mb->forced.force == GSLB_FORCE_DRAIN;
    int64_t at = until_s ? ((int64_t)until_s + 1) * 1000 : 0; /* given within that second */
    if (!drains && (mb->view.up || !at))
        return json_null();
    if (drains && mb->view.up) { /* its last answer is still to come, with a TTL like the others */
        int64_t end = mb->forced.since_ms + mb->forced.drain_ms, now = monitor_now(m);
        at = (at > now ? at - now : 0) + end;
    }
    return at ? json_integer(monitor_wall_ms(m, at)) : json_null();
}

static int64_t member_since(const struct member *mb)
{
    int64_t since = INT64_MIN;
    for (unsigned i = 0; i < mb->seat_count; i++)
        if (mb->seats[i].machine->health.since_ms > since)
            since = mb->seats[i].machine->health.since_ms;
    return since;
}

static json_t *addresses_json(const struct gslb_monitor *m, const struct gslb_endpoint *e)
{
    json_t *list = json_array();
    struct addr at[2 * GSLB_HOST_ADDRESSES];
    char text[ADDR_TEXT_MAX];
    unsigned n = member_addresses(m, m->scene->plan, e, at);
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, json_string(addr_print(&at[i], text)));
    return list;
}

/* What its weight would give, and what was given since the weights are these; by chance 99 of 100
 * times it lies within the band. Where clients are hashed few of them decide, and there is none. */
static void tell_expected(const struct gslb_monitor *m, const struct member *mb, json_t *o)
{
    const struct pool *pool = mb->pool;
    uint64_t weights = 0, all = 0, mine = 0;
    uint32_t until;
    bool random = pool->plan->policy == GSLB_WEIGHTED, looked = pool->shares_since_ms != 0;
    for (unsigned i = 0; looked && pool_expects(pool) && i < pool->plan->endpoint_count; i++) {
        const struct member *other = &pool->members[i];
        uint64_t given = member_answers(m, other, &until) - other->share_base;
        weights += other->share_weight;
        all += given;
        mine = other == mb ? given : mine;
    }
    double share = weights ? (double)mb->share_weight / (double)weights : 0;
    double half = all ? CHANCE_99 * sqrt(share * (1 - share) / (double)all) : 1;
    double got = all ? (double)mine / (double)all : 0;
    set(o, "expected", weights ? json_real(share * 1000) : NULL);
    set(o, "observed", weights && all ? json_real(got * 1000) : NULL);
    set(o, "counted", weights ? json_integer((json_int_t)all) : NULL);
    set(o, "band",
        weights && all && random ? json_pack("[f, f]", share > half ? (share - half) * 1000 : 0.0,
                                             share + half < 1 ? (share + half) * 1000 : 1000.0)
                                 : NULL);
    set(o, "outside", weights && all && random ? json_boolean(fabs(got - share) > half) : NULL);
}

static json_t *member_json(const struct gslb_monitor *m, const struct member *mb, uint64_t all)
{
    uint32_t until_s;
    uint64_t answers = member_answers(m, mb, &until_s);
    json_t *o = json_object(), *checks = json_array();
    for (unsigned i = 0; i < mb->seat_count; i++)
        json_array_append_new(checks, check_json(m, &mb->seats[i]));
    set_text(o, "name", mb->endpoint->name);
    set(o, "address", addresses_json(m, mb->endpoint));
    set_text(o, "state", monitor_status_name(mb->status));
    set(o, "up", json_boolean(mb->view.up));
    set(o, "unsettled", json_boolean(mb->view.unsettled));
    set(o, "held_back", json_boolean(mb->held_back));
    set_time(m, o, "since", member_since(mb));
    set(o, "forced", forced_json(m, mb));
    set(o, "enabled", json_boolean(mb->endpoint->enabled));
    set(o, "weight", json_integer(mb->endpoint->weight));
    set(o, "permille", json_integer(mb->view.permille));
    set(o, "over", json_boolean(mb->view.over));
    set(o, "load", mb->view.has_load ? json_integer(mb->view.load) : NULL);
    set(o, "rtt_us", mb->view.rtt_us ? json_integer(mb->view.rtt_us) : NULL);
    set(o, "answers", json_integer((json_int_t)answers));
    set(o, "share", all ? json_integer((json_int_t)(answers * 1000 / all)) : NULL);
    tell_expected(m, mb, o);
    set(o, "safe_after", safe_json(m, mb, until_s));
    set(o, "checks", checks);
    return o;
}

static json_t *pool_json(const struct gslb_monitor *m, const struct pool *pool)
{
    json_t *o = json_object(), *members = json_array();
    uint64_t all = 0;
    uint32_t until;
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++)
        all += member_answers(m, &pool->members[i], &until);
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++)
        json_array_append_new(members, member_json(m, &pool->members[i], all));
    set_text(o, "name", pool->plan->name);
    set_text(o, "site",
             pool->plan->site == GSLB_NONE ? NULL : m->scene->plan->sites[pool->plan->site].name);
    set_text(o, "policy", gslb_policy_name(pool->plan->policy));
    set(o, "usable", json_boolean(pool->usable));
    set(o, "members", members);
    return o;
}

static unsigned probers_mute(const struct scene *s)
{
    unsigned n = 0;
    for (const struct probe *p = s ? s->first : NULL; p; p = p->later)
        n += p->mute >= 3;
    return n;
}

json_t *gslb_monitor_status(const struct gslb_monitor *m)
{
    json_t *o = json_object(), *pools = json_array();
    if (!o || !pools) {
        json_decref(o);
        json_decref(pools);
        return NULL;
    }
    for (unsigned i = 0; m->scene && i < m->scene->plan->pool_count; i++)
        json_array_append_new(pools, pool_json(m, &m->scene->pools[i]));
    set(o, "time", json_integer(monitor_wall_ms(m, monitor_now(m))));
    set(o, "frozen", json_boolean(m->frozen));
    set_text(o, "frozen_why", m->frozen_why);
    set(o, "ready", json_boolean(gslb_monitor_ready(m)));
    set(o, "probes", json_integer(m->scene ? m->scene->probe_count : 0));
    set(o, "prober", json_integer(probers_mute(m->scene)));
    set(o, "event_errors", json_integer((json_int_t)m->events.errors));
    set(o, "saving", json_boolean(!m->memory.failed && !m->orders_unsure));
    set(o, "pools", pools);
    return o;
}

json_t *gslb_monitor_events(const struct gslb_monitor *m, uint64_t after, unsigned max)
{
    json_t *list = json_array();
    const struct events *e = &m->events;
    uint64_t first = e->count > MONITOR_EVENTS ? e->count - MONITOR_EVENTS : 0;
    first = after > first ? after : first;
    if (first < e->count && e->count - first > max)
        first = e->count - max;
    for (uint64_t n = first; list && n < e->count; n++)
        if (json_array_append_new(list, event_json(&e->ring[n % MONITOR_EVENTS]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* ---- for simulate ---- */

static json_t *slot_json(const struct gslb_monitor *m, uint32_t slot)
{
    const struct gslb_view v = gslb_table_get(m->place.table, slot);
    json_t *o = json_object();
    set_text(o, "identity", gslb_table_identity(m->place.table, slot));
    set(o, "up", json_boolean(v.up));
    set(o, "known", json_boolean(v.known));
    set(o, "unsettled", json_boolean(v.unsettled));
    set(o, "forced", json_boolean(v.forced));
    set(o, "over", json_boolean(v.over));
    set(o, "was_up", json_boolean(v.was_up));
    set(o, "permille", json_integer(v.permille));
    set(o, "load", v.has_load ? json_integer(v.load) : NULL);
    set(o, "rtt_us", json_integer(v.rtt_us));
    set_time(m, o, "until", v.until_s == UINT32_MAX ? INT64_MAX : (int64_t)v.until_s * 1000);
    return o;
}

json_t *gslb_monitor_export(const struct gslb_monitor *m)
{
    const struct scene *s = m->scene;
    json_t *o = json_object(), *members = json_array(), *names = json_array();
    for (unsigned i = 0; s && i < s->member_count; i++)
        json_array_append_new(members, slot_json(m, s->members[i].endpoint->slot));
    for (unsigned i = 0; s && i < s->plan->name_count; i++) {
        uint32_t second = 0, slot = s->plan->names[i].slot;
        uint32_t pool =
            s->plan->names[i].owner ? gslb_table_last(m->place.table, slot, &second) : GSLB_NO_SLOT;
        if (pool == GSLB_NO_SLOT)
            continue;
        json_t *name = json_object();
        set_text(name, "identity", gslb_table_identity(m->place.table, slot));
        set_text(name, "pool", gslb_table_identity(m->place.table, pool));
        set_time(m, name, "last", (int64_t)second * 1000);
        json_array_append_new(names, name);
    }
    if (!o || !members || !names) {
        json_decref(o);
        json_decref(members);
        json_decref(names);
        return NULL;
    }
    set(o, "version", json_integer(1));
    set(o, "time", json_integer(monitor_wall_ms(m, monitor_now(m))));
    set(o, "members", members);
    set(o, "names", names);
    return o;
}
