#include "record_priv.h"

#include "base/err.h"

#include <string.h>

enum value_type {
    VALUE_POINTER = 1,
    VALUE_TEXT,
    VALUE_DOUBLE,
    VALUE_BYTES,
    VALUE_U16,
    VALUE_U32,
    VALUE_MAP,
    VALUE_I32,
    VALUE_U64,
    VALUE_U128,
    VALUE_ARRAY,
    VALUE_CONTAINER, /* of a cache, never of a file */
    VALUE_END,
    VALUE_BOOL,
    VALUE_FLOAT,
};

#define VALUE_TYPES    (VALUE_FLOAT + 1)
#define METADATA_DEPTH 16

/* What each type may take; a fixed size is both. Maps and arrays: of elements, not of octets. */
static const struct {
    uint32_t least, most;
    bool allowed;
} value_sizes[VALUE_TYPES] = {
    [VALUE_TEXT] = {0, UINT32_MAX, true},
    [VALUE_DOUBLE] = {8, 8, true},
    [VALUE_BYTES] = {0, UINT32_MAX, true},
    [VALUE_U16] = {0, 2, true},
    [VALUE_U32] = {0, 4, true},
    [VALUE_MAP] = {0, UINT32_MAX, true},
    [VALUE_I32] = {0, 4, true},
    [VALUE_U64] = {0, 8, true},
    [VALUE_U128] = {0, 16, true},
    [VALUE_ARRAY] = {0, UINT32_MAX, true},
    [VALUE_BOOL] = {0, 1, true},
    [VALUE_FLOAT] = {4, 4, true},
};

struct value {
    enum value_type type;
    uint32_t size; /* octets, elements of an array, pairs of a map, or the truth of a bool */
    size_t at;     /* its octets or first element; of a pointer: where it points */
    size_t next;   /* behind what stood at the place asked for; of a map or array: as `at` */
    bool pointed;  /* what stood there was a pointer to this */
};

/* What is kept of a record while it is read: a text is made ours only when it is chosen. */
struct text {
    const char *at;
    size_t len;
};
struct draft {
    struct geo_place place;
    struct text city, as_organisation, organisation, isp;
    char registered[3];
    double latitude, longitude;
    bool has_latitude, has_longitude;
    unsigned subdivisions;
    struct record_metadata meta;
    uint32_t seen; /* a bit for each row of the metadata */
};

struct context;
struct row {
    const char *key;
    /* False: not what it should be; then it counts as absent. */
    bool (*take)(struct record_reader *r, const struct value *v, struct draft *d);
    const struct context *inside; /* of a map; */
    bool each;                    /* or of the maps in an array */
};
struct context {
    const struct row *rows; /* ends with a row without key */
};

static int corrupt(struct record_reader *r, size_t at, const char *why)
{
    r->why = why;
    r->at = at;
    return ERR_INVALID;
}

