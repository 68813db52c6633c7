/* dns/rdata.c: the rows, and what can be done with wire data alone. */
#include "dns/rdata.h"

#include "dns/type.h"
#include "rdata_priv.h"

#define NAMEC FIELD_NAME_COMPRESSED
#define NAMEL FIELD_NAME_LOWER
#define NAME  FIELD_NAME
#define U8    FIELD_U8
#define U16   FIELD_U16
#define U32   FIELD_U32
#define STR   FIELD_STRING
#define HEX   FIELD_HEX
#define B64   FIELD_BASE64
#define BITS  FIELD_BITMAP
#define ALG   FIELD_ALGORITHM

static const struct rdata_row rows[] = {
    {DNS_TYPE_A, 0, {FIELD_IP4}},
    {DNS_TYPE_NS, 1, {NAMEC}},
    {DNS_TYPE_CNAME, 0, {NAMEC}},
    {DNS_TYPE_SOA, 0, {NAMEC, NAMEC, U32, FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD}},
    {DNS_TYPE_PTR, 0, {NAMEC}},
    {DNS_TYPE_HINFO, 0, {STR, STR}},
    {DNS_TYPE_MX, 2, {U16, NAMEC}},
    {DNS_TYPE_TXT, 0, {FIELD_STRINGS}},
    {DNS_TYPE_RP, 0, {NAMEL, NAMEL}},
    {DNS_TYPE_AFSDB, 2, {U16, NAMEL}},
    {DNS_TYPE_AAAA, 0, {FIELD_IP6}},
    {DNS_TYPE_LOC, 0, {FIELD_LOC}},
    {DNS_TYPE_SRV, 4, {U16, U16, U16, NAMEL}},
    {DNS_TYPE_NAPTR, 0, {U16, U16, STR, STR, STR, NAMEL}},
    {DNS_TYPE_KX, 2, {U16, NAMEL}},
    {DNS_TYPE_CERT, 0, {FIELD_CERT_TYPE, U16, ALG, B64}},
    {DNS_TYPE_DNAME, 0, {NAMEL}},
    {DNS_TYPE_APL, 0, {FIELD_APL}},
    {DNS_TYPE_DS, 0, {U16, ALG, U8, HEX}},
    {DNS_TYPE_SSHFP, 0, {U8, U8, HEX}},
    {DNS_TYPE_IPSECKEY, 0, {U8, FIELD_GATEWAY, B64}},
    {DNS_TYPE_RRSIG, 0, {FIELD_TYPE, ALG, U8, U32, FIELD_TIME, FIELD_TIME, U16, NAMEL, B64}},
    {DNS_TYPE_NSEC, 0, {NAME, BITS}},
    {DNS_TYPE_DNSKEY, 0, {U16, U8, ALG, B64}},
    {DNS_TYPE_DHCID, 0, {B64}},
    {DNS_TYPE_NSEC3, 0, {U8, U8, U16, FIELD_SALT, FIELD_HASH32, BITS}},
    {DNS_TYPE_NSEC3PARAM, 0, {U8, U8, U16, FIELD_SALT}},
    {DNS_TYPE_TLSA, 0, {U8, U8, U8, HEX}},
    {DNS_TYPE_SMIMEA, 0, {U8, U8, U8, HEX}},
    {DNS_TYPE_HIP, 0, {FIELD_HIP}},
    {DNS_TYPE_CDS, 0, {U16, ALG, U8, HEX}},
    {DNS_TYPE_CDNSKEY, 0, {U16, U8, ALG, B64}},
    {DNS_TYPE_OPENPGPKEY, 0, {B64}},
    {DNS_TYPE_CSYNC, 0, {U32, U16, BITS}},
    {DNS_TYPE_ZONEMD, 0, {U32, U8, U8, HEX}},
    {DNS_TYPE_SVCB, 2, {U16, NAME, FIELD_SVCPARAMS}},
    {DNS_TYPE_HTTPS, 2, {U16, NAME, FIELD_SVCPARAMS}},
    {DNS_TYPE_SPF, 0, {FIELD_STRINGS}},
    {DNS_TYPE_EUI48, 0, {FIELD_EUI48}},
    {DNS_TYPE_EUI64, 0, {FIELD_EUI64}},
    {DNS_TYPE_URI, 0, {U16, U16, FIELD_TEXT}},
    {DNS_TYPE_CAA, 0, {U8, FIELD_TAG, FIELD_TEXT}},
    {DNS_TYPE_RESINFO, 0, {FIELD_STRINGS}},
};

