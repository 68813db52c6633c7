/* What each kind of reply means: a row per way to each class. */
/* folders: resolver dns base */
#include "resolver/classify.h"

#include "../resolver/stats_priv.h"

#include "base/err.h"
#include "dns/rdata.h"
#include "dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AA       DNS_FLAG_AA
#define TC       DNS_FLAG_TC
#define QUERY    0x10000 /* not a response */
#define NOTIFY   0x20000 /* another opcode */
#define FORWARD  0x40000 /* asked as a forwarder */
#define TCP      0x80000
#define SOA_TEXT "ns. h. 1 1 1 1 60"

/* The zone asked is example.test.; records are "section owner type rdata", joined by "|". */
static const struct {
    const char *label;
    enum reply_class class;
    const char *qname, *qtype;
    int flags;
    uint16_t rcode;
    const char *records;
} rows[] = {
    {"the data", CLASS_ANSWER, "www.example.test.", "A", AA, 0, "1 www.example.test. A 192.0.2.1"},
    {"in any case", CLASS_ANSWER, "www.example.test.", "A", AA, 0,
     "1 WWW.Example.TEST. A 192.0.2.1"},
    {"any type will do for ANY", CLASS_ANSWER, "www.example.test.", "ANY", AA, 0,
     "1 www.example.test. HINFO RFC8482 \"\""},
    {"a CNAME for ANY is the data", CLASS_ANSWER, "www.example.test.", "ANY", AA, 0,
     "1 www.example.test. CNAME a.test."},
    {"a CNAME that was asked for", CLASS_ANSWER, "www.example.test.", "CNAME", AA, 0,
     "1 www.example.test. CNAME a.test."},
    {"a forwarder's data need no AA", CLASS_ANSWER, "www.example.test.", "A", FORWARD, 0,
     "1 www.example.test. A 192.0.2.1"},
    {"data without AA", CLASS_LAME, "www.example.test.", "A", 0, 0,
     "1 www.example.test. A 192.0.2.1"},
    {"data for another name", CLASS_EMPTY, "www.example.test.", "A", 0, 0,
     "1 x.example.test. A 192.0.2.1"},

    {"an alias", CLASS_CNAME, "www.example.test.", "A", AA, 0, "1 www.example.test. CNAME a.test."},
    {"an alias and its target", CLASS_CNAME, "www.example.test.", "A", AA, 0,
     "1 www.example.test. CNAME a.test.|1 a.test. A 192.0.2.1"},
    {"NXDOMAIN behind an alias is the target's (RFC 6604)", CLASS_CNAME, "www.example.test.", "A",
     AA, DNS_RCODE_NXDOMAIN, "1 www.example.test. CNAME a.test.|2 test. SOA " SOA_TEXT},
    {"an alias without AA", CLASS_LAME, "www.example.test.", "A", 0, 0,
     "1 www.example.test. CNAME a.test."},

    {"a DNAME above the name", CLASS_DNAME, "a.old.example.test.", "A", AA, 0,
     "1 old.example.test. DNAME new.|1 a.old.example.test. CNAME a.new."},
    {"a DNAME too long to follow (YXDOMAIN)", CLASS_DNAME, "a.old.example.test.", "A", AA,
     DNS_RCODE_YXDOMAIN, "1 old.example.test. DNAME new."},
    {"a DNAME above the name, asked for CNAME", CLASS_DNAME, "a.old.example.test.", "CNAME", AA, 0,
     "1 old.example.test. DNAME new.|1 a.old.example.test. CNAME a.new."},
    {"a DNAME above the name, asked for ANY", CLASS_DNAME, "a.old.example.test.", "ANY", AA, 0,
     "1 old.example.test. DNAME new.|1 a.old.example.test. CNAME a.new."},
    {"a DNAME at the name is no alias of it", CLASS_NODATA, "old.example.test.", "A", AA, 0,
     "1 old.example.test. DNAME new."},
    {"a DNAME above the zone asked is not the server's to give", CLASS_CNAME, "a.example.test.",
     "A", AA, 0, "1 test. DNAME new.|1 a.example.test. CNAME a.example.new."},
    {"a DNAME without AA", CLASS_LAME, "a.old.example.test.", "A", 0, 0,
     "1 old.example.test. DNAME new."},

    {"a zone below", CLASS_REFERRAL, "www.sub.example.test.", "A", 0, 0,
     "2 sub.example.test. NS ns.sub.example.test.|3 ns.sub.example.test. A 192.0.2.9"},
    {"a zone below, with AA set wrongly", CLASS_REFERRAL, "www.sub.example.test.", "A", AA, 0,
     "2 sub.example.test. NS ns.sub.example.test."},
    {"a zone below that does not cover the name", CLASS_LAME, "www.sub.example.test.", "A", 0, 0,
     "2 other.example.test. NS ns.test."},
    {"a forwarder does not refer", CLASS_LAME, "www.sub.example.test.", "A", FORWARD, 0,
     "2 sub.example.test. NS ns.sub.example.test."},

    {"no such type", CLASS_NODATA, "www.example.test.", "MX", AA, 0,
     "2 example.test. SOA " SOA_TEXT},
    {"no such type, nothing said (RFC 2308 2.2 type 3)", CLASS_NODATA, "www.example.test.", "MX",
     AA, 0, ""},
    {"no such type, with the zone's own NS", CLASS_NODATA, "www.example.test.", "MX", AA, 0,
     "2 example.test. NS ns.example.test."},
    {"a forwarder's, with nothing", CLASS_NODATA, "www.example.test.", "MX", FORWARD, 0, ""},
    {"a forwarder's, with SOA", CLASS_NODATA, "www.example.test.", "MX", FORWARD, 0,
     "2 example.test. SOA " SOA_TEXT},
    {"no such type without AA", CLASS_LAME, "www.example.test.", "MX", 0, 0,
     "2 example.test. SOA " SOA_TEXT},
    {"a SOA above the zone asked is no proof", CLASS_EMPTY, "www.example.test.", "MX", 0, 0,
     "2 test. SOA " SOA_TEXT},

    {"no such name", CLASS_NXDOMAIN, "no.example.test.", "A", AA, DNS_RCODE_NXDOMAIN,
     "2 example.test. SOA " SOA_TEXT},
    {"no such name, a forwarder's", CLASS_NXDOMAIN, "no.example.test.", "A", FORWARD,
     DNS_RCODE_NXDOMAIN, ""},
    {"no such name without AA", CLASS_LAME, "no.example.test.", "A", 0, DNS_RCODE_NXDOMAIN, ""},

    {"a referral to the root", CLASS_UPWARD, "www.example.test.", "A", 0, 0, "2 . NS a.root."},
    {"a referral to the parent", CLASS_UPWARD, "www.example.test.", "A", 0, 0,
     "2 test. NS ns.test."},
    {"a referral to the zone asked", CLASS_LOOPING, "www.example.test.", "A", 0, 0,
     "2 example.test. NS ns.example.test."},
    {"nothing at all", CLASS_EMPTY, "www.example.test.", "A", 0, 0, ""},
    {"only additional records", CLASS_EMPTY, "www.example.test.", "A", 0, 0,
     "3 www.example.test. A 192.0.2.1"},

    {"a question comes back", CLASS_MALFORMED, "www.example.test.", "A", QUERY, 0, ""},
    {"another opcode", CLASS_MALFORMED, "www.example.test.", "A", NOTIFY | AA, 0,
     "1 www.example.test. A 192.0.2.1"},
    {"truncated, whatever is in it", CLASS_TRUNCATED, "www.example.test.", "A", AA | TC, 0,
     "1 www.example.test. A 192.0.2.1"},
    {"TC over TCP means nothing", CLASS_ANSWER, "www.example.test.", "A", AA | TC | TCP, 0,
     "1 www.example.test. A 192.0.2.1"},

    {"SERVFAIL", CLASS_SERVFAIL, "www.example.test.", "A", 0, DNS_RCODE_SERVFAIL, ""},
    {"SERVFAIL with data", CLASS_SERVFAIL, "www.example.test.", "A", AA, DNS_RCODE_SERVFAIL,
     "1 www.example.test. A 192.0.2.1"},
    {"REFUSED", CLASS_REFUSED, "www.example.test.", "A", 0, DNS_RCODE_REFUSED, ""},
    {"NOTAUTH", CLASS_REFUSED, "www.example.test.", "A", 0, DNS_RCODE_NOTAUTH, ""},
    {"FORMERR", CLASS_FORMERR, "www.example.test.", "A", 0, DNS_RCODE_FORMERR, ""},
    {"NOTIMP", CLASS_FORMERR, "www.example.test.", "A", 0, DNS_RCODE_NOTIMP, ""},
    {"BADVERS", CLASS_FORMERR, "www.example.test.", "A", 0, DNS_RCODE_BADVERS, ""},
    {"an rcode nobody knows", CLASS_STRANGE, "www.example.test.", "A", 0, 3841, ""},
    {"YXDOMAIN without a DNAME", CLASS_STRANGE, "www.example.test.", "A", AA, DNS_RCODE_YXDOMAIN,
     ""},
};

