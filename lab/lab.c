#include "lab/lab.h"

#include "base/err.h"
#include "base/log.h"
#include "base/runtime.h"
#include "config/config.h"
#include "config/tree.h"
#include "daemon/server.h"
#include "lab/line.h"
#include "lab/misfits.h"
#include "lab/origins.h"
#include "tour_priv.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define LAB_CHECK   "web" /* of all members that the tour stops */
#define LAB_CONTROL "lab.control"
#define LAB_WORDS   "lab.words" /* socket on which break and heal are told */

#ifndef WAYPOST_ZONES
#define WAYPOST_ZONES "/usr/share/waypost/zones"
#endif

/* ---- files ---- */

static bool has_lab(const char *folder)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/lab.yaml", folder);
    return access(path, R_OK) == 0;
}

bool lab_find_zones(char *out, size_t cap)
{
    static const char *const beside[] = {"/zones/lab", "/../zones/lab", "/../../zones/lab",
                                         "/../share/waypost/zones/lab"};
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; slash && i < sizeof beside / sizeof *beside; i++) {
        snprintf(out, cap, "%s%s", exe, beside[i]);
        if (has_lab(out))
            return true;
    }
    snprintf(out, cap, "%s/lab", WAYPOST_ZONES);
    return has_lab(out);
}

static void write_descriptor(const char *config)
{
    char path[1200], control[1200], full[4096];
    if (!runtime_path(path, sizeof path, "lab", true) || !realpath(config, full))
        return;
    runtime_path(control, sizeof control, LAB_CONTROL, false);
    FILE *f = fopen(path, "we");
    if (f) {
        fprintf(f, "%ld\n%s\n%s\n", (long)getpid(), full, control);
        fclose(f);
    }
}

bool lab_running(struct lab_descriptor *d)
{
    char path[1200];
    long pid = 0;
    bool found = false;
    FILE *f = runtime_path(path, sizeof path, "lab", false) ? fopen(path, "re") : NULL;
    if (!f)
        return false;
    if (fscanf(f, "%ld\n", &pid) == 1 && fgets(d->config, sizeof d->config, f) &&
        fgets(d->control, sizeof d->control, f)) {
        d->config[strcspn(d->config, "\n")] = 0;
        d->control[strcspn(d->control, "\n")] = 0;
        found = pid > 1 && kill((pid_t)pid, 0) == 0;
    }
    fclose(f);
    return found;
}

static void remove_descriptor(void)
{
    char path[1200];
    if (runtime_path(path, sizeof path, "lab", false))
        unlink(path);
}

/* ---- break and heal ---- */

/* "break NAME [HOW]", "heal NAME" */
static int take_words(void *arg, char *text, char *said, size_t cap)
{
    char *rest = NULL, *verb = strtok_r(text, " ", &rest), *name = strtok_r(NULL, " ", &rest),
         *how = strtok_r(NULL, " ", &rest);
    bool heal = verb && !strcmp(verb, "heal");
    if (!verb || !name || (!heal && strcmp(verb, "break") != 0) || (heal && how) ||
        strtok_r(NULL, " ", &rest)) {
        snprintf(said, cap, "\"break NAME [HOW]\" and \"heal NAME\" are understood");
        return ERR_INVALID;
    }
    int err = origins_set(arg, name, heal ? "heal" : how, said, cap);
    return err == ERR_NOT_FOUND || err == ERR_SYNTAX ? ERR_INVALID : err;
}

int lab_tell(const char *text, char *said, size_t cap)
{
    struct lab_descriptor d;
    char path[1200];
    *said = 0;
    if (!lab_running(&d) || !runtime_path(path, sizeof path, LAB_WORDS, false))
        return ERR_NOT_FOUND;
    return line_ask(path, text, said, cap);
}

/* A lab that cannot be told anything is one all the same. */
static struct line *listen_for_words(struct origins *o)
{
    struct line *l = NULL;
    char path[1200];
    int err = runtime_path(path, sizeof path, LAB_WORDS, true) ? line_start(&l, path, take_words, o)
                                                               : ERR_ACCESS;
    if (err)
        log_warning("lab", "break and heal will not work: %s", err_text(err));
    return l;
}

/* ---- start ---- */

/* The resolver's listener, and the port of all others. */
static void find_addresses(struct tour *t, const struct config *c)
{
    t->upstream_port = (uint16_t)config_int(c, NULL, "resolver.upstream-port");
    for (unsigned i = 0; i < config_items(c, "listen"); i++) {
        const struct config_node *item = config_item(c, "listen", i);
        const char *role = config_text_at(c, item, "listen[].role", 0);
        if (role && !strcmp(role, "resolver"))
            t->resolver = config_addr(c, item, "listen[].address",
                                      (uint16_t)config_int(c, item, "listen[].port"));
    }
}

static void find_check(struct tour *t, const struct config *c)
{
    const struct config_node *web = tree_child(config_node(c, NULL, "gslb.checks"), LAB_CHECK);
    if (!web)
        return;
    t->fail_after = (unsigned)config_int(c, web, "gslb.checks.*.fail-after");
    t->pass_after = (unsigned)config_int(c, web, "gslb.checks.*.pass-after");
    t->every_ms = (unsigned)config_int(c, web, "gslb.checks.*.every");
}

static int lab_serve(struct tour *t, const char *path)
{
    uv_thread_t thread;
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads a pipe sees whole lines, as they come */
    printf("waypost lab: a small Internet on this machine (no outside traffic)\n\n");
    server_print_status(t->server, stdout);
    printf("misfits     %u servers that misbehave on purpose\n"
           "origins     %d web servers, two each in Frankfurt, Ashburn and Singapore: port %u\n",
           misfits_count, ORIGINS_COUNT, origins_port(t->origins));
    fflush(stdout);
    write_descriptor(path);
    if (uv_thread_create(&thread, tour_thread, t))
        return 4;
    struct line *words = listen_for_words(t->origins);
    server_run(t->server);
    line_stop(words);
    uv_thread_join(&thread);
    remove_descriptor();
    return t->failed ? 1 : 0;
}

int lab_run(const char *zones, bool stay)
{
    char path[4200];
    struct diag_list diags;
    struct config *c = NULL;
    struct misfits *misfits = NULL;
    struct tour t = {.stay = stay};
    diag_init(&diags);
    snprintf(path, sizeof path, "%s/lab.yaml", zones);
    int err = config_load(&c, path, &diags);
    if (!err) {
        find_addresses(&t, c);
        find_check(&t, c);
    }
    /* Before the server, whose checks would find nobody there. */
    err = err ? err : origins_start(&t.origins, ORIGINS_PORT, &diags);
    if (err)
        config_free(c);
    else
        err = server_start(&t.server, c,
                           &(struct server_place){.config = path, .control = LAB_CONTROL}, &diags);
    err = err ? err : misfits_start(&misfits, t.upstream_port, &diags);
    diag_print(&diags, stderr, isatty(STDERR_FILENO));
    diag_fini(&diags);
    int status = !err ? lab_serve(&t, path) : err == ERR_INVALID || err == ERR_SYNTAX ? 3 : 4;
    if (t.server)
        server_free(t.server);
    misfits_stop(misfits);
    origins_stop(t.origins);
    return status;
}
