/* cli/bench.c: how much a server can bear, and how long it takes: the words, and the right to ask
 * so much. */
#include "args_priv.h"
#include "base/err.h"
#include "base/rng.h"
#include "bench_priv.h"
#include "config/config.h"
#include "cputime_priv.h"
#include "dns/type.h"
#include "verbs_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define USAGE                                                                                      \
    "bench [@SERVER[:PORT]] NAME [TYPE]... | --file FILE  [--window N | --rate N/s [--spacing "    \
    "even|poisson]] [--seconds S] [--count N | --once] [--warm S] [--interval S] [--timeout MS] "  \
    "[--clients N] [--tcp] [--random-prefix] [--subnet NET,...|random] [--edns SIZE | --no-edns] " \
    "[--dnssec] [--no-recurse] [--pid PID] [--json] [--yes]"

#define EDNS_SIZE         1232
#define CLIENTS           8
#define WINDOW            100
#define TIME_S            10
#define TIME_COUNT_S      3600  /* a count ends it, but not later */
#define TIME_MAX_S        86400 /* what the engine's fixed point holds */
#define TIMEOUT_MS        2000
#define POLITE_RATE       1000      /* a second, to a server that may be a stranger's */
#define PID_MOST          (1 << 22) /* the kernel's own limit */
#define NS_PER_MS         1000000
#define NS_PER_S          1000000000ll
#define INTERVAL_LEAST_NS (10 * NS_PER_MS)

/* ---- words ---- */

/* As they stand on the command line; NULL: not written. */
struct written {
    const char *port, *rate, *window, *clients, *seconds, *count, *warm, *interval, *timeout;
    const char *spacing, *edns, *pid;
};

static bool wrong(const char *option, const char *text, const char *wanted)
{
    fprintf(stderr, "waypost bench: %s %s: %s\n", option, text, wanted);
    return false;
}

/* "50000", "50k", "50k/s". */
static bool take_number(const char *option, const char *text, long least, long most, long *out)
{
    char wanted[80], *end;
    if (!text)
        return true;
    errno = 0;
    double v = strtod(text, &end);
    if (*end == 'k' || *end == 'M')
        v *= *end++ == 'k' ? 1e3 : 1e6;
    if (!strcmp(end, "/s"))
        end += 2;
    if (end != text && !*end && v >= (double)least && v <= (double)most && v == (double)(long)v) {
        *out = (long)v;
        return true;
    }
    snprintf(wanted, sizeof wanted, "a number from %ld to %ld is wanted", least, most);
    return wrong(option, text, wanted);
}

/* "2.5" in the option's own unit, or with one: "500ms", "1m". */
static bool take_time(const char *option, const char *text, int64_t unit_ns, int64_t least_ns,
                      int64_t *out)
{
    char *end;
    int64_t ms;
    if (!text)
        return true;
    double v = strtod(text, &end) * (double)unit_ns;
    bool fine = end != text && !*end;
    if (!fine && !config_parse_duration(text, &ms)) {
        v = (double)ms * NS_PER_MS;
        fine = true;
    }
    if (!fine || !(v >= (double)least_ns) || v > (double)(TIME_MAX_S * NS_PER_S))
        return wrong(option, text,
                     unit_ns == NS_PER_S ? "a time is wanted: 10 (seconds), 500ms, 2m, at most 1d"
                                         : "a time is wanted: 2000 (milliseconds), 2s, at most 1d");
    *out = (int64_t)v;
    return true;
}

static bool take_subnets(struct bench *b)
{
    char text[128];
    struct load_shape *s = &b->shape;
    if (!b->subnet)
        return true;
    s->subnet_random = !strcmp(b->subnet, "random");
    for (const char *p = b->subnet; !s->subnet_random && *p;) {
        size_t n = strcspn(p, ",");
        snprintf(text, sizeof text, "%.*s", (int)n, p);
        if (s->subnet_count == LOAD_SUBNET_MAX)
            return wrong("--subnet", text, "at most 64 networks are taken");
        if (prefix_parse(&s->subnets[s->subnet_count++], text))
            return wrong("--subnet", text,
                         "networks with commas between, or \"random\" is wanted: "
                         "192.0.2.0/24,2001:db8::/48");
        p += n + (p[n] == ',');
    }
    return true;
}

