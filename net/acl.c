#include "net/acl.h"

#include "base/err.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

int net_acl_add(struct net_acl *a, const struct prefix *p, bool allow)
{
    struct net_acl_rule *rules = realloc(a->rules, (a->count + 1) * sizeof *rules);
    if (!rules)
        return ERR_NOMEM;
    rules[a->count++] = (struct net_acl_rule){*p, allow};
    a->rules = rules;
    return 0;
}

static int add_text(struct net_acl *a, const char *text)
{
    struct prefix p;
    int err = prefix_parse(&p, text);
    return err ? err : net_acl_add(a, &p, true);
}

static unsigned mask_bits(const struct sockaddr *mask)
{
    struct addr m;
    unsigned bits = 0;
    if (addr_of_sockaddr(&m, mask))
        return 0;
    size_t len;
    const uint8_t *ip = addr_bytes(&m, &len);
    for (size_t i = 0; i < len && ip[i] == 0xff; i++)
        bits += 8;
    if (bits < len * 8)
        for (uint8_t b = ip[bits / 8]; b & 0x80; b = (uint8_t)(b << 1))
            bits++;
    return len == 4 ? bits + 96 : bits;
}

/* The network of one interface address, when it is private. */
static int add_network(struct net_acl *a, const struct addr *ip, const struct sockaddr *mask)
{
    struct prefix p = {.family = ip->family};
    if (!addr_is_private(ip) || !mask)
        return 0;
    p.bits = (uint8_t)mask_bits(mask);
    if (p.bits < (ip->family == 4 ? 96 + 8 : 7)) /* a mask that wide is a mistake, not a network */
        return 0;
    memcpy(p.ip, ip->ip, 16);
    for (unsigned i = p.bits; i < 128; i++)
        p.ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return net_acl_add(a, &p, true);
}

static const char *interface_of(const struct ifaddrs *list, const struct addr *listener)
{
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        struct addr ip;
        if (i->ifa_addr && !addr_of_sockaddr(&ip, i->ifa_addr) && !memcmp(ip.ip, listener->ip, 16))
            return i->ifa_name;
    }
    return NULL;
}

/* An address may have a label of its own: "eth0:1" is eth0. */
static bool same_interface(const char *a, const char *b)
{
    size_t n = strcspn(a, ":");
    return n == strcspn(b, ":") && !strncmp(a, b, n);
}

int net_acl_add_connected(struct net_acl *a, const struct addr *listener)
{
    struct ifaddrs *list;
    int err = add_text(a, "127.0.0.0/8");
    err = err ? err : add_text(a, "::1");
    if (err || addr_is_loopback(listener))
        return err;
    if (getifaddrs(&list) < 0)
        return ERR_SYSTEM;
    const char *name = interface_of(list, listener);
    for (const struct ifaddrs *i = list; i && name && !err; i = i->ifa_next) {
        struct addr ip;
        if (i->ifa_addr && same_interface(i->ifa_name, name) && !addr_of_sockaddr(&ip, i->ifa_addr))
            err = add_network(a, &ip, i->ifa_netmask);
    }
    freeifaddrs(list);
    return err;
}

bool net_acl_allows(const struct net_acl *a, const struct addr *client)
{
    for (unsigned i = 0; i < a->count; i++)
        if (prefix_has(&a->rules[i].prefix, client))
            return a->rules[i].allow;
    return false;
}

void net_acl_fini(struct net_acl *a)
{
    free(a->rules);
    *a = (struct net_acl){0};
}
