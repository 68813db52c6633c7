/* folders: gslb authority geo net dns base */
/* threads */
/* Names that are not ours: stories of what is asked, heard and given, with a clock and a fetcher of
 * the test's own; and readers beside a control loop that goes on replacing books. */
#include "gslb/target.h"

#include "base/err.h"
#include "base/list.h"
#include "dns/name.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLIGHTS 300

struct flight {
    uint8_t name[255];
    char net[64]; /* "10.1.2.0/24"; "-": nothing was told */
    gslb_fetch_done *done;
    void *arg;
    bool checked;
};
struct bed {
    struct clock clock;
    struct gslb_fetcher fetcher;
    struct snap_domain domain;
    struct gslb_targets *targets;
    int64_t now_us;
    struct flight flights[FLIGHTS];
    unsigned flight_count;
    int refuse; /* what fetch returns */
    const char *label;
};

static int64_t bed_mono(const struct clock *c)
{
    return container_of(c, struct bed, clock)->now_us;
}

static void print_net(const struct edns_subnet *s, char *out, size_t cap)
{
    char ip[INET6_ADDRSTRLEN];
    if (!s)
        snprintf(out, cap, "-");
    else
        snprintf(out, cap, "%s/%u",
                 inet_ntop(s->family == 1 ? AF_INET : AF_INET6, s->ip, ip, sizeof ip), s->source);
}

static int bed_fetch(struct gslb_fetcher *f, const uint8_t *name, const struct edns_subnet *subnet,
                     gslb_fetch_done *done, void *arg)
{
    struct bed *b = container_of(f, struct bed, fetcher);
    if (b->refuse)
        return b->refuse;
    assert_true(b->flight_count < FLIGHTS);
    struct flight *l = &b->flights[b->flight_count++];
    *l = (struct flight){.done = done, .arg = arg};
    dns_name_copy(l->name, name);
    print_net(subnet, l->net, sizeof l->net);
    return 0;
}

static void bed_open(struct bed *b)
{
    memset(b, 0, sizeof *b);
    b->clock = (struct clock){bed_mono, bed_mono};
    b->fetcher = (struct gslb_fetcher){bed_fetch, true};
    b->now_us = 1000000000;
    snap_init(&b->domain);
    assert_int_equal(gslb_targets_new(&b->targets, &b->fetcher, &b->clock, &b->domain), 0);
}

static struct gslb_fetched failed(int err)
{
    return (struct gslb_fetched){.err = err};
}

/* Ends flight i. */
static void bed_end(struct bed *b, unsigned i, const struct gslb_fetched *f)
{
    struct flight l = b->flights[i];
    b->flights[i] = b->flights[--b->flight_count];
    l.done(l.arg, f);
}

static void bed_close(struct bed *b)
{
    gslb_targets_free(b->targets);
    struct gslb_fetched f = failed(ERR_CANCELLED);
    while (b->flight_count)
        bed_end(b, 0, &f);
    snap_fini(&b->domain);
}

static uint32_t bed_now(const struct bed *b)
{
    return (uint32_t)(b->now_us / 1000000);
}

static uint32_t bed_take(struct bed *b, const char *name, bool subnets)
{
    uint8_t wire[255];
    uint32_t index = GSLB_NO_TARGET;
    assert_true(dns_name_parse(wire, name, strlen(name), NULL) > 0);
    assert_int_equal(gslb_targets_take(b->targets, wire, subnets, &index), 0);
    return index;
}

static struct edns_subnet subnet_of(const char *text)
{
    struct edns_subnet s = {0};
    char ip[64];
    unsigned bits;
    if (sscanf(text, "%63[^/]/%u", ip, &bits) != 2)
        return s; /* "-" */
    s.family = strchr(ip, ':') ? 2 : 1;
    s.source = (uint8_t)bits;
    assert_int_equal(inet_pton(s.family == 1 ? AF_INET : AF_INET6, ip, s.ip), 1);
    return s;
}

/* "192.0.2.1,2001:db8::1" into sets. */
struct answer {
    uint8_t rdata[2][GSLB_TARGET_ADDRESSES * 40];
    struct dns_rrset sets[2];
    struct gslb_fetched fetched;
};

