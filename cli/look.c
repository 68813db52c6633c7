/* cli/look.c: zone check, config explain, config schema. */
#include "authority/zone.h"
#include "base/err.h"
#include "config/config.h"
#include "dns/name.h"
#include "verbs_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int verb_zone(int argc, char **argv)
{
    uint8_t origin[DNS_NAME_MAX];
    struct diag_list diags;
    struct zone *z = NULL;
    if (argc != 3 || strcmp(argv[0], "check") != 0) {
        fputs("usage: waypost zone check ORIGIN FILE\n", stderr);
        return EXIT_USAGE;
    }
    int err = dns_name_parse(origin, argv[1], strlen(argv[1]), NULL);
    if (err < 0) {
        fprintf(stderr, "waypost zone check: \"%s\" is not a domain name: %s\n", argv[1],
                err_text(err));
        return EXIT_USAGE;
    }
    diag_init(&diags);
    err = zone_load(&z, origin, argv[2], &diags);
    diag_print(&diags, stderr, isatty(STDERR_FILENO));
    if (!err) {
        struct zone_size size = zone_size(z);
        printf("%s: serial %u, %llu records, %llu names, %llu bytes\n", argv[1], zone_serial(z),
               (unsigned long long)size.records, (unsigned long long)size.names,
               (unsigned long long)size.bytes);
        part_unref(zone_part(z));
    } else if (!diags.errors) {
        fprintf(stderr, "%s: %s\n", argv[2], err_text(err));
    }
    diag_fini(&diags);
    return err ? EXIT_CONFIG : EXIT_POSITIVE;
}

static int explain(const char *path)
{
    const struct config_option *o = path ? config_option_find(path) : NULL;
    if (path && !o) {
        const char *near = config_option_near(path);
        fprintf(stderr, "waypost config explain: no option \"%s\"%s%s%s\n", path,
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return EXIT_USAGE;
    }
    if (o)
        config_print_option(o, stdout);
    for (o = path ? NULL : config_options; o && o->path; o++)
        config_print_option(o, stdout);
    return EXIT_POSITIVE;
}

int verb_config(int argc, char **argv)
{
    if (argc >= 1 && argc <= 2 && !strcmp(argv[0], "explain"))
        return explain(argc == 2 ? argv[1] : NULL);
    if (argc == 1 && !strcmp(argv[0], "schema")) {
        config_print_schema(stdout);
        return EXIT_POSITIVE;
    }
    fputs("usage: waypost config explain [PATH] | schema\n", stderr);
    return EXIT_USAGE;
}
