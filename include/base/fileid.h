/* base/fileid.h: which file lies at a path, to notice that it became another one: renamed over, or
 * written to in place.
 * Threads: any. */
#ifndef WAYPOST_BASE_FILEID_H
#define WAYPOST_BASE_FILEID_H

#include <stdbool.h>
#include <stdint.h>

struct fileid {
    uint64_t device, inode, size;
    int64_t changed_ns;
};

/* All zero: there is none, or it cannot be asked. */
struct fileid fileid_of(const char *path);

static inline bool fileid_equal(const struct fileid *a, const struct fileid *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns;
}

#endif
