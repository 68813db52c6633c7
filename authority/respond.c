/* authority/respond.c: RFC 1034 4.3.2, one function per outcome. */
#include "authority/respond.h"

#include "denial_priv.h"
#include "dns/name.h"
#include "dns/rdata.h"

#define CHAIN_MAX      11 /* aliases followed inside our zones */
#define ADDITIONAL_MAX 16 /* names whose addresses are added */
#define ANY_TTL        3600
#define PROOF_MAX      16 /* denial records of one answer */

struct respond {
    const struct authority_ask *ask;
    struct dns_writer *w;
    struct authority_out *out;
    const struct zone *zone;
    const struct authority_ahead *ahead; /* of the name looked for now, or NULL */
    bool dnssec;
    bool tc;
    uint8_t scope; /* widest that holds for all sets written */
    uint16_t flags;
    uint16_t why_code;
    const char *why; /* for the answer's OPT, or NULL */
    uint8_t *buf;
    uint16_t answered; /* type of the last set in the answer section */
    unsigned alias_count;
    uint8_t alias[CHAIN_MAX][DNS_NAME_MAX];   /* owners of the aliases followed */
    const struct zone_node *dname[CHAIN_MAX]; /* of each the DNAME it came from, or NULL */
    uint8_t name[DNS_NAME_MAX]; /* what is looked for now: the question, then each alias's target */
    unsigned proof_count, proof_written;
    struct {
        const struct zone *zone;
        const struct zone_node *node;
    } proof[PROOF_MAX];
    unsigned extra_count;
    const uint8_t *extra[ADDITIONAL_MAX];
};

/* ---- writing ---- */

static void note_extra(struct respond *r, const struct dns_rrset *set)
{
    DNS_RR_FOR (rd, set) {
        const uint8_t *target = dns_rdata_target(set->type, rd.at, rd.len);
        bool service = set->type == DNS_TYPE_SVCB || set->type == DNS_TYPE_HTTPS;
        if (target && !*target && service && get_u16(rd.at))
            target = r->name; /* RFC 9460 2.5.2: "." is the owner itself */
        if (target && *target && r->extra_count < ADDITIONAL_MAX)
            r->extra[r->extra_count++] = target;
    }
}

/* RFC 2181 5.5: no set twice in a message. An alias's target has become the name by then. */
static bool is_answered(const struct respond *r, const uint8_t *name, uint16_t type)
{
    return r->answered == type && dns_name_equal(name, r->name);
}

/* A set with its signatures. False: it did not fit. */
static bool put_set(struct respond *r, enum dns_section section, const struct zone_node *n,
                    const struct dns_rrset *set, const uint8_t *owner, uint32_t ttl)
{
    struct dns_rrset sigs;
    if (dns_writer_rrset(r->w, section, set, owner, ttl, 0))
        return false;
    if (r->dnssec && n && zone_node_get(r->zone, n, DNS_TYPE_RRSIG, set->type, &sigs))
        return !dns_writer_rrset(r->w, section, &sigs, owner, ttl, 0);
    return true;
}

static void put_answer(struct respond *r, const struct zone_node *n, const struct dns_rrset *set,
                       const uint8_t *owner)
{
    r->answered = set->type;
    if (!put_set(r, DNS_SECTION_ANSWER, n, set, owner, set->ttl))
        r->tc = true;
    else
        note_extra(r, set);
}

static void put_soa(struct respond *r, uint32_t ttl_max)
{
    uint32_t ttl = r->zone->negative_ttl < ttl_max ? r->zone->negative_ttl : ttl_max;
    struct dns_rrset soa;
    const struct zone_node *apex = zone_apex(r->zone);
    if (zone_node_get(r->zone, apex, DNS_TYPE_SOA, 0, &soa) &&
        !put_set(r, DNS_SECTION_AUTHORITY, apex, &soa, apex->name, ttl))
        r->tc = true;
}

/* The records that prove what is denied, each once in a whole answer. They are written later: an
 * alias may go on, and its answers come first. */
