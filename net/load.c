#include "load_priv.h"

#include "base/cursor.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/type.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS        64
#define PACE_BATCHES  4 /* between two looks at what came */
#define SLOT_BITS_MIN 8
#define INTERVALS_MAX 100000
#define GIVE_UP_NS    1000000000 /* nobody listens and nothing came back */
#define RAMP_FIRST    64         /* a window opens with so many queries */
#define RAMP_NS       500000     /* and by one more in this time: a burst is lost in full buffers */

/* ---- queries and answers ---- */

static bool is_sending(const struct load *l)
{
    return l->phase == LOAD_WARM || l->phase == LOAD_MEASURE;
}

/* When the next query is due. */
static int64_t due_ns(const struct load *l)
{
    return l->pace_ns + (int64_t)(l->due >> 16);
}

/* What is due after the end does not leave, however late we come round to it. */
static bool is_due(const struct load *l)
{
    return due_ns(l) <= l->now_ns && due_ns(l) <= l->phase_end_ns;
}

static void pace_on(struct load *l)
{
    if (l->o->poisson) { /* gaps of a Poisson process are exponential; 53 bits make (0, 1] */
        double u = (double)((hash_mix(l->random++) >> 11) + 1) * 0x1p-53;
        l->due += (uint64_t)(-log(u) * (double)l->gap);
    } else {
        l->due += l->gap;
    }
}

/* May c ask one more now? */
static bool is_allowed(const struct load *l, const struct load_client *c)
{
    if (!is_sending(l) || (l->o->count && l->r->counts.sent >= l->o->count))
        return false;
    return l->o->window ? c->slots.waiting < c->share && c->slots.waiting < l->ramp : is_due(l);
}

size_t load_next(struct load *l, struct load_client *c, uint8_t out[LOAD_QUERY_MAX])
{
    struct load_slot *s = is_allowed(l, c) ? load_slots_take(&c->slots) : NULL;
    if (!s)
        return 0;
    s->sent_ns = s->due_ns = l->now_ns;
    if (!l->o->window) {
        s->due_ns = due_ns(l);
        pace_on(l);
    }
    s->serial = l->serial++;
    s->query = l->query;
    l->query = l->query + 1 < load_queries_count(l->q) ? l->query + 1 : 0;
    l->waiting++;
    if (l->phase == LOAD_MEASURE) {
        l->r->counts.sent++;
        l->r->recent.sent++;
        if (!l->o->window)
            histogram_add(&l->r->lag, (uint64_t)(s->sent_ns - s->due_ns));
    }
    return load_queries_write(l->q, s->query, s->serial, s->id, out);
}

static void count_answer(struct load *l, const struct load_slot *s, const uint8_t *bytes,
                         size_t len)
{
    struct load_counts *n = &l->r->counts;
    uint64_t took = (uint64_t)(l->now_ns > s->due_ns ? l->now_ns - s->due_ns : 0);
    unsigned rcode = bytes[3] & 15;
    n->answered++;
    n->octets += len;
    n->rcodes[rcode]++;
    n->truncated += (get_u16(bytes + 2) & DNS_FLAG_TC) != 0;
    n->empty += rcode == DNS_RCODE_NOERROR && !get_u16(bytes + 6);
    histogram_add(&l->r->latency, took);
    histogram_add(&l->r->recent.latency, took);
    l->r->recent.answered++;
    l->last_answer_ns = l->now_ns;
}

void load_take(struct load *l, struct load_client *c, const uint8_t *bytes, size_t have, size_t len)
{
    struct load_counts *n = &l->r->counts;
    bool is_answer = have >= 12 && (get_u16(bytes + 2) & DNS_FLAG_QR);
    struct load_slot *s = is_answer ? load_slots_find(&c->slots, get_u16(bytes)) : NULL;
    enum load_match match =
        s ? load_queries_match(l->q, s->query, s->serial, bytes, have) : LOAD_MISMATCH;
    if (match == LOAD_MISMATCH) {
        n->unmatched++;
    } else if (s->state != LOAD_SLOT_WAITS) {
        n->duplicate += s->state == LOAD_SLOT_ANSWERED;
        n->late += s->state == LOAD_SLOT_LOST;
    } else {
        load_slots_end(&c->slots, s, LOAD_SLOT_ANSWERED);
        l->waiting--;
        l->answered = true;
        if (s->due_ns >= l->begin_ns) {
            n->bare += match == LOAD_MATCH_BARE;
            count_answer(l, s, bytes, len);
        }
    }
}

