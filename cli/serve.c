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

/* ---- lab ---- */

#define LAB_USAGE "lab [up | tour | list [--json] | break NAME [HOW] | heal NAME] [--zones DIR]"

/* break, heal: words for the lab that runs. */
static int tell_lab(int argc, char **argv)
{
    char text[256] = "", said[512];
    size_t len = 0;
    for (int i = 0; i < argc && len < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", argv[i]);
    if (argc < 2 || argc > 3 || len >= sizeof text) {
        fputs("usage: waypost " LAB_USAGE "\n", stderr);
        return EXIT_USAGE;
    }
    int err = lab_tell(text, said, sizeof said);
    if (!err) {
        puts(said);
        return EXIT_POSITIVE;
    }
    if (err == ERR_INVALID) {
        fprintf(stderr, "waypost lab %s: %s\n", argv[0], said);
        return EXIT_USAGE;
    }
    if (err == ERR_NOT_FOUND)
        fprintf(stderr, "waypost lab %s: no lab runs here; start one with: waypost lab up\n",
                argv[0]);
    else
        fprintf(stderr, "waypost lab %s: %s\n", argv[0], *said ? said : err_text(err));
    return *said ? EXIT_CANNOT : EXIT_NO_ANSWER;
}

int verb_lab(int argc, char **argv)
{
    char zones[4096] = "";
    bool stay = isatty(STDOUT_FILENO), json = false, list = false;
    if (argc && (!strcmp(argv[0], "break") || !strcmp(argv[0], "heal")))
        return tell_lab(argc, argv);
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
            fprintf(stderr, "waypost lab: what is \"%s\"? usage: waypost " LAB_USAGE "\n", argv[i]);
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
