#include "monitor_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

static uint64_t hash_text(const char *text, uint64_t seed)
{
    return text ? hash_bytes(text, strlen(text), seed) : seed;
}

static uint64_t address_key(const struct addr *a)
{
    return hash_bytes(a->ip, sizeof a->ip, a->scope);
}

/* Equal for all that gslb_check_same finds equal; which check is shared is its decision. */
static uint64_t probe_key(const struct gslb_check *c, const struct addr *a, uint32_t slot)
{
    uint64_t key = address_key(a) + ((uint64_t)c->type << 32 | slot);
    if (c->type == GSLB_CHECK_PUSH)
        return hash_text(c->name, key);
    if (c->type == GSLB_CHECK_HTTP || c->type == GSLB_CHECK_HTTPS)
        key = hash_text(c->host, hash_text(c->path, key));
    return hash_mix(key + ((uint64_t)gslb_check_port(c) << 40));
}

static bool probe_is(const struct probe *p, uint64_t key, const struct gslb_check *c,
                     const struct addr *a, uint32_t slot)
{
    if (p->key != key || p->slot != slot || !addr_equal(&p->address, a))
        return false;
    if (c->type == GSLB_CHECK_PUSH)
        return p->check->type == GSLB_CHECK_PUSH && !strcmp(p->check->name, c->name);
    return gslb_check_same(p->check, c);
}

static struct probe *probe_find(const struct scene *s, uint64_t key, const struct gslb_check *c,
                                const struct addr *a, uint32_t slot)
{
    struct probe *p = s->probes[key & s->mask];
    while (p && !probe_is(p, key, c, a, slot))
        p = p->next;
    return p;
}

static struct target *target_find(const struct scene *s, const struct addr *a)
{
    struct target *t = s->targets[address_key(a) & s->mask];
    while (t && !(addr_same_ip(&t->address, a) && t->address.scope == a->scope))
        t = t->next;
    return t;
}

static bool rules_same(const struct gslb_rules *a, const struct gslb_rules *b)
{
    return a->fail_after == b->fail_after && a->pass_after == b->pass_after &&
           a->reset_after == b->reset_after && a->hold_ms == b->hold_ms &&
           a->slow_start_ms == b->slow_start_ms && a->flap_penalty == b->flap_penalty &&
           a->flap_suppress == b->flap_suppress && a->flap_reuse == b->flap_reuse &&
           a->flap_half_life_ms == b->flap_half_life_ms && a->manual_resume == b->manual_resume;
}

static struct machine *machine_find(const struct probe *p, const struct gslb_rules *rules)
{
    struct machine *k = p ? p->machines : NULL;
    while (k && !rules_same(k->rules, rules))
        k = k->next;
    return k;
}

/* ---- room ---- */

static bool pool_is_bounded(const struct gslb_pool *p)
{
    return p->policy == GSLB_CONSISTENT && p->bound_permille;
}

struct sizes {
    size_t seats, buckets, windows; /* windows: members whose answers are counted */
    unsigned members, checks;       /* checks: most of one member */
    uint32_t slots;
};

/* Without a monitor a host name's addresses are not known: one of each family then. */
static size_t seats_of(const struct gslb_monitor *m, const struct gslb_plan *plan,
                       const struct gslb_endpoint *e)
{
    struct addr addresses[2 * GSLB_HOST_ADDRESSES];
    unsigned n = (e->address[0].family != 0) + (e->address[1].family != 0);
    if (e->kind == GSLB_HOST)
        n = m ? member_addresses(m, plan, e, addresses) : 2;
    return (size_t)e->check_count * (n > 1 ? n : 1);
}

static struct sizes sizes_of(const struct gslb_monitor *m, const struct gslb_plan *plan)
{
    struct sizes z = {.buckets = 64, .checks = 1};
    for (unsigned i = 0; i < plan->pool_count; i++) {
        const struct gslb_pool *pool = &plan->pools[i];
        z.members += pool->endpoint_count;
        z.windows += pool_is_bounded(pool) ? pool->endpoint_count : 0;
        for (unsigned j = 0; j < pool->endpoint_count; j++) {
            const struct gslb_endpoint *e = &pool->endpoints[j];
            z.seats += seats_of(m, plan, e);
            z.checks = e->check_count > z.checks ? e->check_count : z.checks;
            z.slots = e->slot >= z.slots ? e->slot + 1 : z.slots;
        }
    }
    while (z.buckets < z.seats)
        z.buckets *= 2;
    return z;
}

