/* resolver/cache.c: shards of S3-FIFO over record sets.
 *
 *   put --> small (a tenth of the bytes) --not asked again--> out, fingerprint kept in ghosts
 *    |          `--asked again--> main <--+
 *    `--fingerprint in ghosts------^      |  oldest of main: asked since? once more round, else out
 *                                  `------'
 *
 * A flood of one-time names passes through small and never reaches main. An expired entry stays in
 * its place until it is the oldest or is replaced, so that a steady name whose TTL ran out keeps
 * its seat in main when it is stored again. An entry is one block: the lower-case key name, then
 * what its sets need, so that a get is one copy. An entry of a network has its address behind the
 * name and a hash of its own, so that a thousand networks are no burden to the name's other
 * entries; a shard counts its networks by length, and a get tries those lengths only. Everything is
 * counted against the shard's share of the limit, tables included. */
#include "resolver/cache.h"

#include "base/hash.h"
#include "base/list.h"
#include "dns/name.h"
#include "dns/type.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_SET_BYTES_MAX = 16384,
    CACHE_SET_RECORDS_MAX = 256,
    CACHE_SHARD_BYTES_MIN = 131072, /* several of the largest entries must fit */
    CACHE_BYTES_PER_BUCKET = 256,   /* a small entry's size: chains stay about one long */
    CACHE_FREQ_MAX = 3,
    CACHE_GHOST_WAYS = 4,
    CACHE_MALLOC_OVERHEAD = 16,
    CACHE_NET_OCTETS = 16,
    CACHE_LENGTHS = 32 + 128, /* of networks: IPv4, then IPv6, from 1 bit on */
};

/* A set inside an entry: places are offsets into data. */
struct slot {
    uint32_t rdata, size, ttl;
    uint16_t owner;
    uint16_t type, cls, count, covers;
};

struct item {
    struct item *next; /* of the bucket's chain */
    struct list queue;
    uint64_t hash;
    int64_t expires_s;
    uint32_t ttl_s;     /* as stored */
    uint32_t data_size; /* octets of data */
    struct slot set, sigs;
    uint16_t type;
    uint8_t kind, plane;
    uint8_t rank, rcode;
    uint8_t freq;
    bool in_main;
    uint16_t ede;
    uint16_t origin_port;
    uint8_t origin_ip[16];
    uint8_t proof_count;
    uint8_t family, scope; /* of the network's entry; 0: everybody's */
    bool told;
    /* Key name in lower case, the network, owners and RDATA, and a slot per set of the proof. */
    uint8_t data[];
};

struct shard {
    pthread_mutex_t lock;
    struct item **buckets;
    uint32_t *ghosts;        /* groups of CACHE_GHOST_WAYS, newest first; 0 is empty */
    struct list small, main; /* oldest first */
    uint64_t bytes, small_bytes;
    uint64_t entries, hits, misses, inserts, evictions;
    uint32_t lengths[CACHE_LENGTHS]; /* entries of networks */
} __attribute__((aligned(64)));

struct cache {
    uint64_t shard_limit, limit;
    uint64_t seed;
    uint32_t bucket_mask;
    unsigned shard_count;
    struct shard shards[];
};

/* A key with its hashes: the name alone chooses the shard, so that a flush locks one. */
struct place {
    struct shard *shard;
    uint64_t hash;
    uint16_t type;
    uint8_t family, scope;
    const uint8_t *net; /* CACHE_NET_OCTETS, when there is a scope */
};

static struct shard *shard_of(struct cache *c, uint64_t name_hash)
{
    return &c->shards[(name_hash >> 40) % c->shard_count];
}

static struct place place_of(struct cache *c, const struct cache_key *k)
{
    uint64_t h = dns_name_hash(k->name, c->seed);
    struct place p = {.shard = shard_of(c, h), .type = k->kind == CACHE_NXDOMAIN ? 0 : k->type};
    p.hash = hash_mix(h ^ ((uint64_t)p.type << 32 | (uint64_t)k->kind << 8 | k->plane));
    return p;
}

