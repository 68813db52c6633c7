/* cli/main.c: the table of verbs. */
#include "config/config.h"
#include "verbs_priv.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifndef WAYPOST_VERSION
#define WAYPOST_VERSION "0"
#endif

static int verb_version(int argc, char **argv);
static int verb_help(int argc, char **argv);
static int verb_completion(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} verbs[] = {
    {"run", verb_run, "run [-c FILE]",
     "serve in the foreground; without a file: a resolver on loopback"},
    {"lab", verb_lab, "lab [up | tour | list [--json]] [--zones DIR]",
     "a small Internet on this machine, with a checked tour"},
    {"query", verb_query, "query [@SERVER] NAME [TYPE] [+short ...]",
     "ask a server as a stub does"},
    {"trace", verb_trace, "trace NAME [TYPE] [-c FILE]",
     "walk from the root in this process and show every hop"},
    {"", NULL, "trace --server NAME [TYPE]", "the same by the running server, with its cache"},
    {"", NULL, "trace --last [N|NAME]", "what the running server recorded"},
    {"check", verb_check, "check [FILE]", "look for mistakes in a configuration and its zones"},
    {"zone", verb_zone, "zone check ORIGIN FILE", "look for mistakes in a master file"},
    {"config", verb_config, "config new | show | explain | schema",
     "write a first file; show, explain options; JSON schema"},
    {"status", verb_status, "status", "what the running server is doing"},
    {"stats", verb_stats, "stats", "all its counters"},
    {"servers", verb_servers, "servers", "what it learned about name servers"},
    {"cache", verb_cache, "cache show|flush NAME [TYPE] [--subtree]", "its cache"},
    {"reload", verb_reload, "reload", "make it read its configuration and zones again"},
    {"stop", verb_stop, "stop", "end it"},
    {"doctor", verb_doctor, "doctor [-c FILE]", "what on this machine could stand in the way"},
    {"completion", verb_completion, "completion bash", "completion for a shell"},
    {"version", verb_version, "version", "the version"},
    {"help", verb_help, "help", "this list"},
};

static int verb_completion(int argc, char **argv)
{
    if (argc != 1 || strcmp(argv[0], "bash") != 0) {
        fputs("usage: waypost completion bash     (zsh: autoload -U bashcompinit; bashcompinit)\n",
              stderr);
        return EXIT_USAGE;
    }
    fputs("# source <(waypost completion bash)\n_waypost() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} words='--json'\n"
          "    case \"$COMP_CWORD ${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n    1\\ *) words='",
          stdout);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        printf("%s%s", i ? " " : "", verbs[i].name);
    fputs("' ;;\n    2\\ lab\\ *) words='up tour list' ;;\n"
          "    2\\ zone\\ *) words='check' ;;\n    2\\ cache\\ *) words='show flush' ;;\n"
          "    2\\ config\\ *) words='new show explain schema' ;;\n"
          "    2\\ completion\\ *) words='bash' ;;\n"
          "    3\\ config\\ new) words='resolver authority' ;;\n"
          "    3\\ config\\ explain) words='",
          stdout);
    for (const struct config_option *o = config_options; o->path; o++)
        printf("%s ", o->path);
    fputs("' ;;\n    *\\ trace\\ *) words='--server --last --json --ndjson -c -s' ;;\n"
          "    *\\ query\\ *) words='+short +dnssec +tcp +norec +cd +noedns --json' ;;\n    esac\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
          "complete -o default -F _waypost waypost\n",
          stdout);
    return EXIT_POSITIVE;
}

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
        fprintf(out, "  waypost %-44s %s\n", verbs[i].usage, verbs[i].help);
    fputs("\n--json for programs; -s PATH names the control socket of a server that is not in the "
          "runtime "
          "folder\n",
          out);
    fputs("exit codes: 0 positive, 1 negative, 2 wrong usage, 3 invalid configuration, 4 cannot, "
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
        if (*name && !strcmp(verbs[i].name, name))
            return verbs[i].run(argc - 2, argv + 2);
    if (*name)
        fprintf(stderr, "waypost: there is no verb \"%s\"\n\n", name);
    print_help(stderr);
    return EXIT_USAGE;
}
