/* config/reference.c: what the option rows say to people and to editors. */
#include "config/config.h"

#include <string.h>

#define HELP_MAX 256

void config_print_option(const struct config_option *o, FILE *out)
{
    fprintf(out, "%s: %s%s\n    %s\n", o->path, config_type_name(o),
            o->required ? ", required" : "", o->help);
    if (o->def)
        fprintf(out, "    default: %s\n", o->def);
    if (o->choices)
        fprintf(out, "    one of: %s\n", o->choices);
    if (o->brief)
        fprintf(out, "    a value without keys is for: %s\n", o->brief);
    int scale = o->type == CONFIG_PERMILLE ? 10 : 1;
    if (o->min || o->max)
        fprintf(out, "    range: %lld to %lld%s\n", (long long)o->min / scale,
                (long long)o->max / scale,
                scale == 10                  ? "%"
                : o->type == CONFIG_DURATION ? " ms"
                : o->type == CONFIG_SIZE     ? " bytes"
                : o->type == CONFIG_PERCENT  ? "%"
                                             : "");
    if (config_option_at_start(o))
        fputs("    read at start: a reload that changes it is refused\n", out);
}

static void schema_text(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else
            fputc(*s, out);
    fputc('"', out);
}

static bool is_direct_child(const char *path, const char *parent)
{
    size_t n = strlen(parent);
    if (n && (strncmp(path, parent, n) != 0 || path[n] != '.'))
        return false;
    return !strpbrk(path + n + (n > 0), ".[");
}

static void schema_value(FILE *out, const struct config_option *o)
{
    static const char *const patterns[] = {[CONFIG_DURATION] = "^[0-9]+(ms|s|m|h|d)$",
                                           [CONFIG_SIZE] = "^[0-9]+[BKMG]$",
                                           [CONFIG_PERCENT] = "^[0-9]+%$",
                                           [CONFIG_PERMILLE] = "^[0-9]+([.][0-9])?%$"};
    if (o->type == CONFIG_BOOL) {
        fputs("{\"enum\":[true,false,\"yes\",\"no\",\"on\",\"off\"]}", out);
    } else if (o->type == CONFIG_INT) {
        fprintf(out, "{\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld}", (long long)o->min,
                (long long)o->max);
    } else if (o->type == CONFIG_CHOICE) {
        fputs("{\"enum\":[", out);
        for (const char *p = o->choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
            fprintf(out, "%s\"%.*s\"", p == o->choices ? "" : ",", (int)strcspn(p, "|"), p);
        fputs("]}", out);
    } else if (o->type == CONFIG_POSITION) {
        fputs("{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"minItems\":2,\"maxItems\":2}",
              out);
    } else if (o->type == CONFIG_WEIGHED) {
        fputs("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":"
              "\"string\"}},"
              "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0,"
              "\"maximum\":1048576}}]}",
              out);
    } else if ((size_t)o->type < sizeof patterns / sizeof *patterns && patterns[o->type]) {
        fprintf(out, "{\"type\":\"string\",\"pattern\":\"%s\"}", patterns[o->type]);
    } else if (o->type == CONFIG_UNBUILT) {
        fputs("false", out);
    } else {
        fputs("{\"type\":\"string\"}", out);
    }
}

static void schema_required(FILE *out, const char *parent)
{
    const char *comma = ",\"required\":[";
    size_t n = strlen(parent);
    for (const struct config_option *o = config_options; o->path; o++)
        if (o->required && is_direct_child(o->path, parent)) {
            fputs(comma, out);
            comma = ",";
            schema_text(out, o->path + n + (n > 0));
        }
    if (comma[1])
        return;
    fputc(']', out);
}

static void schema_map(FILE *out, const char *parent);

static void schema_values(FILE *out, const struct config_option *o)
{
    if (!o->many) {
        schema_value(out, o);
        return;
    }
    fputs("{\"anyOf\":[", out);
    schema_value(out, o);
    fputs(",{\"type\":\"array\",\"items\":", out);
    schema_value(out, o);
    fputs("}]}", out);
}

/* A map of the keys below path, or what stands for one of them. Depth is bounded by the rows. */
static void schema_keys(FILE *out, const char *path,
                        const char *brief) /* NOLINT(misc-no-recursion) */
{
    char full[160];
    if (!brief) {
        schema_map(out, path);
        return;
    }
    snprintf(full, sizeof full, "%s.%s", path, brief);
    fputs("{\"anyOf\":[", out);
    schema_map(out, path);
    fputc(',', out);
    schema_values(out, config_option_find(full));
    fputs("]}", out);
}

static void schema_option(FILE *out, const struct config_option *o) /* NOLINT(misc-no-recursion) */
{
    char below[160];
    if (o->type == CONFIG_MAP) {
        schema_keys(out, o->path, o->brief);
    } else if (o->type == CONFIG_NAMED) {
        snprintf(below, sizeof below, "%s.*", o->path);
        fputs("{\"type\":\"object\",\"additionalProperties\":", out);
        schema_keys(out, below, o->brief);
        fputc('}', out);
    } else if (o->type == CONFIG_ITEMS) {
        snprintf(below, sizeof below, "%s[]", o->path);
        fputs("{\"type\":\"array\",\"items\":", out);
        schema_map(out, below);
        fputc('}', out);
    } else {
        schema_values(out, o);
    }
}

/* Depth is bounded by the rows themselves. */
static void schema_map(FILE *out, const char *parent) /* NOLINT(misc-no-recursion) */
{
    fputs(*parent ? "{" : "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",", out);
    fputs("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", out);
    const char *comma = "";
    char help[HELP_MAX];
    size_t n = strlen(parent);
    for (const struct config_option *o = config_options; o->path; o++) {
        if (!is_direct_child(o->path, parent))
            continue;
        fputs(comma, out);
        comma = ",";
        schema_text(out, o->path + n + (n > 0));
        fputc(':', out);
        if (o->type == CONFIG_UNBUILT) {
            fputs("false", out);
            continue;
        }
        fputs("{\"description\":", out);
        snprintf(help, sizeof help, "%s%s", o->help,
                 config_option_at_start(o) ? " Read at start." : "");
        schema_text(out, help);
        fputs(",\"allOf\":[", out);
        schema_option(out, o);
        fputs("]}", out);
    }
    fputc('}', out);
    schema_required(out, parent);
    fputc('}', out);
}

void config_print_schema(FILE *out)
{
    schema_map(out, "");
    fputc('\n', out);
}
