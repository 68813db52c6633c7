/* Our own resolver, asked through a worker: the questions go there, the results come back over a
 * list and a wake-up of the control loop. */
#include "fetch_priv.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>

struct self {
    struct fetch fetch; /* first */
    fetch_ask *ask;
    void *arg;
    unsigned open; /* questions at workers, and those that came back but were not read */
    uv_mutex_t lock;
    struct list answered; /* worker_question, from workers */
    uv_async_t woken;
};

struct lookup {
    struct fetch_lookup base; /* first */
    struct self *owner;
    struct question {
        struct worker_question question;
        struct lookup *lookup;
        struct fetch_half *half;
    } question[2];
};

static bool is_referral(const struct resolver_result *r)
{
    bool soa = false, ns = false;
    for (unsigned i = 0; i < r->authority_count; i++) {
        soa |= r->authority[i].type == DNS_TYPE_SOA;
        ns |= r->authority[i].type == DNS_TYPE_NS;
    }
    return ns && !soa;
}

/* On the worker's thread. */
static void on_result(struct worker_question *w, const struct resolver_result *res)
{
    struct question *q = container_of(w, struct question, question);
    struct self *s = q->lookup->owner;
    if (res) {
        struct fetch_reply r = {res->rcode, res->answer, res->answer_count, is_referral(res)};
        fetch_half_read(q->half, w->qname, w->qtype, &r);
        q->half->scope = res->scope;
    } else {
        q->half->err = ERR_CANCELLED;
    }
    uv_mutex_lock(&s->lock);
    list_push(&s->answered, &w->link);
    uv_async_send(&s->woken);
    uv_mutex_unlock(&s->lock);
}

static void on_closed(uv_handle_t *h)
{
    struct self *s = h->data;
    void (*closed)(void *) = s->fetch.closed;
    void *arg = s->fetch.closed_arg;
    uv_mutex_destroy(&s->lock);
    free(s);
    if (closed)
        closed(arg);
}

static void close_if_done(struct self *s)
{
    if (s->fetch.closing && !s->open && !uv_is_closing((uv_handle_t *)&s->woken))
        uv_close((uv_handle_t *)&s->woken, on_closed);
}

static struct question *take_answered(struct self *s)
{
    uv_mutex_lock(&s->lock);
    struct list *first = list_first(&s->answered);
    if (first)
        list_remove(first);
    uv_mutex_unlock(&s->lock);
    return first ? container_of(first, struct question, question.link) : NULL;
}

static void on_woken(uv_async_t *h)
{
    struct self *s = h->data;
    struct question *q;
    while ((q = take_answered(s))) {
        s->open--;
        if (s->fetch.closing)
            q->half->err = ERR_CANCELLED;
        if (!--q->lookup->base.open)
            fetch_lookup_end(&q->lookup->base);
    }
    close_if_done(s);
}

/* What no worker takes comes back as a result does: later, and through the same door. */
static void ask(struct self *s, struct lookup *l, unsigned i, const struct edns_subnet *subnet)
{
    struct question *q = &l->question[i];
    q->lookup = l;
    q->half = &l->base.half[i];
    q->question.qtype = i ? DNS_TYPE_AAAA : DNS_TYPE_A;
    q->question.result = on_result;
    if (subnet)
        q->question.subnet = *subnet;
    dns_name_copy(q->question.qname, l->base.qname);
    s->open++;
    if (s->ask(s->arg, &q->question))
        on_result(&q->question, NULL);
}

static int fetch_self(struct gslb_fetcher *f, const uint8_t *name, const struct edns_subnet *subnet,
                      gslb_fetch_done *done, void *arg)
{
    struct self *s = container_of(f, struct self, fetch.fetcher);
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
    ask(s, l, 0, subnet);
    ask(s, l, 1, subnet);
    return 0;
}

static void close_self(struct fetch *f)
{
    close_if_done(container_of(f, struct self, fetch));
}

int fetch_self_new(struct gslb_fetcher **out, uv_loop_t *loop, fetch_ask *hand, void *arg)
{
    struct self *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->fetch.fetcher = (struct gslb_fetcher){.fetch = fetch_self, .subnets = true};
    s->fetch.close = close_self;
    s->ask = hand;
    s->arg = arg;
    list_init(&s->answered);
    if (uv_mutex_init(&s->lock)) {
        free(s);
        return ERR_NOMEM;
    }
    if (uv_async_init(loop, &s->woken, on_woken)) {
        uv_mutex_destroy(&s->lock);
        free(s);
        return ERR_SYSTEM;
    }
    s->woken.data = s;
    *out = &s->fetch.fetcher;
    return 0;
}
