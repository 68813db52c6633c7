/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* Rows into a database and back, and everything that can be wrong with rows. */
#include "geo/write.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/rng.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER \
    "network,continent,country,subdivision,city,asn,organisation,latitude,longitude,radius\n"

/* The allocators of the library: the n-th call fails. */
static struct {
    unsigned calls, fail_at; /* 0: never */
} heap;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return ++heap.calls == heap.fail_at ? NULL : __real_realloc(p, n);
}

/* A folder of our own, which is where the program stands during the tests. */
static char folder[] = "/tmp/waypost-write-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return !mkdtemp(folder) || chdir(folder);
}

static int leave(void **state)
{
    (void)state;
    unlink("f.csv");
    unlink("f.mmdb");
    return chdir("/") || rmdir(folder); /* fails when something was left behind */
}

static void write_csv(const char *text, size_t len)
{
    FILE *f = fopen("f.csv", "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    fclose(f);
}

static struct geo_db *build(const char *csv)
{
    struct geo_db *db = NULL;
    struct diag_list d;
    diag_init(&d);
    write_csv(csv, strlen(csv));
    if (geo_write_csv("f.csv", "f.mmdb", "of a test", &d) || geo_db_load(&db, "f.mmdb", NULL, &d) ||
        d.errors || d.warnings)
        fail_msg("%s", d.first ? d.first->text : "?");
    diag_fini(&d);
    return db;
}

static const struct geo_place *find(const struct geo_db *db, const char *ip, unsigned *depth)
{
    struct addr a;
    if (addr_parse(&a, ip, 0))
        fail_msg("%s is no address", ip);
    return geo_db_find(db, &a, depth);
}

static void round_trip(void **state)
{
    (void)state;
    static const char csv[] =
        "\xef\xbb\xbf" HEADER
        "10.0.0.0/8,EU,DE,BE,Berlin,64500,\"ACME, \"\"Inc\"\"\",52.52,13.405,50\r\n"
        "10.1.0.0/16,eu,gb,eng/wbk,Boxford,4294967295,,51.75,-1.25,0\n"
        "\n"
        "10.1.2.3,,,,,,,,,\n"
        "10.1.2.0/24,EU,GB,ENG/WBK,Boxford,4294967295,,51.75,-1.25,\n"
        "192.0.2.0/24,,,,,0,O,-90,-180,20038\n"
        "198.51.100.0/24,,,,,,,0,-0,1\n"
        "2001:db8::/32,NA,US,,,,,,,\n"
        "2001:db8:1::/48,NA,US,CA,M\xc3\xbcnchen,,,,,\n"
        "2001:db8:1::/48,NA,US,CA,M\xc3\xbcnchen,,,,,\n"
        "2000::/3,,,,,7,,,,";
    static const struct {
        const char *ip;
        unsigned depth;
        const char *want;
    } rows[] = {
        {"10.255.0.0", 9, "EU|DE|BE,,|Berlin|64500|ACME, \"Inc\"|52.52,13.405,50"},
        {"10.0.0.1", 16, "EU|DE|BE,,|Berlin|64500|ACME, \"Inc\"|52.52,13.405,50"},
        {"10.1.255.1", 17, "EU|GB|ENG,WBK,|Boxford|4294967295||51.75,-1.25,0"},
        {"10.1.2.3", 32, "-"},
        {"10.1.2.2", 32, "EU|GB|ENG,WBK,|Boxford|4294967295||51.75,-1.25,0"},
        {"10.1.2.4", 30, "EU|GB|ENG,WBK,|Boxford|4294967295||51.75,-1.25,0"},
        {"192.0.2.255", 24, "||,,||0|O|-90,-180,20038"},
        {"198.51.100.1", 24, "||,,||0||0,0,1"},
        {"2002:c000:2ff::", 40, "||,,||0|O|-90,-180,20038"},
        {"64:ff9b::192.0.2.1", 120, "||,,||0|O|-90,-180,20038"},
        {"2001:0:1::3fff:fdfe", 120, "||,,||0|O|-90,-180,20038"},
        {"192.0.3.0", 24, "-"},
        {"2001:db8::1", 48, "|US|,,||0||"},
        {"2001:db8:1::1", 48, "|US|CA,,|M\xc3\xbcnchen|0||"},
        {"2a00::1", 5, "||,,||7||"},
        {"2003::1", 16, "||,,||7||"},
        {"3fff::", 4, "||,,||7||"},
        {"4000::", 2, "-"},
    };
    struct geo_db *db = build(csv);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        unsigned depth;
        const struct geo_place *p = find(db, rows[i].ip, &depth);
        int n = snprintf(text, sizeof text, "-");
        if (p)
            n = snprintf(text, sizeof text, "%s|%s|%s,%s,%s|%s|%u|%s|",
                         !strcmp(p->continent, "NA") ? "" : p->continent, p->country,
                         p->subdivision[0], p->subdivision[1], p->subdivision[2], p->city, p->asn,
                         p->organisation);
        if (p && p->has_position)
            snprintf(text + n, sizeof text - (size_t)n, "%.7g,%.7g,%u", (double)p->latitude,
                     (double)p->longitude, p->radius_km);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s instead of %s", rows[i].ip, text, rows[i].want);
        if (depth != rows[i].depth)
            fail_msg("%s: depth %u instead of %u", rows[i].ip, depth, rows[i].depth);
    }
    struct geo_db_info info = geo_db_info(db);
    assert_string_equal(info.type, "waypost-City-ASN");
    assert_string_equal(info.description, "of a test");
    assert_int_equal(info.ip_version, 6);
    assert_int_equal(info.record_bits, 24);
    assert_int_equal(geo_db_places(db), 7);
    geo_db_free(db);
}

