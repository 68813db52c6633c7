/* Any octets as a query and as a reply; what could be read is written again and must read the same.
 */
#include "dns/msg_parse.h"
#include "dns/msg_write.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct dns_msg *m, struct arena *a)
{
    static struct dns_writer w;
    static uint8_t buf[65535];
    unsigned records = 0;
    dns_writer_init(&w, buf, sizeof buf);
    if (m->qname)
        dns_writer_question(&w, m->qname, m->qtype, m->qclass);
    for (uint8_t s = DNS_SECTION_ANSWER; s <= DNS_SECTION_ADDITIONAL; s++) {
        struct dns_rrset *sets;
        int n = dns_msg_rrsets(m, s, a, &sets);
        for (int i = 0; i < n; i++) {
            if (dns_writer_rrset(&w, s, &sets[i], sets[i].owner, sets[i].ttl, 0))
                return;
            records += sets[i].count;
        }
    }
    size_t len = dns_writer_finish(&w, m->id, m->flags & ~DNS_FLAG_TC, m->rcode, NULL, 0);
    struct dns_msg again;
    if (dns_msg_parse(&again, buf, len, a, 4096) || again.rr_count != records)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query q;
    struct dns_msg m;
    struct arena a;
    dns_query_parse(&q, data, size);
    arena_init(&a, 1 << 18, 1 << 26);
    if (!dns_msg_parse(&m, data, size, &a, 1024))
        write_again(&m, &a);
    arena_fini(&a);
    return 0;
}
