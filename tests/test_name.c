/* Names: text, wire, pointers, order. */
#include "base/err.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *label, *text;
    int want; /* wire length or error */
    const char *print;
} texts[] = {
    {"root", ".", 1, "."},
    {"absolute", "www.example.", 13, "www.example."},
    {"relative gets the origin", "www", 9, "www.org."},
    {"@ is the origin", "@", 5, "org."},
    {"escaped dot", "a\\.b.c.", 7, "a\\.b.c."},
    {"decimal escape", "\\065.", 3, "A."},
    {"unprintable", "\\000\\255.", 4, "\\000\\255."},
    {"escape above 255", "\\256.", ERR_ESCAPE, NULL},
    {"escape ends early", "\\25", ERR_ESCAPE, NULL},
    {"lone backslash", "a\\", ERR_ESCAPE, NULL},
    {"empty label", "a..b.", ERR_LABEL_EMPTY, NULL},
    {"leading dot", ".a.", ERR_LABEL_EMPTY, NULL},
    {"empty text", "", ERR_LABEL_EMPTY, NULL},
    {"label of 63", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.", 65,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."},
    {"label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
     ERR_LABEL_LONG, NULL},
};

static void text_and_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t name[DNS_NAME_MAX];
        char text[DNS_NAME_TEXT_MAX] = "";
        int n =
            dns_name_parse(name, texts[i].text, strlen(texts[i].text), (const uint8_t *)"\3org");
        if (n > 0)
            dns_name_print(name, text);
        if (n != texts[i].want ||
            (n > 0 && (strcmp(text, texts[i].print) != 0 || dns_name_len(name) != (size_t)n)))
            fail_msg("%s: %d \"%s\"", texts[i].label, n, text);
    }
}

static void longest_name(void **state)
{
    (void)state;
    char text[600] = "";
    uint8_t name[DNS_NAME_MAX];
    for (int i = 0; i < 127; i++)
        strcat(text, "a.");
    assert_int_equal(dns_name_parse(name, text, strlen(text), NULL), 255);
    assert_int_equal(dns_name_labels(name), 127);
    strcat(text, "a.");
    assert_int_equal(dns_name_parse(name, text, strlen(text), NULL), ERR_NAME_LONG);
}

#define W(s) (const uint8_t *)s, sizeof s - 1

static const struct {
    const char *label;
    const uint8_t *bytes;
    size_t len, at;
    int want;
} wires[] = {
    {"plain", W("\1a\0"), 0, 3},
    {"pointer back", W("\1a\0\1b\xc0\0"), 3, 5},
    {"pointer to itself", W("\1a\0\xc0\3"), 3, ERR_POINTER},
    {"pointer forward", W("\xc0\2\1a\0"), 0, ERR_POINTER},
    {"two that point at each other", W("\1a\xc0\4\1b\xc0\0"), 4, ERR_POINTER},
    {"ends in a label", W("\3ab"), 0, ERR_TRUNC},
    {"no end", W("\1a"), 0, ERR_TRUNC},
    {"half a pointer", W("\xc0"), 0, ERR_TRUNC},
    {"reserved label type", W("\x40\1a\0"), 0, ERR_FORMAT},
};

static void from_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++) {
        uint8_t name[DNS_NAME_MAX];
        struct rcur c = rcur_of(wires[i].bytes, wires[i].len);
        c.at += wires[i].at;
        int n = dns_name_unpack(&c, name);
        if (n != wires[i].want || (n < 0 && !c.err) || (n > 0 && c.at > c.end))
            fail_msg("%s: %d", wires[i].label, n);
    }
}

static void too_many_pointers(void **state)
{
    (void)state;
    uint8_t msg[200] = {0}, name[DNS_NAME_MAX];
    size_t n = 1; /* root at 0; then pointers, each to the one before */
    for (int i = 0; i < 20; i++, n += 2) {
        msg[n] = 0xc0;
        msg[n + 1] = (uint8_t)(i ? n - 2 : 0);
    }
    struct rcur ok = rcur_of(msg, n), deep = rcur_of(msg, n);
    ok.at += 1 + 2 * 15;
    assert_int_equal(dns_name_unpack(&ok, name), 1);
    deep.at += 1 + 2 * 17;
    assert_int_equal(dns_name_unpack(&deep, name), ERR_POINTER);
}

