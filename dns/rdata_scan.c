/* dns/rdata_scan.c: words of a record's text, and the values most types share. */
#include "rdata_scan_priv.h"

#include <arpa/inet.h>
#include <strings.h>

int scan_fail(struct scan *s, const char *where, const char *why, int err)
{
    if (!s->why) {
        s->why = why;
        s->where = where;
    }
    return err;
}

bool scan_token(struct scan *s, struct token *t)
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
int scan_octets(struct scan *s, const struct token *t, uint8_t *out, size_t cap)
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

int scan_number(struct scan *s, const struct token *t, uint32_t max, uint32_t *v)
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

int scan_word(struct scan *s, const struct token *t, const struct scan_words *words, size_t n,
              uint32_t max, uint32_t *v)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i].text) == t->len && strncasecmp(words[i].text, t->at, t->len) == 0) {
            *v = words[i].number;
            return 0;
        }
    if (t->len && *t->at >= '0' && *t->at <= '9')
        return scan_number(s, t, max, v);
    return scan_fail(s, t->at, "neither a number nor a known mnemonic", ERR_SYNTAX);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int scan_hex(struct scan *s, const struct token *t, struct wcur *w)
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

struct base64 {
    uint32_t bits;
    unsigned have, pads, chars;
};

static int base64_feed(struct scan *s, struct base64 *b, const struct token *t, struct wcur *w)
{
    for (size_t i = 0; i < t->len; i++, b->chars++) {
        if (t->at[i] == '=') {
            b->pads++;
            continue;
        }
        int v = base64_value(t->at[i]);
        if (v < 0 || b->pads)
            return scan_fail(s, t->at + i, "not base64", ERR_SYNTAX);
        b->bits = b->bits << 6 | (uint32_t)v;
        b->have += 6;
        if (b->have >= 8)
            wcur_u8(w, (uint8_t)(b->bits >> (b->have -= 8)));
    }
    return 0;
}

int scan_base64(struct scan *s, const struct token *one, struct wcur *w)
{
    struct base64 b = {0};
    struct token t;
    int err = one ? base64_feed(s, &b, one, w) : 0;
    while (!one && !err && scan_token(s, &t))
        err = base64_feed(s, &b, &t, w);
    if (err)
        return err;
    const char *where = one ? one->at : s->end;
    if (b.chars % 4 || b.pads > 2)
        return scan_fail(s, where, "base64 ends early", ERR_SYNTAX);
    /* RFC 4648 3.5: bits that no octet takes are zero; otherwise a digit is not what was meant. */
    return b.bits & ((1u << b.have) - 1)
               ? scan_fail(s, where, "base64 ends in the midst of an octet", ERR_SYNTAX)
               : 0;
}

/* Four numbers without leading zeros, as inet_pton has it. */
static bool read_ip4(const struct token *t, uint8_t ip[4])
{
    const char *p = t->at, *end = p + t->len;
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = 0;
        if (i && (p == end || *p++ != '.'))
            return false;
        const char *first = p;
        for (; p < end && *p >= '0' && *p <= '9' && v <= 255; p++)
            v = v * 10 + (unsigned)(*p - '0');
        if (p == first || v > 255 || (*first == '0' && p - first > 1))
            return false;
        ip[i] = (uint8_t)v;
    }
    return p == end;
}

static bool read_ip6(const struct token *t, uint8_t ip[16])
{
    char text[64];
    if (t->len >= sizeof text)
        return false;
    memcpy(text, t->at, t->len);
    text[t->len] = 0;
    return inet_pton(AF_INET6, text, ip) == 1;
}

int scan_ip(struct scan *s, const struct token *t, struct wcur *w, int family, size_t octets)
{
    uint8_t ip[16];
    if (family == AF_INET ? !read_ip4(t, ip) : !read_ip6(t, ip))
        return scan_fail(s, t->at,
                         family == AF_INET ? "not an IPv4 address" : "not an IPv6 address",
                         ERR_SYNTAX);
    wcur_bytes(w, ip, octets);
    return 0;
}

int scan_name(struct scan *s, const struct token *t, const uint8_t *origin, struct wcur *w)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_parse(name, t->at, t->len, origin);
    if (n < 0)
        return scan_fail(s, t->at, err_text(n), n);
    wcur_bytes(w, name, (size_t)n);
    return 0;
}
