#include "authority/plain.h"

#include "dns/name.h"
#include "zone_priv.h"

#include <stdlib.h>

/* Types without a name that would have to be compressed, about which RFCs say nothing special. */
static bool is_plain_type(uint16_t type)
{
    switch (type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
    case DNS_TYPE_TXT:
    case DNS_TYPE_SRV:
    case DNS_TYPE_NAPTR:
    case DNS_TYPE_SSHFP:
    case DNS_TYPE_TLSA:
    case DNS_TYPE_SVCB:
    case DNS_TYPE_HTTPS:
    case DNS_TYPE_CAA:
        return true;
    default:
        return false;
    }
}

/* The name in it may have addresses of ours to be added. */
static bool has_target(uint16_t type)
{
    return type == DNS_TYPE_SRV || type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS;
}

/* ---- made when a zone is loaded ---- */

/* Where a name written in a message ends; its compression pointer, when it has one, is noted. */
static size_t name_end(struct plain_soa *s, size_t at)
{
    for (; s->wire[at]; at += 1u + s->wire[at])
        if ((s->wire[at] & 0xc0) == 0xc0) {
            s->pointers[s->pointer_count++] = (uint16_t)at;
            return at + 2;
        }
    return at + 1;
}

static int build(const struct zone *z, const struct dns_rrset *soa, const uint8_t *asked,
                 struct plain_soa **out)
{
    struct dns_writer w;
    uint8_t buf[DNS_HEADER_LEN + DNS_NAME_MAX + 4 + PLAIN_SOA_MAX];
    dns_writer_init(&w, buf, sizeof buf);
    dns_writer_question(&w, asked, DNS_TYPE_SOA, DNS_CLASS_IN);
    size_t start = wcur_len(&w.out);
    if (dns_writer_rrset(&w, DNS_SECTION_AUTHORITY, soa, z->origin, z->negative_ttl, 0))
        return 0;
    size_t len = wcur_len(&w.out) - start;
    struct plain_soa *s = malloc(sizeof *s + len);
    if (!s)
        return ERR_NOMEM;
    memcpy(s->wire, buf + start, len);
    s->len = (uint16_t)len;
    s->asked_len = (uint8_t)dns_name_len(asked);
    s->pointer_count = 0;
    s->ttl_at = (uint16_t)(name_end(s, 0) + 4);
    name_end(s, name_end(s, s->ttl_at + 6u));
    *out = s;
    return 0;
}

int plain_build(struct zone *z)
{
    struct dns_rrset soa;
    if (!zone_node_get(z, zone_apex(z), DNS_TYPE_SOA, 0, &soa) || soa.count != 1)
        return 0;
    int err = build(z, &soa, z->origin, &z->plain_soa);
    return err ? err : build(z, &soa, dns_name_root, &z->plain_soa_alone);
}

/* ---- answering ---- */

struct plain {
    const struct authority_ask *ask;
    const struct zone *zone;
    uint8_t *buf;
    uint16_t edns_size;
    uint8_t scope; /* of what was decided for this client */
};

static size_t opt_len(const struct plain *p)
{
    const struct edns *e = &p->ask->query->edns;
    return !e->present        ? 0
           : p->ask->edns     ? edns_size(p->ask->edns)
           : e->subnet.family ? 11 + 8 + (e->subnet.source + 7u) / 8
                              : 11;
}

/* Room for the records behind the question, or NULL: the answer would be too long. */
static uint8_t *begin(const struct plain *p, size_t records)
{
    const struct dns_query *q = p->ask->query;
    if (q->question_end + records + opt_len(p) > p->ask->limit)
        return NULL;
    memcpy(p->buf, q->packet, q->question_end);
    return p->buf + q->question_end;
}

/* Header and OPT; the records end at `end`. */
static size_t finish(const struct plain *p, uint8_t *end, enum dns_section section, unsigned count,
                     uint16_t rcode)
{
    const struct dns_query *q = p->ask->query;
    uint8_t *h = p->buf;
    put_u16(h + 2, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_AA | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD)) |
                              (p->ask->recursion_available ? DNS_FLAG_RA : 0) | rcode));
    put_u16(h + 6, 0);
    put_u32(h + 8, 0);
    put_u16(h + 4 + 2 * section, (uint16_t)count);
    if (!q->edns.present)
        return (size_t)(end - h);
    h[11] = 1;
    struct edns_subnet subnet = q->edns.subnet;
    subnet.scope = subnet.source ? p->scope : 0;
    if (!p->ask->edns)
        return (size_t)(end - h) + edns_write_bare(end, p->edns_size, q->edns.dnssec_ok, &subnet);
    struct edns e = *p->ask->edns;
    struct wcur w = {h, end, h + p->ask->limit, 0};
    e.subnet = subnet;
    edns_write(&e, rcode, 0, &w);
    return wcur_len(&w);
}

static size_t answer_set(const struct plain *p, const struct dns_rrset *set, uint32_t ttl)
{
    enum {
        HEAD = 10
    }; /* pointer to the question, type, class, TTL; the length lies with the data */
    uint8_t *at = begin(p, set->size + (size_t)HEAD * set->count);
    if (!at || has_target(set->type))
        return 0;
    DNS_RR_FOR (rd, set) {
        put_u16(at, 0xc000 | DNS_HEADER_LEN);
        put_u16(at + 2, set->type);
        put_u16(at + 4, DNS_CLASS_IN);
        put_u32(at + 6, ttl);
        put_u16(at + HEAD, rd.len);
        if (rd.len == 4) /* by far the most */
            memcpy(at + HEAD + 2, rd.at, 4);
        else
            memcpy(at + HEAD + 2, rd.at, rd.len);
        at += HEAD + 2 + rd.len;
    }
    return finish(p, at, DNS_SECTION_ANSWER, set->count, DNS_RCODE_NOERROR);
}