/* The same for the first `bits` of a network, which go into net; p is of everybody's entry. */
static struct place place_of_net(const struct place *p, const struct edns_subnet *s, uint8_t bits,
                                 uint8_t net[static CACHE_NET_OCTETS])
{
    struct place n = *p;
    n.family = s->family;
    n.scope = bits;
    n.net = net;
    memset(net, 0, CACHE_NET_OCTETS);
    memcpy(net, s->ip, (bits + 7u) / 8);
    if (bits % 8)
        net[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    uint64_t high, low;
    memcpy(&high, net, 8);
    memcpy(&low, net + 8, 8);
    n.hash = hash_mix(p->hash ^ hash_mix(high ^ (uint64_t)bits << 8 ^ s->family) ^ low);
    return n;
}

static unsigned length_index(uint8_t family, uint8_t scope)
{
    return (family == 1 ? 0 : 32u) + scope - 1;
}

static uint64_t item_bytes(uint32_t data_size)
{
    return ((sizeof(struct item) + data_size + 15) & ~(uint64_t)15) + CACHE_MALLOC_OVERHEAD;
}

static struct item **bucket_of(const struct cache *c, struct shard *s, uint64_t hash)
{
    return &s->buckets[hash & c->bucket_mask];
}

static bool is_of_net(const struct item *i, const struct place *p)
{
    return i->family == p->family &&
           !memcmp(i->data + dns_name_len(i->data), p->net, CACHE_NET_OCTETS);
}

static struct item *item_find(const struct cache *c, const struct place *p,
                              const struct cache_key *k)
{
    struct item *i = *bucket_of(c, p->shard, p->hash);
    while (i && !(i->hash == p->hash && i->type == p->type && i->kind == k->kind &&
                  i->plane == k->plane && i->scope == p->scope &&
                  dns_name_equal(i->data, k->name) && (!p->scope || is_of_net(i, p))))
        i = i->next;
    return i;
}

static void item_remove(const struct cache *c, struct shard *s, struct item *i)
{
    struct item **at = bucket_of(c, s, i->hash);
    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    list_remove(&i->queue);
    uint64_t bytes = item_bytes(i->data_size);
    s->bytes -= bytes;
    if (!i->in_main)
        s->small_bytes -= bytes;
    s->entries--;
    if (i->scope)
        s->lengths[length_index(i->family, i->scope)]--;
    free(i);
}

static void item_insert(const struct cache *c, struct shard *s, struct item *i)
{
    struct item **at = bucket_of(c, s, i->hash);
    i->next = *at;
    *at = i;
    list_push(i->in_main ? &s->main : &s->small, &i->queue);
    uint64_t bytes = item_bytes(i->data_size);
    s->bytes += bytes;
    if (!i->in_main)
        s->small_bytes += bytes;
    s->entries++;
    s->inserts++;
    if (i->scope)
        s->lengths[length_index(i->family, i->scope)]++;
}

static uint32_t *ghost_group(const struct cache *c, struct shard *s, uint64_t hash)
{
    return &s->ghosts[(hash >> 8 & c->bucket_mask) & ~(uint64_t)(CACHE_GHOST_WAYS - 1)];
}

static uint32_t ghost_print(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1;
}

static void ghost_remember(const struct cache *c, struct shard *s, uint64_t hash)
{
    uint32_t *g = ghost_group(c, s, hash);
    memmove(g + 1, g, (CACHE_GHOST_WAYS - 1) * sizeof *g);
    g[0] = ghost_print(hash);
}

/* Whether the fingerprint was there; it is taken out. */
static bool ghost_take(const struct cache *c, struct shard *s, uint64_t hash)
{
    uint32_t *g = ghost_group(c, s, hash);
    for (int n = 0; n < CACHE_GHOST_WAYS; n++)
        if (g[n] == ghost_print(hash)) {
            g[n] = 0;
            return true;
        }
    return false;
}

/* The clock may go back (the wall's, after a bad battery): what was stored more than its TTL ahead
 * of now is of no known age, and would otherwise live until the clock has caught up. */
static bool item_is_live(const struct item *i, int64_t now_s)
{
    int64_t left = i->expires_s - now_s;
    return left > 0 && left <= 2 * (int64_t)i->ttl_s;
}

/* One step of S3-FIFO on the oldest of small: to main, or out. */
static void evict_small(const struct cache *c, struct shard *s, int64_t now_s)
{
    struct item *i = container_of(list_first(&s->small), struct item, queue);
    if (i->freq > 0 && item_is_live(i, now_s)) {
        list_remove(&i->queue);
        list_push(&s->main, &i->queue);
        i->in_main = true;
        i->freq = 0;
        s->small_bytes -= item_bytes(i->data_size);
        return;
    }
    ghost_remember(c, s, i->hash);
    s->evictions++;
    item_remove(c, s, i);
}

static void evict_main(const struct cache *c, struct shard *s, int64_t now_s)
{
    struct item *i = container_of(list_first(&s->main), struct item, queue);
    if (i->freq > 0 && item_is_live(i, now_s)) {
        i->freq--;
        list_remove(&i->queue);
        list_push(&s->main, &i->queue);
        return;
    }
    s->evictions++;
    item_remove(c, s, i);
}

/* Room for `need` bytes. Ends: every step moves to main, lowers a freq or removes. */
static void make_room(const struct cache *c, struct shard *s, uint64_t need, int64_t now_s)
{
    while (s->entries && s->bytes + need > c->shard_limit) {
        if (list_is_empty(&s->main) ||
            (!list_is_empty(&s->small) && s->small_bytes > c->shard_limit / 10))
            evict_small(c, s, now_s);
        else
            evict_main(c, s, now_s);
    }
}

static struct dns_rrset slot_set(const struct slot *t, const uint8_t *data)
{
    return (struct dns_rrset){.owner = data + t->owner,
                              .rdata = data + t->rdata,
                              .size = t->size,
                              .ttl = t->ttl,
                              .type = t->type,
                              .cls = t->cls,
                              .count = t->count,
                              .covers = t->covers};
}

/* What the caller sees of an item whose data lies at `data` (in place, or the caller's copy); proof
 * has room for its sets. */
static struct cache_entry item_view(const struct item *i, const uint8_t *data,
                                    struct dns_rrset *proof, int64_t now_s)
{
    const uint8_t *slots = data + i->data_size - i->proof_count * sizeof(struct slot);
    for (unsigned n = 0; n < i->proof_count; n++) {
        struct slot t; /* not aligned there */
        memcpy(&t, slots + n * sizeof t, sizeof t);
        proof[n] = slot_set(&t, data);
    }
    int64_t left = i->expires_s - now_s;
    struct cache_entry e = {.set = slot_set(&i->set, data),
                            .sigs = slot_set(&i->sigs, data),
                            .proof = proof,
                            .proof_count = i->proof_count,
                            .ttl_left = left < i->ttl_s ? (uint32_t)left : i->ttl_s,
                            .ttl_stored = i->ttl_s,
                            .rank = i->rank,
                            .rcode = i->rcode,
                            .ede = i->ede,
                            .scope = i->scope,
                            .told = i->told};
    memcpy(e.origin.ip, i->origin_ip, sizeof e.origin.ip);
    e.origin.port = i->origin_port;
    return e;
}

/* Where the owner goes: a suffix of the key name as a rule, its own octets otherwise. Returns the
 * octets to append. */
static size_t owner_plan(const struct dns_rrset *set, const uint8_t *name, size_t at,
                         uint16_t *owner)
{
    if (!set->owner || !set->count || dns_name_equal(set->owner, name)) {
        *owner = 0;
        return 0;
    }
    if (dns_name_is_sub(name, set->owner)) {
        *owner = (uint16_t)(dns_name_len(name) - dns_name_len(set->owner));
        return 0;
    }
    *owner = (uint16_t)at;
    return dns_name_len(set->owner);
}

static size_t slot_plan(struct slot *t, const struct dns_rrset *set, const uint8_t *name, size_t at)
{
    *t = (struct slot){.size = set->count ? set->size : 0,
                       .ttl = set->ttl,
                       .type = set->type,
                       .cls = set->cls,
                       .count = set->count,
                       .covers = set->covers};
    at += owner_plan(set, name, at, &t->owner);
    t->rdata = (uint32_t)at;
    return at + t->size;
}

static void slot_fill(const struct slot *t, const struct dns_rrset *set, size_t at, uint8_t *data)
{
    if (t->owner == at) /* appended, not a suffix: at is never 0 */
        dns_name_copy(data + at, set->owner);
    if (t->size)
        memcpy(data + t->rdata, set->rdata, t->size);
}

/* Slots of the proof from `at` on. A set and its signatures share one copy of their owner. */
static size_t proof_plan(struct slot *slots, const struct cache_entry *e, const uint8_t *name,
                         size_t at)
{
    for (unsigned n = 0; n < e->proof_count; n++) {
        size_t own = at;
        at = slot_plan(&slots[n], &e->proof[n], name, at);
        if (n && slots[n].owner == own &&
            dns_name_equal(e->proof[n].owner, e->proof[n - 1].owner)) {
            slots[n].owner = slots[n - 1].owner;
            slots[n].rdata = (uint32_t)own;
            at = own + slots[n].size;
        }
    }
    return at;
}

static void proof_fill(const struct slot *slots, const struct cache_entry *e, size_t at,
                       uint8_t *data)
{
    for (unsigned n = 0; n < e->proof_count; n++) {
        slot_fill(&slots[n], &e->proof[n], at, data);
        at = slots[n].rdata + slots[n].size;
    }
    if (e->proof_count)
        memcpy(data + at, slots, e->proof_count * sizeof *slots);
}

static struct item *item_new(const struct cache_key *k, const struct place *p,
                             const struct cache_entry *e, int64_t now_s)
{
    struct slot set, sigs, proof[CACHE_PROOF_MAX];
    size_t name_len = dns_name_len(k->name);
    size_t first = name_len + (p->scope ? CACHE_NET_OCTETS : 0);
    size_t mid = slot_plan(&set, &e->set, k->name, first);
    size_t beside = slot_plan(&sigs, &e->sigs, k->name, mid);
    size_t end = proof_plan(proof, e, k->name, beside) + e->proof_count * sizeof(struct slot);
    struct item *i = malloc(sizeof *i + end);
    if (!i)
        return NULL;
    *i = (struct item){.hash = p->hash,
                       .expires_s = now_s + e->ttl_stored,
                       .ttl_s = e->ttl_stored,
                       .data_size = (uint32_t)end,
                       .set = set,
                       .sigs = sigs,
                       .type = p->type,
                       .kind = k->kind,
                       .plane = k->plane,
                       .rank = e->rank,
                       .rcode = e->rcode,
                       .ede = e->ede,
                       .origin_port = e->origin.port,
                       .proof_count = (uint8_t)e->proof_count,
                       .family = p->family,
                       .scope = p->scope,
                       .told = e->told};
    memcpy(i->origin_ip, e->origin.ip, sizeof i->origin_ip);
    dns_name_lower(i->data, k->name);
    if (p->scope)
        memcpy(i->data + name_len, p->net, CACHE_NET_OCTETS);
    slot_fill(&set, &e->set, first, i->data);
    slot_fill(&sigs, &e->sigs, mid, i->data);
    proof_fill(proof, e, beside, i->data);
    return i;
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
static void item_replace(const struct cache *c, struct shard *s, struct item *old, struct item *i,
                         int64_t now_s)
{
    if (old->kind == CACHE_DELEGATION && item_is_live(old, now_s) &&
        old->expires_s < i->expires_s) {
        struct dns_rrset was = slot_set(&old->set, old->data), is = slot_set(&i->set, i->data);
        /* A parent that is asked again while its delegation is in force does not extend it:
         * otherwise a revoked domain lives for as long as someone keeps asking. */
        if (same_ns(&was, &is)) {
            i->expires_s = old->expires_s;
            i->ttl_s = old->ttl_s;
        }
    }
    i->in_main = old->in_main;
    i->freq = old->freq;
    item_remove(c, s, old);
}

static int shard_init(const struct cache *c, struct shard *s)
{
    size_t n = (size_t)c->bucket_mask + 1;
    s->buckets = calloc(n, sizeof(struct item *));
    s->ghosts = calloc(n, sizeof(uint32_t));
    if (!s->buckets || !s->ghosts || pthread_mutex_init(&s->lock, NULL)) {
        free(s->buckets);
        free(s->ghosts);
        return ERR_NOMEM;
    }
    list_init(&s->small);
    list_init(&s->main);
    s->bytes = sizeof *s + n * (sizeof(struct item *) + sizeof(uint32_t));
    return 0;
}

static void shard_clear(const struct cache *c, struct shard *s)
{
    while (!list_is_empty(&s->small))
        item_remove(c, s, container_of(s->small.next, struct item, queue));
    while (!list_is_empty(&s->main))
        item_remove(c, s, container_of(s->main.next, struct item, queue));
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    for (unsigned n = 0; n < c->shard_count; n++) {
        struct shard *s = &c->shards[n];
        shard_clear(c, s);
        free(s->buckets);
        free(s->ghosts);
        pthread_mutex_destroy(&s->lock);
    }
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
    uint32_t buckets = CACHE_GHOST_WAYS;
    while ((uint64_t)buckets * 2 * CACHE_BYTES_PER_BUCKET <= c->shard_limit && buckets < 1u << 30)
        buckets *= 2;
    c->bucket_mask = buckets - 1;
    for (; c->shard_count < shards; c->shard_count++) {
        int err = shard_init(c, &c->shards[c->shard_count]);
        if (err) {
            cache_free(c);
            return err;
        }
    }
    *out = c;
    return 0;
}

/* With the shard's lock held. */
static bool get_locked(const struct cache *c, const struct place *p, const struct cache_key *k,
                       int64_t now_s, struct arena *a, struct cache_entry *e)
{
    struct item *i = item_find(c, p, k);
    if (!i || !item_is_live(i, now_s))
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
static bool get_net(const struct cache *c, const struct place *p, const struct cache_key *k,
                    int64_t now_s, struct arena *a, struct cache_entry *e)
{
    for (uint8_t bits = k->subnet->source; bits; bits--) {
        if (!p->shard->lengths[length_index(k->subnet->family, bits)])
            continue;
        uint8_t net[CACHE_NET_OCTETS];
        struct place n = place_of_net(p, k->subnet, bits, net);
        if (get_locked(c, &n, k, now_s, a, e))
            return true;
    }
    return false;
}

bool cache_get(struct cache *c, const struct cache_key *k, int64_t now_s, struct arena *a,
               struct cache_entry *e)
{
    struct place p = place_of(c, k);
    pthread_mutex_lock(&p.shard->lock);
    bool hit = k->subnet ? get_net(c, &p, k, now_s, a, e) : get_locked(c, &p, k, now_s, a, e);
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
    uint8_t net[CACHE_NET_OCTETS];
    if (k->subnet)
        p = place_of_net(&p, k->subnet, k->subnet->scope, net);
    struct item *i = item_new(k, &p, e, now_s);
    if (!i)
        return ERR_NOMEM;
    struct shard *s = p.shard;
    pthread_mutex_lock(&s->lock);
    struct item *old = item_find(c, &p, k);
    if (old && item_is_live(old, now_s) && old->rank > i->rank) {
        pthread_mutex_unlock(&s->lock);
        free(i);
        return ERR_EXISTS;
    }
    if (old)
        item_replace(c, s, old, i, now_s);
    else
        i->in_main = ghost_take(c, s, i->hash);
    make_room(c, s, item_bytes(i->data_size), now_s);
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
        bool found = get_locked(c, &p, &k, now_s, a, e);
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

static unsigned flush_shard(const struct cache *c, struct shard *s, const uint8_t *name,
                            uint16_t type, bool subtree)
{
    unsigned removed = 0;
    struct list *queues[] = {&s->small, &s->main};
    pthread_mutex_lock(&s->lock);
    for (int q = 0; q < 2; q++)
        LIST_FOR (it, queues[q]) {
            struct item *i = container_of(it, struct item, queue);
            if (flush_matches(i, name, type, subtree)) {
                item_remove(c, s, i);
                removed++;
            }
        }
    pthread_mutex_unlock(&s->lock);
    return removed;
}

unsigned cache_flush(struct cache *c, const uint8_t *name, uint16_t type, bool subtree)
{
    if (!subtree)
        return flush_shard(c, shard_of(c, dns_name_hash(name, c->seed)), name, type, false);
    unsigned removed = 0;
    for (unsigned n = 0; n < c->shard_count; n++)
        removed += flush_shard(c, &c->shards[n], name, type, true);
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
                if (!item_is_live(i, now_s) || !dns_name_is_sub(i->data, below))
                    continue;
                struct edns_subnet net = {
                    .family = i->family, .source = i->scope, .scope = i->scope};
                if (i->scope)
                    memcpy(net.ip, i->data + dns_name_len(i->data), sizeof net.ip);
                struct cache_key k = {i->data, i->type, i->kind, i->plane, i->scope ? &net : NULL};
                struct dns_rrset proof[CACHE_PROOF_MAX];
                struct cache_entry e = item_view(i, i->data, proof, now_s);
                fn(arg, &k, &e);
            }
        pthread_mutex_unlock(&s->lock);
    }
}
