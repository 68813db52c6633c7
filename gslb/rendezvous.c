#include "rendezvous_priv.h"

#include "base/hash.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t high(uint64_t a, uint64_t b)
{
    return (uint64_t)((wide)a * b >> 64);
}

/* inverse[i] / 2^12 is 1 / (1 + i / 128), rounded up; inverse_log is -log2 of it in 2^-63. */
static const uint16_t inverse[128] = {
    4096, 4065, 4033, 4003, 3972, 3943, 3913, 3884, 3856, 3827, 3800, 3772, 3745, 3719, 3693, 3667,
    3641, 3616, 3592, 3567, 3543, 3519, 3496, 3473, 3450, 3427, 3405, 3383, 3361, 3340, 3319, 3298,
    3277, 3257, 3237, 3217, 3197, 3178, 3159, 3140, 3121, 3103, 3085, 3067, 3049, 3031, 3014, 2996,
    2979, 2963, 2946, 2929, 2913, 2897, 2881, 2865, 2850, 2834, 2819, 2804, 2789, 2775, 2760, 2745,
    2731, 2717, 2703, 2689, 2675, 2662, 2648, 2635, 2622, 2609, 2596, 2583, 2571, 2558, 2546, 2533,
    2521, 2509, 2497, 2485, 2474, 2462, 2450, 2439, 2428, 2417, 2405, 2395, 2384, 2373, 2362, 2352,
    2341, 2331, 2320, 2310, 2300, 2290, 2280, 2270, 2260, 2251, 2241, 2232, 2222, 2213, 2203, 2194,
    2185, 2176, 2167, 2158, 2149, 2140, 2132, 2123, 2115, 2106, 2098, 2089, 2081, 2073, 2065, 2057,
};
static const uint64_t inverse_log[128] = {
    0x0000000000000000, 0x01672630663fcac9, 0x02dcc4a62f553f0e, 0x043dbcf91be515ac,
    0x05ad438a5ebf3381, 0x0707af2b6bdcf258, 0x0870bde33094c1ea, 0x09d067ab50362552,
    0x0b2671360338ab5a, 0x0c8b52cdc0511a9f, 0x0dda0817c929c9e3, 0x0f37a8616cfba9ef,
    0x108b438e517a8c42, 0x11d49d359dc85150, 0x13204662051e83e8, 0x146e476f509b5d8c,
    0x15bea8e6f6d65955, 0x17046031c79f84be, 0x183f304cdc5aa6b9, 0x19895d0a732f9654,
    0x1ac883fd0f1734be, 0x1c09d64546b553c0, 0x1d3fd543a4ad5c7a, 0x1e77e01558ab19d6,
    0x1fb1fdb074bbf6d5, 0x20ee352ecdc7785d, 0x221eab0aab5a873e, 0x23511a201359922e,
    0x24858906b8060bfe, 0x25add682a4649eba, 0x26d8026cb91a9724, 0x280412d7c903d9a0,
    0x29320df472d41b91, 0x2a5375bf694c9fb5, 0x2b76a5e3b7b8e496, 0x2c9ba4097ad797b8,
    0x2dc275f3e7428d90, 0x2edc40ca033a1371, 0x2ff7bc35ec447dbc, 0x3114ed6fca938b25,
    0x3233d9c81a911a88, 0x334549ddd72906ab, 0x34585131af059e88, 0x356cf487c86abc50,
    0x368338b9d57bb28c, 0x379b22b796df6387, 0x38a50788771234ac, 0x39c03425ebb1a23f,
    0x3acd366d60d3efb2, 0x3bcbcdb1c2077380, 0x3cdbd12c44426388, 0x3ded67a68890b35b,
    0x3ef05a8e524ae182, 0x3ff4ba939dcc04b8, 0x40fa8bc1bdaaf15e, 0x4201d23550adc61e,
    0x42f9fafacb3e8613, 0x4404209ac61ea3ca, 0x44ff02239ff7a989, 0x45fb3a5557f5c82a,
    0x46f8ccdcfac37b4c, 0x47e6b38618b9fc47, 0x48e6ee480ef30cd2, 0x49e88e816a1cb0ea,
    0x4ada47e2396caef7, 0x4bcd3f4d79a0a8ab, 0x4cc1780c656de1d6, 0x4db6f575527ff8e5,
    0x4eadbaebf78643df, 0x4f9408bece83a60b, 0x508d50a75caa7751, 0x5175f91d7795941d,
    0x525fc826a6c218aa, 0x534ac0b08fa92efc, 0x5436e5b413aa8d36, 0x55243a3589ccee18,
    0x56005d2829c30502, 0x56f001f301dbc886, 0x57ce4cf72c482882, 0x58c04db4c2288681,
    0x59a0cbb6ded4b867, 0x5a825bef34e0387b, 0x5b6500fedda8c30e, 0x5c48bd90acd8024b,
    0x5d1a779ace349727, 0x5e00537f0309c7b8, 0x5ee74ee64b0c38d4, 0x5fbc09ab028b9cf6,
    0x6091ba9a9801aaa7, 0x616863f15aeb6478, 0x6253af0192b926df, 0x6318a8ecf480de0e,
    0x63f2493226b211bf, 0x64cceb1f89717355, 0x65a8911a0d02788e, 0x667122f8818f20fd,
    0x674ec02e6893afb2, 0x68191fa30efa16d7, 0x68f8bd2b10fd80d6, 0x69c4f295c1c6ba9e,
    0x6a920acd72a73aa5, 0x6b6007cc1ea81ebe, 0x6c2eeb9265759c10, 0x6cfeb827a945cb0e,
    0x6dcf6f9a2d686ec2, 0x6e8c126f53f6c4e9, 0x6f5e8de2da058c2b, 0x701ccaf87a7fadb8,
    0x70f112237787fe8c, 0x71b0f0815204a561, 0x72870b4d33c0b4ff, 0x73489229b1cd4eb2,
    0x740ae4ac0a76467e, 0x74ce04829b7674c2, 0x7591f3611c6b8858, 0x7656b300b5a42866,
    0x771c45201768151c, 0x77e2ab8391bd59dc, 0x7893ba2ba7c3141c, 0x795bb667ed2f49b3,
    0x7a0e30b412b22ad5, 0x7ad7c952ea2fc18c, 0x7b8bb524e5e04e9f, 0x7c56f0d8dce5f143,
    0x7d0c54374a7a0620, 0x7dc26a70d978c1c0, 0x7e7934e79f04c79c, 0x7f30b501cfce38c9,
};