static uint64_t number_at(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

static int read_pointer(struct record_reader *r, size_t at, uint8_t control, struct value *v)
{
    static const uint32_t base[] = {0, 2048, 526336, 0};
    unsigned extra = 1 + (control >> 3 & 3);
    if (r->len - at - 1 < extra)
        return corrupt(r, at, "a pointer goes beyond the end");
    uint64_t to = number_at(r->data + at + 1, extra);
    if (extra < 4)
        to |= (uint64_t)(control & 7) << 8 * extra;
    to += base[extra - 1];
    *v = (struct value){.type = VALUE_POINTER, .at = to, .next = at + 1 + extra};
    return to < r->len ? 0 : corrupt(r, at, "a pointer points outside of the data");
}

static int check_size(struct record_reader *r, size_t at, struct value *v)
{
    if (v->type >= VALUE_TYPES || !value_sizes[v->type].allowed)
        return corrupt(r, at, "there is no such type");
    if (v->size < value_sizes[v->type].least || v->size > value_sizes[v->type].most)
        return corrupt(r, at, "a value has a size that its type cannot have");
    size_t room = r->len - v->at;
    /* Each element takes an octet at least. */
    uint64_t need = v->type == VALUE_MAP ? 2 * (uint64_t)v->size : v->size;
    if (v->type != VALUE_BOOL && need > room)
        return corrupt(r, at, "a value goes beyond the end");
    bool holds = v->type == VALUE_MAP || v->type == VALUE_ARRAY || v->type == VALUE_BOOL;
    v->next = holds ? v->at : v->at + v->size;
    return 0;
}

/* The value that stands at an offset; pointers are not followed. */
static int read_value(struct record_reader *r, size_t at, struct value *v)
{
    static const uint32_t base[] = {29, 285, 65821};
    const uint8_t *p = r->data + at;
    if (at >= r->len)
        return corrupt(r, at, "a value begins beyond the end");
    if (!r->steps--) {
        r->steps = 0;
        return corrupt(r, at, "its values share one another beyond all measure");
    }
    unsigned type = *p >> 5, size = *p & 31, used = 1;
    if (type == VALUE_POINTER)
        return read_pointer(r, at, *p, v);
    if (!type) {
        if (r->len - at < 2)
            return corrupt(r, at, "a value goes beyond the end");
        type = p[used++] + 7u;
        if (type <= VALUE_MAP)
            return corrupt(r, at, "there is no such type");
    }
    *v = (struct value){.type = type, .size = size};
    if (size > 28) {
        unsigned extra = size - 28;
        if (r->len - at < used + extra)
            return corrupt(r, at, "a value goes beyond the end");
        v->size = base[extra - 1] + (uint32_t)number_at(p + used, extra);
        used += extra;
    }
    v->at = at + used;
    return check_size(r, at, v);
}

/* The same, and if it is a pointer what it points to; next is behind the pointer then. */
static int read_through(struct record_reader *r, size_t at, struct value *v)
{
    int err = read_value(r, at, v);
    if (err || v->type != VALUE_POINTER)
        return err;
    size_t next = v->next;
    err = read_value(r, v->at, v);
    if (!err && v->type == VALUE_POINTER)
        return corrupt(r, at, "a pointer points to a pointer");
    v->next = next;
    v->pointed = true;
    return err;
}

/* Elements are counted, not descended into: nesting costs nothing. */
static int skip_values(struct record_reader *r, size_t *at, uint64_t left)
{
    struct value v;
    while (left--) {
        int err = read_value(r, *at, &v);
        if (err)
            return err;
        left += v.type == VALUE_MAP ? 2 * (uint64_t)v.size : v.type == VALUE_ARRAY ? v.size : 0;
        *at = v.next;
    }
    return 0;
}

bool record_text_is_clean(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t c = p[i];
        unsigned more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        static const uint32_t least[] = {0x20, 0xa0, 0x800, 0x10000}; /* C1 controls too */
        if (c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4 || len - i <= more)
            return false;
        c = more ? c & (0x3fu >> more) : c;
        for (unsigned k = 1; k <= more; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i + k] & 0x3fu);
        }
        if (c < least[more] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
            return false;
        i += more + 1;
    }
    return true;
}

static bool take_text(const struct record_reader *r, const struct value *v, struct text *out)
{
    const uint8_t *p = r->data + v->at;
    if (v->type != VALUE_TEXT || !record_text_is_clean(p, v->size))
        return false;
    *out = (struct text){(const char *)p, v->size};
    return true;
}

/* Letters and digits, capitals in out, which is zero before. */
static bool take_code(const struct record_reader *r, const struct value *v, char *out,
                      unsigned least, unsigned most)
{
    const uint8_t *p = r->data + v->at;
    if (v->type != VALUE_TEXT || v->size < least || v->size > most)
        return v->type == VALUE_TEXT && !v->size; /* nothing said */
    for (unsigned i = 0; i < v->size; i++) {
        bool small = p[i] >= 'a' && p[i] <= 'z';
        if (!small && !(p[i] >= 'A' && p[i] <= 'Z') && !(p[i] >= '0' && p[i] <= '9'))
            return false;
    }
    memset(out, 0, most);
    for (unsigned i = 0; i < v->size; i++)
        out[i] = (char)(p[i] >= 'a' ? p[i] - 'a' + 'A' : p[i]);
    return true;
}

