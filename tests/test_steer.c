/* From a client to an answer, rule by rule. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- scopes ---- */

static const struct {
    const char *label, *client, *given;
    unsigned scope;
} scopes[] = {
    {"in /8, beside the /16 inside it", "192.0.2.53 10.200.0.0/24", "192.0.2.1", 9},
    {"in the /16", "192.0.2.53 10.1.2.0/24", "192.0.2.2", 16},
    {"default", "192.0.2.53 192.0.2.0/24", "192.0.2.3", 1},
    {"opted out: the packet steers", "10.1.2.3 0.0.0.0/0", "192.0.2.2", 0},
    {"no option: the packet steers", "10.200.0.1", "192.0.2.1", 0},
    {"longer than the source", "192.0.2.53 10.0.0.0/8", "192.0.2.1", 16},
    {"IPv6: not over Teredo beside it", "192.0.2.53 2001:db8::/56", "192.0.2.3", 21},
};

static void scopes_are_right(void **state)
{
    (void)state;
    struct made m;
    char text[256];
    made_init(&m, "a b c", NULL);
    int map = made_map(&m, "10.0.0.0/8=a 10.1.0.0/16=b *=c");
    made_pool(&m, "pa", "a", GSLB_FAILOVER, "192.0.2.1");
    made_pool(&m, "pb", "b", GSLB_FAILOVER, "192.0.2.2");
    made_pool(&m, "pc", "c", GSLB_FAILOVER, "192.0.2.3");
    made_name(&m, "www.example.", map, "pa pb pc");
    made_finish(&m, NULL);
    for (unsigned i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        struct gslb_client c = made_client(scopes[i].client);
        struct gslb_answer a = made_ask(&m, "www.example.", DNS_TYPE_A, &c, 1000, NULL);
        made_text(&a, text, sizeof text);
        if (strcmp(text, scopes[i].given) != 0 || a.scope != scopes[i].scope || a.ttl != 300)
            fail_msg("%s: %s, scope %u, ttl %u", scopes[i].label, text, a.scope, a.ttl);
    }
    made_fini(&m);
}

/* ---- one plan, many states ---- */

