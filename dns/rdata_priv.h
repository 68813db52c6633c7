/* dns/rdata_priv.h: the descriptor rows behind dns/rdata.h. */
#ifndef WAYPOST_DNS_RDATA_PRIV_H
#define WAYPOST_DNS_RDATA_PRIV_H

#include <stdint.h>

enum rdata_field {
    FIELD_END,
    FIELD_NAME_COMPRESSED, /* RFC 1035 types: may be compressed; lower case in canonical form */
    FIELD_NAME_LOWER,      /* never compressed by us; lower case in canonical form (RFC 4034 6.2) */
    FIELD_NAME,            /* never compressed, case kept (RFC 6840 5.1) */
    FIELD_U8,
    FIELD_U16,
    FIELD_U32,
    FIELD_PERIOD, /* 32 bits of seconds, units allowed in text */
    FIELD_TIME,   /* 32 bits, YYYYMMDDHHMMSS in text */
    FIELD_TYPE,   /* 16 bits, a type's mnemonic */
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

#endif
