/* resolver/cache.c: shards of S3-FIFO over record sets.
 *
 *   put --> small (a tenth of the bytes) --not asked again--> out, fingerprint kept in ghosts
 *    |          `--asked again--> main <--+
 *    `--fingerprint in ghosts------^      |  oldest of main: asked since? once more round, else out
 *                                  `------'
 *
 * A flood of one-time names passes through small and never reaches main. An expired entry stays in
 * its place until it is the oldest or is replaced, so that a steady name whose TTL ran out keeps
 * its seat in main when it is stored again. An entry is one block (item), so that a get is one
 * copy. An entry of a network has a hash of its own, so that a thousand networks are no burden to
 * the name's other entries; a shard counts its networks by length, and a get tries those lengths
 * only. Everything is counted against the shard's share of the limit, tables included. */
#include "resolver/cache.h"

#include "base/hash.h"
#include "dns/name.h"
#include "dns/type.h"
#include "item_priv.h"
#include "linear_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CACHE_SET_BYTES_MAX = 16384,
    CACHE_SET_RECORDS_MAX = 256,
    CACHE_SHARD_BYTES_MIN = 131072, /* several of the largest entries must fit */
    CACHE_BYTES_PER_BUCKET = 128,   /* a small entry's size: chains stay about one long */
    CACHE_BUCKETS_MIN = 16,
    CACHE_BUCKET_LOAD = 2, /* entries per bucket that let the table double */
    CACHE_FREQ_MAX = 3,
    CACHE_GHOST_WAYS = 4,
    CACHE_LENGTHS = 32 + 128, /* of networks: IPv4, then IPv6, from 1 bit on */
};

struct shard {
    pthread_mutex_t lock;
    struct item **buckets;
    uint32_t bucket_count;
    uint32_t *ghosts;        /* groups of CACHE_GHOST_WAYS, newest first; 0 is empty */
    struct list small, main; /* oldest first */
    uint64_t bytes, small_bytes;
    uint64_t entries, hits, misses, inserts, evictions;
    uint32_t lengths[CACHE_LENGTHS]; /* entries of networks */
} __attribute__((aligned(64)));

struct cache {
    uint64_t shard_limit, limit;
    uint64_t seed;
    uint32_t buckets_max; /* per shard, a power of two */
    unsigned shard_count;
    void *map; /* the shards' buckets, then their ghosts */
    size_t map_size;
    uint32_t *ghosts;
    struct shard shards[];
};

/* A key with its hashes: the name alone chooses the shard, so that a flush locks one. */
struct place {
    struct shard *shard;
    uint64_t hash;
    struct item_key key;
};

static struct shard *shard_of(struct cache *c, uint64_t name_hash)
{
    return &c->shards[(name_hash >> 40) % c->shard_count];
}

static struct place place_of(struct cache *c, const struct cache_key *k)
{
    uint64_t h = dns_name_hash(k->name, c->seed);
    struct place p = {.shard = shard_of(c, h),
                      .key = {.name = k->name,
                              .type = k->kind == CACHE_NXDOMAIN ? 0 : k->type,
                              .kind = k->kind,
                              .plane = k->plane}};
    p.hash = hash_mix(h ^ ((uint64_t)p.key.type << 32 | (uint64_t)k->kind << 8 | k->plane));
    p.key.hash = (uint32_t)p.hash;
    return p;
}

