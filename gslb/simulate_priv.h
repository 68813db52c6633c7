/* gslb/simulate_priv.h: the address space of a name, cut where its maps may differ. */
#ifndef WAYPOST_GSLB_SIMULATE_PRIV_H
#define WAYPOST_GSLB_SIMULATE_PRIV_H

#include "geo/parts.h"
#include "gslb/simulate.h"

struct gslb_simulation {
    struct arena arena;
    struct gslb_name_shift *names;
    unsigned count, cap;
};

enum { SPACE_MAPS = 64 };

/* Kept per set of maps: most names have the same. */
struct space {
    struct space *next;
    const struct geo_map *maps[SPACE_MAPS];
    unsigned map_count;
    struct geo_parts *parts;
    double (*weight)[GSLB_SPACES]; /* [part] */
    double size[GSLB_SPACES];
    bool covered;
};

/* The space of all maps that a name may ask of either plan (index GSLB_NONE: not there), from the
 * list at *spaces or new in it. ERR_NOMEM; ERR_LIMIT: more than SPACE_MAPS. */
int space_of(const struct gslb_simulate *s, const int name[2], struct space **spaces,
             const struct space **out);
void space_free(struct space *spaces);
/* Address number i of a part, in as many different /24 or /56 as it has. */
struct addr space_client(const struct geo_part *p, unsigned i);

#endif
