/* A client's question from ask to answer: walks in flight, those who wait for them, and the end. */
#include "iterate_priv.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MAX 64 /* walks kept for the next questions */

static uint64_t key_of(const struct resolver_worker *w, const uint8_t *qname, uint16_t qtype)
{
    return hash_mix(dns_name_hash(qname, w->r->seed) ^ qtype) % WALK_TABLE;
}

static struct walk *find_walk(struct resolver_worker *w, const uint8_t *qname, uint16_t qtype,
                              uint8_t plane, const struct edns_subnet *subnet)
{
    struct list *bucket = &w->table[key_of(w, qname, qtype)];
    LIST_FOR (l, bucket) {
        struct walk *k = container_of(l, struct walk, bucket);
        if (k->qtype == qtype && k->plane == plane && dns_name_equal(k->qname, qname) &&
            edns_subnet_equal(&k->subnet, subnet))
            return k;
    }
    return NULL;
}

/* verdict: that it failed says something of the name, and is remembered. */
static void fail_now(struct walk *k, const char *why, bool verdict)
{
    iter_fail(k->top, DNS_EDE_NO_REACHABLE, why);
    k->top->from_memory = !verdict;
    iter_wake(k->top, ITER_FINISH);
    walk_run(k);
}

static void on_deadline(struct wheel_timer *t)
{
    struct walk *k = container_of(t, struct walk, deadline);
    uint32_t max = k->w->r->o.limits.query_ms;
    resolver_tick(k->w);
    iter_limit(k->top, LIMIT_TIME, max, max, true);
    /* While it waited for another's, part of the time went by without a question of ours. */
    fail_now(k, "no name server answered in time", !k->waits);
}

static struct walk *spare_or_new(struct resolver_worker *w)
{
    struct list *l = list_first(&w->spare);
    struct walk *k;
    if (l) {
        list_remove(l);
        w->spare_count--;
        k = container_of(l, struct walk, link);
        struct arena arena = k->arena;
        struct trace trace = k->trace;
        memset(k, 0, sizeof *k);
        k->arena = arena;
        k->trace = trace;
    } else {
        k = calloc(1, sizeof *k);
        if (!k)
            return NULL;
        arena_init(&k->arena, 16384, WALK_ARENA_MAX);
    }
    return k;
}

void walk_account(struct walk *k)
{
    size_t now = k->arena.used + k->trace.cap;
    k->w->walk_memory += now - k->memory;
    k->memory = now;
}

/* Those that are on the stack, and priming, are passed over. NULL: none has had its time. */
static struct walk *oldest(const struct resolver_worker *w)
{
    LIST_FOR (l, &w->walks) {
        struct walk *k = container_of(l, struct walk, link);
        if (w->now_us - k->started_us < RESOLVER_TURN_MS * 1000)
            break;
        if (!k->running && !k->keep)
            return k;
    }
    return NULL;
}

/* Not at once when a question comes: an answer may bring the next question of its connection. */
static void on_crowded(struct wheel_timer *t)
{
    struct resolver_worker *w = container_of(t, struct resolver_worker, crowded);
    uint32_t max = w->r->o.limits.in_flight;
    resolver_tick(w);
    for (struct walk *k; w->request_count > max && (k = oldest(w));) {
        iter_limit(k->top, LIMIT_IN_FLIGHT, w->request_count, max, true);
        fail_now(k, NULL, false);
    }
}

/* A quarter above the limit is room for what comes before the oldest give way. */
static bool has_room(struct resolver_worker *w, bool refresh)
{
    uint32_t max = w->r->o.limits.in_flight, n = w->request_count;
    if (w->walk_memory >= WORKER_MEMORY || (refresh && n >= max / 2))
        return false;
    if (n < max)
        return true;
    if (!oldest(w) || n >= max + max / 4 + 1)
        return false;
    if (!wheel_is_armed(&w->crowded))
        wheel_arm(w->wheel, &w->crowded, resolver_now_ms(w));
    return true;
}

void request_init(struct resolver_worker *w)
{
    wheel_timer_init(&w->crowded, on_crowded);
}

