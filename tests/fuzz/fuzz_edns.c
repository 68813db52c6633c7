/* Any octets as the options of an OPT record; what could be read is written and must read the same.
 * The first octet says query or answer. */
#include "dns/edns.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same_errors(const struct edns *a, const struct edns *b)
{
    if (a->ede_count != b->ede_count)
        return 0;
    for (unsigned i = 0; i < a->ede_count; i++) {
        const struct edns_ede *x = &a->ede[i], *y = &b->ede[i];
        /* Long texts are cut when they are written. */
        if (x->code != y->code || y->text_len > x->text_len ||
            (y->text_len && memcmp(x->text, y->text, y->text_len) != 0))
            return 0;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[1 << 17];
    struct edns e, again;
    if (!size || size > 65536 || edns_parse(&e, 1232, 0x00008000, data + 1, size - 1, *data & 1))
        return 0;
    struct wcur w = wcur_of(buf, sizeof buf);
    edns_write(&e, 0, 0, &w);
    if (wcur_err(&w) || wcur_len(&w) != edns_size(&e))
        abort();
    if (wcur_len(&w) > 65535 + 11)
        return 0;
    if (edns_parse(&again, get_u16(buf + 3), get_u32(buf + 5), buf + 11, wcur_len(&w) - 11,
                   *data & 1))
        abort();
    if (e.nsid != again.nsid || e.nsid_len != again.nsid_len || e.keepalive != again.keepalive ||
        e.keepalive_100ms != again.keepalive_100ms || e.cookie_len != again.cookie_len ||
        memcmp(e.cookie, again.cookie, sizeof e.cookie) != 0 ||
        memcmp(&e.subnet, &again.subnet, sizeof e.subnet) != 0 || !same_errors(&e, &again))
        abort();
    return 0;
}
