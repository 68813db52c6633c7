/* Echo request and reply (RFC 792, RFC 4443 4.1, 4.2). An unprivileged ICMP socket gets only its
 * own replies and chooses the identifier; on a raw one we do both. Either is connected, so that
 * replies of others do not come; the token of 16 random octets says that it is ours. */
#include "probe_priv.h"

#include "base/cursor.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

enum { HEAD = 8, TOKEN = 16, ECHO4 = 8, REPLY4 = 0, ECHO6 = 128, REPLY6 = 129 };

static const char *icmp_stage(struct gslb_probe *probe)
{
    (void)probe;
    return "waiting for an echo reply";
}

static void icmp_stop(struct gslb_probe *probe)
{
    probe_close_fd(probe, &probe->as.icmp.fd);
}

static uint16_t checksum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get_u16(bytes + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static bool icmp_is_ours(const struct gslb_probe *probe, const uint8_t *m, size_t len)
{
    const struct probe_icmp *i = &probe->as.icmp;
    bool four = probe->target.family == 4;
    if (i->raw && four) { /* with its IP header */
        size_t head = len ? (size_t)(m[0] & 15) * 4 : 0;
        if (len < head)
            return false;
        m += head;
        len -= head;
    }
    return len >= HEAD + TOKEN && m[0] == (four ? REPLY4 : REPLY6) && m[1] == 0 &&
           (!i->raw || get_u16(m + 4) == i->id) && !memcmp(m + HEAD, i->token, TOKEN);
}

static void icmp_ready(struct gslb_probe *probe, int fd, uint32_t events)
{
    uint8_t room[512];
    (void)events;
    ssize_t n = recv(fd, room, sizeof room, 0);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        probe_finish_errno(probe, errno, NULL);
    else if (n > 0 && icmp_is_ours(probe, room, (size_t)n)) {
        probe->result.first_us = probe_elapsed_us(probe);
        probe_finish(probe, GSLB_PASS, "echo reply");
    }
}

static int icmp_open(struct gslb_probe *probe)
{
    int protocol = probe->target.family == 4 ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
    int fd = probe_socket(probe, SOCK_DGRAM, protocol);
    probe->as.icmp.raw = false;
    if (fd >= 0 || (errno != EACCES && errno != EPERM && errno != EPROTONOSUPPORT))
        return fd;
    probe->as.icmp.raw = true;
    return probe_socket(probe, SOCK_RAW, protocol);
}

static int icmp_send(struct gslb_probe *probe)
{
    struct probe_icmp *i = &probe->as.icmp;
    uint8_t m[HEAD + TOKEN] = {probe->target.family == 4 ? ECHO4 : ECHO6};
    struct sockaddr_storage ss;
    struct addr to = probe->target;
    to.port = 0;
    if (getrandom(i->token, TOKEN, GRND_NONBLOCK) != TOKEN)
        memcpy(i->token, &probe->number, sizeof probe->number); /* before the pool is seeded */
    memcpy(&i->id, i->token, 2);
    put_u16(m + 4, i->id);
    put_u16(m + 6, 1);
    memcpy(m + HEAD, i->token, TOKEN);
    if (probe->target.family == 4) /* for ICMPv6 the kernel does it (RFC 3542 3.1) */
        put_u16(m + 2, checksum(m, sizeof m));
    socklen_t len = addr_to_sockaddr(&to, &ss);
    if (connect(i->fd, (struct sockaddr *)&ss, len) || send(i->fd, m, sizeof m, MSG_NOSIGNAL) < 0)
        return errno;
    return probe_watch(probe, i->fd, EPOLLIN);
}

static void icmp_start(struct gslb_probe *probe)
{
    probe->as.icmp = (struct probe_icmp){.fd = -1};
    probe->as.icmp.fd = icmp_open(probe);
    if (probe->as.icmp.fd < 0 && (errno == EACCES || errno == EPERM)) {
        probe_finish(probe, GSLB_NO_VERDICT,
                     "ICMP is not permitted: give CAP_NET_RAW, or put our group into "
                     "net.ipv4.ping_group_range");
        return;
    }
    int err = probe->as.icmp.fd < 0 ? errno : icmp_send(probe);
    if (err)
        probe_finish_errno(probe, err, "cannot ask");
}

const struct probe_type probe_type_icmp = {icmp_start, icmp_ready, icmp_stop, icmp_stage};
