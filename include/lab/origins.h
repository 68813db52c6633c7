/* lab/origins.h: the web servers of the small Internet, two at each of three sites, on real
 * sockets: what steered answers point to and health checks ask. Each can be broken in several ways.
 * They speak as much HTTP/1.1 as a check needs, one request per connection: /healthz gives 200
 * "ok", / says who answers, /flaps gives 200 and 503 in turns, anything else 404. Threads: start
 * and stop in one thread, the rest from any; one thread answers for all of them. Owner: the caller.
 */
#ifndef WAYPOST_LAB_ORIGINS_H
#define WAYPOST_LAB_ORIGINS_H

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

struct origins;

#define ORIGINS_PORT  5380
#define ORIGINS_COUNT 6

struct origin_place {
    const char *name, *site, *city; /* "fra-1", "fra", "Frankfurt" */
    const char *address;
};
extern const struct origin_place origin_places[ORIGINS_COUNT];

/* port 0: a free one, the same for all. ERR_IN_USE (with who holds it), ERR_ACCESS, ERR_NOMEM,
 * ERR_SYSTEM: said in d. */
int origins_start(struct origins **o, uint16_t port, struct diag_list *d);
/* Ends the thread and frees everything; NULL is nothing. */
void origins_stop(struct origins *o);
uint16_t origins_port(const struct origins *o);

/* what: "fra-1", "fra" (both), "all". how: "refuse" (nobody listens; also NULL), "hang" (no reply),
 * "503", "slow" (1.5 s), "flap" or "flap:SECONDS" (refuses and answers in turns); "heal": as new.
 * It has happened when this returns. ERR_NOT_FOUND, ERR_SYNTAX: no such name, no such way; else why
 * a socket could not be opened again. `said` gets one line about it in any case. */
int origins_set(struct origins *o, const char *what, const char *how, char *said, size_t cap);

#endif