static bool take_numbers(struct bench *b, const struct written *w, long *port)
{
    struct load_options *o = &b->load;
    long rate = 0, window = 0, clients = CLIENTS, count = 0, pid = 0;
    if (w->rate && w->window)
        return wrong("--rate", w->rate,
                     "queries at a rate do not wait for answers, a --window does: one of them");
    if (!take_number("--port", w->port, 1, 65535, port) ||
        !take_number("--rate", w->rate, 1, LOAD_RATE_MAX, &rate) ||
        !take_number("--clients", w->clients, 1, LOAD_CLIENTS_MAX, &clients) ||
        !take_number("--window", w->window, 1, LOAD_WINDOW_MAX, &window) ||
        !take_number("--count", w->count, 1, INT32_MAX, &count) ||
        !take_number("--edns", w->edns, 512, 65535, &b->edns_size) ||
        !take_number("--pid", w->pid, 1, PID_MOST, &pid))
        return false;
    if (!rate && !window)
        window = WINDOW;
    if (window && clients > window) /* a client without a query would be none */
        clients = window;
    if (window > clients * 65536)
        return wrong("--window", w->window, "more than 65536 per client: take more --clients");
    o->rate = (uint32_t)rate;
    o->window = (unsigned)window;
    o->clients = (unsigned)clients;
    o->count = (uint64_t)count;
    b->pid = (pid_t)pid;
    return true;
}

static bool take_times(struct bench *b, const struct written *w)
{
    struct load_options *o = &b->load;
    o->time_ns = (o->count || b->once ? TIME_COUNT_S : TIME_S) * NS_PER_S;
    o->timeout_ns = (int64_t)TIMEOUT_MS * NS_PER_MS;
    if (!take_time("--seconds", w->seconds, NS_PER_S, NS_PER_MS, &o->time_ns) ||
        !take_time("--warm", w->warm, NS_PER_S, 0, &o->warm_ns) ||
        !take_time("--timeout", w->timeout, NS_PER_MS, NS_PER_MS, &o->timeout_ns))
        return false;
    o->interval_ns = o->time_ns < 10 * NS_PER_S ? o->time_ns / 10 : NS_PER_S;
    if (o->interval_ns < INTERVAL_LEAST_NS)
        o->interval_ns = INTERVAL_LEAST_NS;
    b->intervals = w->interval != NULL;
    if (!take_time("--interval", w->interval, NS_PER_S, INTERVAL_LEAST_NS, &o->interval_ns))
        return false;
    o->poisson = w->spacing && !strcmp(w->spacing, "poisson");
    if (w->spacing && !o->poisson && strcmp(w->spacing, "even") != 0)
        return wrong("--spacing", w->spacing, "even or poisson");
    if (w->spacing && !o->rate)
        return wrong("--spacing", w->spacing, "only a --rate has it");
    return true;
}

static bool take_shape(struct bench *b, uint64_t seed)
{
    struct load_shape *s = &b->shape;
    if (b->flags.noedns && (b->flags.dnssec || b->subnet || b->edns_size))
        return wrong("--no-edns", "", "--dnssec, --subnet and --edns are said by EDNS");
    s->flags = (uint16_t)((b->flags.norec ? 0 : DNS_FLAG_RD) | (b->flags.cd ? DNS_FLAG_CD : 0));
    s->fresh_label = b->fresh_label;
    s->seed = seed;
    s->edns = (struct edns){.present = !b->flags.noedns,
                            .size = (uint16_t)(b->edns_size ? b->edns_size : EDNS_SIZE),
                            .dnssec_ok = b->flags.dnssec};
    return take_subnets(b);
}

/* ---- questions ---- */

