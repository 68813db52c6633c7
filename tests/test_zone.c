/* Random zones against a list of their records: every name, set, order, ancestor and previous name,
 * and names that are not there. Names have odd octets, both cases, long and shared beginnings;
 * records come in any order. */
/* folders: authority net dns base */
#include "../authority/zone_priv.h"

#include "base/err.h"
#include "base/rng.h"
#include "dns/name.h"
#include "dns/text.h"
#include "dns/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DATA_MAX 24
#define KINDS    5 /* types from FIRST on; the last are signatures */
#define FIRST    65280
#define TTL      300

/* One record as written, and one name as it must be found. */
struct row {
    uint8_t name[DNS_NAME_MAX]; /* lower case */
    uint16_t type, covers;
    uint8_t data[DATA_MAX];
    size_t len;
    uint32_t ttl;
};
struct model {
    struct rng rng;
    uint8_t origin[DNS_NAME_MAX];
    struct row *rows;
    size_t count;
    uint8_t (*names)[DNS_NAME_MAX]; /* in order, with empty non-terminals, each once */
    size_t name_count;
    char *text;
    size_t text_len;
};

/* ---- the model ---- */

/* RFC 4034 6.1, octet by octet from the root. */
static int order(const uint8_t *a, const uint8_t *b)
{
    const uint8_t *la[128], *lb[128];
    int n = 0, m = 0;
    for (const uint8_t *p = a; *p; p += 1 + *p)
        la[n++] = p;
    for (const uint8_t *p = b; *p; p += 1 + *p)
        lb[m++] = p;
    while (n && m) {
        const uint8_t *x = la[--n], *y = lb[--m];
        size_t len = *x < *y ? *x : *y;
        int d = memcmp(x + 1, y + 1, len);
        if (d || *x != *y)
            return d ? d : *x - *y;
    }
    return n - m;
}

static int order_names(const void *a, const void *b)
{
    return order(a, b);
}

static size_t length(const uint8_t *name)
{
    size_t n = 1;
    for (; name[n - 1]; n += 1 + (size_t)name[n - 1])
        ;
    return n;
}

/* A label from few octets, so that many begin alike; some are long. */
static size_t make_label(struct rng *r, uint8_t *to)
{
    static const uint8_t octets[] = {0, 1, 2, 'a', 'b', 'z', '0', '-', '.', '@', 127, 255};
    size_t n = 0;
    if (rng_below(r, 12) == 0) {
        to[1] = '*';
        n = 1;
    } else if (rng_below(r, 3) == 0) {
        n = (size_t)snprintf((char *)to + 1, 60, "host-%0*u", 1 + (int)rng_below(r, 30),
                             rng_below(r, 3000));
    } else {
        for (size_t len = 1 + rng_below(r, 11); n < len; n++)
            to[1 + n] = octets[rng_below(r, sizeof octets)];
    }
    to[0] = (uint8_t)n;
    return n + 1;
}

/* Below the origin, or below a name that is there. */
static void make_name(struct model *m, uint8_t *name)
{
    const uint8_t *above = m->origin;
    if (m->count && rng_below(&m->rng, 4) == 0)
        above = m->rows[rng_below(&m->rng, (uint32_t)m->count)].name;
    size_t n = 0;
    for (unsigned labels = rng_below(&m->rng, 10) == 0 ? 4 : 1 + rng_below(&m->rng, 2); labels;
         labels--)
        n += make_label(&m->rng, name + n);
    if (n + length(above) > DNS_NAME_MAX) {
        above = m->origin;
        n = make_label(&m->rng, name);
    }
    memcpy(name + n, above, length(above));
}

static void make_row(struct model *m, const uint8_t *name)
{
    struct row *row = &m->rows[m->count++];
    unsigned kind = rng_below(&m->rng, KINDS);
    memcpy(row->name, name, length(name));
    row->ttl = TTL;
    if (kind == KINDS - 1) { /* a signature: type covered, ..., the root as signer, something */
        row->covers = (uint16_t)(FIRST + rng_below(&m->rng, 3));
        row->type = DNS_TYPE_RRSIG;
        memset(row->data, 8, row->len = 20);
        put_u16(row->data, row->covers);
        row->data[18] = 0;
        row->data[19] = (uint8_t)rng_below(&m->rng, 100);
        return;
    }
    row->type = (uint16_t)(FIRST + kind);
    row->covers = 0;
    row->len = rng_below(&m->rng, 8);
    for (size_t i = 0; i < row->len; i++)
        row->data[i] = (uint8_t)rng_below(&m->rng, 5);
}

