/* dns/rdata_text.c: presentation form, both ways. */
#include "base/addr.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "dns/zonefile.h"
#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- text in ---- */

/* RFC 4034 A.1 and the IANA DNS Security Algorithm Numbers. */
static const struct scan_words algorithms[] = {
    {"DELETE", 0},
    {"RSAMD5", 1},
    {"DH", 2},
    {"DSA", 3},
    {"ECC", 4},
    {"RSASHA1", 5},
    {"DSA-NSEC3-SHA1", 6},
    {"NSEC3DSA", 6},
    {"RSASHA1-NSEC3-SHA1", 7},
    {"NSEC3RSASHA1", 7},
    {"RSASHA256", 8},
    {"RSASHA512", 10},
    {"ECC-GOST", 12},
    {"ECDSAP256SHA256", 13},
    {"ECDSAP384SHA384", 14},
    {"ED25519", 15},
    {"ED448", 16},
    {"INDIRECT", 252},
    {"PRIVATEDNS", 253},
    {"PRIVATEOID", 254},
};
/* RFC 4398 2.1 */
static const struct scan_words cert_types[] = {
    {"PKIX", 1}, {"SPKI", 2},   {"PGP", 3},     {"IPKIX", 4}, {"ISPKI", 5},
    {"IPGP", 6}, {"ACPKIX", 7}, {"IACPKIX", 8}, {"URI", 253}, {"OID", 254},
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int put_base32(struct scan *s, const struct token *t, struct wcur *w)
{
    uint8_t *len = wcur_room(w, 1);
    uint32_t bits = 0;
    unsigned have = 0;
    const uint8_t *start = w->at;
    for (size_t i = 0; i < t->len; i++) {
        char c = t->at[i];
        int v = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'v' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (v < 0)
            return scan_fail(s, t->at + i, "not base32hex", ERR_SYNTAX);
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have >= 8)
            wcur_u8(w, (uint8_t)(bits >> (have -= 8)));
    }
    /* RFC 4648 6: what is left is less than a digit, and zero. */
    if (have >= 5 || bits & ((1u << have) - 1))
        return scan_fail(s, t->at, "base32hex ends in the midst of an octet", ERR_SYNTAX);
    if (len && w->at - start <= 255)
        *len = (uint8_t)(w->at - start);
    return w->at - start > 255 || w->at == start ? scan_fail(s, t->at, "not a hash", ERR_SYNTAX)
                                                 : 0;
}

static int put_bitmap(struct scan *s, struct wcur *w)
{
    uint8_t map[256][32] = {{0}};
    uint8_t used[256] = {0};
    struct token t;
    while (scan_token(s, &t)) {
        int type = dns_type_parse(t.at, t.len);
        if (type < 0)
            return scan_fail(s, t.at, "unknown type", ERR_SYNTAX);
        map[type >> 8][(type & 255) / 8] |= (uint8_t)(0x80 >> type % 8);
        if (used[type >> 8] < (type & 255) / 8 + 1)
            used[type >> 8] = (uint8_t)((type & 255) / 8 + 1);
    }
    for (unsigned win = 0; win < 256; win++) {
        if (!used[win])
            continue;
        wcur_u8(w, (uint8_t)win);
        wcur_u8(w, used[win]);
        wcur_bytes(w, map[win], used[win]);
    }
    return 0;
}

static int put_time(struct scan *s, const struct token *t, struct wcur *w)
{
    char text[16], again[16];
    struct tm tm = {0};
    uint32_t v = 0;
    if (t->len != 14) {
        int err = scan_number(s, t, UINT32_MAX, &v);
        wcur_u32(w, v);
        return err;
    }
    memcpy(text, t->at, 14);
    text[14] = 0;
    const char *end = strptime(text, "%Y%m%d%H%M%S", &tm);
    time_t seconds = timegm(&tm);
    /* RFC 4034 3.2; 30 February is a date to strptime, and another one when it is printed. */
    if (!end || *end || !strftime(again, sizeof again, "%Y%m%d%H%M%S", &tm) ||
        strcmp(text, again) != 0)
        return scan_fail(s, t->at, "expected YYYYMMDDHHMMSS", ERR_SYNTAX);
    wcur_u32(w, (uint32_t)seconds);
    return 0;
}

