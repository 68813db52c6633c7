/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* wrap: memfd_create */
/* wrap: fstat */
/* Databases of others, good, bad and spoilt. */
#include "geo/db.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER "tests/data/mmdb/"

/* The allocators of the library: the n-th call fails. */
static struct {
    unsigned calls, fail_at; /* 0: never */
    bool no_memfd;
    unsigned touched; /* what fstat tells of a file that somebody writes to */
} heap;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
int __real_memfd_create(const char *name, unsigned flags);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __wrap_memfd_create(const char *name, unsigned flags);

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

int __wrap_memfd_create(const char *name, unsigned flags)
{
    if (!heap.no_memfd)
        return __real_memfd_create(name, flags);
    errno = ENOSYS;
    return -1;
}

int __wrap_fstat(int fd, struct stat *st)
{
    int status = __real_fstat(fd, st);
    st->st_mtim.tv_nsec += heap.touched ? heap.touched++ : 0;
    return status;
}

static struct addr addr_of(const char *text)
{
    struct addr a;
    if (addr_parse(&a, text, 0))
        fail_msg("%s is no address", text);
    return a;
}

static void slurp(const char *path, uint8_t **bytes, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read", path);
    *bytes = malloc(1 << 20);
    *len = fread(*bytes, 1, 1 << 20, f);
    fclose(f);
}

/* Every place and some addresses: whatever was loaded has to answer. */
static void ask_everything(const struct geo_db *db)
{
    static const char *const ips[] = {"0.0.0.0", "1.128.0.1",  "81.2.69.160", "255.255.255.255",
                                      "::",      "2001:218::", "2a02:d300::", "2002:5102:45a0::"};
    for (unsigned i = 0; i < geo_db_places(db); i++) {
        const struct geo_place *p = geo_db_place(db, i);
        assert_true(strlen(p->city) + strlen(p->organisation) < 1 << 20);
        assert_true(!p->has_position || (p->latitude >= -90 && p->latitude <= 90));
    }
    assert_null(geo_db_place(db, geo_db_places(db)));
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
        unsigned depth;
        struct addr a = addr_of(ips[i]);
        geo_db_find(db, &a, &depth);
        assert_true(depth <= (a.family == 4 ? 32 : 128));
    }
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

/* Expected: mmdblookup, and GeoIP2-City-Test.json of the same repository. Depths: of the merged
 * networks, checked by hand against the neighbours that mmdblookup shows. */
static void good_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *ip;
        unsigned depth;
        const char *want;
    } rows[] = {
#define CITY "GeoIP2-City-Test.mmdb"
        {CITY, "2.125.160.216", 29, "EU|GB|ENG,WBK,|Boxford|0||51.75,-1.25,100"},
        {CITY, "216.160.83.56", 29, "NA|US|WA,,|Milton|0||47.2513,-122.3149,22"},
        {CITY, "89.160.20.112", 28, "EU|SE|E,,|Link\u00f6ping|0||58.4167,15.6167,76"},
        {CITY, "81.2.69.160", 27, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "64:ff9b::81.2.69.160", 123, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "::81.2.69.160", 123, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "::ffff:0:81.2.69.160", 123, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "::ffff:81.2.69.160", 27, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "2002:5102:45a0::1", 43, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "2001:0:1:2:3:4:aefd:ba5f", 123, "EU|GB|ENG,,|London|0||51.5142,-0.0931,100"},
        {CITY, "2001:480:10::1", 48, "NA|US|CA,,|San Diego|0||32.7203,-117.1552,20"},
        {CITY, "2a02:d300::1", 29, "EU|UA|,,||0||49,32,100"},
        {CITY, "1.1.1.1", 7, "-"},
        {"GeoLite2-City-Test.mmdb", "89.160.20.112", 28,
         "EU|SE|E,,|Link\u00f6ping|0||58.4167,15.6167,76"},
        {"GeoIP2-Country-Test.mmdb", "81.2.69.142", 31, "EU|GB|,,||0||"},
        {"GeoIP2-Country-Test.mmdb", "2001:250::1", 31, "AS|CN|,,||0||"},
        {"GeoIP2-ISP-Test.mmdb", "1.128.0.1", 11, "||,,||1221|Telstra Pty Ltd|"},
        {"GeoIP2-ISP-Test.mmdb", "2600:7000::1", 24, "||,,||6939|Hurricane Electric, Inc.|"},
        /* 2001::/32 is looked up as IPv4, so nothing said of 2001:218:: reaches that far. */
        {"GeoIP2-ISP-Test.mmdb", "2001:218::", 23, "-"},
        {"GeoLite2-ASN-Test.mmdb", "1.128.0.1", 11, "||,,||1221|Telstra Pty Ltd|"},
        {"GeoIP2-Precision-Enterprise-Test.mmdb", "74.209.24.0", 20,
         "NA|US|NY,,|Chatham|14671|FairPoint Communications|42.3478,-73.5549,27"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128], label[200];
        struct geo_db *db;
        struct diag_list d;
        unsigned depth;
        diag_init(&d);
        snprintf(path, sizeof path, FOLDER "%s", rows[i].file);
        snprintf(label, sizeof label, "%s of %s", rows[i].ip, rows[i].file);
        if (geo_db_load(&db, path, NULL, &d) || d.errors || d.warnings)
            fail_msg("%s: %s", label, d.first ? d.first->text : "?");
        struct addr a = addr_of(rows[i].ip);
        check_place(label, geo_db_find(db, &a, &depth), rows[i].want);
        if (depth != rows[i].depth)
            fail_msg("%s: depth %u instead of %u", label, depth, rows[i].depth);
        ask_everything(db);
        geo_db_free(db);
        diag_fini(&d);
    }
}

