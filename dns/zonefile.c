/* dns/zonefile.c: master files, one logical line at a time.
 * Most records are a plain line, which is read where it stands. Of others the scanner joins the
 * lines inside parentheses into one text without comments, remembering where each octet came from,
 * so that a complaint deep inside a record still names its own line and column. */
#include "dns/zonefile.h"

#include "base/block.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONEFILE_ERRORS   100
#define ZONEFILE_LINE_MAX (256u << 10) /* a joined record */
#define GENERATE_MAX      (1u << 20)   /* records of one $GENERATE */

struct reader {
    const struct zonefile_options *o;
    zonefile_fn *fn;
    void *arg;
    struct diag_list *diags;
    unsigned errors;
    unsigned depth;
    /* as the directives left them */
    uint8_t origin[DNS_NAME_MAX], owner[DNS_NAME_MAX];
    bool has_owner, bad_owner, has_ttl, has_last_ttl;
    uint32_t ttl, last_ttl;
    uint8_t *rdata; /* DNS_RDATA_MAX */
    /* the file being read */
    const char *name, *start, *at, *end;
    unsigned line;
    /* the record: its text, in the file or joined, and then the place each octet came from */
    const char *text;
    size_t len;
    bool is_joined;
    char *joined;
    const char **from;
    unsigned first_line;
};

/* ---- complaints ---- */

/* Only for errors: counts back from the line the reader stands in. */
static unsigned line_of(const struct reader *r, const char *p)
{
    unsigned line = r->line;
    for (const char *q = r->at; q > p;)
        if (*--q == '\n')
            line--;
    return line;
}

static int complain(struct reader *r, const char *p, const char *what)
{
    struct diag_at at = {.file = r->name, .line = r->first_line};
    if (p) {
        const char *start = p, *nl;
        at.line = line_of(r, p);
        while (start > r->start && start[-1] != '\n')
            start--;
        nl = memchr(start, '\n', (size_t)(r->end - start));
        at.source = start;
        at.source_len = (size_t)((nl ? nl : r->end) - start);
        at.column = (unsigned)(p - start) + 1;
    }
    diag_add(r->diags, DIAG_ERROR, &at, "%s", what);
    return ++r->errors >= (r->o->max_errors ? r->o->max_errors : ZONEFILE_ERRORS) ? ERR_LIMIT : 0;
}

int zonefile_ttl(const char *text, size_t len, uint32_t *ttl)
{
    uint64_t total = 0, n = 0;
    bool digits = false;
    for (size_t i = 0; i < len; i++) {
        char c = (char)(text[i] | 0x20);
        if (text[i] >= '0' && text[i] <= '9') {
            n = n * 10 + (uint64_t)(text[i] - '0');
            digits = true;
            if (n > UINT32_MAX)
                return ERR_RANGE;
            continue;
        }
        uint64_t unit = c == 's'   ? 1
                        : c == 'm' ? 60
                        : c == 'h' ? 3600
                        : c == 'd' ? 86400
                        : c == 'w' ? 604800
                                   : 0;
        if (!unit || !digits)
            return ERR_SYNTAX;
        total += n * unit;
        n = 0;
        digits = false;
    }
    if (!len || (!digits && !total && n))
        return ERR_SYNTAX;
    total += digits ? n : 0;
    if (total > UINT32_MAX)
        return ERR_RANGE;
    *ttl = (uint32_t)total;
    return 0;
}

/* NULL, or what is wrong. */
static const char *read_ttl(const char *text, size_t len, uint32_t *ttl)
{
    int err = zonefile_ttl(text, len, ttl);
    if (err == ERR_RANGE || (!err && *ttl > INT32_MAX))
        return "a TTL is at most 2147483647"; /* RFC 2181 8 */
    return err ? "not a TTL" : NULL;
}

/* ---- one logical line ---- */

