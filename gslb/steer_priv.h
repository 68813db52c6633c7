/* gslb/steer_priv.h: what the files of one decision share: steer finds the pool, give puts what it
 * gives. */
#ifndef WAYPOST_GSLB_STEER_PRIV_H
#define WAYPOST_GSLB_STEER_PRIV_H

#include "client_priv.h"
#include "gslb/steer.h"

#include "dns/type.h"

/* One decision under way. */
struct steering {
    const struct gslb_ask *ask;
    struct gslb_worker *w;
    const struct gslb_plan *plan;
    const struct gslb_name *name; /* that was asked */
    struct gslb_answer *out;
    struct client client; /* of the map, or of the name without one, that is tried */
    unsigned scope, widest;
    bool unsettled;
    bool family_only;           /* a pool was left only because it lacks the family asked */
    uint32_t until_s;           /* of the operator's words on the pools tried */
    uint32_t fetched_ttl;       /* left of what was fetched and is given; UINT32_MAX: nothing is */
    int first, last_healthy;    /* pools tried: the first; the one that was last usable */
    uint32_t last_slot, last_s; /* GSLB_NO_SLOT: not read yet, or none */
    bool last_read;
};

void steer_say(struct gslb_log *log, const struct gslb_event *e);
#define SAY(s, ...)                                                      \
    do {                                                                 \
        if ((s)->ask->log)                                               \
            steer_say((s)->ask->log, &(struct gslb_event){__VA_ARGS__}); \
    } while (0)

static inline void steer_looked(struct steering *s, unsigned depth)
{
    if (s->client.from_subnet && depth > s->scope)
        s->scope = depth;
}

enum family { ANY_FAMILY = -1, IPV4, IPV6 };

static inline enum family family_of(uint16_t qtype)
{
    return qtype == DNS_TYPE_A ? IPV4 : qtype == DNS_TYPE_AAAA ? IPV6 : ANY_FAMILY;
}

static inline bool steer_target(const struct steering *s, uint32_t target,
                                const struct edns_subnet *subnet, struct gslb_target_found *found)
{
    return s->w->targets && target != GSLB_NO_TARGET &&
           gslb_target_find(s->w->targets, target, subnet, (uint32_t)s->ask->mono_s, found);
}

/* Without an address that is known a host name may still come to have one of any family. */
static inline bool steer_member_has(const struct steering *s, const struct gslb_endpoint *e,
                                    enum family f)
{
    struct gslb_target_found found;
    switch (e->kind) {
    case GSLB_ADDRESSES:
        return f == ANY_FAMILY || e->address[f].family;
    case GSLB_HOST:
        return f == ANY_FAMILY || !steer_target(s, e->target, NULL, &found) || found.count[f];
    case GSLB_CNAME:
        break;
    }
    return true;
}

/* An address of the name it stands for is known. */
static inline bool steer_member_known(const struct steering *s, const struct gslb_endpoint *e)
{
    struct gslb_target_found found;
    return e->kind != GSLB_HOST || steer_target(s, e->target, NULL, &found);
}

/* The list of the client that is tried. */
const struct geo_list *steer_map_list(struct steering *s, int map);
/* The answer of a pool whose members are in w->views. all: every one that is up there, whatever the
 * policy. */
void give_pool(struct steering *s, int pool, bool all);

#endif
