/* What another table does to clients: both are laid over one another, and what differs is counted.
 */
#include "map_priv.h"

struct comparison {
    const struct geo_map *before, *now;
    const uint16_t *site_now;
};
enum { SAME = PREFIXES_NONE, OTHER };

static bool same_site(const struct comparison *c, uint16_t was, uint16_t is)
{
    return c->site_now[was] == is;
}

/* Lists that draw by weight have no first site: all that may be drawn are looked at. */
static bool same_choice(const struct comparison *c, const struct geo_list *was,
                        const struct geo_list *is)
{
    if (!was->count || !is->count)
        return was->count == is->count;
    if (was->weighted != is->weighted)
        return false;
    if (!was->weighted)
        return same_site(c, was->sites[0], is->sites[0]);
    for (unsigned i = 0; i < was->weighted; i++)
        if (!same_site(c, was->sites[i], is->sites[i]) || was->weights[i] != is->weights[i])
            return false;
    return true;
}

static uint32_t compare_lists(void *arg, uint32_t was, uint32_t is)
{
    const struct comparison *c = arg;
    if (was >= c->before->list_count || is >= c->now->list_count)
        return SAME; /* addresses that carry IPv4 ones: counted there */
    return same_choice(c, &c->before->lists[was], &c->now->lists[is]) ? SAME : OTHER;
}

static void count(void *arg, const struct prefix *p, uint32_t value)
{
    struct geo_map_change *out = arg;
    if (value == SAME)
        return;
    if (p->family == 4) {
        out->networks4++;
        out->addresses4 += 1ULL << (128 - p->bits);
    } else {
        out->networks6++;
    }
}

int geo_map_compare(const struct geo_map *before, const struct geo_map *now,
                    const uint16_t *site_now, struct geo_map_change *out)
{
    struct comparison c = {before, now, site_now};
    struct prefixes *joined;
    *out = (struct geo_map_change){0};
    int err = prefixes_join(before->table, now->table, compare_lists, &c, &joined);
    if (err)
        return err;
    prefixes_each(joined, count, out);
    prefixes_free(joined);
    return 0;
}
