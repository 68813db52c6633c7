/* A whole server under damaged packets: 100,000 at the UDP listener, 100,000 at the TCP listener
 * and 100,000 as replies from upstream. It must not fall, go on answering between the blocks, and
 * keep within its memory. The damage is repeatable: MUTATED_SEED, printed at the start. */
/* alone */
/* folders: base dns net authority resolver config daemon lab */
#include "base/clock.h"
#include "base/cursor.h"
#include "base/rng.h"
#include "daemon/server.h"
#include "lab/client.h"
#include "loopback.h"

#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WANTED       100000u
#define ROOTS        16          /* addresses of the false root servers, 127.60.0.1 and up */
#define CACHE_BYTES  (4u << 20)  /* as configured below */
#define HEAP_SLACK   (12u << 20) /* records of recent queries, connections, what is in flight */
#define CLIENTS      4
#define MAX_PACKET   2048
#define GIVE_UP_POLL 20000

#if defined __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define RSS_SLACK (400L << 20) /* freed memory waits in quarantine */
#else
#define RSS_SLACK (CACHE_BYTES + (128L << 20)) /* what walks in flight may hold at once */
#endif

/* Octets in use on the heap: what is freed does not count, whatever the allocator keeps of it. */
static size_t heap_bytes(void)
{
#if defined __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
#endif
}

static long rss_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

/* ---- damage ---- */

/* One to four wounds behind the first `keep` octets; the new length. */
static size_t mutate(struct rng *r, uint8_t *p, size_t len, size_t cap, size_t keep)
{
    static const uint8_t nasty[] = {0, 1, 0x3f, 0x40, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned n = 1 + rng_below(r, 4); n && len > keep; n--) {
        size_t room = len - keep, at = keep + rng_below(r, (uint32_t)room), other, span;
        switch (rng_below(r, 9)) {
        case 0: /* a bit */
            p[at] ^= (uint8_t)(1u << rng_below(r, 8));
            break;
        case 1: /* an octet that means something to a parser */
            p[at] = nasty[rng_below(r, sizeof nasty)];
            break;
        case 2: /* the end is missing */
            len = at;
            break;
        case 3: /* a pointer: into itself, forward, back, beyond the end */
            p[at] = (uint8_t)(0xc0 | rng_below(r, 2));
            if (at + 1 < len)
                p[at + 1] = (uint8_t)(rng_below(r, 2) ? at : rng_below(r, 256));
            break;
        case 4: /* a length or type */
            if (at + 1 < len)
                put_u16(p + at, rng_u16(r));
            break;
        case 5: /* counts */
            put_u16(p + 4 + 2 * (keep > 12 ? 1 + rng_below(r, 3) : rng_below(r, 4)),
                    (uint16_t)(rng_below(r, 2) ? rng_below(r, 4) : rng_u16(r)));
            break;
        case 6: /* splice: one part over another */
            other = keep + rng_below(r, (uint32_t)room);
            span = rng_below(r, (uint32_t)(len - (at > other ? at : other)) + 1);
            memmove(p + at, p + other, span);
            break;
        case 7: /* a part twice: sections, OPT records */
            span = rng_below(r, (uint32_t)(len - at)) + 1;
            if (len + span <= cap) {
                memmove(p + at + span, p + at, len - at);
                len += span;
            }
            break;
        default: /* rubbish behind the end */
            span = rng_below(r, 64);
            if (len + span <= cap) {
                rng_bytes(r, p + len, span);
                len += span;
            }
        }
        if (len < 12)
            break;
    }
    return len;
}

/* ---- questions ---- */

static void put_name(struct wcur *c, const char *text)
{
    uint8_t name[DNS_NAME_MAX];
    int n = dns_name_parse(name, text, strlen(text), NULL);
    assert_true(n > 0);
    wcur_bytes(c, name, (size_t)n);
}

static void put_head(struct wcur *c, uint16_t id, uint16_t flags, const uint16_t counts[4])
{
    wcur_u16(c, id);
    wcur_u16(c, flags);
    for (unsigned i = 0; i < 4; i++)
        wcur_u16(c, counts[i]);
}

