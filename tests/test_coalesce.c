/* Equal questions of several workers: the table by itself, then resolvers' workers, in one thread
 * and in several. */
/* threads */
/* folders: resolver net dns base */
#include "resolver/coalesce.h"

#include "base/diag.h"
#include "dns/text.h"
#include "resolver/resolver.h"
#include "resolver/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the table ---- */

static void count_wake(void *arg)
{
    ++*(unsigned *)arg;
}

static enum coalesce_role enter(struct coalesce *t, struct coalesce_seat *s,
                                struct coalesce_inbox *in, const uint8_t *name, uint16_t type,
                                bool may_wait)
{
    coalesce_mark(t, s, in, name, type);
    return coalesce_enter(t, s, may_wait);
}

static const uint8_t www[] = "\3www\4test", upper[] = "\3WWW\4tEST", other[] = "\5other\4test";

/* A name's networks: each leads for itself, four at most, and none goes alone. */
static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const uint8_t *name;
        uint16_t type;
        struct edns_subnet net;
        bool may_wait;
        enum coalesce_role role;
    } rows[] = {
        {"no network", www, 1, {0}, true, COALESCE_LEADS},
        {"one", www, 1, {.family = 1, .source = 24, .ip = {10, 1}}, true, COALESCE_LEADS},
        {"another", www, 1, {.family = 1, .source = 24, .ip = {10, 2}}, true, COALESCE_LEADS},
        {"the same", www, 1, {.family = 1, .source = 24, .ip = {10, 1}}, true, COALESCE_WAITS},
        {"the same, alone",
         www,
         1,
         {.family = 1, .source = 24, .ip = {10, 1}},
         false,
         COALESCE_FULL},
        {"longer", www, 1, {.family = 1, .source = 32, .ip = {10, 1}}, true, COALESCE_LEADS},
        {"other family", www, 1, {.family = 2, .source = 24, .ip = {10, 1}}, true, COALESCE_LEADS},
        {"a fifth", www, 1, {.family = 1, .source = 24, .ip = {10, 3}}, true, COALESCE_FULL},
        {"a fifth of them waits",
         www,
         1,
         {.family = 1, .source = 24, .ip = {10, 2}},
         true,
         COALESCE_WAITS},
        {"no network again", upper, 1, {0}, true, COALESCE_WAITS},
        {"another type", www, 28, {.family = 1, .source = 24, .ip = {10, 3}}, true, COALESCE_LEADS},
        {"another name",
         other,
         1,
         {.family = 1, .source = 24, .ip = {10, 3}},
         true,
         COALESCE_LEADS},
    };
    struct coalesce *t = coalesce_new(5);
    struct coalesce_inbox in;
    struct coalesce_seat seats[sizeof rows / sizeof *rows] = {0}, late = {0};
    unsigned wakes = 0;
    coalesce_inbox_init(&in, count_wake, &wakes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seats[i].subnet = rows[i].net;
        enum coalesce_role role =
            enter(t, &seats[i], &in, rows[i].name, rows[i].type, rows[i].may_wait);
        if (role != rows[i].role)
            fail_msg("%s: %d", rows[i].label, (int)role);
    }
    const struct coalesce_outcome found = {.how = COALESCE_FOUND};
    coalesce_leave(t, &seats[2], &found);
    assert_int_equal(wakes, 1);
    assert_ptr_equal(coalesce_next(&in), &seats[8]);
    late.subnet = rows[7].net;
    assert_int_equal(enter(t, &late, &in, www, 1, true), COALESCE_LEADS);
    coalesce_leave(t, &late, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        coalesce_leave(t, &seats[i], NULL);
    while (coalesce_next(&in))
        ;
    coalesce_inbox_fini(&in);
    coalesce_free(t);
}

