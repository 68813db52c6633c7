/* base/hash.h: keyed hashing.
 * hash_bytes is for tables whose keys strangers choose: seed it per process from the rng. siphash24
 * is the MAC of DNS cookies (RFC 9018 4.4). Threads: pure. */
#ifndef WAYPOST_BASE_HASH_H
#define WAYPOST_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);
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

#endif
