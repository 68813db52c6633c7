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

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

static void completed(void **state)
{
    (void)state;
    struct live l;
    unsigned port = live_port();
    live_init(&l);
    live_file(&l, "own.zone",
              "$ORIGIN own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.1\nout CNAME www.world.\ntwo CNAME out2\nout2 CNAME alias.world.\n"
              "gone CNAME gone.world.\nmoved DNAME world.\nsub NS ns.sub\nns.sub A 127.0.0.2\n"
              "down CNAME www.sub\n");
    live_file(&l, "own2.zone",
              "$ORIGIN own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.3\nplain A 192.0.2.2\nsub NS ns.sub\nns.sub A 127.0.0.3\n");
    live_file(&l, "root.zone",
              "$ORIGIN .\n$TTL 300\n@ SOA ns.root. host. 1 3600 600 86400 300\n@ NS ns.root.\n"
              "ns.root. A 127.0.0.2\nworld. NS ns.world.\nns.world. A 127.0.0.2\n");
    live_file(&l, "world.zone",
              "$ORIGIN world.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.2\nwww A 192.0.2.81\nalias CNAME www\n");
    live_file(&l, "sub.zone",
              "$ORIGIN sub.own.test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\n"
              "ns A 127.0.0.2\nwww A 192.0.2.90\nup CNAME www.world.\n");
    live_file(&l, "hints.zone", ". 3600 NS ns.root.\nns.root. 3600 A 127.0.0.2\n");
    live_file(&l, "conf.yaml", conf, port, port, port, port, port);
    live_start(&l);
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
        if (strcmp(rcode, rows[i].rcode) != 0 || strcmp(answer, rows[i].answer) != 0 ||
            strcmp(authority, rows[i].authority) != 0 || aa != rows[i].aa)
            fail_msg("%s: %s aa %d, answer %s, authority %s", rows[i].label, rcode, aa, answer,
                     authority);
        arena_fini(&a);
    }
    live_stop(&l);
}

static uint64_t count(struct live *l, const char *name)
{
    json_t *all = server_report_stats(l->server);
    uint64_t n = (uint64_t)json_integer_value(json_object_get(all, name));
    json_decref(all);
    return n;
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(completed), cmocka_unit_test(prefetched)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
