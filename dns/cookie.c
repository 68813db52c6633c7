#include "dns/cookie.h"

#include "base/cursor.h"
#include "base/hash.h"

#define COOKIE_AGE_MAX   3600
#define COOKIE_AHEAD_MAX 300

static void cookie_hash(uint8_t out[8], const uint8_t *head, const uint8_t secret[16],
                        const struct addr *client)
{
    uint8_t text[16 + 16];
    size_t n;
    const uint8_t *ip = addr_bytes(client, &n);
    memcpy(text, head, 16);
    memcpy(text + 16, ip, n);
    uint64_t h = siphash24(secret, text, 16 + n);
    for (unsigned i = 0; i < 8; i++) /* the reference writes SipHash's result little-endian */
        out[i] = (uint8_t)(h >> (8 * i));
}

void dns_cookie_make(uint8_t out[DNS_COOKIE_LEN], const uint8_t *client_cookie,
                     const uint8_t secret[16], const struct addr *client, uint32_t now_s)
{
    memmove(out, client_cookie, 8);
    put_u32(out + 8, 1u << 24);
    put_u32(out + 12, now_s);
    cookie_hash(out + 16, out, secret, client);
}

bool dns_cookie_is_valid(const uint8_t *cookie, size_t len, const uint8_t secret[16],
                         const struct addr *client, uint32_t now_s)
{
    uint8_t want[8];
    if (len != DNS_COOKIE_LEN || cookie[8] != 1)
        return false;
    int32_t age = (int32_t)(now_s - get_u32(cookie + 12)); /* serial arithmetic */
    if (age > COOKIE_AGE_MAX || age < -COOKIE_AHEAD_MAX)
        return false;
    cookie_hash(want, cookie, secret, client);
    uint8_t diff = 0;
    for (unsigned i = 0; i < 8; i++)
        diff |= want[i] ^ cookie[16 + i];
    return diff == 0;
}
