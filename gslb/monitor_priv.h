/* monitor_priv.h: what the files of the monitor share.
 *
 *   plan -> scene: pools of members, a member's seats -> machines -> probes -> targets
 *
 * A seat is one check of one member at one address. Seats whose packets would be the same share a
 * probe; those that also judge alike share a machine. A scene is made anew for each plan, all of
 * it in one piece of memory, and takes over what it finds unchanged in the scene before.
 * Times without a remark are milliseconds of the monotonic clock. */
#ifndef WAYPOST_GSLB_MONITOR_PRIV_H
#define WAYPOST_GSLB_MONITOR_PRIV_H

#include "gslb/monitor.h"
#include "gslb/target.h"

#include "base/block.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "store_priv.h"

#include <stdio.h>

#define MONITOR_EVENTS 1024
#define MONITOR_ORDERS 10000
#define MONITOR_DAY    86400000 /* unknown identities are kept for so long */
#define MONITOR_WINDOW 10       /* seconds over which shares of answers are counted */

struct target { /* one address that is asked, whatever the question */
    struct target *next;
    struct list turned; /* in the monitor's list while it failed after having passed */
    struct addr address;
    bool counts;         /* some member is behind it: not only a reference */
    unsigned bad;        /* of its probes so many turned from passing to failing in this window */
    uint32_t generation; /* of that count, from 1: what a probe says of an older one is over */
    int64_t turned_ms;
};

/* A probe on its way. It outlives the scene that started it: its check lies in `plan`. */
struct run {
    struct probe *probe;
    struct gslb_plan *plan;
    void *handle;
};

struct probe {
    /* fixed by the scene */
    struct wheel_timer timer;
    struct list ready; /* due, and waits for its turn to start */
    struct gslb_monitor *m;
    struct probe *next;   /* of the same bucket */
    struct probe *later;  /* of the scene, in the order in which they were made */
    struct probe *before; /* in the scene before; only while a scene is made */
    uint64_t key;
    const struct gslb_check *check; /* of all that share it, one with the shortest interval */
    struct addr address;
    uint32_t slot;         /* PUSH: of its member, else GSLB_NO_SLOT */
    struct target *target; /* NULL: PUSH */
    struct machine *machines;
    bool reference;
    /* taken over */
    struct run *run; /* NULL: none on its way */
    int64_t due_ms;
    bool asked, answered;
    bool passing;    /* its last verdict */
    uint32_t turned; /* in this generation of its target's; 0: it did not */
    unsigned mute;   /* results without a verdict in a row */
    uint32_t srtt_us;
    struct gslb_probe_result last;
    int64_t last_ms; /* INT64_MIN: none */
};

struct machine {
    struct wheel_timer timer;
    struct machine *next;   /* of the same probe */
    struct machine *before; /* whose state it takes over; only while a scene is made */
    struct probe *probe;
    const struct gslb_rules *rules;
    struct seat *seats;
    struct gslb_health health;
    bool restored;
};

struct seat {
    struct seat *next; /* of the same machine */
    struct member *member;
    struct machine *machine;
    const struct gslb_check *check;
    unsigned check_at; /* among its member's checks */
};

struct member {
    struct wheel_timer timer; /* a force that ends or drains on */
    struct gslb_endpoint *endpoint;
    struct pool *pool;
    struct seat *seats; /* in order of its checks */
    unsigned seat_count;
    uint64_t *answers;     /* [MONITOR_WINDOW + 1] counts at past seconds, NULL: nobody asks */
    uint64_t share_weight; /* that counts now, and its answers when it began to */
    uint64_t share_base;
    struct order *order; /* that holds; NULL: none */
    struct gslb_forced forced;
    /* taken over */
    enum gslb_status status; /* what is shown of its checks */
    bool held_back;          /* down, but too much went down already in this minute */
    int64_t withdrawn_ms;    /* went down by probes; INT64_MIN: never */
    int64_t load_until_ms;
    struct gslb_view view;
};

