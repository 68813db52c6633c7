/* Through a whole server. A listener with both roles: what leaves our own zones is completed by the
 * resolver, after our own part; without RD, or without the right to ask, it is answered as it is.
 * The rest of the world is another listener of the same process. */
/* folders: daemon config lab */
/* threads */
#include "base/clock.h"
#include "base/err.h"
#include "dns/text.h"
#include "dns/type.h"
#include "lab/client.h"
#include "live.h"
#include "loopback.h"

#include "base/cursor.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char conf[] =
    "server: { workers: 1, log: error, drain: 0s, control: none }\n"
    "listen:\n"
    "  - { address: 127.0.0.1, port: %u, name: both, role: [authority, resolver] }\n"
    "  - { address: 127.0.0.3, port: %u, name: other, role: [authority, resolver] }\n"
    "  - { address: 127.0.0.4, port: %u, name: closed, role: [authority, resolver],\n"
    "      allow: [192.0.2.0/24] }\n"
    "  - { address: 127.0.0.2, port: %u, name: world, role: authority }\n"
    "zones:\n"
    "  - { name: own.test, file: own.zone, on: [both, closed] }\n"
    "  - { name: own.test, file: own2.zone, on: [other] }\n"
    "  - { name: ., file: root.zone, on: [world] }\n"
    "  - { name: world, file: world.zone, on: [world] }\n"
    "  - { name: sub.own.test, file: sub.zone, on: [world] }\n"
    "  - { name: wide.own.test, file: wide.zone, on: [world] }\n"
    "authority: { responses: full }\n"
    "resolver:\n"
    "  allow: [127.0.0.0/8]\n"
    "  root-hints: hints.zone\n"
    "  upstream-port: %u\n"
    "  ask-loopback: yes\n"
    "  special-zones: no\n"
    "  ipv6: no\n";

static const struct {
    const char *label, *server, *name, *type;
    bool rd;
    bool aa;
    const char *rcode, *answer, *authority;
} rows[] = {
    {"alias out", "127.0.0.1", "out.own.test", "A", true, true, "NOERROR",
     "out.own.test. CNAME www.world.|www.world. A 192.0.2.81|", ""},
    {"again: the resolver's part is cached, ours is not", "127.0.0.1", "out.own.test", "A", true,
     true, "NOERROR", "out.own.test. CNAME www.world.|www.world. A 192.0.2.81|", ""},
    {"two of our aliases, then one of the world", "127.0.0.1", "two.own.test", "A", true, true,
     "NOERROR",
     "two.own.test. CNAME out2.own.test.|out2.own.test. CNAME alias.world.|"
     "alias.world. CNAME www.world.|www.world. A 192.0.2.81|",
     ""},
    {"no such name out there (RFC 6604 2.1)", "127.0.0.1", "gone.own.test", "A", true, true,
     "NXDOMAIN", "gone.own.test. CNAME gone.world.|", "world. SOA|"},
    {"no such type out there", "127.0.0.1", "out.own.test", "MX", true, true, "NOERROR",
     "out.own.test. CNAME www.world.|", "world. SOA|"},
    {"DNAME out", "127.0.0.1", "www.moved.own.test", "A", true, true, "NOERROR",
     "moved.own.test. DNAME world.|www.moved.own.test. CNAME www.world.|www.world. A 192.0.2.81|",
     ""},
    {"the alias itself is ours", "127.0.0.1", "out.own.test", "CNAME", true, true, "NOERROR",
     "out.own.test. CNAME www.world.|", "own.test. NS ns.own.test.|"},
    {"without RD: as it is", "127.0.0.1", "out.own.test", "A", false, true, "NOERROR",
     "out.own.test. CNAME www.world.|", ""},
    {"who may not ask gets it as it is", "127.0.0.4", "out.own.test", "A", true, true, "NOERROR",
     "out.own.test. CNAME www.world.|", ""},
    {"referral: the world knows nothing of the zone below", "127.0.0.1", "www.sub.own.test", "A",
     true, false, "NOERROR", "www.sub.own.test. A 192.0.2.90|", ""},
    {"again, from the cache", "127.0.0.1", "www.sub.own.test", "A", true, false, "NOERROR",
     "www.sub.own.test. A 192.0.2.90|", ""},
    {"referral longer than what the client takes", "127.0.0.1", "www.wide.own.test", "A", true,
     false, "NOERROR", "www.wide.own.test. A 192.0.2.91|", ""},
    {"no such name below", "127.0.0.1", "x.sub.own.test", "A", true, false, "NXDOMAIN", "",
     "sub.own.test. SOA|"},
    {"referral after an alias of ours", "127.0.0.1", "down.own.test", "A", true, true, "NOERROR",
     "down.own.test. CNAME www.sub.own.test.|www.sub.own.test. A 192.0.2.90|", ""},
    {"alias of the zone below, out again", "127.0.0.1", "up.sub.own.test", "A", true, false,
     "NOERROR", "up.sub.own.test. CNAME www.world.|www.world. A 192.0.2.81|", ""},
    {"referral without RD", "127.0.0.1", "www.sub.own.test", "A", false, false, "NOERROR", "",
     "sub.own.test. NS ns.sub.own.test.|"},
    {"another listener delegates the same name nowhere", "127.0.0.3", "www.sub.own.test", "A", true,
     false, "SERVFAIL", "", ""},
    {"and is not told what the first one learned", "127.0.0.3", "plain.own.test", "A", true, true,
     "NOERROR", "plain.own.test. A 192.0.2.2|", "own.test. NS ns.own.test.|"},
    {"what is not ours at all", "127.0.0.1", "www.world", "A", true, false, "NOERROR",
     "www.world. A 192.0.2.81|", ""},
};

