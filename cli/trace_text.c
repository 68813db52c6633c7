#include "trace_text_priv.h"

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define CACHED_SHOWN 3

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "-";
}

static double number_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static int int_of(const json_t *o, const char *key)
{
    return (int)number_of(o, key);
}

/* One attempt under its hop: transport, timer, what came. */
static void print_attempt(const json_t *a, FILE *out)
{
    const char *outcome = text_of(a, "outcome");
    bool reply = strcmp(outcome, "reply") == 0;
    fprintf(out, "  │    try %d   %s  %s  rto %d ms", int_of(a, "n"), text_of(a, "transport"),
            text_of(a, "server"), int_of(a, "rto_ms"));
    if (reply) {
        const char *flags = text_of(a, "flags");
        fprintf(out, "  → %.1f ms, %d octets, %s%s%s%s", number_of(a, "rtt_ms"), int_of(a, "size"),
                text_of(a, "class"), *flags ? " (" : "", flags, *flags ? ")" : "");
        if (int_of(a, "edns"))
            fprintf(out, ", edns %d", int_of(a, "edns_size"));
    } else
        fprintf(out, "  %s", *outcome == '-' ? "not waited for" : outcome);
    if (!int_of(a, "edns_sent"))
        fputs("  without EDNS", out);
    if (int_of(a, "reused"))
        fputs("  reused", out);
    fputc('\n', out);
}

/* "read  delegation test. NS 299 s (referral), and 3 more" */
static void print_cached(const json_t *list, const char *word, FILE *out)
{
    size_t i, shown = 0;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        if (strcmp(text_of(v, "result"), "miss") == 0 || shown++ >= CACHED_SHOWN)
            continue;
        fprintf(out, "%s%s %s %s %d s (%s)", shown == 1 ? word : ", ", text_of(v, "entry"),
                text_of(v, "name"), text_of(v, "type"), int_of(v, "ttl"), text_of(v, "rank"));
    }
    if (shown > CACHED_SHOWN)
        fprintf(out, ", and %zu more", shown - CACHED_SHOWN);
    if (shown)
        fputc('\n', out);
}

static double hop_ms(const json_t *hop)
{
    const json_t *attempts = json_object_get(hop, "attempts"),
                 *last = json_array_get(attempts, json_array_size(attempts) - 1);
    const json_t *first = json_array_get(attempts, 0);
    return first ? number_of(last, "at_ms") - number_of(first, "at_ms") + number_of(last, "rtt_ms")
                 : 0;
}

static const char *hop_sign(const json_t *hop)
{
    static const char *const good[] = {"referral", "answer", "cname",   "alias",
                                       "dname",    "nodata", "nxdomain"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(text_of(hop, "class"), good[i]) == 0)
            return "●";
    return "✗";
}

static void print_hop(const json_t *hop, FILE *out)
{
    size_t i;
    json_t *a;
    int depth = int_of(hop, "depth");
    const json_t *attempts = json_object_get(hop, "attempts");
    if (!json_array_size(attempts)) {
        fprintf(out, "  ✗ %2d  %-16s nobody to ask %s %s%s%s\n", int_of(hop, "seq"),
                text_of(hop, "zone"), text_of(hop, "qname"), text_of(hop, "qtype"),
                depth ? "  for " : "", depth ? text_of(hop, "reason") : "");
        return;
    }
    fprintf(out, "  %s %2d  %-16s %-18s %-20s %8.1f ms  %s%s%s%s\n", hop_sign(hop),
            int_of(hop, "seq"), text_of(hop, "zone"), text_of(hop, "ns"), text_of(hop, "addr"),
            hop_ms(hop), text_of(hop, "class"), int_of(hop, "aa") ? " (aa)" : "",
            strcmp(text_of(hop, "transport"), "tcp") == 0 ? " over tcp" : "",
            json_is_false(json_object_get(hop, "critical")) ? "  (in parallel)" : "");
    fprintf(out, "  │    asked   %s %s%s%s%s\n", text_of(hop, "qname"), text_of(hop, "qtype"),
            int_of(hop, "minimised") ? "  (minimised)" : "", depth ? "  for " : "",
            depth ? text_of(hop, "reason") : "");
    fprintf(out, "  │    why     cut from %s, server from %s, %d candidate%s: %s",
            text_of(hop, "cut_from"), text_of(hop, "origin"), int_of(hop, "candidates"),
            int_of(hop, "candidates") == 1 ? "" : "s", text_of(hop, "why"));
    if (number_of(hop, "next_ms") > 0)
        fprintf(out, " (%.1f ms, next %.1f)", number_of(hop, "cost_ms"), number_of(hop, "next_ms"));
    if (int_of(hop, "glue"))
        fprintf(out, ", glue %d", int_of(hop, "glue"));
    fputc('\n', out);
    print_cached(json_object_get(hop, "cache_reads"), "  │    read    ", out);
    json_array_foreach(attempts, i, a) print_attempt(a, out);
    print_cached(json_object_get(hop, "cache_writes"), "  │    wrote   ", out);
}

