#include "dns/name.h"

#include "base/hash.h"

#define NAME_HOPS_MAX 16

const uint8_t dns_name_root[1] = {0};

size_t dns_name_len(const uint8_t *name)
{
    const uint8_t *p = name;
    while (*p)
        p += 1 + *p;
    return (size_t)(p - name) + 1;
}

unsigned dns_name_labels(const uint8_t *name)
{
    unsigned n = 0;
    for (; *name; name += 1 + *name)
        n++;
    return n;
}

unsigned dns_name_offsets(const uint8_t *name, uint8_t offsets[DNS_LABELS_MAX + 1])
{
    unsigned n = 0, at = 0;
    for (; name[at]; at += 1u + name[at])
        offsets[n++] = (uint8_t)at;
    offsets[n] = (uint8_t)at;
    return n;
}

const uint8_t *dns_name_suffix(const uint8_t *name, unsigned n)
{
    for (unsigned have = dns_name_labels(name); have > n; have--)
        name = dns_name_parent(name);
    return name;
}

size_t dns_name_copy(uint8_t *out, const uint8_t *name)
{
    size_t n = dns_name_len(name);
    memmove(out, name, n);
    return n;
}

/* Length octets are at most 63, below 'A': lower-casing the whole name leaves them alone. */
size_t dns_name_lower(uint8_t *out, const uint8_t *name)
{
    size_t n = dns_name_len(name);
    for (size_t i = 0; i < n; i++)
        out[i] = dns_lower(name[i]);
    return n;
}

/* Eight octets at a time to lower case without a branch: sets bit 5 where 'A' <= c <= 'Z'. */
static inline uint64_t lower8(uint64_t x)
{
    uint64_t low7 = x & 0x7f7f7f7f7f7f7f7fULL;
    uint64_t ge_a = low7 + 0x3f3f3f3f3f3f3f3fULL; /* bit 7 when c >= 'A' */
    uint64_t gt_z = low7 + 0x2525252525252525ULL; /* bit 7 when c > 'Z' */
    uint64_t is_upper = ge_a & ~gt_z & ~x & 0x8080808080808080ULL;
    return x | is_upper >> 2;
}

