/* net/counters.h: what happens on the sockets. One block per worker. */
#ifndef WAYPOST_NET_COUNTERS_H
#define WAYPOST_NET_COUNTERS_H

#include "base/stat.h"

#define NET_COUNTERS(X)                                                                      \
    X(UDP_RECEIVED, "net_udp_received_total", "Datagrams received by listeners.")            \
    X(UDP_BATCHES, "net_udp_batches_total", "Receive calls that brought datagrams.")         \
    X(UDP_SENT, "net_udp_sent_total", "Datagrams sent by listeners.")                        \
    X(UDP_SEND_FAILED, "net_udp_send_failed_total", "Answers that the kernel did not take.") \
    X(UDP_OVERSIZE, "net_udp_oversize_total", "Datagrams longer than a receive slot.")       \
    X(TCP_ACCEPTED, "net_tcp_accepted_total", "Connections accepted.")                       \
    X(TCP_QUERIES, "net_tcp_queries_total", "Queries received over TCP.")                    \
    X(TCP_WRITES, "net_tcp_writes_total", "Write calls, each with all answers of one read.") \
    X(TCP_LIMIT, "net_tcp_limit_total", "Connections closed because of a connection limit.") \
    X(TCP_TIMEOUT, "net_tcp_timeout_total", "Connections closed by a timeout.")              \
    X(TCP_STALLED, "net_tcp_stalled_total",                                                  \
      "Connections dropped because the client did not read.")                                \
    X(UP_UDP_SENT, "net_upstream_udp_sent_total", "Questions sent to servers over UDP.")     \
    X(UP_UDP_SOCKETS, "net_upstream_udp_sockets_total", "Upstream UDP sockets opened.")      \
    X(UP_REPLIES, "net_upstream_replies_total", "Replies that matched an attempt.")          \
    X(UP_MISMATCH, "net_upstream_mismatch_total",                                            \
      "Replies from the right address with wrong id, question or case.")                     \
    X(UP_STRAY, "net_upstream_stray_total", "Datagrams from an address that was not asked.") \
    X(UP_TCP_CONNECTS, "net_upstream_tcp_connects_total", "Connections opened to servers.")  \
    X(UP_TCP_SENT, "net_upstream_tcp_sent_total", "Questions sent to servers over TCP.")     \
    X(UP_TCP_REUSED, "net_upstream_tcp_reused_total",                                        \
      "Questions sent over a connection used before.")

enum net_counter {
#define NET_ENUM(id, name, help) NET_##id,
    NET_COUNTERS(NET_ENUM)
#undef NET_ENUM
        NET_COUNTER_COUNT
};
extern const struct stat_row net_stat_rows[NET_COUNTER_COUNT];

#endif
