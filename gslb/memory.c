/* States across restarts and reloads, by identity.
 * Lines of words, each an identity and numbers; times are milliseconds since 1970, "-" is never:
 *   s MEMBER CHECK ADDRESS seen status fails passes since changed verdict penalty penalty_at flags
 *   n NAME POOL seen last
 *   m MEMBER - seen up
 * Saving does not wait for the disk: what a power cut costs is one probe of each, and a file cut
 * short fails its checksum. */
#include "monitor_priv.h"

#include "base/err.h"
#include "base/log.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define KIND       "states"
#define IDLE_MS    600000 /* saved so often when nothing changes: the ages inside stay near */
#define LAST_MS    3600000
#define SEEDED     0x6d656dULL
#define FIELDS_MAX 16
/* Of one turn: items looked at, and octets printed of them: many may be kept in one bucket. */
#define SLICE        2000
#define SLICE_OCTETS 200000

/* ---- words ---- */

struct text {
    char *at;
    size_t len, room;
    int64_t wall_ms; /* of monotonic 0 */
    bool failed;
};

static void text_put(struct text *t, const char *bytes, size_t len)
{
    if (t->len + len + 1 > t->room) {
        size_t room = (t->room + len + 1) * 2;
        char *at = realloc(t->at, room);
        if (!at) {
            t->failed = true;
            return;
        }
        t->at = at;
        t->room = room;
    }
    memcpy(t->at + t->len, bytes, len);
    t->len += len;
}

static bool plain(unsigned char c)
{
    return c > ' ' && c != '%' && c != 0x7f;
}

/* A name, in a word: blanks, controls and '%' are written as %XX. */
static void text_part(struct text *t, const char *word)
{
    static const char digits[] = "0123456789abcdef";
    while (*word) {
        size_t run = 0;
        while (plain((unsigned char)word[run]))
            run++;
        text_put(t, word, run);
        word += run;
        if (!*word)
            return;
        unsigned char c = (unsigned char)*word++;
        const char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        text_put(t, escaped, 3);
    }
}

static void text_word(struct text *t, const char *word)
{
    text_part(t, word);
    text_put(t, " ", 1);
}

static void text_number(struct text *t, int64_t n)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    digits[--at] = ' ';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (n < 0)
        digits[--at] = '-';
    text_put(t, digits + at, sizeof digits - at);
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool word_unescape(char *word)
{
    char *out = word;
    for (; *word; word++) {
        if (*word == '%') {
            int high = hex_of(word[1]), low = high < 0 ? -1 : hex_of(word[2]);
            if (low < 0)
                return false;
            *out++ = (char)(high << 4 | low);
            word += 2;
        } else {
            *out++ = *word;
        }
    }
    *out = 0;
    return true;
}

/* ---- what is kept ---- */

static unsigned bucket_of(const char *key)
{
    return (unsigned)(hash_bytes(key, strlen(key), SEEDED) % KEPT_BUCKETS);
}

static char *seat_key(const struct seat *seat)
{
    char member[512], address[ADDR_TEXT_MAX] = "-", *key;
    const struct probe *p = seat->machine->probe;
    if (p->address.family)
        addr_print(&p->address, address);
    member_print(seat->member, member, sizeof member);
    return asprintf(&key, "%s\n%s\n%s", member, seat->check->name, address) < 0 ? NULL : key;
}

/* Takes key. */
static int state_keep(struct memory *y, char *key, const struct gslb_health *h, int64_t seen_ms)
{
    struct kept *k = calloc(1, sizeof *k);
    if (!k) {
        free(key);
        return ERR_NOMEM;
    }
    struct kept **bucket = &y->states[bucket_of(key)];
    *k = (struct kept){.next = *bucket, .key = key, .seen_ms = seen_ms, .health = *h};
    *bucket = k;
    return 0;
}

static int name_keep(struct memory *y, const char *key, const char *pool, int64_t seen_ms,
                     int64_t at_ms)
{
    struct kept_name *k = calloc(1, sizeof *k);
    if (!k)
        return ERR_NOMEM;
    k->key = strdup(key);
    k->pool = strdup(pool);
    if (!k->key || !k->pool) {
        free(k->key);
        free(k->pool);
        free(k);
        return ERR_NOMEM;
    }
    struct kept_name **bucket = &y->names[bucket_of(key)];
    k->next = *bucket;
    k->seen_ms = seen_ms;
    k->at_ms = at_ms;
    *bucket = k;
    return 0;
}

