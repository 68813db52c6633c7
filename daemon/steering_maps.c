/* daemon/steering_maps.c: maps of `gslb`: the operator's networks, rules, and what they are made
 * of. The text that a map was compiled from tells at the next reload whether it changed: its keys
 * as they are written, the sites, and the networks of its files. */
#include "base/err.h"
#include "geo/map.h"
#include "steering_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK_FILE_MAX (64u << 20)
#define LISTS            "gslb.maps.*.networks"
#define OVERLAY          "gslb.maps.*.overlay[]"
#define RULES            "gslb.maps.*.rules[]"

/* One map while it is read; all in scratch memory. */
struct map_reader {
    struct steering *s;
    const struct config_node *item;  /* of the map */
    const struct config_node *lists; /* its networks */
    const struct config_node *sites; /* of all maps */
    struct geo_network *networks;
    struct geo_rule *rules;
    unsigned network_count, rule_count;
};

static void *scratch(struct steering *s, size_t n)
{
    void *at = arena_zalloc(&s->scratch, n);
    s->nomem = s->nomem || !at;
    return at;
}
#define SCRATCH(s, type, n) ((type *)scratch((s), sizeof(type) * (n)))

/* ---- networks ---- */

struct prefix_list {
    struct prefix *at;
    unsigned count, room;
};

static bool prefix_list_grow(struct steering *s, struct prefix_list *l, unsigned more)
{
    struct prefix *at = SCRATCH(s, struct prefix, l->count + more);
    if (!at)
        return false;
    if (l->count)
        memcpy(at, l->at, l->count * sizeof *at);
    l->at = at;
    l->room = l->count + more;
    return true;
}

static void read_line(struct steering *s, const char *path, unsigned number, const char *line,
                      size_t len, struct prefix_list *l)
{
    char text[ADDR_TEXT_MAX];
    size_t skip = 0;
    const char *hash = memchr(line, '#', len);
    len = hash ? (size_t)(hash - line) : len;
    while (skip < len && strchr(" \t\r", line[skip]))
        skip++;
    while (len > skip && strchr(" \t\r", line[len - 1]))
        len--;
    if (len == skip)
        return;
    snprintf(text, sizeof text, "%.*s", (int)(len - skip), line + skip);
    if (len - skip < sizeof text && !prefix_parse(&l->at[l->count], text)) {
        l->count++;
        return;
    }
    diag_add(s->diags, DIAG_ERROR,
             &(struct diag_at){.file = path,
                               .line = number,
                               .column = (unsigned)skip + 1,
                               .source = line,
                               .source_len = len,
                               .width = (unsigned)(len - skip)},
             "not a network such as 192.0.2.0/24, without bits beyond its length");
}

/* Whole file, at most NETWORK_FILE_MAX, into scratch memory. */
static char *read_text(struct steering *s, const char *path, size_t *len, int *err)
{
    FILE *f = fopen(path, "re");
    *err = f ? 0 : err_of_errno(errno);
    char *text = NULL;
    size_t room = 65536, n = 0;
    while (f && !*err) {
        char *more = arena_alloc(&s->scratch, room + 1);
        if (!more || room > NETWORK_FILE_MAX) {
            *err = more ? ERR_LIMIT : ERR_NOMEM;
            break;
        }
        if (n)
            memcpy(more, text, n);
        text = more;
        n += fread(text + n, 1, room - n, f);
        if (ferror(f))
            *err = err_of_errno(errno);
        if (n < room)
            break;
        room *= 2;
    }
    if (f)
        fclose(f);
    *len = n;
    return *err ? NULL : text;
}

/* CIDR per line; # begins a comment. */
static void read_file(struct steering *s, const struct config_node *at, const char *name,
                      struct prefix_list *l)
{
    size_t len = 0;
    int err = 0;
    unsigned number = 0, lines = 1;
    const char *path = steering_file(s, name), *text = NULL;
    if (path && steering_file_note(s, path, fileid_of(path)))
        text = read_text(s, path, &len, &err);
    if (!text) {
        if (path)
            steering_wrong(s, at, err_remedy(err), "%s cannot be read: %s", path, err_text(err));
        return;
    }
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    if (!prefix_list_grow(s, l, lines))
        return;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        read_line(s, path, ++number, p, (size_t)((nl ? nl : end) - p), l);
        p = nl ? nl + 1 : end;
    }
}