static void answer_of(struct answer *a, char *addresses, uint32_t ttl, unsigned scope)
{
    memset(a, 0, sizeof *a);
    char *save = NULL;
    for (char *p = strtok_r(addresses, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        unsigned six = strchr(p, ':') != NULL;
        struct dns_rrset *s = &a->sets[six];
        uint8_t *at = a->rdata[six] + s->size;
        put_u16(at, six ? 16 : 4);
        assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, p, at + 2), 1);
        s->rdata = a->rdata[six];
        s->size += six ? 18 : 6;
        s->count++;
    }
    a->fetched = (struct gslb_fetched){.a = a->sets[0].count ? &a->sets[0] : NULL,
                                       .aaaa = a->sets[1].count ? &a->sets[1] : NULL,
                                       .ttl = ttl,
                                       .scope = (uint8_t)scope};
}

/* "192.0.2.1,2001:db8::1 60 24", with "stale" behind it when it is; "nothing". */
static void bed_find(struct bed *b, uint32_t index, const char *net, char *out, size_t cap)
{
    struct gslb_target_found f;
    struct edns_subnet s = subnet_of(net);
    memset(&f, 0xee, sizeof f);
    if (!gslb_target_find(b->targets, index, s.family ? &s : NULL, bed_now(b), &f)) {
        snprintf(out, cap, "nothing");
        return;
    }
    char *at = out, *end = out + cap;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(f.size[i], f.count[i] * (i ? 18 : 6));
        for (unsigned k = 0; k < f.count[i]; k++) {
            char ip[INET6_ADDRSTRLEN];
            inet_ntop(i ? AF_INET6 : AF_INET, f.rdata[i] + k * (i ? 18 : 6) + 2, ip, sizeof ip);
            at += snprintf(at, (size_t)(end - at), "%s%s", at > out ? "," : "", ip);
        }
    }
    snprintf(at, (size_t)(end - at), " %u %u%s", f.ttl, f.scope, f.stale ? " stale" : "");
}

static unsigned bed_flight(const struct bed *b, const char *net)
{
    unsigned i = 0;
    while (i < b->flight_count && strcmp(b->flights[i].net, net) != 0)
        i++;
    return i;
}

/* One step of a story; NULL: as told. Else what is wrong. */
static const char *step(struct bed *b, uint32_t index, const char *text)
{
    static char wrong[256];
    char net[64] = "-", rest[128] = "";
    unsigned scope, ttl, i;
    if (text[0] == '+') {
        b->now_us += (int64_t)(strtod(text + 1, NULL) * 1000000);
        return NULL;
    }
    if (!strcmp(text, "turn")) {
        gslb_targets_turn(b->targets);
        return NULL;
    }
    if (!strcmp(text, "quiet")) {
        for (i = 0; i < b->flight_count; i++)
            if (!b->flights[i].checked)
                return b->flights[i].net;
        return NULL;
    }
    if (sscanf(text, "find %63s %127[^\n]", net, rest) == 2) {
        char found[160];
        bed_find(b, index, net, found, sizeof found);
        snprintf(wrong, sizeof wrong, "gave %s", found);
        return strcmp(found, rest) != 0 ? wrong : NULL;
    }
    if (sscanf(text, "%*s %63s", net) != 1)
        return "unknown step";
    i = bed_flight(b, net);
    if (i == b->flight_count)
        return "was not asked";
    if (!strncmp(text, "ask ", 4)) {
        bool again = b->flights[i].checked;
        b->flights[i].checked = true;
        return again ? "was asked before" : NULL;
    }
    struct answer a = {.fetched = failed(ERR_TIMEOUT)};
    if (!strncmp(text, "none ", 5))
        a.fetched.err = ERR_NOT_FOUND;
    else if (sscanf(text, "say %*s %u %u %127s", &scope, &ttl, rest) == 3)
        answer_of(&a, rest, ttl, scope);
    else if (sscanf(text, "half %*s %u %127s", &ttl, rest) == 2) {
        answer_of(&a, rest, ttl, 0);
        a.fetched.err = ERR_TIMEOUT; /* of the other family */
    } else if (strncmp(text, "fail ", 5) != 0)
        return "unknown step";
    bed_end(b, i, &a.fetched);
    return NULL;
}

struct story {
    const char *label;
    const char *steps; /* separated by "; " */
    bool host;         /* clients' networks are not told */
};

