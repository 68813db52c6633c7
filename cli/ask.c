/* cli/ask.c: which server, and dig's words. */
#include "ask_priv.h"

#include "config/config.h"
#include "lab/lab.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool ask_flag(struct ask_flags *f, const char *verb, const char *word)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
        {"+dnssec", offsetof(struct ask_flags, dnssec)},
        {"+tcp", offsetof(struct ask_flags, tcp)},
        {"+norec", offsetof(struct ask_flags, norec)},
        {"+cd", offsetof(struct ask_flags, cd)},
        {"+noedns", offsetof(struct ask_flags, noedns)},
        {"+short", offsetof(struct ask_flags, brief)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcasecmp(rows[i].name, word)) {
            *(bool *)((char *)f + rows[i].offset) = true;
            return true;
        }
    fprintf(stderr,
            "waypost %s: there is no %s; there are +short +dnssec +tcp +norec +cd +noedns\n", verb,
            word);
    return false;
}

/* The listener of a running lab that resolves. */
static bool lab_resolver(const char *path, struct addr *at)
{
    struct diag_list diags;
    struct config *c = NULL;
    bool found = false;
    diag_init(&diags);
    if (!config_load(&c, path, &diags))
        for (unsigned i = 0; !found && i < config_items(c, "listen"); i++) {
            const struct config_node *item = config_item(c, "listen", i);
            const char *role = config_text_at(c, item, "listen[].role", 0);
            found = role && !strcmp(role, "resolver");
            *at = config_addr(c, item, "listen[].address",
                              (uint16_t)config_int(c, item, "listen[].port"));
        }
    config_free(c);
    diag_fini(&diags);
    return found;
}

bool ask_server(struct addr *at, const char *verb, const char *text, uint16_t port)
{
    struct lab_descriptor lab;
    char printed[ADDR_TEXT_MAX], plain[128];
    *at = (struct addr){0};
    if (text) {
        snprintf(plain, sizeof plain, "%s", text);
        char *hash = strchr(plain, '#');
        if (hash) /* kdig's and unbound's way of writing a port */
            *hash = '@';
        if (!addr_parse_port(at, plain, port))
            return true;
        fprintf(stderr,
                "waypost %s: @%s: an address is wanted, as in @192.0.2.53 or "
                "@[2001:db8::53]:5300\n",
                verb, text);
        return false;
    }
    if (!lab_running(&lab) || !lab_resolver(lab.config, at)) {
        *at = (struct addr){0};
        return true;
    }
    fprintf(stderr, "(the running lab's resolver, %s)\n", addr_print_port(at, printed));
    return true;
}
