#include "local_priv.h"

#include "dns/name.h"
#include "dns/type.h"

#include <stdio.h>
#include <string.h>

#define LOCAL_TTL 10800

struct entry {
    const uint8_t *name;
    struct resolver_local l;
    bool special; /* ours by default: gives way to a forward zone inside it */
    bool zone;    /* has an apex */
};

struct local {
    struct entry *at;
    unsigned count, cap;
    bool has_special;
    const struct resolver_forward *forward;
    unsigned forward_count;
    struct arena *arena;
};

/* Everything at or below these does not exist (RFC 6761, 7686, 9476). */
static const char *const nonexistent[] = {"invalid.", "onion.", "alt."};

/* The same, but only beside the real root: a network with roots of its own may well have them
 * (RFC 6761 6.2, RFC 6762 22.1). */
static const char *const nonexistent_there[] = {"test.", "local."};

/* Empty zones: SOA and NS at the apex and nothing below (RFC 6303 3; RFC 8375, 9462, 9665). */
static const char *const empty[] = {
    "0.in-addr.arpa.",
    "10.in-addr.arpa.",
    "127.in-addr.arpa.",
    "254.169.in-addr.arpa.",
    "168.192.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "100.51.198.in-addr.arpa.",
    "113.0.203.in-addr.arpa.",
    "255.255.255.255.in-addr.arpa.",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
    "c.f.ip6.arpa.",
    "d.f.ip6.arpa.",
    "8.e.f.ip6.arpa.",
    "9.e.f.ip6.arpa.",
    "a.e.f.ip6.arpa.",
    "b.e.f.ip6.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
    "home.arpa.",
    "resolver.arpa.",
    "service.arpa.",
};

static bool add(struct local *l, const uint8_t *name, const struct resolver_local *e, bool special)
{
    if (l->count == l->cap)
        return false;
    struct entry *x = &l->at[l->count++];
    x->l = *e;
    x->special = special;
    x->name = arena_dup(l->arena, name, dns_name_len(name));
    x->l.rdata = e->rdlen ? arena_dup(l->arena, e->rdata, e->rdlen) : NULL;
    return x->name && (x->l.rdata || !e->rdlen);
}

static bool add_text(struct local *l, const char *text, enum resolver_local_action action,
                     uint16_t type, const void *rdata, uint16_t rdlen)
{
    uint8_t name[DNS_NAME_MAX];
    struct resolver_local e = {
        .type = type, .action = action, .ttl = LOCAL_TTL, .rdata = rdata, .rdlen = rdlen};
    return dns_name_parse(name, text, strlen(text), NULL) > 0 && add(l, name, &e, true);
}

static bool add_empty(struct local *l, const char *text)
{
    bool ok = add_text(l, text, LOCAL_NXDOMAIN, 0, NULL, 0);
    if (ok)
        l->at[l->count - 1].zone = true;
    return ok;
}

static bool add_special(struct local *l, bool real_root)
{
    static const uint8_t v6[16] = {[15] = 1};
    static const char one6[] =
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.";
    bool ok =
        add_text(l, "localhost.", LOCAL_NODATA, 0, NULL, 0) &&
        add_text(l, "localhost.", LOCAL_DATA, DNS_TYPE_A, "\177\0\0\1", 4) &&
        add_text(l, "localhost.", LOCAL_DATA, DNS_TYPE_AAAA, v6, 16) &&
        add_text(l, "1.0.0.127.in-addr.arpa.", LOCAL_DATA, DNS_TYPE_PTR, "\11localhost", 11) &&
        add_text(l, one6, LOCAL_DATA, DNS_TYPE_PTR, "\11localhost", 11);
    for (size_t i = 0; ok && i < sizeof nonexistent / sizeof *nonexistent; i++)
        ok = add_text(l, nonexistent[i], LOCAL_NXDOMAIN, 0, NULL, 0);
    for (size_t i = 0; ok && real_root && i < sizeof nonexistent_there / sizeof *nonexistent_there;
         i++)
        ok = add_text(l, nonexistent_there[i], LOCAL_NXDOMAIN, 0, NULL, 0);
    for (size_t i = 0; ok && i < sizeof empty / sizeof *empty; i++)
        ok = add_empty(l, empty[i]);
    for (unsigned i = 16; ok && i < 32; i++) { /* 172.16/12 */
        char text[40];
        snprintf(text, sizeof text, "%u.172.in-addr.arpa.", i);
        ok = add_empty(l, text);
    }
    for (unsigned i = 64; ok && i < 128; i++) { /* RFC 7793: 100.64/10 */
        char text[40];
        snprintf(text, sizeof text, "%u.100.in-addr.arpa.", i);
        ok = add_empty(l, text);
    }
    return ok;
}

