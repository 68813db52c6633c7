/* Every /24 and a hundred thousand /48s: the site that steering gives against the rules evaluated
 * for that very client, and every scope against all /24s inside it. No sockets: see
 * test_steer_live. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "base/rng.h"
#include "dns/type.h"
#include "worlds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 1 << 24, NETS6 = 100000, ROWS = 400, WIDE = 12, SAMPLES = 4096 };

static const struct {
    const char *label;
    uint8_t narrowest4, narrowest6;
    bool fence;
} worlds[] = {{"as it is", 0, 0, false}, {"fences", 0, 0, true}, {"narrowest", 20, 44, false}};

struct bench {
    struct made made;
    struct geo_db *db;
    struct world_map map;
    uint8_t *inside; /* a bit per /24: lies in or beside a network of the database or the map */
};

/* ---- the map ---- */

static void map_make(struct bench *b, unsigned of)
{
    static const char *const countries[] = {"DE", "FR", "US"};
    static const char *const nets[] = {"10.64.0.0/10", "10.65.0.0/16", "2001:db8:4000::/36"};
    struct world_map *m = &b->map;
    struct gslb_plan *p = b->made.plan;
    for (unsigned i = 0; i < p->site_count; i++)
        m->sites[i] = (struct geo_site){p->sites[i].name, true, 50.0F - 15.0F * (float)i,
                                        10.0F - 40.0F * (float)i};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(prefix_parse(&m->prefixes[i][0], nets[i]), 0);
        m->networks[i] = (struct geo_network){.name = nets[i], .prefixes = m->prefixes[i]};
        m->networks[i].prefix_count = 1;
        m->rules[i] = (struct geo_rule){.match = GEO_MATCH_NETWORK, .number = i};
        m->rules[3 + i] = (struct geo_rule){.match = GEO_MATCH_COUNTRY, .text = countries[i]};
    }
    for (unsigned i = 0; i < WORLD_RULES; i++) {
        m->lists[i][0] = (uint16_t)(i % 3);
        m->lists[i][1] = (uint16_t)(i % 3 + 1);
        m->rules[i].sites = m->lists[i];
        m->rules[i].site_count = i % 3 == 2 ? 1 : 2;
        m->rules[i].fence = worlds[of].fence && i % 2;
    }
    m->rules[5] = (struct geo_rule){.prefer = GEO_PREFER_NEAREST, .limit = 2};
    m->config = (struct geo_map_config){.name = "map",
                                        .sites = m->sites,
                                        .site_count = p->site_count,
                                        .networks = m->networks,
                                        .network_count = 3,
                                        .rules = m->rules,
                                        .rule_count = WORLD_RULES,
                                        .db = b->db,
                                        .narrowest4 = worlds[of].narrowest4,
                                        .narrowest6 = worlds[of].narrowest6};
    struct diag_list d;
    diag_init(&d);
    assert_int_equal(geo_map_compile(&b->made.geo[0], &m->config, &d), 0);
    diag_fini(&d);
    p->maps[p->map_count++] =
        (struct gslb_map){.name = "map", .geo = b->made.geo[0], .network4 = 24, .network6 = 56};
}

/* A pool at each site but d, whose clients go on to the next of their list. */
static void start(struct bench *b, unsigned of)
{
    memset(b, 0, sizeof *b);
    b->db = world_db(ROWS, 99 + of);
    b->inside = calloc(MOST / 8, 1);
    assert_non_null(b->inside);
    made_init(&b->made, "a b c d", NULL);
    map_make(b, of);
    made_pool(&b->made, "pa", "a", GSLB_FAILOVER, "192.0.2.1|2001:db8::1");
    made_pool(&b->made, "pb", "b", GSLB_FAILOVER, "192.0.2.2|2001:db8::2");
    made_pool(&b->made, "pc", "c", GSLB_FAILOVER, "192.0.2.3|2001:db8::3");
    made_name(&b->made, "www.example.", 0, "pa pb pc");
    made_finish(&b->made, NULL);
    made_health(&b->made, "pb/m0", "d");
}

static void end(struct bench *b)
{
    free(b->inside);
    made_fini(&b->made);
    geo_db_free(b->db);
}

/* What the rules say of this client: the first site of its list that has a pool that is up. */
static int want(const struct bench *b, const struct addr *a, bool *fence)
{
    uint16_t room[GEO_SITES_MAX];
    struct geo_list l;
    geo_map_evaluate(&b->map.config, a, &l, room);
    *fence = l.fence;
    for (unsigned k = 0; k < l.count; k++)
        if (l.sites[k] == 0 || l.sites[k] == 2)
            return l.sites[k];
    for (unsigned k = 0; k < l.count; k++)
        if (l.sites[k] == 1) /* all is down: the first that was tried */
            return 1;
    return GSLB_NONE;
}

static struct gslb_answer steer(struct bench *b, unsigned family, unsigned source,
                                const uint8_t *ip)
{
    struct gslb_answer out;
    struct gslb_client c = {.source = addr_of_bytes((const uint8_t[]){192, 0, 2, 1}, 4, 0)};
    c.subnet.family = (uint8_t)family;
    c.subnet.source = (uint8_t)source;
    memcpy(c.subnet.ip, ip, (source + 7) / 8);
    const struct gslb_ask ask = {.plan = b->made.plan, .qtype = DNS_TYPE_A, .client = &c};
    gslb_steer(&ask, &b->made.worker, &out);
    return out;
}

