#include "bed.h"

#include "base/err.h"
#include "base/list.h"
#include "dns/name.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    assert_true(b->flight_count < BED_FLIGHTS);
    struct bed_flight *l = &b->flights[b->flight_count++];
    *l = (struct bed_flight){.done = done, .arg = arg};
    dns_name_copy(l->name, name);
    print_net(subnet, l->net, sizeof l->net);
    return 0;
}

void bed_open(struct bed *b)
{
    memset(b, 0, sizeof *b);
    b->clock = (struct clock){bed_mono, bed_mono};
    b->fetcher = (struct gslb_fetcher){bed_fetch, true};
    b->now_us = 1000000000;
    snap_init(&b->domain);
    assert_int_equal(gslb_targets_new(&b->targets, &b->fetcher, &b->clock, &b->domain), 0);
}

struct gslb_fetched bed_failed(int err)
{
    return (struct gslb_fetched){.err = err};
}

void bed_end(struct bed *b, unsigned i, const struct gslb_fetched *f)
{
    struct bed_flight l = b->flights[i];
    b->flights[i] = b->flights[--b->flight_count];
    l.done(l.arg, f);
}

void bed_close(struct bed *b)
{
    gslb_targets_free(b->targets);
    struct gslb_fetched f = bed_failed(ERR_CANCELLED);
    while (b->flight_count)
        bed_end(b, 0, &f);
    snap_fini(&b->domain);
}

uint32_t bed_now(const struct bed *b)
{
    return (uint32_t)(b->now_us / 1000000);
}

uint32_t bed_take(struct bed *b, const char *name, bool subnets)
{
    uint8_t wire[255];
    uint32_t index = GSLB_NO_TARGET;
    assert_true(dns_name_parse(wire, name, strlen(name), NULL) > 0);
    assert_int_equal(gslb_targets_take(b->targets, wire, subnets, &index), 0);
    return index;
}

struct edns_subnet bed_subnet_of(const char *text)
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

void bed_answer_of(struct bed_answer *a, char *addresses, uint32_t ttl, unsigned scope)
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

void bed_find(struct bed *b, uint32_t index, const char *net, char *out, size_t cap)
{
    struct gslb_target_found f;
    struct edns_subnet s = bed_subnet_of(net);
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

unsigned bed_flight_find(const struct bed *b, const char *net)
{
    unsigned i = 0;
    while (i < b->flight_count && strcmp(b->flights[i].net, net) != 0)
        i++;
    return i;
}

void bed_say(struct bed *b, const char *net, const char *addresses, uint32_t ttl, unsigned scope)
{
    struct bed_answer a;
    char text[128];
    snprintf(text, sizeof text, "%s", addresses);
    bed_answer_of(&a, text, ttl, scope);
    unsigned i = bed_flight_find(b, net);
    assert_true(i < b->flight_count);
    bed_end(b, i, &a.fetched);
}

void bed_gives(struct bed *b, uint32_t index, const char *net, const char *expected)
{
    char found[160];
    bed_find(b, index, net, found, sizeof found);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: gave %s, not %s", net, found, expected);
}

uint32_t bed_known(struct bed *b)
{
    bed_open(b);
    uint32_t index = bed_take(b, "cdn.example.net", true);
    gslb_targets_keep(b->targets, &index, 1);
    gslb_targets_turn(b->targets);
    bed_say(b, "-", "192.0.2.1", 86400, 0);
    return index;
}

void bed_learn(struct bed *b, uint32_t index, const char *net, unsigned scope)
{
    char found[160];
    bed_find(b, index, net, found, sizeof found);
    gslb_targets_turn(b->targets);
    bed_say(b, net, "192.0.2.7", 86400, scope);
}
