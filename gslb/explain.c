/* The log of one decision as a document: who asked, which map, what came out and for whom it holds.
 * Pools and steps: explain_pools.c; what would happen next: explain_then.c. */
#include "explain_priv.h"

#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORD_TEXT_MAX = 8192 };

void tell(struct telling *t, json_t *object, const char *key, json_t *value)
{
    t->failed |= json_object_set_new(object, key, value) != 0;
}

void tell_text(struct telling *t, json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text);
    tell(t, object, key, value ? value : json_string("(not UTF-8)"));
}

void tell_item(struct telling *t, json_t *array, json_t *value)
{
    t->failed |= json_array_append_new(array, value) != 0;
}

/* ---- words ---- */

const char *explain_all_down_name(enum gslb_all_down what)
{
    static const char *const names[] = {[GSLB_DOWN_LAST_HEALTHY] = "last-healthy-then-all",
                                        [GSLB_DOWN_ALL] = "all",
                                        [GSLB_DOWN_FALLBACK] = "fallback",
                                        [GSLB_DOWN_NODATA] = "nodata",
                                        [GSLB_DOWN_REFUSE] = "refuse"};
    return (size_t)what < sizeof names / sizeof *names ? names[what] : "";
}

const char *explain_outcome_name(enum gslb_outcome o)
{
    switch (o) {
    case GSLB_STATIC:
        return "static";
    case GSLB_SET:
        return "answer";
    case GSLB_NODATA:
        return "nodata";
    case GSLB_REFUSED:
        return "refused";
    case GSLB_FAILED:
        return "failed";
    }
    return "";
}

const char *explain_why_text(enum gslb_why why)
{
    static const char *const texts[] = {
        [GSLB_WHY_OK] = "",
        [GSLB_WHY_NO_POOL] = "no pool of this name is there",
        [GSLB_WHY_SKIP_FIRST] = "the name skips the client's own nearest site",
        [GSLB_WHY_DOWN] = "no member is available",
        [GSLB_WHY_ENOUGH] = "less than enough of the weight is available",
        [GSLB_WHY_FAMILY] = "no member of this address family",
        [GSLB_WHY_FENCE] = "this client never leaves its sites",
        [GSLB_WHY_NORMAL] = "normal",
        [GSLB_WHY_UNSETTLED] = "short: a member's health is not settled, or all is down",
        [GSLB_WHY_FORCED] = "until an operator's word ends",
        [GSLB_WHY_CLAMPED] = "clamped to the name's least or greatest"};
    return (size_t)why < sizeof texts / sizeof *texts ? texts[why] : "";
}

struct prefix explain_network(const struct addr *a, unsigned depth)
{
    struct prefix p = {.family = a->family, .bits = (uint8_t)(a->family == 4 ? 96 + depth : depth)};
    for (unsigned i = 0; i < p.bits && i < 128; i++)
        p.ip[i / 8] |= a->ip[i / 8] & 0x80u >> i % 8;
    return p;
}

static json_t *network_text(const struct addr *a, unsigned depth)
{
    char text[ADDR_TEXT_MAX];
    struct prefix p = explain_network(a, depth);
    return json_string(prefix_print(&p, text));
}

json_t *explain_list(struct telling *t, const struct geo_list *l, int map, int pool)
{
    const struct gslb_plan *p = t->plan;
    bool members = pool != GSLB_NONE && p->pools[pool].near == map;
    json_t *out = json_array();
    for (unsigned i = 0; i < l->count; i++) {
        unsigned most = members ? p->pools[pool].endpoint_count : p->site_count;
        const char *name = l->sites[i] >= most ? "?"
                           : members           ? p->pools[pool].endpoints[l->sites[i]].name
                                               : p->sites[l->sites[i]].name;
        tell_item(t, out, json_string(name));
    }
    return out;
}

/* ---- the client ---- */

static const struct gslb_event *event_of(const struct gslb_log *log, enum gslb_step step)
{
    for (unsigned i = 0; i < log->count; i++)
        if (log->events[i].step == step)
            return &log->events[i];
    return NULL;
}