struct pool {
    struct gslb_monitor *monitor;
    struct gslb_pool *plan;
    struct member *members;
    struct list dirty;
    bool usable;             /* as queries see it */
    bool confirmed;          /* also when unknown members are left out */
    unsigned seconds;        /* samples taken of `answers` */
    int64_t shares_since_ms; /* all weights are what they are since then; 0: not looked yet */
};

struct scene {
    struct block room; /* of all that lies below */
    size_t used;
    struct gslb_plan *plan;
    struct pool *pools;
    struct member *members; /* of all pools in a row */
    unsigned member_count;
    struct member **by_slot;
    uint32_t slots;
    struct seat *seats;
    unsigned seat_count;
    struct probe **probes; /* buckets */
    struct probe *first, *last;
    struct target **targets;
    size_t mask;
    unsigned probe_count, target_count; /* targets that count */
    struct probe **references;
    unsigned reference_count;
    enum gslb_status *scratch; /* [checks of one member] */
    int *winner;               /* per name: the pool last seen usable, or GSLB_NONE */
};

enum order_kind { ORDER_CHECK, ORDER_SITE, ORDER_POOL, ORDER_MEMBER };

struct order {
    char *what, *note, *by;
    enum order_kind kind;
    unsigned literal; /* characters that are no globs */
    bool exact;
    uint64_t number;
    struct gslb_forced forced;
};

struct event {
    uint64_t number;
    int64_t wall_ms;
    char member[200], check[72], from[24], to[24], why[24];
    char evidence[GSLB_EVIDENCE_MAX];
};

struct events {
    struct event ring[MONITOR_EVENTS];
    uint64_t count; /* also the newest one's number */
    const char *path;
    int fd; /* -1: not open */
    uint64_t errors;
};

/* What is remembered of identities that the plan in force does not have. */
struct kept {
    struct kept *next;
    char *key;
    int64_t seen_ms; /* it was in force last */
    struct gslb_health health;
};
struct kept_name { /* last healthy pool of a name; was-up bits of a member */
    struct kept_name *next;
    char *key, *pool;
    int64_t seen_ms, at_ms;
};
#define KEPT_BUCKETS 4096
struct memory {
    char *path;
    struct kept *states[KEPT_BUCKETS];
    struct kept_name *names[KEPT_BUCKETS];
    bool dirty;
    bool failed;           /* the last saving did: said once */
    struct saving *saving; /* NULL: none is on its way */
    bool writing;          /* and it is not ours until it is written */
    int64_t saved_ms;
};

struct gslb_monitor {
    struct gslb_monitor_place place;
    struct wheel wheel;
    struct rng rng;
    struct scene *scene; /* NULL: no plan */
    struct list ready, dirty;
    bool names_dirty;
    unsigned unanswered;
    int64_t second_ms;  /* next work of every second */
    unsigned refreshed; /* names whose time was looked at, round and round */
    /* doubt */
    struct list turned;
    unsigned turned_count;
    bool frozen;
    const char *frozen_why;
    /* operator */
    struct order **orders;
    unsigned order_count;
    uint64_t order_number;
    char *orders_path;
    bool orders_unsure; /* the file may hold what was refused: write it again */
    int64_t orders_next_ms;
    struct events events;
    struct memory memory;
    /* for gslb_pick */
    struct gslb_member pick_members[GSLB_MEMBERS_MAX];
    struct gslb_member_state pick_states[GSLB_MEMBERS_MAX];
    uint16_t picked[GSLB_MEMBERS_MAX];
};

static inline int64_t monitor_now(const struct gslb_monitor *m)
{
    return clock_mono_ms(m->place.clock);
}
/* Milliseconds since 1970 of a monotonic time, and back. A stamp of the future is now. */
int64_t monitor_wall_ms(const struct gslb_monitor *m, int64_t mono_ms);
int64_t monitor_mono_ms(const struct gslb_monitor *m, int64_t wall_ms);
const char *monitor_status_name(enum gslb_status s);
/* "pool/member"; out has room for cap. */
/* Addresses of a member, of a host name those that are known now; out has room for two times
 * GSLB_HOST_ADDRESSES. Returns how many. */
