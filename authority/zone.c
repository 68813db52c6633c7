#include "denial_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "dns/name.h"
#include "dns/type.h"
#include "dns/zonefile.h"

#include <stdlib.h>
#include <sys/stat.h>

#define ZONE_CHUNK     (256u << 10)
#define ZONE_CHUNK_MIN 1024u
#define HASH_SEED      0x77617970UL

struct build {
    struct zone *z;
    const char *file;
    struct diag_list *diags;
    const struct dynamic_name *names; /* steered */
    unsigned name_count;
    struct zone_raw *raw;
    size_t count, cap;
    struct zone_places places;
    const uint8_t *last_name; /* owners often repeat */
    const uint8_t *last_key;
    uint16_t last_key_len;
};

/* ---- reading ---- */

/* Labels from the root, lower case, 0 after each; 0 and 1 inside a label are escaped so that memcmp
 * is canonical order. */
static uint16_t make_key(const uint8_t *lower, uint8_t *key)
{
    uint8_t offsets[DNS_LABELS_MAX + 1];
    unsigned n = dns_name_offsets(lower, offsets);
    uint16_t len = 0;
    while (n--) {
        const uint8_t *label = lower + offsets[n];
        for (unsigned i = 1; i <= *label; i++) {
            if (label[i] <= 1)
                key[len++] = 1;
            key[len++] = label[i] <= 1 ? (uint8_t)(label[i] + 1) : label[i];
        }
        key[len++] = 0;
    }
    return len;
}

static int take_owner(struct build *b, const uint8_t *owner)
{
    if (b->last_name && dns_name_equal(b->last_name, owner))
        return 0;
    uint8_t lower[DNS_NAME_MAX], key[2 * DNS_NAME_MAX];
    size_t n = dns_name_lower(lower, owner);
    b->last_key_len = make_key(lower, key);
    b->last_name = arena_dup(&b->z->arena, lower, n);
    b->last_key = arena_dup(&b->z->arena, key, b->last_key_len);
    return b->last_name && b->last_key ? 0 : ERR_NOMEM;
}

static void complain(struct build *b, const struct zone_raw *raw, enum diag_level level,
                     const char *what)
{
    char owner[DNS_NAME_TEXT_MAX];
    dns_name_print(raw->name, owner);
    diag_add(b->diags, level,
             &(struct diag_at){.file = b->places.files[raw->file], .line = raw->line}, "%s: %s",
             owner, what);
}

/* Records of one file come together; there are few files. ERR_NOMEM. */
static int take_file(struct build *b, const char *file, uint32_t *index)
{
    struct zone_places *p = &b->places;
    for (uint32_t i = p->file_count; i--;)
        if (!strcmp(p->files[i], file)) {
            *index = i;
            return 0;
        }
    const char **files = realloc(p->files, (p->file_count + 1) * sizeof *files);
    if (files)
        p->files = files;
    if (!files || !(files[p->file_count] = arena_strdup(&b->z->arena, file)))
        return ERR_NOMEM;
    *index = p->file_count++;
    return 0;
}

static int grow_raw(struct build *b)
{
    if (b->count < b->cap)
        return 0;
    size_t cap = b->cap ? b->cap * 2 : 64;
    struct zone_raw *raw = realloc(b->raw, cap * sizeof *raw);
    if (!raw)
        return ERR_NOMEM;
    b->raw = raw;
    b->cap = cap;
    return 0;
}

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    struct build *b = arg;
    if (rr->cls != DNS_CLASS_IN || !dns_name_is_sub(rr->owner, b->z->origin)) {
        char owner[DNS_NAME_TEXT_MAX], what[sizeof owner + 32];
        dns_name_print(rr->owner, owner);
        snprintf(what, sizeof what, "%s: %s", owner,
                 rr->cls != DNS_CLASS_IN ? "only class IN is served" : "is outside the zone");
        return zonefile_complain(rr, what);
    }
    uint32_t file;
    if (grow_raw(b) || take_owner(b, rr->owner) || take_file(b, rr->file, &file))
        return ERR_NOMEM;
    struct zone_raw *r = &b->raw[b->count];
    *r = (struct zone_raw){.name = b->last_name,
                           .key = b->last_key,
                           .key_len = b->last_key_len,
                           .ttl = rr->ttl,
                           .order = (uint32_t)b->count,
                           .type = rr->type,
                           .rdlen = rr->rdlen,
                           .line = rr->line,
                           .file = file,
                           .rdata = arena_dup(&b->z->arena, rr->rdata, rr->rdlen)};
    if (!r->rdata)
        return ERR_NOMEM;
    if (rr->type == DNS_TYPE_RRSIG && rr->rdlen >= 2)
        r->covers = get_u16(rr->rdata);
    b->count++;
    return 0;
}

