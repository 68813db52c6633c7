/* daemon/steering_db.c: databases of places, each file once, by what file it is. */
#include "base/clock.h"
#include "base/err.h"
#include "geo/write.h"
#include "steering_priv.h"

#include <stdlib.h>
#include <string.h>

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
    if (!db)
        return NULL;
    part_init(&db->part, db_free);
    db->id = fileid_of(path);
    db->read_s = clock_wall_s(clock_system());
    db->path = strdup(path);
    if (!db->path) {
        part_unref(&db->part);
        return NULL;
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

/* For who watches the file and for who asks how old the tables are. */
static void db_note(struct steering *s, const char *path, struct fileid tried,
                    const struct steering_db *serves, const struct diag *why)
{
    struct gslb_file *f = steering_file_note(s, path, tried);
    if (!f)
        return;
    f->database = true;
    f->problem = why ? steering_strdup(s, why->text) : NULL;
    f->read_s = serves && serves->db ? serves->read_s : 0;
    f->built_s = serves && serves->db ? geo_db_info(serves->db).built_s : 0;
}

static const struct diag *first_error(const struct diag_list *said)
{
    const struct diag *e = said->first;
    while (e && e->level != DIAG_ERROR)
        e = e->next;
    return e;
}

static struct steering_db *db_read(struct steering *s, const char *path)
{
    struct steering_db *before = db_before(s, path), *db = db_new(path);
    struct diag_list said;
    if (!db) {
        s->nomem = true;
        return NULL;
    }
    if (before && before->db && fileid_equal(&before->id, &db->id)) {
        part_unref(&db->part);
        part_ref(&before->part);
        db_note(s, path, before->id, before, NULL);
        return before;
    }
    struct fileid tried = db->id;
    diag_init(&said);
    int err = geo_file_load(&db->db, path, NULL, &said);
    if (err && !said.errors)
        diag_add(&said, DIAG_ERROR, &(struct diag_at){.file = path}, "%s", err_text(err));
    const struct diag *why = first_error(&said);
    db = db_settle(s, db, before, &said);
    db_note(s, path, tried, db, why);
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