static void lose(struct load *l, struct load_client *c, struct load_slot *s)
{
    load_slots_end(&c->slots, s, LOAD_SLOT_LOST);
    l->waiting--;
    if (s->due_ns >= l->begin_ns) {
        l->r->counts.lost++;
        l->r->recent.lost++;
    }
}

void load_lose_all(struct load *l, struct load_client *c)
{
    for (struct load_slot *s; (s = load_slots_oldest(&c->slots));)
        lose(l, c, s);
}

void load_fill(struct load *l, struct load_client *c)
{
    while (l->o->window && c->up && l->link->send(l, c, LOAD_BATCH) == LOAD_BATCH)
        ;
}

/* Open loop: what is due, by the clients in turn. False: no client takes more now. */
static bool pace(struct load *l)
{
    for (unsigned n = 0, full = 0; n < PACE_BATCHES && is_due(l);) {
        struct load_client *c = &l->clients[l->turn];
        l->turn = l->turn + 1 < l->o->clients ? l->turn + 1 : 0;
        unsigned sent = c->up ? l->link->send(l, c, LOAD_BATCH) : 0;
        n += sent > 0;
        full = sent ? 0 : full + 1;
        if (full == l->o->clients)
            return false;
    }
    return true;
}

/* ---- sockets ---- */

void load_set_up(struct load *l, struct load_client *c, bool up)
{
    l->up += (uint32_t)up - (uint32_t)c->up;
    c->up = up;
}

void load_refused(struct load *l)
{
    l->r->counts.refused++;
    l->refused = true;
}

int load_socket(struct load *l, struct load_client *c, int type, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    c->fd = socket(l->o->server.family == 4 ? AF_INET : AF_INET6,
                   type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return err_of_errno(errno);
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) ? err_of_errno(errno) : 0;
}

void load_events(struct load *l, struct load_client *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

/* ---- phases ---- */

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The time this thread could have run and did not; -1: not told. */
static int64_t wait_ns(void)
{
    long long ran, waited = -1;
    FILE *f = fopen("/proc/thread-self/schedstat", "re");
    if (!f ||
        fscanf(f, "%lld %lld", &ran, &waited) != 2) /* NOLINT(bugprone-unchecked-*,cert-err34-c) */
        waited = -1;
    if (f)
        fclose(f);
    return waited;
}

static void tell(struct load *l, enum load_moment moment)
{
    if (l->o->watch)
        l->o->watch(l->o->arg, moment, l->r);
}

static void fill_all(struct load *l)
{
    for (unsigned i = 0; i < l->o->clients; i++)
        load_fill(l, &l->clients[i]);
}

static void begin_interval(struct load *l, int64_t at_ns)
{
    struct load_recent *n = &l->r->recent;
    n->sent = n->answered = n->lost = 0;
    n->from_ns = at_ns - l->begin_ns;
    histogram_init(&n->latency);
    l->interval_ns = at_ns + l->o->interval_ns;
}

static void end_intervals(struct load *l)
{
    struct load_report *r = l->r;
    while (l->now_ns >= l->interval_ns && l->interval_ns <= l->phase_end_ns) {
        r->recent.to_ns = l->interval_ns - l->begin_ns;
        if (r->intervals < r->intervals_max)
            r->answers[r->intervals++] = r->recent.answered;
        tell(l, LOAD_INTERVAL);
        begin_interval(l, l->interval_ns);
    }
}

static void enter_measure(struct load *l)
{
    struct load_report *r = l->r;
    memset(&r->counts, 0, sizeof r->counts);
    histogram_init(&r->latency);
    histogram_init(&r->lag);
    tell(l, LOAD_BEGINS);
    l->now_ns = l->begin_ns = l->last_answer_ns = load_clock_ns();
    begin_interval(l, l->now_ns);
    l->pace_ns = l->now_ns; /* what could not leave before is not owed */
    l->due = 0;
    l->phase = LOAD_MEASURE;
    l->phase_end_ns = l->now_ns + l->o->time_ns;
    l->cpu_ns = cpu_ns();
    l->wait_ns = wait_ns();
    fill_all(l);
}

static void enter_warm(struct load *l)
{
    l->ramp_from_ns = l->pace_ns = l->now_ns;
    if (!l->o->warm_ns) {
        enter_measure(l);
        return;
    }
    l->phase = LOAD_WARM;
    l->phase_end_ns = l->now_ns + l->o->warm_ns;
    fill_all(l);
}

static void enter_drain(struct load *l)
{
    struct load_report *r = l->r;
    int64_t waited = wait_ns();
    r->cpu_ns = cpu_ns() - l->cpu_ns;
    r->wait_ns = waited < 0 || l->wait_ns < 0 ? -1 : waited - l->wait_ns;
    r->sending_ns = l->now_ns - l->begin_ns;
    r->in_time = r->counts.answered;
    if (!l->o->window && is_due(l) && !l->r->stopped) {
        int64_t until_ns = l->now_ns < l->phase_end_ns ? l->now_ns : l->phase_end_ns;
        r->behind = (((uint64_t)(until_ns - l->pace_ns) << 16) - l->due) / l->gap;
    }
    l->phase = LOAD_DRAIN;
    l->phase_end_ns = l->now_ns + l->o->timeout_ns + 2 * LOAD_TICK_NS;
    tell(l, LOAD_ENDS);
}

static void step_connect(struct load *l)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < l->o->clients; i++)
        failed += l->clients[i].fd < 0;
    if (l->up + failed < l->o->clients && l->now_ns < l->phase_end_ns)
        return;
    if (l->up) {
        enter_warm(l);
        return;
    }
    l->err = l->refused ? ERR_REFUSED : ERR_TIMEOUT;
    l->phase = LOAD_OVER;
}

