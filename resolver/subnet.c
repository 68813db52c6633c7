/* A client's network in questions and replies (RFC 7871): told to those only who hold the answer,
 * and believed only when they say it back. */
#include "iterate_priv.h"

struct edns_subnet subnet_of(const struct resolver_ask *ask)
{
    struct edns_subnet s = ask->subnet;
    bool addresses = ask->qtype == DNS_TYPE_A || ask->qtype == DNS_TYPE_AAAA;
    s.scope = 0;
    s.unspecified = false;
    if (!s.source || !addresses || ask->referral)
        s.family = 0;
    return s;
}

/* RFC 7871 7.1.1, 11.1: never the root and the zones below it, which only refer; nor servers that
 * an operator named, who are no authority; nor when the question is shortened, or is our own for a
 * name server's address. An address that was silent may be so because of the option. */
bool subnet_is_told(const struct iter *it, const struct cut_addr *to)
{
    return it->walk->subnet.family && !it->parent && !it->shortened && !it->cut.plane &&
           dns_name_labels(it->cut.zone) > 1 && !to->untold && !to->silent;
}

/* RFC 7871 7.3: an option that is not about our question spoils the reply; none at all means that
 * the answer is for everybody, and so does a referral whatever it says (7.4). A scope beyond what
 * was told has been answered for no more than that. */
bool subnet_read(struct iter *it)
{
    struct walk *k = it->walk;
    const struct edns_subnet *got = &it->msg.edns.subnet;
    switch (it->class) {
    case CLASS_MALFORMED:
    case CLASS_FORMERR:
    case CLASS_REFUSED:
        return false;
    default:
        break;
    }
    if (!it->msg.edns.present || !got->family)
        return true;
    if (got->unspecified || !edns_subnet_equal(got, &k->subnet))
        return false;
    if (it->class > CLASS_NXDOMAIN || it->class == CLASS_REFERRAL)
        return true;
    it->scope = got->scope < k->subnet.source ? got->scope : k->subnet.source;
    k->scope = it->scope > k->scope ? it->scope : k->scope;
    return true;
}
