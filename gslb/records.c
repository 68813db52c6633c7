#include "records_priv.h"

bool records_has(const struct records *r)
{
    for (const uint8_t *p = r->start; p < r->at; p += r->len + 2)
        if (!memcmp(p, r->at, r->len + 2))
            return true;
    return false;
}

void records_put_found(struct records *r, const struct gslb_target_found *f, unsigned most)
{
    unsigned six = r->len == 16;
    for (unsigned i = 0; i < f->count[six] && i < most; i++)
        records_put(r, f->rdata[six] + i * (r->len + 2) + 2);
}
