/* folders: geo base */
/* wrap: malloc */
/* wrap: calloc */
/* wrap: realloc */
/* A map is compiled, or memory is short and nothing is left behind. */
#include "geo/map.h"

#include "base/diag.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static struct geo_db *db_shipped(const char *name, struct diag_list *d)
{
    char path[512];
    struct geo_db *db = NULL;
    snprintf(path, sizeof path, "%s/tests/data/mmdb/%s", WAYPOST_SOURCE_DIR, name);
    assert_int_equal(geo_db_load(&db, path, NULL, d), 0);
    return db;
}

static void test_no_memory(void **state)
{
    (void)state;
    static const struct geo_site sites[] = {{"fra", true, 50.1F, 8.7F},
                                            {"iad", true, 38.9F, -77.5F}};
    static const uint32_t weights[] = {3, 1};
    static const uint16_t both[] = {0, 1};
    static const struct geo_place here = {.continent = "EU", .country = "DE", .city = "Berlin"};
    struct prefix inside;
    assert_int_equal(prefix_parse(&inside, "81.2.69.144/28"), 0);
    const struct geo_network nets[] = {{"n", &inside, 1, &here}};
    const struct geo_rule rules[] = {
        {.prefer = GEO_PREFER_WEIGHTED,
         .match = GEO_MATCH_COUNTRY,
         .text = "GB",
         .sites = both,
         .site_count = 2,
         .weights = weights},
        {.prefer = GEO_PREFER_NEAREST},
    };
    struct diag_list d;
    diag_init(&d);
    struct geo_db *city = db_shipped("GeoLite2-City-Test.mmdb", &d),
                  *asn = db_shipped("GeoLite2-ASN-Test.mmdb", &d);
    diag_fini(&d);
    struct geo_map_config c = {.name = "m",
                               .sites = sites,
                               .site_count = 2,
                               .networks = nets,
                               .network_count = 1,
                               .rules = rules,
                               .rule_count = 2,
                               .db = city,
                               .asn_db = asn,
                               .narrowest4 = 24,
                               .narrowest6 = 48};
    unsigned failed = 0;
    struct geo_map *m = NULL;
    for (unsigned at = 1; !m; at++) {
        diag_init(&d);
        heap.calls = 0;
        heap.fail_at = at;
        int err = geo_map_compile(&m, &c, &d);
        bool was_reached = heap.calls >= at;
        heap.fail_at = 0;
        /* What is slower without memory, or only a text, may be left out. */
        if (err && (err != ERR_NOMEM || m || (!d.errors && !d.hidden)))
            fail_msg("allocation %u: %s", at, err_name(err));
        if (!err && was_reached) {
            struct addr wrong;
            assert_int_equal(geo_map_prove(m, &c, &wrong), 0);
            geo_map_free(m);
            m = NULL;
        }
        failed += err != 0;
        diag_fini(&d);
    }
    assert_true(failed > 20);
    geo_map_free(m);
    geo_db_free(asn);
    geo_db_free(city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
