/* Shares that change, against shares computed by hand. */
/* folders: gslb authority geo dns base */
#include "gslb/simulate.h"

#include "base/err.h"
#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OWNER ((const uint8_t *)"\3www\7example")

struct change {
    const char *rules; /* of the map; NULL: the name is not there */
    enum gslb_policy policy;
    const char *down, *weight; /* "www-fra/m0=2"; "": none */
};

static const struct row {
    const char *label;
    struct change before, after;
    double changed4, changed_seen; /* percent */
    const char *rows;              /* of IPv4: sites, then members */
} rows[] = {
    /* 10.0.0.0/8 is all that is known: 10.1.0.0/16 is 1/256 = 0.390625 % of it. */
    {"nothing",
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "", ""},
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "", ""},
     0,
     0,
     "fra 99.61>99.61; iad 0.39>0.39; www-fra/m0 74.71>74.71; www-fra/m1 24.90>24.90; "
     "www-iad/m0 0.39>0.39; "},
    {"a site goes down",
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "", ""},
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "fra", ""},
     99.609375,
     25,
     "fra 99.61>0.00; iad 0.39>100.00; www-fra/m0 74.71>0.00; www-fra/m1 24.90>0.00; "
     "www-iad/m0 0.39>100.00; "},
    {"a member goes down",
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "", ""},
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "www-fra/m0", ""},
     74.70703125,
     18.75,
     "fra 99.61>99.61; iad 0.39>0.39; www-fra/m0 74.71>0.00; www-fra/m1 24.90>99.61; "
     "www-iad/m0 0.39>0.39; "},
    {"a pool comes back",
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "www-iad", ""},
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_WEIGHTED, "", ""},
     0.390625,
     75,
     "fra 100.00>99.61; iad 0.00>0.39; www-fra/m0 75.00>74.71; www-fra/m1 25.00>24.90; "
     "www-iad/m0 0.00>0.39; "},
    {"weight 3 becomes 1",
     {"10.0.0.0/8=fra *=iad", GSLB_WEIGHTED, "", ""},
     {"10.0.0.0/8=fra *=iad", GSLB_WEIGHTED, "", "www-fra/m0=1"},
     25,
     18.75,
     "fra 100.00>100.00; iad 0.00>0.00; www-fra/m0 75.00>50.00; www-fra/m1 25.00>50.00; "
     "www-iad/m0 0.00>0.00; "},
    {"a policy that hashes clients shares by weight",
     {"10.0.0.0/8=fra *=iad", GSLB_CONSISTENT, "", ""},
     {"10.0.0.0/8=fra *=iad", GSLB_CONSISTENT, "www-fra/m1", ""},
     25,
     18.75,
     "fra 100.00>100.00; iad 0.00>0.00; www-fra/m0 75.00>100.00; www-fra/m1 25.00>0.00; "
     "www-iad/m0 0.00>0.00; "},
    {"another policy",
     {"10.0.0.0/8=fra *=iad", GSLB_WEIGHTED, "", ""},
     {"10.0.0.0/8=fra *=iad", GSLB_ALL, "", ""},
     25,
     18.75,
     "fra 100.00>100.00; iad 0.00>0.00; www-fra/m0 75.00>50.00; www-fra/m1 25.00>50.00; "
     "www-iad/m0 0.00>0.00; "},
    {"another map",
     {"10.0.0.0/8=fra,iad 10.1.0.0/16=iad,fra *=iad,fra", GSLB_FAILOVER, "", ""},
     {"10.0.0.0/8=fra,iad *=iad,fra", GSLB_FAILOVER, "", ""},
     0.390625,
     50,
     "fra 99.61>100.00; iad 0.39>0.00; www-fra/m0 99.61>100.00; www-iad/m0 0.39>0.00; "},
    {"weighted sites",
     {"10.0.0.0/8=fra:70,iad:30 *=iad", GSLB_FAILOVER, "", ""},
     {"10.0.0.0/8=fra:70,iad:30 *=iad", GSLB_FAILOVER, "www-iad", ""},
     30,
     47.5, /* 3/4 x 30 %, and 1/4 that had only iad */
     "fra 70.00>100.00; iad 30.00>0.00; www-fra/m0 70.00>100.00; www-iad/m0 30.00>0.00; "},
    {"all is down",
     {"10.0.0.0/8=fra! *=iad", GSLB_FAILOVER, "", ""},
     {"10.0.0.0/8=fra! *=iad", GSLB_FAILOVER, "www-fra", ""},
     100,
     75,
     "(nodata) 0.00>100.00; fra 100.00>0.00; iad 0.00>0.00; (nodata) 0.00>100.00; "
     "www-fra/m0 100.00>0.00; www-iad/m0 0.00>0.00; "},
    {"a new name",
     {NULL, GSLB_FAILOVER, "", ""},
     {"10.0.0.0/8=fra *=iad", GSLB_FAILOVER, "", ""},
     100,
     100,
     "(not steered) 100.00>0.00; fra 0.00>100.00; iad 0.00>0.00; (not steered) 100.00>0.00; "
     "www-fra/m0 0.00>100.00; www-iad/m0 0.00>0.00; "},
};