static void put_question(struct wcur *c, const char *name, uint16_t type)
{
    put_name(c, name);
    wcur_u16(c, type);
    wcur_u16(c, 1);
}

/* Type, class, TTL and RDATA; the owner is written already. */
static void put_rr(struct wcur *c, uint16_t type, uint16_t cls, uint32_t ttl, const void *rdata,
                   size_t len)
{
    wcur_u16(c, type);
    wcur_u16(c, cls);
    wcur_u32(c, ttl);
    wcur_u16(c, (uint16_t)len);
    wcur_bytes(c, rdata, len);
}

static void put_opt(struct wcur *c, const void *options, size_t len)
{
    wcur_u8(c, 0);
    put_rr(c, 41, 1232, 0x8000, options, len);
}

enum seed { SEED_PLAIN, SEED_EDNS, SEED_TSIG, SEED_BIG, SEED_MULTI, SEED_UPDATE, SEEDS };

/* A query as somebody could send it; about half are for our own zone. */
static size_t make_query(struct rng *r, uint8_t *out)
{
    /* NSID, ECS, cookie, keepalive, padding, expire, unknown */
    static const uint8_t options[] =
        "\0\3\0\0\0\10\0\7\0\1\30\0\300\0\2\0\12\0\10abcdefgh\0\13\0\0\0\14\0\4\0\0\0\0\0\11\0\0"
        "\377\1\0\3xyz";
    static const uint8_t tsig[] = "\10hmac-md5\7sig-alg\3reg\3int\0\0\0abcd\1\54\0\20"
                                  "0123456789abcdef\0\1\0\0\0\0";
    static const uint16_t types[] = {1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 46, 47, 64, 252, 255};
    struct wcur c = wcur_of(out, MAX_PACKET);
    char name[64];
    enum seed s = rng_below(r, SEEDS);
    uint16_t n = (uint16_t)(s == SEED_MULTI ? 2 + rng_below(r, 3) : 1);
    uint16_t extra = s == SEED_EDNS || s == SEED_TSIG, big = s == SEED_BIG ? 40 : 0;
    put_head(&c, rng_u16(r),
             s == SEED_UPDATE  ? 0x2800
             : rng_below(r, 2) ? 0x0100
                               : 0x0010,
             (const uint16_t[4]){n, big, 0, extra});
    for (unsigned i = 0; i < n; i++) {
        if (rng_below(r, 2))
            snprintf(name, sizeof name, "%s.own.test",
                     (const char *[]){"www", "mail", "a.b", "x.wild"}[rng_below(r, 4)]);
        else
            snprintf(name, sizeof name, "q%u.t%u", rng_below(r, 1000), rng_below(r, 100000));
        put_question(&c, name, types[rng_below(r, sizeof types / sizeof *types)]);
    }
    for (unsigned i = 0; i < big; i++) {
        wcur_u16(&c, 0xc00c);
        put_rr(&c, 16, 1, 60, "\37abcdefghijklmnopqrstuvwxyz01234", 32);
    }
    if (s == SEED_EDNS)
        put_opt(&c, options, sizeof options - 1);
    if (s == SEED_TSIG) {
        put_name(&c, "key.own.test");
        put_rr(&c, 250, 255, 0, tsig, sizeof tsig - 1);
    }
    assert_int_equal(wcur_err(&c), 0);
    return wcur_len(&c);
}

/* ---- upstream: root servers that answer everything, wrongly ---- */

struct upstream_peer {
    uint16_t port;
    int udp[ROOTS], tcp[ROOTS];
    struct rng rng;
    uv_thread_t thread;
    _Atomic bool stop;
    _Atomic unsigned replies;
};

