#include "rows_priv.h"

#include "base/err.h"
#include "csv_priv.h"
#include "forms_priv.h"
#include "image_priv.h"
#include "record_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FILE_BYTES (4ull << 30)
#define ROWS_TEXT_MAX   255
#define ROWS_RADIUS_MAX 20038 /* km: half the way round the Earth */

enum column {
    COLUMN_NETWORK,
    COLUMN_CONTINENT,
    COLUMN_COUNTRY,
    COLUMN_SUBDIVISION,
    COLUMN_CITY,
    COLUMN_ASN,
    COLUMN_ORGANISATION,
    COLUMN_LATITUDE,
    COLUMN_LONGITUDE,
    COLUMN_RADIUS,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "network", "continent",    "country",  "subdivision", "city",
    "asn",     "organisation", "latitude", "longitude",   "radius"};

struct reading {
    struct rows *rows;
    struct csv csv;
    unsigned column[COLUMNS]; /* 1 + the field it stands in; 0: there is no such column */
    unsigned width;           /* fields of the header */
    unsigned field;           /* the one looked at */
    struct prefix network;
    struct geo_place place;
    int err; /* other than of syntax */
};

static bool wrong(struct reading *r, const char *hint, const char *what)
{
    const char *text = r->csv.field[r->field].text;
    csv_say(&r->csv, r->field, hint, "%s: \"%.64s\"", what, text);
    return false;
}

static bool is_code(const char *text, size_t len, size_t least, size_t most, bool digits)
{
    if (len < least || len > most)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!(text[i] >= 'A' && text[i] <= 'Z') && !(text[i] >= 'a' && text[i] <= 'z') &&
            !(digits && text[i] >= '0' && text[i] <= '9'))
            return false;
    return true;
}

static void copy_code(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
}

static bool read_network(struct reading *r, const struct csv_field *f)
{
    int err = prefix_parse(&r->network, f->text);
    if (err == ERR_RANGE)
        return wrong(r, NULL, "the length is too long, or bits behind it are set");
    if (err)
        return wrong(r, "192.0.2.0/24, 2001:db8::/32", "not a network");
    /* What such a row would say could never be found. */
    if (r->network.family == 6 && forms_have(r->network.ip, r->network.bits))
        return wrong(r, "write the IPv4 network", "addresses in there stand for IPv4 ones");
    return true;
}

static bool read_continent(struct reading *r, const struct csv_field *f)
{
    static const char names[] = "AF AN AS EU NA OC SA";
    copy_code(r->place.continent, f->text, f->len < 2 ? f->len : 2);
    if (!is_code(f->text, f->len, 2, 2, false) || !strstr(names, r->place.continent))
        return wrong(r, names, "not a continent");
    return true;
}

static bool read_country(struct reading *r, const struct csv_field *f)
{
    if (!is_code(f->text, f->len, 2, 2, false))
        return wrong(r, "two letters of ISO 3166-1", "not a country");
    copy_code(r->place.country, f->text, f->len);
    return true;
}

static bool read_subdivision(struct reading *r, const struct csv_field *f)
{
    unsigned n = 0;
    for (const char *at = f->text;; at++) {
        size_t len = strcspn(at, "/");
        if (n == GEO_SUBDIVISIONS_MAX)
            return wrong(r, NULL, "more than three subdivisions");
        if (!is_code(at, len, 1, 3, true))
            return wrong(r, "ISO 3166-2 without the country, the widest first: ENG/WBK",
                         "not a subdivision");
        copy_code(r->place.subdivision[n++], at, len);
        at += len;
        if (!*at)
            return true;
    }
}

static bool read_text(struct reading *r, const struct csv_field *f, const char **out)
{
    if (f->len > ROWS_TEXT_MAX)
        return wrong(r, NULL, "longer than 255 octets");
    if (!record_text_is_clean((const uint8_t *)f->text, f->len))
        return wrong(r, NULL, "neither UTF-8 nor free of control characters");
    r->err = places_text(&r->rows->places, f->text, f->len, out);
    return !r->err;
}

static bool read_city(struct reading *r, const struct csv_field *f)
{
    return read_text(r, f, &r->place.city);
}

static bool read_organisation(struct reading *r, const struct csv_field *f)
{
    return read_text(r, f, &r->place.organisation);
}

static bool read_whole(const char *text, unsigned long long most, unsigned long long *out)
{
    char *end;
    if (*text < '0' || *text > '9' || strlen(text) > 10)
        return false;
    *out = strtoull(text, &end, 10);
    return !*end && *out <= most;
}

