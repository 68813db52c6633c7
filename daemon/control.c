/* daemon/control.c: libmicrohttpd without threads of its own: its epoll descriptor is polled by the
 * control loop. A request that must wait (a walk, a reload) suspends its connection; the call
 * object lives until both its work has ended and its connection is gone. */
#include "daemon/control.h"

#include "base/err.h"
#include "control_priv.h"
#include "dns/name.h"
#include "dns/type.h"
#include "resolver/answers.h"
#include "resolver/cache.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_CONNECTIONS 32
#define CONTROL_TIMEOUT_S   30
#define CONTROL_MEMORY      16384 /* octets of one request's head */
#define TRACES_DEFAULT      10
#define TRACES_MAX          200

struct control {
    struct server *server;
    struct MHD_Daemon *http;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_async_t woken; /* a worker finished a walk */
    uv_mutex_t lock;  /* of finished */
    struct list finished;
    struct list calls;
    unsigned handles; /* open */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    bool closing;
};

/* ---- what is asked ---- */

const char *call_arg(struct call *c, const char *name)
{
    const char *v = MHD_lookup_connection_value(c->connection, MHD_GET_ARGUMENT_KIND, name);
    return v && *v ? v : NULL;
}

void call_refuse(struct call *c, unsigned status, const char *text)
{
    c->status = status;
    c->body = json_pack("{s:s}", "error", text);
}

/* The name of the query string; false: said. */
bool call_take_name(struct call *c, uint8_t *name)
{
    const char *text = call_arg(c, "name");
    int n = text ? dns_name_parse(name, text, strlen(text), NULL) : ERR_NOT_FOUND;
    if (n < 0)
        call_refuse(c, MHD_HTTP_BAD_REQUEST, text ? "name: not a domain name" : "no name");
    return n >= 0;
}

bool call_take_type(struct call *c, uint16_t def, uint16_t *type)
{
    const char *text = call_arg(c, "type");
    int t = text ? dns_type_parse(text, strlen(text)) : def;
    if (t < 0)
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "type: not a record type");
    *type = (uint16_t)t;
    return t >= 0;
}

static void get_status(struct call *c)
{
    c->body = server_report_status(c->control->server);
}

static void get_stats(struct call *c)
{
    c->body = server_report_stats(c->control->server);
}

static void get_servers(struct call *c)
{
    c->body = server_report_servers(c->control->server);
}

static void get_cache(struct call *c)
{
    uint8_t name[DNS_NAME_MAX];
    if (call_take_name(c, name))
        c->body = server_report_cache(c->control->server, name, call_arg(c, "subtree") != NULL);
}

static void flush_cache(struct call *c)
{
    struct server *s = c->control->server;
    uint8_t name[DNS_NAME_MAX];
    uint16_t type;
    bool subtree = call_arg(c, "subtree") != NULL;
    if (!call_take_name(c, name) || !call_take_type(c, 0, &type))
        return;
    unsigned answers = answers_flush(s->shared.answers, name, type, subtree), records = 0;
    if (s->shared.resolver)
        records = cache_flush(resolver_cache(s->shared.resolver), name, type, subtree);
    c->body = json_pack("{s:i, s:i}", "answers", (int)answers, "records", (int)records);
}

static void get_traces(struct call *c)
{
    uint8_t name[DNS_NAME_MAX];
    const char *count = call_arg(c, "n");
    long n = count ? strtol(count, NULL, 10) : TRACES_DEFAULT;
    if (n < 1 || n > TRACES_MAX)
        call_refuse(c, MHD_HTTP_BAD_REQUEST, "n: 1 to 200");
    else if (!call_arg(c, "name") || call_take_name(c, name))
        c->body = server_report_traces(c->control->server, call_arg(c, "name") ? name : NULL,
                                       (unsigned)n);
}

/* ---- what takes time ---- */

static void call_free(struct call *c)
{
    list_remove(&c->link);
    json_decref(c->body);
    free(c->json);
    free(c);
}

static void turn(struct control *c);

static void suspend(struct call *c)
{
    c->waiting = true;
    MHD_suspend_connection(c->connection);
}

/* Its work has ended: answer, or forget it when nobody is there any more. */
static void finish(struct call *c)
{
    c->waiting = false;
    if (!c->connection)
        call_free(c);
    else
        MHD_resume_connection(c->connection);
}

