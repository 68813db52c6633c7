#include "base/fileid.h"

#include <sys/stat.h>

struct fileid fileid_of(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return (struct fileid){0};
    return (struct fileid){.device = (uint64_t)st.st_dev,
                           .inode = (uint64_t)st.st_ino,
                           .size = (uint64_t)st.st_size,
                           .changed_ns =
                               (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
}
