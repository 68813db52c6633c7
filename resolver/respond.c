/* A result as a message to the one who asked. */
#include "resolver/resolver.h"

#include <string.h>

/* Signatures and proofs are for those who asked with DO (RFC 4035 3.2.1), or for them by name. */
static bool is_wanted(const struct dns_rrset *s, const struct dns_query *q)
{
    if (q->edns.dnssec_ok || s->type == q->qtype)
        return true;
    return s->type != DNS_TYPE_RRSIG && s->type != DNS_TYPE_NSEC && s->type != DNS_TYPE_NSEC3;
}

static bool write_sets(struct dns_writer *w, enum dns_section section, const struct dns_rrset *sets,
                       unsigned count, const struct dns_query *q)
{
    for (unsigned i = 0; i < count; i++)
        if (is_wanted(&sets[i], q) &&
            dns_writer_rrset(w, section, &sets[i], sets[i].owner, sets[i].ttl, 0))
            return false;
    return true;
}

size_t resolver_write(const struct resolver_result *res, const struct dns_query *q,
                      const struct edns *e, size_t limit, struct dns_writer *scratch, uint8_t *buf)
{
    /* AD is never set: nothing has been validated. */
    uint16_t flags = DNS_FLAG_QR | DNS_FLAG_RA | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD));
    struct edns opt = {0};
    if (e && e->present) {
        opt = *e;
        for (unsigned i = 0; i < res->ede_count && opt.ede_count < EDNS_EDE_MAX; i++)
            opt.ede[opt.ede_count++] = res->ede[i];
    }
    dns_writer_init(scratch, buf, limit);
    if (opt.present) {
        /* The error's text is the first thing to go when there is no room. */
        if (edns_size(&opt) + DNS_HEADER_LEN + DNS_NAME_MAX + 4 > limit)
            opt.ede_count = 0;
        dns_writer_reserve(scratch, edns_size(&opt));
    }
    if (dns_writer_question(scratch, q->qname, q->qtype, q->qclass) ||
        !write_sets(scratch, DNS_SECTION_ANSWER, res->answer, res->answer_count, q) ||
        !write_sets(scratch, DNS_SECTION_AUTHORITY, res->authority, res->authority_count, q))
        flags |= DNS_FLAG_TC;
    else /* nobody needs it: no TC (RFC 2181 9) */
        write_sets(scratch, DNS_SECTION_ADDITIONAL, res->additional, res->additional_count, q);
    return dns_writer_finish(scratch, q->id, flags, res->rcode, opt.present ? &opt : NULL, 0);
}
