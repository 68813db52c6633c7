#include "gslb/check.h"

#include "dns/name.h"
#include "dns/type.h"

#include <string.h>

static const struct {
    const char *name;
    uint16_t port;
} check_types[GSLB_CHECK_TYPES] = {
    [GSLB_CHECK_NONE] = {"none", 0},  [GSLB_CHECK_TCP] = {"tcp", 0},
    [GSLB_CHECK_HTTP] = {"http", 80}, [GSLB_CHECK_HTTPS] = {"https", 443},
    [GSLB_CHECK_DNS] = {"dns", 53},   [GSLB_CHECK_ICMP] = {"icmp", 0},
    [GSLB_CHECK_EXEC] = {"exec", 0},  [GSLB_CHECK_PUSH] = {"push", 0},
};

const char *gslb_check_type_name(enum gslb_check_type t)
{
    return (unsigned)t < GSLB_CHECK_TYPES ? check_types[t].name : "?";
}

uint16_t gslb_check_port(const struct gslb_check *c)
{
    return c->port || (unsigned)c->type >= GSLB_CHECK_TYPES ? c->port : check_types[c->type].port;
}

void gslb_check_default(struct gslb_check *c)
{
    *c = (struct gslb_check){.every_ms = 10000,
                             .timeout_ms = 2000,
                             .jitter_permille = 100,
                             .method = "GET",
                             .path = "/",
                             .verify = true,
                             .qtype = DNS_TYPE_A,
                             .rcode = DNS_RCODE_NOERROR};
    gslb_rules_default(&c->rules);
}

/* ---- the same question ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool same_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return !a == !b && (!a || (a_len == b_len && !memcmp(a, b, a_len)));
}

static bool same_tcp(const struct gslb_check *a, const struct gslb_check *b)
{
    return same_bytes(a->send, a->send_len, b->send, b->send_len) &&
           same_bytes(a->expect, a->expect_len, b->expect, b->expect_len);
}

static bool same_status(const struct gslb_check *a, const struct gslb_check *b)
{
    if (a->status_count != b->status_count)
        return false;
    for (unsigned i = 0; i < a->status_count; i++)
        if (a->status[i].low != b->status[i].low || a->status[i].high != b->status[i].high)
            return false;
    return true;
}

static bool same_http(const struct gslb_check *a, const struct gslb_check *b)
{
    return a->reuse == b->reuse && a->http2 == b->http2 && same_text(a->method, b->method) &&
           same_text(a->path, b->path) && same_text(a->host, b->host) && same_status(a, b) &&
           same_text(a->body, b->body) && same_text(a->header, b->header) &&
           same_text(a->load_header, b->load_header) && same_text(a->load_body, b->load_body);
}

static bool same_https(const struct gslb_check *a, const struct gslb_check *b)
{
    return same_http(a, b) && same_text(a->sni, b->sni) && a->verify == b->verify &&
           same_text(a->ca_file, b->ca_file);
}

static bool same_dns(const struct gslb_check *a, const struct gslb_check *b)
{
    return a->qtype == b->qtype && a->rcode == b->rcode && a->tcp == b->tcp &&
           same_text(a->answer, b->answer) &&
           dns_name_equal(a->qname ? a->qname : dns_name_root, b->qname ? b->qname : dns_name_root);
}

static bool same_exec(const struct gslb_check *a, const struct gslb_check *b)
{
    const char *const *x = a->argv, *const *y = b->argv;
    if (!x || !y)
        return x == y;
    for (; *x && *y; x++, y++)
        if (strcmp(*x, *y) != 0)
            return false;
    return !*x && !*y;
}

bool gslb_check_same(const struct gslb_check *a, const struct gslb_check *b)
{
    if (a == b)
        return true;
    if (a->type != b->type)
        return false;
    if (a->type == GSLB_CHECK_NONE)
        return true;
    if (!addr_same_ip(&a->address, &b->address) || !addr_same_ip(&a->source, &b->source) ||
        a->address.family != b->address.family || a->source.family != b->source.family ||
        a->timeout_ms != b->timeout_ms || gslb_check_port(a) != gslb_check_port(b))
        return false;
    switch (a->type) {
    case GSLB_CHECK_TCP:
        return same_tcp(a, b);
    case GSLB_CHECK_HTTP:
        return same_http(a, b);
    case GSLB_CHECK_HTTPS:
        return same_https(a, b);
    case GSLB_CHECK_DNS:
        return same_dns(a, b);
    case GSLB_CHECK_EXEC:
        return same_exec(a, b);
    case GSLB_CHECK_ICMP:
        return true;
    default:
        return false; /* a verdict that is brought is one check's own */
    }
}
