/* The line, deadlines and evidence; each kind of probe is a row in a file of its own. */
#include "probe_priv.h"

#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BEAT_MS = 10,     /* how finely lateness is seen */
    STARTS_TURN = 32, /* probes begun and sockets served in one turn of the loop */
    EVENTS_TURN = 64,
    TURN_MS = 8 /* handshakes take longer than most */
};

static const struct probe_type *const probe_types[GSLB_CHECK_TYPES] = {
    [GSLB_CHECK_TCP] = &probe_type_tcp,    [GSLB_CHECK_HTTP] = &probe_type_http,
    [GSLB_CHECK_HTTPS] = &probe_type_http, [GSLB_CHECK_DNS] = &probe_type_dns,
    [GSLB_CHECK_ICMP] = &probe_type_icmp,  [GSLB_CHECK_EXEC] = &probe_type_exec,
};

/* ---- evidence ---- */

static void evidence_set(struct gslb_probe *probe, const char *fmt, va_list ap)
{
    char *text = probe->result.evidence;
    vsnprintf(text, GSLB_EVIDENCE_MAX, fmt, ap);
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '.';
}

void probe_evidence(struct gslb_probe *probe, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    evidence_set(probe, fmt, ap);
    va_end(ap);
}

uint32_t probe_elapsed_us(const struct gslb_probe *probe)
{
    int64_t us = clock_mono_us(probe->prober->clock) - probe->started_us;
    return us < 1 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

bool probe_errno_is_own(int errnum)
{
    static const int own[] = {EMFILE, ENFILE,        ENOBUFS,      ENOMEM,          EACCES, EPERM,
                              EAGAIN, EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] == errnum)
            return true;
    return false;
}

const char *probe_errno_text(int errnum, char *room, size_t cap)
{
    static const struct {
        int errnum;
        const char *text;
    } rows[] = {
        {ECONNREFUSED, "connection refused"},
        {ECONNRESET, "connection reset"},
        {EPIPE, "connection closed"},
        {ETIMEDOUT, "timed out"},
        {EHOSTUNREACH, "host unreachable"},
        {ENETUNREACH, "network unreachable"},
        {EMFILE, "no file descriptor left (raise LimitNOFILE)"},
        {ENFILE, "no file descriptor left in the system"},
        {EADDRNOTAVAIL, "the address or a port to send from is not available"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].errnum == errnum)
            return rows[i].text;
    return strerror_r(errnum, room, cap);
}

/* Each piece is compared with what is wanted; where it stops to fit, the longest end of what fitted
 * that is also its beginning goes on. */
bool probe_match_feed(struct probe_match *m, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && m->got < m->len; i++) {
        if (!m->got) {
            const char *first = memchr(bytes + i, m->want[0], len - i);
            if (!first)
                return false;
            i = (size_t)(first - bytes);
        }
        while (m->want[m->got] != bytes[i]) {
            size_t shorter = m->got;
            if (!shorter)
                break;
            while (--shorter && memcmp(m->want, m->want + m->got - shorter, shorter) != 0)
                ;
            m->got = shorter;
        }
        m->got += m->want[m->got] == bytes[i];
    }
    return m->got == m->len;
}

/* ---- sockets ---- */

int probe_socket(const struct gslb_probe *probe, int type, int protocol)
{
    const struct addr *source = &probe->check->source;
    struct sockaddr_storage ss;
    int fd = socket(probe->target.family == 4 ? AF_INET : AF_INET6,
                    type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0 || !source->family)
        return fd;
    socklen_t len = addr_to_sockaddr(source, &ss);
    if (bind(fd, (struct sockaddr *)&ss, len) == 0)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

int probe_watch(struct gslb_probe *probe, int fd, uint32_t events)
{
    int epoll = probe->prober->epoll;
    struct epoll_event e = {.events = events,
                            .data.u64 = (uint64_t)probe->index << 32 | (uint32_t)fd};
    if (!events)
        return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &e) ? errno : 0;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) ? errno : 0;
}

