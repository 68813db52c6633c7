/* folders: authority */
/* Plain answers say what the general way would have said: random questions to zones with all that
 * can be in the way, answered by both and taken apart. */
#include "authority/plain.h"
#include "authority/zone.h"
#include "base/rng.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { QUESTIONS = 30000 };

static const char zone_text[] = "$TTL 300\n"
                                "@ SOA ns1 h.mail 7 1 1 1 60\n"
                                "@ NS ns1\n@ MX 10 mail\n@ A 192.0.2.3\n"
                                "ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n"
                                "www A 192.0.2.80\nwww TXT \"one\" \"two\"\n"
                                "$GENERATE 1-40 many A 192.0.2.$\n"
                                "alias CNAME www\n"
                                "*.wild TXT \"w\"\nsub.wild A 192.0.2.9\n*.wild A 192.0.2.10\n"
                                "*.named CNAME www\n*.served NS ns.served\n"
                                "host.ent A 192.0.2.7\n"
                                "child NS ns.child\nns.child A 192.0.2.53\n"
                                "old DNAME other.\n"
                                "srv SRV 0 0 80 www\n"
                                "steered A 192.0.2.200\nsteered TXT \"zone's\"\n";
/* The origin is in none of the SOA's names. */
static const char far_text[] = "$TTL 300\n@ SOA ns.example. h.example. 1 1 1 1 30\n"
                               "@ NS ns1.example.\na A 192.0.2.1\n";
/* One label of the origin may be asked for as it is written, and the other not. */
static const char deep_text[] = "$TTL 300\n@ SOA NS h.mail.example. 1 1 1 1 30\n"
                                "@ NS ns1.example.\na A 192.0.2.1\n";
static const char signed_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\na A 192.0.2.1\n"
    "a RRSIG A 8 2 300 20300101000000 20200101000000 1 @ AAAA\n";
static const char root_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\na A 192.0.2.1\n";
static const char dname_text[] =
    "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns1.example.\n@ DNAME example.\n@ A 192.0.2.4\n";

static const char *const names[] = {"example.",
                                    "www.example.",
                                    "WwW.exAmple.",
                                    "many.example.",
                                    "alias.example.",
                                    "no.example.",
                                    "no.Example.",
                                    "a.b.c.no.example.",
                                    "x.ns1.example.",
                                    "x.wild.example.",
                                    "sub.wild.example.",
                                    "y.sub.wild.example.",
                                    "x.y.wild.Example.",
                                    "*.wild.example.",
                                    "x.named.example.",
                                    "x.served.example.",
                                    "x.turned.example.",
                                    "x.Y.turned.example.",
                                    "ent.example.",
                                    "x.ent.example.",
                                    "child.example.",
                                    "x.child.example.",
                                    "old.example.",
                                    "x.old.example.",
                                    "srv.example.",
                                    "steered.example.",
                                    "STEERED.example.",
                                    "only.example.",
                                    "far.",
                                    "a.far.",
                                    "none.far.",
                                    "a.deep.example.",
                                    "none.deep.example.",
                                    "none.DEEP.example.",
                                    "signed.",
                                    "a.signed.",
                                    "none.signed.",
                                    "a.",
                                    "none.",
                                    ".",
                                    "dname.",
                                    "x.dname.",
                                    "mail.example.",
                                    "h.mail.example.",
                                    "\\000\\001.example."};
static const uint16_t types[] = {DNS_TYPE_A,   DNS_TYPE_AAAA, DNS_TYPE_TXT,   DNS_TYPE_MX,
                                 DNS_TYPE_NS,  DNS_TYPE_SOA,  DNS_TYPE_CNAME, DNS_TYPE_DS,
                                 DNS_TYPE_ANY, DNS_TYPE_SRV,  DNS_TYPE_RRSIG, DNS_TYPE_HTTPS};

/* ---- who decides ---- */

enum id { STEERED, ONLY, TURNED, ID_COUNT };
static const uint16_t steered_types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_SRV};
static const struct dynamic_name steered[ID_COUNT] = {
    {(const uint8_t *)"\7steered\7example", STEERED, false, steered_types, 3, "c.yaml", 1},
    {(const uint8_t *)"\4only\7example", ONLY, false, steered_types, 3, "c.yaml", 2},
    {(const uint8_t *)"\1*\6turned\7example", TURNED, false, steered_types, 3, "c.yaml", 3},
};

struct script {
    struct dynamic dynamic;
    unsigned turns; /* decisions that were not again */
};

