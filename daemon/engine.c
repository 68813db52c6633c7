#include "daemon/engine.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "resolver/hints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINTS_FILE_MAX 65536
#define LOCAL_TTL_S    3600

static char *read_hints(const char *path, int *err)
{
    char *text = malloc(HINTS_FILE_MAX);
    FILE *f = fopen(path, "re");
    *err = f ? 0 : err_of_errno(errno);
    size_t n = text && f ? fread(text, 1, HINTS_FILE_MAX - 1, f) : 0;
    if (f && ferror(f))
        *err = err_of_errno(errno);
    else if (n == HINTS_FILE_MAX - 1)
        *err = ERR_LIMIT;
    if (f)
        fclose(f);
    if (!text || *err) {
        *err = *err ? *err : ERR_NOMEM;
        free(text);
        return NULL;
    }
    text[n] = 0;
    return text;
}

static int take_hints(struct engine *e, const struct config *c, struct diag_list *diags)
{
    const char *hints = config_text(c, NULL, "resolver.root-hints");
    char path[4096];
    int err;
    if (!strcmp(hints, "builtin"))
        return 0;
    e->hints = read_hints(config_path(c, hints, path, sizeof path), &err);
    if (!e->hints)
        config_complain(c, config_node(c, NULL, "resolver.root-hints"), DIAG_ERROR, err_remedy(err),
                        diags, "%s cannot be read: %s", path, err_text(err));
    e->options.hints_text = e->hints;
    if (!e->hints)
        return err;
    struct hints *h = malloc(sizeof *h);
    if (h && hints_read(h, e->hints, diags))
        config_complain(c, config_node(c, NULL, "resolver.root-hints"), DIAG_ERROR, NULL, diags,
                        "%s is no file of root hints", path);
    free(h);
    return 0;
}

/* NULL when the text is no name (said). */
static const uint8_t *take_name(struct engine *e, const struct config *c,
                                const struct config_node *item, const char *path,
                                struct diag_list *diags)
{
    uint8_t name[DNS_NAME_MAX];
    const char *text = config_text(c, item, path);
    int n = dns_name_parse(name, text, strlen(text), NULL);
    if (n >= 0)
        return arena_dup(&e->arena, name, (size_t)n);
    config_complain(c, config_node(c, item, path), DIAG_ERROR, NULL, diags,
                    "\"%s\" is not a domain name: %s", text, err_text(n));
    return NULL;
}

static void take_forward(struct engine *e, const struct config *c, struct diag_list *diags)
{
    unsigned n = config_items(c, "resolver.forward");
    struct resolver_forward *f = ARENA_ARRAY(&e->arena, struct resolver_forward, n + 1);
    for (unsigned i = 0; f && i < n; i++) {
        const struct config_node *item = config_item(c, "resolver.forward", i);
        unsigned count = config_count(c, item, "resolver.forward[].to");
        struct addr *to = ARENA_ARRAY(&e->arena, struct addr, count + 1);
        for (unsigned j = 0; to && j < count; j++)
            addr_parse_port(&to[j], config_text_at(c, item, "resolver.forward[].to", j), 53);
        const uint8_t *zone = take_name(e, c, item, "resolver.forward[].zone", diags);
        f[i] = (struct resolver_forward){zone, to, count};
        for (unsigned j = 0; zone && j < i; j++)
            if (f[j].zone && dns_name_equal(f[j].zone, zone))
                config_complain(c, config_node(c, item, "resolver.forward[].zone"), DIAG_ERROR,
                                "write all its servers into one list", diags,
                                "this zone is forwarded already");
    }
    e->options.forward = f;
    e->options.forward_count = f ? n : 0;
}

static unsigned local_addresses(struct engine *e, const struct config *c,
                                const struct config_node *item, const char *path, uint16_t type,
                                const uint8_t *name, struct resolver_local *out,
                                struct diag_list *diags)
{
    unsigned n = config_count(c, item, path);
    for (unsigned i = 0; i < n; i++) {
        struct addr a;
        size_t len;
        const char *text = config_text_at(c, item, path, i);
        int family = type == DNS_TYPE_A ? 4 : 6;
        if (addr_parse(&a, text, 0) || a.family != family)
            config_complain(c, config_node(c, item, path), DIAG_ERROR,
                            family == 4 ? "IPv6 addresses are written under aaaa"
                                        : "IPv4 addresses are written under a",
                            diags, "%s: \"%s\" is not an IPv%d address", path, text, family);
        const uint8_t *ip = addr_bytes(&a, &len);
        out[i] = (struct resolver_local){.name = name,
                                         .type = type,
                                         .action = LOCAL_DATA,
                                         .ttl = LOCAL_TTL_S,
                                         .rdata = arena_dup(&e->arena, ip, len),
                                         .rdlen = (uint16_t)len};
    }
    return n;
}

