/* The writer: names compressed and read back, bounds of the target table and of pointers, sections,
 * what does not fit, and OPT at the end. */
#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"
#include "dns/rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPT_LEN 11

/* A set of one record from text. */
struct one {
    uint8_t owner[DNS_NAME_MAX];
    uint8_t rdata[600];
    struct dns_rrset set;
};

static const struct dns_rrset *make(struct one *o, const char *owner, const char *type,
                                    const char *text)
{
    size_t bad;
    const char *why;
    int t = dns_type_parse(type, strlen(type));
    assert_true(dns_name_parse(o->owner, owner, strlen(owner), NULL) > 0);
    int n = dns_rdata_parse((uint16_t)t, text, strlen(text), NULL, o->rdata + 2,
                            sizeof o->rdata - 2, &bad, &why);
    if (n < 0)
        fail_msg("%s %s: %s", type, text, why);
    put_u16(o->rdata, (uint16_t)n);
    o->set = (struct dns_rrset){.owner = o->owner,
                                .rdata = o->rdata,
                                .size = (uint32_t)n + 2,
                                .ttl = 60,
                                .type = (uint16_t)t,
                                .cls = DNS_CLASS_IN,
                                .count = 1};
    return &o->set;
}

static int put(struct dns_writer *w, enum dns_section section, const struct dns_rrset *set)
{
    return dns_writer_rrset(w, section, set, set->owner, set->ttl, 0);
}

/* One record behind the question www.example.: how many octets it takes, and that it reads back. */
static void compression(void **state)
{
    (void)state;
    static const struct {
        const char *label, *owner, *type, *text;
        size_t len; /* owner, ten octets, RDATA */
    } rows[] = {
        {"the whole owner", "www.example.", "A", "192.0.2.1", 2 + 10 + 4},
        {"a suffix of it", "ftp.example.", "A", "192.0.2.1", 6 + 10 + 4},
        {"one below", "a.www.example.", "A", "192.0.2.1", 4 + 10 + 4},
        {"nothing shared", "www.test.", "A", "192.0.2.1", 10 + 10 + 4},
        {"the root", ".", "A", "192.0.2.1", 1 + 10 + 4},
        {"other case is another name", "WWW.example.", "A", "192.0.2.1", 6 + 10 + 4},
        {"other case above", "www.EXAMPLE.", "A", "192.0.2.1", 13 + 10 + 4},
        {"name in NS", "example.", "NS", "ns.example.", 2 + 10 + 5},
        {"name in CNAME", "www.example.", "CNAME", "www.example.", 2 + 10 + 2},
        {"name in MX", "example.", "MX", "10 mx.example.", 2 + 10 + 7},
        {"two names in SOA, the second under the first", "example.", "SOA",
         "ns.test. root.ns.test. 1 2 3 4 5", 2 + 10 + 9 + 7 + 20},
        {"SRV is not compressed (RFC 2782)", "example.", "SRV", "1 2 3 www.example.",
         2 + 10 + 6 + 13},
        {"DNAME is not compressed (RFC 6672 2.5)", "example.", "DNAME", "www.example.",
         2 + 10 + 13},
        {"SVCB is not compressed (RFC 9460 2.2)", "example.", "SVCB", "1 www.example.",
         2 + 10 + 2 + 13},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int compress = 0; compress < 2; compress++) {
            static struct dns_writer w;
            struct one o;
            uint8_t buf[512];
            make(&o, rows[i].owner, rows[i].type, rows[i].text);
            dns_writer_init(&w, buf, sizeof buf);
            w.compress = compress;
            dns_writer_question(&w, (const uint8_t *)"\3www\7example", o.set.type, DNS_CLASS_IN);
            size_t before = wcur_len(&w.out), want = rows[i].len;
            assert_int_equal(put(&w, DNS_SECTION_ANSWER, &o.set), 0);
            if (!compress)
                want = dns_name_len(o.owner) + 10 + get_u16(o.rdata);
            if (wcur_len(&w.out) - before != want)
                fail_msg("%s: %zu octets", rows[i].label, wcur_len(&w.out) - before);
            size_t len = dns_writer_finish(&w, 1, DNS_FLAG_QR, 0, NULL, 0);
            struct arena a;
            struct dns_msg m;
            arena_init(&a, 0, 0);
            if (dns_msg_parse(&m, buf, len, &a, 10) || m.rr_count != 1 ||
                memcmp(m.rrs[0].owner, o.owner, dns_name_len(o.owner)) != 0 ||
                m.rrs[0].rdlen != get_u16(o.rdata) ||
                memcmp(m.rrs[0].rdata, o.rdata + 2, m.rrs[0].rdlen) != 0)
                fail_msg("%s: read back differently", rows[i].label);
            arena_fini(&a);
        }
}