/* Every octet escaped, and letters in either case. */
static void write_name(struct model *m, FILE *f, const uint8_t *name)
{
    for (; *name; name += 1 + *name) {
        for (unsigned i = 1; i <= *name; i++) {
            bool letter = name[i] >= 'a' && name[i] <= 'z';
            fprintf(f, "\\%03u", letter && rng_below(&m->rng, 2) ? name[i] - 32u : name[i]);
        }
        fputc('.', f);
    }
}

static void write_text(struct model *m)
{
    FILE *f = open_memstream(&m->text, &m->text_len);
    fprintf(f, "$TTL %u\n@ SOA ns.else. host.else. 1 2 3 4 5\n@ NS ns.else.\n", TTL);
    for (size_t i = 0; i < m->count; i++) {
        const struct row *row = &m->rows[i];
        if (!i || order(row->name, row[-1].name) || rng_below(&m->rng, 2))
            write_name(m, f, row->name);
        fprintf(f, " %u TYPE%u \\# %zu ", row->ttl, row->type, row->len);
        for (size_t k = 0; k < row->len; k++)
            fprintf(f, "%02x", row->data[k]);
        fputc('\n', f);
    }
    fclose(f);
}

static void list_names(struct model *m)
{
    size_t n = 0, unique = 1;
    m->names = malloc((m->count * 128 + 1) * sizeof *m->names);
    memcpy(m->names[n++], m->origin, length(m->origin));
    for (size_t i = 0; i < m->count; i++)
        for (const uint8_t *p = m->rows[i].name; order(p, m->origin); p += 1 + *p)
            memcpy(m->names[n++], p, length(p));
    qsort(m->names, n, sizeof *m->names, order_names);
    for (size_t i = 1; i < n; i++)
        if (order(m->names[i], m->names[unique - 1]))
            memmove(m->names[unique++], m->names[i], sizeof *m->names);
    m->name_count = unique;
}

/* `names` different ones at most; sorted: the file is in order. */
static void make_model(struct model *m, uint64_t seed, size_t rows, size_t names, bool sorted)
{
    memset(m, 0, sizeof *m);
    rng_init_fixed(&m->rng, seed);
    dns_name_parse(m->origin, "zone.test", 9, NULL);
    m->rows = calloc(rows + 1, sizeof *m->rows);
    for (size_t i = 0; i < rows; i++) {
        uint8_t name[DNS_NAME_MAX];
        if (i < names)
            make_name(m, name);
        else
            memcpy(name, m->rows[rng_below(&m->rng, (uint32_t)names)].name, sizeof name);
        make_row(m, name);
    }
    if (sorted) /* the name comes first in a row */
        qsort(m->rows, m->count, sizeof *m->rows, order_names);
    for (size_t i = 0; i < m->count; i++) /* one TTL for each set */
        m->rows[i].ttl = TTL + m->rows[i].type + m->rows[i].covers + m->rows[i].name[1];
    list_names(m);
    write_text(m);
}

static void free_model(struct model *m)
{
    free(m->rows);
    free(m->names);
    free(m->text);
}

/* ---- comparing ---- */

static struct zone *load(const struct model *m)
{
    struct zone *z = NULL;
    struct diag_list d;
    diag_init(&d);
    int err = zone_load_mem(&z, m->origin, "model", m->text, m->text_len, NULL, 0, &d);
    diag_print(&d, stderr, 0);
    assert_int_equal(err, 0);
    assert_int_equal(d.warnings, 0);
    diag_fini(&d);
    return z;
}

