#include "base/err.h"
#include "denial_priv.h"
#include "dns/name.h"
#include "dns/type.h"
#include "dns/zonefile.h"
#include "records_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

#define HASH_SEED 0x77617970UL

const struct zone_reach zone_reach_none = {0};

/* ---- loading ---- */

struct load {
    struct zone *z;
    struct records records;
};

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    struct load *l = arg;
    if (rr->cls != DNS_CLASS_IN || !dns_name_is_sub(rr->owner, l->z->origin)) {
        char owner[DNS_NAME_TEXT_MAX], what[sizeof owner + 32];
        dns_name_print(rr->owner, owner);
        snprintf(what, sizeof what, "%s: %s", owner,
                 rr->cls != DNS_CLASS_IN ? "only class IN is served" : "is outside the zone");
        return zonefile_complain(rr, what);
    }
    return records_add(&l->records, rr);
}

/* Steered names stand among the records, so that they are nodes with or without any. */
static int take_names(struct load *l, const struct dynamic_name *names, unsigned count,
                      struct diag_list *diags)
{
    for (unsigned i = 0; i < count; i++) {
        char owner[DNS_NAME_TEXT_MAX];
        if (dns_name_is_sub(names[i].owner, l->z->origin)) {
            if (records_add_name(&l->records, names[i].owner, i))
                return ERR_NOMEM;
            continue;
        }
        dns_name_print(names[i].owner, owner);
        diag_add(diags, DIAG_ERROR, &(struct diag_at){.file = names[i].file, .line = names[i].line},
                 "%s is steered and outside the zone", owner);
    }
    return 0;
}

static void take_soa(struct zone *z)
{
    struct dns_rrset soa;
    if (!zone_node_get(z, zone_apex(z), DNS_TYPE_SOA, 0, &soa) || soa.size < 22)
        return;
    const uint8_t *end = soa.rdata + soa.size;
    if (soa.count > 1)
        end = soa.rdata + 2 + get_u16(soa.rdata);
    z->serial = get_u32(end - 20);
    uint32_t minimum = get_u32(end - 4);
    z->negative_ttl = minimum < soa.ttl ? minimum : soa.ttl; /* RFC 2308 5 */
}

static void zone_free(struct part *p)
{
    struct zone *z = (struct zone *)(void *)p;
    block_free(&z->room);
    block_free(&z->table);
    block_free(&z->marks);
    free(z->dynamic);
    free(z->dynamic_types);
    free(z->plain_soa);
    free(z->plain_soa_alone);
    denial_free(z);
    free(z);
}

static size_t text_size(const char *path)
{
    struct stat st;
    return stat(path, &st) || st.st_size < 0 ? 0 : (size_t)st.st_size;
}

static int zone_build(struct zone **out, const uint8_t *origin, const char *name, const char *text,
                      size_t len, const struct dynamic_name *dynamic, unsigned dynamic_count,
                      struct diag_list *diags)
{
    struct load l = {.z = calloc(1, sizeof *l.z)};
    struct zone *z = l.z;
    struct zonefile_options o = {.origin = origin, .default_ttl = UINT32_MAX, .include_depth = 8};
    unsigned errors = diags->errors;
    if (!z)
        return ERR_NOMEM;
    part_init(&z->part, zone_free);
    z->origin_len = (uint8_t)dns_name_lower(z->origin, origin);
    z->labels = (uint8_t)dns_name_labels(origin);
    records_init(&l.records, z->origin, text ? len : text_size(name));
    int err = text ? zonefile_read_mem(name, text, len, &o, on_record, &l, diags)
                   : zonefile_read(name, &o, on_record, &l, diags);
    if (!err && diags->errors > errors)
        err = ERR_INVALID;
    err = err ? err : take_names(&l, dynamic, dynamic_count, diags);
    if (!err) {
        records_sort(&l.records);
        err = zone_fill(z, &l.records, dynamic, dynamic_count, diags);
    }
    if (!err) {
        take_soa(z);
        err = plain_build(z);
        err = err ? err : denial_build(z);
    }
    if (!err) {
        z->bytes = z->room.size + z->table.size + z->marks.size +
                   z->nsec3_count * sizeof *z->nsec3 + dynamic_count * sizeof *z->dynamic;
        err = zone_check(z, name, &l.records, dynamic, diags) && diags->errors == errors
                  ? 0
                  : ERR_INVALID;
    }
    records_fini(&l.records);
    if (err) {
        part_unref(&z->part);
        return err;
    }
    *out = z;
    return 0;
}

int zone_load(struct zone **z, const uint8_t *origin, const char *path,
              const struct dynamic_name *dynamic, unsigned dynamic_count, struct diag_list *diags)
{
    return zone_build(z, origin, path, NULL, 0, dynamic, dynamic_count, diags);
}

int zone_load_mem(struct zone **z, const uint8_t *origin, const char *name, const char *text,
                  size_t len, const struct dynamic_name *dynamic, unsigned dynamic_count,
                  struct diag_list *diags)
{
    return zone_build(z, origin, name, text, len, dynamic, dynamic_count, diags);
}

/* ---- reading it ---- */

uint32_t zone_hash(const uint8_t *name, size_t len)
{
    return (uint32_t)dns_name_hash_len(name, len, HASH_SEED);
}

