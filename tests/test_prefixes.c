/* Values and depths of prefix tables, row by row. */
#include "geo/prefixes.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct net {
    const char *text;
    uint32_t value;
};

static struct prefix prefix_of(const char *text)
{
    struct prefix p;
    if (prefix_parse(&p, text))
        fail_msg("%s is no prefix", text);
    return p;
}

static struct addr addr_of(const char *text)
{
    struct addr a;
    if (addr_parse(&a, text, 0))
        fail_msg("%s is no address", text);
    return a;
}

static struct prefixes *table_of(const struct net *nets, size_t max, const struct prefixes *below)
{
    struct prefixes_build *b;
    struct prefixes *t;
    assert_int_equal(prefixes_begin(&b), 0);
    for (size_t i = 0; i < max && nets[i].text; i++) {
        struct prefix p = prefix_of(nets[i].text);
        if (prefixes_put(b, &p, nets[i].value))
            fail_msg("%s cannot be put", nets[i].text);
    }
    assert_int_equal(prefixes_finish(b, below, 0, &t), 0);
    return t;
}

static void expect(const char *label, const struct prefixes *t, const char *at, uint32_t value,
                   unsigned depth)
{
    struct addr a = addr_of(at);
    unsigned d = 999;
    uint32_t v = prefixes_find(t, &a, &d);
    if (v != value || d != depth)
        fail_msg("%s: %s is %u /%u, not %u /%u", label, at, v, d, value, depth);
    if (prefixes_find(t, &a, NULL) != value)
        fail_msg("%s: %s without a depth", label, at);
}

enum { NETS = 8, LOOKUPS = 8 };

struct lookup {
    const char *at;
    uint32_t value;
    unsigned depth;
};

static const struct {
    const char *label;
    struct net nets[NETS];
    struct lookup lookups[LOOKUPS];
} look_up_rows[] = {
    {"a network inside another, everyone else",
     {{"10.0.0.0/8", 1}, {"10.1.0.0/16", 2}},
     {{"10.200.0.0", 1, 9},
      {"10.1.2.0", 2, 16},
      {"192.0.2.0", 0, 1},
      {"10.0.0.1", 1, 16},
      {"11.0.0.0", 0, 8},
      {"0.0.0.0", 0, 5}}},
    {"constant for everyone", {{"0.0.0.0/0", 3}}, {{"192.0.2.0", 3, 0}, {"0.0.0.0", 3, 0}}},
    {"nothing at all", {{NULL, 0}}, {{"0.0.0.0", 0, 0}, {"::", 0, 0}}},
    {"everyone has the value of the default",
     {{"0.0.0.0/0", 3}, {"10.0.0.0/8", 3}, {"10.1.0.0/16", 3}},
     {{"10.1.0.0", 3, 0}, {"192.0.2.1", 3, 0}}},
    {"none named is none", {{"10.0.0.0/8", 0}}, {{"10.0.0.0", 0, 0}}},
    {"a hole", {{"10.0.0.0/8", 1}, {"10.0.0.0/9", 0}}, {{"10.0.0.0", 0, 9}, {"10.128.0.0", 1, 9}}},
    {"a chain of nested networks",
     {{"10.0.0.0/8", 1}, {"10.0.0.0/16", 2}, {"10.0.0.0/24", 3}, {"10.0.0.0/32", 4}},
     {{"10.0.0.0", 4, 32},
      {"10.0.0.1", 3, 32},
      {"10.0.0.2", 3, 31},
      {"10.0.1.0", 2, 24},
      {"10.1.0.0", 1, 16},
      {"10.255.255.255", 1, 9}}},
    {"narrow before wide",
     {{"10.0.0.0/32", 4}, {"10.0.0.0/24", 3}, {"10.0.0.0/8", 1}},
     {{"10.0.0.0", 4, 32}, {"10.0.0.255", 3, 25}, {"10.0.1.0", 1, 24}}},
    {"siblings merge, whatever their length",
     {{"10.0.0.0/9", 1}, {"10.128.0.0/10", 1}, {"10.192.0.0/10", 1}},
     {{"10.0.0.0", 1, 8}, {"10.192.0.1", 1, 8}}},
    {"neighbours that are no siblings do not",
     {{"10.1.0.0/16", 1}, {"10.2.0.0/16", 1}},
     {{"10.1.0.0", 1, 16}, {"10.2.0.0", 1, 16}, {"10.3.0.0", 0, 16}}},
    {"a merged pair ends where it must",
     {{"10.2.0.0/16", 1}, {"10.3.0.0/16", 1}, {"10.4.0.0/16", 1}},
     {{"10.3.0.0", 1, 15}, {"10.4.0.0", 1, 16}, {"10.0.0.0", 0, 15}}},
    {"the halves",
     {{"0.0.0.0/1", 1}, {"128.0.0.0/1", 2}},
     {{"127.255.255.255", 1, 1}, {"128.0.0.0", 2, 1}, {"255.255.255.255", 2, 1}}},
    {"the halves agree",
     {{"0.0.0.0/1", 7}, {"128.0.0.0/1", 7}},
     {{"127.255.255.255", 7, 0}, {"::1", 0, 0}}},
    {"the first and the last address",
     {{"0.0.0.0/32", 1}, {"255.255.255.255/32", 2}},
     {{"0.0.0.0", 1, 32},
      {"0.0.0.1", 0, 32},
      {"255.255.255.255", 2, 32},
      {"255.255.255.252", 0, 31},
      {"128.0.0.0", 0, 2}}},
    {"IPv6 down to the last bit",
     {{"2001:db8::/32", 1}, {"2001:db8::1/128", 2}, {"2001:db8:8000::/33", 3}},
     {{"2001:db8::1", 2, 128},
      {"2001:db8::", 1, 128},
      {"2001:db8::2", 1, 127},
      {"2001:db8:8000::", 3, 33},
      {"2001:db8:4000::", 1, 34},
      {"::", 0, 3},
      {"10.0.0.1", 0, 0}}},
    {"the first and the last of IPv6",
     {{"::/128", 1}, {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2}},
     {{"::", 1, 128},
      {"::1", 0, 128},
      {"8000::", 0, 2},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2, 128}}},
    {"IPv4 networks say nothing about IPv6",
     {{"0.0.0.0/0", 1}, {"10.0.0.0/8", 2}},
     {{"::", 0, 0}, {"::10.0.0.1", 0, 0}, {"2001:db8::1", 0, 0}, {"10.0.0.1", 2, 8}}},
    {"IPv6 networks say nothing about IPv4",
     {{"::/0", 1}, {"2001:db8::/32", 2}},
     {{"10.0.0.1", 0, 0}, {"::ffff:10.0.0.1", 0, 0}, {"2001:db8::1", 2, 32}, {"::", 1, 3}}},
    {"but the mapped form is IPv4",
     {{"::ffff:10.0.0.0/104", 1}},
     {{"10.0.0.1", 1, 8}, {"::ffff:10.0.0.1", 1, 8}, {"::", 0, 0}}},
    {"the largest value",
     {{"10.0.0.0/8", UINT32_MAX}, {"2001:db8::/32", UINT32_MAX - 1}},
     {{"10.9.9.9", UINT32_MAX, 8}, {"2001:db8::9", UINT32_MAX - 1, 32}}},
};