static void tell(const struct story *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bed b;
        char steps[2048], *save = NULL;
        bed_open(&b);
        uint32_t index = bed_take(&b, "cdn.example.net", !rows[i].host);
        gslb_targets_keep(b.targets, &index, 1);
        snprintf(steps, sizeof steps, "%s", rows[i].steps);
        for (char *s = strtok_r(steps, ";", &save); s; s = strtok_r(NULL, ";", &save)) {
            s += strspn(s, " ");
            const char *wrong = step(&b, index, s);
            if (wrong)
                fail_msg("%s: %s: %s", rows[i].label, s, wrong);
        }
        bed_close(&b);
    }
}
#define TELL(rows) tell(rows, sizeof(rows) / sizeof *(rows))

#define BEGIN "turn; ask -; say - 0 60 192.0.2.1; "

static void for_everybody(void **state)
{
    (void)state;
    static const struct story rows[] = {
        {"nothing yet", "find - nothing; turn; ask -; find - nothing; find 10.1.2.0/24 nothing", 0},
        {"fetched", BEGIN "find - 192.0.2.1 60 0; +7; find - 192.0.2.1 53 0; turn; quiet", 0},
        {"both families",
         "turn; ask -; say - 0 30 192.0.2.1,2001:db8::1,192.0.2.2; "
         "find - 192.0.2.1,192.0.2.2,2001:db8::1 30 0",
         0},
        {"asked once while it flies", "turn; ask -; +1; turn; quiet", 0},
        {"again at 90 % of its TTL",
         BEGIN "+53.9; turn; quiet; +0.1; turn; ask -; find - 192.0.2.1 6 0; "
               "say - 0 60 192.0.2.2; find - 192.0.2.2 60 0",
         0},
        {"a TTL of 0 is a second",
         "turn; ask -; say - 0 0 192.0.2.1; find - 192.0.2.1 1 0; "
         "+0.9; turn; quiet; +0.1; turn; ask -",
         0},
        {"a TTL of weeks is a day",
         "turn; ask -; say - 0 4000000 192.0.2.1; "
         "find - 192.0.2.1 86400 0",
         0},
        {"stale while it fails",
         BEGIN "+54; turn; ask -; fail -; +6; find - 192.0.2.1 5 0 stale; turn; ask -", 0},
        {"stale: no longer than it was",
         "turn; ask -; say - 0 2 192.0.2.1; +2; "
         "find - 192.0.2.1 2 0 stale",
         0},
        {"stale: for a day",
         BEGIN "+60; turn; fail -; +86399; find - 192.0.2.1 5 0 stale; +1; find - nothing", 0},
        {"back-off: 5, 10 s ... 5 min",
         "turn; ask -; fail -; +4.9; turn; quiet; +0.1; turn; ask -; fail -; +9.9; turn; quiet; "
         "+0.1; turn; ask -; fail -; +20; turn; ask -; fail -; +40; turn; ask -; fail -; +80; "
         "turn; ask -; fail -; +160; turn; ask -; fail -; +299; turn; quiet; +1; turn; ask -; "
         "fail -; +299; turn; quiet; +1; turn; ask -",
         0},
        {"an answer ends the back-off",
         "turn; fail -; +5; turn; fail -; +10; turn; say - 0 60 192.0.2.1; +54; turn; ask -; "
         "fail -; +5; turn; ask -",
         0},
        {"gone once: stays", BEGIN "+54; turn; none -; find - 192.0.2.1 6 0", 0},
        {"gone twice", BEGIN "+54; turn; none -; +5; turn; ask -; none -; find - nothing", 0},
        {"gone, failed, gone",
         BEGIN "+54; turn; none -; +5; turn; fail -; +10; turn; none -; "
               "find - 192.0.2.1 5 0 stale",
         0},
        {"gone twice, and back",
         BEGIN "+54; turn; none -; +5; turn; none -; +10; turn; ask -; say - 0 60 192.0.2.9; "
               "find - 192.0.2.9 60 0",
         0},
        {"one family was not learnt",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +54; turn; half - 60 192.0.2.2; "
         "find - 192.0.2.2,2001:db8::1 60 0",
         0},
        {"one family was never learnt", "turn; half - 60 192.0.2.2; find - 192.0.2.2 60 0", 0},
        {"one family is there no more",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +54; turn; say - 0 60 192.0.2.1; "
         "find - 192.0.2.1 60 0",
         0},
        {"one family was not learnt for a day",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +86400; turn; half - 60 192.0.2.2; "
         "find - 192.0.2.2 60 0",
         0},
    };
    TELL(rows);
}

