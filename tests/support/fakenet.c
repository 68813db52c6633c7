#include "fakenet.h"

#include "base/err.h"
#include "dns/msg_parse.h"
#include "dns/msg_write.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65535

/* ---- events ---- */

struct event {
    struct list link;
    struct transport_attempt *a; /* NULL: cancelled */
    int64_t at_us;
    enum transport_event what;
    int err;
    size_t len;
    uint8_t packet[];
};

static void schedule(struct fakenet *n, struct transport_attempt *a, int64_t at_us,
                     enum transport_event what, const uint8_t *packet, size_t len, int err)
{
    struct event *e = malloc(sizeof *e + len);
    *e = (struct event){.a = a, .at_us = at_us, .what = what, .err = err, .len = len};
    if (len)
        memcpy(e->packet, packet, len);
    struct list *at = n->events.next;
    while (at != &n->events && container_of(at, struct event, link)->at_us <= at_us)
        at = at->next;
    list_insert_before(at, &e->link);
}

/* ---- what a server says ---- */

struct says {
    struct dns_writer w;
    struct fakenet_server *s;
    uint8_t *out;
    uint8_t rd[16384];
    uint16_t flags, rcode;
    const struct edns_subnet *told; /* NULL: none, or it is not looked at */
    uint8_t scope;
};

static bool covers(const struct edns_subnet *net, const struct edns_subnet *told)
{
    unsigned bits = net->source;
    return told && net->family == told->family && bits <= told->source &&
           !memcmp(net->ip, told->ip, bits / 8) &&
           (bits % 8 == 0 || !((net->ip[bits / 8] ^ told->ip[bits / 8]) >> (8 - bits % 8)));
}

/* Records of (owner, type) as a set, rdata in x->rd. */
static struct dns_rrset set_of(struct says *x, const struct fakenet_zone *z, const uint8_t *owner,
                               uint16_t type)
{
    struct dns_rrset s = {.owner = owner, .rdata = x->rd, .type = type, .cls = DNS_CLASS_IN};
    struct wcur c = wcur_of(x->rd, sizeof x->rd);
    const struct edns_subnet *net = NULL;
    for (unsigned i = 0; i < z->count; i++)
        if (z->rr[i].type == type && dns_name_equal(z->rr[i].owner, owner) &&
            covers(&z->rr[i].net, x->told))
            net = &z->rr[i].net;
    if (net && net->source > x->scope)
        x->scope = net->source;
    for (unsigned i = 0; i < z->count; i++) {
        const struct fakenet_rr *rr = &z->rr[i];
        if (rr->type != type || !dns_name_equal(rr->owner, owner) ||
            !(net ? edns_subnet_equal(&rr->net, net) : !rr->net.family))
            continue;
        wcur_u16(&c, rr->rdlen);
        wcur_bytes(&c, rr->rdata, rr->rdlen);
        s.count++;
        s.ttl = rr->ttl;
    }
    s.size = (uint32_t)wcur_len(&c);
    return s;
}

static bool put_set(struct says *x, enum dns_section section, const struct fakenet_zone *z,
                    const uint8_t *owner, uint16_t type)
{
    struct dns_rrset s = set_of(x, z, owner, type);
    if (!s.count)
        return false;
    if (dns_writer_rrset(&x->w, section, &s, owner, s.ttl, 0))
        x->flags |= DNS_FLAG_TC;
    return true;
}

static bool exists(const struct fakenet_zone *z, const uint8_t *name, bool below_too)
{
    for (unsigned i = 0; i < z->count; i++)
        if (dns_name_equal(z->rr[i].owner, name) ||
            (below_too && dns_name_is_sub(z->rr[i].owner, name)))
            return true;
    return false;
}

/* The NS owner below the apex that covers name, or NULL. */
static const uint8_t *cut_over(const struct fakenet_zone *z, const uint8_t *name, uint16_t type)
{
    for (unsigned i = 0; i < z->count; i++) {
        const struct fakenet_rr *rr = &z->rr[i];
        if (rr->type == DNS_TYPE_NS && !dns_name_equal(rr->owner, z->apex) &&
            dns_name_is_sub(name, rr->owner) &&
            !(type == DNS_TYPE_DS && dns_name_equal(name, rr->owner)))
            return rr->owner;
    }
    return NULL;
}

static void referral(struct says *x, const struct fakenet_zone *z, const uint8_t *cut)
{
    put_set(x, DNS_SECTION_AUTHORITY, z, cut, DNS_TYPE_NS);
    for (unsigned i = 0; i < z->count; i++) {
        const struct fakenet_rr *ns = &z->rr[i];
        if (ns->type != DNS_TYPE_NS || !dns_name_equal(ns->owner, cut))
            continue;
        put_set(x, DNS_SECTION_ADDITIONAL, z, ns->rdata, DNS_TYPE_A);
        put_set(x, DNS_SECTION_ADDITIONAL, z, ns->rdata, DNS_TYPE_AAAA);
    }
}