/* Each array begins on a multiple of eight. */
static size_t room_size(const struct sizes *z, const struct gslb_plan *plan)
{
    size_t references = plan->doubt.reference_count, probes = z->seats + references;
    return plan->pool_count * sizeof(struct pool) + z->members * sizeof(struct member) +
           z->slots * sizeof(struct member *) +
           z->seats * (sizeof(struct seat) + sizeof(struct machine)) +
           probes * (sizeof(struct probe) + sizeof(struct target)) +
           z->buckets * (sizeof(struct probe *) + sizeof(struct target *)) +
           references * sizeof(struct probe *) +
           z->windows * (MONITOR_WINDOW + 1) * sizeof(uint64_t) +
           z->checks * sizeof(enum gslb_status) + plan->name_count * sizeof(int) + 2 * 8;
}

/* Zeroed: the room was made so. */
static void *take(struct scene *s, size_t n)
{
    n = (n + 7) & ~(size_t)7;
    if (n > s->room.size - s->used)
        return NULL;
    s->used += n;
    return s->room.at + s->used - n;
}

#define TAKE(s, type, n) ((type *)take((s), sizeof(type) * (n)))

static int room_make(struct block *room, size_t size)
{
    int err = block_resize(room, size);
    if (!err)
        memset(room->at, 0, size);
    return err;
}

void gslb_monitor_prepare(struct gslb_plan *plan)
{
    struct sizes z = sizes_of(NULL, plan);
    if (!plan->room.at)
        room_make(&plan->room, room_size(&z, plan));
}

/* ---- making ---- */

static struct target *target_get(struct scene *s, const struct addr *a)
{
    struct target *t = target_find(s, a);
    if (t)
        return t;
    t = TAKE(s, struct target, 1);
    if (!t)
        return NULL;
    struct target **bucket = &s->targets[address_key(a) & s->mask];
    t->next = *bucket;
    t->address = *a;
    list_init(&t->turned);
    t->generation = 1;
    *bucket = t;
    return t;
}

static struct probe *probe_get(struct gslb_monitor *m, struct scene *s, const struct gslb_check *c,
                               const struct addr *a, uint32_t slot)
{
    uint64_t key = probe_key(c, a, slot);
    struct probe *p = probe_find(s, key, c, a, slot);
    if (p) {
        if (c->every_ms < p->check->every_ms)
            p->check = c;
        return p;
    }
    p = TAKE(s, struct probe, 1);
    if (!p)
        return NULL;
    p->m = m;
    p->key = key;
    p->check = c;
    p->address = *a;
    p->slot = slot;
    p->due_ms = p->last_ms = INT64_MIN;
    if (c->type != GSLB_CHECK_PUSH && !(p->target = target_get(s, a)))
        return NULL;
    if (m->scene)
        p->before = probe_find(m->scene, key, c, a, slot);
    wheel_timer_init(&p->timer, probe_fire);
    list_init(&p->ready);
    struct probe **bucket = &s->probes[key & s->mask];
    p->next = *bucket;
    *bucket = p;
    *(s->last ? &s->last->later : &s->first) = p;
    s->last = p;
    ++s->probe_count;
    return p;
}

static struct member *member_before(const struct gslb_monitor *m, uint32_t slot)
{
    return m->scene && slot < m->scene->slots ? m->scene->by_slot[slot] : NULL;
}

/* Rules that changed go on from what the same seat knew; a seat that joins a probe, from what is
 * known there. */
static struct machine *machine_before(const struct gslb_monitor *m, const struct member *mb,
                                      const struct probe *p, const struct gslb_check *c)
{
    if (!p->before)
        return NULL;
    struct machine *k = machine_find(p->before, &c->rules);
    const struct member *before = k ? NULL : member_before(m, mb->endpoint->slot);
    for (unsigned i = 0; before && i < before->seat_count; i++) {
        const struct seat *seat = &before->seats[i];
        if (seat->machine->probe == p->before && !strcmp(seat->check->name, c->name))
            return seat->machine;
    }
    return k ? k : p->before->machines;
}

