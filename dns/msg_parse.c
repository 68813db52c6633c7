#include "dns/msg_parse.h"

#include "base/hash.h"
#include "dns/rdata.h"

/* Over one record of a query, no names expanded. Pointers are allowed in owners. */
static bool skip_owner(struct rcur *c)
{
    for (;;) {
        uint8_t len = rcur_u8(c);
        if (c->err)
            return false;
        if (!len)
            return true;
        if ((len & 0xc0) == 0xc0)
            return rcur_take(c, 1) != NULL;
        if (len & 0xc0 || !rcur_take(c, len))
            return rcur_fail(c, ERR_FORMAT);
    }
}

/* One record of the additional section: OPT is taken, all else is skipped. */
static int query_additional(struct dns_query *q, struct rcur *c)
{
    const uint8_t *owner = c->at;
    if (!skip_owner(c))
        return ERR_FORMAT;
    uint16_t type = rcur_u16(c), cls = rcur_u16(c);
    uint32_t ttl = rcur_u32(c);
    uint16_t rdlen = rcur_u16(c);
    const uint8_t *rd = rcur_take(c, rdlen);
    if (!rd)
        return ERR_FORMAT;
    if (type != DNS_TYPE_OPT)
        return 0;
    if (q->edns.present || *owner) /* RFC 6891 6.1.1: one OPT, root owner */
        return ERR_FORMAT;
    return edns_parse(&q->edns, cls, ttl, rd, rdlen, true);
}

/* Answer and authority section: whatever is there, but no OPT (RFC 6891 6.1.1). */
static bool query_skip(struct rcur *c, unsigned count)
{
    for (; count; count--) {
        if (!skip_owner(c))
            return false;
        uint16_t type = rcur_u16(c);
        if (type == DNS_TYPE_OPT || !rcur_take(c, 6))
            return false;
        uint16_t rdlen = rcur_u16(c);
        if (!rcur_take(c, rdlen))
            return false;
    }
    return true;
}

static enum dns_verdict query_body(struct dns_query *q, struct rcur *c, unsigned qd,
                                   unsigned others, unsigned ar)
{
    if (qd > 1) /* RFC 9619 */
        return DNS_VERDICT_FORMERR;
    if (qd) {
        int n = dns_name_skip_plain(c, &q->qname);
        q->qtype = rcur_u16(c);
        q->qclass = rcur_u16(c);
        if (c->err)
            return DNS_VERDICT_FORMERR;
        q->qname_len = (uint16_t)n;
        q->question_end = (uint16_t)rcur_pos(c);
        q->has_question = true;
    }
    if (!query_skip(c, others))
        return DNS_VERDICT_FORMERR;
    for (; ar; ar--)
        if (query_additional(q, c))
            return DNS_VERDICT_FORMERR;
    if (rcur_left(c))
        return DNS_VERDICT_FORMERR;
    if (q->edns.version)
        return DNS_VERDICT_BADVERS;
    /* RFC 7873 5.4: without a question only a cookie can be meant */
    return qd || q->edns.cookie_len ? DNS_VERDICT_OK : DNS_VERDICT_FORMERR;
}

/* No OPT was seen. */
static inline void edns_clear(struct edns *e)
{
    e->present = e->dnssec_ok = e->nsid = e->keepalive = e->padding = e->explain = false;
    e->version = e->cookie_len = e->ede_count = 0;
    e->subnet.family = 0;
    e->size = EDNS_SIZE_MIN;
}

/* One question, at most an OPT, no other record: what nearly all queries are. False: this is
 * another, or a bad one; nothing is decided then. The header was read. */