static inline uint64_t octets8(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Most are of one case already. */
static inline bool alike(uint64_t a, uint64_t b)
{
    return a == b || lower8(a) == lower8(b);
}

/* Equal but for case? n >= 2. What does not fill eight octets is read so that both ends overlap. */
static inline bool letters_equal(const uint8_t *a, const uint8_t *b, unsigned n)
{
    if (n >= 8) {
        for (unsigned i = 0; i + 8 < n; i += 8)
            if (!alike(octets8(a + i), octets8(b + i)))
                return false;
        return alike(octets8(a + n - 8), octets8(b + n - 8));
    }
    if (n >= 4)
        return alike(get_u32(a), get_u32(b)) && alike(get_u32(a + n - 4), get_u32(b + n - 4));
    return alike(get_u16(a), get_u16(b)) && alike(get_u16(a + n - 2), get_u16(b + n - 2));
}

/* Names of one length are compared as a whole: length octets are no letters. */
bool dns_name_equal(const uint8_t *a, const uint8_t *b)
{
    const uint8_t *p = a, *q = b;
    for (; *p; p += 1 + *p, q += 1 + *q)
        if (*p != *q)
            return false;
    return !*q && (p == a || letters_equal(a, b, (unsigned)(p - a) + 1));
}

bool dns_name_equal_len(const uint8_t *a, const uint8_t *b, size_t len)
{
    return len < 2 || letters_equal(a, b, (unsigned)len); /* of one octet there is the root alone */
}

static int label_cmp(const uint8_t *a, const uint8_t *b)
{
    unsigned n = *a < *b ? *a : *b;
    for (unsigned i = 1; i <= n; i++) {
        int d = dns_lower(a[i]) - dns_lower(b[i]);
        if (d)
            return d;
    }
    return *a - *b;
}

/* RFC 4034 6.1: labels compared from the root. */
int dns_name_cmp(const uint8_t *a, const uint8_t *b)
{
    uint8_t ao[DNS_LABELS_MAX + 1], bo[DNS_LABELS_MAX + 1];
    unsigned an = dns_name_offsets(a, ao), bn = dns_name_offsets(b, bo);
    while (an && bn) {
        int d = label_cmp(a + ao[--an], b + bo[--bn]);
        if (d)
            return d;
    }
    return (int)an - (int)bn;
}

unsigned dns_name_common(const uint8_t *a, const uint8_t *b)
{
    uint8_t ao[DNS_LABELS_MAX + 1], bo[DNS_LABELS_MAX + 1];
    unsigned an = dns_name_offsets(a, ao), bn = dns_name_offsets(b, bo), n = 0;
    while (an && bn && !label_cmp(a + ao[--an], b + bo[--bn]))
        n++;
    return n;
}

bool dns_name_is_sub(const uint8_t *name, const uint8_t *top)
{
    unsigned have = dns_name_labels(name), want = dns_name_labels(top);
    return have >= want && dns_name_equal(dns_name_suffix(name, want), top);
}

uint64_t dns_name_hash(const uint8_t *name, uint64_t seed)
{
    return hash_bytes_as(name, dns_name_len(name), seed, lower8);
}

uint64_t dns_name_hash_len(const uint8_t *name, size_t len, uint64_t seed)
{
    return hash_bytes_as(name, len, seed, lower8);
}

int dns_name_join(uint8_t out[DNS_NAME_MAX], const uint8_t *prefix, size_t prefix_len,
                  const uint8_t *suffix)
{
    size_t n = dns_name_len(suffix);
    if (prefix_len + n > DNS_NAME_MAX)
        return ERR_NAME_LONG;
    memmove(out + prefix_len, suffix, n);
    memmove(out, prefix, prefix_len);
    return (int)(prefix_len + n);
}

/* One character of text, escapes resolved; *p moves on. Negative when the escape is bad. */
static int text_octet(const char **p, const char *end)
{
    if (**p != '\\')
        return (uint8_t) * (*p)++;
    const char *e = *p + 1;
    if (e == end)
        return ERR_ESCAPE;
    if (*e < '0' || *e > '9') {
        *p = e + 1;
        return (uint8_t)*e;
    }
    int v = 0;
    for (int i = 0; i < 3; i++, e++) {
        if (e == end || *e < '0' || *e > '9')
            return ERR_ESCAPE;
        v = v * 10 + (*e - '0');
    }
    *p = e;
    return v > 255 ? ERR_ESCAPE : v;
}

int dns_name_parse(uint8_t out[DNS_NAME_MAX], const char *text, size_t len, const uint8_t *origin)
{
    const char *p = text, *end = text + len;
    size_t n = 1, label = 0; /* next octet, start of the current label */
    if (!origin)
        origin = dns_name_root;
    if (len == 1 && *p == '@')
        return (int)dns_name_copy(out, origin);
    if (len == 1 && *p == '.') {
        out[0] = 0;
        return 1;
    }
    if (!len)
        return ERR_LABEL_EMPTY;
    bool absolute = false;
    while (p < end) {
        if (*p == '.') {
            if (n - label - 1 == 0)
                return ERR_LABEL_EMPTY;
            out[label] = (uint8_t)(n - label - 1);
            label = n++;
            p++;
            absolute = p == end;
            continue;
        }
        int c = text_octet(&p, end);
        if (c < 0)
            return c;
        if (n - label - 1 == DNS_LABEL_MAX)
            return ERR_LABEL_LONG;
        if (n >= DNS_NAME_MAX)
            return ERR_NAME_LONG;
        out[n++] = (uint8_t)c;
    }
    if (absolute) {
        if (label >= DNS_NAME_MAX)
            return ERR_NAME_LONG;
        out[label] = 0;
        return (int)label + 1;
    }
    out[label] = (uint8_t)(n - label - 1);
    return dns_name_join(out, out, n, origin);
}

size_t dns_name_print(const uint8_t *name, char *out)
{
    char *o = out;
    if (!*name)
        *o++ = '.';
    for (; *name; name += 1 + *name) {
        for (unsigned i = 1; i <= *name; i++) {
            uint8_t c = name[i];
            if (c <= 0x20 || c >= 0x7f) {
                *o++ = '\\';
                *o++ = (char)('0' + c / 100);
                *o++ = (char)('0' + c / 10 % 10);
                *o++ = (char)('0' + c % 10);
                continue;
            }
            if (c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' ||
                c == '$')
                *o++ = '\\';
            *o++ = (char)c;
        }
        *o++ = '.';
    }
    *o = 0;
    return (size_t)(o - out);
}

static int unpack_fail(struct rcur *c, int err)
{
    rcur_fail(c, err);
    return err;
}

int dns_name_unpack(struct rcur *c, uint8_t out[DNS_NAME_MAX])
{
    const uint8_t *p = c->at, *after = NULL, *lowest = c->at;
    size_t n = 0;
    unsigned hops = 0;
    if (c->err)
        return c->err;
    for (;;) {
        if (p >= c->end)
            return unpack_fail(c, ERR_TRUNC);
        uint8_t len = *p;
        if ((len & 0xc0) == 0xc0) {
            if (c->end - p < 2)
                return unpack_fail(c, ERR_TRUNC);
            const uint8_t *to = c->start + (get_u16(p) & 0x3fff);
            /* Strictly backwards, below everything read so far: no loop is possible. */
            if (to >= lowest || ++hops > NAME_HOPS_MAX)
                return unpack_fail(c, ERR_POINTER);
            if (!after)
                after = p + 2;
            p = lowest = to;
            continue;
        }
        if (len & 0xc0)
            return unpack_fail(c, ERR_FORMAT);
        if (n + 1 + len + (len != 0) > DNS_NAME_MAX)
            return unpack_fail(c, ERR_NAME_LONG);
        if (c->end - p < 1 + len)
            return unpack_fail(c, ERR_TRUNC);
        memcpy(out + n, p, 1u + len);
        n += 1u + len;
        p += 1 + len;
        if (!len)
            break;
    }
    c->at = after ? after : p;
    return (int)n;
}

int dns_name_skip_plain(struct rcur *c, const uint8_t **name)
{
    const uint8_t *p = c->at;
    if (c->err)
        return c->err;
    for (;;) {
        if (p >= c->end)
            return unpack_fail(c, ERR_TRUNC);
        if (*p & 0xc0)
            return unpack_fail(c, (*p & 0xc0) == 0xc0 ? ERR_POINTER : ERR_FORMAT);
        uint8_t len = *p;
        p += 1 + len;
        if (p - c->at > DNS_NAME_MAX)
            return unpack_fail(c, ERR_NAME_LONG);
        if (!len)
            break;
    }
    if (p > c->end)
        return unpack_fail(c, ERR_TRUNC);
    *name = c->at;
    int n = (int)(p - c->at);
    c->at = p;
    return n;
}
