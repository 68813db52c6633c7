/* Configured servers, asked by c-ares.
 * The channel has no EDNS of its own: at a FORMERR it would cut the length of a bare OPT off the
 * question and go on without EDNS for all (c-ares 1.18). It then takes no UDP answer above 512
 * octets, so that is the size we announce, and longer ones come over TCP. Without a network to tell
 * there is no OPT at all. */
#include "fetch_priv.h"

#include "base/err.h"
#include "base/rng.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

#define UDP_SIZE    512
#define QUERY_MAX   512
#define ARENA_MAX   (256u << 10)
#define SERVERS_MAX 16

struct servers {
    struct fetch fetch; /* first */
    uv_loop_t *loop;
    ares_channel channel;
    struct rng rng;
    struct list sockets;
    uv_timer_t timeout; /* c-ares' own */
    uv_timer_t later;   /* tells what has ended, never from inside */
    struct list ended;  /* fetch_lookup */
    unsigned handles;   /* not closed yet */
    bool channel_open;
};

/* ---- sockets ---- */

struct socket {
    struct list link;
    uv_poll_t poll;
    struct servers *owner;
    ares_socket_t fd;
};

static void release(struct servers *s)
{
    if (--s->handles)
        return;
    void (*closed)(void *) = s->fetch.closed;
    void *arg = s->fetch.closed_arg;
    rng_fini(&s->rng);
    free(s);
    if (closed)
        closed(arg);
}

static void on_closed(uv_handle_t *h)
{
    release(h->data);
}

static void on_socket_closed(uv_handle_t *h)
{
    struct socket *k = container_of((uv_poll_t *)h, struct socket, poll);
    struct servers *s = k->owner;
    free(k);
    release(s);
}

static void on_timeout(uv_timer_t *t);

