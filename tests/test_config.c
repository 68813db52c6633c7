/* Loading, the rows' checks, and the hints that go with mistakes. */
#include "base/err.h"
#include "config/config.h"
#include "config/tree.h"

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
    {"limits of TCP",
     "server: { tcp: { connections: 20000, per-client: 1, first-timeout: 100ms, "
     "idle-timeout: 10m } }\n",
     NULL},
    {"no connection", "server: { tcp: { connections: 0 } }\n",
     "server.tcp.connections: 0 is out of range (1 to 1000000)"},
    {"no client", "server: { tcp: { per-client: 0 } }\n", "0 is out of range (1 to 1000000)"},
    {"no time for a query", "server: { tcp: { first-timeout: 0s } }\n",
     "0s is out of range (100 to 600000)"},
    {"idle beyond its life", "server: { tcp: { idle-timeout: 11m } }\n",
     "11m is out of range (100 to 600000)"},
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
    {"names of the operator's", "gslb: { sites: { fra: { at: [50.1, 8.6] }, x.y: } }\n", NULL},
    {"a key below a name", "gslb: { sites: { fra: { att: [1, 2] } } }\n",
     "t:1:25: error: unknown key \"att\" in gslb.sites.*"},
    {"near below a name", "gslb: { sites: { fra: { att: [1, 2] } } }\n", "did you mean \"at\"?"},
    {"a name without keys", "gslb: { sites: { fra: 7 } }\n",
     "gslb.sites.*: expected a map of keys"},
    {"a list of names", "gslb: { sites: [fra] }\n", "gslb.sites: expected a map of names"},
    {"off the globe", "gslb: { sites: { fra: { at: [91, 8] } } }\n", "[latitude, longitude]"},
    {"half a position", "gslb: { sites: { fra: { at: [50] } } }\n", "[latitude, longitude]"},
    {"no position", "gslb: { sites: { fra: { at: [x, 1] } } }\n", "[latitude, longitude]"},
    {"a brief member", "gslb: { pools: { p: { members: { a: [192.0.2.1, '2001:db8::1'] } } } }\n",
     NULL},
    {"a wrong brief member", "gslb: { pools: { p: { members: { a: 192.0.2 } } } }\n",
     "gslb.pools.*.members.*.address: \"192.0.2\" is not an IPv4 or IPv6 address"},
    {"a brief policy", "gslb: { pools: { p: { choose: wieghted } } }\n",
     "gslb.pools.*.choose.by: \"wieghted\" is not one of failover|"},
    {"too heavy", "gslb: { pools: { p: { members: { a: { weight: 1048577 } } } } }\n",
     "1048577 is out of range (0 to 1048576)"},
    {"a tenth of a percent", "gslb: { pools: { p: { enough: 12.5% } } }\n", NULL},
    {"no tenth", "gslb: { pools: { p: { enough: 12.% } } }\n", "50% or 12.5%"},
    {"two decimals", "gslb: { pools: { p: { enough: 12.55% } } }\n", "50% or 12.5%"},
    {"share without sign", "gslb: { pools: { p: { enough: 50 } } }\n", "the unit is missing: 50%"},
    {"more than all", "gslb: { pools: { p: { enough: 100.1% } } }\n",
     "100.1% is out of range (0 to 100%)"},
    {"sites with weights", "gslb: { maps: { m: { otherwise: { a: 70, b: 30 } } } }\n", NULL},
    {"a wrong weight", "gslb: { maps: { m: { otherwise: { a: 70% } } } }\n",
     "\"70%\" is not a weight"},
    {"a wild name as a key", "gslb: { names: { *.a: { pool: p } } }\n", "must be quoted"},
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

/* Maps below names, lists below those, and values that stand for a key. */
static void values_below_names(void **state)
{
    (void)state;
    static const char yaml[] =
        "gslb:\n"
        "  pools:\n"
        "    p:\n"
        "      choose: weighted\n"
        "      enough: 12.5%\n"
        "      members: { a: 192.0.2.1, b: { address: 192.0.2.2, weight: 7 } }\n"
        "    q: { choose: { by: hash, answers: 2 } }\n"
        "  maps:\n"
        "    m: { rules: [ { country: [DE, NO] } ] }\n";
    struct diag_list d;
    struct config *c = NULL;
    float at[2];
    diag_init(&d);
    assert_int_equal(config_load_mem(&c, "t.yaml", yaml, sizeof yaml - 1, &d), 0);
    const struct config_node *p = config_node(c, NULL, "gslb.pools")->child, *q = p->next;
    assert_string_equal(q->key, "q");
    assert_string_equal(config_text(c, p, "gslb.pools.*.choose.by"), "weighted");
    assert_null(config_text(c, p, "gslb.pools.*.choose.answers"));
    assert_string_equal(config_text(c, q, "gslb.pools.*.choose.by"), "hash");
    assert_int_equal(config_int(c, q, "gslb.pools.*.choose.answers"), 2);
    assert_int_equal(config_int(c, p, "gslb.pools.*.enough"), 125);
    assert_int_equal(config_int(c, q, "gslb.pools.*.enough"), 0);
    const struct config_node *a = config_node(c, p, "gslb.pools.*.members")->child, *b = a->next;
    assert_string_equal(config_text_at(c, a, "gslb.pools.*.members.*.address", 0), "192.0.2.1");
    assert_int_equal(config_int(c, a, "gslb.pools.*.members.*.weight"), 1);
    assert_int_equal(config_int(c, b, "gslb.pools.*.members.*.weight"), 7);
    assert_false(config_position(c, b, "gslb.pools.*.members.*.at", at));
    const struct config_node *m = config_node(c, NULL, "gslb.maps")->child;
    const struct config_node *rule = config_node(c, m, "gslb.maps.*.rules")->child;
    assert_int_equal(config_count(c, rule, "gslb.maps.*.rules[].country"), 2);
    assert_string_equal(config_text_at(c, rule, "gslb.maps.*.rules[].country", 1), "NO");
    assert_string_equal(config_key_near(config_node(c, NULL, "gslb.maps"), "mm"), "m");
    assert_null(config_key_near(config_node(c, NULL, "gslb.maps"), "world"));
    config_free(c);
    diag_fini(&d);
}

