/* geo/prefixes_priv.h: the frozen tree behind geo/prefixes.h, and how it is read and written.
 *
 * A tree divides the address space of one family into slots, 64 per node, six bits of the address
 * each. A slot is inner (the values inside differ: a child node) or lies in a run: neighbouring
 * slots of one value. Of a node's runs only the beginnings are marked and one value each is kept;
 * a run that goes on after an inner slot is not marked again.
 *
 *   slot    0   1   2   3   4   5   6  ...          leaves: a b
 *   value   a   a   b   b  (.)  b   b  ...          nodes:  one, for slot 4
 *   starts  1   0   1   0   0   0   0
 *   inner   0   0   0   0   1   0   0
 *
 * Nothing else is stored: which networks a run consists of follows from where it begins and ends,
 * because a node whose 64 slots agree does not exist (the root excepted), so no network reaches
 * beyond its node. Both families lie at the top of a 128-bit key; the lowest level has two bits and
 * uses every sixteenth slot. */
#ifndef WAYPOST_GEO_PREFIXES_PRIV_H
#define WAYPOST_GEO_PREFIXES_PRIV_H

#include "geo/prefixes.h"

#include <stdint.h>

__extension__ typedef unsigned __int128 prefixes_key;

enum { STRIDE = 6, SLOTS = 1 << STRIDE, LEVELS = 22, KEY_BITS = 128 };
enum { TREE4, TREE6, TREES };

struct node {
    uint64_t inner, starts; /* bit n: slot n */
    uint32_t nodes, leaves; /* where its children and its values begin */
};

/* Shortcuts: what lies below the first jump_bits bits of an address. */
struct jump {
    uint32_t at;   /* a value, or the number of a node */
    uint8_t depth; /* of the value, or JUMP_NODE */
};
#define JUMP_NODE 0xff

struct tree {
    struct node root;
    struct node *nodes;
    uint32_t *leaves;
    struct jump *jumps; /* NULL in small trees */
    unsigned jump_bits; /* a multiple of STRIDE */
    size_t n_nodes, n_leaves, networks;
};

struct prefixes {
    struct tree trees[TREES];
};

/* From `key` to the next run's key (or the end of the space). A source gives them in rising order,
 * the first at 0; neighbours may agree. */
struct run {
    prefixes_key key;
    uint32_t value;
    bool unset; /* no network lies here; only networks not yet frozen say so */
};
typedef bool run_next_fn(void *source, struct run *r); /* false: no more */

/* A tree read as runs, in order, without recursion. */
struct walk {
    const struct tree *tree;
    unsigned open; /* levels on the way down; 0: at the end */
    struct {
        const struct node *node;
        prefixes_key base;
        unsigned slot; /* the next one */
    } at[LEVELS];
    unsigned level, from, to; /* where the run given last lies: slots from..to-1 */
};

void walk_init(struct walk *w, const struct tree *t);
bool walk_next(void *walk, struct run *r);

/* Two sources read as one, with a value made of each pair. */
typedef uint32_t run_pair_fn(void *arg, const struct run *a, const struct run *b);
struct run_pairs {
    struct run_side {
        run_next_fn *next;
        void *source;
        struct run now, then;
        bool more; /* `then` is set */
    } sides[2];
    run_pair_fn *pair;
    void *arg;
    bool begun;
};
bool run_pairs_next(void *pairs, struct run *r);

/* Writes *t from a source. `room` bounds its bytes (0: any) and is lowered by them. On error *t
 * holds nothing. ERR_NOMEM, ERR_LIMIT. */
int tree_write(struct tree *t, run_next_fn *next, void *source, size_t *room);
void tree_fini(struct tree *t);
size_t tree_bytes(const struct tree *t);

static inline uint64_t slots_upto(unsigned slot)
{
    return ~0ULL >> (SLOTS - 1 - slot);
}

/* Without a population count in the instruction set GCC would call a function for each. */
static inline unsigned bits_set(uint64_t x)
{
#ifdef __POPCNT__
    return (unsigned)__builtin_popcountll(x);
#else
    x -= x >> 1 & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (unsigned)(x * 0x0101010101010101ULL >> 56);
#endif
}

static inline unsigned run_from(const struct node *n, unsigned slot)
{
    uint64_t before = slots_upto(slot);
    return (unsigned)(63 - __builtin_clzll((n->starts & before) | (n->inner & before) << 1));
}

static inline unsigned run_to(const struct node *n, unsigned slot)
{
    uint64_t after = (n->starts | n->inner) & ~slots_upto(slot);
    return after ? (unsigned)__builtin_ctzll(after) : SLOTS;
}

/* The widest network around a slot that stays in from..to-1, as log2 of its slots: it must contain
 * neither from - 1 nor to. */
static inline unsigned run_width(unsigned slot, unsigned from, unsigned to)
{
    unsigned width = STRIDE;
    if (from > 0)
        width = (unsigned)(31 - __builtin_clz(slot ^ (from - 1)));
    if (to < SLOTS) {
        unsigned right = (unsigned)(31 - __builtin_clz(slot ^ to));
        width = right < width ? right : width;
    }
    return width;
}

static inline const struct node *node_child(const struct tree *t, const struct node *n,
                                            unsigned slot)
{
    return t->nodes + n->nodes + bits_set(n->inner & (slots_upto(slot) >> 1));
}

static inline uint32_t node_value(const struct tree *t, const struct node *n, unsigned slot)
{
    return t->leaves[n->leaves + bits_set(n->starts & slots_upto(slot)) - 1];
}

static inline unsigned node_depth(const struct node *n, unsigned slot, unsigned level)
{
    return STRIDE * level + STRIDE - run_width(slot, run_from(n, slot), run_to(n, slot));
}

static inline unsigned key_slot(prefixes_key key, unsigned level)
{
    unsigned above = KEY_BITS - STRIDE; /* the last level's two bits end below the key */
    return (unsigned)(STRIDE * level <= above ? key >> (above - STRIDE * level) : key << 4) &
           (SLOTS - 1);
}

static inline prefixes_key slot_key(unsigned slot, unsigned level)
{
    unsigned above = KEY_BITS - STRIDE;
    return STRIDE * level <= above ? (prefixes_key)slot << (above - STRIDE * level)
                                   : (prefixes_key)(slot >> 4);
}

#endif
