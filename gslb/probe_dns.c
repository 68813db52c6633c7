/* One question to the member's own address, through a c-ares channel that lives as long as the
 * probe: it waits for the answer with our identifier, follows TC to TCP, and never looks anything
 * up. What came is judged by our own codec. */
#include "probe_priv.h"

#include "base/cursor.h"
#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/rdata.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RECORDS_MAX = 512 };

static const char *dns_stage(struct gslb_probe *probe)
{
    (void)probe;
    return "waiting for an answer";
}

static void dns_stop(struct gslb_probe *probe)
{
    struct probe_dns *d = &probe->as.dns;
    if (!d->channel)
        return;
    d->stopping = true; /* the question that is given up now calls on_answer */
    ares_destroy(d->channel);
    d->channel = NULL;
}

/* ---- sockets for c-ares: ours, so that a shortage is told from a refusal ---- */

static ares_socket_t dns_socket(int family, int type, int protocol, void *arg)
{
    struct gslb_probe *probe = arg;
    (void)family;
    int fd = probe_socket(probe, type, protocol);
    if (fd < 0)
        probe->as.dns.own_errno = errno;
    return fd;
}

static int dns_close(ares_socket_t fd, void *arg)
{
    (void)arg;
    return close(fd);
}

static int dns_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len, void *arg)
{
    struct gslb_probe *probe = arg;
    struct sockaddr_storage ss; /* ours has the scope */
    (void)to;
    (void)len;
    socklen_t own = addr_to_sockaddr(&probe->target, &ss);
    int err = connect(fd, (struct sockaddr *)&ss, own);
    if (err && errno != EINPROGRESS && probe_errno_is_own(errno))
        probe->as.dns.own_errno = errno;
    return err;
}

static ares_ssize_t dns_recv(ares_socket_t fd, void *to, size_t len, int flags,
                             struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
    (void)arg;
    return recvfrom(fd, to, len, flags, from, from_len);
}

static ares_ssize_t dns_send(ares_socket_t fd, const struct iovec *parts, int count, void *arg)
{
    struct msghdr m = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    (void)arg;
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

void probe_dns_init(struct gslb_prober *p)
{
    p->ares =
        (struct ares_socket_functions){dns_socket, dns_close, dns_connect, dns_recv, dns_send};
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    uint32_t events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0);
    struct gslb_probe *probe = arg;
    int err = probe_watch(probe, fd, events);
    if (err && events)
        probe->as.dns.own_errno = err;
}

/* ---- the verdict ---- */

static bool record_is(struct arena *a, const struct dns_rr *rr, const char *text)
{
    size_t cap = (size_t)rr->rdlen * 4 + 64;
    char *room = arena_alloc(a, cap);
    return room && dns_rdata_print(rr->type, rr->rdata, rr->rdlen, room, cap) > 0 &&
           !strcmp(room, text);
}

static bool answer_holds(struct arena *a, const struct dns_msg *m, const char *text)
{
    for (unsigned i = 0; i < m->rr_count; i++)
        if (m->rrs[i].section == DNS_SECTION_ANSWER && record_is(a, &m->rrs[i], text))
            return true;
    return false;
}

static enum gslb_result dns_judge(struct gslb_probe *probe, const uint8_t *packet, size_t len)
{
    const struct gslb_check *c = probe->check;
    struct arena *a = &probe->prober->arena;
    struct dns_msg m;
    char name[16];
    int err = dns_msg_parse(&m, packet, len, a, RECORDS_MAX);
    if (err == ERR_NOMEM) {
        probe_evidence(probe, "out of memory");
        return GSLB_NO_VERDICT;
    }
    if (err) {
        probe_evidence(probe, "the answer is damaged: %s", err_text(err));
        return GSLB_FAIL;
    }
    probe->result.code = m.rcode;
    dns_rcode_print(m.rcode, name);
    if (c->rcode >= 0 && m.rcode != c->rcode) {
        char want[16];
        probe_evidence(probe, "rcode %s, not %s", name, dns_rcode_print((uint16_t)c->rcode, want));
        return GSLB_FAIL;
    }
    if (c->answer && !answer_holds(a, &m, c->answer)) {
        probe_evidence(probe, "rcode %s, none of %u answer records is %s", name,
                       m.counts[DNS_SECTION_ANSWER], c->answer);
        return GSLB_FAIL;
    }
    probe_evidence(probe, "rcode %s, %u answer records", name, m.counts[DNS_SECTION_ANSWER]);
    return GSLB_PASS;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *packet, int len)
{
    struct gslb_probe *probe = arg;
    struct probe_dns *d = &probe->as.dns;
    (void)timeouts;
    if (d->stopping)
        return;
    d->done = true;
    if (status == ARES_SUCCESS) {
        probe->result.first_us = probe_elapsed_us(probe);
        d->result = dns_judge(probe, packet, (size_t)len);
        arena_reset(&probe->prober->arena);
    } else if (d->own_errno || status == ARES_ENOMEM) {
        char room[80];
        probe_evidence(probe, "cannot ask: %s",
                       probe_errno_text(d->own_errno ? d->own_errno : ENOMEM, room, sizeof room));
        d->result = GSLB_NO_VERDICT;
    } else {
        probe_evidence(probe, "%s",
                       status == ARES_ECONNREFUSED ? "connection refused" : ares_strerror(status));
        d->result = GSLB_FAIL;
    }
}

