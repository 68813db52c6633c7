/* RFC 9018 appendix A.1 as a vector, then what must be refused. */
#include "dns/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t secret[16] = {0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f,
                                   0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf};
static const uint8_t client_cookie[8] = {0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57};

static void rfc9018_example(void **state)
{
    (void)state;
    static const uint8_t want[24] = {0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57,
                                     0x01, 0,    0,    0,    0x5c, 0xf7, 0x9f, 0x11,
                                     0x1f, 0x81, 0x30, 0xc3, 0xee, 0xe2, 0x94, 0x80};
    struct addr client;
    uint8_t got[24];
    assert_int_equal(addr_parse(&client, "198.51.100.100", 0), 0);
    dns_cookie_make(got, client_cookie, secret, &client, 1559731985);
    assert_memory_equal(got, want, 24);
}

static void refuses(void **state)
{
    (void)state;
    struct addr client, other;
    uint8_t c[24];
    addr_parse(&client, "2001:db8::1", 0);
    addr_parse(&other, "2001:db8::2", 0);
    dns_cookie_make(c, client_cookie, secret, &client, 1000000);
    static const struct {
        const char *label;
        uint32_t now;
        size_t len;
        bool want;
    } rows[] = {
        {"same second", 1000000, 24, true},     {"an hour old", 1003600, 24, true},
        {"older", 1003601, 24, false},          {"five minutes ahead", 999700, 24, true},
        {"further ahead", 999699, 24, false},   {"client cookie alone", 1000000, 8, false},
        {"foreign length", 1000000, 16, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (dns_cookie_is_valid(c, rows[i].len, secret, &client, rows[i].now) != rows[i].want)
            fail_msg("%s", rows[i].label);
    assert_false(dns_cookie_is_valid(c, 24, secret, &other, 1000000));
    c[20] ^= 1;
    assert_false(dns_cookie_is_valid(c, 24, secret, &client, 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rfc9018_example),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
