/* Who was given how often: bounded load, and what status says of answers. */
#include "monitor_priv.h"

__extension__ typedef unsigned __int128 wide;

/* Fewer answers in a window overload nobody, and say little of shares. */
#define ANSWERS_MIN 100

uint64_t member_answers(const struct gslb_monitor *m, const struct member *mb, uint32_t *until_s)
{
    uint64_t sum = 0;
    *until_s = 0;
    for (unsigned i = 0; i < m->place.tally_count; i++) {
        uint32_t until = 0;
        sum += gslb_tally_count(m->place.tallies[i], mb->endpoint->slot, &until);
        *until_s = until > *until_s ? until : *until_s;
    }
    return sum;
}

static uint64_t member_share_weight(const struct member *mb)
{
    if (mb->pool->plan->ignore_health)
        return mb->endpoint->enabled ? (uint64_t)mb->endpoint->weight * 1000 : 0;
    bool available = mb->endpoint->enabled && mb->view.up;
    return available ? (uint64_t)mb->endpoint->weight * mb->view.permille : 0;
}

static void over_put(struct gslb_monitor *m, struct member *mb, bool over)
{
    if (mb->view.over == over)
        return;
    mb->view.over = over;
    gslb_table_put(m->place.table, mb->endpoint->slot, &mb->view);
}

static void pool_sample(struct gslb_monitor *m, struct pool *pool)
{
    const unsigned slots = MONITOR_WINDOW + 1, at = pool->seconds % slots;
    uint64_t answers = 0, weights = 0;
    uint32_t until;
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++)
        pool->members[i].answers[at] = member_answers(m, &pool->members[i], &until);
    ++pool->seconds;
    unsigned oldest = pool->seconds < slots ? 0 : pool->seconds % slots;
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++) {
        const struct member *mb = &pool->members[i];
        answers += mb->answers[at] - mb->answers[oldest];
        weights += member_share_weight(mb);
    }
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++) {
        struct member *mb = &pool->members[i];
        uint64_t mine = mb->answers[at] - mb->answers[oldest];
        wide bound = (wide)pool->plan->bound_permille * member_share_weight(mb) * answers;
        over_put(m, mb, answers >= ANSWERS_MIN && (wide)mine * weights * 1000 > bound);
    }
}

/* Shares can only be held against weights that stay. */
static void pool_settle(struct gslb_monitor *m, struct pool *pool)
{
    bool same = pool->shares_since_ms != 0;
    uint32_t until;
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++) {
        struct member *mb = &pool->members[i];
        uint64_t weight = member_share_weight(mb);
        same = same && weight == mb->share_weight;
        mb->share_weight = weight;
    }
    if (same)
        return;
    pool->shares_since_ms = monitor_now(m);
    for (unsigned i = 0; i < pool->plan->endpoint_count; i++)
        pool->members[i].share_base = member_answers(m, &pool->members[i], &until);
}

bool pool_expects(const struct pool *pool)
{
    switch (pool->plan->policy) {
    case GSLB_WEIGHTED:
    case GSLB_WEIGHTED_ROUND_ROBIN:
    case GSLB_HASH:
    case GSLB_CONSISTENT:
    case GSLB_STICKY:
        return pool->plan->near == GSLB_NONE && pool->plan->answers <= 1;
    default:
        return false;
    }
}

void shares_sample(struct gslb_monitor *m)
{
    const struct scene *s = m->scene;
    for (unsigned i = 0; i < s->plan->pool_count; i++)
        if (pool_expects(&s->pools[i]))
            pool_settle(m, &s->pools[i]);
    for (unsigned i = 0; i < s->plan->pool_count; i++)
        if (s->plan->pools[i].endpoint_count && s->pools[i].members->answers)
            pool_sample(m, &s->pools[i]);
}
