/* folders: resolver dns base */
/* Allocation failure and allocation counts of the caches: the sources are compiled in with their
 * allocators replaced, so that the n-th allocation fails. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

struct allocs {
    unsigned count;
    unsigned fail_at; /* 0: never */
};
static struct allocs allocs;

static bool alloc_fails(void)
{
    return ++allocs.count == allocs.fail_at;
}

static void *try_malloc(size_t n)
{
    return alloc_fails() ? NULL : malloc(n);
}
static void *try_calloc(size_t n, size_t size)
{
    return alloc_fails() ? NULL : calloc(n, size);
}
static void *try_aligned_alloc(size_t align, size_t n)
{
    return alloc_fails() ? NULL : aligned_alloc(align, n);
}
static void *try_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
    return alloc_fails() ? MAP_FAILED : mmap(at, n, prot, flags, fd, off);
}

#define malloc        try_malloc
#define calloc        try_calloc
#define aligned_alloc try_aligned_alloc
#define mmap          try_mmap
/* Both have these. */
#define shard     cache_shard
#define shard_of  cache_shard_of
#define bucket_of cache_bucket_of
#include "../resolver/cache.c"
#include "../resolver/item.c"
#undef shard
#undef shard_of
#undef bucket_of
#include "../resolver/answers.c"
#include "../resolver/recorder.c"
#include "../resolver/slab.c"

static void test_new(void **state)
{
    (void)state;
    static const unsigned least[] = {2, 3, 3};
    for (unsigned which = 0; which < 3; which++) {
        unsigned failures = 0;
        for (unsigned n = 1;; n++) {
            struct cache *c = NULL;
            struct answers *t = NULL;
            struct recorder *r = NULL;
            allocs = (struct allocs){.fail_at = n};
            int err = which == 0   ? cache_new(&c, 1 << 20, 4, 1)
                      : which == 1 ? answers_new(&t, 8 << 20, 1)
                                   : recorder_new(&r, 8192, 4096);
            cache_free(c);
            answers_free(t);
            recorder_free(r);
            if (!err)
                break;
            assert_int_equal(err, ERR_NOMEM);
            failures++;
        }
        if (failures < least[which])
            fail_msg("%u: only %u allocations", which, failures);
    }
}

static void test_put(void **state)
{
    (void)state;
    struct cache *c;
    allocs = (struct allocs){0};
    assert_int_equal(cache_new(&c, 1 << 20, 4, 1), 0);
    struct cache_key k = {dns_name_root, 2, CACHE_DELEGATION, 0, NULL};
    struct cache_entry e = {.ttl_stored = 60};
    assert_int_equal(cache_put(c, &k, 0, &e), 0);
    struct cache_usage before = cache_usage(c);
    allocs = (struct allocs){.fail_at = 1};
    e.ttl_stored = 1000;
    assert_int_equal(cache_put(c, &k, 0, &e), ERR_NOMEM);
    struct cache_usage after = cache_usage(c);
    assert_memory_equal(&before, &after, sizeof before);
    struct arena a;
    arena_init(&a, 0, 0);
    assert_true(cache_get(c, &k, 0, &a, &e));
    assert_int_equal(e.ttl_left, 60); /* the old one is still there */
    arena_fini(&a);
    cache_free(c);
}

/* The query path allocates nothing, neither at a hit nor at a miss nor when storing. */
static void test_answers_allocate_nothing(void **state)
{
    (void)state;
    struct answers *t;
    allocs = (struct allocs){0};
    assert_int_equal(answers_new(&t, 8 << 20, 1), 0);
    unsigned before = allocs.count;
    assert_true(before >= 3);
    static const uint8_t wire[] = {0, 0, 0x80, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1};
    uint8_t out[512];
    for (unsigned view = 0; view < 200; view++) {
        struct answers_key k = {dns_name_root, 1, 0, (uint8_t)view};
        struct dns_query q = {.qname = dns_name_root, .qname_len = 1, .qtype = 1, .qclass = 1};
        uint64_t hash = answers_hash(t, &k);
        assert_int_equal(answers_get(t, &k, hash, 0, &q, out, sizeof out, NULL), 0);
        assert_int_equal(answers_put(t, &k, 0, 60, wire, sizeof wire, true), 0);
        assert_int_equal(answers_get(t, &k, hash, 0, &q, out, sizeof out, NULL), sizeof wire);
    }
    assert_int_equal(allocs.count, before);
    answers_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_answers_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
