#include "scrub_priv.h"

#include <string.h>

static const char *objection(const struct iter *it, const struct dns_rrset *s)
{
    if (s->cls != DNS_CLASS_IN)
        return "class";
    if (!dns_name_is_sub(s->owner, it->cut.zone))
        return "out of bailiwick";
    /* Names of a forward zone below this one belong to that plane alone. */
    if (store_plane(it, s->owner) != it->cut.plane)
        return "other plane";
    if (dns_type_is_meta(s->type))
        return "meta type";
    if ((s->type == DNS_TYPE_CNAME || s->type == DNS_TYPE_DNAME) && s->count > 1)
        return "more than one alias"; /* RFC 2181 10.1 */
    return NULL;
}

unsigned scrub_sets(struct iter *it, uint8_t section, struct dns_rrset **sets)
{
    struct walk *k = it->walk;
    int n = dns_msg_rrsets(&it->msg, section, &k->arena, sets);
    unsigned kept = 0;
    for (int i = 0; i < n; i++) {
        const char *why = objection(it, &(*sets)[i]);
        if (!why) {
            (*sets)[kept++] = (*sets)[i];
            continue;
        }
        stat_inc(k->w->stats, STAT_SCRUBBED);
        trace_add(&k->trace, TRACE_SCRUB, it->id, walk_us(k), (*sets)[i].owner,
                  (unsigned)(*sets)[i].type, why);
    }
    return kept;
}

const struct dns_rrset *scrub_find(const struct dns_rrset *sets, unsigned count,
                                   const uint8_t *owner, uint16_t type)
{
    for (unsigned i = 0; i < count; i++)
        if (sets[i].type == type && dns_name_equal(sets[i].owner, owner))
            return &sets[i];
    return NULL;
}

const struct dns_rrset *scrub_find_sigs(const struct dns_rrset *sets, unsigned count,
                                        const uint8_t *owner, uint16_t covers)
{
    for (unsigned i = 0; i < count; i++)
        if (sets[i].type == DNS_TYPE_RRSIG && sets[i].covers == covers &&
            dns_name_equal(sets[i].owner, owner))
            return &sets[i];
    return NULL;
}
