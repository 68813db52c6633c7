#include "worlds.h"

#include "base/diag.h"
#include "dns/name.h"
#include "dns/type.h"
#include "geo/write.h"
#include "pools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned drawn_below(uint64_t *state, unsigned n)
{
    return (unsigned)(fresh(state) >> 33) % (n ? n : 1);
}

unsigned world_below(struct world *w, unsigned n)
{
    return drawn_below(&w->state, n);
}

bool world_once(struct world *w, unsigned n)
{
    return world_below(w, n) == 0;
}

/* ---- places ---- */

/* A network of 10/8, 198.18/15 or 2001:db8::/32. */
static struct prefix random_prefix(uint64_t *state)
{
    struct prefix p = {.family = 4};
    unsigned kind = drawn_below(state, 5);
    uint64_t r = fresh(state);
    if (kind >= 3) {
        p.family = 6;
        p.bits = (uint8_t)(33 + drawn_below(state, 32));
        memcpy(p.ip, "\x20\x01\x0d\xb8", 4);
        memcpy(p.ip + 4, &r, 8);
        if (drawn_below(state, 2)) /* close together */
            p.ip[4] = p.ip[5] = p.ip[6] = 0;
    } else {
        p.bits = (uint8_t)(96 + 9 + drawn_below(state, 20));
        memcpy(p.ip + 10, "\xff\xff\x0a", 3);
        memcpy(p.ip + 13, &r, 3);
        if (kind == 2) {
            p.ip[12] = 198;
            p.ip[13] = (uint8_t)(18 | (r & 1));
            p.bits = p.bits < 111 ? 111 : p.bits;
        }
    }
    for (unsigned bit = p.bits; bit < 128; bit++)
        p.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return p;
}

static bool prefix_same(const struct prefix *a, const struct prefix *b)
{
    return a->family == b->family && a->bits == b->bits && !memcmp(a->ip, b->ip, 16);
}

struct geo_db *world_db(unsigned rows, uint64_t seed)
{
    static const char *const places[] = {"EU,DE,51.1,10.4,100,64500", "EU,FR,48.8,2.3,50,64501",
                                         "NA,US,38.9,-77.4,900,64502", "AS,JP,35.6,139.7,10,",
                                         "EU,,,,,64500"};
    char dir[] = "/tmp/waypost-world.XXXXXX", csv[64], mmdb[64], text[ADDR_TEXT_MAX];
    struct prefix *taken = calloc(rows, sizeof *taken);
    struct geo_db *db = NULL;
    struct diag_list d;
    assert_non_null(mkdtemp(dir));
    assert_non_null(taken);
    snprintf(csv, sizeof csv, "%s/csv", dir);
    snprintf(mmdb, sizeof mmdb, "%s/mmdb", dir);
    FILE *f = fopen(csv, "w");
    assert_non_null(f);
    fprintf(f, "network,continent,country,latitude,longitude,radius,asn\n");
    for (unsigned i = 0; i < rows;) {
        bool twin = false;
        taken[i] = random_prefix(&seed);
        for (unsigned k = 0; k < i && !twin; k++)
            twin = prefix_same(&taken[i], &taken[k]);
        if (twin)
            continue;
        fprintf(f, "%s,%s\n", prefix_print(&taken[i], text), places[drawn_below(&seed, 5)]);
        i++;
    }
    fclose(f);
    free(taken);
    diag_init(&d);
    int err = geo_write_csv(csv, mmdb, NULL, &d);
    err = err ? err : geo_db_load(&db, mmdb, NULL, &d);
    if (err)
        diag_print(&d, stderr, 0);
    diag_fini(&d);
    unlink(csv);
    unlink(mmdb);
    rmdir(dir);
    assert_int_equal(err, 0);
    return db;
}

/* ---- maps ---- */