/* ---- IPv4 ---- */

static void mark(struct bench *b, uint32_t first, uint32_t count)
{
    for (uint32_t i = first ? first - 1 : 0; i <= first + count && i < MOST; i++)
        b->inside[i / 8] |= (uint8_t)(1 << i % 8);
}

static void mark_net(void *arg, const struct prefix *p, uint32_t value)
{
    unsigned bits = p->bits < 96 + 8 ? 0 : p->bits - 96u;
    if (p->family != 4 || !bits || (value == PREFIXES_NONE && bits < 16))
        return;
    uint32_t first = (uint32_t)p->ip[12] << 16 | (uint32_t)p->ip[13] << 8 | p->ip[14];
    mark(arg, first, bits < 24 ? 1U << (24 - bits) : 1);
}

static int steer24(struct bench *b, uint32_t i24, unsigned *scope)
{
    const uint8_t ip[4] = {(uint8_t)(i24 >> 16), (uint8_t)(i24 >> 8), (uint8_t)i24};
    struct gslb_answer g = steer(b, 1, 24, ip);
    *scope = g.scope;
    return g.site;
}

/* All /24s of what was emitted, or (of the widest) a sample. Longer scopes than 24: that network
 * alone. */
static void check_scope(struct bench *b, uint32_t i24, int site, unsigned scope)
{
    unsigned width = scope < 24 ? 24 - scope : 0, other;
    uint32_t base = i24 >> width << width, count = 1U << width;
    uint32_t step = scope < WIDE ? count / SAMPLES | 1 : 1;
    for (uint32_t k = 0; k < count; k += step)
        if (steer24(b, base + k, &other) != site || (scope < 24 && other != scope))
            fail_msg("%u.%u.%u.0/24: site %d for /%u, which holds %u.%u.%u.0", i24 >> 16,
                     i24 >> 8 & 255, i24 & 255, site, scope, (base + k) >> 16,
                     (base + k) >> 8 & 255, (base + k) & 255);
}

static void every_slash24(void **state)
{
    (void)state;
    for (unsigned of = 0; of < sizeof worlds / sizeof *worlds; of++) {
        struct bench b;
        unsigned checked = 0, scopes = 0, scope;
        uint32_t checked_to = 0; /* scopes before this one are done */
        start(&b, of);
        prefixes_each(geo_db_prefixes(b.db), mark_net, &b);
        mark(&b, 10u << 16 | 64u << 8, 1u << 14);
        for (uint32_t i = 0; i < MOST; i++) {
            bool fence;
            if (!(b.inside[i / 8] & 1 << i % 8))
                continue;
            const uint8_t ip[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
            struct addr a = addr_of_bytes(ip, 4, 0);
            int site = steer24(&b, i, &scope), right = want(&b, &a, &fence);
            checked++;
            if (site != right)
                fail_msg("%s: %u.%u.%u.0/24: site %d, not %d", worlds[of].label, i >> 16,
                         i >> 8 & 255, i & 255, site, right);
            if (i < checked_to)
                continue;
            scopes++;
            check_scope(&b, i, site, scope);
            checked_to = scope < 24 ? ((i >> (24 - scope)) + 1) << (24 - scope) : i + 1;
        }
        print_message("%s: %u networks, %u scopes\n", worlds[of].label, checked, scopes);
        assert_true(checked > 60000 && scopes > 100);
        end(&b);
    }
}

/* ---- IPv6 ---- */

static void many_slash48s(void **state)
{
    struct rng rng;
    (void)state;
    rng_init_fixed(&rng, 4711);
    for (unsigned of = 0; of < sizeof worlds / sizeof *worlds; of++) {
        struct bench b;
        start(&b, of);
        for (unsigned i = 0; i < NETS6; i++) {
            uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8};
            bool fence;
            uint64_t r = rng_u64(&rng);
            memcpy(ip + (i % 8 ? 4 : 0), &r, i % 8 ? 2 : 6);
            struct addr a = {.family = 6};
            memcpy(a.ip, ip, 16);
            struct gslb_answer g = steer(&b, 2, 48, ip);
            int site = want(&b, &a, &fence);
            if (g.site != site)
                fail_msg("%s: %02x%02x:%02x%02x:%02x%02x::/48: site %d, not %d", worlds[of].label,
                         ip[0], ip[1], ip[2], ip[3], ip[4], ip[5], g.site, site);
            for (unsigned k = 0; k < 4; k++) { /* others inside */
                uint8_t other[16];
                memcpy(other, ip, 16);
                uint64_t bits[2] = {rng_u64(&rng), rng_u64(&rng)};
                for (unsigned bit = g.scope; bit < 128; bit++)
                    other[bit / 8] ^= (uint8_t)((bits[bit / 64] >> bit % 64 & 1) << (7 - bit % 8));
                memcpy(a.ip, other, 16);
                if (want(&b, &a, &fence) != site)
                    fail_msg("%s: %02x%02x:%02x%02x:%02x%02x::/48: a /%u that holds others",
                             worlds[of].label, ip[0], ip[1], ip[2], ip[3], ip[4], ip[5], g.scope);
            }
        }
        end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_slash24),
                                       cmocka_unit_test(many_slash48s)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
