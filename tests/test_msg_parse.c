/* Queries as octets and the verdict on each; then a set that does not fit, and what was written
 * read back. */
#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD(flags, counts) "\x12\x34" flags counts
#define QD1                 "\0\1\0\0\0\0\0\0"
#define QD1AR1              "\0\1\0\0\0\0\0\1"
#define QD1AR2              "\0\1\0\0\0\0\0\2"
#define RD                  "\1\0"
#define NAME                "\3www\7example\0\0\1\0\1"
#define OPT(len)            "\0\0\x29\x04\xd0\0\0\0\0" len
#define B(s)                (const uint8_t *)s, sizeof s - 1

static const struct {
    const char *label;
    const uint8_t *bytes;
    size_t len;
    enum dns_verdict want;
} rows[] = {
    {"one question", B(HEAD(RD, QD1) NAME), DNS_VERDICT_OK},
    {"shorter than a header", B("\x12\x34\1\0\0\1"), DNS_VERDICT_DROP},
    {"a response", B(HEAD("\x81\0", QD1) NAME), DNS_VERDICT_DROP},
    {"unknown opcode, before QDCOUNT", B(HEAD("\x78\0", "\0\7\0\0\0\0\0\0")), DNS_VERDICT_NOTIMP},
    {"NOTIFY", B(HEAD("\x20\0", QD1) NAME), DNS_VERDICT_NOTIMP},
    {"two questions (RFC 9619)", B(HEAD(RD, "\0\2\0\0\0\0\0\0") NAME NAME), DNS_VERDICT_FORMERR},
    {"no question", B(HEAD(RD, "\0\0\0\0\0\0\0\0")), DNS_VERDICT_FORMERR},
    {"no question but a cookie (RFC 7873 5.4)",
     B(HEAD(RD, "\0\0\0\0\0\0\0\1") OPT("\0\x0c") "\0\x0a\0\x08"
                                                  "12345678"),
     DNS_VERDICT_OK},
    {"question cut off", B(HEAD(RD, QD1) "\3www\7exam"), DNS_VERDICT_FORMERR},
    {"question with a pointer", B(HEAD(RD, QD1) "\xc0\x0c\0\1\0\1"), DNS_VERDICT_FORMERR},
    {"octets behind the records", B(HEAD(RD, QD1) NAME "x"), DNS_VERDICT_FORMERR},
    {"OPT", B(HEAD(RD, QD1AR1) NAME OPT("\0\0")), DNS_VERDICT_OK},
    {"OPT missing", B(HEAD(RD, QD1AR1) NAME), DNS_VERDICT_FORMERR},
    {"two OPT", B(HEAD(RD, QD1AR2) NAME OPT("\0\0") OPT("\0\0")), DNS_VERDICT_FORMERR},
    {"OPT with an owner", B(HEAD(RD, QD1AR1) NAME "\1a" OPT("\0\0")), DNS_VERDICT_FORMERR},
    {"option beyond OPT", B(HEAD(RD, QD1AR1) NAME OPT("\0\5") "\0\3\0\2x"), DNS_VERDICT_FORMERR},
    {"EDNS version 1", B(HEAD(RD, QD1AR1) NAME "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
     DNS_VERDICT_BADVERS},
    {"unknown option", B(HEAD(RD, QD1AR1) NAME OPT("\0\5") "\xfd\xe9\0\1x"), DNS_VERDICT_OK},
    {"EDNS version 1, whatever its options are",
     B(HEAD(RD, QD1AR1) NAME "\0\0\x29\x04\xd0\0\1\0\0\0\5"
                             "\0\x08\0\1x"),
     DNS_VERDICT_BADVERS},
    {"OPT in the answer section", B(HEAD(RD, "\0\1\0\1\0\0\0\0") NAME OPT("\0\0")),
     DNS_VERDICT_FORMERR},
    {"OPT in the authority section", B(HEAD(RD, "\0\1\0\0\0\1\0\0") NAME OPT("\0\0")),
     DNS_VERDICT_FORMERR},
    {"a record in the authority section",
     B(HEAD(RD, "\0\1\0\0\0\1\0\0") NAME "\1a\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"), DNS_VERDICT_OK},
    {"NSID with data (RFC 5001 2.2)", B(HEAD(RD, QD1AR1) NAME OPT("\0\5") "\0\3\0\1x"),
     DNS_VERDICT_OK},
    {"cookie of 7",
     B(HEAD(RD, QD1AR1) NAME OPT("\0\x0b") "\0\x0a\0\7"
                                           "1234567"),
     DNS_VERDICT_FORMERR},
    {"cookie of 9",
     B(HEAD(RD, QD1AR1) NAME OPT("\0\x0d") "\0\x0a\0\x09"
                                           "123456789"),
     DNS_VERDICT_FORMERR},
    {"subnet", B(HEAD(RD, QD1AR1) NAME OPT("\0\x0b") "\0\x08\0\7\0\1\x18\0\xc0\0\2"),
     DNS_VERDICT_OK},
    {"subnet of family 3", B(HEAD(RD, QD1AR1) NAME OPT("\0\x0b") "\0\x08\0\7\0\3\x18\0\xc0\0\2"),
     DNS_VERDICT_FORMERR},
    {"subnet with a scope", B(HEAD(RD, QD1AR1) NAME OPT("\0\x0b") "\0\x08\0\7\0\1\x18\1\xc0\0\2"),
     DNS_VERDICT_FORMERR},
    {"subnet too long for its prefix",
     B(HEAD(RD, QD1AR1) NAME OPT("\0\x0c") "\0\x08\0\x08\0\1\x18\0\xc0\0\2\0"),
     DNS_VERDICT_FORMERR},
    {"subnet with bits beyond its prefix",
     B(HEAD(RD, QD1AR1) NAME OPT("\0\x0b") "\0\x08\0\7\0\1\x17\0\xc0\0\3"), DNS_VERDICT_FORMERR},
    {"subnet of 33 bits",
     B(HEAD(RD, QD1AR1) NAME OPT("\0\x0d") "\0\x08\0\x09\0\1\x21\0\xc0\0\2\1\0"),
     DNS_VERDICT_FORMERR},
};

static void verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dns_query q;
        enum dns_verdict got = dns_query_parse(&q, rows[i].bytes, rows[i].len);
        if (got != rows[i].want)
            fail_msg("%s: %d, expected %d", rows[i].label, got, rows[i].want);
        uint8_t buf[512];
        if (got != DNS_VERDICT_DROP &&
            dns_write_error(&q, buf, sizeof buf, 0, DNS_RCODE_FORMERR, &q.edns) < 12)
            fail_msg("%s: no error answer", rows[i].label);
    }
}

