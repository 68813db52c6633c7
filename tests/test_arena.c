/* The arena: alignment, limits, what survives a reset, and memory that runs out. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sizes(void **state)
{
    (void)state;
    static const size_t rows[] = {0, 1, 7, 8, 9, 63, 64, 4095, 4096, 4097, 100000};
    struct arena a;
    uint8_t *p[sizeof rows / sizeof *rows];
    arena_init(&a, 0, 0);
    assert_null(a.chunks); /* nothing is allocated before it is asked for */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        p[i] = arena_alloc(&a, rows[i]);
        if (!p[i] || (uintptr_t)p[i] % 8)
            fail_msg("%zu octets: %p", rows[i], (void *)p[i]);
        memset(p[i], (int)i + 1, rows[i]);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) /* none lies in another */
        for (size_t k = 0; k < rows[i]; k++)
            if (p[i][k] != i + 1)
                fail_msg("%zu octets: octet %zu was overwritten", rows[i], k);
    arena_fini(&a);
    assert_null(a.chunks);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 1)); /* may be used again */
    arena_fini(&a);
}

static void reset_keeps_one_chunk(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 256, 0);
    uint8_t *first = arena_alloc(&a, 100);
    for (unsigned i = 0; i < 20; i++)
        assert_non_null(arena_alloc(&a, 200));
    assert_true(a.used > 20 * 200);
    arena_reset(&a);
    assert_int_equal(a.used, 256);
    assert_ptr_equal(arena_alloc(&a, 100), first); /* the warm chunk again, without malloc */
    arena_reset(&a);
    arena_reset(&a);
    assert_int_equal(a.used, 256);
    arena_fini(&a);
    arena_reset(&a); /* of nothing is nothing */
    assert_null(a.chunks);
}

/* The rest goes to the next one; under ASan it is nobody's until then. */
static void trimmed(void **state)
{
    (void)state;
    static const size_t rows[] = {0, 1, 8, 13, 100};
    struct arena a;
    arena_init(&a, 4096, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *p = arena_alloc(&a, 100);
        assert_non_null(p);
        memset(p, (int)i, 100);
        arena_trim(&a, p, rows[i]);
        uint8_t *next = arena_alloc(&a, 8);
        assert_ptr_equal(next, p + (rows[i] + 7) / 8 * 8);
        memset(next, 255, 8);
        for (size_t k = 0; k < rows[i]; k++)
            assert_int_equal(p[k], i);
    }
    arena_fini(&a);
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t limit, n;
        bool fits;
    } rows[] = {
        {"no limit", 0, 5000, true},
        {"within", 8192, 4000, true},
        {"one chunk is too much", 1000, 8, false},
        {"a large one is too much", 8192, 8192, false},
        {"half of all memory", 0, SIZE_MAX / 2 + 1, false},
        {"all of it", 0, SIZE_MAX, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a, 4096, rows[i].limit);
        if ((arena_alloc(&a, rows[i].n) != NULL) != rows[i].fits)
            fail_msg("%s", rows[i].label);
        arena_fini(&a);
    }
    struct arena
        a; /* after a refusal what is left may still be had, and a reset gives it all back */
    unsigned count[2] = {0, 0};
    arena_init(&a, 1024, 4096);
    for (unsigned turn = 0; turn < 2; turn++) {
        while (arena_alloc(&a, 100))
            count[turn]++;
        assert_true(a.used <= 4096);
        assert_null(arena_zalloc(&a, 1000));
        assert_null(arena_dup(&a, "x", SIZE_MAX));
        arena_reset(&a);
    }
    assert_true(count[0] > 30);
    assert_int_equal(count[0], count[1]);
    arena_fini(&a);
}

static void copies(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64, 0);
    memset(arena_alloc(&a, 40), 0xff, 40);
    arena_reset(&a);
    static const uint8_t zeros[40];
    assert_memory_equal(arena_zalloc(&a, 40), zeros, 40);
    char text[] = "text", *copy = arena_strdup(&a, text), *dup = arena_dup(&a, text, 2);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    assert_memory_equal(dup, "te", 2);
    assert_non_null(arena_dup(&a, NULL, 0));
    assert_string_equal(arena_printf(&a, "%s-%d", "a", 42), "a-42");
    assert_string_equal(arena_printf(&a, "%s", ""), "");
    assert_int_equal(strlen(arena_printf(&a, "%0200d", 7)), 200);
    uint32_t *array = ARENA_ARRAY(&a, uint32_t, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(array[i], 0);
    assert_non_null(ARENA_NEW(&a, struct arena));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),   cmocka_unit_test(reset_keeps_one_chunk),
        cmocka_unit_test(trimmed), cmocka_unit_test(limits),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