static void map_networks(struct world *w, struct world_map *m)
{
    static const char *const names[WORLD_NETWORKS] = {"n0", "n1", "n2", "n3"};
    m->config.networks = m->networks;
    m->config.network_count = world_below(w, WORLD_NETWORKS + 1);
    for (unsigned i = 0; i < m->config.network_count; i++) {
        struct geo_network *n = &m->networks[i];
        *n = (struct geo_network){.name = names[i], .prefixes = m->prefixes[i]};
        for (unsigned k = 0; k < WORLD_PREFIXES; k++) {
            struct prefix p = random_prefix(&w->state);
            bool twin = false;
            for (unsigned j = 0; j <= i; j++)
                for (unsigned l = 0; l < m->networks[j].prefix_count; l++)
                    twin = twin || prefix_same(&p, &m->prefixes[j][l]);
            if (!twin)
                m->prefixes[i][n->prefix_count++] = p;
        }
    }
}

static void map_rule(struct world *w, struct world_map *m, unsigned at, bool last)
{
    static const char *const countries[] = {"DE", "FR", "US", "JP"};
    static const char *const continents[] = {"EU", "NA", "AS", "EU"};
    struct geo_rule *r = &m->rules[at];
    unsigned sites = m->config.site_count, chance = last ? 9 : world_below(w, 8);
    *r = (struct geo_rule){.match = GEO_MATCH_ANY, .sites = m->lists[at]};
    if (chance < 3 && m->config.network_count) {
        r->match = GEO_MATCH_NETWORK;
        r->number = world_below(w, m->config.network_count);
    } else if (chance < 5) {
        r->match = GEO_MATCH_COUNTRY;
        r->text = countries[world_below(w, 4)];
    } else if (chance == 5) {
        r->match = GEO_MATCH_CONTINENT;
        r->text = continents[world_below(w, 4)];
    } else if (chance == 6) {
        r->match = GEO_MATCH_ASN;
        r->number = 64500 + world_below(w, 3);
    } else if (chance == 7) {
        r->match = GEO_MATCH_UNKNOWN;
    }
    r->prefer = (enum geo_prefer)world_below(w, 3);
    for (unsigned s = world_below(w, sites), n = 1 + world_below(w, sites); n; n--, s++)
        m->lists[at][r->site_count++] = (uint16_t)(s % sites);
    r->limit = world_once(w, 3) ? 1 + world_below(w, 3) : 0;
    r->fence = world_once(w, 3);
}

static void map_weights(struct world *w, struct world_map *m)
{
    for (unsigned i = 0; i < m->config.rule_count; i++) {
        struct geo_rule *r = &m->rules[i];
        if (r->prefer != GEO_PREFER_WEIGHTED)
            continue;
        r->weights = m->weights[i];
        for (unsigned k = 0; k < r->site_count; k++)
            m->weights[i][k] = k && world_once(w, 5) ? 0 : 1 + world_below(w, 100);
    }
}

/* Over the plan's sites, or (for `nearest`) over members. */
static int map_make(struct world *w, unsigned members)
{
    static const char *const names[MADE_SITES] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct gslb_plan *p = w->made.plan;
    unsigned at = p->map_count++;
    struct world_map *m = &w->maps[at];
    m->config = (struct geo_map_config){.name = "map",
                                        .sites = m->sites,
                                        .site_count = members ? members : p->site_count,
                                        .rules = m->rules,
                                        .db = world_once(w, 6) ? NULL : w->db};
    for (unsigned i = 0; i < m->config.site_count; i++)
        m->sites[i] = (struct geo_site){.name = members ? names[i] : p->sites[i].name,
                                        .has_position = i == 0 || !world_once(w, 4),
                                        .latitude = (float)world_below(w, 120) - 60,
                                        .longitude = (float)world_below(w, 340) - 170};
    map_networks(w, m);
    m->config.rule_count = 1 + world_below(w, WORLD_RULES);
    m->config.limit = world_once(w, 4) ? 1 + world_below(w, 3) : 0;
    bool otherwise = !world_once(w, 3);
    for (unsigned i = 0; i < m->config.rule_count; i++)
        map_rule(w, m, i, otherwise && i + 1 == m->config.rule_count);
    for (unsigned i = 0; i < m->config.rule_count; i++)
        if (m->rules[i].prefer == GEO_PREFER_NEAREST) { /* among all: some have a position */
            m->rules[i].site_count = 0;
        } else if (members) {
            m->rules[i].prefer = GEO_PREFER_LIST;
        }
    map_weights(w, m);
    if (world_once(w, 8)) {
        m->config.narrowest4 = (uint8_t)(12 + world_below(w, 12));
        m->config.narrowest6 = (uint8_t)(34 + world_below(w, 20));
    }
    struct diag_list d;
    diag_init(&d);
    int err = geo_map_compile(&w->made.geo[at], &m->config, &d);
    if (err)
        diag_print(&d, stderr, 0);
    diag_fini(&d);
    if (err)
        fail_msg("seed %llu: map %u", (unsigned long long)w->seed, at);
    p->maps[at] = (struct gslb_map){.name = "map",
                                    .geo = w->made.geo[at],
                                    .ignore_subnet = world_once(w, 8),
                                    .widest4 = (uint8_t)(world_once(w, 8) ? 20 : 0),
                                    .widest6 = (uint8_t)(world_once(w, 8) ? 48 : 0),
                                    .network4 = 24,
                                    .network6 = 56};
    return (int)at;
}