/* RFC 4034 6.1, in order. */
static const char *const ordered[] = {"example.",         "a.example.",      "yljkjljk.a.example.",
                                      "Z.a.example.",     "zABC.a.EXAMPLE.", "z.example.",
                                      "\\001.z.example.", "*.z.example.",    "\\200.z.example."};

static void canonical_order(void **state)
{
    (void)state;
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            uint8_t a[DNS_NAME_MAX], b[DNS_NAME_MAX];
            dns_name_parse(a, ordered[i], strlen(ordered[i]), NULL);
            dns_name_parse(b, ordered[j], strlen(ordered[j]), NULL);
            int d = dns_name_cmp(a, b);
            if ((d > 0) != (i > j) || (d < 0) != (i < j) || dns_name_equal(a, b) != (i == j))
                fail_msg("%s and %s: %d", ordered[i], ordered[j], d);
        }
}

static void relations(void **state)
{
    (void)state;
    const uint8_t *a = (const uint8_t *)"\3WWW\7Example\3org",
                  *b = (const uint8_t *)"\7eXample\3ORG", *c = (const uint8_t *)"\4mail\3com";
    assert_true(dns_name_is_sub(a, b));
    assert_false(dns_name_is_sub(b, a));
    assert_true(dns_name_is_sub(a, dns_name_root));
    assert_int_equal(dns_name_common(a, b), 2);
    assert_int_equal(dns_name_common(a, c), 0);
    assert_true(dns_name_equal(dns_name_parent(a), b));
    assert_true(dns_name_equal(dns_name_suffix(a, 2), b));
    assert_true(dns_name_hash(dns_name_parent(a), 7) == dns_name_hash(b, 7));
    assert_true(dns_name_hash(a, 7) != dns_name_hash(b, 7));
    uint8_t low[DNS_NAME_MAX];
    assert_int_equal(dns_name_lower(low, a), 17);
    assert_memory_equal(low, "\3www\7example\3org", 17);
    assert_int_equal(dns_name_join(low, a, 4, c), 14);
    assert_memory_equal(low, "\3WWW\4mail\3com", 14);
}

/* A name of two labels, in memory that ends where it ends. */
static uint8_t *exact(unsigned first, unsigned second)
{
    uint8_t *name = malloc(first + second + 3);
    memset(name, 'k', first + second + 3);
    name[0] = (uint8_t)first;
    name[first + 1] = (uint8_t)second;
    name[first + second + 2] = 0;
    return name;
}

/* Labels of every length, and one octet after the other in other case or other altogether. */
static void equal_octet_by_octet(void **state)
{
    (void)state;
    for (unsigned first = 1; first <= DNS_LABEL_MAX; first++)
        for (unsigned second = 1; second <= 9; second++) {
            uint8_t *a = exact(first, second), *b = exact(first, second);
            uint8_t *longer = exact(first, second + 1);
            assert_false(dns_name_equal(a, longer) || dns_name_equal(longer, a));
            for (unsigned i = 1; i < first + second + 2; i++) {
                if (i == first + 1)
                    continue;
                b[i] = 'K';
                if (!dns_name_equal(a, b) || !dns_name_equal(b, a) ||
                    dns_name_hash(a, 5) != dns_name_hash(b, 5))
                    fail_msg("%u.%u: case of octet %u", first, second, i);
                b[i] = 'k' ^ 0x80; /* not a letter */
                if (dns_name_equal(a, b) || dns_name_hash(a, 5) == dns_name_hash(b, 5))
                    fail_msg("%u.%u: octet %u", first, second, i);
                b[i] = 'k';
            }
            free(a);
            free(b);
            free(longer);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_wire),       cmocka_unit_test(longest_name),
        cmocka_unit_test(from_messages),       cmocka_unit_test(too_many_pointers),
        cmocka_unit_test(canonical_order),     cmocka_unit_test(relations),
        cmocka_unit_test(equal_octet_by_octet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
