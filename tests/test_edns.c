/* OPT records: every option read and written, what is FORMERR, and the bounds. */
#include "base/err.h"
#include "dns/edns.h"
#include "dns/msg_parse.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define B(s)       (const uint8_t *)s, sizeof s - 1
#define SIXTEEN    "0123456789abcdef"
#define BOTH       (-100) /* refused in queries and answers alike */
#define QUERY_ONLY (-101) /* refused in queries only */

static const struct {
    const char *label;
    const uint8_t *rd;
    size_t len;
    int want; /* 0, BOTH, QUERY_ONLY */
} rows[] = {
    {"nothing", B(""), 0},
    {"unknown option", B("\xfd\xe9\0\3abc"), 0},
    {"option header cut", B("\0\3\0"), BOTH},
    {"option longer than OPT", B("\0\3\0\1"), BOTH},
    {"NSID asked", B("\0\3\0\0"), 0},
    {"NSID with data", B("\0\3\0\3abc"), 0}, /* RFC 5001 2.2 */
    /* RFC 7871 6, 7.1.1 and 7.1.2 */
    {"subnet, IPv4", B("\0\x08\0\7\0\1\x18\0\xc0\0\2"), 0},
    {"subnet, IPv6", B("\0\x08\0\x0b\0\2\x38\0\x20\1\x0d\xb8\0\0\1"), 0},
    {"subnet of 0 bits", B("\0\x08\0\4\0\1\0\0"), 0},
    {"subnet of 0 bits, IPv6", B("\0\x08\0\4\0\2\0\0"), 0},
    {"subnet of 32 bits", B("\0\x08\0\x08\0\1\x20\0\xc0\0\2\1"), 0},
    {"subnet of 128 bits", B("\0\x08\0\x14\0\2\x80\0" SIXTEEN), 0},
    {"subnet of 21 bits", B("\0\x08\0\7\0\1\x15\0\xc0\0\x08"), 0},
    {"subnet, empty option", B("\0\x08\0\0"), BOTH},
    {"subnet, three octets", B("\0\x08\0\3\0\1\0"), BOTH},
    /* 7.1.2: without an address FAMILY SHOULD be the transport's, and dig +subnet=0 writes
       0; 7.2.1: an unknown one MUST be FORMERR. */
    {"subnet of family 0, no bits", B("\0\x08\0\4\0\0\0\0"), 0},
    {"subnet of family 0, no bits, a scope", B("\0\x08\0\4\0\0\0\1"), BOTH},
    {"subnet of family 0, no bits, an address", B("\0\x08\0\5\0\0\0\0\0"), BOTH},
    {"subnet of family 0, with bits", B("\0\x08\0\5\0\0\x08\0\xc0"), BOTH},
    {"subnet of family 256", B("\0\x08\0\4\1\0\0\0"), BOTH},
    {"subnet of family 257", B("\0\x08\0\4\1\1\0\0"), BOTH},
    {"subnet, scope of 129", B("\0\x08\0\4\0\2\0\x81"), BOTH},
    {"subnet of no bits with a scope", B("\0\x08\0\4\0\1\0\x01"), QUERY_ONLY},
    {"subnet of family 3", B("\0\x08\0\7\0\3\x18\0\xc0\0\2"), BOTH},
    {"subnet, address too short", B("\0\x08\0\6\0\1\x18\0\xc0\0"), BOTH},
    {"subnet, address too long", B("\0\x08\0\x08\0\1\x18\0\xc0\0\2\0"), BOTH},
    {"subnet, no bits but an address", B("\0\x08\0\5\0\1\0\0\0"), BOTH},
    {"subnet of 33 bits", B("\0\x08\0\x09\0\1\x21\0\xc0\0\2\1\0"), BOTH},
    {"subnet of 129 bits", B("\0\x08\0\x15\0\2\x81\0" SIXTEEN "\0"), BOTH},
    {"subnet, scope of 33", B("\0\x08\0\7\0\1\x18\x21\xc0\0\2"), BOTH},
    {"subnet, bit beyond 23", B("\0\x08\0\7\0\1\x17\0\xc0\0\3"), BOTH},
    {"subnet, bits beyond 1", B("\0\x08\0\5\0\1\1\0\xff"), BOTH},
    {"subnet with a scope", B("\0\x08\0\7\0\1\x18\x18\xc0\0\2"), QUERY_ONLY},
    {"subnet twice", B("\0\x08\0\4\0\1\0\0\0\x08\0\4\0\1\0\0"), BOTH},
    /* RFC 7873 5.2.2 */
    {"cookie of 0", B("\0\x0a\0\0"), BOTH},
    {"cookie of 7",
     B("\0\x0a\0\7"
       "1234567"),
     BOTH},
    {"cookie of 8",
     B("\0\x0a\0\x08"
       "12345678"),
     0},
    {"cookie of 9",
     B("\0\x0a\0\x09"
       "123456789"),
     BOTH},
    {"cookie of 15",
     B("\0\x0a\0\x0f"
       "123456789012345"),
     BOTH},
    {"cookie of 16", B("\0\x0a\0\x10" SIXTEEN), 0},
    {"cookie of 24", B("\0\x0a\0\x18" SIXTEEN "12345678"), 0},
    {"cookie of 40", B("\0\x0a\0\x28" SIXTEEN SIXTEEN "12345678"), 0},
    {"cookie of 41", B("\0\x0a\0\x29" SIXTEEN SIXTEEN "123456789"), BOTH},
    {"cookie twice, the second not looked at",
     B("\0\x0a\0\x08"
       "12345678"
       "\0\x0a\0\1x"),
     0},
    {"keepalive asked", B("\0\x0b\0\0"), 0},
    {"keepalive", B("\0\x0b\0\2\0\x64"), 0},
    {"keepalive of one octet", B("\0\x0b\0\1x"), BOTH}, /* RFC 7828 3.1 */
    {"keepalive of three octets", B("\0\x0b\0\3xyz"), BOTH},
    {"padding", B("\0\x0c\0\5\0\0\0\0\0"), 0},
    {"padding of none", B("\0\x0c\0\0"), 0},
    {"extended error",
     B("\0\x0f\0\6\0\x16"
       "text"),
     0},
    {"extended error without text", B("\0\x0f\0\2\0\x16"), 0},
    {"expire", B("\0\x09\0\0"), 0},
    {"everything at once",
     B("\0\3\0\0\0\x08\0\4\0\1\0\0\0\x0a\0\x08"
       "12345678"
       "\0\x0b\0\0\0\x0c\0\0\0\x0f\0\2\0\0"),
     0},
};

