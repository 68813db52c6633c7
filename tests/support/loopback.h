/* tests/support/loopback.h: plain sockets on the loopback interface, driven beside a uv loop of the
 * same thread. Every wait has an end, so that a test fails instead of hanging; no wait is a fixed
 * time. */
#ifndef WAYPOST_TESTS_LOOPBACK_H
#define WAYPOST_TESTS_LOOPBACK_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* A bound socket (SOCK_DGRAM or SOCK_STREAM, then it listens); port 0 takes one that is free for
 * both (net_probe_port), *port is what it got. Fails the test on errors; so do those below. */
int loopback_bind(const char *ip, int type, uint16_t *port);
/* A socket connected to ip:port. */
int loopback_connect(const char *ip, int type, uint16_t port);
void loopback_send(int fd, const void *bytes, size_t len);
/* Closes with a reset. */
void loopback_reset(int fd);

/* Turns the loop until ready(arg); false after some seconds without it. */
bool loopback_until(uv_loop_t *loop, bool (*ready)(void *), void *arg);
/* Turns the loop until fd can be read (or its end was reached). */
bool loopback_readable(uv_loop_t *loop, int fd);
/* Exactly len octets while the loop turns; false when the other side ended first. */
bool loopback_recv(uv_loop_t *loop, int fd, void *out, size_t len);
/* The other side ended (with or without a reset); octets before that are thrown away. */
bool loopback_ended(uv_loop_t *loop, int fd);

#endif
