/* cli/bench_priv.h: one measurement: as written, as done, and how it is shown. */
#ifndef WAYPOST_CLI_BENCH_H
#define WAYPOST_CLI_BENCH_H

#include "ask_priv.h"
#include "net/load.h"

#include <sys/types.h>

struct bench {
    /* as written */
    const char *server, *file, *subnet;
    struct ask_flags flags;
    bool json, yes, once, fresh_label, intervals;
    long edns_size;
    pid_t pid; /* of the server; 0: not told */
    struct load_shape shape;
    /* as done */
    struct load_queries *queries;
    struct load_options load;
    struct load_report report;
    int64_t server_ns; /* CPU of pid while queries were sent; -1: it went away */
};

/* A line per interval, as it goes. */
void bench_print_recent(const struct load_recent *n);
void bench_print(const struct bench *b);
void bench_print_json(const struct bench *b);

#endif
