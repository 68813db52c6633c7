#include "monitor_priv.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* Starting one costs the asker some 50 us; more wait for the next turn, so that none is long. */
#define STARTS_PER_TURN 128

/* ---- probes ---- */

/* A wait is the interval or up to `jitter` less, never more: an outage is seen after fail-after
 * intervals. The first one after the first probe is any part of it: what began together spreads. */
static int64_t probe_wait(struct probe *p, bool spread)
{
    const struct gslb_check *c = p->check;
    uint32_t every = c->every_ms ? c->every_ms : 1;
    if (spread)
        return 1 + (int64_t)rng_below(&p->m->rng, every);
    uint32_t jitter = (uint32_t)((uint64_t)every * c->jitter_permille / 1000);
    return (int64_t)every - jitter + (int64_t)rng_below(&p->m->rng, jitter + 1);
}

void probe_arm(struct probe *p)
{
    struct gslb_monitor *m = p->m;
    int64_t now = monitor_now(m);
    if (p->check->type == GSLB_CHECK_PUSH) {
        if (!p->check->timeout_ms)
            return;
        if (p->due_ms == INT64_MIN || p->due_ms > now + p->check->timeout_ms)
            p->due_ms = now + p->check->timeout_ms;
        wheel_arm(&m->wheel, &p->timer, p->due_ms);
    } else if (p->due_ms <= now) {
        if (list_is_empty(&p->ready))
            list_push(&m->ready, &p->ready);
    } else {
        wheel_arm(&m->wheel, &p->timer, p->due_ms);
    }
}

void probe_fire(struct wheel_timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);
    if (p->check->type != GSLB_CHECK_PUSH) {
        if (list_is_empty(&p->ready))
            list_push(&p->m->ready, &p->ready);
        return;
    }
    struct gslb_probe_result r = {.result = GSLB_FAIL, .code = -1};
    snprintf(r.evidence, sizeof r.evidence, "nothing was pushed for %u ms", p->check->timeout_ms);
    p->due_ms = INT64_MIN;
    probe_arm(p);
    probe_take(p, &r, "silence");
}

static void run_end(struct run *run)
{
    if (run->probe)
        run->probe->run = NULL;
    part_unref(gslb_plan_part(run->plan));
    free(run);
}

static void on_probed(void *arg, const struct gslb_probe_result *r)
{
    struct run *run = arg;
    struct probe *p = run->probe;
    run_end(run);
    probe_take(p, r, "probe");
    pools_settle(p->m);
}

static int probe_start(struct probe *p)
{
    struct gslb_monitor *m = p->m;
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return ERR_NOMEM;
    run->probe = p;
    run->plan = m->scene->plan;
    part_ref(gslb_plan_part(run->plan));
    p->run = run;
    int err =
        m->place.asker->start(m->place.asker, p->check, &p->address, on_probed, run, &run->handle);
    if (err)
        run_end(run);
    return err;
}

void probe_cancel(struct probe *p)
{
    struct gslb_monitor *m = p->m;
    if (!p->run)
        return;
    m->place.asker->cancel(m->place.asker, p->run->handle);
    run_end(p->run);
}

/* One that still runs is left alone: its next turn comes an interval later. */
static void probe_begin(struct probe *p)
{
    int64_t now = monitor_now(p->m);
    bool first = !p->asked;
    /* Counted from when it was due: a late turn does not stretch the interval. */
    int64_t from = p->due_ms != INT64_MIN && now - p->due_ms < p->check->every_ms ? p->due_ms : now;
    p->asked = true;
    p->due_ms = from + probe_wait(p, first);
    if (p->due_ms <= now)
        p->due_ms = now + 1;
    probe_arm(p);
    int err = p->run ? 0 : probe_start(p);
    if (!err)
        return;
    struct gslb_probe_result r = {.result = GSLB_NO_VERDICT, .code = -1};
    snprintf(r.evidence, sizeof r.evidence, "not started: %s", err_text(err));
    probe_take(p, &r, "probe");
}

