/* authority/zone_build.c: records in canonical order become nodes, one after the other. What a node
 * has from those above it is at hand: canonical order visits parents first. */
#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"
#include "records_priv.h"
#include "zone_priv.h"

#include <stdlib.h>

#define AHEAD     16 /* runs or names whose memory is asked for */
#define TWINS_MAX 256

struct item {
    const struct record *rec;
};

struct build {
    struct zone *z;
    const struct records *r;
    const struct dynamic_name *names;
    struct diag_list *diags;
    bool nsec3;    /* each node may have a place in the chain */
    uint32_t last; /* place of the last node, 0 none */
    struct {
        uint32_t place, cut, dname; /* dname: for what lies below */
    } path[DNS_LABELS_MAX + 1];     /* by label count: the last node and those above it */
    struct item *list;              /* the records of the node */
    size_t list_count, list_cap;
    uint16_t *types; /* room for those of the next steered name */
};

static void complain(const struct build *b, const uint8_t *name, const struct record *rec,
                     enum diag_level level, const char *what)
{
    char owner[DNS_NAME_TEXT_MAX];
    dns_name_print(name, owner);
    diag_add(b->diags, level, &(struct diag_at){.file = records_file(b->r, rec), .line = rec->line},
             "%s: %s", owner, what);
}

/* ---- sets ---- */

static bool is_twin(const struct item *first, const struct item *item)
{
    const struct record *rec = item->rec;
    for (; first < item; first++)
        if (first->rec->rdlen == rec->rdlen && !memcmp(first->rec->rdata, rec->rdata, rec->rdlen))
            return true;
    return false;
}

/* RDATA of n records to `to`; its end. *ttl is the lowest. */
static uint8_t *put_rdata(const struct build *b, const uint8_t *name, const struct item *list,
                          size_t n, uint8_t *to, uint32_t *ttl, uint16_t *count)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *rec = list[i].rec;
        if (n <= TWINS_MAX && is_twin(list, &list[i]))
            continue; /* RFC 2181 5: a set has no duplicates */
        if (rec->ttl != *ttl) {
            complain(b, name, rec, DIAG_WARNING,
                     "records of one set have different TTLs, the lowest is used");
            *ttl = rec->ttl < *ttl ? rec->ttl : *ttl;
        }
        put_u16(to, rec->rdlen);
        memcpy(to + 2, rec->rdata, rec->rdlen);
        to += 2u + rec->rdlen;
        ++*count;
    }
    return to;
}

/* n records become one set of the last node; there is room. */
static void build_set(struct build *b, const uint8_t *name, const struct item *list, size_t n)
{
    struct zone *z = b->z;
    struct zone_set *s = (struct zone_set *)(void *)(z->room.at + z->end);
    uint32_t ttl = list[0].rec->ttl;
    if (n > UINT16_MAX) {
        complain(b, name, list[0].rec, DIAG_ERROR, "more records in a set than an answer can have");
        n = 1;
    }
    uint8_t *start = (uint8_t *)(s + 1), *rdata = n == 1 ? start : start + sizeof(uint32_t);
    *s = (struct zone_set){.type = list[0].rec->type};
    b->z->has_signatures |= s->type == DNS_TYPE_RRSIG;
    uint8_t *end = put_rdata(b, name, list, n, rdata, &ttl, &s->count);
    uint32_t size = (uint32_t)(end - rdata);
    memcpy(s->ttl, &ttl, sizeof ttl);
    if (n > 1 && s->count == 1) { /* all but one were twins */
        memmove(start, rdata, size);
        end = start + size;
    } else if (n > 1) {
        memcpy(start, &size, sizeof size);
    }
    if ((end - start) % 2)
        *end++ = 0;
    z->end = (size_t)(end - z->room.at);
    z->records += s->count;
    zone_at(z, b->last)->set_count++;
}

