/* From what is written under gslb to a plan: what each key becomes, what is refused and how it is
 * said, and which tables two plans share. */
/* folders: config gslb daemon */
#include "daemon/steering.h"

#include "base/err.h"
#include "daemon/snapshot.h"
#include "dns/name.h"
#include "dns/type.h"
#include "geo/write.h"
#include "live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One line, so that a row's column is easily counted. */
#define SITES   "sites: { fra: { at: [50.11, 8.68] }, iad: { at: [38.95, -77.45] }, sin: }"
#define MEMBERS "members: { a: 192.0.2.1 }"
#define POOL    "pools: { p: { site: fra, " MEMBERS " } }"
#define NAMES   "names: { www.a.test: { pool: p } }"

struct built {
    struct gslb_plan *plan;
    struct config *config;
    struct gslb_table *table;
    char said[4096];
    unsigned kept;
    int err;
};

static void print_diags(struct diag_list *d, char *out, size_t cap)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    diag_print(d, f, 0);
    fclose(f);
    snprintf(out, cap, "%s", text);
    free(text);
    diag_fini(d);
}

/* name: of the configuration; its folder is where files are. */
static struct built build(const char *name, const char *yaml, const struct gslb_plan *before)
{
    struct built b = {.plan = NULL};
    struct diag_list d;
    diag_init(&d);
    assert_int_equal(gslb_table_new(&b.table), 0);
    struct steering_place place = {b.table, 2};
    b.err = config_load_mem(&b.config, name, yaml, strlen(yaml), &d);
    b.err = b.err ? b.err : steering_build(&b.plan, b.config, before, &place, &d, &b.kept);
    if (!b.err && d.errors)
        fail_msg("errors, and a plan all the same");
    print_diags(&d, b.said, sizeof b.said);
    return b;
}

static void drop(struct built *b)
{
    if (b->plan)
        part_unref(gslb_plan_part(b->plan));
    config_free(b->config);
    gslb_table_free(b->table);
}

#define GSLB(parts) "gslb: {\n" parts " }\n"

