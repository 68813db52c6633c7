/* gslb/check.h: how a member's health is asked, as configured. Plain data, in the plan's arena.
 * Two checks that ask the same question of the same address (gslb_check_same) are one probe. */
#ifndef WAYPOST_GSLB_CHECK_H
#define WAYPOST_GSLB_CHECK_H

#include "base/addr.h"
#include "base/diag.h"
#include "gslb/health.h"

#include <stddef.h>

enum gslb_check_type {
    GSLB_CHECK_NONE, /* always up */
    GSLB_CHECK_TCP,
    GSLB_CHECK_HTTP,
    GSLB_CHECK_HTTPS,
    GSLB_CHECK_DNS,
    GSLB_CHECK_ICMP,
    GSLB_CHECK_EXEC,
    GSLB_CHECK_PUSH, /* a verdict is brought by the API; none for `timeout_ms` is a failure, 0: ever
                      */
    GSLB_CHECK_TYPES
};
const char *gslb_check_type_name(enum gslb_check_type t); /* as in a configuration: "https" */

struct gslb_range {
    uint16_t low, high;
};

struct gslb_check {
    const char *name;
    enum gslb_check_type type;
    uint16_t port;       /* 0: the type's own (80, 443, 53); TCP needs one */
    struct addr address; /* ask here instead of the member's address; family 0: there */
    struct addr source;  /* family 0: the system's choice */
    uint32_t every_ms, timeout_ms;
    uint32_t jitter_permille; /* of every_ms, 0 .. 500: each wait is up to that much shorter */
    struct gslb_rules rules;
    bool reuse; /* HTTP(S): a connection may serve several checks of this target */
    /* TCP */
    const char *send, *expect; /* NULL: connecting is enough; expect: anywhere in the first 4 KiB */
    size_t send_len, expect_len;
    /* HTTP, HTTPS */
    const char *method, *path; /* "GET", "/" */
    const char *host;          /* Host and, unless `sni`, SNI; NULL: the address */
    const char *sni;
    bool verify;                     /* the certificate, for sni or host: yes */
    const char *ca_file;             /* NULL: the system's */
    bool http2;                      /* HTTPS: by ALPN; HTTP: prior knowledge */
    const struct gslb_range *status; /* none: 200 .. 299; redirects are never followed */
    unsigned status_count;
    const char *body;        /* must hold this text in its first 64 KiB; NULL: anything */
    const char *header;      /* "Name: text": such a header must hold the text; NULL: none */
    const char *load_header; /* header that holds the load as a number 0 .. 1,000,000; NULL: none */
    const char *load_body;   /* text behind which the body holds it, blanks between; NULL: none */
    /* DNS */
    const uint8_t *qname; /* wire; NULL: the root */
    uint16_t qtype;
    int rcode;          /* -1: any */
    const char *answer; /* one record's data must be this, as text; NULL: any answer section */
    bool tcp;
    /* EXEC: argv[0] is a path; the address is appended as the last argument */
    const char *const *argv; /* NULL-terminated */
    struct diag_at at;
};

/* The port that is asked: its own, else the type's; 0 for those without ports. */
uint16_t gslb_check_port(const struct gslb_check *c);

/* Would the same packets be sent and judged alike (name, rules, every_ms and place apart)? Two
 * PUSH checks never: each has its own verdicts. */
bool gslb_check_same(const struct gslb_check *a, const struct gslb_check *b);
/* Defaults: GET / 200-299, verify, every 10 s, timeout 2 s, jitter 100, rules_default; DNS: A,
 * NOERROR. */
void gslb_check_default(struct gslb_check *c);

/* When the prober, not the members, is to be doubted. */
struct gslb_doubt {
    uint32_t share_permille; /* so many of all targets turn bad within window: freeze; 0: never */
    uint32_t targets_min;    /* ... when there are at least so many: 4 */
    uint32_t window_ms;
    const uint16_t *references; /* checks whose failure means that it is us (all of them) */
    unsigned reference_count;
    const struct addr *reference_address; /* one for each */
    uint32_t withdraw_permille;           /* of a pool's capacity per minute at most; 1000: any */
};

#endif
