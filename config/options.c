/* config/options.c: every key of the configuration file, once. */
#include "config/config.h"

#include <string.h>

#define ITEMS(p, h)                                              \
    {                                                            \
        p, CONFIG_ITEMS, false, false, NULL, 0, 0, NULL, h, NULL \
    }
#define MAPS(p, h)                                             \
    {                                                          \
        p, CONFIG_MAP, false, false, NULL, 0, 0, NULL, h, NULL \
    }
#define TEXT(p, d, h)                                        \
    {                                                        \
        p, CONFIG_TEXT, false, false, d, 0, 0, NULL, h, NULL \
    }
#define TEXT_REQ(p, h)                                         \
    {                                                          \
        p, CONFIG_TEXT, false, true, NULL, 0, 0, NULL, h, NULL \
    }
#define TEXTS(p, h)                                            \
    {                                                          \
        p, CONFIG_TEXT, true, false, NULL, 0, 0, NULL, h, NULL \
    }
#define BOOL(p, d, h)                                        \
    {                                                        \
        p, CONFIG_BOOL, false, false, d, 0, 0, NULL, h, NULL \
    }
#define INT(p, d, lo, hi, h)                                  \
    {                                                         \
        p, CONFIG_INT, false, false, d, lo, hi, NULL, h, NULL \
    }
#define DURATION(p, d, lo, hi, h)                                  \
    {                                                              \
        p, CONFIG_DURATION, false, false, d, lo, hi, NULL, h, NULL \
    }
#define SIZE(p, d, lo, hi, h)                                  \
    {                                                          \
        p, CONFIG_SIZE, false, false, d, lo, hi, NULL, h, NULL \
    }
#define PERCENT(p, d, lo, hi, h)                                  \
    {                                                             \
        p, CONFIG_PERCENT, false, false, d, lo, hi, NULL, h, NULL \
    }
#define ADDRESS_REQ(p, h)                                         \
    {                                                             \
        p, CONFIG_ADDRESS, false, true, NULL, 0, 0, NULL, h, NULL \
    }
#define ADDRESSES(p, r, h)                                    \
    {                                                         \
        p, CONFIG_ADDRESS, true, r, NULL, 0, 0, NULL, h, NULL \
    }
#define PREFIXES(p, h)                                           \
    {                                                            \
        p, CONFIG_PREFIX, true, false, NULL, 0, 0, NULL, h, NULL \
    }
#define CHOICE(p, d, c, h)                                  \
    {                                                       \
        p, CONFIG_CHOICE, false, false, d, 0, 0, c, h, NULL \
    }
#define CHOICES(p, d, c, h)                                \
    {                                                      \
        p, CONFIG_CHOICE, true, false, d, 0, 0, c, h, NULL \
    }
#define UNBUILT(p, h)                                              \
    {                                                              \
        p, CONFIG_UNBUILT, false, false, NULL, 0, 0, NULL, h, NULL \
    }

#define BRIEF(p, b, h)                                      \
    {                                                       \
        p, CONFIG_MAP, false, false, NULL, 0, 0, NULL, h, b \
    }
#define NAMED(p, b, h)                                        \
    {                                                         \
        p, CONFIG_NAMED, false, false, NULL, 0, 0, NULL, h, b \
    }
#define INTS(p, lo, hi, h)                                      \
    {                                                           \
        p, CONFIG_INT, true, false, NULL, lo, hi, NULL, h, NULL \
    }
#define PERMILLE(p, d, lo, hi, h)                                  \
    {                                                              \
        p, CONFIG_PERMILLE, false, false, d, lo, hi, NULL, h, NULL \
    }
#define ADDRESS(p, h)                                              \
    {                                                              \
        p, CONFIG_ADDRESS, false, false, NULL, 0, 0, NULL, h, NULL \
    }
#define POSITION(p, h)                                              \
    {                                                               \
        p, CONFIG_POSITION, false, false, NULL, 0, 0, NULL, h, NULL \
    }
#define WEIGHED(p, h)                                              \
    {                                                              \
        p, CONFIG_WEIGHED, false, false, NULL, 0, 0, NULL, h, NULL \
    }

