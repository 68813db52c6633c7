/* From a client to an answer, rule by rule. */
/* folders: gslb authority geo dns base */
#include "gslb/steer.h"

#include "dns/type.h"
#include "plans.h"

#include <setjmp.h>
#include <stdarg.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scopes_are_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
