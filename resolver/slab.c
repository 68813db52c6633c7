/* resolver/slab.c: slots in size classes. Word 0 of a slot: newer link (32 bits), a used bit,
 * older link (31 bits). A free slot is in its class's spare list with the same links. */
#include "slab_priv.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Multiples of 16; the last holds the longest response with one TTL offset per 11 octets. */
static const uint32_t class_sizes[SLAB_CLASSES] = {64,   80,   96,   112,  128,  144, 160, 192,
                                                   224,  256,  320,  384,  448,  512, 640, 768,
                                                   1024, 1280, 1536, 2176, 3264, 5120};
#define USED (1ull << 31)

struct links {
    slab_ref newer, older;
    bool used;
};

static struct links links_load(const struct slab *s, slab_ref ref)
{
    uint64_t w = slab_load(s, ref, 0);
    return (struct links){(slab_ref)(w >> 32), (slab_ref)(w & (USED - 1)), (w & USED) != 0};
}

static void links_store(struct slab *s, slab_ref ref, struct links l)
{
    slab_store(s, ref, 0, (uint64_t)l.newer << 32 | (l.used ? USED : 0) | l.older);
}

static void set_newer(struct slab *s, slab_ref ref, slab_ref newer)
{
    struct links l = links_load(s, ref);
    l.newer = newer;
    links_store(s, ref, l);
}

static void set_older(struct slab *s, slab_ref ref, slab_ref older)
{
    struct links l = links_load(s, ref);
    l.older = older;
    links_store(s, ref, l);
}

static void push_spare(struct slab *s, struct slab_class *c, slab_ref ref)
{
    links_store(s, ref, (struct links){0, c->spare, false});
    if (c->spare)
        set_newer(s, c->spare, ref);
    c->spare = ref;
}

static void drop_spare(struct slab *s, struct slab_class *c, slab_ref ref)
{
    struct links l = links_load(s, ref);
    if (l.newer)
        set_older(s, l.newer, l.older);
    else
        c->spare = l.older;
    if (l.older)
        set_newer(s, l.older, l.newer);
}

static uint32_t page_slots(const struct slab *s, uint32_t page)
{
    return SLAB_PAGE / s->classes[s->page_class[page]].size;
}

static slab_ref page_slot(const struct slab *s, uint32_t page, uint32_t n)
{
    uint32_t size = s->classes[s->page_class[page]].size;
    return 1 + page * (SLAB_PAGE / SLAB_STEP) + n * (size / SLAB_STEP);
}

static void page_open(struct slab *s, uint32_t page, int cls)
{
    struct slab_class *c = &s->classes[cls];
    assert(!c->open);
    s->page_class[page] = (uint8_t)cls;
    c->pages++;
    c->open = page + 1;
    c->carved = 0;
}

/* A slot that was never used; 0 when the class has none. */
static slab_ref carve(struct slab *s, struct slab_class *c)
{
    if (!c->open)
        return 0;
    uint32_t page = c->open - 1;
    slab_ref ref = page_slot(s, page, c->carved++);
    if (c->carved == page_slots(s, page))
        c->open = 0;
    return ref;
}

int slab_init(struct slab *s, _Atomic uint64_t *words, uint32_t page_count)
{
    *s = (struct slab){.words = words, .page_count = page_count};
    s->page_class = calloc(page_count, 1);
    if (!s->page_class)
        return ERR_NOMEM;
    for (int n = 0; n < SLAB_CLASSES; n++)
        s->classes[n].size = class_sizes[n];
    return 0;
}

void slab_fini(struct slab *s)
{
    free(s->page_class);
    s->page_class = NULL;
}

int slab_class_of(size_t n)
{
    for (int cls = 0; cls < SLAB_CLASSES; cls++)
        if (n <= class_sizes[cls])
            return cls;
    return -1;
}

bool slab_has_room(const struct slab *s, int cls)
{
    const struct slab_class *c = &s->classes[cls];
    return c->spare || c->open || s->pages_given < s->page_count;
}

slab_ref slab_take(struct slab *s, int cls)
{
    struct slab_class *c = &s->classes[cls];
    slab_ref ref = c->spare;
    if (ref) {
        drop_spare(s, c, ref);
    } else {
        if (!c->open && s->pages_given < s->page_count)
            page_open(s, s->pages_given++, cls);
        ref = carve(s, c);
        if (!ref)
            return 0;
    }
    links_store(s, ref, (struct links){0, c->newest, true});
    if (c->newest)
        set_newer(s, c->newest, ref);
    else
        c->oldest = ref;
    c->newest = ref;
    c->used++;
    return ref;
}

void slab_give(struct slab *s, slab_ref ref)
{
    struct slab_class *c = &s->classes[slab_class_at(s, ref)];
    struct links l = links_load(s, ref);
    assert(l.used);
    if (c->hand == ref)
        c->hand = l.newer;
    if (l.newer)
        set_older(s, l.newer, l.older);
    else
        c->newest = l.older;
    if (l.older)
        set_newer(s, l.older, l.newer);
    else
        c->oldest = l.newer;
    c->used--;
    push_spare(s, c, ref);
}

bool slab_is_used(const struct slab *s, slab_ref ref)
{
    return links_load(s, ref).used;
}

slab_ref slab_newer(const struct slab *s, slab_ref ref)
{
    return links_load(s, ref).newer;
}

slab_ref slab_slot(const struct slab *s, uint32_t page, uint32_t n)
{
    const struct slab_class *c = &s->classes[s->page_class[page]];
    return n < (c->open == page + 1 ? c->carved : page_slots(s, page)) ? page_slot(s, page, n) : 0;
}

uint32_t slab_page_next(struct slab *s, int cls)
{
    uint32_t *page = &s->classes[cls].looked;
    do
        *page = *page + 1 < s->pages_given ? *page + 1 : 0;
    while (s->page_class[*page] != cls);
    return *page;
}

void slab_page_move(struct slab *s, uint32_t page, int cls)
{
    struct slab_class *from = &s->classes[s->page_class[page]];
    slab_ref ref;
    for (uint32_t n = 0; (ref = slab_slot(s, page, n)); n++)
        drop_spare(s, from, ref);
    if (from->open == page + 1)
        from->open = 0;
    from->pages--;
    page_open(s, page, cls);
}

void slab_write(struct slab *s, slab_ref ref, size_t word, const void *from, size_t len)
{
    const uint8_t *p = from;
    for (; len; word++) {
        uint64_t v = 0;
        size_t n = len < 8 ? len : 8;
        memcpy(&v, p, n);
        slab_store(s, ref, word, v);
        p += n;
        len -= n;
    }
}
