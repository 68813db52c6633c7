/* folders: geo base */
/* Random maps against their rules, at every address at which anything can change: the list, that
 * the scope holds it alone, and that a wider one would not. And that a spoilt table is noticed. */
#include "geo/map.h"

#include "../geo/map_priv.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/rng.h"
#include "geo/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAPS = 400, NETWORKS = 4, PREFIXES = 8, ROWS = 30, RULES = 8, POINTS = 6000, LISTS = 400 };

static char folder[] = "/tmp/waypost-maps-XXXXXX";

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

static struct addr addr_of(const char *text)
{
    struct addr a;
    if (addr_parse(&a, text, 0))
        fail_msg("%s is no address", text);
    return a;
}

/* ---- addresses ---- */

static void mask(uint8_t ip[16], unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* By one, of the first `bits` bits; false: over the end of the family. */
static bool count_up(struct addr *a, unsigned bits)
{
    unsigned least = a->family == 4 ? 96 : 0;
    for (; bits > least; bits--) {
        uint8_t bit = (uint8_t)(0x80 >> (bits - 1) % 8), *at = &a->ip[(bits - 1) / 8];
        *at ^= bit;
        if (*at & bit)
            return true;
    }
    return false;
}

static void count_down(struct addr *a)
{
    for (unsigned i = 16; i-- > (a->family == 4 ? 12u : 0u);)
        if (a->ip[i]--)
            return;
}

/* Networks that often lie in one another. */
static struct prefix random_net(struct rng *r)
{
    static const char *const around[] = {
        "10.0.0.0", "10.64.0.0",   "192.0.2.0", "0.0.0.0",     "255.255.255.0", "2a00::",
        "2a00:1::", "2001:8000::", "::1:0:0:0", "64:ff9b:1::", "::fffe:0:0:0"};
    struct addr a = addr_of(around[rng_below(r, sizeof around / sizeof *around)]);
    unsigned first = a.family == 4 ? 96 : 0;
    struct prefix p = {.family = a.family};
    p.bits = (uint8_t)(first + 1 + rng_below(r, a.family == 4 ? 32 : 68));
    for (unsigned n = rng_below(r, 4); n > 0; n--) {
        unsigned bit = first + rng_below(r, p.bits - first);
        a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
    memcpy(p.ip, a.ip, sizeof p.ip);
    mask(p.ip, p.bits);
    return p;
}

static bool is_carrier(const struct prefix *p)
{
    struct addr a = {.family = p->family};
    unsigned shift;
    memcpy(a.ip, p->ip, sizeof a.ip);
    prefixes_canonical(&a, &shift);
    return shift == 16 ? p->bits >= 16 : shift && p->bits >= (p->ip[0] == 0x20 ? 32 : 96);
}

/* ---- a random map ---- */

struct world {
    struct rng rng;
    struct geo_site sites[6];
    struct geo_network networks[NETWORKS];
    struct prefix prefixes[NETWORKS][PREFIXES], rows[2][ROWS];
    struct geo_place place;
    struct geo_rule rules[RULES];
    uint16_t chosen[RULES][6];
    uint32_t weights[RULES][6];
    unsigned row_count[2];
    struct geo_db *db[2];
    struct geo_map_config c;
};

static bool is_new(const struct prefix *all, unsigned n, const struct prefix *p)
{
    for (unsigned i = 0; i < n; i++)
        if (all[i].bits == p->bits && !memcmp(all[i].ip, p->ip, sizeof p->ip))
            return false;
    return !is_carrier(p);
}

static void make_db(struct world *w, unsigned which)
{
    static const char *const wheres[] = {"EU,FR,75,Paris,48.9,2.4,",
                                         "EU,DE,HE,Frankfurt,50.1,8.7,20",
                                         "NA,US,CA,,37.8,-122.4,1000",
                                         "NA,US,VA,Paris,38.9,-77.5,",
                                         ",,,,,,",
                                         "EU,BE,,,50.9,4.4,200"};
    static const char *const whos[] = {"64500", "64501", ""};
    char from[64], to[64], text[ADDR_TEXT_MAX];
    snprintf(from, sizeof from, "%s/db.csv", folder);
    snprintf(to, sizeof to, "%s/db.mmdb", folder);
    FILE *f = fopen(from, "w");
    assert_non_null(f);
    fputs("network,continent,country,subdivision,city,latitude,longitude,radius,asn\n"
          "203.0.113.0/24,EU,FR,75,Paris,48.9,2.4,,64500\n",
          f);
    w->rows[which][0] =
        (struct prefix){.ip = {[10] = 0xff, 0xff, 203, 0, 113}, .bits = 120, .family = 4};
    unsigned n = 1;
    while (n < ROWS) {
        struct prefix p = random_net(&w->rng);
        if (!is_new(w->rows[which], n, &p))
            continue;
        w->rows[which][n++] = p;
        fprintf(f, "%s,%s,%s\n", prefix_print(&p, text), wheres[which ? 4 : rng_below(&w->rng, 6)],
                whos[rng_below(&w->rng, 3)]);
    }
    w->row_count[which] = n;
    fclose(f);
    struct diag_list d;
    diag_init(&d);
    if (geo_write_csv(from, to, NULL, &d) || geo_db_load(&w->db[which], to, NULL, &d)) {
        diag_print(&d, stderr, 0);
        fail_msg("no database");
    }
    diag_fini(&d);
    unlink(from);
    unlink(to);
}

static void make_networks(struct world *w)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3"};
    struct prefix all[NETWORKS * PREFIXES];
    unsigned n = 0;
    w->place = (struct geo_place){.continent = "EU",
                                  .country = "FR",
                                  .city = "Paris",
                                  .organisation = "",
                                  .has_position = true,
                                  .latitude = 48.9F,
                                  .longitude = 2.4F};
    for (unsigned i = 0; i < NETWORKS; i++) {
        struct geo_network *net = &w->networks[i];
        *net = (struct geo_network){names[i], w->prefixes[i], 0, i == 2 ? &w->place : NULL};
        while (net->prefix_count < PREFIXES) {
            struct prefix p = random_net(&w->rng);
            if (is_new(all, n, &p))
                all[n++] = w->prefixes[i][net->prefix_count++] = p;
        }
    }
}

static void make_rules(struct world *w)
{
    static const struct geo_rule matches[] = {
        {.match = GEO_MATCH_NETWORK, .number = 0},
        {.match = GEO_MATCH_NETWORK, .number = 1},
        {.match = GEO_MATCH_NETWORK, .number = 3},
        {.match = GEO_MATCH_CONTINENT, .text = "EU"},
        {.match = GEO_MATCH_COUNTRY, .text = "US"},
        {.match = GEO_MATCH_SUBDIVISION, .text = "DE/HE"},
        {.match = GEO_MATCH_CITY, .text = "US/Paris"},
        {.match = GEO_MATCH_ASN, .number = 64501},
        {.match = GEO_MATCH_UNKNOWN},
        {.match = GEO_MATCH_ANY},
    };
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    for (unsigned i = 0; i < 6; i++)
        w->sites[i] = (struct geo_site){names[i], i != 4, (float)rng_below(&w->rng, 120) - 60,
                                        (float)rng_below(&w->rng, 360) - 180};
    unsigned n = rng_below(&w->rng, 16) ? 2 + rng_below(&w->rng, RULES - 1) : 0;
    for (unsigned i = 0; i < n; i++) {
        struct geo_rule *r = &w->rules[i];
        /* ANY hides all behind it: the last only. */
        *r = matches[i + 1 == n ? 9 : rng_below(&w->rng, 9)];
        r->prefer = rng_below(&w->rng, 3);
        r->site_count = 1 + rng_below(&w->rng, 2);
        r->fence = !rng_below(&w->rng, 3);
        r->limit = rng_below(&w->rng, 4);
        r->sites = w->chosen[i];
        r->weights = w->weights[i];
        w->chosen[i][0] = (uint16_t)rng_below(&w->rng, 4);
        w->chosen[i][1] = (uint16_t)((w->chosen[i][0] + 1) % 4);
        w->weights[i][0] = 1 + rng_below(&w->rng, 2);
        if (r->prefer == GEO_PREFER_NEAREST && rng_below(&w->rng, 2))
            r->site_count = 0;
    }
    w->c.rule_count = n;
}

static void make_world(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    rng_init_fixed(&w->rng, seed);
    unsigned with = rng_below(&w->rng, 4);
    for (unsigned i = 0; i < 2; i++)
        if (with & 1u << i)
            make_db(w, i);
    make_networks(w);
    make_rules(w);
    w->c.name = "random";
    w->c.sites = w->sites;
    w->c.site_count = 6;
    w->c.networks = w->networks;
    w->c.network_count = with ? rng_below(&w->rng, NETWORKS + 1) : NETWORKS;
    for (unsigned i = 0; i < w->c.rule_count; i++)
        if (w->rules[i].match == GEO_MATCH_NETWORK && w->rules[i].number >= w->c.network_count)
            w->rules[i].match = GEO_MATCH_UNKNOWN;
    w->c.rules = w->rules;
    w->c.limit = rng_below(&w->rng, 3) ? 0 : 2;
    w->c.db = w->db[0];
    w->c.asn_db = w->db[1];
    if (!rng_below(&w->rng, 3)) {
        w->c.narrowest4 = (uint8_t)(8 + rng_below(&w->rng, 17));
        w->c.narrowest6 = (uint8_t)(16 + rng_below(&w->rng, 33));
    }
}

/* ---- the points ---- */

static struct {
    unsigned n, lists;
    struct point {
        struct addr a;
        unsigned list;
    } p[POINTS];
    struct {
        struct geo_list list;
        uint16_t sites[GEO_SITES_MAX];
    } list[LISTS];
} points;

static unsigned list_at(const struct world *w, const struct addr *a)
{
    uint16_t sites[GEO_SITES_MAX];
    struct geo_list l;
    unsigned i = 0;
    geo_map_evaluate(&w->c, a, &l, sites);
    while (i < points.lists && !map_list_equal(&points.list[i].list, &l))
        i++;
    if (i == points.lists) {
        assert_true(points.lists < LISTS);
        memcpy(points.list[i].sites, sites, sizeof sites);
        points.list[i].list = l;
        points.list[i].list.sites = points.list[i].sites;
        points.lists++;
    }
    return i;
}

static void point(const struct world *w, const struct addr *a)
{
    assert_true(points.n < POINTS);
    points.p[points.n++] = (struct point){*a, list_at(w, a)};
}

/* Something changes here, or where the next narrowest network begins; so it does for each IPv6
 * address that carries this IPv4 one. */
static void change(const struct world *w, struct addr a)
{
    static const char *const forms[] = {"::", "::fffe:0:0", "::ffff:0:0:0", "64:ff9b::", "2001::"};
    unsigned bits = a.family == 4 ? 96u + w->c.narrowest4 : w->c.narrowest6;
    if (bits > (a.family == 4 ? 96u : 0u)) {
        struct addr base = a;
        mask(base.ip, bits);
        if (memcmp(base.ip, a.ip, sizeof a.ip) != 0) {
            if (!count_up(&base, bits))
                return;
            a = base;
        }
    }
    point(w, &a);
    if (a.family == 6)
        return;
    for (unsigned i = 0; i < 5; i++) {
        struct addr f = addr_of(forms[i]);
        for (unsigned k = 0; k < 4; k++)
            f.ip[12 + k] = a.ip[12 + k] ^ (i == 4 ? 0xff : 0);
        if (i == 1)
            f.ip[11] = 0xff;
        point(w, &f);
        if (i == 4 && count_up(&f, 128) && !f.ip[11]) /* inverted, what begins ends */
            point(w, &f);
    }
    struct addr f = {.ip = {0x20, 0x02}, .family = 6};
    memcpy(f.ip + 2, a.ip + 12, 4);
    point(w, &f);
}

static void change_around(const struct world *w, const struct prefix *p)
{
    struct addr a = {.family = p->family};
    memcpy(a.ip, p->ip, sizeof a.ip);
    change(w, a);
    if (count_up(&a, p->bits))
        change(w, a);
}

static void find_points(const struct world *w)
{
    static const char *const forms[] = {"::/96",        "::fffe:0:0/96", "::ffff:0:0:0/96",
                                        "64:ff9b::/96", "2001::/32",     "2002::/16"};
    points.n = points.lists = 0;
    change(w, addr_of("0.0.0.0"));
    change(w, addr_of("::"));
    for (unsigned i = 0; i < 6; i++) {
        struct prefix p;
        assert_int_equal(prefix_parse(&p, forms[i]), 0);
        struct addr a = {.family = 6};
        if (i == 1)
            p.ip[11] = 0xff;
        memcpy(a.ip, p.ip, sizeof a.ip);
        point(w, &a);
        if (count_up(&a, p.bits))
            point(w, &a); /* not rounded up: beside it the rest of a narrowest network goes on */
        change_around(w, &p);
    }
    for (unsigned i = 0; i < w->c.network_count; i++)
        for (unsigned k = 0; k < w->networks[i].prefix_count; k++)
            change_around(w, &w->prefixes[i][k]);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < w->row_count[i]; k++)
            change_around(w, &w->rows[i][k]);
}

