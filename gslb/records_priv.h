/* gslb/records_priv.h: addresses of one family, written one after the other as struct dns_rrset has
 * them. What does not fit any more is left out: no answer holds that many. */
#ifndef WAYPOST_GSLB_RECORDS_PRIV_H
#define WAYPOST_GSLB_RECORDS_PRIV_H

#include "gslb/target.h"

#include <string.h>

struct records {
    uint8_t *start, *at, *end;
    size_t len; /* octets of an address */
    unsigned count;
    bool unique; /* an address that is there already is left out */
};

/* Is what was just put at the end there already? */
bool records_has(const struct records *r);

static inline void records_put(struct records *r, const uint8_t *ip)
{
    if ((size_t)(r->end - r->at) < r->len + 2)
        return;
    put_u16(r->at, (uint16_t)r->len);
    if (r->len == 4) /* most: it costs no call */
        memcpy(r->at + 2, ip, 4);
    else
        memcpy(r->at + 2, ip, 16);
    if (r->unique && records_has(r))
        return;
    r->at += r->len + 2;
    r->count++;
}

/* At most `most` of those fetched. */
void records_put_found(struct records *r, const struct gslb_target_found *f, unsigned most);

#endif
