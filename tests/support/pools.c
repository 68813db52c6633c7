#include "pools.h"

#include "base/hash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double SIGMAS = 4.5;

void pool_make(struct pool *b, enum gslb_policy policy, const char *text)
{
    memset(b, 0, sizeof *b);
    unsigned n = 0;
    char *end;
    for (const char *at = text; *at; at = *end ? end + 1 : end, n++) {
        if (n == MOST)
            fail_msg("\"%s\" has too many members", text);
        struct gslb_member *m = &b->members[n];
        struct gslb_member_state *s = &b->states[n];
        m->id = hash_mix(n + 1);
        m->weight = (uint32_t)strtoul(at, &end, 10);
        s->up = true;
        s->permille = 1000;
        while (*end && *end != ' ') {
            char what = *end;
            char *digits = end + 1;
            unsigned long value = 0;
            end = digits;
            if (*digits >= '0' && *digits <= '9')
                value = strtoul(digits, &end, 10);
            switch (what) {
            case 'd':
                s->up = false;
                break;
            case 'p':
                s->permille = (uint16_t)value;
                break;
            case 'l':
                s->has_load = true;
                s->load = (uint32_t)value;
                break;
            case 'u':
                s->load = (uint32_t)value;
                break;
            case 'r':
                s->rtt_us = (uint32_t)value;
                break;
            case 'g':
                m->group = (uint16_t)value;
                break;
            case 'o':
                s->over = true;
                break;
            default:
                fail_msg("\"%s\": what is %c?", text, what);
            }
        }
    }
    b->pick = (struct gslb_pick){
        .policy = policy, .members = b->members, .states = b->states, .count = n};
}

uint64_t fresh(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

/* The greatest sum of squared deviations that `cells` counts may have (Wilson and Hilferty). */
static double chi_bound(unsigned cells)
{
    double free = cells - 1.0;
    return free * pow(1 - 2 / (9 * free) + SIGMAS * sqrt(2 / (9 * free)), 3);
}

void expect_chi(const char *label, const unsigned *counts, const double *shares, unsigned cells,
                double picks)
{
    double chi = 0;
    unsigned used = 0;
    for (unsigned k = 0; k < cells; k++) {
        double mean = shares[k] * picks;
        if (mean == 0) {
            if (counts[k])
                fail_msg("%s: %u has no share and was given %u times", label, k, counts[k]);
            continue;
        }
        used++;
        chi += (counts[k] - mean) * (counts[k] - mean) / mean;
    }
    if (used > 1 && chi > chi_bound(used))
        fail_msg("%s: chi-square %.2f above %.2f", label, chi, chi_bound(used));
}

void expect_share(const char *label, unsigned member, double count, double picks, double p)
{
    double sigma = sqrt(picks * p * (1 - p));
    if (fabs(count - picks * p) > SIGMAS * sigma)
        fail_msg("%s: member %u %.0f times of %.0f, not %.1f +- %.1f", label, member, count, picks,
                 picks * p, SIGMAS * sigma);
}
