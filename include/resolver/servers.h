/* resolver/servers.h: what was learned about each server address.
 * Round trips and timers after RFC 6298 (gains 1/8 and 1/4; floor and ceiling of our own, because a
 * name server answers in one packet), backoff once per RTO epoch, an AIMD window of questions in
 * flight, a breaker for dead servers, and facts with an expiry (breaks EDNS, breaks case, lame for
 * a zone). Shape: a fixed table of 8-way buckets, the least recently used entry without questions
 * in flight makes room; locks are sharded over the buckets. Units: times in monotonic milliseconds,
 * round trips in microseconds. Threads: any. Source: RFC 6298, RFC 9520 3. */
#ifndef WAYPOST_RESOLVER_SERVERS_H
#define WAYPOST_RESOLVER_SERVERS_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVERS_RTO_FLOOR_MS   40
#define SERVERS_RTO_CEIL_MS    3000
#define SERVERS_RTO_UNKNOWN_MS 376
#define SERVERS_WINDOW_START   16
#define SERVERS_WINDOW_FLOOR   2
#define SERVERS_WINDOW_CEIL    1024
#define SERVERS_LOSS_CUT       (65536 / 8) /* the window is cut above it; moving average */
#define SERVERS_DEAD_EPOCHS    3           /* epochs in a row without a reply: dead */
#define SERVERS_DEAD_MAX_MS    300000      /* RFC 9520: five minutes is the top of failure memory */
#define SERVERS_FACT_MS        300000      /* EDNS and case facts */
#define SERVERS_LAME_MS        60000

struct servers;

enum server_health {
    SERVER_UNKNOWN, /* no reply and no timeout yet */
    SERVER_ALIVE,
    SERVER_FAILING, /* timeouts since the last reply */
    SERVER_DEAD,    /* not asked while another server is left */
    SERVER_PROBE,   /* dead, but one question may find out */
};

enum server_fact { SERVER_EDNS_BROKEN, SERVER_CASE_BROKEN, SERVER_COOKIE_BROKEN, SERVER_LAME };
#define SERVERS_COOKIE_MAX 32

struct server_info {
    enum server_health health;
    uint32_t srtt_us, var_us;
    uint32_t rto_ms; /* with backoff */
    uint32_t loss_permille;
    uint32_t window, in_flight;
    uint32_t cost_us; /* what a question to it is expected to cost */
    bool edns_broken, case_broken, cookie_broken, lame;
    uint8_t cookie_len; /* of its last server cookie (RFC 7873), 0: none */
    uint8_t cookie[SERVERS_COOKIE_MAX];
};

/* One question in flight, kept by the asker. */
struct server_ticket {
    uint32_t rto_ms; /* the timer in force when it left */
    int64_t sent_ms;
    bool counted; /* in the window */
};

/* entries: rounded up to a power of two. ERR_NOMEM. */
int servers_new(struct servers **s, unsigned entries, uint64_t seed);
void servers_free(struct servers *s);
/* zone: the zone whose lameness is asked for (wire), or NULL. Makes no entry. */
void servers_look(struct servers *s, const struct addr *a, const uint8_t *zone, int64_t now_ms,
                  struct server_info *info);
/* A question leaves. ERR_LIMIT: the window is full (a probe of a dead server: one at a time). */
int servers_send(struct servers *s, const struct addr *a, int64_t now_ms, struct server_ticket *t);
/* A reply came, in time or late; rtt_us 0: it says nothing about the round trip (TCP). */
void servers_reply(struct servers *s, const struct addr *a, int64_t now_ms, uint32_t rtt_us,
                   struct server_ticket *t);
/* Its timer ran out: a loss, at most one backoff and one halving per epoch. */
void servers_timeout(struct servers *s, const struct addr *a, int64_t now_ms,
                     struct server_ticket *t);
/* It ended without a verdict (no socket, broken). */
void servers_drop(struct servers *s, const struct addr *a, struct server_ticket *t);
/* Nobody waits for the reply any more: a loss when it is overdue by the timer without backoff, else
 * no verdict. A server that never answers is learned as dead even where every question to it is
 * given up before its backed-off timer runs out. */
void servers_give_up(struct servers *s, const struct addr *a, int64_t now_ms,
                     struct server_ticket *t);
/* zone: for SERVER_LAME, else NULL. */
void servers_note(struct servers *s, const struct addr *a, enum server_fact fact,
                  const uint8_t *zone, int64_t now_ms);
/* The server cookie (8 to 32 octets) to show to it from now on. */
void servers_cookie(struct servers *s, const struct addr *a, const uint8_t *cookie, size_t len,
                    int64_t now_ms);
/* At most one per second and server: may a mismatch move a question to TCP? */
bool servers_mismatch(struct servers *s, const struct addr *a, int64_t now_ms);
/* Calls fn for every address known, under its shard's lock. */
void servers_walk(struct servers *s, int64_t now_ms,
                  void (*fn)(void *arg, const struct addr *a, const struct server_info *info),
                  void *arg);

#endif
