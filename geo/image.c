#include "image_priv.h"

#include "base/diag.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_CHUNK (256 * 1024)

static int say(struct diag_list *d, const char *name, int err, const char *what)
{
    diag_add(d, DIAG_ERROR, &(struct diag_at){.file = name, .hint = err_remedy(err)}, "%s", what);
    return err;
}

static int open_temporary(struct image *im)
{
    const char *folder = secure_getenv("TMPDIR");
    int n = snprintf(im->path, sizeof im->path, "%s/waypost-geo-XXXXXX",
                     folder && *folder == '/' ? folder : "/tmp");
    if (n < 0 || (size_t)n >= sizeof im->path)
        return ERR_SPACE;
    im->fd = mkostemp(im->path, O_CLOEXEC); /* mode 0600 */
    im->is_file = im->fd >= 0;
    return im->fd < 0 ? err_of_errno(errno) : 0;
}

static int open_image(struct image *im, const char *name, struct diag_list *d)
{
    *im = (struct image){.fd = memfd_create("waypost-geo", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    snprintf(im->path, sizeof im->path, "/proc/self/fd/%d", im->fd);
    if (im->fd >= 0 && access(im->path, R_OK) == 0)
        return 0;
    if (im->fd >= 0)
        close(im->fd);
    int err = open_temporary(im);
    return err ? say(d, name, err, "it cannot be copied to a temporary file") : 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return err_of_errno(errno);
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int seal(struct image *im, const char *name, size_t len, struct diag_list *d)
{
    if (!len)
        return say(d, name, ERR_INVALID, "it is empty");
    if (!im->is_file &&
        fcntl(im->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return say(d, name, ERR_SYSTEM, "its copy in memory cannot be sealed");
    void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, im->fd, 0);
    if (at == MAP_FAILED)
        return say(d, name, ERR_NOMEM, err_text(ERR_NOMEM));
    im->bytes = at;
    im->len = len;
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec; /* not ctime: a rename over it changes that */
}

static int copy_bytes(struct image *im, int from, size_t *len, uint64_t max)
{
    uint8_t *chunk = malloc(IMAGE_CHUNK);
    int err = chunk ? 0 : ERR_NOMEM;
    for (ssize_t n = 1; n && !err;) {
        n = read(from, chunk, IMAGE_CHUNK);
        if (n < 0 && errno != EINTR)
            err = err_of_errno(errno);
        else if (n > 0 && (uint64_t)n > max - *len)
            err = ERR_LIMIT;
        else if (n > 0)
            err = write_all(im->fd, chunk, (size_t)n);
        *len += n > 0 ? (size_t)n : 0;
    }
    free(chunk);
    return err;
}

static int copy_file(struct image *im, int from, const char *path, uint64_t max,
                     struct diag_list *d)
{
    struct stat before, after;
    size_t len = 0;
    if (fstat(from, &before))
        return say(d, path, err_of_errno(errno), strerror(errno));
    if (!S_ISREG(before.st_mode))
        return say(d, path, ERR_NOT_FILE, err_text(ERR_NOT_FILE));
    int err = (uint64_t)before.st_size > max ? ERR_LIMIT : copy_bytes(im, from, &len, max);
    if (err == ERR_LIMIT) {
        diag_add(d, DIAG_ERROR, &(struct diag_at){.file = path},
                 "larger than the limit of %llu bytes for a database", (unsigned long long)max);
        return err;
    }
    if (err)
        return say(d, path, err, err_text(err));
    if (fstat(from, &after) || !same_file(&before, &after))
        return say(d, path, ERR_BUSY, "it changed while it was read");
    return seal(im, path, len, d);
}

int image_copy(struct image *im, const char *path, uint64_t max_bytes, struct diag_list *d)
{
    int from =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not hold us */
    if (from < 0)
        return say(d, path, err_of_errno(errno), strerror(errno));
    int err = open_image(im, path, d);
    if (!err) {
        err = copy_file(im, from, path, max_bytes, d);
        if (err)
            image_close(im);
    }
    close(from);
    return err;
}

int image_of(struct image *im, const char *name, const void *bytes, size_t len, struct diag_list *d)
{
    int err = open_image(im, name, d);
    if (err)
        return err;
    err = write_all(im->fd, bytes, len);
    err = err ? say(d, name, err, err_text(err)) : seal(im, name, len, d);
    if (err)
        image_close(im);
    return err;
}

void image_hide(struct image *im)
{
    if (im->is_file)
        unlink(im->path);
    im->is_file = 0;
}

void image_close(struct image *im)
{
    image_hide(im);
    if (im->bytes)
        munmap((void *)(uintptr_t)im->bytes, im->len);
    close(im->fd);
    im->bytes = NULL;
}
