/* base/diag.h: what is wrong with an input file, said like a compiler.
 * Zone files, configuration and data files collect all their errors here and go on, so that one run
 * shows them all: FILE:LINE:COLUMN: error: TEXT 31 |     the line itself |     ^~~~ HINT Bounded:
 * after DIAG_KEEP entries further ones are only counted. Threads: one owner. Owner: copies every
 * text. */
#ifndef WAYPOST_BASE_DIAG_H
#define WAYPOST_BASE_DIAG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };
#define DIAG_KEEP 200

struct diag_at {
    const char *file;   /* NULL: no place in a file */
    unsigned line;      /* 1-based; 0: the file as a whole */
    unsigned column;    /* 1-based, in bytes; 0: the line as a whole */
    const char *source; /* the source line, up to its newline, or NULL */
    size_t source_len;
    unsigned width;   /* bytes under the caret line; 0 is 1 */
    const char *hint; /* or NULL */
};

struct diag {
    struct diag *next;
    enum diag_level level;
    unsigned line, column, width;
    char *file, *text, *source, *hint; /* file, source, hint may be NULL */
};

struct diag_list {
    struct diag *first, *last;
    unsigned kept;
    unsigned hidden;           /* beyond DIAG_KEEP, or for which there was no memory */
    unsigned errors, warnings; /* all, also those not kept */
};

void diag_init(struct diag_list *d);
void diag_fini(struct diag_list *d);
void diag_add(struct diag_list *d, enum diag_level level, const struct diag_at *at, const char *fmt,
              ...) __attribute__((format(printf, 4, 5)));
/* Moves all of `from` to the end of d; `from` is empty afterwards. */
void diag_move(struct diag_list *d, struct diag_list *from);
/* Prints all in order; returns the number of errors. colour: ANSI colours. */
unsigned diag_print(const struct diag_list *d, FILE *out, int colour);
/* One entry as text without the source lines ("file:1:2: error: text"); returns its length like
 * snprintf. */
int diag_format(const struct diag *e, char *out, size_t cap);

#endif
