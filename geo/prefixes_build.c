/* Networks in, runs out.
 * A network is one packed record: address, length, value. Records that come in order (as the walk
 * of a database gives them) are only appended; the first that does not makes an index of all, in
 * which the same network is found, and a sort at the end. In order, a network stands before those
 * inside it, so one sweep with a stack of what is open tells the value everywhere. */
#include "prefixes_priv.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* Big-endian address and length are the key, so that memcmp is the order; then the value. */
enum { KEY_MAX = 17, RECORD_MAX = KEY_MAX + 4, SORT_SMALL = 24 };

struct records {
    uint8_t *at;
    size_t n, cap;
    unsigned key_len, size; /* 5 and 9, or 17 and 21 */
    uint32_t *index;        /* hash -> 1 + record; NULL while all came in order */
    unsigned index_bits;
};

struct prefixes_build {
    struct records records[TREES];
};

static uint8_t *record(const struct records *r, size_t i)
{
    return r->at + i * r->size;
}

static uint32_t record_value(const struct records *r, const uint8_t *rec)
{
    uint32_t value;
    memcpy(&value, rec + r->key_len, sizeof value);
    return value;
}

/* The slot of this key, or the empty one where it belongs. */
static uint32_t *index_slot(const struct records *r, const uint8_t *key)
{
    size_t mask = ((size_t)1 << r->index_bits) - 1;
    size_t i = hash_bytes(key, r->key_len, 0x9d5f) & mask;
    while (r->index[i] && memcmp(record(r, r->index[i] - 1), key, r->key_len) != 0)
        i = (i + 1) & mask;
    return &r->index[i];
}

/* At most two thirds full. */
static int index_grow(struct records *r)
{
    if (r->index && (r->n + 1) * 3 <= (size_t)2 << r->index_bits)
        return 0;
    unsigned bits = 6;
    while ((r->n + 1) * 3 > (size_t)2 << bits)
        bits++;
    free(r->index);
    r->index = calloc((size_t)1 << bits, sizeof *r->index);
    if (!r->index)
        return ERR_NOMEM;
    r->index_bits = bits;
    for (size_t i = 0; i < r->n; i++)
        *index_slot(r, record(r, i)) = (uint32_t)i + 1;
    return 0;
}

static int records_append(struct records *r, const uint8_t *rec)
{
    if (r->n == r->cap) {
        size_t cap = r->cap + r->cap / 2 + 64;
        void *p = realloc(r->at, cap * r->size);
        if (!p)
            return ERR_NOMEM;
        r->at = p;
        r->cap = cap;
    }
    memcpy(record(r, r->n++), rec, r->size);
    return 0;
}

static int records_put(struct records *r, const uint8_t *rec)
{
    int order = r->n ? memcmp(record(r, r->n - 1), rec, r->key_len) : -1;
    if (r->n >= UINT32_MAX - 1)
        return ERR_LIMIT;
    if (!r->index && order < 0)
        return records_append(r, rec);
    if (order == 0)
        return record_value(r, record(r, r->n - 1)) == record_value(r, rec) ? 0 : ERR_EXISTS;
    int err = index_grow(r);
    if (err)
        return err;
    uint32_t *slot = index_slot(r, rec);
    if (*slot)
        return record_value(r, record(r, *slot - 1)) == record_value(r, rec) ? 0 : ERR_EXISTS;
    if ((err = records_append(r, rec)))
        return err;
    *slot = (uint32_t)r->n;
    return 0;
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t t[RECORD_MAX];
    memcpy(t, a, size);
    memcpy(a, b, size);
    memcpy(b, t, size);
}

static void sort_small(const struct records *r, uint8_t *at, size_t n)
{
    uint8_t t[RECORD_MAX];
    for (size_t i = 1; i < n; i++) {
        uint8_t *rec = at + i * r->size;
        memcpy(t, rec, r->size);
        for (; rec > at && memcmp(rec - r->size, t, r->key_len) > 0; rec -= r->size)
            memcpy(rec, rec - r->size, r->size);
        memcpy(rec, t, r->size);
    }
}

