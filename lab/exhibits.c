#include "lab/exhibits.h"

#include "dns/type.h"

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
};
const unsigned lab_exhibit_count = sizeof lab_exhibits / sizeof *lab_exhibits;

static void print_json(FILE *out)
{
    fputs("[", out);
    for (unsigned i = 0; i < lab_exhibit_count; i++) {
        const struct exhibit *e = &lab_exhibits[i];
        fprintf(
            out,
            "%s\n  {\"title\":\"%s\",\"name\":\"%s\",\"type\":\"%s\",\"rcode\":\"%s\",\"answer\":",
            i ? "," : "", e->title, e->name, e->type, e->rcode);
        fprintf(out, e->answer ? "\"%s\"" : "null%s", e->answer ? e->answer : "");
        fprintf(out, e->ede_text ? ",\"ede\":\"%s\"" : ",\"ede\":null%s",
                e->ede_text ? e->ede_text : "");
        if (e->ede_text)
            fprintf(out, ",\"ede_code\":%d", e->ede_code);
        else
            fputs(",\"ede_code\":null", out);
        fprintf(out, e->at ? ",\"server\":\"%s\"" : ",\"server\":null%s", e->at ? e->at : "");
        fprintf(out, ",\"shows\":\"%s\"}", e->shows);
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
}
