/* What goes into the record cache, for how long, and how failures are remembered there.
 * A failure of RFC 9520 is stored for twice its interval and counts only during the first half: who
 * fails again during the second half finds the last interval, and doubles it. */
#include "iterate_priv.h"

#include <string.h>

#define FAILURE_MIN_S    5
#define FAILURE_MAX_S    300
#define WHY_MAX          90    /* octets of a remembered reason */
#define DELEGATION_MAX_S 86400 /* ghost domains: a parent is asked again once a day */

uint8_t store_plane(const struct iter *it, const uint8_t *name)
{
    const struct resolver_options *o = &it->walk->w->r->o;
    unsigned best = 0, labels = 0;
    for (unsigned i = 0; i < o->forward_count; i++) {
        unsigned n = dns_name_labels(o->forward[i].zone);
        if (dns_name_is_sub(name, o->forward[i].zone) && (!best || n > labels)) {
            best = i + 1;
            labels = n;
        }
    }
    const struct walk *k = it->walk;
    if (k->plane && dns_name_is_sub(name, k->start_zone) &&
        (!best || labels < dns_name_labels(k->start_zone)))
        return k->plane;
    return (uint8_t)best;
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"data",       "nodata", "nxdomain",
                                        "delegation", "glue",   "failure"};
    return kind < 6 ? names[kind] : "?";
}

/* What says so, for the trace. */
const char *store_rank(uint8_t kind, uint8_t rank)
{
    static const char *const names[] = {"glue",      "referral", "additional",
                                        "authority", "answer",   "authoritative answer"};
    return kind != CACHE_FAILURE && rank < 6 ? names[rank] : "";
}

/* A refresh is for the records that make the answer, not for those that lead to it. */
static bool is_refreshed(const struct iter *it, uint8_t kind, const uint8_t *name,
                         const struct cache_entry *e)
{
    if (!it->walk->refresh || it->parent || kind == CACHE_DELEGATION || kind == CACHE_GLUE ||
        kind == CACHE_FAILURE || (kind == CACHE_DATA && !dns_name_equal(name, it->name)))
        return false;
    return (uint64_t)e->ttl_left * 100 <
           (uint64_t)e->ttl_stored * it->walk->w->r->o.refresh_percent;
}

/* told: of everybody's entries only those that came when a network was told. */
static bool get(struct iter *it, const struct cache_key *key, bool told, struct cache_entry *e)
{
    struct resolver *r = it->walk->w->r;
    memset(e, 0, sizeof *e);
    bool hit = cache_get(r->cache, key, resolver_now_s(it->walk->w), &it->walk->arena, e);
    if (hit && ((told && !e->told) || is_refreshed(it, key->kind, key->name, e))) {
        memset(e, 0, sizeof *e);
        hit = false;
    }
    if (hit)
        trace_add(&it->walk->trace, TRACE_PROBE, it->id, walk_us(it->walk), kind_name(key->kind),
                  key->name, (unsigned)key->type, "hit", (unsigned)e->ttl_left,
                  store_rank(key->kind, e->rank));
    return hit;
}

bool store_get(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
               struct cache_entry *e)
{
    struct cache_key key = {
        .name = name, .type = type, .kind = kind, .plane = store_plane(it, name)};
    return get(it, &key, false, e);
}

/* The client's own question, and it tells the client's network. */
static bool is_of_subnet(const struct iter *it)
{
    return it->walk->subnet.family && !it->parent;
}

/* What came without a network may have been made for ours: who tells one has to ask. */
bool store_find(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                struct cache_entry *e)
{
    struct walk *k = it->walk;
    struct cache_key key = {
        .name = name, .type = type, .kind = kind, .plane = store_plane(it, name)};
    if (!is_of_subnet(it))
        return get(it, &key, false, e);
    key.subnet = &k->subnet;
    if (!get(it, &key, false, e)) {
        key.subnet = NULL;
        if (!get(it, &key, true, e))
            return false;
    }
    k->scope = e->scope > k->scope ? e->scope : k->scope;
    return true;
}

static uint32_t clamp_ttl(const struct resolver_options *o, uint8_t kind, uint32_t ttl)
{
    uint32_t max = o->ttl_max_s;
    if ((kind == CACHE_NODATA || kind == CACHE_NXDOMAIN) && o->ttl_negative_max_s < max)
        max = o->ttl_negative_max_s;
    if (kind == CACHE_DELEGATION && max > DELEGATION_MAX_S)
        max = DELEGATION_MAX_S;
    if (kind != CACHE_DELEGATION && kind != CACHE_FAILURE && ttl < o->ttl_min_s)
        ttl = o->ttl_min_s;
    return ttl > max ? max : ttl;
}

