/* Answers from signed zones: the same small zone with NSEC, with NSEC3, and with NSEC3 and opt-out
 * (tests/data). Proofs are written as "=name", the record at the name, or "~name", the record that
 * covers it; which one that is, is found here by looking at every record of the zone. */
/* folders: authority net dns base */
#include "authority/respond.h"
#include "authority/zone.h"
#include "base/err.h"
#include "dns/dnssec.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "dns/zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NSEC, NSEC3, OPTOUT, ZONES };
static const char *const origins[ZONES] = {"nsec.test.", "nsec3.test.", "optout.test."};

/* Sections: "owner TYPE", a + when its RRSIG is there too; owners are relative, @ the apex. */
static const struct {
    const char *label, *qname, *qtype, *rcode, *answer, *authority;
    const char *proof[ZONES]; /* NULL: as the one before */
} rows[] = {
    {"data", "www", "A", "NOERROR", "www A+ ", "@ NS+ ", {""}},
    {"data of the apex", "@", "DNSKEY", "NOERROR", "@ DNSKEY+ ", "@ NS+ ", {""}},
    {"an alias", "alias", "AAAA", "NOERROR", "alias CNAME+ www AAAA+ ", "@ NS+ ", {""}},
    {"no such name", "no", "A", "NXDOMAIN", "", "@ SOA+ ", {"~no ~*", "=@ ~no ~*"}},
    {"no such name, in capitals", "NO", "A", "NXDOMAIN", "", "@ SOA+ ", {"~no ~*", "=@ ~no ~*"}},
    {"several labels missing",
     "a.b.no",
     "A",
     "NXDOMAIN",
     "",
     "@ SOA+ ",
     {"~a.b.no ~*", "=@ ~no ~*"}},
    {"below a name that exists",
     "x.www",
     "A",
     "NXDOMAIN",
     "",
     "@ SOA+ ",
     {"~x.www ~*.www", "=www ~x.www ~*.www"}},
    {"no such type", "www", "MX", "NOERROR", "", "@ SOA+ ", {"=www"}},
    {"no such type at the apex", "@", "MX", "NOERROR", "", "@ SOA+ ", {"=@"}},
    {"empty non-terminal", "ent", "A", "NOERROR", "", "@ SOA+ ", {"~ent", "=ent"}},
    {"below an empty non-terminal",
     "x.ent",
     "A",
     "NXDOMAIN",
     "",
     "@ SOA+ ",
     {"~x.ent ~*.ent", "=ent ~x.ent ~*.ent"}},
    {"wildcard", "a.wild", "TXT", "NOERROR", "a.wild TXT+ ", "", {"~a.wild"}},
    {"wildcard several labels down",
     "a.b.wild",
     "TXT",
     "NOERROR",
     "a.b.wild TXT+ ",
     "",
     {"~a.b.wild", "~b.wild"}},
    {"wildcard without the type",
     "a.wild",
     "A",
     "NOERROR",
     "",
     "@ SOA+ ",
     {"=*.wild ~a.wild", "=wild ~a.wild =*.wild"}},
    {"wildcard asked for itself", "*.wild", "TXT", "NOERROR", "*.wild TXT+ ", "@ NS+ ", {""}},
    {"wildcard blocked by a name",
     "x.sub.wild",
     "TXT",
     "NXDOMAIN",
     "",
     "@ SOA+ ",
     {"~x.sub.wild ~*.sub.wild", "=sub.wild ~x.sub.wild ~*.sub.wild"}},
    {"wildcard alias", "a.walias", "A", "NOERROR", "a.walias CNAME+ www A+ ", "", {"~a.walias"}},
    {"wildcard alias to a missing type",
     "a.walias",
     "MX",
     "NOERROR",
     "a.walias CNAME+ ",
     "@ SOA+ ",
     {"~a.walias =www"}},
    {"DNAME, and no such name behind it",
     "x.old",
     "A",
     "NXDOMAIN",
     "old DNAME+ x.old CNAME ",
     "@ SOA+ ",
     {"~x.www ~*.www", "=www ~x.www ~*.www"}},
    {"signed delegation", "x.safe", "A", "NOERROR", "", "safe NS safe DS+ ", {""}},
    {"glue is no data", "ns.safe", "A", "NOERROR", "", "safe NS safe DS+ ", {""}},
    {"its DS", "safe", "DS", "NOERROR", "safe DS+ ", "@ NS+ ", {""}},
    {"unsigned delegation",
     "x.child",
     "A",
     "NOERROR",
     "",
     "child NS ",
     {"=child", NULL, "=@ ~child"}},
    {"its DS, which is not there",
     "child",
     "DS",
     "NOERROR",
     "",
     "@ SOA+ ",
     {"=child", NULL, "=@ ~child"}},
    {"unsigned delegation below an empty non-terminal",
     "x.bare.deep",
     "A",
     "NOERROR",
     "",
     "bare.deep NS ",
     {"=bare.deep", NULL, "=@ ~deep"}},
    {"empty non-terminal of unsigned delegations only",
     "deep",
     "A",
     "NOERROR",
     "",
     "@ SOA+ ",
     {"~deep", "=deep", "=@ ~deep"}},
    {"below it",
     "x.deep",
     "A",
     "NXDOMAIN",
     "",
     "@ SOA+ ",
     {"~x.deep ~*.deep", "=deep ~x.deep ~*.deep", "=@ ~deep ~*"}},
    {"signatures asked for", "ns1", "RRSIG", "NOERROR", "ns1 RRSIG ", "@ NS+ ", {""}},
    {"any", "ns1", "ANY", "NOERROR", "ns1 A+ ", "@ NS+ ", {""}},
};