static void complain_name(struct build *b, const struct dynamic_name *name, const char *what)
{
    char owner[DNS_NAME_TEXT_MAX];
    dns_name_print(name->owner, owner);
    diag_add(b->diags, DIAG_ERROR, &(struct diag_at){.file = name->file, .line = name->line},
             "%s %s", owner, what);
}

/* Steered names stand among the records, so that they are nodes with or without any. */
static int take_names(struct build *b)
{
    for (unsigned i = 0; i < b->name_count; i++) {
        const struct dynamic_name *name = &b->names[i];
        if (!dns_name_is_sub(name->owner, b->z->origin)) {
            complain_name(b, name, "is steered and outside the zone");
            continue;
        }
        if (grow_raw(b) || take_owner(b, name->owner))
            return ERR_NOMEM;
        b->raw[b->count] = (struct zone_raw){.name = b->last_name,
                                             .key = b->last_key,
                                             .key_len = b->last_key_len,
                                             .order = (uint32_t)b->count,
                                             .covers = UINT16_MAX, /* no record's */
                                             .line = i};
        b->count++;
    }
    return 0;
}

/* ---- building ---- */

static int raw_cmp(const void *pa, const void *pb)
{
    const struct zone_raw *a = pa, *b = pb;
    if (a->key != b->key) {
        size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
        int d = memcmp(a->key, b->key, n);
        if (d)
            return d;
        if (a->key_len != b->key_len)
            return a->key_len < b->key_len ? -1 : 1;
    }
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->covers != b->covers)
        return a->covers < b->covers ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static bool same_set(const struct zone_raw *a, const struct zone_raw *b)
{
    return a->key_len == b->key_len && a->type == b->type && a->covers == b->covers &&
           (a->key == b->key || !memcmp(a->key, b->key, a->key_len));
}

static bool is_twin(const struct zone_raw *first, const struct zone_raw *r)
{
    for (; first < r; first++)
        if (first->rdlen == r->rdlen && !memcmp(first->rdata, r->rdata, r->rdlen))
            return true;
    return false;
}

/* Records first..end-1 become one set. */
static int build_set(struct build *b, size_t first, size_t end)
{
    struct zone_set *s = &b->z->sets[b->z->set_count];
    const struct zone_raw *raw = b->raw;
    size_t size = 0;
    for (size_t i = first; i < end; i++)
        size += 2u + raw[i].rdlen;
    uint8_t *p = arena_alloc(&b->z->arena, size);
    if (!p)
        return ERR_NOMEM;
    *s = (struct zone_set){
        .rdata = p, .ttl = raw[first].ttl, .type = raw[first].type, .covers = raw[first].covers};
    b->places.at[b->z->set_count] = (struct zone_place){raw[first].file, raw[first].line};
    if (end - first > UINT16_MAX) {
        complain(b, &raw[first], DIAG_ERROR, "more records in a set than an answer can have");
        end = first + 1;
    }
    for (size_t i = first; i < end; i++) {
        if (end - first <= 256 && is_twin(&raw[first], &raw[i]))
            continue; /* RFC 2181 5: a set has no duplicates */
        if (raw[i].ttl != s->ttl) {
            complain(b, &raw[i], DIAG_WARNING,
                     "records of one set have different TTLs, the lowest is used");
            s->ttl = raw[i].ttl < s->ttl ? raw[i].ttl : s->ttl;
        }
        put_u16(p, raw[i].rdlen);
        memcpy(p + 2, raw[i].rdata, raw[i].rdlen);
        p += 2 + raw[i].rdlen;
        s->count++;
    }
    s->size = (uint32_t)(p - s->rdata);
    b->z->records += s->count;
    b->z->set_count++;
    return 0;
}

