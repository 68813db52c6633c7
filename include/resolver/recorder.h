/* resolver/recorder.h: the flight recorder: why was that answer wrong, slow or missing just now?
 * One per worker. Two rings of bytes: ordinary resolutions in one; failures (SERVFAIL) and slow
 * ones in the other, where they live longer because fewer come. The newest overwrite the oldest;
 * nothing is allocated after recorder_new. Trace bytes are opaque here (resolver/trace.h). Threads:
 * one writer, any readers; a mutex, which the writer takes once per resolution, never for answers
 * from tier one. */
#ifndef WAYPOST_RESOLVER_RECORDER_H
#define WAYPOST_RESOLVER_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDER_SLOW_US 500000 /* above: kept with the failures */

struct recorder;

struct recorder_entry {
    int64_t wall_s;       /* when it ended, seconds since 1970 */
    const uint8_t *qname; /* wire, case as asked */
    const uint8_t *trace;
    size_t trace_len;
    uint32_t took_us;
    uint16_t qtype, rcode;
    bool failed;  /* from the ring of failures and slow ones */
    bool dropped; /* the trace was larger than a quarter of its ring: not kept */
};

/* ERR_RANGE: a ring below 4096 bytes. ERR_NOMEM. Memory: both rings and a quarter of the larger. */
int recorder_new(struct recorder **r, size_t recent_bytes, size_t failed_bytes);
void recorder_free(struct recorder *r);
void recorder_put(struct recorder *r, int64_t wall_s, const uint8_t *qname, uint16_t qtype,
                  uint16_t rcode, uint32_t took_us, const uint8_t *trace, size_t trace_len);
/* Calls fn for the newest n entries of a name (NULL: of all), newest first, both rings together.
 * fn runs under the mutex: it copies and returns; the entry's bytes are gone afterwards. Returns
 * how many. */
unsigned recorder_find(struct recorder *r, const uint8_t *qname, unsigned n,
                       void (*fn)(void *arg, const struct recorder_entry *e), void *arg);

#endif
