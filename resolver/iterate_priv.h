/* iterate_priv.h: the objects of a resolution, and who calls whom.
 *
 *   request  one client's question; several equal ones share a
 *   walk     one question in flight: arena, budget, trace, deadline, and a tree of
 *   iter     one name being resolved: the top one for the client, the others for name servers, each
 *            going through the step table and sending
 *   attempt  one question to one address
 *
 * A walk's memory is its arena: iters and attempts live until the walk ends. Iters never call each
 * other: they are put on the walk's ready list, and walk_run() drives them one after the other.
 * Threads: everything here belongs to one worker; cache and servers lock for themselves. */
#ifndef WAYPOST_RESOLVER_ITERATE_PRIV_H
#define WAYPOST_RESOLVER_ITERATE_PRIV_H

#include "base/arena.h"
#include "base/list.h"
#include "resolver/cache.h"
#include "resolver/coalesce.h"
#include "resolver/hints.h"
#include "resolver/minimise.h"
#include "resolver/resolver.h"
#include "resolver/servers.h"
#include "stats_priv.h"
#include "trace_priv.h"

#define CUT_NS_MAX         32
#define CUT_ADDRS_MAX      64
#define ITER_SETS_MAX      64
#define ITER_AUTHORITY_MAX 32 /* proofs of each link of a chain, and of its end */
#define ITER_DEPTH_MAX     6  /* questions for name servers inside one another */
#define WALK_ITERS_MAX     200
#define WALK_ARENA_MAX     (1u << 20)
#define TRIES_MAX          2 /* UDP tries of one question at one address */
#define REPLY_RRS_MAX      1024
#define TCP_TIMEOUT_MIN    1000         /* milliseconds; connect and question */
#define WORKER_MEMORY      (128u << 20) /* octets that the walks of a worker hold */
#define WALK_TABLE         1024
/* Planes of names that never mix: 0 the world's, then forward zones, then below our own zones. */
#define FORWARD_MAX (255 - RESOLVER_VIEWS)
#define PLANE_VIEW  (FORWARD_MAX + 1)

struct local;

struct resolver {
    struct resolver_options o;
    const struct clock *clock;
    struct cache *cache;
    struct servers *servers;
    struct coalesce *coalesce;
    struct local *local;
    struct hints hints;
    struct arena arena; /* copies of option data */
    uint64_t seed;
    uint8_t cookie_secret[16];
};

struct resolver_worker {
    struct resolver *r;
    struct transport *transport;
    struct wheel *wheel;
    struct rng *rng;
    struct stat_block *stats;
    struct coalesce_inbox inbox;   /* what other workers found for us */
    struct list walks;             /* all in flight */
    struct list ended;             /* answered; their memory goes with the next turn */
    struct list table[WALK_TABLE]; /* by question */
    struct list spare;             /* ended walks whose arenas are warm */
    struct list queue;             /* iters that wait for room in a window */
    unsigned request_count, spare_count;
    struct wheel_timer crowded; /* there are more requests than shall be */
    size_t walk_memory;         /* octets that walks hold */
    int64_t now_us;             /* monotonic, see resolver_tick */
    int64_t primed_ms;          /* when the root was last primed, or tried to be */
};

struct budget {
    uint16_t total, walk, ns_addr, ns_names, aliases;
    uint32_t bytes;
};

struct walk {
    struct resolver_worker *w;
    struct list link, bucket;
    struct list requests, ready, attempts, all;
    struct arena arena;
    struct trace trace;
    size_t memory; /* of both, as counted in the worker */
    struct wheel_timer deadline;
    struct budget used;
    struct iter *top;
    int64_t started_us;
    uint16_t qtype;
    uint8_t qname[DNS_NAME_MAX];
    uint8_t plane;               /* below our own zone's cut, or 0 */
    const uint8_t *start_zone;   /* that cut, */
    const struct dns_msg *start; /* and its referral */
    struct edns_subnet subnet;   /* of the client, to be told; family 0: none */
    uint8_t scope;               /* of the answer so far */
    bool cache_only;             /* asked without RD */
    bool refresh;                /* takes nothing of the answer from the cache that expires soon */
    bool running;
    bool keep;    /* goes on without a client (priming) */
    bool limited; /* a limit has ended something, and is in ede */
    struct coalesce_seat seat;
    unsigned waits; /* for other workers, so far */
    bool alone;     /* does not wait again */
    unsigned iters, hops, steps, attempts_made;
    struct edns_ede ede[EDNS_EDE_MAX];
    unsigned ede_count;
};

struct request {
    struct list link;
    struct walk *walk;
    resolver_done *done;
    void *arg;
    int64_t started_us;
    bool *finished; /* set when the answer comes before resolver_ask returns */
};

