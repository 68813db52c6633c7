/* cli/main.c: the table of verbs. */
#include "args_priv.h"
#include "config/config.h"
#include "verbs_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    {"", NULL, "lab break NAME [HOW] | lab heal NAME",
     "break its web servers: fra-1, fra, all; refuse, hang, 503, slow, flap[:SECONDS]"},
    {"query", verb_query, "query [@SERVER] NAME [TYPE] [+short ...] [--json]",
     "ask a server as a stub does"},
    {"bench", verb_bench, "bench [@SERVER] NAME [TYPE]... [--file FILE] [--window N | --rate N/s]",
     "how much a server bears, and how long it takes"},
    {"", NULL,
     "bench ... [--seconds S] [--count N | --once] [--warm S] [--interval S] [--timeout MS]",
     "how long; S and MS also with a unit: 500ms, 2m"},
    {"", NULL,
     "bench ... [--clients N] [--tcp] [--spacing even|poisson] [--random-prefix] [--subnet "
     "NET,...|random]",
     "as whom; a fresh label in front of each name; clients' networks (ECS)"},
    {"", NULL,
     "bench ... [--edns SIZE | --no-edns] [--dnssec] [--no-recurse] [--pid PID] [--json] [--yes]",
     "--pid: CPU of the server's process; --yes: may load a server that is not local"},
    {"trace", verb_trace, "trace NAME [TYPE] [-c FILE] [--json|--ndjson]",
     "walk from the root in this process and show every hop"},
    {"", NULL, "trace --server NAME [TYPE]", "the same by the running server, with its cache"},
    {"", NULL, "trace --last [N|NAME]", "what the running server recorded"},
    {"check", verb_check, "check [FILE]", "look for mistakes in a configuration and its zones"},
    {"zone", verb_zone, "zone check ORIGIN FILE", "look for mistakes in a master file"},
    {"geo", verb_geo, "geo build FILE.csv -o FILE.mmdb [--description TEXT]",
     "make a database of places from rows: network,country,city,..."},
    {"", NULL, "geo lookup -d FILE... IP... [--json]",
     "where databases (.mmdb) or rows (.csv) say addresses are"},
    {"", NULL, "geo info FILE [--json]", "what a database is and holds"},
    {"", NULL, "geo test MAP IP... [--json] [--config FILE]", "what a map gives to addresses"},
    {"gslb", verb_gslb, "gslb explain NAME [TYPE] --from IP [--ecs] [--json] [--config FILE]",
     "why this answer, step by step"},
    {"", NULL,
     "gslb simulate [--down WHAT]... [--weight POOL/MEMBER=N]... [--geo MAP=FILE]... [--config "
     "FILE]",
     "what would change, as shares (--base FILE, --name NAME, --all, --json)"},
    {"", NULL, "gslb test FILE [--json] [--config FILE]", "do policy tests hold"},
    {"", NULL, "gslb status | watch | events | orders",
     "health of members, its changes, what was ordered"},
    {"", NULL, "gslb drain|force|weight|clear WHAT ...",
     "the operator's word over health: pool/member, pool, site:NAME, check:NAME, with *"},
    {"", NULL, "gslb load|push|resume POOL/MEMBER ...", "what is known of a member from elsewhere"},
    {"", NULL, "gslb probe [PATTERN] [-c FILE]",
     "every check of a configuration once, with timings"},
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
    {"version", verb_version, "version [--json]", "the version"},
    {"help", verb_help, "help [VERB]", "this list, or one verb (also: VERB --help)"},
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
    fputs("' ;;\n    2\\ lab\\ *) words='up tour list break heal' ;;\n"
          "    2\\ zone\\ *) words='check' ;;\n    2\\ geo\\ *) words='build lookup info test' "
          ";;\n    "
          "2\\ cache\\ *) words='show flush' ;;\n"
          "    2\\ gslb\\ *) words='status watch events orders drain force weight clear load push "
          "resume probe "
          "explain simulate test' ;;\n"
          "    2\\ config\\ *) words='new show explain schema' ;;\n"
          "    2\\ completion\\ *) words='bash' ;;\n"
          "    3\\ config\\ new) words='resolver authority gslb' ;;\n"
          "    3\\ config\\ explain) words='",
          stdout);
    for (const struct config_option *o = config_options; o->path; o++)
        printf("%s ", o->path);
    fputs(
        "' ;;\n    *\\ trace\\ *) words='--server --last --json --ndjson -c -s' ;;\n"
        "    *\\ geo\\ *) words='-d -o --description --json' ;;\n"
        "    *\\ gslb\\ explain) words='--from --ecs --json --config -s' ;;\n"
        "    *\\ gslb\\ simulate) words='--down --weight --geo --config --base --name --all --json "
        "-s' ;;\n"
        "    *\\ gslb\\ *) words='--config --json -s' ;;\n"
        "    *\\ bench\\ *) words='--file --window --rate --spacing --clients --seconds --count "
        "--once --warm --interval --timeout --tcp --random-prefix --subnet --edns --no-edns "
        "--dnssec --no-recurse --pid --port --json --yes' ;;\n"
        "    *\\ query\\ *) words='+short +dnssec +tcp +norec +cd +noedns --json' ;;\n    esac\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
        "complete -o default -F _waypost waypost\n",
        stdout);
    return EXIT_POSITIVE;
}

static int verb_version(int argc, char **argv)
{
    bool json = false;
    struct words words;
    if (!args_read("version [--json]",
                   (const struct arg[]){{"--json", NULL, &json, NULL}, {NULL, NULL, NULL, NULL}}, 0,
                   argc, argv, &words))
        return EXIT_USAGE;
    puts(json ? "{\"name\":\"waypost\",\"version\":\"" WAYPOST_VERSION "\"}"
              : "waypost " WAYPOST_VERSION);
    return EXIT_POSITIVE;
}

/* The rows of one verb; false: there is none of this name. */
static bool print_verb(const char *name, FILE *out)
{
    bool mine = false, found = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        mine = *verbs[i].name ? !strcmp(verbs[i].name, name) : mine;
        if (mine)
            fprintf(out, "%s waypost %s\n           %s\n",
                    found ? "      " : "usage:", verbs[i].usage, verbs[i].help);
        found = found || mine;
    }
    return found;
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
    if (argc && !print_verb(argv[0], stdout)) {
        fprintf(stderr, "waypost help: there is no verb \"%s\"\n", argv[0]);
        return EXIT_USAGE;
    }
    if (!argc)
        print_help(stdout);
    return EXIT_POSITIVE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    return false;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
    if (!wants_help(argc, argv))
        return v->run(argc, argv);
    print_verb(v->name, stdout);
    return EXIT_POSITIVE;
}

/* Output that did not arrive is not done, whatever the verb thinks; nobody reading on is no error.
 */
static int after_output(int code)
{
    struct stat st;
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return code;
    if (!fstat(STDOUT_FILENO, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return code;
    fprintf(stderr, "waypost: the output cannot be written: %s\n", strerror(errno ? errno : EIO));
    return EXIT_CANNOT;
}

/* Started with a closed standard stream, the next socket would be the log; libuv aborts on it. */
static void open_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    open_streams();
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (*name && !strcmp(verbs[i].name, name))
            return after_output(run_verb(&verbs[i], argc - 2, argv + 2));
    if (*name)
        fprintf(stderr, "waypost: there is no verb \"%s\"\n\n", name);
    print_help(stderr);
    return EXIT_USAGE;
}
