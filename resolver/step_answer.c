/* A reply that ends something: aliases, data, and that there is none. */
#include "alias_priv.h"
#include "iterate_priv.h"
#include "proof_priv.h"
#include "scrub_priv.h"

#include <string.h>

struct part {
    struct dns_rrset *sets;
    unsigned count;
    bool proof_sought; /* in the authority section, once, when something needs it */
    const struct dns_rrset *proof;
    unsigned proof_count;
};

static uint8_t rank_of(const struct iter *it)
{
    return it->msg.flags & DNS_FLAG_AA ? CACHE_RANK_AA : CACHE_RANK_ANSWER;
}

/* RFC 4035 3.1.3.3: an answer that a wildcard made is nothing without its proof. */
static void find_proof(struct iter *it, struct part *p, struct cache_entry *e)
{
    if (!proof_is_needed(&e->set, &e->sigs))
        return;
    if (!p->proof_sought) {
        struct dns_rrset *beside = NULL;
        unsigned n = scrub_sets(it, DNS_SECTION_AUTHORITY, &beside);
        p->proof = proof_of_nothing(it, beside, n, &p->proof_count);
        p->proof_sought = true;
    }
    e->proof = proof_of_wildcard(it, &e->set, &e->sigs, p->proof, p->proof_count, &e->proof_count);
}

/* The set and its signatures into answer and cache. */
static void keep_set(struct iter *it, struct part *p, const struct dns_rrset *set)
{
    const struct dns_rrset *sigs = scrub_find_sigs(p->sets, p->count, set->owner, set->type);
    struct cache_entry e = {.set = *set, .rank = rank_of(it)};
    iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, set);
    if (set->type == DNS_TYPE_RRSIG) /* asked for as such: not kept, it would look complete */
        return;
    if (sigs) {
        e.sigs = *sigs;
        iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, sigs);
        find_proof(it, p, &e);
        proof_give(it, e.proof, e.proof_count, set->ttl);
    }
    store_answer(it, CACHE_DATA, set->owner, set->type, &e);
}

static bool accept_data(struct iter *it, struct part *p)
{
    bool any = false;
    for (unsigned i = 0; i < p->count; i++) {
        const struct dns_rrset *s = &p->sets[i];
        if (!dns_name_equal(s->owner, it->name))
            continue;
        if (it->qtype == DNS_TYPE_ANY ? s->type != DNS_TYPE_RRSIG : s->type == it->qtype) {
            keep_set(it, p, s);
            any = true;
        }
    }
    return any;
}

static const struct dns_rrset *dname_over(const struct iter *it, const struct part *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->sets[i].type == DNS_TYPE_DNAME && !dns_name_equal(p->sets[i].owner, it->name) &&
            dns_name_is_sub(it->name, p->sets[i].owner))
            return &p->sets[i];
    return NULL;
}

/* One link of the chain in this reply. False: no further one; *next is set when it ended the
 * resolution. */
static bool one_link(struct iter *it, struct part *p, bool *ended, enum iter_next *next)
{
    const struct dns_rrset *dname = dname_over(it, p);
    *ended = false;
    if (dname) { /* RFC 6672 3.4: what it means is made here, not taken from the reply */
        keep_set(it, p, dname);
        *ended = !alias_dname(it, dname, next);
        return !*ended;
    }
    const struct dns_rrset *set = scrub_find(p->sets, p->count, it->name, DNS_TYPE_CNAME);
    if (!set)
        return false;
    keep_set(it, p, set);
    *ended = !alias_follow(it, set->rdata + 2, DNS_TYPE_CNAME, next);
    return !*ended;
}

/* Follows the chain inside this reply as far as the server may speak; what lies beyond is asked
 * anew, from the cache on. */
enum iter_next step_alias(struct iter *it)
{
    struct part p = {0};
    enum iter_next next = ITER_AGAIN;
    bool ended = false;
    const uint8_t *from = it->name;
    p.count = scrub_sets(it, DNS_SECTION_ANSWER, &p.sets);
    for (;;) {
        if (it->name != from && accept_data(it, &p))
            return iter_goto(it, ITER_FINISH);
        if (!one_link(it, &p, &ended, &next))
            break;
    }
    if (ended)
        return next;
    if (it->name == from) { /* the alias did not survive the scrubbing */
        it->class = CLASS_LAME;
        return iter_goto(it, ITER_LAME);
    }
    return iter_goto(it, ITER_LOCAL);
}

/* The root's own NS set: its servers from now on, with the addresses beside it (RFC 8109). */
static void store_primed(struct iter *it, const struct part *p)
{
    const struct dns_rrset *ns = scrub_find(p->sets, p->count, dns_name_root, DNS_TYPE_NS);
    struct part more = {0};
    if (!ns)
        return;
    store_set(it, CACHE_DELEGATION, dns_name_root, DNS_TYPE_NS, ns, NULL, CACHE_RANK_REFERRAL);
    more.count = scrub_sets(it, DNS_SECTION_ADDITIONAL, &more.sets);
    for (unsigned i = 0; i < more.count; i++) {
        const struct dns_rrset *s = &more.sets[i];
        if (s->type != DNS_TYPE_A && s->type != DNS_TYPE_AAAA)
            continue;
        DNS_RR_FOR (rd, ns)
            if (dns_name_equal(rd.at, s->owner))
                store_set(it, CACHE_GLUE, s->owner, s->type, s, NULL, CACHE_RANK_GLUE);
    }
}

enum iter_next step_answer(struct iter *it)
{
    struct part p = {0};
    p.count = scrub_sets(it, DNS_SECTION_ANSWER, &p.sets);
    if (!accept_data(it, &p)) {
        it->class = CLASS_LAME;
        return iter_goto(it, ITER_LAME);
    }
    if (!*it->name && it->qtype == DNS_TYPE_NS && !it->cut.plane)
        store_primed(it, &p);
    it->rcode = DNS_RCODE_NOERROR;
    return iter_goto(it, ITER_FINISH);
}

enum iter_next step_negative(struct iter *it)
{
    struct dns_rrset *sets = NULL, soa = {0};
    struct cache_entry e = {.rank = rank_of(it)};
    unsigned n = scrub_sets(it, DNS_SECTION_AUTHORITY, &sets);
    bool nx = it->class == CLASS_NXDOMAIN;
    const struct dns_rrset *sigs = NULL;
    for (unsigned i = 0; i < n && !soa.count; i++)
        if (sets[i].type == DNS_TYPE_SOA && dns_name_is_sub(it->name, sets[i].owner)) {
            soa = sets[i];
            sigs = scrub_find_sigs(sets, n, soa.owner, DNS_TYPE_SOA);
        }
    bool cached = store_negative_ttl(it, &soa); /* RFC 2308 5: without SOA it is not cached */
    iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &soa);
    if (sigs) {
        e.sigs = *sigs;
        e.sigs.ttl = soa.ttl;
        iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &e.sigs);
    }
    e.set = soa;
    e.proof = proof_of_nothing(it, sets, n, &e.proof_count);
    proof_give(it, e.proof, e.proof_count, soa.ttl);
    if (cached)
        store_answer(it, nx ? CACHE_NXDOMAIN : CACHE_NODATA, it->name, nx ? 0 : it->qtype, &e);
    it->rcode = nx ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
    return iter_goto(it, ITER_FINISH);
}