/* In place, by one byte of the key after the other; as deep as the key is long. */
static void sort(const struct records *r, uint8_t *at, size_t n, unsigned byte)
{
    size_t ends[256] = {0}, next[256], sum = 0;
    if (n <= SORT_SMALL) {
        sort_small(r, at, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ends[at[i * r->size + byte]]++;
    for (unsigned b = 0; b < 256; b++) {
        next[b] = sum;
        sum = ends[b] += sum;
    }
    for (unsigned b = 0; b < 256; b++)
        while (next[b] < ends[b]) {
            uint8_t *rec = at + next[b] * r->size;
            if (rec[byte] == b)
                next[b]++;
            else
                swap(rec, at + next[rec[byte]]++ * r->size, r->size);
        }
    if (byte + 1 == r->key_len)
        return;
    for (unsigned b = 0; b < 256; b++) {
        size_t from = b ? ends[b - 1] : 0;
        if (ends[b] - from > 1)
            sort(r, at + from * r->size, ends[b] - from, byte + 1);
    }
}

struct sweep {
    const struct records *records;
    size_t i;
    bool begun;
    unsigned open; /* networks around `key`, the innermost last */
    struct {
        prefixes_key last; /* address in it */
        uint32_t value;
    } nets[KEY_BITS + 1];
};

static prefixes_key record_start(const struct records *r, const uint8_t *rec, prefixes_key *last)
{
    prefixes_key start = 0;
    unsigned len = r->key_len - 1, bits = rec[len];
    for (unsigned i = 0; i < len; i++)
        start |= (prefixes_key)rec[i] << (KEY_BITS - 8 - 8 * i);
    *last = bits < KEY_BITS ? start | ~(prefixes_key)0 >> bits : start;
    return start;
}

static bool sweep_next(void *source, struct run *run)
{
    struct sweep *s = source;
    const struct records *r = s->records;
    prefixes_key end = ~(prefixes_key)0, start = 0, last = 0, key = end;
    bool any = !s->begun;
    if (any)
        key = 0;
    else if (s->open && s->nets[s->open - 1].last != end) {
        key = s->nets[s->open - 1].last + 1;
        any = true;
    }
    if (s->begun && s->i < r->n) {
        start = record_start(r, record(r, s->i), &last);
        key = !any || start < key ? start : key;
        any = true;
    }
    if (!any)
        return false;
    s->begun = true;
    while (s->open && s->nets[s->open - 1].last < key)
        s->open--;
    while (s->i < r->n && record_start(r, record(r, s->i), &last) == key) {
        s->nets[s->open].last = last;
        s->nets[s->open++].value = record_value(r, record(r, s->i++));
    }
    *run = (struct run){key, s->open ? s->nets[s->open - 1].value : PREFIXES_NONE, !s->open};
    return true;
}

static uint32_t pair_overlay(void *arg, const struct run *above, const struct run *below)
{
    (void)arg;
    return above->unset ? below->value : above->value;
}

static int records_write(struct records *r, const struct tree *below, struct tree *t, size_t *room)
{
    struct sweep sweep = {.records = r};
    if (r->index) {
        free(r->index);
        r->index = NULL;
        sort(r, r->at, r->n, 0);
    }
    if (!below)
        return tree_write(t, sweep_next, &sweep, room);
    struct walk walk;
    walk_init(&walk, below);
    struct run_pairs pairs = {
        .sides = {{.next = sweep_next, .source = &sweep}, {.next = walk_next, .source = &walk}},
        .pair = pair_overlay};
    return tree_write(t, run_pairs_next, &pairs, room);
}

static void records_fini(struct records *r)
{
    free(r->at);
    free(r->index);
    r->at = NULL;
    r->index = NULL;
}

int prefixes_begin(struct prefixes_build **b)
{
    if (!(*b = calloc(1, sizeof **b)))
        return ERR_NOMEM;
    (*b)->records[TREE4].key_len = 5;
    (*b)->records[TREE6].key_len = 17;
    for (unsigned i = 0; i < TREES; i++)
        (*b)->records[i].size = (*b)->records[i].key_len + (unsigned)sizeof(uint32_t);
    return 0;
}

void prefixes_abandon(struct prefixes_build *b)
{
    if (!b)
        return;
    for (unsigned i = 0; i < TREES; i++)
        records_fini(&b->records[i]);
    free(b);
}

int prefixes_put(struct prefixes_build *b, const struct prefix *p, uint32_t value)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t rec[RECORD_MAX], *at = rec;
    bool v4 = p->family == 4 || (p->bits >= 96 && memcmp(p->ip, mapped, 12) == 0);
    if (p->bits > KEY_BITS || (v4 && p->bits < 96))
        return ERR_RANGE;
    for (unsigned i = v4 ? 12 : 0; i < 16; i++) {
        unsigned left = p->bits > 8 * i ? p->bits - 8 * i : 0; /* bits of this byte and after it */
        *at++ = (uint8_t)(p->ip[i] & (left < 8 ? 0xff00 >> left : 0xff));
    }
    *at++ = (uint8_t)(p->bits - (v4 ? 96 : 0));
    memcpy(at, &value, sizeof value);
    return records_put(&b->records[v4 ? TREE4 : TREE6], rec);
}

int prefixes_finish(struct prefixes_build *b, const struct prefixes *below, size_t max_bytes,
                    struct prefixes **out)
{
    struct prefixes *t = calloc(1, sizeof *t);
    int err = t ? 0 : ERR_NOMEM;
    if (max_bytes) /* 0 would be any */
        max_bytes = max_bytes > sizeof *t ? max_bytes - sizeof *t : 1;
    for (unsigned i = 0; i < TREES && !err; i++) {
        err = records_write(&b->records[i], below ? &below->trees[i] : NULL, &t->trees[i],
                            &max_bytes);
        records_fini(&b->records[i]);
    }
    prefixes_abandon(b);
    if (err)
        prefixes_free(t);
    else
        *out = t;
    return err;
}
