/* geo/map.h: client address -> ordered sites, compiled when the configuration is loaded.
 * Rules are tried in order, the first that matches decides. Compiling evaluates them once for each
 * distinct (operator network, place, place of the second database) and leaves one prefix table,
 * address -> list; equal lists merge, so that a look-up's depth is the minimal correct ECS scope
 * (RFC 7871 7.2.1). A second table, address -> place, serves explain and metrics only.
 * In the IPv6 tree nothing around other addresses reaches over a network whose addresses carry IPv4
 * ones, unless all of those get the same list too.
 * Threads: compile by one; a compiled map is immutable, by any. Owner: the caller; the databases
 * are borrowed and outlive the map, all else is copied. */
#ifndef WAYPOST_GEO_MAP_H
#define WAYPOST_GEO_MAP_H

#include "geo/db.h"

struct geo_map;

#define GEO_SITES_MAX 256 /* of a map */

struct geo_site {
    const char *name;
    bool has_position;
    float latitude, longitude;
};

enum geo_match {
    GEO_MATCH_ANY,
    GEO_MATCH_NETWORK,     /* index of an operator network */
    GEO_MATCH_CONTINENT,   /* "EU" */
    GEO_MATCH_COUNTRY,     /* "DE" */
    GEO_MATCH_SUBDIVISION, /* "US/CA": any of the levels */
    GEO_MATCH_CITY,        /* "FR/Paris" */
    GEO_MATCH_ASN,
    GEO_MATCH_UNKNOWN, /* neither continent nor country nor position are known */
};
enum geo_prefer {
    GEO_PREFER_LIST, /* the sites as written, then (unless `fence`) the map's others in order */
    /* By great circle: the nearest, and all that are farther by no more than the accuracy radius,
     * in the map's order; then so for the rest. Sites without a position come after all that have
     * one, then, unless `fence`, the map's others. A client without a position: as LIST. */
    GEO_PREFER_NEAREST,
    GEO_PREFER_WEIGHTED, /* as LIST; one of the sites is drawn per client network and name */
};

struct geo_rule {
    enum geo_match match;
    const char *text; /* CONTINENT, COUNTRY, SUBDIVISION, CITY; case of ASCII does not matter */
    uint32_t number;  /* NETWORK: index; ASN */
    enum geo_prefer prefer;
    const uint16_t *sites; /* LIST, WEIGHTED: indices; NEAREST: among these, none: all */
    const uint32_t *weights;
    unsigned site_count;
    unsigned limit; /* length of the list, 0: the map's; it never cuts weighted sites */
    bool fence;     /* never any other site than these */
};

/* A named list of prefixes; more specific ones win over wider ones of others. */
struct geo_network {
    const char *name;
    const struct prefix *prefixes;
    unsigned prefix_count;
    /* What these clients are taken to be, instead of what `db` says (`asn_db` still adds to it), or
     * NULL: as the database. */
    const struct geo_place *place;
};

struct geo_map_config {
    const char *name;
    const struct geo_site *sites;
    unsigned site_count;
    const struct geo_network *networks;
    unsigned network_count;
    const struct geo_rule *rules;
    unsigned rule_count;
    unsigned limit;          /* length of every list, 0: all */
    const struct geo_db *db; /* places, or NULL */
    /* Second database for what the first lacks, or NULL: the AS with its name; the location, where
     * the first knows none. */
    const struct geo_db *asn_db;
    /* Leaves deeper than this are merged before scopes are derived (the answer of the base address;
     * reported); 0: never. IPv4, IPv6. Beside networks that carry IPv4 IPv6 leaves may still be
     * deeper. */
    uint8_t narrowest4, narrowest6;
};

struct geo_list {
    const uint16_t *sites;   /* best first */
    const uint32_t *weights; /* of the first `weighted` sites, else NULL */
    unsigned count, weighted;
    int rule;   /* index of the first that gives this list, -1: none matched (see geo_map_rule) */
    bool fence; /* outsiders and those whose sites are down get no other */
};

/* ERR_INVALID (unknown or repeated site, empty rule, weights without a sum, NEAREST without
 * positions, a text that is no code, a network twice with different meaning, one inside those that
 * carry IPv4); ERR_LIMIT, ERR_NOMEM, ERR_SYSTEM: no randomness. All are said in d, *m is untouched.
 * Warnings: a text or AS that matches no place; a rule that no client reaches; clients that no rule
 * matches; leaves that were merged. */
int geo_map_compile(struct geo_map **m, const struct geo_map_config *c, struct diag_list *d);
void geo_map_free(struct geo_map *m);

/* *depth (may be NULL): as prefixes_find, for `a` as it was given (an IPv6 address that carries an
 * IPv4 one counts its own bits). Never NULL: without any rule the list is empty. */
const struct geo_list *geo_map_find(const struct geo_map *m, const struct addr *a, unsigned *depth);
/* Of a whole network (the ECS source): the list of its base address. */
const struct geo_list *geo_map_find_net(const struct geo_map *m, const struct prefix *net,
                                        unsigned *depth);
/* What is taken to be known of the client, or NULL. */
const struct geo_place *geo_map_place(const struct geo_map *m, const struct addr *a);
/* The name of the operator network, or NULL. */
const char *geo_map_network(const struct geo_map *m, const struct addr *a);
/* The index of the rule that decides for this address, or -1. (Rules may give equal lists.) */
int geo_map_rule(const struct geo_map *m, const struct addr *a);
/* A rule as people say it ("country DE", "network offices", "any"); "" for -1. The map's. */
const char *geo_map_rule_text(const struct geo_map *m, int rule);
/* The database of places it was compiled with, or NULL. */
const struct geo_db *geo_map_db(const struct geo_map *m);

/* The list as the rules say it, evaluated for this one address without the table: what the table
 * is checked against (tests; geo_map_prove at load). */
void geo_map_evaluate(const struct geo_map_config *c, const struct addr *a, struct geo_list *out,
                      uint16_t sites[GEO_SITES_MAX]);
/* Checks every leaf of the table against geo_map_evaluate at both its ends, and that its neighbour
 * differs; and every address at which what a network or database says may change, so that nothing
 * is left out between the ends. One evaluation each, so for a large database it takes several times
 * as long as compiling. ERR_MISMATCH, with an address that is wrong.
 */
int geo_map_prove(const struct geo_map *m, const struct geo_map_config *c, struct addr *wrong);

struct geo_map_change {
    size_t networks4, networks6; /* maximal ones */
    uint64_t addresses4;         /* of 2^32 */
};
/* Whose first site is not what it was, where it is a matter of weights those too. site_now: for
 * each site of `before` its index in `now`, or UINT16_MAX. ERR_NOMEM, ERR_LIMIT. */
int geo_map_compare(const struct geo_map *before, const struct geo_map *now,
                    const uint16_t *site_now, struct geo_map_change *out);

struct geo_map_info {
    unsigned lists, leaves4, leaves6, merged; /* lists: not empty ones; merged: by narrowest */
    unsigned fences;                          /* lists whose clients never leave them */
    size_t bytes;
};
struct geo_map_info geo_map_info(const struct geo_map *m);

#endif
