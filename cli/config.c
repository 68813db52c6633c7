/* cli/config.c: config new, show, explain, schema. */
#include "config/config.h"
#include "args_priv.h"
#include "base/err.h"
#include "base/runtime.h"
#include "config/tree.h"
#include "verbs_priv.h"

#include <ifaddrs.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 320

/* ---- new ---- */

/* Directly connected private networks, which a resolver may serve. */
static void print_networks(FILE *out)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all))
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct addr a, mask;
        char text[ADDR_TEXT_MAX];
        if (!i->ifa_addr || !i->ifa_netmask || addr_of_sockaddr(&a, i->ifa_addr) ||
            addr_of_sockaddr(&mask, i->ifa_netmask) || !addr_is_private(&a) || a.scope)
            continue;
        struct prefix p = {.family = a.family};
        size_t len;
        const uint8_t *bits = addr_bytes(&mask, &len);
        p.bits = a.family == 4 ? 96 : 0;
        for (size_t k = 0; k < len; k++)
            p.bits = (uint8_t)(p.bits + __builtin_popcount(bits[k]));
        for (size_t k = 0; k < 16; k++)
            p.ip[k] = k < (size_t)(16 - len) ? a.ip[k] : a.ip[k] & bits[k - (16 - len)];
        fprintf(out, ", \"%s\"", prefix_print(&p, text));
    }
    freeifaddrs(all);
}

static void new_resolver(FILE *out)
{
    fputs("# A resolver for this machine and its networks.   waypost check FILE   waypost run -c "
          "FILE\n"
          "# Every option: waypost config explain\n"
          "server:\n"
          "  # identity: dns1           # answer to NSID; none by default\n"
          "  workers: 0                 # one per core\n"
          "\n"
          "listen:\n"
          "  - { address: 127.0.0.1, port: 53 }\n",
          out);
    if (runtime_has_ipv6())
        fputs("  - { address: \"::1\",     port: 53 }\n", out);
    fputs("  # - { address: 192.168.1.2, port: 53 }     # to serve a network, its interface's "
          "address\n"
          "\n"
          "resolver:\n"
          "  allow: [127.0.0.0/8, \"::1\"",
          out);
    print_networks(out);
    fputs("]    # everyone else is refused\n"
          "  root-hints: builtin        # or a file\n"
          "  cache:\n"
          "    size: 64M                # hard bound\n"
          "  # forward:\n"
          "  #   - { zone: corp.example, to: [10.1.1.53] }\n"
          "  # local:\n"
          "  #   - { name: printer.home.arpa, a: 192.168.1.40 }\n"
          "  #   - { name: blocked.example,   action: nxdomain }\n",
          out);
}

static void new_authority(const char *zone, FILE *out)
{
    fprintf(out,
            "# An authoritative server for one zone.   waypost check FILE   waypost run -c FILE\n"
            "server:\n"
            "  workers: 0                 # one per core\n"
            "  # user: waypost            # become this user once the port is bound\n"
            "\n"
            "listen:\n"
            "  - { address: 127.0.0.1, port: 53, role: authority }    # the public address here\n"
            "\n"
            "zones:\n"
            "  - { name: %s, file: %s.zone }\n"
            "\n"
            "authority:\n"
            "  responses: minimal         # full: each answer names the zone's servers too\n",
            zone, zone);
}

static void new_gslb(const char *zone, FILE *out)
{
    fprintf(out,
            "# Answers by place and weight for names of one zone.   waypost check FILE   waypost "
            "run -c FILE\n"
            "listen:\n"
            "  - { address: 127.0.0.1, port: 53, role: authority }    # the public address here\n"
            "\n"
            "zones:\n"
            "  - { name: %s, file: %s.zone }\n"
            "\n"
            "gslb:\n"
            "  sites:\n"
            "    fra: { at: [50.11, 8.68] }\n"
            "    iad: { at: [38.95, -77.45] }\n"
            "\n"
            "  maps:\n"
            "    world:\n"
            "      # database: /var/lib/waypost/city.mmdb   # else only the networks below\n"
            "      networks:\n"
            "        office: [192.0.2.0/24]\n"
            "      rules:                   # the first that matches decides\n"
            "        - { network: office, prefer: [fra] }\n"
            "      # - { continent: EU,   prefer: [fra, iad] }\n"
            "      # - { country: US,     prefer: { iad: 70, fra: 30 } }\n"
            "      otherwise: [iad, fra]    # or: nearest\n"
            "\n"
            "  pools:\n"
            "    www-fra:\n"
            "      site: fra\n"
            "      choose: weighted         # every policy: waypost config explain "
            "gslb.pools.*.choose.by\n"
            "      members:\n"
            "        a: { address: 203.0.113.10, weight: 3 }\n"
            "        b: { address: 203.0.113.11, weight: 1 }\n"
            "    www-iad:\n"
            "      site: iad\n"
            "      members: { a: 198.51.100.20, b: 198.51.100.21 }\n"
            "\n"
            "  names:\n"
            "    www.%s:\n"
            "      map: world\n"
            "      pools: [www-fra, www-iad]\n"
            "      ttl: { normal: 30s, degraded: 10s }\n",
            zone, zone, zone);
}

