/* config/options.c: every key of the configuration file, once. */
#include "config/config.h"

#define ITEMS(p, h)                                        \
    {                                                      \
        p, CONFIG_ITEMS, false, false, NULL, 0, 0, NULL, h \
    }
#define MAPS(p, h)                                       \
    {                                                    \
        p, CONFIG_MAP, false, false, NULL, 0, 0, NULL, h \
    }
#define TEXT(p, d, h)                                  \
    {                                                  \
        p, CONFIG_TEXT, false, false, d, 0, 0, NULL, h \
    }
#define TEXT_REQ(p, h)                                   \
    {                                                    \
        p, CONFIG_TEXT, false, true, NULL, 0, 0, NULL, h \
    }
#define TEXTS(p, h)                                      \
    {                                                    \
        p, CONFIG_TEXT, true, false, NULL, 0, 0, NULL, h \
    }
#define BOOL(p, d, h)                                  \
    {                                                  \
        p, CONFIG_BOOL, false, false, d, 0, 0, NULL, h \
    }
#define INT(p, d, lo, hi, h)                            \
    {                                                   \
        p, CONFIG_INT, false, false, d, lo, hi, NULL, h \
    }
#define DURATION(p, d, lo, hi, h)                            \
    {                                                        \
        p, CONFIG_DURATION, false, false, d, lo, hi, NULL, h \
    }
#define SIZE(p, d, lo, hi, h)                            \
    {                                                    \
        p, CONFIG_SIZE, false, false, d, lo, hi, NULL, h \
    }
#define PERCENT(p, d, lo, hi, h)                            \
    {                                                       \
        p, CONFIG_PERCENT, false, false, d, lo, hi, NULL, h \
    }
#define ADDRESS_REQ(p, h)                                   \
    {                                                       \
        p, CONFIG_ADDRESS, false, true, NULL, 0, 0, NULL, h \
    }
#define ADDRESSES(p, r, h)                              \
    {                                                   \
        p, CONFIG_ADDRESS, true, r, NULL, 0, 0, NULL, h \
    }
#define PREFIXES(p, h)                                     \
    {                                                      \
        p, CONFIG_PREFIX, true, false, NULL, 0, 0, NULL, h \
    }
#define CHOICE(p, d, c, h)                            \
    {                                                 \
        p, CONFIG_CHOICE, false, false, d, 0, 0, c, h \
    }
#define CHOICES(p, d, c, h)                          \
    {                                                \
        p, CONFIG_CHOICE, true, false, d, 0, 0, c, h \
    }
#define UNBUILT(p, h)                                        \
    {                                                        \
        p, CONFIG_UNBUILT, false, false, NULL, 0, 0, NULL, h \
    }

#define DAY_MS 86400000LL
#define GIB    (1LL << 30)

