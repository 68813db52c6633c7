/* folders: cli lab daemon gslb authority geo dns base */
/* What a running server exports, taken into a table of the command's own. */
#include "../cli/plan_priv.h"

#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char exported[] =
    "{ \"version\": 1, \"time\": 10000000,"
    "  \"members\": ["
    "    { \"identity\": \"member/pa/m0\", \"up\": false, \"known\": true, \"unsettled\": false,"
    "      \"forced\": true, \"over\": false, \"was_up\": true, \"permille\": 0, \"rtt_us\": 1500 "
    "},"
    "    { \"identity\": \"member/pa/m1\", \"up\": true, \"known\": false, \"unsettled\": true,"
    "      \"forced\": false, \"over\": true, \"was_up\": false, \"permille\": 250, \"load\": 7,"
    "      \"rtt_us\": 0 },"
    "    { \"identity\": \"member/gone/m0\", \"up\": false }, { \"up\": false }, 7 ],"
    "  \"names\": ["
    "    { \"identity\": \"name/www.example.\", \"pool\": \"pool/pa\", \"last\": 6400000 },"
    "    { \"identity\": \"name/old.example.\", \"pool\": \"pool/pa\", \"last\": 6399999 } ],"
    "  \"seen\": [ { \"network\": \"10.1.2.0/24\", \"count\": 3, \"subnet\": true },"
    "    { \"network\": \"2001:db8::/48\", \"count\": 1, \"subnet\": false },"
    "    { \"network\": \"none\", \"count\": 9 } ] }";

static uint32_t slot(const struct made *m, const char *identity)
{
    uint32_t found = gslb_table_find(m->table, identity);
    assert_true(found != GSLB_NO_SLOT);
    return found;
}

static void health_is_taken(void **state)
{
    (void)state;
    struct made m;
    uint32_t second;
    json_t *doc = json_loads(exported, 0, NULL);
    assert_non_null(doc);
    made_init(&m, "a", NULL);
    made_pool(&m, "pa", "a", GSLB_ALL, "192.0.2.1 192.0.2.2 192.0.2.3");
    made_name(&m, "www.example.", GSLB_NONE, "pa");
    made_name(&m, "old.example.", GSLB_NONE, "pa");
    made_finish(&m, NULL);
    gslb_suppose_up(m.plan, m.table);
    own_plan_health(m.table, doc);
    struct gslb_view v = gslb_table_get(m.table, slot(&m, "member/pa/m0"));
    assert_true(!v.up && v.known && v.forced && v.was_up && !v.has_load);
    assert_int_equal(v.rtt_us, 1500);
    v = gslb_table_get(m.table, slot(&m, "member/pa/m1"));
    assert_true(v.up && !v.known && v.unsettled && v.over && !v.was_up && v.has_load);
    assert_int_equal(v.permille, 250);
    assert_int_equal(v.load, 7);
    v = gslb_table_get(m.table, slot(&m, "member/pa/m2"));
    assert_true(v.up && v.known && v.permille == 1000);
    assert_int_equal(gslb_table_last(m.table, slot(&m, "name/www.example."), &second),
                     slot(&m, "pool/pa"));
    assert_int_equal(second, 0);
    assert_int_equal(gslb_table_last(m.table, slot(&m, "name/old.example."), &second),
                     GSLB_NO_SLOT); /* more than an hour ago */
    json_decref(doc);
    made_fini(&m);
}

static void seen_is_taken(void **state)
{
    (void)state;
    unsigned count;
    char text[ADDR_TEXT_MAX];
    json_t *doc = json_loads(exported, 0, NULL);
    struct gslb_seen_count *seen = own_plan_seen(doc, &count);
    assert_int_equal(count, 2);
    assert_string_equal(addr_print(&seen[0].address, text), "10.1.2.0");
    assert_int_equal(seen[0].count, 3);
    assert_string_equal(addr_print(&seen[1].address, text), "2001:db8::");
    assert_int_equal(seen[1].count, 1);
    free(seen);
    seen = own_plan_seen(NULL, &count);
    assert_int_equal(count, 0);
    free(seen);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(health_is_taken),
                                       cmocka_unit_test(seen_is_taken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
