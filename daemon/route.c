/* daemon/route.c: one query's way through the engines. */
#include "daemon/route.h"

#include "authority/plain.h"
#include "authority/respond.h"
#include "base/err.h"
#include "base/log.h"
#include "dns/cookie.h"
#include "own_priv.h"

#include <stdlib.h>
#include <string.h>

#define OPT_BARE        11  /* octets of an OPT record without options */
#define ROUTE_KEEPALIVE 100 /* idle time offered on TCP, in units of 100 ms (RFC 7828) */

const struct stat_row route_stat_rows[ROUTE_COUNTER_COUNT] = {
#define ROUTE_ROW(id, name, help) {name, help},
    ROUTE_COUNTERS(ROUTE_ROW)
#undef ROUTE_ROW
};

/* What a kept question needs until the resolver is done. */
struct route_wait {
    struct route *route;
    struct net_ticket ticket;
    struct addr client;
    uint8_t proto;
    uint8_t roles;
    struct edns_subnet subnet; /* that our own part speaks for, family 0: none */
    struct dns_query query;    /* its packet is the copy below */
    bool refresh;              /* nobody waits: for the answer cache alone */
    size_t own_len;            /* of the part that our own zones gave, which follows the packet */
    const uint8_t *own;
    uint8_t packet[];
};

/* The OPT of the answer: what the client may see of us. */
static struct edns answer_edns(struct route *r, const struct dns_query *q,
                               const struct addr *client, enum net_proto proto)
{
    struct edns e = {
        .present = q->edns.present, .size = r->snap->udp_size, .dnssec_ok = q->edns.dnssec_ok};
    if (!e.present)
        return e;
    if (q->edns.cookie_len) {
        dns_cookie_make(e.cookie, q->edns.cookie, r->cookie_secret, client,
                        (uint32_t)clock_wall_s(r->clock));
        e.cookie_len = DNS_COOKIE_LEN;
    }
    if (q->edns.nsid && r->snap->identity[0]) {
        e.nsid = true;
        e.nsid_data = (const uint8_t *)r->snap->identity;
        e.nsid_len = (uint16_t)strlen(r->snap->identity);
    }
    if (q->edns.keepalive && proto == NET_PROTO_TCP) {
        e.keepalive = true;
        e.keepalive_100ms = ROUTE_KEEPALIVE;
    }
    return e;
}

static size_t client_limit(const struct route *r, const struct dns_query *q, enum net_proto proto,
                           size_t cap)
{
    size_t limit = ROUTE_ROOM;
    if (proto == NET_PROTO_UDP)
        limit = !q->edns.present                   ? EDNS_SIZE_MIN
                : q->edns.size < r->snap->udp_size ? q->edns.size
                                                   : r->snap->udp_size;
    return limit < cap ? limit : cap;
}

static void count_rcode(struct route *r, uint16_t rcode, bool tc)
{
    if (rcode == DNS_RCODE_SERVFAIL)
        stat_inc(r->stats, ROUTE_SERVFAIL);
    else if (rcode == DNS_RCODE_NXDOMAIN)
        stat_inc(r->stats, ROUTE_NXDOMAIN);
    if (tc)
        stat_inc(r->stats, ROUTE_TRUNCATED);
}

static void add_ede(struct edns *e, int code, const char *text)
{
    if (code < 0 || !e->present)
        return;
    e->ede[0] =
        (struct edns_ede){.code = (uint16_t)code, .text = text, .text_len = (uint16_t)strlen(text)};
    e->ede_count = 1;
}

static enum handler_result answer_error(struct route *r, struct net_query *nq,
                                        const struct dns_query *q, uint16_t rcode, uint16_t flags,
                                        int ede, const char *text)
{
    struct edns e = answer_edns(r, q, &nq->client, nq->proto);
    add_ede(&e, ede, text);
    nq->out_len =
        dns_write_error(q, nq->out, client_limit(r, q, nq->proto, nq->out_cap), flags, rcode, &e);
    count_rcode(r, rcode, false);
    return nq->out_len ? HANDLER_ANSWERED : HANDLER_DROP;
}