/* On a worker's thread. */
static void on_walked(struct worker_question *q, char *json)
{
    struct call *c = container_of(q, struct call, question);
    struct control *control = c->control;
    uv_mutex_lock(&control->lock);
    c->json = json;
    list_push(&control->finished, &c->question.link);
    uv_async_send(&control->woken);
    uv_mutex_unlock(&control->lock);
}

static void get_trace(struct call *c)
{
    struct server *s = c->control->server;
    struct worker_question *q = &c->question;
    if (!call_take_name(c, q->qname) || !call_take_type(c, DNS_TYPE_A, &q->qtype))
        return;
    q->dnssec_ok = true;
    q->done = on_walked;
    struct worker *w = s->workers[s->next_worker++ % s->worker_count];
    int err = worker_ask(w, q);
    if (err) {
        call_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                    err == ERR_UNSUPPORTED ? "no listener of this server resolves" : err_text(err));
        return;
    }
    suspend(c);
}

static void on_reloaded(void *p, const struct server_reload *r)
{
    struct call *c = p;
    json_t *messages = json_array();
    for (const struct diag *d = r->diags->first; d; d = d->next) {
        char text[1024];
        diag_format(d, text, sizeof text);
        json_array_append_new(messages, json_string(text));
    }
    c->status = r->err || r->zone_errors ? MHD_HTTP_CONFLICT : MHD_HTTP_OK;
    c->body = json_pack("{s:b, s:i, s:i, s:o}", "changed", (int)!r->err, "zones", (int)r->zones,
                        "zone_errors", (int)r->zone_errors, "messages", messages);
    struct control *control = c->control;
    finish(c);
    turn(control);
}

static void post_reload(struct call *c)
{
    int err = server_reload(c->control->server, on_reloaded, c);
    if (err)
        call_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                    err == ERR_UNSUPPORTED ? "this server was started without a file"
                                           : err_text(err));
    else
        suspend(c);
}

static void post_stop(struct call *c)
{
    c->body = json_pack("{s:b}", "stopping", 1);
}

static const struct control_path paths[] = {
    {"GET", "/v1/status", get_status},   {"GET", "/v1/stats", get_stats},
    {"GET", "/v1/servers", get_servers}, {"GET", "/v1/cache", get_cache},
    {"GET", "/v1/trace", get_trace},     {"GET", "/v1/traces", get_traces},
    {"POST", "/v1/reload", post_reload}, {"POST", "/v1/cache/flush", flush_cache},
    {"POST", "/v1/stop", post_stop},     {NULL, NULL, NULL},
};

/* NULL; *known: some row has this URL. */
static const struct control_path *find_path(const struct control_path *rows, const char *method,
                                            const char *url, bool *known)
{
    for (; rows->method; rows++) {
        bool here = !strcmp(rows->url, url);
        *known = *known || here;
        if (here && !strcmp(rows->method, method))
            return rows;
    }
    return NULL;
}

static void run_call(struct call *c, const char *method, const char *url)
{
    bool known = false;
    const struct control_path *row = find_path(paths, method, url, &known);
    row = row ? row : find_path(control_gslb_paths, method, url, &known);
    if (row)
        row->run(c);
    else if (known)
        call_refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "another method is wanted here");
    else
        call_refuse(c, MHD_HTTP_NOT_FOUND, "there is nothing here");
}

/* ---- HTTP ---- */

static enum MHD_Result send_call(struct call *c)
{
    char *text = c->json ? c->json : json_dumps(c->body, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    c->json = NULL;
    if (!text) {
        text = strdup("{\"error\": \"out of memory\"}");
        c->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(text ? strlen(text) : 0, text, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result done = MHD_queue_response(c->connection, c->status, r);
    MHD_destroy_response(r);
    return done;
}

/* Called first with the head, then again at the end of the body, and after a resume. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    struct control *control = cls;
    struct call *c = *state;
    (void)version;
    (void)upload;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            return MHD_NO;
        c->control = control;
        c->server = control->server;
        c->connection = connection;
        list_push(&control->calls, &c->link);
        *state = c;
        return MHD_YES;
    }
    if (*upload_len) { /* no request has a body that matters */
        *upload_len = 0;
        return MHD_YES;
    }
    if (!c->status) {
        c->status = MHD_HTTP_OK;
        run_call(c, method, url);
        if (c->waiting)
            return MHD_YES;
    } else if (!c->json && !c->body) {
        call_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the question could not be asked");
    }
    return send_call(c);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct control *control = cls;
    struct call *c = *state;
    (void)connection;
    if (!c)
        return;
    bool stop = why == MHD_REQUEST_TERMINATED_COMPLETED_OK && c->body &&
                json_object_get(c->body, "stopping");
    c->connection = NULL;
    if (!c->waiting)
        call_free(c);
    if (stop && !control->closing)
        server_stop(control->server);
}

/* ---- on the loop ---- */

static void on_timer(uv_timer_t *t)
{
    turn(t->data);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    (void)status;
    (void)events;
    turn(p->data);
}

static void turn(struct control *c)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(c->http);
    if (c->closing)
        return;
    if (MHD_get_timeout(c->http, &ms) == MHD_YES)
        uv_timer_start(&c->timer, on_timer, ms, 0);
    else
        uv_timer_stop(&c->timer);
}