const struct config_option config_options[] = {
    MAPS("server", "The process."),
    TEXT("server.identity", NULL, "Answer to NSID and id.server; never the host name by itself."),
    INT("server.workers", "0", 0, 64, "Worker threads; 0 is one per core."),
    TEXT("server.user", NULL, "User to become after the ports are bound; default: stay."),
    TEXT("server.control", "auto",
         "Path of the control socket; auto: in the runtime folder; none: without."),
    CHOICE("server.log", "info", "error|warning|notice|info|debug",
           "Least important level that is logged."),
    BOOL("server.chaos", "no", "Answer version.bind and id.server in class CH."),
    TEXT("server.version", "waypost", "Answer to version.bind, when server.chaos allows it."),
    INT("server.udp-size", "1232", 512, 4096,
        "Longest answer over UDP, in octets; clients are told so, and turn to TCP."),
    DURATION("server.drain", "2s", 0, 60000, "How long queries in flight may finish at the end."),

    ITEMS("listen", "Where queries are taken."),
    ADDRESS_REQ("listen[].address", "Address to bind."),
    INT("listen[].port", "53", 0, 65535, "Port; 0 takes a free one."),
    TEXT("listen[].name", NULL, "Name that zones use in `on`."),
    CHOICES("listen[].role", NULL, "authority|resolver",
            "What it serves; default: authority if only zones are configured, else resolver."),
    PREFIXES("listen[].allow", "Networks that may ask the resolver here; default: resolver.allow."),
    CHOICES("listen[].proto", NULL, "udp|tcp|tls|https", "Transports; default udp and tcp."),
    UNBUILT("listen[].certificate", "Certificate for TLS."),
    UNBUILT("listen[].path", "Path of DNS over HTTPS."),

    ITEMS("zones", "Zones we are authoritative for."),
    TEXT_REQ("zones[].name", "Origin of the zone."),
    TEXT_REQ("zones[].file", "Master file; relative to the configuration file."),
    TEXTS("zones[].on", "Names of listeners that serve it; default: all with the role authority."),
    UNBUILT("zones[].sign", "Online signing."),
    UNBUILT("zones[].transfer", "Outgoing transfers."),
    UNBUILT("zones[].notify", "Secondaries to notify."),
    UNBUILT("zones[].role", "Catalog and secondary zones."),

    MAPS("authority", "How our own zones are answered."),
    CHOICE("authority.responses", "full", "minimal|full",
           "Leave out what need not be there, or not."),

    MAPS("resolver", "Resolving the names of others."),
    PREFIXES("resolver.allow",
             "Networks that may ask; default: loopback and directly connected private networks."),
    TEXT("resolver.root-hints", "builtin",
         "The word builtin, or a file with the root's NS and addresses."),
    BOOL("resolver.priming", "yes", "Ask a root server for the root's NS set at start."),
    BOOL("resolver.qname-minimisation", "yes",
         "Show each server no more of the name than it needs (RFC 9156)."),
    BOOL("resolver.case-randomisation", "yes", "Mixed case in questions against forged replies."),
    BOOL("resolver.cookies", "yes", "Cookies towards servers against forged replies (RFC 7873)."),
    BOOL("resolver.harden-glue", "yes",
         "Glue is only used inside the bailiwick of the zone that was asked."),
    BOOL("resolver.special-zones", "yes", "Answer RFC 6761 and RFC 6303 names locally."),
    BOOL("resolver.ipv4", "yes", "Ask servers over IPv4."),
    BOOL("resolver.ipv6", "yes", "Ask servers over IPv6."),
    BOOL("resolver.ask-loopback", "no", "Servers on loopback addresses may be asked."),
    BOOL("resolver.ask-private", "no", "Servers on private addresses may be asked."),
    INT("resolver.upstream-port", "53", 1, 65535, "Port that servers are asked on."),
    ADDRESSES("resolver.source", false, "Source addresses of upstream queries, one per family."),
    CHOICE("resolver.responses", "minimal", "minimal|full",
           "Full: with the NS set and the addresses that the cache knows beside the answer."),
    MAPS("resolver.cache", "The two tiers of the cache."),
    SIZE("resolver.cache.size", "64M", 1 << 20, 1024 * GIB, "Hard bound over both tiers."),
    BOOL("resolver.cache.wall-clock", "no", "Let TTLs follow the wall clock, also when it jumps."),
    PERCENT("resolver.cache.prefetch", "10%", 0, 90,
            "An entry in use is asked for again when so much of its TTL is left; 0%: never."),
    MAPS("resolver.cache.ttl", "Clamps."),
    DURATION("resolver.cache.ttl.min", "0s", 0, DAY_MS, "Shorter TTLs are kept this long."),
    DURATION("resolver.cache.ttl.max", "1d", 1000, 7 * DAY_MS, "Longer TTLs are cut to this."),
    DURATION("resolver.cache.ttl.negative", "1h", 0, DAY_MS, "Longest life of a negative answer."),
    UNBUILT("resolver.cache.stale", "Serving stale answers."),
    UNBUILT("resolver.cache.save-on-exit", "Keeping the cache over a restart."),
    MAPS("resolver.limits", "Work one client query may cause."),
    INT("resolver.limits.work-per-query", "120", 1, 1000, "Upstream queries in all."),
    DURATION("resolver.limits.query-time", "6s", 100, 30000, "Wall time of one query."),
    ITEMS("resolver.forward", "Zones that are asked of other resolvers; `.` is everything."),
    TEXT_REQ("resolver.forward[].zone", "Apex of the zone."),
    ADDRESSES("resolver.forward[].to", true, "Servers."),
    ITEMS("resolver.local", "Names answered from here."),
    TEXT_REQ("resolver.local[].name", "Owner."),
    ADDRESSES("resolver.local[].a", false, "IPv4 addresses."),
    ADDRESSES("resolver.local[].aaaa", false, "IPv6 addresses."),
    CHOICE("resolver.local[].action", NULL, "nxdomain|nodata|refuse",
           "For the name and everything below it."),
    UNBUILT("resolver.validate", "DNSSEC validation."),
    UNBUILT("resolver.trust-anchors", "DNSSEC trust anchors."),
    UNBUILT("resolver.clock-guard", "Telling a wrong clock from a bogus zone."),
    UNBUILT("resolver.client-subnet", "Sending ECS."),
    UNBUILT("gslb", "Geography- and health-aware answers."),
    UNBUILT("admin", "HTTP API, metrics and dashboard on TCP."),
    UNBUILT("keys", "TSIG keys."),
    UNBUILT("certificates", "TLS certificates."),
    UNBUILT("cluster", "State shared between servers."),
    UNBUILT("include", "Further files."),
    {NULL, CONFIG_MAP, false, false, NULL, 0, 0, NULL, NULL},
};
