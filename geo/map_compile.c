/* Rules, operator networks and databases in, one table out.
 * The three tables are laid over one another, which gives each distinct combination of what they
 * say a number; the rules are asked once for each. Then leaves too narrow are merged, and the parts
 * of the IPv6 tree in which nobody is looked up are marked. */
#include "geo/map.h"

#include "forms_priv.h"
#include "map_priv.h"
#include "pairs_priv.h"

#include "base/diag.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

struct work {
    const struct geo_map_config *c;
    struct geo_map_config own; /* with networks whose places and names are the map's */
    struct diag_list *d;
    struct geo_map *m;
    struct pairs first, second; /* (network, db), (number in first, asn_db) */
    uint32_t *list_slots;       /* indexes of lists, 0 is free */
    size_t list_cap;
    uint64_t seed;
    uint32_t *last; /* of each pair in first: 1 + the combination that was measured last */
    bool *reached;  /* of each rule */
    bool unmatched;
};

/* ---- networks ---- */

static int keep_place(struct arena *arena, const struct geo_place *from,
                      const struct geo_place **out)
{
    struct geo_place *p = arena_dup(arena, from, sizeof *from);
    if (!p)
        return ERR_NOMEM;
    p->city = arena_strdup(arena, from->city ? from->city : "");
    p->organisation = arena_strdup(arena, from->organisation ? from->organisation : "");
    *out = p;
    return p->city && p->organisation ? 0 : ERR_NOMEM;
}

static int keep_networks(struct work *w)
{
    struct arena *arena = &w->m->arena;
    unsigned n = w->c->network_count;
    struct geo_network *own = ARENA_ARRAY(arena, struct geo_network, n);
    w->m->networks = ARENA_ARRAY(arena, const char *, n);
    if (!own || !w->m->networks)
        return ERR_NOMEM;
    for (unsigned i = 0; i < n; i++) {
        own[i] = w->c->networks[i];
        if (own[i].place && keep_place(arena, own[i].place, &own[i].place))
            return ERR_NOMEM;
        own[i].name = w->m->networks[i] = arena_strdup(arena, own[i].name);
        if (!own[i].name)
            return ERR_NOMEM;
    }
    w->own = *w->c;
    w->own.networks = own;
    return 0;
}

static int keep_rules(struct work *w)
{
    struct geo_map *m = w->m;
    m->rules = ARENA_ARRAY(&m->arena, const char *, w->c->rule_count);
    for (unsigned i = 0; m->rules && i < w->c->rule_count; i++)
        if (!(m->rules[m->rule_count++] = map_rule_text(&m->arena, w->c, &w->c->rules[i])))
            return ERR_NOMEM;
    return m->rules ? 0 : ERR_NOMEM;
}

static void say_twice(struct work *w, unsigned net, const struct prefix *p)
{
    char text[ADDR_TEXT_MAX];
    const char *other = "another";
    for (unsigned i = net; i-- > 0;)
        for (unsigned k = 0; k < w->c->networks[i].prefix_count; k++) {
            const struct prefix *q = &w->c->networks[i].prefixes[k];
            if (q->bits == p->bits && q->family == p->family && !memcmp(q->ip, p->ip, sizeof q->ip))
                other = w->c->networks[i].name;
        }
    diag_add(w->d, DIAG_ERROR, NULL, "map %s: %s is in network %s and in network %s", w->c->name,
             prefix_print(p, text), other, w->c->networks[net].name);
}

static int networks_table(struct work *w, struct prefixes **out)
{
    struct prefixes_build *b;
    bool twice = false;
    int err = prefixes_begin(&b);
    if (err)
        return err;
    for (unsigned i = 0; i < w->c->network_count && !err; i++) {
        for (unsigned k = 0; k < w->c->networks[i].prefix_count && !err; k++) {
            err = prefixes_put(b, &w->c->networks[i].prefixes[k], i + 1);
            if (err != ERR_EXISTS)
                continue;
            say_twice(w, i, &w->c->networks[i].prefixes[k]);
            twice = true;
            err = 0;
        }
    }
    if (err || twice) {
        prefixes_abandon(b);
        return err ? err : ERR_INVALID;
    }
    return prefixes_finish(b, NULL, 0, out);
}

/* ---- combinations ---- */

static uint32_t join_first(void *arg, uint32_t net, uint32_t place)
{
    struct work *w = arg;
    return pairs_number(&w->first, net, map_place_needs_first(&w->own, net) ? place : 0);
}

