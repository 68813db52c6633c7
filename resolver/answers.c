/* resolver/answers.c: a table of 64-byte buckets over slabs.
 *
 * A bucket is one cache line: version, visited marks, seven pairs of tag and slot. Its version
 * guards the slots it names: a slot is written only while no bucket names it, and taking a name
 * out of a bucket moves the version. So a reader who finds the same even version before and after
 * its copy has copied one whole entry. All words are atomic with acquire and release, no fences
 * (TSan does not model them).
 *
 * A slot: 0 links (slab), 1 hash, 2 time stored, 3 lifetime | length | number of TTLs,
 * 4 bits | view, then the offsets of the TTLs (16 bits each, padded to a word), then the response.
 * Its question is the key's name and type. */
#include "resolver/answers.h"

#include "base/hash.h"
#include "slab_priv.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    WORD_HASH = 1,
    WORD_STORED = 2,
    WORD_SIZES = 3,
    WORD_KEY = 4,
    WORD_OFFSETS = 5,

    BUCKET_WAYS = 7,
    CLAIM = 16,
    READ_TRIES = 4,
    TTLS_MAX = 384, /* 4096 octets / 11 per record, rounded up to words of four */
    SHARDS_MAX = 32,
    SHARD_PAGES_MIN = 2 * SLAB_CLASSES,
    FLAG_RD = 0x0100,
    FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
    FLAG_TC = 0x0200,
};

struct bucket {
    _Atomic uint32_t version; /* odd while a writer is inside */
    _Atomic uint32_t visited; /* by readers: a bit per way, and one (<< CLAIM) for a refresh */
    struct {
        _Atomic uint32_t tag;
        _Atomic slab_ref ref;
    } ways[BUCKET_WAYS];
} __attribute__((aligned(64)));

struct shard {
    struct bucket *buckets; /* constant, like slab.words: what readers use */
    struct slab slab;
    pthread_mutex_t lock __attribute__((aligned(64)));
    uint64_t entries, inserts, evictions;
} __attribute__((aligned(64)));

struct answers {
    uint64_t seed, limit;
    uint32_t bucket_mask; /* per shard */
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
    int64_t stored_s;
    uint32_t life_s;
    uint16_t len, ttls;
    uint16_t key; /* bits << 8 | view */
};

static struct shard *shard_of(struct answers *t, uint64_t hash)
{
    return &t->shards[hash >> 56 & t->shard_mask];
}

static struct bucket *bucket_of(const struct answers *t, const struct shard *s, uint64_t hash)
{
    return &s->buckets[hash & t->bucket_mask];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 24);
}

static size_t offset_words(unsigned ttls)
{
    return (ttls + 3u) / 4;
}

static struct entry entry_load(const struct slab *s, slab_ref ref)
{
    uint64_t sizes = slab_load(s, ref, WORD_SIZES);
    return (struct entry){.hash = slab_load(s, ref, WORD_HASH),
                          .stored_s = (int64_t)slab_load(s, ref, WORD_STORED),
                          .life_s = (uint32_t)(sizes >> 32),
                          .len = (uint16_t)(sizes >> 16),
                          .ttls = (uint16_t)sizes,
                          .key = (uint16_t)slab_load(s, ref, WORD_KEY)};
}

/* Writers, with the shard's lock. */

static void bucket_begin(struct bucket *b)
{
    /* The exchange acquires, so that the stores behind it stay behind it. */
    uint32_t v = atomic_load_explicit(&b->version, memory_order_relaxed);
    atomic_exchange_explicit(&b->version, v + 1, memory_order_acq_rel);
}

static void bucket_end(struct bucket *b)
{
    uint32_t v = atomic_load_explicit(&b->version, memory_order_relaxed);
    atomic_store_explicit(&b->version, v + 1, memory_order_release);
}

static void way_set(struct bucket *b, int way, uint32_t tag, slab_ref ref)
{
    bucket_begin(b);
    atomic_store_explicit(&b->ways[way].tag, tag, memory_order_release);
    atomic_store_explicit(&b->ways[way].ref, ref, memory_order_release);
    bucket_end(b);
}

