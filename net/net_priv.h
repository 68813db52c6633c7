/* net/net_priv.h: what the listeners of both transports share. */
#ifndef WAYPOST_NET_PRIV_H
#define WAYPOST_NET_PRIV_H

#include "base/list.h"
#include "base/stat.h"
#include "net/handler.h"

/* A bound, non-blocking socket. share: SO_REUSEPORT. */
int net_socket_bind(const struct addr *a, int type, bool share, int *fd);
uint16_t net_socket_port(int fd);

void net_udp_ticket(const struct net_query *q, struct net_ticket *t);
void net_udp_reply(const struct net_ticket *t, const uint8_t *packet, size_t len);
/* Replies held back: to be flushed before their sockets are closed, and freed with free(). */
struct udp_later;
struct udp_later *udp_later_new(void);
void udp_later_put(struct udp_later *l, int fd, struct stat_block *stats,
                   const struct net_ticket *t, const uint8_t *packet, size_t len);
void udp_later_flush(struct udp_later *l);

void net_stream_ticket(const struct net_query *q, struct net_ticket *t);
/* packet NULL: no reply, only one query less is owed. */
void net_stream_reply(const struct net_ticket *t, const uint8_t *packet, size_t len);

#endif
