/* daemon/control_gslb.c: what is asked and ordered about steering. */
#include "base/err.h"
#include "control_priv.h"
#include "gslb/explain.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_DEFAULT 50
#define EVENTS_MAX     1024

static struct gslb_monitor *monitor(struct call *c)
{
    struct health *h = c->server->health;
    if (!h || !server_snapshot(c->server)->plan) {
        call_refuse(c, MHD_HTTP_NOT_FOUND, "nothing is steered: the configuration has no gslb");
        return NULL;
    }
    return health_monitor(h);
}

static void get_status(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    if (m)
        c->body = gslb_monitor_status(m);
}

static void get_orders(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    if (m)
        c->body = json_pack("{s:o}", "orders", gslb_monitor_orders(m));
}

/* A whole number of the query string; false: said. */
static bool take_number(struct call *c, const char *name, int64_t least, int64_t most, int64_t def,
                        int64_t *out)
{
    const char *text = call_arg(c, name);
    char *end, what[80];
    *out = text ? strtoll(text, &end, 10) : def;
    if (!text || (!*end && *out >= least && *out <= most))
        return true;
    snprintf(what, sizeof what, "%s: a number from %lld to %lld", name, (long long)least,
             (long long)most);
    call_refuse(c, MHD_HTTP_BAD_REQUEST, what);
    return false;
}

static void get_events(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    int64_t after, n;
    if (m && take_number(c, "after", 0, INT64_MAX, 0, &after) &&
        take_number(c, "n", 1, EVENTS_MAX, EVENTS_DEFAULT, &n))
        c->body =
            json_pack("{s:o}", "events", gslb_monitor_events(m, (uint64_t)after, (unsigned)n));
}

/* What simulate starts from in a process of its own. */
static void get_export(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    const char *path = c->server->path;
    if (!m)
        return;
    c->body = gslb_monitor_export(m);
    if (c->body && path)
        json_object_set_new(c->body, "config", json_string(path));
    json_object_set_new(c->body, "seen", server_report_seen(c->server));
}

static void get_explain(struct call *c)
{
    struct server *s = c->server;
    const struct gslb_plan *plan = server_snapshot(s)->plan;
    uint8_t name[DNS_NAME_MAX], lower[DNS_NAME_MAX];
    struct gslb_client client = {0};
    const char *from = call_arg(c, "from");
    uint16_t type;
    if (!monitor(c) || !call_take_name(c, name) || !call_take_type(c, DNS_TYPE_A, &type))
        return;
    dns_name_lower(lower, name);
    int id = gslb_explain_name(plan, lower);
    if (id < 0) {
        call_refuse(c, MHD_HTTP_NOT_FOUND, "this name is not steered (gslb.names)");
        return;
    }
    if (!from || gslb_client_parse(&client, from, call_arg(c, "ecs") != NULL)) {
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "from: an address or a network");
        return;
    }
    c->body = gslb_explain(plan, s->explainer, (unsigned)id, type, &client,
                           clock_mono_ms(s->shared.clock) / 1000, clock_wall_s(s->shared.clock));
}

/* ---- orders ---- */

static const struct {
    const char *name;
    enum gslb_force force;
} forces[] = {{"up", GSLB_FORCE_UP},
              {"down", GSLB_FORCE_DOWN},
              {"drain", GSLB_FORCE_DRAIN},
              {"weight", GSLB_FORCE_WEIGHT},
              {"clear", GSLB_FORCE_NONE}};

static void refuse_error(struct call *c, int err, const char *not_found)
{
    call_refuse(c,
                err == ERR_NOT_FOUND ? MHD_HTTP_NOT_FOUND
                : err == ERR_RANGE   ? MHD_HTTP_BAD_REQUEST
                                     : MHD_HTTP_INTERNAL_SERVER_ERROR,
                err == ERR_NOT_FOUND ? not_found : err_text(err));
}

static void post_force(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    const char *to = call_arg(c, "to");
    int64_t permille, drain_ms, for_ms;
    struct gslb_order o = {
        .what = call_arg(c, "what"), .note = call_arg(c, "note"), .by = call_arg(c, "by")};
    unsigned matched = 0;
    size_t i = 0, n = sizeof forces / sizeof *forces;
    while (i < n && (!to || strcmp(forces[i].name, to) != 0))
        i++;
    if (m && (!o.what || i == n))
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "what=PATTERN and to=up|down|drain|weight|clear");
    if (!m || !o.what || i == n || !take_number(c, "permille", 0, 1000, 1000, &permille) ||
        !take_number(c, "drain_ms", 0, UINT32_MAX, 0, &drain_ms) ||
        !take_number(c, "for_ms", 0, INT64_MAX / 4, 0, &for_ms))
        return;
    o.force = forces[i].force;
    o.permille = (uint16_t)permille;
    o.drain_ms = (uint32_t)drain_ms;
    o.for_ms = for_ms;
    int err = gslb_monitor_order(m, &o, &matched);
    if (err)
        refuse_error(c, err, "no member, pool, site or check is meant by that (see: gslb status)");
    else
        c->body = json_pack("{s:i}", "members", (int)matched);
}

static void post_push(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    const char *member = call_arg(c, "member"), *result = call_arg(c, "result"),
               *text = call_arg(c, "text");
    bool pass = result && !strcmp(result, "pass");
    if (!m)
        return;
    if (!member || (!pass && (!result || strcmp(result, "fail") != 0))) {
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "member=POOL/MEMBER and result=pass|fail");
        return;
    }
    int err = gslb_monitor_push(m, member, call_arg(c, "check"), pass ? GSLB_PASS : GSLB_FAIL,
                                text ? text : "pushed");
    if (err)
        refuse_error(c, err, "no such member with a check of type push");
    else
        c->body = json_pack("{s:b}", "taken", 1);
}

static void post_load(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    const char *member = call_arg(c, "member");
    int64_t load;
    if (!m || !take_number(c, "load", 0, 1000000, -1, &load))
        return;
    if (!member || load < 0) {
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "member=POOL/MEMBER and load=NUMBER");
        return;
    }
    int err = gslb_monitor_load(m, member, (uint32_t)load);
    if (err)
        refuse_error(c, err, "no such member (see: gslb status)");
    else
        c->body = json_pack("{s:b}", "taken", 1);
}

static void post_resume(struct call *c)
{
    struct gslb_monitor *m = monitor(c);
    const char *member = call_arg(c, "member");
    unsigned matched = 0;
    if (!m)
        return;
    if (!member) {
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "member=POOL/MEMBER");
        return;
    }
    int err = gslb_monitor_resume(m, member, &matched);
    if (err)
        refuse_error(c, err, "no such member (see: gslb status)");
    else
        c->body = json_pack("{s:i}", "members", (int)matched);
}

const struct control_path control_gslb_paths[] = {
    {"GET", "/v1/gslb/status", get_status},   {"GET", "/v1/gslb/orders", get_orders},
    {"GET", "/v1/gslb/events", get_events},   {"GET", "/v1/gslb/export", get_export},
    {"GET", "/v1/gslb/explain", get_explain}, {"POST", "/v1/gslb/force", post_force},
    {"POST", "/v1/gslb/push", post_push},     {"POST", "/v1/gslb/load", post_load},
    {"POST", "/v1/gslb/resume", post_resume}, {NULL, NULL, NULL},
};
