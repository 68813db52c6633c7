/* net/load_priv.h: the inside of a measurement: load.c (phases, pace, counting), load_slots.c (who
 * waits for an answer), load_udp.c and load_tcp.c (how bytes go). */
#ifndef WAYPOST_NET_LOAD_PRIV_H
#define WAYPOST_NET_LOAD_PRIV_H

#include "net/load.h"

#include <time.h>

#define LOAD_BATCH     64
#define LOAD_TICK_NS   5000000 /* how exact timeouts are */
#define LOAD_SLOT_NONE UINT32_MAX

/* ---- who waits ---- */

enum load_slot_state { LOAD_SLOT_NEW, LOAD_SLOT_WAITS, LOAD_SLOT_ANSWERED, LOAD_SLOT_LOST };

/* One query in flight. Ended ones are kept until the slot's turn comes again, so that a second or
 * late answer is known for what it is. */
struct load_slot {
    int64_t due_ns, sent_ns; /* latency counts from the first, the timeout from the second */
    uint64_t serial;
    uint32_t query;
    uint32_t next, prev; /* the oldest first; of those free: next only */
    uint16_t id;         /* index, and above it how often the slot was taken */
    uint8_t state;
};

struct load_slots {
    struct load_slot *at;
    unsigned bits;           /* 1 << bits slots */
    uint32_t oldest, newest; /* waiting */
    uint32_t free_first, free_last;
    uint32_t waiting;
};

int load_slots_init(struct load_slots *s, unsigned bits);
void load_slots_fini(struct load_slots *s);
/* The slot that was free longest, now waiting, with an id of its own; NULL: none is free. */
struct load_slot *load_slots_take(struct load_slots *s);
/* The slot that holds or held this id last; NULL: none did. */
struct load_slot *load_slots_find(struct load_slots *s, uint16_t id);
struct load_slot *load_slots_oldest(struct load_slots *s); /* that waits, or NULL */
void load_slots_end(struct load_slots *s, struct load_slot *slot, enum load_slot_state state);

/* ---- the measurement ---- */

struct load;

struct load_client {
    int fd;
    bool up;        /* queries can be handed over */
    uint32_t share; /* closed loop: of the window */
    struct load_slots slots;
    struct load_stream *stream; /* TCP */
    int64_t again_ns;           /* TCP: not connected before this time */
};

/* UDP and TCP differ below this line. */
struct load_link {
    int (*open)(struct load *l, struct load_client *c);
    /* Takes over at most `most` queries (by load_next); how many. */
    unsigned (*send)(struct load *l, struct load_client *c, unsigned most);
    void (*ready)(struct load *l, struct load_client *c, uint32_t events);
    /* Each tick. */
    void (*tick)(struct load *l, struct load_client *c);
    void (*close)(struct load *l, struct load_client *c);
};
extern const struct load_link load_link_udp, load_link_tcp;

enum load_phase { LOAD_CONNECT, LOAD_WARM, LOAD_MEASURE, LOAD_DRAIN, LOAD_OVER };

struct load {
    const struct load_options *o;
    const struct load_queries *q;
    struct load_report *r;
    const struct load_link *link;
    struct load_client *clients;
    struct load_batch *batch; /* UDP */
    int epoll;
    int err;
    /* changed as it goes */
    enum load_phase phase;
    int64_t now_ns, phase_end_ns, begin_ns, tick_ns, interval_ns, last_answer_ns;
    int64_t cpu_ns, wait_ns; /* when measuring began */
    int64_t ramp_from_ns;    /* closed loop: since then the window opens, */
    uint32_t ramp;           /* per client so far */
    uint64_t serial;
    uint32_t query; /* the next question */
    uint32_t up;    /* clients that are */
    uint64_t waiting;
    bool answered; /* anything at all, also while warm */
    bool refused;
    /* open loop */
    int64_t pace_ns;   /* since then, */
    uint64_t due, gap; /* in nanoseconds with 16 bits behind the point */
    uint64_t random;
    unsigned turn; /* the client whose turn it is */
};

static inline int64_t load_clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The next query into out and into a slot of c; 0: no slot is free. */
size_t load_next(struct load *l, struct load_client *c, uint8_t out[LOAD_QUERY_MAX]);
/* What came: `have` octets of `len`. */
void load_take(struct load *l, struct load_client *c, const uint8_t *bytes, size_t have,
               size_t len);
/* Closed loop: as many queries as c has room for. */
void load_fill(struct load *l, struct load_client *c);
/* All that wait on c are lost. */
void load_lose_all(struct load *l, struct load_client *c);
/* A client came up or went down. */
void load_set_up(struct load *l, struct load_client *c, bool up);
void load_refused(struct load *l);
/* A socket of the right kind for the server, in the epoll set of the measurement. */
int load_socket(struct load *l, struct load_client *c, int type, uint32_t events);
void load_events(struct load *l, struct load_client *c, uint32_t events);

#endif