/* Many different names, then each of them again: beyond the bound names are still right, and
 * pointers lead no further than 14 bits can say. */
static void bounds_of_compression(void **state)
{
    (void)state;
    static struct dns_writer w;
    static uint8_t buf[65535];
    static const uint8_t filler[2 + 200] = {0, 200};
    const struct dns_rrset txt = {.owner = dns_name_root,
                                  .rdata = filler,
                                  .size = sizeof filler,
                                  .type = 65400,
                                  .cls = DNS_CLASS_IN,
                                  .count = 1};
    static const struct {
        const char *label;
        unsigned names, fillers;
    } rows[] = {{"few", 20, 0},
                {"as many as there are targets", DNS_COMPRESS_SLOTS / 2 - 2, 0},
                {"more", 300, 0},
                {"more than slots", 600, 0},
                {"some beyond the reach of pointers", 100, 76},
                {"all beyond it", 60, 90}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dns_writer_init(&w, buf, sizeof buf);
        for (unsigned k = 0; k < rows[i].fillers; k++)
            assert_int_equal(put(&w, DNS_SECTION_ANSWER, &txt), 0);
        for (unsigned k = 0; k < 2 * rows[i].names; k++) {
            struct one o;
            char name[64];
            snprintf(name, sizeof name, "host-%u.zone-%u.example.", k % rows[i].names,
                     k % rows[i].names / 4);
            assert_int_equal(put(&w, DNS_SECTION_ANSWER, make(&o, name, "CNAME", name)), 0);
        }
        assert_true(w.targets <= DNS_COMPRESS_SLOTS / 2);
        size_t len = dns_writer_finish(&w, 1, DNS_FLAG_QR, 0, NULL, 0);
        struct arena a;
        struct dns_msg m;
        arena_init(&a, 1 << 16, 0);
        if (dns_msg_parse(&m, buf, len, &a, 2000) ||
            m.rr_count != rows[i].fillers + 2 * rows[i].names)
            fail_msg("%s: does not read back", rows[i].label);
        for (unsigned k = 0; k < 2 * rows[i].names; k++) {
            const struct dns_rr *rr = &m.rrs[rows[i].fillers + k];
            char want[64], got[DNS_NAME_TEXT_MAX];
            snprintf(want, sizeof want, "host-%u.zone-%u.example.", k % rows[i].names,
                     k % rows[i].names / 4);
            dns_name_print(rr->owner, got);
            if (strcmp(got, want) != 0 || !dns_name_equal(rr->owner, rr->rdata))
                fail_msg("%s: record %u is %s", rows[i].label, k, got);
        }
        arena_fini(&a);
    }
}