/* Sites a b c; maps: rules as above; a fence for 10.9/16; weights for 10.8/16. */
static void make(struct made *m)
{
    made_init(m, "a b c d", NULL);
    int map = made_map(m, "10.1.0.0/16=a,b! 10.2.0.0/16=b,a,c 10.8.0.0/16=a:3,b:1 10.3.0.0/16=d! "
                          "10.4.0.0/16=d,a,b");
    made_pool(m, "pa", "a", GSLB_FAILOVER, "192.0.2.1|2001:db8::1 192.0.2.2 -192.0.2.9");
    made_pool(m, "pb", "b", GSLB_FAILOVER, "192.0.2.3 192.0.2.4");
    made_pool(m, "pc", "c", GSLB_FAILOVER, "192.0.2.5|2001:db8::5");
    made_pool(m, "sorry", "", GSLB_ALL, "192.0.2.99");
    made_pool(m, "reserve", "b", GSLB_FAILOVER, "192.0.2.98");
    made_pool(m, "far", "c", GSLB_FAILOVER, "192.0.2.97");
    made_pool(m, "away", "", GSLB_FAILOVER, "cname:cdn.example.");
    made_pool(m, "names", "", GSLB_FAILOVER, "host:h.example.");
    made_pool(m, "half", "", GSLB_ALL, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    made_pool(m, "blind", "", GSLB_ALL, "192.0.2.1 192.0.2.2");
    made_pool(m, "six", "", GSLB_FAILOVER, "192.0.2.1 2001:db8::7");
    made_pool(m, "shut", "", GSLB_FAILOVER, "-192.0.2.50");
    made_pool(m, "four", "", GSLB_FAILOVER, "192.0.2.51");
    made_pool(m, "own", "", GSLB_CONSISTENT, "192.0.2.1 192.0.2.2");
    made_pool(m, "least", "", GSLB_LEAST_LOAD, "192.0.2.1 192.0.2.2");
    made_pool(m, "twins", "", GSLB_ALL, "192.0.2.7 192.0.2.7 192.0.2.8");
    m->plan->pools[gslb_plan_pool(m->plan, "half")].healthy_permille = 500;
    m->plan->pools[gslb_plan_pool(m->plan, "blind")].ignore_health = true;
    /* TXT "t" at site a alone. */
    struct gslb_pool *pa = &m->plan->pools[0];
    static const struct dns_rrset txt = {.rdata = (const uint8_t *)"\0\2\1t",
                                         .size = 4,
                                         .type = DNS_TYPE_TXT,
                                         .cls = DNS_CLASS_IN,
                                         .count = 1};
    pa->records = &txt;
    pa->record_count = 1;
    made_name(m, "www.example.", map, "pa pb pc")->fallback_pool = gslb_plan_pool(m->plan, "sorry");
    made_name(m, "skip.example.", map, "pa pb pc")->skip_first = true;
    struct gslb_name *n = made_name(m, "fam.example.", map, "pa pb pc");
    n->family_fail_over = true;
    n->all_down = GSLB_DOWN_REFUSE;
    n = made_name(m, "chain.example.", map, "pa pb");
    n->fallback_name = 0;
    n->all_down = GSLB_DOWN_NODATA;
    made_name(m, "list.example.", GSLB_NONE, "pb pc")->all_down = GSLB_DOWN_ALL;
    made_name(m, "cname.example.", GSLB_NONE, "pc away");
    made_name(m, "names.example.", GSLB_NONE, "names")->all_down = GSLB_DOWN_ALL;
    made_name(m, "half.example.", GSLB_NONE, "half pc");
    made_name(m, "blind.example.", GSLB_NONE, "blind");
    made_name(m, "six.example.", GSLB_NONE, "six");
    made_name(m, "twins.example.", GSLB_NONE, "twins");
    made_name(m, "shut.example.", GSLB_NONE, "shut four")->all_down = GSLB_DOWN_REFUSE;
    made_name(m, "rest.example.", GSLB_NONE, "shut four")->all_down = GSLB_DOWN_ALL;
    made_name(m, "own.example.", GSLB_NONE, "own pc");
    made_name(m, "least.example.", GSLB_NONE, "least");
    n = made_name(m, "alias.example.", GSLB_NONE, "");
    n->alias = (const uint8_t *)"\1x";
    n = made_name(m, "out.example.", map, "pa pb pc");
    n->outside = GSLB_OUTSIDE_POOL;
    n->outside_pool = gslb_plan_pool(m->plan, "sorry");
    n = made_name(m, "no.example.", map, "pa pb pc");
    n->outside = GSLB_OUTSIDE_REFUSE;
    n = made_name(m, "else.example.", map, "pa pb pc");
    n->outside = GSLB_OUTSIDE_FALLBACK;
    n->fallback_pool = gslb_plan_pool(m->plan, "sorry");
    n->all_down = GSLB_DOWN_FALLBACK;
    made_finish(m, NULL);
}

static const char *const outcomes[] = {
    [GSLB_STATIC] = "static",   [GSLB_SET] = "set",       [GSLB_NODATA] = "nodata",
    [GSLB_REFUSED] = "refused", [GSLB_FAILED] = "failed",
};

#define A1 DNS_TYPE_A
#define A4 DNS_TYPE_AAAA
static const struct row {
    const char *label, *owner;
    uint16_t type;
    const char *net;   /* client */
    const char *state; /* of members: "pa/m0=d pb/m1=~" */
    const char *given; /* records, or an outcome */
    unsigned scope, ttl;
} rows[] = {
    {"first site", "www.example.", A1, "10.2.0.0/24", "", "192.0.2.3", 16, 300},
    {"its second member", "www.example.", A1, "10.2.0.0/24", "pb/m0=d", "192.0.2.4", 16, 300},
    {"the next site", "www.example.", A1, "10.2.0.0/24", "pb/m0=d pb/m1=d", "192.0.2.1", 16, 300},
    {"the last site", "www.example.", A1, "10.2.0.0/24", "pb/m0=d pb/m1=d pa/m0=d pa/m1=d",
     "192.0.2.5", 16, 300},
    {"not enabled is not given", "www.example.", A1, "10.1.0.0/24",
     "pa/m0=d pa/m1=d pb/m0=d pb/m1=d pa/m2=u", "192.0.2.1 192.0.2.2", 16, 30},
    {"the name's fallback", "www.example.", A1, "10.2.0.0/24",
     "pb/m0=d pb/m1=d pa/m0=d pa/m1=d pc/m0=d", "192.0.2.99", 16, 300},
    {"not out of a fence", "www.example.", A1, "10.1.0.0/24", "pa/m0=d pa/m1=d pb/m0=d pb/m1=d",
     "192.0.2.1 192.0.2.2", 16, 30},
    {"a site without a pool", "www.example.", A1, "10.4.0.0/24", "", "192.0.2.1", 16, 300},
    {"a fence around nothing", "www.example.", A1, "10.3.0.0/24", "", "nodata", 16, 30},
    {"outside: no data, with the map's scope", "www.example.", A1, "192.0.2.0/24", "", "nodata", 1,
     300},
    {"outside: a pool", "out.example.", A1, "192.0.2.0/24", "", "192.0.2.99", 1, 300},
    {"outside: a pool that is down", "out.example.", A1, "192.0.2.0/24", "sorry/m0=d", "192.0.2.99",
     1, 30},
    {"outside: refused", "no.example.", A1, "192.0.2.0/24", "", "refused", 1, 300},
    {"outside: the fallback", "else.example.", A1, "192.0.2.0/24", "", "192.0.2.99", 1, 300},
    {"outside: the fallback is down", "else.example.", A1, "192.0.2.0/24", "sorry/m0=d", "static",
     1, 30},
    {"the first is left out", "skip.example.", A1, "10.2.0.0/24", "", "192.0.2.1", 16, 300},
    {"the first with a pool is left out", "skip.example.", A1, "10.4.0.0/24", "", "192.0.2.3", 16,
     300},
    {"the first is left out of a draw", "skip.example.", A1, "10.8.0.0/24", "pa/m0=d pa/m1=d",
     "192.0.2.3", 16, 300},
    {"nobody enabled is down, not of another family", "shut.example.", A1, "10.2.0.0/24",
     "four/m0=d", "refused", 0, 30},
    {"all of the first that has any enabled", "rest.example.", A1, "10.2.0.0/24", "four/m0=d",
     "192.0.2.51", 0, 30},
    {"no data whoever asks", "own.example.", A4, "10.2.0.0/24", "", "nodata", 0, 300},
    {"AAAA stays at the site", "www.example.", A4, "10.2.0.0/24", "", "nodata", 16, 300},
    {"AAAA of a site that has it", "www.example.", A4, "10.1.0.0/24", "", "2001:db8::1", 16, 300},
    {"AAAA is down, the site is not", "www.example.", A4, "10.1.0.0/24", "pa/m0=d", "nodata", 16,
     300},
    {"AAAA fails over", "fam.example.", A4, "10.2.0.0/24", "", "2001:db8::1", 16, 300},
    {"AAAA fails over twice", "fam.example.", A4, "10.2.0.0/24", "pa/m0=d", "2001:db8::5", 16, 300},
    {"no site has AAAA: not down", "fam.example.", A4, "10.2.0.0/24", "pa/m0=d pc/m0=d", "nodata",
     16, 300},
    {"other types follow the site", "www.example.", DNS_TYPE_TXT, "10.1.0.0/24", "", "?", 16, 300},
    {"a type of another branch", "www.example.", DNS_TYPE_TXT, "10.2.0.0/24", "", "nodata", 16,
     300},
    {"a type of no branch", "www.example.", DNS_TYPE_MX, "10.2.0.0/24", "", "static", 0, 0},
    {"ANY is one type", "www.example.", DNS_TYPE_ANY, "10.2.0.0/24", "", "192.0.2.3", 16, 300},
    {"another name's pools", "chain.example.", A1, "10.2.0.0/24", "pb/m0=d pb/m1=d pa/m0=d pa/m1=d",
     "192.0.2.5", 16, 300},
    {"another name's fallback", "chain.example.", A1, "10.2.0.0/24",
     "pb/m0=d pb/m1=d pa/m0=d pa/m1=d pc/m0=d", "192.0.2.99", 16, 300},
    {"another name's end is this one's", "chain.example.", A1, "10.2.0.0/24",
     "pb/m0=d pb/m1=d pa/m0=d pa/m1=d pc/m0=d sorry/m0=d", "nodata", 16, 30},
    {"no map, no scope", "list.example.", A1, "10.2.0.0/24", "", "192.0.2.3", 0, 300},
    {"all of the first", "list.example.", A1, "10.2.0.0/24", "pb/m0=d pb/m1=d pc/m0=d",
     "192.0.2.3 192.0.2.4", 0, 30},
    {"all down: refuse", "fam.example.", A1, "10.2.0.0/24",
     "pb/m0=d pb/m1=d pa/m0=d pa/m1=d pc/m0=d", "refused", 16, 30},
    {"a CNAME answers A", "cname.example.", A1, "10.2.0.0/24", "pc/m0=d", "cdn.example.", 0, 300},
    {"a CNAME answers MX", "cname.example.", DNS_TYPE_MX, "10.2.0.0/24", "pc/m0=d", "cdn.example.",
     0, 300},
    {"MX where the branch is none", "cname.example.", DNS_TYPE_MX, "10.2.0.0/24", "", "static", 0,
     300},
    {"CNAME where the branch is none", "cname.example.", DNS_TYPE_CNAME, "10.2.0.0/24", "",
     "nodata", 0, 300},
    {"host names of which nothing is known", "names.example.", A1, "10.2.0.0/24", "", "failed", 0,
     30},
    {"exactly enough", "half.example.", A1, "10.2.0.0/24", "half/m0=d half/m1=d",
     "192.0.2.3 192.0.2.4", 0, 300},
    {"not enough", "half.example.", A1, "10.2.0.0/24", "half/m0=d half/m1=d half/m2=d", "192.0.2.5",
     0, 300},
    {"slow start counts in full", "half.example.", A1, "10.2.0.0/24",
     "half/m0=d half/m1=d half/m2=p100", "192.0.2.3 192.0.2.4", 0, 300},
    {"a drained one is not given", "half.example.", A1, "10.2.0.0/24", "half/m1=p0",
     "192.0.2.1 192.0.2.3 192.0.2.4", 0, 300},
    {"the first is over its bound", "own.example.", A1, "10.2.0.0/24", "own/m0=o", "192.0.2.2", 24,
     300},
    {"the second is over its bound", "own.example.", A1, "10.2.0.0/24", "own/m1=o", "192.0.2.1", 24,
     300},
    {"the first has no load", "least.example.", A1, "10.2.0.0/24", "least/m0=l0 least/m1=l9",
     "192.0.2.1", 0, 300},
    {"the second has no load", "least.example.", A1, "10.2.0.0/24", "least/m0=l9 least/m1=l0",
     "192.0.2.2", 0, 300},
    {"health is not asked", "blind.example.", A1, "10.2.0.0/24", "blind/m0=d blind/m1=d",
     "192.0.2.1 192.0.2.2", 0, 300},
    {"A among members of both", "six.example.", A1, "10.2.0.0/24", "", "192.0.2.1", 0, 300},
    {"AAAA among members of both", "six.example.", A4, "10.2.0.0/24", "", "2001:db8::7", 0, 300},
    {"usable, but not in this family", "six.example.", A1, "10.2.0.0/24", "six/m0=d", "nodata", 0,
     300},
    {"an address once", "twins.example.", A1, "10.2.0.0/24", "", "192.0.2.7 192.0.2.8", 0, 300},
    {"an alias of which nothing is known", "alias.example.", A1, "10.2.0.0/24", "", "failed", 0,
     300},
    {"unsettled", "www.example.", A1, "10.2.0.0/24", "pb/m1=~", "192.0.2.3", 16, 30},
    {"a failed one is unsettled", "www.example.", A1, "10.2.0.0/24", "pb/m0=d~ pb/m1=d",
     "192.0.2.1", 16, 30},
    {"unsettled where nobody looked", "www.example.", A1, "10.2.0.0/24", "pc/m0=~", "192.0.2.3", 16,
     300},
    {"an operator's word ends", "www.example.", A1, "10.2.0.0/24", "pb/m1=f1012", "192.0.2.3", 16,
     11},
    {"it ended", "www.example.", A1, "10.2.0.0/24", "pb/m1=f999", "192.0.2.3", 16, 0},
    {"it ends after the TTL", "www.example.", A1, "10.2.0.0/24", "pb/m1=f5000", "192.0.2.3", 16,
     300},
};

static void set_states(struct made *m, const char *states)
{
    char copy[256], *rest;
    snprintf(copy, sizeof copy, "%s", states);
    for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) {
        char *state = strchr(s, '=');
        *state++ = 0;
        made_health(m, s, state);
    }
}

