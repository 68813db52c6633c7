/* resolver/answers.h: finished wire responses: tier one, what decides the rate of cached answers.
 * Key: (lower-case name, type, DO, CD, view). A hit is: hash, find, copy, patch id, question case,
 * flags, TTLs, send. Shape: a table of buckets of {tag, slot} that grows with its content; entries
 * live in size-classed slabs. The room for both is reserved at start and never unmapped. Readers
 * take no lock: they copy an entry by atomic words (acquire; no fences, TSan does not know them)
 * between two loads of its bucket's version (odd while a writer is inside) and retry or miss when
 * it moved. Writers lock one shard. Eviction is SIEVE per size class: a hit writes the visited mark
 * only when it is clear. No scope of a client's network (RFC 7871) is in the key: what is put here
 * answers clients, of whose networks nothing is told; who tells one (daemon/worker.h, worker_ask)
 * gets the resolver's result itself and neither looks here nor puts anything here. Threads: any;
 * clean under TSan without suppressions. */
#ifndef WAYPOST_RESOLVER_ANSWERS_H
#define WAYPOST_RESOLVER_ANSWERS_H

#include "dns/msg_parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answers;

#define ANSWERS_MAX_LEN 4096 /* longer responses are not kept here */

struct answers_key {
    const uint8_t *qname; /* wire, any case */
    uint16_t qtype;
    uint8_t bits; /* ANSWERS_DO, ANSWERS_CD, ANSWERS_EDNS */
    uint8_t view;
};
enum { ANSWERS_DO = 1, ANSWERS_CD = 2, ANSWERS_EDNS = 4 };

/* ERR_RANGE: too few bytes for a page of each size class (about 1 MiB is enough). ERR_NOMEM. */
int answers_new(struct answers **t, uint64_t bytes, uint64_t hash_seed);
void answers_free(struct answers *t);
/* Hash of the key: taken apart so that a batch can hash and prefetch first. */
uint64_t answers_hash(const struct answers *t, const struct answers_key *k);
/* Brings near what answers_get will read: step 0 the bucket, some packets later step 1 the entry.
 */
enum { ANSWERS_STEPS = 2 };
void answers_ahead(const struct answers *t, uint64_t hash, unsigned step);
/* On a hit writes the response for q to out and returns its length: id, RD and CD bits and question
 * case as asked, AD only when q has AD or DO (RFC 6840 5.8), TTLs lowered by the entry's age, OPT
 * TTL field untouched. 0: miss, expired (any TTL at 0 left), or does not fit cap. *refresh is set
 * for one of those who hit an entry more than once when less than the refresh share of its life is
 * left; NULL will do when there is no such share. */
size_t answers_get(struct answers *t, const struct answers_key *k, uint64_t hash, int64_t now_s,
                   const struct dns_query *q, uint8_t *out, size_t cap, bool *refresh);
/* percent of the life; 0, as at first: never. Before any thread reads. */
void answers_refresh_below(struct answers *t, unsigned percent);
/* Stores a finished response (question first, OPT last or none, no cookie or other per-client
 * option inside) for ttl_s seconds. Finds the TTL offsets itself. ERR_LIMIT: too long, TC set, or
 * ttl 0 (ttl_s or a record's; the lowest of all is the lifetime): not kept. ERR_MISMATCH: another
 * question than the key's. ERR_TRUNC, ERR_FORMAT: not a message. again: it was asked for before;
 * false: it pushes nobody out, it takes free room or the place of one that is there (and may be
 * expired), so that names that nobody asks twice do not empty a full tier. */
int answers_put(struct answers *t, const struct answers_key *k, int64_t now_s, uint32_t ttl_s,
                const uint8_t *wire, size_t len, bool again);
/* Forgets one name (type 0: all types), or everything at or below it. */
unsigned answers_flush(struct answers *t, const uint8_t *name, uint16_t type, bool subtree);
struct answers_usage {
    uint64_t bytes, limit, entries, inserts, evictions;
};
struct answers_usage answers_usage(struct answers *t);

#endif
