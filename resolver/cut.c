/* The closest known zone cut and the addresses of its servers.
 * Delegations come from the parent's side only; addresses from authoritative data, from glue kept
 * for asking, or from the hints. A cached cut all of whose servers lie inside it and have no
 * address left is useless (RFC 1034 4.2.1: that is what glue is for): the walk starts above it
 * again. */
#include "iterate_priv.h"

#include <string.h>

#define SET_MAX 64 /* of an NS set */

void cut_begin(struct iter *it, const uint8_t *zone, const char *source, uint8_t plane)
{
    unsigned serial = it->cut.serial;
    memset(&it->cut, 0, offsetof(struct cut, ns));
    it->cut.serial = serial + 1;
    it->cut.zone = zone;
    it->cut.source = source;
    it->cut.plane = plane;
}

void cut_new_question(struct cut *c)
{
    for (unsigned i = 0; i < c->addr_count; i++) {
        struct cut_addr *a = &c->addrs[i];
        a->udp_tries = 0;
        a->out = a->silent = a->tcp_tried = a->tcp_silent = a->plain_tried = a->case_only =
            a->cookie_asked = a->untold = false;
    }
}

bool cut_add_ns(struct iter *it, const uint8_t *name)
{
    struct cut *c = &it->cut;
    unsigned max = it->walk->w->r->o.limits.ns_sample;
    for (unsigned i = 0; i < c->ns_count; i++)
        if (dns_name_equal(c->ns[i].name, name))
            return true;
    if (c->ns_count >= CUT_NS_MAX || c->ns_count >= max)
        return false;
    c->ns[c->ns_count++] = (struct cut_ns){.name = name};
    return true;
}

/* Which ones is drawn anew for each walk: a set whose first servers are dead is not dead. */
void cut_add_servers(struct iter *it, const struct dns_rrset *ns)
{
    const uint8_t *names[SET_MAX];
    unsigned n = 0, max = it->walk->w->r->o.limits.ns_sample;
    DNS_RR_FOR (rd, ns)
        if (n < SET_MAX)
            names[n++] = rd.at;
    for (unsigned i = 0; i < n; i++) {
        unsigned pick = n > max ? i + rng_below(it->walk->w->rng, n - i) : i;
        const uint8_t *name = names[pick];
        names[pick] = names[i];
        if (!cut_add_ns(it, name))
            return;
    }
}

static bool may_ask(const struct resolver_options *o, const struct addr *a)
{
    if (addr_is_bogon(a) || addr_is_any(a))
        return false;
    if (a->family == 4 ? !o->use_ipv4 : !o->use_ipv6)
        return false;
    if (addr_is_loopback(a))
        return o->ask_loopback;
    return !addr_is_private(a) || o->ask_private;
}

static void add_addr(struct iter *it, const uint8_t *ns, const struct addr *a, const char *origin)
{
    struct cut *c = &it->cut;
    for (unsigned i = 0; i < c->addr_count; i++)
        if (addr_equal(&c->addrs[i].addr, a))
            return; /* one server under many names is one server */
    if (c->addr_count < CUT_ADDRS_MAX)
        c->addrs[c->addr_count++] = (struct cut_addr){.addr = *a, .ns = ns, .origin = origin};
}

void cut_add_addr(struct iter *it, const uint8_t *ns, const uint8_t *bytes, size_t len,
                  const char *origin)
{
    const struct resolver_options *o = &it->walk->w->r->o;
    struct addr a;
    if (len != 4 && len != 16)
        return;
    a = addr_of_bytes(bytes, len, o->upstream_port);
    if (may_ask(o, &a))
        add_addr(it, ns, &a, origin);
}

void cut_add_set(struct iter *it, const uint8_t *ns, const struct dns_rrset *set,
                 const char *origin)
{
    DNS_RR_FOR (rd, set)
        cut_add_addr(it, ns, rd.at, rd.len, origin);
}

static void known_addresses(struct iter *it, struct cut_ns *ns, uint16_t type)
{
    struct cache_entry e;
    if (store_get(it, CACHE_DATA, ns->name, type, &e)) {
        cut_add_set(it, ns->name, &e.set, "cache");
        ns->asked |= type == DNS_TYPE_A ? CUT_ASKED_A : CUT_ASKED_AAAA;
    } else if (store_get(it, CACHE_GLUE, ns->name, type, &e)) {
        cut_add_set(it, ns->name, &e.set, "glue");
    }
}