static void rules_hold(void **state)
{
    (void)state;
    struct gslb_log *log = malloc(sizeof *log);
    unsigned bad = 0;
    assert_non_null(log);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct made m;
        char text[256], from[64], again[256];
        make(&m);
        set_states(&m, r->state);
        snprintf(from, sizeof from, "198.51.100.53 %s", r->net);
        struct gslb_client c = made_client(from);
        struct gslb_answer a = made_ask(&m, r->owner, r->type, &c, 1000, NULL);
        const char *got =
            a.outcome == GSLB_SET ? made_text(&a, text, sizeof text) : outcomes[a.outcome];
        if (strcmp(got, r->given) != 0 || a.scope != r->scope || a.ttl != r->ttl) {
            print_error("%s: %s, scope %u, ttl %u\n", r->label, got, a.scope, a.ttl);
            bad++;
        }
        struct gslb_answer b = made_ask(&m, r->owner, r->type, &c, 1000, log);
        made_text(&b, again, sizeof again);
        if (a.outcome != b.outcome || (a.outcome == GSLB_SET && strcmp(again, text) != 0) ||
            a.scope != b.scope || a.ttl != b.ttl) {
            print_error("%s: the log changes it\n", r->label);
            bad++;
        }
        made_fini(&m);
    }
    free(log);
    assert_int_equal(bad, 0);
}

