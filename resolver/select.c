/* Which server next, and asking it.
 * Order: the cheapest address not yet tried twice; then name servers without a known address; then
 * dead ones; then TCP to those that were silent; then, where TCP was silent too, a question without
 * EDNS. Addresses within 10 ms of the best share the load; one choice in 25 explores. */
#include "iterate_priv.h"

#include <string.h>

#define NEAR_US    10000
#define EXPLORE_IN 25
#define PARALLEL   2 /* name servers looked up at once */

static const char window_full[] = "window full";

struct choice {
    struct cut_addr *best;
    const char *why;
    unsigned candidates;
    uint32_t cost_us, next_us;
    bool busy; /* there was one, but its window is full */
};

/* Why it is not one to be asked now; NULL: it is. */
static const char *objection(struct iter *it, struct cut_addr *a, bool dead,
                             struct server_info *info)
{
    memset(info, 0, sizeof *info);
    if (a->out)
        return "was of no use";
    if (a->udp_tries >= TRIES_MAX || a->tcp_tried)
        return "was asked";
    servers_look(it->walk->w->r->servers, &a->addr, it->cut.zone, resolver_now_ms(it->walk->w),
                 info);
    bool is_dead = info->health == SERVER_DEAD || info->health == SERVER_PROBE;
    if (info->lame && it->last == CLASS_COUNT)
        it->last = CLASS_LAME;
    if (info->lame)
        return "lame";
    if (is_dead != dead)
        return is_dead ? "dead" : "not dead";
    info->cost_us = info->cost_us > UINT32_MAX - 3000000 ? UINT32_MAX - 3000000 : info->cost_us;
    info->cost_us += a->udp_tries * 1000000u; /* another server before the same one again */
    return !dead && info->in_flight >= info->window ? window_full : NULL;
}

static void record_candidate(struct iter *it, const struct cut_addr *a, uint32_t cost_us,
                             const char *why_not)
{
    if (!it->weighed)
        trace_add(&it->walk->trace, TRACE_WEIGH, it->id, walk_us(it->walk), it->hop, a->ns,
                  &a->addr, a->origin, (unsigned)cost_us, why_not ? why_not : "eligible");
}

static void choose(struct iter *it, bool dead, struct choice *c)
{
    struct cut_addr *list[CUT_ADDRS_MAX];
    uint32_t cost[CUT_ADDRS_MAX] = {0};
    unsigned n = 0, near = 0, best = 0;
    struct rng *rng = it->walk->w->rng;
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < it->cut.addr_count; i++) {
        struct server_info info;
        struct cut_addr *a = &it->cut.addrs[i];
        const char *why_not = objection(it, a, dead, &info);
        record_candidate(it, a, info.cost_us, why_not);
        if (why_not == window_full) {
            c->busy = true;
            stat_inc(it->walk->w->stats, STAT_WINDOW_FULL);
        }
        if (why_not)
            continue;
        list[n] = a;
        cost[n] = info.cost_us;
        best = cost[n] < cost[best] ? n : best;
        n++;
    }
    it->weighed = it->weighed || n;
    c->candidates = n;
    if (!n)
        return;
    for (unsigned i = 0; i < n; i++)
        near += cost[i] <= cost[best] + NEAR_US;
    unsigned pick = best;
    c->why = n == 1 ? "only one" : "lowest cost";
    if (n > near && !list[best]->udp_tries && rng_below(rng, EXPLORE_IN) == 0) {
        pick = rng_below(rng, n);
        c->why = "explored";
    } else if (near > 1) {
        unsigned skip = rng_below(rng, near);
        for (pick = 0; pick < n - 1 && (cost[pick] > cost[best] + NEAR_US || skip); pick++)
            skip -= cost[pick] <= cost[best] + NEAR_US;
        c->why = "shared among the near";
    }
    c->best = list[pick];
    c->cost_us = cost[pick];
    c->next_us = 0;
    for (unsigned i = 0; i < n; i++)
        if (i != pick && (!c->next_us || cost[i] < c->next_us))
            c->next_us = cost[i];
}

static enum iter_next take(struct iter *it, const struct choice *c, enum net_proto proto,
                           bool plain)
{
    it->target = c->best;
    it->proto = proto;
    it->plain = plain;
    trace_add(&it->walk->trace, TRACE_CHOICE, it->id, walk_us(it->walk), it->hop, c->best->ns,
              &c->best->addr, c->best->origin, c->why, c->candidates, (unsigned)c->cost_us,
              (unsigned)c->next_us);
    return iter_goto(it, ITER_SEND);
}

/* Somebody above asks this very question already. */
static bool is_cycle(const struct iter *it, const uint8_t *name, uint16_t type)
{
    for (; it; it = it->parent)
        if (it->qtype == type &&
            (dns_name_equal(it->qname, name) || dns_name_equal(it->name, name)))
            return true;
    return false;
}

static bool spend_name(struct iter *it)
{
    const struct resolver_limits *l = &it->walk->w->r->o.limits;
    struct budget *b = &it->walk->used;
    if (it->cut.names_asked >= l->ns_names_step)
        return iter_limit(it, LIMIT_NS_STEP, it->cut.names_asked, l->ns_names_step,
                          !it->cut.addr_count);
    if (b->ns_names >= l->ns_names)
        return iter_limit(it, LIMIT_NS_NAMES, b->ns_names, l->ns_names, true);
    if (it->depth + 1 > ITER_DEPTH_MAX)
        return iter_limit(it, LIMIT_DEPTH, it->depth + 1, ITER_DEPTH_MAX, true);
    b->ns_names++;
    it->cut.names_asked++;
    return true;
}

