#include "target_priv.h"

#include "base/err.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static void slot_put(struct gslb_targets *t, uint32_t index)
{
    uint32_t mask = t->hash_size - 1;
    uint64_t at = dns_name_hash(atomic_load(&t->slots[index])->name, 0);
    while (t->hash[at & mask])
        at++;
    t->hash[at & mask] = index + 1;
}

/* At most half full. */
static int hash_grow(struct gslb_targets *t)
{
    uint32_t count = atomic_load(&t->count), size = t->hash_size ? t->hash_size * 2 : 64;
    if (count * 2 < t->hash_size)
        return 0;
    uint32_t *hash = calloc(size, sizeof *hash);
    if (!hash)
        return ERR_NOMEM;
    free(t->hash);
    t->hash = hash;
    t->hash_size = size;
    for (uint32_t i = 0; i < count; i++)
        slot_put(t, i);
    return 0;
}

static struct target *slot_find(const struct gslb_targets *t, const uint8_t *name, uint32_t *index)
{
    uint32_t mask = t->hash_size - 1;
    for (uint64_t at = dns_name_hash(name, 0); t->hash[at & mask]; at++) {
        *index = t->hash[at & mask] - 1;
        struct target *g = atomic_load(&t->slots[*index]);
        if (dns_name_equal(g->name, name))
            return g;
    }
    return NULL;
}

static int take(struct gslb_targets *t, const uint8_t *name, bool subnets, uint32_t *index)
{
    int err = hash_grow(t);
    if (err)
        return err;
    struct target *g = slot_find(t, name, index);
    if (g) {
        if (subnets)
            atomic_store(&g->subnets, true);
        return 0;
    }
    uint32_t count = atomic_load(&t->count);
    if (count == TARGETS_MAX)
        return ERR_LIMIT;
    g = calloc(1, sizeof *g);
    if (!g)
        return ERR_NOMEM;
    dns_name_lower(g->name, name);
    atomic_init(&g->subnets, subnets);
    atomic_store(&t->slots[count], g);
    atomic_store(&t->count, count + 1);
    slot_put(t, count);
    *index = count;
    return 0;
}

int gslb_targets_take(struct gslb_targets *t, const uint8_t *name, bool subnets, uint32_t *index)
{
    pthread_mutex_lock(&t->lock);
    int err = take(t, name, subnets, index);
    pthread_mutex_unlock(&t->lock);
    return err;
}

/* ---- life ---- */

int gslb_targets_new(struct gslb_targets **out, struct gslb_fetcher *f, const struct clock *clock,
                     struct snap_domain *domain)
{
    size_t size = (sizeof(struct gslb_targets) + 63) & ~(size_t)63;
    struct gslb_targets *t = aligned_alloc(64, size);
    if (!t)
        return ERR_NOMEM;
    memset(t, 0, size);
    if (pthread_mutex_init(&t->lock, NULL)) {
        free(t);
        return ERR_NOMEM;
    }
    t->fetcher = f;
    t->clock = clock;
    t->domain = domain;
    list_init(&t->flights);
    wishes_init(&t->wishes);
    *out = t;
    return 0;
}

/* Frees what no reader can see any more. */
static void reclaim(struct gslb_targets *t, uint64_t seen)
{
    for (struct book **at = &t->waiting; *at;) {
        struct book *b = *at;
        if (b->mark > seen) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        part_unref(&b->part);
    }
}

void gslb_targets_free(struct gslb_targets *t)
{
    if (!t)
        return;
    target_orphans(t);
    for (uint32_t i = 0; i < atomic_load(&t->count); i++) {
        struct target *g = atomic_load(&t->slots[i]);
        target_clear(t, g);
        free(g);
    }
    reclaim(t, UINT64_MAX);
    pthread_mutex_destroy(&t->lock);
    free(t->hash);
    free(t);
}

void gslb_targets_keep(struct gslb_targets *t, const uint32_t *index, unsigned count)
{
    uint32_t all = atomic_load(&t->count);
    for (uint32_t i = 0; i < all; i++)
        atomic_load(&t->slots[i])->marked = false;
    for (unsigned i = 0; i < count; i++)
        if (index[i] < all)
            atomic_load(&t->slots[index[i]])->marked = true;
    for (uint32_t i = 0; i < all; i++) {
        struct target *g = atomic_load(&t->slots[i]);
        if (g->kept && !g->marked)
            target_clear(t, g);
        if (!g->kept && g->marked)
            g->due_ms = 0;
        g->kept = g->marked;
    }
}

/* ---- turns ---- */

static void hear_wishes(struct gslb_targets *t, int64_t now_ms)
{
    struct wish w;
    for (unsigned i = 0; i < WISHES_MAX && wishes_take(&t->wishes, &w); i++) {
        struct target *g = atomic_load(&t->slots[w.target]);
        if (g->kept)
            target_wish(g, &w.net, now_ms);
    }
}

