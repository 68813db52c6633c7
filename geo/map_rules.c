/* The rules as they are written: what they say of one place, and whether they say anything at all.
 * All who need an answer come here, so that the table and what it is checked against cannot part.
 */
#include "geo/map.h"

#include "forms_priv.h"
#include "map_priv.h"

#include "base/diag.h"
#include "base/err.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EARTH_KM 6371.0088 /* mean radius, IUGG */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same(const char *a, const char *b, size_t len_b)
{
    size_t i = 0;
    while (i < len_b && a[i] && lower(a[i]) == lower(b[i]))
        i++;
    return i == len_b && !a[i];
}

/* "US/CA": the country, and what comes behind the slash. */
static bool in_country(const char *text, const char *country, const char **rest)
{
    const char *slash = strchr(text, '/');
    *rest = slash ? slash + 1 : "";
    return slash && *country && same(country, text, (size_t)(slash - text));
}

static bool is_unknown(const struct geo_place *p)
{
    return !p || (!*p->continent && !*p->country && !p->has_position);
}

bool map_rule_matches(const struct geo_rule *r, uint32_t net, const struct geo_place *p)
{
    const char *rest;
    switch (r->match) {
    case GEO_MATCH_ANY:
        return true;
    case GEO_MATCH_NETWORK:
        return net == r->number + 1;
    case GEO_MATCH_UNKNOWN:
        return is_unknown(p);
    case GEO_MATCH_ASN:
        return p && p->asn == r->number;
    case GEO_MATCH_CONTINENT:
        return p && same(p->continent, r->text, strlen(r->text));
    case GEO_MATCH_COUNTRY:
        return p && same(p->country, r->text, strlen(r->text));
    case GEO_MATCH_SUBDIVISION:
        if (!p || !in_country(r->text, p->country, &rest))
            return false;
        for (unsigned i = 0; i < GEO_SUBDIVISIONS_MAX; i++)
            if (same(p->subdivision[i], rest, strlen(rest)))
                return true;
        return false;
    case GEO_MATCH_CITY:
        return p && in_country(r->text, p->country, &rest) && p->city &&
               same(p->city, rest, strlen(rest));
    }
    return false;
}

const char *map_rule_text(struct arena *arena, const struct geo_map_config *c,
                          const struct geo_rule *r)
{
    switch (r->match) {
    case GEO_MATCH_ANY:
        break;
    case GEO_MATCH_NETWORK:
        return arena_printf(arena, "network %s", c->networks[r->number].name);
    case GEO_MATCH_CONTINENT:
        return arena_printf(arena, "continent %s", r->text);
    case GEO_MATCH_COUNTRY:
        return arena_printf(arena, "country %s", r->text);
    case GEO_MATCH_SUBDIVISION:
        return arena_printf(arena, "subdivision %s", r->text);
    case GEO_MATCH_CITY:
        return arena_printf(arena, "city %s", r->text);
    case GEO_MATCH_ASN:
        return arena_printf(arena, "AS%u", r->number);
    case GEO_MATCH_UNKNOWN:
        return "unknown place";
    }
    return "any";
}

/* ---- distance ---- */

static double great_circle_km(double latitude1, double longitude1, double latitude2,
                              double longitude2)
{
    const double degree = acos(-1.0) / 180;
    double up = sin((latitude2 - latitude1) * degree / 2);
    double along = sin((longitude2 - longitude1) * degree / 2);
    double h = up * up + cos(latitude1 * degree) * cos(latitude2 * degree) * along * along;
    return 2 * EARTH_KM * asin(sqrt(h < 1 ? h : 1));
}

struct ranked {
    uint16_t site;
    double km;
};

/* Groups of sites of which none is farther than the first by more than the radius, each in the
 * map's order; sites without a position come last. */