static void walk_release(struct walk *k)
{
    struct resolver_worker *w = k->w;
    w->walk_memory -= k->memory;
    list_remove(&k->link);
    list_remove(&k->bucket);
    arena_reset(&k->arena);
    trace_reset(&k->trace);
    if (w->spare_count < SPARE_MAX) {
        w->spare_count++;
        list_push(&w->spare, &k->link);
        return;
    }
    arena_fini(&k->arena);
    trace_fini(&k->trace);
    free(k);
}

struct walk *walk_new(struct resolver_worker *w, const uint8_t *qname, uint16_t qtype)
{
    struct walk *k = spare_or_new(w);
    if (!k)
        return NULL;
    k->w = w;
    k->qtype = qtype;
    dns_name_copy(k->qname, qname);
    k->started_us = w->now_us;
    list_init(&k->requests);
    list_init(&k->ready);
    list_init(&k->attempts);
    list_init(&k->all);
    list_init(&k->bucket);
    list_push(&w->walks, &k->link);
    wheel_timer_init(&k->deadline, on_deadline);
    trace_add(&k->trace, TRACE_START, 0, 0, k->qname, (unsigned)qtype);
    k->top = iter_new(k, NULL, k->qname, qtype, "answer");
    if (!k->top) {
        walk_release(k);
        return NULL;
    }
    wheel_arm(w->wheel, &k->deadline, resolver_now_ms(w) + w->r->o.limits.query_ms);
    return k;
}

static void record_end(struct walk *k, const struct resolver_result *res)
{
    const struct budget *b = &k->used;
    if (k->trace.lost)
        trace_add(&k->trace, TRACE_LOST, 0, walk_us(k), k->trace.lost);
    trace_add(&k->trace, TRACE_BUDGET, 0, walk_us(k), (unsigned)b->total, (unsigned)b->walk,
              (unsigned)b->ns_addr, (unsigned)b->ns_names, (unsigned)b->aliases,
              (unsigned)b->bytes);
    for (unsigned i = 0; i < res->ede_count; i++) {
        char text[256];
        snprintf(text, sizeof text, "%.*s", (int)res->ede[i].text_len, res->ede[i].text);
        trace_add(&k->trace, TRACE_EDE, 0, walk_us(k), (unsigned)res->ede[i].code, text);
    }
    trace_add(&k->trace, TRACE_ANSWER, 0, walk_us(k), (unsigned)res->rcode, res->answer_count,
              (unsigned)walk_us(k));
}

/* through: the walk has come to its result, good or bad. */
static void stop_all(struct walk *k, bool through)
{
    attempts_cancel(k);
    LIST_FOR (l, &k->all)
        nap_end(container_of(l, struct iter, all));
    wheel_disarm(k->w->wheel, &k->deadline);
    list_remove(&k->bucket);
    join_leave(k, through);
}

static void on_release(struct wheel_timer *t)
{
    walk_release(container_of(t, struct walk, deadline));
}

/* An attempt's callback may be on the stack, and the attempt lies in the arena: memory goes with
 * the next turn of the wheel. */
static void release_later(struct walk *k)
{
    list_remove(&k->link);
    list_push(&k->w->ended, &k->link);
    wheel_timer_init(&k->deadline, on_release);
    wheel_arm(k->w->wheel, &k->deadline, resolver_now_ms(k->w));
}

void walk_drop(struct walk *k)
{
    stop_all(k, false);
    release_later(k);
}

/* Takes the walk out of everything before anybody is told, so that a callback may ask again. */
void walk_end(struct walk *k)
{
    struct resolver_worker *w = k->w;
    struct iter *top = k->top;
    resolver_tick(w);
    stop_all(k, true);
    struct resolver_result res = {.rcode = top->rcode,
                                  .answer = top->answer,
                                  .answer_count = top->answer_count,
                                  .authority = top->authority,
                                  .authority_count = top->authority_count,
                                  .additional = top->additional,
                                  .additional_count = top->additional_count,
                                  .ede_count = k->ede_count,
                                  .scope = k->scope,
                                  .from_cache = !k->attempts_made && !k->waits && !top->failed};
    memcpy(res.ede, k->ede, sizeof res.ede);
    record_end(k, &res);
    res.trace = k->trace.at;
    res.trace_len = k->trace.len;
    k->running = true; /* no walk_run from a cancel inside a callback */
    for (struct list *l; (l = list_first(&k->requests));) {
        struct request *q = container_of(l, struct request, link);
        list_remove(l);
        w->request_count--;
        res.took_us = w->now_us - q->started_us;
        if (res.rcode == DNS_RCODE_SERVFAIL)
            stat_inc(w->stats, STAT_SERVFAILS);
        if (res.from_cache)
            stat_inc(w->stats, STAT_CACHED);
        resolver_done *done = q->done;
        void *arg = q->arg;
        if (q->finished)
            *q->finished = true;
        free(q);
        done(arg, &res);
    }
    if (k->attempts_made)
        release_later(k);
    else
        walk_release(k);
}

