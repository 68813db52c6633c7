/* plain_priv.h: what a zone has ready for plain answers. */
#ifndef WAYPOST_PLAIN_PRIV_H
#define WAYPOST_PLAIN_PRIV_H

#include <stdbool.h>
#include <stdint.h>

struct zone;

enum { PLAIN_SOA_MAX = 3 * 255 + 64, PLAIN_POINTERS = 3 };

/* The SOA record of negative answers, written for a question of one name. For a longer one all its
 * compression pointers move by what that is longer. */
struct plain_soa {
    uint16_t len;
    uint16_t ttl_at;
    uint8_t asked_len, pointer_count;
    uint16_t pointers[PLAIN_POINTERS]; /* where */
    uint8_t wire[];
};

/* After a zone's sets and SOA are known. ERR_NOMEM. */
int plain_build(struct zone *z);

#endif