#define DAY_MS     86400000LL
#define GIB        (1LL << 30)
#define WEIGHT_MAX (1 << 20)
#define POLICIES                                                                        \
    "failover|round-robin|weighted-round-robin|weighted|weighted-each|weighted-groups|" \
    "least-load|fastest|hash|consistent|sticky|all|nearest|n-best"

/* What a list of networks of the operator's is about. */
#define PLACE(p)                                                                      \
    MAPS(p, "Where its clients are taken to be, instead of what the database says."), \
        TEXT(p ".continent", NULL, "Code of the continent: EU."),                     \
        TEXT(p ".country", NULL, "ISO 3166-1 code: DE."),                             \
        TEXT(p ".subdivision", NULL, "ISO 3166-2 code without the country: CA."),     \
        TEXT(p ".city", NULL, "English name."),                                       \
        INT(p ".asn", NULL, 1, 4294967295, "Number of the autonomous system."),       \
        POSITION(p ".at", "Latitude and longitude.")
#define NETWORKS(p, d4, d6, h)                                       \
    MAPS(p, h), INT(p ".v4", d4, 0, 32, "Bits of an IPv4 address."), \
        INT(p ".v6", d6, 0, 128, "Bits of an IPv6 address.")

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
    MAPS("server.tcp", "Limits of TCP."),
    INT("server.tcp.connections", "1000", 1, 1000000,
        "Open connections that each listener keeps at each worker; one more closes the idlest."),
    INT("server.tcp.per-client", "100", 1, 1000000, "So many of them may be of one address."),
    DURATION("server.tcp.first-timeout", "5s", 100, 600000,
             "Until the first query of a connection is complete."),
    DURATION("server.tcp.idle-timeout", "10s", 100, 600000,
             "Without traffic, while no answer is owed; none lives longer than 10m."),

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
    CHOICE("authority.responses", "minimal", "minimal|full",
           "full: each answer also names the zone's servers (NS and their addresses)."),

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
    MAPS("resolver.limits", "Bounds of the resolver's work."),
    INT("resolver.limits.work-per-query", "120", 1, 1000, "Upstream queries in all."),
    DURATION("resolver.limits.query-time", "6s", 100, 30000, "Wall time of one query."),
    INT("resolver.limits.in-flight", "4000", 16, 100000,
        "Questions in flight at a worker; of more the oldest fails, once it is 400 ms old."),
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
    MAPS("gslb", "Geography- and health-aware answers."),
    TEXT("gslb.state", NULL,
         "File in which health and orders outlive a restart; relative to the configuration file, "
         "opened once."),
    TEXT("gslb.events", NULL,
         "File to which changes of health are appended, one JSON object a line; opened once."),
    PREFIXES("gslb.explain", "Networks that may ask for a decision's reasons in the answer."),
    TEXTS("gslb.tests", "Files of policy tests that a reload must pass."),
    TEXTS("gslb.resolve-hosts-with",
          "Who looks up `alias` and `host`: the word self, our own resolver (the default), or "
          "addresses of servers that resolve."),
    DURATION("gslb.warm-up", "1s", 0, 60000,
             "How long steered answers wait for the first round of checks."),
    NETWORKS("gslb.networks", "24", "56",
             "Clients that share so many bits are one client network to a policy."),
    MAPS("gslb.doubt", "When the prober, not the members, is doubted, and states freeze."),
    PERMILLE("gslb.doubt.share", "80.0%", 0, 1000,
             "So many of all targets turn bad within the window; 0%: never."),
    DURATION("gslb.doubt.window", "30s", 1000, 3600000, "The window."),
    INT("gslb.doubt.targets", "4", 1, 1000000, "With fewer targets than this nothing is doubted."),
    PERMILLE("gslb.doubt.withdraw", "100.0%", 1, 1000,
             "Of a pool's capacity at most this is withdrawn per minute."),
    ITEMS("gslb.doubt.references", "Targets whose failure, of all of them, means that it is us."),
    TEXT_REQ("gslb.doubt.references[].check", "Name of the check."),
    ADDRESS_REQ("gslb.doubt.references[].address", "Address that is asked."),

    NAMED("gslb.sites", NULL, "Places that serve."),
    POSITION("gslb.sites.*.at", "Latitude and longitude."),

    NAMED("gslb.maps", NULL, "From a client's address to sites in order."),
    TEXT("gslb.maps.*.database", NULL, "MaxMind database of places, or rows of them (.csv)."),
    TEXT("gslb.maps.*.asn-database", NULL,
         "Second database, for the AS and for what the first one lacks."),
    NAMED("gslb.maps.*.networks", "of", "Networks of the operator's; they beat the database."),
    PREFIXES("gslb.maps.*.networks.*.of", "The networks."),
    TEXT("gslb.maps.*.networks.*.file", NULL,
         "File of networks, one per line, # begins a comment."),
    PLACE("gslb.maps.*.networks.*.place"),
    ITEMS("gslb.maps.*.overlay", "Networks with sites of their own, ahead of all rules."),
    PREFIXES("gslb.maps.*.overlay[].networks", "The networks."),
    TEXT("gslb.maps.*.overlay[].file", NULL, "File of networks, one per line, # begins a comment."),
    WEIGHED("gslb.maps.*.overlay[].prefer", "Sites in order, sites with weights, or nearest."),
    INT("gslb.maps.*.overlay[].limit", NULL, 1, 256, "Length of the list."),
    BOOL("gslb.maps.*.overlay[].fence", "no", "Never any other site than these."),
    ITEMS("gslb.maps.*.rules", "The first that matches decides."),
    TEXTS("gslb.maps.*.rules[].network", "Names under networks."),
    TEXTS("gslb.maps.*.rules[].continent", "Codes of continents: EU."),
    TEXTS("gslb.maps.*.rules[].country", "ISO 3166-1 codes: DE."),
    TEXTS("gslb.maps.*.rules[].subdivision", "Country and ISO 3166-2 code: US/CA."),
    TEXTS("gslb.maps.*.rules[].city", "Country and English name: FR/Paris."),
    INTS("gslb.maps.*.rules[].asn", 1, 4294967295, "Numbers of autonomous systems."),
    BOOL("gslb.maps.*.rules[].unknown", "no", "Clients of whom nothing is known."),
    WEIGHED("gslb.maps.*.rules[].prefer", "Sites in order, sites with weights, or nearest."),
    TEXTS("gslb.maps.*.rules[].nearest", "The nearest of these sites."),
    INT("gslb.maps.*.rules[].limit", NULL, 1, 256, "Length of the list."),
    BOOL("gslb.maps.*.rules[].fence", "no", "Never any other site than these."),
    WEIGHED("gslb.maps.*.otherwise", "For clients that no rule matches."),
    INT("gslb.maps.*.limit", NULL, 1, 256, "Length of every list; default: all sites."),
    CHOICE("gslb.maps.*.client-subnet", "use", "use|ignore",
           "Does the client's subnet in the query (RFC 7871) steer, or only the packet's source?"),
    NETWORKS("gslb.maps.*.widest", "0", "0",
             "Scopes above 0 are never shorter than this; 0: as they are."),
    NETWORKS("gslb.maps.*.narrowest", "0", "0",
             "Networks longer than this are merged when the map is compiled; 0: never."),

    NAMED("gslb.checks", NULL, "How the health of members is asked."),
    {"gslb.checks.*.type", CONFIG_CHOICE, false, true, NULL, 0, 0,
     "none|tcp|http|https|dns|icmp|exec|push", "Kind.", NULL},
    INT("gslb.checks.*.port", NULL, 1, 65535, "Default: that of the type."),
    ADDRESS("gslb.checks.*.address", "Ask here instead of the member's address."),
    ADDRESS("gslb.checks.*.source", "Ask from this address."),
    DURATION("gslb.checks.*.every", "10s", 100, DAY_MS, "Time from one probe to the next."),
    DURATION("gslb.checks.*.timeout", "2s", 0, 3600000,
             "No answer for so long is a failure; push: no news for so long, 0s: never."),
    PERMILLE("gslb.checks.*.jitter", "10.0%", 0, 500, "Each wait is up to so much shorter."),
    INT("gslb.checks.*.fail-after", "3", 1, 1000, "Failures that bring it down."),
    INT("gslb.checks.*.pass-after", "2", 1, 1000, "Passes in a row that bring it up."),
    INT("gslb.checks.*.reset-after", "1", 1, 1000, "Passes in a row that forgive failures."),
    DURATION("gslb.checks.*.hold", "0s", 0, DAY_MS, "Least time between two changes."),
    DURATION("gslb.checks.*.slow-start", "0s", 0, DAY_MS,
             "Coming up, the weight rises from a tenth to all over this time."),
    MAPS("gslb.checks.*.flap", "A member that changes too often stays down."),
    INT("gslb.checks.*.flap.penalty", "1000", 0, 1000000, "What a change adds."),
    INT("gslb.checks.*.flap.suppress", "3000", 0, 100000000, "It stays down with so much."),
    INT("gslb.checks.*.flap.reuse", "1000", 0, 100000000, "Until at most so much is left."),
    DURATION("gslb.checks.*.flap.half-life", "5m", 0, DAY_MS, "Half of it decays in this time."),
    CHOICE("gslb.checks.*.resume", "automatic", "automatic|manual",
           "Does a member that was down come up by itself?"),
    BOOL("gslb.checks.*.reuse", "no", "A connection may serve several probes."),
    TEXT("gslb.checks.*.send", NULL, "tcp: text to send."),
    BRIEF("gslb.checks.*.expect", "text", "What a good answer is."),
    TEXT("gslb.checks.*.expect.text", NULL, "tcp: text in what comes back."),
    TEXTS("gslb.checks.*.expect.status", "http: status codes, 200 or 200-299; default 200-299."),
    TEXT("gslb.checks.*.expect.body", NULL, "http: text in the body."),
    TEXT("gslb.checks.*.expect.header", NULL, "http: \"Name: text\", a header and a text in it."),
    TEXT("gslb.checks.*.expect.rcode", NULL, "dns: response code; default noerror."),
    TEXT("gslb.checks.*.expect.answer", NULL, "dns: data of one record of the answer."),
    TEXT("gslb.checks.*.method", "GET", "http: method."),
    TEXT("gslb.checks.*.path", "/", "http: path."),
    TEXT("gslb.checks.*.host", NULL, "http: Host, and the name of the certificate."),
    TEXT("gslb.checks.*.sni", NULL, "https: name of the certificate, when it is not host."),
    BOOL("gslb.checks.*.verify", "yes", "https: check the certificate."),
    TEXT("gslb.checks.*.ca", NULL, "https: file of authorities; default: the system's."),
    BOOL("gslb.checks.*.http2", "no", "http: ask by HTTP/2."),
    TEXT("gslb.checks.*.load-body", NULL,
         "http: text behind which the body holds the load, 0 to 1,000,000."),
    TEXT("gslb.checks.*.load-header", NULL, "http: header that holds the load, 0 to 1,000,000."),
    TEXT("gslb.checks.*.ask", NULL, "dns: name and type; default: the root's SOA."),
    BOOL("gslb.checks.*.tcp", "no", "dns: ask over TCP."),
    TEXTS("gslb.checks.*.command", "exec: program and arguments; the address is added."),

    NAMED("gslb.pools", NULL, "Members that are alternatives to each other."),
    TEXT("gslb.pools.*.site", NULL, "Where it is."),
    TEXTS("gslb.pools.*.check", "Checks of its members."),
    TEXTS("gslb.pools.*.checks", "As check."),
    TEXT("gslb.pools.*.need", "all", "So many checks must pass: all, any or a number."),
    BRIEF("gslb.pools.*.choose", "by", "Which members go into an answer."),
    CHOICE("gslb.pools.*.choose.by", "failover", POLICIES, "The policy."),
    INT("gslb.pools.*.choose.answers", NULL, 1, 1024,
        "At most so many members; default: the policy's own number."),
    CHOICE("gslb.pools.*.choose.order", "fixed", "shuffled|fixed", "Order of the answer."),
    DURATION("gslb.pools.*.choose.band", "10ms", 0, 60000,
             "fastest: within this of the best they are equal."),
    DURATION("gslb.pools.*.choose.lifetime", "1h", 0, 365 * DAY_MS,
             "sticky: a client may get another member after this; 0s: never."),
    PERMILLE("gslb.pools.*.choose.bound", NULL, 1000, 100000,
             "consistent: a member with more than this of its share passes clients on."),
    TEXT("gslb.pools.*.choose.map", NULL,
         "nearest: the map whose databases and networks say where clients are."),
    PERMILLE("gslb.pools.*.enough", "0.0%", 0, 1000,
             "With less of its weight available the pool counts as down."),
    CHOICE("gslb.pools.*.health", "use", "use|ignore", "Ignore: every enabled member is up."),
    TEXT("gslb.pools.*.fallback", NULL, "Pool to try when this one is down."),
    NETWORKS("gslb.pools.*.networks", NULL, NULL, "As gslb.networks, for this pool."),
    TEXTS("gslb.pools.*.records", "Records of other types: TXT \"x\"."),
    NAMED("gslb.pools.*.members", "address", "Its members, in order."),
    ADDRESSES("gslb.pools.*.members.*.address", false, "One per family."),
    TEXT("gslb.pools.*.members.*.host", NULL, "Name whose addresses it has."),
    TEXT("gslb.pools.*.members.*.cname", NULL, "Name that is given as a CNAME."),
    INT("gslb.pools.*.members.*.weight", "1", 0, WEIGHT_MAX, "Weight."),
    INT("gslb.pools.*.members.*.group", "0", 0, 65535, "weighted-groups: its group."),
    BOOL("gslb.pools.*.members.*.enabled", "yes", "No: it is never given."),
    POSITION("gslb.pools.*.members.*.at", "nearest: where it is; default: as its site."),
    TEXTS("gslb.pools.*.members.*.check", "Its checks; default: the pool's."),
    TEXTS("gslb.pools.*.members.*.checks", "As check."),
    TEXT("gslb.pools.*.members.*.need", NULL, "As the pool's."),
    TEXTS("gslb.pools.*.members.*.tags", "Words for the operator."),

    NAMED("gslb.names", NULL, "Steered names."),
    TEXT("gslb.names.*.map", NULL, "Map that orders the sites; default: the pools as written."),
    TEXTS("gslb.names.*.pools", "Pools; with a map one per site."),
    TEXT("gslb.names.*.pool", NULL, "The only pool."),
    BOOL("gslb.names.*.skip-first", "no", "Leave the client's first usable site out."),
    CHOICE("gslb.names.*.family", "nodata", "nodata|fail-over",
           "When the site has no address of the family asked."),
    TEXT("gslb.names.*.fallback", NULL, "Pool, or another steered name, to try in the end."),
    TEXT("gslb.names.*.outside", "nodata",
         "For clients without a site: nodata, refuse, fallback or a pool."),
    CHOICE("gslb.names.*.when-all-down", "last-healthy-then-all",
           "last-healthy-then-all|all|fallback|nodata|refuse", "When nothing is usable."),
    BRIEF("gslb.names.*.ttl", "normal", "Life of an answer."),
    DURATION("gslb.names.*.ttl.normal", "30s", 0, 7 * DAY_MS, "Of whole seconds."),
    DURATION("gslb.names.*.ttl.degraded", NULL, 0, 7 * DAY_MS,
             "While a member is unsettled; default: a third of it."),
    DURATION("gslb.names.*.ttl.min", NULL, 0, 7 * DAY_MS, "Never shorter."),
    DURATION("gslb.names.*.ttl.max", NULL, 0, 7 * DAY_MS, "Never longer."),
    TEXT("gslb.names.*.alias", NULL, "Name whose addresses are the answer."),
    UNBUILT("admin", "HTTP API, metrics and dashboard on TCP."),
    UNBUILT("keys", "TSIG keys."),
    UNBUILT("certificates", "TLS certificates."),
    UNBUILT("cluster", "State shared between servers."),
    UNBUILT("include", "Further files."),
    {NULL, CONFIG_MAP, false, false, NULL, 0, 0, NULL, NULL, NULL},
};

/* With the keys below them. Threads, sockets, caches and what walks are made of. */
static const char *const at_start[] = {"server.workers", "server.user", "server.control",
                                       "server.tcp",     "resolver",    "gslb.resolve-hosts-with"};

bool config_option_at_start(const struct config_option *o)
{
    if (!strcmp(o->path, "resolver.allow")) /* who may ask is the listeners' */
        return false;
    for (size_t i = 0; i < sizeof at_start / sizeof *at_start; i++) {
        size_t n = strlen(at_start[i]);
        if (!strncmp(o->path, at_start[i], n) && (!o->path[n] || o->path[n] == '.'))
            return true;
    }
    return false;
}
