/* folders: gslb authority geo net dns base */
/* Steering to names that are not ours: aliases, and members given by host name. */
#include "dns/name.h"
#include "dns/type.h"
#include "gslb/target.h"
#include "plans.h"

#include "base/err.h"
#include "base/list.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW             1000
#define TARGETS_AT_ONCE 256

/* What the other side says; each question is answered in the same turn. */
static const struct said {
    const char *name, *net; /* "-": nothing was told */
    const char *addresses;  /* "": the name does not exist; NULL: no answer */
    uint32_t ttl;
    uint8_t scope;
} said[] = {
    {"two.test.", "-", "192.0.2.10 192.0.2.11 2001:db8::10", 60, 0},
    {"old.test.", "-", "192.0.2.20", 600, 0},
    {"many.test.", "-",
     "192.0.2.30 192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.34 192.0.2.35 192.0.2.36 192.0.2.37 "
     "192.0.2.38 192.0.2.39",
     600, 0},
    {"gone.test.", "-", "", 0, 0},
    {"cdn.test.", "-", "192.0.2.40 2001:db8::40", 200, 0},
    {"cdn.test.", "10.1.2.0/24", "192.0.2.41 192.0.2.42", 100, 16},
    {"cdn.test.", "10.3.0.0/24", "192.0.2.43", 1000, 20},
};

struct bed {
    struct made made;
    struct clock clock;
    struct gslb_fetcher fetcher;
    struct snap_domain domain;
    struct gslb_targets *targets;
    int64_t now_us;
    struct {
        char name[64], net[64];
        gslb_fetch_done *done;
        void *arg;
    } asked[TARGETS_AT_ONCE];
    unsigned asked_count;
};

static int64_t bed_mono(const struct clock *c)
{
    return container_of(c, struct bed, clock)->now_us;
}

static int bed_fetch(struct gslb_fetcher *f, const uint8_t *name, const struct edns_subnet *subnet,
                     gslb_fetch_done *done, void *arg)
{
    struct bed *b = container_of(f, struct bed, fetcher);
    unsigned i = b->asked_count++;
    char ip[INET6_ADDRSTRLEN];
    assert_true(i < TARGETS_AT_ONCE);
    dns_name_print(name, b->asked[i].name);
    snprintf(b->asked[i].net, sizeof b->asked[i].net, "-");
    if (subnet)
        snprintf(b->asked[i].net, sizeof b->asked[i].net, "%s/%u",
                 inet_ntop(subnet->family == 1 ? AF_INET : AF_INET6, subnet->ip, ip, sizeof ip),
                 subnet->source);
    b->asked[i].done = done;
    b->asked[i].arg = arg;
    return 0;
}

static void say(const struct said *s, gslb_fetch_done *done, void *arg)
{
    struct gslb_fetched f = {.err = s && s->addresses ? 0 : ERR_TIMEOUT};
    struct dns_rrset sets[2] = {{0}};
    uint8_t rdata[2][16 * 18];
    char copy[256], *rest;
    snprintf(copy, sizeof copy, "%s", s && s->addresses ? s->addresses : "");
    for (char *a = strtok_r(copy, " ", &rest); a; a = strtok_r(NULL, " ", &rest)) {
        unsigned six = strchr(a, ':') != NULL, len = six ? 16 : 4;
        put_u16(rdata[six] + sets[six].size, (uint16_t)len);
        inet_pton(six ? AF_INET6 : AF_INET, a, rdata[six] + sets[six].size + 2);
        sets[six].rdata = rdata[six];
        sets[six].size += len + 2;
        sets[six].count++;
    }
    f.a = sets[0].count ? &sets[0] : NULL;
    f.aaaa = sets[1].count ? &sets[1] : NULL;
    if (!f.err && !f.a && !f.aaaa)
        f.err = ERR_NOT_FOUND;
    f.ttl = s ? s->ttl : 0;
    f.scope = s ? s->scope : 0;
    done(arg, &f);
}