static void step_warm(struct load *l)
{
    if (l->now_ns >= l->phase_end_ns || l->r->stopped)
        enter_measure(l);
}

static void step_measure(struct load *l)
{
    end_intervals(l);
    if (!l->answered && l->refused && l->now_ns - l->begin_ns > GIVE_UP_NS) {
        l->err = ERR_REFUSED;
        l->phase = LOAD_OVER;
    } else if (l->now_ns >= l->phase_end_ns || l->r->stopped ||
               (l->o->count && l->r->counts.sent >= l->o->count)) {
        enter_drain(l);
    }
}

static void step_drain(struct load *l)
{
    if (l->waiting && l->now_ns < l->phase_end_ns)
        return;
    for (unsigned i = 0; i < l->o->clients; i++)
        load_lose_all(l, &l->clients[i]);
    l->r->elapsed_ns = l->last_answer_ns - l->begin_ns;
    if (l->r->elapsed_ns < l->r->sending_ns)
        l->r->elapsed_ns = l->r->sending_ns;
    l->phase = LOAD_OVER;
}

static void step(struct load *l)
{
    static void (*const steps[])(struct load *) = {
        [LOAD_CONNECT] = step_connect,
        [LOAD_WARM] = step_warm,
        [LOAD_MEASURE] = step_measure,
        [LOAD_DRAIN] = step_drain,
    };
    steps[l->phase](l);
}

/* ---- the loop ---- */

static void tick(struct load *l)
{
    for (unsigned i = 0; i < l->o->clients; i++) {
        struct load_client *c = &l->clients[i];
        for (struct load_slot *s = load_slots_oldest(&c->slots);
             s && l->now_ns - s->sent_ns >= l->o->timeout_ns; s = load_slots_oldest(&c->slots))
            lose(l, c, s);
        l->link->tick(l, c);
    }
    l->tick_ns = l->now_ns + LOAD_TICK_NS;
}

static void on_stop(struct load *l)
{
    uint8_t what[256]; /* a signalfd's or an eventfd's word */
    if (read(l->o->stop_fd, what, sizeof what) <= 0 && errno == EAGAIN)
        return;
    if (l->phase == LOAD_CONNECT) {
        l->err = ERR_CANCELLED;
        l->phase = LOAD_OVER;
    }
    if (l->phase == LOAD_DRAIN) /* the second time: at once */
        l->phase_end_ns = l->now_ns;
    l->r->stopped = true;
}