/* In a block of its own length, so that a look beyond it is seen. */
static int parse_tight(struct edns *e, const uint8_t *rd, size_t len, bool is_query)
{
    uint8_t *copy = calloc(1, len + 1);
    memcpy(copy + 1, rd, len);
    int err = edns_parse(e, 1232, EDNS_FLAG_DO, copy + 1, len, is_query);
    free(copy);
    return err;
}

static void options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct edns e;
        int query = parse_tight(&e, rows[i].rd, rows[i].len, true);
        int answer = parse_tight(&e, rows[i].rd, rows[i].len, false);
        if (query != (rows[i].want ? ERR_FORMAT : 0) ||
            answer != (rows[i].want == BOTH ? ERR_FORMAT : 0))
            fail_msg("%s: query %d, answer %d", rows[i].label, query, answer);
        if (!e.present || !e.dnssec_ok || e.size != 1232)
            fail_msg("%s: the fixed part is lost", rows[i].label);
        for (size_t cut = 0; cut < rows[i].len; cut++)
            parse_tight(&e, rows[i].rd, cut, cut % 2);
    }
}

static void extended_error_in_one_octet(void **state)
{
    (void)state;
    struct edns e; /* nothing a query says this way matters; an answer is malformed */
    assert_int_equal(parse_tight(&e, B("\0\x0f\0\1x"), true), 0);
    assert_int_equal(e.ede_count, 0);
    assert_int_equal(parse_tight(&e, B("\0\x0f\0\1x"), false), ERR_FORMAT);
}

