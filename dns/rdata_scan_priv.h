/* dns/rdata_scan_priv.h: reads a record's text word by word.
 * The first complaint stays (scan_fail); values go into a sticky writer, whose error the caller
 * checks once. Threads: one owner. Source: RFC 1035 5.1, RFC 4648. */
#ifndef WAYPOST_DNS_RDATA_SCAN_PRIV_H
#define WAYPOST_DNS_RDATA_SCAN_PRIV_H

#include "base/cursor.h"
#include "dns/name.h"

struct scan {
    const char *start, *at, *end;
    const char *why;   /* first complaint */
    const char *where; /* its place */
};

struct token {
    const char *at;
    size_t len;
    bool quoted;
};

/* Keeps the first complaint; returns err. */
int scan_fail(struct scan *s, const char *where, const char *why, int err);
/* The next word, quoted or not; false at the end (or after a complaint about an open quote). */
bool scan_token(struct scan *s, struct token *t);
/* Octets of a character-string, escapes resolved; the count or an error. */
int scan_octets(struct scan *s, const struct token *t, uint8_t *out, size_t cap);
int scan_number(struct scan *s, const struct token *t, uint32_t max, uint32_t *v);
/* A mnemonic in any case, or a number up to max. */
struct scan_words {
    const char *text;
    uint16_t number;
};
int scan_word(struct scan *s, const struct token *t, const struct scan_words *words, size_t n,
              uint32_t max, uint32_t *v);
int scan_hex(struct scan *s, const struct token *t, struct wcur *w);
/* One word, or (NULL) the rest of the text over word borders. */
int scan_base64(struct scan *s, const struct token *one, struct wcur *w);
int scan_ip(struct scan *s, const struct token *t, struct wcur *w, int family, size_t octets);
int scan_name(struct scan *s, const struct token *t, const uint8_t *origin, struct wcur *w);

#endif