static const uint8_t *wire(struct arena *a, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_parse(name, text, strlen(text), NULL);
    assert_true(n > 0);
    return arena_dup(a, name, (size_t)n);
}

static void add(struct dns_msg *m, struct arena *a, const char *text)
{
    struct dns_rr *rr = &m->rrs[m->rr_count++];
    char owner[128], type[16];
    unsigned section;
    int at = 0;
    uint8_t rd[512];
    size_t bad;
    const char *why;
    assert_int_equal(sscanf(text, "%u %127s %15s %n", &section, owner, type, &at), 3);
    rr->section = (uint8_t)section;
    rr->owner = wire(a, owner);
    rr->type = (uint16_t)dns_type_parse(type, strlen(type));
    rr->cls = DNS_CLASS_IN;
    rr->ttl = 60;
    int len = dns_rdata_parse(rr->type, text + at, strlen(text + at), dns_name_root, rd, sizeof rd,
                              &bad, &why);
    assert_true(len >= 0);
    rr->rdlen = (uint16_t)len;
    rr->rdata = arena_dup(a, rd, (size_t)len);
}

static void every_class(void **state)
{
    (void)state;
    bool met[CLASS_COUNT] = {false};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct dns_rr rrs[8];
        struct dns_msg m = {.rrs = rrs,
                            .rcode = rows[i].rcode,
                            .opcode = rows[i].flags & NOTIFY ? 4 : DNS_OPCODE_QUERY,
                            .flags = (uint16_t)((rows[i].flags & QUERY ? 0 : DNS_FLAG_QR) |
                                                (rows[i].flags & 0xffff))};
        char text[512], *save = NULL;
        arena_init(&a, 4096, 0);
        snprintf(text, sizeof text, "%s", rows[i].records);
        for (char *p = strtok_r(text, "|", &save); p; p = strtok_r(NULL, "|", &save))
            add(&m, &a, p);
        struct classify c = {
            .msg = &m,
            .zone = wire(&a, "example.test."),
            .qname = wire(&a, rows[i].qname),
            .qtype = (uint16_t)dns_type_parse(rows[i].qtype, strlen(rows[i].qtype)),
            .forwarded = (rows[i].flags & FORWARD) != 0,
            .udp = !(rows[i].flags & TCP),
        };
        int got = classify_reply(&c);
        if (got != (int)rows[i].class)
            fail_msg("%s: %s, not %s", rows[i].label, class_name((enum reply_class)got),
                     class_name(rows[i].class));
        met[got] = true;
        arena_fini(&a);
    }
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        if (!met[i])
            fail_msg("no row for %s", class_name((enum reply_class)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_class)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