static void turn(struct bed *b)
{
    gslb_targets_turn(b->targets);
    while (b->asked_count) {
        const struct said *s = NULL;
        unsigned i = --b->asked_count;
        for (unsigned k = 0; k < sizeof said / sizeof *said; k++)
            if (!strcmp(said[k].name, b->asked[i].name) && !strcmp(said[k].net, b->asked[i].net))
                s = &said[k];
        say(s, b->asked[i].done, b->asked[i].arg);
    }
}

static void alias(struct made *m, const char *owner, const char *target, uint32_t ttl)
{
    uint8_t wire[DNS_NAME_MAX];
    struct gslb_name *n = made_name(m, owner, GSLB_NONE, "");
    int len = dns_name_parse(wire, target, strlen(target), NULL);
    n->alias = arena_dup(&m->plan->arena, wire, (size_t)len);
    n->ttl = ttl;
}

static void make_plan(struct made *m)
{
    made_init(m, "a b", NULL);
    int map = made_map(m, "10.0.0.0/8=a,b *=b,a");
    made_pool(m, "two", "a", GSLB_ALL, "host:two.test. 192.0.2.1|2001:db8::1 192.0.2.11");
    made_pool(m, "old", "b", GSLB_FAILOVER, "host:old.test. 192.0.2.2");
    made_pool(m, "none", "a", GSLB_FAILOVER, "host:new.test. host:gone.test. 192.0.2.3");
    made_pool(m, "only", "", GSLB_ALL, "host:new.test.");
    made_pool(m, "many", "", GSLB_ALL, "host:many.test. host:old.test.");
    made_name(m, "two.example.", map, "two old");
    made_name(m, "fam.example.", map, "old two")->family_fail_over = true;
    made_name(m, "old.example.", GSLB_NONE, "old");
    made_name(m, "none.example.", map, "none old");
    made_name(m, "only.example.", GSLB_NONE, "only")->all_down = GSLB_DOWN_ALL;
    made_name(m, "many.example.", GSLB_NONE, "many");
    made_name(m, "min.example.", GSLB_NONE, "two")->ttl_min = 100;
    alias(m, "apex.example.", "cdn.test.", 300);
    alias(m, "short.example.", "CDN.test.", 50);
    alias(m, "free.example.", "cdn.test.", 0);
    alias(m, "a.example.", "old.test.", 300);
    alias(m, "new.example.", "new.test.", 300);
    alias(m, "gone.example.", "gone.test.", 300);
}

static void bed_open(struct bed *b, bool targets)
{
    memset(b, 0, sizeof *b);
    b->clock = (struct clock){bed_mono, bed_mono};
    b->fetcher = (struct gslb_fetcher){bed_fetch, true};
    b->now_us = (int64_t)NOW * 1000000;
    snap_init(&b->domain);
    assert_int_equal(gslb_targets_new(&b->targets, &b->fetcher, &b->clock, &b->domain), 0);
    make_plan(&b->made);
    b->made.plan->targets = b->made.worker.targets = targets ? b->targets : NULL;
    made_finish(&b->made, NULL);
    gslb_targets_keep(b->targets, b->made.plan->target_used, b->made.plan->target_count);
    turn(b);
}

static void bed_close(struct bed *b)
{
    made_fini(&b->made);
    gslb_targets_free(b->targets);
    snap_fini(&b->domain);
}

static const char *const outcomes[] = {
    [GSLB_STATIC] = "static",   [GSLB_SET] = "set",       [GSLB_NODATA] = "nodata",
    [GSLB_REFUSED] = "refused", [GSLB_FAILED] = "failed",
};

/* "192.0.2.1 192.0.2.2 ttl 300 scope 0". */
static void ask(struct bed *b, const char *owner, uint16_t type, const char *net, char *out,
                size_t cap)
{
    char from[96], text[256];
    snprintf(from, sizeof from, "198.51.100.53 %s", net);
    struct gslb_client c = made_client(from);
    struct gslb_answer a = made_ask(&b->made, owner, type, &c, b->now_us / 1000000, NULL);
    snprintf(out, cap, "%s ttl %u scope %u",
             a.outcome == GSLB_SET ? made_text(&a, text, sizeof text) : outcomes[a.outcome], a.ttl,
             a.scope);
}

#define A1  DNS_TYPE_A
#define A4  DNS_TYPE_AAAA
#define ANY DNS_TYPE_ANY

