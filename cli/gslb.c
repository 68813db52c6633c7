/* cli/gslb.c: gslb status, watch, events, orders and what an operator orders. */
#include "args_priv.h"
#include "config/config.h"
#include "json_priv.h"
#include "remote_priv.h"
#include "verbs_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URL_CAP 4096

/* ---- status ---- */

/* "4 m", "2 h 5 m" since a moment in milliseconds of the wall clock. */
static const char *age(double since_ms, char *out, size_t cap)
{
    long s = since_ms > 0 ? (long)difftime(time(NULL), (time_t)(since_ms / 1000)) : -1;
    if (s < 0)
        snprintf(out, cap, "-");
    else if (s < 120)
        snprintf(out, cap, "%ld s", s);
    else if (s < 7200)
        snprintf(out, cap, "%ld m", s / 60);
    else if (s < 172800)
        snprintf(out, cap, "%ld h %ld m", s / 3600, s / 60 % 60);
    else
        snprintf(out, cap, "%ld d %ld h", s / 86400, s / 3600 % 24);
    return out;
}

/* Local time with milliseconds. */
static const char *moment(double ms, char *out, size_t cap)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    localtime_r(&s, &tm);
    size_t n = strftime(out, cap, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + n, cap - n, ".%03d", (int)((long long)ms % 1000));
    return out;
}

static void print_checks(const json_t *member)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(member, "checks"), i, c)
    {
        double total_us = number_of(json_object_get(c, "timings"), "total_us");
        printf("%s%s", i ? "; " : "  ", text_of(c, "name"));
        if (strcmp(text_of(c, "state"), "up") != 0)
            printf(" %s: %s", text_of(c, "state"), text_of(c, "evidence"));
        else if (total_us > 0)
            printf(" %.1f ms", total_us / 1000);
        if (json_is_true(json_object_get(c, "suppressed")))
            printf(" (held down for flapping)");
        if (json_is_true(json_object_get(c, "resume_wanted")))
            printf(" (waits for: gslb resume)");
    }
}

static void print_addresses(const json_t *member)
{
    char all[128] = "";
    size_t i, n = 0;
    json_t *a;
    json_array_foreach(json_object_get(member, "address"), i, a) if (n < sizeof all) n +=
        (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? " " : "", json_string_value(a));
    printf("%-24s ", all);
}

/* State is told by a sign and a word. False: it is not given as it should be. */
static bool print_member(const json_t *m)
{
    const json_t *forced = json_object_get(m, "forced");
    const char *state = text_of(m, "state");
    bool up = json_is_true(json_object_get(m, "up"));
    char text[48];
    printf("  %s %-16s ", up ? "●" : "✗", text_of(m, "name"));
    print_addresses(m);
    printf("%-8s %-9s w%-7.0f", json_is_false(json_object_get(m, "enabled")) ? "disabled" : state,
           age(number_of(m, "since"), text, sizeof text), number_of(m, "weight"));
    if (up && number_of(m, "permille") < 1000)
        printf(" at %.1f %%", number_of(m, "permille") / 10);
    if (json_is_number(json_object_get(m, "observed")))
        printf(" %.1f %% of %.0f answers, %.1f expected%s", number_of(m, "observed") / 10,
               number_of(m, "counted"), number_of(m, "expected") / 10,
               json_is_true(json_object_get(m, "outside")) ? ": more than chance" : "");
    else if (json_is_number(json_object_get(m, "share")))
        printf(" %.1f %% of the answers", number_of(m, "share") / 10);
    print_checks(m);
    if (json_is_object(forced))
        printf("  ordered: %s%s%s", text_of(forced, "force"), *text_of(forced, "note") ? ": " : "",
               text_of(forced, "note"));
    if (json_is_true(json_object_get(m, "held_back")))
        printf("  down, and still given: enough was withdrawn in this minute");
    if (number_of(m, "safe_after") > 0)
        printf("  no cache holds it after %s",
               moment(number_of(m, "safe_after"), text, sizeof text));
    putchar('\n');
    return up && strcmp(state, "down") != 0;
}

static unsigned print_status(const json_t *doc)
{
    size_t i, j;
    json_t *p, *m;
    unsigned bad = 0;
    if (json_is_true(json_object_get(doc, "frozen"))) {
        bad++;
        printf("attention   the monitor doubts itself (%s): states are frozen\n",
               text_of(doc, "frozen_why"));
    }
    if (json_is_false(json_object_get(doc, "saving"))) {
        bad++;
        puts("attention   what is kept over a restart cannot be written: gslb.state");
    }
    json_array_foreach(json_object_get(doc, "pools"), i, p)
    {
        const char *site = text_of(p, "site");
        printf("%s%s%s   %s   %s\n", text_of(p, "name"), *site ? " at " : "", site,
               text_of(p, "policy"),
               json_is_true(json_object_get(p, "usable")) ? "usable" : "NOT USABLE");
        json_array_foreach(json_object_get(p, "members"), j, m) bad += !print_member(m);
    }
    return bad;
}

