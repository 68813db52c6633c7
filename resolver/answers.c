/* resolver/answers.c: a table of 64-byte buckets over slabs.
 *
 * A bucket is one cache line: version, visited marks, ten tags and ten slots. Its version guards
 * the slots it names: a slot is written only while no bucket names it, and taking a name out of a
 * bucket moves the version. So a reader who finds the same even version before and after its copy
 * has copied one whole entry. All words are atomic with acquire and release, no fences (TSan does
 * not model them).
 *
 * The table is as long as its content needs (linear_priv.h). A reader who finds nothing looks again
 * when the number of buckets has changed.
 *
 * A slot: 0 links (slab), 1 hash, 2 time stored | lifetime, 3 length | number of TTLs | bits, view
 * | offset of the first TTL, then the offsets of the others (16 bits each, padded to a word), then
 * the response. Its question is the key's name and type. */
#include "resolver/answers.h"

#include "base/hash.h"
#include "linear_priv.h"
#include "slab_priv.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    WORD_HASH = 1,
    WORD_TIMES = 2,
    WORD_SIZES = 3,
    WORD_OFFSETS = 4,

    LANES = 5, /* tags in a word */
    TAG_BITS = 12,
    BUCKET_WAYS = 2 * LANES,
    BUCKETS_MIN = 64,
    BUCKET_LOAD = 4, /* entries per bucket that let the table double */
    CLAIM = 16,
    READ_TRIES = 4,
    HAND_STEPS = 32, /* of one eviction at most */
    TTLS_MAX = 384,  /* 4096 octets / 11 per record, rounded up to words of four */
    SHARDS_MAX = 32,
    SHARD_PAGES_MIN = 2 * SLAB_CLASSES,
    FLAG_RD = 0x0100,
    FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
    FLAG_TC = 0x0200,
};
#define TAG_MASK  ((1ull << TAG_BITS) - 1)
#define LANE_ONES 0x001001001001001ull /* 1 in each lane */

struct bucket {
    _Atomic uint32_t version; /* odd while a writer is inside */
    _Atomic uint32_t visited; /* by readers: a bit per way, and one (<< CLAIM) for a refresh */
    _Atomic uint64_t tags[2]; /* LANES of TAG_BITS each */
    _Atomic slab_ref refs[BUCKET_WAYS];
} __attribute__((aligned(64)));

struct shard {
    struct bucket *buckets;        /* constant, like slab.words: what readers use */
    _Atomic uint32_t bucket_count; /* only grows */
    struct slab slab;
    pthread_mutex_t lock __attribute__((aligned(64)));
    uint64_t entries, inserts, evictions;
} __attribute__((aligned(64)));

struct answers {
    uint64_t seed, limit;
    uint32_t buckets_max; /* per shard, a power of two */
    unsigned refresh_percent;
    uint32_t shard_mask;
    uint8_t *map; /* buckets of all shards, then pages of all shards */
    size_t map_size;
    unsigned ready; /* shards that are initialised */
    struct shard shards[];
};

/* What a slot holds besides the response. */
struct entry {
    uint64_t hash;
    uint32_t stored_s; /* the clock's low bits */
    uint32_t life_s;
    uint16_t len, ttls;
    uint16_t key;   /* bits << 8 | view */
    uint16_t first; /* offset of the first TTL */
};

static struct shard *shard_of(struct answers *t, uint64_t hash)
{
    return &t->shards[hash >> 56 & t->shard_mask];
}

static struct bucket *bucket_at(const struct shard *s, uint32_t count, uint64_t hash)
{
    return &s->buckets[linear_index(count, (uint32_t)hash)];
}

/* With the shard's lock held. */
static struct bucket *bucket_of(const struct shard *s, uint64_t hash)
{
    return bucket_at(s, atomic_load_explicit(&s->bucket_count, memory_order_relaxed), hash);
}

static uint64_t tag_of(uint64_t hash)
{
    return hash >> 40 & TAG_MASK;
}

/* The top bit of each lane with this tag; of one above such a lane, perhaps, too. */
static uint64_t lanes_with(uint64_t lanes, uint64_t tag)
{
    uint64_t x = lanes ^ tag * LANE_ONES;
    return (x - LANE_ONES) & ~x & LANE_ONES << (TAG_BITS - 1);
}

static size_t offset_words(unsigned ttls)
{
    return (ttls + 2u) / 4; /* without the first */
}

