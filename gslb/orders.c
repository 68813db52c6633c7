#include "monitor_priv.h"

#include "base/err.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define KIND     "orders"
#define TEXT_MAX 1000

static const char *const force_names[] = {
    [GSLB_FORCE_NONE] = "none",   [GSLB_FORCE_UP] = "up",         [GSLB_FORCE_DOWN] = "down",
    [GSLB_FORCE_DRAIN] = "drain", [GSLB_FORCE_WEIGHT] = "weight",
};

const char *order_force_name(enum gslb_force f)
{
    return force_names[f];
}

/* ---- patterns ---- */

enum order_kind order_kind(const char *what)
{
    if (!strncmp(what, "check:", 6))
        return ORDER_CHECK;
    if (!strncmp(what, "site:", 5))
        return ORDER_SITE;
    return strchr(what, '/') ? ORDER_MEMBER : ORDER_POOL;
}

static unsigned literal_count(const char *what)
{
    unsigned n = 0;
    for (; *what; what++) {
        const char *end = *what == '[' && what[1] ? strchr(what + 2, ']') : NULL;
        if (end)
            what = end;
        else if (*what == '\\' && what[1])
            ++n, ++what;
        else
            n += *what != '*' && *what != '?';
    }
    return n;
}

bool order_matches(const struct member *mb, const struct gslb_plan *plan, enum order_kind kind,
                   const char *what)
{
    const struct gslb_pool *pool = mb->pool->plan;
    const struct gslb_endpoint *e = mb->endpoint;
    char text[512];
    switch (kind) {
    case ORDER_MEMBER:
        return !fnmatch(what, member_print(mb, text, sizeof text), FNM_PATHNAME);
    case ORDER_POOL:
        return !fnmatch(what, pool->name, 0);
    case ORDER_SITE:
        return pool->site != GSLB_NONE && !fnmatch(what + 5, plan->sites[pool->site].name, 0);
    case ORDER_CHECK:
        for (unsigned i = 0; i < e->check_count; i++)
            if (!fnmatch(what + 6, plan->checks[e->checks[i]].name, 0))
                return true;
        return false;
    }
    return false;
}

static bool order_beats(const struct order *a, const struct order *b)
{
    if (!b)
        return true;
    if (a->kind != b->kind)
        return a->kind > b->kind;
    if (a->literal != b->literal)
        return a->literal > b->literal;
    if (a->exact != b->exact)
        return a->exact;
    return a->number > b->number;
}

static void member_obey(struct gslb_monitor *m, struct member *mb)
{
    struct order *best = NULL;
    for (unsigned i = 0; i < m->order_count; i++)
        if (order_beats(m->orders[i], best) &&
            order_matches(mb, m->scene->plan, m->orders[i]->kind, m->orders[i]->what))
            best = m->orders[i];
    mb->order = best;
    if (best)
        mb->forced = best->forced;
}

void orders_assign(struct gslb_monitor *m)
{
    for (unsigned i = 0; m->scene && i < m->scene->member_count; i++)
        member_obey(m, &m->scene->members[i]);
}

/* ---- one order ---- */

static void order_free(struct order *o)
{
    if (!o)
        return;
    free(o->what);
    free(o->note);
    free(o->by);
    free(o);
}

static struct order *order_new(const char *what, const char *note, const char *by)
{
    struct order *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->what = strdup(what);
    o->note = strdup(note ? note : "");
    o->by = strdup(by ? by : "");
    if (!o->what || !o->note || !o->by) {
        order_free(o);
        return NULL;
    }
    o->kind = order_kind(what);
    o->literal = literal_count(what);
    o->exact = !strpbrk(what, "*?[\\");
    return o;
}

static bool text_ok(const char *text)
{
    json_t *s = text ? json_string(text) : NULL; /* NULL also for what is no UTF-8 */
    bool ok = !text || (s && strlen(text) <= TEXT_MAX);
    json_decref(s);
    return ok;
}

static int order_check(const struct gslb_order *o)
{
    if (!o->what || !*o->what || !text_ok(o->what) || !text_ok(o->note) || !text_ok(o->by))
        return ERR_RANGE;
    if ((unsigned)o->force > GSLB_FORCE_WEIGHT || o->for_ms < 0 || o->for_ms > INT64_MAX / 4)
        return ERR_RANGE;
    return o->force == GSLB_FORCE_WEIGHT && o->permille > 1000 ? ERR_RANGE : 0;
}

/* ---- the file ---- */

static json_t *wall_or_null(const struct gslb_monitor *m, int64_t mono_ms)
{
    return mono_ms == INT64_MAX ? json_null() : json_integer(monitor_wall_ms(m, mono_ms));
}

