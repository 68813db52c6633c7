#include "dns/dnssec.h"

#include "dns/name.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct dnssec_hasher {
    EVP_MD *sha1;
    EVP_MD_CTX *ctx;
};

struct dnssec_hasher *dnssec_hasher_new(void)
{
    struct dnssec_hasher *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    h->ctx = EVP_MD_CTX_new();
    if (h->sha1 && h->ctx)
        return h;
    dnssec_hasher_free(h);
    return NULL;
}

void dnssec_hasher_free(struct dnssec_hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->sha1);
    free(h);
}

static bool once(struct dnssec_hasher *h, const uint8_t *data, size_t len, const uint8_t *salt,
                 uint8_t salt_len, uint8_t *out)
{
    return EVP_DigestInit_ex2(h->ctx, h->sha1, NULL) && EVP_DigestUpdate(h->ctx, data, len) &&
           EVP_DigestUpdate(h->ctx, salt, salt_len) && EVP_DigestFinal_ex(h->ctx, out, NULL);
}

/* RFC 5155 5: IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k-1) || salt). */
bool dnssec_nsec3_hash(struct dnssec_hasher *h, const uint8_t *name, uint16_t iterations,
                       const uint8_t *salt, uint8_t salt_len, uint8_t out[DNSSEC_NSEC3_HASH_LEN])
{
    uint8_t lower[DNS_NAME_MAX];
    size_t len = dns_name_lower(lower, name);
    bool ok = once(h, lower, len, salt, salt_len, out);
    for (unsigned i = 0; ok && i < iterations; i++)
        ok = once(h, out, DNSSEC_NSEC3_HASH_LEN, salt, salt_len, out);
    return ok;
}

static int digit(uint8_t c)
{
    c = dns_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

bool dnssec_nsec3_label(const uint8_t *name, uint8_t out[DNSSEC_NSEC3_HASH_LEN])
{
    uint64_t bits = 0;
    if (*name != DNSSEC_NSEC3_LABEL_LEN)
        return false;
    for (unsigned i = 0; i < DNSSEC_NSEC3_LABEL_LEN; i++) {
        int d = digit(name[1 + i]);
        if (d < 0)
            return false;
        bits = bits << 5 | (unsigned)d;
        for (unsigned j = 0; i % 8 == 7 && j < 5; j++) /* eight digits are five octets */
            out[i / 8 * 5 + j] = (uint8_t)(bits >> (32 - 8 * j));
    }
    return true;
}
