/* Addresses and prefixes: text both ways, IPv4 inside IPv6, and what each range is. */
#include "base/addr.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *print; /* print NULL: ERR_SYNTAX */
        uint8_t family;
        uint32_t scope;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", 4, 0},
        {"0.0.0.0", "0.0.0.0", 4, 0},
        {"255.255.255.255", "255.255.255.255", 4, 0},
        {"::", "::", 6, 0},
        {"::1", "::1", 6, 0},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6, 0}, /* RFC 5952 4 */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6, 0},
        {"::ffff:192.0.2.1", "192.0.2.1", 4, 0}, /* one shape for both families */
        {"::ffff:c000:201", "192.0.2.1", 4, 0},
        {"::ffff:192.0.2.1%3", "192.0.2.1", 4, 0},
        {"fe80::1%3", "fe80::1%3", 6, 3},
        {"fe80::1%4294967295", "fe80::1%4294967295", 6, 4294967295u},
        {"fe80::1%4294967296", NULL, 0, 0},
        {"fe80::1%", NULL, 0, 0},
        {"fe80::1%eth0", NULL, 0, 0},
        {"192.0.2.1%3", NULL, 0, 0},
        {"192.0.2", NULL, 0, 0},
        {"192.0.2.256", NULL, 0, 0},
        {"192.0.2.01x", NULL, 0, 0},
        {"", NULL, 0, 0},
        {"host", NULL, 0, 0},
        {":::", NULL, 0, 0},
        {"1:2:3:4:5:6:7:8:9", NULL, 0, 0},
        {" ::1", NULL, 0, 0},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a, again;
        char out[ADDR_TEXT_MAX] = "";
        int err = addr_parse(&a, rows[i].text, 53);
        if (err != (rows[i].print ? 0 : ERR_SYNTAX))
            fail_msg("\"%s\": %d", rows[i].text, err);
        if (err)
            continue;
        if (strcmp(addr_print(&a, out), rows[i].print) != 0 || a.family != rows[i].family ||
            a.scope != rows[i].scope || a.port != 53)
            fail_msg("\"%s\": %s, family %u, scope %u", rows[i].text, out, a.family, a.scope);
        if (addr_parse(&again, out, 53) || !addr_equal(&a, &again))
            fail_msg("%s does not read back", out);
    }
    char out[ADDR_TEXT_MAX];
    const struct addr none = {.family = 0};
    assert_string_equal(addr_print(&none, out), "-");
}

static void with_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *print;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:53"},
        {"192.0.2.1:5300", "192.0.2.1:5300"},
        {"192.0.2.1@5300", "192.0.2.1:5300"},
        {"192.0.2.1:0", "192.0.2.1:0"},
        {"192.0.2.1:65535", "192.0.2.1:65535"},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:-1", NULL},
        {"192.0.2.1:53x", NULL},
        {"192.0.2.1: 53", NULL},
        {"2001:db8::1", "[2001:db8::1]:53"},
        {"[2001:db8::1]", "[2001:db8::1]:53"},
        {"[2001:db8::1]:5300", "[2001:db8::1]:5300"},
        {"2001:db8::1@5300", "[2001:db8::1]:5300"},
        {"[fe80::1%2]:5300", "[fe80::1%2]:5300"},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]x", NULL},
        {"[2001:db8::1]:", NULL},
        {"[]:53", NULL},
        {"@53", NULL},
        {":53", NULL},
        {"", NULL},
        {"[fe80::1%4294967295]:65535", "[fe80::1%4294967295]:65535"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0%4294967295]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0%4294967295]:65535"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        char out[ADDR_TEXT_MAX] = "";
        int err = addr_parse_port(&a, rows[i].text, 53);
        if (!err != !!rows[i].print)
            fail_msg("\"%s\": %d", rows[i].text, err);
        if (!err && strcmp(addr_print_port(&a, out), rows[i].print) != 0)
            fail_msg("\"%s\": %s", rows[i].text, out);
    }
}

