/* folders: authority */
/* wrap: malloc calloc realloc */
/* Steered names: where they stand in a zone's tree, what is said of bad ones, and what becomes of
 * each verdict, with the scope of the answer. Who decides is a script. */
#include "authority/respond.h"
#include "authority/zone.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- counting ---- */

static unsigned heap_calls;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__wrap_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    heap_calls++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
    heap_calls++;
    return __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
    heap_calls++;
    return __real_realloc(p, n);
}

/* ---- zones and names ---- */

static const char zone_text[] =
    "$TTL 300\n"
    "@ SOA ns1 h 7 1 1 1 60\n"
    "@ NS ns1\n@ MX 10 geo\n"
    "ns1 A 192.0.2.1\n"
    "geo A 192.0.2.10\ngeo AAAA 2001:db8::10\ngeo TXT \"zone\"\n"
    "geo DS 1 8 3 00\n"
    "togeo CNAME geo\ntorefused CNAME refused\ntobroken CNAME x.broken.\n"
    "child NS ns.child\nns.child A 192.0.2.53\n"
    "dele NS geo\n"
    "*.wild TXT \"w\"\n"
    "back CNAME ns1\n";
static const char other_text[] = "$TTL 300\n@ SOA ns h 1 1 1 1 30\n@ NS ns.other.\nns A 192.0.2.2\n"
                                 "www A 198.51.100.1\n";

enum id {
    GEO,
    ANYWILD,
    DEEP,
    ALIAS,
    INWILD,
    REFUSED,
    FAILED,
    MAIL,
    AWAY,
    APEX,
    BACK,
    WILDALIAS,
    OTHER,
    ID_COUNT
};
static const uint16_t addresses[] = {DNS_TYPE_A, DNS_TYPE_AAAA}, cname[] = {DNS_TYPE_CNAME},
                      mx[] = {DNS_TYPE_MX};
#define NAME(id, owner, alias, types)                                                          \
    {                                                                                          \
        (const uint8_t *)(owner), id, alias, types, sizeof(types) / sizeof *(types), "c.yaml", \
            id + 1                                                                             \
    }
static const struct dynamic_name names[] = {
    NAME(GEO, "\3geo\7example", false, addresses),
    NAME(ANYWILD, "\1*\3any\7example", false, addresses),
    NAME(DEEP, "\4deep\2er\3ent\7example", false, addresses),
    NAME(ALIAS, "\5alias\7example", true, cname),
    NAME(INWILD, "\2in\4wild\7example", false, addresses),
    NAME(REFUSED, "\7refused\7example", false, addresses),
    NAME(FAILED, "\6failed\7example", false, addresses),
    NAME(MAIL, "\4mail\7example", false, mx),
    NAME(AWAY, "\4away\7example", true, cname),
    NAME(APEX, "\7example", false, addresses),
    NAME(BACK, "\4back\7example", true, cname),
    NAME(WILDALIAS, "\1*\2wa\7example", true, cname),
    NAME(OTHER, "\5other\7example", true, cname),
};

/* ---- who decides ---- */

#define A_80   "\0\4\300\0\2\120"
#define TO_GEO "\0\x0d\3geo\7example"
#define SET(s) (const uint8_t *)(s), sizeof(s)
#define RD(s)  (const uint8_t *)(s), sizeof(s) - 1
static const struct pick {
    uint32_t id;
    uint16_t qtype; /* 0: every other */
    enum dynamic_verdict verdict;
    uint16_t type, count;
    const uint8_t *rdata;
    uint32_t size, ttl;
    uint8_t scope;
    const char *why;
} picks[] = {
    {GEO, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 2, RD(A_80 "\0\4\300\0\2\121"), 30, 20, NULL},
    {GEO, DNS_TYPE_AAAA, DYNAMIC_NODATA, 0, 0, NULL, 0, 15, 16, "no member of this family"},
    {GEO, DNS_TYPE_ANY, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 86400, 20, NULL},
    {GEO, 0, DYNAMIC_STATIC, 0, 0, NULL, 0, 0, 0, NULL},
    {ANYWILD, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 8, NULL},
    {ANYWILD, DNS_TYPE_AAAA, DYNAMIC_NODATA, 0, 0, NULL, 0, 3600, 8, NULL},
    {DEEP, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 0, "pool de, all members up"},
    {ALIAS, 0, DYNAMIC_SET, DNS_TYPE_CNAME, 1, SET(TO_GEO), 30, 24, NULL},
    {INWILD, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 0, NULL},
    {REFUSED, DNS_TYPE_A, DYNAMIC_REFUSED, 0, 0, NULL, 0, 0, 24, "not for this place"},
    {FAILED, DNS_TYPE_A, DYNAMIC_FAILED, 0, 0, NULL, 0, 0, 24, NULL},
    {MAIL, DNS_TYPE_MX, DYNAMIC_SET, DNS_TYPE_MX, 1, SET("\0\x0f\0\1\3ns1\7example"), 30, 4, NULL},
    {AWAY, 0, DYNAMIC_SET, DNS_TYPE_CNAME, 1, SET("\0\x0f\3www\11elsewhere"), 30, 24, NULL},
    {APEX, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 12, NULL},
    {BACK, 0, DYNAMIC_STATIC, 0, 0, NULL, 0, 0, 11, NULL},
    {WILDALIAS, 0, DYNAMIC_SET, DNS_TYPE_CNAME, 1, SET(TO_GEO), 30, 5, NULL},
    {OTHER, 0, DYNAMIC_SET, DNS_TYPE_CNAME, 1, SET("\0\x0b\3www\5other"), 30, 24, NULL},
};

