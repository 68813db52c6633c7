/* gslb/client_text.c: a client as people write it. */
#include "base/err.h"
#include "gslb/steer.h"

#include <string.h>

#define SUBNET4 24 /* RFC 7871 11.1 */
#define SUBNET6 56

int gslb_client_parse(struct gslb_client *c, const char *text, bool subnet)
{
    struct prefix p;
    int err = prefix_parse(&p, text);
    if (err)
        return err;
    bool is4 = p.family == 4, whole = !strchr(text, '/');
    unsigned shift = is4 ? 96 : 0, length = p.bits - shift;
    *c = (struct gslb_client){.source = {.family = p.family}};
    memcpy(c->source.ip, p.ip, sizeof p.ip);
    if (whole && !subnet)
        return 0;
    if (whole)
        length = is4 ? SUBNET4 : SUBNET6;
    c->subnet.family = is4 ? 1 : 2;
    c->subnet.source = (uint8_t)length;
    memcpy(c->subnet.ip, p.ip + shift / 8, (length + 7) / 8);
    if (length % 8)
        c->subnet.ip[length / 8] &= (uint8_t)(0xff << (8 - length % 8));
    return 0;
}
