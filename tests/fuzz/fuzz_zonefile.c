/* Any text as a master file: every record that comes out prints, and reads back as the same octets.
 */
#include "dns/rdata.h"
#include "dns/zonefile.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    unsigned *left = arg;
    static char text[4 * DNS_RDATA_MAX + 64];
    static uint8_t again[DNS_RDATA_MAX];
    size_t bad;
    const char *why;
    if (dns_rdata_check(rr->type, rr->rdata, rr->rdlen))
        abort();
    int len = dns_rdata_print(rr->type, rr->rdata, rr->rdlen, text, sizeof text);
    if (len < 0)
        abort();
    int n = dns_rdata_parse(rr->type, text, (size_t)len, dns_name_root, again, sizeof again, &bad,
                            &why);
    if (n != rr->rdlen || memcmp(again, rr->rdata, rr->rdlen) != 0)
        abort();
    return --*left ? 0 : ERR_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zonefile_options o = {.origin = (const uint8_t *)"\7example", .default_ttl = UINT32_MAX};
    struct diag_list diags;
    unsigned left = 1000;
    diag_init(&diags);
    zonefile_read_mem("fuzz", (const char *)data, size, &o, on_record, &left, &diags);
    diag_fini(&diags);
    return 0;
}
