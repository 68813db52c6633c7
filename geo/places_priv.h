/* geo/places_priv.h: the distinct places of a database, and their texts, each kept once.
 * Shape: an array of places, an array of texts in an arena, and a hash table of indexes over each.
 * Threads: one owner while it grows; immutable afterwards. Owner: strings and places are its own.
 */
#ifndef WAYPOST_GEO_PLACES_H
#define WAYPOST_GEO_PLACES_H

#include "base/arena.h"
#include "geo/db.h"

struct places_slots {
    struct places_slot {
        uint32_t tag, value; /* of the hash; 1 + index of an element, 0 is free */
    } * at;
    uint32_t cap; /* a power of two, or 0 */
};

struct places {
    struct geo_place *place;
    const char **text;
    uint32_t place_count, place_cap, text_count, text_cap;
    struct places_slots place_slots, text_slots;
    struct arena texts;
    uint64_t seed, max_bytes;
};

/* max_bytes: bound on all it holds. ERR_SYSTEM: no randomness for the tables. */
int places_init(struct places *p, uint64_t max_bytes);
void places_fini(struct places *p);
/* The one copy of a text (without NUL bytes inside) in *out; "" needs none. ERR_NOMEM, ERR_LIMIT.
 */
int places_text(struct places *p, const char *text, size_t len, const char **out);
/* The index of the one place equal to this one, whose texts came from places_text. */
int places_put(struct places *p, const struct geo_place *place, uint32_t *index);
/* Gives back what only growing needs. */
void places_settle(struct places *p);
size_t places_bytes(const struct places *p);
/* Nothing is known. */
bool places_is_blank(const struct geo_place *place);

#endif