static void name_free(struct kept_name *k)
{
    free(k->key);
    free(k->pool);
    free(k);
}

static void state_free(struct kept *k)
{
    free(k->key);
    free(k);
}

/* What was kept under this key, out of its list; NULL: nothing. */
static struct kept_name *name_take(struct memory *y, const char *key)
{
    struct kept_name **at = &y->names[bucket_of(key)];
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    struct kept_name *k = *at;
    if (k)
        *at = k->next;
    return k;
}

void memory_keep(struct gslb_monitor *m, const struct seat *seat)
{
    char *key = seat->machine->health.status == GSLB_UNKNOWN ? NULL : seat_key(seat);
    if (key)
        state_keep(&m->memory, key, &seat->machine->health, monitor_now(m));
}

bool memory_restore(struct gslb_monitor *m, const struct seat *seat, struct gslb_health *h)
{
    char *key = seat_key(seat);
    if (!key)
        return false;
    struct kept **at = &m->memory.states[bucket_of(key)];
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    free(key);
    struct kept *k = *at;
    if (!k)
        return false;
    *h = k->health;
    *at = k->next;
    state_free(k);
    return true;
}

/* In the one table of names under words that no owner has. */
static void was_up_key(const struct member *mb, char *out, size_t cap)
{
    char text[512];
    snprintf(out, cap, "member/%s", member_print(mb, text, sizeof text));
}

bool memory_was_up(struct gslb_monitor *m, const struct member *mb)
{
    char key[600];
    was_up_key(mb, key, sizeof key);
    struct kept_name *k = name_take(&m->memory, key);
    bool up = k && k->at_ms != 0;
    if (k)
        name_free(k);
    return up;
}

void memory_restore_names(struct gslb_monitor *m)
{
    const struct gslb_plan *plan = m->scene->plan;
    int64_t now = monitor_now(m);
    for (unsigned i = 0; i < plan->name_count; i++) {
        uint32_t second;
        if (!plan->names[i].owner)
            continue;
        struct kept_name *k =
            name_take(&m->memory, gslb_table_identity(m->place.table, plan->names[i].slot));
        if (!k)
            continue;
        uint32_t pool = gslb_table_find(m->place.table, k->pool);
        bool none = gslb_table_last(m->place.table, plan->names[i].slot, &second) == GSLB_NO_SLOT;
        /* A clock younger than that moment cannot say it: it is then the clock's beginning. */
        if (none && pool != GSLB_NO_SLOT && now - k->at_ms < LAST_MS)
            gslb_table_put_last(m->place.table, plan->names[i].slot, pool,
                                k->at_ms > 0 ? (uint32_t)(k->at_ms / 1000) : 0);
        name_free(k);
    }
}

/* ---- saving ---- */

static struct text text_begin(const struct gslb_monitor *m)
{
    return (struct text){.wall_ms = monitor_wall_ms(m, 0)};
}

static void text_time(struct text *t, int64_t mono_ms)
{
    if (mono_ms == INT64_MIN)
        text_put(t, "- ", 2);
    else
        text_number(t, t->wall_ms + mono_ms);
}

static void health_print(struct text *t, const struct gslb_health *h, int64_t seen_ms)
{
    text_time(t, seen_ms);
    text_number(t, h->status);
    text_number(t, h->fails);
    text_number(t, h->passes);
    text_time(t, h->since_ms);
    text_time(t, h->changed_ms);
    text_time(t, h->seen_ms);
    text_number(t, h->penalty);
    text_time(t, h->penalty_ms);
    text_number(t, h->suppressed | h->resume_wanted << 1 | h->resumed << 2);
    text_put(t, "\n", 1);
}

static void state_print(struct text *t, const struct kept *k)
{
    text_put(t, "s ", 2);
    for (const char *part = k->key; part;) {
        char word[600];
        const char *end = strchr(part, '\n');
        snprintf(word, sizeof word, "%.*s", end ? (int)(end - part) : (int)strlen(part), part);
        text_word(t, word);
        part = end ? end + 1 : NULL;
    }
    health_print(t, &k->health, k->seen_ms);
}

