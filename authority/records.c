#include "records_priv.h"

#include "base/err.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

#define FEW        32u /* runs that are put into order by comparing */
#define WORD       8u
#define PLACE_STEP 4u

void records_init(struct records *r, const uint8_t *origin, size_t expected)
{
    *r = (struct records){.origin = origin, .labels = dns_name_labels(origin)};
    /* Pages that are not touched cost nothing; a block that need not grow is never moved. */
    block_resize(&r->log, 2 * expected + 1024);
    block_resize(&r->run, expected + 1024);
}

void records_fini(struct records *r)
{
    block_free(&r->log);
    block_free(&r->run);
    for (uint32_t i = 0; i < r->file_count; i++)
        free(r->files[i].name);
    free(r->files);
}

/* ---- keys ---- */

/* The key of a name: its labels below the origin, the last first, a 0 after each; inside a label a
 * 1 stands before 0 and 1, so that memcmp is canonical order. Eight octets of it, from the from-th
 * on, 0 behind its end. */
static uint64_t key_at(const struct records *r, const uint8_t *name, unsigned from)
{
    uint8_t offsets[DNS_LABELS_MAX + 1], key[2 * DNS_NAME_MAX + WORD];
    unsigned n = dns_name_offsets(name, offsets) - r->labels, len = 0;
    while (n-- && len < from + WORD) {
        const uint8_t *label = name + offsets[n], *end = label + 1 + *label;
        for (const uint8_t *p = label + 1; p < end; p++) {
            if (*p <= 1)
                key[len++] = 1;
            key[len++] = *p;
        }
        key[len++] = 0;
    }
    if (len <= from)
        return 0;
    memset(key + len, 0, WORD);
    return get_u64(key + from);
}

/* ---- reading ---- */

static int records_room(struct records *r, size_t need)
{
    if (r->used + need > (size_t)UINT32_MAX * PLACE_STEP)
        return ERR_NOMEM;
    return block_reserve(&r->log, r->used + need);
}

static struct run *last_run(const struct records *r)
{
    return (struct run *)(void *)r->run.at + r->run_count - 1;
}

/* Owners often repeat: then the run goes on. */
static int take_owner(struct records *r, const uint8_t *owner)
{
    if (r->run_count && dns_name_equal(records_owner(r, last_run(r)), owner))
        return 0;
    if (block_reserve(&r->run, (r->run_count + 1) * sizeof(struct run)))
        return ERR_NOMEM;
    uint8_t *name = r->log.at + r->used;
    size_t len = dns_name_lower(name, owner);
    r->run_count++;
    *last_run(r) =
        (struct run){.key = key_at(r, name, 0), .at = (uint32_t)(r->used / PLACE_STEP), .count = 0};
    r->used += (len + PLACE_STEP - 1) & ~(size_t)(PLACE_STEP - 1);
    return 0;
}

/* Records of one file come together. */
static int take_file(struct records *r, const char *file)
{
    if (r->file_count && !strcmp(r->files[r->file_count - 1].name, file))
        return 0;
    struct records_file *files = realloc(r->files, (r->file_count + 1) * sizeof *files);
    if (!files)
        return ERR_NOMEM;
    r->files = files;
    files[r->file_count].from = r->used;
    if (!(files[r->file_count].name = strdup(file)))
        return ERR_NOMEM;
    r->file_count++;
    return 0;
}

static void put_record(struct records *r, const struct record *rec, const uint8_t *rdata)
{
    struct record *to = (struct record *)(void *)(r->log.at + r->used);
    *to = *rec;
    memcpy(to->rdata, rdata, rec->rdlen);
    r->used += (sizeof *rec + rec->rdlen + PLACE_STEP - 1) & ~(size_t)(PLACE_STEP - 1);
    last_run(r)->count++;
    r->record_count++;
}

int records_add(struct records *r, const struct zonefile_rr *rr)
{
    const struct record rec = {
        .ttl = rr->ttl, .line = rr->line, .type = rr->type, .rdlen = rr->rdlen};
    if (records_room(r, DNS_NAME_MAX + PLACE_STEP + sizeof rec + rr->rdlen + PLACE_STEP) ||
        take_file(r, rr->file) || take_owner(r, rr->owner))
        return ERR_NOMEM;
    put_record(r, &rec, rr->rdata);
    return 0;
}

int records_add_name(struct records *r, const uint8_t *owner, uint32_t number)
{
    const struct record rec = {.line = number};
    if (records_room(r, DNS_NAME_MAX + PLACE_STEP + sizeof rec) || take_owner(r, owner))
        return ERR_NOMEM;
    put_record(r, &rec, owner);
    return 0;
}

/* ---- order ---- */

