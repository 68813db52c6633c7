#include "lab/exhibits.h"

#include "dns/type.h"

#include <string.h>

/* Both web servers of a site. */
#define FRANKFURT "127.80.1.1|127.80.1.2"
#define ASHBURN   "127.80.2.1|127.80.2.2"
#define SINGAPORE "127.80.3.1|127.80.3.2"

const struct exhibit lab_exhibits[] = {
    {"plain", NULL, "www.shop.test", "A", "NOERROR", "203.0.113.10", NULL,
     "Three hops: root, TLD, the zone's own server.", 0},
    {"plain IPv6", NULL, "www.shop.test", "AAAA", "NOERROR", "2001:db8:10::10", NULL,
     "The same walk for another type.", 0},
    {"wildcard", NULL, "any.wild.shop.test", "A", "NOERROR", "203.0.113.77", NULL,
     "A name that exists only through *.wild (RFC 4592).", 0},
    {"empty non-terminal", NULL, "deep.shop.test", "A", "NOERROR", NULL, NULL,
     "The name exists because something is below it: no data, not NXDOMAIN.", 0},
    {"no data", NULL, "www.shop.test", "MX", "NOERROR", NULL, NULL,
     "The name exists, the type does not (RFC 2308).", 0},
    {"no such name", NULL, "nothing.shop.test", "A", "NXDOMAIN", NULL, NULL,
     "Neither the name nor a wildcard.", 0},
    {"alias", NULL, "www.alias.test", "A", "NOERROR", "203.0.113.10", NULL,
     "A CNAME into another zone.", 0},
    {"alias across TLDs", NULL, "cdn.alias.test", "A", "NOERROR", "198.51.100.6", NULL,
     "A CNAME into a zone under another TLD: the walk begins again at the root.", 0},
    {"alias to nothing", NULL, "nowhere.alias.test", "A", "NXDOMAIN", "nothing.shop.test.", NULL,
     "The alias exists, its target does not.", 0},
    {"chain of eight", NULL, "c8-1.chain.test", "A", "NOERROR", "203.0.113.80", NULL,
     "Eight links are within the limit of eleven.", 0},
    {"chain of twelve", NULL, "c12-1.chain.test", "A", "SERVFAIL", NULL, "alias limit 11/11",
     "One link too many; links count also when several come in one reply.", DNS_EDE_OTHER},
    {"alias loop", NULL, "loop.chain.test", "A", "SERVFAIL", NULL, "alias loop",
     "Two aliases that name each other.", DNS_EDE_OTHER},
    {"DNAME", NULL, "www.old.dname.test", "A", "NOERROR", "203.0.113.10", NULL,
     "A whole subtree under another name (RFC 6672).", 0},
    {"truncated", NULL, "many.big.test", "A", "NOERROR", "198.51.100.120", NULL,
     "The answer does not fit a datagram: TC, then TCP.", 0},
    {"glueless", NULL, "www.glueless.test", "A", "NOERROR", "203.0.113.50", NULL,
     "The delegation names a server in another TLD: its address is looked up first.", 0},
    {"glueless chain", NULL, "www.deepglue.test", "A", "NOERROR", "203.0.113.51", NULL,
     "The server's name is in the zone above, whose server has to be looked up, too.", 0},
    {"half dead", NULL, "www.halfdead.test", "A", "NOERROR", "203.0.113.40", NULL,
     "One of two servers never answers.", 0},
    {"lame", NULL, "www.lame.test", "A", "SERVFAIL", NULL, "lame delegation",
     "The server that the delegation names does not serve the zone.", DNS_EDE_NO_REACHABLE},
    {"cyclic", NULL, "www.loop-a.test", "A", "SERVFAIL", NULL, "name server loop",
     "Two zones whose servers are in each other.", DNS_EDE_NO_REACHABLE},
    {"another TLD", NULL, "www.atlas.geo", "A", "NOERROR", "203.0.113.60", NULL, "The third TLD.",
     0},
    {"huge set", NULL, "huge.big.test", "A", "NOERROR", "198.18.3.250", NULL,
     "A thousand addresses, sixteen thousand octets: TCP all the way.", 0},
    {"split, inside", "127.53.2.1", "www.split.test", "A", "NOERROR", "10.53.0.1", NULL,
     "One zone name with two files: this listener serves the inner one.", 0},
    {"split, outside", "127.53.2.2", "www.split.test", "A", "NOERROR", "203.0.113.70", NULL,
     "The same question at another listener of the same process.", 0},
    {"slow", NULL, "www.slow.test", "A", "NOERROR", "203.0.113.91", NULL,
     "The server takes 300 ms for everything.", 0},
    {"TCP only", NULL, "www.tcponly.test", "A", "NOERROR", "203.0.113.92", NULL,
     "Silent over UDP; TCP finds out that somebody is there.", 0},
    {"drops EDNS", NULL, "www.noedns.test", "A", "NOERROR", "203.0.113.93", NULL,
     "A server that does not answer questions with EDNS: left out once TCP has confirmed it.", 0},
    {"no EDNS", NULL, "www.formerr.test", "A", "NOERROR", "203.0.113.94", NULL,
     "A server that says FORMERR to EDNS.", 0},
    {"wrong id first", NULL, "www.wrongid.test", "A", "NOERROR", "203.0.113.95", NULL,
     "A forged reply comes before the true one; it is not believed and the question moves to TCP.",
     0},
    {"case is lost", NULL, "www.lower.test", "A", "NOERROR", "203.0.113.96", NULL,
     "A server that does not keep the case of the question; remembered for a while.", 0},
    {"poison", NULL, "www.poison.test", "A", "NOERROR", "203.0.113.97", NULL,
     "A true answer, and beside it false records for victim.shop.test ...", 0},
    {"not poisoned", NULL, "victim.shop.test", "A", "NOERROR", "203.0.113.12", NULL,
     "... which were not believed.", 0},
    {"foreign glue", NULL, "www.deep.poison.test", "A", "NOERROR", "203.0.113.99", NULL,
     "A delegation with a false address for a server of another TLD: its name is resolved "
     "instead.",
     0},
    {"upward referral", NULL, "www.upward.test", "A", "SERVFAIL", NULL, "lame delegation",
     "The server refers everybody back to the root.", DNS_EDE_NO_REACHABLE},
    {"dead", NULL, "www.dead.test", "A", "SERVFAIL", NULL, "no name server answered",
     "The only server does not exist.", DNS_EDE_NO_REACHABLE},
    {"steered", NULL, "country.steer.geo", "A", "NOERROR", FRANKFURT, NULL,
     "A steered name through the resolver, of whose place nothing is known.", 0},
};
const unsigned lab_exhibit_count = sizeof lab_exhibits / sizeof *lab_exhibits;