/* As state_print of its key, without one: there may be many. */
static void seat_print(struct text *t, const struct seat *seat, int64_t now)
{
    const struct probe *p = seat->machine->probe;
    char address[ADDR_TEXT_MAX] = "-";
    if (p->address.family)
        addr_print(&p->address, address);
    text_put(t, "s ", 2);
    text_part(t, seat->member->pool->plan->name);
    text_put(t, "/", 1);
    text_word(t, seat->member->endpoint->name);
    text_word(t, seat->check->name);
    text_word(t, address);
    health_print(t, &seat->machine->health, now);
}

static void name_print(struct text *t, const char *key, const char *pool, int64_t seen_ms,
                       int64_t at_ms)
{
    text_put(t, "n ", 2);
    text_word(t, key);
    text_word(t, pool);
    text_time(t, seen_ms);
    text_time(t, at_ms);
    text_put(t, "\n", 1);
}

static void up_print(struct text *t, const char *key, int64_t seen_ms, bool up)
{
    text_put(t, "m ", 2);
    text_word(t, key);
    text_put(t, "- ", 2);
    text_time(t, seen_ms);
    text_number(t, up);
    text_put(t, "\n", 1);
}

/* Drops what is too old, prints the rest. */
static void kept_print(struct gslb_monitor *m, struct text *t, unsigned i)
{
    int64_t limit = monitor_now(m) - MONITOR_DAY;
    for (struct kept **at = &m->memory.states[i], *k; (k = *at);) {
        if (k->seen_ms < limit) {
            *at = k->next;
            state_free(k);
            continue;
        }
        state_print(t, k);
        at = &k->next;
    }
    for (struct kept_name **at = &m->memory.names[i], *k; (k = *at);) {
        if (k->seen_ms < limit) {
            *at = k->next;
            name_free(k);
            continue;
        }
        if (!*k->pool)
            up_print(t, k->key, k->seen_ms, k->at_ms != 0);
        else
            name_print(t, k->key, k->pool, k->seen_ms, k->at_ms);
        at = &k->next;
    }
}

static void seats_print(struct gslb_monitor *m, struct text *t, unsigned i)
{
    const struct seat *seat = &m->scene->seats[i];
    if (seat->machine->health.status != GSLB_UNKNOWN)
        seat_print(t, seat, monitor_now(m));
}

static void members_print(struct gslb_monitor *m, struct text *t, unsigned i)
{
    const struct member *mb = &m->scene->members[i];
    char key[600];
    was_up_key(mb, key, sizeof key);
    up_print(t, key, monitor_now(m), mb->view.was_up);
}

static void names_print(struct gslb_monitor *m, struct text *t, unsigned i)
{
    const struct gslb_table *table = m->place.table;
    const struct gslb_name *name = &m->scene->plan->names[i];
    int64_t now = monitor_now(m);
    uint32_t second = 0;
    uint32_t pool = name->owner ? gslb_table_last(table, name->slot, &second) : GSLB_NO_SLOT;
    if (pool != GSLB_NO_SLOT)
        name_print(t, gslb_table_identity(table, name->slot), gslb_table_identity(table, pool), now,
                   m->scene->winner[i] != GSLB_NONE ? now : (int64_t)second * 1000);
}

/* One new file on its way: printed in slices, then written, perhaps by another thread, which has
 * all of this until it is done. Lines do not depend on each other: those of later slices are
 * younger, nothing else. */
struct saving {
    struct gslb_monitor *m;
    const char *path;
    struct text text;
    unsigned part, at; /* printed next */
    int err;
};

static const struct {
    void (*print)(struct gslb_monitor *m, struct text *t, unsigned i);
} parts[] = {{kept_print}, {seats_print}, {members_print}, {names_print}};
enum { PARTS = sizeof parts / sizeof *parts };

static unsigned part_count(const struct gslb_monitor *m, unsigned part)
{
    const struct scene *s = m->scene;
    return part == 0   ? KEPT_BUCKETS
           : !s        ? 0
           : part == 1 ? s->seat_count
           : part == 2 ? s->member_count
                       : s->plan->name_count;
}

/* False: there is more. */
static bool saving_print(struct saving *v, unsigned items, size_t octets)
{
    size_t before = v->text.len;
    for (; v->part < PARTS; v->part++, v->at = 0)
        for (unsigned count = part_count(v->m, v->part); v->at < count; v->at++) {
            if (!items-- || v->text.len - before >= octets)
                return false;
            parts[v->part].print(v->m, &v->text, v->at);
        }
    return true;
}