struct local *local_new(const struct resolver_options *o, struct arena *a)
{
    struct local *l = ARENA_NEW(a, struct local);
    if (!l)
        return NULL;
    l->arena = a;
    l->cap = o->local_count + 128;
    l->forward = o->forward;
    l->forward_count = o->forward_count;
    l->has_special = o->special_zones;
    l->at = ARENA_ARRAY(a, struct entry, l->cap);
    if (!l->at)
        return NULL;
    for (unsigned i = 0; i < o->local_count; i++)
        if (!add(l, o->local[i].name, &o->local[i], false))
            return NULL;
    if (o->special_zones && !add_special(l, !o->hints_text))
        return NULL;
    return l;
}

/* A forward zone inside a special one, and above the name, is what the operator wants. */
static bool is_forwarded(const struct local *l, const struct entry *e, const uint8_t *name)
{
    for (unsigned i = 0; e->special && i < l->forward_count; i++)
        if (dns_name_is_sub(name, l->forward[i].zone) &&
            dns_name_is_sub(l->forward[i].zone, e->name))
            return true;
    return false;
}

static void make_soa(struct local_answer *out, const uint8_t *zone, struct arena *a)
{
    static const uint8_t rname[] = "\6nobody\7invalid"; /* RFC 6303 3 */
    size_t mname_len = dns_name_len(zone), len = mname_len + sizeof rname + 20;
    uint8_t *rd = arena_alloc(a, len + 2);
    if (!rd)
        return;
    struct wcur w = wcur_of(rd, len + 2);
    wcur_u16(&w, (uint16_t)len);
    wcur_bytes(&w, zone, mname_len);
    wcur_bytes(&w, rname, sizeof rname);
    static const uint32_t numbers[] = {1, 3600, 1200, 604800, LOCAL_TTL};
    for (unsigned i = 0; i < 5; i++)
        wcur_u32(&w, numbers[i]);
    out->soa = (struct dns_rrset){.owner = zone,
                                  .rdata = rd,
                                  .size = (uint32_t)len + 2,
                                  .ttl = LOCAL_TTL,
                                  .type = DNS_TYPE_SOA,
                                  .cls = DNS_CLASS_IN,
                                  .count = 1};
}

/* All records of (name, type), as one set. */
static void collect(const struct local *l, const uint8_t *name, uint16_t type, struct arena *a,
                    struct dns_rrset *set)
{
    size_t size = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        uint8_t *rd = pass ? arena_alloc(a, size) : NULL;
        struct wcur w = wcur_of(rd, rd ? size : 0);
        if (pass && !rd)
            return;
        for (unsigned i = 0; i < l->count; i++) {
            const struct entry *e = &l->at[i];
            if (e->l.action != LOCAL_DATA || e->l.type != type || !dns_name_equal(e->name, name) ||
                is_forwarded(l, e, name))
                continue;
            size += pass ? 0 : 2u + e->l.rdlen;
            if (!pass)
                continue;
            wcur_u16(&w, e->l.rdlen);
            wcur_bytes(&w, e->l.rdata, e->l.rdlen);
            *set = (struct dns_rrset){.owner = name,
                                      .rdata = rd,
                                      .size = (uint32_t)size,
                                      .ttl = e->l.ttl,
                                      .type = type,
                                      .cls = DNS_CLASS_IN,
                                      .count = (uint16_t)(set->count + 1)};
        }
        if (!size)
            return;
    }
}

