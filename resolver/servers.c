/* Epochs: a timeout belongs to the running epoch when its question left before the epoch began.
 * Many questions lost at the same moment are one event: one doubling, one halving.
 * The window is for congestion: a path that loses one question in a hundred is not congested, and a
 * window cut for each of them would make clients wait for nothing. It is cut when more than one in
 * eight was lost of late: of some 64, so that chance alone does not do it. */
#include "resolver/servers.h"

#include "base/err.h"
#include "base/hash.h"
#include "dns/name.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS       8
#define SHARDS     32
#define LAME_SLOTS 2
#define IDLE_MS    30000 /* the backoff halves for each such time without traffic */
#define UNKNOWN_US 60000 /* between a near and a far server: unknown ones get their chance */
#define DEAD_US    20000000

struct server {
    uint8_t ip[16];
    uint16_t port;
    bool used, measured, probing;
    uint32_t srtt_us, var_us;
    uint32_t backoff_ms; /* 0: none */
    uint16_t loss;       /* moving average of some 16 questions, 65536 would be certain */
    uint16_t crowded;    /* the same of some 64: three lost by chance do not show */
    uint32_t window, window_left, in_flight;
    bool loss_seen; /* slow start is over */
    uint8_t epochs; /* with timeouts, since the last reply */
    uint8_t probes; /* unanswered since dead */
    int64_t epoch_ms, cut_ms, last_ms, dead_until_ms, mismatch_ms;
    int64_t edns_until_ms, case_until_ms, cookie_until_ms;
    uint8_t cookie_len;
    uint8_t cookie[SERVERS_COOKIE_MAX];
    struct {
        uint64_t zone;
        int64_t until_ms;
    } lame[LAME_SLOTS];
};

/* A server takes four cache lines, so that those of its bucket are told apart by their tags. */
struct servers {
    uint64_t seed;
    unsigned buckets; /* power of two */
    pthread_mutex_t locks[SHARDS];
    struct server *at; /* buckets * WAYS */
    uint16_t *tags;    /* of each, 0: not used */
};

struct place {
    unsigned bucket;
    uint16_t tag;
};

int servers_new(struct servers **out, unsigned entries, uint64_t seed)
{
    struct servers *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->seed = seed;
    for (s->buckets = SHARDS; s->buckets * WAYS < entries; s->buckets *= 2)
        continue;
    s->at = calloc((size_t)s->buckets * WAYS, sizeof *s->at);
    s->tags = calloc((size_t)s->buckets * WAYS, sizeof *s->tags);
    if (!s->at || !s->tags) {
        free(s->at);
        free(s->tags);
        free(s);
        return ERR_NOMEM;
    }
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&s->locks[i], NULL);
    *out = s;
    return 0;
}

void servers_free(struct servers *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&s->locks[i]);
    free(s->at);
    free(s->tags);
    free(s);
}

static struct place place_of(const struct servers *s, const struct addr *a)
{
    uint8_t key[18];
    memcpy(key, a->ip, 16);
    memcpy(key + 16, &a->port, 2);
    uint64_t h = hash_bytes(key, sizeof key, s->seed);
    return (struct place){(unsigned)h & (s->buckets - 1), (uint16_t)(h >> 48 | 1)};
}

static struct server *find(struct servers *s, struct place p, const struct addr *a)
{
    struct server *e = s->at + (size_t)p.bucket * WAYS;
    const uint16_t *tags = s->tags + (size_t)p.bucket * WAYS;
    for (unsigned i = 0; i < WAYS; i++)
        if (tags[i] == p.tag && e[i].port == a->port && !memcmp(e[i].ip, a->ip, 16))
            return &e[i];
    return NULL;
}