static void saving_write(void *arg)
{
    struct saving *v = arg;
    v->err = v->text.failed ? ERR_NOMEM
                            : store_write(v->path, KIND, v->text.at, v->text.len, false, NULL);
}

static void saving_done(void *arg)
{
    struct saving *v = arg;
    struct memory *y = &v->m->memory;
    if (v->err && !y->failed)
        log_warning("gslb", "%s: states are not kept: %s", y->path, err_text(v->err));
    y->failed = v->err != 0;
    y->dirty = y->dirty || v->err;
    y->saving = NULL;
    y->writing = false;
    free(v->text.at);
    free(v);
}

/* What changes from now on is for the next file. */
static void saving_begin(struct gslb_monitor *m)
{
    struct memory *y = &m->memory;
    y->saving = calloc(1, sizeof *y->saving);
    if (!y->saving) {
        y->failed = true;
        return;
    }
    *y->saving = (struct saving){.m = m, .path = y->path, .text = text_begin(m)};
    text_put(&y->saving->text, "", 0);
    y->dirty = false;
    y->saved_ms = monitor_now(m);
}

static void saving_end(struct gslb_monitor *m)
{
    struct memory *y = &m->memory;
    struct gslb_helper *h = m->place.helper;
    struct saving *v = y->saving;
    y->writing = true;
    if (h && !h->run(h, saving_write, saving_done, v))
        return;
    saving_write(v);
    saving_done(v);
}

bool memory_save(struct gslb_monitor *m, bool begin)
{
    struct memory *y = &m->memory;
    if (!y->path || y->writing)
        return false;
    if (!y->saving && begin && (y->dirty || monitor_now(m) - y->saved_ms >= IDLE_MS))
        saving_begin(m);
    if (!y->saving)
        return false;
    bool sliced = m->place.helper != NULL;
    if (!saving_print(y->saving, sliced ? SLICE : UINT_MAX, sliced ? SLICE_OCTETS : SIZE_MAX))
        return true;
    saving_end(m);
    return false;
}

void memory_restart(struct gslb_monitor *m)
{
    struct saving *v = m->memory.saving;
    if (!v || m->memory.writing)
        return;
    v->part = v->at = 0;
    v->text.len = 0;
}

void memory_flush(struct gslb_monitor *m)
{
    struct memory *y = &m->memory;
    if (m->place.helper)
        m->place.helper->finish(m->place.helper);
    if (!y->path || !(y->dirty || y->saving || m->scene)) /* with a scene: ages are of now then */
        return;
    memory_restart(m);
    if (!y->saving)
        saving_begin(m);
    if (!y->saving)
        return;
    saving_print(y->saving, UINT_MAX, SIZE_MAX);
    saving_write(y->saving);
    saving_done(y->saving);
}

/* ---- reading ---- */

struct words {
    char *at[FIELDS_MAX];
    unsigned count, next;
    bool bad;
};

static void words_split(struct words *w, char *line)
{
    char *rest = NULL;
    *w = (struct words){0};
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (w->count == FIELDS_MAX) {
            w->bad = true;
            return;
        }
        w->at[w->count++] = word;
    }
}

static char *words_name(struct words *w)
{
    if (w->next >= w->count || !word_unescape(w->at[w->next])) {
        w->bad = true;
        return NULL;
    }
    return w->at[w->next++];
}

static int64_t words_number(struct words *w, int64_t min, int64_t max)
{
    if (w->next >= w->count) {
        w->bad = true;
        return min;
    }
    char *word = w->at[w->next++], *end;
    long long n = strtoll(word, &end, 10);
    if (*end || end == word || n < min || n > max)
        w->bad = true;
    return w->bad ? min : n;
}

static int64_t words_time(const struct gslb_monitor *m, struct words *w)
{
    if (w->next < w->count && !strcmp(w->at[w->next], "-")) {
        ++w->next;
        return INT64_MIN;
    }
    return monitor_mono_ms(m, words_number(w, INT64_MIN / 4, INT64_MAX / 4));
}

