/* The linked list: order, removal while walking, and removing twice. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list link;
};

static void check(struct list *head, const char *want, const char *label)
{
    char got[16] = "", back[16] = "";
    size_t n = 0, m = 0;
    LIST_FOR (it, head)
        got[n++] = container_of(it, struct item, link)->name;
    for (struct list *it = head->prev; it != head; it = it->prev)
        back[m++] = container_of(it, struct item, link)->name;
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s, expected %s", label, got, want);
    for (size_t i = 0; i < n; i++)
        if (n != m || back[m - 1 - i] != got[i])
            fail_msg("%s: backwards %s", label, back);
    if (list_is_empty(head) != !*want)
        fail_msg("%s: emptiness", label);
}

static void order(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};
    list_init(&head);
    check(&head, "", "empty");
    assert_null(list_first(&head));
    list_push(&head, &b.link);
    check(&head, "b", "one");
    list_push(&head, &c.link);
    list_push_front(&head, &a.link);
    check(&head, "abc", "both ends");
    list_insert_before(&c.link, &d.link);
    check(&head, "abdc", "inside");
    assert_ptr_equal(list_first(&head), &a.link);
    list_remove(&b.link);
    check(&head, "adc", "removed inside");
    assert_true(list_is_empty(&b.link));
    list_remove(&b.link);
    check(&head, "adc", "removed twice");
    list_remove(&a.link);
    list_remove(&c.link);
    check(&head, "d", "removed at both ends");
    list_push(&head, &a.link);
    check(&head, "da", "used again");
}

static void removal_while_walking(void **state)
{
    (void)state;
    static const struct {
        const char *label, *drop, *want;
    } rows[] = {
        {"none", "", "abcd"},   {"the first", "a", "bcd"}, {"the last", "d", "abc"},
        {"inside", "bc", "ad"}, {"all", "abcd", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list head;
        struct item items[4];
        list_init(&head);
        for (int k = 0; k < 4; k++) {
            items[k].name = (char)('a' + k);
            list_push(&head, &items[k].link);
        }
        LIST_FOR (it, &head)
            if (strchr(rows[i].drop, container_of(it, struct item, link)->name))
                list_remove(it);
        check(&head, rows[i].want, rows[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order),
                                       cmocka_unit_test(removal_while_walking)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
