#include "store_priv.h"

#include "base/err.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED          0x77617970u
#define HEAD_MAX      96
#define SIZE_MAX_READ (256u << 20) /* larger files are none of ours */

static int last_error(void)
{
    int err = err_of_errno(errno);
    return err < 0 ? err : ERR_IO;
}

static int head_print(char out[HEAD_MAX], const char *kind, const char *body, size_t len)
{
    return snprintf(out, HEAD_MAX, "waypost-%s 1 %zu %016" PRIx64 "\n", kind, len,
                    hash_bytes(body, len, SEED));
}

static int put(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? last_error() : ERR_FULL;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static char *path_with(const char *path, const char *ending)
{
    char *out = NULL;
    return asprintf(&out, "%s%s", path, ending) < 0 ? NULL : out;
}

/* A name is on the disk when its folder is. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (!folder)
        return ERR_NOMEM;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) ? last_error() : 0;
    if (fd >= 0)
        close(fd);
    free(folder);
    return err;
}

static int write_new(const char *path, const char *head, size_t head_len, const char *body,
                     size_t len, bool sync)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return last_error();
    int err = put(fd, head, head_len);
    if (!err)
        err = put(fd, body, len);
    if (!err && sync && fsync(fd))
        err = last_error();
    if (close(fd) && !err)
        err = last_error();
    return err;
}

int store_write(const char *path, const char *kind, const char *body, size_t len, bool sync,
                bool *placed)
{
    char head[HEAD_MAX];
    char *beside = path_with(path, ".new");
    bool renamed = false;
    int err = ERR_NOMEM;
    if (beside) {
        err = write_new(beside, head, (size_t)head_print(head, kind, body, len), body, len, sync);
        if (!err && rename(beside, path))
            err = last_error();
        renamed = !err;
        if (err)
            unlink(beside);
        else if (sync)
            err = sync_folder(path);
    }
    if (placed)
        *placed = renamed;
    free(beside);
    return err;
}

static int read_all(const char *path, char **out, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return last_error();
    struct stat st;
    int err = 0;
    size_t at = 0;
    char *text = NULL;
    if (fstat(fd, &st))
        err = last_error();
    else if (!S_ISREG(st.st_mode) || st.st_size > SIZE_MAX_READ)
        err = ERR_FORMAT;
    else if (!(text = malloc((size_t)st.st_size + 1)))
        err = ERR_NOMEM;
    while (!err && at < (size_t)st.st_size) {
        ssize_t n = read(fd, text + at, (size_t)st.st_size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            err = n ? last_error() : ERR_FORMAT;
        else
            at += (size_t)n;
    }
    close(fd);
    if (err) {
        free(text);
        return err;
    }
    text[at] = 0;
    *out = text;
    *len = at;
    return 0;
}

int store_read(const char *path, const char *kind, char **body, size_t *len)
{
    char *text = NULL;
    size_t all = 0;
    int err = read_all(path, &text, &all);
    if (err)
        return err;
    /* The head is made again from what follows it: whatever differs is damage. */
    const char *end = memchr(text, '\n', all);
    size_t head_len = end ? (size_t)(end - text) + 1 : all;
    char head[HEAD_MAX];
    int expected = head_print(head, kind, text + head_len, all - head_len);
    if (!end || head_len != (size_t)expected || memcmp(head, text, head_len)) {
        free(text);
        return ERR_FORMAT;
    }
    *len = all - head_len;
    memmove(text, text + head_len, *len + 1);
    *body = text;
    return 0;
}

int store_try(const char *path)
{
    char *beside = path_with(path, ".new");
    if (!beside)
        return ERR_NOMEM;
    int err = write_new(beside, "", 0, "", 0, false);
    if (!err && unlink(beside))
        err = last_error();
    free(beside);
    return err;
}

int store_set_aside(const char *path)
{
    char *bad = path_with(path, ".bad");
    if (!bad)
        return ERR_NOMEM;
    int err = rename(path, bad) ? last_error() : 0;
    free(bad);
    return err;
}
