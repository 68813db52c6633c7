/* base/err.h: the one set of operating errors.
 * 0 is success, errors are negative, so a count or a length may share the non-negative half of an
 * int. DNS outcomes (rcode, extended error) and verdicts are other things and live in other fields.
 * Names and texts come from the same table (err_name, err_text). Threads: constant. */
#ifndef WAYPOST_BASE_ERR_H
#define WAYPOST_BASE_ERR_H

#define ERR_MAP(X)                                      \
    X(ERR_NOMEM, 1, "out of memory")                    \
    X(ERR_TRUNC, 2, "input ends early")                 \
    X(ERR_RANGE, 3, "value out of range")               \
    X(ERR_SYNTAX, 4, "syntax error")                    \
    X(ERR_FORMAT, 5, "malformed wire data")             \
    X(ERR_NAME_LONG, 6, "name longer than 255 octets")  \
    X(ERR_LABEL_LONG, 7, "label longer than 63 octets") \
    X(ERR_LABEL_EMPTY, 8, "empty label")                \
    X(ERR_ESCAPE, 9, "bad escape in a name or string")  \
    X(ERR_POINTER, 10, "bad compression pointer")       \
    X(ERR_SPACE, 11, "does not fit")                    \
    X(ERR_NOT_FOUND, 12, "not found")                   \
    X(ERR_EXISTS, 13, "exists already")                 \
    X(ERR_LIMIT, 14, "limit reached")                   \
    X(ERR_TIMEOUT, 15, "timed out")                     \
    X(ERR_CANCELLED, 16, "cancelled")                   \
    X(ERR_REFUSED, 17, "refused")                       \
    X(ERR_UNREACHABLE, 18, "unreachable")               \
    X(ERR_CLOSED, 19, "connection closed")              \
    X(ERR_IO, 20, "input/output error")                 \
    X(ERR_ACCESS, 21, "permission denied")              \
    X(ERR_IN_USE, 22, "address in use")                 \
    X(ERR_UNSUPPORTED, 23, "not in this version")       \
    X(ERR_MISMATCH, 24, "does not match")               \
    X(ERR_BUSY, 25, "busy")                             \
    X(ERR_SYSTEM, 26, "system call failed")             \
    X(ERR_INVALID, 27, "invalid")                       \
    X(ERR_FULL, 28, "no space left on the device")      \
    X(ERR_NOT_FILE, 29, "not a regular file")

enum err {
    ERR_NONE = 0,
#define ERR_ENUM(name, number, text) name = -(number),
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

/* "ERR_NOMEM"; "ERR_NONE" for 0 and above, "ERR_UNKNOWN" for a number not in the table. Constant.
 */
const char *err_name(int err);
/* "out of memory"; "ok" for 0 and above. Constant text. */
const char *err_text(int err);
/* The nearest enum err of an errno value (positive); ERR_SYSTEM when nothing fits. */
int err_of_errno(int errnum);
/* What to do about a file that cannot be read or written for this error, or NULL. Constant text. */
const char *err_remedy(int err);

#endif
