/* cli/doctor.c: what on this machine could stand in the way, each with its remedy. */
#include "args_priv.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/runtime.h"
#include "config/config.h"
#include "daemon/engine.h"
#include "lab/client.h"
#include "lab/lab.h"
#include "net/udp.h"
#include "resolver/hints.h"
#include "verbs_priv.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_WANTED 4096
#define CLOCK_MIN_S  1767225600 /* 2026-01-01: this version is not older */
#define ROOTS_ASKED  3

enum verdict { FINE, WARN, FAIL };

struct doctor {
    json_t *findings;
    bool json;
    unsigned failed;
    struct addr roots[ROOTS_ASKED];
    unsigned root_count;
};

static void say(struct doctor *d, enum verdict v, const char *what, const char *text,
                const char *remedy)
{
    static const char *const signs[] = {"ok", "warning", "FAILED"};
    json_array_append_new(d->findings,
                          json_pack("{s:s, s:s, s:s, s:s?}", "check", what, "verdict", signs[v],
                                    "text", text, "remedy", v == FINE ? NULL : remedy));
    d->failed += v == FAIL;
    if (d->json)
        return;
    printf("  %-8s %-12s %s\n", signs[v], what, text);
    if (v != FINE && remedy)
        printf("  %-8s %-12s   -> %s\n", "", "", remedy);
}

static void check_clock(struct doctor *d)
{
    bool fine = clock_wall_s(clock_system()) >= CLOCK_MIN_S;
    say(d, fine ? FINE : FAIL, "clock", fine ? "plausible" : "set before this program was written",
        "set the clock: signatures are judged by it");
}

static void check_files(struct doctor *d)
{
    uint64_t files = runtime_open_files(NULL);
    char text[64];
    snprintf(text, sizeof text, "%llu open files allowed", (unsigned long long)files);
    say(d, files >= FILES_WANTED ? FINE : WARN, "limits", text,
        "ulimit -n 65536, or LimitNOFILE=65536 in the unit");
}

static void check_port(struct doctor *d, const char *address, enum net_proto proto)
{
    struct addr a;
    char holder[128] = "", text[256];
    addr_parse(&a, address, 53);
    int err = net_probe_bind(&a, proto, holder, sizeof holder);
    snprintf(text, sizeof text, "%s port 53 %s: %s%s%s", address,
             proto == NET_PROTO_UDP ? "udp" : "tcp", err ? err_text(err) : "free",
             *holder ? ", held by " : "", holder);
    bool ours = !strncmp(holder, "waypost", 7);
    say(d, !err || ours ? FINE : WARN, "port 53", text,
        err == ERR_ACCESS   ? "run as root, or: setcap cap_net_bind_service=+ep waypost"
        : err == ERR_IN_USE ? "stop it (systemd-resolved: DNSStubListener=no), or listen elsewhere"
                            : "is IPv6 switched off? leave this address out of listen:");
}

static void take_roots(struct doctor *d, const struct hints *h, const struct resolver_options *o)
{
    for (unsigned i = 0; i < h->count && d->root_count < ROOTS_ASKED; i++) {
        struct addr a = h->servers[i].addr;
        if (!(a.family == 4 ? o->use_ipv4 : o->use_ipv6))
            continue;
        a.port = a.port ? a.port : o->upstream_port;
        d->roots[d->root_count++] = a;
    }
}

static void check_config(struct doctor *d, const char *path)
{
    struct diag_list diags;
    struct config *c = NULL;
    struct engine e;
    char text[256];
    diag_init(&diags);
    int err = path ? config_load(&c, path, &diags)
                   : config_load_mem(&c, "built-in configuration", "", 0, &diags);
    if (!err) {
        err = engine_init(&e, c, &diags);
        struct hints *h = malloc(sizeof *h);
        if (!err && h && !hints_read(h, e.options.hints_text, &diags))
            take_roots(d, h, &e.options);
        free(h);
        engine_free(&e);
    }
    snprintf(text, sizeof text, "%s: %u errors, %u warnings",
             path ? path : "none: the built-in one", diags.errors, diags.warnings);
    say(d, err || diags.errors ? FAIL : FINE, "configuration", text, "waypost check FILE");
    config_free(c);
    diag_fini(&diags);
}

/* One question to the roots, over UDP and over TCP: the first that answers will do. */
static void check_roots(struct doctor *d, bool tcp)
{
    struct arena a;
    struct lab_reply reply;
    char text[128], at[ADDR_TEXT_MAX];
    int err = ERR_NOT_FOUND;
    unsigned i = 0;
    arena_init(&a, 16384, 0);
    for (; i < d->root_count; i++) {
        arena_reset(&a);
        err = lab_ask_over(&d->roots[i], ".", "NS", tcp, 1500, &a, &reply);
        if (!err)
            break;
    }
    if (err)
        snprintf(text, sizeof text, "none of %u root servers answers over %s (%s)", d->root_count,
                 tcp ? "tcp" : "udp", err_text(err));
    else
        snprintf(text, sizeof text, "%s answers in %.1f ms", addr_print_port(&d->roots[i], at),
                 (double)reply.took_us / 1000);
    say(d, err ? FAIL : FINE, tcp ? "root, tcp" : "root, udp", text,
        tcp ? "let TCP to port 53 through the firewall: truncated answers need it"
            : "is there a way out? else write resolver.forward, or try the lab: waypost lab");
    arena_fini(&a);
}

static void check_control(struct doctor *d)
{
    char path[1200];
    struct lab_descriptor lab;
    bool found = runtime_path(path, sizeof path, "control", false) && access(path, W_OK) == 0;
    bool in_lab = !found && lab_running(&lab);
    say(d, FINE, "server",
        found    ? path
        : in_lab ? "a lab is running"
                 : "none is running here",
        NULL);
}

int verb_doctor(int argc, char **argv)
{
    struct doctor d = {.findings = json_array()};
    const char *config = NULL;
    struct lab_descriptor lab;
    struct words w;
    if (!args_read("doctor [-c FILE] [--json]",
                   (const struct arg[]){{"--json", NULL, &d.json, NULL},
                                        {"--config", "-c", NULL, &config},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &w))
        return EXIT_USAGE;
    if (!config && lab_running(&lab)) {
        fprintf(stderr, "(the running lab's configuration, %s)\n", lab.config);
        config = lab.config;
    }
    check_clock(&d);
    check_files(&d);
    check_control(&d);
    check_config(&d, config);
    for (unsigned p = NET_PROTO_UDP; p <= NET_PROTO_TCP; p++) {
        check_port(&d, "127.0.0.1", p);
        check_port(&d, "::1", p);
    }
    check_roots(&d, false);
    check_roots(&d, true);
    if (d.json) {
        json_t *doc = json_pack("{s:i, s:O}", "version", 1, "findings", d.findings);
        json_dumpf(doc, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(doc);
    }
    json_decref(d.findings);
    return d.failed ? EXIT_NEGATIVE : EXIT_POSITIVE;
}
