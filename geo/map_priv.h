/* geo/map_priv.h: a compiled map, and the one evaluation of its rules.
 * Shape: `table` has the index of a list for every address (0: the empty one), `where` 1 + the
 * index of a combination of operator network and place. In the IPv6 tree of `table` each network
 * whose addresses carry IPv4 ones has the one list of all IPv4 addresses, or, when there are
 * several, a value of its own: no network around other addresses reaches over it.
 * Threads: as geo/map.h. */
#ifndef WAYPOST_GEO_MAP_PRIV_H
#define WAYPOST_GEO_MAP_PRIV_H

#include "base/arena.h"
#include "geo/map.h"

#define MAP_FORM UINT32_MAX /* in `table`: look for the IPv4 address */

struct map_combo {
    const struct geo_place *place; /* NULL: nothing is known */
    uint32_t net, list;            /* 1 + index of a network, or 0; index of a list */
    int rule;                      /* -1: none */
};

struct geo_map {
    struct prefixes *table, *where; /* a test may put a spoilt table here */
    struct geo_list *lists;         /* the first is empty: no rule matched */
    struct map_combo *combos;
    const char **networks; /* names */
    const char **rules;    /* texts */
    const struct geo_db *db;
    uint32_t list_count, combo_count, rule_count;
    unsigned merged;
    uint8_t narrowest4, narrowest6;
    struct arena arena; /* lists, places and names */
};

/* The index of the rule that decides, or -1. */
int map_rules_match(const struct geo_map_config *c, uint32_t net, const struct geo_place *place);
/* Of a place, only its position and radius matter once the rule is known.
 * The sites for clients of a place (NULL: nothing is known) in an operator network (0: none). */
void map_rules_apply(const struct geo_map_config *c, uint32_t net, const struct geo_place *place,
                     struct geo_list *out, uint16_t sites[GEO_SITES_MAX]);
/* What is taken to be known of a client: the network's place instead of the database's, and the
 * second database for what that lacks. `mixed` is room for what is of two sources; NULL: nothing.
 */
const struct geo_place *map_place(const struct geo_map_config *c, uint32_t net,
                                  const struct geo_place *first, const struct geo_place *second,
                                  struct geo_place *mixed);
/* Which of the two places have no say. */
bool map_place_needs_first(const struct geo_map_config *c, uint32_t net);
bool map_place_needs_second(const struct geo_place *first);
/* A rule that names a place matches it; the rules' texts are right (map_check). */
bool map_rule_matches(const struct geo_rule *r, uint32_t net, const struct geo_place *p);
/* ERR_INVALID, ERR_LIMIT: said in d. */
int map_check(const struct geo_map_config *c, struct diag_list *d);
/* The same list: the sites, weights and the fence; not which rule gave it. */
bool map_list_equal(const struct geo_list *a, const struct geo_list *b);
/* A rule as people say it, in the arena; NULL: no memory. */
const char *map_rule_text(struct arena *arena, const struct geo_map_config *c,
                          const struct geo_rule *r);
/* The first address of the narrowest network around it; its own without such a bound. */
void map_base(struct addr *a, uint8_t narrowest4, uint8_t narrowest6);

#endif