void probe_close_fd(struct gslb_probe *probe, int *fd)
{
    if (*fd < 0)
        return;
    probe_watch(probe, *fd, 0);
    close(*fd);
    *fd = -1;
}

/* One event at a time: what a done callback closes cannot be among those already fetched. */
static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct gslb_prober *p = container_of(poll, struct gslb_prober, ready);
    struct epoll_event e;
    uint64_t until = uv_hrtime() + TURN_MS * 1000000ull;
    (void)status;
    (void)events;
    for (unsigned n = 0; n < EVENTS_TURN && !p->closing && uv_hrtime() < until &&
                         epoll_wait(p->epoll, &e, 1, 0) == 1;
         n++) {
        uint32_t index = (uint32_t)(e.data.u64 >> 32);
        int fd = (int)(uint32_t)e.data.u64;
        if (index == PROBE_HTTP_SOCKET)
            probe_http_ready(p, fd, e.events);
        else if (p->probes[index]->state == PROBE_RUNNING)
            probe_types[p->probes[index]->check->type]->ready(p->probes[index], fd, e.events);
    }
}

/* ---- the loop's lateness ---- */

/* Adds what passed since the last beat beyond its interval, unless it is as little as timers of
 * whole milliseconds and a busy machine bring along. */
static void beat_take(struct gslb_prober *p)
{
    int64_t now = clock_mono_us(p->clock), late = now - p->beat_us - BEAT_MS * 1000;
    if (late > BEAT_MS * 1000 / 2)
        p->late_us += late;
    p->beat_us = now;
}

static void on_beat(uv_timer_t *timer)
{
    struct gslb_prober *p = container_of(timer, struct gslb_prober, beat);
    beat_take(p);
    if (!p->running_count)
        uv_timer_stop(timer);
}

static void beat_start(struct gslb_prober *p)
{
    if (uv_is_active((uv_handle_t *)&p->beat))
        return;
    p->beat_us = clock_mono_us(p->clock);
    uv_timer_start(&p->beat, on_beat, BEAT_MS, BEAT_MS);
}

/* ---- from the line to the end ---- */

static struct list *line_of(struct gslb_prober *p, const struct gslb_probe *probe)
{
    return probe->check->type == GSLB_CHECK_EXEC ? &p->command_line : &p->line;
}

/* The one that came first among those for which there is room. */
static struct gslb_probe *line_next(struct gslb_prober *p)
{
    struct list *a = list_first(&p->line), *b = list_first(&p->command_line);
    if (p->closing || p->running_count >= p->limits.running)
        return NULL;
    if (p->command_count >= p->limits.commands)
        b = NULL;
    struct gslb_probe *any = a ? container_of(a, struct gslb_probe, link) : NULL;
    struct gslb_probe *command = b ? container_of(b, struct gslb_probe, link) : NULL;
    return !any || (command && command->number < any->number) ? command : any;
}

/* Takes it from wherever it is; its memory is kept for the next. */
static void probe_leave(struct gslb_probe *probe)
{
    struct gslb_prober *p = probe->prober;
    if (probe->state == PROBE_RUNNING) {
        uv_timer_stop(&probe->deadline);
        probe_types[probe->check->type]->stop(probe);
        p->running_count--;
    }
    probe->state = PROBE_FREE;
    list_remove(&probe->link);
    list_push_front(&p->free, &probe->link);
}

static void on_kick(uv_idle_t *idle);

static void line_kick(struct gslb_prober *p)
{
    if (line_next(p))
        uv_idle_start(&p->kick, on_kick);
}

void probe_commands_changed(struct gslb_prober *p)
{
    line_kick(p);
}

static void probe_end(struct gslb_probe *probe, enum gslb_result result)
{
    struct gslb_probe_result r;
    gslb_probed *done = probe->done;
    void *arg = probe->arg;
    probe->result.result = result;
    probe->result.total_us = probe_elapsed_us(probe);
    probe_leave(probe);
    r = probe->result;
    /* Those three may have been measured by libcurl's clock. */
    uint32_t last = r.first_us ? r.first_us : r.tls_us ? r.tls_us : r.connect_us;
    r.total_us = r.total_us < last ? last : r.total_us;
    line_kick(probe->prober);
    done(arg, &r);
}

