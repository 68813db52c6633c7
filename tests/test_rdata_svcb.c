/* folders: dns */
/* SVCB and HTTPS: RFC 9460 appendix D, good and bad, then what the text and the wire must refuse.
 */
#include "base/err.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FOO     "03666F6F076578616D706C6503636F6D00"
#define FOO_ORG "03666F6F076578616D706C65036F726700"
#define EXAMPLE "076578616D706C6503636F6D00"

static void hex_of(const uint8_t *p, int n, char *out)
{
    *out = 0;
    for (int i = 0; i < n; i++)
        out += sprintf(out, "%02X", p[i]);
}

static int of_hex(const char *hex, uint8_t *out)
{
    int n = 0;
    for (unsigned v; *hex; hex += 2) {
        sscanf(hex, "%2x", &v);
        out[n++] = (uint8_t)v;
    }
    return n;
}

static void appendix_d(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text, *hex, *print;
    } rows[] = {
        {"D.1 alias", "0 foo.example.com.", "0000" FOO, "0 foo.example.com."},
        {"D.2 figure 3: the owner", "1 .", "000100", "1 ."},
        {"D.2 figure 4: port", "16 foo.example.com. port=53", "0010" FOO "000300020035",
         "16 foo.example.com. port=53"},
        {"D.2 figure 5: generic key", "1 foo.example.com. key667=hello",
         "0001" FOO "029B000568656C6C6F", "1 foo.example.com. key667=\"hello\""},
        {"D.2 figure 6: escape", "1 foo.example.com. key667=\"hello\\210qoo\"",
         "0001" FOO "029B000968656C6C6FD2716F6F", "1 foo.example.com. key667=\"hello\\210qoo\""},
        {"D.2 figure 7: two IPv6 hints",
         "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
         "0001" FOO "0006002020010DB800000000000000000000000120010DB8000000000000000000530001",
         "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
        {"D.2 figure 8: embedded IPv4", "1 example.com. ipv6hint=\"2001:db8:122:344::192.0.2.33\"",
         "0001" EXAMPLE "0006001020010DB8012203440000"
         "0000C0000221",
         "1 example.com. ipv6hint=2001:db8:122:344::c000:221"},
        {"D.2 figure 9: sorted",
         "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
         "0010" FOO_ORG "0000000400010004000100090268320568332D313900040004C0000201",
         "16 foo.example.org. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"},
        {"D.2 figure 10: escaped comma, quoted",
         "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
         "0010" FOO_ORG "0001000C08665C6F6F2C626172026832",
         "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""},
        {"D.2 figure 10: escaped comma, bare", "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
         "0010" FOO_ORG "0001000C08665C6F6F2C626172026832",
         "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\""},
        {"generic form of a known key", "1 . key3=\\001\\187",
         "000100000300"
         "0201BB",
         "1 . port=443"},
        {"generic key without a value", "1 . key123", "000100007B0000", "1 . key123"},
        {"empty value after =", "1 . key123=", "000100007B0000", "1 . key123"},
        {"empty quotes", "1 . key123=\"\"", "000100007B0000", "1 . key123"},
        {"three sorted from the end", "1 . key9=c key8=bb key300=a",
         "000100"
         "000800026262"
         "0009000163"
         "012C000161",
         "1 . key8=\"bb\" key9=\"c\" key300=\"a\""},
        {"dohpath", "1 . dohpath=/q{?dns}", "000100000700082F717B3F646E737D",
         "1 . dohpath=\"/q{?dns}\""},
        {"alias with parameters", "0 . port=1", "000000000300020001", "0 . port=1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[512];
        char hex[1024], text[512] = "";
        size_t bad;
        const char *why;
        int n = dns_rdata_parse(DNS_TYPE_SVCB, rows[i].text, strlen(rows[i].text), NULL, rd,
                                sizeof rd, &bad, &why);
        hex_of(rd, n, hex);
        if (n < 0 || strcmp(hex, rows[i].hex) != 0)
            fail_msg("%s: %d %s %s", rows[i].label, n, why, hex);
        int len = dns_rdata_print(DNS_TYPE_SVCB, rd, (size_t)n, text, sizeof text);
        if (len < 0 || strcmp(text, rows[i].print) != 0)
            fail_msg("%s: %s", rows[i].label, text);
        uint8_t again[512];
        if (dns_rdata_parse(DNS_TYPE_HTTPS, text, (size_t)len, NULL, again, sizeof again, &bad,
                            &why) != n ||
            memcmp(again, rd, (size_t)n) != 0)
            fail_msg("%s: reads back differently: %s", rows[i].label, why);
    }
}

static void text_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text, *why;
    } rows[] = {
        {"D.3: a key twice", "1 foo.example.com. key123=abc key123=def", "a key comes twice"},
        {"D.3: mandatory without value", "1 foo.example.com. mandatory", "this key needs a value"},
        {"D.3: alpn without value", "1 foo.example.com. alpn", "this key needs a value"},
        {"D.3: port without value", "1 foo.example.com. port", "this key needs a value"},
        {"D.3: ipv4hint without value", "1 foo.example.com. ipv4hint", "this key needs a value"},
        {"D.3: ipv6hint without value", "1 foo.example.com. ipv6hint", "this key needs a value"},
        {"D.3: no-default-alpn with one", "1 foo.example.com. no-default-alpn=abc",
         "no-default-alpn takes no value"},
        {"D.3: mandatory key missing", "1 foo.example.com. mandatory=key123",
         "a mandatory key is missing"},
        {"D.3: mandatory lists itself", "1 foo.example.com. mandatory=mandatory",
         "mandatory does not list itself"},
        {"D.3: mandatory key twice", "1 foo.example.com. mandatory=key123,key123 key123=abc",
         "a mandatory key comes twice, or out of order"},
        {"7.1.1: not self-consistent", "1 . no-default-alpn", "no-default-alpn needs alpn"},
        {"ech without value", "1 . ech=", "this key needs a value"},
        {"dohpath without value", "1 . dohpath=\"\"", "this key needs a value"},
        {"ech is not base64", "1 . ech=AB", "ech is base64"},
        {"a leading zero", "1 . key0123=x", "unknown key"},
        {"key above 65535", "1 . key65536=x", "unknown key"},
        {"key without number", "1 . key=x", "unknown key"},
        {"a name that is none", "1 . colour=blue", "unknown key"},
        {"a quoted parameter", "1 . \"port=1\"", "unknown key"},
        {"empty item", "1 . alpn=h2,,h3", "alpn lists protocols of 1 to 255 octets"},
        {"empty last item", "1 . alpn=h2,", "alpn lists protocols of 1 to 255 octets"},
        {"lone backslash", "1 . alpn=h\\\\2",
         "a backslash in a list stands before a comma or a "
         "backslash"},
        {"port above 65535", "1 . port=65536", "port is a number"},
        {"IPv6 in ipv4hint", "1 . ipv4hint=::1", "ipv4hint lists IPv4 addresses"},
        {"empty hint", "1 . ipv4hint=192.0.2.1,", "ipv4hint lists IPv4 addresses"},
        {"IPv4 in ipv6hint", "1 . ipv6hint=192.0.2.1", "ipv6hint lists IPv6 addresses"},
        {"mandatory with a word", "1 . mandatory=x", "mandatory lists keys"},
        {"generic port of one octet", "1 . key3=x", "port is a number"},
        {"dohpath without dns", "1 . dohpath=/q{?d}",
         "dohpath is a template like /dns-query{?dns}"},
        {"dohpath, absolute", "1 . dohpath=https://x/{?dns}",
         "dohpath is a template like /dns-query{?dns}"},
        {"dohpath, no UTF-8", "1 . dohpath=\"/\\255{?dns}\"",
         "dohpath is a template like /dns-query{?dns}"},
        {"dohpath, open brace", "1 . dohpath=/{?dns",
         "dohpath is a template like /dns-query{?dns}"},
        {"open quote", "1 . alpn=\"h2", "a quote is not closed"},
        {"bad escape", "1 . key123=\"\\2\"", "an escape needs three digits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[512];
        size_t bad;
        const char *why;
        int n = dns_rdata_parse(DNS_TYPE_SVCB, rows[i].text, strlen(rows[i].text), NULL, rd,
                                sizeof rd, &bad, &why);
        if (n >= 0 || strcmp(why, rows[i].why) != 0 || bad > strlen(rows[i].text))
            fail_msg("%s: %d \"%s\" at %zu", rows[i].label, n, why, bad);
    }
}

static void wire(void **state)
{
    (void)state;
    static const struct {
        const char *label, *params; /* behind "1 ." */
        int want;
    } rows[] = {
        {"nothing", "", 0},
        {"header cut", "000300", ERR_FORMAT},
        {"value cut", "0003000201", ERR_FORMAT},
        {"keys descend",
         "000400047F0000010003"
         "00020035",
         ERR_FORMAT},
        {"a key twice",
         "00030002003500030002"
         "0035",
         ERR_FORMAT},
        {"mandatory of one octet", "0000000101", ERR_FORMAT},
        {"mandatory of none", "00000000", ERR_FORMAT},
        {"mandatory lists itself", "000000020000", ERR_FORMAT},
        {"mandatory key missing", "000000020003", ERR_FORMAT},
        {"mandatory descends",
         "00000004000400030003000200350004"
         "00047F000001",
         ERR_FORMAT},
        {"mandatory",
         "00000004000300040003000200350004"
         "00047F000001",
         0},
        {"alpn empty", "00010000", ERR_FORMAT},
        {"alpn with an empty id", "0001000100", ERR_FORMAT},
        {"alpn, id too long", "000100020268", ERR_FORMAT},
        {"alpn",
         "0001000302"
         "6832",
         0},
        {"no-default-alpn with a value",
         "00010003026832"
         "0002000100",
         ERR_FORMAT},
        {"no-default-alpn alone is met on the wire", "00020000", 0},
        {"port of three", "00030003000035", ERR_FORMAT},
        {"ipv4hint of five", "000400057F00000101", ERR_FORMAT},
        {"ipv4hint of none", "00040000", ERR_FORMAT},
        {"ech of none", "00050000", ERR_FORMAT},
        {"ipv6hint of four", "000600047F000001", ERR_FORMAT},
        {"dohpath without dns", "000700022F71", ERR_FORMAT},
        {"dohpath, overlong UTF-8",
         "0007000A2F"
         "C0AF"
         "7B3F646E737D00",
         ERR_FORMAT},
        {"dohpath, other variables too", "0007000D2F7B3F612C646E733A342C627D", 0},
        {"unknown key", "FFFF0000", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[128] = {0, 1, 0}, flat[128];
        int n = 3 + of_hex(rows[i].params, rd + 3);
        int got = dns_rdata_check(DNS_TYPE_SVCB, rd, (size_t)n);
        struct rcur c = rcur_of(rd, (size_t)n);
        int unpacked = dns_rdata_unpack(DNS_TYPE_HTTPS, &c, (uint16_t)n, flat, sizeof flat);
        if (got != rows[i].want || unpacked != (got ? got : n))
            fail_msg("%s: %d, unpacked %d", rows[i].label, got, unpacked);
    }
}

/* What only the wire may hold prints in the generic form, so that it reads back. */
static void opaque(void **state)
{
    (void)state;
    static const uint8_t rd[] = {0, 1, 0, 0, 2, 0, 0};
    char text[64];
    assert_true(dns_rdata_print(DNS_TYPE_SVCB, rd, sizeof rd, text, sizeof text) > 0);
    assert_string_equal(text, "\\# 7 00010000020000");
}

/* The target is followed for additional records, and keeps its case in canonical form (RFC 6840
 * 5.1). */
static void target(void **state)
{
    (void)state;
    uint8_t rd[] = "\0\1\3Foo\7Example\0\0\3\0\2\1\273";
    const size_t len = sizeof rd - 1;
    assert_ptr_equal(dns_rdata_target(DNS_TYPE_HTTPS, rd, len), rd + 2);
    dns_rdata_canonical(DNS_TYPE_HTTPS, rd, len);
    assert_memory_equal(rd + 2, "\3Foo\7Example", 13);
    assert_null(dns_rdata_target(DNS_TYPE_HTTPS, rd, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix_d), cmocka_unit_test(text_refused), cmocka_unit_test(wire),
        cmocka_unit_test(opaque),     cmocka_unit_test(target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