const struct steered lab_steered[] = {
    {"from Frankfurt", "country.steer.geo", "127.21.0.1", FRANKFURT, 8, 50, -1,
     "By continent and country: both web servers in Frankfurt, in turns.", NULL, NULL},
    {"from Ashburn", "country.steer.geo", "127.20.0.1", ASHBURN, 8, 50, -1,
     "The same name from North America.", NULL, NULL},
    {"from Singapore", "country.steer.geo", "127.22.0.1", SINGAPORE, 8, 50, -1,
     "The same name from Asia.", NULL, NULL},
    {"from nowhere", "country.steer.geo", "127.28.0.1", FRANKFURT, 8, 50, -1,
     "No rule is about a client of whom nothing is known: what stands under otherwise.", NULL,
     NULL},
    {"client subnet", "country.steer.geo", "192.0.2.0/24", ASHBURN, 8, 50, 24,
     "A resolver names its client's network (RFC 7871); all of it gets the same answer.", NULL,
     NULL},
    {"part of a network", "country.steer.geo", "203.0.113.0/26", SINGAPORE, 8, 50, 25,
     "The scope is as wide as the answer holds: Japan has the whole /25.", NULL, NULL},
    {"nearest, Oslo", "nearest.steer.geo", "127.25.0.1", FRANKFURT, 8, 50, -1,
     "By great circle, without a rule.", NULL, NULL},
    {"nearest, Sao Paulo", "nearest.steer.geo", "127.23.0.1", ASHBURN, 8, 50, -1,
     "Ashburn is 7700 km away, Frankfurt 9800.", NULL, NULL},
    {"nearest, Tokyo", "nearest.steer.geo", "2001:db8:24::/48", SINGAPORE, 8, 50, 48,
     "An IPv6 network in Tokyo; the nearest site is Singapore.", NULL, NULL},
    {"weighted", "weighted.steer.geo", "127.21.0.1", "127.80.1.1|127.80.2.1", 400, 75, -1,
     "Three to one.", NULL, NULL},
    {"failover", "failover.steer.geo", "127.20.0.1", "127.80.1.1", 8, 0, -1,
     "The first that is healthy, wherever the client is.", NULL, NULL},
    {"sticky", "sticky.steer.geo", "127.24.0.1", "127.80.1.1|127.80.2.1|127.80.3.1", 40, 0, -1,
     "A client network stays where it is for an hour.", NULL, NULL},
    {"consistent", "consistent.steer.geo", "127.26.0.1", "127.80.1.1|127.80.2.1|127.80.3.1", 40, 0,
     -1, "A client network stays where it is as long as that member is there.", NULL, NULL},
    {"alias at the apex", "steer.geo", "127.21.0.1", "203.0.113.10", 8, 0, -1,
     "The addresses of www.shop.test beside SOA and NS, looked up by our own resolver.", NULL,
     NULL},
    {"drained", "drained.steer.geo", "127.22.0.1", "127.80.3.2", 8, 0, -1,
     "The first member is taken out by configuration.", NULL, NULL},
    {"Frankfurt stops", "country.steer.geo", "127.21.0.1", ASHBURN, 1, 0, -1,
     "Both web servers in Frankfurt stop: their clients get the next site.", "fra", "refuse"},
    {"and is back", "country.steer.geo", "127.21.0.1", FRANKFURT, 1, 0, -1,
     "They are started again, and get their clients again.", "fra", "heal"},
    {"flapping", "flapping.steer.geo", "127.22.0.1", "127.80.3.2", 8, 0, -1,
     "The first member changes every second; after a few changes it stays down.", NULL, NULL},
    {"all down", "gone.steer.geo", "127.22.0.1", "203.0.113.61", 8, 0, -1,
     "No member has the page that the check wants: the zone's own record.", NULL, NULL},
};
const unsigned lab_steered_count = sizeof lab_steered / sizeof *lab_steered;

