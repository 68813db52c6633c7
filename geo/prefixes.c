#include "prefixes_priv.h"

#include "base/err.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void prefixes_free(struct prefixes *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < TREES; i++)
        tree_fini(&t->trees[i]);
    free(t);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return be64toh(x);
}

uint32_t prefixes_find(const struct prefixes *t, const struct addr *a, unsigned *depth)
{
    bool v4 = a->family == 4;
    const struct tree *tree = &t->trees[v4 ? TREE4 : TREE6];
    uint64_t high = v4 ? load64(a->ip + 8) << 32 : load64(a->ip), low = v4 ? 0 : load64(a->ip + 8);
    const struct node *n = &tree->root;
    unsigned level = 0, stride = tree->jump_bits;
    if (stride) {
        struct jump j = tree->jumps[high >> (64 - stride)];
        if (j.depth != JUMP_NODE) {
            if (depth)
                *depth = j.depth;
            return j.at;
        }
        n = tree->nodes + j.at;
        level = stride / STRIDE;
        high = high << stride | low >> (64 - stride);
        low <<= stride;
    }
    unsigned slot = (unsigned)(high >> (64 - STRIDE));
    for (; n->inner >> slot & 1; level++) {
        n = node_child(tree, n, slot);
        high = high << STRIDE | low >> (64 - STRIDE);
        low <<= STRIDE;
        slot = (unsigned)(high >> (64 - STRIDE));
    }
    if (depth)
        *depth = node_depth(n, slot, level);
    return node_value(tree, n, slot);
}

void prefixes_ahead(const struct prefixes *t, bool v4, uint64_t high, unsigned step)
{
    const struct tree *tree = &t->trees[v4 ? TREE4 : TREE6];
    if (!tree->jump_bits) /* small */
        return;
    const struct jump *j = &tree->jumps[high >> (64 - tree->jump_bits)];
    if (step == 0) {
        __builtin_prefetch(j);
        return;
    }
    if (j->depth != JUMP_NODE)
        return;
    const struct node *n = tree->nodes + j->at;
    unsigned slot = (unsigned)(high << tree->jump_bits >> (64 - STRIDE));
    if (step == 1)
        __builtin_prefetch(n);
    else if (n->inner >> slot & 1)
        __builtin_prefetch(node_child(tree, n, slot));
    else
        __builtin_prefetch(&tree->leaves[n->leaves + bits_set(n->starts & slots_upto(slot)) - 1]);
}

void walk_init(struct walk *w, const struct tree *t)
{
    w->tree = t;
    w->open = 1;
    w->at[0].node = &t->root;
    w->at[0].base = 0;
    w->at[0].slot = 0;
}

bool walk_next(void *walk, struct run *r)
{
    struct walk *w = walk;
    while (w->open) {
        unsigned level = w->open - 1, slot = w->at[level].slot;
        const struct node *n = w->at[level].node;
        prefixes_key key = w->at[level].base | (slot < SLOTS ? slot_key(slot, level) : 0);
        if (slot == SLOTS) {
            w->open--;
        } else if (n->inner >> slot & 1) {
            w->at[level].slot++;
            w->at[w->open].node = node_child(w->tree, n, slot);
            w->at[w->open].base = key;
            w->at[w->open++].slot = 0;
        } else {
            w->level = level;
            w->from = slot;
            w->to = w->at[level].slot = run_to(n, slot);
            *r = (struct run){key, node_value(w->tree, n, slot), false};
            return true;
        }
    }
    return false;
}

static void side_step(struct run_side *s)
{
    s->now = s->then;
    s->more = s->next(s->source, &s->then);
}

bool run_pairs_next(void *pairs, struct run *r)
{
    struct run_pairs *p = pairs;
    struct run_side *a = &p->sides[0], *b = &p->sides[1];
    prefixes_key key = 0;
    if (!p->begun) {
        p->begun = true;
        for (unsigned i = 0; i < 2; i++) {
            side_step(&p->sides[i]); /* every source has a run at 0 */
            side_step(&p->sides[i]);
        }
    } else if (a->more || b->more) {
        bool from_a = a->more && (!b->more || a->then.key <= b->then.key);
        key = from_a ? a->then.key : b->then.key;
        for (unsigned i = 0; i < 2; i++)
            if (p->sides[i].more && p->sides[i].then.key == key)
                side_step(&p->sides[i]);
    } else {
        return false;
    }
    *r = (struct run){key, p->pair(p->arg, &a->now, &b->now), false};
    return true;
}

struct mapped {
    struct walk walk;
    prefixes_map_fn *fn;
    void *arg;
};

static bool mapped_next(void *source, struct run *r)
{
    struct mapped *m = source;
    if (!walk_next(&m->walk, r))
        return false;
    r->value = m->fn(m->arg, r->value);
    return true;
}

