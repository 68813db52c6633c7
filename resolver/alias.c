#include "alias_priv.h"

#include <string.h>

bool alias_follow(struct iter *it, const uint8_t *to, uint16_t type, enum iter_next *next)
{
    struct walk *k = it->walk;
    unsigned max = k->w->r->o.limits.aliases;
    if (k->used.aliases >= max) {
        iter_limit(it, LIMIT_ALIASES, k->used.aliases, max, true);
        *next = iter_fail(it, DNS_EDE_OTHER, NULL);
        return false;
    }
    k->used.aliases++;
    trace_add(&k->trace, TRACE_ALIAS, it->id, walk_us(k), (unsigned)k->used.aliases, it->name, to,
              (unsigned)type);
    bool loop = dns_name_equal(to, it->name);
    for (unsigned i = 0; i < it->seen_count; i++)
        loop = loop || dns_name_equal(to, it->seen[i]);
    if (loop) {
        *next = iter_fail(it, DNS_EDE_OTHER, "alias loop");
        return false;
    }
    if (it->seen_count < sizeof it->seen / sizeof *it->seen)
        it->seen[it->seen_count++] = it->name;
    it->name = to;
    return true;
}

/* RFC 6672 2.2. */
static bool synthesise(struct iter *it, const struct dns_rrset *dname, struct dns_rrset *cname,
                       enum iter_next *next)
{
    const uint8_t *target = dname->rdata + 2;
    size_t prefix = dns_name_len(it->name) - dns_name_len(dname->owner);
    uint8_t name[DNS_NAME_MAX];
    int len = dns_name_join(name, it->name, prefix, target);
    uint8_t *rd = len > 0 ? arena_alloc(&it->walk->arena, (size_t)len + 2) : NULL;
    if (len < 0) { /* RFC 6672 2.2: the name became too long */
        it->rcode = DNS_RCODE_YXDOMAIN;
        *next = iter_goto(it, ITER_FINISH);
        return false;
    }
    if (!rd) {
        *next = iter_fail(it, DNS_EDE_OTHER, "out of memory");
        return false;
    }
    put_u16(rd, (uint16_t)len);
    memcpy(rd + 2, name, (size_t)len);
    *cname = (struct dns_rrset){.owner = it->name,
                                .rdata = rd,
                                .size = (uint32_t)len + 2,
                                .ttl = dname->ttl,
                                .type = DNS_TYPE_CNAME,
                                .cls = DNS_CLASS_IN,
                                .count = 1};
    return true;
}

bool alias_dname(struct iter *it, const struct dns_rrset *dname, enum iter_next *next)
{
    struct dns_rrset cname;
    if (!synthesise(it, dname, &cname, next))
        return false;
    iter_add(it->answer, &it->answer_count, ITER_SETS_MAX, &cname);
    if (it->qtype == DNS_TYPE_CNAME || it->qtype == DNS_TYPE_ANY) { /* that is what was asked for */
        it->rcode = DNS_RCODE_NOERROR;
        *next = iter_goto(it, ITER_FINISH);
        return false;
    }
    return alias_follow(it, cname.rdata + 2, DNS_TYPE_DNAME, next);
}