static const struct {
    const char *label, *yaml, *want; /* want: part of what is said */
} refused[] = {
    /* names of things */
    {"unknown site", GSLB(SITES ", pools: { p: { site: frra, " MEMBERS " } }, " NAMES),
     "t:2:96: error: there is no site \"frra\""},
    {"near", GSLB(SITES ", pools: { p: { site: frra, " MEMBERS " } }, " NAMES),
     "did you mean \"fra\"?"},
    {"caret", GSLB("pools: { p: { site: frra, " MEMBERS " } }"), "^~~~"},
    {"unknown map", GSLB(SITES ", " POOL ", names: { www.a.test: { map: m, pools: [p] } }"),
     "there is no map \"m\""},
    {"unknown pool", GSLB(SITES ", " POOL ", names: { www.a.test: { pools: [p, pp] } }"),
     "there is no pool \"pp\"\n"},
    {"unknown check", GSLB("pools: { p: { check: web, " MEMBERS " } }"),
     "there is no check \"web\""},
    {"unknown fallback of a pool", GSLB("pools: { p: { fallback: q, " MEMBERS " } }"),
     "there is no pool \"q\""},
    {"unknown fallback of a name",
     GSLB(SITES ", " POOL ", names: { www.a.test: { pool: p, fallback: q } }"),
     "there is no pool, and no steered name, \"q\""},
    {"unknown pool for outsiders",
     GSLB(SITES ", " POOL ", names: { www.a.test: { pool: p, outside: nodatta } }"),
     "there is no pool \"nodatta\""},
    {"unknown network", GSLB(SITES ", maps: { m: { rules: [ { network: x, prefer: [fra] } ] } }"),
     "there is no network \"x\""},
    {"a name with a blank", GSLB("pools: { 'a b': { " MEMBERS " } }"),
     "\"a b\" cannot be the name of a pool"},
    {"a site called nearest", GSLB("sites: { nearest: }"), "no site can be called nearest"},
    {"no domain name", GSLB(POOL ", names: { a..b: { pool: p } }"),
     "\"a..b\" is not a domain name"},
    {"one name twice",
     GSLB("pools: { p: { " MEMBERS " } }, names: { a.test: { pool: p }, A.test.: { pool: p } }"),
     "this name is written twice"},
    /* units and ranges */
    {"unit of a ttl", GSLB("names: { a.test: { ttl: 30 } }"), "the unit is missing: 30s"},
    {"half a second",
     GSLB("pools: { p: { " MEMBERS " } }, names: { a.test: { pool: p, ttl: 1500ms } }"),
     "a TTL has whole seconds"},
    {"weight above 2^20",
     GSLB("pools: { p: { members: { a: { address: 192.0.2.1, weight: 1048577 } } } }"),
     "1048577 is out of range"},
    {"share above all", GSLB("pools: { p: { enough: 101% } }"), "101% is out of range (0 to 100%)"},
    {"bound below a share", GSLB("pools: { p: { choose: { by: consistent, bound: 99.9% } } }"),
     "99.9% is out of range (100 to 10000%)"},
    /* maps */
    {"rule without sites", GSLB(SITES ", maps: { m: { rules: [ { country: DE } ] } }"),
     "does not say which sites"},
    {"rule with sites twice",
     GSLB(SITES ", maps: { m: { rules: [ { country: DE, prefer: fra, nearest: [iad] } ] } }"),
     "says twice which sites"},
    {"rule for nobody", GSLB(SITES ", maps: { m: { rules: [ { prefer: [fra] } ] } }"),
     "does not say whom it is for"},
    {"rule by two things",
     GSLB(SITES ", maps: { m: { rules: [ { country: DE, asn: 64500, prefer: [fra] } ] } }"),
     "matches by two things"},
    {"site twice in a rule", GSLB(SITES ", maps: { m: { otherwise: [fra, fra] } }"),
     "this site is written twice"},
    {"unknown site with a weight", GSLB(SITES ", maps: { m: { otherwise: { fra: 1, idd: 2 } } }"),
     "there is no site \"idd\""},
    {"empty network", GSLB(SITES ", maps: { m: { networks: { x: { of: [] } } } }"),
     "there is no network in this list"},
    {"network file that is not there",
     GSLB(SITES ", maps: { m: { networks: { x: { file: none } } } }"),
     "/none cannot be read: not found"},
    {"overlay without sites",
     GSLB(SITES ", maps: { m: { overlay: [ { networks: 10.0.0.0/8 } ] } }"),
     "does not say which sites"},
    {"a place that is none",
     GSLB(SITES ", maps: { m: { networks: { x: { of: 10.0.0.0/8, place: { country: DEU } } } } }"),
     "\"DEU\" is no such code"},
    /* checks */
    {"check without type", GSLB("checks: { k: { port: 80 } }"), "gslb.checks.*.type is missing"},
    {"tcp without port", GSLB("checks: { k: { type: tcp } }"), "a check of type tcp needs a port"},
    {"exec without command", GSLB("checks: { k: { type: exec } }"), "needs a command"},
    {"a key of another type", GSLB("checks: { k: { type: tcp, port: 80, host: x } }"),
     "host is nothing that a check of type tcp knows"},
    {"expectation of another type", GSLB("checks: { k: { type: dns, expect: x } }"),
     "expect.text is nothing that a check of type dns knows"},
    {"reuse above suppress", GSLB("checks: { k: { type: http, flap: { reuse: 3000 } } }"),
     "flap.reuse (3000) must be less than flap.suppress (3000)"},
    {"status that is none", GSLB("checks: { k: { type: http, expect: { status: [20] } } }"),
     "\"20\" is not a status"},
    {"range upside down", GSLB("checks: { k: { type: http, expect: { status: 299-200 } } }"),
     "\"299-200\" is not a status"},
    {"header without a colon", GSLB("checks: { k: { type: http, expect: { header: x } } }"),
     "\"x\" is not a header"},
    {"path without a slash", GSLB("checks: { k: { type: http, path: x } }"),
     "a path begins with /"},
    {"unknown type of a question", GSLB("checks: { k: { type: dns, ask: a.test AAAAA } }"),
     "there is no type \"AAAAA\""},
    {"unknown code", GSLB("checks: { k: { type: dns, expect: { rcode: noeror } } }"),
     "there is no response code \"noeror\""},
    {"address with a port", GSLB("checks: { k: { type: http, address: '192.0.2.1:80' } }"),
     "the port is a key of its own"},
    {"no time to answer", GSLB("checks: { k: { type: http, timeout: 0s } }"),
     "without any time no answer can come"},
    {"unknown reference", GSLB("doubt: { references: [ { check: k, address: 192.0.2.1 } ] }"),
     "there is no check \"k\""},
    /* pools */
    {"no members", GSLB("pools: { p: { members: {} } }, " NAMES), "p: a pool without members"},
    {"need more than there are",
     GSLB("checks: { k: { type: http } }, pools: { p: { check: k, need: 2, " MEMBERS " } }"),
     "need: 2 of 1 checks cannot pass"},
    {"need that is none", GSLB("pools: { p: { need: most, " MEMBERS " } }"),
     "need: \"most\" is not all, any or a number"},
    {"need nothing",
     GSLB("checks: { k: { type: http } }, pools: { p: { check: k, need: 0, " MEMBERS " } }"),
     "need: \"0\" is not all"},
    {"check twice",
     GSLB("checks: { k: { type: http } }, pools: { p: { check: [k, k], " MEMBERS " } }"),
     "this check is written twice"},
    {"check and checks",
     GSLB("checks: { k: { type: http } }, pools: { p: { check: k, checks: k, " MEMBERS " } }"),
     "check and checks are one and the same"},
    {"member that is nothing", GSLB("pools: { p: { members: { a: { weight: 1 } } } }"),
     "a member is one of three things"},
    {"member that is two things",
     GSLB("pools: { p: { members: { a: { address: 192.0.2.1, cname: b.test } } } }"),
     "a member is one of three things"},
    {"two addresses of one family",
     GSLB("pools: { p: { members: { a: [192.0.2.1, 192.0.2.2] } } }"),
     "one address per family is taken"},
    {"member with a port", GSLB("pools: { p: { members: { a: '192.0.2.1:80' } } }"),
     "an address without port is wanted"},
    {"host name", GSLB("pools: { p: { members: { a: { host: b.test } } } }"),
     "gslb.pools.*.members.*.host: not in this version"},
    {"alias", GSLB("names: { a.test: { alias: b.test } }"),
     "gslb.names.*.alias: not in this version"},
    {"nearest without a map", GSLB("pools: { p: { choose: nearest, " MEMBERS " } }"),
     "needs a map with a database"},
    {"nearest with two maps",
     GSLB(SITES ", maps: { m: { otherwise: fra }, n: { otherwise: fra } }, "
                "pools: { p: { choose: nearest, " MEMBERS " } }"),
     "which map says where clients are?"},
    {"nearest without positions",
     GSLB(SITES ", maps: { m: { otherwise: fra } }, pools: { p: { choose: nearest, " MEMBERS
                " } }"),
     "no member has a position"},
    {"n best of how many",
     GSLB(SITES ", maps: { m: { otherwise: fra } }, "
                "pools: { p: { site: fra, choose: n-best, " MEMBERS " } }"),
     "how many are the n best?"},
    {"a key of another policy",
     GSLB("pools: { p: { choose: { by: hash, band: 1s }, " MEMBERS " } }"),
     "choose.band is for the policy fastest"},
    {"a map for another policy",
     GSLB("pools: { p: { choose: { by: hash, map: m }, " MEMBERS " } }"),
     "choose.map is for the policy nearest"},
    {"record of no type", GSLB("pools: { p: { records: ['TXXT x'], " MEMBERS " } }"),
     "\"TXXT\" is no type that a pool can have"},
    {"address record", GSLB("pools: { p: { records: ['A 192.0.2.1'], " MEMBERS " } }"),
     "addresses are members"},
    {"wrong record", GSLB("pools: { p: { records: ['MX x mail'], " MEMBERS " } }"),
     "at \"x mail\": "},
    {"record twice", GSLB("pools: { p: { records: ['TXT x', 'TXT x'], " MEMBERS " } }"),
     "this record is written twice"},
    {"loop of pools",
     GSLB("pools: { p: { fallback: q, " MEMBERS " }, q: { fallback: p, " MEMBERS " } }, " NAMES),
     "its fallbacks lead back to it"},
    /* names */
    {"name of nothing", GSLB("names: { a.test: { ttl: 1s } }"),
     "write one of pool, pools and alias"},
    {"pool and pools",
     GSLB("pools: { p: { " MEMBERS " } }, names: { a.test: { pool: p, pools: [p] } }"),
     "write one of pool, pools and alias"},
    {"no pool in the list", GSLB("names: { a.test: { pools: [] } }"), "the list is empty"},
    {"pool twice", GSLB("pools: { p: { " MEMBERS " } }, names: { a.test: { pools: [p, p] } }"),
     "this pool is written twice"},
    {"a map for one pool",
     GSLB(SITES ", maps: { m: { otherwise: fra } }, " POOL
                ", names: { a.test: { map: m, pool: p } }"),
     "a map chooses among pools"},
    {"longer when degraded",
     GSLB("pools: { p: { " MEMBERS
          " } }, names: { a.test: { pool: p, ttl: { normal: 5s, degraded: 6s } } }"),
     "ttl.degraded (6s) is longer than ttl.normal (5s)"},
    {"clamps upside down",
     GSLB("pools: { p: { " MEMBERS
          " } }, names: { a.test: { pool: p, ttl: { min: 6s, max: 5s } } }"),
     "ttl.min (6s) is longer than ttl.max (5s)"},
    {"pool without site under a map",
     GSLB(SITES ", maps: { m: { otherwise: fra } }, pools: { p: { " MEMBERS " } }, "
                "names: { a.test: { map: m, pools: [p] } }"),
     "a.test.: pool p has no site, but a map chooses by site"},
};

