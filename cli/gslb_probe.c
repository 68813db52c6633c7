/* cli/gslb_probe.c: gslb probe: every check of a configuration once, in this process. */
#include "args_priv.h"
#include "base/err.h"
#include "config/config.h"
#include "daemon/steering.h"
#include "gslb/probe.h"
#include "verbs_priv.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct item {
    const struct gslb_pool *pool;
    const struct gslb_endpoint *member;
    const struct gslb_check *check;
    struct addr address;
    struct gslb_probe_result result;
    bool skipped; /* nobody is asked: none, push */
    struct items *all;
};

struct items {
    struct item *at;
    unsigned count, cap, running;
    struct gslb_prober *prober;
};

static void on_closed(void *arg)
{
    (void)arg;
}

static void on_probed(void *arg, const struct gslb_probe_result *r)
{
    struct item *it = arg;
    it->result = *r;
    if (!--it->all->running)
        gslb_prober_close(it->all->prober, on_closed, NULL);
}

static int push(struct items *all, const struct gslb_pool *pool, const struct gslb_endpoint *m,
                const struct gslb_check *check, const struct addr *address)
{
    if (all->count == all->cap) {
        unsigned cap = all->cap ? all->cap * 2 : 64;
        struct item *at = realloc(all->at, cap * sizeof *at);
        if (!at)
            return ERR_NOMEM;
        all->at = at;
        all->cap = cap;
    }
    all->at[all->count++] =
        (struct item){.pool = pool, .member = m, .check = check, .address = *address, .all = all};
    return 0;
}

static int collect(struct items *all, const struct gslb_plan *plan, const char *pattern)
{
    int err = 0;
    for (unsigned i = 0; i < plan->pool_count; i++)
        for (unsigned j = 0; j < plan->pools[i].endpoint_count; j++) {
            const struct gslb_endpoint *m = &plan->pools[i].endpoints[j];
            char name[512];
            snprintf(name, sizeof name, "%s/%s", plan->pools[i].name, m->name);
            if (pattern && fnmatch(pattern, name, 0) != 0 &&
                fnmatch(pattern, plan->pools[i].name, 0) != 0)
                continue;
            for (unsigned k = 0; k < m->check_count; k++)
                for (unsigned f = 0; f < 2 && !err; f++)
                    if (m->address[f].family)
                        err = push(all, &plan->pools[i], m, &plan->checks[m->checks[k]],
                                   &m->address[f]);
        }
    return err;
}

static int run(struct items *all)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) || gslb_prober_new(&all->prober, &loop, clock_system(), NULL))
        return ERR_SYSTEM;
    for (unsigned i = 0; i < all->count; i++) {
        struct gslb_probe *probe;
        int err = gslb_probe_start(all->prober, all->at[i].check, &all->at[i].address, on_probed,
                                   &all->at[i], &probe);
        all->at[i].skipped = err != 0;
        all->running += !err;
    }
    if (!all->running)
        gslb_prober_close(all->prober, on_closed, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}

static const char *word(const struct item *it)
{
    return it->skipped                            ? "not asked"
           : it->result.result == GSLB_PASS       ? "pass"
           : it->result.result == GSLB_NO_VERDICT ? "no verdict"
                                                  : "fail";
}

static void print_json(const struct items *all)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < all->count; i++) {
        const struct item *it = &all->at[i];
        char address[ADDR_TEXT_MAX];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:s}", "pool",
                      it->pool->name, "member", it->member->name, "address",
                      addr_print(&it->address, address), "check", it->check->name, "result",
                      word(it), "code", it->result.code, "connect_us", (int)it->result.connect_us,
                      "tls_us", (int)it->result.tls_us, "first_us", (int)it->result.first_us,
                      "total_us", (int)it->result.total_us, "evidence", it->result.evidence));
    }
    json_dumpf(list, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(list);
}

static void print_text(const struct items *all)
{
    printf("%-28s %-20s %-12s %-10s %8s %8s %8s %8s ms\n", "member", "address", "check", "result",
           "connect", "tls", "first", "total");
    for (unsigned i = 0; i < all->count; i++) {
        const struct item *it = &all->at[i];
        char name[512], address[ADDR_TEXT_MAX];
        snprintf(name, sizeof name, "%s/%s", it->pool->name, it->member->name);
        printf("%-28s %-20s %-12s %-10s %8.1f %8.1f %8.1f %8.1f  %s\n", name,
               addr_print(&it->address, address), it->check->name, word(it),
               it->result.connect_us / 1000.0, it->result.tls_us / 1000.0,
               it->result.first_us / 1000.0, it->result.total_us / 1000.0, it->result.evidence);
    }
}

int verb_gslb_probe(int argc, char **argv)
{
    static const char usage[] = "gslb probe [PATTERN] [-c FILE] [--json]";
    const char *path = "waypost.yaml";
    bool json = false;
    struct words w;
    struct diag_list d;
    struct config *c = NULL;
    struct gslb_plan *plan = NULL;
    struct items all = {0};
    unsigned kept = 0, bad = 0;
    if (!args_read(usage,
                   (const struct arg[]){{"--config", "-c", NULL, &path},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   1, argc, argv, &w))
        return EXIT_USAGE;
    diag_init(&d);
    int err = config_load(&c, path, &d);
    err = err ? err
              : steering_build(&plan, c, NULL, &(struct steering_place){.workers = 1}, &d, &kept);
    config_free(c);
    diag_print(&d, stderr, args_colour());
    diag_fini(&d);
    if (err)
        return exit_of_error(err);
    if (plan)
        err = collect(&all, plan, w.count ? w.at[0] : NULL);
    err = err ? err : run(&all);
    if (!err && json)
        print_json(&all);
    else if (!err)
        print_text(&all);
    for (unsigned i = 0; i < all.count; i++)
        bad += !all.at[i].skipped && all.at[i].result.result != GSLB_PASS;
    free(all.at);
    if (plan)
        part_unref(gslb_plan_part(plan));
    if (err)
        fprintf(stderr, "waypost gslb probe: %s\n", err_text(err));
    return err ? EXIT_CANNOT : bad ? EXIT_NEGATIVE : EXIT_POSITIVE;
}
