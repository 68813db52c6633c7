/* daemon/engine.h: resolver options from a configuration.
 * Used by the server's workers and by a trace that runs cold in a process of its own, so that both
 * walk alike. Threads: built once at start. Owner: the caller; engine_free after the resolver is
 * gone. */
#ifndef WAYPOST_DAEMON_ENGINE_H
#define WAYPOST_DAEMON_ENGINE_H

#include "base/arena.h"
#include "config/config.h"
#include "resolver/resolver.h"

struct engine {
    struct arena arena; /* names, addresses, local data */
    struct resolver_options options;
    char *hints;            /* text of the hints file, or NULL */
    struct addr source[2];  /* IPv4, IPv6: family 0 is any */
    uint64_t answers_bytes; /* tier one's share of the cache */
};

/* ERR_INVALID, ERR_NOMEM; everything said in diags. To be freed in any case. */
int engine_init(struct engine *e, const struct config *c, struct diag_list *diags);
void engine_free(struct engine *e);

#endif