/* A name that begins at 0x3fff can be pointed at, one octet further it cannot. */
static void last_target(void **state)
{
    (void)state;
    static struct dns_writer w;
    static uint8_t buf[20000], filler[2 + 20000];
    for (size_t at = 0x3ffe; at <= 0x4001; at++) {
        size_t n = at - DNS_HEADER_LEN - 11; /* owner and ten octets */
        struct one o;
        put_u16(filler, (uint16_t)n);
        const struct dns_rrset set = {.owner = dns_name_root,
                                      .rdata = filler,
                                      .size = (uint32_t)n + 2,
                                      .type = 65400,
                                      .cls = DNS_CLASS_IN,
                                      .count = 1};
        dns_writer_init(&w, buf, sizeof buf);
        assert_int_equal(put(&w, DNS_SECTION_ANSWER, &set), 0);
        assert_int_equal(wcur_len(&w.out), at);
        make(&o, "host.", "A", "192.0.2.1");
        put(&w, DNS_SECTION_ANSWER, &o.set);
        size_t before = wcur_len(&w.out);
        put(&w, DNS_SECTION_ANSWER, &o.set);
        assert_int_equal(wcur_len(&w.out) - before, (at <= 0x3fff ? 2 : 6) + 14);
        struct arena a;
        struct dns_msg m;
        arena_init(&a, 1 << 17, 0);
        assert_int_equal(
            dns_msg_parse(&m, buf, dns_writer_finish(&w, 1, DNS_FLAG_QR, 0, NULL, 0), &a, 10), 0);
        assert_true(dns_name_equal(m.rrs[2].owner, (const uint8_t *)"\4host"));
        arena_fini(&a);
    }
}

static void header_and_sections(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t buf[512];
    struct one o;
    const struct edns e = {.present = true, .size = 1232, .dnssec_ok = true};
    dns_writer_init(&w, buf, sizeof buf);
    dns_writer_reserve(&w, edns_size(&e));
    assert_int_equal(
        dns_writer_question(&w, (const uint8_t *)"\3www\7example", DNS_TYPE_MX, DNS_CLASS_IN), 0);
    put(&w, DNS_SECTION_ANSWER, make(&o, "www.example.", "MX", "1 mx.example."));
    put(&w, DNS_SECTION_ANSWER, make(&o, "www.example.", "MX", "2 my.example."));
    put(&w, DNS_SECTION_AUTHORITY, make(&o, "example.", "NS", "ns.example."));
    put(&w, DNS_SECTION_ADDITIONAL, make(&o, "mx.example.", "A", "192.0.2.1"));
    size_t len = dns_writer_finish(&w, 0xabcd, DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD,
                                   DNS_RCODE_BADCOOKIE, &e, 0);
    assert_memory_equal(buf, "\xab\xcd\x85\7\0\1\0\2\0\1\0\2", 12);
    assert_memory_equal(buf + len - OPT_LEN, "\0\0\x29\4\xd0\1\0\x80\0\0\0", OPT_LEN);
    struct arena a;
    struct dns_msg m;
    arena_init(&a, 0, 0);
    assert_int_equal(dns_msg_parse(&m, buf, len, &a, 10), 0);
    assert_int_equal(m.rcode, DNS_RCODE_BADCOOKIE);
    assert_int_equal(m.qtype, DNS_TYPE_MX);
    assert_true(m.edns.present && m.edns.dnssec_ok && m.edns.size == 1232);
    static const uint8_t sections[] = {DNS_SECTION_ANSWER, DNS_SECTION_ANSWER,
                                       DNS_SECTION_AUTHORITY, DNS_SECTION_ADDITIONAL};
    assert_int_equal(m.rr_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m.rrs[i].section, sections[i]);
    arena_fini(&a);
}

/* The message in every room from a header to all of it: what is written is whole records, OPT keeps
 * its place, and what fits in less fits in more. */