static const struct fakenet_rr *find(const struct fakenet_zone *z, const uint8_t *owner,
                                     uint16_t type)
{
    for (unsigned i = 0; i < z->count; i++)
        if (z->rr[i].type == type && dns_name_equal(z->rr[i].owner, owner))
            return &z->rr[i];
    return NULL;
}

static const struct fakenet_rr *dname_over(const struct fakenet_zone *z, const uint8_t *name)
{
    for (unsigned i = 0; i < z->count; i++)
        if (z->rr[i].type == DNS_TYPE_DNAME && dns_name_is_sub(name, z->rr[i].owner) &&
            !dns_name_equal(name, z->rr[i].owner))
            return &z->rr[i];
    return NULL;
}

static void by_zone(struct says *x, const struct fakenet_zone *z, const uint8_t *qname,
                    uint16_t type)
{
    const uint8_t *name = qname;
    x->flags |= DNS_FLAG_AA;
    for (unsigned links = 0; links < 32; links++) {
        const uint8_t *cut = cut_over(z, name, type);
        const struct fakenet_rr *alias;
        if (cut) {
            if (!links)
                x->flags &= (uint16_t)~DNS_FLAG_AA;
            referral(x, z, cut);
            return;
        }
        if ((alias = dname_over(z, name))) {
            put_set(x, DNS_SECTION_ANSWER, z, alias->owner, DNS_TYPE_DNAME);
            return;
        }
        if (put_set(x, DNS_SECTION_ANSWER, z, name, type)) {
            put_set(x, DNS_SECTION_ANSWER, z, name, DNS_TYPE_RRSIG); /* one a name, at most */
            if (type == DNS_TYPE_NS)
                referral(x, z, name);
            return;
        }
        alias = find(z, name, DNS_TYPE_CNAME);
        if (!alias)
            break;
        put_set(x, DNS_SECTION_ANSWER, z, name, DNS_TYPE_CNAME);
        name = alias->rdata;
        if (!dns_name_is_sub(name, z->apex))
            return;
    }
    if (!exists(z, name, !x->s->flat))
        x->rcode = DNS_RCODE_NXDOMAIN;
    put_set(x, DNS_SECTION_AUTHORITY, z, z->apex, DNS_TYPE_SOA);
}

static void speak(struct says *x, const struct dns_query *q)
{
    const struct fakenet_zone *best = NULL;
    struct fakenet_server *s = x->s;
    if (s->empty)
        return;
    if (s->upward) {
        uint8_t rd[2 + DNS_NAME_MAX];
        static const uint8_t target[] = "\2ns\4else\7invalid";
        put_u16(rd, sizeof target);
        memcpy(rd + 2, target, sizeof target);
        struct dns_rrset ns = {.owner = s->upward,
                               .rdata = rd,
                               .size = 2 + sizeof target,
                               .ttl = 300,
                               .type = DNS_TYPE_NS,
                               .cls = DNS_CLASS_IN,
                               .count = 1};
        dns_writer_rrset(&x->w, DNS_SECTION_AUTHORITY, &ns, s->upward, 300, 0);
        return;
    }
    if (s->rcode >= 0) {
        x->rcode = (uint16_t)s->rcode;
        return;
    }
    for (unsigned i = 0; i < s->zone_count; i++)
        if (dns_name_is_sub(q->qname, s->zones[i]->apex) &&
            (!best || dns_name_labels(s->zones[i]->apex) > dns_name_labels(best->apex)))
            best = s->zones[i];
    if (best)
        by_zone(x, best, q->qname, q->qtype);
    else
        x->rcode = DNS_RCODE_REFUSED;
    if (s->no_aa)
        x->flags &= (uint16_t)~DNS_FLAG_AA;
}

static void say_back(const struct fakenet_server *s, struct edns_subnet *net, uint8_t scope)
{
    net->scope = scope;
    if (s->echo == FAKENET_ECHO_FAMILY)
        net->family = 3 - net->family;
    if (s->echo == FAKENET_ECHO_SOURCE) /* of as many octets */
        net->source--;
    if (s->echo == FAKENET_ECHO_ADDRESS)
        net->ip[0] ^= 1;
    if (s->echo == FAKENET_ECHO_RUBBISH)
        net->scope = 255;
}

