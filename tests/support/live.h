/* tests/support/live.h: a whole server inside a test: files in a folder of its own, free ports on
 * loopback, the control loop on a thread. */
#ifndef WAYPOST_TESTS_LIVE_H
#define WAYPOST_TESTS_LIVE_H

#include "daemon/server.h"

#include <pthread.h>
#include <stdint.h>

#define LIVE_FILES_MAX 16

struct live {
    struct server *server;
    pthread_t thread;
    char dir[64];
    char files[LIVE_FILES_MAX][64];
    unsigned file_count;
};

/* A free port for UDP and TCP on 127.0.0.1 (net_probe_port). */
uint16_t live_port(void);
/* Makes the folder. */
void live_init(struct live *l);
void live_file(struct live *l, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Starts with the file conf.yaml; fails the test when that does not work. */
void live_start(struct live *l);
/* Ends the server and removes the files. */
void live_stop(struct live *l);
/* Removes the files alone, where no server was started. */
void live_remove(struct live *l);
/* A connected socket to 127.0.0.1. type: SOCK_DGRAM or SOCK_STREAM. */
int live_connect(uint16_t port, int type);

#endif
