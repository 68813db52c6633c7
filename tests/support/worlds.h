/* tests/support/worlds.h: steering plans made by chance: maps over a database of their own, pools
 * of every policy, names, health and clients. The same seed makes the same world. */
#ifndef WAYPOST_TESTS_WORLDS_H
#define WAYPOST_TESTS_WORLDS_H

#include "plans.h"

enum { WORLD_RULES = 6, WORLD_NETWORKS = 4, WORLD_PREFIXES = 3, WORLD_POINTS = 4096 };

/* What a map was compiled from. */
struct world_map {
    struct geo_map_config config;
    struct geo_site sites[MADE_SITES];
    struct geo_rule rules[WORLD_RULES];
    uint16_t lists[WORLD_RULES][MADE_SITES];
    uint32_t weights[WORLD_RULES][MADE_SITES];
    struct geo_network networks[WORLD_NETWORKS];
    struct prefix prefixes[WORLD_NETWORKS][WORLD_PREFIXES];
};

struct world {
    uint64_t seed, state; /* as given; of the numbers drawn since */
    struct made made;
    const struct geo_db *db;
    struct world_map maps[MADE_MAPS];
    /* Addresses at which what some map says may change, both families. */
    struct addr *points;
    unsigned point_count;
    uint32_t last_pool[MADE_NAMES], last_s[MADE_NAMES]; /* slot and second of the last usable */
};

enum { WORLD_NOW = 10000 };

/* A database of `rows` networks in 10/8, 198.18/15 and 2001:db8::/32, through a file. */
struct geo_db *world_db(unsigned rows, uint64_t seed);
void world_make(struct world *w, uint64_t seed, const struct geo_db *db);
void world_free(struct world *w);
/* New health of every member, and what was last usable for every name. */
void world_health(struct world *w);
/* Sources, subnets of either family and any length, opt-outs, IPv4 written in six ways. */
struct gslb_client world_client(struct world *w);
/* Less than n, which is not 0. */
unsigned world_below(struct world *w, unsigned n);
/* Once in n. */
bool world_once(struct world *w, unsigned n);
void world_print(const struct world *w);

#endif