static void per_network(void **state)
{
    (void)state;
    static const struct story rows[] = {
        {"not covered: short, source length, and asked for",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24", 0},
        {"not covered: what is left, if less", BEGIN "+58; find 10.1.2.0/24 192.0.2.1 2 24", 0},
        {"no network: as everybody", BEGIN "find 0.0.0.0/0 192.0.2.1 60 0; turn; quiet", 0},
        {"a host member's clients are not told",
         BEGIN "find 10.1.2.0/24 192.0.2.1 60 0; turn; quiet", 1},
        {"covered by its own",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 30 24; find - 192.0.2.1 60 0; "
               "find 10.1.3.0/24 192.0.2.1 5 24",
         0},
        {"covered by a wider answer",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 16 30 192.0.2.7; "
               "find 10.1.9.0/24 192.0.2.7 30 16; turn; quiet; find 10.2.0.0/24 192.0.2.1 5 24",
         0},
        {"a scope longer than the question counts as that",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 32 30 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 30 24",
         0},
        {"told by 24 bits",
         BEGIN "find 10.1.2.3/32 192.0.2.1 5 32; turn; ask 10.1.2.0/24; "
               "say 10.1.2.0/24 24 30 192.0.2.7; find 10.1.2.3/32 192.0.2.7 30 24",
         0},
        {"IPv6 by 56",
         BEGIN "find 2001:db8:1:203::/64 192.0.2.1 5 64; turn; ask 2001:db8:1:200::/56; "
               "say 2001:db8:1:200::/56 48 30 192.0.2.7; "
               "find 2001:db8:1:900::/56 192.0.2.7 30 48",
         0},
        {"a shorter one is not covered by a longer",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
               "find 10.1.0.0/16 192.0.2.1 5 16; turn; ask 10.1.0.0/16",
         0},
        {"nested: de-aggregated",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
               "find 10.1.4.0/24 192.0.2.1 5 24; turn; say 10.1.4.0/24 16 30 192.0.2.8; "
               "find 10.1.2.0/24 192.0.2.7 30 24; find 10.1.3.0/24 192.0.2.8 30 24; "
               "find 10.1.0.0/24 192.0.2.8 30 23; find 10.1.4.0/24 192.0.2.8 30 22; "
               "find 10.1.200.0/24 192.0.2.8 30 17; find 10.1.0.0/16 192.0.2.8 30 23; "
               "find 10.1.0.0/20 192.0.2.8 30 23",
         0},
        {"the other family does not matter",
         BEGIN "find ::/1 192.0.2.1 5 1; turn; say ::/1 1 30 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.1 5 24; find 2001:db8::/56 192.0.2.7 30 1",
         0},
        {"equal ones are asked once",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; find 10.1.2.9/32 192.0.2.1 5 32; "
               "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; +1; "
               "find 10.1.2.0/24 192.0.2.1 5 24; turn; quiet",
         0},
        {"at most 4 fly; those that an answer covers are not asked",
         BEGIN "find 10.1.1.0/24 192.0.2.1 5 24; find 10.1.2.0/24 192.0.2.1 5 24; "
               "find 10.1.3.0/24 192.0.2.1 5 24; find 10.1.4.0/24 192.0.2.1 5 24; "
               "find 10.1.5.0/24 192.0.2.1 5 24; find 10.2.0.0/24 192.0.2.1 5 24; turn; "
               "ask 10.1.1.0/24; ask 10.1.2.0/24; ask 10.1.3.0/24; ask 10.1.4.0/24; quiet; "
               "say 10.1.2.0/24 16 30 192.0.2.7; ask 10.2.0.0/24; quiet; "
               "find 10.1.5.0/24 192.0.2.7 30 16",
         0},
        {"used: again before it ends; scope may change",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 16 30 192.0.2.7; +20; "
               "find 10.1.9.0/24 192.0.2.7 10 16; +7; turn; ask 10.1.2.0/24; "
               "say 10.1.2.0/24 20 30 192.0.2.8; find 10.1.2.0/24 192.0.2.8 30 20; "
               "find 10.1.99.0/24 192.0.2.1 5 24",
         0},
        {"not used: goes when it ends",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; "
               "say 10.1.2.0/24 16 30 192.0.2.7; +27; turn; quiet; +3; turn; quiet; "
               "find 10.1.2.0/24 192.0.2.1 5 24",
         0},
        {"used late: asked when it ends",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; "
               "say 10.1.2.0/24 16 30 192.0.2.7; +27; turn; quiet; "
               "find 10.1.2.0/24 192.0.2.7 3 16; +3; turn; ask 10.1.2.0/24; "
               "find 10.1.2.0/24 192.0.2.7 5 16 stale",
         0},
        {"stale per network",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 30 24; +30; turn; fail 10.1.2.0/24; "
               "find 10.1.2.0/24 192.0.2.7 5 24 stale; +5; turn; ask 10.1.2.0/24",
         0},
        {"failed: asked again when somebody comes",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; fail 10.1.2.0/24; +1; "
               "find 10.1.2.0/24 192.0.2.1 5 24; turn; quiet; +4; turn; ask 10.1.2.0/24",
         0},
        {"failed: not asked again when nobody comes",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; fail 10.1.2.0/24; +6; turn; quiet; "
               "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24",
         0},
        {"gone twice, a network",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 10 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 10 24; +9; turn; none 10.1.2.0/24; "
               "find 10.1.2.0/24 192.0.2.7 1 24; +5; turn; none 10.1.2.0/24; "
               "find 10.1.2.0/24 192.0.2.1 5 24",
         0},
        {"gone twice: its networks too",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 300 192.0.2.7; +54; "
               "turn; none -; +5; turn; none -; find 10.1.2.0/24 nothing",
         0},
        {"everybody's set is too old, a network's is not",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 86400 192.0.2.7; "
               "+86460; find - nothing; find 10.1.3.0/24 nothing; "
               "find 10.1.2.0/24 192.0.2.7 5 24 stale",
         0},
    };
    TELL(rows);
}

/* Scope 0 to a question with a network: one set for everybody. */
static void for_all_of_a_family(void **state)
{
    (void)state;
#define ALL                                                                               \
    BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; say 10.1.2.0/24 0 60 " \
          "192.0.2.7; "
    static const struct story rows[] = {
        {"no more networks are asked",
         ALL "find 10.1.2.0/24 192.0.2.7 60 0; find 99.1.2.0/24 192.0.2.7 60 0; "
             "find 10.0.0.0/8 192.0.2.7 60 0; turn; quiet",
         0},
        {"also those who tell none", ALL "find - 192.0.2.7 60 0", 0},
        {"the other family is asked once",
         ALL "find 2001:db8::/56 192.0.2.7 5 56; turn; ask 2001:db8::/56; "
             "say 2001:db8::/56 0 60 192.0.2.7; find 2001:db9::/56 192.0.2.7 60 0; turn; quiet",
         0},
        {"earlier networks go",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 60 192.0.2.6; "
               "find 10.1.3.0/24 192.0.2.1 5 24; turn; say 10.1.3.0/24 0 60 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 60 0",
         0},
        {"one question for all of them",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; quiet; "
             "say 10.1.2.0/24 0 60 192.0.2.8; find - 192.0.2.8 60 0; turn; quiet",
         0},
        {"nobody with a network comes: without one", ALL "+54; turn; ask -; quiet", 0},
        {"until it tells clients apart",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; "
             "say 10.1.2.0/24 16 60 192.0.2.8; find 10.1.2.0/24 192.0.2.8 60 16; "
             "find - 192.0.2.7 6 0; find 99.1.2.0/24 192.0.2.7 5 24; ask -; turn; ask 99.1.2.0/24",
         0},
        {"fails: everybody is asked for alone",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; fail 10.1.2.0/24; "
             "ask -; say - 0 60 192.0.2.8; find - 192.0.2.8 60 0; "
             "find 99.1.2.0/24 192.0.2.7 6 0",
         0},
    };
    TELL(rows);
}

/* Ends the flight of this network. */
static void bed_say(struct bed *b, const char *net, const char *addresses, uint32_t ttl,
                    unsigned scope)
{
    struct answer a;
    char text[128];
    snprintf(text, sizeof text, "%s", addresses);
    answer_of(&a, text, ttl, scope);
    unsigned i = bed_flight(b, net);
    assert_true(i < b->flight_count);
    bed_end(b, i, &a.fetched);
}

static void found_is(struct bed *b, uint32_t index, const char *net, const char *expected)
{
    char found[160];
    bed_find(b, index, net, found, sizeof found);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: gave %s, not %s", net, found, expected);
}

/* A target with a set for everybody. */
static uint32_t bed_known(struct bed *b)
{
    bed_open(b);
    uint32_t index = bed_take(b, "cdn.example.net", true);
    gslb_targets_keep(b->targets, &index, 1);
    gslb_targets_turn(b->targets);
    bed_say(b, "-", "192.0.2.1", 86400, 0);
    return index;
}

/* Asks for the network and answers it. */
static void bed_learn(struct bed *b, uint32_t index, const char *net, unsigned scope)
{
    char found[160];
    bed_find(b, index, net, found, sizeof found);
    gslb_targets_turn(b->targets);
    bed_say(b, net, "192.0.2.7", 86400, scope);
}

/* Random nested networks in 10.0.0.0/16: every /24 of it gets the set of its longest network, and
 * the scope is the shortest for which that is true of all. */
static void scopes_are_minimal(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (unsigned round = 0; round < 40; round++) {
        struct bed b;
        uint32_t index = bed_known(&b);
        unsigned bits[256] = {0}; /* of the longest network around each /24 */
        for (unsigned k = 0; k < round; k++) {
            seed = seed * 1103515245 + 12345;
            unsigned third = seed >> 16 & 255, scope = 17 + (seed >> 8) % 8;
            char net[64];
            snprintf(net, sizeof net, "10.0.%u.0/24", third);
            if (bits[third])
                continue; /* covered: it would not be asked */
            bed_learn(&b, index, net, scope);
            for (unsigned i = 0; i < 256; i++)
                if ((i ^ third) >> (24 - scope) == 0 && bits[i] < scope)
                    bits[i] = scope;
        }
        for (unsigned i = 0; i < 256; i++) {
            struct gslb_target_found f;
            char net[64];
            snprintf(net, sizeof net, "10.0.%u.0/24", i);
            struct edns_subnet s = subnet_of(net);
            assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &f));
            unsigned scope = bits[i] ? bits[i] : 24; /* as wide as its network, or as the client */
            for (unsigned k = 0; bits[i] && k < 256; k++)
                while (bits[k] != bits[i] && (i ^ k) >> (24 - scope) == 0)
                    scope++;
            if (f.scope != scope)
                fail_msg("round %u, %s: scope %u, not %u", round, net, f.scope, scope);
        }
        bed_close(&b);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    char net[64], found[160];
    /* A set has at most so many addresses. */
    uint8_t rdata[100 * 6];
    for (unsigned i = 0; i < 100; i++) {
        put_u16(rdata + i * 6, 4);
        put_u32(rdata + i * 6 + 2, 0xc0000200 + i);
    }
    struct dns_rrset many = {.rdata = rdata, .size = sizeof rdata, .count = 100};
    struct gslb_fetched f = {.a = &many, .ttl = 86400, .scope = 24};
    bed_find(&b, index, "10.0.0.0/24", found, sizeof found);
    gslb_targets_turn(b.targets);
    bed_end(&b, 0, &f);
    struct gslb_target_found out;
    struct edns_subnet s = subnet_of("10.0.0.0/24");
    assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &out));
    assert_int_equal(out.count[0], GSLB_TARGET_ADDRESSES);
    assert_int_equal(out.count[1], 0);
    /* The network that was not used longest goes: not the first, which is used all the time. */
    for (unsigned i = 1; i <= GSLB_TARGET_NETWORKS; i++) {
        b.now_us += 1000000;
        snprintf(net, sizeof net, "10.%u.%u.0/24", i >> 8, i & 255);
        bed_learn(&b, index, net, 24);
        s = subnet_of("10.0.0.0/24");
        assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &out));
        assert_int_equal(out.count[0], GSLB_TARGET_ADDRESSES);
    }
    found_is(&b, index, "10.0.1.0/24", "192.0.2.1 5 24");
    found_is(&b, index, "10.0.2.0/24", "192.0.2.7 82306 24");
    json_t *status = gslb_targets_status(b.targets);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(status, 0), "sets")),
                     GSLB_TARGET_NETWORKS + 1);
    json_decref(status);
    bed_close(&b);
}