static struct entry entry_load(const struct slab *s, slab_ref ref)
{
    uint64_t times = slab_load(s, ref, WORD_TIMES), sizes = slab_load(s, ref, WORD_SIZES);
    return (struct entry){.hash = slab_load(s, ref, WORD_HASH),
                          .stored_s = (uint32_t)(times >> 32),
                          .life_s = (uint32_t)times,
                          .len = (uint16_t)(sizes >> 48),
                          .ttls = (uint16_t)(sizes >> 32),
                          .key = (uint16_t)(sizes >> 16),
                          .first = (uint16_t)sizes};
}

/* Below 0: the clock went back. */
static int64_t entry_age(const struct entry *e, int64_t now_s)
{
    return (int32_t)((uint32_t)now_s - e->stored_s);
}

/* The slot of a hash, 0: none in this bucket. */
static slab_ref find(const struct shard *s, struct bucket *b, uint64_t hash, int *way)
{
    for (int half = 0; half < 2; half++) {
        uint64_t lanes = atomic_load_explicit(&b->tags[half], memory_order_acquire);
        for (uint64_t m = lanes_with(lanes, tag_of(hash)); m; m &= m - 1) {
            *way = half * LANES + __builtin_ctzll(m) / TAG_BITS;
            slab_ref ref = atomic_load_explicit(&b->refs[*way], memory_order_acquire);
            if (ref && slab_load(&s->slab, ref, WORD_HASH) == hash)
                return ref;
        }
    }
    return 0;
}

/* Writers, with the shard's lock. */

static void bucket_begin(struct bucket *b)
{
    uint32_t v = atomic_load_explicit(&b->version, memory_order_relaxed);
    atomic_exchange_explicit(&b->version, v + 1, memory_order_acq_rel);
}

static void bucket_end(struct bucket *b)
{
    uint32_t v = atomic_load_explicit(&b->version, memory_order_relaxed);
    atomic_store_explicit(&b->version, v + 1, memory_order_release);
}

static uint64_t way_tag(struct bucket *b, int way)
{
    uint64_t lanes = atomic_load_explicit(&b->tags[way / LANES], memory_order_relaxed);
    return lanes >> way % LANES * TAG_BITS & TAG_MASK;
}

/* Between begin and end, or where nobody reads yet. */
static void way_put(struct bucket *b, int way, uint64_t tag, slab_ref ref)
{
    _Atomic uint64_t *word = &b->tags[way / LANES];
    int shift = way % LANES * TAG_BITS;
    uint64_t lanes = atomic_load_explicit(word, memory_order_relaxed) & ~(TAG_MASK << shift);
    atomic_store_explicit(word, lanes | tag << shift, memory_order_release);
    atomic_store_explicit(&b->refs[way], ref, memory_order_release);
}

static void way_set(struct bucket *b, int way, uint64_t tag, slab_ref ref)
{
    bucket_begin(b);
    way_put(b, way, tag, ref);
    bucket_end(b);
}

static slab_ref way_ref(struct bucket *b, int way)
{
    return atomic_load_explicit(&b->refs[way], memory_order_relaxed);
}

static bool way_visited(struct bucket *b, int way)
{
    return atomic_load_explicit(&b->visited, memory_order_relaxed) >> way & 1;
}

static void way_unvisit(struct bucket *b, int way)
{
    atomic_fetch_and_explicit(&b->visited, ~((1u | 1u << CLAIM) << way), memory_order_relaxed);
}

static void way_unclaim(struct bucket *b, int way)
{
    atomic_fetch_and_explicit(&b->visited, ~(1u << CLAIM << way), memory_order_relaxed);
}

static int way_of(struct bucket *b, slab_ref ref)
{
    int way = 0;
    while (way_ref(b, way) != ref) {
        way++;
        assert(way < BUCKET_WAYS); /* a used slot is in its bucket */
    }
    return way;
}

static void entry_drop(struct shard *s, slab_ref ref)
{
    struct bucket *b = bucket_of(s, slab_load(&s->slab, ref, WORD_HASH));
    int way = way_of(b, ref);
    way_set(b, way, 0, 0);
    way_unvisit(b, way);
    slab_give(&s->slab, ref);
    s->entries--;
}

/* SIEVE: the hand goes from old to new, clears marks, and takes the first entry without one. A row
 * of marked ones ends at the last step, so that no put pays for all of them. */