static void take_local(struct engine *e, const struct config *c, struct diag_list *diags)
{
    unsigned items = config_items(c, "resolver.local"), room = 0, n = 0;
    for (unsigned i = 0; i < items; i++) {
        const struct config_node *item = config_item(c, "resolver.local", i);
        room += 1 + config_count(c, item, "resolver.local[].a") +
                config_count(c, item, "resolver.local[].aaaa");
    }
    struct resolver_local *l = ARENA_ARRAY(&e->arena, struct resolver_local, room + 1);
    for (unsigned i = 0; l && i < items; i++) {
        const struct config_node *item = config_item(c, "resolver.local", i);
        const uint8_t *name = take_name(e, c, item, "resolver.local[].name", diags);
        const char *action = config_text(c, item, "resolver.local[].action");
        unsigned before = n;
        if (!name)
            continue;
        n += local_addresses(e, c, item, "resolver.local[].a", DNS_TYPE_A, name, l + n, diags);
        n +=
            local_addresses(e, c, item, "resolver.local[].aaaa", DNS_TYPE_AAAA, name, l + n, diags);
        if (action)
            l[n++] =
                (struct resolver_local){.name = name,
                                        .action = *action == 'r'              ? LOCAL_REFUSE
                                                  : !strcmp(action, "nodata") ? LOCAL_NODATA
                                                                              : LOCAL_NXDOMAIN};
        if (n == before || (action && n > before + 1))
            config_complain(c, item, DIAG_ERROR, "write a, aaaa or action", diags,
                            n == before ? "this name has neither an address nor an action"
                                        : "a name has addresses or an action, not both");
    }
    e->options.local = l;
    e->options.local_count = n;
}

static void take_source(struct engine *e, const struct config *c, struct diag_list *diags)
{
    for (unsigned i = 0; i < config_count(c, NULL, "resolver.source"); i++) {
        struct addr a;
        const char *text = config_text_at(c, NULL, "resolver.source", i);
        const char *why = addr_parse(&a, text, 0)           ? "the ports are drawn at random"
                          : e->source[a.family == 6].family ? "one per family is taken"
                                                            : NULL;
        if (why)
            config_complain(c, config_node(c, NULL, "resolver.source"), DIAG_ERROR, why, diags,
                            "resolver.source: \"%s\" cannot be taken", text);
        else
            e->source[a.family == 6] = a;
    }
}

/* Values that are right one by one and wrong together. */
static void check_together(const struct config *c, const struct resolver_options *o,
                           struct diag_list *diags)
{
    if (!o->use_ipv4 && !o->use_ipv6)
        config_complain(c, config_node(c, NULL, "resolver.ipv6"), DIAG_ERROR,
                        "leave one of them on", diags,
                        "with neither IPv4 nor IPv6 no server can be asked");
    if (o->ttl_min_s > o->ttl_max_s)
        config_complain(c, config_node(c, NULL, "resolver.cache.ttl.min"), DIAG_ERROR, NULL, diags,
                        "the least TTL is above the greatest (%us)", (unsigned)o->ttl_max_s);
}

int engine_init(struct engine *e, const struct config *c, struct diag_list *diags)
{
    struct resolver_options *o = &e->options;
    unsigned errors = diags->errors;
    memset(e, 0, sizeof *e);
    arena_init(&e->arena, 4096, 0);
    resolver_options_default(o);
    uint64_t bytes = (uint64_t)config_int(c, NULL, "resolver.cache.size");
    e->answers_bytes = bytes / 2;
    o->cache_bytes = bytes; /* the resolver takes its half */
    o->ttl_min_s = (uint32_t)(config_int(c, NULL, "resolver.cache.ttl.min") / 1000);
    o->ttl_max_s = (uint32_t)(config_int(c, NULL, "resolver.cache.ttl.max") / 1000);
    o->ttl_negative_max_s = (uint32_t)(config_int(c, NULL, "resolver.cache.ttl.negative") / 1000);
    o->ttl_follows_wall = config_bool(c, NULL, "resolver.cache.wall-clock");
    o->qname_minimisation = config_bool(c, NULL, "resolver.qname-minimisation");
    o->case_randomisation = config_bool(c, NULL, "resolver.case-randomisation");
    o->cookies = config_bool(c, NULL, "resolver.cookies");
    o->priming = config_bool(c, NULL, "resolver.priming");
    o->harden_glue = config_bool(c, NULL, "resolver.harden-glue");
    o->special_zones = config_bool(c, NULL, "resolver.special-zones");
    o->use_ipv4 = config_bool(c, NULL, "resolver.ipv4");
    o->use_ipv6 = config_bool(c, NULL, "resolver.ipv6");
    o->ask_loopback = config_bool(c, NULL, "resolver.ask-loopback");
    o->ask_private = config_bool(c, NULL, "resolver.ask-private");
    o->refresh_percent = (unsigned)config_int(c, NULL, "resolver.cache.prefetch");
    o->full_responses = !strcmp(config_text(c, NULL, "resolver.responses"), "full");
    o->upstream_port = (uint16_t)config_int(c, NULL, "resolver.upstream-port");
    o->limits.total = (uint16_t)config_int(c, NULL, "resolver.limits.work-per-query");
    o->limits.query_ms = (uint32_t)config_int(c, NULL, "resolver.limits.query-time");
    o->limits.in_flight = (uint32_t)config_int(c, NULL, "resolver.limits.in-flight");
    int err = take_hints(e, c, diags);
    take_forward(e, c, diags);
    take_local(e, c, diags);
    take_source(e, c, diags);
    check_together(c, o, diags);
    if (err && diags->errors == errors + 1) /* nothing wrong with the configuration */
        return err;
    return diags->errors > errors ? ERR_INVALID : 0;
}

void engine_free(struct engine *e)
{
    arena_fini(&e->arena);
    free(e->hints);
    e->hints = NULL;
}
