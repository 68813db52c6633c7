/* lab/exhibits.h: the names of the small Internet that are worth asking for, with what must come
 * back. The tour and the tests read this table; `waypost lab list` prints it. Threads: constant. */
#ifndef WAYPOST_LAB_EXHIBITS_H
#define WAYPOST_LAB_EXHIBITS_H

#include <stdint.h>
#include <stdio.h>

struct exhibit {
    const char *title;
    const char *at; /* server to ask, without recursion; NULL: the lab's resolver */
    const char *name, *type;
    const char *rcode;
    const char *answer;   /* RDATA of the last answer record, any of several split by |; NULL: no
                             answer records */
    const char *ede_text; /* part of an extended error's text, or NULL */
    const char *shows;    /* one sentence */
    int ede_code;         /* of that extended error (RFC 8914) */
};

extern const struct exhibit lab_exhibits[];
extern const unsigned lab_exhibit_count;

/* A steered name, asked as a certain client. */
struct steered {
    const char *title, *name;
    const char *from;    /* an address, or a network: the client subnet of the query */
    const char *answers; /* addresses, of which one comes, split by | */
    unsigned times;      /* asked so often */
    unsigned share; /* percent of the answers that are the first address; 0: all are the same */
    int scope;      /* of the answer's client subnet; -1: none was named */
    const char *shows;
    /* Beforehand these web servers are set so (lab/origins.h), and asking goes on until each of
     * the answers came, which is measured. NULL: nothing happens beforehand. */
    const char *origins, *how;
};

#define LAB_STEERING "127.53.9.1" /* who answers for them */

extern const struct steered lab_steered[];
extern const unsigned lab_steered_count;

void lab_print_exhibits(FILE *out, int json);

#endif
