/* Who a question of the lab's client comes from, as exhibits write it. */
#include "lab/client.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int err;
    const char *source; /* NULL: a subnet */
    uint8_t family, bits, ip[8];
} rows[] = {
    {"127.21.0.1", 0, "127.21.0.1", 0, 0, {0}},
    {"2001:db8::1", 0, "2001:db8::1", 0, 0, {0}},
    {"192.0.2.0/24", 0, NULL, 1, 24, {192, 0, 2}},
    {"203.0.113.192/26", 0, NULL, 1, 26, {203, 0, 113, 192}},
    {"2001:db8:24::/48", 0, NULL, 2, 48, {0x20, 0x01, 0x0d, 0xb8, 0, 0x24}},
    {"0.0.0.0/0", 0, NULL, 1, 0, {0}},
    {"::/0", 0, NULL, 2, 0, {0}},
    {"192.0.2.1/24", ERR_RANGE, NULL, 0, 0, {0}},
    {"here", ERR_SYNTAX, NULL, 0, 0, {0}},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lab_client c;
        char text[ADDR_TEXT_MAX] = "";
        int err = lab_client_parse(&c, rows[i].text);
        if (err != rows[i].err)
            fail_msg("%s: %s", rows[i].text, err_name(err));
        if (err)
            continue;
        if (c.source.family)
            addr_print(&c.source, text);
        if (strcmp(text, rows[i].source ? rows[i].source : "") != 0 ||
            c.subnet.family != rows[i].family || c.subnet.source != rows[i].bits ||
            c.subnet.scope || memcmp(c.subnet.ip, rows[i].ip, sizeof rows[i].ip) != 0)
            fail_msg("%s: source %s, family %u, %u bits", rows[i].text, text, c.subnet.family,
                     c.subnet.source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
