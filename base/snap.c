/* The writer raises the epoch when it retires a part; a reader that was quiet since then has seen
 * that epoch (or a later one), so the part is free when no online reader is behind. */
#include "base/snap.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

void snap_init(struct snap_domain *d)
{
    memset(d, 0, sizeof *d);
    atomic_init(&d->epoch, 1);
}

void snap_fini(struct snap_domain *d)
{
    while (d->retired) {
        struct snap_retired *r = d->retired;
        d->retired = r->next;
        part_unref(r->part);
        free(r);
    }
    d->pending = 0;
}

int snap_reader_add(struct snap_domain *d, struct snap_reader *r)
{
    atomic_store(&r->seen, 0);
    for (unsigned i = 0; i < SNAP_READERS_MAX; i++) {
        struct snap_reader *none = NULL;
        if (atomic_compare_exchange_strong(&d->readers[i], &none, r))
            return 0;
    }
    return ERR_LIMIT;
}

void snap_reader_remove(struct snap_domain *d, struct snap_reader *r)
{
    for (unsigned i = 0; i < SNAP_READERS_MAX; i++) {
        struct snap_reader *me = r;
        if (atomic_compare_exchange_strong(&d->readers[i], &me, NULL))
            return;
    }
}

int snap_retire(struct snap_domain *d, struct part *old)
{
    struct snap_retired *r = malloc(sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->part = old;
    r->epoch = snap_mark(d);
    r->next = d->retired;
    d->retired = r;
    d->pending++;
    return 0;
}

uint64_t snap_seen(struct snap_domain *d)
{
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < SNAP_READERS_MAX; i++) {
        struct snap_reader *r = atomic_load(&d->readers[i]);
        uint64_t seen = r ? atomic_load(&r->seen) : 0;
        if (seen && seen < oldest)
            oldest = seen;
    }
    return oldest;
}

unsigned snap_reclaim(struct snap_domain *d)
{
    uint64_t oldest = snap_seen(d);
    for (struct snap_retired **at = &d->retired; *at;) {
        struct snap_retired *r = *at;
        if (r->epoch > oldest) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        d->pending--;
        part_unref(r->part);
        free(r);
    }
    return d->pending;
}
