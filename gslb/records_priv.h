/* gslb/records_priv.h: addresses of one family, written one after the other as struct dns_rrset has
 * them. What does not fit any more is left out: no answer holds that many. */
#ifndef WAYPOST_GSLB_RECORDS_PRIV_H
#define WAYPOST_GSLB_RECORDS_PRIV_H

#include "gslb/target.h"

struct records {
    uint8_t *start, *at, *end;
    size_t len; /* octets of an address */
    unsigned count;
    bool unique; /* an address that is there already is left out */
};
void records_put(struct records *r, const uint8_t *ip);
/* At most `most` of those fetched. */
void records_put_found(struct records *r, const struct gslb_target_found *f, unsigned most);

#endif