static void read_prefixes(struct map_reader *r, const struct config_node *item, const char *list,
                          const char *file, struct geo_network *out)
{
    struct steering *s = r->s;
    struct prefix_list l = {NULL, 0, 0};
    unsigned n = config_count(s->c, item, list);
    const char *name = config_text(s->c, item, file);
    if (!prefix_list_grow(s, &l, n))
        return;
    for (unsigned i = 0; i < n; i++)
        l.count += !prefix_parse(&l.at[l.count], config_text_at(s->c, item, list, i));
    if (name)
        read_file(s, config_node(s->c, item, file), name, &l);
    else if (!n)
        steering_wrong(s, item, "write networks, or a file of them",
                       "there is no network in this list");
    out->prefixes = l.at;
    out->prefix_count = l.count;
}

#define CODE(field, path)                                                                    \
    do {                                                                                     \
        const char *code_text = config_text(s->c, item, path);                               \
        if (code_text && strlen(code_text) >= sizeof(field))                                 \
            steering_wrong(s, config_node(s->c, item, path), NULL, "\"%s\" is no such code", \
                           code_text);                                                       \
        snprintf(field, sizeof(field), "%s", code_text ? code_text : "");                    \
    } while (0)

static const struct geo_place *read_place(struct map_reader *r, const struct config_node *item)
{
    struct steering *s = r->s;
    float at[2] = {0};
    struct geo_place *p = SCRATCH(s, struct geo_place, 1);
    if (!p || !config_node(s->c, item, LISTS ".*.place"))
        return NULL;
    CODE(p->continent, LISTS ".*.place.continent");
    CODE(p->country, LISTS ".*.place.country");
    CODE(p->subdivision[0], LISTS ".*.place.subdivision");
    const char *city = config_text(s->c, item, LISTS ".*.place.city");
    p->city = city ? city : "";
    p->organisation = "";
    p->asn = (uint32_t)config_int(s->c, item, LISTS ".*.place.asn");
    p->has_position = config_position(s->c, item, LISTS ".*.place.at", at);
    p->latitude = at[0];
    p->longitude = at[1];
    return p;
}

/* Those with names in order, so that a rule's index is theirs, then one of each overlay. */
static void read_networks(struct map_reader *r)
{
    struct steering *s = r->s;
    unsigned named, overlays, n = 0;
    const struct config_node *item = steering_first(s, r->item, LISTS, &named),
                             *over = steering_first(s, r->item, "gslb.maps.*.overlay", &overlays);
    r->networks = SCRATCH(s, struct geo_network, named + overlays);
    if (!r->networks)
        return;
    for (; item; item = item->next, n++) {
        steering_check_name(s, item, "network");
        r->networks[n].name = item->key;
        read_prefixes(r, item, LISTS ".*.of", LISTS ".*.file", &r->networks[n]);
        r->networks[n].place = read_place(r, item);
    }
    for (unsigned i = 0; i < overlays; i++, over = over->next, n++) {
        char *name = arena_printf(&s->scratch, "overlay[%u]", i);
        s->nomem = s->nomem || !name;
        r->networks[n].name = name;
        read_prefixes(r, over, OVERLAY ".networks", OVERLAY ".file", &r->networks[n]);
    }
    r->network_count = n;
}

/* ---- rules ---- */

static void read_sites(struct map_reader *r, const struct config_node *list, bool weighted,
                       struct geo_rule *rule)
{
    struct steering *s = r->s;
    bool alone = list->kind == TREE_SCALAR;
    unsigned n = alone ? 1 : list->count, i = 0;
    uint16_t *sites = SCRATCH(s, uint16_t, n);
    uint32_t *weights = SCRATCH(s, uint32_t, n);
    if (!sites || !weights)
        return;
    for (const struct config_node *it = alone ? list : list->child; i < n; it = it->next, i++) {
        struct config_node key = {.line = it->key_line, .column = it->key_column, .text = it->key};
        int site = steering_index(s, r->sites, "site", weighted ? &key : it,
                                  weighted ? it->key : it->text);
        sites[i] = (uint16_t)(site < 0 ? 0 : site);
        weights[i] = weighted ? (uint32_t)strtoul(it->text, NULL, 10) : 0;
        for (unsigned j = 0; site >= 0 && j < i; j++)
            if (sites[j] == sites[i])
                steering_wrong(s, it, NULL, "this site is written twice");
    }
    rule->sites = sites;
    rule->weights = weighted ? weights : NULL;
    rule->site_count = n;
}

