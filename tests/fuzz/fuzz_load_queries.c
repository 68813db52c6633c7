/* folders: net */
/* Any octets as a file of queries: what is wrong is said, what is right becomes a query that we
 * take ourselves, and an answer that repeats it is known by it. */
#include "net/load_queries.h"

#include "dns/msg_parse.h"
#include "dns/type.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct load_queries *q, uint32_t index)
{
    uint8_t packet[LOAD_QUERY_MAX];
    struct dns_query p;
    size_t len = load_queries_write(q, index, index, 7, packet);
    if (len > sizeof packet || dns_query_parse(&p, packet, len) != DNS_VERDICT_OK ||
        p.edns.subnet.source != 24 || load_queries_match(q, index, index, packet, len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct load_shape shape = {
        .fresh_label = true, .subnet_random = true, .edns = {.present = true, .size = 1232}};
    struct load_queries *q = load_queries_new(&shape);
    struct diag_list d;
    FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "r");
    if (!q || !in)
        abort();
    diag_init(&d);
    int err = load_queries_read(q, in, "fuzz", &d);
    if ((err == ERR_SYNTAX) != (d.errors > 0))
        abort();
    for (uint32_t i = 0; i < load_queries_count(q); i++)
        check(q, i);
    diag_fini(&d);
    fclose(in);
    load_queries_free(q);
    return 0;
}