static void look_ups(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof look_up_rows / sizeof *look_up_rows; i++) {
        struct prefixes *t = table_of(look_up_rows[i].nets, NETS, NULL);
        for (unsigned k = 0; k < LOOKUPS && look_up_rows[i].lookups[k].at; k++)
            expect(look_up_rows[i].label, t, look_up_rows[i].lookups[k].at,
                   look_up_rows[i].lookups[k].value, look_up_rows[i].lookups[k].depth);
        assert_true(prefixes_usage(t).bytes < 4096);
        prefixes_free(t);
    }
}

/* What prefixes_put says, and which value stays. */
static void duplicates(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct {
            struct net net;
            int err;
        } puts[5];
        struct lookup lookup;
    } rows[] = {
        {"the same again", {{{"10.0.0.0/8", 1}, 0}, {{"10.0.0.0/8", 1}, 0}}, {"10.0.0.0", 1, 8}},
        {"another value",
         {{{"10.0.0.0/8", 1}, 0}, {{"10.0.0.0/8", 2}, ERR_EXISTS}},
         {"10.0.0.0", 1, 8}},
        {"another value, out of order",
         {{{"10.0.0.0/8", 1}, 0},
          {{"11.0.0.0/8", 2}, 0},
          {{"10.0.0.0/8", 2}, ERR_EXISTS},
          {{"10.0.0.0/8", 1}, 0}},
         {"10.0.0.0", 1, 8}},
        {"other length, same address",
         {{{"10.0.0.0/8", 1}, 0}, {{"10.0.0.0/9", 2}, 0}, {{"10.0.0.0/7", 2}, 0}},
         {"10.128.0.0", 1, 9}},
        {"IPv6, out of order",
         {{{"2001:db8::/32", 1}, 0}, {{"2001:db8::/31", 2}, 0}, {{"2001:db8::/32", 3}, ERR_EXISTS}},
         {"2001:db8::", 1, 32}},
        {"the mapped form is the same network",
         {{{"10.0.0.0/8", 1}, 0}, {{"::ffff:10.0.0.0/104", 2}, ERR_EXISTS}},
         {"10.0.0.0", 1, 8}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct prefixes_build *b;
        struct prefixes *t;
        assert_int_equal(prefixes_begin(&b), 0);
        for (unsigned k = 0; k < 5 && rows[i].puts[k].net.text; k++) {
            struct prefix p = prefix_of(rows[i].puts[k].net.text);
            if (prefixes_put(b, &p, rows[i].puts[k].net.value) != rows[i].puts[k].err)
                fail_msg("%s: put %u", rows[i].label, k);
        }
        assert_int_equal(prefixes_finish(b, NULL, 0, &t), 0);
        expect(rows[i].label, t, rows[i].lookup.at, rows[i].lookup.value, rows[i].lookup.depth);
        prefixes_free(t);
    }
}

