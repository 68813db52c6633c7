/* resolver/coalesce.h: equal questions of different workers share one walk.
 * The first to come to the network with a question leads; whoever comes with the same one waits,
 * and is told by a wake-up of its own worker when the leader is through. What the leader found is
 * read from the cache again; that it failed, and why, is handed over, because not every failure may
 * be remembered. A leader that gives up for reasons of its own (its client went away, its worker
 * stops) says so, and one of the waiting takes its place. The leader never waits for anybody, so
 * nobody waits in a circle.
 * Questions that tell a client's network (RFC 7871) are equal only when they tell the same one, and
 * at most COALESCE_SUBNETS of a name and type are led at once: each is one more chance for who
 * guesses at replies (RFC 7871 11.2).
 * Shape: shards, each a lock and a hash table of seats; a seat lies in its owner's object, so
 * nothing is allocated, and there are never more waiting seats of a question than workers. Touched
 * on misses only. Lock order: shard, then inbox. Threads: table any; a seat's functions are called
 * by its own worker only. */
#ifndef WAYPOST_RESOLVER_COALESCE_H
#define WAYPOST_RESOLVER_COALESCE_H

#include "base/list.h"
#include "dns/edns.h"
#include "dns/name.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define COALESCE_TEXT_MAX 96
#define COALESCE_SUBNETS  4

struct coalesce;

struct coalesce_outcome {
    enum { COALESCE_FOUND, COALESCE_FAILED, COALESCE_LEFT } how; /* LEFT: nobody looked */
    unsigned ede_count;                                          /* FAILED: why */
    struct {
        uint16_t code;
        char text[COALESCE_TEXT_MAX];
    } ede[EDNS_EDE_MAX];
};

/* A worker's: outcomes for its waiting seats. wake is called from any thread, under the inbox's
 * lock, after an outcome was put in: it must only make the worker call coalesce_next soon. */
struct coalesce_inbox {
    pthread_mutex_t lock;
    struct list seats;
    void (*wake)(void *arg); /* NULL: this worker never waits */
    void *arg;
};

enum coalesce_role { COALESCE_NONE, COALESCE_LEADS, COALESCE_WAITS, COALESCE_LOOK, COALESCE_FULL };

/* Zeroed before first use. */
struct coalesce_seat {
    struct list link;    /* of the table (leads), of a leader or of an inbox (waits) */
    struct list waiting; /* of a leader */
    struct coalesce_inbox *inbox;
    enum coalesce_role role; /* written and read by the owner only */
    uint16_t type;
    bool looked;
    uint64_t hash, mark;
    uint8_t name[DNS_NAME_MAX];      /* lower case */
    struct edns_subnet subnet;       /* set before coalesce_mark; family 0: none */
    struct coalesce_outcome outcome; /* of a seat that came out of coalesce_next */
};

/* NULL when out of memory. */
struct coalesce *coalesce_new(uint64_t hash_seed);
void coalesce_free(struct coalesce *t);
void coalesce_inbox_init(struct coalesce_inbox *in, void (*wake)(void *arg), void *arg);
/* After all its seats have left. */
void coalesce_inbox_fini(struct coalesce_inbox *in);

/* To be called before the cache is asked: enter sees whether somebody was through meanwhile. */
void coalesce_mark(struct coalesce *t, struct coalesce_seat *s, struct coalesce_inbox *in,
                   const uint8_t *name, uint16_t type);
/* After coalesce_mark; whoever comes first leads. LEADS: leave when through. WAITS: coalesce_next
 * will return the seat, or leave when tired of waiting. NONE: somebody leads, and may_wait is
 * false. LOOK: somebody got through since the mark, perhaps with this very question: mark, ask the
 * cache again and come back (said once at most). FULL: enough networks of this name and type are
 * being asked for; instead of NONE, too, as such a question never goes alone. */
enum coalesce_role coalesce_enter(struct coalesce *t, struct coalesce_seat *s, bool may_wait);
/* A leader tells the waiting (out NULL: COALESCE_LEFT); one who waits just goes. Harmless on a seat
 * that has no role. */
void coalesce_leave(struct coalesce *t, struct coalesce_seat *s,
                    const struct coalesce_outcome *out);
/* The next seat of this worker whose leader is through; it has no role any more. NULL: none. */
struct coalesce_seat *coalesce_next(struct coalesce_inbox *in);
/* Questions led now, and seats that wait. */
void coalesce_count(struct coalesce *t, unsigned *leading, unsigned *waiting);

#endif
