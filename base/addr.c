#include "base/addr.h"

#include "base/cursor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void set_v4(struct addr *a, const void *ip)
{
    memcpy(a->ip, mapped, 12);
    memcpy(a->ip + 12, ip, 4);
    a->family = 4;
}

static void set_v6(struct addr *a, const void *ip)
{
    memcpy(a->ip, ip, 16);
    a->family = memcmp(a->ip, mapped, 12) == 0 ? 4 : 6;
}

static int parse_number(const char *text, unsigned long max, unsigned long *v)
{
    char *end;
    if (*text < '0' || *text > '9')
        return ERR_SYNTAX;
    *v = strtoul(text, &end, 10);
    return *end ? ERR_SYNTAX : *v > max ? ERR_RANGE : 0;
}

int addr_parse(struct addr *a, const char *text, uint16_t port)
{
    char ip[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    unsigned long scope = 0;
    size_t n = strcspn(text, "%");
    memset(a, 0, sizeof *a);
    if (n >= sizeof ip)
        return ERR_SYNTAX;
    memcpy(ip, text, n);
    ip[n] = 0;
    if (text[n] && parse_number(text + n + 1, UINT32_MAX, &scope))
        return ERR_SYNTAX;
    if (inet_pton(AF_INET, ip, bytes) == 1 && !text[n])
        set_v4(a, bytes);
    else if (inet_pton(AF_INET6, ip, bytes) == 1)
        set_v6(a, bytes);
    else
        return ERR_SYNTAX;
    a->port = port;
    a->scope = a->family == 6 ? (uint32_t)scope : 0; /* as addr_of_sockaddr has it */
    return 0;
}

int addr_parse_port(struct addr *a, const char *text, uint16_t port)
{
    char ip[ADDR_TEXT_MAX];
    unsigned long p = port;
    const char *first = strchr(text, ':'), *at = strchr(text, '@'), *tail = NULL;
    size_t n = strlen(text);
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':'))
            return ERR_SYNTAX;
        tail = close[1] ? close + 2 : NULL;
        n = (size_t)(close - ++text);
    } else if (at) {
        tail = at + 1;
        n = (size_t)(at - text);
    } else if (first && !strchr(first + 1, ':')) {
        tail = first + 1;
        n = (size_t)(first - text);
    }
    if (n >= sizeof ip || (tail && parse_number(tail, 65535, &p)))
        return ERR_SYNTAX;
    memcpy(ip, text, n);
    ip[n] = 0;
    return addr_parse(a, ip, (uint16_t)p);
}

const uint8_t *addr_bytes(const struct addr *a, size_t *len)
{
    *len = a->family == 4 ? 4 : 16;
    return a->family == 4 ? a->ip + 12 : a->ip;
}

const char *addr_print(const struct addr *a, char *out)
{
    size_t len;
    const uint8_t *ip = addr_bytes(a, &len);
    if (!a->family || !inet_ntop(len == 4 ? AF_INET : AF_INET6, ip, out, ADDR_TEXT_MAX))
        return strcpy(out, "-"); /* ADDR_TEXT_MAX is the contract */
    if (a->scope) {
        size_t n = strlen(out);
        snprintf(out + n, ADDR_TEXT_MAX - n, "%%%u", a->scope);
    }
    return out;
}

const char *addr_print_port(const struct addr *a, char *out)
{
    char ip[ADDR_TEXT_MAX];
    addr_print(a, ip);
    snprintf(out, ADDR_TEXT_MAX, a->family == 6 ? "[%.50s]:%u" : "%.50s:%u", ip, a->port);
    return out;
}

int addr_of_sockaddr(struct addr *a, const struct sockaddr *sa)
{
    memset(a, 0, sizeof *a);
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        set_v4(a, &in->sin_addr);
        a->port = ntohs(in->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
        set_v6(a, &in->sin6_addr);
        a->port = ntohs(in->sin6_port);
        a->scope = a->family == 6 ? in->sin6_scope_id : 0;
    } else {
        return ERR_UNSUPPORTED;
    }
    return 0;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
    if (a->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)ss;
        memset(in, 0, sizeof *in);
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)ss;
    memset(in, 0, sizeof *in);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(a->port);
    in->sin6_scope_id = a->scope;
    memcpy(&in->sin6_addr, a->ip, 16);
    return sizeof *in;
}