static const struct addr client = {.ip = {[10] = 0xff, 0xff, 127, 0, 0, 9}, .family = 4};

struct script {
    struct dynamic dynamic;
    const struct dynamic_name *names; /* by id */
    const struct pick *picks;
    size_t count;
    unsigned asked;
    uint8_t owner[DNS_NAME_MAX], qname[DNS_NAME_MAX];
    const struct edns_subnet *subnet;
};

static void decide(struct dynamic *d, const struct dynamic_ask *ask, struct dynamic_answer *out)
{
    struct script *s = (struct script *)(void *)d;
    s->asked++;
    s->subnet = ask->subnet;
    dns_name_copy(s->owner, ask->owner);
    dns_name_copy(s->qname, ask->qname);
    assert_ptr_equal(ask->client, &client);
    assert_true(ask->id < ID_COUNT && dns_name_equal(ask->owner, s->names[ask->id].owner));
    *out = (struct dynamic_answer){.verdict = DYNAMIC_STATIC};
    for (size_t i = 0; i < s->count; i++) {
        const struct pick *p = &s->picks[i];
        if (p->id != ask->id || (p->qtype && p->qtype != ask->qtype))
            continue;
        *out = (struct dynamic_answer){
            .verdict = p->verdict,
            .set = {.rdata = p->rdata, .size = p->size, .type = p->type, .count = p->count},
            .ttl = p->ttl,
            .scope = p->scope,
            .why = p->why};
        return;
    }
}

/* ---- one question ---- */

enum opt { BARE, OPT, DNSSEC, V4, V6, NONE }; /* no EDNS, bare, DO, subnets of /24, /56, /0 */
static const struct edns_subnet subnets[] = {[V4] = {1, 24, 0, {198, 51, 100}},
                                             [V6] = {2, 56, 0, {0x20, 1, 0x0d, 0xb8}},
                                             [NONE] = {2, 0, 0, {0}}};

struct asked {
    enum authority_result result;
    struct authority_out out;
    struct script script;
    struct dns_msg m;
    struct arena a;
    uint8_t query[512], answer[4096];
    struct dns_query q;
};

static struct zonedb *make_db(void)
{
    struct zonedb *db = zonedb_new();
    struct diag_list d;
    struct zone *z;
    diag_init(&d);
    if (zone_load_mem(&z, (const uint8_t *)"\7example", "t", zone_text, sizeof zone_text - 1, names,
                      sizeof names / sizeof *names, &d)) {
        diag_print(&d, stderr, 0);
        fail();
    }
    assert_int_equal(zonedb_add(db, (const uint8_t *)"\7example", z, 1), 0);
    part_unref(zone_part(z));
    assert_int_equal(zone_load_mem(&z, (const uint8_t *)"\5other", "t", other_text,
                                   sizeof other_text - 1, NULL, 0, &d),
                     0);
    assert_int_equal(zonedb_add(db, (const uint8_t *)"\5other", z, 1), 0);
    part_unref(zone_part(z));
    assert_int_equal(zonedb_add(db, (const uint8_t *)"\6broken", NULL, 1), 0);
    assert_int_equal(zonedb_finish(db), 0);
    diag_fini(&d);
    return db;
}