static void sockaddrs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int af;
        size_t len, octets;
    } rows[] = {{"192.0.2.1:53", AF_INET, sizeof(struct sockaddr_in), 4},
                {"[2001:db8::1]:53", AF_INET6, sizeof(struct sockaddr_in6), 16},
                {"[fe80::1%7]:53", AF_INET6, sizeof(struct sockaddr_in6), 16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a, b, c;
        struct sockaddr_storage ss;
        size_t n;
        assert_int_equal(addr_parse_port(&a, rows[i].text, 0), 0);
        socklen_t len = addr_to_sockaddr(&a, &ss);
        int err = addr_of_sockaddr(&b, (struct sockaddr *)&ss);
        const uint8_t *ip = addr_bytes(&a, &n);
        c = addr_of_bytes(ip, n, 53);
        if (err || len != rows[i].len || ss.ss_family != rows[i].af || !addr_equal(&a, &b) ||
            memcmp(&a, &b, sizeof a) != 0 || n != rows[i].octets || memcmp(a.ip, c.ip, 16) != 0 ||
            c.port != 53 || c.family != a.family)
            fail_msg("%s", rows[i].text);
    }
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    struct addr a, b;
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.sin6_addr);
    mapped.sin6_scope_id = 9; /* of no meaning for IPv4 */
    assert_int_equal(addr_of_sockaddr(&a, (struct sockaddr *)&mapped), 0);
    assert_int_equal(addr_parse(&b, "192.0.2.1", 53), 0);
    assert_true(a.family == 4 && addr_equal(&a, &b));
    assert_int_equal(addr_of_sockaddr(&a, (struct sockaddr *)&other), ERR_UNSUPPORTED);
    assert_int_equal(addr_of_bytes((const uint8_t *)"abc", 3, 1).family, 0);
}