static slab_ref way_ref(struct bucket *b, int way)
{
    return atomic_load_explicit(&b->ways[way].ref, memory_order_relaxed);
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

static void entry_drop(const struct answers *t, struct shard *s, slab_ref ref)
{
    struct bucket *b = bucket_of(t, s, slab_load(&s->slab, ref, WORD_HASH));
    int way = way_of(b, ref);
    way_set(b, way, 0, 0);
    way_unvisit(b, way);
    slab_give(&s->slab, ref);
    s->entries--;
}

/* SIEVE: the hand goes from old to new, clears marks, and takes the first entry without one. */
static void evict_one(const struct answers *t, struct shard *s, int cls, int64_t now_s)
{
    struct slab_class *c = &s->slab.classes[cls];
    /* Readers may set marks as fast as the hand clears them: a second round takes anything. */
    for (uint64_t steps = 0;; steps++) {
        slab_ref ref = c->hand ? c->hand : c->oldest;
        struct entry e = entry_load(&s->slab, ref);
        struct bucket *b = bucket_of(t, s, e.hash);
        int way = way_of(b, ref);
        c->hand = slab_newer(&s->slab, ref);
        if (!way_visited(b, way) || e.stored_s + e.life_s <= now_s || steps > c->used) {
            entry_drop(t, s, ref);
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

static void page_steal(const struct answers *t, struct shard *s, int from, int to)
{
    uint32_t page = 0;
    while (s->slab.page_class[page] != from)
        page++;
    slab_ref ref;
    for (uint32_t n = 0; (ref = slab_slot(&s->slab, page, n)); n++)
        if (slab_is_used(&s->slab, ref)) {
            entry_drop(t, s, ref);
            s->evictions++;
        }
    slab_page_move(&s->slab, page, to);
}

/* A class that has evicted half as many entries as it holds takes a page from one that turned over
 * less than half as fast; otherwise sizes that were common at first would keep all the memory. */
static void rebalance(const struct answers *t, struct shard *s, int cls)
{
    struct slab_class *c = &s->slab.classes[cls];
    if (c->evictions < c->used / 2)
        return;
    int from = slowest_class(&s->slab, cls, 1);
    if (from >= 0) {
        const struct slab_class *f = &s->slab.classes[from];
        if (2 * f->evictions * (c->used + 1) < c->evictions * (f->used + 1))
            page_steal(t, s, from, cls);
    }
    for (int n = 0; n < SLAB_CLASSES; n++)
        s->slab.classes[n].evictions = 0;
}

static slab_ref slot_take(const struct answers *t, struct shard *s, int cls, int64_t now_s)
{
    struct slab_class *c = &s->slab.classes[cls];
    slab_ref ref = slab_take(&s->slab, cls);
    if (ref)
        return ref;
    if (!c->pages)
        page_steal(t, s, slowest_class(&s->slab, cls, 0), cls);
    else
        rebalance(t, s, cls);
    if (!c->spare)
        evict_one(t, s, cls, now_s);
    return slab_take(&s->slab, cls);
}

/* A way for the hash: the same entry's, an empty one, else one without a mark. */
static int way_choose(const struct slab *s, struct bucket *b, uint64_t hash)
{
    int empty = -1, cold = -1;
    for (int way = 0; way < BUCKET_WAYS; way++) {
        slab_ref ref = way_ref(b, way);
        if (!ref)
            empty = way;
        else if (slab_load(s, ref, WORD_HASH) == hash)
            return way;
        else if (!way_visited(b, way))
            cold = way;
    }
    if (empty >= 0)
        return empty;
    return cold >= 0 ? cold : (int)((hash >> 40) % BUCKET_WAYS);
}

static void entry_link(const struct answers *t, struct shard *s, slab_ref ref, uint64_t hash)
{
    struct bucket *b = bucket_of(t, s, hash);
    int way = way_choose(&s->slab, b, hash);
    slab_ref old = way_ref(b, way);
    bool same = old && slab_load(&s->slab, old, WORD_HASH) == hash;
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

static bool same_octets(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (!memcmp(a, b, len))
        return true;
    /* Label lengths are below 64 and so not letters: a name is compared as plain octets. */
    for (size_t n = 0; n < len; n++)
        if (dns_lower(a[n]) != dns_lower(b[n]))
            return false;
    return true;
}

static bool question_is(const uint8_t *wire, size_t len, const uint8_t *qname, size_t name_len,
                        uint16_t qtype)
{
    return len >= DNS_HEADER_LEN + name_len + 4 && get_u16(wire + 4) == 1 &&
           get_u16(wire + DNS_HEADER_LEN + name_len) == qtype &&
           same_octets(wire + DNS_HEADER_LEN, qname, name_len);
}

int answers_put(struct answers *t, const struct answers_key *k, int64_t now_s, uint32_t ttl_s,
                const uint8_t *wire, size_t len)
{
    size_t name_len = dns_name_len(k->qname);
    if (len > ANSWERS_MAX_LEN || !ttl_s)
        return ERR_LIMIT;
    if (!question_is(wire, len, k->qname, name_len, k->qtype))
        return ERR_MISMATCH;
    if (get_u16(wire + 2) & FLAG_TC)
        return ERR_LIMIT;
    uint16_t offsets[TTLS_MAX], ttls;
    int err = find_ttls(wire, len, name_len + 4, offsets, &ttls, &ttl_s);
    if (err)
        return err;
    uint64_t hash = answers_hash(t, k);
    size_t words = WORD_OFFSETS + offset_words(ttls);
    int cls = slab_class_of(words * 8 + len);
    if (cls < 0)
        return ERR_LIMIT;
    struct shard *s = shard_of(t, hash);
    pthread_mutex_lock(&s->lock);
    slab_ref ref = slot_take(t, s, cls, now_s);
    slab_store(&s->slab, ref, WORD_HASH, hash);
    slab_store(&s->slab, ref, WORD_STORED, (uint64_t)now_s);
    slab_store(&s->slab, ref, WORD_SIZES, (uint64_t)ttl_s << 32 | (uint64_t)len << 16 | ttls);
    slab_store(&s->slab, ref, WORD_KEY, (uint64_t)k->bits << 8 | k->view);
    slab_write(&s->slab, ref, WORD_OFFSETS, offsets, ttls * sizeof *offsets);
    slab_write(&s->slab, ref, words, wire, len);
    entry_link(t, s, ref, hash);
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
                    entry_drop(t, s, ref);
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

void answers_prefetch(const struct answers *t, uint64_t hash)
{
    const struct shard *s = &t->shards[hash >> 56 & t->shard_mask];
    __builtin_prefetch(bucket_of(t, s, hash));
}

/* One attempt at a consistent copy. *way is the way used, or -1: not in the bucket. False: a
 * writer was inside. */
static bool copy_entry(const struct shard *s, struct bucket *b, uint64_t hash, struct entry *e,
                       uint16_t *offsets, uint8_t *out, size_t cap, int *way)
{
    uint32_t version = atomic_load_explicit(&b->version, memory_order_acquire);
    if (version & 1)
        return false;
    *way = -1;
    for (int n = 0; n < BUCKET_WAYS; n++) {
        if (atomic_load_explicit(&b->ways[n].tag, memory_order_acquire) != tag_of(hash))
            continue;
        slab_ref ref = atomic_load_explicit(&b->ways[n].ref, memory_order_acquire);
        if (!ref)
            continue;
        *e = entry_load(&s->slab, ref);
        if (e->hash != hash)
            continue;
        /* Until the version is checked these are words of anything: bound them first. */
        size_t words = WORD_OFFSETS + offset_words(e->ttls);
        size_t end = slab_at(ref) + words + (e->len + 7u) / 8;
        if (e->ttls > TTLS_MAX || end > (size_t)s->slab.page_count * (SLAB_PAGE / 8))
            return false;
        *way = n;
        if (e->len > cap)
            break; /* the caller sees e->len */
        slab_read(&s->slab, ref, WORD_OFFSETS, offsets, e->ttls * sizeof *offsets);
        slab_read(&s->slab, ref, words, out, e->len);
        break;
    }
    return atomic_load_explicit(&b->version, memory_order_acquire) == version;
}

static void patch(uint8_t *out, const struct entry *e, const uint16_t *offsets, uint32_t age_s,
                  const struct dns_query *q)
{
    uint16_t flags = get_u16(out + 2) & (uint16_t) ~(FLAG_RD | FLAG_CD);
    flags |= q->flags & (FLAG_RD | FLAG_CD);
    /* RFC 6840 5.8: AD only for those who show that they understand it. */
    if (!(q->flags & FLAG_AD) && !q->edns.dnssec_ok)
        flags &= (uint16_t)~FLAG_AD;
    put_u16(out, q->id);
    put_u16(out + 2, flags);
    memcpy(out + DNS_HEADER_LEN, q->qname, q->qname_len);
    for (unsigned n = 0; n < e->ttls; n++)
        put_u32(out + offsets[n], get_u32(out + offsets[n]) - age_s);
}

size_t answers_get(struct answers *t, const struct answers_key *k, uint64_t hash, int64_t now_s,
                   const struct dns_query *q, uint8_t *out, size_t cap, bool *refresh)
{
    const struct shard *s = shard_of(t, hash);
    struct bucket *b = bucket_of(t, s, hash);
    struct entry e = {0};
    uint16_t offsets[TTLS_MAX];
    int way = -1, tries = 0;
    while (!copy_entry(s, b, hash, &e, offsets, out, cap, &way))
        if (++tries == READ_TRIES)
            return 0;
    if (way < 0 || e.len > cap)
        return 0;
    int64_t age_s = now_s > e.stored_s ? now_s - e.stored_s : 0;
    /* A clock that went back by more than the lifetime: the age is not known. */
    if (age_s >= e.life_s || e.stored_s - now_s > e.life_s || e.key != (k->bits << 8 | k->view))
        return 0;
    if (!question_is(out, e.len, q->qname, q->qname_len, k->qtype) ||
        get_u16(out + DNS_HEADER_LEN + q->qname_len + 2) != q->qclass)
        return 0;
    uint32_t mark = 1u << way, claim = mark << CLAIM,
             marks = atomic_load_explicit(&b->visited, memory_order_relaxed);
    if (!(marks & mark))
        atomic_fetch_or_explicit(&b->visited, mark, memory_order_relaxed);
    else if (!(marks & claim) &&
             (e.life_s - (uint64_t)age_s) * 100 < (uint64_t)e.life_s * t->refresh_percent)
        *refresh = !(atomic_fetch_or_explicit(&b->visited, claim, memory_order_relaxed) & claim);
    patch(out, &e, offsets, (uint32_t)age_s, q);
    return e.len;
}

/* Shards, buckets and pages: at least SHARD_PAGES_MIN pages per shard and one bucket for
 * two to four of the smallest slots. */
static int layout(uint64_t bytes, unsigned *shards, uint32_t *buckets, uint64_t *pages)
{
    *shards = 1;
    while (*shards < SHARDS_MAX && bytes / (*shards * 2) >= 2ull * SHARD_PAGES_MIN * SLAB_PAGE)
        *shards *= 2;
    uint64_t share = bytes / *shards;
    *buckets = 1;
    while ((uint64_t)*buckets * 2 * (2 * 128 + 64) <= share && *buckets < 1u << 30)
        *buckets *= 2;
    uint64_t table = *buckets * sizeof(struct bucket);
    *pages = share > table ? (share - table) / SLAB_PAGE : 0;
    if (*pages < SLAB_CLASSES || *pages * (SLAB_PAGE / 64) >= 1u << 31)
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
    t->bucket_mask = buckets - 1;
    t->shard_mask = shards - 1;
    size_t table = shards * (size_t)buckets * sizeof(struct bucket);
    t->map_size = table + shards * pages * SLAB_PAGE;
    /* Reserved at once, touched when used: an idle server stays small. */
    void *map = mmap(NULL, t->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t->map = map == MAP_FAILED ? NULL : map;
    for (err = t->map ? 0 : ERR_NOMEM; !err && t->ready < shards; t->ready++) {
        struct shard *s = &t->shards[t->ready];
        s->buckets = (struct bucket *)(void *)t->map + (size_t)t->ready * buckets;
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
    u.bytes = (t->bucket_mask + 1ull) * (t->shard_mask + 1ull) * sizeof(struct bucket);
    for (unsigned n = 0; n <= t->shard_mask; n++) {
        struct shard *s = &t->shards[n];
        pthread_mutex_lock(&s->lock);
        u.bytes += (uint64_t)s->slab.pages_given * SLAB_PAGE;
        u.entries += s->entries;
        u.inserts += s->inserts;
        u.evictions += s->evictions;
        pthread_mutex_unlock(&s->lock);
    }
    return u;
}