static void types(void **state)
{
    (void)state;
    static const struct {
        const char *label, *csv, *want;
    } rows[] = {
        {"nothing", "network\n", "waypost-City"},
        {"country", "country,network\nDE,10.0.0.0/8\n", "waypost-Country"},
        {"asn", "network,asn\n10.0.0.0/8,1\n", "waypost-ASN"},
        {"both", "network,asn,country\n0.0.0.0/0,1,DE\n", "waypost-Country-ASN"},
        {"city", "network,city\n::/0,X\n", "waypost-City"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_db *db = build(rows[i].csv);
        if (strcmp(geo_db_info(db).type, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].label, geo_db_info(db).type);
        /* The two families do not mix, even when one has everything. */
        assert_true((find(db, "203.0.113.1", NULL) != NULL) == (i == 3));
        assert_true((find(db, "2a00::1", NULL) != NULL) == (i == 4));
        geo_db_free(db);
    }
}

/* Random nested networks against a scan of the rows. */
static void random_rows(void **state)
{
    (void)state;
    struct rng rng;
    rng_init_fixed(&rng, 7);
    for (unsigned round = 0; round < 20; round++) {
        struct {
            uint32_t ip, asn;
            unsigned bits;
        } nets[120];
        char *csv = NULL;
        size_t len;
        FILE *f = open_memstream(&csv, &len);
        unsigned count = 0;
        fputs("network,asn\n", f);
        while (count < 120) {
            unsigned bits = rng_below(&rng, 17) + 8, i = 0;
            uint32_t ip = (10u << 24 | rng_below(&rng, 1 << 16) << 8) & ~(UINT32_MAX >> bits);
            while (i < count && (nets[i].ip != ip || nets[i].bits != bits))
                i++;
            if (i < count)
                continue;
            nets[count].ip = ip;
            nets[count].bits = bits;
            nets[count++].asn = rng_below(&rng, 4); /* 0: a hole */
            fprintf(f, "%u.%u.%u.%u/%u,%u\n", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
                    bits, nets[i].asn);
        }
        fclose(f);
        struct geo_db *db = build(csv);
        for (unsigned k = 0; k < 2000; k++) {
            uint32_t ip = 10u << 24 | rng_below(&rng, 1 << 24), best = 0, want = 0;
            const uint8_t bytes[] = {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8),
                                     (uint8_t)ip};
            for (unsigned i = 0; i < count; i++)
                if (nets[i].bits >= best && !((ip ^ nets[i].ip) & ~(UINT32_MAX >> nets[i].bits))) {
                    best = nets[i].bits;
                    want = nets[i].asn;
                }
            struct addr a = addr_of_bytes(bytes, 4, 0);
            const struct geo_place *p = geo_db_find(db, &a, NULL);
            if ((p ? p->asn : 0) != want)
                fail_msg("round %u: %08x is %u instead of %u", round, ip, p ? p->asn : 0, want);
        }
        geo_db_free(db);
        free(csv);
    }
}

