/* Authority, steered names and cache hits through the real socket loop of a whole server: no heap
 * allocation and no lock per query. malloc's family and pthread's locks are wrapped at link time,
 * which sees every call from our own code; under ASan its hooks count allocations of the libraries
 * too. */
/* folders: base dns net geo authority gslb resolver config daemon lab */
/* wrap: malloc calloc realloc free aligned_alloc posix_memalign */
/* wrap: pthread_mutex_lock pthread_mutex_trylock pthread_rwlock_rdlock pthread_rwlock_wrlock */
/* wrap: pthread_spin_lock pthread_cond_wait uv_mutex_lock uv_mutex_trylock uv_rwlock_rdlock */
#include "base/rng.h"
#include "dns/msg_write.h"
#include "dns/name.h"
#include "live.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#define QUERIES 100000
#define WINDOW  64
#define SHAPES  64
#define BURST   16

/* ---- counting ---- */

static _Atomic uint64_t heap_calls, lock_calls;

#define WRAP(type, name, params, args, counter) \
    type __real_##name params;                  \
    type __wrap_##name params;                  \
    type __wrap_##name params                   \
    {                                           \
        atomic_fetch_add(&(counter), 1);        \
        return __real_##name args;              \
    }
WRAP(void *, malloc, (size_t n), (n), heap_calls)
WRAP(void *, calloc, (size_t n, size_t m), (n, m), heap_calls)
WRAP(void *, realloc, (void *p, size_t n), (p, n), heap_calls)
WRAP(void *, aligned_alloc, (size_t a, size_t n), (a, n), heap_calls)
WRAP(int, posix_memalign, (void **p, size_t a, size_t n), (p, a, n), heap_calls)
WRAP(void, free, (void *p), (p), heap_calls)
WRAP(int, pthread_mutex_lock, (pthread_mutex_t * m), (m), lock_calls)
WRAP(int, pthread_mutex_trylock, (pthread_mutex_t * m), (m), lock_calls)
WRAP(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l), lock_calls)
WRAP(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l), lock_calls)
WRAP(int, pthread_spin_lock, (pthread_spinlock_t * l), (l), lock_calls)
WRAP(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t *m), (c, m), lock_calls)
WRAP(void, uv_mutex_lock, (uv_mutex_t * m), (m), lock_calls)
WRAP(int, uv_mutex_trylock, (uv_mutex_t * m), (m), lock_calls)
WRAP(void, uv_rwlock_rdlock, (uv_rwlock_t * l), (l), lock_calls)

/* ASan's own way of counting; absent elsewhere. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    atomic_fetch_add(&heap_calls, 1);
}

static void on_free(const volatile void *p)
{
    if (p)
        atomic_fetch_add(&heap_calls, 1);
}

/* ---- the server ---- */

struct fixture {
    struct live live;
    uint16_t authority, resolver;
};

/* Every policy that draws, hashes or takes turns, by a map and without one. */
#define MEMBERS \
    "members: { x: { address: [192.0.2.1, \"2001:db8::1\"], weight: 3 }, y: 192.0.2.2 } }\n"
#define STEERING                                                                          \
    "gslb:\n"                                                                             \
    "  sites: { a: { at: [50, 8] }, b: { at: [39, -77] } }\n"                             \
    "  maps:\n"                                                                           \
    "    m:\n"                                                                            \
    "      overlay: [{ networks: [198.51.100.0/24], prefer: { a: 70, b: 30 } }]\n"        \
    "      otherwise: [b]\n"                                                              \
    "  pools:\n"                                                                          \
    "    a: { site: a, choose: weighted, " MEMBERS                                        \
    "    b: { site: b, choose: { by: all, order: shuffled }, " MEMBERS                    \
    "    h: { choose: hash, " MEMBERS "    c: { choose: consistent, " MEMBERS             \
    "    s: { choose: sticky, " MEMBERS "    r: { choose: weighted-round-robin, " MEMBERS \
    "    l: { choose: least-load, " MEMBERS "  names:\n"                                  \
    "    www.steer.test: { map: m, pools: [a, b] }\n"                                     \
    "    \"*.h.steer.test\": { pools: [h] }\n    c.steer.test: { pools: [c] }\n"          \
    "    s.steer.test: { pools: [s] }\n    r.steer.test: { pools: [r] }\n"                \
    "    l.steer.test: { pools: [l] }\n"

