/* The log of one decision in one line, where there is no heap: for the text of an EDE. */
#include "gslb/explain.h"

#include <stdarg.h>
#include <stdio.h>

struct line {
    char *out;
    size_t cap, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
    va_list args;
    if (l->len >= l->cap)
        return;
    va_start(args, fmt);
    int n = vsnprintf(l->out + l->len, l->cap - l->len, fmt, args);
    va_end(args);
    if (n > 0)
        l->len = l->len + (size_t)n < l->cap ? l->len + (size_t)n : l->cap - 1;
}

static const char *site_name(const struct gslb_plan *p, int site)
{
    return site >= 0 && (unsigned)site < p->site_count ? p->sites[site].name : "?";
}

static void add_list(struct line *l, const struct gslb_plan *p, const struct geo_list *list)
{
    enum { SHOWN = 4 };
    for (unsigned i = 0; i < list->count && i < SHOWN; i++)
        add(l, "%s%s", i ? "," : " -> ", site_name(p, list->sites[i]));
    if (list->count > SHOWN)
        add(l, ",...");
    add(l, "%s", list->count ? "; " : " -> no site; ");
}

static void add_event(struct line *l, const struct gslb_plan *p, const struct gslb_event *e,
                      bool near)
{
    switch (e->step) {
    case GSLB_STEP_CLIENT:
        add(l, "client %s; ", e->number ? "subnet" : "source");
        return;
    case GSLB_STEP_MAP:
        if (near)
            add(l, "by distance; ");
        else if (e->number < 0)
            add(l, "map %s no rule", p->maps[e->index].name);
        else
            add(l, "map %s rule %d", p->maps[e->index].name, (int)e->number + 1);
        return;
    case GSLB_STEP_SITES:
        if (!near)
            add_list(l, p, e->list);
        return;
    case GSLB_STEP_DRAWN:
        add(l, "drawn %s; ", site_name(p, e->index));
        return;
    case GSLB_STEP_POOL:
        add(l, "pool %s %u/%u%s; ", p->pools[e->index].name, e->depth,
            p->pools[e->index].endpoint_count, e->why == GSLB_WHY_OK ? "" : " not usable");
        return;
    case GSLB_STEP_ALL_DOWN:
        add(l, "all down; ");
        return;
    case GSLB_STEP_FALLBACK:
        add(l, "fallback; ");
        return;
    case GSLB_STEP_SKIPPED:
    case GSLB_STEP_PICK:
    case GSLB_STEP_TTL:
    case GSLB_STEP_ANSWER:
        return;
    }
}

size_t gslb_explain_line(const struct gslb_plan *p, const struct gslb_log *log,
                         const struct gslb_answer *a, char *out, size_t cap)
{
    struct line l = {out, cap, 0};
    int pool = GSLB_NONE;
    if (!cap)
        return 0;
    *out = '\0';
    for (unsigned i = 0; i < log->count; i++) {
        const struct gslb_event *e = &log->events[i];
        pool = e->step == GSLB_STEP_POOL ? e->index : pool;
        bool near = pool != GSLB_NONE && p->pools[pool].near == e->index;
        add_event(&l, p, e, near);
    }
    add(&l, "ttl %u; scope %u", (unsigned)a->ttl, (unsigned)a->scope);
    return l.len;
}
