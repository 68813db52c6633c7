/* authority/zonedb.h: which of our zones is this name in?
 * An immutable table of zones, built aside from loaded zones and published with the snapshot;
 * thousands of zones, one hash for every suffix of the name asked. A listener sees a subset: each
 * zone carries a bit mask of listeners. Threads: immutable once zonedb_finish returned; readers
 * take no lock. Owner: the snapshot; zones are parts and shared between snapshots. */
#ifndef WAYPOST_AUTHORITY_ZONEDB_H
#define WAYPOST_AUTHORITY_ZONEDB_H

#include "base/diag.h"
#include "base/snap.h"

#include <stdbool.h>
#include <stdint.h>

struct zone; /* authority/zone.h */
struct zonedb;

/* A set of listeners by index; zones with the same name may serve different listeners (split
 * horizon). */
#define ZONEDB_LISTENERS_MAX 64
typedef uint64_t zonedb_listeners;

/* An empty table to fill; NULL when out of memory. */
struct zonedb *zonedb_new(void);
/* Takes a reference to the zone. A zone that could not be loaded is added with zone NULL and its
 * origin: it is answered SERVFAIL. ERR_EXISTS: this origin is there already for one of these
 * listeners. */
int zonedb_add(struct zonedb *db, const uint8_t *origin, struct zone *z, zonedb_listeners on);
/* Builds the look-up table; no zonedb_add afterwards. */
int zonedb_finish(struct zonedb *db);
struct part *zonedb_part(struct zonedb *db);
/* Deepest zone enclosing qname (wire, any case) on this listener. *failed: the enclosing zone is
 * ours but not loaded. NULL: none (or failed). */
const struct zone *zonedb_find(const struct zonedb *db, const uint8_t *qname, unsigned listener,
                               bool *failed);
/* The zone of exactly this origin on these listeners, or (when they were changed) on some of them;
 * NULL: none, or not loaded. */
const struct zone *zonedb_get(const struct zonedb *db, const uint8_t *origin, zonedb_listeners on);
unsigned zonedb_count(const struct zonedb *db);
/* The i-th zone as added (zone may be NULL); for status and listings. */
const struct zone *zonedb_at(const struct zonedb *db, unsigned i, const uint8_t **origin,
                             zonedb_listeners *on);

#endif
