/* cli/args_priv.h: the words behind a verb, in any order: options by a table, the rest as words. */
#ifndef WAYPOST_CLI_ARGS_H
#define WAYPOST_CLI_ARGS_H

#include <stdbool.h>

#define ARGS_WORDS_MAX 32

struct arg {
    const char *name, *shorter; /* "--json", or NULL; ends with a row without name */
    bool *flag;                 /* an option without value, */
    const char **value;         /* or with one: "--config FILE" and "--config=FILE" */
};

struct words {
    const char *at[ARGS_WORDS_MAX];
    unsigned count;
};

/* False: said on stderr, with the usage. */
bool args_read(const char *usage, const struct arg *rows, unsigned words_max, int argc, char **argv,
               struct words *words);

/* Whether mistakes are shown in colour: on a terminal, unless NO_COLOR says no. */
bool args_colour(void);

#endif
