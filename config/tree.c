/* config/tree.c: libyaml events into nodes. */
#include "config/tree.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define TREE_DEPTH_MAX 16

struct tree_build {
    struct tree *t;
    struct diag_list *diags;
    struct config_node *stack[TREE_DEPTH_MAX];
    struct config_node *last[TREE_DEPTH_MAX]; /* newest child of each open node */
    unsigned depth;
    const char *key; /* of the value that comes next, inside a map */
    unsigned key_line, key_column;
    bool failed;
};

void tree_place(const struct tree *t, unsigned line, unsigned column, struct diag_at *at)
{
    *at = (struct diag_at){.file = t->name, .line = line, .column = column};
    const char *p = t->text, *end = t->text + t->len;
    for (unsigned n = 1; n < line && p < end; n++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : end;
    }
    if (!line || p >= end)
        return;
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    at->source = p;
    at->source_len = (size_t)((nl ? nl : end) - p);
}

static void tree_complain(struct tree_build *b, unsigned line, unsigned column, const char *hint,
                          const char *what)
{
    struct diag_at at;
    tree_place(b->t, line, column, &at);
    at.hint = hint;
    diag_add(b->diags, DIAG_ERROR, &at, "%s", what);
    b->failed = true;
}

/* What the scanner says about a place is often far from what was meant: the usual traps have a hint
 * of their own. */
static void tree_scan_error(struct tree_build *b, const yaml_parser_t *p)
{
    unsigned line = (unsigned)p->problem_mark.line + 1,
             column = (unsigned)p->problem_mark.column + 1;
    struct diag_at at;
    tree_place(b->t, line, column, &at);
    char c = at.source && column <= at.source_len ? at.source[column - 1] : 0;
    const char *hint = NULL;
    const char *star = at.source ? memchr(at.source, '*', at.source_len) : NULL;
    if (c == '@' || c == '`')
        hint = "quote it: \"@\"";
    else if (star && p->context && strstr(p->context, "alias"))
        hint = "a name that starts with * must be quoted: \"*.example.com\"";
    else if (c == '\t')
        hint = "indent with spaces, not with tabs";
    else if (at.source && memchr(at.source, '[', at.source_len) &&
             memmem(at.source, at.source_len, "::", 2))
        hint = "quote IPv6 addresses inside [...]";
    at.hint = hint;
    diag_add(b->diags, DIAG_ERROR, &at, "%s", p->problem ? p->problem : "not readable as YAML");
    b->failed = true;
}

static struct config_node *tree_node(struct tree_build *b, enum tree_kind kind,
                                     const yaml_mark_t *m)
{
    struct config_node *n = ARENA_NEW(&b->t->arena, struct config_node);
    if (!n)
        return NULL;
    n->kind = kind;
    n->line = (unsigned)m->line + 1;
    n->column = (unsigned)m->column + 1;
    if (b->depth) {
        struct config_node *up = b->stack[b->depth - 1];
        if (up->kind == TREE_MAP) {
            n->key = b->key;
            n->key_line = b->key_line;
            n->key_column = b->key_column;
            b->key = NULL;
        }
        if (b->last[b->depth - 1])
            b->last[b->depth - 1]->next = n;
        else
            up->child = n;
        b->last[b->depth - 1] = n;
        up->count++;
    } else {
        b->t->root = n;
    }
    return n;
}

static int tree_scalar(struct tree_build *b, const yaml_event_t *e)
{
    const char *text = arena_strdup(&b->t->arena, (const char *)e->data.scalar.value);
    if (!text)
        return ERR_NOMEM;
    unsigned line = (unsigned)e->start_mark.line + 1, column = (unsigned)e->start_mark.column + 1;
    struct config_node *up = b->depth ? b->stack[b->depth - 1] : NULL;
    if (!up || up->kind != TREE_MAP || b->key) {
        struct config_node *n = tree_node(b, TREE_SCALAR, &e->start_mark);
        if (!n)
            return ERR_NOMEM;
        n->text = text;
        return 0;
    }
    if (!strcmp(text, "<<"))
        tree_complain(b, line, column, "write the keys out", "merge keys are not taken");
    const struct config_node *twin = tree_child(up, text);
    if (twin) {
        char hint[64];
        snprintf(hint, sizeof hint, "first written in line %u", twin->key_line);
        tree_complain(b, line, column, hint, "this key is written twice");
    }
    b->key = text;
    b->key_line = line;
    b->key_column = column;
    return 0;
}

