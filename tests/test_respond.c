/* folders: authority */
/* RFC 1034 4.3.2 and its clarifications as rows over two small zones. */
#include "authority/respond.h"
#include "authority/zone.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LABEL "0123456789012345678901234567890123456789012345678901234567890"
static const char zone_text[] =
    "$TTL 300\n"
    "@ SOA ns1 h 7 1 1 1 60\n"
    "@ NS ns1\n@ MX 10 mail\n"
    "ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
    "mail A 192.0.2.25\n"
    "www A 192.0.2.80\n"
    "alias CNAME www\n"
    "nsalias CNAME ns1\n"
    "far CNAME www.other.\n"
    "out CNAME www.elsewhere.\n"
    "loop CNAME loop\n"
    "*.wild TXT \"w\"\n"
    "sub.wild A 192.0.2.9\n"
    "*.walias CNAME www\n"
    "host.ent A 192.0.2.7\n"
    "child NS ns.child\nchild NS ns1\nchild DS 1 8 3 00\nns.child A 192.0.2.53\n"
    "old DNAME other.\n"
    "srv SRV 0 0 80 www\n"
    "stretch DNAME " LABEL "." LABEL "." LABEL ".other.\n"
    "*.wns NS ns1\nkey CNAME www\nkey KEY \\# 4 00000305\n"
    "loop2 CNAME loop3\nloop3 CNAME loop2\n*.lw CNAME x.lw\ngrow DNAME x.grow\n"
    "again DNAME t\nx.t CNAME y.again\ny.t A 192.0.2.84\n"
    "c1 CNAME c2\n$GENERATE 2-20 c$ CNAME c${1}\n"
    "web HTTPS 1 . alpn=h2\nweb A 192.0.2.82\nwebalias HTTPS 0 .\nwebalias A 192.0.2.83\n"
    "late NS ns1\nlate NS ns.sib\nlate NS ns.late\nns.late A 192.0.2.54\n"
    "sib NS ns.sib\nns.sib A 192.0.2.55\n";
/* More name servers than an answer's additional data may name. */
static const char wide_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\n"
    "$GENERATE 1-20 child NS ns$.child\n$GENERATE 1-20 ns$.child A 192.0.2.$\n";
static const char parent_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\nown NS ns1.example.\n"
    "own DS 1 8 3 00\nunsigned NS ns1.example.\n";
static const char child_text[] = "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\n";
static const char other_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\nwww A 198.51.100.1\n";

