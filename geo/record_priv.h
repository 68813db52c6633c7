/* geo/record_priv.h: the data section of a MaxMind database: a record becomes a place.
 * libmaxminddb before 1.13 follows nested values by recursion and shared ones again and again, as
 * deep and as often as a file says; so this decoder is our own: what is not wanted is skipped
 * without a stack, what is wanted lies at a depth that the rows of record.c fix, and every value
 * looked at costs one of a bounded number of steps.
 * Threads: the owner's. Source: MaxMind DB file format 2.0, "Output Data Section". */
#ifndef WAYPOST_GEO_RECORD_H
#define WAYPOST_GEO_RECORD_H

#include "places_priv.h"

struct record_reader {
    const uint8_t *data; /* the section; pointers count from here */
    size_t len;
    uint64_t steps;      /* left */
    const char *why;     /* of the last ERR_INVALID or ERR_LIMIT; constant */
    size_t at;           /* where in the section that was */
    unsigned odd;        /* known keys whose values are of another type or out of range */
    const char *odd_key; /* the first of them */
    size_t odd_at;       /* and where it is */
};

/* What the tree needs to know before anything else looks at the file. */
struct record_metadata {
    uint64_t nodes, record_bits, ip_version, major;
};

/* Steps for a data section of this size: what real databases need, many times over. */
uint64_t record_steps(size_t len);
/* The place at an offset of the section. ERR_INVALID: corrupt; ERR_NOMEM, ERR_LIMIT. */
int record_place(struct record_reader *r, size_t at, struct places *texts, struct geo_place *place);
/* The reader's section is the metadata. Checks all of it, also what it does not want: bounds,
 * depth, pointers and number of values are then harmless to any other reader. ERR_INVALID. */
int record_metadata(struct record_reader *r, struct record_metadata *m);

/* UTF-8 (RFC 3629) without control characters: such texts end up on terminals and in logs. */
bool record_text_is_clean(const uint8_t *p, size_t len);

#endif