static bool take_number(const struct record_reader *r, const struct value *v, uint64_t most,
                        uint64_t *out)
{
    const uint8_t *p = r->data + v->at;
    bool whole = v->type == VALUE_U16 || v->type == VALUE_U32 || v->type == VALUE_U64 ||
                 v->type == VALUE_U128 || v->type == VALUE_I32;
    if (!whole || (v->type == VALUE_I32 && v->size == 4 && p[0] & 0x80))
        return false;
    unsigned size = v->size;
    for (; size > 8; size--)
        if (*p++)
            return false;
    *out = number_at(p, size);
    return *out <= most;
}

/* Also what is no number at all is not within the limit. */
static bool take_degrees(const struct record_reader *r, const struct value *v, double limit,
                         double *out)
{
    if (v->type != VALUE_DOUBLE && v->type != VALUE_FLOAT)
        return false;
    uint64_t bits = number_at(r->data + v->at, v->size);
    if (v->type == VALUE_DOUBLE) {
        memcpy(out, &bits, sizeof *out);
    } else {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof f);
        *out = f;
    }
    return *out >= -limit && *out <= limit;
}

static bool take_continent(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_code(r, v, d->place.continent, 2, 2);
}

static bool take_country(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_code(r, v, d->place.country, 2, 2);
}

static bool take_registered(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_code(r, v, d->registered, 2, 2);
}

static bool take_subdivision(struct record_reader *r, const struct value *v, struct draft *d)
{
    if (d->subdivisions == GEO_SUBDIVISIONS_MAX)
        return true;
    char *out = d->place.subdivision[d->subdivisions];
    bool ok = take_code(r, v, out, 1, 3);
    d->subdivisions += ok && *out;
    return ok;
}

static bool take_city(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_text(r, v, &d->city);
}

static bool take_latitude(struct record_reader *r, const struct value *v, struct draft *d)
{
    return d->has_latitude = take_degrees(r, v, 90, &d->latitude);
}

static bool take_longitude(struct record_reader *r, const struct value *v, struct draft *d)
{
    return d->has_longitude = take_degrees(r, v, 180, &d->longitude);
}

static bool take_radius(struct record_reader *r, const struct value *v, struct draft *d)
{
    uint64_t km;
    if (!take_number(r, v, UINT16_MAX, &km))
        return false;
    d->place.radius_km = (uint16_t)km;
    return true;
}

static bool take_asn(struct record_reader *r, const struct value *v, struct draft *d)
{
    uint64_t asn;
    if (!take_number(r, v, UINT32_MAX, &asn))
        return false;
    d->place.asn = (uint32_t)asn;
    return true;
}

static bool take_as_organisation(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_text(r, v, &d->as_organisation);
}

static bool take_organisation(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_text(r, v, &d->organisation);
}

static bool take_isp(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_text(r, v, &d->isp);
}

/* Twice the same key could mean one number to us and the other one to libmaxminddb. */
static bool take_meta(const struct record_reader *r, const struct value *v, struct draft *d,
                      unsigned bit, uint64_t *out)
{
    bool twice = d->seen & 1u << bit;
    d->seen |= 1u << bit;
    return !twice && take_number(r, v, UINT32_MAX, out);
}

static bool take_nodes(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_meta(r, v, d, 0, &d->meta.nodes);
}

static bool take_record_bits(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_meta(r, v, d, 1, &d->meta.record_bits);
}

static bool take_ip_version(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_meta(r, v, d, 2, &d->meta.ip_version);
}

static bool take_major(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_meta(r, v, d, 3, &d->meta.major);
}

/* libmaxminddb loses memory when these hold anything but text, so it does not get to see that. */
static bool take_texts(struct record_reader *r, const struct value *v, struct draft *d,
                       unsigned bit, enum value_type type)
{
    struct value each;
    size_t at = v->at;
    bool twice = d->seen & 1u << bit;
    d->seen |= 1u << bit;
    if (twice || v->type != type)
        return false;
    for (uint32_t i = 0; i < v->size * (type == VALUE_MAP ? 2 : 1); i++, at = each.next)
        if (read_through(r, at, &each) || each.type != VALUE_TEXT)
            return false;
    return true;
}

static bool take_languages(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_texts(r, v, d, 4, VALUE_ARRAY);
}

static bool take_descriptions(struct record_reader *r, const struct value *v, struct draft *d)
{
    return take_texts(r, v, d, 5, VALUE_MAP);
}