static int start(void **state)
{
    static struct fixture f;
    struct live *l = &f.live;
    live_init(l);
    f.authority = live_port();
    do
        f.resolver = live_port();
    while (f.resolver == f.authority);
    live_file(l, "root.zone",
              "$TTL 3600\n@ SOA a. h. 1 3600 600 604800 3600\n@ NS a.root.\na.root. A 127.0.0.1\n"
              "test. NS ns.test.\nns.test. A 127.0.0.1\n");
    live_file(l, "test.zone",
              "$TTL 3600\n@ SOA ns h 1 3600 600 604800 3600\n@ NS ns\nns A 127.0.0.1\n"
              "$GENERATE 0-63 n$ A 192.0.2.$\n$GENERATE 0-63 n$ AAAA 2001:db8::$\n"
              "alias CNAME n1\n*.wild A 192.0.2.77\n");
    live_file(l, "steer.zone",
              "$TTL 3600\n@ SOA ns h 1 3600 600 604800 3600\n@ NS ns\n"
              "ns A 127.0.0.1\nalias CNAME www\n");
    live_file(l, "hints", ". 3600 NS a.root.\na.root. 3600 A 127.0.0.1\n");
    live_file(l, "conf.yaml",
              "server: { workers: 1, control: none, log: error }\n"
              "listen:\n"
              "  - { address: 127.0.0.1, port: %u, role: authority }\n"
              "  - { address: 127.0.0.1, port: %u, role: resolver }\n"
              "zones:\n  - { name: ., file: root.zone }\n  - { name: test, file: test.zone }\n"
              "  - { name: steer.test, file: steer.zone }\n"
              "  - { name: nsec3.test, file: " WAYPOST_SOURCE_DIR "/tests/data/nsec3.test.zone }\n"
              "resolver: { root-hints: hints, upstream-port: %u, ask-loopback: yes, "
              "special-zones: no }\n" STEERING,
              f.authority, f.resolver, f.authority);
    live_start(l);
    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    *state = &f;
    return 0;
}

static int stop(void **state)
{
    live_stop(&((struct fixture *)*state)->live);
    return 0;
}

/* ---- the client: no heap, no lock either ---- */

struct shapes {
    uint8_t bytes[SHAPES][128];
    size_t len[SHAPES];
};

enum kind { PLAIN, SIGNED, STEERED };

/* Every kind of hit: sets, several types, aliases, wildcards, no data, no such name; with and
 * without EDNS, DO, a cookie, a client subnet. */