static void rank(const struct geo_map_config *c, const struct geo_place *p, uint16_t *sites,
                 unsigned n)
{
    struct ranked r[GEO_SITES_MAX];
    for (unsigned i = 0; i < n; i++) {
        const struct geo_site *s = &c->sites[sites[i]];
        struct ranked x = {sites[i], INFINITY};
        if (s->has_position)
            x.km = great_circle_km((double)p->latitude, (double)p->longitude, (double)s->latitude,
                                   (double)s->longitude);
        unsigned at = i;
        for (; at > 0 && (r[at - 1].km > x.km || (r[at - 1].km == x.km && r[at - 1].site > x.site));
             at--)
            r[at] = r[at - 1];
        r[at] = x;
    }
    for (unsigned from = 0, to; from < n; from = to) {
        for (to = from; to < n && (isinf(r[from].km) || r[to].km <= r[from].km + p->radius_km);
             to++) {
            unsigned at = to;
            for (; at > from && sites[at - 1] > r[to].site; at--)
                sites[at] = sites[at - 1];
            sites[at] = r[to].site;
        }
    }
}

int map_rules_match(const struct geo_map_config *c, uint32_t net, const struct geo_place *place)
{
    for (unsigned i = 0; i < c->rule_count; i++)
        if (map_rule_matches(&c->rules[i], net, place))
            return (int)i;
    return -1;
}

void map_rules_apply(const struct geo_map_config *c, uint32_t net, const struct geo_place *place,
                     struct geo_list *out, uint16_t sites[GEO_SITES_MAX])
{
    unsigned n = 0;
    int i = map_rules_match(c, net, place);
    *out = (struct geo_list){.sites = sites, .rule = -1};
    if (i < 0)
        return;
    const struct geo_rule *r = &c->rules[i];
    bool taken[GEO_SITES_MAX] = {false};
    for (; n < r->site_count; n++) {
        sites[n] = r->sites[n];
        taken[sites[n]] = true;
    }
    if (r->prefer == GEO_PREFER_NEAREST && !n)
        for (; n < c->site_count; n++) {
            sites[n] = (uint16_t)n;
            taken[n] = true;
        }
    if (r->prefer == GEO_PREFER_NEAREST && place && place->has_position)
        rank(c, place, sites, n);
    unsigned least = r->prefer == GEO_PREFER_WEIGHTED ? n : 0;
    for (uint16_t s = 0; s < c->site_count && !r->fence; s++)
        if (!taken[s])
            sites[n++] = s;
    unsigned limit = r->limit ? r->limit : c->limit;
    if (limit && limit < n)
        n = limit > least ? limit : least;
    *out = (struct geo_list){.sites = sites,
                             .weights = least ? r->weights : NULL,
                             .count = n,
                             .weighted = least,
                             .rule = i,
                             .fence = r->fence};
}

bool map_list_equal(const struct geo_list *a, const struct geo_list *b)
{
    return a->count == b->count && a->weighted == b->weighted && a->fence == b->fence &&
           (!a->count || !memcmp(a->sites, b->sites, a->count * sizeof *a->sites)) &&
           (!a->weighted || !memcmp(a->weights, b->weights, a->weighted * sizeof *a->weights));
}

/* ---- what is known of a client ---- */

bool map_place_needs_first(const struct geo_map_config *c, uint32_t net)
{
    return !net || !c->networks[net - 1].place;
}

bool map_place_needs_second(const struct geo_place *first)
{
    return is_unknown(first) || !first->asn;
}

const struct geo_place *map_place(const struct geo_map_config *c, uint32_t net,
                                  const struct geo_place *first, const struct geo_place *second,
                                  struct geo_place *mixed)
{
    if (!map_place_needs_first(c, net))
        first = c->networks[net - 1].place;
    if (!first || !second || !map_place_needs_second(first))
        return first ? first : second;
    bool where = is_unknown(first) && !is_unknown(second), who = !first->asn && second->asn;
    if (!where && !who)
        return first;
    *mixed = where ? *second : *first;
    const struct geo_place *known = who ? second : first;
    mixed->asn = known->asn;
    mixed->organisation = known->organisation;
    return mixed;
}

