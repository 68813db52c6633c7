#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define ARENA_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define ARENA_POISON(p, n)   ((void)(p), (void)(n))
#define ARENA_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_CHUNK_DEFAULT 4096

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of the whole block */
};

static uint8_t *chunk_room(struct arena_chunk *c)
{
    return (uint8_t *)c + sizeof *c;
}

void arena_init(struct arena *a, size_t chunk_size, size_t limit)
{
    *a =
        (struct arena){.chunk_size = chunk_size ? chunk_size : ARENA_CHUNK_DEFAULT, .limit = limit};
}

static void chunk_free(struct arena_chunk *c)
{
    ARENA_UNPOISON(c, c->size);
    free(c);
}

static void arena_enter(struct arena *a, struct arena_chunk *c)
{
    a->at = chunk_room(c);
    a->end = (uint8_t *)c + c->size;
    ARENA_POISON(a->at, (size_t)(a->end - a->at));
}

void arena_fini(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        chunk_free(c);
    }
    arena_init(a, a->chunk_size, a->limit);
}

void arena_reset(struct arena *a)
{
    if (!a->chunks)
        return;
    while (a->chunks->next) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        a->used -= c->size;
        chunk_free(c);
    }
    arena_enter(a, a->chunks);
}

static int arena_grow(struct arena *a, size_t n)
{
    size_t size = a->chunk_size;
    if (n > SIZE_MAX / 2)
        return -1;
    if (size < n + sizeof(struct arena_chunk))
        size = n + sizeof(struct arena_chunk);
    if (a->limit && (a->used > a->limit || size > a->limit - a->used))
        return -1;
    struct arena_chunk *c = malloc(size);
    if (!c)
        return -1;
    c->next = a->chunks;
    c->size = size;
    a->chunks = c;
    a->used += size;
    arena_enter(a, c);
    return 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need = (n + 7) & ~(size_t)7;
    if (need < n)
        return NULL;
    if (!a->at || (size_t)(a->end - a->at) < need)
        if (arena_grow(a, need))
            return NULL;
    uint8_t *p = a->at;
    a->at += need;
    ARENA_UNPOISON(p, n);
    return p;
}

void arena_trim(struct arena *a, void *p, size_t n)
{
    a->at = (uint8_t *)p + ((n + 7) & ~(size_t)7);
    ARENA_POISON((uint8_t *)p + n, (size_t)(a->end - (uint8_t *)p) - n);
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p)
        memset(p, 0, n);
    return p;
}

void *arena_dup(struct arena *a, const void *from, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p && n)
        memcpy(p, from, n);
    return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_dup(a, text, strlen(text) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