static size_t compose(struct fakenet_server *s, const struct dns_query *q, bool udp, uint8_t *out)
{
    struct says *x = calloc(1, sizeof *x);
    struct edns e = {.present = q->edns.present, .dnssec_ok = q->edns.dnssec_ok, .size = 1232};
    size_t limit = !udp ? REPLY_MAX : q->edns.present ? q->edns.size : 512;
    bool bad_cookie = false;
    x->s = s;
    x->out = out;
    x->flags = DNS_FLAG_QR | (q->flags & DNS_FLAG_RD);
    if (s->cookies && q->edns.cookie_len) {
        memcpy(e.cookie, q->edns.cookie, 8);
        memcpy(e.cookie + 8, "fakenets", 8);
        e.cookie_len = 16;
        bool shown = q->edns.cookie_len == 16 && !memcmp(q->edns.cookie + 8, "fakenets", 8);
        s->shown += shown;
        e.cookie[0] ^= (s->wrong_cookie && udp) || s->cookie_rubbish ? 1 : 0;
        bad_cookie = s->badcookie && udp && !shown;
    }
    if (q->edns.subnet.family && s->subnets) {
        x->told = &q->edns.subnet;
        x->scope = (uint8_t)s->scope;
        e.subnet = q->edns.subnet;
    }
    dns_writer_init(&x->w, out, limit);
    if (e.present)
        dns_writer_reserve(&x->w, edns_size(&e));
    dns_writer_question(&x->w, q->qname, q->qtype, q->qclass);
    if (bad_cookie) {
        x->rcode = DNS_RCODE_BADCOOKIE;
    } else if (s->formerr_edns && e.present) {
        x->rcode = DNS_RCODE_FORMERR;
        e.present = false;
    } else if (q->edns.subnet.family && (s->formerr_subnet || s->refuse_subnet)) {
        x->rcode = s->refuse_subnet ? DNS_RCODE_REFUSED : DNS_RCODE_FORMERR;
        e.subnet.family = 0;
    } else if (s->truncate && udp) {
        x->flags |= DNS_FLAG_TC | DNS_FLAG_AA;
    } else {
        speak(x, q);
        for (unsigned i = 0; s->extra && i < s->extra->count; i++)
            put_set(x, DNS_SECTION_ADDITIONAL, s->extra, s->extra->rr[i].owner,
                    s->extra->rr[i].type);
    }
    if (e.subnet.family)
        say_back(s, &e.subnet, x->scope);
    size_t len = dns_writer_finish(&x->w, q->id, x->flags, x->rcode, e.present ? &e : NULL, 0);
    free(x);
    return len;
}

/* ---- the transport ---- */

static struct fakenet_server *known(struct fakenet *n, const struct addr *a)
{
    for (unsigned i = 0; i < n->server_count; i++)
        if (addr_same_ip(&n->servers[i].addr, a))
            return &n->servers[i];
    return NULL;
}

/* Packets that come from the right address and are not the reply. */
static bool misbehave(struct fakenet *n, struct fakenet_server *s, struct transport_attempt *a,
                      uint8_t *reply, size_t len, int64_t at)
{
    if (a->proto != NET_PROTO_UDP || (!s->wrong_id && !s->lower))
        return false;
    if (s->wrong_id) {
        reply[0] ^= 0x55;
    } else {
        bool mixed = false;
        for (size_t i = DNS_HEADER_LEN; i < len && reply[i]; i += 1u + reply[i])
            for (unsigned j = 1; j <= reply[i]; j++) {
                mixed = mixed || reply[i + j] != dns_lower(reply[i + j]);
                reply[i + j] = dns_lower(reply[i + j]);
            }
        if (!mixed)
            return false;
    }
    schedule(n, a, at, TRANSPORT_MISMATCH, reply, len, 0);
    return true;
}