static int put_eui(struct scan *s, const struct token *t, struct wcur *w, unsigned octets)
{
    if (t->len != octets * 3 - 1)
        return scan_fail(s, t->at, "expected octets with dashes", ERR_SYNTAX);
    for (unsigned i = 0; i < octets; i++) {
        struct token two = {t->at + (size_t)i * 3, 2, false};
        if ((i + 1 < octets && two.at[2] != '-') || scan_hex(s, &two, w))
            return scan_fail(s, two.at, "expected octets with dashes", ERR_SYNTAX);
    }
    return 0;
}

static int put_string(struct scan *s, const struct token *t, struct wcur *w)
{
    uint8_t text[255];
    int n = scan_octets(s, t, text, sizeof text);
    if (n < 0)
        return n;
    wcur_u8(w, (uint8_t)n);
    wcur_bytes(w, text, (size_t)n);
    return 0;
}

static int put_scalar(struct scan *s, enum rdata_field f, const struct token *t, struct wcur *w)
{
    uint32_t v = 0;
    int err;
    if (f == FIELD_PERIOD)
        err = zonefile_ttl(t->at, t->len, &v);
    else if (f == FIELD_ALGORITHM)
        err = scan_word(s, t, algorithms, COUNT(algorithms), 255, &v);
    else if (f == FIELD_CERT_TYPE)
        err = scan_word(s, t, cert_types, COUNT(cert_types), 65535, &v);
    else
        err = scan_number(s, t, f == FIELD_U8 ? 255 : f == FIELD_U16 ? 65535 : UINT32_MAX, &v);
    if (err)
        return scan_fail(s, t->at, "expected a time in seconds", err);
    if (f == FIELD_U8 || f == FIELD_ALGORITHM)
        wcur_u8(w, (uint8_t)v);
    else if (f == FIELD_U16 || f == FIELD_CERT_TYPE)
        wcur_u16(w, (uint16_t)v);
    else
        wcur_u32(w, v);
    return 0;
}

/* The rest of the text, one field. */
static int put_rest(struct scan *s, enum rdata_field f, struct wcur *w)
{
    struct token t;
    int err = 0, n = 0;
    if (f == FIELD_BASE64)
        return scan_base64(s, NULL, w);
    if (f == FIELD_BITMAP)
        return put_bitmap(s, w);
    for (; !err && scan_token(s, &t); n++)
        err = f == FIELD_STRINGS ? put_string(s, &t, w) : scan_hex(s, &t, w);
    return err                        ? err
           : !n && f == FIELD_STRINGS ? scan_fail(s, s->end, "a text is missing", ERR_SYNTAX)
                                      : 0;
}

static int put_field(struct scan *s, enum rdata_field f, const uint8_t *origin, struct wcur *w)
{
    struct token t;
    switch (f) { /* these read their words themselves */
    case FIELD_LOC:
        return rdata_loc_parse(s, w);
    case FIELD_APL:
        return rdata_apl_parse(s, w);
    case FIELD_GATEWAY:
        return rdata_gateway_parse(s, origin, w);
    case FIELD_HIP:
        return rdata_hip_parse(s, origin, w);
    case FIELD_SVCPARAMS:
        return rdata_svcb_parse(s, w);
    default:
        break;
    }
    if (f == FIELD_STRINGS || f == FIELD_HEX || f == FIELD_BASE64 || f == FIELD_BITMAP)
        return put_rest(s, f, w);
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    switch (f) {
    case FIELD_NAME:
    case FIELD_NAME_LOWER:
    case FIELD_NAME_COMPRESSED:
        return scan_name(s, &t, origin, w);
    case FIELD_IP4:
        return scan_ip(s, &t, w, AF_INET, 4);
    case FIELD_IP6:
        return scan_ip(s, &t, w, AF_INET6, 16);
    case FIELD_TAG:
    case FIELD_STRING:
        return put_string(s, &t, w);
    case FIELD_TIME:
        return put_time(s, &t, w);
    case FIELD_HASH32:
        return put_base32(s, &t, w);
    case FIELD_EUI48:
        return put_eui(s, &t, w, 6);
    case FIELD_EUI64:
        return put_eui(s, &t, w, 8);
    case FIELD_TYPE: {
        int type = dns_type_parse(t.at, t.len);
        wcur_u16(w, (uint16_t)type);
        return type < 0 ? scan_fail(s, t.at, "unknown type", ERR_SYNTAX) : 0;
    }
    case FIELD_TEXT: {
        int n = scan_octets(s, &t, w->at, wcur_left(w));
        w->at += n > 0 ? n : 0;
        return n < 0 ? n : 0;
    }
    case FIELD_SALT:
        if (t.len == 1 && *t.at == '-')
            t.len = 0;
        if (t.len > 510)
            return scan_fail(s, t.at, "the salt is too long", ERR_RANGE);
        wcur_u8(w, (uint8_t)(t.len / 2));
        return scan_hex(s, &t, w);
    default:
        return put_scalar(s, f, &t, w);
    }
}

