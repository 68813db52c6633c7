/* folders: dns */
/* Walking the records of a set. */
#include "dns/rrset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void walks(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\0\3abc\0\0\0\1x";
    static const struct {
        const char *label;
        size_t size;
        unsigned count, sum; /* of lengths */
    } rows[] = {
        {"nothing", 0, 0, 0}, {"one", 5, 1, 3}, {"an empty one", 7, 2, 3}, {"all", 10, 3, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct dns_rrset set = {.rdata = bytes, .size = (uint32_t)rows[i].size};
        unsigned count = 0, sum = 0;
        DNS_RR_FOR (rd, &set) {
            count++;
            sum += rd.len;
        }
        if (count != rows[i].count || sum != rows[i].sum)
            fail_msg("%s: %u records, %u octets", rows[i].label, count, sum);
    }
    const uint8_t *p = bytes + 7;
    struct dns_rd last = dns_rd_next(&p);
    assert_int_equal(last.len, 1);
    assert_int_equal(*last.at, 'x');
    assert_ptr_equal(p, bytes + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(walks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
