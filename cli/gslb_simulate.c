/* cli/gslb_simulate.c: gslb simulate: what would change, and for how much of the world. */
#include "base/err.h"
#include "dns/name.h"
#include "gslb/simulate.h"
#include "plan_priv.h"
#include "remote_priv.h"
#include "verbs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USAGE                                                                             \
    "gslb simulate [--down SITE|POOL|POOL/MEMBER]... [--weight POOL/MEMBER=N]... [--geo " \
    "MAP=FILE]... [--config FILE] [--base FILE] [--name NAME] [--all] [--json] [-s SOCKET]"

struct simulate {
    /* as written */
    const char **down, **weights;
    struct steering_database *databases; /* map names are the command's own */
    unsigned down_count, weight_count, database_count;
    const char *base, *config, *name, *socket;
    bool all, json;
    /* as read */
    struct own_plan before, after;
    struct gslb_seen_count *seen;
    unsigned seen_count;
};

static int usage(const char *what, const char *word)
{
    if (what)
        fprintf(stderr, "waypost gslb simulate: %s%s\n", what, word);
    fprintf(stderr, "usage: waypost %s\n", USAGE);
    return EXIT_USAGE;
}

/* ---- words ---- */

/* The value behind an option, also after "="; NULL: another option, or none is there. */
static const char *value_of(const char *option, int *i, int argc, char **argv)
{
    size_t n = strlen(option);
    const char *word = argv[*i];
    if (!word || strncmp(word, option, n) != 0)
        return NULL;
    if (word[n] == '=')
        return word + n + 1;
    return !word[n] && *i + 1 < argc ? argv[++*i] : NULL;
}

static bool read_geo(struct simulate *s, const char *text)
{
    const char *equals = strchr(text, '=');
    char *map = equals ? strndup(text, (size_t)(equals - text)) : NULL;
    if (!map)
        return false;
    s->databases[s->database_count++] = (struct steering_database){map, equals + 1};
    return true;
}

static int read_words(struct simulate *s, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *v, *word = argv[i];
        if ((v = value_of("--down", &i, argc, argv)))
            s->down[s->down_count++] = v;
        else if ((v = value_of("--weight", &i, argc, argv)))
            s->weights[s->weight_count++] = v;
        else if ((v = value_of("--base", &i, argc, argv)))
            s->base = v;
        else if ((v = value_of("--config", &i, argc, argv)) || (v = value_of("-c", &i, argc, argv)))
            s->config = v;
        else if ((v = value_of("--name", &i, argc, argv)))
            s->name = v;
        else if ((v = value_of("--socket", &i, argc, argv)) || (v = value_of("-s", &i, argc, argv)))
            s->socket = v;
        else if (!strcmp(word, "--all"))
            s->all = true;
        else if (!strcmp(word, "--json"))
            s->json = true;
        else if (!(v = value_of("--geo", &i, argc, argv)))
            return usage("what is ", word);
        else if (!read_geo(s, v))
            return usage("--geo wants MAP=FILE, not ", v);
    }
    return EXIT_POSITIVE;
}

/* ---- two sides ---- */

/* Health and seen networks of the server, unless a file is named: then nobody is asked. */
static int ask_server(struct simulate *s)
{
    long status;
    int code;
    json_t *doc = remote_call(s->socket, "GET", "/v1/gslb/export", &status, &code);
    if (!doc)
        return code;
    own_plan_health(s->before.table, doc);
    s->seen = own_plan_seen(doc, &s->seen_count);
    json_decref(doc);
    return EXIT_POSITIVE;
}

/* What both plans have keeps its health; what is new is up. */
static void copy_health(const struct gslb_table *from, unsigned count, struct gslb_table *to)
{
    for (uint32_t i = 0; i < count; i++) {
        struct gslb_view v = gslb_table_get(from, i);
        uint32_t second, last = gslb_table_last(from, i, &second);
        gslb_table_put(to, i, &v);
        gslb_table_put_last(to, i, last, second);
    }
}