static void facts(void **state)
{
    (void)state;
    struct edns e;
    static const uint8_t rd[] =
        "\0\3\0\3lab\0\x08\0\x07\0\1\x14\x18\xc0\0\x10\0\x0a\0\x08"
        "12345678\0\x0b\0\2\1\x2c\0\x0c\0\1\0\0\x0f\0\5\0\3old\0\x0f\0\2\0\6";
    assert_int_equal(edns_parse(&e, 100, 0x01020000, rd, sizeof rd - 1, false), 0);
    assert_int_equal(e.size, EDNS_SIZE_MIN); /* RFC 6891 6.2.3: below 512 is 512 */
    assert_int_equal(e.rcode_high, 1);
    assert_int_equal(e.version, 2);
    assert_false(e.dnssec_ok);
    assert_true(e.nsid && e.nsid_len == 3 && memcmp(e.nsid_data, "lab", 3) == 0);
    assert_int_equal(e.subnet.family, 1);
    assert_int_equal(e.subnet.source, 20);
    assert_int_equal(e.subnet.scope, 24);
    assert_memory_equal(e.subnet.ip, "\xc0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(e.cookie_len, 8);
    assert_memory_equal(e.cookie, "12345678", 8);
    assert_true(e.keepalive && e.keepalive_100ms == 300);
    assert_true(e.padding);
    assert_int_equal(e.ede_count, 2);
    assert_int_equal(e.ede[0].code, 3);
    assert_int_equal(e.ede[0].text_len, 3);
    assert_memory_equal(e.ede[0].text, "old", 3);
    assert_int_equal(e.ede[1].code, 6);
    assert_int_equal(e.ede[1].text_len, 0);
}

/* Ours, for local use: that it is there counts; an answer never has it. */
static void explain(void **state)
{
    (void)state;
    struct edns e;
    uint8_t out[64];
    assert_int_equal(parse_tight(&e, B(""), true), 0);
    assert_false(e.explain);
    assert_int_equal(parse_tight(&e, B("\xfe\x4d\0\0"), true), 0);
    assert_false(e.explain);
    assert_int_equal(parse_tight(&e, B("\xfe\x4c\0\1x"), true), 0);
    assert_true(e.explain);
    struct wcur w = wcur_of(out, sizeof out);
    edns_write(&e, 0, 0, &w);
    assert_int_equal(wcur_len(&w), 11);
    assert_int_equal(edns_size(&e), 11);
}

/* What has no family keeps none in the echo. */
static void unspecified(void **state)
{
    (void)state;
    struct edns e, again;
    uint8_t out[64];
    assert_int_equal(parse_tight(&e, B("\0\x08\0\4\0\0\0\0"), true), 0);
    assert_int_equal(e.subnet.family, 1);
    e.present = true;
    struct wcur w = wcur_of(out, sizeof out);
    edns_write(&e, 0, 0, &w);
    assert_int_equal(wcur_len(&w), 19);
    assert_memory_equal(out + 11, "\0\x08\0\4\0\0\0\0", 8);
    assert_int_equal(edns_size(&e), 19);
    assert_int_equal(parse_tight(&again, B("\0\x08\0\4\0\1\0\0"), true), 0);
    assert_false(again.subnet.unspecified);
}

static void bounds(void **state)
{
    (void)state;
    struct edns e;
    uint8_t rd[6 * (EDNS_OPTIONS_MAX + 1)];
    for (unsigned i = 0; i <= EDNS_OPTIONS_MAX; i++)
        memcpy(rd + (size_t)i * 6, "\0\x0f\0\2\0\3", 6);
    assert_int_equal(edns_parse(&e, 1232, 0, rd, 6 * EDNS_OPTIONS_MAX, false), 0);
    assert_int_equal(e.ede_count, EDNS_EDE_MAX); /* further ones are not kept */
    assert_int_equal(edns_parse(&e, 1232, 0, rd, sizeof rd, false), ERR_FORMAT);
}

/* RFC 6891 6.1.1: one OPT, in the additional section, owned by the root. */
static void in_a_message(void **state)
{
    (void)state;
#define HEAD(counts) "\x12\x34\1\0\0\1" counts "\3www\7example\0\0\1\0\1"
#define OPT          "\0\0\x29\x04\xd0\0\0\0\0\0\0"
    static const struct {
        const char *label;
        const uint8_t *msg;
        size_t len;
        enum dns_verdict query;
        int answer;
    } at[] = {
        {"none", B(HEAD("\0\0\0\0\0\0")), DNS_VERDICT_OK, 0},
        {"one", B(HEAD("\0\0\0\0\0\1") OPT), DNS_VERDICT_OK, 0},
        {"two", B(HEAD("\0\0\0\0\0\2") OPT OPT), DNS_VERDICT_FORMERR, ERR_FORMAT},
        {"two with another between",
         B(HEAD("\0\0\0\0\0\3") OPT "\1a\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4" OPT), DNS_VERDICT_FORMERR,
         ERR_FORMAT},
        {"cut", B(HEAD("\0\0\0\0\0\1") "\0\0\x29\x04\xd0\0\0\0\0\0"), DNS_VERDICT_FORMERR,
         ERR_TRUNC},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct dns_query q;
        struct dns_msg m;
        struct arena a;
        enum dns_verdict got = dns_query_parse(&q, at[i].msg, at[i].len);
        arena_init(&a, 0, 0);
        int err = dns_msg_parse(&m, at[i].msg, at[i].len, &a, 10);
        arena_fini(&a);
        if (got != at[i].query || err != at[i].answer)
            fail_msg("%s: verdict %d, parsed %d", at[i].label, got, err);
    }
}

/* What edns_write makes reads back as the same facts, and takes as much room as edns_size said. */
static void written(void **state)
{
    (void)state;
    static const char text[] = "no server answered";
    const struct {
        const char *label;
        struct edns e;
        uint16_t rcode;
    } sent[] = {
        {"bare", {.size = 1232}, 0},
        {"DO, BADVERS", {.size = 4096, .dnssec_ok = true}, DNS_RCODE_BADVERS},
        {"all rcode bits", {.size = 512}, 4095},
        {"NSID",
         {.size = 512, .nsid = true, .nsid_len = 3, .nsid_data = (const uint8_t *)"lab"},
         0},
        {"NSID asked", {.size = 512, .nsid = true}, 0},
        {"subnet",
         {.size = 512, .subnet = {.family = 1, .source = 21, .scope = 24, .ip = {192, 0, 8}}},
         0},
        {"subnet of none",
         {.size = 512, .subnet = {.family = 2, .source = 0, .scope = 0, .ip = {0}}},
         0},
        {"subnet, whole IPv6",
         {.size = 512,
          .subnet = {.family = 2, .source = 128, .scope = 128, .ip = {0x20, 1, [15] = 1}}},
         0},
        {"cookie", {.size = 512, .cookie_len = 24, .cookie = SIXTEEN "12345678"}, 23},
        {"keepalive", {.size = 512, .keepalive = true, .keepalive_100ms = 300}, 0},
        {"keepalive asked", {.size = 512, .keepalive = true}, 0},
        {"extended errors",
         {.size = 512, .ede_count = 2, .ede = {{22, sizeof text - 1, text}, {0, 0, NULL}}},
         2},
        {"everything",
         {.size = 1400,
          .dnssec_ok = true,
          .nsid = true,
          .keepalive = true,
          .subnet = {.family = 1, .source = 32, .scope = 0, .ip = {192, 0, 2, 1}},
          .cookie_len = 8,
          .cookie = "12345678",
          .ede_count = 1,
          .ede = {{3, 0, NULL}}},
         0},
    };
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        const struct edns *s = &sent[i].e;
        uint8_t buf[600];
        struct edns e;
        struct wcur w = wcur_of(buf, sizeof buf);
        edns_write(s, sent[i].rcode, 0, &w);
        if (wcur_err(&w) || wcur_len(&w) != edns_size(s))
            fail_msg("%s: %zu octets, expected %zu", sent[i].label, wcur_len(&w), edns_size(s));
        if (buf[0] || get_u16(buf + 1) != DNS_TYPE_OPT || get_u16(buf + 9) != wcur_len(&w) - 11)
            fail_msg("%s: not an OPT record", sent[i].label);
        int err =
            edns_parse(&e, get_u16(buf + 3), get_u32(buf + 5), buf + 11, get_u16(buf + 9), false);
        if (err || e.size != s->size || e.dnssec_ok != s->dnssec_ok || e.nsid != s->nsid ||
            e.rcode_high != sent[i].rcode >> 4 || e.nsid_len != s->nsid_len ||
            e.keepalive != s->keepalive || e.keepalive_100ms != s->keepalive_100ms ||
            memcmp(&e.subnet, &s->subnet, sizeof e.subnet) != 0 || e.cookie_len != s->cookie_len ||
            memcmp(e.cookie, s->cookie, sizeof e.cookie) != 0 || e.ede_count != s->ede_count)
            fail_msg("%s: read back differently (%d)", sent[i].label, err);
        for (unsigned k = 0; k < e.ede_count; k++)
            if (e.ede[k].code != s->ede[k].code || e.ede[k].text_len != s->ede[k].text_len ||
                (e.ede[k].text_len && memcmp(e.ede[k].text, s->ede[k].text, e.ede[k].text_len)))
                fail_msg("%s: extended error %u", sent[i].label, k);
        for (size_t cap = 0; cap < edns_size(s); cap++) { /* too little room is said */
            uint8_t *room = malloc(cap + 1);
            struct wcur narrow = wcur_of(room, cap);
            edns_write(s, sent[i].rcode, 0, &narrow);
            if (wcur_err(&narrow) != ERR_SPACE)
                fail_msg("%s: fits in %zu", sent[i].label, cap);
            free(room);
        }
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static char text[2000];
    static uint8_t buf[4000];
    memset(text, 'x', sizeof text);
    struct edns e = {.size = 512, .ede_count = 1, .ede = {{0, sizeof text, text}}};
    struct wcur w = wcur_of(buf, sizeof buf);
    edns_write(&e, 0, 0, &w);
    assert_int_equal(wcur_len(&w), edns_size(&e));
    assert_true(wcur_len(&w) < 600);
}

/* RFC 8467 4: the message, not OPT, is a multiple of the block. */
static void padding(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t before, cap, want;
        unsigned block;
    } at[] = {
        {"to 468", 50, 1000, 468, 468},
        {"to the second block", 460, 1000, 936, 468},
        {"nothing to add", 113, 1000, 128, 128},
        {"one block of one", 20, 1000, 35, 1},
        {"as much as there is room", 50, 100, 100, 468},
        {"no room for the option", 50, 63, 61, 468},
        {"not asked", 50, 1000, 61, 0},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        uint8_t buf[1000];
        struct edns e = {.size = 512, .padding = true}, back;
        struct wcur w = wcur_of(buf, at[i].cap);
        memset(buf, 0xee, sizeof buf);
        wcur_room(&w, at[i].before);
        edns_write(&e, 0, at[i].block, &w);
        if (wcur_err(&w) || wcur_len(&w) != at[i].want)
            fail_msg("%s: %zu octets", at[i].label, wcur_len(&w));
        const uint8_t *opt = buf + at[i].before;
        if (edns_parse(&back, 512, 0, opt + 11, get_u16(opt + 9), false) ||
            back.padding != (at[i].want > at[i].before + 11))
            fail_msg("%s: does not read back", at[i].label);
        for (const uint8_t *p = opt + 15; p < w.at; p++)
            if (*p) /* RFC 7830 3 */
                fail_msg("%s: not padded with zeros", at[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options), cmocka_unit_test(extended_error_in_one_octet),
        cmocka_unit_test(facts),   cmocka_unit_test(unspecified),
        cmocka_unit_test(bounds),  cmocka_unit_test(in_a_message),
        cmocka_unit_test(written), cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(padding), cmocka_unit_test(explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
