/* One question to one address: made, timed, and what comes of it.
 * A UDP attempt stays open after its timer ran out: with an id, a port and a case pattern of its
 * own, a late reply is attributable and a true sample of a slow server. */
#include "base/hash.h"
#include "iterate_priv.h"

#include <string.h>

#define PACKET_MAX \
    (DNS_HEADER_LEN + DNS_NAME_MAX + 4 + 11 + 4 + EDNS_COOKIE_MAX + 24) /* 24: a subnet */
#define TCP_MAX_MS 3000

struct cut_addr *attempt_target(struct iter *it, const struct attempt *a)
{
    return a->cut == it->cut.serial ? &it->cut.addrs[a->target] : NULL;
}

static void record(const struct attempt *a, const char *outcome, uint32_t rtt_us, size_t size)
{
    struct walk *k = a->iter->walk;
    trace_add(&k->trace, TRACE_OUTCOME, a->iter->id, walk_us(k), a->hop, a->n, outcome,
              (unsigned)rtt_us, (unsigned)size);
}

/* The attempt is over: its memory stays the arena's. */
static void close_attempt(struct attempt *a)
{
    list_remove(&a->link);
    wheel_disarm(a->iter->walk->w->wheel, &a->timer);
}

static bool is_current(const struct attempt *a)
{
    const struct iter *it = a->iter;
    return !it->ended && it->state == ITER_WAIT && a->question == it->question &&
           a->cut == it->cut.serial;
}

static void on_event(struct transport_attempt *t, enum transport_event ev, const uint8_t *packet,
                     size_t len, int err);

static void time_out(struct attempt *a)
{
    struct iter *it = a->iter;
    struct walk *k = it->walk;
    bool current = is_current(a);
    struct cut_addr *to = current ? attempt_target(it, a) : NULL;
    a->timed_out = true;
    stat_inc(k->w->stats, STAT_TIMEOUTS);
    record(a, "timeout", 0, 0);
    if (a->t.proto == NET_PROTO_TCP) {
        k->w->transport->cancel(k->w->transport, &a->t);
        list_remove(&a->link);
        if (to)
            to->tcp_silent = true;
    } else {
        servers_timeout(k->w->r->servers, &a->t.server, resolver_now_ms(k->w), &a->ticket);
        if (to)
            to->silent = true;
    }
    if (!current)
        return;
    it->pending--;
    if (!it->pending) {
        iter_wake(it, ITER_SELECT);
        walk_run(k);
    }
}

static void on_timer(struct wheel_timer *timer)
{
    struct attempt *a = container_of(timer, struct attempt, timer);
    struct resolver_worker *w = a->iter->walk->w;
    struct addr server = a->t.server;
    resolver_tick(w);
    time_out(a);
    nap_wake(w, &server);
}

/* RFC 7873 4.1: ours for this server, and the one it gave us. */
static void add_cookie(struct attempt *a, const struct resolver *r, const struct server_info *info)
{
    if (!r->o.cookies || !a->edns || info->cookie_broken)
        return;
    uint64_t mac = siphash24(r->cookie_secret, a->t.server.ip, sizeof a->t.server.ip);
    memcpy(a->cookie, &mac, 8);
    memcpy(a->cookie + 8, info->cookie, info->cookie_len);
    a->cookie_len = (uint8_t)(8 + info->cookie_len);
}

