/* Records: text to wire to text for every row; what is malformed; canonical form; targets. */
#include "base/err.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *type, *text, *print; /* print NULL: the same text */
} rows[] = {
    {"A", "192.0.2.1", NULL},
    {"NS", "ns1.example.", NULL},
    {"NS", "ns1", "ns1.example."},
    {"CNAME", "a.b.", NULL},
    {"SOA", "ns.a. h.a. 2026112101 1h 15m 1w 1d", "ns.a. h.a. 2026112101 3600 900 604800 86400"},
    {"PTR", "host.example.", NULL},
    {"HINFO", "\"cpu one\" os", "\"cpu one\" \"os\""},
    {"MX", "10 mail.example.", NULL},
    {"TXT", "\"one\" \"t\\\"wo\" three\\010", "\"one\" \"t\\\"wo\" \"three\\010\""},
    {"RP", "a.b. c.d.", NULL},
    {"AFSDB", "1 db.example.", NULL},
    {"AAAA", "2001:db8::1", NULL},
    {"SRV", "0 5 5060 sip.example.", NULL},
    {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .", NULL},
    {"KX", "10 kx.example.", NULL},
    {"CERT", "1 2 3 AQID", NULL},
    {"DNAME", "other.example.", NULL},
    {"DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL},
    {"SSHFP", "1 1 AB12", NULL},
    {"RRSIG", "A 5 3 86400 20030322173103 20030220173103 2642 example. AQIDBA==", NULL},
    {"NSEC", "host.example. A MX RRSIG NSEC TYPE1234", NULL},
    {"DNSKEY", "256 3 5 AQPSKmyn", NULL},
    {"DHCID", "AAIBY2/AuCcc", NULL},
    {"NSEC3", "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG", NULL},
    {"NSEC3PARAM", "1 0 0 -", NULL},
    {"TLSA", "3 1 1 0A0B", NULL},
    {"SMIMEA", "3 1 1 0A0B", NULL},
    {"CDS", "0 0 0 00", NULL},
    {"CDNSKEY", "0 3 0 AA==", NULL},
    {"OPENPGPKEY", "AQID", NULL},
    {"CSYNC", "66 3 A NS AAAA", NULL},
    {"ZONEMD", "2018031900 1 1 C68090D9", NULL},
    {"SPF", "\"v=spf1 -all\"", NULL},
    {"EUI48", "00-00-5e-00-53-2a", NULL},
    {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
    {"URI", "10 1 \"ftp://ftp.example/\"", NULL},
    {"CAA", "0 issue \"ca.example; x=y\"", NULL},
    {"RESINFO", "\"qnamemin\" \"exterr=15-17\"", NULL},
    {"TYPE65400", "\\# 3 ABCDEF", NULL},
    {"A", "\\# 4 C0000201", "192.0.2.1"},
};

static void round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[512], again[512];
        char text[2048] = "";
        size_t bad;
        const char *why;
        int type = dns_type_parse(rows[i].type, strlen(rows[i].type));
        int n = dns_rdata_parse((uint16_t)type, rows[i].text, strlen(rows[i].text),
                                (const uint8_t *)"\7example", rd, sizeof rd, &bad, &why);
        if (n < 0 || dns_rdata_print((uint16_t)type, rd, (size_t)n, text, sizeof text) < 0 ||
            strcmp(text, rows[i].print ? rows[i].print : rows[i].text) != 0)
            fail_msg("%s %s: %d %s \"%s\"", rows[i].type, rows[i].text, n, why, text);
        struct rcur c = rcur_of(rd, (size_t)n);
        int m = dns_rdata_unpack((uint16_t)type, &c, (uint16_t)n, again, sizeof again);
        if (m != n || memcmp(rd, again, (size_t)n) != 0 ||
            dns_rdata_check((uint16_t)type, rd, (size_t)n))
            fail_msg("%s %s: unpacked %d of %d", rows[i].type, rows[i].text, m, n);
        for (int cut = 0; cut < n;
             cut++) { /* every truncation is an error, or another valid record; never a crash */
            struct rcur less = rcur_of(rd, (size_t)cut);
            dns_rdata_unpack((uint16_t)type, &less, (uint16_t)cut, again, sizeof again);
        }
    }
}

static const struct {
    const char *type, *text, *why;
} wrong[] = {
    {"A", "192.0.2.256", "not an IPv4 address"},
    {"A", "192.0.2.1 x", "unexpected text after the record"},
    {"A", "", "the record ends early"},
    {"AAAA", "192.0.2.1", "not an IPv6 address"},
    {"MX", "70000 a.", "the number is too large"},
    {"MX", "x a.", "expected a number"},
    {"NS", "a..b.", "empty label"},
    {"TXT", "\"open", "a quote is not closed"},
    {"TXT", "", "a text is missing"},
    {"DS", "1 2 3 ABC", "hexadecimal digits come in pairs"},
    {"DNSKEY", "256 3 5 A", "base64 ends early"},
    {"NSEC", "a. NOTYPE", "unknown type"},
    {"CAA", "0 is-sue \"x\"", "the data does not suit the type"},
    {"TYPE65400", "abc", "this type is written as \\# length hex"},
    {"TYPE65400", "\\# 2 AB", "length and data differ"},
    {"A", "\\# 3 ABCDEF", "the data does not suit the type"},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t rd[512];
        size_t bad;
        const char *why;
        int type = dns_type_parse(wrong[i].type, strlen(wrong[i].type));
        int n = dns_rdata_parse((uint16_t)type, wrong[i].text, strlen(wrong[i].text), NULL, rd,
                                sizeof rd, &bad, &why);
        if (n >= 0 || strcmp(why, wrong[i].why) != 0 || bad > strlen(wrong[i].text))
            fail_msg("%s %s: %d %s", wrong[i].type, wrong[i].text, n, why);
    }
}

static void canonical_and_target(void **state)
{
    (void)state;
    uint8_t mx[] = "\0\12\4MAIL\7Example";
    assert_memory_equal(dns_rdata_target(DNS_TYPE_MX, mx, sizeof mx), mx + 2, 14);
    dns_rdata_canonical(DNS_TYPE_MX, mx, sizeof mx);
    assert_memory_equal(mx, "\0\12\4mail\7example", sizeof mx);
    assert_null(dns_rdata_target(DNS_TYPE_TXT, mx, sizeof mx));
    uint16_t offsets[2];
    assert_int_equal(dns_rdata_compressible(DNS_TYPE_MX, mx, sizeof mx, offsets), 1);
    assert_int_equal(offsets[0], 2);
    assert_int_equal(dns_rdata_compressible(DNS_TYPE_SRV, mx, sizeof mx, offsets),
                     0); /* RFC 3597 4 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refuses),
                                       cmocka_unit_test(canonical_and_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
