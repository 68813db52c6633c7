#include "denial_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <stdlib.h>

/* ---- at load ---- */

/* NSEC3 and its NSEC3PARAM agree: algorithm, (flags,) iterations, salt. */
static bool same_chain(const struct zone *z, const uint8_t *rd, size_t len)
{
    return len >= 5 && rd[0] == DNSSEC_NSEC3_SHA1 && get_u16(rd + 2) == z->nsec3_iterations &&
           rd[4] == z->nsec3_salt_len && len >= 5u + rd[4] && !memcmp(rd + 5, z->nsec3_salt, rd[4]);
}

/* The apex's NSEC3PARAM that can be used: flags 0 (RFC 5155 4.1.2). */
static bool take_param(struct zone *z)
{
    struct dns_rrset set;
    if (!zone_node_get(z, zone_apex(z), DNS_TYPE_NSEC3PARAM, 0, &set))
        return false;
    DNS_RR_FOR (rd, &set)
        if (rd.len >= 5 && rd.at[0] == DNSSEC_NSEC3_SHA1 && !rd.at[1] && rd.len == 5u + rd.at[4]) {
            z->nsec3_iterations = get_u16(rd.at + 2);
            z->nsec3_salt_len = rd.at[4];
            z->nsec3_salt = rd.at + 5;
            return true;
        }
    return false;
}

/* Is there more than an NSEC3 record and its signature? */
static bool has_other(const struct zone_node *n)
{
    struct dns_rrset set;
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set);)
        if (set.type != DNS_TYPE_NSEC3 && set.covers != DNS_TYPE_NSEC3)
            return true;
    return zone_reach(n)->dynamic != 0;
}

/* Base32hex keeps the order of the octets, and the nodes are sorted: so is the chain. */
static int take_chain(struct zone *z)
{
    struct dns_rrset set;
    uint32_t n = 0;
    for (const struct zone_node *at = zone_apex(z); at; at = zone_next(z, at))
        n += zone_node_get(z, at, DNS_TYPE_NSEC3, 0, &set);
    z->nsec3 = malloc((n + 1) * sizeof *z->nsec3);
    if (!z->nsec3)
        return ERR_NOMEM;
    for (const struct zone_node *at = zone_apex(z), *next; at; at = next) {
        next = zone_next(z, at);
        if (dns_name_labels(at->name) != z->labels + 1u ||
            !zone_node_get(z, at, DNS_TYPE_NSEC3, 0, &set) ||
            !dnssec_nsec3_label(at->name, z->nsec3[z->nsec3_count].hash))
            continue;
        struct zone_node *node = zone_at(z, zone_place(z, at));
        bool below = next && dns_name_is_sub(next->name, node->name);
        node->hash_only = !below && !has_other(node);
        const uint8_t *p = set.rdata;
        struct dns_rd rd = dns_rd_next(&p);
        if (same_chain(z, rd.at, rd.len))
            z->nsec3[z->nsec3_count++].node = zone_place(z, node);
    }
    return 0;
}

/* Place of the last record whose hash is not above h; the chain is a circle. */
static uint32_t chain_at(const struct zone *z, const uint8_t *h)
{
    uint32_t low = 0, high = z->nsec3_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (memcmp(z->nsec3[mid].hash, h, DNSSEC_NSEC3_HASH_LEN) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? low - 1 : z->nsec3_count - 1;
}

static void hash_name(const struct zone *z, const uint8_t *name, uint8_t out[DNSSEC_NSEC3_HASH_LEN])
{
    dnssec_nsec3_hash(name, z->nsec3_iterations, z->nsec3_salt, z->nsec3_salt_len, out);
}

/* Every name of our own, and every cut; what lies below a cut has no NSEC3. Where the apex has an
 * NSEC3PARAM, each node has its place in the chain. */
static void link_names(struct zone *z)
{
    for (const struct zone_node *n = zone_apex(z); n; n = zone_next(z, n)) {
        struct zone_reach *reach = (struct zone_reach *)(uintptr_t)zone_reach(n);
        uint8_t hash[DNSSEC_NSEC3_HASH_LEN];
        if (n->hash_only || (reach->cut && reach->cut != zone_place(z, n)))
            continue;
        hash_name(z, n->name, hash);
        uint32_t at = chain_at(z, hash);
        if (!memcmp(z->nsec3[at].hash, hash, sizeof hash))
            reach->nsec3 = at + 1;
    }
}

int denial_build(struct zone *z)
{
    struct dns_rrset set;
    if (!take_param(z)) {
        if (zone_node_get(z, zone_apex(z), DNS_TYPE_NSEC, 0, &set))
            z->denial = DNS_TYPE_NSEC;
        return 0;
    }
    int err = take_chain(z);
    if (err || !z->nsec3_count)
        return err;
    link_names(z);
    if (zone_reach(zone_apex(z))->nsec3) /* without the apex in it, the chain proves nothing */
        z->denial = DNS_TYPE_NSEC3;
    return 0;
}

void denial_free(struct zone *z)
{
    free(z->nsec3);
}

/* ---- at a query ---- */

static void add(struct denial *d, const struct zone_node *n)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->nodes[i] == n)
            return;
    if (n)
        d->nodes[d->count++] = n;
}