static void decide(struct dynamic *d, const struct dynamic_ask *ask, struct dynamic_answer *out)
{
    struct script *s = (struct script *)(void *)d;
    static const uint8_t two[] = "\0\4\300\0\2\120\0\4\300\0\2\121";
    s->turns += !ask->again;
    *out = (struct dynamic_answer){.verdict = DYNAMIC_STATIC, .scope = 17};
    if (ask->qtype == DNS_TYPE_A || ask->qtype == DNS_TYPE_ANY) {
        out->verdict = DYNAMIC_SET;
        out->ttl = 30;
        out->set = (struct dns_rrset){
            .rdata = two, .size = sizeof two - 1, .type = DNS_TYPE_A, .count = 2};
    } else if (ask->qtype == DNS_TYPE_AAAA) {
        out->verdict = DYNAMIC_NODATA;
        out->ttl = 20;
    } else if (ask->qtype == DNS_TYPE_SRV) {
        out->verdict = ask->id == ONLY ? DYNAMIC_REFUSED : DYNAMIC_FAILED;
    }
}

/* ---- the two ways ---- */

static struct zonedb *make_db(bool root)
{
    const struct {
        const char *origin, *text;
        size_t len;
        unsigned steered;
    } zones[] = {{"\7example", zone_text, sizeof zone_text - 1, ID_COUNT},
                 {"\3far", far_text, sizeof far_text - 1, 0},
                 {"\4deep\7example", deep_text, sizeof deep_text - 1, 0},
                 {"\6signed", signed_text, sizeof signed_text - 1, 0},
                 {"\5dname", dname_text, sizeof dname_text - 1, 0},
                 {"", root_text, sizeof root_text - 1, 0}};
    struct zonedb *db = zonedb_new();
    struct diag_list d;
    diag_init(&d);
    for (size_t i = 0; i < sizeof zones / sizeof *zones - !root; i++) {
        struct zone *z;
        if (zone_load_mem(&z, (const uint8_t *)zones[i].origin, "t", zones[i].text, zones[i].len,
                          steered, zones[i].steered, &d)) {
            diag_print(&d, stderr, 0);
            fail();
        }
        assert_int_equal(zonedb_add(db, (const uint8_t *)zones[i].origin, z, 1), 0);
        part_unref(zone_part(z));
    }
    assert_int_equal(zonedb_finish(db), 0);
    diag_fini(&d);
    return db;
}

/* As resolvers do that want their questions back octet for octet. */
static void mix_case(struct rng *r, uint8_t *name)
{
    for (size_t i = 0, len = dns_name_len(name); i < len; i++) {
        uint8_t low = name[i] | 0x20; /* no length octet is a letter */
        if (low >= 'a' && low <= 'z' && rng_below(r, 2))
            name[i] ^= 0x20;
    }
}

static size_t make_query(struct rng *r, uint8_t *packet, char *text)
{
    uint8_t name[DNS_NAME_MAX];
    struct dns_writer w;
    const char *label = names[rng_below(r, sizeof names / sizeof *names)];
    uint16_t type = types[rng_below(r, rng_below(r, 2) ? 3 : sizeof types / sizeof *types)];
    struct edns e = {.present = rng_below(r, 4) != 0, .size = (uint16_t)rng_below(r, 2000)};
    e.dnssec_ok = !rng_below(r, 3);
    e.nsid = !rng_below(r, 8);
    if (!rng_below(r, 3)) {
        e.subnet = (struct edns_subnet){.family = 1, .source = 24, .ip = {203, 0, 113}};
        e.subnet.unspecified = !rng_below(r, 8);
        if (e.subnet.unspecified)
            e.subnet = (struct edns_subnet){.family = 1, .unspecified = true};
    }
    e.cookie_len = rng_below(r, 4) ? 0 : 8;
    bool mixed = rng_below(r, 2);
    snprintf(text, 128, "%s type %u do %d ecs %d mixed %d", label, type, e.dnssec_ok,
             e.subnet.family, mixed);
    dns_name_parse(name, label, strlen(label), NULL);
    if (mixed)
        mix_case(r, name);
    dns_writer_init(&w, packet, 512);
    dns_writer_question(&w, name, type, DNS_CLASS_IN);
    return dns_writer_finish(&w, rng_u16(r), rng_below(r, 2) ? DNS_FLAG_RD : DNS_FLAG_CD, 0, &e, 0);
}

static bool same_records(const struct dns_msg *a, const struct dns_msg *b)
{
    if (a->rr_count != b->rr_count || memcmp(a->counts, b->counts, sizeof a->counts) != 0)
        return false;
    for (unsigned i = 0; i < a->rr_count; i++) {
        const struct dns_rr *x = &a->rrs[i], *y = &b->rrs[i];
        if (!dns_name_equal(x->owner, y->owner) || x->type != y->type || x->cls != y->cls ||
            x->ttl != y->ttl || x->section != y->section || x->rdlen != y->rdlen ||
            memcmp(x->rdata, y->rdata, x->rdlen) != 0)
            return false;
    }
    return true;
}

static bool same_edns(const struct edns *a, const struct edns *b)
{
    return a->present == b->present && a->size == b->size && a->dnssec_ok == b->dnssec_ok &&
           edns_subnet_equal(&a->subnet, &b->subnet) && a->subnet.scope == b->subnet.scope &&
           a->subnet.unspecified == b->subnet.unspecified && a->cookie_len == b->cookie_len &&
           !memcmp(a->cookie, b->cookie, a->cookie_len) && a->nsid_len == b->nsid_len;
}

