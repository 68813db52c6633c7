/* daemon/turns.c: a turn is what lies between two waits; libuv says how long it waited. */
#include "daemon/turns.h"

/* All that a turn does has been done before it waits. */
static void on_prepare(uv_prepare_t *h)
{
    struct turns *t = h->data;
    uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(h->loop);
    uint64_t us = t->at_ns ? (now - t->at_ns - (idle - t->idle_ns)) / 1000 : 0;
    t->at_ns = now;
    t->idle_ns = idle;
    if (us > atomic_load_explicit(&t->longest_us, memory_order_relaxed))
        atomic_store_explicit(&t->longest_us, us, memory_order_relaxed);
    if (us > TURNS_SLOW_US)
        atomic_fetch_add_explicit(&t->slow, 1, memory_order_relaxed);
}

void turns_open(struct turns *t, uv_loop_t *loop)
{
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &t->prepare);
    t->prepare.data = t;
    uv_prepare_start(&t->prepare, on_prepare);
    uv_unref((uv_handle_t *)&t->prepare);
}