static void note_denial(struct respond *r, enum denial_of what, const struct zone_node *node,
                        const struct zone_node *encloser)
{
    struct denial d;
    if (!r->dnssec || !r->zone->denial)
        return;
    denial_find(r->zone, what, r->name, node, encloser, &d);
    for (unsigned i = 0; i < d.count; i++) {
        bool twin = false;
        for (unsigned j = 0; j < r->proof_count; j++)
            twin = twin || r->proof[j].node == d.nodes[i];
        if (twin || r->proof_count == PROOF_MAX)
            continue;
        r->proof[r->proof_count].zone = r->zone;
        r->proof[r->proof_count++].node = d.nodes[i];
    }
}

static void put_proofs(struct respond *r)
{
    const struct zone *here = r->zone;
    for (; r->proof_written < r->proof_count; r->proof_written++) {
        const struct zone_node *n = r->proof[r->proof_written].node;
        struct dns_rrset set;
        r->zone = r->proof[r->proof_written].zone;
        if (zone_node_get(r->zone, n, r->zone->denial, 0, &set) &&
            !put_set(r, DNS_SECTION_AUTHORITY, n, &set, n->name, set.ttl))
            r->tc = true;
    }
    r->zone = here;
}

/* Addresses of a name, from any of our zones on this listener; below a cut only as glue of that
 * referral. Those of a steered name are left out: they hold for other clients than the answer. */
static bool put_addresses(struct respond *r, const uint8_t *name, bool referral)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
    bool failed, fits = true;
    const struct zone *here = r->zone;
    const struct zone *z = referral && dns_name_is_sub(name, here->origin)
                               ? here
                               : zonedb_find(r->ask->db, name, r->ask->listener, &failed);
    const struct zone_node *n = z ? zone_find(z, name) : NULL;
    if (!n || zone_reach(n)->dynamic || (zone_reach(n)->cut && !referral))
        return true;
    r->zone = z;
    for (unsigned i = 0; i < 2; i++) {
        struct dns_rrset set;
        if (!is_answered(r, n->name, types[i]) && zone_node_get(z, n, types[i], 0, &set))
            fits = put_set(r, DNS_SECTION_ADDITIONAL, n, &set, n->name, set.ttl) && fits;
    }
    r->zone = here;
    return fits;
}

static void put_extra(struct respond *r)
{
    for (unsigned i = 0; i < r->extra_count; i++) {
        bool twin = false;
        for (unsigned j = 0; j < i; j++)
            twin = twin || dns_name_equal(r->extra[i], r->extra[j]);
        if (!twin)
            put_addresses(r, r->extra[i], false);
    }
}

/* RFC 9471: all glue; that of servers inside the zone comes first, and is missed with TC. */
static void put_glue(struct respond *r, const struct dns_rrset *ns)
{
    for (int inside = 1; inside >= 0; inside--)
        DNS_RR_FOR (rd, ns)
            if (dns_name_is_sub(rd.at, ns->owner) == inside && !put_addresses(r, rd.at, true))
                r->tc = r->tc || inside;
}

static void put_apex_ns(struct respond *r)
{
    struct dns_rrset ns;
    const struct zone_node *apex = zone_apex(r->zone);
    if (!r->ask->minimal && !is_answered(r, apex->name, DNS_TYPE_NS) &&
        zone_node_get(r->zone, apex, DNS_TYPE_NS, 0, &ns) &&
        put_set(r, DNS_SECTION_AUTHORITY, apex, &ns, apex->name, ns.ttl))
        note_extra(r, &ns);
}

/* ---- outcomes ---- */

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FOLLOW,
    OUTCOME_REFERRAL,
    OUTCOME_BROKEN, /* aliases that were not followed to their end */
    OUTCOME_ERROR,  /* an rcode, and no records */
    OUTCOME_STATIC  /* not steered: go on with the zone's own records */
};

