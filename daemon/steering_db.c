/* daemon/steering_db.c: databases of places, each file once, by what file it is. */
#include "base/err.h"
#include "geo/write.h"
#include "steering_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void db_free(struct part *p)
{
    struct steering_db *db = (struct steering_db *)(void *)p;
    geo_db_free(db->db);
    free(db->path);
    free(db);
}

static struct steering_db *db_new(const char *path)
{
    struct steering_db *db = calloc(1, sizeof *db);
    struct stat st;
    if (!db)
        return NULL;
    part_init(&db->part, db_free);
    db->path = strdup(path);
    if (!db->path) {
        part_unref(&db->part);
        return NULL;
    }
    if (!stat(path, &st)) {
        db->device = (uint64_t)st.st_dev;
        db->inode = (uint64_t)st.st_ino;
        db->size = (uint64_t)st.st_size;
        db->changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    return db;
}

/* Of the plan in force, from this path. */
static struct steering_db *db_before(const struct steering *s, const char *path)
{
    for (unsigned i = 0; s->before && i < s->before->map_count; i++) {
        struct steering_geo *g = (struct steering_geo *)(void *)s->before->maps[i].owner;
        if (g && g->db && !strcmp(g->db->path, path))
            return g->db;
        if (g && g->asn && !strcmp(g->asn->path, path))
            return g->asn;
    }
    return NULL;
}

static bool is_same_file(const struct steering_db *a, const struct steering_db *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns;
}

/* The database that serves: what was read, or after a failure what was there before. NULL: an error
 * was said. Takes the reference to db. */
static struct steering_db *db_settle(struct steering *s, struct steering_db *db,
                                     struct steering_db *before, struct diag_list *said)
{
    if (db->db || !s->before) {
        for (struct diag *e = db->db ? NULL : said->first; e; e = e->next)
            e->level = e->level == DIAG_ERROR ? DIAG_WARNING : e->level;
        said->warnings += db->db ? 0 : said->errors;
        said->errors = db->db ? said->errors : 0;
        return db;
    }
    part_unref(&db->part);
    if (!before)
        return NULL;
    said->errors = 0; /* of this file alone */
    ++*s->kept;
    part_ref(&before->part);
    return before;
}

static struct steering_db *db_read(struct steering *s, const char *path)
{
    struct steering_db *before = db_before(s, path), *db = db_new(path);
    struct diag_list said;
    if (!db) {
        s->nomem = true;
        return NULL;
    }
    if (before && before->db && is_same_file(before, db)) {
        part_unref(&db->part);
        part_ref(&before->part);
        return before;
    }
    diag_init(&said);
    int err = geo_file_load(&db->db, path, NULL, &said);
    if (err && !said.errors)
        diag_add(&said, DIAG_ERROR, &(struct diag_at){.file = path}, "%s", err_text(err));
    db = db_settle(s, db, before, &said);
    if (err && db)
        diag_add(&said, DIAG_NOTE, &(struct diag_at){.file = path},
                 db->db ? "the tables read before stay" : "maps know the operator's networks only");
    diag_move(s->diags, &said);
    return db;
}

/* The file that is to stand for a map's database, or NULL. */
static const char *db_instead(const struct steering *s, const struct config_node *item,
                              const char *path)
{
    if (strcmp(path, "gslb.maps.*.database") != 0)
        return NULL;
    for (unsigned i = 0; i < s->database_count; i++)
        if (!strcmp(s->databases[i].map, item->key))
            return s->databases[i].file;
    return NULL;
}

struct steering_db *steering_db_take(struct steering *s, const struct config_node *item,
                                     const char *path)
{
    const char *name = config_text(s->c, item, path), *file = db_instead(s, item, path);
    if (!file && name)
        file = steering_file(s, name);
    if (!file)
        return NULL;
    for (unsigned i = 0; i < s->db_count; i++)
        if (!strcmp(s->db[i]->path, file))
            return s->db[i];
    struct steering_db *db = db_read(s, file);
    if (db)
        s->db[s->db_count++] = db;
    return db;
}
