/* Full responses: what the cache knows beside the answer (RFC 1034 4.3.3, RFC 2181 5.4.1). Only
 * data that could be answers themselves, never glue, never a delegation of the parent's side. */
#include "dns/rdata.h"
#include "iterate_priv.h"

#define FULL_NAMES_MAX 16
#define FULL_SETS_MAX  (FULL_NAMES_MAX * 4)

static void add(struct iter *it, const uint8_t *name, uint16_t type, struct dns_rrset *sets,
                unsigned *count, unsigned cap)
{
    struct cache_entry e;
    if (!store_get(it, CACHE_DATA, name, type, &e) || e.proof_count) /* which is not for there */
        return;
    e.set.ttl = e.sigs.ttl = e.ttl_left;
    iter_add(sets, count, cap, &e.set);
    iter_add(sets, count, cap, &e.sigs);
}

/* NS of the zone that the answer is from. */
static void add_servers(struct iter *it)
{
    unsigned before = it->authority_count;
    for (unsigned i = 0; i < before; i++) /* of a negative answer; a proof may be there */
        if (it->authority[i].type == DNS_TYPE_SOA)
            return;
    for (const uint8_t *n = it->name; it->authority_count == before; n = dns_name_parent(n)) {
        add(it, n, DNS_TYPE_NS, it->authority, &it->authority_count, ITER_AUTHORITY_MAX);
        if (!*n)
            return;
    }
}

static unsigned targets_of(const struct dns_rrset *sets, unsigned count, const uint8_t **names)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        DNS_RR_FOR (rd, &sets[i]) {
            const uint8_t *target = dns_rdata_target(sets[i].type, rd.at, rd.len);
            bool twin = !target || !*target || n == FULL_NAMES_MAX;
            for (unsigned j = 0; j < n && !twin; j++)
                twin = dns_name_equal(names[j], target);
            if (!twin)
                names[n++] = target;
        }
    return n;
}

void full_add(struct iter *it)
{
    const uint8_t *names[FULL_NAMES_MAX];
    if (!it->answer_count || it->rcode)
        return;
    if (it->answer[it->answer_count - 1].type != DNS_TYPE_NS)
        add_servers(it);
    it->additional = ARENA_ARRAY(&it->walk->arena, struct dns_rrset, FULL_SETS_MAX);
    unsigned n = it->additional ? targets_of(it->answer, it->answer_count, names) : 0;
    for (unsigned i = 0; i < n; i++) {
        add(it, names[i], DNS_TYPE_A, it->additional, &it->additional_count, FULL_SETS_MAX);
        add(it, names[i], DNS_TYPE_AAAA, it->additional, &it->additional_count, FULL_SETS_MAX);
    }
}