static enum handler_result answer_refused(struct route *r, struct net_query *nq,
                                          const struct dns_query *q, int ede, const char *why)
{
    stat_inc(r->stats, ROUTE_REFUSED);
    return answer_error(r, nq, q, DNS_RCODE_REFUSED, 0, ede, why);
}

/* version.bind, id.server (RFC 4892): only where the operator allows it. */
static enum handler_result answer_chaos(struct route *r, struct net_query *nq,
                                        const struct dns_query *q)
{
    static const struct {
        const char *name;
        bool identity;
    } rows[] = {{"version.bind.", false},
                {"version.server.", false},
                {"id.server.", true},
                {"hostname.bind.", true}};
    char asked[DNS_NAME_TEXT_MAX];
    dns_name_print(q->qname, asked);
    for (size_t i = 0; r->snap->chaos && i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].identity ? r->snap->identity : r->snap->version;
        if (strcasecmp(asked, rows[i].name) != 0 || !*text ||
            (q->qtype != DNS_TYPE_TXT && q->qtype != DNS_TYPE_ANY))
            continue;
        uint8_t rd[2 + 1 + 64];
        size_t n = strlen(text);
        put_u16(rd, (uint16_t)(n + 1));
        rd[2] = (uint8_t)n;
        memcpy(rd + 3, text, n);
        struct dns_rrset set = {.owner = q->qname,
                                .type = DNS_TYPE_TXT,
                                .cls = DNS_CLASS_CH,
                                .count = 1,
                                .rdata = rd,
                                .size = (uint32_t)n + 3};
        struct edns e = answer_edns(r, q, &nq->client, nq->proto);
        dns_writer_init(&r->writer, nq->out, client_limit(r, q, nq->proto, nq->out_cap));
        dns_writer_reserve(&r->writer, e.present ? edns_size(&e) : 0);
        dns_writer_question(&r->writer, q->qname, q->qtype, q->qclass);
        dns_writer_rrset(&r->writer, DNS_SECTION_ANSWER, &set, q->qname, 0, 0);
        nq->out_len = dns_writer_finish(
            &r->writer, q->id, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_AA | (q->flags & DNS_FLAG_RD)),
            DNS_RCODE_NOERROR, &e, 0);
        return HANDLER_ANSWERED;
    }
    return answer_refused(r, nq, q, DNS_EDE_NOT_SUPPORTED, "class CH is not served");
}

/* Cached answers carry a bare OPT as their last record; the client's cookie and NSID are appended
 * to it. */
static size_t append_options(uint8_t *out, size_t len, size_t cap, const struct edns *e)
{
    uint8_t opt[512];
    struct wcur w = wcur_of(opt, sizeof opt);
    edns_write(e, 0, 0, &w);
    size_t n = wcur_len(&w);
    if (wcur_err(&w) || n < 11 || len + n - 11 > cap)
        return len;
    memcpy(out + len, opt + 11, n - 11);
    put_u16(out + len - 2, (uint16_t)(n - 11));
    return len + n - 11;
}

static struct answers_key cache_key(const struct dns_query *q)
{
    return (struct answers_key){.qname = q->qname,
                                .qtype = q->qtype,
                                .bits = (uint8_t)((q->edns.present ? ANSWERS_EDNS : 0) |
                                                  (q->edns.dnssec_ok ? ANSWERS_DO : 0) |
                                                  (q->flags & DNS_FLAG_CD ? ANSWERS_CD : 0))};
}

