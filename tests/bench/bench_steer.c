/* tests/bench/bench_steer.c: nanoseconds per gslb_steer, with and without a log, for a map with a
 * failover pool at each site, for a pool of 4 drawn by weight and for weighted sites. Not a test:
 * prints and exits 0. Built by hand with tests/support/plans.c and the libraries of gslb. */
#include "plans.h"

#include "dns/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 2000000 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double run(struct made *m, unsigned name, struct gslb_log *log, unsigned *given)
{
    struct gslb_client client = made_client("192.0.2.53 10.0.0.0/24");
    struct gslb_ask ask = {.plan = m->plan,
                           .name = name,
                           .qtype = DNS_TYPE_A,
                           .client = &client,
                           .mono_s = 1000,
                           .wall_s = 1000,
                           .log = log};
    unsigned rounds = log ? ROUNDS / 4 : ROUNDS;
    double start = now_ns();
    for (unsigned k = 0; k < rounds; k++) {
        struct gslb_answer a;
        client.subnet.ip[1] = (uint8_t)(k * 7);
        client.subnet.ip[2] = (uint8_t)k;
        m->worker.random = k * 0x2545f4914f6cdd1dULL;
        gslb_steer(&ask, &m->worker, &a);
        *given += a.count;
    }
    return (now_ns() - start) / rounds;
}

int main(void)
{
    static const char *const labels[] = {"map, site, failover of 1", "map, site, failover of 4",
                                         "4 members by weight", "weighted sites, failover of 4"};
    static const char *const four = "192.0.2.1*1 192.0.2.2*2 192.0.2.3*3 192.0.2.4*4";
    struct gslb_log *log = malloc(sizeof *log);
    struct made m;
    unsigned given = 0;
    made_init(&m, "a b", NULL);
    int map = made_map(&m, "10.0.0.0/9=a 10.64.0.0/10=b *=b,a");
    int weighted = made_map(&m, "*=a:3,b:1");
    made_pool(&m, "a1", "a", GSLB_FAILOVER, "192.0.2.1");
    made_pool(&m, "b1", "b", GSLB_FAILOVER, "192.0.2.2");
    made_pool(&m, "a4", "a", GSLB_FAILOVER, four);
    made_pool(&m, "b4", "b", GSLB_FAILOVER, four);
    made_pool(&m, "w4", "", GSLB_WEIGHTED, four);
    made_name(&m, "a.example.", map, "a1 b1");
    made_name(&m, "b.example.", map, "a4 b4");
    made_name(&m, "c.example.", GSLB_NONE, "w4");
    made_name(&m, "d.example.", weighted, "a4 b4");
    made_finish(&m, NULL);
    if (!log || gslb_tally_new(&m.worker.tally))
        return 1;
    printf("%-32s %8s %8s  ns per decision\n", "", "plain", "log");
    for (unsigned i = 0; i < 4; i++)
        printf("%-32s %8.1f %8.1f\n", labels[i], run(&m, i, NULL, &given), run(&m, i, log, &given));
    printf("%u\n", given);
    gslb_tally_free(m.worker.tally);
    made_fini(&m);
    free(log);
    return 0;
}
