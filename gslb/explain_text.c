/* An explanation for people. Signs have words beside them, so that colour tells nothing alone. */
#include "gslb/explain.h"

#include <string.h>

struct page {
    FILE *out;
    bool colour;
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static long long int_of(const json_t *o, const char *key)
{
    return (long long)json_number_value(json_object_get(o, key));
}

static double real_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static bool is_set(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

static void print_list(const struct page *p, const json_t *list, const char *between)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v) fprintf(p->out, "%s%s", i ? between : "", json_string_value(v));
}

/* ---- client ---- */

static void print_place(const struct page *p, const json_t *client)
{
    const json_t *place = json_object_get(client, "place"),
                 *db = json_object_get(client, "database");
    static const char *const parts[] = {"city", "country", "continent"};
    unsigned said = 0;
    fprintf(p->out, "location   ");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (*text_of(place, parts[i]))
            fprintf(p->out, "%s%s", said++ ? ", " : "", text_of(place, parts[i]));
    if (json_object_get(place, "latitude"))
        fprintf(p->out, "%s%.2f,%.2f", said++ ? "   " : "", real_of(place, "latitude"),
                real_of(place, "longitude"));
    if (json_object_get(place, "asn"))
        fprintf(p->out, "%sAS%lld", said++ ? "   " : "", int_of(place, "asn"));
    if (!said)
        fprintf(p->out, "unknown");
    if (*text_of(client, "network"))
        fprintf(p->out, "   network %s", text_of(client, "network"));
    if (db && !json_is_null(db))
        fprintf(p->out, "   %s, built %s", text_of(db, "type"), text_of(db, "built"));
    fputc('\n', p->out);
}

static void print_client(const struct page *p, const json_t *client)
{
    const char *from = text_of(client, "from");
    fprintf(p->out, "client     %s", text_of(client, "address"));
    if (!strcmp(from, "subnet"))
        fprintf(p->out, "/%lld (client subnet)\n", int_of(client, "length"));
    else if (!strcmp(from, "source"))
        fprintf(p->out, " (source address; no client subnet)\n");
    else if (!strcmp(from, "source (opt-out)"))
        fprintf(p->out, " (source address; the client subnet opts out)\n");
    else
        fprintf(p->out, " (source address; the map ignores client subnets)\n");
}

/* ---- map ---- */

static void print_map(const struct page *p, const json_t *map)
{
    const json_t *sites = json_object_get(map, "sites"), *weights = json_object_get(map, "weights");
    size_t i;
    json_t *v;
    fprintf(p->out, "map %-6s ", text_of(map, "name"));
    if (json_is_integer(json_object_get(map, "rule")))
        fprintf(p->out, "rule %lld \"%s\"", int_of(map, "rule"), text_of(map, "rule_text"));
    else
        fprintf(p->out, "no rule matches");
    fprintf(p->out, " → ");
    json_array_foreach(sites, i, v)
    {
        fprintf(p->out, "%s%s", i ? ", " : "", text_of(v, "site"));
        if (i < json_array_size(weights))
            fprintf(p->out, ":%lld", (long long)json_integer_value(json_array_get(weights, i)));
    }
    fprintf(p->out, "%s%s   network %s\n", json_array_size(sites) ? "" : "no site",
            is_set(map, "fence") ? " and no other" : "", text_of(map, "network"));
    if (*text_of(map, "drawn"))
        fprintf(p->out, "drawn      %s, by weight and client network\n", text_of(map, "drawn"));
    json_array_foreach(sites, i, v) if (!strcmp(text_of(v, "verdict"), "rejected"))
        fprintf(p->out, "site %-5s left: %s\n", text_of(v, "site"), text_of(v, "why"));
}

/* ---- pools ---- */

static void print_member(const struct page *p, const json_t *m, size_t name_width, size_t wide)
{
    bool up = !strncmp(text_of(m, "state"), "up", 2),
         unknown = !strcmp(text_of(m, "state"), "unknown");
    const char *on = !p->colour ? "" : up ? "\033[32m" : unknown ? "\033[33m" : "\033[31m";
    fprintf(p->out, "           %s%s%s %-*s  %-*s  %-8s weight %lld", on,
            up        ? "●"
            : unknown ? "○"
                      : "✗",
            p->colour ? "\033[0m" : "", (int)name_width, text_of(m, "name"), (int)wide,
            text_of(m, "address"), text_of(m, "state"), int_of(m, "weight"));
    if (int_of(m, "permille") != 1000 && int_of(m, "permille"))
        fprintf(p->out, " × %.1f %%", real_of(m, "permille") / 10);
    if (json_is_real(json_object_get(m, "odds")))
        fprintf(p->out, "  odds %.4g %%", 100 * real_of(m, "odds"));
    if (is_set(m, "given"))
        fprintf(p->out, "  given");
    if (*text_of(m, "why") && strcmp(text_of(m, "why"), text_of(m, "state")) != 0)
        fprintf(p->out, "  (%s)", text_of(m, "why"));
    if (is_set(m, "unsettled"))
        fprintf(p->out, "  not settled");
    fputc('\n', p->out);
}