static void every_room(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t *buf;
    unsigned before = 0;
    const struct edns e = {.present = true, .size = 1232};
    struct one sets[4];
    make(&sets[0], "www.example.", "CNAME", "a.long.name.over.there.test.");
    make(&sets[1], "a.long.name.over.there.test.", "AAAA", "2001:db8::1");
    make(&sets[2], "there.test.", "NS", "ns.there.test.");
    make(&sets[3], "ns.there.test.", "A", "192.0.2.1");
    for (size_t cap = DNS_HEADER_LEN; cap <= 200; cap++) {
        unsigned kept = 0;
        buf = malloc(cap);
        dns_writer_init(&w, buf, cap);
        dns_writer_reserve(&w, edns_size(&e));
        if (dns_writer_question(&w, (const uint8_t *)"\3www\7example", DNS_TYPE_A, DNS_CLASS_IN)) {
            assert_int_equal(put(&w, DNS_SECTION_ANSWER, &sets[0].set), ERR_SPACE);
            free(buf);
            continue;
        }
        for (unsigned i = 0; i < 4; i++) {
            size_t at = wcur_len(&w.out);
            int err = put(&w, i < 2 ? DNS_SECTION_ANSWER : (enum dns_section)i, &sets[i].set);
            if (err != 0 && (err != ERR_SPACE || wcur_len(&w.out) != at))
                fail_msg("%zu: set %u: %d", cap, i, err);
            if (err)
                break;
            kept++;
        }
        size_t len = dns_writer_finish(&w, 1, DNS_FLAG_QR | (kept < 4 ? DNS_FLAG_TC : 0), 0, &e, 0);
        struct arena a;
        struct dns_msg m;
        arena_init(&a, 0, 0);
        if (len > cap || dns_msg_parse(&m, buf, len, &a, 10) || m.rr_count != kept ||
            !m.edns.present || !(m.flags & DNS_FLAG_TC) != (kept == 4))
            fail_msg("%zu: %zu octets, %u records of %u", cap, len, m.rr_count, kept);
        arena_fini(&a);
        free(buf);
        assert_true(kept >= before);
        before = kept;
    }
    assert_int_equal(before, 4);
}

/* What was taken back is no target: a later name must not point into what overwrote it. */
static void forgets_what_it_took_back(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t buf[120];
    struct one big, small;
    dns_writer_init(&w, buf, sizeof buf);
    dns_writer_question(&w, (const uint8_t *)"\7example", DNS_TYPE_MX, DNS_CLASS_IN);
    unsigned targets = 1; /* the question's name, entered when another comes */
    make(&big, "some.other.test.", "TXT",
         "\"0123456789012345678901234567890123456789012345678901234567890123456789\"");
    assert_int_equal(put(&w, DNS_SECTION_ANSWER, &big.set), ERR_SPACE);
    assert_int_equal(w.targets, targets);
    assert_int_equal(
        put(&w, DNS_SECTION_ANSWER, make(&small, "x.other.test.", "MX", "1 some.other.test.")), 0);
    size_t len = dns_writer_finish(&w, 1, DNS_FLAG_QR, 0, NULL, 0);
    struct arena a;
    struct dns_msg m;
    arena_init(&a, 0, 0);
    assert_int_equal(dns_msg_parse(&m, buf, len, &a, 10), 0);
    assert_memory_equal(m.rrs[0].owner, small.owner, dns_name_len(small.owner));
    assert_memory_equal(m.rrs[0].rdata, small.rdata + 2, m.rrs[0].rdlen);
    arena_fini(&a);
}

/* Options that do not fit give way; OPT itself stays (RFC 6891 7). */
static void options_give_way(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t buf[12 + OPT_LEN + 4];
    const struct edns e = {.present = true, .size = 1232, .cookie_len = 24};
    for (size_t cap = 12; cap <= sizeof buf; cap++) {
        dns_writer_init(&w, buf, cap);
        dns_writer_reserve(&w, edns_size(&e));
        size_t len = dns_writer_finish(&w, 1, DNS_FLAG_QR, DNS_RCODE_REFUSED, &e, 0);
        assert_int_equal(len, cap < 12 + OPT_LEN ? 12 : 12 + OPT_LEN);
        assert_int_equal(buf[11], cap >= 12 + OPT_LEN);
    }
}

