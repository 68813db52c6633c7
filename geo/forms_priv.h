/* geo/forms_priv.h: the networks of IPv6 whose addresses carry an IPv4 address, as
 * prefixes_canonical has it: what is said of that address holds, and nothing else.
 * Threads: constant. */
#ifndef WAYPOST_GEO_FORMS_H
#define WAYPOST_GEO_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#define FORMS 6

struct forms_row {
    uint8_t bits, ip[16];
};
extern const struct forms_row forms[FORMS]; /* the first is ::/96, where databases keep IPv4 */

/* An IPv6 network lies inside one of them. */
bool forms_have(const uint8_t ip[16], unsigned bits);
/* The least depth at which a network around an IPv6 address outside of them holds none of them. */
unsigned forms_least_depth(const uint8_t ip[16]);

#endif