static int tree_open(struct tree_build *b, enum tree_kind kind, const yaml_event_t *e)
{
    struct config_node *up = b->depth ? b->stack[b->depth - 1] : NULL;
    if (up && up->kind == TREE_MAP && !b->key) {
        tree_complain(b, (unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1, NULL,
                      "a key must be plain text");
        return ERR_SYNTAX;
    }
    if (b->depth == TREE_DEPTH_MAX) {
        tree_complain(b, (unsigned)e->start_mark.line + 1, 0, NULL, "nested too deeply");
        return ERR_SYNTAX;
    }
    struct config_node *n = tree_node(b, kind, &e->start_mark);
    if (!n)
        return ERR_NOMEM;
    b->stack[b->depth] = n;
    b->last[b->depth++] = NULL;
    return 0;
}

static bool tree_is_decorated(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return false;
    }
}

static int tree_event(struct tree_build *b, const yaml_event_t *e)
{
    unsigned line = (unsigned)e->start_mark.line + 1, column = (unsigned)e->start_mark.column + 1;
    if (e->type == YAML_DOCUMENT_START_EVENT && b->t->root) {
        tree_complain(b, line, column, "take the line --- and what is behind it out",
                      "a second document is not taken");
        return ERR_SYNTAX;
    }
    if (tree_is_decorated(e))
        tree_complain(b, line, column, "write the value out", "anchors and tags are not taken");
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        tree_complain(b, line, column,
                      "a name that starts with * must be quoted: \"*.example.com\"",
                      "aliases are not taken");
        b->key = NULL;
        return 0;
    case YAML_SCALAR_EVENT:
        return tree_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return tree_open(b, TREE_SEQ, e);
    case YAML_MAPPING_START_EVENT:
        return tree_open(b, TREE_MAP, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    default:
        return 0;
    }
}

int tree_read(struct tree *t, const char *name, const char *text, size_t len,
              struct diag_list *diags)
{
    memset(t, 0, sizeof *t);
    arena_init(&t->arena, 16384, 0);
    t->name = arena_strdup(&t->arena, name);
    t->text = arena_alloc(&t->arena, len + 1);
    if (!t->name || !t->text)
        return ERR_NOMEM;
    memcpy(t->text, text, len);
    t->text[len] = 0;
    t->len = len;
    struct tree_build b = {.t = t, .diags = diags};
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p))
        return ERR_NOMEM;
    yaml_parser_set_input_string(&p, (const unsigned char *)t->text, len);
    int err = 0;
    for (bool more = true; more && !err;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p, &e)) {
            tree_scan_error(&b, &p);
            break;
        }
        more = e.type != YAML_STREAM_END_EVENT;
        err = tree_event(&b, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&p);
    if (!err && !t->root) {
        yaml_mark_t none = {0, 0, 0};
        b.depth = 0;
        err = tree_node(&b, TREE_MAP, &none) ? 0 : ERR_NOMEM;
    }
    if (!err && !b.failed && t->root && t->root->kind == TREE_SCALAR && !*t->root->text)
        t->root->kind = TREE_MAP;
    if (!err && !b.failed && (!t->root || t->root->kind != TREE_MAP))
        tree_complain(&b, 1, 1, "start with: listen:", "the file must be a map of keys");
    return err ? err : b.failed ? ERR_SYNTAX : 0;
}

void tree_free(struct tree *t)
{
    arena_fini(&t->arena);
}

const struct config_node *tree_child(const struct config_node *map, const char *key)
{
    if (!map || map->kind != TREE_MAP)
        return NULL;
    for (const struct config_node *n = map->child; n; n = n->next)
        if (n->key && !strcmp(n->key, key))
            return n;
    return NULL;
}
