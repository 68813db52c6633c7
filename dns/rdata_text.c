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

struct scan {
    const char *start, *at, *end;
    const char *why;   /* first complaint */
    const char *where; /* its place */
};

struct token {
    const char *at;
    size_t len;
    bool quoted;
};

static int scan_fail(struct scan *s, const char *where, const char *why, int err)
{
    if (!s->why) {
        s->why = why;
        s->where = where;
    }
    return err;
}

static bool scan_token(struct scan *s, struct token *t)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
    if (s->at == s->end)
        return false;
    t->quoted = *s->at == '"';
    s->at += t->quoted;
    t->at = s->at;
    while (s->at < s->end) {
        char c = *s->at;
        if (c == '\\' && s->at + 1 < s->end) {
            s->at += 2;
            continue;
        }
        if (t->quoted ? c == '"' : c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"')
            break;
        s->at++;
    }
    t->len = (size_t)(s->at - t->at);
    if (t->quoted) {
        if (s->at == s->end) {
            scan_fail(s, t->at - 1, "a quote is not closed", ERR_SYNTAX);
            return false;
        }
        s->at++;
    }
    return true;
}

/* Octets of a character-string, escapes resolved; the count or an error. */
static int scan_octets(struct scan *s, const struct token *t, uint8_t *out, size_t cap)
{
    size_t n = 0;
    for (const char *p = t->at, *e = p + t->len; p < e; n++) {
        unsigned v = (uint8_t)*p++;
        if (v == '\\' && p < e) {
            if (*p < '0' || *p > '9') {
                v = (uint8_t)*p++;
            } else {
                if (e - p < 3 || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
                    return scan_fail(s, p - 1, "an escape needs three digits", ERR_ESCAPE);
                v = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 +
                    (unsigned)(p[2] - '0');
                p += 3;
                if (v > 255)
                    return scan_fail(s, p - 4, "an escape is above 255", ERR_ESCAPE);
            }
        }
        if (n == cap)
            return scan_fail(s, t->at, "the text is too long", ERR_SPACE);
        out[n] = (uint8_t)v;
    }
    return (int)n;
}

static int scan_number(struct scan *s, const struct token *t, uint32_t max, uint32_t *v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->len; i++) {
        if (t->at[i] < '0' || t->at[i] > '9')
            return scan_fail(s, t->at, "expected a number", ERR_SYNTAX);
        n = n * 10 + (uint64_t)(t->at[i] - '0');
        if (n > max)
            return scan_fail(s, t->at, "the number is too large", ERR_RANGE);
    }
    *v = (uint32_t)n;
    return t->len ? 0 : scan_fail(s, t->at, "expected a number", ERR_SYNTAX);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int put_hex(struct scan *s, const struct token *t, struct wcur *w)
{
    if (t->len % 2)
        return scan_fail(s, t->at, "hexadecimal digits come in pairs", ERR_SYNTAX);
    for (size_t i = 0; i < t->len; i += 2) {
        int hi = hex_digit(t->at[i]), lo = hex_digit(t->at[i + 1]);
        if (hi < 0 || lo < 0)
            return scan_fail(s, t->at + i, "not a hexadecimal digit", ERR_SYNTAX);
        wcur_u8(w, (uint8_t)(hi << 4 | lo));
    }
    return 0;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* To the end of the text, over token borders. */
static int put_base64(struct scan *s, struct wcur *w)
{
    struct token t;
    uint32_t bits = 0;
    unsigned have = 0, pads = 0, chars = 0;
    while (scan_token(s, &t))
        for (size_t i = 0; i < t.len; i++, chars++) {
            if (t.at[i] == '=') {
                pads++;
                continue;
            }
            int v = base64_value(t.at[i]);
            if (v < 0 || pads)
                return scan_fail(s, t.at + i, "not base64", ERR_SYNTAX);
            bits = bits << 6 | (uint32_t)v;
            have += 6;
            if (have >= 8)
                wcur_u8(w, (uint8_t)(bits >> (have -= 8)));
        }
    return chars % 4 || pads > 2 ? scan_fail(s, s->end, "base64 ends early", ERR_SYNTAX) : 0;
}

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
    char text[16];
    struct tm tm = {0};
    uint32_t v = 0;
    if (t->len != 14) {
        int err = scan_number(s, t, UINT32_MAX, &v);
        wcur_u32(w, v);
        return err;
    }
    memcpy(text, t->at, 14);
    text[14] = 0;
    if (!strptime(text, "%Y%m%d%H%M%S", &tm))
        return scan_fail(s, t->at, "expected YYYYMMDDHHMMSS", ERR_SYNTAX);
    wcur_u32(w, (uint32_t)timegm(&tm));
    return 0;
}

static int put_eui(struct scan *s, const struct token *t, struct wcur *w, unsigned octets)
{
    if (t->len != octets * 3 - 1)
        return scan_fail(s, t->at, "expected octets with dashes", ERR_SYNTAX);
    for (unsigned i = 0; i < octets; i++) {
        struct token two = {t->at + (size_t)i * 3, 2, false};
        if ((i + 1 < octets && two.at[2] != '-') || put_hex(s, &two, w))
            return scan_fail(s, two.at, "expected octets with dashes", ERR_SYNTAX);
    }
    return 0;
}

static int put_ip(struct scan *s, const struct token *t, struct wcur *w, int family, size_t octets)
{
    char text[64];
    uint8_t ip[16];
    if (t->len >= sizeof text)
        return scan_fail(s, t->at, "not an address", ERR_SYNTAX);
    memcpy(text, t->at, t->len);
    text[t->len] = 0;
    if (inet_pton(family, text, ip) != 1)
        return scan_fail(s, t->at,
                         family == AF_INET ? "not an IPv4 address" : "not an IPv6 address",
                         ERR_SYNTAX);
    wcur_bytes(w, ip, octets);
    return 0;
}

static int put_name(struct scan *s, const struct token *t, const uint8_t *origin, struct wcur *w)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_parse(name, t->at, t->len, origin);
    if (n < 0)
        return scan_fail(s, t->at, err_text(n), n);
    wcur_bytes(w, name, (size_t)n);
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
    int err = f == FIELD_PERIOD ? zonefile_ttl(t->at, t->len, &v)
                                : scan_number(s, t,
                                              f == FIELD_U8    ? 255
                                              : f == FIELD_U16 ? 65535
                                                               : UINT32_MAX,
                                              &v);
    if (err)
        return scan_fail(s, t->at, "expected a time in seconds", err);
    if (f == FIELD_U8)
        wcur_u8(w, (uint8_t)v);
    else if (f == FIELD_U16)
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
        return put_base64(s, w);
    if (f == FIELD_BITMAP)
        return put_bitmap(s, w);
    for (; !err && scan_token(s, &t); n++)
        err = f == FIELD_STRINGS ? put_string(s, &t, w) : put_hex(s, &t, w);
    return err                        ? err
           : !n && f == FIELD_STRINGS ? scan_fail(s, s->end, "a text is missing", ERR_SYNTAX)
                                      : 0;
}

