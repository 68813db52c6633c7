/* daemon/snapshot.c: from configuration to what queries read. */
#include "daemon/snapshot.h"

#include "authority/zone.h"
#include "base/err.h"
#include "base/runtime.h"
#include "daemon/policy_tests.h"
#include "dns/name.h"
#include "net/udp.h"

#include <stdlib.h>
#include <string.h>

static void snapshot_free(struct part *p)
{
    struct snapshot *s = (struct snapshot *)(void *)p;
    if (s->zones)
        part_unref(zonedb_part(s->zones));
    if (s->plan) /* after the zones, which hold its ids */
        part_unref(gslb_plan_part(s->plan));
    for (unsigned i = 0; i < s->listener_count; i++)
        net_acl_fini(&s->listeners[i].allow);
    config_free(s->config);
    free(s);
}

/* ---- listeners ---- */

/* Texts that go on the wire or into a fixed field are not cut in silence. */
static void check_length(const struct config *c, const struct config_node *item, const char *path,
                         size_t room, struct diag_list *diags)
{
    const char *text = config_text(c, item, path);
    if (text && strlen(text) >= room)
        config_complain(c, config_node(c, item, path), DIAG_ERROR, NULL, diags,
                        "longer than %zu octets", room - 1);
}

static void take_allow(struct snapshot *s, struct snapshot_listener *l,
                       const struct config_node *item, struct diag_list *diags)
{
    const struct config *c = s->config;
    const char *path = config_node(c, item, "listen[].allow") ? "listen[].allow" : "resolver.allow";
    const struct config_node *from = *path == 'l' ? item : NULL;
    unsigned n = config_count(c, from, path);
    for (unsigned i = 0; i < n; i++) {
        struct prefix p;
        if (!prefix_parse(&p, config_text_at(c, from, path, i)) && net_acl_add(&l->allow, &p, true))
            config_complain(c, item, DIAG_ERROR, NULL, diags,
                            "too many networks in the access list");
    }
    if (n || config_node(c, from, path) || !(l->roles & ROLE_RESOLVER))
        return; /* an empty list that was written is one: nobody */
    if (addr_is_any(&l->addr)) {
        config_complain(
            c, config_node(c, item, "listen[].address"), DIAG_ERROR,
            "write resolver.allow: [networks]", diags,
            "a wildcard address with recursion and no allow list makes this an open resolver");
        return;
    }
    net_acl_add_connected(&l->allow, &l->addr);
}

static uint8_t take_roles(const struct config *c, const struct config_node *item)
{
    uint8_t roles = 0;
    unsigned n = config_count(c, item, "listen[].role");
    for (unsigned i = 0; i < n; i++)
        roles |= strcmp(config_text_at(c, item, "listen[].role", i), "authority") == 0
                     ? ROLE_AUTHORITY
                     : ROLE_RESOLVER;
    if (!roles) /* only zones are configured: authority; else resolver */
        roles = config_items(c, "zones") && !config_node(c, NULL, "resolver") ? ROLE_AUTHORITY
                                                                              : ROLE_RESOLVER;
    return roles;
}

static void take_protos(struct snapshot *s, struct snapshot_listener *l,
                        const struct config_node *item, struct diag_list *diags)
{
    unsigned n = config_count(s->config, item, "listen[].proto");
    l->udp = l->tcp = !n;
    for (unsigned i = 0; i < n; i++) {
        const char *proto = config_text_at(s->config, item, "listen[].proto", i);
        if (!strcmp(proto, "udp"))
            l->udp = true;
        else if (!strcmp(proto, "tcp"))
            l->tcp = true;
        else
            config_complain(s->config, item, DIAG_ERROR, "udp and tcp are built", diags,
                            "listen[].proto: %s is not in this version", proto);
    }
}

static bool is_taken(const struct snapshot *s, const struct addr *a)
{
    for (unsigned i = 0; a->port && i < s->listener_count; i++)
        if (addr_equal(a, &s->listeners[i].addr))
            return true;
    return false;
}

/* Port 0: one port for all protocols and workers, and the same one after a reload. */
static void take_port(const struct snapshot *s, struct snapshot_listener *l,
                      const struct snapshot *before)
{
    const struct snapshot_listener *was = before && s->listener_count < before->listener_count
                                              ? &before->listeners[s->listener_count]
                                              : NULL;
    l->any_port = !l->addr.port;
    if (!l->any_port)
        return;
    if (was && was->any_port && addr_same_ip(&l->addr, &was->addr))
        l->addr.port = was->addr.port;
    else
        do
            l->addr.port = net_probe_port(&l->addr);
        while (is_taken(s, &l->addr));
}

