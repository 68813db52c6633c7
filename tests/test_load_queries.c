/* The queries of a measurement: files with their mistakes, and what goes on the wire. */
#include "net/load_queries.h"

#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct load_shape plain = {.flags = DNS_FLAG_RD};
static const struct load_shape fresh = {.fresh_label = true, .seed = 5};

#define LONG63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME248 \
    LONG63 "." LONG63 "." LONG63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *label, *text;
    const struct load_shape *shape;
    int want;
    unsigned count;
    const char *said; /* the first mistake */
} files[] = {
    {"one", "www.example.com A\n", &plain, 0, 1, NULL},
    {"no newline at the end", "www.example.com A", &plain, 0, 1, NULL},
    {"no type is A", "www.example.com\n", &plain, 0, 1, NULL},
    {"types in any case and by number", "a.test aaaa\nb.test TYPE65\nc.test Mx\n", &plain, 0, 3,
     NULL},
    {"blanks, tabs, carriage returns", "  a.test \t A \r\n\tb.test\tNS\r\n", &plain, 0, 2, NULL},
    {"comments and empty lines", "# one\n; two\n\n  \n \t# three\na.test A\n", &plain, 0, 1, NULL},
    {"the root", ". NS\n", &plain, 0, 1, NULL},
    {"escapes", "a\\.b.test A\n\\032.test A\n", &plain, 0, 2, NULL},
    {"nothing", "", &plain, ERR_NOT_FOUND, 0, NULL},
    {"comments alone", "# none\n", &plain, ERR_NOT_FOUND, 0, NULL},
    {"no type", "a.test A\nb.test AAAAA\n", &plain, ERR_SYNTAX, 1,
     "f:2:8: error: not a record type"},
    {"a word too many", "a.test IN A\n", &plain, ERR_SYNTAX, 0, "f:1:8: error: not a record type"},
    {"something behind", "\n a.test A  x\n", &plain, ERR_SYNTAX, 0,
     "f:2:12: error: a word too many"},
    {"an empty label", "a..test A\nb.test A\n", &plain, ERR_SYNTAX, 1, "f:1:1: error: empty label"},
    {"a long label", "x" LONG63 ".test A\n", &plain, ERR_SYNTAX, 0,
     "f:1:1: error: label longer than 63 octets"},
    {"long, yet it fits", NAME248 " A\n", &plain, 0, 1, NULL},
    {"no room for a fresh label", NAME248 " A\n", &fresh, ERR_SYNTAX, 0,
     "f:1:1: error: name longer than 255 octets"},
};

static void files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct load_queries *q = load_queries_new(files[i].shape);
        struct diag_list diags;
        char said[300] = "";
        FILE *in = *files[i].text
                       ? fmemopen((void *)(uintptr_t)files[i].text, strlen(files[i].text), "r")
                       : fopen("/dev/null", "r");
        assert_non_null(q);
        assert_non_null(in);
        diag_init(&diags);
        int err = load_queries_read(q, in, "f", &diags);
        if (diags.first)
            diag_format(diags.first, said, sizeof said);
        if (err != files[i].want || load_queries_count(q) != files[i].count ||
            strcmp(said, files[i].said ? files[i].said : "") != 0)
            fail_msg("%s: %s, %u queries, \"%s\"", files[i].label, err_name(err),
                     load_queries_count(q), said);
        diag_fini(&diags);
        fclose(in);
        load_queries_free(q);
    }
}

static void a_nul_is_no_end(void **state)
{
    static char text[] = "a.test\0A\nb.test A\n";
    struct load_queries *q = load_queries_new(&plain);
    struct diag_list diags;
    FILE *in = fmemopen(text, sizeof text - 1, "r");
    (void)state;
    assert_non_null(q);
    assert_non_null(in);
    diag_init(&diags);
    assert_int_equal(load_queries_read(q, in, "f", &diags), ERR_SYNTAX);
    assert_int_equal(diags.errors, 1);
    assert_int_equal(diags.first->column, 7);
    assert_int_equal(load_queries_count(q), 1);
    diag_fini(&diags);
    fclose(in);
    load_queries_free(q);
}

static struct load_queries *made(const struct load_shape *shape, const char *const *names,
                                 unsigned count)
{
    struct load_queries *q = load_queries_new(shape);
    assert_non_null(q);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(load_queries_add(q, names[i], strlen(names[i]), DNS_TYPE_AAAA), 0);
    return q;
}

static struct dns_query parsed(const uint8_t *packet, size_t len)
{
    struct dns_query p;
    assert_int_equal(dns_query_parse(&p, packet, len), DNS_VERDICT_OK);
    return p;
}