static void same_message(const char *what, const uint8_t *plain, size_t len, const uint8_t *general,
                         size_t general_len)
{
    struct arena arena;
    struct dns_msg a, b;
    arena_init(&arena, 0, 0);
    assert_int_equal(dns_msg_parse(&b, general, general_len, &arena, 200), 0);
    if (dns_msg_parse(&a, plain, len, &arena, 200) || a.id != b.id || a.flags != b.flags ||
        a.rcode != b.rcode || a.qtype != b.qtype || a.qclass != b.qclass ||
        memcmp(a.qname, b.qname, dns_name_len(b.qname)) != 0)
        fail_msg("%s: another header or question", what);
    if (!same_records(&a, &b))
        fail_msg("%s: other records", what);
    if (!same_edns(&a.edns, &b.edns))
        fail_msg("%s: another OPT", what);
    arena_fini(&arena);
}

/* What the answer's OPT says, as daemon/route has it. */
static struct edns answer_edns(const struct dns_query *q)
{
    struct edns e = {.present = true, .size = 1232, .dnssec_ok = q->edns.dnssec_ok};
    e.subnet = q->edns.subnet;
    if (q->edns.cookie_len) {
        memset(e.cookie, 7, 24);
        e.cookie_len = 24;
    }
    if (q->edns.nsid) {
        e.nsid = true;
        e.nsid_data = (const uint8_t *)"here";
        e.nsid_len = 4;
    }
    return e;
}

enum kind {
    POSITIVE,
    NEGATIVE,
    MIXED_NEGATIVE,
    WILD,
    STEERED_SET,
    STEERED_NONE,
    STEERED_WILD,
    LEFT,
    KINDS
};

static enum kind ask_both(struct rng *r, const struct zonedb *db)
{
    static struct dns_writer w;
    static uint8_t general[65536], plain[65536];
    static const size_t limits[] = {512, 512, 1232, 1232, 65535};
    static const struct addr client = {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 9}, .family = 4};
    struct script script = {.dynamic.decide = decide};
    uint8_t packet[512];
    char text[128];
    struct dns_query q;
    assert_int_equal(dns_query_parse(&q, packet, make_query(r, packet, text)), DNS_VERDICT_OK);
    struct edns e = answer_edns(&q);
    size_t limit = rng_below(r, 4) ? limits[rng_below(r, 5)] : 60 + rng_below(r, 200);
    limit = limit < q.question_end + 60u ? q.question_end + 60u : limit;
    struct authority_ask ask = {.db = db,
                                .query = &q,
                                .edns = q.edns.present ? &e : NULL,
                                .limit = limit,
                                .dynamic = &script.dynamic,
                                .client = &client,
                                .minimal = rng_below(r, 4) != 0,
                                .recursion_available = rng_below(r, 2)};
    struct authority_out out;
    enum authority_result result = authority_respond(&ask, &w, general, &out);
    bool bare = !q.edns.cookie_len && !q.edns.nsid;
    uint16_t rcode = 99;
    script.turns = 0;
    if (bare)
        ask.edns = NULL;
    size_t len = authority_plain(&ask, 1232, plain, &rcode);
    if (script.turns > 1 || (script.turns && !len && !ask.again))
        fail_msg("%s: decided %u times, again %d", text, script.turns, ask.again);
    if (!len)
        return LEFT;
    if (result != AUTHORITY_DONE || out.tc || len > limit || rcode != out.rcode)
        fail_msg("%s: not plain (limit %zu)", text, limit);
    same_message(text, plain, len, general, out.len);
    if (len < out.len || (len == out.len && memcmp(plain, general, len) != 0))
        fail_msg("%s: other octets", text);
    bool wild = !strncmp(text, "x.", 2); /* no such name has records of its own */
    if (!w.counts[DNS_SECTION_ANSWER])
        return script.turns                      ? STEERED_NONE
               : plain[q.question_end] - 1u < 63 ? MIXED_NEGATIVE /* an owner that is no pointer */
                                                 : NEGATIVE;
    if (script.turns)
        return wild ? STEERED_WILD : STEERED_SET;
    return wild ? WILD : POSITIVE;
}

static void says_the_same(void **state)
{
    (void)state;
    static const unsigned least[KINDS] = {1000, 1000, 100, 100, 100, 25, 100, 5000};
    for (int root = 0; root < 2; root++) {
        struct zonedb *db = make_db(root);
        struct rng r;
        unsigned seen[KINDS] = {0};
        rng_init_fixed(&r, 11 + (uint64_t)root);
        for (unsigned i = 0; i < QUESTIONS; i++)
            seen[ask_both(&r, db)]++;
        for (unsigned k = 0; k < KINDS; k++)
            if (seen[k] < least[k])
                fail_msg("kind %u was seen %u times only", k, seen[k]);
        part_unref(zonedb_part(db));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(says_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
