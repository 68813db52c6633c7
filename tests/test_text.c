/* Messages as people and programs read them. */
#include "dns/rdata.h"
#include "dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void record(void **state)
{
    (void)state;
    static const struct {
        const char *label, *type, *text, *want;
        const uint8_t *owner;
        uint16_t cls;
        uint32_t ttl;
    } rows[] = {
        {"address", "A", "192.0.2.1", "www.example. 60 IN A 192.0.2.1",
         (const uint8_t *)"\3www\7example", DNS_CLASS_IN, 60},
        {"the root", "NS", "a.", ". 518400 IN NS a.", dns_name_root, DNS_CLASS_IN, 518400},
        {"owner with a dot inside", "A", "192.0.2.1", "a\\.b. 0 IN A 192.0.2.1",
         (const uint8_t *)"\3a.b", DNS_CLASS_IN, 0},
        {"CHAOS", "TXT", "\"x\"", "version.bind. 0 CH TXT \"x\"",
         (const uint8_t *)"\7version\4bind", DNS_CLASS_CH, 0},
        {"unknown type and class", "TYPE65400", "\\# 1 FF", ". 1 CLASS9 TYPE65400 \\# 1 FF",
         dns_name_root, 9, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t rd[64];
        size_t bad;
        const char *why;
        char out[128], cut[8];
        int type = dns_type_parse(rows[i].type, strlen(rows[i].type));
        int n = dns_rdata_parse((uint16_t)type, rows[i].text, strlen(rows[i].text), NULL, rd,
                                sizeof rd, &bad, &why);
        const struct dns_rr rr = {.owner = rows[i].owner,
                                  .rdata = rd,
                                  .rdlen = (uint16_t)n,
                                  .type = (uint16_t)type,
                                  .cls = rows[i].cls,
                                  .ttl = rows[i].ttl};
        int len = dns_text_rr(&rr, out, sizeof out);
        if (strcmp(out, rows[i].want) != 0 || len != (int)strlen(rows[i].want))
            fail_msg("%s: %s", rows[i].label, out);
        if (dns_text_rr(&rr, cut, sizeof cut) != len || strncmp(cut, out, 7) != 0 || cut[7])
            fail_msg("%s: cut to \"%s\"", rows[i].label, cut);
    }
}

/* The form that grows most from wire to text is a bitmap full of types without a mnemonic. */
static void record_that_grows(void **state)
{
    (void)state;
    uint8_t rd[1 + 8 * 34] = {0};
    for (unsigned k = 0; k < 8; k++) {
        rd[1 + k * 34] = (uint8_t)(0xf0 + k);
        rd[2 + k * 34] = 32;
        memset(rd + 3 + (size_t)k * 34, 0xff, 32);
    }
    const struct dns_rr rr = {.owner = dns_name_root,
                              .rdata = rd,
                              .rdlen = sizeof rd,
                              .type = DNS_TYPE_NSEC,
                              .cls = DNS_CLASS_IN};
    int len = dns_text_rr(&rr, NULL, 0);
    char *out = malloc((size_t)len + 1);
    assert_int_equal(dns_text_rr(&rr, out, (size_t)len + 1), len);
    assert_int_equal(len, strlen(". 0 IN NSEC .") + 8u * 256 * strlen(" TYPE61440"));
    assert_non_null(strstr(out, " TYPE61440 TYPE61441 "));
    free(out);
}

static const uint8_t answer[] = "\x12\x34\x85\xb3\0\1\0\2\0\1\0\2" /* QR AA RD RA AD CD, NXDOMAIN */
                                "\3www\7example\0\0\1\0\1"
                                "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\x04\1x\xc0\x10"
                                "\1x\xc0\x10\0\x10\0\1\0\0\0\x3c\0\6\5a\"\\\1z"
                                "\xc0\x10\0\2\0\1\0\1\x51\x80\0\5\2ns\xc0\x10"
                                "\2ns\xc0\x10\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1"
                                "\0\0\x29\4\xd0\1\0\x80\0\0\x14" /* upper rcode bits 1: 16 + 3 */
                                "\0\x0f\0\2\0\3"
                                "\0\x0f\0\x0a\0\x16\x1b[2Jx\x80yz";

static char *printed(const struct dns_msg *m, void (*print)(FILE *, const struct dns_msg *))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    print(out, m);
    fclose(out);
    return text;
}