static void too_many_options(void **state)
{
    (void)state;
    for (unsigned n = EDNS_OPTIONS_MAX; n <= EDNS_OPTIONS_MAX + 1; n++) {
        uint8_t rd[4 * (EDNS_OPTIONS_MAX + 1)] = {0};
        struct edns e;
        for (unsigned i = 0; i < n; i++)
            put_u16(rd + 4 * (size_t)i, 65001);
        assert_int_equal(edns_parse(&e, 1232, 0, rd, 4 * (size_t)n, true),
                         n > EDNS_OPTIONS_MAX ? ERR_FORMAT : 0);
    }
}

/* A set that does not fit leaves nothing behind, and what follows is still compressed to what is
 * there. */
static void rolls_back(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t buf[90];
    static const uint8_t a[] = "\0\4\xc0\0\2\1\0\4\xc0\0\2\2\0\4\xc0\0\2\3";
    const uint8_t *owner = (const uint8_t *)"\3www\7example";
    struct dns_rrset set = {.owner = owner,
                            .rdata = a,
                            .size = 18,
                            .type = DNS_TYPE_A,
                            .cls = DNS_CLASS_IN,
                            .count = 3};
    dns_writer_init(&w, buf, sizeof buf);
    assert_int_equal(dns_writer_question(&w, owner, DNS_TYPE_A, DNS_CLASS_IN), 0);
    assert_int_equal(dns_writer_rrset(&w, DNS_SECTION_ANSWER, &set,
                                      (const uint8_t *)"\1x\4long\4name\5there", 60, 0),
                     ERR_SPACE);
    assert_int_equal(dns_writer_rrset(&w, DNS_SECTION_ANSWER, &set, owner, 60, 1), 0);
    size_t len = dns_writer_finish(&w, 7, DNS_FLAG_QR, 0, NULL, 0);
    assert_int_equal(len, 12 + 17 + 3 * 16);
    struct arena arena;
    struct dns_msg m;
    arena_init(&arena, 0, 0);
    assert_int_equal(dns_msg_parse(&m, buf, len, &arena, 10), 0);
    assert_int_equal(m.counts[DNS_SECTION_ANSWER], 3);
    assert_memory_equal(m.rrs[0].rdata, "\xc0\0\2\2", 4); /* begun with the second record */
    assert_true(dns_name_equal(m.rrs[2].owner, owner));
    struct dns_rrset *sets;
    assert_int_equal(dns_msg_rrsets(&m, DNS_SECTION_ANSWER, &arena, &sets), 1);
    assert_int_equal(sets[0].count, 3);
    for (size_t cut = 0; cut < len; cut++) { /* every truncation is an error */
        struct dns_msg part;
        assert_true(dns_msg_parse(&part, buf, cut, &arena, 10) < 0);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts),
                                       cmocka_unit_test(too_many_options),
                                       cmocka_unit_test(rolls_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