static const struct geo_place *place_at(const struct geo_db *db, uint32_t value)
{
    return value == PREFIXES_NONE ? NULL : geo_db_place(db, value - 1);
}

static uint32_t join_second(void *arg, uint32_t number, uint32_t place)
{
    struct work *w = arg;
    if (!number) /* no memory before */
        return 0;
    const struct pairs_pair *p = &w->first.pairs[number - 1];
    const struct geo_place *first = map_place_needs_first(&w->own, p->a)
                                        ? place_at(w->c->db, p->b)
                                        : w->own.networks[p->a - 1].place;
    return pairs_number(&w->second, number, map_place_needs_second(first) ? place : 0);
}

static uint32_t only_network(void *arg, uint32_t net)
{
    return join_first(arg, net, PREFIXES_NONE);
}

static uint32_t no_second(void *arg, uint32_t number)
{
    return join_second(arg, number, PREFIXES_NONE);
}

static int lay_over(struct work *w)
{
    struct prefixes *nets = NULL, *first = NULL;
    int err = networks_table(w, &nets);
    if (err)
        return err;
    if (w->c->db)
        err = prefixes_join(nets, geo_db_prefixes(w->c->db), join_first, w, &first);
    else
        err = prefixes_map(nets, only_network, w, &first);
    prefixes_free(nets);
    err = w->first.err ? w->first.err : err;
    if (!err && w->c->asn_db)
        err = prefixes_join(first, geo_db_prefixes(w->c->asn_db), join_second, w, &w->m->where);
    else if (!err)
        err = prefixes_map(first, no_second, w, &w->m->where);
    if (first)
        prefixes_free(first);
    return w->second.err ? w->second.err : err;
}

/* ---- lists ---- */

static uint64_t list_hash(const struct work *w, const struct geo_list *l)
{
    uint64_t h = hash_bytes(l->sites, l->count * sizeof *l->sites, w->seed + l->fence);
    return l->weighted ? hash_bytes(l->weights, l->weighted * sizeof *l->weights, h) : h;
}

static uint32_t *list_slot(const struct work *w, const struct geo_list *l)
{
    for (size_t i = list_hash(w, l);; i++) {
        uint32_t *slot = &w->list_slots[i & (w->list_cap - 1)];
        if (!*slot || map_list_equal(&w->m->lists[*slot], l))
            return slot;
    }
}

static int lists_grow(struct work *w)
{
    size_t cap = w->list_cap ? 2 * w->list_cap : 64;
    struct geo_list *lists = realloc(w->m->lists, cap / 2 * sizeof *lists);
    if (!lists)
        return ERR_NOMEM;
    w->m->lists = lists;
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ERR_NOMEM;
    free(w->list_slots);
    w->list_slots = slots;
    w->list_cap = cap;
    if (!w->m->list_count)
        lists[w->m->list_count++] = (struct geo_list){.rule = -1};
    for (uint32_t i = 1; i < w->m->list_count; i++)
        *list_slot(w, &lists[i]) = i;
    return 0;
}

/* The index of the one list equal to l. */
static int list_keep(struct work *w, const struct geo_list *l, uint32_t *index)
{
    struct geo_map *m = w->m;
    if (m->list_count >= w->list_cap / 2 && lists_grow(w))
        return ERR_NOMEM;
    *index = 0;
    if (l->rule < 0)
        return 0;
    uint32_t *slot = list_slot(w, l);
    if (!*slot) {
        struct geo_list *own = &m->lists[m->list_count];
        *own = *l;
        own->sites = arena_dup(&m->arena, l->sites, l->count * sizeof *l->sites);
        if (l->weighted)
            own->weights = arena_dup(&m->arena, l->weights, l->weighted * sizeof *l->weights);
        if (!own->sites || (l->weighted && !own->weights))
            return ERR_NOMEM;
        *slot = m->list_count++;
    }
    *index = *slot;
    if (l->rule < m->lists[*index].rule)
        m->lists[*index].rule = l->rule;
    return 0;
}

/* The same rule and the same position: the same list, without measuring again. */
static bool is_alike(const struct map_combo *a, const struct map_combo *b)
{
    const struct geo_place *p = a->place, *q = b->place;
    if (a->rule != b->rule || (p && p->has_position) != (q && q->has_position))
        return false;
    return !p || !q || !p->has_position ||
           (p->latitude == q->latitude && p->longitude == q->longitude &&
            p->radius_km == q->radius_km);
}

