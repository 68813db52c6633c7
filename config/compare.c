/* config/compare.c: whether two configurations say the same. */
#include "config/config.h"
#include "config/tree.h"

#include <string.h>

/* Depth is bounded by the rows. */
static bool node_same(const struct config_node *a, /* NOLINT(misc-no-recursion) */
                      const struct config_node *b)
{
    if (!a || !b || a->kind != b->kind || a->count != b->count)
        return a == b;
    if (a->kind == TREE_SCALAR)
        return !strcmp(a->text, b->text);
    const struct config_node *other = b->child;
    for (const struct config_node *it = a->child; it; it = it->next) {
        if (!node_same(it, a->kind == TREE_MAP ? tree_child(b, it->key) : other))
            return false;
        other = other->next;
    }
    return true;
}

static bool text_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool items_same(const struct config *a, const struct config *b, const char *path)
{
    unsigned n = config_items(a, path);
    if (n != config_items(b, path))
        return false;
    return !n || node_same(config_node(a, NULL, path), config_node(b, NULL, path));
}

static bool texts_same(const struct config *a, const struct config *b, const char *path)
{
    unsigned n = config_count(a, NULL, path);
    bool same = n == config_count(b, NULL, path);
    for (unsigned i = 0; same && i < n; i++)
        same = text_same(config_text_at(a, NULL, path, i), config_text_at(b, NULL, path, i));
    return same;
}

bool config_same(const struct config *a, const struct config *b, const struct config_option *o)
{
    if (o->type == CONFIG_ITEMS)
        return items_same(a, b, o->path);
    if (o->many)
        return texts_same(a, b, o->path);
    switch (o->type) {
    case CONFIG_BOOL:
        return config_bool(a, NULL, o->path) == config_bool(b, NULL, o->path);
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
    case CONFIG_PERCENT:
    case CONFIG_PERMILLE:
        return config_int(a, NULL, o->path) == config_int(b, NULL, o->path);
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
    case CONFIG_ADDRESS:
    case CONFIG_PREFIX:
        return text_same(config_text(a, NULL, o->path), config_text(b, NULL, o->path));
    default:
        return node_same(config_node(a, NULL, o->path), config_node(b, NULL, o->path));
    }
}
