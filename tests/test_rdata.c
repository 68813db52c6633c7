/* Records: text to wire to text for every row; what is malformed; canonical form; targets. */
#include "base/err.h"
#include "dns/rdata.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *type, *text, *print; /* print NULL: the same text */
} rows[] = {
    {"A", "192.0.2.1", NULL},
    {"A", "0.10.255.0", NULL},
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
    {"CERT", "pkix 65535 RSASHA256 AQID", "1 65535 8 AQID"},
    {"CERT", "OID 2 DH AQID", "254 2 2 AQID"},
    {"DNAME", "other.example.", NULL},
    {"DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", NULL},
    /* RFC 4034 2.2, 3.2, 5.3: an algorithm is a number or a mnemonic */
    {"DS", "1 RSASHA1 3 AB", "1 5 3 AB"},
    {"CDS", "1 ed25519 3 AB", "1 15 3 AB"},
    {"DNSKEY", "256 3 PRIVATEOID AQID", "256 3 254 AQID"},
    {"CDNSKEY", "0 3 DELETE AA==", "0 3 0 AA=="},
    {"RRSIG", "A ECDSAP256SHA256 3 1 20240229235959 1708993800 2 a. AQID",
     "A 13 3 1 20240229235959 20240227003000 2 a. AQID"},
    {"SSHFP", "1 3 AB12", NULL},
    {"SSHFP", "1 1 123456789ABCDEF67890123456789ABCDEF67890", NULL},
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
    {"ZONEMD", "2018031900 1 240 C68090D9", NULL},
    {"SPF", "\"v=spf1 -all\"", NULL},
    {"EUI48", "00-00-5e-00-53-2a", NULL},
    {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
    {"URI", "10 1 \"ftp://ftp.example/\"", NULL},
    {"CAA", "0 issue \"ca.example; x=y\"", NULL},
    {"RESINFO", "\"qnamemin\" \"exterr=15-17\"", NULL},
    /* RFC 1876 4 */
    {"LOC", "42 21 54 N 71 06 18 W -24m 30m",
     "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m"},
    {"LOC", "42 21 43.952 n 71 5 6.344 w -24m 1m 200m",
     "42 21 43.952 N 71 5 6.344 W -24.00m 1.00m 200.00m 10.00m"},
    {"LOC", "90 S 180 E -100000", "90 0 0.000 S 180 0 0.000 E -100000.00m 1.00m 10000.00m 10.00m"},
    {"LOC", "0 N 0 W 42849672.95m 90000000m 1234.56 .05",
     "0 0 0.000 N 0 0 0.000 E 42849672.95m 90000000.00m 1000.00m 0.05m"},
    /* RFC 3123 8 */
    {"APL", "1:192.168.32.0/21 !1:192.168.38.0/28", NULL},
    {"APL", "1:224.0.0.0/4 2:FF00:0:0:0:0:0:0:0/8", "1:224.0.0.0/4 2:ff00::/8"},
    {"APL", "1:0.0.0.0/0 !2:2001:db8::1/128", NULL},
    {"APL", "", NULL},
    /* RFC 4025 3.2 */
    {"IPSECKEY", "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"IPSECKEY", "10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"IPSECKEY",
     "10 3 2 MyGateway.example.com. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", NULL},
    {"IPSECKEY", "10 2 2 2001:0DB8:0:8002::2000:1 AQNR", "10 2 2 2001:db8:0:8002::2000:1 AQNR"},
    {"IPSECKEY", "10 0 0 .", NULL},
    /* RFC 8005 6 */
    {"HIP",
     "2 200100107B1A74DF365639CC39F1D578 "
     "AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+"
     "Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D "
     "rvs1.example.com. rvs2.example.com.",
     NULL},
    {"HIP", "2 ab AQID rvs", "2 AB AQID rvs.example."},
    {"HIP", "2 AB AQID", NULL},
    {"SVCB", "1 svc port=8443", "1 svc.example. port=8443"},
    {"HTTPS", "0 pool.example.", NULL},
    {"HTTPS",
     "1 . mandatory=alpn,port alpn=\"h2,h3\" no-default-alpn port=443 "
     "ipv4hint=192.0.2.1,192.0.2.2 ech=AEj+DQA= ipv6hint=2001:db8::1 "
     "dohpath=\"/dns-query{?dns}\" key65535=\"x\"",
     NULL},
    {"TYPE65400", "\\# 3 ABCDEF", NULL},
    {"TYPE65400", "\\# 0", NULL},
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
    }
}

