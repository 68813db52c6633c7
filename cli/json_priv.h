/* cli/json_priv.h: what is read of a document, and a document for programs. */
#ifndef WAYPOST_CLI_JSON_H
#define WAYPOST_CLI_JSON_H

#include <jansson.h>
#include <stdio.h>

/* "": not there, or no text */
static inline const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static inline double number_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static inline void print_json(const json_t *doc)
{
    json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
}

#endif
