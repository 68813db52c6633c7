/* Master files: what is read, and what is said about mistakes, with their places. */
#include "base/err.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "dns/zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct sheet {
    char text[4096];
    size_t len;
};

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    struct sheet *s = arg;
    char owner[DNS_NAME_TEXT_MAX], type[16], rdata[1024];
    dns_name_print(rr->owner, owner);
    dns_rdata_print(rr->type, rr->rdata, rr->rdlen, rdata, sizeof rdata);
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s %u %s %s|", owner,
                               rr->ttl, dns_type_print(rr->type, type), rdata);
    return 0;
}

static const struct {
    const char *label, *text, *want, *error; /* error: part of what is said, NULL: nothing may be */
} rows[] = {
    {"owner, TTL, class", "a 60 IN A 192.0.2.1\n", "a.example. 60 A 192.0.2.1|", NULL},
    {"class before TTL", "a IN 60 A 192.0.2.1\n", "a.example. 60 A 192.0.2.1|", NULL},
    {"$TTL with units", "$TTL 1h30m\na A 192.0.2.1\n", "a.example. 5400 A 192.0.2.1|", NULL},
    {"the last TTL goes on", "a 60 A 192.0.2.1\nb A 192.0.2.2\n",
     "a.example. 60 A 192.0.2.1|b.example. 60 A 192.0.2.2|", NULL},
    {"blank owner", "a 60 A 192.0.2.1\n  A 192.0.2.2\n",
     "a.example. 60 A 192.0.2.1|a.example. 60 A 192.0.2.2|", NULL},
    {"@ and absolute", "@ 1 NS a.b.\n", "example. 1 NS a.b.|", NULL},
    {"$ORIGIN", "$ORIGIN sub\na 1 A 192.0.2.1\n", "a.sub.example. 1 A 192.0.2.1|", NULL},
    {"parentheses and comments", "@ 1 SOA a b ( 1 ; serial\n 2 3\n 4 5 ) ; end\n",
     "example. 1 SOA a.example. b.example. 1 2 3 4 5|", NULL},
    {"quoted semicolon", "a 1 TXT \"x;y\" ; z\n", "a.example. 1 TXT \"x;y\"|", NULL},
    {"SOA minimum is the TTL", "@ SOA a b 1 2 3 4 77\nx A 192.0.2.1\n",
     "example. 77 SOA a.example. b.example. 1 2 3 4 77|x.example. 77 A 192.0.2.1|", NULL},
    {"$GENERATE", "$TTL 5\n$GENERATE 1-5/2 h-${10,3,x} A 192.0.2.$\n",
     "h-00b.example. 5 A 192.0.2.1|h-00d.example. 5 A 192.0.2.3|h-00f.example. 5 A 192.0.2.5|",
     NULL},
    {"no newline at the end", "a 1 A 192.0.2.1", "a.example. 1 A 192.0.2.1|", NULL},
    {"carriage returns", "a 1 A 192.0.2.1\r\n", "a.example. 1 A 192.0.2.1|", NULL},
    {"RFC 3597", "a 1 TYPE65280 \\# 2 0102\n", "a.example. 1 TYPE65280 \\# 2 0102|", NULL},
    {"place of a bad address", "a 1 A 192.0.2.1\nb 1 A 192.0.2.x\n", "a.example. 1 A 192.0.2.1|",
     "t:2:7: error: not an IPv4 address"},
    {"place inside parentheses", "@ 1 SOA a b (\n 1 2\n x 4 5 )\n", "",
     "t:3:2: error: expected a time"},
    {"unknown type", "a 1 NOTYPE x\n", "", "t:1:5: error: unknown record type"},
    {"no TTL", "a A 192.0.2.1\n", "", "no TTL: write $TTL at the top"},
    {"no owner", " 1 A 192.0.2.1\n", "", "the first record needs an owner"},
    {"open parenthesis", "a 1 TXT ( x\n", "", "a parenthesis is not closed"},
    {"closed too often", "a 1 TXT x )\n", "", "t:1:11: error: a parenthesis closes"},
    {"unknown directive", "$FOO x\n", "", "t:1:1: error: unknown directive"},
    {"meta type", "a 1 ANY x\n", "", "this type cannot be in a zone"},
    {"reading goes on", "a 1 A x\nb 1 A y\nc 1 A 192.0.2.3\n", "c.example. 1 A 192.0.2.3|",
     "t:2:7: error"},
    {"$INCLUDE of nothing", "$INCLUDE /nonexistent/file\n", "",
     "t:1:10: error: /nonexistent/file cannot be read: not found"},
    {"$INCLUDE of nothing, and reading goes on", "\n$INCLUDE \"nonexistent\"\na 1 A 192.0.2.1\n",
     "a.example. 1 A 192.0.2.1|", "t:2:10: error: nonexistent cannot be read: not found"},
    {"$GENERATE range", "$GENERATE 5-1 a A 192.0.2.$\n", "", "not a range"},
    {"$GENERATE range and more", "$GENERATE 1-2x a A 192.0.2.$\n", "",
     "t:1:11: error: not a range"},
    {"$GENERATE range without a step", "$GENERATE 1-2/ a A 192.0.2.$\n", "", "not a range"},
    {"$GENERATE with a step of 0", "$GENERATE 1-2/0 a A 192.0.2.$\n", "", "not a range"},
    {"$GENERATE beyond all numbers",
     "$GENERATE 0-18446744073709551615/9223372036854775808 a A 192.0.2.$\n", "", "not a range"},
    {"$GENERATE below 0", "$GENERATE -1-5 a A 192.0.2.$\n", "", "not a range"},
    {"place of what $GENERATE made", "\n\n$GENERATE 1-3 a$ 1 A 192.0.2.30$\nb 1 A x\n", "", "t:3:"},
    {"and of what follows it", "\n\n$GENERATE 1-3 a$ 1 A 192.0.2.$\nb 1 A x\n",
     "a1.example. 1 A 192.0.2.1|a2.example. 1 A 192.0.2.2|a3.example. 1 A 192.0.2.3|",
     "t:4:7: error: not an IPv4 address"},
    {"TTL of 31 bits", "a 2147483647 A 192.0.2.1\n", "a.example. 2147483647 A 192.0.2.1|", NULL},
    {"TTL of 32 bits (RFC 2181 8)", "a 2147483648 A 192.0.2.1\n", "",
     "t:1:3: error: a TTL is at most 2147483647"},
    {"$TTL of 32 bits", "$TTL 4294967295\n", "", "t:1:6: error: a TTL is at most 2147483647"},
};

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zonefile_options o = {
            .origin = (const uint8_t *)"\7example", .default_ttl = UINT32_MAX, .include_depth = 8};
        struct diag_list d;
        struct sheet s = {"", 0};
        char *said = NULL;
        size_t said_len;
        diag_init(&d);
        int err = zonefile_read_mem("t", rows[i].text, strlen(rows[i].text), &o, on_record, &s, &d);
        FILE *f = open_memstream(&said, &said_len);
        diag_print(&d, f, 0);
        fclose(f);
        if (strcmp(s.text, rows[i].want) != 0 || (err != 0) != (rows[i].error != NULL) ||
            (rows[i].error && !strstr(said, rows[i].error)))
            fail_msg("%s: %s\n\"%s\"\n%s", rows[i].label, err_name(err), s.text, said);
        free(said);
        diag_fini(&d);
    }
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* RFC 1035 5.1: relative to the file that includes; its own origin inside; origin and owner come
 * back; a mistake is said of the file it is in. */
