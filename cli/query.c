/* cli/query.c: one question to one server as a stub asks it: c-ares sends and waits, the message is
 * ours on both sides. */
#include "args_priv.h"
#include "ask_priv.h"
#include "base/clock.h"
#include "base/rng.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "verbs_priv.h"

#define CARES_NO_DEPRECATED
#include <ares.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_UDP_SIZE   1232
#define QUERY_TIMEOUT_MS 3000
#define QUERY_TRIES      3
#define QUERY_SOCKETS    16

struct query {
    const char *name, *type, *server;
    long port;
    bool json;
    struct ask_flags flags;
    struct addr at; /* family 0: what the system is configured with */
};

struct answer {
    bool done;
    int status;
    uint8_t *bytes;
    size_t len;
};

/* ---- the words ---- */

/* "+dnssec", "@server", NAME, TYPE in any order. */
static bool take_word(struct query *q, const char *w)
{
    if (*w == '@') {
        q->server = w + 1;
        return true;
    }
    if (*w == '+')
        return ask_flag(&q->flags, "query", w);
    if (q->name && !q->type && dns_type_parse(w, strlen(w)) >= 0)
        q->type = w;
    else if (!q->name)
        q->name = w;
    else {
        fprintf(stderr, "waypost query: \"%s\" is not a record type\n", w);
        return false;
    }
    return true;
}

/* ---- sending ---- */

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct answer *a = arg;
    (void)timeouts;
    a->done = true;
    a->status = status;
    a->bytes = bytes && len > 0 ? malloc((size_t)len) : NULL;
    if (!a->bytes)
        return;
    memcpy(a->bytes, bytes, (size_t)len);
    a->len = (size_t)len;
}

struct sockets {
    struct pollfd at[QUERY_SOCKETS];
    nfds_t count;
};

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct sockets *s = arg;
    nfds_t i = 0;
    while (i < s->count && s->at[i].fd != fd)
        i++;
    if (i == QUERY_SOCKETS)
        return;
    if (!readable && !writable) {
        if (i < s->count)
            s->at[i] = s->at[--s->count];
        return;
    }
    s->count += i == s->count;
    s->at[i].fd = fd;
    s->at[i].events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
}

static void turn(ares_channel channel, struct sockets *s)
{
    struct timeval most = {.tv_sec = 1}, room, *next = ares_timeout(channel, &most, &room);
    struct pollfd ready[QUERY_SOCKETS];
    nfds_t count = s->count;
    memcpy(ready, s->at, sizeof ready);
    int n = poll(ready, count, (int)(next->tv_sec * 1000 + next->tv_usec / 1000 + 1));
    if (n <= 0)
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (nfds_t i = 0; n > 0 && i < count; i++)
        if (ready[i].revents)
            ares_process_fd(channel,
                            ready[i].revents & (POLLIN | POLLERR | POLLHUP) ? ready[i].fd : -1,
                            ready[i].revents & POLLOUT ? ready[i].fd : -1);
}

static int set_server(ares_channel channel, const struct addr *at)
{
    struct ares_addr_port_node node = {.udp_port = at->port, .tcp_port = at->port};
    size_t len;
    const uint8_t *ip = addr_bytes(at, &len);
    node.family = at->family == 4 ? AF_INET : AF_INET6;
    memcpy(&node.addr, ip, len);
    return ares_set_servers_ports(channel, &node);
}

/* An ARES_ status. */
static int ask(const struct query *q, const uint8_t *packet, size_t len, struct answer *a)
{
    struct sockets sockets = {.count = 0};
    ares_channel channel;
    struct ares_options o = {.timeout = QUERY_TIMEOUT_MS,
                             .tries = QUERY_TRIES,
                             .flags = ARES_FLAG_NOCHECKRESP | (q->flags.tcp ? ARES_FLAG_USEVC : 0) |
                                      (q->flags.noedns ? 0 : ARES_FLAG_EDNS),
                             .ednspsz = QUERY_UDP_SIZE,
                             .sock_state_cb = on_socket,
                             .sock_state_cb_data = &sockets};
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    status = status ? status
                    : ares_init_options(&channel, &o,
                                        ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS |
                                            ARES_OPT_SOCK_STATE_CB |
                                            (q->flags.noedns ? 0 : ARES_OPT_EDNSPSZ));
    if (status)
        return status;
    if (q->at.family)
        status = set_server(channel, &q->at);
    if (!status)
        ares_send(channel, packet, (int)len, on_answer, a);
    while (!status && !a->done)
        turn(channel, &sockets);
    ares_destroy(channel);
    ares_library_cleanup();
    return status ? status : a->status;
}

