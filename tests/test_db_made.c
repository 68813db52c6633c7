/* folders: geo */
/* Databases put together octet by octet: what a record may say, and what hostile ones try. */
#include "geo/db.h"

#include "base/diag.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr_of(const char *text)
{
    struct addr a;
    if (addr_parse(&a, text, 0))
        fail_msg("%s is no address", text);
    return a;
}

static void check_place(const char *label, const struct geo_place *got, const char *want)
{
    char text[512];
    if (!got) {
        snprintf(text, sizeof text, "-");
    } else {
        int n =
            snprintf(text, sizeof text, "%s|%s%s|%s,%s,%s|%s|%u|%s|", got->continent, got->country,
                     got->registered ? "?" : "", got->subdivision[0], got->subdivision[1],
                     got->subdivision[2], got->city, got->asn, got->organisation);
        if (got->has_position)
            snprintf(text + n, sizeof text - (size_t)n, "%.7g,%.7g,%u", (double)got->latitude,
                     (double)got->longitude, got->radius_km);
    }
    if (strcmp(text, want) != 0)
        fail_msg("%s: %s instead of %s", label, text, want);
}

static struct {
    uint8_t at[200000];
    size_t len;
} made;

static void put(const void *bytes, size_t n)
{
    assert_true(made.len + n <= sizeof made.at);
    memcpy(made.at + made.len, bytes, n);
    made.len += n;
}

#define PUT(literal) put(literal, sizeof(literal) - 1)

static void text(const char *s)
{
    uint8_t control = (uint8_t)(0x40 | strlen(s));
    assert_true(strlen(s) < 29);
    put(&control, 1);
    put(s, strlen(s));
}

static void map(unsigned pairs)
{
    uint8_t control = (uint8_t)(0xe0 | pairs);
    put(&control, 1);
}

static void key(const char *s)
{
    if (strlen(s) < 29) {
        text(s);
        return;
    }
    uint8_t control[2] = {0x40 | 29, (uint8_t)(strlen(s) - 29)};
    put(control, 2);
    put(s, strlen(s));
}

