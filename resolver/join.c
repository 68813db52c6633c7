/* Where a walk comes to the network: does another worker ask the same already? Only the client's
 * own question is shared; a name server's address is asked for within the walk that needs it, so
 * that a leader never waits. */
#include "iterate_priv.h"

#include <stdio.h>
#include <string.h>

#define WAITS_MAX 4 /* leaders that may give up under us */

/* The key is name and type: DO is always set upstream and CD changes nothing before validation, so
 * one result serves every client of a network; the plane follows from the name. What starts at a
 * zone of our own is not shared. */
enum iter_next step_join(struct iter *it)
{
    struct walk *k = it->walk;
    struct resolver_worker *w = k->w;
    if (it->parent || k->seat.role != COALESCE_NONE || k->plane)
        return iter_goto(it, ITER_CUT);
    switch (coalesce_enter(w->r->coalesce, &k->seat, !k->alone)) {
    case COALESCE_WAITS:
        stat_inc(w->stats, STAT_SHARED);
        k->waits++;
        trace_add(&k->trace, TRACE_SHARED, it->id, walk_us(k), "waits");
        return ITER_PAUSE;
    case COALESCE_LOOK:
        return iter_goto(it, ITER_CACHE);
    case COALESCE_FULL:
        it->from_memory = true; /* says nothing of the name */
        return iter_fail(it, DNS_EDE_OTHER, "too many networks are asked for at once");
    default:
        return iter_goto(it, ITER_CUT);
    }
}

void join_mark(struct iter *it)
{
    struct walk *k = it->walk;
    if (!it->parent && k->seat.role == COALESCE_NONE && !k->cache_only && !k->plane)
        coalesce_mark(k->w->r->coalesce, &k->seat, &k->w->inbox, it->qname, it->qtype);
}

void join_leave(struct walk *k, bool through)
{
    const struct iter *top = k->top;
    struct coalesce_outcome out = {.how = top && top->failed ? COALESCE_FAILED : COALESCE_FOUND};
    if (k->seat.role == COALESCE_NONE)
        return;
    for (unsigned i = 0; out.how == COALESCE_FAILED && i < k->ede_count; i++) {
        out.ede[i].code = k->ede[i].code;
        snprintf(out.ede[i].text, sizeof out.ede[i].text, "%.*s", (int)k->ede[i].text_len,
                 k->ede[i].text);
        out.ede_count++;
    }
    coalesce_leave(k->w->r->coalesce, &k->seat, through ? &out : NULL);
}

/* The failure is the leader's: it has been remembered there, if it may be. */
static void fail_too(struct walk *k, const struct coalesce_outcome *out)
{
    for (unsigned i = 0; i < out->ede_count; i++)
        walk_ede(k, out->ede[i].code, out->ede[i].text);
    iter_fail(k->top, DNS_EDE_OTHER, NULL);
    k->top->from_memory = true;
    iter_wake(k->top, ITER_FINISH);
}

void join_drain(struct resolver_worker *w)
{
    resolver_tick(w);
    for (struct coalesce_seat *s; (s = coalesce_next(&w->inbox));) {
        struct walk *k = container_of(s, struct walk, seat);
        trace_add(&k->trace, TRACE_SHARED, 0, walk_us(k),
                  s->outcome.how == COALESCE_FOUND    ? "found"
                  : s->outcome.how == COALESCE_FAILED ? "failed"
                                                      : "left");
        if (s->outcome.how == COALESCE_FAILED) {
            fail_too(k, &s->outcome);
        } else {
            /* Found and yet not in the cache (TTL 0): waiting in line for it would be slower. */
            k->alone = s->outcome.how == COALESCE_FOUND || k->waits >= WAITS_MAX;
            iter_wake(k->top, ITER_LOCAL);
        }
        walk_run(k);
    }
}