/* ---- chains of pools ---- */

static void chains_end_at_fences(void **state)
{
    (void)state;
    struct made m;
    char text[256];
    made_init(&m, "a b c", NULL);
    int map = made_map(&m, "10.1.0.0/16=a,b! *=a,c");
    struct gslb_pool *pa = made_pool(&m, "pa", "a", GSLB_FAILOVER, "192.0.2.1");
    struct gslb_pool *in = made_pool(&m, "in", "b", GSLB_FAILOVER, "192.0.2.2");
    made_pool(&m, "out", "c", GSLB_FAILOVER, "192.0.2.3");
    pa->fallback = 1;
    in->fallback = 2;
    made_name(&m, "www.example.", map, "pa")->all_down = GSLB_DOWN_NODATA;
    made_finish(&m, NULL);
    struct gslb_client fenced = made_client("10.1.0.1"), freed = made_client("10.2.0.1");
    made_health(&m, "pa/m0", "d");
    struct gslb_answer a = made_ask(&m, "www.example.", A1, &fenced, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.2");
    assert_int_equal(a.site, 1);
    made_health(&m, "in/m0", "d");
    a = made_ask(&m, "www.example.", A1, &fenced, 1, NULL);
    assert_int_equal(a.outcome, GSLB_NODATA);
    a = made_ask(&m, "www.example.", A1, &freed, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.3");
    made_fini(&m);
}

/* ---- last healthy ---- */

static void last_healthy_lasts_an_hour(void **state)
{
    (void)state;
    struct made m;
    char text[256];
    make(&m);
    set_states(&m, "pa/m0=d pa/m1=d pb/m0=d pb/m1=dw pc/m0=dw sorry/m0=d");
    uint32_t name = gslb_table_find(m.table, "name/www.example.");
    uint32_t pb = gslb_table_find(m.table, "pool/pb"), pc = gslb_table_find(m.table, "pool/pc");
    struct gslb_client c = made_client("10.2.0.1"), fenced = made_client("10.1.0.1");
    static const struct {
        const char *label;
        bool pc, fenced;
        int64_t now;
        const char *given;
    } last[] = {{"the member that was up", false, false, 5000, "192.0.2.4"},
                {"for an hour", false, false, 4000 + 3600, "192.0.2.4"},
                {"no longer", false, false, 4000 + 3601, "192.0.2.3 192.0.2.4"},
                {"of another pool", true, false, 5000, "192.0.2.5"},
                {"not out of a fence", true, true, 5000, "192.0.2.1 192.0.2.2"},
                {"in the fence", false, true, 5000, "192.0.2.4"}};
    for (unsigned i = 0; i < sizeof last / sizeof *last; i++) {
        gslb_table_put_last(m.table, name, last[i].pc ? pc : pb, 4000);
        struct gslb_answer a =
            made_ask(&m, "www.example.", A1, last[i].fenced ? &fenced : &c, last[i].now, NULL);
        if (strcmp(made_text(&a, text, sizeof text), last[i].given) != 0 || !a.all_down ||
            a.ttl != 30)
            fail_msg("%s: %s, ttl %u", last[i].label, text, a.ttl);
    }
    made_fini(&m);
}

/* ---- clients ---- */

static void clients_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *label, *client;
        unsigned scope;
    } nets[] = {{"IPv4", "192.0.2.1 198.51.100.0/24", 24},
                {"wider than it is looked at", "192.0.2.1 198.51.0.0/16", 24},
                {"IPv6", "192.0.2.1 2001:db8:1:100::/56", 56},
                {"mapped", "192.0.2.1 ::ffff:198.51.100.0/120", 120},
                {"6to4", "192.0.2.1 2002:c633:6400::/40", 40},
                {"Teredo", "192.0.2.1 2001:0:1:2:3:4:5:6/128", 120},
                {"NAT64", "192.0.2.1 64:ff9b::198.51.100.0/120", 120},
                {"beside NAT64", "192.0.2.1 64:ff9b::1:0:0/96", 96},
                {"of the packet", "198.51.100.1", 0}};
    struct made m;
    made_init(&m, "a", NULL);
    made_pool(&m, "p", "", GSLB_CONSISTENT, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4");
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    for (unsigned i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct gslb_client c = made_client(nets[i].client);
        struct gslb_answer a = made_ask(&m, "www.example.", A1, &c, 1000, NULL);
        if (a.outcome != GSLB_SET || a.scope != nets[i].scope)
            fail_msg("%s: scope %u", nets[i].label, a.scope);
    }
    /* However it is written, the same client. */
    static const char *const same[] = {
        "198.51.100.77", "192.0.2.1 198.51.100.0/24", "192.0.2.1 ::ffff:198.51.100.0/120",
        "192.0.2.1 2002:c633:6400::/40", "192.0.2.1 64:ff9b::198.51.100.0/120"};
    char text[64], first[64] = "";
    for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
        struct gslb_client c = made_client(same[i]);
        struct gslb_answer a = made_ask(&m, "www.example.", A1, &c, 1000, NULL);
        made_text(&a, text, sizeof text);
        if (i && strcmp(text, first) != 0)
            fail_msg("%s: %s", same[i], text);
        memcpy(first, text, sizeof first);
    }
    made_fini(&m);
}