/* The map of sites that was asked first, not one over a pool's members. */
static const struct gslb_event *map_event(const struct telling *t)
{
    const struct gslb_event *e = event_of(t->log, GSLB_STEP_MAP);
    return e && t->plan->names[t->ask->name].map != GSLB_NONE ? e : NULL;
}

static struct addr client_address(const struct telling *t)
{
    const struct gslb_event *e = event_of(t->log, GSLB_STEP_CLIENT);
    return e ? e->a : t->ask->client->source;
}

static const char *client_from(const struct telling *t)
{
    const struct gslb_event *e = event_of(t->log, GSLB_STEP_CLIENT);
    const struct edns_subnet *s = &t->ask->client->subnet;
    if (e && e->number)
        return "subnet";
    return !s->family ? "source" : s->source ? "source (ignored)" : "source (opt-out)";
}

static json_t *place_json(struct telling *t, const struct geo_place *p)
{
    json_t *o = json_object(), *inside = json_array();
    for (unsigned i = 0; i < GEO_SUBDIVISIONS_MAX && *p->subdivision[i]; i++)
        tell_item(t, inside, json_string(p->subdivision[i]));
    if (*p->continent)
        tell_text(t, o, "continent", p->continent);
    if (*p->country) {
        tell_text(t, o, "country", p->country);
        tell(t, o, "registered", json_boolean(p->registered));
    }
    tell(t, o, "subdivisions", inside);
    if (p->city && *p->city)
        tell_text(t, o, "city", p->city);
    if (p->has_position) {
        tell(t, o, "latitude", json_real((double)p->latitude));
        tell(t, o, "longitude", json_real((double)p->longitude));
    }
    if (p->radius_km)
        tell(t, o, "radius_km", json_integer(p->radius_km));
    if (p->asn)
        tell(t, o, "asn", json_integer(p->asn));
    if (p->organisation && *p->organisation)
        tell_text(t, o, "organisation", p->organisation);
    return o;
}

static json_t *database_json(struct telling *t, const struct geo_db *db)
{
    const struct geo_db_info i = geo_db_info(db);
    time_t when = (time_t)(i.built_s < 253402300800u ? i.built_s : 0); /* four digits of year */
    char built[32] = "unknown";
    struct tm tm;
    json_t *o = json_object();
    if (when && gmtime_r(&when, &tm))
        strftime(built, sizeof built, "%Y-%m-%d", &tm);
    tell_text(t, o, "type", i.type);
    tell_text(t, o, "built", built);
    return o;
}

static json_t *client_json(struct telling *t)
{
    struct addr a = client_address(t);
    const struct edns_subnet *s = &t->ask->client->subnet;
    const struct gslb_event *m = map_event(t);
    const struct geo_map *geo = m ? t->plan->maps[m->index].geo : NULL;
    const struct geo_place *place = geo ? geo_map_place(geo, &a) : NULL;
    const char *network = geo ? geo_map_network(geo, &a) : NULL;
    char text[ADDR_TEXT_MAX];
    json_t *o = json_object();
    tell_text(t, o, "address", addr_print(&a, text));
    tell_text(t, o, "from", client_from(t));
    if (s->family)
        tell(t, o, "length", json_integer(s->source));
    tell(t, o, "network", network ? json_string(network) : json_null());
    tell(t, o, "place", place ? place_json(t, place) : json_null());
    tell(t, o, "database",
         geo && geo_map_db(geo) ? database_json(t, geo_map_db(geo)) : json_null());
    return o;
}

/* ---- the map ---- */

static int site_pool(const struct telling *t, unsigned site)
{
    const struct gslb_name *n = &t->plan->names[t->ask->name];
    return n->site_pool && site < t->plan->site_count ? n->site_pool[site] : GSLB_NONE;
}