static int load_sides(struct simulate *s)
{
    struct gslb_table *copy;
    int code = own_plan_load(&s->before, s->base, s->socket, NULL, NULL, 0);
    if (code)
        return code;
    if (!s->base && (code = ask_server(s)))
        return code;
    if (gslb_table_dup(s->before.table, &copy))
        return EXIT_CANNOT;
    code = own_plan_load(&s->after, s->config ? s->config : s->base, s->socket, copy, s->databases,
                         s->database_count);
    if (!code)
        copy_health(s->before.table, gslb_table_count(s->before.table), s->after.table);
    return code;
}

static int suppose(struct simulate *s)
{
    for (unsigned i = 0; i < s->down_count; i++)
        if (!gslb_suppose_down(s->after.plan, s->after.table, s->down[i]))
            return usage("there is no site, pool or pool/member ", s->down[i]);
    for (unsigned i = 0; i < s->weight_count; i++) {
        const char *equals = strrchr(s->weights[i], '=');
        char *end = NULL, *member;
        errno = 0;
        unsigned long weight = equals ? strtoul(equals + 1, &end, 10) : 0;
        if (!equals || end == equals + 1 || *end || errno || weight > GSLB_WEIGHT_MAX)
            return usage("--weight wants POOL/MEMBER=N, not ", s->weights[i]);
        member = strndup(s->weights[i], (size_t)(equals - s->weights[i]));
        bool found = member && gslb_suppose_weight(s->after.plan, member, (uint32_t)weight);
        free(member);
        if (!found)
            return usage("there is no pool/member ", s->weights[i]);
    }
    return EXIT_POSITIVE;
}

/* ---- what comes of it ---- */

static bool changes(const struct gslb_simulation *m)
{
    for (unsigned i = 0; i < gslb_simulation_count(m); i++)
        for (unsigned k = 0; k < GSLB_SPACES; k++)
            if (gslb_simulation_at(m, i)->changed[k] > 0)
                return true;
    return false;
}

static int print(const struct simulate *s, const struct gslb_simulation *m)
{
    if (s->json) {
        json_t *doc = gslb_simulation_json(m);
        json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(doc);
    } else {
        gslb_simulation_print(m, stdout, s->all);
    }
    return changes(m) ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

static int simulate(struct simulate *s)
{
    uint8_t name[DNS_NAME_MAX];
    struct gslb_simulation *m;
    if (s->name && dns_name_parse(name, s->name, strlen(s->name), NULL) < 0)
        return usage("not a domain name: ", s->name);
    int code = load_sides(s);
    code = code ? code : suppose(s);
    if (code)
        return code;
    if (s->name)
        dns_name_lower(name, name);
    const struct gslb_simulate ask = {.before = {s->before.plan, s->before.table},
                                      .after = {s->after.plan, s->after.table},
                                      .seen = s->seen,
                                      .seen_count = s->seen_count,
                                      .name = s->name ? name : NULL,
                                      .wall_s = time(NULL)};
    int err = gslb_simulate(&ask, &m);
    if (err == ERR_NOT_FOUND)
        fprintf(stderr, "waypost gslb: \"%s\" is not steered; write it under gslb.names\n",
                s->name);
    else if (err)
        fprintf(stderr, "waypost gslb: %s\n", err_text(err));
    if (err)
        return err == ERR_NOT_FOUND ? EXIT_NEGATIVE : EXIT_CANNOT;
    if (!s->json && s->base)
        fputs("(every other member is taken to be up)\n", stderr);
    code = print(s, m);
    gslb_simulation_free(m);
    return code;
}

int verb_gslb_simulate(int argc, char **argv)
{
    size_t n = (size_t)argc + 1;
    struct simulate s = {.down = calloc(n, sizeof *s.down),
                         .weights = calloc(n, sizeof *s.weights),
                         .databases = calloc(n, sizeof *s.databases)};
    int code = EXIT_CANNOT;
    if (s.down && s.weights && s.databases) {
        code = read_words(&s, argc, argv);
        code = code ? code : simulate(&s);
    }
    own_plan_free(&s.before);
    own_plan_free(&s.after);
    for (unsigned i = 0; i < s.database_count; i++)
        free((char *)(uintptr_t)s.databases[i].map);
    free(s.databases);
    free(s.weights);
    free(s.down);
    free(s.seen);
    return code;
}
