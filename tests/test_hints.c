/* The built-in root, and hints from text. */
#include "resolver/hints.h"

#include "base/err.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void built_in(void **state)
{
    (void)state;
    static struct hints h;
    struct diag_list d;
    unsigned v4 = 0, v6 = 0, letters = 0;
    diag_init(&d);
    assert_int_equal(hints_read(&h, NULL, &d), 0);
    for (unsigned i = 0; i < h.count; i++) {
        char text[DNS_NAME_TEXT_MAX];
        dns_name_print(h.servers[i].name, text);
        assert_string_equal(text + 1, ".root-servers.net.");
        letters |= 1u << (text[0] - 'a');
        v4 += h.servers[i].addr.family == 4;
        v6 += h.servers[i].addr.family == 6;
        assert_int_equal(h.servers[i].addr.port, 0);
        assert_false(addr_is_private(&h.servers[i].addr) || addr_is_bogon(&h.servers[i].addr));
        for (unsigned j = 0; j < i; j++)
            assert_false(addr_same_ip(&h.servers[i].addr, &h.servers[j].addr));
    }
    assert_int_equal(v4, 13);
    assert_int_equal(v6, 13);
    assert_int_equal(letters, 0x1fff);
    diag_fini(&d);
}

static void from_text(void **state)
{
    (void)state;
    static const struct {
        const char *label, *text;
        int err;
        unsigned count;
    } rows[] = {
        {"one server", ". NS a.root.\na.root. A 127.53.0.1\n", 0, 1},
        {"both families", ". 60 NS a.root.\na.root. A 192.0.2.1\na.root. AAAA 2001:db8::1\n", 0, 2},
        {"addresses before the NS", "a.root. A 192.0.2.1\n. NS a.root.\n", 0, 1},
        {"an address nobody lists", ". NS a.root.\na.root. A 192.0.2.1\nb.root. A 192.0.2.2\n", 0,
         1},
        {"case does not matter", ". NS A.ROOT.\na.root. A 192.0.2.1\n", 0, 1},
        {"no address", ". NS a.root.\n", ERR_INVALID, 0},
        {"NS of another zone", "test. NS a.root.\na.root. A 192.0.2.1\n", ERR_INVALID, 0},
        {"nothing", "", ERR_INVALID, 0},
        {"not a master file", ". NS\n", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct hints h;
        struct diag_list d;
        diag_init(&d);
        int err = hints_read(&h, rows[i].text, &d);
        if (err != rows[i].err || (!err && h.count != rows[i].count) || (err && !d.errors))
            fail_msg("%s: %s, %u servers, %u errors", rows[i].label, err_name(err), h.count,
                     d.errors);
        diag_fini(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_in), cmocka_unit_test(from_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