struct cut_ns {
    const uint8_t *name;
    uint8_t asked; /* CUT_ASKED_A, CUT_ASKED_AAAA */
    bool glued;    /* an address came with the referral */
};
enum { CUT_ASKED_A = 1, CUT_ASKED_AAAA = 2 };
struct cut_addr {
    struct addr addr;
    const uint8_t *ns;  /* name, or NULL */
    const char *origin; /* glue, cache, hints, resolved, forward */
    /* Of the question being asked now: */
    uint8_t udp_tries;
    bool out;    /* answered uselessly, or refused: not again for this question */
    bool silent; /* a UDP timer ran out */
    bool tcp_tried, tcp_silent, plain_tried;
    bool case_only;        /* a mismatch in the case of the question only */
    bool cookie_asked : 1; /* BADCOOKIE was answered with the new one */
    bool untold : 1;       /* does not take a client's subnet */
};
struct cut {
    const uint8_t *zone;
    const char *source; /* hints, cache, referral, forward, our zone */
    uint32_t ttl;
    uint8_t plane; /* 0, 1 + index of the forward zone, PLANE_VIEW + view */
    unsigned ns_count, addr_count, serial;
    unsigned names_asked; /* at this cut */
    /* As far as the counts say: */
    struct cut_ns ns[CUT_NS_MAX];
    struct cut_addr addrs[CUT_ADDRS_MAX];
};

/* clang-format off */
#define ITER_MAP(X)                                                                         \
    X(LOCAL, local)                                                                         \
    X(CACHE, cache)                                                                         \
    X(JOIN, join)                                                                           \
    X(CUT, cut)                                                                             \
    X(SELECT, select)                                                                       \
    X(SEND, send) X(WAIT, wait) X(CLASSIFY, classify) X(REFERRAL, referral) X(ALIAS, alias) \
        X(ANSWER, answer) X(NEGATIVE, negative) X(LAME, lame) X(FINISH, finish)
/* clang-format on */
enum iter_state {
#define ITER_ENUM(id, name) ITER_##id,
    ITER_MAP(ITER_ENUM)
#undef ITER_ENUM
        ITER_STATES
};

struct iter {
    struct walk *walk;
    struct iter *parent;
    struct list ready, all; /* links of the walk's lists */
    const char *reason;     /* answer, ns-address, priming */
    unsigned id, depth, children;
    unsigned parent_cut; /* serial of the cut that wants the addresses */
    enum iter_state state;
    bool ended;
    const uint8_t *qname; /* as asked; name: after aliases */
    const uint8_t *name;
    uint16_t qtype;
    unsigned seen_count;
    struct minimise min;
    /* The question being asked. */
    const uint8_t *sent_name;
    uint16_t sent_type;
    bool shortened;
    bool weighed;      /* the candidates are in the trace */
    unsigned question; /* serial: replies to older ones are only samples */
    unsigned hop;
    unsigned pending;       /* attempts of this question whose timer runs */
    struct wheel_timer nap; /* all windows are full: look again soon, */
    struct list queued;     /* or when a question leaves one: oldest first */
    enum iter_state after_nap;
    unsigned naps;
    /* The choice of select for send. */
    struct cut_addr *target;
    enum net_proto proto;
    bool plain; /* without EDNS */
    /* The reply for classify and what follows. */
    struct dns_msg msg;
    struct attempt *from;
    enum reply_class class;
    uint8_t scope; /* of the subnet it was told */
    /* The outcome. */
    uint16_t rcode;
    unsigned answer_count, authority_count, additional_count;
    struct dns_rrset *additional;
    const char *fail; /* why, for the extended error */
    uint16_t fail_code;
    enum reply_class last; /* useless reply, CLASS_COUNT: none */
    bool looped;           /* a name server's name needed itself */
    bool failed;           /* SERVFAIL of our own making: failure memory */
    bool from_memory;
    /* From here on nothing is cleared but the counts. */
    struct cut cut;
    const uint8_t *seen[32]; /* names of the alias chain */
    struct dns_rrset answer[ITER_SETS_MAX];
    struct dns_rrset authority[ITER_AUTHORITY_MAX];
};

struct attempt {
    struct transport_attempt t;
    struct list link; /* walk's attempts while open */
    struct iter *iter;
    struct wheel_timer timer;
    struct server_ticket ticket;
    unsigned question, n, hop, target; /* target: index into the cut's addresses */
    unsigned cut;                      /* serial */
    uint16_t question_end;             /* offset in the packet */
    uint8_t cookie_len;                /* of the cookie sent, whole */
    uint8_t cookie[EDNS_COOKIE_MAX];
    bool timed_out, edns, retried;
    bool told; /* the client's subnet */
};

enum iter_next { ITER_AGAIN, ITER_PAUSE, ITER_DONE };

/* resolver.c */
/* The time is read where something comes in (a question, a reply, a timer), where a question leaves
 * and where a walk ends; what happens between is said to have happened then. */
