/* gslb/table_priv.h: the words of a slot, read where they are needed. */
#ifndef WAYPOST_GSLB_TABLE_PRIV_H
#define WAYPOST_GSLB_TABLE_PRIV_H

#include "gslb/table.h"

/* Words are kept so that 0, what untouched memory reads as, is a slot that nobody wrote. Two slots
 * to a line, none on two. */
struct slot {
    _Alignas(32) _Atomic uint64_t view;
    _Atomic uint64_t until; /* ~until_s */
    _Atomic uint64_t last;  /* of a name: ~pool slot in the upper half, second in the lower */
};

struct gslb_table {
    struct slot *slots;
    struct names *names;
};

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
    PERMILLE_BITS = 10,
    LOAD_AT = 17,
    LOAD_BITS = 20,
    RTT_AT = 37,
    RTT_BITS = 26
};
static const uint64_t table_untouched = UP | UNSETTLED | 1000u << PERMILLE_AT;

static inline uint32_t table_bits(uint64_t word, unsigned at, unsigned bits)
{
    return (uint32_t)(word >> at) & ((1u << bits) - 1);
}

/* Up with all of its weight, and nothing else to say. */
static inline bool table_steady(uint64_t word)
{
    return (word & ~(uint64_t)(KNOWN | WAS_UP)) == (UP | 1000u << PERMILLE_AT);
}

static inline uint64_t table_word(const struct gslb_table *t, uint32_t slot)
{
    return table_untouched ^ atomic_load_explicit(&t->slots[slot].view, memory_order_acquire);
}

/* Without until_s, which speaks only of those that are forced. */
static inline struct gslb_view table_view(uint64_t word)
{
    return (struct gslb_view){.up = word & UP,
                              .known = word & KNOWN,
                              .unsettled = word & UNSETTLED,
                              .forced = word & FORCED,
                              .over = word & OVER,
                              .was_up = word & WAS_UP,
                              .has_load = word & HAS_LOAD,
                              .permille = (uint16_t)table_bits(word, PERMILLE_AT, PERMILLE_BITS),
                              .load = table_bits(word, LOAD_AT, LOAD_BITS),
                              .rtt_us = table_bits(word, RTT_AT, RTT_BITS)};
}

/* After the view, which is written after it. */
static inline uint32_t table_until(const struct gslb_table *t, uint32_t slot)
{
    return ~(uint32_t)atomic_load_explicit(&t->slots[slot].until, memory_order_relaxed);
}

#endif
