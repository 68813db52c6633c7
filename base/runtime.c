#include "base/runtime.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool runtime_path(char *out, size_t cap, const char *name, bool make)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char dir[1024];
    struct stat st;
    int n;
    if (runtime && *runtime == '/')
        n = snprintf(dir, sizeof dir, "%s/waypost", runtime);
    else if (geteuid() == 0)
        n = snprintf(dir, sizeof dir, "/run/waypost");
    else
        n = snprintf(dir, sizeof dir, "/tmp/waypost-%u", (unsigned)geteuid());
    *out = 0;
    if (n < 0 || (size_t)n >= sizeof dir)
        return false;
    if (make)
        mkdir(dir, 0700);
    if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
        return false;
    n = snprintf(out, cap, "%s/%s", dir, name);
    if (n > 0 && (size_t)n < cap)
        return true;
    *out = 0;
    return false;
}

bool runtime_has_ipv6(void)
{
    struct sockaddr_in6 any_port = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&any_port, sizeof any_port);
    if (fd >= 0)
        close(fd);
    return has;
}

uint64_t runtime_open_files(uint64_t *before)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l))
        return UINT64_MAX;
    rlim_t was = l.rlim_cur;
    if (before)
        *before = was;
    l.rlim_cur = l.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &l) ? was : l.rlim_cur;
}

void runtime_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if ((len && *path != '/' && *path != '@') || len < 2 || len >= sizeof sa.sun_path)
        return;
    memcpy(sa.sun_path, path, len);
    if (*path == '@') /* the abstract name space */
        sa.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sa,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}