void map_base(struct addr *a, uint8_t narrowest4, uint8_t narrowest6)
{
    unsigned bits = a->family == 4 ? 96u + narrowest4 : narrowest6;
    if (a->family == 4 ? !narrowest4 : !narrowest6)
        return;
    for (unsigned i = 0; i < 16; i++) {
        unsigned left = bits > 8 * i ? bits - 8 * i : 0;
        a->ip[i] &= (uint8_t)(left < 8 ? 0xff00 >> left : 0xff);
    }
}

static const struct geo_place *place_in(const struct geo_db *db, const struct addr *known)
{
    uint32_t value = db ? prefixes_find(geo_db_prefixes(db), known, NULL) : PREFIXES_NONE;
    return value == PREFIXES_NONE ? NULL : geo_db_place(db, value - 1);
}

void geo_map_evaluate(const struct geo_map_config *c, const struct addr *a, struct geo_list *out,
                      uint16_t sites[GEO_SITES_MAX])
{
    unsigned shift, longest = 0;
    uint32_t net = 0;
    struct geo_place mixed;
    struct addr known = prefixes_canonical(a, &shift);
    map_base(&known, c->narrowest4, c->narrowest6);
    for (unsigned i = 0; i < c->network_count; i++) {
        for (unsigned k = 0; k < c->networks[i].prefix_count; k++) {
            const struct prefix *p = &c->networks[i].prefixes[k];
            if (p->family == known.family && p->bits >= longest && prefix_has(p, &known)) {
                longest = p->bits;
                net = i + 1;
            }
        }
    }
    const struct geo_place *place =
        map_place(c, net, place_in(c->db, &known), place_in(c->asn_db, &known), &mixed);
    map_rules_apply(c, net, place, out, sites);
}

/* ---- are they right ---- */

struct check {
    const struct geo_map_config *c;
    struct diag_list *d;
    unsigned rule; /* index */
    bool wrong;
};

__attribute__((format(printf, 2, 3))) static void rule_wrong(struct check *k, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(k->d, DIAG_ERROR, NULL, "map %s: rule %u: %s", k->c->name, k->rule + 1, text);
    k->wrong = true;
}

static bool is_letters(const char *s, size_t len, size_t want)
{
    for (size_t i = 0; i < len; i++)
        if (lower(s[i]) < 'a' || lower(s[i]) > 'z')
            return false;
    return len == want;
}

/* "CC/" and something behind it. */
static bool is_split(const char *s)
{
    const char *slash = strchr(s, '/');
    return slash && is_letters(s, (size_t)(slash - s), 2) && slash[1];
}

static void check_match(struct check *k, const struct geo_rule *r)
{
    static const char *const continents[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};
    const char *text = r->text ? r->text : "";
    bool found = false;
    switch (r->match) {
    case GEO_MATCH_ANY:
    case GEO_MATCH_UNKNOWN:
        break;
    case GEO_MATCH_NETWORK:
        if (r->number >= k->c->network_count)
            rule_wrong(k, "there is no operator network of number %" PRIu32, r->number);
        break;
    case GEO_MATCH_ASN:
        if (!r->number)
            rule_wrong(k, "0 is not the number of an autonomous system (RFC 7607)");
        break;
    case GEO_MATCH_CONTINENT:
        for (size_t i = 0; i < sizeof continents / sizeof *continents; i++)
            found = found || same(continents[i], text, strlen(text));
        if (!found)
            rule_wrong(k, "\"%.64s\" is not a continent (AF AN AS EU NA OC SA)", text);
        break;
    case GEO_MATCH_COUNTRY:
        if (!is_letters(text, strlen(text), 2))
            rule_wrong(k, "\"%.64s\" is not a country (two letters of ISO 3166-1)", text);
        break;
    case GEO_MATCH_SUBDIVISION:
        if (!is_split(text) || strlen(text) > 6)
            rule_wrong(k, "\"%.64s\" is not a subdivision (as \"US/CA\", ISO 3166-2)", text);
        break;
    case GEO_MATCH_CITY:
        if (!is_split(text))
            rule_wrong(k, "\"%.64s\" is not a city (as \"FR/Paris\")", text);
        break;
    }
}

