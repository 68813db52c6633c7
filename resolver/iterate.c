/* The step table and its driver. A step reads, decides, names the next state and returns; only
 * ITER_PAUSE waits. Every transition is recorded: the trace is this log. */
#include "iterate_priv.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum iter_next (*run)(struct iter *);
} iter_steps[ITER_STATES] = {
#define ITER_ROW(id, name) [ITER_##id] = {#name, step_##name},
    ITER_MAP(ITER_ROW)
#undef ITER_ROW
};

int64_t walk_us(const struct walk *k)
{
    return k->w->now_us - k->started_us;
}

enum iter_next iter_goto(struct iter *it, enum iter_state state)
{
    it->state = state;
    return ITER_AGAIN;
}

void walk_ede(struct walk *k, uint16_t code, const char *text)
{
    size_t len = strlen(text);
    for (unsigned i = 0; i < k->ede_count; i++)
        if (k->ede[i].code == code && k->ede[i].text_len == len &&
            !memcmp(k->ede[i].text, text, len))
            return;
    char *copy = k->ede_count < EDNS_EDE_MAX ? arena_strdup(&k->arena, text) : NULL;
    if (copy)
        k->ede[k->ede_count++] =
            (struct edns_ede){.code = code, .text_len = (uint16_t)len, .text = copy};
}

enum iter_next iter_fail(struct iter *it, uint16_t ede, const char *why)
{
    trace_add(&it->walk->trace, TRACE_FAIL, it->id, walk_us(it->walk), why);
    it->rcode = DNS_RCODE_SERVFAIL;
    it->failed = true;
    it->fail = why;
    it->fail_code = ede;
    it->answer_count = it->authority_count = 0;
    return iter_goto(it, ITER_FINISH);
}

bool iter_limit(struct iter *it, enum limit l, unsigned used, unsigned at, bool fatal)
{
    struct walk *k = it->walk;
    char text[64];
    stat_inc(k->w->stats, STAT_LIMIT_FIRST + l);
    trace_add(&k->trace, TRACE_LIMIT, it->id, walk_us(k), limit_name(l), used, at);
    snprintf(text, sizeof text, "%s limit %u/%u", limit_name(l), used, at);
    walk_ede(k, DNS_EDE_OTHER, text);
    if (fatal) {
        k->limited = true;
        it->fail = NULL; /* the limit is the reason */
    }
    return false;
}

bool iter_add(struct dns_rrset *sets, unsigned *count, unsigned cap, const struct dns_rrset *set)
{
    if (!set->count || *count == cap)
        return false;
    sets[(*count)++] = *set;
    return true;
}

struct iter *iter_new(struct walk *k, struct iter *parent, const uint8_t *qname, uint16_t qtype,
                      const char *reason)
{
    if (k->iters >= WALK_ITERS_MAX)
        return NULL;
    struct iter *it = arena_alloc(&k->arena, sizeof *it);
    if (!it)
        return NULL;
    memset(it, 0, offsetof(struct iter, cut) + offsetof(struct cut, ns));
    it->walk = k;
    it->parent = parent;
    it->id = k->iters++;
    it->depth = parent ? parent->depth + 1 : 0;
    it->qname = it->name = qname;
    it->qtype = qtype;
    it->reason = reason;
    it->last = CLASS_COUNT;
    list_init(&it->ready);
    list_push(&k->all, &it->all);
    nap_init(it);
    trace_add(&k->trace, TRACE_SUB, parent ? parent->id : 0, walk_us(k), it->id, it->depth, reason,
              qname, (unsigned)qtype);
    iter_wake(it, ITER_LOCAL);
    return it;
}

void iter_wake(struct iter *it, enum iter_state state)
{
    it->state = state;
    list_remove(&it->ready);
    list_push(&it->walk->ready, &it->ready);
}

/* A name server's addresses are known, or are not: the one who asked looks again. */
static void tell_parent(struct iter *it)
{
    struct iter *up = it->parent;
    if (!up || up->ended)
        return;
    up->children--;
    up->looped = up->looped || (it->failed && it->looped);
    if (it->parent_cut == up->cut.serial && !it->failed)
        for (unsigned i = 0; i < it->answer_count; i++)
            if (it->answer[i].type == it->qtype)
                cut_add_set(up, it->qname, &it->answer[i], "resolved");
    if (up->state == ITER_WAIT && !up->pending && list_is_empty(&up->ready))
        iter_wake(up, ITER_SELECT);
}

static void iter_drive(struct iter *it)
{
    struct walk *k = it->walk;
    uint32_t max = k->w->r->o.limits.steps;
    enum iter_next next = ITER_AGAIN;
    while (next == ITER_AGAIN) {
        if (++k->steps > max && it->state != ITER_FINISH) {
            iter_limit(it, LIMIT_STEPS, k->steps, max, true);
            iter_fail(it, DNS_EDE_OTHER, NULL);
        }
        trace_add(&k->trace, TRACE_STEP, it->id, walk_us(k), iter_steps[it->state].name);
        next = iter_steps[it->state].run(it);
    }
    if (next == ITER_DONE) {
        nap_end(it);
        it->ended = true;
        tell_parent(it);
    }
}

void walk_run(struct walk *k)
{
    if (k->running)
        return;
    k->running = true;
    for (struct list *l; !k->top->ended && (l = list_first(&k->ready));) {
        list_remove(l);
        iter_drive(container_of(l, struct iter, ready));
    }
    k->running = false;
    walk_account(k);
    if (k->top->ended)
        walk_end(k);
}

/* What could not be resolved is remembered, and why it could not is said (RFC 8914, RFC 9520). A
 * name server's name that failed only because this client's pools were empty, or because this very
 * walk was waiting for it, is not: its next client may have more luck, and nobody shall be able to
 * make a stranger's name fail. */
enum iter_next step_finish(struct iter *it)
{
    if (!it->failed && !it->parent && it->walk->w->r->o.full_responses)
        full_add(it);
    if (it->failed) {
        bool ours = it->parent && (it->looped || !it->fail || it->walk->limited);
        if (!it->from_memory && !ours)
            store_failure(it);
        if (it->fail && !it->parent)
            walk_ede(it->walk, it->fail_code, it->fail);
    }
    return ITER_DONE;
}