/* What the log says of a site of the first map's list. */
static json_t *site_json(struct telling *t, unsigned site)
{
    int pool = site_pool(t, site);
    const char *verdict = "not needed", *why = "";
    json_t *o = json_object();
    for (unsigned i = 0; i < t->log->count; i++) {
        const struct gslb_event *e = &t->log->events[i];
        if (e->step == GSLB_STEP_FALLBACK && e->number)
            break; /* another name's sites */
        bool about = (e->step == GSLB_STEP_SKIPPED && e->index == (int)site) ||
                     (e->step == GSLB_STEP_POOL && pool != GSLB_NONE && e->index == pool);
        if (!about)
            continue;
        verdict = e->step == GSLB_STEP_POOL && e->why == GSLB_WHY_OK ? "taken" : "rejected";
        why = explain_why_text(e->why);
        break;
    }
    tell_text(t, o, "site", site < t->plan->site_count ? t->plan->sites[site].name : "?");
    tell(t, o, "pool", pool == GSLB_NONE ? json_null() : json_string(t->plan->pools[pool].name));
    tell_text(t, o, "verdict", verdict);
    tell_text(t, o, "why", why);
    return o;
}

static json_t *map_json(struct telling *t)
{
    const struct gslb_event *m = map_event(t), *s = event_of(t->log, GSLB_STEP_SITES),
                            *drawn = event_of(t->log, GSLB_STEP_DRAWN);
    if (!m || !s)
        return json_null();
    const struct gslb_map *map = &t->plan->maps[m->index];
    struct addr a = client_address(t);
    json_t *o = json_object(), *sites = json_array(), *weights = json_array();
    for (unsigned i = 0; i < s->list->count; i++)
        tell_item(t, sites, site_json(t, s->list->sites[i]));
    for (unsigned i = 0; i < s->list->weighted; i++)
        tell_item(t, weights, json_integer(s->list->weights[i]));
    tell_text(t, o, "name", map->name);
    tell(t, o, "rule", m->number < 0 ? json_null() : json_integer(m->number + 1));
    tell_text(t, o, "rule_text", geo_map_rule_text(map->geo, (int)m->number));
    tell(t, o, "network", network_text(&a, m->depth));
    tell(t, o, "sites", sites);
    tell(t, o, "weights", weights);
    tell(t, o, "drawn", drawn ? json_string(t->plan->sites[drawn->index].name) : json_null());
    tell(t, o, "fence", json_boolean(s->list->fence));
    return o;
}

/* ---- the answer ---- */

static json_t *records_json(struct telling *t)
{
    const struct dns_rrset *set = &t->answer->set;
    json_t *list = json_array();
    char *text = malloc(RECORD_TEXT_MAX);
    t->failed |= !text;
    if (text && t->answer->outcome == GSLB_SET)
        DNS_RR_FOR (rd, set)
            if (dns_rdata_print(set->type, rd.at, rd.len, text, RECORD_TEXT_MAX) >= 0)
                tell_item(t, list, json_string(text));
    free(text);
    return list;
}

/* The address before the first (step -1) or behind the last (step 1) of a network; false: the
 * family has none there. */
static bool beside(const struct prefix *net, int step, struct addr *a)
{
    unsigned least = net->family == 4 ? 96 : 0;
    *a = (struct addr){.family = net->family};
    memcpy(a->ip, net->ip, sizeof a->ip);
    for (unsigned bit = net->bits; step > 0 && bit < 128; bit++)
        a->ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    for (unsigned bit = 128; bit > least; bit--) {
        uint8_t mask = (uint8_t)(0x80 >> (bit - 1) % 8);
        bool was = a->ip[(bit - 1) / 8] & mask;
        a->ip[(bit - 1) / 8] ^= mask;
        if (was == (step < 0))
            return true; /* no carry, no borrow */
    }
    return false;
}

static json_t *neighbour_json(struct telling *t, const struct prefix *net, int step)
{
    const struct gslb_event *m = map_event(t);
    struct addr a;
    unsigned shift, depth;
    if (!m || !beside(net, step, &a))
        return json_null();
    prefixes_canonical(&a, &shift);
    if (shift) /* addresses that carry IPv4 ones are no neighbours of others */
        return json_null();
    const struct geo_list *l = geo_map_find(t->plan->maps[m->index].geo, &a, &depth);
    json_t *o = json_object();
    tell(t, o, "network", network_text(&a, depth));
    tell(t, o, "sites", explain_list(t, l, m->index, GSLB_NONE));
    return o;
}

