#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag_list *d)
{
    memset(d, 0, sizeof *d);
}

static void diag_free(struct diag *e)
{
    free(e->file);
    free(e->text);
    free(e->source);
    free(e->hint);
    free(e);
}

void diag_fini(struct diag_list *d)
{
    while (d->first) {
        struct diag *e = d->first;
        d->first = e->next;
        diag_free(e);
    }
    diag_init(d);
}

static char *diag_copy(const char *text, size_t len)
{
    char *copy = text ? malloc(len + 1) : NULL;
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = 0;
    }
    return copy;
}

void diag_add(struct diag_list *d, enum diag_level level, const struct diag_at *at, const char *fmt,
              ...)
{
    static const struct diag_at nowhere = {0};
    if (level == DIAG_ERROR)
        d->errors++;
    else if (level == DIAG_WARNING)
        d->warnings++;
    struct diag *e = d->kept < DIAG_KEEP ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        d->hidden++;
        return;
    }
    at = at ? at : &nowhere;
    e->level = level;
    e->line = at->line;
    e->column = at->column;
    e->width = at->width ? at->width : 1;
    e->file = diag_copy(at->file, at->file ? strlen(at->file) : 0);
    e->source = diag_copy(at->source, at->source_len);
    e->hint = diag_copy(at->hint, at->hint ? strlen(at->hint) : 0);
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&e->text, fmt, ap) < 0)
        e->text = NULL;
    va_end(ap);
    if (d->last)
        d->last->next = e;
    else
        d->first = e;
    d->last = e;
    d->kept++;
}

void diag_move(struct diag_list *d, struct diag_list *from)
{
    d->errors += from->errors;
    d->warnings += from->warnings;
    d->hidden += from->hidden;
    if (from->first) {
        if (d->last)
            d->last->next = from->first;
        else
            d->first = from->first;
        d->last = from->last;
        d->kept += from->kept;
    }
    diag_init(from);
}

int diag_format(const struct diag *e, char *out, size_t cap)
{
    static const char *const levels[] = {"error", "warning", "note"};
    char place[64] = "";
    if (e->line && e->column)
        snprintf(place, sizeof place, ":%u:%u", e->line, e->column);
    else if (e->line)
        snprintf(place, sizeof place, ":%u", e->line);
    return snprintf(out, cap, "%s%s%s%s: %s", e->file ? e->file : "", place, e->file ? ": " : "",
                    levels[e->level], e->text ? e->text : "out of memory");
}

static void diag_print_source(const struct diag *e, FILE *out)
{
    size_t len = strcspn(e->source, "\r\n");
    size_t column = e->column && e->column <= len + 1 ? e->column : 0;
    fprintf(out, "%5u | %.*s\n", e->line, (int)len, e->source);
    if (!column) {
        if (e->hint)
            fprintf(out, "      | %s\n", e->hint);
        return;
    }
    fputs("      | ", out);
    for (size_t i = 0; i + 1 < column; i++)
        fputc(e->source[i] == '\t' ? '\t' : ' ', out);
    size_t width = e->width, room = len + 1 - column;
    width = width > room && room ? room : width;
    fputc('^', out);
    for (size_t i = 1; i < width; i++)
        fputc('~', out);
    fprintf(out, "%s%s\n", e->hint ? " " : "", e->hint ? e->hint : "");
}

unsigned diag_print(const struct diag_list *d, FILE *out, int colour)
{
    static const char *const colours[] = {"\033[31m", "\033[33m", "\033[36m"};
    for (const struct diag *e = d->first; e; e = e->next) {
        char line[1200];
        diag_format(e, line, sizeof line);
        fprintf(out, "%s%s%s\n", colour ? colours[e->level] : "", line, colour ? "\033[0m" : "");
        if (e->source)
            diag_print_source(e, out);
        else if (e->hint)
            fprintf(out, "      | %s\n", e->hint);
    }
    if (d->hidden)
        fprintf(out, "(%u more not shown)\n", d->hidden);
    return d->errors;
}