void probe_finish(struct gslb_probe *probe, enum gslb_result result, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    evidence_set(probe, fmt, ap);
    va_end(ap);
    probe_end(probe, result);
}

void probe_finish_errno(struct gslb_probe *probe, int errnum, const char *doing)
{
    char room[80];
    probe_finish(probe, probe_errno_is_own(errnum) ? GSLB_NO_VERDICT : GSLB_FAIL, "%s%s%s",
                 doing ? doing : "", doing ? ": " : "",
                 probe_errno_text(errnum, room, sizeof room));
}

static void on_deadline(uv_timer_t *timer)
{
    struct gslb_probe *probe = container_of(timer, struct gslb_probe, deadline);
    struct gslb_prober *p = probe->prober;
    const char *stage = probe_types[probe->check->type]->stage(probe);
    beat_take(p);
    int64_t late_us = p->late_us - probe->late_us;
    if (late_us > (int64_t)probe->check->timeout_ms * 250)
        probe_finish(probe, GSLB_NO_VERDICT, "timed out %s, but we were late ourselves by %lld ms",
                     stage, (long long)(late_us / 1000));
    else
        probe_finish(probe, GSLB_FAIL, "timed out %s", stage);
}

static void probe_begin(struct gslb_probe *probe)
{
    struct gslb_prober *p = probe->prober;
    beat_start(p);
    probe->state = PROBE_RUNNING;
    list_remove(&probe->link);
    list_push(&p->running, &probe->link);
    p->running_count++;
    probe->result = (struct gslb_probe_result){.code = -1};
    probe->started_us = clock_mono_us(p->clock);
    probe->late_us = p->late_us;
    /* The loop's idea of now is from the beginning of this turn. */
    uint64_t behind = uv_hrtime() / 1000000 - uv_now(p->loop);
    uv_timer_start(&probe->deadline, on_deadline, probe->check->timeout_ms + behind, 0);
    probe_types[probe->check->type]->start(probe);
}

static void on_kick(uv_idle_t *idle)
{
    struct gslb_prober *p = container_of(idle, struct gslb_prober, kick);
    struct gslb_probe *probe;
    for (unsigned n = 0; n < STARTS_TURN && (probe = line_next(p)); n++)
        probe_begin(probe);
    if (p->http_added && !p->closing)
        probe_http_turn(p);
    if (!line_next(p))
        uv_idle_stop(idle);
}

/* ---- one probe ---- */

static struct gslb_probe *probe_new(struct gslb_prober *p)
{
    if (p->probe_count == p->probe_room) {
        uint32_t room = p->probe_room ? 2 * p->probe_room : 64;
        struct gslb_probe **grown = realloc(p->probes, room * sizeof(void *));
        if (!grown)
            return NULL;
        p->probes = grown;
        p->probe_room = room;
    }
    struct gslb_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return NULL;
    probe->prober = p;
    probe->index = p->probe_count;
    uv_timer_init(p->loop, &probe->deadline);
    probe->deadline.data = p;
    probe_handle_opened(p);
    list_push(&p->free, &probe->link);
    p->probes[p->probe_count++] = probe;
    return probe;
}

int gslb_probe_start(struct gslb_prober *p, const struct gslb_check *check,
                     const struct addr *target, gslb_probed *done, void *arg,
                     struct gslb_probe **out)
{
    if ((unsigned)check->type >= GSLB_CHECK_TYPES || !probe_types[check->type])
        return ERR_UNSUPPORTED;
    if (p->closing)
        return ERR_CLOSED;
    struct list *first = list_first(&p->free);
    struct gslb_probe *probe = first ? container_of(first, struct gslb_probe, link) : probe_new(p);
    if (!probe)
        return ERR_NOMEM;
    probe->check = check;
    probe->target = check->address.family ? check->address : *target;
    probe->target.port = gslb_check_port(check);
    probe->done = done;
    probe->arg = arg;
    probe->number = p->number++;
    probe->state = PROBE_WAITING;
    list_remove(&probe->link);
    list_push(line_of(p, probe), &probe->link);
    line_kick(p);
    if (out)
        *out = probe;
    return 0;
}

