/* Round trips, timers, windows and the breaker, on a clock that the test moves. */
#include "resolver/servers.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct addr at(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(&a, text, 53), 0);
    return a;
}

static struct servers *make(void)
{
    struct servers *s;
    assert_int_equal(servers_new(&s, 256, 1), 0);
    return s;
}

static struct server_info look(struct servers *s, const struct addr *a, int64_t now)
{
    struct server_info i;
    servers_look(s, a, NULL, now, &i);
    return i;
}

static void ask(struct servers *s, const struct addr *a, int64_t now, uint32_t rtt_us)
{
    struct server_ticket t;
    assert_int_equal(servers_send(s, a, now, &t), 0);
    servers_reply(s, a, now, rtt_us, &t);
}

/* RFC 6298 2.2 and 2.3, with our floor, ceiling and granularity. */
static void estimates(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint32_t rtt_us[4]; /* 0 ends */
        uint32_t srtt_us, rto_ms;
    } rows[] = {
        {"unknown", {0}, 0, 376},
        {"first sample: VAR is half of it", {100000, 0}, 100000, 300},
        {"a near server meets the floor", {1000, 0}, 1000, 40},
        {"a far one the ceiling", {2500000, 0}, 2500000, 3000},
        {"gains 1/8 and 1/4", {100000, 180000, 0}, 110000, 340},
        {"steady round trips shrink the variance", {100000, 100000, 100000, 0}, 100000, 213},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct servers *s = make();
        struct addr a = at("192.0.2.1");
        for (unsigned n = 0; n < 4 && rows[i].rtt_us[n]; n++)
            ask(s, &a, 1000, rows[i].rtt_us[n]);
        struct server_info x = look(s, &a, 1000);
        if (x.srtt_us != rows[i].srtt_us || x.rto_ms != rows[i].rto_ms)
            fail_msg("%s: srtt %u rto %u", rows[i].label, x.srtt_us, x.rto_ms);
        servers_free(s);
    }
}

static void backs_off_once_per_epoch(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr a = at("192.0.2.1");
    struct server_ticket t[12];
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(servers_send(s, &a, 1000, &t[i]), 0);
    assert_int_equal(look(s, &a, 1000).in_flight, 12);
    for (unsigned i = 0; i < 12; i++)
        servers_timeout(s, &a, 1376, &t[i]);
    struct server_info x = look(s, &a, 1376);
    assert_int_equal(x.rto_ms, 752); /* doubled once, not twelve times */
    assert_int_equal(x.window, SERVERS_WINDOW_START / 2);
    assert_int_equal(x.in_flight, 0);
    assert_int_equal(x.health, SERVER_FAILING);
    assert_true(x.loss_permille > 300);

    /* the next epoch doubles the timer that was in force */
    assert_int_equal(servers_send(s, &a, 1400, &t[0]), 0);
    assert_int_equal(t[0].rto_ms, 752);
    servers_timeout(s, &a, 2152, &t[0]);
    assert_int_equal(look(s, &a, 2152).rto_ms, 1504);
    /* idle time forgets by halves */
    assert_int_equal(look(s, &a, 2152 + 30000).rto_ms, 752);
    assert_int_equal(look(s, &a, 2152 + 600000).rto_ms, 376);
    /* a late reply is a true sample and clears the backoff */
    servers_reply(s, &a, 2200, 800000, &t[0]);
    x = look(s, &a, 2200);
    assert_int_equal(x.health, SERVER_ALIVE);
    assert_int_equal(x.srtt_us, 800000);
    assert_int_equal(x.rto_ms, 2400);
    servers_free(s);
}

/* Nobody waited long enough for the timer to run out. */
static void given_up(void **state)
{
    static const struct {
        int64_t sent_ms, ms;
        enum server_health want;
    } rows[] = {
        {1000, 375, SERVER_UNKNOWN}, /* it had less than the timer of a server not yet known */
        {2000, 376, SERVER_FAILING},
        {3000, 400, SERVER_FAILING}, /* the timer in force is 752 */
        {4000, 400, SERVER_DEAD},
    };
    struct servers *s = make();
    struct addr a = at("192.0.2.7");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct server_ticket t;
        int64_t end = rows[i].sent_ms + rows[i].ms;
        assert_int_equal(servers_send(s, &a, rows[i].sent_ms, &t), 0);
        servers_give_up(s, &a, end, &t);
        servers_give_up(s, &a, end + 1000, &t); /* once only */
        struct server_info x = look(s, &a, end);
        if (x.health != rows[i].want || x.in_flight)
            fail_msg("row %zu: %d, %u in flight", i, (int)x.health, x.in_flight);
    }
    servers_free(s);
}

/* A busy server that was away for a while: its window is back after dozens of windows, not
 * hundreds, and never above the ceiling. */
