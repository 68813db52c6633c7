/* base/block.h: one piece of memory that may be very large.
 * Large ones are pages of their own: they grow without being copied, lie in huge pages where the
 * kernel has any, and are back with the kernel the moment they are freed. Small ones come from the
 * heap. What is new in a block is not zeroed. Shape: {0} is an empty block; `at` is aligned to a
 * cache line. Threads: one owner at a time. */
#ifndef WAYPOST_BASE_BLOCK_H
#define WAYPOST_BASE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

struct block {
    uint8_t *at; /* moves when the block is resized */
    size_t size;
};

/* To `size` octets (not 0), more or fewer; keeps what fits. ERR_NOMEM: nothing has changed. */
int block_resize(struct block *b, size_t size);
/* Room for `need` octets at least; grows by half or more. ERR_NOMEM as above. */
int block_reserve(struct block *b, size_t need);
void block_free(struct block *b);

#endif
