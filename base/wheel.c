#include "base/wheel.h"

static struct list *slot_of(struct wheel *w, int64_t ms)
{
    return &w->slots[(uint64_t)ms % WHEEL_SLOTS];
}

void wheel_init(struct wheel *w, int64_t now_ms)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
    w->now_ms = now_ms;
    w->armed = 0;
}

void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *))
{
    list_init(&t->link);
    t->due_ms = 0;
    t->fire = fire;
}

bool wheel_is_armed(const struct wheel_timer *t)
{
    return !list_is_empty(&t->link);
}

void wheel_disarm(struct wheel *w, struct wheel_timer *t)
{
    if (!wheel_is_armed(t))
        return;
    list_remove(&t->link);
    w->armed--;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, int64_t due_ms)
{
    wheel_disarm(w, t);
    t->due_ms = due_ms > w->now_ms ? due_ms : w->now_ms + 1;
    list_push(slot_of(w, t->due_ms), &t->link);
    w->armed++;
}

/* Due timers leave the slot first, so that a callback may change any list. */
static unsigned wheel_fire_slot(struct wheel *w, struct list *slot, int64_t now_ms)
{
    unsigned fired = 0;
    struct list due;
    list_init(&due);
    LIST_FOR (it, slot) {
        struct wheel_timer *t = container_of(it, struct wheel_timer, link);
        if (t->due_ms <= now_ms) {
            list_remove(it);
            list_push(&due, it);
        }
    }
    for (struct list *it; (it = list_first(&due)); fired++) {
        struct wheel_timer *t = container_of(it, struct wheel_timer, link);
        wheel_disarm(w, t);
        t->fire(t);
    }
    return fired;
}

unsigned wheel_run(struct wheel *w, int64_t now_ms)
{
    unsigned fired = 0;
    if (now_ms <= w->now_ms)
        return 0;
    if (now_ms - w->now_ms >= WHEEL_SLOTS) { /* a long sleep: one full turn is every slot */
        w->now_ms = now_ms;
        for (unsigned i = 0; i < WHEEL_SLOTS; i++)
            fired += wheel_fire_slot(w, &w->slots[i], now_ms);
        return fired;
    }
    while (w->now_ms < now_ms && w->armed) {
        w->now_ms++;
        fired += wheel_fire_slot(w, slot_of(w, w->now_ms), w->now_ms);
    }
    w->now_ms = now_ms;
    return fired;
}

int64_t wheel_next(const struct wheel *w, int64_t now_ms)
{
    if (!w->armed)
        return -1;
    for (int64_t ms = w->now_ms + 1; ms <= w->now_ms + WHEEL_SLOTS; ms++) {
        const struct list *slot = &w->slots[(uint64_t)ms % WHEEL_SLOTS];
        for (const struct list *it = slot->next; it != slot; it = it->next) {
            const struct wheel_timer *t =
                (const struct wheel_timer *)(const void *)((const char *)it -
                                                           offsetof(struct wheel_timer, link));
            if (t->due_ms <= ms)
                return ms > now_ms ? ms - now_ms : 0;
        }
    }
    return w->now_ms + WHEEL_SLOTS > now_ms ? w->now_ms + WHEEL_SLOTS - now_ms : 0;
}