static int gslb_status(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    struct words words;
    long status;
    int code;
    if (!args_read("gslb status [-s SOCKET] [--json]",
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    json_t *doc = remote_call(socket, "GET", "/v1/gslb/status", &status, &code);
    if (!doc)
        return code;
    unsigned bad = 0;
    if (json)
        print_json(doc);
    else
        bad = print_status(doc);
    json_decref(doc);
    return bad ? EXIT_NEGATIVE : EXIT_POSITIVE;
}

/* ---- events, watch ---- */

static void print_event(const json_t *e, bool json)
{
    if (json) {
        json_dumpf(e, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    const char *check = text_of(e, "check"), *member = text_of(e, "member");
    char when[48];
    printf("%s  %s%s%s  %s -> %s  %s%s%s\n", moment(number_of(e, "time"), when, sizeof when),
           *member ? member : "(monitor)", *check ? " " : "", check, text_of(e, "from"),
           text_of(e, "to"), text_of(e, "why"), *text_of(e, "evidence") ? ": " : "",
           text_of(e, "evidence"));
}

/* Prints what is newer than *after and moves it. Returns an exit code. */
static int print_events(const char *socket, long long *after, long n, bool json)
{
    char path[128];
    long status;
    int code;
    size_t i;
    json_t *e;
    snprintf(path, sizeof path, "/v1/gslb/events?after=%lld&n=%ld", *after, n);
    json_t *doc = remote_call(socket, "GET", path, &status, &code);
    if (!doc)
        return code;
    json_array_foreach(json_object_get(doc, "events"), i, e)
    {
        print_event(e, json);
        *after = (long long)number_of(e, "number");
    }
    json_decref(doc);
    fflush(stdout);
    return EXIT_POSITIVE;
}

static int show_events(bool follow, const char *usage, int argc, char **argv)
{
    const char *socket = NULL, *count = "50";
    bool json = false;
    struct words words;
    long long after = 0;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--count", "-n", NULL, &count},
                                        {"--follow", "-f", &follow, NULL},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    long n = strtol(count, NULL, 10);
    int code = print_events(socket, &after, n, json);
    while (follow && code == EXIT_POSITIVE && !ferror(stdout)) {
        sleep(1);
        code = print_events(socket, &after, 1000, json);
    }
    return code;
}

static int gslb_events(int argc, char **argv)
{
    return show_events(false, "gslb events [-n COUNT] [--follow] [-s SOCKET] [--json]", argc, argv);
}

static int gslb_watch(int argc, char **argv)
{
    return show_events(true, "gslb watch [-s SOCKET] [--json]", argc, argv);
}

/* ---- orders ---- */

static void print_order(const json_t *o)
{
    char until[48];
    bool ends = json_is_number(json_object_get(o, "until"));
    printf("%-24s %-8s %s%s  %s%s%s\n", text_of(o, "what"), text_of(o, "force"),
           ends ? "until " : "until it is lifted",
           ends ? moment(number_of(o, "until"), until, sizeof until) : "", text_of(o, "note"),
           *text_of(o, "by") ? ", by " : "", text_of(o, "by"));
}

static int gslb_orders(int argc, char **argv)
{
    const char *socket = NULL;
    bool json = false;
    struct words words;
    long status;
    int code;
    size_t i;
    json_t *o;
    if (!args_read("gslb orders [-s SOCKET] [--json]",
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   0, argc, argv, &words))
        return EXIT_USAGE;
    json_t *doc = remote_call(socket, "GET", "/v1/gslb/orders", &status, &code);
    if (!doc)
        return code;
    if (json)
        print_json(doc);
    else
        json_array_foreach(json_object_get(doc, "orders"), i, o) print_order(o);
    json_decref(doc);
    return EXIT_POSITIVE;
}

/* A query string grows; what does not fit is cut, and the server refuses it then. */
static void add(char *url, const char *key, const char *value)
{
    char escaped[1024];
    size_t n = strlen(url);
    if (!value)
        return;
    remote_escape(value, escaped, sizeof escaped);
    snprintf(url + n, URL_CAP - n, "%s%s=%s", strchr(url, '?') ? "&" : "?", key, escaped);
}

static void add_number(char *url, const char *key, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    add(url, key, text);
}

static int send_order(const char *socket, const char *url, const char *done, bool json)
{
    long status;
    int code;
    json_t *doc = remote_call(socket, "POST", url, &status, &code);
    if (!doc)
        return code;
    if (json)
        print_json(doc);
    else if (json_object_get(doc, "members"))
        printf("%s: %.0f member%s\n", done, number_of(doc, "members"),
               number_of(doc, "members") == 1 ? "" : "s");
    else
        puts(done);
    json_decref(doc);
    return EXIT_POSITIVE;
}

/* A duration into a query string; false: said. */
static bool add_duration(char *url, const char *key, const char *text, const char *option)
{
    int64_t ms;
    if (!text)
        return true;
    if (config_parse_duration(text, &ms)) {
        fprintf(stderr, "waypost gslb: %s %s: a duration with its unit: 30s, 5m, 1h\n", option,
                text);
        return false;
    }
    add_number(url, key, ms);
    return true;
}

/* "30%", "12.5%" as parts of a thousand. */
static bool parse_permille(const char *text, long *out)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || v < 0 || v > 100)
        return false;
    *out = (long)(v * 10 + 0.5);
    return true;
}

/* drain WHAT, clear WHAT, force WHAT up|down, weight WHAT N%: `words` behind the pattern. */
static int force(const char *usage, const char *to, unsigned words_wanted, int argc, char **argv)
{
    const char *socket = NULL, *lasts = NULL, *note = NULL, *over = NULL;
    bool json = false;
    struct words w;
    char url[URL_CAP] = "/v1/gslb/force";
    long permille = 1000;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--for", NULL, NULL, &lasts},
                                        {"--over", NULL, NULL, &over},
                                        {"--note", NULL, NULL, &note},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   words_wanted, argc, argv, &w))
        return EXIT_USAGE;
    bool fine = w.count == words_wanted;
    if (fine && !to) {
        to = w.at[1];
        fine = !strcmp(to, "up") || !strcmp(to, "down");
    } else if (fine && !strcmp(to, "weight")) {
        fine = parse_permille(w.at[1], &permille);
    }
    if (!fine) {
        fprintf(stderr, "usage: waypost %s\n", usage);
        return EXIT_USAGE;
    }
    add(url, "what", w.at[0]);
    add(url, "to", to);
    add(url, "note", note);
    add(url, "by", getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER"));
    add_number(url, "permille", permille);
    if (!add_duration(url, "for_ms", lasts, "--for") || !add_duration(url, "drain_ms",
                                                                      over                  ? over
                                                                      : strcmp(to, "drain") ? NULL
                                                                                            : "30s",
                                                                      "--over"))
        return EXIT_USAGE;
    return send_order(socket, url, !strcmp(to, "clear") ? "lifted" : "ordered", json);
}

static int gslb_drain(int argc, char **argv)
{
    return force("gslb drain WHAT [--over 30s] [--for TIME] [--note TEXT] [-s SOCKET] [--json]",
                 "drain", 1, argc, argv);
}

static int gslb_force(int argc, char **argv)
{
    return force("gslb force WHAT up|down [--for TIME] [--note TEXT] [-s SOCKET] [--json]", NULL, 2,
                 argc, argv);
}

static int gslb_weight(int argc, char **argv)
{
    return force("gslb weight WHAT N% [--for TIME] [--note TEXT] [-s SOCKET] [--json]", "weight", 2,
                 argc, argv);
}

static int gslb_clear(int argc, char **argv)
{
    return force("gslb clear WHAT [-s SOCKET] [--json]", "clear", 1, argc, argv);
}

/* load MEMBER N, push MEMBER pass|fail, resume MEMBER. */
static int tell(const char *usage, const char *verb, const char *key, int argc, char **argv)
{
    const char *socket = NULL, *check = NULL, *text = NULL;
    bool json = false;
    struct words w;
    char url[URL_CAP];
    unsigned want = key ? 2 : 1;
    if (!args_read(usage,
                   (const struct arg[]){{"--socket", "-s", NULL, &socket},
                                        {"--check", NULL, NULL, &check},
                                        {"--text", NULL, NULL, &text},
                                        {"--json", NULL, &json, NULL},
                                        {NULL, NULL, NULL, NULL}},
                   want, argc, argv, &w))
        return EXIT_USAGE;
    if (w.count != want) {
        fprintf(stderr, "usage: waypost %s\n", usage);
        return EXIT_USAGE;
    }
    snprintf(url, sizeof url, "/v1/gslb/%s", verb);
    add(url, "member", w.at[0]);
    if (key)
        add(url, key, w.at[1]);
    add(url, "check", check);
    add(url, "text", text);
    return send_order(socket, url, "taken", json);
}

static int gslb_load(int argc, char **argv)
{
    return tell("gslb load POOL/MEMBER NUMBER [-s SOCKET]", "load", "load", argc, argv);
}

static int gslb_push(int argc, char **argv)
{
    return tell("gslb push POOL/MEMBER pass|fail [--check NAME] [--text TEXT] [-s SOCKET]", "push",
                "result", argc, argv);
}

static int gslb_resume(int argc, char **argv)
{
    return tell("gslb resume POOL/MEMBER [-s SOCKET]", "resume", NULL, argc, argv);
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"status", gslb_status},
    {"watch", gslb_watch},
    {"events", gslb_events},
    {"orders", gslb_orders},
    {"drain", gslb_drain},
    {"force", gslb_force},
    {"clear", gslb_clear},
    {"weight", gslb_weight},
    {"load", gslb_load},
    {"push", gslb_push},
    {"resume", gslb_resume},
    {"probe", verb_gslb_probe},
    {"explain", verb_gslb_explain},
    {"simulate", verb_gslb_simulate},
    {"test", verb_gslb_test},
};

int verb_gslb(int argc, char **argv)
{
    for (size_t i = 0; argc && i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(argv[0], verbs[i].name))
            return verbs[i].run(argc - 1, argv + 1);
    fputs("usage: waypost gslb ", stderr);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(stderr, "%s%s", i ? " | " : "", verbs[i].name);
    fputs(" ...     (waypost help gslb)\n", stderr);
    return EXIT_USAGE;
}
