/* book_priv.h: what is known of one target, as workers read it.
 * A book is immutable: a set for everybody and sets per network, in order, each network knowing the
 * next wider one around it. A look-up is a binary search and a climb.
 * Units: prefix lengths as in base/addr.h (IPv4 from 96); times in seconds of the monotonic clock.
 * Threads: made by the control loop, read by any. Owner: sets count references, each book that
 * shows one holds one; `used_s` alone is written by readers. Source: RFC 7871 7.3. */
#ifndef WAYPOST_GSLB_BOOK_PRIV_H
#define WAYPOST_GSLB_BOOK_PRIV_H

#include "base/addr.h"
#include "base/snap.h"
#include "gslb/target.h"

#define BOOK_NONE UINT32_MAX

struct book_set {
    struct part part;
    uint32_t fetched_s, expires_s, ttl;
    uint32_t learnt_s[2];    /* A, AAAA: when this family was last heard of */
    _Atomic uint32_t used_s; /* last answer to a client of its network; 0: none since it is here */
    uint16_t count[2], size[2];
    uint8_t rdata[]; /* A, then AAAA, as struct dns_rrset */
};
/* before (may be NULL): the set that this one replaces; what was not learnt of a family (f->err is
 * then set, and f holds the other one) is taken over from there. NULL: out of memory. */
struct book_set *book_set_new(const struct gslb_fetched *f, const struct book_set *before,
                              uint32_t now_s);
static inline void book_set_unref(struct book_set *s)
{
    if (s)
        part_unref(&s->part);
}
/* Old, and not so old that it is not given any more? */
static inline bool book_set_usable(const struct book_set *s, uint32_t now_s)
{
    return s && now_s < s->expires_s + GSLB_TARGET_STALE_S;
}

struct book_network {
    struct prefix net;
    uint32_t parent; /* index of the next wider one around it, or BOOK_NONE */
    struct book_set *set;
};
struct book {
    struct part part;
    struct book *next; /* while it waits for readers: the control loop's list */
    uint64_t mark;
    struct book_set *everybody; /* or NULL */
    uint32_t count;
    struct book_network networks[]; /* rising by book_network_cmp */
};
/* Room for `count` networks; the caller fills net and set of each (whose references become the
 * book's) and calls book_finish. NULL: out of memory. */
struct book *book_new(uint32_t count);
void book_finish(struct book *b);
/* The set of the narrowest network that holds all of the client's, or NULL. *bits: how long a
 * prefix of the client's address must be for everybody in it to get this set. */
struct book_set *book_find(const struct book *b, const struct prefix *client, uint8_t *bits);

/* Family, address, the wider before the narrower. */
int book_network_cmp(const struct prefix *a, const struct prefix *b);
/* a holds all of b. */
bool book_network_has(const struct prefix *a, const struct prefix *b);
/* Where the family's own count begins: 96 or 0. */
static inline uint8_t book_base(uint8_t family)
{
    return family == 4 ? 96 : 0;
}
struct prefix book_network_cut(const struct prefix *n, uint8_t bits);
/* False: it names no network. */
bool book_network_of(struct prefix *n, const struct edns_subnet *s);
struct edns_subnet book_subnet_of(const struct prefix *n);

#endif
