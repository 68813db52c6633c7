/* An open-addressed table, at most half full; its seed keeps a hostile database from choosing
 * collisions. */
#include "pairs_priv.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>

static struct pairs_slot *pairs_slot(const struct pairs *p, uint32_t a, uint32_t b)
{
    size_t i = hash_mix(((uint64_t)a << 32 | b) ^ p->seed) * 0x9e3779b97f4a7c15ULL >> 20;
    for (;; i++) {
        struct pairs_slot *s = &p->slots[i & (p->cap - 1)];
        if (!s->number || (s->a == a && s->b == b))
            return s;
    }
}

static int pairs_grow(struct pairs *p)
{
    struct pairs_slot *old = p->slots;
    size_t old_cap = p->cap, cap = old_cap ? 2 * old_cap : 256;
    struct pairs_slot *slots = calloc(cap, sizeof *slots);
    struct pairs_pair *all = realloc(p->pairs, cap / 2 * sizeof *all);
    if (all)
        p->pairs = all;
    if (!slots || !all) {
        free(slots);
        return ERR_NOMEM;
    }
    p->slots = slots;
    p->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].number)
            *pairs_slot(p, old[i].a, old[i].b) = old[i];
    free(old);
    return 0;
}

uint32_t pairs_number(struct pairs *p, uint32_t a, uint32_t b)
{
    if (!p->err && p->count >= p->cap / 2)
        p->err = p->count >= UINT32_MAX / 4 ? ERR_LIMIT : pairs_grow(p);
    if (p->err)
        return 0;
    struct pairs_slot *s = pairs_slot(p, a, b);
    if (!s->number) {
        p->pairs[p->count] = (struct pairs_pair){a, b};
        *s = (struct pairs_slot){a, b, ++p->count};
    }
    return s->number;
}

void pairs_fini(struct pairs *p)
{
    free(p->slots);
    free(p->pairs);
}
