#include "gslb/health.h"

#define FULL          1000u  /* permille */
#define SLOW_FROM     100u   /* permille at the begin of a slow start */
#define STEP          50u    /* permille: finer steps of a ramp are not worth a new table */
#define UNSETTLED_MIN 10000u /* ms */

void gslb_rules_default(struct gslb_rules *r)
{
    *r = (struct gslb_rules){
        .fail_after = 3,
        .pass_after = 2,
        .reset_after = 1,
        .flap_penalty = 1000,
        .flap_suppress = 3000,
        .flap_reuse = 1000,
        .flap_half_life_ms = 300000,
    };
}

void gslb_health_init(struct gslb_health *h)
{
    *h = (struct gslb_health){
        .status = GSLB_UNKNOWN,
        .since_ms = INT64_MIN,
        .changed_ms = INT64_MIN,
        .seen_ms = INT64_MIN,
        .penalty_ms = INT64_MIN,
    };
}

/* Never is long ago; a time ahead of the clock is now. */
static uint64_t elapsed(int64_t since_ms, int64_t now_ms)
{
    if (since_ms == INT64_MIN)
        return UINT64_MAX;
    return now_ms > since_ms ? (uint64_t)now_ms - (uint64_t)since_ms : 0;
}

static int64_t later(int64_t t_ms, uint64_t by_ms)
{
    uint64_t room = (uint64_t)INT64_MAX - (uint64_t)t_ms;
    return by_ms < room ? (int64_t)((uint64_t)t_ms + by_ms) : INT64_MAX;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static void count(uint32_t *n)
{
    if (*n < UINT32_MAX)
        ++*n;
}

static bool enough(uint32_t n, uint32_t rule)
{
    return n >= (rule ? rule : 1);
}

/* ---- penalty ---- */

static bool damped(const struct gslb_rules *r)
{
    return r->flap_penalty && r->flap_suppress && r->flap_half_life_ms;
}

/* Always from the stored value: a decay that was stored anew with each tick would never move a
 * small penalty, since each step rounds to nothing. */
uint32_t gslb_health_penalty(const struct gslb_health *h, const struct gslb_rules *r,
                             int64_t now_ms)
{
    if (!damped(r) || !h->penalty)
        return 0;
    uint64_t half = r->flap_half_life_ms;
    uint64_t gone = elapsed(h->penalty_ms, now_ms);
    if (gone / half >= 32)
        return 0;
    uint64_t p = h->penalty >> (gone / half);
    return (uint32_t)(p - p * (gone % half) / (2 * half));
}

/* The first moment with at most `reuse` left: the half-life in which it falls so low, then the
 * place on its line. There p - reuse is at most half of p, rounded up, so the product fits. */
static int64_t reuse_ms(const struct gslb_health *h, const struct gslb_rules *r)
{
    uint64_t half = r->flap_half_life_ms;
    unsigned halves = 0;
    while (halves < 32 && ((uint64_t)h->penalty >> halves) > r->flap_reuse)
        halves++;
    if (!halves)
        return h->penalty_ms;
    uint64_t p = h->penalty >> (halves - 1);
    uint64_t rest = divide_up((p - r->flap_reuse) * 2 * half, p);
    return later(h->penalty_ms, (halves - 1) * half + (rest < half ? rest : half));
}

/* ---- the machine ---- */

static bool held(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    return elapsed(h->changed_ms, now_ms) < r->hold_ms;
}

static bool wants_change(const struct gslb_health *h, const struct gslb_rules *r)
{
    if (h->status == GSLB_UP)
        return enough(h->fails, r->fail_after);
    return h->status == GSLB_DOWN && enough(h->passes, r->pass_after) && !h->suppressed &&
           (!r->manual_resume || h->resumed);
}

static void enter(struct gslb_health *h, enum gslb_status status, int64_t now_ms)
{
    h->status = status;
    h->since_ms = now_ms;
    h->fails = 0;
    h->passes = 0;
    h->resumed = false;
}

static void change(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    enter(h, h->status == GSLB_UP ? GSLB_DOWN : GSLB_UP, now_ms);
    h->changed_ms = now_ms;
    if (damped(r)) {
        uint64_t sum = (uint64_t)gslb_health_penalty(h, r, now_ms) + r->flap_penalty;
        h->penalty = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
        h->penalty_ms = now_ms;
    } else {
        h->penalty = 0;
    }
    /* Only one that goes down is suppressed: damping delays a return, it keeps no broken one in
     * service and takes no good one out. */
    h->suppressed = h->status == GSLB_DOWN && damped(r) && h->penalty >= r->flap_suppress &&
                    h->penalty > r->flap_reuse;
}

/* What follows from the counts at this time. The rules may be others than last time. */
bool gslb_health_tick(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    if (h->suppressed && gslb_health_penalty(h, r, now_ms) <= r->flap_reuse)
        h->suppressed = false;
    h->resume_wanted = h->status == GSLB_DOWN && r->manual_resume && !h->resumed &&
                       enough(h->passes, r->pass_after);
    if (!wants_change(h, r) || held(h, r, now_ms))
        return false;
    change(h, r, now_ms);
    return true;
}

bool gslb_health_take(struct gslb_health *h, const struct gslb_rules *r, enum gslb_result result,
                      int64_t now_ms)
{
    if (result == GSLB_NO_VERDICT)
        return false;
    h->seen_ms = now_ms;
    if (h->status == GSLB_UNKNOWN) {
        enter(h, result == GSLB_PASS ? GSLB_UP : GSLB_DOWN, now_ms);
        return true;
    }
    if (result == GSLB_PASS) {
        count(&h->passes);
        if (enough(h->passes, r->reset_after))
            h->fails = 0;
    } else {
        h->passes = 0;
        h->resumed = false;
        if (h->status == GSLB_UP)
            count(&h->fails);
    }
    return gslb_health_tick(h, r, now_ms);
}

bool gslb_health_resume(struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    if (h->status != GSLB_DOWN || !enough(h->passes, r->pass_after))
        return false;
    h->resumed = true;
    if (h->suppressed) { /* as if it had waited, so that the bound of the penalty stands */
        h->suppressed = false;
        h->penalty = r->flap_reuse;
        h->penalty_ms = now_ms;
    }
    return gslb_health_tick(h, r, now_ms);
}

/* ---- what it says ---- */

static uint32_t unsettled_ms(const struct gslb_rules *r)
{
    return r->hold_ms > UNSETTLED_MIN ? r->hold_ms : UNSETTLED_MIN;
}

bool gslb_health_unsettled(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    if (h->status == GSLB_UNKNOWN || elapsed(h->changed_ms, now_ms) < unsettled_ms(r))
        return true;
    return h->status == GSLB_UP ? h->fails > 0 : h->passes > 0 && !h->resume_wanted;
}

static bool slow(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    return h->status == GSLB_UP && elapsed(h->changed_ms, now_ms) < r->slow_start_ms;
}

uint16_t gslb_health_permille(const struct gslb_health *h, const struct gslb_rules *r,
                              int64_t now_ms)
{
    if (!slow(h, r, now_ms))
        return FULL;
    uint64_t risen = (FULL - SLOW_FROM) * elapsed(h->changed_ms, now_ms) / r->slow_start_ms;
    return (uint16_t)(SLOW_FROM + risen);
}

int64_t gslb_health_next(const struct gslb_health *h, const struct gslb_rules *r, int64_t now_ms)
{
    int64_t next = INT64_MAX;
    if (h->suppressed)
        next = damped(r) ? reuse_ms(h, r) : now_ms;
    if (wants_change(h, r))
        next = earliest(next, held(h, r, now_ms) ? later(h->changed_ms, r->hold_ms) : now_ms);
    if (elapsed(h->changed_ms, now_ms) < unsettled_ms(r))
        next = earliest(next, later(h->changed_ms, unsettled_ms(r)));
    if (slow(h, r, now_ms)) {
        uint64_t rise = (gslb_health_permille(h, r, now_ms) / STEP + 1) * STEP - SLOW_FROM;
        uint64_t at = divide_up(rise * r->slow_start_ms, FULL - SLOW_FROM);
        next = earliest(next, later(h->changed_ms, at));
    }
    return next > now_ms ? next : now_ms;
}

/* ---- several checks ---- */

enum gslb_status gslb_combine(enum gslb_combine how, unsigned k, const enum gslb_status *checks,
                              unsigned count)
{
    unsigned up = 0, open = 0;
    for (unsigned i = 0; i < count; i++) {
        up += checks[i] == GSLB_UP;
        open += checks[i] == GSLB_UNKNOWN;
    }
    /* ALL is count of count, ANY is one of count. */
    unsigned need = how == GSLB_ALL_OF ? count : how == GSLB_ANY_OF || !k ? 1 : k;
    if (need > count)
        need = count;
    if (up >= need)
        return GSLB_UP;
    return up + open < need ? GSLB_DOWN : GSLB_UNKNOWN;
}

/* ---- the operator's word ---- */

static bool in_force(const struct gslb_forced *f, int64_t now_ms)
{
    return f && f->force != GSLB_FORCE_NONE && (now_ms < f->until_ms || f->until_ms == INT64_MAX);
}

/* A part of a part, rounded up: only nothing of it makes nothing. */
static uint16_t part(uint16_t permille, uint64_t share, uint64_t whole)
{
    return (uint16_t)divide_up(permille * share, whole);
}

/* What is left of the ramp; 0: drained. */
static uint64_t drain_left(const struct gslb_forced *f, int64_t now_ms)
{
    uint64_t gone = elapsed(f->since_ms, now_ms);
    return gone < f->drain_ms ? f->drain_ms - gone : 0;
}

struct gslb_effect gslb_health_effect(enum gslb_status status, uint16_t permille, bool unsettled,
                                      const struct gslb_forced *f, bool warm, int64_t now_ms)
{
    bool up = status == GSLB_UP || (status == GSLB_UNKNOWN && warm);
    uint16_t weight = !up ? 0 : permille < FULL ? permille : FULL;
    struct gslb_effect e = {.unsettled = unsettled, .until_ms = INT64_MAX};

    if (in_force(f, now_ms)) {
        e.forced = true;
        e.until_ms = f->until_ms;
        switch (f->force) {
        case GSLB_FORCE_UP:
            weight = FULL;
            e.unsettled = false;
            break;
        case GSLB_FORCE_DOWN:
            weight = 0;
            e.unsettled = false;
            break;
        case GSLB_FORCE_DRAIN: {
            uint64_t left = drain_left(f, now_ms);
            weight = left ? part(weight, left, f->drain_ms) : 0;
            e.unsettled = left > 0; /* drained is as good as forced down */
            break;
        }
        case GSLB_FORCE_WEIGHT:
            weight = part(weight, f->permille < FULL ? f->permille : FULL, FULL);
            break;
        case GSLB_FORCE_NONE:
            break;
        }
    }
    e.up = weight > 0;
    e.permille = weight;
    return e;
}

int64_t gslb_forced_next(const struct gslb_forced *f, int64_t now_ms)
{
    if (!in_force(f, now_ms))
        return INT64_MAX;
    int64_t next = f->until_ms;
    uint64_t left = f->force == GSLB_FORCE_DRAIN ? drain_left(f, now_ms) : 0;
    if (left) {
        uint64_t steps = FULL / STEP;
        uint64_t gone = elapsed(f->since_ms, now_ms);
        uint64_t step = gone * steps / f->drain_ms + 1;
        next = earliest(next, later(f->since_ms, divide_up(step * f->drain_ms, steps)));
    }
    return next;
}
