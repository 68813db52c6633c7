/* daemon/report.c: what the server is doing, as JSON; text is made by whoever shows it. */
#include "authority/zone.h"
#include "dns/name.h"
#include "dns/text.h"
#include "resolver/cache.h"
#include "resolver/servers.h"
#include "resolver/trace.h"
#include "server_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_SHOWN_MAX 10000

/* ---- status and counters ---- */

json_t *server_report_stats(struct server *s)
{
    json_t *o = json_object();
    for (unsigned which = 0; which < WORKER_STATS; which++) {
        const struct stat_block *first =
            s->worker_count ? worker_stats(s->workers[0], which) : NULL;
        for (size_t row = 0; first && row < first->count; row++) {
            uint64_t sum = 0;
            char name[128];
            for (unsigned i = 0; i < s->worker_count; i++)
                sum += stat_get(worker_stats(s->workers[i], which), (unsigned)row);
            snprintf(name, sizeof name, "waypost_%s", first->rows[row].name);
            json_object_set_new(o, name, json_integer((json_int_t)sum));
        }
    }
    json_object_set_new(o, "waypost_control_turns_slow_total",
                        json_integer((json_int_t)atomic_load(&s->turns.slow)));
    json_object_set_new(o, "waypost_control_turn_longest_us",
                        json_integer((json_int_t)atomic_load(&s->turns.longest_us)));
    return o;
}

static json_t *report_zones(const struct snapshot *snap)
{
    unsigned loaded = 0, count = zonedb_count(snap->zones);
    uint64_t records = 0;
    json_t *failed = json_array();
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *origin;
        zonedb_listeners on;
        char text[DNS_NAME_TEXT_MAX];
        const struct zone *z = zonedb_at(snap->zones, i, &origin, &on);
        loaded += z != NULL;
        records += z ? zone_size(z).records : 0;
        dns_name_print(origin, text);
        if (!z)
            json_array_append_new(failed, json_string(text));
    }
    return json_pack("{s:i, s:i, s:I, s:o}", "count", (int)count, "loaded", (int)loaded, "records",
                     (json_int_t)records, "failed", failed);
}

static json_t *report_listeners(const struct snapshot *snap)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        char text[ADDR_TEXT_MAX];
        json_t *roles = json_array(), *protos = json_array();
        if (l->roles & ROLE_AUTHORITY)
            json_array_append_new(roles, json_string("authority"));
        if (l->roles & ROLE_RESOLVER)
            json_array_append_new(roles, json_string("resolver"));
        if (l->udp)
            json_array_append_new(protos, json_string("udp"));
        if (l->tcp)
            json_array_append_new(protos, json_string("tcp"));
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "address",
                                              addr_print_port(&l->addr, text), "name", l->name,
                                              "roles", roles, "protos", protos));
    }
    return list;
}

static json_t *report_caches(struct server *s)
{
    struct answers_usage a = answers_usage(s->shared.answers);
    struct cache_usage c = {0};
    if (s->shared.resolver)
        c = cache_usage(resolver_cache(s->shared.resolver));
    return json_pack("{s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}}", "answers", "bytes",
                     (json_int_t)a.bytes, "limit", (json_int_t)a.limit, "entries",
                     (json_int_t)a.entries, "evictions", (json_int_t)a.evictions, "records",
                     "bytes", (json_int_t)c.bytes, "limit", (json_int_t)c.limit, "entries",
                     (json_int_t)c.entries, "evictions", (json_int_t)c.evictions);
}

/* Counts, and who is down: what an operator must not miss. */
static json_t *report_health(struct server *s)
{
    const struct snapshot *snap = server_snapshot(s);
    json_t *status =
        s->health && snap->plan ? gslb_monitor_status(health_monitor(s->health)) : NULL;
    json_t *down = json_array(), *pool, *member;
    unsigned members = 0, up = 0, ordered = 0;
    size_t i, j;
    json_array_foreach(json_object_get(status, "pools"), i, pool)
    {
        json_array_foreach(json_object_get(pool, "members"), j, member)
        {
            char name[512];
            bool is_up = json_is_true(json_object_get(member, "up"));
            snprintf(name, sizeof name, "%s/%s", json_string_value(json_object_get(pool, "name")),
                     json_string_value(json_object_get(member, "name")));
            if (json_is_false(json_object_get(member, "enabled")))
                continue; /* as it is written: nobody has to look */
            members++;
            up += is_up;
            ordered += json_is_object(json_object_get(member, "forced"));
            if (!is_up)
                json_array_append_new(down, json_string(name));
        }
    }
    json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:b, s:b, s:o}", "names",
                          snap->plan ? (int)snap->plan->name_count : 0, "members", (int)members,
                          "up", (int)up, "ordered", (int)ordered, "frozen",
                          json_is_true(json_object_get(status, "frozen")), "saving",
                          !json_is_false(json_object_get(status, "saving")), "down", down);
    json_decref(status);
    return o;
}

