/* dns/rdata_whole.c: what is well formed octet by octet and still never meant.
 * A zone with it is refused, so that a digest cut by a clipboard is seen before it is served. On
 * the wire it passes as it is, and prints as "\# length hex". */
#include "dns/type.h"
#include "rdata_priv.h"

/* Digests whose algorithm says how long they are: the algorithm is an octet of the RDATA. */
static const struct digest {
    uint16_t type;
    uint8_t algorithm_at, algorithm, start, octets;
} digests[] = {
    {DNS_TYPE_DS, 3, 1, 4, 20},  /* RFC 4034 A.2: SHA-1 */
    {DNS_TYPE_DS, 3, 2, 4, 32},  /* RFC 4509 2.2: SHA-256 */
    {DNS_TYPE_DS, 3, 4, 4, 48},  /* RFC 6605 2: SHA-384 */
    {DNS_TYPE_CDS, 3, 1, 4, 20}, /* RFC 7344 3.1: as DS */
    {DNS_TYPE_CDS, 3, 2, 4, 32},    {DNS_TYPE_CDS, 3, 4, 4, 48},
    {DNS_TYPE_SSHFP, 1, 1, 2, 20},  /* RFC 4255 3.1.2: SHA-1 */
    {DNS_TYPE_SSHFP, 1, 2, 2, 32},  /* RFC 6594 4: SHA-256 */
    {DNS_TYPE_ZONEMD, 5, 1, 6, 48}, /* RFC 8976 2.2.4: SHA-384 */
    {DNS_TYPE_ZONEMD, 5, 2, 6, 64}, /* and SHA-512 */
};

static bool digest_is_good(uint16_t type, const uint8_t *rd, size_t len)
{
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        const struct digest *d = &digests[i];
        if (d->type == type && len >= d->start && rd[d->algorithm_at] == d->algorithm)
            return len == (size_t)d->start + d->octets;
    }
    return true;
}

/* RFC 4025 2.4: IPSECKEY alone may be without its key, when the algorithm is 0. */
static bool may_be_empty(uint16_t type, enum rdata_field f, const uint8_t *rd)
{
    if (f != FIELD_HEX && f != FIELD_BASE64 && f != FIELD_TEXT)
        return true;
    return type == DNS_TYPE_CAA || (type == DNS_TYPE_IPSECKEY && !rd[2]);
}

const char *rdata_whole_wrong(uint16_t type, const struct rdata_row *row, const uint8_t *rd,
                              size_t len)
{
    const uint8_t *p = rd, *end = rd + len;
    for (const uint8_t *f = row->fields; *f; f++) {
        int n = rdata_field_len((enum rdata_field) * f, p, end);
        if (n < 0)
            return "the data does not suit the type";
        if (!n && !may_be_empty(type, (enum rdata_field) * f, rd))
            return "the record ends early";
        p += n;
    }
    return digest_is_good(type, rd, len) ? NULL : "the digest is not as long as its algorithm's";
}