static void window_after_an_outage(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr a = at("192.0.2.9");
    struct server_ticket t;
    unsigned windows = 0;
    while (look(s, &a, 1000).window < SERVERS_WINDOW_CEIL)
        ask(s, &a, 1000, 10000);
    for (int64_t now = 2000; look(s, &a, now).window > SERVERS_WINDOW_FLOOR; now += 4000) {
        assert_int_equal(servers_send(s, &a, now, &t), 0);
        servers_timeout(s, &a, now + 3000, &t);
        assert_in_range(now, 2000, 400000);
    }
    for (; look(s, &a, 900000).window < SERVERS_WINDOW_CEIL / 2; windows++)
        for (unsigned left = look(s, &a, 900000).window; left; left--)
            ask(s, &a, 900000, 10000);
    assert_in_range(windows, 20, 80);
    for (unsigned i = 0; i < 40 * SERVERS_WINDOW_CEIL; i++)
        ask(s, &a, 900000, 10000);
    assert_int_equal(look(s, &a, 900000).window, SERVERS_WINDOW_CEIL);
    servers_free(s);
}

static void window(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr a = at("2001:db8::1");
    struct server_ticket t[64];
    unsigned n = 0;
    while (n < 64 && !servers_send(s, &a, 1000, &t[n]))
        n++;
    assert_int_equal(n, SERVERS_WINDOW_START);
    /* slow start: one more for each reply, the window doubles */
    for (unsigned i = 0; i < n; i++)
        servers_reply(s, &a, 1010, 10000, &t[i]);
    assert_int_equal(look(s, &a, 1010).window, 2 * SERVERS_WINDOW_START);
    /* a few lost of many are no congestion, even when chance puts them near each other */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(servers_send(s, &a, 1020, &t[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        servers_timeout(s, &a, 1100, &t[i]);
    assert_int_equal(look(s, &a, 1100).window, 2 * SERVERS_WINDOW_START);
    /* many are: once for all that left before, and slow start is over */
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(servers_send(s, &a, 1120, &t[i]), 0);
    for (unsigned i = 0; i < 12; i++)
        servers_timeout(s, &a, 1180, &t[i]);
    assert_int_equal(look(s, &a, 1180).window, SERVERS_WINDOW_START);
    /* from then on one more and a sixteenth for each whole window */
    for (unsigned i = 0; i < SERVERS_WINDOW_START; i++)
        ask(s, &a, 1200, 10000);
    assert_int_equal(look(s, &a, 1200).window, SERVERS_WINDOW_START + 2);
    /* the floor */
    for (unsigned i = 0; i < 40; i++) {
        int64_t now = 2000 + 4000 * i;
        ask(s, &a, now, 10000);
        assert_int_equal(servers_send(s, &a, now, &t[0]), 0);
        servers_timeout(s, &a, now + 3000, &t[0]);
    }
    assert_int_equal(look(s, &a, 200000).window, SERVERS_WINDOW_FLOOR);
    /* what ends without a verdict leaves the window as it was */
    assert_int_equal(servers_send(s, &a, 200000, &t[0]), 0);
    servers_drop(s, &a, &t[0]);
    assert_int_equal(look(s, &a, 200000).in_flight, 0);
    servers_free(s);
}

static void breaker(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr a = at("192.0.2.1");
    struct server_ticket t, other;
    int64_t now = 1000;
    for (unsigned i = 0; i < SERVERS_DEAD_EPOCHS; i++) {
        assert_int_equal(servers_send(s, &a, now, &t), 0);
        now += t.rto_ms;
        servers_timeout(s, &a, now, &t);
    }
    assert_int_equal(look(s, &a, now).health, SERVER_DEAD);
    assert_int_equal(look(s, &a, now + 999).health, SERVER_DEAD);
    assert_int_equal(look(s, &a, now + 1000).health, SERVER_PROBE);
    /* half open: one question at a time */
    now += 1000;
    assert_int_equal(servers_send(s, &a, now, &t), 0);
    assert_int_equal(servers_send(s, &a, now, &other), ERR_LIMIT);
    assert_int_equal(look(s, &a, now).health, SERVER_DEAD);
    now += t.rto_ms;
    servers_timeout(s, &a, now, &t);
    assert_int_equal(look(s, &a, now + 1999).health, SERVER_DEAD);
    assert_int_equal(look(s, &a, now + 2000).health, SERVER_PROBE);
    /* never longer than five minutes */
    for (unsigned i = 0; i < 20; i++) {
        now += SERVERS_DEAD_MAX_MS;
        assert_int_equal(servers_send(s, &a, now, &t), 0);
        now += t.rto_ms;
        servers_timeout(s, &a, now, &t);
    }
    assert_int_equal(look(s, &a, now + SERVERS_DEAD_MAX_MS).health, SERVER_PROBE);
    now += SERVERS_DEAD_MAX_MS;
    ask(s, &a, now, 20000);
    assert_int_equal(look(s, &a, now).health, SERVER_ALIVE);
    servers_free(s);
}

static void facts_expire(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr a = at("192.0.2.1"), port = at("192.0.2.1");
    static const uint8_t one[] = "\3one", two[] = "\3two", three[] = "\5three";
    struct server_info x;
    port.port = 5353;
    servers_note(s, &a, SERVER_EDNS_BROKEN, NULL, 1000);
    servers_note(s, &a, SERVER_CASE_BROKEN, NULL, 1000);
    servers_note(s, &a, SERVER_LAME, one, 1000);
    servers_look(s, &a, one, 1001, &x);
    assert_true(x.edns_broken && x.case_broken && x.lame);
    servers_look(s, &a, two, 1001, &x);
    assert_false(x.lame);
    servers_look(s, &port, one, 1001, &x); /* another port is another server */
    assert_false(x.edns_broken || x.case_broken || x.lame);
    servers_look(s, &a, one, 1000 + SERVERS_LAME_MS, &x);
    assert_false(x.lame);
    assert_false(look(s, &a, 1000 + SERVERS_FACT_MS).edns_broken);
    /* cookies: the last one, until another comes; not while they are broken */
    servers_note(s, &a, SERVER_COOKIE_BROKEN, NULL, 1000);
    servers_cookie(s, &a, (const uint8_t *)"12345678", 8, 1000);
    servers_cookie(s, &a, (const uint8_t *)"abcdefghijkl", 12, 1000);
    x = look(s, &a, 1000);
    assert_true(x.cookie_broken);
    assert_int_equal(x.cookie_len, 12);
    assert_memory_equal(x.cookie, "abcdefghijkl", 12);
    assert_false(look(s, &a, 1000 + SERVERS_FACT_MS).cookie_broken);
    assert_int_equal(look(s, &port, 1000).cookie_len, 0);
    /* the oldest zone makes room */
    servers_note(s, &a, SERVER_LAME, two, 2000);
    servers_note(s, &a, SERVER_LAME, three, 3000);
    servers_look(s, &a, two, 3001, &x);
    assert_true(x.lame);
    servers_look(s, &a, three, 3001, &x);
    assert_true(x.lame);
    servers_look(s, &a, one, 3001, &x);
    assert_false(x.lame);

    assert_true(servers_mismatch(s, &a, 5000));
    assert_false(servers_mismatch(s, &a, 5999));
    assert_true(servers_mismatch(s, &a, 6000));
    servers_free(s);
}

static void count_one(void *arg, const struct addr *a, const struct server_info *i)
{
    unsigned *n = arg;
    assert_int_equal(a->family, 4);
    assert_int_equal(a->port, 53);
    assert_true(i->srtt_us > 0);
    ++*n;
}

/* Far more servers than entries: bounded, and those with questions in flight stay. */
static void bounded(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr keep = at("198.51.100.1");
    struct server_ticket t;
    unsigned n = 0;
    ask(s, &keep, 1, 5000);
    assert_int_equal(servers_send(s, &keep, 1, &t), 0);
    for (unsigned i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
        struct addr a = at(text);
        ask(s, &a, 1000 + i, 10000);
    }
    servers_walk(s, 9000, count_one, &n);
    assert_true(n <= 256);
    assert_true(n > 200);
    assert_int_equal(look(s, &keep, 9000).in_flight, 1);
    servers_free(s);
}

/* The cheaper one has the lower cost, whatever makes it so. */
static void costs(void **state)
{
    (void)state;
    struct servers *s = make();
    struct addr near = at("192.0.2.1"), far = at("192.0.2.2"), fresh = at("192.0.2.3"),
                lossy = at("192.0.2.4");
    struct server_ticket t;
    ask(s, &near, 1000, 5000);
    ask(s, &far, 1000, 200000);
    ask(s, &lossy, 1000, 5000);
    servers_send(s, &lossy, 1000, &t);
    servers_timeout(s, &lossy, 1040, &t);
    assert_true(look(s, &near, 1040).cost_us < look(s, &fresh, 1040).cost_us);
    assert_true(look(s, &fresh, 1040).cost_us < look(s, &far, 1040).cost_us);
    assert_true(look(s, &near, 1040).cost_us < look(s, &lossy, 1040).cost_us);
    servers_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates),
        cmocka_unit_test(backs_off_once_per_epoch),
        cmocka_unit_test(window),
        cmocka_unit_test(given_up),
        cmocka_unit_test(window_after_an_outage),
        cmocka_unit_test(breaker),
        cmocka_unit_test(bounded),
        cmocka_unit_test(facts_expire),
        cmocka_unit_test(costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
