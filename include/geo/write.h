/* geo/write.h: a MaxMind database from rows, for labs and private networks.
 * Record size as small as the tree allows (24, 28 or 32 bits), equal places stored once, equal
 * neighbours merged, IPv4 at ::/96, the other spaces whose addresses carry IPv4 ones pointing
 * there. Layout: City, with the ASN layout's keys beside it. Threads: the owner's. */
#ifndef WAYPOST_GEO_WRITE_H
#define WAYPOST_GEO_WRITE_H

#include "geo/db.h"

#include <stdio.h>

/* Reads CSV (RFC 4180, one line per record, UTF-8): a header line names the columns, of which
 * `network` is required; continent, country, subdivision (several split by /, the widest first),
 * city, asn, organisation, latitude, longitude, radius (km). The more specific network wins; one of
 * which nothing is said is a hole in what is around it. Errors carry file:line:column, many at
 * once; a network twice with other data is one, so is IPv4 written as IPv6.
 * Writes path through a temporary file beside it and a rename. description may be NULL.
 * ERR_SYNTAX, ERR_INVALID (empty), ERR_LIMIT (too much for the format), ERR_NOMEM, and what the
 * file system says; all said in d. */
int geo_write_csv(const char *csv_path, const char *path, const char *description,
                  struct diag_list *d);
/* Tables from a file: a database, or rows (a name that ends in .csv) that become one in memory
 * only. Errors as geo_db_load, and for rows as geo_write_csv. */
int geo_file_load(struct geo_db **db, const char *path, const struct geo_db_limits *limits,
                  struct diag_list *d);

#endif