static void wire(void **state)
{
    static const char *const names[] = {"Www.Example.com", "b.test"};
    struct load_shape shape = {
        .flags = DNS_FLAG_RD | DNS_FLAG_CD,
        .edns = {.present = true, .size = 1400, .dnssec_ok = true},
    };
    uint8_t packet[LOAD_QUERY_MAX];
    (void)state;
    struct load_queries *q = made(&shape, names, 2);
    struct dns_query p = parsed(packet, load_queries_write(q, 0, 0, 0xabcd, packet));
    assert_int_equal(p.id, 0xabcd);
    assert_int_equal(p.flags, DNS_FLAG_RD | DNS_FLAG_CD);
    assert_memory_equal(p.qname, "\3Www\7Example\3com", 17);
    assert_int_equal(p.qtype, DNS_TYPE_AAAA);
    assert_true(p.edns.present && p.edns.dnssec_ok && p.edns.size == 1400 && !p.edns.subnet.family);
    p = parsed(packet, load_queries_write(q, 1, 1, 1, packet));
    assert_memory_equal(p.qname, "\1b\4test", 8);
    load_queries_free(q);

    shape.edns.present = false;
    q = made(&shape, names, 1);
    p = parsed(packet, load_queries_write(q, 0, 0, 1, packet));
    assert_false(p.edns.present);
    load_queries_free(q);
}

/* Each query has a label and a network of its own; the same serial number gives the same. */
static void fresh_labels_and_networks(void **state)
{
    static const char *const names[] = {"a.test"};
    const struct load_shape shape = {.fresh_label = true,
                                     .subnet_random = true,
                                     .seed = 99,
                                     .edns = {.present = true, .size = 1232}};
    uint8_t one[LOAD_QUERY_MAX], other[LOAD_QUERY_MAX];
    (void)state;
    struct load_queries *q = made(&shape, names, 1);
    unsigned same_net = 0;
    for (unsigned i = 0; i < 1000; i++) {
        size_t len = load_queries_write(q, 0, i, 1, one);
        struct dns_query p = parsed(one, len), r;
        assert_int_equal(p.qname[0], LOAD_FRESH_LEN);
        assert_memory_equal(p.qname + 1 + LOAD_FRESH_LEN, "\1a\4test", 8);
        assert_int_equal(p.edns.subnet.source, 24);
        assert_in_range(p.edns.subnet.ip[0], 1, 223);
        assert_int_equal(load_queries_write(q, 0, i, 1, other), len);
        assert_memory_equal(one, other, len);
        r = parsed(other, load_queries_write(q, 0, i + 1, 1, other));
        assert_memory_not_equal(p.qname, r.qname, 1 + LOAD_FRESH_LEN);
        same_net += !memcmp(p.edns.subnet.ip, r.edns.subnet.ip, 3);
    }
    assert_in_range(same_net, 0, 5);
    load_queries_free(q);
}

static void networks_take_turns(void **state)
{
    static const char *const names[] = {"a.test"};
    struct load_shape shape = {.subnet_count = 3, .edns = {.present = true, .size = 1232}};
    static const struct {
        const char *text;
        uint8_t source, ip[4];
    } rows[] = {{"192.0.2.0/24", 24, {192, 0, 2, 0}},
                {"2001:db8::/32", 32, {0x20, 1, 0xd, 0xb8}},
                {"10.0.0.0/8", 8, {10, 0, 0, 0}}};
    uint8_t packet[LOAD_QUERY_MAX];
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(prefix_parse(&shape.subnets[i], rows[i].text), 0);
    struct load_queries *q = made(&shape, names, 1);
    for (unsigned i = 0; i < 9; i++) {
        struct dns_query p = parsed(packet, load_queries_write(q, 0, i, 1, packet));
        assert_int_equal(p.edns.subnet.source, rows[i % 3].source);
        assert_memory_equal(p.edns.subnet.ip, rows[i % 3].ip, 4);
    }
    load_queries_free(q);
}

static void answers_are_matched(void **state)
{
    static const char *const names[] = {"Www.test", "x.test"};
    const struct load_shape shape = {.fresh_label = true, .seed = 3};
    uint8_t packet[LOAD_QUERY_MAX];
    (void)state;
    struct load_queries *q = made(&shape, names, 2);
    size_t len = load_queries_write(q, 0, 42, 7, packet);
    assert_int_equal(load_queries_match(q, 0, 42, packet, len), LOAD_MATCH);
    assert_int_equal(load_queries_match(q, 0, 43, packet, len), LOAD_MISMATCH);
    assert_int_equal(load_queries_match(q, 1, 42, packet, len), LOAD_MISMATCH);
    for (size_t n = 0; n < len; n++) /* cut anywhere */
        assert_int_equal(load_queries_match(q, 0, 42, packet, n), LOAD_MISMATCH);
    for (size_t i = DNS_HEADER_LEN; i < len; i++) { /* every octet counts, and its case */
        packet[i] ^= 0x20;
        assert_int_equal(load_queries_match(q, 0, 42, packet, len), LOAD_MISMATCH);
        packet[i] ^= 0x20;
    }
    packet[5] = 0; /* no question */
    assert_int_equal(load_queries_match(q, 0, 42, packet, DNS_HEADER_LEN), LOAD_MISMATCH);
    packet[3] = DNS_RCODE_FORMERR;
    assert_int_equal(load_queries_match(q, 0, 42, packet, DNS_HEADER_LEN), LOAD_MATCH_BARE);
    load_queries_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(wire),
        cmocka_unit_test(networks_take_turns),
        cmocka_unit_test(fresh_labels_and_networks),
        cmocka_unit_test(answers_are_matched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
