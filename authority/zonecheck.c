/* authority/zonecheck.c: may this zone be served? */
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "records_priv.h"
#include "zone_priv.h"

#define NSEC3_ITERATIONS_MAX 50 /* what the common validators still follow */

struct check {
    const struct zone *z;
    const char *file;
    const struct records *records;
    const struct dynamic_name *names; /* steered */
    struct diag_list *diags;
    bool refused;
};

/* About a name, at the place of the set of this type of node n (ANY: of its first one). */
static void say_of(struct check *c, enum diag_level level, const struct zone_node *n, uint16_t type,
                   const uint8_t *name, const char *what)
{
    char text[DNS_NAME_TEXT_MAX];
    struct diag_at at = {.file = c->file};
    const struct record *rec = records_find(c->records, n->name, type);
    if (rec) {
        at.file = records_file(c->records, rec);
        at.line = rec->line;
    }
    dns_name_print(name, text);
    diag_add(c->diags, level, &at, "%s %s", text, what);
    c->refused = c->refused || level == DIAG_ERROR;
}

static void say(struct check *c, enum diag_level level, const struct zone_node *n, uint16_t type,
                const char *what)
{
    say_of(c, level, n, type, n->name, what);
}

static void check_apex(struct check *c)
{
    struct dns_rrset set;
    const struct zone_node *apex = zone_apex(c->z);
    if (!zone_node_get(c->z, apex, DNS_TYPE_SOA, 0, &set))
        say(c, DIAG_ERROR, apex, DNS_TYPE_SOA, "has no SOA record");
    else if (set.count > 1)
        say(c, DIAG_ERROR, apex, DNS_TYPE_SOA, "has more than one SOA record");
    if (!zone_node_get(c->z, apex, DNS_TYPE_NS, 0, &set))
        say(c, DIAG_ERROR, apex, DNS_TYPE_NS, "has no NS record");
}

/* RFC 1034 3.6.2, RFC 2181 10.1: nothing beside an alias but its proofs. */
static void check_alias(struct check *c, const struct zone_node *n)
{
    struct dns_rrset cname, set;
    if (!zone_node_get(c->z, n, DNS_TYPE_CNAME, 0, &cname))
        return;
    if (cname.count > 1)
        say(c, DIAG_ERROR, n, DNS_TYPE_CNAME, "has more than one CNAME record");
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set);)
        if (set.type != DNS_TYPE_CNAME && set.type != DNS_TYPE_RRSIG && set.type != DNS_TYPE_NSEC &&
            set.type != DNS_TYPE_KEY) {
            say(c, DIAG_ERROR, n, set.type, "has other data beside a CNAME record");
            return;
        }
}

/* Can the zone alone say where this server of node n is? Below another delegation it need not. */
static bool has_address(const struct check *c, const struct zone_node *n, const uint8_t *name)
{
    struct dns_rrset set;
    const struct zone_node *host = zone_find(c->z, name), *above = zone_encloser(c->z, name);
    if (host && (zone_reach(host)->dynamic || zone_node_get(c->z, host, DNS_TYPE_A, 0, &set) ||
                 zone_node_get(c->z, host, DNS_TYPE_AAAA, 0, &set)))
        return true;
    if (zone_reach(above)->cut)
        return zone_reach(above)->cut !=
               zone_reach(n)->cut; /* its own delegation: in-domain glue */
    return !host && above->has_wild;
}

/* Hosts named by records of this type: each needs an address, and no alias in between (RFC 2181
 * 10.3). */
static void check_hosts(struct check *c, const struct zone_node *n, uint16_t type,
                        const char *alias, const char *homeless)
{
    struct dns_rrset hosts, set;
    if (!zone_node_get(c->z, n, type, 0, &hosts))
        return;
    DNS_RR_FOR (rd, &hosts) {
        const uint8_t *name = dns_rdata_target(type, rd.at, rd.len);
        if (!name || !*name || !dns_name_is_sub(name, c->z->origin))
            continue;
        const struct zone_node *host = zone_find(c->z, name);
        if (host && zone_node_get(c->z, host, DNS_TYPE_CNAME, 0, &set))
            say_of(c, DIAG_WARNING, n, type, name, alias);
        else if (!has_address(c, n, name))
            say_of(c, DIAG_WARNING, n, type, name, homeless);
    }
}

static void check_servers(struct check *c, const struct zone_node *n)
{
    check_hosts(c, n, DNS_TYPE_NS, "is a name server and an alias",
                "is a name server without an address");
    if (zone_reach(n)->cut)
        return;
    check_hosts(c, n, DNS_TYPE_MX, "is a mail server and an alias",
                "is a mail server without an address");
    check_hosts(c, n, DNS_TYPE_SRV, "is a service's host and an alias",
                "is a service's host without an address");
}

/* What lies below a delegation is the other zone's, but for its servers' addresses. */
static void check_below_cut(struct check *c, const struct zone_node *n)
{
    struct dns_rrset set;
    uint32_t cut = zone_reach(n)->cut;
    if (!cut || cut == zone_place(c->z, n))
        return;
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set);)
        if (set.type != DNS_TYPE_A && set.type != DNS_TYPE_AAAA) {
            say(c, DIAG_WARNING, n, set.type, "is below a delegation: this is never answered");
            return;
        }
}

