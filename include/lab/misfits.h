/* lab/misfits.h: name servers that misbehave on purpose, each in one way, on real sockets.
 * One thread answers for all of them; below its misbehaviour each is our own authority with a small
 * zone of its own: SOA, NS and `www`. They are delegated to by zones/lab/test.zone.
 * Threads: start and stop in one thread. Owner: the caller. */
#ifndef WAYPOST_LAB_MISFITS_H
#define WAYPOST_LAB_MISFITS_H

#include "base/diag.h"

#include <stdint.h>

struct misfits;

extern const unsigned misfits_count;

/* ERR_IN_USE and what sockets say, said in diags; ERR_NOMEM. */
int misfits_start(struct misfits **m, uint16_t port, struct diag_list *diags);
/* Ends the thread and frees everything; NULL is nothing. */
void misfits_stop(struct misfits *m);

#endif
