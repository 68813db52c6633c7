/* daemon/steering.c: the parts of `gslb` in order, and what their readers share. */
#include "daemon/steering.h"

#include "base/err.h"
#include "dns/name.h"
#include "steering_priv.h"

#include <stdarg.h>
#include <string.h>

#define NAME_MAX_LEN 63

/* ---- memory ---- */

void *steering_zalloc(struct steering *s, size_t n)
{
    void *at = arena_zalloc(&s->plan->arena, n);
    s->nomem = s->nomem || !at;
    return at;
}

const char *steering_strdup(struct steering *s, const char *text)
{
    const char *own = arena_strdup(&s->plan->arena, text);
    s->nomem = s->nomem || !own;
    return own;
}

const char *steering_text(struct steering *s, const struct config_node *item, const char *path)
{
    const char *text = config_text(s->c, item, path);
    return text ? steering_strdup(s, text) : NULL;
}

/* ---- places ---- */

const struct config_node *steering_first(const struct steering *s, const struct config_node *item,
                                         const char *path, unsigned *count)
{
    const struct config_node *n = config_node(s->c, item, path);
    *count = n && n->kind != TREE_SCALAR ? n->count : 0;
    return *count ? n->child : NULL;
}

static struct config_node key_of(const struct config_node *item)
{
    return (struct config_node){
        .line = item->key_line, .column = item->key_column, .text = item->key};
}

static void wrong(struct steering *s, const struct config_node *at, const char *hint,
                  const char *fmt, va_list ap)
{
    char text[512];
    vsnprintf(text, sizeof text, fmt, ap);
    config_complain(s->c, at, DIAG_ERROR, hint, s->diags, "%s", text);
}

void steering_wrong(struct steering *s, const struct config_node *at, const char *hint,
                    const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    wrong(s, at, hint, fmt, ap);
    va_end(ap);
}

void steering_key_wrong(struct steering *s, const struct config_node *item, const char *hint,
                        const char *fmt, ...)
{
    struct config_node key = key_of(item);
    va_list ap;
    va_start(ap, fmt);
    wrong(s, &key, hint, fmt, ap);
    va_end(ap);
}

struct diag_at steering_at(struct steering *s, const struct config_node *item)
{
    struct config_node key = key_of(item);
    struct diag_at at;
    config_place(s->c, &key, &at);
    at.file = at.file ? steering_strdup(s, at.file) : NULL;
    at.source = at.source ? arena_dup(&s->plan->arena, at.source, at.source_len) : NULL;
    at.source_len = at.source ? at.source_len : 0;
    return at;
}

/* ---- names ---- */

