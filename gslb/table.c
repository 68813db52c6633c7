#include "gslb/table.h"

#include "base/err.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Words are kept so that 0, what untouched memory reads as, is a slot that nobody wrote. */
struct slot {
    _Atomic uint64_t view;
    _Atomic uint64_t until; /* ~until_s */
    _Atomic uint64_t last;  /* of a name: ~pool slot in the upper half, second in the lower */
};

/* Identity -> slot: open addressing over 1 + slot, at most half full. Names never go. */
struct names {
    pthread_mutex_t lock;
    char **texts; /* by slot */
    uint32_t count;
    uint32_t *places, mask;
};

struct gslb_table {
    struct slot *slots;
    struct names *names;
};

/* ---- memory ---- */

/* Room whose pages are taken when they are first touched, read as zeros. */
static void *reserve(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room == MAP_FAILED ? NULL : room;
}

static void unreserve(void *room, size_t bytes)
{
    if (room)
        munmap(room, bytes);
}

static void names_free(struct names *n)
{
    for (uint32_t i = 0; n->texts && i < n->count; i++)
        free(n->texts[i]);
    unreserve(n->texts, GSLB_SLOTS_MAX * sizeof *n->texts);
    pthread_mutex_destroy(&n->lock);
    free(n->places);
    free(n);
}

static struct names *names_new(void)
{
    enum { FIRST = 256 };
    struct names *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    pthread_mutex_init(&n->lock, NULL);
    n->texts = reserve(GSLB_SLOTS_MAX * sizeof *n->texts);
    n->places = calloc(FIRST, sizeof *n->places);
    n->mask = FIRST - 1;
    if (n->texts && n->places)
        return n;
    names_free(n);
    return NULL;
}

int gslb_table_new(struct gslb_table **out)
{
    struct gslb_table *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    t->slots = reserve(GSLB_SLOTS_MAX * sizeof *t->slots);
    t->names = names_new();
    if (!t->slots || !t->names) {
        gslb_table_free(t);
        return ERR_NOMEM;
    }
    *out = t;
    return 0;
}

void gslb_table_free(struct gslb_table *t)
{
    if (!t)
        return;
    if (t->names)
        names_free(t->names);
    unreserve(t->slots, GSLB_SLOTS_MAX * sizeof *t->slots);
    free(t);
}

/* ---- identities ---- */

static uint32_t *place_of(const struct names *n, const char *identity)
{
    uint32_t at = (uint32_t)hash_bytes(identity, strlen(identity), 0) & n->mask;
    while (n->places[at] && strcmp(n->texts[n->places[at] - 1], identity) != 0)
        at = (at + 1) & n->mask;
    return &n->places[at];
}

static int names_grow(struct names *n)
{
    struct names wider = *n;
    wider.mask = n->mask * 2 + 1;
    wider.places = calloc(wider.mask + 1u, sizeof *wider.places);
    if (!wider.places)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < n->count; i++)
        *place_of(&wider, n->texts[i]) = i + 1;
    free(n->places);
    n->places = wider.places;
    n->mask = wider.mask;
    return 0;
}

static int names_add(struct names *n, const char *identity, uint32_t *place)
{
    if (n->count == GSLB_SLOTS_MAX)
        return ERR_LIMIT;
    if (!(n->texts[n->count] = strdup(identity)))
        return ERR_NOMEM;
    *place = ++n->count;
    return 0;
}

int gslb_table_slot(struct gslb_table *t, const char *identity, uint32_t *slot)
{
    struct names *n = t->names;
    int err = 0;
    pthread_mutex_lock(&n->lock);
    if (n->count > n->mask / 2)
        err = names_grow(n);
    uint32_t *place = place_of(n, identity);
    if (!*place && !err)
        err = names_add(n, identity, place);
    if (*place) {
        *slot = *place - 1;
        err = 0;
    }
    pthread_mutex_unlock(&n->lock);
    return err;
}

uint32_t gslb_table_find(const struct gslb_table *t, const char *identity)
{
    pthread_mutex_lock(&t->names->lock);
    uint32_t place = *place_of(t->names, identity);
    pthread_mutex_unlock(&t->names->lock);
    return place ? place - 1 : GSLB_NO_SLOT;
}

