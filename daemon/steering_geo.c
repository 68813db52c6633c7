/* daemon/steering_geo.c: the tables of a map, compiled or shared with the plan before. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "geo/map.h"
#include "steering_priv.h"

#include <stdlib.h>
#include <string.h>

#define VERIFY_MAX (64u << 20) /* sites looked at: some seconds of distances */

#define LONG_US 1000000 /* what takes longer is told */

static void geo_free(struct part *p)
{
    struct steering_geo *g = (struct steering_geo *)(void *)p;
    geo_map_free(g->geo);
    if (g->db)
        part_unref(&g->db->part);
    if (g->asn)
        part_unref(&g->asn->part);
    free(g->rules);
    free(g);
}

static struct steering_geo *geo_before(const struct steering *s, const struct steering_db *db,
                                       const struct steering_db *asn, const char *rules, size_t len)
{
    for (unsigned i = 0; s->before && i < s->before->map_count; i++) {
        struct steering_geo *g = (struct steering_geo *)(void *)s->before->maps[i].owner;
        if (g && g->db == db && g->asn == asn && g->rules_len == len &&
            !memcmp(g->rules, rules, len))
            return g;
    }
    return NULL;
}

static struct steering_geo *geo_new(struct steering_db *db, struct steering_db *asn,
                                    const char *rules, size_t len)
{
    struct steering_geo *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    part_init(&g->part, geo_free);
    g->rules = malloc(len + 1);
    if (!g->rules) {
        part_unref(&g->part);
        return NULL;
    }
    memcpy(g->rules, rules, len);
    g->rules_len = len;
    g->db = db;
    g->asn = asn;
    if (db)
        part_ref(&db->part);
    if (asn)
        part_ref(&asn->part);
    return g;
}

/* A table that is wrong serves nobody. */
static int verify(const struct geo_map *geo, const struct geo_map_config *config, int64_t began_us,
                  struct diag_list *d)
{
    char text[ADDR_TEXT_MAX];
    struct geo_map_proof proof;
    struct addr wrong;
    int64_t compiled_us = clock_mono_us(clock_system());
    int err = geo_map_verify(geo, config, VERIFY_MAX / (config->site_count + 1), &proof, &wrong);
    if (err == ERR_MISMATCH)
        diag_add(d, DIAG_ERROR, &(struct diag_at){.hint = "this is a fault of waypost: report it"},
                 "map %s: its table is not what the rules say at %s", config->name,
                 addr_print(&wrong, text));
    else if (err)
        diag_add(d, DIAG_ERROR, NULL, "map %s: %s", config->name, err_text(err));
    int64_t verified_us = clock_mono_us(clock_system());
    log_line(verified_us - began_us < LONG_US ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "geo",
             "map %s: compiled in %lld ms; proved at %zu addresses in %lld ms, %zu left out",
             config->name, (long long)(compiled_us - began_us) / 1000, proof.addresses,
             (long long)(verified_us - compiled_us) / 1000, proof.left_out);
    return err;
}

/* Warnings about what no place of the database matches are of no use when it could not be read. */
static int compile(struct steering *s, const struct steering_geo *g, struct geo_map_config *config,
                   struct geo_map **geo)
{
    bool blind = (g->db && !g->db->db) || (g->asn && !g->asn->db);
    struct diag_list said;
    config->db = g->db ? g->db->db : NULL;
    config->asn_db = g->asn ? g->asn->db : NULL;
    diag_init(&said);
    int64_t began_us = clock_mono_us(clock_system());
    int err = geo_map_compile(geo, config, blind ? &said : s->diags);
    if (!err) {
        err = verify(*geo, config, began_us, s->diags);
        if (err) {
            geo_map_free(*geo);
            *geo = NULL;
        }
    }
    if (said.errors)
        diag_move(s->diags, &said);
    diag_fini(&said);
    return err;
}

void steering_geo_take(struct steering *s, struct gslb_map *m, struct geo_map_config *config,
                       struct steering_db *db, struct steering_db *asn, const char *rules,
                       size_t rules_len)
{
    struct steering_geo *g = geo_before(s, db, asn, rules, rules_len);
    if (g) {
        part_ref(&g->part);
    } else {
        g = geo_new(db, asn, rules, rules_len);
        if (!g) {
            s->nomem = true;
            return;
        }
        int err = compile(s, g, config, &g->geo);
        s->nomem = s->nomem || err == ERR_NOMEM;
        if (err) {
            part_unref(&g->part);
            return;
        }
    }
    m->geo = g->geo;
    m->owner = &g->part;
}
