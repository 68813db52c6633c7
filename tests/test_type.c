/* Numbers and mnemonics, both ways. */
#include "base/err.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Every mnemonic of the map reads as its number, and the number prints as the mnemonic. */
static void map_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t number;
    } rows[] = {
#define ROW(name, number) {#name, number},
        DNS_TYPE_MAP(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16], lower[16];
        size_t n = strlen(rows[i].name);
        for (size_t k = 0; k <= n; k++)
            lower[k] =
                (char)(rows[i].name[k] >= 'A' && rows[i].name[k] <= 'Z' ? rows[i].name[k] | 0x20
                                                                        : rows[i].name[k]);
        if (dns_type_parse(rows[i].name, n) != rows[i].number ||
            dns_type_parse(lower, n) != rows[i].number ||
            strcmp(dns_type_print(rows[i].number, text), rows[i].name) != 0)
            fail_msg("%s %u", rows[i].name, rows[i].number);
    }
    for (unsigned v = 0; v <= 65535; v++) { /* and nothing is lost on the way */
        char text[16];
        dns_type_print((uint16_t)v, text);
        if (dns_type_parse(text, strlen(text)) != (int)v)
            fail_msg("%u prints as %s", v, text);
    }
}

static void types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"A", 1},
        {"aaaa", 28},
        {"TYPE1", 1},
        {"type65535", 65535},
        {"TYPE0", 0},
        {"TYPE65536", ERR_SYNTAX},
        {"TYPE", ERR_SYNTAX},
        {"TYPE-1", ERR_SYNTAX},
        {"TYPE1x", ERR_SYNTAX},
        {"TYPE000001", ERR_SYNTAX},
        {"", ERR_SYNTAX},
        {"AA", ERR_SYNTAX},
        {"CLASS1", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int got = dns_type_parse(rows[i].text, strlen(rows[i].text));
        if (got != rows[i].want)
            fail_msg("\"%s\": %d", rows[i].text, got);
    }
    assert_int_equal(dns_type_parse("MXX", 2), DNS_TYPE_MX); /* the length ends it, no NUL */
}

static void other_words(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const char *(*print)(uint16_t, char *);
        int (*parse)(const char *, size_t);
        uint16_t number;
        const char *text;
    } rows[] = {
        {"class", dns_class_print, dns_class_parse, DNS_CLASS_IN, "IN"},
        {"class", dns_class_print, dns_class_parse, DNS_CLASS_CH, "CH"},
        {"class", dns_class_print, dns_class_parse, DNS_CLASS_ANY, "ANY"},
        {"class", dns_class_print, dns_class_parse, 2, "CLASS2"},
        {"rcode", dns_rcode_print, dns_rcode_parse, DNS_RCODE_NOERROR, "NOERROR"},
        {"rcode", dns_rcode_print, dns_rcode_parse, DNS_RCODE_NXDOMAIN, "NXDOMAIN"},
        {"rcode", dns_rcode_print, dns_rcode_parse, DNS_RCODE_BADVERS, "BADVERS"},
        {"rcode", dns_rcode_print, dns_rcode_parse, DNS_RCODE_BADCOOKIE, "BADCOOKIE"},
        {"rcode", dns_rcode_print, dns_rcode_parse, 4095, "RCODE4095"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[16];
        if (strcmp(rows[i].print(rows[i].number, text), rows[i].text) != 0 ||
            rows[i].parse(text, strlen(text)) != rows[i].number)
            fail_msg("%s %u: %s", rows[i].label, rows[i].number, text);
    }
    char text[16];
    assert_string_equal(dns_opcode_print(DNS_OPCODE_NOTIFY, text), "NOTIFY");
    assert_string_equal(dns_opcode_print(15, text), "OPCODE15");
}

static void extended_errors(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        const char *text;
    } rows[] = {
        {DNS_EDE_OTHER, "Other Error"},
        {DNS_EDE_STALE, "Stale Answer"},
        {DNS_EDE_BOGUS, "DNSSEC Bogus"},
        {DNS_EDE_CACHED_ERROR, "Cached Error"},
        {DNS_EDE_NOT_READY, "Not Ready"},
        {DNS_EDE_BLOCKED, "Blocked"},
        {DNS_EDE_PROHIBITED, "Prohibited"},
        {DNS_EDE_NOT_AUTHORITATIVE, "Not Authoritative"},
        {DNS_EDE_NOT_SUPPORTED, "Not Supported"},
        {DNS_EDE_NO_REACHABLE, "No Reachable Authority"},
        {DNS_EDE_NETWORK, "Network Error"},
        {DNS_EDE_INVALID_DATA, "Invalid Data"},
        {29, "Synthesized"},
        {65535, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(dns_ede_text(rows[i].code), rows[i].text) != 0)
            fail_msg("%u: %s", rows[i].code, dns_ede_text(rows[i].code));
}

static void meta(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        bool want;
    } rows[] = {{0, true},
                {DNS_TYPE_A, false},
                {DNS_TYPE_OPT, true},
                {127, false},
                {128, true},
                {DNS_TYPE_TSIG, true},
                {255, true},
                {DNS_TYPE_URI, false},
                {DNS_TYPE_SVCB, false},
                {249, true},
                {DNS_TYPE_RRSIG, false},
                {65535, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (dns_type_is_meta(rows[i].type) != rows[i].want)
            fail_msg("%u", rows[i].type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_both_ways),   cmocka_unit_test(types), cmocka_unit_test(other_words),
        cmocka_unit_test(extended_errors), cmocka_unit_test(meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
