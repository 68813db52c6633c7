/* base/cursor.h: bounds-checked reading and writing of network bytes.
 * struct rcur reads, struct wcur writes. Both carry a sticky error: after the first failure reads
 * give zeros, writes do nothing, and one check at the end (rcur_err, wcur_err) covers the whole
 * record. Integers are big-endian. Threads: one owner. Owner: the caller owns the bytes. */
#ifndef WAYPOST_BASE_CURSOR_H
#define WAYPOST_BASE_CURSOR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}
static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)(v >> 16));
    put_u16(p + 2, (uint16_t)v);
}
static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)(v >> 32));
    put_u32(p + 4, (uint32_t)v);
}

struct rcur {
    const uint8_t *start; /* of the whole message: compression pointers count from here */
    const uint8_t *at;
    const uint8_t *end;
    int err; /* 0 or the first error */
};

static inline struct rcur rcur_of(const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;
    return (struct rcur){p, p, p + len, 0};
}
static inline size_t rcur_left(const struct rcur *c)
{
    return (size_t)(c->end - c->at);
}
static inline size_t rcur_pos(const struct rcur *c)
{
    return (size_t)(c->at - c->start);
}
static inline int rcur_err(const struct rcur *c)
{
    return c->err;
}
static inline bool rcur_fail(struct rcur *c, int err)
{
    if (!c->err)
        c->err = err;
    c->at = c->end;
    return false;
}
/* n bytes in place, or NULL (ERR_TRUNC). */
static inline const uint8_t *rcur_take(struct rcur *c, size_t n)
{
    if (c->err || rcur_left(c) < n) {
        rcur_fail(c, ERR_TRUNC);
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += n;
    return p;
}
static inline uint8_t rcur_u8(struct rcur *c)
{
    const uint8_t *p = rcur_take(c, 1);
    return p ? *p : 0;
}
static inline uint16_t rcur_u16(struct rcur *c)
{
    const uint8_t *p = rcur_take(c, 2);
    return p ? get_u16(p) : 0;
}
static inline uint32_t rcur_u32(struct rcur *c)
{
    const uint8_t *p = rcur_take(c, 4);
    return p ? get_u32(p) : 0;
}

struct wcur {
    uint8_t *start, *at, *end;
    int err; /* 0 or ERR_SPACE (or what wcur_fail was given) */
};

static inline struct wcur wcur_of(void *bytes, size_t cap)
{
    uint8_t *p = (uint8_t *)bytes;
    return (struct wcur){p, p, p + cap, 0};
}
static inline size_t wcur_len(const struct wcur *c)
{
    return (size_t)(c->at - c->start);
}
static inline size_t wcur_left(const struct wcur *c)
{
    return (size_t)(c->end - c->at);
}
static inline int wcur_err(const struct wcur *c)
{
    return c->err;
}
static inline void wcur_fail(struct wcur *c, int err)
{
    if (!c->err)
        c->err = err;
}
/* Room for n bytes, to be filled by the caller; NULL when they do not fit. */
static inline uint8_t *wcur_room(struct wcur *c, size_t n)
{
    if (c->err || wcur_left(c) < n) {
        wcur_fail(c, ERR_SPACE);
        return NULL;
    }
    uint8_t *p = c->at;
    c->at += n;
    return p;
}
static inline void wcur_u8(struct wcur *c, uint8_t v)
{
    uint8_t *p = wcur_room(c, 1);
    if (p)
        *p = v;
}
static inline void wcur_u16(struct wcur *c, uint16_t v)
{
    uint8_t *p = wcur_room(c, 2);
    if (p)
        put_u16(p, v);
}
static inline void wcur_u32(struct wcur *c, uint32_t v)
{
    uint8_t *p = wcur_room(c, 4);
    if (p)
        put_u32(p, v);
}
static inline void wcur_bytes(struct wcur *c, const void *from, size_t n)
{
    uint8_t *p = wcur_room(c, n);
    if (p && n)
        memcpy(p, from, n);
}

#endif