static void put(const struct dns_msg *m, unsigned section, char *out, size_t cap)
{
    *out = 0;
    for (unsigned i = 0; i < m->rr_count; i++) {
        const struct dns_rr *rr = &m->rrs[i];
        char line[1024], owner[DNS_NAME_TEXT_MAX], type[32];
        if (rr->section != section)
            continue;
        dns_name_print(rr->owner, owner);
        dns_type_print(rr->type, type);
        size_t n = strlen(out);
        if (rr->type == DNS_TYPE_SOA) {
            snprintf(out + n, cap - n, "%s SOA|", owner);
            continue;
        }
        dns_text_rr(rr, line, sizeof line);
        const char *rdata = strstr(line, type);
        snprintf(out + n, cap - n, "%s %s|", owner, rdata ? rdata : "?");
    }
}

static void squeeze(char *s)
{
    char *to = s;
    for (; *s; s++) {
        char c = *s == '\t' || *s == '\n' ? ' ' : *s;
        if (c != ' ' || (to[-1] != ' ' && s[1] && s[1] != '|'))
            *to++ = c;
    }
    *to = 0;
}

static void start_world(struct live *l, unsigned port)
{
    live_init(l);
    live_file(l, "own.zone",
              "$ORIGIN own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.1\nout CNAME www.world.\ntwo CNAME out2\nout2 CNAME alias.world.\n"
              "gone CNAME gone.world.\nmoved DNAME world.\nsub NS ns.sub\nns.sub A 127.0.0.2\n"
              "down CNAME www.sub\n"
              "$GENERATE 1-60 wide NS ns$.wide\n$GENERATE 1-60 ns$.wide A 127.0.0.2\n");
    live_file(l, "wide.zone",
              "$ORIGIN wide.own.test.\n$TTL 300\n@ SOA ns1 host 1 3600 600 86400 300\n"
              "@ NS ns1\nns1 A 127.0.0.2\nwww A 192.0.2.91\n");
    live_file(l, "own2.zone",
              "$ORIGIN own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.3\nplain A 192.0.2.2\nsub NS ns.sub\nns.sub A 127.0.0.3\n");
    live_file(l, "root.zone",
              "$ORIGIN .\n$TTL 300\n@ SOA ns.root. host. 1 3600 600 86400 300\n@ NS ns.root.\n"
              "ns.root. A 127.0.0.2\nworld. NS ns.world.\nns.world. A 127.0.0.2\n");
    live_file(l, "world.zone",
              "$ORIGIN world.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.2\nwww A 192.0.2.81\nalias CNAME www\n");
    live_file(l, "sub.zone",
              "$ORIGIN sub.own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.2\nwww A 192.0.2.90\nup CNAME www.world.\n");
    live_file(l, "hints.zone", ". 3600 NS ns.root.\nns.root. 3600 A 127.0.0.2\n");
    live_file(l, "conf.yaml", conf, port, port, port, port, port);
    live_start(l);
}

