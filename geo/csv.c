#include "csv_priv.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void csv_init(struct csv *c, const char *name, const char *text, size_t len, struct diag_list *d)
{
    memset(c, 0, sizeof *c);
    bool marked = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    c->name = name;
    c->at = text + (marked ? 3 : 0);
    c->end = text + len;
    c->d = d;
}

void csv_fini(struct csv *c)
{
    free(c->room);
    c->room = NULL;
}

static int say_at(const struct csv *c, size_t offset, size_t width, const char *what)
{
    diag_add(c->d, DIAG_ERROR,
             &(struct diag_at){.file = c->name,
                               .line = c->line,
                               .column = (unsigned)offset + 1,
                               .source = c->source,
                               .source_len = c->source_len,
                               .width = (unsigned)width},
             "%s", what);
    return ERR_SYNTAX;
}

void csv_say(const struct csv *c, unsigned field, const char *hint, const char *fmt, ...)
{
    const struct csv_field *f = &c->field[field];
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(c->d, DIAG_ERROR,
             &(struct diag_at){.file = c->name,
                               .line = c->line,
                               .column = f->column,
                               .source = c->source,
                               .source_len = c->source_len,
                               .width = f->width,
                               .hint = hint},
             "%s", text);
}

/* The next line that is not blank becomes the source; false: there is none. */
static bool next_line(struct csv *c)
{
    while (c->at < c->end) {
        const char *stop = memchr(c->at, '\n', (size_t)(c->end - c->at));
        c->source = c->at;
        c->source_len = (size_t)((stop ? stop : c->end) - c->at);
        c->at = stop ? stop + 1 : c->end;
        c->line++;
        if (c->source_len && c->source[c->source_len - 1] == '\r')
            c->source_len--;
        if (c->source_len)
            return true;
    }
    return false;
}

/* Behind the closing quote, or 0 after having said what is wrong. */
static size_t read_quoted(struct csv *c, size_t i, struct csv_field *f)
{
    size_t start = i++;
    for (;; f->text[f->len++] = c->source[i++]) {
        if (i == c->source_len)
            return say_at(c, start, i - start, "the quote is not closed on its line"), 0;
        if (c->source[i] == '"' && (++i == c->source_len || c->source[i] != '"'))
            break;
    }
    if (i < c->source_len && c->source[i] != ',')
        return say_at(c, i, 1, "behind a closing quote goes a comma"), 0;
    return i;
}

static int split(struct csv *c)
{
    char *room = c->room;
    for (size_t i = 0;; i++) {
        struct csv_field *f = &c->field[c->count];
        size_t start = i;
        if (c->count++ == CSV_FIELDS)
            return say_at(c, i, 1, "too many fields");
        *f = (struct csv_field){.text = room, .column = (unsigned)i + 1};
        if (i < c->source_len && c->source[i] == '"') {
            if (!(i = read_quoted(c, i, f)))
                return ERR_SYNTAX;
        } else {
            while (i < c->source_len && c->source[i] != ',')
                f->text[f->len++] = c->source[i++];
        }
        f->width = (unsigned)(i - start);
        f->text[f->len] = 0;
        room += f->len + 1;
        if (i == c->source_len)
            return 1;
    }
}

int csv_next(struct csv *c)
{
    c->count = 0;
    if (!next_line(c))
        return 0;
    if (memchr(c->source, 0, c->source_len))
        return say_at(c, 0, 1, "this is no text: there is a zero octet in it");
    /* A field is never longer than in the line, and its comma gives room for its NUL. */
    if (c->source_len + 2 > c->room_size) {
        char *more = realloc(c->room, 2 * c->source_len + 2);
        if (!more)
            return ERR_NOMEM;
        c->room = more;
        c->room_size = 2 * c->source_len + 2;
    }
    return split(c);
}