/* Two sockets on one address would share its queries; two names could not be told apart. */
static void check_twin(const struct snapshot *s, const struct snapshot_listener *l,
                       const struct config_node *item, struct diag_list *diags)
{
    for (unsigned i = 0; i < s->listener_count; i++) {
        const struct snapshot_listener *o = &s->listeners[i];
        if (addr_equal(&o->addr, &l->addr) && ((o->udp && l->udp) || (o->tcp && l->tcp)))
            config_complain(s->config, item, DIAG_ERROR, "give one listener both roles", diags,
                            "there is a listener on this address and port already");
        if (*l->name && !strcmp(o->name, l->name))
            config_complain(s->config, config_node(s->config, item, "listen[].name"), DIAG_ERROR,
                            NULL, diags, "another listener is named \"%s\"", l->name);
    }
}

static void take_listener(struct snapshot *s, const struct config_node *item,
                          const struct snapshot *before, struct diag_list *diags)
{
    struct snapshot_listener *l = &s->listeners[s->listener_count];
    const char *name = config_text(s->config, item, "listen[].name");
    l->addr = config_addr(s->config, item, "listen[].address", 0);
    if (!l->addr.port)
        l->addr.port = (uint16_t)config_int(s->config, item, "listen[].port");
    take_port(s, l, before);
    snprintf(l->name, sizeof l->name, "%s", name ? name : "");
    l->roles = take_roles(s->config, item);
    take_protos(s, l, item, diags);
    check_length(s->config, item, "listen[].name", sizeof l->name, diags);
    take_allow(s, l, item, diags);
    check_twin(s, l, item, diags);
    s->listener_count++;
}

/* Without any listener written: a safe resolver on loopback. Machines without IPv6 have no ::1. */
static void take_default_listeners(struct snapshot *s)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < (runtime_has_ipv6() ? 2u : 1u); i++) {
        struct snapshot_listener *l = &s->listeners[s->listener_count++];
        addr_parse(&l->addr, addresses[i], 53);
        l->roles = take_roles(s->config, NULL);
        if (config_items(s->config, "zones")) /* nobody else would serve them */
            l->roles |= ROLE_AUTHORITY;
        l->udp = l->tcp = true;
        net_acl_add_connected(&l->allow, &l->addr);
    }
}

static void take_listeners(struct snapshot *s, const struct snapshot *before,
                           struct diag_list *diags)
{
    unsigned n = config_items(s->config, "listen");
    for (unsigned i = 0; i < n && i < SNAPSHOT_LISTENERS_MAX; i++)
        take_listener(s, config_item(s->config, "listen", i), before, diags);
    if (n > SNAPSHOT_LISTENERS_MAX)
        config_complain(s->config, config_item(s->config, "listen", SNAPSHOT_LISTENERS_MAX),
                        DIAG_ERROR, NULL, diags, "more than %d listeners", SNAPSHOT_LISTENERS_MAX);
    if (!n)
        take_default_listeners(s);
}

/* ---- zones ---- */

static zonedb_listeners zone_listeners(struct snapshot *s, const struct config_node *item,
                                       struct diag_list *diags)
{
    zonedb_listeners on = 0;
    unsigned n = config_count(s->config, item, "zones[].on");
    for (unsigned j = 0; !n && j < s->listener_count; j++)
        if (s->listeners[j].roles & ROLE_AUTHORITY)
            on |= 1ULL << j;
    for (unsigned i = 0; i < n; i++) {
        const char *want = config_text_at(s->config, item, "zones[].on", i);
        zonedb_listeners found = 0;
        for (unsigned j = 0; j < s->listener_count; j++)
            if (!strcmp(s->listeners[j].name, want))
                found |= 1ULL << j;
        if (!found)
            config_complain(s->config, config_node_at(s->config, item, "zones[].on", i), DIAG_ERROR,
                            "a listener gets a name by listen[].name", diags,
                            "no listener is named \"%s\"", want);
        for (unsigned j = 0; j < s->listener_count; j++)
            if (found >> j & 1 && !(s->listeners[j].roles & ROLE_AUTHORITY))
                config_complain(s->config, config_node_at(s->config, item, "zones[].on", i),
                                DIAG_WARNING, "give it the role authority", diags,
                                "the listener \"%s\" does not serve zones", want);
        on |= found;
    }
    if (!n && !on)
        config_complain(s->config, item, DIAG_WARNING, "give a listener the role authority", diags,
                        "no listener serves this zone");
    return on;
}

static void check_serial(const struct config *c, const struct config_node *item, const char *name,
                         const struct zone *old, const struct zone *now, struct diag_list *diags)
{
    uint32_t from = zone_serial(old), to = zone_serial(now);
    const struct config_node *at = config_node(c, item, "zones[].file");
    if (from == to)
        config_complain(c, at, DIAG_WARNING, "raise it, or secondaries will not notice", diags,
                        "%s: the zone changed and its serial did not rise: %u before, %u now", name,
                        from, to);
    else if ((int32_t)(to - from) <= 0) /* RFC 1982 3.2 */
        config_complain(c, at, DIAG_WARNING, NULL, diags, "%s: the serial went back from %u to %u",
                        name, from, to);
}

