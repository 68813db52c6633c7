/* cli/geo_test.c: geo test: what a map of the configuration gives to addresses. */
#include "args_priv.h"
#include "plan_priv.h"
#include "verbs_priv.h"

#include <stdlib.h>
#include <string.h>

#define USAGE "geo test MAP IP... [--json] [--config FILE] [-s SOCKET]"

static int usage(const char *what, const char *word)
{
    if (what)
        fprintf(stderr, "waypost geo test: %s\"%s\"\n", what, word);
    fprintf(stderr, "usage: waypost %s\n", USAGE);
    return EXIT_USAGE;
}

struct verdict {
    const struct geo_list *list;
    int rule;
    unsigned depth;
    char network[ADDR_TEXT_MAX];
};

static struct verdict judge(const struct geo_map *m, const struct addr *a)
{
    struct verdict v = {.rule = geo_map_rule(m, a)};
    v.list = geo_map_find(m, a, &v.depth);
    struct prefix p = {.family = a->family,
                       .bits = (uint8_t)(a->family == 4 ? 96 + v.depth : v.depth)};
    for (unsigned i = 0; i < p.bits && i < 128; i++)
        p.ip[i / 8] |= a->ip[i / 8] & 0x80u >> i % 8;
    prefix_print(&p, v.network);
    return v;
}

static const char *site_name(const struct gslb_plan *p, unsigned site)
{
    return site < p->site_count ? p->sites[site].name : "?";
}

static void print(const struct gslb_plan *p, const struct geo_map *m, const char *ip,
                  const struct verdict *v)
{
    printf("%s  %s  ", ip, v->network);
    if (v->rule < 0)
        printf("no rule matches");
    else
        printf("rule %d \"%s\"", v->rule + 1, geo_map_rule_text(m, v->rule));
    for (unsigned i = 0; i < v->list->count; i++) {
        printf("%s%s", i ? ", " : " → ", site_name(p, v->list->sites[i]));
        if (i < v->list->weighted)
            printf(":%u", (unsigned)v->list->weights[i]);
    }
    printf("%s%s  scope /%u\n", v->list->count ? "" : " → no site",
           v->list->fence ? " and no other" : "", v->depth);
}

static json_t *verdict_json(const struct gslb_plan *p, const struct geo_map *m, const char *ip,
                            const struct verdict *v)
{
    json_t *sites = json_array();
    for (unsigned i = 0; i < v->list->count; i++)
        json_array_append_new(sites, json_string(site_name(p, v->list->sites[i])));
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:b, s:i}", "address", ip, "network", v->network,
                     "rule", v->rule < 0 ? json_null() : json_integer(v->rule + 1), "rule_text",
                     geo_map_rule_text(m, v->rule), "sites", sites, "fence", (int)v->list->fence,
                     "scope", (int)v->depth);
}

static int test(const struct gslb_plan *p, const char *name, const char *const *ips, unsigned count,
                bool json)
{
    const struct geo_map *m = NULL;
    json_t *list = json_array();
    bool none = false;
    for (unsigned i = 0; i < p->map_count && !m; i++)
        m = strcmp(p->maps[i].name, name) != 0 ? NULL : p->maps[i].geo;
    for (unsigned i = 0; m && i < count; i++) {
        struct addr a;
        addr_parse(&a, ips[i], 0); /* tried before */
        struct verdict v = judge(m, &a);
        none = none || !v.list->count;
        if (json)
            json_array_append_new(list, verdict_json(p, m, ips[i], &v));
        else
            print(p, m, ips[i], &v);
    }
    if (json && m) {
        json_t *doc = json_pack("{s:i, s:s, s:O}", "version", 1, "map", name, "addresses", list);
        json_dumpf(doc, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(doc);
    }
    json_decref(list);
    if (!m)
        return usage("there is no map ", name);
    return none ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

int verb_geo_test(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL, **ips = calloc((size_t)argc + 1, sizeof *ips);
    bool json = false;
    struct own_plan o;
    struct words w = {.count = 0};
    unsigned count = 0;
    int code = ips ? EXIT_POSITIVE : EXIT_CANNOT;
    for (int i = 0; i < argc && !code; i++) {
        struct addr a;
        if (!addr_parse(&a, argv[i], 0))
            ips[count++] = argv[i];
        else /* the rest is read as usual */
            argv[i - (int)count] = argv[i];
    }
    if (!code && !args_read(USAGE,
                            (const struct arg[]){{"--json", NULL, &json, NULL},
                                                 {"--config", "-c", NULL, &config},
                                                 {"--socket", "-s", NULL, &socket},
                                                 {NULL, NULL, NULL, NULL}},
                            ARGS_WORDS_MAX, argc - (int)count, argv, &w))
        code = EXIT_USAGE;
    if (!code && w.count > 1)
        code = usage("not an address: ", w.at[1]);
    if (!code && (!w.count || !count))
        code = usage(NULL, "");
    if (!code && !(code = own_plan_load(&o, config, socket, NULL, NULL, 0))) {
        code = test(o.plan, w.at[0], ips, count, json);
        own_plan_free(&o);
    }
    free(ips);
    return code;
}
