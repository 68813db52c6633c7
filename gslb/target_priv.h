/* target_priv.h: one target as the control loop keeps it, and all of them together.
 * An entry is a network (or everybody) with its last set and when it is asked for again:
 *
 *   wished -> asked -> known: asked again at 90 % of its TTL, if it was used meanwhile; else it
 * goes \             when its TTL ends
 *                  -> failed: the last set stays, asked again after 5 s, 10 s ... 5 min
 *
 * "Does not exist", said by the other side, empties what is known only when it is said twice in a
 * row. Whatever changed ends in a new book (book_priv.h).
 * Threads: the control loop's, but for what is atomic. */
#ifndef WAYPOST_GSLB_TARGET_PRIV_H
#define WAYPOST_GSLB_TARGET_PRIV_H

#include "base/list.h"
#include "book_priv.h"
#include "wish_priv.h"

#include <pthread.h>

#define TARGETS_MAX      65536u /* names in the life of a process */
#define TARGETS_FLIGHTS  256u   /* fetches outstanding, of all targets */
#define TARGET_FLIGHTS   4u     /* of one */
#define TARGET_WAITING   64u    /* networks that were wished and have no set yet */
#define TARGET_BACK_MS   5000   /* after a failure; doubles up to */
#define TARGET_BACK_MAX  300000 /* ms */
#define TARGETS_POLL_MS  100u   /* wishes wait at most so long */
#define TARGETS_PAUSE_MS 60000u
/* Networks are told no longer than this (RFC 7871 11.1), in bits of the family. */
#define TARGET_NETWORK4 24u
#define TARGET_NETWORK6 56u

struct entry {
    struct prefix net;    /* family 0: everybody */
    struct prefix asked;  /* the network that is told: net or inside it */
    struct book_set *set; /* NULL: none yet */
    int64_t due_ms;
    uint32_t wished_s, tried_s;
    unsigned failures; /* in a row */
    bool missing;      /* the last answer was "does not exist" */
    bool in_flight;
};

struct target {
    uint8_t name[255];
    _Atomic bool subnets; /* clients' networks may be told */
    bool kept, marked;
    _Atomic(struct book *) book; /* NULL: nothing is known */
    struct book *current;        /* the same, for who writes it */
    struct entry everybody;
    struct entry *networks; /* rising */
    unsigned count, room;
    unsigned flights;
    bool changed;   /* since the book was made */
    int64_t due_ms; /* earliest of its entries */
    int last;       /* error of the last fetch that ended */
};

struct gslb_targets {
    struct gslb_fetcher *fetcher;
    const struct clock *clock;
    struct snap_domain *domain;
    pthread_mutex_t lock;   /* names: taken by any thread */
    uint32_t *hash;         /* index + 1 by name; under the lock */
    uint32_t hash_size;     /* power of two */
    _Atomic uint32_t count; /* slots below it are set and stay */
    uint32_t first;         /* begins the next turn, so that each has its turn */
    struct list flights;    /* of fetches outstanding */
    unsigned flight_count;
    struct book *waiting; /* replaced; readers may hold them */
    struct wishes wishes;
    _Atomic(struct target *) slots[TARGETS_MAX];
};

/* Asks for what is due and publishes what changed. */
void target_turn(struct gslb_targets *t, struct target *g, int64_t now_ms);
/* Somebody of this network asked. */
void target_wish(struct target *g, const struct prefix *net, int64_t now_ms);
/* Nothing is known any more. */
void target_clear(struct gslb_targets *t, struct target *g);
/* The fetches in flight end unheard. */
void target_orphans(struct gslb_targets *t);

#endif
