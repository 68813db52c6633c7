/* Rows of a policy test: which hold, which do not, and how that is said; and a reload that they
 * refuse. */
/* folders: authority config gslb daemon */
#include "daemon/policy_tests.h"

#include "base/err.h"
#include "daemon/snapshot.h"
#include "live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char conf[] =
    "zones: [ { name: a.test, file: a.zone } ]\n"
    "gslb:\n"
    "  sites: { fra: , iad: }\n"
    "  maps:\n"
    "    m:\n"
    "      networks: { n1: 10.0.0.0/8, n2: 10.1.0.0/16 }\n"
    "      rules:\n"
    "        - { network: n1, prefer: [fra, iad] }\n"
    "        - { network: n2, prefer: [iad, fra] }\n"
    "      otherwise: [iad, fra]\n"
    "  pools:\n"
    "    pf: { site: fra, choose: weighted, enough: 50.0%, members: { a: { address: [192.0.2.1, "
    "'2001:db8::1'], weight: 3 }, b: 192.0.2.2 } }\n"
    "    pi: { site: iad, choose: consistent, members: { a: { address: 192.0.2.3, weight: 3 }, b: "
    "192.0.2.4 } }\n"
    "    all: { choose: all, members: { x: 192.0.2.5, y: 192.0.2.6 } }\n"
    "  names:\n"
    "    www.a.test: { map: m, pools: [pf, pi], ttl: { normal: 30s, degraded: 10s }, "
    "when-all-down: nodata }\n"
    "    all.a.test: { pool: all, when-all-down: refuse }\n";

