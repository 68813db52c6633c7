/* folders: geo base */
/* Parts: how large they are, which networks speak for them, and in which an address lies. */
#include "geo/parts.h"

#include "base/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct geo_site sites[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};

struct side {
    const char *net[2];
    uint16_t site[3]; /* of each network, then of all others */
};

static struct geo_map *map_of(const struct side *s)
{
    struct prefix prefixes[2];
    struct geo_network nets[2];
    struct geo_rule rules[3];
    struct diag_list d;
    struct geo_map *m = NULL;
    unsigned n = 0;
    for (; n < 2 && s->net[n]; n++) {
        assert_int_equal(prefix_parse(&prefixes[n], s->net[n]), 0);
        nets[n] = (struct geo_network){s->net[n], &prefixes[n], 1, NULL};
        rules[n] = (struct geo_rule){
            .match = GEO_MATCH_NETWORK, .number = n, .sites = &s->site[n], .site_count = 1};
    }
    rules[n] = (struct geo_rule){.match = GEO_MATCH_ANY, .sites = &s->site[n], .site_count = 1};
    struct geo_map_config c = {.name = "m",
                               .sites = sites,
                               .site_count = 3,
                               .networks = nets,
                               .network_count = n,
                               .rules = rules,
                               .rule_count = n + 1,
                               .limit = 1};
    diag_init(&d);
    if (geo_map_compile(&m, &c, &d))
        diag_print(&d, stderr, 0);
    assert_non_null(m);
    assert_string_equal(geo_map_rule_text(m, (int)n), "any");
    assert_string_equal(geo_map_rule_text(m, -1), "");
    assert_null(geo_map_db(m));
    diag_fini(&d);
    return m;
}

#define ALL6 340282366920938463463374607431768211456.0

static const struct row {
    const char *label;
    struct side sides[2];
    unsigned maps;
    const char *address; /* in the part that is looked at */
    double v4, v6;
    bool known;
    const char *widest; /* sample; NULL: of no family */
} rows[] = {
    {"no map: everything", {{{NULL}, {0}}}, 0, "192.0.2.1", 4294967296.0, ALL6, true, "0.0.0.0/0"},
    {"a map that asks for no network",
     {{{NULL}, {1}}},
     1,
     "2001:db8::1",
     4294967296.0,
     ALL6,
     true,
     "0.0.0.0/0"},
    {"outside",
     {{{"10.0.0.0/8", "10.1.0.0/16"}, {0, 1, 2}}},
     1,
     "192.0.2.1",
     4278190080.0,
     -1,
     false,
     "128.0.0.0/1"},
    {"around another",
     {{{"10.0.0.0/8", "10.1.0.0/16"}, {0, 1, 2}}},
     1,
     "10.2.0.1",
     16711680.0,
     0,
     true,
     "10.128.0.0/9"},
    {"inside",
     {{{"10.0.0.0/8", "10.1.0.0/16"}, {0, 1, 2}}},
     1,
     "10.1.0.1",
     65536,
     0,
     true,
     "10.1.0.0/16"},
    {"IPv6 that carries it",
     {{{"10.0.0.0/8", "10.1.0.0/16"}, {0, 1, 2}}},
     1,
     "64:ff9b::a01:1",
     65536,
     0,
     true,
     "10.1.0.0/16"},
    {"two maps, one of them cut",
     {{{"10.1.0.0/16"}, {0, 2}}, {{"10.1.128.0/17"}, {1, 0}}},
     2,
     "10.1.0.1",
     32768,
     0,
     true,
     "10.1.0.0/17"},
    {"two maps, both say something",
     {{{"10.1.0.0/16"}, {0, 2}}, {{"10.1.128.0/17"}, {1, 0}}},
     2,
     "10.1.200.1",
     32768,
     0,
     true,
     "10.1.128.0/17"},
    {"only the second knows it",
     {{{"10.1.0.0/16"}, {0, 2}}, {{"2001:db8::/32"}, {1, 0}}},
     2,
     "2001:db8::7",
     0,
     79228162514264337593543950336.0,
     true,
     "2001:db8::/32"},
};

static void row_holds(const struct row *r)
{
    struct geo_map *maps[2] = {NULL, NULL};
    struct geo_parts *parts;
    struct addr a;
    char text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < r->maps; i++)
        maps[i] = map_of(&r->sides[i]);
    assert_int_equal(geo_parts_new(&parts, (const struct geo_map *const *)maps, r->maps), 0);
    assert_int_equal(addr_parse(&a, r->address, 0), 0);
    unsigned index = geo_parts_find(parts, &a);
    assert_true(index < geo_parts_count(parts));
    const struct geo_part *p = geo_parts_at(parts, index);
    unsigned family = p->samples[GEO_PART_IPV4] ? GEO_PART_IPV4 : GEO_PART_IPV6;
    double v4 = p->addresses[GEO_PART_IPV4], v6 = p->addresses[GEO_PART_IPV6];
    if (v4 < r->v4 || v4 > r->v4 || (r->v6 >= 0 && (v6 < r->v6 || v6 > r->v6)))
        fail_msg("%s: %.0f IPv4 and %.0f IPv6 addresses", r->label, v4, v6);
    if (p->known != r->known)
        fail_msg("%s: known is %d", r->label, p->known);
    if (strcmp(prefix_print(&p->sample[family][0], text), r->widest) != 0)
        fail_msg("%s: the widest network is %s, not %s", r->label, text, r->widest);
    geo_parts_free(parts);
    for (unsigned i = 0; i < r->maps; i++)
        geo_map_free(maps[i]);
}

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        row_holds(&rows[i]);
}

static void parts_cover_ipv4(void **state)
{
    (void)state;
    struct geo_map *maps[2] = {map_of(&rows[3].sides[0]), map_of(&rows[6].sides[1])};
    struct geo_parts *parts;
    double v4 = 0;
    assert_int_equal(geo_parts_new(&parts, (const struct geo_map *const *)maps, 2), 0);
    for (unsigned i = 0; i < geo_parts_count(parts); i++)
        v4 += geo_parts_at(parts, i)->addresses[GEO_PART_IPV4];
    assert_true(v4 >= 4294967296.0 && v4 <= 4294967296.0);
    geo_parts_free(parts);
    geo_map_free(maps[0]);
    geo_map_free(maps[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(parts_cover_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