/* ---- pools ---- */

static void endpoint_make(struct world *w, struct gslb_endpoint *e, unsigned pool, unsigned at,
                          unsigned kind)
{
    static const uint8_t names[] = "\1x\7example";
    char text[64];
    *e = (struct gslb_endpoint){.name = arena_printf(&w->made.plan->arena, "m%u", at),
                                .weight = world_once(w, 12) ? 0 : 1 + world_below(w, 20),
                                .group = (uint16_t)world_below(w, 3),
                                .enabled = !world_once(w, 12),
                                .has_position = true};
    if (kind == 0 || world_once(w, 40)) {
        e->kind = world_once(w, 3) ? GSLB_HOST : GSLB_CNAME;
        e->host = names;
        return;
    }
    if (kind != 1) {
        snprintf(text, sizeof text, "192.0.%u.%u", pool, world_once(w, 12) ? 1 : at + 1);
        assert_int_equal(addr_parse(&e->address[0], text, 0), 0);
    }
    if (kind == 1 || kind > 4) {
        snprintf(text, sizeof text, "2001:db8:ffff:%u::%u", pool, at + 1);
        assert_int_equal(addr_parse(&e->address[1], text, 0), 0);
    }
}

static const struct dns_rrset records[] = {{.rdata = (const uint8_t *)"\0\2\1t",
                                            .size = 4,
                                            .type = DNS_TYPE_TXT,
                                            .cls = DNS_CLASS_IN,
                                            .count = 1},
                                           {.rdata = (const uint8_t *)"\0\3\0\1\0",
                                            .size = 5,
                                            .type = DNS_TYPE_HTTPS,
                                            .cls = DNS_CLASS_IN,
                                            .count = 1}};

static void pool_random(struct world *w, int site)
{
    struct gslb_plan *p = w->made.plan;
    unsigned at = p->pool_count++, count = 1 + world_below(w, 6);
    struct gslb_pool *pool = &p->pools[at];
    *pool = (struct gslb_pool){.name = arena_printf(&p->arena, "p%u", at),
                               .site = site,
                               .policy = (enum gslb_policy)world_below(w, GSLB_POLICIES),
                               .answers = world_once(w, 2) ? 0 : 1 + world_below(w, 4),
                               .shuffle = world_once(w, 6),
                               .healthy_permille = world_once(w, 3) ? world_below(w, 1001) : 0,
                               .ignore_health = world_once(w, 12),
                               .band_us = world_below(w, 3000),
                               .epoch_s = world_once(w, 2) ? 0 : 60,
                               .network4 = (uint8_t)(world_once(w, 6) ? 16 : 24),
                               .network6 = (uint8_t)(world_once(w, 6) ? 48 : 56),
                               .near = GSLB_NONE,
                               .fallback = GSLB_NONE,
                               .endpoint_count = count};
    pool->endpoints = ARENA_ARRAY(&p->arena, struct gslb_endpoint, count);
    unsigned kind = world_below(w, 12);
    for (unsigned i = 0; i < count; i++)
        endpoint_make(w, &pool->endpoints[i], at, i, kind);
    if (world_once(w, 2)) {
        unsigned first = world_below(w, 2);
        pool->records = records + first;
        pool->record_count = 1 + (!first && world_once(w, 2));
    }
}

