/* denial_priv.h: which NSEC or NSEC3 records prove a negative answer.
 * RFC 4035 3.1.3 and RFC 5155 7.2. What depends on the zone alone is computed when it is loaded:
 * each name knows the NSEC3 record at its hash, so that a query hashes only names that do not
 * exist. */
#ifndef WAYPOST_DENIAL_PRIV_H
#define WAYPOST_DENIAL_PRIV_H

#include "dns/dnssec.h"
#include "zone_priv.h"

/* After names, reach and SOA are built. ERR_NOMEM. */
int denial_build(struct zone *z);
void denial_free(struct zone *z);

enum denial_of {
    DENIAL_NAME,          /* no such name, and no wildcard for it */
    DENIAL_TYPE,          /* the node exists, the type does not; also no DS at a cut */
    DENIAL_WILDCARD_TYPE, /* the name does not exist, node is its wildcard, without the type */
    DENIAL_CLOSER         /* node is the wildcard that answered: there is nothing closer */
};

struct denial {
    uint16_t type; /* NSEC or NSEC3, 0: the zone is not signed */
    unsigned count;
    const struct zone_node *nodes[3]; /* owners of the records, each once */
};

/* name: as asked (wire, any case); node: the name's own or the wildcard's; encloser: of the name,
 * when that does not exist. */
void denial_find(const struct zone *z, enum denial_of what, const uint8_t *name,
                 const struct zone_node *node, const struct zone_node *encloser, struct denial *d);

#endif
