/* Fast key erasure: each refill makes 512 octets of keystream, the first 32 of which are the next
 * key and leave at once. */
#include "base/rng.h"

#include "base/err.h"
#include "base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RNG_KEY 32

struct rng_chacha {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *ctx;
    uint8_t key[RNG_KEY];
};

static int system_random(uint8_t *out, size_t len)
{
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_SYSTEM;
        out += n;
        len -= (size_t)n;
    }
    return 0;
}

static void chacha_fill(struct rng *r, void *out, size_t len)
{
    static const uint8_t iv[16];
    struct rng_chacha *s = r->state;
    uint8_t block[RNG_KEY + sizeof r->buf];
    int n = 0;
    memset(block, 0, sizeof block);
    /* No randomness is no security: nothing sensible can go on without it. Naming the cipher again
     * would make the context anew, on the heap, and answers draw from here. */
    if (!EVP_EncryptInit_ex2(s->ctx, NULL, s->key, iv, NULL) ||
        !EVP_EncryptUpdate(s->ctx, block, &n, block, (int)(RNG_KEY + len)))
        abort();
    memcpy(s->key, block, RNG_KEY);
    memcpy(out, block + RNG_KEY, len);
    OPENSSL_cleanse(block, sizeof block);
}

int rng_init(struct rng *r)
{
    struct rng_chacha *s = calloc(1, sizeof *s);
    *r = (struct rng){.fill = chacha_fill, .state = s, .at = sizeof r->buf};
    if (!s)
        return ERR_NOMEM;
    s->cipher = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
    s->ctx = EVP_CIPHER_CTX_new();
    if (!s->cipher || !s->ctx || !EVP_EncryptInit_ex2(s->ctx, s->cipher, NULL, NULL, NULL) ||
        system_random(s->key, RNG_KEY)) {
        rng_fini(r);
        return ERR_SYSTEM;
    }
    return 0;
}

void rng_fini(struct rng *r)
{
    struct rng_chacha *s = r->state;
    if (s) {
        EVP_CIPHER_CTX_free(s->ctx);
        EVP_CIPHER_free(s->cipher);
        OPENSSL_cleanse(s->key, sizeof s->key);
        free(s);
    }
    OPENSSL_cleanse(r->buf, sizeof r->buf);
    *r = (struct rng){.at = sizeof r->buf};
}

/* The state pointer holds the counter itself. */
static void fixed_fill(struct rng *r, void *out, size_t len)
{
    uint64_t n = (uint64_t)(uintptr_t)r->state;
    uint8_t *p = out;
    for (; len; n++) {
        uint64_t v = hash_mix(n * 0x9e3779b97f4a7c15ULL + 1);
        size_t take = len < 8 ? len : 8;
        memcpy(p, &v, take);
        p += take;
        len -= take;
    }
    r->state = (void *)(uintptr_t)n; /* NOLINT(performance-no-int-to-ptr) */
}

void rng_init_fixed(struct rng *r, uint64_t seed)
{
    *r = (struct rng){.fill = fixed_fill, .at = sizeof r->buf};
    r->state = (void *)(uintptr_t)hash_mix(seed + 1); /* NOLINT(performance-no-int-to-ptr) */
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
    uint8_t *p = out;
    while (len) {
        if (r->at == sizeof r->buf) {
            r->fill(r, r->buf, sizeof r->buf);
            r->at = 0;
        }
        size_t take = sizeof r->buf - r->at;
        take = take < len ? take : len;
        memcpy(p, r->buf + r->at, take);
        memset(r->buf + r->at, 0, take); /* used numbers do not stay */
        r->at += (uint32_t)take;
        p += take;
        len -= take;
    }
}

uint16_t rng_u16(struct rng *r)
{
    uint16_t v;
    rng_bytes(r, &v, sizeof v);
    return v;
}

uint32_t rng_u32(struct rng *r)
{
    uint32_t v;
    rng_bytes(r, &v, sizeof v);
    return v;
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t v;
    rng_bytes(r, &v, sizeof v);
    return v;
}

uint32_t rng_below(struct rng *r, uint32_t bound)
{
    if (!bound)
        return 0;
    uint32_t floor = (uint32_t)(-bound) % bound; /* values below would favour small results */
    for (;;) {
        uint64_t m = (uint64_t)rng_u32(r) * bound;
        if ((uint32_t)m >= floor)
            return (uint32_t)(m >> 32);
    }
}
