/* cli/trace_text_priv.h: a trace document (resolver/trace.h) as people read it. */
#ifndef WAYPOST_CLI_TRACE_TEXT_H
#define WAYPOST_CLI_TRACE_TEXT_H

#include <stdio.h>

/* ERR_SYNTAX when the text is no trace document. */
int trace_print_text(const char *json, FILE *out);
/* One JSON object a line: the question, every event as it happened, every hop, the result. */
int trace_print_lines(const char *json, FILE *out);

#endif