static const struct row {
    const char *label, *owner;
    uint16_t type;
    const char *net;
    const char *given;
    unsigned later_s;
} rows[] = {
    {"a host's addresses are its member's, once each", "two.example.", A1, "10.1.0.0/24",
     "192.0.2.10 192.0.2.11 192.0.2.1 ttl 60 scope 8", 0},
    {"so are those of the other family", "two.example.", A4, "10.1.0.0/24",
     "2001:db8::10 2001:db8::1 ttl 60 scope 8", 0},
    {"TTL: what is left", "two.example.", A1, "10.1.0.0/24",
     "192.0.2.10 192.0.2.11 192.0.2.1 ttl 53 scope 8", 7},
    {"no least TTL makes it longer", "min.example.", A1, "10.1.0.0/24",
     "192.0.2.10 192.0.2.11 192.0.2.1 ttl 60 scope 0", 0},
    {"TTL: the name's, if that is less", "old.example.", A1, "10.1.0.0/24",
     "192.0.2.20 ttl 300 scope 0", 0},
    {"stale", "old.example.", A1, "10.1.0.0/24", "192.0.2.20 ttl 5 scope 0", 700},
    {"too old: the next member", "old.example.", A1, "10.1.0.0/24", "192.0.2.2 ttl 300 scope 0",
     90000},
    {"it lacks the family", "old.example.", A4, "10.1.0.0/24", "nodata ttl 300 scope 0", 0},
    {"it lacks the family: another site has it", "fam.example.", A4, "192.0.2.0/24",
     "2001:db8::10 2001:db8::1 ttl 60 scope 1", 0},
    {"nothing is known: the next member", "none.example.", A1, "10.1.0.0/24",
     "192.0.2.3 ttl 300 scope 8", 0},
    {"nothing is known of any", "only.example.", A1, "10.1.0.0/24", "failed ttl 30 scope 0", 0},
    {"eight of many", "many.example.", A1, "10.1.0.0/24",
     "192.0.2.30 192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.34 192.0.2.35 192.0.2.36 192.0.2.37 "
     "192.0.2.20 ttl 300 scope 0",
     0},
    {"ANY of a host", "old.example.", ANY, "10.1.0.0/24", "192.0.2.20 ttl 300 scope 0", 0},
    {"an alias, covered", "apex.example.", A1, "10.1.2.0/24",
     "192.0.2.41 192.0.2.42 ttl 100 scope 16", 0},
    {"an alias, covered by a wider answer", "apex.example.", A1, "10.1.9.0/24",
     "192.0.2.41 192.0.2.42 ttl 100 scope 16", 0},
    {"the name's TTL, if that is less", "short.example.", A1, "10.1.2.0/24",
     "192.0.2.41 192.0.2.42 ttl 50 scope 16", 0},
    {"or another network's", "apex.example.", A1, "10.3.0.0/24", "192.0.2.43 ttl 300 scope 20", 0},
    {"the name has none of its own", "free.example.", A1, "10.3.0.0/24",
     "192.0.2.43 ttl 1000 scope 20", 0},
    {"TTL of what is left", "apex.example.", A1, "10.1.2.0/24",
     "192.0.2.41 192.0.2.42 ttl 90 scope 16", 10},
    {"no such family for this client", "apex.example.", A4, "10.1.2.0/24",
     "nodata ttl 100 scope 16", 0},
    {"ANY: a family that is there", "apex.example.", ANY, "10.1.2.0/24",
     "192.0.2.41 192.0.2.42 ttl 100 scope 16", 0},
    {"not covered: short, its own length", "apex.example.", A1, "10.9.0.0/22",
     "192.0.2.40 ttl 5 scope 22", 0},
    {"opted out: everybody's", "apex.example.", A4, "0.0.0.0/0", "2001:db8::40 ttl 200 scope 0", 0},
    {"everybody's is for everybody", "apex.example.", A1, "", "192.0.2.40 ttl 200 scope 0", 0},
    {"an alias without this family", "a.example.", A4, "", "nodata ttl 300 scope 0", 0},
    {"nothing is known of an alias", "new.example.", A1, "10.1.2.0/24", "failed ttl 300 scope 0",
     0},
    {"an alias to what does not exist", "gone.example.", A1, "10.1.2.0/24",
     "failed ttl 300 scope 0", 0},
    {"another type of an alias", "apex.example.", DNS_TYPE_TXT, "10.1.2.0/24",
     "static ttl 0 scope 0", 0},
};