static bool read_asn(struct reading *r, const struct csv_field *f)
{
    unsigned long long asn;
    if (!read_whole(f->text, UINT32_MAX, &asn))
        return wrong(r, "64500", "not the number of an autonomous system");
    r->place.asn = (uint32_t)asn;
    return true;
}

static bool read_degrees(const char *text, double most, float *out)
{
    char *end;
    if (strspn(text, "+-.0123456789") !=
        strlen(text)) /* strtod also reads words and hexadecimals */
        return false;
    double v = strtod(text, &end);
    *out = (float)v + 0.0f; /* -0 is 0 */
    return !*end && v >= -most && v <= most;
}

static bool read_latitude(struct reading *r, const struct csv_field *f)
{
    return read_degrees(f->text, 90, &r->place.latitude) ||
           wrong(r, "degrees, -90 to 90, north is positive", "not a latitude");
}

static bool read_longitude(struct reading *r, const struct csv_field *f)
{
    return read_degrees(f->text, 180, &r->place.longitude) ||
           wrong(r, "degrees, -180 to 180, east is positive", "not a longitude");
}

static bool read_radius(struct reading *r, const struct csv_field *f)
{
    unsigned long long km;
    if (!read_whole(f->text, ROWS_RADIUS_MAX, &km))
        return wrong(r, "kilometres, at most 20038", "not a radius");
    r->place.radius_km = (uint16_t)km;
    return true;
}

static bool (*const read_column[COLUMNS])(struct reading *r, const struct csv_field *f) = {
    [COLUMN_NETWORK] = read_network,
    [COLUMN_CONTINENT] = read_continent,
    [COLUMN_COUNTRY] = read_country,
    [COLUMN_SUBDIVISION] = read_subdivision,
    [COLUMN_CITY] = read_city,
    [COLUMN_ASN] = read_asn,
    [COLUMN_ORGANISATION] = read_organisation,
    [COLUMN_LATITUDE] = read_latitude,
    [COLUMN_LONGITUDE] = read_longitude,
    [COLUMN_RADIUS] = read_radius,
};

static const struct csv_field *field_of(const struct reading *r, enum column c)
{
    static const struct csv_field none = {0};
    return r->column[c] ? &r->csv.field[r->column[c] - 1] : &none;
}

/* What only several columns together say. */
static bool check_together(struct reading *r)
{
    const bool north = field_of(r, COLUMN_LATITUDE)->len, east = field_of(r, COLUMN_LONGITUDE)->len;
    r->place.has_position = north && east;
    if (north != east) {
        r->field = r->column[north ? COLUMN_LATITUDE : COLUMN_LONGITUDE] - 1;
        return wrong(r, NULL, "half a position");
    }
    if (!north && field_of(r, COLUMN_RADIUS)->len) {
        r->field = r->column[COLUMN_RADIUS] - 1;
        return wrong(r, NULL, "a radius without a position");
    }
    if (*r->place.subdivision[0] && !*r->place.country) {
        r->field = r->column[COLUMN_SUBDIVISION] - 1;
        return wrong(r, NULL, "a subdivision without its country");
    }
    return true;
}

static int keep_row(struct reading *r)
{
    struct rows *rows = r->rows;
    uint32_t place = ROWS_BLANK;
    if (rows->count == rows->cap) {
        size_t more = rows->cap ? rows->cap * 2 : 1024;
        struct rows_row *bigger = realloc(rows->at, more * sizeof *bigger);
        if (!bigger)
            return ERR_NOMEM;
        rows->at = bigger;
        rows->cap = more;
    }
    int err = places_is_blank(&r->place) ? 0 : places_put(&rows->places, &r->place, &place);
    if (err)
        return err;
    struct rows_row *row = &rows->at[rows->count++];
    unsigned column = field_of(r, COLUMN_NETWORK)->column;
    *row = (struct rows_row){.bits = r->network.bits,
                             .family = r->network.family,
                             .column = (uint16_t)(column < UINT16_MAX ? column : 0),
                             .line = r->csv.line,
                             .place = place};
    memcpy(row->ip, r->network.ip, sizeof row->ip);
    return 0;
}

