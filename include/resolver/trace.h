/* resolver/trace.h: the recorder: what the walk did, as it did it.
 * While a request runs, each step appends small binary events to a bounded buffer; the same events
 * are the flight recorder's ring, the `trace` command's text and its JSON. Nothing is recorded for
 * answers from tier one. Threads: one writer. Source: the step log of resolver/iterate.h. */
#ifndef WAYPOST_RESOLVER_TRACE_H
#define WAYPOST_RESOLVER_TRACE_H

#include "base/addr.h"
#include "dns/rrset.h"

#include <stddef.h>
#include <stdint.h>

#define TRACE_BYTES_MAX 65536 /* per request; later events are counted, not kept */

/* Events (struct trace buffers as in resolver_result.trace) as a jansson-free JSON document in
 * text: {"version":1, "question":{name,type}, "rcode", "took_ms", "from_cache", "answer":[rr text],
 * "ede":[{code,text}], "events":[{...}], "hops":[{seq, depth, reason, zone, cut_from, qname, qtype,
 * minimised, ns, addr, transport, why, candidates, attempts:
 * [{n, transport, server, local_port, rto_ms, rtt_ms, size, outcome}], class, rcode, aa, tc, glue,
 * cache_writes:[...]}], "budget":{...}, "limits":[...], "counts":{queries}}. malloc'ed,
 * NUL-terminated; NULL when out of memory. */
struct resolver_result;
char *trace_json(const struct resolver_result *res, const uint8_t *qname, uint16_t qtype);

#endif