/* More wishes than there is room for: what does not fit is dropped and comes again. */
static void wishes_overflow(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            struct gslb_target_found f;
            char net[64];
            snprintf(net, sizeof net, "10.%u.%u.0/24", i >> 8, i & 255);
            struct edns_subnet s = subnet_of(net);
            assert_true(gslb_target_find(b.targets, index, &s, bed_now(&b), &f));
        }
        gslb_targets_turn(b.targets);
        assert_int_equal(b.flight_count, 4);
    }
    unsigned asked = 0; /* of those that waited */
    for (; b.flight_count; asked++)
        bed_say(&b, b.flights[0].net, "192.0.2.7", 60, 24);
    assert_in_range(asked, 60, 70);
    /* One client that asks all the time leaves room for others. */
    b.now_us += 1000000;
    for (unsigned i = 0; i < 5000; i++)
        found_is(&b, index, "11.0.0.0/24", "192.0.2.1 5 24");
    bed_learn(&b, index, "10.19.135.0/24", 24);
    found_is(&b, index, "10.19.135.0/24", "192.0.2.7 86400 24");
    bed_close(&b);
}

/* Networks that wait for their time after a failure do not keep others out. */
static void failures_make_room(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    struct gslb_fetched f = failed(ERR_TIMEOUT);
    for (unsigned i = 0; i < 100; i++) {
        char net[64], found[160];
        snprintf(net, sizeof net, "10.0.%u.0/24", i);
        bed_find(&b, index, net, found, sizeof found);
        gslb_targets_turn(b.targets);
        assert_int_equal(b.flight_count, 1);
        bed_end(&b, 0, &f);
    }
    bed_close(&b);
}