void schedule_start(struct gslb_monitor *m)
{
    for (unsigned i = 0; i < STARTS_PER_TURN && !list_is_empty(&m->ready); i++) {
        struct probe *p = container_of(m->ready.next, struct probe, ready);
        list_remove(&p->ready);
        probe_begin(p);
    }
}

/* ---- results ---- */

/* RFC 6298 2.3: an eighth of the new one. */
static void probe_time(struct probe *p, const struct gslb_probe_result *r)
{
    if (r->result != GSLB_PASS || !r->total_us)
        return;
    uint64_t smooth = p->srtt_us ? ((uint64_t)p->srtt_us * 7 + r->total_us) / 8 : r->total_us;
    p->srtt_us = smooth ? (uint32_t)smooth : 1;
}

static void probe_load(struct probe *p, const struct gslb_probe_result *r, int64_t now)
{
    if (!r->has_load)
        return;
    for (struct machine *k = p->machines; k; k = k->next)
        for (struct seat *seat = k->seats; seat; seat = seat->next) {
            struct member *mb = seat->member;
            mb->view.has_load = true;
            mb->view.load = r->load;
            mb->load_until_ms = now + 3 * (int64_t)p->check->every_ms;
        }
}

void probe_take(struct probe *p, const struct gslb_probe_result *r, const char *why)
{
    struct gslb_monitor *m = p->m;
    int64_t now = monitor_now(m);
    p->last = *r;
    p->last_ms = now;
    if (!p->answered) {
        p->answered = true;
        if (p->check->type != GSLB_CHECK_PUSH)
            --m->unanswered;
    }
    if (r->result == GSLB_NO_VERDICT) { /* our failure says nothing about the member */
        if (p->mute < UINT32_MAX)
            ++p->mute;
        return;
    }
    p->mute = 0;
    doubt_note(m, p, r->result);
    if (m->frozen)
        return;
    probe_time(p, r);
    probe_load(p, r, now);
    for (struct machine *k = p->machines; k; k = k->next) {
        enum gslb_status was = k->health.status;
        gslb_health_take(&k->health, k->rules, r->result, now);
        machine_show(k, why, was, r->evidence);
    }
}

/* ---- machines ---- */

void machine_arm(struct machine *k)
{
    struct gslb_monitor *m = k->probe->m;
    int64_t now = monitor_now(m);
    int64_t next = gslb_health_next(&k->health, k->rules, now);
    if (next == INT64_MAX)
        wheel_disarm(&m->wheel, &k->timer);
    else
        wheel_arm(&m->wheel, &k->timer, next > now ? next : now + 1);
}

void machine_show(struct machine *k, const char *why, enum gslb_status was, const char *evidence)
{
    struct gslb_monitor *m = k->probe->m;
    machine_arm(k);
    if (k->health.status != was)
        m->memory.dirty = true;
    for (struct seat *seat = k->seats; seat; seat = seat->next) {
        if (why && k->health.status != was)
            event_of(m, seat->member, seat->check->name, monitor_status_name(was),
                     monitor_status_name(k->health.status), why, evidence);
        member_show(seat->member);
    }
}

static void machine_tick(struct machine *k)
{
    struct gslb_monitor *m = k->probe->m;
    enum gslb_status was = k->health.status;
    if (!m->frozen)
        gslb_health_tick(&k->health, k->rules, monitor_now(m));
    machine_show(k, "time", was, k->probe->last.evidence);
}

void machine_fire(struct wheel_timer *t)
{
    machine_tick(container_of(t, struct machine, timer));
}

/* What would have happened in time while nothing counted. */
void machine_tick_all(struct gslb_monitor *m)
{
    struct scene *s = m->scene;
    for (struct probe *p = s ? s->first : NULL; p; p = p->later)
        for (struct machine *k = p->machines; k; k = k->next)
            machine_tick(k);
}