static size_t make_packet(const struct query *q, const uint8_t *qname, uint16_t qtype, uint8_t *buf,
                          size_t cap)
{
    struct dns_writer w;
    struct rng rng;
    struct edns e = {
        .present = !q->flags.noedns, .size = QUERY_UDP_SIZE, .dnssec_ok = q->flags.dnssec};
    if (rng_init(&rng))
        return 0;
    dns_writer_init(&w, buf, cap);
    dns_writer_question(&w, qname, qtype, DNS_CLASS_IN);
    size_t len = dns_writer_finish(
        &w, rng_u16(&rng),
        (uint16_t)((q->flags.norec ? 0 : DNS_FLAG_RD) | (q->flags.cd ? DNS_FLAG_CD : 0)), 0, &e, 0);
    rng_fini(&rng);
    return len;
}

/* ---- showing ---- */

static void print_short(const struct dns_msg *m)
{
    for (unsigned i = 0; i < m->rr_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        size_t cap = 4u * rr->rdlen + 64;
        char *text = rr->section == DNS_SECTION_ANSWER ? malloc(cap) : NULL;
        if (text && dns_rdata_print(rr->type, rr->rdata, rr->rdlen, text, cap) >= 0)
            puts(text);
        free(text);
    }
}

static int show(const struct query *q, const struct answer *a, int64_t took_us)
{
    struct arena arena;
    struct dns_msg m;
    char text[ADDR_TEXT_MAX];
    arena_init(&arena, 16384, 0);
    int err = dns_msg_parse(&m, a->bytes, a->len, &arena, 65535);
    int code = EXIT_NO_ANSWER;
    if (err) {
        fputs("waypost query: the answer is malformed\n", stderr);
    } else {
        bool answered = false;
        for (unsigned i = 0; i < m.rr_count; i++)
            answered = answered || m.rrs[i].section == DNS_SECTION_ANSWER;
        code = m.rcode == DNS_RCODE_NOERROR    ? answered ? EXIT_POSITIVE : EXIT_NEGATIVE
               : m.rcode == DNS_RCODE_NXDOMAIN ? EXIT_NEGATIVE
                                               : EXIT_NO_ANSWER;
        if (q->json)
            dns_text_json(stdout, &m);
        else if (q->flags.brief)
            print_short(&m);
        else
            dns_text_message(stdout, &m);
        if (!q->json && !q->flags.brief)
            printf(";; %zu octets from %s in %.1f ms\n", a->len,
                   q->at.family ? addr_print_port(&q->at, text) : "the system's resolver",
                   (double)took_us / 1000);
    }
    arena_fini(&arena);
    return code;
}

int verb_query(int argc, char **argv)
{
    static const char usage[] =
        "query [@SERVER[:PORT]] NAME [TYPE] [-p PORT] [+short +dnssec +tcp +norec +cd +noedns] "
        "[--json]";
    struct query q = {.port = 53};
    struct answer a = {0};
    const char *port = NULL;
    char at[ADDR_TEXT_MAX];
    struct words w;
    uint8_t qname[DNS_NAME_MAX], packet[512];
    if (!args_read(usage,
                   (const struct arg[]){{"--json", NULL, &q.json, NULL},
                                        {"--port", "-p", NULL, &port},
                                        {NULL, NULL, NULL, NULL}},
                   ARGS_WORDS_MAX, argc, argv, &w))
        return EXIT_USAGE;
    q.port = port ? strtol(port, NULL, 10) : 53;
    for (unsigned i = 0; i < w.count; i++)
        if (!take_word(&q, w.at[i]))
            return EXIT_USAGE;
    int n = q.name ? dns_name_parse(qname, q.name, strlen(q.name), NULL) : 0;
    if (!q.name || q.port < 1 || q.port > 65535 || n < 0) {
        fprintf(stderr,
                n < 0 ? "waypost query: \"%s\" is not a domain name\n" : "usage: waypost %s\n",
                n < 0 ? q.name : usage);
        return EXIT_USAGE;
    }
    if (!ask_server(&q.at, "query", q.server, (uint16_t)q.port))
        return EXIT_USAGE;
    int type = q.type ? dns_type_parse(q.type, strlen(q.type)) : DNS_TYPE_A;
    size_t len = make_packet(&q, qname, (uint16_t)type, packet, sizeof packet);
    int64_t start = clock_mono_us(clock_system());
    int status = len ? ask(&q, packet, len, &a) : ARES_ENOMEM;
    int code = EXIT_NO_ANSWER;
    if (a.bytes)
        code = show(&q, &a, clock_mono_us(clock_system()) - start);
    else
        fprintf(stderr, "waypost query: no answer from %s: %s\n",
                q.at.family ? addr_print_port(&q.at, at) : "the system's resolver",
                ares_strerror(status));
    free(a.bytes);
    return code;
}