/* What lies at an origin: its file and the names that are steered in it. */
struct zone_parts {
    const struct config_node *item;
    const uint8_t *origin;
    const struct dynamic_name *dynamic;
    unsigned dynamic_count;
};

/* The zone to serve, with a reference. One that cannot be loaded keeps its old version, or is
 * answered SERVFAIL (NULL) when there is none; one that did not change is shared. */
static struct zone *load_zone(const struct config *c, const struct zone_parts *parts,
                              struct zone *old, struct diag_list *diags, unsigned *zone_errors)
{
    const struct config_node *item = parts->item;
    const char *name = config_text(c, item, "zones[].name"),
               *file = config_text(c, item, "zones[].file");
    char path[4096];
    config_path(c, file, path, sizeof path);
    struct zone *z = NULL;
    unsigned errors = diags->errors;
    if (zone_load(&z, parts->origin, path, parts->dynamic, parts->dynamic_count, diags) < 0) {
        diags->errors = errors; /* this zone's alone */
        ++*zone_errors;
        z = NULL;
    } else if (old && !zone_same(old, z)) {
        check_serial(c, item, name, old, z, diags);
        return z;
    } else if (!old) {
        return z;
    }
    if (z)
        part_unref(zone_part(z));
    if (old)
        part_ref(zone_part(old));
    return old;
}

/* The names of all zones, so that a steered name goes into the deepest. */
struct origins {
    struct arena arena;
    const uint8_t **at;
    unsigned count;
    bool nomem;
};

static void take_origins(struct origins *o, const struct config *c)
{
    unsigned n = config_items(c, "zones");
    arena_init(&o->arena, 4096, 0);
    o->at = ARENA_ARRAY(&o->arena, const uint8_t *, n);
    o->nomem = !o->at;
    for (const struct config_node *item = config_item(c, "zones", 0); o->at && item;
         item = config_next(item)) {
        uint8_t name[DNS_NAME_MAX];
        const char *text = config_text(c, item, "zones[].name");
        int len = dns_name_parse(name, text, strlen(text), NULL);
        if (len < 0)
            continue; /* said when the zone is taken */
        dns_name_lower(name, name);
        o->at[o->count] = arena_dup(&o->arena, name, (size_t)len);
        o->nomem = o->nomem || !o->at[o->count++];
    }
}

/* A steered name that lies in none of our zones would never be asked. */
static void check_names(const struct snapshot *s, const struct origins *o, struct diag_list *diags)
{
    for (unsigned i = 0; s->plan && i < s->plan->name_count; i++) {
        const struct gslb_name *n = &s->plan->names[i];
        struct diag_at at = n->at;
        bool ours = !n->owner;
        for (unsigned k = 0; !ours && k < o->count; k++)
            ours = dns_name_is_sub(n->owner, o->at[k]);
        at.hint = "write it under zones";
        if (!ours)
            diag_add(diags, DIAG_ERROR, &at, "this name lies in none of our zones");
    }
}

/* The policy tests that are configured. A server that starts says what fails and starts: its geo
 * database may be missing for the moment. A reload, and who only checks the file, is refused. */
static int check_policy(const struct snapshot *s, const struct gslb_table *table, bool starts,
                        struct diag_list *diags)
{
    const struct config *c = s->config;
    unsigned n = config_count(c, NULL, "gslb.tests");
    int err = 0;
    for (unsigned i = 0; i < n && err != ERR_NOMEM; i++) {
        const char *file = config_text_at(c, NULL, "gslb.tests", i);
        struct policy_tests counts;
        struct diag_list said;
        char path[4096];
        config_path(c, file, path, sizeof path);
        diag_init(&said);
        err = policy_tests_run(s->plan, table, path, &said, &counts);
        for (struct diag *e = starts ? said.first : NULL; e; e = e->next)
            e->level = e->level == DIAG_ERROR ? DIAG_WARNING : e->level;
        said.warnings += starts ? said.errors : 0;
        said.errors = starts ? 0 : said.errors;
        diag_move(diags, &said);
        diag_fini(&said);
        if (err && err != ERR_NOMEM)
            config_complain(c, config_node_at(c, NULL, "gslb.tests", i),
                            starts ? DIAG_WARNING : DIAG_ERROR, NULL, diags,
                            "policy tests: %u of %u rows fail", counts.failed, counts.rows);
    }
    return err == ERR_NOMEM ? err : 0;
}