static const struct context continent = {
    (const struct row[]){{.key = "code", .take = take_continent}, {.key = NULL}}};
static const struct context country = {
    (const struct row[]){{.key = "iso_code", .take = take_country}, {.key = NULL}}};
static const struct context registered = {
    (const struct row[]){{.key = "iso_code", .take = take_registered}, {.key = NULL}}};
static const struct context subdivision = {
    (const struct row[]){{.key = "iso_code", .take = take_subdivision}, {.key = NULL}}};
static const struct context city_names = {
    (const struct row[]){{.key = "en", .take = take_city}, {.key = NULL}}};
static const struct context city = {
    (const struct row[]){{.key = "names", .inside = &city_names}, {.key = NULL}}};
static const struct context location = {(const struct row[]){
    {.key = "latitude", .take = take_latitude},
    {.key = "longitude", .take = take_longitude},
    {.key = "accuracy_radius", .take = take_radius},
    {.key = NULL},
}};
/* Enterprise databases have them here, ASN and ISP databases on top. */
static const struct context network = {(const struct row[]){
    {.key = "autonomous_system_number", .take = take_asn},
    {.key = "autonomous_system_organization", .take = take_as_organisation},
    {.key = "organization", .take = take_organisation},
    {.key = "isp", .take = take_isp},
    {.key = NULL},
}};
static const struct context top = {(const struct row[]){
    {.key = "continent", .inside = &continent},
    {.key = "country", .inside = &country},
    {.key = "registered_country", .inside = &registered},
    {.key = "subdivisions", .inside = &subdivision, .each = true},
    {.key = "city", .inside = &city},
    {.key = "location", .inside = &location},
    {.key = "traits", .inside = &network},
    {.key = "autonomous_system_number", .take = take_asn},
    {.key = "autonomous_system_organization", .take = take_as_organisation},
    {.key = "organization", .take = take_organisation},
    {.key = "isp", .take = take_isp},
    {.key = NULL},
}};
static const struct context metadata = {(const struct row[]){
    {.key = "node_count", .take = take_nodes},
    {.key = "record_size", .take = take_record_bits},
    {.key = "ip_version", .take = take_ip_version},
    {.key = "binary_format_major_version", .take = take_major},
    {.key = "languages", .take = take_languages},
    {.key = "description", .take = take_descriptions},
    {.key = NULL},
}};

static const struct row *find_row(const struct record_reader *r, const struct context *c,
                                  const struct value *key)
{
    for (const struct row *row = c->rows; row->key; row++)
        if (strlen(row->key) == key->size && !memcmp(row->key, r->data + key->at, key->size))
            return row;
    return NULL;
}

static void note_odd(struct record_reader *r, const struct row *row, size_t at)
{
    if (!r->odd++) {
        r->odd_key = row->key;
        r->odd_at = at;
    }
}

static int read_map(struct record_reader *r, const struct context *c, const struct value *map,
                    struct draft *d);

static int read_each(struct record_reader *r, const struct row *row, const struct value *array,
                     struct draft *d)
{
    struct value v;
    size_t at = array->at;
    for (uint32_t i = 0; i < array->size; i++) {
        int err = read_through(r, at, &v);
        if (!err && v.type == VALUE_MAP)
            err = read_map(r, row->inside, &v, d);
        else if (!err)
            note_odd(r, row, at);
        err = err ? err : skip_values(r, &at, 1);
        if (err)
            return err;
    }
    return 0;
}

static int read_known(struct record_reader *r, const struct row *row, size_t at, struct draft *d)
{
    struct value v;
    int err = read_through(r, at, &v);
    if (err)
        return err;
    bool fits = row->take   ? row->take(r, &v, d)
                : row->each ? v.type == VALUE_ARRAY
                            : v.type == VALUE_MAP;
    if (!fits)
        note_odd(r, row, at);
    if (!fits || row->take)
        return 0;
    return row->each ? read_each(r, row, &v, d) : read_map(r, row->inside, &v, d);
}

