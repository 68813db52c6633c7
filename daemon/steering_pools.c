/* daemon/steering_pools.c: pools of `gslb`, their members and their records of other types. */
#include "base/err.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "steering_priv.h"

#include <stdlib.h>
#include <string.h>

#define POOL        "gslb.pools.*."
#define MEMBER      "gslb.pools.*.members.*."
#define RECORDS_MAX 65535 /* octets of one set */

/* ---- checks ---- */

/* `check` or `checks`, and how many of them must pass. */
static void read_checks(struct steering *s, const struct config_node *item, const char *one,
                        const char *many, struct gslb_endpoint *e)
{
    const struct config *c = s->c;
    const struct config_node *named = config_node(c, NULL, "gslb.checks");
    bool both = config_node(c, item, one) && config_node(c, item, many);
    const char *path = config_node(c, item, many) ? many : one;
    unsigned n = config_count(c, item, path);
    uint16_t *checks = STEERING_ARRAY(s, uint16_t, n);
    if (both)
        steering_wrong(s, config_node(c, item, one), NULL, "check and checks are one and the same");
    for (unsigned i = 0; checks && i < n; i++) {
        const char *name = config_text_at(c, item, path, i);
        int k = steering_index(s, named, "check", config_node_at(c, item, path, i), name);
        checks[i] = (uint16_t)(k < 0 ? 0 : k);
        for (unsigned j = 0; k >= 0 && j < i; j++)
            if (checks[j] == checks[i])
                steering_wrong(s, config_node_at(c, item, path, i), NULL,
                               "this check is written twice");
    }
    e->checks = checks;
    e->check_count = checks ? n : 0;
}

static void read_need(struct steering *s, const struct config_node *at, const char *need,
                      struct gslb_endpoint *e)
{
    char *end;
    unsigned long k = strtoul(need, &end, 10);
    e->combine = GSLB_ALL_OF;
    if (!strcmp(need, "any")) {
        e->combine = GSLB_ANY_OF;
    } else if (*end || !k) {
        if (strcmp(need, "all") != 0)
            steering_wrong(s, at, NULL, "need: \"%s\" is not all, any or a number from 1", need);
    } else if (k > e->check_count) {
        steering_wrong(s, at, NULL, "need: %lu of %u checks cannot pass", k, e->check_count);
    } else {
        e->combine = GSLB_K_OF;
        e->k = (unsigned)k;
    }
}

/* ---- members ---- */

static void read_addresses(struct steering *s, const struct config_node *item,
                           struct gslb_endpoint *e)
{
    unsigned n = config_count(s->c, item, MEMBER "address");
    for (unsigned i = 0; i < n; i++) {
        struct addr a;
        const struct config_node *at = config_node_at(s->c, item, MEMBER "address", i);
        if (addr_parse(&a, config_text_at(s->c, item, MEMBER "address", i), 0))
            steering_wrong(s, at, "the port of a probe is a key of its check",
                           "an address without port is wanted");
        else if (e->address[a.family == 6].family)
            steering_wrong(s, at, "make it another member", "one address per family is taken");
        else
            e->address[a.family == 6] = a;
    }
}

static void read_kind(struct steering *s, const struct config_node *item, struct gslb_endpoint *e)
{
    const struct config *c = s->c;
    const char *host = config_text(c, item, MEMBER "host"),
               *cname = config_text(c, item, MEMBER "cname");
    bool address = config_node(c, item, MEMBER "address");
    if (address + !!host + !!cname != 1)
        steering_key_wrong(s, item, "address, host or cname", "a member is one of three things");
    e->kind = host ? GSLB_HOST : cname ? GSLB_CNAME : GSLB_ADDRESSES;
    read_addresses(s, item, e);
    if (cname)
        e->host = steering_domain(s, config_node(c, item, MEMBER "cname"), cname);
    if (host)
        e->host = steering_domain(s, config_node(c, item, MEMBER "host"), host);
}

static void read_tags(struct steering *s, const struct config_node *item, struct gslb_endpoint *e)
{
    unsigned n = config_count(s->c, item, MEMBER "tags");
    const char **tags = STEERING_ARRAY(s, const char *, n);
    for (unsigned i = 0; tags && i < n; i++)
        tags[i] = steering_strdup(s, config_text_at(s->c, item, MEMBER "tags", i));
    e->tags = tags;
    e->tag_count = tags ? n : 0;
}

