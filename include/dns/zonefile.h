/* dns/zonefile.h: master files.
 * Reads RFC 1035 5 whole (escapes, parentheses, @, relative names, blank owner), $ORIGIN, $TTL (RFC
 * 2308), $INCLUDE, $GENERATE, unit TTLs ("1h30m") and RFC 3597, record by record into a callback.
 * All errors are collected with file:line:column and the line; reading goes on with the next
 * record. Threads: one reader each. Owner: what the callback gets is borrowed until it returns. */
#ifndef WAYPOST_DNS_ZONEFILE_H
#define WAYPOST_DNS_ZONEFILE_H

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

struct zonefile_rr {
    const uint8_t *owner; /* wire, case kept */
    const uint8_t *rdata; /* flat, checked */
    uint32_t ttl;
    uint16_t type, cls, rdlen;
    const char *file; /* where the record began; borrowed as well */
    unsigned line;
    void *reader; /* for zonefile_complain */
};

struct zonefile_options {
    const uint8_t *origin;  /* wire; required */
    uint32_t default_ttl;   /* used until $TTL; UINT32_MAX: a first record without TTL takes the SOA
                               minimum, else error */
    unsigned include_depth; /* 0 forbids $INCLUDE; usual 8 */
    unsigned max_errors;    /* stop after so many; 0 is 100 */
};

/* Returns 0 or a negative err to stop reading. */
typedef int zonefile_fn(void *arg, const struct zonefile_rr *rr);

/* 0; ERR_SYNTAX when any error was added to diags; ERR_IO, ERR_ACCESS, ERR_NOT_FOUND (said in diags
 * too); what fn returned. */
int zonefile_read(const char *path, const struct zonefile_options *o, zonefile_fn *fn, void *arg,
                  struct diag_list *diags);
/* The same from memory; `name` is shown in errors. */
int zonefile_read_mem(const char *name, const char *text, size_t len,
                      const struct zonefile_options *o, zonefile_fn *fn, void *arg,
                      struct diag_list *diags);
/* From inside the callback: an error at this record, as those of the reader itself; the callback
 * returns what this returns. */
int zonefile_complain(const struct zonefile_rr *rr, const char *what);
/* "1h30m", "300": seconds, or ERR_SYNTAX, ERR_RANGE. */
int zonefile_ttl(const char *text, size_t len, uint32_t *ttl);

#endif
