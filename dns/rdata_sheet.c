/* dns/rdata_sheet.c: text out, bounded. */
#include "rdata_sheet_priv.h"

#include <stdio.h>
#include <string.h>

void sheet_put(struct sheet *o, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(o->end - o->at) <= n) {
        o->full = true;
        return;
    }
    memcpy(o->at, text, n + 1);
    o->at += n;
}

void sheet_hex(struct sheet *o, const uint8_t *p, size_t n)
{
    char two[3];
    for (size_t i = 0; i < n; i++) {
        snprintf(two, sizeof two, "%02X", p[i]);
        sheet_put(o, two);
    }
}

void sheet_octet(struct sheet *o, uint8_t c)
{
    char text[5];
    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", c);
    else if (c < 0x20 || c >= 0x7f)
        snprintf(text, sizeof text, "\\%03u", c);
    else
        snprintf(text, sizeof text, "%c", c);
    sheet_put(o, text);
}

void sheet_quoted(struct sheet *o, const uint8_t *p, size_t n)
{
    sheet_put(o, "\"");
    for (size_t i = 0; i < n; i++)
        sheet_octet(o, p[i]);
    sheet_put(o, "\"");
}

void sheet_base64(struct sheet *o, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        char four[5] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '=', 0};
        sheet_put(o, four);
    }
}

void sheet_number(struct sheet *o, uint32_t v)
{
    char text[12];
    snprintf(text, sizeof text, "%u", v);
    sheet_put(o, text);
}
