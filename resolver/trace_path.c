/* resolver/trace_path.c: which part of the time was spent waiting for what.
 * Each walk's steps follow one another; between the step "wait" and its next step it waits for an
 * attempt of its own or for a walk that it started. Following those waits downwards from the
 * client's own walk gives the critical path. */
#include "resolver/resolver.h"
#include "trace_priv.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

/* What matters of one event. */
struct mark {
    uint32_t at_us, seq, n;
    uint8_t iter;
    enum { MARK_OTHER, MARK_STEP, MARK_WAIT, MARK_FINISH, MARK_OUTCOME, MARK_BEGIN } kind;
};

struct marks {
    struct mark *at;
    unsigned count;
};

static bool is_step(const struct trace_event *e, const char *name)
{
    return e->f[0].len == strlen(name) && !memcmp(e->f[0].bytes, name, e->f[0].len);
}

static struct mark mark_of(const struct trace_event *e)
{
    struct mark m = {.at_us = e->at_us, .iter = (uint8_t)e->iter};
    if (e->kind == TRACE_STEP) {
        bool waits = is_step(e, "wait") || is_step(e, "join"); /* join: for another worker */
        m.kind = waits ? MARK_WAIT : is_step(e, "finish") ? MARK_FINISH : MARK_STEP;
    } else if (e->kind == TRACE_OUTCOME) {
        m.kind = MARK_OUTCOME;
        m.seq = e->f[0].number;
        m.n = e->f[1].number;
    } else if (e->kind == TRACE_SUB) {
        m.kind = MARK_BEGIN; /* written by the walk that starts it */
        m.iter = (uint8_t)e->f[0].number;
    }
    return m;
}

static bool marks_read(struct marks *m, const struct resolver_result *res)
{
    struct trace_event e = {0};
    unsigned n = 0;
    for (size_t at = 0; trace_next(res, &at, &e);)
        n++;
    m->at = calloc(n + 1, sizeof *m->at);
    m->count = 0;
    for (size_t at = 0; m->at && m->count < n && trace_next(res, &at, &e);)
        m->at[m->count++] = mark_of(&e);
    return m->at != NULL;
}

static void add_span(struct trace_path *p, struct trace_span s, uint32_t not_before)
{
    struct trace_span *last = p->spans && p->count ? &p->spans[p->count - 1] : NULL;
    s.from_us = s.from_us < not_before ? not_before : s.from_us;
    if (s.to_us <= s.from_us)
        return;
    if (last && last->what == s.what && last->seq == s.seq && last->n == s.n) {
        last->to_us = s.to_us;
        return;
    }
    if (!p->spans || p->count == p->cap) {
        unsigned cap = p->cap ? p->cap * 2 : 32;
        struct trace_span *grown = realloc(p->spans, cap * sizeof *grown);
        if (!grown)
            return;
        p->spans = grown;
        p->cap = cap;
    }
    p->spans[p->count++] = s;
}

/* The walk that ended last before mark i, and where it began; -1: none. */
static int ended_before(const struct marks *m, unsigned i, unsigned iter, uint32_t since_us,
                        uint32_t *began_us)
{
    for (unsigned j = i; j-- > 0 && m->at[j].at_us >= since_us;) {
        if (m->at[j].kind != MARK_FINISH || m->at[j].iter == iter)
            continue;
        for (unsigned k = j; k-- > 0;)
            if (m->at[k].kind == MARK_BEGIN && m->at[k].iter == m->at[j].iter) {
                *began_us = m->at[k].at_us;
                return m->at[j].iter;
            }
    }
    return -1;
}

/* One walk's time up to its mark `end` (not included) and to_us, cut off below from_us. */
static void follow(struct trace_path *p, const struct marks *m, unsigned iter, unsigned end,
                   uint32_t from_us, uint32_t to_us, unsigned depth)
{
    const struct mark *outcome = NULL;
    uint32_t since = from_us;
    bool waiting = false;
    for (unsigned i = 0; i < end; i++) {
        const struct mark *e = &m->at[i];
        if (e->iter != iter || e->kind == MARK_OTHER || e->kind == MARK_BEGIN)
            continue;
        if (e->kind == MARK_OUTCOME) {
            outcome = e;
            continue;
        }
        uint32_t began = 0;
        int sub = waiting && !outcome ? ended_before(m, i, iter, since, &began) : -1;
        if (waiting && outcome) {
            add_span(
                p, (struct trace_span){since, e->at_us, TRACE_SPAN_REPLY, outcome->seq, outcome->n},
                from_us);
        } else if (sub >= 0 && depth < DEPTH_MAX) {
            uint32_t low = began > since ? began : since;
            low = low > from_us ? low : from_us;
            add_span(p, (struct trace_span){since, low, TRACE_SPAN_WORK, 0, 0}, from_us);
            follow(p, m, (unsigned)sub, i, low, e->at_us, depth + 1);
        } else {
            enum trace_span_kind what = waiting ? TRACE_SPAN_WAIT : TRACE_SPAN_WORK;
            add_span(p, (struct trace_span){since, e->at_us, what, 0, 0}, from_us);
        }
        since = e->at_us;
        outcome = NULL;
        waiting = e->kind == MARK_WAIT;
    }
    add_span(p,
             (struct trace_span){since, to_us, waiting ? TRACE_SPAN_WAIT : TRACE_SPAN_WORK, 0, 0},
             from_us);
}

void trace_path_make(struct trace_path *p, const struct resolver_result *res)
{
    struct marks m;
    memset(p, 0, sizeof *p);
    if (!marks_read(&m, res))
        return;
    follow(p, &m, 0, m.count, 0, (uint32_t)res->took_us, 0);
    free(m.at);
}

void trace_path_free(struct trace_path *p)
{
    free(p->spans);
    memset(p, 0, sizeof *p);
}

bool trace_path_has(const struct trace_path *p, uint32_t seq)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->spans[i].what == TRACE_SPAN_REPLY && p->spans[i].seq == seq)
            return true;
    return false;
}
