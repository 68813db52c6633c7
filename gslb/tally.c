/* What one worker gave (gslb/table.h): written by that worker alone, so that adding needs no
 * read-modify-write; read by the control loop. */
#include "gslb/table.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct given {
    _Atomic uint64_t count;
    _Atomic uint32_t until_s;
};

struct gslb_tally {
    struct given *given; /* by slot; pages are taken when they are touched */
    /* A ring of networks, each one word: so many were ever written, the newest at seen - 1. */
    _Atomic uint64_t seen;
    _Atomic uint64_t ring[GSLB_SEEN_MAX];
    uint16_t where[GSLB_SEEN_MAX]; /* by hash: where in the ring such a network is, perhaps */
};

int gslb_tally_new(struct gslb_tally **out)
{
    struct gslb_tally *y = calloc(1, sizeof *y);
    if (!y)
        return ERR_NOMEM;
    void *room = mmap(NULL, GSLB_SLOTS_MAX * sizeof *y->given, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        free(y);
        return ERR_NOMEM;
    }
    y->given = room;
    *out = y;
    return 0;
}

void gslb_tally_free(struct gslb_tally *y)
{
    if (!y)
        return;
    munmap(y->given, GSLB_SLOTS_MAX * sizeof *y->given);
    free(y);
}

void gslb_tally_note(struct gslb_tally *y, uint32_t slot, uint32_t now_s, uint32_t ttl)
{
    struct given *g = &y->given[slot];
    uint64_t count = atomic_load_explicit(&g->count, memory_order_relaxed);
    uint32_t until = now_s + ttl < now_s ? UINT32_MAX : now_s + ttl;
    atomic_store_explicit(&g->count, count + 1, memory_order_relaxed);
    if (until > atomic_load_explicit(&g->until_s, memory_order_relaxed))
        atomic_store_explicit(&g->until_s, until, memory_order_relaxed);
}

uint64_t gslb_tally_count(const struct gslb_tally *y, uint32_t slot, uint32_t *until_s)
{
    const struct given *g = &y->given[slot];
    *until_s = atomic_load_explicit(&g->until_s, memory_order_relaxed);
    return atomic_load_explicit(&g->count, memory_order_relaxed);
}

/* ---- client networks ---- */

/* A network as one word that is not 0: 48 bits of address, then these. */
enum { SEEN_V4 = 1, SEEN_SUBNET = 2, SEEN_THERE = 4 };

static uint64_t bits_of(const uint8_t *from, unsigned bytes)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < bytes; i++)
        bits = bits << 8 | from[i];
    return bits;
}

void gslb_tally_saw(struct gslb_tally *y, const uint8_t ip[16], uint8_t family, bool subnet)
{
    uint64_t net = family == 4 ? bits_of(ip + 12, 3) : bits_of(ip, 6);
    uint64_t word =
        net << 16 | SEEN_THERE | (family == 4 ? SEEN_V4 : 0) | (subnet ? SEEN_SUBNET : 0);
    uint16_t *where = &y->where[hash_mix(word) % GSLB_SEEN_MAX];
    if (atomic_load_explicit(&y->ring[*where], memory_order_relaxed) == word)
        return;
    uint64_t seen = atomic_load_explicit(&y->seen, memory_order_relaxed);
    *where = (uint16_t)(seen % GSLB_SEEN_MAX);
    atomic_store_explicit(&y->ring[*where], word, memory_order_relaxed);
    atomic_store_explicit(&y->seen, seen + 1, memory_order_release);
}

static struct gslb_seen seen_of(uint64_t word)
{
    struct gslb_seen s = {.family = word & SEEN_V4 ? 4 : 6, .subnet = (word & SEEN_SUBNET) != 0};
    unsigned first = 0, bytes = 6;
    if (word & SEEN_V4) {
        s.ip[10] = s.ip[11] = 0xff;
        first = 12;
        bytes = 3;
    }
    for (unsigned i = bytes; i-- > 0; word >>= 8)
        s.ip[first + i] = (uint8_t)(word >> 16);
    return s;
}

unsigned gslb_tally_seen(const struct gslb_tally *y, struct gslb_seen out[GSLB_SEEN_MAX])
{
    uint64_t seen = atomic_load_explicit(&y->seen, memory_order_acquire);
    unsigned n = 0;
    for (uint64_t k = seen > GSLB_SEEN_MAX ? seen - GSLB_SEEN_MAX : 0; k < seen; k++)
        out[n++] = seen_of(atomic_load_explicit(&y->ring[k % GSLB_SEEN_MAX], memory_order_relaxed));
    return n;
}
