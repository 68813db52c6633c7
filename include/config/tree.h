/* config/tree.h: a YAML file as a tree of nodes with their places.
 * Maps keep their order; every node knows line and column. Anchors, aliases, tags, merge keys and
 * duplicate keys are errors with a hint. Threads: immutable once read. Owner: one arena. */
#ifndef WAYPOST_CONFIG_TREE_H
#define WAYPOST_CONFIG_TREE_H

#include "base/arena.h"
#include "base/diag.h"

enum tree_kind { TREE_SCALAR, TREE_MAP, TREE_SEQ };

struct config_node {
    enum tree_kind kind;
    unsigned line, column;         /* 1-based, of the value */
    unsigned key_line, key_column; /* of the key, inside a map */
    const char *key;               /* inside a map, else NULL */
    const char *text;              /* SCALAR */
    struct config_node *child;     /* MAP, SEQ: first */
    struct config_node *next;      /* sibling */
    unsigned count;                /* children */
};

struct tree {
    struct arena arena;
    const char *name; /* for errors */
    char *text;       /* the whole file, NUL-terminated */
    size_t len;
    struct config_node *root; /* a MAP; empty when the file is empty */
};

/* ERR_SYNTAX (said in diags), ERR_NOMEM. Copies text. The tree is to be freed in any case. */
int tree_read(struct tree *t, const char *name, const char *text, size_t len,
              struct diag_list *diags);
void tree_free(struct tree *t);
const struct config_node *tree_child(const struct config_node *map, const char *key);
/* Fills the source line of a place. */
void tree_place(const struct tree *t, unsigned line, unsigned column, struct diag_at *at);

#endif
