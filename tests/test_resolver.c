/* What scenarios cannot tell: shared walks, cancelling, shutting down, the response's bytes, and
 * replies with random damage. */
#include "fakenet.h"

#include "base/diag.h"
#include "base/err.h"
#include "dns/msg_parse.h"
#include "resolver/cache.h"
#include "resolver/resolver.h"
#include "resolver/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t www[] = "\3www\4test", test[] = "\4test";

struct bed {
    struct fakenet net;
    struct wheel wheel;
    struct rng rng;
    struct resolver *r;
    struct resolver_worker *w;
    struct stat_block *stats;
    unsigned answers;
    uint16_t rcode;
    unsigned records;
    struct bed *again; /* the callback asks once more */
    size_t written;
    uint8_t out[4096];
    struct dns_query q;
    size_t limit;
};

static void put(struct fakenet_zone *z, const uint8_t *owner, uint16_t type, const void *rd,
                uint16_t len)
{
    struct fakenet_rr *rr = &z->rr[z->count++];
    dns_name_copy(rr->owner, owner);
    rr->type = type;
    rr->ttl = 300;
    rr->rdlen = len;
    rr->rdata = malloc(len);
    memcpy(rr->rdata, rd, len);
}

static struct bed *make(void)
{
    struct bed *b = calloc(1, sizeof *b);
    struct resolver_options o;
    struct diag_list d;
    struct addr root, auth;
    static const uint8_t ns[] = "\2ns\4test";
    diag_init(&d);
    fakenet_init(&b->net);
    wheel_init(&b->wheel, b->net.now_us / 1000);
    rng_init_fixed(&b->rng, 3);
    addr_parse(&root, "192.0.2.1", 53);
    addr_parse(&auth, "192.0.2.2", 53);
    struct fakenet_zone *z = fakenet_zone(fakenet_server(&b->net, &root), dns_name_root);
    put(z, test, DNS_TYPE_NS, ns, sizeof ns);
    put(z, ns, DNS_TYPE_A, "\300\0\2\2", 4);
    z = fakenet_zone(fakenet_server(&b->net, &auth), test);
    put(z, www, DNS_TYPE_A, "\300\0\2\120", 4);
    put(z, www, DNS_TYPE_A, "\300\0\2\121", 4);
    static const uint8_t sig[] = "\0\1\10\2\0\0\1\54\177\377\377\377\0\0\0\0\0\1\4test\0signature";
    put(z, www, DNS_TYPE_RRSIG, sig, sizeof sig - 1);
    resolver_options_default(&o);
    o.priming = false;
    o.cache_bytes = 4 << 20;
    o.hints_text = ". NS a.root.\na.root. A 192.0.2.1\n";
    b->stats = stat_new(resolver_stat_rows, resolver_stat_count);
    assert_int_equal(resolver_new(&b->r, &o, &b->net.clock, &d), 0);
    assert_int_equal(resolver_worker_new(&b->w, b->r, &b->net.transport, &b->wheel, &b->rng,
                                         b->stats, NULL, NULL),
                     0);
    diag_fini(&d);
    return b;
}

static void unmake(struct bed *b)
{
    resolver_worker_free(b->w);
    resolver_free(b->r);
    stat_free(b->stats);
    fakenet_fini(&b->net);
    free(b);
}

static void on_done(void *arg, const struct resolver_result *res);

static struct request *ask(struct bed *b, const uint8_t *name, uint16_t type)
{
    struct resolver_ask a = {
        .qname = name, .qtype = type, .qclass = DNS_CLASS_IN, .flags = DNS_FLAG_RD};
    struct request *req;
    assert_int_equal(resolver_ask(b->w, &a, on_done, b, &req), 0);
    return req;
}

static void on_done(void *arg, const struct resolver_result *res)
{
    struct bed *b = arg;
    b->answers++;
    b->rcode = res->rcode;
    b->records = 0;
    for (unsigned i = 0; i < res->answer_count; i++)
        b->records += res->answer[i].count;
    assert_true(res->trace_len > 0);
    if (b->q.packet) {
        struct dns_writer w;
        struct edns e = {
            .present = b->q.edns.present, .dnssec_ok = b->q.edns.dnssec_ok, .size = 1232};
        b->written = resolver_write(res, &b->q, &e, b->limit, &w, b->out);
    }
    char *json = trace_json(res, www, DNS_TYPE_A);
    assert_non_null(json);
    free(json);
    if (b->again) {
        b->again = NULL;
        ask(b, www, DNS_TYPE_A);
    }
}

