/* daemon/own.c: own aliases before the resolver's answer. */
#include "own_priv.h"

#include "base/arena.h"

#include <string.h>

#define OWN_ARENA_MAX (512u << 10)
#define OWN_RRS_MAX   1024 /* as the resolver reads of a reply */

size_t own_write(const uint8_t *own, size_t own_len, const struct resolver_result *res,
                 const struct dns_query *q, const struct edns *e, size_t limit,
                 struct dns_writer *scratch, uint8_t *buf)
{
    struct arena a;
    struct dns_msg m;
    struct dns_rrset *sets = NULL;
    struct resolver_result whole = *res;
    size_t len = 0;
    arena_init(&a, 0, OWN_ARENA_MAX);
    int n = dns_msg_parse(&m, own, own_len, &a, OWN_RRS_MAX);
    n = n ? n : dns_msg_rrsets(&m, DNS_SECTION_ANSWER, &a, &sets);
    struct dns_rrset *all =
        n < 0 ? NULL : ARENA_ARRAY(&a, struct dns_rrset, (size_t)n + res->answer_count + 1);
    if (all) {
        for (int i = 0; sets && i < n; i++)
            all[i] = sets[i];
        for (unsigned i = 0; i < res->answer_count; i++)
            all[(unsigned)n + i] = res->answer[i];
        whole.answer = all;
        whole.answer_count = (unsigned)n + res->answer_count;
        len = resolver_write(&whole, q, e, limit, scratch, buf);
        put_u16(buf + 2, (uint16_t)(get_u16(buf + 2) | (n ? DNS_FLAG_AA : 0)));
    } else {
        len = dns_write_error(q, buf, limit, DNS_FLAG_RA, DNS_RCODE_SERVFAIL, e);
    }
    arena_fini(&a);
    return len;
}