static int seat_make(struct gslb_monitor *m, struct scene *s, struct member *mb, unsigned check_at,
                     const struct addr *a)
{
    const struct gslb_check *c = &s->plan->checks[mb->endpoint->checks[check_at]];
    bool push = c->type == GSLB_CHECK_PUSH;
    struct probe *p = probe_get(m, s, c, a, push ? mb->endpoint->slot : GSLB_NO_SLOT);
    if (!p)
        return ERR_NOMEM;
    if (p->target && !p->target->counts) {
        p->target->counts = true;
        ++s->target_count;
    }
    struct machine *k = machine_find(p, &c->rules);
    if (!k) {
        k = TAKE(s, struct machine, 1);
        if (!k)
            return ERR_NOMEM;
        wheel_timer_init(&k->timer, machine_fire);
        gslb_health_init(&k->health);
        k->probe = p;
        k->rules = &c->rules;
        k->before = machine_before(m, mb, p, c);
        k->next = p->machines;
        p->machines = k;
    }
    struct seat *seat = &s->seats[s->seat_count++];
    *seat = (struct seat){
        .next = k->seats, .member = mb, .machine = k, .check = c, .check_at = check_at};
    k->seats = seat;
    ++mb->seat_count;
    return 0;
}

unsigned member_addresses(const struct gslb_monitor *m, const struct gslb_plan *plan,
                          const struct gslb_endpoint *e, struct addr *out)
{
    struct gslb_target_found found;
    unsigned n = 0;
    if (e->kind == GSLB_ADDRESSES)
        for (unsigned f = 0; f < 2; f++)
            if (e->address[f].family)
                out[n++] = e->address[f];
    if (e->kind != GSLB_HOST || !plan->targets ||
        !gslb_target_find(plan->targets, e->target, NULL, (uint32_t)(monitor_now(m) / 1000),
                          &found))
        return n;
    for (unsigned f = 0; f < 2; f++) {
        const uint8_t *p = found.rdata[f];
        for (unsigned i = 0; i < found.count[f] && i < GSLB_HOST_ADDRESSES; i++) {
            struct dns_rd rd = dns_rd_next(&p);
            out[n++] = addr_of_bytes(rd.at, rd.len, 0);
        }
    }
    return n;
}

/* At an address of its own a check is made once, else at each address of the member. */
static int seats_make(struct gslb_monitor *m, struct scene *s, struct member *mb)
{
    static const struct addr nowhere;
    const struct gslb_endpoint *e = mb->endpoint;
    struct addr addresses[2 * GSLB_HOST_ADDRESSES];
    unsigned count = member_addresses(m, s->plan, e, addresses);
    int err = 0;
    mb->seats = s->seats + s->seat_count;
    for (unsigned i = 0; i < e->check_count && !err; i++) {
        const struct gslb_check *c = &s->plan->checks[e->checks[i]];
        if (c->type == GSLB_CHECK_NONE)
            continue;
        if (c->type == GSLB_CHECK_PUSH)
            err = seat_make(m, s, mb, i, &nowhere);
        else if (c->address.family)
            err = seat_make(m, s, mb, i, &c->address);
        else
            for (unsigned f = 0; f < count && !err; f++)
                err = seat_make(m, s, mb, i, &addresses[f]);
    }
    return err;
}

static int members_make(struct gslb_monitor *m, struct scene *s)
{
    struct member *mb = s->members;
    int err = 0;
    for (unsigned i = 0; i < s->plan->pool_count && !err; i++) {
        struct gslb_pool *plan = &s->plan->pools[i];
        struct pool *pool = &s->pools[i];
        pool->monitor = m;
        pool->plan = plan;
        pool->members = mb;
        list_init(&pool->dirty);
        for (unsigned j = 0; j < plan->endpoint_count && !err; j++, mb++) {
            mb->endpoint = &plan->endpoints[j];
            mb->pool = pool;
            mb->withdrawn_ms = INT64_MIN;
            wheel_timer_init(&mb->timer, member_fire);
            s->by_slot[mb->endpoint->slot] = mb;
            if (pool_is_bounded(plan)) {
                mb->answers = TAKE(s, uint64_t, MONITOR_WINDOW + 1);
                err = mb->answers ? 0 : ERR_NOMEM;
            }
            if (!err)
                err = seats_make(m, s, mb);
        }
    }
    return err;
}

