#include "resolver/minimise.h"

#include "dns/name.h"
#include "dns/type.h"

void minimise_init(struct minimise *m, bool on)
{
    m->on = on;
    m->steps = m->labels = 0;
}

bool minimise_next(struct minimise *m, const uint8_t *zone, const uint8_t *qname, uint16_t qtype,
                   const uint8_t **name, uint16_t *type)
{
    unsigned all = dns_name_labels(qname), known = dns_name_labels(zone);
    if (m->labels > known)
        known = m->labels;
    unsigned show = all;
    if (m->on && known < all && m->steps < MINIMISE_COUNT_MAX) {
        /* RFC 9156 2.3: the first four one label at a time, the rest spread over what is left. */
        unsigned left = all - known, add = 1;
        if (m->steps >= MINIMISE_ONE_LABEL)
            add = (left + (MINIMISE_COUNT_MAX - m->steps) - 1) / (MINIMISE_COUNT_MAX - m->steps);
        show = known + add;
        m->steps++;
    }
    if (show > all)
        show = all;
    m->labels = (uint8_t)show;
    *name = dns_name_suffix(qname, show);
    *type = show < all ? DNS_TYPE_A : qtype; /* RFC 9156 2.1: A hides best among other traffic */
    return show < all;
}
