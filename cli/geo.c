/* cli/geo.c: geo build, lookup, info: databases of places (test: geo_test.c). */
#include "args_priv.h"
#include "base/diag.h"
#include "base/err.h"
#include "geo/db.h"
#include "geo/write.h"
#include "verbs_priv.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GEO_USAGE_BUILD  "geo build FILE.csv -o FILE.mmdb [--description TEXT]"
#define GEO_USAGE_LOOKUP "geo lookup -d FILE [-d FILE]... IP... [--json]"
#define GEO_USAGE_INFO   "geo info FILE [--json]"

static int usage(const char *what, const char *text)
{
    if (what)
        fprintf(stderr, "waypost geo: %s\n", what);
    fprintf(stderr, "usage: waypost %s\n", text);
    return EXIT_USAGE;
}

/* What was said goes to stderr; returns the exit code of err. */
static int report(struct diag_list *d, int err, const char *path)
{
    diag_print(d, stderr, isatty(STDERR_FILENO));
    if (err && !d->errors)
        fprintf(stderr, "%s: %s\n", path, err_text(err));
    diag_fini(d);
    return err ? exit_of_error(err) : EXIT_POSITIVE;
}

/* A database, or rows. */
static int load(struct geo_db **db, const char *path)
{
    struct diag_list d;
    diag_init(&d);
    return report(&d, geo_file_load(db, path, NULL, &d), path);
}

static void print_json(json_t *doc)
{
    json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(7));
    putchar('\n');
    json_decref(doc);
}

struct networks {
    size_t ipv4, ipv6;
};

static void count_network(void *arg, const struct prefix *p, uint32_t value)
{
    struct networks *n = arg;
    if (value != PREFIXES_NONE)
        *(p->family == 4 ? &n->ipv4 : &n->ipv6) += 1;
}

/* Those with a place, equal neighbours as one. */
static struct networks count_networks(const struct geo_db *db)
{
    struct networks n = {0};
    prefixes_each(geo_db_prefixes(db), count_network, &n);
    return n;
}

/* ---- build ---- */

static int build(int argc, char **argv)
{
    const char *out = NULL, *description = NULL;
    struct diag_list d;
    struct geo_db *db;
    struct words w;
    if (!args_read(GEO_USAGE_BUILD,
                   (const struct arg[]){{"--output", "-o", NULL, &out},
                                        {"--description", NULL, NULL, &description},
                                        {NULL, NULL, NULL, NULL}},
                   1, argc, argv, &w))
        return EXIT_USAGE;
    if (w.count != 1 || !out)
        return usage(NULL, GEO_USAGE_BUILD);
    diag_init(&d);
    int code = report(&d, geo_write_csv(w.at[0], out, description, &d), w.at[0]);
    if (code)
        return code;
    diag_init(&d);
    code = report(&d, geo_db_load(&db, out, NULL, &d), out); /* as whoever uses it will */
    if (code)
        return code;
    struct networks size = count_networks(db);
    printf("%s: %s, %zu IPv4 and %zu IPv6 networks, %u places, %u nodes\n", out,
           geo_db_info(db).type, size.ipv4, size.ipv6, geo_db_places(db), geo_db_info(db).nodes);
    geo_db_free(db);
    return EXIT_POSITIVE;
}

/* ---- lookup ---- */

struct lookup {
    struct source {
        const char *path;
        struct geo_db *db;
    } * sources;
    const char **ips;
    unsigned source_count, ip_count;
    bool json, missing; /* missing: an address of which no database says anything */
};

static int read_words(struct lookup *l, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "-d") || !strcmp(argv[i], "--database")) {
            if (++i == argc)
                return usage("a file is missing behind -d", GEO_USAGE_LOOKUP);
            l->sources[l->source_count++].path = argv[i];
        } else if (!strncmp(argv[i], "--database=", 11)) {
            l->sources[l->source_count++].path = argv[i] + 11;
        } else if (!strcmp(argv[i], "--json")) {
            l->json = true;
        } else if (*argv[i] == '-') {
            fprintf(stderr, "waypost geo: there is no option \"%s\"\n", argv[i]);
            return usage(NULL, GEO_USAGE_LOOKUP);
        } else {
            struct addr a;
            if (addr_parse(&a, argv[i], 0)) {
                fprintf(stderr, "waypost geo: \"%s\" is not an address\n", argv[i]);
                return usage(NULL, GEO_USAGE_LOOKUP);
            }
            l->ips[l->ip_count++] = argv[i];
        }
    }
    if (!l->source_count)
        return usage("name a database: -d FILE.mmdb, or rows: -d FILE.csv", GEO_USAGE_LOOKUP);
    return l->ip_count ? EXIT_POSITIVE : usage("no address is given", GEO_USAGE_LOOKUP);
}

