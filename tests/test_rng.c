/* Random numbers: what must hold of any stream, of a repeatable one, and of the CSPRNG. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void fixed_is_repeatable(void **state)
{
    (void)state;
    struct rng a, b, c;
    uint8_t x[2000], y[2000], z[2000];
    rng_init_fixed(&a, 42);
    rng_init_fixed(&b, 42);
    rng_init_fixed(&c, 43);
    rng_bytes(&a, x, sizeof x);
    for (size_t at = 0, n = 1; at < sizeof y; at += n, n = n % 700 + 37) /* in pieces */
        rng_bytes(&b, y + at, n < sizeof y - at ? n : sizeof y - at);
    rng_bytes(&c, z, sizeof z);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
    assert_memory_not_equal(x, x + 512, 512); /* one buffer is not the next */
}

static void below(void **state)
{
    (void)state;
    static const uint32_t bounds[] = {1, 2, 3, 6, 7, 10, 100, 1u << 31, (1u << 31) + 1, UINT32_MAX};
    struct rng r;
    rng_init_fixed(&r, 1);
    assert_int_equal(rng_below(&r, 0), 0);
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        uint32_t bound = bounds[i];
        unsigned seen[100] = {0}, n = bound <= 100 ? bound : 4; /* quarters of the large ones */
        for (unsigned k = 0; k < 200 * n; k++) {
            uint32_t v = rng_below(&r, bound);
            if (v >= bound)
                fail_msg("%u below %u", v, bound);
            seen[bound <= 100 ? v : (uint32_t)((uint64_t)v * 4 / bound)]++;
        }
        for (unsigned k = 0; k < n; k++) /* 200 expected, a deviation of 14; the stream is fixed */
            if (seen[k] < 120 || seen[k] > 280)
                fail_msg("below %u: %u came %u times", bound, k, seen[k]);
    }
}

/* A stream that first gives a number of the range that would favour small results: it is passed
 * over. */
static void scripted_fill(struct rng *r, void *out, size_t len)
{
    (void)r;
    memset(out, 0x80, len);
    memset(out, 0, 4); /* 0 * bound has a low half below 2^32 % bound: rejected */
}

static void no_bias(void **state)
{
    (void)state;
    struct rng r = {.fill = scripted_fill, .at = sizeof r.buf};
    assert_int_equal(rng_below(&r, 3), 1); /* 0x80808080 * 3 >> 32 */
    assert_int_equal(r.at, 8);
}

static void widths(void **state)
{
    (void)state;
    struct rng a, b;
    uint8_t bytes[14];
    rng_init_fixed(&a, 5);
    rng_init_fixed(&b, 5);
    rng_bytes(&a, bytes, sizeof bytes);
    uint16_t u16 = rng_u16(&b);
    uint32_t u32 = rng_u32(&b);
    uint64_t u64 = rng_u64(&b);
    assert_memory_equal(bytes, &u16, 2);
    assert_memory_equal(bytes + 2, &u32, 4);
    assert_memory_equal(bytes + 6, &u64, 8);
}

static void csprng(void **state)
{
    (void)state;
    struct rng a, b;
    static uint8_t x[4096], y[4096];
    assert_int_equal(rng_init(&a), 0);
    assert_int_equal(rng_init(&b), 0);
    rng_bytes(&a, x, sizeof x);
    rng_bytes(&b, y, sizeof y);
    assert_memory_not_equal(x, y, 16);
    for (size_t i = 0; i < sizeof x; i += 512) /* rekeyed after every buffer: none comes again */
        for (size_t k = i + 512; k < sizeof x; k += 512)
            assert_memory_not_equal(x + i, x + k, 16);
    unsigned ones = 0;
    for (size_t i = 0; i < sizeof x; i++)
        ones += (unsigned)__builtin_popcount(x[i]);
    assert_in_range(ones, 14384, 18384); /* 16384 expected, a deviation of 91: 22 of them */
    rng_fini(&a);
    rng_fini(&b);
    rng_fini(&b); /* twice is harmless */
}

/* What was handed out does not stay in the state. */
static void used_numbers_do_not_stay(void **state)
{
    (void)state;
    struct rng r;
    uint8_t out[100];
    static const uint8_t zeros[100];
    assert_int_equal(rng_init(&r), 0);
    rng_bytes(&r, out, sizeof out);
    assert_memory_equal(r.buf, zeros, sizeof zeros);
    rng_fini(&r);
    assert_int_equal(r.at, sizeof r.buf);
    for (size_t i = 0; i < sizeof r.buf; i++)
        assert_int_equal(r.buf[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_is_repeatable),
        cmocka_unit_test(below),
        cmocka_unit_test(no_bias),
        cmocka_unit_test(widths),
        cmocka_unit_test(csprng),
        cmocka_unit_test(used_numbers_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
