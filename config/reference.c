/* config/reference.c: what the option rows say to people and to editors. */
#include "config/config.h"

#include <string.h>

void config_print_option(const struct config_option *o, FILE *out)
{
    fprintf(out, "%s: %s%s\n    %s\n", o->path, config_type_name(o),
            o->required ? ", required" : "", o->help);
    if (o->def)
        fprintf(out, "    default: %s\n", o->def);
    if (o->choices)
        fprintf(out, "    one of: %s\n", o->choices);
    if (o->min || o->max)
        fprintf(out, "    range: %lld to %lld%s\n", (long long)o->min, (long long)o->max,
                o->type == CONFIG_DURATION  ? " ms"
                : o->type == CONFIG_SIZE    ? " bytes"
                : o->type == CONFIG_PERCENT ? "%"
                                            : "");
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
                                           [CONFIG_PERCENT] = "^[0-9]+%$"};
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
    } else if (o->type == CONFIG_DURATION || o->type == CONFIG_SIZE || o->type == CONFIG_PERCENT) {
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

/* Depth is bounded by the rows themselves. */
static void schema_map(FILE *out, const char *parent) /* NOLINT(misc-no-recursion) */
{
    fputs(*parent ? "{" : "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",", out);
    fputs("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", out);
    const char *comma = "";
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
        schema_text(out, o->help);
        fputs(",\"allOf\":[", out);
        if (o->type == CONFIG_MAP) {
            schema_map(out, o->path);
        } else if (o->type == CONFIG_ITEMS) {
            char items[160];
            snprintf(items, sizeof items, "%s[]", o->path);
            fputs("{\"type\":\"array\",\"items\":", out);
            schema_map(out, items);
            fputc('}', out);
        } else if (o->many) {
            fputs("{\"anyOf\":[", out);
            schema_value(out, o);
            fputs(",{\"type\":\"array\",\"items\":", out);
            schema_value(out, o);
            fputs("}]}", out);
        } else {
            schema_value(out, o);
        }
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