/* All clients of the network have this list: its first address, and whatever changes in it. */
static bool all_have(const struct world *w, const struct prefix *net, unsigned list)
{
    struct addr base = {.family = net->family};
    memcpy(base.ip, net->ip, sizeof base.ip);
    if (list_at(w, &base) != list)
        return false;
    for (unsigned i = 0; i < points.n; i++)
        if (points.p[i].list != list && points.p[i].a.family == net->family &&
            prefix_has(net, &points.p[i].a))
            return false;
    return true;
}

/* Teredo addresses of another server than 0: all is as with that one, but no points lie there. */
static bool is_other_teredo(const struct addr *a)
{
    static const uint8_t teredo[4] = {0x20, 0x01}, zero[8];
    return a->family == 6 && !memcmp(a->ip, teredo, 4) && memcmp(a->ip + 4, zero, 8) != 0;
}

static void check_address(const struct world *w, const struct geo_map *m, uint64_t seed,
                          const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    if (is_other_teredo(a))
        return;
    unsigned depth, list = list_at(w, a);
    const struct geo_list *got = geo_map_find(m, a, &depth);
    if (!map_list_equal(got, &points.list[list].list))
        fail_msg("map %u: %s: another list", (unsigned)seed, addr_print(a, text));
    struct prefix net = {.family = a->family, .bits = (uint8_t)(depth + (a->family == 4 ? 96 : 0))};
    for (unsigned wider = 0; wider < 2; wider++) {
        if (wider && !depth)
            return;
        net.bits = (uint8_t)(net.bits - wider);
        memcpy(net.ip, a->ip, sizeof net.ip);
        mask(net.ip, net.bits);
        if (all_have(w, &net, list) == (wider != 0))
            fail_msg("map %u: %s: depth %u %s", (unsigned)seed, addr_print(a, text), depth,
                     wider ? "is too deep" : "has others in it");
        unsigned net_depth;
        if (!wider && (geo_map_find_net(m, &net, &net_depth) != got || net_depth != depth))
            fail_msg("map %u: %s: the network has another answer", (unsigned)seed,
                     addr_print(a, text));
    }
}

