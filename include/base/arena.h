/* base/arena.h: memory with one lifetime.
 * A bump allocator: many small allocations, one reset. A query has one arena; it is reset when the
 * answer has left. Shape: a list of chunks, the first of which survives arena_reset, so that a warm
 * arena never calls malloc. Errors: NULL when the byte limit or the heap is exhausted; nothing is
 * half done. Threads: one owner at a time. Under ASan, memory beyond what was handed out is
 * poisoned. */
#ifndef WAYPOST_BASE_ARENA_H
#define WAYPOST_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
    uint8_t *at, *end;          /* room left in the current chunk */
    struct arena_chunk *chunks; /* newest first; the oldest is kept by arena_reset */
    size_t chunk_size;          /* bytes of an ordinary chunk */
    size_t used;                /* bytes of all chunks held now */
    size_t limit;               /* bound on used; 0 is none */
};

/* No allocation happens before the first arena_alloc. chunk_size 0 means 4096. */
void arena_init(struct arena *a, size_t chunk_size, size_t limit);
/* Frees everything; the arena may be used again. */
void arena_fini(struct arena *a);
/* Gives back all allocations, keeps one chunk. */
void arena_reset(struct arena *a);
/* n bytes aligned to 8, not zeroed; NULL when they cannot be had. n == 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* As arena_alloc, zeroed. */
void *arena_zalloc(struct arena *a, size_t n);
/* Of the newest allocation p, the first n bytes stay. */
void arena_trim(struct arena *a, void *p, size_t n);
/* A copy of n bytes; NULL when it does not fit. */
void *arena_dup(struct arena *a, const void *from, size_t n);
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type)      ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

#endif
