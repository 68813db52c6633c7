#include "lab/exhibits.h"

const struct exhibit lab_exhibits[] = {
    {"plain", "www.shop.test", "A", "NOERROR", "203.0.113.10", NULL,
     "Three hops: root, TLD, the zone's own server."},
    {"plain IPv6", "www.shop.test", "AAAA", "NOERROR", "2001:db8:10::10", NULL,
     "The same walk for another type."},
    {"wildcard", "any.wild.shop.test", "A", "NOERROR", "203.0.113.77", NULL,
     "A name that exists only through *.wild (RFC 4592)."},
    {"empty non-terminal", "deep.shop.test", "A", "NOERROR", NULL, NULL,
     "The name exists because something is below it: no data, not NXDOMAIN."},
    {"no data", "www.shop.test", "MX", "NOERROR", NULL, NULL,
     "The name exists, the type does not (RFC 2308)."},
    {"no such name", "nothing.shop.test", "A", "NXDOMAIN", NULL, NULL,
     "Neither the name nor a wildcard."},
    {"alias", "www.alias.test", "A", "NOERROR", "203.0.113.10", NULL, "A CNAME into another zone."},
    {"alias across TLDs", "cdn.alias.test", "A", "NOERROR", "198.51.100.6", NULL,
     "A CNAME into a zone under another TLD: the walk begins again at the root."},
    {"alias to nothing", "nowhere.alias.test", "A", "NXDOMAIN", "nothing.shop.test.", NULL,
     "The alias exists, its target does not."},
    {"chain of eight", "c8-1.chain.test", "A", "NOERROR", "203.0.113.80", NULL,
     "Eight links are within the limit of eleven."},
    {"chain of twelve", "c12-1.chain.test", "A", "SERVFAIL", NULL, "alias limit 11/11",
     "One link too many; links count also when several come in one reply."},
    {"alias loop", "loop.chain.test", "A", "SERVFAIL", NULL, "alias",
     "Two aliases that name each other."},
    {"DNAME", "www.old.dname.test", "A", "NOERROR", "203.0.113.10", NULL,
     "A whole subtree under another name (RFC 6672)."},
    {"truncated", "many.big.test", "A", "NOERROR", "198.51.100.120", NULL,
     "The answer does not fit a datagram: TC, then TCP."},
    {"glueless", "www.glueless.test", "A", "NOERROR", "203.0.113.50", NULL,
     "The delegation names a server in another TLD: its address is looked up first."},
    {"half dead", "www.halfdead.test", "A", "NOERROR", "203.0.113.40", NULL,
     "One of two servers never answers."},
    {"lame", "www.lame.test", "A", "SERVFAIL", NULL, "lame delegation",
     "The server that the delegation names does not serve the zone."},
    {"cyclic", "www.loop-a.test", "A", "SERVFAIL", NULL, "name server loop",
     "Two zones whose servers are in each other."},
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