/* The node with this name, or (NULL) the first whose tag fits. */
static inline const struct zone_node *look(const struct zone *z, const uint8_t *name, size_t len,
                                           uint32_t hash)
{
    uint32_t tag = hash << z->place_bits, places = (1u << z->place_bits) - 1;
    for (uint32_t home = zone_home(z, hash);; home = zone_home_next(z, home)) {
        const uint32_t *bucket = zone_bucket(z, home);
        for (unsigned i = home, end = home + ZONE_BUCKET; i < end; i++) {
            uint32_t slot = bucket[i % ZONE_BUCKET];
            if (!slot)
                return NULL;
            if ((slot ^ tag) > places)
                continue;
            const struct zone_node *n = zone_at(z, slot & places);
            if (!name || (n->name_len == len && dns_name_equal_len(n->name, name, len)))
                return n;
        }
    }
}

void zone_ahead(const struct zone *z, uint32_t hash)
{
    __builtin_prefetch(zone_bucket(z, zone_home(z, hash)));
}

const struct zone_node *zone_near(const struct zone *z, uint32_t hash)
{
    const struct zone_node *n = look(z, NULL, 0, hash);
    if (n) {
        __builtin_prefetch(n);
        __builtin_prefetch((const uint8_t *)n + 63);
    }
    return n;
}

const struct zone_node *zone_find(const struct zone *z, const uint8_t *name)
{
    size_t len = dns_name_len(name);
    return look(z, name, len, zone_hash(name, len));
}

const struct zone_node *zone_find_hash(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash)
{
    return look(z, name, len, hash);
}

const struct zone_node *zone_find_near(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash, const struct zone_node *near)
{
    if (!near || (near->name_len == len && dns_name_equal_len(near->name, name, len)))
        return near;
    return look(z, name, len, hash);
}

const struct zone_node *zone_encloser(const struct zone *z, const uint8_t *name)
{
    const struct zone_node *n;
    while (!(n = zone_find(z, name)) && *name)
        name = dns_name_parent(name);
    return n;
}

const struct zone_node *zone_wild(const struct zone *z, const struct zone_node *n)
{
    uint8_t name[2 + DNS_NAME_MAX];
    memcpy(name, "\1*", 2);
    memcpy(name + 2, n->name, n->name_len);
    return zone_find(z, name);
}

const struct zone_node *zone_next(const struct zone *z, const struct zone_node *n)
{
    struct zone_sets s = zone_sets(n);
    while (s.left)
        zone_sets_skip(&s);
    size_t at = ((size_t)(s.at - z->room.at) + ZONE_STEP - 1) & ~(size_t)(ZONE_STEP - 1);
    return at < z->end ? (const struct zone_node *)(const void *)(z->room.at + at) : NULL;
}

const struct zone_node *zone_previous(const struct zone *z, const uint8_t *name, uint16_t type)
{
    const uint32_t *marks = (const uint32_t *)(const void *)z->marks.at;
    uint32_t low = 0, high = (z->node_count + ZONE_MARK - 1) / ZONE_MARK;
    const struct zone_node *found = NULL;
    struct dns_rrset set;
    while (low < high) { /* first mark after name */
        uint32_t mid = low + (high - low) / 2;
        if (dns_name_cmp(zone_at(z, marks[mid])->name, name) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (bool last = true; low-- && !found; last = false) {
        const struct zone_node *n = zone_at(z, marks[low]);
        for (unsigned i = 0; n && i < ZONE_MARK; i++, n = zone_next(z, n)) {
            if (last && dns_name_cmp(n->name, name) > 0)
                break;
            if (zone_node_get(z, n, type, 0, &set))
                found = n;
        }
    }
    return found;
}

static inline void take_set(const struct zone_node *n, const struct zone_set *s,
                            struct dns_rrset *set)
{
    uint32_t size;
    const uint8_t *rdata = zone_set_rdata((const uint8_t *)s, &size);
    *set = (struct dns_rrset){.owner = n->name,
                              .rdata = rdata,
                              .size = size,
                              .ttl = zone_set_ttl(s),
                              .type = s->type,
                              .cls = DNS_CLASS_IN,
                              .count = s->count};
    if (s->type == DNS_TYPE_RRSIG && size >= 4)
        set->covers = get_u16(rdata + 2);
}

bool zone_sets_next(struct zone_sets *s, struct dns_rrset *set)
{
    if (!s->left)
        return false;
    take_set(s->node, (const struct zone_set *)(const void *)s->at, set);
    zone_sets_skip(s);
    return true;
}

bool zone_node_get(const struct zone *z, const struct zone_node *n, uint16_t type, uint16_t covers,
                   struct dns_rrset *set)
{
    (void)z;
    for (struct zone_sets s = zone_sets(n); s.left; zone_sets_skip(&s)) {
        const struct zone_set *at = (const struct zone_set *)(const void *)s.at;
        if (at->type != type)
            continue;
        take_set(n, at, set);
        if (set->covers == covers)
            return true;
    }
    return false;
}

struct part *zone_part(struct zone *z)
{
    return &z->part;
}

uint32_t zone_serial(const struct zone *z)
{
    return z->serial;
}

static bool same_dynamic(const struct zone *a, const struct zone *b)
{
    if (a->dynamic_count != b->dynamic_count)
        return false;
    for (uint32_t i = 0; i < a->dynamic_count; i++) {
        const struct zone_dynamic *d = &a->dynamic[i], *e = &b->dynamic[i];
        if (d->node != e->node || d->id != e->id || d->alias != e->alias ||
            d->type_count != e->type_count ||
            (d->type_count && memcmp(d->types, e->types, d->type_count * sizeof *d->types) != 0))
            return false;
    }
    return true;
}

/* Equal zones are equal octets, but for what they have from their steered names. */
bool zone_same(const struct zone *a, const struct zone *b)
{
    return a->end == b->end && !memcmp(a->room.at, b->room.at, a->end) && same_dynamic(a, b);
}

struct zone_size zone_size(const struct zone *z)
{
    return (struct zone_size){z->records, z->node_count, z->bytes};
}
