/* resolver/item_priv.h: an entry of the record cache as one small block.
 * The head has what a search, a queue and an expiry need; all else is packed behind it in the
 * fewest octets: a field that is as usual (class IN, the key's type, the entry's TTL, port 53) is a
 * bit. A copy of the data is all that a reader needs. Threads: the shard's lock. Owner: the cache;
 * free() ends it. */
#ifndef WAYPOST_RESOLVER_ITEM_PRIV_H
#define WAYPOST_RESOLVER_ITEM_PRIV_H

#include "base/list.h"
#include "resolver/cache.h"

enum { ITEM_NET_OCTETS = 16 };

struct item_key {
    const uint8_t *name; /* wire, any case */
    uint32_t hash;
    uint16_t type;
    uint8_t kind, plane;
    uint8_t family, scope; /* of the network's entry; 0: everybody's */
    const uint8_t *net;    /* ITEM_NET_OCTETS, when there is a scope */
};

struct item {
    struct item *next; /* of the bucket's chain */
    struct list queue;
    uint32_t hash;
    uint32_t expires_s; /* the clock's low bits */
    uint32_t ttl_s;     /* as stored */
    uint16_t type;
    uint16_t data_size; /* octets of data */
    uint32_t kind : 3, plane : 8, rank : 3;
    uint32_t freq : 2, in_main : 1; /* of the cache's queues */
    uint32_t told : 1, has_net : 1, has_sigs : 1, has_failure : 1, origin : 2, proof_count : 5;
    /* Key name in lower case; network, family, scope; origin; failure; sets. */
    uint8_t data[];
};

/* The hash is for the caller to put. NULL: out of memory. */
struct item *item_new(const struct item_key *k, const struct cache_entry *e, int64_t now_s);
bool item_is(const struct item *i, const struct item_key *k);
/* Seconds left. The clock may go back (the wall's, after a bad battery): what was stored more than
 * its TTL ahead of now is of no known age, has 0 left, and would otherwise live until the clock has
 * caught up. */
int64_t item_left(const struct item *i, int64_t now_s);
/* The network's address, then family and scope; NULL: everybody's. */
const uint8_t *item_net(const struct item *i);
/* What the caller sees of an item whose data lies at `data` (in place, or the caller's copy); proof
 * has room for its sets. */
struct cache_entry item_view(const struct item *i, const uint8_t *data, struct dns_rrset *proof,
                             int64_t now_s);
/* Octets that the heap gives for it. */
uint64_t item_bytes(const struct item *i);

#endif
