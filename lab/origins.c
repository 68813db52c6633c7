#include "lab/origins.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define VISITS_MAX    64 /* connections at once; further ones wait in the backlog */
#define HEAD_MAX      2048
#define IDLE_MS       10000 /* also how long a hanging one keeps a connection */
#define SLOW_MS       1500
#define TURN_MS       1000 /* of /flaps */
#define FLAP_S        3
#define FLAP_S_MAX    3600
#define NOTHING_TO_DO INT64_MAX

const struct origin_place origin_places[ORIGINS_COUNT] = {
    {"fra-1", "fra", "Frankfurt", "127.80.1.1"}, {"fra-2", "fra", "Frankfurt", "127.80.1.2"},
    {"iad-1", "iad", "Ashburn", "127.80.2.1"},   {"iad-2", "iad", "Ashburn", "127.80.2.2"},
    {"sin-1", "sin", "Singapore", "127.80.3.1"}, {"sin-2", "sin", "Singapore", "127.80.3.2"},
};

enum manner { WELL, REFUSES, HANGS, FAILS, IS_SLOW, FLAPS, MANNERS };
static const struct {
    const char *word, *said;
} manners[MANNERS] = {
    {"heal", "is well"},    {"refuse", "refuses connections"}, {"hang", "does not reply"},
    {"503", "answers 503"}, {"slow", "takes 1.5 s"},           {"flap", "comes and goes"},
};

struct origin {
    const struct origin_place *place;
    int listener; /* -1: nobody listens */
    enum manner manner;
    int64_t flap_ms, flips_ms; /* FLAPS: length of a turn, and when the next one begins */
};

/* One connection. */
struct visit {
    int fd; /* -1: free */
    struct origin *at;
    int64_t due_ms; /* then it is answered, or ends */
    bool asked;     /* the request is complete, the reply waits for its time */
    size_t len;
    char head[HEAD_MAX];
};

struct origins {
    uv_thread_t thread;
    uv_mutex_t callers; /* one order at a time */
    uv_mutex_t lock;    /* of what follows, up to the order's result */
    uv_cond_t done;
    int wake; /* an eventfd: there is an order, or the end */
    bool started, ending;
    uint16_t port;
    /* the order: what the thread shall do, and what came of it */
    bool ordered;
    uint8_t set; /* a bit for each origin */
    enum manner manner;
    int64_t flap_ms;
    int result;
    struct origin each[ORIGINS_COUNT];
    struct visit visits[VISITS_MAX];
};

static int64_t now_ms(void)
{
    return clock_mono_us(clock_system()) / 1000;
}

/* ---- listening ---- */

static int open_listener(struct origin *at, uint16_t port)
{
    struct sockaddr_storage ss;
    struct addr a;
    int on = 1;
    addr_parse(&a, at->place->address, port);
    socklen_t len = addr_to_sockaddr(&a, &ss);
    at->listener = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (at->listener < 0)
        return err_of_errno(errno);
    setsockopt(at->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(at->listener, (struct sockaddr *)&ss, len) && !listen(at->listener, 128))
        return 0;
    int err = err_of_errno(errno);
    close(at->listener);
    at->listener = -1;
    return err;
}

static void end_visit(struct visit *v)
{
    close(v->fd);
    v->fd = -1;
}

/* As when its process ends: the socket and all its connections. */
static void close_listener(struct origins *o, struct origin *at)
{
    if (at->listener >= 0)
        close(at->listener);
    at->listener = -1;
    for (unsigned i = 0; i < VISITS_MAX; i++)
        if (o->visits[i].fd >= 0 && o->visits[i].at == at)
            end_visit(&o->visits[i]);
}

/* ---- answering ---- */

static bool asks_for(const struct visit *v, const char *path)
{
    const char *at = memchr(v->head, ' ', v->len);
    size_t n = strlen(path), left = at ? v->len - (size_t)(at + 1 - v->head) : 0;
    return left > n && !memcmp(at + 1, path, n) && (at[1 + n] == ' ' || at[1 + n] == '?');
}