static void join(struct reader *r, char c, const char *from)
{
    if (r->len < ZONEFILE_LINE_MAX) {
        r->joined[r->len] = c;
        r->from[r->len] = from;
    }
    r->len++;
}

/* Up to the end of the record; false at the end of the file. */
static bool join_line(struct reader *r, const char **wrong, const char **where)
{
    unsigned open = 0;
    bool quoted = false;
    if (r->at == r->end)
        return false;
    r->text = r->joined;
    r->len = 0;
    r->first_line = r->line;
    while (r->at < r->end) {
        const char *p = r->at++;
        char c = *p;
        if (c == '\n') {
            r->line++;
            if (quoted && !*wrong) {
                *wrong = "a quote is not closed in its line";
                *where = p;
            }
            quoted = false;
            if (!open)
                return true;
            join(r, ' ', p);
        } else if (c == '\\' && r->at < r->end && *r->at != '\n') {
            join(r, c, p);
            join(r, *r->at, r->at);
            r->at++;
        } else if (c == '"') {
            quoted = !quoted;
            join(r, c, p);
        } else if (quoted) {
            join(r, c, p);
        } else if (c == ';') {
            const char *nl = memchr(p, '\n', (size_t)(r->end - p));
            r->at = nl ? nl : r->end;
        } else if (c == '(') {
            open++;
            join(r, ' ', p);
        } else if (c == ')') {
            if (!open) {
                *wrong = "a parenthesis closes that was not open";
                *where = p;
            } else {
                open--;
            }
            join(r, ' ', p);
        } else {
            join(r, c == '\r' ? ' ' : c, p);
        }
    }
    if ((open || quoted) && !*wrong) {
        *wrong = open ? "a parenthesis is not closed" : "a quote is not closed";
        *where = r->end;
    }
    return true;
}

/* The newline, when nothing before it has to be joined or left out; else NULL. */
static const char *plain_end(const char *p, const char *end)
{
    static const bool stops[256] = {['\n'] = true, ['\r'] = true, ['\\'] = true, ['"'] = true,
                                    [';'] = true,  ['('] = true,  [')'] = true};
    while (p < end && !stops[(uint8_t)*p])
        p++;
    return p < end && *p == '\n' ? p : NULL;
}

/* The next record; false at the end of the file. *wrong and *where tell what is broken. */
static bool next_line(struct reader *r, const char **wrong, const char **where)
{
    const char *end = plain_end(r->at, r->end);
    *wrong = NULL;
    r->is_joined = !end;
    if (!end)
        return join_line(r, wrong, where);
    r->first_line = r->line++;
    r->text = r->at;
    r->len = (size_t)(end - r->at);
    r->at = end + 1;
    return true;
}

