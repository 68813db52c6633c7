/* Text to name to text to name: the second name is the first. */
#include "dns/name.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t name[DNS_NAME_MAX], again[DNS_NAME_MAX], unpacked[DNS_NAME_MAX];
    char text[DNS_NAME_TEXT_MAX];
    int n = dns_name_parse(name, (const char *)data, size, NULL);
    if (n > 0) {
        size_t len = dns_name_print(name, text);
        if (dns_name_parse(again, text, len, NULL) != n || !dns_name_equal(name, again) ||
            dns_name_cmp(name, again) || dns_name_hash(name, 1) != dns_name_hash(again, 1))
            abort();
    }
    struct rcur c = rcur_of(data, size);
    n = dns_name_unpack(&c, unpacked);
    if (n > 0 && dns_name_len(unpacked) != (size_t)n)
        abort();
    return 0;
}