static int config_new(const struct words *w, const char *zone)
{
    const char *what = w->count > 1 ? w->at[1] : "resolver";
    if (!strcmp(what, "resolver")) {
        new_resolver(stdout);
    } else if (!strcmp(what, "authority")) {
        new_authority(zone ? zone : "example.com", stdout);
    } else if (!strcmp(what, "gslb")) {
        new_gslb(zone ? zone : "example.com", stdout);
    } else {
        fputs("usage: waypost config new resolver | authority | gslb [--zone NAME]\n", stderr);
        return EXIT_USAGE;
    }
    return EXIT_POSITIVE;
}

/* ---- show ---- */

/* A value whose shape is free: as it is written. Depth is that of the tree. */
static json_t *free_value(const struct config_node *n) /* NOLINT(misc-no-recursion) */
{
    if (!n)
        return json_null();
    if (n->kind == TREE_SCALAR)
        return json_string(n->text);
    json_t *out = n->kind == TREE_MAP ? json_object() : json_array();
    for (const struct config_node *it = n->child; it; it = it->next)
        if (n->kind == TREE_MAP)
            json_object_set_new(out, it->key, free_value(it));
        else
            json_array_append_new(out, free_value(it));
    return out;
}

static json_t *value_of(const struct config *c, const struct config_node *item,
                        const struct config_option *o)
{
    if (o->type == CONFIG_WEIGHED || o->type == CONFIG_POSITION)
        return free_value(config_node(c, item, o->path));
    if (o->many || o->type == CONFIG_PREFIX) {
        json_t *list = json_array();
        for (unsigned i = 0; i < config_count(c, item, o->path); i++)
            json_array_append_new(list, json_string(config_text_at(c, item, o->path, i)));
        return list;
    }
    const char *text = config_text(c, item, o->path);
    if (!text)
        return json_null();
    if (o->type == CONFIG_BOOL)
        return json_boolean(config_bool(c, item, o->path));
    if (o->type == CONFIG_INT)
        return json_integer(config_int(c, item, o->path));
    return json_string(text);
}

static void add_option(json_t *list, const struct config *c, const struct config_node *item,
                       const struct config_option *o, const char *shown)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "option", shown, "value",
                                          value_of(c, item, o), "written",
                                          config_node(c, item, o->path) != NULL));
}

/* The last part of a row's path, when it lies directly below `parent`. */
static const char *key_below(const struct config_option *o, const char *parent)
{
    size_t n = strlen(parent);
    if (n && (strncmp(o->path, parent, n) != 0 || o->path[n] != '.'))
        return NULL;
    const char *key = o->path + n + (n > 0);
    return strpbrk(key, ".[") ? NULL : key;
}

/* The rows below `parent`, as `item` has them. Depth is bounded by the rows. */
static void add_rows(json_t *list, const struct config *c,
                     const struct config_node *item, /* NOLINT(misc-no-recursion) */
                     const char *parent, const char *shown_parent)
{
    for (const struct config_option *o = config_options; o->path; o++) {
        char shown[SHOWN_MAX], below[SHOWN_MAX];
        const char *key = key_below(o, parent);
        if (!key || o->type == CONFIG_UNBUILT)
            continue;
        snprintf(shown, sizeof shown, "%s%s%s", shown_parent, *shown_parent ? "." : "", key);
        if (o->type == CONFIG_MAP) {
            add_rows(list, c, item, o->path, shown);
        } else if (o->type == CONFIG_ITEMS || o->type == CONFIG_NAMED) {
            bool named = o->type == CONFIG_NAMED;
            const struct config_node *all = config_node(c, item, o->path);
            snprintf(below, sizeof below, "%s%s", o->path, named ? ".*" : "[]");
            unsigned i = 0;
            for (const struct config_node *it = all ? all->child : NULL; it; it = it->next, i++) {
                char one[SHOWN_MAX * 2];
                if (named)
                    snprintf(one, sizeof one, "%s.%s", shown, it->key);
                else
                    snprintf(one, sizeof one, "%s[%u]", shown, i);
                add_rows(list, c, it, below, one);
            }
        } else {
            add_option(list, c, item, o, shown);
        }
    }
}