static int put_field(struct scan *s, enum rdata_field f, const uint8_t *origin, struct wcur *w)
{
    struct token t;
    if (f == FIELD_STRINGS || f == FIELD_HEX || f == FIELD_BASE64 || f == FIELD_BITMAP)
        return put_rest(s, f, w);
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    switch (f) {
    case FIELD_NAME:
    case FIELD_NAME_LOWER:
    case FIELD_NAME_COMPRESSED:
        return put_name(s, &t, origin, w);
    case FIELD_IP4:
        return put_ip(s, &t, w, AF_INET, 4);
    case FIELD_IP6:
        return put_ip(s, &t, w, AF_INET6, 16);
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
        return put_hex(s, &t, w);
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
        err = put_hex(s, &t, w);
    return err                  ? err
           : wcur_len(w) != len ? scan_fail(s, s->end, "length and data differ", ERR_SYNTAX)
                                : 0;
}

int dns_rdata_parse(uint16_t type, const char *text, size_t len, const uint8_t *origin,
                    uint8_t *out, size_t cap, size_t *bad, const char **why)
{
    struct scan s = {text, text, text + len, NULL, NULL};
    struct wcur w = wcur_of(out, cap);
    const struct rdata_row *row = rdata_row(type);
    struct token t;
    int err = 0;
    bool generic = scan_token(&s, &t) && t.len == 2 && t.at[0] == '\\' && t.at[1] == '#';
    if (generic) {
        err = put_opaque(&s, &w);
        if (!err && !w.err && dns_rdata_check(type, out, wcur_len(&w)))
            err = scan_fail(&s, text, "the data does not suit the type", ERR_FORMAT);
    } else if (!row) {
        err = scan_fail(&s, text, "this type is written as \\# length hex", ERR_SYNTAX);
    } else {
        s.at = text;
        for (const uint8_t *f = row->fields; *f && !err; f++)
            err = put_field(&s, (enum rdata_field) * f, origin, &w);
        if (!err && scan_token(&s, &t))
            err = scan_fail(&s, t.at, "unexpected text after the record", ERR_SYNTAX);
    }
    if (!err && s.why)
        err = ERR_SYNTAX;
    if (!err && !w.err && row && dns_rdata_check(type, out, wcur_len(&w)))
        err = scan_fail(&s, text, "the data does not suit the type", ERR_FORMAT);
    if (!err && w.err)
        err = scan_fail(&s, text, "the record is too long", w.err);
    *bad = s.where ? (size_t)(s.where - text) : 0;
    *why = s.why ? s.why : "";
    return err ? err : (int)wcur_len(&w);
}

/* ---- text out ---- */

struct sheet {
    char *at, *end;
    bool full;
};

static void put_text(struct sheet *o, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(o->end - o->at) <= n) {
        o->full = true;
        return;
    }
    memcpy(o->at, text, n + 1);
    o->at += n;
}

