/* daemon/steering_priv.h: what the readers of `gslb` share.
 * Each reads one part into the plan, in the order of the configuration, so that the index of an
 * item is its place under its key. A lack of memory is noted, and ends the build when the part is
 * read. */
#ifndef WAYPOST_DAEMON_STEERING_PRIV_H
#define WAYPOST_DAEMON_STEERING_PRIV_H

#include "config/tree.h"
#include "daemon/steering.h"
#include "geo/db.h"

/* A database as it was read, or what is known of one that could not be read. */
struct steering_db {
    struct part part;
    struct geo_db *db; /* NULL: it could not be read */
    char *path;
    struct fileid id; /* which file it was */
    int64_t read_s;   /* wall clock */
};
/* The tables of one map: gslb_map.owner. */
struct steering_geo {
    struct part part;
    struct geo_map *geo;
    struct steering_db *db, *asn; /* NULL: none is written */
    char *rules;                  /* what it was compiled from */
    size_t rules_len;
};

struct steering {
    const struct config *c;
    struct gslb_plan *plan;
    const struct gslb_plan *before;            /* or NULL */
    const struct steering_database *databases; /* instead of those that are written */
    unsigned database_count;
    struct diag_list *diags;
    unsigned *kept;
    struct arena scratch;    /* of this build */
    struct steering_db **db; /* taken in this build, a reference each */
    unsigned db_count;
    bool nomem;
};

/* Zeroed, in the plan's arena. */
#define STEERING_ARRAY(s, type, n) ((type *)steering_zalloc((s), sizeof(type) * (n)))
void *steering_zalloc(struct steering *s, size_t n);
const char *steering_strdup(struct steering *s, const char *text);
/* The value at a path as the plan's own text, or NULL. */
const char *steering_text(struct steering *s, const struct config_node *item, const char *path);
/* The first of the items at a path (item NULL: from the root), their count; for NAMED and ITEMS. */
const struct config_node *steering_first(const struct steering *s, const struct config_node *item,
                                         const char *path, unsigned *count);
/* An error at a value, or at the key of an item. */
void steering_wrong(struct steering *s, const struct config_node *at, const char *hint,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void steering_key_wrong(struct steering *s, const struct config_node *item, const char *hint,
                        const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Names of items occur in commands and files: letters, digits, - _ and dot, at most 63. */
void steering_check_name(struct steering *s, const struct config_node *item, const char *what);
/* Where an item is written, as the plan's own texts. */
struct diag_at steering_at(struct steering *s, const struct config_node *item);
/* The index of the item with this name in a NAMED map; GSLB_NONE with an error at `at`. */
int steering_index(struct steering *s, const struct config_node *named, const char *what,
                   const struct config_node *at, const char *name);
/* The wire name, lower case, in the plan's arena; NULL with an error. */
const uint8_t *steering_domain(struct steering *s, const struct config_node *at, const char *text);
/* Relative to the configuration. */
const char *steering_file(struct steering *s, const char *name);
/* Among the plan's files, from now on; the one that is there when it is not new. */
struct gslb_file *steering_file_note(struct steering *s, const char *path, struct fileid id);
/* `v4` and `v6` below a path. */
void steering_lengths(const struct steering *s, const struct config_node *item, const char *path,
                      uint8_t *v4, uint8_t *v6);

/* steering_db.c: borrowed from s; NULL: the path is not written, or it is an error. */
struct steering_db *steering_db_take(struct steering *s, const struct config_node *item,
                                     const char *path);
/* steering_maps.c */
void steering_maps_read(struct steering *s);
/* A map from clients to the members of a pool; members: their positions. Returns its index. */
int steering_map_near(struct steering *s, const struct config_node *pool, const char *name,
                      const struct gslb_endpoint *members, unsigned count);
/* steering_geo.c: compiles, or takes the plan's before. */
struct geo_map_config;
void steering_geo_take(struct steering *s, struct gslb_map *m, struct geo_map_config *config,
                       struct steering_db *db, struct steering_db *asn, const char *rules,
                       size_t rules_len);
/* steering_checks.c */
void steering_checks_read(struct steering *s);
void steering_doubt_read(struct steering *s);
/* steering_pools.c */
void steering_pools_read(struct steering *s);
/* steering_names.c */
void steering_names_read(struct steering *s);

#endif