void gslb_probe_cancel(struct gslb_probe *probe)
{
    struct gslb_prober *p = probe->prober;
    probe_leave(probe);
    line_kick(p);
}

/* ---- the prober ---- */

static void prober_free(struct gslb_prober *p)
{
    void (*done)(void *) = p->done_closed;
    void *arg = p->done_arg;
    probe_http_fini(p);
    probe_trust_fini(p);
    if (p->ares_up)
        ares_library_cleanup();
    if (p->epoll >= 0)
        close(p->epoll);
    for (uint32_t i = 0; i < p->probe_count; i++)
        free(p->probes[i]);
    free(p->probes);
    arena_fini(&p->arena);
    free(p);
    if (done)
        done(arg);
}

void probe_handle_opened(struct gslb_prober *p)
{
    p->handles++;
}

void probe_handle_closed(struct gslb_prober *p)
{
    if (--p->handles == 0 && p->closing)
        prober_free(p);
}

void probe_on_close(uv_handle_t *h)
{
    probe_handle_closed(h->data);
}

static void handle_retire(struct gslb_prober *p, uv_handle_t *h)
{
    h->data = p;
    uv_close(h, probe_on_close);
}

static void probes_drop(struct list *all)
{
    for (struct list *l; (l = list_first(all));)
        probe_leave(container_of(l, struct gslb_probe, link));
}

void gslb_prober_close(struct gslb_prober *p, void (*done_closed)(void *arg), void *arg)
{
    p->closing = true;
    p->done_closed = done_closed;
    p->done_arg = arg;
    probes_drop(&p->line);
    probes_drop(&p->command_line);
    probes_drop(&p->running);
    for (uint32_t i = 0; i < p->probe_count; i++)
        handle_retire(p, (uv_handle_t *)&p->probes[i]->deadline);
    handle_retire(p, (uv_handle_t *)&p->kick);
    handle_retire(p, (uv_handle_t *)&p->beat);
    handle_retire(p, (uv_handle_t *)&p->http_timer);
    handle_retire(p, (uv_handle_t *)&p->ready);
}

static struct gslb_prober *prober_alloc(uv_loop_t *loop, const struct clock *clock,
                                        const struct gslb_prober_limits *limits)
{
    struct gslb_prober *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->loop = loop;
    p->clock = clock;
    p->limits.running = limits && limits->running ? limits->running : 1024;
    p->limits.commands = limits && limits->commands ? limits->commands : 8;
    p->limits.files = limits ? limits->files : 0;
    list_init(&p->line);
    list_init(&p->command_line);
    list_init(&p->running);
    list_init(&p->free);
    list_init(&p->http_free);
    list_init(&p->trusts);
    arena_init(&p->arena, 4096, (size_t)1 << 20);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    signal(SIGCHLD, SIG_DFL); /* ignored by who started us, it would lose how a command ended */
    return p;
}

int gslb_prober_new(struct gslb_prober **out, uv_loop_t *loop, const struct clock *clock,
                    const struct gslb_prober_limits *limits)
{
    struct gslb_prober *p = prober_alloc(loop, clock, limits);
    if (!p)
        return ERR_NOMEM;
    p->ares_up = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    int err = p->epoll < 0 || !p->ares_up ? ERR_SYSTEM : probe_http_init(p);
    /* The last steps, so that nothing needs a turn of the loop to be undone. */
    if (!err && uv_poll_init(loop, &p->ready, p->epoll) != 0)
        err = ERR_SYSTEM;
    if (err) {
        prober_free(p);
        return err;
    }
    uv_poll_start(&p->ready, UV_READABLE, on_ready);
    uv_idle_init(loop, &p->kick);
    uv_timer_init(loop, &p->beat);
    uv_timer_init(loop, &p->http_timer);
    p->handles += 4;
    probe_dns_init(p);
    *out = p;
    return 0;
}