/* Below nothing, and of types that need no look at anything else: nearly all names are so. */
static bool is_plain(const struct zone_node *n)
{
    for (struct zone_sets s = zone_sets(n); s.left; zone_sets_skip(&s))
        switch (((const struct zone_set *)(const void *)s.at)->type) {
        case DNS_TYPE_A:
        case DNS_TYPE_AAAA:
        case DNS_TYPE_TXT:
        case DNS_TYPE_PTR:
        case DNS_TYPE_RRSIG:
        case DNS_TYPE_NSEC:
        case DNS_TYPE_NSEC3:
            continue;
        default:
            return false;
        }
    return !zone_reach(n)->cut && !zone_reach(n)->dname;
}

static void check_node(struct check *c, const struct zone_node *n)
{
    struct dns_rrset set;
    const struct zone_reach *reach = zone_reach(n);
    bool apex = n == zone_apex(c->z), cut = reach->cut && reach->cut == zone_place(c->z, n);
    check_alias(c, n);
    check_servers(c, n);
    check_below_cut(c, n);
    if (!apex && zone_node_get(c->z, n, DNS_TYPE_SOA, 0, &set))
        say(c, DIAG_ERROR, n, DNS_TYPE_SOA, "has an SOA record below the apex");
    if (zone_node_get(c->z, n, DNS_TYPE_DNAME, 0, &set)) {
        if (set.count > 1)
            say(c, DIAG_ERROR, n, DNS_TYPE_DNAME, "has more than one DNAME record");
        if (cut) /* RFC 6672 2.3 */
            say(c, DIAG_ERROR, n, DNS_TYPE_DNAME, "is a delegation and has a DNAME record");
    }
    if (reach->dname && n->set_count && !n->hash_only) /* RFC 6672 2.4 */
        say(c, DIAG_ERROR, n, RECORDS_ANY, "is below a DNAME record");
    if (cut && dns_name_is_wild(n->name)) /* RFC 4592 4.2 */
        say(c, DIAG_WARNING, n, DNS_TYPE_NS, "is a wildcard: it cannot delegate");
    if (!reach->cut && zone_node_get(c->z, n, DNS_TYPE_DS, 0, &set)) /* RFC 4035 2.4 */
        say(c, DIAG_WARNING, n, DNS_TYPE_DS, "has a DS record and is no delegation");
}

/* A signed zone that nobody will be able to validate. */
static void check_denial(struct check *c)
{
    const struct zone_node *apex = zone_apex(c->z);
    struct dns_rrset set;
    bool wanted = zone_node_get(c->z, apex, DNS_TYPE_NSEC3PARAM, 0, &set);
    if (wanted && c->z->denial != DNS_TYPE_NSEC3)
        say(c, DIAG_WARNING, apex, DNS_TYPE_NSEC3PARAM,
            "has an NSEC3PARAM record, and no NSEC3 records that fit");
    if (wanted && c->z->nsec3_iterations > NSEC3_ITERATIONS_MAX) /* RFC 9276 3.2 */
        say(c, DIAG_WARNING, apex, DNS_TYPE_NSEC3PARAM,
            "has so many NSEC3 iterations that validators take it for unsigned");
}

static bool yields_but(const struct zone_dynamic *d, uint16_t type)
{
    for (unsigned i = 0; i < d->type_count; i++)
        if (d->types[i] != type)
            return true;
    return false;
}

/* Data that cannot be beside an alias that is steered (its proofs can, as can the alias itself). */
static bool has_data(const struct zone_node *n)
{
    struct dns_rrset set;
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set);)
        if (set.type != DNS_TYPE_CNAME && set.type != DNS_TYPE_RRSIG && set.type != DNS_TYPE_NSEC &&
            set.type != DNS_TYPE_KEY)
            return true;
    return false;
}

/* A steered name, at the place where it is declared. */
static void check_dynamic(struct check *c, const struct zone_dynamic *d)
{
    const struct zone_node *n = zone_at(c->z, d->node);
    struct dns_rrset set;
    const char *what = NULL;
    if (zone_reach(n)->cut)
        what = "is steered and at or below a delegation";
    else if (zone_reach(n)->dname)
        what = "is steered and below a DNAME record";
    else if (d->alias && n == zone_apex(c->z))
        what = "is steered to an alias and is the zone's apex";
    else if (d->alias && has_data(n))
        what = "is steered to an alias and has other data in the zone";
    else if (yields_but(d, DNS_TYPE_CNAME) && zone_node_get(c->z, n, DNS_TYPE_CNAME, 0, &set))
        what = "is steered to other data than an alias and has a CNAME record in the zone";
    if (!what)
        return;
    const struct record *rec = records_find(c->records, n->name, RECORDS_STEERED);
    const struct dynamic_name *name = &c->names[rec->line];
    char text[DNS_NAME_TEXT_MAX];
    dns_name_print(n->name, text);
    diag_add(c->diags, DIAG_ERROR, &(struct diag_at){.file = name->file, .line = name->line},
             "%s %s", text, what);
    c->refused = true;
}

static void check_steering(struct check *c)
{
    const struct zone *z = c->z;
    for (uint32_t i = 0; i < z->dynamic_count; i++)
        check_dynamic(c, &z->dynamic[i]);
    if (z->dynamic_count && z->denial)
        say(c, DIAG_WARNING, zone_apex(z), RECORDS_ANY,
            "is signed: answers of steered names are not signed");
}

bool zone_check(const struct zone *z, const char *file, const struct records *records,
                const struct dynamic_name *names, struct diag_list *diags)
{
    struct check c = {z, file, records, names, diags, false};
    check_apex(&c);
    check_denial(&c);
    for (const struct zone_node *n = zone_apex(z); n; n = zone_next(z, n))
        if (!is_plain(n))
            check_node(&c, n);
    check_steering(&c);
    return !c.refused;
}
