#include "plan_priv.h"

#include "args_priv.h"
#include "base/err.h"
#include "remote_priv.h"
#include "verbs_priv.h"

#include <stdlib.h>
#include <string.h>

/* The file that the running server was started with, on the heap. */
static char *served_file(const char *socket, int *code)
{
    long status;
    json_t *doc = remote_call(socket, "GET", "/v1/status", &status, code);
    if (!doc)
        return NULL;
    const char *file = json_string_value(json_object_get(json_object_get(doc, "config"), "file"));
    char *own = file && *file ? strdup(file) : NULL;
    json_decref(doc);
    if (!own) {
        fputs("waypost: the server runs without a configuration file; name one with --config\n",
              stderr);
        *code = EXIT_CANNOT;
    }
    return own;
}

static int build(struct own_plan *o, const char *file, const struct steering_database *databases,
                 unsigned database_count)
{
    struct diag_list d;
    const struct steering_place place = {o->table, 1};
    diag_init(&d);
    int err = config_load(&o->config, file, &d);
    bool read = !err;
    if (read)
        err = steering_build_with(&o->plan, o->config, &place, databases, database_count, &d);
    diag_print(&d, stderr, args_colour());
    if (err && !d.errors)
        fprintf(stderr, "%s: %s\n", file, err_text(err));
    diag_fini(&d);
    if (!err && !o->plan) {
        fprintf(stderr, "%s: nothing is steered: there is no gslb\n", file);
        return EXIT_CONFIG;
    }
    if (err)
        return read && err == ERR_NOT_FOUND ? EXIT_USAGE : exit_of_error(err);
    gslb_suppose_up(o->plan, o->table);
    return EXIT_POSITIVE;
}

int own_plan_load(struct own_plan *o, const char *file, const char *socket,
                  struct gslb_table *table, const struct steering_database *databases,
                  unsigned database_count)
{
    int code = EXIT_CANNOT;
    *o = (struct own_plan){.table = table};
    if (!table && gslb_table_new(&o->table)) {
        fputs("waypost: out of memory\n", stderr);
        return code;
    }
    char *served = file ? NULL : served_file(socket, &code);
    if (file || served)
        code = build(o, file ? file : served, databases, database_count);
    free(served);
    if (code)
        own_plan_free(o);
    return code;
}

void own_plan_free(struct own_plan *o)
{
    if (o->plan)
        part_unref(gslb_plan_part(o->plan));
    if (o->config)
        config_free(o->config);
    gslb_table_free(o->table);
    *o = (struct own_plan){0};
}

/* ---- from the server ---- */

static bool flag(const json_t *o, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static uint32_t number(const json_t *o, const char *key, uint32_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (uint32_t)json_integer_value(v) : otherwise;
}

static uint32_t slot_of(const struct gslb_table *t, const json_t *o, const char *key)
{
    const char *identity = json_string_value(json_object_get(o, key));
    return identity ? gslb_table_find(t, identity) : GSLB_NO_SLOT;
}

static void take_member(struct gslb_table *t, const json_t *o)
{
    uint32_t slot = slot_of(t, o, "identity");
    const struct gslb_view v = {.up = flag(o, "up", true),
                                .known = flag(o, "known", true),
                                .unsettled = flag(o, "unsettled", false),
                                .forced = flag(o, "forced", false),
                                .over = flag(o, "over", false),
                                .was_up = flag(o, "was_up", true),
                                .has_load = json_is_integer(json_object_get(o, "load")),
                                .permille = (uint16_t)number(o, "permille", 1000),
                                .load = number(o, "load", 0),
                                .rtt_us = number(o, "rtt_us", 0),
                                .until_s = UINT32_MAX}; /* a share asks for no TTL */
    if (slot != GSLB_NO_SLOT)
        gslb_table_put(t, slot, &v);
}

/* The pool that was last usable, unless that is too long ago: simulate's clock stands at 0. */
static void take_name(struct gslb_table *t, const json_t *o, double now_ms)
{
    enum { REMEMBERED_MS = 3600 * 1000 };
    uint32_t slot = slot_of(t, o, "identity"), pool = slot_of(t, o, "pool");
    double last = json_number_value(json_object_get(o, "last"));
    if (slot != GSLB_NO_SLOT && pool != GSLB_NO_SLOT && now_ms - last <= REMEMBERED_MS)
        gslb_table_put_last(t, slot, pool, 0);
}

void own_plan_health(struct gslb_table *t, const json_t *exported)
{
    double now_ms = json_number_value(json_object_get(exported, "time"));
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(exported, "members"), i, o) take_member(t, o);
    json_array_foreach(json_object_get(exported, "names"), i, o) take_name(t, o, now_ms);
}

struct gslb_seen_count *own_plan_seen(const json_t *exported, unsigned *count)
{
    const json_t *list = json_object_get(exported, "seen");
    struct gslb_seen_count *seen = calloc(json_array_size(list) + 1, sizeof *seen);
    size_t i;
    json_t *s;
    *count = 0;
    json_array_foreach(list, i, s)
    {
        const char *network = json_string_value(json_object_get(s, "network"));
        struct prefix p;
        if (!seen || !network || prefix_parse(&p, network))
            continue;
        struct gslb_seen_count *to = &seen[(*count)++];
        to->address.family = p.family;
        memcpy(to->address.ip, p.ip, sizeof p.ip);
        to->count = number(s, "count", 1);
    }
    return seen;
}
