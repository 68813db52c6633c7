/* net/udp_later.c: replies to kept queries of one turn of the loop leave together. */
#include "base/addr.h"
#include "net/counters.h"
#include "net_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LATER_MAX   64
#define LATER_BYTES 65536 /* the longest reply fits */

struct udp_later {
    unsigned count;
    size_t used; /* of bytes */
    int fd[LATER_MAX];
    struct stat_block *stats[LATER_MAX];
    struct mmsghdr out[LATER_MAX];
    struct iovec iov[LATER_MAX];
    struct sockaddr_storage to[LATER_MAX];
    _Alignas(struct cmsghdr) uint8_t control[LATER_MAX][sizeof((struct net_ticket *)0)->control];
    uint8_t bytes[LATER_BYTES];
};

struct udp_later *udp_later_new(void)
{
    struct udp_later *l = malloc(sizeof *l);
    if (l)
        l->count = l->used = 0;
    return l;
}

void udp_later_put(struct udp_later *l, int fd, struct stat_block *stats,
                   const struct net_ticket *t, const uint8_t *packet, size_t len)
{
    if (l->count == LATER_MAX || len > LATER_BYTES - l->used)
        udp_later_flush(l);
    unsigned n = l->count++;
    l->fd[n] = fd;
    l->stats[n] = stats;
    l->iov[n] = (struct iovec){l->bytes + l->used, len};
    memcpy(l->bytes + l->used, packet, len);
    l->used += len;
    memcpy(l->control[n], t->control, t->control_len);
    l->out[n].msg_hdr = (struct msghdr){.msg_name = &l->to[n],
                                        .msg_namelen = addr_to_sockaddr(&t->client, &l->to[n]),
                                        .msg_iov = &l->iov[n],
                                        .msg_iovlen = 1,
                                        .msg_control = t->control_len ? l->control[n] : NULL,
                                        .msg_controllen = t->control_len};
}

void udp_later_flush(struct udp_later *l)
{
    for (unsigned at = 0; at < l->count;) {
        unsigned end = at + 1;
        while (end < l->count && l->fd[end] == l->fd[at])
            end++;
        int n = sendmmsg(l->fd[at], l->out + at, end - at, 0);
        if (n > 0) {
            stat_add(l->stats[at], NET_UDP_SENT, (uint64_t)n);
            at += (unsigned)n;
        } else if (n == 0 || errno != EINTR) {
            stat_inc(l->stats[at], NET_UDP_SEND_FAILED); /* this one is lost, the next may go */
            at++;
        }
    }
    l->count = l->used = 0;
}