static int evaluate_all(struct work *w)
{
    struct geo_map *m = w->m;
    uint16_t sites[GEO_SITES_MAX];
    m->combo_count = w->second.count;
    m->combos = calloc(m->combo_count, sizeof *m->combos);
    w->last = calloc(w->first.count, sizeof *w->last);
    if (!m->combos || !w->last)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < m->combo_count; i++) {
        const struct pairs_pair *second = &w->second.pairs[i];
        const struct pairs_pair *first = &w->first.pairs[second->a - 1];
        struct map_combo *combo = &m->combos[i];
        struct geo_place mixed;
        struct geo_list list;
        combo->net = first->a;
        combo->place = map_place(&w->own, first->a, place_at(w->c->db, first->b),
                                 place_at(w->c->asn_db, second->b), &mixed);
        if (combo->place == &mixed)
            combo->place = arena_dup(&m->arena, &mixed, sizeof mixed);
        if (!combo->place && second->b)
            return ERR_NOMEM;
        combo->rule = map_rules_match(&w->own, combo->net, combo->place);
        if (combo->rule >= 0)
            w->reached[combo->rule] = true;
        else
            w->unmatched = true;
        uint32_t *last = &w->last[second->a - 1];
        if (*last && is_alike(&m->combos[*last - 1], combo)) {
            combo->list = m->combos[*last - 1].list;
            continue;
        }
        *last = i + 1;
        map_rules_apply(&w->own, combo->net, combo->place, &list, sites);
        if (list_keep(w, &list, &combo->list))
            return ERR_NOMEM;
    }
    return 0;
}

static uint32_t list_of(void *arg, uint32_t combo)
{
    const struct geo_map *m = arg;
    return m->combos[combo - 1].list;
}

/* ---- narrowest ---- */

struct narrow {
    uint8_t bound4, bound6;
    struct prefixes_build *build; /* NULL: only count */
    unsigned merged;
    int err;
};

static void narrow_leaf(void *arg, const struct prefix *p, uint32_t value)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct narrow *n = arg;
    bool v4 = p->family == 4;
    if (!v4 && p->bits >= 96 && !memcmp(p->ip, mapped, sizeof mapped))
        return; /* nobody is looked up there, and it would be put as IPv4 */
    unsigned bound = v4 ? 96u + n->bound4 : n->bound6;
    bool deep = (v4 ? n->bound4 : n->bound6) && p->bits > bound;
    n->merged += deep;
    if (!n->build || n->err)
        return;
    struct prefix put = *p;
    if (deep) {
        struct addr base = {.family = p->family};
        memcpy(base.ip, p->ip, sizeof base.ip);
        map_base(&base, n->bound4, n->bound6);
        if (memcmp(base.ip, p->ip, sizeof base.ip) != 0)
            return; /* the leaf at the base speaks for it */
        put.bits = (uint8_t)bound;
    }
    n->err = prefixes_put(n->build, &put, value);
}

static int narrow(struct work *w)
{
    const struct geo_map_config *c = w->c;
    struct narrow n = {.bound4 = c->narrowest4, .bound6 = c->narrowest6};
    prefixes_each(w->m->table, narrow_leaf, &n);
    if (!n.merged)
        return 0;
    w->m->merged = n.merged;
    int err = prefixes_begin(&n.build);
    if (err)
        return err;
    prefixes_each(w->m->table, narrow_leaf, &n);
    if (n.err) {
        prefixes_abandon(n.build);
        return n.err;
    }
    struct prefixes *wide;
    err = prefixes_finish(n.build, NULL, 0, &wide);
    if (err)
        return err;
    prefixes_free(w->m->table);
    w->m->table = wide;
    diag_add(w->d, DIAG_WARNING, NULL,
             "map %s: %u networks beyond narrowest (/%u for IPv4, /%u for IPv6, 0: any) get what "
             "the first address of the wider one gets",
             c->name, n.merged, c->narrowest4, c->narrowest6);
    return 0;
}

/* ---- networks that carry IPv4 ---- */

static int forms_table(struct prefixes **out)
{
    struct prefixes_build *b;
    int err = prefixes_begin(&b);
    if (err)
        return err;
    for (unsigned i = 0; i < FORMS && !err; i++) {
        struct prefix p = {.bits = forms[i].bits, .family = 6};
        memcpy(p.ip, forms[i].ip, sizeof p.ip);
        if (p.ip[10] == 0xff && p.ip[11] == 0xff) {
            /* ::ffff:0:0/96 itself would be taken for IPv4: both halves of the /95, but one. */
            p.ip[11] = 0xfe;
            err = prefixes_put(b, &p, PREFIXES_NONE);
            p.bits = 95;
        }
        err = err ? err : prefixes_put(b, &p, 1);
    }
    if (err) {
        prefixes_abandon(b);
        return err;
    }
    return prefixes_finish(b, NULL, 0, out);
}

