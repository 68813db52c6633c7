/* resolver/minimise.h: how much of the name a server gets to see.
 * One label more than the zone it is asked as, until the whole name is out. Threads: plain value.
 * Source: RFC 9156 2.3 (MAX_MINIMISE_COUNT 10, MINIMISE_ONE_LAB 4). */
#ifndef WAYPOST_RESOLVER_MINIMISE_H
#define WAYPOST_RESOLVER_MINIMISE_H

#include <stdbool.h>
#include <stdint.h>

#define MINIMISE_COUNT_MAX 10
#define MINIMISE_ONE_LABEL 4

struct minimise {
    bool on;        /* off: the whole name from now on */
    uint8_t steps;  /* questions made for this name so far */
    uint8_t labels; /* shown in the last one, 0: none yet */
};

void minimise_init(struct minimise *m, bool on);
/* The next question for qname at a server of `zone`: a pointer into qname, and its type. True while
 * it is a shortened one. */
bool minimise_next(struct minimise *m, const uint8_t *zone, const uint8_t *qname, uint16_t qtype,
                   const uint8_t **name, uint16_t *type);

#endif
