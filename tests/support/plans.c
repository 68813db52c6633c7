#include "plans.h"

#include "dns/name.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void made_init(struct made *m, const char *sites, const struct made *of)
{
    memset(m, 0, sizeof *m);
    diag_init(&m->diags);
    m->plan = gslb_plan_new();
    assert_non_null(m->plan);
    m->table_lent = of != NULL;
    m->table = of ? of->table : NULL;
    if (!of)
        assert_int_equal(gslb_table_new(&m->table), 0);
    struct gslb_plan *p = m->plan;
    p->sites = ARENA_ARRAY(&p->arena, struct gslb_site, MADE_SITES);
    p->maps = ARENA_ARRAY(&p->arena, struct gslb_map, MADE_MAPS);
    p->pools = ARENA_ARRAY(&p->arena, struct gslb_pool, MADE_POOLS);
    p->names = ARENA_ARRAY(&p->arena, struct gslb_name, MADE_NAMES);
    char *rest, *text = arena_strdup(&p->arena, sites);
    for (char *s = strtok_r(text, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
        p->sites[p->site_count++].name = s;
    m->worker.table = m->table;
}

void made_fini(struct made *m)
{
    part_unref(&m->plan->part);
    for (unsigned i = 0; i < MADE_MAPS; i++)
        geo_map_free(m->geo[i]);
    if (!m->table_lent)
        gslb_table_free(m->table);
    diag_fini(&m->diags);
}

/* ---- maps ---- */

enum { RULES = 16, PER_RULE = 8 };

struct rules {
    struct geo_rule of[RULES];
    struct geo_network networks[RULES];
    struct prefix prefixes[RULES];
    uint16_t sites[RULES][PER_RULE];
    uint32_t weights[RULES][PER_RULE];
    char names[RULES][8];
    unsigned count, network_count;
};

static void rule_read(struct rules *r, char *text, const struct geo_site *sites, unsigned count)
{
    unsigned at = r->count++;
    struct geo_rule *rule = &r->of[at];
    char *list = strchr(text, '='), *rest;
    assert_non_null(list);
    *list++ = 0;
    if (strcmp(text, "*") != 0) {
        unsigned net = r->network_count++;
        if (prefix_parse(&r->prefixes[net], text))
            fail_msg("%s is no network", text);
        snprintf(r->names[net], sizeof r->names[net], "n%u", net);
        r->networks[net] = (struct geo_network){
            .name = r->names[net], .prefixes = &r->prefixes[net], .prefix_count = 1};
        rule->match = GEO_MATCH_NETWORK;
        rule->number = net;
    }
    size_t len = strlen(list);
    if (len && list[len - 1] == '!') {
        rule->fence = true;
        list[len - 1] = 0;
    }
    rule->sites = r->sites[at];
    for (char *s = strtok_r(list, ",", &rest); s; s = strtok_r(NULL, ",", &rest)) {
        char *weight = strchr(s, ':');
        unsigned i = 0;
        if (weight)
            *weight++ = 0;
        while (i < count && strcmp(sites[i].name, s) != 0)
            i++;
        if (i == count)
            fail_msg("%s is no site", s);
        r->sites[at][rule->site_count] = (uint16_t)i;
        r->weights[at][rule->site_count++] = weight ? (uint32_t)strtoul(weight, NULL, 10) : 0;
        if (weight) {
            rule->prefer = GEO_PREFER_WEIGHTED;
            rule->weights = r->weights[at];
        }
    }
}

static int map_make(struct made *m, const struct geo_site *sites, unsigned count, const char *text)
{
    struct rules r = {.count = 0};
    char *copy = arena_strdup(&m->plan->arena, text), *rest;
    for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest))
        rule_read(&r, s, sites, count);
    const struct geo_map_config c = {.name = "map",
                                     .sites = sites,
                                     .site_count = count,
                                     .networks = r.networks,
                                     .network_count = r.network_count,
                                     .rules = r.of,
                                     .rule_count = r.count};
    struct diag_list d;
    diag_init(&d);
    unsigned at = m->plan->map_count++;
    int err = geo_map_compile(&m->geo[at], &c, &d);
    if (err)
        diag_print(&d, stderr, 0);
    diag_fini(&d);
    if (err)
        fail_msg("map %s", text);
    m->plan->maps[at] =
        (struct gslb_map){.name = "map", .geo = m->geo[at], .network4 = 24, .network6 = 56};
    return (int)at;
}

