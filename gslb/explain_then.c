/* What would be answered if what answers now failed, and then what that would fall back on: the
 * same steering on a copy of the table in which one pool after the other is down. */
#include "explain_priv.h"

#include <stdlib.h>

enum { THEN_MAX = 16 };

struct supposed {
    struct gslb_table *table;
    struct gslb_worker worker;
    struct gslb_log log;
    int failed[THEN_MAX]; /* pools */
    unsigned failed_count;
};

static void fail_pool(struct supposed *s, const struct gslb_plan *p, int pool)
{
    for (unsigned i = 0; i < p->pools[pool].endpoint_count; i++) {
        uint32_t slot = p->pools[pool].endpoints[i].slot;
        struct gslb_view v = gslb_table_get(s->table, slot);
        v.up = false;
        v.permille = 0;
        gslb_table_put(s->table, slot, &v);
    }
    s->failed[s->failed_count++] = pool;
}

static const char *site_of(const struct gslb_plan *p, int pool)
{
    int site = pool == GSLB_NONE ? GSLB_NONE : p->pools[pool].site;
    return site == GSLB_NONE ? NULL : p->sites[site].name;
}

static json_t *then_json(struct telling *t, const struct supposed *s, const struct gslb_answer *a)
{
    const struct gslb_plan *p = t->plan;
    json_t *o = json_object(), *pools = json_array(), *sites = json_array();
    for (unsigned i = 0; i < s->failed_count; i++) {
        const char *site = site_of(p, s->failed[i]);
        tell_item(t, pools, json_string(p->pools[s->failed[i]].name));
        tell_item(t, sites, json_string(site ? site : p->pools[s->failed[i]].name));
    }
    const char *site = site_of(p, a->pool);
    tell(t, o, "if", pools);
    tell(t, o, "if_sites", sites);
    tell(t, o, "pool", a->pool == GSLB_NONE ? json_null() : json_string(p->pools[a->pool].name));
    tell(t, o, "site", site ? json_string(site) : json_null());
    tell_text(t, o, "outcome", explain_outcome_name(a->outcome));
    tell(t, o, "all_down",
         a->all_down ? json_string(explain_all_down_name(p->names[t->ask->name].all_down))
                     : json_null());
    return o;
}

static void suppose(struct telling *t, struct supposed *s, json_t *list)
{
    struct gslb_ask ask = *t->ask;
    struct gslb_answer a = *t->answer;
    ask.log = &s->log;
    while (!a.all_down && a.pool != GSLB_NONE && s->failed_count < THEN_MAX) {
        int before = a.pool;
        fail_pool(s, t->plan, before);
        gslb_steer(&ask, &s->worker, &a);
        if (a.pool == before && !a.all_down)
            return; /* its health is ignored: it never fails */
        tell_item(t, list, then_json(t, s, &a));
    }
}

json_t *explain_then(struct telling *t)
{
    json_t *list = json_array();
    struct supposed *s = calloc(1, sizeof *s);
    if (!s || gslb_table_dup(t->w->table, &s->table)) {
        t->failed = true;
    } else {
        s->worker.index = t->w->index;
        s->worker.table = s->table;
        suppose(t, s, list);
        gslb_table_free(s->table);
    }
    free(s);
    return list;
}
