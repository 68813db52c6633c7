/* resolver/hints.h: where the walk begins.
 * The 13 root servers of IANA, built in, or a hints file's text. Threads: immutable once read. */
#ifndef WAYPOST_RESOLVER_HINTS_H
#define WAYPOST_RESOLVER_HINTS_H

#include "base/addr.h"
#include "base/diag.h"

#define HINTS_MAX 64

struct hints {
    unsigned count;
    struct hints_server {
        uint8_t name[255];
        struct addr addr; /* port 0: the resolver's upstream port */
    } servers[HINTS_MAX];
};

/* text NULL: the built-in root servers (IANA, 13 names, IPv4 and IPv6). ERR_SYNTAX with diags;
 * ERR_INVALID: no address. */
int hints_read(struct hints *h, const char *text, struct diag_list *diags);

#endif
