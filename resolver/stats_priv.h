/* stats_priv.h: the counters, the classes of replies and the limits, each listed once.
 * A class and a limit have a counter each, so that a test can demand that every one was met. */
#ifndef WAYPOST_RESOLVER_STATS_PRIV_H
#define WAYPOST_RESOLVER_STATS_PRIV_H

#define CLASS_MAP(X)                                                      \
    X(ANSWER, "answer", "replies with the data asked for")                \
    X(CNAME, "cname", "replies with an alias that leads on")              \
    X(DNAME, "dname", "replies with a DNAME above the name")              \
    X(REFERRAL, "referral", "replies that point to a zone below")         \
    X(NODATA, "nodata", "replies: the name exists, the type does not")    \
    X(NXDOMAIN, "nxdomain", "replies: the name does not exist")           \
    X(LAME, "lame", "replies from a server that does not serve the zone") \
    X(UPWARD, "upward", "referrals to a zone above")                      \
    X(LOOPING, "looping", "referrals to the zone that was asked")         \
    X(EMPTY, "empty", "replies that say nothing")                         \
    X(MALFORMED, "malformed", "replies that cannot be read")              \
    X(TRUNCATED, "truncated", "replies with TC over UDP")                 \
    X(SERVFAIL, "servfail", "replies with SERVFAIL")                      \
    X(REFUSED, "refused", "replies with REFUSED or NOTAUTH")              \
    X(FORMERR, "formerr", "replies with FORMERR, NOTIMP or BADVERS")      \
    X(STRANGE, "strange", "replies with another rcode")

#define LIMIT_MAP(X)                                                             \
    X(TOTAL, "query", "upstream questions in all")                               \
    X(WALK, "walk", "upstream questions along the path")                         \
    X(NS_ADDR, "ns_address", "upstream questions for addresses of name servers") \
    X(NS_NAMES, "ns_name", "name server names looked up")                        \
    X(NS_STEP, "ns_name_step", "name server names looked up at one cut")         \
    X(ALIASES, "alias", "CNAME and DNAME links")                                 \
    X(NS_SET, "ns_set", "records of one NS set looked at")                       \
    X(BYTES, "byte", "octets received")                                          \
    X(TIME, "time", "milliseconds of one query")                                 \
    X(DEPTH, "depth", "questions for name servers inside one another")           \
    X(STEPS, "step", "steps of one query")                                       \
    X(IN_FLIGHT, "in_flight", "questions in flight at one worker")

#define STAT_MAP(X)                                                                              \
    X(REQUESTS, "resolver_requests_total", "Questions of clients.")                              \
    X(CACHED, "resolver_cached_total", "Questions answered from record sets or local data.")     \
    X(JOINED, "resolver_joined_total", "Questions that joined an equal one in flight.")          \
    X(SHARED, "resolver_shared_total",                                                           \
      "Questions that waited for an equal one of another worker.")                               \
    X(CANCELLED, "resolver_cancelled_total", "Questions whose client went away.")                \
    X(REJECTED, "resolver_rejected_total", "Questions refused because too many were in flight.") \
    X(SERVFAILS, "resolver_servfail_total", "Questions answered SERVFAIL.")                      \
    X(QUERIES, "resolver_queries_total", "Questions sent to servers.")                           \
    X(QUERIES_TCP, "resolver_queries_tcp_total", "Questions sent to servers over TCP.")          \
    X(TIMEOUTS, "resolver_timeouts_total", "Questions whose timer ran out.")                     \
    X(LATE, "resolver_late_replies_total", "Replies after their timer ran out.")                 \
    X(MISMATCHES, "resolver_mismatches_total",                                                   \
      "Packets from a server with wrong id, question or case.")                                  \
    X(SEND_ERRORS, "resolver_send_errors_total", "Questions that could not be sent or broke.")   \
    X(WINDOW_FULL, "resolver_window_full_total",                                                 \
      "Servers passed over because their window was full.")                                      \
    X(SCRUBBED, "resolver_scrubbed_total", "Record sets dropped from replies.")                  \
    X(EDNS_PLAIN, "resolver_plain_queries_total", "Questions sent without EDNS.")                \
    X(FAILURES_CACHED, "resolver_cached_failures_total", "Questions answered from failure memory.")

enum reply_class {
#define CLASS_ENUM(id, name, help) CLASS_##id,
    CLASS_MAP(CLASS_ENUM)
#undef CLASS_ENUM
        CLASS_COUNT
};
enum limit {
#define LIMIT_ENUM(id, name, help) LIMIT_##id,
    LIMIT_MAP(LIMIT_ENUM)
#undef LIMIT_ENUM
        LIMIT_COUNT
};
enum resolver_stat {
#define STAT_ENUM(id, name, help) STAT_##id,
    STAT_MAP(STAT_ENUM)
#undef STAT_ENUM
        STAT_CLASS_FIRST,
    STAT_LIMIT_FIRST = STAT_CLASS_FIRST + CLASS_COUNT,
    STAT_COUNT = STAT_LIMIT_FIRST + LIMIT_COUNT
};

const char *class_name(enum reply_class c);
const char *limit_name(enum limit l);

#endif