/* Every type with a form of its own stands in the table above. */
static void no_type_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t number;
    } types[] = {
#define ROW(name, number) {#name, number},
        DNS_TYPE_MAP(ROW)
#undef ROW
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        uint8_t rd[16];
        size_t bad, row = 0;
        const char *why;
        int n = dns_rdata_parse(types[t].number, "?", 1, NULL, rd, sizeof rd, &bad, &why);
        if (n < 0 && strcmp(why, "this type is written as \\# length hex") == 0)
            continue;
        while (row < sizeof rows / sizeof *rows && strcmp(rows[row].type, types[t].name) != 0)
            row++;
        if (row == sizeof rows / sizeof *rows)
            fail_msg("%s has no row", types[t].name);
    }
}

/* Any octets: the ways to look at them agree, and what prints reads back as the same octets. The
 * copy is as long as the data, so that a look beyond it is seen. */
static void look_at(const char *label, uint16_t type, const uint8_t *from, size_t len)
{
    static uint8_t again[DNS_RDATA_MAX];
    static char text[1 << 16];
    uint8_t *rd = malloc(len ? len : 1);
    size_t bad;
    const char *why;
    memcpy(rd, from, len);
    int checked = dns_rdata_check(type, rd, len);
    struct rcur c = rcur_of(rd, len);
    int unpacked = dns_rdata_unpack(type, &c, (uint16_t)len, again, sizeof again);
    if (!checked && unpacked != (int)len)
        fail_msg("%s: good, but unpacked to %d of %zu", label, unpacked, len);
    if (checked && unpacked >= 0 && dns_rdata_check(type, again, (size_t)unpacked))
        fail_msg("%s: unpacked to something malformed", label);
    int n = dns_rdata_print(type, rd, len, text, sizeof text);
    if (n < 0)
        fail_msg("%s: does not print", label);
    int m = dns_rdata_parse(type, text, (size_t)n, NULL, again, sizeof again, &bad, &why);
    if (checked ? m >= 0 : m != (int)len || memcmp(again, rd, len) != 0)
        fail_msg("%s: \"%s\" reads back as %d: %s", label, text, m, why);
    dns_rdata_target(type, rd, len);
    dns_rdata_canonical(type, rd, len);
    free(rd);
}

/* Each prefix of a good record, and each octet of it replaced. */
static void mangled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[512];
        size_t bad;
        const char *why;
        uint16_t type = (uint16_t)dns_type_parse(rows[i].type, strlen(rows[i].type));
        int n = dns_rdata_parse(type, rows[i].text, strlen(rows[i].text),
                                (const uint8_t *)"\7example", rd, sizeof rd, &bad, &why);
        assert_true(n >= 0);
        for (int cut = 0; cut <= n; cut++)
            look_at(rows[i].text, type, rd, (size_t)cut);
        for (int at = 0; at < n; at++) {
            const uint8_t was = rd[at],
                          other[] = {0, 1, 0x3f, 0x40, 0xc0, 0xff, was + 1, was - 1, was ^ 0x80};
            for (size_t k = 0; k < sizeof other; k++) {
                rd[at] = other[k];
                look_at(rows[i].text, type, rd, (size_t)n);
            }
            rd[at] = was;
        }
    }
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