/* ---- a spoilt table ---- */

static uint32_t spoil(void *arg, uint32_t list, uint32_t mark)
{
    const struct geo_map *m = arg;
    return mark && list != MAP_FORM ? (list + 1) % m->list_count : list;
}

static struct prefixes *table_of(const struct prefix *p)
{
    struct prefixes_build *b;
    struct prefixes *t;
    assert_int_equal(prefixes_begin(&b), 0);
    assert_int_equal(prefixes_put(b, p, 1), 0);
    assert_int_equal(prefixes_finish(b, NULL, 0, &t), 0);
    return t;
}

static void check_spoilt(struct world *w, struct geo_map *m, uint64_t seed)
{
    char text[ADDR_TEXT_MAX];
    struct addr wrong;
    struct prefix p;
    do
        p = random_net(&w->rng);
    while (is_carrier(&p));
    struct prefixes *mark = table_of(&p), *spoilt, *good = m->table;
    assert_int_equal(prefixes_join(good, mark, spoil, m, &spoilt), 0);
    m->table = spoilt;
    if (geo_map_prove(m, &w->c, &wrong) != ERR_MISMATCH)
        fail_msg("map %u: %s is wrong, and not noticed", (unsigned)seed, prefix_print(&p, text));
    struct geo_map_proof proof;
    struct addr also;
    if (geo_map_verify(m, &w->c, SIZE_MAX, &proof, &also) != ERR_MISMATCH)
        fail_msg("map %u: %s is wrong, and verified", (unsigned)seed, prefix_print(&p, text));
    unsigned shift;
    struct addr known = prefixes_canonical(&wrong, &shift);
    if (!prefix_has(&p, &wrong) && !prefix_has(&p, &known))
        fail_msg("map %u: %s is not where it was spoilt", (unsigned)seed, addr_print(&wrong, text));
    m->table = good;
    prefixes_free(spoilt);
    prefixes_free(mark);
}