static void read_member(struct steering *s, const struct config_node *item,
                        const struct config_node *pool, int site, const struct gslb_endpoint *like,
                        struct gslb_endpoint *e)
{
    const struct config *c = s->c;
    float at[2] = {0};
    steering_check_name(s, item, "member");
    e->name = steering_strdup(s, item->key);
    read_kind(s, item, e);
    e->weight = (uint32_t)config_int(c, item, MEMBER "weight");
    e->group = (uint16_t)config_int(c, item, MEMBER "group");
    e->enabled = config_bool(c, item, MEMBER "enabled");
    e->has_position = config_position(c, item, MEMBER "at", at);
    e->latitude = at[0];
    e->longitude = at[1];
    if (!e->has_position && site >= 0) {
        const struct gslb_site *of = &s->plan->sites[site];
        e->has_position = of->has_position;
        e->latitude = of->latitude;
        e->longitude = of->longitude;
    }
    e->checks = like->checks;
    e->check_count = like->check_count;
    if (config_node(c, item, MEMBER "check") || config_node(c, item, MEMBER "checks"))
        read_checks(s, item, MEMBER "check", MEMBER "checks", e);
    const char *need = config_text(c, item, MEMBER "need");
    read_need(s, config_node(c, need ? item : pool, need ? MEMBER "need" : POOL "need"),
              need ? need : config_text(c, pool, POOL "need"), e);
    read_tags(s, item, e);
}

static void read_members(struct steering *s, const struct config_node *item, struct gslb_pool *p)
{
    unsigned n;
    struct gslb_endpoint like = {0};
    const struct config_node *member = steering_first(s, item, "gslb.pools.*.members", &n);
    if (n > GSLB_MEMBERS_MAX) {
        steering_key_wrong(s, item, "make two pools, one the fallback of the other",
                           "%u members, at most %d can be had", n, GSLB_MEMBERS_MAX);
        return;
    }
    read_checks(s, item, POOL "check", POOL "checks", &like);
    p->endpoints = STEERING_ARRAY(s, struct gslb_endpoint, n);
    for (; p->endpoints && member; member = member->next)
        read_member(s, member, item, p->site, &like, &p->endpoints[p->endpoint_count++]);
}

/* ---- records of other types ---- */

static bool is_steerable(int type)
{
    switch (type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_SOA:
    case DNS_TYPE_NS:
    case DNS_TYPE_DNAME:
    case DNS_TYPE_DS:
    case DNS_TYPE_RRSIG:
    case DNS_TYPE_NSEC:
    case DNS_TYPE_NSEC3:
    case DNS_TYPE_NSEC3PARAM:
    case DNS_TYPE_DNSKEY:
        return false;
    default:
        return type > 0 && !dns_type_is_meta((uint16_t)type);
    }
}

static bool has_record(const struct dns_rrset *set, const uint8_t *rd, size_t len)
{
    DNS_RR_FOR (have, set) {
        if (have.len == len && !memcmp(have.at, rd, len))
            return true;
    }
    return false;
}

/* Adds one record to the set of its type; sets rise by type. */
static void add_record(struct steering *s, const struct config_node *at, uint16_t type,
                       const uint8_t *rd, size_t len, struct dns_rrset *sets, unsigned *count)
{
    unsigned i = 0;
    while (i < *count && sets[i].type < type)
        i++;
    if (i == *count || sets[i].type != type) {
        memmove(sets + i + 1, sets + i, (*count - i) * sizeof *sets);
        sets[i] = (struct dns_rrset){.type = type, .cls = DNS_CLASS_IN};
        ++*count;
    }
    struct dns_rrset *set = &sets[i];
    if (set->size + len + 2 > RECORDS_MAX || has_record(set, rd, len)) {
        steering_wrong(s, at, NULL, "%s",
                       has_record(set, rd, len) ? "this record is written twice"
                                                : "too many records of one type");
        return;
    }
    uint8_t *all = STEERING_ARRAY(s, uint8_t, set->size + len + 2);
    if (!all)
        return;
    if (set->size)
        memcpy(all, set->rdata, set->size);
    put_u16(all + set->size, (uint16_t)len);
    memcpy(all + set->size + 2, rd, len);
    set->rdata = all;
    set->size += (uint32_t)len + 2;
    set->count++;
}

static void read_record(struct steering *s, const struct config_node *at, const char *text,
                        struct dns_rrset *sets, unsigned *count)
{
    uint8_t rd[RECORDS_MAX];
    size_t word = strcspn(text, " "), bad = 0;
    const char *why = "";
    int type = dns_type_parse(text, word);
    if (!is_steerable(type)) {
        steering_wrong(s, at, "a type and its data: TXT \"x\"; addresses are members",
                       "\"%.*s\" is no type that a pool can have records of", (int)word, text);
        return;
    }
    const char *data = text + word + strspn(text + word, " ");
    int len = dns_rdata_parse((uint16_t)type, data, strlen(data), dns_name_root, rd, sizeof rd,
                              &bad, &why);
    if (len < 0)
        steering_wrong(s, at, NULL, "at \"%.40s\": %s", data + bad, why);
    else
        add_record(s, at, (uint16_t)type, rd, (size_t)len, sets, count);
}

