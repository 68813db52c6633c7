/* lab/client.h: a small stub client for the tour: one question, UDP, TCP when truncated.
 * Threads: any; blocking. */
#ifndef WAYPOST_LAB_CLIENT_H
#define WAYPOST_LAB_CLIENT_H

#include "base/arena.h"
#include "dns/msg_parse.h"

#include <stdbool.h>

struct lab_reply {
    struct dns_msg msg; /* in the caller's arena */
    bool tcp;
    int64_t took_us;
};

/* EDNS 1232. 0; ERR_TIMEOUT, ERR_UNREACHABLE, ERR_FORMAT and what sockets say. */
int lab_ask(const struct addr *server, const char *name, const char *type, bool recurse,
            struct arena *a, struct lab_reply *reply);

/* Who asks: an address to send from, or (family of source 0) a client subnet (RFC 7871) to name. */
struct lab_client {
    struct addr source;
    struct edns_subnet subnet;
};
/* "127.21.0.1": a source; "192.0.2.0/24": a subnet. As prefix_parse. */
int lab_client_parse(struct lab_client *c, const char *text);
/* As lab_ask without recursion, asked by a certain client. */
int lab_ask_as(const struct addr *server, const struct lab_client *client, const char *name,
               const char *type, struct arena *a, struct lab_reply *reply);

/* The same over one transport only, without recursion. */
int lab_ask_over(const struct addr *server, const char *name, const char *type, bool tcp,
                 int timeout_ms, struct arena *a, struct lab_reply *reply);

#endif