struct word {
    const char *at;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool next_word(struct reader *r, size_t *pos, struct word *w)
{
    const char *p = r->text + *pos, *end = r->text + r->len;
    while (p < end && is_blank(*p))
        p++;
    w->at = p;
    while (p < end && !is_blank(*p))
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    w->len = (size_t)(p - w->at);
    *pos = (size_t)(p - r->text);
    return w->len != 0;
}

static bool word_is(const struct word *w, const char *text)
{
    return w->len == strlen(text) && strncasecmp(w->at, text, w->len) == 0;
}

/* ---- records ---- */

struct record {
    const uint8_t *owner;
    uint32_t ttl;
    bool has_ttl;
    int type, cls;
    size_t rest; /* offset of the RDATA text */
};

/* [TTL] [class] type, in either order. NULL or what is wrong at *at. */
static const char *read_head(struct reader *r, size_t *pos, struct record *rec, const char **at)
{
    struct word w = {0};
    bool has_class = false;
    rec->cls = DNS_CLASS_IN;
    rec->has_ttl = false;
    while (next_word(r, pos, &w)) {
        *at = w.at;
        if (!rec->has_ttl && *w.at >= '0' && *w.at <= '9') {
            const char *wrong = read_ttl(w.at, w.len, &rec->ttl);
            if (wrong)
                return wrong;
            rec->has_ttl = true;
            continue;
        }
        int cls = has_class ? ERR_SYNTAX : dns_class_parse(w.at, w.len);
        if (cls >= 0 && !word_is(&w, "ANY")) {
            rec->cls = cls;
            has_class = true;
        } else {
            rec->type = dns_type_parse(w.at, w.len);
            rec->rest = *pos;
            if (rec->type < 0)
                return "unknown record type";
            return dns_type_is_meta((uint16_t)rec->type) && rec->type != DNS_TYPE_SPF
                       ? "this type cannot be in a zone"
                       : NULL;
        }
    }
    *at = NULL;
    return "a record needs a type";
}

static const char *take_ttl(struct reader *r, struct record *rec)
{
    if (rec->has_ttl)
        r->last_ttl = rec->ttl;
    else if (r->has_ttl)
        rec->ttl = r->ttl;
    else if (r->has_last_ttl)
        rec->ttl = r->last_ttl;
    else if (r->o->default_ttl != UINT32_MAX)
        rec->ttl = r->o->default_ttl;
    else if (rec->type != DNS_TYPE_SOA)
        return "no TTL: write $TTL at the top";
    else
        rec->ttl = UINT32_MAX; /* its own minimum, known after its RDATA was read */
    if (rec->has_ttl)
        r->has_last_ttl = true;
    return NULL;
}

static const char *place(const struct reader *r, const char *in_text)
{
    size_t i = in_text ? (size_t)(in_text - r->text) : r->len;
    i = i < r->len ? i : r->len - 1;
    return !r->len ? NULL : r->is_joined ? r->from[i] : r->text + i;
}

static int give_record(struct reader *r, struct record *rec)
{
    size_t bad = 0;
    const char *why = "";
    int n = dns_rdata_parse((uint16_t)rec->type, r->text + rec->rest, r->len - rec->rest, r->origin,
                            r->rdata, DNS_RDATA_MAX, &bad, &why);
    if (n < 0)
        return complain(r, place(r, r->text + rec->rest + bad), why);
    if (rec->ttl == UINT32_MAX && n >= 4) {
        rec->ttl = get_u32(r->rdata + n - 4);
        rec->ttl = rec->ttl > INT32_MAX ? INT32_MAX : rec->ttl;
        r->last_ttl = rec->ttl;
        r->has_last_ttl = true;
    }
    struct zonefile_rr rr = {.owner = rec->owner,
                             .rdata = r->rdata,
                             .ttl = rec->ttl,
                             .type = (uint16_t)rec->type,
                             .cls = (uint16_t)rec->cls,
                             .rdlen = (uint16_t)n,
                             .file = r->name,
                             .line = r->first_line,
                             .reader = r};
    return r->fn(r->arg, &rr);
}

int zonefile_complain(const struct zonefile_rr *rr, const char *what)
{
    struct reader *r = rr->reader;
    size_t pos = 0;
    struct word w = {0};
    return complain(r, next_word(r, &pos, &w) ? place(r, w.at) : NULL, what);
}

static int read_record(struct reader *r)
{
    size_t pos = 0;
    struct word w = {0};
    struct record rec = {0};
    const char *at = NULL, *wrong;
    if (!is_blank(r->text[0])) {
        next_word(r, &pos, &w);
        int n = dns_name_parse(r->owner, w.at, w.len, r->origin);
        r->has_owner = n >= 0;
        r->bad_owner = n < 0;
        if (n < 0)
            return complain(r, place(r, w.at), err_text(n));
    } else if (r->bad_owner) {
        return 0; /* said already */
    } else if (!r->has_owner) {
        return complain(r, place(r, r->text), "the first record needs an owner");
    }
    rec.owner = r->owner;
    wrong = read_head(r, &pos, &rec, &at);
    wrong = wrong ? wrong : take_ttl(r, &rec);
    if (wrong)
        return complain(r, place(r, at), wrong);
    return give_record(r, &rec);
}

/* ---- directives ---- */

static int read_text(struct reader *r, const char *name, const char *text, size_t len,
                     unsigned line);
static int load(const char *path, struct block *text, size_t *len);

/* "$", "${offset,width,base}", "\$" replaced for one value. Length, or negative when it does not
 * fit or is wrong. */
static int expand(const struct word *t, long value, char *out, size_t cap)
{
    size_t n = 0;
    for (const char *p = t->at, *e = p + t->len; p < e;) {
        char num[64];
        if (*p == '\\' && p + 1 < e && p[1] == '$') {
            snprintf(num, sizeof num, "$");
            p += 2;
        } else if (*p != '$') {
            num[0] = *p++;
            num[1] = 0;
        } else {
            long offset = 0;
            unsigned width = 0;
            char base = 'd';
            p++;
            if (p < e && *p == '{') {
                const char *close = memchr(p, '}', (size_t)(e - p));
                char spec[32];
                if (!close || (size_t)(close - p) > sizeof spec)
                    return ERR_SYNTAX;
                snprintf(spec, sizeof spec, "%.*s", (int)(close - p - 1), p + 1);
                if (sscanf(spec, "%ld,%u,%c", &offset, &width, &base) < 1 || width > 32)
                    return ERR_SYNTAX;
                p = close + 1;
            }
            const char *fmt = base == 'd'   ? "%0*ld"
                              : base == 'x' ? "%0*lx"
                              : base == 'X' ? "%0*lX"
                              : base == 'o' ? "%0*lo"
                                            : NULL;
            if (!fmt)
                return ERR_SYNTAX;
            snprintf(num, sizeof num, fmt, (int)width,
                     value + offset); /* NOLINT(clang-diagnostic-format-nonliteral) */
        }
        size_t len = strlen(num);
        if (n + len >= cap)
            return ERR_SPACE;
        memcpy(out + n, num, len + 1);
        n += len;
    }
    return (int)n;
}

struct range {
    long from, to, step;
};

/* Digits up to INT32_MAX; false: none, or too many. */
static bool take_number(const char **p, const char *end, long *n)
{
    const char *first = *p;
    *n = 0;
    for (; *p < end && **p >= '0' && **p <= '9' && *n <= INT32_MAX; ++*p)
        *n = *n * 10 + (**p - '0');
    return *p > first && *n <= INT32_MAX;
}

/* start-stop[/step] */
static bool take_range(const struct word *w, struct range *g)
{
    const char *p = w->at, *end = p + w->len;
    g->step = 1;
    if (!take_number(&p, end, &g->from) || p == end || *p++ != '-' || !take_number(&p, end, &g->to))
        return false;
    if (p < end && (*p++ != '/' || !take_number(&p, end, &g->step)))
        return false;
    return p == end && g->step && g->from <= g->to && (g->to - g->from) / g->step < GENERATE_MAX;
}

/* The lines of one $GENERATE, each read at the place of the directive. */
static int generate_lines(struct reader *r, const struct range *g, const struct word *lhs,
                          const struct word *rest, char *line)
{
    unsigned errors = r->errors, first = r->first_line;
    int err = 0;
    for (long i = g->from; !err && i <= g->to && r->errors == errors; i += g->step) {
        int a = expand(lhs, i, line, DNS_NAME_TEXT_MAX);
        int b = a < 0 ? a : expand(rest, i, line + a + 1, ZONEFILE_LINE_MAX - 1);
        if (b < 0)
            return complain(r, NULL, "$GENERATE: a template is wrong");
        line[a] = ' ';
        struct reader keep = *r;
        err = read_text(r, keep.name, line, (size_t)(a + 1 + b), first);
        r->start = keep.start;
        r->at = keep.at;
        r->end = keep.end;
        r->line = keep.line;
        r->first_line = first;
    }
    return err;
}

/* $GENERATE start-stop[/step] lhs [ttl] [class] type rhs: written out and read like any text. */
static int generate(struct reader *r, size_t pos)
{
    struct word range, lhs;
    struct range g;
    if (!next_word(r, &pos, &range) || !next_word(r, &pos, &lhs))
        return complain(r, NULL, "$GENERATE needs a range, a name, a type and data");
    if (!take_range(&range, &g))
        return complain(r, place(r, range.at), "not a range: start-stop/step");
    struct word rest = {r->text + pos, r->len - pos};
    /* Reading the lines uses the reader's text: what they are made from is copied first. */
    char *copy = malloc(lhs.len + rest.len + 1);
    char *line = malloc(DNS_NAME_TEXT_MAX + ZONEFILE_LINE_MAX);
    int err = ERR_NOMEM;
    if (copy && line) {
        memcpy(copy, lhs.at, lhs.len);
        memcpy(copy + lhs.len, rest.at, rest.len);
        lhs.at = copy;
        rest.at = copy + lhs.len;
        err = generate_lines(r, &g, &lhs, &rest, line);
    }
    free(copy);
    free(line);
    return err;
}

/* The word without its quotes, from the folder of the file being read. */
static void include_path(const struct reader *r, struct word file, char *path, size_t cap)
{
    const char *slash = strrchr(r->name, '/');
    if (file.len >= 2 && *file.at == '"' && file.at[file.len - 1] == '"')
        file = (struct word){file.at + 1, file.len - 2};
    if ((file.len && *file.at == '/') || !slash)
        snprintf(path, cap, "%.*s", (int)file.len, file.at);
    else
        snprintf(path, cap, "%.*s/%.*s", (int)(slash - r->name), r->name, (int)file.len, file.at);
}

static int include(struct reader *r, size_t pos)
{
    struct word file, origin;
    char path[4096];
    struct block text;
    size_t len;
    uint8_t base[DNS_NAME_MAX];
    if (!next_word(r, &pos, &file))
        return complain(r, NULL, "$INCLUDE needs a file");
    if (r->depth >= r->o->include_depth)
        return complain(r, place(r, file.at),
                        r->o->include_depth ? "$INCLUDE is nested too deeply"
                                            : "$INCLUDE is not allowed here");
    include_path(r, file, path, sizeof path);
    int err = load(path, &text, &len);
    if (err) {
        char what[sizeof path + 64];
        block_free(&text);
        snprintf(what, sizeof what, "%s cannot be read: %s", path, err_text(err));
        return complain(r, place(r, file.at), what);
    }
    dns_name_copy(base, r->origin);
    if (next_word(r, &pos, &origin)) {
        int n = dns_name_parse(r->origin, origin.at, origin.len, base);
        if (n < 0) {
            dns_name_copy(r->origin, base);
            block_free(&text);
            return complain(r, place(r, origin.at), err_text(n));
        }
    }
    struct reader keep = *r;
    r->depth++;
    err = read_text(r, path, (const char *)text.at, len, 1);
    block_free(&text);
    /* RFC 1035 5.1: origin and owner of the including file come back. */
    r->depth = keep.depth;
    r->name = keep.name;
    r->start = keep.start;
    r->at = keep.at;
    r->end = keep.end;
    r->line = keep.line;
    memcpy(r->owner, keep.owner, sizeof r->owner);
    r->has_owner = keep.has_owner;
    r->bad_owner = keep.bad_owner;
    dns_name_copy(r->origin, base);
    return err;
}

static int directive(struct reader *r)
{
    size_t pos = 0;
    struct word w = {0}, v = {0};
    next_word(r, &pos, &w);
    if (word_is(&w, "$GENERATE"))
        return generate(r, pos);
    if (word_is(&w, "$INCLUDE"))
        return include(r, pos);
    if (!next_word(r, &pos, &v))
        return complain(r, place(r, w.at), "a directive needs a value");
    if (word_is(&w, "$TTL")) {
        uint32_t ttl;
        const char *wrong = read_ttl(v.at, v.len, &ttl);
        if (wrong)
            return complain(r, place(r, v.at), wrong);
        r->ttl = ttl;
        r->has_ttl = true;
        return 0;
    }
    if (word_is(&w, "$ORIGIN")) {
        uint8_t name[DNS_NAME_MAX];
        int n = dns_name_parse(name, v.at, v.len, r->origin);
        if (n < 0)
            return complain(r, place(r, v.at), err_text(n));
        dns_name_copy(r->origin, name);
        return 0;
    }
    return complain(r, place(r, w.at), "unknown directive");
}

/* ---- files ---- */

static bool all_blank(const struct reader *r)
{
    for (size_t i = 0; i < r->len; i++)
        if (!is_blank(r->text[i]))
            return false;
    return true;
}

/* line: where it begins. */
static int read_text(struct reader *r, const char *name, const char *text, size_t len,
                     unsigned line)
{
    const char *wrong, *where = NULL;
    int err = 0;
    r->name = name;
    r->start = r->at = text;
    r->end = text + len;
    r->line = line;
    while (!err && next_line(r, &wrong, &where)) {
        if (wrong)
            err = complain(r, where, wrong);
        else if (r->len > ZONEFILE_LINE_MAX)
            err = complain(r, NULL, "the record is too long");
        else if (all_blank(r))
            continue;
        else
            err = r->text[0] == '$' ? directive(r) : read_record(r);
    }
    return err;
}

/* text: to be freed by the caller, also after an error. */
static int load(const char *path, struct block *text, size_t *len)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 || fstat(fd, &st) ? err_of_errno(errno)
              : S_ISREG(st.st_mode)    ? 0
                                       : ERR_INVALID;
    *text = (struct block){0};
    *len = 0;
    err = err ? err : block_resize(text, (size_t)st.st_size + 1);
    while (!err && *len < (size_t)st.st_size) {
        ssize_t n = read(fd, text->at + *len, (size_t)st.st_size - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = err_of_errno(errno);
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

static int read_file(struct reader *r, const char *path)
{
    struct block text;
    size_t len;
    int err = load(path, &text, &len);
    if (err) {
        diag_add(r->diags, DIAG_ERROR, &(struct diag_at){.file = path}, "cannot be read: %s",
                 err_text(err));
        r->errors++;
    } else {
        err = read_text(r, path, (const char *)text.at, len, 1);
    }
    block_free(&text);
    return err;
}

static int with_reader(const struct zonefile_options *o, zonefile_fn *fn, void *arg,
                       struct diag_list *diags, const char *name, const char *text, size_t len)
{
    struct reader *r = calloc(1, sizeof *r);
    int err = ERR_NOMEM;
    if (r) {
        r->o = o;
        r->fn = fn;
        r->arg = arg;
        r->diags = diags;
        r->rdata = malloc(DNS_RDATA_MAX);
        r->joined = malloc(ZONEFILE_LINE_MAX);
        r->from = malloc(ZONEFILE_LINE_MAX * sizeof *r->from);
        dns_name_copy(r->origin, o->origin);
        if (r->rdata && r->joined && r->from)
            err = text ? read_text(r, name, text, len, 1) : read_file(r, name);
        if (r->errors && (!err || err == ERR_LIMIT))
            err = ERR_SYNTAX;
        free(r->rdata);
        free(r->joined);
        free(r->from);
        free(r);
    }
    return err;
}

int zonefile_read(const char *path, const struct zonefile_options *o, zonefile_fn *fn, void *arg,
                  struct diag_list *diags)
{
    return with_reader(o, fn, arg, diags, path, NULL, 0);
}

int zonefile_read_mem(const char *name, const char *text, size_t len,
                      const struct zonefile_options *o, zonefile_fn *fn, void *arg,
                      struct diag_list *diags)
{
    return with_reader(o, fn, arg, diags, name, text, len);
}
