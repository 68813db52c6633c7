#include "live.h"

#include "net/udp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t live_port(void)
{
    struct addr a;
    assert_int_equal(addr_parse(&a, "127.0.0.1", 0), 0);
    uint16_t port = net_probe_port(&a);
    assert_int_not_equal(port, 0);
    return port;
}

void live_init(struct live *l)
{
    memset(l, 0, sizeof *l);
    snprintf(l->dir, sizeof l->dir, "/tmp/waypost-live-XXXXXX");
    assert_non_null(mkdtemp(l->dir));
}

void live_file(struct live *l, const char *name, const char *fmt, ...)
{
    char path[160];
    va_list ap;
    unsigned at = 0;
    while (at < l->file_count && strcmp(l->files[at], name) != 0)
        at++;
    assert_true(at < LIVE_FILES_MAX);
    snprintf(l->files[at], sizeof l->files[0], "%s", name);
    l->file_count = at < l->file_count ? l->file_count : at + 1;
    snprintf(path, sizeof path, "%s/%s", l->dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fclose(out);
}

static void *run(void *arg)
{
    server_run(arg);
    return NULL;
}

void live_start(struct live *l)
{
    char path[160];
    struct diag_list diags;
    struct config *c = NULL;
    snprintf(path, sizeof path, "%s/conf.yaml", l->dir);
    diag_init(&diags);
    int err = config_load(&c, path, &diags);
    err = err ? err : server_start(&l->server, c, &(struct server_place){.config = path}, &diags);
    diag_print(&diags, stderr, 0);
    diag_fini(&diags);
    assert_int_equal(err, 0);
    assert_int_equal(pthread_create(&l->thread, NULL, run, l->server), 0);
}

void live_stop(struct live *l)
{
    server_stop(l->server);
    pthread_join(l->thread, NULL);
    server_free(l->server);
    live_remove(l);
}

void live_remove(struct live *l)
{
    char path[160];
    for (unsigned i = 0; i < l->file_count; i++) {
        snprintf(path, sizeof path, "%s/%s", l->dir, l->files[i]);
        unlink(path);
    }
    rmdir(l->dir);
}

int live_connect(uint16_t port, int type)
{
    struct sockaddr_in sa = loopback(port);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}
