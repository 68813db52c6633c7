#include "monitor_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define PUSHED_LOAD_MS 60000
#define LOAD_MAX       1000000

/* ---- time and names ---- */

int64_t monitor_wall_ms(const struct gslb_monitor *m, int64_t mono_ms)
{
    return clock_wall_us(m->place.clock) / 1000 - (monitor_now(m) - mono_ms);
}

int64_t monitor_mono_ms(const struct gslb_monitor *m, int64_t wall_ms)
{
    int64_t age = clock_wall_us(m->place.clock) / 1000 - wall_ms;
    return monitor_now(m) - (age > 0 ? age : 0);
}

const char *monitor_status_name(enum gslb_status s)
{
    return s == GSLB_UP ? "up" : s == GSLB_DOWN ? "down" : "unknown";
}

const char *member_print(const struct member *mb, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s", mb->pool->plan->name, mb->endpoint->name);
    return out;
}

/* ---- life ---- */

static int monitor_read(struct gslb_monitor *m, struct diag_list *d)
{
    if (!m->place.state)
        return 0;
    m->memory.path = strdup(m->place.state);
    if (!m->memory.path || asprintf(&m->orders_path, "%s.orders", m->place.state) < 0) {
        m->orders_path = NULL;
        return ERR_NOMEM;
    }
    int err = memory_read(m, d);
    return err ? err : orders_read(m, d);
}

static void monitor_fini(struct gslb_monitor *m)
{
    orders_fini(m);
    memory_fini(&m->memory);
    events_fini(&m->events);
    free(m->orders_path);
    free(m);
}

int gslb_monitor_new(struct gslb_monitor **out, const struct gslb_monitor_place *place,
                     struct diag_list *d)
{
    struct gslb_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->place = *place;
    wheel_init(&m->wheel, monitor_now(m));
    rng_init_fixed(&m->rng, place->seed);
    list_init(&m->ready);
    list_init(&m->dirty);
    list_init(&m->turned);
    m->second_ms = monitor_now(m) + 1000;
    m->memory.saved_ms = monitor_now(m);
    events_init(&m->events, place->events);
    int err = monitor_read(m, d);
    if (err) {
        monitor_fini(m);
        return err;
    }
    *out = m;
    return 0;
}

void gslb_monitor_free(struct gslb_monitor *m)
{
    if (!m)
        return;
    if (m->orders_unsure)
        orders_save(m);
    memory_flush(m);
    scene_adopt(m, NULL);
    monitor_fini(m);
}

int gslb_monitor_plan(struct gslb_monitor *m, struct gslb_plan *plan)
{
    struct scene *s = NULL;
    memory_restart(m);
    int err = plan ? scene_new(m, plan, &s) : 0;
    if (!err)
        scene_adopt(m, s);
    return err;
}

bool gslb_monitor_ready(const struct gslb_monitor *m)
{
    return !m->unanswered;
}

/* ---- time ---- */

/* Loads grow old, and what was held back may go when the minute is over. */
static void members_second(struct gslb_monitor *m)
{
    int64_t now = monitor_now(m);
    for (unsigned i = 0; i < m->scene->member_count; i++) {
        struct member *mb = &m->scene->members[i];
        if (mb->held_back || (mb->view.has_load && now >= mb->load_until_ms))
            member_show(mb);
    }
}

static void monitor_second(struct gslb_monitor *m)
{
    int64_t now = monitor_now(m);
    if (now < m->second_ms)
        return;
    m->second_ms = now - m->second_ms < 1000 ? m->second_ms + 1000 : now + 1000;
    events_reopen(&m->events);
    if (m->scene) {
        doubt_weigh(m);
        members_second(m);
        shares_sample(m);
        names_refresh(m);
    }
    if (m->orders_unsure)
        orders_save(m);
}

unsigned gslb_monitor_turn(struct gslb_monitor *m)
{
    int64_t now = monitor_now(m);
    bool second = now >= m->second_ms;
    wheel_run(&m->wheel, now);
    orders_expire(m);
    schedule_start(m);
    monitor_second(m);
    pools_settle(m);
    if (m->names_dirty && m->scene)
        names_settle(m);
    bool more = memory_save(m, second);
    if (more || !list_is_empty(&m->ready))
        return 0;
    int64_t wait = m->second_ms - now, timer = wheel_next(&m->wheel, now);
    wait = timer >= 0 && timer < wait ? timer : wait;
    if (m->orders_next_ms - now < wait)
        wait = m->orders_next_ms - now;
    return wait > 1000 ? 1000 : wait > 0 ? (unsigned)wait : 0;
}

/* ---- told from outside ---- */

static struct seat *push_seat(const struct member *mb, const char *check)
{
    struct seat *found = NULL;
    for (unsigned i = 0; i < mb->seat_count; i++) {
        struct seat *seat = &mb->seats[i];
        if (seat->check->type != GSLB_CHECK_PUSH ||
            (check && strcmp(check, seat->check->name) != 0))
            continue;
        if (found)
            return NULL; /* which one is not said */
        found = seat;
    }
    return found;
}

int gslb_monitor_push(struct gslb_monitor *m, const char *member, const char *check,
                      enum gslb_result result, const char *evidence)
{
    struct member *mb = scene_member(m, member);
    struct seat *seat = mb ? push_seat(mb, check) : NULL;
    if (!seat)
        return ERR_NOT_FOUND;
    struct probe *p = seat->machine->probe;
    struct gslb_probe_result r = {.result = result, .code = -1};
    snprintf(r.evidence, sizeof r.evidence, "%s", evidence ? evidence : "pushed");
    if (result != GSLB_NO_VERDICT) {
        p->due_ms = INT64_MIN;
        probe_arm(p);
    }
    probe_take(p, &r, "push");
    pools_settle(m);
    return 0;
}

int gslb_monitor_load(struct gslb_monitor *m, const char *member, uint32_t load)
{
    struct member *mb = scene_member(m, member);
    if (!mb)
        return ERR_NOT_FOUND;
    if (load > LOAD_MAX)
        return ERR_RANGE;
    mb->view.has_load = true;
    mb->view.load = load;
    mb->load_until_ms = monitor_now(m) + PUSHED_LOAD_MS;
    member_show(mb);
    return 0;
}

int gslb_monitor_resume(struct gslb_monitor *m, const char *member, unsigned *matched)
{
    *matched = 0;
    for (unsigned i = 0; m->scene && i < m->scene->member_count; i++) {
        struct member *mb = &m->scene->members[i];
        if (!order_matches(mb, m->scene->plan, order_kind(member), member))
            continue;
        ++*matched;
        for (unsigned j = 0; j < mb->seat_count; j++) {
            struct machine *k = mb->seats[j].machine;
            enum gslb_status was = k->health.status;
            gslb_health_resume(&k->health, k->rules, monitor_now(m));
            m->memory.dirty = true;
            machine_show(k, "resume", was, k->probe->last.evidence);
        }
    }
    pools_settle(m);
    return *matched ? 0 : ERR_NOT_FOUND;
}
