/* cli/control.c: status, stats, servers, reload, stop, cache: what is asked of a running server. */
#include "args_priv.h"
#include "json_priv.h"
#include "remote_priv.h"
#include "verbs_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOWN_SHOWN 5

static long long int_of(const json_t *o, const char *key)
{
    return (long long)json_number_value(json_object_get(o, key));
}

/* ---- status, stats, servers ---- */

static void print_uptime(long long s)
{
    if (s >= 86400)
        printf("up %lld d %lld h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        printf("up %lld h %lld m", s / 3600, s / 60 % 60);
    else
        printf("up %lld m %lld s", s / 60, s % 60);
}

static double megabytes(const json_t *o, const char *key)
{
    return (double)int_of(o, key) / (1024 * 1024);
}

static void print_list(const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) printf("%s%s", i ? "+" : "", json_string_value(v));
}

static unsigned print_attention(const json_t *doc)
{
    const json_t *failed = json_object_get(json_object_get(doc, "zones"), "failed");
    unsigned n = 0;
    size_t i;
    json_t *v;
    json_array_foreach(failed, i, v)
    {
        printf("attention   %s is answered SERVFAIL: its file could not be loaded\n",
               json_string_value(v));
        n++;
    }
    if (json_is_true(json_object_get(json_object_get(doc, "config"), "last_reload_failed"))) {
        puts("attention   the last reload failed, wholly or for some zones: waypost check FILE");
        n++;
    }
    const json_t *gslb = json_object_get(doc, "gslb");
    const json_t *down = json_object_get(gslb, "down");
    if (json_array_size(down)) {
        printf("attention   %zu member%s down (gslb status): ", json_array_size(down),
               json_array_size(down) == 1 ? " is" : "s are");
        json_array_foreach(down, i, v) if (i < DOWN_SHOWN)
            printf("%s%s", i ? ", " : "", json_string_value(v));
        puts(json_array_size(down) > DOWN_SHOWN ? ", ..." : "");
        n++;
    }
    if (json_is_true(json_object_get(gslb, "frozen")) ||
        json_is_false(json_object_get(gslb, "saving"))) {
        puts("attention   health of members is frozen or cannot be kept: waypost gslb status");
        n++;
    }
    json_array_foreach(json_object_get(doc, "attention"), i, v)
    {
        printf("attention   %s\n", json_string_value(v));
        n++;
    }
    return n;
}

static void print_status(const json_t *doc)
{
    const json_t *n = json_object_get(doc, "counters"), *zones = json_object_get(doc, "zones"),
                 *cache = json_object_get(doc, "cache"), *config = json_object_get(doc, "config"),
                 *l;
    const json_t *answers = json_object_get(cache, "answers"),
                 *records = json_object_get(cache, "records");
    long long cached = int_of(n, "waypost_route_cached_total"),
              resolved = int_of(n, "waypost_route_resolved_total");
    size_t i;
    printf("%s   ", *text_of(doc, "identity") ? text_of(doc, "identity") : "waypost");
    print_uptime(int_of(doc, "uptime_s"));
    printf("   pid %lld   %lld worker%s   config %s (version %lld)\n", int_of(doc, "pid"),
           int_of(doc, "workers"), int_of(doc, "workers") == 1 ? "" : "s",
           *text_of(config, "file") ? text_of(config, "file") : "built in",
           int_of(config, "generation"));
    printf("queries     %lld, %lld refused, %lld malformed, %lld SERVFAIL\n",
           int_of(n, "waypost_route_queries_total"), int_of(n, "waypost_route_refused_total"),
           int_of(n, "waypost_route_formerr_total"), int_of(n, "waypost_route_servfail_total"));
    printf("resolver    %lld from the cache, %lld resolved", cached, resolved);
    if (cached + resolved)
        printf(" (hit ratio %.1f %%)", 100.0 * (double)cached / (double)(cached + resolved));
    printf("\n            answers %.1f of %.1f MB, %lld; record sets %.1f of %.1f MB, %lld\n",
           megabytes(answers, "bytes"), megabytes(answers, "limit"), int_of(answers, "entries"),
           megabytes(records, "bytes"), megabytes(records, "limit"), int_of(records, "entries"));
    printf("authority   %lld answers, %lld zones of %lld loaded, %lld records\n",
           int_of(n, "waypost_route_authority_total"), int_of(zones, "loaded"),
           int_of(zones, "count"), int_of(zones, "records"));
    const json_t *gslb = json_object_get(doc, "gslb");
    if (int_of(gslb, "names"))
        printf("gslb        %lld names, %lld of %lld members up, %lld under order\n",
               int_of(gslb, "names"), int_of(gslb, "up"), int_of(gslb, "members"),
               int_of(gslb, "ordered"));
    json_array_foreach(json_object_get(doc, "listeners"), i, l)
    {
        printf("listening   %s ", text_of(l, "address"));
        print_list(json_object_get(l, "protos"));
        putchar(' ');
        print_list(json_object_get(l, "roles"));
        putchar('\n');
    }
}