/* A good reply to q, of some kind; *question_end: where the sections start. 0: not a question. */
static size_t make_reply(struct rng *r, const uint8_t *q, size_t len, bool tcp, uint8_t *out,
                         size_t *question_end)
{
    static const uint8_t soa[] = "\1a\0\1b\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    static const uint8_t ede[] = "\0\17\0\6\0\26text";
    static const uint8_t target[] = "\3www\1x\0";
    uint8_t glue[4] = {127, 60, 0, (uint8_t)(1 + rng_below(r, ROOTS))};
    size_t at = 12;
    while (at < len && q[at])
        at += 1u + q[at];
    at += 5;
    if (len < 17 || at > len)
        return 0;
    unsigned kind = rng_below(r, 8), opt = rng_below(r, 2);
    struct wcur c = wcur_of(out, MAX_PACKET);
    uint16_t flags = kind == 1 ? 0x8403 : kind == 5 && !tcp ? 0x8600 : kind == 3 ? 0x8000 : 0x8400;
    uint16_t an = kind == 0 || kind == 4 || kind == 7 ? 1 : kind == 6 ? 20 : 0;
    uint16_t ns = kind == 1 || kind == 2 || kind == 3;
    put_head(&c, get_u16(q), flags, (const uint16_t[4]){1, an, ns, (uint16_t)(opt + (kind == 3))});
    wcur_bytes(&c, q + 12, at - 12);
    *question_end = at;
    for (unsigned i = 0; i < an; i++) {
        wcur_u16(&c, 0xc00c);
        if (kind == 4)
            put_rr(&c, 5, 1, 5, target, sizeof target - 1);
        else if (kind == 6)
            put_rr(&c, 16, 1, 5, "\37abcdefghijklmnopqrstuvwxyz01234", 32);
        else if (kind == 7)
            put_rr(&c, 39, 1, 5, target, sizeof target - 1);
        else
            put_rr(&c, get_u16(q + at - 4), 1, 300, glue, 4);
    }
    if (ns && kind != 3) {
        wcur_u8(&c, 0);
        put_rr(&c, 6, 1, 5, soa, sizeof soa - 1);
    } else if (ns) {
        wcur_u16(&c, 0xc00c);
        put_rr(&c, 2, 1, 5, "\2ns\300\14", 5);
        wcur_bytes(&c, "\2ns\300\14", 5);
        put_rr(&c, 1, 1, 5, glue, 4);
    }
    if (opt)
        put_opt(&c, ede, sizeof ede - 1);
    assert_int_equal(wcur_err(&c), 0);
    return wcur_len(&c);
}

/* Mostly damaged behind the question, so that it is looked at; some anywhere. */
static size_t make_damaged(struct upstream_peer *u, const uint8_t *q, size_t len, bool tcp,
                           uint8_t *out)
{
    size_t keep = 0, n = make_reply(&u->rng, q, len, tcp, out, &keep);
    return n ? mutate(&u->rng, out, n, MAX_PACKET, rng_below(&u->rng, 16) ? keep : 0) : 0;
}

static void peer_udp(struct upstream_peer *u, int fd)
{
    uint8_t q[MAX_PACKET], out[MAX_PACKET];
    struct sockaddr_storage ss;
    for (unsigned i = 0; i < 64; i++) {
        socklen_t sslen = sizeof ss;
        ssize_t n = recvfrom(fd, q, sizeof q, MSG_DONTWAIT, (struct sockaddr *)&ss, &sslen);
        if (n < 0)
            return;
        size_t len = make_damaged(u, q, (size_t)n, false, out);
        if (sendto(fd, out, len, MSG_DONTWAIT, (struct sockaddr *)&ss, sslen) >= 0)
            atomic_fetch_add(&u->replies, 1);
    }
}

