/* cli/cputime_priv.h: what a process and those it started have used of the CPU. */
#ifndef WAYPOST_CLI_CPUTIME_H
#define WAYPOST_CLI_CPUTIME_H

#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds, user and system, of the process and all below it that run now; -1: there is none of
 * this number. */
int64_t cputime_of_tree(pid_t pid);

#endif