json_t *server_report_status(struct server *s)
{
    const struct snapshot *snap = server_snapshot(s);
    return json_pack(
        "{s:i, s:i, s:s, s:I, s:i, s:{s:s?, s:I, s:I, s:b}, s:o, s:o, s:o, s:o, s:o, s:o}",
        "version", 1, "pid", (int)getpid(), "identity", snap->identity, "uptime_s",
        (json_int_t)((clock_mono_ms(s->shared.clock) - s->started_ms) / 1000), "workers",
        (int)s->worker_count, "config", "file", s->path, "generation", (json_int_t)snap->generation,
        "loaded", (json_int_t)s->loaded_s, "last_reload_failed", (int)s->last_reload_failed,
        "listeners", report_listeners(snap), "zones", report_zones(snap), "cache", report_caches(s),
        "gslb", report_health(s), "counters", server_report_stats(s), "attention",
        server_report_attention(s));
}

void server_print_status(struct server *s, FILE *out)
{
    const struct snapshot *snap = server_snapshot(s);
    json_t *zones = report_zones(snap);
    fprintf(out, "zones       %lld loaded of %lld, %lld records\n",
            (long long)json_integer_value(json_object_get(zones, "loaded")),
            (long long)json_integer_value(json_object_get(zones, "count")),
            (long long)json_integer_value(json_object_get(zones, "records")));
    json_decref(zones);
    for (unsigned i = 0; i < snap->listener_count; i++) {
        const struct snapshot_listener *l = &snap->listeners[i];
        char text[ADDR_TEXT_MAX];
        fprintf(out, "listening   %s%s%s %s%s%s\n", addr_print_port(&l->addr, text),
                l->udp ? " udp" : "", l->tcp ? " tcp" : "",
                l->roles & ROLE_AUTHORITY ? "authority" : "",
                l->roles == (ROLE_AUTHORITY | ROLE_RESOLVER) ? "+" : "",
                l->roles & ROLE_RESOLVER ? "resolver" : "");
    }
}

/* ---- what was learned ---- */

static void add_server(void *arg, const struct addr *a, const struct server_info *i)
{
    static const char *const health[] = {"unknown", "alive", "failing", "dead", "probe"};
    char text[ADDR_TEXT_MAX];
    json_array_append_new(
        arg, json_pack("{s:s, s:s, s:f, s:f, s:i, s:f, s:i, s:i, s:b, s:b}", "address",
                       addr_print_port(a, text), "health", health[i->health], "srtt_ms",
                       i->srtt_us / 1000.0, "rttvar_ms", i->var_us / 1000.0, "rto_ms",
                       (int)i->rto_ms, "loss", i->loss_permille / 1000.0, "window", (int)i->window,
                       "in_flight", (int)i->in_flight, "edns_broken", (int)i->edns_broken,
                       "case_broken", (int)i->case_broken, "cookie", i->cookie_len != 0));
}

json_t *server_report_servers(struct server *s)
{
    json_t *list = json_array();
    if (s->shared.resolver)
        servers_walk(resolver_servers(s->shared.resolver), clock_mono_ms(s->shared.clock),
                     add_server, list);
    return json_pack("{s:i, s:o}", "version", 1, "servers", list);
}

struct cache_listing {
    json_t *list;
    const uint8_t *name;
    bool subtree, more;
};

static void add_texts(json_t *list, const struct dns_rrset *set, const uint8_t *owner, uint32_t ttl)
{
    DNS_RR_FOR (rd, set) {
        struct dns_rr rr = {.owner = owner,
                            .rdata = rd.at,
                            .ttl = ttl,
                            .type = set->type,
                            .cls = DNS_CLASS_IN,
                            .rdlen = rd.len};
        size_t cap = 4u * rd.len + DNS_NAME_TEXT_MAX + 128;
        char *text = malloc(cap);
        if (text && dns_text_rr(&rr, text, cap) >= 0)
            json_array_append_new(list, json_string(text));
        free(text);
    }
}

/* Of the clients that the entry is for (RFC 7871). */
static json_t *network_text(const struct edns_subnet *s)
{
    char ip[ADDR_TEXT_MAX];
    struct addr a = addr_of_bytes(s->ip, s->family == 1 ? 4 : 16, 0);
    return json_sprintf("%s/%u", addr_print(&a, ip), s->scope);
}

