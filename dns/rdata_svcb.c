/* dns/rdata_svcb.c: the parameters of SVCB and HTTPS (RFC 9460, dohpath RFC 9461).
 * Each is key, length, value; keys ascend, so that none comes twice. A row per key says what its
 * value is made of; keys without a row hold any octets. */
#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

enum svc_key {
    SVC_MANDATORY = 0,
    SVC_ALPN = 1,
    SVC_NO_DEFAULT_ALPN = 2,
};

enum svc_kind {
    SVC_OCTETS,
    SVC_KEYS,
    SVC_LIST,
    SVC_EMPTY,
    SVC_PORT,
    SVC_IP4,
    SVC_IP6,
    SVC_BASE64,
    SVC_PATH
};

static const struct svc_row {
    const char *name;
    enum svc_kind kind;
} svc_rows[] = {
    {"mandatory", SVC_KEYS}, {"alpn", SVC_LIST},    {"no-default-alpn", SVC_EMPTY},
    {"port", SVC_PORT},      {"ipv4hint", SVC_IP4}, {"ech", SVC_BASE64},
    {"ipv6hint", SVC_IP6},   {"dohpath", SVC_PATH},
};
#define SVC_ROWS (sizeof svc_rows / sizeof *svc_rows)

static enum svc_kind kind_of(uint32_t key)
{
    return key < SVC_ROWS ? svc_rows[key].kind : SVC_OCTETS;
}

/* ---- wire ---- */

struct param {
    const uint8_t *value;
    uint16_t key, len;
};

/* The parameter at *p, which is stepped over it; false when it is cut. */
static bool next_param(const uint8_t **p, const uint8_t *end, struct param *out)
{
    if (end - *p < 4 || end - *p < 4 + get_u16(*p + 2))
        return false;
    *out = (struct param){*p + 4, get_u16(*p), get_u16(*p + 2)};
    *p += 4 + out->len;
    return true;
}

static bool has_key(const uint8_t *p, const uint8_t *end, uint16_t key)
{
    struct param v;
    while (p < end && next_param(&p, end, &v))
        if (v.key == key)
            return true;
    return false;
}

/* RFC 9460 8: ascending, never "mandatory" itself, and each of them present. NULL is good. */
static const char *check_mandatory(const struct param *v, const uint8_t *all, const uint8_t *end)
{
    int last = SVC_MANDATORY;
    for (unsigned i = 0; i + 1 < v->len; i += 2) {
        uint16_t key = get_u16(v->value + i);
        if (key == SVC_MANDATORY)
            return "mandatory does not list itself";
        if (key <= last)
            return "a mandatory key comes twice, or out of order";
        if (!has_key(all, end, key))
            return "a mandatory key is missing";
        last = key;
    }
    return v->len % 2 || !v->len ? "mandatory lists keys" : NULL;
}

static bool list_is_good(const struct param *v)
{
    const uint8_t *p = v->value, *end = p + v->len;
    while (p < end && *p && end - p > *p)
        p += 1 + *p;
    return v->len && p == end;
}

