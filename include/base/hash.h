/* base/hash.h: keyed hashing.
 * hash_bytes is for tables whose keys strangers choose: seed it per process from the rng. siphash24
 * is the MAC of DNS cookies (RFC 9018 4.4). Threads: pure. */
#ifndef WAYPOST_BASE_HASH_H
#define WAYPOST_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);
/* hash_bytes of bytes that are not as they are to be hashed (upper case, perhaps): `as` says what
 * eight of them, each for itself, count as. Named where it is called, it is compiled into it. */
static inline uint64_t hash_bytes_as(const void *bytes, size_t len, uint64_t seed,
                                     uint64_t (*as)(uint64_t));
/* Final mixing of one 64-bit word. */
static inline uint64_t hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}
uint64_t siphash24(const uint8_t key[16], const void *bytes, size_t len);

/* ---- inside ---- */

#define HASH_K0 0x9e3779b97f4a7c15ULL
#define HASH_K1 0xc2b2ae3d27d4eb4fULL
#define HASH_K2 0x165667b19e3779f9ULL

static inline uint64_t hash_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t hash_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Two multiplications of 64 by 64 bits per 16 octets, folded: short keys cost two or three. */
static inline uint64_t hash_bytes_as(const void *bytes, size_t len, uint64_t seed,
                                     uint64_t (*as)(uint64_t))
{
    const uint8_t *p = (const uint8_t *)bytes;
    uint64_t h = seed ^ HASH_K0, a = 0, b = 0;
    size_t n = len;
    for (; n > 16; n -= 16, p += 16)
        h = hash_fold(as(hash_load64(p)) ^ HASH_K1, as(hash_load64(p + 8)) ^ h);
    if (n >= 8) {
        a = as(hash_load64(p));
        b = as(hash_load64(p + n - 8));
    } else if (n >= 4) {
        a = as(hash_load32(p));
        b = as(hash_load32(p + n - 4));
    } else if (n) {
        a = as((uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1]);
    }
    return hash_fold(hash_fold(a ^ HASH_K1, b ^ h) ^ HASH_K2, len ^ HASH_K0 ^ seed);
}

#endif