unsigned member_addresses(const struct gslb_monitor *m, const struct gslb_plan *plan,
                          const struct gslb_endpoint *e, struct addr *out);
const char *member_print(const struct member *mb, char *out, size_t cap);

/* scene.c */
struct member *scene_member(const struct gslb_monitor *m, const char *name); /* or NULL */
int scene_new(struct gslb_monitor *m, struct gslb_plan *plan, struct scene **out);
void scene_free(struct scene *s);
/* Makes s the scene in force, and takes over from the one before. */
void scene_adopt(struct gslb_monitor *m, struct scene *s);

/* schedule.c */
void probe_fire(struct wheel_timer *t);
void machine_fire(struct wheel_timer *t);
void probe_arm(struct probe *p);
void probe_cancel(struct probe *p); /* what is on its way */
void probe_take(struct probe *p, const struct gslb_probe_result *r, const char *why);
void machine_arm(struct machine *k);
void machine_show(struct machine *k, const char *why, enum gslb_status was, const char *evidence);
void machine_tick_all(struct gslb_monitor *m);
void schedule_start(struct gslb_monitor *m);

/* show.c: into the table */
void member_fire(struct wheel_timer *t);
void member_show(struct member *mb);
void pools_settle(struct gslb_monitor *m);
void names_settle(struct gslb_monitor *m);
void names_refresh(struct gslb_monitor *m);

/* share.c: of answers */
void shares_sample(struct gslb_monitor *m);
/* One member per answer, by weight: what it is given can be held against its weight. */
bool pool_expects(const struct pool *pool);
uint64_t member_answers(const struct gslb_monitor *m, const struct member *mb, uint32_t *until_s);

/* doubt.c */
void doubt_note(struct gslb_monitor *m, struct probe *p, enum gslb_result result);
void doubt_weigh(struct gslb_monitor *m);
bool doubt_withdraw(struct gslb_monitor *m, const struct member *mb);

/* orders.c */
int orders_read(struct gslb_monitor *m, struct diag_list *d);
/* The file's body. After an error some may be there already, for orders_fini. */
int orders_parse(struct gslb_monitor *m, const char *text);
int orders_save(struct gslb_monitor *m);
void orders_fini(struct gslb_monitor *m);
void orders_assign(struct gslb_monitor *m);
void orders_expire(struct gslb_monitor *m);
bool order_matches(const struct member *mb, const struct gslb_plan *plan, enum order_kind kind,
                   const char *what);
enum order_kind order_kind(const char *what);
const char *order_force_name(enum gslb_force f);

/* events.c */
void events_init(struct events *e, const char *path);
void events_fini(struct events *e);
void events_reopen(struct events *e); /* when the file was rotated away */
void event_say(struct gslb_monitor *m, const struct event *what); /* numbered and timed here */
void event_of(struct gslb_monitor *m, const struct member *mb, const char *check, const char *from,
              const char *to, const char *why, const char *evidence);
json_t *event_json(const struct event *v);

/* memory.c */
int memory_read(struct gslb_monitor *m, struct diag_list *d);
/* The file's body, with a NUL behind it, which is torn up. After an error some may be kept already.
 */
int memory_parse(struct gslb_monitor *m, char *text, size_t len);
/* Goes on with what is being saved; begins if that is due and there is something. True: it wants
 * the next turn soon. */
bool memory_save(struct gslb_monitor *m, bool begin);
void memory_restart(struct gslb_monitor *m); /* the scene is another one */
void memory_flush(struct gslb_monitor *m);   /* at the end: written when this returns */
void memory_fini(struct memory *y);
/* Of a seat: takes what is remembered. False: nothing is. */
bool memory_restore(struct gslb_monitor *m, const struct seat *seat, struct gslb_health *h);
void memory_keep(struct gslb_monitor *m, const struct seat *seat);
void memory_restore_names(struct gslb_monitor *m);
bool memory_was_up(struct gslb_monitor *m, const struct member *mb);

#endif
