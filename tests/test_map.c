/* folders: geo base */
/* Maps: what rules say of an address, how wide that holds, and that the table says the same. */
#include "geo/map.h"

#include "base/diag.h"
#include "base/err.h"
#include "geo/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- databases ---- */

static char folder[] = "/tmp/waypost-map-XXXXXX";
static unsigned files;

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct geo_db *db_of(const char *csv)
{
    char from[64], to[64];
    struct diag_list d;
    struct geo_db *db = NULL;
    snprintf(from, sizeof from, "%s/%u.csv", folder, ++files);
    snprintf(to, sizeof to, "%s/%u.mmdb", folder, files);
    FILE *f = fopen(from, "w");
    if (!f || fputs(csv, f) < 0 || fclose(f))
        fail_msg("%s cannot be written", from);
    diag_init(&d);
    if (geo_write_csv(from, to, NULL, &d) || geo_db_load(&db, to, NULL, &d)) {
        diag_print(&d, stderr, 0);
        fail_msg("no database of %s", csv);
    }
    diag_fini(&d);
    unlink(from);
    unlink(to);
    return db;
}

static struct geo_db *db_shipped(const char *name)
{
    char path[512];
    struct diag_list d;
    struct geo_db *db = NULL;
    snprintf(path, sizeof path, "%s/tests/data/mmdb/%s", WAYPOST_SOURCE_DIR, name);
    diag_init(&d);
    if (geo_db_load(&db, path, NULL, &d))
        fail_msg("%s cannot be loaded", path);
    diag_fini(&d);
    return db;
}

/* ---- maps ---- */

static void show_diag(const struct diag_list *d, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = 0;
    for (const struct diag *e = d->first; e && n < cap; e = e->next) {
        n += (size_t)diag_format(e, out + n, cap - n);
        n += (size_t)snprintf(out + (n < cap ? n : cap), n < cap ? cap - n : 0, ";");
    }
}

static struct geo_map *map_of(const char *label, const struct geo_map_config *c)
{
    char text[2000];
    struct diag_list d;
    struct geo_map *m = NULL;
    struct addr wrong;
    diag_init(&d);
    if (geo_map_compile(&m, c, &d)) {
        show_diag(&d, text, sizeof text);
        fail_msg("%s: %s", label, text);
    }
    diag_fini(&d);
    if (geo_map_prove(m, c, &wrong))
        fail_msg("%s: wrong at %s", label, addr_print(&wrong, text));
    struct geo_map_proof proof;
    if (geo_map_verify(m, c, SIZE_MAX, &proof, &wrong) || proof.left_out)
        fail_msg("%s: not verified at %s", label, addr_print(&wrong, text));
    return m;
}

/* "a b c", weights as "a:3", a "!" behind a fence. */
static const char *show_list(const struct geo_map_config *c, const struct geo_list *l, char *out,
                             size_t cap)
{
    size_t n = 0;
    out[0] = 0;
    for (unsigned i = 0; i < l->count && n < cap; i++) {
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? " " : "", c->sites[l->sites[i]].name);
        if (i < l->weighted && n < cap)
            n += (size_t)snprintf(out + n, cap - n, ":%u", l->weights[i]);
    }
    if (l->fence && n < cap)
        snprintf(out + n, cap - n, "!");
    return out;
}

struct ask {
    const char *label, *address, *want; /* NULL: the end */
    int depth;                          /* -1: any */
};

static void check_asks(const struct geo_map_config *c, const struct ask *asks)
{
    struct geo_map *m = map_of(asks->label, c);
    char got[512], direct[512];
    for (const struct ask *k = asks; k->address; k++) {
        struct addr a = addr_of(k->address);
        uint16_t sites[GEO_SITES_MAX];
        struct geo_list list;
        unsigned depth;
        show_list(c, geo_map_find(m, &a, &depth), got, sizeof got);
        geo_map_evaluate(c, &a, &list, sites);
        show_list(c, &list, direct, sizeof direct);
        if (strcmp(got, k->want) != 0 || strcmp(direct, k->want) != 0)
            fail_msg("%s: %s: \"%s\", direct \"%s\" instead of \"%s\"", k->label, k->address, got,
                     direct, k->want);
        if (k->depth >= 0 && depth != (unsigned)k->depth)
            fail_msg("%s: %s: depth %u instead of %d", k->label, k->address, depth, k->depth);
        if (geo_map_rule(m, &a) != list.rule)
            fail_msg("%s: %s: rule %d instead of %d", k->label, k->address, geo_map_rule(m, &a),
                     list.rule);
    }
    geo_map_free(m);
}