static void print_head(const json_t *doc, FILE *out)
{
    const json_t *q = json_object_get(doc, "question");
    fprintf(out, "%s %s   %s   %d quer%s · %.1f ms\n\n", text_of(q, "name"), text_of(q, "type"),
            text_of(doc, "rcode"), int_of(json_object_get(doc, "counts"), "queries"),
            int_of(json_object_get(doc, "counts"), "queries") == 1 ? "y" : "ies",
            number_of(doc, "took_ms"));
}

/* The critical path in one line: hop by hop what the answer waited for. It adds up to the total. */
static void print_path(const json_t *doc, FILE *out)
{
    const json_t *path = json_object_get(doc, "critical_path"), *span;
    double work = 0, other = 0;
    size_t i, j;
    json_array_foreach(path, i, span)
    {
        if (strcmp(text_of(span, "what"), "work") == 0)
            work += number_of(span, "ms");
        else if (strcmp(text_of(span, "what"), "wait") == 0)
            other += number_of(span, "ms");
    }
    if (!json_array_size(path))
        return;
    fprintf(out, "\n  time       %.1f ms = our own work %.1f", number_of(doc, "took_ms"), work);
    if (other > 0)
        fprintf(out, " + waiting %.1f", other);
    const json_t *hop;
    json_array_foreach(json_object_get(doc, "hops"), i, hop)
    {
        double ms = 0;
        json_array_foreach(path, j, span) if (int_of(span, "seq") == int_of(hop, "seq")) ms +=
            number_of(span, "ms");
        if (ms > 0)
            fprintf(out, " + hop %d %.1f", int_of(hop, "seq"), ms);
    }
    fputc('\n', out);
}

static void print_tail(const json_t *doc, FILE *out)
{
    size_t i;
    json_t *v;
    const json_t *answer = json_object_get(doc, "answer"),
                 *authority = json_object_get(doc, "authority");
    const json_t *ede = json_object_get(doc, "ede"), *budget = json_object_get(doc, "budget"),
                 *limits = json_object_get(doc, "limits");
    json_array_foreach(answer, i, v) fprintf(out, "  ▣  %s\n", json_string_value(v));
    if (!json_array_size(answer))
        json_array_foreach(authority, i, v)
            fprintf(out, "  ▣  (no answer) %s\n", json_string_value(v));
    json_array_foreach(ede, i, v)
        fprintf(out, "  !  extended error %d  %s\n", int_of(v, "code"), text_of(v, "text"));
    print_path(doc, out);
    fprintf(out, "  budget     queries %d, walk %d, server addresses %d, aliases %d, octets %d\n",
            int_of(budget, "total"), int_of(budget, "walk"), int_of(budget, "ns_addr"),
            int_of(budget, "aliases"), int_of(budget, "bytes"));
    json_array_foreach(limits, i, v) fprintf(out, "  limit hit  %s %d/%d\n", text_of(v, "limit"),
                                             int_of(v, "used"), int_of(v, "limit_at"));
}

int trace_print_text(const char *json, FILE *out)
{
    json_error_t error;
    json_t *doc = json_loads(json, 0, &error), *hop;
    size_t i;
    if (!doc)
        return ERR_SYNTAX;
    print_head(doc, out);
    const json_t *hops = json_object_get(doc, "hops");
    json_array_foreach(hops, i, hop) print_hop(hop, out);
    print_tail(doc, out);
    json_decref(doc);
    return 0;
}

static void print_line(json_t *o, const char *kind, FILE *out)
{
    json_object_set_new(o, "kind", json_string(kind));
    json_dumpf(o, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fputc('\n', out);
}

int trace_print_lines(const char *json, FILE *out)
{
    json_t *doc = json_loads(json, 0, NULL), *v;
    size_t i;
    if (!doc)
        return ERR_SYNTAX;
    print_line(json_object_get(doc, "question"), "question", out);
    json_array_foreach(json_object_get(doc, "events"), i, v) print_line(v, "event", out);
    json_array_foreach(json_object_get(doc, "hops"), i, v) print_line(v, "hop", out);
    json_object_del(doc, "events");
    json_object_del(doc, "hops");
    print_line(doc, "result", out);
    json_decref(doc);
    return 0;
}