static int state_parse(struct gslb_monitor *m, struct words *w)
{
    const char *member = words_name(w), *check = words_name(w), *address = words_name(w);
    int64_t seen = words_time(m, w);
    struct gslb_health h = {0};
    h.status = (enum gslb_status)words_number(w, GSLB_UP, GSLB_DOWN);
    h.fails = (uint32_t)words_number(w, 0, UINT32_MAX);
    h.passes = (uint32_t)words_number(w, 0, UINT32_MAX);
    h.since_ms = words_time(m, w);
    h.changed_ms = words_time(m, w);
    h.seen_ms = words_time(m, w);
    h.penalty = (uint32_t)words_number(w, 0, UINT32_MAX);
    h.penalty_ms = words_time(m, w);
    unsigned flags = (unsigned)words_number(w, 0, 7);
    h.suppressed = flags & 1;
    h.resume_wanted = flags & 2;
    h.resumed = flags & 4;
    char *key;
    if (w->bad || w->next != w->count)
        return ERR_FORMAT;
    if (asprintf(&key, "%s\n%s\n%s", member, check, address) < 0)
        return ERR_NOMEM;
    return state_keep(&m->memory, key, &h, seen);
}

static int line_parse(struct gslb_monitor *m, char *line)
{
    struct words w;
    words_split(&w, line);
    const char *kind = words_name(&w);
    if (w.bad || strlen(kind) != 1)
        return ERR_FORMAT;
    if (*kind == 's')
        return state_parse(m, &w);
    const char *key = words_name(&w), *pool = words_name(&w);
    int64_t seen = words_time(m, &w), at = 0;
    if (*kind == 'm')
        at = words_number(&w, 0, 1);
    else
        at = words_time(m, &w);
    if (w.bad || w.next != w.count || !strchr("nm", *kind))
        return ERR_FORMAT;
    return name_keep(&m->memory, key, *kind == 'm' ? "" : pool, seen, at);
}

int memory_parse(struct gslb_monitor *m, char *text, size_t len)
{
    int err = strlen(text) == len ? 0 : ERR_FORMAT;
    char *rest = NULL;
    if (err)
        return err;
    for (char *line = strtok_r(text, "\n", &rest); line && !err; line = strtok_r(NULL, "\n", &rest))
        err = line_parse(m, line);
    return err;
}

static void kept_free(struct memory *y)
{
    for (unsigned i = 0; i < KEPT_BUCKETS; i++) {
        for (struct kept *k = y->states[i], *next; k; k = next) {
            next = k->next;
            state_free(k);
        }
        for (struct kept_name *k = y->names[i], *next; k; k = next) {
            next = k->next;
            name_free(k);
        }
        y->states[i] = NULL;
        y->names[i] = NULL;
    }
}

/* What is older than a day says nothing of today: the first probes decide. */
static void kept_expire(struct gslb_monitor *m)
{
    struct text t = text_begin(m);
    for (unsigned i = 0; i < KEPT_BUCKETS; i++)
        kept_print(m, &t, i);
    free(t.at);
}

int memory_read(struct gslb_monitor *m, struct diag_list *d)
{
    struct memory *y = &m->memory;
    const struct diag_at at = {.file = y->path};
    char *text;
    size_t len;
    if (!y->path)
        return 0;
    int err = store_try(y->path);
    if (err && err != ERR_NOMEM) {
        diag_add(d, err == ERR_FULL ? DIAG_WARNING : DIAG_ERROR, &at, "cannot be written: %s",
                 err_text(err));
        if (err != ERR_FULL)
            return err == ERR_ACCESS ? err : ERR_IO;
    }
    err = store_read(y->path, KIND, &text, &len);
    if (!err) {
        err = memory_parse(m, text, len);
        free(text);
    }
    if (!err)
        kept_expire(m);
    if (!err || err == ERR_NOT_FOUND)
        return 0;
    kept_free(y);
    if (err == ERR_NOMEM)
        return err;
    if (err == ERR_FORMAT) {
        int aside = store_set_aside(y->path);
        diag_add(d, DIAG_WARNING, &at, "the states kept are damaged; all begin as unknown%s",
                 aside ? "" : "; the file is kept with the ending .bad");
        return 0;
    }
    diag_add(d, DIAG_ERROR, &at, "cannot be read: %s", err_text(err));
    return err == ERR_ACCESS ? err : ERR_IO;
}

void memory_fini(struct memory *y)
{
    kept_free(y);
    free(y->path);
}
