/* geo/write.c: rows -> two binary trees -> the file.
 * The IPv4 tree hangs at ::/96 of the IPv6 one; the other spaces that carry IPv4 addresses refer to
 * it. Rows come with the wider network first, so a row only ever splits or replaces a leaf. Nodes
 * whose sides say the same are dropped, the rest is numbered from the root. */
#include "geo/write.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"
#include "forms_priv.h"
#include "rows_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A record in memory: the number of a node, a leaf, or one of two others. */
#define TREE_EMPTY UINT32_MAX
#define TREE_IPV4  (UINT32_MAX - 1) /* here is the IPv4 tree */
#define TREE_LEAF  0x80000000u      /* | index of a place */

struct tree_node {
    uint32_t record[2];
};
struct tree {
    struct tree_node *node; /* 0 is none: its sides are the roots, IPv6 and IPv4 */
    uint32_t count, cap;
    uint32_t *number; /* of each node in the file */
    uint32_t *order;  /* the node of each number */
    uint32_t written;
};
enum { TREE_IPV6_SIDE, TREE_IPV4_SIDE };

struct out {
    uint8_t *at;
    size_t len, cap;
    int err; /* sticky */
};

struct writer {
    struct rows rows;
    struct tree tree;
    struct out data, metadata;
    uint32_t *offsets; /* of each place in the data */
    unsigned record_bits;
};

/* ---- the tree ---- */

static bool is_node(uint32_t record)
{
    return record < TREE_LEAF;
}

static int tree_add(struct tree *t, uint32_t both, uint32_t *index)
{
    if (t->count == t->cap) {
        uint32_t more = t->cap ? t->cap + t->cap / 2 : 1024;
        struct tree_node *bigger =
            more < TREE_LEAF ? realloc(t->node, more * sizeof *bigger) : NULL;
        if (!bigger)
            return ERR_NOMEM;
        t->node = bigger;
        t->cap = more;
    }
    t->node[t->count] = (struct tree_node){{both, both}};
    *index = t->count++;
    return 0;
}

/* Bits `from` to `to` of ip, below one of the roots. */
static int tree_put(struct tree *t, unsigned side, const uint8_t *ip, unsigned from, unsigned to,
                    uint32_t record)
{
    uint32_t node = 0;
    for (unsigned bit = from; bit < to; bit++) {
        uint32_t next = t->node[node].record[side];
        if (!is_node(next)) {
            int err = tree_add(t, next, &next);
            if (err)
                return err;
            t->node[node].record[side] = next;
        }
        node = next;
        side = ip[bit / 8] >> (7 - bit % 8) & 1;
    }
    t->node[node].record[side] = record;
    return 0;
}

/* 2001::/32 then goes by the address of the Teredo server, as in others' databases: a tree cannot
 * invert the client's. Our own look-ups never get there. */
static int tree_put_ipv4(struct tree *t)
{
    int err = 0;
    for (unsigned i = 0; i < FORMS && !err; i++)
        err = tree_put(t, TREE_IPV6_SIDE, forms[i].ip, 0, forms[i].bits, TREE_IPV4);
    return err;
}

static int tree_fill(struct tree *t, const struct rows *rows)
{
    uint32_t none;
    int err = tree_add(t, TREE_EMPTY, &none);
    for (size_t i = 0; i < rows->count && !err; i++) {
        const struct rows_row *row = &rows->at[i];
        uint32_t record = row->place == ROWS_BLANK ? TREE_EMPTY : TREE_LEAF | row->place;
        err = row->family == 4 ? tree_put(t, TREE_IPV4_SIDE, row->ip, 96, row->bits, record)
                               : tree_put(t, TREE_IPV6_SIDE, row->ip, 0, row->bits, record);
    }
    return err ? err : tree_put_ipv4(t);
}

/* A node is younger than the one above it, so going backwards meets children first. */
static void tree_merge(struct tree *t)
{
    for (uint32_t i = t->count; i-- > 0;)
        for (unsigned side = 0; side < 2; side++) {
            uint32_t next = t->node[i].record[side];
            if (!is_node(next))
                continue;
            const uint32_t *below = t->node[next].record;
            if (below[0] == below[1] && !is_node(below[0]) && below[0] != TREE_IPV4)
                t->node[i].record[side] = below[0];
        }
}

/* Preorder; ::/96 comes before every other reference to the IPv4 tree. */
static int tree_number(struct tree *t)
{
    uint32_t stack[2 * 128 + 2], depth = 0;
    bool ipv4_done = false;
    t->number = calloc(t->count, sizeof *t->number);
    t->order = calloc(t->count, sizeof *t->order);
    if (!t->number || !t->order)
        return ERR_NOMEM;
    stack[depth++] = t->node[0].record[TREE_IPV6_SIDE];
    while (depth) {
        uint32_t record = stack[--depth];
        if (record == TREE_IPV4 && !ipv4_done) {
            ipv4_done = true;
            record = t->node[0].record[TREE_IPV4_SIDE];
        }
        if (!is_node(record))
            continue;
        t->number[record] = t->written;
        t->order[t->written++] = record;
        stack[depth++] = t->node[record].record[1];
        stack[depth++] = t->node[record].record[0];
    }
    return 0;
}