static json_t *effective(const struct config *c)
{
    json_t *list = json_array();
    add_rows(list, c, NULL, "", "");
    return list;
}

static int config_show(const char *path, bool json)
{
    struct diag_list diags;
    struct config *c = NULL;
    size_t i;
    json_t *v;
    diag_init(&diags);
    int err = path ? config_load(&c, path, &diags)
                   : config_load_mem(&c, "built-in configuration", "", 0, &diags);
    diag_print(&diags, stderr, args_colour());
    diag_fini(&diags);
    if (err)
        return exit_of_error(err);
    json_t *doc = json_pack("{s:i, s:o}", "version", 1, "options", effective(c));
    if (json) {
        json_dumpf(doc, stdout, JSON_INDENT(1));
        putchar('\n');
    }
    json_array_foreach(json_object_get(doc, "options"), i, v)
    {
        char *text = json_dumps(json_object_get(v, "value"), JSON_ENCODE_ANY);
        if (!json)
            printf("%-36s %s%s\n", json_string_value(json_object_get(v, "option")),
                   text ? text : "?",
                   json_is_true(json_object_get(v, "written")) ? "" : "   (default)");
        free(text);
    }
    json_decref(doc);
    config_free(c);
    return EXIT_POSITIVE;
}

/* ---- explain ---- */

static json_t *option_json(const struct config_option *o)
{
    bool range = o->min || o->max;
    return json_pack("{s:s, s:s, s:b, s:b, s:b, s:s?, s:s?, s:o, s:o, s:s}", "option", o->path,
                     "type", config_type_name(o), "built", o->type != CONFIG_UNBUILT, "required",
                     o->required, "at_start", config_option_at_start(o), "default", o->def,
                     "choices", o->choices, "least", range ? json_integer(o->min) : json_null(),
                     "most", range ? json_integer(o->max) : json_null(), "meaning", o->help);
}

static int explain(const char *path, bool json)
{
    const struct config_option *o = path ? config_option_find(path) : NULL;
    if (path && !o) {
        const char *near = config_option_near(path);
        fprintf(stderr, "waypost config explain: no option \"%s\"%s%s%s\n", path,
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return EXIT_USAGE;
    }
    json_t *list = json_array();
    for (const struct config_option *row = o ? o : config_options; row->path; row++) {
        if (json)
            json_array_append_new(list, option_json(row));
        else
            config_print_option(row, stdout);
        if (o)
            break;
    }
    if (json) {
        json_t *doc = json_pack("{s:i, s:O}", "version", 1, "options", list);
        json_dumpf(doc, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(doc);
    }
    json_decref(list);
    return EXIT_POSITIVE;
}

int verb_config(int argc, char **argv)
{
    static const char usage[] =
        "config new resolver|authority|gslb [--zone NAME] | show [FILE] [--json] | explain [PATH] "
        "[--json] | schema";
    const char *zone = NULL, *file = NULL;
    bool json = false;
    struct words w;
    if (!args_read(usage,
                   (const struct arg[]){{"--json", NULL, &json, NULL},
                                        {"--zone", NULL, NULL, &zone},
                                        {"--config", "-c", NULL, &file},
                                        {NULL, NULL, NULL, NULL}},
                   2, argc, argv, &w))
        return EXIT_USAGE;
    const char *what = w.count ? w.at[0] : "", *word = w.count > 1 ? w.at[1] : NULL;
    if (!strcmp(what, "new"))
        return config_new(&w, zone);
    if (!strcmp(what, "show"))
        return config_show(word ? word : file, json);
    if (!strcmp(what, "explain"))
        return explain(word, json);
    if (!strcmp(what, "schema") && !word) {
        config_print_schema(stdout);
        return EXIT_POSITIVE;
    }
    fprintf(stderr, "usage: waypost %s\n", usage);
    return EXIT_USAGE;
}