static void what_is_refused(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct built b = build("t", refused[i].yaml, NULL);
        if (!b.err || b.plan || !strstr(b.said, refused[i].want)) {
            failed++;
            print_error("%s: %s\n%s", refused[i].label, err_name(b.err), b.said);
        }
        drop(&b);
    }
    assert_int_equal(failed, 0);
}

static void too_many(void **state)
{
    (void)state;
    char *yaml = NULL;
    size_t len;
    FILE *f = open_memstream(&yaml, &len);
    fputs("gslb:\n  sites: {", f);
    for (int i = 0; i < 257; i++)
        fprintf(f, "%s s%d: ", i ? "," : "", i);
    fputs("}\n  pools: { p: { members: {", f);
    for (int i = 0; i < 1025; i++)
        fprintf(f, "%s m%d: 10.0.%d.%d", i ? "," : "", i, i >> 8, i & 255);
    fputs("} } }\n", f);
    fclose(f);
    struct built b = build("t", yaml, NULL);
    assert_int_equal(b.err, ERR_INVALID);
    if (!strstr(b.said, "257 sites, at most 256") || !strstr(b.said, "1025 members, at most 1024"))
        fail_msg("%s", b.said);
    drop(&b);
    free(yaml);
}

static void what_is_warned_of(void **state)
{
    (void)state;
    struct built b =
        build("t", GSLB("checks: { k: { type: http, every: 1s, timeout: 2s } }"), NULL);
    assert_int_equal(b.err, 0);
    assert_non_null(strstr(b.said, "warning: the timeout (2000 ms) is longer than the interval"));
    drop(&b);
    b = build("t", "server: {}\n", NULL);
    assert_int_equal(b.err, 0);
    assert_null(b.plan);
    drop(&b);
}