static int fake_send(struct transport *t, struct transport_attempt *a)
{
    struct fakenet *n = container_of(t, struct fakenet, transport);
    struct fakenet_server *s = known(n, &a->server);
    bool udp = a->proto == NET_PROTO_UDP;
    struct dns_query q;
    n->sent++;
    n->sent_tcp += !udp;
    a->open = true;
    a->sent_us = n->now_us;
    a->local_port = 40000;
    if (!s)
        return 0; /* an address nobody has: silence */
    s->asked++;
    if (dns_query_parse(&q, a->packet, a->len) != DNS_VERDICT_OK)
        return 0;
    int64_t at = n->now_us + (int64_t)s->delay_ms * 1000 * (udp ? 1 : 2);
    if (!udp && s->tcp_refused) {
        schedule(n, a, at, TRANSPORT_FAILED, NULL, 0, ERR_REFUSED);
        return 0;
    }
    if (!udp && s->close_idle && (s->tcp_kept = !s->tcp_kept) == false) {
        a->reused = true;
        schedule(n, a, at, TRANSPORT_FAILED, NULL, 0, ERR_CLOSED);
        return 0;
    }
    s->told += q.edns.subnet.family != 0;
    if (s->silent_subnet && q.edns.subnet.family)
        return 0;
    if (s->dead || (udp ? s->udp_dead : s->tcp_dead) || (s->no_edns && q.edns.present))
        return 0;
    if (s->drop_first > 0) {
        s->drop_first--;
        return 0;
    }
    uint8_t *reply = malloc(REPLY_MAX);
    size_t len = compose(s, &q, udp, reply);
    if (s->garbage) { /* one answer announced, and rubbish behind the question */
        len = q.question_end;
        put_u16(reply + 6, 1);
        memset(reply + len, 0xff, 7);
        len += 7;
    }
    if (n->mutate)
        len = n->mutate(n, reply, len);
    if (!misbehave(n, s, a, reply, len, at))
        schedule(n, a, at, TRANSPORT_REPLY, reply, len, 0);
    free(reply);
    return 0;
}

static void fake_cancel(struct transport *t, struct transport_attempt *a)
{
    struct fakenet *n = container_of(t, struct fakenet, transport);
    a->open = false;
    LIST_FOR (l, &n->events) {
        struct event *e = container_of(l, struct event, link);
        if (e->a == a)
            e->a = NULL;
    }
}

static int64_t fake_mono(const struct clock *c)
{
    return container_of(c, struct fakenet, clock)->now_us;
}

void fakenet_init(struct fakenet *n)
{
    memset(n, 0, sizeof *n);
    n->transport = (struct transport){fake_send, fake_cancel};
    n->clock = (struct clock){fake_mono, fake_mono};
    n->now_us = 1000000000;
    list_init(&n->events);
}

static void free_zone(struct fakenet_zone *z)
{
    for (unsigned i = 0; z && i < z->count; i++)
        free(z->rr[i].rdata);
    free(z);
}

void fakenet_fini(struct fakenet *n)
{
    for (struct list *l; (l = list_first(&n->events));) {
        list_remove(l);
        free(container_of(l, struct event, link));
    }
    for (unsigned i = 0; i < n->server_count; i++) {
        struct fakenet_server *s = &n->servers[i];
        for (unsigned j = 0; j < s->zone_count; j++)
            free_zone(s->zones[j]);
        free_zone(s->extra);
        free(s->upward);
    }
}

struct fakenet_server *fakenet_server(struct fakenet *n, const struct addr *a)
{
    struct fakenet_server *s = known(n, a);
    if (s || n->server_count == FAKENET_SERVERS)
        return s;
    s = &n->servers[n->server_count++];
    s->addr = *a;
    s->delay_ms = 10;
    s->rcode = -1;
    return s;
}

struct fakenet_zone *fakenet_zone(struct fakenet_server *s, const uint8_t *apex)
{
    struct fakenet_zone *z = calloc(1, sizeof *z);
    static const uint8_t soa[] = "\0\0\0\0\0\1\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0\74";
    dns_name_copy(z->apex, apex);
    dns_name_copy(z->rr[0].owner, apex);
    z->rr[0].type = DNS_TYPE_SOA;
    z->rr[0].ttl = 300;
    z->rr[0].rdlen = 22;
    z->rr[0].rdata = malloc(22);
    memcpy(z->rr[0].rdata, soa, 22);
    z->count = 1;
    if (s->zone_count < FAKENET_ZONES)
        s->zones[s->zone_count++] = z;
    return z;
}

void fakenet_run(struct fakenet *n, struct wheel *w, int64_t for_ms)
{
    int64_t end = n->now_us + for_ms * 1000;
    for (;;) {
        struct list *l = list_first(&n->events);
        struct event *e = l ? container_of(l, struct event, link) : NULL;
        int64_t wait = wheel_next(w, n->now_us / 1000);
        int64_t timer = wait < 0 ? INT64_MAX : (n->now_us / 1000 + wait) * 1000;
        int64_t next = e && e->at_us <= timer ? e->at_us : timer;
        if (next > end) {
            n->now_us = end;
            return;
        }
        n->now_us = next > n->now_us ? next : n->now_us;
        if (!e || e->at_us > timer) {
            n->now_us += wait == 0 ? 1000 : 0; /* the wheel's clock must move to fire */
            wheel_run(w, n->now_us / 1000);
            continue;
        }
        list_remove(l);
        if (e->a) {
            if (e->what != TRANSPORT_MISMATCH)
                e->a->open = false;
            e->a->done(e->a, e->what, e->packet, e->len, e->err);
        }
        free(e);
    }
}
