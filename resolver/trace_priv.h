/* trace_priv.h: the recorder's event rows and its writing side.
 * An event is: length (2), kind (1), iterator (1), microseconds since the start (4), then the
 * fields its row lists (a letter each, then their names), in that order. Field types: n name, a
 * address with port, u 32-bit number, t record type, c constant of the program (its address: events
 * never leave the process but as text), s short text (length octet first). Threads: one writer. */
#ifndef WAYPOST_RESOLVER_TRACE_PRIV_H
#define WAYPOST_RESOLVER_TRACE_PRIV_H

#include "resolver/trace.h"

#include <stdarg.h>
#include <stdbool.h>

/* clang-format off */
#define TRACE_MAP(X)                                                                               \
    X(START, "start", "nt", "qname qtype")                                                         \
    X(STEP, "step", "c", "step")                                                                   \
    X(SUB, "sub", "uucnt", "child depth reason qname qtype")                                       \
    X(PROBE, "cache_probe", "cntcuc", "entry name type result ttl rank")                           \
    X(LOCAL, "local", "nc", "name action")                                                         \
    X(SHARED, "shared", "c", "with_worker")                                                        \
    X(CUT, "cut", "ncuuu", "zone source ttl ns addrs")                                             \
    X(HOP, "hop", "uucncntuuu", "seq depth reason zone cut_from qname qtype minimised "            \
      "labels of_labels")                                                                          \
    X(WEIGH, "considered", "unacuc", "seq ns addr origin cost_us verdict")                         \
    X(CHOICE, "choice", "unaccuuu", "seq ns addr origin why candidates cost_us next_us")           \
    X(SEND, "send", "uucauuuucuuuc", "seq n transport server local_port rto_ms case_mixed "        \
      "edns_sent pool pool_used total_used reused cookie")                                         \
    X(OUTCOME, "outcome", "uucuu", "seq n outcome rtt_us size")                                    \
    X(CLASS, "class", "ucuuuuusuu", "seq class rcode aa tc glue edns flags edns_size n")           \
    X(SCRUB, "scrub", "ntc", "name type rule")                                                     \
    X(ALIAS, "alias", "unnt", "n from to type")                                                    \
    X(WRITE, "cache_write", "ucntucc", "seq entry name type ttl rank result")                      \
    X(LIMIT, "limit", "cuu", "limit used limit_at")                                                \
    X(FAIL, "fail", "s", "why")                                                                    \
    X(BUDGET, "budget", "uuuuuu", "total walk ns_addr ns_names aliases bytes")                     \
    X(EDE, "ede", "us", "code text")                                                               \
    X(LOST, "lost", "u", "events")                                                                 \
    X(ANSWER, "answer", "uuu", "rcode records took_us")
/* clang-format on */

enum trace_kind {
#define TRACE_ENUM(id, name, types, fields) TRACE_##id,
    TRACE_MAP(TRACE_ENUM)
#undef TRACE_ENUM
        TRACE_KINDS
};

struct trace {
    uint8_t *at;
    size_t len, cap;
    unsigned lost;
};

/* Keeps the memory for the next request. */
void trace_reset(struct trace *t);
void trace_fini(struct trace *t);
/* Fields as the row lists them: const uint8_t * (n), const struct addr * (a),
 * unsigned (u, t), const char * (s; c, which must stay where it is). NULL is the root, no address,
 * "". */
void trace_add(struct trace *t, enum trace_kind kind, unsigned iter, int64_t at_us, ...);

/* ---- reading ---- */

#define TRACE_FIELDS_MAX 14

struct trace_field {
    const char *name; /* in the row; up to a space or the end */
    int name_len;
    char type;
    uint32_t number;
    const uint8_t *bytes; /* n: name; s: text */
    size_t len;
    struct addr addr;
};

struct trace_event {
    enum trace_kind kind;
    unsigned iter, count;
    uint32_t at_us;
    struct trace_field f[TRACE_FIELDS_MAX];
};

/* The event at *at, which moves behind it. False at the end. */
struct resolver_result;
bool trace_next(const struct resolver_result *res, size_t *at, struct trace_event *e);

/* What the answer waited for, from the first to the last microsecond without gap
 * or overlap: our own work, one attempt's reply or its timer, or something else
 * (room in a window). What ran meanwhile and is not in it ran in parallel. */
enum trace_span_kind { TRACE_SPAN_WORK, TRACE_SPAN_REPLY, TRACE_SPAN_WAIT };
struct trace_span {
    uint32_t from_us, to_us;
    enum trace_span_kind what;
    uint32_t seq, n; /* REPLY: hop and attempt */
};
struct trace_path {
    struct trace_span *spans;
    unsigned count, cap;
};
/* Empty when memory is short. */
void trace_path_make(struct trace_path *p, const struct resolver_result *res);
void trace_path_free(struct trace_path *p);
bool trace_path_has(const struct trace_path *p, uint32_t seq);

#endif