static void evict_one(struct shard *s, int cls, int64_t now_s)
{
    struct slab_class *c = &s->slab.classes[cls];
    for (unsigned step = 1;; step++) {
        slab_ref ref = c->hand ? c->hand : c->oldest;
        struct entry e = entry_load(&s->slab, ref);
        struct bucket *b = bucket_of(s, e.hash);
        int way = way_of(b, ref);
        c->hand = slab_newer(&s->slab, ref);
        if (!way_visited(b, way) || entry_age(&e, now_s) >= e.life_s || step == HAND_STEPS) {
            entry_drop(s, ref);
            s->evictions++;
            c->evictions++;
            return;
        }
        way_unvisit(b, way);
    }
}

/* The class (with more than `keep` pages) that turns its slots over most slowly. */
static int slowest_class(const struct slab *s, int not_this, uint32_t keep)
{
    int best = -1;
    for (int n = 0; n < SLAB_CLASSES; n++) {
        const struct slab_class *c = &s->classes[n];
        if (n == not_this || c->pages <= keep)
            continue;
        const struct slab_class *b = best < 0 ? NULL : &s->classes[best];
        if (!b || c->evictions * (b->used + 1) < b->evictions * (c->used + 1) ||
            (c->evictions == b->evictions && c->pages > b->pages))
            best = n;
    }
    return best;
}

static void page_steal(struct shard *s, uint32_t page, int to)
{
    slab_ref ref;
    for (uint32_t n = 0; (ref = slab_slot(&s->slab, page, n)); n++)
        if (slab_is_used(&s->slab, ref)) {
            entry_drop(s, ref);
            s->evictions++;
        }
    slab_page_move(&s->slab, page, to);
}

/* Whether few of its entries were hit since it was last looked at. */
static bool page_is_cold(struct shard *s, uint32_t page)
{
    unsigned used = 0, visited = 0;
    slab_ref ref;
    for (uint32_t n = 0; (ref = slab_slot(&s->slab, page, n)); n++) {
        if (!slab_is_used(&s->slab, ref))
            continue;
        struct bucket *b = bucket_of(s, slab_load(&s->slab, ref, WORD_HASH));
        int way = way_of(b, ref);
        used++;
        if (way_visited(b, way)) {
            visited++;
            way_unvisit(b, way);
        }
    }
    return visited * 4 <= used;
}

/* A class that has evicted half as many entries as it holds takes a page from one that turned over
 * less than half as fast; otherwise sizes that were common at first would keep all the memory. A
 * page that is in use stays: a flood of one size is not to push out a steady set of another. */
static void rebalance(struct shard *s, int cls)
{
    struct slab_class *c = &s->slab.classes[cls];
    if (c->evictions < c->used / 2)
        return;
    int from = slowest_class(&s->slab, cls, 1);
    if (from >= 0) {
        const struct slab_class *f = &s->slab.classes[from];
        if (2 * f->evictions * (c->used + 1) < c->evictions * (f->used + 1)) {
            uint32_t page = slab_page_next(&s->slab, from);
            if (page_is_cold(s, page))
                page_steal(s, page, cls);
        }
    }
    for (int n = 0; n < SLAB_CLASSES; n++)
        s->slab.classes[n].evictions = 0;
}

static slab_ref slot_take(struct shard *s, int cls, int64_t now_s)
{
    slab_ref ref = slab_take(&s->slab, cls);
    if (ref)
        return ref;
    if (!s->slab.classes[cls].pages)
        page_steal(s, slab_page_next(&s->slab, slowest_class(&s->slab, cls, 0)), cls);
    else
        rebalance(s, cls);
    ref = slab_take(&s->slab, cls);
    if (ref)
        return ref;
    evict_one(s, cls, now_s);
    return slab_take(&s->slab, cls);
}

static bool way_is(const struct slab *s, struct bucket *b, int way, uint64_t hash)
{
    slab_ref ref = way_ref(b, way);
    return ref && way_tag(b, way) == tag_of(hash) && slab_load(s, ref, WORD_HASH) == hash;
}

/* A way for the hash: the same entry's, an empty one, else one without a mark. */
static int way_choose(const struct slab *s, struct bucket *b, uint64_t hash)
{
    int empty = -1, cold = -1;
    for (int way = 0; way < BUCKET_WAYS; way++) {
        if (!way_ref(b, way))
            empty = way;
        else if (way_is(s, b, way, hash))
            return way;
        else if (!way_visited(b, way))
            cold = way;
    }
    if (empty >= 0)
        return empty;
    return cold >= 0 ? cold : (int)((hash >> 32) % BUCKET_WAYS);
}

