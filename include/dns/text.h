/* dns/text.h: a message for people (as dig shows it) and for programs (RFC 8427 JSON shape,
 * streamed as text). Threads: pure. */
#ifndef WAYPOST_DNS_TEXT_H
#define WAYPOST_DNS_TEXT_H

#include "dns/msg_parse.h"

#include <stdio.h>

/* Header line, OPT, sections. */
void dns_text_message(FILE *out, const struct dns_msg *m);
/* "name TTL CLASS TYPE RDATA" without newline into out; length like snprintf, cut to cap. */
int dns_text_rr(const struct dns_rr *rr, char *out, size_t cap);
/* RFC 8427: one JSON object. */
void dns_text_json(FILE *out, const struct dns_msg *m);

#endif