static size_t widest(const json_t *members, const char *key)
{
    size_t most = 0, i;
    json_t *v;
    json_array_foreach(members, i, v)
    {
        size_t n = strlen(text_of(v, key));
        most = n > most ? n : most;
    }
    return most < 40 ? most : 40;
}

static void print_pool(const struct page *p, const json_t *pool)
{
    const json_t *members = json_object_get(pool, "members");
    size_t i;
    json_t *v;
    fprintf(p->out, "pool %s", text_of(pool, "name"));
    if (*text_of(pool, "site"))
        fprintf(p->out, " (%s)", text_of(pool, "site"));
    fprintf(p->out, "   %lld of %zu up: weight %g of %g, needed %.1f %%   %s%s%s\n",
            int_of(pool, "up"), json_array_size(members), real_of(pool, "available"),
            real_of(pool, "of"), 100 * real_of(pool, "needed"), text_of(pool, "verdict"),
            *text_of(pool, "why") ? ": " : "", text_of(pool, "why"));
    json_array_foreach(members, i, v)
        print_member(p, v, widest(members, "name"), widest(members, "address"));
}

static void print_pick(const struct page *p, const json_t *pools)
{
    const json_t *pool = json_array_get(pools, json_array_size(pools) - 1), *members;
    size_t i, given = 0;
    json_t *v;
    members = json_object_get(pool, "members");
    json_array_foreach(members, i, v) given += is_set(v, "given");
    if (given && !strcmp(text_of(pool, "verdict"), "usable"))
        fprintf(p->out, "pick       %s, %zu of %lld\n", text_of(pool, "policy"), given,
                int_of(pool, "up"));
}

/* ---- answer ---- */

static void print_neighbour(const struct page *p, const json_t *answer, const char *key)
{
    const json_t *n = json_object_get(answer, key);
    if (!json_is_object(n))
        return;
    fprintf(p->out, "   %s: %s → ", key, text_of(n, "network"));
    print_list(p, json_object_get(n, "sites"), ", ");
}

static void print_answer(const struct page *p, const json_t *a)
{
    const json_t *records = json_object_get(a, "records");
    fprintf(p->out, "answer     ");
    if (json_array_size(records))
        print_list(p, records, ", ");
    else if (!strcmp(text_of(a, "outcome"), "static"))
        fprintf(p->out, "the zone's own records");
    else
        fprintf(p->out, "%s", text_of(a, "outcome"));
    const json_t *down = json_object_get(a, "all_down");
    if (json_is_object(down))
        fprintf(p->out, "   (all is down; policy %s gives: %s)", text_of(down, "policy"),
                text_of(down, "done"));
    if (*text_of(a, "ttl_why"))
        fprintf(p->out, "   ttl %lld (%s)", int_of(a, "ttl"), text_of(a, "ttl_why"));
    fprintf(p->out, "\nscope      /%lld   holds for %s", int_of(a, "scope"), text_of(a, "network"));
    print_neighbour(p, a, "below");
    print_neighbour(p, a, "above");
    fputc('\n', p->out);
}

static void print_then(const struct page *p, const json_t *then)
{
    size_t i;
    json_t *v;
    json_array_foreach(then, i, v)
    {
        const char *site = text_of(v, "site"), *down = text_of(v, "all_down");
        fprintf(p->out, "%s", i ? "    " : "");
        if (*down) {
            fprintf(p->out, "if all fail: %s", down);
            continue;
        }
        const json_t *failed = json_object_get(v, "if_sites");
        fprintf(p->out, "if ");
        print_list(p, failed, " and ");
        fprintf(p->out, " fail%s: %s", json_array_size(failed) == 1 ? "s" : "",
                *site                 ? site
                : *text_of(v, "pool") ? text_of(v, "pool")
                                      : text_of(v, "outcome"));
    }
    if (i)
        fputc('\n', p->out);
}

void gslb_explain_print(const json_t *explained, FILE *out, bool colour)
{
    const struct page p = {out, colour};
    const json_t *map = json_object_get(explained, "map"),
                 *pools = json_object_get(explained, "pools"),
                 *client = json_object_get(explained, "client");
    size_t i;
    json_t *v;
    fprintf(out, "%s %s\n", text_of(explained, "name"), text_of(explained, "type"));
    print_client(&p, client);
    if (json_is_object(map)) {
        print_place(&p, client);
        print_map(&p, map);
    }
    json_array_foreach(pools, i, v) print_pool(&p, v);
    print_pick(&p, pools);
    print_answer(&p, json_object_get(explained, "answer"));
    print_then(&p, json_object_get(explained, "then"));
}
