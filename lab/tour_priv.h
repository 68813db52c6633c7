/* lab/tour_priv.h: the walk through the exhibits, each claim checked. */
#ifndef WAYPOST_LAB_TOUR_H
#define WAYPOST_LAB_TOUR_H

#include "base/addr.h"
#include "daemon/server.h"
#include "lab/origins.h"

#include <stdatomic.h>
#include <stdbool.h>

struct tour {
    struct server *server;
    struct origins *origins;
    struct addr resolver;
    uint16_t upstream_port;
    unsigned fail_after, pass_after, every_ms; /* of the check that sees web servers stop */
    bool stay;                                 /* the lab goes on afterwards */
    unsigned step;                             /* claims so far, */
    unsigned failed;                           /* and those that do not hold */
    _Atomic bool over;
};

/* The whole of it, of a struct tour; printed as it goes. Unless `stay` it ends the server. */
void tour_thread(void *arg);

#endif