static void print_hex(struct sheet *o, const uint8_t *p, size_t n)
{
    char two[3];
    for (size_t i = 0; i < n; i++) {
        snprintf(two, sizeof two, "%02X", p[i]);
        put_text(o, two);
    }
}

static void print_quoted(struct sheet *o, const uint8_t *p, size_t n)
{
    put_text(o, "\"");
    for (size_t i = 0; i < n; i++) {
        char c[5];
        if (p[i] == '"' || p[i] == '\\')
            snprintf(c, sizeof c, "\\%c", p[i]);
        else if (p[i] < 0x20 || p[i] >= 0x7f)
            snprintf(c, sizeof c, "\\%03u", p[i]);
        else
            snprintf(c, sizeof c, "%c", p[i]);
        put_text(o, c);
    }
    put_text(o, "\"");
}

static void print_base64(struct sheet *o, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        char four[5] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '=', 0};
        put_text(o, four);
    }
}

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
        put_text(o, one);
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
            put_text(o, space);
            put_text(o, dns_type_print((uint16_t)(p[0] << 8 | i), type));
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
    put_text(o, text);
}

static void print_eui(struct sheet *o, const uint8_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char two[4];
        snprintf(two, sizeof two, "%s%02x", i ? "-" : "", p[i]);
        put_text(o, two);
    }
}

static void print_number(struct sheet *o, uint32_t v)
{
    char text[12];
    snprintf(text, sizeof text, "%u", v);
    put_text(o, text);
}

static void print_field(struct sheet *o, enum rdata_field f, const uint8_t *p, size_t n)
{
    char text[DNS_NAME_TEXT_MAX];
    switch (f) {
    case FIELD_NAME:
    case FIELD_NAME_LOWER:
    case FIELD_NAME_COMPRESSED:
        dns_name_print(p, text);
        put_text(o, text);
        return;
    case FIELD_U8:
        print_number(o, *p);
        return;
    case FIELD_U16:
        print_number(o, get_u16(p));
        return;
    case FIELD_U32:
    case FIELD_PERIOD:
        print_number(o, get_u32(p));
        return;
    case FIELD_TIME:
        print_time(o, get_u32(p));
        return;
    case FIELD_TYPE:
        put_text(o, dns_type_print(get_u16(p), text));
        return;
    case FIELD_IP4:
        put_text(o, inet_ntop(AF_INET, p, text, sizeof text));
        return;
    case FIELD_IP6:
        put_text(o, inet_ntop(AF_INET6, p, text, sizeof text));
        return;
    case FIELD_STRING:
        print_quoted(o, p + 1, *p);
        return;
    case FIELD_TAG:
        snprintf(text, sizeof text, "%.*s", *p, (const char *)p + 1);
        put_text(o, text);
        return;
    case FIELD_STRINGS:
        for (const uint8_t *q = p; q < p + n; q += 1 + *q) {
            put_text(o, q == p ? "" : " ");
            print_quoted(o, q + 1, *q);
        }
        return;
    case FIELD_TEXT:
        print_quoted(o, p, n);
        return;
    case FIELD_HEX:
        print_hex(o, p, n);
        return;
    case FIELD_BASE64:
        print_base64(o, p, n);
        return;
    case FIELD_SALT:
        if (*p)
            print_hex(o, p + 1, *p);
        else
            put_text(o, "-");
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
    case FIELD_END:
        return;
    }
}

int dns_rdata_print(uint16_t type, const uint8_t *rd, size_t len, char *out, size_t cap)
{
    const struct rdata_row *row = rdata_row(type);
    struct sheet o = {out, out + cap, cap == 0};
    if (!cap)
        return ERR_SPACE;
    *out = 0;
    if (!row || dns_rdata_check(type, rd, len)) {
        char head[24];
        snprintf(head, sizeof head, "\\# %zu%s", len, len ? " " : "");
        put_text(&o, head);
        print_hex(&o, rd, len);
        return o.full ? ERR_SPACE : (int)(o.at - out);
    }
    const uint8_t *p = rd, *end = rd + len;
    for (const uint8_t *f = row->fields; *f; f++) {
        int n = rdata_field_len((enum rdata_field) * f, p, end);
        if (f != row->fields &&
            (n || (*f != FIELD_BITMAP && *f != FIELD_HEX && *f != FIELD_BASE64)))
            put_text(&o, " ");
        print_field(&o, (enum rdata_field) * f, p, (size_t)n);
        p += n;
    }
    return o.full ? ERR_SPACE : (int)(o.at - out);
}
