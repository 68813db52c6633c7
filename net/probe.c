/* net/probe.c: who holds this address? */
#include "base/addr.h"
#include "base/err.h"
#include "base/rng.h"
#include "net/udp.h"
#include "net_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Inode of the socket bound to this port (and address, or any) in one of /proc/net/{udp,tcp}{,6}; 0
 * when none. */
static unsigned long socket_inode(const char *table, const struct addr *a, bool tcp)
{
    char line[512];
    unsigned long inode = 0;
    FILE *f = fopen(table, "re");
    if (!f)
        return 0;
    while (!inode && fgets(line, sizeof line, f)) {
        unsigned port, state;
        char ip[40];
        unsigned long node;
        if (sscanf(line, " %*d: %39[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu", ip, &port, &state,
                   &node) != 4)
            continue;
        uint32_t v4;
        size_t len;
        const uint8_t *own = addr_bytes(a, &len);
        memcpy(&v4, own, 4);
        bool any = strspn(ip, "0") == strlen(ip) || addr_is_any(a); /* either side of it */
        bool same = any || len != 4 || strlen(ip) != 8 || strtoul(ip, NULL, 16) == v4;
        if (port == a->port && same && (!tcp || state == 10)) /* 10: listening */
            inode = node;
    }
    fclose(f);
    return inode;
}

static bool has_socket(const char *pid, unsigned long inode)
{
    char dir[64], want[64];
    bool found = false;
    snprintf(dir, sizeof dir, "/proc/%.20s/fd", pid);
    snprintf(want, sizeof want, "socket:[%lu]", inode);
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && !found && (e = readdir(d));) {
        char path[128], link[64];
        snprintf(path, sizeof path, "%s/%.20s", dir, e->d_name);
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n > 0) {
            link[n] = 0;
            found = !strcmp(link, want);
        }
    }
    if (d)
        closedir(d);
    return found;
}

static void name_process(const char *pid, char *out, size_t cap)
{
    char path[64], name[64] = "?";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fgets(name, sizeof name, f))
            name[strcspn(name, "\n")] = 0;
        fclose(f);
    }
    snprintf(out, cap, "%s (pid %.20s)", name, pid);
}

static void find_holder(const struct addr *a, enum net_proto proto, char *holder, size_t cap)
{
    static const char *const tables[2][2] = {{"/proc/net/udp", "/proc/net/udp6"},
                                             {"/proc/net/tcp", "/proc/net/tcp6"}};
    unsigned long inode = 0;
    for (unsigned i = 0; i < 2 && !inode; i++)
        inode = socket_inode(tables[proto == NET_PROTO_TCP][i], a, proto == NET_PROTO_TCP);
    DIR *d = inode ? opendir("/proc") : NULL;
    for (const struct dirent *e; d && !*holder && (e = readdir(d));)
        if (*e->d_name >= '1' && *e->d_name <= '9' && has_socket(e->d_name, inode))
            name_process(e->d_name, holder, cap);
    if (d)
        closedir(d);
}

int net_probe_bind(const struct addr *a, enum net_proto proto, char *holder, size_t cap)
{
    int fd, err = net_socket_bind(a, proto == NET_PROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, false, &fd);
    if (cap)
        *holder = 0;
    /* SO_REUSEADDR lets a TCP bind pass beside a listener; listening does not. */
    if (!err) {
        if (proto == NET_PROTO_TCP && listen(fd, 1) < 0)
            err = ERR_IN_USE;
        close(fd);
    }
    if (err == ERR_IN_USE && cap)
        find_holder(a, proto, holder, cap);
    return err;
}

/* Of those below what the kernel gives to clients (ip_local_port_range: 32768 and up unless
 * changed): one of these could be a client's before the caller binds it. */
uint16_t net_probe_port(const struct addr *a)
{
    const uint32_t low = 10000, high = 32000;
    struct addr got = *a;
    struct rng rng;
    int err = ERR_IN_USE;
    if (rng_init(&rng))
        return 0;
    for (unsigned tries = 0; err == ERR_IN_USE && tries < 1000; tries++) {
        got.port = (uint16_t)(low + rng_below(&rng, high - low));
        err = net_probe_bind(&got, NET_PROTO_UDP, NULL, 0);
        err = err ? err : net_probe_bind(&got, NET_PROTO_TCP, NULL, 0);
    }
    rng_fini(&rng);
    return err ? 0 : got.port;
}