/* Bits of the client's own family that were looked at, whether or not a resolver may know. */
static unsigned looked_at(const struct telling *t)
{
    unsigned depth = 0;
    for (unsigned i = 0; i < t->log->count; i++) {
        const struct gslb_event *e = &t->log->events[i];
        bool looks =
            e->step == GSLB_STEP_MAP || e->step == GSLB_STEP_DRAWN || e->step == GSLB_STEP_PICK;
        depth = looks && e->depth > depth ? e->depth : depth;
    }
    return depth;
}

/* What the name says to do then, and what could be done. */
static json_t *all_down_json(struct telling *t)
{
    const struct gslb_event *e = event_of(t->log, GSLB_STEP_ALL_DOWN);
    if (!t->answer->all_down || !e)
        return json_null();
    enum gslb_all_down done = (enum gslb_all_down)e->number;
    json_t *o = json_object();
    tell_text(t, o, "policy", explain_all_down_name(t->plan->names[t->ask->name].all_down));
    tell_text(t, o, "done",
              done == GSLB_DOWN_LAST_HEALTHY ? "last-healthy" : explain_all_down_name(done));
    return o;
}

static json_t *answer_json(struct telling *t)
{
    const struct gslb_event *ttl = event_of(t->log, GSLB_STEP_TTL);
    struct addr a = client_address(t);
    unsigned most = a.family == 4 ? 32 : 128, depth = t->answer->scope;
    json_t *o = json_object();
    if (!depth)
        depth = looked_at(t);
    struct prefix net = explain_network(&a, depth < most ? depth : most);
    tell_text(t, o, "outcome", explain_outcome_name(t->answer->outcome));
    tell(t, o, "all_down", all_down_json(t));
    tell(t, o, "records", records_json(t));
    tell(t, o, "ttl", json_integer(t->answer->ttl));
    tell_text(t, o, "ttl_why", ttl ? explain_why_text(ttl->why) : "");
    tell(t, o, "scope", json_integer(t->answer->scope));
    tell(t, o, "network", network_text(&a, depth < most ? depth : most));
    tell(t, o, "below", depth ? neighbour_json(t, &net, -1) : json_null());
    tell(t, o, "above", depth ? neighbour_json(t, &net, 1) : json_null());
    return o;
}

/* ---- all of it ---- */

static json_t *document(struct telling *t)
{
    char owner[DNS_NAME_TEXT_MAX], type[16];
    json_t *o = json_object();
    dns_name_print(t->plan->names[t->ask->name].owner, owner);
    tell(t, o, "version", json_integer(1));
    tell_text(t, o, "name", owner);
    tell_text(t, o, "type", dns_type_print(t->ask->qtype, type));
    tell(t, o, "client", client_json(t));
    tell(t, o, "map", map_json(t));
    tell(t, o, "pools", explain_pools(t));
    tell(t, o, "answer", answer_json(t));
    tell(t, o, "steps", explain_steps(t));
    tell(t, o, "then", explain_then(t));
    if (!t->failed)
        return o;
    json_decref(o);
    return NULL;
}

int gslb_explain_name(const struct gslb_plan *p, const uint8_t *qname)
{
    uint8_t owner[DNS_NAME_MAX], wild[DNS_NAME_MAX];
    dns_name_lower(owner, qname);
    int found = gslb_plan_name(p, owner);
    for (const uint8_t *at = owner; found == GSLB_NONE && *at;) {
        at = dns_name_parent(at);
        if (dns_name_join(wild, (const uint8_t *)"\1*", 2, at) > 0)
            found = gslb_plan_name(p, wild);
    }
    return found;
}

json_t *gslb_explain(const struct gslb_plan *p, struct gslb_worker *w, unsigned name,
                     uint16_t qtype, const struct gslb_client *client, int64_t mono_s,
                     int64_t wall_s)
{
    struct gslb_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    const struct gslb_ask ask = {.plan = p,
                                 .name = name,
                                 .qtype = qtype,
                                 .client = client,
                                 .mono_s = mono_s,
                                 .wall_s = wall_s,
                                 .dry = true,
                                 .log = log};
    struct gslb_answer answer;
    gslb_steer(&ask, w, &answer);
    struct telling t = {.ask = &ask, .plan = p, .w = w, .log = log, .answer = &answer};
    json_t *o = document(&t);
    free(log);
    return o;
}
