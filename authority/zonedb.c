#include "authority/zonedb.h"

#include "authority/zone.h"
#include "base/err.h"
#include "dns/name.h"

#include <stdlib.h>

#define HASH_SEED 0x7a6f6e65UL

struct zonedb_entry {
    uint8_t *origin; /* lower case */
    struct zone *zone;
    zonedb_listeners on;
    uint32_t hash;
    uint8_t len;   /* of origin, octets */
    uint32_t next; /* 1 + index of an entry with the same origin */
};

struct zonedb {
    struct part part;
    struct zonedb_entry *entries;
    uint32_t count, cap;
    uint32_t *table; /* 1 + index */
    uint32_t mask;
    uint64_t depths[2]; /* which label counts exist */
};

static void zonedb_free(struct part *p)
{
    struct zonedb *db = (struct zonedb *)(void *)p;
    for (uint32_t i = 0; i < db->count; i++) {
        if (db->entries[i].zone)
            part_unref(zone_part(db->entries[i].zone));
        free(db->entries[i].origin);
    }
    free(db->entries);
    free(db->table);
    free(db);
}

struct zonedb *zonedb_new(void)
{
    struct zonedb *db = calloc(1, sizeof *db);
    if (db)
        part_init(&db->part, zonedb_free);
    return db;
}

struct part *zonedb_part(struct zonedb *db)
{
    return &db->part;
}

static int grow_table(struct zonedb *db, uint32_t slots)
{
    uint32_t *table = calloc(slots, sizeof *table);
    if (!table)
        return ERR_NOMEM;
    free(db->table);
    db->table = table;
    db->mask = slots - 1;
    for (uint32_t i = 0; i < db->count; i++) {
        uint32_t slot = db->entries[i].hash & db->mask;
        bool chained = false;
        while (db->table[slot]) {
            if (dns_name_equal(db->entries[db->table[slot] - 1].origin, db->entries[i].origin)) {
                chained = true;
                break;
            }
            slot = (slot + 1) & db->mask;
        }
        if (!chained)
            db->table[slot] = i + 1;
    }
    return 0;
}

/* Head of the entries with this origin of `len` octets, or NULL. */
static struct zonedb_entry *find_origin(const struct zonedb *db, const uint8_t *origin, size_t len)
{
    if (!db->table)
        return NULL;
    uint32_t hash = (uint32_t)dns_name_hash_len(origin, len, HASH_SEED);
    for (uint32_t slot = hash & db->mask; db->table[slot]; slot = (slot + 1) & db->mask) {
        struct zonedb_entry *e = &db->entries[db->table[slot] - 1];
        if (e->hash == hash && e->len == len && dns_name_equal_len(e->origin, origin, len))
            return e;
    }
    return NULL;
}

int zonedb_add(struct zonedb *db, const uint8_t *origin, struct zone *z, zonedb_listeners on)
{
    size_t len = dns_name_len(origin);
    struct zonedb_entry *twin = find_origin(db, origin, len);
    for (struct zonedb_entry *e = twin; e; e = e->next ? &db->entries[e->next - 1] : NULL)
        if (e->on & on)
            return ERR_EXISTS;
    if (db->count == db->cap) {
        uint32_t cap = db->cap ? db->cap * 2 : 16;
        struct zonedb_entry *entries = realloc(db->entries, cap * sizeof *entries);
        if (!entries)
            return ERR_NOMEM;
        db->entries = entries;
        db->cap = cap;
        twin = find_origin(db, origin, len);
    }
    uint8_t *copy = malloc(len);
    if (!copy || !db->entries) {
        free(copy);
        return ERR_NOMEM;
    }
    dns_name_lower(copy, origin);
    db->entries[db->count] =
        (struct zonedb_entry){.origin = copy,
                              .zone = z,
                              .on = on,
                              .hash = (uint32_t)dns_name_hash_len(origin, len, HASH_SEED),
                              .len = (uint8_t)len,
                              .next = twin ? twin->next : 0};
    if (z)
        part_ref(zone_part(z));
    if (twin)
        twin->next = db->count + 1;
    db->count++;
    unsigned labels = dns_name_labels(origin);
    db->depths[labels / 64] |= 1ULL << labels % 64;
    if (!db->table || db->count * 2 > db->mask)
        return grow_table(db, db->table ? (db->mask + 1) * 2 : 64);
    if (!twin) {
        uint32_t slot = db->entries[db->count - 1].hash & db->mask;
        while (db->table[slot])
            slot = (slot + 1) & db->mask;
        db->table[slot] = db->count;
    }
    return 0;
}

int zonedb_finish(struct zonedb *db)
{
    return db->table ? 0 : grow_table(db, 16);
}

const struct zone *zonedb_find(const struct zonedb *db, const uint8_t *qname, unsigned listener,
                               bool *failed)
{
    zonedb_listeners bit = 1ULL << listener;
    uint8_t offsets[DNS_LABELS_MAX + 1];
    unsigned labels = dns_name_offsets(qname, offsets);
    size_t len = offsets[labels] + 1u;
    *failed = false;
    for (unsigned depth = labels + 1; depth-- > 0;) {
        unsigned at = offsets[labels - depth];
        if (!(db->depths[depth / 64] >> depth % 64 & 1))
            continue;
        for (const struct zonedb_entry *e = find_origin(db, qname + at, len - at); e;
             e = e->next ? &db->entries[e->next - 1] : NULL)
            if (e->on & bit) {
                *failed = !e->zone;
                return e->zone;
            }
    }
    return NULL;
}

const struct zone *zonedb_get(const struct zonedb *db, const uint8_t *origin, zonedb_listeners on)
{
    const struct zone *near = NULL;
    for (const struct zonedb_entry *e = find_origin(db, origin, dns_name_len(origin)); e;
         e = e->next ? &db->entries[e->next - 1] : NULL) {
        if (e->on == on)
            return e->zone;
        if (e->on & on && !near)
            near = e->zone;
    }
    return near;
}

unsigned zonedb_count(const struct zonedb *db)
{
    return db->count;
}

const struct zone *zonedb_at(const struct zonedb *db, unsigned i, const uint8_t **origin,
                             zonedb_listeners *on)
{
    *origin = db->entries[i].origin;
    *on = db->entries[i].on;
    return db->entries[i].zone;
}