static void number(double v)
{
    uint64_t bits;
    uint8_t b[9] = {0x68};
    memcpy(&bits, &v, 8);
    for (int i = 0; i < 8; i++)
        b[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
    put(b, sizeof b);
}

static void location(double latitude, double longitude)
{
    key("location");
    map(2);
    key("latitude");
    number(latitude);
    key("longitude");
    number(longitude);
}

static void country(const char *outer, const char *code)
{
    key(outer);
    map(1);
    key("iso_code");
    text(code);
}

/* A tree of one node, of which 0.0.0.0/1 has the record that follows. */
static void begin_one(void)
{
    made.len = 0;
    PUT("\0\0\x11\0\0\1");
    PUT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}

static void end_with(unsigned nodes, uint8_t version, unsigned more)
{
    PUT("\xab\xcd\xefMaxMind.com");
    map(6 + more);
    key("node_count");
    put((uint8_t[]){0xc2, (uint8_t)(nodes >> 8), (uint8_t)nodes}, 3);
    key("record_size");
    PUT("\xa1\x18");
    key("ip_version");
    put((uint8_t[]){0xa1, version}, 2);
    key("binary_format_major_version");
    PUT("\xa1\2");
    key("database_type");
    text("City");
    key("build_epoch");
    PUT("\1\2\1");
}

static void languages(void)
{
    key("languages");
    PUT("\1\4");
    text("en");
    key("description");
    map(1);
    text("en");
    text("made");
    key("binary_format_minor_version");
    PUT("\xa0");
}

static int load_made(struct geo_db **db, struct diag_list *d)
{
    uint8_t *exact = malloc(made.len); /* so that a byte beyond it is noticed */
    memcpy(exact, made.at, made.len);
    diag_init(d);
    *db = NULL;
    int err = geo_db_load_mem(db, "made", exact, made.len, NULL, d);
    free(exact);
    return err;
}

static void only_registered(void)
{
    map(1);
    country("registered_country", "fr");
}
static void both_countries(void)
{
    map(2);
    country("registered_country", "FR");
    country("country", "DE");
}
static void wrong_types(void)
{
    map(3);
    key("continent");
    map(1);
    key("code");
    text("EU");
    key("country");
    text("DE");
    key("autonomous_system_number");
    text("64500");
}
static void bad_codes(void)
{
    map(3);
    country("country", "DEU");
    country("registered_country", "-1");
    key("autonomous_system_number");
    PUT("\xc1\7");
}
static void off_the_globe(void)
{
    map(2);
    country("country", "DE");
    location(91, 0);
}
static void not_a_number(void)
{
    map(2);
    country("country", "DE");
    location(1, strtod("nan", NULL));
}
static void floats(void)
{
    map(1);
    key("location");
    map(3);
    key("latitude");
    PUT("\4\x08\x42\x52\x14\x7b"); /* float 52.52 */
    key("longitude");
    PUT("\4\x08\x80\0\0\0"); /* -0 */
    key("accuracy_radius");
    PUT("\xa1\5");
}
static void half_a_position(void)
{
    map(2);
    country("country", "DE");
    key("location");
    map(1);
    key("latitude");
    number(1);
}
static void unclean_city(void)
{
    map(2);
    country("country", "DE");
    key("city");
    map(1);
    key("names");
    map(1);
    key("en");
    text("\33[31mred");
}
static void four_subdivisions(void)
{
    map(1);
    key("subdivisions");
    PUT("\4\4");
    for (const char *s = "A\0B\0C\0D\0"; *s; s += 2) {
        map(1);
        key("iso_code");
        text(s);
    }
}
static void deep_unknown(void)
{
    map(2);
    key("x");
    for (unsigned i = 0; i < 60000; i++)
        PUT("\1\4"); /* an array of one array of one ... */
    PUT("\x40");
    country("country", "DE");
}
static void cyclic_unknown(void)
{
    map(2);
    key("x");
    PUT("\x20\0"); /* the record itself */
    country("country", "DE");
}
static void cyclic_known(void)
{
    map(2);
    key("country"); /* is the record itself, in which a country has no iso_code */
    PUT("\x20\0");
    country("registered_country", "FR");
}
static void pointer_to_pointer(void)
{
    map(1);
    key("country"); /* at 1..8; the pointers at 9 and 11 */
    PUT("\x20\x0b\x20\0");
}
static void unknown_beyond(void)
{
    map(2);
    country("country", "DE");
    key("x");
    PUT("\x5f\xff\xff\xff");
}
static void key_no_text(void)
{
    map(1);
    PUT("\xa1\1\xa1\1");
}
static void organisations(void)
{
    map(2);
    key("isp");
    text("I");
    key("organization");
    text("O");
}
static void huge_number(void)
{
    map(2);
    country("country", "DE");
    key("autonomous_system_number");
    PUT("\5\2\1\0\0\0\0");
}

static void made_records(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        void (*make)(void);
        int err;
        unsigned warnings;
        const char *want; /* the place, or what is said */
    } rows[] = {
        {"only registered", only_registered, 0, 0, "|FR?|,,||0||"},
        {"both countries", both_countries, 0, 0, "|DE|,,||0||"},
        {"wrong types", wrong_types, 0, 1, "EU||,,||0||"},
        {"bad codes", bad_codes, 0, 1, "||,,||7||"},
        {"off the globe", off_the_globe, 0, 1, "|DE|,,||0||"},
        {"not a number", not_a_number, 0, 1, "|DE|,,||0||"},
        {"floats", floats, 0, 0, "||,,||0||52.52,0,5"},
        {"half a position", half_a_position, 0, 0, "|DE|,,||0||"},
        {"control characters", unclean_city, 0, 1, "|DE|,,||0||"},
        {"four subdivisions", four_subdivisions, 0, 0, "||A,B,C||0||"},
        {"organisations", organisations, 0, 0, "||,,||0|O|"},
        {"a number too large", huge_number, 0, 1, "|DE|,,||0||"},
        {"deep, not wanted", deep_unknown, 0, 0, "|DE|,,||0||"},
        {"cyclic, not wanted", cyclic_unknown, 0, 0, "|DE|,,||0||"},
        {"cyclic, wanted", cyclic_known, 0, 0, "|FR?|,,||0||"},
        {"pointer to pointer", pointer_to_pointer, ERR_INVALID, 0, "points to a pointer"},
        {"beyond the end, not wanted", unknown_beyond, ERR_INVALID, 0, "beyond the end"},
        {"a key that is no text", key_no_text, ERR_INVALID, 0, "a key is not text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_db *db;
        struct diag_list d;
        struct addr a = addr_of("1.2.3.4"), other = addr_of("200.2.3.4");
        begin_one();
        rows[i].make();
        end_with(1, 4, 3);
        languages();
        int err = load_made(&db, &d);
        if (err != rows[i].err || d.warnings != rows[i].warnings)
            fail_msg("%s: %s, %u warnings, %s", rows[i].label, err_name(err), d.warnings,
                     d.first ? d.first->text : "");
        if (err && !strstr(d.first->text, rows[i].want))
            fail_msg("%s: %s", rows[i].label, d.first->text);
        if (!err) {
            unsigned depth;
            check_place(rows[i].label, geo_db_find(db, &a, &depth), rows[i].want);
            assert_int_equal(depth, 1);
            assert_null(geo_db_find(db, &other, &depth));
            assert_int_equal(depth, 1);
            geo_db_free(db);
        }
        diag_fini(&d);
    }
}

static void good_meta(void)
{
    end_with(1, 4, 3);
    languages();
}
static void twice_meta(void)
{
    end_with(1, 4, 4);
    languages();
    key("node_count");
    PUT("\xc1\2");
}
static void deep_meta(void)
{
    end_with(1, 4, 4);
    languages();
    key("x");
    for (unsigned i = 0; i < 60000; i++)
        PUT("\1\4");
    PUT("\x40");
}
/* Twelve arrays of four pointers, each to the array before: 4^12 values. */
static void multiplied_meta(void)
{
    end_with(1, 4, 4);
    languages();
    size_t map_at = 0;
    for (size_t i = 0; i + 14 < made.len; i++)
        if (!memcmp(made.at + i, "\xab\xcd\xefMaxMind.com", 14))
            map_at = i + 14;
    key("x");
    PUT("\14\4");
    for (unsigned i = 0; i < 12; i++) {
        size_t before = made.len - map_at;
        if (!i) {
            PUT("\4\4\xa0\xa0\xa0\xa0");
            continue;
        }
        before -= i == 1 ? 6 : 10;
        uint8_t pair[10] = {4, 4};
        for (unsigned k = 0; k < 4; k++) {
            pair[2 + 2 * k] = (uint8_t)(0x20 | before >> 8);
            pair[3 + 2 * k] = (uint8_t)before;
        }
        put(pair, sizeof pair);
    }
}
/* On these libmaxminddb 1.7 loses memory, which the leak check would notice. */
static void languages_meta(void)
{
    end_with(1, 4, 2);
    key("languages");
    PUT("\1\4\xa1\1");
    key("description");
    map(0);
}
static void description_meta(void)
{
    end_with(1, 4, 2);
    key("languages");
    PUT("\0\4");
    key("description");
    map(1);
    text("en");
    PUT("\xa1\1");
}
static void no_nodes_meta(void)
{
    end_with(0, 4, 3);
    languages();
}
static void version_meta(void)
{
    end_with(1, 5, 3);
    languages();
}

static void made_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        void (*make)(void);
        int err;
        const char *want;
    } rows[] = {
        {"good", good_meta, 0, NULL},
        {"a number twice", twice_meta, ERR_INVALID, "there twice"},
        {"languages are numbers", languages_meta, ERR_INVALID, "wrong type"},
        {"a description is a number", description_meta, ERR_INVALID, "wrong type"},
        {"deep", deep_meta, ERR_INVALID, "nested too deeply"},
        {"multiplied", multiplied_meta, ERR_INVALID, "beyond all measure"},
        {"no nodes", no_nodes_meta, ERR_INVALID, "more nodes"},
        {"another version of IP", version_meta, ERR_INVALID, "neither IPv4 nor IPv6"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_db *db;
        struct diag_list d;
        begin_one();
        both_countries();
        rows[i].make();
        int err = load_made(&db, &d);
        if (err != rows[i].err || (err && !strstr(d.first->text, rows[i].want)))
            fail_msg("%s: %s, %s", rows[i].label, err_name(err), d.first ? d.first->text : "");
        geo_db_free(db);
        diag_fini(&d);
    }
}

