/* Waiting for room: in the window of every server that could be asked, or among the sockets.
 * First come, first served: a question that leaves a window lets in who waits longest for that
 * server. The timer is for what is not seen here: the window is shared with other workers. */
#include "iterate_priv.h"

#define NAP_MS     50
#define NAPS_MAX   40
#define QUEUE_LOOK 64 /* of those who wait are looked at when there is room, */
#define WAKE_MAX   4  /* and let in at once */

static void nap_over(struct iter *it)
{
    if (it->state != ITER_WAIT || it->pending || !list_is_empty(&it->ready))
        return;
    iter_wake(it, it->after_nap);
    walk_run(it->walk);
}

static void on_nap(struct wheel_timer *t)
{
    struct iter *it = container_of(t, struct iter, nap);
    resolver_tick(it->walk->w);
    nap_over(it);
}

void nap_init(struct iter *it)
{
    wheel_timer_init(&it->nap, on_nap);
    list_init(&it->queued);
}

/* Who waits again keeps the place in the queue. */
bool nap_begin(struct iter *it, enum iter_state then)
{
    struct resolver_worker *w = it->walk->w;
    if (it->naps >= NAPS_MAX)
        return false;
    it->after_nap = then;
    if (list_is_empty(&it->queued))
        list_push(&w->queue, &it->queued);
    if (!wheel_is_armed(&it->nap)) {
        it->naps++;
        wheel_arm(w->wheel, &it->nap, resolver_now_ms(w) + NAP_MS);
    }
    return true;
}

void nap_end(struct iter *it)
{
    wheel_disarm(it->walk->w->wheel, &it->nap);
    list_remove(&it->queued);
}

static bool waits_for(const struct iter *it, const struct addr *server)
{
    for (unsigned i = 0; i < it->cut.addr_count; i++)
        if (addr_equal(&it->cut.addrs[i].addr, server))
            return !it->cut.addrs[i].out;
    return false;
}

void nap_wake(struct resolver_worker *w, const struct addr *server)
{
    unsigned looked = 0, woken = 0;
    struct iter *awake[WAKE_MAX];
    struct server_info info;
    if (list_is_empty(&w->queue))
        return;
    servers_look(w->r->servers, server, NULL, resolver_now_ms(w), &info);
    unsigned room = info.in_flight < info.window ? info.window - info.in_flight : 0;
    LIST_FOR (l, &w->queue) {
        struct iter *it = container_of(l, struct iter, queued);
        if (woken == room || woken == WAKE_MAX || looked++ == QUEUE_LOOK)
            break;
        if (waits_for(it, server))
            awake[woken++] = it;
    }
    for (unsigned i = 0; i < woken; i++)
        if (!list_is_empty(&awake[i]->queued)) /* one walk may have ended the other's */
            nap_over(awake[i]);
}
