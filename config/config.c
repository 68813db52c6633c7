/* config/config.c: holds the tree against the option rows, then answers by path. */
#include "config/config.h"

#include "base/err.h"
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_PATH_MAX 160
#define CONFIG_FILE_MAX (16u << 20)

struct config {
    struct tree tree;
    const char *folder;
    atomic_uint holders;
};

/* ---- the rows ---- */

const struct config_option *config_option_find(const char *path)
{
    for (const struct config_option *o = config_options; o->path; o++)
        if (!strcmp(o->path, path))
            return o;
    return NULL;
}

static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[CONFIG_PATH_MAX + 1];
    size_t n = strnlen(b, CONFIG_PATH_MAX);
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; *a; a++, i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned up = row[j], swap = corner + (*a != b[j - 1]);
            unsigned best = up + 1 < row[j - 1] + 1 ? up + 1 : row[j - 1] + 1;
            row[j] = swap < best ? swap : best;
            corner = up;
        }
    }
    return row[n];
}

const char *config_option_near(const char *path)
{
    const char *near = NULL;
    unsigned least = (unsigned)strlen(path) / 3 + 1;
    for (const struct config_option *o = config_options; o->path; o++) {
        unsigned d = edit_distance(path, o->path);
        if (d <= least && d > 0) {
            least = d - 1;
            near = o->path;
        }
    }
    return near;
}

const char *config_key_near(const struct config_node *map, const char *word)
{
    const char *near = NULL;
    unsigned least = (unsigned)strlen(word) / 2 + 1;
    for (const struct config_node *n = map ? map->child : NULL; n; n = n->next) {
        unsigned d = n->key ? edit_distance(word, n->key) : least;
        if (d < least) {
            least = d;
            near = n->key;
        }
    }
    return near;
}

/* Near among the keys of one map: only the last part differs. */
static const char *near_key(const char *parent, const char *key)
{
    size_t plen = strlen(parent);
    const char *near = NULL;
    unsigned least = (unsigned)strlen(key) / 2 + 1;
    for (const struct config_option *o = config_options; o->path; o++) {
        const char *rest = o->path;
        if (plen) {
            if (strncmp(rest, parent, plen) != 0 || rest[plen] != '.')
                continue;
            rest += plen + 1;
        }
        if (strpbrk(rest, ".["))
            continue;
        unsigned d = edit_distance(key, rest);
        if (d < least) {
            least = d;
            near = rest;
        }
    }
    return near;
}

const char *config_type_name(const struct config_option *o)
{
    switch (o->type) {
    case CONFIG_MAP:
        return "map";
    case CONFIG_ITEMS:
        return "list of maps";
    case CONFIG_NAMED:
        return "map of names";
    case CONFIG_TEXT:
        return o->many ? "list of texts" : "text";
    case CONFIG_BOOL:
        return "yes or no";
    case CONFIG_INT:
        return o->many ? "list of numbers" : "number";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_PERCENT:
    case CONFIG_PERMILLE:
        return "percentage";
    case CONFIG_ADDRESS:
        return o->many ? "list of addresses" : "address";
    case CONFIG_PREFIX:
        return "list of networks";
    case CONFIG_CHOICE:
        return o->many ? "list of choices" : "choice";
    case CONFIG_POSITION:
        return "[latitude, longitude]";
    case CONFIG_WEIGHED:
        return "name, list of names or map of weights";
    case CONFIG_UNBUILT:
        return "not in this version";
    }
    return "";
}

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static int parse_unit(const char *text, const struct unit *units, int64_t *value)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9' || (*text == '0' && text[1] >= '0' && text[1] <= '9'))
        return ERR_SYNTAX; /* 010 is eight to some who read YAML, ten to others */
    long long n = strtoll(text, &end, 10);
    if (errno)
        return ERR_RANGE;
    for (const struct unit *u = units; u->name; u++)
        if (!strcmp(end, u->name)) {
            if (__builtin_mul_overflow(n, u->factor, value))
                return ERR_RANGE;
            return 0;
        }
    return ERR_SYNTAX;
}

