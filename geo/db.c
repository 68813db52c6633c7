/* geo/db.c: file -> private copy -> metadata checked by us -> libmaxminddb opens it -> the tree is
 * walked in address order, each distinct record becomes a place once -> prefix table. The limits
 * that hold against a hostile file: depth of the tree 128, visits to nodes a small multiple of
 * their number, steps in the data section likewise (record_priv.h), bytes of the result. */
#include "geo/db.h"

#include "base/diag.h"
#include "base/err.h"
#include "forms_priv.h"
#include "image_priv.h"
#include "record_priv.h"

#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>

#define DB_BITS            128
#define DB_SEPARATOR       16 /* zero octets between tree and data */
#define DB_METADATA_WITHIN (128 * 1024)
#define DB_METADATA_STEPS  8192
#define DB_FILE_BYTES      (1ull << 30)
#define DB_TABLE_BYTES     (1ull << 30)
#define DB_NODES           (32u << 20)

struct geo_db {
    struct places places;
    struct prefixes *prefixes;
    struct geo_db_info info;
};

/* Which place stands at an offset of the data section. */
struct offsets {
    struct offset {
        uint32_t at, value; /* value: 2 + the place's index; 1: nothing is said there; 0: free */
    } * row;
    uint32_t cap, count;
};

struct load {
    const char *name;
    struct geo_db_limits limits;
    struct diag_list *d;
    struct image image;
    struct record_metadata meta;
    MMDB_s mmdb;
    bool is_open;
    struct record_reader reader;
    struct offsets offsets;
    struct prefixes_build *build;
    struct geo_db *db;
    uint64_t visits, max_visits;
    uint8_t ip[16]; /* where the walk is */
};

/* ---- what is said ---- */

static int say(const struct load *l, int err, const char *what)
{
    diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name}, "%s", what);
    return err;
}

static struct prefix here(const struct load *l, unsigned bits)
{
    struct prefix p = {.bits = (uint8_t)bits, .family = 6};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[12];
    memcpy(p.ip, l->ip, sizeof p.ip);
    if (bits >= 96 && !memcmp(p.ip, zero, sizeof zero)) {
        memcpy(p.ip, mapped, sizeof mapped);
        p.family = 4;
    }
    return p;
}

static int say_tree(const struct load *l, unsigned bits, const char *what)
{
    char text[ADDR_TEXT_MAX];
    struct prefix p = here(l, bits);
    diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name}, "corrupt: %s (at %s)", what,
             prefix_print(&p, text));
    return ERR_INVALID;
}

/* ---- opening ---- */

/* The last marker counts: the data may contain the same octets. */
static const uint8_t *find_metadata(const struct image *im, size_t *tree_and_data)
{
    static const char marker[] = "\xab\xcd\xefMaxMind.com";
    const size_t n = sizeof marker - 1;
    size_t least = im->len > DB_METADATA_WITHIN ? im->len - DB_METADATA_WITHIN : 0;
    for (size_t at = im->len >= n ? im->len - n + 1 : 0; at-- > least;)
        if (!memcmp(im->bytes + at, marker, n)) {
            *tree_and_data = at;
            return im->bytes + at + n;
        }
    return NULL;
}

/* Before libmaxminddb reads the metadata: of what it is told there it believes too much. */
static int check_metadata(struct load *l)
{
    size_t rest = 0;
    const uint8_t *at = find_metadata(&l->image, &rest);
    if (!at)
        return say(l, ERR_INVALID, "not a MaxMind database: it has no metadata");
    struct record_reader r = {.data = at,
                              .len = (size_t)(l->image.bytes + l->image.len - at),
                              .steps = DB_METADATA_STEPS};
    struct record_metadata *m = &l->meta;
    int err = record_metadata(&r, m);
    if (err) {
        diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name},
                 "the metadata is corrupt: %s (at octet %zu of it)", r.why, r.at);
        return err;
    }
    if (m->major != 2)
        return say(l, ERR_INVALID, "the metadata does not say that the format is version 2");
    if (m->ip_version != 4 && m->ip_version != 6)
        return say(l, ERR_INVALID, "the metadata says neither IPv4 nor IPv6");
    if (m->record_bits != 24 && m->record_bits != 28 && m->record_bits != 32)
        return say(l, ERR_INVALID, "the metadata does not say records of 24, 28 or 32 bits");
    uint64_t tree = m->nodes * (m->record_bits / 4);
    if (!m->nodes || tree + DB_SEPARATOR > rest)
        return say(l, ERR_INVALID, "the metadata says more nodes than there are");
    if (m->nodes > l->limits.nodes) {
        diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name},
                 "%llu nodes, more than the limit of %u", (unsigned long long)m->nodes,
                 l->limits.nodes);
        return ERR_LIMIT;
    }
    l->reader.data = l->image.bytes + tree + DB_SEPARATOR;
    l->reader.len = rest - tree - DB_SEPARATOR;
    l->reader.steps = record_steps(l->reader.len);
    return 0;
}