/* "answer":"a","answers":["a","b"], or null and none. */
static void print_answers(FILE *out, const char *answers)
{
    if (!answers) {
        fputs(",\"answer\":null,\"answers\":[]", out);
        return;
    }
    fprintf(out, ",\"answer\":\"%.*s\",\"answers\":[", (int)strcspn(answers, "|"), answers);
    for (const char *p = answers; *p; p += strcspn(p, "|"), p += *p == '|')
        fprintf(out, "%s\"%.*s\"", p == answers ? "" : ",", (int)strcspn(p, "|"), p);
    fputs("]", out);
}

static void print_json(FILE *out)
{
    fputs("[", out);
    for (unsigned i = 0; i < lab_exhibit_count; i++) {
        const struct exhibit *e = &lab_exhibits[i];
        fprintf(out, "%s\n  {\"title\":\"%s\",\"name\":\"%s\",\"type\":\"%s\",\"rcode\":\"%s\"",
                i ? "," : "", e->title, e->name, e->type, e->rcode);
        print_answers(out, e->answer);
        fprintf(out, e->ede_text ? ",\"ede\":\"%s\"" : ",\"ede\":null%s",
                e->ede_text ? e->ede_text : "");
        if (e->ede_text)
            fprintf(out, ",\"ede_code\":%d", e->ede_code);
        else
            fputs(",\"ede_code\":null", out);
        fprintf(out, e->at ? ",\"server\":\"%s\"" : ",\"server\":null%s", e->at ? e->at : "");
        fprintf(out, ",\"from\":null,\"shows\":\"%s\"}", e->shows);
    }
    for (unsigned i = 0; i < lab_steered_count; i++) {
        const struct steered *e = &lab_steered[i];
        fprintf(out, ",\n  {\"title\":\"%s\",\"name\":\"%s\",\"type\":\"A\",\"rcode\":\"NOERROR\"",
                e->title, e->name);
        print_answers(out, e->answers);
        fprintf(out,
                ",\"ede\":null,\"ede_code\":null,\"server\":\"%s\",\"from\":\"%s\",\"times\":%u,"
                "\"share\":%u,\"shows\":\"%s\"",
                LAB_STEERING, e->from, e->times, e->share, e->shows);
        if (e->how)
            fprintf(out, ",\"before\":\"%s %s\"", e->origins, e->how);
        fputs("}", out);
    }
    fputs("\n]\n", out);
}

void lab_print_exhibits(FILE *out, int json)
{
    if (json) {
        print_json(out);
        return;
    }
    for (unsigned i = 0; i < lab_exhibit_count; i++) {
        const struct exhibit *e = &lab_exhibits[i];
        fprintf(out, "%-20s %-22s %-5s %-9s %s\n", e->title, e->name, e->type, e->rcode, e->shows);
    }
    fprintf(out, "\nsteered names, asked at %s from certain clients\n", LAB_STEERING);
    for (unsigned i = 0; i < lab_steered_count; i++) {
        const struct steered *e = &lab_steered[i];
        fprintf(out, "%-20s %-22s %-16s %s\n", e->title, e->name, e->from, e->shows);
    }
}
