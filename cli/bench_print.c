/* cli/bench_print.c: what a measurement found, for people and for programs. */
#include "base/err.h"
#include "bench_priv.h"
#include "dns/type.h"
#include "json_priv.h"

#include <stdlib.h>
#include <string.h>

#define SPAN_TEXT      24
#define LIMIT_LEAST_NS 100000000
#define LIMIT_PERCENT  95

static const struct {
    const char *name, *key;
    unsigned share; /* as histogram_at has it */
} percentiles[] = {
    {"p50", "p50", 50000}, {"p90", "p90", 90000}, {"p99", "p99", 99000}, {"p99.9", "p99_9", 99900}};

#define PERCENTILES (sizeof percentiles / sizeof *percentiles)

/* Three digits and the unit that suits: "8.42 us", "640 us", "1.23 ms". */
static const char *span(uint64_t ns, char out[SPAN_TEXT])
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    unsigned i = ns < 999500 ? 0 : ns < 999500000 ? 1 : 2;
    double v = (double)ns / units[i].ns;
    snprintf(out, SPAN_TEXT, "%.*f %s", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, units[i].unit);
    return out;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? (double)part * 100 / (double)whole : 0;
}

static double per(int64_t ns, uint64_t n)
{
    return n ? (double)ns / 1000 / (double)n : 0;
}

static double busy(const struct bench *b, int64_t ns)
{
    return b->report.sending_ns > 0 ? (double)ns * 100 / (double)b->report.sending_ns : 0;
}

/* We, not the server, set the pace: hardly a moment was left in which we had nothing to do. A short
 * run says nothing about that. */
static bool is_limit(const struct bench *b)
{
    int64_t waited = b->report.wait_ns > 0 ? b->report.wait_ns : 0;
    return b->report.sending_ns >= LIMIT_LEAST_NS &&
           busy(b, b->report.cpu_ns + waited) >= LIMIT_PERCENT;
}

static double asked_rate(const struct bench *b)
{
    return b->report.sending_ns > 0
               ? (double)b->report.counts.sent * 1e9 / (double)b->report.sending_ns
               : 0;
}