/* Which sites: `prefer` in one of its shapes, or `nearest` (NULL: the key is not known here). */
static void read_prefer(struct map_reader *r, const struct config_node *item,
                        const struct config_node *prefer, const struct config_node *nearest,
                        struct geo_rule *rule)
{
    struct steering *s = r->s;
    if (!prefer == !nearest) {
        steering_wrong(s, item, "write prefer: [sites], or nearest: [sites]", "this rule %s",
                       prefer ? "says twice which sites" : "does not say which sites");
    } else if (nearest) {
        rule->prefer = GEO_PREFER_NEAREST;
        read_sites(r, nearest, false, rule);
    } else if (prefer->kind == TREE_SCALAR && !strcmp(prefer->text, "nearest")) {
        rule->prefer = GEO_PREFER_NEAREST;
    } else {
        bool weighted = prefer->kind == TREE_MAP;
        rule->prefer = weighted ? GEO_PREFER_WEIGHTED : GEO_PREFER_LIST;
        read_sites(r, prefer, weighted, rule);
    }
}

static const struct {
    const char *path;
    enum geo_match match;
} matches[] = {{RULES ".network", GEO_MATCH_NETWORK}, {RULES ".continent", GEO_MATCH_CONTINENT},
               {RULES ".country", GEO_MATCH_COUNTRY}, {RULES ".subdivision", GEO_MATCH_SUBDIVISION},
               {RULES ".city", GEO_MATCH_CITY},       {RULES ".asn", GEO_MATCH_ASN},
               {RULES ".unknown", GEO_MATCH_UNKNOWN}};
#define MATCHES (sizeof matches / sizeof *matches)

static unsigned rule_values(const struct steering *s, const struct config_node *item)
{
    unsigned n = 1;
    for (size_t i = 0; i < MATCHES; i++)
        n += config_count(s->c, item, matches[i].path);
    return n;
}

/* One rule as it is written becomes one for each value that it matches. */
static void read_rule(struct map_reader *r, const struct config_node *item)
{
    struct steering *s = r->s;
    unsigned kinds = 0;
    struct geo_rule rule = {.limit = (unsigned)config_int(s->c, item, RULES ".limit"),
                            .fence = config_bool(s->c, item, RULES ".fence")};
    read_prefer(r, item, config_node(s->c, item, RULES ".prefer"),
                config_node(s->c, item, RULES ".nearest"), &rule);
    for (size_t i = 0; i < MATCHES; i++) {
        const char *path = matches[i].path;
        bool unknown = matches[i].match == GEO_MATCH_UNKNOWN;
        if (!config_node(s->c, item, path) || (unknown && !config_bool(s->c, item, path)))
            continue;
        kinds++;
        rule.match = matches[i].match;
        for (unsigned k = 0; k < config_count(s->c, item, path); k++) {
            const char *text = config_text_at(s->c, item, path, k);
            rule.text = text;
            rule.number = rule.match == GEO_MATCH_ASN ? (uint32_t)strtoul(text, NULL, 10) : 0;
            if (rule.match == GEO_MATCH_NETWORK) {
                int at = steering_index(s, r->lists, "network", config_node_at(s->c, item, path, k),
                                        text);
                rule.number = at < 0 ? 0 : (uint32_t)at;
            }
            r->rules[r->rule_count++] = rule;
        }
    }
    if (kinds != 1)
        steering_wrong(s, item, "network, continent, country, subdivision, city, asn or unknown",
                       kinds ? "this rule matches by two things"
                             : "this rule does not say whom it is for");
}

static void read_overlay(struct map_reader *r, const struct config_node *item, unsigned network)
{
    struct geo_rule *rule = &r->rules[r->rule_count++];
    *rule = (struct geo_rule){.match = GEO_MATCH_NETWORK,
                              .number = network,
                              .limit = (unsigned)config_int(r->s->c, item, OVERLAY ".limit"),
                              .fence = config_bool(r->s->c, item, OVERLAY ".fence")};
    read_prefer(r, item, config_node(r->s->c, item, OVERLAY ".prefer"), NULL, rule);
}