static void message(void **state)
{
    (void)state;
    struct arena a;
    struct dns_msg m;
    arena_init(&a, 0, 0);
    assert_int_equal(dns_msg_parse(&m, answer, sizeof answer - 1, &a, 10), 0);
    char *text = printed(&m, dns_text_message);
    assert_string_equal(text, ";; RCODE19, id 4660, flags qr aa rd ra ad cd, 132 octets\n"
                              ";; edns version 0, size 1232, do\n"
                              ";; extended error 3 (Stale Answer)\n"
                              ";; extended error 22 (No Reachable Authority): \\027[2Jx\\128yz\n"
                              ";; question\n"
                              ";www.example. A\n"
                              ";; answer\n"
                              "www.example. 60 IN CNAME x.example.\n"
                              "x.example. 60 IN TXT \"a\\\"\\\\\\001z\"\n"
                              ";; authority\n"
                              "example. 86400 IN NS ns.example.\n"
                              ";; additional\n"
                              "ns.example. 0 IN A 192.0.2.1\n");
    free(text);
    arena_fini(&a);
}

static void json(void **state)
{
    (void)state;
    struct arena a;
    struct dns_msg m;
    arena_init(&a, 0, 0);
    assert_int_equal(dns_msg_parse(&m, answer, sizeof answer - 1, &a, 10), 0);
    char *text = printed(&m, dns_text_json);
    assert_string_equal(
        text,
        "{\"ID\":4660,\"QR\":1,\"Opcode\":0,\"AA\":1,\"TC\":0,\"RD\":1,\"RA\":1,\"AD\":1,\"CD\":1,"
        "\"RCODE\":19,\"QNAME\":\"www.example.\",\"QTYPE\":1,\"QCLASS\":1,\"answerRRs\":["
        "{\"NAME\":\"www.example.\",\"TYPE\":5,\"TYPEname\":\"CNAME\",\"CLASS\":1,\"TTL\":60,"
        "\"rdataCNAME\":\"x.example.\"},"
        "{\"NAME\":\"x.example.\",\"TYPE\":16,\"TYPEname\":\"TXT\",\"CLASS\":1,\"TTL\":60,"
        "\"rdataTXT\":\"\\\"a\\\\\\\"\\\\\\\\\\\\001z\\\"\"}],\"authorityRRs\":["
        "{\"NAME\":\"example.\",\"TYPE\":2,\"TYPEname\":\"NS\",\"CLASS\":1,\"TTL\":86400,"
        "\"rdataNS\":\"ns.example.\"}],\"additionalRRs\":["
        "{\"NAME\":\"ns.example.\",\"TYPE\":1,\"TYPEname\":\"A\",\"CLASS\":1,\"TTL\":0,"
        "\"rdataA\":\"192.0.2.1\"}]}");
    free(text);
    arena_fini(&a);
}

static void empty_message(void **state)
{
    (void)state;
    struct arena a;
    struct dns_msg m;
    arena_init(&a, 0, 0);
    assert_int_equal(dns_msg_parse(&m, (const uint8_t *)"\0\1\2\0\0\0\0\0\0\0\0\0", 12, &a, 10), 0);
    char *text = printed(&m, dns_text_message), *object = printed(&m, dns_text_json);
    assert_string_equal(text, ";; NOERROR, id 1, flags tc, 12 octets\n");
    assert_string_equal(object,
                        "{\"ID\":1,\"QR\":0,\"Opcode\":0,\"AA\":0,\"TC\":1,\"RD\":0,\"RA\":0,"
                        "\"AD\":0,\"CD\":0,\"RCODE\":0,\"answerRRs\":[],\"authorityRRs\":[],"
                        "\"additionalRRs\":[]}");
    free(text);
    free(object);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record), cmocka_unit_test(record_that_grows), cmocka_unit_test(message),
        cmocka_unit_test(json),   cmocka_unit_test(empty_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