/* log2(1 + z) in 2^-63, z in 2^-64 and below 1/100: eight terms of the series, since z^9 / 9 is
 * below 2^-62 then. */
static uint64_t log2_near_one(uint64_t z)
{
    static const uint64_t parts[] = {/* 2^64 / 7 .. 2^64 / 2 */
                                     0x2492492492492492, 0x2aaaaaaaaaaaaaaa, 0x3333333333333333,
                                     0x4000000000000000, 0x5555555555555555, 0x8000000000000000};
    static const uint64_t log2_e = 0xb8aa3b295c17f0bc; /* in 2^-63 */
    uint64_t sum = 0x2000000000000000;                 /* 2^64 / 8 */
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        sum = parts[i] - high(z, sum);
    return high(z - high(z, high(z, sum)), log2_e);
}

uint64_t rendezvous_time(uint64_t hash)
{
    hash |= !hash;
    unsigned zeros = (unsigned)__builtin_clzll(hash);
    /* 1 <= mantissa < 2 in 52 bits: neighbours lie further apart than the error of the table and
     * the series, so the order of times is the order of hashes. */
    uint64_t mantissa = hash << zeros >> 12;
    unsigned i = (unsigned)(mantissa >> 44) & 127;
    uint64_t near_one = mantissa * inverse[i]; /* 1 is 2^63 */
    uint64_t log = inverse_log[i] + log2_near_one((near_one - (1ULL << 63)) << 1);
    return ((uint64_t)(zeros + 1) << 57) - (log >> 6);
}

static bool before(const struct rendezvous_rank *a, const struct rendezvous_rank *b)
{
    if (a->late != b->late)
        return b->late;
    wide left = (wide)a->time * b->weight, right = (wide)b->time * a->weight;
    return left != right ? left < right : a->id < b->id;
}

void rendezvous_start(struct rendezvous *r, uint64_t key, unsigned want)
{
    r->key = key;
    r->want = want;
    r->count = 0;
}

void rendezvous_offer(struct rendezvous *r, uint64_t id, uint64_t weight, bool late, uint16_t index)
{
    if (!weight || !r->want)
        return;
    uint64_t hash = hash_mix(r->key ^ hash_mix(id));
    if (r->count == r->want) {
        /* Most are out without a logarithm: -log2(u) > 1 - u. */
        const struct rendezvous_rank *last = &r->ranks[r->count - 1];
        if (late > last->late)
            return;
        if (late == last->late && (wide)(~hash >> 7) * last->weight > (wide)last->time * weight)
            return;
    }
    struct rendezvous_rank new = {rendezvous_time(hash), weight, id, index, late};
    unsigned at = r->count;
    if (at == r->want) {
        if (!before(&new, &r->ranks[at - 1]))
            return;
        at--;
    } else {
        r->count++;
    }
    for (; at > 0 && before(&new, &r->ranks[at - 1]); at--)
        r->ranks[at] = r->ranks[at - 1];
    r->ranks[at] = new;
}

unsigned gslb_rendezvous(const uint64_t *ids, const uint32_t *weights, const bool *usable,
                         unsigned count, uint64_t key)
{
    struct rendezvous r;
    rendezvous_start(&r, hash_mix(key), 1);
    for (unsigned i = 0; i < count; i++)
        if (!usable || usable[i])
            rendezvous_offer(&r, ids[i], weights[i], false, (uint16_t)i);
    return r.count ? r.ranks[0].index : count;
}
