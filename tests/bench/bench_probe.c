/* tests/bench/bench_probe.c: what an HTTP check costs through the prober and through a bare libcurl
 * multi_socket loop with the same options, 10,000 addresses in 10 s, in turns. The origin is a
 * process of its own; the CPU time printed is this process's. Not a test: prints and exits 0.
 * Arguments: checks per round (10000), seconds per round (10), rounds (3). */
#include "gslb/probe.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTS = 4, TICK_MS = 10, BUFFER = 8192 };

struct bench {
    unsigned checks, seconds, rounds;
    uint16_t ports[PORTS];
    unsigned begun, done, passed;
};

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* ---- the origin ---- */

static void origin_run(const int *listeners)
{
    static const char page[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n";
    char room[2048];
    int ep = epoll_create1(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < PORTS; i++)
        epoll_ctl(ep, EPOLL_CTL_ADD, listeners[i],
                  &(struct epoll_event){.events = EPOLLIN, .data.fd = listeners[i]});
    for (;;) {
        struct epoll_event e[64];
        int n = epoll_wait(ep, e, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = e[i].data.fd;
            bool listens = fd >= listeners[0] && fd <= listeners[PORTS - 1];
            int got = listens ? accept4(fd, NULL, NULL, SOCK_NONBLOCK)
                              : (int)recv(fd, room, sizeof room, 0);
            if (listens && got >= 0)
                epoll_ctl(ep, EPOLL_CTL_ADD, got,
                          &(struct epoll_event){.events = EPOLLIN, .data.fd = got});
            else if (!listens && (got <= 0 || send(fd, page, sizeof page - 1, 0) < 0))
                close(fd);
        }
    }
}

static pid_t origin_begin(struct bench *b)
{
    int listeners[PORTS];
    for (unsigned i = 0; i < PORTS; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t len = sizeof a;
        listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        a.sin_addr.s_addr = htonl(INADDR_ANY);
        if (bind(listeners[i], (struct sockaddr *)&a, len) || listen(listeners[i], 1024))
            exit(1);
        getsockname(listeners[i], (struct sockaddr *)&a, &len);
        b->ports[i] = ntohs(a.sin_port);
    }
    pid_t pid = fork();
    if (!pid)
        origin_run(listeners);
    for (unsigned i = 0; i < PORTS; i++)
        close(listeners[i]);
    return pid;
}

/* The n-th of addresses 127.1.0.1 .. */
static void target_text(unsigned n, char *out, size_t cap)
{
    snprintf(out, cap, "127.1.%u.%u", n / 250, 1 + n % 250);
}

/* How many should have begun after so long. */
static unsigned due(const struct bench *b, int64_t since_us)
{
    double share = (double)since_us / (b->seconds * 1e6);
    return share >= 1 ? b->checks : (unsigned)(share * b->checks);
}

/* ---- through the prober ---- */

struct through {
    struct bench *b;
    struct gslb_prober *prober;
    struct gslb_check *checks;
    struct addr *targets;
    uv_loop_t loop;
    uv_timer_t tick;
    int64_t from_us;
};

static void on_probed(void *arg, const struct gslb_probe_result *r)
{
    struct through *t = arg;
    t->b->done++;
    t->b->passed += r->result == GSLB_PASS;
    if (t->b->done == t->b->checks)
        uv_stop(&t->loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct through *t = timer->data;
    unsigned until = due(t->b, clock_mono_us(clock_system()) - t->from_us);
    for (; t->b->begun < until; t->b->begun++)
        gslb_probe_start(t->prober, &t->checks[t->b->begun], &t->targets[t->b->begun], on_probed, t,
                         NULL);
    if (t->b->begun == t->b->checks)
        uv_timer_stop(timer);
}

static void through_new(struct through *t, struct bench *b)
{
    t->b = b;
    t->checks = calloc(b->checks, sizeof *t->checks);
    t->targets = calloc(b->checks, sizeof *t->targets);
    uv_loop_init(&t->loop);
    if (!t->checks || !t->targets || gslb_prober_new(&t->prober, &t->loop, clock_system(), NULL))
        exit(1);
    for (unsigned i = 0; i < b->checks; i++) {
        char text[32];
        gslb_check_default(&t->checks[i]);
        t->checks[i].type = GSLB_CHECK_HTTP;
        t->checks[i].port = b->ports[i % PORTS];
        t->checks[i].host = "www.example";
        t->checks[i].path = "/health";
        t->checks[i].timeout_ms = 5000;
        target_text(i, text, sizeof text);
        (void)addr_parse(&t->targets[i], text, 0);
    }
    uv_timer_init(&t->loop, &t->tick);
    t->tick.data = t;
}

static void through_round(struct through *t)
{
    t->from_us = clock_mono_us(clock_system());
    uv_timer_start(&t->tick, on_tick, 0, TICK_MS);
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void through_free(struct through *t)
{
    uv_close((uv_handle_t *)&t->tick, NULL);
    gslb_prober_close(t->prober, NULL, NULL);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    uv_loop_close(&t->loop);
    free(t->checks);
    free(t->targets);
}

/* ---- bare ---- */

struct handle {
    CURL *easy;
    struct handle *next;
    struct curl_slist to;
    char to_text[64];
};

struct bare {
    struct bench *b;
    CURLM *multi;
    int ep;
    int64_t timer_us; /* INT64_MAX: none */
    struct handle *free;
};

static int bare_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct bare *t = arg;
    struct epoll_event e = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
                                      (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                            .data.fd = fd};
    (void)easy;
    epoll_ctl(t->ep,
              what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL
              : known                  ? EPOLL_CTL_MOD
                                       : EPOLL_CTL_ADD,
              fd, &e);
    if (!known && what != CURL_POLL_REMOVE)
        curl_multi_assign(t->multi, fd, t);
    return 0;
}

static int bare_timer(CURLM *multi, long ms, void *arg)
{
    struct bare *t = arg;
    (void)multi;
    t->timer_us = ms < 0 ? INT64_MAX : clock_mono_us(clock_system()) + ms * 1000;
    return 0;
}

static size_t bare_body(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * n;
}

static struct handle *bare_handle(struct bare *t)
{
    struct handle *h = t->free;
    if (h) {
        t->free = h->next;
        return h;
    }
    h = calloc(1, sizeof *h);
    if (!h || !(h->easy = curl_easy_init()))
        exit(1);
    curl_easy_setopt(h->easy, CURLOPT_PRIVATE, h);
    curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(h->easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(h->easy, CURLOPT_BUFFERSIZE, (long)BUFFER);
    curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "waypost");
    curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(h->easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, bare_body);
    return h;
}

static void bare_begin(struct bare *t)
{
    struct handle *h = bare_handle(t);
    char url[128], address[32];
    unsigned n = t->b->begun++, port = t->b->ports[n % PORTS];
    target_text(n, address, sizeof address);
    snprintf(url, sizeof url, "http://www.example:%u/health", port);
    snprintf(h->to_text, sizeof h->to_text, "::%s:%u", address, port);
    h->to.data = h->to_text;
    curl_easy_setopt(h->easy, CURLOPT_URL, url);
    curl_easy_setopt(h->easy, CURLOPT_CONNECT_TO, &h->to);
    curl_multi_add_handle(t->multi, h->easy);
}

static void bare_act(struct bare *t, curl_socket_t fd, int what)
{
    CURLMsg *m;
    int left;
    curl_multi_socket_action(t->multi, fd, what, &left);
    while ((m = curl_multi_info_read(t->multi, &left))) {
        struct handle *h = NULL;
        long status = 0;
        t->b->done++;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &h);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        t->b->passed += m->data.result == CURLE_OK && status == 200;
        curl_multi_remove_handle(t->multi, h->easy);
        h->next = t->free;
        t->free = h;
    }
}

static void bare_round(struct bare *t)
{
    int64_t from_us = clock_mono_us(clock_system()), tick_us = from_us;
    while (t->b->done < t->b->checks) {
        struct epoll_event e[64];
        int64_t now = clock_mono_us(clock_system());
        int64_t wake = t->b->begun < t->b->checks && tick_us < t->timer_us ? tick_us : t->timer_us;
        int ms = wake == INT64_MAX ? -1 : wake <= now ? 0 : (int)((wake - now + 999) / 1000);
        int n = epoll_wait(t->ep, e, 64, ms);
        for (int i = 0; i < n; i++)
            bare_act(t, e[i].data.fd,
                     (e[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                         (e[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                         (e[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0));
        now = clock_mono_us(clock_system());
        if (now >= tick_us && t->b->begun < t->b->checks) {
            unsigned until = due(t->b, now - from_us);
            while (t->b->begun < until)
                bare_begin(t);
            tick_us = now + TICK_MS * 1000;
        }
        if (now >= t->timer_us) {
            t->timer_us = INT64_MAX;
            bare_act(t, CURL_SOCKET_TIMEOUT, 0);
        }
    }
}

static void bare_new(struct bare *t, struct bench *b)
{
    *t = (struct bare){.b = b, .timer_us = INT64_MAX, .ep = epoll_create1(EPOLL_CLOEXEC)};
    t->multi = curl_multi_init();
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, bare_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, bare_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
}

static void bare_free(struct bare *t)
{
    while (t->free) {
        struct handle *h = t->free;
        t->free = h->next;
        curl_easy_cleanup(h->easy);
        free(h);
    }
    curl_multi_cleanup(t->multi);
    close(t->ep);
}

/* ---- in turns ---- */

static double round_us(struct bench *b, const char *name, unsigned round, struct through *prober,
                       struct bare *bare)
{
    b->begun = b->done = b->passed = 0;
    double from = cpu_s();
    if (prober)
        through_round(prober);
    else
        bare_round(bare);
    double us = (cpu_s() - from) * 1e6 / b->checks;
    printf("round %u %-6s %6.1f us CPU per check, %u of %u passed, peak %ld KiB\n", round, name, us,
           b->passed, b->checks, peak_kib());
    fflush(stdout);
    return us;
}

int main(int argc, char **argv)
{
    struct bench b = {.checks = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000,
                      .seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10,
                      .rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3};
    struct through prober;
    struct bare bare;
    double sum[2] = {0, 0};
    pid_t pid = origin_begin(&b);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    through_new(&prober, &b);
    bare_new(&bare, &b);
    for (unsigned i = 1; i <= b.rounds; i++) {
        sum[0] += round_us(&b, "prober", i, &prober, NULL);
        sum[1] += round_us(&b, "bare", i, NULL, &bare);
    }
    printf("prober / bare: %.2f (%.1f / %.1f us)\n", sum[0] / sum[1], sum[0] / b.rounds,
           sum[1] / b.rounds);
    through_free(&prober);
    bare_free(&bare);
    curl_global_cleanup();
    kill(pid, SIGKILL);
    return 0;
}