static enum outcome answer_referral(struct respond *r, const struct zone_node *cut)
{
    struct dns_rrset ns, ds;
    zone_node_get(r->zone, cut, DNS_TYPE_NS, 0, &ns);
    if (dns_writer_rrset(r->w, DNS_SECTION_AUTHORITY, &ns, cut->name, ns.ttl, 0))
        r->tc = true;
    if (zone_node_get(r->zone, cut, DNS_TYPE_DS, 0, &ds))
        r->tc =
            (r->dnssec && !put_set(r, DNS_SECTION_AUTHORITY, cut, &ds, cut->name, ds.ttl)) || r->tc;
    else
        note_denial(r, DENIAL_TYPE, cut, NULL); /* there is no DS */
    put_proofs(r);
    put_glue(r, &ns);
    return OUTCOME_REFERRAL;
}

static void answer_negative(struct respond *r, uint16_t rcode, uint32_t ttl_max)
{
    r->out->rcode = rcode;
    put_soa(r, ttl_max);
}

/* The zone for the name; for DS the zone above its apex, when that is ours. */
static const struct zone *find_zone(const struct authority_ask *ask, const uint8_t *name,
                                    bool *failed)
{
    const struct zone *z = zonedb_find(ask->db, name, ask->listener, failed);
    if (z && ask->query->qtype == DNS_TYPE_DS && *name && dns_name_equal(z->origin, name)) {
        bool up_failed;
        const struct zone *up =
            zonedb_find(ask->db, dns_name_parent(name), ask->listener, &up_failed);
        *failed = up_failed; /* the child's "no DS" would be taken for the parent's */
        if (up || up_failed)
            return up;
    }
    return z;
}

/* The name is an alias of target, which is looked for next; a loop ends where it closes. */
static enum outcome follow_alias(struct respond *r, const struct zone_node *dname,
                                 const uint8_t *target)
{
    if (r->tc || r->alias_count == CHAIN_MAX)
        return OUTCOME_BROKEN; /* what there is so far; the client goes on */
    r->dname[r->alias_count] = dname;
    dns_name_copy(r->alias[r->alias_count++], r->name);
    dns_name_copy(r->name, target);
    for (unsigned i = 0; i < r->alias_count; i++)
        if (dns_name_equal(r->alias[i], target))
            return OUTCOME_BROKEN;
    return OUTCOME_FOLLOW;
}

static enum outcome answer_alias(struct respond *r, const struct zone_node *n,
                                 const struct dns_rrset *cname, const uint8_t *owner)
{
    put_answer(r, n, cname, owner);
    return follow_alias(r, NULL, cname->rdata + 2);
}

/* RFC 8482 4.1: ANY gets one set, whichever it is; RRSIG one set of signatures. */
static bool answer_any(struct respond *r, const struct zone_node *n, const uint8_t *owner,
                       bool sigs)
{
    struct dns_rrset set;
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set);) {
        bool aside = set.type == DNS_TYPE_NSEC || set.type == DNS_TYPE_NSEC3;
        if (sigs ? set.type != DNS_TYPE_RRSIG : aside || set.type == DNS_TYPE_RRSIG)
            continue;
        set.ttl = set.ttl < ANY_TTL ? set.ttl : ANY_TTL;
        put_answer(r, sigs ? NULL : n, &set, owner);
        return true;
    }
    return false;
}

/* What the zone alone says of a name, steered or not: its proofs, keys and signatures. */
static bool is_never_steered(uint16_t type)
{
    switch (type) {
    case DNS_TYPE_SIG:
    case DNS_TYPE_KEY:
    case DNS_TYPE_DS:
    case DNS_TYPE_RRSIG:
    case DNS_TYPE_NSEC:
    case DNS_TYPE_DNSKEY:
    case DNS_TYPE_NSEC3:
    case DNS_TYPE_NSEC3PARAM:
    case DNS_TYPE_CDS:
    case DNS_TYPE_CDNSKEY:
        return true;
    default:
        return false;
    }
}