static void reply(struct visit *v)
{
    const char *status = "404 Not Found";
    char body[64] = "not here\n", text[256];
    const struct origin_place *p = v->at->place;
    if (v->at->manner == FAILS) {
        status = "503 Service Unavailable";
        strcpy(body, "broken\n");
    } else if (asks_for(v, "/healthz")) {
        status = "200 OK";
        strcpy(body, "ok\n");
    } else if (asks_for(v, "/flaps")) {
        bool up = now_ms() / TURN_MS % 2;
        status = up ? "200 OK" : "503 Service Unavailable";
        strcpy(body, up ? "ok\n" : "not now\n");
    } else if (asks_for(v, "/")) {
        status = "200 OK";
        snprintf(body, sizeof body, "%s in %s\n", p->name, p->city);
    }
    bool head_only = v->len > 5 && !memcmp(v->head, "HEAD ", 5);
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, strlen(body), head_only ? "" : body);
    send(v->fd, text, (size_t)n, MSG_NOSIGNAL); /* a fresh socket takes so little at once */
    end_visit(v);
}

/* A complete request is answered in the manner that its origin has now. */
static void take_request(struct visit *v)
{
    v->asked = true;
    if (v->at->manner == IS_SLOW)
        v->due_ms = now_ms() + SLOW_MS;
    else if (v->at->manner != HANGS)
        reply(v);
}

static void read_visit(struct visit *v)
{
    char beyond[256];
    bool full = v->asked || v->len == sizeof v->head;
    ssize_t n = full ? recv(v->fd, beyond, sizeof beyond, 0)
                     : recv(v->fd, v->head + v->len, sizeof v->head - v->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (full && !v->asked)) {
        end_visit(v);
        return;
    }
    if (v->asked)
        return;
    v->len += (size_t)n;
    if (memmem(v->head, v->len, "\r\n\r\n", 4))
        take_request(v);
}