static const struct {
    const char *label, *type, *hex;
    int want;
    const char *print; /* of what is good */
} wire[] = {
    {"A of three", "A", "C00002", ERR_FORMAT, NULL},
    {"A of five", "A", "C000020101", ERR_FORMAT, NULL},
    {"NS with octets behind", "NS", "016100FF", ERR_FORMAT, NULL},
    {"MX without a name", "MX", "000A", ERR_FORMAT, NULL},
    {"TXT without a string", "TXT", "", ERR_FORMAT, NULL},
    {"TXT, string too long", "TXT", "0541", ERR_FORMAT, NULL},
    {"bitmap, empty", "NSEC", "00", 0, "."},
    {"bitmap, window of 33", "NSEC",
     "000021000000000000000000000000000000000000000000000000000000000000000001", ERR_FORMAT, NULL},
    {"bitmap, windows descend", "NSEC", "00010140000140", ERR_FORMAT, NULL},
    {"bitmap, zeros at the end", "NSEC", "0000024000", ERR_FORMAT, NULL}, /* RFC 4034 4.1.2 */
    {"bitmap, window without a type", "NSEC", "00000100", ERR_FORMAT, NULL},
    {"hash of no octets", "NSEC3", "0100000000000001", ERR_FORMAT, NULL},
    {"CAA, empty tag", "CAA", "000061", ERR_FORMAT, NULL},
    {"CAA, tag with a dash", "CAA", "0003612D62", ERR_FORMAT, NULL},
    {"LOC", "LOC", "00121613800000008000000000989680", 0,
     "0 0 0.000 N 0 0 0.000 E 0.00m 1.00m 10000.00m 10.00m"},
    {"LOC of a later version", "LOC", "01ABCD", 0, "\\# 3 01ABCD"},
    {"LOC, size with a digit above 9", "LOC", "00A21613800000008000000000989680", ERR_FORMAT, NULL},
    {"LOC, power above 9", "LOC", "0012161A800000008000000000989680", ERR_FORMAT, NULL},
    {"LOC, beyond the pole", "LOC", "00121613934FD9018000000000989680", ERR_FORMAT, NULL},
    {"LOC, beyond 180 W", "LOC", "00121613800000005960 4CFF00989680", ERR_FORMAT, NULL},
    {"LOC, an octet more", "LOC", "0012161380000000800000000098968000", ERR_FORMAT, NULL},
    {"APL of RFC 3123", "APL", "00011503C0A82000011C83C0A826", 0,
     "1:192.168.32.0/21 !1:192.168.38.0/28"},
    {"APL, other family", "APL", "00030801AB", 0, "\\# 5 00030801AB"},
    {"APL, prefix too long", "APL", "00012101C0", ERR_FORMAT, NULL},
    {"APL, IPv4 of five", "APL", "00012005C000020101", ERR_FORMAT, NULL},
    {"APL, zero at the end", "APL", "00010802 0A00", ERR_FORMAT, NULL},
    {"APL, cut", "APL", "00010802 0A", ERR_FORMAT, NULL},
    {"IPSECKEY, unknown gateway", "IPSECKEY", "0A04020102", 0, "\\# 5 0A04020102"},
    {"IPSECKEY, gateway by pointer", "IPSECKEY", "0A0302C000", ERR_FORMAT, NULL},
    {"IPSECKEY, IPv6 cut", "IPSECKEY", "0A020220010DB8", ERR_FORMAT, NULL},
    {"DS, digest cut", "DS", "0001080200", 0, "\\# 5 0001080200"},
    {"DNSKEY without a key", "DNSKEY", "01010308", 0, "\\# 4 01010308"},
    {"HIP without a tag", "HIP", "0002000301020 3", ERR_FORMAT, NULL},
    {"HIP without a key", "HIP", "01020000AB", ERR_FORMAT, NULL},
    {"HIP, server by pointer", "HIP", "01020001ABCDC000", ERR_FORMAT, NULL},
};

static void well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wire / sizeof *wire; i++) {
        uint8_t rd[64];
        char hex[160], text[256] = "";
        size_t len = 0;
        for (const char *p = wire[i].hex; *p; p++) /* spaces are for the reader */
            if (*p != ' ')
                hex[len++] = *p;
        hex[len] = 0;
        int n = of_hex(hex, rd);
        uint16_t type = (uint16_t)dns_type_parse(wire[i].type, strlen(wire[i].type));
        int got = dns_rdata_check(type, rd, (size_t)n);
        struct rcur c = rcur_of(rd, (size_t)n);
        uint8_t flat[64];
        int m = dns_rdata_unpack(type, &c, (uint16_t)n, flat, sizeof flat);
        if (got != wire[i].want || (got ? m >= 0 : m != n))
            fail_msg("%s: checked %d, unpacked %d", wire[i].label, got, m);
        if (wire[i].print && (dns_rdata_print(type, rd, (size_t)n, text, sizeof text) < 0 ||
                              strcmp(text, wire[i].print) != 0))
            fail_msg("%s: \"%s\"", wire[i].label, text);
        look_at(wire[i].label, type, rd, (size_t)n);
    }
}