int config_parse_duration(const char *text, int64_t *ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    return parse_unit(text, units, ms);
}

int config_parse_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        {"B", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
    return parse_unit(text, units, bytes);
}

static int parse_bool(const char *text)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"yes", 1}, {"true", 1}, {"on", 1}, {"no", 0}, {"false", 0}, {"off", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].word, text))
            return words[i].value;
    return ERR_SYNTAX;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; p && *p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && !strncmp(p, text, n) && (p[n] == '|' || !p[n]))
            return true;
    return false;
}

static int parse_int(const char *text, int64_t *v)
{
    static const struct unit none[] = {{"", 1}, {NULL, 0}};
    return parse_unit(text, none, v);
}

static int parse_percent(const char *text, int64_t *v)
{
    static const struct unit units[] = {{"%", 1}, {NULL, 0}};
    return parse_unit(text, units, v);
}

/* "12.5%" as 125: read digit by digit, so that no rounding is between the text and the number. */
static int parse_permille(const char *text, int64_t *v)
{
    char whole[16];
    size_t n = strspn(text, "0123456789");
    bool tenth = text[n] == '.' && text[n + 1] >= '0' && text[n + 1] <= '9';
    if (!n || n >= sizeof whole || strcmp(text + n + (tenth ? 2 : 0), "%") != 0)
        return ERR_SYNTAX;
    snprintf(whole, sizeof whole, "%.*s", (int)n, text);
    int err = parse_int(whole, v);
    if (!err && __builtin_mul_overflow(*v, 10, v))
        err = ERR_RANGE;
    *v += !err && tenth ? text[n + 1] - '0' : 0;
    return err;
}

/* NULL when the text suits the row, else what was expected. *number gets INT, DURATION, SIZE,
 * PERCENT and PERMILLE. */
static const char *value_wrong(const struct config_option *o, const char *text, int64_t *number)
{
    struct addr a;
    struct prefix p;
    *number = 0;
    switch (o->type) {
    case CONFIG_BOOL:
        return parse_bool(text) < 0 ? "yes or no" : NULL;
    case CONFIG_INT:
        return parse_int(text, number) ? "a bare number" : NULL;
    case CONFIG_DURATION:
        return config_parse_duration(text, number)
                   ? "a duration with its unit: 300ms, 6s, 5m, 1h, 1d"
                   : NULL;
    case CONFIG_SIZE:
        return config_parse_size(text, number) ? "a size with its unit: 512B, 64K, 256M, 4G" : NULL;
    case CONFIG_PERCENT:
        return parse_percent(text, number) ? "a percentage with its sign: 10%" : NULL;
    case CONFIG_PERMILLE:
        return parse_permille(text, number) ? "a percentage with its sign: 50% or 12.5%" : NULL;
    case CONFIG_ADDRESS:
        return addr_parse_port(&a, text, 0) ? "an IPv4 or IPv6 address" : NULL;
    case CONFIG_PREFIX:
        return prefix_parse(&p, text)
                   ? "a network such as 192.0.2.0/24, without bits beyond its length"
                   : NULL;
    case CONFIG_CHOICE:
        return is_choice(o->choices, text) ? NULL : o->choices;
    default:
        return *text ? NULL : "a text";
    }
}

void config_place(const struct config *c, const struct config_node *node, struct diag_at *at)
{
    *at = (struct diag_at){.file = c->tree.name};
    if (!node)
        return;
    tree_place(&c->tree, node->line, node->column, at);
    at->width = node->text ? (unsigned)strlen(node->text) : 1;
}

void config_complain(const struct config *c, const struct config_node *node, enum diag_level level,
                     const char *hint, struct diag_list *diags, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct diag_at at;
    config_place(c, node, &at);
    at.hint = hint;
    diag_add(diags, level, &at, "%s", text);
}

/* ---- checking ---- */