static void ask_of(struct asked *k, const struct zonedb *db, const struct script *script,
                   const char *qname, const char *qtype, enum opt opt, bool completes, bool minimal,
                   size_t limit)
{
    static struct dns_writer w;
    uint8_t name[DNS_NAME_MAX];
    struct edns e = {.present = opt != BARE, .size = 1232};
    e.dnssec_ok = opt == DNSSEC;
    if (opt > DNSSEC)
        e.subnet = subnets[opt];
    dns_name_parse(name, qname, strlen(qname), NULL);
    dns_writer_init(&w, k->query, sizeof k->query);
    dns_writer_question(&w, name, (uint16_t)dns_type_parse(qtype, strlen(qtype)), DNS_CLASS_IN);
    size_t len = dns_writer_finish(&w, 1, 0, 0, &e, 0);
    assert_int_equal(dns_query_parse(&k->q, k->query, len), DNS_VERDICT_OK);
    k->script = *script;
    struct authority_ask a = {.db = db,
                              .query = &k->q,
                              .edns = e.present ? &e : NULL,
                              .dynamic = &k->script.dynamic,
                              .client = &client,
                              .limit = limit,
                              .minimal = minimal,
                              .completes = completes};
    heap_calls = 0;
    k->result = authority_respond(&a, &w, k->answer, &k->out);
    assert_int_equal(heap_calls, 0);
    arena_init(&k->a, 0, 0);
    assert_int_equal(dns_msg_parse(&k->m, k->answer, k->out.len, &k->a, 100), 0);
}

static void ask(struct asked *k, const struct zonedb *db, const char *qname, const char *qtype,
                enum opt opt, bool completes, bool minimal, size_t limit)
{
    static const struct script script = {
        .dynamic = {decide}, .names = names, .picks = picks, .count = sizeof picks / sizeof *picks};
    ask_of(k, db, &script, qname, qtype, opt, completes, minimal, limit);
}

/* "owner TTL TYPE rdata|", of a SOA only the TTL. */
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
        n += (size_t)snprintf(out + n, cap - n, "%s %s %s%s%s|", owner, ttl, type, soa ? "" : " ",
                              soa ? "" : line + at);
    }
}

#define GEO_A   "geo.example. 30 A 192.0.2.80|geo.example. 30 A 192.0.2.81|"
#define TOGEO   "togeo.example. 300 CNAME geo.example.|"
#define ALIASED "alias.example. 30 CNAME geo.example.|"
#define AA      DNS_FLAG_AA