static void make_shapes(struct shapes *s, enum kind kind)
{
    struct shape {
        const char *name;
        uint16_t type;
    };
    static const struct shape plain[] = {
        {"n%u.test.", DNS_TYPE_A},    {"n%u.test.", DNS_TYPE_AAAA},   {"N%u.TEST.", DNS_TYPE_A},
        {"alias.test.", DNS_TYPE_A},  {"x%u.wild.test.", DNS_TYPE_A}, {"n%u.test.", DNS_TYPE_MX},
        {"none%u.test.", DNS_TYPE_A}, {"test.", DNS_TYPE_NS}};
    static const struct shape proven[] = {
        /* proofs with NSEC3 */
        {"none%u.nsec3.test.", DNS_TYPE_A},    {"a.b.none%u.nsec3.test.", DNS_TYPE_A},
        {"www.nsec3.test.", DNS_TYPE_MX},      {"x%u.wild.nsec3.test.", DNS_TYPE_TXT},
        {"x%u.wild.nsec3.test.", DNS_TYPE_A},  {"x%u.walias.nsec3.test.", DNS_TYPE_A},
        {"x%u.child.nsec3.test.", DNS_TYPE_A}, {"www.nsec3.test.", DNS_TYPE_A}};
    static const struct shape steered[] = {
        {"www.steer.test.", DNS_TYPE_A},   {"www.steer.test.", DNS_TYPE_AAAA},
        {"alias.steer.test.", DNS_TYPE_A}, {"x%u.h.steer.test.", DNS_TYPE_A},
        {"c.steer.test.", DNS_TYPE_AAAA},  {"s.steer.test.", DNS_TYPE_A},
        {"r.steer.test.", DNS_TYPE_A},     {"l.steer.test.", DNS_TYPE_A}};
    static const struct shape *const kinds[] = {plain, proven, steered};
    bool is_signed = kind == SIGNED;
    for (unsigned i = 0; i < SHAPES; i++) {
        char text[64];
        uint8_t name[DNS_NAME_MAX];
        struct dns_writer w;
        const char *name_of = kinds[kind][i % 8].name;
        uint16_t type = kinds[kind][i % 8].type;
        snprintf(text, sizeof text, name_of, i);
        dns_name_parse(name, text, strlen(text), NULL);
        struct edns e = {
            .present = is_signed || i / 8 % 2, .size = 1232, .dnssec_ok = is_signed || i / 16 % 2};
        if (i >= SHAPES / 2 && e.present) {
            e.cookie_len = 8;
            memset(e.cookie, (int)i, 8);
            e.subnet = (struct edns_subnet){.family = 1, .source = 24, .ip = {198, 51, 100}};
        }
        dns_writer_init(&w, s->bytes[i], sizeof s->bytes[i]);
        dns_writer_question(&w, name, type, DNS_CLASS_IN);
        s->len[i] = dns_writer_finish(&w, (uint16_t)i, DNS_FLAG_RD, 0, &e, 0);
    }
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
}

/* Sends `count` questions in windows and takes every answer; all must be NOERROR or NXDOMAIN. */
static void ask_udp(int fd, const struct shapes *s, unsigned count)
{
    uint8_t buf[4096];
    for (unsigned sent = 0, got = 0; got < count;) {
        while (sent < count && sent - got < WINDOW) {
            unsigned i = sent++ % SHAPES;
            if (send(fd, s->bytes[i], s->len[i], 0) != (ssize_t)s->len[i])
                fail_msg("send failed");
        }
        wait_readable(fd);
        ssize_t n;
        while ((n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0) {
            if (n < 12 || (buf[3] & 15 && (buf[3] & 15) != DNS_RCODE_NXDOMAIN) || !(buf[2] & 0x80))
                fail_msg("answer %u: rcode %d", got, buf[3] & 15);
            got++;
        }
    }
}

static void read_exactly(int fd, uint8_t *buf, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, buf, n, 0);
        if (got <= 0)
            fail_msg("the connection ended");
        buf += got;
        n -= (size_t)got;
    }
}

static void ask_tcp(int fd, const struct shapes *s, unsigned count)
{
    uint8_t out[BURST * 130], buf[65535];
    for (unsigned done = 0; done < count; done += BURST) {
        size_t len = 0;
        for (unsigned k = 0; k < BURST; k++) {
            unsigned i = (done + k) % SHAPES;
            out[len++] = 0;
            out[len++] = (uint8_t)s->len[i];
            memcpy(out + len, s->bytes[i], s->len[i]);
            len += s->len[i];
        }
        if (send(fd, out, len, 0) != (ssize_t)len)
            fail_msg("send failed");
        for (unsigned k = 0; k < BURST; k++) {
            read_exactly(fd, buf, 2);
            read_exactly(fd, buf, (size_t)buf[0] << 8 | buf[1]);
            if (buf[3] & 15 && (buf[3] & 15) != DNS_RCODE_NXDOMAIN)
                fail_msg("rcode %d", buf[3] & 15);
        }
    }
}