static void not_all_at_once(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index[280];
    bed_open(&b);
    for (unsigned i = 0; i < 280; i++) {
        char name[64];
        snprintf(name, sizeof name, "n%u.example.net", i);
        index[i] = bed_take(&b, name, false);
    }
    gslb_targets_keep(b.targets, index, 280);
    assert_int_equal(gslb_targets_turn(b.targets), 100);
    assert_int_equal(b.flight_count, 256);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 256);
    for (unsigned i = 0; i < 256; i++)
        bed_say(&b, "-", "192.0.2.1", 60, 0);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 23);
    bed_close(&b);
}

static void names_keep_their_index(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    uint32_t index[300];
    for (unsigned i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "n%u.example.net", i);
        index[i] = bed_take(&b, name, false);
        assert_int_equal(index[i], i);
    }
    assert_int_equal(bed_take(&b, "N7.Example.NET", true), index[7]);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 0); /* none is kept yet */

    gslb_targets_keep(b.targets, index, 2);
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 2);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    found_is(&b, index[0], "-", "192.0.2.1 60 0");
    found_is(&b, index[1], "-", "192.0.2.1 60 0");
    found_is(&b, index[2], "-", "nothing");
    found_is(&b, GSLB_NO_TARGET, "-", "nothing");

    gslb_targets_keep(b.targets, index + 1, 1); /* one goes, one stays */
    found_is(&b, index[0], "-", "nothing");
    found_is(&b, index[1], "-", "192.0.2.1 60 0");
    b.now_us += 54000000;
    gslb_targets_turn(b.targets);
    assert_int_equal(b.flight_count, 1);

    gslb_targets_keep(b.targets, index, 1); /* the one that is in flight goes */
    bed_say(&b, "-", "192.0.2.3", 60, 0);
    found_is(&b, index[1], "-", "nothing");
    gslb_targets_turn(b.targets);
    bed_say(&b, "-", "192.0.2.2", 60, 0);
    found_is(&b, index[0], "-", "192.0.2.2 60 0");

    json_t *status = gslb_targets_status(b.targets);
    assert_int_equal(json_array_size(status), 1);
    const char *name;
    int fetched, expires, sets, addresses, failures;
    const char *last;
    assert_int_equal(json_unpack(json_array_get(status, 0), "{s:s,s:i,s:i,s:i,s:i,s:i,s:s}", "name",
                                 &name, "fetched", &fetched, "expires", &expires, "sets", &sets,
                                 "addresses", &addresses, "failures", &failures, "last", &last),
                     0);
    assert_string_equal(name, "n0.example.net.");
    assert_string_equal(last, "ok");
    assert_int_equal(fetched, 0);
    assert_int_equal(expires, 60);
    assert_int_equal(sets, 1);
    assert_int_equal(addresses, 1);
    assert_int_equal(failures, 0);
    json_decref(status);
    bed_close(&b);
}