/* One question, one reply whose length is not always true, and the end. */
static void peer_tcp(struct upstream_peer *u, int listener)
{
    uint8_t q[2 + MAX_PACKET], out[2 + MAX_PACKET];
    int fd = accept(listener, NULL, NULL);
    struct timeval soon = {.tv_usec = 50000};
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    ssize_t n = recv(fd, q, sizeof q, 0);
    if (n > 2) {
        size_t len = make_damaged(u, q + 2, (size_t)n - 2, true, out + 2);
        put_u16(out, (uint16_t)(rng_below(&u->rng, 4) ? len : rng_below(&u->rng, 2 * MAX_PACKET)));
        if (send(fd, out, len + 2, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            atomic_fetch_add(&u->replies, 1);
    }
    close(fd);
}

static void peer_thread(void *arg)
{
    struct upstream_peer *u = arg;
    struct pollfd p[2 * ROOTS];
    for (unsigned i = 0; i < 2 * ROOTS; i++)
        p[i] = (struct pollfd){.fd = i < ROOTS ? u->udp[i] : u->tcp[i - ROOTS], .events = POLLIN};
    while (!atomic_load(&u->stop)) {
        poll(p, 2 * ROOTS, 50);
        for (unsigned i = 0; i < 2 * ROOTS; i++) {
            if (!(p[i].revents & POLLIN))
                continue;
            if (i < ROOTS)
                peer_udp(u, p[i].fd);
            else
                peer_tcp(u, p[i].fd);
        }
    }
}

static void peer_open(struct upstream_peer *u, uint64_t seed)
{
    rng_init_fixed(&u->rng, seed);
    for (unsigned i = 0; i < ROOTS; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "127.60.0.%u", i + 1);
        u->udp[i] = loopback_bind(ip, SOCK_DGRAM, &u->port);
        u->tcp[i] = loopback_bind(ip, SOCK_STREAM, &u->port);
    }
    assert_int_equal(uv_thread_create(&u->thread, peer_thread, u), 0);
}

static void peer_close(struct upstream_peer *u)
{
    atomic_store(&u->stop, true);
    uv_thread_join(&u->thread);
    for (unsigned i = 0; i < ROOTS; i++) {
        close(u->udp[i]);
        close(u->tcp[i]);
    }
}

/* ---- the server ---- */

struct fixture {
    struct upstream_peer peer;
    struct server *server;
    struct addr addr;
    char folder[64];
    struct rng rng;
    size_t heap;
    long rss;
    int fd[CLIENTS];
};

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void remove_files(const struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/own.zone", f->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/hints.zone", f->folder);
    unlink(path);
    rmdir(f->folder);
}

