/* net/load.h: a server under load, and how it bears it.
 * One thread asks a server, as so many clients as there are sockets, in one of two ways:
 *  - closed loop: at most `window` queries are unanswered at once; the next follows an answer. It
 *    finds the highest rate, but a server that stalls is asked less, so latencies look better than
 *    clients would see them.
 *  - open loop: `rate` queries a second whatever comes back, evenly or as strangers come (Poisson).
 *    Latency counts from the moment a query should have left, so that a stall of either side shows.
 * connect -> warm (not counted) -> measure -> drain (nothing is sent, answers still count) -> over.
 * An answer counts when it repeats id and question of a query that still waits.
 * Own sockets and batched calls; nothing is allocated per query. Times are CLOCK_MONOTONIC in
 * nanoseconds: a microsecond would be a tenth of an answer on loopback. Threads: load_run uses the
 * calling one. Owner: the caller's storage; load_report_fini frees what the report holds. */
#ifndef WAYPOST_NET_LOAD_H
#define WAYPOST_NET_LOAD_H

#include "base/addr.h"
#include "base/histogram.h"
#include "net/handler.h"
#include "net/load_queries.h"

#define LOAD_CLIENTS_MAX 4096
#define LOAD_RATE_MAX    10000000
#define LOAD_WINDOW_MAX  1000000

enum load_moment {
    LOAD_BEGINS,   /* measuring begins: everything is zero */
    LOAD_INTERVAL, /* one more interval is over: report->recent */
    LOAD_ENDS      /* nothing is sent any more */
};

/* Of the measured time only; queries sent before it and their answers are left out. */
struct load_counts {
    uint64_t sent, answered;
    uint64_t lost;      /* no answer within the timeout, or the connection went */
    uint64_t late;      /* answers that came after that */
    uint64_t duplicate; /* second answers */
    uint64_t unmatched; /* packets that answer none of our questions */
    uint64_t bare;      /* of those answered: errors without question */
    uint64_t truncated; /* of those answered: TC */
    uint64_t empty;     /* of those answered: NOERROR without an answer record */
    uint64_t octets;    /* of those answered */
    uint64_t rcodes[16];
    uint64_t refused; /* ICMP told that nobody listens, or a connection was refused */
    uint64_t unsent;  /* the kernel did not take them; counted as sent, so they are lost as well */
    uint64_t closed;  /* connections that the server ended with queries in flight */
    uint64_t dropped; /* our own socket had no room for them */
};

struct load_recent {
    int64_t from_ns, to_ns; /* since measuring began */
    uint64_t sent, answered, lost;
    struct histogram latency;
};

struct load_report {
    struct load_counts counts;
    struct histogram latency; /* nanoseconds */
    struct histogram lag;     /* open loop: how much later than planned queries left */
    int64_t sending_ns;       /* how long queries were sent */
    int64_t elapsed_ns;       /* until the last answer, at least sending_ns */
    uint64_t in_time;         /* answers until sending ended */
    uint64_t behind;          /* open loop: queries that should have left until then and did not */
    int64_t cpu_ns;           /* our own, while sending */
    int64_t wait_ns;          /* ready, but another had the CPU; -1: the kernel does not tell */
    bool stopped;             /* ended early, by options->stop_fd */
    struct load_recent recent;
    uint64_t *answers; /* per whole interval */
    unsigned intervals, intervals_max;
};

struct load_options {
    struct addr server;
    enum net_proto proto;
    unsigned clients; /* sockets */
    unsigned window;  /* closed loop: unanswered at once, of all clients; 0: open loop, */
    uint32_t rate;    /* of so many a second */
    bool poisson;
    uint64_t count;  /* ends after so many measured queries; 0: by time alone */
    int64_t time_ns; /* ends after this time */
    int64_t warm_ns, interval_ns, timeout_ns;
    uint64_t seed;
    int stop_fd; /* readable: end now; -1: none */
    void (*watch)(void *arg, enum load_moment moment, const struct load_report *report);
    void *arg; /* watch may be NULL */
};

/* The rate in answers a second: those of the time of sending, or, when a count ended it, all until
 * the last answer. */
double load_report_rate(const struct load_report *r, const struct load_options *o);
void load_report_fini(struct load_report *r);

/* r: filled, whatever it had before; to be finished also after an error. 0, ERR_REFUSED (nobody
 * listens, nothing was answered), ERR_TIMEOUT (no connection came about), ERR_UNREACHABLE,
 * ERR_LIMIT (too many sockets for this process), ERR_ACCESS, ERR_NOMEM, ERR_SYSTEM. */
int load_run(const struct load_options *o, const struct load_queries *q, struct load_report *r);

#endif
