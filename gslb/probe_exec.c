/* A command of the operator's. It leads a session and group of its own, so that whatever it started
 * ends with it. Its handle outlives the probe: a command that was given up is still reaped, and
 * counts until then. */
#include "probe_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct probe_command {
    uv_poll_t ended; /* of its process */
    int pidfd;
    pid_t pid;
    struct gslb_prober *prober;
    struct gslb_probe *probe; /* NULL: given up */
    int out;                  /* what it writes; -1 when it ended that */
    size_t len;
    char text[GSLB_EVIDENCE_MAX - 32], address[ADDR_TEXT_MAX];
    char *argv[];
};

static const char *exec_stage(struct gslb_probe *probe)
{
    (void)probe;
    return "waiting for the command, which was killed";
}

static void on_closed(uv_handle_t *h)
{
    struct probe_command *c = container_of((uv_poll_t *)h, struct probe_command, ended);
    struct gslb_prober *p = c->prober;
    close(c->pidfd);
    free(c);
    p->command_count--;
    probe_commands_changed(p);
    probe_handle_closed(p);
}

static void kill_group(const struct probe_command *c)
{
    kill(-c->pid, SIGKILL);
}

static void exec_stop(struct gslb_probe *probe)
{
    struct probe_command *c = probe->as.exec;
    if (!c)
        return;
    probe_close_fd(probe, &c->out);
    if (!uv_is_closing((uv_handle_t *)&c->ended))
        kill_group(c);
    c->probe = NULL;
    probe->as.exec = NULL;
}

/* Takes what is there; what does not fit into the evidence is thrown away, so that the command
 * never waits for us. */
static void command_read(struct gslb_probe *probe, struct probe_command *c)
{
    char room[4096];
    ssize_t n;
    for (unsigned turns = 0; turns < 16 && c->out >= 0; turns++) {
        n = read(c->out, room, sizeof room);
        if (n < 0)
            return;
        if (n == 0)
            probe_close_fd(probe, &c->out);
        size_t take = sizeof c->text - 1 - c->len;
        take = take < (size_t)n ? take : (size_t)n;
        memcpy(c->text + c->len, room, take);
        c->len += take;
    }
}

static void exec_ready(struct gslb_probe *probe, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    command_read(probe, probe->as.exec);
}

/* What it left behind in its group ends before its number may be another's. */
static void on_ended(uv_poll_t *h, int status, int events)
{
    struct probe_command *c = container_of(h, struct probe_command, ended);
    struct gslb_probe *probe = c->probe;
    int ended = 0;
    (void)status;
    (void)events;
    kill_group(c);
    waitpid(c->pid, &ended, 0);
    uv_close((uv_handle_t *)h, on_closed);
    if (!probe)
        return;
    command_read(probe, c);
    for (size_t i = 0; i < c->len; i++)
        c->text[i] = c->text[i] ? c->text[i] : '.';
    while (c->len && strchr(" \r\n\t", c->text[c->len - 1]))
        c->len--;
    c->text[c->len] = 0;
    const char *colon = c->len ? ": " : "";
    int code = WIFSIGNALED(ended) ? -1 : WEXITSTATUS(ended);
    probe->result.code = code;
    if (code < 0)
        probe_finish(probe, GSLB_FAIL, "ended by signal %d%s%s", WTERMSIG(ended), colon, c->text);
    else
        probe_finish(probe, code ? GSLB_FAIL : GSLB_PASS, "exit code %d%s%s", code, colon, c->text);
}

static struct probe_command *command_new(struct gslb_probe *probe)
{
    const char *const *argv = probe->check->argv;
    size_t n = 0;
    while (argv[n])
        n++;
    struct probe_command *c = calloc(1, sizeof *c + (n + 2) * sizeof *c->argv);
    if (!c)
        return NULL;
    memcpy(c->argv, argv, n * sizeof *argv);
    addr_print(&probe->target, c->address);
    c->argv[n] = c->address;
    c->prober = probe->prober;
    c->probe = probe;
    return c;
}

/* 0 or an errno: it does not run. */
static int command_spawn(struct probe_command *c, int write_end)
{
    char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C";
    char *env[] = {path, locale, NULL};
    struct gslb_prober *p = c->prober;
    int err = probe_spawn(c->argv, env, write_end, p->limits.files, &c->pid);
    if (err)
        return err;
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    err = c->pidfd < 0 ? errno : -uv_poll_init(p->loop, &c->ended, c->pidfd);
    if (!err) {
        uv_poll_start(&c->ended, UV_READABLE, on_ended);
        return 0;
    }
    kill_group(c);
    waitpid(c->pid, NULL, 0);
    if (c->pidfd >= 0)
        close(c->pidfd);
    return err;
}

static void exec_start(struct gslb_probe *probe)
{
    struct gslb_prober *p = probe->prober;
    int ends[2];
    probe->as.exec = NULL;
    if (!probe->check->argv || !probe->check->argv[0]) {
        probe_finish(probe, GSLB_NO_VERDICT, "no command is named");
        return;
    }
    struct probe_command *c = command_new(probe);
    if (!c || pipe2(ends, O_CLOEXEC)) {
        int kept = c ? errno : ENOMEM;
        free(c);
        probe_finish_errno(probe, kept, "cannot start the command");
        return;
    }
    int err = command_spawn(c, ends[1]);
    close(ends[1]);
    if (err) {
        close(ends[0]);
        free(c);
        probe_finish(probe, GSLB_NO_VERDICT, "cannot start %s: %s", probe->check->argv[0],
                     uv_strerror(-err));
        return;
    }
    c->out = ends[0];
    probe->as.exec = c;
    p->command_count++;
    probe_handle_opened(p);
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    err = probe_watch(probe, c->out, EPOLLIN);
    if (err)
        probe_finish_errno(probe, err, "cannot hear the command");
}

const struct probe_type probe_type_exec = {exec_start, exec_ready, exec_stop, exec_stage};
