/* Runs in, a frozen tree out, in one pass.
 * Open are the nodes on the way to the run that begins last. A node is finished when the next run
 * begins beyond it; then its children and values are put behind those of the nodes finished before,
 * which keeps the children of one node together, and the node itself waits in its parent. */
#include "prefixes_priv.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct level {
    struct node node; /* nodes and leaves are counts until it is finished */
    unsigned filled;  /* slots 0..filled-1 are said */
    struct node nodes[SLOTS];
    uint32_t leaves[SLOTS];
};

struct writer {
    struct tree *tree;
    size_t nodes_cap, leaves_cap, room;
    int err;           /* the first one; all calls after it do nothing */
    unsigned open;     /* deepest open level */
    prefixes_key path; /* to it */
    uint32_t value;    /* of the run that has begun */
    struct level levels[LEVELS];
};

/* Room for `more` items after n; grows by half. */
static void *grown(struct writer *w, void *items, size_t n, size_t more, size_t *cap, size_t size)
{
    if (n + more <= *cap || w->err)
        return items;
    if (n + more > UINT32_MAX) {
        w->err = ERR_LIMIT;
        return items;
    }
    size_t want = n + more + n / 2;
    void *p = realloc(items, want * size);
    if (!p) {
        w->err = ERR_NOMEM;
        return items;
    }
    *cap = want;
    return p;
}

/* Slots from where the node stands up to `end` - 1 have the value of the run that has begun. */
static void node_fill(struct writer *w, struct level *l, unsigned end)
{
    unsigned from = l->filled;
    if (from >= end)
        return;
    if (!l->node.leaves || l->leaves[l->node.leaves - 1] != w->value) {
        l->node.starts |= 1ULL << from;
        l->leaves[l->node.leaves++] = w->value;
    }
    l->filled = end;
    for (unsigned at = from; at < end; w->tree->networks++)
        at += 1u << run_width(at, from, end);
}

/* Puts children and values of the deepest open node where they stay. */
static struct node node_finish(struct writer *w)
{
    struct level *l = &w->levels[w->open];
    struct tree *t = w->tree;
    node_fill(w, l, SLOTS);
    struct node n = l->node;
    t->nodes = grown(w, t->nodes, t->n_nodes, n.nodes, &w->nodes_cap, sizeof *t->nodes);
    t->leaves = grown(w, t->leaves, t->n_leaves, n.leaves, &w->leaves_cap, sizeof *t->leaves);
    if (w->err)
        return n;
    if (n.nodes)
        memcpy(t->nodes + t->n_nodes, l->nodes, n.nodes * sizeof *l->nodes);
    if (n.leaves)
        memcpy(t->leaves + t->n_leaves, l->leaves, n.leaves * sizeof *l->leaves);
    n.nodes = (uint32_t)t->n_nodes;
    n.leaves = (uint32_t)t->n_leaves;
    t->n_nodes += l->node.nodes;
    t->n_leaves += l->node.leaves;
    if (w->room && tree_bytes(t) > w->room)
        w->err = ERR_LIMIT;
    return n;
}

static void level_open(struct writer *w)
{
    struct level *l = &w->levels[++w->open];
    l->node = (struct node){0};
    l->filled = 0;
}

static void levels_close(struct writer *w, unsigned last)
{
    while (w->open > last && !w->err) {
        struct node n = node_finish(w);
        struct level *parent = &w->levels[--w->open];
        parent->nodes[parent->node.nodes++] = n;
    }
}