int verb_status(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    struct words words;
    long status;
    int code;
    if (!args_read("status [-s SOCKET] [--json]",
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    json_t *doc = remote_call(socket, "GET", "/v1/status", &status, &code);
    if (!doc)
        return code;
    unsigned attention = 0;
    if (json) {
        print_json(doc);
    } else {
        print_status(doc);
        attention = print_attention(doc);
    }
    json_decref(doc);
    return attention ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

static void print_servers(const json_t *doc)
{
    size_t i;
    json_t *v;
    printf("%-28s %-8s %9s %9s %6s %7s  %s\n", "server", "health", "srtt ms", "rto ms", "loss",
           "window", "remembered");
    json_array_foreach(json_object_get(doc, "servers"), i, v) printf(
        "%-28s %-8s %9.1f %9lld %5.1f%% %7lld  %s%s\n", text_of(v, "address"), text_of(v, "health"),
        json_number_value(json_object_get(v, "srtt_ms")), int_of(v, "rto_ms"),
        100 * json_number_value(json_object_get(v, "loss")), int_of(v, "window"),
        json_is_true(json_object_get(v, "edns_broken")) ? "breaks EDNS " : "",
        json_is_true(json_object_get(v, "case_broken")) ? "loses case" : "");
}

static void print_stats(const json_t *doc)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
        printf("%s %lld\n", key, (long long)json_integer_value(v));
}

static int show(const char *usage, const char *path, void (*print)(const json_t *), int argc,
                char **argv)
{
    const char *socket = NULL;
    bool json = false;
    struct words words;
    long status;
    int code;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    json_t *doc = remote_call(socket, "GET", path, &status, &code);
    if (!doc)
        return code;
    if (json)
        print_json(doc);
    else
        print(doc);
    json_decref(doc);
    return EXIT_POSITIVE;
}

int verb_stats(int argc, char **argv)
{
    return show("stats [-s SOCKET] [--json]", "/v1/stats", print_stats, argc, argv);
}

int verb_servers(int argc, char **argv)
{
    return show("servers [-s SOCKET] [--json]", "/v1/servers", print_servers, argc, argv);
}

/* ---- reload, stop ---- */

static int order(const char *usage, const char *path, bool json, const char *socket,
                 const char *done)
{
    long status = 0;
    int code;
    size_t i;
    json_t *v;
    (void)usage;
    json_t *doc = remote_call(socket, "POST", path, &status, &code);
    if (!doc)
        return code;
    if (json)
        print_json(doc);
    json_array_foreach(json_object_get(doc, "messages"), i, v)
        fprintf(stderr, "%s\n", json_string_value(v));
    if (!json && status == 200)
        puts(done);
    else if (!json && json_is_false(json_object_get(doc, "changed")))
        fputs("nothing was changed\n", stderr);
    else if (!json)
        fprintf(stderr, "%lld zones or databases keep their old version, the others are taken\n",
                int_of(doc, "zone_errors"));
    json_decref(doc);
    return status == 200 ? EXIT_POSITIVE : EXIT_CONFIG;
}

static int verb_order(const char *usage, const char *path, const char *done, int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    struct words words;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    return order(usage, path, json, socket, done);
}

int verb_reload(int argc, char **argv)
{
    return verb_order("reload [-s SOCKET] [--json]", "/v1/reload", "reloaded", argc, argv);
}

int verb_stop(int argc, char **argv)
{
    return verb_order("stop [-s SOCKET] [--json]", "/v1/stop", "stopping", argc, argv);
}

/* ---- cache ---- */

static void print_cache(const json_t *doc)
{
    size_t i, j;
    json_t *v, *r;
    json_array_foreach(json_object_get(doc, "entries"), i, v)
    {
        const json_t *records = json_object_get(v, "records");
        if (!json_array_size(records))
            printf("%s %lld %s   ; %s\n", text_of(v, "name"), int_of(v, "ttl"), text_of(v, "type"),
                   text_of(v, "kind"));
        json_array_foreach(records, j, r)
            printf("%s   ; %s%s\n", json_string_value(r), text_of(v, "kind"),
                   int_of(v, "plane") ? ", of a forward zone" : "");
    }
    if (json_is_true(json_object_get(doc, "more")))
        puts("; ... and more: ask for a smaller part");
}

int verb_cache(int argc, char **argv)
{
    static const char usage[] = "cache show|flush NAME [TYPE] [--subtree] [-s SOCKET] [--json]";
    const char *socket = NULL;
    bool json = false, subtree = false;
    struct words w;
    char path[4096], name[3200], type[64] = "";
    long status;
    int code;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {"--subtree", NULL, &subtree, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   3, argc, argv, &w))
        return EXIT_USAGE;
    bool flush = w.count && !strcmp(w.at[0], "flush");
    if (w.count < 2 || (!flush && (strcmp(w.at[0], "show") != 0 || w.count > 2))) {
        fprintf(stderr, "usage: waypost %s\n", usage);
        return EXIT_USAGE;
    }
    remote_escape(w.at[1], name, sizeof name);
    if (w.count > 2)
        remote_escape(w.at[2], type, sizeof type);
    snprintf(path, sizeof path, "/v1/cache%s?name=%s%s%s%s", flush ? "/flush" : "", name,
             *type ? "&type=" : "", type, subtree ? "&subtree=1" : "");
    json_t *doc = remote_call(socket, flush ? "POST" : "GET", path, &status, &code);
    if (!doc)
        return code;
    bool none = flush ? !int_of(doc, "answers") && !int_of(doc, "records")
                      : !json_array_size(json_object_get(doc, "entries"));
    if (json)
        print_json(doc);
    else if (flush)
        printf("%lld answers and %lld record sets forgotten\n", int_of(doc, "answers"),
               int_of(doc, "records"));
    else
        print_cache(doc);
    json_decref(doc);
    return none ? EXIT_NEGATIVE : EXIT_POSITIVE;
}