int prefixes_map(const struct prefixes *t, prefixes_map_fn *fn, void *arg, struct prefixes **out)
{
    struct prefixes *to = calloc(1, sizeof *to);
    struct mapped m = {.fn = fn, .arg = arg};
    size_t any = 0;
    int err = to ? 0 : ERR_NOMEM;
    for (unsigned i = 0; i < TREES && !err; i++) {
        walk_init(&m.walk, &t->trees[i]);
        err = tree_write(&to->trees[i], mapped_next, &m, &any);
    }
    if (err)
        prefixes_free(to);
    else
        *out = to;
    return err;
}

struct joined {
    prefixes_join_fn *fn;
    void *arg;
};

static uint32_t pair_join(void *arg, const struct run *a, const struct run *b)
{
    struct joined *j = arg;
    return j->fn(j->arg, a->value, b->value);
}

int prefixes_join(const struct prefixes *a, const struct prefixes *b, prefixes_join_fn *fn,
                  void *arg, struct prefixes **out)
{
    struct prefixes *to = calloc(1, sizeof *to);
    struct joined joined = {fn, arg};
    size_t any = 0;
    int err = to ? 0 : ERR_NOMEM;
    for (unsigned i = 0; i < TREES && !err; i++) {
        struct walk walks[2];
        walk_init(&walks[0], &a->trees[i]);
        walk_init(&walks[1], &b->trees[i]);
        struct run_pairs pairs = {.sides = {{.next = walk_next, .source = &walks[0]},
                                            {.next = walk_next, .source = &walks[1]}},
                                  .pair = pair_join,
                                  .arg = &joined};
        err = tree_write(&to->trees[i], run_pairs_next, &pairs, &any);
    }
    if (err)
        prefixes_free(to);
    else
        *out = to;
    return err;
}

static struct prefix prefix_of_key(prefixes_key key, unsigned bits, bool v4)
{
    struct prefix p = {.bits = (uint8_t)(bits + (v4 ? 96 : 0)), .family = v4 ? 4 : 6};
    if (v4)
        key = key >> 96 | (prefixes_key)0xffff << 32;
    for (unsigned i = 16; i-- > 0; key >>= 8)
        p.ip[i] = (uint8_t)key;
    return p;
}

void prefixes_each(const struct prefixes *t,
                   void (*fn)(void *arg, const struct prefix *p, uint32_t value), void *arg)
{
    for (unsigned i = 0; i < TREES; i++) {
        struct walk w;
        struct run r;
        walk_init(&w, &t->trees[i]);
        while (walk_next(&w, &r)) {
            unsigned width;
            for (unsigned slot = w.from; slot < w.to; slot += 1u << width) {
                width = run_width(slot, w.from, w.to);
                prefixes_key key = r.key + slot_key(slot - w.from, w.level);
                struct prefix p = prefix_of_key(key, STRIDE * w.level + STRIDE - width, i == TREE4);
                fn(arg, &p, r.value);
            }
        }
    }
}

struct prefixes_usage prefixes_usage(const struct prefixes *t)
{
    const struct tree *v4 = &t->trees[TREE4], *v6 = &t->trees[TREE6];
    return (struct prefixes_usage){.bytes = sizeof *t + tree_bytes(v4) + tree_bytes(v6),
                                   .nodes = 2 + v4->n_nodes + v6->n_nodes, /* and the roots */
                                   .networks4 = v4->networks,
                                   .networks6 = v6->networks};
}

struct addr prefixes_canonical(const struct addr *a, unsigned *shift)
{
    static const struct {
        uint8_t bytes, at; /* of the prefix; where the IPv4 address lies */
        bool inverted;
        uint8_t prefix[12];
    } forms[] = {
        {12, 12, false, {0}},                        /* RFC 4291 2.5.5.1 */
        {12, 12, false, {[10] = 0xff, [11] = 0xff}}, /* RFC 4291 2.5.5.2 */
        {12, 12, false, {[8] = 0xff, [9] = 0xff}},   /* RFC 2765 2.1 */
        {12, 12, false, {0x00, 0x64, 0xff, 0x9b}},   /* RFC 6052 2.1 */
        {4, 12, true, {0x20, 0x01, 0x00, 0x00}},     /* RFC 4380 4: the client's, inverted */
        {2, 2, false, {0x20, 0x02}},                 /* RFC 3056 2 */
    };
    *shift = 0;
    for (size_t i = 0; a->family == 6 && i < sizeof forms / sizeof *forms; i++) {
        if (memcmp(a->ip, forms[i].prefix, forms[i].bytes) != 0)
            continue;
        uint8_t ip[4];
        for (unsigned k = 0; k < 4; k++)
            ip[k] = a->ip[forms[i].at + k] ^ (forms[i].inverted ? 0xff : 0);
        *shift = 8u * forms[i].at;
        return addr_of_bytes(ip, sizeof ip, a->port);
    }
    return *a;
}