static int open_mmdb(struct load *l)
{
    int status = MMDB_open(l->image.path, MMDB_MODE_MMAP, &l->mmdb);
    image_hide(&l->image);
    if (status == MMDB_OUT_OF_MEMORY_ERROR)
        return say(l, ERR_NOMEM, err_text(ERR_NOMEM));
    if (status != MMDB_SUCCESS) {
        diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name}, "not a MaxMind database: %s",
                 MMDB_strerror(status));
        return ERR_INVALID;
    }
    l->is_open = true;
    const MMDB_metadata_s *m = &l->mmdb.metadata;
    if (m->node_count != l->meta.nodes || m->record_size != l->meta.record_bits ||
        m->ip_version != l->meta.ip_version)
        return say(l, ERR_INVALID, "the metadata contradicts itself");
    return 0;
}

/* ---- places ---- */

static struct offset *offset_row(const struct offsets *o, uint32_t at)
{
    uint32_t i = at * 2654435761u;
    for (i ^= i >> 15;; i++) {
        struct offset *row = &o->row[i & (o->cap - 1)];
        if (!row->value || row->at == at)
            return row;
    }
}

static int grow_offsets(struct offsets *o)
{
    if (o->count < o->cap / 2)
        return 0;
    struct offsets bigger = {.cap = o->cap ? o->cap * 2 : 1024, .count = o->count};
    bigger.row = calloc(bigger.cap, sizeof *bigger.row);
    if (!bigger.row)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < o->cap; i++)
        if (o->row[i].value)
            *offset_row(&bigger, o->row[i].at) = o->row[i];
    free(o->row);
    *o = bigger;
    return 0;
}

static int decode(struct load *l, uint32_t at, unsigned bits, uint32_t *value)
{
    struct geo_place place;
    uint32_t index;
    int err = record_place(&l->reader, at, &l->db->places, &place);
    if (err == ERR_INVALID) {
        char text[ADDR_TEXT_MAX];
        struct prefix p = here(l, bits);
        diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name},
                 "corrupt: %s (at octet %zu of the data, for %s)", l->reader.why, l->reader.at,
                 prefix_print(&p, text));
        return err;
    }
    if (!err && places_is_blank(&place)) {
        *value = 1;
        return 0;
    }
    err = err ? err : places_put(&l->db->places, &place, &index);
    if (err)
        return say(l, err,
                   err == ERR_LIMIT ? "its places take more memory than allowed" : err_text(err));
    *value = 2 + index;
    return 0;
}

static int on_data(struct load *l, uint64_t at, unsigned bits)
{
    if (at < DB_SEPARATOR || at - DB_SEPARATOR >= l->reader.len)
        return say_tree(l, bits, "a record of the tree points to neither a node nor data");
    int err = grow_offsets(&l->offsets);
    if (err)
        return say(l, err, err_text(err));
    struct offset *row = offset_row(&l->offsets, (uint32_t)(at - DB_SEPARATOR));
    if (!row->value) {
        uint32_t value = 0;
        err = decode(l, (uint32_t)(at - DB_SEPARATOR), bits, &value);
        if (err)
            return err;
        *row = (struct offset){.at = (uint32_t)(at - DB_SEPARATOR), .value = value};
        l->offsets.count++;
    }
    if (row->value < 2)
        return 0;
    struct prefix p = here(l, bits);
    err = prefixes_put(l->build, &p, row->value - 1);
    if (!err && bits < 96 && p.family == 6) {
        static const uint8_t zero[16];
        if (!memcmp(l->ip, zero, sizeof zero)) /* one record for all of ::/96: so for all of IPv4 */
            err = prefixes_put(
                l->build,
                &(struct prefix){.ip = {[10] = 0xff, [11] = 0xff}, .bits = 96, .family = 4},
                row->value - 1);
    }
    return err ? say(l, err, err_text(err)) : 0;
}

