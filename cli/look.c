/* cli/look.c: check, zone check: mistakes in files. */
#include "args_priv.h"
#include "authority/zone.h"
#include "base/err.h"
#include "config/config.h"
#include "daemon/engine.h"
#include "daemon/snapshot.h"
#include "dns/name.h"
#include "verbs_priv.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

int exit_of_error(int err)
{
    switch (err) {
    case ERR_NOT_FOUND:
    case ERR_ACCESS:
    case ERR_NOT_FILE:
    case ERR_FULL:
    case ERR_IO:
    case ERR_NOMEM:
    case ERR_IN_USE:
    case ERR_UNREACHABLE:
    case ERR_LIMIT:
    case ERR_SYSTEM:
    case ERR_BUSY:
        return EXIT_CANNOT;
    default:
        return EXIT_CONFIG;
    }
}

static json_t *diags_json(const struct diag_list *diags)
{
    static const char *const levels[] = {"error", "warning", "note"};
    json_t *list = json_array();
    for (const struct diag *d = diags->first; d; d = d->next)
        json_array_append_new(list, json_pack("{s:s, s:s?, s:i, s:i, s:s, s:s?}", "level",
                                              levels[d->level], "file", d->file, "line",
                                              (int)d->line, "column", (int)d->column, "text",
                                              d->text, "hint", d->hint));
    return list;
}

/* facts: what is said besides the mistakes; taken. */
static void print_report(const struct diag_list *diags, bool ok, json_t *facts)
{
    json_object_set_new(facts, "version", json_integer(1));
    json_object_set_new(facts, "ok", json_boolean(ok));
    json_object_set_new(facts, "messages", diags_json(diags));
    json_dumpf(facts, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(facts);
}

int verb_zone(int argc, char **argv)
{
    static const char usage[] = "zone check ORIGIN FILE [--json]";
    uint8_t origin[DNS_NAME_MAX];
    struct diag_list diags;
    struct zone *z = NULL;
    bool json = false;
    struct words w;
    if (!args_read(usage,
                   (const struct arg[]){{"--json", NULL, &json, NULL}, {NULL, NULL, NULL, NULL}}, 3,
                   argc, argv, &w))
        return EXIT_USAGE;
    if (w.count != 3 || strcmp(w.at[0], "check") != 0) {
        fprintf(stderr, "usage: waypost %s\n", usage);
        return EXIT_USAGE;
    }
    int err = dns_name_parse(origin, w.at[1], strlen(w.at[1]), NULL);
    if (err < 0) {
        fprintf(stderr, "waypost zone check: \"%s\" is not a domain name: %s\n", w.at[1],
                err_text(err));
        return EXIT_USAGE;
    }
    diag_init(&diags);
    err = zone_load(&z, origin, w.at[2], NULL, 0, &diags);
    struct zone_size size = z ? zone_size(z) : (struct zone_size){0};
    if (json)
        print_report(&diags, !err,
                     json_pack("{s:s, s:I, s:I, s:I}", "zone", w.at[1], "serial",
                               (json_int_t)(z ? zone_serial(z) : 0), "records",
                               (json_int_t)size.records, "names", (json_int_t)size.names));
    else
        diag_print(&diags, stderr, args_colour());
    if (!err && !json)
        printf("%s: serial %u, %llu records, %llu names, %llu bytes\n", w.at[1], zone_serial(z),
               (unsigned long long)size.records, (unsigned long long)size.names,
               (unsigned long long)size.bytes);
    else if (err && !diags.errors)
        fprintf(stderr, "%s: %s\n", w.at[2], err_text(err));
    if (z)
        part_unref(zone_part(z));
    diag_fini(&diags);
    return err ? exit_of_error(err) : EXIT_POSITIVE;
}

int verb_check(int argc, char **argv)
{
    static const char usage[] = "check [FILE] [--json]";
    struct diag_list diags;
    struct config *c = NULL;
    struct snapshot *snap = NULL;
    struct engine engine;
    unsigned zone_errors = 0;
    const char *path = NULL;
    bool json = false;
    struct words w;
    if (!args_read(usage,
                   (const struct arg[]){{"--json", NULL, &json, NULL},
                                        {"--config", "-c", NULL, &path},
                                        {NULL, NULL, NULL, NULL}},
                   1, argc, argv, &w))
        return EXIT_USAGE;
    path = w.count ? w.at[0] : path;
    diag_init(&diags);
    int err = path ? config_load(&c, path, &diags)
                   : config_load_mem(&c, "built-in configuration", "", 0, &diags);
    if (!err) {
        err = engine_init(&engine, c, &diags);
        int zones_err = snapshot_build(&snap, c, NULL, NULL, &diags, &zone_errors);
        err = zones_err ? zones_err : err;
        engine_free(&engine);
    }
    bool ok = !err && !diags.errors && !zone_errors;
    unsigned listeners = snap ? snap->listener_count : 0,
             zones = snap ? zonedb_count(snap->zones) : 0;
    if (json)
        print_report(&diags, ok,
                     json_pack("{s:s, s:i, s:i, s:i}", "file", path ? path : "", "listeners",
                               (int)listeners, "zones", (int)zones, "zone_errors",
                               (int)zone_errors));
    else
        diag_print(&diags, stderr, args_colour());
    if (ok && !json)
        printf("%s: ok, %u listener%s, %u zone%s\n", path ? path : "built-in configuration",
               listeners, listeners == 1 ? "" : "s", zones, zones == 1 ? "" : "s");
    if (snap)
        part_unref(&snap->part);
    diag_fini(&diags);
    return ok ? EXIT_POSITIVE : exit_of_error(err);
}