static void put(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                const struct edns_subnet *subnet, struct cache_entry *e)
{
    struct resolver *r = it->walk->w->r;
    struct cache_key key = {
        .name = name, .type = type, .kind = kind, .plane = store_plane(it, name), .subnet = subnet};
    if (it->from) {
        memcpy(e->origin.ip, it->from->t.server.ip, 16);
        e->origin.port = it->from->t.server.port;
    }
    int err = e->ttl_stored ? cache_put(r->cache, &key, resolver_now_s(it->walk->w), e) : ERR_RANGE;
    trace_add(&it->walk->trace, TRACE_WRITE, it->id, walk_us(it->walk), it->hop, kind_name(kind),
              name, (unsigned)type, (unsigned)e->ttl_stored, store_rank(kind, e->rank),
              !err                ? "stored"
              : err == ERR_EXISTS ? "kept better"
              : err == ERR_RANGE  ? "ttl 0"
                                  : "not stored");
}

static void put_proven(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                       const struct edns_subnet *subnet, struct cache_entry *e)
{
    if (type && dns_type_is_meta(type)) /* 0: the whole name (NXDOMAIN) */
        return;
    uint32_t ttl = e->set.ttl;
    for (unsigned i = 0; i < e->proof_count; i++) /* RFC 4035 4.5: they go together */
        if (e->proof[i].ttl < ttl)
            ttl = e->proof[i].ttl;
    e->ede = 0xffff;
    e->ttl_stored = e->ttl_left = e->set.ttl = clamp_ttl(&it->walk->w->r->o, kind, ttl);
    e->sigs.ttl = e->set.ttl;
    put(it, kind, name, type, subnet, e);
}

void store_answer(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                  struct cache_entry *e)
{
    struct edns_subnet net = it->walk->subnet;
    net.scope = it->scope;
    e->told = is_of_subnet(it);
    put_proven(it, kind, name, type, e->told && it->scope ? &net : NULL, e);
}

void store_set(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
               const struct dns_rrset *set, const struct dns_rrset *sigs, uint8_t rank)
{
    struct cache_entry e = {.set = *set, .rank = rank};
    if (sigs)
        e.sigs = *sigs;
    put_proven(it, kind, name, type, NULL, &e);
}

/* RFC 2308 5: the lesser of the SOA's TTL and its MINIMUM; also what the client is told (3). */
uint32_t store_negative_ttl(struct iter *it, struct dns_rrset *soa)
{
    if (!soa->count || soa->size < 2 + 20)
        return 0;
    const uint8_t *p = soa->rdata;
    struct dns_rd rd = dns_rd_next(&p);
    if (rd.len < 22)
        return 0;
    uint32_t minimum = get_u32(rd.at + rd.len - 4);
    soa->ttl = clamp_ttl(&it->walk->w->r->o, CACHE_NODATA, soa->ttl < minimum ? soa->ttl : minimum);
    return soa->ttl;
}

void store_failure(struct iter *it)
{
    struct cache_entry e, old;
    struct resolver *r = it->walk->w->r;
    struct cache_key key = {.name = it->qname,
                            .type = it->qtype,
                            .kind = CACHE_FAILURE,
                            .plane = store_plane(it, it->qname)};
    memset(&e, 0, sizeof e);
    memset(&old, 0, sizeof old);
    uint32_t interval = FAILURE_MIN_S;
    if (it->walk->cache_only)
        return;
    if (cache_get(r->cache, &key, resolver_now_s(it->walk->w), &it->walk->arena, &old))
        interval = old.ttl_stored < FAILURE_MAX_S ? old.ttl_stored : FAILURE_MAX_S;
    e.ttl_stored = e.ttl_left = 2 * interval;
    e.rcode = DNS_RCODE_SERVFAIL;
    e.ede = it->fail ? it->fail_code : it->walk->ede_count ? it->walk->ede[0].code : 0xffff;
    const struct edns_ede *said = it->walk->ede_count ? &it->walk->ede[0] : NULL;
    uint8_t why[3 + WHY_MAX]; /* one character-string */
    size_t len = it->fail ? strlen(it->fail) : said ? said->text_len : 0;
    len = len > WHY_MAX ? WHY_MAX : len;
    put_u16(why, (uint16_t)(len + 1));
    why[2] = (uint8_t)len;
    if (len)
        memcpy(why + 3, it->fail ? it->fail : said->text, len);
    e.set = (struct dns_rrset){.owner = it->qname,
                               .rdata = why,
                               .size = (uint32_t)len + 3,
                               .type = DNS_TYPE_TXT,
                               .cls = DNS_CLASS_IN,
                               .count = 1};
    put(it, CACHE_FAILURE, it->qname, it->qtype, NULL, &e);
}