/* What a set must be, from the rows as they come; 0 records: there is none. */
static struct dns_rrset expect(const struct model *m, const uint8_t *name, uint16_t type,
                               uint16_t covers, uint8_t *rdata)
{
    struct dns_rrset set = {.owner = name, .rdata = rdata, .type = type, .covers = covers};
    for (size_t i = 0; i < m->count; i++) {
        const struct row *row = &m->rows[i];
        bool twin = false;
        if (row->type != type || row->covers != covers || order(row->name, name))
            continue;
        for (const uint8_t *p = rdata; p < rdata + set.size; p += 2 + get_u16(p))
            twin = twin || (get_u16(p) == row->len && !memcmp(p + 2, row->data, row->len));
        if (twin)
            continue;
        put_u16(rdata + set.size, (uint16_t)row->len);
        memcpy(rdata + set.size + 2, row->data, row->len);
        set.size += 2 + (uint32_t)row->len;
        set.count++;
        set.ttl = row->ttl;
    }
    return set;
}

static unsigned compare_set(const struct model *m, const struct zone *z, const struct zone_node *n,
                            uint16_t type, uint16_t covers)
{
    static uint8_t rdata[2000 * (2 + DATA_MAX)];
    struct dns_rrset want = expect(m, n->name, type, covers, rdata), set;
    bool found = zone_node_get(z, n, type, covers, &set);
    assert_int_equal(found, want.count != 0);
    if (!found)
        return 0;
    assert_int_equal(set.count, want.count);
    assert_int_equal(set.size, want.size);
    assert_int_equal(set.ttl, want.ttl);
    assert_int_equal(set.type, type);
    assert_int_equal(set.covers, covers);
    assert_ptr_equal(set.owner, n->name);
    assert_memory_equal(set.rdata, rdata, want.size);
    return 1;
}

static void compare_sets(const struct model *m, const struct zone *z, const struct zone_node *n)
{
    unsigned count = 0, passed = 0;
    struct dns_rrset set;
    uint64_t last = 0;
    for (unsigned kind = 0; kind + 1 < KINDS; kind++)
        count += compare_set(m, z, n, (uint16_t)(FIRST + kind), 0);
    for (unsigned kind = 0; kind < 3; kind++)
        count += compare_set(m, z, n, DNS_TYPE_RRSIG, (uint16_t)(FIRST + kind));
    if (n == zone_apex(z))
        count += 2; /* SOA, NS */
    assert_int_equal(n->set_count, count);
    for (struct zone_sets s = zone_sets(n); zone_sets_next(&s, &set); passed++) {
        uint64_t now = (uint64_t)set.type << 16 | set.covers;
        assert_true(now > last);
        last = now;
    }
    assert_int_equal(passed, count);
}

static bool in_model(const struct model *m, const uint8_t *name)
{
    return bsearch(name, m->names, m->name_count, sizeof *m->names, order_names) != NULL;
}

/* Any name: found when it is there, in either case; else what is above it and before it. */
static void compare_look(struct model *m, const struct zone *z, const uint8_t *name)
{
    uint8_t asked[DNS_NAME_MAX];
    const uint8_t *above = name;
    for (size_t i = 0, n = length(name); i < n; i++)
        asked[i] = name[i] >= 'a' && name[i] <= 'z' && rng_below(&m->rng, 2)
                       ? (uint8_t)(name[i] - 32)
                       : name[i];
    const struct zone_node *n = zone_find(z, asked), *up = zone_encloser(z, asked);
    assert_int_equal(n != NULL, in_model(m, name));
    uint32_t hash = zone_hash(asked, length(asked));
    assert_ptr_equal(n, zone_find_hash(z, asked, length(asked), hash));
    assert_ptr_equal(n, zone_find_near(z, asked, length(asked), hash, zone_near(z, hash)));
    while (!in_model(m, above))
        above += 1 + *above;
    assert_int_equal(order(up->name, above), 0);
    if (n)
        assert_ptr_equal(n, up);
    const struct zone_node *before = NULL;
    struct dns_rrset set;
    for (size_t i = 0; i < m->name_count && order(m->names[i], name) <= 0; i++) {
        const struct zone_node *at = zone_find(z, m->names[i]);
        if (zone_node_get(z, at, FIRST, 0, &set))
            before = at;
    }
    assert_ptr_equal(zone_previous(z, asked, FIRST), before);
}

