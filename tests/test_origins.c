/* The lab's web servers on real sockets, asked as a health check asks: each way to be broken, by
 * what a plain client sees. Waits are for what happens, not for times. */
/* folders: base */
/* threads */
#include "lab/origins.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "loopback.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What comes back when one of them is asked. */
enum seen { SEEN_REFUSED = -1, SEEN_NOTHING = -2 }; /* or the status */

static int64_t now_ms(void)
{
    return clock_mono_us(clock_system()) / 1000;
}

static int connect_to(const char *ip, uint16_t port)
{
    struct sockaddr_storage ss;
    struct addr a;
    addr_parse(&a, ip, port);
    socklen_t len = addr_to_sockaddr(&a, &ss);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (!connect(fd, (struct sockaddr *)&ss, len))
        return fd;
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    return -1;
}

/* Until its end, or until nothing came for patience_ms. */
static int read_reply(int fd, char *text, size_t cap, int patience_ms)
{
    size_t len = 0;
    int status = 0;
    text[0] = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, patience_ms) <= 0)
            return SEEN_NOTHING;
        ssize_t n = recv(fd, text + len, cap - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = 0;
    }
    return sscanf(text, "HTTP/1.1 %d ", &status) == 1 ? status : SEEN_REFUSED;
}

static int get(const char *ip, uint16_t port, const char *request, char *text, size_t cap,
               int patience_ms)
{
    int fd = connect_to(ip, port);
    if (fd < 0)
        return SEEN_REFUSED;
    send(fd, request, strlen(request), MSG_NOSIGNAL);
    int seen = read_reply(fd, text, cap, patience_ms);
    close(fd);
    return seen;
}

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n"

static int health(struct origins *o, unsigned i)
{
    char text[1024];
    return get(origin_places[i].address, origins_port(o), HEALTH, text, sizeof text, 5000);
}

static struct origins *start(void)
{
    struct origins *o = NULL;
    struct diag_list d;
    diag_init(&d);
    int err = origins_start(&o, 0, &d);
    diag_print(&d, stderr, 0);
    diag_fini(&d);
    assert_int_equal(err, 0);
    return o;
}

static void test_pages(void **state)
{
    (void)state;
    static const struct {
        const char *label, *request;
        int status;
        const char *has;
    } rows[] = {
        {"health", HEALTH, 200, "\r\n\r\nok\n"},
        {"who", "GET / HTTP/1.1\r\n\r\n", 200, "\r\n\r\niad-2 in Ashburn\n"},
        {"with a query", "GET /healthz?x=1 HTTP/1.1\r\n\r\n", 200, "ok\n"},
        {"old protocol", "GET /healthz HTTP/1.0\r\n\r\n", 200, "ok\n"},
        {"only the head", "HEAD /healthz HTTP/1.1\r\n\r\n", 200, "Content-Length: 3"},
        {"no such page", "GET /gone HTTP/1.1\r\n\r\n", 404, "not here"},
        {"longer path", "GET /healthzz HTTP/1.1\r\n\r\n", 404, "not here"},
        {"no path", "GET\r\n\r\n", 404, "not here"},
    };
    struct origins *o = start();
    char text[1024];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = get("127.80.2.2", origins_port(o), rows[i].request, text, sizeof text, 5000);
        if (status != rows[i].status || !strstr(text, rows[i].has))
            fail_msg("%s: %d, %s", rows[i].label, status, text);
        if (!strncmp(rows[i].request, "HEAD", 4) && strstr(text, "ok\n"))
            fail_msg("%s: with a body", rows[i].label);
    }
    origins_stop(o);
}

