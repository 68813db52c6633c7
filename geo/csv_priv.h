/* geo/csv_priv.h: comma-separated values with places, so that every mistake can be pointed at.
 * A record is a line; a field in double quotes may hold commas and doubled quotes, but no line end.
 * Blank lines are passed over, as is a byte order mark. Threads: the owner's. Source: RFC 4180. */
#ifndef WAYPOST_GEO_CSV_H
#define WAYPOST_GEO_CSV_H

#include "base/diag.h"

#define CSV_FIELDS 32

struct csv {
    const char *name, *at, *end; /* the file, the text not read yet */
    struct diag_list *d;
    unsigned line, count;
    struct csv_field {
        char *text; /* unquoted, with a NUL, until the next record */
        size_t len;
        unsigned column, width; /* where it stands in the line */
    } field[CSV_FIELDS];
    const char *source; /* the line itself */
    size_t source_len;
    char *room;
    size_t room_size;
};

/* The text is borrowed. */
void csv_init(struct csv *c, const char *name, const char *text, size_t len, struct diag_list *d);
void csv_fini(struct csv *c);
/* 1: a record; 0: the end; ERR_SYNTAX: said, and the next one may be asked for; ERR_NOMEM. */
int csv_next(struct csv *c);
/* Says what is wrong with a field of this record. hint may be NULL. */
void csv_say(const struct csv *c, unsigned field, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