/* One scope cannot speak for an alias and for its target (RFC 7871 7.2.1), so the client asks again
 * for the target. Where the resolver completes the answer nobody would: a target of the world is
 * its, and one of ours is followed when no scope was asked for. */
static enum outcome leave_alias(struct respond *r, const uint8_t *target)
{
    bool failed;
    if (!r->ask->completes)
        return OUTCOME_DONE;
    if (r->ask->query->edns.subnet.family && (find_zone(r->ask, target, &failed) || failed))
        return OUTCOME_DONE;
    return follow_alias(r, NULL, target);
}

static enum outcome answer_chosen(struct respond *r, const struct dynamic_answer *chosen,
                                  const uint8_t *owner)
{
    uint16_t qtype = r->ask->query->qtype;
    struct dns_rrset set = chosen->set;
    set.cls = DNS_CLASS_IN;
    set.ttl = qtype == DNS_TYPE_ANY && chosen->ttl > ANY_TTL ? ANY_TTL : chosen->ttl;
    put_answer(r, NULL, &set, owner);
    if (set.type == DNS_TYPE_CNAME && qtype != DNS_TYPE_CNAME && qtype != DNS_TYPE_ANY)
        return leave_alias(r, set.rdata + 2);
    return OUTCOME_DONE;
}

/* Has the zone itself something to answer this with? */
static bool has_own(const struct respond *r, const struct zone_node *n, uint16_t qtype)
{
    struct dns_rrset set;
    return qtype == DNS_TYPE_ANY ? n->set_count != 0
                                 : zone_node_get(r->zone, n, qtype, 0, &set) ||
                                       zone_node_get(r->zone, n, DNS_TYPE_CNAME, 0, &set);
}

/* As answer_node, for what is decided now; STATIC: the zone's own records are the answer. */
static enum outcome answer_steered(struct respond *r, const struct zone_node *n,
                                   const uint8_t *owner, const struct zone_node *encloser)
{
    const struct dns_query *q = r->ask->query;
    struct dynamic_ask ask = {.id = zone_reach(n)->dynamic - 1,
                              .owner = n->name,
                              .qname = owner,
                              .qtype = q->qtype,
                              .client = r->ask->client,
                              .subnet = &q->edns.subnet,
                              .again = r->ask->again,
                              .explain = q->edns.present && q->edns.explain};
    struct dynamic_answer chosen = {.verdict = DYNAMIC_STATIC};
    r->ask->dynamic->decide(r->ask->dynamic, &ask, &chosen);
    r->scope = chosen.scope > r->scope ? chosen.scope : r->scope;
    r->why = chosen.why;
    r->why_code = DNS_EDE_OTHER;
    switch (chosen.verdict) {
    case DYNAMIC_SET:
        return answer_chosen(r, &chosen, owner);
    case DYNAMIC_NODATA:
        answer_negative(r, DNS_RCODE_NOERROR, chosen.ttl);
        note_denial(r, encloser ? DENIAL_WILDCARD_TYPE : DENIAL_TYPE, n, encloser);
        return OUTCOME_DONE;
    case DYNAMIC_REFUSED:
        r->out->rcode = DNS_RCODE_REFUSED;
        return OUTCOME_ERROR;
    case DYNAMIC_FAILED:
        if (has_own(r, n, q->qtype))
            break;
        r->out->rcode = DNS_RCODE_SERVFAIL;
        return OUTCOME_ERROR;
    case DYNAMIC_STATIC:
        break;
    }
    return OUTCOME_STATIC;
}

/* The node for the name was found, or (encloser is set) the wildcard that stands for it: `owner` is
 * what the answer is owned by. */
