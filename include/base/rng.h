/* base/rng.h: seam: unpredictable numbers.
 * Ids, ports, case patterns and cookies come from here: a ChaCha20 stream keyed by getrandom(2),
 * one per thread, rekeyed by its own output after every buffer, so that a stolen state tells
 * nothing of the past. Tests bring a fixed one. Threads: one owner each; no lock. */
#ifndef WAYPOST_BASE_RNG_H
#define WAYPOST_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    void (*fill)(struct rng *, void *out, size_t len);
    void *state;      /* of the implementation */
    uint8_t buf[512]; /* numbers made ahead */
    uint32_t at;      /* next unused byte of buf; sizeof buf when empty */
};

/* The CSPRNG. ERR_SYSTEM when the kernel or libcrypto gives no randomness. */
int rng_init(struct rng *r);
void rng_fini(struct rng *r);
/* A repeatable stream, for tests and simulations only; needs no rng_fini. */
void rng_init_fixed(struct rng *r, uint64_t seed);

void rng_bytes(struct rng *r, void *out, size_t len);
uint16_t rng_u16(struct rng *r);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* 0 .. bound-1 without bias; bound 0 gives 0. */
uint32_t rng_below(struct rng *r, uint32_t bound);

#endif
