#include "dns/edns.h"

#include "dns/type.h"

#define EDE_TEXT_MAX 512

/* RFC 7871 7.1.2: whatever is malformed is FORMERR. */
static int parse_subnet(struct edns *e, struct rcur *c, bool is_query)
{
    struct edns_subnet *s = &e->subnet;
    uint16_t family = rcur_u16(c);
    s->source = rcur_u8(c);
    s->scope = rcur_u8(c);
    s->unspecified = !family && !s->source && !s->scope; /* no address, so none of any family */
    family = s->unspecified ? 1 : family;
    unsigned max = family == 1 ? 32 : family == 2 ? 128 : 0;
    size_t octets = (s->source + 7u) / 8;
    if (c->err || !max || s->source > max || s->scope > max || (is_query && s->scope) ||
        rcur_left(c) != octets)
        return ERR_FORMAT;
    const uint8_t *ip = rcur_take(c, octets);
    memset(s->ip, 0, sizeof s->ip);
    if (octets)
        memcpy(s->ip, ip, octets);
    if (s->source % 8 && s->ip[octets - 1] & (0xff >> s->source % 8))
        return ERR_FORMAT; /* bits beyond the prefix must be zero */
    s->family = (uint8_t)family;
    return 0;
}

static int parse_cookie(struct edns *e, const uint8_t *p, size_t len)
{
    if (len != 8 && (len < 16 || len > 40)) /* RFC 7873 5.2.2 */
        return ERR_FORMAT;
    memcpy(e->cookie, p, len);
    e->cookie_len = (uint8_t)len;
    return 0;
}

static int parse_option(struct edns *e, uint16_t code, const uint8_t *p, size_t len, bool is_query)
{
    struct rcur c = rcur_of(p, len);
    switch (code) {
    case EDNS_NSID: /* what a query puts into it is not looked at (RFC 5001 2.2) */
        e->nsid = true;
        e->nsid_data = p;
        e->nsid_len = (uint16_t)len;
        return 0;
    case EDNS_CLIENT_SUBNET:
        return e->subnet.family ? ERR_FORMAT : parse_subnet(e, &c, is_query);
    case EDNS_COOKIE:
        return e->cookie_len ? 0 : parse_cookie(e, p, len); /* the first one counts */
    case EDNS_KEEPALIVE:
        if (len != 0 && len != 2)
            return ERR_FORMAT;
        e->keepalive = true;
        e->keepalive_100ms = len ? get_u16(p) : 0;
        return 0;
    case EDNS_PADDING:
        e->padding = true;
        return 0;
    case EDNS_EXPLAIN:
        e->explain = true;
        return 0;
    case EDNS_EDE:
        if (len < 2)
            return is_query ? 0 : ERR_FORMAT;
        if (e->ede_count < EDNS_EDE_MAX)
            e->ede[e->ede_count++] = (struct edns_ede){
                .code = get_u16(p), .text_len = (uint16_t)(len - 2), .text = (const char *)p + 2};
        return 0;
    default:
        return 0;
    }
}

int edns_parse(struct edns *e, uint16_t cls, uint32_t ttl, const uint8_t *rdata, size_t len,
               bool is_query)
{
    memset(e, 0, sizeof *e);
    e->present = true;
    e->size = cls < EDNS_SIZE_MIN ? EDNS_SIZE_MIN : cls;
    e->rcode_high = (uint8_t)(ttl >> 24);
    e->version = (uint8_t)(ttl >> 16);
    e->dnssec_ok = ttl & EDNS_FLAG_DO;
    if (is_query && e->version) /* its options may mean anything: BADVERS (RFC 6891 6.1.3) */
        return 0;
    struct rcur c = rcur_of(rdata, len);
    for (unsigned n = 0; rcur_left(&c); n++) {
        uint16_t code = rcur_u16(&c), size = rcur_u16(&c);
        const uint8_t *p = rcur_take(&c, size);
        if (!p || n == EDNS_OPTIONS_MAX)
            return ERR_FORMAT;
        int err = parse_option(e, code, p, size, is_query);
        if (err)
            return err;
    }
    return 0;
}

static void put_option(struct wcur *w, uint16_t code, const void *p, size_t len)
{
    uint8_t *to = wcur_room(w, 4 + len);
    if (!to)
        return;
    put_u16(to, code);
    put_u16(to + 2, (uint16_t)len);
    if (len)
        memcpy(to + 4, p, len);
}