struct addr addr_of_bytes(const uint8_t *bytes, size_t len, uint16_t port)
{
    struct addr a = {.port = port};
    if (len == 4)
        set_v4(&a, bytes);
    else if (len == 16)
        set_v6(&a, bytes);
    return a;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_ip(a, b);
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

int prefix_parse(struct prefix *p, const char *text)
{
    char ip[ADDR_TEXT_MAX];
    struct addr a;
    size_t n = strcspn(text, "/");
    if (n >= sizeof ip)
        return ERR_SYNTAX;
    memcpy(ip, text, n);
    ip[n] = 0;
    int err = addr_parse(&a, ip, 0);
    if (err)
        return err;
    bool v4 = a.family == 4 && !strchr(ip, ':');
    unsigned long max = v4 ? 32 : 128, bits = max;
    if (text[n] && (err = parse_number(text + n + 1, max, &bits)))
        return err;
    *p = (struct prefix){.family = v4 ? 4 : 6, .bits = (uint8_t)(bits + (v4 ? 96 : 0))};
    memcpy(p->ip, a.ip, 16);
    for (unsigned i = p->bits; i < 128; i++)
        if (p->ip[i / 8] & (0x80 >> i % 8))
            return ERR_RANGE;
    return 0;
}

const char *prefix_print(const struct prefix *p, char *out)
{
    struct addr a = {.family = p->family};
    memcpy(a.ip, p->ip, 16);
    addr_print(&a, out);
    size_t n = strlen(out);
    snprintf(out + n, ADDR_TEXT_MAX - n, "/%u", p->family == 4 ? p->bits - 96u : p->bits);
    return out;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
    return bits_equal(p->ip, a->ip, p->bits);
}

struct addr_class {
    uint8_t v4;    /* octets of an IPv4 prefix, else IPv6 */
    uint8_t bits;  /* in the family's own count */
    uint8_t ip[4]; /* leading octets, the rest zero */
};

static bool in_class(const struct addr *a, const struct addr_class *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((a->family == 4) != (c[i].v4 != 0))
            continue;
        size_t len;
        const uint8_t *ip = addr_bytes(a, &len);
        if (bits_equal(ip, c[i].ip, c[i].bits))
            return true;
    }
    return false;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return a->family == 4 ? a->ip[12] == 127 : memcmp(a->ip, one, 16) == 0;
}

bool addr_is_private(const struct addr *a)
{
    static const struct addr_class rows[] = {
        {1, 8, {10, 0, 0, 0}},     {1, 12, {172, 16, 0, 0}},
        {1, 16, {192, 168, 0, 0}},                              /* RFC 1918 */
        {1, 10, {100, 64, 0, 0}},                               /* RFC 6598 */
        {1, 16, {169, 254, 0, 0}},                              /* RFC 3927 */
        {0, 7, {0xfc, 0, 0, 0}},   {0, 10, {0xfe, 0x80, 0, 0}}, /* RFC 4193, RFC 4291 */
    };
    return in_class(a, rows, sizeof rows / sizeof *rows);
}

bool addr_is_any(const struct addr *a)
{
    static const uint8_t zero[16];
    size_t len;
    const uint8_t *ip = addr_bytes(a, &len);
    return a->family && memcmp(ip, zero, len) == 0;
}

bool addr_is_bogon(const struct addr *a)
{
    static const struct addr_class rows[] = {
        {1, 8, {0, 0, 0, 0}},
        {1, 4, {224, 0, 0, 0}},
        {1, 4, {240, 0, 0, 0}},  /* RFC 1122, 5771, 1112 */
        {0, 8, {0xff, 0, 0, 0}}, /* RFC 4291 multicast */
    };
    return !a->family || addr_is_any(a) || in_class(a, rows, sizeof rows / sizeof *rows);
}