static void padded(void **state)
{
    (void)state;
    static struct dns_writer w;
    uint8_t buf[600];
    const struct edns e = {.present = true, .size = 1232, .padding = true};
    dns_writer_init(&w, buf, sizeof buf);
    dns_writer_question(&w, (const uint8_t *)"\7example", DNS_TYPE_A, DNS_CLASS_IN);
    assert_int_equal(dns_writer_finish(&w, 1, DNS_FLAG_QR, 0, &e, 468), 468);
}

/* Round robin: the set begins with another record, and holds all of them. */
static void rotation(void **state)
{
    (void)state;
    static const uint8_t rdata[] = "\0\4\1\1\1\1\0\4\2\2\2\2\0\4\3\3\3\3";
    const struct dns_rrset set = {.owner = dns_name_root,
                                  .rdata = rdata,
                                  .size = 18,
                                  .type = DNS_TYPE_A,
                                  .cls = DNS_CLASS_IN,
                                  .count = 3};
    static const struct {
        unsigned first;
        const char *want;
    } rows[] = {{0, "\1\2\3"}, {1, "\2\3\1"}, {2, "\3\1\2"}, {3, "\1\2\3"}, {~0u, "\1\2\3"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct dns_writer w;
        uint8_t buf[100];
        dns_writer_init(&w, buf, sizeof buf);
        assert_int_equal(
            dns_writer_rrset(&w, DNS_SECTION_ANSWER, &set, dns_name_root, 7, rows[i].first), 0);
        for (unsigned k = 0; k < 3; k++)
            if (buf[12 + 15 * k + 11] != (uint8_t)rows[i].want[k])
                fail_msg("first %u: record %u is %u", rows[i].first, k, buf[12 + 15 * k + 11]);
        assert_int_equal(get_u32(buf + 12 + 5), 7); /* the TTL given, not the set's */
    }
}

static void errors(void **state)
{
    (void)state;
    static const uint8_t packet[] = "\x12\x34\1\x10\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
    const struct edns e = {.present = true, .size = 1232};
    struct dns_query q;
    assert_int_equal(dns_query_parse(&q, packet, sizeof packet - 1), DNS_VERDICT_OK);
    static const struct {
        const char *label;
        size_t cap, want;
        uint16_t rcode;
        bool edns;
    } rows[] = {
        {"with OPT", 512, 29 + OPT_LEN, DNS_RCODE_BADVERS, true},
        {"without", 512, 29, DNS_RCODE_SERVFAIL, false},
        {"no room for OPT", 29 + OPT_LEN - 1, 29, DNS_RCODE_REFUSED, true},
        {"no room for the question", 28, 12 + OPT_LEN, DNS_RCODE_REFUSED, true},
        {"no room for both", 22, 12, DNS_RCODE_REFUSED, true},
        {"no room for a header", 11, 0, DNS_RCODE_REFUSED, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *buf = malloc(rows[i].cap);
        size_t len = dns_write_error(&q, buf, rows[i].cap, DNS_FLAG_AA, rows[i].rcode,
                                     rows[i].edns ? &e : NULL);
        if (len != rows[i].want)
            fail_msg("%s: %zu octets", rows[i].label, len);
        if (len) {
            struct arena a;
            struct dns_msg m;
            arena_init(&a, 0, 0);
            if (dns_msg_parse(&m, buf, len, &a, 4) || m.id != 0x1234 ||
                m.flags != (DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD | DNS_FLAG_CD |
                            (rows[i].rcode & 15)) ||
                (m.edns.present && m.rcode != rows[i].rcode))
                fail_msg("%s: flags %04x, rcode %u", rows[i].label, m.flags, m.rcode);
            arena_fini(&a);
        }
        free(buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compression),      cmocka_unit_test(bounds_of_compression),
        cmocka_unit_test(last_target),      cmocka_unit_test(header_and_sections),
        cmocka_unit_test(every_room),       cmocka_unit_test(forgets_what_it_took_back),
        cmocka_unit_test(options_give_way), cmocka_unit_test(padded),
        cmocka_unit_test(rotation),         cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
