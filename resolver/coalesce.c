/* A waiting seat is linked either into its leader's list (under the shard's lock) or into its
 * worker's inbox (under the inbox's); it moves with both held. Whoever holds both can take it out
 * without knowing where it is. */
#include "resolver/coalesce.h"

#include "base/hash.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS  64
#define BUCKETS 64 /* of a shard: 4096 heads, as many as walks in flight at a worker */

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    _Atomic uint64_t left; /* leaders that were through, so far */
    struct list buckets[BUCKETS];
};

struct coalesce {
    uint64_t seed;
    struct shard shards[SHARDS];
};

struct coalesce *coalesce_new(uint64_t hash_seed)
{
    struct coalesce *t = aligned_alloc(64, (sizeof *t + 63) & ~(size_t)63);
    if (!t)
        return NULL;
    t->seed = hash_seed;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&t->shards[i].lock, NULL);
        atomic_init(&t->shards[i].left, 0);
        for (unsigned j = 0; j < BUCKETS; j++)
            list_init(&t->shards[i].buckets[j]);
    }
    return t;
}

void coalesce_free(struct coalesce *t)
{
    for (unsigned i = 0; t && i < SHARDS; i++)
        pthread_mutex_destroy(&t->shards[i].lock);
    free(t);
}

void coalesce_inbox_init(struct coalesce_inbox *in, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_init(&in->lock, NULL);
    list_init(&in->seats);
    in->wake = wake;
    in->arg = arg;
}

void coalesce_inbox_fini(struct coalesce_inbox *in)
{
    pthread_mutex_destroy(&in->lock);
}

static struct shard *shard_of(struct coalesce *t, uint64_t hash)
{
    return &t->shards[hash % SHARDS];
}

static struct list *bucket_of(struct shard *d, uint64_t hash)
{
    return &d->buckets[hash / SHARDS % BUCKETS];
}

static bool same_name(const struct coalesce_seat *a, const struct coalesce_seat *b)
{
    return a->hash == b->hash && a->type == b->type && dns_name_equal(a->name, b->name);
}

static struct coalesce_seat *find_leader(struct list *bucket, const struct coalesce_seat *like)
{
    LIST_FOR (l, bucket) {
        struct coalesce_seat *s = container_of(l, struct coalesce_seat, link);
        if (same_name(s, like) && edns_subnet_equal(&s->subnet, &like->subnet))
            return s;
    }
    return NULL;
}

static bool is_full(struct list *bucket, const struct coalesce_seat *like)
{
    unsigned n = 0;
    LIST_FOR (l, bucket) {
        const struct coalesce_seat *s = container_of(l, struct coalesce_seat, link);
        n += s->subnet.family && same_name(s, like);
    }
    return n >= COALESCE_SUBNETS;
}

void coalesce_mark(struct coalesce *t, struct coalesce_seat *s, struct coalesce_inbox *in,
                   const uint8_t *name, uint16_t type)
{
    dns_name_lower(s->name, name);
    s->type = type;
    s->hash = hash_mix(dns_name_hash(name, t->seed) ^ type);
    s->inbox = in;
    s->mark = atomic_load(&shard_of(t, s->hash)->left);
}

enum coalesce_role coalesce_enter(struct coalesce *t, struct coalesce_seat *s, bool may_wait)
{
    struct shard *d = shard_of(t, s->hash);
    struct list *bucket = bucket_of(d, s->hash);
    enum coalesce_role role = COALESCE_NONE;
    list_init(&s->link);
    list_init(&s->waiting);
    pthread_mutex_lock(&d->lock);
    struct coalesce_seat *leader = find_leader(bucket, s);
    if (!leader && !s->looked && s->mark != atomic_load(&d->left)) {
        s->looked = true;
        role = COALESCE_LOOK;
    } else if (!leader && s->subnet.family && is_full(bucket, s)) {
        role = COALESCE_FULL;
    } else if (!leader) {
        s->role = role = COALESCE_LEADS;
        list_push(bucket, &s->link);
    } else if (may_wait && s->inbox->wake) {
        s->role = role = COALESCE_WAITS;
        list_push(&leader->waiting, &s->link);
    } else if (s->subnet.family) {
        role = COALESCE_FULL;
    }
    pthread_mutex_unlock(&d->lock);
    return role;
}

/* The wake-up is sent under the lock: a worker that takes its seat out, or leaves, cannot be gone
 * before this is over. */
static void deliver(struct coalesce_seat *s, const struct coalesce_outcome *out)
{
    struct coalesce_inbox *in = s->inbox;
    pthread_mutex_lock(&in->lock);
    list_remove(&s->link);
    if (out)
        s->outcome = *out;
    else
        s->outcome = (struct coalesce_outcome){.how = COALESCE_LEFT};
    list_push(&in->seats, &s->link);
    in->wake(in->arg);
    pthread_mutex_unlock(&in->lock);
}

void coalesce_leave(struct coalesce *t, struct coalesce_seat *s, const struct coalesce_outcome *out)
{
    if (s->role == COALESCE_NONE)
        return;
    struct shard *d = shard_of(t, s->hash);
    pthread_mutex_lock(&d->lock);
    if (s->role == COALESCE_LEADS) {
        list_remove(&s->link);
        atomic_fetch_add(&d->left, 1);
        for (struct list *l; (l = list_first(&s->waiting));)
            deliver(container_of(l, struct coalesce_seat, link), out);
    } else {
        pthread_mutex_lock(&s->inbox->lock);
        list_remove(&s->link);
        pthread_mutex_unlock(&s->inbox->lock);
    }
    pthread_mutex_unlock(&d->lock);
    s->role = COALESCE_NONE;
}

struct coalesce_seat *coalesce_next(struct coalesce_inbox *in)
{
    struct coalesce_seat *s = NULL;
    pthread_mutex_lock(&in->lock);
    struct list *l = list_first(&in->seats);
    if (l) {
        list_remove(l);
        s = container_of(l, struct coalesce_seat, link);
    }
    pthread_mutex_unlock(&in->lock);
    if (s)
        s->role = COALESCE_NONE;
    return s;
}

void coalesce_count(struct coalesce *t, unsigned *leading, unsigned *waiting)
{
    *leading = *waiting = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&t->shards[i].lock);
        for (unsigned j = 0; j < BUCKETS; j++)
            LIST_FOR (l, &t->shards[i].buckets[j]) {
                ++*leading;
                LIST_FOR (m, &container_of(l, struct coalesce_seat, link)->waiting)
                    ++*waiting;
            }
        pthread_mutex_unlock(&t->shards[i].lock);
    }
}
