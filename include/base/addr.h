/* base/addr.h: IP addresses with a port, and prefixes.
 * One shape for both families: IPv4 is held as ::ffff:a.b.c.d, so comparing and hashing is memcmp
 * over `ip`. Prefix lengths count in the 128-bit form inside (10.0.0.0/8 has bits = 104); text
 * shows the family's own. Threads: plain values. Source: RFC 4291, RFC 5952 (printing). */
#ifndef WAYPOST_BASE_ADDR_H
#define WAYPOST_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
    uint8_t ip[16];
    uint16_t port;  /* host order */
    uint8_t family; /* 4 or 6; 0 is "no address" */
    uint8_t pad;    /* zero */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
};

struct prefix {
    uint8_t ip[16]; /* bits beyond `bits` are zero */
    uint8_t bits;   /* 0..128, IPv4 counted from 96 */
    uint8_t family; /* 4 or 6: the family it was written in */
};

#define ADDR_TEXT_MAX 64 /* "[ipv6%scope]:port" with its NUL */

/* "192.0.2.1", "2001:db8::1", "fe80::1%3": ERR_SYNTAX when it is none of them. The port becomes
 * `port`. */
int addr_parse(struct addr *a, const char *text, uint16_t port);
/* Additionally accepts "192.0.2.1:53", "[2001:db8::1]:53" and "192.0.2.1@53"; `port` is the
 * default. */
int addr_parse_port(struct addr *a, const char *text, uint16_t port);
/* Text without port into out (ADDR_TEXT_MAX); returns out. */
const char *addr_print(const struct addr *a, char *out);
/* With port: "192.0.2.1:53", "[2001:db8::1]:53". */
const char *addr_print_port(const struct addr *a, char *out);
/* ERR_UNSUPPORTED for a family that is neither AF_INET nor AF_INET6 (v4-mapped AF_INET6 becomes
 * family 4). */
int addr_of_sockaddr(struct addr *a, const struct sockaddr *sa);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* From raw RDATA: 4 or 16 bytes. */
struct addr addr_of_bytes(const uint8_t *bytes, size_t len, uint16_t port);
/* Pointer to the family's own bytes (4 or 16) and their count. */
const uint8_t *addr_bytes(const struct addr *a, size_t *len);
/* Same address and port (scope too). */
bool addr_equal(const struct addr *a, const struct addr *b);
/* Same address, port not looked at. */
bool addr_same_ip(const struct addr *a, const struct addr *b);

/* "10.0.0.0/8", "::1", "2001:db8::/32"; without a length the whole address. ERR_SYNTAX; ERR_RANGE
 * for a length too long or bits set beyond it. */
int prefix_parse(struct prefix *p, const char *text);
const char *prefix_print(const struct prefix *p, char *out);
bool prefix_has(const struct prefix *p, const struct addr *a);

bool addr_is_loopback(const struct addr *a);
/* RFC 1918, RFC 6598, ULA, link-local. */
bool addr_is_private(const struct addr *a);
/* 0.0.0.0/8, ::, multicast, broadcast, class E: never a server. */
bool addr_is_bogon(const struct addr *a);
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or :: */

#endif
