/* cli/main.c: the table of verbs. */
#include "verbs_priv.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifndef WAYPOST_VERSION
#define WAYPOST_VERSION "0"
#endif

static int verb_version(int argc, char **argv);
static int verb_help(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} verbs[] = {
    {"run", verb_run, "run [-c FILE]",
     "serve in the foreground; without a file: a resolver on loopback"},
    {"lab", verb_lab, "lab [list [--json] | tour] [--zones DIR]",
     "a small Internet on this machine, with a checked tour"},
    {"trace", verb_trace, "trace NAME [TYPE] [-c FILE] [--json]",
     "walk from the root in this process and show every hop"},
    {"check", verb_check, "check FILE", "look for mistakes in a configuration and its zones"},
    {"zone", verb_zone, "zone check ORIGIN FILE", "look for mistakes in a master file"},
    {"config", verb_config, "config explain [PATH] | schema",
     "what an option means; JSON schema for editors"},
    {"version", verb_version, "version", "the version"},
    {"help", verb_help, "help", "this list"},
};

static int verb_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("waypost " WAYPOST_VERSION);
    return EXIT_POSITIVE;
}

static void print_help(FILE *out)
{
    fputs("waypost: a DNS server that tells why\n\n", out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  waypost %-42s %s\n", verbs[i].usage, verbs[i].help);
    fputs("\nexit codes: 0 positive, 1 negative, 2 wrong usage, 3 invalid configuration, 4 cannot, "
          "5 no answer\n",
          out);
}

static int verb_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    print_help(stdout);
    return EXIT_POSITIVE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].name, name))
            return verbs[i].run(argc - 2, argv + 2);
    if (*name)
        fprintf(stderr, "waypost: there is no verb \"%s\"\n\n", name);
    print_help(stderr);
    return EXIT_USAGE;
}