static void who_leads(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const uint8_t *name;
        uint16_t type;
        bool may_wait, has_wake;
        enum coalesce_role role;
    } rows[] = {
        {"the same question waits", www, 1, true, true, COALESCE_WAITS},
        {"in any case", upper, 1, true, true, COALESCE_WAITS},
        {"another name leads", other, 1, true, true, COALESCE_LEADS},
        {"another type leads", www, 28, true, true, COALESCE_LEADS},
        {"one who may not wait goes alone", www, 1, false, true, COALESCE_NONE},
        {"one who cannot be woken goes alone", www, 1, true, false, COALESCE_NONE},
        {"alone, but the first: leads", other, 1, false, false, COALESCE_LEADS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct coalesce *t = coalesce_new(i);
        struct coalesce_inbox a, b;
        struct coalesce_seat first = {0}, second = {0};
        unsigned wakes = 0, leading, waiting;
        coalesce_inbox_init(&a, count_wake, &wakes);
        coalesce_inbox_init(&b, rows[i].has_wake ? count_wake : NULL, &wakes);
        assert_int_equal(enter(t, &first, &a, www, 1, true), COALESCE_LEADS);
        int role = enter(t, &second, &b, rows[i].name, rows[i].type, rows[i].may_wait);
        if (role != (int)rows[i].role)
            fail_msg("%s: role %d", rows[i].label, role);
        coalesce_leave(t, &first, &(struct coalesce_outcome){.how = COALESCE_FOUND});
        bool told = coalesce_next(&b) == &second;
        if (told != (role == COALESCE_WAITS) || wakes != told || coalesce_next(&b))
            fail_msg("%s: told %d, woken %u", rows[i].label, told, wakes);
        coalesce_leave(t, &second, NULL);
        coalesce_count(t, &leading, &waiting);
        assert_int_equal(leading + waiting, 0);
        coalesce_inbox_fini(&a);
        coalesce_inbox_fini(&b);
        coalesce_free(t);
    }
}

/* One who goes before the leader is through, or before it reads its inbox, is told nothing. */
static void who_goes_is_not_told(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct coalesce *t = coalesce_new(1);
        struct coalesce_inbox a, b;
        struct coalesce_seat first = {0}, second = {0}, third = {0};
        unsigned wakes = 0;
        coalesce_inbox_init(&a, count_wake, &wakes);
        coalesce_inbox_init(&b, count_wake, &wakes);
        enter(t, &first, &a, www, 1, true);
        enter(t, &second, &b, www, 1, true);
        enter(t, &third, &b, www, 1, true);
        if (!late)
            coalesce_leave(t, &second, NULL);
        coalesce_leave(t, &first, NULL);
        if (late)
            coalesce_leave(t, &second, NULL);
        assert_int_equal(wakes, late ? 2 : 1);
        assert_ptr_equal(coalesce_next(&b), &third);
        assert_int_equal(third.outcome.how, COALESCE_LEFT);
        assert_null(coalesce_next(&b));
        assert_int_equal(enter(t, &third, &b, www, 1, true), COALESCE_LEADS);
        coalesce_leave(t, &third, NULL);
        coalesce_leave(t, &third, NULL); /* harmless */
        coalesce_inbox_fini(&a);
        coalesce_inbox_fini(&b);
        coalesce_free(t);
    }
}

/* Between the look into the cache and the table somebody may have been through. */
static void look_again(void **state)
{
    (void)state;
    struct coalesce *t = coalesce_new(1);
    struct coalesce_inbox in;
    struct coalesce_seat first = {0}, second = {0};
    coalesce_inbox_init(&in, NULL, NULL);
    enter(t, &first, &in, www, 1, false);
    coalesce_mark(t, &second, &in, www, 1);
    coalesce_leave(t, &first, NULL);
    assert_int_equal(coalesce_enter(t, &second, false), COALESCE_LOOK);
    enter(t, &first, &in, www, 1, false);
    coalesce_mark(t, &second, &in, www, 1);
    coalesce_leave(t, &first, NULL);
    assert_int_equal(coalesce_enter(t, &second, false), COALESCE_LEADS); /* not for ever */
    coalesce_leave(t, &second, NULL);
    coalesce_inbox_fini(&in);
    coalesce_free(t);
}

/* ---- workers ---- */

#define UNITS 4

/* What becomes of a round's question. */
enum fate { FATE_ANSWER, FATE_SERVFAIL, FATE_TTL_ZERO, FATE_CANCEL, FATE_STOP, FATES };

/* A worker and the server it talks to: questions lie in `asked` until the test lets them be
 * answered. */
struct unit {
    struct transport transport; /* first */
    struct resolver_worker *w;
    struct wheel wheel;
    struct rng rng;
    struct stat_block *stats;
    struct transport_attempt *asked;
    pthread_mutex_t lock;
    pthread_cond_t bell;
    bool rung;
    struct request *req;
    bool done;
    uint16_t rcode;
    unsigned records;
    char ede[512], *trace;
    /* In a thread: */
    struct race *race;
    pthread_t thread;
    unsigned wrong;
};