/* RFC 3597 4: pointers are followed in types that may have them, and nowhere else. */
static void pointers(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *hex; /* behind "\7example\0" */
        int want;
    } at[] = {
        {"NS", "03777777C000", 13},       {"MX", "000AC000", 11},
        {"SRV", "000100020003C000", 15},  {"NSEC", "C000000140", ERR_FORMAT},
        {"SVCB", "0001C000", ERR_FORMAT}, {"NS", "C009", ERR_FORMAT}, /* itself */
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        uint8_t msg[64] = "\7example", flat[64];
        int n = of_hex(at[i].hex, msg + 9);
        struct rcur c = rcur_of(msg, 9 + (size_t)n);
        c.at += 9;
        int got = dns_rdata_unpack((uint16_t)dns_type_parse(at[i].type, strlen(at[i].type)), &c,
                                   (uint16_t)n, flat, sizeof flat);
        if (got != at[i].want)
            fail_msg("%s %s: %d", at[i].type, at[i].hex, got);
    }
}

/* Room runs out anywhere: said, never passed. */
static void narrow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[512];
        size_t bad;
        const char *why;
        uint16_t type = (uint16_t)dns_type_parse(rows[i].type, strlen(rows[i].type));
        int n = dns_rdata_parse(type, rows[i].text, strlen(rows[i].text), NULL, rd, sizeof rd, &bad,
                                &why);
        assert_true(n >= 0);
        for (size_t cap = 0; cap < (size_t)n; cap++) {
            uint8_t *room = malloc(cap + 1);
            int m = dns_rdata_parse(type, rows[i].text, strlen(rows[i].text), NULL, room, cap, &bad,
                                    &why);
            if (m >= 0 || !*why)
                fail_msg("%s %s: %d in %zu", rows[i].type, rows[i].text, m, cap);
            free(room);
        }
        char text[1024];
        int len = dns_rdata_print(type, rd, (size_t)n, text, sizeof text);
        for (int cap = 0; cap <= len; cap++) {
            char *room = malloc((size_t)cap + 1);
            if (dns_rdata_print(type, rd, (size_t)n, room, (size_t)cap) != ERR_SPACE)
                fail_msg("%s %s in %d", rows[i].type, text, cap);
            free(room);
        }
        assert_int_equal(dns_rdata_print(type, rd, (size_t)n, text, (size_t)len + 1), len);
    }
}