/* Both keys are equal before `from`, and the runs' words are those from there on. */
static bool is_after(const struct records *r, const struct run *a, const struct run *b,
                     unsigned from)
{
    uint64_t k = a->key, l = b->key;
    while (k == l && k) {
        from += WORD;
        k = key_at(r, records_owner(r, a), from);
        l = key_at(r, records_owner(r, b), from);
    }
    return k > l;
}

static void insert(const struct records *r, struct run *run, uint32_t n, unsigned from)
{
    for (uint32_t i = 1; i < n; i++) {
        struct run one = run[i];
        uint32_t k = i;
        for (; k && is_after(r, &run[k - 1], &one, from); k--)
            run[k] = run[k - 1];
        run[k] = one;
    }
}

static unsigned octet_of(const struct run *run, unsigned shift)
{
    return (unsigned)(run->key >> shift) & 255;
}

/* By one octet of the keys, in place: each run goes straight to where its group is filled next.
 * False: there is one group only. */
static bool deal(struct run *run, uint32_t n, unsigned shift)
{
    uint32_t next[256], end[256], count[256] = {0};
    for (uint32_t i = 0; i < n; i++)
        count[octet_of(&run[i], shift)]++;
    if (count[octet_of(run, shift)] == n)
        return false;
    for (uint32_t c = 0, at = 0; c < 256; c++) {
        next[c] = at;
        at += count[c];
        end[c] = at;
    }
    for (unsigned c = 0; c < 256; c++)
        while (next[c] < end[c]) {
            unsigned to = octet_of(&run[next[c]], shift);
            if (to == c) {
                next[c]++;
                continue;
            }
            struct run one = run[next[to]];
            run[next[to]++] = run[next[c]];
            run[next[c]] = one;
        }
    return true;
}

/* Their keys are equal before the octet `depth`. At the first of a word the runs still have the
 * word before it. */
static void sort(const struct records *r, struct run *run, uint32_t n, unsigned depth)
{
    for (;; depth++) {
        if (n < FEW) {
            insert(r, run, n, depth ? (depth - 1) / WORD * WORD : 0);
            return;
        }
        if (depth && depth % WORD == 0) {
            if (!run->key) /* all at their end: one name */
                return;
            for (uint32_t i = 0; i < n; i++)
                run[i].key = key_at(r, records_owner(r, &run[i]), depth);
        }
        if (deal(run, n, 56 - depth % WORD * 8))
            break;
    }
    unsigned shift = 56 - depth % WORD * 8;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && octet_of(&run[end], shift) == octet_of(&run[i], shift);)
            end++;
        if (end - i > 1)
            sort(r, run + i, end - i, depth + 1);
    }
}

void records_sort(struct records *r)
{
    struct run *run = (struct run *)(void *)r->run.at;
    uint32_t i = 1;
    while (i < r->run_count && !is_after(r, &run[i - 1], &run[i], 0))
        i++;
    if (i < r->run_count) /* not in order already */
        sort(r, run, r->run_count, 0);
}

/* ---- reading them back ---- */

const struct record *records_first(const struct records *r, const struct run *run)
{
    const uint8_t *name = records_owner(r, run);
    return (const struct record *)(const void *)(name + ((dns_name_len(name) + PLACE_STEP - 1) &
                                                         ~(size_t)(PLACE_STEP - 1)));
}

const char *records_file(const struct records *r, const struct record *rec)
{
    size_t at = (size_t)((const uint8_t *)rec - r->log.at);
    uint32_t low = 0, high = r->file_count;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (r->files[mid].from <= at)
            low = mid;
        else
            high = mid;
    }
    return r->files[low].name;
}

/* The first run that is not before owner. */
static uint32_t run_of(const struct records *r, const uint8_t *owner)
{
    uint32_t low = 0, high = r->run_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (dns_name_cmp(records_owner(r, records_run(r, mid)), owner) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Of the lower type; as read. */
static const struct record *earlier(const struct record *a, const struct record *b)
{
    return !a || b->type < a->type || (b->type == a->type && b < a) ? b : a;
}

const struct record *records_find(const struct records *r, const uint8_t *owner, uint16_t type)
{
    const struct record *found = NULL;
    for (uint32_t at = run_of(r, owner); at < r->run_count; at++) {
        const struct run *run = records_run(r, at);
        const struct record *rec = records_first(r, run);
        if (!dns_name_equal(records_owner(r, run), owner))
            break;
        for (uint32_t i = 0; i < run->count; i++, rec = records_next(rec))
            if (type == RECORDS_ANY ? rec->type != RECORDS_STEERED : rec->type == type)
                found = earlier(found, rec);
    }
    return found;
}