/* ---- what the keys become ---- */

static const char whole[] =
    "gslb:\n"
    "  warm-up: 3s\n"
    "  networks: { v4: 20, v6: 48 }\n"
    "  doubt: { share: 70.5%, window: 10s, targets: 6, withdraw: 20.0%,\n"
    "           references: [ { check: ns, address: 192.0.2.53 } ] }\n"
    "  sites: { fra: { at: [50.11, 8.68] }, iad: { at: [38.95, -77.45] }, sin: }\n"
    "  maps:\n"
    "    world:\n"
    "      networks: { office: [10.0.0.0/8], lab: { of: 10.1.0.0/16, place: { country: DE } } }\n"
    "      overlay: [ { networks: [198.51.100.0/24], prefer: [sin, iad] } ]\n"
    "      rules:\n"
    "        - { network: office, prefer: { fra: 70, iad: 30 }, limit: 2, fence: yes }\n"
    "        - { country: [DE, NO], nearest: [iad, fra] }\n"
    "      otherwise: nearest\n"
    "      client-subnet: ignore\n"
    "      widest: { v4: 8 }\n"
    "  checks:\n"
    "    web: { type: https, port: 8443, address: 192.0.2.80, every: 5s, timeout: 1s, jitter: "
    "5.5%,\n"
    "           fail-after: 4, pass-after: 5, reset-after: 6, hold: 20s, slow-start: 1m,\n"
    "           flap: { penalty: 1, suppress: 5, reuse: 2, half-life: 1m }, resume: manual,\n"
    "           reuse: yes, host: h.test, sni: s.test, verify: no, ca: ca.pem, http2: yes,\n"
    "           method: HEAD, path: /x, load-header: X-Load,\n"
    "           expect: { status: [200, 300-302], body: ok, header: 'A: b' } }\n"
    "    ns: { type: dns, ask: Probe.Test TXT, expect: { rcode: nxdomain, answer: x }, tcp: yes }\n"
    "    smtp: { type: tcp, port: 25, send: HELO, expect: '220' }\n"
    "    run: { type: exec, command: [/bin/true, -x] }\n"
    "    news: { type: push }\n"
    "  pools:\n"
    "    p:\n"
    "      site: fra\n"
    "      checks: [web, ns]\n"
    "      need: any\n"
    "      choose: { by: consistent, answers: 2, order: shuffled, bound: 125.0% }\n"
    "      enough: 50.0%\n"
    "      health: ignore\n"
    "      fallback: q\n"
    "      networks: { v4: 16 }\n"
    "      records: ['TXT \"b\"', 'HTTPS 1 . alpn=h2', 'TXT \"c\"']\n"
    "      members:\n"
    "        a: { address: [192.0.2.1, '2001:db8::1'], weight: 7, group: 3, enabled: no, need: 1,\n"
    "             check: smtp, tags: [x, y], at: [1, 2] }\n"
    "        b: 192.0.2.2\n"
    "    q: { choose: { by: sticky, lifetime: 2h }, members: { t: { cname: T.test } } }\n"
    "    r: { choose: { by: n-best, answers: 2 }, site: iad, members: { x: 192.0.2.3, y: 192.0.2.4 "
    "} }\n"
    "  names:\n"
    "    WWW.a.test: { map: world, pools: [p, r], skip-first: yes, family: fail-over,\n"
    "                  fallback: other.a.test, outside: q, when-all-down: refuse,\n"
    "                  ttl: { normal: 60s, degraded: 7s, min: 5s, max: 1h } }\n"
    "    other.a.test: { pool: r, ttl: 10s, fallback: q }\n";