static int read_row(struct reading *r)
{
    bool good = true;
    memset(&r->place, 0, sizeof r->place);
    r->place.city = r->place.organisation = "";
    if (r->csv.count != r->width) {
        r->field = r->csv.count < r->width ? r->csv.count - 1 : r->width;
        csv_say(&r->csv, r->field, NULL, "%u fields, the header has %u", r->csv.count, r->width);
        return 0;
    }
    for (unsigned c = 0; c < COLUMNS && !r->err; c++) {
        const struct csv_field *f = field_of(r, c);
        r->field = r->column[c] ? r->column[c] - 1 : 0;
        if (f->len || c == COLUMN_NETWORK)
            good = read_column[c](r, f) && good;
    }
    good = good && check_together(r);
    return r->err ? r->err : good ? keep_row(r) : 0;
}

static int read_header(struct reading *r)
{
    int got = csv_next(&r->csv);
    if (got < 0)
        return got;
    r->width = r->csv.count;
    for (unsigned i = 0; i < r->width; i++) {
        unsigned c = 0;
        while (c < COLUMNS && strcmp(column_names[c], r->csv.field[i].text) != 0)
            c++;
        r->field = i;
        if (c == COLUMNS)
            wrong(r,
                  "network, continent, country, subdivision, city, asn, organisation, latitude, "
                  "longitude, radius",
                  "there is no such column");
        else if (r->column[c])
            wrong(r, NULL, "the column is there already");
        else
            r->column[c] = i + 1;
    }
    if (!r->column[COLUMN_NETWORK] && !r->csv.d->errors)
        diag_add(r->csv.d, DIAG_ERROR, &(struct diag_at){.file = r->csv.name, .line = r->csv.line},
                 "the first line has to name the columns, one of which is network");
    return r->csv.d->errors ? ERR_SYNTAX : 0;
}

static int compare_rows(const void *va, const void *vb)
{
    const struct rows_row *a = va, *b = vb;
    int order = a->family != b->family ? a->family - b->family : memcmp(a->ip, b->ip, sizeof a->ip);
    order = order ? order : a->bits - b->bits;
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static bool same_network(const struct rows_row *a, const struct rows_row *b)
{
    return a->family == b->family && a->bits == b->bits && !memcmp(a->ip, b->ip, sizeof a->ip);
}

static void sort_rows(struct rows *rows, const char *path, struct diag_list *d)
{
    size_t kept = 0, i = 1;
    while (i < rows->count && compare_rows(&rows->at[i - 1], &rows->at[i]) < 0)
        i++;
    if (i < rows->count)
        qsort(rows->at, rows->count, sizeof *rows->at, compare_rows);
    for (i = 0; i < rows->count; i++) {
        const struct rows_row *row = &rows->at[i], *first = kept ? &rows->at[kept - 1] : NULL;
        if (!first || !same_network(first, row)) {
            rows->at[kept++] = *row;
        } else if (first->place != row->place) {
            char text[ADDR_TEXT_MAX];
            struct prefix p = {.bits = row->bits, .family = row->family};
            memcpy(p.ip, row->ip, sizeof p.ip);
            diag_add(d, DIAG_ERROR,
                     &(struct diag_at){.file = path, .line = row->line, .column = row->column},
                     "%s has other data in line %u", prefix_print(&p, text), first->line);
        }
    }
    rows->count = kept;
}

int rows_read(struct rows *rows, const char *path, struct diag_list *d)
{
    struct reading r = {.rows = rows};
    struct image im;
    struct diag_list said;
    memset(rows, 0, sizeof *rows);
    int err = image_copy(&im, path, ROWS_FILE_BYTES, d);
    if (err)
        return err;
    diag_init(&said); /* of its own: whatever the caller has collected, this file is judged alone */
    csv_init(&r.csv, path, (const char *)im.bytes, im.len, &said);
    err = places_init(&rows->places, UINT64_MAX);
    err = err ? err : read_header(&r);
    while (!err) {
        int got = csv_next(&r.csv);
        if (!got)
            break;
        err = got == ERR_SYNTAX ? 0 : got < 0 ? got : read_row(&r);
    }
    if (!err)
        sort_rows(rows, path, &said);
    err = !err && said.errors ? ERR_SYNTAX : err;
    if (err && !said.errors)
        diag_add(&said, DIAG_ERROR, &(struct diag_at){.file = path}, "%s", err_text(err));
    diag_move(d, &said);
    csv_fini(&r.csv);
    image_close(&im);
    return err;
}

void rows_fini(struct rows *rows)
{
    places_fini(&rows->places);
    free(rows->at);
    rows->at = NULL;
}
