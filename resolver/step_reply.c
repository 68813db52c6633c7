/* A reply came: what it means, referrals, and servers that are of no use. */
#include "resolver/classify.h"

#include "iterate_priv.h"
#include "scrub_priv.h"

#include <string.h>

static unsigned count_glue(const struct dns_msg *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->rr_count; i++)
        n += m->rrs[i].section == DNS_SECTION_ADDITIONAL &&
             (m->rrs[i].type == DNS_TYPE_A || m->rrs[i].type == DNS_TYPE_AAAA);
    return n;
}

/* The next question at this cut: one label more, or after trouble the whole name (RFC 9156 2.3). */
static enum iter_next ask_on(struct iter *it, bool whole)
{
    if (whole)
        it->min.on = false;
    it->sent_name = NULL;
    return iter_goto(it, ITER_SELECT);
}

static enum iter_next after_shortened(struct iter *it)
{
    switch (it->class) {
    case CLASS_REFERRAL:
        return iter_goto(it, ITER_REFERRAL);
    case CLASS_ANSWER:
    case CLASS_NODATA:
    case CLASS_CNAME:
    case CLASS_DNAME:
        return ask_on(it, false);
    default: /* also NXDOMAIN: some servers deny empty non-terminals */
        return ask_on(it, true);
    }
}

static enum iter_next move_to(struct iter *it, enum net_proto proto, bool plain)
{
    struct cut_addr *to = attempt_target(it, it->from);
    it->target = to;
    it->proto = proto;
    it->plain = plain;
    return iter_goto(it, ITER_SEND);
}

/* FORMERR, NOTIMP or BADVERS without an OPT may mean that EDNS is not understood; anybody could
 * have sent it over UDP, so TCP has to confirm before EDNS is left out (and only for a while). */
static enum iter_next without_edns(struct iter *it)
{
    struct cut_addr *to = attempt_target(it, it->from);
    struct resolver *r = it->walk->w->r;
    if (!it->from->edns || it->msg.edns.present)
        return iter_goto(it, ITER_LAME);
    if (it->from->t.proto == NET_PROTO_UDP && !to->tcp_tried)
        return move_to(it, NET_PROTO_TCP, false);
    if (it->from->t.proto == NET_PROTO_UDP || to->plain_tried)
        return iter_goto(it, ITER_LAME);
    servers_note(r->servers, &to->addr, SERVER_EDNS_BROKEN, NULL, resolver_now_ms(it->walk->w));
    return move_to(it, NET_PROTO_UDP, true);
}

/* The same question once more, with nothing told of the client. */
static enum iter_next without_subnet(struct iter *it, struct cut_addr *to)
{
    to->untold = true;
    return move_to(it, it->from->t.proto, false);
}

/* RFC 7873 5.3. A reply that shows another client cookie than ours is a forger's, or a broken
 * server's: TCP tells. False: the question goes there. */
static bool check_cookie(struct iter *it, struct cut_addr *to)
{
    const struct attempt *a = it->from;
    const struct edns *e = &it->msg.edns;
    struct servers *s = it->walk->w->r->servers;
    int64_t now = resolver_now_ms(it->walk->w);
    if (!a->cookie_len || !e->present || !e->cookie_len)
        return true;
    bool ours = !memcmp(e->cookie, a->cookie, 8);
    if (ours && e->cookie_len > 8 &&
        (e->cookie_len != a->cookie_len || memcmp(e->cookie, a->cookie, e->cookie_len) != 0))
        servers_cookie(s, &to->addr, e->cookie + 8, e->cookie_len - 8u, now);
    if (ours || to->tcp_tried) {
        if (!ours && a->t.proto == NET_PROTO_TCP)
            servers_note(s, &to->addr, SERVER_COOKIE_BROKEN, NULL, now);
        return true;
    }
    stat_inc(it->walk->w->stats, STAT_MISMATCHES);
    return false;
}

/* RFC 7873 5.3: once more with the cookie that came along, then over TCP, where none is needed. */
static enum iter_next show_cookie(struct iter *it, struct cut_addr *to)
{
    if (!to->cookie_asked && it->msg.edns.cookie_len > 8) {
        to->cookie_asked = true;
        return move_to(it, NET_PROTO_UDP, false);
    }
    return to->tcp_tried ? iter_goto(it, ITER_LAME) : move_to(it, NET_PROTO_TCP, false);
}

