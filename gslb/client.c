#include "client_priv.h"

#include "base/hash.h"
#include "geo/prefixes.h"

#include <string.h>

struct client client_of(const struct gslb_client *c, bool ignore_subnet)
{
    const struct edns_subnet *e = &c->subnet;
    if (!e->family || !e->source || ignore_subnet)
        return (struct client){.address = c->source};
    struct client out = {.from_subnet = true};
    if (e->family == 1) {
        out.address = addr_of_bytes(e->ip, 4, 0);
        return out;
    }
    /* Not by addr_of_bytes: of ::ffff:0:0/96 too all 128 bits count. */
    out.address.family = 6;
    memcpy(out.address.ip, e->ip, sizeof out.address.ip);
    return out;
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b)
{
    unsigned bits = 0;
    while (bits < 128 && !((a[bits / 8] ^ b[bits / 8]) & 0x80 >> bits % 8))
        bits++;
    return bits;
}

/* Inside the network of so many bits around an IPv6 address there may be one whose addresses speak
 * for IPv4 ones, which are other clients: how long a prefix must be to leave them out. */
static unsigned beside_carriers(const uint8_t *ip, unsigned bits)
{
    static const struct {
        uint8_t ip[16];
        uint8_t bits;
    } forms[] = {{{0}, 96},
                 {{[10] = 0xff, 0xff}, 96},
                 {{[8] = 0xff, 0xff}, 96},
                 {{0x00, 0x64, 0xff, 0x9b}, 96},
                 {{0x20, 0x01}, 32},
                 {{0x20, 0x02}, 16}};
    unsigned longest = bits;
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        unsigned common = common_bits(ip, forms[i].ip);
        if (common >= bits && bits < forms[i].bits && common + 1 > longest)
            longest = common + 1;
    }
    return longest;
}

static uint64_t masked(const uint8_t *from, unsigned bits)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    word = __builtin_bswap64(word);
    return bits >= 64 ? word : bits ? word & ~(UINT64_MAX >> bits) : 0;
}

uint64_t client_network(const struct client *c, unsigned bits4, unsigned bits6, unsigned *depth)
{
    unsigned shift, bits;
    struct addr known = prefixes_canonical(&c->address, &shift);
    if (known.family == 4) {
        bits = bits4 < 32 ? bits4 : 32;
        *depth = bits + shift;
        bits += 96;
    } else {
        bits = bits6 < 128 ? bits6 : 128;
        *depth = beside_carriers(known.ip, bits);
    }
    uint64_t high = masked(known.ip, bits), low = bits > 64 ? masked(known.ip + 8, bits - 64) : 0;
    return hash_mix(hash_mix(high + 0x9e3779b97f4a7c15) + low);
}