static void completed(void **state)
{
    (void)state;
    struct live l;
    unsigned port = live_port();
    start_world(&l, port);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct addr server;
        struct lab_reply reply;
        char rcode[32], answer[2048], authority[2048];
        arena_init(&a, 0, 0);
        assert_int_equal(addr_parse(&server, rows[i].server, (uint16_t)port), 0);
        int err = lab_ask(&server, rows[i].name, rows[i].type, rows[i].rd, &a, &reply);
        if (err)
            fail_msg("%s: %s", rows[i].label, err_text(err));
        put(&reply.msg, DNS_SECTION_ANSWER, answer, sizeof answer);
        put(&reply.msg, DNS_SECTION_AUTHORITY, authority, sizeof authority);
        squeeze(answer);
        squeeze(authority);
        dns_rcode_print(reply.msg.rcode, rcode);
        bool aa = reply.msg.flags & DNS_FLAG_AA;
        if (reply.tcp)
            fail_msg("%s: only over TCP", rows[i].label);
        if (strcmp(rcode, rows[i].rcode) != 0 || strcmp(answer, rows[i].answer) != 0 ||
            strcmp(authority, rows[i].authority) != 0 || aa != rows[i].aa)
            fail_msg("%s: %s aa %d, answer %s, authority %s", rows[i].label, rcode, aa, answer,
                     authority);
        arena_fini(&a);
    }
    live_stop(&l);
}

#define B(s)     (const uint8_t *)s, sizeof s - 1
#define RD       "\x12\x34\1\0"
#define ONE      "\0\1\0\0\0\0\0\0"
#define WITH_OPT "\0\1\0\0\0\0\0\1"
#define OWN      "\3own\4test\0"
#define OPT(len) "\0\0\x29\x10\0\0\0\0\0" len
#define SUBNET   "\0\x08\0\7\0\1\x18\0\xc0\0\2"