static void equality(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal, same_ip;
    } rows[] = {{"192.0.2.1:53", "192.0.2.1:53", true, true},
                {"192.0.2.1:53", "192.0.2.1:54", false, true},
                {"192.0.2.1:53", "192.0.2.2:53", false, false},
                {"[fe80::1%1]:53", "[fe80::1%2]:53", false, false},
                {"[::ffff:192.0.2.1]:53", "192.0.2.1:53", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a, b;
        assert_int_equal(addr_parse_port(&a, rows[i].a, 0) | addr_parse_port(&b, rows[i].b, 0), 0);
        if (addr_equal(&a, &b) != rows[i].equal || addr_same_ip(&a, &b) != rows[i].same_ip)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *print;
        int want;
        unsigned bits;
        const char *in, *out;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0/8", 0, 104, "10.255.0.1", "11.0.0.0"},
        {"192.0.2.1", "192.0.2.1/32", 0, 128, "192.0.2.1", "192.0.2.0"},
        {"0.0.0.0/0", "0.0.0.0/0", 0, 96, "255.1.2.3", "2001:db8::1"},
        {"192.0.2.128/25", "192.0.2.128/25", 0, 121, "192.0.2.255", "192.0.2.127"},
        {"2001:db8::/32", "2001:db8::/32", 0, 32, "2001:db8:ffff::", "2001:db9::"},
        {"2001:db8::/33", "2001:db8::/33", 0, 33, "2001:db8:7fff::", "2001:db8:8000::"},
        {"::1", "::1/128", 0, 128, "::1", "::2"},
        {"::/0", "::/0", 0, 0, "ffff::", NULL},
        {"fe80::/10", "fe80::/10", 0, 10, "febf::1", "fec0::1"},
        {"10.0.0.1/8", NULL, ERR_RANGE, 0, NULL, NULL},
        {"2001:db8::1/127", NULL, ERR_RANGE, 0, NULL, NULL},
        {"10.0.0.0/33", NULL, ERR_RANGE, 0, NULL, NULL},
        {"::/129", NULL, ERR_RANGE, 0, NULL, NULL},
        {"10.0.0.0/", NULL, ERR_SYNTAX, 0, NULL, NULL},
        {"10.0.0.0/x", NULL, ERR_SYNTAX, 0, NULL, NULL},
        {"10.0.0/8", NULL, ERR_SYNTAX, 0, NULL, NULL},
        {"/8", NULL, ERR_SYNTAX, 0, NULL, NULL},
        {"", NULL, ERR_SYNTAX, 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct prefix p;
        struct addr a;
        char text_out[ADDR_TEXT_MAX] = "";
        int err = prefix_parse(&p, rows[i].text);
        if (err != rows[i].want)
            fail_msg("\"%s\": %d", rows[i].text, err);
        if (err)
            continue;
        if (strcmp(prefix_print(&p, text_out), rows[i].print) != 0 || p.bits != rows[i].bits)
            fail_msg("\"%s\": %s, %u bits", rows[i].text, text_out, p.bits);
        if (addr_parse(&a, rows[i].in, 0) || !prefix_has(&p, &a))
            fail_msg("%s has no %s", rows[i].text, rows[i].in);
        if (rows[i].out && (addr_parse(&a, rows[i].out, 0) || prefix_has(&p, &a)))
            fail_msg("%s has %s", rows[i].text, rows[i].out);
    }
}

static void ranges(void **state)
{
    (void)state;
    enum { LOOPBACK = 1, PRIVATE = 2, BOGON = 4, ANY = 8 };
    static const struct {
        const char *ip;
        unsigned want;
    } rows[] = {
        {"127.0.0.1", LOOPBACK},
        {"127.255.255.255", LOOPBACK},
        {"128.0.0.0", 0},
        {"::1", LOOPBACK},
        {"::2", 0},
        {"::ffff:127.0.0.1", LOOPBACK},
        {"10.0.0.0", PRIVATE},
        {"10.255.255.255", PRIVATE},
        {"11.0.0.0", 0},
        {"172.16.0.0", PRIVATE},
        {"172.31.255.255", PRIVATE},
        {"172.15.255.255", 0},
        {"172.32.0.0", 0},
        {"192.168.1.1", PRIVATE},
        {"192.169.0.0", 0},
        {"100.64.0.0", PRIVATE},
        {"100.127.255.255", PRIVATE},
        {"100.128.0.0", 0},
        {"169.254.1.1", PRIVATE},
        {"fc00::1", PRIVATE},
        {"fdff::1", PRIVATE},
        {"fe00::1", 0},
        {"fe80::1", PRIVATE},
        {"febf::1", PRIVATE},
        {"fec0::1", 0},
        {"0.0.0.0", BOGON | ANY},
        {"0.1.2.3", BOGON},
        {"::", BOGON | ANY},
        {"224.0.0.1", BOGON},
        {"239.255.255.255", BOGON},
        {"240.0.0.1", BOGON},
        {"255.255.255.255", BOGON},
        {"223.255.255.255", 0},
        {"ff02::1", BOGON},
        {"192.0.2.1", 0},
        {"2001:db8::1", 0},
        {"2001:db8::a00:1", 0}, /* no IPv4 range looks into IPv6 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        assert_int_equal(addr_parse(&a, rows[i].ip, 0), 0);
        unsigned got = (addr_is_loopback(&a) ? LOOPBACK : 0) | (addr_is_private(&a) ? PRIVATE : 0) |
                       (addr_is_bogon(&a) ? BOGON : 0) | (addr_is_any(&a) ? ANY : 0);
        if (got != rows[i].want)
            fail_msg("%s: %u, expected %u", rows[i].ip, got, rows[i].want);
    }
    const struct addr none = {.family = 0};
    assert_true(addr_is_bogon(&none));
    assert_false(addr_is_any(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),     cmocka_unit_test(with_port), cmocka_unit_test(sockaddrs),
        cmocka_unit_test(equality), cmocka_unit_test(prefixes),  cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