struct lab {
    struct clock clock; /* first */
    _Atomic int64_t now_us;
    struct resolver *r;
};

static int64_t lab_now(const struct clock *c)
{
    return atomic_load(&((struct lab *)(uintptr_t)c)->now_us);
}

static int unit_send(struct transport *t, struct transport_attempt *a)
{
    struct unit *u = (struct unit *)(void *)t;
    assert_null(u->asked);
    u->asked = a;
    a->open = true;
    a->sent_us = 0;
    return 0;
}

static void unit_cancel(struct transport *t, struct transport_attempt *a)
{
    struct unit *u = (struct unit *)(void *)t;
    if (u->asked == a)
        u->asked = NULL;
    a->open = false;
}

static void ring(void *arg)
{
    struct unit *u = arg;
    pthread_mutex_lock(&u->lock);
    u->rung = true;
    pthread_cond_signal(&u->bell);
    pthread_mutex_unlock(&u->lock);
}

static void lab_init(struct lab *lab)
{
    struct resolver_options o;
    struct diag_list d;
    memset(lab, 0, sizeof *lab);
    lab->clock = (struct clock){lab_now, lab_now};
    lab->now_us = 1000000000;
    resolver_options_default(&o);
    o.priming = o.qname_minimisation = false;
    o.cache_bytes = 8 << 20;
    o.hints_text = ". NS a.root.\na.root. A 192.0.2.1\n";
    diag_init(&d);
    assert_int_equal(resolver_new(&lab->r, &o, &lab->clock, &d), 0);
    diag_fini(&d);
}

static void unit_init(struct unit *u, struct lab *lab, uint64_t seed)
{
    memset(u, 0, sizeof *u);
    u->transport = (struct transport){unit_send, unit_cancel};
    wheel_init(&u->wheel, lab->now_us / 1000);
    rng_init_fixed(&u->rng, seed);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->bell, NULL);
    u->stats = stat_new(resolver_stat_rows, resolver_stat_count);
    assert_int_equal(
        resolver_worker_new(&u->w, lab->r, &u->transport, &u->wheel, &u->rng, u->stats, ring, u),
        0);
}

static void unit_fini(struct unit *u)
{
    resolver_worker_free(u->w);
    stat_free(u->stats);
    free(u->trace);
    pthread_mutex_destroy(&u->lock);
    pthread_cond_destroy(&u->bell);
}

static uint64_t counter(const struct unit *u, const char *name)
{
    for (size_t i = 0; i < resolver_stat_count; i++)
        if (!strcmp(resolver_stat_rows[i].name, name))
            return stat_get(u->stats, (unsigned)i);
    fail_msg("no counter %s", name);
    return 0;
}

static void on_done(void *arg, const struct resolver_result *res)
{
    struct unit *u = arg;
    u->done = true;
    u->req = NULL;
    u->rcode = res->rcode;
    u->records = res->answer_count;
    free(u->trace);
    u->trace = trace_json(res, dns_name_root, DNS_TYPE_A);
    u->ede[0] = 0;
    for (unsigned i = 0; i < res->ede_count; i++)
        snprintf(u->ede + strlen(u->ede), sizeof u->ede - strlen(u->ede), "%u %.*s|",
                 res->ede[i].code, (int)res->ede[i].text_len, res->ede[i].text);
}

static bool trace_says(const struct unit *u, const char *what)
{
    return u->trace && strstr(u->trace, what);
}

static void ask(struct unit *u, const uint8_t *name)
{
    struct resolver_ask a = {
        .qname = name, .qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .flags = DNS_FLAG_RD};
    struct request *req;
    u->done = false;
    assert_int_equal(resolver_ask(u->w, &a, on_done, u, &req), 0);
    u->req = u->done ? NULL : req;
}