/* The same for the first `bits` of a network, which go into net; p is of everybody's entry. */
static struct place place_of_net(const struct place *p, const struct edns_subnet *s, uint8_t bits,
                                 uint8_t net[static ITEM_NET_OCTETS])
{
    struct place n = *p;
    n.key.family = s->family;
    n.key.scope = bits;
    n.key.net = net;
    memset(net, 0, ITEM_NET_OCTETS);
    memcpy(net, s->ip, (bits + 7u) / 8);
    if (bits % 8)
        net[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    uint64_t high, low;
    memcpy(&high, net, 8);
    memcpy(&low, net + 8, 8);
    n.hash = hash_mix(p->hash ^ hash_mix(high ^ (uint64_t)bits << 8 ^ s->family) ^ low);
    n.key.hash = (uint32_t)n.hash;
    return n;
}

/* The count of networks of this length. */
static uint32_t *length_of(struct shard *s, uint8_t family, uint8_t scope)
{
    return &s->lengths[(family == 1 ? 0 : 32u) + scope - 1];
}

static struct item **bucket_of(struct shard *s, uint32_t hash)
{
    return &s->buckets[linear_index(s->bucket_count, hash)];
}

static struct item *item_find(const struct place *p)
{
    struct item *i = *bucket_of(p->shard, p->key.hash);
    while (i && !item_is(i, &p->key))
        i = i->next;
    return i;
}

static void count_net(struct shard *s, const struct item *i, int by)
{
    const uint8_t *net = item_net(i);
    if (net)
        *length_of(s, net[ITEM_NET_OCTETS], net[ITEM_NET_OCTETS + 1]) += (uint32_t)by;
}

static void item_remove(struct shard *s, struct item *i)
{
    struct item **at = bucket_of(s, i->hash);
    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    list_remove(&i->queue);
    uint64_t bytes = item_bytes(i);
    s->bytes -= bytes;
    if (!i->in_main)
        s->small_bytes -= bytes;
    s->entries--;
    count_net(s, i, -1);
    free(i);
}

static void chains_grow(const struct cache *c, struct shard *s)
{
    if (!linear_is_due(s->bucket_count, c->buckets_max, s->entries, CACHE_BUCKET_LOAD))
        return;
    uint32_t bit = linear_bit(s->bucket_count);
    struct item **at = &s->buckets[s->bucket_count - bit], **to = &s->buckets[s->bucket_count];
    while (*at) {
        struct item *i = *at;
        if (!(i->hash & bit)) {
            at = &i->next;
            continue;
        }
        *at = i->next;
        i->next = *to;
        *to = i;
    }
    s->bucket_count++;
}

static void item_insert(const struct cache *c, struct shard *s, struct item *i)
{
    struct item **at = bucket_of(s, i->hash);
    i->next = *at;
    *at = i;
    list_push(i->in_main ? &s->main : &s->small, &i->queue);
    uint64_t bytes = item_bytes(i);
    s->bytes += bytes;
    if (!i->in_main)
        s->small_bytes += bytes;
    s->entries++;
    s->inserts++;
    count_net(s, i, 1);
    chains_grow(c, s);
}

static uint32_t *ghost_group(const struct cache *c, struct shard *s, uint32_t hash)
{
    return &s->ghosts[(hash >> 4 & (c->buckets_max - 1)) & ~(uint32_t)(CACHE_GHOST_WAYS - 1)];
}

static uint32_t ghost_print(uint32_t hash)
{
    return hash | 1;
}

static void ghost_remember(const struct cache *c, struct shard *s, uint32_t hash)
{
    uint32_t *g = ghost_group(c, s, hash);
    memmove(g + 1, g, (CACHE_GHOST_WAYS - 1) * sizeof *g);
    g[0] = ghost_print(hash);
}

/* Whether the fingerprint was there; it is taken out. */
static bool ghost_take(const struct cache *c, struct shard *s, uint32_t hash)
{
    uint32_t *g = ghost_group(c, s, hash);
    for (int n = 0; n < CACHE_GHOST_WAYS; n++)
        if (g[n] == ghost_print(hash)) {
            g[n] = 0;
            return true;
        }
    return false;
}

/* One step of S3-FIFO on the oldest of small: to main, or out. */
static void evict_small(const struct cache *c, struct shard *s, int64_t now_s)
{
    struct item *i = container_of(list_first(&s->small), struct item, queue);
    if (i->freq > 0 && item_left(i, now_s)) {
        list_remove(&i->queue);
        list_push(&s->main, &i->queue);
        i->in_main = true;
        i->freq = 0;
        s->small_bytes -= item_bytes(i);
        return;
    }
    ghost_remember(c, s, i->hash);
    s->evictions++;
    item_remove(s, i);
}

static void evict_main(struct shard *s, int64_t now_s)
{
    struct item *i = container_of(list_first(&s->main), struct item, queue);
    if (i->freq > 0 && item_left(i, now_s)) {
        i->freq--;
        list_remove(&i->queue);
        list_push(&s->main, &i->queue);
        return;
    }
    s->evictions++;
    item_remove(s, i);
}

/* Room for `need` bytes. Ends: every step moves to main, lowers a freq or removes. */
static void make_room(const struct cache *c, struct shard *s, uint64_t need, int64_t now_s)
{
    while (s->entries && s->bytes + need > c->shard_limit) {
        if (list_is_empty(&s->main) ||
            (!list_is_empty(&s->small) && s->small_bytes > c->shard_limit / 10))
            evict_small(c, s, now_s);
        else
            evict_main(s, now_s);
    }
}

static bool rd_equal(struct dns_rd a, struct dns_rd b)
{
    if (a.len != b.len)
        return false;
    for (unsigned n = 0; n < a.len; n++)
        if (dns_lower(a.at[n]) != dns_lower(b.at[n]))
            return false;
    return true;
}

/* Same names in any order and case. Both are sets: no duplicates inside. */
static bool same_ns(const struct dns_rrset *a, const struct dns_rrset *b)
{
    if (a->count != b->count || a->size != b->size)
        return false;
    if (!memcmp(a->rdata, b->rdata, a->size))
        return true;
    DNS_RR_FOR (x, a) {
        bool found = false;
        DNS_RR_FOR (y, b)
            found = found || rd_equal(x, y);
        if (!found)
            return false;
    }
    return true;
}

/* Puts `i` in the place of `old`, whose seat and popularity it takes over. */
static void item_replace(struct shard *s, struct item *old, struct item *i, int64_t now_s)
{
    if (old->kind == CACHE_DELEGATION && item_left(old, now_s) &&
        item_left(old, now_s) < item_left(i, now_s)) {
        struct dns_rrset proof[CACHE_PROOF_MAX];
        struct dns_rrset was = item_view(old, old->data, proof, now_s).set,
                         is = item_view(i, i->data, proof, now_s).set;
        /* A parent that is asked again while its delegation is in force does not extend it:
         * otherwise a revoked domain lives for as long as someone keeps asking. */
        if (same_ns(&was, &is)) {
            i->expires_s = old->expires_s;
            i->ttl_s = old->ttl_s;
        }
    }
    i->in_main = old->in_main;
    i->freq = old->freq;
    item_remove(s, old);
}

/* The tables of all shards: reserved at once, touched when used: an idle server stays small. */
static int map_tables(struct cache *c, unsigned shards)
{
    size_t n = (size_t)shards * c->buckets_max;
    c->map_size = n * (sizeof(struct item *) + sizeof(uint32_t));
    void *map = mmap(NULL, c->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return ERR_NOMEM;
    c->map = map;
    c->ghosts = (uint32_t *)(void *)((struct item **)map + n);
    return 0;
}

static int shard_init(const struct cache *c, unsigned index, struct shard *s)
{
    size_t n = c->buckets_max;
    if (pthread_mutex_init(&s->lock, NULL))
        return ERR_NOMEM;
    s->buckets = (struct item **)c->map + index * n;
    s->ghosts = c->ghosts + index * n;
    s->bucket_count = CACHE_BUCKETS_MIN;
    list_init(&s->small);
    list_init(&s->main);
    s->bytes = sizeof *s + n * (sizeof(struct item *) + sizeof(uint32_t));
    return 0;
}

static void shard_clear(struct shard *s)
{
    while (!list_is_empty(&s->small))
        item_remove(s, container_of(s->small.next, struct item, queue));
    while (!list_is_empty(&s->main))
        item_remove(s, container_of(s->main.next, struct item, queue));
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    for (unsigned n = 0; n < c->shard_count; n++) {
        struct shard *s = &c->shards[n];
        shard_clear(s);
        pthread_mutex_destroy(&s->lock);
    }
    if (c->map)
        munmap(c->map, c->map_size);
    free(c);
}

int cache_new(struct cache **out, uint64_t bytes, unsigned shards, uint64_t hash_seed)
{
    *out = NULL;
    if (bytes < CACHE_SHARD_BYTES_MIN)
        return ERR_RANGE;
    if (!shards)
        shards = 1;
    if (shards > bytes / CACHE_SHARD_BYTES_MIN)
        shards = (unsigned)(bytes / CACHE_SHARD_BYTES_MIN);
    size_t size = sizeof(struct cache) + shards * sizeof(struct shard);
    struct cache *c = aligned_alloc(64, (size + 63) & ~(size_t)63);
    if (!c)
        return ERR_NOMEM;
    memset(c, 0, size);
    c->limit = bytes;
    c->shard_limit = bytes / (shards ? shards : 1);
    c->seed = hash_seed;
    c->buckets_max = CACHE_BUCKETS_MIN;
    while ((uint64_t)c->buckets_max * 2 * CACHE_BYTES_PER_BUCKET <= c->shard_limit &&
           c->buckets_max < 1u << 30)
        c->buckets_max *= 2;
    int err = map_tables(c, shards);
    while (!err && c->shard_count < shards) {
        err = shard_init(c, c->shard_count, &c->shards[c->shard_count]);
        c->shard_count += !err;
    }
    if (err)
        cache_free(c);
    else
        *out = c;
    return err;
}

/* With the shard's lock held. */
static bool get_locked(const struct place *p, int64_t now_s, struct arena *a, struct cache_entry *e)
{
    struct item *i = item_find(p);
    if (!i || !item_left(i, now_s))
        return false;
    const uint8_t *copy = arena_dup(a, i->data, i->data_size);
    struct dns_rrset *proof =
        i->proof_count ? ARENA_ARRAY(a, struct dns_rrset, i->proof_count) : NULL;
    if (!copy || (i->proof_count && !proof))
        return false;
    *e = item_view(i, copy, proof, now_s);
    if (i->freq < CACHE_FREQ_MAX)
        i->freq++;
    return true;
}

/* RFC 7871 7.3.1: the longest of the networks that cover the asker's. */
static bool get_net(const struct place *p, const struct cache_key *k, int64_t now_s,
                    struct arena *a, struct cache_entry *e)
{
    for (uint8_t bits = k->subnet->source; bits; bits--) {
        if (!*length_of(p->shard, k->subnet->family, bits))
            continue;
        uint8_t net[ITEM_NET_OCTETS];
        struct place n = place_of_net(p, k->subnet, bits, net);
        if (get_locked(&n, now_s, a, e))
            return true;
    }
    return false;
}

bool cache_get(struct cache *c, const struct cache_key *k, int64_t now_s, struct arena *a,
               struct cache_entry *e)
{
    struct place p = place_of(c, k);
    pthread_mutex_lock(&p.shard->lock);
    bool hit = k->subnet ? get_net(&p, k, now_s, a, e) : get_locked(&p, now_s, a, e);
    p.shard->hits += hit;
    p.shard->misses += !hit;
    pthread_mutex_unlock(&p.shard->lock);
    return hit;
}

static bool is_too_large(const struct cache_entry *e)
{
    uint64_t bytes = (uint64_t)e->set.size + e->sigs.size;
    if (e->set.count > CACHE_SET_RECORDS_MAX || e->sigs.count > CACHE_SET_RECORDS_MAX ||
        e->proof_count > CACHE_PROOF_MAX)
        return true;
    for (unsigned n = 0; n < e->proof_count; n++) {
        if (e->proof[n].count > CACHE_SET_RECORDS_MAX)
            return true;
        bytes += e->proof[n].size;
    }
    return bytes > CACHE_SET_BYTES_MAX;
}

int cache_put(struct cache *c, const struct cache_key *k, int64_t now_s,
              const struct cache_entry *e)
{
    if (is_too_large(e))
        return ERR_LIMIT;
    struct place p = place_of(c, k);
    uint8_t net[ITEM_NET_OCTETS];
    if (k->subnet)
        p = place_of_net(&p, k->subnet, k->subnet->scope, net);
    struct item *i = item_new(&p.key, e, now_s);
    if (!i)
        return ERR_NOMEM;
    struct shard *s = p.shard;
    pthread_mutex_lock(&s->lock);
    struct item *old = item_find(&p);
    if (old && item_left(old, now_s) && old->rank > i->rank) {
        pthread_mutex_unlock(&s->lock);
        free(i);
        return ERR_EXISTS;
    }
    if (old)
        item_replace(s, old, i, now_s);
    else
        i->in_main = ghost_take(c, s, i->hash);
    make_room(c, s, item_bytes(i), now_s);
    item_insert(c, s, i);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

bool cache_cut(struct cache *c, const uint8_t *name, uint8_t plane, int64_t now_s, struct arena *a,
               struct cache_entry *e)
{
    for (;; name = dns_name_parent(name)) {
        struct cache_key k = {name, DNS_TYPE_NS, CACHE_DELEGATION, plane, NULL};
        struct place p = place_of(c, &k);
        pthread_mutex_lock(&p.shard->lock);
        bool found = get_locked(&p, now_s, a, e);
        pthread_mutex_unlock(&p.shard->lock);
        if (found || !*name)
            return found;
    }
}

static bool flush_matches(const struct item *i, const uint8_t *name, uint16_t type, bool subtree)
{
    if (type && i->type != type)
        return false;
    return subtree ? dns_name_is_sub(i->data, name) : dns_name_equal(i->data, name);
}

static unsigned flush_shard(struct shard *s, const uint8_t *name, uint16_t type, bool subtree)
{
    unsigned removed = 0;
    struct list *queues[] = {&s->small, &s->main};
    pthread_mutex_lock(&s->lock);
    for (int q = 0; q < 2; q++)
        LIST_FOR (it, queues[q]) {
            struct item *i = container_of(it, struct item, queue);
            if (flush_matches(i, name, type, subtree)) {
                item_remove(s, i);
                removed++;
            }
        }
    pthread_mutex_unlock(&s->lock);
    return removed;
}

unsigned cache_flush(struct cache *c, const uint8_t *name, uint16_t type, bool subtree)
{
    if (!subtree)
        return flush_shard(shard_of(c, dns_name_hash(name, c->seed)), name, type, false);
    unsigned removed = 0;
    for (unsigned n = 0; n < c->shard_count; n++)
        removed += flush_shard(&c->shards[n], name, type, true);
    return removed;
}

struct cache_usage cache_usage(struct cache *c)
{
    struct cache_usage u = {.limit = c->limit};
    for (unsigned n = 0; n < c->shard_count; n++) {
        struct shard *s = &c->shards[n];
        pthread_mutex_lock(&s->lock);
        u.bytes += s->bytes;
        u.entries += s->entries;
        u.hits += s->hits;
        u.misses += s->misses;
        u.inserts += s->inserts;
        u.evictions += s->evictions;
        pthread_mutex_unlock(&s->lock);
    }
    return u;
}

void cache_walk(struct cache *c, const uint8_t *below, int64_t now_s,
                void (*fn)(void *arg, const struct cache_key *k, const struct cache_entry *e),
                void *arg)
{
    for (unsigned n = 0; n < c->shard_count; n++) {
        struct shard *s = &c->shards[n];
        struct list *queues[] = {&s->main, &s->small};
        pthread_mutex_lock(&s->lock);
        for (int q = 0; q < 2; q++)
            LIST_FOR (it, queues[q]) {
                const struct item *i = container_of(it, struct item, queue);
                if (!item_left(i, now_s) || !dns_name_is_sub(i->data, below))
                    continue;
                struct edns_subnet net = {0};
                const uint8_t *at = item_net(i);
                if (at) {
                    memcpy(net.ip, at, sizeof net.ip);
                    net.family = at[ITEM_NET_OCTETS];
                    net.source = net.scope = at[ITEM_NET_OCTETS + 1];
                }
                struct cache_key k = {i->data, i->type, i->kind, i->plane, at ? &net : NULL};
                struct dns_rrset proof[CACHE_PROOF_MAX];
                struct cache_entry e = item_view(i, i->data, proof, now_s);
                fn(arg, &k, &e);
            }
        pthread_mutex_unlock(&s->lock);
    }
}
