/* geo/db.h: a MaxMind database, read once into tables of our own.
 * The file is copied into sealed memory, its metadata checked before anybody else reads them, the
 * tree walked (iteratively, bounded), every distinct record decoded once, and all closed: the file
 * is not needed afterwards and may be replaced or overwritten at any moment.
 * Bounds against hostile files: bytes, nodes and result as below; visits to nodes twice their
 * number; values looked at 16 per octet of data, at most 2^32; nesting costs nothing.
 * Known keys of a wrong type, codes that are none, texts with control characters and positions off
 * the globe count as absent, with one warning for all of them.
 * Threads: load by one; a loaded database is immutable, by any. Owner: the caller.
 * Source: MaxMind DB file format 2.0; City, Country, ASN, ISP and Enterprise layouts. */
#ifndef WAYPOST_GEO_DB_H
#define WAYPOST_GEO_DB_H

#include "base/addr.h"
#include "geo/prefixes.h"

#include <stdbool.h>
#include <stdint.h>

struct diag_list;
struct geo_db;

#define GEO_SUBDIVISIONS_MAX 3

struct geo_place {
    char continent[3]; /* "EU", "" unknown */
    char country[3];   /* ISO 3166-1 alpha-2; of `country`, else of `registered_country` */
    bool registered;   /* country is where the network is registered: no better fact was there */
    bool has_position;
    char subdivision[GEO_SUBDIVISIONS_MAX][4]; /* ISO 3166-2 without the country, widest first */
    const char *city;                          /* English name, "" unknown; the database's */
    uint32_t asn;                              /* 0 unknown */
    const char *organisation;                  /* that runs the AS, else the network; "" unknown */
    float latitude, longitude;                 /* degrees; when has_position */
    uint16_t radius_km;                        /* accuracy, 0 unknown */
};

struct geo_db_limits {
    uint64_t file_bytes, table_bytes; /* 0: 1 GiB, 1 GiB */
    uint32_t nodes;                   /* 0: 32 million */
};

/* ERR_INVALID: not a database, corrupt, hostile, or of a type that says of no network where it is
 * (one without any network is fine); ERR_LIMIT; ERR_NOMEM; ERR_BUSY: it changed while it was read;
 * ERR_NOT_FILE, ERR_NOT_FOUND, ERR_ACCESS and what else the file system says. All are said in d,
 * with the path. *db is untouched on error. */
int geo_db_load(struct geo_db **db, const char *path, const struct geo_db_limits *limits,
                struct diag_list *d);
int geo_db_load_mem(struct geo_db **db, const char *name, const void *bytes, size_t len,
                    const struct geo_db_limits *limits, struct diag_list *d);
void geo_db_free(struct geo_db *db);

/* NULL: the database says nothing. *depth (may be NULL): as prefixes_find, in the count of `a`.
 * IPv6 addresses that carry an IPv4 address are looked up as that (prefixes_canonical); the depth
 * of any other IPv6 address is at least such that the network around it holds none of those. */
const struct geo_place *geo_db_find(const struct geo_db *db, const struct addr *a, unsigned *depth);
/* Values are 1 + the index of a place. */
const struct prefixes *geo_db_prefixes(const struct geo_db *db);
unsigned geo_db_places(const struct geo_db *db);
const struct geo_place *geo_db_place(const struct geo_db *db, unsigned index);
#define GEO_DB_OLD_S (60 * 86400) /* publishers make a new one every few days: look why */
struct geo_db_info {
    const char *type, *description; /* "GeoLite2-City" */
    uint64_t built_s;               /* seconds since 1970 */
    uint32_t nodes;
    uint8_t ip_version, record_bits;
    bool has_country, has_city, has_position, has_asn;
    size_t bytes; /* held in memory */
};
/* Texts are the database's, "" when they are not there or not clean. */
struct geo_db_info geo_db_info(const struct geo_db *db);

#endif