static void arm(struct servers *s)
{
    struct timeval room, *next = s->channel_open ? ares_timeout(s->channel, NULL, &room) : NULL;
    if (next)
        uv_timer_start(&s->timeout, on_timeout,
                       (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, 0);
    else
        uv_timer_stop(&s->timeout);
}

static void on_timeout(uv_timer_t *t)
{
    struct servers *s = t->data;
    ares_process_fd(s->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(s);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    struct socket *k = container_of(p, struct socket, poll);
    struct servers *s = k->owner;
    bool read = status < 0 || events & UV_READABLE, write = status < 0 || events & UV_WRITABLE;
    ares_process_fd(s->channel, read ? k->fd : ARES_SOCKET_BAD, write ? k->fd : ARES_SOCKET_BAD);
    arm(s);
}

static struct socket *find_socket(struct servers *s, ares_socket_t fd)
{
    LIST_FOR (l, &s->sockets) {
        struct socket *k = container_of(l, struct socket, link);
        if (k->fd == fd)
            return k;
    }
    return NULL;
}

static struct socket *new_socket(struct servers *s, ares_socket_t fd)
{
    struct socket *k = calloc(1, sizeof *k);
    if (!k || uv_poll_init(s->loop, &k->poll, fd)) {
        free(k);
        return NULL; /* then its questions time out */
    }
    k->owner = s;
    k->fd = fd;
    list_push(&s->sockets, &k->link);
    s->handles++;
    return k;
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct servers *s = arg;
    struct socket *k = find_socket(s, fd);
    if (!k && !readable && !writable)
        return;
    if (!readable && !writable) {
        list_remove(&k->link); /* c-ares closes the descriptor; another may get its number */
        uv_poll_stop(&k->poll);
        uv_close((uv_handle_t *)&k->poll, on_socket_closed);
        return;
    }
    k = k ? k : new_socket(s, fd);
    if (k)
        uv_poll_start(&k->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
                      on_ready);
}

/* ---- one question ---- */

struct lookup {
    struct fetch_lookup base; /* first */
    struct servers *owner;
    struct edns_subnet subnet;
    struct question {
        struct lookup *lookup;
        uint16_t qtype;
    } question[2];
};

static void tell_ended(struct servers *s)
{
    struct list *first;
    while ((first = list_first(&s->ended))) {
        list_remove(first);
        fetch_lookup_end(container_of(first, struct fetch_lookup, link));
    }
}

static void on_later(uv_timer_t *t)
{
    tell_ended(t->data);
}

static int status_error(int status)
{
    switch (status) {
    case ARES_ETIMEOUT:
        return ERR_TIMEOUT;
    case ARES_ENOMEM:
        return ERR_NOMEM;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return ERR_CANCELLED;
    default: /* no answer that c-ares lets through: SERVFAIL and REFUSED from all servers, too */
        return ERR_UNREACHABLE;
    }
}

/* RFC 7871 7.3: an option that is not about our question spoils the whole reply; none at all means
 * that the answer is for everybody. */
static bool read_scope(const struct edns_subnet *asked, const struct edns_subnet *got,
                       uint8_t *scope)
{
    *scope = 0;
    if (!got->family)
        return true;
    if (got->family != asked->family || got->source != asked->source ||
        memcmp(got->ip, asked->ip, sizeof got->ip) != 0)
        return false;
    *scope = got->scope;
    return true;
}

static bool is_referral(const struct dns_msg *m)
{
    bool soa = false, ns = false;
    for (unsigned i = 0; i < m->rr_count; i++)
        if (m->rrs[i].section == DNS_SECTION_AUTHORITY) {
            soa |= m->rrs[i].type == DNS_TYPE_SOA;
            ns |= m->rrs[i].type == DNS_TYPE_NS;
        }
    return ns && !soa;
}

static void read_reply(struct lookup *l, struct fetch_half *h, uint16_t qtype, const uint8_t *reply,
                       size_t len)
{
    struct arena a;
    struct dns_msg m;
    struct dns_rrset *sets = NULL;
    arena_init(&a, 0, ARENA_MAX);
    int n = dns_msg_parse(&m, reply, len, &a, FETCH_RRS_MAX);
    n = n ? n : dns_msg_rrsets(&m, DNS_SECTION_ANSWER, &a, &sets);
    if (n < 0) {
        h->err = n;
    } else if (!read_scope(&l->subnet, &m.edns.subnet, &h->scope)) {
        h->err = ERR_MISMATCH;
    } else {
        struct fetch_reply r = {m.rcode, sets, (unsigned)n, is_referral(&m)};
        fetch_half_read(h, l->base.qname, qtype, &r);
    }
    arena_fini(&a);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct question *q = arg;
    struct lookup *l = q->lookup;
    struct servers *s = l->owner;
    struct fetch_half *h = &l->base.half[q - l->question];
    (void)timeouts;
    if (status)
        h->err = status_error(status);
    else
        read_reply(l, h, q->qtype, reply, (size_t)len);
    if (--l->base.open)
        return;
    list_push(&s->ended, &l->base.link);
    if (s->channel_open)
        uv_timer_start(&s->later, on_later, 0, 0);
}

static void ask(struct lookup *l, struct question *q)
{
    uint8_t packet[QUERY_MAX];
    struct dns_writer w;
    struct edns e = {.present = l->subnet.family != 0, .size = UDP_SIZE, .subnet = l->subnet};
    dns_writer_init(&w, packet, sizeof packet);
    if (e.present)
        dns_writer_reserve(&w, edns_size(&e));
    dns_writer_question(&w, l->base.qname, q->qtype, DNS_CLASS_IN); /* a name always fits */
    size_t len = dns_writer_finish(&w, rng_u16(&l->owner->rng), DNS_FLAG_RD, 0, &e, 0);
    ares_send(l->owner->channel, packet, (int)len, on_answer, q);
}

static int fetch_servers(struct gslb_fetcher *f, const uint8_t *name,
                         const struct edns_subnet *subnet, gslb_fetch_done *done, void *arg)
{
    struct servers *s = container_of(f, struct servers, fetch.fetcher);
    if (s->fetch.closing)
        return ERR_CLOSED;
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NOMEM;
    l->base.done = done;
    l->base.arg = arg;
    l->base.open = 2;
    l->owner = s;
    dns_name_copy(l->base.qname, name);
    if (subnet)
        l->subnet = *subnet;
    l->subnet.scope = 0;
    l->question[0] = (struct question){l, DNS_TYPE_A};
    l->question[1] = (struct question){l, DNS_TYPE_AAAA};
    ask(l, &l->question[0]);
    ask(l, &l->question[1]);
    arm(s);
    return 0;
}

/* ---- life ---- */

static void close_servers(struct fetch *f)
{
    struct servers *s = container_of(f, struct servers, fetch);
    s->channel_open = false;
    ares_destroy(s->channel); /* ends every question, closes every socket */
    ares_library_cleanup();
    tell_ended(s);
    uv_close((uv_handle_t *)&s->timeout, on_closed);
    uv_close((uv_handle_t *)&s->later, on_closed);
}

static int set_servers(ares_channel channel, const struct addr *servers, unsigned count)
{
    struct ares_addr_port_node nodes[SERVERS_MAX];
    memset(nodes, 0, sizeof nodes);
    count = count < SERVERS_MAX ? count : SERVERS_MAX;
    for (unsigned i = 0; i < count; i++) {
        size_t len;
        const uint8_t *ip = addr_bytes(&servers[i], &len);
        nodes[i].family = len == 4 ? AF_INET : AF_INET6;
        memcpy(&nodes[i].addr, ip, len);
        nodes[i].udp_port = nodes[i].tcp_port = servers[i].port;
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
    }
    return ares_set_servers_ports(channel, nodes);
}

static int open_channel(struct servers *s, const struct fetch_timing *timing)
{
    struct ares_options o = {.timeout = timing ? (int)timing->timeout_ms : 1000,
                             .tries = timing ? (int)timing->tries : 2,
                             .lookups = (char[]){"b"},
                             .sock_state_cb = on_socket,
                             .sock_state_cb_data = s};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* of 0 seconds: TTLs are ours to count */
#endif
    return ares_init_options(&s->channel, &o, mask);
}

int fetch_servers_new(struct gslb_fetcher **out, uv_loop_t *loop, const struct addr *servers,
                      unsigned count, const struct fetch_timing *timing)
{
    struct servers *s = count ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return count ? ERR_NOMEM : ERR_INVALID;
    s->fetch.fetcher = (struct gslb_fetcher){.fetch = fetch_servers, .subnets = true};
    s->fetch.close = close_servers;
    s->loop = loop;
    list_init(&s->sockets);
    list_init(&s->ended);
    if (rng_init(&s->rng)) {
        free(s);
        return ERR_SYSTEM;
    }
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (!status && (status = open_channel(s, timing)))
        ares_library_cleanup();
    if (!status && (status = set_servers(s->channel, servers, count))) {
        ares_destroy(s->channel);
        ares_library_cleanup();
    }
    if (status) {
        rng_fini(&s->rng);
        free(s);
        return status == ARES_ENOMEM ? ERR_NOMEM : ERR_SYSTEM;
    }
    s->channel_open = true;
    uv_timer_init(loop, &s->timeout);
    uv_timer_init(loop, &s->later);
    s->timeout.data = s->later.data = s;
    s->handles = 2;
    *out = &s->fetch.fetcher;
    return 0;
}
