/* daemon/follow.c: a timer that turns the targets, and who fetches for them. */
#include "daemon/follow.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 8
#define DNS_PORT    53

struct follow {
    struct gslb_fetcher *fetcher;
    struct gslb_targets *targets;
    uv_loop_t *loop;
    uv_timer_t timer;
    bool self, timer_ready;
    unsigned open;    /* handles, and the fetcher */
    uint64_t changes; /* that were told */
    void (*changed)(void *arg);
    void *arg;
};

static void on_timer(uv_timer_t *t)
{
    struct follow *f = t->data;
    uv_timer_start(t, on_timer, gslb_targets_turn(f->targets), 0);
    uint64_t changes = gslb_targets_changes(f->targets);
    bool told = changes == f->changes;
    f->changes = changes;
    if (!told)
        f->changed(f->arg);
}

static int open_fetcher(struct follow *f, const struct follow_place *place, struct diag_list *d)
{
    static const char option[] = "gslb.resolve-hosts-with";
    const struct config *c = place->config;
    unsigned n = config_count(c, NULL, option), count = 0;
    struct addr servers[SERVERS_MAX];
    f->self = !n;
    for (unsigned i = 0; i < n; i++) {
        const char *text = config_text_at(c, NULL, option, i);
        if (n == 1 && !strcmp(text, "self")) {
            f->self = true;
        } else if (count == SERVERS_MAX || addr_parse_port(&servers[count], text, DNS_PORT)) {
            config_complain(c, config_node_at(c, NULL, option, i), DIAG_ERROR, NULL, d,
                            "%s: the word self, or at most %d addresses of servers", option,
                            SERVERS_MAX);
            return ERR_INVALID;
        } else {
            count++;
        }
    }
    return f->self ? fetch_self_new(&f->fetcher, place->loop, place->ask, place->arg)
                   : fetch_servers_new(&f->fetcher, place->loop, servers, count, NULL);
}

int follow_open(struct follow **out, const struct follow_place *place, struct diag_list *d)
{
    struct follow *f = calloc(1, sizeof *f);
    if (!f)
        return ERR_NOMEM;
    f->loop = place->loop;
    f->changed = place->changed;
    f->arg = place->arg;
    int err = open_fetcher(f, place, d);
    f->open = !err;
    err = err ? err : gslb_targets_new(&f->targets, f->fetcher, place->clock, place->domain);
    if (err) {
        follow_close(f);
        return err;
    }
    uv_timer_init(f->loop, &f->timer);
    f->timer.data = f;
    f->timer_ready = true;
    f->open++;
    *out = f;
    return 0;
}

struct gslb_targets *follow_targets(struct follow *f)
{
    return f->targets;
}

bool follow_is_self(const struct follow *f)
{
    return f->self;
}

void follow_plan(struct follow *f, const struct gslb_plan *plan)
{
    gslb_targets_keep(f->targets, plan ? plan->target_used : NULL, plan ? plan->target_count : 0);
    if (plan && plan->target_count)
        on_timer(&f->timer);
    else
        uv_timer_stop(&f->timer); /* nothing wakes a server that follows nobody */
}

static void on_fetcher_closed(void *arg)
{
    struct follow *f = arg;
    f->open--;
}

static void on_timer_closed(uv_handle_t *t)
{
    struct follow *f = t->data;
    f->open--;
}

void follow_close(struct follow *f)
{
    if (!f)
        return;
    if (f->fetcher)
        fetch_close(f->fetcher, on_fetcher_closed, f);
    if (f->timer_ready)
        uv_close((uv_handle_t *)&f->timer, on_timer_closed);
    while (f->open)
        uv_run(f->loop, UV_RUN_ONCE);
    if (f->targets)
        gslb_targets_free(f->targets);
    free(f);
}
