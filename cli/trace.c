/* cli/trace.c: a walk hop by hop: from the root in this process, by a running server with its
 * caches, or one that a running server has recorded. */
#include "resolver/trace.h"
#include "args_priv.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/engine.h"
#include "dns/name.h"
#include "dns/type.h"
#include "lab/lab.h"
#include "net/counters.h"
#include "net/upstream.h"
#include "remote_priv.h"
#include "trace_text_priv.h"
#include "verbs_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    while (uv_run(&w->loop, UV_RUN_DEFAULT)) /* an answer without network left it stopped */
        continue;
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
    const char *name, *type, *config, *socket;
    bool json, ndjson, server, last;
};

static const char usage[] =
    "trace NAME [TYPE] [-c FILE] [--json|--ndjson]\n"
    "       waypost trace --server NAME [TYPE] [-s SOCKET] [--json|--ndjson]\n"
    "       waypost trace --last [N|NAME] [-s SOCKET] [--json|--ndjson]";

static bool read_args(struct trace_args *a, int argc, char **argv)
{
    struct words w;
    if (!args_read(usage,
                   (const struct arg[]){{"--json", NULL, &a->json, NULL},
                                        {"--ndjson", NULL, &a->ndjson, NULL},
                                        {"--server", NULL, &a->server, NULL},
                                        {"--last", NULL, &a->last, NULL},
                                        {"--config", "-c", NULL, &a->config},
                                        {"--socket", "-s", NULL, &a->socket},
                                        {NULL, NULL, NULL, NULL}},
                   2, argc, argv, &w))
        return false;
    a->name = w.count ? w.at[0] : NULL;
    a->type = w.count > 1 ? w.at[1] : NULL;
    if (a->last ? w.count < 2 : w.count > 0)
        return true;
    fprintf(stderr, "usage: waypost %s\n", usage);
    return false;
}

static int print_trace(const struct trace_args *a, const char *json)
{
    if (a->ndjson)
        return trace_print_lines(json, stdout);
    if (!a->json)
        return trace_print_text(json, stdout);
    fputs(json, stdout);
    return json[0] && json[strlen(json) - 1] == '\n' ? 0 : putchar('\n') == EOF ? ERR_IO : 0;
}

/* ---- cold, in this process ---- */

static int trace_with(const struct trace_args *a, struct walk *w, const struct config *c,
                      struct diag_list *diags)
{
    struct engine engine;
    int err = engine_init(&engine, c, diags);
    err = err ? err : walk_run(w, &engine, diags);
    engine_free(&engine);
    if (err || !w->json)
        return err ? err : ERR_NOMEM;
    return print_trace(a, w->json);
}

static int trace_cold(const struct trace_args *a, struct walk *w)
{
    struct lab_descriptor lab;
    const char *file = a->config;
    struct diag_list diags;
    struct config *c = NULL;
    if (!file && lab_running(&lab)) {
        fprintf(stderr, "(from the root of the running lab, %s)\n", lab.config);
        file = lab.config;
    }
    log_set_level(LOG_LEVEL_WARNING);
    diag_init(&diags);
    int err = file ? config_load(&c, file, &diags)
                   : config_load_mem(&c, "built-in configuration", "", 0, &diags);
    bool config_bad = err != 0;
    err = err ? err : trace_with(a, w, c, &diags);
    diag_print(&diags, stderr, args_colour());
    if (err && !diags.errors)
        fprintf(stderr, "waypost trace: %s\n", err_text(err));
    diag_fini(&diags);
    config_free(c);
    free(w->json);
    if (err)
        return config_bad || err == ERR_INVALID ? EXIT_CONFIG : EXIT_CANNOT;
    return w->rcode == DNS_RCODE_NOERROR && w->answers                       ? EXIT_POSITIVE
           : w->rcode == DNS_RCODE_NOERROR || w->rcode == DNS_RCODE_NXDOMAIN ? EXIT_NEGATIVE
                                                                             : EXIT_NO_ANSWER;
}

/* ---- of a running server ---- */

static int print_document(const struct trace_args *a, const json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(9));
    int err = text ? print_trace(a, text) : ERR_NOMEM;
    free(text);
    return err;
}

static int exit_of(const json_t *doc)
{
    const char *rcode = json_string_value(json_object_get(doc, "rcode"));
    bool fine = rcode && !strcmp(rcode, "NOERROR");
    if (!fine && !(rcode && !strcmp(rcode, "NXDOMAIN")))
        return EXIT_NO_ANSWER;
    return fine && json_array_size(json_object_get(doc, "answer")) ? EXIT_POSITIVE : EXIT_NEGATIVE;
}

static int trace_server(const struct trace_args *a)
{
    char path[4096], name[3200], type[64] = "";
    long status;
    int code;
    remote_escape(a->name, name, sizeof name);
    if (a->type)
        remote_escape(a->type, type, sizeof type);
    snprintf(path, sizeof path, "/v1/trace?name=%s%s%s", name, *type ? "&type=" : "", type);
    json_t *doc = remote_call(a->socket, "GET", path, &status, &code);
    if (!doc)
        return code;
    code = print_document(a, doc) ? EXIT_CANNOT : exit_of(doc);
    json_decref(doc);
    return code;
}

/* --last 5, --last www.example.com, --last */
static int trace_last(const struct trace_args *a)
{
    char path[4096], name[3200] = "", *end = NULL;
    long status, n = a->name ? strtol(a->name, &end, 10) : 1;
    int code;
    size_t i;
    json_t *v;
    bool by_name = a->name && *end;
    if (by_name)
        remote_escape(a->name, name, sizeof name);
    snprintf(path, sizeof path, "/v1/traces?n=%ld%s%s", by_name ? 1 : n, by_name ? "&name=" : "",
             name);
    json_t *doc = remote_call(a->socket, "GET", path, &status, &code);
    if (!doc)
        return code;
    const json_t *traces = json_object_get(doc, "traces");
    code = json_array_size(traces) ? EXIT_POSITIVE : EXIT_NEGATIVE;
    if (a->json)
        code = print_document(a, doc) ? EXIT_CANNOT : code;
    else if (!json_array_size(traces))
        fputs("nothing was recorded: answers from the cache leave no trace\n", stderr);
    json_array_foreach(traces, i, v)
    {
        if (!a->json && i)
            putchar('\n');
        if (!a->json && print_document(a, v))
            code = EXIT_CANNOT;
    }
    json_decref(doc);
    return code;
}

int verb_trace(int argc, char **argv)
{
    struct trace_args a = {0};
    struct walk w = {0};
    uint8_t qname[DNS_NAME_MAX];
    if (!read_args(&a, argc, argv))
        return EXIT_USAGE;
    if (a.last)
        return trace_last(&a);
    int n = dns_name_parse(qname, a.name, strlen(a.name), NULL);
    int type = a.type ? dns_type_parse(a.type, strlen(a.type)) : DNS_TYPE_A;
    if (n < 0 || type < 0) {
        fprintf(stderr, "waypost trace: \"%s\" is not a %s\n", n < 0 ? a.name : a.type,
                n < 0 ? "domain name" : "record type");
        return EXIT_USAGE;
    }
    if (a.server)
        return trace_server(&a);
    w.qname = qname;
    w.qtype = (uint16_t)type;
    return trace_cold(&a, &w);
}