static void add_cached(void *arg, const struct cache_key *k, const struct cache_entry *e)
{
    static const char *const kinds[] = {"data",       "nodata", "nxdomain",
                                        "delegation", "glue",   "failure"};
    struct cache_listing *l = arg;
    char name[DNS_NAME_TEXT_MAX], type[32];
    if (!l->subtree && !dns_name_equal(k->name, l->name))
        return;
    if (json_array_size(l->list) >= CACHE_SHOWN_MAX) {
        l->more = true;
        return;
    }
    dns_name_print(k->name, name);
    json_t *records = json_array();
    add_texts(records, &e->set, k->name, e->ttl_left);
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:o}", "name", name, "type",
                  dns_type_print(k->type, type), "kind", kinds[k->kind], "plane", (int)k->plane,
                  "ttl", (int)e->ttl_left, "rank", (int)e->rank, "records", records);
    if (entry && k->subnet)
        json_object_set_new(entry, "network", network_text(k->subnet));
    json_array_append_new(l->list, entry);
}

static int64_t cache_now(const struct server *s)
{
    return s->engine.options.ttl_follows_wall ? clock_wall_s(s->shared.clock)
                                              : clock_mono_ms(s->shared.clock) / 1000;
}

json_t *server_report_cache(struct server *s, const uint8_t *below, bool subtree)
{
    struct cache_listing l = {.list = json_array(), .name = below, .subtree = subtree};
    if (s->shared.resolver)
        cache_walk(resolver_cache(s->shared.resolver), below, cache_now(s), add_cached, &l);
    return json_pack("{s:i, s:o, s:b}", "version", 1, "entries", l.list, "more", (int)l.more);
}

/* ---- the flight recorder ---- */

struct trace_copy {
    struct recorder_entry e;
    uint8_t qname[DNS_NAME_MAX];
    uint8_t *trace;
};

struct trace_copies {
    struct trace_copy *at;
    unsigned count, cap;
};

static void copy_trace(void *arg, const struct recorder_entry *e)
{
    struct trace_copies *c = arg;
    if (!c->at || c->count == c->cap)
        return;
    struct trace_copy *t = &c->at[c->count++];
    t->e = *e;
    memcpy(t->qname, e->qname, dns_name_len(e->qname));
    t->trace = malloc(e->trace_len + 1);
    if (t->trace && e->trace_len)
        memcpy(t->trace, e->trace, e->trace_len);
    t->e.trace_len = t->trace ? e->trace_len : 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct trace_copy *x = a, *y = b;
    return (x->e.wall_s < y->e.wall_s) - (x->e.wall_s > y->e.wall_s);
}

static json_t *trace_document(const struct trace_copy *t)
{
    struct resolver_result res = {.rcode = t->e.rcode,
                                  .took_us = t->e.took_us,
                                  .trace = t->trace,
                                  .trace_len = t->e.trace_len};
    char *text = trace_json(&res, t->qname, t->e.qtype);
    json_t *doc = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (doc)
        json_object_set_new(doc, "ended", json_integer((json_int_t)t->e.wall_s));
    return doc;
}

json_t *server_report_traces(struct server *s, const uint8_t *qname, unsigned n)
{
    json_t *list = json_array();
    struct trace_copies c = {calloc((size_t)n * s->worker_count + 1, sizeof *c.at), 0, 0};
    for (unsigned i = 0; c.at && i < s->worker_count; i++) {
        struct recorder *r = worker_recorder(s->workers[i]);
        c.cap = c.count + n;
        if (r)
            recorder_find(r, qname, n, copy_trace, &c);
    }
    unsigned count = c.at ? c.count : 0;
    if (count)
        qsort(c.at, count, sizeof *c.at, newest_first); /* stable enough: seconds */
    for (unsigned i = 0; i < count; i++) {
        json_t *doc = i < n ? trace_document(&c.at[i]) : NULL;
        if (doc)
            json_array_append_new(list, doc);
        free(c.at[i].trace);
    }
    free(c.at);
    return json_pack("{s:i, s:o}", "version", 1, "traces", list);
}

/* ---- clients of steered names ---- */

static int by_network(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct gslb_seen));
}

static json_t *report_seen(const struct gslb_seen *at, unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0, next; i < count; i = next) {
        struct prefix p = {.bits = at[i].family == 4 ? 96 + 24 : 48, .family = at[i].family};
        char text[ADDR_TEXT_MAX];
        for (next = i; next < count && !by_network(&at[i], &at[next]);)
            next++;
        memcpy(p.ip, at[i].ip, sizeof p.ip);
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:b}", "network", prefix_print(&p, text),
                                        "count", (int)(next - i), "subnet", (int)at[i].subnet));
    }
    return list;
}

json_t *server_report_seen(struct server *s)
{
    struct gslb_seen *all = calloc((size_t)s->worker_count * GSLB_SEEN_MAX + 1, sizeof *all);
    unsigned count = 0;
    if (!all)
        return NULL;
    for (unsigned i = 0; i < s->worker_count; i++)
        count += gslb_tally_seen(s->tallies[i], all + count);
    qsort(all, count, sizeof *all, by_network);
    json_t *list = report_seen(all, count);
    free(all);
    return list;
}