static void names_are_followed(void **state)
{
    (void)state;
    struct bed b;
    char got[512];
    unsigned bad = 0;
    bed_open(&b, true);
    /* The alias's networks are wished for, and come. */
    ask(&b, "apex.example.", A1, "10.1.2.0/24", got, sizeof got);
    assert_string_equal(got, "192.0.2.40 ttl 5 scope 24");
    ask(&b, "apex.example.", A1, "10.3.0.0/24", got, sizeof got);
    turn(&b);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        b.now_us += (int64_t)rows[i].later_s * 1000000;
        ask(&b, rows[i].owner, rows[i].type, rows[i].net, got, sizeof got);
        b.now_us -= (int64_t)rows[i].later_s * 1000000;
        if (strcmp(got, rows[i].given) == 0)
            continue;
        print_error("%s: gave %s\n", rows[i].label, got);
        bad++;
    }
    assert_int_equal(bad, 0);
    bed_close(&b);
}

static void without_targets(void **state)
{
    (void)state;
    struct bed b;
    char got[512];
    bed_open(&b, false);
    assert_int_equal(b.made.plan->target_count, 0);
    ask(&b, "apex.example.", A1, "10.1.2.0/24", got, sizeof got);
    assert_string_equal(got, "failed ttl 300 scope 0");
    ask(&b, "old.example.", A1, "10.1.2.0/24", got, sizeof got);
    assert_string_equal(got, "192.0.2.2 ttl 300 scope 0");
    bed_close(&b);
}

/* A pool of as many members as there can be, each with as many addresses: what fits is given. */
static void more_than_fits(void **state)
{
    (void)state;
    struct bed b;
    char *members = malloc(GSLB_MEMBERS_MAX * 20);
    size_t at = 0;
    memset(&b, 0, sizeof b);
    b.clock = (struct clock){bed_mono, bed_mono};
    b.fetcher = (struct gslb_fetcher){bed_fetch, false};
    b.now_us = (int64_t)NOW * 1000000;
    snap_init(&b.domain);
    assert_int_equal(gslb_targets_new(&b.targets, &b.fetcher, &b.clock, &b.domain), 0);
    made_init(&b.made, "a", NULL);
    for (unsigned i = 0; i < GSLB_MEMBERS_MAX; i++)
        at += (size_t)sprintf(members + at, "host:h%u.test. ", i);
    members[at - 1] = 0;
    made_pool(&b.made, "big", "", GSLB_ALL, members);
    made_name(&b.made, "big.example.", GSLB_NONE, "big");
    b.made.plan->targets = b.made.worker.targets = b.targets;
    made_finish(&b.made, NULL);
    gslb_targets_keep(b.targets, b.made.plan->target_used, b.made.plan->target_count);
    for (unsigned i = 0; i < GSLB_MEMBERS_MAX;) {
        gslb_targets_turn(b.targets);
        for (; b.asked_count; i++) {
            b.asked_count--;
            char text[256];
            size_t n = 0;
            for (unsigned k = 0; k < 8; k++)
                n += (size_t)sprintf(text + n, "192.%u.%u.%u ", i >> 8, i & 255, k);
            struct said s = {.addresses = text, .ttl = 60};
            say(&s, b.asked[b.asked_count].done, b.asked[b.asked_count].arg);
        }
    }
    struct gslb_client c = made_client("198.51.100.53");
    struct gslb_answer a = made_ask(&b.made, "big.example.", A1, &c, NOW, NULL);
    assert_int_equal(a.outcome, GSLB_SET);
    assert_int_equal(a.set.count, sizeof b.made.worker.rdata / 6);
    assert_int_equal(a.set.size, a.set.count * 6);
    free(members);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_followed),
        cmocka_unit_test(without_targets),
        cmocka_unit_test(more_than_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