/* ---- values ---- */

static bool make_room(struct out *o, size_t n)
{
    if (o->err || o->len + n <= o->cap)
        return !o->err;
    size_t cap = 2 * o->cap + n + 1024;
    uint8_t *more = realloc(o->at, cap);
    if (!more) {
        o->err = ERR_NOMEM;
        return false;
    }
    o->at = more;
    o->cap = cap;
    return true;
}

static void put_bytes(struct out *o, const void *bytes, size_t n)
{
    if (!n || !make_room(o, n))
        return;
    memcpy(o->at + o->len, bytes, n);
    o->len += n;
}

static void put_big_endian(struct out *o, uint64_t v, unsigned n)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    put_bytes(o, bytes, n);
}

/* Format 2.0, "Data Field Format". Sizes here stay below 285 + 65536. */
static void put_control(struct out *o, unsigned type, size_t size)
{
    unsigned small = size < 29 ? (unsigned)size : size < 285 ? 29 : 30;
    put_big_endian(o, (type < 8 ? type << 5 : 0) | small, 1);
    if (type >= 8)
        put_big_endian(o, type - 7, 1);
    if (small == 29)
        put_big_endian(o, size - 29, 1);
    if (small == 30)
        put_big_endian(o, size - 285, 2);
}

static void put_text(struct out *o, const char *text)
{
    size_t len = strlen(text);
    put_control(o, 2, len);
    put_bytes(o, text, len);
}

static void put_map(struct out *o, unsigned pairs)
{
    put_control(o, 7, pairs);
}

static void put_number(struct out *o, unsigned type, uint64_t v)
{
    unsigned n = 0;
    while (n < 8 && v >> 8 * n)
        n++;
    put_control(o, type, n);
    put_big_endian(o, v, n);
}

static void put_u16(struct out *o, uint16_t v)
{
    put_number(o, 5, v);
}

static void put_u32(struct out *o, uint32_t v)
{
    put_number(o, 6, v);
}

/* The double that is written with the fewest digits of those that are this float: what was
 * "52.52" in the rows is 52.52 for everybody. */
static void put_degrees(struct out *o, float v)
{
    char text[32];
    double wide = v;
    uint64_t bits;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        wide = strtod(text, NULL);
        if ((float)wide == v)
            break;
    }
    memcpy(&bits, &wide, sizeof bits);
    put_control(o, 3, 8);
    put_big_endian(o, bits, 8);
}

/* ---- places ---- */

enum key {
    KEY_CONTINENT,
    KEY_CODE,
    KEY_COUNTRY,
    KEY_ISO_CODE,
    KEY_SUBDIVISIONS,
    KEY_CITY,
    KEY_NAMES,
    KEY_EN,
    KEY_LOCATION,
    KEY_LATITUDE,
    KEY_LONGITUDE,
    KEY_RADIUS,
    KEY_ASN,
    KEY_ORGANISATION,
    KEYS
};
static const char *const key_names[KEYS] = {
    "continent",
    "code",
    "country",
    "iso_code",
    "subdivisions",
    "city",
    "names",
    "en",
    "location",
    "latitude",
    "longitude",
    "accuracy_radius",
    "autonomous_system_number",
    "autonomous_system_organization",
};

/* Each key stands in the file once, the rest are pointers: they all fit in the first 2048 octets
 * but for a first record with long texts. */
static void put_key(struct out *o, size_t *seen, enum key k)
{
    size_t at = seen[k];
    if (!at || at - 1 >= 2048) {
        seen[k] = o->len + 1;
        put_text(o, key_names[k]);
    } else {
        put_big_endian(o, 1u << 13 | (at - 1), 2);
    }
}

static void put_code(struct out *o, size_t *seen, enum key of, enum key k, const char *code)
{
    if (!*code)
        return;
    put_key(o, seen, of);
    put_map(o, 1);
    put_key(o, seen, k);
    put_text(o, code);
}

static void put_subdivisions(struct out *o, size_t *seen, const struct geo_place *p)
{
    unsigned n = 0;
    while (n < GEO_SUBDIVISIONS_MAX && *p->subdivision[n])
        n++;
    if (!n)
        return;
    put_key(o, seen, KEY_SUBDIVISIONS);
    put_control(o, 11, n);
    for (unsigned i = 0; i < n; i++) {
        put_map(o, 1);
        put_key(o, seen, KEY_ISO_CODE);
        put_text(o, p->subdivision[i]);
    }
}

