#include "records_priv.h"

#include <string.h>

static bool has(const struct records *r)
{
    for (const uint8_t *p = r->start; p < r->at; p += r->len + 2)
        if (!memcmp(p, r->at, r->len + 2))
            return true;
    return false;
}

void records_put(struct records *r, const uint8_t *ip)
{
    if ((size_t)(r->end - r->at) < r->len + 2)
        return;
    put_u16(r->at, (uint16_t)r->len);
    if (r->len == 4) /* most: it costs no call */
        memcpy(r->at + 2, ip, 4);
    else
        memcpy(r->at + 2, ip, 16);
    if (r->unique && has(r))
        return;
    r->at += r->len + 2;
    r->count++;
}

void records_put_found(struct records *r, const struct gslb_target_found *f, unsigned most)
{
    unsigned six = r->len == 16;
    for (unsigned i = 0; i < f->count[six] && i < most; i++)
        records_put(r, f->rdata[six] + i * (r->len + 2) + 2);
}
