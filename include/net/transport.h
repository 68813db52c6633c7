/* net/transport.h: seam: ask this server this question.
 * One attempt is one question sent to one address over one transport. The implementation in
 * net/upstream.h uses real sockets; tests bring a scripted network. An attempt has no timeout of
 * its own: its owner arms timers and cancels, so that a late reply remains a true sample of a slow
 * server. The transport checks source address and port, id, and the question octet by octet (case
 * pattern included). What has the right source and fails the rest is reported as a mismatch; the
 * attempt stays open. Threads: one worker. */
#ifndef WAYPOST_NET_TRANSPORT_H
#define WAYPOST_NET_TRANSPORT_H

#include "base/addr.h"
#include "base/list.h"
#include "net/handler.h"

#include <stdint.h>

enum transport_event {
    TRANSPORT_REPLY,    /* packet and len; the attempt is over */
    TRANSPORT_MISMATCH, /* right source, wrong id, question or case (packet, len): the attempt stays
                           open */
    TRANSPORT_FAILED,   /* err: ERR_REFUSED, ERR_UNREACHABLE, ERR_CLOSED, ERR_TIMEOUT (TCP connect),
                           ERR_LIMIT...; over */
};

struct transport_attempt;
/* Never called from inside transport_send (deferred to the next turn). At the final event the
 * attempt is freed after the callback returns. */
typedef void transport_fn(struct transport_attempt *, enum transport_event, const uint8_t *packet,
                          size_t len, int err);

/* Embedded in the owner's object, zeroed before first use; fields above the line are the caller's.
 */
struct transport_attempt {
    struct addr server; /* with port */
    enum net_proto proto;
    const uint8_t *packet; /* the question as sent, borrowed until the attempt is over; its id must
                              be random already */
    uint16_t len;
    transport_fn *done;
    /* ---- the transport's ---- */
    bool open;
    bool reused;         /* TCP: went over a connection that had been used before */
    uint16_t local_port; /* for the trace; 0 unknown */
    int64_t sent_us;     /* monotonic time when it left */
    struct list link;    /* among those of the same socket or connection, */
    void *on;            /* which is this one; NULL: it has none any more */
    bool waits;          /* has not left yet, */
    int err;             /* and why it cannot */
};

struct transport {
    /* 0, or an error (no event follows): ERR_LIMIT no socket to be had, ERR_UNREACHABLE, ERR_NOMEM.
     * What leaves only later, with others, fails with TRANSPORT_FAILED. */
    int (*send)(struct transport *, struct transport_attempt *);
    /* The attempt is over; no event follows. Harmless when it is not open. */
    void (*cancel)(struct transport *, struct transport_attempt *);
};

#endif
