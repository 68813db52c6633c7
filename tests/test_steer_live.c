/* A real server over a real socket against a slow and simple account of the same rules: 80,000 IPv4
 * and 20,000 IPv6 client subnets. Answers must be equal, IPv4 scopes exactly the widest network of
 * one answer (found by painting every /24 there is), IPv6 scopes true for other clients inside. */
/* alone */
/* folders: base dns net geo authority gslb resolver config daemon lab */
#include "base/cursor.h"
#include "base/rng.h"
#include "geo/write.h"
#include "live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLASH24 = 1 << 24, NETS4 = 8000, NETS6 = 6000, ASKS4 = 80000, ASKS6 = 20000, WINDOW = 64 };
enum { SITE_A, SITE_B, SITE_C, SITE_OTHER, MIXED = 255 };

static const struct {
    const char *country, *continent;
    uint8_t site;
} places[] = {{"DE", "EU", SITE_A},
              {"US", "NA", SITE_B},
              {"FR", "EU", SITE_C},
              {"SE", "EU", SITE_C},
              {"JP", "AS", SITE_OTHER}};

struct net6 {
    uint64_t high; /* upper half, zero beyond bits */
    uint8_t bits;  /* 28 .. 48 */
    uint8_t site;
};

struct world {
    struct rng rng;
    uint8_t *level[25]; /* level[L][i]: site of every /24 in the i-th network of L bits, or MIXED */
    struct net6 nets[NETS6];
    struct live live;
    int fd;
};

static uint64_t mask6(unsigned bits)
{
    return bits ? ~0ULL << (64 - bits) : 0;
}

/* ---- the slow account ---- */

static void paint(struct world *w, uint32_t first24, uint32_t count, uint8_t site)
{
    memset(w->level[24] + first24, site, count);
}

static void build_levels(struct world *w)
{
    for (int l = 23; l >= 0; l--)
        for (uint32_t i = 0; i < 1u << l; i++) {
            uint8_t a = w->level[l + 1][2 * i], b = w->level[l + 1][2 * i + 1];
            w->level[l][i] = a == b ? a : MIXED;
        }
}

static unsigned widest(const struct world *w, uint32_t i24)
{
    unsigned l = 0;
    while (w->level[l][i24 >> (24 - l)] == MIXED)
        l++;
    return l;
}

static uint8_t site6(const struct world *w, uint64_t high)
{
    uint8_t site = SITE_OTHER;
    unsigned best = 0;
    for (unsigned i = 0; i < NETS6; i++)
        if (w->nets[i].bits > best && (high & mask6(w->nets[i].bits)) == w->nets[i].high) {
            best = w->nets[i].bits;
            site = w->nets[i].site;
        }
    return site;
}

/* ---- the world, as a file and as paint ---- */

struct net4 {
    uint32_t first24;
    uint8_t bits, place;
};

static int by_bits(const void *a, const void *b)
{
    return ((const struct net4 *)a)->bits - ((const struct net4 *)b)->bits;
}

static bool is_twin4(const struct net4 *nets, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (nets[i].first24 == nets[n].first24 && nets[i].bits == nets[n].bits)
            return true;
    return false;
}

static void make_ipv4(struct world *w, FILE *f)
{
    struct net4 *nets = malloc(NETS4 * sizeof *nets);
    assert_non_null(nets);
    memset(w->level[24], SITE_OTHER, SLASH24);
    for (unsigned i = 0; i < NETS4;) {
        uint8_t bits = (uint8_t)(8 + rng_below(&w->rng, 17));
        uint32_t first = rng_below(&w->rng, SLASH24) >> (24 - bits) << (24 - bits);
        nets[i] = (struct net4){first, bits, (uint8_t)rng_below(&w->rng, 5)};
        if (first >> 16 == 0 || first >> 16 >= 224 || is_twin4(nets, i))
            continue;
        fprintf(f, "%u.%u.%u.0/%u,%s,%s\n", first >> 16, first >> 8 & 255, first & 255, bits,
                places[nets[i].place].continent, places[nets[i].place].country);
        i++;
    }
    qsort(nets, NETS4, sizeof *nets, by_bits);
    for (unsigned i = 0; i < NETS4; i++)
        paint(w, nets[i].first24, 1u << (24 - nets[i].bits), places[nets[i].place].site);
    paint(w, 100u << 16 | 64u << 8, 1u << 14, SITE_A); /* the operator's 100.64.0.0/10 */
    paint(w, 100u << 16 | 65u << 8, 1u << 8, SITE_B);  /* and inside it 100.65.0.0/16 */
    build_levels(w);
    free(nets);
}