/* RFC 3629 4, without overlong forms and surrogates. */
static bool utf8_is_good(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t from, to, low, high, more; /* first octet, second octet, octets after the first */
    } rows[] = {
        {0x00, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
        {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
        {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3}};
    for (size_t i = 0, r; i < n; i += 1u + rows[r].more) {
        for (r = 0; r < sizeof rows / sizeof *rows; r++)
            if (p[i] >= rows[r].from && p[i] <= rows[r].to)
                break;
        if (r == sizeof rows / sizeof *rows || n - i <= rows[r].more)
            return false;
        for (unsigned k = 1; k <= rows[r].more; k++)
            if (p[i + k] < (k == 1 ? rows[r].low : 0x80) ||
                p[i + k] > (k == 1 ? rows[r].high : 0xbf))
                return false;
    }
    return true;
}

/* RFC 9461 5: a relative URI template with a variable "dns" in one of its expressions. */
static bool path_is_good(const struct param *v)
{
    bool inside = false, has_dns = false;
    size_t start = 0;
    if (!v->len || v->value[0] != '/' || !utf8_is_good(v->value, v->len))
        return false;
    for (size_t i = 0; i < v->len; i++) {
        uint8_t c = v->value[i];
        if (!inside && c == '}')
            return false;
        if (c == '{') {
            if (inside)
                return false;
            inside = true;
            /* RFC 6570 2.2: an operator may come first. */
            start = i + 1 + (i + 1 < v->len && memchr("+#./;?&", v->value[i + 1], 7) != NULL);
        } else if (inside && (c == ',' || c == '}' || c == ':' || c == '*')) {
            has_dns |= i >= start && i - start == 3 && memcmp(v->value + start, "dns", 3) == 0;
            start = i + 1;
            inside = c != '}';
        }
    }
    return has_dns && !inside;
}

/* NULL: the value suits its key. */
static const char *check_value(const struct param *v, const uint8_t *all, const uint8_t *end)
{
    switch (kind_of(v->key)) {
    case SVC_KEYS:
        return check_mandatory(v, all, end);
    case SVC_LIST:
        return list_is_good(v) ? NULL : "alpn lists protocols of 1 to 255 octets";
    case SVC_EMPTY:
        return v->len ? "no-default-alpn takes no value" : NULL;
    case SVC_PORT:
        return v->len == 2 ? NULL : "port is a number";
    case SVC_IP4:
        return v->len && v->len % 4 == 0 ? NULL : "ipv4hint lists IPv4 addresses";
    case SVC_IP6:
        return v->len && v->len % 16 == 0 ? NULL : "ipv6hint lists IPv6 addresses";
    case SVC_BASE64:
        return v->len ? NULL : "ech needs a value";
    case SVC_PATH:
        return path_is_good(v) ? NULL : "dohpath is a template like /dns-query{?dns}";
    case SVC_OCTETS:
        break;
    }
    return NULL;
}

/* NULL: all parameters are good. */
static const char *check_params(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *all = p;
    struct param v;
    for (int last = -1; p < end; last = v.key) {
        if (!next_param(&p, end, &v))
            return "a parameter is cut";
        if (v.key <= last)
            return "a key comes twice, or out of order";
        const char *why = check_value(&v, all, end);
        if (why)
            return why;
    }
    return NULL;
}

int rdata_svcb_len(const uint8_t *p, const uint8_t *end)
{
    return check_params(p, end) ? ERR_FORMAT : (int)(end - p);
}

/* RFC 9460 2.4.3, 7.1.1: not self-consistent; it may be met on the wire, never in a master file. */
static bool lacks_alpn(const uint8_t *p, const uint8_t *end)
{
    return has_key(p, end, SVC_NO_DEFAULT_ALPN) && !has_key(p, end, SVC_ALPN);
}

bool rdata_svcb_is_opaque(const uint8_t *p, size_t n)
{
    return lacks_alpn(p, p + n);
}

/* ---- text in ---- */

/* "alpn" or "key123"; negative when it is neither (RFC 9460 2.1). */
static int key_of(const char *text, size_t len)
{
    for (unsigned i = 0; i < SVC_ROWS; i++)
        if (strlen(svc_rows[i].name) == len && memcmp(svc_rows[i].name, text, len) == 0)
            return (int)i;
    if (len < 4 || len > 8 || memcmp(text, "key", 3) != 0 || (text[3] == '0' && len > 4))
        return ERR_SYNTAX;
    int v = 0;
    for (size_t i = 3; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_SYNTAX;
        v = v * 10 + (text[i] - '0');
    }
    return v > 65535 ? ERR_SYNTAX : v;
}

/* One value as read: octets with the character-string's escapes resolved, and a place to complain
 * about. */
struct value {
    struct scan *s;
    const char *where;
    const char *at;
    size_t len;
};

static int value_fail(const struct value *v, const char *why)
{
    return scan_fail(v->s, v->where, why, ERR_SYNTAX);
}

/* Up to the next comma; false at the end. */
static bool next_item(struct value *v, struct token *item)
{
    if (!v->at)
        return false;
    const char *comma = memchr(v->at, ',', v->len);
    size_t n = comma ? (size_t)(comma - v->at) : v->len;
    *item = (struct token){v->at, n, false};
    v->len -= comma ? n + 1 : n;
    v->at = comma ? comma + 1 : NULL;
    return true;
}

static int cmp_u16(const void *a, const void *b)
{
    return memcmp(a, b, 2);
}

static int put_keys(struct value *v, struct wcur *w)
{
    struct token item;
    uint8_t *start = w->at;
    while (next_item(v, &item)) {
        int key = key_of(item.at, item.len);
        if (key < 0)
            return value_fail(v, "mandatory lists keys");
        wcur_u16(w, (uint16_t)key);
    }
    qsort(start, (size_t)(w->at - start) / 2, 2, cmp_u16); /* any order in text, one on the wire */
    return 0;
}

/* RFC 9460 A.1: a comma parts items unless a backslash stands before it. */
static int put_list(const struct value *v, struct wcur *w)
{
    uint8_t item[255];
    size_t n = 0;
    for (size_t i = 0; i <= v->len; i++) {
        if (i == v->len || v->at[i] == ',') {
            wcur_u8(w, (uint8_t)n);
            wcur_bytes(w, item, n);
            n = 0;
            continue;
        }
        if (v->at[i] == '\\') {
            i++;
            if (i == v->len || (v->at[i] != '\\' && v->at[i] != ','))
                return value_fail(v, "a backslash in a list stands before a comma or a backslash");
        }
        if (n == sizeof item)
            return value_fail(v, "alpn lists protocols of 1 to 255 octets");
        item[n++] = (uint8_t)v->at[i];
    }
    return 0;
}

static int put_ips(struct value *v, struct wcur *w, int af, const char *why)
{
    struct token item;
    while (next_item(v, &item)) {
        char text[INET6_ADDRSTRLEN];
        uint8_t ip[16];
        if (item.len >= sizeof text)
            return value_fail(v, why);
        memcpy(text, item.at, item.len);
        text[item.len] = 0;
        if (inet_pton(af, text, ip) != 1)
            return value_fail(v, why);
        wcur_bytes(w, ip, af == AF_INET ? 4 : 16);
    }
    return 0;
}

static int put_port(const struct value *v, struct wcur *w)
{
    struct scan numbers = {v->at, v->at, v->at + v->len, NULL, NULL};
    struct token t = {v->at, v->len, false};
    uint32_t port;
    if (scan_number(&numbers, &t, 65535, &port))
        return value_fail(v, "port is a number");
    wcur_u16(w, (uint16_t)port);
    return 0;
}

static int put_ech(const struct value *v, struct wcur *w)
{
    struct scan digits = {v->at, v->at, v->at + v->len, NULL, NULL};
    struct token t = {v->at, v->len, false};
    return scan_base64(&digits, &t, w) ? value_fail(v, "ech is base64") : 0;
}

static int put_value(enum svc_kind kind, struct value *v, struct wcur *w)
{
    switch (kind) {
    case SVC_KEYS:
        return put_keys(v, w);
    case SVC_LIST:
        return put_list(v, w);
    case SVC_PORT:
        return put_port(v, w);
    case SVC_IP4:
        return put_ips(v, w, AF_INET, "ipv4hint lists IPv4 addresses");
    case SVC_IP6:
        return put_ips(v, w, AF_INET6, "ipv6hint lists IPv6 addresses");
    case SVC_BASE64:
        return put_ech(v, w);
    case SVC_EMPTY:
    case SVC_PATH:
    case SVC_OCTETS:
        break;
    }
    wcur_bytes(w, v->at, v->len);
    return 0;
}

static void reverse(uint8_t *p, const uint8_t *end)
{
    for (size_t i = 0, n = (size_t)(end - p); i < n / 2; i++) {
        uint8_t c = p[i];
        p[i] = p[n - 1 - i];
        p[n - 1 - i] = c;
    }
}

/* Moves the parameter at `added`, the last one, to its place. */
static int sort_in(struct scan *s, const char *where, uint8_t *first, uint8_t *added, uint8_t *end)
{
    uint16_t key = get_u16(added);
    uint8_t *at = first;
    while (at < added && get_u16(at) < key)
        at += 4 + get_u16(at + 2);
    if (at == added)
        return 0;
    if (get_u16(at) == key)
        return scan_fail(s, where, "a key comes twice", ERR_EXISTS);
    reverse(at, added);
    reverse(added, end);
    reverse(at, end);
    return 0;
}

/* key or key=value; a quoted value is a word of its own behind "key=". */
static int put_param(struct scan *s, const struct token *word, uint8_t *first, struct wcur *w)
{
    const char *equals = memchr(word->at, '=', word->len);
    struct token value = {word->at + word->len, 0, false};
    size_t name_len = equals ? (size_t)(equals - word->at) : word->len;
    int key = word->quoted ? ERR_SYNTAX : key_of(word->at, name_len);
    if (key < 0)
        return scan_fail(s, word->at, "unknown key", ERR_SYNTAX);
    if (equals)
        value = (struct token){equals + 1, word->len - name_len - 1, false};
    if (equals && !value.len && s->at < s->end && *s->at == '"' && !scan_token(s, &value))
        return ERR_SYNTAX;
    enum svc_kind kind = word->at[0] == 'k' ? SVC_OCTETS : kind_of((uint32_t)key);
    if (!value.len && kind != SVC_EMPTY && kind != SVC_OCTETS)
        return scan_fail(s, word->at, "this key needs a value", ERR_SYNTAX);
    char *octets = malloc(value.len + 1);
    if (!octets)
        return scan_fail(s, word->at, err_text(ERR_NOMEM), ERR_NOMEM);
    int n = scan_octets(s, &value, (uint8_t *)octets, value.len), err = n < 0 ? n : 0;
    uint8_t *head = wcur_room(w, 4), *start = w->at;
    if (!err) {
        struct value v = {s, value.at, octets, (size_t)n};
        err = put_value(kind, &v, w);
    }
    free(octets);
    if (err || w->err)
        return err;
    if (w->at - start > 65535)
        return scan_fail(s, value.at, "the value is too long", ERR_RANGE);
    put_u16(head, (uint16_t)key);
    put_u16(head + 2, (uint16_t)(w->at - start));
    return sort_in(s, word->at, first, head, w->at);
}

int rdata_svcb_parse(struct scan *s, struct wcur *w)
{
    uint8_t *first = w->at;
    const char *text = s->at;
    struct token t;
    int err = 0;
    while (!err && !w->err && scan_token(s, &t))
        err = put_param(s, &t, first, w);
    if (err || w->err || !first)
        return err;
    const char *why = check_params(first, w->at);
    if (!why && lacks_alpn(first, w->at))
        why = "no-default-alpn needs alpn";
    return why ? scan_fail(s, text, why, ERR_FORMAT) : 0;
}

/* ---- text out ---- */

static void print_key(struct sheet *o, uint16_t key)
{
    char text[16];
    snprintf(text, sizeof text, "key%u", key);
    sheet_put(o, key < SVC_ROWS ? svc_rows[key].name : text);
}

static void print_list(struct sheet *o, const struct param *v)
{
    const char *mark = "\"";
    for (const uint8_t *p = v->value, *end = p + v->len; p < end; p += 1 + *p, mark = ",") {
        sheet_put(o, mark);
        for (unsigned i = 1; i <= *p; i++) {
            if (p[i] == ',' || p[i] == '\\')
                sheet_octet(o, '\\');
            sheet_octet(o, p[i]);
        }
    }
    sheet_put(o, "\"");
}

static void print_ips(struct sheet *o, const struct param *v, int af, unsigned octets)
{
    char ip[INET6_ADDRSTRLEN];
    for (unsigned i = 0; i < v->len; i += octets) {
        sheet_put(o, i ? "," : "");
        sheet_put(o, inet_ntop(af, v->value + i, ip, sizeof ip));
    }
}

static void print_value(struct sheet *o, const struct param *v)
{
    switch (kind_of(v->key)) {
    case SVC_KEYS:
        for (unsigned i = 0; i < v->len; i += 2) {
            sheet_put(o, i ? "," : "");
            print_key(o, get_u16(v->value + i));
        }
        return;
    case SVC_LIST:
        print_list(o, v);
        return;
    case SVC_PORT:
        sheet_number(o, get_u16(v->value));
        return;
    case SVC_IP4:
        print_ips(o, v, AF_INET, 4);
        return;
    case SVC_IP6:
        print_ips(o, v, AF_INET6, 16);
        return;
    case SVC_BASE64:
        sheet_base64(o, v->value, v->len);
        return;
    case SVC_EMPTY:
    case SVC_PATH:
    case SVC_OCTETS:
        break;
    }
    sheet_quoted(o, v->value, v->len);
}

void rdata_svcb_print(struct sheet *o, const uint8_t *p, size_t n)
{
    const char *space = "";
    struct param v;
    for (const uint8_t *end = p + n; p < end && next_param(&p, end, &v); space = " ") {
        sheet_put(o, space);
        print_key(o, v.key);
        if (v.len) {
            sheet_put(o, "=");
            print_value(o, &v);
        }
    }
}
