/* authority/zone_priv.h: a zone from inside.
 *
 *   table: buckets of a cache line; a slot has some bits of the name's hash and the node's place
 *   nodes: one record per name, end to end in canonical order, empty non-terminals too
 *   marks: the places of some of them, to search the order
 *
 *   node:  set count, length of the name, flags | name | reach, if any | sets, by type
 *   set:   type, count, TTL | size, when count is not 1 | RDATA, as in struct dns_rrset
 *
 * A name that exists costs two cache misses, one that does not costs one. A node knows what lies
 * above it (delegation, DNAME), so that an exact match needs no walk down from the apex. RRSIG sets
 * follow what they cover. */
#ifndef WAYPOST_ZONE_PRIV_H
#define WAYPOST_ZONE_PRIV_H

#include "authority/respond.h"
#include "authority/zone.h"
#include "base/block.h"
#include "plain_priv.h"

#include <string.h>

/* Begins at four octets; its place is counted in such steps from the start of the zone's memory,
 * and never 0. */
struct zone_node {
    uint16_t set_count; /* 0: empty non-terminal */
    uint8_t name_len;
    bool has_reach : 1;
    bool has_wild : 1;  /* "*" is a child */
    bool hash_only : 1; /* nothing but NSEC3 here and below: for a query it does not exist */
    uint8_t name[];     /* wire, lower case */
};

/* What few names have; 0 everywhere for the others. */
struct zone_reach {
    uint32_t cut;     /* place of the delegation at or above */
    uint32_t dname;   /* place of the nearest DNAME above (not here) */
    uint32_t nsec3;   /* 1 + place in the chain of the record at its hash */
    uint32_t dynamic; /* 1 + id of the steered name */
};

/* Begins at two octets. */
struct zone_set {
    uint16_t type, count;
    uint16_t ttl[2]; /* 32 bits */
};

/* A steered name, as it was given. */
struct zone_dynamic {
    const uint16_t *types;
    uint32_t node, id; /* node: its place */
    unsigned type_count;
    bool alias;
};

#define ZONE_BUCKET 16 /* slots of a cache line */

struct zone {
    struct part part;
    uint8_t origin[255];
    uint8_t origin_len; /* octets */
    uint8_t labels;
    bool has_signatures;
    struct plain_soa *plain_soa; /* for questions that end in the origin's octets; NULL: none */
    struct plain_soa *plain_soa_alone; /* for others: no name in it points into the question */
    uint32_t serial, negative_ttl;
    struct block room;   /* the nodes */
    struct block table;  /* uint32_t: tag and place, 0 free */
    uint32_t slots;      /* a multiple of ZONE_BUCKET */
    uint32_t place_bits; /* of a slot; those above are the tag */
    size_t end;          /* behind the last node */
    struct block marks;  /* uint32_t: the place of every ZONE_MARK-th node */
    uint32_t node_count;
    uint64_t records, bytes;
    uint16_t denial; /* NSEC, NSEC3, 0: not signed */
    uint16_t nsec3_iterations;
    uint8_t nsec3_salt_len;
    const uint8_t *nsec3_salt;
    struct zone_nsec3 { /* in order of the hashes */
        uint8_t hash[20];
        uint32_t node; /* place */
    } * nsec3;
    uint32_t nsec3_count;
    struct zone_dynamic *dynamic; /* in canonical order */
    uint32_t dynamic_count;
    uint16_t *dynamic_types;
};

#define ZONE_STEP  4u
#define ZONE_FIRST 1u /* place of the apex */
#define ZONE_MARK  16u

static inline struct zone_node *zone_at(const struct zone *z, uint32_t place)
{
    return (struct zone_node *)(void *)(z->room.at + (size_t)place * ZONE_STEP);
}

static inline uint32_t zone_place(const struct zone *z, const struct zone_node *n)
{
    return (uint32_t)((size_t)((const uint8_t *)n - z->room.at) / ZONE_STEP);
}

static inline const struct zone_node *zone_apex(const struct zone *z)
{
    return zone_at(z, ZONE_FIRST);
}

/* Where a hash is looked for first; the buckets that follow are for what finds this one full. */
static inline uint32_t zone_home(const struct zone *z, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * z->slots >> 32);
}

static inline uint32_t zone_home_next(const struct zone *z, uint32_t home)
{
    return home + ZONE_BUCKET < z->slots ? home + ZONE_BUCKET : home % ZONE_BUCKET;
}