/* What was meant, for the usual mistakes; NULL: no idea. */
static const char *value_hint(const struct config_option *o, const char *text, char *out,
                              size_t cap)
{
    static const char *const units[] = {[CONFIG_DURATION] = "s",
                                        [CONFIG_SIZE] = "M",
                                        [CONFIG_PERCENT] = "%",
                                        [CONFIG_PERMILLE] = "%"};
    size_t digits = strspn(text, "0123456789");
    bool bare = digits && !text[digits];
    if (o->type == CONFIG_BOOL) {
        char lower[8] = "";
        for (size_t i = 0; i < sizeof lower - 1 && text[i]; i++)
            lower[i] = (char)(text[i] | 0x20);
        if (parse_bool(lower) < 0 || strlen(text) >= sizeof lower)
            return NULL;
        snprintf(out, cap, "write it small: %s", lower);
    } else if (o->type == CONFIG_INT && digits > 1 && *text == '0') {
        snprintf(out, cap, "a leading 0 means octal elsewhere: leave it out");
    } else if (o->type == CONFIG_INT && digits && strchr(":xob_.", text[digits])) {
        snprintf(out, cap, "decimal digits only");
    } else if ((size_t)o->type < sizeof units / sizeof *units && units[o->type] && bare) {
        snprintf(out, cap, "the unit is missing: %s%s", text, units[o->type]);
    } else {
        return NULL;
    }
    return out;
}

static void check_scalar(const struct config *c, const struct config_option *o,
                         const struct config_node *n, struct diag_list *diags)
{
    int64_t number = 0;
    const char *want;
    if (n->kind != TREE_SCALAR) {
        bool v6 = n->kind == TREE_MAP && (o->type == CONFIG_ADDRESS || o->type == CONFIG_PREFIX);
        config_complain(c, n, DIAG_ERROR, v6 ? "quote an IPv6 address that ends in ::" : NULL,
                        diags, "%s: expected %s, not a %s", o->path, config_type_name(o),
                        n->kind == TREE_MAP ? "map" : "list");
        return;
    }
    want = value_wrong(o, n->text, &number);
    if (want) {
        char hint[CONFIG_PATH_MAX];
        config_complain(c, n, DIAG_ERROR, value_hint(o, n->text, hint, sizeof hint), diags,
                        "%s: \"%s\" is not %s%s", o->path, n->text,
                        o->type == CONFIG_CHOICE ? "one of " : "", want);
        return;
    }
    int scale = o->type == CONFIG_PERMILLE ? 10 : 1;
    if ((o->min || o->max) && (number < o->min || number > o->max))
        config_complain(c, n, DIAG_ERROR, NULL, diags, "%s: %s is out of range (%lld to %lld%s)",
                        o->path, n->text, (long long)o->min / scale, (long long)o->max / scale,
                        scale == 10 ? "%" : "");
}

static bool parse_position(const struct config_node *n, float at[2])
{
    static const float most[] = {90, 180};
    unsigned i = 0;
    for (const struct config_node *it = n->kind == TREE_SEQ ? n->child : NULL; it && i < 2;
         it = it->next, i++) {
        char *end;
        if (it->kind != TREE_SCALAR || !*it->text ||
            strspn(it->text, "+-.0123456789") != strlen(it->text))
            return false;
        at[i] = strtof(it->text, &end);
        if (*end || at[i] < -most[i] || at[i] > most[i])
            return false;
    }
    return i == 2 && n->count == 2;
}

static void check_weighed(const struct config *c, const struct config_option *o,
                          const struct config_node *n, struct diag_list *diags)
{
    int64_t number;
    bool empty = n->kind == TREE_SCALAR ? !*n->text : !n->child;
    if (empty)
        config_complain(c, n, DIAG_ERROR, NULL, diags, "%s: nothing is written here", o->path);
    for (const struct config_node *it = n->kind == TREE_SCALAR ? NULL : n->child; it; it = it->next)
        if (it->kind != TREE_SCALAR || !*it->text)
            config_complain(c, it, DIAG_ERROR, NULL, diags, "%s: expected a %s", o->path,
                            n->kind == TREE_MAP ? "number" : "name");
        else if (n->kind == TREE_MAP && (parse_int(it->text, &number) || number > 1 << 20))
            config_complain(c, it, DIAG_ERROR, NULL, diags,
                            "%s: \"%s\" is not a weight (0 to 1048576)", o->path, it->text);
}

