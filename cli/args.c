#include "args_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_option(const struct arg *row, const char *text, const char **inline_value)
{
    size_t n = strlen(row->name);
    *inline_value = NULL;
    if (row->value && !strncmp(text, row->name, n) && text[n] == '=') {
        *inline_value = text + n + 1;
        return true;
    }
    return !strcmp(text, row->name) || (row->shorter && !strcmp(text, row->shorter));
}

static bool complain(const char *usage, const char *what, const char *text)
{
    fprintf(stderr, "waypost: %s \"%s\"\nusage: waypost %s\n", what, text, usage);
    return false;
}

/* How many words were used; 0: not one of the rows, -1: said. */
static int read_option(const char *usage, const struct arg *rows, int argc, char **argv)
{
    for (const struct arg *row = rows; row->name; row++) {
        const char *value;
        if (!is_option(row, argv[0], &value))
            continue;
        if (row->flag) {
            *row->flag = true;
            return 1;
        }
        if (!value && argc < 2) {
            complain(usage, "a value is missing behind", argv[0]);
            return -1;
        }
        *row->value = value ? value : argv[1];
        return value ? 1 : 2;
    }
    return 0;
}

bool args_read(const char *usage, const struct arg *rows, unsigned words_max, int argc, char **argv,
               struct words *words)
{
    words->count = 0;
    for (int i = 0; i < argc;) {
        int used = read_option(usage, rows, argc - i, argv + i);
        if (used < 0)
            return false;
        if (!used && *argv[i] == '-' && argv[i][1])
            return complain(usage, "there is no option", argv[i]);
        if (!used && words->count == words_max)
            return complain(usage, "what is", argv[i]);
        if (!used)
            words->at[words->count++] = argv[i];
        i += used ? used : 1;
    }
    return true;
}

bool args_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}