void steering_check_name(struct steering *s, const struct config_node *item, const char *what)
{
    size_t n =
        strspn(item->key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    if (!n || item->key[n] || n > NAME_MAX_LEN)
        steering_key_wrong(s, item, "letters, digits, - _ and dots, at most 63",
                           "\"%s\" cannot be the name of a %s", item->key, what);
}

int steering_index(struct steering *s, const struct config_node *named, const char *what,
                   const struct config_node *at, const char *name)
{
    char hint[128];
    int i = 0;
    if (named && named->kind == TREE_MAP)
        for (const struct config_node *n = named->child; n; n = n->next, i++)
            if (!strcmp(n->key, name))
                return i;
    const char *near = config_key_near(named, name);
    snprintf(hint, sizeof hint, "did you mean \"%.63s\"?", near ? near : "");
    steering_wrong(s, at, near ? hint : NULL, "there is no %s \"%s\"", what, name);
    return GSLB_NONE;
}

const uint8_t *steering_domain(struct steering *s, const struct config_node *at, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_parse(name, text, strlen(text), NULL);
    if (n < 0) {
        steering_wrong(s, at, NULL, "\"%s\" is not a domain name: %s", text, err_text(n));
        return NULL;
    }
    dns_name_lower(name, name);
    const uint8_t *own = arena_dup(&s->plan->arena, name, (size_t)n);
    s->nomem = s->nomem || !own;
    return own;
}

const char *steering_file(struct steering *s, const char *name)
{
    const char *own = *name == '/'
                          ? arena_strdup(&s->plan->arena, name)
                          : arena_printf(&s->plan->arena, "%s/%s", config_folder(s->c), name);
    s->nomem = s->nomem || !own;
    return own;
}

struct gslb_file *steering_file_note(struct steering *s, const char *path, struct fileid id)
{
    for (struct gslb_file *f = s->plan->files; f; f = f->next)
        if (!strcmp(f->path, path))
            return f;
    struct gslb_file *f = STEERING_ARRAY(s, struct gslb_file, 1);
    if (!f)
        return NULL;
    f->path = path;
    f->id = id;
    f->next = s->plan->files;
    s->plan->files = f;
    return f;
}

void steering_lengths(const struct steering *s, const struct config_node *item, const char *path,
                      uint8_t *v4, uint8_t *v6)
{
    char full[128];
    snprintf(full, sizeof full, "%s.v4", path);
    if (config_text(s->c, item, full))
        *v4 = (uint8_t)config_int(s->c, item, full);
    snprintf(full, sizeof full, "%s.v6", path);
    if (config_text(s->c, item, full))
        *v6 = (uint8_t)config_int(s->c, item, full);
}

/* ---- the whole ---- */

static void read_sites(struct steering *s)
{
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.sites", &n);
    struct gslb_site *sites = STEERING_ARRAY(s, struct gslb_site, n);
    if (n > GEO_SITES_MAX)
        steering_key_wrong(s, config_node(s->c, NULL, "gslb.sites"), NULL,
                           "%u sites, at most %d can be had", n, GEO_SITES_MAX);
    for (unsigned i = 0; sites && i < n; i++, item = item->next) {
        float at[2] = {0};
        steering_check_name(s, item, "site");
        if (!strcmp(item->key, "nearest"))
            steering_key_wrong(s, item, NULL, "no site can be called nearest: a word of rules");
        sites[i].name = steering_strdup(s, item->key);
        sites[i].has_position = config_position(s->c, item, "gslb.sites.*.at", at);
        sites[i].latitude = at[0];
        sites[i].longitude = at[1];
    }
    s->plan->sites = sites;
    s->plan->site_count = sites ? n : 0;
}

static void read_explain(struct steering *s)
{
    struct net_acl *acl = &s->plan->explain;
    unsigned n = config_count(s->c, NULL, "gslb.explain");
    acl->rules = STEERING_ARRAY(s, struct net_acl_rule, n);
    for (unsigned i = 0; acl->rules && i < n; i++) {
        struct net_acl_rule *rule = &acl->rules[acl->count];
        rule->allow = true;
        if (!prefix_parse(&rule->prefix, config_text_at(s->c, NULL, "gslb.explain", i)))
            acl->count++; /* what is no prefix was said when the file was read */
    }
}

static int finish(struct steering *s, const struct steering_place *place)
{
    struct gslb_table *own = NULL;
    int err = place->table ? 0 : gslb_table_new(&own);
    err = err ? err
              : gslb_plan_finish(s->plan, s->before, own ? own : place->table, place->workers,
                                 s->diags);
    if (own)
        gslb_table_free(own);
    return err;
}

static int read_all(struct steering *s, const struct steering_place *place)
{
    static void (*const parts[])(struct steering *) = {
        read_explain,        read_sites,          steering_maps_read, steering_checks_read,
        steering_doubt_read, steering_pools_read, steering_names_read};
    unsigned errors = s->diags->errors;
    s->plan->warm_up_ms = (uint32_t)config_int(s->c, NULL, "gslb.warm-up");
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !s->nomem; i++)
        parts[i](s);
    return s->nomem ? ERR_NOMEM : s->diags->errors > errors ? ERR_INVALID : finish(s, place);
}

static int build(struct steering *s, struct gslb_plan **plan, const struct steering_place *place)
{
    *plan = NULL;
    if (!config_node(s->c, NULL, "gslb"))
        return 0;
    s->plan = gslb_plan_new();
    if (!s->plan)
        return ERR_NOMEM;
    arena_init(&s->scratch, 16384, 0);
    int err = read_all(s, place);
    for (unsigned i = 0; i < s->db_count; i++)
        part_unref(&s->db[i]->part);
    arena_fini(&s->scratch);
    if (err)
        part_unref(gslb_plan_part(s->plan));
    else
        *plan = s->plan;
    return err;
}

int steering_build(struct gslb_plan **plan, const struct config *c, const struct gslb_plan *before,
                   const struct steering_place *place, struct diag_list *d, unsigned *kept)
{
    struct steering s = {.c = c, .before = before, .diags = d, .kept = kept};
    return build(&s, plan, place);
}

int steering_build_with(struct gslb_plan **plan, const struct config *c,
                        const struct steering_place *place,
                        const struct steering_database *databases, unsigned database_count,
                        struct diag_list *d)
{
    unsigned kept = 0;
    struct steering s = {.c = c,
                         .diags = d,
                         .kept = &kept,
                         .databases = databases,
                         .database_count = database_count};
    for (unsigned i = 0; i < database_count; i++) {
        const struct config_node *maps = config_node(c, NULL, "gslb.maps"), *m;
        for (m = maps ? maps->child : NULL; m && strcmp(m->key, databases[i].map) != 0;)
            m = m->next;
        if (!m) {
            diag_add(d, DIAG_ERROR, NULL, "there is no map \"%s\"", databases[i].map);
            return ERR_NOT_FOUND;
        }
    }
    return build(&s, plan, place);
}