static void entry_link(struct shard *s, slab_ref ref, uint64_t hash)
{
    struct bucket *b = bucket_of(s, hash);
    int way = way_choose(&s->slab, b, hash);
    slab_ref old = way_ref(b, way);
    bool same = way_is(&s->slab, b, way, hash);
    way_set(b, way, tag_of(hash), ref);
    if (same)
        way_unclaim(b, way);
    else
        way_unvisit(b, way);
    if (old) {
        slab_give(&s->slab, old);
        s->evictions += !same;
    } else {
        s->entries++;
    }
}

/* One bucket more, with its part of the bucket that had its hashes until now. */
static void bucket_split(struct shard *s, uint32_t count)
{
    uint32_t bit = linear_bit(count), marks = 0;
    struct bucket *from = &s->buckets[count - bit], *to = &s->buckets[count];
    bucket_begin(from);
    for (int way = 0; way < BUCKET_WAYS; way++) {
        slab_ref ref = way_ref(from, way);
        if (!ref || !(slab_load(&s->slab, ref, WORD_HASH) & bit))
            continue;
        way_put(to, way, way_tag(from, way), ref);
        way_put(from, way, 0, 0);
        marks |= (1u | 1u << CLAIM) << way;
    }
    uint32_t was = atomic_fetch_and_explicit(&from->visited, ~marks, memory_order_relaxed);
    atomic_store_explicit(&to->visited, was & marks, memory_order_relaxed);
    /* Before the version: who sees that the bucket has changed also sees this. */
    atomic_store_explicit(&s->bucket_count, count + 1, memory_order_release);
    bucket_end(from);
}

static void table_grow(const struct answers *t, struct shard *s)
{
    uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_relaxed);
    if (linear_is_due(count, t->buckets_max, s->entries, BUCKET_LOAD))
        bucket_split(s, count);
}

/* Behind a name that may end in a compression pointer. */
static void skip_name(struct rcur *c)
{
    for (;;) {
        uint8_t n = rcur_u8(c);
        if (n >= 0xc0) {
            rcur_u8(c);
            return;
        }
        if (!n || rcur_err(c))
            return;
        if (n > DNS_LABEL_MAX)
            rcur_fail(c, ERR_FORMAT);
        else
            rcur_take(c, n);
    }
}

/* Collects the places of the TTLs and the lowest of them. 0, ERR_LIMIT, ERR_TRUNC, ERR_FORMAT. */
static int find_ttls(const uint8_t *wire, size_t len, size_t question_len, uint16_t *offsets,
                     uint16_t *count, uint32_t *lowest)
{
    struct rcur c = rcur_of(wire, len);
    rcur_take(&c, DNS_HEADER_LEN + question_len);
    unsigned records = get_u16(wire + 6) + get_u16(wire + 8) + get_u16(wire + 10);
    *count = 0;
    for (; records && !rcur_err(&c); records--) {
        skip_name(&c);
        uint16_t type = rcur_u16(&c);
        rcur_u16(&c);
        size_t at = rcur_pos(&c);
        uint32_t ttl = rcur_u32(&c);
        rcur_take(&c, rcur_u16(&c));
        if (rcur_err(&c))
            break;
        if (type == DNS_TYPE_OPT)
            continue;
        if (*count == TTLS_MAX || !ttl || ttl > INT32_MAX) /* RFC 2181 8: read as 0 */
            return ERR_LIMIT;
        offsets[(*count)++] = (uint16_t)at;
        *lowest = ttl < *lowest ? ttl : *lowest;
    }
    if (rcur_err(&c))
        return rcur_err(&c);
    return rcur_left(&c) ? ERR_FORMAT : 0;
}

static bool question_is(const uint8_t *wire, size_t len, const uint8_t *qname, size_t name_len,
                        uint16_t qtype)
{
    const uint8_t *name = wire + DNS_HEADER_LEN;
    return len >= DNS_HEADER_LEN + name_len + 4 && get_u16(wire + 4) == 1 &&
           get_u16(name + name_len) == qtype &&
           (!memcmp(name, qname, name_len) || dns_name_equal(name, qname));
}

static bool is_there(const struct shard *s, uint64_t hash)
{
    uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_acquire);
    int way;
    return find(s, bucket_at(s, count, hash), hash, &way) != 0;
}