static void information(void **state)
{
    (void)state;
    struct geo_db *db;
    struct diag_list d;
    diag_init(&d);
    assert_int_equal(geo_db_load(&db, FOLDER "GeoIP2-Precision-Enterprise-Test.mmdb", NULL, &d), 0);
    struct geo_db_info info = geo_db_info(db);
    assert_string_equal(info.type, "GeoIP2-Precision-Enterprise");
    assert_int_equal(info.nodes, 1259);
    assert_int_equal(info.ip_version, 6);
    assert_int_equal(info.record_bits, 28);
    assert_int_equal(info.built_s, 1770246697);
    assert_true(info.has_country && info.has_city && info.has_position && info.has_asn);
    assert_true(info.bytes > 1000 && strstr(info.description, "Enterprise Test"));
    geo_db_free(db);
    diag_fini(&d);
}

/* Loads what has to fail, and gives its first words. */
static int refused(const char *path, char *text, size_t cap)
{
    struct geo_db *db = NULL;
    struct diag_list d;
    diag_init(&d);
    int err = geo_db_load(&db, path, NULL, &d);
    snprintf(text, cap, "%s", d.first ? d.first->text : "");
    if (err && (d.errors != 1 || strcmp(d.first->file, path) != 0))
        fail_msg("%s: %u errors", path, d.errors);
    if (!err)
        geo_db_free(db);
    assert_true(err ? !db : !!db);
    diag_fini(&d);
    return err;
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int err;
        const char *want; /* part of what is said */
    } rows[] = {
        {"bad/bad-unicode-in-map-key.mmdb", ERR_INVALID, "neither a node nor data"},
        {"bad/cyclic-data-structure.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/invalid-bytes-length.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/invalid-data-record-offset.mmdb", ERR_INVALID, "a key is not text"},
        {"bad/invalid-map-key-length.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/invalid-string-length.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/libmaxminddb-corrupt-search-tree.mmdb", ERR_INVALID, "of no network"},
        {"bad/libmaxminddb-deep-array-nesting.mmdb", ERR_INVALID, "of no network"},
        {"bad/libmaxminddb-deep-nesting.mmdb", ERR_INVALID, "of no network"},
        {"bad/libmaxminddb-empty-array-last-in-metadata.mmdb", ERR_INVALID, "of no network"},
        {"bad/libmaxminddb-empty-map-last-in-metadata.mmdb", ERR_INVALID, "of no network"},
        {"bad/libmaxminddb-metadata-marker-only.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/libmaxminddb-offset-integer-overflow.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/libmaxminddb-oversized-array.mmdb", ERR_INVALID, "beyond the end"},
        {"bad/libmaxminddb-oversized-map.mmdb", ERR_INVALID, "beyond the end"},
        {"bad/libmaxminddb-separator-record-max-left.mmdb", ERR_INVALID, "neither a node nor"},
        {"bad/libmaxminddb-separator-record-min-left.mmdb", ERR_INVALID, "neither a node nor"},
        {"bad/libmaxminddb-separator-record-min-right.mmdb", ERR_INVALID, "neither a node nor"},
        {"bad/libmaxminddb-uint64-max-epoch.mmdb", ERR_INVALID, "of no network"},
        {"bad/metadata-is-an-uint128.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"bad/unexpected-bytes.mmdb", ERR_INVALID, "metadata is corrupt"},
        {"GeoIP2-City-Test-Broken-Double-Format.mmdb", ERR_INVALID, "2.125.160.216/29"},
        {"GeoIP2-City-Test-Invalid-Node-Count.mmdb", ERR_INVALID, "more nodes than there are"},
        {"MaxMind-DB-test-broken-pointers-24.mmdb", ERR_INVALID, "outside of the data"},
        {"MaxMind-DB-test-broken-search-tree-24.mmdb", ERR_INVALID, "deeper than an address"},
        {"MaxMind-DB-no-ipv4-search-tree.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-string-value-entries.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-test-ipv4-24.mmdb", ERR_INVALID, "type \"Test\", which says of no network"},
        {"MaxMind-DB-test-ipv4-28.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-test-ipv4-32.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-test-ipv6-24.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-test-mixed-28.mmdb", ERR_INVALID, "of no network"},
        {"MaxMind-DB-test-mixed-32.mmdb", ERR_INVALID, "of no network"},
        {"README.md", ERR_INVALID, "it has no metadata"},
        {"bad", ERR_NOT_FILE, "not a regular file"},
        {"absent.mmdb", ERR_NOT_FOUND, "No such file"},
        {"/dev/null", ERR_NOT_FILE, "not a regular file"},
    };
    unsigned seen = 0, there = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128], text[256];
        snprintf(path, sizeof path, "%s%s", *rows[i].file == '/' ? "" : FOLDER, rows[i].file);
        int err = refused(path, text, sizeof text);
        if (err != rows[i].err || !strstr(text, rows[i].want))
            fail_msg("%s: %s, %s", rows[i].file, err_name(err), text);
        seen += !strncmp(rows[i].file, "bad/", 4);
    }
    DIR *dir = opendir(FOLDER "bad");
    for (struct dirent *e; dir && (e = readdir(dir));)
        there += strstr(e->d_name, ".mmdb") != NULL;
    closedir(dir);
    assert_int_equal(seen, there); /* each has its row */
}

