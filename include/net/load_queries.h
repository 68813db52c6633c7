/* net/load_queries.h: the queries of a measurement.
 * Many questions and one shape (header flags, OPT, client's networks) that all of them share. A
 * question is kept as the wire bytes of name, type and class, one behind the other with an offset
 * each: a million take some 25 MB, and writing a query is three copies. What differs from query to
 * query (id, fresh label, network) follows from its serial number, so that an answer can be held
 * against its question without the question being kept. Threads: immutable once filled. Owner: who
 * made it. Source: RFC 1035 4.1, RFC 6891, RFC 7871; the file format is dnsperf's. */
#ifndef WAYPOST_NET_LOAD_QUERIES_H
#define WAYPOST_NET_LOAD_QUERIES_H

#include "base/addr.h"
#include "base/diag.h"
#include "dns/edns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_QUERY_MAX  512 /* octets of any query */
#define LOAD_FRESH_LEN  12  /* characters of a fresh label */
#define LOAD_SUBNET_MAX 64

struct load_shape {
    uint16_t flags;        /* DNS_FLAG_RD, DNS_FLAG_CD */
    bool fresh_label;      /* each query gets a label of its own in front */
    bool subnet_random;    /* each query tells a random IPv4 /24 */
    unsigned subnet_count; /* else each query tells the next of these: */
    struct prefix subnets[LOAD_SUBNET_MAX];
    struct edns edns; /* present, size, dnssec_ok; needed by subnets */
    uint64_t seed;    /* of labels and networks */
};

enum load_match {
    LOAD_MATCH,
    LOAD_MATCH_BARE, /* an error without question, taken by its id alone */
    LOAD_MISMATCH
};

struct load_queries;

/* NULL: out of memory. */
struct load_queries *load_queries_new(const struct load_shape *shape);
void load_queries_free(struct load_queries *q);
/* One more question, of a name as text. 0, what dns_name_parse says (ERR_NAME_LONG also when a
 * fresh label has no room), ERR_LIMIT (4 GB of them), ERR_NOMEM. */
int load_queries_add(struct load_queries *q, const char *name, size_t len, uint16_t type);
/* A file: "name type" per line, type A when there is none; lines that begin with # or ; and empty
 * ones are skipped. file: its name in messages. Mistakes go to diags, with their place. 0,
 * ERR_SYNTAX (there were mistakes), ERR_NOT_FOUND (no query in it), ERR_IO, ERR_LIMIT, ERR_NOMEM.
 */
int load_queries_read(struct load_queries *q, FILE *in, const char *file, struct diag_list *diags);

uint32_t load_queries_count(const struct load_queries *q);
/* Query number serial, of question `index`, into out; its length. */
size_t load_queries_write(const struct load_queries *q, uint32_t index, uint64_t serial,
                          uint16_t id, uint8_t out[LOAD_QUERY_MAX]);
/* Does an answer (or its first LOAD_QUERY_MAX octets) repeat that question, in the case it was
 * sent? */
enum load_match load_queries_match(const struct load_queries *q, uint32_t index, uint64_t serial,
                                   const uint8_t *answer, size_t len);

#endif