static void checks_become(const struct gslb_plan *p)
{
    const struct gslb_check *k = p->checks;
    assert_int_equal(p->check_count, 5);
    assert_int_equal(k[0].type, GSLB_CHECK_HTTPS);
    assert_int_equal(k[0].port, 8443);
    assert_int_equal(k[0].address.family, 4);
    assert_int_equal(k[0].every_ms, 5000);
    assert_int_equal(k[0].timeout_ms, 1000);
    assert_int_equal(k[0].jitter_permille, 55);
    assert_int_equal(k[0].rules.fail_after, 4);
    assert_int_equal(k[0].rules.pass_after, 5);
    assert_int_equal(k[0].rules.reset_after, 6);
    assert_int_equal(k[0].rules.hold_ms, 20000);
    assert_int_equal(k[0].rules.slow_start_ms, 60000);
    assert_int_equal(k[0].rules.flap_penalty, 1);
    assert_int_equal(k[0].rules.flap_suppress, 5);
    assert_int_equal(k[0].rules.flap_reuse, 2);
    assert_int_equal(k[0].rules.flap_half_life_ms, 60000);
    assert_true(k[0].rules.manual_resume && k[0].reuse && k[0].http2 && !k[0].verify);
    assert_string_equal(k[0].host, "h.test");
    assert_string_equal(k[0].sni, "s.test");
    assert_string_equal(k[0].ca_file, "dir/ca.pem");
    assert_string_equal(k[0].method, "HEAD");
    assert_string_equal(k[0].path, "/x");
    assert_string_equal(k[0].load_header, "X-Load");
    assert_int_equal(k[0].status_count, 2);
    assert_int_equal(k[0].status[1].low, 300);
    assert_int_equal(k[0].status[1].high, 302);
    assert_string_equal(k[0].body, "ok");
    assert_string_equal(k[0].header, "A: b");
    assert_memory_equal(k[1].qname, "\5probe\4test", 12);
    assert_int_equal(k[1].qtype, DNS_TYPE_TXT);
    assert_int_equal(k[1].rcode, DNS_RCODE_NXDOMAIN);
    assert_string_equal(k[1].answer, "x");
    assert_true(k[1].tcp);
    assert_int_equal(k[2].port, 25);
    assert_int_equal(k[2].send_len, 4);
    assert_string_equal(k[2].expect, "220");
    assert_string_equal(k[3].argv[0], "/bin/true");
    assert_string_equal(k[3].argv[1], "-x");
    assert_null(k[3].argv[2]);
    assert_int_equal(k[4].timeout_ms, 0);
    assert_int_equal(p->doubt.share_permille, 705);
    assert_int_equal(p->doubt.window_ms, 10000);
    assert_int_equal(p->doubt.targets_min, 6);
    assert_int_equal(p->doubt.withdraw_permille, 200);
    assert_int_equal(p->doubt.reference_count, 1);
    assert_int_equal(p->doubt.references[0], 1);
    assert_int_equal(p->doubt.reference_address[0].family, 4);
}

