/* geo/rows_priv.h: networks and their places as somebody wrote them in a CSV file.
 * Threads: the owner's. */
#ifndef WAYPOST_GEO_ROWS_H
#define WAYPOST_GEO_ROWS_H

#include "places_priv.h"

#define ROWS_BLANK UINT32_MAX /* the place of a network of which nothing is said */

struct rows {
    struct rows_row {
        uint8_t ip[16], bits, family;
        uint16_t column; /* of the network */
        unsigned line;
        uint32_t place; /* an index, or ROWS_BLANK */
    } * at;
    size_t count, cap;
    struct places places;
};

/* Afterwards sorted by family and address, the wider network first, each network once. ERR_SYNTAX
 * (all said), ERR_NOMEM, ERR_LIMIT, and what the file system says. rows_fini also after errors. */
int rows_read(struct rows *rows, const char *path, struct diag_list *d);
void rows_fini(struct rows *rows);

#endif