static int take_plan(struct snapshot *s, const struct snapshot *before,
                     const struct steering_place *place, const struct origins *o,
                     struct diag_list *diags, unsigned *errors)
{
    struct steering_place nowhere = {.workers = 1};
    int err = place ? 0 : gslb_table_new(&nowhere.table);
    if (err)
        return err;
    err = steering_build(&s->plan, s->config, before ? before->plan : NULL,
                         place ? place : &nowhere, diags, errors);
    if (!err)
        check_names(s, o, diags);
    if (!err)
        err = check_policy(s, place ? place->table : nowhere.table, place && !before, diags);
    gslb_table_free(nowhere.table);
    return err == ERR_INVALID ? 0 : err; /* said: the zones may have errors too */
}

/* The steered names of one zone; ERR_NOMEM. */
static int zone_dynamic(const struct snapshot *s, struct origins *o, struct zone_parts *parts)
{
    struct dynamic_name *names = NULL;
    int n =
        s->plan ? gslb_plan_dynamic(s->plan, parts->origin, o->at, o->count, &o->arena, &names) : 0;
    parts->dynamic = names;
    parts->dynamic_count = n > 0 ? (unsigned)n : 0;
    return n < 0 ? n : 0;
}

/* Zones are read for a configuration, not for a database that changed. */
static bool is_same_config(const struct snapshot *s, const struct snapshot *before)
{
    return before && before->config == s->config;
}

static void take_zone(struct snapshot *s, const struct config_node *item, struct origins *origins,
                      const struct snapshot *before, struct diag_list *diags, unsigned *zone_errors)
{
    const struct config *c = s->config;
    const char *name = config_text(c, item, "zones[].name");
    uint8_t origin[DNS_NAME_MAX];
    int err = dns_name_parse(origin, name, strlen(name), NULL);
    if (err < 0) {
        config_complain(c, config_node(c, item, "zones[].name"), DIAG_ERROR, NULL, diags,
                        "not a domain name: %s", err_text(err));
        return;
    }
    zonedb_listeners on = zone_listeners(s, item, diags);
    struct zone *old = NULL;
    if (before) /* only its count of holders changes */
        old = (struct zone *)(uintptr_t)zonedb_get(before->zones, origin, on);
    struct zone_parts parts = {.item = item, .origin = origin};
    origins->nomem = origins->nomem || zone_dynamic(s, origins, &parts);
    if (origins->nomem)
        return;
    struct zone *z = old;
    if (!is_same_config(s, before))
        z = load_zone(c, &parts, old, diags, zone_errors);
    else if (old)
        part_ref(zone_part(old));
    err = zonedb_add(s->zones, origin, z, on);
    if (err)
        config_complain(c, config_node(c, item, "zones[].name"), DIAG_ERROR, NULL, diags, "%s: %s",
                        name,
                        err == ERR_EXISTS ? "this zone is there already for one of its listeners"
                                          : err_text(err));
    if (z)
        part_unref(zone_part(z));
}

static int take_zones(struct snapshot *s, const struct snapshot *before,
                      const struct steering_place *place, struct diag_list *diags,
                      unsigned *zone_errors)
{
    struct origins o = {.at = NULL};
    take_origins(&o, s->config);
    int err = o.nomem ? ERR_NOMEM : take_plan(s, before, place, &o, diags, zone_errors);
    for (const struct config_node *item = config_item(s->config, "zones", 0); !err && item;
         item = config_next(item))
        take_zone(s, item, &o, before, diags, zone_errors);
    err = err || !o.nomem ? err : ERR_NOMEM;
    arena_fini(&o.arena);
    return err;
}

int snapshot_build(struct snapshot **out, struct config *config, const struct snapshot *before,
                   const struct steering_place *place, struct diag_list *diags,
                   unsigned *zone_errors)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s) {
        config_free(config);
        return ERR_NOMEM;
    }
    part_init(&s->part, snapshot_free);
    s->config = config;
    s->generation = before ? before->generation + 1 : 1;
    s->zones = zonedb_new();
    const char *identity = config_text(config, NULL, "server.identity");
    snprintf(s->identity, sizeof s->identity, "%s", identity ? identity : "");
    unsigned errors = diags->errors;
    check_length(config, NULL, "server.identity", sizeof s->identity, diags);
    check_length(config, NULL, "server.version", sizeof s->version, diags);
    snprintf(s->version, sizeof s->version, "%s", config_text(config, NULL, "server.version"));
    s->udp_size = (uint16_t)config_int(config, NULL, "server.udp-size");
    s->chaos = config_bool(config, NULL, "server.chaos");
    s->minimal_auth = !strcmp(config_text(config, NULL, "authority.responses"), "minimal");
    *zone_errors = 0;
    take_listeners(s, before, diags);
    int err = s->zones ? take_zones(s, before, place, diags, zone_errors) : ERR_NOMEM;
    err = err ? err : diags->errors > errors ? ERR_INVALID : zonedb_finish(s->zones);
    if (err) {
        part_unref(&s->part);
        return err;
    }
    *out = s;
    return 0;
}
