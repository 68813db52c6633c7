/* geo/write.h: a MaxMind database from rows, for labs and private networks.
 * Record size as small as the tree allows (24, 28 or 32 bits), equal records stored once, IPv4 at
 * ::/96 with the aliased spaces pointing there. Threads: the owner's. */
#ifndef WAYPOST_GEO_WRITE_H
#define WAYPOST_GEO_WRITE_H

#include "geo/db.h"

#include <stdio.h>

/* Reads CSV: a header line names the columns, of which `network` is required; continent, country,
 * subdivision (several split by /), city, asn, organisation, latitude, longitude, radius. Errors
 * carry file:line:column, many at once; a network twice with other data is one. Writes path
 * through a temporary file beside it and a rename. ERR_SYNTAX (said), ERR_IO, ERR_NOMEM. */
int geo_write_csv(const char *csv_path, const char *path, const char *description,
                  struct diag_list *d);

#endif