static void pools_become(const struct gslb_plan *p)
{
    const struct gslb_pool *pool = &p->pools[0];
    const struct gslb_endpoint *a = &pool->endpoints[0], *b = &pool->endpoints[1];
    assert_int_equal(p->pool_count, 3);
    assert_int_equal(pool->site, 0);
    assert_int_equal(pool->policy, GSLB_CONSISTENT);
    assert_int_equal(pool->answers, 2);
    assert_true(pool->shuffle && pool->ignore_health);
    assert_int_equal(pool->bound_permille, 1250);
    assert_int_equal(pool->healthy_permille, 500);
    assert_int_equal(pool->fallback, 1);
    assert_int_equal(pool->network4, 16);
    assert_int_equal(pool->network6, 48);
    assert_int_equal(pool->record_count, 2);
    assert_int_equal(pool->records[0].type, DNS_TYPE_TXT);
    assert_int_equal(pool->records[0].count, 2);
    assert_memory_equal(pool->records[0].rdata, "\0\2\1b\0\2\1c", 8);
    assert_int_equal(pool->records[1].type, DNS_TYPE_HTTPS);
    assert_int_equal(pool->endpoint_count, 2);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->address[0].family, 4);
    assert_int_equal(a->address[1].family, 6);
    assert_int_equal(a->weight, 7);
    assert_int_equal(a->group, 3);
    assert_false(a->enabled);
    assert_int_equal(a->check_count, 1);
    assert_int_equal(a->checks[0], 2);
    assert_int_equal(a->combine, GSLB_K_OF);
    assert_int_equal(a->k, 1);
    assert_int_equal(a->tag_count, 2);
    assert_string_equal(a->tags[1], "y");
    assert_true(a->has_position && a->latitude == 1 && a->longitude == 2);
    assert_true(b->enabled && b->has_position && b->latitude > 50 && b->latitude < 51);
    assert_int_equal(b->weight, 1);
    assert_int_equal(b->check_count, 2);
    assert_int_equal(b->combine, GSLB_ANY_OF);
    assert_int_equal(p->pools[1].policy, GSLB_STICKY);
    assert_int_equal(p->pools[1].epoch_s, 7200);
    assert_int_equal(p->pools[1].endpoints[0].kind, GSLB_CNAME);
    assert_memory_equal(p->pools[1].endpoints[0].host, "\1t\4test", 8);
    assert_int_equal(p->pools[1].near, GSLB_NONE);
    assert_int_equal(p->pools[2].near, 1);
    assert_int_equal(p->pools[2].answers, 2);
}

static void names_become(const struct gslb_plan *p)
{
    int at = gslb_plan_name(p, (const uint8_t *)"\3www\1a\4test"),
        other = gslb_plan_name(p, (const uint8_t *)"\5other\1a\4test");
    assert_true(at >= 0 && other >= 0);
    const struct gslb_name *n = &p->names[at];
    assert_int_equal(n->map, 0);
    assert_int_equal(n->pool_count, 2);
    assert_int_equal(n->pools[1], 2);
    assert_true(n->skip_first && n->family_fail_over);
    assert_int_equal(n->fallback_name, other);
    assert_int_equal(n->fallback_pool, GSLB_NONE);
    assert_int_equal(n->outside, GSLB_OUTSIDE_POOL);
    assert_int_equal(n->outside_pool, 1);
    assert_int_equal(n->all_down, GSLB_DOWN_REFUSE);
    assert_int_equal(n->ttl, 60);
    assert_int_equal(n->ttl_degraded, 7);
    assert_int_equal(n->ttl_min, 5);
    assert_int_equal(n->ttl_max, 3600);
    n = &p->names[other];
    assert_int_equal(n->map, GSLB_NONE);
    assert_int_equal(n->fallback_pool, 1);
    assert_int_equal(n->outside, GSLB_OUTSIDE_NODATA);
    assert_int_equal(n->all_down, GSLB_DOWN_LAST_HEALTHY);
    assert_int_equal(n->ttl, 10);
    assert_int_equal(n->ttl_degraded, 4);
}

static void maps_become(const struct gslb_plan *p)
{
    static const struct {
        const char *label, *client, *sites;
        int rule;
    } rows[] = {
        {"overlay", "198.51.100.7", "sin iad fra", 0},
        {"weights, fence and limit", "10.9.0.1", "fra iad", 1},
        {"the more specific network has a place", "10.1.0.1", "iad fra sin", 2},
        {"otherwise", "192.0.2.1", "fra iad sin", 4},
    };
    assert_int_equal(p->map_count, 2);
    assert_true(p->maps[0].ignore_subnet && p->maps[1].ignore_subnet);
    assert_int_equal(p->maps[0].widest4, 8);
    assert_int_equal(p->maps[0].widest6, 0);
    assert_int_equal(p->maps[0].network4, 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        char got[64] = "";
        addr_parse(&a, rows[i].client, 0);
        const struct geo_list *l = geo_map_find(p->maps[0].geo, &a, NULL);
        for (unsigned k = 0; k < l->count; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", k ? " " : "",
                     p->sites[l->sites[k]].name);
        if (strcmp(got, rows[i].sites) != 0 || geo_map_rule(p->maps[0].geo, &a) != rows[i].rule)
            fail_msg("%s: %s by rule %d", rows[i].label, got, geo_map_rule(p->maps[0].geo, &a));
    }
}