static struct zone_node *push_node(struct zone *z, uint32_t *cap, const uint8_t *name)
{
    if (z->node_count == *cap) {
        uint32_t more = *cap ? *cap * 2 : 64;
        struct zone_node *nodes = realloc(z->nodes, more * sizeof *nodes);
        if (!nodes)
            return NULL;
        z->nodes = nodes;
        *cap = more;
    }
    struct zone_node *n = &z->nodes[z->node_count++];
    *n = (struct zone_node){.name = name,
                            .labels = (uint8_t)dns_name_labels(name),
                            .name_len = (uint8_t)dns_name_len(name),
                            .first_set = z->set_count};
    return n;
}

/* The ancestors of `name` that have no records of their own; canonical order puts them right before
 * it. */
static int push_ents(struct zone *z, uint32_t *cap, const uint8_t *name)
{
    unsigned labels = dns_name_labels(name);
    unsigned have = z->node_count ? dns_name_common(z->nodes[z->node_count - 1].name, name) : 0;
    if (have < z->labels)
        have = z->labels;
    for (unsigned n = have + 1; n < labels; n++)
        if (!push_node(z, cap, dns_name_suffix(name, n)))
            return ERR_NOMEM;
    return 0;
}

/* The last node is this steered name's. */
static int build_dynamic(struct build *b, const struct dynamic_name *name)
{
    struct zone *z = b->z;
    struct zone_node *n = &z->nodes[z->node_count - 1];
    struct zone_dynamic *d = &z->dynamic[z->dynamic_count];
    if (n->dynamic) {
        complain_name(b, name, "is steered twice");
        return 0;
    }
    n->dynamic = name->id + 1;
    *d = (struct zone_dynamic){.node = z->node_count - 1,
                               .id = name->id,
                               .alias = name->alias,
                               .type_count = name->type_count};
    if (name->type_count &&
        !(d->types = arena_dup(&z->arena, name->types, name->type_count * sizeof *name->types)))
        return ERR_NOMEM;
    b->places.dynamic[z->dynamic_count++] = (uint32_t)(name - b->names);
    return 0;
}

static int build_nodes(struct build *b)
{
    struct zone *z = b->z;
    uint32_t cap = 0;
    z->sets = malloc((b->count + 1) * sizeof *z->sets);
    b->places.at = malloc((b->count + 1) * sizeof *b->places.at);
    if (b->name_count) {
        z->dynamic = malloc(b->name_count * sizeof *z->dynamic);
        b->places.dynamic = malloc(b->name_count * sizeof *b->places.dynamic);
    }
    /* The apex is always there, also when a check will refuse the zone. */
    if (!z->sets || !b->places.at || (b->name_count && (!z->dynamic || !b->places.dynamic)) ||
        (!b->count || b->raw[0].key_len != make_key(z->origin, (uint8_t[2 * DNS_NAME_MAX]){0})
             ? !push_node(z, &cap, z->origin)
             : false))
        return ERR_NOMEM;
    for (size_t i = 0; i < b->count;) {
        if (push_ents(z, &cap, b->raw[i].name))
            return ERR_NOMEM;
        struct zone_node *n = push_node(z, &cap, b->raw[i].name);
        if (!n)
            return ERR_NOMEM;
        uint16_t len = b->raw[i].key_len;
        const uint8_t *key = b->raw[i].key;
        while (i < b->count && b->raw[i].key_len == len && !memcmp(b->raw[i].key, key, len)) {
            size_t end = i + 1;
            if (!b->raw[i].rdata) {
                if (build_dynamic(b, &b->names[b->raw[i].line]))
                    return ERR_NOMEM;
                i = end;
                continue;
            }
            while (end < b->count && same_set(&b->raw[i], &b->raw[end]))
                end++;
            if (build_set(b, i, end))
                return ERR_NOMEM;
            z->nodes[z->node_count - 1].set_count++;
            i = end;
        }
    }
    return 0;
}

