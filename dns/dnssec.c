/* OpenSSL's EVP allocates for every digest (3.0 does, even when a context is used again), and a
 * proof takes up to a few hundred of them; the plain SHA-1 functions work on our stack. They are
 * marked as deprecated, and are what EVP calls. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dns/dnssec.h"

#include "dns/name.h"

#include <openssl/sha.h>

static void once(const uint8_t *data, size_t len, const uint8_t *salt, uint8_t salt_len,
                 uint8_t *out)
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, data, len);
    SHA1_Update(&c, salt, salt_len);
    SHA1_Final(out, &c);
}

/* RFC 5155 5: IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k-1) || salt). */
void dnssec_nsec3_hash(const uint8_t *name, uint16_t iterations, const uint8_t *salt,
                       uint8_t salt_len, uint8_t out[DNSSEC_NSEC3_HASH_LEN])
{
    uint8_t lower[DNS_NAME_MAX];
    once(lower, dns_name_lower(lower, name), salt, salt_len, out);
    for (unsigned i = 0; i < iterations; i++)
        once(out, DNSSEC_NSEC3_HASH_LEN, salt, salt_len, out);
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