static int wait_for(const struct load *l, struct epoll_event *events, int64_t until_ns)
{
    int64_t ns = until_ns > l->now_ns ? until_ns - l->now_ns : 0;
    struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int n = epoll_pwait2(l->epoll, events, EVENTS, &ts, NULL);
    if (n >= 0 || errno != ENOSYS)
        return n;
    struct pollfd p = {.fd = l->epoll, .events = POLLIN}; /* Linux before 5.11 */
    ppoll(&p, 1, &ts, NULL);
    return epoll_wait(l->epoll, events, EVENTS, 0);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void turn(struct load *l)
{
    struct epoll_event events[EVENTS];
    int64_t until;
    l->now_ns = load_clock_ns();
    l->ramp =
        1 + (uint32_t)((RAMP_FIRST + (l->now_ns - l->ramp_from_ns) / RAMP_NS) / l->o->clients);
    if (l->now_ns >= l->tick_ns)
        tick(l);
    until = earlier(l->tick_ns, l->phase_end_ns);
    if (l->phase == LOAD_MEASURE)
        until = earlier(until, l->interval_ns);
    if (!l->o->window && is_sending(l) && pace(l))
        until = earlier(until, due_ns(l));
    int n = wait_for(l, events, until);
    l->now_ns = load_clock_ns();
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            l->link->ready(l, events[i].data.ptr, events[i].events);
        else
            on_stop(l);
    }
    if (l->phase != LOAD_OVER)
        step(l);
}

/* ---- beginning and end ---- */

/* Twice what can wait at once, so that those that ended are remembered for a while. */
static unsigned slot_bits(const struct load_options *o)
{
    uint64_t waiting =
        o->window ? o->window / o->clients + 1
                  : (uint64_t)o->rate * (uint64_t)(o->timeout_ns / 1000000) / 1000 / o->clients;
    unsigned bits = SLOT_BITS_MIN;
    while (bits < 16 && (1ull << bits) < 2 * waiting)
        bits++;
    return bits;
}

static int open_clients(struct load *l)
{
    const struct load_options *o = l->o;
    int err = 0;
    for (unsigned i = 0; i < o->clients; i++)
        l->clients[i].fd = -1;
    for (unsigned i = 0; i < o->clients && !err; i++) {
        struct load_client *c = &l->clients[i];
        c->share = o->window / o->clients + (i < o->window % o->clients);
        err = load_slots_init(&c->slots, slot_bits(o));
        if (!err)
            err = l->link->open(l, c);
    }
    return err;
}

static int load_open(struct load *l)
{
    const struct load_options *o = l->o;
    struct load_report *r = l->r;
    struct epoll_event stop = {.events = EPOLLIN};
    int64_t intervals = o->time_ns / o->interval_ns;
    memset(r, 0, sizeof *r);
    r->intervals_max = (unsigned)(intervals < INTERVALS_MAX ? intervals : INTERVALS_MAX);
    r->answers = calloc(r->intervals_max + 1, sizeof *r->answers);
    l->clients = calloc(o->clients, sizeof *l->clients);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!r->answers || !l->clients)
        return ERR_NOMEM;
    if (l->epoll < 0)
        return err_of_errno(errno);
    if (o->stop_fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, o->stop_fd, &stop))
        return err_of_errno(errno);
    l->begin_ns = INT64_MAX; /* nothing is measured yet */
    l->now_ns = load_clock_ns();
    l->phase_end_ns = l->now_ns + o->timeout_ns;
    l->random = o->seed;
    l->gap = o->rate ? (1000000000ull << 16) / o->rate : 0;
    return open_clients(l);
}

static void load_close(struct load *l)
{
    for (unsigned i = 0; l->clients && i < l->o->clients; i++) {
        l->link->close(l, &l->clients[i]);
        load_slots_fini(&l->clients[i].slots);
    }
    free(l->clients);
    free(l->batch);
    if (l->epoll >= 0)
        close(l->epoll);
}

int load_run(const struct load_options *o, const struct load_queries *q, struct load_report *r)
{
    struct load l = {.o = o,
                     .q = q,
                     .r = r,
                     .epoll = -1,
                     .link = o->proto == NET_PROTO_UDP ? &load_link_udp : &load_link_tcp};
    int slack = prctl(PR_GET_TIMERSLACK);
    l.err = load_open(&l);
    prctl(PR_SET_TIMERSLACK, 1); /* else every wait is 50 us longer than asked for */
    while (!l.err && l.phase != LOAD_OVER)
        turn(&l);
    prctl(PR_SET_TIMERSLACK, slack);
    load_close(&l);
    return l.err;
}

double load_report_rate(const struct load_report *r, const struct load_options *o)
{
    bool by_count = o->count && r->counts.sent >= o->count;
    int64_t ns = by_count ? r->elapsed_ns : r->sending_ns;
    uint64_t n = by_count ? r->counts.answered : r->in_time;
    return ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

void load_report_fini(struct load_report *r)
{
    free(r->answers);
    r->answers = NULL;
}