/* The zone's SOA. It points into the question's name where that is written as the origin is, and
 * not in a case of the client's own. */
static size_t answer_negative(const struct plain *p, uint16_t rcode, uint32_t ttl_max)
{
    const struct zone *z = p->zone;
    const struct dns_query *q = p->ask->query;
    const uint8_t *end = q->qname + q->qname_len - z->origin_len;
    const struct plain_soa *s =
        memcmp(end, z->origin, z->origin_len) != 0 ? z->plain_soa_alone : z->plain_soa;
    uint8_t *at = s ? begin(p, s->len) : NULL;
    if (!at)
        return 0;
    size_t longer = q->qname_len - (size_t)s->asked_len;
    memcpy(at, s->wire, s->len);
    for (unsigned i = 0; i < s->pointer_count; i++)
        put_u16(at + s->pointers[i], (uint16_t)(get_u16(at + s->pointers[i]) + longer));
    if (ttl_max < z->negative_ttl)
        put_u32(at + s->ttl_at, ttl_max);
    return finish(p, at + s->len, DNS_SECTION_AUTHORITY, 1, rcode);
}

/* 0: not plain, or not steered for this type. *left: the second. */
static size_t answer_steered(struct plain *p, struct authority_ask *ask, const struct zone_node *n,
                             bool *left)
{
    const struct dns_query *q = ask->query;
    struct dynamic_ask what = {.id = zone_reach(n)->dynamic - 1,
                               .owner = n->name,
                               .qname = q->qname,
                               .qtype = q->qtype,
                               .client = ask->client,
                               .subnet = &q->edns.subnet,
                               .again = ask->again};
    struct dynamic_answer chosen;
    ask->dynamic->decide(ask->dynamic, &what, &chosen);
    ask->again = true;
    p->scope = chosen.scope;
    *left = chosen.verdict == DYNAMIC_STATIC;
    if (chosen.why)
        return 0;
    if (chosen.verdict == DYNAMIC_NODATA)
        return answer_negative(p, DNS_RCODE_NOERROR, chosen.ttl);
    return chosen.verdict == DYNAMIC_SET && chosen.set.type == q->qtype
               ? answer_set(p, &chosen.set, chosen.ttl)
               : 0;
}

/* The node of the name, or the wildcard that stands for it. */
static size_t answer_node(struct plain *p, struct authority_ask *ask, const struct zone_node *n)
{
    const struct dns_query *q = ask->query;
    struct dns_rrset set;
    const struct zone_reach *reach = zone_reach(n);
    if (reach->cut || reach->dname || n->hash_only)
        return 0;
    if (!ask->minimal) /* an answer in full has more than the set */
        return 0;
    if (reach->dynamic && ask->dynamic) {
        bool left;
        size_t len = answer_steered(p, ask, n, &left);
        if (len || !left)
            return len;
    }
    if (zone_node_get(p->zone, n, q->qtype, 0, &set))
        return answer_set(p, &set, set.ttl);
    return zone_node_get(p->zone, n, DNS_TYPE_CNAME, 0, &set)
               ? 0
               : answer_negative(p, DNS_RCODE_NOERROR, UINT32_MAX);
}

/* There is no such name: *n is the wildcard that stands for it, or NULL. False: what lies above is
 * not plain. */
static bool find_wild(const struct zone *z, const uint8_t *name, const struct zone_node **n)
{
    const struct zone_node *above = zone_encloser(z, dns_name_parent(name));
    struct dns_rrset set;
    const struct zone_reach *reach = zone_reach(above);
    *n = above->has_wild ? zone_wild(z, above) : NULL;
    return !above->hash_only && !reach->cut && !reach->dname &&
           !zone_node_get(z, above, DNS_TYPE_DNAME, 0, &set);
}

size_t authority_plain(struct authority_ask *ask, uint16_t edns_size, uint8_t *buf, uint16_t *rcode)
{
    const struct dns_query *q = ask->query;
    struct authority_ahead now;
    const struct authority_ahead *ahead = ask->ahead;
    if (!is_plain_type(q->qtype) || q->qclass != DNS_CLASS_IN || q->qname_len < 2 ||
        q->edns.explain)
        return 0;
    if (!ahead || !ahead->known) {
        authority_look_ahead(&now, ask->db, ask->listener, q, NULL);
        ahead = &now;
    }
    const struct zone *z = ahead->zone;
    if (!z || (q->edns.dnssec_ok && z->has_signatures))
        return 0;
    struct plain p = {ask, z, buf, edns_size, 0};
    const struct zone_node *n = zone_find_ahead(ahead, q);
    if (!n && !find_wild(z, q->qname, &n))
        return 0;
    *rcode = n ? DNS_RCODE_NOERROR : DNS_RCODE_NXDOMAIN;
    return n ? answer_node(&p, ask, n) : answer_negative(&p, DNS_RCODE_NXDOMAIN, UINT32_MAX);
}
