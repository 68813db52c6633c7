#include "base/stat.h"

#include <stdlib.h>
#include <string.h>

struct stat_block *stat_new(const struct stat_row *rows, size_t count)
{
    size_t size = (sizeof(struct stat_block) + count * sizeof(uint64_t) + 63) & ~(size_t)63;
    struct stat_block *b = aligned_alloc(64, size);
    if (!b)
        return NULL;
    memset(b, 0, size);
    b->rows = rows;
    b->count = count;
    return b;
}

void stat_free(struct stat_block *b)
{
    free(b);
}
