/* What is refused in a plan, what is warned about, and what stays over a reload. */
/* folders: gslb authority geo dns base */
#include "gslb/plan.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A plan without a fault: pools pa at a, pb at b; www. by map, second. by a list. */
static void sound(struct made *m)
{
    made_init(m, "a b", NULL);
    int map = made_map(m, "10.0.0.0/8=a! *=b");
    made_pool(m, "pa", "a", GSLB_FAILOVER, "192.0.2.1");
    made_pool(m, "pb", "b", GSLB_FAILOVER, "2001:db8::1");
    made_name(m, "www.example.", map, "pa pb")->outside = GSLB_OUTSIDE_REFUSE;
    made_name(m, "second.example.", GSLB_NONE, "pb");
}

static void no_fault(struct made *m)
{
    (void)m;
}
static void no_members(struct made *m)
{
    m->plan->pools[0].endpoint_count = 0;
}
static void many_members(struct made *m)
{
    m->plan->pools[0].endpoint_count = GSLB_MEMBERS_MAX + 1;
}
static void same_member(struct made *m)
{
    made_pool(m, "pc", "", GSLB_FAILOVER, "192.0.2.1 192.0.2.2");
    m->plan->pools[2].endpoints[1].name = "m0";
}
static void no_site(struct made *m)
{
    m->plan->pools[0].site = GSLB_NONE;
}
static void same_site(struct made *m)
{
    m->plan->pools[0].site = 1;
}
static void no_positions(struct made *m)
{
    m->plan->pools[0].near = 0;
}
static void own_loop(struct made *m)
{
    m->plan->pools[0].fallback = 0;
}
static void long_loop(struct made *m)
{
    m->plan->pools[0].fallback = 1;
    m->plan->pools[1].fallback = 0;
}
static void name_loop(struct made *m)
{
    m->plan->names[0].fallback_name = 1;
    m->plan->names[1].fallback_name = 0;
}
static void same_owner(struct made *m)
{
    made_name(m, "www.example.", GSLB_NONE, "pa");
}
static void address_record(struct made *m)
{
    static const struct dns_rrset set = {.type = DNS_TYPE_A};
    m->plan->pools[0].records = &set;
    m->plan->pools[0].record_count = 1;
}
static void site_without_pool(struct made *m)
{
    m->plan->names[0].pool_count = 1;
}
static void fence_without_word(struct made *m)
{
    m->plan->names[0].outside = GSLB_OUTSIDE_NODATA;
}
static void unused_pool(struct made *m)
{
    made_pool(m, "pc", "", GSLB_FAILOVER, "192.0.2.3");
}
static void fallback_pool(struct made *m)
{
    unused_pool(m);
    m->plan->pools[1].fallback = 2;
}
static void clamped(struct made *m)
{
    m->plan->names[1].ttl_max = 60;
}

static const struct {
    const char *label;
    void (*spoil)(struct made *m);
    int err;
    unsigned errors, warnings;
    const char *says;
} rows[] = {
    {"sound", no_fault, 0, 0, 0, NULL},
    {"no members", no_members, ERR_INVALID, 1, 0, "pa: a pool without members"},
    {"many members", many_members, ERR_LIMIT, 1, 0, "pa: more than 1024 members"},
    {"a member twice", same_member, ERR_INVALID, 1, 0, "pc: two members have the same name"},
    {"no site under a map", no_site, ERR_INVALID, 1, 0, "pool pa has no site"},
    {"two pools of a site", same_site, ERR_INVALID, 1, 0, "pool pb is the second at site b"},
    {"nearest without positions", no_positions, ERR_INVALID, 1, 0, "no member has a position"},
    {"its own fallback", own_loop, ERR_INVALID, 1, 0, "pa: its fallbacks lead back to it"},
    {"a loop of two, said once", long_loop, ERR_INVALID, 1, 0, "by way of pb"},
    {"a loop of names", name_loop, ERR_INVALID, 1, 0, "by way of second.example."},
    {"an owner twice", same_owner, ERR_INVALID, 1, 0, "www.example.: steered twice"},
    {"addresses as records", address_record, ERR_INVALID, 1, 0, "are members, not records"},
    {"a site without a pool", site_without_pool, 0, 0, 1, "no pool is at site b"},
    {"a fence without a word", fence_without_word, 0, 0, 1, "outside the fence"},
    {"an unused pool", unused_pool, 0, 0, 1, "pc: no name uses this pool"},
    {"used as a fallback", fallback_pool, 0, 0, 0, NULL},
    {"a TTL that is clamped", clamped, 0, 0, 1, "TTL 300 is served as 60"},
};