/* Header, question in its own case pattern, OPT. */
static uint16_t build(struct iter *it, struct attempt *a, uint8_t *p, bool mix)
{
    struct resolver_worker *w = it->walk->w;
    struct wcur c = wcur_of(p, PACKET_MAX);
    wcur_u16(&c, rng_u16(w->rng));
    wcur_u16(&c, plane_is_forward(it->cut.plane) ? DNS_FLAG_RD : 0);
    wcur_u16(&c, 1);
    wcur_u16(&c, 0);
    wcur_u16(&c, 0);
    wcur_u16(&c, a->edns ? 1 : 0);
    size_t len = dns_name_len(it->sent_name);
    uint8_t *name = wcur_room(&c, len), bits[32];
    if (!name)
        return 0;
    dns_name_lower(name, it->sent_name);
    rng_bytes(w->rng, bits, sizeof bits);
    for (size_t i = 0; mix && i < len; i++)
        if (name[i] >= 'a' && name[i] <= 'z' && (bits[i / 8] >> i % 8 & 1))
            name[i] = (uint8_t)(name[i] - 0x20); /* a length octet is at most 63: no letter */
    wcur_u16(&c, it->sent_type);
    wcur_u16(&c, DNS_CLASS_IN);
    struct edns e = {
        .present = true, .dnssec_ok = true, .size = w->r->o.edns_size, .cookie_len = a->cookie_len};
    if (a->told)
        e.subnet = it->walk->subnet;
    memcpy(e.cookie, a->cookie, a->cookie_len);
    a->question_end = (uint16_t)wcur_len(&c);
    if (a->edns)
        edns_write(&e, 0, 0, &c);
    return wcur_err(&c) ? 0 : (uint16_t)wcur_len(&c);
}

static bool charge(struct iter *it)
{
    struct budget *b = &it->walk->used;
    const struct resolver_limits *l = &it->walk->w->r->o.limits;
    if (b->total >= l->total)
        return iter_limit(it, LIMIT_TOTAL, b->total, l->total, true);
    if (!it->depth && b->walk >= l->walk)
        return iter_limit(it, LIMIT_WALK, b->walk, l->walk, true);
    if (it->depth && b->ns_addr >= l->ns_addr)
        return iter_limit(it, LIMIT_NS_ADDR, b->ns_addr, l->ns_addr, true);
    b->total++;
    if (it->depth)
        b->ns_addr++;
    else
        b->walk++;
    return true;
}

static void refund(struct iter *it)
{
    struct budget *b = &it->walk->used;
    b->total--;
    if (it->depth)
        b->ns_addr--;
    else
        b->walk--;
}

static void note_sent(struct attempt *a, const struct cut_addr *to, uint32_t timeout, bool mixed)
{
    struct walk *k = a->iter->walk;
    bool tcp = a->t.proto == NET_PROTO_TCP;
    stat_inc(k->w->stats, STAT_QUERIES);
    if (tcp)
        stat_inc(k->w->stats, STAT_QUERIES_TCP);
    if (!a->edns)
        stat_inc(k->w->stats, STAT_EDNS_PLAIN);
    trace_add(&k->trace, TRACE_SEND, a->iter->id, walk_us(k), a->hop, a->n, tcp ? "tcp" : "udp",
              &to->addr, (unsigned)a->t.local_port, (unsigned)timeout, (unsigned)mixed,
              (unsigned)a->edns, a->iter->depth ? "ns_addr" : "walk",
              (unsigned)(a->iter->depth ? k->used.ns_addr : k->used.walk), (unsigned)k->used.total,
              (unsigned)a->t.reused,
              !a->cookie_len       ? "none"
              : a->cookie_len == 8 ? "client"
                                   : "server");
}