static void on_woken(uv_async_t *h)
{
    struct control *control = h->data;
    for (;;) {
        uv_mutex_lock(&control->lock);
        struct list *first = list_first(&control->finished);
        if (first)
            list_remove(first);
        uv_mutex_unlock(&control->lock);
        if (!first)
            break;
        finish(
            container_of(container_of(first, struct worker_question, link), struct call, question));
    }
    turn(control);
}

/* ---- open and close ---- */

/* Does somebody answer there? A socket file alone says nothing: its server may be gone. */
static bool is_alive(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0;
    if (fd >= 0)
        close(fd);
    return alive;
}

static int open_socket(struct control *c, const char *path, long owner, int *out)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof sa.sun_path)
        return ERR_RANGE;
    strcpy(sa.sun_path, path);
    if (is_alive(&sa))
        return ERR_IN_USE;
    if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
        return ERR_EXISTS; /* not ours to remove */
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177);
    int failed = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
                 listen(fd, CONTROL_CONNECTIONS) < 0;
    int err = failed ? err_of_errno(errno) : 0;
    umask(mask);
    if (!err && owner >= 0 && chown(path, (uid_t)owner, (gid_t)-1) < 0)
        err = err_of_errno(errno);
    if (err && fd >= 0)
        close(fd);
    strcpy(c->path, path);
    *out = fd;
    return err;
}

static int open_http(struct control *c, int fd)
{
    c->http = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
                               c, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
                               on_completed, c, MHD_OPTION_CONNECTION_LIMIT,
                               (unsigned)CONTROL_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                               (unsigned)CONTROL_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                               (size_t)CONTROL_MEMORY, MHD_OPTION_END);
    return c->http ? 0 : ERR_SYSTEM;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct control *c = h->data;
    if (--c->handles)
        return;
    uv_mutex_destroy(&c->lock);
    free(c);
}

static int open_loop(struct control *c)
{
    uv_loop_t *loop = &c->server->loop;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(c->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || uv_poll_init(loop, &c->poll, info->epoll_fd))
        return ERR_SYSTEM;
    uv_timer_init(loop, &c->timer);
    uv_async_init(loop, &c->woken, on_woken);
    c->poll.data = c->timer.data = c->woken.data = c;
    c->handles = 3;
    uv_poll_start(&c->poll, UV_READABLE, on_ready);
    return 0;
}

int control_open(struct control **out, struct server *s, const char *path, long owner)
{
    struct control *c = calloc(1, sizeof *c);
    int fd = -1;
    if (!c)
        return ERR_NOMEM;
    c->server = s;
    list_init(&c->calls);
    list_init(&c->finished);
    uv_mutex_init(&c->lock);
    int err = open_socket(c, path, owner, &fd);
    err = err ? err : open_http(c, fd);
    if (err && fd >= 0 && !c->http)
        close(fd);
    err = err ? err : open_loop(c);
    if (err) {
        if (c->http)
            MHD_stop_daemon(c->http);
        uv_mutex_destroy(&c->lock);
        free(c);
        return err;
    }
    *out = c;
    return 0;
}

void control_close(struct control *c)
{
    c->closing = true;
    LIST_FOR (it, &c->calls) {
        struct call *call = container_of(it, struct call, link);
        if (call->waiting && call->connection)
            MHD_resume_connection(call->connection);
        call->waiting = false;
    }
    MHD_stop_daemon(c->http);
    unlink(c->path);
    while (!list_is_empty(&c->calls))
        call_free(container_of(list_first(&c->calls), struct call, link));
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->woken, on_handle_closed);
}
