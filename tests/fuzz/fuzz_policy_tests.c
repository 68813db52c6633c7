/* folders: daemon gslb authority resolver config geo net */
/* Any text as policy tests of a small plan. */
#include "daemon/policy_tests.h"

#include "base/err.h"
#include "daemon/steering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char conf[] =
    "gslb:\n"
    "  sites: { fra: , iad: }\n"
    "  maps:\n"
    "    m:\n"
    "      networks: { n1: 10.0.0.0/8, n2: 10.1.0.0/16 }\n"
    "      rules:\n"
    "        - { network: n1, prefer: [fra, iad] }\n"
    "        - { network: n2, prefer: [iad, fra] }\n"
    "      otherwise: [iad, fra]\n"
    "  pools:\n"
    "    pf: { site: fra, choose: weighted, enough: 50.0%, members: { a: { address: [192.0.2.1, "
    "'2001:db8::1'], weight: 3 }, b: 192.0.2.2 } }\n"
    "    pi: { site: iad, choose: consistent, members: { a: { address: 192.0.2.3, weight: 3 }, b: "
    "192.0.2.4 } }\n"
    "    all: { choose: all, members: { x: 192.0.2.5, y: 192.0.2.6 } }\n"
    "  names:\n"
    "    www.a.test: { map: m, pools: [pf, pi], ttl: { normal: 30s, degraded: 10s }, "
    "when-all-down: nodata }\n"
    "    all.a.test: { pool: all, when-all-down: refuse }\n";

static struct gslb_table *table;
static struct gslb_plan *plan;

static void plan_make(void)
{
    struct config *c;
    struct diag_list d;
    unsigned kept;
    diag_init(&d);
    if (gslb_table_new(&table) || config_load_mem(&c, "conf", conf, sizeof conf - 1, &d))
        abort();
    const struct steering_place place = {.table = table, .workers = 1};
    if (steering_build(&plan, c, NULL, &place, &d, &kept))
        abort();
    config_free(c);
    diag_fini(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_tests counts;
    struct diag_list d;
    char path[64];
    int fd = memfd_create("tests", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (!plan)
        plan_make();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    diag_init(&d);
    int err = policy_tests_run(plan, table, path, &d, &counts);
    if (err ? !d.errors : d.errors)
        abort();
    if (counts.failed > counts.rows || (err == ERR_MISMATCH && !counts.failed))
        abort();
    diag_fini(&d);
    close(fd);
    return 0;
}
