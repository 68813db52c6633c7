/* Steering behind authority/dynamic.h: whose name an id is, and that a query written twice is
 * decided once. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "authority/respond.h"
#include "authority/zone.h"
#include "dns/name.h"
#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t origin[] = "\7example", turns[] = "\5turns\7example";

struct seam {
    struct made made;
    struct gslb_decider decider;
    struct zonedb *db;
    struct arena arena;
};

static void start(struct seam *s)
{
    static const char text[] = "$TTL 300\n@ SOA ns h 1 1 1 1 60\n@ NS ns\nns A 192.0.2.1\n"
                               "turns A 192.0.2.99\nto CNAME turns\n";
    struct dynamic_name *names;
    struct diag_list d;
    struct zone *z;
    made_init(&s->made, "a", NULL);
    made_pool(&s->made, "p", "", GSLB_ROUND_ROBIN, "192.0.2.1 192.0.2.2 192.0.2.3");
    made_name(&s->made, "other.example.", GSLB_NONE, "p");
    made_name(&s->made, "turns.example.", GSLB_NONE, "p");
    made_finish(&s->made, NULL);
    assert_int_equal(gslb_tally_new(&s->made.worker.tally), 0);
    gslb_decider_init(&s->decider, &s->made.worker);
    s->decider.plan = s->made.plan;
    arena_init(&s->arena, 0, 0);
    const uint8_t *origins[] = {origin};
    int n = gslb_plan_dynamic(s->made.plan, origin, origins, 1, &s->arena, &names);
    assert_int_equal(n, 2);
    diag_init(&d);
    assert_int_equal(zone_load_mem(&z, origin, "t", text, sizeof text - 1, names, (unsigned)n, &d),
                     0);
    diag_fini(&d);
    s->db = zonedb_new();
    assert_int_equal(zonedb_add(s->db, origin, z, 1), 0);
    part_unref(zone_part(z));
    assert_int_equal(zonedb_finish(s->db), 0);
}

static void end(struct seam *s)
{
    part_unref(zonedb_part(s->db));
    arena_fini(&s->arena);
    gslb_tally_free(s->made.worker.tally);
    made_fini(&s->made);
}

/* The last octet of the first address of the answer. */
static unsigned asked(struct seam *s, const char *name, bool again)
{
    uint8_t wire[DNS_NAME_MAX], query[512], answer[512];
    struct dns_writer w;
    struct dns_query q;
    struct authority_out out;
    const struct addr client = addr_of_bytes((const uint8_t[]){192, 0, 2, 7}, 4, 0);
    dns_name_parse(wire, name, strlen(name), NULL);
    dns_writer_init(&w, query, sizeof query);
    dns_writer_question(&w, wire, DNS_TYPE_A, DNS_CLASS_IN);
    size_t len = dns_writer_finish(&w, 1, 0, 0, NULL, 0);
    assert_int_equal(dns_query_parse(&q, query, len), DNS_VERDICT_OK);
    const struct authority_ask ask = {.db = s->db,
                                      .query = &q,
                                      .dynamic = &s->decider.dynamic,
                                      .client = &client,
                                      .limit = sizeof answer,
                                      .minimal = true,
                                      .again = again};
    assert_int_equal(authority_respond(&ask, &w, answer, &out), AUTHORITY_DONE);
    assert_int_equal(out.rcode, 0);
    return answer[out.len - 1];
}

static void one_turn_per_query(void **state)
{
    static const struct {
        const char *name;
        bool again;
        unsigned given;
    } rows[] = {{"turns.example.", false, 1}, {"turns.example.", true, 1},
                {"turns.example.", true, 1},  {"turns.example.", false, 2},
                {"to.example.", false, 3},    {"to.example.", true, 3},
                {"turns.example.", false, 1}, {"other.example.", false, 2},
                {"turns.example.", true, 3},  {"turns.example.", false, 3}};
    struct seam s;
    uint32_t until;
    uint64_t count = 0;
    (void)state;
    start(&s);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned given = asked(&s, rows[i].name, rows[i].again);
        if (given != rows[i].given)
            fail_msg("question %u: member %u, not %u", i, given, rows[i].given);
    }
    for (unsigned i = 0; i < 3; i++)
        count +=
            gslb_tally_count(s.made.worker.tally, s.made.plan->pools[0].endpoints[i].slot, &until);
    assert_int_equal(count, 6); /* without those that came again */
    end(&s);
}

static void ids_of_others_are_static(void **state)
{
    struct seam s;
    (void)state;
    start(&s);
    int id = gslb_plan_name(s.made.plan, turns);
    const struct addr client = addr_of_bytes((const uint8_t[]){192, 0, 2, 7}, 4, 0);
    const struct {
        const char *label;
        uint32_t id;
        const uint8_t *owner;
        const struct gslb_plan *plan;
        enum dynamic_verdict verdict;
    } rows[] = {
        {"its own", (uint32_t)id, turns, s.made.plan, DYNAMIC_SET},
        {"another's", (uint32_t)!id, turns, s.made.plan, DYNAMIC_STATIC},
        {"nobody's", 2, turns, s.made.plan, DYNAMIC_STATIC},
        {"without a plan", (uint32_t)id, turns, NULL, DYNAMIC_STATIC},
    };
    for (unsigned i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct dynamic_answer out;
        const struct dynamic_ask ask = {.id = rows[i / 2].id,
                                        .owner = rows[i / 2].owner,
                                        .qname = rows[i / 2].owner,
                                        .qtype = DNS_TYPE_A,
                                        .client = &client,
                                        .again = i % 2};
        s.decider.plan = rows[i / 2].plan;
        s.decider.dynamic.decide(&s.decider.dynamic, &ask, &out);
        if (out.verdict != rows[i / 2].verdict)
            fail_msg("%s: verdict %d", rows[i / 2].label, (int)out.verdict);
    }
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_turn_per_query),
                                       cmocka_unit_test(ids_of_others_are_static)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