static void check_sites(struct check *k, const struct geo_rule *r)
{
    const struct geo_map_config *c = k->c;
    bool taken[GEO_SITES_MAX] = {false}, anywhere = false;
    uint64_t sum = 0;
    if (r->prefer != GEO_PREFER_NEAREST && !r->site_count)
        rule_wrong(k, "it has no site");
    for (unsigned i = 0; i < r->site_count; i++) {
        uint16_t s = r->sites[i];
        if (s >= c->site_count) {
            rule_wrong(k, "there is no site of number %u", s);
            return;
        }
        if (taken[s])
            rule_wrong(k, "site %s is there twice", c->sites[s].name);
        taken[s] = true;
        anywhere = anywhere || c->sites[s].has_position;
        sum += r->weights && r->prefer == GEO_PREFER_WEIGHTED ? r->weights[i] : 0;
    }
    for (unsigned s = 0; s < c->site_count && !r->site_count; s++)
        anywhere = anywhere || c->sites[s].has_position;
    if (r->prefer == GEO_PREFER_NEAREST && !anywhere)
        rule_wrong(k, "none of its sites has a position to be nearest by");
    if (r->prefer == GEO_PREFER_WEIGHTED && r->site_count && !sum)
        rule_wrong(k, "its weights have no sum");
    if (sum > UINT32_MAX)
        rule_wrong(k, "the sum of its weights is above %" PRIu32, UINT32_MAX);
}

/* Not of the networks against one another: that shows when they are put into a table. */
static bool networks_are_wrong(const struct geo_map_config *c, struct diag_list *d)
{
    char text[ADDR_TEXT_MAX];
    bool wrong = false;
    for (unsigned i = 0; i < c->network_count; i++) {
        const struct geo_network *net = &c->networks[i];
        for (unsigned k = 0; k < net->prefix_count; k++) {
            const struct prefix *p = &net->prefixes[k];
            if (p->family == 4 || !forms_have(p->ip, p->bits))
                continue;
            diag_add(d, DIAG_ERROR, &(struct diag_at){.hint = "write the IPv4 network"},
                     "map %s: network %s: addresses in %s stand for IPv4 ones", c->name, net->name,
                     prefix_print(p, text));
            wrong = true;
        }
    }
    return wrong;
}

int map_check(const struct geo_map_config *c, struct diag_list *d)
{
    struct check k = {.c = c, .d = d};
    if (c->site_count > GEO_SITES_MAX) {
        diag_add(d, DIAG_ERROR, NULL, "map %s: %u sites, at most %u can be had", c->name,
                 c->site_count, GEO_SITES_MAX);
        return ERR_LIMIT;
    }
    for (unsigned i = 0; i < c->site_count; i++) {
        const struct geo_site *s = &c->sites[i];
        /* Written so that what is not a number fails too. */
        if (s->has_position && !(fabsf(s->latitude) <= 90.0F && fabsf(s->longitude) <= 180.0F)) {
            diag_add(d, DIAG_ERROR, NULL, "map %s: site %s lies off the globe", c->name, s->name);
            k.wrong = true;
        }
    }
    if (c->narrowest4 > 32 || c->narrowest6 > 128) {
        diag_add(d, DIAG_ERROR, NULL, "map %s: narrowest is at most 32 for IPv4, 128 for IPv6",
                 c->name);
        k.wrong = true;
    }
    for (; k.rule < c->rule_count; k.rule++) {
        check_match(&k, &c->rules[k.rule]);
        check_sites(&k, &c->rules[k.rule]);
    }
    bool nets_wrong = networks_are_wrong(c, d);
    return k.wrong || nets_wrong ? ERR_INVALID : 0;
}
