/* gslb/plan.h: what is configured under `gslb`, compiled.
 * A plan is filled by whoever reads the configuration (daemon/steering.c; tests by hand): arrays
 * in the plan's arena, everything else named by index. gslb_plan_finish checks what concerns more
 * than one item (loops, types, shares), takes slots for identities and derives what a query needs.
 * For every name the types that any branch can yield are known then, and so is every distinct set
 * outside the pools (`records`).
 * Threads: filled and finished by one; then immutable, by any. Owner: a part, held by snapshots. */
#ifndef WAYPOST_GSLB_PLAN_H
#define WAYPOST_GSLB_PLAN_H

#include "authority/dynamic.h"
#include "base/arena.h"
#include "base/block.h"
#include "base/diag.h"
#include "base/fileid.h"
#include "base/snap.h"
#include "geo/map.h"
#include "gslb/check.h"
#include "gslb/table.h"
#include "net/acl.h"

#define GSLB_NONE (-1)

struct gslb_site {
    const char *name;
    bool has_position;
    float latitude, longitude;
    /* gslb_plan_finish: */
    uint64_t id; /* for drawing by weight: of the name, so that it stays over reloads */
};

/* Addresses -> ordered sites; or, for a pool that chooses the nearest, -> ordered members. */
struct gslb_map {
    const char *name;
    const struct geo_map *geo;
    struct part *owner; /* of geo and its databases: one reference, the plan's; NULL in tests */
    bool ignore_subnet; /* client-subnet: ignore */
    uint8_t widest4, widest6;   /* a scope above 0 is never shorter than this; 0: as it is */
    uint8_t network4, network6; /* whose hash draws among weighted sites: 24, 56 */
};

enum gslb_kind { GSLB_ADDRESSES, GSLB_HOST, GSLB_CNAME };

struct gslb_endpoint { /* a member of a pool; what queries read comes first, to be one line */
    enum gslb_kind kind;
    uint32_t weight; /* 0 .. GSLB_WEIGHT_MAX */
    uint32_t slot;   /* gslb_plan_finish */
    uint32_t
        target;   /* HOST: see gslb/target.h; else, and without targets, GSLB_NO_TARGET; finish */
    bool enabled; /* else never given, whatever its health */
    bool has_position;      /* for `nearest`: its own, else its site's */
    uint16_t group;         /* `weighted` by groups */
    struct addr address[2]; /* ADDRESSES: IPv4, IPv6; family 0: none */
    const char *name;
    const uint8_t *host; /* HOST, CNAME: wire */
    float latitude, longitude;
    const uint16_t *checks; /* indices; none: nothing speaks against it */
    unsigned check_count;
    enum gslb_combine combine;
    unsigned k; /* K_OF */
    const char *const *tags;
    unsigned tag_count;
};

struct gslb_pool {
    const char *name;
    int site; /* GSLB_NONE: of no site */
    enum gslb_policy policy;
    unsigned answers; /* at most so many; 0: the policy's own number */
    bool shuffle;
    uint32_t healthy_permille;  /* `enough` */
    bool ignore_health;         /* every enabled member counts as up */
    uint32_t band_us, epoch_s;  /* `fastest`, `sticky` */
    uint32_t bound_permille;    /* `consistent`: of its share; 0: no bound */
    uint8_t network4, network6; /* client networks are told apart by so many bits: 24, 56 */
    int near;     /* map whose sites are the members, in order of distance; GSLB_NONE */
    int fallback; /* pool to try when this one is not usable; GSLB_NONE */
    struct gslb_endpoint *endpoints;
    unsigned endpoint_count;
    const struct dns_rrset *records; /* other types, one set each (owner, ttl unused) */
    unsigned record_count;
    struct diag_at at; /* where it is written */
    /* gslb_plan_finish: */
    uint32_t slot;
    struct gslb_member *members; /* as gslb_pick takes them, [endpoint_count] */
    bool has[3];                 /* GSLB_HAS_*: some enabled member yields this */
    bool whole[2];               /* A, AAAA: all members are enabled and have such an address */
    uint32_t state_at; /* offset of its policy's states in a worker's: for AAAA, for all else (one
                          state for both would give each type every other turn) */
    bool repeats;      /* an address occurs twice: answers leave the second out */
};
enum { GSLB_HAS_A, GSLB_HAS_AAAA, GSLB_HAS_CNAME };

enum gslb_all_down {
    /* The pool that was last usable for the name, for an hour and where this client may get it: all
     * its members that were up then, at most `answers`; else as ALL. */
    GSLB_DOWN_LAST_HEALTHY,
    GSLB_DOWN_ALL,      /* all members of the first pool that was tried and has any enabled, at most
                           `answers` */
    GSLB_DOWN_FALLBACK, /* the zone's own records */
    GSLB_DOWN_NODATA,
    GSLB_DOWN_REFUSE
};
enum gslb_outside { /* a client whose list of sites is empty */
                    GSLB_OUTSIDE_NODATA,
                    GSLB_OUTSIDE_POOL, /* outside_pool */
                    GSLB_OUTSIDE_REFUSE,
                    GSLB_OUTSIDE_FALLBACK /* as if all sites were down: the name's fallback */
};

