/* tests/bench/bench_map.c: what a large database costs: loading it, compiling two maps of it (by
 * country; by distance to 16 sites), verifying both, and comparing them. Not a test: prints seconds
 * of the processor, and memory, and exits 0. Argument: FILE.mmdb. */
#include "base/diag.h"
#include "geo/map.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { SITES = 16 };

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Since when, the heap now, the most that was resident so far. */
static void say(const char *what, double began)
{
    struct rusage use;
    struct mallinfo2 m = mallinfo2();
    getrusage(RUSAGE_SELF, &use);
    printf("%-24s %7.2f s, heap %6.0f MB, at most %6.0f MB resident\n", what, now_s() - began,
           (double)(m.uordblks + m.hblkhd) / 1e6, (double)use.ru_maxrss / 1e3);
}

static struct geo_map *compile(const struct geo_map_config *c)
{
    struct geo_map_proof proof;
    struct geo_map *m = NULL;
    struct diag_list d;
    struct addr wrong;
    double began = now_s();
    diag_init(&d);
    if (geo_map_compile(&m, c, &d)) {
        diag_print(&d, stderr, 0);
        exit(1);
    }
    diag_fini(&d);
    say(c->name, began);
    struct geo_map_info i = geo_map_info(m);
    printf("  %u lists, %u IPv4 and %u IPv6 leaves, %.0f MB\n", i.lists, i.leaves4, i.leaves6,
           (double)i.bytes / 1e6);
    began = now_s();
    if (geo_map_verify(m, c, SIZE_MAX, &proof, &wrong)) {
        fputs("it is wrong\n", stderr);
        exit(1);
    }
    say("  verified", began);
    printf("  %zu addresses, %zu evaluations\n", proof.addresses, proof.evaluated);
    return m;
}

int main(int argc, char **argv)
{
    static const char *const countries[] = {"DE", "FR", "US", "GB", "JP", "BR", "IN", "CN"};
    static uint16_t own[SITES][1];
    struct geo_site sites[SITES];
    struct geo_rule rules[9] = {[8] = {.prefer = GEO_PREFER_NEAREST}};
    struct geo_map_change change;
    uint16_t same[GEO_SITES_MAX];
    struct diag_list d;
    struct geo_db *db;
    double began = now_s();
    diag_init(&d);
    if (argc != 2 || geo_db_load(&db, argv[1], NULL, &d)) {
        diag_print(&d, stderr, 0);
        return 1;
    }
    say("loaded", began);
    printf("  %u nodes, %u places, %.0f MB\n", geo_db_info(db).nodes, geo_db_places(db),
           (double)geo_db_info(db).bytes / 1e6);
    for (unsigned i = 0; i < SITES; i++) {
        sites[i] =
            (struct geo_site){"s", true, -50.0F + 7.0F * (float)i, -170.0F + 22.0F * (float)i};
        own[i][0] = same[i] = (uint16_t)i;
    }
    for (unsigned i = 0; i < 8; i++)
        rules[i] = (struct geo_rule){
            .match = GEO_MATCH_COUNTRY, .text = countries[i], .sites = own[i], .site_count = 1};
    struct geo_map_config c = {.name = "by country",
                               .sites = sites,
                               .site_count = SITES,
                               .rules = rules,
                               .rule_count = 9,
                               .limit = 3,
                               .db = db};
    struct geo_map *country = compile(&c);
    c.name = "by distance";
    c.rules = &rules[8];
    c.rule_count = 1;
    struct geo_map *near = compile(&c);
    began = now_s();
    if (geo_map_compare(country, near, same, &change))
        return 1;
    say("compared", began);
    printf("  %zu and %zu networks, %llu addresses\n", change.networks4, change.networks6,
           (unsigned long long)change.addresses4);
    geo_map_free(country);
    geo_map_free(near);
    geo_db_free(db);
    return 0;
}
