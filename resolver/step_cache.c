/* The steps before the network: local data, cache, closest known cut. */
#include "alias_priv.h"
#include "iterate_priv.h"
#include "local_priv.h"
#include "proof_priv.h"

#include <stdio.h>
#include <string.h>

#define PRIME_AGAIN_MS 60000

enum iter_next step_local(struct iter *it)
{
    struct walk *k = it->walk;
    struct local_answer l;
    /* Our own zone says what is below it, whatever else is said of the name. */
    if (store_plane(it, it->name) >= PLANE_VIEW ||
        !local_find(k->w->r->local, it->name, it->qtype, &k->arena, &l))
        return iter_goto(it, ITER_CACHE);
    trace_add(&k->trace, TRACE_LOCAL, it->id, walk_us(k), it->name, l.action);
    it->rcode = l.rcode;
    iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &l.soa);
    if (!iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, &l.set))
        return iter_goto(it, ITER_FINISH);
    if (l.set.type == DNS_TYPE_CNAME && it->qtype != DNS_TYPE_CNAME) {
        enum iter_next next;
        if (!alias_follow(it, l.set.rdata + 2, DNS_TYPE_CNAME, &next))
            return next;
        return iter_goto(it, ITER_LOCAL);
    }
    return iter_goto(it, ITER_FINISH);
}

static void give(struct iter *it, const struct cache_entry *e)
{
    struct dns_rrset set = e->set, sigs = e->sigs;
    set.ttl = sigs.ttl = e->ttl_left;
    iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, &set);
    iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, &sigs);
    proof_give(it, e->proof, e->proof_count, e->ttl_left);
}

static enum iter_next give_negative(struct iter *it, const struct cache_entry *e, uint16_t rcode)
{
    struct dns_rrset set = e->set, sigs = e->sigs;
    set.ttl = sigs.ttl = e->ttl_left;
    iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &set);
    iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &sigs);
    proof_give(it, e->proof, e->proof_count, e->ttl_left);
    it->rcode = rcode;
    return iter_goto(it, ITER_FINISH);
}

/* RFC 8020: nothing exists below a name that does not exist. For those who validate only as far as
 * the proof goes; who asks is not known here, as one walk serves them all. */
static bool nxdomain_above(struct iter *it, struct cache_entry *e)
{
    uint8_t plane = store_plane(it, it->name);
    for (const uint8_t *n = it->name;; n = dns_name_parent(n)) {
        if (store_plane(it, n) != plane)
            return false;
        if (store_find(it, CACHE_NXDOMAIN, n, 0, e) &&
            (n == it->name || proof_reaches(e, it->name)))
            return true;
        if (!*n)
            return false;
    }
}

static bool dname_above(struct iter *it, struct cache_entry *e)
{
    uint8_t plane = store_plane(it, it->name);
    for (const uint8_t *n = it->name; *n;) {
        n = dns_name_parent(n);
        if (store_plane(it, n) != plane)
            return false;
        if (store_find(it, CACHE_DATA, n, DNS_TYPE_DNAME, e) && e->set.count == 1)
            return true;
    }
    return false;
}

static bool remembered_failure(struct iter *it, struct cache_entry *e)
{
    return it->name == it->qname && store_get(it, CACHE_FAILURE, it->qname, it->qtype, e) &&
           e->ttl_stored - e->ttl_left < e->ttl_stored / 2;
}

static enum iter_next give_failure(struct iter *it, const struct cache_entry *e)
{
    stat_inc(it->walk->w->stats, STAT_FAILURES_CACHED);
    it->from_memory = true;
    if (!it->parent && e->ede != 0xffff) {
        char why[96];
        snprintf(why, sizeof why, "%.*s", e->set.count ? e->set.rdata[2] : 0,
                 e->set.count ? (const char *)e->set.rdata + 3 : "");
        walk_ede(it->walk, e->ede, why);
    }
    return iter_fail(it, DNS_EDE_CACHED_ERROR, "failed a moment ago");
}

enum iter_next step_cache(struct iter *it)
{
    struct cache_entry e;
    enum iter_next next;
    join_mark(it);
    if (store_find(it, CACHE_DATA, it->name, it->qtype, &e)) {
        give(it, &e);
        return iter_goto(it, ITER_FINISH);
    }
    if (it->qtype != DNS_TYPE_CNAME && it->qtype != DNS_TYPE_ANY &&
        store_find(it, CACHE_DATA, it->name, DNS_TYPE_CNAME, &e) && e.set.count == 1) {
        give(it, &e);
        if (!alias_follow(it, e.set.rdata + 2, DNS_TYPE_CNAME, &next))
            return next;
        return iter_goto(it, ITER_LOCAL);
    }
    if (store_find(it, CACHE_NODATA, it->name, it->qtype, &e))
        return give_negative(it, &e, DNS_RCODE_NOERROR);
    if (nxdomain_above(it, &e))
        return give_negative(it, &e, DNS_RCODE_NXDOMAIN);
    if (dname_above(it, &e)) {
        give(it, &e);
        if (!alias_dname(it, &e.set, &next))
            return next;
        return iter_goto(it, ITER_LOCAL);
    }
    if (remembered_failure(it, &e))
        return give_failure(it, &e);
    trace_add(&it->walk->trace, TRACE_PROBE, it->id, walk_us(it->walk), "data", it->name,
              (unsigned)it->qtype, "miss", 0u, "");
    if (it->walk->cache_only) {
        it->rcode = DNS_RCODE_REFUSED;
        walk_ede(it->walk, DNS_EDE_NOT_AUTHORITATIVE,
                 "not in the cache, and recursion not desired");
        return iter_goto(it, ITER_FINISH);
    }
    return iter_goto(it, ITER_JOIN);
}

enum iter_next step_cut(struct iter *it)
{
    struct resolver_worker *w = it->walk->w;
    const struct resolver_options *o = &w->r->o;
    const uint8_t *name = it->name;
    /* RFC 4035 3.1.4.1: DS lies at the parent's side of the cut. */
    if (it->qtype == DNS_TYPE_DS && *name && !store_plane(it, name))
        name = dns_name_parent(name);
    cut_find(it, name);
    minimise_init(&it->min, o->qname_minimisation && !plane_is_forward(it->cut.plane));
    it->sent_name = NULL;
    int64_t now = resolver_now_ms(w);
    if (o->priming && !strcmp(it->cut.source, "hints") && !it->walk->keep &&
        now - w->primed_ms >= PRIME_AGAIN_MS) {
        w->primed_ms = now;
        walk_prime(w);
    }
    return iter_goto(it, ITER_SELECT);
}