int answers_put(struct answers *t, const struct answers_key *k, int64_t now_s, uint32_t ttl_s,
                const uint8_t *wire, size_t len, bool again)
{
    size_t name_len = dns_name_len(k->qname);
    if (len > ANSWERS_MAX_LEN || !ttl_s)
        return ERR_LIMIT;
    if (!question_is(wire, len, k->qname, name_len, k->qtype))
        return ERR_MISMATCH;
    if (get_u16(wire + 2) & FLAG_TC)
        return ERR_LIMIT;
    uint64_t hash = answers_hash(t, k);
    uint16_t offsets[TTLS_MAX], ttls;
    int err = find_ttls(wire, len, name_len + 4, offsets, &ttls, &ttl_s);
    if (err)
        return err;
    size_t words = WORD_OFFSETS + offset_words(ttls);
    int cls = slab_class_of(words * 8 + len);
    if (cls < 0)
        return ERR_LIMIT;
    struct shard *s = shard_of(t, hash);
    pthread_mutex_lock(&s->lock);
    if (!again && !slab_has_room(&s->slab, cls) && !is_there(s, hash)) {
        pthread_mutex_unlock(&s->lock);
        return 0;
    }
    slab_ref ref = slot_take(s, cls, now_s);
    slab_store(&s->slab, ref, WORD_HASH, hash);
    slab_store(&s->slab, ref, WORD_TIMES, (uint64_t)(uint32_t)now_s << 32 | ttl_s);
    slab_store(&s->slab, ref, WORD_SIZES,
               (uint64_t)len << 48 | (uint64_t)ttls << 32 | (uint64_t)k->bits << 24 |
                   (uint64_t)k->view << 16 | (ttls ? offsets[0] : 0));
    if (ttls > 1)
        slab_write(&s->slab, ref, WORD_OFFSETS, offsets + 1, (ttls - 1u) * sizeof *offsets);
    slab_write(&s->slab, ref, words, wire, len);
    entry_link(s, ref, hash);
    table_grow(t, s);
    s->inserts++;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static bool name_matches(const struct slab *s, slab_ref ref, const uint8_t *name, uint16_t type,
                         bool subtree)
{
    struct entry e = entry_load(s, ref);
    uint8_t head[DNS_HEADER_LEN + DNS_NAME_MAX + 4];
    size_t n = e.len < sizeof head ? e.len : sizeof head;
    slab_read(s, ref, WORD_OFFSETS + offset_words(e.ttls), head, n);
    const uint8_t *qname = head + DNS_HEADER_LEN;
    if (type && get_u16(qname + dns_name_len(qname)) != type)
        return false;
    return subtree ? dns_name_is_sub(qname, name) : dns_name_equal(qname, name);
}

unsigned answers_flush(struct answers *t, const uint8_t *name, uint16_t type, bool subtree)
{
    unsigned removed = 0;
    for (unsigned n = 0; n <= t->shard_mask; n++) {
        struct shard *s = &t->shards[n];
        pthread_mutex_lock(&s->lock);
        for (int cls = 0; cls < SLAB_CLASSES; cls++)
            for (slab_ref ref = s->slab.classes[cls].oldest, newer; ref; ref = newer) {
                newer = slab_newer(&s->slab, ref);
                if (name_matches(&s->slab, ref, name, type, subtree)) {
                    entry_drop(s, ref);
                    removed++;
                }
            }
        pthread_mutex_unlock(&s->lock);
    }
    return removed;
}

/* Readers, without a lock. */

uint64_t answers_hash(const struct answers *t, const struct answers_key *k)
{
    uint64_t rest = (uint64_t)k->qtype << 16 | (uint64_t)k->bits << 8 | k->view;
    return hash_mix(dns_name_hash(k->qname, t->seed) ^ rest << 20);
}

void answers_refresh_below(struct answers *t, unsigned percent)
{
    t->refresh_percent = percent;
}

void answers_ahead(const struct answers *t, uint64_t hash, unsigned step)
{
    const struct shard *s = &t->shards[hash >> 56 & t->shard_mask];
    uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_acquire);
    struct bucket *b = bucket_at(s, count, hash);
    if (!step) {
        __builtin_prefetch(b);
        return;
    }
    for (int half = 0; half < 2; half++) {
        uint64_t lanes = atomic_load_explicit(&b->tags[half], memory_order_acquire);
        for (uint64_t m = lanes_with(lanes, tag_of(hash)); m; m &= m - 1) {
            int way = half * LANES + __builtin_ctzll(m) / TAG_BITS;
            slab_ref ref = atomic_load_explicit(&b->refs[way], memory_order_acquire);
            if (!ref)
                continue;
            __builtin_prefetch(&s->slab.words[slab_at(ref)]);
            __builtin_prefetch(&s->slab.words[slab_at(ref) + 8]);
        }
    }
}

