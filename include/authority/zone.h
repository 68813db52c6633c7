/* authority/zone.h: one zone's contents, immutable, ready to answer from.
 * Built from records (a master file, later a transfer), checked, then served. Inside: names in a
 * table for exact match in one or two cache misses and in canonical order for the previous name;
 * sets ready to copy to the wire. Threads: immutable once zone_load returned. Owner: part, shared
 * by snapshots. */
#ifndef WAYPOST_AUTHORITY_ZONE_H
#define WAYPOST_AUTHORITY_ZONE_H

#include "authority/dynamic.h"
#include "base/diag.h"
#include "base/snap.h"
#include "dns/rrset.h"

#include <stdint.h>

struct zone;

/* Reads, builds and checks (authority/zonecheck.h). dynamic: names steered in this zone, put into
 * its tree; copied, NULL when there are none. On success *z has one reference, for the caller.
 * Errors are in diags: ERR_SYNTAX (file), ERR_INVALID (checks), ERR_IO, ERR_ACCESS, ERR_NOT_FOUND,
 * ERR_NOMEM. Warnings do not refuse. */
int zone_load(struct zone **z, const uint8_t *origin, const char *path,
              const struct dynamic_name *dynamic, unsigned dynamic_count, struct diag_list *diags);
/* The same from text in memory. */
int zone_load_mem(struct zone **z, const uint8_t *origin, const char *name, const char *text,
                  size_t len, const struct dynamic_name *dynamic, unsigned dynamic_count,
                  struct diag_list *diags);
struct part *zone_part(struct zone *z);
uint32_t zone_serial(const struct zone *z);
/* The same records with the same TTLs and the same steered names, as a reload without a change
 * gives. */
bool zone_same(const struct zone *a, const struct zone *b);
/* Records, names and bytes held. */
struct zone_size {
    uint64_t records, names, bytes;
};
struct zone_size zone_size(const struct zone *z);

#endif