static enum outcome answer_node(struct respond *r, const struct zone_node *n, const uint8_t *owner,
                                const struct zone_node *encloser)
{
    struct dns_rrset set;
    uint16_t qtype = r->ask->query->qtype;
    bool many = qtype == DNS_TYPE_ANY || qtype == DNS_TYPE_RRSIG, found;
    if (zone_reach(n)->dynamic && r->ask->dynamic && !is_never_steered(qtype)) {
        enum outcome steered = answer_steered(r, n, owner, encloser);
        if (steered != OUTCOME_STATIC)
            return steered;
    }
    if (many)
        found = answer_any(r, n, owner, qtype == DNS_TYPE_RRSIG);
    else if ((found = zone_node_get(r->zone, n, qtype, 0, &set)))
        put_answer(r, n, &set, owner);
    bool alias = !found && zone_node_get(r->zone, n, DNS_TYPE_CNAME, 0, &set);
    if ((found || alias) && encloser)
        note_denial(r, DENIAL_CLOSER, n, encloser);
    if (alias) /* RRSIG, NSEC and KEY may be beside it (RFC 2181 10.1): they went first */
        return answer_alias(r, n, &set, owner);
    if (found)
        return OUTCOME_DONE;
    answer_negative(r, DNS_RCODE_NOERROR, UINT32_MAX);
    note_denial(r, encloser ? DENIAL_WILDCARD_TYPE : DENIAL_TYPE, n, encloser);
    return OUTCOME_DONE;
}

/* RFC 6672 3.1: the suffix changes, a CNAME is made for those who know no DNAME. */
static enum outcome answer_dname(struct respond *r, const struct zone_node *n)
{
    struct dns_rrset dname;
    uint8_t target[DNS_NAME_MAX], rdata[2 + DNS_NAME_MAX], owner[DNS_NAME_MAX];
    bool twin = false;
    zone_node_get(r->zone, n, DNS_TYPE_DNAME, 0, &dname);
    for (unsigned i = 0; i < r->alias_count; i++)
        twin = twin || r->dname[i] == n;
    if (!twin)
        put_answer(r, n, &dname, n->name);
    size_t prefix = dns_name_len(r->name) - dns_name_len(n->name);
    int len = dns_name_join(target, r->name, prefix, dname.rdata + 2);
    if (len < 0) {
        r->out->rcode = DNS_RCODE_YXDOMAIN;
        return OUTCOME_DONE;
    }
    put_u16(rdata, (uint16_t)len);
    memcpy(rdata + 2, target, (size_t)len);
    dns_name_copy(owner, r->name);
    struct dns_rrset cname = {.owner = owner,
                              .rdata = rdata,
                              .size = (uint32_t)len + 2,
                              .ttl = dname.ttl,
                              .type = DNS_TYPE_CNAME,
                              .cls = DNS_CLASS_IN,
                              .count = 1};
    if (dns_writer_rrset(r->w, DNS_SECTION_ANSWER, &cname, owner, cname.ttl, 0))
        r->tc = true;
    if (r->ask->query->qtype == DNS_TYPE_CNAME)
        return OUTCOME_DONE;
    return follow_alias(r, n, target);
}

/* No such name: wildcard or NXDOMAIN (RFC 4592). */
static enum outcome answer_missing(struct respond *r, const struct zone_node *encloser)
{
    /* NS there delegate nothing: they are data like any other (RFC 4592 4.2 leaves it open) */
    if (encloser->has_wild)
        return answer_node(r, zone_wild(r->zone, encloser), r->name, encloser);
    answer_negative(r, DNS_RCODE_NXDOMAIN, UINT32_MAX);
    note_denial(r, DENIAL_NAME, NULL, encloser);
    return OUTCOME_DONE;
}

/* One name in one zone. */
static enum outcome answer_name(struct respond *r)
{
    const struct zone *z = r->zone;
    struct dns_rrset set;
    const struct zone_node *exact =
        r->ahead ? zone_find_ahead(r->ahead, r->ask->query) : zone_find(z, r->name);
    r->ahead = NULL;
    const struct zone_node *n = exact ? exact : zone_encloser(z, r->name);
    if (n->hash_only) { /* RFC 5155 7.2.8 */
        exact = NULL;
        n = zone_apex(z);
    }
    const struct zone_reach *reach = zone_reach(n);
    if (reach->cut) {
        const struct zone_node *cut = zone_at(z, reach->cut);
        /* RFC 4035 3.1.4.1: DS is answered by the parent side */
        if (exact != cut || r->ask->query->qtype != DNS_TYPE_DS)
            return answer_referral(r, cut);
    }
    if (reach->dname)
        return answer_dname(r, zone_at(z, reach->dname));
    if (!exact && zone_node_get(z, n, DNS_TYPE_DNAME, 0, &set))
        return answer_dname(r, n);
    return exact ? answer_node(r, exact, r->name, NULL) : answer_missing(r, n);
}