static bool query_usual(struct dns_query *q, const uint8_t *packet, size_t len)
{
    enum { TYPE_CLASS = 4, OPT = 11 };
    unsigned additional = get_u16(packet + 10);
    size_t behind = TYPE_CLASS + (additional ? OPT : 0);
    if (get_u32(packet + 4) != 1u << 16 || get_u16(packet + 8) || additional > 1 ||
        len < DNS_HEADER_LEN + 1 + behind)
        return false;
    const uint8_t *p = packet + DNS_HEADER_LEN, *end = packet + len, *last = end - behind - 1;
    while (*p) {
        if (*p > DNS_LABEL_MAX || last - p < 1 + *p)
            return false;
        p += 1 + *p;
    }
    p++;
    q->qname = packet + DNS_HEADER_LEN;
    q->qname_len = (uint16_t)(p - q->qname);
    q->qtype = get_u16(p);
    q->qclass = get_u16(p + 2);
    p += TYPE_CLASS;
    q->question_end = (uint16_t)(p - packet);
    q->has_question = true;
    if (q->qname_len > DNS_NAME_MAX || !additional)
        return p == end && q->qname_len <= DNS_NAME_MAX;
    size_t options = get_u16(p + 9);
    return !*p && get_u16(p + 1) == DNS_TYPE_OPT && (size_t)(end - p) == OPT + options &&
           !edns_parse(&q->edns, get_u16(p + 3), get_u32(p + 5), p + OPT, options, true) &&
           !q->edns.version;
}

enum dns_verdict dns_query_parse(struct dns_query *q, const uint8_t *packet, size_t len)
{
    struct rcur c = rcur_of(packet, len);
    if (len >= DNS_HEADER_LEN && len <= 65535 && !(packet[2] & 0xf8)) {
        q->packet = packet;
        q->len = len;
        q->id = get_u16(packet);
        q->flags = get_u16(packet + 2);
        q->opcode = DNS_OPCODE_QUERY;
        edns_clear(&q->edns);
        if (query_usual(q, packet, len))
            return DNS_VERDICT_OK;
    }
    q->packet = packet;
    q->len = len;
    q->has_question = false;
    q->qname = dns_name_root;
    q->qname_len = 1;
    q->qtype = q->qclass = 0;
    q->question_end = DNS_HEADER_LEN;
    edns_clear(&q->edns);
    const uint8_t *h = rcur_take(&c, DNS_HEADER_LEN);
    if (!h || h[2] & 0x80 || len > 65535)
        return DNS_VERDICT_DROP;
    q->id = get_u16(h);
    q->flags = get_u16(h + 2);
    q->opcode = h[2] >> 3 & 15;
    if (q->opcode != DNS_OPCODE_QUERY)
        return DNS_VERDICT_NOTIMP;
    return query_body(q, &c, get_u16(h + 4), get_u16(h + 6) + get_u16(h + 8), get_u16(h + 10));
}

/* ---- whole messages ---- */

static int take_name(struct rcur *c, struct arena *a, const uint8_t **out)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_unpack(c, name);
    if (n < 0)
        return n;
    *out = arena_dup(a, name, (size_t)n);
    return *out ? 0 : ERR_NOMEM;
}

static int take_opt(struct dns_msg *m, uint16_t cls, uint32_t ttl, struct rcur *c, uint16_t rdlen)
{
    const uint8_t *rd = rcur_take(c, rdlen);
    if (!rd)
        return ERR_TRUNC;
    if (m->edns.present)
        return ERR_FORMAT;
    int err = edns_parse(&m->edns, cls, ttl, rd, rdlen, false);
    m->rcode |= (uint16_t)(m->edns.rcode_high << 4);
    return err;
}