static void read_records(struct steering *s, const struct config_node *item, struct gslb_pool *p)
{
    unsigned n = config_count(s->c, item, POOL "records");
    struct dns_rrset *sets = STEERING_ARRAY(s, struct dns_rrset, n);
    for (unsigned i = 0; sets && i < n; i++)
        read_record(s, config_node_at(s->c, item, POOL "records", i),
                    config_text_at(s->c, item, POOL "records", i), sets, &p->record_count);
    p->records = sets;
}

/* ---- pools ---- */

static bool is_nearest(const char *by)
{
    return !strcmp(by, "nearest") || !strcmp(by, "n-best");
}

static void read_choose(struct steering *s, const struct config_node *item, struct gslb_pool *p)
{
    const struct config *c = s->c;
    const char *by = config_text(c, item, POOL "choose.by");
    int policy = is_nearest(by) ? GSLB_FAILOVER : gslb_policy_parse(by);
    p->policy = policy < 0 ? GSLB_FAILOVER : (enum gslb_policy)policy;
    p->answers = (unsigned)config_int(c, item, POOL "choose.answers");
    p->shuffle = !strcmp(config_text(c, item, POOL "choose.order"), "shuffled");
    p->band_us = (uint32_t)config_int(c, item, POOL "choose.band") * 1000;
    p->epoch_s = (uint32_t)(config_int(c, item, POOL "choose.lifetime") / 1000);
    p->bound_permille = (uint32_t)config_int(c, item, POOL "choose.bound");
    static const struct {
        const char *path;
        enum gslb_policy policy;
    } only[] = {{POOL "choose.band", GSLB_FASTEST},
                {POOL "choose.lifetime", GSLB_STICKY},
                {POOL "choose.bound", GSLB_CONSISTENT}};
    for (size_t i = 0; i < sizeof only / sizeof *only; i++)
        if (config_node(c, item, only[i].path) && (is_nearest(by) || p->policy != only[i].policy))
            steering_wrong(s, config_node(c, item, only[i].path), NULL, "%s is for the policy %s",
                           only[i].path + sizeof POOL - 1, gslb_policy_name(only[i].policy));
    if (config_node(c, item, POOL "choose.map") && !is_nearest(by))
        steering_wrong(s, config_node(c, item, POOL "choose.map"), NULL,
                       "choose.map is for the policy nearest");
    if (!strcmp(by, "n-best") && !p->answers)
        steering_wrong(s, config_node(c, item, POOL "choose.by"),
                       "choose: { by: n-best, answers: 2 }", "how many are the n best?");
}

static void read_pool(struct steering *s, const struct config_node *item, struct gslb_pool *p)
{
    const struct config *c = s->c;
    const char *site = config_text(c, item, POOL "site"),
               *fallback = config_text(c, item, POOL "fallback");
    steering_check_name(s, item, "pool");
    p->name = steering_strdup(s, item->key);
    p->at = steering_at(s, item);
    p->site = site ? steering_index(s, config_node(c, NULL, "gslb.sites"), "site",
                                    config_node(c, item, POOL "site"), site)
                   : GSLB_NONE;
    p->fallback = fallback ? steering_index(s, config_node(c, NULL, "gslb.pools"), "pool",
                                            config_node(c, item, POOL "fallback"), fallback)
                           : GSLB_NONE;
    p->near = GSLB_NONE;
    read_choose(s, item, p);
    p->healthy_permille = (uint32_t)config_int(c, item, POOL "enough");
    p->ignore_health = !strcmp(config_text(c, item, POOL "health"), "ignore");
    steering_lengths(s, NULL, "gslb.networks", &p->network4, &p->network6);
    steering_lengths(s, item, "gslb.pools.*.networks", &p->network4, &p->network6);
    read_members(s, item, p);
    read_records(s, item, p);
    if (is_nearest(config_text(c, item, POOL "choose.by")) && p->endpoint_count && !s->nomem)
        p->near = steering_map_near(s, item, p->name, p->endpoints, p->endpoint_count);
}

void steering_pools_read(struct steering *s)
{
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.pools", &n);
    s->plan->pools = STEERING_ARRAY(s, struct gslb_pool, n);
    for (; !s->nomem && item; item = item->next)
        read_pool(s, item, &s->plan->pools[s->plan->pool_count++]);
}