const struct rdata_row *rdata_row(uint16_t type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

/* RFC 3597 4 and what follows it: newer types are never compressed, so NAME is read as it stands.
 */
static bool is_compressible(enum rdata_field f)
{
    return f == NAMEC || f == NAMEL;
}

static int bitmap_len(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    for (int last = -1; p < end; p += 2 + p[1]) {
        if (end - p < 2 || *p <= last || p[1] < 1 || p[1] > 32 || end - p < 2 + p[1])
            return ERR_FORMAT;
        if (!p[1 + p[1]]) /* RFC 4034 4.1.2: zeros at the end MUST be omitted */
            return ERR_FORMAT;
        last = *p;
    }
    return (int)(p - start);
}

static int strings_len(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    if (p == end)
        return ERR_FORMAT;
    for (; p < end; p += 1 + *p)
        if (end - p < 1 + *p)
            return ERR_FORMAT;
    return (int)(p - start);
}

/* RFC 8659 4.1: letters and digits. */
static int tag_len(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2 || !*p || end - p < 1 + *p)
        return ERR_FORMAT;
    for (unsigned i = 1; i <= *p; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z')))
            return ERR_FORMAT;
    return 1 + *p;
}

int rdata_field_len(enum rdata_field f, const uint8_t *p, const uint8_t *end)
{
    static const uint8_t fixed[] = {
        [FIELD_U8] = 1,   [FIELD_U16] = 2,  [FIELD_U32] = 4,       [FIELD_PERIOD] = 4,
        [FIELD_TIME] = 4, [FIELD_TYPE] = 2, [FIELD_ALGORITHM] = 1, [FIELD_CERT_TYPE] = 2,
        [FIELD_IP4] = 4,  [FIELD_IP6] = 16, [FIELD_EUI48] = 6,     [FIELD_EUI64] = 8};
    struct rcur c = rcur_of(p, (size_t)(end - p));
    const uint8_t *name;
    switch (f) {
    case NAMEC:
    case NAMEL:
    case NAME:
        return dns_name_skip_plain(&c, &name) < 0 ? ERR_FORMAT : (int)rcur_pos(&c);
    case FIELD_TAG:
        return tag_len(p, end);
    case FIELD_HASH32:
        if (end - p < 1 || !*p) /* RFC 5155 3.2: 1 to 255 octets */
            return ERR_FORMAT;
        return end - p < 1 + *p ? ERR_FORMAT : 1 + *p;
    case STR:
    case FIELD_SALT:
        return end - p < 1 || end - p < 1 + *p ? ERR_FORMAT : 1 + *p;
    case FIELD_STRINGS:
        return strings_len(p, end);
    case FIELD_TEXT:
    case HEX:
    case B64:
        return (int)(end - p);
    case BITS:
        return bitmap_len(p, end);
    case FIELD_LOC:
        return rdata_loc_len(p, end);
    case FIELD_APL:
        return rdata_apl_len(p, end);
    case FIELD_GATEWAY:
        return rdata_gateway_len(p, end);
    case FIELD_HIP:
        return rdata_hip_len(p, end);
    case FIELD_SVCPARAMS:
        return rdata_svcb_len(p, end);
    default:
        return end - p < fixed[f] ? ERR_FORMAT : fixed[f];
    }
}

bool rdata_field_is_opaque(enum rdata_field f, const uint8_t *p, size_t n)
{
    switch (f) {
    case FIELD_LOC:
        return rdata_loc_is_opaque(p);
    case FIELD_APL:
        return rdata_apl_is_opaque(p, n);
    case FIELD_GATEWAY:
        return rdata_gateway_is_opaque(p);
    case FIELD_SVCPARAMS:
        return rdata_svcb_is_opaque(p, n);
    default:
        return false;
    }
}

int dns_rdata_check(uint16_t type, const uint8_t *rd, size_t len)
{
    const struct rdata_row *row = rdata_row(type);
    const uint8_t *p = rd, *end = rd + len;
    for (const uint8_t *f = row ? row->fields : NULL; f && *f; f++) {
        int n = rdata_field_len((enum rdata_field) * f, p, end);
        if (n < 0)
            return n;
        p += n;
    }
    return !row || p == end ? 0 : ERR_FORMAT;
}

int dns_rdata_unpack(uint16_t type, struct rcur *msg, uint16_t rdlen, uint8_t *out, size_t cap)
{
    const struct rdata_row *row = rdata_row(type);
    struct wcur w = wcur_of(out, cap);
    if (rcur_left(msg) < rdlen || msg->err) {
        rcur_fail(msg, ERR_TRUNC);
        return ERR_TRUNC;
    }
    /* Names may point back into the message, but what is read in place ends with the RDATA. */
    struct rcur c = {msg->start, msg->at, msg->at + rdlen, 0};
    for (const uint8_t *f = row ? row->fields : NULL; f && *f; f++) {
        if (is_compressible((enum rdata_field) * f)) {
            uint8_t name[DNS_NAME_MAX];
            int n = dns_name_unpack(&c, name);
            if (n < 0)
                return ERR_FORMAT;
            wcur_bytes(&w, name, (size_t)n);
            continue;
        }
        int n = rdata_field_len((enum rdata_field) * f, c.at, c.end);
        if (n < 0)
            return ERR_FORMAT;
        wcur_bytes(&w, c.at, (size_t)n);
        c.at += n;
    }
    if (!row) {
        wcur_bytes(&w, c.at, rdlen);
        c.at = c.end;
    }
    if (c.at != c.end)
        return ERR_FORMAT;
    msg->at = c.end;
    return wcur_err(&w) ? wcur_err(&w) : (int)wcur_len(&w);
}

void dns_rdata_canonical(uint16_t type, uint8_t *rd, size_t len)
{
    const struct rdata_row *row = rdata_row(type);
    uint8_t *p = rd, *end = rd + len;
    for (const uint8_t *f = row ? row->fields : NULL; f && *f; f++) {
        int n = rdata_field_len((enum rdata_field) * f, p, end);
        if (n < 0)
            return;
        if (*f == NAMEC || *f == NAMEL)
            dns_name_lower(p, p);
        p += n;
    }
}

const uint8_t *dns_rdata_target(uint16_t type, const uint8_t *rd, size_t len)
{
    const struct rdata_row *row = rdata_row(type);
    const uint8_t *p = rd, *end = rd + len;
    if (!row || !row->target)
        return NULL;
    for (unsigned i = 0; i + 1 < row->target; i++) {
        int n = rdata_field_len((enum rdata_field)row->fields[i], p, end);
        if (n < 0)
            return NULL;
        p += n;
    }
    return rdata_field_len((enum rdata_field)row->fields[row->target - 1], p, end) < 0 ? NULL : p;
}

unsigned dns_rdata_compressible(uint16_t type, const uint8_t *rd, size_t len, uint16_t offsets[2])
{
    /* The RFC 1035 types with names; asked for every record written, so without a search. */
    switch (type) {
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
        offsets[0] = 0;
        return len ? 1 : 0;
    case DNS_TYPE_MX:
        offsets[0] = 2;
        return len > 2 ? 1 : 0;
    case DNS_TYPE_SOA:
        offsets[0] = 0;
        offsets[1] = (uint16_t)dns_name_len(rd);
        return 2;
    default:
        return 0;
    }
}
