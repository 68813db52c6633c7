/* A type (two octets), then any octets: as the record's text and as its wire form. What reads,
 * prints, and reads back as the same octets; all ways to look at wire data agree. */
#include "dns/rdata.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (100 * DNS_RDATA_MAX)

static void must_come_back(uint16_t type, const uint8_t *rd, size_t len, char *text)
{
    static uint8_t again[DNS_RDATA_MAX];
    size_t bad;
    const char *why;
    int n = dns_rdata_print(type, rd, len, text, TEXT_MAX);
    if (n < 0)
        abort();
    int m = dns_rdata_parse(type, text, (size_t)n, NULL, again, sizeof again, &bad, &why);
    if (m != (int)len || memcmp(again, rd, len) != 0)
        abort();
}

static void as_text(uint16_t type, const uint8_t *data, size_t size, char *text)
{
    static uint8_t rd[DNS_RDATA_MAX];
    size_t bad = 0;
    const char *why = NULL;
    int n = dns_rdata_parse(type, (const char *)data, size, (const uint8_t *)"\7example", rd,
                            sizeof rd, &bad, &why);
    if (n < 0) {
        if (!why || !*why || bad > size)
            abort();
        return;
    }
    if (dns_rdata_check(type, rd, (size_t)n))
        abort();
    must_come_back(type, rd, (size_t)n, text);
}

static void as_wire(uint16_t type, const uint8_t *data, size_t size, char *text)
{
    static uint8_t flat[DNS_RDATA_MAX];
    struct rcur c = rcur_of(data, size);
    int n = dns_rdata_unpack(type, &c, (uint16_t)size, flat, sizeof flat);
    if (!dns_rdata_check(type, data, size)) {
        if (n != (int)size)
            abort();
        must_come_back(type, data, size, text);
    }
    if (n >= 0) {
        if (dns_rdata_check(type, flat, (size_t)n))
            abort();
        dns_rdata_target(type, flat, (size_t)n);
        dns_rdata_canonical(type, flat, (size_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > DNS_RDATA_MAX)
        return 0;
    static char text[TEXT_MAX];
    uint16_t type = get_u16(data);
    as_text(type, data + 2, size - 2, text);
    as_wire(type, data + 2, size - 2, text);
    return 0;
}