static bool is_behind(const struct bench *b)
{
    const struct load_report *r = &b->report;
    return r->behind * 100 > r->behind + r->counts.sent;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct rates {
    double median, least, most;
};

/* Over whole intervals. */
static struct rates rates_of(const struct bench *b)
{
    const struct load_report *r = &b->report;
    uint64_t *sorted = r->intervals ? malloc(r->intervals * sizeof *sorted) : NULL;
    double per_s = 1e9 / (double)b->load.interval_ns;
    struct rates out = {0};
    unsigned middle = r->intervals / 2;
    if (!sorted)
        return out;
    memcpy(sorted, r->answers, r->intervals * sizeof *sorted);
    qsort(sorted, r->intervals, sizeof *sorted, by_size);
    out.least = (double)sorted[0] * per_s;
    out.median = (double)sorted[middle] * per_s;
    out.most = (double)sorted[r->intervals - 1] * per_s;
    free(sorted);
    return out;
}

/* ---- for people ---- */

void bench_print_recent(const struct load_recent *n)
{
    char p50[SPAN_TEXT], p99[SPAN_TEXT], most[SPAN_TEXT];
    double s = (double)(n->to_ns - n->from_ns) / 1e9;
    printf("%8.2f s   %8.0f/s sent  %8.0f/s answered  %6llu lost   p50 %s  p99 %s  max %s\n",
           (double)n->to_ns / 1e9, (double)n->sent / s, (double)n->answered / s,
           (unsigned long long)n->lost, span(histogram_at(&n->latency, 50000), p50),
           span(histogram_at(&n->latency, 99000), p99), span(n->latency.most, most));
    fflush(stdout);
}

static void print_asked(const struct bench *b)
{
    const struct load_options *o = &b->load;
    char at[ADDR_TEXT_MAX];
    uint32_t questions = load_queries_count(b->queries);
    printf("server     %s  %s  %u %s%s\n", addr_print_port(&o->server, at),
           o->proto == NET_PROTO_UDP ? "udp" : "tcp", o->clients,
           o->proto == NET_PROTO_UDP ? "socket" : "connection", o->clients == 1 ? "" : "s");
    if (o->window)
        printf("load       closed loop, %u unanswered at once", o->window);
    else
        printf("load       open loop, %u/s, spacing %s", o->rate, o->poisson ? "poisson" : "even");
    printf(";  %u question%s%s;  %.2f s%s\n", questions, questions == 1 ? "" : "s",
           b->fresh_label ? " with a fresh label each" : "", (double)b->report.sending_ns / 1e9,
           b->report.stopped ? ", ended early" : "");
}

static void print_queries(const struct bench *b)
{
    const struct load_counts *n = &b->report.counts;
    printf("queries    %llu sent   %llu answered (%.4g %%)   %llu lost (%.4g %%)\n",
           (unsigned long long)n->sent, (unsigned long long)n->answered,
           percent(n->answered, n->sent), (unsigned long long)n->lost, percent(n->lost, n->sent));
    printf("rate       %.0f answers/s", load_report_rate(&b->report, &b->load));
    if (b->report.intervals > 1) {
        struct rates r = rates_of(b);
        printf("   per %.3g s: median %.0f, least %.0f, most %.0f",
               (double)b->load.interval_ns / 1e9, r.median, r.least, r.most);
    }
    putchar('\n');
}

static void print_latency(const char *label, const struct histogram *h)
{
    char text[SPAN_TEXT];
    printf("%-10s min %s", label, span(h->least, text));
    for (size_t i = 0; i < PERCENTILES; i++)
        printf("   %s %s", percentiles[i].name, span(histogram_at(h, percentiles[i].share), text));
    printf("   max %s\n", span(h->most, text));
}

static void print_answers(const struct load_counts *n)
{
    char text[16];
    const char *before = "rcodes     ";
    for (unsigned i = 0; i < 16; i++)
        if (n->rcodes[i]) {
            printf("%s%s %llu (%.4g %%)", before, dns_rcode_print((uint16_t)i, text),
                   (unsigned long long)n->rcodes[i], percent(n->rcodes[i], n->answered));
            before = "   ";
        }
    printf("\nanswers    %.0f octets on average   %llu truncated   %llu NOERROR without a record\n",
           n->answered ? (double)n->octets / (double)n->answered : 0,
           (unsigned long long)n->truncated, (unsigned long long)n->empty);
}

/* What should not have been, when it was. */
static void print_oddities(const struct load_counts *n)
{
    const struct {
        uint64_t n;
        const char *what;
    } rows[] = {{n->late, "answers came after the timeout"},
                {n->duplicate, "answers came twice"},
                {n->unmatched, "packets answered no question of ours"},
                {n->bare, "errors came without the question"},
                {n->dropped, "packets were dropped by our own sockets, which were full"},
                {n->refused, "times nobody listened"},
                {n->closed, "connections ended with queries in flight"},
                {n->unsent, "queries were not taken by the kernel"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n)
            printf("odd        %llu %s\n", (unsigned long long)rows[i].n, rows[i].what);
}

static void print_costs(const struct bench *b)
{
    const struct load_report *r = &b->report;
    printf("generator  %.2f us CPU per query, %.0f %% of a CPU", per(r->cpu_ns, r->counts.sent),
           busy(b, r->cpu_ns));
    if (r->wait_ns >= 0)
        printf(", waited for one %.1f %% of the time", busy(b, r->wait_ns));
    putchar('\n');
    if (b->pid && b->server_ns >= 0)
        printf("server     %.2f us CPU per answer, %.0f %% of a CPU (pid %d and below)\n",
               per(b->server_ns, r->in_time), busy(b, b->server_ns), (int)b->pid);
    else if (b->pid)
        printf("server     pid %d has ended\n", (int)b->pid);
}

static void print_notes(const struct bench *b)
{
    if (is_limit(b))
        puts(busy(b, b->report.cpu_ns) >= LIMIT_PERCENT
                 ? "note: the generator was the limit: the server can do more, latencies are "
                   "partly ours"
                 : "note: the generator lacked a CPU: rates and latencies are partly this "
                   "machine's");
    if (is_behind(b))
        printf("note: fell behind: %.0f/s left of %u/s; latencies hold the waiting\n",
               asked_rate(b), b->load.rate);
}

void bench_print(const struct bench *b)
{
    print_asked(b);
    print_queries(b);
    if (b->report.counts.answered) {
        print_latency("latency", &b->report.latency);
        print_answers(&b->report.counts);
    }
    if (!b->load.window && b->report.counts.sent)
        print_latency("left late", &b->report.lag);
    print_oddities(&b->report.counts);
    print_costs(b);
    print_notes(b);
}

/* ---- for programs ---- */

static json_t *spans_json(const struct histogram *h)
{
    json_t *o = json_pack("{s:f, s:f}", "min", (double)h->least / 1000, "mean",
                          (double)histogram_mean(h) / 1000);
    for (size_t i = 0; i < PERCENTILES; i++)
        json_object_set_new(o, percentiles[i].key,
                            json_real((double)histogram_at(h, percentiles[i].share) / 1000));
    json_object_set_new(o, "max", json_real((double)h->most / 1000));
    return o;
}

static json_t *counts_json(const struct load_counts *n)
{
    const struct {
        const char *key;
        uint64_t n;
    } rows[] = {{"sent", n->sent},     {"answered", n->answered},   {"lost", n->lost},
                {"late", n->late},     {"duplicate", n->duplicate}, {"unmatched", n->unmatched},
                {"bare", n->bare},     {"truncated", n->truncated}, {"empty", n->empty},
                {"octets", n->octets}, {"dropped", n->dropped},     {"refused", n->refused},
                {"closed", n->closed}, {"unsent", n->unsent}};
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_object_set_new(o, rows[i].key, json_integer((json_int_t)rows[i].n));
    return o;
}

static json_t *rcodes_json(const struct load_counts *n)
{
    json_t *o = json_object();
    char text[16];
    for (unsigned i = 0; i < 16; i++)
        if (n->rcodes[i])
            json_object_set_new(o, dns_rcode_print((uint16_t)i, text),
                                json_integer((json_int_t)n->rcodes[i]));
    return o;
}

static json_t *asked_json(const struct bench *b)
{
    const struct load_options *o = &b->load;
    char at[ADDR_TEXT_MAX];
    json_t *doc = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i}", "server", addr_print_port(&o->server, at), "proto",
        o->proto == NET_PROTO_UDP ? "udp" : "tcp", "loop", o->window ? "closed" : "open", "clients",
        (int)o->clients, "questions", (int)load_queries_count(b->queries), "timeout_ms",
        (int)(o->timeout_ns / 1000000));
    if (o->window) {
        json_object_set_new(doc, "window", json_integer(o->window));
    } else {
        json_object_set_new(doc, "rate", json_integer(o->rate));
        json_object_set_new(doc, "spacing", json_string(o->poisson ? "poisson" : "even"));
    }
    return doc;
}

