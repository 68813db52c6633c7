/* dns/rdata_apl.c: lists of address prefixes (RFC 3123).
 * family (2 octets), prefix length, "!" bit with the count of octets, the address without its
 * trailing zeros. */
#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>

struct apl_family {
    int af;
    uint8_t octets;
};

/* NULL: text knows no form for it (RFC 3123 5). */
static const struct apl_family *family_of(uint32_t number)
{
    static const struct apl_family families[] = {{AF_INET, 4}, {AF_INET6, 16}};
    return number == 1 || number == 2 ? &families[number - 1] : NULL;
}

int rdata_apl_len(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    while (p < end) {
        if (end - p < 4)
            return ERR_FORMAT;
        unsigned n = p[3] & 0x7f;
        const struct apl_family *f = family_of(get_u16(p));
        if (end - p < (int)(4 + n) || (f && (n > f->octets || p[2] > f->octets * 8)))
            return ERR_FORMAT;
        if (n && !p[3 + n]) /* RFC 3123 4: trailing zeros are not sent */
            return ERR_FORMAT;
        p += 4 + n;
    }
    return (int)(p - start);
}

bool rdata_apl_is_opaque(const uint8_t *p, size_t n)
{
    for (const uint8_t *end = p + n; p < end; p += 4 + (p[3] & 0x7f))
        if (!family_of(get_u16(p)))
            return true;
    return false;
}

/* The word up to `mark`, which is stepped over; false when there is no mark. */
static bool split(struct token *rest, char mark, struct token *head)
{
    const char *at = memchr(rest->at, mark, rest->len);
    if (!at)
        return false;
    *head = (struct token){rest->at, (size_t)(at - rest->at), false};
    rest->len -= head->len + 1;
    rest->at = at + 1;
    return true;
}

/* [!]family:address/length */
static int put_item(struct scan *s, struct token *t, struct wcur *w)
{
    struct token number, address;
    uint32_t afi, bits;
    bool negated = t->len && *t->at == '!';
    t->at += negated;
    t->len -= negated;
    if (!split(t, ':', &number) || !split(t, '/', &address))
        return scan_fail(s, t->at, "expected family:address/length", ERR_SYNTAX);
    int err = scan_number(s, &number, 65535, &afi);
    const struct apl_family *f = err ? NULL : family_of(afi);
    if (!f)
        return err ? err
                   : scan_fail(s, number.at, "an address family other than 1 and 2", ERR_RANGE);
    uint8_t ip[16];
    struct wcur at = wcur_of(ip, sizeof ip);
    if ((err = scan_ip(s, &address, &at, f->af, f->octets)) ||
        (err = scan_number(s, t, f->octets * 8u, &bits)))
        return err;
    size_t n = f->octets;
    while (n && !ip[n - 1])
        n--;
    wcur_u16(w, (uint16_t)afi);
    wcur_u8(w, (uint8_t)bits);
    wcur_u8(w, (uint8_t)((negated ? 0x80 : 0) | n));
    wcur_bytes(w, ip, n);
    return 0;
}

int rdata_apl_parse(struct scan *s, struct wcur *w)
{
    struct token t;
    int err = 0;
    while (!err && scan_token(s, &t))
        err = put_item(s, &t, w);
    return err;
}

void rdata_apl_print(struct sheet *o, const uint8_t *p, size_t n)
{
    const char *space = "";
    for (const uint8_t *end = p + n; p < end; p += 4 + (p[3] & 0x7f), space = " ") {
        char ip[INET6_ADDRSTRLEN], text[80];
        uint8_t octets[16] = {0};
        memcpy(octets, p + 4, p[3] & 0x7f);
        inet_ntop(family_of(get_u16(p))->af, octets, ip, sizeof ip);
        snprintf(text, sizeof text, "%s%s%u:%s/%u", space, p[3] & 0x80 ? "!" : "", get_u16(p), ip,
                 p[2]);
        sheet_put(o, text);
    }
}