static const struct {
    const char *label, *qname, *qtype;
    enum opt opt;
    bool completes;
    unsigned asked;
    const char *rcode;
    int flags;
    const char *answer, *authority;
    int scope;       /* -1: no subnet in the answer */
    const char *why; /* NULL: no extended error */
    int result;
} rows[] = {
    {"exact", "geo.example.", "A", V4, false, 1, "NOERROR", AA, GEO_A, "", 20, NULL, 0},
    {"any case, as asked", "GEO.example.", "A", V4, false, 1, "NOERROR", AA,
     "GEO.example. 30 A 192.0.2.80|GEO.example. 30 A 192.0.2.81|", "", 20, NULL, 0},
    {"IPv6 subnet", "geo.example.", "A", V6, false, 1, "NOERROR", AA, GEO_A, "", 20, NULL, 0},
    {"subnet of no bits: nothing was looked at", "geo.example.", "A", NONE, false, 1, "NOERROR", AA,
     GEO_A, "", 0, NULL, 0},
    {"no subnet asked", "geo.example.", "A", OPT, false, 1, "NOERROR", AA, GEO_A, "", -1, NULL, 0},
    {"no EDNS", "geo.example.", "A", BARE, false, 1, "NOERROR", AA, GEO_A, "", -1, NULL, 0},
    {"a branch without this type", "geo.example.", "AAAA", V4, false, 1, "NOERROR", AA, "",
     "example. 15 SOA|", 16, "no member of this family", 0},
    {"the reason needs EDNS", "geo.example.", "AAAA", BARE, false, 1, "NOERROR", AA, "",
     "example. 15 SOA|", -1, NULL, 0},
    {"a type that is the zone's", "geo.example.", "TXT", V4, false, 1, "NOERROR", AA,
     "geo.example. 300 TXT \"zone\"|", "", 0, NULL, 0},
    {"a type that is nobody's", "geo.example.", "CAA", V4, false, 1, "NOERROR", AA, "",
     "example. 60 SOA|", 0, NULL, 0},
    {"proofs and keys are never steered", "geo.example.", "DS", V4, false, 0, "NOERROR", AA,
     "geo.example. 300 DS 1 8 3 00|", "", 0, NULL, 0},
    {"signatures neither", "geo.example.", "RRSIG", V4, false, 0, "NOERROR", AA, "",
     "example. 60 SOA|", 0, NULL, 0},
    {"ANY is what is chosen, no longer than another (RFC 8482)", "geo.example.", "ANY", V4, false,
     1, "NOERROR", AA, "geo.example. 3600 A 192.0.2.80|", "", 20, NULL, 0},
    {"wildcard", "a.any.example.", "A", V4, false, 1, "NOERROR", AA,
     "a.any.example. 30 A 192.0.2.80|", "", 8, NULL, 0},
    {"wildcard, labels down", "a.b.any.example.", "A", V4, false, 1, "NOERROR", AA,
     "a.b.any.example. 30 A 192.0.2.80|", "", 8, NULL, 0},
    {"wildcard asked for itself", "*.any.example.", "A", V4, false, 1, "NOERROR", AA,
     "*.any.example. 30 A 192.0.2.80|", "", 8, NULL, 0},
    {"wildcard without data: the zone's own negative TTL is less", "a.any.example.", "AAAA", V4,
     false, 1, "NOERROR", AA, "", "example. 60 SOA|", 8, NULL, 0},
    {"wildcard, a type that is not steered", "a.any.example.", "TXT", V4, false, 1, "NOERROR", AA,
     "", "example. 60 SOA|", 0, NULL, 0},
    {"above a steered wildcard", "any.example.", "A", V4, false, 0, "NOERROR", AA, "",
     "example. 60 SOA|", 0, NULL, 0},
    {"empty non-terminal", "ent.example.", "A", V4, false, 0, "NOERROR", AA, "", "example. 60 SOA|",
     0, NULL, 0},
    {"empty non-terminal below", "er.ent.example.", "A", OPT, false, 0, "NOERROR", AA, "",
     "example. 60 SOA|", -1, NULL, 0},
    {"beside an empty non-terminal's child", "x.er.ent.example.", "A", V4, false, 0, "NXDOMAIN", AA,
     "", "example. 60 SOA|", 0, NULL, 0},
    {"without records, with a reason", "deep.er.ent.example.", "A", V4, false, 1, "NOERROR", AA,
     "deep.er.ent.example. 30 A 192.0.2.80|", "", 0, "pool de, all members up", 0},
    {"blocks the zone's wildcard", "in.wild.example.", "TXT", V4, false, 1, "NOERROR", AA, "",
     "example. 60 SOA|", 0, NULL, 0},
    {"blocks it below as well", "x.in.wild.example.", "TXT", V4, false, 0, "NXDOMAIN", AA, "",
     "example. 60 SOA|", 0, NULL, 0},
    {"the wildcard stands for others", "x.wild.example.", "TXT", V4, false, 0, "NOERROR", AA,
     "x.wild.example. 300 TXT \"w\"|", "", 0, NULL, 0},
    {"apex", "example.", "A", V4, false, 1, "NOERROR", AA, "example. 30 A 192.0.2.80|", "", 12,
     NULL, 0},
    {"apex, what is the zone's", "example.", "NS", V4, false, 1, "NOERROR", AA,
     "example. 300 NS ns1.example.|", "", 0, NULL, 0},
    {"refused", "refused.example.", "A", V4, false, 1, "REFUSED", 0, "", "", 0,
     "not for this place", 0},
    {"refused at the end of an alias: no records", "torefused.example.", "A", V4, false, 1,
     "REFUSED", 0, "", "", 0, "not for this place", 0},
    {"nothing known yet", "failed.example.", "A", V4, false, 1, "SERVFAIL", 0, "", "", 0, NULL, 0},
    {"a zone that is not there", "x.broken.", "A", V4, false, 0, "SERVFAIL", 0, "", "", 0,
     "the zone could not be loaded", 0},
    {"an alias into it", "tobroken.example.", "A", V4, false, 0, "SERVFAIL", 0, "", "", 0,
     "the zone could not be loaded", 0},
    {"transfer", "example.", "AXFR", V4, false, 0, "REFUSED", 0, "", "", 0, NULL, 0},
    {"the zone's own alias is followed", "togeo.example.", "A", V4, false, 1, "NOERROR", AA,
     TOGEO GEO_A, "", 20, NULL, 0},
    {"and its target has no data", "togeo.example.", "AAAA", V4, false, 1, "NOERROR", AA, TOGEO,
     "example. 15 SOA|", 16, "no member of this family", 0},
    {"a steered alias is not", "alias.example.", "A", V4, false, 1, "NOERROR", AA, ALIASED, "", 24,
     NULL, 0},
    {"nor without a subnet", "alias.example.", "A", OPT, false, 1, "NOERROR", AA, ALIASED, "", -1,
     NULL, 0},
    {"steered alias, asked for", "alias.example.", "CNAME", V4, false, 1, "NOERROR", AA, ALIASED,
     "", 24, NULL, 0},
    {"steered alias, ANY", "alias.example.", "ANY", V4, true, 1, "NOERROR", AA, ALIASED, "", 24,
     NULL, 0},
    {"steered alias, ANY, the resolver completes", "alias.example.", "ANY", OPT, true, 1, "NOERROR",
     AA, ALIASED, "", -1, NULL, 0},
    {"steered alias, the resolver completes: one scope", "alias.example.", "A", V4, true, 1,
     "NOERROR", AA, ALIASED, "", 24, NULL, 0},
    {"steered alias, the resolver completes: no scope", "alias.example.", "A", OPT, true, 2,
     "NOERROR", AA, ALIASED GEO_A, "", -1, NULL, 0},
    {"to another zone of ours", "other.example.", "A", OPT, true, 1, "NOERROR", AA,
     "other.example. 30 CNAME www.other.|www.other. 300 A 198.51.100.1|", "", -1, NULL, 0},
    {"to another zone of ours, with a subnet", "other.example.", "A", V4, true, 1, "NOERROR", AA,
     "other.example. 30 CNAME www.other.|", "", 24, NULL, 0},
    {"steered alias by a wildcard", "q.wa.example.", "A", V4, false, 1, "NOERROR", AA,
     "q.wa.example. 30 CNAME geo.example.|", "", 5, NULL, 0},
    {"steered alias out of our zones", "away.example.", "A", V4, false, 1, "NOERROR", AA,
     "away.example. 30 CNAME www.elsewhere.|", "", 24, NULL, 0},
    {"out of our zones, the resolver completes", "away.example.", "A", V4, true, 1, "NOERROR", AA,
     "away.example. 30 CNAME www.elsewhere.|", "", 24, NULL, AUTHORITY_LEAVES},
    {"the zone's own alias, chosen for this client", "back.example.", "A", V4, false, 1, "NOERROR",
     AA, "back.example. 300 CNAME ns1.example.|ns1.example. 300 A 192.0.2.1|", "", 11, NULL, 0},
    {"no such name", "no.example.", "A", V4, false, 0, "NXDOMAIN", AA, "", "example. 60 SOA|", 0,
     NULL, 0},
    {"a zone's own name", "ns1.example.", "A", V4, false, 0, "NOERROR", AA,
     "ns1.example. 300 A 192.0.2.1|", "", 0, NULL, 0},
    {"referral", "x.child.example.", "A", V4, false, 0, "NOERROR", 0, "",
     "child.example. 300 NS ns.child.example.|", 0, NULL, AUTHORITY_LEAVES},
};

