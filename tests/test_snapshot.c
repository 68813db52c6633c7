/* From configuration to snapshot, twice as at a reload: what is said, what is refused, and which
 * version of a zone is served. Nothing is bound. */
/* folders: authority config daemon */
#include "daemon/snapshot.h"

#include "authority/zone.h"
#include "base/err.h"
#include "live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG_62 "01234567890123456789012345678901234567890123456789012345678901"
#define ON(x)   "listen: [ { address: 127.0.0.1, port: 5399, name: x, role: " x " } ]\n"
#define ZONE    "zones: [ { name: a.test, file: a.zone } ]\n"
#define SOA(n)  "@ 60 SOA ns.b. host 2026" n " 1 1 1 1\n@ 60 NS ns.b.\n"

static const struct {
    const char *label, *conf, *said; /* said: NULL: nothing */
    bool refused;
} configs[] = {
    {"nothing at all", "server: {}\n", NULL, false},
    {"one address twice", "listen: [ { address: 127.0.0.1 }, { address: 127.0.0.1, port: 53 } ]\n",
     "there is a listener on this address and port already", true},
    {"one address, two transports",
     "listen: [ { address: 127.0.0.1, proto: udp }, { address: 127.0.0.1, proto: tcp } ]\n", NULL,
     false},
    {"one address, two ports",
     "listen: [ { address: 127.0.0.1 }, { address: 127.0.0.1, port: 5399 } ]\n", NULL, false},
    {"wildcard with recursion", "listen: [ { address: 0.0.0.0 } ]\n",
     "conf.yaml:1:22: error: a wildcard address with recursion and no allow list", true},
    {"IPv6 wildcard with recursion", "listen: [ { address: '::' } ]\n", "a wildcard address", true},
    {"wildcard with a list", "listen: [ { address: 0.0.0.0, allow: [10.0.0.0/8] } ]\n", NULL,
     false},
    {"wildcard with the resolver's list",
     "listen: [ { address: 0.0.0.0 } ]\nresolver: { allow: [10.0.0.0/8] }\n", NULL, false},
    {"wildcard without recursion", "listen: [ { address: 0.0.0.0, role: authority } ]\n", NULL,
     false},
    {"identity of 63 octets", "server: { identity: x" LONG_62 " }\n", NULL, false},
    {"identity of 64 octets", "server: { identity: xy" LONG_62 " }\n", "longer than 63 octets",
     true},
    {"name of 64 octets", "listen: [ { address: 127.0.0.1, name: xy" LONG_62 " } ]\n",
     "longer than 63 octets", true},
    {"zone on nobody's listener",
     ON("authority") "zones: [ { name: a.test, file: a.zone, on: y } ]\n",
     "no listener is named \"y\"", true},
    {"zone on a resolver's listener",
     ON("resolver") "zones: [ { name: a.test, file: a.zone, on: x } ]\n",
     "warning: the listener \"x\" does not serve zones", false},
    {"zone twice",
     ON("authority") "zones: [ { name: a.test, file: a.zone },"
                     " { name: A.test., file: a.zone } ]\n",
     "this zone is there already", true},
};

/* What was said, without the zone errors' own text; err of the build. */
static int build(struct live *l, const struct snapshot *before, struct snapshot **s, char *said,
                 size_t cap, unsigned *zone_errors)
{
    char path[160], *text = NULL;
    size_t len;
    struct config *c = NULL;
    struct diag_list d;
    diag_init(&d);
    *s = NULL;
    *zone_errors = 0;
    snprintf(path, sizeof path, "%s/conf.yaml", l->dir);
    int err = config_load(&c, path, &d);
    err = err ? err : snapshot_build(s, c, before, NULL, &d, zone_errors);
    FILE *f = open_memstream(&text, &len);
    diag_print(&d, f, 0);
    fclose(f);
    snprintf(said, cap, "%s", text);
    free(text);
    diag_fini(&d);
    return err;
}

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        struct live l;
        struct snapshot *s;
        char said[2048];
        unsigned zone_errors;
        live_init(&l);
        live_file(&l, "a.zone", SOA("01"));
        live_file(&l, "conf.yaml", "%s", configs[i].conf);
        int err = build(&l, NULL, &s, said, sizeof said, &zone_errors);
        if ((err != 0) != configs[i].refused ||
            (configs[i].said ? !strstr(said, configs[i].said) : *said != 0))
            fail_msg("%s: %s\n%s", configs[i].label, err_name(err), said);
        if (s)
            part_unref(&s->part);
        live_remove(&l);
    }
}

