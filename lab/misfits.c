#include "lab/misfits.h"

#include "authority/respond.h"
#include "authority/zone.h"
#include "base/err.h"
#include "base/list.h"
#include "dns/name.h"
#include "net/counters.h"
#include "net/stream.h"
#include "net/udp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_MS     300
#define AFTERWARDS  5 /* ms from the false reply to the true one */
#define POISON_TTL  86400
#define VICTIM      "victim.shop.test."
#define VICTIM_ZONE "shop.test."
#define POISON_CUT  "deep.poison.test."
#define POISON_NS   "ns.hosting.example."

struct misfit;

/* How one of them misbehaves; what it falls back to is honest(). */
struct manner {
    const char *address, *origin, *www;
    enum handler_result (*act)(struct misfit *, struct net_query *, const struct dns_query *);
};

struct misfit {
    struct handler handler;
    struct misfits *all;
    const struct manner *manner;
    struct zonedb *db;
    struct net_udp *udp;
    struct net_stream *tcp;
};

/* A reply that leaves later. */
struct later {
    struct list owed; /* of misfits.owed */
    uv_timer_t timer;
    struct net_ticket ticket;
    size_t len;
    uint8_t packet[];
};

struct misfits {
    uv_loop_t loop;
    uv_async_t stop;
    uv_thread_t thread;
    struct net_batch *batch;
    struct stat_block *stats;
    struct dns_writer writer;
    struct list owed; /* replies that have not left yet */
    bool loop_ready, started;
    struct misfit each[];
};

/* ---- what they have in common ---- */

static enum handler_result honest(struct misfit *m, struct net_query *nq, const struct dns_query *q)
{
    struct edns e = {.present = q->edns.present, .size = 1232, .dnssec_ok = q->edns.dnssec_ok};
    struct authority_ask ask = {.db = m->db,
                                .query = q,
                                .edns = e.present ? &e : NULL,
                                .limit = nq->proto == NET_PROTO_TCP ? nq->out_cap : 1232};
    struct authority_out out;
    if (authority_respond(&ask, &m->all->writer, nq->out, &out) == AUTHORITY_NOT_OURS)
        nq->out_len = dns_write_error(q, nq->out, nq->out_cap, 0, DNS_RCODE_REFUSED, &e);
    else
        nq->out_len = out.len;
    return HANDLER_ANSWERED;
}

static void on_later_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_later(uv_timer_t *t)
{
    struct later *l = t->data;
    list_remove(&l->owed);
    net_reply(&l->ticket, l->packet, l->len);
    uv_close((uv_handle_t *)t, on_later_closed);
}

/* What is in out leaves after ms; first: sent now on the same ticket, or NULL. */
static enum handler_result reply_later(struct misfit *m, struct net_query *nq, unsigned ms,
                                       const uint8_t *first)
{
    struct later *l = malloc(sizeof *l + nq->out_len);
    if (!l)
        return HANDLER_DROP;
    l->len = nq->out_len;
    memcpy(l->packet, nq->out, nq->out_len);
    net_ticket_take(nq, &l->ticket);
    uv_timer_init(&m->all->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_later, ms, 0);
    list_push(&m->all->owed, &l->owed);
    if (first)
        net_reply(&l->ticket, first, l->len);
    return HANDLER_KEPT;
}

/* ---- their manners ---- */

static enum handler_result slow(struct misfit *m, struct net_query *nq, const struct dns_query *q)
{
    honest(m, nq, q);
    return reply_later(m, nq, SLOW_MS, NULL);
}

static enum handler_result tcp_only(struct misfit *m, struct net_query *nq,
                                    const struct dns_query *q)
{
    return nq->proto == NET_PROTO_UDP ? HANDLER_DROP : honest(m, nq, q);
}

static enum handler_result drops_edns(struct misfit *m, struct net_query *nq,
                                      const struct dns_query *q)
{
    return q->edns.present ? HANDLER_DROP : honest(m, nq, q);
}

