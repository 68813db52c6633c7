/* cli/ask_priv.h: what the verbs that ask a server have in common: which one, and dig's words. */
#ifndef WAYPOST_CLI_ASK_H
#define WAYPOST_CLI_ASK_H

#include "base/addr.h"

#include <stdbool.h>

struct ask_flags {
    bool brief, dnssec, tcp, norec, cd, noedns;
};

/* "+dnssec" and the like; false: said. */
bool ask_flag(struct ask_flags *f, const char *verb, const char *word);
/* "192.0.2.53", with ":5300", "#5300" or "@5300"; NULL: the running lab's resolver, which is said,
 * or family 0 when none runs. False: said. */
bool ask_server(struct addr *at, const char *verb, const char *text, uint16_t port);

#endif