struct gslb_name {
    const uint8_t *owner;  /* wire, lower case; may be a wildcard */
    int map;               /* GSLB_NONE: `pools` are tried in order for everybody */
    const uint32_t *pools; /* with a map: one per site at most, each with a site */
    unsigned pool_count;
    bool
        skip_first; /* the first site of the client's list that has a pool is left out, if 2 have */
    bool family_fail_over; /* a site without the family asked counts as not usable */
    int fallback_pool;     /* after the list; GSLB_NONE */
    int fallback_name;     /* or all that this other name would try; GSLB_NONE */
    enum gslb_outside outside;
    int outside_pool;
    enum gslb_all_down all_down;
    uint32_t ttl, ttl_degraded; /* seconds */
    uint32_t ttl_min, ttl_max;  /* clamps of both; 0: none */
    const uint8_t *alias;  /* wire: addresses of this name are the answer; no pools then. NULL */
    uint32_t alias_target; /* gslb/target.h; finish */
    struct diag_at at;
    /* gslb_plan_finish: */
    uint32_t slot;
    uint64_t hash;      /* of the owner */
    int32_t *site_pool; /* [sites of the plan]: pool of the site, or GSLB_NONE; NULL without a map;
                           names with the same pools have one, so that it is near when it is read */
    uint16_t *types;    /* that any branch yields (CNAME too), rising; shared in the same way */
    unsigned type_count;
};

struct gslb_targets;
/* A file, beside the configuration, that the plan was read from. */
struct gslb_file {
    struct gslb_file *next;
    const char *path;
    struct fileid id;    /* of what was tried */
    bool database;       /* else a list of networks */
    const char *problem; /* why it could not be read; NULL: it was */
    int64_t read_s;      /* wall clock, when the tables that serve were read; 0: there are none */
    uint64_t built_s;    /* wall clock, when they were made; 0: not known */
};

struct gslb_plan {
    struct part part;
    struct arena arena;
    struct gslb_site *sites; /* every map of sites uses these, in this order */
    unsigned site_count;
    struct gslb_map *maps;
    unsigned map_count;
    struct gslb_check *checks;
    unsigned check_count;
    struct gslb_pool *pools;
    unsigned pool_count;
    struct gslb_name *names; /* index: the id of authority/dynamic.h. owner NULL: free */
    unsigned name_count;
    uint32_t warm_up_ms;
    struct net_acl explain; /* who is told why when asked in band; its rules are the arena's */
    struct gslb_doubt doubt;
    struct gslb_targets *targets; /* takes the names that are not ours; NULL: nobody follows them */
    struct gslb_file *files;
    /* gslb_plan_finish: */
    size_t state_bytes; /* of one worker's policy states */
    uint8_t *states;    /* [workers], each on lines of its own: the one mutable thing, each worker's
                           own */
    unsigned workers;
    struct gslb_named_id *by_owner; /* names in canonical order (RFC 4034 6.1) */
    unsigned by_owner_count;
    struct gslb_named_id *by_pool; /* pools in order of their names */
    uint32_t *target_used;         /* for gslb_targets_keep; a target may be there twice */
    unsigned target_count;
    struct block room; /* gslb_monitor_prepare's, until the monitor takes it */
};
struct gslb_named_id {
    const void *name;
    unsigned id;
};

/* An empty plan; NULL: out of memory. */
struct gslb_plan *gslb_plan_new(void);
/* before (may be NULL): owners that it knows keep their ids, so that a zone that could not be read
 * again and stays in its old version goes on asking about the right names; `names` is permuted for
 * that, fallback_name with it. Free ids have owner NULL.
 * ERR_INVALID (said in d with where it is written): fallbacks that form a loop; a pool without
 * members; two pools of one site in a name, a pool without a site under a map; policy `nearest`
 * without positions; a CNAME at an apex is zone_load's to say. ERR_NOMEM, ERR_LIMIT. Warnings:
 * sites of a map that no pool serves; a fence whose outsiders get NODATA; pools that no name uses;
 * TTLs above what they are clamped to. */
int gslb_plan_finish(struct gslb_plan *p, const struct gslb_plan *before, struct gslb_table *t,
                     unsigned workers, struct diag_list *d);
struct part *gslb_plan_part(struct gslb_plan *p);
/* The id of this owner (wire, lower case), or GSLB_NONE. */
int gslb_plan_name(const struct gslb_plan *p, const uint8_t *owner);
int gslb_plan_pool(const struct gslb_plan *p, const char *name);
int gslb_plan_site(const struct gslb_plan *p, const char *name);
/* For zone_load: the names at or below an origin, and not below another of `origins`. Lies in `a`;
 * returns their count or ERR_NOMEM. */
int gslb_plan_dynamic(const struct gslb_plan *p, const uint8_t *origin,
                      const uint8_t *const *origins, unsigned origin_count, struct arena *a,
                      struct dynamic_name **out);

#endif