/* A default that its own row would refuse is a mistake in the table. */
static const struct {
    const char *label, *path, *a, *b;
    bool same;
} pairs[] = {
    {"never written", "server.workers", "", "server: {}\n", true},
    {"the default", "server.workers", "", "server: { workers: 0 }\n", true},
    {"a number", "server.workers", "server: { workers: 1 }\n", "server: { workers: 2 }\n", false},
    {"another unit", "server.drain", "server: { drain: 60s }\n", "server: { drain: 1m }\n", true},
    {"another duration", "server.drain", "server: { drain: 60s }\n", "server: { drain: 6s }\n",
     false},
    {"another word", "server.chaos", "server: { chaos: on }\n", "server: { chaos: yes }\n", true},
    {"the other word", "server.chaos", "server: { chaos: on }\n", "server: {}\n", false},
    {"no text", "server.user", "server: { user: a }\n", "", false},
    {"a text", "server.user", "server: { user: a }\n", "server: { user: 'a' }\n", true},
    {"a list of one", "gslb.resolve-hosts-with", "gslb: { resolve-hosts-with: [self] }\n",
     "gslb: { resolve-hosts-with: self }\n", true},
    {"a longer list", "gslb.resolve-hosts-with", "gslb: { resolve-hosts-with: [a] }\n",
     "gslb: { resolve-hosts-with: [a, b] }\n", false},
    {"another order", "gslb.resolve-hosts-with", "gslb: { resolve-hosts-with: [a, b] }\n",
     "gslb: { resolve-hosts-with: [b, a] }\n", false},
    {"no items", "resolver.forward", "", "resolver: { forward: [] }\n", true},
    {"keys of an item turned", "resolver.forward",
     "resolver: { forward: [ { zone: a, to: 192.0.2.1 } ] }\n",
     "resolver:\n  forward:\n  - to: 192.0.2.1\n    zone: a\n", true},
    {"one more item", "resolver.forward", "",
     "resolver: { forward: [ { zone: a, to: 192.0.2.1 } ] }\n", false},
    {"another item", "resolver.forward", "resolver: { forward: [ { zone: a, to: 192.0.2.1 } ] }\n",
     "resolver: { forward: [ { zone: a, to: 192.0.2.2 } ] }\n", false},
    {"another key of an item", "resolver.local",
     "resolver: { local: [ { name: a, a: 192.0.2.1 } ] }\n",
     "resolver: { local: [ { name: a, action: nodata } ] }\n", false},
};

static void says_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct diag_list d;
        struct config *a = NULL, *b = NULL;
        const struct config_option *o = config_option_find(pairs[i].path);
        diag_init(&d);
        assert_int_equal(config_load_mem(&a, "t", pairs[i].a, strlen(pairs[i].a), &d), 0);
        assert_int_equal(config_load_mem(&b, "t", pairs[i].b, strlen(pairs[i].b), &d), 0);
        if (config_same(a, b, o) != pairs[i].same || config_same(b, a, o) != pairs[i].same)
            fail_msg("%s", pairs[i].label);
        config_free(a);
        config_free(b);
        diag_fini(&d);
    }
}

static void what_is_read_at_start(void **state)
{
    static const struct {
        const char *path;
        bool at_start;
    } options[] = {
        {"server", false},          {"server.workers", true},
        {"server.log", false},      {"server.tcp.idle-timeout", true},
        {"resolver", true},         {"resolver.cache.ttl.max", true},
        {"resolver.forward", true}, {"resolver.forward[].to", true},
        {"resolver.allow", false},  {"gslb.resolve-hosts-with", true},
        {"gslb.networks", false},   {"listen[].port", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (config_option_at_start(config_option_find(options[i].path)) != options[i].at_start)
            fail_msg("%s", options[i].path);
}

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
        cmocka_unit_test(loads_and_complains),   cmocka_unit_test(values_and_defaults),
        cmocka_unit_test(values_below_names),    cmocka_unit_test(says_the_same),
        cmocka_unit_test(what_is_read_at_start), cmocka_unit_test(every_default_suits_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