static bool answer_cached(struct route *r, struct net_query *nq, const struct dns_query *q,
                          const struct route_ahead *ahead, bool *refresh)
{
    struct answers_key k = cache_key(q);
    size_t limit = client_limit(r, q, nq->proto, nq->out_cap);
    uint64_t hash = ahead && ahead->is_hashed ? ahead->hash : answers_hash(r->answers, &k);
    size_t len = answers_get(r->answers, &k, hash, r->now_s, q, nq->out, limit, refresh);
    if (!len)
        return false;
    if (q->edns.present && (q->edns.cookie_len || q->edns.nsid || q->edns.keepalive)) {
        struct edns e = answer_edns(r, q, &nq->client, nq->proto);
        len = append_options(nq->out, len, limit, &e);
    }
    nq->out_len = len;
    stat_inc(r->stats, ROUTE_CACHED);
    count_rcode(r, nq->out[3] & 15, false);
    return true;
}

/* How long a complete answer holds for everybody; 0: it does not. */
static uint32_t shared_ttl(const struct resolver_result *res)
{
    uint32_t ttl = UINT32_MAX;
    if (res->ede_count || (res->rcode != DNS_RCODE_NOERROR && res->rcode != DNS_RCODE_NXDOMAIN))
        return 0;
    for (unsigned i = 0; i < res->answer_count; i++)
        ttl = res->answer[i].ttl < ttl ? res->answer[i].ttl : ttl;
    for (unsigned i = 0; i < res->authority_count; i++)
        ttl = res->authority[i].ttl < ttl ? res->authority[i].ttl : ttl;
    return ttl == UINT32_MAX ? 0 : ttl;
}

/* Into r->room and tier one, without anything of this client. 0: there is no such answer. */
static size_t write_shared(struct route *r, const struct dns_query *q,
                           const struct resolver_result *res)
{
    uint32_t ttl = shared_ttl(res);
    struct edns e = {
        .present = q->edns.present, .size = r->snap->udp_size, .dnssec_ok = q->edns.dnssec_ok};
    struct answers_key k = cache_key(q);
    if (!ttl)
        return 0;
    size_t len = resolver_write(res, q, &e, ANSWERS_MAX_LEN, &r->writer, r->room);
    return answers_put(r->answers, &k, r->now_s, ttl, r->room, len, res->from_cache) ? 0 : len;
}

/* What goes back to the client. shared: octets of the answer for everybody, which lies in r->room;
 * 0: it has to be written. */
static void reply(struct route_wait *wait, const struct resolver_result *res, size_t shared)
{
    struct route *r = wait->route;
    const struct dns_query *q = &wait->query;
    struct edns e = answer_edns(r, q, &wait->client, wait->proto);
    size_t limit = client_limit(r, q, wait->proto, ROUTE_ROOM), len = shared;
    e.subnet = wait->subnet;
    if (shared && shared + (e.present ? edns_size(&e) - OPT_BARE : 0) <= limit)
        len = e.present ? append_options(r->room, shared, limit, &e) : shared;
    else if (wait->own_len)
        len = own_write(wait->own, wait->own_len, res, q, &e, limit, &r->writer, r->room);
    else
        len = resolver_write(res, q, &e, limit, &r->writer, r->room);
    bool tc = len > 2 && r->room[2] & 2;
    net_reply(&wait->ticket, r->room, len); /* may bring the next answer into the room */
    count_rcode(r, res->rcode, tc);
}

static void on_resolved(void *arg, const struct resolver_result *res)
{
    struct route_wait *wait = arg;
    struct route *r = wait->route;
    r->pending--;
    r->handler.batch_begin(&r->handler);
    /* The answers in tier one are the same on all listeners. */
    size_t shared = wait->own_len ? 0 : write_shared(r, &wait->query, res);
    if (!wait->refresh)
        reply(wait, res, shared);
    if (r->recorder && res->trace)
        recorder_put(r->recorder, clock_wall_s(r->clock), wait->query.qname, wait->query.qtype,
                     res->rcode, res->took_us, res->trace, res->trace_len);
    r->handler.batch_end(&r->handler);
    free(wait);
}

