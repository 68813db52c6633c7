/* What each server gets to see (RFC 9156 2.3). */
#include "resolver/minimise.h"

#include "dns/name.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void parse(uint8_t out[DNS_NAME_MAX], const char *text)
{
    assert_true(dns_name_parse(out, text, strlen(text), NULL) > 0);
}

/* Asks on at one zone until the whole name is out; the label counts shown must be those listed. */
static void steps(void **state)
{
    (void)state;
    static const struct {
        const char *label, *zone, *qname;
        bool on;
        const char *shown; /* label counts */
    } rows[] = {
        {"one label at a time", ".", "www.example.test.", true, "1 2 3"},
        {"below the zone asked", "test.", "www.example.test.", true, "2 3"},
        {"the zone itself", "example.test.", "example.test.", true, "2"},
        {"off: the whole name", ".", "www.example.test.", false, "3"},
        {"the root", ".", ".", true, "0"},
        {"four single labels, then the rest is spread over six", ".",
         "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.", true, "1 2 3 4 7 10 13 16 18 20"},
        {"no more than ten shortened questions", "ip6.arpa.",
         "1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.0.1.2.3.4.5.6.7.8.9.a.b.c.d.e.f.0.ip6.arpa.", true,
         "3 4 5 6 11 16 21 26 30 34"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t zone[DNS_NAME_MAX], qname[DNS_NAME_MAX];
        const uint8_t *name;
        uint16_t type;
        char got[128] = "";
        struct minimise m;
        bool more = true;
        parse(zone, rows[i].zone);
        parse(qname, rows[i].qname);
        minimise_init(&m, rows[i].on);
        for (unsigned n = 0; more && n < 40; n++) {
            more = minimise_next(&m, zone, qname, DNS_TYPE_TXT, &name, &type);
            if (type != (more ? DNS_TYPE_A : DNS_TYPE_TXT) || !dns_name_is_sub(qname, name))
                fail_msg("%s: wrong type or name", rows[i].label);
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", *got ? " " : "",
                     dns_name_labels(name));
        }
        if (strcmp(got, rows[i].shown))
            fail_msg("%s: %s instead of %s", rows[i].label, got, rows[i].shown);
    }
}

/* A referral that skips labels moves the count forward; one that does not never moves it back. */
static void referrals(void **state)
{
    (void)state;
    uint8_t root[] = {0}, zone[DNS_NAME_MAX], qname[DNS_NAME_MAX];
    const uint8_t *name;
    uint16_t type;
    struct minimise m;
    parse(qname, "a.b.c.d.test.");
    parse(zone, "c.d.test.");
    minimise_init(&m, true);
    assert_true(minimise_next(&m, root, qname, DNS_TYPE_A, &name, &type));
    assert_int_equal(dns_name_labels(name), 1);
    assert_true(minimise_next(&m, zone, qname, DNS_TYPE_A, &name, &type));
    assert_int_equal(dns_name_labels(name), 4);
    /* switched off in between: the whole name */
    m.on = false;
    assert_false(minimise_next(&m, zone, qname, DNS_TYPE_A, &name, &type));
    assert_int_equal(dns_name_labels(name), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(referrals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