static json_t *order_json(const struct gslb_monitor *m, const struct order *o)
{
    return json_pack("{s:s, s:s, s:i, s:I, s:o, s:o, s:s, s:s, s:I}", "what", o->what, "force",
                     force_names[o->forced.force], "permille", (int)o->forced.permille, "drain_ms",
                     (json_int_t)o->forced.drain_ms, "since", wall_or_null(m, o->forced.since_ms),
                     "until", wall_or_null(m, o->forced.until_ms), "note", o->note, "by", o->by,
                     "number", (json_int_t)o->number);
}

static json_t *orders_json(const struct gslb_monitor *m, struct order *const *orders,
                           unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && i < count; i++)
        if (json_array_append_new(list, order_json(m, orders[i]))) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *gslb_monitor_orders(const struct gslb_monitor *m)
{
    return orders_json(m, m->orders, m->order_count);
}

static int orders_write(struct gslb_monitor *m, struct order *const *orders, unsigned count,
                        bool *placed)
{
    *placed = false;
    if (!m->orders_path)
        return 0;
    json_t *list = orders_json(m, orders, count);
    char *text = list ? json_dumps(list, JSON_INDENT(1)) : NULL;
    json_decref(list);
    if (!text)
        return ERR_NOMEM;
    int err = store_write(m->orders_path, KIND, text, strlen(text), true, placed);
    free(text);
    return !err || err == ERR_NOMEM || err == ERR_FULL || err == ERR_ACCESS ? err : ERR_IO;
}

int orders_save(struct gslb_monitor *m)
{
    bool placed;
    int err = orders_write(m, m->orders, m->order_count, &placed);
    m->orders_unsure = err != 0;
    return err;
}

static struct order *order_of_json(struct gslb_monitor *m, const json_t *o)
{
    const char *what, *force, *note, *by;
    json_t *until;
    json_int_t drain, since, number;
    int permille, f = 0;
    if (json_unpack((json_t *)o, "{s:s, s:s, s:i, s:I, s:I, s:o, s:s, s:s, s:I}", "what", &what,
                    "force", &force, "permille", &permille, "drain_ms", &drain, "since", &since,
                    "until", &until, "note", &note, "by", &by, "number", &number))
        return NULL;
    while (f <= GSLB_FORCE_WEIGHT && strcmp(force, force_names[f]) != 0)
        f++;
    if (f == GSLB_FORCE_NONE || f > GSLB_FORCE_WEIGHT || permille < 0 || permille > 1000 ||
        drain < 0 || drain > UINT32_MAX || !*what)
        return NULL;
    struct order *made = order_new(what, note, by);
    if (!made)
        return NULL;
    made->number = (uint64_t)number;
    int64_t left = json_is_integer(until)
                       ? json_integer_value(until) - clock_wall_us(m->place.clock) / 1000
                       : INT64_MAX;
    made->forced = (struct gslb_forced){
        .force = (enum gslb_force)f,
        .permille = (uint16_t)permille,
        .since_ms = monitor_mono_ms(m, since),
        .until_ms = left == INT64_MAX ? INT64_MAX : monitor_now(m) + left,
        .drain_ms = (uint32_t)drain,
    };
    return made;
}

int orders_parse(struct gslb_monitor *m, const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    size_t count = json_array_size(list);
    int err = !json_is_array(list) || count > MONITOR_ORDERS ? ERR_FORMAT : 0;
    if (!err && !(m->orders = calloc(count + 1, sizeof(struct order *))))
        err = ERR_NOMEM;
    for (size_t i = 0; i < count && !err; i++) {
        struct order *o = order_of_json(m, json_array_get(list, i));
        if (!o) {
            err = ERR_FORMAT;
            break;
        }
        m->orders[m->order_count++] = o;
        m->order_number = o->number > m->order_number ? o->number : m->order_number;
    }
    json_decref(list);
    return err;
}

int orders_read(struct gslb_monitor *m, struct diag_list *d)
{
    char *text;
    size_t len;
    if (!m->orders_path)
        return 0;
    int err = store_read(m->orders_path, KIND, &text, &len);
    if (!err) {
        err = orders_parse(m, text);
        free(text);
    }
    if (!err || err == ERR_NOT_FOUND)
        return 0;
    orders_fini(m);
    if (err == ERR_NOMEM)
        return err;
    if (err != ERR_FORMAT) {
        diag_add(d, DIAG_ERROR, &(struct diag_at){.file = m->orders_path}, "cannot be read: %s",
                 err_text(err));
        return err == ERR_ACCESS ? err : ERR_IO;
    }
    int aside = store_set_aside(m->orders_path);
    diag_add(d, DIAG_WARNING, &(struct diag_at){.file = m->orders_path},
             "the operator's orders are damaged and count no more%s",
             aside ? "; the file could not be renamed" : "; the file is kept with the ending .bad");
    return 0;
}