/* By type; those covered by signatures; as in the file. */
static int record_cmp(const void *pa, const void *pb)
{
    const struct record *a = ((const struct item *)pa)->rec, *b = ((const struct item *)pb)->rec;
    uint16_t x = records_covers(a), y = records_covers(b);
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (x != y)
        return x < y ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void build_sets(struct build *b, const uint8_t *name)
{
    for (size_t i = 0, end; i < b->list_count; i = end) {
        const struct record *first = b->list[i].rec;
        for (end = i + 1; end < b->list_count && b->list[end].rec->type == first->type &&
                          records_covers(b->list[end].rec) == records_covers(first);)
            end++;
        if (first->type != RECORDS_STEERED)
            build_set(b, name, &b->list[i], end - i);
    }
}

/* ---- nodes ---- */

/* All pads are 0, so that equal zones are equal octets. */
static void pad(struct zone *z, size_t align)
{
    while (z->end % align)
        z->room.at[z->end++] = 0;
}

/* The parent is the last node of its depth. There is room. */
static void push_node(struct build *b, const uint8_t *name, bool delegates, uint32_t dynamic)
{
    struct zone *z = b->z;
    unsigned labels = dns_name_labels(name);
    size_t len = dns_name_len(name);
    pad(z, ZONE_STEP);
    struct zone_node *n = (struct zone_node *)(void *)(z->room.at + z->end);
    uint32_t place = zone_place(z, n);
    struct zone_reach reach = {.dynamic = dynamic};
    if (labels > z->labels) {
        reach.cut = b->path[labels - 1].cut;
        reach.dname = b->path[labels - 1].dname;
        if (!reach.cut && delegates)
            reach.cut = place;
        if (dns_name_is_wild(name))
            zone_at(z, b->path[labels - 1].place)->has_wild = true;
    }
    *n = (struct zone_node){.name_len = (uint8_t)len,
                            .has_reach = reach.cut || reach.dname || dynamic || b->nsec3};
    memcpy(n->name, name, len);
    z->end += sizeof *n + len;
    if (n->has_reach) {
        pad(z, ZONE_STEP);
        memcpy(z->room.at + z->end, &reach, sizeof reach);
        z->end += sizeof reach;
    }
    pad(z, 2);
    if (z->node_count++ % ZONE_MARK == 0)
        memcpy(z->marks.at + (z->node_count - 1) / ZONE_MARK * sizeof place, &place, sizeof place);
    b->path[labels].place = b->last = place;
    b->path[labels].cut = reach.cut;
    b->path[labels].dname = reach.dname;
}

/* For one node with `data` octets of sets; nodes move. */
static int make_room(struct zone *z, size_t data)
{
    size_t need =
        z->end + sizeof(struct zone_node) + DNS_NAME_MAX + sizeof(struct zone_reach) + data + 16;
    if (need > ((size_t)1 << 31) * ZONE_STEP)
        return ERR_NOMEM;
    return block_reserve(&z->room, need) ||
                   block_reserve(&z->marks, (z->node_count / ZONE_MARK + 1) * sizeof(uint32_t))
               ? ERR_NOMEM
               : 0;
}

/* The ancestors of `name` that have no records of their own; canonical order puts them right before
 * it. */
static int push_ents(struct build *b, const uint8_t *name)
{
    struct zone *z = b->z;
    unsigned labels = dns_name_labels(name);
    if (labels <= z->labels + 1u)
        return 0;
    unsigned have = dns_name_common(zone_at(z, b->last)->name, name);
    for (unsigned n = have + 1; n < labels; n++) {
        if (make_room(z, 0))
            return ERR_NOMEM;
        push_node(b, dns_name_suffix(name, n), false, 0);
    }
    return 0;
}

static int grow_list(struct build *b, size_t count)
{
    size_t need = b->list_count + count;
    if (need <= b->list_cap)
        return 0;
    struct item *list = realloc(b->list, 2 * need * sizeof *list);
    if (!list)
        return ERR_NOMEM;
    b->list = list;
    b->list_cap = 2 * need;
    return 0;
}

/* The records of run `first` and those after it under the same name, in order; how many runs. */
static int gather(struct build *b, uint32_t first)
{
    const uint8_t *name = records_owner(b->r, records_run(b->r, first));
    uint32_t i = first;
    b->list_count = 0;
    do {
        const struct run *run = records_run(b->r, i);
        const struct record *rec = records_first(b->r, run);
        if (grow_list(b, run->count))
            return ERR_NOMEM;
        for (uint32_t k = 0; k < run->count; k++, rec = records_next(rec))
            b->list[b->list_count++].rec = rec;
        i++;
    } while (i < b->r->run_count &&
             dns_name_equal(records_owner(b->r, records_run(b->r, i)), name));
    if (b->list_count > 1)
        qsort(b->list, b->list_count, sizeof *b->list, record_cmp);
    return (int)(i - first);
}

static bool list_has(const struct build *b, uint16_t type)
{
    for (size_t i = 0; i < b->list_count; i++)
        if (b->list[i].rec->type == type)
            return true;
    return false;
}

/* The list begins with this name; the last node is its. */
static void build_dynamic(struct build *b, const struct dynamic_name *name)
{
    struct zone *z = b->z;
    struct zone_dynamic *d = &z->dynamic[z->dynamic_count];
    for (size_t i = 1; i < b->list_count && b->list[i].rec->type == RECORDS_STEERED; i++) {
        const struct dynamic_name *twin = &b->names[b->list[i].rec->line];
        char owner[DNS_NAME_TEXT_MAX];
        dns_name_print(twin->owner, owner);
        diag_add(b->diags, DIAG_ERROR, &(struct diag_at){.file = twin->file, .line = twin->line},
                 "%s is steered twice", owner);
    }
    *d = (struct zone_dynamic){.id = name->id,
                               .node = b->last,
                               .alias = name->alias,
                               .types = b->types,
                               .type_count = name->type_count};
    if (name->type_count)
        memcpy(b->types, name->types, name->type_count * sizeof *b->types);
    b->types += name->type_count;
    z->dynamic_count++;
}

/* What is in the list becomes a node. */
static int build_node(struct build *b, const uint8_t *name)
{
    struct zone *z = b->z;
    const struct dynamic_name *dynamic = NULL;
    size_t data = 0;
    for (size_t i = 0; i < b->list_count; i++) {
        const struct record *rec = b->list[i].rec;
        if (rec->type == RECORDS_STEERED && !dynamic)
            dynamic = &b->names[rec->line];
        data += sizeof(struct zone_set) + sizeof(uint32_t) + 3 + rec->rdlen;
    }
    if (make_room(z, data))
        return ERR_NOMEM;
    if (!z->node_count)
        b->nsec3 = list_has(b, DNS_TYPE_NSEC3PARAM);
    push_node(b, name, list_has(b, DNS_TYPE_NS), dynamic ? dynamic->id + 1 : 0);
    if (dynamic)
        build_dynamic(b, dynamic);
    build_sets(b, name);
    if (list_has(b, DNS_TYPE_DNAME))
        b->path[dns_name_labels(name)].dname = b->last;
    return 0;
}

static int build_nodes(struct build *b)
{
    const struct records *r = b->r;
    struct zone *z = b->z;
    if (grow_list(b, 16))
        return ERR_NOMEM;
    /* The apex is always there, also when a check will refuse the zone. */
    if (!r->run_count || !dns_name_equal(records_owner(r, records_run(r, 0)), z->origin))
        push_node(b, z->origin, false, 0);
    int n;
    for (uint32_t i = 0; i < r->run_count; i += (uint32_t)n) {
        if (i + AHEAD < r->run_count) {
            const uint8_t *owner = records_owner(r, records_run(r, i + AHEAD));
            __builtin_prefetch(owner);
            __builtin_prefetch(owner + 64);
        }
        const uint8_t *name = records_owner(r, records_run(r, i));
        if ((n = gather(b, i)) < 0 || push_ents(b, name) || build_node(b, name))
            return ERR_NOMEM;
    }
    pad(z, ZONE_STEP);
    return 0;
}

/* ---- the table ---- */

static void put_slot(struct zone *z, uint32_t hash, uint32_t place)
{
    for (uint32_t home = zone_home(z, hash);; home = zone_home_next(z, home))
        for (unsigned i = 0; i < ZONE_BUCKET; i++) {
            uint32_t *slot = &zone_bucket(z, home)[(home + i) % ZONE_BUCKET];
            if (*slot)
                continue;
            *slot = hash << z->place_bits | place;
            return;
        }
}

/* Eleven names to a bucket: few are full. */
static int build_table(struct zone *z)
{
    uint32_t slots = (z->node_count / 11 + 1) * ZONE_BUCKET;
    if (block_resize(&z->table, slots * sizeof(uint32_t)))
        return ERR_NOMEM;
    memset(z->table.at, 0, z->table.size);
    z->slots = slots;
    z->place_bits = 1;
    while (z->end / ZONE_STEP >> z->place_bits)
        z->place_bits++;
    /* Names find their bucket in no order: it is asked for some names before it is written. */
    struct {
        uint32_t hash, place;
    } wait[AHEAD];
    uint32_t i = 0;
    for (const struct zone_node *n = zone_apex(z); n; n = zone_next(z, n), i++) {
        uint32_t at = i % AHEAD;
        if (i >= AHEAD)
            put_slot(z, wait[at].hash, wait[at].place);
        wait[at].hash = zone_hash(n->name, n->name_len);
        wait[at].place = zone_place(z, n);
        __builtin_prefetch(zone_bucket(z, zone_home(z, wait[at].hash)), 1);
    }
    for (uint32_t k = i < AHEAD ? 0 : i - AHEAD; k < i; k++)
        put_slot(z, wait[k % AHEAD].hash, wait[k % AHEAD].place);
    return 0;
}

static int make_dynamic(struct zone *z, const struct dynamic_name *names, unsigned count)
{
    size_t types = 0;
    for (unsigned i = 0; i < count; i++)
        types += names[i].type_count;
    z->dynamic = malloc(count * sizeof *z->dynamic);
    z->dynamic_types = malloc((types + 1) * sizeof *z->dynamic_types);
    return z->dynamic && z->dynamic_types ? 0 : ERR_NOMEM;
}

int zone_fill(struct zone *z, const struct records *r, const struct dynamic_name *names,
              unsigned name_count, struct diag_list *diags)
{
    struct build *b = calloc(1, sizeof *b);
    int err = b ? 0 : ERR_NOMEM;
    if (!err && name_count)
        err = make_dynamic(z, names, name_count);
    err = err ? err : block_resize(&z->room, r->used + 4 * (size_t)r->run_count + 1024);
    err = err ? err : make_room(z, 0);
    if (!err) {
        *b = (struct build){
            .z = z, .r = r, .names = names, .diags = diags, .types = z->dynamic_types};
        memset(z->room.at, 0, ZONE_FIRST * ZONE_STEP);
        z->end = ZONE_FIRST * ZONE_STEP;
        err = build_nodes(b);
        free(b->list);
    }
    free(b);
    err = err ? err : block_resize(&z->room, z->end);
    return err ? err : build_table(z);
}