/* Fallbacks lead to pools behind, so that there is no loop. */
static void pools_random(struct world *w)
{
    struct gslb_plan *p = w->made.plan;
    for (unsigned i = 0; i < 2 * p->site_count; i++)
        if (!world_once(w, 6))
            pool_random(w, (int)(i % p->site_count));
    for (unsigned i = 0; i < 3; i++)
        pool_random(w, world_once(w, 3) ? (int)world_below(w, p->site_count) : GSLB_NONE);
    for (unsigned i = 0; i + 1 < p->pool_count; i++)
        if (world_once(w, 4))
            p->pools[i].fallback = (int)(i + 1 + world_below(w, p->pool_count - i - 1));
    for (unsigned i = 0; i < 2; i++) {
        struct gslb_pool *pool = &p->pools[world_below(w, p->pool_count)];
        if (pool->near == GSLB_NONE && p->map_count < MADE_MAPS)
            pool->near = map_make(w, pool->endpoint_count);
    }
}

/* ---- names ---- */

static int any_pool(struct world *w)
{
    return (int)world_below(w, w->made.plan->pool_count);
}

static void name_random(struct world *w, unsigned at, unsigned of, unsigned maps)
{
    struct gslb_plan *p = w->made.plan;
    char owner[32];
    snprintf(owner, sizeof owner, "n%u.example.", at);
    struct gslb_name *n = made_name(&w->made, owner, GSLB_NONE, "");
    uint32_t *pools = ARENA_ARRAY(&p->arena, uint32_t, MADE_POOLS);
    bool taken[MADE_SITES] = {false};
    n->map = world_once(w, 4) ? GSLB_NONE : (int)world_below(w, maps);
    n->pools = pools;
    for (unsigned i = 0; i < p->pool_count; i++) {
        int site = p->pools[i].site;
        if (world_once(w, 3) || (n->map != GSLB_NONE && (site == GSLB_NONE || taken[site])))
            continue;
        pools[n->pool_count++] = i;
        if (n->map != GSLB_NONE)
            taken[site] = true;
    }
    n->skip_first = world_once(w, 4);
    n->family_fail_over = world_once(w, 3);
    n->fallback_pool = world_once(w, 3) ? any_pool(w) : GSLB_NONE;
    n->fallback_name =
        at + 1 < of && world_once(w, 3) ? (int)(at + 1 + world_below(w, of - at - 1)) : GSLB_NONE;
    n->outside = (enum gslb_outside)world_below(w, 4);
    n->outside_pool = n->outside == GSLB_OUTSIDE_POOL ? any_pool(w) : GSLB_NONE;
    n->all_down = (enum gslb_all_down)world_below(w, 5);
    n->ttl = 1 + world_below(w, 600);
    n->ttl_degraded = 1 + world_below(w, 60);
    n->ttl_max = world_once(w, 3) ? 20 + world_below(w, 300) : 0;
    n->ttl_min = world_once(w, 3) ? 1 + world_below(w, 30) : 0;
    if (n->ttl_max && n->ttl_min > n->ttl_max)
        n->ttl_min = n->ttl_max;
}

/* ---- where maps change ---- */

static void point_put(struct world *w, const struct addr *a)
{
    if (w->point_count < WORLD_POINTS)
        w->points[w->point_count++] = *a;
}

