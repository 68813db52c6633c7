#include "forms_priv.h"

#include <string.h>

const struct forms_row forms[FORMS] = {
    {96, {0}},                        /* RFC 4291 2.5.5.1 */
    {96, {[10] = 0xff, [11] = 0xff}}, /* RFC 4291 2.5.5.2 */
    {96, {[8] = 0xff, [9] = 0xff}},   /* RFC 2765 2.1 */
    {96, {0, 0x64, 0xff, 0x9b}},      /* RFC 6052 2.1 */
    {32, {0x20, 0x01}},               /* RFC 4380 4 */
    {16, {0x20, 0x02}},               /* RFC 3056 2 */
};

bool forms_have(const uint8_t ip[16], unsigned bits)
{
    for (const struct forms_row *f = forms; f < forms + FORMS; f++)
        if (bits >= f->bits && !memcmp(ip, f->ip, f->bits / 8))
            return true;
    return false;
}

unsigned forms_least_depth(const uint8_t ip[16])
{
    unsigned least = 0;
    for (const struct forms_row *f = forms; f < forms + FORMS; f++) {
        unsigned same = 0;
        while (same < f->bits && !((ip[same / 8] ^ f->ip[same / 8]) & 0x80 >> same % 8))
            same++;
        least = same < f->bits && same + 1 > least ? same + 1 : least;
    }
    return least;
}