/* ---- the whole answer ---- */

static inline void start(struct respond *r)
{
    const struct authority_ask *ask = r->ask;
    dns_writer_init(r->w, r->buf, ask->limit);
    if (ask->edns)
        dns_writer_reserve(r->w, edns_size(ask->edns));
    dns_writer_question(r->w, ask->query->qname, ask->query->qtype, ask->query->qclass);
}

/* No records, whatever was written before. */
static void start_again(struct respond *r)
{
    r->flags &= (uint16_t)~DNS_FLAG_AA;
    r->tc = false;
    r->scope = 0;
    r->proof_count = r->proof_written = 0;
    start(r);
}

static void note_not_loaded(struct respond *r)
{
    r->out->rcode = DNS_RCODE_SERVFAIL;
    r->why = "the zone could not be loaded";
    r->why_code = DNS_EDE_NOT_READY;
}

/* The subnet as it came, with the scope, for those who sent one (RFC 7871 7.2.1): reserved for. The
 * reason only when there is room. */
static size_t write_told(struct respond *r)
{
    struct edns e = *r->ask->edns;
    e.subnet.scope = e.subnet.source ? r->scope : 0;
    if (r->why && e.ede_count < EDNS_EDE_MAX) {
        e.ede[e.ede_count++] = (struct edns_ede){
            .code = r->why_code, .text = r->why, .text_len = (uint16_t)strlen(r->why)};
        if (edns_size(&e) > wcur_left(&r->w->out) + r->w->reserved)
            e.ede_count--;
    }
    return dns_writer_finish(r->w, r->ask->query->id, r->flags, r->out->rcode, &e, 0);
}

static enum authority_result finish(struct respond *r, enum authority_result result)
{
    const struct edns *e = r->ask->edns;
    if (r->tc)
        r->flags |= DNS_FLAG_TC;
    r->out->aa = r->flags & DNS_FLAG_AA;
    r->out->tc = r->tc;
    r->out->scope = r->scope;
    r->out->len = e && (e->subnet.family || r->why)
                      ? write_told(r)
                      : dns_writer_finish(r->w, r->ask->query->id, r->flags, r->out->rcode, e, 0);
    return result;
}

/* Name after name, until the answer section is complete. */
static enum authority_result follow(struct respond *r, enum outcome *last)
{
    enum outcome o = OUTCOME_FOLLOW;
    for (unsigned links = 0; o == OUTCOME_FOLLOW; links++) {
        *last = o = answer_name(r);
        if (links == 0 && o != OUTCOME_REFERRAL && r->ask->query->qclass != DNS_CLASS_ANY)
            r->flags |= DNS_FLAG_AA; /* by the first owner; we do not know all classes */
        if (o != OUTCOME_FOLLOW)
            break;
        bool failed;
        const struct zone *next = find_zone(r->ask, r->name, &failed);
        if (failed) {
            note_not_loaded(r);
            *last = OUTCOME_ERROR;
            return AUTHORITY_DONE;
        }
        if (!next)
            return AUTHORITY_LEAVES;
        r->zone = next;
    }
    return AUTHORITY_DONE;
}