#define AT(a) "listen: [ { address: 127.0.0.1, port: 5399" a " } ]\n"

/* Who may ask the resolver. */
static const struct {
    const char *label, *conf, *client;
    bool allowed;
} allowed[] = {
    {"loopback by default", AT(""), "127.9.8.7", true},
    {"IPv6 loopback by default", AT(""), "::1", true},
    {"nobody else", AT(""), "10.0.0.1", false},
    {"the resolver's list", AT("") "resolver: { allow: [10.0.0.0/8] }\n", "10.0.0.1", true},
    {"that list and no more", AT("") "resolver: { allow: [10.0.0.0/8] }\n", "127.0.0.1", false},
    {"the listener's own list goes first",
     AT(", allow: 192.0.2.0/24") "resolver: { allow: [10.0.0.0/8] }\n", "10.0.0.1", false},
    {"the listener's own list", AT(", allow: [198.51.100.0/24, 192.0.2.0/24]"), "192.0.2.9", true},
    {"an empty list is nobody", AT(", allow: []"), "127.0.0.1", false},
    {"an empty list of the resolver", AT("") "resolver: { allow: [] }\n", "127.0.0.1", false},
    {"an empty list on a wildcard", "listen: [ { address: 0.0.0.0, allow: [] } ]\n", "127.0.0.1",
     false},
    {"without any configuration", "server: {}\n", "127.0.0.1", true},
};

static void who_may_ask(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        struct live l;
        struct snapshot *s;
        struct addr client;
        char said[2048];
        unsigned zone_errors;
        live_init(&l);
        live_file(&l, "conf.yaml", "%s", allowed[i].conf);
        assert_int_equal(addr_parse(&client, allowed[i].client, 0), 0);
        if (build(&l, NULL, &s, said, sizeof said, &zone_errors))
            fail_msg("%s: %s", allowed[i].label, said);
        if (net_acl_allows(&s->listeners[0].allow, &client) != allowed[i].allowed)
            fail_msg("%s: not as expected", allowed[i].label);
        part_unref(&s->part);
        live_remove(&l);
    }
}

static const struct {
    const char *label, *conf, *first, *second; /* NULL: the same */
    const char *said;                          /* at the second time, NULL: nothing */
    unsigned zone_errors;
    uint32_t serial; /* served afterwards, 0: none */
    bool shared;     /* the very same zone */
} reloads[] = {
    {"no change", NULL, SOA("05"), SOA("05"), NULL, 0, 202605, true},
    {"a higher serial", NULL, SOA("05"), SOA("06"), NULL, 0, 202606, false},
    {"a lower serial", NULL, SOA("05"), SOA("04"), "the serial went back from 202605 to 202604", 0,
     202604, false},
    {"another record, the same serial", NULL, SOA("05"), SOA("05") "x 1 A 192.0.2.1\n",
     "a.test: the zone changed and its serial did not rise: 202605 before, 202605 now", 0, 202605,
     false},
    {"another TTL, the same serial", NULL, SOA("05") "x 1 A 192.0.2.1\n",
     SOA("05") "x 2 A 192.0.2.1\n", "did not rise", 0, 202605, false},
    {"another name, the same serial", NULL, SOA("05") "x 1 A 192.0.2.1\n",
     SOA("05") "y 1 A 192.0.2.1\n", "did not rise", 0, 202605, false},
    {"another type, the same serial", NULL, SOA("05") "x 1 TYPE65280 \\# 1 00\n",
     SOA("05") "x 1 TYPE65281 \\# 1 00\n", "did not rise", 0, 202605, false},
    {"a bad zone keeps its old version", NULL, SOA("05"), SOA("06") "x 1 A y\n",
     "not an IPv4 address", 1, 202605, true},
    {"a bad zone from the start", NULL, "x 1 A y\n", "x 1 A y\n", "not an IPv4 address", 1, 0,
     false},
    {"a bad zone is repaired", NULL, "x 1 A y\n", SOA("05"), NULL, 0, 202605, false},
    {"a bad zone on other listeners",
     "listen:\n  - { address: 127.0.0.1, port: 5399, name: x, role: authority }\n"
     "  - { address: 127.0.0.2, port: 5399, name: y, role: authority }\n"
     "zones: [ { name: a.test, file: a.zone, on: x } ]\n",
     SOA("05"), "x 1 A y\n", "not an IPv4 address", 1, 202605, true},
};

