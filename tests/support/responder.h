/* tests/support/responder.h: a name server on a thread that does to each query what the query's
 * first label says, so that a test can count what must come of it.
 *   ok, nx, servfail, trunc (TC), empty (no record): answered so
 *   drop: not at all      twice: two times      bare: FORMERR without the question
 *   wrongid, wrongname: of another id, of a name in another case; and not at all besides
 *   late: after late_ms, the first RESPONDER_LATE of them; later ones are answered at once
 *   close: the connection is closed (TCP)
 * Anything else is ok. Over TCP an answer leaves in two pieces. */
#ifndef WAYPOST_TESTS_RESPONDER_H
#define WAYPOST_TESTS_RESPONDER_H

#include "base/addr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPONDER_LATE        5
#define RESPONDER_HELD        64
#define RESPONDER_CONNECTIONS 16

struct responder_packet {
    uint8_t bytes[1024];
    size_t len;
    struct sockaddr_storage to;
    int64_t due_us;
};

struct responder {
    /* set before it starts */
    int late_ms;
    unsigned pause_at, pause_ms; /* before that query it does nothing for so long */
    unsigned hold;               /* answers when so many wait, not before; 0: at once */
    /* of it; read after the end */
    struct addr addr; /* UDP and TCP */
    unsigned seen, connections;
    unsigned most_held;
    pthread_t thread;
    int udp, tcp, stop;
    struct responder_packet late[RESPONDER_LATE], held[RESPONDER_HELD];
    unsigned late_count, late_sent, held_count;
    struct responder_stream {
        int fd;
        size_t len;
        uint8_t in[8192];
    } streams[RESPONDER_CONNECTIONS];
};

void responder_start(struct responder *r);
void responder_end(struct responder *r);

#endif