static const struct geo_site abc[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
static const uint16_t A[] = {0}, B[] = {1}, C[] = {2};

#define ANY(s)                                                   \
    {                                                            \
        .prefer = GEO_PREFER_LIST, .sites = (s), .site_count = 1 \
    }
#define BY(m, t, s)                                              \
    {                                                            \
        .match = (m), .text = (t), .sites = (s), .site_count = 1 \
    }
#define NET(n, s)                                                                \
    {                                                                            \
        .match = GEO_MATCH_NETWORK, .number = (n), .sites = (s), .site_count = 1 \
    }

/* The right column of what the peers were asked: 10/8 to a, 10.1/16 in it to b, others to c. */
static void test_scopes(void **state)
{
    (void)state;
    struct prefix ten = net_of("10.0.0.0/8"), inner = net_of("10.1.0.0/16");
    const struct geo_network nets[] = {{"ten", &ten, 1, NULL}, {"inner", &inner, 1, NULL}};
    const struct geo_rule rules[] = {NET(0, A), NET(1, B), ANY(C)};
    struct geo_map_config c = {.name = "m",
                               .sites = abc,
                               .site_count = 3,
                               .networks = nets,
                               .network_count = 2,
                               .rules = rules,
                               .rule_count = 3};
    check_asks(&c, (const struct ask[]){
                       {"around the inner one", "10.200.0.0", "a b c", 9},
                       {"beside the inner one", "10.0.255.255", "a b c", 16},
                       {"the inner one", "10.1.2.0", "b a c", 16},
                       {"default", "192.0.2.0", "c a b", 1},
                       {"default nearby", "11.0.0.0", "c a b", 8},
                       {"6to4 of a", "2002:ac8::1", "a b c", 25},
                       {"6to4 of b", "2002:a01:200::1", "b a c", 32},
                       {"Teredo of b", "2001:0:102:304:0:ffff:f5fe:fdff", "b a c", 112},
                       {"NAT64 of b", "64:ff9b::10.1.2.3", "b a c", 112},
                       {"IPv4-compatible of b", "::10.1.2.3", "b a c", 112},
                       {"translated of b", "::ffff:0:10.1.2.3", "b a c", 112},
                       {"IPv6", "2a00::1", "c a b", 5},
                       {"IPv6 far from carriers", "8000::1", "c a b", 1},
                       {0},
                   });
    struct geo_map *m = map_of("nets", &c);
    static const struct {
        const char *net, *want;
        unsigned depth;
    } rows[] = {
        {"10.200.0.0/24", "a b c", 9}, {"10.1.2.0/24", "b a c", 16}, {"192.0.2.0/24", "c a b", 1},
        {"10.0.0.0/8", "a b c", 16},   {"0.0.0.0/0", "c a b", 5},    {"2a00::/16", "c a b", 5},
        {"2002::/16", "c a b", 21},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[64];
        unsigned depth;
        struct prefix p = net_of(rows[i].net);
        show_list(&c, geo_map_find_net(m, &p, &depth), got, sizeof got);
        if (strcmp(got, rows[i].want) != 0 || depth != rows[i].depth)
            fail_msg("%s: %s, %u instead of %s, %u", rows[i].net, got, depth, rows[i].want,
                     rows[i].depth);
    }
    struct addr a = addr_of("10.1.0.1"), b = addr_of("11.0.0.1");
    assert_string_equal(geo_map_network(m, &a), "inner");
    assert_null(geo_map_network(m, &b));
    assert_null(geo_map_place(m, &a));
    struct geo_map_info info = geo_map_info(m);
    assert_int_equal(info.lists, 3);
    assert_int_equal(info.merged, 0);
    assert_int_equal(info.leaves4, 17); /* b, 8 of a, 8 of c */
    assert_true(info.bytes > 0);
    geo_map_free(m);
}

/* An answer that looks at no client, or looks and always says the same. */
static void test_constant(void **state)
{
    (void)state;
    struct prefix ten = net_of("10.0.0.0/8");
    const struct geo_network nets[] = {{"ten", &ten, 1, NULL}};
    const struct geo_rule same[] = {NET(0, A), ANY(A)};
    struct geo_map_config c = {.name = "m", .sites = abc, .site_count = 3};
    check_asks(
        &c, (const struct ask[]){{"no rule", "10.0.0.1", "", 0}, {"no rule", "::1", "", 0}, {0}});
    c.rules = same + 1;
    c.rule_count = 1;
    c.networks = nets;
    c.network_count = 1;
    const struct ask asks[] = {
        {"constant", "10.0.0.1", "a b c", 0},    {"constant", "192.0.2.1", "a b c", 0},
        {"constant", "2002:a00::1", "a b c", 0}, {"constant", "64:ff9b::1", "a b c", 0},
        {"constant", "2a00::1", "a b c", 0},     {0}};
    check_asks(&c, asks);
    c.rules = same;
    c.rule_count = 2; /* another rule, the same list */
    struct geo_map *m = map_of("rules", &c);
    struct addr a = addr_of("10.0.0.1"), b = addr_of("11.0.0.1");
    assert_int_equal(geo_map_rule(m, &a), 0);
    assert_int_equal(geo_map_rule(m, &b), 1);
    assert_ptr_equal(geo_map_find(m, &a, NULL), geo_map_find(m, &b, NULL));
    assert_int_equal(geo_map_find(m, &b, NULL)->rule, 0);
    geo_map_free(m);
    check_asks(&c, asks);
}

/* All of IPv4 alike, IPv6 not: the carriers are as wide as what is around them allows. */
static void test_constant_ipv4(void **state)
{
    (void)state;
    struct prefix six = net_of("2a00::/16");
    const struct geo_network nets[] = {{"six", &six, 1, NULL}};
    const struct geo_rule rules[] = {NET(0, B), ANY(A)};
    struct geo_map_config c = {.name = "m",
                               .sites = abc,
                               .site_count = 3,
                               .networks = nets,
                               .network_count = 1,
                               .rules = rules,
                               .rule_count = 2};
    check_asks(&c, (const struct ask[]){{"IPv4", "10.0.0.1", "a b c", 0},
                                        {"6to4", "2002:a00::1", "a b c", 5},
                                        {"6to4 and around", "3000::1", "a b c", 4},
                                        {"NAT64", "64:ff9b::1", "a b c", 3},
                                        {"the one network", "2a00::1", "b a c", 16},
                                        {0}});
}

static const char places[] =
    "network,continent,country,subdivision,city,asn,latitude,longitude,radius\n"
    "20.0.0.0/8,EU,FR,IDF/75,Paris,64500,48.8566,2.3522,\n"
    "21.0.0.0/8,EU,DE,HE,Frankfurt,64501,50.1109,8.6821,\n"
    "22.0.0.0/8,NA,US,CA,San Francisco,64502,37.7749,-122.4194,\n"
    "23.0.0.0/8,NA,US,VA,Paris,64503,38.9,-77.5,\n"
    "24.0.0.0/8,,,,,64504,,,\n"
    "25.0.0.0/8,EU,BE,BRU,Brussels,,50.8503,4.3517,200\n"
    "2a00::/16,EU,FR,IDF/75,Paris,64500,48.8566,2.3522,\n";

static void test_matches(void **state)
{
    (void)state;
    struct geo_db *db = db_of(places);
    static const struct {
        const char *label;
        struct geo_rule rule;
        const char *in[4], *out[4];
    } rows[] = {
        {"any", ANY(A), {"20.0.0.1", "::2", "99.0.0.1"}, {0}},
        {"continent",
         BY(GEO_MATCH_CONTINENT, "eu", A),
         {"20.0.0.1", "21.0.0.1", "2a00::1"},
         {"22.0.0.1", "24.0.0.1", "99.0.0.1"}},
        {"country",
         BY(GEO_MATCH_COUNTRY, "Us", A),
         {"22.0.0.1", "23.0.0.1"},
         {"20.0.0.1", "24.0.0.1"}},
        {"subdivision, first level",
         BY(GEO_MATCH_SUBDIVISION, "FR/IDF", A),
         {"20.0.0.1", "2a00::1"},
         {"21.0.0.1", "22.0.0.1"}},
        {"subdivision, second level",
         BY(GEO_MATCH_SUBDIVISION, "fr/75", A),
         {"20.0.0.1"},
         {"21.0.0.1"}},
        {"subdivision of one country",
         BY(GEO_MATCH_SUBDIVISION, "US/CA", A),
         {"22.0.0.1"},
         {"23.0.0.1", "21.0.0.1"}},
        {"city of one country",
         BY(GEO_MATCH_CITY, "FR/paris", A),
         {"20.0.0.1"},
         {"23.0.0.1", "21.0.0.1"}},
        {"city with a space",
         BY(GEO_MATCH_CITY, "us/San Francisco", A),
         {"22.0.0.1"},
         {"23.0.0.1", "21.0.0.1"}},
        {"AS",
         {.match = GEO_MATCH_ASN, .number = 64504, .sites = A, .site_count = 1},
         {"24.0.0.1"},
         {"23.0.0.1", "25.0.0.1", "99.0.0.1"}},
        {"unknown",
         BY(GEO_MATCH_UNKNOWN, NULL, A),
         {"24.0.0.1", "99.0.0.1", "3000::1"},
         {"20.0.0.1", "25.0.0.1", "2a00::1"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct geo_rule rules[] = {rows[i].rule, ANY(B)};
        struct geo_map_config c = {
            .name = "m", .sites = abc, .site_count = 3, .rules = rules, .rule_count = 2, .db = db};
        struct ask asks[9] = {{0}};
        unsigned n = 0;
        for (unsigned k = 0; k < 4 && rows[i].in[k]; k++)
            asks[n++] = (struct ask){rows[i].label, rows[i].in[k], "a b c", -1};
        for (unsigned k = 0; k < 4 && rows[i].out[k]; k++)
            asks[n++] = (struct ask){rows[i].label, rows[i].out[k], "b a c", -1};
        check_asks(&c, asks);
    }
    geo_db_free(db);
}

static const struct geo_site cities[] = {
    {"fra", true, 50.1109F, 8.6821F},
    {"iad", true, 38.9445F, -77.4558F},
    {"par", true, 48.8566F, 2.3522F},
    {"syd", true, -33.8688F, 151.2093F},
    {"dark", false, 0, 0},
    {"nrt", true, 35.7720F, 140.3929F},
};

static const uint16_t some[] = {3, 0}, nosite_first[] = {4, 1, 2};
static const uint32_t weights[] = {30, 70}, light[] = {0, 5, 1};
static const struct {
    const char *label, *address, *want;
    struct geo_rule rule;
    unsigned limit;
} list_rows[] = {
    {"as written, then the rest",
     "20.0.0.1",
     "syd fra iad par dark nrt",
     {.sites = some, .site_count = 2},
     0},
    {"fence", "20.0.0.1", "syd fra!", {.sites = some, .site_count = 2, .fence = true}, 0},
    {"the map's limit", "20.0.0.1", "syd fra iad", {.sites = some, .site_count = 2}, 3},
    {"the rule's limit", "20.0.0.1", "syd", {.sites = some, .site_count = 2, .limit = 1}, 3},
    {"the rule's wider limit",
     "20.0.0.1",
     "syd fra iad par",
     {.sites = some, .site_count = 2, .limit = 4},
     3},
    {"a fence and a limit beyond",
     "20.0.0.1",
     "syd fra!",
     {.sites = some, .site_count = 2, .fence = true, .limit = 5},
     0},
    {"nearest to Paris", "20.0.0.1", "par fra iad nrt syd dark", {.prefer = GEO_PREFER_NEAREST}, 0},
    {"nearest to Paris over IPv6",
     "2a00::1",
     "par fra iad nrt syd dark",
     {.prefer = GEO_PREFER_NEAREST},
     0},
    {"nearest to San Francisco",
     "22.0.0.1",
     "iad nrt par fra syd dark",
     {.prefer = GEO_PREFER_NEAREST},
     0},
    {"nearest, 264 and 317 km, radius 200: a tie",
     "25.0.0.1",
     "fra par iad nrt syd dark",
     {.prefer = GEO_PREFER_NEAREST},
     0},
    {"nearest three", "20.0.0.1", "par fra iad", {.prefer = GEO_PREFER_NEAREST}, 3},
    {"nearest of some, then the rest",
     "20.0.0.1",
     "fra syd iad par dark nrt",
     {.prefer = GEO_PREFER_NEAREST, .sites = some, .site_count = 2},
     0},
    {"nearest of some, with one without position",
     "20.0.0.1",
     "par iad dark!",
     {.prefer = GEO_PREFER_NEAREST, .sites = nosite_first, .site_count = 3, .fence = true},
     0},
    {"nearest to nowhere",
     "99.0.0.1",
     "fra iad par syd dark nrt",
     {.prefer = GEO_PREFER_NEAREST},
     0},
    {"nearest of some to nowhere",
     "24.0.0.1",
     "dark iad par!",
     {.prefer = GEO_PREFER_NEAREST, .sites = nosite_first, .site_count = 3, .fence = true},
     0},
    {"weights",
     "20.0.0.1",
     "syd:30 fra:70 iad par dark nrt",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = some, .site_count = 2, .weights = weights},
     0},
    {"weights, a fence",
     "20.0.0.1",
     "syd:30 fra:70!",
     {.prefer = GEO_PREFER_WEIGHTED,
      .sites = some,
      .site_count = 2,
      .weights = weights,
      .fence = true},
     0},
    {"a limit cuts no weighted site",
     "20.0.0.1",
     "syd:30 fra:70",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = some, .site_count = 2, .weights = weights},
     1},
    {"a weight of 0",
     "20.0.0.1",
     "dark:0 iad:5 par:1 fra",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = nosite_first, .site_count = 3, .weights = light},
     4},
};