/* Node i has i + 1 on both sides, so 2^30 ways lead to the last one. */
static void multiplied_tree(void **state)
{
    (void)state;
    struct geo_db *db;
    struct diag_list d;
    made.len = 0;
    for (uint8_t i = 1; i <= 30; i++)
        put((uint8_t[]){0, 0, i, 0, 0, i}, 6);
    PUT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    both_countries();
    end_with(30, 4, 3);
    languages();
    assert_int_equal(load_made(&db, &d), ERR_INVALID);
    assert_non_null(strstr(d.first->text, "too many ways"));
    diag_fini(&d);
}

/* Every record holds all that are behind it: 4096 of them are a hundred million values. */
static void overlapping_records(void **state)
{
    (void)state;
    struct geo_db *db;
    struct diag_list d;
    made.len = 0;
    for (unsigned i = 1; i < 4096; i++)
        for (unsigned side = 0; side < 2; side++) {
            unsigned below = 2 * i + side,
                     record = below < 4096 ? below - 1 : 4095 + 16 + (below - 4096) * 9;
            put((uint8_t[]){0, (uint8_t)(record >> 8), (uint8_t)record}, 3);
        }
    PUT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    for (unsigned i = 0; i < 16000; i++)
        PUT("\xe1\x41x"); /* {"x": {"x": ... */
    both_countries();
    end_with(4095, 4, 3);
    languages();
    assert_int_equal(load_made(&db, &d), ERR_INVALID);
    assert_non_null(strstr(d.first->text, "beyond all measure"));
    diag_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_records),
        cmocka_unit_test(made_metadata),
        cmocka_unit_test(multiplied_tree),
        cmocka_unit_test(overlapping_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
