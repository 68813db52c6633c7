/* gslb/client_priv.h: which address steers, and how wide what was looked at holds. */
#ifndef WAYPOST_GSLB_CLIENT_PRIV_H
#define WAYPOST_GSLB_CLIENT_PRIV_H

#include "gslb/steer.h"

struct client {
    struct addr address; /* IPv6, also in ::ffff:0:0/96, where the subnet is */
    bool from_subnet;    /* scopes count only then */
};

/* The subnet of the query when it says something and may be used, else the packet's source. */
struct client client_of(const struct gslb_client *c, bool ignore_subnet);

/* The client's network of so many bits, as policies tell clients apart: the address it speaks for
 * first. *depth: bits of the client's own family that were looked at. */
uint64_t client_network(const struct client *c, unsigned bits4, unsigned bits6, unsigned *depth);

#endif