/* Where a network begins, and where what is behind it does. */
static void points_of(void *arg, const struct prefix *p, uint32_t value)
{
    struct addr a = {.family = p->family};
    (void)value;
    memcpy(a.ip, p->ip, sizeof a.ip);
    point_put(arg, &a);
    for (int bit = p->bits - 1; bit >= (p->family == 4 ? 96 : 0); bit--) {
        a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        if (a.ip[bit / 8] & 0x80 >> bit % 8) {
            point_put(arg, &a);
            return;
        }
    }
}

static void points_gather(struct world *w)
{
    w->points = calloc(WORLD_POINTS, sizeof *w->points);
    assert_non_null(w->points);
    for (unsigned i = 0; i < w->made.plan->map_count; i++)
        for (unsigned k = 0; k < w->maps[i].config.network_count; k++)
            for (unsigned j = 0; j < w->maps[i].networks[k].prefix_count; j++)
                points_of(w, &w->maps[i].prefixes[k][j], 0);
    if (w->db)
        prefixes_each(geo_db_prefixes(w->db), points_of, w);
    assert_true(w->point_count < WORLD_POINTS);
}

void world_make(struct world *w, uint64_t seed, const struct geo_db *db)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->state = seed * 0x9e3779b97f4a7c15ULL | 1;
    w->db = db;
    made_init(&w->made, world_once(w, 3) ? "a b c d e" : "a b c", NULL);
    unsigned maps = 1 + world_below(w, 3), names = 2 + world_below(w, 4);
    for (unsigned i = 0; i < maps; i++)
        map_make(w, 0);
    pools_random(w);
    for (unsigned i = 0; i < names; i++)
        name_random(w, i, names, maps);
    made_finish(&w->made, NULL);
    points_gather(w);
    world_health(w);
}

void world_free(struct world *w)
{
    free(w->points);
    made_fini(&w->made);
}

/* ---- health and clients ---- */

void world_health(struct world *w)
{
    struct gslb_plan *p = w->made.plan;
    unsigned sick = 2 + world_below(w, 6);
    for (unsigned i = 0; i < p->pool_count; i++)
        for (unsigned k = 0; k < p->pools[i].endpoint_count; k++) {
            struct gslb_view v = {.up = sick == 2 ? world_once(w, 6) : !world_once(w, sick),
                                  .known = true,
                                  .unsettled = world_once(w, 12),
                                  .forced = world_once(w, 12),
                                  .over = world_once(w, 6),
                                  .was_up = world_once(w, 2),
                                  .has_load = !world_once(w, 3),
                                  .permille = 1000,
                                  .load = world_below(w, 1000000),
                                  .rtt_us = world_once(w, 4) ? 0 : world_below(w, 10000),
                                  .until_s = UINT32_MAX};
            if (world_once(w, 6))
                v.permille = (uint16_t)world_below(w, 1000);
            if (v.forced && !world_once(w, 4))
                v.until_s = WORLD_NOW - 5 + world_below(w, 400);
            gslb_table_put(w->made.table, p->pools[i].endpoints[k].slot, &v);
        }
    for (unsigned i = 0; i < p->name_count; i++) {
        w->last_pool[i] =
            world_once(w, 4) ? GSLB_NO_SLOT : p->pools[world_below(w, p->pool_count)].slot;
        w->last_s[i] =
            WORLD_NOW - 3600 + (world_once(w, 2) ? world_below(w, 3600) : world_below(w, 3) - 1);
        gslb_table_put_last(w->made.table, p->names[i].slot, w->last_pool[i], w->last_s[i]);
    }
}

static struct addr random_address(struct world *w, uint8_t family)
{
    struct addr a = {.family = family};
    uint64_t r = fresh(&w->state);
    for (unsigned tries = 0; w->point_count && tries < 8; tries++) {
        const struct addr *point = &w->points[world_below(w, w->point_count)];
        if (point->family != family || world_once(w, 6))
            continue;
        a = *point;
        unsigned keep = family == 4 ? 112 : 40;
        for (unsigned bit = keep + world_below(w, 128 - keep); bit < 128; bit++)
            if (r >> bit % 64 & 1)
                a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        return a;
    }
    memcpy(a.ip, &r, 8);
    if (family == 4)
        a = addr_of_bytes(a.ip, 4, 0);
    return a;
}

