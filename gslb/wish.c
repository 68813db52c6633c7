#include "wish_priv.h"

#include "base/hash.h"

#include <string.h>

void wishes_init(struct wishes *w)
{
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < WISHES_MAX; i++)
        atomic_init(&w->cells[i].turn, i);
}

static bool wished_now(struct wishes *w, const struct wish *wish, uint32_t now_s)
{
    uint64_t h = hash_bytes(wish->net.ip, sizeof wish->net.ip,
                            (uint64_t)now_s << 32 | (uint64_t)wish->net.bits << 24);
    h = hash_mix(h + wish->target);
    uint32_t tag = (uint32_t)(h >> 32) | 1;
    _Atomic uint32_t *at = &w->recent[h % WISHES_RECENT];
    if (atomic_load_explicit(at, memory_order_relaxed) == tag)
        return true;
    atomic_store_explicit(at, tag, memory_order_relaxed);
    return false;
}

bool wishes_put(struct wishes *w, const struct wish *wish, uint32_t now_s)
{
    if (wished_now(w, wish, now_s))
        return false;
    uint32_t turn = atomic_load_explicit(&w->tail, memory_order_relaxed);
    for (;;) {
        struct wish_cell *c = &w->cells[turn % WISHES_MAX];
        uint32_t there = atomic_load_explicit(&c->turn, memory_order_acquire);
        if (there == turn) {
            if (atomic_compare_exchange_weak_explicit(&w->tail, &turn, turn + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                c->wish = *wish;
                atomic_store_explicit(&c->turn, turn + 1, memory_order_release);
                return true;
            }
        } else if ((int32_t)(there - turn) < 0) {
            return false; /* not read yet since the last time round */
        } else {
            turn = atomic_load_explicit(&w->tail, memory_order_relaxed);
        }
    }
}

bool wishes_take(struct wishes *w, struct wish *out)
{
    struct wish_cell *c = &w->cells[w->head % WISHES_MAX];
    if (atomic_load_explicit(&c->turn, memory_order_acquire) != w->head + 1)
        return false;
    *out = c->wish;
    atomic_store_explicit(&c->turn, w->head + WISHES_MAX, memory_order_release);
    w->head++;
    return true;
}
