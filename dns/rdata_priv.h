/* dns/rdata_priv.h: the descriptor rows behind dns/rdata.h. */
#ifndef WAYPOST_DNS_RDATA_PRIV_H
#define WAYPOST_DNS_RDATA_PRIV_H

#include "rdata_scan_priv.h"
#include "rdata_sheet_priv.h"

#include <stdint.h>

enum rdata_field {
    FIELD_END,
    FIELD_NAME_COMPRESSED, /* RFC 1035 types: may be compressed; lower case in canonical form */
    FIELD_NAME_LOWER,      /* never compressed by us; lower case in canonical form (RFC 4034 6.2) */
    FIELD_NAME,            /* never compressed, case kept (RFC 6840 5.1) */
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_PERIOD,    /* 32 bits of seconds, units allowed in text */
    FIELD_TIME,      /* 32 bits, YYYYMMDDHHMMSS in text */
    FIELD_TYPE,      /* 16 bits, a type's mnemonic */
    FIELD_ALGORITHM, /* 8 bits, a number or a mnemonic in text (RFC 4034 2.2) */
    FIELD_CERT_TYPE, /* 16 bits, a number or a mnemonic in text (RFC 4398 2.2) */
    FIELD_IP4,
    FIELD_IP6,
    FIELD_STRING,  /* one <character-string> */
    FIELD_TAG,     /* one <character-string> of letters and digits, not quoted */
    FIELD_STRINGS, /* one or more, to the end */
    FIELD_TEXT,    /* the rest as one quoted text without length (CAA, URI) */
    FIELD_HEX,     /* the rest */
    FIELD_BASE64,  /* the rest */
    FIELD_SALT,    /* length octet, hex or "-" */
    FIELD_HASH32,  /* length octet, base32hex */
    FIELD_BITMAP,  /* types present, RFC 4034 4.1.2; may be empty */
    FIELD_EUI48,
    FIELD_EUI64,
    FIELD_LOC,       /* the whole of RFC 1876 */
    FIELD_APL,       /* address prefixes to the end; may be empty */
    FIELD_GATEWAY,   /* gateway type, algorithm, gateway (RFC 4025) */
    FIELD_HIP,       /* the whole of RFC 8005 */
    FIELD_SVCPARAMS, /* RFC 9460 2.2, to the end; may be empty */
};

#define RDATA_FIELDS_MAX 9

struct rdata_row {
    uint16_t type;
    uint8_t target; /* 1 + index of the field with the name for additional data, 0: none */
    uint8_t fields[RDATA_FIELDS_MAX + 1];
};

/* NULL: opaque (RFC 3597). */
const struct rdata_row *rdata_row(uint16_t type);
/* Octets of one field at p (end: behind the RDATA), checked; negative ERR_FORMAT. Names must be
 * plain. */
int rdata_field_len(enum rdata_field f, const uint8_t *p, const uint8_t *end);
/* Well formed, but of a kind that only "\# length hex" can say: a later version, an unknown family,
 * what a master file must not hold. */
bool rdata_field_is_opaque(enum rdata_field f, const uint8_t *p, size_t n);

/* NULL, or why flat RDATA that is well formed is still not what anyone means: it is refused in a
 * master file's fields, and has no text but "\# length hex". */
const char *rdata_whole_wrong(uint16_t type, const struct rdata_row *row, const uint8_t *rd,
                              size_t len);

/* Fields with a form of their own, one file each: octets on the wire (as rdata_field_len), text in
 * (0 or an error, said in s), text out (of what was checked and is not opaque). */
int rdata_loc_len(const uint8_t *p, const uint8_t *end);
bool rdata_loc_is_opaque(const uint8_t *p);
int rdata_loc_parse(struct scan *s, struct wcur *w);
void rdata_loc_print(struct sheet *o, const uint8_t *p);

int rdata_apl_len(const uint8_t *p, const uint8_t *end);
bool rdata_apl_is_opaque(const uint8_t *p, size_t n);
int rdata_apl_parse(struct scan *s, struct wcur *w);
void rdata_apl_print(struct sheet *o, const uint8_t *p, size_t n);

int rdata_gateway_len(const uint8_t *p, const uint8_t *end);
bool rdata_gateway_is_opaque(const uint8_t *p);
int rdata_gateway_parse(struct scan *s, const uint8_t *origin, struct wcur *w);
void rdata_gateway_print(struct sheet *o, const uint8_t *p);

int rdata_hip_len(const uint8_t *p, const uint8_t *end);
int rdata_hip_parse(struct scan *s, const uint8_t *origin, struct wcur *w);
void rdata_hip_print(struct sheet *o, const uint8_t *p, size_t n);

int rdata_svcb_len(const uint8_t *p, const uint8_t *end);
bool rdata_svcb_is_opaque(const uint8_t *p, size_t n);
int rdata_svcb_parse(struct scan *s, struct wcur *w);
void rdata_svcb_print(struct sheet *o, const uint8_t *p, size_t n);

#endif