static void check_map(const struct config *c, const char *path, const struct config_node *map,
                      struct diag_list *diags);

static void check_value(const struct config *c, const struct config_option *o,
                        const struct config_node *n, struct diag_list *diags);

/* A map with the keys below path, or a plain value that stands for the key `brief`. Depth is
 * bounded by the rows. */
static void check_keys(const struct config *c, const char *path,
                       const char *brief, /* NOLINT(misc-no-recursion) */
                       const struct config_node *n, struct diag_list *diags)
{
    char full[CONFIG_PATH_MAX];
    snprintf(full, sizeof full, "%s.%s", path, brief ? brief : "");
    if (n->kind == TREE_MAP)
        check_map(c, path, n, diags);
    else if (brief)
        check_value(c, config_option_find(full), n, diags);
    else
        config_complain(c, n, DIAG_ERROR, NULL, diags, "%s: expected a map of keys", path);
}

static void check_named(const struct config *c,
                        const struct config_option *o, /* NOLINT(misc-no-recursion) */
                        const struct config_node *n, struct diag_list *diags)
{
    char path[CONFIG_PATH_MAX];
    snprintf(path, sizeof path, "%s.*", o->path);
    if (n->kind != TREE_MAP)
        config_complain(c, n, DIAG_ERROR, "write one \"NAME: \" per item", diags,
                        "%s: expected a map of names", o->path);
    for (const struct config_node *it = n->kind == TREE_MAP ? n->child : NULL; it; it = it->next)
        if (it->kind != TREE_SCALAR || *it->text || o->brief)
            check_keys(c, path, o->brief, it, diags);
}

static void check_value(const struct config *c,
                        const struct config_option *o, /* NOLINT(misc-no-recursion) */
                        const struct config_node *n, struct diag_list *diags)
{
    float at[2];
    bool empty = n->kind == TREE_SCALAR && !*n->text;
    if (o->type == CONFIG_UNBUILT) {
        config_complain(c, n, DIAG_ERROR, "take the key out", diags, "%s: not in this version (%s)",
                        o->path, o->help);
    } else if (o->type == CONFIG_MAP) {
        if (!empty)
            check_keys(c, o->path, o->brief, n, diags);
    } else if (o->type == CONFIG_NAMED) {
        if (!empty)
            check_named(c, o, n, diags);
    } else if (o->type == CONFIG_POSITION) {
        if (!parse_position(n, at))
            config_complain(c, n, DIAG_ERROR, NULL, diags,
                            "%s: expected [latitude, longitude] in degrees", o->path);
    } else if (o->type == CONFIG_WEIGHED) {
        check_weighed(c, o, n, diags);
    } else if (o->type == CONFIG_ITEMS) {
        if (n->kind != TREE_SEQ && !empty)
            config_complain(c, n, DIAG_ERROR, "write one \"- \" per item", diags,
                            "%s: expected a list", o->path);
        char path[CONFIG_PATH_MAX];
        snprintf(path, sizeof path, "%s[]", o->path);
        for (const struct config_node *it = n->kind == TREE_SEQ ? n->child : NULL; it;
             it = it->next) {
            if (it->kind == TREE_MAP)
                check_map(c, path, it, diags);
            else
                config_complain(c, it, DIAG_ERROR, NULL, diags, "%s: expected a map of keys", path);
        }
    } else if (o->many && n->kind == TREE_SEQ) {
        if (o->required && !n->child)
            config_complain(c, n, DIAG_ERROR, o->help, diags, "%s: the list is empty", o->path);
        for (const struct config_node *it = n->child; it; it = it->next)
            check_scalar(c, o, it, diags);
    } else {
        check_scalar(c, o, n, diags);
    }
}

