#include "base/block.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE      64u
#define LARGE     (256u << 10)
#define PAGE      4096u
#define HUGE_PAGE (2u << 20)

static bool is_large(size_t size)
{
    return size >= LARGE;
}

static size_t in_pages(size_t size)
{
    return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Aligned so that all of a very large one can lie in huge pages. */
static uint8_t *map(size_t size)
{
    size_t slack = size >= 2 * HUGE_PAGE ? HUGE_PAGE : 0, want = in_pages(size);
    uint8_t *p =
        mmap(NULL, want + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (!slack)
        return p;
    size_t before = -(uintptr_t)p & (HUGE_PAGE - 1);
    if (before)
        munmap(p, before);
    if (slack - before)
        munmap(p + before + want, slack - before);
    madvise(p + before, want, MADV_HUGEPAGE); /* a wish */
    return p + before;
}

static uint8_t *take(size_t size)
{
    return is_large(size) ? map(size)
                          : aligned_alloc(LINE, (size + LINE - 1) & ~(size_t)(LINE - 1));
}

int block_resize(struct block *b, size_t size)
{
    uint8_t *p;
    if (b->at && is_large(b->size) && is_large(size)) {
        p = mremap(b->at, in_pages(b->size), in_pages(size), MREMAP_MAYMOVE);
        if (p == MAP_FAILED)
            return ERR_NOMEM;
    } else {
        if (size > PTRDIFF_MAX || !(p = take(size)))
            return ERR_NOMEM;
        if (b->at)
            memcpy(p, b->at, b->size < size ? b->size : size);
        block_free(b);
    }
    *b = (struct block){p, size};
    return 0;
}

int block_reserve(struct block *b, size_t need)
{
    size_t size = b->size + b->size / 2;
    if (need <= b->size)
        return 0;
    return block_resize(b, size > need ? size : need);
}

void block_free(struct block *b)
{
    if (b->at && is_large(b->size))
        munmap(b->at, in_pages(b->size));
    else
        free(b->at);
    *b = (struct block){0};
}
