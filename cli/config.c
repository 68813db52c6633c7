/* cli/config.c: config new, show, explain, schema. */
#include "config/config.h"
#include "args_priv.h"
#include "base/err.h"
#include "base/runtime.h"
#include "verbs_priv.h"

#include <ifaddrs.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            "  responses: full            # or minimal\n",
            zone, zone);
}

static int config_new(const struct words *w, const char *zone)
{
    const char *what = w->count > 1 ? w->at[1] : "resolver";
    if (!strcmp(what, "resolver")) {
        new_resolver(stdout);
    } else if (!strcmp(what, "authority")) {
        new_authority(zone ? zone : "example.com", stdout);
    } else {
        fputs("usage: waypost config new resolver | authority [--zone NAME]\n", stderr);
        return EXIT_USAGE;
    }
    return EXIT_POSITIVE;
}

/* ---- show ---- */

static json_t *value_of(const struct config *c, const struct config_node *item,
                        const struct config_option *o)
{
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

static void add_items(json_t *list, const struct config *c, const struct config_option *items)
{
    size_t n = strlen(items->path);
    for (unsigned i = 0; i < config_items(c, items->path); i++)
        for (const struct config_option *o = config_options; o->path; o++) {
            char shown[160];
            if (strncmp(o->path, items->path, n) != 0 || strncmp(o->path + n, "[].", 3) != 0 ||
                o->type == CONFIG_UNBUILT)
                continue;
            snprintf(shown, sizeof shown, "%s[%u].%s", items->path, i, o->path + n + 3);
            add_option(list, c, config_item(c, items->path, i), o, shown);
        }
}

static json_t *effective(const struct config *c)
{
    json_t *list = json_array();
    for (const struct config_option *o = config_options; o->path; o++) {
        if (o->type == CONFIG_ITEMS)
            add_items(list, c, o);
        else if (o->type != CONFIG_MAP && o->type != CONFIG_UNBUILT && !strchr(o->path, '['))
            add_option(list, c, NULL, o, o->path);
    }
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
    return json_pack("{s:s, s:s, s:b, s:b, s:s?, s:s?, s:o, s:o, s:s}", "option", o->path, "type",
                     config_type_name(o), "built", o->type != CONFIG_UNBUILT, "required",
                     o->required, "default", o->def, "choices", o->choices, "least",
                     range ? json_integer(o->min) : json_null(), "most",
                     range ? json_integer(o->max) : json_null(), "meaning", o->help);
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
        "config new resolver|authority [--zone NAME] | show [FILE] [--json] | explain [PATH] "
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