static void make_ipv6(struct world *w, FILE *f)
{
    for (unsigned i = 0; i < NETS6; i++) {
        struct net6 *n = &w->nets[i];
        unsigned place = rng_below(&w->rng, 5);
        n->bits = (uint8_t)(28 + rng_below(&w->rng, 21));
        n->high = ((0x2600ULL << 48) | (rng_u64(&w->rng) >> 12)) & mask6(n->bits);
        n->site = places[place].site;
        bool twin = false;
        for (unsigned j = 0; j < i && !twin; j++)
            twin = w->nets[j].high == n->high && w->nets[j].bits == n->bits;
        if (twin) {
            i--;
            continue;
        }
        fprintf(f, "%llx:%llx:%llx::/%u,%s,%s\n", (unsigned long long)n->high >> 48,
                (unsigned long long)n->high >> 32 & 0xffff,
                (unsigned long long)n->high >> 16 & 0xffff, n->bits, places[place].continent,
                places[place].country);
    }
}

static void start(struct world *w)
{
    char csv[160], mmdb[160];
    struct diag_list d;
    uint16_t port = live_port();
    live_init(&w->live);
    live_file(&w->live, "places.csv", "network,continent,country\n");
    snprintf(csv, sizeof csv, "%s/places.csv", w->live.dir);
    snprintf(mmdb, sizeof mmdb, "%s/places.mmdb", w->live.dir);
    FILE *f = fopen(csv, "a");
    assert_non_null(f);
    make_ipv4(w, f);
    make_ipv6(w, f);
    fclose(f);
    live_file(&w->live, "places.mmdb", "%s", "");
    diag_init(&d);
    assert_int_equal(geo_write_csv(csv, mmdb, NULL, &d), 0);
    diag_fini(&d);
    live_file(&w->live, "zone", "@ 60 SOA ns host 1 1 1 1 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n");
    live_file(&w->live, "conf.yaml",
              "server: { workers: 1, control: none, log: error }\n"
              "listen: [{ address: 127.0.0.1, port: %u, role: authority }]\n"
              "zones: [{ name: live.test, file: zone }]\n"
              "gslb:\n"
              "  sites: { a: {}, b: {}, c: {}, other: {} }\n"
              "  maps:\n"
              "    m:\n"
              "      database: places.mmdb\n"
              "      overlay:\n"
              "        - { networks: [100.64.0.0/10], prefer: [a] }\n"
              "        - { networks: [100.65.0.0/16], prefer: [b] }\n"
              "      rules:\n"
              "        - { country: DE, prefer: [a] }\n"
              "        - { country: US, prefer: [b] }\n"
              "        - { continent: EU, prefer: [c] }\n"
              "      otherwise: [other]\n"
              "      limit: 1\n"
              "  pools:\n"
              "    a: { site: a, members: { x: 192.0.2.0 } }\n"
              "    b: { site: b, members: { x: 192.0.2.1 } }\n"
              "    c: { site: c, members: { x: 192.0.2.2 } }\n"
              "    o: { site: other, members: { x: 192.0.2.3 } }\n"
              "  names: { geo.live.test: { map: m, pools: [a, b, c, o] } }\n",
              port);
    live_start(&w->live);
    w->fd = live_connect(port, SOCK_DGRAM);
}

/* ---- asking ---- */

/* One question with a client subnet of `source` bits, whose octets are in ip. */
static size_t write_query(uint8_t *out, uint16_t id, unsigned family, unsigned source,
                          const uint8_t *ip)
{
    static const uint8_t rest[] = "\0\0\0\1\0\0\0\0\0\1\3geo\4live\4test\0\0\1\0\1"
                                  "\0\0\x29\4\xd0\0\0\0\0";
    size_t n = 2, octets = (source + 7) / 8;
    put_u16(out, id);
    memcpy(out + n, rest, sizeof rest - 1);
    n += sizeof rest - 1;
    put_u16(out + n, (uint16_t)(8 + octets));
    put_u16(out + n + 2, 8);
    put_u16(out + n + 4, (uint16_t)(4 + octets));
    put_u16(out + n + 6, (uint16_t)family);
    out[n + 8] = (uint8_t)source;
    out[n + 9] = 0;
    memcpy(out + n + 10, ip, octets);
    return n + 10 + octets;
}