static enum authority_result walk(struct respond *r)
{
    enum outcome last;
    enum authority_result result = follow(r, &last);
    if (last == OUTCOME_ERROR) {
        start_again(r);
        return AUTHORITY_DONE;
    }
    if (r->proof_count)
        put_proofs(r);
    if (last == OUTCOME_REFERRAL)
        result = AUTHORITY_LEAVES;
    if (result == AUTHORITY_LEAVES) {
        r->out->is_referral = last == OUTCOME_REFERRAL;
        r->out->is_alias = r->alias_count != 0;
        dns_name_lower(r->out->target, r->name);
    }
    if (result != AUTHORITY_DONE || last != OUTCOME_DONE || r->tc)
        return result;
    if (r->out->rcode == DNS_RCODE_NOERROR && !r->w->counts[DNS_SECTION_AUTHORITY])
        put_apex_ns(r);
    put_extra(r);
    return AUTHORITY_DONE;
}

void authority_look_ahead(struct authority_ahead *a, const struct zonedb *db, unsigned listener,
                          const struct dns_query *q, const struct dynamic *dynamic)
{
    a->known = q->qtype != DNS_TYPE_DS; /* the zone above may be meant */
    a->failed = a->is_near = false;
    a->near = NULL;
    a->zone = a->known ? zonedb_find(db, q->qname, listener, &a->failed) : NULL;
    if (!a->zone)
        return;
    a->hash = zone_hash(q->qname, q->qname_len);
    authority_look_on(a, q, dynamic, 0);
}

void authority_look_on(struct authority_ahead *a, const struct dns_query *q,
                       const struct dynamic *dynamic, unsigned step)
{
    if (!a->zone)
        return;
    const struct zone_node *n = step > 1 ? a->near : NULL;
    if (step == 0) {
        zone_ahead(a->zone, a->hash);
    } else if (step == 1) {
        a->near = zone_near(a->zone, a->hash);
        a->is_near = true;
    }
    if (!a->zone->dynamic_count || !dynamic || !dynamic->ahead)
        return;
    uint32_t dynamic_id = n ? zone_reach(n)->dynamic : 0, id = dynamic_id - 1;
    if (!dynamic_id && !q->edns.subnet.family)
        return;
    dynamic->ahead(dynamic, &q->edns.subnet, dynamic_id ? &id : NULL, step);
}

enum authority_result authority_respond(const struct authority_ask *ask, struct dns_writer *w,
                                        uint8_t *buf, struct authority_out *out)
{
    const struct dns_query *q = ask->query;
    const struct authority_ahead *ahead = ask->ahead && ask->ahead->known ? ask->ahead : NULL;
    bool failed = ahead && ahead->failed;
    const struct zone *zone = ahead ? ahead->zone : find_zone(ask, q->qname, &failed);
    struct respond r;
    out->rcode = DNS_RCODE_NOERROR;
    out->is_alias = out->is_referral = false;
    if ((!zone && !failed) || (q->qclass != DNS_CLASS_IN && q->qclass != DNS_CLASS_ANY))
        return AUTHORITY_NOT_OURS;
    r.ask = ask;
    r.w = w;
    r.out = out;
    r.zone = zone;
    r.ahead = ahead;
    r.dnssec = q->edns.present && q->edns.dnssec_ok;
    r.tc = false;
    r.buf = buf;
    r.why = NULL;
    r.scope = 0;
    r.answered = 0;
    r.alias_count = r.extra_count = r.proof_count = r.proof_written = 0;
    r.flags = (uint16_t)(DNS_FLAG_QR | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD)) |
                         (ask->recursion_available ? DNS_FLAG_RA : 0));
    start(&r);
    if (failed) {
        note_not_loaded(&r);
        return finish(&r, AUTHORITY_DONE);
    }
    if (q->qtype == DNS_TYPE_AXFR || q->qtype == DNS_TYPE_IXFR || q->qtype == DNS_TYPE_MAILA ||
        q->qtype == DNS_TYPE_MAILB) {
        out->rcode = q->qtype == DNS_TYPE_MAILA || q->qtype == DNS_TYPE_MAILB ? DNS_RCODE_NOTIMP
                                                                              : DNS_RCODE_REFUSED;
        return finish(&r, AUTHORITY_DONE);
    }
    dns_name_copy(r.name, q->qname);
    return finish(&r, walk(&r));
}