static void check_row(struct asked *k, size_t i)
{
    char got[2][1024], rcode[16];
    const struct edns *e = &k->m.edns;
    const struct edns_subnet *want = &subnets[rows[i].opt > DNSSEC ? rows[i].opt : V4];
    section_text(&k->m, 1, got[0], sizeof got[0]);
    section_text(&k->m, 2, got[1], sizeof got[1]);
    dns_rcode_print(k->m.rcode, rcode);
    int scope = e->present && e->subnet.family ? e->subnet.scope : -1;
    int result = rows[i].result ? rows[i].result : AUTHORITY_DONE;
    if ((int)k->result != result || strcmp(rcode, rows[i].rcode) != 0 ||
        k->out.rcode != k->m.rcode || (k->m.flags & (DNS_FLAG_AA | DNS_FLAG_TC)) != rows[i].flags ||
        strcmp(got[0], rows[i].answer) != 0 || strcmp(got[1], rows[i].authority) != 0 ||
        scope != rows[i].scope || k->script.asked != rows[i].asked)
        fail_msg("%s: result %d %s flags %04x scope %d asked %u\n%s\n%s", rows[i].label,
                 (int)k->result, rcode, k->m.flags, scope, k->script.asked, got[0], got[1]);
    if (scope >= 0 && (e->subnet.family != want->family || e->subnet.source != want->source ||
                       memcmp(e->subnet.ip, want->ip, sizeof want->ip) != 0))
        fail_msg("%s: another subnet", rows[i].label);
    const char *why = rows[i].why ? rows[i].why : "";
    size_t n = e->present && e->ede_count ? e->ede[0].text_len : 0;
    if (n != strlen(why) || (n && memcmp(e->ede[0].text, why, n) != 0))
        fail_msg("%s: extended error %.*s", rows[i].label, (int)n, n ? e->ede[0].text : "");
}

static void answers(void **state)
{
    static struct asked k;
    struct zonedb *db = make_db();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(&k, db, rows[i].qname, rows[i].qtype, rows[i].opt, rows[i].completes, true,
            sizeof k.answer);
        check_row(&k, i);
        arena_fini(&k.a);
    }
    part_unref(zonedb_part(db));
}