static int take_rr(struct dns_msg *m, struct rcur *c, uint8_t section, struct arena *a,
                   uint8_t *flat)
{
    struct dns_rr rr = {.section = section};
    int err = take_name(c, a, &rr.owner);
    if (err)
        return err;
    rr.type = rcur_u16(c);
    rr.cls = rcur_u16(c);
    rr.ttl = rcur_u32(c);
    uint16_t rdlen = rcur_u16(c);
    if (c->err)
        return c->err;
    if (rr.type == DNS_TYPE_OPT && section == DNS_SECTION_ADDITIONAL)
        return take_opt(m, rr.cls, rr.ttl, c, rdlen);
    if (rr.type == DNS_TYPE_TSIG)
        return rcur_take(c, rdlen) ? 0 : ERR_TRUNC;
    if (rr.ttl > INT32_MAX)
        rr.ttl = 0; /* RFC 2181 8 */
    int n = dns_rdata_unpack(rr.type, c, rdlen, flat, DNS_RDATA_MAX);
    if (n < 0)
        return n;
    rr.rdata = arena_dup(a, flat, (size_t)n);
    if (!rr.rdata)
        return ERR_NOMEM;
    rr.rdlen = (uint16_t)n;
    m->rrs[m->rr_count++] = rr;
    m->counts[section]++;
    return 0;
}

static int take_sections(struct dns_msg *m, struct rcur *c, const uint8_t *h, struct arena *a,
                         unsigned max_rrs)
{
    unsigned total = get_u16(h + 6) + get_u16(h + 8) + get_u16(h + 10);
    if (total > max_rrs + 1) /* OPT is not one of them */
        return ERR_LIMIT;
    uint8_t *flat = arena_alloc(a, DNS_RDATA_MAX);
    m->rrs = ARENA_ARRAY(a, struct dns_rr, total ? total : 1);
    if (!m->rrs || !flat)
        return ERR_NOMEM;
    for (uint8_t s = DNS_SECTION_ANSWER; s <= DNS_SECTION_ADDITIONAL; s++)
        for (unsigned n = get_u16(h + 4 + 2 * s); n; n--) {
            int err = take_rr(m, c, s, a, flat);
            if (err)
                return err;
        }
    return rcur_left(c) ? ERR_FORMAT : 0;
}

int dns_msg_parse(struct dns_msg *m, const uint8_t *packet, size_t len, struct arena *a,
                  unsigned max_rrs)
{
    struct rcur c = rcur_of(packet, len);
    memset(m, 0, sizeof *m);
    m->size = len;
    const uint8_t *h = rcur_take(&c, DNS_HEADER_LEN);
    if (!h)
        return ERR_TRUNC;
    m->id = get_u16(h);
    m->flags = get_u16(h + 2);
    m->rcode = h[3] & 15;
    m->opcode = h[2] >> 3 & 15;
    m->qdcount = get_u16(h + 4);
    if (m->qdcount > 1)
        return ERR_FORMAT;
    if (m->qdcount) {
        int err = take_name(&c, a, &m->qname);
        m->qtype = rcur_u16(&c);
        m->qclass = rcur_u16(&c);
        if (err || c.err)
            return err ? err : c.err;
    }
    int err = take_sections(m, &c, h, a, max_rrs);
    return err == ERR_TRUNC && m->flags & DNS_FLAG_TC ? 0 : err;
}

/* ---- records into sets ---- */

static uint16_t rr_covers(const struct dns_rr *rr)
{
    return rr->type == DNS_TYPE_RRSIG && rr->rdlen >= 2 ? get_u16(rr->rdata) : 0;
}

static bool same_set(const struct dns_rr *a, const struct dns_rr *b)
{
    return a->type == b->type && a->cls == b->cls && rr_covers(a) == rr_covers(b) &&
           dns_name_equal(a->owner, b->owner);
}

/* Chains of the records of each set through a hash table, so that time is linear. */
struct grouping {
    uint32_t *bucket; /* 1 + index of a set's first record, 0 empty */
    uint32_t mask;
    uint32_t *next; /* 1 + index of the next record of the same set */
    uint32_t *last; /* by first record: index of the newest one */
    struct seen {
        uint32_t first, record; /* of the set; 1 + index, 0 empty */
    } * seen;                   /* by RDATA */
    uint64_t seed;              /* strangers choose the keys */
};

