/* Access lists: the first rule that has the client decides, none denies; the default list is what
 * lies around the listener. */
/* folders: base dns net */
#include "net/acl.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RULES_MAX 6

static const struct {
    const char *label;
    const char *rules[RULES_MAX]; /* "+prefix" allows, "-prefix" denies */
    const char *client;
    bool want;
} rows[] = {
    {"empty list: nobody", {NULL}, "127.0.0.1", false},
    {"no match", {"+10.0.0.0/8"}, "11.0.0.1", false},
    {"inside", {"+10.0.0.0/8"}, "10.255.255.255", true},
    {"one below", {"+10.0.0.0/8"}, "9.255.255.255", false},
    {"host", {"+192.0.2.7"}, "192.0.2.7", true},
    {"beside the host", {"+192.0.2.7"}, "192.0.2.6", false},
    {"odd length, last inside", {"+10.32.0.0/11"}, "10.63.255.255", true},
    {"odd length, first outside", {"+10.32.0.0/11"}, "10.64.0.0", false},
    {"first match wins: hole before", {"-10.1.0.0/16", "+10.0.0.0/8"}, "10.1.2.3", false},
    {"first match wins: around the hole", {"-10.1.0.0/16", "+10.0.0.0/8"}, "10.2.2.3", true},
    {"first match wins: hole after", {"+10.0.0.0/8", "-10.1.0.0/16"}, "10.1.2.3", true},
    {"longest first, of three", {"+10.1.1.1", "-10.1.0.0/16", "+10.0.0.0/8"}, "10.1.1.1", true},
    {"everything IPv4", {"+0.0.0.0/0"}, "203.0.113.9", true},
    {"everything IPv4 has no IPv6", {"+0.0.0.0/0"}, "2001:db8::1", false},
    {"IPv6 inside", {"+2001:db8::/32"}, "2001:db8:ffff::1", true},
    {"IPv6 outside", {"+2001:db8::/32"}, "2001:db9::1", false},
    {"IPv6 /127", {"+2001:db8::/127"}, "2001:db8::1", true},
    {"IPv6 /127, beyond", {"+2001:db8::/127"}, "2001:db8::2", false},
    {"IPv6 rule and IPv4 client", {"+2001:db8::/32"}, "192.0.2.1", false},
    {"loopback", {"+::1"}, "::1", true},
    {"unspecified is not loopback", {"+::1"}, "::", false},
};

static void list_of_rules(struct net_acl *a, const char *const *rules)
{
    *a = (struct net_acl){0};
    for (unsigned i = 0; i < RULES_MAX && rules[i]; i++) {
        struct prefix p;
        assert_int_equal(prefix_parse(&p, rules[i] + 1), 0);
        assert_int_equal(net_acl_add(a, &p, *rules[i] == '+'), 0);
    }
}

static void rules_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_acl a;
        struct addr client;
        list_of_rules(&a, rows[i].rules);
        assert_int_equal(addr_parse(&client, rows[i].client, 4711), 0);
        if (net_acl_allows(&a, &client) != rows[i].want)
            fail_msg("%s", rows[i].label);
        net_acl_fini(&a);
        assert_null(a.rules);
        assert_int_equal(a.count, 0);
    }
}

/* A client of a dual-stack socket arrives as ::ffff:a.b.c.d and is the IPv4 client it is. */
static void mapped_clients(void **state)
{
    (void)state;
    static const struct {
        const char *label, *client;
        bool want;
    } mapped[] = {
        {"mapped, inside", "::ffff:10.1.2.3", true},
        {"mapped, denied", "::ffff:10.9.0.1", false},
        {"mapped, outside", "::ffff:192.0.2.1", false},
        {"compatible is not mapped", "::10.1.2.3", false},
    };
    struct net_acl a;
    list_of_rules(&a, (const char *const[RULES_MAX]){"-10.9.0.0/16", "+10.0.0.0/8"});
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++) {
        struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
        struct addr client;
        assert_int_equal(inet_pton(AF_INET6, mapped[i].client, &sin6.sin6_addr), 1);
        assert_int_equal(addr_of_sockaddr(&client, (struct sockaddr *)&sin6), 0);
        if (net_acl_allows(&a, &client) != mapped[i].want)
            fail_msg("%s", mapped[i].label);
    }
    net_acl_fini(&a);
}

/* What a listener allows when nothing is configured: itself and private neighbours, no stranger. */
static void defaults(void **state)
{
    (void)state;
    static const struct {
        const char *label, *listener, *client;
        bool want;
    } row[] = {
        {"loopback asks loopback", "127.0.0.1", "127.0.0.1", true},
        {"any loopback address", "127.0.0.1", "127.255.0.1", true},
        {"IPv6 loopback too", "127.0.0.1", "::1", true},
        {"a stranger at loopback", "127.0.0.1", "198.51.100.1", false},
        {"private, at loopback", "127.0.0.1", "10.0.0.1", false},
        {"IPv6 listener, IPv4 loopback", "::1", "127.0.0.1", true},
        {"IPv6 stranger", "::1", "2001:db8::1", false},
        {"link-local at loopback", "::1", "fe80::1", false},
        {"address of no interface: loopback", "192.0.2.1", "127.0.0.1", true},
        {"address of no interface: its own network", "192.0.2.1", "192.0.2.2", false},
        {"address of no interface: private", "10.255.254.253", "10.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct net_acl a = {0};
        struct addr listener, client;
        addr_parse(&listener, row[i].listener, 53);
        addr_parse(&client, row[i].client, 4711);
        assert_int_equal(net_acl_add_connected(&a, &listener), 0);
        if (net_acl_allows(&a, &client) != row[i].want)
            fail_msg("%s", row[i].label);
        for (unsigned k = 0; k < a.count; k++) { /* never a public network */
            struct addr net = {.family = a.rules[k].prefix.family};
            memcpy(net.ip, a.rules[k].prefix.ip, 16);
            if (!addr_is_private(&net) && !addr_is_loopback(&net))
                fail_msg("%s: rule %u is public", row[i].label, k);
        }
        net_acl_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_decide),
                                       cmocka_unit_test(mapped_clients),
                                       cmocka_unit_test(defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
