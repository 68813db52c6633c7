/* resolver/slab_priv.h: the memory of one shard of answers: slots in size classes.
 * Pages of 32 KiB are given to a class when it first needs them, carved slot by slot (what was
 * never used is never touched), and may move to another class when all their slots are free. A slot
 * is words; word 0 is the slab's own (list links), the others the user's. Readers without the lock
 * may look at any word at any time, also after its page has moved, so every access is an atomic
 * load or store: slab_load and slab_store. They acquire and release, so that a reader who saw a
 * word of a later writer also sees that writer's earlier version mark. Threads: all functions that
 * change need the shard's lock; loads do not. */
#ifndef WAYPOST_RESOLVER_SLAB_PRIV_H
#define WAYPOST_RESOLVER_SLAB_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLAB_PAGE    32768
#define SLAB_CLASSES 22
#define SLAB_STEP    16 /* octets of a reference step */

typedef uint32_t slab_ref; /* 1 + offset in steps; 0 is none; below 2^31 */

struct slab_class {
    uint32_t size; /* octets of a slot */
    uint32_t pages;
    uint32_t open;           /* 1 + page that is being carved; 0: none */
    uint32_t carved;         /* slots of it so far */
    uint32_t looked;         /* page that slab_page_next gave last */
    slab_ref spare;          /* list of free slots */
    slab_ref newest, oldest; /* list of used slots */
    slab_ref hand;           /* SIEVE's place in it; 0: at the oldest */
    uint64_t used;
    uint64_t evictions; /* since the last rebalancing */
};

struct slab {
    _Atomic uint64_t *words; /* borrowed, page_count pages */
    uint8_t *page_class;     /* of the pages given */
    uint32_t page_count, pages_given;
    struct slab_class classes[SLAB_CLASSES];
};

/* words: zeroed memory of page_count pages. ERR_NOMEM. */
int slab_init(struct slab *s, _Atomic uint64_t *words, uint32_t page_count);
void slab_fini(struct slab *s);
/* Smallest class for n octets (word 0 included), -1 when none is large enough. */
int slab_class_of(size_t n);
/* Whether slab_take would give one. */
bool slab_has_room(const struct slab *s, int cls);
/* A slot, now the newest of its class; 0 when the class is full and no page is left. */
slab_ref slab_take(struct slab *s, int cls);
/* Back to the free slots of its class. */
void slab_give(struct slab *s, slab_ref ref);
bool slab_is_used(const struct slab *s, slab_ref ref);
slab_ref slab_newer(const struct slab *s, slab_ref ref);
/* n-th slot of a page, 0 beyond the last that was carved. */
slab_ref slab_slot(const struct slab *s, uint32_t page, uint32_t n);
/* The pages of a class (that has one) in turn. */
uint32_t slab_page_next(struct slab *s, int cls);
/* A page whose slots are all free goes to another class. */
void slab_page_move(struct slab *s, uint32_t page, int cls);
/* len octets into a slot from `word` on; a last partial word is filled with zeros. */
void slab_write(struct slab *s, slab_ref ref, size_t word, const void *from, size_t len);

static inline size_t slab_at(slab_ref ref)
{
    return (size_t)(ref - 1) * (SLAB_STEP / 8);
}
static inline uint64_t slab_load(const struct slab *s, slab_ref ref, size_t word)
{
    return atomic_load_explicit(&s->words[slab_at(ref) + word], memory_order_acquire);
}
static inline void slab_store(struct slab *s, slab_ref ref, size_t word, uint64_t v)
{
    atomic_store_explicit(&s->words[slab_at(ref) + word], v, memory_order_release);
}
static inline int slab_class_at(const struct slab *s, slab_ref ref)
{
    return s->page_class[slab_at(ref) * 8 / SLAB_PAGE];
}
/* And back. */
static inline void slab_read(const struct slab *s, slab_ref ref, size_t word, void *to, size_t len)
{
    uint8_t *p = (uint8_t *)to;
    const _Atomic uint64_t *at = &s->words[slab_at(ref) + word];
    for (; len >= 8; len -= 8, p += 8, at++) {
        uint64_t v = atomic_load_explicit(at, memory_order_acquire);
        memcpy(p, &v, 8);
    }
    if (len) {
        uint64_t v = atomic_load_explicit(at, memory_order_acquire);
        memcpy(p, &v, len);
    }
}

#endif