/* ---- the tree ---- */

/* Where a tree has the IPv4 part once more (or other things, which nobody gets to: addresses in
 * there are looked up as the IPv4 address they carry). */
static bool is_alias(const struct load *l, unsigned bits)
{
    for (unsigned i = 1; i < FORMS; i++)
        if (bits == forms[i].bits && !memcmp(l->ip, forms[i].ip, bits / 8))
            return true;
    return false;
}

struct level {
    uint64_t record[2];
    unsigned next; /* side to be walked: 0, 1; 2: none is left */
};

static int visit(struct load *l, uint64_t node, unsigned bits, struct level *level)
{
    MMDB_search_node_s n;
    if (bits >= DB_BITS)
        return say_tree(l, DB_BITS, "the tree is deeper than an address is long");
    if (++l->visits > l->max_visits)
        return say_tree(l, bits, "nodes of the tree are reached on too many ways");
    if (MMDB_read_node(&l->mmdb, (uint32_t)node, &n) != MMDB_SUCCESS)
        return say_tree(l, bits, "a node of the tree cannot be read");
    *level = (struct level){.record = {n.left_record, n.right_record}};
    return 0;
}

/* Preorder, so networks come in address order. IPv4 lies at ::/96 in both kinds of database. */
static int walk(struct load *l)
{
    struct level levels[DB_BITS];
    const unsigned start = l->meta.ip_version == 4 ? 96 : 0;
    unsigned depth = start; /* bits of the path to the level that is worked on */
    int err = visit(l, 0, depth, &levels[depth]);
    while (!err) {
        struct level *level = &levels[depth];
        uint8_t *octet = &l->ip[depth / 8], bit = (uint8_t)(0x80 >> depth % 8);
        *octet &= (uint8_t)~bit;
        if (level->next == 2) {
            if (depth-- == start)
                break;
            continue;
        }
        uint64_t record = level->record[level->next];
        *octet |= level->next++ ? bit : 0;
        if (is_alias(l, depth + 1) || record == l->meta.nodes)
            continue;
        if (record > l->meta.nodes) {
            err = on_data(l, record - l->meta.nodes, depth + 1);
            continue;
        }
        err = visit(l, record, depth + 1, &levels[depth + 1 < DB_BITS ? depth + 1 : 0]);
        depth++;
    }
    return err;
}

/* ---- the result ---- */

static int keep_text(struct load *l, const char *text, const char **out)
{
    bool clean = text && record_text_is_clean((const uint8_t *)text, strlen(text));
    *out = arena_strdup(&l->db->places.texts, clean ? text : "");
    return *out ? 0 : say(l, ERR_NOMEM, err_text(ERR_NOMEM));
}

static int describe(struct load *l)
{
    const MMDB_metadata_s *m = &l->mmdb.metadata;
    struct geo_db_info *info = &l->db->info;
    const char *description =
        m->description.count ? m->description.descriptions[0]->description : NULL;
    for (size_t i = 0; i < m->description.count; i++)
        if (!strcmp(m->description.descriptions[i]->language, "en"))
            description = m->description.descriptions[i]->description;
    info->built_s = m->build_epoch;
    info->nodes = m->node_count;
    info->ip_version = (uint8_t)m->ip_version;
    info->record_bits = (uint8_t)m->record_size;
    for (uint32_t i = 0; i < l->db->places.place_count; i++) {
        const struct geo_place *p = &l->db->places.place[i];
        info->has_country |= *p->country != 0;
        info->has_city |= *p->city != 0;
        info->has_position |= p->has_position;
        info->has_asn |= p->asn != 0;
    }
    int err = keep_text(l, m->database_type, &info->type);
    return err ? err : keep_text(l, description, &info->description);
}

