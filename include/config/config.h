/* config/config.h: the configuration file, read by a table of options.
 * The file is YAML without its surprises (no anchors, tags, merge keys, duplicate keys; units are
 * spelled). Every key is a row of config_options: path, type, default, range, help; loading,
 * defaults, the reference manual, the JSON schema and `config explain` all come from the rows.
 * Nothing here knows DNS: names and zones are text until the daemon takes them. All errors are
 * collected, compiler-style, with a hint. Threads: immutable once loaded. Owner: the caller frees
 * with config_free; texts and nodes are borrowed from it. */
#ifndef WAYPOST_CONFIG_CONFIG_H
#define WAYPOST_CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
    CONFIG_MAP,   /* keys below it are rows of their own */
    CONFIG_ITEMS, /* a sequence of maps: rows "path[].key" */
    CONFIG_NAMED, /* a map whose keys are names of the operator's, of maps: rows "path.*.key" */
    CONFIG_TEXT,
    CONFIG_BOOL,     /* yes no true false on off */
    CONFIG_INT,      /* a bare number */
    CONFIG_DURATION, /* milliseconds; written 300ms, 6s, 5m, 1h, 1d */
    CONFIG_SIZE,     /* bytes; written 512B, 64K, 256M, 4G */
    CONFIG_PERCENT,  /* written 10% */
    CONFIG_PERMILLE, /* written 50% or 12.5%: tenths of a percent */
    CONFIG_ADDRESS,  /* IPv4 or IPv6, with or without port */
    CONFIG_PREFIX,   /* CIDR */
    CONFIG_CHOICE,   /* one of `choices`, split by | */
    CONFIG_POSITION, /* [latitude, longitude] in degrees */
    CONFIG_WEIGHED,  /* a name, a list of names, or a map from names to whole numbers */
    CONFIG_UNBUILT,  /* planned, an error "not in this version" */
};

struct config_option {
    const char *path; /* "resolver.cache.size", "listen[].port" */
    enum config_type type;
    bool many;           /* a sequence of them; one alone is taken as a sequence of one */
    bool required;       /* inside its map or item */
    const char *def;     /* default as written in a file, NULL: none */
    int64_t min, max;    /* INT, DURATION (ms), SIZE (bytes), PERMILLE; both 0: any */
    const char *choices; /* CHOICE */
    const char *help;    /* one sentence */
    const char *brief;   /* MAP, NAMED (of its values): the key that a value without keys is for */
};
/* Ends with a row whose path is NULL. */
extern const struct config_option config_options[];

struct config;
struct config_node; /* a place in the file; NULL stands for "not written" */

/* 0 and *c; or ERR_SYNTAX, ERR_NOT_FOUND, ERR_ACCESS, ERR_IO, ERR_NOMEM, everything said in diags.
 */
int config_load(struct config **c, const char *path, struct diag_list *diags);
int config_load_mem(struct config **c, const char *name, const char *text, size_t len,
                    struct diag_list *diags);
/* One more holder, who frees it too: the last one does. Any thread. */
struct config *config_share(struct config *c);
void config_free(struct config *c);
/* The folder that relative paths start from ("." for memory). */
const char *config_folder(const struct config *c);
/* A path as it was written, from that folder unless it is absolute, into out; returns out. */
const char *config_path(const struct config *c, const char *path, char *out, size_t cap);

/* Items of a sequence of maps. */
unsigned config_items(const struct config *c, const char *path);
const struct config_node *config_item(const struct config *c, const char *path, unsigned i);
/* The item after this one, NULL after the last: for lists that may be long. */
const struct config_node *config_next(const struct config_node *item);

/* Values: `item` NULL and a full path, or an item and the full path with [] or *, whose last one
 * the item stands for: config_text(c, it, "listen[].name"). Items of a NAMED map are the children
 * of its node (config/tree.h). Unwritten keys give their default; a text without default gives
 * NULL, an address without default family 0. */
const struct config_node *config_node(const struct config *c, const struct config_node *item,
                                      const char *path);
const char *config_text(const struct config *c, const struct config_node *item, const char *path);
bool config_bool(const struct config *c, const struct config_node *item, const char *path);
int64_t config_int(const struct config *c, const struct config_node *item, const char *path);
struct addr config_addr(const struct config *c, const struct config_node *item, const char *path,
                        uint16_t port);
/* Latitude and longitude; false when unwritten. */
bool config_position(const struct config *c, const struct config_node *item, const char *path,
                     float at[2]);
/* Values of a `many` option, as text; 0 when unwritten and without default. */
unsigned config_count(const struct config *c, const struct config_node *item, const char *path);
const char *config_text_at(const struct config *c, const struct config_node *item, const char *path,
                           unsigned i);
const struct config_node *config_node_at(const struct config *c, const struct config_node *item,
                                         const char *path, unsigned i);

/* Adds an entry that points at the node's place (node NULL: at the file). hint may be NULL. */
void config_complain(const struct config *c, const struct config_node *node, enum diag_level level,
                     const char *hint, struct diag_list *diags, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Do both say the same there? Unwritten is the default, one value alone a list of one. Not for maps
 * whose keys are rows, nor for rows of items ([], *). */
bool config_same(const struct config *a, const struct config *b, const struct config_option *o);

/* Where the node is written, for diag_add; its texts are the configuration's. */
void config_place(const struct config *c, const struct config_node *node, struct diag_at *at);

/* Value of a duration or size text; ERR_SYNTAX, ERR_RANGE. */
int config_parse_duration(const char *text, int64_t *ms);
int config_parse_size(const char *text, int64_t *bytes);
/* The key of a map that is nearest to a word by edit distance, or NULL when none is near. */
const char *config_key_near(const struct config_node *map, const char *word);

/* The row of a path, or NULL. */
const struct config_option *config_option_find(const char *path);
const char *config_type_name(const struct config_option *o);
/* A server reads it once, when it starts: a reload that changes it is refused. */
bool config_option_at_start(const struct config_option *o);
/* Nearest known path by edit distance, or NULL when nothing is near. */
const char *config_option_near(const char *path);
/* Generated from the rows: reference as text, JSON schema. */
void config_print_option(const struct config_option *o, FILE *out);
void config_print_schema(FILE *out);

#endif
