/* cli/trace.c: the walk from the root, in this process, hop by hop. */
#include "resolver/trace.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/engine.h"
#include "dns/name.h"
#include "dns/type.h"
#include "lab/lab.h"
#include "net/counters.h"
#include "net/upstream.h"
#include "trace_text_priv.h"
#include "verbs_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct walk {
    uv_loop_t loop;
    uv_timer_t timer;
    struct wheel wheel;
    const uint8_t *qname;
    uint16_t qtype;
    char *json; /* of the finished walk */
    uint16_t rcode;
    unsigned answers;
    bool done;
};

static void on_done(void *arg, const struct resolver_result *res)
{
    struct walk *w = arg;
    w->done = true;
    w->rcode = res->rcode;
    w->answers = res->answer_count;
    w->json = trace_json(res, w->qname, w->qtype);
    uv_stop(&w->loop);
}

static void on_timer(uv_timer_t *t)
{
    struct walk *w = t->data;
    wheel_run(&w->wheel, clock_mono_ms(clock_system()));
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

/* One question through a fresh engine. */
static int walk_run(struct walk *w, const struct engine *engine, struct diag_list *diags)
{
    struct resolver *resolver = NULL;
    struct resolver_worker *worker = NULL;
    struct upstream *up = NULL;
    struct upstream_options uo;
    struct request *req;
    struct rng rng;
    struct stat_block *net = stat_new(net_stat_rows, NET_COUNTER_COUNT),
                      *rs = stat_new(resolver_stat_rows, resolver_stat_count);
    int err = net && rs ? rng_init(&rng) : ERR_NOMEM;
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->timer);
    w->timer.data = w;
    wheel_init(&w->wheel, clock_mono_ms(clock_system()));
    upstream_options_default(&uo);
    memcpy(uo.source, engine->source, sizeof uo.source);
    err = err ? err : upstream_new(&up, &w->loop, &rng, clock_system(), &uo, net);
    err = err ? err : resolver_new(&resolver, &engine->options, clock_system(), diags);
    err = err ? err
              : resolver_worker_new(&worker, resolver, upstream_transport(up), &w->wheel, &rng, rs,
                                    NULL, NULL);
    struct resolver_ask ask = {.qname = w->qname,
                               .qtype = w->qtype,
                               .qclass = DNS_CLASS_IN,
                               .flags = DNS_FLAG_RD,
                               .dnssec_ok = true,
                               .trace = true};
    err = err ? err : resolver_ask(worker, &ask, on_done, w, &req);
    uv_timer_start(&w->timer, on_timer, 1, 1);
    if (!err && !w->done)
        uv_run(&w->loop, UV_RUN_DEFAULT);
    if (worker)
        resolver_worker_free(worker);
    if (up)
        upstream_close(up);
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_walk(&w->loop, close_handle, NULL);
    uv_loop_close(&w->loop);
    if (resolver)
        resolver_free(resolver);
    if (net && rs)
        rng_fini(&rng);
    stat_free(net);
    stat_free(rs);
    return err;
}

struct trace_args {
    const char *name, *type, *config;
    bool json;
};

static bool read_args(struct trace_args *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            a->json = true;
        else if ((!strcmp(argv[i], "-c") || !strcmp(argv[i], "--config")) && i + 1 < argc)
            a->config = argv[++i];
        else if (*argv[i] == '-' || (a->name && a->type))
            return false;
        else if (a->name)
            a->type = argv[i];
        else
            a->name = argv[i];
    }
    return a->name != NULL;
}

static int trace_with(const struct trace_args *a, struct walk *w, const struct config *c,
                      struct diag_list *diags)
{
    struct engine engine;
    int err = engine_init(&engine, c, diags);
    err = err ? err : walk_run(w, &engine, diags);
    engine_free(&engine);
    if (err || !w->json)
        return err ? err : ERR_NOMEM;
    if (a->json)
        puts(w->json);
    else
        err = trace_print_text(w->json, stdout);
    return err;
}

int verb_trace(int argc, char **argv)
{
    struct trace_args a = {0};
    struct walk w = {0};
    char lab[4096];
    uint8_t qname[DNS_NAME_MAX];
    struct diag_list diags;
    struct config *c = NULL;
    if (!read_args(&a, argc, argv)) {
        fputs("usage: waypost trace NAME [TYPE] [-c FILE] [--json]\n", stderr);
        return EXIT_USAGE;
    }
    int n = dns_name_parse(qname, a.name, strlen(a.name), NULL);
    int type = a.type ? dns_type_parse(a.type, strlen(a.type)) : DNS_TYPE_A;
    if (n < 0 || type < 0) {
        fprintf(stderr, "waypost trace: \"%s\" is not a %s\n", n < 0 ? a.name : a.type,
                n < 0 ? "domain name" : "record type");
        return EXIT_USAGE;
    }
    if (!a.config && lab_running(lab, sizeof lab)) {
        fprintf(stderr, "(from the root of the running lab, %s)\n", lab);
        a.config = lab;
    }
    log_set_level(LOG_LEVEL_WARNING);
    w.qname = qname;
    w.qtype = (uint16_t)type;
    diag_init(&diags);
    int err = a.config ? config_load(&c, a.config, &diags)
                       : config_load_mem(&c, "built-in configuration", "", 0, &diags);
    bool config_bad = err != 0;
    err = err ? err : trace_with(&a, &w, c, &diags);
    diag_print(&diags, stderr, isatty(STDERR_FILENO));
    if (err && !diags.errors)
        fprintf(stderr, "waypost trace: %s\n", err_text(err));
    diag_fini(&diags);
    config_free(c);
    free(w.json);
    if (err)
        return config_bad || err == ERR_INVALID ? EXIT_CONFIG : EXIT_CANNOT;
    return w.rcode == DNS_RCODE_SERVFAIL ? EXIT_NO_ANSWER
           : w.rcode || !w.answers       ? EXIT_NEGATIVE
                                         : EXIT_POSITIVE;
}
