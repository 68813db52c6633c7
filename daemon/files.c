/* daemon/files.c: the files a plan was read from, beside the configuration: watched, read again
 * when they change, and what of that an operator should know. */
#include "base/err.h"
#include "base/log.h"
#include "geo/db.h"
#include "server_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUIET_MS 2000
#define POLL_MS  10000
#define DAY_S    86400

static void on_changed(void *arg)
{
    struct server *s = arg;
    log_notice("files", "databases or lists of networks have changed: reading them");
    if (server_rebuild(s))
        log_error("files", "they cannot be read now");
}

int server_watch_files(struct server *s)
{
    static const struct watch_times times = {QUIET_MS, POLL_MS};
    const struct gslb_plan *plan = server_snapshot(s)->plan;
    unsigned count = 0;
    for (const struct gslb_file *f = plan ? plan->files : NULL; f; f = f->next)
        count++;
    if (s->ending || (!count && !s->watch))
        return 0;
    struct watch_file *files = calloc(count + 1, sizeof *files);
    int err = files ? 0 : ERR_NOMEM;
    count = 0;
    for (const struct gslb_file *f = plan && files ? plan->files : NULL; f; f = f->next)
        files[count++] = (struct watch_file){f->path, f->id};
    if (!err && !s->watch)
        err = watch_new(&s->watch, &s->loop, &times, on_changed, s);
    err = err ? err : watch_files(s->watch, files, count);
    free(files);
    if (err)
        log_error("files", "they are not watched any more: %s", err_text(err));
    return err;
}

void server_files_read(struct server *s, int err, const struct diag_list *said)
{
    free(s->files_problem);
    s->files_problem = NULL;
    if (!err) {
        if (s->bg.rebuild)
            log_notice("files", "read; %u databases kept in their old version", s->bg.zone_errors);
        return;
    }
    const struct diag *e = said->first;
    char text[512];
    while (e && e->level != DIAG_ERROR)
        e = e->next;
    snprintf(text, sizeof text, "%s", err_text(err));
    if (e)
        diag_format(e, text, sizeof text);
    log_error("files", "nothing was changed: %s", text);
    s->files_problem = strdup(text);
    s->files_problem_s = clock_wall_s(s->shared.clock);
}

/* ---- attention ---- */

static const char *date_of(int64_t s, char out[32])
{
    time_t at = (time_t)s;
    struct tm tm;
    if (!gmtime_r(&at, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
        snprintf(out, 32, "an unknown time");
    return out;
}

static void add_file(json_t *list, const struct gslb_file *f, int64_t now)
{
    char date[32];
    if (f->problem && f->read_s)
        json_array_append_new(list, json_sprintf("geo database %s could not be read: %s; the "
                                                 "tables read at %s serve on",
                                                 f->path, f->problem, date_of(f->read_s, date)));
    else if (f->problem)
        json_array_append_new(list, json_sprintf("geo database %s could not be read: %s; maps know "
                                                 "the operator's networks only",
                                                 f->path, f->problem));
    if (f->built_s && f->built_s < INT64_MAX && now - (int64_t)f->built_s > GEO_DB_OLD_S)
        json_array_append_new(
            list, json_sprintf("geo database %s is old: it was made %lld days ago", f->path,
                               (long long)(now - (int64_t)f->built_s) / DAY_S));
}

json_t *server_report_attention(struct server *s)
{
    const struct gslb_plan *plan = server_snapshot(s)->plan;
    json_t *list = json_array();
    char date[32];
    for (const struct gslb_file *f = plan ? plan->files : NULL; f; f = f->next)
        add_file(list, f, clock_wall_s(s->shared.clock));
    if (s->files_problem)
        json_array_append_new(
            list, json_sprintf("files changed and nothing was taken from them at %s: %s",
                               date_of(s->files_problem_s, date), s->files_problem));
    return list;
}