static uint64_t counter(const struct bed *b, const char *name)
{
    for (unsigned i = 0; i < resolver_stat_count; i++)
        if (!strcmp(resolver_stat_rows[i].name, name))
            return stat_get(b->stats, i);
    fail_msg("no counter %s", name);
    return 0;
}

static void equal_questions_share_a_walk(void **state)
{
    (void)state;
    struct bed *b = make();
    static const uint8_t upper[] = "\3WWW\4tEST";
    for (unsigned i = 0; i < 50; i++)
        assert_non_null(ask(b, i & 1 ? upper : www, DNS_TYPE_A));
    assert_non_null(ask(b, www, DNS_TYPE_AAAA)); /* another type is another question */
    fakenet_run(&b->net, &b->wheel, 1000);
    assert_int_equal(b->answers, 51);
    assert_int_equal(counter(b, "resolver_joined_total"), 49);
    assert_true(b->net.sent <= 4);
    /* a callback may ask again, and is answered from the cache at once */
    b->again = b;
    assert_null(ask(b, www, DNS_TYPE_A));
    assert_int_equal(b->answers, 53);
    assert_int_equal(counter(b, "resolver_cached_total"), 2);
    unmake(b);
}

static void cancelling(void **state)
{
    (void)state;
    struct bed *b = make();
    struct request *one = ask(b, www, DNS_TYPE_A), *two = ask(b, www, DNS_TYPE_A);
    resolver_cancel(b->w, one);
    fakenet_run(&b->net, &b->wheel, 1000);
    assert_int_equal(b->answers, 1); /* the other one still waited */
    (void)two;
    struct request *three = ask(b, test, DNS_TYPE_TXT);
    resolver_cancel(b->w, three);
    fakenet_run(&b->net, &b->wheel, 10000);
    assert_int_equal(b->answers, 1);
    unmake(b);
}

static void shutting_down(void **state)
{
    (void)state;
    struct bed *b = make();
    ask(b, www, DNS_TYPE_A);
    ask(b, www, DNS_TYPE_A);
    ask(b, test, DNS_TYPE_NS);
    resolver_worker_free(b->w);
    b->w = NULL;
    assert_int_equal(b->answers, 3);
    assert_int_equal(b->rcode, DNS_RCODE_SERVFAIL);
    unmake(b);
}

static void query(struct bed *b, uint8_t *packet, bool edns, bool dnssec_ok, size_t limit)
{
    struct wcur c = wcur_of(packet, 512);
    struct edns e = {.present = true, .dnssec_ok = dnssec_ok, .size = 1232};
    wcur_u16(&c, 0x1234);
    wcur_u16(&c, DNS_FLAG_RD | DNS_FLAG_AD);
    wcur_u16(&c, 1);
    wcur_u32(&c, 0);
    wcur_u16(&c, edns);
    wcur_bytes(&c, "\3wWw\4test", 10);
    wcur_u32(&c, DNS_TYPE_A << 16 | DNS_CLASS_IN);
    if (edns)
        edns_write(&e, 0, 0, &c);
    assert_int_equal(dns_query_parse(&b->q, packet, wcur_len(&c)), DNS_VERDICT_OK);
    b->limit = limit;
}