static json_t *rate_json(const struct bench *b)
{
    const struct load_report *r = &b->report;
    struct rates rates = rates_of(b);
    json_t *per_interval = json_array();
    for (unsigned i = 0; i < r->intervals; i++)
        json_array_append_new(per_interval, json_integer((json_int_t)r->answers[i]));
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "mean", load_report_rate(r, &b->load),
                     "median", rates.median, "min", rates.least, "max", rates.most, "interval_s",
                     (double)b->load.interval_ns / 1e9, "answers", per_interval);
}

void bench_print_json(const struct bench *b)
{
    const struct load_report *r = &b->report;
    json_t *doc = json_pack(
        "{s:i, s:o, s:f, s:f, s:b, s:o, s:o, s:o, s:o, s:{s:f, s:f, s:b}}", "version", 1, "asked",
        asked_json(b), "seconds", (double)r->sending_ns / 1e9, "elapsed_s",
        (double)r->elapsed_ns / 1e9, "stopped", (int)r->stopped, "counts", counts_json(&r->counts),
        "rate", rate_json(b), "latency_us", spans_json(&r->latency), "rcodes",
        rcodes_json(&r->counts), "generator", "cpu_us_per_query", per(r->cpu_ns, r->counts.sent),
        "busy", busy(b, r->cpu_ns) / 100, "limit", (int)is_limit(b));
    if (r->wait_ns >= 0)
        json_object_set_new(json_object_get(doc, "generator"), "waited",
                            json_real(busy(b, r->wait_ns) / 100));
    if (!b->load.window) {
        json_object_set_new(doc, "left_late_us", spans_json(&r->lag));
        json_object_set_new(doc, "behind", json_integer((json_int_t)r->behind));
    }
    if (b->pid && b->server_ns >= 0)
        json_object_set_new(doc, "server_cpu",
                            json_pack("{s:i, s:f, s:f}", "pid", (int)b->pid, "us_per_answer",
                                      per(b->server_ns, r->in_time), "busy",
                                      busy(b, b->server_ns) / 100));
    print_json(doc);
    json_decref(doc);
}
