/* cli/serve.c: run, lab. */
#include "args_priv.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/server.h"
#include "lab/exhibits.h"
#include "lab/lab.h"
#include "verbs_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int load(struct config **c, const char *path, struct diag_list *diags)
{
    return path ? config_load(c, path, diags)
                : config_load_mem(c, "built-in configuration", "", 0, diags);
}

int verb_run(int argc, char **argv)
{
    const char *path = NULL;
    struct diag_list diags;
    struct config *c = NULL;
    struct server *s = NULL;
    for (int i = 0; i < argc; i++) {
        if ((!strcmp(argv[i], "-c") || !strcmp(argv[i], "--config")) && i + 1 < argc) {
            path = argv[++i];
        } else {
            fprintf(stderr, "waypost run: what is \"%s\"? usage: waypost run [-c FILE]\n", argv[i]);
            return EXIT_USAGE;
        }
    }
    diag_init(&diags);
    int err = load(&c, path, &diags);
    err = err ? err
              : server_start(&s, c, &(struct server_place){.config = path, .control = "control"},
                             &diags);
    diag_print(&diags, stderr, args_colour());
    diag_fini(&diags);
    if (err)
        return err == ERR_SYNTAX || err == ERR_INVALID ? EXIT_CONFIG : EXIT_CANNOT;
    server_print_status(s, stderr);
    log_notice("server", "ready");
    server_run(s);
    server_free(s);
    return EXIT_POSITIVE;
}

int verb_lab(int argc, char **argv)
{
    char zones[4096] = "";
    bool stay = isatty(STDOUT_FILENO), json = false, list = false;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "list"))
            list = true;
        else if (!strcmp(argv[i], "tour"))
            stay = false;
        else if (!strcmp(argv[i], "up"))
            stay = true;
        else if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--zones") && i + 1 < argc)
            snprintf(zones, sizeof zones, "%s", argv[++i]);
        else {
            fprintf(stderr,
                    "waypost lab: what is \"%s\"? usage: waypost lab [up | tour | list [--json]] "
                    "[--zones DIR]\n",
                    argv[i]);
            return EXIT_USAGE;
        }
    }
    if (list) {
        lab_print_exhibits(stdout, json);
        return EXIT_POSITIVE;
    }
    if (!*zones && !lab_find_zones(zones, sizeof zones)) {
        fputs("waypost lab: the lab's zones are not beside the program; name their folder with "
              "--zones DIR\n",
              stderr);
        return EXIT_CANNOT;
    }
    return lab_run(zones, stay);
}
