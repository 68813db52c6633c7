#include "target_priv.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

/* Where a network is or would be. */
static unsigned entry_at(const struct target *g, const struct prefix *net)
{
    unsigned low = 0, high = g->count;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (book_network_cmp(&g->networks[mid].net, net) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct entry *network_find(const struct target *g, const struct prefix *net)
{
    unsigned at = entry_at(g, net);
    assert(g->networks || !g->count);
    return at < g->count && !book_network_cmp(&g->networks[at].net, net) ? &g->networks[at] : NULL;
}

static struct entry *entry_find(struct target *g, const struct prefix *net)
{
    return net->family ? network_find(g, net) : &g->everybody;
}

static void entry_remove(struct target *g, unsigned at)
{
    g->changed |= g->networks[at].set != NULL;
    book_set_unref(g->networks[at].set);
    memmove(g->networks + at, g->networks + at + 1, (--g->count - at) * sizeof *g->networks);
}

static uint32_t entry_used(const struct entry *e)
{
    uint32_t used = e->set ? atomic_load_explicit(&e->set->used_s, memory_order_relaxed) : 0;
    return used > e->wished_s ? used : e->wished_s;
}

/* The one that was not used longest goes. False: all are in flight. */
static bool entry_evict(struct target *g)
{
    unsigned oldest = g->count;
    for (unsigned i = 0; i < g->count; i++)
        if (!g->networks[i].in_flight &&
            (oldest == g->count || entry_used(&g->networks[i]) < entry_used(&g->networks[oldest])))
            oldest = i;
    if (oldest == g->count)
        return false;
    entry_remove(g, oldest);
    return true;
}

/* The entry of this network, a new one if need be; NULL: no room. */
static struct entry *entry_take(struct target *g, const struct prefix *net, uint32_t now_s)
{
    struct entry *e = network_find(g, net);
    if (e)
        return e;
    if (g->count == GSLB_TARGET_NETWORKS && !entry_evict(g))
        return NULL;
    if (g->count == g->room) {
        unsigned room = g->room ? g->room * 2 : 4;
        struct entry *more = realloc(g->networks, room * sizeof *more);
        if (!more)
            return NULL;
        g->networks = more;
        g->room = room;
    }
    e = g->networks + entry_at(g, net);
    memmove(e + 1, e, (size_t)(g->networks + g->count++ - e) * sizeof *e);
    *e = (struct entry){.net = *net, .asked = *net, .wished_s = now_s};
    return e;
}

static void entry_put(struct target *g, struct entry *e, struct book_set *set)
{
    e->wished_s = entry_used(e); /* what the old set knew */
    book_set_unref(e->set);
    e->set = set;
    g->changed = true;
}

/* ---- the book ---- */

static void publish(struct gslb_targets *t, struct target *g)
{
    unsigned count = 0;
    for (unsigned i = 0; i < g->count; i++)
        count += g->networks[i].set != NULL;
    struct book *b = NULL;
    if (count || g->everybody.set) {
        b = book_new(count);
        if (!b)
            return; /* g->changed stays: the next turn tries again */
        count = 0;
        for (unsigned i = 0; i < g->count; i++) {
            const struct entry *e = &g->networks[i];
            if (!e->set)
                continue;
            part_ref(&e->set->part);
            b->networks[count++] = (struct book_network){.net = e->net, .set = e->set};
        }
        b->everybody = g->everybody.set;
        if (b->everybody)
            part_ref(&b->everybody->part);
        book_finish(b);
    }
    g->changed = false;
    struct book *old = g->current;
    g->current = b;
    atomic_store(&g->book, b);
    if (!old)
        return;
    old->mark = snap_mark(t->domain);
    old->next = t->waiting;
    t->waiting = old;
}

void target_clear(struct gslb_targets *t, struct target *g)
{
    while (g->count)
        entry_remove(g, g->count - 1);
    free(g->networks);
    g->networks = NULL;
    g->room = 0;
    book_set_unref(g->everybody.set);
    g->everybody = (struct entry){0};
    publish(t, g);
}

/* ---- one fetch ---- */

struct flight {
    struct list link;
    struct gslb_targets *t; /* NULL: freed meanwhile */
    struct target *target;
    struct prefix net, asked; /* of the entry; family 0: everybody */
};

void target_orphans(struct gslb_targets *t)
{
    LIST_FOR (l, &t->flights) {
        container_of(l, struct flight, link)->t = NULL;
        list_remove(l);
    }
}

static void entry_failed(struct entry *e, int64_t now_ms)
{
    unsigned doubled = e->failures < 6 ? e->failures : 6;
    int64_t wait = (int64_t)TARGET_BACK_MS << doubled;
    e->failures++;
    e->due_ms = now_ms + (wait < TARGET_BACK_MAX ? wait : TARGET_BACK_MAX);
}

/* The other side says that there is nothing. Once may be an accident of its own. */
static void entry_missing(struct target *g, struct entry *e)
{
    bool again = e->missing;
    e->missing = true;
    if (!again)
        return;
    if (!e->net.family)
        while (g->count)
            entry_remove(g, g->count - 1); /* without the name there are no networks of it either */
    if (e->set)
        entry_put(g, e, NULL);
}

static void entry_learnt(struct target *g, struct entry *e, struct book_set *set, int64_t now_ms)
{
    int64_t wait = (int64_t)set->ttl * 900;
    entry_put(g, e, set);
    e->failures = 0;
    e->missing = false;
    e->due_ms = now_ms + (wait < 1000 ? 1000 : wait);
}

/* An answer about a client's network, and how far it reaches. */
static void network_learnt(struct target *g, const struct flight *f, struct book_set *set,
                           uint8_t scope, int64_t now_ms)
{
    uint8_t base = book_base(f->asked.family);
    struct prefix net = book_network_cut(&f->asked, (uint8_t)(base + (scope < 128 ? scope : 127)));
    struct entry *e = network_find(g, &f->net);
    uint32_t used = e ? entry_used(e) : (uint32_t)(now_ms / 1000);
    if (e && book_network_cmp(&net, &f->net))
        entry_remove(g, (unsigned)(e - g->networks));
    if (net.bits == base) { /* it does not tell clients apart: one set for everybody */
        for (unsigned i = g->count; i-- > 0;)
            if (g->networks[i].net.family == net.family && g->networks[i].net.bits != base)
                entry_remove(g, i);
        part_ref(&set->part);
        entry_learnt(g, &g->everybody, set, now_ms);
    }
    e = entry_take(g, &net, used);
    if (!e) {
        book_set_unref(set); /* no room: the next question of this network brings it back */
        return;
    }
    e->asked = f->asked;
    e->in_flight = false;
    entry_learnt(g, e, set, now_ms);
}

static void target_hear(struct target *g, const struct flight *f, const struct gslb_fetched *got,
                        int64_t now_ms)
{
    struct entry *e = entry_find(g, &f->net);
    bool some = !got->err || got->a || got->aaaa;
    struct book_set *set =
        some ? book_set_new(got, e ? e->set : NULL, (uint32_t)(now_ms / 1000)) : NULL;
    if (e)
        e->in_flight = false;
    if (set && f->net.family)
        network_learnt(g, f, set, got->scope, now_ms);
    else if (set)
        entry_learnt(g, e, set, now_ms);
    else if (e && got->err == ERR_NOT_FOUND) {
        entry_failed(e, now_ms);
        entry_missing(g, e);
    } else if (e) {
        entry_failed(e, now_ms);
        e->missing = false;
    }
    g->last = set || got->err ? got->err : ERR_NOMEM;
}

static void on_fetched(void *arg, const struct gslb_fetched *got)
{
    struct flight *f = arg;
    struct gslb_targets *t = f->t;
    if (t) {
        int64_t now_ms = clock_mono_ms(t->clock);
        list_remove(&f->link);
        t->flight_count--;
        f->target->flights--;
        if (f->target->kept) {
            target_hear(f->target, f, got, now_ms);
            target_turn(t, f->target, now_ms);
        }
    }
    free(f);
}

static void entry_ask(struct gslb_targets *t, struct target *g, struct entry *e, int64_t now_ms)
{
    struct edns_subnet subnet;
    struct flight *f = calloc(1, sizeof *f);
    e->tried_s = (uint32_t)(now_ms / 1000);
    if (!f) {
        entry_failed(e, now_ms);
        return;
    }
    *f = (struct flight){.t = t, .target = g, .net = e->net, .asked = e->asked};
    if (e->net.family)
        subnet = book_subnet_of(&e->asked);
    int err = t->fetcher->fetch(t->fetcher, g->name, e->net.family ? &subnet : NULL, on_fetched, f);
    if (err) {
        g->last = err;
        free(f);
        entry_failed(e, now_ms);
        return;
    }
    list_push(&t->flights, &f->link);
    t->flight_count++;
    g->flights++;
    e->in_flight = true;
}

/* ---- what is due ---- */

static bool covered(const struct target *g, const struct prefix *net, uint32_t now_s)
{
    uint8_t bits;
    const struct book_set *s = g->current ? book_find(g->current, net, &bits) : NULL;
    return s && now_s < s->expires_s;
}

/* False: nobody wants it any more. */
static bool entry_wanted(struct target *g, struct entry *e, int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    if (e->set && !book_set_usable(e->set, now_s))
        entry_put(g, e, NULL);
    if (!e->net.family || e->due_ms > now_ms || e->in_flight)
        return true;
    if (!e->set)
        return e->failures ? e->wished_s > e->tried_s : !covered(g, &e->net, now_s);
    if (atomic_load_explicit(&e->set->used_s, memory_order_relaxed))
        return true;
    e->due_ms = (int64_t)e->set->expires_s * 1000; /* perhaps somebody comes until then */
    return e->due_ms > now_ms;
}

/* Is somebody's answer, that was for everybody, asked for again? Then it serves here too. */
static bool asked_for_all(const struct target *g, int64_t now_ms)
{
    for (unsigned i = 0; i < g->count; i++) {
        const struct entry *e = &g->networks[i];
        if (e->net.bits == book_base(e->net.family) && !e->failures &&
            (e->in_flight || e->due_ms <= now_ms))
            return true;
    }
    return false;
}

/* The one that has been due longest, or NULL; and when the next will be. */
static struct entry *entry_next(struct target *g, int64_t now_ms)
{
    struct entry *first = NULL;
    if (!g->everybody.in_flight && g->everybody.due_ms <= now_ms && !asked_for_all(g, now_ms))
        return &g->everybody;
    g->due_ms =
        g->everybody.in_flight || g->everybody.due_ms <= now_ms ? INT64_MAX : g->everybody.due_ms;
    for (unsigned i = 0; i < g->count; i++) {
        struct entry *e = &g->networks[i];
        if (!e->in_flight && (!first || e->due_ms < first->due_ms))
            first = e;
    }
    if (first && first->due_ms < g->due_ms)
        g->due_ms = first->due_ms;
    return first && first->due_ms <= now_ms ? first : NULL;
}

void target_turn(struct gslb_targets *t, struct target *g, int64_t now_ms)
{
    struct entry *e;
    if (g->changed)
        publish(t, g); /* what was learnt says who is covered */
    entry_wanted(g, &g->everybody, now_ms);
    for (unsigned i = g->count; i-- > 0;)
        if (!entry_wanted(g, &g->networks[i], now_ms))
            entry_remove(g, i);
    while ((e = entry_next(g, now_ms)) && g->flights < TARGET_FLIGHTS &&
           t->flight_count < TARGETS_FLIGHTS)
        entry_ask(t, g, e, now_ms);
    if (g->flights == TARGET_FLIGHTS)
        g->due_ms = INT64_MAX; /* each that ends takes a turn */
    if (g->changed)
        publish(t, g);
    if (g->changed && g->due_ms > now_ms + TARGETS_POLL_MS)
        g->due_ms = now_ms + TARGETS_POLL_MS; /* there was no memory for it */
}

void target_wish(struct target *g, const struct prefix *net, int64_t now_ms)
{
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    struct entry *e = network_find(g, net);
    if (e) {
        e->wished_s = now_s;
        return;
    }
    unsigned waiting = 0, failed = g->count;
    for (unsigned i = 0; i < g->count; i++)
        if (!g->networks[i].set) {
            waiting++;
            if (g->networks[i].failures && !g->networks[i].in_flight)
                failed = i;
        }
    if (covered(g, net, now_s) || (waiting >= TARGET_WAITING && failed == g->count))
        return;
    if (waiting >= TARGET_WAITING)
        entry_remove(g, failed);
    e = entry_take(g, net, now_s);
    if (e) {
        e->due_ms = now_ms;
        g->due_ms = now_ms;
    }
}
