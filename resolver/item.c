/* resolver/item.c: sets in few octets.
 *
 * A set: SET_ bits | count (1 or 2) | octets of RDATA (2) | what the bits say | RDATA. An owner is
 * the key name as a rule, or a suffix of it (SOA, NSEC), or that of the set before (signatures). */
#include "item_priv.h"

#include "dns/name.h"
#include "dns/type.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SET_OWNER = 3, /* mask */
    OWNER_KEY = 0,
    OWNER_ABOVE = 1, /* an octet: offset in the key name */
    OWNER_OWN = 2,   /* a name */
    OWNER_LAST = 3,  /* as the set before */
    SET_TTL = 4,     /* four octets, else the entry's */
    SET_TYPE = 8,    /* two octets, else the key's */
    SET_CLASS = 16,  /* two octets, else IN */
    SET_COVERS = 32, /* two octets, else 0 */
    SET_WIDE = 64,   /* two octets of count */

    ORIGIN_NONE = 0,
    ORIGIN_V4 = 1, /* port 53 */
    ORIGIN_FULL = 2,
    MAPPED_LEN = 12,

    /* Sets, and for each, and once, more than what goes beside them. */
    DATA_MAX = 16384 + (CACHE_PROOF_MAX + 3) * (DNS_NAME_MAX + 17),
    CHUNK = 16, /* of the heap, with a head of 8 octets */
    CHUNK_HEAD = 8,
};

static const uint8_t mapped[MAPPED_LEN] = {[10] = 0xff, [11] = 0xff};

static uint8_t owner_form(const struct dns_rrset *set, const uint8_t *name, const uint8_t *last)
{
    if (!set->owner || !set->count || dns_name_equal(set->owner, name))
        return OWNER_KEY;
    if (dns_name_is_sub(name, set->owner))
        return OWNER_ABOVE;
    return last && dns_name_equal(set->owner, last) ? OWNER_LAST : OWNER_OWN;
}

/* last: owner of the set before, or NULL. */
static void pack_set(struct wcur *w, const struct item_key *k, uint32_t ttl_s,
                     const struct dns_rrset *set, const uint8_t *last)
{
    uint8_t owner = owner_form(set, k->name, last);
    uint8_t bits = (uint8_t)(owner | (set->ttl != ttl_s ? SET_TTL : 0) |
                             (set->type != k->type ? SET_TYPE : 0) |
                             (set->cls != DNS_CLASS_IN ? SET_CLASS : 0) |
                             (set->covers ? SET_COVERS : 0) | (set->count > 255 ? SET_WIDE : 0));
    wcur_u8(w, bits);
    if (bits & SET_WIDE)
        wcur_u16(w, set->count);
    else
        wcur_u8(w, (uint8_t)set->count);
    size_t size = set->count ? set->size : 0;
    wcur_u16(w, (uint16_t)size);
    if (owner == OWNER_ABOVE)
        wcur_u8(w, (uint8_t)(dns_name_len(k->name) - dns_name_len(set->owner)));
    else if (owner == OWNER_OWN)
        wcur_bytes(w, set->owner, dns_name_len(set->owner));
    if (bits & SET_TTL)
        wcur_u32(w, set->ttl);
    if (bits & SET_TYPE)
        wcur_u16(w, set->type);
    if (bits & SET_CLASS)
        wcur_u16(w, set->cls);
    if (bits & SET_COVERS)
        wcur_u16(w, set->covers);
    if (size)
        wcur_bytes(w, set->rdata, size);
}

static uint8_t take_u8(const uint8_t **p)
{
    return *(*p)++;
}

static uint16_t take_u16(const uint8_t **p)
{
    *p += 2;
    return get_u16(*p - 2);
}

static uint32_t take_u32(const uint8_t **p)
{
    *p += 4;
    return get_u32(*p - 4);
}

static struct dns_rrset unpack_set(const struct item *i, const uint8_t *name, const uint8_t *last,
                                   const uint8_t **p)
{
    uint8_t bits = take_u8(p);
    struct dns_rrset set = {.owner = name};
    set.count = bits & SET_WIDE ? take_u16(p) : take_u8(p);
    set.size = take_u16(p);
    if ((bits & SET_OWNER) == OWNER_ABOVE) {
        set.owner = name + take_u8(p);
    } else if ((bits & SET_OWNER) == OWNER_OWN) {
        set.owner = *p;
        *p += dns_name_len(*p);
    } else if ((bits & SET_OWNER) == OWNER_LAST) {
        set.owner = last;
    }
    set.ttl = bits & SET_TTL ? take_u32(p) : i->ttl_s;
    set.type = bits & SET_TYPE ? take_u16(p) : i->type;
    set.cls = bits & SET_CLASS ? take_u16(p) : DNS_CLASS_IN;
    set.covers = bits & SET_COVERS ? take_u16(p) : 0;
    set.rdata = *p;
    *p += set.size;
    return set;
}

static uint8_t origin_form(const struct cache_entry *e)
{
    static const uint8_t zeros[sizeof e->origin.ip];
    if (!e->origin.port && !memcmp(e->origin.ip, zeros, sizeof zeros))
        return ORIGIN_NONE;
    return e->origin.port == 53 && !memcmp(e->origin.ip, mapped, MAPPED_LEN) ? ORIGIN_V4
                                                                             : ORIGIN_FULL;
}

