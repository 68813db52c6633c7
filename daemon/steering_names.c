/* daemon/steering_names.c: steered names of `gslb`. */
#include "dns/name.h"
#include "steering_priv.h"

#include <string.h>

#define NAME "gslb.names.*."

/* `pools`, or `pool` alone. */
static void read_pools(struct steering *s, const struct config_node *item, struct gslb_name *n)
{
    const struct config *c = s->c;
    const struct config_node *named = config_node(c, NULL, "gslb.pools");
    bool one = config_node(c, item, NAME "pool"), many = config_node(c, item, NAME "pools"),
         alias = config_node(c, item, NAME "alias");
    const char *path = many ? NAME "pools" : NAME "pool";
    unsigned count = config_count(c, item, path);
    uint32_t *pools = STEERING_ARRAY(s, uint32_t, count);
    if (one + many + alias != 1)
        steering_key_wrong(s, item, NULL, "write one of pool, pools and alias");
    else if (!alias && !count)
        steering_wrong(s, config_node(c, item, path), NULL, "the list is empty");
    if (one && config_node(c, item, NAME "map"))
        steering_wrong(s, config_node(c, item, NAME "pool"), "pools: [NAMES]",
                       "a map chooses among pools: one pool alone needs none");
    for (unsigned i = 0; pools && i < count; i++) {
        int k = steering_index(s, named, "pool", config_node_at(c, item, path, i),
                               config_text_at(c, item, path, i));
        pools[i] = (uint32_t)(k < 0 ? 0 : k);
        for (unsigned j = 0; k >= 0 && j < i; j++)
            if (pools[j] == pools[i])
                steering_wrong(s, config_node_at(c, item, path, i), NULL,
                               "this pool is written twice");
    }
    n->pools = pools;
    n->pool_count = pools ? count : 0;
}

static uint32_t seconds(struct steering *s, const struct config_node *item, const char *path)
{
    int64_t ms = config_int(s->c, item, path);
    if (ms % 1000)
        steering_wrong(s, config_node(s->c, item, path), NULL, "a TTL has whole seconds");
    return (uint32_t)(ms / 1000);
}

static void read_ttl(struct steering *s, const struct config_node *item, struct gslb_name *n)
{
    const struct config_node *degraded = config_node(s->c, item, NAME "ttl.degraded"),
                             *min = config_node(s->c, item, NAME "ttl.min");
    n->ttl = seconds(s, item, NAME "ttl.normal");
    n->ttl_degraded = degraded ? seconds(s, item, NAME "ttl.degraded") : (n->ttl + 2) / 3;
    n->ttl_min = seconds(s, item, NAME "ttl.min");
    n->ttl_max = seconds(s, item, NAME "ttl.max");
    if (degraded && n->ttl_degraded > n->ttl)
        steering_wrong(s, degraded, NULL, "ttl.degraded (%us) is longer than ttl.normal (%us)",
                       (unsigned)n->ttl_degraded, (unsigned)n->ttl);
    if (n->ttl_max && n->ttl_min > n->ttl_max)
        steering_wrong(s, min, NULL, "ttl.min (%us) is longer than ttl.max (%us)",
                       (unsigned)n->ttl_min, (unsigned)n->ttl_max);
}

/* A pool's name, else another steered name. */
static void read_fallback(struct steering *s, const struct config_node *item, struct gslb_name *n)
{
    const struct config *c = s->c;
    const struct config_node *names = config_node(c, NULL, "gslb.names"),
                             *at = config_node(c, item, NAME "fallback");
    const char *text = config_text(c, item, NAME "fallback");
    n->fallback_pool = n->fallback_name = GSLB_NONE;
    if (!text)
        return;
    if (tree_child(names, text))
        n->fallback_name = steering_index(s, names, "name", at, text);
    else
        n->fallback_pool = steering_index(s, config_node(c, NULL, "gslb.pools"),
                                          "pool, and no steered name,", at, text);
}

static void read_outside(struct steering *s, const struct config_node *item, struct gslb_name *n)
{
    static const struct {
        const char *word;
        enum gslb_outside outside;
    } words[] = {{"nodata", GSLB_OUTSIDE_NODATA},
                 {"refuse", GSLB_OUTSIDE_REFUSE},
                 {"fallback", GSLB_OUTSIDE_FALLBACK}};
    const char *text = config_text(s->c, item, NAME "outside");
    n->outside = GSLB_OUTSIDE_POOL;
    n->outside_pool = GSLB_NONE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].word, text))
            n->outside = words[i].outside;
    if (n->outside == GSLB_OUTSIDE_POOL)
        n->outside_pool = steering_index(s, config_node(s->c, NULL, "gslb.pools"), "pool",
                                         config_node(s->c, item, NAME "outside"), text);
}

static enum gslb_all_down all_down_of(const char *text)
{
    static const char *const words[] = {[GSLB_DOWN_LAST_HEALTHY] = "last-healthy-then-all",
                                        [GSLB_DOWN_ALL] = "all",
                                        [GSLB_DOWN_FALLBACK] = "fallback",
                                        [GSLB_DOWN_NODATA] = "nodata",
                                        [GSLB_DOWN_REFUSE] = "refuse"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], text))
            return (enum gslb_all_down)i;
    return GSLB_DOWN_LAST_HEALTHY;
}

static void read_name(struct steering *s, const struct config_node *item, struct gslb_name *n)
{
    const struct config *c = s->c;
    const char *map = config_text(c, item, NAME "map"), *alias = config_text(c, item, NAME "alias");
    struct config_node key = {
        .line = item->key_line, .column = item->key_column, .text = item->key};
    n->owner = steering_domain(s, &key, item->key);
    n->at = steering_at(s, item);
    for (const struct gslb_name *other = s->plan->names; n->owner && other < n; other++)
        if (other->owner && dns_name_equal(other->owner, n->owner))
            steering_key_wrong(s, item, NULL, "this name is written twice");
    n->map = map ? steering_index(s, config_node(c, NULL, "gslb.maps"), "map",
                                  config_node(c, item, NAME "map"), map)
                 : GSLB_NONE;
    read_pools(s, item, n);
    n->skip_first = config_bool(c, item, NAME "skip-first");
    n->family_fail_over = !strcmp(config_text(c, item, NAME "family"), "fail-over");
    read_fallback(s, item, n);
    read_outside(s, item, n);
    n->all_down = all_down_of(config_text(c, item, NAME "when-all-down"));
    read_ttl(s, item, n);
    if (alias)
        n->alias = steering_domain(s, config_node(c, item, NAME "alias"), alias);
}

void steering_names_read(struct steering *s)
{
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.names", &n);
    s->plan->names = STEERING_ARRAY(s, struct gslb_name, n);
    for (; !s->nomem && item; item = item->next)
        read_name(s, item, &s->plan->names[s->plan->name_count++]);
}