static int references_make(struct gslb_monitor *m, struct scene *s)
{
    const struct gslb_doubt *d = &s->plan->doubt;
    for (unsigned i = 0; i < d->reference_count; i++) {
        const struct gslb_check *c = &s->plan->checks[d->references[i]];
        struct probe *p = probe_get(m, s, c, &d->reference_address[i], GSLB_NO_SLOT);
        if (!p)
            return ERR_NOMEM;
        p->reference = true;
        s->references[s->reference_count++] = p;
    }
    return 0;
}

static int arrays_make(struct scene *s, const struct sizes *z)
{
    s->member_count = z->members;
    s->slots = z->slots;
    s->mask = z->buckets - 1;
    s->pools = TAKE(s, struct pool, s->plan->pool_count);
    s->members = TAKE(s, struct member, z->members);
    s->by_slot = TAKE(s, struct member *, z->slots);
    s->seats = TAKE(s, struct seat, z->seats);
    s->probes = TAKE(s, struct probe *, z->buckets);
    s->targets = TAKE(s, struct target *, z->buckets);
    s->references = TAKE(s, struct probe *, s->plan->doubt.reference_count);
    s->scratch = TAKE(s, enum gslb_status, z->checks);
    s->winner = TAKE(s, int, s->plan->name_count);
    if (!s->pools || !s->members || !s->by_slot || !s->seats || !s->probes || !s->targets ||
        !s->references || !s->scratch || !s->winner)
        return ERR_NOMEM;
    for (unsigned i = 0; i < s->plan->name_count; i++)
        s->winner[i] = GSLB_NONE;
    return 0;
}

void scene_free(struct scene *s)
{
    block_free(&s->room);
    free(s);
}

int scene_new(struct gslb_monitor *m, struct gslb_plan *plan, struct scene **out)
{
    struct scene *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->plan = plan;
    struct sizes z = sizes_of(m, plan);
    size_t size = room_size(&z, plan);
    int err = 0;
    if (plan->room.size >= size) {
        s->room = plan->room;
        plan->room = (struct block){0};
    } else { /* a host name has got more addresses, or nobody prepared it */
        block_free(&plan->room);
        err = room_make(&s->room, size);
    }
    err = err ? err : arrays_make(s, &z);
    err = err ? err : members_make(m, s);
    err = err ? err : references_make(m, s);
    if (err)
        scene_free(s);
    else
        *out = s;
    return err;
}

struct member *scene_member(const struct gslb_monitor *m, const char *name)
{
    char identity[512];
    int len = snprintf(identity, sizeof identity, "member/%s", name);
    if (!m->scene || len >= (int)sizeof identity)
        return NULL;
    uint32_t slot = gslb_table_find(m->place.table, identity);
    return slot < m->scene->slots ? m->scene->by_slot[slot] : NULL;
}

/* ---- taking over ---- */

/* Which targets turned bad of late: probe by probe, since some of them may be gone. */
static void turned_adopt(struct gslb_monitor *m, struct scene *s)
{
    struct list old;
    if (list_is_empty(&m->turned))
        return;
    list_init(&old);
    for (struct list *it; (it = list_first(&m->turned));) {
        list_remove(it);
        list_push(&old, it);
    }
    for (struct probe *p = s->first; p; p = p->later) {
        const struct probe *was = p->before;
        if (!was || !was->target || !p->target->counts || was->turned != was->target->generation)
            continue;
        p->turned = p->target->generation;
        ++p->target->bad;
    }
    m->turned_count = 0;
    for (struct list *it; (it = list_first(&old));) {
        const struct target *was = container_of(it, struct target, turned);
        struct target *t = target_find(s, &was->address);
        list_remove(it);
        if (!t || !t->bad)
            continue;
        t->turned_ms = was->turned_ms;
        list_push(&m->turned, &t->turned);
        ++m->turned_count;
    }
}