/* ERR_BUSY: no socket or connection is free. ERR_REFUSED: this server is not to be asked now. */
static int launch(struct iter *it, struct cut_addr *to, enum net_proto proto, bool plain)
{
    struct walk *k = it->walk;
    struct resolver *r = k->w->r;
    struct server_info info;
    bool tcp = proto == NET_PROTO_TCP;
    resolver_tick(k->w);
    int64_t now = resolver_now_ms(k->w);
    struct attempt *a = ARENA_NEW(&k->arena, struct attempt);
    uint8_t *packet = arena_alloc(&k->arena, PACKET_MAX);
    if (!a || !packet)
        return ERR_NOMEM;
    servers_look(r->servers, &to->addr, NULL, now, &info);
    bool mix = !tcp && r->o.case_randomisation && !info.case_broken;
    a->iter = it;
    a->edns = !plain && !info.edns_broken;
    a->told = a->edns && subnet_is_told(it, to);
    a->question = it->question;
    a->hop = it->hop;
    a->cut = it->cut.serial;
    a->target = (unsigned)(to - it->cut.addrs);
    a->n = ++k->attempts_made;
    a->t.server = to->addr;
    a->t.proto = proto;
    a->t.packet = packet;
    add_cookie(a, r, &info);
    a->t.len = build(it, a, packet, mix);
    a->t.done = on_event;
    if (!a->t.len)
        return ERR_SPACE;
    if (!tcp && servers_send(r->servers, &to->addr, now, &a->ticket))
        return ERR_REFUSED; /* its window is full, or its breaker is open */
    int err = k->w->transport->send(k->w->transport, &a->t);
    if (err) {
        servers_drop(r->servers, &to->addr, &a->ticket);
        stat_inc(k->w->stats, STAT_SEND_ERRORS);
        return err == ERR_LIMIT ? ERR_BUSY : err;
    }
    uint32_t timeout = tcp ? info.rto_ms * 3 : a->ticket.rto_ms;
    if (tcp && timeout < TCP_TIMEOUT_MIN)
        timeout = TCP_TIMEOUT_MIN;
    if (timeout > TCP_MAX_MS)
        timeout = TCP_MAX_MS;
    wheel_timer_init(&a->timer, on_timer);
    wheel_arm(k->w->wheel, &a->timer, now + timeout);
    list_push(&k->attempts, &a->link);
    it->pending++;
    to->tcp_tried = to->tcp_tried || tcp;
    to->plain_tried = to->plain_tried || plain;
    to->udp_tries = (uint8_t)(to->udp_tries + !tcp);
    note_sent(a, to, timeout, mix);
    return 0;
}

int attempt_start(struct iter *it, struct cut_addr *to, enum net_proto proto, bool plain)
{
    if (!charge(it))
        return ERR_LIMIT;
    int err = launch(it, to, proto, plain);
    if (err)
        refund(it);
    return err;
}

void attempts_cancel(struct walk *k)
{
    for (struct list *l; (l = list_first(&k->attempts));) {
        struct attempt *a = container_of(l, struct attempt, link);
        close_attempt(a);
        servers_give_up(k->w->r->servers, &a->t.server, resolver_now_ms(k->w), &a->ticket);
        k->w->transport->cancel(k->w->transport, &a->t);
    }
}

/* Same id, and the same question but for its case: the server breaks case, or someone guessed. */
static bool is_case_only(const struct attempt *a, const uint8_t *packet, size_t len)
{
    if (len < a->question_end || memcmp(packet, a->t.packet, 2))
        return false;
    struct rcur c = rcur_of(packet + DNS_HEADER_LEN, len - DNS_HEADER_LEN);
    const uint8_t *name;
    return dns_name_skip_plain(&c, &name) > 0 && dns_name_equal(name, a->t.packet + DNS_HEADER_LEN);
}

/* RFC 5452 9.2 in spirit: somebody may be guessing; TCP cannot be guessed. The UDP attempt stays
 * open for the true reply. */
static void on_mismatch(struct attempt *a, const uint8_t *packet, size_t len)
{
    struct iter *it = a->iter;
    struct walk *k = it->walk;
    stat_inc(k->w->stats, STAT_MISMATCHES);
    record(a, "mismatch", 0, len);
    if (!is_current(a) || a->t.proto == NET_PROTO_TCP)
        return;
    struct cut_addr *to = attempt_target(it, a);
    to->case_only = to->case_only || is_case_only(a, packet, len);
    if (to->tcp_tried || !servers_mismatch(k->w->r->servers, &to->addr, resolver_now_ms(k->w)))
        return;
    if (attempt_start(it, to, NET_PROTO_TCP, false) == ERR_LIMIT && !it->pending) {
        iter_wake(it, ITER_SELECT);
        walk_run(k);
    }
}