/* What is expected: rcode, flags, then the sections as "owner TYPE rdata" joined by "|". */
static const struct {
    const char *label, *qname, *qtype;
    int flags; /* DNS_FLAG_AA, DNS_FLAG_TC expected */
    const char *rcode, *answer, *authority, *additional;
    int result; /* enum authority_result */
} rows[] = {
    {"address", "www.example.", "A", DNS_FLAG_AA, "NOERROR", "www.example. A 192.0.2.80|",
     "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"any case", "WWW.eXample.", "A", DNS_FLAG_AA, "NOERROR", "WWW.eXample. A 192.0.2.80|",
     "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"no data", "www.example.", "MX", DNS_FLAG_AA, "NOERROR", "", "example. SOA|", "",
     AUTHORITY_DONE},
    {"no name", "no.example.", "A", DNS_FLAG_AA, "NXDOMAIN", "", "example. SOA|", "",
     AUTHORITY_DONE},
    {"empty non-terminal", "ent.example.", "A", DNS_FLAG_AA, "NOERROR", "", "example. SOA|", "",
     AUTHORITY_DONE},
    {"below an empty non-terminal", "x.ent.example.", "A", DNS_FLAG_AA, "NXDOMAIN", "",
     "example. SOA|", "", AUTHORITY_DONE},
    {"alias", "alias.example.", "A", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|www.example. A 192.0.2.80|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"alias asked for", "alias.example.", "CNAME", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"alias into another of our zones", "far.example.", "A", DNS_FLAG_AA, "NOERROR",
     "far.example. CNAME www.other.|www.other. A 198.51.100.1|", "other. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"alias that leaves", "out.example.", "A", DNS_FLAG_AA, "NOERROR",
     "out.example. CNAME www.elsewhere.|", "", "", AUTHORITY_LEAVES},
    {"wildcard", "a.wild.example.", "TXT", DNS_FLAG_AA, "NOERROR", "a.wild.example. TXT \"w\"|",
     "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"wildcard several labels down", "a.b.wild.example.", "TXT", DNS_FLAG_AA, "NOERROR",
     "a.b.wild.example. TXT \"w\"|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"wildcard without the type", "a.wild.example.", "A", DNS_FLAG_AA, "NOERROR", "",
     "example. SOA|", "", AUTHORITY_DONE},
    {"a name that exists blocks the wildcard", "x.sub.wild.example.", "TXT", DNS_FLAG_AA,
     "NXDOMAIN", "", "example. SOA|", "", AUTHORITY_DONE},
    {"wildcard asked for itself", "*.wild.example.", "TXT", DNS_FLAG_AA, "NOERROR",
     "*.wild.example. TXT \"w\"|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"wildcard alias", "q.walias.example.", "A", DNS_FLAG_AA, "NOERROR",
     "q.walias.example. CNAME www.example.|www.example. A 192.0.2.80|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"referral", "www.child.example.", "A", 0, "NOERROR", "",
     "child.example. NS ns.child.example.|child.example. NS ns1.example.|",
     "ns.child.example. A 192.0.2.53|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_LEAVES},
    {"referral at the cut", "child.example.", "NS", 0, "NOERROR", "",
     "child.example. NS ns.child.example.|child.example. NS ns1.example.|",
     "ns.child.example. A 192.0.2.53|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_LEAVES},
    {"glue is not ours to answer", "ns.child.example.", "A", 0, "NOERROR", "",
     "child.example. NS ns.child.example.|child.example. NS ns1.example.|",
     "ns.child.example. A 192.0.2.53|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_LEAVES},
    {"DS is the parent's (RFC 4035 3.1.4.1)", "child.example.", "DS", DNS_FLAG_AA, "NOERROR",
     "child.example. DS 1 8 3 00|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"DNAME", "a.b.old.example.", "A", DNS_FLAG_AA, "NXDOMAIN",
     "old.example. DNAME other.|a.b.old.example. CNAME a.b.other.|", "other. SOA|", "",
     AUTHORITY_DONE},
    {"DNAME to data", "www.old.example.", "A", DNS_FLAG_AA, "NOERROR",
     "old.example. DNAME other.|www.old.example. CNAME www.other.|www.other. A 198.51.100.1|",
     "other. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"DNAME's owner itself", "old.example.", "A", DNS_FLAG_AA, "NOERROR", "", "example. SOA|", "",
     AUTHORITY_DONE},
    {"ANY is one set (RFC 8482)", "ns1.example.", "ANY", DNS_FLAG_AA, "NOERROR",
     "ns1.example. A 192.0.2.1|", "example. NS ns1.example.|", "ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"no set twice (RFC 2181 5.5): NS of the zone", "example.", "NS", DNS_FLAG_AA, "NOERROR",
     "example. NS ns1.example.|", "", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"no set twice: a server's address", "ns1.example.", "AAAA", DNS_FLAG_AA, "NOERROR",
     "ns1.example. AAAA 2001:db8::1|", "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|",
     AUTHORITY_DONE},
    {"no set twice: a server's address by an alias", "nsalias.example.", "A", DNS_FLAG_AA,
     "NOERROR", "nsalias.example. CNAME ns1.example.|ns1.example. A 192.0.2.1|",
     "example. NS ns1.example.|", "ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"additional of MX", "example.", "MX", DNS_FLAG_AA, "NOERROR", "example. MX 10 mail.example.|",
     "example. NS ns1.example.|",
     "mail.example. A 192.0.2.25|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"additional of SRV", "srv.example.", "SRV", DNS_FLAG_AA, "NOERROR",
     "srv.example. SRV 0 0 80 www.example.|", "example. NS ns1.example.|",
     "www.example. A 192.0.2.80|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"DNAME, the new name just fits", LABEL ".stretch.example.", "CNAME", DNS_FLAG_AA, "NOERROR",
     "stretch.example. DNAME " LABEL "." LABEL "." LABEL ".other.|" LABEL
     ".stretch.example. CNAME " LABEL "." LABEL "." LABEL "." LABEL ".other.|",
     "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"DNAME, the new name is too long (RFC 6672 2.2)", LABEL ".x.stretch.example.", "A",
     DNS_FLAG_AA, "YXDOMAIN", "stretch.example. DNAME " LABEL "." LABEL "." LABEL ".other.|", "",
     "", AUTHORITY_DONE},
    {"KEY beside an alias", "key.example.", "KEY", DNS_FLAG_AA, "NOERROR",
     "key.example. KEY \\# 4 00000305|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"alias without KEY", "alias.example.", "KEY", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|", "example. SOA|", "", AUTHORITY_DONE},
    {"alias without NSEC", "alias.example.", "NSEC", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|", "example. SOA|", "", AUTHORITY_DONE},
    {"alias without signatures", "alias.example.", "RRSIG", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|", "example. SOA|", "", AUTHORITY_DONE},
    {"alias, ANY", "alias.example.", "ANY", DNS_FLAG_AA, "NOERROR",
     "alias.example. CNAME www.example.|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"wildcard with NS: no such type", "a.wns.example.", "A", DNS_FLAG_AA, "NOERROR", "",
     "example. SOA|", "", AUTHORITY_DONE},
    {"loop of one", "loop.example.", "A", DNS_FLAG_AA, "NOERROR",
     "loop.example. CNAME loop.example.|", "", "", AUTHORITY_DONE},
    {"loop of two", "loop2.example.", "A", DNS_FLAG_AA, "NOERROR",
     "loop2.example. CNAME loop3.example.|loop3.example. CNAME loop2.example.|", "", "",
     AUTHORITY_DONE},
    {"loop by a wildcard", "a.lw.example.", "A", DNS_FLAG_AA, "NOERROR",
     "a.lw.example. CNAME x.lw.example.|x.lw.example. CNAME x.lw.example.|", "", "",
     AUTHORITY_DONE},
    {"a DNAME used twice is there once", "x.again.example.", "A", DNS_FLAG_AA, "NOERROR",
     "again.example. DNAME t.example.|x.again.example. CNAME x.t.example.|"
     "x.t.example. CNAME y.again.example.|y.again.example. CNAME y.t.example.|"
     "y.t.example. A 192.0.2.84|",
     "example. NS ns1.example.|", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"additional of HTTPS: its owner", "web.example.", "HTTPS", DNS_FLAG_AA, "NOERROR",
     "web.example. HTTPS 1 . alpn=\"h2\"|", "example. NS ns1.example.|",
     "web.example. A 192.0.2.82|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"HTTPS alias to nothing", "webalias.example.", "HTTPS", DNS_FLAG_AA, "NOERROR",
     "webalias.example. HTTPS 0 .|", "example. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"sibling glue, after that of the zone itself", "x.late.example.", "A", 0, "NOERROR", "",
     "late.example. NS ns1.example.|late.example. NS ns.sib.example.|"
     "late.example. NS ns.late.example.|",
     "ns.late.example. A 192.0.2.54|ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|"
     "ns.sib.example. A 192.0.2.55|",
     AUTHORITY_LEAVES},
    {"DS of a zone of ours below a zone of ours", "own.parent.", "DS", DNS_FLAG_AA, "NOERROR",
     "own.parent. DS 1 8 3 00|", "parent. NS ns1.example.|",
     "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|", AUTHORITY_DONE},
    {"no DS, says the parent", "unsigned.parent.", "DS", DNS_FLAG_AA, "NOERROR", "", "parent. SOA|",
     "", AUTHORITY_DONE},
    {"DS at the apex, the parent is not ours", "example.", "DS", DNS_FLAG_AA, "NOERROR", "",
     "example. SOA|", "", AUTHORITY_DONE},
    {"DS, the parent is ours and did not load", "sub.broken.", "DS", 0, "SERVFAIL", "", "", "",
     AUTHORITY_DONE},
    {"all else of that zone is answered", "sub.broken.", "NS", DNS_FLAG_AA, "NOERROR",
     "sub.broken. NS ns1.example.|", "", "ns1.example. A 192.0.2.1|ns1.example. AAAA 2001:db8::1|",
     AUTHORITY_DONE},
    {"transfer", "example.", "AXFR", 0, "REFUSED", "", "", "", AUTHORITY_DONE},
    {"zone that did not load", "www.broken.", "A", 0, "SERVFAIL", "", "", "", AUTHORITY_DONE},
    {"not ours", "www.elsewhere.", "A", 0, NULL, "", "", "", AUTHORITY_NOT_OURS},
};

static struct zonedb *make_db(void)
{
    static const struct {
        const char *origin, *text;
        size_t len;
    } zones[] = {{"\7example", zone_text, sizeof zone_text - 1},
                 {"\5other", other_text, sizeof other_text - 1},
                 {"\4wide", wide_text, sizeof wide_text - 1},
                 {"\6parent", parent_text, sizeof parent_text - 1},
                 {"\3own\6parent", child_text, sizeof child_text - 1},
                 {"\10unsigned\6parent", child_text, sizeof child_text - 1},
                 {"\3sub\6broken", child_text, sizeof child_text - 1}};
    struct zonedb *db = zonedb_new();
    struct diag_list d;
    diag_init(&d);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct zone *z;
        if (zone_load_mem(&z, (const uint8_t *)zones[i].origin, "t", zones[i].text, zones[i].len,
                          NULL, 0, &d)) {
            diag_print(&d, stderr, 0);
            fail();
        }
        assert_int_equal(zonedb_add(db, (const uint8_t *)zones[i].origin, z, 1), 0);
        assert_int_equal(zonedb_add(db, (const uint8_t *)zones[i].origin, z, 1), ERR_EXISTS);
        part_unref(zone_part(z));
    }
    assert_int_equal(zonedb_add(db, (const uint8_t *)"\6broken", NULL, 1), 0);
    assert_int_equal(zonedb_finish(db), 0);
    diag_fini(&d);
    return db;
}

static size_t make_query(uint8_t *q, const char *qname, const char *qtype)
{
    uint8_t name[DNS_NAME_MAX];
    struct dns_writer w;
    dns_name_parse(name, qname, strlen(qname), NULL);
    dns_writer_init(&w, q, 512);
    dns_writer_question(&w, name, (uint16_t)dns_type_parse(qtype, strlen(qtype)), DNS_CLASS_IN);
    return dns_writer_finish(&w, 1, 0, 0, NULL, 0);
}

static void section_text(const struct dns_msg *m, uint8_t section, char *out, size_t cap)
{
    size_t n = 0;
    *out = 0;
    for (unsigned i = 0; i < m->rr_count; i++) {
        char line[512], owner[256], ttl[16], cls[8], type[16];
        int at = 0;
        if (m->rrs[i].section != section)
            continue;
        dns_text_rr(&m->rrs[i], line, sizeof line);
        sscanf(line, "%255s %15s %7s %15s %n", owner, ttl, cls, type, &at);
        bool soa = m->rrs[i].type == DNS_TYPE_SOA;
        n += (size_t)snprintf(out + n, cap - n, "%s %s%s%s|", owner, type, soa ? "" : " ",
                              soa ? "" : line + at);
    }
}

/* The same, octet for octet, for a question that was looked at before its turn. */
static void looked_at_before(const struct authority_ask *ask, const char *label, int result,
                             const uint8_t *want, size_t len)
{
    static struct dns_writer w;
    uint8_t buf[4096];
    struct authority_out out;
    struct authority_ahead ahead;
    struct authority_ask again = *ask;
    authority_look_ahead(&ahead, ask->db, ask->listener, ask->query, NULL);
    for (unsigned step = 1; step < AUTHORITY_STEPS; step++)
        authority_look_on(&ahead, ask->query, NULL, step);
    again.ahead = &ahead;
    if ((int)authority_respond(&again, &w, buf, &out) != result ||
        (result != AUTHORITY_NOT_OURS && (out.len != len || memcmp(buf, want, len) != 0)))
        fail_msg("%s: another answer when it was looked at before", label);
}

static void answers(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t q[512], buf[4096];
        struct dns_query query;
        struct authority_out out;
        struct dns_msg m;
        struct arena a;
        char got[3][1024], rcode[16];
        size_t len = make_query(q, rows[i].qname, rows[i].qtype);
        assert_int_equal(dns_query_parse(&query, q, len), DNS_VERDICT_OK);
        struct authority_ask ask = {.db = db, .query = &query, .limit = sizeof buf};
        int result = (int)authority_respond(&ask, &w, buf, &out);
        if (result != rows[i].result)
            fail_msg("%s: result %d", rows[i].label, result);
        looked_at_before(&ask, rows[i].label, result, buf, out.len);
        if (result == AUTHORITY_NOT_OURS)
            continue;
        arena_init(&a, 0, 0);
        assert_int_equal(dns_msg_parse(&m, buf, out.len, &a, 100), 0);
        for (uint8_t s = 0; s < 3; s++)
            section_text(&m, s + 1, got[s], sizeof got[s]);
        dns_rcode_print(m.rcode, rcode);
        if (strcmp(rcode, rows[i].rcode) != 0 ||
            (m.flags & (DNS_FLAG_AA | DNS_FLAG_TC)) != rows[i].flags ||
            strcmp(got[0], rows[i].answer) != 0 || strcmp(got[1], rows[i].authority) != 0 ||
            strcmp(got[2], rows[i].additional) != 0)
            fail_msg("%s: %s flags %04x\n%s\n%s\n%s", rows[i].label, rcode, m.flags, got[0], got[1],
                     got[2]);
        arena_fini(&a);
    }
    part_unref(zonedb_part(db));
}

/* A chain that is too long ends somewhere: 12 aliases, then the client goes on; a DNAME below
 * itself as well. */
static void chains_end(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    static const struct {
        const char *qname;
        unsigned answers;
    } chains[] = {{"c1.example.", 12}, {"c9.example.", 12}, {"a.grow.example.", 13}};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        uint8_t q[512], buf[4096];
        struct dns_query query;
        struct authority_out out;
        size_t len = make_query(q, chains[i].qname, "A");
        dns_query_parse(&query, q, len);
        struct authority_ask ask = {.db = db, .query = &query, .limit = sizeof buf};
        assert_int_equal(authority_respond(&ask, &w, buf, &out), AUTHORITY_DONE);
        assert_true(out.aa);
        if (w.counts[DNS_SECTION_ANSWER] != chains[i].answers)
            fail_msg("%s: %u", chains[i].qname, w.counts[DNS_SECTION_ANSWER]);
    }
    part_unref(zonedb_part(db));
}

/* Minimal: not the zone's servers, but the addresses of what the answer names (RFC 1035 3.3.9, RFC
 * 2782, RFC 9460 4.1). */
static void minimal(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    static const struct {
        const char *qname, *qtype;
        unsigned counts[3];
    } sizes[] = {{"www.example.", "A", {1, 0, 0}},      {"example.", "MX", {1, 0, 1}},
                 {"srv.example.", "SRV", {1, 0, 1}},    {"web.example.", "HTTPS", {1, 0, 1}},
                 {"example.", "NS", {1, 0, 2}},         {"no.example.", "A", {0, 1, 0}},
                 {"www.child.example.", "A", {0, 2, 3}}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t q[512], buf[4096];
        struct dns_query query;
        struct authority_out out;
        size_t len = make_query(q, sizes[i].qname, sizes[i].qtype);
        dns_query_parse(&query, q, len);
        struct authority_ask ask = {
            .db = db, .query = &query, .limit = sizeof buf, .minimal = true};
        authority_respond(&ask, &w, buf, &out);
        for (unsigned s = 0; s < 3; s++)
            if (w.counts[s + 1] != sizes[i].counts[s])
                fail_msg("%s %s: section %u: %u", sizes[i].qname, sizes[i].qtype, s,
                         w.counts[s + 1]);
    }
    part_unref(zonedb_part(db));
}

/* All glue of a referral is there, however many servers it has (RFC 9471). */
static void glue_of_many(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    uint8_t q[512], buf[4096];
    struct dns_query query;
    struct authority_out out;
    size_t len = make_query(q, "x.child.wide.", "A");
    dns_query_parse(&query, q, len);
    struct authority_ask ask = {.db = db, .query = &query, .limit = sizeof buf};
    assert_int_equal(authority_respond(&ask, &w, buf, &out), AUTHORITY_LEAVES);
    assert_false(out.tc);
    assert_int_equal(w.counts[DNS_SECTION_AUTHORITY], 20);
    assert_int_equal(w.counts[DNS_SECTION_ADDITIONAL], 20);
    part_unref(zonedb_part(db));
}

/* QCLASS ANY may have answers in other classes (RFC 1034 3.7.1): never authoritative. */
static void any_class(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    uint8_t q[512], buf[4096];
    struct dns_query query;
    struct authority_out out;
    size_t len = make_query(q, "www.example.", "A");
    q[len - 1] = DNS_CLASS_ANY;
    dns_query_parse(&query, q, len);
    struct authority_ask ask = {.db = db, .query = &query, .limit = sizeof buf};
    assert_int_equal(authority_respond(&ask, &w, buf, &out), AUTHORITY_DONE);
    assert_false(out.aa);
    assert_int_equal(w.counts[DNS_SECTION_ANSWER], 1);
    part_unref(zonedb_part(db));
}

/* Answer sets set TC; in-domain glue too (RFC 9471); other additional data is just left out. */
static void truncates(void **state)
{
    (void)state;
    struct zonedb *db = make_db();
    static struct dns_writer w;
    static const struct {
        const char *qname, *qtype;
        size_t limit;
        bool tc;
    } cuts[] = {{"www.example.", "A", 33, true},
                {"www.example.", "A", 60, false},
                {"www.child.example.", "A", 80, true},
                {"www.child.example.", "A", 106, false}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        uint8_t q[512], buf[4096];
        struct dns_query query;
        struct authority_out out;
        size_t len = make_query(q, cuts[i].qname, cuts[i].qtype);
        dns_query_parse(&query, q, len);
        struct authority_ask ask = {.db = db, .query = &query, .limit = cuts[i].limit};
        authority_respond(&ask, &w, buf, &out);
        if (out.tc != cuts[i].tc || out.len > cuts[i].limit)
            fail_msg("%s within %zu: tc %d, %zu octets", cuts[i].qname, cuts[i].limit, out.tc,
                     out.len);
    }
    part_unref(zonedb_part(db));
}

static const struct {
    const char *label, *text, *said; /* NULL: taken without a word */
    bool refused;
} checks[] = {
    {"fine", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a\na 1 A 192.0.2.1\n", NULL, false},
    {"no SOA", "@ 1 NS a.b.\n", "example. has no SOA record", true},
    {"no NS", "@ 1 SOA a b 1 1 1 1 1\n", "example. has no NS record", true},
    {"two SOA", "@ 1 SOA a b 1 1 1 1 1\n@ 1 SOA a b 2 1 1 1 1\n@ 1 NS a.b.\n", "more than one SOA",
     true},
    {"SOA below", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx 1 SOA a b 1 1 1 1 1\n",
     "SOA record below the apex", true},
    {"CNAME and data", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx 1 CNAME y\nx 1 A 192.0.2.1\n",
     "t:4: error: x.example. has other data beside a CNAME", true},
    {"two CNAME", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx 1 CNAME y\nx 1 CNAME z\n",
     "more than one CNAME", true},
    {"below DNAME", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx 1 DNAME y\nz.x 1 A 192.0.2.1\n",
     "is below a DNAME", true},
    {"out of zone", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx.org. 1 A 192.0.2.1\n",
     "t:3:1: error: x.org.: is outside the zone", true},
    {"NS without address", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS ns\n",
     "ns.example. is a name server without an address", false},
    {"NS is an alias", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS ns\nns 1 CNAME x\n",
     "is a name server and an alias", false},
    {"delegation without glue",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nc 1 NS a.b.\nc 1 NS n.c\nd 1 NS n.c\n",
     "t:3: warning: n.c.example. is a name server without an address", false},
    {"server below another delegation",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nc 1 NS a.b.\nd 1 NS n.c\n@ 1 NS m.c\n", NULL, false},
    {"server under a wildcard", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.w\n*.w 1 A 192.0.2.1\n", NULL,
     false},
    {"data below a delegation",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nc 1 NS n.c\nn.c 1 A 192.0.2.1\nn.c 1 TXT x\n",
     "t:5: warning: n.c.example. is below a delegation", false},
    {"delegation and DNAME", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nc 1 NS a.b.\nc 1 DNAME x.y.\n",
     "t:4: error: c.example. is a delegation and has a DNAME", true},
    {"apex with DNAME and hashes",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 DNAME x.y.\n@ 1 NSEC3PARAM 1 0 0 -\n"
     "47F20A0000000000000000000000000A 1 NSEC3 1 0 0 - 47F20A0000000000000000000000000A A\n",
     "no NSEC3 records that fit", false},
    {"MX and SRV without address",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 MX 1 m\n@ 1 MX 1 .\n@ 1 MX 1 x.y.\n",
     "t:3: warning: m.example. is a mail server without an address", false},
    {"SRV to an alias",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n_s._tcp 1 SRV 1 1 1 m\nm 1 CNAME x.y.\n",
     "t:3: warning: m.example. is a service's host and an alias", false},
    {"MX and SRV with address, or elsewhere",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 MX 1 m\nm 1 AAAA ::1\n_s._tcp 1 SRV 0 0 0 .\n"
     "x 1 MX 1 y.z.\n",
     NULL, false},
    {"wildcard with NS", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n*.c 1 NS a.b.\n",
     "t:3: warning: *.c.example. is a wildcard: it cannot delegate", false},
    {"DS without NS", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nc 1 DS 1 8 3 00\n",
     "t:3: warning: c.example. has a DS record and is no delegation", false},
    {"all at once", "@ 1 SOA a b 1 1 1 1 1\nx 1 CNAME y\nx 1 CNAME z\n",
     "t:2: error: x.example. has more than one CNAME", true},
    {"too many for a set",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n$GENERATE 0-65535 x 1 TYPE65280 \\# 4 ${0,8,x}\n",
     "t:3: error: x.example.: more records in a set", true},
    {"different TTLs", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\nx 5 A 192.0.2.1\nx 6 A 192.0.2.2\n",
     "different TTLs", false},
    {"NSEC3PARAM alone", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 NSEC3PARAM 1 0 0 -\n",
     "no NSEC3 records that fit", false},
    {"NSEC3 of another salt",
     "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 NSEC3PARAM 1 0 0 -\n"
     "00000000000000000000000000000000 1 NSEC3 1 0 0 aa 00000000000000000000000000000000 A\n",
     "no NSEC3 records that fit", false},
    {"NSEC3 iterations", "@ 1 SOA a b 1 1 1 1 1\n@ 1 NS a.b.\n@ 1 NSEC3PARAM 1 0 51 -\n",
     "so many NSEC3 iterations", false},
    {"empty", "", "has no SOA record", true},
};

static void zone_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct diag_list d;
        struct zone *z = NULL;
        char *said = NULL;
        size_t len;
        diag_init(&d);
        int err = zone_load_mem(&z, (const uint8_t *)"\7example", "t", checks[i].text,
                                strlen(checks[i].text), NULL, 0, &d);
        FILE *f = open_memstream(&said, &len);
        diag_print(&d, f, 0);
        fclose(f);
        if ((err != 0) != checks[i].refused ||
            (checks[i].said ? !strstr(said, checks[i].said) : *said != 0))
            fail_msg("%s: %s\n%s", checks[i].label, err_name(err), said);
        if (z)
            part_unref(zone_part(z));
        free(said);
        diag_fini(&d);
    }
}

static void many_zones(void **state)
{
    (void)state;
    struct zonedb *db = zonedb_new();
    struct diag_list d;
    bool failed;
    diag_init(&d);
    for (unsigned i = 0; i < 3000; i++) {
        char text[32];
        uint8_t origin[DNS_NAME_MAX];
        struct zone *z;
        int n = snprintf(text, sizeof text, "z%u.example.", i);
        dns_name_parse(origin, text, (size_t)n, NULL);
        assert_int_equal(
            zone_load_mem(&z, origin, "t", "@ 1 SOA a. b. 1 1 1 1 1\n@ 1 NS a.\n", 34, NULL, 0, &d),
            0);
        assert_int_equal(zonedb_add(db, origin, z, 3), 0);
        part_unref(zone_part(z));
    }
    zonedb_finish(db);
    assert_int_equal(zonedb_count(db), 3000);
    assert_non_null(zonedb_find(db, (const uint8_t *)"\1x\5Z2999\7example", 1, &failed));
    assert_null(zonedb_find(db, (const uint8_t *)"\1x\5z2999\7example", 2, &failed));
    assert_null(zonedb_find(db, (const uint8_t *)"\5z3000\7example", 0, &failed));
    const uint8_t *exact = (const uint8_t *)"\5Z2999\7example";
    assert_ptr_equal(zonedb_get(db, exact, 3), zonedb_find(db, exact, 0, &failed));
    assert_ptr_equal(zonedb_get(db, exact, 1), zonedb_get(db, exact, 3)); /* on some of them */
    assert_null(zonedb_get(db, exact, 4));
    assert_null(zonedb_get(db, (const uint8_t *)"\1x\5z2999\7example", 3));
    assert_true(zone_size(zonedb_get(db, exact, 3)).bytes < 4096);
    part_unref(zonedb_part(db));
    diag_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),     cmocka_unit_test(chains_end),   cmocka_unit_test(minimal),
        cmocka_unit_test(truncates),   cmocka_unit_test(glue_of_many), cmocka_unit_test(any_class),
        cmocka_unit_test(zone_checks), cmocka_unit_test(many_zones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