/* Questions as octets, the answer's rcode (also the part in OPT) and what is in it, or is not. */
static const struct {
    const char *label;
    bool tcp, plain; /* plain: asked of a server without any option */
    const uint8_t *query;
    size_t query_len;
    unsigned rcode;
    const uint8_t *with;
    size_t with_len;
    const uint8_t *without;
    size_t without_len;
} octets[] = {
    {"unknown opcode, before QDCOUNT is judged", false, false, B("\x12\x34\x78\0\0\7\0\0\0\0\0\0"),
     4, B("\x12\x34\xf8\4\0\0\0\0\0\0\0\0"), B("")},
    {"two questions (RFC 9619)", false, false,
     B(RD "\0\2\0\0\0\0\0\0" OWN "\0\1\0\1" OWN "\0\1\0\1"), 1, B(""), B("")},
    {"no question", false, false, B(RD "\0\0\0\0\0\0\0\0"), 1, B(""), B("")},
    {"no question but a cookie (RFC 7873 5.4)", false, false,
     B(RD "\0\0\0\0\0\0\0\1" OPT("\0\x0c") "\0\x0a\0\x08"
                                           "12345678"),
     0,
     B("\0\x0a\0\x18"
       "12345678\1\0\0\0"),
     B("")},
    {"EDNS version 1", false, false, B(RD WITH_OPT OWN "\0\6\0\1\0\0\x29\x10\0\0\1\0\0\0\0"), 16,
     B("\0\0\x29\2\x58\1\0\0\0"), B("")},
    {"subnet with a scope", false, false,
     B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\x0b") "\0\x08\0\7\0\1\x18\x18\xc0\0\2"), 1, B(""), B("")},
    {"subnet, given back (RFC 7871 7.2.1)", false, false,
     B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\x0b") SUBNET), 0, B(SUBNET), B("")},
    {"subnet of no bits", false, false,
     B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\x08") "\0\x08\0\4\0\2\0\0"), 0, B("\0\x08\0\4\0\2\0\0"),
     B("")},
    {"subnet, no such name", false, false,
     B(RD WITH_OPT "\2no" OWN "\0\1\0\1" OPT("\0\x0b") SUBNET), 3, B(SUBNET), B("")},
    {"subnet not asked for", false, false, B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\4") "\0\3\0\0"), 0,
     B(""), B("\0\x08\0\7")},
    {"subnet and TC", false, false, B(RD WITH_OPT "\3big" OWN "\0\x10\0\1" OPT("\0\x0b") SUBNET), 0,
     B(SUBNET), B("0000000000")},
    {"subnet over TCP", true, false, B(RD WITH_OPT "\3big" OWN "\0\x10\0\1" OPT("\0\x0b") SUBNET),
     0, B(SUBNET), B("")},
    {"subnet, a zone that could not be loaded", false, false,
     B(RD WITH_OPT "\4gone\4test\0\0\1\0\1" OPT("\0\x0b") SUBNET), 2, B(SUBNET), B("")},
    {"NSID", false, false, B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\4") "\0\3\0\0"), 0,
     B("\0\3\0\4edge"), B("")},
    {"NSID, none configured", false, true, B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\4") "\0\3\0\0"), 0,
     B("\0\0\x29\4\xd0\0\0\0\0\0\0"), B("\0\3\0")},
    {"NSID not asked for", false, false, B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\0")), 0, B(""),
     B("edge")},
    {"keepalive over TCP", true, false, B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\4") "\0\x0b\0\0"), 0,
     B("\0\x0b\0\2\0\x64"), B("")},
    {"keepalive over UDP (RFC 7828 3.2.1)", false, false,
     B(RD WITH_OPT OWN "\0\6\0\1" OPT("\0\4") "\0\x0b\0\0"), 0, B(""), B("\0\x0b\0")},
    {"no OPT in, no OPT out", false, false, B(RD ONE OWN "\0\6\0\1"), 0, B(""), B("\0\0\x29")},
    {"version.bind", false, false, B(RD ONE "\7version\4bind\0\0\x10\0\3"), 0, B("\7my text"),
     B("")},
    {"id.server, in any case", false, false, B(RD ONE "\2Id\6serVer\0\0\x10\0\3"), 0, B("\4edge"),
     B("")},
    {"another name of class CH", false, false, B(RD ONE "\7authors\4bind\0\0\x10\0\3"), 5, B(""),
     B("")},
    {"version.bind, off by default", false, true, B(RD ONE "\7version\4bind\0\0\x10\0\3"), 5, B(""),
     B("waypost")},
    {"not ours", false, false, B(RD ONE "\3own\5tests\0\0\1\0\1"), 5, B(""), B("")},
    {"not ours, and why (RFC 8914 4.21)", false, false,
     B(RD WITH_OPT "\3own\5tests\0\0\1\0\1" OPT("\0\0")), 5,
     B("\0\x0f\0\x16\0\x14not one of our zones"), B("")},
    {"a zone that could not be loaded", false, false,
     B(RD WITH_OPT "\4gone\4test\0\0\1\0\1" OPT("\0\0")), 2,
     B("\0\x0f\0\x1e\0\x0ethe zone could not be loaded"), B("")},
    {"an alias into a zone that could not be loaded", false, false,
     B(RD WITH_OPT "\5alias" OWN "\0\1\0\1" OPT("\0\0")), 2,
     B("\0\x0f\0\x1e\0\x0ethe zone could not be loaded"), B("")},
    {"class HS and why", false, false, B(RD WITH_OPT OWN "\0\1\0\4" OPT("\0\0")), 5,
     B("\0\x0f\0\x15\0\x15"), B("")},
    {"class HS", false, false, B(RD ONE OWN "\0\1\0\4"), 5, B(""), B("")},
    {"650 octets, our bound is 600", false, false,
     B(RD WITH_OPT "\3big" OWN "\0\x10\0\1" OPT("\0\0")), 0, B("\x12\x34\x87\0\0\1\0\0\0\0\0\1"),
     B("0000000000")},
    {"650 octets over TCP", true, false, B(RD WITH_OPT "\3big" OWN "\0\x10\0\1" OPT("\0\0")), 0,
     B("\x12\x34\x85\0\0\1\0\3"), B("")},
    {"650 octets, our bound is 1232", false, true,
     B(RD WITH_OPT "\3big" OWN "\0\x10\0\1" OPT("\0\0")), 0, B("\x12\x34\x85\0\0\1\0\3"), B("")},
    {"650 octets without EDNS", false, true, B(RD ONE "\3big" OWN "\0\x10\0\1"), 0,
     B("\x12\x34\x87\0\0\1\0\0"), B("0000000000")},
};

/* Length of the answer. */
static size_t exchange(uint16_t port, bool tcp, const uint8_t *query, size_t len, uint8_t *out,
                       size_t cap)
{
    uint8_t framed[600] = {(uint8_t)(len >> 8), (uint8_t)len};
    int fd = live_connect(port, tcp ? SOCK_STREAM : SOCK_DGRAM);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t got = 0, want = 2;
    assert_true(len <= sizeof framed - 2);
    memcpy(framed + 2, query, len);
    assert_true(send(fd, tcp ? framed : framed + 2, tcp ? len + 2 : len, 0) > 0);
    do {
        ssize_t n = poll(&p, 1, 10000) == 1 ? recv(fd, out + got, cap - got, 0) : 0;
        assert_true(n > 0);
        got += (size_t)n;
        want = tcp && got >= 2 ? 2u + get_u16(out) : want;
    } while (tcp && got < want);
    close(fd);
    if (tcp)
        memmove(out, out + 2, got -= 2);
    return got;
}

/* With the upper bits, which are in an OPT that comes last and has no options. */
static unsigned rcode_of(const uint8_t *answer, size_t len)
{
    const uint8_t *opt = memmem(answer, len, "\0\0\x29", 3);
    return (answer[3] & 15u) | (opt && answer[11] ? (unsigned)opt[5] << 4 : 0u);
}

static void asked_in_octets(void **state)
{
    (void)state;
    static const char *const options[] = {
        "identity: edge, chaos: yes, version: my text, udp-size: 600, ", ""};
    for (unsigned plain = 0; plain < 2; plain++) {
        struct live l;
        unsigned port = live_port();
        live_init(&l);
        live_file(&l, "own.zone",
                  "$TTL 300\n@ SOA ns. host. 1 1 1 1 1\n@ NS ns.\nalias CNAME gone.test.\n"
                  "$GENERATE 1-3 big TXT $%0200d\n",
                  0);
        live_file(&l, "conf.yaml",
                  "server: { %sworkers: 1, log: error, drain: 0s, control: none }\n"
                  "listen: [ { address: 127.0.0.1, port: %u, role: authority } ]\n"
                  "zones: [ { name: own.test, file: own.zone }, { name: gone.test, file: no } ]\n",
                  options[plain], port);
        live_start(&l);
        for (size_t i = 0; i < sizeof octets / sizeof *octets; i++) {
            uint8_t answer[2048];
            if (octets[i].plain != plain)
                continue;
            size_t n = exchange((uint16_t)port, octets[i].tcp, octets[i].query, octets[i].query_len,
                                answer, sizeof answer);
            if (rcode_of(answer, n) != octets[i].rcode ||
                !memmem(answer, n, octets[i].with, octets[i].with_len) ||
                (octets[i].without_len &&
                 memmem(answer, n, octets[i].without, octets[i].without_len)))
                fail_msg("%s: rcode %u, %zu octets", octets[i].label, rcode_of(answer, n), n);
        }
        live_stop(&l);
    }
}

static uint64_t count(struct live *l, const char *name)
{
    json_t *all = server_report_stats(l->server);
    uint64_t n = (uint64_t)json_integer_value(json_object_get(all, name));
    json_decref(all);
    return n;
}

/* The subnet comes back from our own zones, and with an alias of ours before the resolver's part;
 * the resolver does not look at it. */
static void subnets(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const uint8_t *query;
        size_t query_len;
        bool given_back;
    } at[] = {
        {"ours", B(RD WITH_OPT "\2ns" OWN "\0\1\0\1" OPT("\0\x0b") SUBNET), true},
        {"alias out", B(RD WITH_OPT "\3out" OWN "\0\1\0\1" OPT("\0\x0b") SUBNET), true},
        {"the world's", B(RD WITH_OPT "\3www\5world\0\0\1\0\1" OPT("\0\x0b") SUBNET), false},
        {"the world's, cached", B(RD WITH_OPT "\3www\5world\0\0\1\0\1" OPT("\0\x0b") SUBNET),
         false},
        {"referral", B(RD WITH_OPT "\3www\3sub" OWN "\0\1\0\1" OPT("\0\x0b") SUBNET), false},
    };
    struct live l;
    unsigned port = live_port();
    start_world(&l, port);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        uint8_t answer[2048];
        size_t n =
            exchange((uint16_t)port, false, at[i].query, at[i].query_len, answer, sizeof answer);
        bool given = memmem(answer, n, SUBNET, sizeof SUBNET - 1) != NULL;
        if (rcode_of(answer, n) || get_u16(answer + 6) == 0 || given != at[i].given_back)
            fail_msg("%s: rcode %u, subnet %d", at[i].label, rcode_of(answer, n), given);
    }
    live_stop(&l);
}