/* RFC 3597 5: \# length hex */
static int put_opaque(struct scan *s, struct wcur *w)
{
    struct token t;
    uint32_t len;
    int err = 0;
    if (!scan_token(s, &t) || scan_number(s, &t, 65535, &len))
        return scan_fail(s, s->at, "expected a length", ERR_SYNTAX);
    while (!err && scan_token(s, &t))
        err = scan_hex(s, &t, w);
    return err                  ? err
           : wcur_len(w) != len ? scan_fail(s, s->end, "length and data differ", ERR_SYNTAX)
                                : 0;
}

/* RFC 3597 5: is the first word "\#"? Then it is read. */
static bool scan_generic(struct scan *s)
{
    const char *start = s->at;
    struct token t;
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
    if (s->at < s->end && *s->at == '\\' && scan_token(s, &t) && t.len == 2 && t.at[1] == '#')
        return true;
    s->at = start;
    return false;
}

int dns_rdata_parse(uint16_t type, const char *text, size_t len, const uint8_t *origin,
                    uint8_t *out, size_t cap, size_t *bad, const char **why)
{
    struct scan s = {text, text, text + len, NULL, NULL};
    struct wcur w = wcur_of(out, cap);
    const struct rdata_row *row = rdata_row(type);
    struct token t;
    int err = 0;
    bool generic = scan_generic(&s);
    if (generic) {
        err = put_opaque(&s, &w);
        if (!err && !w.err && dns_rdata_check(type, out, wcur_len(&w)))
            err = scan_fail(&s, text, "the data does not suit the type", ERR_FORMAT);
    } else if (!row) {
        err = scan_fail(&s, text, "this type is written as \\# length hex", ERR_SYNTAX);
    } else {
        for (const uint8_t *f = row->fields; *f && !err; f++)
            err = put_field(&s, (enum rdata_field) * f, origin, &w);
        if (!err && scan_token(&s, &t))
            err = scan_fail(&s, t.at, "unexpected text after the record", ERR_SYNTAX);
    }
    if (!err && s.why)
        err = ERR_SYNTAX;
    if (!err && !w.err && row && dns_rdata_check(type, out, wcur_len(&w)))
        err = scan_fail(&s, text, "the data does not suit the type", ERR_FORMAT);
    const char *wrong =
        err || w.err || !row || generic ? NULL : rdata_whole_wrong(type, row, out, wcur_len(&w));
    if (wrong)
        err = scan_fail(&s, s.at, wrong, ERR_FORMAT);
    if (!err && w.err)
        err = scan_fail(&s, text, "the record is too long", w.err);
    *bad = s.where ? (size_t)(s.where - text) : 0;
    *why = s.why ? s.why : "";
    return err ? err : (int)wcur_len(&w);
}

/* ---- text out ---- */

static void print_base32(struct sheet *o, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n || have;) {
        if (have < 5 && i < n) {
            bits = bits << 8 | p[i++];
            have += 8;
        } else if (have < 5) {
            bits <<= 5 - have;
            have = 5;
        }
        char one[2] = {digits[bits >> (have - 5) & 31], 0};
        have -= 5;
        sheet_put(o, one);
    }
}

static void print_bitmap(struct sheet *o, const uint8_t *p, const uint8_t *end)
{
    const char *space = "";
    for (; p < end; p += 2 + p[1])
        for (unsigned i = 0; i < p[1] * 8u; i++) {
            char type[16];
            if (!(p[2 + i / 8] & (0x80 >> i % 8)))
                continue;
            sheet_put(o, space);
            sheet_put(o, dns_type_print((uint16_t)(p[0] << 8 | i), type));
            space = " ";
        }
}

static void print_time(struct sheet *o, uint32_t v)
{
    char text[16];
    time_t t = v;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y%m%d%H%M%S", &tm);
    sheet_put(o, text);
}

static void print_eui(struct sheet *o, const uint8_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char two[4];
        snprintf(two, sizeof two, "%s%02x", i ? "-" : "", p[i]);
        sheet_put(o, two);
    }
}

static void print_number(struct sheet *o, const uint8_t *p, size_t octets)
{
    sheet_number(o, octets == 1 ? *p : octets == 2 ? get_u16(p) : get_u32(p));
}