void resolver_tick(struct resolver_worker *w);
int64_t resolver_now_ms(const struct resolver_worker *w); /* monotonic */
int64_t resolver_now_s(const struct resolver_worker *w);  /* of cache expiry */

/* request.c */
struct walk *walk_new(struct resolver_worker *w, const uint8_t *qname, uint16_t qtype);
/* It begins at a referral of our own. False: that says nothing. */
bool cut_start(struct walk *k, const struct resolver_ask *ask);
void walk_end(struct walk *k);
/* Without telling anybody. */
void walk_drop(struct walk *k);
/* Counts what it holds now. */
void walk_account(struct walk *k);
void request_init(struct resolver_worker *w);
void walk_prime(struct resolver_worker *w);

/* iterate.c */
struct iter *iter_new(struct walk *k, struct iter *parent, const uint8_t *qname, uint16_t qtype,
                      const char *reason);
void iter_wake(struct iter *it, enum iter_state state);
void walk_run(struct walk *k);
enum iter_next iter_goto(struct iter *it, enum iter_state state);
/* SERVFAIL with an extended error. */
enum iter_next iter_fail(struct iter *it, uint16_t ede, const char *why);
/* Counts, records and says the limit, which ended the question or (not fatal) left something out;
 * always false. */
bool iter_limit(struct iter *it, enum limit l, unsigned used, unsigned at, bool fatal);
int64_t walk_us(const struct walk *k);
void walk_ede(struct walk *k, uint16_t code, const char *text);
bool iter_add(struct dns_rrset *sets, unsigned *count, unsigned cap, const struct dns_rrset *set);

/* join.c */
/* Before the cache is asked. */
void join_mark(struct iter *it);
void join_leave(struct walk *k, bool through);
void join_drain(struct resolver_worker *w);

/* nap.c */
void nap_init(struct iter *it);
/* False: it has waited long enough. */
bool nap_begin(struct iter *it, enum iter_state then);
void nap_end(struct iter *it);
/* A question to it is over: those who wait for room in its window go on. */
void nap_wake(struct resolver_worker *w, const struct addr *server);

/* cut.c */
void cut_find(struct iter *it, const uint8_t *name);
void cut_begin(struct iter *it, const uint8_t *zone, const char *source, uint8_t plane);
bool cut_add_ns(struct iter *it, const uint8_t *name);
/* A sample of at most ns_sample when there are more. */
void cut_add_servers(struct iter *it, const struct dns_rrset *ns);
void cut_add_addr(struct iter *it, const uint8_t *ns, const uint8_t *bytes, size_t len,
                  const char *origin);
void cut_add_set(struct iter *it, const uint8_t *ns, const struct dns_rrset *set,
                 const char *origin);
void cut_new_question(struct cut *c);

/* attempt.c */
/* ERR_LIMIT: a pool is empty (said). Other errors: this server cannot be asked. */
int attempt_start(struct iter *it, struct cut_addr *to, enum net_proto proto, bool plain);
void attempts_cancel(struct walk *k);
/* Where the address that gave the current reply stands in the cut. */
struct cut_addr *attempt_target(struct iter *it, const struct attempt *a);

/* subnet.c: a client's network in questions and replies (RFC 7871) */
/* What is to be told for this question; family 0: nothing. */
struct edns_subnet subnet_of(const struct resolver_ask *ask);
/* Whether this question to this address tells it. */
bool subnet_is_told(const struct iter *it, const struct cut_addr *to);
/* Of a reply to a question that told it: the scope, for what comes of the reply. False: the reply
 * is of no use, but the server may answer when it is told nothing. */
bool subnet_read(struct iter *it);

/* full.c: beside the answer */
void full_add(struct iter *it);

/* store.c */
void store_set(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
               const struct dns_rrset *set, const struct dns_rrset *sigs, uint8_t rank);
/* A part of the answer: set, sigs, proof and rank of e are what is to be stored; for the client's
 * network alone if the reply has a scope. */
void store_answer(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                  struct cache_entry *e);
uint32_t store_negative_ttl(struct iter *it, struct dns_rrset *soa);
void store_failure(struct iter *it);
bool store_get(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
               struct cache_entry *e);
/* The same for a part of the client's answer: of its network, or what is known to be for everybody
 * whoever asks. */
bool store_find(struct iter *it, uint8_t kind, const uint8_t *name, uint16_t type,
                struct cache_entry *e);
uint8_t store_plane(const struct iter *it, const uint8_t *name);
const char *store_rank(uint8_t kind, uint8_t rank);
static inline bool plane_is_forward(uint8_t plane)
{
    return plane && plane < PLANE_VIEW;
}

/* Steps: step_cache.c (local, cache, cut), join.c, select.c, attempt.c (send, wait), step_reply.c,
 * step_answer.c */
#define ITER_STEP(id, name) enum iter_next step_##name(struct iter *it);
ITER_MAP(ITER_STEP)
#undef ITER_STEP

#endif