/* ---- the zones ---- */

#define CHAIN_MAX 64

struct bed {
    uint8_t origin[DNS_NAME_MAX];
    struct zonedb *db;
    unsigned count; /* NSEC or NSEC3 records */
    uint8_t owner[CHAIN_MAX][DNS_NAME_MAX], hash[CHAIN_MAX][DNSSEC_NSEC3_HASH_LEN];
    uint16_t iterations, type;
    uint8_t salt_len, salt[255];
};

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    struct bed *b = arg;
    if (rr->type != DNS_TYPE_NSEC && rr->type != DNS_TYPE_NSEC3)
        return 0;
    assert_true(b->count < CHAIN_MAX);
    b->type = rr->type;
    dns_name_lower(b->owner[b->count], rr->owner);
    if (rr->type == DNS_TYPE_NSEC3) {
        assert_true(dnssec_nsec3_label(rr->owner, b->hash[b->count]));
        b->iterations = get_u16(rr->rdata + 2);
        b->salt_len = rr->rdata[4];
        memcpy(b->salt, rr->rdata + 5, b->salt_len);
    }
    b->count++;
    return 0;
}

static void bed_init(struct bed *b, unsigned which)
{
    char path[512];
    struct diag_list d;
    struct zone *z = NULL;
    memset(b, 0, sizeof *b);
    snprintf(path, sizeof path, WAYPOST_SOURCE_DIR "/tests/data/%szone", origins[which]);
    dns_name_parse(b->origin, origins[which], strlen(origins[which]), NULL);
    diag_init(&d);
    struct zonefile_options o = {.origin = b->origin, .default_ttl = 300, .include_depth = 1};
    int err = zonefile_read(path, &o, on_record, b, &d);
    err = err ? err : zone_load(&z, b->origin, path, NULL, 0, &d);
    diag_print(&d, stderr, 0);
    diag_fini(&d);
    assert_int_equal(err, 0);
    b->db = zonedb_new();
    assert_int_equal(zonedb_add(b->db, b->origin, z, 1), 0);
    part_unref(zone_part(z));
    assert_int_equal(zonedb_finish(b->db), 0);
}

static void bed_fini(struct bed *b)
{
    part_unref(zonedb_part(b->db));
}

static void full_name(const struct bed *b, const char *text, uint8_t out[DNS_NAME_MAX])
{
    if (!strcmp(text, "@"))
        dns_name_copy(out, b->origin);
    else
        assert_true(dns_name_parse(out, text, strlen(text), b->origin) > 0);
}

/* Below zero: a is before b in the zone's circle of names or hashes. */
static int order(const struct bed *b, unsigned i, const uint8_t *name, const uint8_t *hash)
{
    return b->type == DNS_TYPE_NSEC ? dns_name_cmp(b->owner[i], name)
                                    : memcmp(b->hash[i], hash, DNSSEC_NSEC3_HASH_LEN);
}

/* The record at the name, or the last one before it (the last of all, when none is). */
static unsigned find_record(const struct bed *b, bool exact, const uint8_t *name, const char *label)
{
    uint8_t hash[DNSSEC_NSEC3_HASH_LEN];
    int best = -1, last = 0;
    dnssec_nsec3_hash(name, b->iterations, b->salt, b->salt_len, hash);
    for (unsigned i = 0; i < b->count; i++) {
        int d = order(b, i, name, hash);
        if ((d == 0) != exact && d == 0)
            fail_msg("%s: a name to be covered has a record", label);
        if (exact && d == 0)
            return i;
        if (d < 0 && (best < 0 || order(b, (unsigned)best, b->owner[i], b->hash[i]) < 0))
            best = (int)i;
        if (order(b, (unsigned)last, b->owner[i], b->hash[i]) < 0)
            last = (int)i;
    }
    if (exact)
        fail_msg("%s: no record at the name", label);
    return (unsigned)(best < 0 ? last : best);
}