/* A fetcher that cannot, and one that tells no networks. */
static void what_the_fetcher_cannot(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    uint32_t index = bed_take(&b, "cdn.example.net", true);
    gslb_targets_keep(b.targets, &index, 1);
    b.refuse = ERR_LIMIT;
    gslb_targets_turn(b.targets);
    b.refuse = 0;
    assert_in_range(gslb_targets_turn(b.targets), 1, 100);
    assert_int_equal(b.flight_count, 0); /* 5 s later */
    b.now_us += 5000000;
    gslb_targets_turn(b.targets);
    bed_say(&b, "-", "192.0.2.1", 60, 0);
    b.fetcher.subnets = false;
    found_is(&b, index, "10.1.2.0/24", "192.0.2.1 60 0");
    assert_int_equal(gslb_targets_turn(b.targets), 54000);
    assert_int_equal(b.flight_count, 0);
    bed_close(&b);
}

/* The targets go first; what flies comes home to nobody. */
static void freed_in_flight(void **state)
{
    (void)state;
    struct bed b;
    uint32_t index = bed_known(&b);
    found_is(&b, index, "10.1.2.0/24", "192.0.2.1 5 24");
    gslb_targets_turn(b.targets);
    gslb_targets_free(b.targets);
    b.targets = NULL;
    bed_say(&b, "10.1.2.0/24", "192.0.2.7", 60, 24);
    bed_close(&b);
}