static void print_strings(struct sheet *o, const uint8_t *p, const uint8_t *end)
{
    for (const uint8_t *q = p; q < end; q += 1 + *q) {
        sheet_put(o, q == p ? "" : " ");
        sheet_quoted(o, q + 1, *q);
    }
}

static void print_salt(struct sheet *o, const uint8_t *p)
{
    if (*p)
        sheet_hex(o, p + 1, *p);
    else
        sheet_put(o, "-");
}

static void print_field(struct sheet *o, enum rdata_field f, const uint8_t *p, size_t n)
{
    char text[DNS_NAME_TEXT_MAX];
    switch (f) {
    case FIELD_NAME:
    case FIELD_NAME_LOWER:
    case FIELD_NAME_COMPRESSED:
        dns_name_print(p, text);
        sheet_put(o, text);
        return;
    case FIELD_U8:
    case FIELD_ALGORITHM:
    case FIELD_U16:
    case FIELD_CERT_TYPE:
    case FIELD_U32:
    case FIELD_PERIOD:
        print_number(o, p, n);
        return;
    case FIELD_TIME:
        print_time(o, get_u32(p));
        return;
    case FIELD_TYPE:
        sheet_put(o, dns_type_print(get_u16(p), text));
        return;
    case FIELD_IP4:
        sheet_put(o, inet_ntop(AF_INET, p, text, sizeof text));
        return;
    case FIELD_IP6:
        sheet_put(o, inet_ntop(AF_INET6, p, text, sizeof text));
        return;
    case FIELD_STRING:
        sheet_quoted(o, p + 1, *p);
        return;
    case FIELD_TAG:
        snprintf(text, sizeof text, "%.*s", *p, (const char *)p + 1);
        sheet_put(o, text);
        return;
    case FIELD_STRINGS:
        print_strings(o, p, p + n);
        return;
    case FIELD_TEXT:
        sheet_quoted(o, p, n);
        return;
    case FIELD_HEX:
        sheet_hex(o, p, n);
        return;
    case FIELD_BASE64:
        sheet_base64(o, p, n);
        return;
    case FIELD_SALT:
        print_salt(o, p);
        return;
    case FIELD_HASH32:
        print_base32(o, p + 1, *p);
        return;
    case FIELD_BITMAP:
        print_bitmap(o, p, p + n);
        return;
    case FIELD_EUI48:
    case FIELD_EUI64:
        print_eui(o, p, (unsigned)n);
        return;
    case FIELD_LOC:
        rdata_loc_print(o, p);
        return;
    case FIELD_APL:
        rdata_apl_print(o, p, n);
        return;
    case FIELD_GATEWAY:
        rdata_gateway_print(o, p);
        return;
    case FIELD_HIP:
        rdata_hip_print(o, p, n);
        return;
    case FIELD_SVCPARAMS:
        rdata_svcb_print(o, p, n);
        return;
    case FIELD_END:
        return;
    }
}

static void print_opaque(struct sheet *o, const uint8_t *rd, size_t len)
{
    char head[32];
    snprintf(head, sizeof head, "\\# %zu%s", len, len ? " " : "");
    sheet_put(o, head);
    sheet_hex(o, rd, len);
}

/* Fields that print nothing when they are empty, not even the space before them. */
static bool is_optional(enum rdata_field f)
{
    return f == FIELD_BITMAP || f == FIELD_HEX || f == FIELD_BASE64 || f == FIELD_SVCPARAMS;
}

/* False: a field has no text of its own. */
static bool print_fields(struct sheet *o, const struct rdata_row *row, const uint8_t *p,
                         const uint8_t *end)
{
    for (const uint8_t *at = row->fields; *at; at++) {
        enum rdata_field f = (enum rdata_field) * at;
        int n = rdata_field_len(f, p, end);
        if (n < 0 || rdata_field_is_opaque(f, p, (size_t)n))
            return false;
        if (at != row->fields && (n || !is_optional(f)))
            sheet_put(o, " ");
        print_field(o, f, p, (size_t)n);
        p += n;
    }
    return p == end;
}

int dns_rdata_print(uint16_t type, const uint8_t *rd, size_t len, char *out, size_t cap)
{
    const struct rdata_row *row = rdata_row(type);
    struct sheet o = {out, out + cap, cap == 0};
    if (!cap)
        return ERR_SPACE;
    *out = 0;
    if (!row || rdata_whole_wrong(type, row, rd, len) || !print_fields(&o, row, rd, rd + len)) {
        o = (struct sheet){out, out + cap, false};
        print_opaque(&o, rd, len);
    }
    return o.full ? ERR_SPACE : (int)(o.at - out);
}