static int build_table(struct zone *z)
{
    uint32_t slots = 16;
    while (slots < z->node_count * 2)
        slots *= 2;
    z->table = calloc(slots, sizeof *z->table);
    if (!z->table)
        return ERR_NOMEM;
    z->table_mask = slots - 1;
    for (uint32_t i = 0; i < z->node_count; i++) {
        z->nodes[i].hash = zone_hash(z->nodes[i].name, z->nodes[i].name_len);
        uint32_t slot = z->nodes[i].hash & z->table_mask;
        while (z->table[slot])
            slot = (slot + 1) & z->table_mask;
        z->table[slot] = i + 1;
    }
    return 0;
}

/* Delegations and DNAMEs reach down; canonical order visits parents first. */
static void build_reach(struct zone *z)
{
    struct dns_rrset set;
    for (uint32_t i = 0; i < z->node_count; i++) {
        struct zone_node *n = &z->nodes[i];
        if (i) {
            struct zone_node *up =
                (struct zone_node *)(uintptr_t)zone_find(z, dns_name_parent(n->name));
            n->cut = up->cut;
            n->dname =
                zone_node_get(z, up, DNS_TYPE_DNAME, 0, &set) ? zone_index(z, up) + 1 : up->dname;
            if (dns_name_is_wild(n->name))
                up->has_wild = true;
            if (!n->cut && zone_node_get(z, n, DNS_TYPE_NS, 0, &set))
                n->cut = i + 1;
        }
    }
}

static void take_soa(struct zone *z)
{
    struct dns_rrset soa;
    if (!z->node_count || !zone_node_get(z, &z->nodes[0], DNS_TYPE_SOA, 0, &soa) || soa.size < 22)
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
    arena_fini(&z->arena);
    free(z->nodes);
    free(z->sets);
    free(z->table);
    free(z->dynamic);
    denial_free(z);
    free(z);
}

/* Names and data take about as much as their text: a server of many small zones holds no more. */
static size_t chunk_of(const char *path, const char *text, size_t len)
{
    struct stat st;
    size_t chunk = ZONE_CHUNK_MIN, want = len;
    if (!text)
        want = stat(path, &st) || st.st_size < 0 ? 0 : (size_t)st.st_size;
    while (chunk < want && chunk < ZONE_CHUNK)
        chunk *= 2;
    return chunk;
}