int made_map(struct made *m, const char *rules)
{
    struct geo_site sites[MADE_SITES];
    for (unsigned i = 0; i < m->plan->site_count; i++)
        sites[i] = (struct geo_site){.name = m->plan->sites[i].name};
    return map_make(m, sites, m->plan->site_count, rules);
}

int made_near(struct made *m, unsigned members, const char *rules)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct geo_site sites[8];
    for (unsigned i = 0; i < members; i++)
        sites[i] = (struct geo_site){.name = names[i]};
    return map_make(m, sites, members, rules);
}

/* ---- pools ---- */

static const uint8_t *wire(struct made *m, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_parse(name, text, strlen(text), NULL);
    assert_true(len > 0);
    return arena_dup(&m->plan->arena, name, (size_t)len);
}

static void endpoint_read(struct made *m, struct gslb_endpoint *e, char *text, unsigned index)
{
    char *weight = strchr(text, '*'), *second;
    e->name = arena_printf(&m->plan->arena, "m%u", index);
    e->enabled = *text != '-';
    e->weight = 1;
    text += !e->enabled;
    if (weight) {
        *weight = 0;
        e->weight = (uint32_t)strtoul(weight + 1, NULL, 10);
    }
    if (!strncmp(text, "cname:", 6) || !strncmp(text, "host:", 5)) {
        e->kind = *text == 'c' ? GSLB_CNAME : GSLB_HOST;
        e->host = wire(m, strchr(text, ':') + 1);
        return;
    }
    if ((second = strchr(text, '|')))
        *second++ = 0;
    for (; text; text = second, second = NULL) {
        struct addr a;
        if (addr_parse(&a, text, 0))
            fail_msg("%s is no address", text);
        e->address[a.family == 6] = a;
    }
}