static void read_rules(struct map_reader *r)
{
    struct steering *s = r->s;
    unsigned overlays, n, room = 1;
    const struct config_node *over = steering_first(s, r->item, "gslb.maps.*.overlay", &overlays),
                             *item = steering_first(s, r->item, "gslb.maps.*.rules", &n),
                             *otherwise = config_node(s->c, r->item, "gslb.maps.*.otherwise");
    for (const struct config_node *it = item; it; it = it->next)
        room += rule_values(s, it);
    r->rules = SCRATCH(s, struct geo_rule, room + overlays);
    if (!r->rules)
        return;
    for (unsigned i = 0; i < overlays; i++, over = over->next)
        read_overlay(r, over, r->network_count - overlays + i);
    for (; item; item = item->next)
        read_rule(r, item);
    if (otherwise)
        read_prefer(r, otherwise, otherwise, NULL, &r->rules[r->rule_count++]);
}

/* ---- what a map is made of ---- */

/* Depth is that of the tree. */
static void print_node(FILE *out, const struct config_node *n) /* NOLINT(misc-no-recursion) */
{
    fprintf(out, "%d %s=%s(", (int)n->kind, n->key ? n->key : "", n->text ? n->text : "");
    for (const struct config_node *it = n->child; it; it = it->next)
        print_node(out, it);
    fputs(")", out);
}

static void print_parts(FILE *out, const struct map_reader *r)
{
    if (r->sites)
        print_node(out, r->sites);
    print_node(out, r->item);
    for (unsigned i = 0; i < r->network_count; i++)
        if (r->networks[i].prefix_count)
            fwrite(r->networks[i].prefixes, sizeof(struct prefix), r->networks[i].prefix_count,
                   out);
}

static void take_tables(struct map_reader *r, struct gslb_map *m, struct geo_map_config *config,
                        const char *more)
{
    struct steering *s = r->s;
    char *rules = NULL;
    size_t len = 0;
    struct steering_db *db = steering_db_take(s, r->item, "gslb.maps.*.database"),
                       *asn = steering_db_take(s, r->item, "gslb.maps.*.asn-database");
    FILE *out = open_memstream(&rules, &len);
    if (out) {
        print_parts(out, r);
        fputs(more, out);
        fclose(out);
    }
    if (!rules)
        s->nomem = true;
    if (!s->nomem)
        steering_geo_take(s, m, config, db, asn, rules, len);
    free(rules);
}

static void read_common(struct map_reader *r, struct gslb_map *m, struct geo_map_config *config)
{
    struct steering *s = r->s;
    const struct config *c = s->c;
    m->ignore_subnet = !strcmp(config_text(c, r->item, "gslb.maps.*.client-subnet"), "ignore");
    steering_lengths(s, r->item, "gslb.maps.*.widest", &m->widest4, &m->widest6);
    steering_lengths(s, NULL, "gslb.networks", &m->network4, &m->network6);
    steering_lengths(s, r->item, "gslb.maps.*.narrowest", &config->narrowest4, &config->narrowest6);
    config->name = m->name;
    config->networks = r->networks;
    config->network_count = r->network_count;
}

static void read_map(struct steering *s, const struct config_node *item, struct gslb_map *m,
                     const struct geo_site *sites)
{
    struct map_reader r = {.s = s,
                           .item = item,
                           .lists = config_node(s->c, item, LISTS),
                           .sites = config_node(s->c, NULL, "gslb.sites")};
    unsigned errors = s->diags->errors;
    steering_check_name(s, item, "map");
    m->name = steering_strdup(s, item->key);
    read_networks(&r);
    read_rules(&r);
    if (s->nomem || s->diags->errors > errors)
        return;
    struct geo_map_config config = {.sites = sites,
                                    .site_count = s->plan->site_count,
                                    .rules = r.rules,
                                    .rule_count = r.rule_count,
                                    .limit = (unsigned)config_int(s->c, item, "gslb.maps.*.limit")};
    read_common(&r, m, &config);
    take_tables(&r, m, &config, "");
}