/* The root says it all: one record, or a failure. */
static void reply(struct unit *u, enum fate fate)
{
    struct transport_attempt *a = u->asked;
    uint8_t p[512], rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 80};
    size_t len = DNS_HEADER_LEN + dns_name_len(a->packet + DNS_HEADER_LEN) + 4;
    memcpy(p, a->packet, len);
    put_u16(p + 2, fate == FATE_SERVFAIL ? 0x8402 : 0x8400);
    put_u16(p + 6, fate == FATE_SERVFAIL ? 0 : 1);
    put_u16(p + 10, 0);
    rr[9] = fate == FATE_TTL_ZERO ? 0 : 60;
    if (fate != FATE_SERVFAIL) {
        memcpy(p + len, rr, sizeof rr);
        len += sizeof rr;
    }
    u->asked = NULL;
    a->open = false;
    a->done(a, TRANSPORT_REPLY, p, len, 0);
}

/* Two workers in one thread: every way to end, step by step. */
static void one_walk_for_two(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum fate fate;
        uint16_t rcode; /* of the second */
        const char *ede;
        unsigned queries; /* of the second */
    } rows[] = {
        {"the answer", FATE_ANSWER, DNS_RCODE_NOERROR, "", 0},
        {"the failure and its reason", FATE_SERVFAIL, DNS_RCODE_SERVFAIL, "23 name servers failed|",
         0},
        {"an answer nobody may keep is asked for again", FATE_TTL_ZERO, DNS_RCODE_NOERROR, "", 1},
        {"the first client goes away: the second takes over", FATE_CANCEL, DNS_RCODE_NOERROR, "",
         1},
        {"the first worker stops: the second takes over", FATE_STOP, DNS_RCODE_NOERROR, "", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lab lab;
        struct unit a, b;
        lab_init(&lab);
        unit_init(&a, &lab, 1);
        unit_init(&b, &lab, 2);
        ask(&a, www);
        ask(&b, upper);
        assert_non_null(a.asked);
        assert_null(b.asked);
        if (rows[i].fate == FATE_CANCEL) {
            resolver_cancel(a.w, a.req);
        } else if (rows[i].fate == FATE_STOP) {
            resolver_worker_free(a.w);
            a.w = NULL;
            assert_int_equal(a.rcode, DNS_RCODE_SERVFAIL);
        } else {
            reply(&a, rows[i].fate);
            assert_true(a.done);
        }
        if (b.done || !b.rung)
            fail_msg("%s: done %d, woken %d", rows[i].label, b.done, b.rung);
        resolver_worker_drain(b.w);
        if (b.asked)
            reply(&b, rows[i].fate);
        uint64_t queries = counter(&b, "resolver_queries_total");
        if (!b.done || b.rcode != rows[i].rcode || strcmp(b.ede, rows[i].ede) ||
            queries != rows[i].queries ||
            b.records != (unsigned)(rows[i].rcode == DNS_RCODE_NOERROR))
            fail_msg("%s: done %d, rcode %u, ede %s, queries %u, records %u", rows[i].label, b.done,
                     b.rcode, b.ede, (unsigned)queries, b.records);
        assert_int_equal(counter(&b, "resolver_shared_total"), 1);
        static const char *const said[] = {"found", "failed", "found", "left", "left"};
        char event[64];
        snprintf(event, sizeof event, "\"with_worker\":\"%s\"", said[rows[i].fate]);
        if (!trace_says(&b, "\"with_worker\":\"waits\"") || !trace_says(&b, event))
            fail_msg("%s: the trace has no %s", rows[i].label, event);
        unit_fini(&a);
        unit_fini(&b);
        resolver_free(lab.r);
    }
}

/* Each client has its own time; that of one who only waited is no verdict on the name. */
static void waiting_has_an_end(void **state)
{
    (void)state;
    struct lab lab;
    struct unit a, b;
    lab_init(&lab);
    unit_init(&a, &lab, 1);
    unit_init(&b, &lab, 2);
    ask(&a, www);
    ask(&b, www);
    lab.now_us += 6500000;
    wheel_run(&b.wheel, lab.now_us / 1000);
    assert_true(b.done);
    assert_int_equal(b.rcode, DNS_RCODE_SERVFAIL);
    assert_string_equal(b.ede, "0 time limit 6000/6000|22 no name server answered in time|");
    reply(&a, FATE_ANSWER);
    assert_false(b.rung);
    ask(&b, www);
    assert_true(b.done);
    assert_int_equal(b.rcode, DNS_RCODE_NOERROR);
    ask(&a, other); /* cancelled while it waits: nothing comes back */
    ask(&b, other);
    resolver_cancel(b.w, b.req);
    b.done = false;
    reply(&a, FATE_ANSWER);
    resolver_worker_drain(b.w);
    assert_false(b.done || b.rung);
    unit_fini(&a);
    unit_fini(&b);
    resolver_free(lab.r);
}