/* Goes as deep as the contexts do, whatever the file says. */
static int read_map(struct record_reader *r, const struct context *c, const struct value *map,
                    struct draft *d)
{
    struct value key;
    size_t at = map->at;
    for (uint32_t i = 0; i < map->size; i++) {
        int err = read_through(r, at, &key);
        if (err)
            return err;
        if (key.type != VALUE_TEXT)
            return corrupt(r, at, "a key is not text");
        if (!record_text_is_clean(r->data + key.at, key.size))
            return corrupt(r, at, "a key is not UTF-8");
        at = key.next;
        const struct row *row = find_row(r, c, &key);
        err = row ? read_known(r, row, at, d) : 0;
        err = err ? err : skip_values(r, &at, 1);
        if (err)
            return err;
    }
    return 0;
}

uint64_t record_steps(size_t len)
{
    const uint64_t most = 4ull << 30; /* half a minute */
    uint64_t steps = 16 * (uint64_t)len + (1u << 20);
    return steps < most ? steps : most;
}

static int choose_texts(const struct draft *d, struct places *texts, struct geo_place *place)
{
    const struct text *o = d->as_organisation.len ? &d->as_organisation
                           : d->organisation.len  ? &d->organisation
                                                  : &d->isp;
    int err = places_text(texts, d->city.at, d->city.len, &place->city);
    return err ? err : places_text(texts, o->at, o->len, &place->organisation);
}

int record_place(struct record_reader *r, size_t at, struct places *texts, struct geo_place *place)
{
    struct value v;
    struct draft d;
    memset(&d, 0, sizeof d);
    int err = read_through(r, at, &v);
    if (!err && v.type == VALUE_MAP)
        err = read_map(r, &top, &v, &d);
    if (err)
        return err;
    if (!*d.place.country && *d.registered) {
        memcpy(d.place.country, d.registered, sizeof d.registered);
        d.place.registered = true;
    }
    if (d.has_latitude && d.has_longitude) {
        d.place.has_position = true;
        d.place.latitude = (float)d.latitude + 0.0f; /* -0 is 0 */
        d.place.longitude = (float)d.longitude + 0.0f;
    } else {
        d.place.radius_km = 0;
    }
    *place = d.place;
    err = choose_texts(&d, texts, place);
    if (err)
        r->why = err == ERR_LIMIT ? "its places take more memory than allowed" : err_text(err);
    return err;
}

/* All of the section: depth is bounded, and with the steps so is what pointers multiply. */
static int check_all(struct record_reader *r)
{
    struct {
        uint64_t left;
        size_t at, behind; /* behind: where it goes on outside, when a pointer led here */
        bool pointed, map;
    } stack[METADATA_DEPTH] = {{.left = 1}};
    unsigned depth = 1;
    while (depth) {
        struct value v;
        size_t at = stack[depth - 1].at;
        if (!stack[depth - 1].left) {
            depth--;
            if (depth)
                stack[depth - 1].at = stack[depth].pointed ? stack[depth].behind : at;
            continue;
        }
        stack[depth - 1].left--;
        bool is_key = stack[depth - 1].map && stack[depth - 1].left % 2;
        int err = read_through(r, at, &v);
        if (err)
            return err;
        if (is_key && (v.type != VALUE_TEXT || !record_text_is_clean(r->data + v.at, v.size)))
            return corrupt(r, at, "a key is not text");
        stack[depth - 1].at = v.next;
        if (v.type != VALUE_MAP && v.type != VALUE_ARRAY)
            continue;
        if (depth == METADATA_DEPTH)
            return corrupt(r, at, "it is nested too deeply");
        stack[depth].left = v.type == VALUE_MAP ? 2 * (uint64_t)v.size : v.size;
        stack[depth].map = v.type == VALUE_MAP;
        stack[depth].at = v.at;
        stack[depth].pointed = v.pointed;
        stack[depth++].behind = v.next;
    }
    return 0;
}

int record_metadata(struct record_reader *r, struct record_metadata *m)
{
    struct value v;
    struct draft d;
    memset(&d, 0, sizeof d);
    int err = check_all(r);
    err = err ? err : read_value(r, 0, &v);
    if (err)
        return err;
    if (v.type != VALUE_MAP)
        return corrupt(r, 0, "it is not a map");
    err = read_map(r, &metadata, &v, &d);
    if (err)
        return err;
    if (r->odd)
        return corrupt(r, r->odd_at, "a value is of a wrong type or there twice");
    *m = d.meta;
    return 0;
}