static void faults_are_said(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made m;
        char text[512] = "";
        sound(&m);
        rows[i].spoil(&m);
        int err = gslb_plan_finish(m.plan, NULL, m.table, 2, &m.diags);
        if (m.diags.first)
            diag_format(m.diags.first, text, sizeof text);
        if (err != rows[i].err || m.diags.errors != rows[i].errors ||
            m.diags.warnings != rows[i].warnings || (rows[i].says && !strstr(text, rows[i].says)))
            fail_msg("%s: %s, %u errors, %u warnings, %s", rows[i].label, err_name(err),
                     m.diags.errors, m.diags.warnings, text);
        made_fini(&m);
    }
}

static int id_of(const struct made *m, const char *owner)
{
    uint8_t name[DNS_NAME_MAX];
    assert_true(dns_name_parse(name, owner, strlen(owner), NULL) > 0);
    return gslb_plan_name(m->plan, name);
}

static void ids_last(void **state)
{
    (void)state;
    static const char *const owners[] = {"a.example.", "b.example.", "c.example.", "d.example."};
    struct made old, new;
    made_init(&old, "a", NULL);
    made_pool(&old, "p", "", GSLB_FAILOVER, "192.0.2.1");
    for (unsigned i = 0; i < 4; i++)
        made_name(&old, owners[i], GSLB_NONE, "p");
    made_finish(&old, NULL);
    made_init(&new, "a", &old);
    made_pool(&new, "p", "", GSLB_FAILOVER, "192.0.2.1");
    made_name(&new, "d.example.", GSLB_NONE, "p")->fallback_name = 2;
    made_name(&new, "e.example.", GSLB_NONE, "p");
    made_name(&new, "b.example.", GSLB_NONE, "p");
    made_finish(&new, old.plan);
    assert_int_equal(id_of(&new, "b.example."), id_of(&old, "b.example."));
    assert_int_equal(id_of(&new, "d.example."), id_of(&old, "d.example."));
    assert_int_equal(id_of(&new, "e.example."), 0);
    assert_int_equal(id_of(&new, "a.example."), GSLB_NONE);
    assert_int_equal(new.plan->name_count, 4);
    assert_null(new.plan->names[2].owner);
    assert_int_equal(new.plan->names[3].fallback_name, 1);
    assert_int_equal(new.plan->pools[0].slot, old.plan->pools[0].slot);
    made_fini(&new);
    made_fini(&old);
}

static void types_are_of_every_branch(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, "a", NULL);
    made_pool(&m, "four", "", GSLB_FAILOVER, "192.0.2.1 -2001:db8::1")->fallback = 1;
    made_pool(&m, "away", "", GSLB_FAILOVER, "cname:x.example.");
    made_pool(&m, "six", "", GSLB_FAILOVER, "2001:db8::1");
    made_name(&m, "www.example.", GSLB_NONE, "four")->fallback_name = 1;
    made_name(&m, "other.example.", GSLB_NONE, "six");
    made_finish(&m, NULL);
    const struct gslb_name *n = &m.plan->names[0];
    assert_int_equal(n->type_count, 3);
    assert_true(n->types[0] == DNS_TYPE_A && n->types[1] == DNS_TYPE_CNAME &&
                n->types[2] == DNS_TYPE_AAAA);
    assert_int_equal(m.plan->names[1].type_count, 1);
    made_fini(&m);
}

static void zones_get_their_names(void **state)
{
    (void)state;
    static const char *const owners[] = {"example.",     "www.example.",  "*.sub.example.",
                                         "sub.example.", "xsub.example.", "example.org."};
    static const uint8_t *const origins[] = {
        (const uint8_t *)"\3sub\7example", (const uint8_t *)"\7example", (const uint8_t *)"\3org"};
    static const int counts[] = {2, 3, 1};
    struct made m;
    struct arena a;
    arena_init(&a, 0, 0);
    made_init(&m, "a", NULL);
    made_pool(&m, "p", "", GSLB_FAILOVER, "192.0.2.1 cname:x.example.");
    for (unsigned i = 0; i < 6; i++)
        made_name(&m, owners[i], GSLB_NONE, "p");
    made_finish(&m, NULL);
    for (unsigned i = 0; i < 3; i++) {
        struct dynamic_name *names;
        int n = gslb_plan_dynamic(m.plan, origins[i], origins, 3, &a, &names);
        assert_int_equal(n, counts[i]);
        for (int k = 0; k < n; k++)
            assert_true(names[k].alias && names[k].type_count == 2 &&
                        gslb_plan_name(m.plan, names[k].owner) == (int)names[k].id);
    }
    arena_fini(&a);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_said), cmocka_unit_test(ids_last),
        cmocka_unit_test(types_are_of_every_branch), cmocka_unit_test(zones_get_their_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