static void what_the_keys_become(void **state)
{
    (void)state;
    struct built b = build("dir/t", whole, NULL);
    if (b.err)
        fail_msg("%s", b.said);
    assert_int_equal(b.plan->warm_up_ms, 3000);
    assert_int_equal(b.plan->site_count, 3);
    assert_false(b.plan->sites[2].has_position);
    assert_int_equal(b.plan->workers, 2);
    maps_become(b.plan);
    checks_become(b.plan);
    pools_become(b.plan);
    names_become(b.plan);
    drop(&b);
}

static void defaults(void **state)
{
    (void)state;
    struct built b = build("t",
                           GSLB("checks: { k: { type: dns } }, pools: { p: { " MEMBERS " } }, "
                                "names: { a.test: { pool: p } }"),
                           NULL);
    if (b.err)
        fail_msg("%s", b.said);
    const struct gslb_name *n = &b.plan->names[0];
    assert_int_equal(n->ttl, 30);
    assert_int_equal(n->ttl_degraded, 10);
    assert_int_equal(n->ttl_min, 0);
    assert_int_equal(b.plan->pools[0].policy, GSLB_FAILOVER);
    assert_int_equal(b.plan->pools[0].site, GSLB_NONE);
    assert_int_equal(b.plan->pools[0].network6, 56);
    assert_int_equal(b.plan->checks[0].qtype, DNS_TYPE_SOA);
    assert_null(b.plan->checks[0].qname);
    assert_int_equal(b.plan->checks[0].timeout_ms, 2000);
    assert_int_equal(b.plan->doubt.share_permille, 800);
    drop(&b);
}

/* ---- files ---- */

#define WITH_DB                                                                                \
    "gslb:\n  " SITES "\n  maps: { m: { database: geo.mmdb, networks: { x: { file: nets } }, " \
    "rules: [ { network: x, prefer: [sin] }, { country: DE, prefer: [fra] } ], "               \
    "otherwise: [iad] } }\n"

static void write_db(struct live *l, const char *rows)
{
    char csv[160], mmdb[160];
    struct diag_list d;
    diag_init(&d);
    live_file(l, "geo.csv", "network,country\n%s", rows);
    live_file(l, "geo.mmdb", "%s", "");
    snprintf(csv, sizeof csv, "%s/geo.csv", l->dir);
    snprintf(mmdb, sizeof mmdb, "%s/geo.mmdb", l->dir);
    assert_int_equal(geo_write_csv(csv, mmdb, NULL, &d), 0);
    diag_fini(&d);
}

static const char *first_site(const struct gslb_plan *p, const char *client)
{
    struct addr a;
    addr_parse(&a, client, 0);
    const struct geo_list *l = geo_map_find(p->maps[0].geo, &a, NULL);
    return l->count ? p->sites[l->sites[0]].name : "";
}

static struct built build_in(const struct live *l, const char *yaml, const struct gslb_plan *before)
{
    char name[160];
    snprintf(name, sizeof name, "%s/conf.yaml", l->dir);
    return build(name, yaml, before);
}

static void a_map_that_did_not_change_is_shared(void **state)
{
    (void)state;
    struct live l;
    live_init(&l);
    write_db(&l, "192.0.2.0/24,DE\n");
    live_file(&l, "nets", "# ours\n10.0.0.0/8   # all\n\n 2001:db8::/32\n");
    struct built a = build_in(&l, WITH_DB, NULL), b = build_in(&l, WITH_DB, a.plan);
    if (a.err || b.err)
        fail_msg("%s%s", a.said, b.said);
    assert_string_equal(first_site(a.plan, "192.0.2.1"), "fra");
    assert_string_equal(first_site(a.plan, "10.1.1.1"), "sin");
    assert_string_equal(first_site(a.plan, "2001:db8::1"), "sin");
    assert_string_equal(first_site(a.plan, "198.51.100.1"), "iad");
    assert_ptr_equal(a.plan->maps[0].geo, b.plan->maps[0].geo);
    live_file(&l, "nets", "10.0.0.0/9\n"); /* its text is part of the rules */
    struct built c = build_in(&l, WITH_DB, b.plan);
    assert_ptr_not_equal(c.plan->maps[0].geo, b.plan->maps[0].geo);
    assert_string_equal(first_site(c.plan, "10.200.1.1"), "iad");
    write_db(&l, "192.0.2.0/25,DE\n"); /* another file at the same path */
    struct built d = build_in(&l, WITH_DB, c.plan);
    assert_ptr_not_equal(d.plan->maps[0].geo, c.plan->maps[0].geo);
    assert_string_equal(first_site(d.plan, "192.0.2.200"), "iad");
    drop(&a);
    drop(&b);
    drop(&c);
    drop(&d);
    live_remove(&l);
}