static int zone_build(struct zone **out, const uint8_t *origin, const char *name, const char *text,
                      size_t len, const struct dynamic_name *dynamic, unsigned dynamic_count,
                      struct diag_list *diags)
{
    struct build b = {.z = calloc(1, sizeof *b.z),
                      .file = name,
                      .diags = diags,
                      .names = dynamic,
                      .name_count = dynamic_count,
                      .places.names = dynamic};
    struct zonefile_options o = {.origin = origin, .default_ttl = UINT32_MAX, .include_depth = 8};
    unsigned errors = diags->errors;
    if (!b.z)
        return ERR_NOMEM;
    part_init(&b.z->part, zone_free);
    arena_init(&b.z->arena, chunk_of(name, text, len), 0);
    b.z->origin_len = (uint8_t)dns_name_lower(b.z->origin, origin);
    b.z->labels = (uint8_t)dns_name_labels(origin);
    int err = text ? zonefile_read_mem(name, text, len, &o, on_record, &b, diags)
                   : zonefile_read(name, &o, on_record, &b, diags);
    if (!err && diags->errors > errors)
        err = ERR_INVALID;
    err = err ? err : take_names(&b);
    if (!err && b.count)
        qsort(b.raw, b.count, sizeof *b.raw, raw_cmp);
    err = err ? err : build_nodes(&b);
    err = err ? err : build_table(b.z);
    free(b.raw);
    if (!err) {
        build_reach(b.z);
        take_soa(b.z);
        err = plain_build(b.z);
        err = err ? err : denial_build(b.z);
    }
    if (!err) {
        b.z->bytes = b.z->arena.used + b.z->node_count * sizeof(struct zone_node) +
                     b.z->set_count * sizeof(struct zone_set) +
                     (b.z->table_mask + 1ull) * sizeof(uint32_t) +
                     b.z->nsec3_count * sizeof *b.z->nsec3 + dynamic_count * sizeof *b.z->dynamic;
        err = zone_check(b.z, name, &b.places, diags) && diags->errors == errors ? 0 : ERR_INVALID;
    }
    free(b.places.files);
    free(b.places.at);
    free(b.places.dynamic);
    if (err) {
        part_unref(&b.z->part);
        return err;
    }
    *out = b.z;
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

const struct zone_node *zone_ahead(const struct zone *z, uint32_t hash, unsigned step)
{
    const uint32_t *place = &z->table[hash & z->table_mask];
    if (step == 0) {
        __builtin_prefetch(place);
        return NULL;
    }
    if (!*place)
        return NULL;
    const struct zone_node *n = &z->nodes[*place - 1];
    if (step == 1) {
        __builtin_prefetch(n);
        return NULL;
    }
    if (step == 2) {
        __builtin_prefetch(n->name);
        __builtin_prefetch(z->sets + n->first_set);
    } else if (n->set_count) {
        __builtin_prefetch(z->sets[n->first_set].rdata);
    }
    return n;
}

const struct zone_node *zone_find(const struct zone *z, const uint8_t *name)
{
    size_t len = dns_name_len(name);
    return zone_find_hash(z, name, len, zone_hash(name, len));
}

const struct zone_node *zone_find_hash(const struct zone *z, const uint8_t *name, size_t len,
                                       uint32_t hash)
{
    for (uint32_t slot = hash & z->table_mask; z->table[slot]; slot = (slot + 1) & z->table_mask) {
        const struct zone_node *n = &z->nodes[z->table[slot] - 1];
        if (n->hash == hash && n->name_len == len && dns_name_equal_len(n->name, name, len))
            return n;
    }
    return NULL;
}

const struct zone_node *zone_encloser(const struct zone *z, const uint8_t *name)
{
    const struct zone_node *n;
    while (!(n = zone_find(z, name)) && *name)
        name = dns_name_parent(name);
    return n;
}

const struct zone_node *zone_previous(const struct zone *z, const uint8_t *name, uint16_t type)
{
    uint32_t low = 0, high = z->node_count;
    struct dns_rrset set;
    while (low < high) { /* first node after name */
        uint32_t mid = low + (high - low) / 2;
        if (dns_name_cmp(z->nodes[mid].name, name) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    while (low--)
        if (zone_node_get(z, &z->nodes[low], type, 0, &set))
            return &z->nodes[low];
    return NULL;
}

uint32_t zone_index(const struct zone *z, const struct zone_node *n)
{
    return (uint32_t)(n - z->nodes);
}

bool zone_node_get(const struct zone *z, const struct zone_node *n, uint16_t type, uint16_t covers,
                   struct dns_rrset *set)
{
    for (const struct zone_set *s = z->sets + n->first_set, *e = s + n->set_count; s < e; s++)
        if (s->type == type && s->covers == covers) {
            *set = (struct dns_rrset){.owner = n->name,
                                      .rdata = s->rdata,
                                      .size = s->size,
                                      .ttl = s->ttl,
                                      .type = type,
                                      .cls = DNS_CLASS_IN,
                                      .count = s->count,
                                      .covers = covers};
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

bool zone_same(const struct zone *a, const struct zone *b)
{
    if (a->node_count != b->node_count || a->set_count != b->set_count ||
        a->records != b->records || !dns_name_equal(a->origin, b->origin))
        return false;
    for (uint32_t i = 0; i < a->node_count; i++)
        if (a->nodes[i].set_count != b->nodes[i].set_count ||
            !dns_name_equal(a->nodes[i].name, b->nodes[i].name))
            return false;
    for (uint32_t i = 0; i < a->set_count; i++) {
        const struct zone_set *s = &a->sets[i], *t = &b->sets[i];
        if (s->type != t->type || s->covers != t->covers || s->ttl != t->ttl ||
            s->size != t->size || memcmp(s->rdata, t->rdata, s->size) != 0)
            return false;
    }
    return same_dynamic(a, b); /* of equal nodes */
}

struct zone_size zone_size(const struct zone *z)
{
    return (struct zone_size){z->records, z->node_count, z->bytes};
}