/* SOA, NS or nothing, at the apex of an empty zone. */
static void answer_apex(struct local_answer *out, const uint8_t *zone, uint16_t type,
                        struct arena *a)
{
    make_soa(out, zone, a);
    size_t len = dns_name_len(zone);
    uint8_t *rd = type == DNS_TYPE_NS ? arena_alloc(a, len + 2) : NULL;
    if (type == DNS_TYPE_SOA) {
        out->set = out->soa;
        out->soa = (struct dns_rrset){0};
    } else if (rd) {
        struct wcur w = wcur_of(rd, len + 2);
        wcur_u16(&w, (uint16_t)len);
        wcur_bytes(&w, zone, len);
        out->set = (struct dns_rrset){.owner = zone,
                                      .rdata = rd,
                                      .size = (uint32_t)len + 2,
                                      .ttl = LOCAL_TTL,
                                      .type = DNS_TYPE_NS,
                                      .cls = DNS_CLASS_IN,
                                      .count = 1};
        out->soa = (struct dns_rrset){0};
    }
}

bool local_find(const struct local *l, const uint8_t *name, uint16_t type, struct arena *a,
                struct local_answer *out)
{
    static const uint8_t localhost[] = "\11localhost";
    const struct entry *best = NULL;
    const uint8_t *asked = name;
    bool exists = false, below = false;
    memset(out, 0, sizeof *out);
    if (l->has_special && dns_name_is_sub(name, localhost))
        name = localhost; /* RFC 6761 6.3: all names below it mean the same addresses */
    for (unsigned i = 0; i < l->count; i++) {
        const struct entry *e = &l->at[i];
        below = below || (e->l.action == LOCAL_DATA && dns_name_is_sub(e->name, name));
        if (!dns_name_is_sub(name, e->name) || is_forwarded(l, e, name))
            continue;
        if (e->l.action == LOCAL_DATA)
            exists = exists || dns_name_equal(name, e->name);
        else if (!best || dns_name_labels(e->name) > dns_name_labels(best->name))
            best = e;
    }
    if (!exists && !best)
        return false;
    if (exists) { /* data beats an action above it; other types of such a name are empty */
        out->action = "data";
        collect(l, name, type, a, &out->set);
        if (!out->set.count)
            collect(l, name, DNS_TYPE_CNAME, a, &out->set);
        if (!out->set.count)
            make_soa(out, best ? best->name : name, a);
        out->set.owner = asked;
        return true;
    }
    bool apex = best->zone && dns_name_equal(name, best->name);
    if (apex && type == DNS_TYPE_DS) /* the parent's to answer, with its proof (RFC 8375 4) */
        return false;
    if (best->l.action == LOCAL_NXDOMAIN && (apex || below)) { /* RFC 8020: it is there */
        out->action = "nodata";
        if (apex)
            answer_apex(out, best->name, type, a);
        else
            make_soa(out, best->name, a);
        return true;
    }
    out->action = best->l.action == LOCAL_REFUSE   ? "refuse"
                  : best->l.action == LOCAL_NODATA ? "nodata"
                                                   : "nxdomain";
    out->rcode = best->l.action == LOCAL_REFUSE   ? DNS_RCODE_REFUSED
                 : best->l.action == LOCAL_NODATA ? DNS_RCODE_NOERROR
                                                  : DNS_RCODE_NXDOMAIN;
    if (best->l.action != LOCAL_REFUSE)
        make_soa(out, best->name, a);
    return true;
}
