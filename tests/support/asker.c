#include "asker.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asked {
    struct list link;
    struct addr target;
    int64_t end_us;
    gslb_probed *done;
    void *arg;
    bool hangs, closed;
};

static int64_t mono_us(const struct clock *c)
{
    const struct asker *a =
        (const struct asker *)(const void *)((const char *)c - offsetof(struct asker, clock));
    return a->mono_us;
}

static int64_t wall_us(const struct clock *c)
{
    const struct asker *a =
        (const struct asker *)(const void *)((const char *)c - offsetof(struct asker, clock));
    return a->wall_us;
}

static unsigned said_of(const struct asker *a, const char *address)
{
    unsigned i = 0;
    while (i < a->said_count && strcmp(a->said[i].address, address) != 0)
        i++;
    return i < a->said_count ? i : 0;
}

static int start(struct gslb_asker *seam, const struct gslb_check *check, const struct addr *target,
                 gslb_probed *done, void *arg, void **handle)
{
    struct asker *a = container_of(seam, struct asker, asker);
    struct asked *q = calloc(1, sizeof *q);
    char text[ADDR_TEXT_MAX];
    if (!q)
        return ERR_NOMEM;
    q->target = *target;
    q->done = done;
    q->arg = arg;
    q->end_us = a->mono_us + (int64_t)a->takes_ms * 1000;
    q->closed = a->closed_port && gslb_check_port(check) == a->closed_port;
    q->hangs = a->said[said_of(a, addr_print(target, text))].hangs;
    list_push(&a->running, &q->link);
    ++a->started;
    *handle = q;
    return 0;
}

static void cancel(struct gslb_asker *seam, void *handle)
{
    struct asker *a = container_of(seam, struct asker, asker);
    struct asked *q = handle;
    ++a->cancelled;
    list_remove(&q->link);
    free(q);
}

void asker_init(struct asker *a)
{
    *a = (struct asker){
        .asker = {.start = start, .cancel = cancel},
        .clock = {.mono_us = mono_us, .wall_us = wall_us},
        .mono_us = 5000000000,
        .wall_us = 1700000000000000,
        .takes_ms = 1,
        .said_count = 1,
    };
    list_init(&a->running);
    strcpy(a->said[0].address, "*");
    a->said[0].result = (struct gslb_probe_result){.total_us = 1000, .evidence = "pass"};
}

void asker_fini(struct asker *a)
{
    LIST_FOR (it, &a->running) {
        list_remove(it);
        free(container_of(it, struct asked, link));
    }
}

struct gslb_probe_result *asker_result(struct asker *a, const char *address)
{
    unsigned i = said_of(a, address);
    if (!i && strcmp(address, "*") != 0) {
        i = a->said_count++;
        snprintf(a->said[i].address, sizeof a->said[i].address, "%s", address);
        a->said[i].result = a->said[0].result;
    }
    return &a->said[i].result;
}

void asker_say(struct asker *a, const char *address, char what)
{
    struct gslb_probe_result *r = asker_result(a, address);
    r->result = what == 'f' ? GSLB_FAIL : what == 'n' ? GSLB_NO_VERDICT : GSLB_PASS;
    snprintf(r->evidence, sizeof r->evidence, "%s",
             what == 'f'   ? "connection refused"
             : what == 'n' ? "no descriptor"
                           : "pass");
    a->said[said_of(a, address)].hangs = what == 'h';
}

static unsigned finish_due(struct asker *a)
{
    unsigned running = 0;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): no alias analysis through links */
    LIST_FOR (it, &a->running) {
        struct asked *q = container_of(it, struct asked, link);
        char text[ADDR_TEXT_MAX];
        running++;
        if (q->hangs || q->end_us > a->mono_us)
            continue;
        struct gslb_probe_result r = a->said[said_of(a, addr_print(&q->target, text))].result;
        if (q->closed)
            r.result = GSLB_FAIL;
        gslb_probed *done = q->done;
        void *arg = q->arg;
        list_remove(it);
        free(q);
        done(arg, &r);
    }
    return running;
}

int64_t asker_run(struct asker *a, struct gslb_monitor *m, int64_t for_ms)
{
    const int64_t end = a->mono_us + for_ms * 1000;
    int64_t longest = 0;
    for (;;) {
        unsigned running = finish_due(a);
        a->most = running > a->most ? running : a->most;
        int64_t from = clock_mono_us(clock_system());
        int64_t wait = gslb_monitor_turn(m);
        from = clock_mono_us(clock_system()) - from;
        longest = from > longest ? from : longest;
        if (!wait)
            wait = 1;
        if (!list_is_empty(&a->running) && wait > a->takes_ms && a->takes_ms)
            wait = a->takes_ms;
        if (a->mono_us + wait * 1000 > end)
            break;
        a->mono_us += wait * 1000;
        a->wall_us += wait * 1000;
    }
    a->wall_us += end - a->mono_us;
    a->mono_us = end;
    finish_due(a);
    return longest;
}
