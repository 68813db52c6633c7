/* resolver/cache.h: record sets with their rank: tier two, touched on misses only.
 * Shape: shards, each with one lock, a hash table and S3-FIFO queues (a small probation queue, a
 * main queue, ghosts), so that one-time names cannot evict steady ones. A hard byte bound over all
 * shards. Delegations (parent NS, glue, DS state) are kept apart from the child's own NS sets by
 * `kind`: the parent's TTL is never extended by the child. Planes (iterated, each forward zone)
 * never mix: the plane is part of the key. An answer that holds for one network of clients (RFC
 * 7871) is an entry of its own, which only who asks for that network finds. What proves a signed
 * entry lives and dies with it (RFC 4035 4.5), so that who validates gets from here what the
 * authority would give. Threads: any; a get copies into the caller's arena under the shard's lock.
 * Source: RFC 2181 5.4.1, RFC 2308, RFC 4035 4.5, RFC 7871 7.3.1, RFC 8020. */
#ifndef WAYPOST_RESOLVER_CACHE_H
#define WAYPOST_RESOLVER_CACHE_H

#include "base/arena.h"
#include "base/stat.h"
#include "dns/edns.h"
#include "dns/rrset.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;

enum cache_kind {
    CACHE_DATA,       /* a positive set */
    CACHE_NODATA,     /* (name, type) does not exist: SOA */
    CACHE_NXDOMAIN,   /* name does not exist; type is 0: SOA */
    CACHE_DELEGATION, /* NS set from the parent side; type NS */
    CACHE_GLUE, /* addresses from a referral's additional section: used to ask, never to answer */
    CACHE_FAILURE, /* RFC 9520: resolution of (name, type) failed */
};
/* Lower to higher trust (RFC 2181 5.4.1, simplified to what we keep). */
enum cache_rank {
    CACHE_RANK_GLUE,
    CACHE_RANK_REFERRAL,
    CACHE_RANK_ADDITIONAL,
    CACHE_RANK_AUTHORITY,
    CACHE_RANK_ANSWER,
    CACHE_RANK_AA
};

struct cache_key {
    const uint8_t *name; /* wire, any case */
    uint16_t type;
    uint8_t kind;
    uint8_t plane; /* 0 iterated, 1.. forward zones */
    /* NULL: the entry for everybody. Else of a network: put, the first `scope` bits (1 to source);
     * get, the longest entry of those that cover the first `source` bits. */
    const struct edns_subnet *subnet;
};

/* A chain of wildcard aliases that ends in an NXDOMAIN with NSEC3 needs fewer. */
#define CACHE_PROOF_MAX 16

struct cache_entry {
    /* DATA, DELEGATION, GLUE; negative: the SOA set (count may be 0); FAILURE: a TXT of why */
    struct dns_rrset set;
    struct dns_rrset sigs; /* RRSIG over set, count 0 when none */
    /* NSEC, NSEC3 and their RRSIG sets: there is nothing, or nothing closer than the wildcard. */
    const struct dns_rrset *proof;
    unsigned proof_count;
    uint32_t ttl_left;   /* seconds, at the time of the get */
    uint32_t ttl_stored; /* as stored */
    uint8_t rank;        /* enum cache_rank */
    uint8_t rcode;       /* FAILURE: what was answered */
    uint16_t ede;        /* FAILURE: extended error, 0xffff none */
    uint8_t scope;       /* get: bits of the network it holds for; 0: for everybody */
    bool told;           /* for everybody, and said so when a network was told */
    struct {
        uint8_t ip[16];
        uint16_t port;
    } origin; /* server it came from, zeros unknown */
};

/* ERR_RANGE: less than 128 KiB; shards are lowered until each has that. ERR_NOMEM. */
int cache_new(struct cache **c, uint64_t bytes, unsigned shards, uint64_t hash_seed);
void cache_free(struct cache *c);
/* Copies the entry into the arena. False: not there or expired at now_s. */
bool cache_get(struct cache *c, const struct cache_key *k, int64_t now_s, struct arena *a,
               struct cache_entry *e);
/* Stores a copy; ttl_stored is the lifetime. An unexpired entry of higher rank is not overwritten
 * (returns ERR_EXISTS); equal or higher replaces, but a DELEGATION in force keeps its expiry when
 * the same NS set comes again (no ghost domains). ERR_LIMIT: larger than 16 KiB with its
 * proof, a set of more than 256 records or a proof of more than CACHE_PROOF_MAX sets, not stored:
 * an entry without its proof would be of no use to those who validate. ERR_NOMEM. */
int cache_put(struct cache *c, const struct cache_key *k, int64_t now_s,
              const struct cache_entry *e);
/* Deepest DELEGATION at or above name in the plane; false when none (use the hints). */
bool cache_cut(struct cache *c, const uint8_t *name, uint8_t plane, int64_t now_s, struct arena *a,
               struct cache_entry *e);
/* Removes one name (type 0: all types and kinds), with everything below it when subtree. Returns
 * how many. */
unsigned cache_flush(struct cache *c, const uint8_t *name, uint16_t type, bool subtree);
struct cache_usage {
    uint64_t bytes, limit, entries, hits, misses, inserts, evictions;
};
struct cache_usage cache_usage(struct cache *c);
/* Calls fn for every unexpired entry at or below name; one shard at a time under its lock. */
void cache_walk(struct cache *c, const uint8_t *below, int64_t now_s,
                void (*fn)(void *arg, const struct cache_key *k, const struct cache_entry *e),
                void *arg);

#endif