static void check_counts(const char *what, uint64_t heap, uint64_t locks)
{
    print_message("%s: %llu heap calls, %llu lock calls in %d queries\n", what,
                  (unsigned long long)heap, (unsigned long long)locks, QUERIES);
    assert_int_equal(heap, 0);
    assert_int_equal(locks, 0);
}

static void count_over(uint16_t port, bool tcp, enum kind kind, const char *what)
{
    struct shapes s;
    make_shapes(&s, kind);
    int fd = live_connect(port, tcp ? SOCK_STREAM : SOCK_DGRAM);
    (tcp ? ask_tcp : ask_udp)(fd, &s, 4096); /* warm: caches, arenas, buffers */
    uint64_t heap = atomic_load(&heap_calls), locks = atomic_load(&lock_calls);
    (tcp ? ask_tcp : ask_udp)(fd, &s, QUERIES);
    heap = atomic_load(&heap_calls) - heap;
    locks = atomic_load(&lock_calls) - locks;
    close(fd);
    check_counts(what, heap, locks);
}

/* The counters themselves: a test that could not fail would be none. */
static void counters_count(void **state)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    struct rng rng;
    (void)state;
    uint64_t heap = atomic_load(&heap_calls), locks = atomic_load(&lock_calls);
    void *volatile p = malloc(16);
    free(p);
    assert_true(atomic_load(&heap_calls) >= heap + 2);
    pthread_mutex_lock(&m);
    pthread_mutex_unlock(&m);
    assert_int_equal(atomic_load(&lock_calls), locks + 1);
    assert_int_equal(rng_init(&rng), 0);
    rng_fini(&rng);
}

static void authority_udp(void **state)
{
    count_over(((struct fixture *)*state)->authority, false, PLAIN, "authority, udp");
}

static void proofs_udp(void **state)
{
    count_over(((struct fixture *)*state)->authority, false, SIGNED, "proofs, udp");
}

static void steered_udp(void **state)
{
    count_over(((struct fixture *)*state)->authority, false, STEERED, "steered, udp");
}

static void steered_tcp(void **state)
{
    count_over(((struct fixture *)*state)->authority, true, STEERED, "steered, tcp");
}

static void cached_udp(void **state)
{
    count_over(((struct fixture *)*state)->resolver, false, PLAIN, "cached, udp");
}

static void authority_tcp(void **state)
{
    count_over(((struct fixture *)*state)->authority, true, PLAIN, "authority, tcp");
}

static void cached_tcp(void **state)
{
    count_over(((struct fixture *)*state)->resolver, true, PLAIN, "cached, tcp");
}

/* A miss does allocate: what is not counted would be found here. */
static void miss_allocates(void **state)
{
    struct fixture *f = *state;
    struct shapes s;
    uint8_t name[DNS_NAME_MAX];
    struct dns_writer w;
    uint64_t heap = atomic_load(&heap_calls);
    int fd = live_connect(f->resolver, SOCK_DGRAM);
    dns_name_parse(name, "miss.wild.test.", 15, NULL);
    dns_writer_init(&w, s.bytes[0], sizeof s.bytes[0]);
    dns_writer_question(&w, name, DNS_TYPE_A, DNS_CLASS_IN);
    s.len[0] = dns_writer_finish(&w, 7, DNS_FLAG_RD, 0, NULL, 0);
    ask_udp(fd, &s, 1);
    close(fd);
    assert_true(atomic_load(&heap_calls) > heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_count), cmocka_unit_test(authority_udp),
        cmocka_unit_test(proofs_udp),     cmocka_unit_test(cached_udp),
        cmocka_unit_test(authority_tcp),  cmocka_unit_test(cached_tcp),
        cmocka_unit_test(steered_udp),    cmocka_unit_test(steered_tcp),
        cmocka_unit_test(miss_allocates),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
