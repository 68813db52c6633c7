/* tests/support/origin.h: a server that behaves as told, in a process of its own on 127.0.0.1, so
 * that what a test does to itself (a shortage of descriptors) does not concern it. It serves one
 * connection after the other and ends with the test. */
#ifndef WAYPOST_TESTS_ORIGIN_H
#define WAYPOST_TESTS_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum origin_does {
    ORIGIN_REFUSE, /* nobody listens */
    ORIGIN_HANG,   /* accepts and says nothing */
    ORIGIN_RESET,
    ORIGIN_CLOSE,
    ORIGIN_GREET, /* says `reply` at once */
    ORIGIN_REPLY, /* says `reply` when something came, and again for more */
    ORIGIN_DRIP,  /* says `reply` an octet at a time, without an end */
    ORIGIN_HUGE,  /* says `reply` and then x without an end */
    ORIGIN_ECHO,  /* a page whose body is the request */
    ORIGIN_HTTP2, /* status 200 on stream 1, and no other protocol by ALPN */
    ORIGIN_DNS,   /* 192.0.2.7, on UDP and TCP */
    ORIGIN_DNS_NXDOMAIN,
    ORIGIN_DNS_WRONG_ID,
    ORIGIN_DNS_SILENT,
    ORIGIN_DNS_TRUNCATED, /* on UDP; TCP has the answer */
    ORIGIN_DNS_GARBAGE,   /* the header fits, what follows does not */
};

struct origin_script {
    enum origin_does does;
    const char *reply;
    const char *certificate; /* its name: TLS; made at start and written to `ca_file` */
    bool expired;
};

struct origin {
    pid_t pid;
    uint16_t port;
    char ca_file[64];
    struct origin_seen *seen; /* shared with the process */
};

/* Fails the test on errors. */
void origin_start(struct origin *o, const struct origin_script *script);
void origin_stop(struct origin *o);
/* Connections accepted until now. */
unsigned origin_connections(const struct origin *o);

#endif
