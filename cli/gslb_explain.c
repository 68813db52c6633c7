/* cli/gslb_explain.c: gslb explain, test: why this answer, and does the policy keep its promises.
 */
#include "args_priv.h"
#include "base/err.h"
#include "daemon/policy_tests.h"
#include "dns/name.h"
#include "dns/type.h"
#include "gslb/explain.h"
#include "json_priv.h"
#include "plan_priv.h"
#include "remote_priv.h"
#include "verbs_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define USAGE_EXPLAIN \
    "gslb explain NAME [TYPE] --from IP|NETWORK [--ecs] [--json] [--config FILE] [-s SOCKET]"
#define USAGE_TEST "gslb test FILE [--json] [--config FILE] [-s SOCKET]"

static int usage(const char *text)
{
    fprintf(stderr, "usage: waypost %s\n", text);
    return EXIT_USAGE;
}

static int say(const char *what, const char *text)
{
    fprintf(stderr, "waypost gslb: \"%s\" is %s\n", what, text);
    return EXIT_USAGE;
}

/* ---- explain ---- */

struct question {
    const char *name, *type, *from;
    bool ecs, json;
    uint8_t qname[DNS_NAME_MAX];
    uint16_t qtype;
    struct gslb_client client;
};

/* With --ecs the resolver is taken to ask on behalf of this address or network. */
static bool read_from(struct question *q)
{
    return (q->ecs || !strchr(q->from, '/')) && !gslb_client_parse(&q->client, q->from, q->ecs);
}

static int read_question(struct question *q)
{
    int type = dns_type_parse(q->type, strlen(q->type));
    if (dns_name_parse(q->qname, q->name, strlen(q->name), NULL) < 0)
        return say(q->name, "not a domain name");
    if (type < 0)
        return say(q->type, "no type");
    if (!read_from(q))
        return say(q->from, q->ecs ? "neither an address nor a network"
                                   : "not an address (a network goes with --ecs)");
    q->qtype = (uint16_t)type;
    return EXIT_POSITIVE;
}

static json_t *explain_here(const struct question *q, const char *config, int *code)
{
    struct own_plan o;
    json_t *doc = NULL;
    *code = own_plan_load(&o, config, NULL, NULL, NULL, 0);
    if (*code)
        return NULL;
    struct gslb_worker *w = calloc(1, sizeof *w);
    int name = gslb_explain_name(o.plan, q->qname);
    *code = EXIT_CANNOT;
    if (name == GSLB_NONE) {
        fprintf(stderr, "waypost gslb: \"%s\" is not steered; write it under gslb.names\n",
                q->name);
        *code = EXIT_NEGATIVE;
    } else if (w) {
        w->table = o.table;
        doc = gslb_explain(o.plan, w, (unsigned)name, q->qtype, &q->client, 0, time(NULL));
        fputs("(every member is taken to be up)\n", stderr);
    }
    free(w);
    own_plan_free(&o);
    return doc;
}

static json_t *explain_there(const struct question *q, const char *socket, int *code)
{
    char path[4096], name[3200], type[64], from[256];
    long status;
    remote_escape(q->name, name, sizeof name);
    remote_escape(q->type, type, sizeof type);
    remote_escape(q->from, from, sizeof from);
    snprintf(path, sizeof path, "/v1/gslb/explain?name=%s&type=%s&from=%s%s", name, type, from,
             q->ecs ? "&ecs=1" : "");
    return remote_call(socket, "GET", path, &status, code);
}

int verb_gslb_explain(int argc, char **argv)
{
    struct question q = {.type = "A"};
    const char *config = NULL, *socket = NULL;
    struct words w;
    int code;
    if (!args_read(USAGE_EXPLAIN,
                   (const struct arg[]){{"--from", NULL, NULL, &q.from},
                                        {"--ecs", NULL, &q.ecs, NULL},
                                        {"--json", NULL, &q.json, NULL},
                                        {"--config", "-c", NULL, &config},
                                        {"--socket", "-s", NULL, &socket},
                                        {NULL, NULL, NULL, NULL}},
                   2, argc, argv, &w))
        return EXIT_USAGE;
    if (!w.count || !q.from)
        return usage(USAGE_EXPLAIN);
    q.name = w.at[0];
    q.type = w.count > 1 ? w.at[1] : q.type;
    if ((code = read_question(&q)))
        return code;
    json_t *doc = config ? explain_here(&q, config, &code) : explain_there(&q, socket, &code);
    if (!doc)
        return code;
    if (q.json)
        print_json(doc);
    else
        gslb_explain_print(doc, stdout, isatty(STDOUT_FILENO) && args_colour());
    const char *outcome =
        json_string_value(json_object_get(json_object_get(doc, "answer"), "outcome"));
    bool answered = outcome && (!strcmp(outcome, "answer") || !strcmp(outcome, "static"));
    json_decref(doc);
    return answered ? EXIT_POSITIVE : EXIT_NEGATIVE;
}

/* ---- test ---- */

static json_t *said_json(const struct diag_list *d)
{
    json_t *list = json_array();
    for (const struct diag *e = d->first; e; e = e->next) {
        char text[1024];
        diag_format(e, text, sizeof text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static int run_tests(const struct own_plan *o, const char *file, bool json)
{
    struct policy_tests counts;
    struct diag_list d;
    diag_init(&d);
    int err = policy_tests_run(o->plan, o->table, file, &d, &counts);
    if (json) {
        json_t *doc = json_pack("{s:i, s:s, s:b, s:i, s:i, s:o}", "version", 1, "file", file, "ok",
                                (int)!err, "rows", (int)counts.rows, "failed", (int)counts.failed,
                                "said", said_json(&d));
        print_json(doc);
        json_decref(doc);
    } else {
        diag_print(&d, stderr, args_colour());
        if (!err || err == ERR_MISMATCH)
            printf("%s: %u rows, %u fail\n", file, counts.rows, counts.failed);
    }
    diag_fini(&d);
    return !err ? EXIT_POSITIVE : err == ERR_MISMATCH ? EXIT_NEGATIVE : exit_of_error(err);
}

int verb_gslb_test(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL;
    bool json = false;
    struct own_plan o;
    struct words w;
    if (!args_read(USAGE_TEST,
                   (const struct arg[]){{"--json", NULL, &json, NULL},
                                        {"--config", "-c", NULL, &config},
                                        {"--socket", "-s", NULL, &socket},
                                        {NULL, NULL, NULL, NULL}},
                   1, argc, argv, &w))
        return EXIT_USAGE;
    if (w.count != 1)
        return usage(USAGE_TEST);
    int code = own_plan_load(&o, config, socket, NULL, NULL, 0);
    if (code)
        return code;
    code = run_tests(&o, w.at[0], json);
    own_plan_free(&o);
    return code;
}
