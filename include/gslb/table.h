/* gslb/table.h: what workers see of health, and what the control loop sees of answers.
 * A slot belongs to an identity (a pool's member, a pool, a steered name) as long as the process
 * lives; its index does not change at a reload. The control loop writes a slot by relaxed atomic
 * words, workers read it without a lock: each word is one consistent whole. A tally is a worker's
 * own, read by the control loop.
 * Threads: identities are kept under a lock of their own and may be taken and looked up by any
 * thread (never a worker); a slot is written by the control loop, read by any. Times are seconds of
 * the monotonic clock. */
#ifndef WAYPOST_GSLB_TABLE_H
#define WAYPOST_GSLB_TABLE_H

#include "gslb/policy.h"

#include <stdatomic.h>

#define GSLB_SLOTS_MAX (1u << 20)
#define GSLB_NO_SLOT   UINT32_MAX

struct gslb_table;

/* Memory is reserved, and taken as slots are used. ERR_NOMEM. */
int gslb_table_new(struct gslb_table **t);
void gslb_table_free(struct gslb_table *t);
/* A copy of its own with the same slots, as they are now: for what is only supposed. ERR_NOMEM. */
int gslb_table_dup(const struct gslb_table *t, struct gslb_table **copy);
/* The slot of this identity ("pool/www-fra", "member/www-fra/a", "name/www.example.com."), new ones
 * as unknown: up, all of its weight, unsettled. ERR_LIMIT, ERR_NOMEM. */
int gslb_table_slot(struct gslb_table *t, const char *identity, uint32_t *slot);
/* GSLB_NO_SLOT: there is none. */
uint32_t gslb_table_find(const struct gslb_table *t, const char *identity);
unsigned gslb_table_count(const struct gslb_table *t);
const char *gslb_table_identity(const struct gslb_table *t, uint32_t slot);

/* Of a member. */
struct gslb_view {
    bool up;        /* unknown counts as up: a server that is warm says so by `known` */
    bool known;     /* some verdict was reached, or none is needed */
    bool unsettled; /* short TTL */
    bool forced;    /* by an operator */
    bool over;      /* CONSISTENT: above its bound in the last window */
    bool was_up;    /* available when its pool was last usable (when-all-down) */
    bool has_load;
    uint16_t permille; /* 0 .. 1000 of its weight */
    uint32_t load;     /* 0 .. 1,000,000 */
    uint32_t rtt_us;   /* 0: unknown; longer than 67 s is kept as that */
    uint32_t until_s;  /* no TTL reaches further; UINT32_MAX: none */
};
void gslb_table_put(struct gslb_table *t, uint32_t slot, const struct gslb_view *v);
struct gslb_view gslb_table_get(const struct gslb_table *t, uint32_t slot);

/* Of a name: the pool (its slot) that was last usable for it and when; GSLB_NO_SLOT: none. */
void gslb_table_put_last(struct gslb_table *t, uint32_t name_slot, uint32_t pool_slot,
                         uint32_t second);
uint32_t gslb_table_last(const struct gslb_table *t, uint32_t name_slot, uint32_t *second);

/* ---- what one worker gave ---- */

#define GSLB_SEEN_MAX 4096 /* client networks remembered per worker */

struct gslb_tally;
int gslb_tally_new(struct gslb_tally **y); /* ERR_NOMEM */
void gslb_tally_free(struct gslb_tally *y);
/* The member went into an answer with this TTL. The worker's. */
void gslb_tally_note(struct gslb_tally *y, uint32_t slot, uint32_t now_s, uint32_t ttl);
/* Answers that held the member; *until_s: when the last cache lets go of it (0: never given). */
uint64_t gslb_tally_count(const struct gslb_tally *y, uint32_t slot, uint32_t *until_s);
/* A client network (IPv4 /24, IPv6 /48) asked: of all, a sample is kept, newest last. */
struct gslb_seen {
    uint8_t ip[16];         /* as base/addr.h */
    uint8_t family, subnet; /* subnet: from ECS */
};
void gslb_tally_saw(struct gslb_tally *y, const uint8_t ip[16], uint8_t family, bool subnet);
/* Copies what is remembered; returns how many. */
unsigned gslb_tally_seen(const struct gslb_tally *y, struct gslb_seen out[GSLB_SEEN_MAX]);

#endif
