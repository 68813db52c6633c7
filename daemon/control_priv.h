/* daemon/control_priv.h: one request on the control socket, for the files that answer some. */
#ifndef WAYPOST_DAEMON_CONTROL_PRIV_H
#define WAYPOST_DAEMON_CONTROL_PRIV_H

#include "server_priv.h"

#include <microhttpd.h>

struct call {
    struct list link; /* of control.calls, or .finished once its walk is done */
    struct control *control;
    struct server *server;
    struct MHD_Connection *connection; /* NULL: gone */
    struct worker_question question;
    char *json; /* what a worker brought */
    json_t *body;
    unsigned status;
    bool waiting; /* somebody will finish it */
};

struct control_path {
    const char *method, *url;
    void (*run)(struct call *c); /* sets body, or json; else waiting */
};

/* A value of the query string, NULL when it is not there or empty. */
const char *call_arg(struct call *c, const char *name);
void call_refuse(struct call *c, unsigned status, const char *text);
/* The name (type) of the query string; false: said. */
bool call_take_name(struct call *c, uint8_t *name);
bool call_take_type(struct call *c, uint16_t def, uint16_t *type);

/* control_gslb.c: everything below /v1/gslb; ends with a row without method. */
extern const struct control_path control_gslb_paths[];

#endif