/* What decide is told: the declared owner, the name as it was asked, the subnet of the query. */
static void told(void **state)
{
    static struct asked k;
    struct zonedb *db = make_db();
    (void)state;
    ask(&k, db, "X.any.example.", "A", V4, false, true, sizeof k.answer);
    assert_memory_equal(k.script.owner, "\1*\3any\7example", 14);
    assert_memory_equal(k.script.qname, "\1X\3any\7example", 14);
    assert_ptr_equal(k.script.subnet, &k.q.edns.subnet);
    arena_fini(&k.a);
    ask(&k, db, "togeo.example.", "A", BARE, false, true, sizeof k.answer);
    assert_memory_equal(k.script.qname, "\3geo\7example", 13);
    assert_int_equal(k.script.subnet->family, 0);
    arena_fini(&k.a);
    part_unref(zonedb_part(db));
}

/* Addresses of a steered name hold for other clients than the answer beside which they would be. */
static void additional(void **state)
{
    static struct asked k;
    static const struct {
        const char *label, *qname, *qtype, *additional;
    } at[] = {
        {"mail at a steered name", "example.", "MX", "ns1.example. 300 A 192.0.2.1|"},
        {"steered mail at the zone's name", "mail.example.", "MX", "ns1.example. 300 A 192.0.2.1|"},
        {"servers of the zone", "geo.example.", "A", "ns1.example. 300 A 192.0.2.1|"},
        {"a steered name that serves a zone below", "x.dele.example.", "A", ""},
    };
    struct zonedb *db = make_db();
    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        char got[1024];
        ask(&k, db, at[i].qname, at[i].qtype, BARE, false, false, sizeof k.answer);
        section_text(&k.m, 3, got, sizeof got);
        if (strcmp(got, at[i].additional) != 0 || k.out.tc)
            fail_msg("%s: %s", at[i].label, got);
        arena_fini(&k.a);
    }
    part_unref(zonedb_part(db));
}

/* Room for the subnet is kept, whatever the limit: the set is whole or TC is set. The reason is
 * only given when there is room. */
static void truncates(void **state)
{
    static struct asked k;
    static const struct {
        const char *qname, *qtype;
        unsigned records;
        size_t bare; /* header, question and OPT with the subnet */
    } at[] = {{"geo.example.", "A", 2, 12 + 17 + 11 + 11},
              {"deep.er.ent.example.", "A", 1, 12 + 25 + 11 + 11}};
    struct zonedb *db = make_db();
    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        size_t whole = at[i].bare + at[i].records * 16;
        for (size_t limit = at[i].bare; limit < whole + 40; limit++) {
            ask(&k, db, at[i].qname, at[i].qtype, V4, false, true, limit);
            unsigned answers = 0;
            for (unsigned j = 0; j < k.m.rr_count; j++)
                answers += k.m.rrs[j].section == DNS_SECTION_ANSWER;
            if (k.out.len > limit || k.out.tc != (limit < whole) ||
                answers != (k.out.tc ? 0 : at[i].records) || k.m.edns.subnet.family != 1)
                fail_msg("%s within %zu: %zu octets, tc %d, %u answers", at[i].qname, limit,
                         k.out.len, k.out.tc, answers);
            arena_fini(&k.a);
        }
    }
    ask(&k, db, "deep.er.ent.example.", "A", V4, false, true, sizeof k.answer);
    assert_int_equal(k.m.edns.ede_count, 1);
    arena_fini(&k.a);
    part_unref(zonedb_part(db));
}

/* Nobody decides: the zone's own records. */
static void nobody(void **state)
{
    struct zonedb *db = make_db();
    static struct dns_writer w;
    static struct asked k;
    (void)state;
    ask(&k, db, "geo.example.", "A", BARE, false, true, sizeof k.answer);
    arena_fini(&k.a);
    struct authority_ask a = {.db = db, .query = &k.q, .limit = sizeof k.answer, .minimal = true};
    assert_int_equal(authority_respond(&a, &w, k.answer, &k.out), AUTHORITY_DONE);
    assert_int_equal(w.counts[DNS_SECTION_ANSWER], 1);
    part_unref(zonedb_part(db));
}

/* In a signed zone: what is decided has no signatures, everything else has its proofs, also where a
 * steered name has no place in the chain. */