/* IPv4 first; IPv6 when that brought nothing, or is all we have. */
static unsigned look_up(struct iter *it, struct cut_ns *ns, bool *stop)
{
    const struct resolver_options *o = &it->walk->w->r->o;
    bool v4 = o->use_ipv4 && !(ns->asked & CUT_ASKED_A);
    bool v6 = o->use_ipv6 && !(ns->asked & CUT_ASKED_AAAA);
    if (!v4 && !v6)
        return 0;
    uint16_t type = v4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    if (dns_name_is_sub(ns->name, it->cut.zone)) { /* only these very servers could tell */
        ns->asked = CUT_ASKED_A | CUT_ASKED_AAAA;
        return 0;
    }
    bool again = ns->asked != 0; /* a second type of a name already paid for */
    ns->asked |= v4 ? CUT_ASKED_A : CUT_ASKED_AAAA;
    if (is_cycle(it, ns->name, type)) {
        it->looped = true;
        trace_add(&it->walk->trace, TRACE_FAIL, it->id, walk_us(it->walk), "name server loop");
        return 0;
    }
    if (!again && !spend_name(it)) {
        *stop = true;
        return 0;
    }
    struct iter *child = iter_new(it->walk, it, ns->name, type, "ns-address");
    if (!child)
        return 0;
    child->parent_cut = it->cut.serial;
    it->children++;
    return 1;
}

static bool look_up_servers(struct iter *it)
{
    unsigned started = 0;
    bool stop = false;
    for (unsigned i = 0; i < it->cut.ns_count && started < PARALLEL && !stop; i++)
        started += look_up(it, &it->cut.ns[i], &stop);
    return started || it->children;
}

/* Silent over UDP: is anyone there? TCP finds out; and where TCP takes the question and says
 * nothing, EDNS may be what is not understood. */
static bool choose_last(struct iter *it, struct choice *c, bool *plain)
{
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < it->cut.addr_count; i++) {
        struct cut_addr *a = &it->cut.addrs[i];
        if (a->out || !a->silent)
            continue;
        if (!a->tcp_tried)
            c->why = "silent over UDP";
        else if (a->tcp_silent && !a->plain_tried)
            c->why = "silent over TCP";
        else
            continue;
        *plain = a->tcp_tried;
        c->best = a;
        c->candidates = 1;
        return true;
    }
    return false;
}

static enum iter_next give_up(struct iter *it)
{
    bool silent = false;
    for (unsigned i = 0; i < it->cut.addr_count; i++)
        silent = silent || it->cut.addrs[i].silent;
    if (it->looped)
        return iter_fail(it, DNS_EDE_NO_REACHABLE, "name server loop");
    if (it->walk->limited && !it->cut.addr_count) /* a limit has said why */
        return iter_fail(it, DNS_EDE_OTHER, NULL);
    if (!it->cut.addr_count)
        return iter_fail(it, DNS_EDE_NO_REACHABLE, "no address for any name server");
    switch (it->last) {
    case CLASS_LAME:
    case CLASS_UPWARD:
    case CLASS_LOOPING:
    case CLASS_EMPTY:
    case CLASS_REFUSED:
        return iter_fail(it, DNS_EDE_NO_REACHABLE, "lame delegation");
    case CLASS_COUNT:
        if (!silent) /* remembered as lame, or not to be reached at all */
            return iter_fail(it, DNS_EDE_NO_REACHABLE, "no usable name server");
        return iter_fail(it, DNS_EDE_NO_REACHABLE, "no name server answered");
    default:
        return iter_fail(it, DNS_EDE_NETWORK, "name servers failed");
    }
}

static void new_question(struct iter *it)
{
    it->shortened =
        minimise_next(&it->min, it->cut.zone, it->name, it->qtype, &it->sent_name, &it->sent_type);
    it->question++;
    it->pending = 0;
    it->weighed = false;
    it->last = CLASS_COUNT;
    it->hop = ++it->walk->hops;
    cut_new_question(&it->cut);
    trace_add(&it->walk->trace, TRACE_HOP, it->id, walk_us(it->walk), it->hop, it->depth,
              it->reason, it->cut.zone, it->cut.source, it->sent_name, (unsigned)it->sent_type,
              (unsigned)it->shortened, dns_name_labels(it->sent_name), dns_name_labels(it->name));
}

enum iter_next step_select(struct iter *it)
{
    struct choice c;
    bool plain = false, busy;
    if (!it->sent_name)
        new_question(it);
    choose(it, false, &c);
    if (c.best)
        return take(it, &c, NET_PROTO_UDP, false);
    busy = c.busy;
    if (it->children || (!busy && look_up_servers(it)))
        return iter_goto(it, ITER_WAIT);
    if (busy && nap_begin(it, ITER_SELECT))
        return iter_goto(it, ITER_WAIT);
    choose(it, true, &c);
    if (c.best) {
        c.why = "dead, none better";
        return take(it, &c, NET_PROTO_UDP, false);
    }
    if (choose_last(it, &c, &plain))
        return take(it, &c, plain ? NET_PROTO_UDP : NET_PROTO_TCP, plain);
    if (it->pending) /* a late reply of another server brought us here */
        return iter_goto(it, ITER_WAIT);
    return give_up(it);
}

enum iter_next step_send(struct iter *it)
{
    int err = attempt_start(it, it->target, it->proto, it->plain);
    if (err != ERR_BUSY)
        nap_end(it);
    if (!err || (err == ERR_BUSY && nap_begin(it, ITER_SEND)))
        return iter_goto(it, ITER_WAIT);
    if (err == ERR_LIMIT)
        return iter_fail(it, DNS_EDE_OTHER, NULL);
    it->target->out = true;
    return iter_goto(it, ITER_SELECT);
}

enum iter_next step_wait(struct iter *it)
{
    (void)it;
    return ITER_PAUSE;
}
