/* authority/records_priv.h: the records of a zone, between its file and its memory.
 * They are kept as they come, records that follow each other under one owner as a run; then the
 * runs are put into canonical order by the octets of their names, eight at a time (those of one
 * name in any order). Freed when the zone stands. Threads: one owner. Source: RFC 4034 6.1. */
#ifndef WAYPOST_AUTHORITY_RECORDS_PRIV_H
#define WAYPOST_AUTHORITY_RECORDS_PRIV_H

#include "base/block.h"
#include "base/cursor.h"
#include "dns/type.h"
#include "dns/zonefile.h"

#include <stdbool.h>

#define RECORDS_STEERED 0      /* a type: no record, but a steered name */
#define RECORDS_ANY     0xffff /* to records_find: whichever type */

/* Begins at four octets; RDATA follows. */
struct record {
    uint32_t ttl;
    uint32_t line; /* STEERED: the number of the name */
    uint16_t type, rdlen;
    uint8_t rdata[];
};

struct run {
    uint64_t key; /* eight octets of the name's key */
    uint32_t at;  /* place of the name in the log, in steps of four octets; its records follow */
    uint32_t count;
};

struct records {
    const uint8_t *origin;
    unsigned labels; /* of it */
    struct block log;
    size_t used;
    struct block run; /* struct run */
    uint32_t run_count;
    uint64_t record_count;
    struct records_file {
        char *name;
        size_t from; /* records from here in the log on lie in it */
    } * files;
    uint32_t file_count;
};

/* expected: octets of text. */
void records_init(struct records *r, const uint8_t *origin, size_t expected);
void records_fini(struct records *r);
/* owner: at or below the origin. ERR_NOMEM. */
int records_add(struct records *r, const struct zonefile_rr *rr);
/* A steered name, with its number instead of data. ERR_NOMEM. */
int records_add_name(struct records *r, const uint8_t *owner, uint32_t number);
void records_sort(struct records *r);

static inline const struct run *records_run(const struct records *r, uint32_t i)
{
    return (const struct run *)(const void *)r->run.at + i;
}
static inline const uint8_t *records_owner(const struct records *r, const struct run *run)
{
    return r->log.at + (size_t)run->at * 4;
}
/* The first of a run, and the one after it. */
const struct record *records_first(const struct records *r, const struct run *run);
static inline const struct record *records_next(const struct record *rec)
{
    return (const struct record *)(const void *)(rec->rdata + ((rec->rdlen + 3u) & ~3u));
}
/* RRSIG: the type covered, else 0. */
static inline uint16_t records_covers(const struct record *rec)
{
    return rec->type == DNS_TYPE_RRSIG && rec->rdlen >= 2 ? get_u16(rec->rdata) : 0;
}
/* The file that it was read from. */
const char *records_file(const struct records *r, const struct record *rec);
/* Once sorted: the first record of this owner and type (ANY: of its lowest type); NULL: none. */
const struct record *records_find(const struct records *r, const uint8_t *owner, uint16_t type);

#endif