static void signed_zone(void **state)
{
    static struct asked k;
#define NSEC3_TEST "\5nsec3\4test"
    static const struct dynamic_name in[] = {
        NAME(0, "\4deep\2er\3geo" NSEC3_TEST, false, addresses),
        NAME(1, "\1*\3any" NSEC3_TEST, false, addresses)};
    static const struct pick at[] = {
        {0, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 20, NULL},
        {1, DNS_TYPE_A, DYNAMIC_SET, DNS_TYPE_A, 1, RD(A_80), 30, 20, NULL},
        {0, DNS_TYPE_AAAA, DYNAMIC_NODATA, 0, 0, NULL, 0, 15, 20, NULL},
        {1, DNS_TYPE_AAAA, DYNAMIC_NODATA, 0, 0, NULL, 0, 15, 20, NULL},
    };
    static const struct {
        const char *qname, *qtype;
        unsigned rcode, answers;
        bool proven;
    } rows_in[] = {
        {"deep.er.geo.nsec3.test.", "A", DNS_RCODE_NOERROR, 1, false},
        {"deep.er.geo.nsec3.test.", "AAAA", DNS_RCODE_NOERROR, 0, true},
        {"deep.er.geo.nsec3.test.", "TXT", DNS_RCODE_NOERROR, 0, true},
        {"deep.er.geo.nsec3.test.", "DS", DNS_RCODE_NOERROR, 0, true},
        {"er.geo.nsec3.test.", "A", DNS_RCODE_NOERROR, 0, true},
        {"x.er.geo.nsec3.test.", "A", DNS_RCODE_NXDOMAIN, 0, true},
        {"x.any.nsec3.test.", "A", DNS_RCODE_NOERROR, 1, false},
        {"x.any.nsec3.test.", "AAAA", DNS_RCODE_NOERROR, 0, true},
        {"x.any.nsec3.test.", "TXT", DNS_RCODE_NOERROR, 0, true},
        {"www.nsec3.test.", "A", DNS_RCODE_NOERROR, 2, false}, /* with its signature */
    };
    struct zonedb *db = zonedb_new();
    struct diag_list d;
    struct zone *z;
    (void)state;
    diag_init(&d);
    assert_int_equal(zone_load(&z, (const uint8_t *)NSEC3_TEST,
                               WAYPOST_SOURCE_DIR "/tests/data/nsec3.test.zone", in, 2, &d),
                     0);
    assert_int_equal(zonedb_add(db, (const uint8_t *)NSEC3_TEST, z, 1), 0);
    part_unref(zone_part(z));
    assert_int_equal(zonedb_finish(db), 0);
    for (size_t i = 0; i < sizeof rows_in / sizeof *rows_in; i++) {
        unsigned answers = 0, proofs = 0;
        ask_of(&k, db, &(struct script){.dynamic = {decide}, .names = in, .picks = at, .count = 4},
               rows_in[i].qname, rows_in[i].qtype, DNSSEC, false, true, sizeof k.answer);
        for (unsigned j = 0; j < k.m.rr_count; j++) {
            answers += k.m.rrs[j].section == DNS_SECTION_ANSWER;
            proofs += k.m.rrs[j].type == DNS_TYPE_NSEC3;
        }
        if (k.m.rcode != rows_in[i].rcode || answers != rows_in[i].answers ||
            (proofs != 0) != rows_in[i].proven)
            fail_msg("%s %s: rcode %u, %u answers, %u proofs", rows_in[i].qname, rows_in[i].qtype,
                     k.m.rcode, answers, proofs);
        arena_fini(&k.a);
    }
    part_unref(zonedb_part(db));
    diag_fini(&d);
}

/* ---- at load ---- */

#define HEAD                  "$TTL 1\n@ SOA a. b. 1 1 1 1 1\n@ NS a.b.\n"
#define X(name, alias, types) NAME(0, name "\7example", alias, types)

