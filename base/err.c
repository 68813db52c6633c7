#include "base/err.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    const char *name, *text;
} err_rows[] = {
#define ERR_ROW(name, number, text) [number] = {#name, text},
    ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

static int err_row(int err)
{
    return err < 0 && err > -(int)(sizeof err_rows / sizeof *err_rows) && err_rows[-err].name ? -err
                                                                                              : 0;
}

const char *err_name(int err)
{
    if (err >= 0)
        return "ERR_NONE";
    return err_row(err) ? err_rows[err_row(err)].name : "ERR_UNKNOWN";
}

const char *err_text(int err)
{
    if (err >= 0)
        return "ok";
    return err_row(err) ? err_rows[err_row(err)].text : "unknown error";
}

int err_of_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return ERR_NONE;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_ACCESS;
    case EADDRINUSE:
        return ERR_IN_USE;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECANCELED:
        return ERR_CANCELLED;
    case ECONNREFUSED:
        return ERR_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return ERR_UNREACHABLE;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return ERR_CLOSED;
    case EIO:
        return ERR_IO;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EISDIR:
        return ERR_NOT_FILE;
    case EMFILE:
    case ENFILE:
        return ERR_LIMIT;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case EINVAL:
        return ERR_INVALID;
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
        return ERR_UNSUPPORTED;
    default:
        return ERR_SYSTEM;
    }
}

const char *err_remedy(int err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "is the path right? a relative one counts from the file that names it";
    case ERR_ACCESS:
        return "its rights (ls -l) have to allow it to the user that runs waypost";
    case ERR_FULL:
        return "make room there (df -h, df -i), or choose another place";
    case ERR_NOT_FILE:
        return "name a file, not a folder or a pipe";
    default:
        return NULL;
    }
}