/* In the last nine tenths of its TTL an answer that is in use is asked for again, and nobody waits:
 * each question is answered from the cache, and yet the world is asked a second time. */
static void prefetched(void **state)
{
    (void)state;
    struct live l;
    struct addr server;
    unsigned port = live_port();
    live_init(&l);
    live_file(&l, "root.zone",
              "$ORIGIN .\n$TTL 20\n@ SOA ns.root. host. 1 3600 600 86400 300\n@ NS ns.root.\n"
              "ns.root. A 127.0.0.2\nwww.world. A 192.0.2.81\n");
    live_file(&l, "hints.zone", ". 3600 NS ns.root.\nns.root. 3600 A 127.0.0.2\n");
    live_file(
        &l, "conf.yaml",
        "server: { workers: 1, log: error, drain: 0s, control: none }\n"
        "listen:\n"
        "  - { address: 127.0.0.1, port: %u, role: resolver }\n"
        "  - { address: 127.0.0.2, port: %u, name: world, role: authority }\n"
        "zones: [ { name: ., file: root.zone, on: [world] } ]\n"
        "resolver: { root-hints: hints.zone, upstream-port: %u, ask-loopback: yes, priming: no,\n"
        "            special-zones: no, qname-minimisation: no,\n"
        "            cache: { prefetch: 90%% } }\n",
        port, port, port);
    live_start(&l);
    assert_int_equal(addr_parse(&server, "127.0.0.1", (uint16_t)port), 0);
    unsigned asked = 0;
    for (int64_t end = clock_mono_ms(clock_system()) + 15000;
         !count(&l, "waypost_route_refreshed_total") && clock_mono_ms(clock_system()) < end;
         asked++) {
        struct arena a;
        struct lab_reply reply;
        arena_init(&a, 0, 0);
        assert_int_equal(lab_ask(&server, "www.world", "A", true, &a, &reply), 0);
        assert_int_equal(reply.msg.rr_count, 1);
        arena_fini(&a);
        poll(NULL, 0, 50);
    }
    assert_int_equal(count(&l, "waypost_route_refreshed_total"), 1);
    for (int64_t end = clock_mono_ms(clock_system()) + 5000;
         count(&l, "waypost_route_authority_total") < 2 && clock_mono_ms(clock_system()) < end;)
        poll(NULL, 0, 5);
    assert_int_equal(count(&l, "waypost_route_authority_total"), 2);
    assert_int_equal(count(&l, "waypost_route_resolved_total"), 1);
    assert_int_equal(count(&l, "waypost_route_cached_total"), asked - 1);
    live_stop(&l);
}