void orders_fini(struct gslb_monitor *m)
{
    for (unsigned i = 0; i < m->order_count; i++)
        order_free(m->orders[i]);
    free(m->orders);
    m->orders = NULL;
    m->order_count = 0;
}

/* ---- giving one ---- */

/* Takes members of `old` out, which is about to go, and shows what `made` (may be NULL) says. */
static void orders_commit(struct gslb_monitor *m, const struct order *old, struct order *made,
                          const char *why)
{
    for (unsigned i = 0; m->scene && i < m->scene->member_count; i++) {
        struct member *mb = &m->scene->members[i];
        struct order *was = mb->order;
        const char *from = was ? force_names[was->forced.force] : "none";
        if (old && was == old)
            member_obey(m, mb);
        else if (made && order_beats(made, was) &&
                 order_matches(mb, m->scene->plan, made->kind, made->what)) {
            mb->order = made;
            mb->forced = made->forced;
        }
        if (mb->order == was)
            continue;
        event_of(m, mb, NULL, from, mb->order ? force_names[mb->order->forced.force] : "none", why,
                 mb->order ? mb->order->note : "");
        member_show(mb);
    }
    m->orders_next_ms = 0;
    pools_settle(m);
}

/* The list as it will be, written, then in force: in this order. */
static int orders_replace(struct gslb_monitor *m, unsigned at, struct order *made, const char *why)
{
    bool replaces = at < m->order_count, placed;
    if (made && !replaces && m->order_count >= MONITOR_ORDERS)
        return ERR_LIMIT;
    struct order **list = calloc((size_t)m->order_count + 1, sizeof(struct order *));
    if (!list)
        return ERR_NOMEM;
    unsigned n = 0;
    for (unsigned i = 0; i < m->order_count; i++)
        if (i != at)
            list[n++] = m->orders[i];
    if (made)
        list[n++] = made;
    int err = orders_write(m, list, n, &placed);
    if (err) {
        m->orders_unsure = m->orders_unsure || placed;
        free(list);
        return err;
    }
    struct order *old = replaces ? m->orders[at] : NULL;
    free(m->orders);
    m->orders = list;
    m->order_count = n;
    m->orders_unsure = false;
    orders_commit(m, old, made, why);
    order_free(old);
    return 0;
}

static unsigned order_find(const struct gslb_monitor *m, const char *what)
{
    unsigned i = 0;
    while (i < m->order_count && strcmp(m->orders[i]->what, what) != 0)
        i++;
    return i;
}

static unsigned orders_matched(const struct gslb_monitor *m, const char *what)
{
    unsigned n = 0;
    for (unsigned i = 0; m->scene && i < m->scene->member_count; i++)
        n += order_matches(&m->scene->members[i], m->scene->plan, order_kind(what), what);
    return n;
}

int gslb_monitor_order(struct gslb_monitor *m, const struct gslb_order *o, unsigned *matched)
{
    int err = order_check(o);
    *matched = 0;
    if (err)
        return err;
    unsigned at = order_find(m, o->what), n = orders_matched(m, o->what);
    bool lift = o->force == GSLB_FORCE_NONE;
    if (lift ? at == m->order_count : !n)
        return ERR_NOT_FOUND;
    struct order *made = lift ? NULL : order_new(o->what, o->note, o->by);
    if (!lift && !made)
        return ERR_NOMEM;
    if (made) {
        int64_t now = monitor_now(m);
        made->number = m->order_number + 1;
        made->forced = (struct gslb_forced){
            .force = o->force,
            .permille = o->force == GSLB_FORCE_WEIGHT ? o->permille : 1000,
            .since_ms = now,
            .until_ms = o->for_ms ? now + o->for_ms : INT64_MAX,
            .drain_ms = o->drain_ms,
        };
    }
    err = orders_replace(m, at, made, lift ? "lifted" : "order");
    if (err) {
        order_free(made);
        return err;
    }
    m->order_number += !lift;
    *matched = n;
    return 0;
}

/* An order that ended needs no acknowledgement: it is over in the file as well, by its own time. */
void orders_expire(struct gslb_monitor *m)
{
    int64_t now = monitor_now(m), next = INT64_MAX;
    if (now < m->orders_next_ms)
        return;
    bool gone = false;
    for (unsigned i = 0; i < m->order_count;) {
        struct order *o = m->orders[i];
        if (o->forced.until_ms > now) {
            next = o->forced.until_ms < next ? o->forced.until_ms : next;
            ++i;
            continue;
        }
        memmove(&m->orders[i], &m->orders[i + 1],
                (m->order_count - i - 1) * sizeof(struct order *));
        --m->order_count;
        orders_commit(m, o, NULL, "expired");
        order_free(o);
        gone = true;
    }
    m->orders_next_ms = next;
    m->orders_unsure = m->orders_unsure || gone;
}