static void on_failed(struct attempt *a, int err)
{
    struct iter *it = a->iter;
    struct walk *k = it->walk;
    bool current = is_current(a);
    close_attempt(a);
    if (!a->timed_out)
        servers_drop(k->w->r->servers, &a->t.server, &a->ticket);
    if (a->t.proto == NET_PROTO_UDP) /* it has not left */
        refund(it);
    stat_inc(k->w->stats, STAT_SEND_ERRORS);
    record(a, err_text(err), 0, 0);
    if (!current || a->timed_out)
        return;
    it->pending--;
    struct cut_addr *to = attempt_target(it, a);
    /* A connection kept from before that turns out closed says nothing about the server: once more
     * on a fresh one, uncharged. */
    if (a->t.proto == NET_PROTO_TCP && a->t.reused && !a->retried) {
        if (!launch(it, to, NET_PROTO_TCP, !a->edns)) {
            struct attempt *again = container_of(k->attempts.prev, struct attempt, link);
            again->retried = true;
            return;
        }
    }
    to->out = true;
    if (!it->pending) {
        iter_wake(it, ITER_SELECT);
        walk_run(k);
    }
}

static void on_reply(struct attempt *a, const uint8_t *packet, size_t len)
{
    struct iter *it = a->iter;
    struct walk *k = it->walk;
    struct resolver *r = k->w->r;
    bool current = is_current(a), tcp = a->t.proto == NET_PROTO_TCP;
    int64_t rtt = k->w->now_us - a->t.sent_us;
    rtt = rtt < 1 ? 1 : rtt;
    close_attempt(a);
    servers_reply(r->servers, &a->t.server, resolver_now_ms(k->w), tcp ? 0 : (uint32_t)rtt,
                  &a->ticket);
    record(a, a->timed_out ? "late reply" : "reply", (uint32_t)rtt, len);
    if (a->timed_out)
        stat_inc(k->w->stats, STAT_LATE);
    k->used.bytes += (uint32_t)len;
    if (!current)
        return;
    if (!a->timed_out)
        it->pending--;
    struct cut_addr *to = attempt_target(it, a);
    if (tcp && to->case_only)
        servers_note(r->servers, &to->addr, SERVER_CASE_BROKEN, NULL, resolver_now_ms(k->w));
    if (k->used.bytes > r->o.limits.bytes) {
        iter_limit(it, LIMIT_BYTES, k->used.bytes, r->o.limits.bytes, true);
        iter_fail(it, DNS_EDE_OTHER, NULL);
        iter_wake(it, ITER_FINISH);
        walk_run(k);
        return;
    }
    it->from = a;
    it->class = CLASS_COUNT;
    uint8_t *copy = arena_dup(&k->arena, packet, len);
    /* The reply echoed our case pattern, and names in it may point there: take the pattern out. */
    if (copy && len >= DNS_HEADER_LEN + dns_name_len(it->sent_name))
        dns_name_copy(copy + DNS_HEADER_LEN, it->sent_name);
    if (!copy || dns_msg_parse(&it->msg, copy, len, &k->arena, REPLY_RRS_MAX)) {
        memset(&it->msg, 0, sizeof it->msg);
        it->class = CLASS_MALFORMED;
    }
    iter_wake(it, ITER_CLASSIFY);
    walk_run(k);
}

static void on_event(struct transport_attempt *t, enum transport_event ev, const uint8_t *packet,
                     size_t len, int err)
{
    struct attempt *a = container_of(t, struct attempt, t);
    struct resolver_worker *w = a->iter->walk->w;
    struct addr server = t->server;
    resolver_tick(w);
    if (ev == TRANSPORT_MISMATCH) {
        on_mismatch(a, packet, len);
        return;
    }
    if (ev == TRANSPORT_FAILED)
        on_failed(a, err);
    else
        on_reply(a, packet, len);
    nap_wake(w, &server);
}
