#include "monitor_priv.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void events_open(struct events *e)
{
    e->fd = open(e->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (e->fd < 0)
        ++e->errors;
}

void events_init(struct events *e, const char *path)
{
    e->path = path;
    e->fd = -1;
    if (path)
        events_open(e);
}

void events_fini(struct events *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
}

void events_reopen(struct events *e)
{
    struct stat there, here;
    if (!e->path)
        return;
    if (e->fd >= 0 && !fstat(e->fd, &here) && !stat(e->path, &there) &&
        here.st_ino == there.st_ino && here.st_dev == there.st_dev)
        return;
    events_fini(e);
    events_open(e);
}

static void text_set(json_t *o, const char *key, const char *text)
{
    json_t *value = *text ? json_string(text) : json_null();
    /* Names come from a configuration and may be no UTF-8. */
    json_object_set_new(o, key, value ? value : json_string("?"));
}

json_t *event_json(const struct event *v)
{
    json_t *o = json_object();
    if (!o)
        return NULL;
    json_object_set_new(o, "number", json_integer((json_int_t)v->number));
    json_object_set_new(o, "time", json_integer(v->wall_ms));
    text_set(o, "member", v->member);
    text_set(o, "check", v->check);
    text_set(o, "from", v->from);
    text_set(o, "to", v->to);
    text_set(o, "why", v->why);
    text_set(o, "evidence", v->evidence);
    return o;
}

/* One write per line: lines of several writers do not mix. */
static void events_append(struct events *e, const struct event *v)
{
    json_t *o = event_json(v);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    char *line = NULL;
    int len = text ? asprintf(&line, "%s\n", text) : -1;
    if (len < 0 || write(e->fd, line, (size_t)len) != len)
        ++e->errors;
    if (len >= 0)
        free(line);
    free(text);
    json_decref(o);
}

void event_say(struct gslb_monitor *m, const struct event *what)
{
    struct events *e = &m->events;
    struct event *v = &e->ring[e->count % MONITOR_EVENTS];
    *v = *what;
    v->number = ++e->count;
    v->wall_ms = clock_wall_us(m->place.clock) / 1000;
    if (e->fd >= 0)
        events_append(e, v);
}

void event_of(struct gslb_monitor *m, const struct member *mb, const char *check, const char *from,
              const char *to, const char *why, const char *evidence)
{
    struct event v = {0};
    if (mb)
        member_print(mb, v.member, sizeof v.member);
    snprintf(v.check, sizeof v.check, "%s", check ? check : "");
    snprintf(v.from, sizeof v.from, "%s", from);
    snprintf(v.to, sizeof v.to, "%s", to);
    snprintf(v.why, sizeof v.why, "%s", why);
    snprintf(v.evidence, sizeof v.evidence, "%s", evidence ? evidence : "");
    event_say(m, &v);
}