/* ---- asking ---- */

struct said {
    uint8_t wire[4096];
    struct arena arena;
    struct dns_msg m;
    struct authority_out out;
};

static void ask(const struct bed *b, const uint8_t *name, uint16_t type, bool dnssec_ok,
                struct said *s)
{
    static struct dns_writer w;
    uint8_t q[512];
    struct dns_query query;
    struct edns e = {.present = true, .dnssec_ok = dnssec_ok, .size = 1232};
    dns_writer_init(&w, q, sizeof q);
    dns_writer_reserve(&w, edns_size(&e));
    dns_writer_question(&w, name, type, DNS_CLASS_IN);
    size_t len = dns_writer_finish(&w, 1, 0, 0, &e, 0);
    assert_int_equal(dns_query_parse(&query, q, len), DNS_VERDICT_OK);
    struct authority_ask a = {.db = b->db, .query = &query, .edns = &e, .limit = sizeof s->wire};
    authority_respond(&a, &w, s->wire, &s->out);
    arena_init(&s->arena, 0, 0);
    assert_int_equal(dns_msg_parse(&s->m, s->wire, s->out.len, &s->arena, 200), 0);
}

static bool is_signed(const struct dns_msg *m, const struct dns_rr *rr)
{
    for (unsigned i = 0; i < m->rr_count; i++)
        if (m->rrs[i].section == rr->section && m->rrs[i].type == DNS_TYPE_RRSIG &&
            get_u16(m->rrs[i].rdata) == rr->type && dns_name_equal(m->rrs[i].owner, rr->owner))
            return true;
    return false;
}

/* Owners and types of a section, sets once, signatures as +, proofs left out. */
static void section_text(const struct bed *b, const struct said *s, uint8_t section, char *out,
                         size_t cap)
{
    size_t n = 0;
    bool sigs_only = s->m.qtype == DNS_TYPE_RRSIG && section == DNS_SECTION_ANSWER;
    *out = 0;
    for (unsigned i = 0; i < s->m.rr_count; i++) {
        const struct dns_rr *rr = &s->m.rrs[i], *before = i ? rr - 1 : NULL;
        char owner[DNS_NAME_TEXT_MAX], type[16];
        if (rr->section != section || rr->type == DNS_TYPE_NSEC || rr->type == DNS_TYPE_NSEC3 ||
            (rr->type == DNS_TYPE_RRSIG && !sigs_only) ||
            (before && before->section == section && before->type == rr->type &&
             dns_name_equal(before->owner, rr->owner)))
            continue;
        dns_name_print(rr->owner, owner);
        size_t keep = strlen(owner);
        if (dns_name_equal(rr->owner, b->origin))
            snprintf(owner, sizeof owner, "@");
        else if (dns_name_is_sub(rr->owner, b->origin)) {
            char zone[DNS_NAME_TEXT_MAX];
            dns_name_print(b->origin, zone);
            owner[keep - strlen(zone) - 1] = 0;
        }
        n += (size_t)snprintf(out + n, cap - n, "%s %s%s ", owner, dns_type_print(rr->type, type),
                              is_signed(&s->m, rr) ? "+" : "");
    }
}

/* Exactly the records of the list, signed, each once. */
static void check_proof(const struct bed *b, const struct said *s, const char *list,
                        const char *label)
{
    bool want[CHAIN_MAX] = {false}, got[CHAIN_MAX] = {false};
    char text[256], *save = NULL;
    snprintf(text, sizeof text, "%s", list);
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        uint8_t name[DNS_NAME_MAX];
        full_name(b, p + 1, name);
        want[find_record(b, *p == '=', name, label)] = true;
    }
    for (unsigned i = 0; i < s->m.rr_count; i++) {
        const struct dns_rr *rr = &s->m.rrs[i];
        if (rr->type != DNS_TYPE_NSEC && rr->type != DNS_TYPE_NSEC3)
            continue;
        unsigned at = 0;
        while (at < b->count && !dns_name_equal(b->owner[at], rr->owner))
            at++;
        if (at == b->count || rr->type != b->type || rr->section != DNS_SECTION_AUTHORITY ||
            got[at] || !is_signed(&s->m, rr))
            fail_msg("%s: a record that is foreign, in the wrong place, twice or unsigned", label);
        got[at] = true;
    }
    for (unsigned i = 0; i < b->count; i++)
        if (got[i] != want[i]) {
            char owner[DNS_NAME_TEXT_MAX];
            fail_msg("%s: %s is %s", label, dns_name_print(b->owner[i], owner) ? owner : "",
                     got[i] ? "too much" : "missing");
        }
}