static void side_make(struct made *m, const struct change *c, const struct gslb_table *of)
{
    made_init(m, "fra iad", NULL);
    if (of) {
        gslb_table_free(m->table);
        assert_int_equal(gslb_table_dup(of, &m->table), 0);
        m->worker.table = m->table;
    }
    int map = made_map(m, c->rules ? c->rules : "*=fra");
    made_pool(m, "www-fra", "fra", c->policy, "192.0.2.1*3 192.0.2.2");
    made_pool(m, "www-iad", "iad", GSLB_FAILOVER, "192.0.2.3");
    struct gslb_name *n =
        made_name(m, c->rules ? "www.example." : "other.example.", map, "www-fra www-iad");
    n->all_down = GSLB_DOWN_NODATA;
    made_finish(m, NULL);
    gslb_suppose_up(m->plan, m->table);
    if (*c->down)
        assert_true(gslb_suppose_down(m->plan, m->table, c->down) > 0);
    const char *value = strchr(c->weight, '=');
    if (value) {
        char member[64];
        snprintf(member, sizeof member, "%.*s", (int)(value - c->weight), c->weight);
        assert_true(gslb_suppose_weight(m->plan, member, (uint32_t)atoi(value + 1)));
        assert_false(gslb_suppose_weight(m->plan, "www-fra/none", 1));
        assert_false(gslb_suppose_weight(m->plan, member, GSLB_WEIGHT_MAX + 1));
    }
}

static void rows_text(const struct gslb_name_shift *n, char *out, size_t cap)
{
    size_t len = 0;
    *out = 0;
    for (unsigned i = 0; i < n->site_count + n->member_count && len < cap; i++) {
        const struct gslb_share *r =
            i < n->site_count ? &n->sites[i] : &n->members[i - n->site_count];
        len += (size_t)snprintf(out + len, cap - len, "%s %.2f>%.2f; ", r->what,
                                100 * r->before[GSLB_SPACE_IPV4], 100 * r->after[GSLB_SPACE_IPV4]);
    }
}

static bool near(double a, double b)
{
    return a - b < 1e-6 && b - a < 1e-6;
}

/* The document and the tables say the same. */
static void told_alike(const struct row *r, const struct gslb_simulation *s)
{
    double changed;
    char *text;
    size_t len;
    json_t *o = gslb_simulation_json(s);
    FILE *f = open_memstream(&text, &len);
    assert_int_equal(json_unpack(o, "{s:[{s:{s:f}}]}", "names", "changed", "ipv4", &changed), 0);
    assert_true(near(100 * changed, r->changed4));
    assert_non_null(f);
    gslb_simulation_print(s, f, false);
    fclose(f);
    const char *want = r->changed4 > 0 ? "1 of 1 names change" : "0 of 1 names change";
    if (!strstr(text, want))
        fail_msg("%s: %s", r->label, text);
    free(text);
    json_decref(o);
}

static void row_holds(const struct row *r)
{
    struct made before, after;
    struct gslb_simulation *s;
    char text[1024];
    struct gslb_seen_count seen[] = {{.count = 2}, {.count = 1}, {.count = 1}};
    addr_parse(&seen[0].address, "10.1.2.0", 0);
    addr_parse(&seen[1].address, "10.9.0.0", 0);
    addr_parse(&seen[2].address, "192.0.2.0", 0);
    side_make(&before, &r->before, NULL);
    side_make(&after, &r->after, before.table);
    const struct gslb_simulate ask = {.before = {before.plan, before.table},
                                      .after = {after.plan, after.table},
                                      .seen = seen,
                                      .seen_count = 3,
                                      .name = OWNER};
    assert_int_equal(gslb_simulate(&ask, &s), 0);
    assert_int_equal(gslb_simulation_count(s), 1);
    const struct gslb_name_shift *n = gslb_simulation_at(s, 0);
    rows_text(n, text, sizeof text);
    double c4 = 100 * n->changed[GSLB_SPACE_IPV4], seen_c = 100 * n->changed[GSLB_SPACE_SEEN];
    if (!near(c4, r->changed4) || !near(seen_c, r->changed_seen) || strcmp(text, r->rows) != 0)
        fail_msg("%s: %.6f %% and %.6f %%: %s", r->label, c4, seen_c, text);
    told_alike(r, s);
    gslb_simulation_free(s);
    made_fini(&before);
    made_fini(&after);
}

static void rows_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        row_holds(&rows[i]);
}

static void unknown_name_is_not_found(void **state)
{
    (void)state;
    struct made m;
    struct gslb_simulation *s;
    side_make(&m, &rows[0].before, NULL);
    const struct gslb_simulate ask = {
        .before = {m.plan, m.table}, .after = {m.plan, m.table}, .name = (const uint8_t *)"\1x"};
    assert_int_equal(gslb_simulate(&ask, &s), ERR_NOT_FOUND);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_hold),
                                       cmocka_unit_test(unknown_name_is_not_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