/* Finds or makes; NULL when every way has questions in flight: such a server stays unknown. */
static struct server *take(struct servers *s, struct place p, const struct addr *a, int64_t now_ms)
{
    struct server *e = find(s, p, a), *way = s->at + (size_t)p.bucket * WAYS;
    if (e)
        return e;
    for (unsigned i = 0; i < WAYS; i++)
        if (!way[i].used || (!way[i].in_flight && (!e || (e->used && way[i].last_ms < e->last_ms))))
            e = &way[i];
    if (!e)
        return NULL;
    memset(e, 0, sizeof *e);
    memcpy(e->ip, a->ip, 16);
    e->port = a->port;
    e->used = true;
    s->tags[e - s->at] = p.tag;
    e->window = e->window_left = SERVERS_WINDOW_START;
    e->last_ms = now_ms;
    e->epoch_ms = e->cut_ms = INT64_MIN;
    e->mismatch_ms = INT64_MIN / 2;
    return e;
}

static uint32_t clamp_rto(uint64_t ms)
{
    return ms < SERVERS_RTO_FLOOR_MS  ? SERVERS_RTO_FLOOR_MS
           : ms > SERVERS_RTO_CEIL_MS ? SERVERS_RTO_CEIL_MS
                                      : (uint32_t)ms;
}

/* RFC 6298 2.2, 2.3 with a granularity of 20 ms. */
static uint32_t base_rto(const struct server *e)
{
    if (!e->measured)
        return SERVERS_RTO_UNKNOWN_MS;
    uint32_t spread = 4 * e->var_us > 20000 ? 4 * e->var_us : 20000;
    return clamp_rto(((uint64_t)e->srtt_us + spread + 999) / 1000);
}

static uint32_t rto_now(const struct server *e, int64_t now_ms)
{
    uint32_t rto = base_rto(e);
    int64_t idle = (now_ms - e->last_ms) / IDLE_MS;
    uint32_t backoff = idle > 16 ? 0 : e->backoff_ms >> (idle < 0 ? 0 : idle);
    return clamp_rto(backoff > rto ? backoff : rto);
}

static void describe(const struct server *e, const uint64_t *zone, int64_t now_ms,
                     struct server_info *i)
{
    i->srtt_us = e->srtt_us;
    i->var_us = e->var_us;
    i->rto_ms = rto_now(e, now_ms);
    i->loss_permille = e->loss * 1000 / 65536;
    i->window = e->window;
    i->in_flight = e->in_flight;
    i->edns_broken = now_ms < e->edns_until_ms;
    i->case_broken = now_ms < e->case_until_ms;
    i->cookie_broken = now_ms < e->cookie_until_ms;
    i->cookie_len = e->cookie_len;
    memcpy(i->cookie, e->cookie, e->cookie_len);
    for (unsigned n = 0; zone && n < LAME_SLOTS; n++)
        i->lame = i->lame || (e->lame[n].zone == *zone && now_ms < e->lame[n].until_ms);
    if (e->epochs >= SERVERS_DEAD_EPOCHS)
        i->health = now_ms >= e->dead_until_ms && !e->probing ? SERVER_PROBE : SERVER_DEAD;
    else if (e->epochs)
        i->health = SERVER_FAILING;
    else
        i->health = e->measured ? SERVER_ALIVE : SERVER_UNKNOWN;
    uint64_t cost = e->measured ? e->srtt_us : UNKNOWN_US;
    cost += (uint64_t)e->loss * i->rto_ms * 1000 / 65536;
    if (i->health == SERVER_FAILING)
        cost += (uint64_t)i->rto_ms * 500;
    if (e->in_flight * 2 > e->window) /* waiting for room costs about its share of a round trip */
        cost += cost * e->in_flight / e->window;
    if (i->health == SERVER_DEAD || i->health == SERVER_PROBE)
        cost += DEAD_US;
    i->cost_us = cost > UINT32_MAX ? UINT32_MAX : (uint32_t)cost;
}

