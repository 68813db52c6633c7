#include "resolver/classify.h"

#include "stats_priv.h"

const struct dns_rr *classify_find(const struct dns_msg *m, uint8_t section, const uint8_t *owner,
                                   uint16_t type)
{
    for (unsigned i = 0; i < m->rr_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        if (rr->section == section && rr->cls == DNS_CLASS_IN &&
            (type ? rr->type == type : rr->type != DNS_TYPE_RRSIG) &&
            dns_name_equal(rr->owner, owner))
            return rr;
    }
    return NULL;
}

static bool has_dname(const struct classify *c)
{
    for (unsigned i = 0; i < c->msg->rr_count; i++) {
        const struct dns_rr *rr = &c->msg->rrs[i];
        if (rr->section == DNS_SECTION_ANSWER && rr->type == DNS_TYPE_DNAME &&
            dns_name_is_sub(c->qname, rr->owner) && !dns_name_equal(c->qname, rr->owner) &&
            dns_name_is_sub(rr->owner, c->zone))
            return true;
    }
    return false;
}

/* The SOA of a negative reply lies between the zone asked and the name (RFC 2308 2.1). */
static bool has_soa(const struct classify *c)
{
    for (unsigned i = 0; i < c->msg->rr_count; i++) {
        const struct dns_rr *rr = &c->msg->rrs[i];
        if (rr->section == DNS_SECTION_AUTHORITY && rr->type == DNS_TYPE_SOA &&
            dns_name_is_sub(c->qname, rr->owner) && dns_name_is_sub(rr->owner, c->zone))
            return true;
    }
    return false;
}

/* NOERROR with nothing for us in the answer section. */
static enum reply_class empty_answer(const struct classify *c)
{
    bool aa = c->msg->flags & DNS_FLAG_AA, below = false, same = false, above = false,
         other = false;
    if (has_soa(c))
        return aa || c->forwarded ? CLASS_NODATA : CLASS_LAME;
    for (unsigned i = 0; i < c->msg->rr_count; i++) {
        const struct dns_rr *rr = &c->msg->rrs[i];
        if (rr->section != DNS_SECTION_AUTHORITY || rr->type != DNS_TYPE_NS)
            continue;
        if (dns_name_equal(rr->owner, c->zone))
            same = true;
        else if (!dns_name_is_sub(c->qname, rr->owner))
            other = true;
        else if (dns_name_is_sub(rr->owner, c->zone))
            below = true;
        else
            above = true;
    }
    if (c->forwarded)
        return below || same || above || other ? CLASS_LAME : CLASS_NODATA;
    if (below)
        return CLASS_REFERRAL;
    if (aa) /* RFC 2308 2.2: NODATA type 3, or with the zone's own NS */
        return CLASS_NODATA;
    return same ? CLASS_LOOPING : above ? CLASS_UPWARD : other ? CLASS_LAME : CLASS_EMPTY;
}

static enum reply_class of_rcode(uint16_t rcode)
{
    switch (rcode) {
    case DNS_RCODE_SERVFAIL:
        return CLASS_SERVFAIL;
    case DNS_RCODE_REFUSED:
    case DNS_RCODE_NOTAUTH:
        return CLASS_REFUSED;
    case DNS_RCODE_FORMERR:
    case DNS_RCODE_NOTIMP:
    case DNS_RCODE_BADVERS:
        return CLASS_FORMERR;
    default:
        return CLASS_STRANGE;
    }
}

int classify_reply(const struct classify *c)
{
    const struct dns_msg *m = c->msg;
    uint16_t type = c->qtype == DNS_TYPE_ANY ? 0 : c->qtype;
    bool trusted = (m->flags & DNS_FLAG_AA) || c->forwarded;
    if (!(m->flags & DNS_FLAG_QR) || m->opcode != DNS_OPCODE_QUERY)
        return CLASS_MALFORMED;
    if ((m->flags & DNS_FLAG_TC) && c->udp)
        return CLASS_TRUNCATED;
    if (m->rcode != DNS_RCODE_NOERROR && m->rcode != DNS_RCODE_NXDOMAIN &&
        m->rcode != DNS_RCODE_YXDOMAIN)
        return of_rcode(m->rcode);
    /* An alias first: NXDOMAIN then speaks of its target (RFC 6604 3). A CNAME that a DNAME makes
     * is an answer to those who ask for CNAME, but not without the DNAME. */
    if ((type == DNS_TYPE_CNAME || !type) && has_dname(c))
        return trusted ? CLASS_DNAME : CLASS_LAME;
    if (m->rcode == DNS_RCODE_NOERROR && classify_find(m, DNS_SECTION_ANSWER, c->qname, type))
        return trusted ? CLASS_ANSWER : CLASS_LAME;
    if (has_dname(c))
        return trusted ? CLASS_DNAME : CLASS_LAME;
    if (classify_find(m, DNS_SECTION_ANSWER, c->qname, DNS_TYPE_CNAME))
        return trusted ? CLASS_CNAME : CLASS_LAME;
    if (m->rcode == DNS_RCODE_YXDOMAIN)
        return CLASS_STRANGE;
    if (m->rcode == DNS_RCODE_NXDOMAIN)
        return trusted ? CLASS_NXDOMAIN : CLASS_LAME;
    return empty_answer(c);
}
