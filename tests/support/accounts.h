/* tests/support/accounts.h: who may answer, found out slowly: the rules of steering written a
 * second time, from include/gslb/steer.h and plan.h, evaluating maps by their rules. */
#ifndef WAYPOST_TESTS_ACCOUNTS_H
#define WAYPOST_TESTS_ACCOUNTS_H

#include "worlds.h"

/* One pool that may answer (several where a site is drawn), with what its TTL depends on. */
struct option {
    int pool;
    bool unsettled;
    uint32_t until;
};

struct account {
    struct world *w;
    const struct gslb_client *client;
    uint16_t qtype;
    const struct gslb_name *asked;
    /* gathered */
    struct option options[MADE_POOLS];
    unsigned option_count;
    bool tried[MADE_POOLS];
    int first;
    bool unsettled, lacked_family;
    uint32_t until;
    bool mapped[MADE_MAPS]; /* looked at with the subnet */
    bool drawn, subnet;     /* a site was drawn; the last map or name went by the subnet */
    int final;              /* what an outsider gets, or -1 */
};

/* Takes what stands above `gathered`. */
void account_make(struct account *a);
struct gslb_view account_view(const struct account *a, const struct gslb_endpoint *e);
/* May be asked for this type as far as families go. */
bool account_is_of_family(const struct gslb_endpoint *e, uint16_t qtype);
bool account_is_available(const struct account *a, const struct gslb_pool *p, unsigned i);
/* That steers; sets a->subnet. */
struct addr account_address(struct account *a, bool ignore_subnet);

#endif