static size_t bytes_of(const char *path)
{
    struct geo_db *db;
    struct diag_list d;
    diag_init(&d);
    assert_int_equal(geo_db_load(&db, path, NULL, &d), 0);
    size_t bytes = geo_db_info(db).bytes;
    geo_db_free(db);
    diag_fini(&d);
    return bytes;
}

static void limits(void **state)
{
    (void)state;
    static const char path[] = FOLDER "GeoIP2-Country-Test.mmdb";
    const struct {
        const char *label;
        struct geo_db_limits limits;
        const char *want;
    } rows[] = {
        {"file", {.file_bytes = 12000}, "larger than"},
        {"nodes", {.nodes = 1000}, "more than the limit of 1000"},
        {"places", {.table_bytes = 4000}, "its places take more"},
        {"networks", {.table_bytes = bytes_of(path) - 1}, "its networks take more"},
    };
    uint8_t *bytes;
    size_t len;
    slurp(path, &bytes, &len);
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const struct geo_db_limits *l = &rows[i / 2].limits;
        struct geo_db *db;
        struct diag_list d;
        diag_init(&d);
        int err =
            i % 2 ? geo_db_load(&db, path, l, &d) : geo_db_load_mem(&db, "m", bytes, len, l, &d);
        if (err != ERR_LIMIT || !strstr(d.first->text, rows[i / 2].want))
            fail_msg("%s: %s, %s", rows[i / 2].label, err_name(err), d.first ? d.first->text : "");
        diag_fini(&d);
    }
    free(bytes);
}

/* ---- spoilt ---- */

static bool load_spoilt(const uint8_t *bytes, size_t len)
{
    struct geo_db *db = NULL;
    struct diag_list d;
    diag_init(&d);
    int err = geo_db_load_mem(&db, "spoilt", bytes, len, NULL, &d);
    if (err ? err != ERR_INVALID || !d.errors || db : d.errors || !db)
        fail_msg("%s and %u errors", err_name(err), d.errors);
    if (!err)
        ask_everything(db);
    geo_db_free(db);
    diag_fini(&d);
    return !err;
}