static void what_a_reload_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reloads / sizeof *reloads; i++) {
        struct live l;
        struct snapshot *a, *b;
        char said[2048];
        unsigned zone_errors;
        bool failed;
        live_init(&l);
        live_file(&l, "a.zone", "%s", reloads[i].first);
        live_file(&l, "conf.yaml", "%s", reloads[i].conf ? reloads[i].conf : ON("authority") ZONE);
        assert_int_equal(build(&l, NULL, &a, said, sizeof said, &zone_errors), 0);
        live_file(&l, "a.zone", "%s", reloads[i].second);
        if (reloads[i].conf) /* now on both */
            live_file(&l, "conf.yaml", "%.*s%s",
                      (int)(strstr(reloads[i].conf, ", on:") - reloads[i].conf), reloads[i].conf,
                      " } ]\n");
        assert_int_equal(build(&l, a, &b, said, sizeof said, &zone_errors), 0);
        const struct zone *was = zonedb_find(a->zones, (const uint8_t *)"\1a\4test", 0, &failed);
        const struct zone *is = zonedb_find(b->zones, (const uint8_t *)"\1a\4test", 0, &failed);
        if (is && zone_size(is).bytes > 16384) /* there are thousands of these */
            fail_msg("%s: %u octets", reloads[i].label, (unsigned)zone_size(is).bytes);
        if (zone_errors != reloads[i].zone_errors ||
            (is ? zone_serial(is) : 0) != reloads[i].serial || failed != !reloads[i].serial ||
            (is && was == is) != reloads[i].shared ||
            (reloads[i].said ? !strstr(said, reloads[i].said) : *said != 0))
            fail_msg("%s: serial %u, %u zone errors, shared %d\n%s", reloads[i].label,
                     is ? zone_serial(is) : 0, zone_errors, was == is, said);
        part_unref(&a->part);
        part_unref(&b->part);
        live_remove(&l);
    }
}

/* A database changed, nothing else: no zone is read, not even one that could not be. */
static void the_same_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *label, *first;
        uint32_t serial;
    } rows[] = {{"a zone", SOA("05"), 202605}, {"a bad zone", "x 1 A y\n", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct live l;
        struct snapshot *a, *b = NULL;
        struct diag_list d;
        char said[2048];
        unsigned zone_errors;
        bool failed;
        live_init(&l);
        diag_init(&d);
        live_file(&l, "a.zone", "%s", rows[i].first);
        live_file(&l, "conf.yaml", "%s", ON("authority") ZONE);
        assert_int_equal(build(&l, NULL, &a, said, sizeof said, &zone_errors), 0);
        live_file(&l, "a.zone", "%s", SOA("06"));
        live_file(&l, "conf.yaml", "%s", "no: configuration");
        assert_int_equal(snapshot_build(&b, config_share(a->config), a, NULL, &d, &zone_errors), 0);
        part_unref(&a->part); /* the configuration stays */
        const struct zone *is = zonedb_find(b->zones, (const uint8_t *)"\1a\4test", 0, &failed);
        if ((is ? zone_serial(is) : 0) != rows[i].serial || failed != !rows[i].serial ||
            zone_errors || d.errors)
            fail_msg("%s: serial %u, %u zone errors", rows[i].label, is ? zone_serial(is) : 0,
                     zone_errors);
        assert_string_equal(config_text(b->config, NULL, "server.log"), "info");
        part_unref(&b->part);
        diag_fini(&d);
        live_remove(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused), cmocka_unit_test(who_may_ask),
        cmocka_unit_test(what_a_reload_takes), cmocka_unit_test(the_same_configuration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