static void pack_origin(struct wcur *w, const struct cache_entry *e)
{
    uint8_t form = origin_form(e);
    if (form == ORIGIN_V4)
        wcur_bytes(w, e->origin.ip + MAPPED_LEN, 4);
    if (form != ORIGIN_FULL)
        return;
    wcur_bytes(w, e->origin.ip, sizeof e->origin.ip);
    wcur_u16(w, e->origin.port);
}

static void unpack_origin(const struct item *i, const uint8_t **p, struct cache_entry *e)
{
    if (i->origin == ORIGIN_V4) {
        memcpy(e->origin.ip, mapped, MAPPED_LEN);
        memcpy(e->origin.ip + MAPPED_LEN, *p, 4);
        e->origin.port = 53;
        *p += 4;
    } else if (i->origin == ORIGIN_FULL) {
        memcpy(e->origin.ip, *p, sizeof e->origin.ip);
        *p += sizeof e->origin.ip;
        e->origin.port = take_u16(p);
    }
}

static bool has_failure(const struct cache_entry *e)
{
    return e->rcode || e->ede != 0xffff;
}

static void pack(struct wcur *w, const struct item_key *k, const struct cache_entry *e)
{
    size_t name_len = dns_name_len(k->name);
    uint8_t *name = wcur_room(w, name_len);
    if (name)
        dns_name_lower(name, k->name);
    if (k->scope) {
        wcur_bytes(w, k->net, ITEM_NET_OCTETS);
        wcur_u8(w, k->family);
        wcur_u8(w, k->scope);
    }
    pack_origin(w, e);
    if (has_failure(e)) {
        wcur_u8(w, e->rcode);
        wcur_u16(w, e->ede);
    }
    pack_set(w, k, e->ttl_stored, &e->set, NULL);
    if (e->sigs.count)
        pack_set(w, k, e->ttl_stored, &e->sigs, e->set.owner);
    for (unsigned n = 0; n < e->proof_count; n++)
        pack_set(w, k, e->ttl_stored, &e->proof[n], n ? e->proof[n - 1].owner : NULL);
}

static size_t item_size(size_t data_size)
{
    size_t n = offsetof(struct item, data) + data_size;
    return n < sizeof(struct item) ? sizeof(struct item) : n;
}

uint64_t item_bytes(const struct item *i)
{
    return (item_size(i->data_size) + CHUNK_HEAD + CHUNK - 1) & ~(uint64_t)(CHUNK - 1);
}

struct item *item_new(const struct item_key *k, const struct cache_entry *e, int64_t now_s)
{
    uint8_t data[DATA_MAX];
    struct wcur w = wcur_of(data, sizeof data);
    pack(&w, k, e);
    assert(!wcur_err(&w));
    struct item *i = malloc(item_size(wcur_len(&w)));
    if (!i)
        return NULL;
    *i = (struct item){.hash = k->hash,
                       .expires_s = (uint32_t)now_s + e->ttl_stored,
                       .ttl_s = e->ttl_stored,
                       .type = k->type,
                       .data_size = (uint16_t)wcur_len(&w),
                       .kind = k->kind & 7,
                       .plane = k->plane,
                       .rank = e->rank & 7,
                       .told = e->told,
                       .has_net = k->scope != 0,
                       .has_sigs = e->sigs.count != 0,
                       .has_failure = has_failure(e),
                       .origin = origin_form(e) & 3,
                       .proof_count = e->proof_count & 31};
    memcpy(i->data, data, wcur_len(&w));
    return i;
}

const uint8_t *item_net(const struct item *i)
{
    return i->has_net ? i->data + dns_name_len(i->data) : NULL;
}

bool item_is(const struct item *i, const struct item_key *k)
{
    if (i->hash != k->hash || i->type != k->type || i->kind != k->kind || i->plane != k->plane ||
        i->has_net != (k->scope != 0) || !dns_name_equal(i->data, k->name))
        return false;
    const uint8_t *net = item_net(i);
    return !net || (!memcmp(net, k->net, ITEM_NET_OCTETS) && net[ITEM_NET_OCTETS] == k->family &&
                    net[ITEM_NET_OCTETS + 1] == k->scope);
}

int64_t item_left(const struct item *i, int64_t now_s)
{
    int64_t left = (int32_t)(i->expires_s - (uint32_t)now_s);
    return left > 0 && left <= 2 * (int64_t)i->ttl_s ? left : 0;
}

struct cache_entry item_view(const struct item *i, const uint8_t *data, struct dns_rrset *proof,
                             int64_t now_s)
{
    int64_t left = item_left(i, now_s);
    struct cache_entry e = {.sigs = {.owner = data},
                            .proof = proof,
                            .proof_count = i->proof_count,
                            .ttl_left = left < i->ttl_s ? (uint32_t)left : i->ttl_s,
                            .ttl_stored = i->ttl_s,
                            .rank = i->rank,
                            .ede = 0xffff,
                            .told = i->told};
    const uint8_t *p = data + dns_name_len(data);
    if (i->has_net) {
        e.scope = p[ITEM_NET_OCTETS + 1];
        p += ITEM_NET_OCTETS + 2;
    }
    unpack_origin(i, &p, &e);
    if (i->has_failure) {
        e.rcode = take_u8(&p);
        e.ede = take_u16(&p);
    }
    e.set = unpack_set(i, data, NULL, &p);
    if (i->has_sigs)
        e.sigs = unpack_set(i, data, e.set.owner, &p);
    for (unsigned n = 0; n < i->proof_count; n++)
        proof[n] = unpack_set(i, data, n ? proof[n - 1].owner : NULL, &p);
    return e;
}