static uint32_t form_or_list(void *arg, uint32_t list, uint32_t form)
{
    return form ? *(uint32_t *)arg : list;
}

static int mark_forms(struct work *w)
{
    struct prefixes *marks, *marked;
    struct addr any = {.ip = {[10] = 0xff, [11] = 0xff}, .family = 4};
    unsigned depth;
    uint32_t value = prefixes_find(w->m->table, &any, &depth);
    if (depth)
        value = MAP_FORM;
    int err = forms_table(&marks);
    if (err)
        return err;
    err = prefixes_join(w->m->table, marks, form_or_list, &value, &marked);
    prefixes_free(marks);
    if (err)
        return err;
    prefixes_free(w->m->table);
    w->m->table = marked;
    return 0;
}

/* ---- what is odd ---- */

static bool is_in(const struct geo_db *db, const struct geo_rule *r)
{
    for (unsigned i = 0; db && i < geo_db_places(db); i++)
        if (map_rule_matches(r, 0, geo_db_place(db, i)))
            return true;
    return false;
}

static bool is_anywhere(const struct work *w, const struct geo_rule *r)
{
    if (r->match == GEO_MATCH_ANY || r->match == GEO_MATCH_UNKNOWN || r->match == GEO_MATCH_NETWORK)
        return true;
    for (unsigned i = 0; i < w->c->network_count; i++)
        if (w->c->networks[i].place && map_rule_matches(r, i + 1, w->c->networks[i].place))
            return true;
    return is_in(w->c->db, r) || is_in(w->c->asn_db, r);
}

static void warn(struct work *w)
{
    const struct geo_map_config *c = w->c;
    for (unsigned i = 0; i < c->rule_count; i++) {
        const struct geo_rule *r = &c->rules[i];
        if (w->reached[i])
            continue;
        if (is_anywhere(w, r))
            diag_add(w->d, DIAG_WARNING, NULL, "map %s: rule %u: no client reaches it", c->name,
                     i + 1);
        else if (r->match == GEO_MATCH_ASN)
            diag_add(w->d, DIAG_WARNING, NULL, "map %s: rule %u: no place has AS%u", c->name, i + 1,
                     r->number);
        else
            diag_add(w->d, DIAG_WARNING, NULL, "map %s: rule %u: no place is \"%s\"", c->name,
                     i + 1, r->text);
    }
    if (w->unmatched && c->rule_count)
        diag_add(w->d, DIAG_WARNING, NULL,
                 "map %s: clients that no rule matches get no site (the last rule may match any)",
                 c->name);
}

/* ---- all of it ---- */

static int compile(struct work *w)
{
    struct rng rng;
    int err = rng_init(&rng);
    if (err)
        return err;
    w->first.seed = rng_u64(&rng);
    w->second.seed = rng_u64(&rng);
    w->seed = rng_u64(&rng);
    rng_fini(&rng);
    w->reached = calloc(w->c->rule_count + 1, sizeof *w->reached);
    err = w->reached ? keep_networks(w) : ERR_NOMEM;
    err = err ? err : keep_rules(w);
    err = err ? err : lay_over(w);
    err = err ? err : evaluate_all(w);
    err = err ? err : prefixes_map(w->m->where, list_of, w->m, &w->m->table);
    if (err)
        return err;
    warn(w);
    err = narrow(w);
    return err ? err : mark_forms(w);
}

int geo_map_compile(struct geo_map **m, const struct geo_map_config *c, struct diag_list *d)
{
    struct work w = {.c = c, .d = d};
    int err = map_check(c, d);
    if (err)
        return err;
    w.m = calloc(1, sizeof *w.m);
    if (w.m) {
        arena_init(&w.m->arena, 0, 0);
        w.m->narrowest4 = c->narrowest4;
        w.m->narrowest6 = c->narrowest6;
        w.m->db = c->db;
    }
    err = w.m ? compile(&w) : ERR_NOMEM;
    pairs_fini(&w.first);
    pairs_fini(&w.second);
    free(w.list_slots);
    free(w.last);
    free(w.reached);
    if (!err) {
        *m = w.m;
        return 0;
    }
    if (err != ERR_INVALID)
        diag_add(d, DIAG_ERROR, NULL, "map %s: %s", c->name, err_text(err));
    geo_map_free(w.m);
    return err;
}