static void accept_visit(struct origins *o, struct origin *at)
{
    struct visit *v = NULL;
    for (unsigned i = 0; i < VISITS_MAX && !v; i++)
        if (o->visits[i].fd < 0)
            v = &o->visits[i];
    if (!v)
        return;
    v->fd = accept4(at->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    v->at = at;
    v->due_ms = now_ms() + IDLE_MS;
    v->asked = false;
    v->len = 0;
}

/* ---- the thread ---- */

static void take_order(struct origins *o)
{
    uint64_t count;
    while (read(o->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
    uv_mutex_lock(&o->lock);
    if (o->ordered) {
        o->result = 0;
        for (unsigned i = 0; i < ORIGINS_COUNT; i++) {
            struct origin *at = &o->each[i];
            if (!(o->set >> i & 1))
                continue;
            at->manner = o->manner;
            at->flap_ms = o->flap_ms;
            at->flips_ms = now_ms() + o->flap_ms;
            int err = 0;
            if (o->manner == REFUSES || o->manner == FLAPS)
                close_listener(o, at);
            else if (at->listener < 0)
                err = open_listener(at, o->port);
            o->result = o->result ? o->result : err;
        }
        o->ordered = false;
        uv_cond_signal(&o->done);
    }
    uv_mutex_unlock(&o->lock);
}

/* What time brings about; returns when it does so next. */
static int64_t take_time(struct origins *o, int64_t now)
{
    int64_t next = NOTHING_TO_DO;
    for (unsigned i = 0; i < ORIGINS_COUNT; i++) {
        struct origin *at = &o->each[i];
        if (at->manner != FLAPS)
            continue;
        if (now >= at->flips_ms) {
            at->flips_ms = now + at->flap_ms;
            if (at->listener >= 0)
                close_listener(o, at);
            else
                open_listener(at, o->port); /* in vain: again with the next turn */
        }
        next = at->flips_ms < next ? at->flips_ms : next;
    }
    for (unsigned i = 0; i < VISITS_MAX; i++) {
        struct visit *v = &o->visits[i];
        if (v->fd >= 0 && now >= v->due_ms && v->asked && v->at->manner != HANGS)
            reply(v);
        else if (v->fd >= 0 && now >= v->due_ms)
            end_visit(v);
        if (v->fd >= 0 && v->due_ms < next)
            next = v->due_ms;
    }
    return next;
}

static void wait_for_all(struct origins *o, int64_t until)
{
    struct pollfd p[1 + ORIGINS_COUNT + VISITS_MAX];
    bool room = false;
    p[0] = (struct pollfd){.fd = o->wake, .events = POLLIN};
    for (unsigned i = 0; i < VISITS_MAX; i++) {
        p[1 + ORIGINS_COUNT + i] = (struct pollfd){.fd = o->visits[i].fd, .events = POLLIN};
        room = room || o->visits[i].fd < 0;
    }
    for (unsigned i = 0; i < ORIGINS_COUNT; i++)
        p[1 + i] = (struct pollfd){.fd = room ? o->each[i].listener : -1, .events = POLLIN};
    int64_t left = until == NOTHING_TO_DO ? -1 : until - now_ms() + 1;
    if (poll(p, sizeof p / sizeof *p, left < -1 ? 0 : (int)left) <= 0)
        return;
    for (unsigned i = 0; i < VISITS_MAX; i++)
        if (p[1 + ORIGINS_COUNT + i].revents)
            read_visit(&o->visits[i]);
    for (unsigned i = 0; i < ORIGINS_COUNT; i++)
        if (p[1 + i].revents)
            accept_visit(o, &o->each[i]);
    if (p[0].revents)
        take_order(o);
}

static bool is_ending(struct origins *o)
{
    uv_mutex_lock(&o->lock);
    bool ending = o->ending;
    uv_mutex_unlock(&o->lock);
    return ending;
}

static void origins_thread(void *arg)
{
    struct origins *o = arg;
    while (!is_ending(o))
        wait_for_all(o, take_time(o, now_ms()));
}

static void wake_up(struct origins *o)
{
    uint64_t one = 1;
    while (write(o->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- start and stop ---- */

static int start_listener(struct origins *o, struct origin *at, struct diag_list *d)
{
    struct addr a;
    char holder[128] = "";
    addr_parse(&a, at->place->address, o->port);
    if (!o->port) /* the first one's is all others' */
        a.port = o->port = net_probe_port(&a);
    int err = net_probe_bind(&a, NET_PROTO_TCP, holder, sizeof holder);
    err = err ? err : open_listener(at, o->port);
    if (err)
        diag_add(d, DIAG_ERROR, NULL, "cannot listen on %s port %u (tcp): %s%s%s",
                 at->place->address, o->port, err_text(err), *holder ? ", held by " : "", holder);
    return err;
}

int origins_start(struct origins **out, uint16_t port, struct diag_list *d)
{
    struct origins *o = calloc(1, sizeof *o);
    if (!o)
        return ERR_NOMEM;
    o->port = port;
    for (unsigned i = 0; i < VISITS_MAX; i++)
        o->visits[i].fd = -1;
    for (unsigned i = 0; i < ORIGINS_COUNT; i++) {
        o->each[i].place = &origin_places[i];
        o->each[i].listener = -1;
    }
    uv_mutex_init(&o->callers);
    uv_mutex_init(&o->lock);
    uv_cond_init(&o->done);
    o->wake = eventfd(0, EFD_CLOEXEC);
    int err = o->wake < 0 ? err_of_errno(errno) : 0;
    for (unsigned i = 0; i < ORIGINS_COUNT && !err; i++)
        err = start_listener(o, &o->each[i], d);
    if (!err && uv_thread_create(&o->thread, origins_thread, o))
        err = ERR_SYSTEM;
    o->started = !err;
    if (err)
        origins_stop(o);
    else
        *out = o;
    return err;
}

void origins_stop(struct origins *o)
{
    if (!o)
        return;
    if (o->started) {
        uv_mutex_lock(&o->lock);
        o->ending = true;
        uv_mutex_unlock(&o->lock);
        wake_up(o);
        uv_thread_join(&o->thread);
    }
    for (unsigned i = 0; i < ORIGINS_COUNT; i++)
        close_listener(o, &o->each[i]);
    if (o->wake >= 0)
        close(o->wake);
    uv_cond_destroy(&o->done);
    uv_mutex_destroy(&o->lock);
    uv_mutex_destroy(&o->callers);
    free(o);
}

uint16_t origins_port(const struct origins *o)
{
    return o->port;
}

/* ---- orders ---- */

static uint8_t find_set(const char *what)
{
    uint8_t set = 0;
    for (unsigned i = 0; i < ORIGINS_COUNT; i++)
        if (!strcmp(what, "all") || !strcmp(what, origin_places[i].site) ||
            !strcmp(what, origin_places[i].name))
            set |= (uint8_t)(1u << i);
    return set;
}

/* Letters that agree at both ends. */
static unsigned likeness(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), head = 0, tail = 0, least = n < m ? n : m;
    while (head < least && a[head] == b[head])
        head++;
    while (tail < least - head && a[n - 1 - tail] == b[m - 1 - tail])
        tail++;
    return (unsigned)(head + tail);
}

static void say_unknown(const char *what, char *said, size_t cap)
{
    const char *near = NULL;
    unsigned best = 0;
    char sites[64] = "";
    for (unsigned i = 0; i < ORIGINS_COUNT; i++) {
        const char *words[2] = {origin_places[i].site, origin_places[i].name};
        for (unsigned k = 0; k < 2; k++)
            if (likeness(what, words[k]) > best) {
                best = likeness(what, words[k]);
                near = words[k];
            }
        if (i % 2 == 0)
            snprintf(sites + strlen(sites), sizeof sites - strlen(sites), "%s, %s-1, %s-2, ",
                     words[0], words[0], words[0]);
    }
    snprintf(said, cap, "there is no origin \"%.40s\"%s%s%s; there are %sall", what,
             near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "", sites);
}

/* MANNERS: there is no such way. */
static enum manner find_manner(const char *how, int64_t *flap_ms)
{
    char *end = NULL;
    *flap_ms = FLAP_S * 1000;
    for (unsigned i = 0; i < MANNERS; i++)
        if (!strcmp(how, manners[i].word))
            return (enum manner)i;
    if (strncmp(how, "flap:", 5) != 0 || how[5] < '1' || how[5] > '9')
        return MANNERS;
    long s = strtol(how + 5, &end, 10);
    *flap_ms = s * 1000;
    return *end || s > FLAP_S_MAX ? MANNERS : FLAPS;
}

static int give_order(struct origins *o, uint8_t set, enum manner manner, int64_t flap_ms)
{
    uv_mutex_lock(&o->callers);
    uv_mutex_lock(&o->lock);
    o->set = set;
    o->manner = manner;
    o->flap_ms = flap_ms;
    o->ordered = true;
    wake_up(o);
    while (o->ordered)
        uv_cond_wait(&o->done, &o->lock);
    int err = o->result;
    uv_mutex_unlock(&o->lock);
    uv_mutex_unlock(&o->callers);
    return err;
}

int origins_set(struct origins *o, const char *what, const char *how, char *said, size_t cap)
{
    int64_t flap_ms;
    uint8_t set = find_set(what);
    enum manner manner = find_manner(how ? how : "refuse", &flap_ms);
    if (!set) {
        say_unknown(what, said, cap);
        return ERR_NOT_FOUND;
    }
    if (manner == MANNERS) {
        snprintf(said, cap,
                 "\"%.40s\" is no way to break an origin; there are refuse, hang, 503, slow, flap, "
                 "flap:SECONDS",
                 how);
        return ERR_SYNTAX;
    }
    int err = give_order(o, set, manner, flap_ms);
    if (err)
        snprintf(said, cap, "%s cannot listen again: %s", what, err_text(err));
    else
        snprintf(said, cap, "%s %s", what, manners[manner].said);
    return err;
}