static void includes(void **state)
{
    (void)state;
    static const struct {
        const char *label, *top, *part, *want, *error;
    } files[] = {
        {"origin and owner come back",
         "$TTL 1\na A 192.0.2.1\n$INCLUDE part sub\n A 192.0.2.2\nb A 192.0.2.3\n",
         "$ORIGIN deep\n@ A 192.0.2.9\nx A 192.0.2.8\n",
         "a.example. 1 A 192.0.2.1|deep.sub.example. 1 A 192.0.2.9|x.deep.sub.example. 1 A "
         "192.0.2.8|"
         "a.example. 1 A 192.0.2.2|b.example. 1 A 192.0.2.3|",
         NULL},
        {"without an origin", "$INCLUDE \"part\" ; comment\n", "x 1 A 192.0.2.8\n",
         "x.example. 1 A 192.0.2.8|", NULL},
        {"mistakes of both", "$INCLUDE part\n\nb 1 A z\n", "\nx 1 A y\n", "",
         "/part:2:7: error: not an IPv4 address"},
        {"the second of them", "$INCLUDE part\n\nb 1 A z\n", "\nx 1 A y\n", "",
         "/top:3:7: error: not an IPv4 address"},
        {"itself", "$INCLUDE part\n", "x 1 A 192.0.2.8\n$INCLUDE part\n",
         "x.example. 1 A 192.0.2.8|x.example. 1 A 192.0.2.8|",
         "/part:2:10: error: $INCLUDE is nested too deeply"},
        {"bad origin", "$INCLUDE part a..b\n", "x 1 A 192.0.2.8\n", "", "/top:1:15: error"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char folder[] = "/tmp/waypost-zonefile-XXXXXX", path[64], *said = NULL;
        size_t len;
        struct zonefile_options o = {
            .origin = (const uint8_t *)"\7example", .default_ttl = UINT32_MAX, .include_depth = 2};
        struct diag_list d;
        struct sheet s = {"", 0};
        diag_init(&d);
        assert_non_null(mkdtemp(folder));
        write_file(folder, "top", files[i].top);
        write_file(folder, "part", files[i].part);
        snprintf(path, sizeof path, "%s/top", folder);
        int err = zonefile_read(path, &o, on_record, &s, &d);
        FILE *f = open_memstream(&said, &len);
        diag_print(&d, f, 0);
        fclose(f);
        unlink(path);
        snprintf(path, sizeof path, "%s/part", folder);
        unlink(path);
        rmdir(folder);
        if (strcmp(s.text, files[i].want) != 0 || (err != 0) != (files[i].error != NULL) ||
            (files[i].error && !strstr(said, files[i].error)))
            fail_msg("%s: %s\n\"%s\"\n%s", files[i].label, err_name(err), s.text, said);
        free(said);
        diag_fini(&d);
    }
}

/* The records that have no owner because of one mistake are no mistakes of their own. */
static void a_bad_owner_is_one_error(void **state)
{
    (void)state;
    static const char text[] = "a..b 1 A 192.0.2.1\n 1 A 192.0.2.2\n 1 A 192.0.2.3\n";
    struct zonefile_options o = {.origin = (const uint8_t *)"\7example", .default_ttl = UINT32_MAX};
    struct diag_list d;
    struct sheet s = {"", 0};
    diag_init(&d);
    assert_int_equal(zonefile_read_mem("t", text, sizeof text - 1, &o, on_record, &s, &d),
                     ERR_SYNTAX);
    assert_int_equal(d.errors, 1);
    assert_string_equal(s.text, "");
    diag_fini(&d);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint32_t want;
    } ttls[] = {{"0", 0, 0},           {"300", 0, 300},
                {"1h", 0, 3600},       {"1w2d3h4m5s", 0, 788645},
                {"", ERR_SYNTAX, 0},   {"h", ERR_SYNTAX, 0},
                {"1x", ERR_SYNTAX, 0}, {"99999999999", ERR_RANGE, 0}};
    for (size_t i = 0; i < sizeof ttls / sizeof *ttls; i++) {
        uint32_t v = 0;
        int err = zonefile_ttl(ttls[i].text, strlen(ttls[i].text), &v);
        if (err != ttls[i].err || v != ttls[i].want)
            fail_msg("\"%s\": %d %u", ttls[i].text, err, v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(includes),
                                       cmocka_unit_test(a_bad_owner_is_one_error),
                                       cmocka_unit_test(times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