/* More than 2^24 octets of data: records of 28 bits. */
static void wide_records(void **state)
{
    (void)state;
    const unsigned count = 68000;
    FILE *f = fopen("f.csv", "w");
    struct geo_db *db;
    struct diag_list d;
    diag_init(&d);
    fputs("network,organisation\n", f);
    for (unsigned i = 0; i < count; i++)
        fprintf(f, "10.%u.%u.%u/32,%0250u\n", i >> 16, i >> 8 & 255, i & 255, i);
    fclose(f);
    assert_int_equal(geo_write_csv("f.csv", "f.mmdb", NULL, &d), 0);
    assert_int_equal(geo_db_load(&db, "f.mmdb", NULL, &d), 0);
    assert_int_equal(geo_db_info(db).record_bits, 28);
    for (unsigned i = 0; i < count; i += 997) {
        uint8_t ip[] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct addr a = addr_of_bytes(ip, 4, 0);
        const struct geo_place *p = geo_db_find(db, &a, NULL);
        assert_non_null(p);
        assert_int_equal(strtoul(p->organisation, NULL, 10), i);
    }
    geo_db_free(db);
    diag_fini(&d);
}

static const struct {
    const char *label, *csv, *want; /* every entry, one line each */
} mistake_rows[] = {
    {"empty", "", "f.csv: error: it is empty\n"},
    {"no network", "country\nDE\n",
     "f.csv:1: error: the first line has to name the columns, one of which is network\n"},
    {"a column of another name", "network,land\n",
     "f.csv:1:9: error: there is no such column: \"land\"\n"},
    {"a column twice", "network,asn,asn\n",
     "f.csv:1:13: error: the column is there already: \"asn\"\n"},
    {"fields", "network,asn\n10.0.0.0/8\n10.0.0.0/8,1,2\n",
     "f.csv:2:1: error: 1 fields, the header has 2\n"
     "f.csv:3:14: error: 3 fields, the header has 2\n"},
    {"network", "network\nx\n10.0.0.1/8\n10.0.0.0/33\n\"\"\n",
     "f.csv:2:1: error: not a network: \"x\"\n"
     "f.csv:3:1: error: the length is too long, or bits behind it are set: \"10.0.0.1/8\"\n"
     "f.csv:4:1: error: the length is too long, or bits behind it are set: \"10.0.0.0/33\"\n"
     "f.csv:5:1: error: not a network: \"\"\n"},
    {"IPv4 in disguise",
     "network\n::1\n::ffff:10.0.0.0/104\n64:ff9b::/96\n2001::/33\n2002:a00::/24\n2001::/31\n",
     "f.csv:2:1: error: addresses in there stand for IPv4 ones: \"::1\"\n"
     "f.csv:3:1: error: addresses in there stand for IPv4 ones: \"::ffff:10.0.0.0/104\"\n"
     "f.csv:4:1: error: addresses in there stand for IPv4 ones: \"64:ff9b::/96\"\n"
     "f.csv:5:1: error: addresses in there stand for IPv4 ones: \"2001::/33\"\n"
     "f.csv:6:1: error: addresses in there stand for IPv4 ones: \"2002:a00::/24\"\n"},
    {"codes",
     "network,continent,country,subdivision\n"
     "10.0.0.0/8,XX,,\n10.0.0.0/8,E,,\n10.0.0.0/8,,DEU,\n10.0.0.0/8,,D1,\n"
     "10.0.0.0/8,,DE,A/B/C/D\n10.0.0.0/8,,DE,ABCD\n10.0.0.0/8,,DE,A/\n10.0.0.0/8,,,A\n",
     "f.csv:2:12: error: not a continent: \"XX\"\n"
     "f.csv:3:12: error: not a continent: \"E\"\n"
     "f.csv:4:13: error: not a country: \"DEU\"\n"
     "f.csv:5:13: error: not a country: \"D1\"\n"
     "f.csv:6:16: error: more than three subdivisions: \"A/B/C/D\"\n"
     "f.csv:7:16: error: not a subdivision: \"ABCD\"\n"
     "f.csv:8:16: error: not a subdivision: \"A/\"\n"
     "f.csv:9:14: error: a subdivision without its country: \"A\"\n"},
    {"numbers", "network,asn\n1.0.0.0/8,4294967296\n2.0.0.0/8,-1\n3.0.0.0/8,1x\n",
     "f.csv:2:11: error: not the number of an autonomous system: \"4294967296\"\n"
     "f.csv:3:11: error: not the number of an autonomous system: \"-1\"\n"
     "f.csv:4:11: error: not the number of an autonomous system: \"1x\"\n"},
    {"positions",
     "network,latitude,longitude,radius\n1.0.0.0/8,90.1,0,\n2.0.0.0/8,0,-181,\n"
     "3.0.0.0/8,nan,0x1,\n4.0.0.0/8,1,,\n5.0.0.0/8,,1,\n6.0.0.0/8,,,5\n7.0.0.0/8,0,0,20039\n"
     "8.0.0.0/8,1.,1e3,\n9.0.0.0/8,-,1.1.1,\n",
     "f.csv:2:11: error: not a latitude: \"90.1\"\n"
     "f.csv:3:13: error: not a longitude: \"-181\"\n"
     "f.csv:4:11: error: not a latitude: \"nan\"\n"
     "f.csv:4:15: error: not a longitude: \"0x1\"\n"
     "f.csv:5:11: error: half a position: \"1\"\n"
     "f.csv:6:12: error: half a position: \"1\"\n"
     "f.csv:7:13: error: a radius without a position: \"5\"\n"
     "f.csv:8:15: error: not a radius: \"20039\"\n"
     "f.csv:9:14: error: not a longitude: \"1e3\"\n"
     "f.csv:10:11: error: not a latitude: \"-\"\n"
     "f.csv:10:13: error: not a longitude: \"1.1.1\"\n"},
    {"text", "network,city\n1.0.0.0/8,\xff\n2.0.0.0/8,a\tb\n",
     "f.csv:2:11: error: neither UTF-8 nor free of control characters: \"\xff\"\n"
     "f.csv:3:11: error: neither UTF-8 nor free of control characters: \"a\tb\"\n"},
    {"quotes", "network,city\n1.0.0.0/8,\"a\n2.0.0.0/8,\"a\"b\n3.0.0.0/8,\"\"\"\n",
     "f.csv:2:11: error: the quote is not closed on its line\n"
     "f.csv:3:14: error: behind a closing quote goes a comma\n"
     "f.csv:4:11: error: the quote is not closed on its line\n"},
    {"a network twice",
     "network,country\n10.0.0.0/8,DE\n11.0.0.0/8,DE\n10.0.0.0/8,FR\n10.0.0.0/8,DE\n10.0.0.0/"
     "8,\n",
     "f.csv:4:1: error: 10.0.0.0/8 has other data in line 2\n"
     "f.csv:6:1: error: 10.0.0.0/8 has other data in line 2\n"},
    {"too many fields", ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n",
     "f.csv:1:33: error: too many fields\n"},
};

