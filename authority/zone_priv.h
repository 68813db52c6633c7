/* authority/zone_priv.h: a zone from inside.
 *
 *   table: hash of the lower-case name -> node      exact match: one slot, one name compare
 *   nodes: canonical order, empty non-terminals too  previous name: binary search
 *   sets:  each node's, by type; RRSIG sets follow what they cover
 *
 * A node knows what lies above it (delegation, DNAME), so that an exact match needs no walk down
 * from the apex. */
#ifndef WAYPOST_ZONE_PRIV_H
#define WAYPOST_ZONE_PRIV_H

#include "authority/zone.h"
#include "base/arena.h"
#include "plain_priv.h"

struct zone_set {
    const uint8_t *rdata;
    uint32_t size, ttl;
    uint16_t type, count;
    uint16_t covers; /* RRSIG: the type covered */
};

struct zone_node {
    const uint8_t *name; /* wire, lower case */
    uint32_t hash;
    uint32_t first_set;
    uint16_t set_count; /* 0: empty non-terminal */
    uint8_t labels;
    uint8_t name_len; /* octets */
    bool has_wild;    /* "*" is a child */
    bool hash_only;   /* nothing but NSEC3 here and below: for a query it does not exist */
    uint32_t cut;     /* 1 + index of the delegation at or above, 0 none */
    uint32_t dname;   /* 1 + index of the nearest DNAME above (not here), 0 none */
    uint32_t nsec3;   /* 1 + place in the chain of the record at its hash, 0 none */
    uint32_t dynamic; /* 1 + id of the steered name, 0 none */
};

/* A steered name, as it was given. */
struct zone_dynamic {
    const uint16_t *types;
    uint32_t node, id;
    unsigned type_count;
    bool alias;
};

struct zone {
    struct part part;
    uint8_t origin[255];
    uint8_t origin_len; /* octets */
    uint8_t labels;
    bool has_signatures;
    const struct plain_soa *plain_soa; /* NULL: none */
    uint32_t serial, negative_ttl;
    struct arena arena; /* names and rdata */
    struct zone_node *nodes;
    struct zone_set *sets;
    uint32_t node_count, set_count;
    uint32_t *table; /* 1 + node index */
    uint32_t table_mask;
    uint64_t records, bytes;
    uint16_t denial; /* NSEC, NSEC3, 0: not signed */
    uint16_t nsec3_iterations;
    uint8_t nsec3_salt_len;
    const uint8_t *nsec3_salt;
    struct zone_nsec3 { /* in order of the hashes */
        uint8_t hash[20];
        uint32_t node;
    } * nsec3;
    uint32_t nsec3_count;
    struct zone_dynamic *dynamic; /* in canonical order */
    uint32_t dynamic_count;
};

const struct zone_node *zone_find(const struct zone *z, const uint8_t *name);
/* The same in parts, of a name of `len` octets: the hash; what is read with it, asked for in steps
 * 0 .. 2 (from 2 on the node that it will most likely be is given); and the search. */
uint32_t zone_hash(const uint8_t *name, size_t len);
const struct zone_node *zone_ahead(const struct zone *z, uint32_t hash, unsigned step);
const struct zone_node *zone_find_hash(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash);
/* Deepest existing ancestor (or the node itself); name is at or below the origin. */
const struct zone_node *zone_encloser(const struct zone *z, const uint8_t *name);
/* The node itself or the one before it in canonical order that owns a set of `type`. NULL: none. */
const struct zone_node *zone_previous(const struct zone *z, const uint8_t *name, uint16_t type);
bool zone_node_get(const struct zone *z, const struct zone_node *n, uint16_t type, uint16_t covers,
                   struct dns_rrset *set);
uint32_t zone_index(const struct zone *z, const struct zone_node *n);

/* Names, order and place of one record while a zone is built; without rdata it is a steered name,
 * and line its place in the list given. */
struct zone_raw {
    const uint8_t *name;
    const uint8_t *key; /* canonical order by memcmp */
    const uint8_t *rdata;
    uint32_t ttl, order;
    uint16_t key_len, rdlen, type, covers;
    uint32_t line, file;
};

/* Where the sets began, known while a zone is built and checked. */
struct zone_places {
    const char **files;
    uint32_t file_count;
    struct zone_place {
        uint32_t file, line;
    } * at;                           /* by set */
    const struct dynamic_name *names; /* steered, as given */
    uint32_t *dynamic;                /* which of them, as in the zone */
};
/* authority/zonecheck.c: adds errors and warnings; true when the zone may be served. file: for what
 * is nowhere. */
bool zone_check(const struct zone *z, const char *file, const struct zone_places *places,
                struct diag_list *diags);

#endif
