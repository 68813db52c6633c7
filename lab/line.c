#include "lab/line.h"

#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define ANSWER_MS 5000
#define LISTEN_MS 1000 /* a caller that does not end its line may not stand in others' way */

struct line {
    uv_thread_t thread;
    int socket, end; /* end: an eventfd */
    bool started;
    line_taken *take;
    void *arg;
    struct sockaddr_un at;
};

static int address(struct sockaddr_un *sa, const char *path)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa->sun_path)
        return ERR_SPACE;
    memcpy(sa->sun_path, path, strlen(path) + 1);
    return 0;
}

/* Up to the end of a line, which becomes a NUL. */
static int read_line(int fd, char *text, size_t cap)
{
    for (size_t len = 0; len < cap;) {
        ssize_t n = recv(fd, text + len, cap - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? ERR_TIMEOUT : err_of_errno(errno);
        if (!n)
            return ERR_CLOSED;
        char *end = memchr(text + len, '\n', (size_t)n);
        len += (size_t)n;
        if (end) {
            *end = 0;
            return 0;
        }
    }
    return ERR_SPACE;
}

static void set_patience(int fd, int ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
}

static int send_line(int fd, const char *text)
{
    size_t len = strlen(text);
    ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
    return n < 0 ? err_of_errno(errno) : (size_t)n == len ? 0 : ERR_IO;
}

/* ---- listening ---- */

static void serve(struct line *l, int fd)
{
    char text[LINE_MAX_LEN], said[LINE_MAX_LEN] = "", answer[LINE_MAX_LEN + 16];
    set_patience(fd, LISTEN_MS);
    if (!read_line(fd, text, sizeof text)) {
        int err = l->take(l->arg, text, said, sizeof said);
        snprintf(answer, sizeof answer, "%d %s\n", err, said);
        send_line(fd, answer);
    }
    close(fd);
}

static void line_thread(void *arg)
{
    struct line *l = arg;
    struct pollfd p[2] = {{.fd = l->socket, .events = POLLIN}, {.fd = l->end, .events = POLLIN}};
    while (!p[1].revents) {
        int n = poll(p, 2, -1);
        int fd = n > 0 && p[0].revents ? accept4(l->socket, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            serve(l, fd);
    }
}

static int open_socket(struct line *l)
{
    l->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    l->end = eventfd(0, EFD_CLOEXEC);
    if (l->socket < 0 || l->end < 0)
        return err_of_errno(errno);
    int there = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = there >= 0 && !connect(there, (struct sockaddr *)&l->at, sizeof l->at);
    if (there >= 0)
        close(there);
    if (alive)
        return ERR_IN_USE;
    unlink(l->at.sun_path);
    /* the folder is ours alone, so nobody comes in before the mode is set */
    if (bind(l->socket, (struct sockaddr *)&l->at, sizeof l->at) || chmod(l->at.sun_path, 0600) ||
        listen(l->socket, 8))
        return err_of_errno(errno);
    return 0;
}

int line_start(struct line **out, const char *path, line_taken *take, void *arg)
{
    struct line *l = calloc(1, sizeof *l);
    if (!l)
        return ERR_NOMEM;
    l->socket = l->end = -1;
    l->take = take;
    l->arg = arg;
    int err = address(&l->at, path);
    err = err ? err : open_socket(l);
    if (!err && uv_thread_create(&l->thread, line_thread, l))
        err = ERR_SYSTEM;
    l->started = !err;
    if (err)
        line_stop(l);
    else
        *out = l;
    return err;
}

void line_stop(struct line *l)
{
    uint64_t one = 1;
    if (!l)
        return;
    if (l->started) {
        while (write(l->end, &one, sizeof one) < 0 && errno == EINTR)
            ;
        uv_thread_join(&l->thread);
        unlink(l->at.sun_path);
    }
    if (l->socket >= 0)
        close(l->socket);
    if (l->end >= 0)
        close(l->end);
    free(l);
}

/* ---- asking ---- */

int line_ask(const char *path, const char *text, char *said, size_t cap)
{
    char line[LINE_MAX_LEN], answer[LINE_MAX_LEN + 16], *words = NULL;
    struct sockaddr_un sa;
    *said = 0;
    int err = address(&sa, path);
    if (err || snprintf(line, sizeof line, "%s\n", text) >= (int)sizeof line)
        return ERR_SPACE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_of_errno(errno);
    set_patience(fd, ANSWER_MS);
    err =
        connect(fd, (struct sockaddr *)&sa, sizeof sa) ? err_of_errno(errno) : send_line(fd, line);
    err = err ? err : read_line(fd, answer, sizeof answer);
    close(fd);
    if (err)
        return err;
    long code = strtol(answer, &words, 10);
    snprintf(said, cap, "%s", *words ? words + 1 : words);
    return (int)code;
}
