/* geo/prefixes.h: longest-prefix table, network -> value.
 * Built from networks of which the more specific one wins, then frozen and shared. A look-up gives
 * the value and how wide the widest network around the address is in which every address has that
 * value: the minimal correct ECS scope (RFC 7871 7.2.1), because equal siblings are merged whatever
 * networks they came from. IPv4 lies at ::ffff:0:0/96, as in base/addr.h, and is a tree of its own
 * (an IPv6 answer never depends on an IPv4 network). An IPv6 network inside ::ffff:0:0/96 is the
 * IPv4 network, as such an address is of family 4; a wider one says nothing about IPv4.
 * Shape: nodes of six address bits in one array, values in another, depths derived from where a run
 * of equal values ends; in large trees a table of the first 12 or 18 bits before them: then an IPv4
 * look-up visits four or three nodes at most, an IPv6 look-up as many as its depth takes. No heap,
 * no lock. A few networks cost some hundred bytes; many, 5 to 8 per maximal network. Threads: build
 * by one, a frozen table by any. */
#ifndef WAYPOST_GEO_PREFIXES_H
#define WAYPOST_GEO_PREFIXES_H

#include "base/addr.h"

#include <stddef.h>

struct prefixes;
struct prefixes_build;

#define PREFIXES_NONE 0u /* the value where no network says anything */

int prefixes_begin(struct prefixes_build **b); /* ERR_NOMEM */
void prefixes_abandon(struct prefixes_build *b);
/* Any order. Rising order (address, then wider before narrower) costs least: 9 bytes per IPv4 and
 * 21 per IPv6 network; any other up to 12 more. Bits of p->ip beyond p->bits are not looked at. A
 * value of PREFIXES_NONE is a hole in what lies around and below. ERR_EXISTS: the same network is
 * there with another value (which stays). ERR_NOMEM; ERR_LIMIT: 2^32 networks; ERR_RANGE: bits that
 * the family has not. */
int prefixes_put(struct prefixes_build *b, const struct prefix *p, uint32_t value);
/* Freezes and frees the build, also on error, where *out is untouched. below (may be NULL, borrowed
 * for this call): its values hold where no network of this build lies, and only there: a network of
 * this build hides all of it, however specific. ERR_NOMEM; ERR_LIMIT: larger than `max_bytes` (0:
 * any), noticed before more memory than about twice that is taken. */
int prefixes_finish(struct prefixes_build *b, const struct prefixes *below, size_t max_bytes,
                    struct prefixes **out);
void prefixes_free(struct prefixes *t);

/* The value at an address (of family 4 or 6); *depth (may be NULL): bits, in the family's own
 * count, of the widest network around it in which every address has this value. */
uint32_t prefixes_find(const struct prefixes *t, const struct addr *a, unsigned *depth);
/* Asks memory for what finding an address will read, a step at a time, 0 .. PREFIXES_STEPS-1, each
 * from what the one before asked for: other work between them is what hides the waiting. high: the
 * address's first 64 bits, an IPv4 one's 32 in front. Changes nothing. */
enum { PREFIXES_STEPS = 3 };
void prefixes_ahead(const struct prefixes *t, bool v4, uint64_t high, unsigned step);

/* A table with each value replaced by fn's, equal neighbours merged. PREFIXES_NONE is asked too. fn
 * is asked once per run of addresses, so more than once for a value: it answers the same each time.
 * ERR_NOMEM; ERR_LIMIT: 2^32 nodes. */
typedef uint32_t prefixes_map_fn(void *arg, uint32_t value);
int prefixes_map(const struct prefixes *t, prefixes_map_fn *fn, void *arg, struct prefixes **out);
/* Two tables laid over one another: fn gives the value for each pair that occurs; else as map. */
typedef uint32_t prefixes_join_fn(void *arg, uint32_t a, uint32_t b);
int prefixes_join(const struct prefixes *a, const struct prefixes *b, prefixes_join_fn *fn,
                  void *arg, struct prefixes **out);
/* Every maximal network of equal value in address order, IPv4 first; those without a value too.
 * Each family's networks cover its whole space without overlap (IPv4 addresses have family 4, so
 * ::ffff:0:0/96 occurs a second time inside an IPv6 network; no address is looked up there). */
void prefixes_each(const struct prefixes *t,
                   void (*fn)(void *arg, const struct prefix *p, uint32_t value), void *arg);
struct prefixes_usage {
    size_t bytes, nodes, networks4, networks6; /* networks: maximal ones */
};
struct prefixes_usage prefixes_usage(const struct prefixes *t);

/* The address that speaks for an IPv6 address: the six forms that carry an IPv4 address (::/96,
 * ::ffff:0:0/96, ::ffff:0:0:0/96, 64:ff9b::/96, 2001::/32 Teredo (inverted), 2002::/16) become that
 * IPv4 address; others, and IPv4 itself, stay. *shift is what a depth found for it must be raised
 * by to be a prefix length of `a`: where the IPv4 bits begin, 96, or 16 for 2002::/16; 0 for
 * others. That holds for Teredo too: its last 32 bits are the client's, each inverted, so addresses
 * that share 96 + depth bits share depth bits of the client. Depth 0 becomes the shift itself,
 * never less: beyond the carried address the IPv6 tree may differ. base/addr.h makes ::ffff:0:0/96
 * family 4 at once (shift 0): who read 16 octets adds the 96. */
struct addr prefixes_canonical(const struct addr *a, unsigned *shift);

#endif