/* Of a reply with one A record and the option at its end: the site and the scope. */
static void read_reply(const uint8_t *p, size_t len, size_t octets, uint8_t *site, uint8_t *scope)
{
    assert_int_equal(p[3] & 15, 0);
    assert_int_equal(get_u16(p + 6), 1);
    size_t option = len - octets - 8;
    assert_int_equal(get_u16(p + option), 8);
    *scope = p[option + 7];
    size_t address = 12 + 15 + 4 + 12; /* header, question, the record's head */
    assert_memory_equal(p + address, "\xc0\0\2", 3);
    *site = p[address + 3];
}

struct ask {
    unsigned family, source;
    uint8_t ip[16];
    uint8_t site, scope; /* what came */
};

/* All of them, some in flight at a time. */
static void ask_all(struct world *w, struct ask *asks, unsigned count)
{
    uint8_t packet[512];
    struct timeval patience = {.tv_sec = 5};
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (unsigned done = 0; done < count; done += WINDOW) {
        unsigned n = count - done < WINDOW ? count - done : WINDOW;
        for (unsigned i = 0; i < n; i++) {
            const struct ask *a = &asks[done + i];
            size_t len = write_query(packet, (uint16_t)i, a->family, a->source, a->ip);
            assert_int_equal(send(w->fd, packet, len, 0), (ssize_t)len);
        }
        for (unsigned i = 0; i < n; i++) {
            ssize_t len = recv(w->fd, packet, sizeof packet, 0);
            assert_true(len > 40);
            uint16_t id = get_u16(packet);
            assert_true(id < n);
            struct ask *a = &asks[done + id];
            read_reply(packet, (size_t)len, (a->source + 7u) / 8, &a->site, &a->scope);
        }
    }
}

/* ---- the tests ---- */

static void test_ipv4(void **state)
{
    struct world *w = *state;
    struct ask *asks = calloc(ASKS4, sizeof *asks);
    assert_non_null(asks);
    for (unsigned i = 0; i < ASKS4; i++) {
        uint32_t i24 = rng_below(&w->rng, SLASH24), ip = i24 << 8 | rng_below(&w->rng, 256);
        struct ask *a = &asks[i];
        a->family = 1;
        a->source = i % 4 == 3 ? 32 : 24;
        put_u32(a->ip, a->source == 24 ? i24 << 8 : ip);
    }
    ask_all(w, asks, ASKS4);
    for (unsigned i = 0; i < ASKS4; i++) {
        uint32_t i24 = get_u32(asks[i].ip) >> 8;
        if (asks[i].site != w->level[24][i24] || asks[i].scope != widest(w, i24))
            fail_msg("%u.%u.%u.0: site %u scope %u, not %u and %u", i24 >> 16, i24 >> 8 & 255,
                     i24 & 255, asks[i].site, asks[i].scope, w->level[24][i24], widest(w, i24));
    }
    free(asks);
}

static void test_ipv6(void **state)
{
    struct world *w = *state;
    struct ask *asks = calloc(ASKS6, sizeof *asks);
    assert_non_null(asks);
    for (unsigned i = 0; i < ASKS6; i++) {
        uint64_t high = i % 3 ? (0x2600ULL << 48 | rng_u64(&w->rng) >> 12)
                              : w->nets[rng_below(&w->rng, NETS6)].high | rng_u64(&w->rng) >> 40;
        asks[i].family = 2;
        asks[i].source = 48;
        high &= mask6(48);
        for (unsigned b = 0; b < 8; b++)
            asks[i].ip[b] = (uint8_t)(high >> (56 - 8 * b));
    }
    ask_all(w, asks, ASKS6);
    for (unsigned i = 0; i < ASKS6; i++) {
        const struct ask *a = &asks[i];
        uint64_t high = (uint64_t)get_u32(a->ip) << 32 | get_u32(a->ip + 4);
        uint8_t want = site6(w, high);
        if (a->site != want)
            fail_msg("%llx: site %u, not %u", (unsigned long long)high, a->site, want);
        assert_true(a->scope > 0 && a->scope <= 48);
        for (unsigned k = 0; k < 2; k++) { /* others for whom a cache may use it */
            uint64_t other =
                ((high & mask6(a->scope)) | (rng_u64(&w->rng) & ~mask6(a->scope))) & mask6(48);
            if (site6(w, other) != want)
                fail_msg("%llx scope %u holds %llx, who gets another site",
                         (unsigned long long)high, a->scope, (unsigned long long)other);
        }
    }
    free(asks);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    rng_init_fixed(&w->rng, 20261121);
    for (unsigned l = 0; l <= 24; l++) {
        w->level[l] = malloc((size_t)1 << l);
        assert_non_null(w->level[l]);
    }
    start(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    close(w->fd);
    live_stop(&w->live);
    for (unsigned l = 0; l <= 24; l++)
        free(w->level[l]);
    free(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