/* The network around an address that has the same place. */
static const char *print_network(const struct addr *a, unsigned depth, char *out)
{
    struct prefix p = {.family = a->family, .bits = (uint8_t)(a->family == 4 ? 96 + depth : depth)};
    for (unsigned i = 0; i < p.bits; i++)
        p.ip[i / 8] |= a->ip[i / 8] & 0x80u >> i % 8;
    return prefix_print(&p, out);
}

static json_t *place_json(const struct geo_place *p)
{
    json_t *o = json_object(), *list = json_array();
    for (unsigned i = 0; i < GEO_SUBDIVISIONS_MAX && *p->subdivision[i]; i++)
        json_array_append_new(list, json_string(p->subdivision[i]));
    if (*p->continent)
        json_object_set_new(o, "continent", json_string(p->continent));
    if (*p->country) {
        json_object_set_new(o, "country", json_string(p->country));
        json_object_set_new(o, "registered", json_boolean(p->registered));
    }
    if (json_array_size(list))
        json_object_set(o, "subdivisions", list);
    json_decref(list);
    if (*p->city)
        json_object_set_new(o, "city", json_string(p->city));
    if (p->has_position) {
        json_object_set_new(o, "latitude", json_real(p->latitude));
        json_object_set_new(o, "longitude", json_real(p->longitude));
    }
    if (p->radius_km)
        json_object_set_new(o, "radius_km", json_integer(p->radius_km));
    if (p->asn)
        json_object_set_new(o, "asn", json_integer(p->asn));
    if (*p->organisation)
        json_object_set_new(o, "organisation", json_string(p->organisation));
    return o;
}

static void print_place(const struct geo_place *p)
{
    if (*p->continent)
        printf("  %s", p->continent);
    if (*p->country)
        printf("  %s%s", p->country, p->registered ? " (registered)" : "");
    for (unsigned i = 0; i < GEO_SUBDIVISIONS_MAX && *p->subdivision[i]; i++)
        printf("%s%s", i ? "/" : "  ", p->subdivision[i]);
    if (*p->city)
        printf("  %s", p->city);
    if (p->has_position)
        printf("  %.7g,%.7g", (double)p->latitude, (double)p->longitude);
    if (p->radius_km)
        printf(" within %u km", p->radius_km);
    if (p->asn)
        printf("  AS%u", p->asn);
    if (*p->organisation)
        printf("  %s", p->organisation);
}

static json_t *look_up(const struct lookup *l, const char *ip, bool *found)
{
    json_t *results = json_array();
    struct addr a;
    addr_parse(&a, ip, 0); /* read_words has tried it */
    for (unsigned i = 0; i < l->source_count; i++) {
        char network[ADDR_TEXT_MAX];
        unsigned depth;
        const struct geo_place *p = geo_db_find(l->sources[i].db, &a, &depth);
        print_network(&a, depth, network);
        *found = *found || p;
        if (l->json) {
            json_array_append_new(results,
                                  json_pack("{s:s, s:s, s:s, s:o}", "database", l->sources[i].path,
                                            "type", geo_db_info(l->sources[i].db).type, "network",
                                            network, "place", p ? place_json(p) : json_null()));
            continue;
        }
        printf("%s  %s", ip, network);
        if (p)
            print_place(p);
        else
            printf("  unknown");
        printf(l->source_count > 1 ? "  [%s]\n" : "\n", geo_db_info(l->sources[i].db).type);
    }
    return results;
}