/* What a reader takes away. */
struct copy {
    struct bucket *bucket;
    int way;
    struct entry e;
    uint16_t offsets[TTLS_MAX];
};

enum copied { COPY_MOVED, COPY_NONE, COPY_DONE };

/* One attempt at a consistent copy. COPY_MOVED: a writer was inside. */
static enum copied copy_entry(const struct shard *s, uint64_t hash, struct copy *c, uint8_t *out,
                              size_t cap)
{
    uint32_t count = atomic_load_explicit(&s->bucket_count, memory_order_acquire);
    struct bucket *b = c->bucket = bucket_at(s, count, hash);
    uint32_t version = atomic_load_explicit(&b->version, memory_order_acquire);
    if (version & 1)
        return COPY_MOVED;
    slab_ref ref = find(s, b, hash, &c->way);
    if (ref) {
        c->e = entry_load(&s->slab, ref);
        /* Until the version is checked these are words of anything: bound them first. */
        size_t words = WORD_OFFSETS + offset_words(c->e.ttls);
        size_t end = slab_at(ref) + words + (c->e.len + 7u) / 8;
        if (c->e.ttls > TTLS_MAX || end > (size_t)s->slab.page_count * (SLAB_PAGE / 8))
            return COPY_MOVED;
        if (c->e.len <= cap) {
            c->offsets[0] = c->e.first;
            if (c->e.ttls > 1)
                slab_read(&s->slab, ref, WORD_OFFSETS, c->offsets + 1,
                          (c->e.ttls - 1u) * sizeof *c->offsets);
            slab_read(&s->slab, ref, words, out, c->e.len);
        }
    }
    if (atomic_load_explicit(&b->version, memory_order_acquire) != version ||
        (!ref && atomic_load_explicit(&s->bucket_count, memory_order_acquire) != count))
        return COPY_MOVED;
    return ref && c->e.len <= cap ? COPY_DONE : COPY_NONE;
}

static void patch(uint8_t *out, const struct copy *c, uint32_t age_s, const struct dns_query *q)
{
    uint16_t flags = get_u16(out + 2) & (uint16_t) ~(FLAG_RD | FLAG_CD);
    flags |= q->flags & (FLAG_RD | FLAG_CD);
    /* RFC 6840 5.8: AD only for those who show that they understand it. */
    if (!(q->flags & FLAG_AD) && !q->edns.dnssec_ok)
        flags &= (uint16_t)~FLAG_AD;
    put_u16(out, q->id);
    put_u16(out + 2, flags);
    memcpy(out + DNS_HEADER_LEN, q->qname, q->qname_len);
    for (unsigned n = 0; n < c->e.ttls; n++)
        put_u32(out + c->offsets[n], get_u32(out + c->offsets[n]) - age_s);
}

/* Marks the hit. Whether this is the one who asks again before the entry expires. */
static bool mark_visited(const struct answers *t, const struct copy *c, int64_t age_s)
{
    uint32_t mark = 1u << c->way, claim = mark << CLAIM,
             marks = atomic_load_explicit(&c->bucket->visited, memory_order_relaxed);
    if (!(marks & mark)) {
        atomic_fetch_or_explicit(&c->bucket->visited, mark, memory_order_relaxed);
        return false;
    }
    uint64_t life_s = c->e.life_s;
    return !(marks & claim) && (life_s - (uint64_t)age_s) * 100 < life_s * t->refresh_percent &&
           !(atomic_fetch_or_explicit(&c->bucket->visited, claim, memory_order_relaxed) & claim);
}

