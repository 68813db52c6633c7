/* Slots of identities, what is said of them, and what a worker gave. */
/* folders: gslb base */
#include "gslb/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void slots_belong_to_identities(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct gslb_table *t;
    uint32_t slot;
    char text[32];
    assert_int_equal(gslb_table_new(&t), 0);
    assert_int_equal(gslb_table_find(t, "pool/0"), GSLB_NO_SLOT);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "pool/%u", i);
            assert_int_equal(gslb_table_slot(t, text, &slot), 0);
            assert_int_equal(slot, i);
        }
        assert_int_equal(gslb_table_count(t), MANY);
    }
    assert_int_equal(gslb_table_find(t, "pool/77"), 77);
    assert_string_equal(gslb_table_identity(t, 77), "pool/77");
    assert_null(gslb_table_identity(t, MANY));
    gslb_table_free(t);
}

static bool same(const struct gslb_view *a, const struct gslb_view *b)
{
    return a->up == b->up && a->known == b->known && a->unsettled == b->unsettled &&
           a->forced == b->forced && a->over == b->over && a->was_up == b->was_up &&
           a->has_load == b->has_load && a->permille == b->permille && a->load == b->load &&
           a->rtt_us == b->rtt_us && a->until_s == b->until_s;
}

static void views_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct gslb_view put, got;
    } rows[] = {
        {"nothing", {.until_s = 0}, {.until_s = 0}},
        {"flags",
         {.up = true, .forced = true, .was_up = true, .until_s = 7},
         {.up = true, .forced = true, .was_up = true, .until_s = 7}},
        {"other flags",
         {.known = true, .unsettled = true, .over = true, .has_load = true},
         {.known = true, .unsettled = true, .over = true, .has_load = true}},
        {"numbers",
         {.permille = 1000, .load = 1000000, .rtt_us = 67000000, .until_s = UINT32_MAX},
         {.permille = 1000, .load = 1000000, .rtt_us = 67000000, .until_s = UINT32_MAX}},
        {"more than is kept",
         {.permille = 2000, .load = UINT32_MAX, .rtt_us = UINT32_MAX},
         {.permille = 1000, .load = (1u << 20) - 1, .rtt_us = (1u << 26) - 1}},
    };
    struct gslb_table *t;
    uint32_t slot, second;
    assert_int_equal(gslb_table_new(&t), 0);
    assert_int_equal(gslb_table_slot(t, "member/p/a", &slot), 0);
    struct gslb_view v = gslb_table_get(t, slot);
    const struct gslb_view fresh = {
        .up = true, .unsettled = true, .permille = 1000, .until_s = UINT32_MAX};
    assert_true(same(&v, &fresh));
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        gslb_table_put(t, slot, &rows[i].put);
        v = gslb_table_get(t, slot);
        if (!same(&v, &rows[i].got))
            fail_msg("%s", rows[i].label);
    }
    assert_int_equal(gslb_table_last(t, slot, &second), GSLB_NO_SLOT);
    gslb_table_put_last(t, slot, 0, 12);
    assert_int_equal(gslb_table_last(t, slot, &second), 0);
    assert_int_equal(second, 12);
    gslb_table_free(t);
}

static void tallies_add_up(void **state)
{
    (void)state;
    struct gslb_tally *y;
    struct gslb_seen *seen = calloc(GSLB_SEEN_MAX, sizeof *seen);
    uint32_t until;
    assert_non_null(seen);
    assert_int_equal(gslb_tally_new(&y), 0);
    assert_int_equal(gslb_tally_count(y, 5, &until), 0);
    assert_int_equal(until, 0);
    gslb_tally_note(y, 5, 100, 300);
    gslb_tally_note(y, 5, 110, 30);
    assert_int_equal(gslb_tally_count(y, 5, &until), 2);
    assert_int_equal(until, 400);
    gslb_tally_note(y, GSLB_SLOTS_MAX - 1, UINT32_MAX, 5);
    assert_int_equal(gslb_tally_count(y, GSLB_SLOTS_MAX - 1, &until), 1);
    assert_int_equal(until, UINT32_MAX);
    for (unsigned i = 0; i < 2 * GSLB_SEEN_MAX; i++) {
        uint8_t ip[16] = {[10] = 0xff, 0xff, 10, (uint8_t)(i >> 8), (uint8_t)i, 77};
        gslb_tally_saw(y, ip, 4, true);
        gslb_tally_saw(y, ip, 4, true);
    }
    static const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 0xff};
    gslb_tally_saw(y, six, 6, false);
    assert_int_equal(gslb_tally_seen(y, seen), GSLB_SEEN_MAX);
    const struct gslb_seen *last = &seen[GSLB_SEEN_MAX - 1], *before = last - 1;
    assert_true(last->family == 6 && !last->subnet && last->ip[5] == 1 && last->ip[6] == 0);
    assert_true(before->family == 4 && before->subnet && before->ip[14] == 0xff &&
                before->ip[15] == 0);
    gslb_tally_free(y);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slots_belong_to_identities),
                                       cmocka_unit_test(views_come_back),
                                       cmocka_unit_test(tallies_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