/* "aa ra", as dig has it; out holds all of them. */
static void print_flags(uint16_t flags, char out[static 32])
{
    static const struct {
        uint16_t bit;
        char name[4];
    } rows[] = {{DNS_FLAG_AA, "aa "}, {DNS_FLAG_TC, "tc "}, {DNS_FLAG_RD, "rd "},
                {DNS_FLAG_RA, "ra "}, {DNS_FLAG_AD, "ad "}, {DNS_FLAG_CD, "cd "}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (flags & rows[i].bit) {
            memcpy(out + n, rows[i].name, 3);
            n += 3;
        }
    out[n ? n - 1 : 0] = 0;
}

enum iter_next step_classify(struct iter *it)
{
    struct walk *k = it->walk;
    struct resolver *r = k->w->r;
    const struct dns_msg *m = &it->msg;
    struct cut_addr *to = attempt_target(it, it->from);
    if (it->class == CLASS_COUNT)
        it->class = (enum reply_class)classify_reply(
            &(struct classify){.msg = m,
                               .zone = it->cut.zone,
                               .qname = it->sent_name,
                               .qtype = it->sent_type,
                               .forwarded = plane_is_forward(it->cut.plane),
                               .udp = it->from->t.proto == NET_PROTO_UDP});
    char flags[32];
    print_flags(m->flags, flags);
    stat_inc(k->w->stats, STAT_CLASS_FIRST + it->class);
    trace_add(&k->trace, TRACE_CLASS, it->id, walk_us(k), it->hop, class_name(it->class),
              (unsigned)m->rcode, (unsigned)((m->flags & DNS_FLAG_AA) != 0),
              (unsigned)((m->flags & DNS_FLAG_TC) != 0), count_glue(m), (unsigned)m->edns.present,
              flags, (unsigned)m->edns.size, it->from->n);
    if (it->class <= CLASS_NXDOMAIN && to->plain_tried && !it->from->edns)
        servers_note(r->servers, &to->addr, SERVER_EDNS_BROKEN, NULL, resolver_now_ms(it->walk->w));
    if (!check_cookie(it, to))
        return move_to(it, NET_PROTO_TCP, false);
    if (m->rcode == DNS_RCODE_BADCOOKIE && it->from->cookie_len)
        return show_cookie(it, to);
    it->scope = 0;
    if (it->from->told && !subnet_read(it))
        return without_subnet(it, to);
    if (it->class == CLASS_TRUNCATED && !to->tcp_tried)
        return move_to(it, NET_PROTO_TCP, false);
    if (it->class == CLASS_TRUNCATED && it->pending) /* of a second try; TCP is under way */
        return iter_goto(it, ITER_WAIT);
    if (it->class == CLASS_FORMERR && it->from->edns && !m->edns.present)
        return without_edns(it);
    if (it->shortened)
        return after_shortened(it);
    switch (it->class) {
    case CLASS_ANSWER:
        return iter_goto(it, ITER_ANSWER);
    case CLASS_CNAME:
    case CLASS_DNAME:
        return iter_goto(it, ITER_ALIAS);
    case CLASS_REFERRAL:
        return iter_goto(it, ITER_REFERRAL);
    case CLASS_NODATA:
    case CLASS_NXDOMAIN:
        return iter_goto(it, ITER_NEGATIVE);
    default:
        return iter_goto(it, ITER_LAME);
    }
}

enum iter_next step_lame(struct iter *it)
{
    struct cut_addr *to = attempt_target(it, it->from);
    struct resolver *r = it->walk->w->r;
    it->last = it->class;
    to->out = true;
    switch (it->class) {
    case CLASS_LAME:
    case CLASS_UPWARD:
    case CLASS_LOOPING:
    case CLASS_REFUSED: /* for this zone; a server may serve others well */
        if (!plane_is_forward(it->cut.plane))
            servers_note(r->servers, &to->addr, SERVER_LAME, it->cut.zone,
                         resolver_now_ms(it->walk->w));
        break;
    default:
        break;
    }
    return iter_goto(it, ITER_SELECT);
}

/* At most ns_set records are looked at. */
static void take_servers(struct iter *it, struct dns_rrset *ns)
{
    const struct resolver_limits *l = &it->walk->w->r->o.limits;
    if (ns->count > l->ns_set)
        iter_limit(it, LIMIT_NS_SET, ns->count, l->ns_set, false);
    unsigned n = 0;
    uint32_t size = 0;
    DNS_RR_FOR (rd, ns) {
        if (n == l->ns_set)
            break;
        n++;
        size += 2u + rd.len;
    }
    ns->count = (uint16_t)n;
    ns->size = size;
    cut_add_servers(it, ns);
}

/* Addresses beside a referral: only of its own name servers, and only of names that the zone asked
 * may speak for (they passed scrub_sets), unless hardening is off. */
static void take_glue(struct iter *it)
{
    struct walk *k = it->walk;
    struct dns_rrset *sets = NULL;
    unsigned n = scrub_sets(it, DNS_SECTION_ADDITIONAL, &sets);
    for (unsigned i = 0; i < n; i++) {
        const struct dns_rrset *s = &sets[i];
        bool wanted = false;
        if (s->type != DNS_TYPE_A && s->type != DNS_TYPE_AAAA)
            continue;
        for (unsigned j = 0; j < it->cut.ns_count && !wanted; j++)
            wanted = dns_name_equal(it->cut.ns[j].name, s->owner);
        if (!wanted) {
            stat_inc(k->w->stats, STAT_SCRUBBED);
            trace_add(&k->trace, TRACE_SCRUB, it->id, walk_us(k), s->owner, (unsigned)s->type,
                      "not a name server's");
            continue;
        }
        cut_add_set(it, s->owner, s, "glue");
        store_set(it, CACHE_GLUE, s->owner, s->type, s, NULL, CACHE_RANK_GLUE);
    }
}

/* With hardening off, glue outside the zone asked is used for this walk, and never kept. */
static void take_loose_glue(struct iter *it)
{
    struct dns_rrset *sets = NULL;
    int n = dns_msg_rrsets(&it->msg, DNS_SECTION_ADDITIONAL, &it->walk->arena, &sets);
    for (int i = 0; i < n; i++)
        for (unsigned j = 0; j < it->cut.ns_count; j++)
            if ((sets[i].type == DNS_TYPE_A || sets[i].type == DNS_TYPE_AAAA) &&
                dns_name_equal(it->cut.ns[j].name, sets[i].owner))
                cut_add_set(it, sets[i].owner, &sets[i], "glue");
}

static void store_ds(struct iter *it, const uint8_t *child, const struct dns_rrset *sets,
                     unsigned n)
{
    const struct dns_rrset *ds = scrub_find(sets, n, child, DNS_TYPE_DS);
    if (ds)
        store_set(it, CACHE_DATA, child, DNS_TYPE_DS, ds,
                  scrub_find_sigs(sets, n, child, DNS_TYPE_DS), CACHE_RANK_AUTHORITY);
}

enum iter_next step_referral(struct iter *it)
{
    struct walk *k = it->walk;
    struct dns_rrset *sets = NULL, ns = {0};
    unsigned n = scrub_sets(it, DNS_SECTION_AUTHORITY, &sets);
    for (unsigned i = 0; i < n; i++)
        if (sets[i].type == DNS_TYPE_NS && dns_name_is_sub(it->sent_name, sets[i].owner) &&
            !dns_name_equal(sets[i].owner, it->cut.zone) && !ns.count)
            ns = sets[i];
    if (!ns.count) {
        it->class = CLASS_LAME;
        return iter_goto(it, ITER_LAME);
    }
    /* Glue is judged by the zone that was asked, so the old cut's zone stays until it is taken. */
    const uint8_t *parent = it->cut.zone;
    cut_begin(it, parent, "referral", it->cut.plane);
    take_servers(it, &ns);
    take_glue(it);
    it->cut.zone = ns.owner;
    it->cut.ttl = ns.ttl;
    store_set(it, CACHE_DELEGATION, ns.owner, DNS_TYPE_NS, &ns, NULL, CACHE_RANK_REFERRAL);
    store_ds(it, ns.owner, sets, n);
    if (!k->w->r->o.harden_glue)
        take_loose_glue(it);
    /* Names without glue may be known already. */
    for (unsigned i = 0; i < it->cut.ns_count; i++) {
        struct cache_entry e;
        for (unsigned t = 0; t < 2; t++) {
            uint16_t type = t ? DNS_TYPE_AAAA : DNS_TYPE_A;
            if (store_get(it, CACHE_DATA, it->cut.ns[i].name, type, &e)) {
                cut_add_set(it, it->cut.ns[i].name, &e.set, "cache");
                it->cut.ns[i].asked |= t ? CUT_ASKED_AAAA : CUT_ASKED_A;
            }
        }
    }
    trace_add(&k->trace, TRACE_CUT, it->id, walk_us(k), it->cut.zone, it->cut.source,
              (unsigned)it->cut.ttl, it->cut.ns_count, it->cut.addr_count);
    it->sent_name = NULL;
    return iter_goto(it, ITER_SELECT);
}