static void from_hints(struct iter *it)
{
    const struct resolver *r = it->walk->w->r;
    cut_begin(it, dns_name_root, "hints", 0);
    for (unsigned i = 0; i < r->hints.count; i++) {
        const struct hints_server *h = &r->hints.servers[i];
        struct addr a = h->addr;
        a.port = a.port ? a.port : r->o.upstream_port;
        if (may_ask(&r->o, &a))
            add_addr(it, h->name, &a, "hints");
    }
}

static void from_forward(struct iter *it, uint8_t plane)
{
    const struct resolver_options *o = &it->walk->w->r->o;
    const struct resolver_forward *f = &o->forward[plane - 1];
    cut_begin(it, f->zone, "forward", plane);
    for (unsigned i = 0; i < f->server_count; i++)
        if (f->servers[i].family == 4 ? o->use_ipv4 : o->use_ipv6)
            add_addr(it, NULL, &f->servers[i], "forward"); /* named by the operator: any address */
}

bool cut_start(struct walk *k, const struct resolver_ask *ask)
{
    struct dns_msg *m = ARENA_NEW(&k->arena, struct dns_msg);
    uint8_t *copy = arena_dup(&k->arena, ask->referral, ask->referral_len);
    if (!m || !copy || dns_msg_parse(m, copy, ask->referral_len, &k->arena, REPLY_RRS_MAX))
        return false;
    for (unsigned i = 0; i < m->rr_count && !k->start; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        if (rr->section != DNS_SECTION_AUTHORITY || rr->type != DNS_TYPE_NS ||
            !dns_name_is_sub(k->qname, rr->owner))
            continue;
        k->start = m;
        k->start_zone = rr->owner;
        k->plane = (uint8_t)(PLANE_VIEW + ask->view);
    }
    return k->start != NULL;
}

/* The operator's own zone names these servers: any address. */
static void from_start(struct iter *it, uint8_t plane)
{
    const struct dns_msg *m = it->walk->start;
    const struct resolver_options *o = &it->walk->w->r->o;
    cut_begin(it, it->walk->start_zone, "our zone", plane);
    for (unsigned i = 0; i < m->rr_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        if (rr->section == DNS_SECTION_AUTHORITY && rr->type == DNS_TYPE_NS) {
            it->cut.ttl = rr->ttl;
            cut_add_ns(it, rr->rdata);
        }
        bool v4 = rr->type == DNS_TYPE_A && rr->rdlen == 4 && o->use_ipv4,
             v6 = rr->type == DNS_TYPE_AAAA && rr->rdlen == 16 && o->use_ipv6;
        if (rr->section != DNS_SECTION_ADDITIONAL || !(v4 || v6))
            continue;
        struct addr a = addr_of_bytes(rr->rdata, rr->rdlen, o->upstream_port);
        add_addr(it, rr->owner, &a, "glue");
    }
}

static bool is_useful(const struct cut *c)
{
    if (c->addr_count)
        return true;
    for (unsigned i = 0; i < c->ns_count; i++)
        if (!dns_name_is_sub(c->ns[i].name, c->zone))
            return true;
    return false;
}

static bool from_cache(struct iter *it, const uint8_t *name, uint8_t plane)
{
    struct resolver *r = it->walk->w->r;
    struct cache_entry e;
    for (;;) {
        memset(&e, 0, sizeof e);
        if (!cache_cut(r->cache, name, plane, resolver_now_s(it->walk->w), &it->walk->arena, &e))
            return false;
        cut_begin(it, e.set.owner, "cache", plane);
        it->cut.ttl = e.ttl_left;
        trace_add(&it->walk->trace, TRACE_PROBE, it->id, walk_us(it->walk), "delegation",
                  e.set.owner, (unsigned)DNS_TYPE_NS, "hit", (unsigned)e.ttl_left,
                  store_rank(CACHE_DELEGATION, e.rank));
        cut_add_servers(it, &e.set);
        for (unsigned i = 0; i < it->cut.ns_count; i++) {
            known_addresses(it, &it->cut.ns[i], DNS_TYPE_A);
            known_addresses(it, &it->cut.ns[i], DNS_TYPE_AAAA);
        }
        if (is_useful(&it->cut))
            return true;
        if (!*it->cut.zone)
            return false;
        name = dns_name_parent(it->cut.zone);
    }
}

void cut_find(struct iter *it, const uint8_t *name)
{
    uint8_t plane = store_plane(it, name);
    if (plane_is_forward(plane))
        from_forward(it, plane);
    else if (from_cache(it, name, plane))
        ;
    else if (plane)
        from_start(it, plane);
    else
        from_hints(it);
    trace_add(&it->walk->trace, TRACE_CUT, it->id, walk_us(it->walk), it->cut.zone, it->cut.source,
              (unsigned)it->cut.ttl, it->cut.ns_count, it->cut.addr_count);
}