static int finish(struct load *l)
{
    struct geo_db *db = l->db;
    if (l->offsets.count && !db->places.place_count) {
        diag_add(l->d, DIAG_ERROR, &(struct diag_at){.file = l->name},
                 "a database of type \"%s\", which says of no network where it is", db->info.type);
        return ERR_INVALID;
    }
    if (l->reader.odd)
        diag_add(l->d, DIAG_WARNING, &(struct diag_at){.file = l->name},
                 "%u values of a wrong type or out of range were left out, the first is \"%s\" at "
                 "octet %zu of the data",
                 l->reader.odd, l->reader.odd_key, l->reader.odd_at);
    places_settle(&db->places);
    size_t held = places_bytes(&db->places) + sizeof *db;
    struct prefixes_build *build = l->build;
    l->build = NULL;
    uint64_t left = l->limits.table_bytes > held ? l->limits.table_bytes - held : 1;
    int err = prefixes_finish(build, NULL, left, &db->prefixes);
    if (err)
        return say(l, err,
                   err == ERR_LIMIT ? "its networks take more memory than allowed" : err_text(err));
    db->info.bytes = held + prefixes_usage(db->prefixes).bytes;
    return 0;
}

static int load(struct load *l)
{
    int err = check_metadata(l);
    err = err ? err : open_mmdb(l);
    if (err)
        return err;
    l->max_visits = 2 * l->meta.nodes + DB_BITS; /* a shared part or two is no attack */
    l->db = calloc(1, sizeof *l->db);
    err = l->db ? places_init(&l->db->places, l->limits.table_bytes) : ERR_NOMEM;
    err = err ? err : prefixes_begin(&l->build);
    if (err)
        return say(l, err, err_text(err));
    err = walk(l);
    err = err ? err : describe(l);
    return err ? err : finish(l);
}

static struct load begin(const char *name, const struct geo_db_limits *limits, struct diag_list *d)
{
    struct load l = {.name = name, .d = d, .limits = limits ? *limits : (struct geo_db_limits){0}};
    l.limits.file_bytes = l.limits.file_bytes ? l.limits.file_bytes : DB_FILE_BYTES;
    l.limits.table_bytes = l.limits.table_bytes ? l.limits.table_bytes : DB_TABLE_BYTES;
    l.limits.nodes = l.limits.nodes ? l.limits.nodes : DB_NODES;
    return l;
}

static int end(struct load *l, int err, struct geo_db **db)
{
    err = err ? err : load(l);
    if (l->build)
        prefixes_abandon(l->build);
    free(l->offsets.row);
    if (l->is_open)
        MMDB_close(&l->mmdb);
    if (l->image.bytes)
        image_close(&l->image);
    if (err)
        geo_db_free(l->db);
    else
        *db = l->db;
    return err;
}

int geo_db_load(struct geo_db **db, const char *path, const struct geo_db_limits *limits,
                struct diag_list *d)
{
    struct load l = begin(path, limits, d);
    return end(&l, image_copy(&l.image, path, l.limits.file_bytes, d), db);
}

int geo_db_load_mem(struct geo_db **db, const char *name, const void *bytes, size_t len,
                    const struct geo_db_limits *limits, struct diag_list *d)
{
    struct load l = begin(name, limits, d);
    int err = len > l.limits.file_bytes ? say(&l, ERR_LIMIT, "larger than allowed")
                                        : image_of(&l.image, name, bytes, len, d);
    return end(&l, err, db);
}

void geo_db_free(struct geo_db *db)
{
    if (!db)
        return;
    if (db->prefixes)
        prefixes_free(db->prefixes);
    places_fini(&db->places);
    free(db);
}

const struct geo_place *geo_db_find(const struct geo_db *db, const struct addr *a, unsigned *depth)
{
    unsigned shift, bits;
    struct addr known = prefixes_canonical(a, &shift);
    uint32_t value = prefixes_find(db->prefixes, &known, &bits);
    if (depth) {
        unsigned least = known.family == 6 ? forms_least_depth(known.ip) : 0;
        *depth = bits + shift > least ? bits + shift : least;
    }
    return value == PREFIXES_NONE ? NULL : &db->places.place[value - 1];
}

const struct prefixes *geo_db_prefixes(const struct geo_db *db)
{
    return db->prefixes;
}

unsigned geo_db_places(const struct geo_db *db)
{
    return db->places.place_count;
}

const struct geo_place *geo_db_place(const struct geo_db *db, unsigned index)
{
    return index < db->places.place_count ? &db->places.place[index] : NULL;
}

struct geo_db_info geo_db_info(const struct geo_db *db)
{
    return db->info;
}