static void probe_adopt(struct gslb_monitor *m, struct probe *p)
{
    struct probe *was = p->before;
    p->before = NULL;
    if (was) {
        p->run = was->run;
        if (p->run)
            p->run->probe = p;
        was->run = NULL;
        p->due_ms = was->due_ms;
        p->asked = was->asked;
        p->answered = was->answered;
        p->passing = was->passing;
        p->mute = was->mute;
        p->srtt_us = was->srtt_us;
        p->last = was->last;
        p->last_ms = was->last_ms;
        int64_t latest = monitor_now(m) + p->check->every_ms;
        if (p->asked && p->check->type != GSLB_CHECK_PUSH && p->due_ms > latest)
            p->due_ms = latest;
    }
    for (struct machine *k = p->machines; k; k = k->next) {
        if (k->before)
            k->health = k->before->health;
        else
            for (struct seat *seat = k->seats; seat && !k->restored; seat = seat->next)
                k->restored = memory_restore(m, seat, &k->health);
        k->before = NULL;
        /* So that an outage of ours right after a restart is seen as one. */
        if (k->restored && k->health.status == GSLB_UP)
            p->passing = true;
    }
    if (!p->answered && p->check->type != GSLB_CHECK_PUSH)
        ++m->unanswered;
}

static void member_adopt(struct gslb_monitor *m, struct member *mb)
{
    const struct member *was = member_before(m, mb->endpoint->slot);
    if (was) {
        mb->status = was->status;
        mb->held_back = was->held_back;
        mb->withdrawn_ms = was->withdrawn_ms;
        mb->load_until_ms = was->load_until_ms;
        mb->view = was->view;
        if (mb->answers && was->answers)
            memcpy(mb->answers, was->answers, (MONITOR_WINDOW + 1) * sizeof *mb->answers);
        mb->pool->seconds = mb->answers && was->answers ? was->pool->seconds : 0;
        return;
    }
    mb->view.was_up = memory_was_up(m, mb);
    for (unsigned i = 0; i < mb->seat_count; i++) /* what was restored is no news */
        if (mb->seats[i].machine->health.status == GSLB_DOWN)
            mb->status = GSLB_DOWN;
}

/* Nothing of the scene before is in a list, in the wheel or under way afterwards. */
static void scene_leave(struct gslb_monitor *m, struct scene *old, const struct scene *s)
{
    for (struct probe *p = old->first; p; p = p->later)
        probe_cancel(p);
    wheel_init(&m->wheel, m->wheel.now_ms);
    list_init(&m->ready);
    list_init(&m->dirty);
    for (unsigned i = 0; i < old->member_count; i++) {
        const struct member *mb = &old->members[i];
        uint32_t slot = mb->endpoint->slot;
        for (unsigned j = 0; j < mb->seat_count && (!s || slot >= s->slots || !s->by_slot[slot]);
             j++)
            memory_keep(m, &mb->seats[j]);
    }
    struct gslb_plan *plan = old->plan;
    scene_free(old);
    part_unref(gslb_plan_part(plan));
}

/* What it took over is shown, and asked when it is due. */
static void scene_show(struct gslb_monitor *m, struct scene *s)
{
    for (struct probe *p = s->first; p; p = p->later) {
        probe_arm(p);
        for (struct machine *k = p->machines; k; k = k->next)
            machine_arm(k);
    }
    for (unsigned i = 0; i < s->member_count; i++)
        member_show(&s->members[i]);
    for (unsigned i = 0; i < s->plan->pool_count; i++)
        if (list_is_empty(&s->pools[i].dirty))
            list_push(&m->dirty, &s->pools[i].dirty);
    pools_settle(m);
    names_settle(m);
    doubt_weigh(m);
    m->memory.dirty = true;
}

void scene_adopt(struct gslb_monitor *m, struct scene *s)
{
    struct scene *old = m->scene;
    m->unanswered = 0;
    if (s) {
        turned_adopt(m, s);
        for (struct probe *p = s->first; p; p = p->later)
            probe_adopt(m, p);
        for (unsigned i = 0; i < s->member_count; i++)
            member_adopt(m, &s->members[i]);
    }
    if (old)
        scene_leave(m, old, s);
    if (!s) {
        list_init(&m->turned);
        m->turned_count = 0;
        m->frozen = m->names_dirty = false;
        m->frozen_why = NULL;
    }
    m->scene = s;
    if (!s)
        return;
    orders_assign(m);
    memory_restore_names(m);
    scene_show(m, s);
}