static void test_lists(void **state)
{
    (void)state;
    struct geo_db *db = db_of(places);
    for (size_t i = 0; i < sizeof list_rows / sizeof *list_rows; i++) {
        struct geo_map_config c = {.name = "m",
                                   .sites = cities,
                                   .site_count = 6,
                                   .rules = &list_rows[i].rule,
                                   .rule_count = 1,
                                   .limit = list_rows[i].limit,
                                   .db = db};
        check_asks(&c, (const struct ask[]){
                           {list_rows[i].label, list_rows[i].address, list_rows[i].want, -1}, {0}});
    }
    geo_db_free(db);
}

/* What is known of whom, from where. */
static void test_sources(void **state)
{
    (void)state;
    struct geo_db *city = db_shipped("GeoLite2-City-Test.mmdb");
    struct geo_db *asn = db_shipped("GeoLite2-ASN-Test.mmdb");
    struct geo_db *mine = db_of("network,country,city,asn,organisation\n"
                                "1.128.0.0/12,AU,Sydney,64999,Mine\n"
                                "1.144.0.0/12,AU,Melbourne,,\n"
                                "10.0.0.0/8,DE,Berlin,,\n");
    struct prefix office = net_of("10.9.0.0/16"), telstra = net_of("1.159.0.0/16"),
                  plain = net_of("10.8.0.0/16");
    const struct geo_place place = {
        .continent = "EU", .country = "FR", .city = "Lyon", .organisation = ""};
    const struct geo_network nets[] = {{"office", &office, 1, &place},
                                       {"telstra", &telstra, 1, &place},
                                       {"plain", &plain, 1, NULL}};
    static const struct {
        const char *address, *country, *city, *organisation, *network;
        uint32_t asn;
        bool both, with_city; /* databases: mine and asn, or the shipped one of cities alone */
    } rows[] = {
        {"1.128.0.1", "AU", "Sydney", "Mine", NULL, 64999, true, false},
        {"1.144.0.1", "AU", "Melbourne", "Telstra Pty Ltd", NULL, 1221, true, false},
        {"1.144.0.1", "AU", "Melbourne", "", NULL, 0, false, false},
        {"1.159.0.1", "FR", "Lyon", "Telstra Pty Ltd", "telstra", 1221, true, false},
        {"10.9.0.1", "FR", "Lyon", "", "office", 0, true, false},
        {"10.8.0.1", "DE", "Berlin", "", "plain", 0, true, false},
        {"2002:a09::1", "FR", "Lyon", "", "office", 0, true, false},
        {"10.10.0.1", "DE", "Berlin", "", NULL, 0, true, false},
        {"81.2.69.160", "GB", "London", "", NULL, 0, false, true},
        {"81.2.69.160", NULL, NULL, NULL, NULL, 0, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct geo_map_config c = {.name = "m",
                                   .sites = abc,
                                   .site_count = 3,
                                   .networks = nets,
                                   .network_count = 3,
                                   .db = rows[i].with_city ? city : mine,
                                   .asn_db = rows[i].both ? asn : NULL};
        struct geo_map *m = map_of("sources", &c);
        struct addr a = addr_of(rows[i].address);
        const struct geo_place *p = geo_map_place(m, &a);
        const char *net = geo_map_network(m, &a);
        if (!p != !rows[i].country || !net != !rows[i].network ||
            (net && strcmp(net, rows[i].network) != 0) ||
            (p && (strcmp(p->country, rows[i].country) != 0 || strcmp(p->city, rows[i].city) != 0 ||
                   strcmp(p->organisation, rows[i].organisation) != 0 || p->asn != rows[i].asn)))
            fail_msg("%zu %s: %s %s %s %u in %s", i, rows[i].address, p ? p->country : "-",
                     p ? p->city : "-", p ? p->organisation : "-", p ? p->asn : 0, net);
        geo_map_free(m);
    }
    /* A database of AS alone as the first: the second knows where. */
    const struct geo_rule rules[] = {
        {.match = GEO_MATCH_ASN, .number = 1221, .sites = A, .site_count = 1},
        BY(GEO_MATCH_COUNTRY, "DE", B),
        ANY(C)};
    struct geo_map_config c = {.name = "m",
                               .sites = abc,
                               .site_count = 3,
                               .rules = rules,
                               .rule_count = 3,
                               .db = asn,
                               .asn_db = mine};
    const struct ask asks[] = {{"AS", "1.144.0.1", "a b c", -1},
                               {"AS, both know one", "1.128.0.1", "a b c", -1},
                               {"where, of the second", "10.0.0.1", "b a c", -1},
                               {"neither", "99.0.0.1", "c a b", -1},
                               {0}};
    check_asks(&c, asks);
    struct geo_map *m = map_of("turned", &c);
    struct addr a = addr_of("1.128.0.1");
    assert_string_equal(geo_map_place(m, &a)->city, "Sydney");
    assert_int_equal(geo_map_place(m, &a)->asn, 1221);
    geo_map_free(m);
    geo_db_free(mine);
    geo_db_free(asn);
    geo_db_free(city);
}

static void test_narrowest(void **state)
{
    (void)state;
    const struct prefix one[] = {net_of("10.1.1.1/32"),     net_of("10.1.2.0/25"),
                                 net_of("10.2.0.0/16"),     net_of("10.1.3.128/25"),
                                 net_of("2a00:1:2:3::/64"), net_of("2a00:1:3::/64"),
                                 net_of("2a00:2::/32")};
    const struct geo_network nets[] = {{"one", one, 7, NULL}};
    const struct geo_rule rules[] = {NET(0, B), ANY(A)};
    struct geo_map_config c = {.name = "m",
                               .sites = abc,
                               .site_count = 3,
                               .networks = nets,
                               .network_count = 1,
                               .rules = rules,
                               .rule_count = 2,
                               .narrowest4 = 24,
                               .narrowest6 = 48};
    check_asks(&c, (const struct ask[]){
                       {"an address that is no base", "10.1.1.1", "a b c", 23},
                       {"a half that has the base", "10.1.2.127", "b a c", 24},
                       {"the half that has not", "10.1.2.128", "b a c", 24},
                       {"a half without the base", "10.1.3.200", "a b c", 24},
                       {"wide enough", "10.2.3.4", "b a c", 16},
                       {"without the base, IPv6", "2a00:1:2:3::1", "a b c", 48},
                       {"with the base, IPv6", "2a00:1:3:9::1", "b a c", 48},
                       {"wide enough, IPv6", "2a00:2::1", "b a c", 32},
                       {"a carrier counts in IPv4", "64:ff9b::10.1.2.128", "b a c", 120},
                       {0},
                   });
    struct geo_map *m = map_of("narrowest", &c);
    /* 10.1.1.0/24; 10.1.2.0/24; 10.1.3.0/24; the two /48. */
    assert_int_equal(geo_map_info(m).merged, 9 + 2 + 2 + 17 + 17);
    geo_map_free(m);
    c.narrowest4 = 0;
    c.narrowest6 = 0;
    check_asks(&c, (const struct ask[]){{"no bound", "10.1.1.1", "b a c", 32},
                                        {"no bound", "2a00:1:2:3::1", "b a c", 64},
                                        {0}});
    /* The IPv6 tree ends a leaf at ::ffff:0:0/96, of which nothing comes into the IPv4 one. */
    const struct prefix all4[] = {net_of("0.0.0.0/0")},
                        beside[] = {net_of("::fffe:0:0/96"), net_of("2a00::/124")};
    const struct geo_network both[] = {{"all4", all4, 1, NULL}, {"beside", beside, 2, NULL}};
    const struct geo_rule three[] = {NET(0, C), NET(1, B), ANY(A)};
    c.networks = both;
    c.network_count = 2;
    c.rules = three;
    c.rule_count = 3;
    c.narrowest6 = 112;
    check_asks(&c, (const struct ask[]){{"all of IPv4", "10.1.1.1", "c a b", 0},
                                        {"beside the carriers", "::fffe:0:1", "b a c", 96},
                                        {"with the base", "2a00::ff", "b a c", 112},
                                        {"others", "2a01::", "a b c", 16},
                                        {0}});
}

/* ---- what is said of wrong and odd ones ---- */

static const uint16_t twice[] = {1, 1}, unknown[] = {7}, dark[] = {4};
static const uint32_t none[] = {0}, large[] = {UINT32_MAX, 1};
static const uint16_t two[] = {0, 1};
static const struct {
    const char *label;
    struct geo_rule rule;
    int err;
    const char *want;
} rule_rows[] = {
    {"right", ANY(A), 0, ""},
    {"no site", {.prefer = GEO_PREFER_LIST}, ERR_INVALID, "rule 1: it has no site"},
    {"unknown site", ANY(unknown), ERR_INVALID, "rule 1: there is no site of number 7"},
    {"site twice", {.sites = twice, .site_count = 2}, ERR_INVALID, "site iad is there twice"},
    {"no sum",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = A, .site_count = 1, .weights = none},
     ERR_INVALID,
     "its weights have no sum"},
    {"no weights",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = A, .site_count = 1},
     ERR_INVALID,
     "its weights have no sum"},
    {"too heavy",
     {.prefer = GEO_PREFER_WEIGHTED, .sites = two, .site_count = 2, .weights = large},
     ERR_INVALID,
     "the sum of its weights is above 4294967295"},
    {"nearest without positions",
     {.prefer = GEO_PREFER_NEAREST, .sites = dark, .site_count = 1},
     ERR_INVALID,
     "none of its sites has a position"},
    {"unknown network", NET(3, A), ERR_INVALID, "there is no operator network of number 3"},
    {"continent", BY(GEO_MATCH_CONTINENT, "XX", A), ERR_INVALID, "\"XX\" is not a continent"},
    {"country", BY(GEO_MATCH_COUNTRY, "Germany", A), ERR_INVALID, "\"Germany\" is not a country"},
    {"no text", BY(GEO_MATCH_COUNTRY, NULL, A), ERR_INVALID, "\"\" is not a country"},
    {"subdivision", BY(GEO_MATCH_SUBDIVISION, "CA", A), ERR_INVALID, "\"CA\" is not a subdivision"},
    {"city", BY(GEO_MATCH_CITY, "Paris", A), ERR_INVALID, "\"Paris\" is not a city"},
    {"AS", {.match = GEO_MATCH_ASN, .sites = A, .site_count = 1}, ERR_INVALID, "RFC 7607"},
    {"country that is nowhere", BY(GEO_MATCH_COUNTRY, "JP", A), 0,
     "warning: map m: rule 1: no place is \"JP\""},
    {"AS that is nowhere",
     {.match = GEO_MATCH_ASN, .number = 7, .sites = A, .site_count = 1},
     0,
     "warning: map m: rule 1: no place has AS7"},
    {"somebody is not matched", BY(GEO_MATCH_COUNTRY, "DE", A), 0,
     "warning: map m: clients that no rule matches get no site"},
};