unsigned gslb_targets_turn(struct gslb_targets *t)
{
    int64_t now_ms = clock_mono_ms(t->clock);
    int64_t next = now_ms + (t->fetcher->subnets ? TARGETS_POLL_MS : TARGETS_PAUSE_MS);
    uint32_t count = atomic_load(&t->count);
    reclaim(t, snap_seen(t->domain));
    hear_wishes(t, now_ms);
    uint32_t first = count ? t->first++ % count : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct target *g = atomic_load(&t->slots[(first + i) % count]);
        if (!g->kept)
            continue;
        if (g->due_ms <= now_ms)
            target_turn(t, g, now_ms);
        if (g->due_ms < next)
            next = g->due_ms;
    }
    if (t->flight_count == TARGETS_FLIGHTS || (t->waiting && next > now_ms + TARGETS_POLL_MS))
        next = now_ms + TARGETS_POLL_MS; /* no sooner: what is due waits for room */
    return next > now_ms ? (unsigned)(next - now_ms) : 1;
}

/* ---- queries ---- */

static void fill(struct gslb_target_found *out, const struct book_set *s, uint32_t now_s,
                 bool short_ttl)
{
    uint32_t brief = s->ttl < GSLB_TARGET_SHORT_S ? s->ttl : GSLB_TARGET_SHORT_S;
    out->stale = now_s >= s->expires_s;
    out->ttl = out->stale ? brief : s->expires_s - now_s;
    if (short_ttl && out->ttl > brief)
        out->ttl = brief;
    for (unsigned i = 0; i < 2; i++) {
        out->count[i] = s->count[i];
        out->size[i] = s->size[i];
        out->rdata[i] = s->count[i] ? s->rdata + (i ? s->size[0] : 0) : NULL;
    }
}

/* The client's network is told, and answered for, no longer than RFC 7871 11.1 has it. */
static void wish(struct gslb_targets *t, uint32_t index, const struct prefix *net, uint32_t now_s)
{
    struct wish w = {.target = index};
    w.net = book_network_cut(net, net->family == 4 ? 96 + TARGET_NETWORK4 : TARGET_NETWORK6);
    wishes_put(&t->wishes, &w, now_s);
}

bool gslb_target_find(struct gslb_targets *t, uint32_t index, const struct edns_subnet *subnet,
                      uint32_t now_s, struct gslb_target_found *out)
{
    if (index >= TARGETS_MAX)
        return false;
    struct target *g = atomic_load(&t->slots[index]);
    const struct book *b = g ? atomic_load(&g->book) : NULL;
    struct prefix net;
    if (!b)
        return false;
    bool told = subnet && t->fetcher->subnets &&
                atomic_load_explicit(&g->subnets, memory_order_relaxed) &&
                book_network_of(&net, subnet);
    uint8_t bits = 0;
    struct book_set *s = told ? book_find(b, &net, &bits) : NULL;
    if (book_set_usable(s, now_s)) {
        if (atomic_load_explicit(&s->used_s, memory_order_relaxed) != now_s)
            atomic_store_explicit(&s->used_s, now_s, memory_order_relaxed);
        out->scope = (uint8_t)(bits - book_base(net.family));
        fill(out, s, now_s, false);
        return true;
    }
    if (told)
        wish(t, index, &net, now_s);
    if (!book_set_usable(b->everybody, now_s))
        return false;
    out->scope = told ? subnet->source : 0;
    fill(out, b->everybody, now_s, told);
    return true;
}

/* ---- status ---- */

static json_t *target_json(const struct target *g, int64_t now_s)
{
    char name[DNS_NAME_TEXT_MAX];
    const struct book_set *s = g->everybody.set;
    unsigned sets = s != NULL, addresses = s ? s->count[0] + s->count[1] : 0u;
    for (unsigned i = 0; i < g->count; i++)
        if (g->networks[i].set) {
            sets++;
            addresses += g->networks[i].set->count[0] + g->networks[i].set->count[1];
        }
    dns_name_print(g->name, name);
    return json_pack("{s:s, s:o, s:o, s:i, s:i, s:i, s:s}", "name", name, "fetched",
                     s ? json_integer(now_s - s->fetched_s) : json_null(), "expires",
                     s ? json_integer((int64_t)s->expires_s - now_s) : json_null(), "sets",
                     (int)sets, "addresses", (int)addresses, "failures", (int)g->everybody.failures,
                     "last", err_text(g->last));
}

json_t *gslb_targets_status(const struct gslb_targets *t)
{
    json_t *all = json_array();
    int64_t now_s = clock_mono_ms(t->clock) / 1000;
    for (uint32_t i = 0; all && i < atomic_load(&t->count); i++) {
        const struct target *g = atomic_load(&t->slots[i]);
        if (g->kept && json_array_append_new(all, target_json(g, now_s))) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}