static void put_location(struct out *o, size_t *seen, const struct geo_place *p)
{
    if (!p->has_position)
        return;
    put_key(o, seen, KEY_LOCATION);
    put_map(o, p->radius_km ? 3 : 2);
    put_key(o, seen, KEY_LATITUDE);
    put_degrees(o, p->latitude);
    put_key(o, seen, KEY_LONGITUDE);
    put_degrees(o, p->longitude);
    if (p->radius_km) {
        put_key(o, seen, KEY_RADIUS);
        put_u16(o, p->radius_km);
    }
}

static void put_place(struct out *o, size_t *seen, const struct geo_place *p)
{
    put_map(o, (*p->continent != 0) + (*p->country != 0) + (*p->subdivision[0] != 0) +
                   (*p->city != 0) + p->has_position + (p->asn != 0) + (*p->organisation != 0));
    put_code(o, seen, KEY_CONTINENT, KEY_CODE, p->continent);
    put_code(o, seen, KEY_COUNTRY, KEY_ISO_CODE, p->country);
    put_subdivisions(o, seen, p);
    if (*p->city) {
        put_key(o, seen, KEY_CITY);
        put_map(o, 1);
        put_key(o, seen, KEY_NAMES);
        put_map(o, 1);
        put_key(o, seen, KEY_EN);
        put_text(o, p->city);
    }
    put_location(o, seen, p);
    if (p->asn) {
        put_key(o, seen, KEY_ASN);
        put_u32(o, p->asn);
    }
    if (*p->organisation) {
        put_key(o, seen, KEY_ORGANISATION);
        put_text(o, p->organisation);
    }
}

static int make_data(struct writer *w)
{
    const struct places *places = &w->rows.places;
    size_t seen[KEYS] = {0};
    w->offsets = calloc(places->place_count + 1u, sizeof *w->offsets);
    if (!w->offsets)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < places->place_count; i++) {
        if (w->data.len >= UINT32_MAX - w->tree.written - 16u)
            return ERR_LIMIT; /* beyond what a record can point to */
        w->offsets[i] = (uint32_t)w->data.len;
        put_place(&w->data, seen, &places->place[i]);
    }
    uint64_t largest = (uint64_t)w->tree.written + 16 + w->data.len;
    w->record_bits = largest < 1u << 24 ? 24 : largest < 1u << 28 ? 28 : 32;
    return w->data.err;
}

/* Others choose what to read by the words in here: City, Country, ASN. */
static const char *type_of(const struct places *places)
{
    bool city = false, country = false, asn = false;
    for (uint32_t i = 0; i < places->place_count; i++) {
        const struct geo_place *p = &places->place[i];
        city |= *p->city || *p->subdivision[0] || p->has_position;
        country |= *p->country || *p->continent;
        asn |= p->asn || *p->organisation;
    }
    if (city || (!country && !asn))
        return asn ? "waypost-City-ASN" : "waypost-City";
    return !asn ? "waypost-Country" : country ? "waypost-Country-ASN" : "waypost-ASN";
}

static int make_metadata(struct writer *w, const char *description)
{
    struct out *o = &w->metadata;
    put_bytes(o, "\xab\xcd\xefMaxMind.com", 14);
    put_map(o, 9);
    put_text(o, "binary_format_major_version");
    put_u16(o, 2);
    put_text(o, "binary_format_minor_version");
    put_u16(o, 0);
    put_text(o, "build_epoch");
    put_number(o, 9, (uint64_t)clock_wall_s(clock_system()));
    put_text(o, "database_type");
    put_text(o, type_of(&w->rows.places));
    put_text(o, "description");
    put_map(o, 1);
    put_text(o, "en");
    put_text(o, description);
    put_text(o, "ip_version");
    put_u16(o, 6);
    put_text(o, "languages");
    put_control(o, 11, 1);
    put_text(o, "en");
    put_text(o, "node_count");
    put_u32(o, w->tree.written);
    put_text(o, "record_size");
    put_u16(o, (uint16_t)w->record_bits);
    return o->err;
}

/* ---- the file ---- */

static uint32_t record_of(const struct writer *w, uint32_t record)
{
    const struct tree *t = &w->tree;
    if (record == TREE_IPV4)
        record = t->node[0].record[TREE_IPV4_SIDE];
    if (record == TREE_EMPTY)
        return t->written;
    return is_node(record) ? t->number[record] : t->written + 16 + w->offsets[record & ~TREE_LEAF];
}

