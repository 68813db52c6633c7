/* The addresses of the built-in root servers are those of IANA's root hints file. */
#include "resolver/hints.h"

#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"
#include "dns/zonefile.h"

#include <string.h>

static const struct {
    char letter;
    const char *ipv4, *ipv6;
} root_servers[] = {
    {'a', "198.41.0.4", "2001:503:ba3e::2:30"}, {'b', "170.247.170.2", "2801:1b8:10::b"},
    {'c', "192.33.4.12", "2001:500:2::c"},      {'d', "199.7.91.13", "2001:500:2d::d"},
    {'e', "192.203.230.10", "2001:500:a8::e"},  {'f', "192.5.5.241", "2001:500:2f::f"},
    {'g', "192.112.36.4", "2001:500:12::d0d"},  {'h', "198.97.190.53", "2001:500:1::53"},
    {'i', "192.36.148.17", "2001:7fe::53"},     {'j', "192.58.128.30", "2001:503:c27::2:30"},
    {'k', "193.0.14.129", "2001:7fd::1"},       {'l', "199.7.83.42", "2001:500:9f::42"},
    {'m', "202.12.27.33", "2001:dc3::35"},
};

struct collect {
    struct hints *h;
    unsigned ns_count;
    uint8_t ns[HINTS_MAX][DNS_NAME_MAX];
};

static void add(struct hints *h, const uint8_t *name, const struct addr *a)
{
    if (h->count == HINTS_MAX)
        return;
    dns_name_copy(h->servers[h->count].name, name);
    h->servers[h->count++].addr = *a;
}

static int on_record(void *arg, const struct zonefile_rr *rr)
{
    struct collect *c = arg;
    if (rr->type == DNS_TYPE_NS && !*rr->owner && c->ns_count < HINTS_MAX)
        dns_name_copy(c->ns[c->ns_count++], rr->rdata);
    else if ((rr->type == DNS_TYPE_A && rr->rdlen == 4) ||
             (rr->type == DNS_TYPE_AAAA && rr->rdlen == 16)) {
        struct addr a = addr_of_bytes(rr->rdata, rr->rdlen, 0);
        add(c->h, rr->owner, &a);
    }
    return 0;
}

/* Only addresses of names that the root's NS set lists. */
static void keep_listed(struct collect *c)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->h->count; i++) {
        bool listed = false;
        for (unsigned n = 0; n < c->ns_count && !listed; n++)
            listed = dns_name_equal(c->ns[n], c->h->servers[i].name);
        if (listed)
            c->h->servers[kept++] = c->h->servers[i];
    }
    c->h->count = kept;
}

static int read_text(struct hints *h, const char *text, struct diag_list *diags)
{
    struct collect c = {.h = h};
    struct zonefile_options o = {.origin = dns_name_root, .default_ttl = 3600000};
    int err = zonefile_read_mem("root hints", text, strlen(text), &o, on_record, &c, diags);
    if (err)
        return err;
    keep_listed(&c);
    if (!h->count) {
        diag_add(diags, DIAG_ERROR, &(struct diag_at){.file = "root hints"},
                 "no root server with an address: NS records of \".\" and A or AAAA of their names "
                 "are needed");
        return ERR_INVALID;
    }
    return 0;
}

int hints_read(struct hints *h, const char *text, struct diag_list *diags)
{
    h->count = 0;
    if (text)
        return read_text(h, text, diags);
    for (size_t i = 0; i < sizeof root_servers / sizeof *root_servers; i++) {
        uint8_t name[] = "\1x\14root-servers\3net";
        name[1] = (uint8_t)root_servers[i].letter;
        struct addr a;
        if (!addr_parse(&a, root_servers[i].ipv4, 0))
            add(h, name, &a);
        if (!addr_parse(&a, root_servers[i].ipv6, 0))
            add(h, name, &a);
    }
    return 0;
}
