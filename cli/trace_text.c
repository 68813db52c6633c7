#include "trace_text.h"

#include "base/err.h"

#include <jansson.h>

int trace_print_text(const char *json, FILE *out)
{
    fputs(json, out);
    return 0;
}