/* NULL: out of memory. own: the part that our zones gave lies in nq->out. */
static struct route_wait *wait_new(struct route *r, const struct net_query *nq,
                                   const struct authority_out *own)
{
    size_t own_len = own ? own->len : 0;
    struct route_wait *wait = malloc(sizeof *wait + nq->len + own_len);
    if (!wait)
        return NULL;
    memcpy(wait->packet, nq->packet, nq->len);
    if (own)
        memcpy(wait->packet + nq->len, nq->out, own_len);
    wait->own = wait->packet + nq->len;
    wait->own_len = own_len;
    wait->refresh = false;
    wait->subnet.family = 0;
    wait->route = r;
    wait->client = nq->client;
    wait->proto = (uint8_t)nq->proto;
    dns_query_parse(&wait->query, wait->packet, nq->len);
    if (own && own->is_alias) { /* the resolver's part holds for every client */
        wait->subnet = wait->query.edns.subnet;
        wait->subnet.scope = wait->subnet.source ? own->scope : 0;
    }
    return wait;
}

/* As resolver_ask: the wait may be gone when it returns 0. */
static int wait_ask(struct route_wait *wait, const struct authority_out *own, unsigned listener)
{
    const struct dns_query *q = &wait->query;
    struct route *r = wait->route;
    struct resolver_ask ask = {.qname = own && own->is_alias ? own->target : q->qname,
                               .qtype = q->qtype,
                               .qclass = q->qclass,
                               .flags = q->flags,
                               .dnssec_ok = q->edns.dnssec_ok,
                               .trace = true,
                               .refresh = wait->refresh,
                               .referral = own && own->is_referral ? wait->own : NULL,
                               .referral_len = wait->own_len,
                               .view = (uint8_t)listener};
    struct request *req = NULL;
    r->pending++;
    int err = resolver_ask(r->resolver, &ask, on_resolved, wait, &req);
    r->pending -= err != 0;
    return err;
}

static void refuse_wait(struct route_wait *wait)
{
    struct route *r = wait->route;
    const struct dns_query *q = &wait->query;
    struct edns e = answer_edns(r, q, &wait->client, wait->proto);
    size_t limit = client_limit(r, q, wait->proto, ROUTE_ROOM);
    stat_inc(r->stats, ROUTE_OVERLOAD);
    add_ede(&e, DNS_EDE_OTHER, "too many queries in flight");
    size_t len = dns_write_error(q, r->room, limit, DNS_FLAG_RA, DNS_RCODE_SERVFAIL, &e);
    count_rcode(r, DNS_RCODE_SERVFAIL, false);
    net_reply(&wait->ticket, r->room, len);
}

static enum handler_result answer_resolved(struct route *r, struct net_query *nq,
                                           const struct dns_query *q,
                                           const struct authority_out *own)
{
    struct route_wait *wait = wait_new(r, nq, own);
    if (!wait)
        return answer_error(r, nq, q, DNS_RCODE_SERVFAIL, DNS_FLAG_RA, DNS_EDE_OTHER,
                            err_text(ERR_NOMEM));
    net_ticket_take(nq, &wait->ticket);
    stat_inc(r->stats, ROUTE_RESOLVED);
    if (wait_ask(wait, own, nq->listener_id)) {
        refuse_wait(wait);
        free(wait);
    }
    return HANDLER_KEPT;
}

/* Before it expires, and without making anybody wait; clients in need of the resolver come first.
 */
static void refresh_answer(struct route *r, const struct net_query *nq)
{
    struct route_wait *wait = wait_new(r, nq, NULL);
    if (!wait)
        return;
    wait->refresh = true;
    stat_inc(r->stats, ROUTE_REFRESHED);
    if (wait_ask(wait, NULL, 0))
        free(wait);
}

/* What the answer's OPT says, with the client's subnet as it came. */
static void own_edns(struct route *r, const struct net_query *nq, const struct dns_query *q,
                     struct authority_ask *ask, struct edns *e)
{
    if (ask->edns)
        return;
    *e = answer_edns(r, q, &nq->client, nq->proto);
    e->subnet = q->edns.subnet;
    ask->edns = e;
}