static void maps_have_their_say(void **state)
{
    (void)state;
    struct made m;
    char text[64];
    made_init(&m, "a b", NULL);
    int map = made_map(&m, "10.0.0.0/8=a *=b");
    made_pool(&m, "pa", "a", GSLB_FAILOVER, "192.0.2.1");
    made_pool(&m, "pb", "b", GSLB_FAILOVER, "192.0.2.2");
    made_name(&m, "www.example.", map, "pa pb");
    made_finish(&m, NULL);
    struct gslb_client c = made_client("192.0.2.1 10.0.0.0/24");
    m.plan->maps[map].widest4 = 20;
    struct gslb_answer a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.1");
    assert_int_equal(a.scope, 20);
    struct gslb_client mapped = made_client("192.0.2.1 ::ffff:10.0.0.0/120");
    a = made_ask(&m, "www.example.", A1, &mapped, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.1");
    assert_int_equal(a.scope, 96 + 8);
    m.plan->maps[map].ignore_subnet = true;
    a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.2");
    assert_int_equal(a.scope, 0);
    made_fini(&m);
}

/* However the subnet is written, a map that says the same to all looks at nothing. */
static void one_list_has_no_scope(void **state)
{
    static const char *const clients[] = {"192.0.2.1 198.51.100.0/24", "192.0.2.1 2001:db8::/56",
                                          "192.0.2.1 ::ffff:198.51.100.0/120",
                                          "192.0.2.1 2002:c633:6400::/40"};
    (void)state;
    struct made m;
    made_init(&m, "a", NULL);
    int map = made_map(&m, "*=a");
    made_pool(&m, "p", "a", GSLB_FAILOVER, "192.0.2.1");
    made_name(&m, "www.example.", map, "p");
    made_finish(&m, NULL);
    for (unsigned i = 0; i < sizeof clients / sizeof *clients; i++) {
        struct gslb_client c = made_client(clients[i]);
        struct gslb_answer a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
        if (a.outcome != GSLB_SET || a.scope)
            fail_msg("%s: scope %u", clients[i], a.scope);
    }
    made_fini(&m);
}

static void near_is_in_order(void **state)
{
    (void)state;
    struct made m;
    char text[64];
    made_init(&m, "a", NULL);
    int near = made_near(&m, 3, "10.0.0.0/8=2,0,1 *=1,0,2");
    struct gslb_pool *p = made_pool(&m, "p", "", GSLB_FAILOVER, "192.0.2.1 192.0.2.2 192.0.2.3");
    p->near = near;
    p->answers = 2;
    p->endpoints[0].has_position = true;
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    struct gslb_client c = made_client("192.0.2.1 10.0.0.0/24");
    struct gslb_answer a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.3 192.0.2.1");
    assert_int_equal(a.scope, 8);
    made_health(&m, "p/m2", "d");
    a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
    assert_string_equal(made_text(&a, text, sizeof text), "192.0.2.1 192.0.2.2");
    made_fini(&m);
}

/* ---- what is kept and what is told ---- */

static void turns_are_per_type(void **state)
{
    (void)state;
    static const char *const given[] = {"192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2",
                                        "192.0.2.1"};
    struct made m;
    char text[64];
    made_init(&m, "a", NULL);
    made_pool(&m, "p", "", GSLB_ROUND_ROBIN, "192.0.2.1|2001:db8::1 192.0.2.2|2001:db8::2");
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    struct gslb_client c = made_client("192.0.2.1");
    for (unsigned i = 0; i < sizeof given / sizeof *given; i++) {
        uint16_t type = i % 2 ? A4 : A1;
        const struct gslb_ask dry = {
            .plan = m.plan, .qtype = type, .client = &c, .mono_s = 1, .dry = true};
        struct gslb_answer a;
        gslb_steer(&dry, &m.worker, &a);
        assert_string_equal(made_text(&a, text, sizeof text), given[i]);
        a = made_ask(&m, "www.example.", type, &c, 1, NULL);
        assert_string_equal(made_text(&a, text, sizeof text), given[i]);
    }
    made_fini(&m);
}

/* Of a large pool too. */
static void turns_are_foretold(void **state)
{
    enum { MEMBERS = 1000, TURNS = 5 };
    char *members = malloc(MEMBERS * 16), *end = members;
    struct made m;
    struct gslb_client c = made_client("192.0.2.1");
    (void)state;
    assert_non_null(members);
    for (unsigned i = 0; i < MEMBERS; i++)
        end += sprintf(end, "%s10.0.%u.%u", i ? " " : "", i >> 8, i & 255);
    made_init(&m, "a", NULL);
    made_pool(&m, "p", "", GSLB_ROUND_ROBIN, members);
    made_name(&m, "www.example.", GSLB_NONE, "p");
    made_finish(&m, NULL);
    for (unsigned i = 0; i < TURNS; i++) {
        const struct gslb_ask dry = {.plan = m.plan, .qtype = A1, .client = &c, .dry = true};
        struct gslb_answer a;
        gslb_steer(&dry, &m.worker, &a);
        assert_int_equal(a.members[0], i);
        a = made_ask(&m, "www.example.", A1, &c, 1, NULL);
        assert_int_equal(a.members[0], i);
    }
    free(members);
    made_fini(&m);
}

static void answers_are_counted(void **state)
{
    (void)state;
    struct made m;
    struct gslb_seen *seen = calloc(GSLB_SEEN_MAX, sizeof *seen);
    uint32_t until;
    make(&m);
    assert_int_equal(gslb_tally_new(&m.worker.tally), 0);
    struct gslb_client c = made_client("192.0.2.1 10.2.0.0/24");
    const struct gslb_ask dry = {
        .plan = m.plan, .qtype = A1, .client = &c, .mono_s = 1000, .dry = true};
    struct gslb_answer a;
    gslb_steer(&dry, &m.worker, &a);
    for (unsigned i = 0; i < 3; i++)
        made_ask(&m, "www.example.", A1, &c, 1000 + i, NULL);
    uint32_t slot = gslb_table_find(m.table, "member/pb/m0");
    assert_int_equal(gslb_tally_count(m.worker.tally, slot, &until), 3);
    assert_int_equal(until, 1302);
    assert_int_equal(gslb_tally_seen(m.worker.tally, seen), 1);
    assert_true(seen[0].family == 4 && seen[0].subnet && seen[0].ip[12] == 10);
    gslb_tally_free(m.worker.tally);
    free(seen);
    made_fini(&m);
}

static void log_tells_each_step(void **state)
{
    (void)state;
    static const struct {
        enum gslb_step step;
        enum gslb_why why;
    } want[] = {{GSLB_STEP_CLIENT, GSLB_WHY_OK}, {GSLB_STEP_MAP, GSLB_WHY_OK},
                {GSLB_STEP_SITES, GSLB_WHY_OK},  {GSLB_STEP_SKIPPED, GSLB_WHY_NO_POOL},
                {GSLB_STEP_POOL, GSLB_WHY_DOWN}, {GSLB_STEP_POOL, GSLB_WHY_OK},
                {GSLB_STEP_PICK, GSLB_WHY_OK},   {GSLB_STEP_TTL, GSLB_WHY_UNSETTLED},
                {GSLB_STEP_ANSWER, GSLB_WHY_OK}};
    struct gslb_log *log = malloc(sizeof *log);
    struct made m;
    make(&m);
    set_states(&m, "pa/m0=d~ pa/m1=d");
    struct gslb_client c = made_client("192.0.2.1 10.4.0.0/24");
    made_ask(&m, "www.example.", A1, &c, 1000, log);
    assert_int_equal(log->count, sizeof want / sizeof *want);
    for (unsigned i = 0; i < log->count; i++)
        if (log->events[i].step != want[i].step || log->events[i].why != want[i].why)
            fail_msg("event %u: step %d, why %d", i, log->events[i].step, log->events[i].why);
    assert_true(log->has_odds && log->odds[0] == 1ULL << 32 && log->odds[1] == 0);
    free(log);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_right),       cmocka_unit_test(rules_hold),
        cmocka_unit_test(chains_end_at_fences),   cmocka_unit_test(last_healthy_lasts_an_hour),
        cmocka_unit_test(clients_are_told_apart), cmocka_unit_test(maps_have_their_say),
        cmocka_unit_test(near_is_in_order),       cmocka_unit_test(one_list_has_no_scope),
        cmocka_unit_test(turns_are_per_type),     cmocka_unit_test(turns_are_foretold),
        cmocka_unit_test(answers_are_counted),    cmocka_unit_test(log_tells_each_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
