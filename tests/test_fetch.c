/* folders: gslb authority resolver config geo net dns base */
/* threads */
/* Fetchers: a small server on loopback says what its row says; c-ares asks it. Then our own
 * resolver's side, with a worker of the test's own. */
#include "daemon/fetch.h"

#include "../daemon/server_priv.h"

#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"
#include "dns/rdata.h"
#include "live.h"
#include "loopback.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

struct row {
    const char *label;
    const char *net;       /* told; NULL: none */
    const char *answer[2]; /* A, AAAA: "owner type data; ..." */
    uint16_t rcode[2];
    const char *authority; /* the same, for both */
    int scope;             /* in the reply; -1: no option */
    bool other_net;        /* the option speaks of another network */
    bool other_source;     /* or of one of another length */
    bool truncate;         /* over UDP */
    bool silent[2];
    bool no_server; /* nobody listens */
    /* what the control loop hears: "err a,aaaa ttl scope" */
    const char *heard;
    bool tcp; /* and the server saw TCP */
};

/* ---- the server ---- */

struct responder {
    const struct row *row;
    pthread_t thread;
    int udp, tcp, stop, conn;
    uint16_t port;
    /* seen */
    unsigned asked[2], over_tcp, without_rd, with_opt;
    char net[64];
};

/* A row that cannot be read ends the test: this is the server's thread. */
static void put_records(struct dns_writer *w, enum dns_section section, const char *text)
{
    char copy[1024], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    for (char *p = strtok_r(copy, ";", &save); p; p = strtok_r(NULL, ";", &save)) {
        char owner[128], type[16], data[256];
        unsigned ttl;
        uint8_t name[255], rdata[512];
        size_t bad;
        const char *why;
        if (sscanf(p, " %127s %u %15s %255[^;]", owner, &ttl, type, data) != 4)
            abort();
        struct dns_rrset set = {.owner = name, .rdata = rdata, .cls = DNS_CLASS_IN, .count = 1};
        set.type = (uint16_t)(!strcmp(type, "A")       ? DNS_TYPE_A
                              : !strcmp(type, "AAAA")  ? DNS_TYPE_AAAA
                              : !strcmp(type, "CNAME") ? DNS_TYPE_CNAME
                              : !strcmp(type, "NS")    ? DNS_TYPE_NS
                                                       : DNS_TYPE_SOA);
        dns_name_parse(name, owner, strlen(owner), NULL);
        int len = dns_rdata_parse(set.type, data, strlen(data), NULL, rdata + 2, 500, &bad, &why);
        if (len < 0)
            abort();
        put_u16(rdata, (uint16_t)len);
        set.size = (uint32_t)len + 2;
        dns_writer_rrset(w, section, &set, name, ttl, 0);
    }
}

/* 0: no reply. */
static size_t reply_to(struct responder *s, const uint8_t *in, size_t len, bool tcp, uint8_t *out)
{
    struct dns_query q;
    if (dns_query_parse(&q, in, len) != DNS_VERDICT_OK)
        return 0;
    const struct row *r = s->row;
    unsigned six = q.qtype == DNS_TYPE_AAAA;
    s->asked[six]++;
    s->over_tcp += tcp;
    s->without_rd += !(q.flags & DNS_FLAG_RD);
    s->with_opt += q.edns.present;
    struct edns_subnet net = {0};
    if (q.edns.present)
        net = q.edns.subnet;
    char ip[INET6_ADDRSTRLEN] = "-";
    if (net.family)
        inet_ntop(net.family == 1 ? AF_INET : AF_INET6, net.ip, ip, sizeof ip);
    snprintf(s->net, sizeof s->net, "%s/%u", ip, net.source);
    if (r->silent[six])
        return 0;
    struct edns e = {.present = q.edns.present, .size = 1232};
    if (r->scope >= 0)
        e.subnet = net;
    e.subnet.scope = (uint8_t)(r->scope > 0 ? r->scope : 0);
    if (r->other_net)
        e.subnet.ip[0] ^= 1;
    e.subnet.source = (uint8_t)(e.subnet.source + r->other_source);
    struct dns_writer w;
    dns_writer_init(&w, out, 2048);
    dns_writer_reserve(&w, edns_size(&e));
    dns_writer_question(&w, q.qname, q.qtype, q.qclass);
    bool cut = r->truncate && !tcp;
    if (!cut) {
        put_records(&w, DNS_SECTION_ANSWER, r->answer[six]);
        put_records(&w, DNS_SECTION_AUTHORITY, r->authority);
    }
    return dns_writer_finish(
        &w, q.id, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | (cut ? DNS_FLAG_TC : 0)),
        r->rcode[six], &e, 0);
}

