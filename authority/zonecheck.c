/* authority/zonecheck.c: may this zone be served? */
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "zone_priv.h"

#define NSEC3_ITERATIONS_MAX 50 /* what the common validators still follow */

struct check {
    const struct zone *z;
    const char *file;
    struct diag_list *diags;
    bool refused;
};

static void say(struct check *c, enum diag_level level, const uint8_t *owner, const char *what)
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_print(owner, text);
    diag_add(c->diags, level, &(struct diag_at){.file = c->file}, "%s %s", text, what);
    c->refused = c->refused || level == DIAG_ERROR;
}

static void check_apex(struct check *c)
{
    struct dns_rrset set;
    const struct zone_node *apex = &c->z->nodes[0];
    if (!zone_node_get(c->z, apex, DNS_TYPE_SOA, 0, &set))
        say(c, DIAG_ERROR, c->z->origin, "has no SOA record");
    else if (set.count > 1)
        say(c, DIAG_ERROR, c->z->origin, "has more than one SOA record");
    if (!zone_node_get(c->z, apex, DNS_TYPE_NS, 0, &set))
        say(c, DIAG_ERROR, c->z->origin, "has no NS record");
}

/* RFC 1034 3.6.2, RFC 2181 10.1: nothing beside an alias but its proofs. */
static void check_alias(struct check *c, const struct zone_node *n)
{
    struct dns_rrset cname;
    if (!zone_node_get(c->z, n, DNS_TYPE_CNAME, 0, &cname))
        return;
    if (cname.count > 1)
        say(c, DIAG_ERROR, n->name, "has more than one CNAME record");
    for (const struct zone_set *s = c->z->sets + n->first_set, *e = s + n->set_count; s < e; s++)
        if (s->type != DNS_TYPE_CNAME && s->type != DNS_TYPE_RRSIG && s->type != DNS_TYPE_NSEC &&
            s->type != DNS_TYPE_KEY) {
            say(c, DIAG_ERROR, n->name, "has other data beside a CNAME record");
            return;
        }
}

static void check_servers(struct check *c, const struct zone_node *n)
{
    struct dns_rrset ns, set;
    if (!zone_node_get(c->z, n, DNS_TYPE_NS, 0, &ns))
        return;
    DNS_RR_FOR (rd, &ns) {
        const struct zone_node *host =
            dns_name_is_sub(rd.at, c->z->origin) ? zone_find(c->z, rd.at) : NULL;
        if (!dns_name_is_sub(rd.at, c->z->origin))
            continue;
        if (host && zone_node_get(c->z, host, DNS_TYPE_CNAME, 0, &set)) /* RFC 2181 10.3 */
            say(c, DIAG_WARNING, rd.at, "is a name server and an alias");
        else if (host ? !zone_node_get(c->z, host, DNS_TYPE_A, 0, &set) &&
                            !zone_node_get(c->z, host, DNS_TYPE_AAAA, 0, &set)
                      : !zone_encloser(c->z, rd.at)->cut && !zone_encloser(c->z, rd.at)->has_wild)
            say(c, DIAG_WARNING, rd.at, "is a name server without an address");
    }
}

static void check_node(struct check *c, const struct zone_node *n)
{
    struct dns_rrset set;
    check_alias(c, n);
    check_servers(c, n);
    if (n != c->z->nodes && zone_node_get(c->z, n, DNS_TYPE_SOA, 0, &set))
        say(c, DIAG_ERROR, n->name, "has an SOA record below the apex");
    if (zone_node_get(c->z, n, DNS_TYPE_DNAME, 0, &set) && set.count > 1)
        say(c, DIAG_ERROR, n->name, "has more than one DNAME record");
    if (n->dname && n->set_count) /* RFC 6672 2.4 */
        say(c, DIAG_ERROR, n->name, "is below a DNAME record");
}

/* A signed zone that nobody will be able to validate. */
static void check_denial(struct check *c)
{
    const struct zone_node *apex = c->z->nodes;
    struct dns_rrset set;
    bool wanted = zone_node_get(c->z, apex, DNS_TYPE_NSEC3PARAM, 0, &set);
    if (wanted && c->z->denial != DNS_TYPE_NSEC3)
        say(c, DIAG_WARNING, apex->name, "has an NSEC3PARAM record, and no NSEC3 records that fit");
    if (wanted && c->z->nsec3_iterations > NSEC3_ITERATIONS_MAX) /* RFC 9276 3.2 */
        say(c, DIAG_WARNING, apex->name,
            "has so many NSEC3 iterations that validators take it for unsigned");
}

bool zone_check(const struct zone *z, const char *file, struct diag_list *diags)
{
    struct check c = {z, file, diags, false};
    check_apex(&c);
    check_denial(&c);
    for (uint32_t i = 0; i < z->node_count; i++)
        check_node(&c, &z->nodes[i]);
    return !c.refused;
}