static enum handler_result formerr_on_edns(struct misfit *m, struct net_query *nq,
                                           const struct dns_query *q)
{
    if (!q->edns.present)
        return honest(m, nq, q);
    nq->out_len = dns_write_error(q, nq->out, nq->out_cap, 0, DNS_RCODE_FORMERR, NULL);
    return HANDLER_ANSWERED;
}

static enum handler_result wrong_id_first(struct misfit *m, struct net_query *nq,
                                          const struct dns_query *q)
{
    uint8_t forged[NET_UDP_SLOT];
    honest(m, nq, q);
    if (nq->proto == NET_PROTO_TCP || nq->out_len > sizeof forged)
        return HANDLER_ANSWERED;
    memcpy(forged, nq->out, nq->out_len);
    forged[0] ^= 0x55;
    forged[1] ^= 0xaa;
    return reply_later(m, nq, AFTERWARDS, forged);
}

/* The question comes back in lower case: the pattern of 0x20 is lost. */
static enum handler_result lowers_case(struct misfit *m, struct net_query *nq,
                                       const struct dns_query *q)
{
    honest(m, nq, q);
    for (size_t i = 12, n = dns_name_len(q->qname); i < 12 + n && i < nq->out_len; i++)
        nq->out[i] = (uint8_t)tolower(nq->out[i]);
    return HANDLER_ANSWERED;
}

static void add_record(struct dns_writer *w, enum dns_section section, const char *owner,
                       uint16_t type, const uint8_t *rdata, size_t len)
{
    uint8_t name[DNS_NAME_MAX], rd[2 + DNS_NAME_MAX];
    dns_name_parse(name, owner, strlen(owner), NULL);
    put_u16(rd, (uint16_t)len);
    memcpy(rd + 2, rdata, len);
    struct dns_rrset set = {.owner = name,
                            .type = type,
                            .cls = DNS_CLASS_IN,
                            .count = 1,
                            .rdata = rd,
                            .size = (uint32_t)len + 2};
    dns_writer_rrset(w, section, &set, name, POISON_TTL, 0);
}

/* A true delegation, with a false address for a name server of another TLD. */
static enum handler_result refers_falsely(struct misfit *m, struct net_query *nq,
                                          const struct dns_query *q)
{
    static const uint8_t evil[4] = {192, 0, 2, 66};
    struct dns_writer *w = &m->all->writer;
    struct edns e = {.present = q->edns.present, .size = 1232};
    uint8_t ns[DNS_NAME_MAX];
    int n = dns_name_parse(ns, POISON_NS, strlen(POISON_NS), NULL);
    dns_writer_init(w, nq->out, nq->out_cap);
    dns_writer_reserve(w, e.present ? edns_size(&e) : 0);
    dns_writer_question(w, q->qname, q->qtype, q->qclass);
    add_record(w, DNS_SECTION_AUTHORITY, POISON_CUT, DNS_TYPE_NS, ns, (size_t)n);
    add_record(w, DNS_SECTION_ADDITIONAL, POISON_NS, DNS_TYPE_A, evil, 4);
    nq->out_len = dns_writer_finish(w, q->id, DNS_FLAG_QR, DNS_RCODE_NOERROR, &e, 0);
    return HANDLER_ANSWERED;
}