void walk_prime(struct resolver_worker *w)
{
    const struct edns_subnet none = {0};
    if (find_walk(w, dns_name_root, DNS_TYPE_NS, 0, &none))
        return;
    struct walk *k = walk_new(w, dns_name_root, DNS_TYPE_NS);
    if (!k)
        return;
    k->keep = true;
    k->top->reason = "priming";
    list_push(&w->table[key_of(w, k->qname, k->qtype)], &k->bucket);
    walk_run(k);
}

static void add_request(struct walk *k, struct request *q)
{
    q->walk = k;
    list_push(&k->requests, &q->link);
    k->w->request_count++;
}

/* Questions that are not resolved at all. */
static bool refuse(const struct resolver_ask *ask, resolver_done *done, void *arg)
{
    struct resolver_result res = {.rcode = DNS_RCODE_NOTIMP};
    bool meta = dns_type_is_meta(ask->qtype) && ask->qtype != DNS_TYPE_ANY;
    if (ask->qclass == DNS_CLASS_IN && !meta)
        return false;
    res.ede[0] = (struct edns_ede){.code = DNS_EDE_NOT_SUPPORTED};
    res.ede_count = 1;
    if (ask->qclass != DNS_CLASS_IN)
        res.rcode = DNS_RCODE_REFUSED;
    done(arg, &res);
    return true;
}

int resolver_ask(struct resolver_worker *w, const struct resolver_ask *ask, resolver_done *done,
                 void *arg, struct request **req)
{
    *req = NULL;
    bool rd = ask->flags & DNS_FLAG_RD;
    stat_inc(w->stats, STAT_REQUESTS);
    resolver_tick(w);
    if (refuse(ask, done, arg))
        return 0;
    if (!has_room(w, rd && ask->refresh)) {
        stat_inc(w->stats, STAT_REJECTED);
        return ERR_LIMIT;
    }
    struct request *q = calloc(1, sizeof *q);
    if (!q)
        return ERR_NOMEM;
    q->done = done;
    q->arg = arg;
    q->started_us = w->now_us;
    list_init(&q->link);
    uint8_t plane = ask->referral ? (uint8_t)(PLANE_VIEW + ask->view) : 0;
    struct edns_subnet subnet = subnet_of(ask);
    struct walk *k = rd ? find_walk(w, ask->qname, ask->qtype, plane, &subnet) : NULL;
    if (k) {
        add_request(k, q);
        stat_inc(w->stats, STAT_JOINED);
        *req = q;
        return 0;
    }
    k = walk_new(w, ask->qname, ask->qtype);
    if (!k) {
        free(q);
        return ERR_NOMEM;
    }
    if (ask->referral && !cut_start(k, ask)) {
        walk_drop(k);
        free(q);
        return ERR_INVALID;
    }
    k->subnet = k->seat.subnet = subnet;
    k->cache_only = !rd;
    k->refresh = rd && ask->refresh;
    add_request(k, q);
    if (rd)
        list_push(&w->table[key_of(w, ask->qname, ask->qtype)], &k->bucket);
    bool finished = false;
    q->finished = &finished;
    walk_run(k);
    if (!finished) {
        q->finished = NULL;
        *req = q;
    }
    return 0;
}

void resolver_cancel(struct resolver_worker *w, struct request *q)
{
    struct walk *k = q->walk;
    list_remove(&q->link);
    free(q);
    w->request_count--;
    stat_inc(w->stats, STAT_CANCELLED);
    if (!list_is_empty(&k->requests) || k->keep || k->running)
        return;
    walk_drop(k);
}
