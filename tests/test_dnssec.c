/* NSEC3 hashes: the names of RFC 5155 Appendix A, and some of our own. */
#include "dns/dnssec.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *hash;
} rows[] = {
    {"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
    {"a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
    {"ai.example.", "gjeqe526plbf1g8mklp59enfd789njgi"},
    {"ns1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
    {"ns2.example.", "q04jkcevqvmu85r014c7dkba38o0ji5r"},
    {"w.example.", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
    {"*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
    {"x.w.example.", "b4um86eghhds6nea196smvmlo4ors995"},
    {"y.w.example.", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"},
    {"x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"},
    {"xx.example.", "t644ebqk9bibcna874givr6joj62mlhv"},
    {"XX.Example.", "T644EBQK9BIBCNA874GIVR6JOJ62MLHV"}, /* case does not matter */
};

static void hashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t name[DNS_NAME_MAX], label[34] = {32}, want[20], got[20];
        assert_true(dns_name_parse(name, rows[i].name, strlen(rows[i].name), NULL) > 0);
        memcpy(label + 1, rows[i].hash, 32);
        assert_true(dnssec_nsec3_label(label, want));
        dnssec_nsec3_hash(name, 12, (const uint8_t *)"\xaa\xbb\xcc\xdd", 4, got);
        if (memcmp(want, got, 20) != 0)
            fail_msg("%s", rows[i].name);
    }
}

static void labels(void **state)
{
    (void)state;
    uint8_t out[20];
    static const uint8_t zero[] = "\x20"
                                  "00000000000000000000000000000000",
                         one[] = "\x20"
                                 "00000000000000000000000000000001",
                         high[] = "\x20"
                                  "vvvvvvvvVVVVVVVVvvvvvvvvVVVVVVVV",
                         bad[] = "\x20"
                                 "0000000000000000000000000000000w",
                         brief[] = "\x1f"
                                   "0000000000000000000000000000000";
    assert_true(dnssec_nsec3_label(zero, out) && out[0] == 0 && out[19] == 0);
    assert_true(dnssec_nsec3_label(one, out) && out[18] == 0 && out[19] == 1);
    assert_true(dnssec_nsec3_label(high, out) && out[0] == 255 && out[19] == 255);
    assert_false(dnssec_nsec3_label(bad, out));
    assert_false(dnssec_nsec3_label(brief, out));
    assert_false(dnssec_nsec3_label((const uint8_t *)"", out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hashes), cmocka_unit_test(labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