/* A true answer, and beside it records of a zone that is not its own. */
static enum handler_result poisons(struct misfit *m, struct net_query *nq,
                                   const struct dns_query *q)
{
    static const uint8_t evil[4] = {192, 0, 2, 66};
    uint8_t ns[DNS_NAME_MAX], own[4];
    struct dns_writer *w = &m->all->writer;
    struct edns e = {.present = q->edns.present, .size = 1232};
    struct addr www;
    char asked[DNS_NAME_TEXT_MAX];
    dns_name_print(q->qname, asked);
    if (dns_name_parse(ns, POISON_CUT, strlen(POISON_CUT), NULL) > 0 &&
        dns_name_is_sub(q->qname, ns))
        return refers_falsely(m, nq, q);
    if (q->qtype != DNS_TYPE_A || strncasecmp(asked, "www.", 4) != 0)
        return honest(m, nq, q);
    addr_parse(&www, m->manner->www, 0);
    size_t len;
    memcpy(own, addr_bytes(&www, &len), 4);
    int n = dns_name_parse(ns, VICTIM, strlen(VICTIM), NULL);
    dns_writer_init(w, nq->out, nq->out_cap);
    dns_writer_reserve(w, e.present ? edns_size(&e) : 0);
    dns_writer_question(w, q->qname, q->qtype, q->qclass);
    add_record(w, DNS_SECTION_ANSWER, asked, DNS_TYPE_A, own, 4);
    add_record(w, DNS_SECTION_ANSWER, VICTIM, DNS_TYPE_A, evil, 4);
    add_record(w, DNS_SECTION_AUTHORITY, VICTIM_ZONE, DNS_TYPE_NS, ns, (size_t)n);
    add_record(w, DNS_SECTION_ADDITIONAL, VICTIM, DNS_TYPE_A, evil, 4);
    nq->out_len = dns_writer_finish(w, q->id, DNS_FLAG_QR | DNS_FLAG_AA, DNS_RCODE_NOERROR, &e, 0);
    return HANDLER_ANSWERED;
}

/* "Ask the root": for whatever is asked. */
static enum handler_result refers_upward(struct misfit *m, struct net_query *nq,
                                         const struct dns_query *q)
{
    struct dns_writer *w = &m->all->writer;
    struct edns e = {.present = q->edns.present, .size = 1232};
    uint8_t ns[DNS_NAME_MAX];
    int n = dns_name_parse(ns, "a.root.lab.", 11, NULL);
    dns_writer_init(w, nq->out, nq->out_cap);
    dns_writer_reserve(w, e.present ? edns_size(&e) : 0);
    dns_writer_question(w, q->qname, q->qtype, q->qclass);
    add_record(w, DNS_SECTION_AUTHORITY, ".", DNS_TYPE_NS, ns, (size_t)n);
    nq->out_len = dns_writer_finish(w, q->id, DNS_FLAG_QR, DNS_RCODE_NOERROR, &e, 0);
    return HANDLER_ANSWERED;
}

static const struct manner manners[] = {
    {"127.53.3.1", "slow.test.", "203.0.113.91", slow},
    {"127.53.3.2", "tcponly.test.", "203.0.113.92", tcp_only},
    {"127.53.3.3", "noedns.test.", "203.0.113.93", drops_edns},
    {"127.53.3.4", "formerr.test.", "203.0.113.94", formerr_on_edns},
    {"127.53.3.5", "wrongid.test.", "203.0.113.95", wrong_id_first},
    {"127.53.3.6", "lower.test.", "203.0.113.96", lowers_case},
    {"127.53.3.7", "poison.test.", "203.0.113.97", poisons},
    {"127.53.3.8", "upward.test.", "203.0.113.98", refers_upward},
};
const unsigned misfits_count = sizeof manners / sizeof *manners;

static enum handler_result misfit_answer(struct handler *h, struct net_query *nq)
{
    struct misfit *m = (struct misfit *)(void *)h;
    struct dns_query q;
    if (dns_query_parse(&q, nq->packet, nq->len) != DNS_VERDICT_OK || !q.has_question)
        return HANDLER_DROP;
    return m->manner->act(m, nq, &q);
}

/* ---- start and stop ---- */

static int make_zone(struct misfit *m, struct diag_list *diags)
{
    char text[512];
    uint8_t origin[DNS_NAME_MAX];
    struct zone *z = NULL;
    int n = snprintf(text, sizeof text,
                     "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\n"
                     "ns1 A %s\nwww A %s\n",
                     m->manner->address, m->manner->www);
    dns_name_parse(origin, m->manner->origin, strlen(m->manner->origin), NULL);
    int err = zone_load_mem(&z, origin, m->manner->origin, text, (size_t)n, NULL, 0, diags);
    if (err < 0)
        return err;
    m->db = zonedb_new();
    err = m->db ? zonedb_add(m->db, origin, z, 1) : ERR_NOMEM;
    part_unref(zone_part(z));
    return err ? err : zonedb_finish(m->db);
}