static enum handler_result answer_authority(struct route *r, struct net_query *nq,
                                            const struct dns_query *q,
                                            const struct authority_ahead *ahead, bool recursive,
                                            struct authority_out *out, bool *routed_on)
{
    struct edns e;
    uint16_t rcode;
    /* On a listener with both roles the resolver completes what leaves our zones, when it may be
     * asked. Our part is for the resolver then, so the client's limit is none of it. */
    bool completes = recursive && q->flags & DNS_FLAG_RD;
    size_t limit = client_limit(r, q, nq->proto, nq->out_cap);
    struct authority_ask ask = {.db = r->snap->zones,
                                .query = q,
                                .listener = nq->listener_id,
                                .limit = limit,
                                .dynamic = r->dynamic,
                                .ahead = ahead,
                                .client = &nq->client,
                                .minimal = r->snap->minimal_auth,
                                .recursion_available = recursive,
                                .completes = completes};
    if (q->edns.cookie_len || q->edns.nsid || q->edns.keepalive)
        own_edns(r, nq, q, &ask, &e);
    nq->out_len = authority_plain(&ask, r->snap->udp_size, nq->out, &rcode);
    if (nq->out_len) {
        *routed_on = false;
        stat_inc(r->stats, ROUTE_AUTHORITY);
        count_rcode(r, rcode, false);
        return HANDLER_ANSWERED;
    }
    if (q->edns.present)
        own_edns(r, nq, q, &ask, &e);
    ask.limit = completes ? nq->out_cap : limit;
    enum authority_result res = authority_respond(&ask, &r->writer, nq->out, out);
    *routed_on = res == AUTHORITY_NOT_OURS || (res == AUTHORITY_LEAVES && completes && !out->tc);
    if (*routed_on)
        return HANDLER_DROP;
    if (out->len > limit || (out->tc && completes)) {
        ask.limit = limit;
        ask.again = true;
        authority_respond(&ask, &r->writer, nq->out, out);
    }
    stat_inc(r->stats, ROUTE_AUTHORITY);
    count_rcode(r, out->rcode, out->tc);
    nq->out_len = out->len;
    return HANDLER_ANSWERED;
}

static enum handler_result route_question(struct route *r, struct net_query *nq,
                                          const struct dns_query *q,
                                          const struct route_ahead *ahead)
{
    const struct snapshot_listener *l = &r->snap->listeners[nq->listener_id];
    if (q->qclass == DNS_CLASS_CH)
        return answer_chaos(r, nq, q);
    if (q->qclass != DNS_CLASS_IN && q->qclass != DNS_CLASS_ANY)
        return answer_refused(r, nq, q, DNS_EDE_NOT_SUPPORTED, "class is not served");
    bool recursive = l->roles & ROLE_RESOLVER && net_acl_allows(&l->allow, &nq->client);
    if (l->roles & ROLE_AUTHORITY) {
        bool routed_on;
        struct authority_out own;
        own.len = 0;
        enum handler_result res =
            answer_authority(r, nq, q, ahead ? &ahead->own : NULL, recursive, &own, &routed_on);
        if (!routed_on)
            return res;
        if (own.len)
            return answer_resolved(r, nq, q, &own);
    }
    if (!(l->roles & ROLE_RESOLVER))
        return answer_refused(r, nq, q, DNS_EDE_NOT_AUTHORITATIVE, "not one of our zones");
    if (!recursive)
        return answer_refused(r, nq, q, DNS_EDE_PROHIBITED,
                              "recursion is not allowed for this client");
    if (q->qtype == DNS_TYPE_AXFR || q->qtype == DNS_TYPE_IXFR || q->qtype == DNS_TYPE_OPT)
        return answer_refused(r, nq, q, DNS_EDE_NOT_SUPPORTED, "not a type that can be resolved");
    bool refresh = false;
    if (!answer_cached(r, nq, q, ahead, &refresh))
        return answer_resolved(r, nq, q, NULL);
    if (refresh)
        refresh_answer(r, nq);
    return HANDLER_ANSWERED;
}