static int look_up_all(struct lookup *l)
{
    json_t *doc = json_array();
    for (unsigned i = 0; i < l->source_count; i++) {
        int code = load(&l->sources[i].db, l->sources[i].path);
        if (code) {
            json_decref(doc);
            return code;
        }
    }
    for (unsigned i = 0; i < l->ip_count; i++) {
        bool found = false;
        json_t *results = look_up(l, l->ips[i], &found);
        l->missing = l->missing || !found;
        json_array_append_new(doc, json_pack("{s:s, s:b, s:o}", "address", l->ips[i], "found",
                                             found, "databases", results));
    }
    if (l->json)
        print_json(json_pack("{s:i, s:O}", "version", 1, "addresses", doc));
    json_decref(doc);
    return l->missing ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

static int lookup(int argc, char **argv)
{
    size_t n = (size_t)argc + 1;
    struct lookup l = {.sources = calloc(n, sizeof *l.sources), .ips = calloc(n, sizeof *l.ips)};
    int code = EXIT_CANNOT;
    if (l.sources && l.ips) {
        code = read_words(&l, argc, argv);
        code = code ? code : look_up_all(&l);
    }
    for (unsigned i = 0; i < l.source_count; i++)
        geo_db_free(l.sources[i].db);
    free(l.sources);
    free(l.ips);
    return code;
}

/* ---- info ---- */

static void print_info(const struct geo_db *db, const char *path, const char *built)
{
    const struct geo_db_info i = geo_db_info(db);
    struct networks size = count_networks(db);
    printf("file         %s\ntype         %s\n", path, i.type);
    if (*i.description)
        printf("description  %s\n", i.description);
    printf("built        %s\n", built);
    printf("tree         IPv%u, %u nodes of two %u-bit records\n", i.ip_version, i.nodes,
           i.record_bits);
    printf("says         %s%s%s%s\n", i.has_country ? "country " : "", i.has_city ? "city " : "",
           i.has_position ? "position " : "", i.has_asn ? "asn" : "");
    printf("networks     %zu IPv4, %zu IPv6 (equal neighbours merged), %u places\n", size.ipv4,
           size.ipv6, geo_db_places(db));
    printf("memory       %zu bytes\n", i.bytes);
}

static json_t *info_json(const struct geo_db *db, const char *path, const char *built)
{
    const struct geo_db_info i = geo_db_info(db);
    struct networks size = count_networks(db);
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:I, s:I, s:I, s:I, "
                     "s:{s:b, s:b, s:b, s:b}}",
                     "version", 1, "file", path, "type", i.type, "description", i.description,
                     "built", built, "nodes", (json_int_t)i.nodes, "ip_version", (int)i.ip_version,
                     "record_bits", (int)i.record_bits, "places", (json_int_t)geo_db_places(db),
                     "networks4", (json_int_t)size.ipv4, "networks6", (json_int_t)size.ipv6,
                     "bytes", (json_int_t)i.bytes, "says", "country", i.has_country, "city",
                     i.has_city, "position", i.has_position, "asn", i.has_asn);
}

static int info(int argc, char **argv)
{
    bool json = false;
    struct geo_db *db;
    struct words w;
    char built[32] = "unknown";
    if (!args_read(GEO_USAGE_INFO,
                   (const struct arg[]){{"--json", NULL, &json, NULL}, {NULL, NULL, NULL, NULL}}, 1,
                   argc, argv, &w))
        return EXIT_USAGE;
    if (w.count != 1)
        return usage(NULL, GEO_USAGE_INFO);
    int code = load(&db, w.at[0]);
    if (code)
        return code;
    uint64_t seconds = geo_db_info(db).built_s;
    time_t when = (time_t)(seconds < 253402300800u ? seconds : 0); /* four digits of year */
    struct tm tm;
    if (when && gmtime_r(&when, &tm))
        strftime(built, sizeof built, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (json)
        print_json(info_json(db, w.at[0], built));
    else
        print_info(db, w.at[0], built);
    geo_db_free(db);
    return EXIT_POSITIVE;
}

int verb_geo(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } rows[] = {{"build", build}, {"lookup", lookup}, {"info", info}, {"test", verb_geo_test}};
    for (size_t i = 0; argc && i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(argv[0], rows[i].name))
            return rows[i].run(argc - 1, argv + 1);
    if (argc)
        fprintf(stderr, "waypost geo: there is no \"%s\"\n", argv[0]);
    return usage(NULL, "geo build | lookup | info | test     (waypost geo --help)");
}
