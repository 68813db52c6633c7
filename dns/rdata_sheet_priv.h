/* dns/rdata_sheet_priv.h: writes a record's text; once something did not fit, `full` says so.
 * Threads: one owner. Owner: the caller owns the characters. */
#ifndef WAYPOST_DNS_RDATA_SHEET_PRIV_H
#define WAYPOST_DNS_RDATA_SHEET_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sheet {
    char *at, *end;
    bool full;
};

void sheet_put(struct sheet *o, const char *text);
void sheet_hex(struct sheet *o, const uint8_t *p, size_t n);
/* One octet as it stands inside quotes. */
void sheet_octet(struct sheet *o, uint8_t c);
void sheet_quoted(struct sheet *o, const uint8_t *p, size_t n);
void sheet_base64(struct sheet *o, const uint8_t *p, size_t n);
void sheet_number(struct sheet *o, uint32_t v);

#endif