/* Is the record of the set that begins at `first` there already? If not, it is from now on. */
static bool is_twin(const struct dns_msg *m, struct grouping *g, uint32_t first, uint32_t i)
{
    const struct dns_rr *rr = &m->rrs[i];
    uint32_t slot = (uint32_t)hash_bytes(rr->rdata, rr->rdlen, g->seed + first);
    for (;; slot++) {
        struct seen *s = &g->seen[slot & g->mask];
        if (!s->record) {
            *s = (struct seen){first, i + 1};
            return false;
        }
        const struct dns_rr *old = &m->rrs[s->record - 1];
        if (s->first == first && old->rdlen == rr->rdlen &&
            !memcmp(old->rdata, rr->rdata, rr->rdlen))
            return true;
    }
}

/* Returns whether record i begins a set. */
static bool group(const struct dns_msg *m, struct grouping *g, uint32_t i)
{
    const struct dns_rr *rr = &m->rrs[i];
    uint64_t h = dns_name_hash(rr->owner, g->seed ^ rr->type ^ (uint64_t)rr_covers(rr) << 16);
    for (uint32_t slot = (uint32_t)h & g->mask;; slot = (slot + 1) & g->mask) {
        if (!g->bucket[slot]) {
            g->bucket[slot] = i + 1;
            g->last[i] = i;
            is_twin(m, g, i, i);
            return true;
        }
        uint32_t first = g->bucket[slot] - 1;
        if (!same_set(&m->rrs[first], rr))
            continue;
        if (!is_twin(m, g, first, i)) {
            g->next[g->last[first]] = i + 1;
            g->last[first] = i;
        }
        return false;
    }
}

static int build_set(const struct dns_msg *m, const struct grouping *g, uint32_t first,
                     struct arena *a, struct dns_rrset *set)
{
    const struct dns_rr *rr = &m->rrs[first];
    size_t size = 0;
    unsigned count = 0;
    for (uint32_t at = first + 1; at; at = g->next[at - 1], count++)
        size += 2u + m->rrs[at - 1].rdlen;
    uint8_t *p = arena_alloc(a, size);
    if (!p)
        return ERR_NOMEM;
    *set = (struct dns_rrset){.owner = rr->owner,
                              .rdata = p,
                              .size = (uint32_t)size,
                              .ttl = rr->ttl,
                              .type = rr->type,
                              .cls = rr->cls,
                              .count = (uint16_t)count,
                              .covers = rr_covers(rr)};
    for (uint32_t at = first + 1; at; at = g->next[at - 1]) {
        rr = &m->rrs[at - 1];
        put_u16(p, rr->rdlen);
        memcpy(p + 2, rr->rdata, rr->rdlen);
        p += 2 + rr->rdlen;
        set->ttl = rr->ttl < set->ttl ? rr->ttl : set->ttl; /* RFC 2181 5.2 */
    }
    return 0;
}

int dns_msg_rrsets(const struct dns_msg *m, uint8_t section, struct arena *a,
                   struct dns_rrset **sets)
{
    unsigned n = m->counts[section], slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    struct grouping g = {.bucket = ARENA_ARRAY(a, uint32_t, slots),
                         .mask = slots - 1,
                         .seen = ARENA_ARRAY(a, struct seen, slots),
                         .seed = (uintptr_t)m->rrs, /* of the heap: nobody outside knows it */
                         .next = ARENA_ARRAY(a, uint32_t, m->rr_count + 1),
                         .last = ARENA_ARRAY(a, uint32_t, m->rr_count + 1)};
    *sets = ARENA_ARRAY(a, struct dns_rrset, n + 1);
    uint32_t *firsts = ARENA_ARRAY(a, uint32_t, n + 1);
    if (!g.bucket || !g.seen || !g.next || !g.last || !*sets || !firsts)
        return ERR_NOMEM;
    unsigned count = 0;
    for (uint32_t i = 0; i < m->rr_count; i++)
        if (m->rrs[i].section == section && group(m, &g, i))
            firsts[count++] = i;
    for (unsigned i = 0; i < count; i++)
        if (build_set(m, &g, firsts[i], a, &(*sets)[i]))
            return ERR_NOMEM;
    return (int)count;
}