enum { OPT_FIXED = 11, SUBNET_MAX = 4 + 4 + 16 };

/* The whole option; returns its octets. */
static size_t put_subnet(uint8_t *p, const struct edns_subnet *s)
{
    size_t octets = (s->source + 7u) / 8;
    put_u16(p, EDNS_CLIENT_SUBNET);
    put_u16(p + 2, (uint16_t)(4 + octets));
    put_u16(p + 4, s->unspecified ? 0 : s->family);
    p[6] = s->source;
    p[7] = s->scope;
    memcpy(p + 8, s->ip, octets);
    return 8 + octets;
}

/* As far as its RDATA, with no octet of that. */
static void put_fixed(uint8_t *p, uint16_t size, uint8_t rcode_high, uint8_t version,
                      bool dnssec_ok)
{
    p[0] = 0;
    put_u16(p + 1, DNS_TYPE_OPT);
    put_u16(p + 3, size);
    p[5] = rcode_high;
    p[6] = version;
    put_u16(p + 7, dnssec_ok ? EDNS_FLAG_DO : 0);
    put_u16(p + 9, 0);
}

size_t edns_write_bare(uint8_t *p, uint16_t size, bool dnssec_ok, const struct edns_subnet *subnet)
{
    put_fixed(p, size, 0, 0, dnssec_ok);
    size_t n = subnet->family ? put_subnet(p + OPT_FIXED, subnet) : 0;
    put_u16(p + 9, (uint16_t)n);
    return OPT_FIXED + n;
}

static size_t ede_len(const struct edns_ede *d)
{
    return d->text_len < EDE_TEXT_MAX ? d->text_len : EDE_TEXT_MAX;
}

void edns_write(const struct edns *e, uint16_t rcode, unsigned pad_to, struct wcur *w)
{
    uint8_t *fixed = wcur_room(w, OPT_FIXED), *rdlen = fixed ? fixed + 9 : NULL;
    const uint8_t *start = w->at;
    if (fixed)
        put_fixed(fixed, e->size, (uint8_t)(rcode >> 4), e->version, e->dnssec_ok);
    if (e->nsid)
        put_option(w, EDNS_NSID, e->nsid_data, e->nsid_len);
    if (e->subnet.family) {
        uint8_t b[SUBNET_MAX];
        wcur_bytes(w, b, put_subnet(b, &e->subnet));
    }
    if (e->cookie_len)
        put_option(w, EDNS_COOKIE, e->cookie, e->cookie_len);
    if (e->keepalive) {
        uint8_t t[2];
        put_u16(t, e->keepalive_100ms);
        put_option(w, EDNS_KEEPALIVE, t, e->keepalive_100ms ? 2 : 0);
    }
    for (unsigned i = 0; i < e->ede_count; i++) {
        size_t n = ede_len(&e->ede[i]);
        wcur_u16(w, EDNS_EDE);
        wcur_u16(w, (uint16_t)(2 + n));
        wcur_u16(w, e->ede[i].code);
        wcur_bytes(w, e->ede[i].text, n);
    }
    if (e->padding && pad_to) {
        size_t over = (wcur_len(w) + 4) % pad_to, pad = over ? pad_to - over : 0;
        if (wcur_left(w) >= 4) {
            pad = pad < wcur_left(w) - 4 ? pad : wcur_left(w) - 4;
            wcur_u16(w, EDNS_PADDING);
            wcur_u16(w, (uint16_t)pad);
            uint8_t *p = wcur_room(w, pad);
            if (p)
                memset(p, 0, pad);
        }
    }
    if (rdlen && !w->err)
        put_u16(rdlen, (uint16_t)(w->at - start));
}

size_t edns_size(const struct edns *e)
{
    size_t n = OPT_FIXED;
    n += e->nsid ? 4u + e->nsid_len : 0;
    n += e->subnet.family ? 8u + (e->subnet.source + 7u) / 8 : 0;
    n += e->cookie_len ? 4u + e->cookie_len : 0;
    n += e->keepalive ? 4u + (e->keepalive_100ms ? 2 : 0) : 0;
    for (unsigned i = 0; i < e->ede_count; i++)
        n += 6u + ede_len(&e->ede[i]);
    return n;
}

bool edns_subnet_equal(const struct edns_subnet *a, const struct edns_subnet *b)
{
    return a->family == b->family &&
           (!a->family || (a->source == b->source && !memcmp(a->ip, b->ip, sizeof a->ip)));
}
