/* dns/rdata_ipsec.c: keys of hosts: IPSECKEY's gateway (RFC 4025) and HIP (RFC 8005). */
#include "rdata_priv.h"

#include <arpa/inet.h>

enum gateway { GATEWAY_NONE, GATEWAY_IP4, GATEWAY_IP6, GATEWAY_NAME };

/* Length of a name that may not be compressed (RFC 4025 2.5, RFC 8005 5). */
static int plain_name_len(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *name;
    struct rcur c = rcur_of(p, (size_t)(end - p));
    return dns_name_skip_plain(&c, &name) < 0 ? ERR_FORMAT : (int)rcur_pos(&c);
}

static void print_name(struct sheet *o, const uint8_t *name)
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_print(name, text);
    sheet_put(o, text);
}

int rdata_gateway_len(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2)
        return ERR_FORMAT;
    int n;
    switch (*p) {
    case GATEWAY_NONE:
        n = 0;
        break;
    case GATEWAY_IP4:
        n = 4;
        break;
    case GATEWAY_IP6:
        n = 16;
        break;
    case GATEWAY_NAME:
        n = plain_name_len(p + 2, end);
        break;
    default: /* where the gateway ends is not known */
        n = (int)(end - p) - 2;
        break;
    }
    return n < 0 || end - p < 2 + n ? ERR_FORMAT : 2 + n;
}

bool rdata_gateway_is_opaque(const uint8_t *p)
{
    return *p > GATEWAY_NAME;
}

int rdata_gateway_parse(struct scan *s, const uint8_t *origin, struct wcur *w)
{
    struct token t;
    uint32_t type, algorithm;
    int err;
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    if ((err = scan_number(s, &t, GATEWAY_NAME, &type)))
        return err;
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    if ((err = scan_number(s, &t, 255, &algorithm)))
        return err;
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    wcur_u8(w, (uint8_t)type);
    wcur_u8(w, (uint8_t)algorithm);
    switch (type) {
    case GATEWAY_IP4:
        return scan_ip(s, &t, w, AF_INET, 4);
    case GATEWAY_IP6:
        return scan_ip(s, &t, w, AF_INET6, 16);
    case GATEWAY_NAME:
        return scan_name(s, &t, origin, w);
    default: /* RFC 4025 3.1 */
        return t.len == 1 && *t.at == '.'
                   ? 0
                   : scan_fail(s, t.at, "no gateway is written as a dot", ERR_SYNTAX);
    }
}

void rdata_gateway_print(struct sheet *o, const uint8_t *p)
{
    char ip[INET6_ADDRSTRLEN];
    sheet_number(o, p[0]);
    sheet_put(o, " ");
    sheet_number(o, p[1]);
    sheet_put(o, " ");
    if (*p == GATEWAY_NAME)
        print_name(o, p + 2);
    else if (*p == GATEWAY_NONE)
        sheet_put(o, ".");
    else
        sheet_put(o, inet_ntop(*p == GATEWAY_IP4 ? AF_INET : AF_INET6, p + 2, ip, sizeof ip));
}

/* HIT length, algorithm, key length (2 octets), HIT, key, names of rendezvous servers. */
int rdata_hip_len(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    if (end - p < 4 || !p[0] || !get_u16(p + 2) || end - p < 4 + p[0] + get_u16(p + 2))
        return ERR_FORMAT;
    p += 4 + p[0] + get_u16(p + 2);
    while (p < end) {
        int n = plain_name_len(p, end);
        if (n < 0)
            return n;
        p += n;
    }
    return (int)(p - start);
}

int rdata_hip_parse(struct scan *s, const uint8_t *origin, struct wcur *w)
{
    struct token t, hit, key;
    uint32_t algorithm;
    int err;
    if (!scan_token(s, &t) || !scan_token(s, &hit) || !scan_token(s, &key))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    if ((err = scan_number(s, &t, 255, &algorithm)))
        return err;
    if (!hit.len || hit.len > 510)
        return scan_fail(s, hit.at, "the tag has 1 to 255 octets", ERR_RANGE);
    uint8_t *head = wcur_room(w, 4);
    if ((err = scan_hex(s, &hit, w)))
        return err;
    const uint8_t *start = w->at;
    if ((err = scan_base64(s, &key, w)))
        return err;
    if (w->err)
        return 0; /* said once, by the caller */
    if (w->at == start || w->at - start > 65535)
        return scan_fail(s, key.at, "the key has 1 to 65535 octets", ERR_RANGE);
    head[0] = (uint8_t)(hit.len / 2);
    head[1] = (uint8_t)algorithm;
    put_u16(head + 2, (uint16_t)(w->at - start));
    while (!err && scan_token(s, &t))
        err = scan_name(s, &t, origin, w);
    return err;
}

void rdata_hip_print(struct sheet *o, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n, *hit = p + 4, *key = hit + p[0];
    size_t key_len = get_u16(p + 2);
    sheet_number(o, p[1]);
    sheet_put(o, " ");
    sheet_hex(o, hit, p[0]);
    sheet_put(o, " ");
    sheet_base64(o, key, key_len);
    for (const uint8_t *name = key + key_len; name < end; name += dns_name_len(name)) {
        sheet_put(o, " ");
        print_name(o, name);
    }
}