/* More questions than a worker keeps, and nobody answers them: the ones too many are refused. Once
 * the others had their time there is room for what can be answered, and the oldest fails. */
static void gives_way(void **state)
{
    static const char said[] = "too many queries in flight", gone[] = "in_flight limit 17/16";
    enum { KEPT = 16, ASKED = 24 };
    (void)state;
    struct live l;
    struct addr server;
    uint16_t port = live_port();
    uint8_t query[] = "\0\0\1\0" WITH_OPT "\1a\6silent\0\0\1\0\1" OPT("\0\0"), reply[512];
    live_init(&l);
    live_file(&l, "root.zone",
              "$ORIGIN .\n$TTL 20\n@ SOA ns.root. host. 1 3600 600 86400 300\n@ NS ns.root.\n"
              "ns.root. A 127.0.0.2\nwww.world. A 192.0.2.81\n"
              "silent. NS ns.silent.\nns.silent. A 127.0.0.3\n");
    live_file(&l, "hints.zone", ". 3600 NS ns.root.\nns.root. 3600 A 127.0.0.2\n");
    live_file(&l, "conf.yaml",
              "server: { workers: 1, log: error, drain: 0s, control: none }\n"
              "listen:\n"
              "  - { address: 127.0.0.1, port: %u, role: resolver }\n"
              "  - { address: 127.0.0.2, port: %u, name: world, role: authority }\n"
              "zones: [ { name: ., file: root.zone, on: [world] } ]\n"
              "resolver: { root-hints: hints.zone, upstream-port: %u, ask-loopback: yes,\n"
              "            priming: no, special-zones: no, qname-minimisation: no,\n"
              "            limits: { in-flight: %d, query-time: 30s } }\n",
              port, port, port, KEPT);
    int silent[] = {loopback_bind("127.0.0.3", SOCK_DGRAM, &port),
                    loopback_bind("127.0.0.3", SOCK_STREAM, &port)};
    live_start(&l);
    int fd = live_connect(port, SOCK_DGRAM);
    for (unsigned i = 0; i < ASKED; i++) {
        query[1] = (uint8_t)i;
        query[13] = (uint8_t)('a' + i);
        loopback_send(fd, query, sizeof query - 1);
    }
    for (unsigned i = KEPT; i < ASKED; i++) {
        ssize_t n = recv(fd, reply, sizeof reply, 0);
        assert_true(n > 12 && memmem(reply, (size_t)n, said, sizeof said - 1));
    }
    unsigned rcode = DNS_RCODE_SERVFAIL;
    assert_int_equal(addr_parse(&server, "127.0.0.1", port), 0);
    for (int64_t end = clock_mono_ms(clock_system()) + 10000;
         rcode == DNS_RCODE_SERVFAIL && clock_mono_ms(clock_system()) < end;) {
        struct arena a;
        struct lab_reply r;
        arena_init(&a, 0, 0);
        assert_int_equal(lab_ask(&server, "www.world", "A", true, &a, &r), 0);
        rcode = r.msg.rcode;
        arena_fini(&a);
        poll(NULL, 0, 5);
    }
    assert_int_equal(rcode, DNS_RCODE_NOERROR);
    query[13] = 'z'; /* www was perhaps too quick for anybody to give way */
    loopback_send(fd, query, sizeof query - 1);
    ssize_t n = recv(fd, reply, sizeof reply, 0);
    assert_true(n > 13 && reply[13] == 'a' && memmem(reply, (size_t)n, gone, sizeof gone - 1));
    assert_int_equal(count(&l, "waypost_resolver_limit_in_flight_total"), 1);
    assert_true(count(&l, "waypost_route_overload_total") >= ASKED - KEPT);
    close(fd);
    close(silent[0]);
    close(silent[1]);
    live_stop(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(completed),
                                       cmocka_unit_test(asked_in_octets), cmocka_unit_test(subnets),
                                       cmocka_unit_test(prefetched), cmocka_unit_test(gives_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
