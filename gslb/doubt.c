/* When most targets turn bad together, or all references fail, it is the prober's own network that
 * is suspected: nothing counts until that is over. */
#include "monitor_priv.h"

#include <stdio.h>

static bool references_fail(const struct scene *s)
{
    for (unsigned i = 0; i < s->reference_count; i++) {
        const struct probe *p = s->references[i];
        if (p->last_ms == INT64_MIN || p->last.result != GSLB_FAIL)
            return false;
    }
    return s->reference_count > 0;
}

static void target_forgive(struct gslb_monitor *m, struct target *t)
{
    list_remove(&t->turned);
    --m->turned_count;
    t->bad = 0;
    ++t->generation;
}

/* While frozen the window stands: those that turned are counted until they pass. */
static bool share_turned(struct gslb_monitor *m)
{
    const struct gslb_doubt *d = &m->scene->plan->doubt;
    int64_t now = monitor_now(m);
    while (!m->frozen && !list_is_empty(&m->turned)) {
        struct target *t = container_of(m->turned.next, struct target, turned);
        if (now - t->turned_ms <= d->window_ms)
            break;
        target_forgive(m, t);
    }
    unsigned all = m->scene->target_count;
    return d->share_permille && all && all >= d->targets_min &&
           (uint64_t)m->turned_count * 1000 >= (uint64_t)all * d->share_permille;
}

void doubt_weigh(struct gslb_monitor *m)
{
    char evidence[GSLB_EVIDENCE_MAX];
    bool references = references_fail(m->scene), share = share_turned(m);
    bool was = m->frozen;
    m->frozen = references || share;
    m->frozen_why = references ? "references" : share ? "share" : NULL;
    if (m->frozen == was)
        return;
    snprintf(evidence, sizeof evidence, "%u of %u targets turned bad; references %s",
             m->turned_count, m->scene->target_count,
             !m->scene->reference_count ? "none"
             : references               ? "fail"
                                        : "do not all fail");
    event_of(m, NULL, NULL, was ? "frozen" : "counting", was ? "counting" : "frozen", "doubt",
             evidence);
    if (was)
        machine_tick_all(m);
}

/* Each probe for itself: a port that is closed for good beside one that is open is no change. */
void doubt_note(struct gslb_monitor *m, struct probe *p, enum gslb_result result)
{
    struct target *t = p->target;
    bool was = p->passing;
    if (!t)
        return;
    p->passing = result == GSLB_PASS;
    if (p->passing) {
        if (p->turned == t->generation && !--t->bad)
            target_forgive(m, t);
        p->turned = 0;
    } else if (was && t->counts) {
        p->turned = t->generation;
        if (!t->bad++) {
            t->turned_ms = monitor_now(m);
            list_push(&m->turned, &t->turned);
            ++m->turned_count;
        }
    }
    doubt_weigh(m);
}

bool doubt_withdraw(struct gslb_monitor *m, const struct member *mb)
{
    const uint32_t share = m->scene->plan->doubt.withdraw_permille;
    const struct pool *pool = mb->pool;
    int64_t now = monitor_now(m);
    uint64_t all = 0, gone = 0;
    if (!share || share >= 1000 || !mb->endpoint->enabled || pool->plan->ignore_health)
        return true;
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++) {
        const struct member *other = &pool->members[i];
        if (!other->endpoint->enabled)
            continue;
        all += other->endpoint->weight;
        if (other != mb && other->withdrawn_ms != INT64_MIN && now - other->withdrawn_ms < 60000)
            gone += other->endpoint->weight;
    }
    /* One at least may always go: else a pool of few would keep its dead for ever. */
    return !gone || (gone + mb->endpoint->weight) * 1000 <= all * share;
}
