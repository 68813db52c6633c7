/* tests/bench/bench_policy.c: nanoseconds per gslb_pick of each policy over 2, 8 and 64 members,
 * all up, weights 1 .. 8. Not a test: prints and exits 0. */
#include "gslb/policy.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 2000000, MEMBERS = 64 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double run(struct gslb_pick *p, unsigned *given)
{
    unsigned rounds = ROUNDS / p->count;
    double start = now_ns();
    for (unsigned k = 0; k < rounds; k++) {
        uint16_t out[MEMBERS];
        unsigned n;
        p->random = k * 0x2545f4914f6cdd1dULL;
        p->client = k;
        gslb_pick(p, out, &n);
        *given += out[n - 1];
    }
    return (now_ns() - start) / rounds;
}

int main(void)
{
    static const unsigned sizes[] = {2, 8, 64};
    struct gslb_member members[MEMBERS];
    struct gslb_member_state states[MEMBERS];
    _Alignas(uint64_t) unsigned char room[4096];
    struct gslb_policy_state *state = (struct gslb_policy_state *)room;
    unsigned given = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = (struct gslb_member){
            .id = (i + 1) * 0x9e3779b97f4a7c15, .weight = i % 8 + 1, .group = (uint16_t)(i % 4)};
        states[i] = (struct gslb_member_state){.up = true,
                                               .permille = 1000,
                                               .has_load = true,
                                               .load = i * 37 % 64,
                                               .rtt_us = 1000 + i * 29 % 64};
    }
    printf("%-22s %8u %8u %8u  ns per pick\n", "members", sizes[0], sizes[1], sizes[2]);
    for (int policy = 0; policy < GSLB_POLICIES; policy++) {
        printf("%-22s", gslb_policy_name(policy));
        for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct gslb_pick p = {.policy = policy,
                                  .members = members,
                                  .states = states,
                                  .count = sizes[s],
                                  .healthy_permille = 100,
                                  .name = 7,
                                  .now_s = 1000000,
                                  .epoch_s = 600,
                                  .band_us = 10,
                                  .state = state};
            if (gslb_policy_state_size(sizes[s]) > sizeof room)
                return 1;
            gslb_policy_state_init(state, sizes[s]);
            printf(" %8.1f", run(&p, &given));
        }
        printf("\n");
    }
    printf("%u\n", given);
    return 0;
}