/* The bucket of this slot; it is looked through from there on, and round. */
static inline uint32_t *zone_bucket(const struct zone *z, uint32_t home)
{
    return (uint32_t *)(void *)z->table.at + home / ZONE_BUCKET * ZONE_BUCKET;
}

extern const struct zone_reach zone_reach_none;

static inline const uint8_t *zone_node_data(const struct zone_node *n, unsigned align)
{
    return (const uint8_t *)n + ((sizeof *n + n->name_len + align - 1) & ~(size_t)(align - 1));
}

static inline const struct zone_reach *zone_reach(const struct zone_node *n)
{
    return n->has_reach ? (const struct zone_reach *)(const void *)zone_node_data(n, 4)
                        : &zone_reach_none;
}

/* The sets of a node, one after the other: struct zone_sets s = zone_sets(n); while
 * (zone_sets_next(&s, &set)) ... */
struct zone_sets {
    const struct zone_node *node;
    const uint8_t *at;
    unsigned left;
};

static inline struct zone_sets zone_sets(const struct zone_node *n)
{
    return (struct zone_sets){
        n, n->has_reach ? zone_node_data(n, 4) + sizeof(struct zone_reach) : zone_node_data(n, 2),
        n->set_count};
}

/* RDATA of the set at `at`, and its size. */
static inline const uint8_t *zone_set_rdata(const uint8_t *at, uint32_t *size)
{
    const struct zone_set *s = (const struct zone_set *)(const void *)at;
    at += sizeof *s;
    if (s->count == 1) {
        *size = 2u + get_u16(at);
        return at;
    }
    memcpy(size, at, sizeof *size);
    return at + sizeof *size;
}

static inline uint32_t zone_set_ttl(const struct zone_set *s)
{
    uint32_t ttl;
    memcpy(&ttl, s->ttl, sizeof ttl);
    return ttl;
}

/* Passes over the set that is next. */
static inline void zone_sets_skip(struct zone_sets *s)
{
    uint32_t size;
    const uint8_t *rdata = zone_set_rdata(s->at, &size);
    s->at = rdata + ((size + 1) & ~1u);
    s->left--;
}

bool zone_sets_next(struct zone_sets *s, struct dns_rrset *set);
/* The node after it in canonical order, or NULL. */
const struct zone_node *zone_next(const struct zone *z, const struct zone_node *n);

const struct zone_node *zone_find(const struct zone *z, const uint8_t *name);
/* The same in parts, between which memory brings near what comes next: the hash; its bucket; the
 * node that it will most likely be, NULL when there is no such name; and the search. */
uint32_t zone_hash(const uint8_t *name, size_t len);
void zone_ahead(const struct zone *z, uint32_t hash);
const struct zone_node *zone_near(const struct zone *z, uint32_t hash);
const struct zone_node *zone_find_near(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash, const struct zone_node *near);
/* Without that node. */
const struct zone_node *zone_find_hash(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash);
/* As authority_look_ahead left it. */
static inline const struct zone_node *zone_find_ahead(const struct authority_ahead *a,
                                                      const struct dns_query *q)
{
    return a->is_near ? zone_find_near(a->zone, q->qname, q->qname_len, a->hash, a->near)
                      : zone_find_hash(a->zone, q->qname, q->qname_len, a->hash);
}
/* Deepest existing ancestor (or the node itself); name is at or below the origin. */
const struct zone_node *zone_encloser(const struct zone *z, const uint8_t *name);
/* The child "*" of a node that has one. */
const struct zone_node *zone_wild(const struct zone *z, const struct zone_node *n);
/* The node itself or the one before it in canonical order that owns a set of `type`. NULL: none. */
const struct zone_node *zone_previous(const struct zone *z, const uint8_t *name, uint16_t type);
bool zone_node_get(const struct zone *z, const struct zone_node *n, uint16_t type, uint16_t covers,
                   struct dns_rrset *set);

/* ---- while a zone is built ---- */

struct records; /* records_priv.h */

/* authority/zone_build.c: room, marks and table from records in canonical order. Complaints are in
 * diags; names: those steered, which the records tell by number. ERR_NOMEM. */
int zone_fill(struct zone *z, const struct records *r, const struct dynamic_name *names,
              unsigned name_count, struct diag_list *diags);
/* authority/zonecheck.c: adds errors and warnings; true when the zone may be served. file: for what
 * is nowhere. */
bool zone_check(const struct zone *z, const char *file, const struct records *records,
                const struct dynamic_name *names, struct diag_list *diags);

#endif
