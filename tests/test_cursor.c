/* Bounded reading and writing: the first error stays, and nothing happens after it. */
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void integers(void **state)
{
    (void)state;
    uint8_t b[8];
    put_u16(b, 0x1234);
    assert_memory_equal(b, "\x12\x34", 2);
    assert_int_equal(get_u16(b), 0x1234);
    put_u32(b, 0xfedcba98u);
    assert_memory_equal(b, "\xfe\xdc\xba\x98", 4);
    assert_int_equal(get_u32(b), 0xfedcba98u);
    put_u64(b, 0xfedcba9876543210ull);
    assert_memory_equal(b, "\xfe\xdc\xba\x98\x76\x54\x32\x10", 8);
    assert_true(get_u64(b) == 0xfedcba9876543210ull);
}

/* The same reads from every prefix of the same octets. */
static void reads(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct rcur c = rcur_of(bytes, len);
        uint8_t u8 = rcur_u8(&c);
        uint16_t u16 = rcur_u16(&c);
        uint32_t u32 = rcur_u32(&c);
        const uint8_t *p = rcur_take(&c, 3);
        if (u8 != (len >= 1 ? 1 : 0) || u16 != (len >= 3 ? 0x0203 : 0) ||
            u32 != (len >= 7 ? 0x04050607u : 0) || p != (len >= 10 ? bytes + 7 : NULL) ||
            rcur_err(&c) != (len >= 10 ? 0 : ERR_TRUNC) || rcur_left(&c) != 0 ||
            rcur_pos(&c) != len)
            fail_msg("%zu octets: %u %u %u, error %d", len, u8, u16, u32, c.err);
    }
}

static void errors_stay(void **state)
{
    (void)state;
    static const uint8_t bytes[4] = {1, 2, 3, 4};
    struct rcur c = rcur_of(bytes, 4);
    assert_null(rcur_take(&c, 5));
    assert_int_equal(rcur_u8(&c), 0); /* though an octet is there */
    assert_false(rcur_fail(&c, ERR_FORMAT));
    assert_int_equal(rcur_err(&c), ERR_TRUNC); /* the first one */
    c = rcur_of(bytes, 4);
    rcur_fail(&c, ERR_POINTER);
    assert_int_equal(rcur_err(&c), ERR_POINTER);
    assert_int_equal(rcur_left(&c), 0);
    assert_null(rcur_take(&c, 0));
    c = rcur_of(bytes, 4);
    assert_null(rcur_take(&c, SIZE_MAX));
}

/* The same writes into every room; octets beyond it are not touched. */
static void writes(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 10; cap++) {
        uint8_t b[12];
        memset(b, 0xee, sizeof b);
        struct wcur w = wcur_of(b, cap);
        wcur_u8(&w, 1);
        wcur_u16(&w, 0x0203);
        wcur_u32(&w, 0x04050607u);
        wcur_bytes(&w, "\x8\x9\xa", 3);
        size_t want = cap >= 10 ? 10 : cap >= 7 ? 7 : cap >= 3 ? 3 : cap >= 1 ? 1 : 0;
        if (wcur_len(&w) != want || wcur_err(&w) != (cap == 10 ? 0 : ERR_SPACE) ||
            memcmp(b, "\1\2\3\4\5\6\7\x8\x9\xa", want) != 0 || b[want] != 0xee ||
            wcur_left(&w) != cap - want)
            fail_msg("room of %zu: %zu written, error %d", cap, wcur_len(&w), w.err);
        wcur_bytes(&w, "", 0);
    }
}

static void write_errors_stay(void **state)
{
    (void)state;
    uint8_t b[4];
    struct wcur w = wcur_of(b, 4);
    wcur_u16(&w, 1);
    wcur_u32(&w, 1);
    wcur_u8(&w, 9); /* would fit, but the record is broken */
    assert_int_equal(wcur_len(&w), 2);
    wcur_fail(&w, ERR_FORMAT);
    assert_int_equal(wcur_err(&w), ERR_SPACE);
    w = wcur_of(b, 4);
    wcur_fail(&w, ERR_LIMIT);
    assert_null(wcur_room(&w, 1));
    assert_int_equal(wcur_err(&w), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),          cmocka_unit_test(reads),
        cmocka_unit_test(errors_stay),       cmocka_unit_test(writes),
        cmocka_unit_test(write_errors_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