static void mistakes(void **state)
{
    (void)state;
    unlink("f.mmdb");
    for (size_t i = 0; i < sizeof mistake_rows / sizeof *mistake_rows; i++) {
        char got[4096] = "";
        struct diag_list d;
        diag_init(&d);
        write_csv(mistake_rows[i].csv, strlen(mistake_rows[i].csv));
        int err = geo_write_csv("f.csv", "f.mmdb", NULL, &d);
        for (const struct diag *e = d.first; e; e = e->next) {
            size_t n = strlen(got);
            n += (size_t)diag_format(e, got + n, sizeof got - n - 1);
            strcpy(got + n, "\n");
        }
        if (strcmp(got, mistake_rows[i].want) != 0)
            fail_msg("%s:\n%sinstead of\n%s", mistake_rows[i].label, got, mistake_rows[i].want);
        if (err != (i ? ERR_SYNTAX : ERR_INVALID) || !access("f.mmdb", F_OK))
            fail_msg("%s: %s", mistake_rows[i].label, err_name(err));
        diag_fini(&d);
    }
}

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *label, *csv, *out;
        int err;
        const char *file; /* the one that is named */
    } rows[] = {
        {"no rows", "absent.csv", "f.mmdb", ERR_NOT_FOUND, "absent.csv"},
        {"rows are a folder", ".", "f.mmdb", ERR_NOT_FILE, "."},
        {"nowhere to write", "f.csv", "absent/f.mmdb", ERR_NOT_FOUND, "absent/f.mmdb"},
        {"over a folder", "f.csv", "sub", ERR_NOT_FILE, "sub"},
    };
    write_csv("network\n", 8);
    assert_int_equal(mkdir("sub", 0700), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list d;
        diag_init(&d);
        int err = geo_write_csv(rows[i].csv, rows[i].out, NULL, &d);
        if (err != rows[i].err || d.errors != 1 || strcmp(d.first->file, rows[i].file) != 0)
            fail_msg("%s: %s, %u errors", rows[i].label, err_name(err), d.errors);
        diag_fini(&d);
    }
    rmdir("sub");
}