static void test_random(void **state)
{
    (void)state;
    static struct world w;
    unsigned with_lists = 0, merged = 0;
    for (uint64_t seed = 1; seed <= MAPS; seed++) {
        struct geo_map *m = NULL;
        struct diag_list d;
        struct addr wrong;
        char text[ADDR_TEXT_MAX];
        make_world(&w, seed);
        diag_init(&d);
        if (geo_map_compile(&m, &w.c, &d)) {
            diag_print(&d, stderr, 0);
            fail_msg("map %u: does not compile", (unsigned)seed);
        }
        diag_fini(&d);
        if (geo_map_prove(m, &w.c, &wrong))
            fail_msg("map %u: proof fails at %s", (unsigned)seed, addr_print(&wrong, text));
        struct geo_map_proof proof;
        if (geo_map_verify(m, &w.c, SIZE_MAX, &proof, &wrong))
            fail_msg("map %u: not verified at %s", (unsigned)seed, addr_print(&wrong, text));
        find_points(&w);
        for (unsigned i = 0, n = points.n; i < n; i++) {
            struct addr a = points.p[i].a;
            check_address(&w, m, seed, &a);
            count_down(&a);
            check_address(&w, m, seed, &a);
        }
        if (geo_map_info(m).lists)
            check_spoilt(&w, m, seed);
        with_lists += geo_map_info(m).lists > 2;
        merged += geo_map_info(m).merged > 0;
        geo_map_free(m);
        for (unsigned i = 0; i < 2; i++)
            geo_db_free(w.db[i]);
    }
    /* The seeds make maps worth looking at. */
    assert_true(with_lists > MAPS / 2);
    assert_true(merged > MAPS / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