static void check_required(const struct config *c, const char *path, const struct config_node *map,
                           struct diag_list *diags)
{
    size_t plen = strlen(path);
    for (const struct config_option *o = config_options; o->path; o++) {
        if (!o->required || strncmp(o->path, path, plen) != 0 || o->path[plen] != '.' ||
            strpbrk(o->path + plen + 1, ".["))
            continue;
        if (!tree_child(map, o->path + plen + 1))
            config_complain(c, map, DIAG_ERROR, o->help, diags, "%s is missing", o->path);
    }
}

static void check_map(const struct config *c, const char *path, const struct config_node *map,
                      struct diag_list *diags)
{
    for (const struct config_node *n = map->child; n; n = n->next) {
        char full[CONFIG_PATH_MAX];
        snprintf(full, sizeof full, "%s%s%s", path, *path ? "." : "", n->key);
        const struct config_option *o = config_option_find(full);
        if (o && !strpbrk(n->key, ".[")) {
            check_value(c, o, n, diags);
            continue;
        }
        const char *near = near_key(path, n->key);
        char hint[CONFIG_PATH_MAX];
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near ? near : "");
        struct config_node key = {.line = n->key_line, .column = n->key_column, .text = n->key};
        config_complain(c, &key, DIAG_ERROR, near ? hint : "config explain lists every key", diags,
                        "unknown key \"%s\"%s%s", n->key, *path ? " in " : "", path);
    }
    check_required(c, path, map, diags);
}

/* ---- loading ---- */