static void check_row(const struct bed *b, unsigned which, size_t i)
{
    struct said s;
    uint8_t name[DNS_NAME_MAX];
    char label[160], answer[512], authority[512], rcode[32];
    const char *proof = NULL;
    for (unsigned j = 0; j <= which; j++)
        proof = rows[i].proof[j] ? rows[i].proof[j] : proof;
    snprintf(label, sizeof label, "%s%s", origins[which], rows[i].label);
    full_name(b, rows[i].qname, name);
    ask(b, name, (uint16_t)dns_type_parse(rows[i].qtype, strlen(rows[i].qtype)), true, &s);
    section_text(b, &s, DNS_SECTION_ANSWER, answer, sizeof answer);
    section_text(b, &s, DNS_SECTION_AUTHORITY, authority, sizeof authority);
    dns_rcode_print(s.m.rcode, rcode);
    if (strcmp(rcode, rows[i].rcode) != 0 || strcmp(answer, rows[i].answer) != 0 ||
        strcmp(authority, rows[i].authority) != 0 || s.out.tc)
        fail_msg("%s: %s, answer '%s', authority '%s'", label, rcode, answer, authority);
    check_proof(b, &s, proof, label);
    arena_fini(&s.arena);
}

static void with_do(void **state)
{
    (void)state;
    for (unsigned which = 0; which < ZONES; which++) {
        struct bed *b = malloc(sizeof *b);
        bed_init(b, which);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            check_row(b, which, i);
        bed_fini(b);
        free(b);
    }
}

/* RFC 4035 3.1: without DO nothing of all this, unless asked for by type. */
static void without_do(void **state)
{
    (void)state;
    for (unsigned which = 0; which < ZONES; which++) {
        struct bed *b = malloc(sizeof *b);
        bed_init(b, which);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct said s;
            uint8_t name[DNS_NAME_MAX];
            uint16_t type = (uint16_t)dns_type_parse(rows[i].qtype, strlen(rows[i].qtype));
            char rcode[32];
            full_name(b, rows[i].qname, name);
            ask(b, name, type, false, &s);
            for (unsigned n = 0; n < s.m.rr_count; n++) {
                uint16_t t = s.m.rrs[n].type;
                if (t != type && (t == DNS_TYPE_RRSIG || t == DNS_TYPE_NSEC ||
                                  t == DNS_TYPE_NSEC3 || t == DNS_TYPE_DS))
                    fail_msg("%s%s: type %u without DO", origins[which], rows[i].label, t);
            }
            dns_rcode_print(s.m.rcode, rcode);
            assert_string_equal(rcode, rows[i].rcode);
            arena_fini(&s.arena);
        }
        bed_fini(b);
        free(b);
    }
}

/* RFC 5155 7.2.8: the owners of NSEC3 records do not exist as names; NSEC's do. */
static void owners_of_proofs(void **state)
{
    (void)state;
    for (unsigned which = 0; which < ZONES; which++) {
        struct bed *b = malloc(sizeof *b);
        bed_init(b, which);
        for (unsigned i = 0; i < b->count; i++) {
            struct said s;
            char text[DNS_NAME_TEXT_MAX], proof[300], answer[512];
            ask(b, b->owner[i], b->type, true, &s);
            section_text(b, &s, DNS_SECTION_ANSWER, answer, sizeof answer);
            if (which == NSEC) {
                assert_int_equal(s.m.rcode, DNS_RCODE_NOERROR);
                /* a cut's own NSEC too is the parent's to give, but a referral goes first */
                assert_true(s.m.counts[DNS_SECTION_ANSWER] == 2 || s.out.is_referral);
            } else {
                assert_int_equal(s.m.rcode, DNS_RCODE_NXDOMAIN);
                assert_string_equal(answer, "");
                text[0] = 0;
                dns_name_print(b->owner[i], text);
                snprintf(proof, sizeof proof, "=@ ~%.32s ~*", text);
                check_proof(b, &s, proof, text);
            }
            arena_fini(&s.arena);
        }
        bed_fini(b);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(with_do), cmocka_unit_test(without_do),
                                       cmocka_unit_test(owners_of_proofs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