static void test_pieces(void **state)
{
    (void)state;
    struct origins *o = start();
    char text[1024], flood[4096];
    int fd = connect_to("127.80.1.1", origins_port(o));
    for (const char *p = HEALTH; *p; p++)
        assert_int_equal(send(fd, p, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(read_reply(fd, text, sizeof text, 5000), 200);
    close(fd);
    memset(flood, 'x', sizeof flood);
    fd = connect_to("127.80.1.1", origins_port(o));
    send(fd, flood, sizeof flood, MSG_NOSIGNAL);
    assert_int_equal(read_reply(fd, text, sizeof text, 5000), SEEN_REFUSED); /* ended, unanswered */
    close(fd);
    assert_int_equal(health(o, 0), 200);
    origins_stop(o);
}

/* Each way, each extent: what the six say, and after heal again. */
static void test_ways(void **state)
{
    (void)state;
    static const struct {
        const char *label, *what, *how;
        int broken;
        uint8_t set;
        const char *said;
    } rows[] = {
        {"one refuses", "fra-1", "refuse", SEEN_REFUSED, 0x01, "fra-1 refuses connections"},
        {"by itself", "sin-2", NULL, SEEN_REFUSED, 0x20, "sin-2 refuses connections"},
        {"a site", "fra", "refuse", SEEN_REFUSED, 0x03, "fra refuses connections"},
        {"503", "iad", "503", 503, 0x0c, "iad answers 503"},
        {"all", "all", "503", 503, 0x3f, "all answers 503"},
        {"flaps: away first", "iad-1", "flap", SEEN_REFUSED, 0x04, "iad-1 comes and goes"},
    };
    struct origins *o = start();
    char said[200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(origins_set(o, rows[i].what, rows[i].how, said, sizeof said), 0);
        if (strcmp(said, rows[i].said) != 0)
            fail_msg("%s: said %s", rows[i].label, said);
        for (unsigned k = 0; k < ORIGINS_COUNT; k++) {
            int seen = health(o, k), right = rows[i].set >> k & 1 ? rows[i].broken : 200;
            if (seen != right)
                fail_msg("%s: %s gives %d", rows[i].label, origin_places[k].name, seen);
        }
        assert_int_equal(origins_set(o, rows[i].what, "heal", said, sizeof said), 0);
        for (unsigned k = 0; k < ORIGINS_COUNT; k++)
            if (health(o, k) != 200)
                fail_msg("%s: %s stays broken", rows[i].label, origin_places[k].name);
    }
    origins_stop(o);
}

static void test_slow(void **state)
{
    (void)state;
    struct origins *o = start();
    char said[200];
    assert_int_equal(origins_set(o, "sin-1", "slow", said, sizeof said), 0);
    int64_t begun = now_ms();
    assert_int_equal(health(o, 4), 200);
    assert_in_range(now_ms() - begun, 1400, 5000);
    origins_stop(o);
}

/* It takes the request and says nothing; who healed it does not wait for the old connection. */
static void test_hang(void **state)
{
    (void)state;
    struct origins *o = start();
    char said[200], text[256];
    int fd = connect_to("127.80.3.1", origins_port(o));
    assert_int_equal(origins_set(o, "sin-1", "hang", said, sizeof said), 0);
    send(fd, HEALTH, strlen(HEALTH), MSG_NOSIGNAL);
    assert_int_equal(read_reply(fd, text, sizeof text, 300), SEEN_NOTHING);
    assert_int_equal(origins_set(o, "sin-1", "heal", said, sizeof said), 0);
    assert_int_equal(health(o, 4), 200);
    /* Broken again by force, open connections end, too. */
    assert_int_equal(origins_set(o, "sin-1", "refuse", said, sizeof said), 0);
    assert_int_equal(read_reply(fd, text, sizeof text, 5000), SEEN_REFUSED);
    close(fd);
    origins_stop(o);
}

static bool becomes(struct origins *o, unsigned i, int wanted, int64_t within_ms)
{
    int64_t until = now_ms() + within_ms;
    while (now_ms() < until)
        if (health(o, i) == wanted)
            return true;
    return false;
}

static void test_flap(void **state)
{
    (void)state;
    struct origins *o = start();
    char said[200];
    assert_int_equal(origins_set(o, "fra-2", "flap:1", said, sizeof said), 0);
    assert_int_equal(health(o, 1), SEEN_REFUSED);
    assert_true(becomes(o, 1, 200, 4000));
    assert_true(becomes(o, 1, SEEN_REFUSED, 4000));
    assert_int_equal(health(o, 0), 200);
    assert_int_equal(origins_set(o, "fra-2", "heal", said, sizeof said), 0);
    assert_int_equal(health(o, 1), 200);
    origins_stop(o);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *what, *how;
        int err;
        const char *said;
    } rows[] = {
        {"far", NULL, ERR_NOT_FOUND, "no origin \"far\": did you mean \"fra\"?"},
        {"iad1", NULL, ERR_NOT_FOUND, "did you mean \"iad-1\"?"},
        {"sni-2", NULL, ERR_NOT_FOUND, "did you mean \"sin-2\"?"},
        {"zzz", NULL, ERR_NOT_FOUND,
         "there are fra, fra-1, fra-2, iad, iad-1, iad-2, sin, sin-1, "},
        {"", NULL, ERR_NOT_FOUND, "no origin \"\"; there are"},
        {"fra", "explode", ERR_SYNTAX, "\"explode\" is no way to break an origin"},
        {"fra", "flap:0", ERR_SYNTAX, "no way"},
        {"fra", "flap:3601", ERR_SYNTAX, "no way"},
        {"fra", "flap:1s", ERR_SYNTAX, "no way"},
        {"fra", "flap:", ERR_SYNTAX, "no way"},
        {"fra", "flap:-1", ERR_SYNTAX, "no way"},
    };
    struct origins *o = start();
    char said[300];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (origins_set(o, rows[i].what, rows[i].how, said, sizeof said) != rows[i].err ||
            !strstr(said, rows[i].said))
            fail_msg("\"%s\" \"%s\": %s", rows[i].what, rows[i].how ? rows[i].how : "", said);
    for (unsigned k = 0; k < ORIGINS_COUNT; k++)
        assert_int_equal(health(o, k), 200);
    origins_stop(o);
}

/* More connections than it keeps: the others wait, none is lost. */
static void test_many(void **state)
{
    (void)state;
    enum { CLIENTS = 100 };
    struct origins *o = start();
    int fd[CLIENTS];
    char text[1024];
    for (unsigned i = 0; i < CLIENTS; i++)
        fd[i] = connect_to("127.80.1.1", origins_port(o));
    for (unsigned i = 0; i < CLIENTS; i++)
        send(fd[i], HEALTH, strlen(HEALTH), MSG_NOSIGNAL);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(read_reply(fd[i], text, sizeof text, 5000), 200);
        close(fd[i]);
    }
    origins_stop(o);
}

static void test_port_taken(void **state)
{
    (void)state;
    struct origins *o = NULL;
    struct diag_list d;
    uint16_t port = 0;
    char text[300];
    int fd = loopback_bind("127.80.2.2", SOCK_STREAM, &port);
    diag_init(&d);
    assert_int_equal(origins_start(&o, port, &d), ERR_IN_USE);
    assert_null(o);
    assert_non_null(d.first);
    diag_format(d.first, text, sizeof text);
    assert_non_null(strstr(text, "cannot listen on 127.80.2.2 port "));
    assert_non_null(strstr(text, "held by test_origins (pid "));
    diag_fini(&d);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),      cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_ways),       cmocka_unit_test(test_slow),
        cmocka_unit_test(test_hang),       cmocka_unit_test(test_flap),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_port_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