/* Whatever fails, the old database stays and nothing lies beside it (leave() looks). */
static void out_of_memory(void **state)
{
    (void)state;
    static const char csv[] = HEADER "10.0.0.0/8,EU,DE,BE,Berlin,64500,ACME,52.52,13.405,50\n";
    int err = ERR_NOMEM;
    unsigned tried = 0;
    geo_db_free(build("network,asn\n10.0.0.0/8,7\n"));
    write_csv(csv, sizeof csv - 1);
    while (err) {
        struct geo_db *db = NULL;
        struct diag_list d;
        diag_init(&d);
        heap.calls = 0;
        heap.fail_at = ++tried;
        err = geo_write_csv("f.csv", "f.mmdb", NULL, &d);
        heap.fail_at = 0;
        if (err && (err != ERR_NOMEM || !d.errors))
            fail_msg("allocation %u: %s, %u errors", tried, err_name(err), d.errors);
        assert_int_equal(geo_db_load(&db, "f.mmdb", NULL, &d), 0);
        assert_int_equal(find(db, "10.0.0.1", NULL)->asn, err ? 7 : 64500);
        geo_db_free(db);
        diag_fini(&d);
    }
    assert_true(tried > 10);
}

struct image {
    struct geo_db *db;
    char text[4000];
};

static void print_network(void *arg, const struct prefix *p, uint32_t value)
{
    struct image *i = arg;
    char net[ADDR_TEXT_MAX];
    size_t len = strlen(i->text);
    const struct geo_place *at = value ? geo_db_place(i->db, value - 1) : NULL;
    snprintf(i->text + len, sizeof i->text - len, "%s %s %u\n", prefix_print(p, net),
             at ? at->city : "-", at ? at->asn : 0);
}

/* Rows without a file between are the same tables; mistakes in them are said as when one is
 * written.
 */
static void straight_from_rows(void **state)
{
    (void)state;
    static const char csv[] = HEADER "10.0.0.0/8,EU,DE,BE,Berlin,64500,ACME,52.52,13.405,50\n"
                                     "10.1.0.0/16,EU,GB,,Boxford,7,,51.75,-1.25,\n"
                                     "10.1.2.0/24,,,,,,,,,\n2001:db8::/32,NA,US,,,,,,,\n";
    struct image written = {.db = build(csv)}, straight = {0};
    struct diag_list d;
    int err = ERR_NOMEM;
    diag_init(&d);
    unlink("f.mmdb");
    assert_int_equal(geo_file_load(&straight.db, "f.csv", NULL, &d), 0);
    prefixes_each(geo_db_prefixes(written.db), print_network, &written);
    prefixes_each(geo_db_prefixes(straight.db), print_network, &straight);
    assert_non_null(strstr(straight.text, "10.1.0.0/23 Boxford 7\n"));
    assert_string_equal(written.text, straight.text);
    geo_db_free(written.db);
    geo_db_free(straight.db);
    straight.db = NULL;
    for (unsigned tried = 1; err; tried++) {
        heap.calls = 0;
        heap.fail_at = tried;
        err = geo_file_load(&straight.db, "f.csv", NULL, &d);
        heap.fail_at = 0;
        if (err && (err != ERR_NOMEM || straight.db || d.errors != tried))
            fail_msg("allocation %u: %s, %u errors", tried, err_name(err), d.errors);
    }
    geo_db_free(straight.db);
    diag_fini(&d);
    diag_init(&d);
    assert_int_equal(geo_file_load(&straight.db, "absent.csv", NULL, &d), ERR_NOT_FOUND);
    assert_int_equal(geo_file_load(&straight.db, "absent.mmdb", NULL, &d), ERR_NOT_FOUND);
    write_csv("network,asn\n10.0.0.0/8,x\n", 25);
    assert_int_equal(geo_file_load(&straight.db, "f.csv", NULL, &d), ERR_SYNTAX);
    assert_int_equal(d.errors, 3);
    assert_int_equal(d.last->line, 2);
    assert_int_equal(d.last->column, 12);
    diag_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(types),
        cmocka_unit_test(random_rows),   cmocka_unit_test(wide_records),
        cmocka_unit_test(mistakes),      cmocka_unit_test(files),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(straight_from_rows),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
