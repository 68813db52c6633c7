/* resolver/recorder.c: positions count bytes since the start and never wrap; the place in the ring
 * is position modulo size. A record is a head, the name and the trace; its head knows the length of
 * the record before it, so that the newest are found first. Bytes from `oldest` to `newest_end` are
 * whole records. */
#include "resolver/recorder.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RING_MIN = 4096 };

struct head {
    uint64_t seq; /* over both rings */
    int64_t wall_s;
    uint32_t size, size_before; /* whole records */
    uint32_t took_us, trace_len;
    uint16_t qtype, rcode;
    uint16_t name_len;
    bool dropped;
};

struct ring {
    uint8_t *bytes;
    size_t size;
    uint64_t oldest, end; /* positions */
    uint32_t last_size;   /* of the newest record */
};

enum { RING_RECENT, RING_FAILED, RINGS };

struct recorder {
    pthread_mutex_t lock;
    struct ring rings[RINGS];
    uint64_t seq;
    uint8_t *scratch; /* one record's name and trace in one piece */
};

static void ring_copy_in(struct ring *g, uint64_t at, const void *from, size_t len)
{
    size_t place = (size_t)(at % g->size), first = g->size - place;
    first = first < len ? first : len;
    if (first)
        memcpy(g->bytes + place, from, first);
    if (len > first)
        memcpy(g->bytes, (const uint8_t *)from + first, len - first);
}

static void ring_copy_out(const struct ring *g, uint64_t at, void *to, size_t len)
{
    size_t place = (size_t)(at % g->size), first = g->size - place;
    first = first < len ? first : len;
    memcpy(to, g->bytes + place, first);
    if (len > first)
        memcpy((uint8_t *)to + first, g->bytes, len - first);
}

static void ring_put(struct ring *g, struct head *h, const uint8_t *qname, const uint8_t *trace)
{
    h->size = (uint32_t)(sizeof *h + h->name_len + h->trace_len);
    h->size_before = g->last_size;
    while (g->end + h->size - g->oldest > g->size) {
        struct head old;
        ring_copy_out(g, g->oldest, &old, sizeof old);
        g->oldest += old.size;
    }
    ring_copy_in(g, g->end, h, sizeof *h);
    ring_copy_in(g, g->end + sizeof *h, qname, h->name_len);
    ring_copy_in(g, g->end + sizeof *h + h->name_len, trace, h->trace_len);
    g->end += h->size;
    g->last_size = h->size;
}

/* The record that ends at `end`; false when there is none. */
static bool ring_before(const struct ring *g, uint64_t end, uint32_t size, struct head *h)
{
    if (end <= g->oldest || !size)
        return false;
    ring_copy_out(g, end - size, h, sizeof *h);
    return true;
}

static size_t trace_max(size_t ring_bytes)
{
    return ring_bytes / 4;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    for (int n = 0; n < RINGS; n++)
        free(r->rings[n].bytes);
    free(r->scratch);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

int recorder_new(struct recorder **out, size_t recent_bytes, size_t failed_bytes)
{
    *out = NULL;
    if (recent_bytes < RING_MIN || failed_bytes < RING_MIN || recent_bytes > UINT32_MAX ||
        failed_bytes > UINT32_MAX)
        return ERR_RANGE;
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    pthread_mutex_init(&r->lock, NULL);
    size_t larger = recent_bytes > failed_bytes ? recent_bytes : failed_bytes;
    r->rings[RING_RECENT] = (struct ring){.bytes = malloc(recent_bytes), .size = recent_bytes};
    r->rings[RING_FAILED] = (struct ring){.bytes = malloc(failed_bytes), .size = failed_bytes};
    r->scratch = malloc(DNS_NAME_MAX + trace_max(larger));
    if (!r->rings[RING_RECENT].bytes || !r->rings[RING_FAILED].bytes || !r->scratch) {
        recorder_free(r);
        return ERR_NOMEM;
    }
    *out = r;
    return 0;
}

void recorder_put(struct recorder *r, int64_t wall_s, const uint8_t *qname, uint16_t qtype,
                  uint16_t rcode, uint32_t took_us, const uint8_t *trace, size_t trace_len)
{
    bool failed = rcode == DNS_RCODE_SERVFAIL || took_us > RECORDER_SLOW_US;
    struct ring *g = &r->rings[failed ? RING_FAILED : RING_RECENT];
    bool dropped = trace_len > trace_max(g->size);
    struct head h;
    memset(&h, 0, sizeof h); /* padding too: it is copied as bytes */
    h.wall_s = wall_s;
    h.took_us = took_us;
    h.trace_len = dropped ? 0 : (uint32_t)trace_len;
    h.qtype = qtype;
    h.rcode = rcode;
    h.name_len = (uint16_t)dns_name_len(qname);
    h.dropped = dropped;
    pthread_mutex_lock(&r->lock);
    h.seq = ++r->seq;
    ring_put(g, &h, qname, trace);
    pthread_mutex_unlock(&r->lock);
}

static bool deliver(struct recorder *r, const struct ring *g, uint64_t at, const struct head *h,
                    const uint8_t *qname, void (*fn)(void *arg, const struct recorder_entry *e),
                    void *arg)
{
    ring_copy_out(g, at + sizeof *h, r->scratch, h->name_len);
    if (qname && !dns_name_equal(r->scratch, qname))
        return false;
    ring_copy_out(g, at + sizeof *h + h->name_len, r->scratch + h->name_len, h->trace_len);
    struct recorder_entry e = {.wall_s = h->wall_s,
                               .qname = r->scratch,
                               .trace = r->scratch + h->name_len,
                               .trace_len = h->trace_len,
                               .took_us = h->took_us,
                               .qtype = h->qtype,
                               .rcode = h->rcode,
                               .failed = g == &r->rings[RING_FAILED],
                               .dropped = h->dropped};
    fn(arg, &e);
    return true;
}

unsigned recorder_find(struct recorder *r, const uint8_t *qname, unsigned n,
                       void (*fn)(void *arg, const struct recorder_entry *e), void *arg)
{
    unsigned found = 0;
    struct head h[RINGS];
    uint64_t end[RINGS];
    bool has[RINGS];
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < RINGS; i++) {
        end[i] = r->rings[i].end;
        has[i] = ring_before(&r->rings[i], end[i], r->rings[i].last_size, &h[i]);
    }
    while (found < n && (has[RING_RECENT] || has[RING_FAILED])) {
        int i = !has[RING_RECENT] || (has[RING_FAILED] && h[RING_FAILED].seq > h[RING_RECENT].seq);
        const struct ring *g = &r->rings[i];
        struct head this = h[i];
        end[i] -= this.size;
        found += deliver(r, g, end[i], &this, qname, fn, arg);
        has[i] = ring_before(g, end[i], this.size_before, &h[i]);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}
