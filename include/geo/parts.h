/* geo/parts.h: the address space cut into parts inside which every one of some maps gives one list.
 * Who wants to know what a policy gives to everybody asks once per part, not once per address.
 * IPv6 networks whose addresses carry IPv4 ones are counted with those.
 * Threads: made by one, then immutable. Owner: the caller; the maps are looked at only while it is
 * made. */
#ifndef WAYPOST_GEO_PARTS_H
#define WAYPOST_GEO_PARTS_H

#include "geo/map.h"

#define GEO_PART_SAMPLES 8 /* networks kept per part and family */

enum { GEO_PART_IPV4, GEO_PART_IPV6, GEO_PART_FAMILIES };

struct geo_part {
    double addresses[GEO_PART_FAMILIES];                       /* exact below 2^53 networks */
    struct prefix sample[GEO_PART_FAMILIES][GEO_PART_SAMPLES]; /* the widest, widest first */
    unsigned samples[GEO_PART_FAMILIES];
    bool known; /* some map's database or operator networks speak of these addresses */
};

struct geo_parts;

/* ERR_NOMEM, ERR_LIMIT. Without maps: one part that is everything. Maps without any database or
 * operator network know everything. */
int geo_parts_new(struct geo_parts **p, const struct geo_map *const *maps, unsigned count);
void geo_parts_free(struct geo_parts *p);
unsigned geo_parts_count(const struct geo_parts *p);
const struct geo_part *geo_parts_at(const struct geo_parts *p, unsigned index);
/* The part that an address lies in. */
unsigned geo_parts_find(const struct geo_parts *p, const struct addr *a);

#endif
