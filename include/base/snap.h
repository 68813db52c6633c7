/* base/snap.h: publish a new version while readers go on with the old one.
 * A snapshot is an immutable root reached through one atomic pointer. Readers are threads that
 * register once and say when they are quiet (hold no pointer from before); a writer publishes and
 * retires the old root, which is freed when every reader was quiet after that. Quiescent-state
 * based reclamation: readers pay one relaxed store per batch. What a query that suspends needs it
 * refs (struct part) before its thread is quiet. Threads: readers any number (SNAP_READERS_MAX),
 * one writer at a time (the control loop). */
#ifndef WAYPOST_BASE_SNAP_H
#define WAYPOST_BASE_SNAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reference-counted immutable part of a snapshot. Embed it; reach the object by container_of. */
struct part {
    _Atomic uint32_t refs;
    void (*free)(struct part *); /* called once, by whoever drops the last reference */
};
static inline void part_init(struct part *p, void (*free_fn)(struct part *))
{
    atomic_init(&p->refs, 1);
    p->free = free_fn;
}
static inline void part_ref(struct part *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}
static inline void part_unref(struct part *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        p->free(p);
}

#define SNAP_READERS_MAX 128

struct snap_reader {
    _Alignas(64) _Atomic uint64_t seen; /* epoch last seen quiet; 0 = offline (blocked or gone) */
};

struct snap_retired {
    struct snap_retired *next;
    uint64_t epoch; /* free when every online reader has seen at least this */
    struct part *part;
};

struct snap_domain {
    _Atomic uint64_t epoch; /* starts at 1 */
    _Atomic(struct snap_reader *) readers[SNAP_READERS_MAX];
    struct snap_retired *retired; /* the writer's */
    unsigned pending;             /* entries in it */
};

void snap_init(struct snap_domain *d);
/* Frees what is retired without waiting: only when all readers are gone. */
void snap_fini(struct snap_domain *d);
/* ERR_LIMIT when SNAP_READERS_MAX are registered. The reader starts offline. */
int snap_reader_add(struct snap_domain *d, struct snap_reader *r);
void snap_reader_remove(struct snap_domain *d, struct snap_reader *r);

/* The reader holds no root pointer now (and may read one again at once). */
static inline void snap_quiet(struct snap_domain *d, struct snap_reader *r)
{
    atomic_store_explicit(&r->seen, atomic_load_explicit(&d->epoch, memory_order_acquire),
                          memory_order_release);
}
/* Before blocking in the kernel: not waited for until snap_online. */
static inline void snap_offline(struct snap_reader *r)
{
    atomic_store_explicit(&r->seen, 0, memory_order_release);
}
/* After waking, before reading a root. */
static inline void snap_online(struct snap_domain *d, struct snap_reader *r)
{
    /* Sequentially consistent with the writer's exchange of the root and its reading of `seen`:
     * read the root with atomic_load, so that either the writer sees us online or we see its new
     * root. */
    atomic_exchange(&r->seen, atomic_load(&d->epoch));
}

/* For who keeps a list of what was replaced: after the exchange, the mark of what must wait. It may
 * be freed once snap_seen is at least that. Any thread. */
static inline uint64_t snap_mark(struct snap_domain *d)
{
    return atomic_fetch_add(&d->epoch, 1) + 1;
}
/* The mark that every online reader was quiet after; UINT64_MAX: none is online. */
uint64_t snap_seen(struct snap_domain *d);

/* Writer: drop the writer's reference to `old` once no reader can see it. The caller has already
 * replaced the root pointer (atomic_exchange). ERR_NOMEM: nothing is retired, the caller tries
 * again. */
int snap_retire(struct snap_domain *d, struct part *old);
/* Writer: frees what may be freed now; returns what still waits. Never blocks. */
unsigned snap_reclaim(struct snap_domain *d);

#endif