static void write_nodes(const struct writer *w, FILE *f)
{
    for (uint32_t i = 0; i < w->tree.written; i++) {
        const uint32_t *record = w->tree.node[w->tree.order[i]].record;
        uint32_t l = record_of(w, record[0]), r = record_of(w, record[1]);
        uint8_t b[8];
        size_t n = 0;
        if (w->record_bits == 32)
            b[n++] = (uint8_t)(l >> 24);
        b[n++] = (uint8_t)(l >> 16);
        b[n++] = (uint8_t)(l >> 8);
        b[n++] = (uint8_t)l;
        if (w->record_bits == 28) /* the high four bits of both share the middle octet */
            b[n++] = (uint8_t)((l >> 24 & 15) << 4 | (r >> 24 & 15));
        if (w->record_bits == 32)
            b[n++] = (uint8_t)(r >> 24);
        b[n++] = (uint8_t)(r >> 16);
        b[n++] = (uint8_t)(r >> 8);
        b[n++] = (uint8_t)r;
        fwrite(b, 1, n, f);
    }
}

static FILE *open_beside(const char *path, char **temporary)
{
    int fd = -1;
    *temporary = NULL;
    for (unsigned i = 0; i < 100 && fd < 0; i++) {
        free(*temporary);
        if (asprintf(temporary, "%s.%ld-%u", path, (long)getpid(), i) < 0) {
            *temporary = NULL;
            errno = ENOMEM;
            return NULL;
        }
        fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (fd >= 0 && !f)
        close(fd);
    return f;
}

static void write_image(const struct writer *w, FILE *f)
{
    static const uint8_t separator[16] = {0};
    write_nodes(w, f);
    fwrite(separator, 1, sizeof separator, f);
    if (w->data.len)
        fwrite(w->data.at, 1, w->data.len, f);
    fwrite(w->metadata.at, 1, w->metadata.len, f);
}

static int write_file(const struct writer *w, const char *path)
{
    char *temporary;
    FILE *f = open_beside(path, &temporary);
    bool ok = f;
    if (f) {
        write_image(w, f);
        ok = !fflush(f) && !ferror(f) && !fsync(fileno(f));
        int saved = errno;
        ok = !fclose(f) && ok;
        errno = ok ? 0 : saved ? saved : EIO;
        ok = ok && !rename(temporary, path);
    }
    int err = ok ? 0 : err_of_errno(errno ? errno : EIO);
    if (!ok && f)
        unlink(temporary);
    free(temporary);
    return err;
}

static int build(struct writer *w, const char *description)
{
    int err = tree_fill(&w->tree, &w->rows);
    if (err)
        return err;
    tree_merge(&w->tree);
    err = tree_number(&w->tree);
    err = err ? err : make_data(w);
    return err ? err : make_metadata(w, description);
}

static void writer_fini(struct writer *w)
{
    rows_fini(&w->rows);
    free(w->tree.node);
    free(w->tree.number);
    free(w->tree.order);
    free(w->data.at);
    free(w->metadata.at);
    free(w->offsets);
}

static int say(struct diag_list *d, const char *path, int err)
{
    if (err)
        diag_add(d, DIAG_ERROR, &(struct diag_at){.file = path, .hint = err_remedy(err)}, "%s",
                 err_text(err));
    return err;
}

int geo_write_csv(const char *csv_path, const char *path, const char *description,
                  struct diag_list *d)
{
    struct writer w;
    memset(&w, 0, sizeof w);
    const char *about = description ? description : "written by waypost geo build";
    int err = rows_read(&w.rows, csv_path, d);
    if (!err) {
        err = say(d, csv_path, build(&w, about));
        err = err ? err : say(d, path, write_file(&w, path));
    }
    writer_fini(&w);
    return err;
}

/* ---- no file ---- */

/* The image in *bytes, which the caller frees. */
static int write_memory(const struct writer *w, char **bytes, size_t *len)
{
    FILE *f = open_memstream(bytes, len);
    if (!f)
        return ERR_NOMEM;
    write_image(w, f);
    bool ok = !fflush(f) && !ferror(f);
    return fclose(f) || !ok ? ERR_NOMEM : 0;
}

static bool is_rows(const char *path)
{
    size_t len = strlen(path);
    return len > 4 && !strcmp(path + len - 4, ".csv");
}

int geo_file_load(struct geo_db **db, const char *path, const struct geo_db_limits *limits,
                  struct diag_list *d)
{
    struct writer w;
    char *bytes = NULL;
    size_t len = 0;
    if (!is_rows(path))
        return geo_db_load(db, path, limits, d);
    memset(&w, 0, sizeof w);
    int err = rows_read(&w.rows, path, d);
    if (!err) {
        err = build(&w, "rows");
        err = say(d, path, err ? err : write_memory(&w, &bytes, &len));
    }
    writer_fini(&w);
    err = err ? err : geo_db_load_mem(db, path, bytes, len, limits, d);
    free(bytes);
    return err;
}