static void writing(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        bool edns, dnssec_ok;
        size_t limit;
        unsigned answers; /* records */
        bool tc;
    } rows[] = {
        {"plain", false, false, 512, 2, false},
        {"EDNS without DO: no signatures", true, false, 1232, 2, false},
        {"DO: with signatures", true, true, 1232, 3, false},
        {"no room for the set", false, false, 40, 0, true},
    };
    struct bed *b = make();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t packet[512];
        struct arena a;
        struct dns_msg m;
        arena_init(&a, 0, 0);
        query(b, packet, rows[i].edns, rows[i].dnssec_ok, rows[i].limit);
        ask(b, www, DNS_TYPE_A);
        fakenet_run(&b->net, &b->wheel, 1000);
        assert_int_equal(dns_msg_parse(&m, b->out, b->written, &a, 100), 0);
        if (m.counts[DNS_SECTION_ANSWER] != rows[i].answers ||
            !(m.flags & DNS_FLAG_TC) == rows[i].tc || m.id != 0x1234 ||
            m.edns.present != rows[i].edns || b->written > rows[i].limit)
            fail_msg("%s: %u records, flags %x", rows[i].label, m.counts[1], m.flags);
        assert_int_equal(m.flags & (DNS_FLAG_AA | DNS_FLAG_AD), 0);
        assert_true(m.flags & DNS_FLAG_RA && m.flags & DNS_FLAG_RD);
        assert_memory_equal(b->out + 12, "\3wWw\4test", 10);
        arena_fini(&a);
    }
    unmake(b);
}

static void on_refused(void *arg, const struct resolver_result *res)
{
    *(uint16_t *)arg = res->rcode;
}

static void unsupported(void **state)
{
    (void)state;
    struct bed *b = make();
    static const struct {
        const char *label;
        uint16_t type, cls, rcode;
    } rows[] = {
        {"zone transfer", DNS_TYPE_AXFR, DNS_CLASS_IN, DNS_RCODE_NOTIMP},
        {"OPT as a type", DNS_TYPE_OPT, DNS_CLASS_IN, DNS_RCODE_NOTIMP},
        {"CHAOS", DNS_TYPE_TXT, DNS_CLASS_CH, DNS_RCODE_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct resolver_ask a = {
            .qname = www, .qtype = rows[i].type, .qclass = rows[i].cls, .flags = DNS_FLAG_RD};
        struct request *req;
        uint16_t rcode = 0xffff;
        assert_int_equal(resolver_ask(b->w, &a, on_refused, &rcode, &req), 0);
        if (rcode != rows[i].rcode || req || b->net.sent)
            fail_msg("%s: rcode %u", rows[i].label, rcode);
    }
    unmake(b);
}

/* xorshift: repeatable damage */
static uint64_t draw(struct fakenet *n)
{
    n->mutate_state ^= n->mutate_state << 13;
    n->mutate_state ^= n->mutate_state >> 7;
    return n->mutate_state ^= n->mutate_state << 17;
}

/* The id and the question stay, as the transport has checked them. */
static size_t damage(struct fakenet *n, uint8_t *reply, size_t len)
{
    for (unsigned i = 1 + draw(n) % 4; i; i--) {
        size_t at = 2 + draw(n) % (len - 2);
        reply[at] = draw(n) & 1 ? (uint8_t)draw(n) : reply[at] ^ (uint8_t)(1u << draw(n) % 8);
    }
    return draw(n) % 5 ? len : 12 + draw(n) % (len - 11);
}

static void damaged_replies(void **state)
{
    (void)state;
    struct bed *b = make();
    unsigned asked = 0;
    b->net.mutate = damage;
    b->net.mutate_state = 88172645463325252ull;
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t name[32];
        int len = snprintf((char *)name + 1, 20, "x%u", i);
        name[0] = (uint8_t)len;
        memcpy(name + 1 + len, test, sizeof test);
        ask(b, i % 3 ? name : www, i % 7 ? DNS_TYPE_A : DNS_TYPE_ANY);
        fakenet_run(&b->net, &b->wheel, 6100);
        asked++;
        if (b->answers != asked)
            fail_msg("question %u has no answer", i);
        if (i % 5 == 0)
            cache_flush(resolver_cache(b->r), dns_name_root, 0, true);
    }
    /* and it is in order afterwards */
    b->net.mutate = NULL;
    fakenet_run(&b->net, &b->wheel, 600000);
    cache_flush(resolver_cache(b->r), dns_name_root, 0, true);
    ask(b, www, DNS_TYPE_A);
    fakenet_run(&b->net, &b->wheel, 6100);
    assert_int_equal(b->rcode, DNS_RCODE_NOERROR);
    assert_int_equal(b->records, 3);
    unmake(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_questions_share_a_walk),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(shutting_down),
        cmocka_unit_test(writing),
        cmocka_unit_test(unsupported),
        cmocka_unit_test(damaged_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