unsigned gslb_table_count(const struct gslb_table *t)
{
    pthread_mutex_lock(&t->names->lock);
    unsigned count = t->names->count;
    pthread_mutex_unlock(&t->names->lock);
    return count;
}

const char *gslb_table_identity(const struct gslb_table *t, uint32_t slot)
{
    const char *text = NULL;
    pthread_mutex_lock(&t->names->lock);
    if (slot < t->names->count)
        text = t->names->texts[slot];
    pthread_mutex_unlock(&t->names->lock);
    return text;
}

/* ---- what is said of a slot ---- */

/* One word: seven flags, then 10 bits of permille, 20 of load, 26 of round trip. */
enum {
    UP = 1,
    KNOWN = 2,
    UNSETTLED = 4,
    FORCED = 8,
    OVER = 16,
    WAS_UP = 32,
    HAS_LOAD = 64,
    PERMILLE_AT = 7,
    LOAD_AT = 17,
    RTT_AT = 37
};
static const uint64_t permille_mask = (1u << 10) - 1, load_mask = (1u << 20) - 1,
                      rtt_mask = (1u << 26) - 1;
static const uint64_t untouched = UP | UNSETTLED | 1000u << PERMILLE_AT;

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

void gslb_table_put(struct gslb_table *t, uint32_t slot, const struct gslb_view *v)
{
    uint64_t word = (v->up ? UP : 0) | (v->known ? KNOWN : 0) | (v->unsettled ? UNSETTLED : 0) |
                    (v->forced ? FORCED : 0) | (v->over ? OVER : 0) | (v->was_up ? WAS_UP : 0) |
                    (v->has_load ? HAS_LOAD : 0);
    word |= at_most(v->permille, 1000) << PERMILLE_AT;
    word |= at_most(v->load, load_mask) << LOAD_AT;
    word |= at_most(v->rtt_us, rtt_mask) << RTT_AT;
    /* The end before the word that says there is one. */
    atomic_store_explicit(&t->slots[slot].until, (uint32_t)~v->until_s, memory_order_relaxed);
    atomic_store_explicit(&t->slots[slot].view, word ^ untouched, memory_order_release);
}

struct gslb_view gslb_table_get(const struct gslb_table *t, uint32_t slot)
{
    uint64_t word = untouched ^ atomic_load_explicit(&t->slots[slot].view, memory_order_acquire);
    return (struct gslb_view){
        .up = word & UP,
        .known = word & KNOWN,
        .unsettled = word & UNSETTLED,
        .forced = word & FORCED,
        .over = word & OVER,
        .was_up = word & WAS_UP,
        .has_load = word & HAS_LOAD,
        .permille = (uint16_t)(word >> PERMILLE_AT & permille_mask),
        .load = (uint32_t)(word >> LOAD_AT & load_mask),
        .rtt_us = (uint32_t)(word >> RTT_AT & rtt_mask),
        .until_s = ~(uint32_t)atomic_load_explicit(&t->slots[slot].until, memory_order_relaxed)};
}

void gslb_table_put_last(struct gslb_table *t, uint32_t name_slot, uint32_t pool_slot,
                         uint32_t second)
{
    uint64_t word = (uint64_t)(uint32_t)~pool_slot << 32 | second;
    atomic_store_explicit(&t->slots[name_slot].last, word, memory_order_relaxed);
}

uint32_t gslb_table_last(const struct gslb_table *t, uint32_t name_slot, uint32_t *second)
{
    uint64_t word = atomic_load_explicit(&t->slots[name_slot].last, memory_order_relaxed);
    *second = (uint32_t)word;
    return ~(uint32_t)(word >> 32);
}

int gslb_table_dup(const struct gslb_table *t, struct gslb_table **copy)
{
    struct gslb_table *to;
    unsigned count = gslb_table_count(t);
    int err = gslb_table_new(&to);
    if (err)
        return err;
    for (uint32_t i = 0, slot; i < count && !err; i++) {
        err = gslb_table_slot(to, gslb_table_identity(t, i), &slot);
        if (err)
            break;
        struct gslb_view v = gslb_table_get(t, i);
        uint32_t second, last = gslb_table_last(t, i, &second);
        gslb_table_put(to, i, &v);
        gslb_table_put_last(to, i, last, second);
    }
    if (err)
        gslb_table_free(to);
    else
        *copy = to;
    return err;
}