/* ---- threads ---- */

#define ROUNDS 400

struct race {
    struct lab lab;
    struct unit units[UNITS];
    pthread_barrier_t all;
    _Atomic unsigned given_up; /* this round's first leader has gone */
};

static void await_bell(struct unit *u)
{
    pthread_mutex_lock(&u->lock);
    while (!u->rung)
        pthread_cond_wait(&u->bell, &u->lock);
    u->rung = false;
    pthread_mutex_unlock(&u->lock);
}

static bool round_is_right(const struct unit *u, enum fate fate)
{
    if (fate == FATE_SERVFAIL)
        return u->rcode == DNS_RCODE_SERVFAIL && !strcmp(u->ede, "23 name servers failed|");
    return u->rcode == DNS_RCODE_NOERROR && u->records == 1;
}

static void play_round(struct unit *u, unsigned round, enum fate fate)
{
    struct race *x = u->race;
    uint8_t name[DNS_NAME_MAX];
    char text[32];
    snprintf(text, sizeof text, "n%u.test.", round);
    dns_name_parse(name, text, strlen(text), NULL);
    ask(u, name);
    pthread_barrier_wait(&x->all); /* everybody has asked: exactly one of us leads */
    if (u->asked && (fate == FATE_CANCEL || fate == FATE_STOP) &&
        !atomic_exchange(&x->given_up, 1)) {
        if (fate == FATE_CANCEL)
            resolver_cancel(u->w, u->req);
        else
            resolver_worker_free(u->w);
        if (fate == FATE_STOP)
            u->w = NULL;
        return;
    }
    while (!u->done) {
        if (u->asked) {
            reply(u, fate);
            continue;
        }
        await_bell(u);
        resolver_worker_drain(u->w);
    }
    u->wrong += !round_is_right(u, fate);
}

static void *unit_thread(void *arg)
{
    struct unit *u = arg;
    struct race *x = u->race;
    for (unsigned i = 0; i <= ROUNDS; i++) {
        play_round(u, i, i < ROUNDS ? (enum fate)(i % FATE_STOP) : FATE_STOP);
        if (pthread_barrier_wait(&x->all) == PTHREAD_BARRIER_SERIAL_THREAD) {
            atomic_store(&x->given_up, 0);
            atomic_fetch_add(&x->lab.now_us, 10000000);
        }
        pthread_barrier_wait(&x->all);
        if (u->w)
            wheel_run(&u->wheel, atomic_load(&x->lab.now_us) / 1000);
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    struct race *x = calloc(1, sizeof *x);
    uint64_t queries = 0, shared = 0, per_fate = ROUNDS / FATE_STOP;
    lab_init(&x->lab);
    pthread_barrier_init(&x->all, NULL, UNITS);
    for (unsigned i = 0; i < UNITS; i++) {
        unit_init(&x->units[i], &x->lab, i);
        x->units[i].race = x;
    }
    for (unsigned i = 0; i < UNITS; i++)
        assert_int_equal(pthread_create(&x->units[i].thread, NULL, unit_thread, &x->units[i]), 0);
    for (unsigned i = 0; i < UNITS; i++) {
        pthread_join(x->units[i].thread, NULL);
        assert_int_equal(x->units[i].wrong, 0);
        queries += counter(&x->units[i], "resolver_queries_total");
        shared += counter(&x->units[i], "resolver_shared_total");
    }
    /* One question for the answer and for the failure; two when the first leader goes; for what
     * may not be kept between one and one each. */
    uint64_t least = per_fate * (1 + 1 + 1 + 2) + 2;
    assert_in_range(queries, least, least + per_fate * (UNITS - 1));
    assert_true(shared >= (ROUNDS + 1) * (UNITS - 1));
    for (unsigned i = 0; i < UNITS; i++)
        unit_fini(&x->units[i]);
    pthread_barrier_destroy(&x->all);
    resolver_free(x->lab.r);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(who_leads),
        cmocka_unit_test(who_goes_is_not_told),
        cmocka_unit_test(look_again),
        cmocka_unit_test(one_walk_for_two),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
