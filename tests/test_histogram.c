/* Histograms: what is read back is within 0.4 % of what an exact sort says, whatever the size. */
#include "base/histogram.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define VALUES 20000

static const unsigned shares[] = {0, 1, 1000, 25000, 50000, 90000, 99000, 99900, 99990, 100000};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t exact(const uint64_t *sorted, unsigned count, unsigned share)
{
    uint64_t rank = ((uint64_t)count * share + 99999) / 100000;
    return sorted[rank ? rank - 1 : 0];
}

static void holds(const char *label, uint64_t *values, unsigned count)
{
    static struct histogram h;
    uint64_t sum = 0;
    histogram_init(&h);
    for (unsigned i = 0; i < count; i++) {
        histogram_add(&h, values[i]);
        sum += values[i];
    }
    qsort(values, count, sizeof *values, by_size);
    assert_int_equal(h.count, count);
    assert_int_equal(h.sum, sum);
    assert_int_equal(h.least, values[0]);
    assert_int_equal(h.most, values[count - 1]);
    assert_int_equal(histogram_mean(&h), sum / count);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        uint64_t want = exact(values, count, shares[i]), got = histogram_at(&h, shares[i]);
        uint64_t off = got > want ? got - want : want - got;
        if (off * 1000 > want * 4)
            fail_msg("%s, share %u: %llu, exactly %llu", label, shares[i], (unsigned long long)got,
                     (unsigned long long)want);
    }
}

static void agrees_with_a_sort(void **state)
{
    static uint64_t values[VALUES];
    struct rng rng;
    char label[64];
    (void)state;
    rng_init_fixed(&rng, 7);
    for (unsigned bits = 1; bits <= HISTOGRAM_BITS; bits++) { /* spread over that many powers */
        for (unsigned i = 0; i < VALUES; i++)
            values[i] = rng_u64(&rng) >> (64 - bits) >> rng_below(&rng, bits);
        snprintf(label, sizeof label, "%u bits", bits);
        holds(label, values, VALUES);
    }
    for (unsigned count = 1; count < 300; count++) {
        for (unsigned i = 0; i < count; i++)
            values[i] = 1000 + rng_below(&rng, 100000);
        snprintf(label, sizeof label, "%u values", count);
        holds(label, values, count);
    }
}

/* Both sides of every power of two, where a bucket begins or ends. */
static void borders(void **state)
{
    uint64_t values[3];
    (void)state;
    for (unsigned bits = 1; bits < HISTOGRAM_BITS; bits++)
        for (unsigned i = 0; i < 3; i++) {
            values[0] = ((uint64_t)1 << bits) - 1 + i;
            holds("a border", values, 1);
        }
}

static void small_ones_are_exact(void **state)
{
    static struct histogram h;
    (void)state;
    histogram_init(&h);
    for (unsigned i = 0; i < 100; i++)
        histogram_add(&h, i);
    for (unsigned i = 1; i <= 100; i++)
        assert_int_equal(histogram_at(&h, i * 1000), i - 1);
}

static void nothing_and_too_much(void **state)
{
    static struct histogram h;
    (void)state;
    histogram_init(&h);
    assert_int_equal(histogram_at(&h, 50000), 0);
    assert_int_equal(histogram_mean(&h), 0);
    histogram_add(&h, UINT64_MAX / 2);
    histogram_add(&h, 1);
    assert_int_equal(histogram_at(&h, 50000), 1);
    assert_int_equal(histogram_at(&h, 100000), UINT64_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_sort),
        cmocka_unit_test(borders),
        cmocka_unit_test(small_ones_are_exact),
        cmocka_unit_test(nothing_and_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