/* NAME [TYPE] NAME [TYPE] ...; words with @ and + were taken. An exit code. */
static int add_words(struct bench *b, const struct words *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        const char *name = w->at[i], *next = i + 1 < w->count ? w->at[i + 1] : "";
        int type = dns_type_parse(next, strlen(next));
        i += type >= 0;
        int err = load_queries_add(b->queries, name, strlen(name),
                                   (uint16_t)(type >= 0 ? type : DNS_TYPE_A));
        if (err) {
            fprintf(stderr, "waypost bench: \"%s\": %s\n", name, err_text(err));
            return err == ERR_NOMEM ? EXIT_CANNOT : EXIT_USAGE;
        }
    }
    return EXIT_POSITIVE;
}

static int add_file(struct bench *b)
{
    struct diag_list diags;
    bool standard = !strcmp(b->file, "-");
    FILE *in = standard ? stdin : fopen(b->file, "re");
    int err = in ? 0 : err_of_errno(errno);
    diag_init(&diags);
    if (in)
        err = load_queries_read(b->queries, in, standard ? "(standard input)" : b->file, &diags);
    diag_print(&diags, stderr, args_colour());
    if (in && err == ERR_NOT_FOUND)
        fprintf(stderr, "waypost bench: %s has no query: lines of \"name type\" are wanted\n",
                b->file);
    else if (err && err != ERR_SYNTAX)
        fprintf(stderr, "waypost bench: %s cannot be read: %s\n", b->file, err_text(err));
    if (in && !standard)
        fclose(in);
    diag_fini(&diags);
    return !err ? EXIT_POSITIVE : in && err == ERR_NOT_FOUND ? EXIT_CONFIG : exit_of_error(err);
}

static int add_questions(struct bench *b, const struct words *w)
{
    b->queries = load_queries_new(&b->shape);
    int code = b->queries ? add_words(b, w) : EXIT_CANNOT;
    if (!code && b->file)
        code = add_file(b);
    if (!code && b->once)
        b->load.count = load_queries_count(b->queries);
    return code;
}

/* ---- the right to ask ---- */

/* A typo must not flood a stranger. */
static bool may_load(const struct bench *b)
{
    const struct load_options *o = &b->load;
    char at[ADDR_TEXT_MAX];
    addr_print(&o->server, at);
    if (addr_is_bogon(&o->server)) {
        fprintf(stderr, "waypost bench: @%s is no server's address\n", at);
        return false;
    }
    if (b->yes || addr_is_loopback(&o->server) || addr_is_private(&o->server) ||
        (o->rate && o->rate <= POLITE_RATE))
        return true;
    fprintf(stderr,
            "waypost bench: %s is neither on this machine nor in a private network, and this would "
            "be %s: a server that is not yours may suffer, and its operator may take it for an "
            "attack.\nTake --rate %d or less, or say --yes when you may load it.\n",
            at, o->window ? "as much as it bears" : "more than a client's share", POLITE_RATE);
    return false;
}

/* ---- the measurement ---- */

static void watch(void *arg, enum load_moment moment, const struct load_report *r)
{
    struct bench *b = arg;
    int64_t now = b->pid && moment != LOAD_INTERVAL ? cputime_of_tree(b->pid) : 0;
    if (moment == LOAD_INTERVAL && b->intervals && !b->json)
        bench_print_recent(&r->recent);
    if (moment == LOAD_BEGINS)
        b->server_ns = now;
    if (moment == LOAD_ENDS)
        b->server_ns = now < 0 || b->server_ns < 0 ? -1 : now - b->server_ns;
}

static int say_failure(const struct bench *b, int err)
{
    char at[ADDR_TEXT_MAX];
    bool no_answer = err == ERR_REFUSED || err == ERR_TIMEOUT || err == ERR_CANCELLED;
    fprintf(stderr, "waypost bench: %s: %s%s\n", addr_print_port(&b->load.server, at),
            err_text(err),
            err == ERR_REFUSED ? ": nobody listens there"
            : err == ERR_LIMIT ? ": fewer --clients, or a higher \"ulimit -n\""
                               : "");
    return no_answer ? EXIT_NO_ANSWER : EXIT_CANNOT;
}