static void run_begin(struct writer *w, const struct run *r)
{
    assert(r->key > w->path);
    prefixes_key differs = r->key ^ w->path;
    uint64_t high = (uint64_t)(differs >> 64), low = (uint64_t)r->key;
    unsigned first =
        (unsigned)(high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)differs));
    /* The bits it takes to say where the run begins. */
    unsigned bits = (unsigned)(KEY_BITS - (low ? __builtin_ctzll(low)
                                               : 64 + __builtin_ctzll((uint64_t)(r->key >> 64))));
    unsigned level = first / STRIDE, target = (bits - 1) / STRIDE;
    levels_close(w, level);
    if (w->err)
        return;
    for (;;) {
        struct level *l = &w->levels[w->open];
        unsigned slot = key_slot(r->key, w->open);
        assert(slot < SLOTS && l->filled <= slot);
        node_fill(w, l, slot);
        if (w->open == target)
            break;
        l->node.inner |= 1ULL << slot;
        l->filled = slot + 1;
        level_open(w);
    }
    w->path = r->key;
    w->value = r->value;
}

/* 12 or 18 bits of shortcuts, when they are a small part of the tree. */
static void tree_jump(struct tree *t, size_t room)
{
    size_t have = tree_bytes(t), size;
    for (t->jump_bits = 3 * STRIDE; t->jump_bits > STRIDE; t->jump_bits -= STRIDE) {
        size = sizeof *t->jumps << t->jump_bits;
        if (size <= have / 4 && (!room || have + size <= room))
            break;
    }
    if (t->jump_bits == STRIDE || !(t->jumps = malloc(size))) {
        t->jump_bits = 0; /* slower, not wrong */
        return;
    }
    for (size_t i = 0; i < (size_t)1 << t->jump_bits; i++) {
        prefixes_key key = (prefixes_key)i << (KEY_BITS - t->jump_bits);
        const struct node *n = &t->root;
        unsigned level = 0, slot = key_slot(key, 0);
        for (; n->inner >> slot & 1 && ++level < t->jump_bits / STRIDE; slot = key_slot(key, level))
            n = node_child(t, n, slot);
        if (n->inner >> slot & 1)
            t->jumps[i] = (struct jump){(uint32_t)(node_child(t, n, slot) - t->nodes), JUMP_NODE};
        else
            t->jumps[i] =
                (struct jump){node_value(t, n, slot), (uint8_t)node_depth(n, slot, level)};
    }
}

/* Gives back what grown() took too much; that cannot fail in a way that matters. */
static void *shrunk(void *items, size_t n, size_t size)
{
    void *p = n ? realloc(items, n * size) : NULL;
    return p ? p : items;
}

int tree_write(struct tree *t, run_next_fn *next, void *source, size_t *room)
{
    struct run r;
    *t = (struct tree){0};
    struct writer *w = malloc(sizeof *w); /* tens of kilobytes: not for a thread's stack */
    if (!w)
        return ERR_NOMEM;
    memset(w, 0, offsetof(struct writer, levels));
    w->tree = t;
    w->room = *room;
    w->levels[0].node = (struct node){0};
    w->levels[0].filled = 0;
    w->value = next(source, &r) ? r.value : PREFIXES_NONE;
    while (!w->err && next(source, &r))
        if (r.value != w->value)
            run_begin(w, &r);
    levels_close(w, 0);
    if (!w->err)
        t->root = node_finish(w);
    int err = w->err;
    free(w);
    if (err) {
        tree_fini(t);
        return err;
    }
    t->nodes = shrunk(t->nodes, t->n_nodes, sizeof *t->nodes);
    t->leaves = shrunk(t->leaves, t->n_leaves, sizeof *t->leaves);
    tree_jump(t, *room);
    /* 0 means any, so what is used up becomes 1, in which no second tree has room. */
    if (*room)
        *room = *room > tree_bytes(t) ? *room - tree_bytes(t) : 1;
    return 0;
}

void tree_fini(struct tree *t)
{
    free(t->nodes);
    free(t->leaves);
    free(t->jumps);
    *t = (struct tree){0};
}

size_t tree_bytes(const struct tree *t)
{
    return t->n_nodes * sizeof *t->nodes + t->n_leaves * sizeof *t->leaves +
           (t->jumps ? sizeof *t->jumps << t->jump_bits : 0);
}