static void write_files(struct fixture *f)
{
    char hints[4096] = "";
    size_t n = 0;
    snprintf(f->folder, sizeof f->folder, "/tmp/waypost-mutated-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    for (unsigned i = 0; i < ROOTS; i++)
        n += (size_t)snprintf(hints + n, sizeof hints - n,
                              ". 3600 NS r%u.root.\nr%u.root. 3600 A 127.60.0.%u\n", i, i, i + 1);
    write_file(f, "hints.zone", hints);
    write_file(f, "own.zone",
               "$ORIGIN own.test.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\n"
               "ns A 192.0.2.1\nwww A 192.0.2.80\nmail MX 10 www\na.b CNAME www\n"
               "*.wild TXT \"any\"\nd DNAME wild\nsub NS ns.sub\nns.sub A 192.0.2.2\n");
}

static int start_server(struct fixture *f)
{
    char text[2048];
    struct diag_list diags;
    struct config *c = NULL;
    uint16_t port = 0;
    close(loopback_bind("127.0.0.1", SOCK_DGRAM, &port));
    addr_parse(&f->addr, "127.0.0.1", port);
    snprintf(text, sizeof text,
             "server: { workers: 2, log: error, drain: 0s }\n"
             "listen: [ { address: 127.0.0.1, port: %u, role: [authority, resolver] } ]\n"
             "zones: [ { name: own.test, file: %s/own.zone } ]\n"
             "resolver:\n  allow: [127.0.0.0/8]\n  root-hints: %s/hints.zone\n"
             "  upstream-port: %u\n  ask-loopback: yes\n  priming: no\n  special-zones: no\n"
             "  ipv6: no\n  cache: { size: 4M }\n"
             "  limits: { work-per-query: 12, query-time: 600ms }\n",
             port, f->folder, f->folder, f->peer.port);
    diag_init(&diags);
    int err = config_load_mem(&c, "mutated", text, strlen(text), &diags);
    err = err ? err : server_start(&f->server, c, &(struct server_place){0}, &diags);
    if (err && err != ERR_IN_USE)
        diag_print(&diags, stderr, 0);
    diag_fini(&diags);
    return err;
}

static uint64_t server_count(struct fixture *f, const char *name)
{
    char want[64];
    snprintf(want, sizeof want, "waypost_%s", name);
    json_t *all = server_report_stats(f->server);
    const json_t *v = json_object_get(all, want);
    assert_non_null(v);
    uint64_t n = (uint64_t)json_integer_value(v);
    json_decref(all);
    return n;
}

/* Our own zone is answered, exactly. */
static void expect_good(struct fixture *f, const char *when)
{
    static const uint8_t want[4] = {192, 0, 2, 80};
    struct arena a;
    struct lab_reply reply;
    arena_init(&a, 16384, 0);
    int err = lab_ask(&f->addr, "www.own.test", "A", false, &a, &reply);
    if (err || reply.msg.rcode || !reply.msg.rr_count || reply.msg.rrs[0].rdlen != 4 ||
        memcmp(reply.msg.rrs[0].rdata, want, 4) != 0)
        fail_msg("%s: own zone not answered (%s)", when, err_name(err));
    arena_fini(&a);
}

/* Over TCP, with the idle time offered (RFC 7828). */
static void expect_good_tcp(struct fixture *f)
{
    static const uint8_t query[] = "\0\50\22\64\0\0\0\1\0\0\0\0\0\1\3www\3own\4test\0\0\1\0\1"
                                   "\0\0\51\4\320\0\0\0\0\0\4\0\13\0\0";
    uint8_t head[2], bytes[512];
    uint8_t whole[sizeof query - 1];
    struct arena a;
    struct dns_msg m;
    memcpy(whole, query, sizeof whole);
    put_u16(whole, sizeof whole - 2);
    int fd = loopback_connect("127.0.0.1", SOCK_STREAM, f->addr.port);
    loopback_send(fd, whole, sizeof whole);
    assert_int_equal(recv(fd, head, 2, MSG_WAITALL), 2);
    size_t len = get_u16(head);
    assert_true(len <= sizeof bytes);
    assert_int_equal(recv(fd, bytes, len, MSG_WAITALL), len);
    arena_init(&a, 4096, 0);
    assert_int_equal(dns_msg_parse(&m, bytes, len, &a, 64), 0);
    assert_int_equal(m.rcode, 0);
    assert_true(m.edns.keepalive && m.edns.keepalive_100ms == 100);
    arena_fini(&a);
    close(fd);
}

static struct fixture *fixture_open(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *given = getenv("MUTATED_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20240601;
    printf("MUTATED_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    rng_init_fixed(&f->rng, seed);
    peer_open(&f->peer, seed + 1);
    write_files(f);
    int err = ERR_IN_USE;
    for (unsigned i = 0; i < 5 && err == ERR_IN_USE; i++) /* the free port may be taken meanwhile */
        err = start_server(f);
    assert_int_equal(err, 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        f->fd[i] = loopback_connect("127.0.0.1", SOCK_DGRAM, f->addr.port);
    expect_good(f, "at the start");
    f->heap = heap_bytes();
    f->rss = rss_bytes();
    return f;
}

/* Both bounds, once what is in flight (each with an arena of its own) has ended; the number of KiB
 * that the heap grew. */
static long expect_bounded(struct fixture *f, const char *when)
{
    size_t bound = f->heap + CACHE_BYTES + HEAP_SLACK, heap;
    int64_t end = clock_mono_ms(clock_system()) + GIVE_UP_POLL;
    while ((heap = heap_bytes()) > bound && clock_mono_ms(clock_system()) < end)
        poll(NULL, 0, 5);
    long rss = rss_bytes(), grown = ((long)heap - (long)f->heap) / 1024;
    if (heap > bound || rss > f->rss + RSS_SLACK)
        fail_msg("%s: heap +%ld KiB, rss +%ld KiB", when, grown, (rss - f->rss) / 1024);
    return grown;
}

/* The last word on each of the three. */
static void fixture_close(struct fixture *f)
{
    expect_good(f, "at the end");
    expect_good_tcp(f);
    printf("heap +%ld KiB\n", expect_bounded(f, "at the end"));
    for (unsigned i = 0; i < CLIENTS; i++)
        close(f->fd[i]);
    server_free(f->server);
    peer_close(&f->peer);
    remove_files(f);
    free(f);
}

/* ---- the three ---- */

/* What came back is thrown away; the number of datagrams. */
static unsigned swallow(struct fixture *f)
{
    unsigned n = 0;
    uint8_t got[4096];
    for (unsigned i = 0; i < CLIENTS; i++)
        while (recv(f->fd[i], got, sizeof got, MSG_DONTWAIT) >= 0)
            n++;
    return n;
}

/* A question that is answered says that the server took all before it from this socket. */
static void udp_sync(int fd, uint16_t id)
{
    uint8_t q[64], got[4096];
    struct wcur c = wcur_of(q, sizeof q);
    put_head(&c, id, 0, (const uint16_t[4]){1, 0, 0, 0});
    put_question(&c, "www.own.test", 1);
    loopback_send(fd, q, wcur_len(&c));
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, GIVE_UP_POLL) != 1)
            fail_msg("no answer to a good question");
        ssize_t n = recv(fd, got, sizeof got, 0);
        size_t at = wcur_len(&c) + 12; /* the first answer's RDATA: its owner is a pointer */
        if (n >= (ssize_t)at + 4 && get_u16(got) == id && get_u16(got + 6) == 1 &&
            !memcmp(got + at, "\300\0\2\120", 4))
            return;
    }
}

static void udp_queries(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    uint8_t q[MAX_PACKET];
    unsigned sent = 0;
    for (unsigned block = 0; sent < WANTED; block++) {
        int fd = f->fd[block % CLIENTS];
        for (unsigned i = 0; i < 64; i++, sent++) {
            size_t len = mutate(&f->rng, q, make_query(&f->rng, q), sizeof q, 0);
            loopback_send(fd, q, len);
        }
        udp_sync(fd, (uint16_t)block);
        swallow(f);
    }
    assert_true(server_count(f, "net_udp_received_total") >= WANTED);
    printf("%u sent, %llu received, formerr %llu, resolved %llu\n", sent,
           (unsigned long long)server_count(f, "net_udp_received_total"),
           (unsigned long long)server_count(f, "route_formerr_total"),
           (unsigned long long)server_count(f, "route_resolved_total"));
    fixture_close(f);
}

#define STREAMS 16
#define FRAMES  100

struct stream_client {
    int fd;
    size_t len, sent;
    bool shut;
    uint8_t bytes[FRAMES * (MAX_PACKET + 2)];
};

/* Many damaged messages; in every fourth stream a length is wrong too, and all behind it is
 * shifted.
 */
static void stream_fill(struct fixture *f, struct stream_client *s)
{
    bool shifted = !rng_below(&f->rng, 4);
    unsigned wrong = rng_below(&f->rng, FRAMES);
    s->len = s->sent = 0;
    s->shut = false;
    for (unsigned i = 0; i < FRAMES; i++) {
        uint8_t *p = s->bytes + s->len;
        size_t len = mutate(&f->rng, p + 2, make_query(&f->rng, p + 2), MAX_PACKET, 0);
        put_u16(p, (uint16_t)(shifted && i == wrong ? rng_below(&f->rng, 300) : len));
        s->len += len + 2;
    }
    s->fd = loopback_connect("127.0.0.1", SOCK_STREAM, f->addr.port);
}

/* Writes and reads what goes; false when the server has ended the stream. */
static bool stream_turn(struct stream_client *s, short events)
{
    static uint8_t got[65536];
    if (events & POLLOUT && s->sent < s->len) {
        size_t n = s->len - s->sent < 3000 ? s->len - s->sent : 3000; /* frames are cut anywhere */
        ssize_t done = send(s->fd, s->bytes + s->sent, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0)
            return false;
        s->sent += (size_t)done;
    }
    if (s->sent == s->len && !s->shut) {
        shutdown(s->fd, SHUT_WR);
        s->shut = true;
    }
    return !(events & (POLLIN | POLLHUP | POLLERR)) ||
           recv(s->fd, got, sizeof got, MSG_DONTWAIT) > 0;
}

static void tcp_queries(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct stream_client *s = calloc(STREAMS, sizeof *s);
    struct pollfd p[STREAMS];
    unsigned ended = 0;
    for (unsigned i = 0; i < STREAMS; i++)
        stream_fill(f, &s[i]);
    while (server_count(f, "net_tcp_queries_total") < WANTED) {
        for (unsigned i = 0; i < STREAMS; i++)
            p[i] = (struct pollfd){.fd = s[i].fd, .events = POLLIN | (s[i].shut ? 0 : POLLOUT)};
        assert_true(poll(p, STREAMS, GIVE_UP_POLL) > 0); /* each comes to its end */
        for (unsigned i = 0; i < STREAMS; i++) {
            if (!p[i].revents || stream_turn(&s[i], p[i].revents))
                continue;
            close(s[i].fd);
            if (++ended % 50 == 0)
                expect_good(f, "between streams");
            stream_fill(f, &s[i]);
        }
    }
    printf("%u streams, %llu messages, stalled %llu\n", ended,
           (unsigned long long)server_count(f, "net_tcp_queries_total"),
           (unsigned long long)server_count(f, "net_tcp_stalled_total"));
    for (unsigned i = 0; i < STREAMS; i++)
        close(s[i].fd);
    free(s);
    fixture_close(f);
}

/* A name that was never asked, so that upstream must be. */
static void ask_upstream(struct fixture *f, unsigned n)
{
    uint8_t q[128];
    char name[64];
    struct wcur c = wcur_of(q, sizeof q);
    snprintf(name, sizeof name, "www.d%u.h%u", n % 7, n);
    put_head(&c, (uint16_t)n, 0x0100, (const uint16_t[4]){1, 0, 0, 1});
    put_question(&c, name, n % 5 ? 1 : 16);
    put_opt(&c, "", 0);
    loopback_send(f->fd[n % CLIENTS], q, wcur_len(&c));
}

/* False roots soon have a server believe that all names are aliases and all its servers are ill,
 * and then it asks little: a fresh one takes over after some thousand replies. */
static void renew_server(struct fixture *f)
{
    int err = ERR_IN_USE;
    expect_good(f, "before a renewal");
    server_free(f->server);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(f->fd[i]);
    for (unsigned i = 0; i < 5 && err == ERR_IN_USE; i++)
        err = start_server(f);
    assert_int_equal(err, 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        f->fd[i] = loopback_connect("127.0.0.1", SOCK_DGRAM, f->addr.port);
}

static void upstream_replies(void **state)
{
    (void)state;
    enum { WINDOW = 768, LUMP = 64, RENEW = 2000, STALE = 1000 };
    struct fixture *f = fixture_open();
    unsigned asked = 0, open = 0, idle = 0, stale = 0;
    uint64_t before = 0, taken = 0, was; /* matched: by servers that are gone, by this one */
    while (before + taken < WANTED) {
        for (unsigned i = 0; i < LUMP && open < WINDOW; i++, open++)
            ask_upstream(f, asked++);
        struct pollfd p[CLIENTS];
        for (unsigned i = 0; i < CLIENTS; i++)
            p[i] = (struct pollfd){.fd = f->fd[i], .events = POLLIN};
        if (poll(p, CLIENTS, 2000) == 0) { /* lost on the way: the window starts again */
            open = 0;
            assert_true(++idle < 10);
        }
        unsigned n = swallow(f);
        open -= n < open ? n : open;
        was = taken;
        taken = server_count(f, "net_upstream_replies_total");
        stale = taken == was ? stale + 1 : 0;
        /* A damaged reply that is the peer's to give (a DNAME or NXDOMAIN above all names) may stay
         * in the cache for a day, and nothing is asked any more. */
        if ((taken >= RENEW || stale == STALE) && before + taken < WANTED) {
            stale = 0;
            if (before % (16 * RENEW) < RENEW)
                expect_bounded(f, "before a renewal");
            before += taken;
            taken = 0;
            renew_server(f);
            open = 0;
        }
    }
    printf("%u asked, %u damaged replies, %llu matched\n", asked, atomic_load(&f->peer.replies),
           (unsigned long long)(before + taken));
    assert_true(atomic_load(&f->peer.replies) >= WANTED);
    fixture_close(f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    const struct CMUnitTest tests[] = {cmocka_unit_test(udp_queries), cmocka_unit_test(tcp_queries),
                                       cmocka_unit_test(upstream_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