static void add_match(const struct zone *z, struct denial *d, const struct zone_node *n)
{
    add(d, zone_at(z, z->nsec3[zone_reach(n)->nsec3 - 1].node));
}

static void add_cover(const struct zone *z, struct denial *d, const uint8_t *name)
{
    uint8_t hash[DNSSEC_NSEC3_HASH_LEN];
    hash_name(z, name, hash);
    add(d, zone_at(z, z->nsec3[chain_at(z, hash)].node));
}

/* RFC 5155 7.2.1: the encloser's record, and one that covers the next closer name. An encloser
 * without a record (opt-out) cannot be proven: the next one above that has one. */
static const struct zone_node *closest_encloser(const struct zone *z, struct denial *d,
                                                const uint8_t *name,
                                                const struct zone_node *encloser, bool match)
{
    while (!zone_reach(encloser)->nsec3)
        encloser = zone_find(z, dns_name_parent(encloser->name));
    if (match)
        add_match(z, d, encloser);
    add_cover(z, d, dns_name_suffix(name, dns_name_labels(encloser->name) + 1));
    return encloser;
}

static void by_nsec3(const struct zone *z, enum denial_of what, const uint8_t *name,
                     const struct zone_node *node, const struct zone_node *encloser,
                     struct denial *d)
{
    uint8_t wild[DNS_NAME_MAX];
    switch (what) {
    case DENIAL_NAME: /* 7.2.2 */
        encloser = closest_encloser(z, d, name, encloser, true);
        if (dns_name_join(wild, (const uint8_t *)"\1*", 2, encloser->name) > 0)
            add_cover(z, d, wild);
        break;
    case DENIAL_TYPE: /* 7.2.3, 7.2.4, 7.2.7 */
        if (zone_reach(node)->nsec3)
            add_match(z, d, node);
        else
            closest_encloser(z, d, node->name, node, true);
        break;
    case DENIAL_WILDCARD_TYPE: /* 7.2.5 */
        closest_encloser(z, d, name, encloser, true);
        if (zone_reach(node)->nsec3)
            add_match(z, d, node);
        break;
    case DENIAL_CLOSER: /* 7.2.6; the signature's label count names the encloser */
        closest_encloser(z, d, name, encloser, false);
        break;
    }
}

static void by_nsec(const struct zone *z, enum denial_of what, const uint8_t *name,
                    const struct zone_node *node, const struct zone_node *encloser,
                    struct denial *d)
{
    uint8_t wild[DNS_NAME_MAX];
    switch (what) {
    case DENIAL_NAME:
        add(d, zone_previous(z, name, DNS_TYPE_NSEC));
        if (dns_name_join(wild, (const uint8_t *)"\1*", 2, encloser->name) > 0)
            add(d, zone_previous(z, wild, DNS_TYPE_NSEC));
        break;
    case DENIAL_TYPE:
        add(d, zone_previous(z, node->name, DNS_TYPE_NSEC));
        break;
    case DENIAL_WILDCARD_TYPE:
        add(d, zone_previous(z, node->name, DNS_TYPE_NSEC));
        add(d, zone_previous(z, name, DNS_TYPE_NSEC));
        break;
    case DENIAL_CLOSER:
        add(d, zone_previous(z, name, DNS_TYPE_NSEC));
        break;
    }
}

void denial_find(const struct zone *z, enum denial_of what, const uint8_t *name,
                 const struct zone_node *node, const struct zone_node *encloser, struct denial *d)
{
    d->type = z->denial;
    d->count = 0;
    if (z->denial == DNS_TYPE_NSEC3)
        by_nsec3(z, what, name, node, encloser, d);
    else if (z->denial)
        by_nsec(z, what, name, node, encloser, d);
}
