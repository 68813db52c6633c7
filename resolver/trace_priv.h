/* trace_priv.h: the recorder's event rows and its writing side.
 * An event is: length (2), kind (1), iterator (1), microseconds since the start (4), then the
 * fields its row lists, in that order. Field types: n name, a address with port, u 32-bit number, t
 * record type, s short text (length octet first). Threads: one writer. */
#ifndef WAYPOST_RESOLVER_TRACE_PRIV_H
#define WAYPOST_RESOLVER_TRACE_PRIV_H

#include "resolver/trace.h"

#include <stdarg.h>
#include <stdbool.h>

/* clang-format off */
#define TRACE_MAP(X)                                                                               \
    X(START, "start", "n:qname t:qtype")                                                           \
    X(STEP, "step", "s:step")                                                                      \
    X(SUB, "sub", "u:child u:depth s:reason n:qname t:qtype")                                      \
    X(PROBE, "cache_probe", "s:entry n:name t:type s:result u:ttl s:rank")                         \
    X(LOCAL, "local", "n:name s:action")                                                           \
    X(SHARED, "shared", "s:with_worker")                                                           \
    X(CUT, "cut", "n:zone s:source u:ttl u:ns u:addrs")                                            \
    X(HOP, "hop", "u:seq u:depth s:reason n:zone s:cut_from n:qname t:qtype u:minimised u:labels " \
                  "u:of_labels")                                                                   \
    X(WEIGH, "considered", "u:seq n:ns a:addr s:origin u:cost_us s:verdict")                       \
    X(CHOICE, "choice", "u:seq n:ns a:addr s:origin s:why u:candidates u:cost_us u:next_us")       \
    X(SEND, "send", "u:seq u:n s:transport a:server u:local_port u:rto_ms u:case_mixed "           \
                    "u:edns_sent s:pool u:pool_used u:total_used u:reused s:cookie")               \
    X(OUTCOME, "outcome", "u:seq u:n s:outcome u:rtt_us u:size")                                   \
    X(CLASS, "class", "u:seq s:class u:rcode u:aa u:tc u:glue u:edns s:flags u:edns_size u:n")     \
    X(SCRUB, "scrub", "n:name t:type s:rule")                                                      \
    X(ALIAS, "alias", "u:n n:from n:to t:type")                                                    \
    X(WRITE, "cache_write", "u:seq s:entry n:name t:type u:ttl s:rank s:result")                   \
    X(LIMIT, "limit", "s:limit u:used u:limit_at")                                                 \
    X(FAIL, "fail", "s:why")                                                                       \
    X(BUDGET, "budget", "u:total u:walk u:ns_addr u:ns_names u:aliases u:bytes")                   \
    X(EDE, "ede", "u:code s:text")                                                                 \
    X(LOST, "lost", "u:events")                                                                    \
    X(ANSWER, "answer", "u:rcode u:records u:took_us")
/* clang-format on */

enum trace_kind {
#define TRACE_ENUM(id, name, fields) TRACE_##id,
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
 * unsigned (u, t), const char * (s). NULL is the root, no address, "". */
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