struct gslb_pool *made_pool(struct made *m, const char *name, const char *site,
                            enum gslb_policy policy, const char *members)
{
    struct gslb_plan *plan = m->plan;
    struct gslb_pool *p = &plan->pools[plan->pool_count++];
    char *rest, *text = arena_strdup(&plan->arena, members);
    *p = (struct gslb_pool){.name = name,
                            .site = *site ? gslb_plan_site(plan, site) : GSLB_NONE,
                            .policy = policy,
                            .network4 = 24,
                            .network6 = 56,
                            .near = GSLB_NONE,
                            .fallback = GSLB_NONE};
    unsigned most = 1;
    for (const char *c = members; *c; c++)
        most += *c == ' ';
    p->endpoints = ARENA_ARRAY(&plan->arena, struct gslb_endpoint, most);
    for (char *s = strtok_r(text, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
        endpoint_read(m, &p->endpoints[p->endpoint_count], s, p->endpoint_count);
        p->endpoint_count++;
    }
    return p;
}

struct gslb_name *made_name(struct made *m, const char *owner, int map, const char *pools)
{
    struct gslb_plan *plan = m->plan;
    struct gslb_name *n = &plan->names[plan->name_count++];
    uint32_t *list = ARENA_ARRAY(&plan->arena, uint32_t, MADE_POOLS);
    char *rest, *text = arena_strdup(&plan->arena, pools);
    *n = (struct gslb_name){.owner = wire(m, owner),
                            .map = map,
                            .pools = list,
                            .fallback_pool = GSLB_NONE,
                            .fallback_name = GSLB_NONE,
                            .outside_pool = GSLB_NONE,
                            .ttl = 300,
                            .ttl_degraded = 30};
    for (char *s = strtok_r(text, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
        int pool = gslb_plan_pool(plan, s);
        if (pool == GSLB_NONE)
            fail_msg("%s is no pool", s);
        list[n->pool_count++] = (uint32_t)pool;
    }
    return n;
}

void made_finish(struct made *m, const struct gslb_plan *before)
{
    int err = gslb_plan_finish(m->plan, before, m->table, 1, &m->diags);
    if (err)
        diag_print(&m->diags, stderr, 0);
    assert_int_equal(err, 0);
    /* What nobody has spoken of is up. */
    for (unsigned i = 0; i < m->plan->pool_count; i++)
        for (unsigned k = 0; k < m->plan->pools[i].endpoint_count; k++)
            gslb_table_put(m->table, m->plan->pools[i].endpoints[k].slot,
                           &(struct gslb_view){.up = true,
                                               .known = true,
                                               .was_up = true,
                                               .permille = 1000,
                                               .until_s = UINT32_MAX});
}

/* ---- asking ---- */

void made_health(struct made *m, const char *member, const char *state)
{
    struct gslb_view v = {.up = true, .known = true, .permille = 1000, .until_s = UINT32_MAX};
    char identity[128];
    for (char *end; *state; state = end) {
        end = (char *)state + 1;
        switch (*state) {
        case 'u':
            v.was_up = true;
            break;
        case 'd':
            v.up = false;
            v.permille = 0;
            break;
        case '?':
            v.known = false;
            v.unsettled = true;
            break;
        case '~':
            v.unsettled = true;
            break;
        case 'w':
            v.was_up = true;
            break;
        case 'p':
            v.permille = (uint16_t)strtoul(state + 1, &end, 10);
            break;
        case 'o':
            v.over = true;
            break;
        case 'l':
            v.has_load = true;
            v.load = (uint32_t)strtoul(state + 1, &end, 10);
            break;
        case 'f':
            v.forced = true;
            v.until_s = (uint32_t)strtoul(state + 1, &end, 10);
            break;
        default:
            fail_msg("state %s", state);
        }
    }
    snprintf(identity, sizeof identity, "member/%s", member);
    uint32_t slot = gslb_table_find(m->table, identity);
    if (slot == GSLB_NO_SLOT)
        fail_msg("%s has no slot", member);
    gslb_table_put(m->table, slot, &v);
}

struct gslb_client made_client(const char *text)
{
    struct gslb_client c = {.source = {.family = 0}};
    char first[64], net[64] = "", base[64];
    unsigned bits = 0;
    if (sscanf(text, "%63s %63s", first, net) < 1 || addr_parse(&c.source, first, 0))
        fail_msg("%s is no client", text);
    if (!*net)
        return c;
    struct addr a;
    if (sscanf(net, "%63[^/]/%u", base, &bits) != 2 || addr_parse(&a, base, 0))
        fail_msg("%s is no network", net);
    bool four = !strchr(base, ':');
    c.subnet = (struct edns_subnet){.family = four ? 1 : 2, .source = (uint8_t)bits};
    memcpy(c.subnet.ip, four ? a.ip + 12 : a.ip, four ? 4 : 16);
    return c;
}

struct gslb_answer made_ask(struct made *m, const char *owner, uint16_t type,
                            const struct gslb_client *c, int64_t now, struct gslb_log *log)
{
    uint8_t name[DNS_NAME_MAX];
    struct gslb_answer out;
    assert_true(dns_name_parse(name, owner, strlen(owner), NULL) > 0);
    int id = gslb_plan_name(m->plan, name);
    if (id == GSLB_NONE)
        fail_msg("%s is not steered", owner);
    const struct gslb_ask ask = {.plan = m->plan,
                                 .name = (unsigned)id,
                                 .qtype = type,
                                 .client = c,
                                 .mono_s = now,
                                 .wall_s = now,
                                 .log = log};
    gslb_steer(&ask, &m->worker, &out);
    return out;
}

const char *made_text(const struct gslb_answer *a, char *out, size_t cap)
{
    size_t at = 0;
    *out = 0;
    if (a->outcome != GSLB_SET)
        return out;
    DNS_RR_FOR (rd, &a->set) {
        char one[DNS_NAME_TEXT_MAX] = "?";
        if (a->set.type == DNS_TYPE_CNAME) {
            dns_name_print(rd.at, one);
        } else if (rd.len == 4 || rd.len == 16) {
            struct addr of = addr_of_bytes(rd.at, rd.len, 0);
            addr_print(&of, one);
        }
        at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " " : "", one);
        assert_true(at < cap);
    }
    return out;
}