static const struct {
    const char *label, *row;
    int err;
    const char *said; /* part of it; NULL: nothing is said */
} rows[] = {
    {"site of a source", "{ name: www.a.test, from: 10.2.0.1, site: fra }", 0, NULL},
    {"another case, final dot", "{ name: WWW.a.test., from: 10.1.0.1, site: iad }", 0, NULL},
    {"pool and ttl", "{ name: www.a.test, from: 192.0.2.9, pool: pi, ttl: 30 }", 0, NULL},
    {"ttl in a range", "{ name: www.a.test, from: 192.0.2.9, ttl: [10, 30] }", 0, NULL},
    {"scope of a subnet", "{ name: www.a.test, ecs: 10.1.2.0/24, scope: 24 }", 0, NULL},
    {"no scope without one", "{ name: www.a.test, from: 10.1.2.3, scope: 0 }", 0, NULL},
    {"exact share", "{ name: www.a.test, from: 10.2.0.1, share: { a: 75%, b: 25% } }", 0, NULL},
    {"share within", "{ name: www.a.test, from: 10.2.0.1, share: { a: 76% +- 1% } }", 0, NULL},
    {"share of all clients", "{ name: www.a.test, from: 10.1.0.1, share: { a: 75%, b: 25% } }", 0,
     NULL},
    {"share when one is down",
     "{ name: www.a.test, from: 10.2.0.1, down: pf/b, share: { a: 100%, b: 0% } }", 0, NULL},
    {"less than enough is left", "{ name: www.a.test, from: 10.2.0.1, down: pf/a, site: iad }", 0,
     NULL},
    {"a site is down", "{ name: www.a.test, from: 10.2.0.1, down: [fra], pool: pi }", 0, NULL},
    {"all is down", "{ name: www.a.test, from: 10.2.0.1, down: [fra, pi], outcome: nodata }", 0,
     NULL},
    {"refused", "{ name: all.a.test, from: 10.2.0.1, down: all, outcome: refused, site: none }", 0,
     NULL},
    {"answer in any order", "{ name: all.a.test, from: 10.2.0.1, answer: [192.0.2.6, 192.0.2.5] }",
     0, NULL},
    {"one record", "{ name: all.a.test, from: 10.2.0.1, down: all/y, answer: 192.0.2.5 }", 0, NULL},
    {"type", "{ name: www.a.test, type: AAAA, from: 10.2.0.1, answer: '2001:DB8::1' }", 0, NULL},
    /* rows that do not hold */
    {"wrong site", "{ name: www.a.test, from: 10.1.0.1, site: fra }", ERR_MISMATCH,
     "t.yaml:2:47: error: www.a.test. want site fra, got iad\n"},
    {"why", "{ name: www.a.test, from: 10.1.0.1, site: fra }", ERR_MISMATCH,
     "client source; map m rule 2 -> iad,fra; pool pi 2/2; ttl 30; scope 0"},
    {"wrong ttl", "{ name: www.a.test, from: 10.1.0.1, ttl: [40, 50] }", ERR_MISMATCH,
     "want a ttl of 40 to 50, got 30"},
    {"wrong scope", "{ name: www.a.test, ecs: 10.1.2.0/24, scope: 16 }", ERR_MISMATCH,
     "want scope 16, got 24"},
    {"wrong share", "{ name: www.a.test, from: 10.2.0.1, share: { a: 74.8% } }", ERR_MISMATCH,
     "want 74.8 % +- 0.1 % of a, got 75 %"},
    {"share of nobody", "{ name: www.a.test, from: 10.2.0.1, share: { z: 1% } }", ERR_MISMATCH,
     "want a share of z, which the answering pool does not have"},
    {"wrong record", "{ name: all.a.test, from: 10.2.0.1, answer: [192.0.2.5, 192.0.2.7] }",
     ERR_MISMATCH, "want 192.0.2.7, got 192.0.2.5 192.0.2.6"},
    {"too few records", "{ name: all.a.test, from: 10.2.0.1, answer: [192.0.2.5] }", ERR_MISMATCH,
     "want 1 records, got 2"},
    {"part of an address", "{ name: all.a.test, from: 10.2.0.1, down: all/y, answer: 92.0.2.5 }",
     ERR_MISMATCH, "want 92.0.2.5"},
    {"wrong outcome", "{ name: all.a.test, from: 10.2.0.1, outcome: nodata }", ERR_MISMATCH,
     "want outcome nodata, got answer"},
    /* rows that are no rows */
    {"no name", "{ from: 10.2.0.1, site: fra }", ERR_INVALID, "name is missing"},
    {"unknown name", "{ name: no.a.test, from: 10.2.0.1, site: fra }", ERR_INVALID,
     "\"no.a.test\" is not steered"},
    {"no client", "{ name: www.a.test, site: fra }", ERR_INVALID, "from or ecs is missing"},
    {"no address", "{ name: www.a.test, from: fra, site: fra }", ERR_INVALID,
     "\"fra\" is not an address"},
    {"no network", "{ name: www.a.test, ecs: 10.0.0.1/8, site: fra }", ERR_INVALID,
     "\"10.0.0.1/8\" is not a network"},
    {"no type", "{ name: www.a.test, type: X, from: 10.2.0.1, site: fra }", ERR_INVALID,
     "\"X\" is no type"},
    {"nothing is expected", "{ name: www.a.test, from: 10.2.0.1 }", ERR_INVALID,
     "the row expects nothing"},
    {"unknown key", "{ name: www.a.test, from: 10.2.0.1, sites: fra }", ERR_INVALID,
     "there is no key \"sites\""},
    {"down that is not there", "{ name: www.a.test, from: 10.2.0.1, down: xx, site: fra }",
     ERR_INVALID, "there is no \"xx\" to be down"},
    {"no share", "{ name: www.a.test, from: 10.2.0.1, share: { a: 0.75 } }", ERR_INVALID,
     "not a share"},
    {"three ttls", "{ name: www.a.test, from: 10.2.0.1, ttl: [1, 2, 3] }", ERR_INVALID,
     "ttl is a number or [least, most]"},
    {"no number", "{ name: www.a.test, from: 10.2.0.1, ttl: 30s }", ERR_INVALID,
     "a number is wanted"},
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

static struct snapshot *snapshot_of(struct live *l, const char *text, const struct snapshot *before,
                                    struct gslb_table *table, char *said, size_t cap)
{
    struct config *c = NULL;
    struct snapshot *s = NULL;
    struct diag_list d;
    struct steering_place place = {table, 1};
    char path[160];
    unsigned zone_errors;
    diag_init(&d);
    live_file(l, "conf.yaml", "%s", text);
    snprintf(path, sizeof path, "%s/conf.yaml", l->dir);
    int err = config_load(&c, path, &d);
    err = err ? err : snapshot_build(&s, c, before, table ? &place : NULL, &d, &zone_errors);
    print_diags(&d, said, cap);
    return err ? NULL : s;
}

static void rows_hold_or_say(void **state)
{
    (void)state;
    struct live l;
    struct gslb_table *table;
    char said[4096], text[512], path[160];
    live_init(&l);
    live_file(&l, "a.zone", "@ 60 SOA ns.b. host 1 1 1 1 1\n@ 60 NS ns.b.\n");
    assert_int_equal(gslb_table_new(&table), 0);
    struct snapshot *s = snapshot_of(&l, conf, NULL, table, said, sizeof said);
    if (!s) {
        fail_msg("%s", said);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy_tests counts;
        struct diag_list d;
        snprintf(text, sizeof text, "tests:\n  - %s\n", rows[i].row);
        live_file(&l, "t.yaml", "%s", text);
        snprintf(path, sizeof path, "%s/t.yaml", l.dir);
        diag_init(&d);
        int err = policy_tests_run(s->plan, table, path, &d, &counts);
        print_diags(&d, said, sizeof said);
        if (err != rows[i].err || (rows[i].said ? !strstr(said, rows[i].said) : *said != '\0'))
            fail_msg("%s: %s: %s", rows[i].label, err_name(err), said);
        if (counts.rows != 1 || counts.failed != (err == ERR_MISMATCH))
            fail_msg("%s: %u of %u rows", rows[i].label, counts.failed, counts.rows);
    }
    part_unref(&s->part);
    gslb_table_free(table);
    live_remove(&l);
}

/* What one row supposes is not there for the next; a row that is wrong does not hide others. */
static void rows_are_alone(void **state)
{
    (void)state;
    struct live l;
    struct gslb_table *table;
    struct policy_tests counts;
    struct diag_list d;
    char said[4096], path[160];
    live_init(&l);
    live_file(&l, "a.zone", "@ 60 SOA ns.b. host 1 1 1 1 1\n@ 60 NS ns.b.\n");
    live_file(&l, "t.yaml",
              "tests:\n"
              "  - { name: www.a.test, from: 10.2.0.1, down: fra, site: iad }\n"
              "  - { name: www.a.test, from: 10.2.0.1, site: fra }\n"
              "  - { name: www.a.test, from: x, site: fra }\n"
              "  - { name: www.a.test, from: 10.2.0.1, site: iad }\n");
    assert_int_equal(gslb_table_new(&table), 0);
    struct snapshot *s = snapshot_of(&l, conf, NULL, table, said, sizeof said);
    assert_non_null(s);
    snprintf(path, sizeof path, "%s/t.yaml", l.dir);
    diag_init(&d);
    assert_int_equal(policy_tests_run(s->plan, table, path, &d, &counts), ERR_INVALID);
    print_diags(&d, said, sizeof said);
    assert_int_equal(counts.rows, 4);
    assert_int_equal(counts.failed, 1);
    assert_non_null(strstr(said, "t.yaml:4:31: error: \"x\" is not an address"));
    assert_non_null(strstr(said, "t.yaml:5:47: error: www.a.test. want site iad, got fra"));
    diag_init(&d);
    assert_int_equal(policy_tests_run(s->plan, table, "/nonexistent/t.yaml", &d, &counts),
                     ERR_NOT_FOUND);
    assert_int_equal(d.errors, 1);
    diag_fini(&d);
    part_unref(&s->part);
    gslb_table_free(table);
    live_remove(&l);
}

/* Listed in the configuration they let a server start, refuse a reload and a check of the file. */
static void gate_refuses(void **state)
{
    (void)state;
    static const char gated[] = "  tests: t.yaml\n";
    struct live l;
    struct gslb_table *table;
    char said[4096], text[sizeof conf + sizeof gated];
    live_init(&l);
    live_file(&l, "a.zone", "@ 60 SOA ns.b. host 1 1 1 1 1\n@ 60 NS ns.b.\n");
    live_file(&l, "t.yaml", "tests:\n  - { name: www.a.test, from: 10.2.0.1, site: iad }\n");
    assert_int_equal(gslb_table_new(&table), 0);
    snprintf(text, sizeof text, "%s%s", conf, gated);
    struct snapshot *first = snapshot_of(&l, text, NULL, table, said, sizeof said);
    assert_non_null(first);
    if (!strstr(said, "t.yaml:2:47: warning: www.a.test. want site iad, got fra"))
        fail_msg("%s", said);
    assert_null(snapshot_of(&l, text, first, table, said, sizeof said));
    assert_non_null(strstr(said, "t.yaml:2:47: error: www.a.test. want site iad, got fra"));
    assert_non_null(strstr(said, "policy tests: 1 of 1 rows fail"));
    assert_null(snapshot_of(&l, text, NULL, NULL, said, sizeof said));
    assert_non_null(strstr(said, "t.yaml:2:47: error: "));
    live_file(&l, "t.yaml", "tests:\n  - { name: www.a.test, from: 10.2.0.1, site: fra }\n");
    struct snapshot *second = snapshot_of(&l, text, first, table, said, sizeof said);
    assert_non_null(second);
    assert_string_equal(said, "");
    part_unref(&first->part);
    part_unref(&second->part);
    gslb_table_free(table);
    live_remove(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_hold_or_say),
                                       cmocka_unit_test(rows_are_alone),
                                       cmocka_unit_test(gate_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
