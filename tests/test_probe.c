/* Before the workers bind with SO_REUSEPORT: a held address is found and its holder named. */
/* alone */
/* folders: base dns net */
#include "base/err.h"
#include "loopback.h"
#include "net/udp.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct row {
    const char *label, *hold, *probe;
    enum net_proto held, asked;
    int want;
};

/* NULL: as it must be. */
static const char *try_row(const struct row *r)
{
    uint16_t port = 0;
    int type = r->held == NET_PROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
    int fd = loopback_bind(r->hold, type, &port);
    char holder[128] = "before", pid[32];
    struct addr a;
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    addr_parse(&a, r->probe, port);
    int err = net_probe_bind(&a, r->asked, holder, sizeof holder);
    bool named = strstr(holder, pid) && strncmp(holder, "? ", 2) != 0;
    int again = net_probe_bind(&a, r->asked, NULL, 0);
    close(fd);
    if (err != r->want || again != r->want)
        return err_name(err);
    if (err ? !named : *holder != 0)
        return "the holder's name";
    if (net_probe_bind(&a, r->asked, holder, sizeof holder) || *holder)
        return "still held after it was closed";
    return NULL;
}

static void held_addresses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"udp", "127.0.0.1", "127.0.0.1", NET_PROTO_UDP, NET_PROTO_UDP, ERR_IN_USE},
        {"tcp", "127.0.0.1", "127.0.0.1", NET_PROTO_TCP, NET_PROTO_TCP, ERR_IN_USE},
        {"udp, IPv6", "::1", "::1", NET_PROTO_UDP, NET_PROTO_UDP, ERR_IN_USE},
        {"tcp, IPv6", "::1", "::1", NET_PROTO_TCP, NET_PROTO_TCP, ERR_IN_USE},
        {"udp, held by any", "0.0.0.0", "127.0.0.1", NET_PROTO_UDP, NET_PROTO_UDP, ERR_IN_USE},
        {"tcp, held by any", "0.0.0.0", "127.0.0.1", NET_PROTO_TCP, NET_PROTO_TCP, ERR_IN_USE},
        {"tcp, any wanted", "127.0.0.1", "0.0.0.0", NET_PROTO_TCP, NET_PROTO_TCP, ERR_IN_USE},
        {"udp, any wanted", "127.0.0.1", "0.0.0.0", NET_PROTO_UDP, NET_PROTO_UDP, ERR_IN_USE},
        {"udp, another address", "127.0.0.1", "127.0.0.2", NET_PROTO_UDP, NET_PROTO_UDP, 0},
        {"tcp, another address", "127.0.0.1", "127.0.0.2", NET_PROTO_TCP, NET_PROTO_TCP, 0},
        {"tcp beside udp", "127.0.0.1", "127.0.0.1", NET_PROTO_UDP, NET_PROTO_TCP, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* Another process may hold the port that we were given, at the other address or for the
         * other protocol; not five times. */
        const char *wrong = "";
        for (unsigned n = 0; n < 5 && wrong; n++)
            wrong = try_row(&rows[i]);
        if (wrong)
            fail_msg("%s: %s", rows[i].label, wrong);
    }
}

/* A holder that shares its port (as a second server of ours would) is found as well. */
static void sharing_holder(void **state)
{
    (void)state;
    for (enum net_proto p = NET_PROTO_UDP; p <= NET_PROTO_TCP; p++) {
        struct addr a;
        struct sockaddr_storage ss;
        char holder[128];
        int on = 1;
        addr_parse(&a, "127.0.0.1", 0);
        socklen_t len = addr_to_sockaddr(&a, &ss);
        int fd = socket(AF_INET, p == NET_PROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
        if (p == NET_PROTO_TCP)
            assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
        assert_int_equal(addr_of_sockaddr(&a, (struct sockaddr *)&ss), 0);
        assert_int_equal(net_probe_bind(&a, p, holder, sizeof holder), ERR_IN_USE);
        assert_non_null(strstr(holder, "pid"));
        close(fd);
    }
}

/* Connections of a server that is gone wait in TIME_WAIT; that is no holder. */
static void time_wait_is_no_holder(void **state)
{
    (void)state;
    uint16_t port = 0;
    char holder[128];
    struct addr a;
    int listener = loopback_bind("127.0.0.1", SOCK_STREAM, &port);
    int client = loopback_connect("127.0.0.1", SOCK_STREAM, port);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    close(server); /* the side that ends first keeps the port in TIME_WAIT */
    close(client);
    close(listener);
    addr_parse(&a, "127.0.0.1", port);
    assert_int_equal(net_probe_bind(&a, NET_PROTO_TCP, holder, sizeof holder), 0);
}

/* Free for both protocols: what is said to be free can be bound at once, and no client of the
 * machine is given it in between. */
static void free_port(void **state)
{
    (void)state;
    static const char *const rows[] = {"127.0.0.1", "127.0.0.9", "::1", "0.0.0.0"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        addr_parse(&a, rows[i], 0);
        a.port = net_probe_port(&a);
        if (a.port < 10000 || a.port >= 32000 || net_probe_bind(&a, NET_PROTO_UDP, NULL, 0) ||
            net_probe_bind(&a, NET_PROTO_TCP, NULL, 0))
            fail_msg("%s: port %u", rows[i], a.port);
    }
}

static void not_ours(void **state)
{
    (void)state;
    struct addr a;
    char holder[16] = "before";
    addr_parse(&a, "192.0.2.1", 0);
    assert_int_equal(net_probe_port(&a), 0);
    for (enum net_proto p = NET_PROTO_UDP; p <= NET_PROTO_TCP; p++) {
        assert_int_equal(net_probe_bind(&a, p, holder, sizeof holder), ERR_UNREACHABLE);
        assert_string_equal(holder, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(held_addresses),
                                       cmocka_unit_test(sharing_holder),
                                       cmocka_unit_test(time_wait_is_no_holder),
                                       cmocka_unit_test(free_port), cmocka_unit_test(not_ours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