static struct geo_site *all_sites(struct steering *s)
{
    const struct gslb_plan *p = s->plan;
    struct geo_site *sites = SCRATCH(s, struct geo_site, p->site_count);
    for (unsigned i = 0; sites && i < p->site_count; i++)
        sites[i] = (struct geo_site){p->sites[i].name, p->sites[i].has_position,
                                     p->sites[i].latitude, p->sites[i].longitude};
    return sites;
}

/* Pools may add one each. */
void steering_maps_read(struct steering *s)
{
    unsigned n, pools;
    const struct config_node *item = steering_first(s, NULL, "gslb.maps", &n);
    steering_first(s, NULL, "gslb.pools", &pools);
    const struct geo_site *sites = all_sites(s);
    s->plan->maps = STEERING_ARRAY(s, struct gslb_map, n + pools);
    s->db = SCRATCH(s, struct steering_db *, 2 * n);
    for (; !s->nomem && item; item = item->next)
        read_map(s, item, &s->plan->maps[s->plan->map_count++], sites);
}

/* ---- members in order of distance ---- */

/* Whose databases and networks say where a client is: the map that is named, or the only one. */
static const struct config_node *base_map(struct steering *s, const struct config_node *pool)
{
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.maps", &n);
    const char *name = config_text(s->c, pool, "gslb.pools.*.choose.map");
    const struct config_node *at = config_node(s->c, pool, "gslb.pools.*.choose.map");
    if (!name && n == 1)
        return item;
    if (!name) {
        steering_key_wrong(s, pool, "choose: { by: nearest, map: NAME }",
                           n ? "which map says where clients are?"
                             : "a pool that chooses the nearest needs a map with a database");
        return NULL;
    }
    int i = steering_index(s, config_node(s->c, NULL, "gslb.maps"), "map", at, name);
    while (i-- > 0)
        item = item->next;
    return i == -1 ? item : NULL;
}

static char *print_members(struct steering *s, const struct gslb_endpoint *members, unsigned count)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    for (unsigned i = 0; out && i < count; i++)
        fprintf(out, "|%s %d %a %a", members[i].name, members[i].has_position,
                (double)members[i].latitude, (double)members[i].longitude);
    if (out)
        fclose(out);
    s->nomem = s->nomem || !text;
    return text;
}

int steering_map_near(struct steering *s, const struct config_node *pool, const char *name,
                      const struct gslb_endpoint *members, unsigned count)
{
    struct geo_rule rule = {.match = GEO_MATCH_ANY, .prefer = GEO_PREFER_NEAREST};
    const struct config_node *item = base_map(s, pool);
    struct geo_site *sites = SCRATCH(s, struct geo_site, count);
    bool anywhere = false;
    for (unsigned i = 0; sites && i < count; i++) {
        sites[i] = (struct geo_site){members[i].name, members[i].has_position, members[i].latitude,
                                     members[i].longitude};
        anywhere = anywhere || members[i].has_position;
    }
    if (item && !anywhere)
        steering_key_wrong(s, pool, "write at: [latitude, longitude] for its site or its members",
                           "the nearest member is asked for, and no member has a position");
    if (count > GEO_SITES_MAX)
        steering_key_wrong(s, pool, NULL, "the nearest of %u members, of at most %d it can be had",
                           count, GEO_SITES_MAX);
    if (!item || !sites || !anywhere || count > GEO_SITES_MAX)
        return GSLB_NONE;
    struct gslb_map *m = &s->plan->maps[s->plan->map_count];
    struct map_reader r = {.s = s, .item = item, .lists = config_node(s->c, item, LISTS)};
    char *own = arena_printf(&s->plan->arena, "pool/%s", name);
    char *more = print_members(s, members, count);
    unsigned errors = s->diags->errors;
    m->name = own;
    s->nomem = s->nomem || !own;
    read_networks(&r);
    struct geo_map_config config = {
        .sites = sites, .site_count = count, .rules = &rule, .rule_count = 1};
    if (!s->nomem && s->diags->errors == errors) {
        read_common(&r, m, &config);
        take_tables(&r, m, &config, more);
    }
    free(more);
    return (int)s->plan->map_count++;
}
