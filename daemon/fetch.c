#include "fetch_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>

#define ALIASES_MAX 16

static const struct dns_rrset *find_set(const struct fetch_reply *r, const uint8_t *owner,
                                        uint16_t type)
{
    for (unsigned i = 0; i < r->answer_count; i++)
        if (r->answer[i].type == type && r->answer[i].cls == DNS_CLASS_IN &&
            dns_name_equal(r->answer[i].owner, owner))
            return &r->answer[i];
    return NULL;
}

static int rcode_error(uint16_t rcode)
{
    switch (rcode) {
    case DNS_RCODE_NXDOMAIN:
        return ERR_NOT_FOUND;
    case DNS_RCODE_REFUSED:
        return ERR_REFUSED;
    case DNS_RCODE_FORMERR:
        return ERR_FORMAT;
    case DNS_RCODE_NOTIMP:
        return ERR_UNSUPPORTED;
    default:
        return ERR_UNREACHABLE; /* SERVFAIL: the name's servers, most of the time */
    }
}

static void copy_set(struct fetch_half *h, const struct dns_rrset *set, size_t record)
{
    if (set->size != set->count * record)
        return; /* not of this length: dns_rdata_unpack does not let it through */
    h->count = set->count < GSLB_TARGET_ADDRESSES ? set->count : GSLB_TARGET_ADDRESSES;
    memcpy(h->rdata, set->rdata, h->count * record);
    h->err = 0;
}

void fetch_half_read(struct fetch_half *h, const uint8_t *qname, uint16_t qtype,
                     const struct fetch_reply *r)
{
    const struct dns_rrset *set;
    h->count = 0;
    h->ttl = UINT32_MAX;
    h->no_name = r->rcode == DNS_RCODE_NXDOMAIN;
    h->err = r->rcode ? rcode_error(r->rcode) : ERR_NOT_FOUND;
    if (r->rcode)
        return;
    for (unsigned i = 0; i < ALIASES_MAX && (set = find_set(r, qname, DNS_TYPE_CNAME)); i++) {
        h->ttl = set->ttl < h->ttl ? set->ttl : h->ttl;
        qname = set->rdata + 2;
    }
    if ((set = find_set(r, qname, qtype))) {
        h->ttl = set->ttl < h->ttl ? set->ttl : h->ttl;
        copy_set(h, set, qtype == DNS_TYPE_A ? 6 : 18);
    } else if (r->referral) {
        h->err = ERR_REFUSED; /* it does not resolve */
    }
}

void fetch_lookup_end(struct fetch_lookup *l)
{
    struct gslb_fetched f = {.ttl = UINT32_MAX};
    struct dns_rrset sets[2];
    bool no_name = false;
    for (unsigned i = 0; i < 2; i++) {
        const struct fetch_half *h = &l->half[i];
        size_t record = i ? 18 : 6;
        no_name |= h->err == ERR_NOT_FOUND && h->no_name;
        if (h->err && h->err != ERR_NOT_FOUND)
            f.err = h->err;
        if (h->err)
            continue;
        sets[i] = (struct dns_rrset){.owner = l->qname,
                                     .rdata = h->rdata,
                                     .size = (uint32_t)(h->count * record),
                                     .ttl = h->ttl,
                                     .type = i ? DNS_TYPE_AAAA : DNS_TYPE_A,
                                     .cls = DNS_CLASS_IN,
                                     .count = h->count};
        *(i ? &f.aaaa : &f.a) = &sets[i];
        f.ttl = h->ttl < f.ttl ? h->ttl : f.ttl;
        f.scope = h->scope > f.scope ? h->scope : f.scope;
    }
    /* No such name: whatever became of the other question (RFC 8020). */
    if (!f.a && !f.aaaa && (no_name || !f.err))
        f.err = ERR_NOT_FOUND;
    l->done(l->arg, &f);
    free(l);
}

void fetch_close(struct gslb_fetcher *g, void (*closed)(void *arg), void *arg)
{
    struct fetch *f = container_of(g, struct fetch, fetcher);
    f->closing = true;
    f->closed = closed;
    f->closed_arg = arg;
    f->close(f);
}