int config_load_mem(struct config **out, const char *name, const char *text, size_t len,
                    struct diag_list *diags)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c)
        return ERR_NOMEM;
    atomic_init(&c->holders, 1);
    unsigned before = diags->errors;
    int err = tree_read(&c->tree, name, text, len, diags);
    if (!err) {
        const char *slash = strrchr(name, '/');
        char *folder =
            slash ? arena_strdup(&c->tree.arena, name) : arena_strdup(&c->tree.arena, ".");
        if (folder && slash)
            folder[slash == name ? 1 : slash - name] = 0;
        c->folder = folder;
        check_map(c, "", c->tree.root, diags);
        err = !folder ? ERR_NOMEM : diags->errors > before ? ERR_SYNTAX : 0;
    }
    if (err) {
        config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

static int config_read_fd(int fd, char **text, size_t *len)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_of_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_NOT_FILE;
    if (st.st_size > CONFIG_FILE_MAX)
        return ERR_INVALID;
    *text = malloc((size_t)st.st_size + 1);
    if (!*text)
        return ERR_NOMEM;
    *len = 0;
    while (*len < (size_t)st.st_size) {
        ssize_t n = read(fd, *text + *len, (size_t)st.st_size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    return 0;
}

int config_load(struct config **c, const char *path, struct diag_list *diags)
{
    char *text = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? err_of_errno(errno) : config_read_fd(fd, &text, &len);
    if (fd >= 0)
        close(fd);
    if (err)
        diag_add(diags, DIAG_ERROR, &(struct diag_at){.file = path, .hint = err_remedy(err)},
                 "cannot be read: %s", err_text(err));
    else
        err = config_load_mem(c, path, text, len, diags);
    free(text);
    return err;
}

struct config *config_share(struct config *c)
{
    atomic_fetch_add(&c->holders, 1);
    return c;
}

void config_free(struct config *c)
{
    if (!c || atomic_fetch_sub(&c->holders, 1) > 1)
        return;
    tree_free(&c->tree);
    free(c);
}

const char *config_folder(const struct config *c)
{
    return c->folder;
}

const char *config_path(const struct config *c, const char *path, char *out, size_t cap)
{
    bool whole = *path == '/';
    snprintf(out, cap, "%s%s%s", whole ? "" : config_folder(c), whole ? "" : "/", path);
    return out;
}

/* ---- answers by path ---- */

/* Behind the last "[]." or "*.". */
static const char *behind_item(const char *path)
{
    const char *p = path;
    for (const char *at = path; *at; at++)
        if ((at[0] == ']' || at[0] == '*') && at[1] == '.')
            p = at + 2;
    return p;
}

/* Does a plain value where the first `len` octets of path lead stand for this key below it? */
static bool is_brief(const struct config_node *n, const char *path, size_t len, const char *key)
{
    char above[CONFIG_PATH_MAX];
    if (n->kind == TREE_SCALAR && !*n->text)
        return false;
    if (len > 2 && path[len - 1] == '*')
        len -= 2; /* the row of a NAMED map says it of its values */
    snprintf(above, sizeof above, "%.*s", (int)len, path);
    const struct config_option *o = config_option_find(above);
    return o && o->brief && !strcmp(o->brief, key);
}

const struct config_node *config_node(const struct config *c, const struct config_node *item,
                                      const char *path)
{
    const struct config_node *n = item ? item : c->tree.root;
    const char *p = item ? behind_item(path) : path;
    while (n && *p) {
        char key[CONFIG_PATH_MAX];
        size_t len = strcspn(p, ".");
        snprintf(key, sizeof key, "%.*s", (int)len, p);
        if (n->kind == TREE_MAP)
            n = tree_child(n, key);
        else if (p == path || !is_brief(n, path, (size_t)(p - path) - 1, key))
            n = NULL;
        p += len + (p[len] == '.');
    }
    return n;
}

unsigned config_items(const struct config *c, const char *path)
{
    const struct config_node *n = config_node(c, NULL, path);
    return n && n->kind == TREE_SEQ ? n->count : 0;
}

static const struct config_node *nth(const struct config_node *n, unsigned i)
{
    const struct config_node *it = n && n->kind == TREE_SEQ ? n->child : NULL;
    while (it && i--)
        it = it->next;
    return it;
}

const struct config_node *config_item(const struct config *c, const char *path, unsigned i)
{
    return nth(config_node(c, NULL, path), i);
}

const struct config_node *config_next(const struct config_node *item)
{
    return item->next;
}

const char *config_text(const struct config *c, const struct config_node *item, const char *path)
{
    const struct config_node *n = config_node(c, item, path);
    const struct config_option *o = config_option_find(path);
    return n && n->kind == TREE_SCALAR ? n->text : o ? o->def : NULL;
}

bool config_bool(const struct config *c, const struct config_node *item, const char *path)
{
    const char *text = config_text(c, item, path);
    return text && parse_bool(text) == 1;
}

int64_t config_int(const struct config *c, const struct config_node *item, const char *path)
{
    const struct config_option *o = config_option_find(path);
    const char *text = config_text(c, item, path);
    int64_t v = 0;
    if (o && text)
        value_wrong(o, text, &v);
    return v;
}

struct addr config_addr(const struct config *c, const struct config_node *item, const char *path,
                        uint16_t port)
{
    struct addr a = {.family = 0};
    const char *text = config_text(c, item, path);
    if (!text || addr_parse_port(&a, text, port))
        a = (struct addr){.family = 0};
    return a;
}

bool config_position(const struct config *c, const struct config_node *item, const char *path,
                     float at[2])
{
    const struct config_node *n = config_node(c, item, path);
    return n && parse_position(n, at);
}

unsigned config_count(const struct config *c, const struct config_node *item, const char *path)
{
    const struct config_node *n = config_node(c, item, path);
    if (n && n->kind == TREE_SEQ)
        return n->count;
    return config_text(c, item, path) ? 1 : 0;
}

const struct config_node *config_node_at(const struct config *c, const struct config_node *item,
                                         const char *path, unsigned i)
{
    const struct config_node *n = config_node(c, item, path);
    return n && n->kind == TREE_SEQ ? nth(n, i) : i ? NULL : n;
}

const char *config_text_at(const struct config *c, const struct config_node *item, const char *path,
                           unsigned i)
{
    const struct config_node *n = config_node_at(c, item, path, i);
    return n ? n->text : i ? NULL : config_text(c, item, path);
}