void servers_look(struct servers *s, const struct addr *a, const uint8_t *zone, int64_t now_ms,
                  struct server_info *info)
{
    struct place p = place_of(s, a);
    uint64_t zh = zone ? dns_name_hash(zone, s->seed) : 0;
    memset(info, 0, sizeof *info);
    info->rto_ms = SERVERS_RTO_UNKNOWN_MS;
    info->window = SERVERS_WINDOW_START;
    info->cost_us = UNKNOWN_US;
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = find(s, p, a);
    if (e)
        describe(e, zone ? &zh : NULL, now_ms, info);
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

int servers_send(struct servers *s, const struct addr *a, int64_t now_ms, struct server_ticket *t)
{
    struct place p = place_of(s, a);
    int err = 0;
    t->sent_ms = now_ms;
    t->rto_ms = SERVERS_RTO_UNKNOWN_MS;
    t->counted = false;
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    bool dead = e && e->epochs >= SERVERS_DEAD_EPOCHS;
    if (e && (dead ? e->probing : e->in_flight >= e->window)) {
        err = ERR_LIMIT;
    } else if (e) {
        t->rto_ms = rto_now(e, now_ms);
        t->counted = true;
        e->in_flight++;
        e->probing = dead;
        e->last_ms = now_ms;
    }
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
    return err;
}

static void leave(struct server *e, struct server_ticket *t)
{
    if (t->counted && e->in_flight)
        e->in_flight--;
    t->counted = false;
}

static void sample(struct server *e, uint32_t rtt_us)
{
    if (!e->measured) { /* RFC 6298 2.2 */
        e->srtt_us = rtt_us;
        e->var_us = rtt_us / 2;
        e->measured = true;
        return;
    }
    uint32_t off = e->srtt_us > rtt_us ? e->srtt_us - rtt_us : rtt_us - e->srtt_us;
    e->var_us = e->var_us - e->var_us / 4 + off / 4;
    e->srtt_us = e->srtt_us - e->srtt_us / 8 + rtt_us / 8;
}

/* Neither average reaches 65536: what is missing is divided, and rounded down. */
static void count_loss(struct server *e, bool lost)
{
    e->loss = (uint16_t)(lost ? e->loss + (65536 - e->loss) / 16 : e->loss - e->loss / 16);
    e->crowded =
        (uint16_t)(lost ? e->crowded + (65536 - e->crowded) / 64 : e->crowded - e->crowded / 64);
}

/* Before the first cut one more per reply, which doubles it per window. After it one more per
 * window and a sixteenth: what an outage took from a busy server is back after some dozen windows,
 * however large it was. */
static void grow(struct server *e)
{
    if (!e->loss_seen) {
        e->window++;
    } else if (--e->window_left == 0) {
        e->window += 1 + e->window / 16;
        e->window_left = e->window;
    }
    if (e->window > SERVERS_WINDOW_CEIL)
        e->window = SERVERS_WINDOW_CEIL;
}

void servers_reply(struct servers *s, const struct addr *a, int64_t now_ms, uint32_t rtt_us,
                   struct server_ticket *t)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    if (e) {
        bool in_time = t->counted;
        leave(e, t);
        if (rtt_us)
            sample(e, rtt_us);
        if (in_time) {
            grow(e);
            count_loss(e, false);
        }
        /* RFC 6298 5.7 in spirit: a reply, late or not, proves the path; the backoff goes. */
        e->backoff_ms = 0;
        e->epochs = e->probes = 0;
        e->probing = false;
        e->last_ms = now_ms;
    }
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

static void die(struct server *e, int64_t now_ms)
{
    int64_t wait = (int64_t)1000 << (e->probes > 9 ? 9 : e->probes);
    if (e->probes < 255)
        e->probes++;
    e->probing = false;
    e->dead_until_ms = now_ms + (wait > SERVERS_DEAD_MAX_MS ? SERVERS_DEAD_MAX_MS : wait);
}

static void cut(struct server *e, const struct server_ticket *t, int64_t now_ms)
{
    if (t->sent_ms < e->cut_ms || e->crowded <= SERVERS_LOSS_CUT)
        return;
    e->cut_ms = now_ms;
    e->window = e->window / 2 < SERVERS_WINDOW_FLOOR ? SERVERS_WINDOW_FLOOR : e->window / 2;
    e->window_left = e->window;
    e->loss_seen = true;
}

static void lose(struct server *e, struct server_ticket *t, int64_t now_ms)
{
    leave(e, t);
    count_loss(e, true);
    e->last_ms = now_ms;
    cut(e, t, now_ms);
    if (t->sent_ms < e->epoch_ms) /* left before the last backoff: not a new epoch */
        return;
    e->epoch_ms = now_ms;
    uint32_t doubled = clamp_rto((uint64_t)t->rto_ms * 2);
    if (doubled > e->backoff_ms)
        e->backoff_ms = doubled;
    if (e->epochs < 255)
        e->epochs++;
    if (e->epochs >= SERVERS_DEAD_EPOCHS)
        die(e, now_ms);
}

void servers_timeout(struct servers *s, const struct addr *a, int64_t now_ms,
                     struct server_ticket *t)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    if (e)
        lose(e, t, now_ms);
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

static void drop(struct server *e, struct server_ticket *t)
{
    if (t->counted)
        e->probing = false;
    leave(e, t);
}

void servers_drop(struct servers *s, const struct addr *a, struct server_ticket *t)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = find(s, p, a);
    if (e)
        drop(e, t);
    t->counted = false;
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

void servers_give_up(struct servers *s, const struct addr *a, int64_t now_ms,
                     struct server_ticket *t)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = find(s, p, a);
    if (e && t->counted && now_ms - t->sent_ms >= base_rto(e))
        lose(e, t, now_ms);
    else if (e)
        drop(e, t);
    t->counted = false;
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

static void note_lame(struct server *e, uint64_t zone, int64_t now_ms)
{
    unsigned at = 0;
    for (unsigned i = 1; i < LAME_SLOTS; i++)
        if (e->lame[i].zone == zone ||
            (e->lame[at].zone != zone && e->lame[i].until_ms < e->lame[at].until_ms))
            at = i;
    e->lame[at].zone = zone;
    e->lame[at].until_ms = now_ms + SERVERS_LAME_MS;
}

void servers_note(struct servers *s, const struct addr *a, enum server_fact fact,
                  const uint8_t *zone, int64_t now_ms)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    if (e && fact == SERVER_EDNS_BROKEN)
        e->edns_until_ms = now_ms + SERVERS_FACT_MS;
    else if (e && fact == SERVER_CASE_BROKEN)
        e->case_until_ms = now_ms + SERVERS_FACT_MS;
    else if (e && fact == SERVER_COOKIE_BROKEN)
        e->cookie_until_ms = now_ms + SERVERS_FACT_MS;
    else if (e && zone)
        note_lame(e, dns_name_hash(zone, s->seed), now_ms);
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

void servers_cookie(struct servers *s, const struct addr *a, const uint8_t *cookie, size_t len,
                    int64_t now_ms)
{
    struct place p = place_of(s, a);
    if (len > SERVERS_COOKIE_MAX)
        return;
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    if (e) {
        e->cookie_len = (uint8_t)len;
        memcpy(e->cookie, cookie, len);
    }
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
}

bool servers_mismatch(struct servers *s, const struct addr *a, int64_t now_ms)
{
    struct place p = place_of(s, a);
    pthread_mutex_lock(&s->locks[p.bucket % SHARDS]);
    struct server *e = take(s, p, a, now_ms);
    bool pass = !e || now_ms - e->mismatch_ms >= 1000;
    if (e && pass)
        e->mismatch_ms = now_ms;
    pthread_mutex_unlock(&s->locks[p.bucket % SHARDS]);
    return pass;
}

void servers_walk(struct servers *s, int64_t now_ms,
                  void (*fn)(void *arg, const struct addr *a, const struct server_info *info),
                  void *arg)
{
    for (unsigned b = 0; b < s->buckets; b++) {
        pthread_mutex_lock(&s->locks[b % SHARDS]);
        for (unsigned i = 0; i < WAYS; i++) {
            const struct server *e = s->at + (size_t)b * WAYS + i;
            struct server_info info = {0};
            if (!e->used)
                continue;
            struct addr a = addr_of_bytes(e->ip, 16, e->port);
            static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
            if (!memcmp(e->ip, mapped, 12))
                a.family = 4;
            describe(e, NULL, now_ms, &info);
            fn(arg, &a, &info);
        }
        pthread_mutex_unlock(&s->locks[b % SHARDS]);
    }
}
