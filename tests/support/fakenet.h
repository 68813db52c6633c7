/* support/fakenet.h: a scripted Internet for scenario tests.
 * Servers by address, each with the records of its zones and a behaviour; a transport over them; a
 * clock that jumps from event to event. Nothing real is touched. */
#ifndef WAYPOST_TESTS_FAKENET_H
#define WAYPOST_TESTS_FAKENET_H

#include "base/clock.h"
#include "base/list.h"
#include "base/wheel.h"
#include "dns/edns.h"
#include "dns/name.h"
#include "net/transport.h"

#define FAKENET_SERVERS 64
#define FAKENET_ZONES   8
#define FAKENET_RECORDS 128

struct fakenet_rr {
    uint8_t owner[DNS_NAME_MAX];
    uint16_t type, rdlen;
    uint32_t ttl;
    uint8_t *rdata;
    struct edns_subnet
        net; /* told: for its clients alone, in the place of others; family 0: none */
};

struct fakenet_zone {
    uint8_t apex[DNS_NAME_MAX];
    unsigned count;
    struct fakenet_rr rr[FAKENET_RECORDS];
};

struct fakenet_server {
    struct addr addr;
    unsigned zone_count;
    struct fakenet_zone *zones[FAKENET_ZONES];
    int delay_ms;
    bool dead; /* nothing comes back */
    bool udp_dead, tcp_dead, tcp_refused;
    bool no_edns; /* silent to questions with EDNS */
    bool formerr_edns;
    bool truncate; /* TC to every UDP question */
    bool wrong_id; /* a packet with a wrong id before the true one never comes */
    bool lower;    /* question in lower case: a case mismatch over UDP */
    bool no_aa;
    bool cookies;                                      /* knows RFC 7873 */
    bool badcookie;                                    /* and wants its own cookie shown over UDP */
    bool wrong_cookie;                                 /* shows another client cookie over UDP */
    bool cookie_rubbish;                               /* always */
    unsigned shown;                                    /* questions with its cookie */
    bool subnets;                                      /* knows RFC 7871 */
    bool formerr_subnet, refuse_subnet, silent_subnet; /* to questions that tell one */
    int scope;                                         /* of what is for nobody in particular */
    enum {
        FAKENET_ECHO,
        FAKENET_ECHO_FAMILY,
        FAKENET_ECHO_SOURCE,
        FAKENET_ECHO_ADDRESS,
        FAKENET_ECHO_RUBBISH
    } echo;          /* what is wrong with the network it says back */
    unsigned told;   /* questions with a network */
    bool close_idle; /* a TCP connection kept from before turns out closed */
    bool tcp_kept;
    bool garbage;    /* a header, then rubbish */
    bool empty;      /* NOERROR, nothing, not AA */
    bool flat;       /* RFC 8020 broken: empty non-terminals are NXDOMAIN */
    int rcode;       /* -1: by the zone */
    int drop_first;  /* swallows so many questions */
    uint8_t *upward; /* answers with NS of this name */
    /* Extra records put into every reply's additional section. */
    struct fakenet_zone *extra;
    unsigned asked;
};

struct fakenet {
    struct transport transport; /* first */
    struct clock clock;
    int64_t now_us;
    struct list events; /* in time order */
    unsigned server_count;
    struct fakenet_server servers[FAKENET_SERVERS];
    unsigned sent, sent_tcp;
    /* Called with every reply before it leaves; may change it. */
    size_t (*mutate)(struct fakenet *n, uint8_t *reply, size_t len);
    uint64_t mutate_state;
};

void fakenet_init(struct fakenet *n);
void fakenet_fini(struct fakenet *n);
/* Makes it when new. */
struct fakenet_server *fakenet_server(struct fakenet *n, const struct addr *a);
struct fakenet_zone *fakenet_zone(struct fakenet_server *s, const uint8_t *apex);
/* Delivers events and fires timers until nothing is left or until_ms have passed. */
void fakenet_run(struct fakenet *n, struct wheel *w, int64_t for_ms);

#endif
