/* geo/prefixes.h: longest-prefix table, network -> value.
 * Built from networks of which the more specific one wins, then frozen and shared. A look-up gives
 * the value and how wide the widest network around the address is in which every address has that
 * value: the minimal correct ECS scope (RFC 7871 7.2.1), because equal siblings are merged whatever
 * networks they came from. IPv4 lies at ::ffff:0:0/96, as in base/addr.h, and is a tree of its own
 * (an IPv6 answer never depends on an IPv4 network).
 * Shape: multi-bit nodes in one array, leaves of value and depth; two to four loads per IPv4
 * look-up; no heap, no lock. Threads: build by one, a frozen table by any. */
#ifndef WAYPOST_GEO_PREFIXES_H
#define WAYPOST_GEO_PREFIXES_H

#include "base/addr.h"

#include <stddef.h>

struct prefixes;
struct prefixes_build;

#define PREFIXES_NONE 0u /* the value where no network says anything */

int prefixes_begin(struct prefixes_build **b); /* ERR_NOMEM */
void prefixes_abandon(struct prefixes_build *b);
/* ERR_EXISTS: the same network is there with another value (which stays). ERR_NOMEM. */
int prefixes_put(struct prefixes_build *b, const struct prefix *p, uint32_t value);
/* Freezes and frees the build, also on error. below (may be NULL, borrowed): its values hold where
 * no network of this build lies, even where a network of its own is more specific than ours.
 * ERR_NOMEM; ERR_LIMIT: larger than `max_bytes` (0: any). */
int prefixes_finish(struct prefixes_build *b, const struct prefixes *below, size_t max_bytes,
                    struct prefixes **out);
void prefixes_free(struct prefixes *t);

/* The value at an address; *depth (may be NULL): bits, in the family's own count, of the widest
 * network around it in which every address has this value. */
uint32_t prefixes_find(const struct prefixes *t, const struct addr *a, unsigned *depth);

/* A table with each value replaced by fn's, equal neighbours merged. PREFIXES_NONE is asked too. */
typedef uint32_t prefixes_map_fn(void *arg, uint32_t value);
int prefixes_map(const struct prefixes *t, prefixes_map_fn *fn, void *arg, struct prefixes **out);
/* Two tables laid over one another: fn gives the value for each pair that occurs. */
typedef uint32_t prefixes_join_fn(void *arg, uint32_t a, uint32_t b);
int prefixes_join(const struct prefixes *a, const struct prefixes *b, prefixes_join_fn *fn,
                  void *arg, struct prefixes **out);
/* Every maximal network of equal value in address order, IPv4 first; those without a value too. */
void prefixes_each(const struct prefixes *t,
                   void (*fn)(void *arg, const struct prefix *p, uint32_t value), void *arg);
struct prefixes_usage {
    size_t bytes, nodes, networks4, networks6; /* networks: maximal ones */
};
struct prefixes_usage prefixes_usage(const struct prefixes *t);

/* The address that speaks for an IPv6 address: the six forms that carry an IPv4 address (::/96,
 * ::ffff:0:0/96, ::ffff:0:0:0/96, 64:ff9b::/96, 2001::/32 Teredo (inverted), 2002::/16) become that
 * IPv4 address. *shift is what a depth of it must be raised by to be a prefix length of `a` (96;
 * 16 for 2002::/16; for Teredo, whose client bits come last, 128 minus the depth's meaning is
 * lost: the scope is 128 when the depth is above 0); 0 for others. */
struct addr prefixes_canonical(const struct addr *a, unsigned *shift);

#endif