static int open_misfit(struct misfits *all, struct misfit *m, const struct manner *manner,
                       uint16_t port, struct diag_list *diags)
{
    struct net_stream_limits limits;
    struct addr a;
    char holder[128] = "";
    net_stream_limits_default(&limits);
    m->handler.answer = misfit_answer;
    m->all = all;
    m->manner = manner;
    addr_parse(&a, manner->address, port);
    int err = make_zone(m, diags);
    err = err ? err : net_probe_bind(&a, NET_PROTO_UDP, holder, sizeof holder);
    err = err ? err : net_udp_open(&m->udp, &all->loop, all->batch, &a, 0, &m->handler, all->stats);
    err = err ? err : net_stream_open(&m->tcp, &all->loop, &a, 0, &m->handler, &limits, all->stats);
    if (err)
        diag_add(diags, DIAG_ERROR, NULL, "cannot listen on %s port %u: %s%s%s", manner->address,
                 port, err_text(err), *holder ? ", held by " : "", holder);
    return err;
}

/* Everything that is open, so that the loop ends. */
static void close_all(struct misfits *all)
{
    LIST_FOR (it, &all->owed) {
        struct later *l = container_of(it, struct later, owed);
        list_remove(&l->owed);
        net_forget(&l->ticket);
        uv_close((uv_handle_t *)&l->timer, on_later_closed);
    }
    for (unsigned i = 0; i < misfits_count; i++) {
        if (all->each[i].udp)
            net_udp_close(all->each[i].udp);
        if (all->each[i].tcp)
            net_stream_close(all->each[i].tcp);
    }
    uv_close((uv_handle_t *)&all->stop, NULL);
}

static void on_stop(uv_async_t *h)
{
    struct misfits *all = h->data;
    close_all(all);
}

static void misfits_thread(void *arg)
{
    struct misfits *all = arg;
    uv_run(&all->loop, UV_RUN_DEFAULT);
}

int misfits_start(struct misfits **out, uint16_t port, struct diag_list *diags)
{
    struct misfits *all = calloc(1, sizeof *all + misfits_count * sizeof all->each[0]);
    if (!all)
        return ERR_NOMEM;
    list_init(&all->owed);
    all->batch = net_batch_new();
    all->stats = stat_new(net_stat_rows, NET_COUNTER_COUNT);
    int err = all->batch && all->stats ? 0 : ERR_NOMEM;
    if (!err && uv_loop_init(&all->loop))
        err = ERR_SYSTEM;
    all->loop_ready = !err;
    if (!err) {
        uv_async_init(&all->loop, &all->stop, on_stop);
        all->stop.data = all;
    }
    for (unsigned i = 0; !err && i < misfits_count; i++)
        err = open_misfit(all, &all->each[i], &manners[i], port, diags);
    if (!err && uv_thread_create(&all->thread, misfits_thread, all))
        err = ERR_SYSTEM;
    all->started = !err;
    if (err)
        misfits_stop(all);
    else
        *out = all;
    return err;
}

void misfits_stop(struct misfits *all)
{
    if (!all)
        return;
    if (all->started) {
        uv_async_send(&all->stop);
        uv_thread_join(&all->thread);
    } else if (all->loop_ready) {
        close_all(all);
        uv_run(&all->loop, UV_RUN_DEFAULT);
    }
    if (all->loop_ready)
        uv_loop_close(&all->loop);
    for (unsigned i = 0; i < misfits_count; i++)
        if (all->each[i].db)
            part_unref(zonedb_part(all->each[i].db));
    net_batch_free(all->batch);
    stat_free(all->stats);
    free(all);
}