static bool has_wild_child(const struct model *m, const uint8_t *name)
{
    uint8_t wild[DNS_NAME_MAX + 2] = {1, '*'};
    if (length(name) + 2 > DNS_NAME_MAX)
        return false;
    memcpy(wild + 2, name, length(name));
    return in_model(m, wild);
}

/* looks: names that are asked, besides all that are there. */
static void compare(struct model *m, const struct zone *z, unsigned looks)
{
    const struct zone_node *n = zone_apex(z);
    assert_int_equal(zone_size(z).names, m->name_count);
    for (size_t i = 0; i < m->name_count; i++, n = zone_next(z, n)) {
        assert_non_null(n);
        assert_int_equal(order(n->name, m->names[i]), 0);
        assert_int_equal(n->has_wild, has_wild_child(m, n->name));
        assert_ptr_equal(zone_find(z, m->names[i]), n);
        if (m->count < 3000)
            compare_sets(m, z, n);
    }
    assert_null(n);
    for (unsigned i = 0; i < looks; i++) {
        uint8_t name[DNS_NAME_MAX];
        make_name(m, name);
        compare_look(m, z, name);
        compare_look(m, z, m->names[rng_below(&m->rng, (uint32_t)m->name_count)]);
    }
}

/* ---- the zones ---- */

static void check(uint64_t seed, size_t rows, size_t names, bool sorted, unsigned looks)
{
    struct model m;
    make_model(&m, seed, rows, names, sorted);
    struct zone *z = load(&m);
    compare(&m, z, looks);
    part_unref(zone_part(z));
    free_model(&m);
}

static void small_zones(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++)
        check(i, i, i, false, 20);
}

static void shuffled(void **state)
{
    (void)state;
    check(1001, 600, 500, false, 100);
    check(1002, 600, 200, false, 100);
    check(1003, 1500, 3, false, 20); /* many runs of one name */
}

static void in_order(void **state)
{
    (void)state;
    check(2001, 600, 400, true, 100);
}

/* More than one bucket is full, and every octet of the keys is dealt by. */
static void many_names(void **state)
{
    (void)state;
    check(3001, 20000, 20000, false, 3);
}

static void same(void **state)
{
    (void)state;
    struct model m;
    make_model(&m, 4001, 200, 150, false);
    struct zone *a = load(&m), *b = load(&m);
    assert_true(zone_same(a, b));
    part_unref(zone_part(b));
    struct row *row = &m.rows[rng_below(&m.rng, 200)];
    row->data[row->len++] = 9; /* in no other */
    free(m.text);
    write_text(&m);
    b = load(&m);
    assert_false(zone_same(a, b));
    part_unref(zone_part(a));
    part_unref(zone_part(b));
    free_model(&m);
}

/* Records of one set with several TTLs: the lowest, and a word at the line of each. */
static void lowest_ttl(void **state)
{
    (void)state;
    static const char text[] = "@ 60 SOA ns.else. host.else. 1 2 3 4 5\n@ 60 NS ns.else.\n"
                               "b 50 A 192.0.2.1\na 60 A 192.0.2.1\nb 40 A 192.0.2.2\n"
                               "b 40 A 192.0.2.1\n";
    uint8_t origin[DNS_NAME_MAX], name[DNS_NAME_MAX];
    struct zone *z = NULL;
    struct diag_list d;
    struct dns_rrset set;
    diag_init(&d);
    dns_name_parse(origin, "zone.test", 9, NULL);
    dns_name_parse(name, "b", 1, origin);
    assert_int_equal(zone_load_mem(&z, origin, "text", text, sizeof text - 1, NULL, 0, &d), 0);
    assert_int_equal(d.warnings, 1); /* the last line is a twin */
    assert_int_equal(d.first->line, 5);
    assert_string_equal(d.first->file, "text");
    assert_true(zone_node_get(z, zone_find(z, name), DNS_TYPE_A, 0, &set));
    assert_int_equal(set.ttl, 40);
    assert_int_equal(set.count, 2);
    part_unref(zone_part(z));
    diag_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_zones), cmocka_unit_test(shuffled), cmocka_unit_test(in_order),
        cmocka_unit_test(many_names),  cmocka_unit_test(same),     cmocka_unit_test(lowest_ttl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
