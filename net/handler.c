#include "net/handler.h"

#include "net_priv.h"

void net_ticket_take(const struct net_query *q, struct net_ticket *t)
{
    t->client = q->client;
    t->proto = (uint8_t)q->proto;
    t->connection = 0;
    t->control_len = 0;
    if (q->proto == NET_PROTO_UDP)
        net_udp_ticket(q, t);
    else
        net_stream_ticket(q, t);
}

void net_reply(const struct net_ticket *t, const uint8_t *packet, size_t len)
{
    if (t->proto == NET_PROTO_UDP)
        net_udp_reply(t, packet, len);
    else
        net_stream_reply(t, packet, len);
}

void net_forget(const struct net_ticket *t)
{
    if (t->proto == NET_PROTO_TCP)
        net_stream_reply(t, NULL, 0);
}