/* ---- threads ---- */

#define READERS 3

struct reader {
    struct bed *bed;
    struct snap_reader snap;
    pthread_t thread;
    uint32_t index;
    _Atomic bool *stop;
    uint64_t found, torn;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    unsigned i = (unsigned)r->index;
    while (!atomic_load(r->stop)) {
        snap_online(&r->bed->domain, &r->snap);
        for (unsigned k = 0; k < 64; k++) {
            struct gslb_target_found f;
            struct edns_subnet s = {.family = 1, .source = 24, .ip = {10, 0, (uint8_t)i++}};
            if (!gslb_target_find(r->bed->targets, r->index, k % 8 ? &s : NULL, 1000, &f))
                continue;
            r->found++;
            /* Both addresses of a set are of one fetch. */
            if (f.count[0] != 2 || f.size[0] != 12 ||
                memcmp(f.rdata[0] + 2, f.rdata[0] + 8, 4) != 0)
                r->torn++;
        }
        snap_offline(&r->snap);
    }
    return NULL;
}

static void readers_and_new_books(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b);
    b.now_us = 1000000000;
    _Atomic bool stop = false;
    uint32_t index = bed_take(&b, "cdn.example.net", true);
    gslb_targets_keep(b.targets, &index, 1);
    struct reader readers[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.bed = &b, .index = index, .stop = &stop};
        assert_int_equal(snap_reader_add(&b.domain, &readers[i].snap), 0);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    unsigned heard = 0;
    for (unsigned turn = 0; heard < 600 && turn < 200000; turn++) {
        gslb_targets_turn(b.targets);
        if (!b.flight_count)
            sched_yield();
        for (; b.flight_count; heard++) {
            char text[64];
            snprintf(text, sizeof text, "192.0.%u.%u,192.0.%u.%u", heard >> 8, heard & 255,
                     heard >> 8, heard & 255);
            bed_say(&b, b.flights[0].net, text, 1, heard % 5 ? 24 : 20);
        }
        if (turn % 64 == 63) { /* everything is dropped and comes again */
            gslb_targets_keep(b.targets, NULL, 0);
            bed_take(&b, turn % 128 == 63 ? "other.example.net" : "third.example.net", false);
            gslb_targets_keep(b.targets, &index, 1);
        }
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        snap_reader_remove(&b.domain, &readers[i].snap);
        assert_int_equal(readers[i].torn, 0);
    }
    assert_int_equal(heard >= 600, 1);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_everybody),
        cmocka_unit_test(per_network),
        cmocka_unit_test(for_all_of_a_family),
        cmocka_unit_test(scopes_are_minimal),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(wishes_overflow),
        cmocka_unit_test(names_keep_their_index),
        cmocka_unit_test(what_the_fetcher_cannot),
        cmocka_unit_test(failures_make_room),
        cmocka_unit_test(not_all_at_once),
        cmocka_unit_test(freed_in_flight),
        cmocka_unit_test(readers_and_new_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
