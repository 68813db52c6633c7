/* wish_priv.h: networks whose answers workers would like to have.
 * A bounded ring, many writers and one reader, no lock: a writer takes a cell by moving the tail,
 * fills it and marks it with its turn; the reader takes cells in order. Full: the wish is dropped,
 * as the client's next question brings it again; and what was wished in this second already is
 * mostly not written a second time. */
#ifndef WAYPOST_GSLB_WISH_PRIV_H
#define WAYPOST_GSLB_WISH_PRIV_H

#include "base/addr.h"

#include <stdatomic.h>

#define WISHES_MAX    1024 /* power of two */
#define WISHES_RECENT 1024 /* power of two */

struct wish {
    uint32_t target;
    struct prefix net;
};
struct wishes {
    _Alignas(64) _Atomic uint32_t tail; /* next turn to be written */
    _Alignas(64) uint32_t head;         /* next to be read: the reader's */
    struct wish_cell {
        _Atomic uint32_t turn; /* t: may be written as turn t; t + 1: was */
        struct wish wish;
    } cells[WISHES_MAX];
    _Atomic uint32_t recent[WISHES_RECENT]; /* hashes of wish and second */
};
void wishes_init(struct wishes *w);
/* Any thread. False: it is there already, or there is no room. */
bool wishes_put(struct wishes *w, const struct wish *wish, uint32_t now_s);
/* The reader. False: there is none. */
bool wishes_take(struct wishes *w, struct wish *out);

#endif