static void serve_udp(struct responder *s)
{
    uint8_t in[2048], out[2048];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(s->udp, in, sizeof in, 0, (struct sockaddr *)&from, &from_len);
    size_t len = n > 0 ? reply_to(s, in, (size_t)n, false, out) : 0;
    if (len)
        sendto(s->udp, out, len, 0, (struct sockaddr *)&from, from_len);
}

static bool read_all(int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, out + at, len - at);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static void serve_tcp(struct responder *s)
{
    uint8_t in[2048], out[2050];
    bool whole = read_all(s->conn, in, 2) && get_u16(in) <= sizeof in;
    size_t asked = whole ? get_u16(in) : 0;
    size_t len = whole && read_all(s->conn, in, asked) ? reply_to(s, in, asked, true, out + 2) : 0;
    put_u16(out, (uint16_t)len);
    if (len && write(s->conn, out, len + 2) == (ssize_t)len + 2)
        return;
    close(s->conn);
    s->conn = -1;
}

static void *serve(void *arg)
{
    struct responder *s = arg;
    for (;;) {
        struct pollfd at[] = {{s->stop, POLLIN, 0},
                              {s->udp, POLLIN, 0},
                              {s->conn < 0 ? s->tcp : -1, POLLIN, 0},
                              {s->conn, POLLIN, 0}};
        if (poll(at, 4, 5000) <= 0 || at[0].revents)
            break;
        if (at[1].revents)
            serve_udp(s);
        if (at[2].revents)
            s->conn = accept(s->tcp, NULL, NULL);
        if (at[3].revents)
            serve_tcp(s);
    }
    return NULL;
}