static void a_database_that_cannot_be_read(void **state)
{
    (void)state;
    struct live l;
    live_init(&l);
    live_file(&l, "nets", "10.0.0.0/8\n");
    struct built a = build_in(&l, WITH_DB, NULL); /* at start: a warning */
    if (a.err || !strstr(a.said, "warning: ") || strstr(a.said, "error: ") ||
        strstr(a.said, "no place is"))
        fail_msg("%s", a.said);
    assert_string_equal(first_site(a.plan, "10.1.1.1"), "sin");
    assert_string_equal(first_site(a.plan, "192.0.2.1"), "iad");
    assert_int_equal(a.kept, 0);
    write_db(&l, "192.0.2.0/24,DE\n"); /* it comes */
    struct built b = build_in(&l, WITH_DB, a.plan);
    if (b.err)
        fail_msg("%s", b.said);
    assert_string_equal(first_site(b.plan, "192.0.2.1"), "fra");
    live_file(&l, "geo.mmdb", "not a database\n"); /* and is spoilt: the tables stay */
    struct built c = build_in(&l, WITH_DB, b.plan);
    if (c.err || !strstr(c.said, "geo.mmdb"))
        fail_msg("%s", c.said);
    assert_int_equal(c.kept, 1);
    assert_ptr_equal(c.plan->maps[0].geo, b.plan->maps[0].geo);
    assert_string_equal(first_site(c.plan, "192.0.2.1"), "fra");
    drop(&a);
    drop(&b);
    drop(&c);
    live_remove(&l);
}

static void a_new_database_must_be_there(void **state)
{
    (void)state;
    struct live l;
    live_init(&l);
    live_file(&l, "nets", "10.0.0.0/8\n");
    struct built a = build_in(&l, "gslb: { sites: { fra: } }\n", NULL);
    struct built b = build_in(&l, WITH_DB, a.plan);
    assert_int_equal(b.err, ERR_INVALID);
    assert_non_null(strstr(b.said, "geo.mmdb"));
    drop(&a);
    drop(&b);
    live_remove(&l);
}

static void a_line_that_is_no_network(void **state)
{
    (void)state;
    struct live l;
    live_init(&l);
    write_db(&l, "192.0.2.0/24,DE\n");
    live_file(&l, "nets", "10.0.0.0/8\n  10.0.0.1/8 # bits\nx\n");
    struct built b = build_in(&l, WITH_DB, NULL);
    assert_int_equal(b.err, ERR_INVALID);
    if (!strstr(b.said, "/nets:2:3: error: not a network") || !strstr(b.said, "/nets:3:1: error: "))
        fail_msg("%s", b.said);
    drop(&b);
    live_remove(&l);
}

static void names_must_lie_in_our_zones(void **state)
{
    (void)state;
    static const struct {
        const char *label, *zone, *want;
    } rows[] = {{"in ours", "a.test", NULL},
                {"in none", "b.test", "conf.yaml:4:11: error: this name lies in none of our zones"},
                {"not above", "x.www.a.test", "this name lies in none of our zones"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct live l;
        struct config *c = NULL;
        struct snapshot *s = NULL;
        struct diag_list d;
        char path[160], said[2048];
        unsigned zone_errors = 0;
        live_init(&l);
        diag_init(&d);
        live_file(&l, "a.zone", "@ 60 SOA ns.b. host 1 1 1 1 1\n@ 60 NS ns.b.\n");
        live_file(&l, "conf.yaml",
                  "listen: [ { address: 127.0.0.1, port: 5399, role: authority } ]\n"
                  "zones: [ { name: %s, file: a.zone } ]\n"
                  "gslb: { pools: { p: { " MEMBERS " } },\n"
                  " names: { www.a.test: { pool: p } } }\n",
                  rows[i].zone);
        snprintf(path, sizeof path, "%s/conf.yaml", l.dir);
        assert_int_equal(config_load(&c, path, &d), 0);
        int err = snapshot_build(&s, c, NULL, NULL, &d, &zone_errors);
        print_diags(&d, said, sizeof said);
        if ((err != 0) != (rows[i].want != NULL) || (rows[i].want && !strstr(said, rows[i].want)))
            fail_msg("%s: %s\n%s", rows[i].label, err_name(err), said);
        if (s)
            part_unref(&s->part);
        live_remove(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(too_many),
        cmocka_unit_test(what_is_warned_of),
        cmocka_unit_test(what_the_keys_become),
        cmocka_unit_test(defaults),
        cmocka_unit_test(a_map_that_did_not_change_is_shared),
        cmocka_unit_test(a_database_that_cannot_be_read),
        cmocka_unit_test(a_new_database_must_be_there),
        cmocka_unit_test(a_line_that_is_no_network),
        cmocka_unit_test(names_must_lie_in_our_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
