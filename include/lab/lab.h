/* lab/lab.h: the small Internet on one machine, started, walked and shown.
 * Threads: lab_run uses the calling thread for the server and one more for the tour. */
#ifndef WAYPOST_LAB_LAB_H
#define WAYPOST_LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>

/* zones: folder with lab.yaml. stay: keep running after the tour until a signal. Returns the exit
 * code: 0, 1 (a claim of the tour failed), 3, 4. */
int lab_run(const char *zones, bool stay);
/* The folder with the lab's zones: beside the program, in the sources, or installed. False:
 * nowhere. */
bool lab_find_zones(char *out, size_t cap);
/* How a running lab is found: its descriptor lies in the runtime folder. */
struct lab_descriptor {
    char config[4096];  /* path of its configuration */
    char control[1200]; /* of its control socket, "" without one */
};
/* False when none runs. */
bool lab_running(struct lab_descriptor *d);
/* Tells the running lab something: "break fra-1 hang", "heal all" (lab/origins.h). What it answers
 * is in said. ERR_NOT_FOUND: none runs; ERR_INVALID: it does not understand; ERR_TIMEOUT and what
 * sockets say. */
int lab_tell(const char *text, char *said, size_t cap);

#endif