static void test_diagnostics(void **state)
{
    (void)state;
    struct geo_db *db = db_of(places);
    const struct prefix ten = net_of("10.0.0.0/8"), form = net_of("2002:a00::/24");
    const struct geo_network same[] = {{"x", &ten, 1, NULL}, {"y", &ten, 1, NULL}},
                             carrier[] = {{"x", &form, 1, NULL}};
    static const struct geo_site lost[] = {{"lost", true, 91, 0}};
    const struct geo_rule shadowed[] = {ANY(A), BY(GEO_MATCH_COUNTRY, "DE", B)};
    const struct {
        const char *label;
        struct geo_map_config c;
        int err;
        const char *want;
    } maps[] = {
        {"shadowed",
         {.sites = abc, .site_count = 3, .rules = shadowed, .rule_count = 2, .db = db},
         0,
         "warning: map m: rule 2: no client reaches it"},
        {"network twice",
         {.networks = same, .network_count = 2},
         ERR_INVALID,
         "error: map m: 10.0.0.0/8 is in network x and in network y"},
        {"carrier",
         {.networks = carrier, .network_count = 1},
         ERR_INVALID,
         "network x: addresses in 2002:a00::/24 stand for IPv4 ones"},
        {"narrowest", {.narrowest4 = 33}, ERR_INVALID, "narrowest is at most 32"},
        {"off the globe", {.sites = lost, .site_count = 1}, ERR_INVALID, "lost lies off the globe"},
        {"too many sites", {.sites = abc, .site_count = 257}, ERR_LIMIT, "257 sites, at most 256"},
    };
    size_t n = sizeof rule_rows / sizeof *rule_rows;
    for (size_t i = 0; i < n + sizeof maps / sizeof *maps; i++) {
        struct geo_map_config c = {.sites = cities, .site_count = 6, .rule_count = 1, .db = db};
        if (i < n)
            c.rules = &rule_rows[i].rule;
        else
            c = maps[i - n].c;
        c.name = "m";
        const char *want = i < n ? rule_rows[i].want : maps[i - n].want;
        int want_err = i < n ? rule_rows[i].err : maps[i - n].err;
        char text[2000];
        struct diag_list d;
        struct geo_map *m = NULL;
        diag_init(&d);
        int err = geo_map_compile(&m, &c, &d);
        show_diag(&d, text, sizeof text);
        if (err != want_err || !m != (err != 0) || (err != 0) != (d.errors > 0) ||
            !strstr(text, want) || (!*want && *text))
            fail_msg("%s: %s: %s", i < n ? rule_rows[i].label : maps[i - n].label, err_name(err),
                     text);
        diag_fini(&d);
        geo_map_free(m);
    }
    geo_db_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_constant_ipv4), cmocka_unit_test(test_matches),
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_sources),
        cmocka_unit_test(test_narrowest),     cmocka_unit_test(test_diagnostics),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