static const struct {
    const char *type, *text, *why;
} wrong[] = {
    {"A", "192.0.2.256", "not an IPv4 address"},
    {"A", "192.0.2.01", "not an IPv4 address"},
    {"A", "192.0.2.00", "not an IPv4 address"},
    {"A", "192.0.2", "not an IPv4 address"},
    {"A", "192.0.2.", "not an IPv4 address"},
    {"A", "192.0..1", "not an IPv4 address"},
    {"A", ".192.0.2.1", "not an IPv4 address"},
    {"A", "192.0.2.1.1", "not an IPv4 address"},
    {"A", "192.0.2.1x", "not an IPv4 address"},
    {"A", "4294967488.0.2.1", "not an IPv4 address"},
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
    {"NSEC3", "1 1 12 AABB ! A", "not base32hex"},
    {"RRSIG", "A 5 3 86400 2003032217310x 20030220173103 2642 example. AQID",
     "expected YYYYMMDDHHMMSS"},
    {"RRSIG", "A 5 3 86400 20031322173103 20030220173103 2642 example. AQID",
     "expected YYYYMMDDHHMMSS"},
    {"RRSIG", "A 5 3 86400 20030230173103 20030220173103 2642 example. AQID",
     "expected YYYYMMDDHHMMSS"},
    {"RRSIG", "A 5 3 86400 20030228173160 20030220173103 2642 example. AQID",
     "expected YYYYMMDDHHMMSS"},
    {"DS", "1 RSASHA2 1 AB", "neither a number nor a known mnemonic"},
    {"DS", "1 256 1 AB", "the number is too large"},
    {"CERT", "PKIXX 1 1 AQID", "neither a number nor a known mnemonic"},
    {"DNSKEY", "256 3 5 AB==", "base64 ends in the midst of an octet"},
    {"NSEC3", "1 1 12 AABB 2T7 A", "base32hex ends in the midst of an octet"},
    {"NSEC3", "1 1 12 AABB 2V A", "base32hex ends in the midst of an octet"},
    {"DS", "1 5 1 2BB183AF5F22588179A53B0A98631FAD1A2921",
     "the digest is not as long as its algorithm's"},
    {"DS", "1 5 2 2BB183AF5F22588179A53B0A98631FAD1A292118",
     "the digest is not as long as its algorithm's"},
    {"CDS", "1 5 4 00", "the digest is not as long as its algorithm's"},
    {"SSHFP", "1 2 00", "the digest is not as long as its algorithm's"},
    {"ZONEMD", "1 1 2 00", "the digest is not as long as its algorithm's"},
    {"CDS", "0 0 0", "the record ends early"},
    {"TLSA", "3 1 1", "the record ends early"},
    {"DNSKEY", "257 3 13", "the record ends early"},
    {"RRSIG", "A 5 3 1 20030322173103 20030220173103 1 a.", "the record ends early"},
    {"OPENPGPKEY", "", "the record ends early"},
    {"DHCID", "", "the record ends early"},
    {"IPSECKEY", "10 0 2 .", "the record ends early"},
    {"URI", "1 1 \"\"", "the record ends early"}, /* RFC 7553 4.5 */
    {"EUI48", "00-00-5e-00-53", "expected octets with dashes"},
    {"EUI48", "00-00-5e-00-53:2a", "expected octets with dashes"},
    {"LOC", "91 N 0 E 0", "the number is too large"},
    {"LOC", "90 0 0.001 N 0 E 0", "too many degrees"},
    {"LOC", "1 60 N 0 E 0", "the number is too large"},
    {"LOC", "1 1 60 N 0 E 0", "the number is too large"},
    {"LOC", "1 1 1.0001 N 0 E 0", "expected a number"},
    {"LOC", "1 1 1 1 N 0 E 0", "expected N, S, E or W"},
    {"LOC", "1 E 0 N 0", "expected a number"},
    {"LOC", "1 N 1 E", "the record ends early"},
    {"LOC", "1 N 1 E -100000.01", "the number is too large"},
    {"LOC", "1 N 1 E m", "expected a number"},
    {"LOC", "1 N 1 E 0 1m 1m 1m 1m", "unexpected text after the record"},
    {"APL", "192.0.2.0/24", "expected family:address/length"},
    {"APL", "1:192.0.2.0", "expected family:address/length"},
    {"APL", "3:192.0.2.0/24", "an address family other than 1 and 2"},
    {"APL", "1:192.0.2.0/33", "the number is too large"},
    {"APL", "2:192.0.2.0/24", "not an IPv6 address"},
    {"APL", "!", "expected family:address/length"},
    {"IPSECKEY", "10 4 2 x AQID", "the number is too large"},
    {"IPSECKEY", "10 0 2 x AQID", "no gateway is written as a dot"},
    {"IPSECKEY", "10 1 2 ::1 AQID", "not an IPv4 address"},
    {"IPSECKEY", "10 1 2", "the record ends early"},
    {"HIP", "2 ABC AQID", "hexadecimal digits come in pairs"},
    {"HIP", "2 AB AQI", "base64 ends early"},
    {"HIP", "2 AB", "the record ends early"},
    {"HIP", "2 AB \"\"", "the key has 1 to 65535 octets"},
    {"HIP", "2 \"\" AQID", "the tag has 1 to 255 octets"},
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),
                                       cmocka_unit_test(refuses),
                                       cmocka_unit_test(no_type_is_left_out),
                                       cmocka_unit_test(mangled),
                                       cmocka_unit_test(well_formed),
                                       cmocka_unit_test(pointers),
                                       cmocka_unit_test(narrow),
                                       cmocka_unit_test(canonical_and_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