static void responder_open(struct responder *s, const struct row *row)
{
    *s = (struct responder){.row = row, .conn = -1};
    s->udp = loopback_bind("127.0.0.1", SOCK_DGRAM, &s->port);
    s->tcp = loopback_bind("127.0.0.1", SOCK_STREAM, &s->port);
    s->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(s->stop >= 0);
    if (row->no_server) {
        close(s->udp);
        close(s->tcp);
        s->udp = s->tcp = -1;
    }
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void responder_close(struct responder *s)
{
    uint64_t one = 1;
    assert_int_equal(write(s->stop, &one, sizeof one), sizeof one);
    pthread_join(s->thread, NULL);
    int fds[] = {s->udp, s->tcp, s->conn, s->stop};
    for (unsigned i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* ---- what is heard ---- */

struct heard {
    unsigned count;
    char text[256];
};

static size_t print_set(char *out, size_t cap, const struct dns_rrset *set)
{
    size_t n = 0;
    if (!set)
        return (size_t)snprintf(out, cap, "-");
    DNS_RR_FOR (rd, set) {
        char ip[INET6_ADDRSTRLEN];
        inet_ntop(rd.len == 4 ? AF_INET : AF_INET6, rd.at, ip, sizeof ip);
        n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? "," : "", ip);
    }
    return n;
}

static void on_fetched(void *arg, const struct gslb_fetched *f)
{
    struct heard *h = arg;
    char *at = h->text, *end = at + sizeof h->text;
    h->count++;
    at += snprintf(at, (size_t)(end - at), "%s ", f->err ? err_name(f->err) : "ok");
    at += print_set(at, (size_t)(end - at), f->a);
    at += snprintf(at, (size_t)(end - at), " ");
    at += print_set(at, (size_t)(end - at), f->aaaa);
    if (f->a || f->aaaa)
        snprintf(at, (size_t)(end - at), " %u %u", f->ttl, f->scope);
}

static bool was_heard(void *arg)
{
    return ((struct heard *)arg)->count != 0;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

static void close_fetcher(uv_loop_t *loop, struct gslb_fetcher *f)
{
    bool closed = false;
    fetch_close(f, on_closed, &closed);
    assert_true(loopback_until(loop, is_true, &closed));
    assert_int_equal(uv_loop_close(loop), 0);
}

static struct edns_subnet subnet_of(const char *text)
{
    struct edns_subnet s = {0};
    char ip[64];
    unsigned bits;
    assert_int_equal(sscanf(text, "%63[^/]/%u", ip, &bits), 2);
    s.family = strchr(ip, ':') ? 2 : 1;
    s.source = (uint8_t)bits;
    assert_int_equal(inet_pton(s.family == 1 ? AF_INET : AF_INET6, ip, s.ip), 1);
    return s;
}

static const uint8_t cdn[] = "\3cdn\4test";

/* ---- configured servers ---- */

#define SOA "test 60 SOA ns.test. host.test. 1 2 3 4 5"

static const struct row rows[] = {
    {.label = "both families, no network",
     .answer = {"cdn.test 60 A 192.0.2.1;cdn.test 60 A 192.0.2.2", "cdn.test 30 AAAA 2001:db8::1"},
     .scope = -1,
     .heard = "ok 192.0.2.1,192.0.2.2 2001:db8::1 30 0"},
    {.label = "a network and its scope",
     .net = "10.1.2.0/24",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .authority = SOA,
     .scope = 16,
     .heard = "ok 192.0.2.1 - 60 16"},
    {.label = "an IPv6 network",
     .net = "2001:db8:1::/56",
     .answer = {NULL, "cdn.test 60 AAAA 2001:db8::1"},
     .authority = SOA,
     .scope = 48,
     .heard = "ok - 2001:db8::1 60 48"},
    {.label = "no option in the reply: for everybody",
     .net = "10.1.2.0/24",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .authority = SOA,
     .scope = -1,
     .heard = "ok 192.0.2.1 - 60 0"},
    {.label = "an option about another network",
     .net = "10.1.2.0/24",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .scope = 24,
     .other_net = true,
     .heard = "ERR_MISMATCH - -"},
    {.label = "an option about a network of another length",
     .net = "10.1.2.0/24",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .scope = 24,
     .other_source = true,
     .heard = "ERR_MISMATCH - -"},
    {.label = "truncated: over TCP",
     .answer = {"cdn.test 60 A 192.0.2.1", "cdn.test 60 AAAA 2001:db8::1"},
     .scope = -1,
     .truncate = true,
     .tcp = true,
     .heard = "ok 192.0.2.1 2001:db8::1 60 0"},
    {.label = "truncated, with a network",
     .net = "10.1.2.0/24",
     .answer = {"cdn.test 60 A 192.0.2.1", "cdn.test 60 AAAA 2001:db8::1"},
     .scope = 20,
     .truncate = true,
     .tcp = true,
     .heard = "ok 192.0.2.1 2001:db8::1 60 20"},
    {.label = "aliases, in any order; the least TTL of the chain",
     .answer = {"b.test 60 A 192.0.2.1;CDN.test 20 CNAME a.test.;a.test 40 CNAME b.test.",
                "cdn.test 50 CNAME a.test.;a.test 40 CNAME b.test."},
     .authority = SOA,
     .scope = -1,
     .heard = "ok 192.0.2.1 - 20 0"},
    {.label = "records of other names are none",
     .answer = {"evil.test 60 A 192.0.2.66"},
     .scope = -1,
     .heard = "ERR_NOT_FOUND - -"},
    {.label = "aliases in a ring",
     .answer = {"cdn.test 60 CNAME a.test.;a.test 60 CNAME cdn.test."},
     .scope = -1,
     .heard = "ERR_NOT_FOUND - -"},
    {.label = "no such name",
     .rcode = {DNS_RCODE_NXDOMAIN, DNS_RCODE_NXDOMAIN},
     .authority = SOA,
     .scope = -1,
     .heard = "ERR_NOT_FOUND - -"},
    {.label = "no such name, and the other question fails",
     .rcode = {DNS_RCODE_NXDOMAIN, DNS_RCODE_SERVFAIL},
     .authority = SOA,
     .scope = -1,
     .heard = "ERR_NOT_FOUND - -"},
    {.label = "no addresses", .authority = SOA, .scope = -1, .heard = "ERR_NOT_FOUND - -"},
    {.label = "no addresses of one kind, the other fails",
     .rcode = {0, DNS_RCODE_SERVFAIL},
     .authority = SOA,
     .scope = -1,
     .heard = "ERR_UNREACHABLE - -"},
    {.label = "one family, the other fails",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .rcode = {0, DNS_RCODE_SERVFAIL},
     .scope = -1,
     .heard = "ERR_UNREACHABLE 192.0.2.1 - 60 0"},
    {.label = "SERVFAIL",
     .rcode = {DNS_RCODE_SERVFAIL, DNS_RCODE_SERVFAIL},
     .scope = -1,
     .heard = "ERR_UNREACHABLE - -"},
    {.label = "REFUSED",
     .rcode = {DNS_RCODE_REFUSED, DNS_RCODE_REFUSED},
     .scope = -1,
     .heard = "ERR_UNREACHABLE - -"},
    {.label = "FORMERR to a network",
     .net = "10.1.2.0/24",
     .rcode = {DNS_RCODE_FORMERR, DNS_RCODE_FORMERR},
     .scope = -1,
     .heard = "ERR_FORMAT - -"},
    {.label = "it does not resolve",
     .authority = "test 60 NS ns.test.",
     .scope = -1,
     .heard = "ERR_REFUSED - -"},
    {.label = "silence", .silent = {true, true}, .scope = -1, .heard = "ERR_TIMEOUT - -"},
    {.label = "silence about one family",
     .answer = {"cdn.test 60 A 192.0.2.1"},
     .silent = {false, true},
     .scope = -1,
     .heard = "ERR_TIMEOUT 192.0.2.1 - 60 0"},
    {.label = "nobody there", .no_server = true, .scope = -1, .heard = "ERR_UNREACHABLE - -"},
};

static void by_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct responder server;
        struct heard heard = {0};
        struct gslb_fetcher *f;
        struct edns_subnet net;
        struct addr at;
        uv_loop_t loop;
        bool silent = r->silent[0] || r->silent[1];
        assert_int_equal(uv_loop_init(&loop), 0);
        responder_open(&server, r);
        assert_int_equal(addr_parse(&at, "127.0.0.1", server.port), 0);
        assert_int_equal(
            fetch_servers_new(&f, &loop, &at, 1, silent ? &(struct fetch_timing){50, 2} : NULL), 0);
        assert_true(f->subnets);
        if (r->net)
            net = subnet_of(r->net);
        assert_int_equal(f->fetch(f, cdn, r->net ? &net : NULL, on_fetched, &heard), 0);
        assert_int_equal(heard.count, 0);
        bool told = loopback_until(&loop, was_heard, &heard);
        close_fetcher(&loop, f);
        responder_close(&server);
        if (!told || heard.count != 1 || strcmp(heard.text, r->heard) != 0)
            fail_msg("%s: heard %u times: %s", r->label, heard.count, heard.text);
        char asked[80];
        snprintf(asked, sizeof asked, "%s", r->net ? r->net : "-/0");
        if (!r->no_server && (server.without_rd || !server.asked[0] || !server.asked[1] ||
                              strcmp(server.net, asked) != 0 || !server.with_opt != !r->net ||
                              !server.over_tcp != !r->tcp))
            fail_msg("%s: asked %u and %u times, %u by TCP, %u without RD, %u with OPT, for %s",
                     r->label, server.asked[0], server.asked[1], server.over_tcp, server.without_rd,
                     server.with_opt, server.net);
    }
}

/* The first server refuses, the second answers. */
static void in_order(void **state)
{
    (void)state;
    static const struct row refuses = {
        .label = "refuses", .rcode = {DNS_RCODE_REFUSED, DNS_RCODE_REFUSED}, .scope = -1};
    struct responder server[2];
    struct heard heard = {0};
    struct gslb_fetcher *f;
    struct addr at[2];
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    responder_open(&server[0], &refuses);
    responder_open(&server[1], &rows[0]);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(addr_parse(&at[i], "127.0.0.1", server[i].port), 0);
    assert_int_equal(fetch_servers_new(&f, &loop, at, 0, NULL), ERR_INVALID);
    assert_int_equal(fetch_servers_new(&f, &loop, at, 2, NULL), 0);
    assert_int_equal(f->fetch(f, cdn, NULL, on_fetched, &heard), 0);
    assert_true(loopback_until(&loop, was_heard, &heard));
    assert_string_equal(heard.text, rows[0].heard);
    close_fetcher(&loop, f);
    responder_close(&server[0]);
    responder_close(&server[1]);
    assert_int_equal(server[0].asked[0], 1);
}

/* Closing ends what is outstanding, once. */
static void closed_in_flight(void **state)
{
    (void)state;
    static const struct row silent = {.label = "", .silent = {true, true}, .scope = -1};
    struct responder server;
    struct heard heard = {0};
    struct gslb_fetcher *f;
    struct addr at;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    responder_open(&server, &silent);
    assert_int_equal(addr_parse(&at, "127.0.0.1", server.port), 0);
    assert_int_equal(fetch_servers_new(&f, &loop, &at, 1, NULL), 0);
    assert_int_equal(f->fetch(f, cdn, NULL, on_fetched, &heard), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    close_fetcher(&loop, f);
    responder_close(&server);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.text, "ERR_CANCELLED - -");
}

/* ---- our own resolver ---- */

struct self_row {
    const char *label;
    uint16_t rcode[2];
    const char *answer[2]; /* NULL: the addresses of that family; "" none */
    const char *net;       /* to be told */
    uint8_t scope[2];
    bool no_worker, unanswered;
    const char *heard;
};

struct worker_of_ours {
    const struct self_row *row;
    struct worker_question *question[2];
    unsigned count;
    bool as_told;
};

static int take_question(void *arg, struct worker_question *q)
{
    struct worker_of_ours *w = arg;
    if (w->row->no_worker)
        return ERR_CLOSED;
    w->question[w->count++] = q;
    return 0;
}

static void *answer_questions(void *arg)
{
    struct worker_of_ours *w = arg;
    static const uint8_t alias[] = "\1b\4test";
    static const uint8_t four[] = {0, 4, 192, 0, 2, 1, 0, 4, 192, 0, 2, 2};
    static const uint8_t six[18] = {0, 16, 0x20, 1, 0xd, 0xb8, [17] = 1};
    uint8_t to_alias[2 + sizeof alias] = {0, sizeof alias};
    memcpy(to_alias + 2, alias, sizeof alias);
    for (unsigned i = 0; i < w->count; i++) {
        unsigned v6 = w->question[i]->qtype == DNS_TYPE_AAAA;
        struct dns_rrset sets[2] = {{.owner = w->question[i]->qname,
                                     .rdata = to_alias,
                                     .size = sizeof to_alias,
                                     .ttl = 50,
                                     .type = DNS_TYPE_CNAME,
                                     .cls = DNS_CLASS_IN,
                                     .count = 1},
                                    {.owner = alias,
                                     .rdata = v6 ? six : four,
                                     .size = v6 ? sizeof six : sizeof four,
                                     .ttl = 70,
                                     .type = w->question[i]->qtype,
                                     .cls = DNS_CLASS_IN,
                                     .count = v6 ? 1 : 2}};
        struct resolver_result res = {.rcode = w->row->rcode[v6],
                                      .answer = sets,
                                      .answer_count = w->row->answer[v6] ? 0 : 2,
                                      .scope = w->row->scope[v6]};
        struct edns_subnet net = {0};
        if (w->row->net)
            net = subnet_of(w->row->net);
        w->as_told &= edns_subnet_equal(&w->question[i]->subnet, &net);
        w->question[i]->result(w->question[i], w->row->unanswered ? NULL : &res);
    }
    return NULL;
}

static void by_our_own(void **state)
{
    (void)state;
    static const struct self_row own[] = {
        {.label = "both", .heard = "ok 192.0.2.1,192.0.2.2 2001:db8::1 50 0"},
        {.label = "one", .answer = {NULL, ""}, .heard = "ok 192.0.2.1,192.0.2.2 - 50 0"},
        {.label = "of a network",
         .net = "10.1.2.0/24",
         .scope = {16, 24},
         .heard = "ok 192.0.2.1,192.0.2.2 2001:db8::1 50 24"},
        {.label = "of a network, one family",
         .net = "10.1.2.0/24",
         .answer = {NULL, ""},
         .scope = {16, 24},
         .heard = "ok 192.0.2.1,192.0.2.2 - 50 16"},
        {.label = "none", .answer = {"", ""}, .heard = "ERR_NOT_FOUND - -"},
        {.label = "no such name",
         .rcode = {DNS_RCODE_NXDOMAIN, DNS_RCODE_NXDOMAIN},
         .heard = "ERR_NOT_FOUND - -"},
        {.label = "fails",
         .rcode = {DNS_RCODE_SERVFAIL, DNS_RCODE_SERVFAIL},
         .heard = "ERR_UNREACHABLE - -"},
        {.label = "no worker", .no_worker = true, .heard = "ERR_CANCELLED - -"},
        {.label = "a worker that ends", .unanswered = true, .heard = "ERR_CANCELLED - -"},
    };
    for (size_t i = 0; i < 2 * sizeof own / sizeof *own; i++) {
        const struct self_row *r = &own[i / 2];
        struct worker_of_ours w = {.row = r, .as_told = true};
        struct edns_subnet net;
        if (r->net)
            net = subnet_of(r->net);
        struct heard heard = {0};
        struct gslb_fetcher *f;
        pthread_t thread;
        uv_loop_t loop;
        bool closed = false, early = i % 2; /* closed before the worker answers */
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(fetch_self_new(&f, &loop, take_question, &w), 0);
        assert_true(f->subnets);
        assert_int_equal(f->fetch(f, cdn, r->net ? &net : NULL, on_fetched, &heard), 0);
        assert_int_equal(heard.count, 0);
        if (early)
            fetch_close(f, on_closed, &closed);
        assert_int_equal(pthread_create(&thread, NULL, answer_questions, &w), 0);
        bool told = loopback_until(&loop, was_heard, &heard);
        pthread_join(thread, NULL);
        if (!early)
            fetch_close(f, on_closed, &closed);
        assert_true(loopback_until(&loop, is_true, &closed));
        assert_int_equal(uv_loop_close(&loop), 0);
        assert_true(w.as_told);
        const char *expected = early ? "ERR_CANCELLED - -" : r->heard;
        if (!told || heard.count != 1 || strcmp(heard.text, expected) != 0)
            fail_msg("%s, %s: heard %u times: %s", r->label, early ? "early" : "late", heard.count,
                     heard.text);
    }
}

static int ask_worker(void *arg, struct worker_question *q)
{
    return worker_ask(arg, q);
}

/* A worker of a whole server, whose resolver knows two names by heart. */
static void by_a_worker(void **state)
{
    (void)state;
    static const struct {
        const uint8_t *name;
        const char *heard;
    } asks[] = {
        {cdn, "ok 192.0.2.1,192.0.2.2 2001:db8::1 3600 0"},
        {(const uint8_t *)"\4gone\4test", "ERR_NOT_FOUND - -"},
        {(const uint8_t *)"\2no\4test", "ERR_REFUSED - -"},
    };
    struct live live;
    live_init(&live);
    live_file(&live, "conf.yaml",
              "server: { workers: 1, control: none, log: error }\n"
              "listen: [ { address: 127.0.0.1, port: %u, role: resolver } ]\n"
              "resolver:\n  special-zones: no\n  local:\n"
              "    - { name: cdn.test, a: [192.0.2.1, 192.0.2.2], aaaa: 2001:db8::1 }\n"
              "    - { name: gone.test, action: nxdomain }\n"
              "    - { name: no.test, action: refuse }\n",
              live_port());
    live_start(&live);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct heard heard = {0};
        struct gslb_fetcher *f;
        uv_loop_t loop;
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(fetch_self_new(&f, &loop, ask_worker, live.server->workers[0]), 0);
        assert_int_equal(f->fetch(f, asks[i].name, NULL, on_fetched, &heard), 0);
        assert_true(loopback_until(&loop, was_heard, &heard));
        close_fetcher(&loop, f);
        assert_string_equal(heard.text, asks[i].heard);
    }
    live_stop(&live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_servers),       cmocka_unit_test(in_order),
        cmocka_unit_test(closed_in_flight), cmocka_unit_test(by_our_own),
        cmocka_unit_test(by_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