static int measure(struct bench *b)
{
    sigset_t signals, before;
    char at[ADDR_TEXT_MAX];
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    b->load.stop_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    b->load.watch = watch;
    b->load.arg = b;
    int err = load_run(&b->load, b->queries, &b->report);
    if (b->load.stop_fd >= 0)
        close(b->load.stop_fd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (err)
        return say_failure(b, err);
    if (b->json)
        bench_print_json(b);
    else
        bench_print(b);
    if (b->report.counts.answered)
        return EXIT_POSITIVE;
    fprintf(stderr, "waypost bench: no answer from %s\n", addr_print_port(&b->load.server, at));
    return EXIT_NO_ANSWER;
}

/* @SERVER and dig's words are taken out of w. */
static bool take_words(struct bench *b, struct words *w)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < w->count; i++) {
        if (*w->at[i] == '@')
            b->server = w->at[i] + 1;
        else if (*w->at[i] != '+')
            w->at[kept++] = w->at[i];
        else if (!ask_flag(&b->flags, "bench", w->at[i]))
            return false;
    }
    w->count = kept;
    return kept || b->file;
}

static bool take_options(struct bench *b, const struct written *written, struct words *w)
{
    struct rng rng;
    long port = 53;
    if (!take_words(b, w)) {
        fputs("waypost bench: what is to be asked? A NAME, or --file with lines of \"name "
              "type\"\nusage: waypost " USAGE "\n",
              stderr);
        return false;
    }
    if (rng_init(&rng))
        return false;
    b->load.seed = rng_u64(&rng);
    rng_fini(&rng);
    if (!take_numbers(b, written, &port) || !take_times(b, written) ||
        !take_shape(b, b->load.seed) ||
        !ask_server(&b->load.server, "bench", b->server, (uint16_t)port))
        return false;
    if (!b->load.server.family)
        addr_parse(&b->load.server, "127.0.0.1", (uint16_t)port);
    b->load.proto = b->flags.tcp ? NET_PROTO_TCP : NET_PROTO_UDP;
    if (b->pid && cputime_of_tree(b->pid) < 0) {
        fprintf(stderr, "waypost bench: --pid %d: there is no such process\n", (int)b->pid);
        return false;
    }
    return may_load(b);
}

int verb_bench(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b); /* its histograms are large for a stack */
    struct written t = {0};
    struct words w;
    if (!b)
        return EXIT_CANNOT;
    const struct arg rows[] = {{"--file", "-f", NULL, &b->file},
                               {"--port", "-p", NULL, &t.port},
                               {"--rate", NULL, NULL, &t.rate},
                               {"--spacing", NULL, NULL, &t.spacing},
                               {"--window", NULL, NULL, &t.window},
                               {"--clients", NULL, NULL, &t.clients},
                               {"--seconds", NULL, NULL, &t.seconds},
                               {"--count", NULL, NULL, &t.count},
                               {"--once", NULL, &b->once, NULL},
                               {"--warm", NULL, NULL, &t.warm},
                               {"--interval", NULL, NULL, &t.interval},
                               {"--timeout", NULL, NULL, &t.timeout},
                               {"--tcp", NULL, &b->flags.tcp, NULL},
                               {"--random-prefix", NULL, &b->fresh_label, NULL},
                               {"--subnet", NULL, NULL, &b->subnet},
                               {"--edns", NULL, NULL, &t.edns},
                               {"--no-edns", NULL, &b->flags.noedns, NULL},
                               {"--dnssec", NULL, &b->flags.dnssec, NULL},
                               {"--no-recurse", NULL, &b->flags.norec, NULL},
                               {"--pid", NULL, NULL, &t.pid},
                               {"--json", NULL, &b->json, NULL},
                               {"--yes", NULL, &b->yes, NULL},
                               {NULL, NULL, NULL, NULL}};
    int code = EXIT_USAGE;
    if (args_read(USAGE, rows, ARGS_WORDS_MAX, argc, argv, &w) && take_options(b, &t, &w))
        code = add_questions(b, &w);
    else
        code = EXIT_USAGE;
    if (!code)
        code = measure(b);
    load_report_fini(&b->report);
    load_queries_free(b->queries);
    free(b);
    return code;
}
