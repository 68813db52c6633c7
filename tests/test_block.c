/* Blocks: contents over every change of size, alignment, and memory that cannot be had. */
#include "base/block.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint8_t octet(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

static void resizes(void **state)
{
    (void)state;
    /* small, small, large, huge, larger, fewer, small again */
    static const size_t rows[] = {1, 100, 300u << 10, 5u << 20, 30u << 20, 6u << 20, 4097, 64};
    struct block b = {0};
    size_t known = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(block_resize(&b, rows[i]), 0);
        assert_int_equal(b.size, rows[i]);
        assert_int_equal((uintptr_t)b.at % 64, 0);
        known = known < rows[i] ? known : rows[i];
        for (size_t k = 0; k < known; k++)
            if (b.at[k] != octet(k))
                fail_msg("%zu octets: octet %zu was lost", rows[i], k);
        for (; known < rows[i]; known++)
            b.at[known] = octet(known);
    }
    block_free(&b);
    assert_null(b.at);
    block_free(&b);
}

static void reserves(void **state)
{
    (void)state;
    struct block b = {0};
    unsigned moves = 0;
    for (size_t n = 1; n <= 1u << 20; n += 512) {
        size_t before = b.size;
        assert_int_equal(block_reserve(&b, n), 0);
        assert_true(b.size >= n);
        moves += b.size != before;
    }
    assert_true(moves < 30);
    block_free(&b);
}

static void none_left(void **state)
{
    (void)state;
    struct block b = {0};
    assert_int_equal(block_resize(&b, SIZE_MAX / 2 + 1), ERR_NOMEM);
    assert_null(b.at);
    assert_int_equal(block_resize(&b, 64), 0);
    b.at[63] = 7;
    assert_int_equal(block_resize(&b, (size_t)1 << 60), ERR_NOMEM);
    assert_int_equal(b.size, 64);
    assert_int_equal(b.at[63], 7);
    block_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes),
        cmocka_unit_test(reserves),
        cmocka_unit_test(none_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