/* The evidence is there; c-ares is no longer on the stack. */
static void dns_conclude(struct gslb_probe *probe)
{
    char kept[GSLB_EVIDENCE_MAX];
    memcpy(kept, probe->result.evidence, sizeof kept);
    probe_finish(probe, probe->as.dns.result, "%s", kept);
}

static void dns_ready(struct gslb_probe *probe, int fd, uint32_t events)
{
    bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
    ares_process_fd(probe->as.dns.channel, in ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    if (probe->as.dns.done)
        dns_conclude(probe);
}

/* ---- asking ---- */

static int channel_init(struct gslb_probe *probe)
{
    struct probe_dns *d = &probe->as.dns;
    struct in_addr none = {0};
    char lookups[] = "b";
    /* Everything is said, so that c-ares reads no file. Its own patience ends after ours. */
    struct ares_options o = {.flags =
                                 ARES_FLAG_NOCHECKRESP | (probe->check->tcp ? ARES_FLAG_USEVC : 0),
                             .timeout = (int)(probe->check->timeout_ms * 4 + 1000),
                             .tries = 1,
                             .servers = &none,
                             .nservers = 1,
                             .lookups = lookups,
                             .sock_state_cb = on_socket,
                             .sock_state_cb_data = probe};
    struct ares_addr_port_node to = {.udp_port = probe->target.port,
                                     .tcp_port = probe->target.port};
    size_t len;
    const uint8_t *ip = addr_bytes(&probe->target, &len);
    int status = ares_init_options(
        &d->channel, &o,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
            ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB);
    if (status) {
        d->channel = NULL;
        return status;
    }
    to.family = probe->target.family == 4 ? AF_INET : AF_INET6;
    memcpy(&to.addr, ip, len);
    ares_set_socket_functions(d->channel, &probe->prober->ares, probe);
    return ares_set_servers_ports(d->channel, &to);
}

static void dns_start(struct gslb_probe *probe)
{
    uint8_t m[DNS_HEADER_LEN + DNS_NAME_MAX + 4] = {0};
    const struct gslb_check *c = probe->check;
    uint16_t id = (uint16_t)probe->number;
    probe->as.dns = (struct probe_dns){.done = false};
    int status = channel_init(probe);
    if (status) {
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: %s", ares_strerror(status));
        return;
    }
    if (getrandom(&id, sizeof id, GRND_NONBLOCK) != (ssize_t)sizeof id)
        id = (uint16_t)probe->number; /* before the pool is seeded; the port is the kernel's */
    put_u16(m, id);
    put_u16(m + 2, DNS_FLAG_RD); /* a member may be a resolver; others do not look at it */
    put_u16(m + 4, 1);
    size_t len = DNS_HEADER_LEN;
    len += dns_name_copy(m + len, c->qname ? c->qname : dns_name_root);
    put_u16(m + len, c->qtype);
    put_u16(m + len + 2, DNS_CLASS_IN);
    ares_send(probe->as.dns.channel, m, (int)len + 4, on_answer, probe);
    if (probe->as.dns.done)
        dns_conclude(probe);
}

const struct probe_type probe_type_dns = {dns_start, dns_ready, dns_stop, dns_stage};