/* Cut at the end, and with a piece of the middle gone but the metadata still there. */
static void truncated(void **state)
{
    (void)state;
    uint8_t *bytes, *cut;
    size_t len, metadata = 0;
    slurp(FOLDER CITY, &bytes, &len);
    for (size_t i = 0; i + 14 < len; i++)
        if (!memcmp(bytes + i, "\xab\xcd\xefMaxMind.com", 14))
            metadata = i;
    cut = malloc(len);
    assert_true(metadata > 0);
    for (size_t n = 0; n < len; n += n < 64 || n > len - 600 ? 1 : 97) {
        memcpy(cut, bytes, n);
        assert_false(load_spoilt(cut, n));
    }
    for (size_t n = 0; n < metadata; n += 61) {
        memcpy(cut, bytes, n);
        memcpy(cut + n, bytes + metadata, len - metadata);
        assert_false(load_spoilt(cut, n + len - metadata));
    }
    free(cut);
    free(bytes);
}

static void mutated(void **state)
{
    (void)state;
    static const char *const files[] = {CITY, "GeoLite2-ASN-Test.mmdb",
                                        "MaxMind-DB-test-ipv4-28.mmdb",
                                        "GeoIP2-Precision-Enterprise-Test.mmdb"};
    struct rng rng;
    unsigned good = 0, rounds = 0;
    rng_init_fixed(&rng, 20260204);
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[128];
        uint8_t *bytes, *copy;
        size_t len;
        snprintf(path, sizeof path, FOLDER "%s", files[f]);
        slurp(path, &bytes, &len);
        copy = malloc(len);
        for (unsigned i = 0; i < 1500; i++) {
            memcpy(copy, bytes, len);
            /* A third each: anywhere, in the data and metadata, in the last octets. */
            size_t span = i % 3 == 0 ? len : i % 3 == 1 ? len / 2 : len < 400 ? len : 400;
            for (unsigned k = 1 + rng_below(&rng, 4); k; k--)
                copy[len - 1 - rng_below(&rng, (uint32_t)span)] = (uint8_t)rng_u32(&rng);
            good += load_spoilt(copy, len);
            rounds++;
        }
        free(copy);
        free(bytes);
    }
    assert_true(good > rounds / 50 && good < rounds); /* it is the loader that was tried */
}

/* The file may be rewritten after the load; what was loaded stays. */
static void overwritten(void **state)
{
    (void)state;
    char path[] = "/tmp/waypost-test-XXXXXX";
    uint8_t *bytes;
    size_t len;
    struct geo_db *db;
    struct diag_list d;
    struct addr a = addr_of("81.2.69.160");
    diag_init(&d);
    slurp(FOLDER CITY, &bytes, &len);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(geo_db_load(&db, path, NULL, &d), 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    unlink(path);
    check_place("overwritten", geo_db_find(db, &a, NULL),
                "EU|GB|ENG,,|London|0||51.5142,-0.0931,100");
    geo_db_free(db);
    diag_fini(&d);
    free(bytes);
}

static void touched_while_read(void **state)
{
    (void)state;
    char text[256];
    heap.touched = 1;
    int err = refused(FOLDER CITY, text, sizeof text);
    heap.touched = 0;
    assert_int_equal(err, ERR_BUSY);
    assert_string_equal(text, "it changed while it was read");
}

static void without_memfd(void **state)
{
    (void)state;
    char text[256], folder[] = "/tmp/waypost-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    heap.no_memfd = true;
    assert_int_equal(refused(FOLDER CITY, text, sizeof text), 0);
    assert_int_equal(refused(FOLDER "README.md", text, sizeof text), ERR_INVALID);
    setenv("TMPDIR", "/nonexistent", 1);
    assert_int_equal(refused(FOLDER CITY, text, sizeof text), ERR_NOT_FOUND);
    heap.no_memfd = false;
    unsetenv("TMPDIR");
    assert_int_equal(rmdir(folder), 0); /* nothing was left in there */
}

static void out_of_memory(void **state)
{
    (void)state;
    int err = ERR_NOMEM;
    unsigned tried = 0;
    while (err) {
        struct geo_db *db = NULL;
        struct diag_list d;
        diag_init(&d);
        heap.calls = 0;
        heap.fail_at = ++tried;
        err = geo_db_load(&db, FOLDER "GeoLite2-ASN-Test.mmdb", NULL, &d);
        heap.fail_at = 0;
        if (err && (err != ERR_NOMEM || db || !d.errors))
            fail_msg("allocation %u: %s", tried, err_name(err));
        geo_db_free(db);
        diag_fini(&d);
    }
    assert_true(tried > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files),    cmocka_unit_test(information),
        cmocka_unit_test(bad_files),     cmocka_unit_test(limits),
        cmocka_unit_test(truncated),     cmocka_unit_test(mutated),
        cmocka_unit_test(overwritten),   cmocka_unit_test(touched_while_read),
        cmocka_unit_test(without_memfd), cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