static void impossible_networks(void **state)
{
    (void)state;
    struct prefixes_build *b;
    struct prefixes *t;
    struct prefix p = prefix_of("10.0.0.0/8");
    assert_int_equal(prefixes_begin(&b), 0);
    p.bits = 95;
    assert_int_equal(prefixes_put(b, &p, 1), ERR_RANGE);
    p.bits = 129;
    assert_int_equal(prefixes_put(b, &p, 1), ERR_RANGE);
    p.family = 6;
    assert_int_equal(prefixes_put(b, &p, 1), ERR_RANGE);
    p = prefix_of("10.255.0.1/32");
    p.bits = 104; /* bits beyond */
    assert_int_equal(prefixes_put(b, &p, 1), 0);
    assert_int_equal(prefixes_finish(b, NULL, 0, &t), 0);
    expect("bits beyond the length", t, "10.0.0.0", 1, 8);
    prefixes_free(t);
    assert_int_equal(prefixes_begin(&b), 0);
    assert_int_equal(prefixes_put(b, &p, 1), 0);
    prefixes_abandon(b);
    prefixes_abandon(NULL);
    prefixes_free(NULL);
}

static void overlay(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct net below[NETS], above[NETS];
        struct lookup lookups[LOOKUPS];
    } rows[] = {
        {"a wider network above hides narrower ones below",
         {{"10.0.0.0/8", 1}, {"10.1.0.0/16", 2}, {"10.1.1.0/24", 3}, {"11.0.0.0/8", 4}},
         {{"10.0.0.0/8", 9}},
         {{"10.1.1.1", 9, 8}, {"10.1.0.0", 9, 8}, {"10.9.0.0", 9, 8}, {"11.0.0.0", 4, 8}}},
        {"a narrower one above hides its own part",
         {{"10.0.0.0/8", 1}, {"10.1.1.0/24", 3}},
         {{"10.1.0.0/16", 9}},
         {{"10.1.1.1", 9, 16}, {"10.2.0.0", 1, 15}, {"10.128.0.0", 1, 9}}},
        {"none above is none, not what is below",
         {{"10.0.0.0/8", 1}},
         {{"10.0.0.0/9", 0}},
         {{"10.0.0.0", 0, 9}, {"10.128.0.0", 1, 9}}},
        {"siblings from both merge",
         {{"10.0.0.0/9", 1}},
         {{"10.128.0.0/9", 1}},
         {{"10.0.0.0", 1, 8}, {"10.255.0.0", 1, 8}}},
        {"nothing above", {{"10.0.0.0/8", 1}}, {{NULL, 0}}, {{"10.0.0.0", 1, 8}}},
        {"everything above", {{"10.0.0.0/8", 1}}, {{"0.0.0.0/0", 2}}, {{"10.0.0.0", 2, 0}}},
        {"above in IPv6 leaves IPv4 alone",
         {{"10.0.0.0/8", 1}, {"2001:db8:1::/48", 2}},
         {{"2001:db8::/32", 3}},
         {{"10.0.0.0", 1, 8}, {"2001:db8:1::", 3, 32}, {"2001:db9::", 0, 32}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct prefixes *below = table_of(rows[i].below, NETS, NULL);
        struct prefixes *t = table_of(rows[i].above, NETS, below);
        prefixes_free(below);
        for (unsigned k = 0; k < LOOKUPS && rows[i].lookups[k].at; k++)
            expect(rows[i].label, t, rows[i].lookups[k].at, rows[i].lookups[k].value,
                   rows[i].lookups[k].depth);
        prefixes_free(t);
    }
}

static void canonical(void **state)
{
    (void)state;
    static const struct {
        const char *label, *from, *to;
        unsigned shift;
    } rows[] = {
        {"compatible", "::192.0.2.1", "192.0.2.1", 96},
        {"mapped is IPv4 already", "::ffff:192.0.2.1", "192.0.2.1", 0},
        {"translated", "::ffff:0:192.0.2.1", "192.0.2.1", 96},
        {"NAT64", "64:ff9b::192.0.2.1", "192.0.2.1", 96},
        {"Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45", 96},
        {"6to4", "2002:c000:201::1", "192.0.2.1", 16},
        {"beside compatible", "::1:c000:201", "::1:c000:201", 0},
        {"beside translated", "::ffff:1:c000:201", "::ffff:1:c000:201", 0},
        {"beside NAT64", "64:ff9b:1::c000:201", "64:ff9b:1::c000:201", 0},
        {"beside Teredo", "2001:1::1", "2001:1::1", 0},
        {"beside 6to4", "2003:c000:201::1", "2003:c000:201::1", 0},
        {"ordinary", "2001:db8::1", "2001:db8::1", 0},
        {"IPv4", "192.0.2.1", "192.0.2.1", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr from = addr_of(rows[i].from), to = addr_of(rows[i].to);
        unsigned shift = 999;
        struct addr got = prefixes_canonical(&from, &shift);
        if (got.family != to.family || !addr_same_ip(&got, &to) || shift != rows[i].shift)
            fail_msg("%s", rows[i].label);
    }
    /* By hand: family 6 in the mapped form. */
    struct addr from = addr_of("::ffff:192.0.2.1"), to = addr_of("192.0.2.1");
    unsigned shift;
    from.family = 6;
    struct addr got = prefixes_canonical(&from, &shift);
    assert_true(addr_same_ip(&got, &to) && got.family == 4 && shift == 96);
    /* Inverted bits keep their order: what shares 96 + depth bits shares depth bits. */
    struct addr a = addr_of("2001:0:4136:e378:8000:63bf:3fff:fdd2"), b = a;
    b.ip[14] ^= 0x01;
    a = prefixes_canonical(&a, &shift);
    b = prefixes_canonical(&b, &shift);
    assert_memory_equal(a.ip, b.ip, 14);
    assert_int_equal(a.ip[14] ^ b.ip[14], 0x01);
}

static uint32_t map_value(void *arg, uint32_t value)
{
    const uint32_t *to = arg;
    return to[value];
}

static void mapping(void **state)
{
    (void)state;
    static const struct net nets[NETS] = {{"10.0.0.0/9", 1},
                                          {"10.128.0.0/9", 2},
                                          {"11.0.0.0/8", 3},
                                          {"2001:db8::/33", 1},
                                          {"2001:db8:8000::/33", 2}};
    static const struct {
        const char *label;
        uint32_t to[4];
        struct lookup lookups[4];
    } rows[] = {
        {"as it is", {0, 1, 2, 3}, {{"10.0.0.0", 1, 9}, {"11.0.0.0", 3, 8}, {"2001:db8::", 1, 33}}},
        {"two become one",
         {0, 5, 5, 6},
         {{"10.0.0.0", 5, 8}, {"11.0.0.0", 6, 8}, {"2001:db8:8000::", 5, 32}}},
        {"three become one", {0, 5, 5, 5}, {{"10.0.0.0", 5, 7}, {"12.0.0.0", 0, 6}}},
        {"none is asked too",
         {7, 7, 7, 8},
         {{"192.0.2.1", 7, 1}, {"11.0.0.0", 8, 8}, {"::", 7, 0}}},
        {"all one", {9, 9, 9, 9}, {{"192.0.2.1", 9, 0}, {"11.0.0.0", 9, 0}, {"::", 9, 0}}},
    };
    struct prefixes *t = table_of(nets, NETS, NULL), *m;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(prefixes_map(t, map_value, (void *)(uintptr_t)rows[i].to, &m), 0);
        for (unsigned k = 0; k < 4 && rows[i].lookups[k].at; k++)
            expect(rows[i].label, m, rows[i].lookups[k].at, rows[i].lookups[k].value,
                   rows[i].lookups[k].depth);
        prefixes_free(m);
    }
    prefixes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups),  cmocka_unit_test(duplicates),
        cmocka_unit_test(overlay),   cmocka_unit_test(impossible_networks),
        cmocka_unit_test(canonical), cmocka_unit_test(mapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
