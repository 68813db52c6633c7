/* Loading, the rows' checks, and the hints that go with mistakes. */
#include "base/err.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *diags_text(const struct diag_list *d)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    diag_print(d, f, 0);
    fclose(f);
    return text;
}

static const struct {
    const char *label, *yaml, *want; /* want: part of what is said; NULL: taken */
} rows[] = {
    {"empty file", "", NULL},
    {"comment only", "# nothing\n", NULL},
    {"listen", "listen:\n  - { address: 127.0.0.1, port: 5300 }\n", NULL},
    {"quoted IPv6", "listen:\n  - { address: \"::1\", port: 53, role: [authority, resolver] }\n",
     NULL},
    {"unknown key", "resolvr: {}\n", "t:1:1: error: unknown key \"resolvr\""},
    {"did you mean", "resolvr: {}\n", "did you mean \"resolver\"?"},
    {"nested unknown", "resolver:\n  cache: { sise: 1M }\n", "did you mean \"size\"?"},
    {"duplicate", "server: {}\nserver: {}\n", "t:2:1: error: this key is written twice"},
    {"duplicate names the first", "server: {}\nserver: {}\n", "first written in line 1"},
    {"unit missing", "resolver: { cache: { size: 256 } }\n", "is not a size with its unit"},
    {"percentage without sign", "resolver: { cache: { prefetch: 10 } }\n",
     "is not a percentage with its sign"},
    {"too large a share", "resolver: { cache: { prefetch: 95% } }\n", "range"},
    {"duration without unit", "server: { drain: 5 }\n", "is not a duration with its unit"},
    {"out of range", "listen: [ { address: 127.0.0.1, port: 70000 } ]\n",
     "70000 is out of range (0 to 65535)"},
    {"wrong bool", "server: { chaos: maybe }\n", "\"maybe\" is not yes or no"},
    {"wrong choice", "server: { log: loud }\n", "is not one of error|warning"},
    {"missing address", "listen:\n  - { port: 53 }\n", "listen[].address is missing"},
    {"map for list", "listen: { address: 127.0.0.1 }\n", "listen: expected a list"},
    {"not built", "resolver: { validate: yes }\n", "resolver.validate: not in this version"},
    {"wild name", "zones:\n  - name: *.example.com\n    file: x\n", "must be quoted"},
    {"apex sign", "zones:\n  - name: @\n    file: x\n", "quote it: \"@\""},
    {"IPv6 in brackets", "resolver: { allow: [::1, 127.0.0.1] }\n", "quote IPv6"},
    {"IPv6 ending in colons", "resolver:\n  allow:\n    - 2001:db8::\n",
     "quote an IPv6 address that ends in ::"},
    {"tab", "server:\n\tchaos: yes\n", "indent with spaces"},
    {"anchor", "server: &a { chaos: yes }\n", "anchors and tags are not taken"},
    {"one document with its marks", "---\nserver: {}\n...\n", NULL},
    {"second document", "server: {}\n---\nserver: {}\n", "t:2:1: error: a second document"},
    {"octal number", "server: { workers: 010 }\n", "a leading 0 means octal"},
    {"octal duration", "server: { drain: 010s }\n", "is not a duration"},
    {"zero", "server: { workers: 0 }\n", NULL},
    {"hexadecimal", "server: { workers: 0x10 }\n", "decimal digits only"},
    {"sexagesimal", "listen: [ { address: 127.0.0.1, port: 1:30 } ]\n", "decimal digits only"},
    {"a country, not a word for no", "server: { identity: NO }\n", NULL},
    {"large letters", "server: { chaos: NO }\n", "write it small: no"},
    {"the unit that is missing", "server: { drain: 5 }\n", "the unit is missing: 5s"},
    {"tag", "server: { workers: !!int 1 }\n", "anchors and tags are not taken"},
    {"alias", "server: *a\n", "aliases are not taken"},
    {"empty list", "resolver: { forward: [ { zone: a, to: [] } ] }\n", "the list is empty"},
    {"merge key", "server:\n  <<: {}\n", "merge keys are not taken"},
    {"prefix bits", "resolver: { allow: [10.0.0.1/8] }\n", "without bits beyond its length"},
    {"not a map", "- a\n- b\n", "must be a map of keys"},
    {"both errors are said", "a: 1\nb: 2\n", "unknown key \"b\""},
};

static void loads_and_complains(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag_list d;
        struct config *c = NULL;
        diag_init(&d);
        int err = config_load_mem(&c, "t", rows[i].yaml, strlen(rows[i].yaml), &d);
        char *said = diags_text(&d);
        if ((err == 0) != !rows[i].want || (rows[i].want && !strstr(said, rows[i].want)))
            fail_msg("%s: %s\n%s", rows[i].label, err_name(err), said);
        free(said);
        config_free(c);
        diag_fini(&d);
    }
}

static void values_and_defaults(void **state)
{
    (void)state;
    static const char yaml[] =
        "server: { drain: 3s }\n"
        "listen:\n"
        "  - { address: 192.0.2.1, role: authority, name: a }\n"
        "  - { address: \"2001:db8::1\", port: 5300, role: [authority, resolver] }\n"
        "resolver: { cache: { size: 2G } }\n";
    struct diag_list d;
    struct config *c = NULL;
    diag_init(&d);
    assert_int_equal(config_load_mem(&c, "dir/t.yaml", yaml, sizeof yaml - 1, &d), 0);
    assert_string_equal(config_folder(c), "dir");
    assert_int_equal(config_int(c, NULL, "server.drain"), 3000);
    assert_int_equal(config_int(c, NULL, "resolver.cache.size"), 2LL << 30);
    assert_int_equal(config_int(c, NULL, "resolver.limits.query-time"), 6000);
    assert_true(config_bool(c, NULL, "resolver.qname-minimisation"));
    assert_int_equal(config_items(c, "listen"), 2);
    const struct config_node *one = config_item(c, "listen", 0), *two = config_item(c, "listen", 1);
    assert_ptr_equal(config_next(one), two);
    assert_null(config_next(two));
    assert_int_equal(config_int(c, one, "listen[].port"), 53);
    assert_int_equal(config_int(c, two, "listen[].port"), 5300);
    assert_string_equal(config_text(c, one, "listen[].name"), "a");
    assert_null(config_text(c, two, "listen[].name"));
    assert_int_equal(config_count(c, one, "listen[].role"), 1);
    assert_string_equal(config_text_at(c, two, "listen[].role", 1), "resolver");
    assert_int_equal(config_addr(c, two, "listen[].address", 0).family, 6);
    config_free(c);
    diag_fini(&d);
}

/* A default that its own row would refuse is a mistake in the table. */
static void every_default_suits_its_row(void **state)
{
    (void)state;
    for (const struct config_option *o = config_options; o->path; o++) {
        int64_t v = 0;
        if (o->def && o->type == CONFIG_DURATION)
            assert_int_equal(config_parse_duration(o->def, &v), 0);
        if (o->def && o->type == CONFIG_SIZE)
            assert_int_equal(config_parse_size(o->def, &v), 0);
        if (o->def && (o->min || o->max) && v)
            assert_in_range(v, o->min, o->max);
        assert_ptr_equal(config_option_find(o->path), o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_complains),
        cmocka_unit_test(values_and_defaults),
        cmocka_unit_test(every_default_suits_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