static enum handler_result answer_parsed(struct route *r, struct net_query *nq,
                                         const struct dns_query *q, enum dns_verdict verdict,
                                         const struct route_ahead *ahead)
{
    stat_inc(r->stats, ROUTE_QUERIES);
    switch (verdict) {
    case DNS_VERDICT_DROP:
        stat_inc(r->stats, ROUTE_DROPPED);
        return HANDLER_DROP;
    case DNS_VERDICT_FORMERR:
        stat_inc(r->stats, ROUTE_FORMERR);
        return answer_error(r, nq, q, DNS_RCODE_FORMERR, 0, -1, "");
    case DNS_VERDICT_NOTIMP:
        stat_inc(r->stats, ROUTE_NOTIMP);
        return answer_error(r, nq, q, DNS_RCODE_NOTIMP, 0, -1, "");
    case DNS_VERDICT_BADVERS:
        stat_inc(r->stats, ROUTE_BADVERS);
        return answer_error(r, nq, q, DNS_RCODE_BADVERS, 0, -1, "");
    case DNS_VERDICT_OK:
        break;
    }
    if (!q->has_question) /* RFC 7873 5.4: only the cookie was asked for */
        return answer_error(r, nq, q, DNS_RCODE_NOERROR, 0, -1, "");
    return route_question(r, nq, q, ahead);
}

static enum handler_result route_answer(struct handler *h, struct net_query *nq)
{
    struct route *r = (struct route *)(void *)h;
    if (nq->ahead) {
        const struct route_ahead *e = &r->ahead[nq->ahead - 1];
        return answer_parsed(r, nq, &e->query, e->verdict, e);
    }
    struct dns_query q;
    enum dns_verdict verdict = dns_query_parse(&q, nq->packet, nq->len);
    return answer_parsed(r, nq, &q, verdict, NULL);
}

/* A step for all of them, so that memory has the time of the others to come. */
static void route_look_ahead(struct handler *h, const struct net_packet *packets, unsigned count,
                             uint32_t listener)
{
    struct route *r = (struct route *)(void *)h;
    bool ours = r->snap->listeners[listener].roles & ROLE_AUTHORITY,
         others = r->snap->listeners[listener].roles & ROLE_RESOLVER;
    for (unsigned i = 0; i < count; i++) {
        struct route_ahead *e = &r->ahead[i];
        e->verdict = dns_query_parse(&e->query, packets[i].at, packets[i].len);
        e->own.known = false;
        e->own.zone = NULL;
        e->is_hashed = false;
        if (e->verdict != DNS_VERDICT_OK || !e->query.has_question)
            continue;
        if (ours)
            authority_look_ahead(&e->own, r->snap->zones, listener, &e->query, r->dynamic);
        if (others && !e->own.zone) {
            struct answers_key k = cache_key(&e->query);
            e->is_hashed = true;
            e->hash = answers_hash(r->answers, &k);
            answers_ahead(r->answers, e->hash, 0);
        }
    }
    for (unsigned i = 0; others && i < count; i++)
        if (r->ahead[i].is_hashed)
            answers_ahead(r->answers, r->ahead[i].hash, 1);
    for (unsigned step = 1; ours && step < AUTHORITY_STEPS; step++)
        for (unsigned i = 0; i < count; i++)
            authority_look_on(&r->ahead[i].own, &r->ahead[i].query, r->dynamic, step);
}

static void route_batch_begin(struct handler *h)
{
    struct route *r = (struct route *)(void *)h;
    r->snap = atomic_load(r->root); /* see snap_online */
    int64_t mono_s = clock_mono_ms(r->clock) / 1000, wall_s = clock_wall_s(r->clock);
    r->now_s = r->ttl_follows_wall ? wall_s : mono_s;
    if (!r->decider)
        return;
    r->decider->plan = r->snap->plan;
    r->decider->mono_s = mono_s;
    r->decider->wall_s = wall_s;
}

static void route_batch_end(struct handler *h)
{
    (void)h;
}

void route_init(struct route *r)
{
    r->handler =
        (struct handler){route_answer, route_batch_begin, route_batch_end, route_look_ahead};
}
