/* folders: geo base */
/* Tables that are not what the rules say are noticed, where; and what another table does to clients
 * is counted. */
#include "geo/map.h"

#include "../geo/map_priv.h"

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

static struct prefix net_of(const char *text)
{
    struct prefix p;
    if (prefix_parse(&p, text))
        fail_msg("%s is no network", text);
    return p;
}

static const struct geo_site abc[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
static const uint16_t A[] = {0}, B[] = {1}, C[] = {2};
#define ANY(s)                        \
    {                                 \
        .sites = (s), .site_count = 1 \
    }
#define COUNTRY(t, s)                                                          \
    {                                                                          \
        .match = GEO_MATCH_COUNTRY, .text = (t), .sites = (s), .site_count = 1 \
    }
#define NET(n, s)                                                                \
    {                                                                            \
        .match = GEO_MATCH_NETWORK, .number = (n), .sites = (s), .site_count = 1 \
    }

static const struct geo_place fr = {.country = "FR", .city = "", .organisation = ""},
                              de = {.country = "DE", .city = "", .organisation = ""};

static struct geo_map *map_of(const char *label, const struct geo_map_config *c)
{
    struct diag_list d;
    struct geo_map *m = NULL;
    struct geo_map_proof proof;
    struct addr wrong;
    diag_init(&d);
    if (geo_map_compile(&m, c, &d) || geo_map_verify(m, c, SIZE_MAX, &proof, &wrong)) {
        diag_print(&d, stderr, 0);
        fail_msg("%s: no map", label);
    }
    diag_fini(&d);
    return m;
}

/* ---- proof ---- */

static uint32_t other_list(void *arg, uint32_t list, uint32_t mark)
{
    return mark ? *(uint32_t *)arg : list;
}

static void check_noticed(const char *label, int err, const struct addr *wrong, const char *want)
{
    struct addr a = addr_of(want);
    char text[ADDR_TEXT_MAX];
    if (err != ERR_MISMATCH)
        fail_msg("%s: not noticed", label);
    if (!addr_same_ip(wrong, &a))
        fail_msg("%s: %s instead of %s", label, addr_print(wrong, text), want);
}

/* A table with another list somewhere: noticed, and where. */
static void test_proof(void **state)
{
    (void)state;
    struct prefix nets_of[] = {net_of("10.0.0.0/8"), net_of("20.0.0.0/8"), net_of("20.1.0.0/16")};
    const struct geo_network nets[] = {
        {"ten", &nets_of[0], 1, NULL}, {"fr", &nets_of[1], 1, &fr}, {"de", &nets_of[2], 1, &de}};
    const struct geo_rule rules[] = {NET(0, A), COUNTRY("FR", B), ANY(C)};
    struct geo_map_config c = {.name = "m",
                               .sites = abc,
                               .site_count = 3,
                               .networks = nets,
                               .network_count = 3,
                               .rules = rules,
                               .rule_count = 3};
    static const struct {
        const char *label, *net, *as, *wrong;
    } rows[] = {
        {"in the default", "99.1.0.0/16", "10.0.0.1", "99.1.0.0"},
        {"an operator network is lost", "10.0.0.0/8", "99.0.0.1", "10.0.0.0"},
        {"half of one", "10.128.0.0/9", "99.0.0.1", "10.128.0.0"},
        {"what lies inside is lost", "20.1.0.0/16", "20.0.0.1", "20.1.0.0"},
        {"too wide by one address", "20.0.255.255/32", "99.0.0.1", "20.0.255.255"},
        {"no list", "99.1.0.0/16", NULL, "99.1.0.0"},
        {"IPv6", "2a00::/16", "10.0.0.1", "2a00::"},
        {"equal neighbours that are not one", "99.1.0.0/16", "twin of 99.1.0.0", "99.0.0.0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_map *m = map_of(rows[i].label, &c);
        bool twin = rows[i].as && !strncmp(rows[i].as, "twin", 4);
        struct addr a = addr_of(twin || !rows[i].as ? "99.1.0.0" : rows[i].as), wrong;
        uint32_t list = rows[i].as ? prefixes_find(m->table, &a, NULL) : 0;
        if (twin) {
            struct geo_list *more = malloc((m->list_count + 1) * sizeof *more);
            assert_non_null(more);
            memcpy(more, m->lists, m->list_count * sizeof *more);
            more[m->list_count] = more[list];
            free(m->lists);
            m->lists = more;
            list = m->list_count++;
        }
        struct prefix p = net_of(rows[i].net);
        struct prefixes_build *b;
        struct prefixes *mark, *spoilt;
        assert_int_equal(prefixes_begin(&b), 0);
        assert_int_equal(prefixes_put(b, &p, 1), 0);
        assert_int_equal(prefixes_finish(b, NULL, 0, &mark), 0);
        assert_int_equal(prefixes_join(m->table, mark, other_list, &list, &spoilt), 0);
        prefixes_free(mark);
        prefixes_free(m->table);
        m->table = spoilt;
        struct geo_map_proof proof;
        check_noticed(rows[i].label, geo_map_prove(m, &c, &wrong), &wrong, rows[i].wrong);
        check_noticed(rows[i].label, geo_map_verify(m, &c, SIZE_MAX, &proof, &wrong), &wrong,
                      rows[i].wrong);
        if (!geo_map_verify(m, &c, 0, &proof, &wrong) && !proof.left_out)
            fail_msg("%s: nothing was left out", rows[i].label);
        geo_map_free(m);
    }
}

/* ---- what other tables do to clients ---- */

static void test_compare(void **state)
{
    (void)state;
    struct prefix nets_of[] = {net_of("20.0.0.0/8"), net_of("20.1.0.0/16")};
    const struct geo_network nets[] = {{"fr", &nets_of[0], 1, &fr}, {"de", &nets_of[1], 1, &de}};
    static const uint16_t ab[] = {0, 1}, ba[] = {1, 0};
    static const uint32_t three_one[] = {3, 1}, one_three[] = {1, 3};
    enum { ALL_FR, ALL_B, ALL_AB, ALL_BA, W31, W13, NO_RULE };
    const struct geo_rule rules[][2] = {
        [ALL_FR] = {COUNTRY("FR", B), ANY(C)},
        [ALL_B] = {COUNTRY("FR", B), ANY(B)},
        [ALL_AB] = {{.sites = ab, .site_count = 2}},
        [ALL_BA] = {{.sites = ba, .site_count = 2}},
        [W31] =
            {{.sites = ab, .weights = three_one, .site_count = 2, .prefer = GEO_PREFER_WEIGHTED}},
        [W13] =
            {{.sites = ab, .weights = one_three, .site_count = 2, .prefer = GEO_PREFER_WEIGHTED}},
    };
    static const uint16_t same[] = {0, 1, 2}, swapped[] = {1, 0, 2}, gone[] = {0, UINT16_MAX, 2};
    const struct {
        const char *label;
        unsigned before, nets_before, now, nets_now;
        const uint16_t *site_now;
        struct geo_map_change want;
    } rows[] = {
        {"nothing", ALL_FR, 1, ALL_FR, 1, same, {0, 0, 0}},
        {"another network", ALL_FR, 1, ALL_FR, 2, same, {1, 0, 65536}},
        {"and back", ALL_FR, 2, ALL_FR, 1, same, {1, 0, 65536}},
        {"the others", ALL_FR, 1, ALL_B, 1, same, {8, 253, 0xff000000}},
        {"only the second site", ALL_AB, 1, ALL_AB, 1, same, {0, 0, 0}},
        {"another order", ALL_AB, 1, ALL_BA, 1, same, {1, 1, 1ULL << 32}},
        {"sites in another order", ALL_AB, 1, ALL_BA, 1, swapped, {0, 0, 0}},
        {"a site that is gone", ALL_FR, 1, ALL_FR, 1, gone, {1, 0, 1 << 24}},
        {"weights", W31, 1, W13, 1, same, {1, 1, 1ULL << 32}},
        {"the same weights", W31, 1, W31, 1, same, {0, 0, 0}},
        {"weights and none", W31, 1, ALL_AB, 1, same, {1, 1, 1ULL << 32}},
        {"no list any more", ALL_AB, 1, NO_RULE, 1, same, {1, 1, 1ULL << 32}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_map *m[2];
        struct geo_map_change got;
        for (unsigned k = 0; k < 2; k++) {
            unsigned which = k ? rows[i].now : rows[i].before;
            struct geo_map_config c = {.name = "m",
                                       .sites = abc,
                                       .site_count = 3,
                                       .rules = rules[which < NO_RULE ? which : 0],
                                       .rule_count = which == NO_RULE ? 0
                                                     : which < ALL_AB ? 2
                                                                      : 1,
                                       .networks = nets,
                                       .network_count = k ? rows[i].nets_now : rows[i].nets_before};
            m[k] = map_of(rows[i].label, &c);
        }
        assert_int_equal(geo_map_compare(m[0], m[1], rows[i].site_now, &got), 0);
        if (memcmp(&got, &rows[i].want, sizeof got) != 0)
            fail_msg("%s: %zu and %zu networks, %llu addresses", rows[i].label, got.networks4,
                     got.networks6, (unsigned long long)got.addresses4);
        geo_map_free(m[0]);
        geo_map_free(m[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_proof),
                                       cmocka_unit_test(test_compare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