static const uint16_t both[] = {DNS_TYPE_A, DNS_TYPE_CNAME};
static const struct {
    const char *label, *text;
    struct dynamic_name names[2];
    const char *said; /* NULL: taken without a word */
    bool refused;
} checks[] = {
    {"without records", HEAD, {X("\1x", false, addresses)}, NULL, false},
    {"beside records", HEAD "x A 192.0.2.1\n", {X("\1x", false, addresses)}, NULL, false},
    {"apex", HEAD, {X("", false, addresses)}, NULL, false},
    {"outside the zone",
     HEAD,
     {NAME(6, "\1x\5other", false, addresses)},
     "c.yaml:7: error: x.other. is steered and outside the zone",
     true},
    {"at a cut",
     HEAD "c NS n.c\nn.c A 192.0.2.1\n",
     {X("\1c", false, addresses)},
     "c.yaml:1: error: c.example. is steered and at or below a delegation",
     true},
    {"below a cut",
     HEAD "c NS n.c\nn.c A 192.0.2.1\n",
     {X("\1x\1c", false, addresses)},
     "x.c.example. is steered and at or below a delegation",
     true},
    {"below a DNAME",
     HEAD "d DNAME x.y.\n",
     {X("\1x\1d", false, addresses)},
     "x.d.example. is steered and below a DNAME record",
     true},
    {"at a DNAME", HEAD "d DNAME x.y.\n", {X("\1d", false, addresses)}, NULL, false},
    {"twice",
     HEAD,
     {X("\1x", false, addresses), NAME(3, "\1x\7example", false, mx)},
     "c.yaml:4: error: x.example. is steered twice",
     true},
    {"alias", HEAD, {X("\1x", true, cname)}, NULL, false},
    {"alias at the apex",
     HEAD,
     {X("", true, cname)},
     "c.yaml:1: error: example. is steered to an alias and is the zone's apex",
     true},
    {"alias beside data",
     HEAD "x TXT a\n",
     {X("\1x", true, cname)},
     "x.example. is steered to an alias and has other data",
     true},
    {"alias beside the alias", HEAD "x CNAME y\n", {X("\1x", true, cname)}, NULL, false},
    {"now an alias, now addresses", HEAD, {X("\1x", true, both)}, NULL, false},
    {"now an alias, now addresses, beside an alias",
     HEAD "x CNAME y\n",
     {X("\1x", true, both)},
     "x.example. is steered to other data than an alias and has a CNAME",
     true},
    {"addresses beside an alias",
     HEAD "x CNAME y\n",
     {X("\1x", false, addresses)},
     "x.example. is steered to other data than an alias and has a CNAME",
     true},
    {"an alias, proven",
     HEAD "x CNAME y\nx NSEC y.example. CNAME NSEC\n",
     {X("\1x", true, cname)},
     NULL,
     false},
    {"a signed zone",
     HEAD "@ NSEC example. SOA NS NSEC\n",
     {X("\1x", false, addresses)},
     "warning: example. is signed: answers of steered names are not signed",
     false},
    {"the address of a server", HEAD "@ NS x\n", {X("\1x", false, addresses)}, NULL, false},
};

static int load(struct zone **z, const char *text, const struct dynamic_name *n, unsigned count,
                struct diag_list *d)
{
    *z = NULL;
    return zone_load_mem(z, (const uint8_t *)"\7example", "t", text, strlen(text), n, count, d);
}

static void zone_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct diag_list d;
        struct zone *z;
        char *said = NULL;
        size_t len;
        diag_init(&d);
        int err = load(&z, checks[i].text, checks[i].names, checks[i].names[1].owner ? 2 : 1, &d);
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

/* What a reload may share. */
static void same(void **state)
{
    static const uint16_t one[] = {DNS_TYPE_A}, another[] = {DNS_TYPE_A, DNS_TYPE_TXT};
    static const struct {
        const char *label;
        struct dynamic_name name;
        bool same;
    } at[] = {
        {"nothing changed", NAME(4, "\1x\7example", false, addresses), true},
        {"declared elsewhere",
         {(const uint8_t *)"\1x\7example", 4, false, addresses, 2, "d.yaml", 9},
         true},
        {"another owner", NAME(4, "\1y\7example", false, addresses), false},
        {"another id", NAME(5, "\1x\7example", false, addresses), false},
        {"an alias now", NAME(4, "\1x\7example", true, addresses), false},
        {"fewer types", NAME(4, "\1x\7example", false, one), false},
        {"other types", NAME(4, "\1x\7example", false, another), false},
        {"no name", {.owner = NULL}, false},
    };
    static const struct dynamic_name was = NAME(4, "\1x\7example", false, addresses);
    struct diag_list d;
    struct zone *before, *z;
    (void)state;
    diag_init(&d);
    assert_int_equal(load(&before, HEAD "x TXT a\ny TXT a\n", &was, 1, &d), 0);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        bool alias = at[i].name.alias;
        struct dynamic_name n = at[i].name;
        struct zone *other = NULL;
        /* an alias cannot be beside data: both without */
        const char *text = alias ? HEAD : HEAD "x TXT a\ny TXT a\n";
        assert_int_equal(load(&z, text, &n, n.owner ? 1 : 0, &d), 0);
        if (alias)
            assert_int_equal(load(&other, text, &was, 1, &d), 0);
        if (zone_same(other ? other : before, z) != at[i].same)
            fail_msg("%s", at[i].label);
        part_unref(zone_part(z));
        if (other)
            part_unref(zone_part(other));
    }
    part_unref(zone_part(before));
    diag_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers),    cmocka_unit_test(told),
                                       cmocka_unit_test(additional), cmocka_unit_test(truncates),
                                       cmocka_unit_test(nobody),     cmocka_unit_test(zone_checks),
                                       cmocka_unit_test(same),       cmocka_unit_test(signed_zone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
