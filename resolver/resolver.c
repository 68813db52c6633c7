/* What all workers share, and a worker's frame. */
#include "iterate_priv.h"
#include "local_priv.h"

#include "base/diag.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_SHARDS   64
#define SERVER_ENTRIES 32768

void resolver_options_default(struct resolver_options *o)
{
    /* docs: the budget table; RFC 9520 asks for bounds on work, not for these numbers. */
    *o = (struct resolver_options){
        .limits = {.total = 120,
                   .walk = 40,
                   .ns_addr = 32,
                   .ns_names = 16,
                   .ns_names_step = 4,
                   .aliases = 11,
                   .ns_set = 20,
                   .ns_sample = 13,
                   .bytes = 131072,
                   .query_ms = 6000,
                   .steps = 4000,
                   .in_flight = 4000},
        .cache_bytes = 128u << 20,
        .ttl_min_s = 0,
        .ttl_max_s = 86400,
        .ttl_negative_max_s = 3600,
        .qname_minimisation = true,
        .case_randomisation = true,
        .priming = true,
        .harden_glue = true,
        .special_zones = true,
        .use_ipv4 = true,
        .use_ipv6 = true,
        .upstream_port = 53,
        .edns_size = 1232,
        .cookies = true,
        .refresh_percent = 10,
    };
}

void resolver_tick(struct resolver_worker *w)
{
    w->now_us = clock_mono_us(w->r->clock);
}

int64_t resolver_now_ms(const struct resolver_worker *w)
{
    return w->now_us / 1000;
}

int64_t resolver_now_s(const struct resolver_worker *w)
{
    return w->r->o.ttl_follows_wall ? clock_wall_s(w->r->clock) : w->now_us / 1000000;
}

static int copy_forward(struct resolver *r)
{
    struct resolver_forward *f =
        ARENA_ARRAY(&r->arena, struct resolver_forward, r->o.forward_count);
    if (!f)
        return ERR_NOMEM;
    for (unsigned i = 0; i < r->o.forward_count; i++) {
        const struct resolver_forward *from = &r->o.forward[i];
        f[i].zone = arena_dup(&r->arena, from->zone, dns_name_len(from->zone));
        f[i].servers =
            arena_dup(&r->arena, from->servers, from->server_count * sizeof *from->servers);
        f[i].server_count = from->server_count;
        if (!f[i].zone || !f[i].servers)
            return ERR_NOMEM;
    }
    r->o.forward = f;
    return 0;
}

int resolver_new(struct resolver **out, const struct resolver_options *o, const struct clock *clock,
                 struct diag_list *d)
{
    struct resolver *r = calloc(1, sizeof *r);
    struct rng rng;
    if (!r)
        return ERR_NOMEM;
    arena_init(&r->arena, 0, 0);
    r->o = *o;
    r->clock = clock;
    int err = rng_init(&rng);
    if (!err) {
        r->seed = rng_u64(&rng);
        rng_bytes(&rng, r->cookie_secret, sizeof r->cookie_secret);
        rng_fini(&rng);
        err = hints_read(&r->hints, o->hints_text, d);
    }
    if (!err && o->forward_count > FORWARD_MAX)
        err = ERR_LIMIT;
    if (!err)
        err = copy_forward(r);
    if (!err && !(r->local = local_new(&r->o, &r->arena)))
        err = ERR_NOMEM;
    /* Half for record sets; the other half is the answers' (tier one), whose owner is the daemon.
     */
    if (!err)
        err = cache_new(&r->cache, o->cache_bytes / 2, CACHE_SHARDS, r->seed);
    if (!err)
        err = servers_new(&r->servers, SERVER_ENTRIES, hash_mix(r->seed));
    if (!err && !(r->coalesce = coalesce_new(r->seed)))
        err = ERR_NOMEM;
    if (err) {
        resolver_free(r);
        return err;
    }
    r->o.local = NULL; /* borrowed for resolver_new only */
    r->o.hints_text = NULL;
    *out = r;
    return 0;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->cache)
        cache_free(r->cache);
    servers_free(r->servers);
    coalesce_free(r->coalesce);
    arena_fini(&r->arena);
    free(r);
}

struct cache *resolver_cache(struct resolver *r)
{
    return r->cache;
}

struct servers *resolver_servers(struct resolver *r)
{
    return r->servers;
}

int resolver_worker_new(struct resolver_worker **out, struct resolver *r, struct transport *t,
                        struct wheel *wheel, struct rng *rng, struct stat_block *stats,
                        void (*wake)(void *arg), void *wake_arg)
{
    struct resolver_worker *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NOMEM;
    w->r = r;
    w->transport = t;
    w->wheel = wheel;
    w->rng = rng;
    w->stats = stats;
    coalesce_inbox_init(&w->inbox, wake, wake_arg);
    w->primed_ms = INT64_MIN / 2;
    request_init(w);
    list_init(&w->walks);
    list_init(&w->ended);
    list_init(&w->spare);
    list_init(&w->queue);
    for (unsigned i = 0; i < WALK_TABLE; i++)
        list_init(&w->table[i]);
    *out = w;
    return 0;
}

void resolver_worker_drain(struct resolver_worker *w)
{
    join_drain(w);
}

static void free_walks(struct list *head)
{
    for (struct list *l; (l = list_first(head));) {
        struct walk *k = container_of(l, struct walk, link);
        list_remove(l);
        arena_fini(&k->arena);
        trace_fini(&k->trace);
        free(k);
    }
}

void resolver_worker_free(struct resolver_worker *w)
{
    if (!w)
        return;
    resolver_tick(w);
    wheel_disarm(w->wheel, &w->crowded);
    for (struct list *l; (l = list_first(&w->walks));) {
        struct walk *k = container_of(l, struct walk, link);
        join_leave(k, false); /* our stopping is nobody else's failure */
        iter_fail(k->top, DNS_EDE_NOT_READY, "shutting down");
        walk_ede(k, DNS_EDE_NOT_READY, "shutting down");
        walk_end(k);
    }
    LIST_FOR (l, &w->ended)
        wheel_disarm(w->wheel, &container_of(l, struct walk, link)->deadline);
    free_walks(&w->ended);
    free_walks(&w->spare);
    coalesce_inbox_fini(&w->inbox);
    free(w);
}