/* The IPv4 address in one of the forms in which IPv6 addresses carry it. */
static void carry(struct world *w, uint8_t ip[16], const uint8_t four[4])
{
    static const uint8_t heads[][12] = {{0},
                                        {[10] = 0xff, 0xff},
                                        {[8] = 0xff, 0xff},
                                        {0x00, 0x64, 0xff, 0x9b},
                                        {0x20, 0x01, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}};
    unsigned form = world_below(w, 6);
    memset(ip, 0, 16);
    if (form == 5) {
        ip[0] = 0x20;
        ip[1] = 0x02;
        memcpy(ip + 2, four, 4);
        return;
    }
    memcpy(ip, heads[form], 12);
    for (unsigned k = 0; k < 4; k++)
        ip[12 + k] = four[k] ^ (form == 4 ? 0xff : 0);
}

struct gslb_client world_client(struct world *w)
{
    struct gslb_client c = {.source = random_address(w, world_once(w, 3) ? 6 : 4)};
    unsigned kind = world_below(w, 10);
    if (kind == 0)
        return c;
    c.subnet.family = kind < 5 ? 1 : 2;
    unsigned most = c.subnet.family == 1 ? 32 : 128;
    struct addr a = random_address(w, kind < 5 || kind > 7 ? 4 : 6);
    c.subnet.source = (uint8_t)(world_once(w, 12)  ? 0
                                : world_once(w, 3) ? 1 + world_below(w, most)
                                : most == 32       ? 24
                                : kind > 7         ? 128
                                                   : 56);
    if (kind < 5)
        memcpy(c.subnet.ip, a.ip + 12, 4);
    else if (kind > 7)
        carry(w, c.subnet.ip, a.ip + 12);
    else
        memcpy(c.subnet.ip, a.ip, 16);
    for (unsigned bit = c.subnet.source; bit < 128; bit++)
        c.subnet.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return c;
}

/* ---- for who must understand a failure ---- */

static void print_pool(const struct world *w, unsigned i)
{
    const struct gslb_pool *p = &w->made.plan->pools[i];
    print_error("pool %u: site %d, %s, answers %u, enough %u%s%s, near %d, fallback %d, types %u\n",
                i, p->site, gslb_policy_name(p->policy), p->answers, p->healthy_permille,
                p->ignore_health ? ", whatever the health" : "", p->shuffle ? ", shuffled" : "",
                p->near, p->fallback, p->record_count);
    for (unsigned k = 0; k < p->endpoint_count; k++) {
        const struct gslb_endpoint *e = &p->endpoints[k];
        struct gslb_view v = gslb_table_get(w->made.table, e->slot);
        print_error("  %u: kind %d, %s%s weight %u%s%s permille %u%s%s until %u\n", k, e->kind,
                    e->address[0].family ? "A " : "", e->address[1].family ? "AAAA" : "", e->weight,
                    e->enabled ? "" : ", disabled", v.up ? ", up" : ", down", v.permille,
                    v.unsettled ? ", unsettled" : "", v.was_up ? ", was up" : "", v.until_s);
    }
}

void world_print(const struct world *w)
{
    const struct gslb_plan *p = w->made.plan;
    for (unsigned i = 0; i < p->pool_count; i++)
        print_pool(w, i);
    for (unsigned i = 0; i < p->name_count; i++) {
        const struct gslb_name *n = &p->names[i];
        print_error("name %u: map %d, skip %d, family %d, fallbacks %d %d, outside %d %d, all down "
                    "%d, ttl %u %u of %u .. %u, pools",
                    i, n->map, n->skip_first, n->family_fail_over, n->fallback_pool,
                    n->fallback_name, (int)n->outside, n->outside_pool, (int)n->all_down, n->ttl,
                    n->ttl_degraded, n->ttl_min, n->ttl_max);
        for (unsigned k = 0; k < n->pool_count; k++)
            print_error(" %u", n->pools[k]);
        print_error("\n");
    }
}