size_t answers_get(struct answers *t, const struct answers_key *k, uint64_t hash, int64_t now_s,
                   const struct dns_query *q, uint8_t *out, size_t cap, bool *refresh)
{
    struct copy c;
    enum copied got = COPY_MOVED;
    for (int tries = 0; got == COPY_MOVED && tries < READ_TRIES; tries++)
        got = copy_entry(shard_of(t, hash), hash, &c, out, cap);
    if (got != COPY_DONE)
        return 0;
    int64_t age_s = entry_age(&c.e, now_s);
    /* A clock that went back by more than the lifetime: the age is not known. */
    if (age_s >= c.e.life_s || -age_s > c.e.life_s || c.e.key != (k->bits << 8 | k->view))
        return 0;
    if (!question_is(out, c.e.len, q->qname, q->qname_len, k->qtype) ||
        get_u16(out + DNS_HEADER_LEN + q->qname_len + 2) != q->qclass)
        return 0;
    age_s = age_s > 0 ? age_s : 0;
    if (mark_visited(t, &c, age_s))
        *refresh = true;
    patch(out, &c, (uint32_t)age_s, q);
    return c.e.len;
}

/* Shards, buckets and pages: at least SHARD_PAGES_MIN pages per shard, and as many buckets as small
 * answers fill. */
static int layout(uint64_t bytes, unsigned *shards, uint32_t *buckets, uint64_t *pages)
{
    *shards = 1;
    while (*shards < SHARDS_MAX && bytes / (*shards * 2) >= 2ull * SHARD_PAGES_MIN * SLAB_PAGE)
        *shards *= 2;
    uint64_t share = bytes / *shards;
    *buckets = BUCKETS_MIN;
    while ((uint64_t)*buckets * 2 * (4 * 96 + sizeof(struct bucket)) <= share &&
           *buckets < 1u << 30)
        *buckets *= 2;
    uint64_t table = *buckets * sizeof(struct bucket);
    *pages = share > table ? (share - table) / SLAB_PAGE : 0;
    if (*pages < SLAB_CLASSES || *pages * (SLAB_PAGE / SLAB_STEP) >= 1u << 31)
        return ERR_RANGE;
    return 0;
}

void answers_free(struct answers *t)
{
    if (!t)
        return;
    for (unsigned n = 0; n < t->ready; n++) {
        slab_fini(&t->shards[n].slab);
        pthread_mutex_destroy(&t->shards[n].lock);
    }
    if (t->map)
        munmap(t->map, t->map_size);
    free(t);
}

int answers_new(struct answers **out, uint64_t bytes, uint64_t hash_seed)
{
    *out = NULL;
    unsigned shards;
    uint32_t buckets;
    uint64_t pages;
    int err = layout(bytes, &shards, &buckets, &pages);
    if (err)
        return err;
    size_t size = sizeof(struct answers) + shards * sizeof(struct shard);
    struct answers *t = aligned_alloc(64, size);
    if (!t)
        return ERR_NOMEM;
    memset(t, 0, size);
    t->seed = hash_seed;
    t->limit = bytes;
    t->buckets_max = buckets;
    t->shard_mask = shards - 1;
    size_t table = shards * (size_t)buckets * sizeof(struct bucket);
    t->map_size = table + shards * pages * SLAB_PAGE;
    /* Reserved at once, touched when used: an idle server stays small. */
    void *map = mmap(NULL, t->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->map = map == MAP_FAILED ? NULL : map;
    for (err = t->map ? 0 : ERR_NOMEM; !err && t->ready < shards; t->ready++) {
        struct shard *s = &t->shards[t->ready];
        s->buckets = (struct bucket *)(void *)t->map + (size_t)t->ready * buckets;
        atomic_init(&s->bucket_count, BUCKETS_MIN);
        uint8_t *words = t->map + table + t->ready * pages * SLAB_PAGE;
        err = slab_init(&s->slab, (_Atomic uint64_t *)(void *)words, (uint32_t)pages);
        if (!err)
            pthread_mutex_init(&s->lock, NULL);
        else
            break;
    }
    if (err)
        answers_free(t);
    else
        *out = t;
    return err;
}

struct answers_usage answers_usage(struct answers *t)
{
    struct answers_usage u = {.limit = t->limit};
    for (unsigned n = 0; n <= t->shard_mask; n++) {
        struct shard *s = &t->shards[n];
        pthread_mutex_lock(&s->lock);
        u.bytes += (uint64_t)s->slab.pages_given * SLAB_PAGE +
                   atomic_load(&s->bucket_count) * sizeof(struct bucket);
        u.entries += s->entries;
        u.inserts += s->inserts;
        u.evictions += s->evictions;
        pthread_mutex_unlock(&s->lock);
    }
    return u;
}
